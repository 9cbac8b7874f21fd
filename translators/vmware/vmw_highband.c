/*
 * The high-bandwidth port: a message's payload as one REP OUTSB or REP INSB, or as one VMCALL [BDOOR BDOORHB_PORT;
 * open-vm-tools lib/message].
 *
 * EBX has command and status, ECX the length, EDX the channel; OUT: ESI buffer, EBP and EDI cookie; IN: EDI buffer, ESI
 * and EBP cookie. The buffer lies in the memory of whoever executes this. What is not mapped there faults before
 * anything has moved, and the guest does it again.
 *
 * Left out: BDOORHB_CMD_VASSERT, the debugging aid of VMware's own guests.
 */
#include "vmw_state.h"

#define RFLAGS_DF (1ull << 10)

struct block {
    bool is_in;
    uint64_t gva;
    uint32_t bytes;
    uint32_t cookie_high, cookie_low;
};

static uint64_t address(const struct hvs_regs *regs, uint64_t reg)
{
    return regs->code_bits == 64 ? reg : (uint32_t)reg;
}

static struct block block_of(const struct hvs_regs *regs, bool is_in, uint32_t bytes)
{
    return (struct block){
        .is_in = is_in,
        .gva = address(regs, is_in ? regs->rdi : regs->rsi),
        .bytes = bytes,
        .cookie_high = (uint32_t)(is_in ? regs->rsi : regs->rbp),
        .cookie_low = (uint32_t)(is_in ? regs->rbp : regs->rdi),
    };
}

/* HVS_FAULT where a page of the buffer is not the guest's to use so. */
static enum hvs_verdict check_mapped(struct hvs_ctx *ctx, const struct block *block)
{
    uint64_t gpa, offset = block->gva & (HVS_PAGE_BYTES - 1);
    uint64_t nr_pages = (offset + block->bytes + HVS_PAGE_BYTES - 1) >> HVS_PAGE_SHIFT;

    for (uint64_t i = 0; i < nr_pages; i++) {
        uint64_t gva = i ? block->gva - offset + (i << HVS_PAGE_SHIFT) : block->gva;

        if (hvs_gva_to_gpa(ctx, gva, block->is_in, &gpa))
            return hvs_fault_access(ctx, gva, block->is_in);
    }
    return HVS_HANDLED;
}

/* The guest sends if it is to, receives if it is to, and no more than is left. */
static bool fits(const struct vmw_channel *channel, const struct block *block)
{
    return channel->flow == (block->is_in ? VMW_FLOW_RECEIVING : VMW_FLOW_SENDING) &&
           block->bytes <= channel->message_bytes - channel->done_bytes;
}

/* Returns the status; 0 where the buffer is mapped to what is not RAM. */
static uint32_t move(struct hvs_ctx *ctx, struct vmw_channel *channel, const struct block *block)
{
    uint8_t *at = channel->message + channel->done_bytes;
    int err = block->is_in ? hvs_gva_write(ctx, block->gva, at, block->bytes)
                           : hvs_gva_read(ctx, block->gva, at, block->bytes);

    if (err)
        return 0;
    channel->done_bytes += block->bytes;
    if (!block->is_in && channel->done_bytes == channel->message_bytes)
        vmw_message_whole(ctx, channel);
    return MESSAGE_STATUS_SUCCESS;
}

/* One block. Returns HVS_HANDLED with the status in EBX, or HVS_FAULT. */
static enum hvs_verdict transfer(struct hvs_ctx *ctx, const struct block *block)
{
    struct hvs_regs *regs = ctx->regs;
    struct vmw_channel *channel = NULL;
    uint32_t status = 0;

    if ((uint16_t)regs->rbx != BDOORHB_CMD_MESSAGE)
        return HVS_HANDLED;
    if (regs->rbx >> 16 & MESSAGE_STATUS_SUCCESS)
        channel = vmw_message_channel(ctx, (uint32_t)regs->rdx >> 16, block->cookie_high, block->cookie_low, &status);
    if (channel && fits(channel, block)) {
        if (check_mapped(ctx, block) == HVS_FAULT)
            return HVS_FAULT;
        status = move(ctx, channel, block);
    } else if (channel) {
        status = vmw_message_out_of_step(channel);
    }
    regs->rbx = (regs->rbx & ~(uint64_t)UINT32_MAX) | status << 16;
    return HVS_HANDLED;
}

enum hvs_verdict vmw_highband_port(struct hvs_ctx *ctx)
{
    struct hvs_regs *regs = ctx->regs;
    bool is_in = ctx->exit->pio.is_in;
    uint32_t bytes = ctx->exit->pio.count;
    uint64_t *moving = is_in ? &regs->rdi : &regs->rsi;
    struct block block = block_of(regs, is_in, bytes);

    if (!ctx->exit->pio.is_string || ctx->exit->pio.size_bytes != 1 || (uint32_t)regs->rax != BDOOR_MAGIC ||
        (regs->rflags & RFLAGS_DF))
        return HVS_UNHANDLED;
    if (transfer(ctx, &block) == HVS_FAULT)
        return HVS_FAULT;
    regs->rcx = 0;
    *moving = address(regs, *moving + bytes);
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

enum hvs_verdict vmw_highband_call(struct hvs_ctx *ctx)
{
    struct block block = block_of(ctx->regs, !(ctx->regs->rdx & BDOOR_FLAGS_WRITE), (uint32_t)ctx->regs->rcx);
    enum hvs_verdict verdict;

    hvs_vm_lock(ctx);
    verdict = transfer(ctx, &block);
    hvs_vm_unlock(ctx);
    return verdict;
}
