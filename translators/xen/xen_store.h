/*
 * Private to xenstore's files: its state, and what they offer each other. The VM lock is held for all of it.
 *
 * Where things are:  xen_store_ring.c, the page that is shared with the guest; xen_store_queue.c, messages on their way
 * to it; xen_store_request.c, what a request means; xen_store_access.c, what it may do to a node; xen_store_node.c, the
 * nodes as one transaction or all the world sees them; xen_store_path.c, xen_store_perms.c, xen_store_watch.c,
 * xen_store_tx.c; xen_store_tree.c, what is there from the start; xen_store_host.c, the host's requests.
 *
 * Nodes, watches and what transactions have touched lie in the core's store, so they are saved with it. Errors are
 * Xen's numbers, XEN_ENOENT for one; 0 is none.
 */
#ifndef XEN_STORE_H
#define XEN_STORE_H

#include <hvshim/personality.h>

#include "xen_abi.h"

enum {
    XS_STORE_BYTES = 1024 * 1024,
    XS_RESERVE_BYTES = XS_STORE_BYTES / 4,      /* of it, what the guest leaves to the host */
    XS_RESERVE_ENTRIES = HVS_STORE_MAX_ENTRIES / 4,     /* likewise */
    XS_MAX_NODES = 8000,                /* that the guest owns */
    XS_MAX_NODE_BYTES = 2048,           /* of a value that the guest writes */
    XS_MAX_WATCHES = 128,
    XS_MAX_PERMS = 5,
    XS_MAX_TX = 10,
    XS_MAX_TX_NODES = 1024,             /* that one transaction touches */
    XS_MESSAGE_BYTES = sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX,
    XS_QUEUE_BYTES = 8 * XS_MESSAGE_BYTES,
    XS_HOME_BYTES = 40,
    XS_MAX_NAMES = 64,                  /* of a path: what is done for each node above one is bounded */
};

/* Spaces of the core's store, besides HVS_STORE_SHARED: there is what lies below vm-data. */
enum xs_space {
    XS_SPACE_TREE = 1,          /* nodes by path; the tag is the permissions */
    XS_SPACE_WATCHES,           /* path, NUL, token; the tag is one byte: is_relative */
    XS_SPACE_TX = 16,           /* from here on: XS_TX_SPACES for each transaction */
};
/* What a transaction knows of a node. All that it has seen is LOOKED_AT. */
enum xs_touch { XS_LOOKED_AT, XS_WRITTEN, XS_REMOVED, XS_NR_TOUCHES };
enum { XS_TX_SPACES = 2 * XS_NR_TOUCHES };      /* by touch: of the tree, then of vm-data */

/* An absolute path. */
struct xs_path {
    uint32_t bytes;
    bool is_relative;           /* it was given as one */
    char text[XENSTORE_ABS_PATH_MAX + 2];       /* with room for a '/' or a NUL */
};

struct xs_tx {
    uint32_t id;                /* 0: free */
    uint32_t nr_nodes;          /* that it has touched */
    bool is_doomed;             /* somebody else changed one of them */
};

struct xen_store {
    char home[XS_HOME_BYTES];   /* "/local/domain/1" */
    uint32_t home_bytes;
    uint32_t error;             /* XENSTORE_ERROR_*: there is no connection until the guest makes a new one */
    uint32_t nr_nodes;          /* that the guest owns */
    uint32_t nr_changes;        /* of the tree; grows */
    uint32_t last_tx_id;
    uint32_t missed;            /* watches from this one on are to be told, as events were lost; UINT32_MAX: none */
    struct xs_tx tx[XS_MAX_TX];
    uint32_t in_bytes;
    uint32_t out_first, out_bytes;
    uint32_t reply;             /* where the message begins that is being made, from out_first on */
    struct xs_path path;        /* of the request */
    struct xs_path scratch;
    char spare[HVS_STORE_OWN_KEY_BYTES];        /* for keys of watches, and values that stay */
    uint8_t in[XS_MESSAGE_BYTES];
    uint8_t out[XS_QUEUE_BYTES];
};

/* Who asks, and in which transaction. */
struct xs_caller {
    bool is_host;
    struct xs_tx *tx;           /* NULL: none */
};

struct xs_node {
    struct hvs_text tag, value; /* in the store, until its next change */
};

struct xen_store *xen_store_of(const struct hvs_ctx *ctx);

