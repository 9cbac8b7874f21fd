/*
 * 2-level event channels: the bitmaps of shared_info and the selector of vcpu_info [XEN common/event_2l.c].
 *
 * The guest works on the same words at the same time, so each step is one atomic operation and their order is Xen's:
 * pending, mask, selector, upcall_pending, interrupt. Ports that the layout has no bit for have no words.
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

/* shared_info, for work on `port`; NULL while it is not mapped, and for a port from before the layout shrank. */
static uint8_t *open_shared(struct hvs_ctx *ctx, uint32_t port)
{
    return port < layout_of(ctx)->nr_ports ? hvs_overlay_open(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO)) : NULL;
}

static void close_shared(struct hvs_ctx *ctx, uint8_t *shared)
{
    hvs_overlay_close(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO), shared, true);
}

/* The tail of raising and unmasking. Returns whether the guest is to be interrupted. */
static bool mark(struct hvs_ctx *ctx, uint32_t port)
{
    const struct xen_layout *layout = layout_of(ctx);
    struct xen_info info;
    bool is_wanted;

    if (!xen_info_open(ctx, xen_vm(ctx)->port[port].vcpu, &info))
        return false;
    is_wanted = xen_info_mark(&info, !test_and_set_bit(info.at + layout->sel, port >> layout->sel_shift));
    xen_info_close(ctx, &info);
    return is_wanted;
}

bool xen_2l_raise(struct hvs_ctx *ctx, uint32_t port)
{
    const struct xen_layout *layout = layout_of(ctx);
    uint8_t *shared = open_shared(ctx, port);
    bool is_wanted = false;

    if (!shared)
        return false;
    if (!test_and_set_bit(shared + layout->pending, port) && !test_bit(shared + layout->mask, port))
        is_wanted = mark(ctx, port);
    close_shared(ctx, shared);
    return is_wanted;
}

bool xen_2l_unmask(struct hvs_ctx *ctx, uint32_t port)
{
    const struct xen_layout *layout = layout_of(ctx);
    uint8_t *shared = open_shared(ctx, port);
    bool is_wanted = false;

    if (!shared)
        return false;
    if (test_and_clear_bit(shared + layout->mask, port) && test_bit(shared + layout->pending, port))
        is_wanted = mark(ctx, port);
    close_shared(ctx, shared);
    return is_wanted;
}

void xen_2l_clear_pending(struct hvs_ctx *ctx, uint32_t port)
{
    uint8_t *shared = open_shared(ctx, port);

    if (!shared)
        return;
    test_and_clear_bit(shared + layout_of(ctx)->pending, port);
    close_shared(ctx, shared);
}

bool xen_2l_is_pending(struct hvs_ctx *ctx, uint32_t port)
{
    uint8_t *shared = open_shared(ctx, port);
    bool is_pending;

    if (!shared)
        return false;
    is_pending = test_bit(shared + layout_of(ctx)->pending, port);
    close_shared(ctx, shared);
    return is_pending;
}

void xen_2l_select_all(struct hvs_ctx *ctx, struct xen_info *info)
{
    const struct xen_layout *layout = layout_of(ctx);

    for (uint32_t first = 0; first < (uint32_t)layout->nr_ports >> layout->sel_shift; first += 32)
        atomic_store(word_of(info->at + layout->sel, first), UINT32_MAX);
}
