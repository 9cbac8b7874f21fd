/*
 * Synthetic debugging: a kernel debugger's packets by hypercall or by MSR, and characters for a console
 * [TLFS App. A, App. C, which name them; layouts as in QEMU and Linux].
 *
 * The host carries the packets (<hvshim/hyperv.h>) and never makes the guest wait, so options and timeouts are not
 * looked at. The byte of PENDING_BUFFER always says that something may have come: the host is asked when the guest
 * receives. Left out: HV_DEBUG_POST_LOOP.
 */
#include <hvshim/hyperv.h>

#include "hv_state.h"

/* How many of `bytes` lie in the page of `gpa`. */
static uint32_t part_in_page(uint64_t gpa, uint32_t bytes)
{
    uint32_t left = HV_PAGE_SIZE - (uint32_t)(gpa & (HV_PAGE_SIZE - 1));

    return bytes < left ? bytes : left;
}

/* Gives `bytes` at `gpa`, all in one page, to the host; the number taken, or HVS_EFAULT. */
static int64_t send(struct hvs_ctx *ctx, bool is_frame, uint64_t gpa, uint32_t bytes)
{
    struct hvs_hv_host host = hv_host_services(hvs_ctx_options(ctx));
    uint8_t data[HV_PAGE_SIZE];
    uint32_t taken;

    if (hvs_gpa_read(ctx, gpa, data, bytes))
        return HVS_EFAULT;
    taken = host.debug_sent(host.ctx, ctx->vp, is_frame, data, bytes);
    return taken < bytes ? taken : bytes;
}

/* Fetches at most `capacity` bytes to `gpa`, all in one page; the number fetched, or HVS_EFAULT. */
static int64_t receive(struct hvs_ctx *ctx, bool is_frame, uint64_t gpa, uint32_t capacity)
{
    struct hvs_hv_host host = hv_host_services(hvs_ctx_options(ctx));
    uint8_t data[HV_PAGE_SIZE];
    void *page = hvs_page_pin(ctx, gpa >> HV_PAGE_SHIFT);
    uint32_t given;

    if (!page)
        return HVS_EFAULT;                      /* before the host gives what would be lost */
    given = host.debug_wanted(host.ctx, ctx->vp, is_frame, data, capacity);
    if (given > capacity)
        given = capacity;
    memcpy((uint8_t *)page + (gpa & (HV_PAGE_SIZE - 1)), data, given);
    hvs_page_unpin(ctx, gpa >> HV_PAGE_SHIFT, page, true);
    return given;
}

int64_t hv_post_debug_data(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_post_debug_data *in = call->in;
    struct hv_output_post_debug_data *out = call->out;
    uint64_t gpa = hv_hcall_in_gpa(ctx) + sizeof(*in);
    int64_t taken;

    if (in->count > HV_PAGE_SIZE || part_in_page(gpa, in->count) < in->count)
        return HV_STATUS_INVALID_PARAMETER;
    taken = send(ctx, true, gpa, in->count);
    if (taken < 0)
        return HV_STATUS_INVALID_ALIGNMENT;
    out->pending_count = in->count - (uint32_t)taken;
    return taken || in->count == 0 ? HV_STATUS_SUCCESS : HV_STATUS_INSUFFICIENT_BUFFERS;
}

int64_t hv_retrieve_debug_data(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_retrieve_debug_data *in = call->in;
    struct hv_output_retrieve_debug_data *out = call->out;
    uint64_t gpa = hv_hcall_out_gpa(ctx) + sizeof(*out);
    int64_t given = 0;

    /* The header may be the last of its page. */
    if (gpa & (HV_PAGE_SIZE - 1))
        given = receive(ctx, true, gpa, part_in_page(gpa, in->count));
    if (given <= 0)
        return HV_STATUS_NO_DATA;
    out->retrieved_count = (uint32_t)given;
    return HV_STATUS_SUCCESS;
}

