/* The Hyper-V matrix: which CPUID bits grant what, and the steps that all of its parts use. */
#include "hyperv.h"

#include "hv_abi.h"

enum { EAX, EBX, ECX, EDX };

/* A bit of a leaf; leaf 0 is no condition. */
struct bit {
    uint32_t leaf;
    uint8_t reg, bit;
};

#define PRIVILEGE_LOW(bit) {HV_CPUID_FEATURES, EAX, bit}
#define PRIVILEGE_HIGH(bit) {HV_CPUID_FEATURES, EBX, bit}
#define FEATURE(bit) {HV_CPUID_FEATURES, EDX, bit}
#define ADVICE(bit) {HV_CPUID_ENLIGHTENMENT_INFORMATION, EAX, bit}

static const struct bit need_bits[HV_NR_NEEDS][2] = {
    [HV_NEED_VP_RUNTIME] = {PRIVILEGE_LOW(HV_ACCESS_VP_RUNTIME_REG)},
    [HV_NEED_REFERENCE_COUNTER] = {PRIVILEGE_LOW(HV_ACCESS_PARTITION_REFERENCE_COUNTER)},
    [HV_NEED_SYNIC] = {PRIVILEGE_LOW(HV_ACCESS_SYNIC_REGS)},
    [HV_NEED_STIMER] = {PRIVILEGE_LOW(HV_ACCESS_SYNTHETIC_TIMER_REGS)},
    [HV_NEED_APIC] = {PRIVILEGE_LOW(HV_ACCESS_INTR_CTRL_REGS)},
    [HV_NEED_HYPERCALL] = {PRIVILEGE_LOW(HV_ACCESS_HYPERCALL_MSRS)},
    [HV_NEED_VP_INDEX] = {PRIVILEGE_LOW(HV_ACCESS_VP_INDEX)},
    [HV_NEED_RESET] = {PRIVILEGE_LOW(HV_ACCESS_RESET_REG)},
    [HV_NEED_STATS] = {PRIVILEGE_LOW(HV_ACCESS_STATS_REG)},
    [HV_NEED_REFERENCE_TSC] = {PRIVILEGE_LOW(HV_ACCESS_PARTITION_REFERENCE_TSC)},
    [HV_NEED_GUEST_IDLE] = {PRIVILEGE_LOW(HV_ACCESS_GUEST_IDLE_REG)},
    [HV_NEED_FREQUENCIES] = {PRIVILEGE_LOW(HV_ACCESS_FREQUENCY_REGS), FEATURE(HV_FREQUENCY_REGS_AVAILABLE)},
    [HV_NEED_DEBUG_REGS] = {PRIVILEGE_LOW(HV_ACCESS_DEBUG_REGS)},
    [HV_NEED_REENLIGHTENMENT] = {PRIVILEGE_LOW(HV_ACCESS_REENLIGHTENMENT_CONTROLS)},
    [HV_NEED_TSC_INVARIANT] = {PRIVILEGE_LOW(HV_ACCESS_TSC_INVARIANT_CONTROLS)},
    [HV_NEED_PARTITION_ID] = {PRIVILEGE_HIGH(HV_ACCESS_PARTITION_ID)},
    [HV_NEED_POST_MESSAGES] = {PRIVILEGE_HIGH(HV_POST_MESSAGES)},
    [HV_NEED_SIGNAL_EVENTS] = {PRIVILEGE_HIGH(HV_SIGNAL_EVENTS)},
    [HV_NEED_DEBUGGING] = {PRIVILEGE_HIGH(HV_DEBUGGING)},
    [HV_NEED_CPU_MANAGEMENT] = {PRIVILEGE_HIGH(HV_CPU_MANAGEMENT)},
    [HV_NEED_VP_REGISTERS] = {PRIVILEGE_HIGH(HV_ACCESS_VP_REGISTERS)},
    [HV_NEED_EXTENDED_CALLS] = {PRIVILEGE_HIGH(HV_ENABLE_EXTENDED_HYPERCALLS)},
    [HV_NEED_START_VP] = {PRIVILEGE_HIGH(HV_START_VIRTUAL_PROCESSOR)},
    [HV_NEED_XMM_INPUT] = {FEATURE(HV_XMM_REGISTERS_FOR_FAST_HYPERCALL_AVAILABLE)},
    [HV_NEED_XMM_OUTPUT] = {FEATURE(HV_FAST_HYPERCALL_OUTPUT_AVAILABLE)},
    [HV_NEED_CRASH] = {FEATURE(HV_GUEST_CRASH_REGS_AVAILABLE)},
    [HV_NEED_NPIEP] = {FEATURE(HV_NPIEP1_AVAILABLE)},
    [HV_NEED_EXTENDED_GVA] = {FEATURE(HV_EXTENDED_GVA_RANGES_AVAILABLE)},
    [HV_NEED_POLLING] = {FEATURE(HV_SINT_POLLING_MODE_AVAILABLE)},
    [HV_NEED_LOCK] = {FEATURE(HV_HYPERCALL_MSR_LOCK_AVAILABLE)},
    [HV_NEED_DIRECT_TIMER] = {PRIVILEGE_LOW(HV_ACCESS_SYNTHETIC_TIMER_REGS), FEATURE(HV_DIRECT_SYNTHETIC_TIMERS)},
    [HV_NEED_UNHALTED_TIMER] = {PRIVILEGE_LOW(HV_ACCESS_SYNTHETIC_TIMER_REGS),
                                FEATURE(HV_SYNTHETIC_TIME_UNHALTED_TIMER_AVAILABLE)},
    [HV_NEED_ADDRESS_SPACE_SWITCH] = {ADVICE(HV_USE_HYPERCALL_FOR_ADDRESS_SPACE_SWITCH)},
    [HV_NEED_FLUSH] = {ADVICE(HV_USE_HYPERCALL_FOR_REMOTE_FLUSH)},
    [HV_NEED_FLUSH_EX] = {ADVICE(HV_USE_HYPERCALL_FOR_REMOTE_FLUSH), ADVICE(HV_USE_EX_PROCESSOR_MASKS)},
    [HV_NEED_IPI] = {ADVICE(HV_USE_SYNTHETIC_CLUSTER_IPI)},
    [HV_NEED_IPI_EX] = {ADVICE(HV_USE_SYNTHETIC_CLUSTER_IPI), ADVICE(HV_USE_EX_PROCESSOR_MASKS)},
};

