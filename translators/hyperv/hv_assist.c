/*
 * The VP assist page: memory that guest and hypervisor share for one virtual processor [TLFS vp-properties,
 * virtual-interrupts EOI Assist].
 *
 * Of its fields two are ours: "no EOI required", which the backend keeps by itself (HVS_CAP_EOI_ASSIST), and the
 * expiry of the time-unhalted timer. Left out: VTLs and nested virtualization, so their fields stay zero.
 *
 * Invariant: the backend knows of the page exactly while it lies in memory and the guest has been told that it may
 * use it (feature vapic). The core ends that at a reset.
 */
#include "hv_state.h"

static struct hvs_overlay *assist_overlay(const struct hvs_ctx *ctx)
{
    return hvs_vcpu_overlay(ctx, ctx->vp, HV_OVERLAY_VP_ASSIST);
}

/* Where the backend cannot, or not there, each EOI is seen: nothing is lost. */
static void assist_eoi(struct hvs_ctx *ctx, uint64_t gpa)
{
    if (hvs_ctx_feature(ctx, HV_FEATURE_VAPIC))
        (void)hvs_ctx_eoi_assist(ctx, gpa);
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
    struct hvs_overlay *overlay = assist_overlay(ctx);
    struct hv_vcpu *hv = ctx->vcpu_state;

    (void)index;
    /* the host must not write to the RAM beneath */
    if (hvs_overlay_is_on(overlay))
        assist_eoi(ctx, UINT64_MAX);
    hv->vp_assist_page = value;
    hv_page_lay(ctx, overlay, value);
    if (hvs_overlay_is_on(overlay))
        assist_eoi(ctx, hv_page_gfn(value) << HV_PAGE_SHIFT);
    return HVS_HANDLED;
}

void hv_assist_say_unhalted_expired(struct hvs_ctx *ctx)
{
    struct hv_vp_assist_page *page = hvs_overlay_open(ctx, assist_overlay(ctx));

    if (!page)
        return;
    atomic_store_explicit((_Atomic uint8_t *)&page->synthetic_time_unhalted_timer_expired, 1, memory_order_release);
    hvs_overlay_close(ctx, assist_overlay(ctx), page, true);
}
