/*
 * The Xen matrix: memory_op. Maps of the GPA space, reservations and what they count, batches with an error for each
 * page, and what only a toolstack may do.
 *
 * Pages are laid over XEN_PAGE_PLACE; real Xen does not give the RAM beneath back, so nothing is asked of it.
 */
#include "xen_matrix.h"

#include <xen/memory.h>

enum { FAULT = -XEN_EFAULT, NOSYS = -XEN_ENOSYS, INVAL = -XEN_EINVAL, PERM = -XEN_EPERM, ACCES = -XEN_EACCES,
       NOENT = -XEN_ENOENT, SRCH = -XEN_ESRCH };

#define MAP_FORM "224ll"                /* domid size space idx gpfn */
#define RESERVATION_FORM "ll442"        /* extent_start nr_extents extent_order mem_flags domid */

/* --- rows --------------------------------------------------------------------------------------------------------- */

#define MEM(check, op, form, want, or_want, ...) {"XENMEM_" #op, check, "memory.h", __HYPERVISOR_memory_op, \
                                                  {XENMEM_##op, XEN_ARG, 0}, form, {__VA_ARGS__}, want, or_want}
#define MEM_AWAY(op) {"XENMEM_" #op, "nowhere to read", "memory.h", __HYPERVISOR_memory_op, \
                      {XENMEM_##op, XEN_NOWHERE, 0}, NULL, {0}, FAULT, 0}
#define MEM_NONE(op) {"XENMEM_" #op, "nowhere to read, so no extent is done", "src do_memory_op", \
                      __HYPERVISOR_memory_op, {XENMEM_##op, XEN_NOWHERE, 0}, NULL, {0}, 0, 0}
#define NO_MEMOP(number) {"memory_op", "sub-operation " #number " is not there", "src arch_memory_op", \
                          __HYPERVISOR_memory_op, {number, XEN_ARG, 0}, "l", {0}, NOSYS, 0}
#define MEM_CONTINUED(op) {"XENMEM_" #op, "with a place to go on from", "src do_memory_op", __HYPERVISOR_memory_op, \
                           {XENMEM_##op | 1 << 6, XEN_ARG, 0}, "22", {DOMID_SELF}, INVAL, 0}
static const struct xen_row rows[] = {
    MEM_NONE(increase_reservation), MEM_NONE(decrease_reservation), MEM_NONE(populate_physmap),
    MEM_AWAY(current_reservation), MEM_AWAY(maximum_reservation), MEM_AWAY(maximum_gpfn), MEM_AWAY(add_to_physmap),
    MEM_AWAY(add_to_physmap_batch), MEM_AWAY(remove_from_physmap), MEM_AWAY(memory_map),
    MEM_CONTINUED(current_reservation), MEM_CONTINUED(maximum_reservation), MEM_CONTINUED(maximum_gpfn),
    MEM_CONTINUED(remove_from_physmap), MEM_CONTINUED(maximum_ram_page),
    {"XENMEM_machphys_mapping", "is not for HVM guests", "src hvm_memory_op", __HYPERVISOR_memory_op,
     {XENMEM_machphys_mapping, XEN_ARG, 0}, "lll", {0}, NOSYS, 0},
    {"XENMEM_machine_memory_map", "is not for HVM guests", "src hvm_memory_op", __HYPERVISOR_memory_op,
     {XENMEM_machine_memory_map, XEN_ARG, 0}, "ll", {0}, NOSYS, 0},
    {"XENMEM_maximum_ram_page", "tells something", "memory.h", __HYPERVISOR_memory_op,
     {XENMEM_maximum_ram_page, 0, 0}, NULL, {0}, XEN_IS_POSITIVE, 0},
    MEM("of ourselves", current_reservation, "2", XEN_IS_POSITIVE, 0, DOMID_SELF),
    MEM("of ourselves", maximum_reservation, "2", XEN_IS_POSITIVE, 0, DOMID_SELF),
    MEM("of ourselves", maximum_gpfn, "2", XEN_IS_POSITIVE, 0, DOMID_SELF),
    MEM("of ourselves by number", current_reservation, "2", XEN_IS_POSITIVE, 0, XEN_OWN_DOMID),
    MEM("of ourselves by number", maximum_gpfn, "2", XEN_IS_POSITIVE, 0, XEN_OWN_DOMID),
    MEM("of another domain", current_reservation, "2", PERM, 0, 0),
    MEM("of another domain", maximum_reservation, "2", PERM, 0, 0),
    MEM("of another domain", maximum_gpfn, "2", PERM, 0, 0),
    MEM("of a domain that is not there", current_reservation, "2", SRCH, 0, 0x1234),
    MEM("of a domain that is not there", maximum_reservation, "2", SRCH, 0, 0x1234),
    MEM("of a domain that is not there", maximum_gpfn, "2", SRCH, 0, DOMID_INVALID),
    /* a domain 0 whose memory Xen does not translate has nothing to lay over */
    MEM("another domain's", add_to_physmap, MAP_FORM, PERM, ACCES, 0, 0, XENMAPSPACE_shared_info, 0,
        XEN_GFN(XEN_PAGE_PLACE)),
    MEM("a domain's that is not there", add_to_physmap, MAP_FORM, SRCH, 0, 0x1234, 0, XENMAPSPACE_shared_info, 0,
        XEN_GFN(XEN_PAGE_PLACE)),
    MEM("a second shared_info", add_to_physmap, MAP_FORM, INVAL, 0, DOMID_SELF, 0, XENMAPSPACE_shared_info, 1,
        XEN_GFN(XEN_PAGE_PLACE)),
    MEM("shared_info 0xffffffff", add_to_physmap, MAP_FORM, INVAL, 0, DOMID_SELF, 0, XENMAPSPACE_shared_info,
        0xffffffff, XEN_GFN(XEN_PAGE_PLACE)),
    MEM("a foreign page, one at a time", add_to_physmap, MAP_FORM, NOSYS, 0, DOMID_SELF, 0,
        XENMAPSPACE_gmfn_foreign, 0, XEN_GFN(XEN_PAGE_PLACE)),
    MEM("a space that is not there", add_to_physmap, MAP_FORM, INVAL, 0, DOMID_SELF, 0, 6, 0,
        XEN_GFN(XEN_PAGE_PLACE)),
    MEM("space 0xffffffff", add_to_physmap, MAP_FORM, INVAL, 0, DOMID_SELF, 0, 0xffffffff, 0,
        XEN_GFN(XEN_PAGE_PLACE)),
    MEM("a page that is not there", add_to_physmap, MAP_FORM, INVAL, 0, DOMID_SELF, 0, XENMAPSPACE_gmfn,
        XEN_NOWHERE_GFN, XEN_GFN(XEN_PAGE_PLACE)),
    MEM("a range of which nothing is there", add_to_physmap, MAP_FORM, INVAL, 0, DOMID_SELF, 2,
        XENMAPSPACE_gmfn_range, XEN_NOWHERE_GFN, XEN_GFN(XEN_PAGE_PLACE)),
    MEM("an empty range", add_to_physmap, MAP_FORM, 0, 0, DOMID_SELF, 0, XENMAPSPACE_gmfn_range, 0,
        XEN_GFN(XEN_PAGE_PLACE)),
    MEM("a grant frame beyond all", add_to_physmap, MAP_FORM, INVAL, 0, DOMID_SELF, 0, XENMAPSPACE_grant_table,
        0x100000, XEN_GFN(XEN_PAGE_PLACE)),
    MEM("another domain's", remove_from_physmap, "2l", PERM, ACCES, 0, XEN_GFN(XEN_PAGE_PLACE)),
    MEM("a domain's that is not there", remove_from_physmap, "2l", SRCH, 0, 0x1234, XEN_GFN(XEN_PAGE_PLACE)),
    MEM("a page that is not there", remove_from_physmap, "2l", NOENT, 0, DOMID_SELF, XEN_NOWHERE_GFN),
    MEM("of another domain", populate_physmap, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY), 1, 0, 0, 0),
    MEM("of a domain that is not there", populate_physmap, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY), 1, 0, 0,
        0x1234),
    MEM("of another domain", decrease_reservation, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY), 1, 0, 0, 0),
    MEM("of a domain that is not there", decrease_reservation, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY), 1, 0,
        0, 0x1234),
    MEM("of nothing", decrease_reservation, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY), 0, 0, 0, DOMID_SELF),
    MEM("of nothing", populate_physmap, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY), 0, 0, 0, DOMID_SELF),
    MEM("of more than a continuation can count", decrease_reservation, RESERVATION_FORM, 0, 0,
        XEN_GPA(XEN_PAGE_ARRAY), 0x4000000, 0, 0, DOMID_SELF),
    MEM("of more than a continuation can count", populate_physmap, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY),
        0x4000000, 0, 0, DOMID_SELF),
    MEM("a list that is not there", decrease_reservation, RESERVATION_FORM, 0, 0, XEN_NOWHERE, 1, 0, 0, DOMID_SELF),
    MEM("a list that is not there", populate_physmap, RESERVATION_FORM, 0, 0, XEN_NOWHERE, 1, 0, 0, DOMID_SELF),
    MEM("order 40", decrease_reservation, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY), 1, 40, 0, DOMID_SELF),
    MEM("order 0xffffffff", populate_physmap, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY), 1, 0xffffffff, 0,
        DOMID_SELF),
    MEM("below 4 KiB of address space", populate_physmap, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY), 1, 0, 12,
        DOMID_SELF),
    MEM("pages that are populated when touched", populate_physmap, RESERVATION_FORM, 0, 0, XEN_GPA(XEN_PAGE_ARRAY),
        1, 0, XENMEMF_populate_on_demand, DOMID_SELF),
    MEM("of another domain", get_pod_target, "88882", PERM, INVAL, 0, 0, 0, 0, 0),
    MEM("is for the toolstack", set_pod_target, "88882", PERM, 0, 0, 0, 0, 0, DOMID_SELF),
    MEM("of another domain", set_memory_map, "2ll", PERM, 0, 0, 0, 0),
    MEM("of a domain that is not there", set_memory_map, "2ll", SRCH, 0, 0x1234, 0, 0),
    {"XENMEM_claim_pages", "is for the toolstack", "memory.h", __HYPERVISOR_memory_op, {24, XEN_ARG, 0},
     RESERVATION_FORM, {0, 1, 0, 0, 0}, XEN_IS_REFUSED, 0},
    MEM("of ourselves is refused", acquire_resource, "2244488l", XEN_IS_REFUSED, 0, DOMID_SELF),
    MEM("without NUMA", get_vnumainfo, "224444lll", XEN_IS_REFUSED, 0, DOMID_SELF),
    NO_MEMOP(8), NO_MEMOP(29), NO_MEMOP(30), NO_MEMOP(63),
};

