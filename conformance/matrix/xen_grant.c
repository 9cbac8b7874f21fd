/*
 * The Xen matrix: grant_table_op in both versions [grant_table.h], and console_io.
 *
 * What a guest may do with grants of its own: the table, versions, copies between itself and itself. The table stays
 * mapped. Without any table all is skipped.
 */
#include "xen_matrix.h"

#include <xen/grant_table.h>
#include <xen/memory.h>

enum { INVAL = -XEN_EINVAL, NOSYS = -XEN_ENOSYS, PERM = -XEN_EPERM, SRCH = -XEN_ESRCH, FAULT = -XEN_EFAULT,
       A_REF = 20, OTHER_REF = 21, V1_BYTES = 8, V2_BYTES = 16, WRITE = 0, READ = 1 };

#define SETUP_FORM "242l"               /* dom nr_frames status frame_list */
#define SIZE_FORM "2442"                /* dom nr_frames max_nr_frames status */

static int64_t grant_op(struct xen *x, uint32_t cmd, const char *form, const uint64_t *value, uint32_t count)
{
    xm_put(x, xm_page(x, XEN_PAGE_ARG), form, value);
    return xm_call(x, __HYPERVISOR_grant_table_op, cmd, xm_gpa(x, XEN_PAGE_ARG), count);
}
#define GRANT(x, op, form, ...) grant_op(x, GNTTABOP_##op, form, (const uint64_t[]){__VA_ARGS__}, 1)

/* --- rows --------------------------------------------------------------------------------------------------------- */

