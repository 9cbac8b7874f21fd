/*
 * Connections: what a guest posts and signals goes to the host, and what the host has for it comes in
 * [TLFS inter-partition-communication, ports and connections; HvCallPostMessage, HvCallSignalEvent].
 *
 * Which connections exist is the host's word (<hvshim/hyperv.h>); a host without callbacks has none. Both calls are
 * there wherever the SynIC is, as on KVM: guests look for VMBus in ACPI, not in these privileges. Order of checks:
 * reserved fields, type, size and flag number (INVALID_PARAMETER), bits 31:24 of the connection id
 * (INVALID_CONNECTION_ID), then the host. Left out: ports and connections that guests make themselves.
 */
#include <hvshim/hyperv.h>
#include <hvshim/translators.h>

#include "hv_state.h"

HVS_STATIC_ASSERT((int)HVS_HV_SUCCESS == HV_STATUS_SUCCESS, "success");
HVS_STATIC_ASSERT((int)HVS_HV_INVALID_PARAMETER == HV_STATUS_INVALID_PARAMETER, "invalid parameter");
HVS_STATIC_ASSERT((int)HVS_HV_INVALID_VP_INDEX == HV_STATUS_INVALID_VP_INDEX, "invalid VP index");
HVS_STATIC_ASSERT((int)HVS_HV_INVALID_PORT_ID == HV_STATUS_INVALID_PORT_ID, "invalid port id");
HVS_STATIC_ASSERT((int)HVS_HV_INVALID_CONNECTION_ID == HV_STATUS_INVALID_CONNECTION_ID, "invalid connection id");
HVS_STATIC_ASSERT((int)HVS_HV_INSUFFICIENT_BUFFERS == HV_STATUS_INSUFFICIENT_BUFFERS, "insufficient buffers");
HVS_STATIC_ASSERT((int)HVS_HV_INVALID_SYNIC_STATE == HV_STATUS_INVALID_SYNIC_STATE, "invalid SynIC state");
HVS_STATIC_ASSERT(HVS_HV_MESSAGE_BYTES == HV_MESSAGE_MAX_PAYLOAD_BYTE_COUNT, "a message's payload");

/* --- from the guest ----------------------------------------------------------------------------------------------- */

int64_t hv_post_message(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_post_message *in = call->in;
    const struct hvs_hv_host host = hv_host_services(hvs_ctx_options(ctx));

    if (in->rsvdz || in->message_type == HV_MESSAGE_TYPE_NONE || (in->message_type & HV_MESSAGE_TYPE_HYPERVISOR_MASK))
        return HV_STATUS_INVALID_PARAMETER;
    if (in->payload_size > HV_MESSAGE_MAX_PAYLOAD_BYTE_COUNT)
        return HV_STATUS_INVALID_PARAMETER;
    if ((in->connection_id & ~HV_CONNECTION_ID_MASK) || !host.message_posted)
        return HV_STATUS_INVALID_CONNECTION_ID;
    return host.message_posted(host.ctx, ctx->vp, in->connection_id, in->message_type, in->message, in->payload_size);
}

int64_t hv_signal_event(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_signal_event *in = call->in;
    const struct hvs_hv_host host = hv_host_services(hvs_ctx_options(ctx));

    if (in->rsvdz || in->flag_number >= HV_SYNIC_EVENT_FLAGS_COUNT)
        return HV_STATUS_INVALID_PARAMETER;
    if ((in->connection_id & ~HV_CONNECTION_ID_MASK) || !host.event_signalled)
        return HV_STATUS_INVALID_CONNECTION_ID;
    return host.event_signalled(host.ctx, ctx->vp, in->connection_id, in->flag_number);
}

/* --- from the host ------------------------------------------------------------------------------------------------ */

struct hvs_exit hvs_hv_post_exit(struct hvs_hv_message *message)
{
    return (struct hvs_exit){
        .kind = HVS_EXIT_HOST, .host = {.to = &hvs_hv_personality, .request = HVS_HV_POST_MESSAGE, .data = message}};
}

struct hvs_exit hvs_hv_signal_exit(struct hvs_hv_event *event)
{
    return (struct hvs_exit){
        .kind = HVS_EXIT_HOST, .host = {.to = &hvs_hv_personality, .request = HVS_HV_SIGNAL_EVENT, .data = event}};
}

