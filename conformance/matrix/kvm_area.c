/*
 * The KVM matrix: what the host writes to areas of the guest: clocks, wall clock, steal time [msr.rst].
 */
#include "kvm.h"

#define MS_NS 1000000ull
#define CLOCK_STABLE 1u
#define CLOCK_GUEST_STOPPED 2u

struct wall_clock {
    uint32_t version, sec, nsec;
};
struct vcpu_time {
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags, pad[2];
};
struct steal_time {
    uint64_t steal;
    uint32_t version, flags;
    uint8_t preempted, u8_pad[3];
    uint32_t pad[11];
};
_Static_assert(sizeof(struct vcpu_time) == 32 && sizeof(struct steal_time) == 64, "as msr.rst has them");

static volatile void *area(const struct kvm *k, uint32_t page)
{
    return k->env->page[page].at;
}

/* --- clocks ------------------------------------------------------------------------------------------------------- */

static uint64_t high_part(uint64_t a, uint32_t b)
{
    return (a >> 32) * b + ((a & 0xffffffff) * b >> 32);
}

static uint64_t now(const struct kvm *k, uint32_t page)
{
    const volatile struct vcpu_time *time = area(k, page);
    uint32_t version;
    uint64_t ns;

    do {
        version = time->version & ~1u;
        uint64_t ticks = k->env->tsc(k->env->ctx) - time->tsc_timestamp;
        ticks = time->tsc_shift >= 0 ? ticks << time->tsc_shift : ticks >> -time->tsc_shift;
        ns = time->system_time + high_part(ticks, time->tsc_to_system_mul);
    } while (version != time->version);
    return ns;
}

