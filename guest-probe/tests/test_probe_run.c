/*
 * What the probe concludes: interfaces by their leaves, verdicts by their rows, exit status by both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fake_env.h"
#include "hv_abi.h"
#include "kvm_abi.h"
#include "metal_stats_abi.h"
#include "probe.h"
#include "stats.h"
#include "trace.h"
#include "verdict.h"

static int reset(void **unused)
{
    (void)unused;
    fake_reset();
    return 0;
}

static bool run(const char *command_line)
{
    struct probe_options options = probe_options(command_line);
    return probe_run(&options);
}

static void assert_says(const char *text)
{
    if (strstr(fake.output, text) == NULL)
        fail_msg("'%s' is not in:\n%s", text, fake.output);
}

static void assert_silent_about(const char *text)
{
    if (strstr(fake.output, text) != NULL)
        fail_msg("'%s' is in:\n%s", text, fake.output);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static void options_are_words(void **unused)
{
    (void)unused;
    assert_true(probe_options("").wants_table);
    assert_false(probe_options("").wants_json);
    assert_false(probe_options("kernel.elf json").wants_table);
    assert_true(probe_options("  --json").wants_json);
    assert_false(probe_options("jsonx xjson").wants_json);
    struct probe_options all = probe_options("both vmcall stats trace");
    assert_true(all.wants_table && all.wants_json && all.allows_vmcall && all.wants_stats && all.wants_trace);
}

/* --- scan --------------------------------------------------------------------------------------------------------- */

static void nothing_is_found(void **unused)
{
    struct probe_interface face[PROBE_MAX_INTERFACES];
    (void)unused;
    assert_int_equal(probe_scan(face, PROBE_MAX_INTERFACES), 0);
}

static void every_base_is_looked_at(void **unused)
{
    struct probe_interface face[PROBE_MAX_INTERFACES];
    (void)unused;
    fake_add_signature(0x40000000, 0x40000006, "some vendor!");
    fake_add_leaf(0x40000001, (struct env_cpuid){.eax = HV_INTERFACE_SIGNATURE});
    fake_add_signature(0x40000100, 0x40000104, "XenVMMXenVMM");
    fake_add_signature(0x4000ff00, 0x4000ff01, "nobody knows");
    assert_int_equal(probe_scan(face, PROBE_MAX_INTERFACES), 3);
    assert_ptr_equal(face[0].suite, &probe_hyperv);
    assert_string_equal(face[0].signature, "some vendor!");
    assert_ptr_equal(face[1].suite, &probe_xen);
    assert_int_equal(face[1].max_leaf, 0x40000104);
    assert_null(face[2].suite);
    assert_string_equal(face[2].title, "unknown");
}

static void scan_stops_at_capacity(void **unused)
{
    struct probe_interface face[1];
    (void)unused;
    fake_add_signature(0x40000000, 0x40000001, "KVMKVMKVM\0\0\0");
    fake_add_signature(0x40000100, 0x40000104, "XenVMMXenVMM");
    assert_int_equal(probe_scan(face, 1), 1);
}

/* Processors answer leaves that they do not have with another leaf's data. */
static void data_of_another_leaf_is_no_interface(void **unused)
{
    struct probe_interface face[PROBE_MAX_INTERFACES];
    (void)unused;
    fake_add_leaf(0x40000000, (struct env_cpuid){7, 0x340, 0x340, 0});
    fake_add_signature(0x40000100, 0x00000016, "GenuineIntel");
    fake_add_signature(0x40000200, 0x40000300, "too far away");
    fake_add_signature(0x40000300, 0x40000301, "text\0and tex");
    assert_int_equal(probe_scan(face, PROBE_MAX_INTERFACES), 0);
}

static void old_kvm_has_no_last_leaf(void **unused)
{
    struct probe_interface face[PROBE_MAX_INTERFACES];
    (void)unused;
    fake_add_signature(0x40000000, 0, "KVMKVMKVM\0\0\0");
    assert_int_equal(probe_scan(face, PROBE_MAX_INTERFACES), 1);
    assert_ptr_equal(face[0].suite, &probe_kvm);
    assert_int_equal(face[0].max_leaf, 0x40000001);
}

/* --- verdicts ----------------------------------------------------------------------------------------------------- */

