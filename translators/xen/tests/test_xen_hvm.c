/* hvm_op: parameters by who may do what, the callback, the upcall vector. */
#include "xen_test.h"

static int64_t set_param(struct mock *mock, uint16_t domid, uint32_t index, uint64_t value)
{
    struct xen_hvm_param args = {.domid = domid, .index = index, .value = value};

    return HVM(mock, set_param, &args);
}

static int64_t get_param(struct mock *mock, uint16_t domid, uint32_t index, uint64_t *value)
{
    struct xen_hvm_param args = {.domid = domid, .index = index, .value = *value};
    int64_t result = HVM(mock, get_param, &args);

    *value = args.value;
    return result;
}

/* All of them, as reference: G may be read, S may be written, - is gone, blank is not the guest's. */
static void test_rights(void **state)
{
    static const char *const rights[HVM_NR_PARAMS] = {
        [0] = "GS", [1] = "G", [2] = "GS", [4] = "-", [13] = "-", [15] = "GS", [17] = "G", [18] = "GS", [19] = "Gd",
        [20] = "-", [21] = "-", [22] = "-", [23] = "-", [24] = "-", [25] = "-", [26] = "-", [30] = "-", [34] = "GS",
        [35] = "G", [36] = "GS", [37] = "Gi",
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (uint32_t index = 0; index < HVM_NR_PARAMS; index++) {
        const char *may = rights[index] ? rights[index] : "";
        int64_t refused = strchr(may, '-') ? -XEN_EINVAL : -XEN_EPERM;
        uint64_t value = 0x7777;

        assert_int_equal(get_param(&mock, DOMID_SELF, index, &value), strchr(may, 'G') ? 0 : refused);
        assert_int_equal(value, strchr(may, 'G') ? 0 : 0x7777);
        if (strchr(may, 'd'))
            refused = -XEN_ENODEV;
        if (strchr(may, 'i'))
            refused = -XEN_EINVAL;              /* 0 is too small a TSS */
        assert_int_equal(set_param(&mock, DOMID_SELF, index, 0), strchr(may, 'S') ? 0 : refused);
    }
    mock_stop(&mock);
}

static void test_bad_params(void **state)
{
    static const struct {
        uint16_t domid;
        uint32_t index;
        uint64_t value;
        int64_t set, get;
    } t[] = {
        {DOMID_SELF, HVM_NR_PARAMS, 0, -XEN_EINVAL, -XEN_EINVAL},
        {DOMID_SELF, UINT32_MAX, 0, -XEN_EINVAL, -XEN_EINVAL},
        {0, HVM_PARAM_STORE_EVTCHN, 5, -XEN_EPERM, -XEN_EPERM},
        {7, HVM_PARAM_STORE_EVTCHN, 5, -XEN_ESRCH, -XEN_ESRCH},
        {DOMID_SELF, HVM_PARAM_X87_FIP_WIDTH, 3, -XEN_EINVAL, 0},
        {DOMID_SELF, HVM_PARAM_VM86_TSS, 1ull << 32, -XEN_EINVAL, 0},
        {DOMID_SELF, HVM_PARAM_VM86_TSS_SIZED, 103ull << 32 | 0x1000, -XEN_EINVAL, 0},
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        uint64_t value = 0;

        assert_int_equal(set_param(&mock, t[i].domid, t[i].index, t[i].value), t[i].set);
        assert_int_equal(get_param(&mock, t[i].domid, t[i].index, &value), t[i].get);
        assert_int_equal(value, 0);
    }
    mock_stop(&mock);
}

static void test_values_are_kept(void **state)
{
    static const struct {
        uint32_t set, get;
        uint64_t value, read;
    } t[] = {
        {HVM_PARAM_STORE_EVTCHN, HVM_PARAM_STORE_EVTCHN, 5, 5},
        {HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_EVTCHN, 6, 6},
        {HVM_PARAM_VM_GENERATION_ID_ADDR, HVM_PARAM_VM_GENERATION_ID_ADDR, UINT64_MAX, UINT64_MAX},
        {HVM_PARAM_X87_FIP_WIDTH, HVM_PARAM_X87_FIP_WIDTH, 8, 8},
        {HVM_PARAM_VM86_TSS, HVM_PARAM_VM86_TSS, 0x1000, 0x1000},
        {HVM_PARAM_VM86_TSS, HVM_PARAM_VM86_TSS_SIZED, 0x1000, 128ull << 32 | 0x1000},
        {HVM_PARAM_VM86_TSS_SIZED, HVM_PARAM_VM86_TSS_SIZED, 104ull << 32 | 0x2000, 104ull << 32 | 0x2000},
        {HVM_PARAM_VM86_TSS_SIZED, HVM_PARAM_VM86_TSS_SIZED, UINT64_MAX, 8329ull << 32 | UINT32_MAX},
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        uint64_t value = 0;

        assert_int_equal(set_param(&mock, 1, t[i].set, t[i].value), 0);
        assert_int_equal(get_param(&mock, 1, t[i].get, &value), 0);
        assert_int_equal(value, t[i].read);
    }
    mock_stop(&mock);
}

/* What nothing would be delivered by is refused, unless nothing has to be. */
static void test_callback(void **state)
{
    static const struct {
        uint64_t value;
        int64_t without_vector;
    } t[] = {
        {0, 0},
        {1, -XEN_ENOSYS},                       /* Linux, after the vector */
        {1ull << 56 | 3 << 11, -XEN_ENOSYS},
        {2ull << 56 | 0xf3, -XEN_ENOSYS},
        {3ull << 56 | 1, 0},                    /* no type of callback: none */
    };
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        uint64_t value = 0;

        start_without_both(&mock, "callback-vector", "callback-line");
        set_vector(&mock, 1);                   /* lines are vCPU 0's */
        assert_int_equal(set_param(&mock, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, t[i].value), t[i].without_vector);
        set_vector(&mock, 0);
        assert_int_equal(set_param(&mock, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, t[i].value), 0);
        assert_int_equal(get_param(&mock, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &value), 0);
        assert_int_equal(value, t[i].value);
        mock_stop(&mock);
    }
}

