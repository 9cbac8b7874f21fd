/* MSRs as a VMM gets and sets them one by one: through the rows, without effects, and with memory as it lies. */
#include "toy.h"

enum { FRAME = 0x30, OTHER_FRAME = 0x31 };

static uint64_t get(struct mock *mock, uint32_t vp, uint32_t index)
{
    uint64_t value;

    assert_int_equal(hvs_vcpu_msr_get(mock_vcpu(mock, vp), index, &value), HVS_OK);
    return value;
}

static void set(struct mock *mock, uint32_t vp, uint32_t index, uint64_t value)
{
    assert_int_equal(hvs_vcpu_msr_set(mock_vcpu(mock, vp), index, value), HVS_OK);
}

static uint64_t page_at(uint64_t gfn)
{
    return gfn << HVS_PAGE_SHIFT | 1;
}

static uint8_t *frame(struct mock *mock, uint64_t gfn)
{
    return mock->ram + (gfn << HVS_PAGE_SHIFT);
}

static void test_goes_through_the_rows(void **state)
{
    struct mock *mock = *state;
    uint64_t value;

    set(mock, 1, TOY_MSR_RW, 5);
    assert_int_equal(get(mock, 1, TOY_MSR_RW), 5);
    assert_int_equal(get(mock, 0, TOY_MSR_RW), 0);
    assert_int_equal(get(mock, 0, TOY_MSR_RO), TOY_RO_VALUE);
    set(mock, 0, TRINKET_MSR, 7);
    assert_int_equal(get(mock, 0, TRINKET_MSR), 7);
    assert_int_equal(hvs_vcpu_msr_set(mock_vcpu(mock, 0), TOY_MSR_RO, 1), HVS_ENOENT);
    assert_int_equal(hvs_vcpu_msr_get(mock_vcpu(mock, 0), TOY_MSR_WO, &value), HVS_ENOENT);
    assert_int_equal(hvs_vcpu_msr_get(mock_vcpu(mock, 0), 0x12345, &value), HVS_ENOENT);
    assert_int_equal(hvs_vcpu_msr_set(mock_vcpu(mock, 0), 0x12345, 0), HVS_ENOENT);
    assert_int_equal(hvs_vcpu_msr_set(mock_vcpu(mock, 0), TOY_MSR_RW, TOY_RW_RESERVED), HVS_EINVAL);
    assert_int_equal(hvs_vcpu_msr_set(mock_vcpu(mock, 0), TOY_MSR_PICKY, 1), HVS_EINVAL);
    toy_restart(mock, mock->config.caps, 0, 1ull << TOY_FEATURE_PAGES);
    assert_int_equal(hvs_vcpu_msr_set(mock_vcpu(mock, 0), TOY_MSR_PAGE, page_at(FRAME)), HVS_ENOENT);
}

static void test_locks_as_an_exit_does(void **state)
{
    struct mock *mock = *state;

    set(mock, 2, TOY_MSR_SHARED, 3);
    assert_true(toy_vcpu_state(mock, 2)->was_locked);
    assert_int_equal(get(mock, 0, TOY_MSR_SHARED), 3);
    assert_int_equal(mock_vcpu(mock, 2)->vm_lock_depth, 0);
    assert_int_equal(mock_wrmsr(mock, 2, TOY_MSR_SHARED, 4), HVS_HANDLED);
}

/* What the VMM restored lies in RAM already, and what was beneath is gone. */
static void test_takes_memory_as_it_lies(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    uint8_t *page;

    memset(frame(mock, FRAME), 0x11, HVS_PAGE_BYTES);
    memset(frame(mock, OTHER_FRAME), 0x22, HVS_PAGE_BYTES);
    set(mock, 0, TOY_MSR_PAGE, page_at(FRAME));
    assert_int_equal(frame(mock, FRAME)[5], 0x11);
    page = hvs_overlay_open(&ctx, hvs_vcpu_overlay(&ctx, 0, 0));
    assert_ptr_equal(page, frame(mock, FRAME));
    hvs_overlay_close(&ctx, hvs_vcpu_overlay(&ctx, 0, 0), page, false);
    set(mock, 0, TOY_MSR_PAGE, page_at(OTHER_FRAME));
    set(mock, 0, TOY_MSR_PAGE, 0);
    assert_int_equal(frame(mock, FRAME)[5], 0x11);
    assert_int_equal(frame(mock, OTHER_FRAME)[5], 0x22);
    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_PAGE, page_at(FRAME)), HVS_HANDLED);
    assert_int_equal(frame(mock, FRAME)[5], 0);
    memset(frame(mock, FRAME), 0x33, HVS_PAGE_BYTES);   /* loaded by the VMM: the page that lay there is no more */
    set(mock, 0, TOY_MSR_PAGE, 0);
    assert_int_equal(frame(mock, FRAME)[5], 0x33);
}

