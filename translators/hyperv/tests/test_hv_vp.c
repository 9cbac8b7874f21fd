/* The virtual processor's index, its sleep, and its advice about long spins [TLFS vp-properties]. */
#include "hv_test.h"

static void vp_index_is_the_vps_own(void **state)
{
    assert_int_equal(hv_test_read(*state, 0, HV_X64_MSR_VP_INDEX), 0);
    assert_int_equal(hv_test_read(*state, 1, HV_X64_MSR_VP_INDEX), 1);
}

/* The sleep itself is the backend's; here it is asked for, for the VP that reads and for no other. */
static void reading_guest_idle_sleeps(void **state)
{
    const struct hvs_effect *effect = NULL;
    struct mock *mock = *state;

    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_GUEST_IDLE), 0);
    assert_int_equal(mock->out.nr_effects, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_BLOCK, &effect), 1);
    assert_int_equal(effect->vp, 1);
}

/* It hides instructions that run at CPL 3 without an exit: who cannot do it must not say so. */
static void there_is_no_npiep(void **state)
{
    assert_int_equal(mock_wrmsr(*state, 0, HV_X64_MSR_NPIEP_CONFIG, 1), HVS_UNHANDLED);
    assert_false(hv_test_cpuid(*state, HV_CPUID_FEATURES, HVS_EDX) >> HV_NPIEP1_AVAILABLE & 1);
}

static void expect_one_yield(const struct mock *mock)
{
    const struct hvs_effect *effect = NULL;

    assert_int_equal(mock->out.nr_effects, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_YIELD, &effect), 1);
    assert_int_equal(effect->vp, 0);
}

static void long_spin_wait_yields_fast_and_slow(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    memset(mock->ram + HV_TEST_IN_GPA, 0xff, 8);
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        assert_int_equal(hv_test_call(mock, bits, HvCallNotifyLongSpinWait | HV_HYPERCALL_FAST, 4096, 0), 0);
        expect_one_yield(mock);
        assert_int_equal(hv_test_call(mock, bits, HvCallNotifyLongSpinWait, HV_TEST_IN_GPA, 0), 0);
        expect_one_yield(mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(vp_index_is_the_vps_own),
        HV_TEST(reading_guest_idle_sleeps),
        HV_TEST(there_is_no_npiep),
        HV_TEST(long_spin_wait_yields_fast_and_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
