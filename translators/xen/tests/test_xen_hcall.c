/* The calling convention, and what it refuses before any handler runs: a matrix over all hypercalls. */
#include "xen_test.h"

#define CALL(nr, sub) __HYPERVISOR_##nr, sub
enum { NONE = -1 };

/* What each call passes by its handle, from Xen's headers, not from our rows. */
static const struct call {
    uint32_t nr;
    int sub;                    /* NONE: no sub-op */
    uint8_t handle;             /* which argument */
    uint8_t bytes, bytes32;     /* of the structure that is read; 0: none */
    const char *feature;        /* what it goes with, or NULL */
} calls[] = {
    {CALL(memory_op, XENMEM_add_to_physmap), 1, 24, 16, NULL},
    {CALL(memory_op, XENMEM_current_reservation), 1, 2, 2, NULL},
    {CALL(memory_op, XENMEM_maximum_reservation), 1, 2, 2, NULL},
    {CALL(memory_op, XENMEM_maximum_gpfn), 1, 2, 2, NULL},
    {CALL(memory_op, XENMEM_remove_from_physmap), 1, 16, 8, NULL},
    {CALL(memory_op, XENMEM_add_to_physmap_batch), 1, 32, 20, NULL},
    {CALL(memory_op, XENMEM_set_memory_map), 1, 24, 12, NULL},
    {CALL(physdev_op, PHYSDEVOP_map_pirq), 1, 40, 36, NULL},
    {CALL(physdev_op, PHYSDEVOP_unmap_pirq), 1, 8, 8, NULL},
    {CALL(hvm_op, HVMOP_get_mem_type), 1, 16, 16, NULL},
    {CALL(hvm_op, HVMOP_flush_tlbs), 0, 0, 0, "flush-tlbs"},
    {CALL(memory_op, XENMEM_memory_map), 1, 16, 8, NULL},
    {CALL(set_timer_op, NONE), 0, 0, 0, "timer"},
    {CALL(xen_version, XENVER_version), 1, 0, 0, NULL},
    {CALL(xen_version, XENVER_get_features), 1, 8, 8, NULL},
    {CALL(vcpu_op, VCPUOP_initialise), 2, 128, 128, "vcpu-start"},
    {CALL(vcpu_op, VCPUOP_up), 2, 0, 0, "vcpu-start"},
    {CALL(vcpu_op, VCPUOP_is_up), 2, 0, 0, "vcpu-down"},
    {CALL(vcpu_op, VCPUOP_register_runstate_memory_area), 2, 8, 4, NULL},
    {CALL(vcpu_op, VCPUOP_set_periodic_timer), 2, 8, 8, "timer"},
    {CALL(vcpu_op, VCPUOP_stop_periodic_timer), 2, 0, 0, "timer"},
    {CALL(vcpu_op, VCPUOP_set_singleshot_timer), 2, 16, 12, "timer"},
    {CALL(vcpu_op, VCPUOP_stop_singleshot_timer), 2, 0, 0, "timer"},
    {CALL(vcpu_op, VCPUOP_register_vcpu_info), 2, 16, 16, NULL},
    {CALL(vcpu_op, VCPUOP_register_vcpu_time_memory_area), 2, 8, 4, "pvclock"},
    {CALL(sched_op, SCHEDOP_yield), 1, 0, 0, NULL},
    {CALL(sched_op, SCHEDOP_block), 1, 0, 0, "block"},
    {CALL(sched_op, SCHEDOP_shutdown), 1, 4, 4, "shutdown"},
    {CALL(sched_op, SCHEDOP_poll), 1, 24, 16, "evtchn"},
    {CALL(sched_op, SCHEDOP_remote_shutdown), 1, 8, 8, NULL},
    {CALL(sched_op, SCHEDOP_shutdown_code), 1, 4, 4, "shutdown"},
    {CALL(sched_op, SCHEDOP_watchdog), 1, 8, 8, "watchdog"},
    {CALL(sched_op, SCHEDOP_pin_override), 1, 0, 0, NULL},
    {CALL(event_channel_op, EVTCHNOP_bind_interdomain), 1, 12, 12, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_bind_virq), 1, 12, 12, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_close), 1, 4, 4, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_send), 1, 4, 4, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_status), 1, 24, 24, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_alloc_unbound), 1, 8, 8, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_bind_ipi), 1, 8, 8, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_bind_vcpu), 1, 8, 8, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_unmask), 1, 4, 4, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_reset), 1, 2, 2, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_bind_pirq), 1, 12, 12, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_init_control), 1, 24, 24, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_expand_array), 1, 8, 8, "evtchn"},
    {CALL(event_channel_op, EVTCHNOP_set_priority), 1, 8, 8, "evtchn"},
    {CALL(hvm_op, HVMOP_set_param), 1, 16, 16, NULL},
    {CALL(hvm_op, HVMOP_get_param), 1, 16, 16, NULL},
    {CALL(hvm_op, HVMOP_pagetable_dying), 1, 16, 16, NULL},
    {CALL(hvm_op, HVMOP_set_evtchn_upcall_vector), 1, 8, 8, "upcall-vector"},
};

