/* The grant table: its pages, its size, its versions, and swapping entries. */
#include "grant_test.h"

#define STATUS XENMAPIDX_grant_table_status

static int64_t place(struct mock *mock, uint64_t idx, uint64_t gpa)
{
    return map_page(mock, DOMID_SELF, XENMAPSPACE_grant_table, idx, gpa >> 12);
}

static struct gnttab_query_size size_of(struct mock *mock)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};

    assert_int_equal(GNTTAB(mock, query_size, &size), 0);
    assert_int_equal(size.status, GNTST_okay);
    return size;
}

static void test_table_grows_by_placing(void **state)
{
    struct mock mock;

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        start_grants_with(&mock, NULL);
        mock.regs.code_bits = bits;
        assert_int_equal(size_of(&mock).nr_frames, 1);
        assert_int_equal(size_of(&mock).max_nr_frames, 64);
        assert_int_equal(place(&mock, 5, TABLE_GPA), 0);
        assert_int_equal(size_of(&mock).nr_frames, 6);
        assert_int_equal(place(&mock, 63, TABLE_GPA), 0);
        assert_int_equal(place(&mock, 64, TABLE_GPA), -XEN_EINVAL);
        assert_int_equal(place(&mock, STATUS, TABLE_GPA), -XEN_EINVAL);     /* version 1 has none */
        assert_int_equal(size_of(&mock).nr_frames, 64);
        assert_int_equal(place(&mock, 0, BAD_GPA), -XEN_EINVAL);
        mock_stop(&mock);
    }
}

static void test_status_frames(void **state)
{
    struct mock mock;

    (void)state;
    start_grants_with(&mock, NULL);
    assert_int_equal(set_version(&mock, 2), 0);
    assert_int_equal(place(&mock, STATUS | 0, STATUS_GPA), 0);
    assert_int_equal(size_of(&mock).nr_frames, 1);
    assert_int_equal(place(&mock, STATUS | 1, STATUS_GPA), 0);
    assert_int_equal(size_of(&mock).nr_frames, 16);     /* for which there are two */
    assert_int_equal(place(&mock, STATUS | 7, STATUS_GPA), 0);
    assert_int_equal(size_of(&mock).nr_frames, 64);
    assert_int_equal(place(&mock, STATUS | 8, STATUS_GPA), -XEN_EINVAL);
    assert_int_equal(place(&mock, UINT32_MAX, STATUS_GPA), -XEN_EINVAL);
    mock_stop(&mock);
}

static void test_fewer_frames(void **state)
{
    const struct hvs_xen_options options = {
        .size = sizeof(options), .max_grant_frames = 3, .max_grant_version = 1};
    struct gnttab_set_version version = {.version = 2};
    struct mock mock;

    (void)state;
    start_grants_with(&mock, &options);
    assert_int_equal(size_of(&mock).max_nr_frames, 3);
    assert_int_equal(place(&mock, 2, TABLE_GPA), 0);
    assert_int_equal(place(&mock, 3, TABLE_GPA), -XEN_EINVAL);
    assert_int_equal(GNTTAB(&mock, set_version, &version), -XEN_ENOSYS);
    assert_int_equal(version.version, 1);
    mock_stop(&mock);
}

static void test_pages_move_and_give_ram_back(void **state)
{
    struct xen_remove_from_physmap remove = {.domid = DOMID_SELF, .gpfn = OTHER_GPA >> 12};
    struct mock mock;

    (void)state;
    start_grants_with(&mock, NULL);
    mock.ram[TABLE_GPA] = 0x11;
    mock.ram[OTHER_GPA] = 0x22;
    assert_int_equal(place(&mock, 1, TABLE_GPA), 0);
    assert_int_equal(mock.ram[TABLE_GPA], 0);
    mock.ram[TABLE_GPA] = 0x33;
    assert_int_equal(place(&mock, 1, OTHER_GPA), 0);
    assert_int_equal(mock.ram[TABLE_GPA], 0x11);
    assert_int_equal(mock.ram[OTHER_GPA], 0x33);
    assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &remove, sizeof(remove)), 0);
    assert_int_equal(mock.ram[OTHER_GPA], 0x22);
    mock_save_load_save(&mock);
    assert_int_equal(size_of(&mock).nr_frames, 2);
    assert_int_equal(place(&mock, 1, TABLE_GPA), 0);
    assert_int_equal(mock.ram[TABLE_GPA], 0x33);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    assert_int_equal(mock.ram[TABLE_GPA], 0x11);
    assert_int_equal(size_of(&mock).nr_frames, 1);
    mock_stop(&mock);
}

static uint64_t asked_gfn;
static uint32_t nr_asked;

/* Says yes to the first two. */
static bool back(void *ctx, uint64_t gfn)
{
    asked_gfn = gfn;
    return ctx && nr_asked++ < 2;
}

