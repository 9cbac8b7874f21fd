/* Pages and channels that the guest has from the start: what it is told, resets, renewal, save and load. */
#include "xen_test.h"

enum { SPECIAL_GFN = 0xf0 };

static uint32_t nr_told;

static void on_event(void *ctx, uint32_t host_port)
{
    (void)ctx, (void)host_port;
    nr_told++;
}

static uint32_t on_console(void *ctx, const char *text, uint32_t bytes)
{
    (void)ctx, (void)text;
    return bytes;
}

static const struct hvs_xen_options options = {
    .size = sizeof(options), .special_gfn = SPECIAL_GFN, .on_event = on_event, .on_console = on_console};

static void start_special(struct mock *mock)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};

    mock_config(mock, list, 2);
    mock->config.slot[0].options = &options;
    mock->config.slot[0].features_on = 1ull << hvs_feature_find(&hvs_xen_personality, "xenstore") |
                                       1ull << hvs_feature_find(&hvs_xen_personality, "console");
    assert_int_equal(mock_start(mock), HVS_OK);
    map_shared(mock);
    set_vector(mock, 0);
}

static uint64_t param(struct mock *mock, uint32_t index)
{
    struct xen_hvm_param get = {.domid = DOMID_SELF, .index = index};

    assert_int_equal(HVM(mock, get_param, &get), 0);
    return get.value;
}

static void test_guest_is_told(void **state)
{
    struct evtchn_status status;
    struct mock mock;

    (void)state;
    start_special(&mock);
    assert_int_equal(param(&mock, HVM_PARAM_STORE_PFN), SPECIAL_GFN + HVS_XEN_PAGE_STORE);
    assert_int_equal(param(&mock, HVM_PARAM_CONSOLE_PFN), SPECIAL_GFN + HVS_XEN_PAGE_CONSOLE);
    status = status_of(&mock, (uint32_t)param(&mock, HVM_PARAM_STORE_EVTCHN));
    assert_int_equal(status.status, EVTCHNSTAT_interdomain);
    assert_int_equal(status.u.interdomain.dom, 0);
    status = status_of(&mock, (uint32_t)param(&mock, HVM_PARAM_CONSOLE_EVTCHN));
    assert_int_equal(status.status, EVTCHNSTAT_interdomain);
    mock_stop(&mock);
}

static void test_none_without_pages(void **state)
{
    static const char *const names[] = {"xenstore", "console"};
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(param(&mock, HVM_PARAM_STORE_PFN), 0);
    assert_int_equal(param(&mock, HVM_PARAM_STORE_EVTCHN), 0);
    assert_int_equal(bind_ipi(&mock, 0), 1);
    mock_stop(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(names); i++) {
        mock_config(&mock, list, 1);
        mock.config.slot[0].features_on = 1ull << hvs_feature_find(&hvs_xen_personality, names[i]);
        assert_int_equal(mock_start(&mock), HVS_EINVAL);
    }
}

/* Once: what is in the rings when a second kernel asks is not ours to destroy. */
static void test_page_is_cleared_at_the_first_question(void **state)
{
    uint8_t *page;
    struct mock mock;

    (void)state;
    start_special(&mock);
    page = mock.ram + SPECIAL_GFN * HVS_PAGE_BYTES;
    for (uint32_t round = 0; round < 2; round++) {
        page[7] = 1;
        param(&mock, HVM_PARAM_STORE_PFN);
        assert_int_equal(page[7], 0);
        page[7] = 1;
        param(&mock, HVM_PARAM_STORE_PFN);
        param(&mock, HVM_PARAM_CONSOLE_PFN);
        assert_int_equal(page[7], 1);
        mock_save_load_save(&mock);
        param(&mock, HVM_PARAM_STORE_PFN);
        assert_int_equal(page[7], 1);
        assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    }
    assert_int_equal(mock.nr_pinned, 0);
    mock_stop(&mock);
}

static void test_ports_are_not_the_vmms(void **state)
{
    struct hvs_xen_channel channel = {.host_port = 1};
    uint32_t port;
    struct mock mock;

    (void)state;
    start_special(&mock);
    mock_host(&mock, 0, &hvs_xen_personality, HVS_XEN_CHANNEL_CLOSE, &channel);
    assert_int_equal((int64_t)mock.out.value, HVS_ENOENT);
    mock_host(&mock, 0, &hvs_xen_personality, HVS_XEN_CHANNEL_SEND, &channel);
    assert_int_equal((int64_t)mock.out.value, HVS_ENOENT);
    port = (uint32_t)param(&mock, HVM_PARAM_CONSOLE_EVTCHN);
    nr_told = 0;
    assert_int_equal(send(&mock, port), 0);
    assert_int_equal(nr_told, 0);
    mock_host(&mock, 0, &hvs_xen_personality, HVS_XEN_CHANNEL_OFFER, &channel);
    assert_int_equal((int64_t)mock.out.value, HVS_OK);
    assert_true(channel.host_port > 2);
    mock_stop(&mock);
}

/* As Windows drivers do it: they take the channel over on another port, and say so. */
static void test_guest_binds_anew(void **state)
{
    struct evtchn_bind_interdomain bind = {.remote_dom = 0};
    struct evtchn_close close;
    struct mock mock;

    (void)state;
    start_special(&mock);
    close.port = (uint32_t)param(&mock, HVM_PARAM_STORE_EVTCHN);
    bind.remote_port = status_of(&mock, close.port).u.interdomain.port;
    assert_int_equal(EVTCHN(&mock, close, &close), 0);
    bind_ipi(&mock, 0);
    assert_int_equal(EVTCHN(&mock, bind_interdomain, &bind), 0);
    assert_int_not_equal(bind.local_port, close.port);
    mock_save_load_save(&mock);
    assert_int_equal(status_of(&mock, bind.local_port).u.interdomain.port, bind.remote_port);
    mock_stop(&mock);
}

static void test_renewal_gives_what_was_closed(void **state)
{
    struct evtchn_close close;
    uint8_t *page;
    struct mock mock;

    (void)state;
    start_special(&mock);
    page = mock.ram + SPECIAL_GFN * HVS_PAGE_BYTES;
    param(&mock, HVM_PARAM_STORE_PFN);
    close.port = (uint32_t)param(&mock, HVM_PARAM_STORE_EVTCHN);
    assert_int_equal(EVTCHN(&mock, close, &close), 0);
    page[7] = 1;
    mock_host(&mock, 0, &hvs_xen_personality, HVS_XEN_RESUME, NULL);
    assert_int_equal(page[7], 0);
    assert_int_equal(status_of(&mock, (uint32_t)param(&mock, HVM_PARAM_STORE_EVTCHN)).status, EVTCHNSTAT_interdomain);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guest_is_told),
        cmocka_unit_test(test_none_without_pages),
        cmocka_unit_test(test_page_is_cleared_at_the_first_question),
        cmocka_unit_test(test_ports_are_not_the_vmms),
        cmocka_unit_test(test_guest_binds_anew),
        cmocka_unit_test(test_renewal_gives_what_was_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
