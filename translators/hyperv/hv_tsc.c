/*
 * What a guest may rely on about its TSC: notice of migrations and TSC emulation [TLFS nested-virtualization, Live
 * Migration Notification], the invariant TSC.
 *
 * A guest that was loaded has migrated, as far as it can know: its TSC may run at another rate, and the TSC page has
 * another offset. If it asked for that, it gets an interrupt once VP 0's timer is served; the frequency MSR and the TSC
 * page are new from the start. No backend can let RDTSC go on at the old rate for a while, so TSC emulation may be
 * asked for but is never in progress.
 *
 * TSC_INVARIANT_CONTROL makes the invariant TSC (CPUID 0x80000007 EDX 8) visible on Hyper-V. That leaf is the VMM's,
 * and on KVM it cannot change once the guest runs: a VMM that offers the feature shows the bit from the start.
 *
 * Where TLFS is silent: who asks for an interrupt by a vector or to a VP that cannot be gets none.
 */
#include "hv_state.h"

enum { FIRST_VECTOR = 16 };

enum hvs_verdict hv_reenlightenment_control_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vm *hv = ctx->vm_state;

    (void)index;
    *value = hv->reenlightenment_control;
    return HVS_HANDLED;
}

/* What comes from the host comes with a load: now is the time for the notice. */
enum hvs_verdict hv_reenlightenment_control_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hv_vm *hv = ctx->vm_state;

    (void)index;
    hv->reenlightenment_control = value;
    if (ctx->from_host && (value & HV_REENLIGHTENMENT_ENABLED))
        hvs_timer_arm(ctx, HV_TIMER_REENLIGHTENMENT, hvs_ctx_now_ns(ctx));
    return HVS_HANDLED;
}

void hv_reenlighten(struct hvs_ctx *ctx)
{
    const struct hv_vm *hv = ctx->vm_state;
    uint64_t control;

    hvs_vm_lock(ctx);
    control = hv->reenlightenment_control;
    hvs_vm_unlock(ctx);

    uint32_t vp = (uint32_t)(control >> HV_REENLIGHTENMENT_TARGET_VP_SHIFT);
    uint8_t vector = (uint8_t)(control & HV_REENLIGHTENMENT_VECTOR_MASK);

    if ((control & HV_REENLIGHTENMENT_ENABLED) && vp < hvs_ctx_nr_vps(ctx) && vector >= FIRST_VECTOR)
        hvs_emit_inject(ctx, vp, vector);
}

enum hvs_verdict hv_tsc_emulation_control_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vm *hv = ctx->vm_state;

    (void)index;
    *value = hv->tsc_emulation_control;
    return HVS_HANDLED;
}

enum hvs_verdict hv_tsc_emulation_control_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hv_vm *hv = ctx->vm_state;

    (void)index;
    hv->tsc_emulation_control = value;
    return HVS_HANDLED;
}

enum hvs_verdict hv_tsc_emulation_status_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vm *hv = ctx->vm_state;

    (void)index;
    *value = hv->tsc_emulation_status;
    return HVS_HANDLED;
}

/* Writing 0 ends the emulation, of which there is none; nor can a guest begin one. The other bits are preserved. */
enum hvs_verdict hv_tsc_emulation_status_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hv_vm *hv = ctx->vm_state;

    (void)index;
    if (value & HV_TSC_EMULATION_IN_PROGRESS)
        return HVS_FAULT;
    hv->tsc_emulation_status = value;
    return HVS_HANDLED;
}

enum hvs_verdict hv_tsc_invariant_control_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vm *hv = ctx->vm_state;

    (void)index;
    *value = hv->tsc_invariant_control;
    return HVS_HANDLED;
}

/* Once set, it stays; a guest that tries to clear it gets #GP, as on KVM. */
enum hvs_verdict hv_tsc_invariant_control_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hv_vm *hv = ctx->vm_state;

    (void)index;
    if (hv->tsc_invariant_control & ~value)
        return HVS_FAULT;
    hv->tsc_invariant_control = value;
    return HVS_HANDLED;
}
