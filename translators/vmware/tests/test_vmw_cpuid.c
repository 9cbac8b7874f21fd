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

/* One bit, and only that of the instruction by which this host sees its guests call. */
static void test_backdoor_bits_by_the_hosts_instruction(void **state)
{
    static const struct {
        struct hvs_insn insn;
        bool is_on;
        uint32_t ecx;
    } t[] = {
        {{3, {0x0f, 0x01, 0xd9}}, true, 1},
        {{3, {0x0f, 0x01, 0xc1}}, true, 2},
        {{3, {0x0f, 0x01, 0xd9}}, false, 0},
        {{3, {0x0f, 0x01, 0xc8}}, true, 0},
        {{2, {0x0f, 0x01, 0xc1}}, true, 0},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct mock mock;

        vmw_config(&mock, 1);
        mock.config.slot[0].features_on = t[i].is_on ? feature_bit("vmcall") : 0;
        mock.config.hypercall_insn[0] = t[i].insn;
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(mock_cpuid(&mock, 0, 0x40000010, 0).reg[HVS_ECX], t[i].ecx);
        mock_stop(&mock);
    }
}

/* The timing leaf for guests that are not to find VMware. */
static void test_another_signature(void **state)
{
    static const struct hvs_vmw_options options = {.size = sizeof(options), .signature = "NobodyAtHome"};
    struct mock mock;
    struct hvs_cpuid_regs r;

    (void)state;
    vmw_config(&mock, 1);
    mock.config.slot[0].options = &options;
    mock.config.slot[0].features_off = feature_bit("vmport") | feature_bit("guestrpc-hb") | feature_bit("balloon");
    assert_int_equal(mock_start(&mock), HVS_OK);
    r = mock_cpuid(&mock, 0, 0x40000000, 0);
    assert_int_equal(r.reg[HVS_EAX], 0x40000010);
    assert_memory_equal(&r.reg[HVS_EBX], "NobodyAtHome", 12);
    assert_leaf(&mock, 0x40000010, MOCK_TSC_KHZ, 1000000, 0, 0);
    assert_int_equal(mock_in(&mock, 0, BDOOR_PORT, 4), HVS_UNHANDLED);
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
        cmocka_unit_test(test_backdoor_bits_by_the_hosts_instruction),
        cmocka_unit_test(test_another_signature),
        cmocka_unit_test(test_two_at_the_first_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