/* --- xen_store_path.c */
/* Makes store->path of what the caller said. Returns 0 or XEN_EINVAL. */
int xen_store_path_parse(const struct hvs_ctx *ctx, struct hvs_text text, bool may_be_special);
/* The path without its last name; that of the root is the root. */
struct hvs_text xen_store_path_parent(struct hvs_text path);
bool xen_store_path_is_root(struct hvs_text path);
bool xen_store_path_is_shared_root(const struct hvs_ctx *ctx, struct hvs_text path);      /* vm-data */
/* Says whether `path` is `above` or below it. */
bool xen_store_path_is_below(struct hvs_text path, struct hvs_text above);
bool xen_store_name_is_good(struct hvs_text name);
/* As the guest has to be told: relative paths without the home. */
struct hvs_text xen_store_path_told(const struct hvs_ctx *ctx, struct hvs_text path, bool is_relative);
static inline struct hvs_text xen_store_path_text(const struct xs_path *path)
{
    return (struct hvs_text){path->text, path->bytes};
}
/* Where a node is: below vm-data, or in the tree. */
struct xs_place {
    bool is_shared;
    struct hvs_text key;
};
/* Also of what all paths below one begin with: it ends with '/'. */
struct xs_place xen_store_place_of(const struct hvs_ctx *ctx, struct hvs_text path);
/* The path of a node, into store->scratch. `key` lies elsewhere. */
struct hvs_text xen_store_place_path(const struct hvs_ctx *ctx, bool is_shared, struct hvs_text key);
bool xen_store_text_begins(struct hvs_text text, struct hvs_text begin);
struct hvs_text xen_store_text(const char *terminated);
/* Decimal, terminated. Returns its length without the NUL. */
enum { XS_NUMBER_BYTES = 21 };
uint32_t xen_store_number(uint64_t number, char text[XS_NUMBER_BYTES]);

/* --- xen_store_perms.c */
struct xs_perms {
    uint32_t nr;
    struct {
        uint16_t domid;
        uint8_t access;         /* enum xs_access */
    } perm[XS_MAX_PERMS];       /* [0]: the owner, and what all others may do */
};
enum xs_access { XS_MAY_READ = 1, XS_MAY_WRITE = 2, XS_OWNS = 4 };
enum { XS_PERM_TAG_BYTES = 3 };
struct xs_perms xen_store_perms_of(const struct hvs_ctx *ctx, struct hvs_text tag);
uint32_t xen_store_perms_tag(const struct xs_perms *perms, char tag[XS_MAX_PERMS * XS_PERM_TAG_BYTES]);
/* Texts as in the protocol, each with its NUL. Returns 0, XEN_EINVAL, or XEN_ENOSPC (too many). */
int xen_store_perms_parse(struct hvs_text texts, struct xs_perms *perms);
/* One of them, with its NUL; returns its bytes. */
enum { XS_PERM_TEXT_BYTES = 8 };
uint32_t xen_store_perms_text(const struct xs_perms *perms, uint32_t i, char text[XS_PERM_TEXT_BYTES]);
/* Bits of enum xs_access. */
uint32_t xen_store_perms_access(const struct hvs_ctx *ctx, const struct xs_perms *perms, bool is_host);

/* --- xen_store_node.c: nodes, whoever may see them. A change dooms the transactions that have looked. */
/* 0, XEN_ENOENT, XEN_ENOSPC (the transaction has touched too many). */
int xen_store_node_get(struct hvs_ctx *ctx, struct xs_tx *tx, struct hvs_text path, struct xs_node *node);
/* The parent exists. `tag` and `value` do not lie in the store. 0 or XEN_ENOSPC. */
int xen_store_node_put(struct hvs_ctx *ctx, struct xs_tx *tx, struct hvs_text path, struct hvs_text tag,
                       struct hvs_text value);
/* With all that is below. 0, or XEN_ENOSPC of a transaction. */
int xen_store_node_remove(struct hvs_ctx *ctx, struct xs_tx *tx, struct hvs_text path);
/* Says whether it lies in the space, by this key or one below; an empty key: any. */
bool xen_store_entry_is_below(const struct hvs_entry *entry, uint8_t space, struct hvs_text key);
/* What a new node of this size takes at most of the store, in a transaction or not. */
uint32_t xen_store_node_bytes(struct hvs_text path, uint32_t value_bytes);
/* Says whether so much more may be there, and what is the host's stays free of what the guest adds. */
bool xen_store_has_room(const struct hvs_ctx *ctx, bool is_host, uint32_t bytes, uint32_t nr_entries);
/* Makes what the transaction wrote and removed the world's, and tells. */
void xen_store_node_commit(struct hvs_ctx *ctx, struct xs_tx *tx);
void xen_store_node_forget(struct hvs_ctx *ctx, const struct xs_tx *tx);
/* Counts anew what the guest owns. */
void xen_store_node_count(struct hvs_ctx *ctx);
/* The names below store->path, which the caller has got before. Nothing may change in between. */
struct xs_children {
    struct hvs_text prefix;     /* of keys */
    struct {
        uint8_t space;
        uint32_t position;
        struct hvs_text name;   /* that comes next; 0 bytes: none */
    } from[2];                  /* the world's, and the transaction's */
    const struct xs_tx *tx;
    bool is_shared;
};
void xen_store_children_begin(const struct hvs_ctx *ctx, const struct xs_tx *tx, struct xs_children *children);
bool xen_store_children_next(const struct hvs_ctx *ctx, struct xs_children *children, struct hvs_text *name);

