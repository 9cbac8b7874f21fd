/*
 * What a guest says to the hypervisor itself: console_io, hypercall 18, and the debug port [XEN drivers/char/console.c;
 * arch/x86/hvm/hvm.c hvm_print_line; xsm/dummy.h xsm_console_io]. It leaves as HVS_EFFECT_LOG, byte by byte, without
 * what is not printable.
 *
 * A Xen that was built for use refuses console_io to all but the hardware domain; one that was built for finding bugs
 * lets every guest write, and that is the feature. Reading is refused by both. Linux (earlyprintk=xen) then takes the
 * port, which is open to all.
 */
#include "xen_state.h"

/* Of one exit; then the guest executes the instruction again. */
enum { MAX_CALL_BYTES = XEN_MAX_UPCALL_EFFECTS /* that a call within a multicall may have */,
       MAX_PORT_BYTES = HVS_MAX_EFFECTS };

#define RFLAGS_DF (1ull << 10)

static void say(struct hvs_ctx *ctx, uint8_t byte)
{
    bool is_printable = (byte >= ' ' && byte < 0x7f) || byte == '\n' || byte == '\t';

    if (is_printable)
        hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_LOG, .vp = ctx->vp, .byte = byte});
}

static void say_text(struct hvs_ctx *ctx, const uint8_t *text, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        say(ctx, text[i]);
}

int64_t xen_console_io(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint32_t count = (uint32_t)call->arg[1];
    const uint32_t bytes = count < MAX_CALL_BYTES ? count : MAX_CALL_BYTES;
    uint8_t text[MAX_CALL_BYTES];

    if ((uint32_t)call->arg[0] != CONSOLEIO_write || !hvs_ctx_feature(ctx, XEN_FEATURE_CONSOLE_IO))
        return -XEN_EPERM;
    if (bytes && hvs_gva_read(ctx, call->arg[XEN_ARG_HANDLE], text, bytes))
        return -XEN_EFAULT;
    say_text(ctx, text, bytes);
    if (bytes == count)
        return 0;
    call->arg[1] = count - bytes;
    call->arg[2] += bytes;
    return XEN_AGAIN;
}

static uint64_t address_mask(const struct hvs_regs *regs)
{
    return regs->code_bits == 64 ? UINT64_MAX : regs->code_bits == 32 ? UINT32_MAX : UINT16_MAX;
}

/* OUTS: as many bytes as fit, and the guest goes on with the rest; without HVS_CAP_RETRY that is lost. */
static enum hvs_verdict say_string(struct hvs_ctx *ctx)
{
    struct hvs_regs *regs = ctx->regs;
    const uint64_t mask = address_mask(regs);
    const uint32_t count = ctx->exit->pio.count;
    const uint32_t bytes = count < MAX_PORT_BYTES ? count : MAX_PORT_BYTES;
    const uint32_t done = hvs_ctx_config(ctx)->caps & HVS_CAP_RETRY ? bytes : count;
    uint8_t text[MAX_PORT_BYTES];

    if (regs->rflags & RFLAGS_DF)
        return HVS_UNHANDLED;
    for (uint32_t i = 0; i < bytes; i++) {
        uint64_t gpa, gva = (regs->rsi + i) & mask;

        if (hvs_gva_to_gpa(ctx, gva, false, &gpa))
            return hvs_fault_access(ctx, gva, false);
        if (hvs_gpa_read(ctx, gpa, &text[i], 1))
            text[i] = 0;                /* a device's memory is no text */
    }
    say_text(ctx, text, bytes);
    regs->rsi = (regs->rsi + done) & mask;
    regs->rcx = count - done;
    ctx->out->regs_changed = true;
    return done == count ? HVS_HANDLED : HVS_RETRY;
}

enum hvs_verdict xen_debug_say(struct hvs_ctx *ctx)
{
    if (ctx->exit->pio.is_in || ctx->exit->pio.size_bytes != 1)
        return HVS_UNHANDLED;
    if (ctx->exit->pio.is_string)
        return say_string(ctx);
    say(ctx, (uint8_t)ctx->regs->rax);
    return HVS_HANDLED;
}
