/* TCLO: a program that polls as open-vm-tools and OpenBSD's vmt do, and one that does not keep to the protocol. */
#include "vmw_rpc_test.h"

static struct {
    char reply[64];
    bool ok;
    uint32_t nr;
} told;

static void on_tclo_reply(void *ctx, bool ok, struct hvs_text reply)
{
    assert_ptr_equal(ctx, &told);
    assert_true(reply.bytes < sizeof(told.reply));
    memset(told.reply, 0, sizeof(told.reply));
    memcpy(told.reply, reply.text, reply.bytes);
    told.ok = ok;
    told.nr++;
}

static const struct hvs_vmw_options options = {.size = sizeof(options), .ctx = &told, .on_tclo_reply = on_tclo_reply};

static int setup(void **state)
{
    static struct mock mock;

    memset(&told, 0, sizeof(told));
    start_with_options(&mock, &options);
    *state = &mock;
    return 0;
}

/* Answers the last command, or "" to answer nothing, and returns the next one, or NULL. */
static const char *poll(const struct channel *c, const char *answer)
{
    send_text(c, answer);
    return receive_text(c);
}

/* A program that has been told all that everyone is told. */
static struct channel registered(struct mock *mock, const char *name)
{
    struct channel c = open_channel(mock, TCLO_PROTOCOL_NUM);
    char answer[64] = "OK ATR ";

    strcat(answer, name);
    assert_string_equal(poll(&c, ""), "reset");
    for (const char *command = poll(&c, answer); command; command = poll(&c, "OK "))
        assert_true(strcmp(command, "Capabilities_Register") == 0 || strncmp(command, "Set_Option ", 11) == 0);
    return c;
}

static int send_command(struct mock *mock, const char *channel, const char *text)
{
    return host_request(mock, HVS_VMW_TCLO_SEND, &(struct hvs_vmw_command){channel, text_of(text)});
}

static void test_what_the_daemon_is_told(void **state)
{
    struct channel c = open_channel(*state, TCLO_PROTOCOL_NUM);

    assert_string_equal(poll(&c, ""), "reset");
    assert_string_equal(poll(&c, "OK ATR toolbox"), "Capabilities_Register");
    assert_string_equal(poll(&c, "OK "), "Set_Option synctime 0");
    assert_string_equal(poll(&c, "OK "), "Set_Option broadcastIP 1");
    assert_null(poll(&c, "OK "));
    assert_null(poll(&c, ""));
}

static void test_what_others_are_told(void **state)
{
    struct channel c = open_channel(*state, TCLO_PROTOCOL_NUM);

    assert_string_equal(poll(&c, ""), "reset");
    assert_string_equal(poll(&c, "OK ATR toolbox-dnd"), "Capabilities_Register");
    assert_null(poll(&c, "ERROR Unknown Command"));
}

/* vmt reopens its channel with the answer to the reset that will come. */
static void test_name_before_it_is_asked_for(void **state)
{
    struct channel c = open_channel(*state, TCLO_PROTOCOL_NUM);

    assert_string_equal(poll(&c, "OK ATR toolbox"), "reset");
    assert_string_equal(poll(&c, "OK ATR toolbox"), "Capabilities_Register");
}

static void test_bad_answers_to_reset(void **state)
{
    static const char *const answer[] = {"", "OK", "OK ATR", "ERROR ATR toolbox", "OK ATX toolbox"};

    for (size_t i = 0; i < HVS_ARRAY_SIZE(answer); i++) {
        struct channel c = open_channel(*state, TCLO_PROTOCOL_NUM);

        assert_string_equal(poll(&c, ""), "reset");
        assert_null(poll(&c, answer[i]));
        assert_int_equal(message(&c, MESSAGE_TYPE_CLOSE, 0), MESSAGE_STATUS_SUCCESS);
    }
}

