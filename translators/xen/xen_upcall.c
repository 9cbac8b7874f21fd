/*
 * From an event to the guest: the 2-level channels of shared_info and the upcall [XEN common/event_2l.c,
 * arch/x86/hvm/irq.c hvm_assert_evtchn_irq].
 *
 * The guest works on the same words at the same time, so each step is one atomic operation and their order is Xen's:
 * pending, mask, selector, upcall_pending, interrupt. Left out: FIFO channels; callbacks by GSI, INTx and VECTOR.
 */
#include "xen_state.h"

/* A bit of a guest's bitmap. 32-bit words serve both widths: bits lie in the same bytes. */
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

static bool test_and_clear_bit(uint8_t *bitmap, uint32_t bit)
{
    return atomic_fetch_and(word_of(bitmap, bit), ~(1u << bit % 32)) >> bit % 32 & 1;
}

static const struct xen_layout *layout_of(const struct hvs_ctx *ctx)
{
    return xen_layout(xen_vm(ctx)->has_32bit_shinfo);
}

uint32_t xen_nr_ports(const struct hvs_ctx *ctx)
{
    return layout_of(ctx)->nr_ports;
}

/* shared_info, for work on `port`; NULL while it is not mapped, and for a port from before the layout shrank. */
static uint8_t *open_shared(struct hvs_ctx *ctx, uint32_t port)
{
    return port < xen_nr_ports(ctx) ? hvs_overlay_open(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO)) : NULL;
}

static void close_shared(struct hvs_ctx *ctx, uint8_t *shared)
{
    hvs_overlay_close(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO), shared, true);
}

void xen_upcall(struct hvs_ctx *ctx, uint32_t vp)
{
    uint8_t vector = xen_vcpu(ctx, vp)->upcall_vector;

    if (vector)
        hvs_emit_inject(ctx, vp, vector);
}

static _Atomic uint8_t *upcall_pending(const struct xen_info *info)
{
    return (_Atomic uint8_t *)(info->at + offsetof(struct vcpu_info, evtchn_upcall_pending));
}

/*
 * The tail of raising and unmasking. Xen interrupts only where upcall_pending goes from 0 to 1, and once more when the
 * guest enables its local APIC. That moment is not seen here, and an interrupt to an APIC that is off is lost; so each
 * new event interrupts as long as upcall_pending says that the guest has not come. More of them than needed do no harm.
 */
static void mark(struct hvs_ctx *ctx, uint32_t port)
{
    const struct xen_layout *layout = layout_of(ctx);
    uint32_t vp = xen_vm(ctx)->port[port].vcpu;
    struct xen_info info;
    bool is_wanted;

    if (!xen_info_open(ctx, vp, &info))
        return;
    if (!test_and_set_bit(info.at + layout->sel, port >> layout->sel_shift))
        atomic_store(upcall_pending(&info), 1);
    is_wanted = atomic_load(upcall_pending(&info));
    xen_info_close(ctx, &info);
    if (is_wanted)
        xen_upcall(ctx, vp);
}

void xen_port_raise(struct hvs_ctx *ctx, uint32_t port)
{
    const struct xen_layout *layout = layout_of(ctx);
    uint8_t *shared = open_shared(ctx, port);

    if (!shared)
        return;
    if (!test_and_set_bit(shared + layout->pending, port) && !test_bit(shared + layout->mask, port))
        mark(ctx, port);
    close_shared(ctx, shared);
}

void xen_port_unmask(struct hvs_ctx *ctx, uint32_t port)
{
    const struct xen_layout *layout = layout_of(ctx);
    uint8_t *shared = open_shared(ctx, port);

    if (!shared)
        return;
    if (test_and_clear_bit(shared + layout->mask, port) && test_bit(shared + layout->pending, port))
        mark(ctx, port);
    close_shared(ctx, shared);
}

void xen_port_clear_pending(struct hvs_ctx *ctx, uint32_t port)
{
    uint8_t *shared = open_shared(ctx, port);

    if (!shared)
        return;
    test_and_clear_bit(shared + layout_of(ctx)->pending, port);
    close_shared(ctx, shared);
}

bool xen_port_is_pending(struct hvs_ctx *ctx, uint32_t port)
{
    uint8_t *shared = open_shared(ctx, port);
    bool is_pending;

    if (!shared)
        return false;
    is_pending = test_bit(shared + layout_of(ctx)->pending, port);
    close_shared(ctx, shared);
    return is_pending;
}

void xen_upcall_all(struct hvs_ctx *ctx, uint32_t vp)
{
    const struct xen_layout *layout = layout_of(ctx);
    struct xen_info info;

    if (!xen_info_open(ctx, vp, &info))
        return;
    for (uint32_t first = 0; first < (uint32_t)layout->nr_ports >> layout->sel_shift; first += 32)
        atomic_store(word_of(info.at + layout->sel, first), UINT32_MAX);
    atomic_store(upcall_pending(&info), 1);
    xen_info_close(ctx, &info);
    xen_upcall(ctx, vp);
}
