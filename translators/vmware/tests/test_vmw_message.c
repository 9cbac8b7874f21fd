/*
 * GuestRPC's channels: every step in every state of a channel, and what a guest can do wrong. The replies' whole
 * registers are checked as iPXE and OpenBSD's vmt check them.
 */
#include "vmw_rpc_test.h"

enum { NR_CHANNELS = 16 };
#define SUCCESS MESSAGE_STATUS_SUCCESS
#define SIXTY_SECONDS 60000000000ull

/* --- opening and closing ------------------------------------------------------------------------------------------ */

static void test_open_gives_channel_and_cookie(void **state)
{
    struct mock *mock = *state;
    struct channel a = open_channel(mock, RPCI_PROTOCOL_NUM), b = open_channel(mock, TCLO_PROTOCOL_NUM);

    assert_int_equal(a.id, 0);
    assert_int_equal(b.id, 1);
    assert_true(a.cookie_high && b.cookie_high);
    assert_true(a.cookie_high != b.cookie_high && a.cookie_low != b.cookie_low);
}

static void test_open_of_other_protocols(void **state)
{
    static const uint32_t protocol[] = {0, 1, GUESTMSG_FLAG_COOKIE, RPCI_PROTOCOL_NUM + 1, 0x4f4c4350, 0xffffffff};
    struct channel c = {.mock = *state, .id = 3, .cookie_high = 5, .cookie_low = 7};

    for (size_t i = 0; i < HVS_ARRAY_SIZE(protocol); i++) {
        assert_int_equal(message(&c, MESSAGE_TYPE_OPEN, protocol[i]), 0);
        assert_int_equal((uint32_t)c.mock->regs.rdx, 3 << 16 | BDOOR_PORT);
        assert_int_equal((uint32_t)c.mock->regs.rsi, 5);
        assert_int_equal((uint32_t)c.mock->regs.rdi, 7);
    }
}

/* iPXE opens without a cookie and passes what it likes. */
static void test_without_a_cookie_none_is_asked_for(void **state)
{
    struct channel c = {.mock = *state, .cookie_high = 5, .cookie_low = 7};

    assert_int_equal(message(&c, MESSAGE_TYPE_OPEN, RPCI_PROTOCOL_NUM), SUCCESS);
    assert_int_equal((uint32_t)c.mock->regs.rsi, 5);
    assert_int_equal((uint32_t)c.mock->regs.rdi, 7);
    c.cookie_high = 0x12345678;
    assert_string_equal(rpc(&c, "log hello"), "1 ");
    c.cookie_low = 0x9abcdef0;
    assert_int_equal(message(&c, MESSAGE_TYPE_CLOSE, 0), SUCCESS);
}

static void test_wrong_cookie(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM), wrong = c;

    for (uint32_t type = MESSAGE_TYPE_SENDSIZE; type <= MESSAGE_TYPE_CLOSE; type++) {
        wrong.cookie_high = c.cookie_high ^ 1;
        wrong.cookie_low = c.cookie_low;
        assert_int_equal(message(&wrong, type, 1), 0);
        wrong.cookie_high = c.cookie_high;
        wrong.cookie_low = c.cookie_low ^ 0x80000000;
        assert_int_equal(message(&wrong, type, 1), 0);
    }
    assert_string_equal(rpc(&c, "log still there"), "1 ");
}

static void test_channels_that_are_not_open(void **state)
{
    static const uint32_t id[] = {0, 1, NR_CHANNELS - 1, NR_CHANNELS, GUESTMSG_MAX_CHANNEL, 0xffff};
    struct channel c = {.mock = *state};

    for (size_t i = 0; i < HVS_ARRAY_SIZE(id); i++) {
        c.id = id[i];
        for (uint32_t type = MESSAGE_TYPE_SENDSIZE; type <= MESSAGE_TYPE_CLOSE; type++)
            assert_int_equal(message(&c, type, 1), MESSAGE_STATUS_CLOSED);
    }
}

