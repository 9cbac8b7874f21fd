/* FIFO event channels: what the guest finds in its words, and what it may do to them. */
#include "xen_test.h"

#include <pthread.h>

enum {
    CONTROL_GPA = 0x40000,      /* one page a vCPU */
    CONTROL_OFFSET = 0x80,
    ARRAY_GPA = 0x50000,
    READY = 0, HEAD = 8,        /* in a control block */
};

static int64_t init_control(struct mock *mock, uint32_t vp, uint64_t gfn, uint32_t offset)
{
    struct evtchn_init_control args = {.control_gfn = gfn, .offset = offset, .vcpu = vp};
    int64_t result = EVTCHN(mock, init_control, &args);

    if (result == 0)
        assert_int_equal(args.link_bits, 17);
    return result;
}

static int64_t expand_array(struct mock *mock, uint64_t gfn)
{
    struct evtchn_expand_array args = {.array_gfn = gfn};

    return EVTCHN(mock, expand_array, &args);
}

static int64_t set_priority(struct mock *mock, uint32_t port, uint32_t priority)
{
    struct evtchn_set_priority args = {.port = port, .priority = priority};

    return EVTCHN(mock, set_priority, &args);
}

static int64_t unmask(struct mock *mock, uint32_t port)
{
    struct evtchn_unmask args = {.port = port};

    return EVTCHN(mock, unmask, &args);
}

static uint64_t control_of(uint32_t vp)
{
    return CONTROL_GPA + vp * HVS_PAGE_BYTES + CONTROL_OFFSET;
}

/* A guest with two vCPUs, their vectors and control blocks, and one page of words. */
static void start_fifo(struct mock *mock, uint8_t bits)
{
    start(mock, 2);
    mock->regs.code_bits = bits;
    map_shared(mock);
    for (uint32_t vp = 0; vp < 2; vp++) {
        set_vector(mock, vp);
        assert_int_equal(init_control(mock, vp, (CONTROL_GPA >> 12) + vp, CONTROL_OFFSET), 0);
    }
    assert_int_equal(expand_array(mock, ARRAY_GPA >> 12), 0);
}

static uint32_t word(const struct mock *mock, uint32_t port)
{
    return ram32(mock, ARRAY_GPA + port * 4);
}

static void put32(struct mock *mock, uint64_t gpa, uint32_t value)
{
    memcpy(mock->ram + gpa, &value, sizeof(value));
}

static void put_word(struct mock *mock, uint32_t port, uint32_t value)
{
    put32(mock, ARRAY_GPA + port * 4, value);
}

static uint32_t head(const struct mock *mock, uint32_t vp, uint32_t priority)
{
    return ram32(mock, control_of(vp) + HEAD + priority * 4);
}

/* As a guest's handler works: takes the events of one vCPU by priority, ends them. Returns how many. */
static uint32_t consume(struct mock *mock, uint32_t vp, uint32_t *port, uint32_t max)
{
    uint32_t nr = 0, ready = ram32(mock, control_of(vp) + READY);

    mock->ram[SHARED_GPA + vp * XEN_VCPU_INFO_BYTES] = 0;
    put32(mock, control_of(vp) + READY, 0);
    for (uint32_t priority = 0; priority < XEN_FIFO_NR_QUEUES; priority++) {
        uint32_t at = ready >> priority & 1 ? head(mock, vp, priority) : 0;

        while (at) {
            uint32_t old = word(mock, at);

            assert_true(nr < max);
            put_word(mock, at, old & ~(XEN_FIFO_PENDING | XEN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK));
            if (old & XEN_FIFO_PENDING)
                port[nr++] = at;
            at = old & EVTCHN_FIFO_LINK_MASK;
            put32(mock, control_of(vp) + HEAD + priority * 4, at);
        }
    }
    return nr;
}

