/*
 * SCHEDOP_poll: sleep until one of some ports is pending, masked or not, or a time has come [XEN public/sched.h;
 * common/sched/core.c do_poll, common/event_channel.c evtchn_check_pollers].
 *
 * As in Xen, whoever polls for one port is woken by that one, and whoever polls for several, or none, by any. A poll may
 * also end before, by an interrupt that the vCPU takes: guests look and poll again. All of it is under the VM lock, so
 * no event comes between the look and the sleep. Where the backend cannot be asked to sleep, a poll yields and returns
 * at once. Linux stops for good when a poll fails (pv spinlocks).
 */
#include "xen_state.h"

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

void xen_poll_wake(struct hvs_ctx *ctx, uint32_t port)
{
    struct hvs_vpset set;

    if (!xen_vm(ctx)->may_poll)
        return;
    xen_vm(ctx)->may_poll = false;
    hvs_vpset_clear(&set);
    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx); vp++) {
        struct xen_vcpu *vcpu = xen_vcpu(ctx, vp);

        if (!vcpu->is_polling)
            continue;
        if (vcpu->poll_port && vcpu->poll_port != port) {
            xen_vm(ctx)->may_poll = true;
            continue;
        }
        vcpu->is_polling = false;
        hvs_vpset_add(&set, vp);
    }
    if (hvs_vpset_next(&set, 0) < HVS_MAX_VPS)
        hvs_emit_wake_set(ctx, &set);
}

/* The timer of an earlier poll may fire as well. */
void xen_poll_expire(struct hvs_ctx *ctx)
{
    struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);

    if (!vcpu->is_polling)
        return;
    vcpu->is_polling = false;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_WAKE, .target = HVS_TARGET_VP, .vp = ctx->vp});
}

static void sleep_until(struct hvs_ctx *ctx, uint16_t port, uint64_t timeout_ns)
{
    const uint32_t caps = hvs_ctx_config(ctx)->caps;
    struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);

    if (!(caps & HVS_CAP_POLL) || (timeout_ns && !(caps & HVS_CAP_TIMER))) {
        xen_give_way(ctx, HVS_EFFECT_YIELD);
        return;
    }
    vcpu->is_polling = true;
    vcpu->poll_port = port;
    xen_vm(ctx)->may_poll = true;
    if (timeout_ns)
        hvs_timer_arm(ctx, XEN_TIMER_POLL, timeout_ns);
    xen_give_way(ctx, HVS_EFFECT_POLL);
}

int64_t xen_sched_poll(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { MAX_PORTS = 128 };
    uint32_t port[MAX_PORTS];
    struct sched_poll poll;
    uint64_t ports_gva;

    xen_vcpu(ctx, ctx->vp)->is_polling = false;
    hvs_timer_cancel(ctx, XEN_TIMER_POLL);
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
        sleep_until(ctx, poll.nr_ports == 1 ? (uint16_t)port[0] : 0, poll.timeout);
    return 0;
}
