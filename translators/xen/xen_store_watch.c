/*
 * xenstore watches: which there are, and whom a change concerns [XEN docs/misc/xenstore.txt, Watches].
 *
 * A change is told to the watches of the node and of all nodes above it, which are found by their keys; a removal also
 * to those below, each with its own path. Events wait in the queue for room in the ring. Those for which the queue has
 * no room are made good for: once there is some, every watch is told, which the protocol allows at any time.
 */
#include "xen_state.h"

enum { IS_RELATIVE = 1 };
#define NONE_MISSED UINT32_MAX

/* Path, NUL and token, in store->spare. */
static struct hvs_text key_of(struct xen_store *store, struct hvs_text path, struct hvs_text token)
{
    memcpy(store->spare, path.text, path.bytes);
    store->spare[path.bytes] = '\0';
    if (token.bytes)
        memcpy(store->spare + path.bytes + 1, token.text, token.bytes);
    return (struct hvs_text){store->spare, path.bytes + 1 + token.bytes};
}

static bool watch_at(const struct hvs_ctx *ctx, uint32_t position, struct hvs_entry *watch)
{
    return hvs_store_at(ctx, position, watch) && watch->space == XS_SPACE_WATCHES;
}

static uint32_t first_watch(const struct hvs_ctx *ctx)
{
    return hvs_store_seek(ctx, XS_SPACE_WATCHES, (struct hvs_text){NULL, 0});
}

/* Positions have changed, so where the telling of what was missed has come to is not known any more. */
static void tell_anew(struct xen_store *store)
{
    if (store->missed != NONE_MISSED)
        store->missed = 0;
}

int xen_store_watch_add(struct hvs_ctx *ctx, struct hvs_text token)
{
    struct xen_store *store = xen_store_of(ctx);
    const char flags = store->path.is_relative ? IS_RELATIVE : 0;
    struct hvs_entry watch = {.space = XS_SPACE_WATCHES, .tag = {&flags, 1}};
    uint32_t position, first = first_watch(ctx);

    watch.key = key_of(store, xen_store_path_text(&store->path), token);
    if (hvs_store_find(ctx, watch.space, watch.key, &position))
        return XEN_EEXIST;
    if (watch_at(ctx, first + XS_MAX_WATCHES - 1, &(struct hvs_entry){.space = 0}))
        return XEN_E2BIG;
    if (!xen_store_has_room(ctx, false, 0, 1) || hvs_store_put(ctx, &watch))
        return XEN_ENOSPC;
    tell_anew(store);
    return 0;
}

int xen_store_watch_remove(struct hvs_ctx *ctx, struct hvs_text token)
{
    struct xen_store *store = xen_store_of(ctx);
    uint32_t position;

    if (!hvs_store_find(ctx, XS_SPACE_WATCHES, key_of(store, xen_store_path_text(&store->path), token), &position))
        return XEN_ENOENT;
    hvs_store_drop(ctx, position, 1);
    tell_anew(store);
    return 0;
}

