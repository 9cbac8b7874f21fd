/*
 * What is asked of every synthetic MSR: each check of the list below is a point for each row of hv_msrs.
 *
 * Also: what the specification does not define faults.
 */
#include "hyperv.h"

#include "hv_abi.h"

typedef enum matrix_verdict check_fn(struct matrix *matrix, const struct hv_msr *msr);

#define ABSENT "absent as advertised"

/* Without the privilege "accesses to this MSR result in a #GP fault" [6.0b 4.2.2]. */
static enum matrix_verdict absent_read(struct matrix *matrix, const struct hv_msr *msr)
{
    uint64_t value;

    if (hv_has(matrix, msr->need))
        return matrix_skip(matrix, "present");
    int fault = matrix_read(matrix, 0, msr->index, &value);
    if (fault != MATRIX_GP)
        return matrix_fail(matrix, "reading what is not advertised does not fault", msr->index, value);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict absent_write(struct matrix *matrix, const struct hv_msr *msr)
{
    const struct matrix_env *env = matrix->env;

    if (hv_has(matrix, msr->need))
        return matrix_skip(matrix, "present");
    if (env->wrmsr(env->ctx, 0, msr->index, 0) != MATRIX_GP)
        return matrix_fail(matrix, "writing what is not advertised does not fault", msr->index, 0);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict reads(struct matrix *matrix, const struct hv_msr *msr)
{
    uint64_t value, again;

    if (matrix_read(matrix, 0, msr->index, &value) != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "reading faults", msr->index, 0);
    if (msr->flags & HV_MSR_RUNS)
        return MATRIX_SUCCESS;
    if (matrix_read(matrix, 0, msr->index, &again) != MATRIX_NO_FAULT || again != value)
        return matrix_fail(matrix, "reads differently the second time", value, again);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict wrong_direction(struct matrix *matrix, const struct hv_msr *msr)
{
    const struct matrix_env *env = matrix->env;
    uint64_t before, after;

    if (msr->access == HV_W)
        return matrix_read(matrix, 0, msr->index, &before) == MATRIX_GP
                   ? MATRIX_SUCCESS
                   : matrix_fail(matrix, "reading a write-only register does not fault", msr->index, before);
    bool has_value = !(msr->flags & (HV_MSR_MUST_NOT_READ | HV_MSR_RUNS));
    if (has_value)
        matrix_read(matrix, 0, msr->index, &before);
    for (uint32_t bit = 0; bit < 64; bit += 21)
        if (env->wrmsr(env->ctx, 0, msr->index, 1ull << bit) != MATRIX_GP)
            return matrix_fail(matrix, "writing a read-only register does not fault", 1ull << bit, 0);
    if (has_value && matrix_read(matrix, 0, msr->index, &after) == MATRIX_NO_FAULT && after != before)
        return matrix_fail(matrix, "a write that faulted changed it", before, after);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict reset_value(struct matrix *matrix, const struct hv_msr *msr)
{
    if (!(matrix->env->can & MATRIX_IS_FRESH))
        return matrix_skip(matrix, "somebody used the interface before");
    for (uint32_t vp = 0; vp < matrix->env->nr_vps; vp++)
        if (hv_is(matrix, vp, msr->index, ~0ull, msr->reset_value) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    return MATRIX_SUCCESS;
}

static enum matrix_verdict samples(struct matrix *matrix, const struct hv_msr *msr)
{
    for (uint32_t i = 0; i < msr->nr_samples; i++) {
        if (hv_set(matrix, 0, msr->index, msr->sample[i]) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
        uint64_t want = msr->flags & HV_MSR_READS_ZERO ? 0 : msr->sample[i];
        if ((msr->flags & (HV_MSR_KEEPS_SAMPLES | HV_MSR_READS_ZERO)) &&
            hv_is(matrix, 0, msr->index, ~0ull, want) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    }
    return MATRIX_SUCCESS;
}

/* The value to add reserved bits to: one that changes nothing but itself. */
static uint64_t quiet(const struct hv_msr *msr)
{
    return msr->nr_samples ? msr->sample[0] : 0;
}

static enum matrix_verdict preserved(struct matrix *matrix, const struct hv_msr *msr)
{
    for (uint32_t bit = 0; bit < 64; bit++) {
        if (!(msr->rsvdp >> bit & 1))
            continue;
        if (hv_set(matrix, 0, msr->index, quiet(msr) | 1ull << bit) != MATRIX_SUCCESS ||
            hv_is(matrix, 0, msr->index, ~msr->rsvdp, quiet(msr) & ~msr->rsvdp) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict zero_or_fault(struct matrix *matrix, const struct hv_msr *msr)
{
    for (uint32_t bit = 0; bit < 64; bit++) {
        if (!(msr->rsvdz >> bit & 1))
            continue;
        if (hv_set(matrix, 0, msr->index, quiet(msr)) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
        int fault = matrix_write(matrix, 0, msr->index, quiet(msr) | 1ull << bit);
        if (fault != MATRIX_NO_FAULT && fault != MATRIX_GP)
            return matrix_fail(matrix, "another fault than #GP", 1ull << bit, (uint64_t)fault);
        /* either way its other bits are as they were */
        if (!(msr->access & HV_R) || msr->rsvdz == ~0ull)
            continue;
        if (hv_is(matrix, 0, msr->index, ~msr->rsvdz, quiet(msr) & ~msr->rsvdz) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict invalid(struct matrix *matrix, const struct hv_msr *msr)
{
    if (hv_set(matrix, 0, msr->index, quiet(msr)) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    for (uint32_t i = 0; i < msr->nr_invalid; i++) {
        if (matrix_write(matrix, 0, msr->index, msr->invalid[i]) != MATRIX_GP)
            return matrix_fail(matrix, "an invalid value does not fault", msr->invalid[i], 0);
        if (hv_is(matrix, 0, msr->index, ~0ull, quiet(msr)) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict scope(struct matrix *matrix, const struct hv_msr *msr)
{
    if (matrix->env->nr_vps < 2)
        return matrix_skip(matrix, "one VP only");
    uint64_t other;
    if (matrix_read(matrix, 1, msr->index, &other) != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "the other VP may not read it", msr->index, 0);
    if (!(msr->flags & HV_MSR_KEEPS_SAMPLES)) {
        if (msr->flags & HV_MSR_WIDE)
            return hv_is(matrix, 0, msr->index, ~0ull, other);
        return MATRIX_SUCCESS;
    }
    if (hv_set(matrix, 0, msr->index, msr->sample[0]) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return hv_is(matrix, 1, msr->index, ~0ull, msr->flags & HV_MSR_WIDE ? msr->sample[0] : other);
}

static const struct {
    const char *check;
    bool is_of_absent;
    check_fn *run;
} checks[] = {
    {"absent: reading faults", true, absent_read},
    {"absent: writing faults", true, absent_write},
    {"reads", false, reads},
    {"wrong direction faults", false, wrong_direction},
    {"value after reset", false, reset_value},
    {"takes and keeps values", false, samples},
    {"takes preserved bits", false, preserved},
    {"zero bits: fault or ignored", false, zero_or_fault},
    {"invalid values fault", false, invalid},
    {"per VP or partition-wide", false, scope},
};
enum { NR_CHECKS = sizeof(checks) / sizeof(checks[0]) };

/* A check that says nothing about this row is not a point. */
static bool is_point(const struct hv_msr *msr, check_fn *run)
{
    if (run == reads)
        return (msr->access & HV_R) && !(msr->flags & HV_MSR_MUST_NOT_READ);
    if (run == wrong_direction)
        return msr->access != HV_RW;
    if (run == reset_value)
        return msr->has_reset_value;
    if (run == samples)
        return (msr->access & HV_W) && msr->nr_samples;
    if (run == preserved)
        return msr->rsvdp != 0;
    if (run == zero_or_fault)
        return msr->rsvdz != 0;
    if (run == invalid)
        return msr->nr_invalid != 0;
    if (run == scope)
        return (msr->flags & (HV_MSR_PER_VP | HV_MSR_WIDE)) && (msr->access & HV_R) &&
               !(msr->flags & (HV_MSR_RUNS | HV_MSR_MUST_NOT_READ | HV_MSR_READS_ZERO));
    return true;
}

static void run_row(struct matrix *matrix, const struct hv_msr *msr)
{
    for (uint32_t c = 0; c < NR_CHECKS; c++) {
        if (!is_point(msr, checks[c].run) || (msr->need == HV_NEED_NEVER && !checks[c].is_of_absent))
            continue;
        if (!matrix_begin(matrix, msr->name, checks[c].check, msr->ref))
            continue;
        if (checks[c].is_of_absent || hv_has(matrix, msr->need))
            matrix_end(matrix, checks[c].run(matrix, msr));
        else
            matrix_end(matrix, matrix_skip(matrix, ABSENT));
    }
}

/* --- MSRs that nobody defined ------------------------------------------------------------------------------------- */

struct gap {
    const char *name;
    uint32_t first, last;
};

/* Some of the numbers between are used by root partitions; those are left out. */
static const struct gap gaps[] = {
    {"0x40000004 to 0x4000000f", 0x40000004, 0x4000000f}, {"0x40000011 to 0x4000001f", 0x40000011, 0x4000001f},
    {"0x40000024 to 0x4000003f", 0x40000024, 0x4000003f}, {"0x40000041 to 0x4000006f", 0x40000041, 0x4000006f},
    {"0x40000074 to 0x4000007f", 0x40000074, 0x4000007f}, {"0x40000086 to 0x4000008f", 0x40000086, 0x4000008f},
    {"0x400000a0 to 0x400000af", 0x400000a0, 0x400000af}, {"0x400000b8 to 0x400000bf", 0x400000b8, 0x400000bf},
    {"0x40000119 to 0x400001ff", 0x40000119, 0x400001ff}, {"0x40000800 to 0x40000fff", 0x40000800, 0x40000fff},
    {"0x40001100 to 0x40001fff", 0x40001100, 0x40001fff},
};

static enum matrix_verdict gap_faults(struct matrix *matrix, const struct gap *gap)
{
    const struct matrix_env *env = matrix->env;
    uint64_t value;

    for (uint32_t index = gap->first; index <= gap->last; index += 1 + (gap->last - gap->first) / 32) {
        if (matrix_read(matrix, 0, index, &value) != MATRIX_GP)
            return matrix_fail(matrix, "reading does not fault", index, value);
        if (env->wrmsr(env->ctx, 0, index, 0) != MATRIX_GP)
            return matrix_fail(matrix, "writing does not fault", index, 0);
    }
    return MATRIX_SUCCESS;
}

void hv_matrix_msr(struct matrix *matrix)
{
    for (uint32_t i = 0; i < hv_nr_msrs; i++)
        run_row(matrix, &hv_msrs[i]);
    for (uint32_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
        if (matrix_begin(matrix, gaps[i].name, "undefined MSRs fault", "6.0b App. C"))
            matrix_end(matrix, gap_faults(matrix, &gaps[i]));
    }
}
