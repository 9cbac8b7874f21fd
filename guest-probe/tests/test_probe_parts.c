/*
 * The parts that rows are made of: text, JSON escapes, the median, the clock page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_env.h"
#include "probe.h"
#include "pvclock.h"
#include "report.h"
#include "text.h"

static void formats(void **unused)
{
    char buffer[128];
    struct text text = TEXT_IN(buffer);
    (void)unused;
    text_add(&text, "%s|%-4s|%4s|%c|%d|%5d|%u|%08x|%-6x|%%", "ab", "cd", "ef", 'g', -12, 34, 56u, 0xbeefu, 0xau);
    assert_string_equal(buffer, "ab|cd  |  ef|g|-12|   34|56|0000beef|a     |%");
}

static void widest_numbers(void **unused)
{
    char buffer[128];
    struct text text = TEXT_IN(buffer);
    (void)unused;
    text_add(&text, "%" PRIu64 " %" PRId64 " %" PRIx64 " %lld", UINT64_MAX, INT64_MIN, UINT64_MAX, -1ll);
    assert_string_equal(buffer, "18446744073709551615 -9223372036854775808 ffffffffffffffff -1");
}

static void cuts_at_the_end(void **unused)
{
    char buffer[8];
    struct text text = TEXT_IN(buffer);
    (void)unused;
    text_add(&text, "%s", "0123456");
    assert_int_equal(text.used, 7);
    text_add(&text, "%s", "89");
    assert_string_equal(buffer, "0123456");
    assert_int_equal(text.used, 7);
}

static void escapes(void **unused)
{
    char buffer[64];
    struct text text = TEXT_IN(buffer);
    (void)unused;
    text_add_json(&text, "a\"b\\c\n\xc3");
    assert_string_equal(buffer, "a\\\"b\\\\c\\u000a\\u00c3");
}

static void median(void **unused)
{
    uint64_t one[] = {7};
    uint64_t odd[] = {9, 1, 8, 2, UINT64_MAX};
    uint64_t same[] = {4, 4, 4, 4};
    (void)unused;
    assert_int_equal(probe_median(one, 1), 7);
    assert_int_equal(probe_median(odd, 5), 8);
    assert_int_equal(probe_median(same, 4), 4);
}

static void nearness(void **unused)
{
    (void)unused;
    assert_true(probe_is_near(1010, 1000));
    assert_true(probe_is_near(990, 1000));
    assert_false(probe_is_near(1011, 1000));
    assert_false(probe_is_near(989, 1000));
    assert_false(probe_is_near(0, 1000));
}

enum { TICK_KHZ = 1000, TICK_PERIOD = TICK_KHZ * PROBE_LONG_PERIOD_MS };

/* Ticks as a timer makes them whose period is so many thousandths of what it should be. */
static void make_ticks(uint64_t tick[PROBE_LONG_NR_TICKS], uint32_t thousandths)
{
    for (uint64_t i = 0; i < PROBE_LONG_NR_TICKS; i++)
        tick[i] = 12345 + i * TICK_PERIOD / 1000 * thousandths;
}

static enum probe_state judge(const uint64_t tick[PROBE_LONG_NR_TICKS])
{
    char buffer[PROBE_EVIDENCE_BYTES];
    struct text evidence = TEXT_IN(buffer);
    fake.tsc_khz = TICK_KHZ;
    return probe_judge_ticks(tick, &evidence);
}

static void ticks_keep_the_rate_within_a_percent(void **unused)
{
    static const struct {
        uint32_t thousandths;
        enum probe_state state;
    } expected[] = {
        {1000, PROBE_WORKS}, {1009, PROBE_WORKS}, {991, PROBE_WORKS}, {1011, PROBE_BROKEN}, {989, PROBE_BROKEN},
        {1020, PROBE_BROKEN}, {980, PROBE_BROKEN}, {500, PROBE_BROKEN}, {2000, PROBE_BROKEN}, {1500, PROBE_BROKEN},
        {10, PROBE_BROKEN}, {0, PROBE_BROKEN},
    };
    uint64_t tick[PROBE_LONG_NR_TICKS];
    (void)unused;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        make_ticks(tick, expected[i].thousandths);
        assert_int_equal(judge(tick), expected[i].state);
    }
}

