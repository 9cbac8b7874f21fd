/* The clock: every published form must say the same time. */
#include "toy.h"

#define SECOND_NS 1000000000ull
#define DAY_NS (86400 * SECOND_NS)

static const uint64_t rates_khz[] = {1, 1000, 9999, 10000, 10001, 100000, 999999, 1000000, 1000001, 2000000, 2095078,
                                     2500000, 3000000, 4294967, UINT32_MAX};

static struct hvs_clock clock_at(uint64_t tsc_khz, uint64_t ns, uint64_t tsc)
{
    const struct hvs_instant now = {.ns = ns, .tsc = tsc};
    struct hvs_clock clock;

    assert_int_equal(hvs_clock_set(&clock, tsc_khz, &now, true), HVS_OK);
    return clock;
}

/* What a guest computes from pvclock [XEN public/xen.h]. */
static uint64_t guest_pvclock_ns(const struct hvs_pvclock *p, uint64_t tsc)
{
    uint64_t delta = tsc - p->tsc_timestamp;

    delta = p->tsc_shift >= 0 ? delta << p->tsc_shift : delta >> -p->tsc_shift;
    return p->system_time_ns + (uint64_t)((unsigned __int128)delta * p->tsc_to_system_mul >> 32);
}

static uint64_t ticks(uint64_t tsc_khz, uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * tsc_khz / 1000000);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void test_rates_out_of_range(void **state)
{
    const struct hvs_instant now = {0, 0};
    struct hvs_clock clock;

    (void)state;
    assert_int_equal(hvs_clock_set(&clock, 0, &now, true), HVS_EINVAL);
    assert_int_equal(hvs_clock_set(&clock, 1ull << 32, &now, true), HVS_EINVAL);
    assert_int_equal(hvs_clock_set(&clock, UINT64_MAX, &now, true), HVS_EINVAL);
}

static void test_multiplier_is_normalised(void **state)
{
    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(rates_khz); i++) {
        struct hvs_clock clock = clock_at(rates_khz[i], 0, 0);

        assert_true(clock.mul >= 1u << 31);
        assert_in_range(clock.shift + 31, 0, 62);
        assert_int_equal(clock.is_stable, rates_khz[i] > 10000);
        assert_true(rates_khz[i] <= 10000 || clock.scale_100ns > 0);
    }
}

/* One TSC tick, and the rate's rounding to 32 bits. */
static void test_rate_is_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(rates_khz); i++) {
        struct hvs_clock clock = clock_at(rates_khz[i], 7, 1000);
        struct hvs_instant later = {.tsc = 1000 + ticks(rates_khz[i], 100 * SECOND_NS), .ns = 0};

        if (!clock.is_stable)
            continue;
        assert_true(distance(hvs_clock_ns(&clock, &later), 7 + 100 * SECOND_NS) < 200);
        assert_true(distance(hvs_clock_100ns(&clock, &later), SECOND_NS) < 3);
    }
}

/* Linux measures one clocksource against the other, and a timer set by one is compared with the other. */
static void test_all_forms_agree_after_a_year(void **state)
{
    static const uint64_t ages_ns[] = {0, 1, 99, SECOND_NS, DAY_NS, 30 * DAY_NS, 365 * DAY_NS};

    (void)state;
    for (size_t r = 0; r < HVS_ARRAY_SIZE(rates_khz); r++) {
        struct hvs_clock clock = clock_at(rates_khz[r], 5 * SECOND_NS + 123, 987654321);
        struct hvs_pvclock shared = {.version = 0};

        if (!clock.is_stable)
            continue;
        hvs_clock_publish_pvclock(&clock, &shared);
        for (size_t a = 0; a < HVS_ARRAY_SIZE(ages_ns); a++) {
            struct hvs_instant now = {.tsc = 987654321 + ticks(rates_khz[r], ages_ns[a])};
            uint64_t ns = hvs_clock_ns(&clock, &now);

            assert_int_equal(guest_pvclock_ns(&shared, now.tsc), ns);
            assert_true(distance(hvs_clock_100ns(&clock, &now) * 100, ns) <= 200);
        }
    }
}

