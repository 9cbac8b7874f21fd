/* The backdoor's transports: widths, directions, the magic, privilege, and everything a guest can do wrong. */
#include "vmw_test.h"

static void test_in_changes_low_halves_only(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    set_marked_regs(&mock, BDOOR_MAGIC, BDOOR_CMD_GETVERSION);
    struct hvs_regs expected = mock.regs;

    expected.rax = VERSION_MAGIC;       /* IN of 4 bytes clears the upper half, as any IN does */
    expected.rbx = UPPER(0xb) | BDOOR_MAGIC;
    expected.rcx = UPPER(0xc) | VMX_TYPE_SCALABLE_SERVER;
    assert_int_equal(mock_in(&mock, 0, BDOOR_PORT, 4), HVS_HANDLED);
    assert_true(mock.out.regs_changed);
    assert_int_equal(mock.out.nr_effects, 0);
    assert_regs_equal(&mock.regs, &expected);
    mock_stop(&mock);
}

static void test_out_leaves_eax(void **state)
{
    static const uint8_t size_bytes[] = {1, 2, 4};
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(size_bytes); i++) {
        set_marked_regs(&mock, BDOOR_MAGIC, BDOOR_CMD_GETVERSION);
        struct hvs_regs expected = mock.regs;

        expected.rbx = UPPER(0xb) | BDOOR_MAGIC;
        expected.rcx = UPPER(0xc) | VMX_TYPE_SCALABLE_SERVER;
        assert_int_equal(mock_out(&mock, 0, BDOOR_PORT, size_bytes[i]), HVS_HANDLED);
        assert_true(mock.out.regs_changed);
        assert_regs_equal(&mock.regs, &expected);
    }
    mock_stop(&mock);
}

static void test_narrow_in_sets_al_or_ax(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    set_marked_regs(&mock, BDOOR_MAGIC, BDOOR_CMD_GETVERSION);
    assert_int_equal(mock_in(&mock, 0, BDOOR_PORT, 1), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, UPPER(0xa) | 0x564d5806);
    assert_int_equal(mock.regs.rbx, UPPER(0xb) | BDOOR_MAGIC);
    set_marked_regs(&mock, BDOOR_MAGIC, BDOOR_CMD_GETVERSION);
    assert_int_equal(mock_in(&mock, 0, BDOOR_PORT, 2), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, UPPER(0xa) | 0x564d0006);
    assert_int_equal(mock.regs.rbx, UPPER(0xb) | BDOOR_MAGIC);
    set_marked_regs(&mock, BDOOR_MAGIC, 0);
    assert_int_equal(mock_in(&mock, 0, BDOOR_PORT, 2), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, UPPER(0xa) | 0x564dffff);
    mock_stop(&mock);
}

static void test_without_magic_the_bus_floats(void **state)
{
    static const struct {
        uint32_t eax;
        uint8_t size_bytes;
        uint64_t rax;
    } t[] = {
        {0, 4, 0xffffffff},
        {BDOOR_MAGIC + 1, 4, 0xffffffff},
        {BALLOON_BDOOR_MAGIC, 4, 0xffffffff},
        {0x12345678, 2, UPPER(0xa) | 0x1234ffff},
        {0x12345678, 1, UPPER(0xa) | 0x123456ff},
    };
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        set_marked_regs(&mock, t[i].eax, BDOOR_CMD_GETVERSION);
        struct hvs_regs expected = mock.regs;

        assert_int_equal(mock_out(&mock, 0, BDOOR_PORT, t[i].size_bytes), HVS_HANDLED);
        assert_regs_equal(&mock.regs, &expected);
        expected.rax = t[i].rax;
        assert_int_equal(mock_in(&mock, 0, BDOOR_PORT, t[i].size_bytes), HVS_HANDLED);
        assert_regs_equal(&mock.regs, &expected);
    }
    mock_stop(&mock);
}

