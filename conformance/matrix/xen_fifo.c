/*
 * The Xen matrix: the FIFO ABI of event channels [event_channel.h, "FIFO ABI"; doc event-channels-F.pandoc], and the
 * way back by reset, which is why this chapter is the last.
 */
#include "xen_matrix.h"

#include <xen/event_channel.h>

enum { INVAL = -XEN_EINVAL, CONTROL_STEP = 128, HEADS_AT = 8, WORD_MAX = 1024 };

#define EVTCHN(x, op, form, ...) XEN_OP(x, __HYPERVISOR_event_channel_op, EVTCHNOP_##op, form, __VA_ARGS__)
#define CONTROL_FORM "84411111111"

static int64_t init_control(struct xen *x, uint32_t vcpu)
{
    return EVTCHN(x, init_control, CONTROL_FORM, xm_gfn(x, XEN_PAGE_CONTROL), vcpu * CONTROL_STEP, vcpu, 0, 0, 0, 0, 0,
                  0, 0, 0);
}

static uint32_t word(const struct xen *x, uint32_t port)
{
    return xm_load(xm_page(x, XEN_PAGE_EVENTS) + port % WORD_MAX * 4);
}

static uint32_t ready(const struct xen *x, uint32_t vcpu)
{
    return xm_load(xm_page(x, XEN_PAGE_CONTROL) + vcpu * CONTROL_STEP);
}

static uint32_t head(const struct xen *x, uint32_t vcpu, uint32_t priority)
{
    return xm_load(xm_page(x, XEN_PAGE_CONTROL) + vcpu * CONTROL_STEP + HEADS_AT + priority * 4);
}

static int64_t set_priority(struct xen *x, int64_t port, uint32_t priority)
{
    return EVTCHN(x, set_priority, "44", (uint32_t)port, priority);
}

/* --- switching ---------------------------------------------------------------------------------------------------- */

static enum matrix_verdict begins(struct xen *x)
{
    matrix_fill(x->matrix, XEN_PAGE_CONTROL, 0);
    matrix_fill(x->matrix, XEN_PAGE_EVENTS, 0);
    int64_t got = init_control(x, 0);
    if (got != 0)
        return xm_expect(x, 0, got);
    return xm_expect(x, EVTCHN_FIFO_LINK_BITS, (int64_t)xm_out(x, CONTROL_FORM, 3));
}

static enum matrix_verdict second_block(struct xen *x)
{
    return xm_expect(x, INVAL, init_control(x, 0));
}

static enum matrix_verdict block_of_others(struct xen *x)
{
    if (x->env->nr_vps < 2)
        return matrix_skip(x->matrix, "there is one vCPU");
    for (uint32_t vcpu = 1; vcpu < x->env->nr_vps; vcpu++) {
        int64_t got = init_control(x, vcpu);

        if (got != 0)
            return xm_expect(x, 0, got);
    }
    return MATRIX_SUCCESS;
}

/* Without its word an event is kept, and comes when the word is there. */
static enum matrix_verdict late_array(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_send(x, (uint32_t)port);
    int64_t got = EVTCHN(x, expand_array, "8", xm_gfn(x, XEN_PAGE_EVENTS));
    if (got != 0)
        return xm_expect(x, 0, got);
    return word(x, (uint32_t)port) >> EVTCHN_FIFO_PENDING & 1
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it is lost", (uint64_t)port, word(x, (uint32_t)port));
}

static enum matrix_verdict array_nowhere(struct xen *x)
{
    return xm_expect(x, INVAL, EVTCHN(x, expand_array, "8", x->env->hole_gpa / MATRIX_PAGE_BYTES));
}

static const struct xen_point setup[] = {
    {"EVTCHNOP_init_control", "of vCPU 0", "event_channel.h", begins},
    {"EVTCHNOP_init_control", "of vCPU 0 once more", "src map_control_block", second_block},
    {"EVTCHNOP_init_control", "of the others", "event_channel.h", block_of_others},
    {"EVTCHNOP_expand_array", "a page where nothing is", "src map_guest_page", array_nowhere},
    {"EVTCHNOP_expand_array", "an event that was early", "src add_page_to_event_array", late_array},
};

