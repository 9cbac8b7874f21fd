/* What must exit, as ranges. */
#include "toy.h"

static const struct hvs_range msr_ranges[] = {
    {TOY_MSR_RO, TOY_MSR_RW}, {TOY_MSR_BANK, TOY_MSR_BANK + TOY_NR_BANK - 1}, {TOY_MSR_SHARED, TOY_MSR_PICKY},
    {TOY_MSR_PAGE, TOY_MSR_VM_PAGE}, {TOY_MSR_TIMER, TOY_MSR_TIMER + TOY_NR_TIMERS - 1}, {TOY_MSR_IRQ, TOY_MSR_IRQ},
    {TRINKET_MSR, TRINKET_MSR_PAGE},
};

static void test_msr_ranges(void **state)
{
    struct mock *mock = *state;
    struct hvs_range range[16];
    uint32_t nr = HVS_ARRAY_SIZE(range);

    assert_int_equal(hvs_vm_msr_ranges(mock->vm, range, &nr), HVS_OK);
    assert_int_equal(nr, HVS_ARRAY_SIZE(msr_ranges));
    assert_memory_equal(range, msr_ranges, sizeof(msr_ranges));
}

/* A filter made from the ranges lets exactly the live rows exit. */
static void test_ranges_are_what_dispatch_handles(void **state)
{
    struct mock *mock = *state;
    struct hvs_range range[16];
    uint32_t nr = HVS_ARRAY_SIZE(range), at = 0;

    assert_int_equal(hvs_vm_msr_ranges(mock->vm, range, &nr), HVS_OK);
    for (uint32_t index = 0x4f0; index < 0x620; index++) {
        while (at < nr && range[at].last < index)
            at++;
        assert_int_equal(at < nr && range[at].first <= index,
                         mock_rdmsr(mock, 0, index, NULL) != HVS_UNHANDLED);
    }
}

static void test_rows_that_are_off_do_not_exit(void **state)
{
    struct mock *mock = *state;
    struct hvs_range range[16];
    uint32_t nr = HVS_ARRAY_SIZE(range);

    toy_restart(mock, mock->config.caps, 0, 1ull << TOY_FEATURE_PAGES | 1ull << TOY_FEATURE_PORT);
    assert_int_equal(hvs_vm_msr_ranges(mock->vm, range, &nr), HVS_OK);
    assert_int_equal(nr, HVS_ARRAY_SIZE(msr_ranges) - 1);
    nr = HVS_ARRAY_SIZE(range);
    assert_int_equal(hvs_vm_pio_ranges(mock->vm, range, &nr), HVS_OK);
    assert_int_equal(nr, 1);
    assert_int_equal(range[0].first, TRINKET_PORT);
}

static void test_pio_ranges_overlap_into_one(void **state)
{
    struct mock *mock = *state;
    struct hvs_range range[4];
    uint32_t nr = HVS_ARRAY_SIZE(range);

    assert_int_equal(hvs_vm_pio_ranges(mock->vm, range, &nr), HVS_OK);
    assert_int_equal(nr, 2);
    assert_int_equal(range[0].first, TOY_PORT_FIRST);
    assert_int_equal(range[0].last, TOY_PORT_LAST);
    assert_int_equal(range[1].first, TOY_PORT_LOCKED);
    assert_int_equal(range[1].last, TOY_PORT_LOCKED);
}

static void test_a_list_without_room(void **state)
{
    struct mock *mock = *state;
    struct hvs_range range[16];

    for (uint32_t capacity = 0; capacity <= HVS_ARRAY_SIZE(msr_ranges); capacity++) {
        uint32_t nr = capacity;

        memset(range, 0xcc, sizeof(range));
        assert_int_equal(hvs_vm_msr_ranges(mock->vm, range, &nr),
                         capacity < HVS_ARRAY_SIZE(msr_ranges) ? HVS_ENOSPC : HVS_OK);
        assert_int_equal(nr, HVS_ARRAY_SIZE(msr_ranges));
        assert_memory_equal(range, msr_ranges, capacity * sizeof(range[0]));
        assert_int_equal(((uint8_t *)&range[capacity])[0], 0xcc);
    }
}

