/*
 * MSRs that place an overlay page in guest-physical memory: REFERENCE_TSC, VP_ASSIST_PAGE, and the like
 * [TLFS, GPA overlay pages].
 *
 * Bits 11:1 are RsvdP in all of them: kept as written. HYPERCALL has its own rules: hv_interface.c.
 *
 * The SynIC's two may be laid by the VMM itself (hvs_hv_options.has_synic_pages): memory is then as it is to be.
 */
#include "hv_state.h"

void hv_page_lay(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t value)
{
    if (!(value & HV_X64_MSR_PAGE_ENABLE) || hvs_overlay_on(ctx, overlay, hv_page_gfn(value)))
        hvs_overlay_off(ctx, overlay);
}

void hv_page_lay_synic(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t value)
{
    bool keeps_ram = ctx->keeps_ram;

    ctx->keeps_ram |= hv_options(ctx).has_synic_pages;
    hv_page_lay(ctx, overlay, value);
    ctx->keeps_ram = keeps_ram;
}
