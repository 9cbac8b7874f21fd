/*
 * The Xen matrix: event channels. Channels of every kind and their words in shared memory in both ABIs; each operation
 * on a port in each state; what a send does, to whom, and how often.
 *
 * Order and effects are those of [event_channel.h] and of [src event_channel.c, event_2l.c].
 */
#include "xen_matrix.h"

#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/sched.h>

enum { INVAL = -XEN_EINVAL, NOSYS = -XEN_ENOSYS, EXIST = -XEN_EEXIST, ACCES = -XEN_EACCES, NOSPC = -XEN_ENOSPC,
       PENDING_AT = 0x800, MASK_AT_64 = 0xa00, MASK_AT_32 = 0x880, VCPU_INFO_BYTES = 64, A_PIRQ = 20,
       NEVER_A_PORT = 0x100000, MOST_WORDS = 128,        /* ports that a point has are far below */
       MS_NS = 1000000 };

/* --- words -------------------------------------------------------------------------------------------------------- */

static uint8_t *event_word(const struct xen *x, uint32_t port)
{
    return xm_page(x, XEN_PAGE_EVENTS) + port % 1024 * 4;
}

static uint8_t *bitmap(const struct xen *x, bool is_mask, uint32_t port)
{
    uint32_t at = !is_mask ? PENDING_AT : x->bits == 64 ? MASK_AT_64 : MASK_AT_32;

    return xm_page(x, XEN_PAGE_SHARED) + at + port / 32 * 4;
}

static bool bit_is_set(const struct xen *x, bool is_mask, uint32_t port)
{
    if (x->is_fifo)
        return xm_load(event_word(x, port)) >> (is_mask ? EVTCHN_FIFO_MASKED : EVTCHN_FIFO_PENDING) & 1;
    return xm_load(bitmap(x, is_mask, port)) >> port % 32 & 1;
}

