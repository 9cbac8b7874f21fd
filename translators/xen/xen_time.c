/*
 * Timers: set_timer_op, hypercall 15, and the singleshot timer of vcpu_op, which are two ways to set the same one
 * [XEN public/vcpu.h; common/sched/core.c do_set_timer_op, common/domain.c].
 *
 * Deadlines are absolute, in ns of the system time that pvclock gives; what comes of them is VIRQ_TIMER. Left out: the
 * periodic timer, so there is never one to stop.
 */
#include "xen_state.h"

void xen_timer(struct hvs_ctx *ctx, uint32_t timer)
{
    (void)timer;
    hvs_vm_lock(ctx);
    xen_virq_raise(ctx, ctx->vp, VIRQ_TIMER);
    hvs_vm_unlock(ctx);
}

/* A deadline in the past fires at once: VCPU_SSHOTTMR_future, which asks for -ETIME, may be ignored and is. */
static void set_timer(struct hvs_ctx *ctx, uint64_t deadline_ns, uint64_t now_ns)
{
    if (deadline_ns > now_ns) {
        hvs_timer_arm(ctx, XEN_TIMER_SINGLESHOT, deadline_ns);
        return;
    }
    hvs_timer_cancel(ctx, XEN_TIMER_SINGLESHOT);
    xen_timer(ctx, XEN_TIMER_SINGLESHOT);
}

/* Old Linux sets wrapped deadlines: negative or weeks away, Xen takes them as 100 ms. */
int64_t xen_set_timer_op(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { FAR_NS_SHIFT = 50, FAR_IS_NS = 100000000 };
    uint64_t deadline_ns = xen_caller_is_32bit(ctx) ? call->arg[1] << 32 | call->arg[0] : call->arg[0];
    uint64_t now_ns = hvs_ctx_now_ns(ctx);

    if (deadline_ns == 0) {
        hvs_timer_cancel(ctx, XEN_TIMER_SINGLESHOT);
        return 0;
    }
    if (deadline_ns > now_ns && (deadline_ns - now_ns) >> FAR_NS_SHIFT)
        deadline_ns = now_ns + FAR_IS_NS;
    set_timer(ctx, deadline_ns, now_ns);
    return 0;
}

int64_t xen_vcpu_stop_periodic_timer(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx, (void)call;
    return 0;
}

int64_t xen_vcpu_set_singleshot_timer(struct hvs_ctx *ctx, struct hvs_call *call)
{
    uint64_t deadline_ns;

    if ((uint32_t)call->arg[1] != ctx->vp)
        return -XEN_EINVAL;
    memcpy(&deadline_ns, call->in, sizeof(deadline_ns));        /* the first field, in both widths */
    set_timer(ctx, deadline_ns, hvs_ctx_now_ns(ctx));
    return 0;
}

int64_t xen_vcpu_stop_singleshot_timer(struct hvs_ctx *ctx, struct hvs_call *call)
{
    if ((uint32_t)call->arg[1] != ctx->vp)
        return -XEN_EINVAL;
    hvs_timer_cancel(ctx, XEN_TIMER_SINGLESHOT);
    return 0;
}
