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

static int64_t set_memory_map(struct mock *mock, uint16_t domid, uint32_t nr, uint64_t buffer)
{
    struct xen_foreign_memory_map32 narrow = {
        .domid = domid, .map = {.nr_entries = nr, .buffer = (uint32_t)buffer}};
    struct xen_foreign_memory_map wide = {.domid = domid, .map = {.nr_entries = nr}};
    bool is_wide = mock->regs.code_bits == 64;

    memcpy(&wide.map.buffer, &buffer, sizeof(buffer));
    return xen_op(mock, 0, __HYPERVISOR_memory_op, XENMEM_set_memory_map, is_wide ? (void *)&wide : &narrow,
                  is_wide ? sizeof(wide) : sizeof(narrow));
}

static void test_guest_sets_the_map(void **state)
{
    static const struct hvs_xen_memory memory[] = {{0, 0x9fc00, 1, 0}};
    const struct hvs_xen_options options = {.size = sizeof(options), .memory_map = memory, .nr_memory_map = 1};

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct mock mock;
        uint32_t nr = 10;

        start_with(&mock, 1, &options);
        mock.regs.code_bits = bits;
        for (uint32_t i = 0; i < 60; i++)
            mock.ram[0x2000 + i] = (uint8_t)i;
        assert_int_equal(set_memory_map(&mock, 0, 3, 0x2000), -XEN_EPERM);
        assert_int_equal(set_memory_map(&mock, 2, 3, 0x2000), -XEN_ESRCH);
        assert_int_equal(set_memory_map(&mock, DOMID_SELF, 1025, 0x2000), -XEN_EINVAL);
        assert_int_equal(set_memory_map(&mock, DOMID_SELF, 129, 0x2000), -XEN_ENOMEM);
        assert_int_equal(set_memory_map(&mock, DOMID_SELF, 3, MOCK_RAM_BYTES - 59), -XEN_EFAULT);
        assert_int_equal(set_memory_map(&mock, DOMID_SELF, 3, 0x2000), 0);
        mock_save_load_save(&mock);
        assert_int_equal(memory_map(&mock, &nr, 0x3000), 0);
        assert_int_equal(nr, 3);
        assert_memory_equal(mock.ram + 0x3000, mock.ram + 0x2000, 60);
        assert_int_equal(set_memory_map(&mock, DOMID_SELF, 0, 0), 0);
        assert_int_equal(memory_map(&mock, &nr, 0x3000), -XEN_ENOSYS);
        mock_stop(&mock);
    }
}

/* The shared_info page is taken away, and the RAM beneath comes back; other RAM is given to the VMM. */
static void test_remove(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        static const struct {
            uint16_t domid;
            uint64_t gfn;
            int64_t result;
        } t[] = {
            {0, SHARED_GPA >> 12, -XEN_EPERM},       {2, SHARED_GPA >> 12, -XEN_ESRCH},
            {DOMID_SELF, BAD_GPA >> 12, -XEN_ENOENT}, {DOMID_SELF, UINT32_MAX, -XEN_ENOENT},
            {DOMID_SELF, SHARED_GPA >> 12, 0},       {DOMID_SELF, 0x50, 0},
        };
        struct mock mock;

        start(&mock, 1);
        mock.regs.code_bits = bits;
        mock.ram[SHARED_GPA] = 0x77;
        map_shared(&mock);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            struct xen_remove_from_physmap32 narrow = {.domid = t[i].domid, .gpfn = (uint32_t)t[i].gfn};
            struct xen_remove_from_physmap wide = {.domid = t[i].domid, .gpfn = t[i].gfn};

            assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_memory_op, XENMEM_remove_from_physmap,
                                    bits == 64 ? (void *)&wide : &narrow, bits == 64 ? sizeof(wide) : sizeof(narrow)),
                             t[i].result);
        }
        assert_int_equal(mock.ram[SHARED_GPA], 0x77);
        mock_stop(&mock);
    }
}

enum { IDXS_GPA = 0x4000, GFNS_GPA = 0x5000, ERRS_GPA = 0x6000 };

static int64_t add_batch(struct mock *mock, uint64_t extent, uint16_t domid, uint16_t space, uint16_t nr)
{
    struct xen_add_to_physmap_batch32 narrow = {.domid = domid, .space = space, .size = nr, .idxs = IDXS_GPA,
                                                .gpfns = GFNS_GPA, .errs = ERRS_GPA};
    uint64_t wide[4] = {domid | (uint64_t)space << 16 | (uint64_t)nr << 32, IDXS_GPA, GFNS_GPA, ERRS_GPA};
    bool is_wide = mock->regs.code_bits == 64;

    return xen_op(mock, 0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch | extent << 6,
                  is_wide ? (void *)wide : &narrow, is_wide ? sizeof(wide) : sizeof(narrow));
}

