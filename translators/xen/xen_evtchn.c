/*
 * event_channel_op, hypercall 32: what a guest does with its ports [XEN public/event_channel.h;
 * common/event_channel.c]. The order of checks is Xen's.
 *
 * A guest has itself and the host, domain 0, to talk to. PIRQs can be bound, as in a Xen without emulated ones (a PVH
 * guest's), but nothing comes by them. FIFO's own operations: xen_fifo.c.
 */
#include "xen_state.h"

enum { XEN_NR_PIRQS = 256 };

bool xen_virq_is_global(uint32_t virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

/* What events can be made pending on: port 0 and closed ports are in the table, but they are not usable. */
static struct xen_port *find_usable(const struct hvs_ctx *ctx, uint32_t nr)
{
    struct xen_port *port = xen_port_find(ctx, nr);

    return port && port->state != XEN_PORT_FREE ? port : NULL;
}

int64_t xen_evtchn_alloc_unbound(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_alloc_unbound *alloc = call->out;
    int64_t err = xen_check_domid(ctx, alloc->dom);
    uint16_t remote = alloc->remote_dom == DOMID_SELF ? xen_options(ctx).domid : alloc->remote_dom;

    if (err)
        return err;
    return xen_port_bind(ctx, &(struct xen_port){.state = XEN_PORT_UNBOUND, .remote_domid = remote}, &alloc->port);
}

/* The other end, which waits for this guest: its own port or one of the host's. */
static bool connect(struct hvs_ctx *ctx, uint16_t domid, uint32_t remote_port, uint32_t local_port)
{
    struct xen_port *remote;

    if (domid == XEN_DOMID_HOST)
        return xen_host_connect(ctx, remote_port, local_port);
    remote = xen_port_find(ctx, remote_port);
    if (!remote || remote->state != XEN_PORT_UNBOUND || remote->remote_domid != domid)
        return false;
    remote->state = XEN_PORT_INTERDOMAIN;
    remote->remote_port = (uint16_t)local_port;
    return true;
}

int64_t xen_evtchn_bind_interdomain(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_bind_interdomain *args = call->out;
    int64_t err = xen_check_domid(ctx, args->remote_dom);
    uint16_t domid = err ? XEN_DOMID_HOST : xen_options(ctx).domid;
    uint32_t nr;

    if (err == -XEN_ESRCH)
        return err;
    /* Taken before it is bound, so that it is never its own peer. */
    err = xen_port_bind(ctx, &(struct xen_port){.state = XEN_PORT_RESERVED}, &nr);
    if (err)
        return err;
    if (!connect(ctx, domid, args->remote_port, nr)) {
        xen_vm(ctx)->port[nr].state = XEN_PORT_FREE;
        return -XEN_EINVAL;
    }
    xen_vm(ctx)->port[nr].state = XEN_PORT_INTERDOMAIN;
    xen_vm(ctx)->port[nr].remote_domid = domid;
    xen_vm(ctx)->port[nr].remote_port = (uint16_t)args->remote_port;
    xen_port_raise(ctx, nr);                    /* something may have been sent before */
    args->local_port = nr;
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
    err = xen_port_bind(ctx, &(struct xen_port){
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
    return xen_port_bind(ctx, &(struct xen_port){.state = XEN_PORT_IPI, .vcpu = (uint16_t)args->vcpu}, &args->port);
}

int64_t xen_evtchn_bind_pirq(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_bind_pirq *args = call->out;

    if (args->pirq >= XEN_NR_PIRQS)
        return -XEN_EINVAL;
    for (uint32_t nr = 1; nr < xen_vm(ctx)->nr_valid_ports; nr++) {
        const struct xen_port *port = &xen_vm(ctx)->port[nr];

        if (port->state == XEN_PORT_PIRQ && port->pirq == args->pirq)
            return -XEN_EEXIST;
    }
    return xen_port_bind(ctx, &(struct xen_port){.state = XEN_PORT_PIRQ, .pirq = (uint16_t)args->pirq}, &args->port);
}

int64_t xen_evtchn_close(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_close *args = call->in;

    if (!find_usable(ctx, args->port))
        return -XEN_EINVAL;
    xen_port_close(ctx, args->port);
    return 0;
}

int64_t xen_evtchn_send(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_send *args = call->in;
    const struct xen_port *port = find_usable(ctx, args->port);

    if (!port)
        return -XEN_EINVAL;
    switch ((enum xen_port_state)port->state) {
    case XEN_PORT_INTERDOMAIN:
        if (port->remote_domid == XEN_DOMID_HOST)
            xen_host_notify(ctx, port->remote_port);
        else
            xen_port_raise(ctx, port->remote_port);
        return 0;
    case XEN_PORT_IPI:
        xen_port_raise(ctx, args->port);
        return 0;
    case XEN_PORT_UNBOUND:
        return 0;               /* nobody there: dropped */
    case XEN_PORT_FREE:
    case XEN_PORT_VIRQ:
    case XEN_PORT_PIRQ:
    case XEN_PORT_RESERVED:
    case XEN_NR_PORT_STATES:
        break;
    }
    return -XEN_EINVAL;
}

int64_t xen_evtchn_status(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct evtchn_status *status = call->out;
    const struct xen_port *port = xen_port_find(ctx, status->port);
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
    case XEN_PORT_PIRQ:
        status->status = EVTCHNSTAT_pirq;
        status->u.pirq = port->pirq;
        break;
    case XEN_PORT_FREE:
    case XEN_PORT_RESERVED:
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
    struct xen_port *port = find_usable(ctx, args->port);

    if (args->vcpu >= hvs_ctx_nr_vps(ctx))
        return -XEN_ENOENT;
    if (!port || port->state == XEN_PORT_IPI || (port->state == XEN_PORT_VIRQ && !xen_virq_is_global(port->virq)))
        return -XEN_EINVAL;
    port->vcpu = (uint16_t)args->vcpu;
    return 0;
}

int64_t xen_evtchn_unmask(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_unmask *args = call->in;

    if (!xen_port_find(ctx, args->port))
        return -XEN_EINVAL;
    if (find_usable(ctx, args->port))
        xen_port_unmask(ctx, args->port);
    return 0;
}

/* Back to 2-level channels too, where the guest had changed. */
int64_t xen_evtchn_reset(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_reset *args = call->in;
    int64_t err = xen_check_domid(ctx, args->dom);

    if (err)
        return err;
    for (uint32_t nr = 1; nr < xen_vm(ctx)->nr_valid_ports; nr++) {
        if (find_usable(ctx, nr))
            xen_port_close(ctx, nr);
    }
    xen_fifo_end(ctx);
    return 0;
}

int64_t xen_evtchn_set_priority(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct evtchn_set_priority *args = call->in;
    struct xen_port *port = find_usable(ctx, args->port);

    if (!xen_port_find(ctx, args->port))
        return -XEN_EINVAL;
    if (!xen_vm(ctx)->fifo.is_on)
        return -XEN_ENOSYS;
    if (!port)
        return -XEN_EACCES;
    if (args->priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -XEN_EINVAL;
    port->priority = (uint8_t)args->priority;
    return 0;
}

/* The port is looked at too: a reset of VP 0 closes all ports, while another vCPU is still to be reset. */
void xen_virq_raise(struct hvs_ctx *ctx, uint32_t vp, uint32_t virq)
{
    uint32_t nr = xen_vcpu(ctx, vp)->virq_port[virq];
    const struct xen_port *port = find_usable(ctx, nr);

    if (port && port->state == XEN_PORT_VIRQ && port->virq == virq && (xen_virq_is_global(virq) || port->vcpu == vp))
        xen_port_raise(ctx, nr);
}
