/*
 * vcpu_op, hypercall 24: what a guest registers for its vCPUs [XEN public/vcpu.h; common/domain.c, arch/x86/domain.c].
 *
 * Run state: xen_runstate.c. Timers: xen_time.c. Starting and stopping: xen_power.c.
 */
#include "xen_state.h"

static uint32_t vcpu_of(const struct hvs_call *call)
{
    return (uint32_t)call->arg[1];
}

/* Once for each vCPU, by any vCPU: Linux registers for those that do not run yet. */
int64_t xen_vcpu_register_vcpu_info(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct vcpu_register_vcpu_info *args = call->in;
    uint32_t vp = vcpu_of(call), alignment = xen_vm(ctx)->has_32bit_shinfo ? 4 : 8;
    int64_t err;

    if (args->offset > HVS_PAGE_BYTES - XEN_VCPU_INFO_BYTES || args->offset % alignment)
        return -XEN_ENXIO;
    if (xen_vcpu(ctx, vp)->info.is_set || args->mfn > UINT64_MAX >> HVS_PAGE_SHIFT)
        return -XEN_EINVAL;
    if (vp != ctx->vp && xen_vcpu(ctx, vp)->is_up)
        return -XEN_EINVAL;     /* it may be looking at it */
    err = xen_shared_move_info(ctx, vp, (args->mfn << HVS_PAGE_SHIFT) + args->offset);
    if (err)
        return err;
    xen_shared_publish_time(ctx, vp);
    /* So that nothing gets lost on the move: the guest finds out that most of it is not so. */
    xen_upcall_all(ctx, vp);
    return 0;
}

/*
 * A second copy of vcpu_info.time, which Linux shows to user space. Xen looks the address up each time that it writes;
 * here it is looked up once, so it must be good now, and the copy must lie in one page.
 */
int64_t xen_vcpu_register_vcpu_time_memory_area(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct xen_place *place = &xen_vcpu(ctx, vcpu_of(call))->time;
    uint64_t gva = xen_read_address(ctx, call), gpa;

    if (gva == 0) {
        place->is_set = false;
        return 0;
    }
    if (gva % 4 || gva % HVS_PAGE_BYTES > HVS_PAGE_BYTES - sizeof(struct vcpu_time_info))
        return -XEN_EFAULT;
    if (hvs_gva_to_gpa(ctx, gva, true, &gpa))
        return -XEN_EFAULT;

    void *page = hvs_page_pin(ctx, gpa >> HVS_PAGE_SHIFT);

    if (!page)
        return -XEN_EFAULT;
    hvs_page_unpin(ctx, gpa >> HVS_PAGE_SHIFT, page, false);
    *place = (struct xen_place){.is_set = true, .gpa = gpa};
    xen_shared_publish_time(ctx, vcpu_of(call));
    return 0;
}
