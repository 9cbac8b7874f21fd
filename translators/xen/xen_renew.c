/*
 * A guest that goes on as in a new domain, with its memory as it was: after a suspend, and after a soft reset, by which
 * kexec gets rid of what the old kernel has registered [XEN common/domain.c domain_soft_reset; docs/misc: suspend].
 *
 * Channels that the host had offered stay, on the same ports: a toolstack would make them anew and tell the numbers by
 * the same parameters.
 */
#include "xen_state.h"

static bool is_kept(const struct hvs_ctx *ctx, const struct xen_port *port)
{
    return port->state == XEN_PORT_INTERDOMAIN && port->remote_domid == XEN_DOMID_HOST &&
           xen_vm(ctx)->host_port[port->remote_port].is_offered;
}

static void close_ports(struct hvs_ctx *ctx)
{
    struct xen_vm *vm = xen_vm(ctx);

    for (uint32_t nr = 1; nr < vm->nr_valid_ports; nr++) {
        if (is_kept(ctx, &vm->port[nr]))
            vm->port[nr].vcpu = 0;
        else if (vm->port[nr].state != XEN_PORT_FREE)
            xen_port_close(ctx, nr);
    }
    xen_fifo_end(ctx);
    xen_special_renew(ctx);
}

static void take_off_shared_info(struct hvs_ctx *ctx)
{
    struct hvs_overlay *overlay = hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO);
    void *shared = hvs_overlay_open(ctx, overlay);

    if (!shared)
        return;
    memset(shared, 0, HVS_PAGE_BYTES);
    hvs_overlay_close(ctx, overlay, shared, true);
    hvs_overlay_off(ctx, overlay);
}

void xen_renew(struct hvs_ctx *ctx)
{
    struct xen_vm *vm = xen_vm(ctx);

    close_ports(ctx);
    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx); vp++) {
        struct xen_vcpu *vcpu = xen_vcpu(ctx, vp);

        vcpu->info.is_set = false;
        vcpu->time.is_set = false;
        vcpu->runstate.is_set = false;
        vcpu->upcall_vector = 0;
        vcpu->is_polling = false;
        vcpu->period_ns = 0;
    }
    take_off_shared_info(ctx);
    xen_grant_renew(ctx);
    vm->param[HVM_PARAM_CALLBACK_IRQ] = 0;
    vm->has_runstate_flag = false;
    vm->has_shutdown_code = false;
    xen_line_update(ctx);       /* nothing is pending any more, so it falls */
    hvs_timer_cancel(ctx, XEN_TIMER_SINGLESHOT);        /* of the others, VIRQ_TIMER is not bound any more */
    hvs_timer_cancel(ctx, XEN_TIMER_PERIODIC);
}
