/*
 * physdev_op, hypercall 33 [XEN public/physdev.h; arch/x86/physdev.c, arch/x86/hvm/hypercall.c hvm_physdev_op].
 *
 * The guest is one without emulated PIRQs, as PVH guests are: XENFEAT_hvm_pirqs is not shown, interrupts of devices
 * stay with the APICs, and mapping them is for device models. Left out with that: eoi, irq_status_query, get_free_pirq.
 */
#include "xen_state.h"

/* Says -ESRCH of a domain that there is none of, and refuses all others. */
static int64_t refuse(const struct hvs_ctx *ctx, uint16_t domid)
{
    return xen_check_domid(ctx, domid) == -XEN_ESRCH ? -XEN_ESRCH : -XEN_EPERM;
}

int64_t xen_physdev_map_pirq(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct physdev_map_pirq32 *narrow = call->in;
    const struct physdev_map_pirq *wide = call->in;
    const bool is_32bit = xen_caller_is_32bit(ctx);
    const bool has_table = is_32bit ? narrow->table_base[0] | narrow->table_base[1] : wide->table_base != 0;

    if (narrow->type == MAP_PIRQ_TYPE_MULTI_MSI && has_table)
        return -XEN_EINVAL;
    return refuse(ctx, narrow->domid);
}

int64_t xen_physdev_unmap_pirq(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct physdev_unmap_pirq *args = call->in;

    return refuse(ctx, args->domid);
}
