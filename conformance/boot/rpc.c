/*
 * GuestRPC: lines for VMware's log; and for conformance/bench/rpc, which counts exits, a mode that reads guestinfo.bench a
 * number of times, by words or by blocks, and does nothing else [open-vm-tools 13.1: guest_msg_def.h, lib/message/message.c].
 */
#include "conform.h"

#include "vmw_abi.h"

enum { MAX_BYTES = 65536, MAX_LOG = 512 };

static struct matrix_regs regs;
static uint32_t channel, cookie_high, cookie_low;

/* Whether it was a success. */
static bool message(uint32_t type, uint32_t ebx)
{
    regs = (struct matrix_regs){
        .rax = BDOOR_MAGIC, .rbx = ebx, .rcx = type << 16 | BDOOR_CMD_MESSAGE, .rdx = channel << 16 | BDOOR_PORT,
        .rsi = cookie_high, .rdi = cookie_low,
    };
    conform_port(&regs, MATRIX_IN_32);
    return regs.rcx >> 16 & MESSAGE_STATUS_SUCCESS;
}

static bool block(bool is_in, void *at, uint32_t bytes)
{
    regs = (struct matrix_regs){
        .rax = BDOOR_MAGIC, .rbx = MESSAGE_STATUS_SUCCESS << 16 | BDOORHB_CMD_MESSAGE, .rcx = bytes,
        .rdx = channel << 16 | BDOORHB_PORT, .rsi = is_in ? cookie_high : (uintptr_t)at,
        .rdi = is_in ? (uintptr_t)at : cookie_low, .rbp = is_in ? cookie_low : cookie_high,
    };
    conform_port(&regs, is_in ? MATRIX_INS_8 : MATRIX_OUTS_8);
    return regs.rbx >> 16 & MESSAGE_STATUS_SUCCESS;
}

static bool move(bool is_in, uint32_t *at, uint32_t bytes, bool by_blocks)
{
    if (by_blocks)
        return block(is_in, at, bytes);
    for (uint32_t i = 0; i < (bytes + 3) / 4; i++) {
        if (!(is_in ? message(MESSAGE_TYPE_RECVPAYLOAD, MESSAGE_STATUS_SUCCESS)
                    : message(MESSAGE_TYPE_SENDPAYLOAD, at[i])))
            return false;
        if (is_in)
            at[i] = (uint32_t)regs.rbx;
    }
    return true;
}

/* The bytes of the reply, or 0. */
static uint32_t read_once(bool by_blocks)
{
    static _Alignas(4) char request[] = "info-get guestinfo.bench";
    static uint32_t reply[MAX_BYTES / 4];
    uint32_t bytes;

    channel = cookie_high = cookie_low = 0;
    if (!message(MESSAGE_TYPE_OPEN, RPCI_PROTOCOL_NUM | GUESTMSG_FLAG_COOKIE))
        return 0;
    channel = (uint32_t)regs.rdx >> 16;
    cookie_high = (uint32_t)regs.rsi;
    cookie_low = (uint32_t)regs.rdi;
    if (!message(MESSAGE_TYPE_SENDSIZE, sizeof(request) - 1) ||
        !move(false, (uint32_t *)(void *)request, sizeof(request) - 1, by_blocks) || !message(MESSAGE_TYPE_RECVSIZE, 0))
        return 0;
    bytes = (uint32_t)regs.rbx;
    if (bytes > MAX_BYTES || !move(true, reply, bytes, by_blocks) ||
        !message(MESSAGE_TYPE_RECVSTATUS, MESSAGE_STATUS_SUCCESS) || !message(MESSAGE_TYPE_CLOSE, 0))
        return 0;
    return *(char *)reply == '1' ? bytes : 0;
}

uint32_t conform_read_guestinfo(uint32_t times, bool by_blocks)
{
    uint32_t bytes = 0;

    for (uint32_t i = 0; i < times; i++)
        bytes = read_once(by_blocks);
    return bytes;
}

void conform_log(const char *text, uint32_t bytes)
{
    static uint32_t request[MAX_LOG / 4] = {'l' | 'o' << 8 | 'g' << 16 | ' ' << 24};

    if (bytes > MAX_LOG - 4)
        bytes = MAX_LOG - 4;
    for (uint32_t i = 0; i < bytes; i++)
        ((char *)(request + 1))[i] = text[i];
    channel = cookie_high = cookie_low = 0;
    if (!message(MESSAGE_TYPE_OPEN, RPCI_PROTOCOL_NUM | GUESTMSG_FLAG_COOKIE))
        return;
    channel = (uint32_t)regs.rdx >> 16;
    cookie_high = (uint32_t)regs.rsi;
    cookie_low = (uint32_t)regs.rdi;
    if (message(MESSAGE_TYPE_SENDSIZE, bytes + 4))
        move(false, request, bytes + 4, false);
    message(MESSAGE_TYPE_CLOSE, 0);
}
