/*
 * grant_table_op, hypercall 20, as an unprivileged HVM guest may make it [XEN public/grant_table.h;
 * common/grant_table.c, common/compat/grant_table.c, arch/x86/hvm/hypercall.c]. Copying: xen_grant_copy.c.
 *
 * The guest cannot map grants: there is no other guest, and the host grants nothing. It gets what Xen says in a domain
 * with max_maptrack_frames=0. Commands that Xen keeps from HVM guests have no row: get_status_frames, cache_flush,
 * transfer, dump_table, unmap_and_replace.
 */
#include "xen_state.h"

/* The status for a call about `domid`. */
static int16_t check_domain(const struct hvs_ctx *ctx, uint16_t domid)
{
    int64_t err = xen_check_domid(ctx, domid);

    if (err == -XEN_EPERM)
        return GNTST_permission_denied;
    return err ? GNTST_bad_domain : GNTST_okay;
}

static int32_t count_of(const struct hvs_call *call)
{
    return (int32_t)call->arg[2];
}

int64_t xen_gnttab_each(struct hvs_ctx *ctx, struct hvs_call *call, size_t bytes, size_t status_at, xen_gnttab_fn *fn)
{
    enum { MAX_ELEMENTS = 32, MAX_BYTES = sizeof(struct gnttab_copy) };
    uint64_t gva = call->arg[XEN_ARG_HANDLE], element[MAX_BYTES / sizeof(uint64_t)];
    int16_t status;

    if (count_of(call) < 0)
        return -XEN_EINVAL;
    for (int32_t i = 0; i < count_of(call); i++, gva += bytes) {
        if (i == MAX_ELEMENTS) {
            call->arg[1] = gva;
            call->arg[2] = (uint32_t)(count_of(call) - i);
            return XEN_AGAIN;
        }
        if (hvs_gva_read(ctx, gva, element, bytes))
            return -XEN_EFAULT;
        hvs_vm_lock(ctx);
        status = fn(ctx, element);
        hvs_vm_unlock(ctx);
        if (hvs_gva_write(ctx, gva + status_at, &status, sizeof(status)))
            return -XEN_EFAULT;
    }
    return 0;
}

/* --- mapping ------------------------------------------------------------------------------------------------------ */

static int16_t map_grant_ref(struct hvs_ctx *ctx, const void *element)
{
    const struct gnttab_map_grant_ref *map = element;
    const uint32_t not_for_hvm = GNTMAP_device_map | GNTMAP_application_map | GNTMAP_contains_pte;

    if (!(map->flags & (GNTMAP_device_map | GNTMAP_host_map)))
        return GNTST_bad_gntref;
    if (map->flags & not_for_hvm)
        return GNTST_general_error;
    if (map->dom != XEN_DOMID_HOST && map->dom != xen_options(ctx).domid)
        return GNTST_bad_domain;        /* DOMID_SELF too: who maps names the domain */
    return GNTST_no_space;
}

static int16_t unmap_grant_ref(struct hvs_ctx *ctx, const void *element)
{
    (void)ctx, (void)element;
    return GNTST_bad_handle;
}

int64_t xen_gnttab_map_grant_ref(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return xen_gnttab_each(ctx, call, sizeof(struct gnttab_map_grant_ref),
                           offsetof(struct gnttab_map_grant_ref, status), map_grant_ref);
}