static void empty_machine_is_sound(void **unused)
{
    (void)unused;
    assert_true(run("both"));
    assert_says("\nprobe: 0 works, 0 advertised but broken, 0 absent\n");
    assert_says("{\"type\":\"total\",\"absent\":0,\"works\":0,\"broken\":0,\"untested\":0,\"sound\":true}\n");
}

static void add_kvm(uint32_t features)
{
    fake_add_signature(0x40000000, 0x40000001, "KVMKVMKVM\0\0\0");
    fake_add_leaf(0x40000001, (struct env_cpuid){.eax = features});
}

static void a_lie_is_told(void **unused)
{
    (void)unused;
    add_kvm(1u << KVM_FEATURE_CLOCKSOURCE2);
    assert_false(run("both"));
    assert_says("KVM: 1 works, 2 advertised but broken, 0 absent; broken: wall clock, kvmclock\n");
    assert_says("\"feature\":\"kvmclock\",\"advertised\":true,\"works\":false,\"state\":\"broken\"");
    assert_says("writing the MSR raised an exception");
    assert_says("\nprobe: 1 works, 2 advertised but broken, 0 absent\n");
}

/* MSRs can be written, but nothing ever fills the page. */
static void an_empty_page_is_a_lie(void **unused)
{
    (void)unused;
    fake.msr_answer = ENV_DONE;
    add_kvm(1u << KVM_FEATURE_CLOCKSOURCE2);
    assert_false(run(""));
    assert_says("the clock page stays empty");
}

static void what_is_not_advertised_is_absent(void **unused)
{
    (void)unused;
    add_kvm(0);
    assert_true(run("both"));
    assert_says("\nprobe: 1 works, 0 advertised but broken, 2 absent\n");
    assert_says("\"feature\":\"kvmclock\",\"advertised\":false,\"works\":null,\"state\":\"absent\"");
}

static void cpl3_says_what_it_cannot_see(void **unused)
{
    (void)unused;
    fake.is_cpl0 = false;
    fake.clocksource = "tsc";
    add_kvm(1u << KVM_FEATURE_CLOCKSOURCE2);
    assert_true(run(""));
    assert_says("needs CPL 0; the kernel's clocksource is tsc");
    assert_says("\nprobe: 1 works, 0 advertised but broken, 0 absent, 2 untested\n");
}

static void cpl3_believes_the_kernel(void **unused)
{
    (void)unused;
    fake.is_cpl0 = false;
    fake.clocksource = "kvm-clock";
    add_kvm(1u << KVM_FEATURE_CLOCKSOURCE2);
    assert_true(run(""));
    assert_says("the cost is that of clock_gettime");
    assert_says("\nprobe: 2 works, 0 advertised but broken, 0 absent, 1 untested\n");
}

/* Every MSR reads the same value: the clock stands still, the unknown MSR does not fault. */
static void hyperv_msrs_that_only_answer_are_lies(void **unused)
{
    (void)unused;
    fake.is_cpl0 = false;
    fake.msr_answer = ENV_DONE;
    fake_add_signature(0x40000000, 0x40000005, "Microsoft Hv");
    fake_add_leaf(0x40000001, (struct env_cpuid){.eax = HV_INTERFACE_SIGNATURE});
    fake_add_leaf(0x40000003, (struct env_cpuid){.eax = 1u << HV_ACCESS_PARTITION_REFERENCE_COUNTER});
    assert_false(run("table"));
    assert_says("; broken: TIME_REF_COUNT, unknown MSR faults\n");
    assert_silent_about("{");
}

/* --- verdicts in one line ----------------------------------------------------------------------------------------- */

static void add_hyperv(uint32_t base, uint32_t privileges)
{
    fake_add_signature(base, base + 5, "Microsoft Hv");
    fake_add_leaf(base + 1, (struct env_cpuid){.eax = HV_INTERFACE_SIGNATURE});
    fake_add_leaf(base + 3, (struct env_cpuid){.eax = privileges});
}

