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
    uint64_t *cycles;
    uint32_t nr;
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

void probe_nothing(const struct probe_interface *face)
{
    (void)face;
}

void probe_bare_exit(const struct probe_interface *face)
{
    struct env_cpuid regs;
    (void)face;
    env_cpuid(PROBE_FIRST_BASE, 0, &regs);
}

static void take_samples(void *arg)
{
    struct samples *samples = arg;
    for (uint32_t i = 0; i < samples->nr; i++) {
        uint64_t begin = cpu_rdtsc();
        samples->operation(samples->face);
        samples->cycles[i] = cpu_rdtsc() - begin;
    }
}

bool probe_samples(const struct probe_interface *face, void (*operation)(const struct probe_interface *face),
                   uint64_t *cycles, uint32_t nr)
{
    struct samples samples = {.face = face, .operation = operation, .cycles = cycles, .nr = nr};
    return env_try(take_samples, &samples) == ENV_NO_FAULT;
}

bool probe_time(const struct probe_interface *face, void (*operation)(const struct probe_interface *face),
                uint64_t *cycles)
{
    uint64_t empty[PROBE_NR_SAMPLES], full[PROBE_NR_SAMPLES];

    if (!probe_samples(face, probe_nothing, empty, PROBE_NR_SAMPLES) ||
        !probe_samples(face, operation, full, PROBE_NR_SAMPLES))
        return false;
    uint64_t overhead = probe_median(empty, PROBE_NR_SAMPLES);
    uint64_t total = probe_median(full, PROBE_NR_SAMPLES);
    *cycles = total > overhead ? total - overhead : 0;
    return true;
}

bool probe_is_near(uint64_t value, uint64_t expected)
{
    uint64_t distance = value > expected ? value - expected : expected - value;
    return distance <= expected / 100;
}

enum probe_state probe_judge_periods(uint64_t cycles, struct text *evidence)
{
    const char *source;
    uint64_t expected_us = (uint64_t)PROBE_LONG_NR_PERIODS * PROBE_LONG_PERIOD_MS * 1000;
    uint64_t khz = env_tsc_khz(&source);

    if (khz == 0)
        return probe_say(PROBE_UNTESTED, evidence, "the rate of the TSC is unknown");
    uint64_t us = cycles / khz * 1000 + cycles % khz * 1000 / khz;
    text_add(evidence, "%u periods of %u ms in %" PRIu64 " us by the TSC", PROBE_LONG_NR_PERIODS, PROBE_LONG_PERIOD_MS,
             us);
    return probe_is_near(us, expected_us) ? PROBE_WORKS : PROBE_BROKEN;
}