/* Some hypervisors advise only a guest that has identified itself; what they give them is asked of all of them. */
static uint32_t leaf(const struct matrix *matrix, uint32_t index, uint32_t reg)
{
    const struct matrix_env *env = matrix->env;
    uint64_t id = 1;

    if (index == HV_CPUID_ENLIGHTENMENT_INFORMATION)
        env->rdmsr(env->ctx, 0, HV_X64_MSR_GUEST_OS_ID, &id);
    if (id != 0)
        return matrix_cpuid(matrix, index, reg);
    env->wrmsr(env->ctx, 0, HV_X64_MSR_GUEST_OS_ID, HV_GUEST_ID);
    uint32_t value = matrix_cpuid(matrix, index, reg);
    env->wrmsr(env->ctx, 0, HV_X64_MSR_GUEST_OS_ID, 0);
    return value;
}

static bool has_spin_wait(const struct matrix *matrix)
{
    uint32_t retries = leaf(matrix, HV_CPUID_ENLIGHTENMENT_INFORMATION, EBX);

    return retries != 0 && retries != HV_SPIN_RETRIES_NEVER_NOTIFY;
}

static bool has_flush_gpa(const struct matrix *matrix)
{
    if (leaf(matrix, HV_CPUID_VENDOR_AND_MAX_FUNCTION, EAX) < HV_CPUID_NESTED_VIRTUALIZATION_FEATURES)
        return false;
    uint32_t nested = leaf(matrix, HV_CPUID_NESTED_VIRTUALIZATION_FEATURES, EAX);

    return (nested >> HV_NESTED_FLUSH_GUEST_PHYSICAL_HYPERCALL & 1) || (nested >> HV_NESTED_ENLIGHTENED_NPT_TLB & 1);
}

