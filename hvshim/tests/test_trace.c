/* The trace ring. */
#include "toy.h"

enum { NR_RECORDS = 4 };

static struct hvs_trace_record ring[NR_RECORDS];

static int setup(void **state)
{
    int err = toy_setup(state);
    struct mock *mock = *state;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, &trinket, NULL}, 2);
    mock->config.trace = ring;
    mock->config.trace_bytes = sizeof(ring);
    /* the caller's memory may hold anything, even what looks like records */
    for (uint64_t i = 0; i < NR_RECORDS; i++) {
        memset(&ring[i], 0xcc, sizeof(ring[i]));
        memcpy(&ring[i], &(uint64_t){i + 1}, sizeof(uint64_t));
    }
    return err ? err : mock_start(mock);
}

static struct hvs_trace_record record_at(struct mock *mock, uint64_t position)
{
    struct hvs_trace_record record;

    assert_int_equal(hvs_vm_trace_read(mock->vm, position, &record), HVS_OK);
    assert_int_equal(record.sequence, position + 1);
    return record;
}

static void test_an_empty_ring(void **state)
{
    struct mock *mock = *state;
    struct hvs_trace_record record;

    for (uint64_t i = 0; i < 2 * NR_RECORDS; i++)
        assert_int_equal(hvs_vm_trace_read(mock->vm, i, &record), HVS_ENOENT);
}

static void test_each_kind_of_exit(void **state)
{
    static const struct {
        enum hvs_exit_kind kind;
        enum hvs_verdict verdict;
        uint8_t slot, nr_effects;
        uint64_t key, value;
    } expected[] = {
        {HVS_EXIT_MSR_READ, HVS_HANDLED, 0, 0, TOY_MSR_RO, TOY_RO_VALUE},
        {HVS_EXIT_MSR_WRITE, HVS_FAULT, 0, 0, TOY_MSR_RO, 9},
        {HVS_EXIT_MSR_WRITE, HVS_HANDLED, 0, 1, TOY_MSR_IRQ, 0x40},
        {HVS_EXIT_MSR_READ, HVS_UNHANDLED, 0xff, 0, 0x10, 0},
        {HVS_EXIT_MSR_READ, HVS_HANDLED, 1, 0, TRINKET_MSR, 0},
        {HVS_EXIT_CPUID, HVS_HANDLED, 1, 0, 0x40000101, 0},
        {HVS_EXIT_CPUID, HVS_UNHANDLED, 0xff, 0, 0x40000300, 0},
        {HVS_EXIT_HYPERCALL, HVS_HANDLED, 0, 0, TOY_CALL_LOCKED, 0},
        {HVS_EXIT_HYPERCALL, HVS_HANDLED, 0, 0, TOY_CALL_REGS, TOY_STATUS_POISON},
        {HVS_EXIT_PIO, HVS_HANDLED, 0, 0, TOY_PORT_FIRST, 0},
        {HVS_EXIT_TIMER, HVS_HANDLED, 0xff, 0, 0, 0},
        {HVS_EXIT_RESET, HVS_HANDLED, 0xff, 0, 0, 0},
        {HVS_EXIT_HOST, HVS_HANDLED, 0, 1, 0x55, 0},
    };
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(expected); i++) {
        uint32_t key = (uint32_t)expected[i].key;
        struct hvs_trace_record record;
        uint64_t host_data = 0;

        mock_advance(mock, 1000);
        switch (expected[i].kind) {
        case HVS_EXIT_MSR_READ:
            mock_rdmsr(mock, 1, key, NULL);
            break;
        case HVS_EXIT_MSR_WRITE:
            mock_wrmsr(mock, 1, key, expected[i].value);
            break;
        case HVS_EXIT_CPUID:
            mock_cpuid(mock, 1, key, 0);
            break;
        case HVS_EXIT_HYPERCALL:
            mock->regs.rcx = key | TOY_CONTROL_FAST;
            mock->regs.rdx = TOY_POISON;
            mock_hypercall(mock, 1, 0);
            break;
        case HVS_EXIT_PIO:
            mock_in(mock, 1, (uint16_t)key, 1);
            break;
        case HVS_EXIT_TIMER:
            mock_timer(mock, 1);
            break;
        case HVS_EXIT_RESET:
            mock_reset(mock, 1);
            break;
        case HVS_EXIT_HOST:
            mock_host(mock, 1, &toy, key, &host_data);
            break;
        case HVS_NR_EXIT_KINDS:
            break;
        }
        record = record_at(mock, i);
        assert_int_equal(record.vp, 1);
        assert_int_equal(record.kind, expected[i].kind);
        assert_int_equal(record.verdict, expected[i].verdict);
        assert_int_equal(record.slot, expected[i].slot);
        assert_int_equal(record.nr_effects, expected[i].nr_effects);
        assert_int_equal(record.key, expected[i].key);
        assert_int_equal(record.value, expected[i].value);
        assert_in_range(record.ns, 1000 * (i + 1) - 1, 1000 * (i + 1));
    }
}