static void verdict_names_the_others(void **unused)
{
    (void)unused;
    add_hyperv(0x40000000, 0);
    fake_add_signature(0x40000100, 0x40000101, "KVMKVMKVM\0\0\0");
    fake_add_signature(0x40000200, 0x40000201, "nobody knows");
    run("both");
    assert_says("\nverdict: Microsoft Hyper-V interface by \"Microsoft Hv\" beside KVM, unknown, no clock of its own");
    assert_says("\nverdict: KVM interface by \"KVMKVMKVM\" beside Microsoft Hyper-V, unknown, no clock of its own");
    assert_says("\nverdict: unknown interface by \"nobody knows\" beside Microsoft Hyper-V, KVM, known by name only\n");
    assert_says("\"interface\":\"other\",\"base\":1073742336,\"says\":\"unknown interface by \\\"nobody knows\\\"");
}

static void verdict_tells_a_broken_clock(void **unused)
{
    (void)unused;
    add_kvm(1u << KVM_FEATURE_CLOCKSOURCE2);
    run("both");
    assert_says("\nverdict: KVM interface by \"KVMKVMKVM\", kvmclock does NOT work; "
                "2 advertised features do NOT work\n");
    assert_says("\"clock\":\"kvmclock\",\"clock_read_cycles\":null,\"clock_read_exits\":null,");
}

static void verdict_at_cpl3_tells_the_kernels_clock(void **unused)
{
    (void)unused;
    fake.is_cpl0 = false;
    fake.clocksource = "tsc";
    add_kvm(1u << KVM_FEATURE_CLOCKSOURCE2);
    run("");
    assert_says("verdict: KVM interface by \"KVMKVMKVM\", kvmclock untested from here, the kernel's clock is tsc");
}

static struct probe_row clock_row(const struct probe_suite *suite, const char *name, enum probe_state state,
                                  uint64_t cycles)
{
    for (uint32_t i = 0; i < suite->nr_features; i++)
        if (strcmp(suite->feature[i].name, name) == 0)
            return (struct probe_row){
                .feature = &suite->feature[i], .state = state, .has_cost = true, .cost_cycles = cycles};
    fail_msg("no row %s", name);
    return (struct probe_row){0};
}

static struct verdict reach(const struct probe_suite *suite, const struct probe_row *row, uint32_t nr,
                            uint64_t exit_cycles)
{
    struct probe_interface face = {.suite = suite, .title = suite->title, .signature = "s", .base = PROBE_FIRST_BASE};
    struct report_count count = {0};
    struct verdict_case known = {.all = &face, .nr_all = 1, .face = &face, .row = row, .nr_rows = nr,
                                 .count = &count, .exit_cycles = exit_cycles};
    struct verdict verdict;
    verdict_reach(&known, &verdict);
    return verdict;
}

static void exits_are_told_by_what_a_bare_one_costs(void **unused)
{
    struct probe_row row = clock_row(&probe_xen, "pvclock", PROBE_WORKS, 499);
    (void)unused;
    struct verdict verdict = reach(&probe_xen, &row, 1, 1000);
    assert_true(verdict.has_exits && verdict.clock_exits == 0);
    assert_string_equal(verdict.says, "Xen interface by \"s\", pvclock works, 0 exits per clock read");
    row.cost_cycles = 1400;
    verdict = reach(&probe_xen, &row, 1, 1000);
    assert_string_equal(verdict.says, "Xen interface by \"s\", pvclock works, a clock read costs as much as 1 exit");
    row.cost_cycles = 1500;
    assert_int_equal(reach(&probe_xen, &row, 1, 1000).clock_exits, 2);
    verdict = reach(&probe_xen, &row, 1, 499);
    assert_false(verdict.has_exits);
    assert_string_equal(verdict.says, "Xen interface by \"s\", pvclock works");
}

static void the_first_clock_that_works_counts(void **unused)
{
    struct probe_row row[] = {
        clock_row(&probe_hyperv, "TIME_REF_COUNT", PROBE_WORKS, 3000),
        clock_row(&probe_hyperv, "REFERENCE_TSC page", PROBE_WORKS, 30),
    };
    (void)unused;
    assert_string_equal(reach(&probe_hyperv, row, 2, 1000).clock, "REFERENCE_TSC page");
    row[1].state = PROBE_BROKEN;
    assert_string_equal(reach(&probe_hyperv, row, 2, 1000).clock, "TIME_REF_COUNT");
    row[0].state = PROBE_ABSENT;
    assert_string_equal(reach(&probe_hyperv, row, 2, 1000).clock, "REFERENCE_TSC page");
    row[1].state = PROBE_ABSENT;
    assert_null(reach(&probe_hyperv, row, 2, 1000).clock);
}

