/*
 * Event flags: 2048 per SINT in the SIEF page [TLFS inter-partition-communication, SynIC event flags].
 */
#include "hv_state.h"

bool hv_event_signal(struct hvs_ctx *ctx, uint32_t sint, uint32_t flag)
{
    struct hvs_overlay *overlay = hvs_vcpu_overlay(ctx, ctx->vp, HV_OVERLAY_SIEF);
    struct hv_synic_event_flags_page *page;
    uint8_t bit = (uint8_t)(1u << flag % 8), before;

    if (!hv_synic_is_on(ctx) || hv_synic_sint_is_masked(ctx, sint))
        return false;
    page = hvs_overlay_open(ctx, overlay);
    if (!page)
        return false;
    before = atomic_fetch_or_explicit((_Atomic uint8_t *)&page->sint_flags[sint][flag / 8], bit, memory_order_seq_cst);
    hvs_overlay_close(ctx, overlay, page, true);
    if (!(before & bit))
        hv_synic_interrupt(ctx, sint);
    return true;
}
