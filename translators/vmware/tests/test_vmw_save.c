/* Save and load in every state of a channel, and streams that nobody wrote. */
#include "vmw_rpc_test.h"

#define SUCCESS MESSAGE_STATUS_SUCCESS

static void on_balloon(void *ctx, uint64_t gfn, uint32_t nr_pages, bool gives)
{
    (void)ctx, (void)gfn, (void)nr_pages, (void)gives;
}

static void on_pointer_mode(void *ctx, enum hvs_vmw_pointer_mode mode)
{
    (void)ctx, (void)mode;
}

static const struct hvs_vmw_options options = {
    .size = sizeof(options), .on_balloon = on_balloon, .on_pointer_mode = on_pointer_mode};

static int setup(void **state)
{
    static struct mock mock;

    start_with_options(&mock, &options);
    *state = &mock;
    return 0;
}

static void test_idle_channels_stay_open(void **state)
{
    struct channel a = open_channel(*state, RPCI_PROTOCOL_NUM), b = {.mock = *state, .id = 1}, c;

    assert_int_equal(message(&b, MESSAGE_TYPE_OPEN, RPCI_PROTOCOL_NUM), SUCCESS);
    c = open_channel(*state, RPCI_PROTOCOL_NUM);
    assert_int_equal(message(&a, MESSAGE_TYPE_CLOSE, 0), SUCCESS);
    mock_save_load_save(*state);
    assert_int_equal(message(&a, MESSAGE_TYPE_SENDSIZE, 1), MESSAGE_STATUS_CLOSED);
    assert_string_equal(rpc(&b, "log x"), "1 ");
    assert_string_equal(rpc(&c, "log x"), "1 ");
    c.cookie_high ^= 1;
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDSIZE, 1), 0);
}

/* A half sent request: the guest is told to begin again, and does. */
static void test_while_sending(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    message(&c, MESSAGE_TYPE_SENDSIZE, 5);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 0x20676f6c), SUCCESS);
    mock_save_load_save(*state);
    mock_save_load_save(*state);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 'x'), MESSAGE_STATUS_CPT);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 'x'), 0);
    assert_string_equal(rpc(&c, "log x"), "1 ");
}

static void test_with_a_reply_waiting(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    send_text(&c, "nonsense");
    mock_save_load_save(*state);
    assert_string_equal(receive_text(&c), "0 Unknown command");
}

static void test_while_receiving(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    for (uint32_t i = 0; i < 2; i++) {
        send_text(&c, "nonsense");
        message(&c, MESSAGE_TYPE_RECVSIZE, 0);
        assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), SUCCESS);
        mock_save_load_save(*state);
        assert_int_equal(message(&c, i ? MESSAGE_TYPE_RECVSTATUS : MESSAGE_TYPE_RECVPAYLOAD, SUCCESS),
                         MESSAGE_STATUS_CPT);
        assert_string_equal(receive_text(&c), "0 Unknown command");
    }
}

static void test_largest_message(void **state)
{
    static char value[HVS_STORE_VALUE_BYTES + 1];
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    memset(value, 'v', HVS_STORE_VALUE_BYTES);
    set_guestinfo(*state, "big", text_of(value));
    send_text(&c, "info-get guestinfo.big");
    mock_save_load_save(*state);
    assert_string_equal(receive_text(&c) + 2, value);
    assert_string_equal(rpc(&c, "info-get guestinfo.big") + 2, value);
}

static void test_tclo(void **state)
{
    struct channel c = open_channel(*state, TCLO_PROTOCOL_NUM);

    message(&c, MESSAGE_TYPE_RECVSIZE, 0);
    mock_save_load_save(*state);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), MESSAGE_STATUS_CPT);
    assert_string_equal(receive_text(&c), "reset");
    mock_save_load_save(*state);
    send_text(&c, "OK ATR toolbox");
    mock_save_load_save(*state);
    assert_string_equal(receive_text(&c), "Capabilities_Register");
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_SEND, &(struct hvs_vmw_command){NULL, text_of("OS_Halt")}),
                     HVS_OK);
    mock_save_load_save(*state);
    send_text(&c, "OK ");
    assert_string_equal(receive_text(&c), "Set_Option synctime 0");
    send_text(&c, "OK ");
    assert_string_equal(receive_text(&c), "Set_Option broadcastIP 1");
    send_text(&c, "OK ");
    assert_string_equal(receive_text(&c), "OS_Halt");
    mock_save_load_save(*state);
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_SEND, &(struct hvs_vmw_command){NULL, text_of("ping")}),
                     HVS_ENOSPC);
    send_text(&c, "OK ");
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_SEND, &(struct hvs_vmw_command){NULL, text_of("ping")}), HVS_OK);
}

