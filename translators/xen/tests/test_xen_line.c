/* The callback by an interrupt line: when it rises, when it falls. */
#include "xen_test.h"

enum { GSI = 9, PIN_GSI = 17 };

static uint32_t intx_gsi(void *ctx, uint32_t device, uint32_t pin)
{
    (void)ctx;
    return device == 3 && pin == 2 ? PIN_GSI : 0;
}

static const struct hvs_xen_options options = {.size = sizeof(options), .intx_gsi = intx_gsi};

static int64_t set_callback(struct mock *mock, uint64_t via)
{
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ, .value = via};

    return HVM(mock, set_param, &param);
}

/* What the last exit did to lines: n-th change. */
static void check_change(const struct mock *mock, uint32_t n, uint32_t gsi, bool level)
{
    for (uint32_t i = 0; i < mock->out.nr_effects; i++) {
        const struct hvs_effect *e = &mock->out.effect[i];

        if (e->kind != HVS_EFFECT_GSI || n-- > 0)
            continue;
        assert_int_equal(e->gsi, gsi);
        assert_int_equal(e->level, level);
        return;
    }
    fail_msg("the line was not driven");
}

static uint32_t nr_changes(const struct mock *mock)
{
    return mock_effects(mock, HVS_EFFECT_GSI, NULL);
}

static void test_rises_and_falls(void **state)
{
    static const struct {
        uint64_t via;
        uint32_t gsi;
    } t[] = {{GSI, GSI}, {1ull << 56 | 3 << 11 | 2, PIN_GSI}};
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        uint32_t port;

        start_with(&mock, 2, &options);
        map_shared(&mock);
        assert_int_equal(set_callback(&mock, t[i].via), 0);
        assert_int_equal(nr_changes(&mock), 0);
        port = bind_ipi(&mock, 0);
        assert_int_equal(send(&mock, port), 0);
        check_change(&mock, 0, t[i].gsi, true);
        assert_int_equal(send(&mock, bind_ipi(&mock, 0)), 0);
        assert_int_equal(nr_changes(&mock), 0);                 /* it is high already */
        mock_advance(&mock, 10000);
        assert_int_equal(mock_timer(&mock, 0), HVS_HANDLED);    /* the guest has not come yet */
        assert_int_equal(nr_changes(&mock), 0);
        mock_save_load_save(&mock);
        mock.ram[SHARED_GPA] = 0;
        mock_advance(&mock, 20000);
        assert_int_equal(mock_timer(&mock, 0), HVS_HANDLED);
        check_change(&mock, 0, t[i].gsi, false);
        assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(&mock, 0)), UINT64_MAX);
        mock_stop(&mock);
    }
}

static void test_only_vcpu_0(void **state)
{
    struct mock mock;

    (void)state;
    start_with(&mock, 2, &options);
    map_shared(&mock);
    assert_int_equal(set_callback(&mock, GSI), 0);
    assert_int_equal(send(&mock, bind_ipi(&mock, 1)), 0);
    assert_int_equal(mock.out.nr_effects, 0);
    mock_stop(&mock);
}

/* Another callback while the line is high: the old one falls, the new one rises; a vector of its own goes before. */
static void test_change_of_callback(void **state)
{
    struct xen_hvm_evtchn_upcall_vector vector = {.vcpu = 0, .vector = VECTOR};
    struct mock mock;

    (void)state;
    start_with(&mock, 1, &options);
    map_shared(&mock);
    assert_int_equal(send(&mock, bind_ipi(&mock, 0)), 0);
    assert_int_equal(set_callback(&mock, GSI), 0);
    check_change(&mock, 0, GSI, true);
    assert_int_equal(set_callback(&mock, GSI + 1), 0);
    check_change(&mock, 0, GSI, false);
    check_change(&mock, 1, GSI + 1, true);
    assert_int_equal(HVM(&mock, set_evtchn_upcall_vector, &vector), 0);
    check_change(&mock, 0, GSI + 1, false);
    assert_int_equal(interrupted(&mock), 0);
    mock_stop(&mock);
}

static void test_what_is_no_line(void **state)
{
    static const uint64_t bad[] = {256, 1ull << 56, 1ull << 56 | 3 << 11 | 1, 1ull << 56 | 4 << 11 | 2};
    struct mock mock;

    (void)state;
    start_with(&mock, 1, &options);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++)
        assert_int_equal(set_callback(&mock, bad[i]), -XEN_ENOSYS);
    mock_stop(&mock);
    start(&mock, 1);                            /* a VMM without PCI */
    assert_int_equal(set_callback(&mock, 1ull << 56 | 3 << 11 | 2), -XEN_ENOSYS);
    assert_int_equal(set_callback(&mock, 0), 0);
    mock_stop(&mock);
}

/* A guest that never comes makes less and less work. */
static void test_looks_less_often(void **state)
{
    struct mock mock;
    uint32_t nr = 0;

    (void)state;
    start_with(&mock, 1, &options);
    map_shared(&mock);
    assert_int_equal(set_callback(&mock, GSI), 0);
    assert_int_equal(send(&mock, bind_ipi(&mock, 0)), 0);
    for (uint64_t ns = 0; ns < 100000000; nr++) {
        uint64_t next = hvs_vcpu_deadline_ns(mock_vcpu(&mock, 0));

        assert_in_range(next, mock.now_ns, mock.now_ns + 2000000);
        ns += next - mock.now_ns + 1;
        mock_advance(&mock, next - mock.now_ns + 1);
        assert_int_equal(mock_timer(&mock, 0), HVS_HANDLED);
    }
    assert_in_range(nr, 50, 120);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rises_and_falls),
        cmocka_unit_test(test_only_vcpu_0),
        cmocka_unit_test(test_change_of_callback),
        cmocka_unit_test(test_what_is_no_line),
        cmocka_unit_test(test_looks_less_often),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