static int64_t make(struct mock *mock, const struct call *c, uint64_t gpa)
{
    return xen_call(mock, 0, c->nr, c->sub == NONE ? 0 : (uint32_t)c->sub, c->handle == 1 ? gpa : 0,
                    c->handle == 2 ? gpa : 0);
}

static void check_nothing_happened(struct mock *mock)
{
    assert_int_equal(mock->out.nr_effects, 0);
    for (uint32_t port = 1; port < 8 && mock->regs.cpl == 0; port++)
        assert_int_equal(status_of(mock, port).status, EVTCHNSTAT_closed);
}

static void test_bad_handles(void **state)
{
    static const uint8_t widths[] = {64, 32};
    struct mock mock;

    (void)state;
    start(&mock, 2);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(calls); i++) {
        for (size_t w = 0; w < HVS_ARRAY_SIZE(widths) && calls[i].bytes; w++) {
            uint8_t bytes = widths[w] == 64 ? calls[i].bytes : calls[i].bytes32;

            mock.regs.code_bits = widths[w];
            assert_int_equal(make(&mock, &calls[i], BAD_GPA), -XEN_EFAULT);
            check_nothing_happened(&mock);
            /* One byte of it beyond the end; and just inside, where it is read at least. */
            assert_int_equal(make(&mock, &calls[i], MOCK_RAM_BYTES - bytes + 1), -XEN_EFAULT);
            check_nothing_happened(&mock);
            assert_int_equal(hvs_vm_exits(mock.vm, HVS_EXIT_HYPERCALL, NULL) > 0, 1);
            if (calls[i].nr != __HYPERVISOR_memory_op && calls[i].sub != VCPUOP_register_vcpu_time_memory_area)
                assert_int_not_equal(make(&mock, &calls[i], MOCK_RAM_BYTES - bytes), -XEN_EFAULT);
            mock_reset(&mock, 0);
        }
    }
    mock_stop(&mock);
}

static void test_no_other_privilege_than_0(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (uint8_t cpl = 1; cpl <= 3; cpl++) {
        for (size_t i = 0; i < HVS_ARRAY_SIZE(calls); i++) {
            mock.regs.cpl = cpl;
            mock.regs.code_bits = i % 2 ? 64 : 32;
            assert_int_equal(make(&mock, &calls[i], ARG_GPA), -XEN_EPERM);
            check_nothing_happened(&mock);
        }
    }
    mock_stop(&mock);
}

static void test_calls_go_with_their_features(void **state)
{
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(calls); i++) {
        if (!calls[i].feature)
            continue;
        start_without(&mock, calls[i].feature);
        assert_int_equal(make(&mock, &calls[i], ARG_GPA), -XEN_ENOSYS);
        mock_stop(&mock);
    }
}

static void test_unknown_calls(void **state)
{
    static const struct {
        uint64_t nr, sub;
    } t[] = {
        {0, 0}, {__HYPERVISOR_grant_table_op, 6}, {__HYPERVISOR_domctl, 0},
        {55, 0}, {127, 0}, {128, 0}, {0x7fffffff, 0}, {1ull << 32 | __HYPERVISOR_xen_version, 0}, {UINT64_MAX, 0},
        {__HYPERVISOR_xen_version, 11}, {__HYPERVISOR_xen_version, 0xffff}, {__HYPERVISOR_xen_version, 0x10000},
        {__HYPERVISOR_sched_op, 8}, {__HYPERVISOR_vcpu_op, 14}, {__HYPERVISOR_vcpu_op, 15},
        {__HYPERVISOR_event_channel_op, 14}, {__HYPERVISOR_event_channel_op, UINT64_MAX},
        {__HYPERVISOR_memory_op, XENMEM_exchange}, {__HYPERVISOR_memory_op, XENMEM_machphys_mapping},
        {__HYPERVISOR_hvm_op, 2}, {__HYPERVISOR_hvm_op, 1ull << 32}, {__HYPERVISOR_physdev_op, PHYSDEVOP_eoi},
        {__HYPERVISOR_physdev_op, PHYSDEVOP_irq_status_query}, {__HYPERVISOR_physdev_op, PHYSDEVOP_get_free_pirq},
        {__HYPERVISOR_multicall, 0},            /* the mock cannot retry */
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++)
        assert_int_equal(xen_call(&mock, 0, t[i].nr, t[i].sub, 0, ARG_GPA), -XEN_ENOSYS);
    mock.regs.code_bits = 32;                   /* where only EAX counts */
    assert_int_equal(xen_call(&mock, 0, 1ull << 32 | __HYPERVISOR_xen_version, 0, 0, 0), 4 << 16 | 17);
    mock_stop(&mock);
}

