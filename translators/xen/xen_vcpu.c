/*
 * vcpu_op, hypercall 24: what a guest registers for its vCPUs [XEN public/vcpu.h; common/domain.c, arch/x86/domain.c].
 *
 * Left out: initialise, up, down, is_up (HVM guests start processors by their APICs, which are not seen here),
 * send_nmi, get_physid, the periodic timer. Timers: xen_time.c.
 */
#include "xen_state.h"

static uint32_t vcpu_of(const struct hvs_call *call)
{
    return (uint32_t)call->arg[1];
}

/* An address of the caller's width. */
static uint64_t read_address(const struct hvs_ctx *ctx, const struct hvs_call *call)
{
    uint64_t gva = 0;

    memcpy(&gva, call->in, xen_caller_is_32bit(ctx) ? sizeof(uint32_t) : sizeof(gva));
    return gva;
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
    err = xen_shared_move_info(ctx, vp, (args->mfn << HVS_PAGE_SHIFT) + args->offset);
    if (err)
        return err;
    xen_shared_publish_time(ctx, vp);
    /* So that nothing gets lost on the move: the guest finds out that most of it is not so. */
    xen_upcall_all(ctx, vp);
    return 0;
}

/*
 * How a host schedules vCPUs is not seen here. What is said is true for a host that never makes one wait: the whole
 * age of the VM counts as running, so the guest finds no stolen time.
 */
static int64_t write_runstate(struct hvs_ctx *ctx, uint64_t gva)
{
    const uint64_t now_ns = hvs_ctx_now_ns(ctx);
    const struct vcpu_runstate_info wide = {
        .state = RUNSTATE_running, .state_entry_time = now_ns, .time = {[RUNSTATE_running] = now_ns}};
    const uint32_t lo = (uint32_t)now_ns, hi = (uint32_t)(now_ns >> 32);
    const struct xen_runstate32 narrow = {
        .state = RUNSTATE_running, .state_entry_time = {lo, hi}, .time = {[RUNSTATE_running] = {lo, hi}}};
    int err = xen_caller_is_32bit(ctx) ? hvs_gva_write(ctx, gva, &narrow, sizeof(narrow))
                                       : hvs_gva_write(ctx, gva, &wide, sizeof(wide));

    return err ? -XEN_EFAULT : 0;
}

int64_t xen_vcpu_get_runstate_info(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return write_runstate(ctx, call->arg[XEN_ARG_HANDLE]);
}

/*
 * Linux stops for good when this fails. The area is written now and then stays true, as there is no change of state to
 * tell; so it is not kept. Xen takes any address and is silent about those that it cannot write; so does this.
 */
int64_t xen_vcpu_register_runstate_memory_area(struct hvs_ctx *ctx, struct hvs_call *call)
{
    write_runstate(ctx, read_address(ctx, call));
    return 0;
}

/*
 * A second copy of vcpu_info.time, which Linux shows to user space. Xen looks the address up each time that it writes;
 * here it is looked up once, so it must be good now, and the copy must lie in one page.
 */
int64_t xen_vcpu_register_vcpu_time_memory_area(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct xen_place *place = &xen_vcpu(ctx, vcpu_of(call))->time;
    uint64_t gva = read_address(ctx, call), gpa;

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
