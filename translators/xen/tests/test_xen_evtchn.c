/* The port table: every operation on ports of every state. */
#include "xen_test.h"

enum { NR_VPS = 2 };

static void start_ports(struct mock *mock)
{
    start(mock, NR_VPS);
    map_shared(mock);
    set_vector(mock, 0);
    set_vector(mock, 1);
}

static int64_t close_port(struct mock *mock, uint32_t port)
{
    struct evtchn_close args = {.port = port};

    return EVTCHN(mock, close, &args);
}

static int64_t bind_vcpu(struct mock *mock, uint32_t port, uint32_t vp)
{
    struct evtchn_bind_vcpu args = {.port = port, .vcpu = vp};

    return EVTCHN(mock, bind_vcpu, &args);
}

static uint32_t alloc_unbound(struct mock *mock, uint16_t remote)
{
    struct evtchn_alloc_unbound args = {.dom = DOMID_SELF, .remote_dom = remote};

    assert_int_equal(EVTCHN(mock, alloc_unbound, &args), 0);
    return args.port;
}

static uint32_t bind_to(struct mock *mock, uint32_t remote)
{
    struct evtchn_bind_interdomain args = {.remote_dom = DOMID_SELF, .remote_port = remote};

    assert_int_equal(EVTCHN(mock, bind_interdomain, &args), 0);
    return args.local_port;
}

/* The guest has seen all events. */
static void acknowledge(struct mock *mock)
{
    memset(mock->ram + SHARED_GPA, 0, HVS_PAGE_BYTES);
}

/* One port of each kind. */
enum { UNBOUND = 1, LOCAL, REMOTE, VIRQ, GLOBAL_VIRQ, IPI, PIRQ, FREE };

static void make_ports(struct mock *mock)
{
    struct evtchn_bind_pirq pirq = {.pirq = 16};

    start_ports(mock);
    assert_int_equal(alloc_unbound(mock, 0), UNBOUND);
    assert_int_equal(alloc_unbound(mock, DOMID_SELF), LOCAL);
    assert_int_equal(bind_to(mock, LOCAL), REMOTE);
    assert_int_equal(bind_virq(mock, VIRQ_DEBUG, 1), VIRQ);
    assert_int_equal(bind_virq(mock, VIRQ_CON_RING, 0), GLOBAL_VIRQ);
    assert_int_equal(bind_ipi(mock, 1), IPI);
    assert_int_equal(EVTCHN(mock, bind_pirq, &pirq), 0);
    assert_int_equal(pirq.port, PIRQ);
    acknowledge(mock);
}

static void test_status(void **state)
{
    struct mock mock;
    struct evtchn_status s;

    (void)state;
    make_ports(&mock);
    s = status_of(&mock, UNBOUND);
    assert_int_equal(s.status, EVTCHNSTAT_unbound);
    assert_int_equal(s.u.unbound.dom, 0);
    s = status_of(&mock, LOCAL);
    assert_int_equal(s.status, EVTCHNSTAT_interdomain);
    assert_int_equal(s.u.interdomain.dom, 1);
    assert_int_equal(s.u.interdomain.port, REMOTE);
    assert_int_equal(status_of(&mock, REMOTE).u.interdomain.port, LOCAL);
    s = status_of(&mock, VIRQ);
    assert_int_equal(s.status, EVTCHNSTAT_virq);
    assert_int_equal(s.u.virq, VIRQ_DEBUG);
    assert_int_equal(s.vcpu, 1);
    s = status_of(&mock, IPI);
    assert_int_equal(s.status, EVTCHNSTAT_ipi);
    assert_int_equal(s.vcpu, 1);
    s = status_of(&mock, PIRQ);
    assert_int_equal(s.status, EVTCHNSTAT_pirq);
    assert_int_equal(s.u.pirq, 16);
    assert_int_equal(status_of(&mock, FREE).status, EVTCHNSTAT_closed);
    assert_int_equal(status_of(&mock, 0).status, EVTCHNSTAT_closed);
    assert_int_equal(status_of(&mock, 63).status, EVTCHNSTAT_closed);
    mock_stop(&mock);
}

