/*
 * CPUID of the TLFS [doc feature-discovery; req]: what must be there, what must not, and what follows from what.
 */
#include "hyperv.h"

#include "hv_abi.h"

enum { EAX, EBX, ECX, EDX, NR_REGS };

#define FEATURE_REF "doc feature-discovery"

static uint32_t leaf(struct matrix *matrix, uint32_t number, uint32_t reg)
{
    return matrix_cpuid(matrix, number, reg);
}

static bool has_bit(struct matrix *matrix, uint32_t number, uint32_t reg, uint32_t bit)
{
    return leaf(matrix, number, reg) >> bit & 1;
}

static enum matrix_verdict announced(struct matrix *matrix)
{
    if (!(matrix->env->can & MATRIX_HAS_LEAF_1))
        return matrix_skip(matrix, "leaf 1 is not the interface's here");
    return has_bit(matrix, 1, ECX, 31) ? MATRIX_SUCCESS
                                       : matrix_fail(matrix, "the bit is clear", 31, leaf(matrix, 1, ECX));
}

static enum matrix_verdict max_leaf(struct matrix *matrix)
{
    uint32_t max = leaf(matrix, HV_CPUID_VENDOR_AND_MAX_FUNCTION, EAX);

    if (max < HV_CPUID_MIN_FUNCTION || max > 0x400000ff)
        return matrix_fail(matrix, "out of range", HV_CPUID_MIN_FUNCTION, max);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict vendor(struct matrix *matrix)
{
    const uint32_t want[NR_REGS] = {0, HV_VENDOR_EBX, HV_VENDOR_ECX, HV_VENDOR_EDX};

    for (uint32_t reg = EBX; reg < NR_REGS; reg++)
        if (leaf(matrix, HV_CPUID_VENDOR_AND_MAX_FUNCTION, reg) != want[reg])
            return matrix_fail(matrix, "another vendor, which Linux does not believe", want[reg],
                               leaf(matrix, HV_CPUID_VENDOR_AND_MAX_FUNCTION, reg));
    return MATRIX_SUCCESS;
}

static enum matrix_verdict signature(struct matrix *matrix)
{
    uint32_t got = leaf(matrix, HV_CPUID_INTERFACE, EAX);