static void test_time_never_goes_back(void **state)
{
    (void)state;
    for (size_t r = 0; r < HVS_ARRAY_SIZE(rates_khz); r++) {
        struct hvs_clock clock = clock_at(rates_khz[r], 77, 5);
        uint64_t last_ns = 0, last_100ns = 0;

        for (uint64_t tsc = 0; clock.is_stable && tsc < 20000; tsc++) {
            struct hvs_instant now = {.tsc = tsc};

            assert_true(hvs_clock_ns(&clock, &now) >= last_ns);
            assert_true(hvs_clock_100ns(&clock, &now) >= last_100ns);
            last_ns = hvs_clock_ns(&clock, &now);
            last_100ns = hvs_clock_100ns(&clock, &now);
        }
    }
}

static void test_a_tsc_behind_the_reference_is_at_it(void **state)
{
    struct hvs_clock clock = clock_at(2500000, 0, 1000000);
    const struct hvs_instant now = {.tsc = 1};

    (void)state;
    assert_int_equal(hvs_clock_ns(&clock, &now), 0);
    assert_int_equal(hvs_clock_100ns(&clock, &now), 0);
}

static void test_an_unstable_clock_is_the_hosts(void **state)
{
    const struct hvs_instant start = {.ns = 50, .tsc = 1000}, now = {.ns = 123456, .tsc = 999999999};
    struct hvs_clock clock;
    struct hvs_pvclock shared = {.flags = 0xff};

    (void)state;
    assert_int_equal(hvs_clock_set(&clock, 2500000, &start, false), HVS_OK);
    assert_int_equal(hvs_clock_ns(&clock, &now), 123456);
    assert_int_equal(hvs_clock_100ns(&clock, &now), 1234);
    hvs_clock_publish_pvclock(&clock, &shared);
    assert_int_equal(shared.flags, 0);
}

static void test_published_pvclock(void **state)
{
    static const struct {
        uint32_t before, after;
    } versions[] = {{0, 2}, {2, 4}, {3, 4}, {UINT32_MAX - 1, 0}, {UINT32_MAX, 0}};
    struct hvs_clock clock = clock_at(2500000, 1000, 500);

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(versions); i++) {
        struct hvs_pvclock shared;

        memset(&shared, 0xff, sizeof(shared));
        shared.version = versions[i].before;
        hvs_clock_publish_pvclock(&clock, &shared);
        assert_int_equal(shared.version, versions[i].after);
        assert_int_equal(shared.tsc_timestamp, 500);
        assert_int_equal(shared.system_time_ns, 1000);
        assert_int_equal(shared.flags, 1);
        assert_int_equal(shared.pad0 | shared.pad1[0] | shared.pad1[1], 0);
    }
}

/* A guest may choose its TSC, and a save stream its age. */
static void test_extreme_values_do_not_trap(void **state)
{
    static const uint64_t extreme[] = {0, 1, 1ull << 63, UINT64_MAX - 1, UINT64_MAX};

    (void)state;
    for (size_t r = 0; r < HVS_ARRAY_SIZE(rates_khz); r++) {
        for (size_t i = 0; i < 25; i++) {
            struct hvs_clock clock = clock_at(rates_khz[r], extreme[i / 5], extreme[i % 5]);
            const struct hvs_instant now = {.ns = extreme[i % 5], .tsc = extreme[i / 5]};

            (void)hvs_clock_ns(&clock, &now);
            (void)hvs_clock_100ns(&clock, &now);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_rates_out_of_range),
    cmocka_unit_test(test_multiplier_is_normalised),
    cmocka_unit_test(test_rate_is_right),
    cmocka_unit_test(test_all_forms_agree_after_a_year),
    cmocka_unit_test(test_time_never_goes_back),
    cmocka_unit_test(test_a_tsc_behind_the_reference_is_at_it),
    cmocka_unit_test(test_an_unstable_clock_is_the_hosts),
    cmocka_unit_test(test_published_pvclock),
    cmocka_unit_test(test_extreme_values_do_not_trap),
};
TOY_MAIN(tests)
