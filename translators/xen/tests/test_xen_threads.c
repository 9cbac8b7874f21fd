/*
 * Event delivery with all vCPUs running: a thread for each, one for the timers and one for the host; the guest's side as
 * Linux has it, 2-level and FIFO. What is sent must arrive, however the threads meet: each port stands for a number that
 * its sender counts up, and whoever handles an event looks it up, so an event that was lost leaves an old number behind;
 * a poll or a timer that is forgotten hangs. Run it with ThreadSanitizer (preset tsan).
 */
#include "xen_test.h"

#include <pthread.h>
#include <sched.h>

enum {
    NR_VPS = 4,
    NR_ROUNDS = 1600,
    ARGS_GPA = 0x60000,         /* one page a vCPU */
    FIFO_CONTROL_GPA = 0x70000, /* likewise */
    FIFO_ARRAY_GPA = 0x80000,
    FIFO_HEAD = 8,              /* in a control block */
    MAX_PORTS = 64,
};

struct test {
    struct mock mock;
    bool is_fifo;
    uint32_t ipi[NR_VPS][NR_VPS];       /* from, to */
    uint32_t poll[NR_VPS], timer[NR_VPS];
    struct hvs_xen_channel channel;     /* with the host; vCPU 0's */
    _Atomic uint64_t sent[NR_VPS][NR_VPS], seen[NR_VPS][NR_VPS];
    _Atomic uint64_t poll_sent[NR_VPS];
    _Atomic uint64_t host_sent, host_seen, nr_host_events;
    _Atomic bool is_interrupted[NR_VPS], is_woken[NR_VPS], has_timer[NR_VPS];
    _Atomic uint32_t nr_done;
    _Atomic bool is_over;
};

struct worker {
    struct test *test;
    uint32_t vp;
    pthread_t thread;
    struct hvs_regs regs;
    struct hvs_outcome out;
    uint32_t fifo_head[XEN_FIFO_NR_QUEUES];
};

/* --- a backend ---------------------------------------------------------------------------------------------------- */

static void on_event(void *ctx, uint32_t host_port)
{
    (void)host_port;
    atomic_fetch_add(&((struct test *)ctx)->nr_host_events, 1);
}

static void apply_to(struct test *test, const struct hvs_effect *effect, uint32_t vp)
{
    if (effect->kind == HVS_EFFECT_INJECT)
        atomic_store(&test->is_interrupted[vp], true);
    if (effect->kind == HVS_EFFECT_WAKE)
        atomic_store(&test->is_woken[vp], true);
}

/* Returns whether the vCPU is to sleep. */
static bool apply(struct test *test, const struct hvs_outcome *out)
{
    bool sleeps = false;

    for (uint32_t i = 0; i < out->nr_effects; i++) {
        const struct hvs_effect *effect = &out->effect[i];

        sleeps = sleeps || effect->kind == HVS_EFFECT_POLL;
        for (uint32_t vp = 0; vp < NR_VPS; vp++) {
            if (effect->target == HVS_TARGET_VP ? effect->vp == vp : hvs_vpset_has(&out->set, vp))
                apply_to(test, effect, vp);
        }
    }
    return sleeps;
}

static void *args_of(const struct worker *w)
{
    return w->test->mock.ram + ARGS_GPA + w->vp * HVS_PAGE_BYTES;
}

/* With what args_of() holds. */
static bool call(struct worker *w, uint64_t nr, uint64_t op, uint64_t vp)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_HYPERCALL};
    const uint64_t args_gpa = ARGS_GPA + w->vp * HVS_PAGE_BYTES;

    w->regs = (struct hvs_regs){.cr0 = HVS_CR0_PE, .code_bits = 64, .rax = nr, .rdi = op};
    w->regs.rsi = nr == __HYPERVISOR_vcpu_op ? vp : args_gpa;
    w->regs.rdx = args_gpa;
    assert_int_equal(hvs_vcpu_exit(mock_vcpu(&w->test->mock, w->vp), &exit, &w->regs, &w->out), HVS_HANDLED);
    assert_false(w->out.effects_lost);
    assert_int_equal((int64_t)w->regs.rax, 0);
    return apply(w->test, &w->out);
}

/* --- the guest's side --------------------------------------------------------------------------------------------- */

static void *at(const struct test *test, uint64_t gpa)
{
    return test->mock.ram + gpa;
}

