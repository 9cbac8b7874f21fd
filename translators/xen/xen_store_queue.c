/*
 * Messages to the guest that wait for room in the ring: replies, and events of watches [XEN public/io/xs_wire.h].
 *
 * A message is made at the end of the queue and counts once it is whole.
 */
#include "xen_state.h"

/* Before a message is made, so that it lies in one piece. */
static void pull_together(struct xen_store *store)
{
    memmove(store->out, store->out + store->out_first, store->out_bytes);
    store->out_first = 0;
}

bool xen_store_queue_has_room(const struct xen_store *store)
{
    return XS_QUEUE_BYTES - store->out_bytes >= XS_MESSAGE_BYTES;
}

void xen_store_queue_clear(struct xen_store *store)
{
    store->out_first = store->out_bytes = 0;
}

void xen_store_queue_drop(struct xen_store *store, uint32_t nr)
{
    store->out_first += nr;
    store->out_bytes -= nr;
}

void xen_store_queue_begin(struct xen_store *store, uint32_t type, uint32_t req_id, uint32_t tx_id)
{
    const struct xsd_sockmsg head = {.type = type, .req_id = req_id, .tx_id = tx_id};

    pull_together(store);
    store->reply = store->out_bytes;
    if (sizeof(head) <= XS_QUEUE_BYTES - store->out_bytes) {
        memcpy(store->out + store->out_bytes, &head, sizeof(head));
        store->out_bytes += sizeof(head);
    }
}

bool xen_store_queue_add(struct xen_store *store, const void *bytes, uint32_t nr_bytes)
{
    const uint32_t message_bytes = store->out_bytes - store->reply;

    if (message_bytes < sizeof(struct xsd_sockmsg) || nr_bytes > XS_MESSAGE_BYTES - message_bytes ||
        nr_bytes > XS_QUEUE_BYTES - store->out_bytes) {
        xen_store_queue_cancel(store);
        return false;
    }
    if (nr_bytes)
        memcpy(store->out + store->out_bytes, bytes, nr_bytes);
    store->out_bytes += nr_bytes;
    return true;
}

void xen_store_queue_end(struct xen_store *store)
{
    const uint32_t bytes = store->out_bytes - store->reply - (uint32_t)sizeof(struct xsd_sockmsg);

    memcpy(store->out + store->reply + offsetof(struct xsd_sockmsg, len), &bytes, sizeof(bytes));
}

void xen_store_queue_cancel(struct xen_store *store)
{
    store->out_bytes = store->reply;
}