static enum matrix_verdict start_clock(struct kvm *k, uint32_t vp, uint32_t msr, uint32_t page)
{
    matrix_fill(k->matrix, page, 0);
    int fault = matrix_write(k->matrix, vp, msr, k->env->page[page].gpa | KVM_MSR_ENABLED);
    if (fault != MATRIX_NO_FAULT)
        return matrix_fail(k->matrix, "writing faults", msr, (uint64_t)fault);
    const volatile struct vcpu_time *time = area(k, page);
    /* the host may write when the vCPU is entered next */
    uint64_t unused;
    matrix_read(k->matrix, vp, msr, &unused);
    if (time->version == 0 || time->version % 2 || time->tsc_to_system_mul == 0)
        return matrix_fail(k->matrix, "there is no clock", time->version, time->tsc_to_system_mul);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict clock(struct kvm *k, uint32_t msr)
{
    if (start_clock(k, 0, msr, KVM_PAGE_CLOCK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    const volatile struct vcpu_time *time = area(k, KVM_PAGE_CLOCK);
    if (time->flags & ~(CLOCK_STABLE | CLOCK_GUEST_STOPPED))
        return matrix_fail(k->matrix, "an unknown flag", CLOCK_STABLE, time->flags);
    if (!k->env->wait)
        return MATRIX_SUCCESS;
    uint64_t begin = now(k, KVM_PAGE_CLOCK);
    k->env->wait(k->env->ctx, 10 * MS_NS);
    uint64_t end = now(k, KVM_PAGE_CLOCK);
    return end >= begin + 9 * MS_NS ? MATRIX_SUCCESS : matrix_fail(k->matrix, "it does not go on", begin, end);
}

static enum matrix_verdict new_clock(struct kvm *k)
{
    return clock(k, MSR_KVM_SYSTEM_TIME_NEW);
}

static enum matrix_verdict old_clock(struct kvm *k)
{
    return clock(k, MSR_KVM_SYSTEM_TIME);
}

static enum matrix_verdict goes_forward(struct kvm *k)
{
    if (start_clock(k, 0, MSR_KVM_SYSTEM_TIME_NEW, KVM_PAGE_CLOCK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint64_t last = now(k, KVM_PAGE_CLOCK);
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t next = now(k, KVM_PAGE_CLOCK);

        if (next < last)
            return matrix_fail(k->matrix, "it goes back", last, next);
        last = next;
    }
    return MATRIX_SUCCESS;
}

/* What CPUID's bit promises to be the same everywhere is. */
static enum matrix_verdict same_on_all(struct kvm *k)
{
    if (k->env->nr_vps < 2)
        return matrix_skip(k->matrix, "there is one vCPU");
    if (start_clock(k, 0, MSR_KVM_SYSTEM_TIME_NEW, KVM_PAGE_CLOCK) != MATRIX_SUCCESS ||
        start_clock(k, 1, MSR_KVM_SYSTEM_TIME_NEW, KVM_PAGE_AREA) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    const volatile struct vcpu_time *time = area(k, KVM_PAGE_CLOCK);
    if (!(time->flags & CLOCK_STABLE))
        return matrix_skip(k->matrix, "the clock says that it is not");
    uint64_t before = now(k, KVM_PAGE_CLOCK), other = now(k, KVM_PAGE_AREA), after = now(k, KVM_PAGE_CLOCK);
    return other + 1000 >= before && other <= after + 1000 ? MATRIX_SUCCESS
                                                           : matrix_fail(k->matrix, "another time there", before, other);
}

static enum matrix_verdict leaves_the_rest(struct kvm *k)
{
    if (start_clock(k, 0, MSR_KVM_SYSTEM_TIME_NEW, KVM_PAGE_CLOCK) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    for (uint32_t i = sizeof(struct vcpu_time); i < MATRIX_PAGE_BYTES; i++)
        if (k->env->page[KVM_PAGE_CLOCK].at[i] != 0)
            return matrix_fail(k->matrix, "more than the structure is written", sizeof(struct vcpu_time), i);
    return MATRIX_SUCCESS;
}

/* --- wall clock --------------------------------------------------------------------------------------------------- */

static enum matrix_verdict wall_clock(struct kvm *k, uint32_t msr)
{
    const volatile struct wall_clock *wall = area(k, KVM_PAGE_AREA);

    matrix_fill(k->matrix, KVM_PAGE_AREA, 0);
    int fault = matrix_write(k->matrix, 0, msr, k->env->page[KVM_PAGE_AREA].gpa);
    if (fault != MATRIX_NO_FAULT)
        return matrix_fail(k->matrix, "writing faults", msr, (uint64_t)fault);
    if (wall->version == 0 || wall->version % 2)
        return matrix_fail(k->matrix, "no version", 2, wall->version);
    return wall->sec != 0 && wall->nsec < 1000000000 ? MATRIX_SUCCESS
                                                     : matrix_fail(k->matrix, "no time", wall->sec, wall->nsec);
}

static enum matrix_verdict new_wall(struct kvm *k)
{
    return wall_clock(k, MSR_KVM_WALL_CLOCK_NEW);
}

static enum matrix_verdict old_wall(struct kvm *k)
{
    return wall_clock(k, MSR_KVM_WALL_CLOCK);
}

/* The time of boot, told at each write, with the next version. */
static enum matrix_verdict wall_again(struct kvm *k)
{
    const volatile struct wall_clock *wall = area(k, KVM_PAGE_AREA);

    if (wall_clock(k, MSR_KVM_WALL_CLOCK_NEW) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint32_t version = wall->version, sec = wall->sec;
    matrix_write(k->matrix, 0, MSR_KVM_WALL_CLOCK_NEW, k->env->page[KVM_PAGE_AREA].gpa);
    if (wall->version == version)
        return matrix_fail(k->matrix, "it is not written again", version, wall->version);
    return wall->sec - sec <= 1 || sec - wall->sec <= 1 ? MATRIX_SUCCESS
                                                        : matrix_fail(k->matrix, "another time of boot", sec, wall->sec);
}

/* --- steal time --------------------------------------------------------------------------------------------------- */

static enum matrix_verdict steal(struct kvm *k)
{
    const volatile struct steal_time *steal = area(k, KVM_PAGE_AREA);

    matrix_fill(k->matrix, KVM_PAGE_AREA, 0);
    int fault = matrix_write(k->matrix, 0, MSR_KVM_STEAL_TIME, k->env->page[KVM_PAGE_AREA].gpa | KVM_MSR_ENABLED);
    if (fault != MATRIX_NO_FAULT)
        return matrix_fail(k->matrix, "writing faults", MSR_KVM_STEAL_TIME, (uint64_t)fault);
    if (k->env->wait)
        k->env->wait(k->env->ctx, MS_NS);
    if (steal->version == 0 || steal->version % 2)
        return matrix_fail(k->matrix, "no version", 2, steal->version);
    if (steal->flags != 0)
        return matrix_fail(k->matrix, "an unknown flag", 0, steal->flags);
    return steal->preempted ? matrix_fail(k->matrix, "it counts as preempted while it runs", 0, steal->preempted)
                            : MATRIX_SUCCESS;
}

static enum matrix_verdict steal_goes_forward(struct kvm *k)
{
    const volatile struct steal_time *time = area(k, KVM_PAGE_AREA);

    if (steal(k) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint64_t first = time->steal;
    if (k->env->wait)
        k->env->wait(k->env->ctx, 5 * MS_NS);
    return time->steal >= first ? MATRIX_SUCCESS : matrix_fail(k->matrix, "it becomes less", first, time->steal);
}

static enum matrix_verdict steal_leaves_the_rest(struct kvm *k)
{
    if (steal(k) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    for (uint32_t i = offsetof(struct steal_time, u8_pad); i < MATRIX_PAGE_BYTES; i++)
        if (k->env->page[KVM_PAGE_AREA].at[i] != 0)
            return matrix_fail(k->matrix, "more than its fields is written", 17, i);
    return MATRIX_SUCCESS;
}

static const struct kvm_point points[] = {
    {"MSR_KVM_SYSTEM_TIME", "the clock goes", "msr.rst", KVM_FEATURE_CLOCKSOURCE, old_clock},
    {"MSR_KVM_SYSTEM_TIME_NEW", "the clock goes", "msr.rst", KVM_FEATURE_CLOCKSOURCE2, new_clock},
    {"MSR_KVM_SYSTEM_TIME_NEW", "the clock does not go back", "msr.rst", KVM_FEATURE_CLOCKSOURCE2, goes_forward},
    {"MSR_KVM_SYSTEM_TIME_NEW", "a stable clock is one on all vCPUs", "msr.rst", KVM_FEATURE_CLOCKSOURCE_STABLE,
     same_on_all},
    {"MSR_KVM_SYSTEM_TIME_NEW", "32 bytes are written", "msr.rst", KVM_FEATURE_CLOCKSOURCE2, leaves_the_rest},
    {"MSR_KVM_WALL_CLOCK", "tells the time of boot", "msr.rst", KVM_FEATURE_CLOCKSOURCE, old_wall},
    {"MSR_KVM_WALL_CLOCK_NEW", "tells the time of boot", "msr.rst", KVM_FEATURE_CLOCKSOURCE2, new_wall},
    {"MSR_KVM_WALL_CLOCK_NEW", "tells it again", "msr.rst", KVM_FEATURE_CLOCKSOURCE2, wall_again},
    {"MSR_KVM_STEAL_TIME", "is told", "msr.rst", KVM_FEATURE_STEAL_TIME, steal},
    {"MSR_KVM_STEAL_TIME", "becomes more, never less", "msr.rst", KVM_FEATURE_STEAL_TIME, steal_goes_forward},
    {"MSR_KVM_STEAL_TIME", "the padding is the guest's", "msr.rst", KVM_FEATURE_STEAL_TIME, steal_leaves_the_rest},
};

void kvm_ask_areas(struct kvm *k)
{
    matrix_chapter(k->matrix, "KVM clocks and steal time");
    kvm_run_points(k, points, sizeof(points) / sizeof(points[0]));
}