/* The guest polls instead of going on: what it was being told is told again. */
static void test_tclo_poll_after_a_checkpoint(void **state)
{
    struct channel c = open_channel(*state, TCLO_PROTOCOL_NUM);

    message(&c, MESSAGE_TYPE_RECVSIZE, 0);
    mock_save_load_save(*state);
    send_text(&c, "");
    assert_string_equal(receive_text(&c), "reset");
}

static void test_the_rest(void **state)
{
    struct hvs_vmw_balloon request = {.target_pages = 9};
    struct mock *mock = *state;

    set_marked_regs(mock, BALLOON_BDOOR_MAGIC, BALLOON_BDOOR_CMD_START);
    mock->regs.rbx = BALLOON_BASIC_CMDS;
    mock_in(mock, 0, BALLOON_BDOOR_PORT, 4);
    set_marked_regs(mock, BALLOON_BDOOR_MAGIC, BALLOON_BDOOR_CMD_LOCK);
    mock->regs.rbx = 20;
    mock_in(mock, 0, BALLOON_BDOOR_PORT, 4);
    set_marked_regs(mock, BDOOR_MAGIC, BDOOR_CMD_ABSPOINTER_COMMAND);
    mock->regs.rbx = VMMOUSE_CMD_ENABLE;
    mock_in(mock, 0, BDOOR_PORT, 4);
    set_marked_regs(mock, BDOOR_MAGIC, BDOOR_CMD_SETGUIOPTIONS);
    mock->regs.rbx = VMWARE_GUI_SYNC_TIME;
    mock_in(mock, 0, BDOOR_PORT, 4);
    host_request(mock, HVS_VMW_BALLOON, &request);
    mock_save_load_save(mock);
    request.target_pages = 10;
    host_request(mock, HVS_VMW_BALLOON, &request);
    assert_int_equal(request.locked_pages, 1);
    assert_true(request.is_there);
    assert_int_equal(backdoor(mock, BDOOR_CMD_GETGUIOPTIONS), VMWARE_GUI_SYNC_TIME);
    assert_int_equal(backdoor(mock, BDOOR_CMD_ABSPOINTER_STATUS), 1);
}

/* Any byte of a stream changed: it loads or it does not, and the VM works either way. */
static void test_damaged_streams(void **state)
{
    struct mock *mock = *state;
    struct channel rpci = open_channel(mock, RPCI_PROTOCOL_NUM), tclo = open_channel(mock, TCLO_PROTOCOL_NUM);
    static uint8_t stream[32768];
    uint32_t nr_loaded = 0, nr_refused = 0;
    size_t used;

    send_text(&rpci, "nonsense");
    message(&tclo, MESSAGE_TYPE_RECVSIZE, 0);
    host_request(mock, HVS_VMW_TCLO_SEND, &(struct hvs_vmw_command){NULL, text_of("ping")});
    assert_int_equal(hvs_vm_save(mock->vm, stream, sizeof(stream), &used), HVS_OK);
    for (size_t i = 16; i < used; i += i < 2000 ? 1 : 37) {
        uint8_t kept = stream[i];
        struct channel c;

        for (uint32_t change = 0; change < 2; change++) {
            stream[i] = change ? 0xff : (uint8_t)(kept ^ 1);
            if (hvs_vm_load(mock->vm, stream, used) == HVS_OK)
                nr_loaded++;
            else
                nr_refused++;
            stream[i] = kept;
            message(&rpci, MESSAGE_TYPE_RECVSIZE, 0);
            message(&tclo, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS);
            mock_reset(mock, 0);
            c = open_channel(mock, RPCI_PROTOCOL_NUM);
            assert_string_equal(rpc(&c, "log x"), "1 ");
        }
    }
    assert_true(nr_loaded > 100);
    assert_true(nr_refused > 50);
}

#define SAVE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, vmw_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SAVE_TEST(test_idle_channels_stay_open),
        SAVE_TEST(test_while_sending),
        SAVE_TEST(test_with_a_reply_waiting),
        SAVE_TEST(test_while_receiving),
        SAVE_TEST(test_largest_message),
        SAVE_TEST(test_tclo),
        SAVE_TEST(test_tclo_poll_after_a_checkpoint),
        SAVE_TEST(test_the_rest),
        SAVE_TEST(test_damaged_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