static void test_long_names_are_cut(void **state)
{
    struct channel c = registered(*state, "a-name-that-is-far-too-long");

    assert_int_equal(send_command(*state, "a-name-that-is-", "ping"), HVS_OK);
    assert_string_equal(poll(&c, ""), "ping");
    assert_int_equal(send_command(*state, "a-name-that-is-f", "ping"), HVS_EINVAL);
}

static void test_host_command_and_its_reply(void **state)
{
    struct channel c = registered(*state, "toolbox"), other = registered(*state, "toolbox-dnd");

    assert_int_equal(send_command(*state, NULL, "OS_Halt"), HVS_OK);
    assert_int_equal(send_command(*state, NULL, "OS_Halt"), HVS_ENOSPC);
    assert_null(poll(&other, ""));
    assert_string_equal(poll(&c, ""), "OS_Halt");
    assert_int_equal(told.nr, 0);
    assert_int_equal(send_command(*state, NULL, "ping"), HVS_ENOSPC);
    assert_null(poll(&c, "OK "));
    assert_int_equal(told.nr, 1);
    assert_true(told.ok);
    assert_string_equal(told.reply, "");
    assert_int_equal(send_command(*state, "toolbox-dnd", "nonsense"), HVS_OK);
    assert_null(poll(&c, ""));
    assert_string_equal(poll(&other, ""), "nonsense");
    assert_null(poll(&other, "ERROR Unknown Command"));
    assert_int_equal(told.nr, 2);
    assert_false(told.ok);
    assert_string_equal(told.reply, "Unknown Command");
}

static void test_host_command_waits_for_the_program(void **state)
{
    struct channel c;

    assert_int_equal(send_command(*state, NULL, "OS_Halt"), HVS_OK);
    c = registered(*state, "toolbox-dnd");
    assert_null(poll(&c, ""));
    c = open_channel(*state, TCLO_PROTOCOL_NUM);
    assert_string_equal(poll(&c, ""), "reset");
    assert_string_equal(poll(&c, "OK ATR toolbox"), "Capabilities_Register");
    assert_string_equal(poll(&c, "OK "), "Set_Option synctime 0");
    assert_string_equal(poll(&c, "OK "), "Set_Option broadcastIP 1");
    assert_string_equal(poll(&c, "OK "), "OS_Halt");
    assert_null(poll(&c, "OK "));
    assert_int_equal(told.nr, 1);
}

static void test_bad_host_commands(void **state)
{
    static char text[HVS_VMW_COMMAND_BYTES + 1];
    struct hvs_vmw_command command = {NULL, {text, sizeof(text)}};

    memset(text, 'x', sizeof(text));
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_SEND, &command), HVS_EINVAL);
    command.text.bytes = 0;
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_SEND, &command), HVS_EINVAL);
    assert_int_equal(send_command(*state, "", "ping"), HVS_EINVAL);
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_SEND, NULL), HVS_EINVAL);
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_CANCEL, NULL), HVS_ENOENT);
    command.text.bytes = HVS_VMW_COMMAND_BYTES;
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_SEND, &command), HVS_OK);
}

/* Two programs of one name (a daemon that was restarted and has not closed): one of them gets it. */
static void test_host_command_is_told_once(void **state)
{
    struct channel a = registered(*state, "toolbox"), b = registered(*state, "toolbox");

    assert_int_equal(send_command(*state, NULL, "ping"), HVS_OK);
    assert_string_equal(poll(&a, ""), "ping");
    assert_null(poll(&b, ""));
    assert_null(poll(&a, "OK "));
    assert_null(poll(&b, ""));
    assert_int_equal(told.nr, 1);
}

