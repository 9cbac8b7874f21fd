/*
 * Events, 2-level: into the bitmaps of shared_info and vcpu_info, by which the guest is interrupted [XEN
 * common/event_2l.c; Linux arch/x86/kvm/xen.c]. They come from the VMM (KVM_XEN_HVM_EVTCHN_SEND), routes and their
 * irqfds, the timer, and guests that send to a port for which the VMM has said where that goes
 * (KVM_XEN_ATTR_TYPE_EVTCHN).
 *
 * The guest and the VMM work on the same words at the same time, so each step is one atomic operation and their order
 * is Xen's: pending, mask, selector, upcall_pending, interrupt.
 */
#include "dropin.h"

#include "../backend.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "xen_abi.h"

static const struct xen_layout *layout(const struct hvs_dropin_xen *xen)
{
    return xen_layout(!xen->is_long_mode);
}

/* --- the bitmaps -------------------------------------------------------------------------------------------------- */

/* 32-bit words serve both widths: bits lie in the same bytes. */
static _Atomic uint32_t *word_of(uint8_t *bitmap, uint32_t bit)
{
    return (_Atomic uint32_t *)(bitmap + bit / 32 * 4);
}

static bool test_bit(uint8_t *bitmap, uint32_t bit)
{
    return atomic_load(word_of(bitmap, bit)) >> bit % 32 & 1;
}

static bool test_and_set_bit(uint8_t *bitmap, uint32_t bit)
{
    return atomic_fetch_or(word_of(bitmap, bit), 1u << bit % 32) >> bit % 32 & 1;
}

enum found { WAS_PENDING, MASKED, NEW };

static int set_pending(const struct hvs_ctx *ctx, uint32_t port, enum found *found)
{
    const struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);
    uint8_t *shared = xen->shared_gfn == HVS_DROPIN_XEN_NOWHERE ? NULL : hvs_page_pin(ctx, xen->shared_gfn);

    if (!shared)
        return -EFAULT;
    if (test_and_set_bit(shared + layout(xen)->pending, port))
        *found = WAS_PENDING;
    else
        *found = test_bit(shared + layout(xen)->mask, port) ? MASKED : NEW;
    hvs_page_unpin(ctx, xen->shared_gfn, shared, true);
    return 0;
}

/* As long as the guest has not come for it each event interrupts, as one may have been lost to an APIC that was off. */
static int mark(struct hvs_ctx *ctx, const struct hvs_dropin_xen_vcpu *vcpu, uint32_t port)
{
    const struct xen_layout *at = layout(hvs_dropin_xen_of(ctx));
    uint64_t gfn = vcpu->info_gpa >> HVS_PAGE_SHIFT;
    uint8_t *page = hvs_page_pin(ctx, gfn), *info;

    if (!page)
        return -EFAULT;
    info = page + vcpu->info_gpa % HVS_PAGE_BYTES;
    if (!test_and_set_bit(info + at->sel, port >> at->sel_shift))
        atomic_store((_Atomic uint8_t *)info + offsetof(struct vcpu_info, evtchn_upcall_pending), 1);
    hvs_page_unpin(ctx, gfn, page, true);
    return 0;
}

static void interrupt(struct hvs_ctx *ctx, uint32_t vp, const struct hvs_dropin_xen_vcpu *vcpu)
{
    uint8_t common = atomic_load(&hvs_dropin_xen_of(ctx)->vector);

    if (vcpu->vector)
        hvs_emit_inject(ctx, vp, vcpu->vector);
    else if (common)
        hvs_emit_inject_past_apic(ctx, vp, common);
}

static void wake_poller(struct hvs_ctx *ctx, uint32_t vp, struct hvs_dropin_xen_vcpu *vcpu, uint32_t port)
{
    if (vcpu->poll_port != port && vcpu->poll_port != HVS_DROPIN_XEN_ANY_PORT)
        return;
    vcpu->poll_port = 0;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_WAKE, .target = HVS_TARGET_VP, .vp = vp});
}

