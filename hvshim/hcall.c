/*
 * Hypercalls: finding and calling rows, and the generic routine of the memory convention (Hyper-V's).
 *
 * Input is copied once into a page of the vCPU, so a handler never sees guest memory that may change under it.
 */
#include "core.h"

enum {
    FAST_REG_BYTES = 16,        /* two general registers */
    FAST_XMM = 6,
    FAST_MAX_BYTES = FAST_REG_BYTES + FAST_XMM * 16,
};

/* The registers of a fast call, in the order in which its input and then its output fill them. */
struct fast_block {
    uint64_t reg[2];
    struct hvs_xmm xmm[FAST_XMM];
};
HVS_STATIC_ASSERT(sizeof(struct fast_block) == FAST_MAX_BYTES, "no padding between the registers");

/* One hypercall on its way through the checks. */
struct pass {
    struct hvs_ctx *ctx;
    const struct hvs_hcall_input *input;
    const struct hvs_hcall_row *row;
    uint32_t in_bytes;          /* header, variable header, all elements; at most a page */
    uint32_t out_bytes;
    uint8_t *out_page;          /* guest page of a slow call's output, pinned */
};

const struct hvs_hcall_row *hvs_hcall_find(struct hvs_ctx *ctx, uint32_t code)
{
    const struct hvs_slot *slot = &ctx->vm->slot[ctx->slot];
    const struct hvs_hcall_row *row = slot->personality->hcall;
    uint32_t low = 0, high = slot->personality->nr_hcall;

    ctx->vcpu->trace.key = code;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (row[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == slot->personality->nr_hcall || row[low].code != code || !hvs_slot_row_is_live(slot, row[low].feature))
        return NULL;
    hvs_row_hit(ctx->vcpu, ctx->slot, HVS_TABLE_HCALL, low);
    return &row[low];
}

int64_t hvs_hcall_invoke(struct hvs_ctx *ctx, struct hvs_call *call)
{
    int64_t status;

    if (call->row->scope == HVS_SCOPE_VM)
        hvs_vcpu_lock_vm(ctx->vcpu);
    status = call->row->fn(ctx, call);
    if (call->row->scope == HVS_SCOPE_VM)
        hvs_vcpu_unlock_vm(ctx->vcpu);
    ctx->vcpu->trace.value = (uint64_t)status;
    return status;
}

static bool control_fits_row(const struct hvs_hcall_input *input, const struct hvs_hcall_row *row)
{
    if (input->nr_var && !(row->flags & HVS_HCALL_VAR))
        return false;
    if (input->is_fast && !(row->flags & HVS_HCALL_FAST))
        return false;
    if (row->kind == HVS_HCALL_SIMPLE)
        return input->rep_count == 0 && input->rep_first == 0;
    return input->rep_first < input->rep_count;
}

static uint32_t round_up_16(uint32_t bytes)
{
    return (bytes + 15) & ~15u;
}

/* 0, or the status for a block of guest memory that must lie in one page and be 8-byte aligned. */
static uint16_t check_block(uint64_t gpa, uint32_t bytes, const struct hvs_hcall_status *status)
{
    if (bytes == 0)
        return 0;
    if ((gpa & (HVS_PAGE_BYTES - 1)) + bytes > HVS_PAGE_BYTES || (gpa & 7))
        return status->invalid_alignment;
    return 0;
}

static uint16_t open_slow(struct pass *pass, const struct hvs_hcall_status *status)
{
    uint64_t in = pass->input->in_gpa, out = pass->input->out_gpa;
    uint16_t bad = check_block(in, pass->in_bytes, status);

    if (!bad)
        bad = check_block(out, pass->out_bytes, status);
    if (bad)
        return bad;
    if (pass->in_bytes && pass->out_bytes && in < out + pass->out_bytes && out < in + pass->in_bytes)
        return status->invalid_input;
    if (pass->in_bytes && hvs_gpa_read(pass->ctx, in, pass->ctx->vcpu->input, pass->in_bytes))
        return status->invalid_alignment;
    if (pass->out_bytes) {
        pass->out_page = hvs_page_pin(pass->ctx, out >> HVS_PAGE_SHIFT);
        if (!pass->out_page)
            return status->invalid_alignment;
    }
    return 0;
}

/* Which of XMM0-5 hold bytes [from, from + bytes) of the register block. */
static bool xmm_span(uint32_t from, uint32_t bytes, uint32_t *first, uint32_t *count)
{
    uint32_t end = round_up_16(from + bytes);

    if (from < FAST_REG_BYTES)
        from = FAST_REG_BYTES;
    if (end <= from)
        return false;
    *first = (from - FAST_REG_BYTES) / 16;
    *count = (end - FAST_REG_BYTES) / 16 - *first;
    return true;
}

/* HVS_HANDLED with *bad, or HVS_FAULT where XMM is used without the feature. */
static enum hvs_verdict open_fast(struct pass *pass, const struct hvs_hcall_status *status, uint16_t *bad)
{
    const struct hvs_hcall_input *input = pass->input;
    struct hvs_ctx *ctx = pass->ctx;
    uint32_t out_from = round_up_16(pass->in_bytes), first, count;

    *bad = 0;
    if (out_from + pass->out_bytes > FAST_MAX_BYTES) {
        *bad = status->invalid_input;
        return HVS_HANDLED;
    }
    if ((pass->in_bytes > FAST_REG_BYTES && !input->has_xmm_in) || (pass->out_bytes && !input->has_xmm_out))
        return hvs_fault_ud(ctx);
    memcpy(ctx->vcpu->input, input->reg, FAST_REG_BYTES);
    if (xmm_span(0, pass->in_bytes, &first, &count)) {
        struct hvs_xmm xmm[FAST_XMM];

        if (ctx->vm->port->xmm_read(ctx->vm->port_ctx, ctx->vp, first, count, xmm))
            *bad = status->invalid_input;
        else
            memcpy(ctx->vcpu->input + FAST_REG_BYTES, xmm, count * sizeof(xmm[0]));
    }
    return HVS_HANDLED;
}

/*
 * Gives the finished part of the output to the guest: bytes [from, from + bytes) of the output block. What else these
 * registers hold is kept: the guest's own, and what an earlier round of a rep call put there.
 */
static void close_fast(struct pass *pass, uint32_t from, uint32_t bytes)
{
    struct hvs_ctx *ctx = pass->ctx;
    const struct hvs_vm *vm = ctx->vm;
    struct fast_block block = {.reg = {ctx->regs->rdx, ctx->regs->r8}};
    uint32_t at = round_up_16(pass->in_bytes) + from, first, count;
    bool has_xmm = xmm_span(at, bytes, &first, &count);

    if (has_xmm)
        vm->port->xmm_read(vm->port_ctx, ctx->vp, first, count, &block.xmm[first]);
    memcpy((uint8_t *)&block + at, ctx->vcpu->output + from, bytes);
    if (has_xmm)
        vm->port->xmm_write(vm->port_ctx, ctx->vp, first, count, &block.xmm[first]);
    ctx->regs->rdx = block.reg[0];
    ctx->regs->r8 = block.reg[1];
    ctx->out->regs_changed = true;
}

static void copy_out(struct pass *pass, const struct hvs_call *call, bool succeeded)
{
    uint32_t from = 0, bytes = pass->out_bytes;

    if (pass->row->kind == HVS_HCALL_REP) {
        from = pass->row->elem_out_bytes * pass->input->rep_first;
        bytes = pass->row->elem_out_bytes * (call->reps_done - pass->input->rep_first);
    } else if (!succeeded) {
        bytes = 0;
    }
    if (bytes == 0)
        return;
    if (pass->input->is_fast)
        close_fast(pass, from, bytes);
    else
        memcpy(pass->out_page + (pass->input->out_gpa & (HVS_PAGE_BYTES - 1)) + from,
               pass->ctx->vcpu->output + from, bytes);
}

static struct hvs_call call_begin(const struct pass *pass)
{
    const struct hvs_hcall_input *input = pass->input;
    const struct hvs_hcall_row *row = pass->row;
    uint8_t *in = pass->ctx->vcpu->input, *out = pass->ctx->vcpu->output;
    uint32_t header = row->in_bytes + input->nr_var * 8;

    memset(out, 0, pass->out_bytes);
    return (struct hvs_call){
        .row = row,
        .in = in,
        .var = (const uint64_t *)(const void *)(in + row->in_bytes),
        .nr_var = input->nr_var,
        .elem_in = in + header + row->elem_in_bytes * input->rep_first,
        .elem_out = out + row->elem_out_bytes * input->rep_first,
        .out = out,
        .rep_first = input->rep_first,
        .rep_count = input->rep_count,
        .reps_done = input->rep_first,
    };
}

static bool can_retry(const struct pass *pass)
{
    return pass->ctx->vm->config.caps & HVS_CAP_RETRY;
}

/* A handler that stopped early goes on from where it was: here, when the guest cannot execute the call again. */
static uint16_t call_to_end(struct pass *pass, struct hvs_call *call)
{
    for (;;) {
        uint32_t first = call->rep_first;
        uint16_t status = (uint16_t)hvs_hcall_invoke(pass->ctx, call);

        if (status || call->reps_done >= call->rep_count || call->reps_done <= first || can_retry(pass))
            return status;
        call->elem_in = (const uint8_t *)call->elem_in + pass->row->elem_in_bytes * (call->reps_done - first);
        call->elem_out = (uint8_t *)call->elem_out + pass->row->elem_out_bytes * (call->reps_done - first);
        call->rep_first = call->reps_done;
    }
}

static enum hvs_verdict run(struct pass *pass, struct hvs_hcall_result *result)
{
    struct hvs_call call = call_begin(pass);
    bool is_rep = pass->row->kind == HVS_HCALL_REP;

    result->status = call_to_end(pass, &call);
    result->reps_done = is_rep ? (uint16_t)call.reps_done : 0;
    copy_out(pass, &call, result->status == 0);
    if (is_rep && result->status == 0 && call.reps_done < call.rep_count && can_retry(pass))
        return HVS_RETRY;
    return HVS_HANDLED;
}

/* False where a block is larger than the page that it must lie in. */
static bool measure(struct pass *pass)
{
    const struct hvs_hcall_input *input = pass->input;
    const struct hvs_hcall_row *row = pass->row;
    uint64_t in = row->in_bytes + input->nr_var * 8ull + (uint64_t)input->rep_count * row->elem_in_bytes;
    uint64_t out = row->out_bytes + (uint64_t)input->rep_count * row->elem_out_bytes;

    if (in > HVS_PAGE_BYTES || out > HVS_PAGE_BYTES)
        return false;
    pass->in_bytes = (uint32_t)in;
    pass->out_bytes = (uint32_t)out;
    return true;
}

enum hvs_verdict hvs_hcall_run(struct hvs_ctx *ctx, const struct hvs_hcall_input *input,
                               const struct hvs_hcall_status *status, struct hvs_hcall_result *result)
{
    struct pass pass = {.ctx = ctx, .input = input, .row = hvs_hcall_find(ctx, input->code)};
    enum hvs_verdict verdict = HVS_HANDLED;

    *result = (struct hvs_hcall_result){.status = status->invalid_code};
    if (!pass.row)
        return HVS_HANDLED;
    result->status = status->invalid_input;
    if (!control_fits_row(input, pass.row) || !measure(&pass))
        return HVS_HANDLED;
    if (input->is_fast)
        verdict = open_fast(&pass, status, &result->status);
    else
        result->status = open_slow(&pass, status);
    if (verdict == HVS_HANDLED && result->status == 0)
        verdict = run(&pass, result);
    else
        result->reps_done = (uint16_t)input->rep_first;
    if (pass.out_page)
        hvs_page_unpin(ctx, input->out_gpa >> HVS_PAGE_SHIFT, pass.out_page, true);
    return verdict;
}
