/* Counters of rows and exits. */
#include "toy.h"

static struct hvs_stat stat_of(struct mock *mock, const char *personality, const char *kind, const char *name)
{
    struct hvs_stat stat = {.hits = 0};

    for (uint32_t i = 0; hvs_vm_stat(mock->vm, i, &stat) == HVS_OK; i++) {
        if (!strcmp(stat.personality, personality) && !strcmp(stat.kind, kind) && !strcmp(stat.name, name))
            return stat;
    }
    fail_msg("no row %s %s %s", personality, kind, name);
    return stat;
}

static uint64_t hits(struct mock *mock, const char *personality, const char *kind, const char *name)
{
    return stat_of(mock, personality, kind, name).hits;
}

static uint64_t all_hits(struct mock *mock)
{
    struct hvs_stat stat;
    uint64_t sum = 0;

    for (uint32_t i = 0; hvs_vm_stat(mock->vm, i, &stat) == HVS_OK; i++)
        sum += stat.hits;
    return sum;
}

static void test_every_row_has_a_counter(void **state)
{
    struct mock *mock = *state;
    uint32_t nr = (uint32_t)toy.nr_cpuid + toy.nr_msr + toy.nr_hcall + toy.nr_pio + trinket.nr_cpuid + trinket.nr_msr +
                  trinket.nr_hcall + trinket.nr_pio;
    struct hvs_stat stat;

    for (uint32_t i = 0; i < nr; i++) {
        assert_int_equal(hvs_vm_stat(mock->vm, i, &stat), HVS_OK);
        assert_non_null(stat.name);
        assert_int_equal(stat.hits, 0);
    }
    assert_int_equal(hvs_vm_stat(mock->vm, nr, &stat), HVS_ENOENT);
    assert_int_equal(hvs_vm_stat(mock->vm, UINT32_MAX, &stat), HVS_ENOENT);
}

static void test_hits_are_of_the_row_and_summed_over_vcpus(void **state)
{
    struct mock *mock = *state;

    mock_rdmsr(mock, 0, TOY_MSR_RW, NULL);
    mock_wrmsr(mock, 1, TOY_MSR_RW, 1);
    mock_wrmsr(mock, 2, TOY_MSR_RW, UINT64_MAX);        /* refused, but it hit */
    assert_int_equal(hits(mock, "toy", "msr", "TOY_MSR_RW"), 3);
    mock_rdmsr(mock, 1, TRINKET_MSR, NULL);
    assert_int_equal(hits(mock, "trinket", "msr", "TRINKET_MSR"), 1);
    mock_cpuid(mock, 0, 0x40000002, 1);
    assert_int_equal(hits(mock, "toy", "cpuid", "list 1"), 1);
    mock_cpuid(mock, 2, 0x40000101, 0);
    assert_int_equal(hits(mock, "trinket", "cpuid", "one"), 1);
    mock->regs.rcx = TOY_CALL_LOCKED;
    mock_hypercall(mock, 1, 0);
    assert_int_equal(hits(mock, "toy", "hypercall", "TOY_CALL_LOCKED"), 1);
    mock_in(mock, 0, TOY_PORT_LOCKED, 1);
    assert_int_equal(hits(mock, "toy", "pio", "locked port"), 1);
    mock_in(mock, 0, TRINKET_PORT, 1);
    assert_int_equal(hits(mock, "trinket", "pio", "port"), 1);
    assert_int_equal(all_hits(mock), 10);               /* toy's port row saw the last one too, and passed it on */
}

static void test_nothing_hits_where_no_row_is(void **state)
{
    struct mock *mock = *state;

    mock_rdmsr(mock, 0, TOY_MSR_RARE, NULL);
    mock_in(mock, 0, 0x80, 1);
    mock_cpuid(mock, 0, 0x40000003, 0);
    mock->regs.rcx = TOY_CALL_RARE;
    mock_hypercall(mock, 0, 0);
    assert_int_equal(all_hits(mock), 0);
}

static void test_exits(void **state)
{
    struct mock *mock = *state;
    uint64_t unhandled;

    mock_rdmsr(mock, 0, TOY_MSR_RO, NULL);
    mock_rdmsr(mock, 1, TOY_MSR_RO, NULL);
    mock_rdmsr(mock, 1, 0x10, NULL);
    mock_wrmsr(mock, 2, TOY_MSR_RO, 1);
    mock_timer(mock, 0);
    mock_reset(mock, 1);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_EXIT_MSR_READ, &unhandled), 3);
    assert_int_equal(unhandled, 1);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_EXIT_MSR_WRITE, &unhandled), 1);
    assert_int_equal(unhandled, 0);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_EXIT_TIMER, NULL), 1);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_EXIT_RESET, NULL), 1);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_EXIT_CPUID, NULL), 0);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_NR_EXIT_KINDS, &unhandled), 0);
    assert_int_equal(unhandled, 0);
    assert_int_equal(hvs_vm_exits(mock->vm, (enum hvs_exit_kind)-1, NULL), 0);
}

static void test_cycles_go_to_the_first_row_of_the_exit(void **state)
{
    struct mock *mock = *state;
    struct hvs_stat stat;
    uint64_t sum = 0;

    mock_rdmsr(mock, 0, TOY_MSR_RW, NULL);
    hvs_vcpu_charge(mock_vcpu(mock, 0), 1000);
    hvs_vcpu_charge(mock_vcpu(mock, 0), 7);             /* once for an exit */
    mock_rdmsr(mock, 1, TOY_MSR_RW, NULL);
    hvs_vcpu_charge(mock_vcpu(mock, 1), 500);
    mock_rdmsr(mock, 1, 0x10, NULL);                    /* no row */
    hvs_vcpu_charge(mock_vcpu(mock, 1), 30);
    assert_int_equal(stat_of(mock, "toy", "msr", "TOY_MSR_RW").cycles, 1500);
    mock_in(mock, 0, TRINKET_PORT, 1);                  /* two rows: toy's passes it on */
    hvs_vcpu_charge(mock_vcpu(mock, 0), 90);
    assert_int_equal(stat_of(mock, "trinket", "pio", "port").cycles, 0);
    mock_timer(mock, 0);
    hvs_vcpu_charge(mock_vcpu(mock, 0), 11);
    for (uint32_t i = 0; hvs_vm_stat(mock->vm, i, &stat) == HVS_OK; i++)
        sum += stat.cycles;
    assert_int_equal(sum, 1590);
}

/* The table for hosts where CPUID does not exit is not the guest's doing. */
static void test_the_cpuid_table_counts_nothing(void **state)
{
    struct mock *mock = *state;
    struct hvs_cpuid_leaf leaf[16];
    uint32_t nr = HVS_ARRAY_SIZE(leaf);

    assert_int_equal(hvs_vcpu_cpuid(mock_vcpu(mock, 0), leaf, &nr), HVS_OK);
    assert_int_equal(all_hits(mock), 0);
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_every_row_has_a_counter),
    TOY_TEST(test_hits_are_of_the_row_and_summed_over_vcpus),
    TOY_TEST(test_nothing_hits_where_no_row_is),
    TOY_TEST(test_exits),
    TOY_TEST(test_cycles_go_to_the_first_row_of_the_exit),
    TOY_TEST(test_the_cpuid_table_counts_nothing),
};
TOY_MAIN(tests)