/* --- xen_store_access.c: what a caller does to nodes. The path is store->path. */
int xen_store_access_get(struct hvs_ctx *ctx, struct xs_caller who, uint32_t access, struct xs_node *node);
int xen_store_access_write(struct hvs_ctx *ctx, struct xs_caller who, struct hvs_text value);
int xen_store_access_mkdir(struct hvs_ctx *ctx, struct xs_caller who);
int xen_store_access_remove(struct hvs_ctx *ctx, struct xs_caller who);
int xen_store_access_set_perms(struct hvs_ctx *ctx, struct xs_caller who, const struct xs_perms *perms);

/* --- xen_store_tx.c */
struct xs_tx *xen_store_tx_find(const struct hvs_ctx *ctx, uint32_t id);
/* 0 with *id, or XEN_ENOSPC. */
int xen_store_tx_begin(struct hvs_ctx *ctx, uint32_t *id);
/* 0 or XEN_EAGAIN; it is over in both cases. */
int xen_store_tx_end(struct hvs_ctx *ctx, struct xs_tx *tx, bool is_committed);
void xen_store_tx_end_all(struct hvs_ctx *ctx);
uint8_t xen_store_tx_space(const struct hvs_ctx *ctx, const struct xs_tx *tx, enum xs_touch touch, bool is_shared);
/* It has removed the node, or one above: what it does not write there itself is not there. */
bool xen_store_tx_hides(const struct hvs_ctx *ctx, const struct xs_tx *tx, struct hvs_text path);
/* The world's node changes, or (all_below) is removed with all that is below: dooms those that have looked there. One
   that is being committed may doom itself, which has no effect. */
void xen_store_tx_doom(struct hvs_ctx *ctx, struct hvs_text path, bool all_below);

/* --- xen_store_watch.c */
/* store->path. 0, XEN_EEXIST, XEN_E2BIG, XEN_ENOSPC; XEN_ENOENT. */
int xen_store_watch_add(struct hvs_ctx *ctx, struct hvs_text token);
int xen_store_watch_remove(struct hvs_ctx *ctx, struct hvs_text token);
void xen_store_watch_remove_all(struct hvs_ctx *ctx);
void xen_store_watch_tell_first(struct hvs_ctx *ctx, struct hvs_text token);
/* The node at `path`, which may lie in store->scratch, has changed. */
void xen_store_watch_fire(struct hvs_ctx *ctx, struct hvs_text path, bool is_removed);
/* Tells what did not fit into the queue before. */
void xen_store_watch_tell_missed(struct hvs_ctx *ctx);

/* --- xen_store_queue.c: messages to the guest */
bool xen_store_queue_has_room(const struct xen_store *store);  /* for any message */
void xen_store_queue_begin(struct xen_store *store, uint32_t type, uint32_t req_id, uint32_t tx_id);
/* Returns false where the payload gets too long, or the queue is full; the message is then taken back. */
bool xen_store_queue_add(struct xen_store *store, const void *bytes, uint32_t nr_bytes);
void xen_store_queue_end(struct xen_store *store);
void xen_store_queue_cancel(struct xen_store *store);
void xen_store_queue_clear(struct xen_store *store);
/* The first `nr` bytes have left. */
void xen_store_queue_drop(struct xen_store *store, uint32_t nr);

/* --- xen_store_request.c */
/* store->in is a whole message, and the queue has room for any. */
void xen_store_request(struct hvs_ctx *ctx);

/* --- xen_store_ring.c */
/* The guest, or our timer, says that there is something to do. XEN_LINE_EFFECTS. */
void xen_store_event(struct hvs_ctx *ctx);
/* Sends what is in the queue. */
void xen_store_ring_flush(struct hvs_ctx *ctx);
/* All that the guest has set up is gone: watches, transactions, half messages. */
void xen_store_disconnect(struct hvs_ctx *ctx);
/* The guest asks for the page, which was just cleared. */
void xen_store_asked(struct hvs_ctx *ctx);

/* --- xen_store_tree.c */
void xen_store_reset(struct hvs_ctx *ctx);
/* Tells the host of a change that the guest has made. */
void xen_store_tell_host(const struct hvs_ctx *ctx, struct xs_caller who, struct hvs_text path);

/* --- xen_store_host.c */
struct hvs_xen_store;
int xen_store_host(struct hvs_ctx *ctx, uint32_t request, struct hvs_xen_store *args);

/* --- xen_store_save.c */
void xen_store_save(struct hvs_ctx *ctx, struct hvs_writer *writer);
int xen_store_load(struct hvs_ctx *ctx, const struct hvs_record *record);
int xen_store_load_in(struct hvs_ctx *ctx, const struct hvs_record *record);
int xen_store_load_out(struct hvs_ctx *ctx, const struct hvs_record *record);

#endif
