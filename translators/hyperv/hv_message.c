/*
 * Messages: one slot per SINT in the SIM page [TLFS inter-partition-communication, SynIC messages].
 *
 * The guest owns a slot while its type is not 0, and gives it back by writing 0; then it looks at MessagePending, and
 * where that is set it writes EOM. We set the flag and look at the type again, the guest clears the type and then looks
 * at the flag, so one of both sees the other's write. Whatever else a guest does to the page harms only itself: nothing
 * is read from it but the type, once per attempt.
 *
 * No queue is kept here. What waits for a slot stays with its source, which is bounded: each timer has one message
 * (hv_stimer.c), and a host is told that the slot is taken, and later that it is free (hv_connection.c).
 */
#include "hv_state.h"

/* The slot's type and flags are shared with a running guest. */
static _Atomic uint32_t *type_of(struct hv_message *slot)
{
    return (_Atomic uint32_t *)&slot->header.message_type;
}

static bool is_free(struct hv_message *slot)
{
    _Atomic uint8_t *flags = (_Atomic uint8_t *)&slot->header.message_flags;

    if (atomic_load_explicit(type_of(slot), memory_order_acquire) == HV_MESSAGE_TYPE_NONE)
        return true;
    atomic_fetch_or_explicit(flags, HV_MESSAGE_FLAG_PENDING, memory_order_seq_cst);
    return atomic_load_explicit(type_of(slot), memory_order_seq_cst) == HV_MESSAGE_TYPE_NONE;
}

/* The type comes last: with it the slot is the guest's. Only the payload's own bytes are written. */
static void fill(struct hv_message *slot, const struct hv_message *message)
{
    memcpy(slot->payload, message->payload, message->header.payload_size);
    slot->header.payload_size = message->header.payload_size;
    slot->header.message_flags = 0;
    slot->header.reserved = 0;
    slot->header.origination_id = message->header.origination_id;
    atomic_store_explicit(type_of(slot), message->header.message_type, memory_order_release);
}

/* Fills the slot, where it is free and there is a message. */
static enum hv_slot try_slot(struct hvs_ctx *ctx, uint32_t sint, const struct hv_message *message)
{
    struct hvs_overlay *overlay = hvs_vcpu_overlay(ctx, ctx->vp, HV_OVERLAY_SIM);
    struct hv_message_page *page = hv_synic_is_on(ctx) ? hvs_overlay_open(ctx, overlay) : NULL;
    enum hv_slot was = HV_SLOT_TAKEN;

    if (!page)
        return HV_SLOT_OFF;
    if (is_free(&page->sint_message[sint]))
        was = HV_SLOT_FREE;
    if (was == HV_SLOT_FREE && message)
        fill(&page->sint_message[sint], message);
    hvs_overlay_close(ctx, overlay, page, true);
    return was;
}

enum hv_slot hv_message_put(struct hvs_ctx *ctx, uint32_t sint, const struct hv_message *message)
{
    enum hv_slot was = try_slot(ctx, sint, message);

    if (was == HV_SLOT_FREE)
        hv_synic_interrupt(ctx, sint);
    return was;
}

enum hv_slot hv_message_slot(struct hvs_ctx *ctx, uint32_t sint)
{
    return try_slot(ctx, sint, NULL);
}

void hv_message_retry(struct hvs_ctx *ctx)
{
    if (ctx->from_host)
        return;
    hv_stimer_retry(ctx);
    hv_host_retry(ctx);
}
