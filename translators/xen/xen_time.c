/*
 * Timers: set_timer_op, hypercall 15, the singleshot timer of vcpu_op, which are two ways to set the same one, and the
 * periodic timer [XEN public/vcpu.h; common/sched/core.c do_set_timer_op, common/domain.c].
 *
 * Deadlines are absolute, in ns of the system time that pvclock gives; what comes of them is VIRQ_TIMER. Left out:
 * setting the periodic timer of another vCPU (-EINVAL); it can be stopped.
 */
#include "xen_state.h"

/* As Xen: a period that has passed since the last time is due at once, then it counts from now. */
static void work_periodic(struct hvs_ctx *ctx)
{
    struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);
    const uint64_t now_ns = hvs_ctx_now_ns(ctx);

    if (vcpu->period_ns == 0)
        return;                 /* another vCPU has stopped it */
    if (now_ns >= vcpu->period_began_ns + vcpu->period_ns) {
        xen_virq_raise(ctx, ctx->vp, VIRQ_TIMER);
        vcpu->period_began_ns = now_ns;
    }
    hvs_timer_arm(ctx, XEN_TIMER_PERIODIC, vcpu->period_began_ns + vcpu->period_ns);
}

void xen_timer(struct hvs_ctx *ctx, uint32_t timer)
{
    hvs_vm_lock(ctx);
    switch ((enum xen_timer)timer) {
    case XEN_TIMER_SINGLESHOT:
        xen_virq_raise(ctx, ctx->vp, VIRQ_TIMER);
        break;
    case XEN_TIMER_PERIODIC:
        work_periodic(ctx);
        break;
    case XEN_TIMER_LINE:
        xen_line_poll(ctx);
        break;
    case XEN_TIMER_WATCHDOG:
    case XEN_TIMER_WATCHDOG_LAST:
        xen_watchdog_bark(ctx, timer - XEN_TIMER_WATCHDOG);
        break;
    case XEN_TIMER_POLL:
        xen_poll_expire(ctx);
        break;
    case XEN_TIMER_STORE:
        xen_store_event(ctx);
        break;
    case XEN_NR_TIMERS:
        break;
    }
    xen_runstate_update(ctx);
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

int64_t xen_vcpu_set_periodic_timer(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { MIN_PERIOD_NS = 1000000 };
    const uint64_t max_period_ns = UINT64_MAX >> 2;
    const struct vcpu_set_periodic_timer *args = call->in;

    if (args->period_ns < MIN_PERIOD_NS || args->period_ns > max_period_ns)
        return -XEN_EINVAL;
    if ((uint32_t)call->arg[1] != ctx->vp)
        return -XEN_EINVAL;
    xen_vcpu(ctx, ctx->vp)->period_ns = args->period_ns;
    work_periodic(ctx);
    return 0;
}

/* Of another vCPU, the timer itself is left to fire once more, for nothing. */
int64_t xen_vcpu_stop_periodic_timer(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint32_t vp = (uint32_t)call->arg[1];

    xen_vcpu(ctx, vp)->period_ns = 0;
    if (vp == ctx->vp)
        hvs_timer_cancel(ctx, XEN_TIMER_PERIODIC);
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
