/*
 * The matrix of KVM's own interface: CPUID [cpuid.rst] and MSRs [msr.rst].
 *
 * KVM answers also for features that CPUID does not show, unless its user asked it to enforce them
 * (KVM_CAP_ENFORCE_PV_FEATURE_CPUID); the specification has them absent.
 */
#include "kvm.h"

enum { EAX, EBX, ECX, EDX };
#define LEAVES_BEGIN 0x40000000u
#define LEAVES_END 0x40010000u
#define LEAVES_STEP 0x100u
#define SIGNATURE_EBX 0x4b4d564bu
#define SIGNATURE_ECX 0x564b4d56u
#define SIGNATURE_EDX 0x4du
#define UNKNOWN_FEATURES 0xfefc0100u
#define HINT_REALTIME 1u

void kvm_run_points(struct kvm *k, const struct kvm_point *point, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (!matrix_begin(k->matrix, point[i].subject, point[i].check, point[i].ref))
            continue;
        matrix_end(k->matrix, kvm_has(k, point[i].need) ? point[i].run(k)
                                                        : matrix_skip(k->matrix, "absent as advertised"));
    }
}

/* --- CPUID -------------------------------------------------------------------------------------------------------- */

static uint32_t leaf(const struct kvm *k, uint32_t offset, uint32_t reg)
{
    return matrix_cpuid(k->matrix, k->base + offset, reg);
}

/* Old hosts say 0, which stands for one leaf. */
static enum matrix_verdict max_leaf(struct kvm *k)
{
    uint32_t max = leaf(k, 0, EAX);

    return max == 0 || max - k->base - 1 < LEAVES_STEP - 1
               ? MATRIX_SUCCESS : matrix_fail(k->matrix, "not among its leaves", k->base + 1, max);
}

static enum matrix_verdict unknown_features(struct kvm *k)
{
    return k->features & UNKNOWN_FEATURES
               ? matrix_fail(k->matrix, "a bit without a meaning is set", UNKNOWN_FEATURES, k->features)
               : MATRIX_SUCCESS;
}

static enum matrix_verdict hints(struct kvm *k)
{
    if (leaf(k, 1, EBX) | leaf(k, 1, ECX))
        return matrix_fail(k->matrix, "EBX or ECX is used", leaf(k, 1, EBX), leaf(k, 1, ECX));
    return leaf(k, 1, EDX) & ~HINT_REALTIME ? matrix_fail(k->matrix, "an unknown hint", 1, leaf(k, 1, EDX))
                                            : MATRIX_SUCCESS;
}

static enum matrix_verdict same_everywhere(struct kvm *k)
{
    uint32_t first[4], other[4];

    for (uint32_t vp = 1; vp < k->env->nr_vps; vp++)
        for (uint32_t offset = 0; offset < 2; offset++) {
            k->env->cpuid(k->env->ctx, 0, k->base + offset, first);
            k->env->cpuid(k->env->ctx, vp, k->base + offset, other);
            for (uint32_t i = 0; i < 4; i++)
                if (first[i] != other[i])
                    return matrix_fail(k->matrix, "another value there", first[i], other[i]);
        }
    return k->env->nr_vps > 1 ? MATRIX_SUCCESS : matrix_skip(k->matrix, "there is one vCPU");
}

static enum matrix_verdict comes_with(struct kvm *k, uint32_t wanted)
{
    return k->features & wanted ? MATRIX_SUCCESS
                                : matrix_fail(k->matrix, "what it rests on is not there", wanted, k->features);
}

static enum matrix_verdict with_async_pf(struct kvm *k)
{
    return comes_with(k, 1u << KVM_FEATURE_ASYNC_PF);
}

static enum matrix_verdict with_steal_time(struct kvm *k)
{
    return comes_with(k, 1u << KVM_FEATURE_STEAL_TIME);
}

static enum matrix_verdict with_clock(struct kvm *k)
{
    return comes_with(k, 1u << KVM_FEATURE_CLOCKSOURCE | 1u << KVM_FEATURE_CLOCKSOURCE2);
}

