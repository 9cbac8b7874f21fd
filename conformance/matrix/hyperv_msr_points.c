/*
 * Synthetic MSRs: what is peculiar to one of them. The identity and the hypercall page, the reference time, APIC
 * access, crash and reset.
 */
#include "hyperv.h"

#include "hv_abi.h"

enum { PAGE_A = 2, PAGE_B = 3, RAM_A = 0xa5 };

#define PAGE_REF "doc hypercall-interface; 6.0b 3.13"

/* --- identity and hypercall page ---------------------------------------------------------------------------------- */

static enum matrix_verdict not_before_identity(struct matrix *matrix)
{
    if (hv_set(matrix, 0, HV_X64_MSR_GUEST_OS_ID, 0) != MATRIX_SUCCESS ||
        hv_set(matrix, 0, HV_X64_MSR_HYPERCALL, hv_page_msr(matrix, PAGE_A)) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return hv_is(matrix, 0, HV_X64_MSR_HYPERCALL, HV_X64_MSR_HYPERCALL_ENABLE, 0);
}

static enum matrix_verdict ends_with_identity(struct matrix *matrix)
{
    matrix_fill(matrix, PAGE_A, RAM_A);
    if (hv_identify(matrix) != MATRIX_SUCCESS ||
        hv_set(matrix, 0, HV_X64_MSR_HYPERCALL, hv_page_msr(matrix, PAGE_A)) != MATRIX_SUCCESS ||
        hv_set(matrix, 0, HV_X64_MSR_GUEST_OS_ID, 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_is(matrix, 0, HV_X64_MSR_HYPERCALL, HV_X64_MSR_HYPERCALL_ENABLE, 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return matrix_is_filled(matrix, PAGE_A, RAM_A) ? MATRIX_SUCCESS
                                                   : matrix_fail(matrix, "the page is still there", 0, 0);
}

static uint64_t sum_of(const struct matrix *matrix, uint32_t page)
{
    const volatile uint8_t *at = matrix->env->page[page].at;
    uint64_t sum = 0xcbf29ce484222325;

    for (uint32_t i = 0; i < MATRIX_PAGE_BYTES; i++)
        sum = (sum ^ at[i]) * 0x100000001b3;
    return sum;
}

static enum matrix_verdict page_is_constant(struct matrix *matrix)
{
    if (hv_identify(matrix) != MATRIX_SUCCESS ||
        hv_set(matrix, 0, HV_X64_MSR_HYPERCALL, hv_page_msr(matrix, PAGE_A)) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint64_t before = sum_of(matrix, PAGE_A);
    if (hv_set(matrix, 0, HV_X64_MSR_HYPERCALL, 0) != MATRIX_SUCCESS ||
        hv_set(matrix, 0, HV_X64_MSR_HYPERCALL, hv_page_msr(matrix, PAGE_A)) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint64_t after = sum_of(matrix, PAGE_A);
    return after == before ? MATRIX_SUCCESS : matrix_fail(matrix, "other code the second time", before, after);
}

static enum matrix_verdict page_is_read_only(struct matrix *matrix)
{
    const struct matrix_env *env = matrix->env;

    if (!env->store)
        return matrix_skip(matrix, "guest code cannot be run here");
    if (hv_identify(matrix) != MATRIX_SUCCESS ||
        hv_set(matrix, 0, HV_X64_MSR_HYPERCALL, hv_page_msr(matrix, PAGE_A)) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    int fault = env->store(env->ctx, env->page[PAGE_A].gpa + 2048, 0);
    return fault == MATRIX_GP ? MATRIX_SUCCESS : matrix_fail(matrix, "writing to the page does not fault", 2048,
                                                             (uint64_t)fault);
}

static enum matrix_verdict lock(struct matrix *matrix)
{
    const struct matrix_env *env = matrix->env;
    uint64_t locked = hv_page_msr(matrix, PAGE_A) | HV_X64_MSR_HYPERCALL_LOCKED;

    if (!env->renew)
        return matrix_skip(matrix, "it cannot be undone here");
    if (hv_identify(matrix) != MATRIX_SUCCESS || hv_set(matrix, 0, HV_X64_MSR_HYPERCALL, locked) != MATRIX_SUCCESS ||
        hv_is(matrix, 0, HV_X64_MSR_HYPERCALL, ~0ull, locked) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    matrix_write(matrix, 0, HV_X64_MSR_HYPERCALL, 0);
    matrix_write(matrix, 0, HV_X64_MSR_HYPERCALL, hv_page_msr(matrix, PAGE_B));
    enum matrix_verdict verdict = hv_is(matrix, 0, HV_X64_MSR_HYPERCALL, ~0ull, locked);
    matrix_renew(matrix);
    if (verdict == MATRIX_SUCCESS)
        verdict = hv_is(matrix, 0, HV_X64_MSR_HYPERCALL, ~0ull, 0);
    return verdict;
}

/* --- VP index, time ----------------------------------------------------------------------------------------------- */

static enum matrix_verdict index_is_unique(struct matrix *matrix)
{
    uint64_t seen = 0, index;

    for (uint32_t vp = 0; vp < matrix->env->nr_vps && vp < 64; vp++) {
        if (matrix_read(matrix, vp, HV_X64_MSR_VP_INDEX, &index) != MATRIX_NO_FAULT)
            return matrix_fail(matrix, "reading faults", vp, 0);
        if (index < 64 && (seen >> index & 1))
            return matrix_fail(matrix, "two VPs have one index", vp, index);
        seen |= index < 64 ? 1ull << index : 0;
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict counter_rises(struct matrix *matrix)
{
    uint64_t last = 0, now;

    for (uint32_t i = 0; i < 64; i++) {
        uint32_t vp = i % matrix->env->nr_vps;
        if (matrix_read(matrix, vp, HV_X64_MSR_TIME_REF_COUNT, &now) != MATRIX_NO_FAULT)
            return matrix_fail(matrix, "reading faults", vp, 0);
        if (i > 0 && now <= last)
            return matrix_fail(matrix, "it did not rise", last, now);
        last = now;
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict runtime_rises(struct matrix *matrix)
{
    uint64_t before, after;

    if (!matrix->env->wait)
        return matrix_skip(matrix, "time cannot pass here");
    matrix_read(matrix, 0, HV_X64_MSR_VP_RUNTIME, &before);
    matrix->env->wait(matrix->env->ctx, 20000000);
    matrix_read(matrix, 0, HV_X64_MSR_VP_RUNTIME, &after);
    if (after <= before || after - before > 10ull * 1000 * 1000 * 10)
        return matrix_fail(matrix, "20 ms of work are not in it", before, after);
    return MATRIX_SUCCESS;
}

static uint64_t high_half(uint64_t a, uint64_t b)
{
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t middle = a_high * b_low + (a_low * b_low >> 32);

    return a_high * b_high + (middle >> 32) + ((a_low * b_high + (uint32_t)middle) >> 32);
}

static enum matrix_verdict tsc_page_agrees(struct matrix *matrix)
{
    const struct matrix_env *env = matrix->env;
    const volatile uint32_t *sequence = (const void *)env->page[PAGE_A].at;
    const volatile uint64_t *field = (const void *)env->page[PAGE_A].at;
    uint64_t before, after;

    if (hv_set(matrix, 0, HV_X64_MSR_REFERENCE_TSC, hv_page_msr(matrix, PAGE_A)) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (*sequence == 0)
        return matrix_skip(matrix, "the page says that it is not reliable now");
    matrix_read(matrix, 0, HV_X64_MSR_TIME_REF_COUNT, &before);
    uint64_t time = high_half(env->tsc(env->ctx), field[1]) + field[2];
    matrix_read(matrix, 0, HV_X64_MSR_TIME_REF_COUNT, &after);
    if (time + 1 < before || time > after + 1)
        return matrix_fail(matrix, "the page's time is not between two readings of the counter", before, time);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict frequency(struct matrix *matrix, uint32_t index, uint64_t least, uint64_t most)
{
    uint64_t hz;

    if (matrix_read(matrix, 0, index, &hz) != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "reading faults", index, 0);
    return hz >= least && hz <= most ? MATRIX_SUCCESS : matrix_fail(matrix, "no such frequency", least, hz);
}

static enum matrix_verdict tsc_frequency(struct matrix *matrix)
{
    return frequency(matrix, HV_X64_MSR_TSC_FREQUENCY, 100000000, 20000000000);
}

static enum matrix_verdict apic_frequency(struct matrix *matrix)
{
    return frequency(matrix, HV_X64_MSR_APIC_FREQUENCY, 1000000, 20000000000);
}

/* --- APIC --------------------------------------------------------------------------------------------------------- */

enum { ICR_SELF = 1 << 18 };

static enum matrix_verdict icr_self(struct matrix *matrix)
{
    const struct matrix_env *env = matrix->env;

    if (!env->interrupts || !env->wait)
        return matrix_skip(matrix, "interrupts cannot be seen here");
    env->interrupts(env->ctx, 0, env->vector);
    int fault = env->wrmsr(env->ctx, 0, HV_X64_MSR_ICR, ICR_SELF | env->vector);
    if (fault != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "writing faults", ICR_SELF, (uint64_t)fault);
    uint32_t came = matrix_await(matrix, 0, 1);
    return came == 1 ? MATRIX_SUCCESS : matrix_fail(matrix, "the interrupt to itself did not come once", 1, came);
}

/* --- crash, reset, idle ------------------------------------------------------------------------------------------- */

static enum matrix_verdict crash_capabilities(struct matrix *matrix)
{
    uint64_t value;

    if (matrix_read(matrix, 0, HV_X64_MSR_CRASH_CTL, &value) != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "reading faults", 0, 0);
    if (!(value & HV_CRASH_CTL_CRASH_NOTIFY))
        return matrix_fail(matrix, "no notification although the registers are there", HV_CRASH_CTL_CRASH_NOTIFY,
                           value);
    return value & ((1ull << 58) - 1) ? matrix_fail(matrix, "reserved bits are set", (1ull << 58) - 1, value)
                                      : MATRIX_SUCCESS;
}

struct crash {
    uint64_t message_gpa, message_bytes, control;
};

static enum matrix_verdict crashes(struct matrix *matrix, const struct crash *crash)
{
    const struct matrix_env *env = matrix->env;

    if (!env->renew)
        return matrix_skip(matrix, "it cannot be undone here");
    if (hv_set(matrix, 0, HV_X64_MSR_CRASH_P3, crash->message_gpa) != MATRIX_SUCCESS ||
        hv_set(matrix, 0, HV_X64_MSR_CRASH_P4, crash->message_bytes) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    int fault = env->wrmsr(env->ctx, 0, HV_X64_MSR_CRASH_CTL, crash->control);
    matrix_renew(matrix);
    return fault == MATRIX_NO_FAULT ? MATRIX_SUCCESS
                                    : matrix_fail(matrix, "saying so faults", crash->control, (uint64_t)fault);
}

static enum matrix_verdict crash_notify(struct matrix *matrix)
{
    return crashes(matrix, &(struct crash){0, 0, HV_CRASH_CTL_CRASH_NOTIFY});
}

static enum matrix_verdict crash_message(struct matrix *matrix)
{
    return crashes(matrix, &(struct crash){matrix->env->page[PAGE_A].gpa, 4096,
                                           HV_CRASH_CTL_CRASH_NOTIFY | HV_CRASH_CTL_CRASH_MESSAGE});
}

static enum matrix_verdict crash_long_message(struct matrix *matrix)
{
    return crashes(matrix, &(struct crash){matrix->env->page[PAGE_A].gpa, UINT64_MAX,
                                           HV_CRASH_CTL_CRASH_NOTIFY | HV_CRASH_CTL_CRASH_MESSAGE});
}

static enum matrix_verdict crash_bad_message(struct matrix *matrix)
{
    return crashes(matrix, &(struct crash){UINT64_MAX - 7, 4096,
                                           HV_CRASH_CTL_CRASH_NOTIFY | HV_CRASH_CTL_CRASH_MESSAGE});
}

static enum matrix_verdict reset(struct matrix *matrix)
{
    const struct matrix_env *env = matrix->env;

    if (!env->renew || !env->has_ended)
        return matrix_skip(matrix, "it cannot be undone here");
    int fault = env->wrmsr(env->ctx, 0, HV_X64_MSR_RESET, HV_X64_MSR_RESET_NOW);
    bool has_ended = env->has_ended(env->ctx);
    matrix_renew(matrix);
    if (fault != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "writing faults", HV_X64_MSR_RESET_NOW, (uint64_t)fault);
    return has_ended ? MATRIX_SUCCESS : matrix_fail(matrix, "the VM goes on", HV_X64_MSR_RESET_NOW, 0);
}

static enum matrix_verdict no_reset(struct matrix *matrix)
{
    const struct matrix_env *env = matrix->env;

    if (!env->has_ended)
        return matrix_skip(matrix, "it cannot be seen here");
    if (hv_set(matrix, 0, HV_X64_MSR_RESET, 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return env->has_ended(env->ctx) ? matrix_fail(matrix, "a zero resets too", 0, 0) : MATRIX_SUCCESS;
}

static enum matrix_verdict idle(struct matrix *matrix)
{
    uint64_t value;

    if (!matrix->env->renew)
        return matrix_skip(matrix, "the VP would sleep");
    int fault = matrix_read(matrix, 0, HV_X64_MSR_GUEST_IDLE, &value);
    return fault == MATRIX_NO_FAULT ? MATRIX_SUCCESS : matrix_fail(matrix, "reading faults", 0, (uint64_t)fault);
}

/* --- SynIC -------------------------------------------------------------------------------------------------------- */

static enum matrix_verdict any_eom(struct matrix *matrix)
{
    for (uint32_t bit = 0; bit < 64; bit++)
        if (hv_set(matrix, 0, HV_X64_MSR_EOM, 1ull << bit) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    return hv_is(matrix, 0, HV_X64_MSR_EOM, ~0ull, 0);
}

static enum matrix_verdict sint_vectors(struct matrix *matrix)
{
    for (uint64_t vector = 16; vector < 256; vector++)
        if (hv_set(matrix, 0, HV_X64_MSR_SINT0 + 5, vector) != MATRIX_SUCCESS ||
            hv_is(matrix, 0, HV_X64_MSR_SINT0 + 5, 0x700ff, vector) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    return MATRIX_SUCCESS;
}

static enum matrix_verdict sint_no_vectors(struct matrix *matrix)
{
    for (uint64_t vector = 0; vector < 16; vector++)
        if (matrix_write(matrix, 0, HV_X64_MSR_SINT0 + 5, vector) != MATRIX_GP)
            return matrix_fail(matrix, "a vector below 16 does not fault", vector, 0);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict sint_polling(struct matrix *matrix)
{
    if (hv_set(matrix, 0, HV_X64_MSR_SINT0 + 5, HV_SYNIC_SINT_POLLING | 0x30) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return hv_is(matrix, 0, HV_X64_MSR_SINT0 + 5, ~0ull, HV_SYNIC_SINT_POLLING | 0x30);
}

static const struct hv_point points[] = {
    {"hypercall page", "cannot be had before the identity", PAGE_REF, HV_NEED_HYPERCALL, not_before_identity},
    {"hypercall page", "ends with the identity", PAGE_REF, HV_NEED_HYPERCALL, ends_with_identity},
    {"hypercall page", "has the same contents each time", "req: must not change", HV_NEED_HYPERCALL, page_is_constant},
    {"hypercall page", "is read-only to the guest", PAGE_REF, HV_NEED_HYPERCALL, page_is_read_only},
    {"hypercall page", "can be locked until reset", PAGE_REF, HV_NEED_LOCK, lock},
    {"HV_X64_MSR_VP_INDEX", "is unique", "doc vp-properties", HV_NEED_VP_INDEX, index_is_unique},
    {"HV_X64_MSR_TIME_REF_COUNT", "rises strictly over all VPs", "doc timers", HV_NEED_REFERENCE_COUNTER,
     counter_rises},
    {"HV_X64_MSR_VP_RUNTIME", "rises with work", "doc vp-properties", HV_NEED_VP_RUNTIME, runtime_rises},
    {"reference TSC page", "agrees with the counter", "doc timers", HV_NEED_REFERENCE_TSC, tsc_page_agrees},
    {"HV_X64_MSR_TSC_FREQUENCY", "is a frequency", "6.0b App. C", HV_NEED_FREQUENCIES, tsc_frequency},
    {"HV_X64_MSR_APIC_FREQUENCY", "is a frequency", "6.0b App. C", HV_NEED_FREQUENCIES, apic_frequency},
    {"HV_X64_MSR_ICR", "interrupts the VP itself", "doc virtual-interrupts; req: IPI", HV_NEED_APIC, icr_self},
    {"HV_X64_MSR_CRASH_CTL", "tells what it can", "doc partition-properties", HV_NEED_CRASH, crash_capabilities},
    {"HV_X64_MSR_CRASH_CTL", "takes a crash", "doc partition-properties", HV_NEED_CRASH, crash_notify},
    {"HV_X64_MSR_CRASH_CTL", "takes a message of 4096 bytes", "doc partition-properties", HV_NEED_CRASH, crash_message},
    {"HV_X64_MSR_CRASH_CTL", "bears a message that is too long", "doc partition-properties", HV_NEED_CRASH,
     crash_long_message},
    {"HV_X64_MSR_CRASH_CTL", "bears a message that is not there", "doc partition-properties", HV_NEED_CRASH,
     crash_bad_message},
    {"HV_X64_MSR_RESET", "resets by bit 0", "6.0b App. C", HV_NEED_RESET, reset},
    {"HV_X64_MSR_RESET", "does nothing by zero", "6.0b App. C", HV_NEED_RESET, no_reset},
    {"HV_X64_MSR_GUEST_IDLE", "can be read", "doc vp-properties", HV_NEED_GUEST_IDLE, idle},
    {"HV_X64_MSR_EOM", "ignores its value", "doc inter-partition-communication", HV_NEED_SYNIC, any_eom},
    {"SINTx", "takes vectors 16 to 255", "doc SINTx registers", HV_NEED_SYNIC, sint_vectors},
    {"SINTx", "faults at vectors 0 to 15", "doc SINTx registers", HV_NEED_SYNIC, sint_no_vectors},
    {"SINTx", "takes the polling bit", "doc SINTx registers", HV_NEED_POLLING, sint_polling},
};

void hv_matrix_msr_points(struct matrix *matrix)
{
    hv_run_points(matrix, points, sizeof(points) / sizeof(points[0]));
}
