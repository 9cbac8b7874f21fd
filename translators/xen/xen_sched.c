/*
 * sched_op, hypercall 29 [XEN public/sched.h; common/sched/core.c].
 *
 * The watchdog: xen_watchdog.c.
 */
#include "xen_state.h"

/* The vCPU gives its time away: a good moment to tell how it has fared. */
static void give_way(struct hvs_ctx *ctx, enum hvs_effect_kind how)
{
    hvs_vm_lock(ctx);
    xen_runstate_update(ctx);
    hvs_vm_unlock(ctx);
    hvs_emit(ctx, (struct hvs_effect){.kind = how, .target = HVS_TARGET_VP, .vp = ctx->vp});
}

int64_t xen_sched_yield(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    give_way(ctx, HVS_EFFECT_YIELD);
    return 0;
}

int64_t xen_sched_block(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    give_way(ctx, HVS_EFFECT_BLOCK);
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

static void read_poll(const struct hvs_ctx *ctx, const void *in, struct sched_poll *poll)
{
    const struct xen_sched_poll32 *narrow = in;
    uint64_t ports_gva = narrow->ports;

    if (!xen_caller_is_32bit(ctx)) {
        memcpy(poll, in, sizeof(*poll));
        return;
    }
    memset(poll, 0, sizeof(*poll));
    memcpy(&poll->ports, &ports_gva, sizeof(ports_gva));
    memcpy(&poll->timeout, narrow->timeout, sizeof(poll->timeout));
    poll->nr_ports = narrow->nr_ports;
}

/*
 * Waits by returning: a poll may end before a port is pending or the timeout has come, as it does in Xen when any
 * other event comes, and guests look and poll again. No backend can be asked to sleep until a port is pending, for the
 * guest may poll with interrupts off. Linux stops for good when it fails (pv spinlocks).
 */
int64_t xen_sched_poll(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { MAX_PORTS = 128 };
    uint32_t port[MAX_PORTS];
    struct sched_poll poll;
    uint64_t ports_gva;

    read_poll(ctx, call->in, &poll);
    memcpy(&ports_gva, &poll.ports, sizeof(ports_gva));
    if (poll.nr_ports > MAX_PORTS)
        return -XEN_EINVAL;
    if (hvs_gva_read(ctx, ports_gva, port, poll.nr_ports * sizeof(port[0])))
        return -XEN_EFAULT;
    for (uint32_t i = 0; i < poll.nr_ports; i++) {
        const struct xen_port *at = xen_port_find(ctx, port[i]);

        if (!at || at->state == XEN_PORT_FREE)
            return -XEN_EINVAL;
        if (xen_port_is_pending(ctx, port[i]))
            return 0;
    }
    if (poll.timeout == 0 || poll.timeout > hvs_ctx_now_ns(ctx))
        give_way(ctx, HVS_EFFECT_YIELD);
    return 0;
}