static void change_bit(const struct xen *x, bool is_mask, uint32_t port, bool to)
{
    uint8_t *at = x->is_fifo ? event_word(x, port) : bitmap(x, is_mask, port);
    uint32_t bit = !x->is_fifo ? port % 32 : is_mask ? EVTCHN_FIFO_MASKED : EVTCHN_FIFO_PENDING;

    if (to)
        __atomic_fetch_or((uint32_t *)(void *)at, 1u << bit, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and((uint32_t *)(void *)at, ~(1u << bit), __ATOMIC_SEQ_CST);
}

bool xm_is_pending(const struct xen *x, uint32_t port)
{
    return bit_is_set(x, false, port);
}

bool xm_is_masked(const struct xen *x, uint32_t port)
{
    return bit_is_set(x, true, port);
}

void xm_mask(const struct xen *x, uint32_t port, bool is_masked)
{
    change_bit(x, true, port, is_masked);
}

void xm_clear_pending(const struct xen *x, uint32_t port)
{
    change_bit(x, false, port, false);
}

uint8_t *xm_vcpu_info(const struct xen *x, uint32_t vcpu)
{
    return xm_page(x, XEN_PAGE_SHARED) + vcpu * VCPU_INFO_BYTES;
}

bool xm_upcall_pending(const struct xen *x, uint32_t vcpu)
{
    return *(volatile uint8_t *)xm_vcpu_info(x, vcpu);
}

uint64_t xm_selector(const struct xen *x, uint32_t vcpu)
{
    return x->bits == 64 ? xm_load64(xm_vcpu_info(x, vcpu) + 8) : xm_load(xm_vcpu_info(x, vcpu) + 4);
}

void xm_calm(struct xen *x)
{
    for (uint32_t vcpu = 0; vcpu < x->env->nr_vps && vcpu < 32; vcpu++) {
        xm_store32(xm_vcpu_info(x, vcpu) + 4, 0);
        if (x->bits == 64) {
            xm_store32(xm_vcpu_info(x, vcpu) + 8, 0);
            xm_store32(xm_vcpu_info(x, vcpu) + 12, 0);
        }
        *(volatile uint8_t *)xm_vcpu_info(x, vcpu) = 0;
    }
    for (uint32_t word = 0; word < (x->bits == 64 ? 128 : 32); word++)
        xm_store32(xm_page(x, XEN_PAGE_SHARED) + PENDING_AT + word * 4, 0);
    if (x->is_fifo) {
        for (uint32_t word = 0; word < MOST_WORDS; word++)
            xm_store32(event_word(x, word), 1u << EVTCHN_FIFO_MASKED);
        matrix_fill(x->matrix, XEN_PAGE_CONTROL, 0);
    }
    if (x->env->interrupts)
        for (uint32_t vp = 0; vp < x->env->nr_vps; vp++)
            x->env->interrupts(x->env->ctx, vp, x->env->vector);
}

/* --- channels ----------------------------------------------------------------------------------------------------- */

#define EVTCHN(x, op, form, ...) XEN_OP(x, __HYPERVISOR_event_channel_op, EVTCHNOP_##op, form, __VA_ARGS__)

void xm_owns(struct xen *x, uint32_t port)
{
    if (x->nr_ports < XEN_MAX_PORTS)
        x->port[x->nr_ports++] = port;
}

static int64_t opened(struct xen *x, int64_t got, const char *form, uint32_t field)
{
    if (got != 0)
        return got;
    uint32_t port = (uint32_t)xm_out(x, form, field);
    xm_owns(x, port);
    return port;
}

int64_t xm_bind_ipi(struct xen *x, uint32_t vcpu)
{
    return opened(x, EVTCHN(x, bind_ipi, "44", vcpu, 0), "44", 1);
}

int64_t xm_bind_virq(struct xen *x, uint32_t virq, uint32_t vcpu)
{
    return opened(x, EVTCHN(x, bind_virq, "444", virq, vcpu, 0), "444", 2);
}

static int64_t bind_pirq(struct xen *x, uint32_t pirq)
{
    return opened(x, EVTCHN(x, bind_pirq, "444", pirq, 0, 0), "444", 2);
}

int64_t xm_alloc_unbound(struct xen *x, uint32_t remote)
{
    return opened(x, EVTCHN(x, alloc_unbound, "224", DOMID_SELF, remote, 0), "224", 2);
}

int64_t xm_bind_interdomain(struct xen *x, uint32_t remote, uint32_t remote_port)
{
    return opened(x, EVTCHN(x, bind_interdomain, "244", remote, remote_port, 0), "244", 2);
}

int64_t xm_send(struct xen *x, uint32_t port)
{
    return EVTCHN(x, send, "4", port);
}

int64_t xm_close(struct xen *x, uint32_t port)
{
    return EVTCHN(x, close, "4", port);
}

int64_t xm_status(struct xen *x, uint32_t port)
{
    int64_t got = EVTCHN(x, status, XEN_STATUS_FORM, DOMID_SELF, port, 0x77, 0x77, 0x77, 0x77);

    return got != 0 ? got : (int64_t)xm_out(x, XEN_STATUS_FORM, 2);
}

static int64_t closed_port(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    if (port > 0)
        xm_close(x, x->port[--x->nr_ports]);
    return port;
}

/* Both ends of a loop; of `which` the other one is x->peer. */
static int64_t loop(struct xen *x, bool is_peer)
{
    int64_t remote = xm_alloc_unbound(x, DOMID_SELF);
    int64_t local = remote > 0 ? xm_bind_interdomain(x, DOMID_SELF, (uint32_t)remote) : remote;

    x->peer = (uint32_t)(is_peer ? local : remote);
    return local < 0 ? local : is_peer ? remote : local;
}

int64_t xm_make_channel(struct xen *x, enum xen_channel which)
{
    switch (which) {
    case XEN_CHANNEL_CLOSED:
        return closed_port(x);
    case XEN_CHANNEL_HUGE:
        return NEVER_A_PORT;
    case XEN_CHANNEL_MINUS:
        return 0xffffffff;
    case XEN_CHANNEL_UNBOUND:
        return xm_alloc_unbound(x, DOMID_SELF);
    case XEN_CHANNEL_UNBOUND_0:
        return xm_alloc_unbound(x, 0);
    case XEN_CHANNEL_LOOP:
        return loop(x, false);
    case XEN_CHANNEL_PEER:
        return loop(x, true);
    case XEN_CHANNEL_VIRQ:
        return xm_bind_virq(x, VIRQ_DEBUG, 0);
    case XEN_CHANNEL_GLOBAL:
        return xm_bind_virq(x, VIRQ_DOM_EXC, 0);
    case XEN_CHANNEL_IPI:
        return xm_bind_ipi(x, 0);
    case XEN_CHANNEL_PIRQ:
        return bind_pirq(x, A_PIRQ);
    case XEN_CHANNEL_ZERO:
    case XEN_NR_CHANNELS:
        break;
    }
    return 0;
}

/* --- each operation in each state --------------------------------------------------------------------------------- */

static int64_t do_send(struct xen *x, uint32_t port)
{
    return xm_send(x, port);
}

static int64_t do_status(struct xen *x, uint32_t port)
{
    return xm_status(x, port);
}

static int64_t do_close(struct xen *x, uint32_t port)
{
    return xm_close(x, port);
}

static int64_t do_unmask(struct xen *x, uint32_t port)
{
    return EVTCHN(x, unmask, "4", port);
}

static int64_t do_bind_vcpu(struct xen *x, uint32_t port)
{
    return EVTCHN(x, bind_vcpu, "44", port, x->env->nr_vps - 1);
}

static int64_t do_set_priority(struct xen *x, uint32_t port)
{
    return EVTCHN(x, set_priority, "44", port, 3);
}

static int64_t do_bind_interdomain(struct xen *x, uint32_t port)
{
    int64_t got = xm_bind_interdomain(x, DOMID_SELF, port);

    return got > 0 ? 0 : got;
}

/* Beside one that is pending, so that it returns at once. */
static int64_t do_poll(struct xen *x, uint32_t port)
{
    uint32_t other = x->spare;
    uint8_t *list = xm_page(x, XEN_PAGE_ARRAY);

    xm_mask(x, other, true);
    xm_send(x, other);
    xm_store32(list, port);
    xm_store32(list + 4, other);
    return XEN_OP(x, __HYPERVISOR_sched_op, SCHEDOP_poll, "l48", xm_gpa(x, XEN_PAGE_ARRAY), 2, 1);
}

static const char *const states[XEN_NR_CHANNELS] = {
    "port 0", "a closed port", "a port beyond all", "port 0xffffffff", "an unbound port", "one that waits for domain 0",
    "a connected port", "its other end", "a VIRQ of a vCPU", "a global VIRQ", "an IPI", "a PIRQ",
};

static const struct {
    const char *name;
    int64_t (*run)(struct xen *x, uint32_t port);
    int8_t want[XEN_NR_CHANNELS];
    int8_t want_fifo[XEN_NR_CHANNELS];  /* where the first is 0 in all: the same */
} ops[] = {
    {"EVTCHNOP_send", do_send,
     {INVAL, INVAL, INVAL, INVAL, 0, 0, 0, 0, INVAL, INVAL, 0, INVAL}, {0}},
    {"EVTCHNOP_status", do_status,
     {EVTCHNSTAT_closed, EVTCHNSTAT_closed, INVAL, INVAL, EVTCHNSTAT_unbound, EVTCHNSTAT_unbound,
      EVTCHNSTAT_interdomain, EVTCHNSTAT_interdomain, EVTCHNSTAT_virq, EVTCHNSTAT_virq, EVTCHNSTAT_ipi,
      EVTCHNSTAT_pirq}, {0}},
    {"EVTCHNOP_close", do_close,
     {INVAL, INVAL, INVAL, INVAL, 0, 0, 0, 0, 0, 0, 0, 0}, {0}},
    {"EVTCHNOP_unmask", do_unmask,
     {0, 0, INVAL, INVAL, 0, 0, 0, 0, 0, 0, 0, 0}, {0}},
    {"EVTCHNOP_bind_vcpu", do_bind_vcpu,
     {INVAL, INVAL, INVAL, INVAL, 0, 0, 0, 0, INVAL, 0, INVAL, 0}, {0}},
    {"EVTCHNOP_set_priority", do_set_priority,
     {NOSYS, NOSYS, INVAL, INVAL, NOSYS, NOSYS, NOSYS, NOSYS, NOSYS, NOSYS, NOSYS, NOSYS},
     {ACCES, ACCES, INVAL, INVAL, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"EVTCHNOP_bind_interdomain", do_bind_interdomain,
     {INVAL, INVAL, INVAL, INVAL, 0, INVAL, INVAL, INVAL, INVAL, INVAL, INVAL, INVAL}, {0}},
    {"SCHEDOP_poll", do_poll,
     {INVAL, INVAL, INVAL, INVAL, 0, 0, 0, 0, 0, 0, 0, 0}, {0}},
};

static enum matrix_verdict one_state(struct xen *x, uint32_t op, uint32_t state)
{
    bool is_other = x->is_fifo && ops[op].want_fifo[XEN_CHANNEL_HUGE] != 0;

    x->spare = (uint32_t)xm_bind_ipi(x, 0);
    int64_t port = xm_make_channel(x, (enum xen_channel)state);
    if (state == XEN_CHANNEL_PIRQ && port < 0)
        return matrix_skip(x->matrix, "no PIRQ can be bound here");
    if (port < 0)
        return xm_expect(x, 0, port);
    return xm_expect(x, is_other ? ops[op].want_fifo[state] : ops[op].want[state], ops[op].run(x, (uint32_t)port));
}

void xm_ask_states(struct xen *x)
{
    for (uint32_t op = 0; op < sizeof(ops) / sizeof(ops[0]); op++)
        for (uint32_t state = 0; state < XEN_NR_CHANNELS; state++) {
            if (xm_begin(x, ops[op].name, states[state], "event_channel.h; src event_channel.c"))
                xm_end(x, one_state(x, op, state));
        }
}

/* --- what a send does --------------------------------------------------------------------------------------------- */

/* Says whether the port is pending, its selector bit set, and vCPU `vcpu` told; all three as `is_told` wants it. */
static enum matrix_verdict told(struct xen *x, uint32_t port, uint32_t vcpu, bool is_pending, bool is_told)
{
    if (xm_is_pending(x, port) != is_pending)
        return matrix_fail(x->matrix, is_pending ? "it is not pending" : "it is pending", port, vcpu);
    if (!x->is_fifo && (xm_selector(x, vcpu) >> port / x->bits & 1) != is_told)
        return matrix_fail(x->matrix, is_told ? "its selector bit is clear" : "its selector bit is set", port,
                           xm_selector(x, vcpu));
    return xm_upcall_pending(x, vcpu) == is_told
               ? MATRIX_SUCCESS
               : matrix_fail(x->matrix, is_told ? "the vCPU is not told" : "the vCPU is told", vcpu, port);
}

static enum matrix_verdict ipi_arrives(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    int64_t got = xm_send(x, (uint32_t)port);
    return got != 0 ? xm_expect(x, 0, got) : told(x, (uint32_t)port, 0, true, true);
}

static enum matrix_verdict masked_waits(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, true);
    xm_send(x, (uint32_t)port);
    return told(x, (uint32_t)port, 0, true, false);
}

static enum matrix_verdict unmask_delivers(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, true);
    xm_send(x, (uint32_t)port);
    int64_t got = EVTCHN(x, unmask, "4", (uint32_t)port);
    if (got != 0 || xm_is_masked(x, (uint32_t)port))
        return matrix_fail(x->matrix, "it is still masked", (uint64_t)port, (uint64_t)got);
    return told(x, (uint32_t)port, 0, true, true);
}

