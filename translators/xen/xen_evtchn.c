/*
 * event_channel_op, hypercall 32: the port table [XEN public/event_channel.h; common/event_channel.c].
 *
 * A guest has itself and the host, domain 0, to talk to. The host offers no ports of its own yet, so interdomain
 * channels connect two ports of the guest. Left out: PIRQs; FIFO channels (init_control, expand_array, set_priority),
 * for which the answer is -ENOSYS and guests stay with 2-level channels.
 */
#include "xen_state.h"

bool xen_virq_is_global(uint32_t virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

/* The port that a guest names, or NULL: 0 is never one, nor what its layout of shared_info has no bit for. */
static struct xen_port *find_port(const struct hvs_ctx *ctx, uint32_t port)
{
    return port > 0 && port < xen_nr_ports(ctx) ? &xen_vm(ctx)->port[port] : NULL;
}

/* Returns a free port, or 0. */
static uint32_t free_port(const struct hvs_ctx *ctx)
{
    for (uint32_t port = 1; port < xen_nr_ports(ctx); port++) {
        if (xen_vm(ctx)->port[port].state == XEN_PORT_FREE)
            return port;
    }
    return 0;
}

/* Binds a free port. Returns 0 with *port, or -ENOSPC. */
static int64_t bind(struct hvs_ctx *ctx, const struct xen_port *as, uint32_t *port)
{
    uint32_t found = free_port(ctx);

    if (!found)
        return -XEN_ENOSPC;
    xen_vm(ctx)->port[found] = *as;
    *port = found;
    return 0;
}

int64_t xen_evtchn_alloc_unbound(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_alloc_unbound *alloc = call->out;
    int64_t err = xen_check_domid(ctx, alloc->dom);
    uint16_t remote = alloc->remote_dom == DOMID_SELF ? xen_options(ctx).domid : alloc->remote_dom;

    if (err)
        return err;
    return bind(ctx, &(struct xen_port){.state = XEN_PORT_UNBOUND, .remote_domid = remote}, &alloc->port);
}

int64_t xen_evtchn_bind_interdomain(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_bind_interdomain *args = call->out;
    uint16_t self = xen_options(ctx).domid;
    int64_t err = xen_check_domid(ctx, args->remote_dom);
    struct xen_port *remote = find_port(ctx, args->remote_port);

    if (err)
        return err == -XEN_EPERM ? -XEN_EINVAL : err;           /* the host may be called, but has no such port */
    if (!remote || remote->state != XEN_PORT_UNBOUND || remote->remote_domid != self)
        return -XEN_EINVAL;

    struct xen_port local = {
        .state = XEN_PORT_INTERDOMAIN, .remote_domid = self, .remote_port = (uint16_t)args->remote_port};

    err = bind(ctx, &local, &args->local_port);
    if (err)
        return err;
    remote->state = XEN_PORT_INTERDOMAIN;
    remote->remote_port = (uint16_t)args->local_port;
    xen_port_raise(ctx, args->local_port);      /* something may have been sent before */
    return 0;
}

int64_t xen_evtchn_bind_virq(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_bind_virq *args = call->out;
    int64_t err;

    if (args->virq >= NR_VIRQS || (xen_virq_is_global(args->virq) && args->vcpu != 0))
        return -XEN_EINVAL;
    if (args->vcpu >= hvs_ctx_nr_vps(ctx))
        return -XEN_ENOENT;

    uint16_t *slot = &xen_vcpu(ctx, args->vcpu)->virq_port[args->virq];

    if (*slot)
        return -XEN_EEXIST;
    err = bind(ctx, &(struct xen_port){
        .state = XEN_PORT_VIRQ, .virq = (uint8_t)args->virq, .vcpu = (uint16_t)args->vcpu}, &args->port);
    if (!err)
        *slot = (uint16_t)args->port;
    return err;
}

int64_t xen_evtchn_bind_ipi(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_bind_ipi *args = call->out;

    if (args->vcpu >= hvs_ctx_nr_vps(ctx))
        return -XEN_ENOENT;
    return bind(ctx, &(struct xen_port){.state = XEN_PORT_IPI, .vcpu = (uint16_t)args->vcpu}, &args->port);
}

/* The peer of a closed port waits for another. */
static void close_peer(struct hvs_ctx *ctx, uint32_t nr)
{
    struct xen_port *peer = &xen_vm(ctx)->port[xen_vm(ctx)->port[nr].remote_port];

    if (peer->state != XEN_PORT_INTERDOMAIN || peer->remote_port != nr)
        return;                 /* a damaged save stream can make such a pair */
    peer->state = XEN_PORT_UNBOUND;
    peer->remote_port = 0;
}

static void close_port(struct hvs_ctx *ctx, uint32_t nr)
{
    struct xen_port *port = &xen_vm(ctx)->port[nr];

    if (port->state == XEN_PORT_INTERDOMAIN)
        close_peer(ctx, nr);
    if (port->state == XEN_PORT_VIRQ)
        xen_vcpu(ctx, xen_virq_is_global(port->virq) ? 0 : port->vcpu)->virq_port[port->virq] = 0;
    xen_port_clear_pending(ctx, nr);
    *port = (struct xen_port){.state = XEN_PORT_FREE};
}

int64_t xen_evtchn_close(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_close *args = call->in;
    const struct xen_port *port = find_port(ctx, args->port);

    if (!port || port->state == XEN_PORT_FREE)
        return -XEN_EINVAL;
    close_port(ctx, args->port);
    return 0;
}

int64_t xen_evtchn_send(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_send *args = call->in;
    const struct xen_port *port = find_port(ctx, args->port);

    if (!port)
        return -XEN_EINVAL;
    switch ((enum xen_port_state)port->state) {
    case XEN_PORT_INTERDOMAIN:
        xen_port_raise(ctx, port->remote_port);
        return 0;
    case XEN_PORT_IPI:
        xen_port_raise(ctx, args->port);
        return 0;
    case XEN_PORT_UNBOUND:
        return 0;               /* nobody there: dropped */
    case XEN_PORT_FREE:
    case XEN_PORT_VIRQ:
    case XEN_NR_PORT_STATES:
        break;
    }
    return -XEN_EINVAL;
}

int64_t xen_evtchn_status(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_status *status = call->out;
    const struct xen_port *port = find_port(ctx, status->port);
    int64_t err = xen_check_domid(ctx, status->dom);

    if (err == -XEN_ESRCH)
        return err;
    if (!port)
        return -XEN_EINVAL;
    if (err)
        return err;
    switch ((enum xen_port_state)port->state) {
    case XEN_PORT_UNBOUND:
        status->status = EVTCHNSTAT_unbound;
        status->u.unbound.dom = port->remote_domid;
        break;
    case XEN_PORT_INTERDOMAIN:
        status->status = EVTCHNSTAT_interdomain;
        status->u.interdomain.dom = port->remote_domid;
        status->u.interdomain.port = port->remote_port;
        break;
    case XEN_PORT_VIRQ:
        status->status = EVTCHNSTAT_virq;
        status->u.virq = port->virq;
        break;
    case XEN_PORT_IPI:
        status->status = EVTCHNSTAT_ipi;
        break;
    case XEN_PORT_FREE:
    case XEN_NR_PORT_STATES:
        status->status = EVTCHNSTAT_closed;
        break;
    }
    status->vcpu = port->vcpu;
    return 0;
}

int64_t xen_evtchn_bind_vcpu(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_bind_vcpu *args = call->in;
    struct xen_port *port = find_port(ctx, args->port);

    if (args->vcpu >= hvs_ctx_nr_vps(ctx))
        return -XEN_ENOENT;
    if (!port)
        return -XEN_EINVAL;

    bool is_movable = port->state == XEN_PORT_UNBOUND || port->state == XEN_PORT_INTERDOMAIN ||
                      (port->state == XEN_PORT_VIRQ && xen_virq_is_global(port->virq));

    if (!is_movable)
        return -XEN_EINVAL;
    port->vcpu = (uint16_t)args->vcpu;
    return 0;
}

int64_t xen_evtchn_unmask(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_unmask *args = call->in;

    if (!find_port(ctx, args->port))
        return -XEN_EINVAL;
    xen_port_unmask(ctx, args->port);
    return 0;
}

/* Ports beyond the present layout go too: they may be from before it changed. */
int64_t xen_evtchn_reset(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_reset *args = call->in;
    int64_t err = xen_check_domid(ctx, args->dom);

    if (err)
        return err;
    for (uint32_t nr = 1; nr < XEN_NR_PORTS; nr++) {
        if (xen_vm(ctx)->port[nr].state != XEN_PORT_FREE)
            close_port(ctx, nr);
    }
    return 0;
}

/* The port is looked at too: a reset of VP 0 closes all ports, while another vCPU is still to be reset. */
void xen_virq_raise(struct hvs_ctx *ctx, uint32_t vp, uint32_t virq)
{
    uint32_t nr = xen_vcpu(ctx, vp)->virq_port[virq];
    const struct xen_port *port = find_port(ctx, nr);

    if (port && port->state == XEN_PORT_VIRQ && port->virq == virq && port->vcpu == vp)
        xen_port_raise(ctx, nr);
}