/* The guest of either width is told the same way: FIFO has one layout. */
static void test_one_event(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct mock mock;
        uint32_t port;

        start_fifo(&mock, bits);
        port = bind_ipi(&mock, 1);
        assert_int_equal(send(&mock, port), 0);
        assert_int_equal(word(&mock, port), XEN_FIFO_PENDING | XEN_FIFO_LINKED);
        assert_int_equal(head(&mock, 1, 7), port);
        assert_int_equal(ram32(&mock, control_of(1) + READY), 1 << 7);
        assert_int_equal(ram32(&mock, control_of(0) + READY), 0);
        assert_int_equal(mock.ram[SHARED_GPA + XEN_VCPU_INFO_BYTES], 1);
        assert_int_equal(ram64(&mock, SHARED_GPA + xen_layout(bits == 32)->pending), 0);
        assert_int_equal(interrupted(&mock), 1);
        mock_stop(&mock);
    }
}

static void test_order_and_priorities(void **state)
{
    enum { NR = 6 };
    static const uint32_t priority[NR] = {7, 7, 0, 15, 7, 0};
    static const uint32_t expected[NR] = {3, 6, 1, 2, 5, 4};            /* ports from 1 on, sent in their order */
    uint32_t port[NR];
    struct mock mock;

    (void)state;
    start_fifo(&mock, 64);
    for (uint32_t i = 0; i < NR; i++) {
        port[i] = bind_ipi(&mock, 0);
        assert_int_equal(set_priority(&mock, port[i], priority[i]), 0);
    }
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < NR; i++)
            assert_int_equal(send(&mock, port[i]), 0);
        assert_int_equal(send(&mock, port[0]), 0);              /* is pending already */
        assert_int_equal(consume(&mock, 0, port, NR), NR);
        for (uint32_t i = 0; i < NR; i++)
            assert_int_equal(port[i], expected[i]);
        for (uint32_t i = 0; i < NR; i++)
            port[i] = i + 1;
    }
    mock_stop(&mock);
}

static void test_mask(void **state)
{
    struct mock mock;
    uint32_t port, got;

    (void)state;
    start_fifo(&mock, 64);
    port = bind_ipi(&mock, 0);
    put_word(&mock, port, XEN_FIFO_MASKED);
    assert_int_equal(send(&mock, port), 0);
    assert_int_equal(word(&mock, port), XEN_FIFO_MASKED | XEN_FIFO_PENDING);
    assert_int_equal(interrupted(&mock), NOBODY);
    assert_int_equal(unmask(&mock, port), 0);
    assert_int_equal(interrupted(&mock), 0);
    assert_int_equal(consume(&mock, 0, &got, 1), 1);
    put_word(&mock, port, XEN_FIFO_MASKED);
    assert_int_equal(unmask(&mock, port), 0);
    assert_int_equal(word(&mock, port), 0);
    assert_int_equal(interrupted(&mock), NOBODY);
    mock_stop(&mock);
}

/* An event that changes its queue, by priority or by vCPU, is not linked to from the old one any more. */
static void test_move_between_queues(void **state)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_bind_interdomain connect = {.remote_dom = DOMID_SELF};
    struct evtchn_bind_vcpu move = {.vcpu = 1};
    uint32_t other, got[3];
    struct mock mock;

    (void)state;
    start_fifo(&mock, 64);
    assert_int_equal(EVTCHN(&mock, alloc_unbound, &alloc), 0);
    connect.remote_port = alloc.port;
    assert_int_equal(EVTCHN(&mock, bind_interdomain, &connect), 0);
    other = bind_ipi(&mock, 0);
    consume(&mock, 0, got, 3);

    assert_int_equal(send(&mock, connect.local_port), 0);       /* now the tail of vCPU 0's queue */
    move.port = alloc.port;
    assert_int_equal(EVTCHN(&mock, bind_vcpu, &move), 0);
    assert_int_equal(consume(&mock, 0, got, 3), 1);
    assert_int_equal(send(&mock, connect.local_port), 0);
    assert_int_equal(interrupted(&mock), 1);
    assert_int_equal(send(&mock, other), 0);                    /* must not be put behind it */
    assert_int_equal(interrupted(&mock), 0);
    assert_int_equal(consume(&mock, 0, got, 3), 1);
    assert_int_equal(got[0], other);
    assert_int_equal(consume(&mock, 1, got, 3), 1);
    assert_int_equal(got[0], alloc.port);
    mock_stop(&mock);
}

