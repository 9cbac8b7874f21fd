/* vcpu_op: what a guest registers for its vCPUs. */
#include "xen_test.h"

static int64_t register_info(struct mock *mock, uint32_t vp, uint32_t about, uint64_t gpa)
{
    struct vcpu_register_vcpu_info info = {.mfn = gpa >> 12, .offset = gpa & 0xfff};

    return xen_vcpu_op(mock, vp, VCPUOP_register_vcpu_info, about, &info, sizeof(info));
}

static void test_info_moves(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 2);
    map_shared(&mock);
    set_vector(&mock, 1);
    mock.ram[SHARED_GPA + 64 + 0x10] = 0x99;    /* something of vCPU 1's */
    assert_int_equal(register_info(&mock, 0, 1, INFO_GPA), 0);
    assert_int_equal(mock.ram[INFO_GPA + 0x10], 0x99);
    assert_int_equal(mock.ram[INFO_GPA], 1);    /* upcall_pending */
    assert_int_equal(ram64(&mock, INFO_GPA + 8), UINT64_MAX);
    assert_int_equal(interrupted(&mock), 1);
    mock_advance(&mock, 12345);
    assert_in_range(pvclock_ns(&mock, INFO_GPA + 0x20), 12344, 12345);
    assert_int_equal(mock.ram[SHARED_GPA + 64], 0);
    mock_stop(&mock);
}

static void test_narrow_info(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    mock.regs.code_bits = 32;
    map_shared(&mock);
    assert_int_equal(register_info(&mock, 0, 0, INFO_GPA + 4), 0);      /* aligned to 4 is enough */
    assert_int_equal(ram32(&mock, INFO_GPA + 8), UINT32_MAX);
    assert_int_equal(ram32(&mock, INFO_GPA + 12), 0);
    mock_advance(&mock, 12345);
    assert_in_range(pvclock_ns(&mock, INFO_GPA + 0x24), 12344, 12345);
    mock_stop(&mock);
}

static void test_bad_info(void **state)
{
    static const struct {
        uint64_t mfn;
        uint32_t offset;
        int64_t result;
    } t[] = {
        {INFO_GPA >> 12, 4096 - 63, -XEN_ENXIO},
        {INFO_GPA >> 12, 4096 - 56, -XEN_ENXIO},
        {INFO_GPA >> 12, 4096, -XEN_ENXIO},
        {INFO_GPA >> 12, UINT32_MAX, -XEN_ENXIO},
        {INFO_GPA >> 12, 1, -XEN_ENXIO},
        {INFO_GPA >> 12, 4, -XEN_ENXIO},
        {BAD_GPA >> 12, 0, -XEN_EINVAL},
        {UINT64_MAX, 0, -XEN_EINVAL},
        {1ull << 52 | INFO_GPA >> 12, 0, -XEN_EINVAL},
    };
    static uint8_t zeros[HVS_PAGE_BYTES];
    struct mock mock;

    (void)state;
    start(&mock, 1);
    map_shared(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct vcpu_register_vcpu_info info = {.mfn = t[i].mfn, .offset = t[i].offset};

        assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_register_vcpu_info, 0, &info, sizeof(info)), t[i].result);
        assert_memory_equal(mock.ram + (INFO_GPA & ~0xfff), zeros, sizeof(zeros));
        assert_int_equal(mock.ram[SHARED_GPA], 0);
        assert_int_equal(mock.out.nr_effects, 0);
    }
    assert_int_equal(register_info(&mock, 0, 0, INFO_GPA), 0);
    assert_int_equal(register_info(&mock, 0, 0, INFO_GPA + 64), -XEN_EINVAL);   /* once */
    assert_int_equal(ram32(&mock, INFO_GPA + 64), 0);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    assert_int_equal(register_info(&mock, 0, 0, INFO_GPA + 64), 0);
    mock_stop(&mock);
}

static void test_info_at_the_end_of_a_page(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(register_info(&mock, 0, 0, (INFO_GPA | 0xfff) - 63), 0);
    assert_int_equal(mock.ram[(INFO_GPA | 0xfff) - 63], 1);
    assert_in_range(pvclock_ns(&mock, (INFO_GPA | 0xfff) - 31), 0, 1);  /* though shared_info has none to copy */
    mock_stop(&mock);
}

/* Another's may be moved while it is down only. */
static void test_info_of_others(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 3);
    map_shared(&mock);
    xen_call(&mock, 1, __HYPERVISOR_xen_version, XENVER_version, 0, 0);         /* it is seen to run */
    assert_int_equal(register_info(&mock, 0, 1, INFO_GPA), -XEN_EINVAL);
    assert_int_equal(ram32(&mock, INFO_GPA), 0);
    assert_int_equal(register_info(&mock, 1, 1, INFO_GPA), 0);
    assert_int_equal(register_info(&mock, 0, 2, INFO_GPA + 64), 0);
    mock_stop(&mock);
}

static void test_time_area(void **state)
{
    static const uint64_t bad[] = {BAD_GPA, MOCK_RAM_BYTES - 31, 0x5001, 0x5fe4, UINT64_MAX, UINT64_MAX - 31};
    uint64_t area = 0x5fe0, none = 0;
    struct mock mock;

    (void)state;
    start(&mock, 2);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++) {
        assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_register_vcpu_time_memory_area, 0, &bad[i], 8), -XEN_EFAULT);
        assert_int_equal(ram32(&mock, area), 0);
    }
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        mock.regs.code_bits = bits;
        memset(mock.ram + area, 0, 32);
        assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_register_vcpu_time_memory_area, 1, &area, bits / 8), 0);
        mock_advance(&mock, 777);
        assert_in_range(pvclock_ns(&mock, area), mock.now_ns - 1, mock.now_ns);
        assert_int_equal(mock.ram[area + 29], 1);
    }
    memset(mock.ram + area, 0, 32);
    assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_register_vcpu_time_memory_area, 1, &none, 8), 0);
    assert_int_equal(register_info(&mock, 0, 1, INFO_GPA), 0);          /* writes the time, but not there any more */
    assert_int_equal(ram32(&mock, area), 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info_moves),
        cmocka_unit_test(test_narrow_info),
        cmocka_unit_test(test_bad_info),
        cmocka_unit_test(test_info_at_the_end_of_a_page),
        cmocka_unit_test(test_info_of_others),
        cmocka_unit_test(test_time_area),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
