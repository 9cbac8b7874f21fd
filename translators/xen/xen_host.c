/*
 * The other end of event channels: ports of the host, domain 0, and what the VMM asks for by HVS_EXIT_HOST
 * [XEN public/event_channel.h; docs/misc/event-channels; tools' use of them].
 *
 * A port of the host is made for one port of the guest. When the guest closes its end, the host's stays, and the guest
 * may bind to it again: that is how Windows drivers take over the channels that firmware has used.
 */
#include <hvshim/translators.h>

#include "xen_state.h"

static struct xen_host_port *find(const struct hvs_ctx *ctx, uint32_t nr)
{
    struct xen_host_port *port = &xen_vm(ctx)->host_port[nr < XEN_NR_HOST_PORTS ? nr : 0];

    return port->is_open ? port : NULL;         /* 0 never is */
}

uint64_t xen_host_lacking(const void *options)
{
    const struct hvs_xen_options *given = options;

    if (given && given->size >= offsetof(struct hvs_xen_options, on_event) + sizeof(given->on_event) && given->on_event)
        return 0;
    return 1ull << XEN_FEATURE_SIGNAL;
}

/* What the guest sends to this port from now on, by the page, raises its signal; or is an exit. */
static void route(struct hvs_ctx *ctx, const struct xen_host_port *port, bool is_on)
{
    if (port->has_signal && port->guest_port)
        hvs_ctx_signal(ctx, port->guest_port, is_on ? port->signal : HVS_NO_SIGNAL);
}

/* Connects a free port of the host with the guest's. Returns it, or 0 where there is none. */
static uint32_t open_port(struct hvs_ctx *ctx, uint32_t guest_port, bool is_offered)
{
    for (uint32_t nr = 1; nr < XEN_NR_HOST_PORTS; nr++) {
        struct xen_host_port *port = &xen_vm(ctx)->host_port[nr];

        if (port->is_open)
            continue;
        *port = (struct xen_host_port){
            .is_open = true, .is_offered = is_offered, .guest_port = (uint16_t)guest_port};
        return nr;
    }
    return 0;
}

bool xen_host_connect(struct hvs_ctx *ctx, uint32_t nr, uint32_t guest_port)
{
    struct xen_host_port *port = find(ctx, nr);

    if (!port || port->guest_port)
        return false;
    port->guest_port = (uint16_t)guest_port;
    route(ctx, port, true);
    return true;
}

void xen_host_disconnect(struct hvs_ctx *ctx, uint32_t nr)
{
    struct xen_host_port *port = find(ctx, nr);

    if (!port)
        return;
    route(ctx, port, false);
    port->guest_port = 0;
}