static void test_upcall_vector(void **state)
{
    static const struct {
        uint32_t vcpu;
        uint8_t vector;
        int64_t result;
    } t[] = {
        {0, 0x0f, -XEN_EINVAL}, {0, 0, -XEN_EINVAL}, {9, 0x0f, -XEN_EINVAL},
        {2, VECTOR, -XEN_ENOENT}, {UINT32_MAX, VECTOR, -XEN_ENOENT},
    };
    struct mock mock;

    (void)state;
    start(&mock, 2);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct xen_hvm_evtchn_upcall_vector args = {.vcpu = t[i].vcpu, .vector = t[i].vector};

        assert_int_equal(HVM(&mock, set_evtchn_upcall_vector, &args), t[i].result);
        assert_int_equal(mock.out.nr_effects, 0);
    }
    set_vector(&mock, 1);
    assert_int_equal(interrupted(&mock), 1);    /* at once: there may be events from before */
    mock_stop(&mock);
}

static void test_pagetable_dying(void **state)
{
    static const struct {
        uint16_t domid;
        int64_t result;
    } t[] = {{DOMID_SELF, -XEN_EINVAL}, {1, -XEN_EINVAL}, {0, -XEN_EOPNOTSUPP}, {5, -XEN_ESRCH}};
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct xen_hvm_pagetable_dying args = {.domid = t[i].domid};

        assert_int_equal(HVM(&mock, pagetable_dying, &args), t[i].result);
    }
    mock_stop(&mock);
}

static void test_get_time(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    mock_advance(&mock, 7000);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_hvm_op, HVMOP_get_time, ARG_GPA, 0), 0);
    assert_in_range(ram64(&mock, ARG_GPA), 6999, 7000);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_hvm_op, HVMOP_get_time, MOCK_RAM_BYTES - 7, 0), -XEN_EFAULT);
    mock_stop(&mock);
}

static void test_flush_tlbs(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 2);
    assert_int_equal(xen_call(&mock, 1, __HYPERVISOR_hvm_op, HVMOP_flush_tlbs, 0, 0), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_FLUSH_TLB, NULL), 1);
    assert_int_equal(hvs_vpset_count(&mock.out.set), 2);
    assert_int_equal(xen_call(&mock, 1, __HYPERVISOR_hvm_op, HVMOP_flush_tlbs, ARG_GPA, 0), -XEN_EINVAL);
    assert_int_equal(mock.out.nr_effects, 0);
    mock_stop(&mock);
}

static void test_mem_type(void **state)
{
    static const struct {
        uint16_t domid;
        uint64_t gfn;
        int64_t result;
        uint16_t type;
    } t[] = {
        {DOMID_SELF, 0x10, 0, HVMMEM_ram_rw}, {DOMID_SELF, BAD_GPA >> 12, 0, HVMMEM_mmio_dm},
        {1, UINT64_MAX, 0, HVMMEM_mmio_dm},   {0, 0x10, -XEN_EPERM, 0x77},
        {3, 0x10, -XEN_ESRCH, 0x77},
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct xen_hvm_get_mem_type args = {.domid = t[i].domid, .mem_type = 0x77, .pfn = t[i].gfn};

        assert_int_equal(HVM(&mock, get_mem_type, &args), t[i].result);
        assert_int_equal(args.mem_type, t[i].type);
    }
    mock_stop(&mock);
}

/* What speaks to tools that are not there. */
static void test_nobody_listens(void **state)
{
    static const struct {
        uint16_t event, extra_bytes;
        int64_t result;
    } t[] = {
        {0xfff, 28, 0}, {0x1000, 0, -XEN_EINVAL}, {1, 29, -XEN_EINVAL}, {1, 32, -XEN_EINVAL}, {1, 0xfffc, -XEN_EINVAL},
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct xen_hvm_xentrace args = {.event = t[i].event, .extra_bytes = t[i].extra_bytes};

        assert_int_equal(HVM(&mock, xentrace, &args), t[i].result);
    }
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event, 0, 0), 0);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event, ARG_GPA, 0), -XEN_EINVAL);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_hvm_op, HVMOP_altp2m, ARG_GPA, 0), -XEN_EOPNOTSUPP);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_bad_params),
        cmocka_unit_test(test_values_are_kept),
        cmocka_unit_test(test_callback),
        cmocka_unit_test(test_upcall_vector),
        cmocka_unit_test(test_pagetable_dying),
        cmocka_unit_test(test_get_time),
        cmocka_unit_test(test_flush_tlbs),
        cmocka_unit_test(test_mem_type),
        cmocka_unit_test(test_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
