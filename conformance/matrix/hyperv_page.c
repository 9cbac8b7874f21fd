/*
 * The pages that lie over guest memory [6.0b 5.2.1; doc: the page of each register]: they cover what is beneath, keep
 * their contents where they go, and give the memory back.
 */
#include "hyperv.h"

#include "hv_abi.h"

enum { PAGE_A = 2, PAGE_B = 3, RAM_A = 0xa5, RAM_B = 0x5b };

static bool beyond_space(const struct matrix *matrix, uint64_t *msr)
{
    if (matrix->env->phys_bits < 32 || matrix->env->phys_bits >= 63)
        return false;
    *msr = 1ull << matrix->env->phys_bits | HV_X64_MSR_PAGE_ENABLE;
    return true;
}

struct overlay {
    uint32_t index;
    const char *name;
    enum hv_need need;
    bool is_plain;              /* reads as zeros at first and keeps what the guest writes */
};
static const struct overlay overlays[] = {
    {HV_X64_MSR_HYPERCALL, "hypercall page", HV_NEED_HYPERCALL, false},
    {HV_X64_MSR_REFERENCE_TSC, "reference TSC page", HV_NEED_REFERENCE_TSC, false},
    {HV_X64_MSR_VP_ASSIST_PAGE, "VP assist page", HV_NEED_APIC, true},
    {HV_X64_MSR_SIEFP, "SIEF page", HV_NEED_SYNIC, true},
    {HV_X64_MSR_SIMP, "SIM page", HV_NEED_SYNIC, true},
};