static enum matrix_verdict unmask_of_nothing(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, true);
    EVTCHN(x, unmask, "4", (uint32_t)port);
    return xm_is_masked(x, (uint32_t)port) ? matrix_fail(x->matrix, "it is still masked", (uint64_t)port, 0)
                                            : told(x, (uint32_t)port, 0, false, false);
}

static enum matrix_verdict other_end(struct xen *x)
{
    uint32_t here = (uint32_t)xm_make_channel(x, XEN_CHANNEL_LOOP), there = x->peer;

    xm_calm(x);
    xm_mask(x, there, false);
    xm_send(x, here);
    if (xm_is_pending(x, here))
        return matrix_fail(x->matrix, "the sender's own end is pending", here, there);
    return told(x, there, 0, true, true);
}

static enum matrix_verdict unbound_goes_nowhere(struct xen *x)
{
    int64_t port = xm_alloc_unbound(x, DOMID_SELF);

    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_send(x, (uint32_t)port);
    return told(x, (uint32_t)port, 0, false, false);
}

/* "EVTCHNOP_bind_interdomain always sets the local event channel pending" [event_channel.h]. */
static enum matrix_verdict binding_is_pending(struct xen *x)
{
    int64_t remote = xm_alloc_unbound(x, DOMID_SELF);

