/*
 * Xen's event channels in their 2-level form, delivered by a vector, and the timers that use one.
 *
 * [XEN] public event_channel.h, hvm/hvm_op.h, vcpu.h. FIFO channels: probe_xen_fifo.c. Left out: delivery by a line,
 * channels to other domains.
 */
#include "probe_xen.h"

#include "cpu.h"
#include "env.h"
#include "pvclock.h"

enum {
    SETTLE_NS = 1000000,
    TIMER_NS = 2000000,
    FAR_NS = 1000000000,
    WORD_BITS = 64,
    UNKNOWN_PARAM = HVM_NR_PARAMS + 100,
    CALLBACK_BY_GSI_1 = 1,              /* what Linux sets beside the vector, as a word to the toolstack */
};


int64_t probe_xen_event_op(uint32_t command, void *structure)
{
    return probe_xen_call(__HYPERVISOR_event_channel_op, command, structure);
}

/* --- delivery ----------------------------------------------------------------------------------------------------- */

bool probe_xen_has_upcall_vector(const struct probe_interface *face)
{
    struct env_cpuid regs;
    if (face->max_leaf - face->base < 4)
        return false;
    env_cpuid(face->base + 4, 0, &regs);
    return (regs.eax & XEN_HVM_CPUID_UPCALL_VECTOR) != 0;
}

enum probe_state probe_xen_test_upcall_vector(const struct probe_interface *face, struct text *evidence)
{
    struct xen_hvm_evtchn_upcall_vector upcall = {.vcpu = probe_xen_state.vcpu_id, .vector = env_vector()};
    struct xen_hvm_evtchn_upcall_vector low = {.vcpu = probe_xen_state.vcpu_id, .vector = 1};
    (void)face;
    int64_t error = probe_xen_call(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &upcall);
    if (error != 0)
        return probe_xen_failed(evidence, "set_evtchn_upcall_vector", error);
    error = probe_xen_call(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &low);
    text_add(evidence, "vector 0x%x set, vector 1 gives %" PRId64, upcall.vector, error);
    return error == -XEN_EINVAL ? PROBE_WORKS : PROBE_BROKEN;
}

static int64_t get_param(uint32_t index, uint64_t *value)
{
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = index};
    int64_t error = probe_xen_call(__HYPERVISOR_hvm_op, HVMOP_get_param, &param);
    *value = param.value;
    return error;
}

enum probe_state probe_xen_test_params(const struct probe_interface *face, struct text *evidence)
{
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ, .value = CALLBACK_BY_GSI_1};
    uint64_t value;
    (void)face;
    int64_t error = probe_xen_call(__HYPERVISOR_hvm_op, HVMOP_set_param, &param);
    if (error != 0)
        return probe_xen_failed(evidence, "set_param CALLBACK_IRQ", error);
    error = get_param(HVM_PARAM_CALLBACK_IRQ, &value);
    if (error != 0)
        return probe_xen_failed(evidence, "get_param CALLBACK_IRQ", error);
    if (value != CALLBACK_BY_GSI_1)
        return probe_say(PROBE_BROKEN, evidence, "CALLBACK_IRQ reads 0x%" PRIx64, value);
    error = get_param(UNKNOWN_PARAM, &value);
    text_add(evidence, "CALLBACK_IRQ reads back, parameter %u gives %" PRId64, UNKNOWN_PARAM, error);
    return error == -XEN_EINVAL ? PROBE_WORKS : PROBE_BROKEN;
}

/* --- ports -------------------------------------------------------------------------------------------------------- */

static int64_t port_status(evtchn_port_t port, uint32_t *status)
{
    struct evtchn_status query = {.dom = DOMID_SELF, .port = port};
    int64_t error = probe_xen_event_op(EVTCHNOP_status, &query);
    *status = query.status;
    return error;
}

static int64_t close_port(evtchn_port_t port)
{
    struct evtchn_close close = {.port = port};
    return probe_xen_event_op(EVTCHNOP_close, &close);
}

enum probe_state probe_xen_test_ports(const struct probe_interface *face, struct text *evidence)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    uint32_t before, after;
    (void)face;
    int64_t error = probe_xen_event_op(EVTCHNOP_alloc_unbound, &alloc);
    if (error != 0)
        return probe_xen_failed(evidence, "alloc_unbound", error);
    error = port_status(alloc.port, &before);
    if (error != 0)
        return probe_xen_failed(evidence, "status", error);
    error = close_port(alloc.port);
    if (error != 0)
        return probe_xen_failed(evidence, "close", error);
    port_status(alloc.port, &after);
    text_add(evidence, "port %u: status %u, closed %u", alloc.port, before, after);
    return alloc.port != 0 && before == EVTCHNSTAT_unbound && after == EVTCHNSTAT_closed ? PROBE_WORKS : PROBE_BROKEN;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void unmask(evtchn_port_t port)
{
    volatile struct shared_info *shared = probe_xen_state.shared;
    __atomic_fetch_and(&shared->evtchn_mask[port / WORD_BITS], ~(1ul << port % WORD_BITS), __ATOMIC_SEQ_CST);
}