static enum matrix_verdict overlay_on(struct matrix *matrix, const struct overlay *o, uint32_t page)
{
    if (o->index == HV_X64_MSR_HYPERCALL && hv_identify(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return hv_set(matrix, 0, o->index, hv_page_msr(matrix, page));
}

static enum matrix_verdict reads_back(struct matrix *matrix, const struct overlay *o)
{
    if (overlay_on(matrix, o, PAGE_A) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return hv_is(matrix, 0, o->index, ~0xffeull, hv_page_msr(matrix, PAGE_A));
}

static enum matrix_verdict appears(struct matrix *matrix, const struct overlay *o)
{
    matrix_fill(matrix, PAGE_A, RAM_A);
    if (overlay_on(matrix, o, PAGE_A) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (matrix_is_filled(matrix, PAGE_A, RAM_A))
        return matrix_fail(matrix, "the RAM beneath is still seen", o->index, RAM_A);
    if (o->is_plain && (matrix->env->can & MATRIX_IS_FRESH) && !matrix_is_filled(matrix, PAGE_A, 0))
        return matrix_fail(matrix, "it is not zero at first", o->index, matrix->env->page[PAGE_A].at[0]);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict gives_back(struct matrix *matrix, const struct overlay *o)
{
    matrix_fill(matrix, PAGE_A, RAM_A);
    if (overlay_on(matrix, o, PAGE_A) != MATRIX_SUCCESS || hv_set(matrix, 0, o->index, 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (!matrix_is_filled(matrix, PAGE_A, RAM_A))
        return matrix_fail(matrix, "the RAM beneath did not come back", o->index, matrix->env->page[PAGE_A].at[0]);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict moves(struct matrix *matrix, const struct overlay *o)
{
    uint8_t first[64];

    matrix_fill(matrix, PAGE_A, RAM_A);
    matrix_fill(matrix, PAGE_B, RAM_B);
    if (overlay_on(matrix, o, PAGE_A) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    volatile uint8_t *from = matrix->env->page[PAGE_A].at, *to = matrix->env->page[PAGE_B].at;
    if (o->is_plain)
        from[4095] = 0x77;
    for (uint32_t i = 0; i < sizeof(first); i++)
        first[i] = from[4096 - sizeof(first) + i];
    if (overlay_on(matrix, o, PAGE_B) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (!matrix_is_filled(matrix, PAGE_A, RAM_A))
        return matrix_fail(matrix, "the RAM at the old place did not come back", o->index, from[0]);
    for (uint32_t i = 0; i < sizeof(first); i++)
        if (to[4096 - sizeof(first) + i] != first[i])
            return matrix_fail(matrix, "other contents at the new place", i, to[4096 - sizeof(first) + i]);
    if (o->is_plain)
        to[4095] = 0;
    if (hv_set(matrix, 0, o->index, 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return matrix_is_filled(matrix, PAGE_B, RAM_B)
               ? MATRIX_SUCCESS
               : matrix_fail(matrix, "the RAM at the new place did not come back", o->index, to[0]);
}

/* "If the guest attempts to move the hypercall page beyond the bounds of the GPA space, a #GP fault will result"; of
   the others: "the page will not be accessible to the guest". */
static enum matrix_verdict beyond(struct matrix *matrix, const struct overlay *o)
{
    uint64_t msr;

    if (!beyond_space(matrix, &msr))
        return matrix_skip(matrix, "the end of the GPA space is not known");
    if (o->index == HV_X64_MSR_HYPERCALL) {
        if (hv_identify(matrix) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
        return matrix_write(matrix, 0, o->index, msr) == MATRIX_GP
                   ? hv_is(matrix, 0, o->index, HV_X64_MSR_PAGE_ENABLE, 0)
                   : matrix_fail(matrix, "a page beyond the GPA space does not fault", msr, 0);
    }
    int fault = matrix_write(matrix, 0, o->index, msr);
    if (o->index == HV_X64_MSR_VP_ASSIST_PAGE && fault == MATRIX_GP)
        return MATRIX_SUCCESS;          /* nothing is said about it */
    return fault == MATRIX_NO_FAULT ? MATRIX_SUCCESS
                                    : matrix_fail(matrix, "a page beyond the GPA space faults", msr, (uint64_t)fault);
}

/* "preferably one that is not occupied by RAM, MMIO, and so on" [doc hypercall-interface, step 6]. */
static enum matrix_verdict in_hole(struct matrix *matrix, const struct overlay *o)
{
    if (matrix->env->hole_gpa == 0)
        return matrix_skip(matrix, "no hole is known");
    if (o->index == HV_X64_MSR_HYPERCALL && hv_identify(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint64_t msr = matrix->env->hole_gpa | HV_X64_MSR_PAGE_ENABLE;
    int fault = matrix_write(matrix, 0, o->index, msr);
    if (fault != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "a page where no RAM is faults", msr, (uint64_t)fault);
    return MATRIX_SUCCESS;
}

static const struct {
    const char *check, *ref;
    enum matrix_verdict (*run)(struct matrix *matrix, const struct overlay *o);
} overlay_checks[] = {
    {"reads back its address", "doc: the register's table", reads_back},
    {"covers the RAM beneath", "doc hypercall-interface, virtual-interrupts; 6.0b 5.2.1", appears},
    {"gives the RAM back", "6.0b 5.2.1", gives_back},
    {"moves with its contents", "6.0b 5.2.1", moves},
    {"beyond the GPA space", "doc: the register's text", beyond},
    {"where no RAM is", "doc hypercall-interface, step 6; 6.0b 5.2.1", in_hole},
};

/* "only one of these overlays will be visible ... if the top-most overlay is disabled or moved, another overlay page
   will become visible" [6.0b 5.2.1]. */
static enum matrix_verdict stacked(struct matrix *matrix, bool first_goes_first)
{
    const uint32_t index[2] = {HV_X64_MSR_HYPERCALL, HV_X64_MSR_REFERENCE_TSC};

    matrix_fill(matrix, PAGE_A, RAM_A);
    if (hv_identify(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    for (uint32_t i = 0; i < 2; i++)
        if (hv_set(matrix, 0, index[i], hv_page_msr(matrix, PAGE_A)) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    if (hv_set(matrix, 0, index[first_goes_first ? 0 : 1], 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (matrix_is_filled(matrix, PAGE_A, RAM_A))
        return matrix_fail(matrix, "the other page is not there", index[first_goes_first ? 1 : 0], 0);
    if (hv_set(matrix, 0, index[first_goes_first ? 1 : 0], 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return matrix_is_filled(matrix, PAGE_A, RAM_A)
               ? MATRIX_SUCCESS
               : matrix_fail(matrix, "the RAM beneath both did not come back", 0, matrix->env->page[PAGE_A].at[0]);
}

static enum matrix_verdict stacked_lower_goes(struct matrix *matrix)
{
    return stacked(matrix, true);
}

static enum matrix_verdict stacked_upper_goes(struct matrix *matrix)
{
    return stacked(matrix, false);
}

static const struct hv_point points[] = {
    {"two pages in one place", "the later one goes first", "6.0b 5.2.1", HV_NEED_REFERENCE_TSC, stacked_upper_goes},
    {"two pages in one place", "the earlier one goes first", "6.0b 5.2.1", HV_NEED_REFERENCE_TSC, stacked_lower_goes},
};

void hv_matrix_page(struct matrix *matrix)
{
    for (uint32_t i = 0; i < sizeof(overlays) / sizeof(overlays[0]); i++) {
        for (uint32_t c = 0; c < sizeof(overlay_checks) / sizeof(overlay_checks[0]); c++) {
            if (matrix_begin(matrix, overlays[i].name, overlay_checks[c].check, overlay_checks[c].ref))
                matrix_end(matrix, hv_has(matrix, overlays[i].need) ? overlay_checks[c].run(matrix, &overlays[i])
                                                                    : matrix_skip(matrix, "absent as advertised"));
        }
    }
    hv_run_points(matrix, points, sizeof(points) / sizeof(points[0]));
}