static void test_close(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    send_text(&c, "log x");
    assert_int_equal(message(&c, MESSAGE_TYPE_CLOSE, 0), SUCCESS);
    for (uint32_t type = MESSAGE_TYPE_SENDSIZE; type <= MESSAGE_TYPE_CLOSE; type++)
        assert_int_equal(message(&c, type, 1), MESSAGE_STATUS_CLOSED);

    struct channel again = open_channel(*state, RPCI_PROTOCOL_NUM);

    assert_int_equal(again.id, c.id);
    assert_null(receive_text(&again));
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDSIZE, 1), 0);
}

static void test_all_channels_in_use(void **state)
{
    struct mock *mock = *state;
    struct channel c[NR_CHANNELS], more = {.mock = mock};

    for (uint32_t i = 0; i < NR_CHANNELS; i++)
        c[i] = open_channel(mock, RPCI_PROTOCOL_NUM);
    assert_int_equal(message(&more, MESSAGE_TYPE_OPEN, RPCI_PROTOCOL_NUM | GUESTMSG_FLAG_COOKIE), 0);
    assert_int_equal(message(&c[7], MESSAGE_TYPE_CLOSE, 0), SUCCESS);
    assert_int_equal(open_channel(mock, RPCI_PROTOCOL_NUM).id, 7);
}

/* Programs that died without closing must not lock out the others for good. */
static void test_idle_channels_expire_when_others_want_one(void **state)
{
    struct mock *mock = *state;
    struct channel c[NR_CHANNELS], more;

    for (uint32_t i = 0; i < NR_CHANNELS; i++)
        c[i] = open_channel(mock, RPCI_PROTOCOL_NUM);
    mock_advance(mock, SIXTY_SECONDS - 1000);
    assert_string_equal(rpc(&c[3], "log I am here"), "1 ");
    assert_string_equal(rpc(&c[5], "log me too"), "1 ");
    more = (struct channel){.mock = mock};
    assert_int_equal(message(&more, MESSAGE_TYPE_OPEN, RPCI_PROTOCOL_NUM | GUESTMSG_FLAG_COOKIE), 0);
    mock_advance(mock, 2000);
    more = open_channel(mock, RPCI_PROTOCOL_NUM);
    assert_int_equal(more.id, 0);
    assert_string_equal(rpc(&c[3], "log still"), "1 ");
    assert_int_equal(message(&c[0], MESSAGE_TYPE_SENDSIZE, 4), 0);      /* it has another owner */
    assert_int_equal(message(&c[1], MESSAGE_TYPE_SENDSIZE, 4), MESSAGE_STATUS_TIMEOUT | MESSAGE_STATUS_CLOSED);
    assert_int_equal(message(&c[1], MESSAGE_TYPE_SENDSIZE, 4), MESSAGE_STATUS_CLOSED);
    c[2].cookie_low ^= 1;
    assert_int_equal(message(&c[2], MESSAGE_TYPE_SENDSIZE, 4), 0);
}

static void test_unknown_types(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    assert_int_equal(message(&c, MESSAGE_TYPE_CLOSE + 1, 0), 0);
    assert_int_equal(message(&c, 0xffff, 0), 0);
    assert_string_equal(rpc(&c, "log x"), "1 ");
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void test_sizes(void **state)
{
    static const uint32_t size[] = {1, 2, 3, 4, 5, 7, 8, 4095, 4096, GUESTMSG_MAX_IN_SIZE - 1, GUESTMSG_MAX_IN_SIZE};
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    char *text = malloc(GUESTMSG_MAX_IN_SIZE);

    assert_non_null(text);
    memset(text, 'x', GUESTMSG_MAX_IN_SIZE);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(size); i++) {
        send_bytes(&c, text, size[i]);
        assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 0), 0);  /* nothing is owed any more */
        assert_string_equal(receive_text(&c), "0 Unknown command");
    }
    free(text);
}

