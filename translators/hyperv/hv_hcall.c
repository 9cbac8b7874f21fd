/*
 * Hypercalls: from registers to a decoded call, and back [TLFS hypercall-interface].
 *
 * The calls themselves are rows (hv_rows.c) with a handler in the file of their chapter; checking and copying is the
 * core's generic routine. Output in registers is for 64-bit callers only.
 */
#include "hv_state.h"

static const struct hvs_hcall_status status_codes = {
    .invalid_code = HV_STATUS_INVALID_HYPERCALL_CODE,
    .invalid_input = HV_STATUS_INVALID_HYPERCALL_INPUT,
    .invalid_alignment = HV_STATUS_INVALID_ALIGNMENT,
};

/* The three values of the convention, from either set of registers. */
struct words {
    uint64_t control, in, out;
};

/* EFER.LMA and CS.L: compatibility mode counts as 32-bit. */
static bool is_64bit(const struct hvs_regs *regs)
{
    return regs->code_bits == 64;
}

static uint64_t join(uint64_t high, uint64_t low)
{
    return high << 32 | (uint32_t)low;
}

static struct words words_from_regs(const struct hvs_regs *regs)
{
    if (is_64bit(regs))
        return (struct words){regs->rcx, regs->rdx, regs->r8};
    return (struct words){join(regs->rdx, regs->rax), join(regs->rbx, regs->rcx), join(regs->rdi, regs->rsi)};
}

uint64_t hv_hcall_in_gpa(const struct hvs_ctx *ctx)
{
    return words_from_regs(ctx->regs).in;
}

uint64_t hv_hcall_out_gpa(const struct hvs_ctx *ctx)
{
    return words_from_regs(ctx->regs).out;
}

static uint32_t field(uint64_t control, unsigned shift, uint64_t mask)
{
    return (uint32_t)(control >> shift & mask);
}

static struct hvs_hcall_input decode(const struct hvs_ctx *ctx, const struct words *words)
{
    uint64_t c = words->control;

    return (struct hvs_hcall_input){
        .code = field(c, 0, HV_HYPERCALL_CODE_MASK),
        .is_fast = c & HV_HYPERCALL_FAST,
        .nr_var = field(c, HV_HYPERCALL_VARIABLE_HEADER_SHIFT, HV_HYPERCALL_VARIABLE_HEADER_MASK),
        .rep_count = field(c, HV_HYPERCALL_REP_COUNT_SHIFT, HV_HYPERCALL_REP_COUNT_MASK),
        .rep_first = field(c, HV_HYPERCALL_REP_START_SHIFT, HV_HYPERCALL_REP_START_MASK),
        .in_gpa = words->in,
        .out_gpa = words->out,
        .reg = {words->in, words->out},
        .has_xmm_in = hvs_ctx_feature(ctx, HV_FEATURE_XMM_INPUT),
        .has_xmm_out = is_64bit(ctx->regs) && hvs_ctx_feature(ctx, HV_FEATURE_XMM_OUTPUT),
    };
}

static void return_result(struct hvs_ctx *ctx, const struct hvs_hcall_result *result)
{
    uint64_t value = result->status | (uint64_t)result->reps_done << HV_HYPERCALL_REPS_COMPLETED_SHIFT;

    if (is_64bit(ctx->regs)) {
        ctx->regs->rax = value;
    } else {
        ctx->regs->rax = (uint32_t)value;
        ctx->regs->rdx = value >> 32;
    }
    ctx->out->regs_changed = true;
}

/* The guest will execute the call again: it then begins with element `reps_done`. */
static void continue_from(struct hvs_ctx *ctx, uint16_t reps_done)
{
    bool in_rcx = is_64bit(ctx->regs);
    uint64_t *reg = in_rcx ? &ctx->regs->rcx : &ctx->regs->rdx;
    unsigned shift = in_rcx ? HV_HYPERCALL_REP_START_SHIFT : HV_HYPERCALL_REP_START_SHIFT - 32;

    *reg = (*reg & ~(HV_HYPERCALL_REP_START_MASK << shift)) | (uint64_t)reps_done << shift;
    ctx->out->regs_changed = true;
}

static bool may_call(const struct hvs_ctx *ctx)
{
    const struct hv_vm *hv = ctx->vm_state;
    uint64_t msr = atomic_load_explicit(&hv->shared.hypercall, memory_order_acquire);

    return ctx->regs->cpl == 0 && (ctx->regs->cr0 & HVS_CR0_PE) && (msr & HV_X64_MSR_HYPERCALL_ENABLE);
}

enum hvs_verdict hv_hypercall(struct hvs_ctx *ctx)
{
    struct hvs_hcall_result result = {.status = HV_STATUS_INVALID_HYPERCALL_INPUT};
    enum hvs_verdict verdict = HVS_HANDLED;

    if (!may_call(ctx))
        return hvs_fault_ud(ctx);

    struct words words = words_from_regs(ctx->regs);

    if (!is_64bit(ctx->regs) && hv_page_marks_calls(ctx))
        words.control &= ~(uint64_t)HV_CALL_MARK;
    /* Nobody is nested below us, so nothing is for a hypervisor further out. */
    if (!(words.control & (HV_HYPERCALL_RESERVED | HV_HYPERCALL_IS_NESTED))) {
        struct hvs_hcall_input input = decode(ctx, &words);

        verdict = hvs_hcall_run(ctx, &input, &status_codes, &result);
    }
    if (verdict == HVS_HANDLED)
        return_result(ctx, &result);
    if (verdict == HVS_RETRY)
        continue_from(ctx, result.reps_done);
    return verdict;
}
