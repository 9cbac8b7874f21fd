/*
 * GuestRPC in the VMware matrix: each step of a channel and its misuse, words and blocks, as programs and as the kernel
 * [open-vm-tools 13.1: guest_msg_def.h, lib/message/message.c, lib/rpcOut; iPXE's and OpenBSD's clients for the whole
 * registers].
 */
#include "vmware.h"

#include "vmw_abi.h"

enum { PAGE = 0, TWO_PAGES = 2 * MATRIX_PAGE_BYTES, MAX_REPLY = 256 };
#define SUCCESS MESSAGE_STATUS_SUCCESS

struct channel {
    struct matrix *matrix;
    uint8_t cpl;
    uint32_t id, cookie_high, cookie_low;
    struct matrix_regs regs;    /* after the last access */
};

/* One command. Returns ECX, of which the low half is to be 0. */
static uint32_t message(struct channel *c, uint32_t type, uint32_t ebx)
{
    struct matrix_regs *r = &c->regs;

    *r = matrix_vmw_regs(type << 16 | BDOOR_CMD_MESSAGE, c->cpl);
    r->rbx = (r->rbx & ~(uint64_t)UINT32_MAX) | ebx;
    r->rdx = (r->rdx & ~(uint64_t)UINT32_MAX) | c->id << 16 | BDOOR_PORT;
    r->rsi = (r->rsi & ~(uint64_t)UINT32_MAX) | c->cookie_high;
    r->rdi = (r->rdi & ~(uint64_t)UINT32_MAX) | c->cookie_low;
    if (matrix_vmw_port(c->matrix, r, MATRIX_IN_32) != MATRIX_NO_FAULT || !matrix_vmw_keeps_upper_halves(r))
        return UINT32_MAX;
    return (uint32_t)r->rcx;
}

static uint32_t status(struct channel *c, uint32_t type, uint32_t ebx)
{
    return message(c, type, ebx) >> 16;
}

static bool open(struct channel *c, uint32_t protocol)
{
    c->id = c->cookie_high = c->cookie_low = 0;
    if (message(c, MESSAGE_TYPE_OPEN, protocol | GUESTMSG_FLAG_COOKIE) != SUCCESS << 16)
        return false;
    c->id = (uint32_t)c->regs.rdx >> 16;
    c->cookie_high = (uint32_t)c->regs.rsi;
    c->cookie_low = (uint32_t)c->regs.rdi;
    return (c->regs.rdx & 0xffff) == 0;
}

static bool close(struct channel *c)
{
    return message(c, MESSAGE_TYPE_CLOSE, 0) == SUCCESS << 16;
}

static uint32_t length(const char *text)
{
    uint32_t bytes = 0;

    while (text[bytes])
        bytes++;
    return bytes;
}

static bool send_words(struct channel *c, const char *text)
{
    uint32_t bytes = length(text);

    if (!(status(c, MESSAGE_TYPE_SENDSIZE, bytes) & SUCCESS))
        return false;
    for (uint32_t at = 0; at < bytes; at += 4) {
        uint32_t word = 0;

        for (uint32_t i = 0; i < 4 && at + i < bytes; i++)
            word |= (uint32_t)(uint8_t)text[at + i] << 8 * i;
        if (message(c, MESSAGE_TYPE_SENDPAYLOAD, word) != SUCCESS << 16)
            return false;
    }
    return true;
}

/* The reply's size, or UINT32_MAX; `text` is terminated. */
static uint32_t receive_words(struct channel *c, char text[MAX_REPLY])
{
    uint32_t bytes;

    if ((status(c, MESSAGE_TYPE_RECVSIZE, 0) & (SUCCESS | MESSAGE_STATUS_DORECV)) != (SUCCESS | MESSAGE_STATUS_DORECV))
        return UINT32_MAX;
    bytes = (uint32_t)c->regs.rbx;
    if ((uint32_t)c->regs.rdx != MESSAGE_TYPE_SENDSIZE << 16 || bytes >= MAX_REPLY)
        return UINT32_MAX;
    for (uint32_t at = 0; at < bytes; at += 4) {
        if (message(c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS) != SUCCESS << 16 ||
            (uint32_t)c->regs.rdx != MESSAGE_TYPE_SENDPAYLOAD << 16)
            return UINT32_MAX;
        for (uint32_t i = 0; i < 4 && at + i < bytes; i++)
            text[at + i] = (char)((uint32_t)c->regs.rbx >> 8 * i);
    }
    text[bytes] = '\0';
    return message(c, MESSAGE_TYPE_RECVSTATUS, SUCCESS) == SUCCESS << 16 ? bytes : UINT32_MAX;
}

