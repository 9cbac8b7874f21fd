/* grant_table_op: who may ask for what, and lists that are longer than one exit. */
#include "grant_test.h"

enum { LIST_GPA = 0x8000 };

static void test_commands_that_hvm_guests_have(void **state)
{
    static const struct {
        uint32_t cmd, count;
        int64_t result;
    } t[] = {
        {GNTTABOP_dump_table, 1, -XEN_ENOSYS},
        {GNTTABOP_transfer, 1, -XEN_ENOSYS},
        {GNTTABOP_unmap_and_replace, 1, -XEN_ENOSYS},
        {GNTTABOP_get_status_frames, 1, -XEN_ENOSYS},
        {GNTTABOP_cache_flush, 1, -XEN_ENOSYS},
        {13, 1, -XEN_ENOSYS},
        {GNTTABOP_copy | 1 << 12, 1, -XEN_ENOSYS},
        {GNTTABOP_map_grant_ref, 0, 0},
        {GNTTABOP_map_grant_ref, 0x80000000, -XEN_EINVAL},
        {GNTTABOP_unmap_grant_ref, 0x80000000, -XEN_EINVAL},
        {GNTTABOP_copy, UINT32_MAX, -XEN_EINVAL},
        {GNTTABOP_swap_grant_ref, UINT32_MAX, -XEN_EINVAL},
        {GNTTABOP_set_version, UINT32_MAX, -XEN_EINVAL},
        {GNTTABOP_get_version, UINT32_MAX, -XEN_EINVAL},
        {GNTTABOP_query_size, 0, -XEN_EINVAL},
        {GNTTABOP_query_size, 2, -XEN_EINVAL},
        {GNTTABOP_setup_table, 2, -XEN_EINVAL},
    };
    struct mock mock;
    uint32_t nr_exits;

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        start_grants(&mock, 1);
        mock.regs.code_bits = bits;
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++)
            assert_int_equal(gnttab_op(&mock, t[i].cmd, ARG_GPA, t[i].count, &nr_exits), t[i].result);
        assert_int_equal(gnttab_op(&mock, GNTTABOP_setup_table, ARG_GPA, 0, &nr_exits), bits == 32 ? 0 : -XEN_EINVAL);
        for (uint32_t cmd = 0; cmd <= GNTTABOP_swap_grant_ref; cmd++) {
            int64_t result = gnttab_op(&mock, cmd, BAD_GPA, 1, &nr_exits);

            assert_true(result == -XEN_EFAULT || result == -XEN_ENOSYS);
        }
        mock_stop(&mock);
    }
    start_without(&mock, "grants");
    assert_int_equal(gnttab_op(&mock, GNTTABOP_query_size, ARG_GPA, 1, &nr_exits), -XEN_ENOSYS);
    assert_int_equal(map_page(&mock, DOMID_SELF, XENMAPSPACE_grant_table, 0, TABLE_GPA >> 12), -XEN_EINVAL);
    mock_stop(&mock);
}

static int16_t map_status(struct mock *mock, uint16_t domid, uint32_t flags)
{
    struct gnttab_map_grant_ref map = {.dom = domid, .flags = flags, .handle = 0x1234, .status = 99};

    assert_int_equal(GNTTAB(mock, map_grant_ref, &map), 0);
    assert_int_equal(map.handle, 0x1234);
    return map.status;
}

