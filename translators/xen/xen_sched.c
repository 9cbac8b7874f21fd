/*
 * sched_op, hypercall 29 [XEN public/sched.h; common/sched/core.c].
 *
 * poll: xen_poll.c. The watchdog: xen_watchdog.c.
 */
#include "xen_state.h"

/* A good moment to tell how the vCPU has fared. */
void xen_give_way(struct hvs_ctx *ctx, enum hvs_effect_kind how)
{
    hvs_vm_lock(ctx);
    xen_runstate_update(ctx);
    hvs_vm_unlock(ctx);
    hvs_emit(ctx, (struct hvs_effect){.kind = how, .target = HVS_TARGET_VP, .vp = ctx->vp});
}

int64_t xen_sched_yield(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    xen_give_way(ctx, HVS_EFFECT_YIELD);
    return 0;
}

int64_t xen_sched_block(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    xen_give_way(ctx, HVS_EFFECT_BLOCK);
    return 0;
}

/* Xen leaves the reason to the toolstack; what that does not know is a crash to it. */
static enum hvs_stop_reason stop_reason(uint8_t reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        return HVS_STOP_POWEROFF;
    case SHUTDOWN_reboot:
    case SHUTDOWN_watchdog:
        return HVS_STOP_REBOOT;
    case SHUTDOWN_suspend:
        return HVS_STOP_SUSPEND;
    default:
        return HVS_STOP_CRASH;
    }
}

/*
 * A suspended guest may go on, so it is not held to what it has said. A soft reset is done here: the guest goes on at
 * once, and kexec's new kernel finds nothing of the old one's.
 */
void xen_shutdown(struct hvs_ctx *ctx, uint8_t reason)
{
    struct xen_vm *vm = xen_vm(ctx);

    if (vm->has_shutdown_code)
        reason = vm->shutdown_code;
    if (reason == SHUTDOWN_soft_reset) {
        xen_renew(ctx);
        return;
    }
    vm->has_shutdown_code = reason != SHUTDOWN_suspend;
    vm->shutdown_code = reason;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_VM_STOP, .reason = stop_reason(reason)});
}

/* Of the reason, Xen takes 8 bits. After a suspend, 0 says that the guest was resumed. */
int64_t xen_sched_shutdown(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct sched_shutdown *args = call->in;

    xen_shutdown(ctx, (uint8_t)args->reason);
    return 0;
}

/* The first one counts: what comes later may be only a consequence. */
int64_t xen_sched_shutdown_code(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct sched_shutdown *args = call->in;
    struct xen_vm *vm = xen_vm(ctx);

    if (!vm->has_shutdown_code)
        vm->shutdown_code = (uint8_t)args->reason;
    vm->has_shutdown_code = true;
    return 0;
}

/* For device models and toolstacks. */
int64_t xen_sched_remote_shutdown(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct sched_remote_shutdown *args = call->in;

    if (args->domain_id == XEN_DOMID_HOST || args->domain_id == xen_options(ctx).domid)
        return -XEN_EPERM;
    return -XEN_ESRCH;
}

int64_t xen_sched_pin_override(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx, (void)call;
    return -XEN_EPERM;
}