/* Events before there is a page for their words come when the guest gives it. */
static void test_event_before_its_word(void **state)
{
    struct mock mock;
    uint32_t before, after, got[2];

    (void)state;
    start(&mock, 2);
    map_shared(&mock);
    set_vector(&mock, 0);
    before = bind_ipi(&mock, 0);
    assert_int_equal(send(&mock, before), 0);                   /* 2-level */
    mock.ram[SHARED_GPA] = 0;
    assert_int_equal(init_control(&mock, 0, CONTROL_GPA >> 12, CONTROL_OFFSET), 0);
    after = bind_ipi(&mock, 0);
    assert_int_equal(send(&mock, after), 0);
    assert_int_equal(interrupted(&mock), NOBODY);
    assert_int_equal(expand_array(&mock, ARRAY_GPA >> 12), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_INJECT, NULL), 1);
    assert_true(hvs_vpset_has(&mock.out.set, 0));
    assert_int_equal(consume(&mock, 0, got, 2), 2);
    assert_int_equal(got[0], before);
    assert_int_equal(got[1], after);
    mock_stop(&mock);
}

static void test_bad_calls(void **state)
{
    static const struct {
        uint32_t vp;
        uint64_t gfn;
        uint32_t offset;
        int64_t result;
    } t[] = {
        {2, CONTROL_GPA >> 12, 0, -XEN_ENOENT},
        {UINT32_MAX, CONTROL_GPA >> 12, 0, -XEN_ENOENT},
        {0, CONTROL_GPA >> 12, 4096 - 72 + 8, -XEN_EINVAL},
        {0, CONTROL_GPA >> 12, UINT32_MAX & ~7u, -XEN_EINVAL},
        {0, CONTROL_GPA >> 12, 4, -XEN_EINVAL},
        {0, BAD_GPA >> 12, 0, -XEN_EINVAL},
        {0, UINT64_MAX, 0, -XEN_EINVAL},
    };
    struct mock mock;
    uint32_t port;

    (void)state;
    start(&mock, 2);
    map_shared(&mock);
    port = bind_ipi(&mock, 0);
    assert_int_equal(expand_array(&mock, ARRAY_GPA >> 12), -XEN_EOPNOTSUPP);
    assert_int_equal(set_priority(&mock, port, 0), -XEN_ENOSYS);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++)
        assert_int_equal(init_control(&mock, t[i].vp, t[i].gfn, t[i].offset), t[i].result);
    assert_int_equal(expand_array(&mock, ARRAY_GPA >> 12), -XEN_EOPNOTSUPP);    /* none of it has switched */
    assert_int_equal(init_control(&mock, 0, CONTROL_GPA >> 12, 4096 - 72), 0);
    assert_int_equal(init_control(&mock, 0, CONTROL_GPA >> 12, 0), -XEN_EINVAL);        /* once */
    assert_int_equal(expand_array(&mock, BAD_GPA >> 12), -XEN_EINVAL);
    assert_int_equal(expand_array(&mock, UINT64_MAX), -XEN_EINVAL);
    for (uint32_t i = 0; i < XEN_FIFO_MAX_PAGES; i++)
        assert_int_equal(expand_array(&mock, ARRAY_GPA >> 12), 0);
    assert_int_equal(expand_array(&mock, ARRAY_GPA >> 12), -XEN_ENOSPC);
    assert_int_equal(set_priority(&mock, port, 16), -XEN_EINVAL);
    assert_int_equal(set_priority(&mock, port, UINT32_MAX), -XEN_EINVAL);
    assert_int_equal(set_priority(&mock, port, 15), 0);
    assert_int_equal(set_priority(&mock, port + 1, 15), -XEN_EACCES);
    assert_int_equal(set_priority(&mock, 0, 15), -XEN_EACCES);
    assert_int_equal(set_priority(&mock, 64, 15), -XEN_EINVAL);
    mock_stop(&mock);
}

