/*
 * Single MSRs for a VMM that saves and restores a vCPU MSR by MSR, as KVM's ioctls do: hvs_vcpu_msr_get and _set.
 *
 * They go through the rows as a load does, one at a time and in any order. So a row whose state a load takes from a
 * record of its own (Hyper-V's timers) has its handler do by itself what is right then, on hvs_ctx.from_host.
 */
#include "core.h"

/* The first personality's live row for `index`, with *ctx made for it; NULL: there is none. */
static const struct hvs_msr_row *find(struct hvs_vcpu *vcpu, uint32_t index, struct hvs_ctx *ctx)
{
    for (uint8_t s = 0; s < vcpu->vm->config.nr_slots; s++) {
        const struct hvs_msr_row *row;

        *ctx = hvs_ctx_make(vcpu, s);
        ctx->from_host = ctx->keeps_ram = true;
        row = hvs_msr_row_find(&ctx->vm->slot[s], index);
        if (row)
            return row;
    }
    return NULL;
}

static void enter(struct hvs_ctx *ctx, const struct hvs_msr_row *row)
{
    hvs_lock_take(ctx->vm, &ctx->vcpu->lock);
    if (row->scope == HVS_SCOPE_VM)
        hvs_vm_lock(ctx);
}

static void leave(struct hvs_ctx *ctx, const struct hvs_msr_row *row)
{
    if (row->scope == HVS_SCOPE_VM)
        hvs_vm_unlock(ctx);
    hvs_lock_drop(&ctx->vcpu->lock);
}

int hvs_vcpu_msr_get(struct hvs_vcpu *vcpu, uint32_t index, uint64_t *value)
{
    struct hvs_outcome scratch = {.nr_effects = 0};
    const struct hvs_msr_row *row;
    enum hvs_verdict verdict;
    struct hvs_ctx ctx;

    row = find(vcpu, index, &ctx);
    if (!row || !row->read)
        return HVS_ENOENT;
    ctx.out = &scratch;
    enter(&ctx, row);
    verdict = row->read(&ctx, index, value);
    leave(&ctx, row);
    return verdict == HVS_HANDLED ? HVS_OK : HVS_EINVAL;
}

int hvs_vcpu_msr_set(struct hvs_vcpu *vcpu, uint32_t index, uint64_t value)
{
    struct hvs_outcome scratch = {.nr_effects = 0};
    const struct hvs_msr_row *row;
    enum hvs_verdict verdict;
    struct hvs_ctx ctx;

    row = find(vcpu, index, &ctx);
    if (!row || !row->write)
        return HVS_ENOENT;
    if (value & row->reserved)
        return HVS_EINVAL;
    ctx.out = &scratch;
    enter(&ctx, row);
    verdict = row->write(&ctx, index, value);
    leave(&ctx, row);
    return verdict == HVS_HANDLED ? HVS_OK : HVS_EINVAL;
}
