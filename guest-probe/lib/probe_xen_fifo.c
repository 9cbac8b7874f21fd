/*
 * Xen's FIFO event channels: control block, one page of event words, an event by its priority, and the way back.
 *
 * [XEN] public event_channel.h. Left out: several vCPUs, more than one page of words.
 */
#include "probe_xen.h"

#include "env.h"

enum { CONTROL_OFFSET = 0x100, PRIORITY = 3 };

static volatile struct evtchn_fifo_control_block *control;
static volatile event_word_t *words;

static int64_t init_control(uint8_t *page)
{
    struct evtchn_init_control init = {
        .control_gfn = (uintptr_t)page / XEN_PAGE_BYTES, .offset = CONTROL_OFFSET, .vcpu = probe_xen_state.vcpu_id};
    int64_t error = probe_xen_event_op(EVTCHNOP_init_control, &init);
    control = (void *)(page + CONTROL_OFFSET);
    return error == 0 && init.link_bits != EVTCHN_FIFO_LINK_BITS ? PROBE_XEN_NO_CALL : error;
}

static int64_t expand_array(void *page)
{
    struct evtchn_expand_array expand = {.array_gfn = (uintptr_t)page / XEN_PAGE_BYTES};
    words = page;
    return probe_xen_event_op(EVTCHNOP_expand_array, &expand);
}

/* Takes the event from the head of its queue as a guest's handler does. Returns whether all words were right. */
static bool take_event(evtchn_port_t port)
{
    uint8_t upcall = __atomic_exchange_n(&probe_xen_state.vcpu->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    uint32_t ready = __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);
    event_word_t word = __atomic_fetch_and(
        &words[port], ~(XEN_FIFO_PENDING | XEN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK), __ATOMIC_SEQ_CST);
    return upcall != 0 && ready == 1u << PRIORITY && control->head[PRIORITY] == port &&
           word == (XEN_FIFO_PENDING | XEN_FIFO_LINKED);
}

static enum probe_state test_event(struct text *evidence)
{
    struct evtchn_bind_ipi bind = {.vcpu = probe_xen_state.vcpu_id};
    int64_t error = probe_xen_event_op(EVTCHNOP_bind_ipi, &bind);
    if (error != 0)
        return probe_xen_failed(evidence, "bind_ipi", error);
    struct evtchn_set_priority priority = {.port = bind.port, .priority = PRIORITY};
    error = probe_xen_event_op(EVTCHNOP_set_priority, &priority);
    if (error != 0)
        return probe_xen_failed(evidence, "set_priority", error);
    probe_xen_settle();
    error = probe_xen_send(bind.port);
    if (error != 0)
        return probe_xen_failed(evidence, "send", error);
    bool has_arrived = env_interrupt_wait(PROBE_XEN_WAIT_NS);
    bool is_right = take_event(bind.port);
    text_add(evidence, "port %u by priority %u: interrupt %s, words %s", bind.port, PRIORITY,
             has_arrived ? "arrived" : "DID NOT ARRIVE", is_right ? "right" : "WRONG");
    return has_arrived && is_right ? PROBE_WORKS : PROBE_BROKEN;
}

/* The last of the event rows: the reset at its end closes all ports. */
enum probe_state probe_xen_test_fifo(const struct probe_interface *face, struct text *evidence)
{
    uint8_t *first = env_page(), *second = env_page();
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    enum probe_state state = PROBE_BROKEN;
    (void)face;
    if (!probe_xen_can_take_events(evidence, &state))
        return state;
    if (first == NULL || second == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no pages");
    int64_t error = init_control(first);
    if (error != 0)
        return probe_xen_failed(evidence, "init_control", error);
    error = expand_array(second);
    if (error != 0)
        return probe_xen_failed(evidence, "expand_array", error);
    state = test_event(evidence);
    error = probe_xen_event_op(EVTCHNOP_reset, &reset);
    probe_xen_state.ipi_port = probe_xen_state.timer_port = 0;
    return error == 0 ? state : probe_xen_failed(evidence, "reset", error);
}