/* open-vm-tools leaves what it likes above the command (seen: RCX ffff000a). */
static void test_command_is_16_bits_of_ecx(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    assert_int_equal(backdoor(&mock, 0xffff0000 | BDOOR_CMD_GETVERSION), VERSION_MAGIC);
    mock_stop(&mock);
}

static bool is_ours(uint32_t command)
{
    static const uint32_t ours[] = {1, 10, 13, 14, 17, 19, 20, 23, 30, 36, 45, 46, 55, 68, 91};

    for (size_t i = 0; i < HVS_ARRAY_SIZE(ours); i++) {
        if (ours[i] == command)
            return true;
    }
    return false;
}

/* Of a VMM that does not feed a pointer. */
static void assert_not_ours(struct mock *mock, uint32_t command)
{
    if ((command >= BDOOR_CMD_ABSPOINTER_DATA && command <= BDOOR_CMD_ABSPOINTER_COMMAND) ||
        command == BDOOR_CMD_ABSPOINTER_RESTRICT)
        assert_left_to_vmm(mock, command);
    else
        assert_unsupported(mock, command);
}

static void test_every_other_command_is_unsupported(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    for (uint32_t command = 0; command <= UINT16_MAX; command++) {
        if (!is_ours(command))
            assert_not_ours(&mock, command);
    }
    mock_stop(&mock);
}

static void test_cpl_rules(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    hvs_vm_set_wall_clock(mock.vm, 1);
    for (uint32_t command = 0; command < BDOOR_CMD_MAX; command++) {
        mock.regs.cpl = 0;
        if (is_ours(command))
            assert_int_not_equal(backdoor(&mock, command), BDOOR_UNSUPPORTED);
        for (mock.regs.cpl = 1; mock.regs.cpl <= 3; mock.regs.cpl++) {
            if (is_ours(command) && command != BDOOR_CMD_GETHZ && command != BDOOR_CMD_STEALCLOCK)
                assert_int_not_equal(backdoor(&mock, command), BDOOR_UNSUPPORTED);
            else
                assert_not_ours(&mock, command);
        }
    }
    mock_stop(&mock);
}

static enum hvs_verdict string_exit(struct mock *mock, bool is_in)
{
    return hvs_vcpu_exit(mock_vcpu(mock, 0), &(struct hvs_exit){
        .kind = HVS_EXIT_PIO,
        .pio = {.port = BDOOR_PORT, .size_bytes = 1, .is_in = is_in, .is_string = true, .count = 64},
    }, &mock->regs, &mock->out);
}

static void test_what_is_not_the_backdoor(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    set_marked_regs(&mock, BDOOR_MAGIC, BDOOR_CMD_GETVERSION);
    struct hvs_regs before = mock.regs;

    assert_int_equal(string_exit(&mock, true), HVS_UNHANDLED);
    assert_int_equal(string_exit(&mock, false), HVS_UNHANDLED);
    assert_int_equal(mock_in(&mock, 0, BDOOR_PORT - 1, 4), HVS_UNHANDLED);
    assert_int_equal(mock_in(&mock, 0, BDOORHB_PORT, 1), HVS_UNHANDLED);
    assert_int_equal(mock_in(&mock, 0, BALLOON_BDOOR_PORT, 4), HVS_UNHANDLED);
    assert_regs_equal(&mock.regs, &before);
    mock_stop(&mock);
}

static void test_vmport_off(void **state)
{
    struct mock mock;

    (void)state;
    vmw_config(&mock, 1);
    mock.config.slot[0].features_off = feature_bit("vmport");
    assert_int_equal(mock_start(&mock), HVS_OK);
    set_marked_regs(&mock, BDOOR_MAGIC, BDOOR_CMD_GETVERSION);
    assert_int_equal(mock_in(&mock, 0, BDOOR_PORT, 4), HVS_UNHANDLED);
    mock_stop(&mock);
}

