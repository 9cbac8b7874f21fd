/*
 * The virtual processor: its index, its assist page, and its long waits [TLFS vp-properties].
 *
 * The assist page is kept but never written: no interrupt is offered for a lazy EOI, no VTL exists. Left out: VP
 * runtime, guest idle state, NPIEP.
 */
#include "hv_state.h"

enum hvs_verdict hv_vp_index_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = ctx->vp;
    return HVS_HANDLED;
}

enum hvs_verdict hv_vp_assist_page_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vcpu *hv = ctx->vcpu_state;

    (void)index;
    *value = hv->vp_assist_page;
    return HVS_HANDLED;
}

enum hvs_verdict hv_vp_assist_page_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hv_vcpu *hv = ctx->vcpu_state;

    (void)index;
    hv->vp_assist_page = value;
    hv_page_lay(ctx, hvs_vcpu_overlay(ctx, ctx->vp, HV_OVERLAY_VP_ASSIST), value);
    return HVS_HANDLED;
}

/* HvCallNotifyLongSpinWait: advice, so it never fails, whatever the count. */
int64_t hv_notify_long_spin_wait(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_YIELD, .target = HVS_TARGET_VP, .vp = ctx->vp});
    return HV_STATUS_SUCCESS;
}