static void test_batch(void **state)
{
    static const uint64_t idx[] = {1, 0, 0}, gfn[] = {0x30, 0x31, BAD_GPA >> 12}, none = UINT64_MAX;

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct mock mock;

        start(&mock, 1);
        mock.regs.code_bits = bits;
        for (uint32_t i = 0; i < 3; i++) {
            memcpy(mock.ram + IDXS_GPA + i * bits / 8, &idx[i], bits / 8);
            memcpy(mock.ram + GFNS_GPA + i * bits / 8, &gfn[i], bits / 8);
        }
        mock.ram[0x31fff] = 0x77;
        assert_int_equal(add_batch(&mock, 0, DOMID_SELF, XENMAPSPACE_shared_info, 3), 0);
        assert_int_equal((int32_t)ram32(&mock, ERRS_GPA), -XEN_EINVAL);
        assert_int_equal(ram32(&mock, ERRS_GPA + 4), 0);
        assert_int_equal((int32_t)ram32(&mock, ERRS_GPA + 8), -XEN_EINVAL);
        assert_int_equal(mock.ram[0x31fff], 0);         /* it lies there */
        assert_int_equal(add_batch(&mock, 0, DOMID_SELF, XENMAPSPACE_shared_info, 0), 0);
        assert_int_equal(add_batch(&mock, 3, DOMID_SELF, XENMAPSPACE_shared_info, 3), -XEN_EILSEQ);
        assert_int_equal(add_batch(&mock, 4, DOMID_SELF, XENMAPSPACE_shared_info, 3), -XEN_EILSEQ);
        assert_int_equal(add_batch(&mock, 0x10000, DOMID_SELF, XENMAPSPACE_shared_info, 3), -XEN_EDOM);
        assert_int_equal(add_batch(&mock, 0, DOMID_SELF, XENMAPSPACE_gmfn_range, 3), -XEN_EOPNOTSUPP);
        assert_int_equal(add_batch(&mock, 0, 0, XENMAPSPACE_shared_info, 3), -XEN_EPERM);
        assert_int_equal(add_batch(&mock, 0, 2, XENMAPSPACE_shared_info, 3), -XEN_ESRCH);
        memcpy(mock.ram + GFNS_GPA, &none, bits / 8);
        assert_int_equal(add_batch(&mock, 0, DOMID_SELF, XENMAPSPACE_shared_info, 3), -XEN_EINVAL);
        mock_stop(&mock);
    }
}

/* A long list does not keep the others from the VM: the guest asks again for the rest. */
static void test_batch_in_pieces(void **state)
{
    enum { NR = 200, PIECE = 64 };

    (void)state;
    for (uint32_t may_break = 0; may_break < 2; may_break++) {
        const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
        struct mock mock;

        mock_config(&mock, list, 1);
        mock.config.caps |= may_break ? HVS_CAP_RETRY : 0;
        assert_int_equal(mock_start(&mock), HVS_OK);
        for (uint32_t i = 0; i < NR; i++)
            memcpy(mock.ram + GFNS_GPA + i * sizeof(uint64_t), &(uint64_t){0x30 + i % 2}, sizeof(uint64_t));
        memset(mock.ram + ERRS_GPA, 0xff, NR * sizeof(int32_t));
        assert_int_equal(add_batch(&mock, 0, DOMID_SELF, XENMAPSPACE_shared_info, 0), 0);
        memcpy(mock.ram + ARG_GPA + offsetof(struct xen_add_to_physmap_batch, size), &(uint16_t){NR}, sizeof(uint16_t));
        mock.regs.rax = __HYPERVISOR_memory_op;
        mock.regs.rdi = XENMEM_add_to_physmap_batch;
        mock.regs.rsi = ARG_GPA;
        for (uint32_t done = PIECE; may_break && done < NR; done += PIECE) {
            assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_RETRY);
            assert_int_equal(mock.regs.rdi, XENMEM_add_to_physmap_batch | done << 6);
            assert_int_equal(ram32(&mock, ERRS_GPA + (done - 1) * sizeof(int32_t)), 0);
            assert_int_equal(ram32(&mock, ERRS_GPA + done * sizeof(int32_t)), UINT32_MAX);
        }
        assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_HANDLED);
        assert_int_equal(mock.regs.rax, 0);
        assert_int_equal(ram32(&mock, ERRS_GPA + (NR - 1) * sizeof(int32_t)), 0);
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_info_moves_and_gives_ram_back),
        cmocka_unit_test(test_bad_mappings),
        cmocka_unit_test(test_extent),
        cmocka_unit_test(test_memory_map),
        cmocka_unit_test(test_long_memory_map_is_cut),
        cmocka_unit_test(test_guest_sets_the_map),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_batch_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