    xm_calm(x);
    int64_t port = xm_bind_interdomain(x, DOMID_SELF, (uint32_t)remote);
    if (port < 0)
        return xm_expect(x, 0, port);
    if (xm_is_pending(x, (uint32_t)remote))
        return matrix_fail(x->matrix, "the remote end is pending", (uint64_t)remote, 0);
    return xm_is_pending(x, (uint32_t)port) ? MATRIX_SUCCESS
                                             : matrix_fail(x->matrix, "it is not pending", (uint64_t)port, 0);
}

static enum matrix_verdict close_clears(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_mask(x, (uint32_t)port, true);
    xm_send(x, (uint32_t)port);
    x->nr_ports--;
    xm_close(x, (uint32_t)port);
    return xm_is_pending(x, (uint32_t)port) ? matrix_fail(x->matrix, "it is still pending", (uint64_t)port, 1)
                                             : MATRIX_SUCCESS;
}

/* "the remote end is placed in the unbound state" [event_channel.h]. */
static enum matrix_verdict close_unbinds_other(struct xen *x)
{
    xm_close(x, (uint32_t)xm_make_channel(x, XEN_CHANNEL_LOOP));
    int64_t status = xm_status(x, x->peer);
    if (status != EVTCHNSTAT_unbound)
        return xm_expect(x, EVTCHNSTAT_unbound, status);
    if ((xm_out(x, XEN_STATUS_FORM, 4) & 0xffff) != x->domid)
        return matrix_fail(x->matrix, "it waits for another", x->domid, xm_out(x, XEN_STATUS_FORM, 4));
    return xm_bind_interdomain(x, DOMID_SELF, x->peer) > 0
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it cannot be bound again", 0, 0);
}