void xen_host_notify(struct hvs_ctx *ctx, uint32_t nr)
{
    const struct hvs_xen_options options = xen_options(ctx);
    enum xen_special special;

    if (xen_special_of(ctx, nr, &special)) {
        xen_special_event(ctx, special);
        return;
    }
    if (options.on_event && find(ctx, nr))
        options.on_event(options.ctx, nr);
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static int offer_channel(struct hvs_ctx *ctx, struct hvs_xen_channel *channel)
{
    struct xen_port as = {.state = XEN_PORT_INTERDOMAIN, .remote_domid = XEN_DOMID_HOST};
    uint32_t guest_port;

    if (xen_port_bind(ctx, &as, &guest_port))
        return HVS_ENOSPC;
    channel->host_port = open_port(ctx, guest_port, true);
    if (!channel->host_port) {
        xen_port_close(ctx, guest_port);
        return HVS_ENOSPC;
    }
    xen_vm(ctx)->port[guest_port].remote_port = (uint16_t)channel->host_port;
    channel->guest_port = guest_port;
    return HVS_OK;
}

/* As in bind_interdomain, whoever binds is told at once: the guest may have sent before. */
static int accept_channel(struct hvs_ctx *ctx, struct hvs_xen_channel *channel)
{
    struct xen_port *port = xen_port_find(ctx, channel->guest_port);

    if (!port || port->state != XEN_PORT_UNBOUND || port->remote_domid != XEN_DOMID_HOST)
        return HVS_ENOENT;
    channel->host_port = open_port(ctx, channel->guest_port, false);
    if (!channel->host_port)
        return HVS_ENOSPC;
    port->state = XEN_PORT_INTERDOMAIN;
    port->remote_port = (uint16_t)channel->host_port;
    xen_host_notify(ctx, channel->host_port);
    return HVS_OK;
}

/* One that the VMM has made, by a request. */
static struct xen_host_port *find_own(const struct hvs_ctx *ctx, uint32_t nr)
{
    enum xen_special special;

    return xen_special_of(ctx, nr, &special) ? NULL : find(ctx, nr);
}

static int close_channel(struct hvs_ctx *ctx, const struct hvs_xen_channel *channel)
{
    struct xen_host_port *port = find_own(ctx, channel->host_port);

    if (!port)
        return HVS_ENOENT;
    route(ctx, port, false);
    if (port->guest_port) {
        struct xen_port *guest = &xen_vm(ctx)->port[port->guest_port];

        guest->state = XEN_PORT_UNBOUND;
        guest->remote_port = 0;
    }
    *port = (struct xen_host_port){.is_open = false};
    return HVS_OK;
}

static int send_event(struct hvs_ctx *ctx, const struct hvs_xen_channel *channel)
{
    const struct xen_host_port *port = find_own(ctx, channel->host_port);

    if (!port)
        return HVS_ENOENT;
    if (port->guest_port)
        xen_port_raise(ctx, port->guest_port);
    return HVS_OK;
}

static int set_signal(struct hvs_ctx *ctx, const struct hvs_xen_signal *args)
{
    struct xen_host_port *port = find_own(ctx, args->host_port);

    if (!hvs_ctx_feature(ctx, XEN_FEATURE_SIGNAL))
        return HVS_ENOTSUP;
    if (!port)
        return HVS_ENOENT;
    route(ctx, port, false);
    port->has_signal = args->signal != HVS_NO_SIGNAL;
    port->signal = args->signal;
    route(ctx, port, true);
    return HVS_OK;
}

static int send_virq(struct hvs_ctx *ctx, const struct hvs_xen_virq *virq)
{
    if (virq->virq >= NR_VIRQS || virq->vcpu >= hvs_ctx_nr_vps(ctx) ||
        (xen_virq_is_global(virq->virq) && virq->vcpu != 0))
        return HVS_EINVAL;
    xen_virq_raise(ctx, virq->vcpu, virq->virq);
    return HVS_OK;
}

static int answer(struct hvs_ctx *ctx, uint32_t request, void *data)
{
    if (request == HVS_XEN_RESUME) {
        xen_renew(ctx);
        return HVS_OK;
    }
    if (!hvs_ctx_feature(ctx, XEN_FEATURE_EVTCHN))
        return HVS_ENOTSUP;
    switch ((enum hvs_xen_request)request) {
    case HVS_XEN_CONSOLE_INPUT:
        return xen_console_input(ctx, data);
    case HVS_XEN_CONSOLE_LOOK:
        xen_console_look(ctx);
        return xen_special_is_on(ctx, XEN_SPECIAL_CONSOLE) ? HVS_OK : HVS_ENOTSUP;
    case HVS_XEN_CHANNEL_OFFER:
        return offer_channel(ctx, data);
    case HVS_XEN_CHANNEL_ACCEPT:
        return accept_channel(ctx, data);
    case HVS_XEN_CHANNEL_CLOSE:
        return close_channel(ctx, data);
    case HVS_XEN_CHANNEL_SEND:
        return send_event(ctx, data);
    case HVS_XEN_CHANNEL_SIGNAL:
        return set_signal(ctx, data);
    case HVS_XEN_VIRQ_SEND:
        return send_virq(ctx, data);
    case HVS_XEN_GRANT_MAP:
    case HVS_XEN_GRANT_UNMAP:
    case HVS_XEN_GRANT_COPY:
        return xen_grant_host(ctx, request, data);
    case HVS_XEN_STORE_READ:
    case HVS_XEN_STORE_WRITE:
    case HVS_XEN_STORE_REMOVE:
    case HVS_XEN_STORE_LIST:
    case HVS_XEN_STORE_SET_PERMS:
        return xen_store_host(ctx, request, data);
    case HVS_XEN_RESUME:
        break;
    }
    return HVS_ENOENT;
}

void xen_host(struct hvs_ctx *ctx)
{
    hvs_vm_lock(ctx);
    ctx->out->value = (uint64_t)(int64_t)answer(ctx, ctx->exit->host.request, ctx->exit->host.data);
    hvs_vm_unlock(ctx);
}