static void test_what_was_not_received_is_told_again(void **state)
{
    struct channel c = registered(*state, "toolbox");

    assert_int_equal(send_command(*state, NULL, "ping"), HVS_OK);
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_RECVSIZE, 0)), MESSAGE_STATUS_SUCCESS | MESSAGE_STATUS_DORECV);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, 0), MESSAGE_STATUS_SUCCESS);
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_RECVSIZE, 0)), MESSAGE_STATUS_SUCCESS | MESSAGE_STATUS_DORECV);
    assert_string_equal(poll(&c, ""), "ping");
    assert_null(poll(&c, "OK "));
    assert_int_equal(told.nr, 1);
}

static void test_cancel(void **state)
{
    struct channel c = registered(*state, "toolbox");

    assert_int_equal(send_command(*state, NULL, "one"), HVS_OK);        /* before the guest asks */
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_CANCEL, NULL), HVS_OK);
    assert_null(poll(&c, ""));
    assert_int_equal(send_command(*state, NULL, "two"), HVS_OK);        /* while it receives */
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_RECVSIZE, 0)), MESSAGE_STATUS_SUCCESS | MESSAGE_STATUS_DORECV);
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_CANCEL, NULL), HVS_OK);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, MESSAGE_STATUS_SUCCESS), MESSAGE_STATUS_UNSENT);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, MESSAGE_STATUS_SUCCESS), 0);
    assert_null(poll(&c, ""));
    assert_int_equal(send_command(*state, NULL, "three"), HVS_OK);      /* before it answers */
    assert_string_equal(poll(&c, ""), "three");
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_CANCEL, NULL), HVS_OK);
    assert_int_equal(send_command(*state, NULL, "four"), HVS_OK);
    assert_string_equal(poll(&c, "OK three"), "four");
    assert_int_equal(told.nr, 0);
    assert_null(poll(&c, "OK four"));
    assert_string_equal(told.reply, "four");
}

/* The guest is in the middle of an answer. */
static void test_cancel_while_the_guest_answers(void **state)
{
    struct channel c = registered(*state, "toolbox");

    assert_int_equal(send_command(*state, NULL, "ping"), HVS_OK);
    assert_string_equal(poll(&c, ""), "ping");
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_SENDSIZE, 3)), MESSAGE_STATUS_SUCCESS);
    assert_int_equal(host_request(*state, HVS_VMW_TCLO_CANCEL, NULL), HVS_OK);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 0x204b4f), MESSAGE_STATUS_SUCCESS);
    assert_int_equal(told.nr, 0);
    assert_null(poll(&c, ""));
}

static void test_channel_closed_before_the_answer(void **state)
{
    struct channel c = registered(*state, "toolbox");

    assert_int_equal(send_command(*state, NULL, "OS_Halt"), HVS_OK);
    assert_string_equal(poll(&c, ""), "OS_Halt");
    assert_int_equal(message(&c, MESSAGE_TYPE_CLOSE, 0), MESSAGE_STATUS_SUCCESS);
    assert_int_equal(told.nr, 1);
    assert_false(told.ok);
}

static void test_channel_closed_before_it_was_told(void **state)
{
    struct channel c = registered(*state, "toolbox");

    assert_int_equal(send_command(*state, NULL, "OS_Halt"), HVS_OK);
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_RECVSIZE, 0)), MESSAGE_STATUS_SUCCESS | MESSAGE_STATUS_DORECV);
    assert_int_equal(message(&c, MESSAGE_TYPE_CLOSE, 0), MESSAGE_STATUS_SUCCESS);
    assert_int_equal(told.nr, 0);
    c = open_channel(*state, TCLO_PROTOCOL_NUM);
    assert_string_equal(poll(&c, ""), "reset");
    assert_string_equal(poll(&c, "OK ATR toolbox"), "Capabilities_Register");
    assert_string_equal(poll(&c, "OK "), "Set_Option synctime 0");
    assert_string_equal(poll(&c, "OK "), "Set_Option broadcastIP 1");
    assert_string_equal(poll(&c, "OK "), "OS_Halt");
}