int hvs_dropin_xen_raise(struct hvs_ctx *ctx, uint32_t vp, uint32_t port)
{
    struct hvs_dropin_xen_vcpu *vcpu = hvs_dropin_xen_vcpu_of(ctx, vp);
    enum found found;
    int err;

    if (!vcpu || vcpu->info_gpa == HVS_DROPIN_XEN_NOWHERE || port >= layout(hvs_dropin_xen_of(ctx))->nr_ports)
        return -EINVAL;
    err = set_pending(ctx, port, &found);
    if (err || found == WAS_PENDING)
        return err;
    if (found == NEW)
        err = mark(ctx, vcpu, port);
    if (found == NEW && !err)
        interrupt(ctx, vp, vcpu);
    wake_poller(ctx, vp, vcpu, port);
    return err;
}

/* --- from the VMM ------------------------------------------------------------------------------------------------- */

/* The vCPU that the VMM made under this number; UINT32_MAX: none has joined. Lock held. */
static uint32_t find_vp(const struct hvs_dropin_xen *xen, uint32_t id)
{
    uint32_t nr = xen->kvm ? xen->kvm->config.vm.nr_vps : 0;

    for (uint32_t vp = 0; vp < nr; vp++) {
        if (xen->vcpu[vp] && xen->vcpu[vp]->id == id)
            return vp;
    }
    return UINT32_MAX;
}

static int refuse(int err)
{
    errno = err;
    return -1;
}

bool hvs_dropin_xen_event_is_sane(const struct kvm_irq_routing_xen_evtchn *event)
{
    return event->priority == KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL;
}

int hvs_dropin_xen_event(struct hvs_dropin_xen *xen, const struct kvm_irq_routing_xen_evtchn *event)
{
    uint32_t port = event->port, vp;
    uint64_t answer = 0;

    pthread_mutex_lock(&xen->lock);
    vp = find_vp(xen, event->vcpu);
    pthread_mutex_unlock(&xen->lock);
    if (!port || !hvs_dropin_xen_event_is_sane(event) ||
        hvs_dropin_xen_request(xen, vp, HVS_DROPIN_XEN_RAISE, &port, &answer))
        return refuse(EINVAL);
    return answer ? refuse(-(int)(int64_t)answer) : 0;
}

/* --- from the guest ----------------------------------------------------------------------------------------------- */

static struct hvs_dropin_xen_send **find_send(struct hvs_dropin_xen *xen, uint32_t port)
{
    struct hvs_dropin_xen_send **link = &xen->send;

    while (*link && (*link)->port != port)
        link = &(*link)->next;
    return link;
}

bool hvs_dropin_xen_send(struct hvs_ctx *ctx, uint32_t port)
{
    struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);
    const struct hvs_dropin_xen_send *send = *find_send(xen, port);
    const uint64_t one = 1;
    uint32_t vp;

    if (!send)
        return false;
    if (!send->to_port)
        return write(send->fd, &one, sizeof(one)) > 0 || errno == EAGAIN;      /* full: who waits has been told */
    vp = find_vp(xen, send->to_vcpu);
    return vp != UINT32_MAX && hvs_dropin_xen_raise(ctx, vp, send->to_port) == 0;
}

static void forget(struct hvs_dropin_xen_send **link)
{
    struct hvs_dropin_xen_send *gone = *link;

    *link = gone->next;
    if (gone->fd >= 0)
        close(gone->fd);
    free(gone);
}

void hvs_dropin_xen_forget_sends(struct hvs_dropin_xen *xen)
{
    while (xen->send)
        forget(&xen->send);
}

