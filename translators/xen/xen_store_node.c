/*
 * Nodes as they lie in the core's store, seen by all the world or from within a transaction, which sees its own changes
 * over the world's [XEN docs/misc/xenstore.txt, Transactions].
 *
 * A transaction keeps apart what it writes, and the topmost nodes of what it removes, which hide all of the world that
 * is below them. It notes all that it looks at. Whoever changes one of those nodes, makes or removes one right below,
 * or changes what it has removed, dooms it: its end is then EAGAIN. So what is committed is as if it had happened at
 * once.
 */
#include "xen_state.h"

static const struct hvs_text nothing = {NULL, 0};

static bool texts_equal(struct hvs_text a, struct hvs_text b)
{
    return a.bytes == b.bytes && memcmp(a.text, b.text, a.bytes) == 0;
}

static uint8_t world(bool is_shared)
{
    return is_shared ? HVS_STORE_SHARED : XS_SPACE_TREE;
}

static bool find(const struct hvs_ctx *ctx, uint8_t space, struct hvs_text key, struct xs_node *node)
{
    struct hvs_entry entry;
    uint32_t position;

    if (!hvs_store_find(ctx, space, key, &position))
        return false;
    hvs_store_at(ctx, position, &entry);
    *node = (struct xs_node){entry.tag, entry.value};
    return true;
}

bool xen_store_entry_is_below(const struct hvs_entry *entry, uint8_t space, struct hvs_text key)
{
    return entry->space == space && xen_store_text_begins(entry->key, key) &&
           (key.bytes == 0 || entry->key.bytes == key.bytes || entry->key.text[key.bytes] == '/');
}

/* Another interface may have set a/b without a. */
static bool is_implied(const struct hvs_ctx *ctx, struct xs_place place)
{
    struct hvs_entry entry;

    return place.is_shared &&
           hvs_store_at(ctx, hvs_store_seek(ctx, HVS_STORE_SHARED, place.key), &entry) &&
           xen_store_entry_is_below(&entry, HVS_STORE_SHARED, place.key);
}

static bool find_in_world(const struct hvs_ctx *ctx, struct xs_place place, struct xs_node *node)
{
    if (find(ctx, world(place.is_shared), place.key, node))
        return true;
    *node = (struct xs_node){nothing, nothing};
    return is_implied(ctx, place);
}

bool xen_store_has_room(const struct hvs_ctx *ctx, bool is_host, uint32_t bytes, uint32_t nr_entries)
{
    const uint32_t reserve_bytes = is_host ? 0 : XS_RESERVE_BYTES, reserve_entries = is_host ? 0 : XS_RESERVE_ENTRIES;

    return hvs_store_free_bytes(ctx) >= bytes + reserve_bytes &&
           hvs_store_free_entries(ctx) >= nr_entries + reserve_entries;
}

/* All that is written or removed has been looked at, so what it touches is counted there. */
static int touch(struct hvs_ctx *ctx, struct xs_tx *tx, enum xs_touch as, struct xs_place place)
{
    const struct hvs_entry entry = {.space = xen_store_tx_space(ctx, tx, as, place.is_shared), .key = place.key};
    const uint32_t nr_nodes = tx->nr_nodes + (as == XS_LOOKED_AT);
    uint32_t position;

    if (hvs_store_find(ctx, entry.space, entry.key, &position))
        return 0;
    if (nr_nodes > XS_MAX_TX_NODES || !xen_store_has_room(ctx, false, 0, 1) || hvs_store_put(ctx, &entry))
        return XEN_ENOSPC;
    tx->nr_nodes = nr_nodes;
    return 0;
}