/* Ports come by the bucket of 64: beyond there are none, not even closed ones. */
static void test_ports_that_do_not_exist(void **state)
{
    struct evtchn_status status = {.dom = DOMID_SELF, .port = 64};
    struct mock mock;

    (void)state;
    make_ports(&mock);
    assert_int_equal(EVTCHN(&mock, status, &status), -XEN_EINVAL);
    for (uint32_t port = FREE; port < 65; port++)
        assert_int_equal(bind_ipi(&mock, 0), port);
    assert_int_equal(status_of(&mock, 64).status, EVTCHNSTAT_ipi);
    assert_int_equal(close_port(&mock, 64), 0);
    assert_int_equal(status_of(&mock, 127).status, EVTCHNSTAT_closed);
    status = (struct evtchn_status){.dom = DOMID_SELF, .port = 128};
    assert_int_equal(EVTCHN(&mock, status, &status), -XEN_EINVAL);
    mock_stop(&mock);
}

static void test_bad_pirqs(void **state)
{
    static const struct {
        uint32_t pirq;
        int64_t result;
    } t[] = {{16, -XEN_EEXIST}, {17, 0}, {17, -XEN_EEXIST}, {256, -XEN_EINVAL}, {UINT32_MAX, -XEN_EINVAL}};
    struct mock mock;

    (void)state;
    make_ports(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct evtchn_bind_pirq args = {.pirq = t[i].pirq};

        assert_int_equal(EVTCHN(&mock, bind_pirq, &args), t[i].result);
    }
    mock_stop(&mock);
}

static void test_operations_by_state(void **state)
{
    static const struct {
        uint32_t port;
        int64_t send, bind_vcpu, close;
        uint32_t told;          /* who a send interrupts */
    } t[] = {
        {UNBOUND, 0, 0, 0, NOBODY},
        {LOCAL, 0, 0, 0, 0},
        {VIRQ, -XEN_EINVAL, -XEN_EINVAL, 0, NOBODY},
        {GLOBAL_VIRQ, -XEN_EINVAL, 0, 0, NOBODY},
        {IPI, 0, -XEN_EINVAL, 0, 1},
        {PIRQ, -XEN_EINVAL, 0, 0, NOBODY},
        {FREE, -XEN_EINVAL, -XEN_EINVAL, -XEN_EINVAL, NOBODY},
        {0, -XEN_EINVAL, -XEN_EINVAL, -XEN_EINVAL, NOBODY},
        {4096, -XEN_EINVAL, -XEN_EINVAL, -XEN_EINVAL, NOBODY},
        {UINT32_MAX, -XEN_EINVAL, -XEN_EINVAL, -XEN_EINVAL, NOBODY},
    };
    struct mock mock;

    (void)state;
    make_ports(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        assert_int_equal(send(&mock, t[i].port), t[i].send);
        assert_int_equal(interrupted(&mock), t[i].told);
        assert_int_equal(bind_vcpu(&mock, t[i].port, NR_VPS), -XEN_ENOENT);
        assert_int_equal(bind_vcpu(&mock, t[i].port, UINT32_MAX), -XEN_ENOENT);
        assert_int_equal(bind_vcpu(&mock, t[i].port, 1), t[i].bind_vcpu);
        if (t[i].bind_vcpu == 0)
            assert_int_equal(status_of(&mock, t[i].port).vcpu, 1);
        assert_int_equal(close_port(&mock, t[i].port), t[i].close);
        assert_int_equal(close_port(&mock, t[i].port), -XEN_EINVAL);
        assert_int_equal(mock.out.nr_effects, 0);
    }
    mock_stop(&mock);
}

