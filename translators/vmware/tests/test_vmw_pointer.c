/* The absolute pointer: Linux's way through it, coalescing, restriction, and a guest that asks for too much. */
#include "vmw_rpc_test.h"

static enum hvs_vmw_pointer_mode mode;
static uint32_t nr_modes;

static void on_pointer_mode(void *ctx, enum hvs_vmw_pointer_mode wanted)
{
    assert_null(ctx);
    mode = wanted;
    nr_modes++;
}

static const struct hvs_vmw_options options = {.size = sizeof(options), .on_pointer_mode = on_pointer_mode};

static int setup(void **state)
{
    static struct mock mock;

    mode = HVS_VMW_POINTER_OFF;
    nr_modes = 0;
    start_with_options(&mock, &options);
    *state = &mock;
    return 0;
}

static uint32_t command(struct mock *mock, uint32_t number, uint32_t ebx)
{
    set_marked_regs(mock, BDOOR_MAGIC, number);
    mock->regs.rbx = UPPER(0xb) | ebx;
    assert_int_equal(mock_in(mock, 0, BDOOR_PORT, 4), HVS_HANDLED);
    assert_upper_halves_kept(&mock->regs);
    return (uint32_t)mock->regs.rax;
}

static uint32_t status(struct mock *mock)
{
    return command(mock, BDOOR_CMD_ABSPOINTER_STATUS, 0);
}

static void enable(struct mock *mock, uint32_t request)
{
    command(mock, BDOOR_CMD_ABSPOINTER_COMMAND, VMMOUSE_CMD_ENABLE);
    assert_int_equal(status(mock), 1);
    assert_int_equal(command(mock, BDOOR_CMD_ABSPOINTER_DATA, 1), VMMOUSE_VERSION_ID);
    command(mock, BDOOR_CMD_ABSPOINTER_COMMAND, request);
    assert_int_equal(status(mock), 0);
}

static int move(struct mock *mock, int32_t x, int32_t y, bool left)
{
    return host_request(mock, HVS_VMW_POINTER, &(struct hvs_vmw_pointer){.x = x, .y = y, .z = 1, .left = left});
}

static void assert_packet(struct mock *mock, uint32_t flags, uint32_t x, uint32_t y, uint32_t z)
{
    assert_int_equal(command(mock, BDOOR_CMD_ABSPOINTER_DATA, 4), flags);
    assert_int_equal((uint32_t)mock->regs.rbx, x);
    assert_int_equal((uint32_t)mock->regs.rcx, y);
    assert_int_equal((uint32_t)mock->regs.rdx, z);
    assert_int_equal((uint32_t)mock->regs.rsi, 0x05050505);
}

static void test_from_enabling_to_disabling(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(status(mock), VMMOUSE_ERROR);
    assert_int_equal(move(mock, 1, 2, false), HVS_ENOENT);
    enable(mock, VMMOUSE_CMD_REQUEST_ABSOLUTE);
    assert_int_equal(mode, HVS_VMW_POINTER_ABSOLUTE);
    assert_int_equal(command(mock, BDOOR_CMD_ISMOUSEABSOLUTE, 0), 1);
    assert_int_equal(move(mock, 0x1234, 0xffff, true), HVS_OK);
    assert_int_equal(status(mock), 4);
    assert_packet(mock, VMMOUSE_LEFT_BUTTON, 0x1234, 0xffff, 1);
    assert_int_equal(status(mock), 0);
    command(mock, BDOOR_CMD_ABSPOINTER_COMMAND, VMMOUSE_CMD_DISABLE);
    assert_int_equal(mode, HVS_VMW_POINTER_OFF);
    assert_int_equal(status(mock), VMMOUSE_ERROR);
    assert_int_equal(command(mock, BDOOR_CMD_ISMOUSEABSOLUTE, 0), 0);
    command(mock, BDOOR_CMD_ABSPOINTER_COMMAND, VMMOUSE_CMD_REQUEST_ABSOLUTE);
    assert_int_equal(status(mock), VMMOUSE_ERROR);
    command(mock, BDOOR_CMD_ABSPOINTER_COMMAND, 0x12345678);
    assert_int_equal(status(mock), VMMOUSE_ERROR);
}

