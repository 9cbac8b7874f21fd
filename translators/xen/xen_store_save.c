/*
 * Save and load of xenstore's connection: half a request, what waits to be sent, open transactions. Nodes, watches and
 * what transactions have touched are in the core's store, which is saved before. docs/save-format.md is the text.
 */
#include "xen_state.h"

struct saved_tx {
    uint32_t id;
    uint32_t nr_nodes;
    uint32_t is_doomed;
};

struct saved_store {
    uint32_t error;
    uint32_t last_tx_id;
    uint32_t missed;
    uint32_t nr_changes;
    struct saved_tx tx[XS_MAX_TX];
};

void xen_store_save(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct xen_store *store = xen_store_of(ctx);
    struct saved_store saved = {.error = store->error, .last_tx_id = store->last_tx_id, .missed = store->missed,
                                .nr_changes = store->nr_changes};

    if (!xen_special_is_on(ctx, XEN_SPECIAL_STORE))
        return;
    for (uint32_t i = 0; i < XS_MAX_TX; i++)
        saved.tx[i] = (struct saved_tx){store->tx[i].id, store->tx[i].nr_nodes, store->tx[i].is_doomed};
    hvs_writer_put(writer, XEN_RECORD_STORE, 1, &saved, sizeof(saved));
    if (store->in_bytes)
        hvs_writer_put(writer, XEN_RECORD_STORE_IN, 1, store->in, store->in_bytes);
    if (store->out_bytes)
        hvs_writer_put(writer, XEN_RECORD_STORE_OUT, 1, store->out + store->out_first, store->out_bytes);
}

int xen_store_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_store *store = xen_store_of(ctx);
    struct saved_store saved;

    if (!xen_special_is_on(ctx, XEN_SPECIAL_STORE) || hvs_record_get(record, &saved, sizeof(saved)))
        return HVS_EFORMAT;
    for (uint32_t i = 0; i < XS_MAX_TX; i++) {
        if (saved.tx[i].is_doomed > 1 || saved.tx[i].nr_nodes > XS_MAX_TX_NODES)
            return HVS_EFORMAT;
        store->tx[i] = (struct xs_tx){saved.tx[i].id, saved.tx[i].nr_nodes, saved.tx[i].is_doomed};
    }
    store->error = saved.error;
    store->last_tx_id = saved.last_tx_id;
    store->missed = saved.missed;
    store->nr_changes = saved.nr_changes;
    xen_store_node_count(ctx);
    return HVS_OK;
}

/* Half a message, so it is shorter than what it says. */
int xen_store_load_in(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_store *store = xen_store_of(ctx);
    struct xsd_sockmsg head;

    if (record->bytes >= sizeof(store->in) || hvs_record_get(record, store->in, sizeof(store->in)))
        return HVS_EFORMAT;
    memcpy(&head, store->in, sizeof(head));
    if (record->bytes >= sizeof(head) && (head.len > XENSTORE_PAYLOAD_MAX || record->bytes >= sizeof(head) + head.len))
        return HVS_EFORMAT;
    store->in_bytes = record->bytes;
    return HVS_OK;
}

int xen_store_load_out(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_store *store = xen_store_of(ctx);

    if (hvs_record_get(record, store->out, sizeof(store->out)))
        return HVS_EFORMAT;
    store->out_first = 0;
    store->out_bytes = record->bytes;
    return HVS_OK;
}
