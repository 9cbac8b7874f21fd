/*
 * The synthetic MSRs of the TLFS, a row of facts each [6.0b App. C; doc: the page of each register].
 *
 * "RsvdP" bits are those that a guest is to preserve: it writes back what it read, so a write with such bits must not
 * fault. "RsvdZ" bits are those that it is to leave zero; what a hypervisor does when they are set is not said, so a
 * fault and being ignored are both right, but nothing else. Values that "result in #GP" are the invalid ones.
 */
#include "hyperv.h"

#include "hv_abi.h"

#define LOW(bits) ((1ull << (bits)) - 1)
#define FIELD(high, low) (((high) == 63 ? ~0ull : LOW((high) + 1)) & ~LOW(low))

#define RESET_IS(value) .has_reset_value = true, .reset_value = (value)
#define SAMPLES(...) .nr_samples = sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), .sample = {__VA_ARGS__}
#define INVALID(...) .nr_invalid = sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), .invalid = {__VA_ARGS__}

#define SYNIC_REF "doc inter-partition-communication; 6.0b 11.8"
#define SINT(n)                                                                                                   \
    {                                                                                                             \
        .index = HV_X64_MSR_SINT0 + (n), .name = "HV_X64_MSR_SINT" #n, .ref = "doc SINTx registers; 6.0b 11.8.5", \
        .need = HV_NEED_SYNIC, .access = HV_RW, .flags = HV_MSR_PER_VP | HV_MSR_KEEPS_SAMPLES, RESET_IS(0x10000), \
        .rsvdp = FIELD(63, 19) | FIELD(15, 8), SAMPLES(0x10030, 0x100ff, 0x30010, 0x10000),                       \
        INVALID(0x0, 0x1, 0x8, 0xf),                                                                              \
    }
#define STIMER_REF "doc timers; 6.0b 12.5"
#define STIMER(n)                                                                                                \
    {                                                                                                            \
        .index = HV_X64_MSR_STIMER0_CONFIG + 2 * (n), .name = "HV_X64_MSR_STIMER" #n "_CONFIG",                  \
        .ref = STIMER_REF, .need = HV_NEED_STIMER, .access = HV_RW, .flags = HV_MSR_PER_VP | HV_MSR_KEEPS_SAMPLES, \
        RESET_IS(0), .rsvdz = FIELD(63, 20) | FIELD(15, 13), SAMPLES(0x20000, 0xf0002, 0x2000e, 0x10008),        \
    },                                                                                                           \
    {                                                                                                            \
        .index = HV_X64_MSR_STIMER0_COUNT + 2 * (n), .name = "HV_X64_MSR_STIMER" #n "_COUNT", .ref = STIMER_REF, \
        .need = HV_NEED_STIMER, .access = HV_RW, .flags = HV_MSR_PER_VP | HV_MSR_KEEPS_SAMPLES, RESET_IS(0),     \
        SAMPLES(1, 0x7fffffffffffffff, 0xffffffffffffffff, 10000000),                                            \
    }
#define CRASH_P(n)                                                                                             \
    {                                                                                                          \
        .index = HV_X64_MSR_CRASH_P##n, .name = "HV_X64_MSR_CRASH_P" #n, .ref = "doc partition-properties; 6.0b 4.3", \
        .need = HV_NEED_CRASH, .access = HV_RW, .flags = HV_MSR_KEEPS_SAMPLES,                                 \
        SAMPLES(0, 0x1122334455667788, 0xffffffffffffffff, 1),                                                 \
    }
/* Not for a child partition: both directions fault. */
#define NEVER(msr, text, where)                                                                              \
    {                                                                                                        \
        .index = (msr), .name = text, .ref = where, .need = HV_NEED_NEVER, .access = HV_RW,                  \
    }
#define CPU_MANAGEMENT_REF "6.0b App. C: CpuManagement"
#define NESTED(msr, text) NEVER(msr, "HV_X64_MSR_NESTED_" text, CPU_MANAGEMENT_REF)