#define ROW(check, op, form, count, want, ...) {"GNTTABOP_" #op, check, "grant_table.h", __HYPERVISOR_grant_table_op, \
                                                {GNTTABOP_##op, XEN_ARG, count}, form, {__VA_ARGS__}, want, 0}
#define AWAY(op) {"GNTTABOP_" #op, "nowhere to read", "grant_table.h", __HYPERVISOR_grant_table_op, \
                  {GNTTABOP_##op, XEN_NOWHERE, 1}, NULL, {0}, FAULT, 0}
#define NOT_HVM(number, name) {name, "is not for HVM guests", "src hvm_grant_table_op", \
                               __HYPERVISOR_grant_table_op, {number, XEN_ARG, 1}, "l", {0}, NOSYS, 0}
static const struct xen_row rows[] = {
    NOT_HVM(GNTTABOP_dump_table, "GNTTABOP_dump_table"), NOT_HVM(GNTTABOP_transfer, "GNTTABOP_transfer"),
    NOT_HVM(GNTTABOP_unmap_and_replace, "GNTTABOP_unmap_and_replace"),
    NOT_HVM(GNTTABOP_get_status_frames, "GNTTABOP_get_status_frames"),
    NOT_HVM(GNTTABOP_cache_flush, "GNTTABOP_cache_flush"), NOT_HVM(13, "grant_table_op 13"),
    NOT_HVM(0xfff, "grant_table_op 0xfff"),
    AWAY(setup_table), AWAY(query_size), AWAY(set_version), AWAY(get_version), AWAY(copy),
    /* the way of 32-bit code makes nothing of it [src compat_grant_table_op] */
    {"GNTTABOP_setup_table", "of none", "grant_table.h", __HYPERVISOR_grant_table_op,
     {GNTTABOP_setup_table, XEN_ARG, 0}, SETUP_FORM, {DOMID_SELF, 1, 0, XEN_GPA(XEN_PAGE_ARRAY)}, 0, INVAL},
    ROW("of two", setup_table, SETUP_FORM, 2, INVAL, DOMID_SELF, 1, 0, XEN_GPA(XEN_PAGE_ARRAY)),
    ROW("of none", query_size, SIZE_FORM, 0, INVAL, DOMID_SELF),
    ROW("of two", query_size, SIZE_FORM, 2, INVAL, DOMID_SELF),
    ROW("of 2^31", query_size, SIZE_FORM, 0x80000000, INVAL, DOMID_SELF),
    ROW("of 2^31", copy, SIZE_FORM, 0x80000000, INVAL, DOMID_SELF),
    ROW("of none", copy, SIZE_FORM, 0, 0, DOMID_SELF),
    ROW("of a domain that is not there", get_version, "224", 1, SRCH, 0x1234),
    ROW("of another domain", get_version, "224", 1, PERM, 0),
    ROW("of ourselves", get_version, "224", 1, 0, DOMID_SELF),
    ROW("of ourselves by number", get_version, "224", 1, 0, XEN_OWN_DOMID),
    ROW("0", set_version, "4", 1, INVAL, 0), ROW("3", set_version, "4", 1, INVAL, 3),
    ROW("0xffffffff", set_version, "4", 1, INVAL, 0xffffffff), ROW("1", set_version, "4", 1, 0, 1),
};

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* The call answers 0, and `status` says how it went. */
static enum matrix_verdict status_is(struct xen *x, int64_t got, const char *form, uint32_t field, int16_t want)
{
    if (got != 0)
        return xm_expect(x, 0, got);
    return xm_expect(x, want, (int16_t)xm_out(x, form, field));
}

static enum matrix_verdict size_of(struct xen *x, uint32_t domid, int16_t want)
{
    return status_is(x, GRANT(x, query_size, SIZE_FORM, domid, 0x77, 0x77, 0x77), SIZE_FORM, 3, want);
}

static enum matrix_verdict size_of_self(struct xen *x)
{
    enum matrix_verdict verdict = size_of(x, DOMID_SELF, GNTST_okay);

    if (verdict != MATRIX_SUCCESS)
        return verdict;
    uint64_t has = xm_out(x, SIZE_FORM, 1), most = xm_out(x, SIZE_FORM, 2);
    return most > 0 && has <= most ? MATRIX_SUCCESS : matrix_fail(x->matrix, "more than may be", most, has);
}

static enum matrix_verdict size_of_other(struct xen *x)
{
    return size_of(x, 0, GNTST_permission_denied);
}

static enum matrix_verdict size_of_nobody(struct xen *x)
{
    return size_of(x, 0x1234, GNTST_bad_domain);
}

static enum matrix_verdict setup(struct xen *x, uint32_t domid, uint32_t nr, uint64_t list, int16_t want)
{
    return status_is(x, GRANT(x, setup_table, SETUP_FORM, domid, nr, 0x77, list), SETUP_FORM, 2, want);
}

static enum matrix_verdict setup_of_self(struct xen *x)
{
    return setup(x, DOMID_SELF, 1, xm_gpa(x, XEN_PAGE_ARRAY), GNTST_okay);
}

static enum matrix_verdict setup_of_other(struct xen *x)
{
    return setup(x, 0, 1, xm_gpa(x, XEN_PAGE_ARRAY), GNTST_permission_denied);
}

static enum matrix_verdict setup_of_nobody(struct xen *x)
{
    return setup(x, 0x1234, 1, xm_gpa(x, XEN_PAGE_ARRAY), GNTST_bad_domain);
}

static enum matrix_verdict setup_too_large(struct xen *x)
{
    if (size_of_self(x) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return setup(x, DOMID_SELF, (uint32_t)xm_out(x, SIZE_FORM, 2) + 1, xm_gpa(x, XEN_PAGE_ARRAY), GNTST_general_error);
}

static enum matrix_verdict setup_to_nowhere(struct xen *x)
{
    return setup(x, DOMID_SELF, 1, x->env->hole_gpa, GNTST_bad_virt_addr);
}

static enum matrix_verdict bad_version_tells(struct xen *x)
{
    GRANT(x, set_version, "4", 3);
    return xm_expect(x, 1, (int64_t)xm_out(x, "4", 0));
}

static const struct xen_point table[] = {
    {"GNTTABOP_query_size", "of ourselves", "grant_table.h", size_of_self},
    {"GNTTABOP_query_size", "of another domain", "grant_table.h", size_of_other},
    {"GNTTABOP_query_size", "of a domain that is not there", "grant_table.h", size_of_nobody},
    {"GNTTABOP_setup_table", "of ourselves", "grant_table.h", setup_of_self},
    {"GNTTABOP_setup_table", "of another domain", "grant_table.h", setup_of_other},
    {"GNTTABOP_setup_table", "of a domain that is not there", "grant_table.h", setup_of_nobody},
    {"GNTTABOP_setup_table", "of more than may be", "grant_table.h", setup_too_large},
    {"GNTTABOP_setup_table", "to where nothing is", "grant_table.h", setup_to_nowhere},
    {"GNTTABOP_set_version", "tells the version that stays", "grant_table.h", bad_version_tells},
};

/* --- copies ------------------------------------------------------------------------------------------------------- */

struct side {
    bool is_ref;
    uint64_t what;              /* reference or frame */
    uint32_t domid, offset;
};

/* 64-bit code has a hole behind each side. */
static const char *copy_form(const struct xen *x)
{
    return x->bits == 64 ? "l224l224222" : "l22l22222";
}

/* The status of one copy, or the error of the call. */
static int64_t copy(struct xen *x, struct side from, struct side to, uint32_t bytes)
{
    uint64_t flags = (from.is_ref ? GNTCOPY_source_gref : 0) | (to.is_ref ? GNTCOPY_dest_gref : 0);
    const uint64_t wide[] = {from.what, from.domid, from.offset, 0, to.what, to.domid, to.offset, 0,
                             bytes, flags, 0x77};
    const uint64_t narrow[] = {from.what, from.domid, from.offset, to.what, to.domid, to.offset,
                               bytes, flags, 0x77};
    int64_t got = grant_op(x, GNTTABOP_copy, copy_form(x), x->bits == 64 ? wide : narrow, 1);

    return got != 0 ? got : (int16_t)xm_out(x, copy_form(x), x->bits == 64 ? 10 : 8);
}

static void grant(struct xen *x, uint32_t ref, uint32_t flags, uint32_t domid, uint64_t gfn)
{
    uint8_t *at = xm_page(x, XEN_PAGE_GRANTS) + ref * V1_BYTES;

    xm_store32(at + 4, (uint32_t)gfn);
    xm_store32(at, flags | domid << 16);
}

static struct side own_frame(const struct xen *x, uint32_t page, uint32_t offset)
{
    return (struct side){.what = xm_gfn(x, page), .domid = DOMID_SELF, .offset = offset};
}

static struct side by_ref(uint32_t ref, uint32_t offset)
{
    return (struct side){.is_ref = true, .what = ref, .domid = DOMID_SELF, .offset = offset};
}

static void fill(struct xen *x)
{
    matrix_fill(x->matrix, XEN_PAGE_DATA, 0x5a);
    matrix_fill(x->matrix, XEN_PAGE_DATA_TO, 0);
}

static uint32_t flags_of(const struct xen *x, uint32_t ref)
{
    return xm_load(xm_page(x, XEN_PAGE_GRANTS) + ref * V1_BYTES) & 0xffff;
}

/* What is left of a good copy: the bytes, no others, and flags as they were. */
static enum matrix_verdict is_copied(struct xen *x, int64_t status, uint32_t at, uint32_t bytes, uint32_t ref,
                                     uint32_t flags)
{
    const volatile uint8_t *to = xm_page(x, XEN_PAGE_DATA_TO);

    if (status != GNTST_okay)
        return xm_expect(x, GNTST_okay, status);
    for (uint32_t i = 0; i < MATRIX_PAGE_BYTES; i++)
        if (to[i] != (i >= at && i < at + bytes ? 0x5a : 0))
            return matrix_fail(x->matrix, "not the bytes that were named", i, to[i]);
    return xm_expect(x, flags, flags_of(x, ref));
}

static enum matrix_verdict copy_from_ref(struct xen *x)
{
    fill(x);
    grant(x, A_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    return is_copied(x, copy(x, by_ref(A_REF, 16), own_frame(x, XEN_PAGE_DATA_TO, 100), 300), 100, 300, A_REF,
                     GTF_permit_access);
}

static enum matrix_verdict copy_from_read_only(struct xen *x)
{
    fill(x);
    grant(x, A_REF, GTF_permit_access | GTF_readonly, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    return is_copied(x, copy(x, by_ref(A_REF, 0), own_frame(x, XEN_PAGE_DATA_TO, 0), 4096), 0, 4096, A_REF,
                     GTF_permit_access | GTF_readonly);
}

static enum matrix_verdict copy_to_ref(struct xen *x)
{
    fill(x);
    grant(x, A_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA_TO));
    return is_copied(x, copy(x, own_frame(x, XEN_PAGE_DATA, 0), by_ref(A_REF, 4095), 1), 4095, 1, A_REF,
                     GTF_permit_access);
}

static enum matrix_verdict copy_between_refs(struct xen *x)
{
    fill(x);
    grant(x, A_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    grant(x, OTHER_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA_TO));
    return is_copied(x, copy(x, by_ref(A_REF, 0), by_ref(OTHER_REF, 0), 64), 0, 64, OTHER_REF, GTF_permit_access);
}

static enum matrix_verdict copy_of_frames(struct xen *x)
{
    fill(x);
    grant(x, A_REF, GTF_invalid, 0, 0);
    return is_copied(x, copy(x, own_frame(x, XEN_PAGE_DATA, 0), own_frame(x, XEN_PAGE_DATA_TO, 8), 8), 8, 8, A_REF, 0);
}

static enum matrix_verdict copy_of_nothing(struct xen *x)
{
    fill(x);
    grant(x, A_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    return is_copied(x, copy(x, by_ref(A_REF, 0), own_frame(x, XEN_PAGE_DATA_TO, 0), 0), 0, 0, A_REF,
                     GTF_permit_access);
}

/* Nothing is copied, and the status says why. */
static enum matrix_verdict is_refused(struct xen *x, struct side from, struct side to, uint32_t bytes, int16_t want)
{
    fill(x);
    int64_t status = copy(x, from, to, bytes);
    if (status != want)
        return xm_expect(x, want, status);
    return matrix_is_filled(x->matrix, XEN_PAGE_DATA_TO, 0) ? MATRIX_SUCCESS
                                                             : matrix_fail(x->matrix, "bytes were copied", 0, 0);
}

static enum matrix_verdict to_read_only(struct xen *x)
{
    grant(x, A_REF, GTF_permit_access | GTF_readonly, x->domid, xm_gfn(x, XEN_PAGE_DATA_TO));
    return is_refused(x, own_frame(x, XEN_PAGE_DATA, 0), by_ref(A_REF, 0), 64, GNTST_general_error);
}

static enum matrix_verdict invalid_entry(struct xen *x)
{
    grant(x, A_REF, GTF_invalid, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    return is_refused(x, by_ref(A_REF, 0), own_frame(x, XEN_PAGE_DATA_TO, 0), 64, GNTST_general_error);
}

static enum matrix_verdict transfer_entry(struct xen *x)
{
    grant(x, A_REF, GTF_accept_transfer, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    return is_refused(x, by_ref(A_REF, 0), own_frame(x, XEN_PAGE_DATA_TO, 0), 64, GNTST_general_error);
}

static enum matrix_verdict for_another(struct xen *x)
{
    grant(x, A_REF, GTF_permit_access, 0, xm_gfn(x, XEN_PAGE_DATA));
    return is_refused(x, by_ref(A_REF, 0), own_frame(x, XEN_PAGE_DATA_TO, 0), 64, GNTST_general_error);
}

static enum matrix_verdict no_frame(struct xen *x)
{
    grant(x, A_REF, GTF_permit_access, x->domid, x->env->hole_gpa / MATRIX_PAGE_BYTES);
    return is_refused(x, by_ref(A_REF, 0), own_frame(x, XEN_PAGE_DATA_TO, 0), 64, GNTST_bad_page);
}

static enum matrix_verdict beyond_table(struct xen *x)
{
    return is_refused(x, by_ref(0x7fffffff, 0), own_frame(x, XEN_PAGE_DATA_TO, 0), 64, GNTST_bad_gntref);
}

static enum matrix_verdict last_ref(struct xen *x)
{
    return is_refused(x, own_frame(x, XEN_PAGE_DATA, 0), by_ref(0xffffffff, 0), 64, GNTST_bad_gntref);
}

static enum matrix_verdict beyond_page(struct xen *x)
{
    grant(x, A_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    return is_refused(x, by_ref(A_REF, 4095), own_frame(x, XEN_PAGE_DATA_TO, 0), 2, GNTST_bad_copy_arg);
}

static enum matrix_verdict beyond_page_to(struct xen *x)
{
    grant(x, A_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    return is_refused(x, by_ref(A_REF, 0), own_frame(x, XEN_PAGE_DATA_TO, 1), 4096, GNTST_bad_copy_arg);
}

static enum matrix_verdict far_offset(struct xen *x)
{
    grant(x, A_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    return is_refused(x, by_ref(A_REF, 0xffff), own_frame(x, XEN_PAGE_DATA_TO, 0xffff), 0xffff, GNTST_bad_copy_arg);
}

static enum matrix_verdict frame_of_another(struct xen *x)
{
    struct side from = own_frame(x, XEN_PAGE_DATA, 0);

    from.domid = 0;
    return is_refused(x, from, own_frame(x, XEN_PAGE_DATA_TO, 0), 64, GNTST_permission_denied);
}

static enum matrix_verdict ref_of_nobody(struct xen *x)
{
    struct side from = by_ref(A_REF, 0);

    from.domid = 0x1234;
    return is_refused(x, from, own_frame(x, XEN_PAGE_DATA_TO, 0), 64, GNTST_bad_domain);
}

static enum matrix_verdict to_no_frame(struct xen *x)
{
    struct side to = {.what = x->env->hole_gpa / MATRIX_PAGE_BYTES, .domid = DOMID_SELF};

    grant(x, A_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    return is_refused(x, by_ref(A_REF, 0), to, 64, GNTST_bad_page);
}

static const struct xen_point copies[] = {
    {"GNTTABOP_copy", "from a grant", "grant_table.h", copy_from_ref},
    {"GNTTABOP_copy", "from a grant to be read only", "grant_table.h", copy_from_read_only},
    {"GNTTABOP_copy", "to a grant", "grant_table.h", copy_to_ref},
    {"GNTTABOP_copy", "from grant to grant", "grant_table.h", copy_between_refs},
    {"GNTTABOP_copy", "of frames of one's own", "grant_table.h", copy_of_frames},
    {"GNTTABOP_copy", "of no byte", "grant_table.h", copy_of_nothing},
    {"GNTTABOP_copy", "to a grant to be read only", "grant_table.h, GTF_readonly", to_read_only},
    {"GNTTABOP_copy", "an invalid entry", "grant_table.h, GTF_invalid", invalid_entry},
    {"GNTTABOP_copy", "an entry of another type", "grant_table.h", transfer_entry},
    {"GNTTABOP_copy", "what is granted to another", "grant_table.h", for_another},
    {"GNTTABOP_copy", "a grant of no frame", "src get_paged_frame", no_frame},
    {"GNTTABOP_copy", "a reference beyond the table", "grant_table.h", beyond_table},
    {"GNTTABOP_copy", "reference 0xffffffff", "grant_table.h", last_ref},
    {"GNTTABOP_copy", "beyond the page, from", "grant_table.h, GNTST_bad_copy_arg", beyond_page},
    {"GNTTABOP_copy", "beyond the page, to", "grant_table.h, GNTST_bad_copy_arg", beyond_page_to},
    {"GNTTABOP_copy", "offsets that overflow", "grant_table.h, GNTST_bad_copy_arg", far_offset},
    {"GNTTABOP_copy", "a frame of another domain", "src gnttab_copy_lock_domain", frame_of_another},
    {"GNTTABOP_copy", "a grant of a domain that is not there", "grant_table.h", ref_of_nobody},
    {"GNTTABOP_copy", "to where nothing is", "src get_paged_frame", to_no_frame},
};

/* --- version 2 ---------------------------------------------------------------------------------------------------- */

static void grant2(struct xen *x, uint32_t ref, uint32_t flags, uint32_t part, uint64_t gfn)
{
    uint8_t *at = xm_page(x, XEN_PAGE_GRANTS) + ref * V2_BYTES;

    xm_store32(at + 4, part);           /* page_off and length of a part */
    xm_store32(at + 8, (uint32_t)gfn);
    xm_store32(at + 12, (uint32_t)(gfn >> 32));
    xm_store32(at, flags | x->domid << 16);
}

static enum matrix_verdict version_2(struct xen *x)
{
    grant(x, A_REF, GTF_permit_access, x->domid, xm_gfn(x, XEN_PAGE_DATA));
    int64_t got = GRANT(x, set_version, "4", 2);
    if (got == NOSYS)
        return matrix_skip(x->matrix, "there is version 1 only");
    if (got != 0 || xm_out(x, "4", 0) != 2)
        return matrix_fail(x->matrix, "it does not change", (uint64_t)got, xm_out(x, "4", 0));
    GRANT(x, get_version, "224", DOMID_SELF, 0, 0);
    if (xm_out(x, "224", 2) != 2)
        return matrix_fail(x->matrix, "another version is told", 2, xm_out(x, "224", 2));
    return xm_load(xm_page(x, XEN_PAGE_GRANTS) + A_REF * V1_BYTES) == 0
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "an entry of version 1 is still there", A_REF, 0);
}

static bool is_version_2(struct xen *x)
{
    GRANT(x, get_version, "224", DOMID_SELF, 0, 0);
    return xm_out(x, "224", 2) == 2;
}

static enum matrix_verdict status_frames(struct xen *x)
{
    if (!is_version_2(x))
        return matrix_skip(x->matrix, "there is version 1 only");
    return xm_expect(x, 0, xm_map(x, XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, XEN_PAGE_GRANT_STATUS));
}

static enum matrix_verdict whole_page(struct xen *x)
{
    if (!is_version_2(x))
        return matrix_skip(x->matrix, "there is version 1 only");
    fill(x);
    grant2(x, A_REF, GTF_permit_access, 0, xm_gfn(x, XEN_PAGE_DATA));
    int64_t status = copy(x, by_ref(A_REF, 0), own_frame(x, XEN_PAGE_DATA_TO, 0), 4096);
    if (status != GNTST_okay)
        return xm_expect(x, GNTST_okay, status);
    if (xm_load(xm_page(x, XEN_PAGE_GRANT_STATUS) + A_REF * 2) & 0xffff)
        return matrix_fail(x->matrix, "it is still in use", 0, xm_load(xm_page(x, XEN_PAGE_GRANT_STATUS) + A_REF * 2));
    return matrix_is_filled(x->matrix, XEN_PAGE_DATA_TO, 0x5a) ? MATRIX_SUCCESS
                                                                : matrix_fail(x->matrix, "it is not copied", 0, 0);
}

static enum matrix_verdict part_of_page(struct xen *x)
{
    if (!is_version_2(x))
        return matrix_skip(x->matrix, "there is version 1 only");
    fill(x);
    grant2(x, A_REF, GTF_permit_access | GTF_sub_page, 256 | 128 << 16, xm_gfn(x, XEN_PAGE_DATA));
    int64_t within = copy(x, by_ref(A_REF, 256), own_frame(x, XEN_PAGE_DATA_TO, 0), 128);
    return within != GNTST_okay
               ? xm_expect(x, GNTST_okay, within)
               : xm_expect(x, GNTST_general_error,
                           copy(x, by_ref(A_REF, 256), own_frame(x, XEN_PAGE_DATA_TO, 0), 129));
}

static enum matrix_verdict before_part(struct xen *x)
{
    if (!is_version_2(x))
        return matrix_skip(x->matrix, "there is version 1 only");
    grant2(x, A_REF, GTF_permit_access | GTF_sub_page, 256 | 128 << 16, xm_gfn(x, XEN_PAGE_DATA));
    return is_refused(x, by_ref(A_REF, 255), own_frame(x, XEN_PAGE_DATA_TO, 0), 2, GNTST_general_error);
}

static enum matrix_verdict version_1_again(struct xen *x)
{
    if (!is_version_2(x))
        return matrix_skip(x->matrix, "there is version 1 only");
    grant2(x, A_REF, GTF_invalid, 0, 0);
    int64_t got = GRANT(x, set_version, "4", 1);
    return got != 0 ? xm_expect(x, 0, got) : copy_from_ref(x);
}

static const struct xen_point version2[] = {
    {"GNTTABOP_set_version", "2, and the table is empty", "grant_table.h", version_2},
    {"XENMEM_add_to_physmap", "the status words", "memory.h, XENMAPIDX_grant_table_status", status_frames},
    {"GNTTABOP_copy", "from a grant of version 2", "grant_table.h", whole_page},
    {"GNTTABOP_copy", "from a part of a page", "grant_table.h, GTF_sub_page", part_of_page},
    {"GNTTABOP_copy", "from before the part", "grant_table.h, GTF_sub_page", before_part},
    {"GNTTABOP_set_version", "1 again", "grant_table.h", version_1_again},
};

static enum matrix_verdict mapped(struct xen *x)
{
    return xm_expect(x, 0, xm_map(x, XENMAPSPACE_grant_table, 0, XEN_PAGE_GRANTS));
}

static const struct xen_point frames[] = {
    {"XENMEM_add_to_physmap", "the first frame of grants", "memory.h, XENMAPSPACE_grant_table", mapped},
};

void xm_ask_grants(struct xen *x)
{
    if (GRANT(x, query_size, SIZE_FORM, DOMID_SELF, 0, 0, 0) == NOSYS) {
        if (xm_begin(x, "grant_table_op", "is there", "grant_table.h"))
            xm_end(x, matrix_skip(x->matrix, "no grant tables here"));
        return;
    }
    XEN_ROWS(x, rows);
    XEN_RUN(x, table);
    XEN_RUN(x, frames);
    if (xm_map(x, XENMAPSPACE_grant_table, 0, XEN_PAGE_GRANTS) != 0)
        return;
    XEN_RUN(x, copies);
    XEN_RUN(x, version2);
}

/* --- the emergency console ---------------------------------------------------------------------------------------- */

/* A release build lets only domains with is_console write; others are told so before anything is looked at. */
#define CONSOLE(check, cmd, count, arg, want, or_want) {"console_io", check, "src do_console_io, xsm_console_io", \
                                                        __HYPERVISOR_console_io, {cmd, count, arg}, "1111", \
                                                        {'h', 'i', '\r', '\n'}, want, or_want}
static const struct xen_row console[] = {
    CONSOLE("writing", WRITE, 4, XEN_ARG, 0, PERM),
    CONSOLE("writing nothing", WRITE, 0, XEN_ARG, 0, PERM),
    CONSOLE("writing from where nothing is", WRITE, 4, XEN_NOWHERE, FAULT, PERM),
    CONSOLE("a command that is not there", 2, 4, XEN_ARG, NOSYS, PERM),
    CONSOLE("command 0xffffffff", 0xffffffff, 4, XEN_ARG, NOSYS, PERM),
    CONSOLE("reading what nobody typed", READ, 4, XEN_ARG, 0, PERM),
};

void xm_ask_console(struct xen *x)
{
    if (xm_call(x, __HYPERVISOR_console_io, WRITE, 0, xm_gpa(x, XEN_PAGE_ARG)) == NOSYS) {
        if (xm_begin(x, "console_io", "is there", "xen.h"))
            xm_end(x, matrix_skip(x->matrix, "no console_io here"));
        return;
    }
    XEN_ROWS(x, console);
}
