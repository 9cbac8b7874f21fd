/*
 * The virtual processor: its index, its idle sleep, and its long waits [TLFS vp-properties].
 *
 * Its run time, its assist page and its APIC have files of their own. Left out: NPIEP. It makes SGDT, SIDT, SLDT and
 * STR fault at CPL 3, which takes descriptor-table exits or UMIP behind the guest's back; no backend can do either.
 */
#include "hv_state.h"

enum hvs_verdict hv_vp_index_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = ctx->vp;
    return HVS_HANDLED;
}

/* The value means nothing; what counts is that reading takes until an interrupt is there, be it masked. */
enum hvs_verdict hv_guest_idle_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = 0;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_BLOCK, .target = HVS_TARGET_VP, .vp = ctx->vp});
    return HVS_HANDLED;
}

/* HvCallNotifyLongSpinWait: advice, so it never fails, whatever the count. */
int64_t hv_notify_long_spin_wait(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_YIELD, .target = HVS_TARGET_VP, .vp = ctx->vp});
    return HV_STATUS_SUCCESS;
}
