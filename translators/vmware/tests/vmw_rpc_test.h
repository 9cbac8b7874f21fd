/* What the GuestRPC tests share: a guest's side of a channel, command by command and message by message. */
#ifndef VMW_RPC_TEST_H
#define VMW_RPC_TEST_H

#include "vmw_test.h"

#include <stdlib.h>

struct channel {
    struct mock *mock;
    uint32_t id, cookie_high, cookie_low;
};

/* One MESSAGE command. Returns the status; the other results are in mock->regs. */
static inline uint32_t message(const struct channel *c, uint32_t type, uint32_t ebx)
{
    struct mock *mock = c->mock;

    set_marked_regs(mock, BDOOR_MAGIC, type << 16 | BDOOR_CMD_MESSAGE);
    mock->regs.rbx = UPPER(0xb) | ebx;
    mock->regs.rdx = UPPER(0xd) | c->id << 16 | BDOOR_PORT;
    mock->regs.rsi = UPPER(0x5) | c->cookie_high;
    mock->regs.rdi = UPPER(0x7) | c->cookie_low;
    assert_int_equal(mock_in(mock, 0, BDOOR_PORT, 4), HVS_HANDLED);
    assert_upper_halves_kept(&mock->regs);
    assert_int_equal((uint32_t)mock->regs.rax, BDOOR_MAGIC);
    assert_int_equal(mock->regs.rcx & 0xffff, 0);
    return (uint32_t)mock->regs.rcx >> 16;
}

static inline uint32_t ebx_of(const struct channel *c)
{
    return (uint32_t)c->mock->regs.rbx;
}

static inline struct channel open_channel(struct mock *mock, uint32_t protocol)
{
    struct channel c = {.mock = mock};

    assert_int_equal(message(&c, MESSAGE_TYPE_OPEN, protocol | GUESTMSG_FLAG_COOKIE), MESSAGE_STATUS_SUCCESS);
    assert_int_equal(mock->regs.rdx & 0xffff, 0);
    c.id = (uint32_t)mock->regs.rdx >> 16;
    c.cookie_high = (uint32_t)mock->regs.rsi;
    c.cookie_low = (uint32_t)mock->regs.rdi;
    return c;
}

/* Without the bit that says which port is to be used. */
static inline uint32_t basic(uint32_t status)
{
    return status & ~(uint32_t)MESSAGE_STATUS_HB;
}

static inline void send_bytes(const struct channel *c, const void *bytes, uint32_t nr)
{
    assert_int_equal(basic(message(c, MESSAGE_TYPE_SENDSIZE, nr)), MESSAGE_STATUS_SUCCESS);
    for (uint32_t at = 0; at < nr; at += 4) {
        uint32_t word = 0xeeeeeeee;

        memcpy(&word, (const uint8_t *)bytes + at, nr - at < 4 ? nr - at : 4);
        assert_int_equal(message(c, MESSAGE_TYPE_SENDPAYLOAD, word), MESSAGE_STATUS_SUCCESS);
    }
}

static inline void send_text(const struct channel *c, const char *text)
{
    send_bytes(c, text, (uint32_t)strlen(text));
}

/* The next message for the guest in a static buffer, terminated, or NULL where there is none. */
static inline const char *receive_bytes(const struct channel *c, uint32_t *nr)
{
    static char text[GUESTMSG_MAX_IN_SIZE + 8];
    uint32_t status = basic(message(c, MESSAGE_TYPE_RECVSIZE, 0));

    *nr = 0;
    if (status == MESSAGE_STATUS_SUCCESS)
        return NULL;
    assert_int_equal(status, MESSAGE_STATUS_SUCCESS | MESSAGE_STATUS_DORECV);
    assert_int_equal((uint32_t)c->mock->regs.rdx, MESSAGE_TYPE_SENDSIZE << 16);
    *nr = ebx_of(c);
    assert_in_range(*nr, 1, GUESTMSG_MAX_IN_SIZE);
    for (uint32_t at = 0; at < *nr; at += 4) {
        uint32_t word;

        assert_int_equal(message(c, MESSAGE_TYPE_RECVPAYLOAD, MESSAGE_STATUS_SUCCESS), MESSAGE_STATUS_SUCCESS);
        assert_int_equal((uint32_t)c->mock->regs.rdx, MESSAGE_TYPE_SENDPAYLOAD << 16);
        word = ebx_of(c);
        memcpy(text + at, &word, 4);
    }
    text[*nr] = '\0';
    assert_int_equal(message(c, MESSAGE_TYPE_RECVSTATUS, MESSAGE_STATUS_SUCCESS), MESSAGE_STATUS_SUCCESS);
    return text;
}

static inline const char *receive_text(const struct channel *c)
{
    uint32_t nr;

    return receive_bytes(c, &nr);
}

/* The reply to an RPCI request. */
static inline const char *rpc(const struct channel *c, const char *request)
{
    send_text(c, request);
    return receive_text(c);
}

static inline int host_request(struct mock *mock, enum hvs_vmw_request request, void *data)
{
    assert_int_equal(mock_host(mock, 0, &hvs_vmw_personality, request, data), HVS_HANDLED);
    assert_int_equal(mock->out.nr_effects, 0);
    return (int)(int64_t)mock->out.value;
}

static inline struct hvs_text text_of(const char *terminated)
{
    return (struct hvs_text){terminated, (uint32_t)strlen(terminated)};
}

static inline int set_guestinfo(struct mock *mock, const char *key, struct hvs_text value)
{
    return host_request(mock, HVS_VMW_GUESTINFO_SET,
                        &(struct hvs_vmw_guestinfo){.key = text_of(key), .value = value});
}

static inline void start_with_options(struct mock *mock, const struct hvs_vmw_options *options)
{
    vmw_config(mock, 1);
    mock->config.slot[0].options = options;
    assert_int_equal(mock_start(mock), HVS_OK);
}

static inline int vmw_setup(void **state)
{
    static struct mock mock;

    mock_start_one(&mock, &hvs_vmw_personality, 2);
    *state = &mock;
    return 0;
}

static inline int vmw_teardown(void **state)
{
    mock_stop(*state);
    return 0;
}

#define VMW_TEST(name) cmocka_unit_test_setup_teardown(name, vmw_setup, vmw_teardown)

#endif