    return got == HV_INTERFACE_SIGNATURE ? MATRIX_SUCCESS
                                         : matrix_fail(matrix, "not Hv#1", HV_INTERFACE_SIGNATURE, got);
}

/* "This value will be zero until the OS identity MSR is set; after that ..." [6.0b 2.4.3]. */
static enum matrix_verdict version(struct matrix *matrix)
{
    if (hv_identify(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (leaf(matrix, HV_CPUID_VERSION, EAX) == 0 && leaf(matrix, HV_CPUID_VERSION, EBX) == 0)
        return matrix_fail(matrix, "no version after the guest identified itself", HV_CPUID_VERSION, 0);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict privileges_stay(struct matrix *matrix)
{
    uint32_t before[2 * NR_REGS];

    for (uint32_t i = 0; i < 2 * NR_REGS; i++)
        before[i] = leaf(matrix, HV_CPUID_FEATURES + i / NR_REGS, i % NR_REGS);
    if (hv_identify(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    for (uint32_t i = 0; i < 2 * NR_REGS; i++)
        if (leaf(matrix, HV_CPUID_FEATURES + i / NR_REGS, i % NR_REGS) != before[i])
            return matrix_fail(matrix, "privileges or advice changed when the guest identified itself", i, before[i]);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict same_everywhere(struct matrix *matrix)
{
    const struct matrix_env *env = matrix->env;
    uint32_t first[NR_REGS], other[NR_REGS];

    if (env->nr_vps < 2)
        return matrix_skip(matrix, "one VP only");
    uint32_t max = leaf(matrix, HV_CPUID_VENDOR_AND_MAX_FUNCTION, EAX);
    for (uint32_t number = HV_CPUID_VENDOR_AND_MAX_FUNCTION; number <= max && number < 0x40000100; number++) {
        env->cpuid(env->ctx, 0, number, first);
        env->cpuid(env->ctx, env->nr_vps - 1, number, other);
        for (uint32_t reg = 0; reg < NR_REGS; reg++)
            if (first[reg] != other[reg])
                return matrix_fail(matrix, "the last VP sees another value", number, other[reg]);
    }
    return MATRIX_SUCCESS;
}

/* Bits that must be set or clear: the leaf, its register and the mask, and how they must be. */
struct fixed {
    const char *subject, *check, *ref;
    uint32_t leaf;
    uint8_t reg;
    uint32_t mask, want;
};
static const struct fixed fixed[] = {
    {"privilege AccessHypercallMsrs", "is set", "req: must be set; doc: Hv#1 implies the MSRs", HV_CPUID_FEATURES, EAX,
     1u << HV_ACCESS_HYPERCALL_MSRS, 1u << HV_ACCESS_HYPERCALL_MSRS},
    {"privilege AccessVpIndex", "is set", "req: must be set; doc: Hv#1 implies the MSR", HV_CPUID_FEATURES, EAX,
     1u << HV_ACCESS_VP_INDEX, 1u << HV_ACCESS_VP_INDEX},
    {"privilege CreatePartitions", "is clear", "req: must be clear", HV_CPUID_FEATURES, EBX, 1u << HV_CREATE_PARTITIONS,
     0},
    {"privilege AccessMemoryPool", "is clear", "req: must be clear", HV_CPUID_FEATURES, EBX,
     1u << HV_ACCESS_MEMORY_POOL, 0},
    {"privilege AdjustMessageBuffers", "is clear", "req: must be clear", HV_CPUID_FEATURES, EBX,
     1u << HV_ADJUST_MESSAGE_BUFFERS, 0},
    {"privilege CreatePort", "is clear", "req: must be clear", HV_CPUID_FEATURES, EBX, 1u << HV_CREATE_PORT, 0},
    {"privilege AccessStats", "is clear", "req: must be clear", HV_CPUID_FEATURES, EBX, 1u << HV_ACCESS_STATS, 0},
    {"privilege CpuManagement", "is clear", "req: must be clear", HV_CPUID_FEATURES, EBX, 1u << HV_CPU_MANAGEMENT, 0},
    {"privilege ConfigureProfiler", "is clear", "req: must be clear", HV_CPUID_FEATURES, EBX,
     1u << HV_CONFIGURE_PROFILER, 0},
    {"privileges 31:16", "reserved bits are clear", FEATURE_REF, HV_CPUID_FEATURES, EAX, 0xffff0000, 0},
    {"privileges 63:55", "reserved bits are clear", FEATURE_REF, HV_CPUID_FEATURES, EBX, 0xff800000, 0},
    {"leaf 0x40000003 ECX", "reserved bits are clear", FEATURE_REF, HV_CPUID_FEATURES, ECX, 0xfffffe00, 0},
    {"leaf 0x40000004 EAX", "reserved bits are clear", FEATURE_REF, HV_CPUID_ENLIGHTENMENT_INFORMATION, EAX, 0xff000000,
     0},
    {"leaf 0x40000004 ECX", "reserved bits are clear", FEATURE_REF, HV_CPUID_ENLIGHTENMENT_INFORMATION, ECX, 0xffffff80,
     0},
    {"leaf 0x40000006 EAX", "reserved bits are clear", FEATURE_REF, HV_CPUID_HARDWARE_FEATURES, EAX, 0xfe000000, 0},
    {"leaf 0x40000007 EAX", "is zero without CpuManagement", FEATURE_REF, HV_CPUID_CPU_MANAGEMENT_FEATURES, EAX,
     0xffffffff, 0},
};

static enum matrix_verdict fixed_bits(struct matrix *matrix, const struct fixed *f)
{
    if (f->leaf > leaf(matrix, HV_CPUID_VENDOR_AND_MAX_FUNCTION, EAX))
        return matrix_skip(matrix, "no such leaf");
    uint32_t got = leaf(matrix, f->leaf, f->reg);
    return (got & f->mask) == f->want ? MATRIX_SUCCESS : matrix_fail(matrix, "the bits are otherwise", f->mask, got);
}

/* A bit that is set promises another one. */
struct promise {
    const char *subject, *check, *ref;
    uint32_t leaf;
    uint8_t reg, bit;
    uint32_t other_leaf;
    uint8_t other_reg, other_bit;
};
#define LEAF3 HV_CPUID_FEATURES
#define LEAF4 HV_CPUID_ENLIGHTENMENT_INFORMATION
static const struct promise promises[] = {
    {"AccessPartitionReferenceTsc", "comes with the reference counter", "req: both must be provided", LEAF3, EAX,
     HV_ACCESS_PARTITION_REFERENCE_TSC, LEAF3, EAX, HV_ACCESS_PARTITION_REFERENCE_COUNTER},
    {"AccessFrequencyRegs", "comes with their availability", FEATURE_REF, LEAF3, EAX, HV_ACCESS_FREQUENCY_REGS, LEAF3,
     EDX, HV_FREQUENCY_REGS_AVAILABLE},
    {"frequency registers available", "comes with the privilege", FEATURE_REF, LEAF3, EDX, HV_FREQUENCY_REGS_AVAILABLE,
     LEAF3, EAX, HV_ACCESS_FREQUENCY_REGS},
    {"AccessGuestIdleReg", "comes with the idle state", FEATURE_REF, LEAF3, EAX, HV_ACCESS_GUEST_IDLE_REG, LEAF3, EDX,
     HV_GUEST_IDLE_AVAILABLE},
    {"guest idle state available", "comes with the privilege", FEATURE_REF, LEAF3, EDX, HV_GUEST_IDLE_AVAILABLE, LEAF3,
     EAX, HV_ACCESS_GUEST_IDLE_REG},
    {"AccessSyntheticTimerRegs", "comes with the reference counter", "doc timers: they count its time", LEAF3, EAX,
     HV_ACCESS_SYNTHETIC_TIMER_REGS, LEAF3, EAX, HV_ACCESS_PARTITION_REFERENCE_COUNTER},
    {"direct synthetic timers", "comes with the timers", "doc timers", LEAF3, EDX, HV_DIRECT_SYNTHETIC_TIMERS, LEAF3,
     EAX, HV_ACCESS_SYNTHETIC_TIMER_REGS},
    {"time-unhalted timer", "comes with the timers' privilege", "doc timers", LEAF3, EDX,
     HV_SYNTHETIC_TIME_UNHALTED_TIMER_AVAILABLE, LEAF3, EAX, HV_ACCESS_SYNTHETIC_TIMER_REGS},
    {"SINT polling mode", "comes with the SynIC", FEATURE_REF, LEAF3, EDX, HV_SINT_POLLING_MODE_AVAILABLE, LEAF3, EAX,
     HV_ACCESS_SYNIC_REGS},
    {"debug registers available", "comes with the privilege", FEATURE_REF, LEAF3, EDX, HV_DEBUG_REGS_AVAILABLE, LEAF3,
     EAX, HV_ACCESS_DEBUG_REGS},
    {"SignalEvents", "comes with the SynIC", "doc inter-partition-communication", LEAF3, EBX, HV_SIGNAL_EVENTS, LEAF3,
     EAX, HV_ACCESS_SYNIC_REGS},
    {"PostMessages", "comes with the SynIC", "doc inter-partition-communication", LEAF3, EBX, HV_POST_MESSAGES, LEAF3,
     EAX, HV_ACCESS_SYNIC_REGS},
    {"advice: APIC MSRs", "comes with the privilege", "req: advice must be supported", LEAF4, EAX, HV_USE_APIC_MSRS,
     LEAF3, EAX, HV_ACCESS_INTR_CTRL_REGS},
    {"advice: reset MSR", "comes with the privilege", "req: advice must be supported", LEAF4, EAX, HV_USE_MSR_FOR_RESET,
     LEAF3, EAX, HV_ACCESS_RESET_REG},
    {"FastHypercallOutput", "comes with its availability", FEATURE_REF, LEAF3, EBX, HV_FAST_HYPERCALL_OUTPUT, LEAF3,
     EDX, HV_FAST_HYPERCALL_OUTPUT_AVAILABLE},
};

static enum matrix_verdict keeps_promise(struct matrix *matrix, const struct promise *p)
{
    if (!has_bit(matrix, p->leaf, p->reg, p->bit))
        return matrix_skip(matrix, "absent as advertised");
    if (!has_bit(matrix, p->other_leaf, p->other_reg, p->other_bit))
        return matrix_fail(matrix, "the other bit is clear", p->other_bit, leaf(matrix, p->other_leaf, p->other_reg));
    return MATRIX_SUCCESS;
}

static enum matrix_verdict max_vps(struct matrix *matrix)
{
    uint32_t max = leaf(matrix, HV_CPUID_IMPLEMENTATION_LIMITS, EAX);

    if (max != 0 && max < matrix->env->nr_vps)
        return matrix_fail(matrix, "fewer than there are", matrix->env->nr_vps, max);
    return MATRIX_SUCCESS;
}

/* Masks of 64 VPs do not reach all of them [req]; the Ex forms do. */
static enum matrix_verdict no_vp_limit(struct matrix *matrix)
{
    if (leaf(matrix, HV_CPUID_IMPLEMENTATION_LIMITS, EAX) != HV_MAX_VPS_NO_LIMIT)
        return matrix_skip(matrix, "there is a limit");
    uint32_t advice = leaf(matrix, LEAF4, EAX);
    bool flushes = advice & (1u << HV_USE_HYPERCALL_FOR_LOCAL_FLUSH | 1u << HV_USE_HYPERCALL_FOR_REMOTE_FLUSH);
    if (flushes && !(advice >> HV_USE_EX_PROCESSOR_MASKS & 1))
        return matrix_fail(matrix, "flushes by a mask of 64 VPs are recommended", LEAF4, advice);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict physical_bits(struct matrix *matrix)
{
    uint32_t bits = leaf(matrix, LEAF4, ECX) & HV_IMPLEMENTED_PHYSICAL_ADDRESS_BITS_MASK;

    if (bits == 0)
        return matrix_skip(matrix, "not told");
    return bits >= 32 && bits <= 52 ? MATRIX_SUCCESS : matrix_fail(matrix, "no processor has such a width", 52, bits);
}

static const struct hv_point points[] = {
    {"hypervisor present bit", "is set", "doc feature-discovery: CPUID.1:ECX.31", HV_NEED_NOTHING, announced},
    {"leaf 0x40000000", "maximum is 0x40000005 or more", FEATURE_REF, HV_NEED_NOTHING, max_leaf},
    {"leaf 0x40000000", "vendor", FEATURE_REF, HV_NEED_NOTHING, vendor},
    {"leaf 0x40000001", "signature", FEATURE_REF, HV_NEED_NOTHING, signature},
    {"leaf 0x40000002", "version of an identified guest", "6.0b 2.4.3", HV_NEED_HYPERCALL, version},
    {"leaves 0x40000003 and 4", "stay when the guest identifies itself", "req: constant for the life of the VM",
     HV_NEED_HYPERCALL, privileges_stay},
    {"all leaves", "are the same on all VPs", "req: identical for all VPs", HV_NEED_NOTHING, same_everywhere},
    {"leaf 0x40000005", "maximum of VPs holds all of them", FEATURE_REF, HV_NEED_NOTHING, max_vps},
    {"leaf 0x40000005", "without a VP limit only Ex flushes", "req: leaf 5", HV_NEED_NOTHING, no_vp_limit},
    {"leaf 0x40000004 ECX", "width of physical addresses", FEATURE_REF, HV_NEED_NOTHING, physical_bits},
};

void hv_matrix_cpuid(struct matrix *matrix)
{
    hv_run_points(matrix, points, sizeof(points) / sizeof(points[0]));
    for (uint32_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (matrix_begin(matrix, fixed[i].subject, fixed[i].check, fixed[i].ref))
            matrix_end(matrix, fixed_bits(matrix, &fixed[i]));
    }
    for (uint32_t i = 0; i < sizeof(promises) / sizeof(promises[0]); i++) {
        if (matrix_begin(matrix, promises[i].subject, promises[i].check, promises[i].ref))
            matrix_end(matrix, keeps_promise(matrix, &promises[i]));
    }
}
