/* The commands by which a guest learns what VM it is in. */
#include "vmw_test.h"

static void test_version(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETVERSION), 6);
    assert_int_equal((uint32_t)mock.regs.rbx, 0x564d5868);
    assert_int_equal((uint32_t)mock.regs.rcx, 2);
    mock_stop(&mock);
}

static void test_hw_version(void **state)
{
    static const struct hvs_vmw_options chosen = {.size = sizeof(chosen), .hw_version = 21};
    static const struct hvs_vmw_options unset = {.size = sizeof(unset)};
    static const struct hvs_vmw_options too_small = {.size = sizeof(too_small) - 1, .hw_version = 21};
    static const struct {
        const struct hvs_vmw_options *options;
        uint32_t hw_version;
    } t[] = {{NULL, 13}, {&chosen, 21}, {&unset, 13}, {&too_small, 13}};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct mock mock;

        vmw_config(&mock, 1);
        mock.config.slot[0].options = t[i].options;
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(backdoor(&mock, BDOOR_CMD_GETHWVERSION), t[i].hw_version);
        assert_int_equal((uint32_t)mock.regs.rbx, BDOOR_MAGIC);
        mock_stop(&mock);
    }
}

static void test_uuid(void **state)
{
    static const uint8_t uuid[16] = {0x56, 0x4d, 0x58, 0x68, 1, 2, 3, 4, 5, 6, 7, 8, 0xfc, 0xfd, 0xfe, 0xff};
    struct mock mock;

    (void)state;
    vmw_config(&mock, 1);
    memcpy(mock.config.uuid, uuid, sizeof(uuid));
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETUUID), 0x68584d56);
    assert_int_equal((uint32_t)mock.regs.rbx, 0x04030201);
    assert_int_equal((uint32_t)mock.regs.rcx, 0x08070605);
    assert_int_equal((uint32_t)mock.regs.rdx, 0xfffefdfc);
    mock_stop(&mock);
}

static void test_memory_is_in_mib(void **state)
{
    static const struct {
        uint64_t bytes;
        uint32_t mib;
    } t[] = {{1 << 20, 1}, {(1 << 20) - 1, 0}, {512ull << 20, 512}, {6ull << 30, 6144}, {1ull << 46, 1u << 26}};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct mock mock;

        vmw_config(&mock, 1);
        mock.config.memory_bytes = t[i].bytes;
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(backdoor(&mock, BDOOR_CMD_GETMEMSIZE), t[i].mib);
        mock_stop(&mock);
    }
}

static void test_vcpu_info(void **state)
{
    static const uint32_t small_id[2] = {0, 254}, large_id[2] = {0, 255};
    static const struct {
        const uint32_t *apic_id;
        bool tsc_is_stable;
        uint32_t info;
    } t[] = {
        {NULL, true, 1u << 1 | 1u << 3},
        {small_id, true, 1u << 1 | 1u << 3},
        {large_id, true, 1u << 1},
        {NULL, false, 1u << 3},
        {large_id, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct mock mock;

        vmw_config(&mock, 2);
        mock.config.apic_id = t[i].apic_id;
        if (!t[i].tsc_is_stable)
            mock.config.caps &= ~(uint32_t)HVS_CAP_TSC_STABLE;
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(backdoor(&mock, BDOOR_CMD_GET_VCPU_INFO), t[i].info);
        mock_stop(&mock);
    }
}

static void test_serial_number(void **state)
{
    static const uint8_t uuid[16] = {0x56, 0x4d, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                                     0xcd, 0xef, 0x00, 0x0f, 0xf0, 0xff, 0x5a, 0xa5};
    char text[HVS_VMW_SERIAL_BYTES];

    (void)state;
    hvs_vmw_serial(uuid, text);
    assert_string_equal(text, "VMware-56 4d 01 23 45 67 89 ab-cd ef 00 0f f0 ff 5a a5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_hw_version),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_memory_is_in_mib),
        cmocka_unit_test(test_vcpu_info),
        cmocka_unit_test(test_serial_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
