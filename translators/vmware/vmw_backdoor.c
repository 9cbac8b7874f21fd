/*
 * The backdoor: how a command comes in from the port or from VMCALL, and how its results go back.
 *
 * VMware decodes IN and OUT of every size at the one port. A command sets the other registers alike for all of
 * them; EAX gets its result as the destination of the IN, so an OUT leaves it alone and a narrow IN sets AL or AX.
 * The high-bandwidth port is in vmw_highband.c.
 */
#include "vmw_state.h"

static bool has_magic(const struct hvs_regs *regs)
{
    return (uint32_t)regs->rax == BDOOR_MAGIC;
}

static uint64_t with_low_half(uint64_t old, uint64_t value)
{
    return (old & ~(uint64_t)UINT32_MAX) | (uint32_t)value;
}

static void args_from_regs(uint64_t arg[VMW_NR_ARGS], const struct hvs_regs *regs)
{
    arg[VMW_EBX] = (uint32_t)regs->rbx;
    arg[VMW_ECX] = (uint32_t)regs->rcx;
    arg[VMW_EDX] = (uint32_t)regs->rdx;
    arg[VMW_ESI] = (uint32_t)regs->rsi;
    arg[VMW_EDI] = (uint32_t)regs->rdi;
    arg[VMW_EBP] = (uint32_t)regs->rbp;
}

/* Guests keep values in the upper halves: writing more than 32 bits breaks X.org's vmmouse driver (QEMU issue 3293). */
static void args_to_regs(struct hvs_regs *regs, const uint64_t arg[VMW_NR_ARGS])
{
    regs->rbx = with_low_half(regs->rbx, arg[VMW_EBX]);
    regs->rcx = with_low_half(regs->rcx, arg[VMW_ECX]);
    regs->rdx = with_low_half(regs->rdx, arg[VMW_EDX]);
    regs->rsi = with_low_half(regs->rsi, arg[VMW_ESI]);
    regs->rdi = with_low_half(regs->rdi, arg[VMW_EDI]);
    regs->rbp = with_low_half(regs->rbp, arg[VMW_EBP]);
}

/* Returns EAX; the other registers are written only where the command exists. */
static uint32_t run_command(struct hvs_ctx *ctx)
{
    struct hvs_call call = {.row = hvs_hcall_find(ctx, BDOOR_CMD((uint32_t)ctx->regs->rcx))};
    uint32_t eax;

    if (!call.row || ((call.row->flags & VMW_ROW_CPL0) && ctx->regs->cpl != 0))
        return BDOOR_UNSUPPORTED;
    args_from_regs(call.arg, ctx->regs);
    eax = (uint32_t)hvs_hcall_invoke(ctx, &call);
    args_to_regs(ctx->regs, call.arg);
    return eax;
}

/* As any IN does it: a narrow one leaves the rest of RAX, one of 4 bytes clears the upper half. */
static uint64_t rax_after_in(uint64_t rax, uint32_t value, uint8_t size_bytes)
{
    uint64_t mask = size_bytes == 1 ? UINT8_MAX : UINT16_MAX;

    return size_bytes == 4 ? value : (rax & ~mask) | (value & mask);
}

/* Whoever has the PS/2 mouse may know its better half too, as QEMU does; where nobody does, the bus floats, which says
   the same as "unsupported". */
static bool is_for_mouse_of_vmm(const struct hvs_ctx *ctx)
{
    uint32_t command = BDOOR_CMD((uint32_t)ctx->regs->rcx);
    bool is_for_mouse = command == BDOOR_CMD_ABSPOINTER_DATA || command == BDOOR_CMD_ABSPOINTER_STATUS ||
                        command == BDOOR_CMD_ABSPOINTER_COMMAND || command == BDOOR_CMD_ABSPOINTER_RESTRICT;

    return is_for_mouse && hvs_ctx_feature(ctx, VMW_FEATURE_VMMOUSE) && !vmw_options(ctx)->on_pointer_mode;
}

enum hvs_verdict vmw_port(struct hvs_ctx *ctx)
{
    uint32_t eax = UINT32_MAX;          /* without the magic, nobody answers on the bus */

    if (has_magic(ctx->regs) && is_for_mouse_of_vmm(ctx))
        return HVS_UNHANDLED;
    if (has_magic(ctx->regs))
        eax = run_command(ctx);
    if (ctx->exit->pio.is_in)
        ctx->regs->rax = rax_after_in(ctx->regs->rax, eax, ctx->exit->pio.size_bytes);
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

bool vmw_claims_raw(const struct hvs_regs *regs)
{
    return has_magic(regs);
}

enum hvs_verdict vmw_hypercall(struct hvs_ctx *ctx)
{
    struct hvs_regs *regs = ctx->regs;
    uint64_t flags = regs->rdx;
    uint32_t eax;

    if (!hvs_ctx_feature(ctx, VMW_FEATURE_VMCALL) || !has_magic(regs))
        return HVS_UNHANDLED;
    if (flags & BDOOR_FLAGS_HB) {
        if (!hvs_ctx_feature(ctx, VMW_FEATURE_GUESTRPC_HB))
            return HVS_UNHANDLED;
        ctx->out->regs_changed = true;
        return vmw_highband_call(ctx);
    }
    eax = run_command(ctx);
    if (!(flags & BDOOR_FLAGS_WRITE))
        regs->rax = with_low_half(regs->rax, eax);
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}