/* A clock that no row is would never be found. */
static void clocks_are_rows(void **unused)
{
    static const struct probe_suite *const suite[] = {&probe_hyperv, &probe_xen, &probe_vmware, &probe_kvm};
    (void)unused;
    for (size_t i = 0; i < sizeof(suite) / sizeof(suite[0]); i++)
        for (uint32_t c = 0; c < PROBE_MAX_CLOCKS && suite[i]->clock[c] != NULL; c++)
            clock_row(suite[i], suite[i]->clock[c], PROBE_WORKS, 0);
}

static void no_row_is_cut_off(void **unused)
{
    static const struct probe_suite *const suite[] = {&probe_hyperv, &probe_xen, &probe_vmware, &probe_kvm};
    (void)unused;
    for (size_t i = 0; i < sizeof(suite) / sizeof(suite[0]); i++)
        assert_in_range(suite[i]->nr_features, 1, PROBE_MAX_ROWS);
}

static void json_alone_is_json(void **unused)
{
    (void)unused;
    add_kvm(0);
    run("json");
    for (char *line = strtok(fake.output, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_int_equal(line[0], '{');
        assert_int_equal(line[strlen(line) - 1], '}');
    }
}

/* --- the hypervisor's statistics ---------------------------------------------------------------------------------- */

enum { STATS_GPA = 0x1f4000 };

static struct {
    struct hvs_metal_stats head;
    struct hvs_metal_stats_row row[2];
} page;

static void show_stats(void)
{
    page.head = (struct hvs_metal_stats){
        .signature = HVS_METAL_STATS_SIGNATURE, .version = HVS_METAL_STATS_VERSION, .nr_rows = 2,
        .row_bytes = sizeof(page.row[0])};
    page.row[0] = (struct hvs_metal_stats_row){"xen", "hypercall", "vcpu_op", 4, 4400};
    page.row[1] = (struct hvs_metal_stats_row){"xen", "cpuid", "untouched", 0, 0};
    fake.memory = &page;
    fake.memory_gpa = STATS_GPA;
    fake.memory_bytes = sizeof(page);
    fake_add_leaf(HVS_METAL_STATS_LEAF, (struct env_cpuid){HVS_METAL_STATS_SIGNATURE, sizeof(page), STATS_GPA, 0});
}

static bool stats(const char *form)
{
    struct probe_options options = probe_options(form);
    return stats_report(&options);
}

static void statistics_are_told(void **unused)
{
    (void)unused;
    show_stats();
    assert_true(stats("table"));
    assert_says("  xen      hypercall vcpu_op                                                       4      1100\n");
    assert_silent_about("untouched");
    assert_true(stats("json"));
    assert_says("\"name\":\"vcpu_op\",\"hits\":4,\"cycles\":4400}");
    run("stats");
    assert_says("probe: ");
}

static void statistics_that_make_no_sense_are_refused(void **unused)
{
    (void)unused;
    assert_false(stats("table"));
    assert_says("none are shown");
    show_stats();
    page.head.nr_rows = 3;
    assert_false(stats("table"));
    page.head.nr_rows = UINT32_MAX;
    assert_false(stats("table"));
    page.head.nr_rows = 2;
    page.head.row_bytes = 8;
    assert_false(stats("table"));
    assert_silent_about("vcpu_op");
    fake.memory_bytes = 0;
    assert_false(stats("json"));
    assert_says("\"missing\":\"cannot be read from here");
}

/* --- its trace ---------------------------------------------------------------------------------------------------- */

static struct hvs_metal_record ring[3];

static void show_ring(uint32_t bytes)
{
    fake.memory = ring;
    fake.memory_gpa = STATS_GPA;
    fake.memory_bytes = bytes;
    fake_add_leaf(HVS_METAL_TRACE_LEAF, (struct env_cpuid){HVS_METAL_STATS_SIGNATURE, bytes, STATS_GPA, 0});
}

static void write_record(uint64_t sequence)
{
    ring[(sequence - 1) % 3] = (struct hvs_metal_record){
        .sequence = sequence, .ns = 1234567, .cpu = 3, .kind = 2, .verdict = 2, .key = 0x40000000, .value = sequence};
}

static bool trace(const char *form)
{
    struct probe_options options = probe_options(form);
    fake.output_bytes = 0;
    memset(fake.output, 0, sizeof(fake.output));
    return trace_report(&options);
}

static void a_trace_is_told(void **unused)
{
    (void)unused;
    memset(ring, 0, sizeof(ring));
    show_ring(sizeof(ring));
    assert_true(trace("json"));
    assert_string_equal(fake.output, "");
    write_record(1);
    assert_true(trace("table"));
    assert_says("          1234   3 wrmsr     fault     0x40000000 0x1\n");
    assert_true(trace("json"));
    assert_string_equal(fake.output, "{\"type\":\"trace\",\"sequence\":1,\"ns\":1234567,\"cpu\":3,\"kind\":\"wrmsr\","
                                     "\"verdict\":\"fault\",\"key\":1073741824,\"value\":1}\n");
    run("trace");
    assert_says("the last exits\n");
}

static void a_trace_begins_with_the_oldest(void **unused)
{
    (void)unused;
    for (uint64_t sequence = 1; sequence <= 5; sequence++)
        write_record(sequence);
    show_ring(sizeof(ring));
    assert_true(trace("table"));
    assert_says(" 0x3\n          1234   3 wrmsr     fault     0x40000000 0x4\n"
                "          1234   3 wrmsr     fault     0x40000000 0x5\n");
    assert_silent_about(" 0x2\n");
    ring[0].sequence = 0;               /* of the fourth: it is being written anew */
    ring[1].kind = ring[1].verdict = 0xff;
    assert_true(trace("table"));
    assert_says(" 0x3\n          1234   3 ?         ?         0x40000000 0x5\n");
}

static void no_trace_is_told(void **unused)
{
    (void)unused;
    assert_false(trace("table"));
    assert_says("the last exits: none are shown; hvshim-metal does with trace=page");
    show_ring(sizeof(ring[0]) - 1);
    assert_false(trace("json"));
    assert_says("{\"type\":\"trace\",\"missing\":\"cannot be read from here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(options_are_words, reset),
        cmocka_unit_test_setup(nothing_is_found, reset),
        cmocka_unit_test_setup(every_base_is_looked_at, reset),
        cmocka_unit_test_setup(scan_stops_at_capacity, reset),
        cmocka_unit_test_setup(data_of_another_leaf_is_no_interface, reset),
        cmocka_unit_test_setup(old_kvm_has_no_last_leaf, reset),
        cmocka_unit_test_setup(empty_machine_is_sound, reset),
        cmocka_unit_test_setup(a_lie_is_told, reset),
        cmocka_unit_test_setup(an_empty_page_is_a_lie, reset),
        cmocka_unit_test_setup(what_is_not_advertised_is_absent, reset),
        cmocka_unit_test_setup(cpl3_says_what_it_cannot_see, reset),
        cmocka_unit_test_setup(cpl3_believes_the_kernel, reset),
        cmocka_unit_test_setup(hyperv_msrs_that_only_answer_are_lies, reset),
        cmocka_unit_test_setup(verdict_names_the_others, reset),
        cmocka_unit_test_setup(verdict_tells_a_broken_clock, reset),
        cmocka_unit_test_setup(verdict_at_cpl3_tells_the_kernels_clock, reset),
        cmocka_unit_test_setup(exits_are_told_by_what_a_bare_one_costs, reset),
        cmocka_unit_test_setup(the_first_clock_that_works_counts, reset),
        cmocka_unit_test(clocks_are_rows),
        cmocka_unit_test(no_row_is_cut_off),
        cmocka_unit_test_setup(json_alone_is_json, reset),
        cmocka_unit_test_setup(statistics_are_told, reset),
        cmocka_unit_test_setup(statistics_that_make_no_sense_are_refused, reset),
        cmocka_unit_test_setup(a_trace_is_told, reset),
        cmocka_unit_test_setup(a_trace_begins_with_the_oldest, reset),
        cmocka_unit_test_setup(no_trace_is_told, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
