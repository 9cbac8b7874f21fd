/*
 * Dispatch: the door through which everything enters. Finds the row that owns an exit, checks feature, direction and
 * reserved bits, calls its handler, counts and traces.
 */
#include "core.h"

typedef enum hvs_verdict exit_fn(struct hvs_ctx *ctx);

static enum hvs_verdict cpuid_exit(struct hvs_ctx *ctx)
{
    uint32_t leaf = (uint32_t)ctx->regs->rax, subleaf = (uint32_t)ctx->regs->rcx;
    const struct hvs_slot *slot = &ctx->vm->slot[ctx->slot];
    struct hvs_cpuid_regs r;

    if (leaf < slot->base || leaf - slot->base >= HVS_CPUID_STEP)
        return HVS_UNHANDLED;
    hvs_ctx_cpuid(ctx, leaf - slot->base, subleaf, &r);
    ctx->regs->rax = r.reg[HVS_EAX];
    ctx->regs->rbx = r.reg[HVS_EBX];
    ctx->regs->rcx = r.reg[HVS_ECX];
    ctx->regs->rdx = r.reg[HVS_EDX];
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

const struct hvs_msr_row *hvs_msr_row_find(const struct hvs_slot *slot, uint32_t index)
{
    const struct hvs_msr_row *row = slot->personality->msr;
    uint32_t low = 0, high = slot->personality->nr_msr;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (row[middle].last < index)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == slot->personality->nr_msr || row[low].first > index)
        return NULL;
    return hvs_slot_row_is_live(slot, row[low].feature) ? &row[low] : NULL;
}

static const struct hvs_msr_row *msr_enter(struct hvs_ctx *ctx, uint32_t index)
{
    const struct hvs_slot *slot = &ctx->vm->slot[ctx->slot];
    const struct hvs_msr_row *row = hvs_msr_row_find(slot, index);

    if (!row)
        return NULL;
    hvs_row_hit(ctx->vcpu, ctx->slot, HVS_TABLE_MSR, (uint32_t)(row - slot->personality->msr));
    if (row->scope == HVS_SCOPE_VM)
        hvs_vcpu_lock_vm(ctx->vcpu);
    return row;
}

static void msr_leave(struct hvs_ctx *ctx, const struct hvs_msr_row *row)
{
    if (row->scope == HVS_SCOPE_VM)
        hvs_vcpu_unlock_vm(ctx->vcpu);
}

enum hvs_verdict hvs_ctx_msr_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hvs_msr_row *row = msr_enter(ctx, index);
    enum hvs_verdict verdict = HVS_FAULT;

    *value = 0;
    if (!row)
        return HVS_UNHANDLED;
    if (row->read)
        verdict = row->read(ctx, index, value);
    msr_leave(ctx, row);
    return verdict;
}

enum hvs_verdict hvs_ctx_msr_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    const struct hvs_msr_row *row = msr_enter(ctx, index);
    enum hvs_verdict verdict = HVS_FAULT;

    if (!row)
        return HVS_UNHANDLED;
    if (row->write && !(value & row->reserved))
        verdict = row->write(ctx, index, value);
    msr_leave(ctx, row);
    return verdict;
}

static enum hvs_verdict msr_read_exit(struct hvs_ctx *ctx)
{
    enum hvs_verdict verdict = hvs_ctx_msr_read(ctx, ctx->exit->msr.index, &ctx->out->value);

    ctx->vcpu->trace.value = ctx->out->value;
    return verdict;
}

static enum hvs_verdict msr_write_exit(struct hvs_ctx *ctx)
{
    ctx->vcpu->trace.value = ctx->exit->msr.value;
    return hvs_ctx_msr_write(ctx, ctx->exit->msr.index, ctx->exit->msr.value);
}

static enum hvs_verdict hypercall_exit(struct hvs_ctx *ctx)
{
    const struct hvs_personality *p = ctx->vm->slot[ctx->slot].personality;
    uint8_t to = ctx->exit->hypercall.slot;

    if (!p->hypercall)
        return HVS_UNHANDLED;
    if (to == HVS_SLOT_RAW ? !p->claims_raw || !p->claims_raw(ctx->regs) : to != ctx->slot)
        return HVS_UNHANDLED;
    return p->hypercall(ctx);
}

const struct hvs_pio_row *hvs_pio_row_find(const struct hvs_slot *slot, uint16_t port)
{
    const struct hvs_pio_row *row = slot->personality->pio;

    for (uint32_t i = 0; i < slot->personality->nr_pio; i++, row++) {
        if (port >= row->first && port <= row->last && hvs_slot_row_is_live(slot, row->feature))
            return row;
    }
    return NULL;
}

static enum hvs_verdict pio_exit(struct hvs_ctx *ctx)
{
    const struct hvs_slot *slot = &ctx->vm->slot[ctx->slot];
    const struct hvs_pio_row *row = hvs_pio_row_find(slot, ctx->exit->pio.port);
    enum hvs_verdict verdict;

