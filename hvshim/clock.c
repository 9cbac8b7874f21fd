/*
 * The clock: computes the published forms from one TSC rate, and reads them.
 *
 * The rate is rounded once, to pvclock's 32 bits (relative error below 2^-31), and the TSC page's scale is made from
 * that: so the forms stay within 200 ns of each other for years. Each is monotonic.
 */
#include <hvshim/clock.h>

#define NS_PER_S 1000000000ull
#define NS_PER_100NS 100u

/* (high * 2^64 + low) / divisor for high < divisor, without the compiler's 128-bit helper. */
static uint64_t divide_wide(uint64_t high, uint64_t low, uint64_t divisor)
{
    uint64_t quotient = 0;

    for (int bit = 63; bit >= 0; bit--) {
        bool carry = high >> 63;

        high = high << 1 | (low >> bit & 1);
        quotient <<= 1;
        if (carry || high >= divisor) {
            high -= divisor;
            quotient |= 1;
        }
    }
    return quotient;
}

static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    return (uint64_t)((unsigned __int128)a * b >> 64);
}

/* mul in [2^31, 2^32) and shift such that 1e9 / hz = mul * 2^(shift - 32). */
static void set_pvclock_rate(struct hvs_clock *clock, uint64_t hz)
{
    int shift = 0;
    uint64_t scaled = hz;

    while (scaled <= NS_PER_S && shift < 31) {
        scaled <<= 1;
        shift++;
    }
    while (scaled > 2 * NS_PER_S && shift > -31) {
        scaled >>= 1;
        shift--;
    }
    /* 1e9 * 2^(32 - shift), which has at most 30 + 63 bits */
    int up = 32 - shift;
    uint64_t high = up >= 34 ? NS_PER_S >> (64 - up) : 0;
    uint64_t low = NS_PER_S << up;
    uint64_t mul = divide_wide(high, low, hz);

    clock->mul = mul > UINT32_MAX ? UINT32_MAX : (uint32_t)mul;
    clock->shift = (int8_t)shift;
}

int hvs_clock_set(struct hvs_clock *clock, uint64_t tsc_khz, const struct hvs_instant *now, bool tsc_is_stable)
{
    enum { MIN_PAGE_KHZ = 10000 };      /* scale_100ns is a 0.64 fixed-point number: below 1 */

    if (tsc_khz == 0 || tsc_khz > UINT32_MAX)
        return HVS_EINVAL;
    *clock = (struct hvs_clock){
        .tsc_khz = tsc_khz,
        .tsc_ref = now->tsc,
        .ns_ref = now->ns,
        .is_stable = tsc_is_stable && tsc_khz > MIN_PAGE_KHZ,
    };
    set_pvclock_rate(clock, tsc_khz * 1000);
    if (tsc_khz > MIN_PAGE_KHZ) {
        /* mul * 2^(shift - 32) ns a tick, as 0.64 fixed point of 100 ns; the shift is in -12..7 at these rates */
        unsigned __int128 scaled_ns = (unsigned __int128)clock->mul << (32 + clock->shift);

        clock->scale_100ns = divide_wide((uint64_t)(scaled_ns >> 64), (uint64_t)scaled_ns, NS_PER_100NS);
        clock->offset_100ns = (int64_t)(now->ns / NS_PER_100NS - multiply_high(now->tsc, clock->scale_100ns));
    }
    return HVS_OK;
}

/* Another vCPU's TSC may be a few ticks behind the reference: time begins there. */
static uint64_t tsc_from_reference(const struct hvs_clock *clock, const struct hvs_instant *now)
{
    return now->tsc > clock->tsc_ref ? now->tsc : clock->tsc_ref;
}

uint64_t hvs_clock_ns(const struct hvs_clock *clock, const struct hvs_instant *now)
{
    if (!clock->is_stable)
        return now->ns;

    uint64_t delta = tsc_from_reference(clock, now) - clock->tsc_ref;

    delta = clock->shift >= 0 ? delta << clock->shift : delta >> -clock->shift;
    return clock->ns_ref + (uint64_t)((unsigned __int128)delta * clock->mul >> 32);
}

uint64_t hvs_clock_100ns(const struct hvs_clock *clock, const struct hvs_instant *now)
{
    if (!clock->is_stable)
        return now->ns / NS_PER_100NS;
    return multiply_high(tsc_from_reference(clock, now), clock->scale_100ns) + (uint64_t)clock->offset_100ns;
}

void hvs_clock_publish_pvclock(const struct hvs_clock *clock, struct hvs_pvclock *shared)
{
    enum { TSC_STABLE = 1 };
    _Atomic uint32_t *version = (_Atomic uint32_t *)&shared->version;
    uint32_t odd = atomic_load_explicit(version, memory_order_relaxed) | 1;

    /* A reader that sees an odd or changed version reads again. */
    atomic_store_explicit(version, odd, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    shared->pad0 = 0;
    shared->tsc_timestamp = clock->tsc_ref;
    shared->system_time_ns = clock->ns_ref;
    shared->tsc_to_system_mul = clock->mul;
    shared->tsc_shift = clock->shift;
    shared->flags = clock->is_stable ? TSC_STABLE : 0;
    shared->pad1[0] = shared->pad1[1] = 0;
    atomic_store_explicit(version, odd + 1, memory_order_release);
}
