/*
 * The synthetic interrupt controller: its registers, and how a synthetic interrupt is raised
 * [TLFS inter-partition-communication, SynIC registers].
 *
 * The two pages are overlays of the vCPU: hv_message.c and hv_event.c write into them. An AutoEOI interrupt is
 * delivered past the local APIC, which then has nothing to end. Without HVS_CAP_PAST_APIC no SINT can be unmasked so:
 * #GP, and CPUID recommends against it beforehand. Left out: SIRBP, nested SynICs, the proxy bit (kept, without
 * meaning).
 */
#include "hv_state.h"

static struct hv_synic *synic_of(const struct hvs_ctx *ctx)
{
    struct hv_vcpu *hv = ctx->vcpu_state;

    return &hv->synic;
}

void hv_synic_reset(struct hvs_ctx *ctx)
{
    struct hv_synic *synic = synic_of(ctx);

    for (uint32_t sint = 0; sint < HV_SYNIC_SINT_COUNT; sint++)
        synic->sint[sint] = HV_SYNIC_SINT_MASKED;
}

bool hv_synic_is_on(const struct hvs_ctx *ctx)
{
    return synic_of(ctx)->control & HV_SYNIC_CONTROL_ENABLE;
}

/* "Setting the polling bit will have the effect of unmasking an interrupt source". */
bool hv_synic_sint_is_masked(const struct hvs_ctx *ctx, uint32_t sint)
{
    return (synic_of(ctx)->sint[sint] & (HV_SYNIC_SINT_MASKED | HV_SYNIC_SINT_POLLING)) == HV_SYNIC_SINT_MASKED;
}

void hv_synic_interrupt(struct hvs_ctx *ctx, uint32_t sint)
{
    uint64_t value = synic_of(ctx)->sint[sint];
    uint8_t vector = value & HV_SYNIC_SINT_VECTOR_MASK;

    if (value & (HV_SYNIC_SINT_MASKED | HV_SYNIC_SINT_POLLING))
        return;
    if (value & HV_SYNIC_SINT_AUTO_EOI)
        hvs_emit_inject_past_apic(ctx, ctx->vp, vector);
    else
        hvs_emit_inject(ctx, ctx->vp, vector);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

enum hvs_verdict hv_scontrol_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = synic_of(ctx)->control;
    return HVS_HANDLED;
}

enum hvs_verdict hv_scontrol_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    synic_of(ctx)->control = value;
    hv_message_retry(ctx);
    return HVS_HANDLED;
}

enum hvs_verdict hv_sversion_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)ctx;
    (void)index;
    *value = HV_SYNIC_VERSION;
    return HVS_HANDLED;
}

enum hvs_verdict hv_siefp_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = synic_of(ctx)->siefp;
    return HVS_HANDLED;
}

enum hvs_verdict hv_siefp_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    synic_of(ctx)->siefp = value;
    hv_page_lay_synic(ctx, hvs_vcpu_overlay(ctx, ctx->vp, HV_OVERLAY_SIEF), value);
    return HVS_HANDLED;
}

enum hvs_verdict hv_simp_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = synic_of(ctx)->simp;
    return HVS_HANDLED;
}

enum hvs_verdict hv_simp_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    synic_of(ctx)->simp = value;
    hv_page_lay_synic(ctx, hvs_vcpu_overlay(ctx, ctx->vp, HV_OVERLAY_SIM), value);
    hv_message_retry(ctx);
    return HVS_HANDLED;
}

enum hvs_verdict hv_eom_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)ctx;
    (void)index;
    *value = 0;
    return HVS_HANDLED;
}

enum hvs_verdict hv_eom_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    (void)value;
    hv_message_retry(ctx);
    return HVS_HANDLED;
}

enum hvs_verdict hv_sint_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    *value = synic_of(ctx)->sint[index - HV_X64_MSR_SINT0];
    return HVS_HANDLED;
}

/* A masked one may have any vector: guests write the reset value. A restore may not bring what cannot work here. */
enum hvs_verdict hv_sint_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    bool is_masked = value & HV_SYNIC_SINT_MASKED;
    bool can_auto_eoi = hvs_ctx_config(ctx)->caps & HVS_CAP_PAST_APIC;

    if (!is_masked && (value & HV_SYNIC_SINT_VECTOR_MASK) < HV_SYNIC_FIRST_VALID_VECTOR)
        return HVS_FAULT;
    if (!is_masked && (value & HV_SYNIC_SINT_AUTO_EOI) && !can_auto_eoi)
        return HVS_FAULT;
    synic_of(ctx)->sint[index - HV_X64_MSR_SINT0] = value;
    return HVS_HANDLED;
}

/* --- save and load: what no register holds ------------------------------------------------------------------------ */

int hv_synic_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer)
{
    if (phase == HVS_PHASE_MESSAGES && hvs_ctx_feature(ctx, HV_FEATURE_SYNIC))
        hv_host_waits_save(ctx, writer);
    if (phase == HVS_PHASE_TIMERS && hvs_ctx_feature(ctx, HV_FEATURE_STIMER))
        hv_stimer_save(ctx, writer);
    return HVS_OK;
}

int hv_synic_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    switch (record->id) {
    case HV_RECORD_HOST_WAITS:
        return hvs_ctx_feature(ctx, HV_FEATURE_SYNIC) ? hv_host_waits_load(ctx, record) : HVS_EFORMAT;
    case HV_RECORD_STIMERS:
        return hvs_ctx_feature(ctx, HV_FEATURE_STIMER) ? hv_stimer_load(ctx, record) : HVS_EFORMAT;
    default:
        return HVS_OK;
    }
}
