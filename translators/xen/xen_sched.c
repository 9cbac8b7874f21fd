/*
 * sched_op, hypercall 29 [XEN public/sched.h; common/sched/core.c].
 *
 * Left out: remote_shutdown, shutdown_code, watchdog, pin_override; soft reset, for which the VM is rebooted.
 */
#include "xen_state.h"

int64_t xen_sched_yield(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_YIELD, .target = HVS_TARGET_VP, .vp = ctx->vp});
    return 0;
}

int64_t xen_sched_block(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_BLOCK, .target = HVS_TARGET_VP, .vp = ctx->vp});
    return 0;
}

/* Xen takes any reason, 8 bits of it, and leaves it to the toolstack; what that does not know is a crash to it. */
static enum hvs_stop_reason stop_reason(uint8_t reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        return HVS_STOP_POWEROFF;
    case SHUTDOWN_reboot:
    case SHUTDOWN_watchdog:
    case SHUTDOWN_soft_reset:
        return HVS_STOP_REBOOT;
    case SHUTDOWN_suspend:
        return HVS_STOP_SUSPEND;
    default:
        return HVS_STOP_CRASH;
    }
}

/* After a suspend, 0 says that the guest was resumed. */
int64_t xen_sched_shutdown(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct sched_shutdown *args = call->in;

    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_VM_STOP, .reason = stop_reason((uint8_t)args->reason)});
    return 0;
}

static void read_poll(const struct hvs_ctx *ctx, const void *in, uint64_t *ports_gva, uint32_t *nr_ports)
{
    const struct xen_sched_poll32 *narrow = in;
    const uint8_t *wide = in;

    if (xen_caller_is_32bit(ctx)) {
        *ports_gva = narrow->ports;
        *nr_ports = narrow->nr_ports;
        return;
    }
    memcpy(ports_gva, wide + offsetof(struct sched_poll, ports), sizeof(*ports_gva));
    memcpy(nr_ports, wide + offsetof(struct sched_poll, nr_ports), sizeof(*nr_ports));
}

/*
 * Waits by returning: a poll may end before a port is pending or the timeout has come, as it does in Xen when any
 * other event comes, and guests look and poll again. Linux stops for good when it fails (pv spinlocks).
 */
int64_t xen_sched_poll(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { MAX_PORTS = 128 };
    uint32_t port[MAX_PORTS], nr_ports;
    uint64_t ports_gva;

    read_poll(ctx, call->in, &ports_gva, &nr_ports);
    if (nr_ports > MAX_PORTS)
        return -XEN_EINVAL;
    if (hvs_gva_read(ctx, ports_gva, port, nr_ports * sizeof(port[0])))
        return -XEN_EFAULT;
    for (uint32_t i = 0; i < nr_ports; i++) {
        const struct xen_port *at = xen_port_find(ctx, port[i]);

        if (!at || at->state == XEN_PORT_FREE)
            return -XEN_EINVAL;
        if (xen_port_is_pending(ctx, port[i]))
            return 0;
    }
    return xen_sched_yield(ctx, call);
}