int64_t hv_reset_debug_session(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct hvs_hv_host host = hv_host_services(hvs_ctx_options(ctx));
    const struct hv_input_reset_debug_session *in = call->in;
    struct hv_output_reset_debug_session *out = call->out;
    struct hvs_hv_debug_peers peers = {.host_ip = 0};

    host.debug_reset(host.ctx, ctx->vp, in->options & HV_DEBUG_PURGE_INCOMING_DATA,
                     in->options & HV_DEBUG_PURGE_OUTGOING_DATA, &peers);
    out->host_ip = peers.host_ip;
    out->target_ip = peers.guest_ip;
    out->host_port = peers.host_port;
    out->target_port = peers.guest_port;
    return HV_STATUS_SUCCESS;
}

/* One character, in the first byte of the input. */
int64_t hv_output_debug_character(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint8_t *character = call->in;

    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_LOG, .vp = ctx->vp, .byte = *character});
    return HV_STATUS_SUCCESS;
}

/* --- the same by MSR ---------------------------------------------------------------------------------------------- */

/* STATUS, SEND_BUFFER, RECEIVE_BUFFER and PENDING_BUFFER follow CONTROL. */
static uint64_t *debug_register(struct hvs_ctx *ctx, uint32_t index)
{
    struct hv_vm *hv = ctx->vm_state;

    return &hv->debug[index - HV_X64_MSR_SYNTH_DEBUG_CONTROL];
}

enum hvs_verdict hv_debug_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    *value = *debug_register(ctx, index);
    return HVS_HANDLED;
}

static uint64_t send_by_control(struct hvs_ctx *ctx, uint64_t control)
{
    uint64_t gpa = *debug_register(ctx, HV_X64_MSR_SYNTH_DEBUG_SEND_BUFFER);
    uint32_t bytes = (uint32_t)(control >> HV_SYNTH_DEBUG_CONTROL_SEND_SIZE_SHIFT &
                                HV_SYNTH_DEBUG_CONTROL_SEND_SIZE_MASK);

    if (part_in_page(gpa, bytes) < bytes || send(ctx, false, gpa, bytes) != bytes)
        return 0;
    return HV_SYNTH_DEBUG_STATUS_SEND_SUCCESS;
}

static uint64_t receive_by_control(struct hvs_ctx *ctx)
{
    uint64_t gpa = *debug_register(ctx, HV_X64_MSR_SYNTH_DEBUG_RECEIVE_BUFFER);
    int64_t given = receive(ctx, false, gpa, part_in_page(gpa, HV_PAGE_SIZE));

    if (given <= 0)
        return 0;
    return HV_SYNTH_DEBUG_STATUS_RECEIVE_SUCCESS | (uint64_t)given << HV_SYNTH_DEBUG_STATUS_SIZE_SHIFT;
}

enum hvs_verdict hv_debug_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    static const uint8_t pending = 1;
    uint64_t *status = debug_register(ctx, HV_X64_MSR_SYNTH_DEBUG_STATUS);

    if (index == HV_X64_MSR_SYNTH_DEBUG_STATUS && !ctx->from_host)
        return HVS_FAULT;
    *debug_register(ctx, index) = value;
    if (ctx->from_host)
        return HVS_HANDLED;
    if (index == HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER && value)
        hvs_gpa_write(ctx, value, &pending, sizeof(pending));   /* where that is no RAM, nobody can look */
    if (index == HV_X64_MSR_SYNTH_DEBUG_CONTROL && (value & HV_SYNTH_DEBUG_CONTROL_SEND))
        *status = send_by_control(ctx, value);
    else if (index == HV_X64_MSR_SYNTH_DEBUG_CONTROL && (value & HV_SYNTH_DEBUG_CONTROL_RECEIVE))
        *status = receive_by_control(ctx);
    return HVS_HANDLED;
}

enum hvs_verdict hv_debug_options_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)ctx;
    (void)index;
    *value = HV_DEBUG_DEVICE_USE_HYPERCALLS;
    return HVS_HANDLED;
}
