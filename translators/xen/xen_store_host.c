/* What the host, domain 0, does to xenstore. See <hvshim/xen.h>. */
#include <hvshim/xen.h>

#include "xen_state.h"

static const struct xs_caller host = {.is_host = true};

static int to_host(int err)
{
    switch (err) {
    case 0:
        return HVS_OK;
    case XEN_ENOENT:
        return HVS_ENOENT;
    case XEN_ENOSPC:
        return HVS_ENOSPC;
    default:
        return HVS_EINVAL;
    }
}

/* Goes on counting where the buffer is full, and says so in the end. */
static void give(struct hvs_xen_store *args, struct hvs_text text)
{
    if (args->value.bytes <= args->buffer_bytes && text.bytes <= args->buffer_bytes - args->value.bytes && text.bytes)
        memcpy(args->buffer + args->value.bytes, text.text, text.bytes);
    args->value.bytes += text.bytes;
}

static int list(struct hvs_ctx *ctx, struct hvs_xen_store *args)
{
    struct xs_children children;
    struct hvs_text name;

    for (xen_store_children_begin(ctx, NULL, &children); xen_store_children_next(ctx, &children, &name);) {
        give(args, name);
        give(args, (struct hvs_text){"", 1});
    }
    return HVS_OK;
}

static int look(struct hvs_ctx *ctx, uint32_t request, struct hvs_xen_store *args)
{
    struct xs_node node;
    int err = to_host(xen_store_access_get(ctx, host, XS_MAY_READ, &node));

    if (err)
        return err;
    args->value = (struct hvs_text){args->buffer, 0};
    if (request == HVS_XEN_STORE_LIST)
        list(ctx, args);
    else
        give(args, node.value);
    return args->value.bytes > args->buffer_bytes ? HVS_ENOSPC : HVS_OK;
}

static int set_perms(struct hvs_ctx *ctx, struct hvs_text texts)
{
    struct xs_perms perms;
    int err = xen_store_perms_parse(texts, &perms);

    return to_host(err ? err : xen_store_access_set_perms(ctx, host, &perms));
}

static int answer(struct hvs_ctx *ctx, uint32_t request, struct hvs_xen_store *args)
{
    if (!args || xen_store_path_parse(ctx, args->path, false))
        return HVS_EINVAL;
    switch (request) {
    case HVS_XEN_STORE_READ:
    case HVS_XEN_STORE_LIST:
        return look(ctx, request, args);
    case HVS_XEN_STORE_WRITE:
        if (args->value.bytes > XENSTORE_PAYLOAD_MAX)
            return HVS_EINVAL;
        return to_host(xen_store_access_write(ctx, host, args->value));
    case HVS_XEN_STORE_REMOVE:
        return to_host(xen_store_access_remove(ctx, host));
    default:
        return set_perms(ctx, args->value);
    }
}

int xen_store_host(struct hvs_ctx *ctx, uint32_t request, struct hvs_xen_store *args)
{
    int err;

    if (!xen_special_is_on(ctx, XEN_SPECIAL_STORE))
        return HVS_ENOTSUP;
    err = answer(ctx, request, args);
    xen_store_ring_flush(ctx);
    return err;
}
