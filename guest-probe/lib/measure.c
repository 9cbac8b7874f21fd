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

/*
 * The period, as spans of ten tell it that begin at each tick. Where the machine stood still, ticks come late and then
 * in haste, or not at all, and spans that touch that are too long or too short. The median is of one that does not.
 */
enum probe_state probe_judge_ticks(const uint64_t tick[PROBE_LONG_NR_TICKS], struct text *evidence)
{
    enum { NR_SPANNED = 10, NR_SPANS = PROBE_LONG_NR_TICKS - NR_SPANNED };
    uint64_t span[NR_SPANS];
    const char *source;
    uint64_t khz = env_tsc_khz(&source);

    if (khz == 0)
        return probe_say(PROBE_UNTESTED, evidence, "the rate of the TSC is unknown");
    for (uint32_t i = 0; i < NR_SPANS; i++)
        span[i] = tick[i + NR_SPANNED] - tick[i];
    uint64_t took = tick[PROBE_LONG_NR_TICKS - 1] - tick[0], period = probe_median(span, NR_SPANS) / NR_SPANNED;
    text_add(evidence, "%u periods in %" PRIu64 " ms by the TSC, most of them %" PRIu64 " us", PROBE_LONG_NR_TICKS - 1,
             took / khz, period * 1000 / khz);
    return probe_is_near(period, PROBE_LONG_PERIOD_MS * khz) ? PROBE_WORKS : PROBE_BROKEN;
}
