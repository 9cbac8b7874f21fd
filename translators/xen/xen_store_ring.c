/*
 * The page that guest and xenstore share: two rings of bytes, and the guest's way to begin anew
 * [XEN docs/misc/xenstore-ring.txt; public/io/xs_wire.h].
 *
 * The guest writes to the page at any time. Each index is read once in a turn and checked; what a request says is
 * copied once, whole, before it is looked at. The indices in the page are the truth, as in Xen: a guest that changes
 * ours harms its own connection. A turn takes a few requests at most, so that none who floods the ring holds the VM
 * lock for long; what is left is taken in the next turn, by a timer.
 */
#include "xen_state.h"

enum { MAX_REQUESTS = 8 };      /* in one turn */
enum { FEATURES = XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR };

HVS_STATIC_ASSERT(offsetof(struct xenstore_domain_interface, req_cons) == 2048, "the indices of the ring");
HVS_STATIC_ASSERT(offsetof(struct xenstore_domain_interface, error) == 2072, "the end of the ring");

static _Atomic uint32_t *word(uint32_t *in_page)
{
    return (_Atomic uint32_t *)in_page;
}

static void fail(struct hvs_ctx *ctx, struct xenstore_domain_interface *ring, uint32_t error)
{
    xen_store_disconnect(ctx);
    xen_store_of(ctx)->error = error;
    atomic_store(word(&ring->error), error);
}

/* Returns whether anything was sent. */
static bool send(struct hvs_ctx *ctx, struct xenstore_domain_interface *ring)
{
    struct xen_store *store = xen_store_of(ctx);
    uint32_t cons = atomic_load(word(&ring->rsp_cons)), prod = atomic_load(word(&ring->rsp_prod));
    uint32_t room = XENSTORE_RING_SIZE - (prod - cons), nr;

    if (store->out_bytes == 0)
        return false;
    if (room > XENSTORE_RING_SIZE) {
        fail(ctx, ring, XENSTORE_ERROR_RINGIDX);
        return true;
    }
    nr = room < store->out_bytes ? room : store->out_bytes;
    for (uint32_t left = nr, part; left > 0; left -= part) {
        const uint32_t at = MASK_XENSTORE_IDX(prod);

        part = left < XENSTORE_RING_SIZE - at ? left : XENSTORE_RING_SIZE - at;
        memcpy(ring->rsp + at, store->out + store->out_first, part);
        xen_store_queue_drop(store, part);
        prod += part;
    }
    atomic_store(word(&ring->rsp_prod), prod);
    return nr > 0;
}

/* What `in` lacks of the message that it begins; 0: it is whole. */
static uint32_t lacking(const struct xen_store *store)
{
    struct xsd_sockmsg head;

    if (store->in_bytes < sizeof(head))
        return (uint32_t)sizeof(head) - store->in_bytes;
    memcpy(&head, store->in, sizeof(head));
    return (uint32_t)sizeof(head) + head.len - store->in_bytes;
}

static bool is_too_long(const struct xen_store *store)
{
    struct xsd_sockmsg head;

    memcpy(&head, store->in, sizeof(head));
    return store->in_bytes >= sizeof(head) && head.len > XENSTORE_PAYLOAD_MAX;
}

/* Takes what there is of one message. Returns whether anything was taken. */
static bool receive(struct hvs_ctx *ctx, struct xenstore_domain_interface *ring)
{
    struct xen_store *store = xen_store_of(ctx);
    uint32_t prod = atomic_load(word(&ring->req_prod)), cons = atomic_load(word(&ring->req_cons));
    uint32_t there = prod - cons, wanted = lacking(store), taken = 0;

    if (there > XENSTORE_RING_SIZE) {
        fail(ctx, ring, XENSTORE_ERROR_RINGIDX);
        return true;
    }
    while (wanted > 0 && there > 0) {
        const uint32_t at = MASK_XENSTORE_IDX(cons);
        uint32_t part = wanted < there ? wanted : there;

        part = part < XENSTORE_RING_SIZE - at ? part : XENSTORE_RING_SIZE - at;
        memcpy(store->in + store->in_bytes, ring->req + at, part);
        store->in_bytes += part;
        cons += part;
        there -= part;
        taken += part;
        if (is_too_long(store)) {
            fail(ctx, ring, XENSTORE_ERROR_PROTO);
            return true;
        }
        wanted = lacking(store);
    }
    atomic_store(word(&ring->req_cons), cons);
    return taken > 0;
}