/* A vCPU without a control block loses its events, and says nothing of them. */
static void test_no_control_block(void **state)
{
    struct mock mock;
    uint32_t port;

    (void)state;
    start(&mock, 2);
    map_shared(&mock);
    set_vector(&mock, 1);
    assert_int_equal(init_control(&mock, 0, CONTROL_GPA >> 12, CONTROL_OFFSET), 0);
    assert_int_equal(expand_array(&mock, ARRAY_GPA >> 12), 0);
    port = bind_ipi(&mock, 1);
    assert_int_equal(send(&mock, port), 0);
    assert_int_equal(word(&mock, port), 0);
    assert_int_equal(mock.out.nr_effects, 0);
    mock_stop(&mock);
}

/* A closed port that the guest still has in a queue is not given again. */
static void test_busy_port_is_not_given(void **state)
{
    struct evtchn_close close;
    struct mock mock;
    uint32_t port, got;

    (void)state;
    start_fifo(&mock, 64);
    port = bind_ipi(&mock, 0);
    assert_int_equal(send(&mock, port), 0);
    close.port = port;
    assert_int_equal(EVTCHN(&mock, close, &close), 0);
    assert_int_equal(word(&mock, port), XEN_FIFO_LINKED);
    assert_int_equal(bind_ipi(&mock, 0), port + 1);
    assert_int_equal(consume(&mock, 0, &got, 1), 0);            /* it is not pending any more */
    assert_int_equal(bind_ipi(&mock, 0), port);
    mock_stop(&mock);
}

/* The queue where a port was last is remembered over its closing: it may still be that queue's tail. */
static void test_port_given_again_to_another_vcpu(void **state)
{
    struct evtchn_close close;
    struct mock mock;
    uint32_t port, other, got[2];

    (void)state;
    start_fifo(&mock, 64);
    port = bind_ipi(&mock, 1);
    other = bind_ipi(&mock, 1);
    assert_int_equal(send(&mock, port), 0);
    assert_int_equal(consume(&mock, 1, got, 2), 1);
    close.port = port;
    assert_int_equal(EVTCHN(&mock, close, &close), 0);
    mock_save_load_save(&mock);
    assert_int_equal(bind_ipi(&mock, 0), port);
    assert_int_equal(send(&mock, port), 0);
    assert_int_equal(send(&mock, other), 0);
    assert_int_equal(consume(&mock, 1, got, 2), 1);
    assert_int_equal(got[0], other);
    mock_stop(&mock);
}

/* --- a guest that takes events while they come -------------------------------------------------------------------- */

enum { NR_PORTS = 4, NR_SENDS = 20000, NR_FLIPS = 300000, NR_QUEUES_USED = 2 };

struct guest {
    struct mock *mock;
    uint32_t head[XEN_FIFO_NR_QUEUES];
    uint32_t nr_taken;
    _Atomic bool is_ending;
};

static _Atomic uint32_t *shared_word(const struct guest *guest, uint64_t gpa)
{
    return (_Atomic uint32_t *)(void *)(guest->mock->ram + gpa);
}

/* One event of a queue, as Linux does. Returns whether the queue may have more. */
static bool take_one(struct guest *guest, uint32_t queue)
{
    uint32_t port = guest->head[queue];
    _Atomic uint32_t *at;
    uint32_t old;

    if (port == 0)
        port = atomic_load(shared_word(guest, control_of(0) + HEAD + queue * 4));
    if (port == 0)
        return false;
    at = shared_word(guest, ARRAY_GPA + port * 4);
    old = atomic_load(at);
    while (!atomic_compare_exchange_strong(at, &old, old & ~(XEN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK)))
        ;
    guest->head[queue] = old & EVTCHN_FIFO_LINK_MASK;
    if (atomic_fetch_and(at, ~XEN_FIFO_PENDING) & XEN_FIFO_PENDING)
        guest->nr_taken++;
    return guest->head[queue] != 0;
}

static void take_all(struct guest *guest)
{
    uint32_t ready = atomic_exchange(shared_word(guest, control_of(0) + READY), 0);

    for (uint32_t queue = 0; queue < XEN_FIFO_NR_QUEUES; queue++) {
        while (ready >> queue & 1 && take_one(guest, queue))
            ;
    }
}

