/* Reference counter, reference TSC page and frequencies: one clock, read in different ways [TLFS timers]. */
#include "hv_test.h"

enum { TSC_GFN = 0x30 };

static const struct hv_reference_tsc_page *tsc_page(const struct mock *mock)
{
    return (const struct hv_reference_tsc_page *)(const void *)(mock->ram + TSC_GFN * HV_PAGE_SIZE);
}

/* The formula of the specification, as a guest runs it. */
static uint64_t page_time(const struct mock *mock)
{
    const struct hv_reference_tsc_page *page = tsc_page(mock);

    return (uint64_t)((unsigned __int128)mock_tsc(mock) * page->tsc_scale >> 64) + (uint64_t)page->tsc_offset;
}

static void counts_100ns_from_zero(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT), 0);
    mock_advance(mock, 1000000000);
    /* the published rate is rounded down: at most one unit in the first minutes */
    assert_in_range(hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT), 9999999, 10000000);
    assert_in_range(hv_test_read(mock, 1, HV_X64_MSR_TIME_REF_COUNT), 9999999, 10000000);
}

static void page_and_counter_agree(void **state)
{
    struct mock *mock = *state;

    mock_advance(mock, 123456789);
    hv_test_write(mock, 0, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(TSC_GFN));
    assert_int_not_equal(tsc_page(mock)->tsc_sequence, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        mock_advance(mock, 987654321);
        assert_int_equal(page_time(mock), hv_test_read(mock, i & 1, HV_X64_MSR_TIME_REF_COUNT));
    }
}

static void page_is_the_partitions_and_off_at_first(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_REFERENCE_TSC), 0);
    hv_test_write(mock, 1, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(TSC_GFN));
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_REFERENCE_TSC), HV_TEST_PAGE_MSR(TSC_GFN));
}

/* "Incremented whenever the scale and/or the offset fields are modified", past the values that mean invalid. */
static void sequence_counts_changes(void **state)
{
    static const uint32_t from_to[][2] = {{0, 1}, {1, 2}, {0xfffffffd, 0xfffffffe}, {0xfffffffe, 1}};
    struct mock *mock = *state;
    struct hv_reference_tsc_page *page = (struct hv_reference_tsc_page *)tsc_page(mock);

    for (size_t i = 0; i < HVS_ARRAY_SIZE(from_to); i++) {
        hv_test_write(mock, 0, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(TSC_GFN));
        page->tsc_sequence = from_to[i][0];
        if (i & 1)
            page->tsc_offset = 12345;
        else
            page->tsc_scale = 12345;
        hv_test_write(mock, 0, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(TSC_GFN));
        assert_int_equal(page->tsc_sequence, from_to[i][1]);
        assert_int_equal(page_time(mock), hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT));
        hv_test_write(mock, 0, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(TSC_GFN));
        assert_int_equal(page->tsc_sequence, from_to[i][1]);
    }
}

static void says_so_when_the_tsc_is_no_clock(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.caps &= ~(uint32_t)HVS_CAP_TSC_STABLE;
    assert_int_equal(mock_start(&mock), HVS_OK);
    hv_test_write(&mock, 0, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(TSC_GFN));
    assert_int_equal(tsc_page(&mock)->tsc_sequence, HV_REFERENCE_TSC_SEQUENCE_INVALID);
    /* as the page of a guest that came from a host with a good one */
    mock.ram[TSC_GFN * HV_PAGE_SIZE] = 7;
    hv_test_write(&mock, 0, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(TSC_GFN));
    assert_int_equal(tsc_page(&mock)->tsc_sequence, HV_REFERENCE_TSC_SEQUENCE_INVALID);
    assert_int_equal(hv_test_read(&mock, 0, HV_X64_MSR_REFERENCE_TSC), HV_TEST_PAGE_MSR(TSC_GFN));
    mock_advance(&mock, 5000);
    assert_int_equal(hv_test_read(&mock, 0, HV_X64_MSR_TIME_REF_COUNT), 50);
    mock_stop(&mock);
}

static void tells_frequencies_in_hz(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TSC_FREQUENCY), MOCK_TSC_KHZ * 1000ull);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_APIC_FREQUENCY), mock->config.apic_hz);
}

static void goes_on_across_save_and_load(void **state)
{
    struct mock *mock = *state;
    uint64_t before;

    hv_test_write(mock, 0, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(TSC_GFN));
    mock_advance(mock, 3000000000);
    before = hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT);
    mock_save_load_save(mock);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_REFERENCE_TSC), HV_TEST_PAGE_MSR(TSC_GFN));
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT), before);
    assert_int_equal(page_time(mock), before);
}

/* The time between save and load has not passed for the guest, though its TSC has counted on. */
static void load_moves_the_line_and_tells_readers(void **state)
{
    struct mock *mock = *state;
    uint32_t sequence;
    uint64_t before;
    uint8_t *stream;
    size_t bytes;

    hv_test_write(mock, 0, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(TSC_GFN));
    mock_advance(mock, 3000000000);
    before = hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT);
    sequence = tsc_page(mock)->tsc_sequence;
    stream = hv_test_snapshot(mock, &bytes);
    mock_advance(mock, 60000000000);
    assert_int_equal(hvs_vm_load(mock->vm, stream, bytes), HVS_OK);
    assert_in_range(hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT), before, before + 1);
    assert_int_equal(page_time(mock), hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT));
    assert_int_equal(tsc_page(mock)->tsc_sequence, sequence + 1);
    free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(counts_100ns_from_zero),
        HV_TEST(page_and_counter_agree),
        HV_TEST(page_is_the_partitions_and_off_at_first),
        HV_TEST(sequence_counts_changes),
        cmocka_unit_test(says_so_when_the_tsc_is_no_clock),
        HV_TEST(tells_frequencies_in_hz),
        HV_TEST(goes_on_across_save_and_load),
        HV_TEST(load_moves_the_line_and_tells_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
