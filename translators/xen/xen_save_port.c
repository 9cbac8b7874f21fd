/*
 * Save and load of event channels: the port table, the host's ports, and where the FIFO words lie. The words themselves
 * travel in guest RAM. docs/save-format.md is the text.
 *
 * A stream may be damaged: what a guest could not have set up is HVS_EFORMAT. A guest's own words are not looked at.
 */
#include "xen_state.h"

struct saved_port {
    uint16_t port;
    uint16_t remote_domid;
    uint16_t remote_port;
    uint16_t vcpu;
    uint8_t state;
    uint8_t virq;
    uint16_t pirq;
    uint16_t last_vcpu;
    uint8_t last_priority;
    uint8_t priority;
    uint8_t is_pending;
    uint8_t pad[7];
};

struct saved_host_port {
    uint16_t host_port;
    uint16_t guest_port;
    uint8_t is_offered;
    uint8_t pad[3];
};

struct saved_fifo {
    uint32_t nr_pages;
    uint32_t pad;
    uint64_t page_gfn[XEN_FIFO_MAX_PAGES];
};

struct saved_fifo_vcpu {
    uint64_t control_gpa;
    uint8_t has_control;
    uint8_t pad[7];
    uint32_t tail[XEN_FIFO_NR_QUEUES];
};

/* A closed port is saved too where a queue may still end with it. */
static bool is_worth_saving(const struct xen_port *port)
{
    return port->state != XEN_PORT_FREE || port->last_vcpu || port->last_priority;
}

static void save_ports(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    for (uint32_t nr = 1; nr < xen_vm(ctx)->nr_valid_ports; nr++) {
        const struct xen_port *port = &xen_vm(ctx)->port[nr];
        const struct saved_port saved = {
            .port = (uint16_t)nr,
            .remote_domid = port->remote_domid,
            .remote_port = port->remote_port,
            .vcpu = port->vcpu,
            .state = port->state,
            .virq = port->virq,
            .pirq = port->pirq,
            .last_vcpu = port->last_vcpu,
            .last_priority = port->last_priority,
            .priority = port->priority,
            .is_pending = port->is_pending,
        };

        if (is_worth_saving(port))
            hvs_writer_put(writer, XEN_RECORD_PORT, 1, &saved, sizeof(saved));
    }
    for (uint32_t nr = 1; nr < XEN_NR_HOST_PORTS; nr++) {
        const struct xen_host_port *port = &xen_vm(ctx)->host_port[nr];
        const struct saved_host_port saved = {
            .host_port = (uint16_t)nr, .guest_port = port->guest_port, .is_offered = port->is_offered};

        if (port->is_open)
            hvs_writer_put(writer, XEN_RECORD_HOST_PORT, 1, &saved, sizeof(saved));
    }
}

static void save_fifo(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    struct saved_fifo saved = {.nr_pages = xen_vm(ctx)->fifo.nr_pages};

    memcpy(saved.page_gfn, xen_vm(ctx)->fifo.page_gfn, sizeof(saved.page_gfn));
    hvs_writer_put(writer, XEN_RECORD_FIFO, 1, &saved, sizeof(saved));
}

static void save_fifo_vcpu(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);
    struct saved_fifo_vcpu saved = {.control_gpa = vcpu->fifo_control.gpa, .has_control = vcpu->fifo_control.is_set};

    memcpy(saved.tail, vcpu->fifo_tail, sizeof(saved.tail));
    hvs_writer_put(writer, XEN_RECORD_FIFO_VCPU, 1, &saved, sizeof(saved));
}

void xen_save_ports(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const bool is_fifo = xen_vm(ctx)->fifo.is_on;

    if (ctx->vp == 0)
        save_ports(ctx, writer);
    if (ctx->vp == 0 && is_fifo)
        save_fifo(ctx, writer);
    if (is_fifo)
        save_fifo_vcpu(ctx, writer);
}