/* It may also mask what is queued, and unmask it again where it is not BUSY. */
static void play_with_masks(const struct guest *guest)
{
    for (uint32_t port = 1; port <= NR_PORTS; port++) {
        _Atomic uint32_t *at = shared_word(guest, ARRAY_GPA + port * 4);
        uint32_t old = atomic_load(at);

        if (!(old & XEN_FIFO_LINKED))
            continue;
        atomic_fetch_or(at, XEN_FIFO_MASKED);
        old = atomic_load(at);
        while (!atomic_compare_exchange_strong(at, &old, old & ~(XEN_FIFO_MASKED | XEN_FIFO_BUSY)))
            old &= ~XEN_FIFO_BUSY;
    }
}

static void *run_guest(void *arg)
{
    struct guest *guest = arg;

    while (!atomic_load(&guest->is_ending)) {
        play_with_masks(guest);
        take_all(guest);
    }
    return NULL;
}

/* However the two get in each other's way, no event stays behind and no word stays BUSY. */
static void test_both_at_work(void **state)
{
    struct mock mock;
    struct guest guest = {.mock = &mock};
    pthread_t thread;

    (void)state;
    start_fifo(&mock, 64);
    for (uint32_t port = 1; port <= NR_PORTS; port++) {
        assert_int_equal(bind_ipi(&mock, 0), port);
        assert_int_equal(set_priority(&mock, port, 5 + port % NR_QUEUES_USED), 0);
    }
    assert_int_equal(pthread_create(&thread, NULL, run_guest, &guest), 0);
    for (uint32_t i = 0; i < NR_SENDS; i++)
        assert_int_equal(send(&mock, 1 + i % NR_PORTS), 0);
    atomic_store(&guest.is_ending, true);
    pthread_join(thread, NULL);
    for (uint32_t port = 1; port <= NR_PORTS; port++)
        assert_int_equal(unmask(&mock, port), 0);
    for (uint32_t i = 0; i < 2; i++)
        take_all(&guest);
    for (uint32_t port = 1; port <= NR_PORTS; port++)
        assert_int_equal(word(&mock, port), 0);
    assert_in_range(guest.nr_taken, NR_PORTS, NR_SENDS);
    mock_stop(&mock);
}

static void *flip_masks(void *arg)
{
    const struct guest *guest = arg;
    _Atomic uint32_t *tail = shared_word(guest, ARRAY_GPA + 4);

    while (!atomic_load(&guest->is_ending)) {
        uint32_t old = atomic_load(tail) & ~XEN_FIFO_BUSY;

        if (!(old & XEN_FIFO_LINKED))
            continue;
        if (old & XEN_FIFO_MASKED)
            atomic_compare_exchange_strong(tail, &old, old & ~XEN_FIFO_MASKED);
        else
            atomic_fetch_or(tail, XEN_FIFO_MASKED);
    }
    return NULL;
}

/* The word of the tail changes all the time, by the rules: linking behind it takes several tries, and BUSY meanwhile. */
static void test_tail_that_changes(void **state)
{
    struct mock mock;
    struct guest guest = {.mock = &mock};
    pthread_t thread;

    (void)state;
    start_fifo(&mock, 64);
    assert_int_equal(bind_ipi(&mock, 0), 1);
    assert_int_equal(bind_ipi(&mock, 0), 2);
    assert_int_equal(pthread_create(&thread, NULL, flip_masks, &guest), 0);
    for (uint32_t i = 0; i < NR_FLIPS; i++) {
        uint32_t old = word(&mock, 1);

        assert_int_equal(send(&mock, 1), 0);
        assert_int_equal(unmask(&mock, 1), 0);
        assert_int_equal(send(&mock, 2), 0);
        take_all(&guest);
        assert_int_equal(word(&mock, 2), 0);                    /* it came, right behind or as the head */
        assert_int_equal(old & XEN_FIFO_BUSY, 0);
    }
    atomic_store(&guest.is_ending, true);
    pthread_join(thread, NULL);
    mock_stop(&mock);
}