/* Two personalities whose ranges nest, touch, cross, and reach the ends of the number space. */
static void test_merging(void **state)
{
    static const struct hvs_msr_row first[] = {
        {.first = 0, .last = 0, .feature = HVS_FEATURE_ALWAYS},
        {.first = 10, .last = 30, .feature = HVS_FEATURE_ALWAYS},
        {.first = 40, .last = 50, .feature = HVS_FEATURE_ALWAYS},
        {.first = UINT32_MAX, .last = UINT32_MAX, .feature = HVS_FEATURE_ALWAYS},
    };
    static const struct hvs_msr_row second[] = {
        {.first = 1, .last = 1, .feature = HVS_FEATURE_ALWAYS},
        {.first = 12, .last = 14, .feature = HVS_FEATURE_ALWAYS},
        {.first = 25, .last = 35, .feature = HVS_FEATURE_ALWAYS},
        {.first = 37, .last = 39, .feature = HVS_FEATURE_ALWAYS},
        {.first = UINT32_MAX - 5, .last = UINT32_MAX, .feature = HVS_FEATURE_ALWAYS},
    };
    static const struct hvs_range expected[] = {{0, 1}, {10, 35}, {37, 50}, {UINT32_MAX - 5, UINT32_MAX}};
    static const struct hvs_personality a = {.name = "a", .id = 1, .place = HVS_PLACE_NEXT, .msr = first,
                                             .nr_msr = HVS_ARRAY_SIZE(first)};
    static const struct hvs_personality b = {.name = "b", .id = 2, .place = HVS_PLACE_NEXT, .msr = second,
                                             .nr_msr = HVS_ARRAY_SIZE(second)};
    struct mock *mock = *state;
    struct hvs_range range[16];
    uint32_t nr = HVS_ARRAY_SIZE(range);

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&a, &b, NULL}, 1);
    assert_int_equal(mock_start(mock), HVS_OK);
    assert_int_equal(hvs_vm_msr_ranges(mock->vm, range, &nr), HVS_OK);
    assert_int_equal(nr, HVS_ARRAY_SIZE(expected));
    assert_memory_equal(range, expected, sizeof(expected));
}

static void test_ports_that_take_strings(void **state)
{
    struct mock *mock = *state;

    assert_true(hvs_vm_port_takes_strings(mock->vm, TOY_PORT_LOCKED));
    assert_false(hvs_vm_port_takes_strings(mock->vm, TOY_PORT_FIRST));
    assert_false(hvs_vm_port_takes_strings(mock->vm, TOY_PORT_LOCKED - 1));
    assert_false(hvs_vm_port_takes_strings(mock->vm, TOY_PORT_LOCKED + 1));
    toy_restart(mock, mock->config.caps, 0, 1ull << TOY_FEATURE_PORT);
    assert_false(hvs_vm_port_takes_strings(mock->vm, TOY_PORT_LOCKED));
}

static void test_a_vm_without_personalities_needs_none(void **state)
{
    struct mock *mock = *state;
    uint32_t nr = 0;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){NULL}, 1);
    assert_int_equal(mock_start(mock), HVS_OK);
    assert_int_equal(hvs_vm_msr_ranges(mock->vm, NULL, &nr), HVS_OK);
    assert_int_equal(nr, 0);
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_msr_ranges),
    TOY_TEST(test_ranges_are_what_dispatch_handles),
    TOY_TEST(test_rows_that_are_off_do_not_exit),
    TOY_TEST(test_pio_ranges_overlap_into_one),
    TOY_TEST(test_a_list_without_room),
    TOY_TEST(test_merging),
    TOY_TEST(test_ports_that_take_strings),
    TOY_TEST(test_a_vm_without_personalities_needs_none),
};
TOY_MAIN(tests)
