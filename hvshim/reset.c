/* Reset: back to power-on. VP 0's reset is also the VM's. */
#include "core.h"

static void end_signals(struct hvs_ctx *ctx)
{
    struct hvs_slot *slot = &ctx->vm->slot[ctx->slot];

    if (slot->has_signals)
        hvs_ctx_signal(ctx, HVS_ALL_NUMBERS, HVS_NO_SIGNAL);
    slot->has_signals = false;
}

static void reset_vm(struct hvs_ctx *ctx)
{
    const struct hvs_slot *slot = &ctx->vm->slot[ctx->slot];
    const struct hvs_personality *p = slot->personality;

    for (uint32_t i = 0; i < p->nr_vm_overlays; i++)
        hvs_overlay_reset(ctx, &slot->overlay[i]);
    end_signals(ctx);
    memset(slot->state, 0, p->vm_bytes);
    if (p->vm_reset)
        p->vm_reset(ctx);
}

static void reset_vcpu(struct hvs_ctx *ctx)
{
    const struct hvs_personality *p = ctx->vm->slot[ctx->slot].personality;
    struct hvs_vcpu_slot *own = &ctx->vcpu->slot[ctx->slot];

    for (uint32_t i = 0; i < p->nr_vcpu_overlays; i++)
        hvs_overlay_reset(ctx, &own->overlay[i]);
    hvs_timer_reset(ctx);
    memset(own->state, 0, p->vcpu_bytes);
    if (p->vcpu_reset)
        p->vcpu_reset(ctx);
}

/* Before the RAM beneath comes back to the guest. A vCPU that never had it is not even known to the host yet. */
static void end_eoi_assist(struct hvs_vcpu *vcpu)
{
    if (vcpu->has_eoi_assist)
        vcpu->vm->port->eoi_assist(vcpu->vm->port_ctx, vcpu->vp, UINT64_MAX);
    vcpu->has_eoi_assist = false;
}

void hvs_vcpu_reset(struct hvs_vcpu *vcpu, struct hvs_outcome *out)
{
    hvs_vcpu_lock_vm(vcpu);
    end_eoi_assist(vcpu);
    for (uint8_t s = 0; s < vcpu->vm->config.nr_slots; s++) {
        struct hvs_ctx ctx = hvs_ctx_make(vcpu, s);

        ctx.out = out;
        if (vcpu->vp == 0)
            reset_vm(&ctx);
        reset_vcpu(&ctx);
    }
    atomic_store(&vcpu->is_running, vcpu->vp == 0);
    atomic_store(&vcpu->is_to_stop, false);
    if (vcpu->vp == 0)
        vcpu->vm->has_crashed = false;
    hvs_vcpu_unlock_vm(vcpu);
}