static void test_records_in_words(void **state)
{
    static const struct {
        struct hvs_trace_record record;
        struct hvs_trace_words words;
    } expected[] = {
        {{.kind = HVS_EXIT_MSR_READ, .slot = 0, .key = TOY_MSR_RO}, {"toy", "rdmsr", "TOY_MSR_RO", "handled"}},
        {{.kind = HVS_EXIT_MSR_WRITE, .slot = 0, .key = TOY_MSR_BANK + 1, .verdict = HVS_FAULT},
         {"toy", "wrmsr", "TOY_MSR_BANK", "fault"}},
        {{.kind = HVS_EXIT_MSR_READ, .slot = 0xff, .key = 0x10, .verdict = HVS_UNHANDLED},
         {"-", "rdmsr", "-", "unhandled"}},
        {{.kind = HVS_EXIT_CPUID, .slot = 0, .key = 0x40000001}, {"toy", "cpuid", "features", "handled"}},
        {{.kind = HVS_EXIT_CPUID, .slot = 1, .key = 0x40000101}, {"trinket", "cpuid", "one", "handled"}},
        {{.kind = HVS_EXIT_CPUID, .slot = 0, .key = 0x400000ff}, {"toy", "cpuid", "-", "handled"}},
        {{.kind = HVS_EXIT_HYPERCALL, .slot = 0, .key = TOY_CALL_LOCKED, .verdict = HVS_RETRY},
         {"toy", "hypercall", "TOY_CALL_LOCKED", "retry"}},
        {{.kind = HVS_EXIT_PIO, .slot = 0, .key = TOY_PORT_LAST}, {"toy", "pio", "port", "handled"}},
        {{.kind = HVS_EXIT_PIO, .slot = 0, .key = TOY_CALL_OUT}, {"toy", "pio", "TOY_CALL_OUT", "handled"}},
        {{.kind = HVS_EXIT_TIMER, .slot = 0xff}, {"-", "timer", "-", "handled"}},
        {{.kind = HVS_EXIT_RESET, .slot = 0xff}, {"-", "reset", "-", "handled"}},
        {{.kind = HVS_EXIT_HOST, .slot = 1, .key = TOY_CALL_OUT}, {"trinket", "host", "-", "handled"}},
        {{.kind = HVS_NR_EXIT_KINDS, .slot = 2, .verdict = HVS_RETRY + 1}, {"-", "-", "-", "-"}},
    };
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(expected); i++) {
        struct hvs_trace_words words;

        hvs_vm_trace_words(mock->vm, &expected[i].record, &words);
        assert_string_equal(words.personality, expected[i].words.personality);
        assert_string_equal(words.kind, expected[i].words.kind);
        assert_string_equal(words.name, expected[i].words.name);
        assert_string_equal(words.verdict, expected[i].words.verdict);
    }
}

static void test_old_records_are_overwritten(void **state)
{
    struct mock *mock = *state;
    struct hvs_trace_record record;

    for (uint32_t i = 0; i < NR_RECORDS + 2; i++)
        mock_wrmsr(mock, 0, TOY_MSR_RW, i);
    assert_int_equal(hvs_vm_trace_read(mock->vm, 1, &record), HVS_ENOENT);
    for (uint32_t i = 2; i < NR_RECORDS + 2; i++)
        assert_int_equal(record_at(mock, i).value, i);
    assert_int_equal(hvs_vm_trace_read(mock->vm, NR_RECORDS + 2, &record), HVS_ENOENT);
    assert_int_equal(hvs_vm_trace_read(mock->vm, UINT64_MAX, &record), HVS_ENOENT);
    assert_int_equal(hvs_vm_trace_next(mock->vm), NR_RECORDS + 2);
}

static void test_memory_for_less_than_a_record(void **state)
{
    struct mock *mock = *state;
    struct hvs_trace_record record;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, NULL}, 1);
    mock->config.trace = ring;
    mock->config.trace_bytes = sizeof(ring[0]) - 1;
    assert_int_equal(mock_start(mock), HVS_OK);
    mock_rdmsr(mock, 0, TOY_MSR_RO, NULL);
    assert_int_equal(hvs_vm_trace_read(mock->vm, 0, &record), HVS_ENOENT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, toy_teardown)

static const struct CMUnitTest tests[] = {
    TEST(test_an_empty_ring),
    TEST(test_each_kind_of_exit),
    TEST(test_records_in_words),
    TEST(test_old_records_are_overwritten),
    TEST(test_memory_for_less_than_a_record),
};
TOY_MAIN(tests)