const struct hv_msr hv_msrs[] = {
    {
        .index = HV_X64_MSR_GUEST_OS_ID, .name = "HV_X64_MSR_GUEST_OS_ID", .ref = "doc hypercall-interface; 6.0b 2.6",
        .need = HV_NEED_HYPERCALL, .access = HV_RW, .flags = HV_MSR_WIDE | HV_MSR_KEEPS_SAMPLES, RESET_IS(0),
        SAMPLES(HV_GUEST_ID, 0x0001040a00004563, 0xffffffffffffffff, 1),
    },
    {
        .index = HV_X64_MSR_HYPERCALL, .name = "HV_X64_MSR_HYPERCALL", .ref = "doc hypercall-interface; 6.0b 3.13",
        .need = HV_NEED_HYPERCALL, .access = HV_RW, .flags = HV_MSR_WIDE, RESET_IS(0), .rsvdp = FIELD(11, 2),
    },
    {
        .index = HV_X64_MSR_VP_INDEX, .name = "HV_X64_MSR_VP_INDEX", .ref = "doc vp-properties; 6.0b 7.8.1",
        .need = HV_NEED_VP_INDEX, .access = HV_R, .flags = HV_MSR_PER_VP,
    },
    {
        .index = HV_X64_MSR_RESET, .name = "HV_X64_MSR_RESET", .ref = "6.0b App. C", .need = HV_NEED_RESET,
        .access = HV_RW, .rsvdz = 0, SAMPLES(0),
    },
    {
        .index = HV_X64_MSR_VP_RUNTIME, .name = "HV_X64_MSR_VP_RUNTIME", .ref = "doc vp-properties; 6.0b 7.9.1",
        .need = HV_NEED_VP_RUNTIME, .access = HV_R, .flags = HV_MSR_PER_VP | HV_MSR_RUNS,
    },
    {
        .index = HV_X64_MSR_TIME_REF_COUNT, .name = "HV_X64_MSR_TIME_REF_COUNT", .ref = "doc timers; 6.0b 12.4",
        .need = HV_NEED_REFERENCE_COUNTER, .access = HV_R, .flags = HV_MSR_RUNS,
    },
    {
        .index = HV_X64_MSR_REFERENCE_TSC, .name = "HV_X64_MSR_REFERENCE_TSC", .ref = "doc timers; 6.0b 12.7",
        .need = HV_NEED_REFERENCE_TSC, .access = HV_RW, .flags = HV_MSR_WIDE, RESET_IS(0), .rsvdp = FIELD(11, 1),
    },
    {
        .index = HV_X64_MSR_TSC_FREQUENCY, .name = "HV_X64_MSR_TSC_FREQUENCY", .ref = "6.0b App. C",
        .need = HV_NEED_FREQUENCIES, .access = HV_R, .flags = HV_MSR_WIDE,
    },
    {
        .index = HV_X64_MSR_APIC_FREQUENCY, .name = "HV_X64_MSR_APIC_FREQUENCY", .ref = "6.0b App. C",
        .need = HV_NEED_FREQUENCIES, .access = HV_R, .flags = HV_MSR_WIDE,
    },
    {
        .index = HV_X64_MSR_NPIEP_CONFIG, .name = "HV_X64_MSR_NPIEP_CONFIG", .ref = "doc vp-properties; 6.0b 7.12",
        .need = HV_NEED_NPIEP, .access = HV_RW, .flags = HV_MSR_PER_VP | HV_MSR_KEEPS_SAMPLES, RESET_IS(0),
        .rsvdz = FIELD(63, 4), SAMPLES(1, 2, 0xf, 0),
    },
    {
        .index = HV_X64_MSR_EOI, .name = "HV_X64_MSR_EOI", .ref = "doc virtual-interrupts; 6.0b 10.2.3.1",
        .need = HV_NEED_APIC, .access = HV_W, .flags = HV_MSR_PER_VP, .rsvdz = FIELD(63, 32), SAMPLES(0),
    },
    {
        .index = HV_X64_MSR_ICR, .name = "HV_X64_MSR_ICR", .ref = "doc virtual-interrupts; 6.0b 10.2.3.2",
        .need = HV_NEED_APIC, .access = HV_RW, .flags = HV_MSR_PER_VP | HV_MSR_MUST_NOT_WRITE,
    },
    {
        .index = HV_X64_MSR_TPR, .name = "HV_X64_MSR_TPR", .ref = "doc virtual-interrupts; 6.0b 10.2.3.3",
        .need = HV_NEED_APIC, .access = HV_RW, .flags = HV_MSR_PER_VP | HV_MSR_KEEPS_SAMPLES, RESET_IS(0),
        .rsvdz = FIELD(63, 8), SAMPLES(0x10, 0x20, 0xf0, 0),
    },
    {
        .index = HV_X64_MSR_VP_ASSIST_PAGE, .name = "HV_X64_MSR_VP_ASSIST_PAGE", .ref = "doc vp-properties; 6.0b 7.8.7",
        .need = HV_NEED_APIC, .access = HV_RW, .flags = HV_MSR_PER_VP, RESET_IS(0), .rsvdp = FIELD(11, 1),
    },
    {
        .index = HV_X64_MSR_SCONTROL, .name = "HV_X64_MSR_SCONTROL", .ref = SYNIC_REF, .need = HV_NEED_SYNIC,
        .access = HV_RW, .flags = HV_MSR_PER_VP | HV_MSR_KEEPS_SAMPLES, RESET_IS(0), .rsvdp = FIELD(63, 1),
        SAMPLES(1, 0),
    },
    {
        .index = HV_X64_MSR_SVERSION, .name = "HV_X64_MSR_SVERSION", .ref = SYNIC_REF, .need = HV_NEED_SYNIC,
        .access = HV_R, .flags = HV_MSR_WIDE, RESET_IS(1),
    },
    {
        .index = HV_X64_MSR_SIEFP, .name = "HV_X64_MSR_SIEFP", .ref = SYNIC_REF, .need = HV_NEED_SYNIC,
        .access = HV_RW, .flags = HV_MSR_PER_VP, RESET_IS(0), .rsvdp = FIELD(11, 1),
    },
    {
        .index = HV_X64_MSR_SIMP, .name = "HV_X64_MSR_SIMP", .ref = SYNIC_REF, .need = HV_NEED_SYNIC,
        .access = HV_RW, .flags = HV_MSR_PER_VP, RESET_IS(0), .rsvdp = FIELD(11, 1),
    },
    {
        .index = HV_X64_MSR_EOM, .name = "HV_X64_MSR_EOM", .ref = SYNIC_REF, .need = HV_NEED_SYNIC,
        .access = HV_RW, .flags = HV_MSR_PER_VP | HV_MSR_READS_ZERO, RESET_IS(0), .rsvdz = FIELD(63, 0), SAMPLES(0),
    },
    SINT(0), SINT(1), SINT(2), SINT(3), SINT(4), SINT(5), SINT(6), SINT(7),
    SINT(8), SINT(9), SINT(10), SINT(11), SINT(12), SINT(13), SINT(14), SINT(15),
    STIMER(0), STIMER(1), STIMER(2), STIMER(3),
    NEVER(HV_X64_MSR_POWER_STATE_TRIGGER_C1, "power state trigger C1", CPU_MANAGEMENT_REF),
    NEVER(HV_X64_MSR_POWER_STATE_TRIGGER_C1 + 1, "power state trigger C2", CPU_MANAGEMENT_REF),
    NEVER(HV_X64_MSR_POWER_STATE_TRIGGER_C3, "power state trigger C3", CPU_MANAGEMENT_REF),
    NEVER(HV_X64_MSR_POWER_STATE_CONFIG_C1, "power state config C1", CPU_MANAGEMENT_REF),
    NEVER(HV_X64_MSR_POWER_STATE_CONFIG_C1 + 1, "power state config C2", CPU_MANAGEMENT_REF),
    NEVER(HV_X64_MSR_POWER_STATE_CONFIG_C3, "power state config C3", CPU_MANAGEMENT_REF),
    {
        .index = HV_X64_MSR_STATS_PARTITION_RETAIL_PAGE, .name = "HV_X64_MSR_STATS_PARTITION_RETAIL_PAGE",
        .ref = "doc HV_PARTITION_PRIVILEGE_MASK: AccessStatsReg", .need = HV_NEED_STATS, .access = HV_RW,
    },
    {
        .index = HV_X64_MSR_STATS_VP_RETAIL_PAGE, .name = "HV_X64_MSR_STATS_VP_RETAIL_PAGE",
        .ref = "doc HV_PARTITION_PRIVILEGE_MASK: AccessStatsReg", .need = HV_NEED_STATS, .access = HV_RW,
    },
    {
        .index = HV_X64_MSR_GUEST_IDLE, .name = "HV_X64_MSR_GUEST_IDLE", .ref = "doc vp-properties; 6.0b App. C",
        .need = HV_NEED_GUEST_IDLE, .access = HV_R, .flags = HV_MSR_PER_VP | HV_MSR_MUST_NOT_READ,
    },
    {
        .index = HV_X64_MSR_SYNTH_DEBUG_CONTROL, .name = "HV_X64_MSR_SYNTH_DEBUG_CONTROL",
        .ref = "6.0b 4.2.2: AccessDebugRegs", .need = HV_NEED_DEBUG_REGS, .access = HV_RW,
        .flags = HV_MSR_MUST_NOT_WRITE,
    },
    {
        .index = HV_X64_MSR_SYNTH_DEBUG_STATUS, .name = "HV_X64_MSR_SYNTH_DEBUG_STATUS",
        .ref = "6.0b 4.2.2: AccessDebugRegs", .need = HV_NEED_DEBUG_REGS, .access = HV_R,
    },
    {
        .index = HV_X64_MSR_DEBUG_DEVICE_OPTIONS, .name = "HV_X64_MSR_DEBUG_DEVICE_OPTIONS",
        .ref = "6.0b 4.2.2: AccessDebugRegs", .need = HV_NEED_DEBUG_REGS, .access = HV_RW,
        .flags = HV_MSR_MUST_NOT_WRITE,
    },
    CRASH_P(0), CRASH_P(1), CRASH_P(2), CRASH_P(3), CRASH_P(4),
    {
        .index = HV_X64_MSR_CRASH_CTL, .name = "HV_X64_MSR_CRASH_CTL", .ref = "doc HV_CRASH_CTL_REG_CONTENTS",
        .need = HV_NEED_CRASH, .access = HV_RW, .flags = HV_MSR_MUST_NOT_WRITE,
    },
    {
        .index = HV_X64_MSR_REENLIGHTENMENT_CONTROL, .name = "HV_X64_MSR_REENLIGHTENMENT_CONTROL",
        .ref = "doc nested-virtualization; 6.0b 16.6", .need = HV_NEED_REENLIGHTENMENT, .access = HV_RW,
        .flags = HV_MSR_KEEPS_SAMPLES, RESET_IS(0), .rsvdz = FIELD(15, 8) | FIELD(31, 17),
        SAMPLES(0x10030, 0x100ff, 0x30, 0),
    },
    {
        .index = HV_X64_MSR_TSC_EMULATION_CONTROL, .name = "HV_X64_MSR_TSC_EMULATION_CONTROL",
        .ref = "doc nested-virtualization; 6.0b 16.6", .need = HV_NEED_REENLIGHTENMENT, .access = HV_RW,
        .flags = HV_MSR_KEEPS_SAMPLES, RESET_IS(0), .rsvdz = FIELD(63, 1), SAMPLES(1, 0),
    },
    {
        .index = HV_X64_MSR_TSC_EMULATION_STATUS, .name = "HV_X64_MSR_TSC_EMULATION_STATUS",
        .ref = "doc nested-virtualization; 6.0b 16.6", .need = HV_NEED_REENLIGHTENMENT, .access = HV_RW, RESET_IS(0),
        .rsvdp = FIELD(63, 1), SAMPLES(0),
    },
    {
        .index = HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, .name = "HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG",
        .ref = "doc timers", .need = HV_NEED_UNHALTED_TIMER, .access = HV_RW,
        .flags = HV_MSR_PER_VP | HV_MSR_KEEPS_SAMPLES, RESET_IS(0), .rsvdz = FIELD(63, 9), SAMPLES(0x30, 0x10, 0xff, 2),
    },
    {
        .index = HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT, .name = "HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT",
        .ref = "doc timers", .need = HV_NEED_UNHALTED_TIMER, .access = HV_RW,
        .flags = HV_MSR_PER_VP | HV_MSR_KEEPS_SAMPLES, RESET_IS(0), SAMPLES(10000000, 0xffffffffffffffff, 0),
    },
    {
        .index = HV_X64_MSR_TSC_INVARIANT_CONTROL, .name = "HV_X64_MSR_TSC_INVARIANT_CONTROL",
        .ref = "microsoft/openvmm hvdef", .need = HV_NEED_TSC_INVARIANT, .access = HV_RW, RESET_IS(0),
        .rsvdz = FIELD(63, 1), SAMPLES(0),
    },
    NESTED(HV_X64_MSR_NESTED_VP_INDEX, "VP_INDEX"),
    NESTED(HV_X64_MSR_NESTED_SCONTROL, "SCONTROL"),
    NESTED(HV_X64_MSR_NESTED_SVERSION, "SVERSION"),
    NESTED(HV_X64_MSR_NESTED_SIEFP, "SIEFP"),
    NESTED(HV_X64_MSR_NESTED_SIMP, "SIMP"),
    NESTED(HV_X64_MSR_NESTED_EOM, "EOM"),
    NESTED(HV_X64_MSR_NESTED_SINT0, "SINT0"),
    NESTED(HV_X64_MSR_NESTED_SINT0 + 7, "SINT7"),
    NESTED(HV_X64_MSR_NESTED_SINT15, "SINT15"),
};
const uint32_t hv_nr_msrs = sizeof(hv_msrs) / sizeof(hv_msrs[0]);