static enum matrix_verdict status_of_virq(struct xen *x)
{
    uint32_t last = x->env->nr_vps - 1;
    int64_t port = xm_bind_virq(x, VIRQ_DEBUG, last);
    int64_t status = xm_status(x, (uint32_t)port);

    if (status != EVTCHNSTAT_virq || xm_out(x, XEN_STATUS_FORM, 3) != last)
        return matrix_fail(x->matrix, "another state or vCPU", last, xm_out(x, XEN_STATUS_FORM, 3));
    return xm_expect(x, VIRQ_DEBUG, (int64_t)xm_out(x, XEN_STATUS_FORM, 4));
}

static enum matrix_verdict status_of_loop(struct xen *x)
{
    xm_status(x, (uint32_t)xm_make_channel(x, XEN_CHANNEL_LOOP));
    if ((xm_out(x, XEN_STATUS_FORM, 4) & 0xffff) != x->domid)
        return matrix_fail(x->matrix, "another domain", x->domid, xm_out(x, XEN_STATUS_FORM, 4));
    return xm_expect(x, x->peer, (int64_t)xm_out(x, XEN_STATUS_FORM, 5));
}

static enum matrix_verdict status_of_unbound(struct xen *x)
{
    int64_t port = xm_alloc_unbound(x, 0);