/* --- batches ------------------------------------------------------------------------------------------------------ */

enum { AT_IDXS = 0, AT_GPFNS = 1024, AT_ERRS = 2048 };

static uint8_t *array(const struct xen *x, uint32_t at, uint32_t i)
{
    return xm_page(x, XEN_PAGE_ARRAY) + at + i * (at == AT_ERRS ? 4u : x->bits / 8u);
}

/* domid space size res0 idxs gpfns errs */
static int64_t batch(struct xen *x, uint32_t domid, uint32_t space, uint32_t size)
{
    uint64_t list = xm_gpa(x, XEN_PAGE_ARRAY);

    return XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, "2222lll", domid, space, size, 0,
                  list + AT_IDXS, list + AT_GPFNS, list + AT_ERRS);
}

static void put_pair(struct xen *x, uint32_t i, uint64_t idx, uint64_t gfn)
{
    xm_put(x, array(x, AT_IDXS, i), "l", &idx);
    xm_put(x, array(x, AT_GPFNS, i), "l", &gfn);
    xm_store32(array(x, AT_ERRS, i), 0x5a5a5a5a);
}

static enum matrix_verdict batch_of_none(struct xen *x)
{
    return xm_expect(x, 0, batch(x, DOMID_SELF, XENMAPSPACE_shared_info, 0));
}