static const struct kvm_point leaves[] = {
    {"leaf 0", "the last leaf is one of KVM's", "cpuid.rst", KVM_ALWAYS, max_leaf},
    {"leaf 1", "bits without a meaning are clear", "cpuid.rst", KVM_ALWAYS, unknown_features},
    {"leaf 1", "one hint and no more", "cpuid.rst", KVM_ALWAYS, hints},
    {"leaves", "are the same on all vCPUs", "cpuid.rst", KVM_ALWAYS, same_everywhere},
    {"KVM_FEATURE_ASYNC_PF_VMEXIT", "comes with async page faults", "msr.rst", KVM_FEATURE_ASYNC_PF_VMEXIT,
     with_async_pf},
    {"KVM_FEATURE_ASYNC_PF_INT", "comes with async page faults", "msr.rst", KVM_FEATURE_ASYNC_PF_INT, with_async_pf},
    {"KVM_FEATURE_PV_TLB_FLUSH", "comes with steal time", "cpuid.rst; kvm_para.h", KVM_FEATURE_PV_TLB_FLUSH,
     with_steal_time},
    {"KVM_FEATURE_CLOCKSOURCE_STABLE", "comes with a clock", "cpuid.rst", KVM_FEATURE_CLOCKSOURCE_STABLE, with_clock},
};

/* --- every MSR ---------------------------------------------------------------------------------------------------- */

struct reg {
    const char *name;
    uint32_t index;
    enum kvm_feature need;
    uint64_t reset;             /* value after reset */
    uint64_t sample;            /* that is kept */
    bool has_address;           /* the address of a page is added to it */
    bool is_of_vm, keeps_nothing;
};
static const struct reg regs[] = {
    {"MSR_KVM_WALL_CLOCK", MSR_KVM_WALL_CLOCK, KVM_FEATURE_CLOCKSOURCE, 0, 0, true, true, false},
    {"MSR_KVM_SYSTEM_TIME", MSR_KVM_SYSTEM_TIME, KVM_FEATURE_CLOCKSOURCE, 0, 1, true, false, false},
    {"MSR_KVM_WALL_CLOCK_NEW", MSR_KVM_WALL_CLOCK_NEW, KVM_FEATURE_CLOCKSOURCE2, 0, 0, true, true, false},
    {"MSR_KVM_SYSTEM_TIME_NEW", MSR_KVM_SYSTEM_TIME_NEW, KVM_FEATURE_CLOCKSOURCE2, 0, 1, true, false, false},
    {"MSR_KVM_ASYNC_PF_EN", MSR_KVM_ASYNC_PF_EN, KVM_FEATURE_ASYNC_PF, 0, 0, true, false, false},
    {"MSR_KVM_STEAL_TIME", MSR_KVM_STEAL_TIME, KVM_FEATURE_STEAL_TIME, 0, 1, true, false, false},
    {"MSR_KVM_PV_EOI_EN", MSR_KVM_PV_EOI_EN, KVM_FEATURE_PV_EOI, 0, 1, true, false, false},
    {"MSR_KVM_POLL_CONTROL", MSR_KVM_POLL_CONTROL, KVM_FEATURE_POLL_CONTROL, 1, 0, false, false, false},
    {"MSR_KVM_ASYNC_PF_INT", MSR_KVM_ASYNC_PF_INT, KVM_FEATURE_ASYNC_PF_INT, 0, 0x31, false, false, false},
    {"MSR_KVM_ASYNC_PF_ACK", MSR_KVM_ASYNC_PF_ACK, KVM_FEATURE_ASYNC_PF_INT, 0, 0, false, false, true},
    {"MSR_KVM_MIGRATION_CONTROL", MSR_KVM_MIGRATION_CONTROL, KVM_FEATURE_MIGRATION_CONTROL, 1, 0, false, true, false},
};

static uint64_t sample(const struct kvm *k, const struct reg *reg)
{
    return reg->sample | (reg->has_address ? k->env->page[KVM_PAGE_AREA].gpa : 0);
}

static enum matrix_verdict absent_read(struct kvm *k, const struct reg *reg)
{
    uint64_t value;
    int fault = matrix_read(k->matrix, 0, reg->index, &value);

    return fault == MATRIX_GP ? MATRIX_SUCCESS : matrix_fail(k->matrix, "no #GP", reg->index, (uint64_t)fault);
}

static enum matrix_verdict absent_write(struct kvm *k, const struct reg *reg)
{
    int fault = matrix_write(k->matrix, 0, reg->index, sample(k, reg));

    return fault == MATRIX_GP ? MATRIX_SUCCESS : matrix_fail(k->matrix, "no #GP", reg->index, (uint64_t)fault);
}

static enum matrix_verdict reads_reset(struct kvm *k, const struct reg *reg)
{
    uint64_t value = ~0ull;
    int fault = matrix_read(k->matrix, 0, reg->index, &value);

    if (fault != MATRIX_NO_FAULT)
        return matrix_fail(k->matrix, "reading faults", reg->index, (uint64_t)fault);
    return value == reg->reset ? MATRIX_SUCCESS : matrix_fail(k->matrix, "another value", reg->reset, value);
}