/* The guest moves one that was said to lie there: what it held stays, and a new one is empty. */
static void test_guest_goes_on_with_it(void **state)
{
    struct mock *mock = *state;

    memset(frame(mock, FRAME), 0x11, HVS_PAGE_BYTES);
    memset(frame(mock, OTHER_FRAME), 0x22, HVS_PAGE_BYTES);
    set(mock, 0, TOY_MSR_PAGE, page_at(FRAME));
    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_PAGE, page_at(OTHER_FRAME)), HVS_HANDLED);
    assert_int_equal(frame(mock, FRAME)[5], 0x11);
    assert_int_equal(frame(mock, OTHER_FRAME)[5], 0);
    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_PAGE, 0), HVS_HANDLED);
    assert_int_equal(frame(mock, OTHER_FRAME)[5], 0x22);
    set(mock, 0, TOY_MSR_PAGE, page_at(FRAME));
    mock_reset(mock, 0);
    assert_int_equal(frame(mock, FRAME)[5], 0x11);
}

/* Above and below others, in every order: each goes without touching them. */
static void test_bare_ones_stand_apart_from_the_stack(void **state)
{
    struct mock *mock = *state;

    memset(frame(mock, FRAME), 0x11, HVS_PAGE_BYTES);
    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_PAGE, page_at(FRAME)), HVS_HANDLED);
    set(mock, 1, TOY_MSR_PAGE, page_at(FRAME));
    assert_int_equal(mock_wrmsr(mock, 2, TOY_MSR_PAGE, page_at(FRAME)), HVS_HANDLED);
    memset(frame(mock, FRAME), 0x44, HVS_PAGE_BYTES);
    assert_int_equal(mock_wrmsr(mock, 1, TOY_MSR_PAGE, 0), HVS_HANDLED);
    assert_int_equal(frame(mock, FRAME)[5], 0x44);
    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_PAGE, 0), HVS_HANDLED);
    assert_int_equal(mock_wrmsr(mock, 2, TOY_MSR_PAGE, 0), HVS_HANDLED);
    assert_int_equal(frame(mock, FRAME)[5], 0x11);
}

static void test_raises_nothing_and_arms(void **state)
{
    struct mock *mock = *state;

    mock->out.nr_effects = 0;
    set(mock, 0, TOY_MSR_IRQ, 0x40);
    set(mock, 0, TOY_MSR_TIMER, 5000000000ull);
    assert_int_equal(mock->out.nr_effects, 0);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), 5000000000ull);
}

static void test_streams_have_them_too(void **state)
{
    struct mock *mock = *state;

    memset(frame(mock, FRAME), 0x11, HVS_PAGE_BYTES);
    set(mock, 1, TOY_MSR_PAGE, page_at(FRAME));
    mock_save_load_save(mock);
    assert_int_equal(frame(mock, FRAME)[5], 0x11);
    assert_int_equal(mock_wrmsr(mock, 1, TOY_MSR_PAGE, 0), HVS_HANDLED);
    assert_int_equal(frame(mock, FRAME)[5], 0);
}

static void test_clock_at_an_age(void **state)
{
    struct mock *mock = *state;

    mock_advance(mock, 1000000);
    assert_int_equal(hvs_vm_start_clock_at(mock->vm, 7000000000ull), HVS_OK);
    assert_in_range(hvs_vm_now_ns(mock->vm), 7000000000ull - 1, 7000000000ull + 1);
    mock_advance(mock, 1000);
    assert_in_range(hvs_vm_now_ns(mock->vm), 7000001000ull - 2, 7000001000ull + 2);
    assert_int_equal(hvs_vm_start_clock_at(mock->vm, 5), HVS_OK);
    assert_in_range(hvs_vm_now_ns(mock->vm), 4, 6);
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_goes_through_the_rows),
    TOY_TEST(test_locks_as_an_exit_does),
    TOY_TEST(test_takes_memory_as_it_lies),
    TOY_TEST(test_guest_goes_on_with_it),
    TOY_TEST(test_bare_ones_stand_apart_from_the_stack),
    TOY_TEST(test_raises_nothing_and_arms),
    TOY_TEST(test_streams_have_them_too),
    TOY_TEST(test_clock_at_an_age),
};
TOY_MAIN(tests)