static void test_interdomain(void **state)
{
    struct mock mock;

    (void)state;
    make_ports(&mock);
    assert_int_equal(bind_vcpu(&mock, REMOTE, 1), 0);
    assert_int_equal(send(&mock, LOCAL), 0);
    assert_int_equal(interrupted(&mock), 1);
    assert_true(ram32(&mock, SHARED_GPA + xen_layout64.pending) >> REMOTE & 1);
    assert_int_equal(close_port(&mock, REMOTE), 0);
    assert_false(ram32(&mock, SHARED_GPA + xen_layout64.pending) >> REMOTE & 1);
    assert_int_equal(status_of(&mock, LOCAL).status, EVTCHNSTAT_unbound);       /* as before, for the same partner */
    assert_int_equal(status_of(&mock, LOCAL).u.unbound.dom, 1);
    acknowledge(&mock);
    assert_int_equal(bind_to(&mock, LOCAL), REMOTE);
    assert_int_equal(interrupted(&mock), 0);    /* something may have been lost meanwhile */
    mock_stop(&mock);
}

static void test_bad_interdomain(void **state)
{
    static const struct {
        uint16_t dom;
        uint32_t port;
        int64_t result;
    } t[] = {
        {DOMID_SELF, UNBOUND, -XEN_EINVAL},     /* which waits for the host */
        {DOMID_SELF, LOCAL, -XEN_EINVAL},
        {DOMID_SELF, IPI, -XEN_EINVAL},
        {DOMID_SELF, FREE, -XEN_EINVAL},
        {DOMID_SELF, 0, -XEN_EINVAL},
        {DOMID_SELF, UINT32_MAX, -XEN_EINVAL},
        {DOMID_SELF, 0x10000 + UNBOUND, -XEN_EINVAL},
        {0, 1, -XEN_EINVAL},
        {2, 1, -XEN_ESRCH},
        {DOMID_INVALID, 1, -XEN_ESRCH},
    };
    struct mock mock;

    (void)state;
    make_ports(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct evtchn_bind_interdomain args = {.remote_dom = t[i].dom, .remote_port = t[i].port};

        assert_int_equal(EVTCHN(&mock, bind_interdomain, &args), t[i].result);
        assert_int_equal(status_of(&mock, FREE).status, EVTCHNSTAT_closed);
    }
    mock_stop(&mock);
}

static void test_bad_domains(void **state)
{
    static const struct {
        uint16_t dom;
        int64_t result;
    } t[] = {{1, 0}, {DOMID_SELF, 0}, {0, -XEN_EPERM}, {2, -XEN_ESRCH}, {DOMID_IO, -XEN_ESRCH}, {0xffff, -XEN_ESRCH}};
    struct mock mock;

    (void)state;
    make_ports(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct evtchn_alloc_unbound alloc = {.dom = t[i].dom, .remote_dom = 0};
        struct evtchn_status status = {.dom = t[i].dom, .port = IPI};
        struct evtchn_reset reset = {.dom = t[i].dom};

        assert_int_equal(EVTCHN(&mock, alloc_unbound, &alloc), t[i].result);
        assert_int_equal(EVTCHN(&mock, status, &status), t[i].result);
        if (t[i].result)
            assert_int_equal(EVTCHN(&mock, reset, &reset), t[i].result);
        assert_int_equal(status_of(&mock, IPI).status, EVTCHNSTAT_ipi);
    }
    mock_stop(&mock);
}

static void test_virqs(void **state)
{
    static const struct {
        uint32_t virq, vcpu;
        int64_t result;
    } t[] = {
        {VIRQ_TIMER, 0, 0},
        {VIRQ_TIMER, 0, -XEN_EEXIST},
        {VIRQ_TIMER, 1, 0},
        {VIRQ_DEBUG, 1, 0},
        {VIRQ_CONSOLE, 0, 0},
        {VIRQ_CONSOLE, 0, -XEN_EEXIST},
        {VIRQ_CONSOLE, 1, -XEN_EINVAL},
        {VIRQ_ARCH_7, 0, 0},
        {VIRQ_ARCH_7, NR_VPS, -XEN_EINVAL},
        {VIRQ_TIMER, NR_VPS, -XEN_ENOENT},
        {VIRQ_TIMER, UINT32_MAX, -XEN_ENOENT},
        {NR_VIRQS, 0, -XEN_EINVAL},
        {UINT32_MAX, 0, -XEN_EINVAL},
    };
    struct mock mock;
    uint32_t nr_bound = 0;

    (void)state;
    start_ports(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct evtchn_bind_virq args = {.virq = t[i].virq, .vcpu = t[i].vcpu};

        assert_int_equal(EVTCHN(&mock, bind_virq, &args), t[i].result);
        if (t[i].result == 0)
            assert_int_equal(args.port, ++nr_bound);
    }
    assert_int_equal(status_of(&mock, nr_bound + 1).status, EVTCHNSTAT_closed);
    assert_int_equal(bind_vcpu(&mock, 4, 1), 0);        /* the console's, which then is found again by closing */
    assert_int_equal(close_port(&mock, 4), 0);
    assert_int_equal(bind_virq(&mock, VIRQ_CONSOLE, 0), 4);
    mock_stop(&mock);
}

