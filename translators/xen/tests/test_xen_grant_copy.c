/* GNTTABOP_copy: every status, of frames and of grants of both versions. */
#include "grant_test.h"

enum { SOURCE = GNTCOPY_source_gref, DEST = GNTCOPY_dest_gref };

/* One end: a frame, or a reference. */
struct end {
    uint64_t what;
    uint16_t domid;
    uint16_t offset;
};

static int16_t copy(struct mock *mock, struct end source, struct end dest, uint16_t len, uint16_t flags)
{
    struct gnttab_copy wide = {
        .source = {.domid = source.domid, .offset = source.offset},
        .dest = {.domid = dest.domid, .offset = dest.offset},
        .len = len, .flags = flags, .status = 99,
    };
    struct xen_gnttab_copy32 narrow = {
        .source = {(uint32_t)source.what, source.domid, source.offset},
        .dest = {(uint32_t)dest.what, dest.domid, dest.offset},
        .len = len, .flags = flags, .status = 99,
    };

    wide.source.u.gmfn = source.what;
    wide.dest.u.gmfn = dest.what;
    if (mock->regs.code_bits == 64) {
        assert_int_equal(GNTTAB(mock, copy, &wide), 0);
        return wide.status;
    }
    assert_int_equal(GNTTAB(mock, copy, &narrow), 0);
    return narrow.status;
}

static const struct end page = {PAGE_GPA >> 12, DOMID_SELF, 0}, other = {OTHER_GPA >> 12, DOMID_SELF, 0};

static void test_frame_to_frame(void **state)
{
    struct end from = page, to = other;
    struct mock mock;

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        start_grants(&mock, 1);
        mock.regs.code_bits = bits;
        memcpy(mock.ram + PAGE_GPA + 100, "granted", 7);
        from.offset = 100;
        to.offset = 4096 - 7;
        assert_int_equal(copy(&mock, from, to, 7, 0), GNTST_okay);
        assert_memory_equal(mock.ram + OTHER_GPA + 4096 - 7, "granted", 7);
        assert_int_equal(mock.ram[OTHER_GPA + 4096], 0);
        mock_stop(&mock);
    }
}