static void test_guest_cannot_map(void **state)
{
    struct gnttab_unmap_grant_ref unmap = {.handle = 0, .status = 99};
    struct mock mock;

    (void)state;
    start_grants(&mock, 1);
    grant(&mock, 1, 0, OWN_DOMID, GTF_permit_access, PAGE_GPA);
    assert_int_equal(map_status(&mock, OWN_DOMID, 0), GNTST_bad_gntref);
    assert_int_equal(map_status(&mock, OWN_DOMID, GNTMAP_readonly), GNTST_bad_gntref);
    assert_int_equal(map_status(&mock, OWN_DOMID, GNTMAP_device_map), GNTST_general_error);
    assert_int_equal(map_status(&mock, OWN_DOMID, GNTMAP_host_map | GNTMAP_contains_pte), GNTST_general_error);
    assert_int_equal(map_status(&mock, DOMID_SELF, GNTMAP_host_map), GNTST_bad_domain);
    assert_int_equal(map_status(&mock, 2, GNTMAP_host_map), GNTST_bad_domain);
    assert_int_equal(map_status(&mock, 0, GNTMAP_host_map), GNTST_no_space);
    assert_int_equal(map_status(&mock, OWN_DOMID, GNTMAP_host_map), GNTST_no_space);
    assert_int_equal(GNTTAB(&mock, unmap_grant_ref, &unmap), 0);
    assert_int_equal(unmap.status, GNTST_bad_handle);
    mock_stop(&mock);
}

static int16_t setup(struct mock *mock, uint16_t domid, uint32_t nr_frames, uint64_t list)
{
    struct xen_gnttab_setup_table32 narrow = {
        .dom = domid, .nr_frames = nr_frames, .status = 99, .frame_list = (uint32_t)list};
    struct gnttab_setup_table wide = {.dom = domid, .nr_frames = nr_frames, .status = 99};

    memcpy((uint8_t *)&wide + offsetof(struct gnttab_setup_table, frame_list), &list, sizeof(list));
    if (mock->regs.code_bits == 64) {
        assert_int_equal(GNTTAB(mock, setup_table, &wide), 0);
        return wide.status;
    }
    assert_int_equal(GNTTAB(mock, setup_table, &narrow), 0);
    return narrow.status;
}

static void test_setup_table(void **state)
{
    struct mock mock;

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        start_grants(&mock, 1);
        mock.regs.code_bits = bits;
        assert_int_equal(setup(&mock, 2, 1, LIST_GPA), GNTST_bad_domain);
        assert_int_equal(setup(&mock, DOMID_INVALID, 1, LIST_GPA), GNTST_bad_domain);
        assert_int_equal(setup(&mock, 0, 1, LIST_GPA), GNTST_permission_denied);
        assert_int_equal(setup(&mock, DOMID_SELF, 65, LIST_GPA), GNTST_general_error);
        assert_int_equal(setup(&mock, DOMID_SELF, UINT32_MAX, LIST_GPA), GNTST_general_error);
        assert_int_equal(setup(&mock, DOMID_SELF, 1, BAD_GPA), GNTST_bad_virt_addr);
        assert_int_equal(setup(&mock, DOMID_SELF, 0, BAD_GPA), GNTST_okay);
        assert_int_equal(setup(&mock, OWN_DOMID, 1, LIST_GPA), GNTST_okay);
        assert_int_equal(ram32(&mock, LIST_GPA), TABLE_GPA >> 12);
        /* The second frame lies nowhere, which 32 bits cannot say. */
        assert_int_equal(setup(&mock, DOMID_SELF, 2, LIST_GPA), bits == 64 ? GNTST_okay : GNTST_address_too_big);
        if (bits == 64)
            assert_int_equal(ram64(&mock, LIST_GPA + 8), UINT64_MAX);
        mock_stop(&mock);
    }
}

static void test_queries(void **state)
{
    static const struct {
        uint16_t domid;
        int16_t status;
        int64_t result;
    } t[] = {
        {DOMID_SELF, GNTST_okay, 0}, {OWN_DOMID, GNTST_okay, 0}, {0, GNTST_permission_denied, -XEN_EPERM},
        {2, GNTST_bad_domain, -XEN_ESRCH}, {DOMID_IO, GNTST_bad_domain, -XEN_ESRCH},
    };
    struct mock mock;

    (void)state;
    for (uint32_t v = 1; v <= 2; v++) {
        start_grants(&mock, v);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            struct gnttab_query_size size = {.dom = t[i].domid, .nr_frames = 77, .status = 99};
            struct gnttab_get_version version = {.dom = t[i].domid, .version = 77};

            assert_int_equal(GNTTAB(&mock, query_size, &size), 0);
            assert_int_equal(size.status, t[i].status);
            assert_int_equal(size.nr_frames, t[i].result ? 77 : 1);
            assert_int_equal(GNTTAB(&mock, get_version, &version), t[i].result);
            assert_int_equal(version.version, t[i].result ? 77 : v);
        }
        mock_stop(&mock);
    }
}