static bool port_is_good(const struct hvs_ctx *ctx, const struct saved_port *saved)
{
    const uint32_t nr_vps = hvs_ctx_nr_vps(ctx);
    const uint32_t nr_remote = saved->remote_domid == XEN_DOMID_HOST ? XEN_NR_HOST_PORTS : XEN_NR_PORTS;

    if (saved->port == 0 || saved->port >= xen_vm(ctx)->nr_valid_ports ||
        is_worth_saving(&xen_vm(ctx)->port[saved->port]))
        return false;
    if (saved->state == XEN_PORT_FREE && !saved->last_vcpu && !saved->last_priority)
        return false;
    if (saved->state >= XEN_PORT_RESERVED || saved->vcpu >= nr_vps || saved->last_vcpu >= nr_vps)
        return false;
    if (saved->priority >= XEN_FIFO_NR_QUEUES || saved->last_priority >= XEN_FIFO_NR_QUEUES || saved->is_pending > 1)
        return false;
    return saved->remote_port < nr_remote && saved->virq < NR_VIRQS;
}

int xen_load_port(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct saved_port saved;
    uint16_t *slot;

    if (hvs_record_get(record, &saved, sizeof(saved)) || !port_is_good(ctx, &saved))
        return HVS_EFORMAT;
    xen_vm(ctx)->port[saved.port] = (struct xen_port){
        .state = saved.state,
        .virq = saved.virq,
        .pirq = saved.pirq,
        .remote_domid = saved.remote_domid,
        .remote_port = saved.remote_port,
        .vcpu = saved.vcpu,
        .last_vcpu = saved.last_vcpu,
        .last_priority = saved.last_priority,
        .priority = saved.priority,
        .is_pending = saved.is_pending,
    };
    if (saved.state != XEN_PORT_VIRQ)
        return HVS_OK;
    slot = &xen_vcpu(ctx, xen_virq_is_global(saved.virq) ? 0 : saved.vcpu)->virq_port[saved.virq];
    if (*slot)
        return HVS_EFORMAT;
    *slot = saved.port;
    return HVS_OK;
}

int xen_load_host_port(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct saved_host_port saved;
    struct xen_host_port *port;

    if (hvs_record_get(record, &saved, sizeof(saved)))
        return HVS_EFORMAT;
    if (saved.host_port == 0 || saved.host_port >= XEN_NR_HOST_PORTS || saved.guest_port >= xen_vm(ctx)->nr_valid_ports)
        return HVS_EFORMAT;
    port = &xen_vm(ctx)->host_port[saved.host_port];
    if (port->is_open || saved.is_offered > 1)
        return HVS_EFORMAT;
    *port = (struct xen_host_port){
        .is_open = true, .is_offered = saved.is_offered, .guest_port = saved.guest_port};
    return HVS_OK;
}

int xen_load_fifo(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_fifo *fifo = &xen_vm(ctx)->fifo;
    struct saved_fifo saved;

    if (hvs_record_get(record, &saved, sizeof(saved)) || saved.nr_pages > XEN_FIFO_MAX_PAGES)
        return HVS_EFORMAT;
    fifo->is_on = true;
    fifo->nr_pages = saved.nr_pages;
    memcpy(fifo->page_gfn, saved.page_gfn, sizeof(fifo->page_gfn));
    return HVS_OK;
}

int xen_load_fifo_vcpu(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);
    struct saved_fifo_vcpu saved;

    if (hvs_record_get(record, &saved, sizeof(saved)))
        return HVS_EFORMAT;
    if (!xen_place_is_good(saved.has_control, saved.control_gpa, XEN_FIFO_CONTROL_BYTES))
        return HVS_EFORMAT;
    for (uint32_t i = 0; i < XEN_FIFO_NR_QUEUES; i++) {
        if (saved.tail[i] >= XEN_NR_PORTS)
            return HVS_EFORMAT;
    }
    vcpu->fifo_control = (struct xen_place){.is_set = saved.has_control, .gpa = saved.control_gpa};
    memcpy(vcpu->fifo_tail, saved.tail, sizeof(vcpu->fifo_tail));
    return HVS_OK;
}