/* An int is an int: what lies above its 32 bits is noise. */
static void test_upper_halves(void **state)
{
    const uint64_t noise = 0xdeadbeefull << 32;
    struct mock mock;

    (void)state;
    start(&mock, 2);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_xen_version, noise | XENVER_pagesize, 0, 0), 4096);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vcpu_op, noise | VCPUOP_stop_singleshot_timer, noise, 0), 0);
    mock.regs.code_bits = 32;
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_xen_version, noise | XENVER_pagesize, noise, 0), 4096);
    mock_stop(&mock);
}

static void test_vcpu_is_looked_at_first(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 2);
    for (uint32_t cmd = 0; cmd < 20; cmd++) {
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vcpu_op, cmd, 2, BAD_GPA), -XEN_ENOENT);
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vcpu_op, cmd, UINT32_MAX, BAD_GPA), -XEN_ENOENT);
    }
    mock_stop(&mock);
}

static void test_arguments_of_each_width(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (uint32_t i = 0; i < 3; i++) {
        mock.regs = (struct hvs_regs){
            .cr0 = HVS_CR0_PE, .code_bits = (uint8_t)(16 << i), .rax = __HYPERVISOR_xen_version};
        if (mock.regs.code_bits == 64)
            mock.regs.rdi = XENVER_pagesize, mock.regs.rbx = 99;
        else
            mock.regs.rbx = XENVER_pagesize, mock.regs.rdi = 99;
        assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_HANDLED);
        assert_int_equal(mock.regs.rax, 4096);
    }
    /* Real mode may call too. */
    mock.regs = (struct hvs_regs){.code_bits = 16, .rax = __HYPERVISOR_xen_version, .rbx = XENVER_pagesize};
    assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, 4096);
    mock_stop(&mock);
}

static void test_raw_calls(void **state)
{
    static const struct {
        uint64_t rax;
        enum hvs_verdict verdict;
    } t[] = {
        {__HYPERVISOR_xen_version, HVS_HANDLED},
        {54, HVS_HANDLED},                      /* answered with -ENOSYS */
        {0xffffffff00000000ull | __HYPERVISOR_xen_version, HVS_HANDLED},
        {0x80000001, HVS_UNHANDLED},
        {0x564d5868, HVS_UNHANDLED},
        {0xabcdef00564d5868ull, HVS_UNHANDLED},
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        mock.regs.rax = t[i].rax;
        mock.regs.rdi = XENVER_version;
        assert_int_equal(mock_hypercall(&mock, 0, HVS_SLOT_RAW), t[i].verdict);
    }
    mock_stop(&mock);
}

/* Identity map of the mock's RAM by 4-level tables, with the page at `read_only` write-protected. */
static void turn_paging_on(struct mock *mock, uint64_t read_only)
{
    enum { TABLES = 0xf0000, RW = 3 };
    uint64_t entry;

    for (uint64_t level = 0; level < 3; level++) {
        entry = (TABLES + (level + 1) * 0x1000) | RW;
        memcpy(mock->ram + TABLES + level * 0x1000, &entry, sizeof(entry));
    }
    for (uint64_t gpa = 0; gpa < MOCK_RAM_BYTES; gpa += 0x1000) {
        entry = gpa | (gpa == read_only ? 1 : RW);
        memcpy(mock->ram + TABLES + 3 * 0x1000 + gpa / 0x1000 * 8, &entry, sizeof(entry));
    }
    mock->regs.cr0 = HVS_CR0_PE | HVS_CR0_PG | 1 << 16;
    mock->regs.cr4 = HVS_CR4_PAE;
    mock->regs.efer = HVS_EFER_LMA;
    mock->regs.cr3 = TABLES;
}

/* A port that the guest would not learn of is not bound. */
static void test_answer_that_cannot_be_written(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    turn_paging_on(&mock, 0x5000);
    memset(mock.ram + 0x4000, 0, 0x2000);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, 0x5000, 0), -XEN_EFAULT);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, 0x4ffc, 0), -XEN_EFAULT);
    assert_int_equal(status_of(&mock, 1).status, EVTCHNSTAT_closed);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, 0x4ff8, 0), 0);
    assert_int_equal(status_of(&mock, 1).status, EVTCHNSTAT_ipi);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_handles),
        cmocka_unit_test(test_no_other_privilege_than_0),
        cmocka_unit_test(test_calls_go_with_their_features),
        cmocka_unit_test(test_unknown_calls),
        cmocka_unit_test(test_upper_halves),
        cmocka_unit_test(test_vcpu_is_looked_at_first),
        cmocka_unit_test(test_arguments_of_each_width),
        cmocka_unit_test(test_raw_calls),
        cmocka_unit_test(test_answer_that_cannot_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
