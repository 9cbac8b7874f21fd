/* Reenlightenment, TSC emulation [TLFS nested-virtualization] and the invariant TSC. */
#include "hv_test.h"

enum { VECTOR = 0xee, OTHER_KHZ = 3000000 };

#define CONTROL(vp, vector) ((uint64_t)(vp) << 32 | HV_REENLIGHTENMENT_ENABLED | (vector))

/* The VM goes on where the TSC runs at `khz`; what was armed has to be served by the caller. */
static void move(struct mock *mock, uint64_t khz)
{
    const struct hvs_vm_config config = mock->config;
    struct mock there;
    uint8_t *stream;
    size_t bytes;

    stream = hv_test_snapshot(mock, &bytes);
    memset(&there, 0, sizeof(there));
    there.config = config;
    there.config.tsc_khz = khz;
    assert_int_equal(mock_start(&there), HVS_OK);
    memcpy(there.ram, mock->ram, MOCK_RAM_BYTES);
    assert_int_equal(hvs_vm_load(there.vm, stream, bytes), HVS_OK);
    free(stream);
    mock_stop(mock);
    *mock = there;
}

static bool is_pending(struct mock *mock)
{
    return hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)) <= hvs_vm_now_ns(mock->vm);
}

static void expect_notice(struct mock *mock, uint32_t vp, uint8_t vector)
{
    const struct hvs_effect *effect = NULL;

    assert_true(is_pending(mock));
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, &effect), 1);
    assert_int_equal(effect->target, HVS_TARGET_VP);
    assert_int_equal(effect->vp, vp);
    assert_int_equal(effect->vector, vector);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), UINT64_MAX);
}

static void another_rate_is_told(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL, CONTROL(1, VECTOR));
    hv_test_write(mock, 0, HV_X64_MSR_TSC_EMULATION_CONTROL, HV_TSC_EMULATION_ENABLED);
    mock_advance(mock, 1000000000);
    move(mock, OTHER_KHZ);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TSC_FREQUENCY), OTHER_KHZ * 1000ull);
    expect_notice(mock, 1, VECTOR);
    /* nothing was emulated meanwhile */
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TSC_EMULATION_STATUS), 0);
    hv_test_write(mock, 0, HV_X64_MSR_TSC_EMULATION_STATUS, 0);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TSC_EMULATION_CONTROL), HV_TSC_EMULATION_ENABLED);
}

/* To a host of the same rate too: the TSC page has changed. */
static void each_load_is_told_once(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL, CONTROL(0, VECTOR));
    assert_false(is_pending(mock));
    for (uint32_t i = 0; i < 3; i++) {
        move(mock, MOCK_TSC_KHZ);
        expect_notice(mock, 0, VECTOR);
    }
    mock_timer(mock, 0);
    assert_int_equal(mock->out.nr_effects, 0);
}

static void who_did_not_ask_is_not_told(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL, CONTROL(0, VECTOR) & ~HV_REENLIGHTENMENT_ENABLED);
    move(mock, OTHER_KHZ);
    assert_false(is_pending(mock));
    /* who asks later is not told of what was before */
    hv_test_write(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL, CONTROL(0, VECTOR));
    assert_false(is_pending(mock));
}

static void who_asks_no_more_is_not_told(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL, CONTROL(0, VECTOR));
    move(mock, OTHER_KHZ);
    hv_test_write(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL, 0);
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 0);
}

/* Saved again before anybody served the timer; and the host starts the clock once more after the load. */
static void a_notice_that_was_not_delivered_travels_on(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL, CONTROL(1, VECTOR));
    move(mock, OTHER_KHZ);
    mock_save_load_save(mock);
    assert_int_equal(hvs_vm_start_clock(mock->vm), HVS_OK);
    expect_notice(mock, 1, VECTOR);
}

static void nobody_is_told_who_cannot_be(void **state)
{
    static const uint64_t bad[] = {CONTROL(2, VECTOR), CONTROL(UINT32_MAX, VECTOR), CONTROL(0, 15), CONTROL(0, 0)};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++) {
        hv_test_write(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL, bad[i]);
        assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_REENLIGHTENMENT_CONTROL), bad[i]);
        move(mock, i & 1 ? MOCK_TSC_KHZ : OTHER_KHZ);
        assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
        assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 0);
    }
}

static void reset_forgets_it(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL, CONTROL(0, VECTOR));
    move(mock, OTHER_KHZ);
    mock_reset(mock, 0);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), UINT64_MAX);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_REENLIGHTENMENT_CONTROL), 0);
}

static void emulation_cannot_be_put_in_progress(void **state)
{
    struct mock *mock = *state;

    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_TSC_EMULATION_STATUS, HV_TSC_EMULATION_IN_PROGRESS));
    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_TSC_EMULATION_STATUS, UINT64_MAX));
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TSC_EMULATION_STATUS), 0);
    hv_test_write(mock, 0, HV_X64_MSR_TSC_EMULATION_STATUS, ~HV_TSC_EMULATION_IN_PROGRESS);
    mock_save_load_save(mock);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TSC_EMULATION_STATUS), ~HV_TSC_EMULATION_IN_PROGRESS);
}

static void invariant_tsc_is_asked_for_once_and_for_all(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TSC_INVARIANT_CONTROL), 0);
    hv_test_write(mock, 0, HV_X64_MSR_TSC_INVARIANT_CONTROL, 0);
    hv_test_write(mock, 1, HV_X64_MSR_TSC_INVARIANT_CONTROL, HV_EXPOSE_INVARIANT_TSC);
    hv_test_write(mock, 0, HV_X64_MSR_TSC_INVARIANT_CONTROL, HV_EXPOSE_INVARIANT_TSC);
    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_TSC_INVARIANT_CONTROL, 0));
    mock_save_load_save(mock);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TSC_INVARIANT_CONTROL), HV_EXPOSE_INVARIANT_TSC);
    mock_reset(mock, 0);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_TSC_INVARIANT_CONTROL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(another_rate_is_told),
        HV_TEST(each_load_is_told_once),
        HV_TEST(who_did_not_ask_is_not_told),
        HV_TEST(who_asks_no_more_is_not_told),
        HV_TEST(a_notice_that_was_not_delivered_travels_on),
        HV_TEST(nobody_is_told_who_cannot_be),
        HV_TEST(reset_forgets_it),
        HV_TEST(emulation_cannot_be_put_in_progress),
        HV_TEST(invariant_tsc_is_asked_for_once_and_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