static _Atomic uint32_t *fifo_word(const struct test *test, uint32_t port)
{
    return (_Atomic uint32_t *)at(test, FIFO_ARRAY_GPA) + port;
}

static _Atomic uint64_t *pending_word(const struct test *test)
{
    return at(test, SHARED_GPA + xen_layout(false)->pending);
}

static _Atomic uint64_t *mask_word(const struct test *test)
{
    return at(test, SHARED_GPA + xen_layout(false)->mask);
}

static bool take_pending(const struct test *test, uint32_t port)
{
    if (test->is_fifo)
        return atomic_fetch_and(fifo_word(test, port), ~XEN_FIFO_PENDING) & XEN_FIFO_PENDING;
    return atomic_fetch_and(pending_word(test), ~(1ull << port)) >> port & 1;
}

static void set_mask(const struct test *test, uint32_t port)
{
    if (test->is_fifo)
        atomic_fetch_or(fifo_word(test, port), XEN_FIFO_MASKED);
    else
        atomic_fetch_or(mask_word(test), 1ull << port);
}

static void handle(struct worker *w, uint32_t port)
{
    struct test *test = w->test;

    for (uint32_t from = 0; from < NR_VPS; from++) {
        if (test->ipi[from][w->vp] == port)
            atomic_store(&test->seen[from][w->vp], atomic_load(&test->sent[from][w->vp]));
    }
    if (port == test->timer[w->vp])
        atomic_store(&test->has_timer[w->vp], false);
    if (port == test->channel.guest_port)
        atomic_store(&test->host_seen, atomic_load(&test->host_sent));
}

/* Linux masks by vCPU; the ports of others are theirs to take. */
static bool is_mine(const struct worker *w, uint32_t port)
{
    bool is_mine = port == w->test->timer[w->vp] || (w->vp == 0 && port == w->test->channel.guest_port);

    for (uint32_t from = 0; from < NR_VPS; from++)
        is_mine = is_mine || w->test->ipi[from][w->vp] == port;
    return is_mine;
}

static void consume_2l(struct worker *w)
{
    const struct test *test = w->test;
    const uint64_t info = SHARED_GPA + w->vp * XEN_VCPU_INFO_BYTES;
    _Atomic uint8_t *upcall_pending = at(test, info);
    _Atomic uint64_t *selector = at(test, info + 8);

    do {
        atomic_store(upcall_pending, 0);
        if (!atomic_exchange(selector, 0))
            continue;
        for (uint32_t port = 1; port < MAX_PORTS; port++) {
            uint64_t ready = atomic_load(pending_word(test)) & ~atomic_load(mask_word(test));

            if (ready >> port & 1 && is_mine(w, port) && take_pending(test, port))
                handle(w, port);
        }
    } while (atomic_load(upcall_pending));
}

/* Takes the link of a word, unless it is linked anew meanwhile. */
static uint32_t clear_linked(_Atomic uint32_t *word)
{
    uint32_t old = atomic_load(word);

    while (!atomic_compare_exchange_weak(word, &old, old & ~(XEN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK)))
        ;
    return old & EVTCHN_FIFO_LINK_MASK;
}

static void consume_queue(struct worker *w, uint32_t queue, uint32_t *ready)
{
    _Atomic uint32_t *head = (_Atomic uint32_t *)at(w->test, FIFO_CONTROL_GPA + w->vp * HVS_PAGE_BYTES + FIFO_HEAD);
    uint32_t port = w->fifo_head[queue] ? w->fifo_head[queue] : atomic_load(&head[queue]);

    w->fifo_head[queue] = clear_linked(fifo_word(w->test, port));
    if (!w->fifo_head[queue])
        *ready &= ~(1u << queue);
    if (!(atomic_load(fifo_word(w->test, port)) & XEN_FIFO_MASKED) && take_pending(w->test, port))
        handle(w, port);
}

static void consume_fifo(struct worker *w)
{
    _Atomic uint32_t *control = at(w->test, FIFO_CONTROL_GPA + w->vp * HVS_PAGE_BYTES);
    _Atomic uint8_t *upcall_pending = at(w->test, SHARED_GPA + w->vp * XEN_VCPU_INFO_BYTES);
    uint32_t ready;

    do {
        atomic_store(upcall_pending, 0);
        ready = atomic_exchange(control, 0);
        while (ready) {
            consume_queue(w, (uint32_t)__builtin_ctz(ready), &ready);
            ready |= atomic_exchange(control, 0);
        }
    } while (atomic_load(upcall_pending));
}