static bool texts_equal(const char *a, const char *b)
{
    for (; *a && *a == *b; a++)
        b++;
    return *a == *b;
}

static bool answers(struct channel *c, const char *request, const char *expected)
{
    char reply[MAX_REPLY];

    return send_words(c, request) && receive_words(c, reply) != UINT32_MAX && texts_equal(reply, expected);
}

/* One block by the high-bandwidth port, from or to the first two pages. The fault, or the status with `how` it went. */
static int block(struct channel *c, bool is_in, uint64_t at, uint32_t bytes)
{
    struct matrix_regs *r = &c->regs;

    *r = matrix_vmw_regs(0, c->cpl);
    r->rbx = (r->rbx & ~(uint64_t)UINT32_MAX) | SUCCESS << 16 | BDOORHB_CMD_MESSAGE;
    r->rcx = bytes;
    r->rdx = (r->rdx & ~(uint64_t)UINT32_MAX) | c->id << 16 | BDOORHB_PORT;
    r->rsi = is_in ? c->cookie_high : at;
    r->rdi = is_in ? at : c->cookie_low;
    r->rbp = is_in ? c->cookie_low : c->cookie_high;
    return matrix_vmw_port(c->matrix, r, is_in ? MATRIX_INS_8 : MATRIX_OUTS_8);
}

static bool block_works(struct channel *c, bool is_in, uint64_t at, uint32_t bytes)
{
    return block(c, is_in, at, bytes) == MATRIX_NO_FAULT && (uint32_t)c->regs.rbx == SUCCESS << 16 &&
           c->regs.rcx == 0 && (is_in ? c->regs.rdi : c->regs.rsi) == at + bytes;
}

/* --- points ------------------------------------------------------------------------------------------------------- */

static enum matrix_verdict fail(struct channel *c, const char *why)
{
    return matrix_fail(c->matrix, why, c->regs.rbx, c->regs.rcx);
}

static enum matrix_verdict opens_and_closes(struct channel *c)
{
    if (!open(c, RPCI_PROTOCOL_NUM))
        return fail(c, "it does not open");
    if (c->id >= GUESTMSG_MAX_CHANNEL)
        return fail(c, "the number is too large");
    if (!close(c))
        return fail(c, "it does not close");
    for (uint32_t type = MESSAGE_TYPE_SENDSIZE; type <= MESSAGE_TYPE_CLOSE; type++)
        if (status(c, type, 1) & SUCCESS)
            return fail(c, "it works although it is closed");
    return MATRIX_SUCCESS;
}

static enum matrix_verdict other_protocols(struct channel *c)
{
    static const uint32_t protocol[] = {0, 1, RPCI_PROTOCOL_NUM ^ 1, 0x7fffffff};

    for (uint32_t i = 0; i < 4; i++)
        if (status(c, MESSAGE_TYPE_OPEN, protocol[i] | GUESTMSG_FLAG_COOKIE) & SUCCESS)
            return fail(c, "it opens");
    return MATRIX_SUCCESS;
}

static enum matrix_verdict cookies(struct channel *c)
{
    if (!open(c, RPCI_PROTOCOL_NUM))
        return fail(c, "it does not open");
    for (uint32_t type = MESSAGE_TYPE_SENDSIZE; type <= MESSAGE_TYPE_CLOSE; type++) {
        struct channel wrong = *c;

        wrong.cookie_high ^= 1;
        if (status(&wrong, type, 1) & SUCCESS)
            return fail(c, "another cookie works");
        wrong.cookie_high = c->cookie_high;
        wrong.cookie_low ^= 0x80000000;
        if (status(&wrong, type, 1) & SUCCESS)
            return fail(c, "another cookie works");
    }
    return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
}

static enum matrix_verdict without_cookie(struct channel *c)
{
    c->id = c->cookie_high = c->cookie_low = 0;
    if (!(status(c, MESSAGE_TYPE_OPEN, RPCI_PROTOCOL_NUM) & SUCCESS))
        return fail(c, "it does not open");
    c->id = (uint32_t)c->regs.rdx >> 16;
    c->cookie_high = 0x1234;
    return answers(c, "log conformance", "1 ") && close(c) ? MATRIX_SUCCESS : fail(c, "it does not work");
}