static void test_sizes_that_are_too_large(void **state)
{
    static const uint32_t size[] = {GUESTMSG_MAX_IN_SIZE + 1, 0x80000000, 0xffffffff};
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    for (size_t i = 0; i < HVS_ARRAY_SIZE(size); i++) {
        assert_int_equal(message(&c, MESSAGE_TYPE_SENDSIZE, size[i]), 0);
        assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 0), 0);
        assert_null(receive_text(&c));
    }
    assert_string_equal(rpc(&c, "log x"), "1 ");
}

static void test_empty_request(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    assert_int_equal(basic(message(&c, MESSAGE_TYPE_SENDSIZE, 0)), SUCCESS);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 0), 0);
    assert_string_equal(receive_text(&c), "0 Unknown command");
}

static void test_a_new_size_begins_anew(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    assert_int_equal(basic(message(&c, MESSAGE_TYPE_SENDSIZE, 100)), SUCCESS);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 0x61616161), SUCCESS);
    assert_string_equal(rpc(&c, "log x"), "1 ");
    send_text(&c, "nonsense");
    assert_string_equal(rpc(&c, "log x"), "1 ");        /* the reply that was not fetched is gone */
    assert_null(receive_text(&c));
}

/* In the middle of a request there is nothing to receive, and asking does not disturb it. */
static void test_receiving_while_sending(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    assert_int_equal(basic(message(&c, MESSAGE_TYPE_SENDSIZE, 5)), SUCCESS);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 0x20676f6c), SUCCESS);
    assert_null(receive_text(&c));
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), 0);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVSTATUS, SUCCESS), 0);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 'x'), SUCCESS);
    assert_string_equal(receive_text(&c), "1 ");
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static void test_nothing_to_receive(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    assert_int_equal(message(&c, MESSAGE_TYPE_SENDPAYLOAD, 0), 0);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVSIZE, 0x1234), SUCCESS);
    assert_int_equal(ebx_of(&c), 0x1234);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), 0);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVSTATUS, SUCCESS), 0);
}

static void test_receive_step_by_step(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    send_text(&c, "nonsense");          /* "0 Unknown command", 17 bytes */
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), 0);        /* its size was not asked for */
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVSTATUS, SUCCESS), 0);
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_RECVSIZE, 0)), SUCCESS | MESSAGE_STATUS_DORECV);
    assert_int_equal(ebx_of(&c), 17);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), SUCCESS);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), SUCCESS);
    assert_int_equal(ebx_of(&c), 'd');          /* and zeros */
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), 0);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVSTATUS, SUCCESS), SUCCESS);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVSTATUS, SUCCESS), 0);
    assert_null(receive_text(&c));
}

static void test_size_asked_again_begins_anew(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    send_text(&c, "nonsense");
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_RECVSIZE, 0)), SUCCESS | MESSAGE_STATUS_DORECV);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), SUCCESS);
    assert_string_equal(receive_text(&c), "0 Unknown command");
}

/* The guest has no memory for it: the message is gone. */
static void test_guest_gives_up(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    send_text(&c, "nonsense");
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_RECVSIZE, 0)), SUCCESS | MESSAGE_STATUS_DORECV);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, 0), SUCCESS);
    assert_null(receive_text(&c));
    send_text(&c, "nonsense");
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_RECVSIZE, 0)), SUCCESS | MESSAGE_STATUS_DORECV);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS), SUCCESS);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVSTATUS, 0), SUCCESS);
    assert_null(receive_text(&c));
}

/* Only MESSAGE_STATUS_SUCCESS is the guest's to set. */
static void test_other_status_bits_of_the_guest_mean_nothing(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    send_text(&c, "nonsense");
    assert_int_equal(basic(message(&c, MESSAGE_TYPE_RECVSIZE, 0xffffffff)), SUCCESS | MESSAGE_STATUS_DORECV);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, 0xffffffff), SUCCESS);
    assert_int_equal(message(&c, MESSAGE_TYPE_RECVPAYLOAD, 0xfffffffe), SUCCESS);
    assert_null(receive_text(&c));
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static void test_channels_do_not_mix(void **state)
{
    struct mock *mock = *state;
    struct channel a = open_channel(mock, RPCI_PROTOCOL_NUM), b = open_channel(mock, RPCI_PROTOCOL_NUM);

    assert_int_equal(basic(message(&a, MESSAGE_TYPE_SENDSIZE, 6)), SUCCESS);
    assert_int_equal(message(&a, MESSAGE_TYPE_SENDPAYLOAD, 0x20676f6c), SUCCESS);
    assert_string_equal(rpc(&b, "nonsense"), "0 Unknown command");
    assert_int_equal(message(&a, MESSAGE_TYPE_SENDPAYLOAD, 0x7878), SUCCESS);
    assert_string_equal(receive_text(&a), "1 ");
}