/* The machine stood still for `cycles` before tick `at`: of those meanwhile some come behind it, at twice their rate,
   and the others not at all. */
static void stand_still(uint64_t tick[PROBE_LONG_NR_TICKS], uint32_t at, uint64_t cycles, uint32_t nr_made_up)
{
    uint64_t step = tick[1] - tick[0];
    tick[at] += cycles;
    for (uint32_t i = 1; i <= nr_made_up; i++)
        tick[at + i] = tick[at] + i * step / 2;
    for (uint32_t i = at + nr_made_up + 1; i < PROBE_LONG_NR_TICKS && tick[i] <= tick[i - 1]; i++)
        for (uint32_t later = i; later < PROBE_LONG_NR_TICKS; later++)
            tick[later] += (tick[i - 1] - tick[i]) / step * step + step;
}

static void ticks_may_be_late_or_missing(void **unused)
{
    static const uint32_t thousandths[] = {1000, 1020, 980};
    uint64_t tick[PROBE_LONG_NR_TICKS];
    (void)unused;
    for (size_t i = 0; i < sizeof(thousandths) / sizeof(thousandths[0]); i++) {
        make_ticks(tick, thousandths[i]);
        stand_still(tick, 20, TICK_PERIOD * 23 / 10, 4);
        stand_still(tick, 50, TICK_PERIOD * 36 / 10, 2);
        stand_still(tick, 80, TICK_PERIOD / 2, 0);
        stand_still(tick, PROBE_LONG_NR_TICKS - 1, TICK_PERIOD * 3, 0);
        for (uint32_t late = 5; late < PROBE_LONG_NR_TICKS; late += 5)
            tick[late] += TICK_PERIOD / 20;
        assert_int_equal(judge(tick), thousandths[i] == 1000 ? PROBE_WORKS : PROBE_BROKEN);
    }
}

static void nanoseconds(void **unused)
{
    (void)unused;
    assert_int_equal(report_ns(2500, 2500000), 1000);
    assert_int_equal(report_ns(1, 0), 0);
}

/* mul 0: the time does not depend on the TSC. */
static void clock_page_needs_an_even_version(void **unused)
{
    struct pvclock clock = {.version = 2, .system_time = 12345};
    uint64_t tsc;
    (void)unused;
    assert_int_equal(pvclock_read(&clock, &tsc), 12345);
    clock.version = 3;
    assert_int_equal(pvclock_read(&clock, &tsc), 0);
    clock.version = 0;
    assert_int_equal(pvclock_read(&clock, &tsc), 0);
}

static void clock_page_tells_a_rate(void **unused)
{
    (void)unused;
    assert_int_equal(pvclock_tsc_khz(&(struct pvclock){.tsc_to_system_mul = 0x80000000}), 2000000);
    assert_int_equal(pvclock_tsc_khz(&(struct pvclock){.tsc_to_system_mul = 0x80000000, .tsc_shift = 1}), 1000000);
    assert_int_equal(pvclock_tsc_khz(&(struct pvclock){.tsc_to_system_mul = 0x80000000, .tsc_shift = -1}), 4000000);
    assert_int_equal(pvclock_tsc_khz(&(struct pvclock){0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(widest_numbers),
        cmocka_unit_test(cuts_at_the_end),
        cmocka_unit_test(escapes),
        cmocka_unit_test(median),
        cmocka_unit_test(nearness),
        cmocka_unit_test(ticks_keep_the_rate_within_a_percent),
        cmocka_unit_test(ticks_may_be_late_or_missing),
        cmocka_unit_test(nanoseconds),
        cmocka_unit_test(clock_page_needs_an_even_version),
        cmocka_unit_test(clock_page_tells_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