static enum matrix_verdict sizes(struct channel *c)
{
    if (!open(c, RPCI_PROTOCOL_NUM))
        return fail(c, "it does not open");
    if (status(c, MESSAGE_TYPE_SENDSIZE, GUESTMSG_MAX_IN_SIZE + 1) & SUCCESS)
        return fail(c, "more than 64 KiB");
    if (status(c, MESSAGE_TYPE_SENDSIZE, UINT32_MAX) & SUCCESS)
        return fail(c, "4 GiB");
    if (!(status(c, MESSAGE_TYPE_SENDSIZE, GUESTMSG_MAX_IN_SIZE) & SUCCESS))
        return fail(c, "not 64 KiB");
    if (!(status(c, MESSAGE_TYPE_SENDSIZE, 0) & SUCCESS))
        return fail(c, "not nothing");
    return answers(c, "log conformance", "1 ") && close(c) ? MATRIX_SUCCESS : fail(c, "it does not work any more");
}

static enum matrix_verdict steps(struct channel *c)
{
    if (!open(c, RPCI_PROTOCOL_NUM))
        return fail(c, "it does not open");
    if (status(c, MESSAGE_TYPE_SENDPAYLOAD, 0) & SUCCESS)
        return fail(c, "a payload without a size");
    if (status(c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS) & SUCCESS)
        return fail(c, "a payload from nowhere");
    if ((status(c, MESSAGE_TYPE_RECVSIZE, 0) & (SUCCESS | MESSAGE_STATUS_DORECV)) != SUCCESS)
        return fail(c, "a message that nobody sent");
    if (status(c, MESSAGE_TYPE_CLOSE + 1, 0) & SUCCESS)
        return fail(c, "a type that does not exist");
    if (!send_words(c, "nonsense.of.conformance") || status(c, MESSAGE_TYPE_SENDPAYLOAD, 0) & SUCCESS)
        return fail(c, "more payload than the size said");
    return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
}

/* All numbers but ours, with our cookie: no other channel is open, and most cannot be. */
static enum matrix_verdict other_numbers(struct channel *c)
{
    static const uint32_t number[] = {GUESTMSG_MAX_CHANNEL, GUESTMSG_MAX_CHANNEL + 1, 0xff, 0x100, 0x8000, 0xffff};

    if (!open(c, RPCI_PROTOCOL_NUM))
        return fail(c, "it does not open");
    for (uint32_t i = 0; i < GUESTMSG_MAX_CHANNEL + sizeof(number) / sizeof(number[0]); i++) {
        struct channel other = *c;

        other.id = i < GUESTMSG_MAX_CHANNEL ? i : number[i - GUESTMSG_MAX_CHANNEL];
        if (other.id != c->id && (status(&other, MESSAGE_TYPE_SENDSIZE, 1) & SUCCESS))
            return matrix_fail(c->matrix, "it works", other.id, other.regs.rcx);
    }
    return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
}

/* EBX of what asks for more says whether what came before could be used. */
static enum matrix_verdict refused_reply(struct channel *c)
{
    if (!open(c, RPCI_PROTOCOL_NUM))
        return fail(c, "it does not open");
    if (!send_words(c, "nonsense.of.conformance") || !(status(c, MESSAGE_TYPE_RECVSIZE, 0) & MESSAGE_STATUS_DORECV))
        return fail(c, "no reply");
    if (!(status(c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS) & SUCCESS))
        return fail(c, "its first word");
    status(c, MESSAGE_TYPE_RECVPAYLOAD, 0);
    if (status(c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS) & SUCCESS)
        return fail(c, "it goes on");
    return answers(c, "log conformance", "1 ") && close(c) ? MATRIX_SUCCESS : fail(c, "it does not work any more");
}

static enum matrix_verdict unknown_request(struct channel *c)
{
    if (!open(c, RPCI_PROTOCOL_NUM))
        return fail(c, "it does not open");
    if (!answers(c, "nonsense.of.conformance ", "0 Unknown command"))
        return fail(c, "the reply");
    return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
}