static void test_reset_closes_all(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    mock_reset(*state, 0);
    assert_int_equal(message(&c, MESSAGE_TYPE_SENDSIZE, 1), MESSAGE_STATUS_CLOSED);
}

static void test_from_ring_3(void **state)
{
    struct mock *mock = *state;
    struct channel c;

    mock->regs.cpl = 3;
    c = open_channel(mock, RPCI_PROTOCOL_NUM);
    assert_string_equal(rpc(&c, "log x"), "1 ");
}

static void test_guestrpc_off(void **state)
{
    struct mock *mock = *state;

    mock_stop(mock);
    vmw_config(mock, 1);
    mock->config.slot[0].features_off = feature_bit("guestrpc");
    assert_int_equal(mock_start(mock), HVS_OK);
    assert_unsupported(mock, BDOOR_CMD_MESSAGE);
    assert_unsupported(mock, BDOOR_CMD_GETGUIOPTIONS);
    assert_unsupported(mock, BDOOR_CMD_SETGUIOPTIONS);
}

/* Whatever a guest does, in any order, leaves every channel usable once it is closed and opened again. */
static void test_random_commands(void **state)
{
    struct mock *mock = *state;
    struct channel c[4];
    uint32_t seed = 1;

    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(c); i++)
        c[i] = open_channel(mock, i & 1 ? TCLO_PROTOCOL_NUM : RPCI_PROTOCOL_NUM);
    for (uint32_t n = 0; n < 200000; n++) {
        uint32_t type, ebx;

        seed = seed * 1664525 + 1013904223;
        type = MESSAGE_TYPE_SENDSIZE + (seed >> 24) % 5;
        ebx = seed >> 20 & 1 ? seed >> 16 & 15 : seed;
        message(&c[seed >> 10 & 3], type, ebx);
    }
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(c); i++)
        assert_int_equal(message(&c[i], MESSAGE_TYPE_CLOSE, 0), SUCCESS);
    c[0] = open_channel(mock, RPCI_PROTOCOL_NUM);
    assert_string_equal(rpc(&c[0], "log x"), "1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VMW_TEST(test_open_gives_channel_and_cookie),
        VMW_TEST(test_open_of_other_protocols),
        VMW_TEST(test_without_a_cookie_none_is_asked_for),
        VMW_TEST(test_wrong_cookie),
        VMW_TEST(test_channels_that_are_not_open),
        VMW_TEST(test_close),
        VMW_TEST(test_all_channels_in_use),
        VMW_TEST(test_idle_channels_expire_when_others_want_one),
        VMW_TEST(test_unknown_types),
        VMW_TEST(test_sizes),
        VMW_TEST(test_sizes_that_are_too_large),
        VMW_TEST(test_empty_request),
        VMW_TEST(test_a_new_size_begins_anew),
        VMW_TEST(test_receiving_while_sending),
        VMW_TEST(test_nothing_to_receive),
        VMW_TEST(test_receive_step_by_step),
        VMW_TEST(test_size_asked_again_begins_anew),
        VMW_TEST(test_guest_gives_up),
        VMW_TEST(test_other_status_bits_of_the_guest_mean_nothing),
        VMW_TEST(test_channels_do_not_mix),
        VMW_TEST(test_reset_closes_all),
        VMW_TEST(test_from_ring_3),
        VMW_TEST(test_guestrpc_off),
        VMW_TEST(test_random_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