static void take_interrupt(struct worker *w)
{
    if (!atomic_exchange(&w->test->is_interrupted[w->vp], false))
        return;
    if (w->test->is_fifo)
        consume_fifo(w);
    else
        consume_2l(w);
}

/* --- the threads -------------------------------------------------------------------------------------------------- */

static void send_to(struct worker *w, uint32_t port)
{
    *(struct evtchn_send *)args_of(w) = (struct evtchn_send){.port = port};
    call(w, __HYPERVISOR_event_channel_op, EVTCHNOP_send, 0);
}

static void unmask(struct worker *w, uint32_t port)
{
    set_mask(w->test, port);
    *(struct evtchn_unmask *)args_of(w) = (struct evtchn_unmask){.port = port};
    call(w, __HYPERVISOR_event_channel_op, EVTCHNOP_unmask, 0);
}

static void set_timer(struct worker *w)
{
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = hvs_vm_now_ns(w->test->mock.vm) + 100};

    if (atomic_exchange(&w->test->has_timer[w->vp], true))
        return;
    memcpy(args_of(w), &timer, sizeof(timer));
    call(w, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, w->vp);
}

/* As pv spinlocks do: the number is what counts, the event says to look again. Interrupts are off meanwhile, so only a
   WAKE ends the sleep. */
static void poll_until(struct worker *w, uint64_t number)
{
    struct test *test = w->test;
    const uint64_t args[3] = {ARGS_GPA + w->vp * HVS_PAGE_BYTES + 64, 1, 0};

    while (atomic_load(&test->poll_sent[w->vp]) < number) {
        take_pending(test, test->poll[w->vp]);
        if (atomic_load(&test->poll_sent[w->vp]) >= number)
            break;
        memcpy((uint8_t *)args_of(w) + 64, &test->poll[w->vp], sizeof(test->poll[0]));
        memcpy(args_of(w), args, sizeof(args));
        if (!call(w, __HYPERVISOR_sched_op, SCHEDOP_poll, 0))
            continue;
        while (!atomic_exchange(&test->is_woken[w->vp], false))
            sched_yield();
    }
}

static void *run_vcpu(void *argument)
{
    struct worker *w = argument;
    struct test *test = w->test;
    const uint32_t next = (w->vp + 1) % NR_VPS;

    for (uint64_t round = 1; round <= NR_ROUNDS; round++) {
        for (uint32_t to = 0; to < NR_VPS; to++) {
            atomic_store(&test->sent[w->vp][to], round);
            send_to(w, test->ipi[w->vp][to]);
        }
        take_interrupt(w);
        set_timer(w);
        if (round % 4 == 0)
            unmask(w, test->ipi[next][w->vp]);
        if (round % 8 == 0) {
            atomic_store(&test->poll_sent[next], round);
            send_to(w, test->poll[next]);
            poll_until(w, round);
        }
        if (round % 16 == 0)
            send_to(w, test->channel.guest_port);
    }
    atomic_fetch_add(&test->nr_done, 1);
    while (atomic_load(&test->nr_done) <= NR_VPS || atomic_load(&test->has_timer[w->vp])) {
        take_interrupt(w);
        sched_yield();
    }
    take_interrupt(w);
    return NULL;
}

static void *run_timers(void *argument)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_TIMER};
    struct test *test = argument;
    struct hvs_outcome out;

    while (!atomic_load(&test->is_over)) {
        mock_advance(&test->mock, 50);
        for (uint32_t vp = 0; vp < NR_VPS; vp++) {
            struct hvs_vcpu *vcpu = mock_vcpu(&test->mock, vp);

            if (hvs_vcpu_deadline_ns(vcpu) > hvs_vm_now_ns(test->mock.vm))
                continue;
            assert_int_equal(hvs_vcpu_exit(vcpu, &exit, NULL, &out), HVS_HANDLED);
            apply(test, &out);
        }
        sched_yield();
    }
    return NULL;
}