static enum matrix_verdict guestinfo(struct channel *c)
{
    if (!open(c, RPCI_PROTOCOL_NUM))
        return fail(c, "it does not open");
    if (!answers(c, "info-set guestinfo.conformance one two three", "1 "))
        return fail(c, "it cannot be set");
    if (!answers(c, "info-get guestinfo.conformance", "1 one two three"))
        return fail(c, "it is not what was set");
    if (!answers(c, "info-get guestinfo.conformance.absent", "0 No value found"))
        return fail(c, "there is what nobody set");
    return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

/* Whether this host offers blocks; then with a request of `bytes` under way. */
static enum matrix_verdict begin_block(struct channel *c, uint32_t bytes)
{
    if (!open(c, RPCI_PROTOCOL_NUM))
        return fail(c, "it does not open");
    if (!(status(c, MESSAGE_TYPE_SENDSIZE, bytes) & MESSAGE_STATUS_HB)) {
        close(c);
        return matrix_skip(c->matrix, "not offered");
    }
    return MATRIX_SUCCESS;
}

static void put_text(const struct channel *c, uint32_t at, const char *text)
{
    volatile uint8_t *to = c->matrix->env->page[PAGE].at + at;

    for (uint32_t i = 0; text[i]; i++)
        to[i] = (uint8_t)text[i];
}

static bool has_text(const struct channel *c, uint32_t at, const char *text)
{
    const volatile uint8_t *from = c->matrix->env->page[PAGE].at + at;

    for (uint32_t i = 0; text[i]; i++)
        if (from[i] != (uint8_t)text[i])
            return false;
    return true;
}

static enum matrix_verdict blocks(struct channel *c)
{
    static const char request[] = "info-set guestinfo.block conformance", reply[] = "1 conformance";
    static const uint32_t offset[] = {0, 1, MATRIX_PAGE_BYTES - 5, MATRIX_PAGE_BYTES};
    uint64_t page = c->matrix->env->page[PAGE].gpa;

    for (uint32_t i = 0; i < 4; i++) {
        enum matrix_verdict begun = begin_block(c, sizeof(request) - 1);

        if (begun != MATRIX_SUCCESS)
            return begun;
        put_text(c, offset[i], request);
        if (!block_works(c, false, page + offset[i], sizeof(request) - 1))
            return fail(c, "it cannot be sent");
        status(c, MESSAGE_TYPE_RECVSIZE, 0);
        if (!block_works(c, true, page + offset[i], 2) || !has_text(c, offset[i], "1 "))
            return fail(c, "the first reply");
        if (!(status(c, MESSAGE_TYPE_RECVSTATUS, SUCCESS) & SUCCESS) || !send_words(c, "info-get guestinfo.block"))
            return fail(c, "words after blocks");
        status(c, MESSAGE_TYPE_RECVSIZE, 0);
        if (!block_works(c, true, page + offset[i], sizeof(reply) - 1) || !has_text(c, offset[i], reply))
            return fail(c, "the second reply");
        if (!close(c))
            return fail(c, "it does not close");
    }
    return MATRIX_SUCCESS;
}

/* 8 KiB there and back: more than KVM moves at a time. */
static enum matrix_verdict long_blocks(struct channel *c)
{
    static const char request[] = "info-set guestinfo.block ";
    volatile uint8_t *at = c->matrix->env->page[PAGE].at;
    uint64_t page = c->matrix->env->page[PAGE].gpa;
    uint32_t bytes = TWO_PAGES - (sizeof(request) - 1);
    enum matrix_verdict begun = begin_block(c, TWO_PAGES);

    if (begun != MATRIX_SUCCESS)
        return begun;
    for (uint32_t i = 0; i < TWO_PAGES; i++)
        at[i] = (uint8_t)('a' + i % 23);
    put_text(c, 0, request);
    if (!block_works(c, false, page, TWO_PAGES))
        return fail(c, "it cannot be sent");
    if (!send_words(c, "info-get guestinfo.block"))
        return fail(c, "words after a block");
    status(c, MESSAGE_TYPE_RECVSIZE, 0);
    if ((uint32_t)c->regs.rbx != bytes + 2)
        return fail(c, "the size of the reply");
    matrix_fill(c->matrix, PAGE, 0);
    matrix_fill(c->matrix, PAGE + 1, 0);
    if (!block_works(c, true, page, bytes + 2))
        return fail(c, "it cannot be received");
    for (uint32_t i = 0; i < bytes; i++)
        if (at[2 + i] != 'a' + (i + sizeof(request) - 1) % 23)
            return matrix_fail(c->matrix, "not what was sent", i, at[2 + i]);
    return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
}

static enum matrix_verdict bad_blocks(struct channel *c)
{
    uint64_t page = c->matrix->env->page[PAGE].gpa;
    enum matrix_verdict begun = begin_block(c, 16);

