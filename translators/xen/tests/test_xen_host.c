/* The host's end of event channels, by requests of the VMM. */
#include "xen_test.h"

static uint32_t nr_told, told_port;

static void on_event(void *ctx, uint32_t host_port)
{
    assert_ptr_equal(ctx, &nr_told);
    nr_told++;
    told_port = host_port;
}

static const struct hvs_xen_options options = {.size = sizeof(options), .on_event = on_event, .ctx = &nr_told};

static void start_host(struct mock *mock)
{
    nr_told = told_port = 0;
    start_with(mock, 2, &options);
    map_shared(mock);
    set_vector(mock, 0);
    set_vector(mock, 1);
}

static int64_t ask(struct mock *mock, uint32_t request, void *data)
{
    assert_int_equal(mock_host(mock, 0, &hvs_xen_personality, request, data), HVS_HANDLED);
    return (int64_t)mock->out.value;
}

static struct hvs_xen_channel offer(struct mock *mock)
{
    struct hvs_xen_channel channel = {0};

    assert_int_equal(ask(mock, HVS_XEN_CHANNEL_OFFER, &channel), HVS_OK);
    return channel;
}

/* The guest has seen all events. */
static void acknowledge(struct mock *mock)
{
    memset(mock->ram + SHARED_GPA, 0, HVS_PAGE_BYTES);
}

static void test_offered_channel(void **state)
{
    struct mock mock;
    struct hvs_xen_channel channel;
    struct evtchn_status s;

    (void)state;
    start_host(&mock);
    channel = offer(&mock);
    s = status_of(&mock, channel.guest_port);
    assert_int_equal(s.status, EVTCHNSTAT_interdomain);
    assert_int_equal(s.u.interdomain.dom, 0);
    assert_int_equal(s.u.interdomain.port, channel.host_port);
    assert_int_equal(send(&mock, channel.guest_port), 0);
    assert_int_equal(nr_told, 1);
    assert_int_equal(told_port, channel.host_port);
    assert_int_equal(interrupted(&mock), NOBODY);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &channel), HVS_OK);
    assert_int_equal(interrupted(&mock), 0);
    assert_true(ram32(&mock, SHARED_GPA + xen_layout64.pending) >> channel.guest_port & 1);
    mock_stop(&mock);
}

/* Windows drivers: status of the port, reset, and then they bind to the same port of the host. */
static void test_guest_binds_again(void **state)
{
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    struct evtchn_bind_interdomain bind = {.remote_dom = 0};
    struct hvs_xen_channel channel;
    struct mock mock;

    (void)state;
    start_host(&mock);
    channel = offer(&mock);
    bind.remote_port = channel.host_port;
    assert_int_equal(EVTCHN(&mock, bind_interdomain, &bind), -XEN_EINVAL);      /* it is taken */
    assert_int_equal(EVTCHN(&mock, reset, &reset), 0);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &channel), HVS_OK);
    assert_int_equal(mock.out.nr_effects, 0);
    bind_ipi(&mock, 1);
    assert_int_equal(EVTCHN(&mock, bind_interdomain, &bind), 0);
    assert_int_equal(interrupted(&mock), 0);
    assert_int_not_equal(bind.local_port, channel.guest_port);
    acknowledge(&mock);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &channel), HVS_OK);
    assert_int_equal(interrupted(&mock), 0);
    assert_true(ram32(&mock, SHARED_GPA + xen_layout64.pending) >> bind.local_port & 1);
    assert_int_equal(send(&mock, bind.local_port), 0);
    assert_int_equal(nr_told, 1);
    mock_stop(&mock);
}

static void test_accepted_channel(void **state)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 0};
    struct evtchn_alloc_unbound own = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct hvs_xen_channel channel;
    struct mock mock;

    (void)state;
    start_host(&mock);
    assert_int_equal(EVTCHN(&mock, alloc_unbound, &alloc), 0);
    assert_int_equal(EVTCHN(&mock, alloc_unbound, &own), 0);
    assert_int_equal(send(&mock, alloc.port), 0);
    assert_int_equal(nr_told, 0);
    channel = (struct hvs_xen_channel){.guest_port = alloc.port};
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_ACCEPT, &channel), HVS_OK);
    assert_int_equal(nr_told, 1);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_ACCEPT, &channel), HVS_ENOENT);
    assert_int_equal(send(&mock, alloc.port), 0);
    assert_int_equal(nr_told, 2);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_CLOSE, &channel), HVS_OK);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_CLOSE, &channel), HVS_ENOENT);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &channel), HVS_ENOENT);
    assert_int_equal(status_of(&mock, alloc.port).status, EVTCHNSTAT_unbound);
    assert_int_equal(send(&mock, alloc.port), 0);
    assert_int_equal(nr_told, 2);
    for (uint32_t port = 0; port < 5; port++) {
        channel.guest_port = port;
        assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_ACCEPT, &channel), port == alloc.port ? HVS_OK : HVS_ENOENT);
    }
    channel.guest_port = UINT32_MAX;
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_ACCEPT, &channel), HVS_ENOENT);
    mock_stop(&mock);
}