/* --- queues ------------------------------------------------------------------------------------------------------- */

static enum matrix_verdict default_queue(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_send(x, (uint32_t)port);
    if (ready(x, 0) != 1u << EVTCHN_FIFO_PRIORITY_DEFAULT)
        return matrix_fail(x->matrix, "not the queue of priority 7", 1u << EVTCHN_FIFO_PRIORITY_DEFAULT, ready(x, 0));
    if (!(word(x, (uint32_t)port) >> EVTCHN_FIFO_LINKED & 1))
        return matrix_fail(x->matrix, "it is not linked", (uint64_t)port, word(x, (uint32_t)port));
    return xm_expect(x, port, head(x, 0, EVTCHN_FIFO_PRIORITY_DEFAULT));
}

static enum matrix_verdict order_in_queue(struct xen *x)
{
    int64_t port[4];

    for (uint32_t i = 0; i < 4; i++)
        port[i] = xm_bind_ipi(x, 0);
    xm_calm(x);
    for (uint32_t i = 0; i < 4; i++) {
        xm_mask(x, (uint32_t)port[3 - i], false);
        xm_send(x, (uint32_t)port[3 - i]);
    }
    uint32_t at = head(x, 0, EVTCHN_FIFO_PRIORITY_DEFAULT);
    for (uint32_t i = 0; i < 4; i++) {
        if (at != port[3 - i])
            return matrix_fail(x->matrix, "not in the order of the sends", (uint64_t)port[3 - i], at);
        at = word(x, at) & EVTCHN_FIFO_LINK_MASK;
    }
    return xm_expect(x, 0, at);
}

/* Sent from the lowest to the highest; a guest takes the lowest bit of `ready` first. */
static enum matrix_verdict order_of_priorities(struct xen *x)
{
    static const uint32_t priority[] = {15, 9, 7, 3, 0};
    int64_t port[5];
    uint32_t want = 0;

    for (uint32_t i = 0; i < 5; i++) {
        port[i] = xm_bind_ipi(x, 0);
        if (set_priority(x, port[i], priority[i]) != 0)
            return matrix_fail(x->matrix, "the priority is refused", priority[i], 0);
        want |= 1u << priority[i];
    }
    xm_calm(x);
    for (uint32_t i = 0; i < 5; i++) {
        xm_mask(x, (uint32_t)port[i], false);
        xm_send(x, (uint32_t)port[i]);
    }
    if (ready(x, 0) != want)
        return matrix_fail(x->matrix, "other queues are ready", want, ready(x, 0));
    for (uint32_t i = 0; i < 5; i++)
        if (head(x, 0, priority[i]) != port[i])
            return matrix_fail(x->matrix, "another event in the queue", priority[i], head(x, 0, priority[i]));
    return MATRIX_SUCCESS;
}

static enum matrix_verdict masked_is_not_linked(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, true);
    xm_send(x, (uint32_t)port);
    if (ready(x, 0) || word(x, (uint32_t)port) >> EVTCHN_FIFO_LINKED & 1)
        return matrix_fail(x->matrix, "it is in a queue", ready(x, 0), word(x, (uint32_t)port));
    EVTCHN(x, unmask, "4", (uint32_t)port);
    return ready(x, 0) ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it does not come when unmasked", 0, 0);
}

static enum matrix_verdict once_in_queue(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0), other = xm_bind_ipi(x, 0);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_mask(x, (uint32_t)other, false);
    xm_send(x, (uint32_t)port);
    xm_send(x, (uint32_t)other);
    xm_send(x, (uint32_t)port);
    if ((word(x, (uint32_t)port) & EVTCHN_FIFO_LINK_MASK) != other)
        return matrix_fail(x->matrix, "the first does not lead to the second", (uint64_t)other,
                           word(x, (uint32_t)port));
    return xm_expect(x, 0, word(x, (uint32_t)other) & EVTCHN_FIFO_LINK_MASK);
}

