/*
 * The local APIC's registers as MSRs: EOI, ICR, TPR [TLFS virtual-interrupts, Local APIC MSR Accesses].
 *
 * The local APIC is the backend's; what it refuses is #GP. That these registers are there does not mean that guests
 * should use them: feature "apic-msrs" says so, for hosts where they cost less than the APIC's own.
 */
#include "hv_state.h"

enum { APIC_TPR = 0x80, APIC_EOI = 0xb0, APIC_ICR = 0x300 };   /* offsets in the APIC's page */

static enum hvs_verdict apic_write(const struct hvs_ctx *ctx, uint32_t reg, uint64_t value)
{
    return hvs_ctx_apic_write(ctx, reg, value) ? HVS_FAULT : HVS_HANDLED;
}

static enum hvs_verdict apic_read(const struct hvs_ctx *ctx, uint32_t reg, uint64_t *value)
{
    return hvs_ctx_apic_read(ctx, reg, value) ? HVS_FAULT : HVS_HANDLED;
}

/* Any value ends the interrupt, while an x2APIC takes only 0. Messages that wait for their slot are tried again. */
enum hvs_verdict hv_eoi_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    enum hvs_verdict verdict = apic_write(ctx, APIC_EOI, 0);

    (void)index;
    (void)value;
    if (verdict == HVS_HANDLED)
        hv_message_retry(ctx);
    return verdict;
}

enum hvs_verdict hv_icr_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    return apic_read(ctx, APIC_ICR, value);
}

enum hvs_verdict hv_icr_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    return apic_write(ctx, APIC_ICR, value);
}

enum hvs_verdict hv_tpr_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    return apic_read(ctx, APIC_TPR, value);
}

enum hvs_verdict hv_tpr_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    return apic_write(ctx, APIC_TPR, value);
}
