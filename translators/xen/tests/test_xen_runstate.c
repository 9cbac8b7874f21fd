/* Run state: the sums, the layouts, and the area that is kept current. */
#include "xen_test.h"

enum { MS = 1000000 };

struct seen {
    uint32_t state;
    uint64_t entry_ns, ns[4];
};

static struct seen read_runstate(const struct mock *mock, uint64_t gpa, bool is_wide)
{
    struct seen s = {.state = ram32(mock, gpa), .entry_ns = ram64(mock, gpa + (is_wide ? 8 : 4))};

    for (uint32_t i = 0; i < 4; i++)
        s.ns[i] = ram64(mock, gpa + (is_wide ? 0x10 : 0xc) + i * 8);
    return s;
}

static void set_host_time(struct mock *mock, uint64_t ran_ns, uint64_t stolen_ns)
{
    mock->vcpu_time[1] = (struct hvs_vcpu_time){.ran_ns = ran_ns, .stolen_ns = stolen_ns};
}

static int64_t register_area(struct mock *mock, uint64_t gpa)
{
    return xen_vcpu_op(mock, 0, VCPUOP_register_runstate_memory_area, 1, &gpa, mock->regs.code_bits / 8);
}

static void test_sums(void **state)
{
    static const struct {
        uint64_t ran, stolen, expected[4];
    } t[] = {
        {60, 10, {60, 10, 30, 0}},
        {0, 0, {0, 0, 100, 0}},
        {100, 0, {100, 0, 0, 0}},
        {120, 7, {100, 0, 0, 0}},               /* the host's clocks run a little differently */
        {60, 70, {60, 40, 0, 0}},
    };

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct mock mock;

        start(&mock, 2);
        mock.regs.code_bits = bits;
        mock_advance(&mock, 100 * MS);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            struct seen s;

            set_host_time(&mock, t[i].ran * MS, t[i].stolen * MS);
            memset(mock.ram + 0x6800, 0xee, 0x100);
            assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 1, 0x6800), 0);
            s = read_runstate(&mock, 0x6800, bits == 64);
            assert_int_equal(s.state, RUNSTATE_running);
            assert_in_range(s.entry_ns, 100 * MS - 1, 100 * MS);
            for (uint32_t n = 0; n < 4; n++)
                assert_in_range(s.ns[n] + 1, t[i].expected[n] * MS, t[i].expected[n] * MS + 1);
            assert_int_equal(s.ns[0] + s.ns[1] + s.ns[2] + s.ns[3], s.entry_ns);
            assert_int_equal(mock.ram[0x6800 + (bits == 64 ? 0x30 : 0x2c)], 0xee);
        }
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 1, BAD_GPA), -XEN_EFAULT);
        mock_stop(&mock);
    }
}

/* A backend that does not know: the whole age of the VM is running time, none is stolen. */
static void test_without_host_times(void **state)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
    struct mock mock;
    struct seen s;

    (void)state;
    mock_config(&mock, list, 2);
    mock.config.caps &= ~(uint32_t)HVS_CAP_VCPU_TIME;
    assert_int_equal(mock_start(&mock), HVS_OK);
    mock_advance(&mock, 100 * MS);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 1, 0x6800), 0);
    s = read_runstate(&mock, 0x6800, true);
    assert_int_equal(s.ns[RUNSTATE_running], s.entry_ns);
    assert_int_equal(s.ns[1] + s.ns[2] + s.ns[3], 0);
    mock_stop(&mock);
}

/* It may straddle pages, at each byte of it. */
static void test_area_over_two_pages(void **state)
{
    (void)state;
    for (uint32_t in_first = 1; in_first <= 0x30; in_first++) {
        const uint64_t area = 0x6000 - in_first;
        struct mock mock;
        struct seen s;

        start(&mock, 2);
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vm_assist, 0, 5, 0), 0);
        mock_advance(&mock, 100 * MS);
        set_host_time(&mock, 60 * MS, 10 * MS);
        memset(mock.ram + area - 16, 0xee, 0x60);
        assert_int_equal(register_area(&mock, area), 0);
        s = read_runstate(&mock, area, true);
        assert_in_range(s.entry_ns, 100 * MS - 1, 100 * MS);    /* the update's mark is gone */
        assert_in_range(s.ns[RUNSTATE_running], 60 * MS - 1, 60 * MS);
        assert_int_equal(mock.ram[area - 1], 0xee);
        assert_int_equal(mock.ram[area + 0x30], 0xee);
        mock_stop(&mock);
    }
}

static void test_vm_assist(void **state)
{
    static const struct {
        uint32_t cmd, type;
        int64_t result;
    } t[] = {
        {0, 5, 0}, {1, 5, 0}, {2, 5, -XEN_ENOSYS}, {0, 0, -XEN_EINVAL}, {7, 4, -XEN_EINVAL}, {0, 64, -XEN_EINVAL},
        {0, UINT32_MAX, -XEN_EINVAL},
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++)
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vm_assist, t[i].cmd, t[i].type, 0), t[i].result);
    mock_stop(&mock);
}

static void test_area_is_kept_current(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        const uint64_t area = 0x6000;
        struct mock mock;

        start(&mock, 2);
        mock.regs.code_bits = bits;
        assert_int_equal(register_area(&mock, area), 0);
        mock_advance(&mock, 100 * MS);
        set_host_time(&mock, 60 * MS, 10 * MS);
        mock_save_load_save(&mock);
        mock.regs.code_bits = 96 - bits;        /* who calls now does not matter */
        assert_int_equal(xen_call(&mock, 1, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0), 0);
        assert_in_range(read_runstate(&mock, area, bits == 64).ns[RUNSTATE_runnable], 10 * MS - 1, 10 * MS);
        set_host_time(&mock, 60 * MS, 20 * MS);
        mock_advance(&mock, MS / 2);
        assert_int_equal(mock_timer(&mock, 1), HVS_HANDLED);
        assert_in_range(read_runstate(&mock, area, bits == 64).ns[RUNSTATE_runnable], 10 * MS - 1, 10 * MS);
        mock_advance(&mock, MS);
        assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0), 0);    /* another vCPU's */
        assert_in_range(read_runstate(&mock, area, bits == 64).ns[RUNSTATE_runnable], 10 * MS - 1, 10 * MS);
        assert_int_equal(xen_call(&mock, 1, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0), 0);
        assert_in_range(read_runstate(&mock, area, bits == 64).ns[RUNSTATE_runnable], 20 * MS - 1, 20 * MS);
        mock_stop(&mock);
    }
}

/* As Xen has it: an area that cannot be written is not an error, and an earlier one is given up. */
static void test_area_nowhere(void **state)
{
    static const uint64_t nowhere[] = {0, BAD_GPA, UINT64_MAX, UINT64_MAX - 8, MOCK_RAM_BYTES - 8};
    struct mock mock;

    (void)state;
    start(&mock, 2);
    mock_advance(&mock, 10 * MS);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(nowhere); i++) {
        assert_int_equal(register_area(&mock, 0x6000), 0);
        assert_int_equal(register_area(&mock, nowhere[i]), 0);
        memset(mock.ram + 0x6000, 0, 0x30);
        mock_advance(&mock, 10 * MS);
        assert_int_equal(xen_call(&mock, 1, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0), 0);
        assert_int_equal(ram64(&mock, 0x6008), 0);
        assert_int_equal(mock.nr_pinned, 0);
    }
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_without_host_times),
        cmocka_unit_test(test_area_over_two_pages),
        cmocka_unit_test(test_vm_assist),
        cmocka_unit_test(test_area_is_kept_current),
        cmocka_unit_test(test_area_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