static void test_bad_requests(void **state)
{
    static const uint32_t bad[] = {0, 1, 1023, 1024, UINT32_MAX};
    static const struct {
        struct hvs_xen_virq virq;
        int64_t result;
        uint32_t told;
    } t[] = {
        {{VIRQ_DEBUG, 1}, HVS_OK, 1},
        {{VIRQ_DEBUG, 0}, HVS_OK, NOBODY},
        {{VIRQ_CONSOLE, 0}, HVS_OK, 1},
        {{VIRQ_CONSOLE, 1}, HVS_EINVAL, NOBODY},
        {{VIRQ_DEBUG, 2}, HVS_EINVAL, NOBODY},
        {{NR_VIRQS, 0}, HVS_EINVAL, NOBODY},
        {{UINT32_MAX, UINT32_MAX}, HVS_EINVAL, NOBODY},
    };
    struct evtchn_bind_vcpu move = {.vcpu = 1};
    struct mock mock;

    (void)state;
    start_host(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++) {
        struct hvs_xen_channel channel = {.host_port = bad[i]};

        assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &channel), HVS_ENOENT);
        assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_CLOSE, &channel), HVS_ENOENT);
    }
    assert_int_equal(ask(&mock, 9999, NULL), HVS_ENOENT);
    bind_virq(&mock, VIRQ_DEBUG, 1);
    move.port = bind_virq(&mock, VIRQ_CONSOLE, 0);
    assert_int_equal(EVTCHN(&mock, bind_vcpu, &move), 0);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct hvs_xen_virq virq = t[i].virq;

        acknowledge(&mock);
        assert_int_equal(ask(&mock, HVS_XEN_VIRQ_SEND, &virq), t[i].result);
        assert_int_equal(interrupted(&mock), t[i].told);
    }
    mock_stop(&mock);
}

static void test_host_ports_run_out(void **state)
{
    struct hvs_xen_channel channel;
    struct mock mock;

    (void)state;
    start_host(&mock);
    for (uint32_t nr = 1; nr < 1024; nr++)
        assert_int_equal(offer(&mock).host_port, nr);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_OFFER, &channel), HVS_ENOSPC);
    assert_int_equal(bind_ipi(&mock, 0), 1024);         /* the guest's port was given back */
    channel.host_port = 7;
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_CLOSE, &channel), HVS_OK);
    assert_int_equal(offer(&mock).host_port, 7);
    mock_stop(&mock);
}

static void test_reset_closes_all(void **state)
{
    struct hvs_xen_channel channel;
    struct mock mock;

    (void)state;
    start_host(&mock);
    channel = offer(&mock);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &channel), HVS_ENOENT);
    mock_stop(&mock);
}

static void test_saved(void **state)
{
    struct evtchn_close close;
    struct hvs_xen_channel channel, closed;
    struct mock mock;

    (void)state;
    start_host(&mock);
    channel = offer(&mock);
    closed = offer(&mock);
    close.port = closed.guest_port;
    assert_int_equal(EVTCHN(&mock, close, &close), 0);
    mock_save_load_save(&mock);
    assert_int_equal(send(&mock, channel.guest_port), 0);
    assert_int_equal(told_port, channel.host_port);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &channel), HVS_OK);
    assert_int_equal(interrupted(&mock), 0);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_SEND, &closed), HVS_OK);
    assert_int_equal(mock.out.nr_effects, 0);
    mock_stop(&mock);
}

/* --- signals: what the guest's page raises, by the port's number ------------------------------------------------- */

static void start_signals(struct mock *mock)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};

    nr_told = told_port = 0;
    mock_config(mock, list, 2);
    mock->config.slot[0].options = &options;
    mock->config.slot[0].features_on = 1ull << hvs_feature_find(&hvs_xen_personality, "send-signal");
    assert_int_equal(mock_start(mock), HVS_OK);
    map_shared(mock);
}

static int64_t set_signal(struct mock *mock, uint32_t host_port, int signal)
{
    struct hvs_xen_signal args = {.host_port = host_port, .signal = signal};

    return ask(mock, HVS_XEN_CHANNEL_SIGNAL, &args);
}

/* What a send to the port raises; HVS_NO_SIGNAL where it is an exit. */
static int raised_by(const struct mock *mock, uint32_t guest_port)
{
    return mock->signal[guest_port] - 1;
}

static void assert_none_is_raised(const struct mock *mock)
{
    for (uint32_t port = 0; port < MOCK_NR_SIGNALS; port++)
        assert_int_equal(raised_by(mock, port), HVS_NO_SIGNAL);
}

