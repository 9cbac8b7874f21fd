/* The tables: order, sizes, names, and features that need each other or the backend. */
#include "xen_test.h"

static const struct hvs_personality *const p = &hvs_xen_personality;

static void test_hypercall_rows(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        const struct hvs_hcall_row *row = &p->hcall[i];

        assert_non_null(row->name);
        assert_non_null(row->fn);
        assert_non_null(row->ref);
        assert_true(i == 0 || p->hcall[i - 1].code < row->code);
        assert_in_range(row->in_bytes, 0, 128); /* MAX_STRUCT_BYTES of xen_hcall.c */
        assert_in_range(row->out_bytes, 0, row->in_bytes);
        assert_true((row->in_bytes == 0) == (row->in32_bytes == 0));
        assert_true(row->in32_bytes <= row->in_bytes);
        assert_true(row->max_effects <= HVS_MAX_EFFECTS);
        assert_true(row->feature < p->nr_features || row->feature == HVS_FEATURE_ALWAYS);
    }
}

static void test_msr_and_cpuid_rows(void **state)
{
    (void)state;
    assert_int_equal(p->nr_msr, 2);
    assert_int_equal(p->msr[0].first, 0x40000000);
    assert_int_equal(p->msr[1].first, 0x40000200);
    for (uint32_t i = 1; i < p->nr_cpuid; i++) {
        const struct hvs_cpuid_row *a = &p->cpuid[i - 1], *b = &p->cpuid[i];

        assert_true(a->leaf < b->leaf || (a->leaf == b->leaf && a->subleaf < b->subleaf));
    }
}

static void test_capabilities_decide(void **state)
{
    static const struct {
        uint32_t missing;       /* capability */
        bool has_pvclock, has_evtchn, has_timer, has_block, has_shutdown;
    } t[] = {
        {0, true, true, true, true, true},
        {HVS_CAP_TSC_STABLE, false, true, true, true, true},
        {HVS_CAP_TIMER, false, true, false, true, true},
        {HVS_CAP_INJECT, false, false, false, true, true},
        {HVS_CAP_BLOCK, true, true, true, false, true},
        {HVS_CAP_STOP, true, true, true, true, false},
    };
    const struct hvs_personality *const list[] = {p, NULL};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct mock mock;
        struct xen_feature_info info = {0};
        uint32_t vcpu = 0;

        mock_config(&mock, list, 1);
        mock.config.caps &= ~t[i].missing;
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_xen_version, XENVER_get_features, &info, sizeof(info)), 0);
        assert_int_equal(info.submap >> XENFEAT_hvm_safe_pvclock & 1, t[i].has_pvclock);
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, vcpu, 0) == 0,
                         t[i].has_timer);
        assert_int_equal(send(&mock, 1) == -XEN_EINVAL, t[i].has_evtchn);
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0) == 0, t[i].has_block);
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_sched_op, SCHEDOP_shutdown, ARG_GPA, 0) == 0,
                         t[i].has_shutdown);
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hypercall_rows),
        cmocka_unit_test(test_msr_and_cpuid_rows),
        cmocka_unit_test(test_capabilities_decide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