static void set_vmcall(struct mock *mock, uint32_t eax, uint16_t flags)
{
    set_marked_regs(mock, eax, BDOOR_CMD_GETVERSION);
    mock->regs.rdx = UPPER(0xd) | flags;
}

static void test_vmcall_is_off_by_default(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    set_vmcall(&mock, BDOOR_MAGIC, 0);
    struct hvs_regs before = mock.regs;

    assert_int_equal(mock_hypercall(&mock, 0, HVS_SLOT_RAW), HVS_UNHANDLED);
    assert_regs_equal(&mock.regs, &before);
    mock_stop(&mock);
}

static void test_vmcall_needs_a_host_that_sees_it(void **state)
{
    struct mock mock;

    (void)state;
    vmw_config(&mock, 1);
    mock.config.slot[0].features_on = feature_bit("vmcall");
    mock.config.caps &= ~(uint32_t)HVS_CAP_RAW_HYPERCALL;
    assert_int_equal(mock_start(&mock), HVS_ENOTSUP);
    assert_int_equal(hvs_vm_missing_caps(&mock.config), HVS_CAP_RAW_HYPERCALL);
}

static void test_vmcall(void **state)
{
    static const struct {
        uint32_t eax;
        uint16_t flags;
        enum hvs_verdict verdict;
        uint32_t eax_after, ebx_after;
    } t[] = {
        {BDOOR_MAGIC, BDOOR_FLAGS_READ, HVS_HANDLED, VERSION_MAGIC, BDOOR_MAGIC},
        {BDOOR_MAGIC, BDOOR_FLAGS_WRITE, HVS_HANDLED, BDOOR_MAGIC, BDOOR_MAGIC},
        {BDOOR_MAGIC, BDOOR_FLAGS_HB, HVS_HANDLED, BDOOR_MAGIC, 0x0b0b0b0b},
        {BDOOR_MAGIC, BDOOR_FLAGS_HB | BDOOR_FLAGS_WRITE, HVS_HANDLED, BDOOR_MAGIC, 0x0b0b0b0b},
        {17, BDOOR_FLAGS_READ, HVS_UNHANDLED, 17, 0x0b0b0b0b},
    };
    struct mock mock;

    (void)state;
    vmw_config(&mock, 1);
    mock.config.slot[0].features_on = feature_bit("vmcall");
    assert_int_equal(mock_start(&mock), HVS_OK);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        set_vmcall(&mock, t[i].eax, t[i].flags);
        assert_int_equal(mock_hypercall(&mock, 0, HVS_SLOT_RAW), t[i].verdict);
        assert_int_equal(mock.regs.rax, UPPER(0xa) | t[i].eax_after);
        assert_int_equal(mock.regs.rbx, UPPER(0xb) | t[i].ebx_after);
        assert_upper_halves_kept(&mock.regs);
    }
    set_vmcall(&mock, BDOOR_MAGIC, 0);
    mock.regs.rcx = BDOOR_CMD_GETHZ;
    mock.regs.cpl = 3;
    assert_int_equal(mock_hypercall(&mock, 0, HVS_SLOT_RAW), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, UPPER(0xa) | BDOOR_UNSUPPORTED);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_changes_low_halves_only),
        cmocka_unit_test(test_out_leaves_eax),
        cmocka_unit_test(test_narrow_in_sets_al_or_ax),
        cmocka_unit_test(test_without_magic_the_bus_floats),
        cmocka_unit_test(test_command_is_16_bits_of_ecx),
        cmocka_unit_test(test_every_other_command_is_unsupported),
        cmocka_unit_test(test_cpl_rules),
        cmocka_unit_test(test_what_is_not_the_backdoor),
        cmocka_unit_test(test_vmport_off),
        cmocka_unit_test(test_vmcall_is_off_by_default),
        cmocka_unit_test(test_vmcall_needs_a_host_that_sees_it),
        cmocka_unit_test(test_vmcall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