static enum matrix_verdict batch_of_ranges(struct xen *x)
{
    return xm_expect(x, -XEN_EOPNOTSUPP, batch(x, DOMID_SELF, XENMAPSPACE_gmfn_range, 1));
}

static enum matrix_verdict batch_for_other(struct xen *x)
{
    int64_t got = batch(x, 0, XENMAPSPACE_shared_info, 1);

    return got == ACCES ? MATRIX_SUCCESS : xm_expect(x, PERM, got);
}

static enum matrix_verdict batch_for_nobody(struct xen *x)
{
    return xm_expect(x, SRCH, batch(x, 0x1234, XENMAPSPACE_shared_info, 1));
}

static enum matrix_verdict batch_nowhere(struct xen *x)
{
    return xm_expect(x, FAULT, XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, "2222lll", DOMID_SELF,
                                       XENMAPSPACE_shared_info, 1, 0, x->env->hole_gpa, x->env->hole_gpa,
                                       x->env->hole_gpa));
}

/* One bad page among good ones: the others are mapped, and its error stands beside it. */
static enum matrix_verdict batch_with_errors(struct xen *x)
{
    put_pair(x, 0, 0, xm_gfn(x, XEN_PAGE_SHARED));
    put_pair(x, 1, 77, xm_gfn(x, XEN_PAGE_PLACE));
    put_pair(x, 2, 0, xm_gfn(x, XEN_PAGE_SHARED));
    put_pair(x, 3, 0, 0);
    int64_t got = batch(x, DOMID_SELF, XENMAPSPACE_shared_info, 3);
    if (got != 0)
        return xm_expect(x, 0, got);
    static const int32_t want[] = {0, INVAL, 0};
    for (uint32_t i = 0; i < 3; i++)
        if ((int32_t)xm_load(array(x, AT_ERRS, i)) != want[i])
            return matrix_fail(x->matrix, "another error for a page", i, xm_load(array(x, AT_ERRS, i)));
    return xm_load(array(x, AT_ERRS, 3)) == 0x5a5a5a5a ? MATRIX_SUCCESS
                                                         : matrix_fail(x->matrix, "an error too many", 3, 0);
}

