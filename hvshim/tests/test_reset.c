/* Reset: everything is as at power-on, and only what belongs to the vCPU that is reset. */
#include "toy.h"

enum { FRAME = 0x30 };

static void spoil(struct mock *mock)
{
    for (uint32_t vp = 0; vp < 3; vp++) {
        mock_wrmsr(mock, vp, TOY_MSR_RW, 1);
        mock_wrmsr(mock, vp, TOY_MSR_BANK + 3, 2);
        mock_wrmsr(mock, vp, TOY_MSR_TIMER, 1000 + vp);
        mock_wrmsr(mock, vp, TOY_MSR_PAGE, (uint64_t)(FRAME + vp) << 12 | 1);
        mock_wrmsr(mock, vp, TRINKET_MSR, 4);
        toy_vcpu_state(mock, vp)->was_reset = 0;
    }
    mock_wrmsr(mock, 0, TOY_MSR_SHARED, 3);
    mock_wrmsr(mock, 0, TOY_MSR_VM_PAGE, (FRAME + 3) << 12 | 1);
    toy_vm_state(mock)->was_reset = 0;
}

static void expect_vcpu_at_power_on(struct mock *mock, uint32_t vp)
{
    struct toy_vcpu expected = {.was_reset = 1};
    const struct trinket_vcpu *trinkets = mock_vcpu(mock, vp)->slot[1].state;

    assert_memory_equal(toy_vcpu_state(mock, vp), &expected, sizeof(expected));
    assert_int_equal(trinkets->value, 0);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, vp)), UINT64_MAX);
    assert_false(hvs_overlay_is_on(&mock_vcpu(mock, vp)->slot[0].overlay[0]));
}

static void expect_vm_at_power_on(struct mock *mock)
{
    struct toy_vm expected = {.was_reset = 1};

    assert_memory_equal(toy_vm_state(mock), &expected, sizeof(expected));
    assert_false(hvs_overlay_is_on(&mock->vm->slot[0].overlay[0]));
}

static void test_a_new_vm_is_at_power_on(void **state)
{
    for (uint32_t vp = 0; vp < 3; vp++)
        expect_vcpu_at_power_on(*state, vp);
    expect_vm_at_power_on(*state);
}

static void test_an_other_vcpu_alone(void **state)
{
    struct mock *mock = *state;

    spoil(mock);
    assert_int_equal(mock_reset(mock, 2), HVS_HANDLED);
    expect_vcpu_at_power_on(mock, 2);
    for (uint32_t vp = 0; vp < 2; vp++) {
        assert_int_equal(toy_vcpu_state(mock, vp)->rw, 1);
        assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, vp)), 1000 + vp);
        assert_true(hvs_overlay_is_on(&mock_vcpu(mock, vp)->slot[0].overlay[0]));
    }
    assert_int_equal(toy_vm_state(mock)->shared, 3);
    assert_true(hvs_overlay_is_on(&mock->vm->slot[0].overlay[0]));
}

static void test_vp_0_takes_the_vm_with_it(void **state)
{
    struct mock *mock = *state;

    spoil(mock);
    assert_int_equal(mock_reset(mock, 0), HVS_HANDLED);
    expect_vcpu_at_power_on(mock, 0);
    expect_vm_at_power_on(mock);
    assert_int_equal(toy_vcpu_state(mock, 1)->rw, 1);
    mock_reset(mock, 1);
    mock_reset(mock, 2);
    for (uint32_t vp = 0; vp < 3; vp++)
        expect_vcpu_at_power_on(mock, vp);
    assert_null(mock->vm->overlays);
    for (uint32_t i = 0; i < 4 * HVS_PAGE_BYTES; i++)
        assert_int_equal(mock->ram[(FRAME << HVS_PAGE_SHIFT) + i], 0);
}

static void test_the_backend_hears_of_the_deadline(void **state)
{
    struct mock *mock = *state;

    mock_reset(mock, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_TIMER, NULL), 0);
    mock_wrmsr(mock, 1, TOY_MSR_TIMER, 1000);
    mock_reset(mock, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_TIMER, NULL), 1);
}

/* Counters and the clock go on: they are the host's. */
static void test_what_a_reset_leaves(void **state)
{
    struct mock *mock = *state;

    mock_advance(mock, 5000);
    mock_rdmsr(mock, 0, TOY_MSR_RO, NULL);
    mock_reset(mock, 0);
    assert_int_equal(hvs_vm_exits(mock->vm, HVS_EXIT_MSR_READ, NULL), 1);
    assert_in_range(hvs_vm_now_ns(mock->vm), 4999, 5000);
    assert_false(atomic_flag_test_and_set(&mock->vm->lock.taken));
    atomic_flag_clear(&mock->vm->lock.taken);
}

/* The page that the host assisted by goes back to the guest: nobody may write there any more. */
static void test_eoi_assistance_ends(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 1);

    mock_reset(mock, 1);
    assert_int_equal(mock->eoi_assist[1], 0);           /* never asked for: the host is not bothered */
    assert_int_equal(hvs_ctx_eoi_assist(&ctx, 0x5000), HVS_OK);
    mock_reset(mock, 0);
    assert_int_equal(mock->eoi_assist[1], 0x5000);
    mock_reset(mock, 1);
    assert_int_equal(mock->eoi_assist[1], UINT64_MAX);
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_a_new_vm_is_at_power_on),
    TOY_TEST(test_an_other_vcpu_alone),
    TOY_TEST(test_vp_0_takes_the_vm_with_it),
    TOY_TEST(test_the_backend_hears_of_the_deadline),
    TOY_TEST(test_what_a_reset_leaves),
    TOY_TEST(test_eoi_assistance_ends),
};
TOY_MAIN(tests)