    if (begun != MATRIX_SUCCESS)
        return begun;
    block(c, false, page, 17);
    if ((uint32_t)c->regs.rbx >> 16 & SUCCESS)
        return fail(c, "more than the size said");
    block(c, true, page, 16);
    if ((uint32_t)c->regs.rbx >> 16 & SUCCESS)
        return fail(c, "received while sending");
    c->cookie_low ^= 1;
    block(c, false, page, 16);
    c->cookie_low ^= 1;
    if ((uint32_t)c->regs.rbx >> 16 & SUCCESS)
        return fail(c, "another cookie works");
    if (!block_works(c, false, page, 16))
        return fail(c, "it does not work any more");
    return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
}

/* Where no RAM is: a fault, or a status that says no; in no case the end of the machine. */
static enum matrix_verdict block_from_nowhere(struct channel *c)
{
    enum matrix_verdict begun;

    if (!c->matrix->env->hole_gpa)
        return matrix_skip(c->matrix, "no such place is known");
    begun = begin_block(c, 16);
    if (begun != MATRIX_SUCCESS)
        return begun;
    if (block(c, false, c->matrix->env->hole_gpa, 16) == MATRIX_NO_FAULT && ((uint32_t)c->regs.rbx >> 16 & SUCCESS))
        return fail(c, "it works");
    return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
}

/* --- the host asks ------------------------------------------------------------------------------------------------ */

/* A program registers by its answer to "reset"; whatever else the host has to ask it then, it gets. */
static enum matrix_verdict commands_of_the_host(struct channel *c)
{
    enum { MOST_COMMANDS = 16 };
    char text[MAX_REPLY];
    bool is_reset, has_asked = false;