static void *run_host(void *argument)
{
    struct test *test = argument;
    const struct hvs_exit exit = {
        .kind = HVS_EXIT_HOST, .host = {&hvs_xen_personality, HVS_XEN_CHANNEL_SEND, &test->channel}};
    struct hvs_outcome out;

    for (uint64_t round = 1; round <= NR_ROUNDS; round++) {
        atomic_store(&test->host_sent, round);
        assert_int_equal(hvs_vcpu_exit(mock_vcpu(&test->mock, round % NR_VPS), &exit, NULL, &out), HVS_HANDLED);
        apply(test, &out);
        sched_yield();
    }
    atomic_fetch_add(&test->nr_done, 1);
    return NULL;
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

static void relax(void)
{
    sched_yield();
}

static void start_fifo(struct test *test)
{
    struct evtchn_expand_array array = {.array_gfn = FIFO_ARRAY_GPA >> HVS_PAGE_SHIFT};

    for (uint32_t vp = 0; vp < NR_VPS; vp++) {
        struct evtchn_init_control control = {.control_gfn = (FIFO_CONTROL_GPA >> HVS_PAGE_SHIFT) + vp, .vcpu = vp};

        assert_int_equal(EVTCHN(&test->mock, init_control, &control), 0);
    }
    assert_int_equal(EVTCHN(&test->mock, expand_array, &array), 0);
}

static void offer_channel(struct test *test)
{
    const struct hvs_exit exit = {
        .kind = HVS_EXIT_HOST, .host = {&hvs_xen_personality, HVS_XEN_CHANNEL_OFFER, &test->channel}};
    struct hvs_outcome out;

    assert_int_equal(hvs_vcpu_exit(mock_vcpu(&test->mock, 0), &exit, NULL, &out), HVS_HANDLED);
    assert_int_equal(out.value, HVS_OK);
}

static void set_up(struct test *test, struct hvs_xen_options *options, bool is_fifo)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};

    *options = (struct hvs_xen_options){.size = sizeof(*options), .on_event = on_event, .ctx = test};
    mock_config(&test->mock, list, NR_VPS);
    test->mock.config.slot[0].options = options;
    test->mock.config.relax = relax;
    assert_int_equal(mock_start(&test->mock), HVS_OK);
    test->is_fifo = is_fifo;
    map_shared(&test->mock);
    if (is_fifo)
        start_fifo(test);
    for (uint32_t vp = 0; vp < NR_VPS; vp++) {
        set_vector(&test->mock, vp);
        for (uint32_t from = 0; from < NR_VPS; from++)
            test->ipi[from][vp] = bind_ipi(&test->mock, vp);
        test->timer[vp] = bind_virq(&test->mock, VIRQ_TIMER, vp);
        test->poll[vp] = bind_ipi(&test->mock, vp);
        set_mask(test, test->poll[vp]);
    }
    offer_channel(test);
}

static void check_all_arrived(struct test *test)
{
    for (uint32_t from = 0; from < NR_VPS; from++) {
        for (uint32_t to = 0; to < NR_VPS; to++)
            assert_int_equal(atomic_load(&test->seen[from][to]), NR_ROUNDS);
    }
    assert_int_equal(atomic_load(&test->host_seen), NR_ROUNDS);
    assert_int_equal(atomic_load(&test->nr_host_events), NR_VPS * (NR_ROUNDS / 16));
}

static void run(bool is_fifo)
{
    static struct worker worker[NR_VPS];
    static struct test test;
    struct hvs_xen_options options;
    pthread_t timers, host;

    memset(&test, 0, sizeof(test));
    set_up(&test, &options, is_fifo);
    assert_int_equal(pthread_create(&timers, NULL, run_timers, &test), 0);
    for (uint32_t vp = 0; vp < NR_VPS; vp++) {
        worker[vp] = (struct worker){.test = &test, .vp = vp};
        assert_int_equal(pthread_create(&worker[vp].thread, NULL, run_vcpu, &worker[vp]), 0);
    }
    assert_int_equal(pthread_create(&host, NULL, run_host, &test), 0);
    for (uint32_t vp = 0; vp < NR_VPS; vp++)
        pthread_join(worker[vp].thread, NULL);
    pthread_join(host, NULL);
    atomic_store(&test.is_over, true);
    pthread_join(timers, NULL);
    check_all_arrived(&test);
    mock_stop(&test.mock);
}

static void test_2l(void **state)
{
    (void)state;
    run(false);
}

static void test_fifo(void **state)
{
    (void)state;
    run(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_2l),
        cmocka_unit_test(test_fifo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
