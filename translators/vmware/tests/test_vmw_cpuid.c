/* The CPUID leaves. */
#include "vmw_test.h"

static void assert_leaf(struct mock *mock, uint32_t leaf, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    struct hvs_cpuid_regs r = mock_cpuid(mock, 0, leaf, 0);

    assert_int_equal(r.reg[HVS_EAX], eax);
    assert_int_equal(r.reg[HVS_EBX], ebx);
    assert_int_equal(r.reg[HVS_ECX], ecx);
    assert_int_equal(r.reg[HVS_EDX], edx);
}

static void test_signature(void **state)
{
    struct mock mock;
    struct hvs_cpuid_regs r;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    r = mock_cpuid(&mock, 0, 0x40000000, 0);
    assert_int_equal(r.reg[HVS_EAX], 0x40000010);
    assert_memory_equal(&r.reg[HVS_EBX], "VMwareVMware", 12);
    for (uint32_t leaf = 0x40000001; leaf < 0x40000010; leaf++)
        assert_leaf(&mock, leaf, 0, 0, 0, 0);
    assert_leaf(&mock, 0x40000011, 0, 0, 0, 0);
    mock_stop(&mock);
}

static void test_timing(void **state)
{
    struct mock mock;

    (void)state;
    vmw_config(&mock, 1);
    mock.config.apic_hz = 66000000;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_leaf(&mock, 0x40000010, MOCK_TSC_KHZ, 66000, 0, 0);
    mock_stop(&mock);
}

/* Nothing is said of a TSC that is not to be trusted. */
static void test_no_timing_without_a_stable_tsc(void **state)
{
    struct mock mock;

    (void)state;
    vmw_config(&mock, 1);
    mock.config.caps &= ~(uint32_t)HVS_CAP_TSC_STABLE;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_leaf(&mock, 0x40000010, 0, 0, 0, 0);
    assert_unsupported(&mock, BDOOR_CMD_GETHZ);
    assert_unsupported(&mock, BDOOR_CMD_GETMHZ);
    mock_stop(&mock);
}

static void test_timing_off(void **state)
{
    struct mock mock;

    (void)state;
    vmw_config(&mock, 1);
    mock.config.slot[0].features_off = feature_bit("vmware-cpuid-freq");
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_leaf(&mock, 0x40000010, 0, 0, 0, 0);
    assert_unsupported(&mock, BDOOR_CMD_GETHZ);
    mock_stop(&mock);
}

/* Linux would leave the port for an instruction that stock KVM hides. */
static void test_backdoor_bits_stay_clear(void **state)
{
    struct mock mock;

    (void)state;
    vmw_config(&mock, 1);
    mock.config.slot[0].features_on = feature_bit("vmcall");
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(mock_cpuid(&mock, 0, 0x40000010, 0).reg[HVS_ECX], 0);
    mock_stop(&mock);
}

static void test_two_at_the_first_place(void **state)
{
    const struct hvs_personality *const list[] = {&hvs_vmw_personality, &hvs_vmw_personality, NULL};
    struct mock mock;

    (void)state;
    mock_config(&mock, list, 1);
    assert_int_equal(mock_start(&mock), HVS_ECONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_timing),
        cmocka_unit_test(test_no_timing_without_a_stable_tsc),
        cmocka_unit_test(test_timing_off),
        cmocka_unit_test(test_backdoor_bits_stay_clear),
        cmocka_unit_test(test_two_at_the_first_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