static enum matrix_verdict batch_of_all_bad(struct xen *x)
{
    for (uint32_t i = 0; i < 16; i++)
        put_pair(x, i, 1 + i, xm_gfn(x, XEN_PAGE_PLACE));
    xm_store32(array(x, AT_ERRS, 16), 0x5a5a5a5a);
    int64_t got = batch(x, DOMID_SELF, XENMAPSPACE_shared_info, 16);
    if (got != 0)
        return xm_expect(x, 0, got);
    for (uint32_t i = 0; i < 16; i++)
        if ((int32_t)xm_load(array(x, AT_ERRS, i)) != INVAL)
            return matrix_fail(x->matrix, "another error for a page", i, xm_load(array(x, AT_ERRS, i)));
    return MATRIX_SUCCESS;
}

/* "the number of entries the buffer may hold", and the answer is cut to it [memory.h]. */
static enum matrix_verdict map_is_cut(struct xen *x)
{
    int64_t got = XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_memory_map, "4l", 100, xm_gpa(x, XEN_PAGE_ARRAY));
    if (got == NOSYS)
        return matrix_skip(x->matrix, "the toolstack has given no map");
    if (got != 0)
        return xm_expect(x, 0, got);
    uint64_t all = xm_out(x, "4l", 0);
    if (all == 0 || all > 100)
        return matrix_fail(x->matrix, "no number of entries", 100, all);
    matrix_fill(x->matrix, XEN_PAGE_ARRAY, 0x77);
    got = XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_memory_map, "4l", 1, xm_gpa(x, XEN_PAGE_ARRAY));
    if (got != 0 || xm_out(x, "4l", 0) != 1)
        return matrix_fail(x->matrix, "one entry was asked for", (uint64_t)got, xm_out(x, "4l", 0));
    if (xm_load(xm_page(x, XEN_PAGE_ARRAY) + 20) != 0x77777777)
        return matrix_fail(x->matrix, "it writes beyond the one entry", 20, 0);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict map_is_sound(struct xen *x)
{
    const uint8_t *entry = xm_page(x, XEN_PAGE_ARRAY);
    bool has_ram = false;

    int64_t got = XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_memory_map, "4l", 128, xm_gpa(x, XEN_PAGE_ARRAY));
    if (got == NOSYS)
        return matrix_skip(x->matrix, "the toolstack has given no map");
    if (got != 0)
        return xm_expect(x, 0, got);
    for (uint64_t i = 0; i < xm_out(x, "4l", 0); i++, entry += 20) {
        uint64_t begin = xm_load64(entry), bytes = xm_load64(entry + 8);

        if (bytes == 0 || begin + bytes < begin || xm_load(entry + 16) == 0)
            return matrix_fail(x->matrix, "an entry is not sound", begin, bytes);
        has_ram |= xm_load(entry + 16) == 1 && xm_gpa(x, 0) >= begin && xm_gpa(x, 0) < begin + bytes;
    }
    return has_ram ? MATRIX_SUCCESS : matrix_fail(x->matrix, "our own RAM is not in it", xm_gpa(x, 0), 0);
}