static void test_bad_ipi(void **state)
{
    static const uint32_t bad[] = {NR_VPS, HVS_MAX_VPS, 0x10000, UINT32_MAX};
    struct mock mock;

    (void)state;
    start_ports(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++) {
        struct evtchn_bind_ipi args = {.vcpu = bad[i]};

        assert_int_equal(EVTCHN(&mock, bind_ipi, &args), -XEN_ENOENT);
        assert_int_equal(status_of(&mock, 1).status, EVTCHNSTAT_closed);
    }
    mock_stop(&mock);
}

static void test_ports_run_out(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct evtchn_bind_ipi args = {.vcpu = 0};
        uint32_t nr_ports = bits == 64 ? 4096 : 1024;
        struct mock mock;

        start(&mock, 1);
        mock.regs.code_bits = bits;
        map_shared(&mock);
        for (uint32_t port = 1; port < nr_ports; port++)
            assert_int_equal(bind_ipi(&mock, 0), port);
        assert_int_equal(EVTCHN(&mock, bind_ipi, &args), -XEN_ENOSPC);
        assert_int_equal(close_port(&mock, 500), 0);
        assert_int_equal(bind_ipi(&mock, 0), 500);
        assert_int_equal(close_port(&mock, nr_ports), -XEN_EINVAL);
        mock_stop(&mock);
    }
}

static void test_reset(void **state)
{
    struct evtchn_reset args = {.dom = DOMID_SELF};
    struct mock mock;

    (void)state;
    make_ports(&mock);
    assert_int_equal(send(&mock, IPI), 0);
    assert_int_equal(EVTCHN(&mock, reset, &args), 0);
    for (uint32_t port = 1; port <= FREE; port++)
        assert_int_equal(status_of(&mock, port).status, EVTCHNSTAT_closed);
    assert_int_equal(ram64(&mock, SHARED_GPA + xen_layout64.pending), 0);
    assert_int_equal(bind_virq(&mock, VIRQ_DEBUG, 1), 1);       /* all VIRQs can be bound again */
    mock_stop(&mock);
}

/* Port 0 and closed ports may be unmasked, and nothing happens. */
static void test_unmask_of_unusable(void **state)
{
    static const struct {
        uint32_t port;
        int64_t result;
    } t[] = {{0, 0}, {FREE, 0}, {64, -XEN_EINVAL}, {4096, -XEN_EINVAL}, {UINT32_MAX, -XEN_EINVAL}};
    uint8_t before[HVS_PAGE_BYTES];
    struct mock mock;

    (void)state;
    make_ports(&mock);
    memset(mock.ram + SHARED_GPA, 0xff, HVS_PAGE_BYTES);
    memcpy(before, mock.ram + SHARED_GPA, sizeof(before));
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct evtchn_unmask args = {.port = t[i].port};

        assert_int_equal(EVTCHN(&mock, unmask, &args), t[i].result);
        assert_memory_equal(mock.ram + SHARED_GPA, before, sizeof(before));
    }
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_ports_that_do_not_exist),
        cmocka_unit_test(test_bad_pirqs),
        cmocka_unit_test(test_operations_by_state),
        cmocka_unit_test(test_interdomain),
        cmocka_unit_test(test_bad_interdomain),
        cmocka_unit_test(test_bad_domains),
        cmocka_unit_test(test_virqs),
        cmocka_unit_test(test_bad_ipi),
        cmocka_unit_test(test_ports_run_out),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_unmask_of_unusable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