    if (!open(c, TCLO_PROTOCOL_NUM))
        return fail(c, "it does not open");
    for (uint32_t i = 0; i < MOST_COMMANDS; i++) {
        if (!(status(c, MESSAGE_TYPE_SENDSIZE, 0) & SUCCESS))
            return fail(c, "nothing to say is not taken");
        uint32_t there = status(c, MESSAGE_TYPE_RECVSIZE, 0) & (SUCCESS | MESSAGE_STATUS_DORECV);
        if (there == SUCCESS && !has_asked)
            return fail(c, i == 0 ? "no reset" : "it does not ask what the program can do");
        if (there == SUCCESS)
            return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
        if (receive_words(c, text) == UINT32_MAX)
            return fail(c, "a command cannot be received");
        is_reset = texts_equal(text, "reset");
        has_asked |= texts_equal(text, "Capabilities_Register");
        if (is_reset != (i == 0))
            return fail(c, "reset is not what comes first");
        if (!send_words(c, is_reset ? "OK ATR conformance" : "OK "))
            return fail(c, "the answer is not taken");
    }
    return fail(c, "it asks without end");
}

static const struct {
    const char *check;
    enum matrix_verdict (*ask)(struct channel *c);
} points[] = {
    {"a channel opens and closes", opens_and_closes},
    {"other protocols do not open", other_protocols},
    {"a cookie guards the channel", cookies},
    {"a channel without a cookie", without_cookie},
    {"sizes from nothing to more than 64 KiB", sizes},
    {"steps out of order", steps},
    {"numbers of other channels", other_numbers},
    {"a reply that is refused in the middle", refused_reply},
    {"an unknown request", unknown_request},
    {"guestinfo is set and got", guestinfo},
    {"blocks across pages", blocks},
    {"blocks of 8 KiB", long_blocks},
    {"blocks out of order", bad_blocks},
    {"a block from where no RAM is", block_from_nowhere},
    {"commands of the host", commands_of_the_host},
};

/* --- every step in every state ------------------------------------------------------------------------------------ */

enum state { CLOSED, IDLE, SENDING, WAITING, RECEIVING, RECEIVED, NR_STATES };
/* Seven types of messages, a type that does not exist, and the blocks. */
enum { STEP_UNKNOWN = MESSAGE_TYPE_CLOSE + 1, STEP_BLOCK_OUT, STEP_BLOCK_IN, NR_STEPS };
enum outcome { NO, YES, NONE /* nothing to receive */ };

static const char *const state_name[NR_STATES] = {
    [CLOSED] = "closed", [IDLE] = "idle", [SENDING] = "in the middle of a request", [WAITING] = "a reply waits",
    [RECEIVING] = "the size of the reply is known", [RECEIVED] = "the reply is there",
};

static const char *const step_name[NR_STEPS] = {
    [MESSAGE_TYPE_SENDSIZE] = "SENDSIZE", [MESSAGE_TYPE_SENDPAYLOAD] = "SENDPAYLOAD",
    [MESSAGE_TYPE_RECVSIZE] = "RECVSIZE", [MESSAGE_TYPE_RECVPAYLOAD] = "RECVPAYLOAD",
    [MESSAGE_TYPE_RECVSTATUS] = "RECVSTATUS", [MESSAGE_TYPE_CLOSE] = "CLOSE",
    [STEP_UNKNOWN] = "type 7", [STEP_BLOCK_OUT] = "a block out", [STEP_BLOCK_IN] = "a block in",
};

static const enum outcome outcome[NR_STATES][NR_STEPS] = {
    [IDLE] = {[MESSAGE_TYPE_SENDSIZE] = YES, [MESSAGE_TYPE_RECVSIZE] = NONE, [MESSAGE_TYPE_CLOSE] = YES},
    [SENDING] = {[MESSAGE_TYPE_SENDSIZE] = YES, [MESSAGE_TYPE_SENDPAYLOAD] = YES, [MESSAGE_TYPE_RECVSIZE] = NONE,
                 [MESSAGE_TYPE_CLOSE] = YES, [STEP_BLOCK_OUT] = YES},
    [WAITING] = {[MESSAGE_TYPE_SENDSIZE] = YES, [MESSAGE_TYPE_RECVSIZE] = YES, [MESSAGE_TYPE_CLOSE] = YES},
    [RECEIVING] = {[MESSAGE_TYPE_SENDSIZE] = YES, [MESSAGE_TYPE_RECVSIZE] = YES, [MESSAGE_TYPE_RECVPAYLOAD] = YES,
                   [MESSAGE_TYPE_RECVSTATUS] = YES, [MESSAGE_TYPE_CLOSE] = YES, [STEP_BLOCK_IN] = YES},
    [RECEIVED] = {[MESSAGE_TYPE_SENDSIZE] = YES, [MESSAGE_TYPE_RECVSIZE] = YES, [MESSAGE_TYPE_RECVSTATUS] = YES,
                  [MESSAGE_TYPE_CLOSE] = YES},
};

/* What goes on from there, to see that a state has survived what was refused. */
static const uint32_t next_step[NR_STATES] = {
    [CLOSED] = MESSAGE_TYPE_CLOSE, [IDLE] = MESSAGE_TYPE_SENDSIZE, [SENDING] = MESSAGE_TYPE_SENDPAYLOAD,
    [WAITING] = MESSAGE_TYPE_RECVSIZE, [RECEIVING] = MESSAGE_TYPE_RECVPAYLOAD, [RECEIVED] = MESSAGE_TYPE_RECVSTATUS,
};

/* A channel in that state; the request under way has 8 bytes, the reply 2. */
static bool bring(struct channel *c, enum state state)
{
    if (!open(c, RPCI_PROTOCOL_NUM))
        return false;
    if (state == CLOSED)
        return close(c);
    if (state == SENDING)
        return status(c, MESSAGE_TYPE_SENDSIZE, 8) & status(c, MESSAGE_TYPE_SENDPAYLOAD, 0) & SUCCESS;
    return (state < WAITING || send_words(c, "log conformance")) &&
           (state < RECEIVING || (status(c, MESSAGE_TYPE_RECVSIZE, 0) & SUCCESS)) &&
           (state < RECEIVED || (status(c, MESSAGE_TYPE_RECVPAYLOAD, SUCCESS) & SUCCESS));
}

static uint32_t take_step(struct channel *c, uint32_t step)
{
    uint64_t page = c->matrix->env->page[PAGE].gpa;

    if (step == STEP_BLOCK_OUT || step == STEP_BLOCK_IN) {
        int fault = block(c, step == STEP_BLOCK_IN, page, step == STEP_BLOCK_IN ? 2 : 4);

        return fault == MATRIX_NO_FAULT ? (uint32_t)c->regs.rbx >> 16 : 0;
    }
    return status(c, step, step == MESSAGE_TYPE_SENDSIZE ? 4 : SUCCESS);
}

static bool has_blocks(struct channel *c)
{
    bool has = open(c, RPCI_PROTOCOL_NUM) && (status(c, MESSAGE_TYPE_SENDSIZE, 4) & MESSAGE_STATUS_HB);

    close(c);
    return has;
}

static enum matrix_verdict try_step(struct channel *c, enum state state, uint32_t step)
{
    enum outcome expected = outcome[state][step];
    uint32_t got;