static enum matrix_verdict keeps(struct kvm *k, const struct reg *reg)
{
    uint64_t value = ~0ull;
    int fault = matrix_write(k->matrix, 0, reg->index, sample(k, reg));

    if (fault != MATRIX_NO_FAULT)
        return matrix_fail(k->matrix, "writing faults", sample(k, reg), (uint64_t)fault);
    matrix_read(k->matrix, 0, reg->index, &value);
    return value == sample(k, reg) ? MATRIX_SUCCESS : matrix_fail(k->matrix, "it is not kept", sample(k, reg), value);
}

static enum matrix_verdict of_vcpu(struct kvm *k, const struct reg *reg)
{
    uint64_t value = ~0ull;

    if (k->env->nr_vps < 2)
        return matrix_skip(k->matrix, "there is one vCPU");
    if (keeps(k, reg) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    matrix_read(k->matrix, 1, reg->index, &value);
    return (value == sample(k, reg)) == reg->is_of_vm
               ? MATRIX_SUCCESS : matrix_fail(k->matrix, "it is the other way", reg->is_of_vm, value);
}

static void ask_reg(struct kvm *k, const struct reg *reg)
{
    const struct {
        const char *check;
        bool when_absent, when_kept;
        enum matrix_verdict (*run)(struct kvm *k, const struct reg *reg);
    } checks[] = {
        {"absent: reading faults", true, false, absent_read}, {"absent: writing faults", true, false, absent_write},
        {"value after reset", false, false, reads_reset}, {"takes and keeps a value", false, true, keeps},
        {"of a vCPU or of the VM", false, true, of_vcpu},
    };
    bool is_there = kvm_has(k, reg->need);

    for (uint32_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i].when_kept && reg->keeps_nothing)
            continue;
        if (!matrix_begin(k->matrix, reg->name, checks[i].check, "msr.rst"))
            continue;
        matrix_end(k->matrix, is_there != checks[i].when_absent
                                  ? checks[i].run(k, reg)
                                  : matrix_skip(k->matrix, is_there ? "present" : "absent as advertised"));
    }
}

/* --- single values ------------------------------------------------------------------------------------------------ */

