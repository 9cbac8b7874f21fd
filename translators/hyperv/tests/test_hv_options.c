/* The words by which users set options. That they reach CPUID: test_hv_cpuid.c. */
#include "hv_test.h"

static void spin_retries(void **state)
{
    static const struct {
        const char *setting;
        int result;
        uint32_t retries;
    } cases[] = {
        {"spinlocks=8191", HVS_OK, 8191},
        {"spinlocks=0x1fff", HVS_OK, 0x1fff},
        {"spinlocks=0xFFFFffff", HVS_OK, 0xffffffff},
        {"spinlocks=1", HVS_OK, 1},
        {"spinlocks=4294967295", HVS_OK, 0xffffffff},
        {"spinlocks=4294967296", HVS_EINVAL, 7},
        {"spinlocks=99999999999999999999999999", HVS_EINVAL, 7},
        {"spinlocks=0", HVS_EINVAL, 7},
        {"spinlocks=", HVS_EINVAL, 7},
        {"spinlocks=0x", HVS_EINVAL, 7},
        {"spinlocks=12a", HVS_EINVAL, 7},
        {"spinlocks=-1", HVS_EINVAL, 7},
        {"spinlocks=on", HVS_EINVAL, 7},
        {"spinlocks", HVS_ENOENT, 7},
        {"spinlock=1", HVS_ENOENT, 7},
        {"spinlocksx=1", HVS_ENOENT, 7},
        {"", HVS_ENOENT, 7},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct hvs_hv_options options = {.size = sizeof(options), .spinlock_retries = 7};

        assert_int_equal(hvs_hv_options_parse(&options, cases[i].setting), cases[i].result);
        assert_int_equal(options.spinlock_retries, cases[i].retries);
    }
}

static void vendor(void **state)
{
    struct hvs_hv_options options = {.size = sizeof(options)};

    (void)state;
    assert_int_equal(hvs_hv_options_parse(&options, "vendor_id=somebodyelse"), HVS_OK);
    assert_memory_equal(options.vendor_id, "somebodyelse", 12);
    assert_int_equal(hvs_hv_options_parse(&options, "vendor_id=a=b"), HVS_OK);
    assert_memory_equal(options.vendor_id, "a=b\0\0\0\0\0\0\0\0\0", 12);
    assert_int_equal(hvs_hv_options_parse(&options, "vendor_id=somebody else"), HVS_EINVAL);
    assert_int_equal(hvs_hv_options_parse(&options, "vendor_id="), HVS_EINVAL);
    assert_memory_equal(options.vendor_id, "a=b", 4);
}

static void named_versions(void **state)
{
    static const struct {
        const char *setting;
        uint32_t build;
    } cases[] = {
        {"version=ws2016", 14393}, {"version=ws2019", 17763}, {"version=ws2022", 20348}, {"version=ws2025", 26100}};
    struct hvs_hv_options options = {.size = sizeof(options), .service_pack = 3, .service_branch = 1};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        assert_int_equal(hvs_hv_options_parse(&options, cases[i].setting), HVS_OK);
        assert_int_equal(options.build_number, cases[i].build);
        assert_int_equal(options.major_version, 10);
        assert_int_equal(options.minor_version, 0);
        assert_int_equal(options.service_pack | options.service_branch | options.service_number, 0);
    }
    assert_int_equal(hvs_hv_options_parse(&options, "version=ws2015"), HVS_EINVAL);
    assert_int_equal(hvs_hv_options_parse(&options, "version=ws20222"), HVS_EINVAL);
    assert_int_equal(hvs_hv_options_parse(&options, "version="), HVS_EINVAL);
    assert_int_equal(options.build_number, 26100);
}

static void version_reaches_the_guest(void **state)
{
    struct hvs_hv_options options = {.size = sizeof(options)};
    struct mock mock;

    (void)state;
    assert_int_equal(hvs_hv_options_parse(&options, "version=ws2022"), HVS_OK);
    hv_test_config(&mock, 1);
    mock.config.slot[0].options = &options;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_VERSION, HVS_EAX), 20348);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_VERSION, HVS_EBX), 10 << 16);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spin_retries),
        cmocka_unit_test(vendor),
        cmocka_unit_test(named_versions),
        cmocka_unit_test(version_reaches_the_guest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