    if (!row || (ctx->exit->pio.is_string && !row->takes_strings))
        return HVS_UNHANDLED;
    hvs_row_hit(ctx->vcpu, ctx->slot, HVS_TABLE_PIO, (uint32_t)(row - slot->personality->pio));
    if (row->scope == HVS_SCOPE_VM)
        hvs_vcpu_lock_vm(ctx->vcpu);
    verdict = row->fn(ctx);
    if (row->scope == HVS_SCOPE_VM)
        hvs_vcpu_unlock_vm(ctx->vcpu);
    return verdict;
}

/* Every personality may have timers that are due, so this one always goes on to the next slot. */
static enum hvs_verdict timer_exit(struct hvs_ctx *ctx)
{
    hvs_timer_fire_due(ctx, hvs_ctx_now_ns(ctx));
    return HVS_UNHANDLED;
}

static enum hvs_verdict host_exit(struct hvs_ctx *ctx)
{
    const struct hvs_personality *p = ctx->vm->slot[ctx->slot].personality;

    if (ctx->exit->host.to != p || !p->host)
        return HVS_UNHANDLED;
    p->host(ctx);
    return HVS_HANDLED;
}

static const struct {
    exit_fn *fn;
    bool needs_regs;
} by_kind[HVS_NR_EXIT_KINDS] = {
    [HVS_EXIT_CPUID] = {cpuid_exit, true},
    [HVS_EXIT_MSR_READ] = {msr_read_exit, false},
    [HVS_EXIT_MSR_WRITE] = {msr_write_exit, false},
    [HVS_EXIT_HYPERCALL] = {hypercall_exit, true},
    [HVS_EXIT_PIO] = {pio_exit, true},
    [HVS_EXIT_TIMER] = {timer_exit, false},
    [HVS_EXIT_HOST] = {host_exit, false},
};

static uint64_t exit_key(const struct hvs_exit *exit, const struct hvs_regs *regs)
{
    switch (exit->kind) {
    case HVS_EXIT_CPUID:
        return (uint32_t)regs->rax;
    case HVS_EXIT_MSR_READ:
    case HVS_EXIT_MSR_WRITE:
        return exit->msr.index;
    case HVS_EXIT_PIO:
        return exit->pio.port;
    case HVS_EXIT_HYPERCALL:
        return exit->hypercall.slot;
    case HVS_EXIT_HOST:
        return exit->host.request;
    case HVS_EXIT_TIMER:
    case HVS_EXIT_RESET:
    case HVS_NR_EXIT_KINDS:
        break;
    }
    return 0;
}

static enum hvs_verdict dispatch(struct hvs_vcpu *vcpu, const struct hvs_exit *exit, struct hvs_regs *regs,
                                 struct hvs_outcome *out)
{
    if (exit->kind == HVS_EXIT_RESET) {
        hvs_vcpu_reset(vcpu, out);
        return HVS_HANDLED;
    }
    for (uint8_t s = 0; s < vcpu->vm->config.nr_slots; s++) {
        struct hvs_ctx ctx = hvs_ctx_make(vcpu, s);

        ctx.exit = exit;
        ctx.regs = regs;
        ctx.out = out;
        vcpu->trace.slot = s;

        enum hvs_verdict verdict = by_kind[exit->kind].fn(&ctx);

        if (verdict != HVS_UNHANDLED)
            return verdict;
    }
    vcpu->trace.slot = 0xff;
    return exit->kind == HVS_EXIT_TIMER ? HVS_HANDLED : HVS_UNHANDLED;
}

enum hvs_verdict hvs_vcpu_exit(struct hvs_vcpu *vcpu, const struct hvs_exit *exit, struct hvs_regs *regs,
                               struct hvs_outcome *out)
{
    enum hvs_verdict verdict;

    out->value = 0;
    out->fault_vector = HVS_VECTOR_GP;          /* what a fault is unless the handler says otherwise */
    out->fault_has_code = true;
    out->fault_code = 0;
    out->fault_address = 0;
    out->regs_changed = false;
    out->nr_effects = 0;                        /* the set is for effects only, so it may stay as it is */
    out->effects_lost = false;
    if ((unsigned)exit->kind >= HVS_NR_EXIT_KINDS || (by_kind[exit->kind].needs_regs && !regs))
        return HVS_UNHANDLED;
    hvs_lock_take(vcpu->vm, &vcpu->lock);
    if (exit->kind < HVS_EXIT_TIMER) {          /* the guest's own doing */
        atomic_store_explicit(&vcpu->is_running, true, memory_order_relaxed);
        vcpu->charged = UINT32_MAX;
    }
    vcpu->trace.key = exit_key(exit, regs);
    vcpu->trace.value = 0;
    verdict = dispatch(vcpu, exit, regs, out);
    hvs_count(&vcpu->exits[exit->kind]);
    if (verdict == HVS_UNHANDLED)
        hvs_count(&vcpu->unhandled[exit->kind]);
    hvs_trace(vcpu, exit, verdict, out->nr_effects);
    hvs_lock_drop(&vcpu->lock);
    return verdict;
}