static void test_motion_is_one_packet(void **state)
{
    struct mock *mock = *state;

    enable(mock, VMMOUSE_CMD_REQUEST_ABSOLUTE);
    for (int32_t i = 0; i < 1000; i++)
        assert_int_equal(move(mock, i, 2 * i, false), HVS_OK);
    assert_int_equal(status(mock), 4);
    assert_packet(mock, 0, 999, 1998, 1000);
}

static void test_clicks_are_kept_apart(void **state)
{
    struct mock *mock = *state;

    enable(mock, VMMOUSE_CMD_REQUEST_ABSOLUTE);
    move(mock, 1, 1, false);
    move(mock, 2, 2, true);
    move(mock, 3, 3, true);
    move(mock, 4, 4, false);
    assert_int_equal(status(mock), 12);
    assert_packet(mock, 0, 1, 1, 1);
    assert_packet(mock, VMMOUSE_LEFT_BUTTON, 3, 3, 2);
    assert_packet(mock, 0, 4, 4, 1);
}

static void test_relative(void **state)
{
    struct hvs_vmw_pointer event = {.x = -5, .y = 7, .z = -1, .is_relative = true, .middle = true, .right = true};
    struct mock *mock = *state;

    enable(mock, VMMOUSE_CMD_REQUEST_RELATIVE);
    assert_int_equal(mode, HVS_VMW_POINTER_RELATIVE);
    assert_int_equal(move(mock, 1, 1, false), HVS_EINVAL);
    assert_int_equal(host_request(mock, HVS_VMW_POINTER, &event), HVS_OK);
    assert_int_equal(host_request(mock, HVS_VMW_POINTER, &event), HVS_OK);
    assert_packet(mock, VMMOUSE_RELATIVE_PACKET | VMMOUSE_RIGHT_BUTTON | VMMOUSE_MIDDLE_BUTTON, (uint32_t)-10, 14,
                  (uint32_t)-2);
    enable(mock, VMMOUSE_CMD_REQUEST_ABSOLUTE);
    assert_int_equal(host_request(mock, HVS_VMW_POINTER, &event), HVS_EINVAL);
}

/* A guest that does not read: clicks beyond the queue become one, with the buttons as they are now. */
static void test_full_queue(void **state)
{
    struct mock *mock = *state;

    enable(mock, VMMOUSE_CMD_REQUEST_ABSOLUTE);
    for (int32_t i = 0; i < 1001; i++)
        assert_int_equal(move(mock, i, i, i & 1), HVS_OK);
    assert_int_equal(status(mock), 256);
    for (uint32_t i = 0; i < 63; i++)
        assert_packet(mock, i & 1 ? VMMOUSE_LEFT_BUTTON : 0, i, i, 1);
    assert_packet(mock, 0, 1000, 1000, 1001 - 63);
}

static void test_a_guest_that_reads_out_of_step(void **state)
{
    struct mock *mock = *state;
    int err = HVS_OK;

    enable(mock, VMMOUSE_CMD_REQUEST_ABSOLUTE);
    move(mock, 1, 2, false);
    command(mock, BDOOR_CMD_ABSPOINTER_DATA, 1);
    for (uint32_t i = 0; i < 100 && err == HVS_OK; i++)
        err = move(mock, 5, 6, false);
    assert_int_equal(err, HVS_ENOSPC);
    assert_int_equal(status(mock), 255);
    assert_int_equal(command(mock, BDOOR_CMD_ABSPOINTER_DATA, 6), 1);
    assert_int_equal((uint32_t)mock->regs.rdi, 6);
}

static void test_asking_for_too_much(void **state)
{
    static const uint32_t nr[] = {0, 5, 7, 0xffffffff};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(nr); i++) {
        enable(mock, VMMOUSE_CMD_REQUEST_ABSOLUTE);
        move(mock, 1, 2, false);
        assert_int_equal(command(mock, BDOOR_CMD_ABSPOINTER_DATA, nr[i]), VMMOUSE_ERROR);
        assert_int_equal((uint32_t)mock->regs.rcx, BDOOR_CMD_ABSPOINTER_DATA);
        assert_int_equal(status(mock), VMMOUSE_ERROR);
        assert_int_equal(mode, HVS_VMW_POINTER_OFF);
    }
}