static void reconnect(struct hvs_ctx *ctx, struct xenstore_domain_interface *ring)
{
    xen_store_disconnect(ctx);
    atomic_store(word(&ring->req_cons), 0);
    atomic_store(word(&ring->req_prod), 0);
    atomic_store(word(&ring->rsp_cons), 0);
    atomic_store(word(&ring->rsp_prod), 0);
    atomic_store(word(&ring->error), XENSTORE_ERROR_NONE);
    atomic_store(word(&ring->connection), XENSTORE_CONNECTED);
}

/* Returns whether the guest is to be told. */
static bool take_turn(struct hvs_ctx *ctx, struct xenstore_domain_interface *ring)
{
    struct xen_store *store = xen_store_of(ctx);
    bool has_changed = false;

    for (uint32_t nr = 0; nr < MAX_REQUESTS; nr++) {
        xen_store_watch_tell_missed(ctx);
        has_changed |= send(ctx, ring);
        if (store->error || !xen_store_queue_has_room(store))
            return has_changed;         /* the guest tells when it has taken something */
        has_changed |= receive(ctx, ring);
        if (store->error || lacking(store))
            return has_changed;
        xen_store_request(ctx);
        store->in_bytes = 0;
    }
    has_changed |= send(ctx, ring);
    hvs_timer_arm(ctx, XEN_TIMER_STORE, hvs_ctx_now_ns(ctx));
    return has_changed;
}

void xen_store_event(struct hvs_ctx *ctx)
{
    struct xenstore_domain_interface *ring = xen_special_open(ctx, XEN_SPECIAL_STORE);
    bool has_changed = false;

    if (!ring)
        return;
    if (atomic_load(word(&ring->connection)) != XENSTORE_CONNECTED) {
        reconnect(ctx, ring);
        has_changed = true;
    } else if (!xen_store_of(ctx)->error) {
        has_changed = take_turn(ctx, ring);
    }
    xen_special_close(ctx, XEN_SPECIAL_STORE, ring);
    if (has_changed)
        xen_special_notify(ctx, XEN_SPECIAL_STORE);
}

void xen_store_ring_flush(struct hvs_ctx *ctx)
{
    struct xenstore_domain_interface *ring;
    bool has_changed;

    if (xen_store_of(ctx)->error || xen_store_of(ctx)->out_bytes == 0)
        return;
    ring = xen_special_open(ctx, XEN_SPECIAL_STORE);
    if (!ring)
        return;
    has_changed = send(ctx, ring);
    xen_special_close(ctx, XEN_SPECIAL_STORE, ring);
    if (has_changed)
        xen_special_notify(ctx, XEN_SPECIAL_STORE);
}

void xen_store_disconnect(struct hvs_ctx *ctx)
{
    struct xen_store *store = xen_store_of(ctx);

    xen_store_watch_remove_all(ctx);
    xen_store_tx_end_all(ctx);
    xen_store_queue_clear(store);
    store->in_bytes = 0;
    store->error = XENSTORE_ERROR_NONE;
}

void xen_store_asked(struct hvs_ctx *ctx)
{
    struct xenstore_domain_interface *ring = xen_special_open(ctx, XEN_SPECIAL_STORE);

    if (!ring)
        return;
    atomic_store(word(&ring->server_features), FEATURES);
    xen_special_close(ctx, XEN_SPECIAL_STORE, ring);
}