static void test_signal_follows_the_connection(void **state)
{
    struct evtchn_bind_interdomain bind = {.remote_dom = 0};
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    struct evtchn_close close;
    struct hvs_xen_channel channel;
    struct mock mock;

    (void)state;
    start_signals(&mock);
    channel = offer(&mock);
    assert_none_is_raised(&mock);
    assert_int_equal(set_signal(&mock, channel.host_port, 0), HVS_OK);
    assert_int_equal(raised_by(&mock, channel.guest_port), 0);
    assert_int_equal(set_signal(&mock, channel.host_port, 9), HVS_OK);
    assert_int_equal(raised_by(&mock, channel.guest_port), 9);
    close.port = channel.guest_port;
    assert_int_equal(EVTCHN(&mock, close, &close), 0);
    assert_none_is_raised(&mock);
    bind_ipi(&mock, 1);
    bind.remote_port = channel.host_port;
    assert_int_equal(EVTCHN(&mock, bind_interdomain, &bind), 0);
    assert_int_not_equal(bind.local_port, channel.guest_port);
    assert_int_equal(raised_by(&mock, bind.local_port), 9);
    assert_int_equal(raised_by(&mock, channel.guest_port), HVS_NO_SIGNAL);
    assert_int_equal(EVTCHN(&mock, reset, &reset), 0);
    assert_none_is_raised(&mock);
    assert_int_equal(EVTCHN(&mock, bind_interdomain, &bind), 0);
    assert_int_equal(raised_by(&mock, bind.local_port), 9);
    assert_int_equal(set_signal(&mock, channel.host_port, HVS_NO_SIGNAL), HVS_OK);
    assert_none_is_raised(&mock);
    mock_stop(&mock);
}

/* An accepted channel ends with what the guest had set up, an offered one does not. */
static void test_signal_ends(void **state)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 0};
    struct hvs_xen_channel offered, accepted;
    struct mock mock;

    (void)state;
    start_signals(&mock);
    offered = offer(&mock);
    assert_int_equal(EVTCHN(&mock, alloc_unbound, &alloc), 0);
    accepted = (struct hvs_xen_channel){.guest_port = alloc.port};
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_ACCEPT, &accepted), HVS_OK);
    assert_int_equal(set_signal(&mock, offered.host_port, 7), HVS_OK);
    assert_int_equal(set_signal(&mock, accepted.host_port, 8), HVS_OK);
    assert_int_equal(ask(&mock, HVS_XEN_RESUME, NULL), HVS_OK);
    assert_int_equal(raised_by(&mock, offered.guest_port), 7);
    assert_int_equal(raised_by(&mock, accepted.guest_port), HVS_NO_SIGNAL);
    assert_int_equal(ask(&mock, HVS_XEN_CHANNEL_CLOSE, &offered), HVS_OK);
    assert_none_is_raised(&mock);
    offered = offer(&mock);             /* the same port of the host, which begins without */
    assert_none_is_raised(&mock);
    assert_int_equal(set_signal(&mock, offered.host_port, 7), HVS_OK);
    mock_save_load_save(&mock);
    assert_none_is_raised(&mock);
    assert_int_equal(set_signal(&mock, offered.host_port, 7), HVS_OK);
    assert_int_equal(raised_by(&mock, offered.guest_port), 7);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    assert_none_is_raised(&mock);
    mock_stop(&mock);
}

static void test_signal_refused(void **state)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
    struct hvs_xen_channel channel;
    struct mock mock;

    (void)state;
    start_signals(&mock);
    assert_int_equal(set_signal(&mock, 1, 7), HVS_ENOENT);
    assert_int_equal(set_signal(&mock, UINT32_MAX, 7), HVS_ENOENT);
    mock_stop(&mock);
    start_host(&mock);
    channel = offer(&mock);
    assert_int_equal(set_signal(&mock, channel.host_port, 7), HVS_ENOTSUP);
    mock_stop(&mock);
    mock_config(&mock, list, 1);        /* a VMM that hears of no events gets no signals either */
    mock.config.slot[0].features_on = 1ull << hvs_feature_find(&hvs_xen_personality, "send-signal");
    assert_int_equal(mock_start(&mock), HVS_EINVAL);
}

/* The page has put the port where the number of the call would be. */
static void test_number_without_signal(void **state)
{
    const struct hvs_exit left = {.kind = HVS_EXIT_HYPERCALL, .hypercall = {.slot = 0, .is_signal = true}};
    struct evtchn_send args;
    struct hvs_xen_channel channel;
    struct mock mock;

    (void)state;
    start_signals(&mock);
    channel = offer(&mock);
    for (uint32_t i = 0; i < 2; i++) {
        args.port = i == 0 ? channel.guest_port : 50;
        memcpy(mock.ram + ARG_GPA, &args, sizeof(args));
        mock.regs.rax = args.port;
        mock.regs.rdi = EVTCHNOP_send;
        mock.regs.rsi = ARG_GPA;
        assert_int_equal(hvs_vcpu_exit(mock_vcpu(&mock, 0), &left, &mock.regs, &mock.out), HVS_HANDLED);
        assert_int_equal((int64_t)mock.regs.rax, i == 0 ? 0 : -XEN_EINVAL);
        assert_true(mock.out.regs_changed);
    }
    assert_int_equal(nr_told, 1);
    assert_int_equal(told_port, channel.host_port);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offered_channel),
        cmocka_unit_test(test_guest_binds_again),
        cmocka_unit_test(test_accepted_channel),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_host_ports_run_out),
        cmocka_unit_test(test_reset_closes_all),
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_signal_follows_the_connection),
        cmocka_unit_test(test_signal_ends),
        cmocka_unit_test(test_signal_refused),
        cmocka_unit_test(test_number_without_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