static bool works_at(struct mock *mock, uint8_t cpl, uint8_t iopl)
{
    bool works;

    mock->regs.cpl = cpl;
    mock->regs.rflags = 2 | (uint64_t)iopl << 12;
    works = status(mock) != BDOOR_UNSUPPORTED;
    mock->regs.cpl = 0;
    return works;
}

static void test_restriction(void **state)
{
    struct mock *mock = *state;

    assert_true(works_at(mock, 3, 0));
    mock->regs.cpl = 3;
    assert_int_not_equal(command(mock, BDOOR_CMD_ABSPOINTER_RESTRICT, VMMOUSE_RESTRICT_IOPL), BDOOR_UNSUPPORTED);
    assert_false(works_at(mock, 3, 0));
    assert_false(works_at(mock, 3, 2));
    assert_true(works_at(mock, 3, 3));
    assert_true(works_at(mock, 1, 1));
    assert_int_not_equal(command(mock, BDOOR_CMD_ABSPOINTER_RESTRICT, VMMOUSE_RESTRICT_CPL0), BDOOR_UNSUPPORTED);
    assert_true(works_at(mock, 0, 0));
    assert_false(works_at(mock, 3, 3));
    mock->regs.cpl = 3;
    assert_int_equal(command(mock, BDOOR_CMD_ABSPOINTER_RESTRICT, VMMOUSE_RESTRICT_ANY), BDOOR_UNSUPPORTED);
    assert_int_equal(command(mock, BDOOR_CMD_ABSPOINTER_COMMAND, VMMOUSE_CMD_ENABLE), BDOOR_UNSUPPORTED);
    assert_int_equal(command(mock, BDOOR_CMD_ABSPOINTER_DATA, 1), BDOOR_UNSUPPORTED);
    mock->regs.cpl = 0;
    assert_int_equal(command(mock, BDOOR_CMD_ABSPOINTER_RESTRICT, 3), BDOOR_UNSUPPORTED);
    mock_reset(mock, 0);
    assert_true(works_at(mock, 3, 0));
}

static void test_without_a_vmm_that_listens(void **state)
{
    struct mock *mock = *state;

    mock_stop(mock);
    mock_start_one(mock, &hvs_vmw_personality, 1);
    assert_left_to_vmm(mock, BDOOR_CMD_ABSPOINTER_STATUS);
    assert_left_to_vmm(mock, BDOOR_CMD_ABSPOINTER_COMMAND);
    assert_left_to_vmm(mock, BDOOR_CMD_ABSPOINTER_DATA);
    assert_left_to_vmm(mock, BDOOR_CMD_ABSPOINTER_RESTRICT);
    assert_int_equal(backdoor(mock, BDOOR_CMD_ISMOUSEABSOLUTE), 0);
    assert_int_equal(move(mock, 1, 2, false), HVS_ENOENT);
}

static void test_switched_off(void **state)
{
    struct mock *mock = *state;

    mock_stop(mock);
    vmw_config(mock, 1);
    mock->config.slot[0].features_off = 1ull << hvs_feature_find(&hvs_vmw_personality, "vmmouse");
    assert_int_equal(mock_start(mock), HVS_OK);
    assert_unsupported(mock, BDOOR_CMD_ABSPOINTER_STATUS);
}

#define POINTER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, vmw_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POINTER_TEST(test_from_enabling_to_disabling),
        POINTER_TEST(test_motion_is_one_packet),
        POINTER_TEST(test_clicks_are_kept_apart),
        POINTER_TEST(test_relative),
        POINTER_TEST(test_full_queue),
        POINTER_TEST(test_a_guest_that_reads_out_of_step),
        POINTER_TEST(test_asking_for_too_much),
        POINTER_TEST(test_restriction),
        POINTER_TEST(test_without_a_vmm_that_listens),
        POINTER_TEST(test_switched_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