static void put_swaps(struct mock *mock, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        const struct gnttab_swap_grant_ref swap = {.ref_a = 100 + i, .ref_b = 101 + i, .status = 99};

        memcpy(mock->ram + LIST_GPA + i * sizeof(swap), &swap, sizeof(swap));
    }
    grant(mock, 1, 100, 7, GTF_permit_access, PAGE_GPA);
}

static int16_t swap_status(const struct mock *mock, uint32_t i)
{
    return (int16_t)ram32(mock, LIST_GPA + i * sizeof(struct gnttab_swap_grant_ref) + 8);
}

/* A hundred swaps carry one entry a hundred places on, each once, in exits of at most 32. */
static void test_long_list_goes_on(void **state)
{
    enum { NR = 100 };
    struct mock mock;
    uint32_t nr_exits;

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        start_grants(&mock, 1);
        mock.regs.code_bits = bits;
        put_swaps(&mock, NR);
        assert_int_equal(gnttab_op(&mock, GNTTABOP_swap_grant_ref, LIST_GPA, NR, &nr_exits), 0);
        assert_int_equal(nr_exits, 4);
        for (uint32_t i = 0; i < NR; i++)
            assert_int_equal(swap_status(&mock, i), GNTST_okay);
        assert_int_equal(entry_v1(&mock, 100 + NR)->domid, 7);
        assert_int_equal(entry_v1(&mock, 100)->domid, 0);
        assert_int_equal(gnttab_op(&mock, GNTTABOP_swap_grant_ref, MOCK_RAM_BYTES - 12, 2, &nr_exits), -XEN_EFAULT);
        mock_stop(&mock);
    }
}

/* The same within a multicall, with a call behind it. */
static void test_long_list_in_a_multicall(void **state)
{
    enum { NR = 100, CALLS_GPA = 0x10000 };
    const struct multicall_entry calls[] = {
        {.op = __HYPERVISOR_grant_table_op, .result = 77, .args = {GNTTABOP_swap_grant_ref, LIST_GPA, NR}},
        {.op = __HYPERVISOR_xen_version, .result = 77, .args = {XENVER_version}},
    };
    enum hvs_verdict verdict = HVS_RETRY;
    struct mock mock;
    uint32_t nr_exits = 0;

    (void)state;
    start_grants(&mock, 1);
    put_swaps(&mock, NR);
    memcpy(mock.ram + CALLS_GPA, calls, sizeof(calls));
    mock.regs.rax = __HYPERVISOR_multicall;
    mock.regs.rdi = CALLS_GPA;
    mock.regs.rsi = 2;
    for (; verdict == HVS_RETRY; nr_exits++)
        verdict = mock_hypercall(&mock, 0, 0);
    assert_int_equal(verdict, HVS_HANDLED);
    assert_int_equal(mock.regs.rax, 0);
    assert_int_equal(nr_exits, 4);
    assert_int_equal(ram64(&mock, CALLS_GPA + 8), 0);
    assert_int_equal(ram64(&mock, CALLS_GPA + 0x48), 4 << 16 | 17);
    assert_int_equal(entry_v1(&mock, 100 + NR)->domid, 7);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_that_hvm_guests_have),
        cmocka_unit_test(test_guest_cannot_map),
        cmocka_unit_test(test_setup_table),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_long_list_goes_on),
        cmocka_unit_test(test_long_list_in_a_multicall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