/* The guest takes an event off: it clears LINKED and the link, then PENDING. The next one begins the queue anew. */
static enum matrix_verdict taken_and_again(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_calm(x);
    for (uint32_t i = 0; i < 3; i++) {
        xm_mask(x, (uint32_t)port, false);
        xm_send(x, (uint32_t)port);
        if (!(ready(x, 0) >> EVTCHN_FIFO_PRIORITY_DEFAULT & 1) || head(x, 0, EVTCHN_FIFO_PRIORITY_DEFAULT) != port)
            return matrix_fail(x->matrix, "it does not come again", i, head(x, 0, EVTCHN_FIFO_PRIORITY_DEFAULT));
        xm_store32(xm_page(x, XEN_PAGE_CONTROL), 0);
        xm_store32(xm_page(x, XEN_PAGE_CONTROL) + HEADS_AT + EVTCHN_FIFO_PRIORITY_DEFAULT * 4, 0);
        xm_store32(xm_page(x, XEN_PAGE_EVENTS) + (uint32_t)port * 4, 0);
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict queue_of_other(struct xen *x)
{
    if (x->env->nr_vps < 2)
        return matrix_skip(x->matrix, "there is one vCPU");
    int64_t port = xm_bind_ipi(x, 1);
    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_send(x, (uint32_t)port);
    if (ready(x, 0))
        return matrix_fail(x->matrix, "it is in a queue of vCPU 0", 0, ready(x, 0));
    return xm_expect(x, port, head(x, 1, EVTCHN_FIFO_PRIORITY_DEFAULT));
}

static enum matrix_verdict lowest_priority(struct xen *x)
{
    return xm_expect(x, 0, set_priority(x, xm_bind_ipi(x, 0), EVTCHN_FIFO_PRIORITY_MIN));
}

static enum matrix_verdict below_lowest(struct xen *x)
{
    return xm_expect(x, INVAL, set_priority(x, xm_bind_ipi(x, 0), EVTCHN_FIFO_PRIORITY_MIN + 1));
}

static enum matrix_verdict priority_minus_one(struct xen *x)
{
    return xm_expect(x, INVAL, set_priority(x, xm_bind_ipi(x, 0), 0xffffffff));
}

/* A new port has the default, whatever its number had before. */
static enum matrix_verdict priority_is_reset(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    set_priority(x, port, 1);
    x->nr_ports--;
    xm_close(x, (uint32_t)port);
    port = xm_bind_ipi(x, 0);
    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_send(x, (uint32_t)port);
    return xm_expect(x, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT, ready(x, 0));
}

static enum matrix_verdict old_bitmap_is_left(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_send(x, (uint32_t)port);
    for (uint32_t at = 0x800; at < 0x880; at += 4)
        if (xm_load(xm_page(x, XEN_PAGE_SHARED) + at) != 0)
            return matrix_fail(x->matrix, "a bit of the other ABI is set", at, 1);
    return MATRIX_SUCCESS;
}

/* Links and heads are the guest's to spoil; Xen must come back in time and with an answer. */
static enum matrix_verdict spoilt_words(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0), other = xm_bind_ipi(x, 0);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_mask(x, (uint32_t)other, false);
    xm_send(x, (uint32_t)port);
    matrix_fill(x->matrix, XEN_PAGE_CONTROL, 0xff);
    xm_store32(xm_page(x, XEN_PAGE_EVENTS) + (uint32_t)port * 4, 0xbfffffff);
    int64_t got = xm_send(x, (uint32_t)other);
    xm_calm(x);
    return xm_expect(x, 0, got);
}

static const struct xen_point queues[] = {
    {"FIFO", "an event without a priority", "event_channel.h", default_queue},
    {"FIFO", "events of one priority keep their order", "doc event-channels-F", order_in_queue},
    {"FIFO", "events of several priorities", "doc event-channels-F", order_of_priorities},
    {"FIFO", "a masked event is in no queue", "doc event-channels-F", masked_is_not_linked},
    {"FIFO", "an event is in a queue once", "doc event-channels-F", once_in_queue},
    {"FIFO", "an event that was taken comes again", "doc event-channels-F", taken_and_again},
    {"FIFO", "each vCPU has its queues", "event_channel.h", queue_of_other},
    {"EVTCHNOP_set_priority", "15, the lowest", "event_channel.h", lowest_priority},
    {"EVTCHNOP_set_priority", "16", "event_channel.h", below_lowest},
    {"EVTCHNOP_set_priority", "0xffffffff", "event_channel.h", priority_minus_one},
    {"EVTCHNOP_set_priority", "does not outlive the port", "src evtchn_fifo_init", priority_is_reset},
    {"FIFO", "leaves the bitmaps alone", "event_channel.h", old_bitmap_is_left},
    {"FIFO", "words that the guest has spoilt", "src evtchn_fifo_set_pending", spoilt_words},
};

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* 128 pages hold the words of all 131072 ports. */
static enum matrix_verdict last_page(struct xen *x)
{
    for (uint32_t page = 1; page < EVTCHN_FIFO_NR_CHANNELS / WORD_MAX; page++) {
        int64_t got = EVTCHN(x, expand_array, "8", xm_gfn(x, XEN_PAGE_DATA));

        if (got != 0)
            return matrix_fail(x->matrix, "a page is refused", page, (uint64_t)got);
    }
    return xm_expect(x, -XEN_ENOSPC, EVTCHN(x, expand_array, "8", xm_gfn(x, XEN_PAGE_DATA)));
}

static enum matrix_verdict reset_closes(struct xen *x)
{
    int64_t ipi = xm_bind_ipi(x, 0), unbound = xm_alloc_unbound(x, 0), virq = xm_bind_virq(x, VIRQ_DEBUG, 0);

    x->nr_ports = 0;
    int64_t got = EVTCHN(x, reset, "2", DOMID_SELF);
    x->is_fifo = false;
    if (got != 0)
        return xm_expect(x, 0, got);
    if (xm_status(x, (uint32_t)ipi) != 0 || xm_status(x, (uint32_t)unbound) != 0 ||
        xm_status(x, (uint32_t)virq) != 0)
        return matrix_fail(x->matrix, "a port is still open", (uint64_t)ipi, (uint64_t)unbound);
    return xm_bind_virq(x, VIRQ_DEBUG, 0) > 0 ? MATRIX_SUCCESS
                                               : matrix_fail(x->matrix, "its VIRQ is still bound", VIRQ_DEBUG, 0);
}

static enum matrix_verdict reset_is_2level(struct xen *x)
{
    int64_t got = EVTCHN(x, expand_array, "8", xm_gfn(x, XEN_PAGE_EVENTS));

    if (got != -XEN_EOPNOTSUPP)
        return xm_expect(x, -XEN_EOPNOTSUPP, got);
    int64_t port = xm_bind_ipi(x, 0);
    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_send(x, (uint32_t)port);
    return xm_is_pending(x, (uint32_t)port) && xm_upcall_pending(x, 0)
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "no event by the bitmaps", (uint64_t)port, 0);
}

static enum matrix_verdict reset_allows_again(struct xen *x)
{
    matrix_fill(x->matrix, XEN_PAGE_CONTROL, 0);
    int64_t got = init_control(x, 0);
    EVTCHN(x, reset, "2", DOMID_SELF);
    return xm_expect(x, 0, got);
}

static const struct xen_point limits[] = {
    {"EVTCHNOP_expand_array", "a page beyond the last", "src add_page_to_event_array", last_page},
};

static const struct xen_point reset[] = {
    {"EVTCHNOP_reset", "closes what is open", "event_channel.h", reset_closes},
};

static const struct xen_point last[] = {
    {"EVTCHNOP_reset", "is the way back to the other ABI", "event_channel.h, note 3", reset_is_2level},
    {"EVTCHNOP_init_control", "after a reset", "event_channel.h", reset_allows_again},
};

void xm_ask_fifo(struct xen *x)
{
    x->is_fifo = true;
    XEN_RUN_NEEDED(x, setup);
    XEN_RUN(x, queues);
    xm_ask_evtchn(x);
    xm_ask_states(x);
    XEN_RUN(x, limits);
    XEN_RUN_NEEDED(x, reset);
    XEN_RUN(x, last);
    x->is_fifo = false;
}