bool hv_has(const struct matrix *matrix, enum hv_need need)
{
    if (need == HV_NEED_NOTHING)
        return true;
    if (need == HV_NEED_SPIN_WAIT)
        return has_spin_wait(matrix);
    if (need == HV_NEED_FLUSH_GPA)
        return has_flush_gpa(matrix);
    if (need_bits[need][0].leaf == 0)
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        const struct bit *bit = &need_bits[need][i];

        if (bit->leaf != 0 && !(leaf(matrix, bit->leaf, bit->reg) >> bit->bit & 1))
            return false;
    }
    return true;
}

void hv_run_points(struct matrix *matrix, const struct hv_point *point, uint32_t nr_points)
{
    for (uint32_t i = 0; i < nr_points; i++) {
        if (matrix_begin(matrix, point[i].subject, point[i].check, point[i].ref))
            matrix_end(matrix, hv_has(matrix, point[i].need) ? point[i].run(matrix)
                                                             : matrix_skip(matrix, "absent as advertised"));
    }
}

enum matrix_verdict hv_set(struct matrix *matrix, uint32_t vp, uint32_t index, uint64_t value)
{
    int fault = matrix_write(matrix, vp, index, value);

    return fault == MATRIX_NO_FAULT ? MATRIX_SUCCESS : matrix_fail(matrix, "writing faults", value, (uint64_t)fault);
}

enum matrix_verdict hv_is(struct matrix *matrix, uint32_t vp, uint32_t index, uint64_t mask, uint64_t want)
{
    uint64_t value;

    if (matrix_read(matrix, vp, index, &value) != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "reading faults", index, 0);
    if ((value & mask) != want)
        return matrix_fail(matrix, "reads another value", want, value);
    return MATRIX_SUCCESS;
}

enum matrix_verdict hv_identify(struct matrix *matrix)
{
    return hv_set(matrix, 0, HV_X64_MSR_GUEST_OS_ID, HV_GUEST_ID);
}

uint64_t hv_page_msr(const struct matrix *matrix, uint32_t page)
{
    return matrix->env->page[page].gpa | HV_X64_MSR_PAGE_ENABLE;
}

static bool is_hyperv(struct matrix *matrix)
{
    return matrix_cpuid(matrix, HV_CPUID_VENDOR_AND_MAX_FUNCTION, EAX) >= HV_CPUID_INTERFACE &&
           matrix_cpuid(matrix, HV_CPUID_INTERFACE, EAX) == HV_INTERFACE_SIGNATURE;
}

void matrix_hyperv(struct matrix *matrix)
{
    static const struct {
        const char *name;
        void (*ask)(struct matrix *matrix);
    } chapter[] = {
        {"Hyper-V CPUID", hv_matrix_cpuid},
        {"Hyper-V MSRs", hv_matrix_msr},
        {"Hyper-V overlay pages", hv_matrix_page},
        {"Hyper-V MSRs at work", hv_matrix_msr_points},
        {"Hyper-V timers", hv_matrix_timer},
        {"Hyper-V hypercalls", hv_matrix_hcall},
        {"Hyper-V hypercalls at work", hv_matrix_hcall_points},
    };

    matrix_chapter(matrix, chapter[0].name);
    if (!is_hyperv(matrix)) {
        if (matrix_begin(matrix, "Hyper-V", "is there", "doc feature-discovery"))
            matrix_end(matrix, matrix_skip(matrix, "no interface Hv#1 at 0x40000000"));
        return;
    }
    for (uint32_t i = 0; i < sizeof(chapter) / sizeof(chapter[0]); i++) {
        matrix_chapter(matrix, chapter[i].name);
        chapter[i].ask(matrix);
    }
}