    xm_status(x, (uint32_t)port);
    return xm_expect(x, 0, (int64_t)(xm_out(x, XEN_STATUS_FORM, 4) & 0xffff));
}

static enum matrix_verdict status_of_pirq(struct xen *x)
{
    int64_t port = bind_pirq(x, A_PIRQ + 1);

    if (port < 0)
        return matrix_skip(x->matrix, "no PIRQ can be bound here");
    xm_status(x, (uint32_t)port);
    return xm_expect(x, A_PIRQ + 1, (int64_t)xm_out(x, XEN_STATUS_FORM, 4));
}

static enum matrix_verdict virq_twice(struct xen *x)
{
    int64_t first = xm_bind_virq(x, VIRQ_DEBUG, 0);

    if (first < 0)
        return xm_expect(x, 0, first);
    return xm_expect(x, EXIST, xm_bind_virq(x, VIRQ_DEBUG, 0));
}

static enum matrix_verdict global_twice(struct xen *x)
{
    int64_t first = xm_bind_virq(x, VIRQ_DOM_EXC, 0);

    if (first < 0)
        return xm_expect(x, 0, first);
    return xm_expect(x, EXIST, xm_bind_virq(x, VIRQ_DOM_EXC, 0));
}

static enum matrix_verdict virq_on_two(struct xen *x)
{
    if (x->env->nr_vps < 2)
        return matrix_skip(x->matrix, "there is one vCPU");
    xm_bind_virq(x, VIRQ_DEBUG, 0);
    return xm_bind_virq(x, VIRQ_DEBUG, 1) > 0 ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it is refused", 1, 0);
}

static enum matrix_verdict virq_again(struct xen *x)
{
    int64_t first = xm_bind_virq(x, VIRQ_DEBUG, 0);

    x->nr_ports--;
    xm_close(x, (uint32_t)first);
    return xm_bind_virq(x, VIRQ_DEBUG, 0) > 0 ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it is refused", 0, 0);
}

static enum matrix_verdict pirq_twice(struct xen *x)
{
    if (bind_pirq(x, A_PIRQ) < 0)
        return matrix_skip(x->matrix, "no PIRQ can be bound here");
    return xm_expect(x, EXIST, bind_pirq(x, A_PIRQ));
}

static enum matrix_verdict global_moves(struct xen *x)
{
    uint32_t last = x->env->nr_vps - 1;
    int64_t port = xm_bind_virq(x, VIRQ_DOM_EXC, 0);

    int64_t got = EVTCHN(x, bind_vcpu, "44", (uint32_t)port, last);
    if (got != 0)
        return xm_expect(x, 0, got);
    xm_status(x, (uint32_t)port);
    return xm_expect(x, last, (int64_t)xm_out(x, XEN_STATUS_FORM, 3));
}

/* "a port that is freed and subsequently reused has its binding reset to vcpu0" [event_channel.h]. */
static enum matrix_verdict binding_is_reset(struct xen *x)
{
    int64_t port = xm_alloc_unbound(x, DOMID_SELF);

    EVTCHN(x, bind_vcpu, "44", (uint32_t)port, x->env->nr_vps - 1);
    x->nr_ports--;
    xm_close(x, (uint32_t)port);
    port = xm_alloc_unbound(x, DOMID_SELF);
    xm_status(x, (uint32_t)port);
    return xm_expect(x, 0, (int64_t)xm_out(x, XEN_STATUS_FORM, 3));
}

static enum matrix_verdict tells_the_right_vcpu(struct xen *x)
{
    if (x->env->nr_vps < 2)
        return matrix_skip(x->matrix, "there is one vCPU");
    int64_t port = xm_bind_ipi(x, 1);
    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_send(x, (uint32_t)port);
    if (xm_upcall_pending(x, 0))
        return matrix_fail(x->matrix, "vCPU 0 is told", 1, 0);
    return told(x, (uint32_t)port, 1, true, true);
}