/* Takes the event of `port` as a guest's upcall handler does. Returns whether it was there at all three levels. */
static bool take_event(evtchn_port_t port)
{
    volatile struct vcpu_info *vcpu = probe_xen_state.vcpu;
    xen_ulong_t word = port / WORD_BITS, bit = 1ul << port % WORD_BITS;

    uint8_t upcall = __atomic_exchange_n(&vcpu->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    xen_ulong_t selector = __atomic_exchange_n(&vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    bool is_pending = (probe_xen_state.shared->evtchn_pending[word] & bit) != 0;
    __atomic_fetch_and(&probe_xen_state.shared->evtchn_pending[word], ~bit, __ATOMIC_SEQ_CST);
    return upcall != 0 && (selector & 1ul << word) != 0 && is_pending;
}

void probe_xen_settle(void)
{
    env_interrupt_arm();
    env_interrupt_wait(SETTLE_NS);
    __atomic_exchange_n(&probe_xen_state.vcpu->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    __atomic_exchange_n(&probe_xen_state.vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    env_interrupt_arm();
}

void probe_xen_forget(evtchn_port_t port)
{
    volatile struct shared_info *shared = probe_xen_state.shared;
    __atomic_fetch_and(&shared->evtchn_pending[port / WORD_BITS], ~(1ul << port % WORD_BITS), __ATOMIC_SEQ_CST);
}

bool probe_xen_can_take_events(struct text *evidence, enum probe_state *state)
{
    bool has_pages = probe_xen_state.shared != NULL && probe_xen_state.vcpu != NULL;
    if (!has_pages)
        *state = probe_say(PROBE_BROKEN, evidence, "no shared_info or vcpu_info");
    else if (env_vector() == 0)
        *state = probe_say(PROBE_UNTESTED, evidence, "takes no interrupts");
    return has_pages && env_vector() != 0;
}

int64_t probe_xen_send(evtchn_port_t port)
{
    struct evtchn_send to = {.port = port};
    return probe_xen_event_op(EVTCHNOP_send, &to);
}

enum probe_state probe_xen_test_ipi(const struct probe_interface *face, struct text *evidence)
{
    struct evtchn_bind_ipi bind = {.vcpu = probe_xen_state.vcpu_id};
    enum probe_state state = PROBE_BROKEN;
    (void)face;
    if (!probe_xen_can_take_events(evidence, &state))
        return state;
    int64_t error = probe_xen_event_op(EVTCHNOP_bind_ipi, &bind);
    if (error != 0)
        return probe_xen_failed(evidence, "bind_ipi", error);
    probe_xen_state.ipi_port = bind.port;
    unmask(bind.port);
    probe_xen_settle();
    error = probe_xen_send(bind.port);
    if (error != 0)
        return probe_xen_failed(evidence, "send", error);
    bool has_arrived = env_interrupt_wait(PROBE_XEN_WAIT_NS);
    bool is_marked = take_event(bind.port);
    text_add(evidence, "port %u: interrupt %s, pending bits %s", bind.port, has_arrived ? "arrived" : "DID NOT ARRIVE",
             is_marked ? "right" : "WRONG");
    return has_arrived && is_marked ? PROBE_WORKS : PROBE_BROKEN;
}

bool probe_xen_has_callback_vector(const struct probe_interface *face)
{
    struct xen_feature_info info = {.submap_idx = 0};
    (void)face;
    return probe_xen_call(__HYPERVISOR_xen_version, XENVER_get_features, &info) == 0 &&
           (info.submap & 1u << XENFEAT_hvm_callback_vector) != 0;
}

/* Before the vCPU has a vector of its own, which would go before and cannot be given up. */
enum probe_state probe_xen_test_callback_vector(const struct probe_interface *face, struct text *evidence)
{
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ};
    struct evtchn_bind_ipi bind = {.vcpu = probe_xen_state.vcpu_id};
    enum probe_state state = PROBE_BROKEN;
    (void)face;
    if (!probe_xen_can_take_events(evidence, &state))
        return state;
    param.value = (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | env_vector();
    int64_t error = probe_xen_call(__HYPERVISOR_hvm_op, HVMOP_set_param, &param);
    if (error != 0)
        return probe_xen_failed(evidence, "set_param CALLBACK_IRQ", error);
    error = probe_xen_event_op(EVTCHNOP_bind_ipi, &bind);
    if (error != 0)
        return probe_xen_failed(evidence, "bind_ipi", error);
    unmask(bind.port);
    probe_xen_settle();
    error = probe_xen_send(bind.port);
    bool has_arrived = env_interrupt_wait(PROBE_XEN_WAIT_NS);
    bool is_marked = take_event(bind.port);
    close_port(bind.port);
    param.value = 0;
    probe_xen_call(__HYPERVISOR_hvm_op, HVMOP_set_param, &param);
    text_add(evidence, "vector 0x%x past the APIC: interrupt %s, pending bits %s", env_vector(),
             has_arrived ? "arrived" : "DID NOT ARRIVE", is_marked ? "right" : "WRONG");
    return error == 0 && has_arrived && is_marked ? PROBE_WORKS : PROBE_BROKEN;
}

/* From sending to the end of the handler. */
void probe_xen_send_ipi(const struct probe_interface *face)
{
    (void)face;
    env_interrupt_arm();
    probe_xen_send(probe_xen_state.ipi_port);
    env_interrupt_wait(PROBE_XEN_WAIT_NS);
    take_event(probe_xen_state.ipi_port);
}

/* --- timer -------------------------------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    uint64_t tsc;
    return pvclock_read((const volatile void *)&probe_xen_state.vcpu->time, &tsc);
}

static int64_t set_timer(uint64_t deadline_ns)
{
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = deadline_ns};
    return probe_xen_vcpu_op(VCPUOP_set_singleshot_timer, &timer);
}

/* As Linux ticks, each from the one before; Xen's periodic timer counts from the time that it was served. */
static enum probe_state keep_rate(struct text *evidence)
{
    uint64_t tick[PROBE_LONG_NR_TICKS], deadline_ns = now_ns();
    env_interrupt_arm();
    for (uint32_t i = 0; i < PROBE_LONG_NR_TICKS; i++) {
        deadline_ns += PROBE_LONG_PERIOD_MS * 1000000ull;
        int64_t error = set_timer(deadline_ns);
        if (error != 0)
            return probe_xen_failed(evidence, "set_singleshot_timer", error);
        do {
            if (!env_interrupt_wait(PROBE_XEN_WAIT_NS))
                return probe_say(PROBE_BROKEN, evidence, "%u events, then none", i);
            env_interrupt_arm();
        } while (!take_event(probe_xen_state.timer_port));
        tick[i] = cpu_rdtsc();
    }
    return probe_judge_ticks(tick, evidence);
}

enum probe_state probe_xen_test_timer(const struct probe_interface *face, struct text *evidence)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER, .vcpu = probe_xen_state.vcpu_id};
    enum probe_state state = PROBE_BROKEN;
    (void)face;
    if (!probe_xen_can_take_events(evidence, &state))
        return state;
    int64_t error = probe_xen_event_op(EVTCHNOP_bind_virq, &bind);
    if (error != 0)
        return probe_xen_failed(evidence, "bind_virq", error);
    probe_xen_state.timer_port = bind.port;
    unmask(bind.port);
    probe_xen_settle();
    uint64_t deadline_ns = now_ns() + TIMER_NS;
    error = set_timer(deadline_ns);
    if (error != 0)
        return probe_xen_failed(evidence, "set_singleshot_timer", error);
    if (!env_interrupt_wait(PROBE_XEN_WAIT_NS))
        return probe_say(PROBE_BROKEN, evidence, "no event within %u ms", (uint32_t)(PROBE_XEN_WAIT_NS / 1000000));
    uint64_t fired_ns = now_ns();
    if (!take_event(bind.port))
        return probe_say(PROBE_BROKEN, evidence, "an interrupt without its pending bits");
    if (fired_ns < deadline_ns)
        return probe_say(PROBE_BROKEN, evidence, "fired %" PRIu64 " ns too early", deadline_ns - fired_ns);
    if (probe_current_options()->is_long)
        return keep_rate(evidence);
    return probe_say(PROBE_WORKS, evidence, "fired %" PRIu64 " ns after its time", fired_ns - deadline_ns);
}

/* Uses the port that the singleshot timer has bound. */
enum probe_state probe_xen_test_periodic_timer(const struct probe_interface *face, struct text *evidence)
{
    enum { NR_TICKS = 3 };
    struct vcpu_set_periodic_timer timer = {.period_ns = TIMER_NS};
    uint64_t began_ns = now_ns();
    uint32_t nr = 0;
    (void)face;
    if (probe_xen_state.timer_port == 0)
        return probe_say(PROBE_UNTESTED, evidence, "VIRQ_TIMER is not bound");
    probe_xen_settle();
    int64_t error = probe_xen_vcpu_op(VCPUOP_set_periodic_timer, &timer);
    if (error != 0)
        return probe_xen_failed(evidence, "set_periodic_timer", error);
    while (nr < NR_TICKS && env_interrupt_wait(PROBE_XEN_WAIT_NS)) {
        env_interrupt_arm();
        if (take_event(probe_xen_state.timer_port))
            nr++;
    }
    uint64_t took_ns = now_ns() - began_ns;
    probe_xen_vcpu_op(VCPUOP_stop_periodic_timer, NULL);
    probe_xen_settle();
    text_add(evidence, "%u events in %" PRIu64 " ns", nr, took_ns);
    return nr == NR_TICKS && took_ns >= (NR_TICKS - 1) * (uint64_t)TIMER_NS ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_xen_set_timer(const struct probe_interface *face)
{
    (void)face;
    set_timer(now_ns() + FAR_NS);
}

void probe_xen_close_ports(void)
{
    if (probe_xen_state.timer_port != 0) {
        probe_xen_vcpu_op(VCPUOP_stop_singleshot_timer, NULL);
        close_port(probe_xen_state.timer_port);
    }
    if (probe_xen_state.ipi_port != 0)
        close_port(probe_xen_state.ipi_port);
}
