/* What the host keeps current in shared_info and vcpu_info, and in which layout. */
#include "xen_test.h"

#define WALL_NS (((1ull << 33) + 7) * 1000000000ull + 123)      /* beyond 32 bits of seconds */

static void check_wallclock(const struct mock *mock, const struct xen_layout *at)
{
    assert_int_equal(ram32(mock, SHARED_GPA + at->wc_version) % 2, 0);
    assert_int_not_equal(ram32(mock, SHARED_GPA + at->wc_version), 0);
    assert_int_equal(ram32(mock, SHARED_GPA + at->wc_sec), 7);
    assert_int_equal(ram32(mock, SHARED_GPA + at->wc_sec_hi), 2);
    assert_int_equal(ram32(mock, SHARED_GPA + at->wc_nsec), 123);
}

static void test_wallclock_follows_the_width(void **state)
{
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ};
    struct mock mock;

    (void)state;
    start(&mock, 1);
    hvs_vm_set_wall_clock(mock.vm, WALL_NS);
    map_shared(&mock);
    check_wallclock(&mock, &xen_layout64);
    assert_int_equal(ram32(&mock, SHARED_GPA + xen_layout32.wc_sec), 0);

    mock.regs.code_bits = 32;
    assert_int_equal(HVM(&mock, set_param, &param), 0);
    check_wallclock(&mock, &xen_layout32);
    memset(mock.ram + SHARED_GPA, 0, 4096);

    mock.regs.code_bits = 64;
    assert_int_equal(mock_wrmsr(&mock, 0, XEN_MSR_HYPERCALL_PAGE, 0x7000), HVS_HANDLED);
    check_wallclock(&mock, &xen_layout64);
    assert_int_equal(ram32(&mock, SHARED_GPA + xen_layout32.wc_sec), 0);
    mock_stop(&mock);
}

/* No MSR and no callback yet, as in Linux that calls directly: the mapping says it. */
static void test_direct_caller_has_its_width_from_the_mapping(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    hvs_vm_set_wall_clock(mock.vm, WALL_NS);
    mock.regs.code_bits = 32;
    map_shared(&mock);
    check_wallclock(&mock, &xen_layout32);
    mock_stop(&mock);
}

static void test_time_in_shared_info(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 2);
    mock_advance(&mock, 5000000000);
    map_shared(&mock);
    mock_advance(&mock, 1000);
    for (uint64_t vp = 0; vp < 2; vp++) {
        uint64_t time = SHARED_GPA + vp * 64 + 0x20, ns = pvclock_ns(&mock, time);

        assert_in_range(ns, 5000001000 - 3, 5000001000);
        assert_int_equal(mock.ram[time + 29], 1);       /* TSC_STABLE */
    }
    assert_int_equal(ram32(&mock, SHARED_GPA + 2 * 64 + 0x20), 0);      /* there is no third vCPU */
    mock_stop(&mock);
}

/* The clock of the page and the clock that answers calls are one. */
static void test_time_agrees_with_hypercall(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    map_shared(&mock);
    for (int i = 0; i < 100; i++) {
        mock_advance(&mock, 123456789);
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_hvm_op, HVMOP_get_time, ARG_GPA, 0), 0);
        assert_int_equal(ram64(&mock, ARG_GPA), pvclock_ns(&mock, SHARED_GPA + 0x20));
    }
    mock_stop(&mock);
}

static void test_no_time_without_the_feature(void **state)
{
    struct mock mock;

    (void)state;
    start_without(&mock, "pvclock");
    map_shared(&mock);
    assert_int_equal(ram32(&mock, SHARED_GPA + 0x20), 0);
    mock_stop(&mock);
}

static void test_unknown_wallclock_is_not_written(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    map_shared(&mock);
    assert_int_equal(ram64(&mock, SHARED_GPA + xen_layout64.wc_version), 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wallclock_follows_the_width),
        cmocka_unit_test(test_direct_caller_has_its_width_from_the_mapping),
        cmocka_unit_test(test_time_in_shared_info),
        cmocka_unit_test(test_time_agrees_with_hypercall),
        cmocka_unit_test(test_no_time_without_the_feature),
        cmocka_unit_test(test_unknown_wallclock_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
