/*
 * What callers do to nodes: permissions and quotas, what is made along with a node, and who is told
 * [XEN docs/misc/xenstore.txt, Database read, write and permissions operations].
 *
 * The guest's quotas are as those of xenstored, but for the number of nodes. Domain 0, the host, has none besides the
 * size of the store.
 */
#include "xen_state.h"

static struct hvs_text own_path(const struct hvs_ctx *ctx)
{
    return xen_store_path_text(&xen_store_of(ctx)->path);
}

static uint32_t access_to(const struct hvs_ctx *ctx, struct xs_caller who, const struct xs_node *node)
{
    const struct xs_perms perms = xen_store_perms_of(ctx, node->tag);

    return xen_store_perms_access(ctx, &perms, who.is_host);
}

/* The nearest node above that is there. 0, XEN_ENOENT (not even the root), XEN_ENOSPC. */
static int find_above(struct hvs_ctx *ctx, struct xs_caller who, struct hvs_text *path, struct xs_node *node)
{
    int err = XEN_ENOENT;

    while (err == XEN_ENOENT && !xen_store_path_is_root(*path)) {
        *path = xen_store_path_parent(*path);
        err = xen_store_node_get(ctx, who.tx, *path, node);
    }
    return err;
}

/* What is not there is told to those only who may look into what is above. */
int xen_store_access_get(struct hvs_ctx *ctx, struct xs_caller who, uint32_t access, struct xs_node *node)
{
    struct hvs_text path = own_path(ctx);
    int err = xen_store_node_get(ctx, who.tx, path, node);

    if (err == 0)
        return access & ~access_to(ctx, who, node) ? XEN_EACCES : 0;
    if (err != XEN_ENOENT)
        return err;
    err = find_above(ctx, who, &path, node);
    if (err && err != XEN_ENOENT)
        return err;
    return err || access & ~access_to(ctx, who, node) ? XEN_EACCES : XEN_ENOENT;
}

static int check_room(const struct hvs_ctx *ctx, struct xs_caller who, uint32_t bytes, uint32_t nr_nodes)
{
    const struct xen_store *store = xen_store_of(ctx);
    const uint32_t nr_pending = who.tx ? who.tx->nr_nodes : 0;

    if (bytes > XS_STORE_BYTES || !xen_store_has_room(ctx, who.is_host, bytes, 2 * nr_nodes + !!who.tx))
        return XEN_ENOSPC;
    return !who.is_host && nr_nodes && store->nr_nodes + nr_pending + nr_nodes > XS_MAX_NODES ? XEN_ENOSPC : 0;
}

static void tell(struct hvs_ctx *ctx, struct xs_caller who, bool is_removed)
{
    if (who.tx)
        return;                 /* at its end */
    xen_store_watch_fire(ctx, own_path(ctx), is_removed);
    xen_store_tell_host(ctx, who, own_path(ctx));
}

/* Says whether a path ends before its byte `at`. */
static bool is_end(struct hvs_text path, uint32_t at)
{
    return at == path.bytes || path.text[at] == '/';
}

/* What a new node has from the one above it: its permissions, but a guest owns what it makes. */
static struct xs_perms inherit(const struct hvs_ctx *ctx, struct xs_caller who, const struct xs_node *above)
{
    struct xs_perms perms = xen_store_perms_of(ctx, above->tag);

    if (!who.is_host)
        perms.perm[0].domid = xen_options(ctx).domid;
    return perms;
}

