/*
 * What is saved beyond the MSRs: how long VPs have run, and where their timers are; the SynIC's is hv_synic.c's.
 * docs/save-format.md is the text.
 */
#include "hv_state.h"

static void put(struct hvs_writer *writer, uint16_t id, uint64_t value)
{
    hvs_writer_put(writer, id, 1, &value, sizeof(value));
}

int hv_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer)
{
    const struct hv_vcpu *hv = ctx->vcpu_state;

    if (phase == HVS_PHASE_CONTROL)
        put(writer, HV_RECORD_RUNTIME, hv_runtime_100ns(ctx));
    if (phase == HVS_PHASE_TIMERS)
        put(writer, HV_RECORD_UNHALTED, hv->unhalted.ends_100ns);
    return hv_synic_save(ctx, phase, writer);
}

int hv_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    uint64_t value;

    if (record->id != HV_RECORD_RUNTIME && record->id != HV_RECORD_UNHALTED)
        return hv_synic_load(ctx, record);
    if (hvs_record_get(record, &value, sizeof(value)))
        return HVS_EFORMAT;
    if (record->id == HV_RECORD_RUNTIME)
        hv_runtime_go_on_from(ctx, value);
    else
        hv_unhalted_go_on_until(ctx, value);
    return HVS_OK;
}
