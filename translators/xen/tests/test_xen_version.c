/* xen_version: what it says, in which bytes, and what it hides. */
#include "xen_test.h"

static int64_t version(struct mock *mock, uint32_t cmd, uint64_t gpa)
{
    return xen_call(mock, 0, __HYPERVISOR_xen_version, cmd, gpa, 0);
}

static void test_texts(void **state)
{
    static const struct {
        uint32_t cmd;
        uint32_t bytes;
        const char *text;
    } t[] = {
        {XENVER_extraversion, 16, ".7-hvshim"},
        {XENVER_compile_info, 144, "hvshim"},
        {XENVER_capabilities, 1024, "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 "},
        {XENVER_changeset, 64, "unavailable"},
        {XENVER_commandline, 9, "<denied>"},
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        size_t length = strlen(t[i].text);

        memset(mock.ram + ARG_GPA, 0xee, 2048);
        assert_int_equal(version(&mock, t[i].cmd, ARG_GPA), 0);
        assert_string_equal(mock.ram + ARG_GPA, t[i].text);
        for (size_t at = length; at < t[i].bytes; at++)
            assert_int_equal(mock.ram[ARG_GPA + at], 0);
        assert_int_equal(mock.ram[ARG_GPA + t[i].bytes], 0xee);
        assert_int_equal(version(&mock, t[i].cmd, BAD_GPA), -XEN_EFAULT);
        assert_int_equal(version(&mock, t[i].cmd, MOCK_RAM_BYTES - t[i].bytes + 1), -XEN_EFAULT);
    }
    mock_stop(&mock);
}

static void test_texts_of_the_user(void **state)
{
    const char long_text[] = "0123456789012345678901234567890123456789012345678901234567890123456789";
    const struct hvs_xen_options options = {
        .size = sizeof(options), .extra_version = long_text, .changeset = "cafe", .compiler = "cc", .compile_by = "me",
        .compile_domain = "here", .compile_date = long_text,
    };
    struct xen_compile_info info;
    struct mock mock;

    (void)state;
    start_with(&mock, 1, &options);
    assert_int_equal(version(&mock, XENVER_extraversion, ARG_GPA), 0);
    assert_string_equal(mock.ram + ARG_GPA, "012345678901234");
    assert_int_equal(version(&mock, XENVER_changeset, ARG_GPA), 0);
    assert_string_equal(mock.ram + ARG_GPA, "cafe");
    assert_int_equal(version(&mock, XENVER_compile_info, ARG_GPA), 0);
    memcpy(&info, mock.ram + ARG_GPA, sizeof(info));
    assert_string_equal(info.compiler, "cc");
    assert_string_equal(info.compile_by, "me");
    assert_string_equal(info.compile_domain, "here");
    assert_int_equal(strlen(info.compile_date), 31);
    mock_stop(&mock);
}

static void test_values(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(version(&mock, XENVER_version, 0), 4 << 16 | 17);
    assert_int_equal(version(&mock, XENVER_pagesize, 0), 4096);
    assert_int_equal(version(&mock, XENVER_pagesize, ARG_GPA), -XEN_EINVAL);
    assert_int_equal(version(&mock, XENVER_build_id, 0), -XEN_EPERM);
    mock_stop(&mock);
}

static void test_uuid(void **state)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
    struct mock mock;

    (void)state;
    mock_config(&mock, list, 1);
    for (uint8_t i = 0; i < 16; i++)
        mock.config.uuid[i] = i + 1;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(version(&mock, XENVER_guest_handle, ARG_GPA), 0);
    assert_memory_equal(mock.ram + ARG_GPA, mock.config.uuid, 16);
    assert_int_equal(version(&mock, XENVER_guest_handle, MOCK_RAM_BYTES - 15), -XEN_EFAULT);
    mock_stop(&mock);
}

static void test_platform_parameters_of_each_width(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        mock.regs.code_bits = bits;
        memset(mock.ram + ARG_GPA, 0xee, 16);
        assert_int_equal(version(&mock, XENVER_platform_parameters, ARG_GPA), 0);
        assert_int_equal(mock.ram[ARG_GPA + bits / 8 - 1], 0);
        assert_int_equal(mock.ram[ARG_GPA + bits / 8], 0xee);
    }
    mock_stop(&mock);
}

static void test_features(void **state)
{
    struct xen_feature_info info = {.submap_idx = 0};
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_xen_version, XENVER_get_features, &info, sizeof(info)), 0);
    assert_int_equal(info.submap, 1 << XENFEAT_writable_page_tables | 1 << XENFEAT_auto_translated_physmap |
                                  1 << XENFEAT_hvm_callback_vector | 1 << XENFEAT_hvm_safe_pvclock |
                                  1 << XENFEAT_not_direct_mapped);
    for (uint32_t i = 1; i != 0; i <<= 1) {
        info = (struct xen_feature_info){.submap_idx = i, .submap = 0x77};
        assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_xen_version, XENVER_get_features, &info, sizeof(info)),
                         -XEN_EINVAL);
        assert_int_equal(info.submap, 0x77);
    }
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_texts_of_the_user),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_platform_parameters_of_each_width),
        cmocka_unit_test(test_features),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