/* IPIs come back by the same port; what goes to another domain by another one, or to an eventfd. */
static int check_send(const struct hvs_dropin_xen *xen, const struct kvm_xen_hvm_attr *attr)
{
    const uint32_t nr_ports = layout(xen)->nr_ports, to = attr->u.evtchn.deliver.port.port;

    switch (attr->u.evtchn.type) {
    case EVTCHNSTAT_ipi:
        if (to != attr->u.evtchn.send_port)
            return EINVAL;
        break;
    case EVTCHNSTAT_interdomain:
        if (to >= nr_ports)
            return EINVAL;
        break;
    default:
        return EINVAL;
    }
    return to && attr->u.evtchn.deliver.port.priority != KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL ? EINVAL : 0;
}

static int add_send(struct hvs_dropin_xen *xen, struct hvs_dropin_xen_send **link, const struct kvm_xen_hvm_attr *attr)
{
    const uint32_t to = attr->u.evtchn.deliver.port.port;
    struct hvs_dropin_xen_send *made;
    int err = check_send(xen, attr);

    if (err || *link)
        return refuse(err ? err : EEXIST);
    made = malloc(sizeof(*made));
    if (!made)
        return refuse(ENOMEM);
    *made = (struct hvs_dropin_xen_send){
        .port = attr->u.evtchn.send_port, .type = attr->u.evtchn.type, .to_port = to,
        .to_vcpu = attr->u.evtchn.deliver.port.vcpu, .fd = -1};
    if (!to)
        made->fd = hvs_dropin_file_keep(attr->u.evtchn.deliver.eventfd.fd);
    if (!to && made->fd < 0) {
        free(made);
        return -1;
    }
    *link = made;
    return 0;
}

/* Another vCPU, and nothing else. */
static int update_send(struct hvs_dropin_xen_send *send, const struct kvm_xen_hvm_attr *attr)
{
    if (!send)
        return refuse(ENOENT);
    if (send->type != attr->u.evtchn.type || !send->to_port || send->to_port != attr->u.evtchn.deliver.port.port ||
        attr->u.evtchn.deliver.port.priority != KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL)
        return refuse(EINVAL);
    send->to_vcpu = attr->u.evtchn.deliver.port.vcpu;
    return 0;
}

int hvs_dropin_xen_set_send(struct hvs_dropin_xen *xen, const struct kvm_xen_hvm_attr *attr)
{
    const uint32_t port = attr->u.evtchn.send_port;
    struct hvs_dropin_xen_send **link = find_send(xen, port);

    if (attr->u.evtchn.flags == KVM_XEN_EVTCHN_RESET) {
        hvs_dropin_xen_forget_sends(xen);
        return 0;
    }
    if (!port || port >= layout(xen)->nr_ports)
        return refuse(EINVAL);
    switch (attr->u.evtchn.flags) {
    case 0:
        return add_send(xen, link, attr);
    case KVM_XEN_EVTCHN_UPDATE:
        return update_send(*link, attr);
    case KVM_XEN_EVTCHN_DEASSIGN:
        if (!*link)
            return refuse(ENOENT);
        forget(link);
        return 0;
    default:
        return refuse(EINVAL);
    }
}

/* --- upcalls that the VMM marked itself --------------------------------------------------------------------------- */

/* Nothing tells of them but the VMM's getting the vCPU out of KVM_RUN. */
void hvs_dropin_xen_enter(struct hvs_dropin_vcpu *vcpu)
{
    struct hvs_dropin_xen *xen = &vcpu->file.vm->xen;
    uint8_t vector = atomic_load_explicit(&xen->vector, memory_order_relaxed), is_pending = 0;
    uint64_t info_gpa;

    if (!vector || !xen->is_chosen)
        return;
    pthread_mutex_lock(&xen->lock);
    info_gpa = vcpu->xen.info_gpa;
    pthread_mutex_unlock(&xen->lock);
    if (info_gpa == HVS_DROPIN_XEN_NOWHERE)
        return;
    if (hvs_kvm_gpa_read(xen->kvm, info_gpa + offsetof(struct vcpu_info, evtchn_upcall_pending), &is_pending, 1) ||
        !is_pending)
        return;
    hvs_kvm_past_apic(vcpu->shim, vector);
}