struct row {
    const char *name, *check;
    uint32_t index;
    enum kvm_feature need;
    enum kvm_feature lacks;     /* KVM_ALWAYS: none */
    uint64_t value;
    bool has_address, is_good;
};
#define BAD(msr, check, need, value, has_address) {#msr, check, msr, need, KVM_ALWAYS, value, has_address, false}
#define GOOD(msr, check, need, value, has_address) {#msr, check, msr, need, KVM_ALWAYS, value, has_address, true}
#define BAD_WITHOUT(msr, check, need, lacks, value) {#msr, check, msr, need, lacks, value, true, false}
static const struct row rows[] = {
    BAD(MSR_KVM_ASYNC_PF_EN, "reserved bit 4", KVM_FEATURE_ASYNC_PF, 0x11, true),
    BAD(MSR_KVM_ASYNC_PF_EN, "reserved bit 5", KVM_FEATURE_ASYNC_PF, 0x21, true),
    BAD(MSR_KVM_ASYNC_PF_EN, "reserved bit 5, not enabled", KVM_FEATURE_ASYNC_PF, 0x20, true),
    BAD_WITHOUT(MSR_KVM_ASYNC_PF_EN, "as a VM exit, where that is absent", KVM_FEATURE_ASYNC_PF,
                KVM_FEATURE_ASYNC_PF_VMEXIT, KVM_ASYNC_PF_DELIVERY_AS_PF_VMEXIT | KVM_MSR_ENABLED),
    BAD_WITHOUT(MSR_KVM_ASYNC_PF_EN, "by interrupt, where that is absent", KVM_FEATURE_ASYNC_PF,
                KVM_FEATURE_ASYNC_PF_INT, KVM_ASYNC_PF_DELIVERY_AS_INT | KVM_MSR_ENABLED),
    GOOD(MSR_KVM_ASYNC_PF_EN, "by interrupt", KVM_FEATURE_ASYNC_PF_INT,
         KVM_ASYNC_PF_DELIVERY_AS_INT | KVM_MSR_ENABLED, true),
    BAD(MSR_KVM_ASYNC_PF_INT, "reserved bit 8", KVM_FEATURE_ASYNC_PF_INT, 0x131, false),
    BAD(MSR_KVM_ASYNC_PF_INT, "reserved bit 63", KVM_FEATURE_ASYNC_PF_INT, 1ull << 63 | 0x31, false),
    GOOD(MSR_KVM_ASYNC_PF_ACK, "with nothing to acknowledge", KVM_FEATURE_ASYNC_PF_INT, 1, false),
    GOOD(MSR_KVM_ASYNC_PF_ACK, "zero", KVM_FEATURE_ASYNC_PF_INT, 0, false),
    BAD(MSR_KVM_STEAL_TIME, "reserved bit 1", KVM_FEATURE_STEAL_TIME, 0x03, true),
    BAD(MSR_KVM_STEAL_TIME, "reserved bit 2", KVM_FEATURE_STEAL_TIME, 0x05, true),
    BAD(MSR_KVM_STEAL_TIME, "reserved bit 3", KVM_FEATURE_STEAL_TIME, 0x09, true),
    BAD(MSR_KVM_STEAL_TIME, "reserved bit 4", KVM_FEATURE_STEAL_TIME, 0x11, true),
    BAD(MSR_KVM_STEAL_TIME, "reserved bit 5", KVM_FEATURE_STEAL_TIME, 0x21, true),
    BAD(MSR_KVM_STEAL_TIME, "reserved bit 5, not enabled", KVM_FEATURE_STEAL_TIME, 0x20, true),
    BAD(MSR_KVM_PV_EOI_EN, "reserved bit 1", KVM_FEATURE_PV_EOI, 3, true),
    GOOD(MSR_KVM_PV_EOI_EN, "an area of 4 bytes aligned to 4", KVM_FEATURE_PV_EOI, 0xffd, true),
    GOOD(MSR_KVM_POLL_CONTROL, "polling by the host", KVM_FEATURE_POLL_CONTROL, 1, false),
    BAD(MSR_KVM_POLL_CONTROL, "reserved bit 1", KVM_FEATURE_POLL_CONTROL, 2, false),
    BAD(MSR_KVM_POLL_CONTROL, "reserved bit 63", KVM_FEATURE_POLL_CONTROL, 1ull << 63, false),
    BAD(MSR_KVM_MIGRATION_CONTROL, "reserved bit 1", KVM_FEATURE_MIGRATION_CONTROL, 2, false),
    {"MSR 0x4b564d09", "is not there", 0x4b564d09, KVM_ALWAYS, KVM_ALWAYS, 0, false, false},
    {"MSR 0x4b564dff", "is not there", 0x4b564dff, KVM_ALWAYS, KVM_ALWAYS, 0, false, false},
};

static enum matrix_verdict ask_row(struct kvm *k, const struct row *row)
{
    if (!kvm_has(k, row->need) || (row->lacks != KVM_ALWAYS && kvm_has(k, row->lacks)))
        return matrix_skip(k->matrix, kvm_has(k, row->need) ? "present" : "absent as advertised");
    uint64_t value = row->value | (row->has_address ? k->env->page[KVM_PAGE_AREA].gpa : 0);
    int fault = matrix_write(k->matrix, 0, row->index, value);
    int want = row->is_good ? MATRIX_NO_FAULT : MATRIX_GP;

    return fault == want ? MATRIX_SUCCESS
                         : matrix_fail(k->matrix, row->is_good ? "it faults" : "no #GP", value, (uint64_t)fault);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static bool find(struct kvm *k)
{
    uint32_t signature[4];

    for (k->base = LEAVES_BEGIN; k->base < LEAVES_END; k->base += LEAVES_STEP) {
        k->env->cpuid(k->env->ctx, 0, k->base, signature);
        if (signature[EBX] == SIGNATURE_EBX && signature[ECX] == SIGNATURE_ECX && signature[EDX] == SIGNATURE_EDX)
            return true;
    }
    return false;
}

void matrix_kvm(struct matrix *matrix)
{
    struct kvm k = {.matrix = matrix, .env = matrix->env};

    matrix_chapter(matrix, "KVM CPUID");
    if (!find(&k)) {
        if (matrix_begin(matrix, "KVM", "is there", "cpuid.rst"))
            matrix_end(matrix, matrix_skip(matrix, "no signature KVMKVMKVM"));
        return;
    }
    k.features = leaf(&k, 1, EAX);
    kvm_run_points(&k, leaves, sizeof(leaves) / sizeof(leaves[0]));
    matrix_chapter(matrix, "KVM MSRs");
    for (uint32_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
        ask_reg(&k, &regs[i]);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (matrix_begin(matrix, rows[i].name, rows[i].check, "msr.rst"))
            matrix_end(matrix, ask_row(&k, &rows[i]));
    }
    kvm_ask_areas(&k);
    kvm_ask_calls(&k);
}