static enum matrix_verdict tells_where_bound(struct xen *x)
{
    if (x->env->nr_vps < 2)
        return matrix_skip(x->matrix, "there is one vCPU");
    uint32_t here = (uint32_t)xm_make_channel(x, XEN_CHANNEL_LOOP), port = x->peer;
    EVTCHN(x, bind_vcpu, "44", port, 1);
    xm_calm(x);
    xm_mask(x, port, false);
    xm_send(x, here);
    if (xm_upcall_pending(x, 0))
        return matrix_fail(x->matrix, "vCPU 0 is told", 1, 0);
    return told(x, port, 1, true, true);
}

static enum matrix_verdict upcalls(struct xen *x, uint32_t vcpu, uint32_t nr_sends)
{
    if (!x->env->interrupts || !x->env->wait)
        return matrix_skip(x->matrix, "interrupts are not seen here");
    if (vcpu >= x->env->nr_vps)
        return matrix_skip(x->matrix, "there is one vCPU");
    int64_t got = XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, "41", vcpu, x->env->vector);
    if (got != 0)
        return xm_expect(x, 0, got);
    int64_t port = xm_bind_ipi(x, vcpu), other = xm_bind_ipi(x, vcpu);
    /* Xen interrupts when the vector is set; another vCPU may not be running just now */
    if (vcpu != 0)
        x->env->wait(x->env->ctx, 50 * MS_NS);
    matrix_await(x->matrix, vcpu, 0);
    xm_calm(x);
    xm_mask(x, (uint32_t)port, false);
    xm_mask(x, (uint32_t)other, false);
    for (uint32_t i = 0; i < nr_sends; i++)
        xm_send(x, (uint32_t)(i % 2 ? other : port));
    return xm_expect(x, 1, matrix_await(x->matrix, vcpu, 1));
}

static enum matrix_verdict upcall(struct xen *x)
{
    return upcalls(x, 0, 1);
}

static enum matrix_verdict upcall_of_other(struct xen *x)
{
    return upcalls(x, 1, 1);
}

/* There is one until the vCPU has taken it. */
static enum matrix_verdict upcall_once(struct xen *x)
{
    return upcalls(x, 0, 4);
}

static enum matrix_verdict no_upcall_when_masked(struct xen *x)
{
    if (!x->env->interrupts || !x->env->wait)
        return matrix_skip(x->matrix, "interrupts are not seen here");
    int64_t port = xm_bind_ipi(x, 0);
    matrix_await(x->matrix, 0, 0);
    xm_calm(x);
    xm_mask(x, (uint32_t)port, true);
    xm_send(x, (uint32_t)port);
    return xm_expect(x, 0, matrix_await(x->matrix, 0, 0));
}

static enum matrix_verdict many_ports(struct xen *x)
{
    uint32_t port[40];

    for (uint32_t i = 0; i < 40; i++) {
        int64_t got = xm_bind_ipi(x, 0);

        if (got <= 0)
            return matrix_fail(x->matrix, "no port", i, (uint64_t)got);
        port[i] = (uint32_t)got;
        for (uint32_t j = 0; j < i; j++)
            if (port[j] == port[i])
                return matrix_fail(x->matrix, "a port is given twice", i, port[i]);
    }
    xm_calm(x);
    for (uint32_t i = 0; i < 40; i += 2) {
        xm_mask(x, port[i], false);
        xm_send(x, port[i]);
    }
    for (uint32_t i = 0; i < 40; i++)
        if (xm_is_pending(x, port[i]) != (i % 2 == 0))
            return matrix_fail(x->matrix, "not the ports that were sent to", i, port[i]);
    return MATRIX_SUCCESS;
}

/* A guest may have as many as its toolstack allows, at most those of the ABI; then "no space". */
static enum matrix_verdict no_more_ports(struct xen *x)
{
    enum { MOST = 4096, PATIENCE_NS = 2000000000 };
    uint64_t begin = xm_now(x);
    uint32_t is_ours[MOST / 32] = {0}, limit = x->bits == 64 ? 4096 : 1024;
    int64_t got = 0;
    uint32_t highest = 0;
    bool is_slow = false;