static void test_reset_goes_back_to_2_level(void **state)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    struct mock mock;
    uint32_t port;

    (void)state;
    start_fifo(&mock, 64);
    port = bind_ipi(&mock, 0);
    assert_int_equal(send(&mock, port), 0);
    mock.ram[SHARED_GPA] = 0;
    assert_int_equal(EVTCHN(&mock, reset, &reset), 0);
    assert_int_equal(bind_ipi(&mock, 0), port);
    assert_int_equal(send(&mock, port), 0);
    assert_true(ram32(&mock, SHARED_GPA + xen_layout64.pending) >> port & 1);
    assert_int_equal(interrupted(&mock), 0);
    assert_int_equal(init_control(&mock, 0, CONTROL_GPA >> 12, CONTROL_OFFSET), 0);
    mock_stop(&mock);
}

/* Whatever the guest writes into its words while events come: each call ends, nothing else of RAM is touched. */
static void test_hostile_words(void **state)
{
    static const uint32_t nasty[] = {
        0, UINT32_MAX, XEN_FIFO_LINKED, XEN_FIFO_LINKED | XEN_FIFO_BUSY, XEN_FIFO_BUSY, EVTCHN_FIFO_LINK_MASK,
        XEN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK, XEN_FIFO_PENDING | XEN_FIFO_LINKED | 1, XEN_FIFO_MASKED, 0x0ffe0000,
    };
    enum { NR = 5, ROUNDS = 4000 };
    uint32_t seed = 1, port[NR];
    uint8_t before[HVS_PAGE_BYTES];
    struct mock mock;

    (void)state;
    start_fifo(&mock, 64);
    memset(before, 0xa5, sizeof(before));
    memcpy(mock.ram + ARRAY_GPA + HVS_PAGE_BYTES, before, sizeof(before));
    memcpy(mock.ram + ARRAY_GPA - HVS_PAGE_BYTES, before, sizeof(before));
    for (uint32_t i = 0; i < NR; i++)
        port[i] = bind_ipi(&mock, i % 2);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525 + 1013904223;
        put_word(&mock, port[seed >> 8 & 3], nasty[(seed >> 16) % HVS_ARRAY_SIZE(nasty)]);
        put32(&mock, control_of(seed >> 12 & 1) + (seed >> 20) % 18 * 4, nasty[(seed >> 24) % HVS_ARRAY_SIZE(nasty)]);
        assert_int_equal(set_priority(&mock, port[seed >> 28 & 3], seed >> 4 & 15), 0);
        assert_int_equal(send(&mock, port[(seed >> 10) % NR]), 0);
        assert_int_equal(unmask(&mock, port[(seed >> 13) % NR]), 0);
        assert_int_equal(mock.nr_pinned, 0);
    }
    assert_memory_equal(mock.ram + ARRAY_GPA + HVS_PAGE_BYTES, before, sizeof(before));
    assert_memory_equal(mock.ram + ARRAY_GPA - HVS_PAGE_BYTES, before, sizeof(before));
    mock_stop(&mock);
}

static void test_saved(void **state)
{
    struct mock mock;
    uint32_t first, second, got[2];

    (void)state;
    start_fifo(&mock, 64);
    first = bind_ipi(&mock, 1);
    second = bind_ipi(&mock, 1);
    assert_int_equal(set_priority(&mock, first, 3), 0);
    assert_int_equal(set_priority(&mock, second, 3), 0);
    assert_int_equal(send(&mock, first), 0);
    mock_save_load_save(&mock);
    assert_int_equal(send(&mock, second), 0);                   /* goes behind what was sent before */
    assert_int_equal(head(&mock, 1, 3), first);
    assert_int_equal(consume(&mock, 1, got, 2), 2);
    assert_int_equal(got[1], second);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_event),
        cmocka_unit_test(test_order_and_priorities),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_move_between_queues),
        cmocka_unit_test(test_event_before_its_word),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_no_control_block),
        cmocka_unit_test(test_busy_port_is_not_given),
        cmocka_unit_test(test_port_given_again_to_another_vcpu),
        cmocka_unit_test(test_both_at_work),
        cmocka_unit_test(test_tail_that_changes),
        cmocka_unit_test(test_reset_goes_back_to_2_level),
        cmocka_unit_test(test_hostile_words),
        cmocka_unit_test(test_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