struct hvs_exit hvs_hv_raise_exit(struct hvs_hv_event *event)
{
    return (struct hvs_exit){
        .kind = HVS_EXIT_HOST, .host = {.to = &hvs_hv_personality, .request = HVS_HV_RAISE_SINT, .data = event}};
}

static enum hvs_hv_answer post(struct hvs_ctx *ctx, const struct hvs_hv_message *from)
{
    struct hv_vcpu *hv = ctx->vcpu_state;
    struct hv_message message = {
        .header = {.message_type = from->type, .origination_id = from->port_id},
    };

    if (from->sint >= HV_SYNIC_SINT_COUNT || from->type == HV_MESSAGE_TYPE_NONE ||
        from->payload_bytes > sizeof(from->payload))
        return HVS_HV_REFUSED;
    message.header.payload_size = (uint8_t)from->payload_bytes;
    memcpy(message.payload, from->payload, from->payload_bytes);
    switch (hv_message_put(ctx, from->sint, &message)) {
    case HV_SLOT_FREE:
        return HVS_HV_DONE;
    case HV_SLOT_TAKEN:
        hv->synic.host_waits |= 1u << from->sint;
        return HVS_HV_BUSY;
    case HV_SLOT_OFF:
        break;
    }
    return HVS_HV_NOT_ENABLED;
}

static enum hvs_hv_answer set_flag(struct hvs_ctx *ctx, const struct hvs_hv_event *event)
{
    if (event->sint >= HV_SYNIC_SINT_COUNT || event->flag >= HV_SYNIC_EVENT_FLAGS_COUNT)
        return HVS_HV_REFUSED;
    return hv_event_signal(ctx, event->sint, event->flag) ? HVS_HV_DONE : HVS_HV_NOT_ENABLED;
}

static enum hvs_hv_answer raise_sint(struct hvs_ctx *ctx, const struct hvs_hv_event *event)
{
    if (event->sint >= HV_SYNIC_SINT_COUNT)
        return HVS_HV_REFUSED;
    if (hv_synic_sint_is_masked(ctx, event->sint))
        return HVS_HV_NOT_ENABLED;
    hv_synic_interrupt(ctx, event->sint);
    return HVS_HV_DONE;
}

void hv_host(struct hvs_ctx *ctx)
{
    const void *data = ctx->exit->host.data;

    ctx->out->value = HVS_HV_REFUSED;
    if (!hvs_ctx_feature(ctx, HV_FEATURE_SYNIC))
        ctx->out->value = HVS_HV_NOT_ENABLED;
    else if (ctx->exit->host.request == HVS_HV_POST_MESSAGE)
        ctx->out->value = post(ctx, data);
    else if (ctx->exit->host.request == HVS_HV_SIGNAL_EVENT)
        ctx->out->value = set_flag(ctx, data);
    else if (ctx->exit->host.request == HVS_HV_RAISE_SINT)
        ctx->out->value = raise_sint(ctx, data);
}

void hv_host_retry(struct hvs_ctx *ctx)
{
    struct hv_vcpu *hv = ctx->vcpu_state;
    const struct hvs_hv_host host = hv_host_services(hvs_ctx_options(ctx));

    for (uint32_t sint = 0; sint < HV_SYNIC_SINT_COUNT; sint++) {
        if (!(hv->synic.host_waits >> sint & 1) || hv_message_slot(ctx, sint) != HV_SLOT_FREE)
            continue;
        hv->synic.host_waits &= ~(1u << sint);
        if (host.slot_freed)
            host.slot_freed(host.ctx, ctx->vp, sint);
    }
}

void hv_host_waits_save(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct hv_vcpu *hv = ctx->vcpu_state;

    if (hv->synic.host_waits)
        hvs_writer_put(writer, HV_RECORD_HOST_WAITS, 1, &hv->synic.host_waits, sizeof(hv->synic.host_waits));
}

int hv_host_waits_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct hv_vcpu *hv = ctx->vcpu_state;
    uint32_t host_waits;

    if (hvs_record_get(record, &host_waits, sizeof(host_waits)) || host_waits >> HV_SYNIC_SINT_COUNT)
        return HVS_EFORMAT;
    hv->synic.host_waits = host_waits;
    return HVS_OK;
}