    if (step >= STEP_BLOCK_OUT && !has_blocks(c))
        return matrix_skip(c->matrix, "not offered");
    if (!bring(c, state))
        return fail(c, "it does not come into that state");
    got = take_step(c, step);
    if (expected == NO && (got & SUCCESS))
        return fail(c, "it works");
    if (expected == NONE && (got & MESSAGE_STATUS_DORECV))
        return fail(c, "there is something");
    if (expected == YES && !(got & SUCCESS))
        return fail(c, "it does not work");
    if (step == MESSAGE_TYPE_RECVSIZE && expected == YES && !(got & MESSAGE_STATUS_DORECV))
        return fail(c, "there is nothing");
    if (state == CLOSED || step == MESSAGE_TYPE_CLOSE)
        return MATRIX_SUCCESS;
    return answers(c, "log conformance", "1 ") && close(c) ? MATRIX_SUCCESS : fail(c, "it does not work any more");
}

static enum matrix_verdict try_other_cookie(struct channel *c, enum state state, uint32_t step)
{
    uint32_t got;

    if (step >= STEP_BLOCK_OUT && !has_blocks(c))
        return matrix_skip(c->matrix, "not offered");
    if (!bring(c, state))
        return fail(c, "it does not come into that state");
    c->cookie_low ^= 1;
    got = take_step(c, step);
    c->cookie_low ^= 1;
    if (got & SUCCESS)
        return fail(c, "it works");
    if (!(take_step(c, next_step[state]) & SUCCESS))
        return fail(c, "the state is another");
    return close(c) ? MATRIX_SUCCESS : fail(c, "it does not close");
}

static void add(char **at, const char *text)
{
    while (*text)
        *(*at)++ = *text++;
    **at = '\0';
}

static void ask_step(struct channel c, enum state state, uint32_t step, bool is_own)
{
    char check[128], *at = check;

    add(&at, state_name[state]);
    add(&at, ": ");
    add(&at, step_name[step]);
    add(&at, is_own ? "" : " with another cookie");
    if (matrix_begin(c.matrix, c.cpl ? "GuestRPC at CPL 3" : "GuestRPC", check, "guest_msg_def.h, message.c"))
        matrix_end(c.matrix, is_own ? try_step(&c, state, step) : try_other_cookie(&c, state, step));
}

void matrix_vmw_ask_guestrpc(struct matrix *matrix, uint8_t cpl)
{
    struct channel probe = {.matrix = matrix, .cpl = cpl};
    bool is_there = open(&probe, RPCI_PROTOCOL_NUM) && close(&probe);

    for (uint32_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        struct channel c = {.matrix = matrix, .cpl = cpl};

        if (matrix_begin(matrix, cpl ? "GuestRPC at CPL 3" : "GuestRPC", points[i].check, "guest_msg_def.h, message.c"))
            matrix_end(matrix, is_there ? points[i].ask(&c) : matrix_skip(matrix, "not there"));
    }
    for (uint32_t i = 0; is_there && i < NR_STATES * NR_STEPS; i++) {
        enum state state = i / NR_STEPS;
        uint32_t step = i % NR_STEPS;

        if (step == MESSAGE_TYPE_OPEN)
            continue;
        ask_step((struct channel){.matrix = matrix, .cpl = cpl}, state, step, true);
        if (state != CLOSED)
            ask_step((struct channel){.matrix = matrix, .cpl = cpl}, state, step, false);
    }
}