int xen_store_node_get(struct hvs_ctx *ctx, struct xs_tx *tx, struct hvs_text path, struct xs_node *node)
{
    const struct xs_place place = xen_store_place_of(ctx, path);
    int err;

    if (tx) {
        if (find(ctx, xen_store_tx_space(ctx, tx, XS_WRITTEN, place.is_shared), place.key, node))
            return 0;
        err = touch(ctx, tx, XS_LOOKED_AT, place);      /* also what is hidden: it may be written next */
        if (err)
            return err;
        if (xen_store_tx_hides(ctx, tx, path))
            return XEN_ENOENT;
    }
    return find_in_world(ctx, place, node) ? 0 : XEN_ENOENT;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static bool is_guests(const struct hvs_ctx *ctx, struct hvs_text tag)
{
    return tag.bytes && xen_store_perms_of(ctx, tag).perm[0].domid == xen_options(ctx).domid;
}

static void uncount(const struct hvs_ctx *ctx, struct hvs_text tag)
{
    struct xen_store *store = xen_store_of(ctx);

    if (store->nr_nodes && is_guests(ctx, tag))
        store->nr_nodes--;
}

static void note_change(struct hvs_ctx *ctx, struct hvs_text path, bool has_parent_changed)
{
    xen_store_of(ctx)->nr_changes++;
    xen_store_tx_doom(ctx, path, false);
    if (has_parent_changed)
        xen_store_tx_doom(ctx, xen_store_path_parent(path), false);
}

int xen_store_node_put(struct hvs_ctx *ctx, struct xs_tx *tx, struct hvs_text path, struct hvs_text tag,
                       struct hvs_text value)
{
    const struct xs_place place = xen_store_place_of(ctx, path);
    struct hvs_entry entry = {.space = world(place.is_shared), .key = place.key, .tag = tag, .value = value};
    struct xs_node old = {nothing, nothing};
    bool is_new, was_guests;

    if (tx) {
        entry.space = xen_store_tx_space(ctx, tx, XS_WRITTEN, place.is_shared);
        return hvs_store_put(ctx, &entry) ? XEN_ENOSPC : 0;
    }
    is_new = !find(ctx, entry.space, entry.key, &old);
    was_guests = is_guests(ctx, old.tag);
    if (hvs_store_put(ctx, &entry))
        return XEN_ENOSPC;
    xen_store_of(ctx)->nr_nodes += (uint32_t)is_guests(ctx, tag) - (uint32_t)was_guests;
    note_change(ctx, path, is_new);
    return 0;
}

uint32_t xen_store_node_bytes(struct hvs_text path, uint32_t value_bytes)
{
    enum { OVERHEAD_BYTES = 24 };

    return 2 * (path.bytes + OVERHEAD_BYTES) + XS_MAX_PERMS * XS_PERM_TAG_BYTES + value_bytes;
}

/* From this key on. Returns how many there are. */
static uint32_t range(const struct hvs_ctx *ctx, uint8_t space, struct hvs_text key, uint32_t *first)
{
    struct hvs_entry entry;
    uint32_t nr = 0;

    *first = hvs_store_seek(ctx, space, key);
    while (hvs_store_at(ctx, *first + nr, &entry) && xen_store_entry_is_below(&entry, space, key))
        nr++;
    return nr;
}

static void remove_from_world(struct hvs_ctx *ctx, struct xs_place place)
{
    struct hvs_entry entry;
    uint32_t first, nr = range(ctx, world(place.is_shared), place.key, &first);

    for (uint32_t i = 0; i < nr; i++) {
        hvs_store_at(ctx, first + i, &entry);
        uncount(ctx, entry.tag);
    }
    hvs_store_drop(ctx, first, nr);
}

static void drop_written(struct hvs_ctx *ctx, const struct xs_tx *tx, struct xs_place place)
{
    uint32_t first, nr = range(ctx, xen_store_tx_space(ctx, tx, XS_WRITTEN, place.is_shared), place.key, &first);

    hvs_store_drop(ctx, first, nr);
}

int xen_store_node_remove(struct hvs_ctx *ctx, struct xs_tx *tx, struct hvs_text path)
{
    const struct xs_place place = xen_store_place_of(ctx, path), all_shared = {true, nothing};
    const bool is_shared_root = xen_store_path_is_shared_root(ctx, path);

    if (tx) {
        drop_written(ctx, tx, place);
        if (is_shared_root)
            drop_written(ctx, tx, all_shared);
        return touch(ctx, tx, XS_REMOVED, place);
    }
    remove_from_world(ctx, place);
    if (is_shared_root)
        remove_from_world(ctx, all_shared);
    xen_store_tx_doom(ctx, path, true);
    note_change(ctx, path, true);
    return 0;
}

/* --- the end of a transaction ------------------------------------------------------------------------------------- */

static bool first_of(const struct hvs_ctx *ctx, uint8_t space, uint32_t *position, struct hvs_entry *entry)
{
    *position = hvs_store_seek(ctx, space, nothing);
    return hvs_store_at(ctx, *position, entry) && entry->space == space;
}

/* While what is removed still says who may know of it. */
static void tell_removed(struct hvs_ctx *ctx, const struct xs_tx *tx, bool is_shared)
{
    const uint8_t space = xen_store_tx_space(ctx, tx, XS_REMOVED, is_shared);
    const struct xs_caller guest = {.is_host = false};
    struct hvs_entry entry;
    uint32_t at;

    for (bool is = first_of(ctx, space, &at, &entry); is && entry.space == space;
         is = hvs_store_at(ctx, ++at, &entry)) {
        const struct hvs_text path = xen_store_place_path(ctx, is_shared, entry.key);
        struct xs_node node;

        if (xen_store_node_get(ctx, NULL, path, &node))
            continue;           /* of the transaction's own making */
        xen_store_watch_fire(ctx, path, true);
        xen_store_tell_host(ctx, guest, path);
    }
}

static void commit_removed(struct hvs_ctx *ctx, const struct xs_tx *tx, bool is_shared)
{
    const uint8_t space = xen_store_tx_space(ctx, tx, XS_REMOVED, is_shared);
    struct hvs_entry entry;
    uint32_t position;

    while (first_of(ctx, space, &position, &entry)) {
        const struct hvs_text path = xen_store_place_path(ctx, is_shared, entry.key);

        hvs_store_drop(ctx, position, 1);
        xen_store_node_remove(ctx, NULL, path);
    }
}

static void commit_written(struct hvs_ctx *ctx, const struct xs_tx *tx, bool is_shared)
{
    const uint8_t space = xen_store_tx_space(ctx, tx, XS_WRITTEN, is_shared);
    const struct xs_caller guest = {.is_host = false};
    struct hvs_entry entry;
    uint32_t position;

    while (first_of(ctx, space, &position, &entry)) {
        const struct hvs_text path = xen_store_place_path(ctx, is_shared, entry.key);
        struct xs_node old = {nothing, nothing};
        bool is_new = !find(ctx, world(is_shared), entry.key, &old);

        uncount(ctx, old.tag);
        xen_store_of(ctx)->nr_nodes += is_guests(ctx, entry.tag);
        hvs_store_move(ctx, position, world(is_shared));
        note_change(ctx, path, is_new);
        xen_store_watch_fire(ctx, path, false);
        xen_store_tell_host(ctx, guest, path);
    }
}

void xen_store_node_commit(struct hvs_ctx *ctx, struct xs_tx *tx)
{
    for (uint32_t is_shared = 0; is_shared < 2; is_shared++)
        tell_removed(ctx, tx, is_shared);
    for (uint32_t is_shared = 0; is_shared < 2; is_shared++)
        commit_removed(ctx, tx, is_shared);
    for (uint32_t is_shared = 0; is_shared < 2; is_shared++)
        commit_written(ctx, tx, is_shared);
}

void xen_store_node_forget(struct hvs_ctx *ctx, const struct xs_tx *tx)
{
    for (uint32_t as = 0; as < XS_NR_TOUCHES; as++) {
        hvs_store_clear_space(ctx, xen_store_tx_space(ctx, tx, as, false));
        hvs_store_clear_space(ctx, xen_store_tx_space(ctx, tx, as, true));
    }
}

void xen_store_node_count(struct hvs_ctx *ctx)
{
    struct hvs_entry entry;

    xen_store_of(ctx)->nr_nodes = 0;
    for (uint32_t at = 0; hvs_store_at(ctx, at, &entry) && entry.space <= XS_SPACE_TREE; at++)
        xen_store_of(ctx)->nr_nodes += is_guests(ctx, entry.tag);
}

/* --- children ----------------------------------------------------------------------------------------------------- */

/* To the next name from one side. All that is below a child follows it. */
static void step(const struct hvs_ctx *ctx, struct xs_children *c, uint32_t side)
{
    const struct hvs_text last = c->from[side].name;
    struct hvs_entry entry;

    c->from[side].name = nothing;
    while (hvs_store_at(ctx, c->from[side].position, &entry) && entry.space == c->from[side].space &&
           xen_store_text_begins(entry.key, c->prefix)) {
        const uint32_t left = entry.key.bytes - c->prefix.bytes;
        struct hvs_text name = {entry.key.text + c->prefix.bytes, 0};

        while (name.bytes < left && name.text[name.bytes] != '/')
            name.bytes++;
        c->from[side].position++;
        if (!xen_store_name_is_good(name) || (last.bytes && texts_equal(name, last)))
            continue;
        c->from[side].name = name;
        return;
    }
}

void xen_store_children_begin(const struct hvs_ctx *ctx, const struct xs_tx *tx, struct xs_children *c)
{
    struct xs_path *path = &xen_store_of(ctx)->path;
    struct hvs_text below = xen_store_path_text(path);
    const bool hides_all = tx && xen_store_tx_hides(ctx, tx, below);
    struct xs_place place;

    if (!xen_store_path_is_root(below))
        path->text[below.bytes++] = '/';
    place = xen_store_place_of(ctx, below);
    *c = (struct xs_children){.prefix = place.key, .tx = tx, .is_shared = place.is_shared};
    c->from[0].space = world(place.is_shared);
    c->from[0].position = hvs_store_seek(ctx, c->from[0].space, place.key);
    if (!hides_all)
        step(ctx, c, 0);
    if (!tx)
        return;
    c->from[1].space = xen_store_tx_space(ctx, tx, XS_WRITTEN, place.is_shared);
    c->from[1].position = hvs_store_seek(ctx, c->from[1].space, place.key);
    step(ctx, c, 1);
}

/* Negative where `a` comes first. No name comes last. */
static int compare_names(struct hvs_text a, struct hvs_text b)
{
    const uint32_t bytes = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order;

    if (a.bytes == 0 || b.bytes == 0)
        return a.bytes ? -1 : b.bytes ? 1 : 0;
    order = memcmp(a.text, b.text, bytes);
    if (order)
        return order;
    return a.bytes < b.bytes ? -1 : a.bytes > b.bytes;
}

static bool is_removed(const struct hvs_ctx *ctx, const struct xs_children *c, struct hvs_text name)
{
    const struct hvs_text key = {name.text - c->prefix.bytes, name.bytes + c->prefix.bytes};
    uint32_t position;

    return c->tx && hvs_store_find(ctx, xen_store_tx_space(ctx, c->tx, XS_REMOVED, c->is_shared), key, &position);
}

bool xen_store_children_next(const struct hvs_ctx *ctx, struct xs_children *c, struct hvs_text *name)
{
    while (c->from[0].name.bytes || c->from[1].name.bytes) {
        int order = compare_names(c->from[0].name, c->from[1].name);

        *name = order <= 0 ? c->from[0].name : c->from[1].name;
        if (order >= 0)
            step(ctx, c, 1);
        if (order <= 0)
            step(ctx, c, 0);
        if (order >= 0 || !is_removed(ctx, c, *name))
            return true;
    }
    return false;
}
