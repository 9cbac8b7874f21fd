/*
 * xenstore transactions: which are open, and whether one can still end well [XEN docs/misc/xenstore.txt, Transactions].
 */
#include "xen_state.h"

struct xs_tx *xen_store_tx_find(const struct hvs_ctx *ctx, uint32_t id)
{
    struct xen_store *store = xen_store_of(ctx);

    for (uint32_t i = 0; id && i < XS_MAX_TX; i++) {
        if (store->tx[i].id == id)
            return &store->tx[i];
    }
    return NULL;
}

uint8_t xen_store_tx_space(const struct hvs_ctx *ctx, const struct xs_tx *tx, enum xs_touch touch, bool is_shared)
{
    return (uint8_t)(XS_SPACE_TX + (tx - xen_store_of(ctx)->tx) * XS_TX_SPACES + 2 * (int)touch + is_shared);
}

int xen_store_tx_begin(struct hvs_ctx *ctx, uint32_t *id)
{
    struct xen_store *store = xen_store_of(ctx);
    struct xs_tx *tx = store->tx;

    while (tx < store->tx + XS_MAX_TX && tx->id)
        tx++;
    if (tx == store->tx + XS_MAX_TX)
        return XEN_ENOSPC;
    do
        store->last_tx_id++;
    while (store->last_tx_id == 0 || xen_store_tx_find(ctx, store->last_tx_id));
    *tx = (struct xs_tx){.id = store->last_tx_id};
    xen_store_node_forget(ctx, tx);    /* a damaged save stream may have left something */
    *id = tx->id;
    return 0;
}

int xen_store_tx_end(struct hvs_ctx *ctx, struct xs_tx *tx, bool is_committed)
{
    bool is_good = is_committed && !tx->is_doomed;

    if (is_good)
        xen_store_node_commit(ctx, tx);
    xen_store_node_forget(ctx, tx);
    tx->id = 0;
    return is_committed && !is_good ? XEN_EAGAIN : 0;
}

void xen_store_tx_end_all(struct hvs_ctx *ctx)
{
    for (uint32_t i = 0; i < XS_MAX_TX; i++) {
        if (xen_store_of(ctx)->tx[i].id)
            xen_store_tx_end(ctx, &xen_store_of(ctx)->tx[i], false);
    }
}

static bool has_looked(const struct hvs_ctx *ctx, const struct xs_tx *tx, struct xs_place place, bool all_below)
{
    const uint8_t space = xen_store_tx_space(ctx, tx, XS_LOOKED_AT, place.is_shared);
    struct hvs_entry entry;
    uint32_t position;

    if (!all_below)
        return hvs_store_find(ctx, space, place.key, &position);
    return hvs_store_at(ctx, hvs_store_seek(ctx, space, place.key), &entry) &&
           xen_store_entry_is_below(&entry, space, place.key);
}

/* What `key` has in common with another, in whole names; 0: nothing. */
static uint32_t common_bytes(struct hvs_text key, struct hvs_text other)
{
    uint32_t bytes = 0, in_names = 0;

    for (; bytes < key.bytes && bytes < other.bytes && key.text[bytes] == other.text[bytes]; bytes++) {
        if (key.text[bytes] == '/')
            in_names = bytes;
    }
    if (bytes == other.bytes && bytes < key.bytes && key.text[bytes] == '/')
        in_names = bytes;
    return in_names;
}

/* Says whether the key, or one above it, is in the space. All that lies between one above and the key has that in
   common with it, so each look at what is before the key leads to the next one above that may be there. */
static bool has_above(const struct hvs_ctx *ctx, uint8_t space, struct hvs_text key)
{
    struct hvs_entry entry;
    uint32_t position;

    while (key.bytes && !hvs_store_find(ctx, space, key, &position)) {
        if (position == 0 || !hvs_store_at(ctx, position - 1, &entry) || entry.space != space)
            return false;
        key.bytes = common_bytes(key, entry.key);
    }
    return key.bytes;
}

bool xen_store_tx_hides(const struct hvs_ctx *ctx, const struct xs_tx *tx, struct hvs_text path)
{
    const struct xs_place place = xen_store_place_of(ctx, path);

    if (place.is_shared) {
        if (has_above(ctx, xen_store_tx_space(ctx, tx, XS_REMOVED, true), place.key))
            return true;
        path = (struct hvs_text){path.text, path.bytes - place.key.bytes - 1};
    }
    return has_above(ctx, xen_store_tx_space(ctx, tx, XS_REMOVED, false), path);
}

void xen_store_tx_doom(struct hvs_ctx *ctx, struct hvs_text path, bool all_below)
{
    const struct xs_place place = xen_store_place_of(ctx, path), all_shared = {true, {NULL, 0}};
    const bool is_all_shared = all_below && xen_store_path_is_shared_root(ctx, path);

    for (uint32_t i = 0; i < XS_MAX_TX; i++) {
        struct xs_tx *tx = &xen_store_of(ctx)->tx[i];

        if (!tx->id || tx->is_doomed)
            continue;
        tx->is_doomed = has_looked(ctx, tx, place, all_below) || xen_store_tx_hides(ctx, tx, path) ||
                        (is_all_shared && has_looked(ctx, tx, all_shared, true));
    }
}
