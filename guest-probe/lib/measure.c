/*
 * Times: the median of single operations, less the median of none. A median does not see the samples in which the
 * guest was held up.
 */
#include "cpu.h"
#include "env.h"
#include "probe.h"

struct samples {
    const struct probe_interface *face;
    void (*operation)(const struct probe_interface *face);
    uint64_t cycles[PROBE_NR_SAMPLES];
};

uint64_t probe_median(uint64_t *value, uint32_t nr)
{
    for (uint32_t i = 1; i < nr; i++) {
        uint64_t moved = value[i];
        uint32_t at = i;
        for (; at > 0 && value[at - 1] > moved; at--)
            value[at] = value[at - 1];
        value[at] = moved;
    }
    return value[nr / 2];
}

static void nothing(const struct probe_interface *face)
{
    (void)face;
}

static void take_samples(void *arg)
{
    struct samples *samples = arg;
    for (uint32_t i = 0; i < PROBE_NR_SAMPLES; i++) {
        uint64_t begin = cpu_rdtsc();
        samples->operation(samples->face);
        samples->cycles[i] = cpu_rdtsc() - begin;
    }
}

bool probe_time(const struct probe_interface *face, void (*operation)(const struct probe_interface *face),
                uint64_t *cycles)
{
    struct samples empty = {.face = face, .operation = nothing};
    struct samples full = {.face = face, .operation = operation};

    if (env_try(take_samples, &empty) != ENV_NO_FAULT || env_try(take_samples, &full) != ENV_NO_FAULT)
        return false;
    uint64_t overhead = probe_median(empty.cycles, PROBE_NR_SAMPLES);
    uint64_t total = probe_median(full.cycles, PROBE_NR_SAMPLES);
    *cycles = total > overhead ? total - overhead : 0;
    return true;
}

bool probe_is_near(uint64_t value, uint64_t expected)
{
    uint64_t distance = value > expected ? value - expected : expected - value;
    return distance <= expected / 100;
}
