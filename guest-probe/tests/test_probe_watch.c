/*
 * The cost over time: how many intervals, of what, in which form, and what is said of all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fake_env.h"
#include "report_watch.h"
#include "watch.h"

static int reset(void **unused)
{
    (void)unused;
    fake_reset();
    return 0;
}

static void assert_says(const char *text)
{
    if (strstr(fake.output, text) == NULL)
        fail_msg("'%s' is not in:\n%s", text, fake.output);
}

static uint32_t times(const char *text)
{
    uint32_t nr = 0;
    for (const char *at = fake.output; (at = strstr(at, text)) != NULL; at++)
        nr++;
    return nr;
}

static void watch(bool wants_json, uint32_t nr_intervals)
{
    struct probe_options options = {.wants_table = !wants_json, .wants_json = wants_json};
    watch_run(&options, &(struct watch_options){.interval_ns = 2000000, .nr_intervals = nr_intervals});
}

static void a_count_ends_it(void **unused)
{
    (void)unused;
    fake.nr_rests = 100;
    watch(true, 3);
    assert_int_equal(times("{\"type\":\"watch\","), 3);
    assert_int_equal(times("{\"type\":\"watch_total\",\"intervals\":3,"), 1);
    assert_int_equal(fake.nr_rests, 98);
}

static void the_user_ends_it_and_still_sees_all(void **unused)
{
    (void)unused;
    fake.nr_rests = 4;
    watch(true, 0);
    assert_int_equal(times("{\"type\":\"watch\","), 5);
    assert_int_equal(times("{\"type\":\"watch_total\",\"intervals\":5,"), 1);
}

/* The fake machine has no known rate and no VMware port. */
static void without_a_rate_costs_are_cycles(void **unused)
{
    (void)unused;
    watch(true, 1);
    assert_says("\"unit\":\"cycles\",\"clock_read\":{\"min\":");
    assert_says("\"exit\":{\"min\":");
    assert_int_equal(times("vmware_port"), 0);
}

static void table_has_a_line_each(void **unused)
{
    (void)unused;
    fake.nr_rests = 2;
    watch(false, 2);
    assert_says("     0.000  |");
    assert_says("     0.002  |");
    assert_says("\n2 intervals, cycles\n  clock read         min ");
}

/* 2 GHz: a cycle is half a nanosecond. */
static void numbers_are_nanoseconds(void **unused)
{
    struct watch_report report = {
        .name = {{"exit", "bare exit"}}, .nr = 1, .nr_intervals = 1, .at_ms = 61005, .tsc_khz = 2000000};
    (void)unused;
    report_json_watch(&report, &(struct watch_cost){10, 20, 30});
    report_json_watch_end(&report, &(struct watch_total){2, 4, 6, 8});
    report_table_watch(&report, &(struct watch_cost){10, 20, 30});
    report_table_watch_end(&report, &(struct watch_total){2, 4, 6, 8});
    assert_says("{\"type\":\"watch\",\"intervals\":1,\"at_ms\":61005,\"unit\":\"ns\",\"exit\":{\"min\":5,\"median\":10,"
                "\"p99\":15}}\n");
    assert_says("\"exit\":{\"min\":1,\"lowest_median\":2,\"highest_median\":3,\"highest_p99\":4}}\n");
    assert_says("    61.005  |       5      10      15\n");
    assert_says("\n1 interval, ns\n  bare exit          min 1, median 2 to 3, highest p99 4\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_count_ends_it, reset),
        cmocka_unit_test_setup(the_user_ends_it_and_still_sees_all, reset),
        cmocka_unit_test_setup(without_a_rate_costs_are_cycles, reset),
        cmocka_unit_test_setup(table_has_a_line_each, reset),
        cmocka_unit_test_setup(numbers_are_nanoseconds, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
