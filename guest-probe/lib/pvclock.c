/*
 * Reading and checking pvclock pages [pvclock.h].
 */
#include "pvclock.h"

#include "cpu.h"
#include "env.h"

enum {
    MAX_TRIES = 1000,
    NR_READINGS = 16,
    RATE_INTERVAL_US = 2000,
};

uint64_t pvclock_read(const volatile struct pvclock *clock, uint64_t *tsc)
{
    for (uint32_t try = 0; try < MAX_TRIES; try++) {
        uint32_t version = clock->version;
        cpu_barrier();
        *tsc = cpu_rdtsc();
        uint64_t delta = *tsc - clock->tsc_timestamp;
        int8_t shift = clock->tsc_shift;
        uint64_t scaled = shift >= 0 ? delta << shift : delta >> -shift;
        uint64_t ns = clock->system_time + (uint64_t)((unsigned __int128)scaled * clock->tsc_to_system_mul >> 32);
        cpu_barrier();
        if (version != 0 && version % 2 == 0 && version == clock->version)
            return ns;
    }
    return 0;
}

uint64_t pvclock_tsc_khz(const volatile struct pvclock *clock)
{
    uint32_t mul = clock->tsc_to_system_mul;
    int8_t shift = clock->tsc_shift;
    if (mul == 0)
        return 0;
    uint64_t khz = (1000000ull << 32) / mul;
    return shift >= 0 ? khz >> shift : khz << -shift;
}

/* ns that pass on the clock during RATE_INTERVAL_US, and those that the TSC's rate says. */
static uint64_t elapsed_ns(const volatile struct pvclock *clock, uint64_t tsc_khz, uint64_t *expected_ns)
{
    uint64_t tsc, tsc_end;
    uint64_t ns = pvclock_read(clock, &tsc);
    while (cpu_rdtsc() - tsc < tsc_khz * RATE_INTERVAL_US / 1000)
        cpu_relax();
    uint64_t ns_end = pvclock_read(clock, &tsc_end);
    *expected_ns = (tsc_end - tsc) * 1000000 / tsc_khz;
    return ns_end - ns;
}

static bool goes_back(const volatile struct pvclock *clock)
{
    uint64_t tsc;
    uint64_t last = pvclock_read(clock, &tsc);
    for (uint32_t i = 0; i < NR_READINGS; i++) {
        uint64_t next = pvclock_read(clock, &tsc);
        if (next < last)
            return true;
        last = next;
    }
    return false;
}

enum probe_state pvclock_test(const volatile struct pvclock *clock, struct text *evidence)
{
    const char *source;
    uint64_t tsc_khz = env_tsc_khz(&source);
    uint64_t claimed_khz = pvclock_tsc_khz(clock);
    uint64_t tsc, expected_ns;

    if (pvclock_read(clock, &tsc) == 0)
        return probe_say(PROBE_BROKEN, evidence, "the clock page stays empty (version %u)", clock->version);
    if (goes_back(clock))
        return probe_say(PROBE_BROKEN, evidence, "time went back");
    if (tsc_khz == 0)
        return probe_say(PROBE_UNTESTED, evidence, "runs at %" PRIu64 " kHz; no second clock", claimed_khz);
    if (!probe_is_near(claimed_khz, tsc_khz))
        return probe_say(PROBE_BROKEN, evidence, "%" PRIu64 " kHz, but %" PRIu64 " by %s", claimed_khz, tsc_khz,
                         source);
    uint64_t ns = elapsed_ns(clock, tsc_khz, &expected_ns);
    if (!probe_is_near(ns, expected_ns))
        return probe_say(PROBE_BROKEN, evidence, "%" PRIu64 " ns in %" PRIu64, ns, expected_ns);
    return probe_say(PROBE_WORKS, evidence, "%" PRIu64 " kHz (%s %" PRIu64 "), %s", claimed_khz, source, tsc_khz,
                     clock->flags & PVCLOCK_TSC_STABLE ? "TSC stable" : "TSC not marked stable");
}
