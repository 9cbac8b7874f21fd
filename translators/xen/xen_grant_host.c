/*
 * Grants as the host uses them, domain 0: by HVS_EXIT_HOST, for backends of the guest's devices. <hvshim/xen.h> says
 * what holds for how long.
 */
#include "xen_state.h"

static int to_err(int16_t status)
{
    switch (status) {
    case GNTST_okay:
        return HVS_OK;
    case GNTST_bad_gntref:
        return HVS_ENOENT;
    case GNTST_bad_page:
        return HVS_EFAULT;
    case GNTST_no_space:
        return HVS_ENOSPC;
    default:
        return HVS_EINVAL;
    }
}

static int map(struct hvs_ctx *ctx, struct hvs_xen_grant_map *args)
{
    const struct xen_grant_use use = {
        .ref = args->ref, .domid = XEN_DOMID_HOST, .is_write = args->is_writable, .is_map = true};
    int16_t status = xen_grant_pin(ctx, &use, &args->handle);

    if (!status)
        args->gpa = xen_vm(ctx)->grants.pin[args->handle].gfn << HVS_PAGE_SHIFT;
    return to_err(status);
}

/* What the host wrote meanwhile, it wrote by itself: so the page counts as written now. */
static int unmap(struct hvs_ctx *ctx, const struct hvs_xen_grant_map *args)
{
    const struct xen_grants *grants = &xen_vm(ctx)->grants;

    if (args->handle >= grants->nr_pins || !grants->pin[args->handle].is_used)
        return HVS_ENOENT;

    const struct xen_grant_pin pin = grants->pin[args->handle];
    void *page = pin.is_writable ? hvs_page_pin(ctx, pin.gfn) : NULL;

    if (page)
        hvs_page_unpin(ctx, pin.gfn, page, true);
    xen_grant_unpin(ctx, args->handle);
    return HVS_OK;
}

static int copy_bytes(struct hvs_ctx *ctx, const struct xen_grant_pin *pin, const struct hvs_xen_grant_copy *args)
{
    const uint64_t gpa = (pin->gfn << HVS_PAGE_SHIFT) + args->offset;

    if (args->offset < pin->offset || args->offset + args->bytes > pin->offset + pin->bytes)
        return HVS_EINVAL;
    return args->to_guest ? hvs_gpa_write(ctx, gpa, args->buffer, args->bytes)
                          : hvs_gpa_read(ctx, gpa, args->buffer, args->bytes);
}

static int copy(struct hvs_ctx *ctx, const struct hvs_xen_grant_copy *args)
{
    const struct xen_grant_use use = {.ref = args->ref, .domid = XEN_DOMID_HOST, .is_write = args->to_guest};
    uint32_t handle;
    int err;

    if (args->offset + args->bytes > HVS_PAGE_BYTES)
        return HVS_EINVAL;
    err = to_err(xen_grant_pin(ctx, &use, &handle));
    if (err)
        return err;
    err = copy_bytes(ctx, &xen_vm(ctx)->grants.pin[handle], args);
    xen_grant_unpin(ctx, handle);
    return err;
}

int xen_grant_host(struct hvs_ctx *ctx, uint32_t request, void *data)
{
    if (!hvs_ctx_feature(ctx, XEN_FEATURE_GRANTS))
        return HVS_ENOTSUP;
    if (request == HVS_XEN_GRANT_MAP)
        return map(ctx, data);
    if (request == HVS_XEN_GRANT_UNMAP)
        return unmap(ctx, data);
    return copy(ctx, data);
}