static void test_reset_forgets_the_command(void **state)
{
    struct channel c;

    assert_int_equal(send_command(*state, NULL, "OS_Halt"), HVS_OK);
    mock_reset(*state, 0);
    c = registered(*state, "toolbox");
    assert_null(poll(&c, ""));
    assert_int_equal(send_command(*state, NULL, "ping"), HVS_OK);
}

static void test_time_synchronisation_is_negotiated(void **state)
{
    struct mock *mock = *state;
    struct channel c = registered(mock, "toolbox"), rpci = open_channel(mock, RPCI_PROTOCOL_NUM);

    assert_int_equal(backdoor(mock, BDOOR_CMD_GETGUIOPTIONS), 0);
    assert_string_equal(rpc(&rpci, "vmx.set_option synctime 0 1"), "1 ");
    assert_int_equal(backdoor(mock, BDOOR_CMD_GETGUIOPTIONS), VMWARE_GUI_SYNC_TIME);
    assert_string_equal(poll(&c, ""), "Set_Option synctime 1");
    set_marked_regs(mock, BDOOR_MAGIC, BDOOR_CMD_SETGUIOPTIONS);
    mock->regs.rbx = 0;
    assert_int_equal(mock_in(mock, 0, BDOOR_PORT, 4), HVS_HANDLED);
    assert_int_equal(backdoor(mock, BDOOR_CMD_GETGUIOPTIONS), 0);
    assert_string_equal(poll(&c, "OK "), "Set_Option synctime 0");
    assert_null(poll(&c, "OK "));
    set_marked_regs(mock, BDOOR_MAGIC, BDOOR_CMD_SETGUIOPTIONS);
    mock->regs.rbx = 0xffffffff;
    assert_int_equal(mock_in(mock, 0, BDOOR_PORT, 4), HVS_HANDLED);
    assert_int_equal(backdoor(mock, BDOOR_CMD_GETGUIOPTIONS), VMWARE_GUI_SYNC_TIME);
    mock_reset(mock, 0);
    assert_int_equal(backdoor(mock, BDOOR_CMD_GETGUIOPTIONS), 0);
}

static void test_time_synchronisation_by_the_vmm(void **state)
{
    static const struct hvs_vmw_options syncing = {.size = sizeof(syncing), .syncs_time = true};
    struct mock *mock = *state;
    struct channel c;

    mock_stop(mock);
    start_with_options(mock, &syncing);
    assert_int_equal(backdoor(mock, BDOOR_CMD_GETGUIOPTIONS), VMWARE_GUI_SYNC_TIME);
    c = open_channel(mock, TCLO_PROTOCOL_NUM);
    assert_string_equal(poll(&c, ""), "reset");
    assert_string_equal(poll(&c, "OK ATR toolbox"), "Capabilities_Register");
    assert_string_equal(poll(&c, "OK "), "Set_Option synctime 1");
}

#define TCLO_TEST(name) cmocka_unit_test_setup_teardown(name, setup, vmw_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TCLO_TEST(test_what_the_daemon_is_told),
        TCLO_TEST(test_what_others_are_told),
        TCLO_TEST(test_name_before_it_is_asked_for),
        TCLO_TEST(test_bad_answers_to_reset),
        TCLO_TEST(test_long_names_are_cut),
        TCLO_TEST(test_host_command_and_its_reply),
        TCLO_TEST(test_host_command_waits_for_the_program),
        TCLO_TEST(test_bad_host_commands),
        TCLO_TEST(test_host_command_is_told_once),
        TCLO_TEST(test_what_was_not_received_is_told_again),
        TCLO_TEST(test_cancel),
        TCLO_TEST(test_cancel_while_the_guest_answers),
        TCLO_TEST(test_channel_closed_before_the_answer),
        TCLO_TEST(test_channel_closed_before_it_was_told),
        TCLO_TEST(test_reset_forgets_the_command),
        TCLO_TEST(test_time_synchronisation_is_negotiated),
        TCLO_TEST(test_time_synchronisation_by_the_vmm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