/* The VMM is asked where there is no RAM, and the guest asks again until there is, or the VMM says no. */
static void test_asks_for_ram(void **state)
{
    enum { IDXS_GPA = 0x8000, GFNS_GPA = 0x9000, ERRS_GPA = 0xa000 };
    const uint64_t idxs[] = {0, 1, 2}, gfns[] = {TABLE_GPA >> 12, BAD_GPA >> 12, OTHER_GPA >> 12};
    struct xen_add_to_physmap_batch batch = {.domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 3};
    const uint64_t lists[] = {IDXS_GPA, GFNS_GPA, ERRS_GPA};
    struct hvs_xen_options options = {.size = sizeof(options), .back = back};
    struct mock mock;

    (void)state;
    start_grants_with(&mock, &options);
    assert_int_equal(place(&mock, 0, BAD_GPA), -XEN_EINVAL);
    assert_int_equal(asked_gfn, BAD_GPA >> 12);
    assert_int_equal(place(&mock, 64, BAD_GPA + 0x1000), -XEN_EINVAL);
    assert_int_equal(asked_gfn, BAD_GPA >> 12);         /* for no page that there is, nobody is asked */
    mock_stop(&mock);

    options.ctx = &options;
    start_grants_with(&mock, &options);
    memcpy((uint8_t *)&batch + offsetof(struct xen_add_to_physmap_batch, idxs), lists, sizeof(lists));
    memcpy(mock.ram + ARG_GPA, &batch, sizeof(batch));
    memcpy(mock.ram + IDXS_GPA, idxs, sizeof(idxs));
    memcpy(mock.ram + GFNS_GPA, gfns, sizeof(gfns));
    mock.regs.rax = __HYPERVISOR_memory_op;
    mock.regs.rdi = XENMEM_add_to_physmap_batch;
    mock.regs.rsi = ARG_GPA;
    for (nr_asked = 0; nr_asked < 2;) {
        assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_RETRY);
        assert_int_equal(mock.regs.rdi, XENMEM_add_to_physmap_batch | 1 << 6);
        assert_int_equal(mock.regs.rsi, ARG_GPA);
    }
    assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, 0);
    assert_int_equal(nr_asked, 3);
    assert_int_equal(ram32(&mock, ERRS_GPA), 0);
    assert_int_equal((int32_t)ram32(&mock, ERRS_GPA + 4), -XEN_EINVAL);
    assert_int_equal(ram32(&mock, ERRS_GPA + 8), 0);
    assert_int_equal(size_of(&mock).nr_frames, 3);
    mock_stop(&mock);
}

/* The first eight entries come along, with what says that they are in use. */
static void test_version_keeps_reserved_entries(void **state)
{
    struct hvs_xen_grant_map map;
    struct mock mock;

    (void)state;
    start_grants(&mock, 1);
    for (uint32_t ref = 0; ref < 10; ref++)
        grant(&mock, 1, ref, 0, GTF_permit_access, PAGE_GPA);
    assert_int_equal(host_map(&mock, 1, true, &map), HVS_OK);
    mock.ram[STATUS_GPA] = 0x77;
    assert_int_equal(set_version(&mock, 2), 0);
    assert_int_equal(place(&mock, STATUS, STATUS_GPA), 0);
    for (uint32_t ref = 0; ref < 10; ref++) {
        assert_int_equal(entry_v2(&mock, ref)->full_page.frame, ref < 8 ? PAGE_GPA >> 12 : 0);
        assert_int_equal(entry_v2(&mock, ref)->hdr.flags, ref < 8 ? GTF_permit_access : 0);
        assert_int_equal(in_use(&mock, 2, ref), ref == 1 ? GTF_reading | GTF_writing : 0);
    }
    assert_int_equal(set_version(&mock, 1), 0);
    assert_int_equal(mock.ram[STATUS_GPA], 0x77);       /* its page is gone */
    for (uint32_t ref = 0; ref < 10; ref++) {
        assert_int_equal(entry_v1(&mock, ref)->frame, ref < 8 ? PAGE_GPA >> 12 : 0);
        assert_int_equal(in_use(&mock, 1, ref), ref == 1 ? GTF_reading | GTF_writing : 0);
    }
    assert_int_equal(host_unmap(&mock, map.handle), HVS_OK);
    assert_int_equal(in_use(&mock, 1, 1), 0);
    mock_stop(&mock);
}

static void test_version_refused(void **state)
{
    struct gnttab_set_version version = {.version = 3};
    struct hvs_xen_grant_map map;
    struct mock mock;

    (void)state;
    start_grants(&mock, 1);
    assert_int_equal(GNTTAB(&mock, set_version, &version), -XEN_EINVAL);
    assert_int_equal(version.version, 1);
    grant(&mock, 1, 8, 0, GTF_permit_access, PAGE_GPA);
    assert_int_equal(host_map(&mock, 8, false, &map), HVS_OK);
    assert_int_equal(set_version(&mock, 2), -XEN_EBUSY);
    assert_int_equal(set_version(&mock, 1), 0);
    assert_int_equal(host_unmap(&mock, map.handle), HVS_OK);
    assert_int_equal(set_version(&mock, 2), 0);
    grant(&mock, 2, 3, 0, GTF_permit_access, 1ull << 44);
    assert_int_equal(set_version(&mock, 1), -XEN_ERANGE);
    grant(&mock, 2, 3, 0, GTF_transitive, 0);
    assert_int_equal(set_version(&mock, 1), -XEN_ERANGE);
    grant(&mock, 2, 3, 0, GTF_accept_transfer, PAGE_GPA);
    assert_int_equal(set_version(&mock, 1), 0);
    assert_int_equal(entry_v1(&mock, 3)->flags, 0);
    mock_stop(&mock);
}

