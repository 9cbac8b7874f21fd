/* The CPUID leaves: identity, version and limits from options and configuration [TLFS feature-discovery]. */
#include "hv_test.h"

static void names_the_vendor_and_the_interface(void **state)
{
    struct mock *mock = *state;
    struct hvs_cpuid_regs vendor = mock_cpuid(mock, 0, HV_CPUID_VENDOR_AND_MAX_FUNCTION, 0);
    struct hvs_cpuid_regs interface = mock_cpuid(mock, 0, HV_CPUID_INTERFACE, 0);

    assert_int_equal(vendor.reg[HVS_EAX], 0x4000000c);
    assert_int_equal(vendor.reg[HVS_EBX], HV_VENDOR_EBX);
    assert_int_equal(vendor.reg[HVS_ECX], HV_VENDOR_ECX);
    assert_int_equal(vendor.reg[HVS_EDX], HV_VENDOR_EDX);
    assert_memory_equal(&vendor.reg[HVS_EBX], "Microsoft Hv", 12);
    assert_memory_equal(&interface.reg[HVS_EAX], "Hv#1", 4);
    assert_int_equal(interface.reg[HVS_EBX] | interface.reg[HVS_ECX] | interface.reg[HVS_EDX], 0);
}

static void is_windows_server_2016_by_default(void **state)
{
    struct hvs_cpuid_regs version = mock_cpuid(*state, 0, HV_CPUID_VERSION, 0);

    assert_int_equal(version.reg[HVS_EAX], 14393);
    assert_int_equal(version.reg[HVS_EBX], 10 << 16);
    assert_int_equal(version.reg[HVS_ECX] | version.reg[HVS_EDX], 0);
}

static void has_no_vp_limit_and_claims_no_hardware(void **state)
{
    struct hvs_cpuid_regs limits = mock_cpuid(*state, 0, HV_CPUID_IMPLEMENTATION_LIMITS, 0);

    assert_int_equal(limits.reg[HVS_EAX], 0xffffffff);
    assert_int_equal(limits.reg[HVS_EBX] | limits.reg[HVS_ECX] | limits.reg[HVS_EDX], 0);
    for (uint32_t leaf = HV_CPUID_HARDWARE_FEATURES; leaf <= HV_CPUID_ISOLATION_CONFIGURATION; leaf++) {
        struct hvs_cpuid_regs r = mock_cpuid(*state, 0, leaf, 0);

        assert_int_equal(r.reg[0] | r.reg[1] | r.reg[2] | r.reg[3], 0);
    }
}

static void tells_address_width_and_spin_retries(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(hv_test_cpuid(mock, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_ECX), mock->config.phys_bits);
    assert_int_equal(hv_test_cpuid(mock, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_EBX), 4095);
}

static void never_asks_for_notice_without_spinlocks(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].features_off = hv_test_feature("spinlocks");
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_EBX), 0xffffffff);
    mock_stop(&mock);
}

static void says_what_the_options_say(void **state)
{
    static const struct hvs_hv_options options = {
        .size = sizeof(options),
        .spinlock_retries = 0x1fff,
        .vendor_id = "somebodyelse",
        .build_number = 20348,
        .major_version = 10,
        .minor_version = 3,
        .service_pack = 1,
        .service_number = 0x1234567,    /* one digit too many: it must not reach the branch */
        .service_branch = 8,
    };
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].options = &options;
    assert_int_equal(mock_start(&mock), HVS_OK);

    struct hvs_cpuid_regs vendor = mock_cpuid(&mock, 0, HV_CPUID_VENDOR_AND_MAX_FUNCTION, 0);
    struct hvs_cpuid_regs version = mock_cpuid(&mock, 0, HV_CPUID_VERSION, 0);

    assert_memory_equal(&vendor.reg[HVS_EBX], "somebodyelse", 12);
    assert_int_equal(version.reg[HVS_EAX], 20348);
    assert_int_equal(version.reg[HVS_EBX], 10 << 16 | 3);
    assert_int_equal(version.reg[HVS_ECX], 1);
    assert_int_equal(version.reg[HVS_EDX], 8 << 24 | 0x234567);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_EBX), 0x1fff);
    mock_stop(&mock);
}

/* A caller built when the struct ended behind spinlock_retries; what follows is not its. */
static void understands_shorter_options(void **state)
{
    static const struct hvs_hv_options options = {
        .size = offsetof(struct hvs_hv_options, vendor_id),
        .spinlock_retries = 5000,
        .vendor_id = "not to read!",
        .build_number = 1,
    };
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].options = &options;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_VENDOR_AND_MAX_FUNCTION, HVS_EBX), HV_VENDOR_EBX);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_VERSION, HVS_EAX), 14393);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_EBX), 5000);
    mock_stop(&mock);
}

static void is_the_same_on_every_vp(void **state)
{
    for (uint32_t leaf = HV_CPUID_VENDOR_AND_MAX_FUNCTION; leaf <= HV_CPUID_ISOLATION_CONFIGURATION; leaf++) {
        struct hvs_cpuid_regs on_0 = mock_cpuid(*state, 0, leaf, 0), on_1 = mock_cpuid(*state, 1, leaf, 0);

        assert_memory_equal(&on_0, &on_1, sizeof(on_0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(names_the_vendor_and_the_interface),
        HV_TEST(is_windows_server_2016_by_default),
        HV_TEST(has_no_vp_limit_and_claims_no_hardware),
        HV_TEST(tells_address_width_and_spin_retries),
        cmocka_unit_test(never_asks_for_notice_without_spinlocks),
        cmocka_unit_test(says_what_the_options_say),
        cmocka_unit_test(understands_shorter_options),
        HV_TEST(is_the_same_on_every_vp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
