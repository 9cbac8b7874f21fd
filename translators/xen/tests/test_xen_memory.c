/* memory_op: mapping shared_info, and the memory map. */
#include "xen_test.h"

static void test_shared_info_moves_and_gives_ram_back(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    mock.ram[SHARED_GPA + 0xffe] = 0x11;
    mock.ram[SHARED_GPA + 0x1ffe] = 0x22;
    map_shared(&mock);
    assert_int_equal(mock.ram[SHARED_GPA + 0xffe], 0);
    mock.ram[SHARED_GPA + 0xffe] = 0x33;        /* contents */
    assert_int_equal(map_page(&mock, DOMID_SELF, XENMAPSPACE_shared_info, 0, (SHARED_GPA >> 12) + 1), 0);
    assert_int_equal(mock.ram[SHARED_GPA + 0xffe], 0x11);
    assert_int_equal(mock.ram[SHARED_GPA + 0x1ffe], 0x33);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    assert_int_equal(mock.ram[SHARED_GPA + 0x1ffe], 0x22);
    mock_stop(&mock);
}

static void test_bad_mappings(void **state)
{
    static const struct {
        uint16_t domid;
        uint32_t space;
        uint64_t idx, gfn;
        int64_t result;
    } t[] = {
        {DOMID_SELF, XENMAPSPACE_shared_info, 0, BAD_GPA >> 12, -XEN_EINVAL},
        {DOMID_SELF, XENMAPSPACE_shared_info, 0, UINT64_MAX, -XEN_EINVAL},
        {DOMID_SELF, XENMAPSPACE_shared_info, 0, UINT64_MAX - 1, -XEN_EINVAL},
        {DOMID_SELF, XENMAPSPACE_shared_info, 0, 1ull << 52 | SHARED_GPA >> 12, -XEN_EINVAL},
        {DOMID_SELF, XENMAPSPACE_shared_info, 1, SHARED_GPA >> 12, -XEN_EINVAL},
        {DOMID_SELF, XENMAPSPACE_grant_table, 0, SHARED_GPA >> 12, -XEN_EINVAL},
        {DOMID_SELF, XENMAPSPACE_gmfn, 0, SHARED_GPA >> 12, -XEN_EINVAL},
        {DOMID_SELF, XENMAPSPACE_gmfn_range, 0, SHARED_GPA >> 12, -XEN_EINVAL},
        {DOMID_SELF, XENMAPSPACE_gmfn_foreign, 0, SHARED_GPA >> 12, -XEN_ENOSYS},
        {DOMID_SELF, UINT32_MAX, 0, SHARED_GPA >> 12, -XEN_EINVAL},
        {0, XENMAPSPACE_shared_info, 0, SHARED_GPA >> 12, -XEN_EPERM},
        {2, XENMAPSPACE_shared_info, 0, SHARED_GPA >> 12, -XEN_ESRCH},
        {DOMID_INVALID, XENMAPSPACE_shared_info, 0, SHARED_GPA >> 12, -XEN_ESRCH},
    };
    static uint8_t zeros[HVS_PAGE_BYTES];
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        mock.regs.code_bits = bits;
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            if (bits == 32 && t[i].gfn > UINT32_MAX && t[i].gfn != UINT64_MAX)
                continue;
            assert_int_equal(map_page(&mock, t[i].domid, t[i].space, t[i].idx, t[i].gfn), t[i].result);
            assert_memory_equal(mock.ram + SHARED_GPA, zeros, sizeof(zeros));
        }
    }
    assert_int_equal(map_page(&mock, 1, XENMAPSPACE_shared_info, 0, SHARED_GPA >> 12), 0);     /* by its own number */
    mock_stop(&mock);
}

/* Bits above the command say where to go on: 16 bits of them are a size, more are refused. */
static void test_extent(void **state)
{
    struct xen_add_to_physmap add = {.domid = DOMID_SELF, .gpfn = SHARED_GPA >> 12};
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap | 0x10000 << 6, &add, sizeof(add)),
                     -XEN_EDOM);
    assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap | 0xffff << 6, &add, sizeof(add)),
                     0);
    mock_stop(&mock);
}

/* The entry at `gpa` is as 20 bytes, in either width. */
static void check_entry(const struct mock *mock, uint64_t gpa, const struct hvs_xen_memory *memory)
{
    assert_int_equal(ram64(mock, gpa), memory->gpa);
    assert_int_equal(ram64(mock, gpa + 8), memory->bytes);
    assert_int_equal(ram32(mock, gpa + 16), memory->type);
}

static int64_t memory_map(struct mock *mock, uint32_t *nr, uint64_t buffer)
{
    struct xen_memory_map32 narrow = {.nr_entries = *nr, .buffer = (uint32_t)buffer};
    uint64_t wide[2] = {*nr, buffer};
    bool is_wide = mock->regs.code_bits == 64;
    int64_t result = xen_op(mock, 0, __HYPERVISOR_memory_op, XENMEM_memory_map, is_wide ? (void *)wide : &narrow,
                            is_wide ? sizeof(wide) : sizeof(narrow));

    *nr = is_wide ? (uint32_t)wide[0] : narrow.nr_entries;
    return result;
}

static void test_memory_map(void **state)
{
    static const struct hvs_xen_memory memory[] = {{0, 0x9fc00, 1, 0}, {0xf0000, 0x10000, 2, 0}, {1ull << 32, 5, 1, 0}};
    const struct hvs_xen_options options = {.size = sizeof(options), .memory_map = memory, .nr_memory_map = 3};
    struct mock mock;
    uint32_t nr;

    (void)state;
    start_with(&mock, 1, &options);
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        mock.regs.code_bits = bits;
        memset(mock.ram + 0x2000, 0xee, 200);
        nr = 2;
        assert_int_equal(memory_map(&mock, &nr, 0x2000), 0);
        assert_int_equal(nr, 2);
        check_entry(&mock, 0x2000 + 20, &memory[1]);
        assert_int_equal(mock.ram[0x2000 + 40], 0xee);
        nr = UINT32_MAX;
        assert_int_equal(memory_map(&mock, &nr, 0x2000), 0);
        assert_int_equal(nr, 3);
        for (uint32_t i = 0; i < 3; i++)
            check_entry(&mock, 0x2000 + i * 20, &memory[i]);
        nr = 9;
        assert_int_equal(memory_map(&mock, &nr, MOCK_RAM_BYTES - 59), -XEN_EFAULT);
        assert_int_equal(nr, 9);
    }
    mock_stop(&mock);
    start(&mock, 1);
    nr = 1;
    assert_int_equal(memory_map(&mock, &nr, 0x2000), -XEN_ENOSYS);
    mock_stop(&mock);
}

static void test_long_memory_map_is_cut(void **state)
{
    static struct hvs_xen_memory memory[200];
    const struct hvs_xen_options options = {.size = sizeof(options), .memory_map = memory, .nr_memory_map = 200};
    struct mock mock;
    uint32_t nr = 500;

    (void)state;
    start_with(&mock, 1, &options);
    assert_int_equal(memory_map(&mock, &nr, 0x2000), 0);
    assert_int_equal(nr, 128);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_info_moves_and_gives_ram_back),
        cmocka_unit_test(test_bad_mappings),
        cmocka_unit_test(test_extent),
        cmocka_unit_test(test_memory_map),
        cmocka_unit_test(test_long_memory_map_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
