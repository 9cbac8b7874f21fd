/*
 * GNTTABOP_copy: bytes from page to page, each named by its frame (the caller's own) or by a grant to the caller
 * [XEN public/grant_table.h; common/grant_table.c gnttab_copy_one].
 *
 * The guest itself is the only domain that can have granted something. Xen keeps both pages from one element of the
 * list to the next; here each element stands alone.
 */
#include "xen_state.h"

/* One end, pinned. */
struct end {
    bool is_pinned;
    uint32_t handle;
    uint64_t gfn;
    uint32_t offset, bytes;     /* what may be used */
};

static int16_t check_end(const struct hvs_ctx *ctx, uint16_t domid, bool is_ref)
{
    if (domid != DOMID_SELF && !is_ref)
        return GNTST_permission_denied;
    if (domid == DOMID_SELF || domid == XEN_DOMID_HOST || domid == xen_options(ctx).domid)
        return GNTST_okay;
    return GNTST_bad_domain;
}

static int16_t open_end(struct hvs_ctx *ctx, const struct gnttab_copy_ptr *ptr, bool is_ref, bool is_write,
                        struct end *end)
{
    const struct xen_grant_use use = {
        .ref = ptr->u.ref, .domid = xen_options(ctx).domid, .is_write = is_write};
    int16_t status;

    *end = (struct end){.gfn = ptr->u.gmfn, .bytes = HVS_PAGE_BYTES};
    if (!is_ref)
        return xen_is_page(ctx, end->gfn) ? GNTST_okay : GNTST_bad_page;
    if (ptr->domid == XEN_DOMID_HOST)
        return xen_grant_of_host(use.ref);
    status = xen_grant_pin(ctx, &use, &end->handle);
    if (status)
        return status;

    const struct xen_grant_pin *pin = &xen_vm(ctx)->grants.pin[end->handle];

    *end = (struct end){.is_pinned = true, .handle = end->handle, .gfn = pin->gfn, .offset = pin->offset,
                        .bytes = pin->bytes};
    return GNTST_okay;
}

static void close_end(struct hvs_ctx *ctx, const struct end *end)
{
    if (end->is_pinned)
        xen_grant_unpin(ctx, end->handle);
}

static bool is_within(const struct end *end, uint32_t offset, uint32_t bytes)
{
    return offset >= end->offset && offset + bytes <= end->offset + end->bytes;
}

static int16_t copy_bytes(struct hvs_ctx *ctx, const struct gnttab_copy *copy, const struct end *source,
                          const struct end *dest)
{
    uint8_t *from, *to;
    int16_t status = GNTST_general_error;

    if (copy->source.offset + copy->len > HVS_PAGE_BYTES || copy->dest.offset + copy->len > HVS_PAGE_BYTES)
        return GNTST_bad_copy_arg;
    if (!is_within(source, copy->source.offset, copy->len) || !is_within(dest, copy->dest.offset, copy->len))
        return GNTST_general_error;
    from = hvs_page_pin(ctx, source->gfn);
    to = hvs_page_pin(ctx, dest->gfn);
    if (from && to) {
        memmove(to + copy->dest.offset, from + copy->source.offset, copy->len);
        status = GNTST_okay;
    }
    if (to)
        hvs_page_unpin(ctx, dest->gfn, to, true);
    if (from)
        hvs_page_unpin(ctx, source->gfn, from, false);
    return status;
}

static int16_t copy_one(struct hvs_ctx *ctx, const struct gnttab_copy *copy)
{
    const bool is_source_ref = copy->flags & GNTCOPY_source_gref, is_dest_ref = copy->flags & GNTCOPY_dest_gref;
    struct end source, dest;
    int16_t status;

    if (copy->len == 0)
        return GNTST_okay;
    status = check_end(ctx, copy->source.domid, is_source_ref);
    if (!status)
        status = check_end(ctx, copy->dest.domid, is_dest_ref);
    if (!status)
        status = open_end(ctx, &copy->source, is_source_ref, false, &source);
    if (status)
        return status;
    status = open_end(ctx, &copy->dest, is_dest_ref, true, &dest);
    if (!status) {
        status = copy_bytes(ctx, copy, &source, &dest);
        close_end(ctx, &dest);
    }
    close_end(ctx, &source);
    return status;
}

static int16_t copy64(struct hvs_ctx *ctx, const void *element)
{
    return copy_one(ctx, element);
}

static int16_t copy32(struct hvs_ctx *ctx, const void *element)
{
    const struct xen_gnttab_copy32 *narrow = element;
    struct gnttab_copy wide = {
        .source = {.domid = narrow->source.domid, .offset = narrow->source.offset},
        .dest = {.domid = narrow->dest.domid, .offset = narrow->dest.offset},
        .len = narrow->len,
        .flags = narrow->flags,
    };

    wide.source.u.gmfn = narrow->source.ref_or_gmfn;
    wide.dest.u.gmfn = narrow->dest.ref_or_gmfn;
    return copy_one(ctx, &wide);
}

int64_t xen_gnttab_copy(struct hvs_ctx *ctx, struct hvs_call *call)
{
    if (xen_caller_is_32bit(ctx))
        return xen_gnttab_each(ctx, call, sizeof(struct xen_gnttab_copy32), offsetof(struct xen_gnttab_copy32, status),
                               copy32);
    return xen_gnttab_each(ctx, call, sizeof(struct gnttab_copy), offsetof(struct gnttab_copy, status), copy64);
}