/* Makes the node and all that are missing above it, or nothing. */
static int create(struct hvs_ctx *ctx, struct xs_caller who, struct hvs_text value)
{
    const struct hvs_text path = own_path(ctx), nothing = {NULL, 0};
    struct hvs_text above = path, tag;
    char bytes[XS_MAX_PERMS * XS_PERM_TAG_BYTES];
    uint32_t nr_nodes = 0, nr_bytes = value.bytes;
    struct xs_node node;
    struct xs_perms perms;
    int err = find_above(ctx, who, &above, &node);

    if (err)
        return err;
    perms = inherit(ctx, who, &node);
    tag = (struct hvs_text){bytes, xen_store_perms_tag(&perms, bytes)};
    for (uint32_t at = above.bytes + 1; at <= path.bytes; at++) {
        if (!is_end(path, at))
            continue;
        nr_nodes++;
        nr_bytes += xen_store_node_bytes((struct hvs_text){path.text, at}, 0);
    }
    err = check_room(ctx, who, nr_bytes, nr_nodes);
    for (uint32_t at = above.bytes + 1; !err && at <= path.bytes; at++) {
        const struct hvs_text one = {path.text, at};

        if (is_end(path, at))
            err = xen_store_node_put(ctx, who.tx, one, tag, at == path.bytes ? value : nothing);
    }
    if (!err)
        tell(ctx, who, false);
    return err;
}

/* What is given lies outside of the store. */
static int change(struct hvs_ctx *ctx, struct xs_caller who, struct hvs_text tag, struct hvs_text value)
{
    int err = check_room(ctx, who, xen_store_node_bytes(own_path(ctx), value.bytes), 0);

    if (!err)
        err = xen_store_node_put(ctx, who.tx, own_path(ctx), tag, value);
    if (!err)
        tell(ctx, who, false);
    return err;
}

static int replace(struct hvs_ctx *ctx, struct xs_caller who, const struct xs_node *node, struct hvs_text value)
{
    char bytes[XS_MAX_PERMS * XS_PERM_TAG_BYTES];
    const struct hvs_text tag = {bytes, node->tag.bytes <= sizeof(bytes) ? node->tag.bytes : 0};

    if (tag.bytes)
        memcpy(bytes, node->tag.text, tag.bytes);
    return change(ctx, who, tag, value);
}

int xen_store_access_write(struct hvs_ctx *ctx, struct xs_caller who, struct hvs_text value)
{
    struct xs_node node;
    int err = xen_store_access_get(ctx, who, XS_MAY_WRITE, &node);

    if (err && err != XEN_ENOENT)
        return err;
    if (!who.is_host && value.bytes > XS_MAX_NODE_BYTES)
        return XEN_ENOSPC;
    return err ? create(ctx, who, value) : replace(ctx, who, &node, value);
}

int xen_store_access_mkdir(struct hvs_ctx *ctx, struct xs_caller who)
{
    struct xs_node node;
    int err = xen_store_access_get(ctx, who, XS_MAY_WRITE, &node);

    return err == XEN_ENOENT ? create(ctx, who, (struct hvs_text){NULL, 0}) : err;
}

/* Watches are told before, while what is removed still says who may know of it. */
int xen_store_access_remove(struct hvs_ctx *ctx, struct xs_caller who)
{
    struct xs_node node;
    int err = xen_store_access_get(ctx, who, XS_MAY_WRITE, &node);

    if (err == XEN_ENOENT)
        return xen_store_node_get(ctx, who.tx, xen_store_path_parent(own_path(ctx)), &node);
    if (err)
        return err;
    if (xen_store_path_is_root(own_path(ctx)))
        return XEN_EINVAL;
    tell(ctx, who, true);
    return xen_store_node_remove(ctx, who.tx, own_path(ctx));
}

int xen_store_access_set_perms(struct hvs_ctx *ctx, struct xs_caller who, const struct xs_perms *perms)
{
    char *spare = xen_store_of(ctx)->spare;
    char bytes[XS_MAX_PERMS * XS_PERM_TAG_BYTES];
    const struct hvs_text tag = {bytes, xen_store_perms_tag(perms, bytes)};
    struct hvs_text value = {spare, 0};
    struct xs_node node;
    int err = xen_store_access_get(ctx, who, XS_OWNS, &node);

    if (err)
        return err;
    if (!who.is_host && perms->perm[0].domid != xen_store_perms_of(ctx, node.tag).perm[0].domid)
        return XEN_EPERM;       /* a guest gives nothing away */
    if (node.value.bytes > sizeof(xen_store_of(ctx)->spare))
        return XEN_E2BIG;
    value.bytes = node.value.bytes;
    if (value.bytes)
        memcpy(spare, node.value.text, value.bytes);
    return change(ctx, who, tag, value);
}