static enum matrix_verdict map_to_nowhere(struct xen *x)
{
    int64_t got = XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_memory_map, "4l", 1, x->env->hole_gpa);

    return got == NOSYS ? matrix_skip(x->matrix, "the toolstack has given no map") : xm_expect(x, FAULT, got);
}

static enum matrix_verdict set_map(struct xen *x)
{
    return xm_expect(x, FAULT, XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_set_memory_map, "2ll", DOMID_SELF, 1,
                                       x->env->hole_gpa));
}

static enum matrix_verdict set_map_too_long(struct xen *x)
{
    return xm_expect(x, INVAL, XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_set_memory_map, "2ll", DOMID_SELF, 0x100000,
                                       xm_gpa(x, XEN_PAGE_ARRAY)));
}

/* 32-bit code can name only frames that a domain may have. */
static enum matrix_verdict to_last_frame(struct xen *x)
{
    if (x->bits == 32)
        return matrix_skip(x->matrix, "there are more frames than 32 bits count");
    int64_t got = XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, MAP_FORM, DOMID_SELF, 0,
                         XENMAPSPACE_shared_info, 0, UINT64_MAX);
    return got < 0 && got != XEN_FAULTED ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it is not refused", 0, (uint64_t)got);
}

/* Mapped elsewhere, the page goes from where it was; and it has what was in it. */
static enum matrix_verdict moves(struct xen *x)
{
    int64_t got = xm_map(x, XENMAPSPACE_shared_info, 0, XEN_PAGE_PLACE);
    if (got != 0)
        return xm_expect(x, 0, got);
    bool is_there = xm_load(xm_page(x, XEN_PAGE_PLACE) + 0x20) != 0;      /* version of vcpu_info[0].time */
    got = xm_map(x, XENMAPSPACE_shared_info, 0, XEN_PAGE_SHARED);
    if (got != 0)
        return xm_expect(x, 0, got);
    return is_there ? MATRIX_SUCCESS : matrix_fail(x->matrix, "there is no clock in it", 0, 0);
}

static enum matrix_verdict counts(struct xen *x)
{
    int64_t has = XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_current_reservation, "2", DOMID_SELF);
    int64_t most = XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_maximum_reservation, "2", DOMID_SELF);

    return has > 0 && has <= most ? MATRIX_SUCCESS
                                  : matrix_fail(x->matrix, "more than may be", (uint64_t)most, (uint64_t)has);
}

static const struct xen_point points[] = {
    {"XENMEM_add_to_physmap_batch", "of no page", "memory.h", batch_of_none},
    {"XENMEM_add_to_physmap_batch", "ranges are not for it", "memory.h, XENMAPSPACE_gmfn_range", batch_of_ranges},
    {"XENMEM_add_to_physmap_batch", "for another domain", "memory.h", batch_for_other},
    {"XENMEM_add_to_physmap_batch", "for a domain that is not there", "memory.h", batch_for_nobody},
    {"XENMEM_add_to_physmap_batch", "lists that are not there", "memory.h", batch_nowhere},
    {"XENMEM_add_to_physmap_batch", "an error for each page", "memory.h", batch_with_errors},
    {"XENMEM_add_to_physmap_batch", "all pages are wrong", "memory.h", batch_of_all_bad},
    {"XENMEM_memory_map", "is cut to what was asked for", "memory.h", map_is_cut},
    {"XENMEM_memory_map", "is sound", "memory.h", map_is_sound},
    {"XENMEM_memory_map", "to where nothing is", "memory.h", map_to_nowhere},
    {"XENMEM_set_memory_map", "from where nothing is", "src arch_memory_op", set_map},
    {"XENMEM_set_memory_map", "of too many entries", "src arch_memory_op, E820MAX", set_map_too_long},
    {"XENMEM_add_to_physmap", "to the last of all frames", "src xenmem_add_to_physmap", to_last_frame},
    {"XENMEM_add_to_physmap", "shared_info moves", "memory.h", moves},
    {"XENMEM_current_reservation", "is not above the maximum", "memory.h", counts},
};

void xm_ask_memory(struct xen *x)
{
    XEN_ROWS(x, rows);
    if (x->has_shared)
        XEN_RUN(x, points);
}