static void test_bad_arguments(void **state)
{
    static const struct {
        struct end source, dest;
        uint16_t len, flags;
        int16_t status;
    } t[] = {
        {{0, 2, 0}, {0, 2, 0}, 0, 0, GNTST_okay},       /* nothing to do is looked at first */
        {{PAGE_GPA >> 12, OWN_DOMID, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 1, 0, GNTST_permission_denied},
        {{PAGE_GPA >> 12, 0, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 1, 0, GNTST_permission_denied},
        {{PAGE_GPA >> 12, DOMID_SELF, 0}, {OTHER_GPA >> 12, 2, 0}, 1, 0, GNTST_permission_denied},
        {{GRANT_REF, 2, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 1, SOURCE, GNTST_bad_domain},
        {{PAGE_GPA >> 12, DOMID_SELF, 0}, {GRANT_REF, DOMID_INVALID, 0}, 1, DEST, GNTST_bad_domain},
        {{GRANT_REF, 0, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 1, SOURCE, GNTST_general_error},
        {{512, 0, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 1, SOURCE, GNTST_bad_gntref},
        {{PAGE_GPA >> 12, DOMID_SELF, 0}, {512, 0, 0}, 1, DEST, GNTST_bad_gntref},
        {{512, DOMID_SELF, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 1, SOURCE, GNTST_bad_gntref},
        {{UINT32_MAX, OWN_DOMID, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 1, SOURCE, GNTST_bad_gntref},
        {{GRANT_REF, DOMID_SELF, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 1, SOURCE, GNTST_general_error},
        {{BAD_GPA >> 12, DOMID_SELF, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 1, 0, GNTST_bad_page},
        {{PAGE_GPA >> 12, DOMID_SELF, 0}, {UINT32_MAX, DOMID_SELF, 0}, 1, 0, GNTST_bad_page},
        {{PAGE_GPA >> 12, DOMID_SELF, 1}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 4096, 0, GNTST_bad_copy_arg},
        {{PAGE_GPA >> 12, DOMID_SELF, 0}, {OTHER_GPA >> 12, DOMID_SELF, 4096}, 1, 0, GNTST_bad_copy_arg},
        {{PAGE_GPA >> 12, DOMID_SELF, UINT16_MAX}, {OTHER_GPA >> 12, DOMID_SELF, 0}, UINT16_MAX, 0,
         GNTST_bad_copy_arg},
        {{PAGE_GPA >> 12, DOMID_SELF, 0}, {OTHER_GPA >> 12, DOMID_SELF, 0}, 4096, 0xfffc, GNTST_okay},
    };
    struct mock mock;

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        start_grants(&mock, 1);
        mock.regs.code_bits = bits;
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++)
            assert_int_equal(copy(&mock, t[i].source, t[i].dest, t[i].len, t[i].flags), t[i].status);
        mock_stop(&mock);
    }
}

/* What the guest has granted to itself. */
static void test_own_grants(void **state)
{
    static const struct {
        uint16_t domid, flags;
        int16_t read, write;
    } t[] = {
        {OWN_DOMID, GTF_permit_access, GNTST_okay, GNTST_okay},
        {OWN_DOMID, GTF_permit_access | GTF_readonly, GNTST_okay, GNTST_general_error},
        {OWN_DOMID, GTF_permit_access | GTF_PWT | GTF_PCD | GTF_PAT, GNTST_okay, GNTST_okay},
        {OWN_DOMID, GTF_invalid, GNTST_general_error, GNTST_general_error},
        {OWN_DOMID, GTF_accept_transfer, GNTST_general_error, GNTST_general_error},
        {0, GTF_permit_access, GNTST_general_error, GNTST_general_error},
        {DOMID_SELF, GTF_permit_access, GNTST_general_error, GNTST_general_error},
    };
    static const struct end ref = {GRANT_REF, DOMID_SELF, 0}, same = {GRANT_REF, OWN_DOMID, 8};
    struct mock mock;

    (void)state;
    for (uint32_t v = 1; v <= 2; v++) {
        start_grants(&mock, v);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            grant(&mock, v, GRANT_REF, t[i].domid, t[i].flags, PAGE_GPA);
            memset(mock.ram + PAGE_GPA, 0xa0 + (int)i, 16);
            memset(mock.ram + OTHER_GPA, 0, 16);
            assert_int_equal(copy(&mock, ref, other, 8, SOURCE), t[i].read);
            assert_int_equal(mock.ram[OTHER_GPA + 7], t[i].read ? 0 : 0xa0 + i);
            mock.ram[OTHER_GPA] = 0x55;
            assert_int_equal(copy(&mock, other, ref, 1, DEST), t[i].write);
            assert_int_equal(mock.ram[PAGE_GPA], t[i].write ? 0xa0 + i : 0x55);
            assert_int_equal(copy(&mock, ref, same, 8, SOURCE | DEST), t[i].write);
            assert_int_equal(in_use(&mock, v, GRANT_REF), 0);
        }
        grant(&mock, v, GRANT_REF, OWN_DOMID, GTF_permit_access, BAD_GPA);
        assert_int_equal(copy(&mock, ref, other, 8, SOURCE), GNTST_bad_page);
        assert_int_equal(copy(&mock, other, ref, 8, DEST), GNTST_bad_page);
        assert_int_equal(in_use(&mock, v, GRANT_REF), 0);
        mock_stop(&mock);
    }
}

static void test_part_of_a_page(void **state)
{
    static const struct {
        uint16_t offset, len;
        int16_t status;
    } t[] = {
        {100, 50, GNTST_okay}, {149, 1, GNTST_okay}, {99, 1, GNTST_general_error}, {100, 51, GNTST_general_error},
        {150, 1, GNTST_general_error}, {0, 4096, GNTST_general_error}, {4096, 1, GNTST_bad_copy_arg},
    };
    struct mock mock;

    (void)state;
    start_grants(&mock, 2);
    *entry_v2(&mock, GRANT_REF) = (union grant_entry_v2){.sub_page = {
        .hdr = {.flags = GTF_permit_access | GTF_sub_page, .domid = OWN_DOMID},
        .page_off = 100, .length = 50, .frame = PAGE_GPA >> 12}};
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        const struct end ref = {GRANT_REF, DOMID_SELF, t[i].offset};

        assert_int_equal(copy(&mock, ref, other, t[i].len, SOURCE), t[i].status);
        assert_int_equal(copy(&mock, other, ref, t[i].len, DEST), t[i].status);
        assert_int_equal(in_use(&mock, 2, GRANT_REF), 0);
    }
    mock_stop(&mock);
    start_grants(&mock, 1);             /* where it says nothing */
    grant(&mock, 1, GRANT_REF, OWN_DOMID, GTF_permit_access | GTF_sub_page, PAGE_GPA);
    assert_int_equal(copy(&mock, (struct end){GRANT_REF, DOMID_SELF, 0}, other, 4096, SOURCE), GNTST_okay);
    mock_stop(&mock);
}

/* They name what another domain has granted to the guest, and nobody has. */
static void test_transitive(void **state)
{
    static const struct {
        uint16_t domid, flags, trans_domid;
        uint32_t ref;
        int16_t read, write;
    } t[] = {
        {OWN_DOMID, GTF_transitive, OWN_DOMID, 3, GNTST_general_error, GNTST_general_error},
        {OWN_DOMID, GTF_transitive, 2, 3, GNTST_general_error, GNTST_general_error},
        {OWN_DOMID, GTF_transitive, 0, 3, GNTST_general_error, GNTST_general_error},
        {OWN_DOMID, GTF_transitive, 0, 512, GNTST_bad_gntref, GNTST_bad_gntref},
        {OWN_DOMID, GTF_transitive | GTF_readonly, 0, 512, GNTST_bad_gntref, GNTST_general_error},
        {0, GTF_transitive, 0, 512, GNTST_general_error, GNTST_general_error},
    };
    static const struct end ref = {GRANT_REF, DOMID_SELF, 0};
    struct mock mock;

    (void)state;
    start_grants(&mock, 2);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        *entry_v2(&mock, GRANT_REF) = (union grant_entry_v2){.transitive = {
            .hdr = {.flags = t[i].flags, .domid = t[i].domid}, .trans_domid = t[i].trans_domid, .gref = t[i].ref}};
        assert_int_equal(copy(&mock, ref, other, 8, SOURCE), t[i].read);
        assert_int_equal(copy(&mock, other, ref, 8, DEST), t[i].write);
        assert_int_equal(in_use(&mock, 2, GRANT_REF), 0);
    }
    mock_stop(&mock);
    start_grants(&mock, 1);             /* which version 1 does not have */
    grant(&mock, 1, GRANT_REF, OWN_DOMID, GTF_transitive, PAGE_GPA);
    assert_int_equal(copy(&mock, ref, other, 8, SOURCE), GNTST_general_error);
    mock_stop(&mock);
}

/* What the host uses is the host's meanwhile. */
static void test_grant_in_use_by_the_host(void **state)
{
    static const struct end ref = {GRANT_REF, DOMID_SELF, 0};
    struct hvs_xen_grant_map map;
    struct mock mock;

    (void)state;
    start_grants(&mock, 1);
    grant(&mock, 1, GRANT_REF, 0, GTF_permit_access, PAGE_GPA);
    assert_int_equal(host_map(&mock, GRANT_REF, false, &map), HVS_OK);
    entry_v1(&mock, GRANT_REF)->domid = OWN_DOMID;      /* against the rules */
    assert_int_equal(copy(&mock, ref, other, 8, SOURCE), GNTST_general_error);
    assert_int_equal(host_unmap(&mock, map.handle), HVS_OK);
    assert_int_equal(copy(&mock, ref, other, 8, SOURCE), GNTST_okay);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_to_frame),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_own_grants),
        cmocka_unit_test(test_part_of_a_page),
        cmocka_unit_test(test_transitive),
        cmocka_unit_test(test_grant_in_use_by_the_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