    while ((got = EVTCHN(x, bind_ipi, "44", 0, 0)) == 0) {
        uint32_t port = (uint32_t)xm_out(x, "44", 1);

        if (port == 0 || port >= limit)
            break;
        is_ours[port / 32] |= 1u << port % 32;
        highest = port > highest ? port : highest;
        is_slow = port % 64 == 0 && xm_now(x) - begin > PATIENCE_NS;
        if (is_slow)
            break;
    }
    for (uint32_t port = 1; port < MOST; port++)
        if (is_ours[port / 32] >> port % 32 & 1)
            xm_close(x, port);
    if (is_slow)
        return matrix_skip(x->matrix, "it takes too long here");
    return got == NOSPC ? MATRIX_SUCCESS : matrix_fail(x->matrix, "not ENOSPC after the last", highest, (uint64_t)got);
}

static const struct xen_point sends[] = {
    {"an event", "by IPI", "src evtchn_2l_set_pending", ipi_arrives},
    {"an event", "waits while its port is masked", "event_channel.h; xen.h", masked_waits},
    {"EVTCHNOP_unmask", "tells of what waits", "event_channel.h", unmask_delivers},
    {"EVTCHNOP_unmask", "tells of nothing else", "event_channel.h", unmask_of_nothing},
    {"an event", "comes to the other end", "event_channel.h", other_end},
    {"an event", "by an unbound port goes nowhere", "src evtchn_send", unbound_goes_nowhere},
    {"EVTCHNOP_bind_interdomain", "is pending at once", "event_channel.h", binding_is_pending},
    {"EVTCHNOP_close", "takes what was pending", "src evtchn_free", close_clears},
    {"EVTCHNOP_close", "leaves the other end unbound", "event_channel.h", close_unbinds_other},
    {"EVTCHNOP_status", "names VIRQ and vCPU", "event_channel.h", status_of_virq},
    {"EVTCHNOP_status", "names the other end", "event_channel.h", status_of_loop},
    {"EVTCHNOP_status", "names who may come", "event_channel.h", status_of_unbound},
    {"EVTCHNOP_status", "names the PIRQ", "event_channel.h", status_of_pirq},
    {"EVTCHNOP_bind_virq", "a second time", "event_channel.h, note 3", virq_twice},
    {"EVTCHNOP_bind_virq", "a global one a second time", "src evtchn_bind_virq", global_twice},
    {"EVTCHNOP_bind_virq", "on two vCPUs", "event_channel.h, note 3", virq_on_two},
    {"EVTCHNOP_bind_virq", "again after it was closed", "src evtchn_close", virq_again},
    {"EVTCHNOP_bind_pirq", "a second time", "event_channel.h, note 1", pirq_twice},
    {"EVTCHNOP_bind_vcpu", "moves a global VIRQ", "event_channel.h", global_moves},
    {"EVTCHNOP_bind_vcpu", "does not outlive the port", "event_channel.h, note 3", binding_is_reset},
    {"an event", "tells the vCPU of the IPI", "event_channel.h", tells_the_right_vcpu},
    {"an event", "tells the vCPU that the port is bound to", "event_channel.h", tells_where_bound},
    {"an upcall", "comes", "hvm/hvm_op.h, set_evtchn_upcall_vector", upcall},
    {"an upcall", "comes to another vCPU", "hvm/hvm_op.h, set_evtchn_upcall_vector", upcall_of_other},
    {"an upcall", "comes once for several events", "src vcpu_mark_events_pending", upcall_once},
    {"an upcall", "does not come for a masked port", "src evtchn_2l_set_pending", no_upcall_when_masked},
    {"ports", "are different, and so are their words", "event_channel.h", many_ports},
};

static const struct xen_point limits[] = {
    {"ports", "come to an end", "src get_free_port", no_more_ports},
};

void xm_ask_evtchn(struct xen *x)
{
    XEN_RUN(x, sends);
    if (!x->is_fifo)
        XEN_RUN(x, limits);
}
