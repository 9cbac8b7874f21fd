/*
 * The port table: which ports exist, how one is taken and given back, and the two ways to tell the guest of an event,
 * 2-level and FIFO, of which a guest has one at a time [XEN common/event_channel.c].
 *
 * Xen makes room for ports by the bucket: those behind the last bucket do not exist, the others may be closed.
 */
#include "xen_state.h"

enum { PORTS_PER_BUCKET = 64 };
HVS_STATIC_ASSERT(XEN_NR_PORTS % PORTS_PER_BUCKET == 0, "the last bucket ends the table");

/* At power-on there is one bucket, and port 0 is never given. */
void xen_port_reset(struct hvs_ctx *ctx)
{
    xen_vm(ctx)->nr_valid_ports = PORTS_PER_BUCKET;
    xen_special_reset(ctx);
}

static uint32_t nr_ports(const struct hvs_ctx *ctx)
{
    const struct xen_vm *vm = xen_vm(ctx);

    return vm->fifo.is_on ? XEN_NR_PORTS : xen_layout(vm->has_32bit_shinfo)->nr_ports;
}

struct xen_port *xen_port_find(const struct hvs_ctx *ctx, uint32_t nr)
{
    return nr < xen_vm(ctx)->nr_valid_ports ? &xen_vm(ctx)->port[nr] : NULL;
}

static bool is_free(struct hvs_ctx *ctx, uint32_t nr)
{
    const struct xen_vm *vm = xen_vm(ctx);

    return vm->port[nr].state == XEN_PORT_FREE && !(vm->fifo.is_on && xen_fifo_is_busy(ctx, nr));
}

int64_t xen_port_bind(struct hvs_ctx *ctx, const struct xen_port *as, uint32_t *nr)
{
    struct xen_vm *vm = xen_vm(ctx);
    uint32_t found = 1;

    while (found < nr_ports(ctx) && !is_free(ctx, found))
        found++;
    if (found >= nr_ports(ctx))
        return -XEN_ENOSPC;
    if (found >= vm->nr_valid_ports)
        vm->nr_valid_ports += PORTS_PER_BUCKET;

    struct xen_port *port = &vm->port[found];
    const struct xen_port old = *port;

    *port = *as;
    port->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    port->last_vcpu = old.last_vcpu;            /* its last queue may still have it as the tail */
    port->last_priority = old.last_priority;
    *nr = found;
    return 0;
}

/* The peer of a closed port waits for another. */
static void leave_peer(struct hvs_ctx *ctx, uint32_t nr)
{
    const struct xen_port *port = &xen_vm(ctx)->port[nr];

    if (port->remote_domid == XEN_DOMID_HOST) {
        xen_host_disconnect(ctx, port->remote_port);
        return;
    }

    struct xen_port *peer = &xen_vm(ctx)->port[port->remote_port];

    if (peer->state != XEN_PORT_INTERDOMAIN || peer->remote_port != nr || peer->remote_domid == XEN_DOMID_HOST)
        return;                 /* a damaged save stream can make such a pair */
    peer->state = XEN_PORT_UNBOUND;
    peer->remote_port = 0;
}

void xen_port_close(struct hvs_ctx *ctx, uint32_t nr)
{
    struct xen_port *port = &xen_vm(ctx)->port[nr];

    if (port->state == XEN_PORT_INTERDOMAIN)
        leave_peer(ctx, nr);
    if (port->state == XEN_PORT_VIRQ)
        xen_vcpu(ctx, xen_virq_is_global(port->virq) ? 0 : port->vcpu)->virq_port[port->virq] = 0;
    if (xen_vm(ctx)->fifo.is_on)
        xen_fifo_clear_pending(ctx, nr);
    else
        xen_2l_clear_pending(ctx, nr);
    *port = (struct xen_port){
        .state = XEN_PORT_FREE, .last_vcpu = port->last_vcpu, .last_priority = port->last_priority};
}

/* --- events: of ports that are in use ----------------------------------------------------------------------------- */

void xen_port_raise(struct hvs_ctx *ctx, uint32_t nr)
{
    bool is_wanted = xen_vm(ctx)->fifo.is_on ? xen_fifo_raise(ctx, nr) : xen_2l_raise(ctx, nr);

    if (is_wanted)
        xen_upcall(ctx, xen_vm(ctx)->port[nr].vcpu);
    xen_poll_wake(ctx, nr);
}

void xen_port_unmask(struct hvs_ctx *ctx, uint32_t nr)
{
    bool is_wanted = xen_vm(ctx)->fifo.is_on ? xen_fifo_unmask(ctx, nr) : xen_2l_unmask(ctx, nr);

    if (is_wanted)
        xen_upcall(ctx, xen_vm(ctx)->port[nr].vcpu);
}

bool xen_port_is_pending(struct hvs_ctx *ctx, uint32_t nr)
{
    return xen_vm(ctx)->fifo.is_on ? xen_fifo_is_pending(ctx, nr) : xen_2l_is_pending(ctx, nr);
}