static int64_t swap(struct mock *mock, uint32_t a, uint32_t b, int16_t *status)
{
    struct gnttab_swap_grant_ref args = {.ref_a = a, .ref_b = b, .status = 99};
    int64_t result = GNTTAB(mock, swap_grant_ref, &args);

    *status = args.status;
    return result;
}

static void test_swap(void **state)
{
    struct hvs_xen_grant_map map;
    struct mock mock;
    int16_t status;

    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        const uint32_t nr = version == 1 ? 512 : 256;

        start_grants(&mock, version);
        grant(&mock, version, 20, 5, GTF_permit_access, PAGE_GPA);
        grant(&mock, version, nr - 1, 0, GTF_permit_access, OTHER_GPA);
        assert_int_equal(swap(&mock, 20, nr - 1, &status), 0);
        assert_int_equal(status, GNTST_okay);
        assert_int_equal(host_map(&mock, 20, false, &map), HVS_OK);
        assert_int_equal(map.gpa, OTHER_GPA);
        assert_int_equal(swap(&mock, 20, 21, &status), 0);
        assert_int_equal(status, GNTST_eagain);
        assert_int_equal(swap(&mock, 21, 20, &status), 0);
        assert_int_equal(status, GNTST_eagain);
        assert_int_equal(swap(&mock, 20, 20, &status), 0);
        assert_int_equal(status, GNTST_okay);
        assert_int_equal(swap(&mock, nr, 20, &status), 0);
        assert_int_equal(status, GNTST_bad_gntref);
        assert_int_equal(swap(&mock, 20, UINT32_MAX, &status), 0);
        assert_int_equal(status, GNTST_bad_gntref);
        mock_stop(&mock);
    }
}

/* Entries are there before the guest has placed the frame that they are in. */
static void test_frames_that_lie_nowhere(void **state)
{
    struct hvs_xen_grant_map map;
    struct mock mock;
    int16_t status;

    (void)state;
    start_grants(&mock, 1);
    grant(&mock, 1, GRANT_REF, 0, GTF_permit_access, PAGE_GPA);

    struct xen_remove_from_physmap remove = {.domid = DOMID_SELF, .gpfn = TABLE_GPA >> 12};

    assert_int_equal(xen_op(&mock, 0, __HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &remove, sizeof(remove)), 0);
    assert_int_equal(swap(&mock, GRANT_REF, GRANT_REF + 1, &status), 0);
    assert_int_equal(host_map(&mock, GRANT_REF, true, &map), HVS_EINVAL);
    assert_int_equal(host_map(&mock, GRANT_REF + 1, true, &map), HVS_OK);
    assert_int_equal(place(&mock, 0, TABLE_GPA), 0);
    assert_int_equal(in_use(&mock, 1, GRANT_REF + 1), GTF_reading | GTF_writing);
    mock_stop(&mock);
}

/* Suspended and resumed, or another kernel by kexec: as in a new domain. */
static void test_renewed(void **state)
{
    struct hvs_xen_grant_map map;
    struct mock mock;

    (void)state;
    start_grants(&mock, 2);
    assert_int_equal(place(&mock, 3, OTHER_GPA), 0);
    grant(&mock, 2, GRANT_REF, 0, GTF_permit_access, PAGE_GPA);
    assert_int_equal(host_map(&mock, GRANT_REF, true, &map), HVS_OK);
    assert_int_equal(host_asks(&mock, HVS_XEN_RESUME, NULL), HVS_OK);
    assert_int_equal(size_of(&mock).nr_frames, 1);
    assert_int_equal(host_unmap(&mock, map.handle), HVS_ENOENT);
    assert_int_equal(entry_v2(&mock, GRANT_REF)->hdr.flags, 0);
    assert_int_equal(place(&mock, STATUS, STATUS_GPA), -XEN_EINVAL);    /* version 1 again */
    assert_int_equal(place(&mock, 0, TABLE_GPA), 0);
    assert_int_equal(entry_v2(&mock, GRANT_REF)->hdr.flags, 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_grows_by_placing),
        cmocka_unit_test(test_status_frames),
        cmocka_unit_test(test_fewer_frames),
        cmocka_unit_test(test_pages_move_and_give_ram_back),
        cmocka_unit_test(test_asks_for_ram),
        cmocka_unit_test(test_version_keeps_reserved_entries),
        cmocka_unit_test(test_version_refused),
        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_frames_that_lie_nowhere),
        cmocka_unit_test(test_renewed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