int64_t xen_gnttab_unmap_grant_ref(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return xen_gnttab_each(ctx, call, sizeof(struct gnttab_unmap_grant_ref),
                           offsetof(struct gnttab_unmap_grant_ref, status), unmap_grant_ref);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* Tells where the frames lie, in the caller's width; one that lies nowhere has a number that 32 bits do not hold. */
static int16_t write_frames(struct hvs_ctx *ctx, uint64_t gva, uint32_t nr_frames)
{
    const bool is_narrow = xen_caller_is_32bit(ctx);
    const size_t bytes = is_narrow ? sizeof(uint32_t) : sizeof(uint64_t);

    for (uint32_t i = 0; i < nr_frames; i++) {
        const uint64_t gfn = hvs_overlay_gfn(hvs_vm_overlay(ctx, XEN_OVERLAY_GRANTS + i));

        if (is_narrow && gfn > UINT32_MAX)
            return GNTST_address_too_big;
        if (hvs_gva_write(ctx, gva + i * bytes, &gfn, bytes))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

static int16_t setup_table(struct hvs_ctx *ctx, const struct xen_gnttab_setup_table32 *args, uint64_t list)
{
    int16_t status = check_domain(ctx, args->dom);

    if (status)
        return status;
    if (args->nr_frames > xen_grant_max_frames(ctx))
        return GNTST_general_error;
    xen_grant_grow(ctx, args->nr_frames);
    return write_frames(ctx, list, args->nr_frames);
}

int64_t xen_gnttab_setup_table(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const bool is_narrow = xen_caller_is_32bit(ctx);
    const uint64_t gva = call->arg[XEN_ARG_HANDLE];
    struct xen_gnttab_setup_table32 args;       /* the two differ in the list only */
    uint64_t list = 0;
    int16_t status;

    if (is_narrow && count_of(call) == 0)
        return 0;
    if (count_of(call) != 1)
        return -XEN_EINVAL;
    if (hvs_gva_read(ctx, gva, &args, sizeof(args)))
        return -XEN_EFAULT;
    if (is_narrow)
        list = args.frame_list;
    else if (hvs_gva_read(ctx, gva + offsetof(struct gnttab_setup_table, frame_list), &list, sizeof(list)))
        return -XEN_EFAULT;
    status = setup_table(ctx, &args, list);
    return hvs_gva_write(ctx, gva + offsetof(struct gnttab_setup_table, status), &status, sizeof(status))
               ? -XEN_EFAULT : 0;
}

int64_t xen_gnttab_query_size(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct gnttab_query_size args;

    if (count_of(call) != 1)
        return -XEN_EINVAL;
    if (hvs_gva_read(ctx, call->arg[XEN_ARG_HANDLE], &args, sizeof(args)))
        return -XEN_EFAULT;
    args.status = check_domain(ctx, args.dom);
    if (!args.status) {
        args.nr_frames = xen_grant_nr_frames(ctx);
        args.max_nr_frames = xen_grant_max_frames(ctx);
    }
    return xen_copy_out(ctx, call, &args, sizeof(args));
}

/* --- versions ----------------------------------------------------------------------------------------------------- */

static uint32_t version(const struct hvs_ctx *ctx)
{
    return xen_vm(ctx)->grants.is_v2 ? 2 : 1;
}

/* What holds afterwards is told also where it is not what was wanted. */
int64_t xen_gnttab_set_version(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct gnttab_set_version args;
    int64_t err;

    if (count_of(call) < 0)
        return -XEN_EINVAL;
    if (hvs_gva_read(ctx, call->arg[XEN_ARG_HANDLE], &args, sizeof(args)))
        return -XEN_EFAULT;
    if (args.version != 1 && args.version != 2)
        err = -XEN_EINVAL;
    else if (args.version > xen_options(ctx).max_grant_version)
        err = -XEN_ENOSYS;
    else
        err = xen_grant_set_version(ctx, args.version == 2);
    args.version = version(ctx);
    return xen_copy_out(ctx, call, &args, sizeof(args)) ? -XEN_EFAULT : err;
}

int64_t xen_gnttab_get_version(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct gnttab_get_version args;
    int64_t err;

    if (count_of(call) < 0)
        return -XEN_EINVAL;
    if (hvs_gva_read(ctx, call->arg[XEN_ARG_HANDLE], &args, sizeof(args)))
        return -XEN_EFAULT;
    err = xen_check_domid(ctx, args.dom);
    if (err)
        return err;
    args.version = version(ctx);
    return xen_copy_out(ctx, call, &args, sizeof(args));
}

/* --- swapping ----------------------------------------------------------------------------------------------------- */

static int16_t swap_grant_ref(struct hvs_ctx *ctx, const void *element)
{
    const struct gnttab_swap_grant_ref *swap = element;

    return xen_grant_swap(ctx, swap->ref_a, swap->ref_b);
}

int64_t xen_gnttab_swap_grant_ref(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return xen_gnttab_each(ctx, call, sizeof(struct gnttab_swap_grant_ref),
                           offsetof(struct gnttab_swap_grant_ref, status), swap_grant_ref);
}