void xen_store_watch_remove_all(struct hvs_ctx *ctx)
{
    hvs_store_clear_space(ctx, XS_SPACE_WATCHES);
    xen_store_of(ctx)->missed = NONE_MISSED;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static struct hvs_text path_of(const struct hvs_entry *watch)
{
    struct hvs_text path = {watch->key.text, 0};

    while (path.bytes < watch->key.bytes && path.text[path.bytes])
        path.bytes++;
    return path;
}

/* Leaves room for the reply to the request that caused it. Returns false where there is none for the event. */
static bool send(struct hvs_ctx *ctx, struct hvs_text path, struct hvs_text token)
{
    struct xen_store *store = xen_store_of(ctx);
    const uint32_t bytes = path.bytes + token.bytes + 2;

    if (bytes > XENSTORE_PAYLOAD_MAX)
        return true;            /* it cannot be told */
    if (XS_QUEUE_BYTES - store->out_bytes < XS_MESSAGE_BYTES + sizeof(struct xsd_sockmsg) + bytes)
        return false;
    xen_store_queue_begin(store, XS_WATCH_EVENT, 0, 0);
    xen_store_queue_add(store, path.text, path.bytes);
    xen_store_queue_add(store, "", 1);
    xen_store_queue_add(store, token.text, token.bytes);
    xen_store_queue_add(store, "", 1);
    xen_store_queue_end(store);
    return true;
}

/* `path` NULL: the watch's own. */
static bool tell(struct hvs_ctx *ctx, const struct hvs_entry *watch, const struct hvs_text *path)
{
    const struct hvs_text own = path_of(watch);
    const bool is_relative = watch->tag.bytes && watch->tag.text[0] == IS_RELATIVE;
    struct hvs_text token = {own.text + own.bytes, watch->key.bytes - own.bytes};

    if (token.bytes) {          /* the NUL before it */
        token.text++;
        token.bytes--;
    }
    return send(ctx, xen_store_path_told(ctx, path ? *path : own, is_relative), token);
}

void xen_store_watch_tell_first(struct hvs_ctx *ctx, struct hvs_text token)
{
    struct xen_store *store = xen_store_of(ctx);

    if (!send(ctx, xen_store_path_told(ctx, xen_store_path_text(&store->path), store->path.is_relative), token))
        store->missed = 0;
}

/* Of a node that is not there, the nearest above decides. */
static bool guest_may_read(struct hvs_ctx *ctx, struct hvs_text path)
{
    struct xs_node node;

    while (xen_store_node_get(ctx, NULL, path, &node)) {
        if (xen_store_path_is_root(path))
            return false;
        path = xen_store_path_parent(path);
    }

    const struct xs_perms perms = xen_store_perms_of(ctx, node.tag);

    return xen_store_perms_access(ctx, &perms, false) & XS_MAY_READ;
}

/* The watches of one path, which is followed by a NUL in store->spare. */
static void fire_at(struct hvs_ctx *ctx, uint32_t bytes, struct hvs_text changed)
{
    const struct hvs_text begin = {xen_store_of(ctx)->spare, bytes + 1};
    uint32_t at = hvs_store_seek(ctx, XS_SPACE_WATCHES, begin);
    struct hvs_entry watch;

    for (; watch_at(ctx, at, &watch) && xen_store_text_begins(watch.key, begin); at++) {
        if (!tell(ctx, &watch, &changed))
            xen_store_of(ctx)->missed = 0;
    }
}

static void fire_below(struct hvs_ctx *ctx, struct hvs_text removed)
{
    struct hvs_entry watch;

    for (uint32_t at = first_watch(ctx); watch_at(ctx, at, &watch); at++) {
        const struct hvs_text path = path_of(&watch);

        if (path.bytes <= removed.bytes || !xen_store_path_is_below(path, removed) || !guest_may_read(ctx, path))
            continue;
        if (!tell(ctx, &watch, NULL))
            xen_store_of(ctx)->missed = 0;
    }
}

void xen_store_watch_fire(struct hvs_ctx *ctx, struct hvs_text path, bool is_removed)
{
    char *spare = xen_store_of(ctx)->spare;

    if (first_watch(ctx) == hvs_store_seek(ctx, XS_SPACE_WATCHES + 1, (struct hvs_text){NULL, 0}))
        return;                 /* nobody watches */
    if (is_removed)
        fire_below(ctx, path);
    if (!guest_may_read(ctx, path))
        return;
    memcpy(spare, path.text, path.bytes);
    spare[path.bytes] = '\0';
    fire_at(ctx, path.bytes, path);
    for (uint32_t bytes = path.bytes - 1; bytes > 0; bytes--) {
        if (spare[bytes] != '/')
            continue;
        spare[bytes] = '\0';
        fire_at(ctx, bytes, path);
    }
    if (xen_store_path_is_root(path))
        return;
    memcpy(spare, "/", 2);
    fire_at(ctx, 1, path);
}

void xen_store_watch_tell_missed(struct hvs_ctx *ctx)
{
    struct xen_store *store = xen_store_of(ctx);
    struct hvs_entry watch;

    while (store->missed != NONE_MISSED) {
        if (!watch_at(ctx, first_watch(ctx) + store->missed, &watch))
            store->missed = NONE_MISSED;
        else if (tell(ctx, &watch, NULL))
            store->missed++;
        else
            return;
    }
}
