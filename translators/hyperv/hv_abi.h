/*
 * Hyper-V's guest interface in numbers and layouts: CPUID, MSRs, hypercalls, and the pages that guest and hypervisor
 * share, on x64.
 *
 * [TLFS] Hypervisor Top Level Functional Specification: 6.0b and the pages that continue it (MicrosoftDocs
 * Virtualization-Documentation, tlfs/), cited by the name of the page. Names are the specification's; where it has
 * none, those of Microsoft's own sources (microsoft/openvmm hvdef). CPUID bits are bit numbers, all else is values and
 * masks.
 *
 * Pure ABI: no code, no dependency but the two headers below; the guest probe includes it too. Left out: the contents
 * of the enlightened VMCS and VMCB, root-partition hypercalls without a public layout, ARM64.
 */
#ifndef HV_ABI_H
#define HV_ABI_H

#include <stddef.h>
#include <stdint.h>

#define HV_AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #type " " #member)
#define HV_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)

#define HV_PAGE_SIZE 4096u
#define HV_PAGE_SHIFT 12u

/* --- CPUID [TLFS feature-discovery] ------------------------------------------------------------------------------- */

#define HV_CPUID_VENDOR_AND_MAX_FUNCTION 0x40000000u
#define HV_CPUID_INTERFACE 0x40000001u
#define HV_CPUID_VERSION 0x40000002u
#define HV_CPUID_FEATURES 0x40000003u
#define HV_CPUID_ENLIGHTENMENT_INFORMATION 0x40000004u
#define HV_CPUID_IMPLEMENTATION_LIMITS 0x40000005u
#define HV_CPUID_HARDWARE_FEATURES 0x40000006u
#define HV_CPUID_CPU_MANAGEMENT_FEATURES 0x40000007u
#define HV_CPUID_SVM_FEATURES 0x40000008u               /* shared virtual memory, not AMD's SVM */
#define HV_CPUID_NESTED_HYPERVISOR_FEATURES 0x40000009u
#define HV_CPUID_NESTED_VIRTUALIZATION_FEATURES 0x4000000au
#define HV_CPUID_IPT_FEATURES 0x4000000bu
#define HV_CPUID_ISOLATION_CONFIGURATION 0x4000000cu
#define HV_CPUID_VIRTUALIZATION_STACK_VENDOR 0x40000080u
#define HV_CPUID_VIRTUALIZATION_STACK_INTERFACE 0x40000081u
#define HV_CPUID_VIRTUALIZATION_STACK_PROPERTIES 0x40000082u

#define HV_CPUID_MIN_FUNCTION HV_CPUID_IMPLEMENTATION_LIMITS    /* what "Hv#1" promises at least */

#define HV_VENDOR_EBX 0x7263694du                       /* "Micr" */
#define HV_VENDOR_ECX 0x666f736fu                       /* "osof" */
#define HV_VENDOR_EDX 0x76482074u                       /* "t Hv" */
#define HV_INTERFACE_SIGNATURE 0x31237648u              /* "Hv#1" */
#define HV_VS_INTERFACE_SIGNATURE 0x31235356u           /* "VS#1" */

/* 0x40000003 EAX and EBX: HV_PARTITION_PRIVILEGE_MASK, low and high half. Bit numbers. */
#define HV_ACCESS_VP_RUNTIME_REG 0
#define HV_ACCESS_PARTITION_REFERENCE_COUNTER 1
#define HV_ACCESS_SYNIC_REGS 2
#define HV_ACCESS_SYNTHETIC_TIMER_REGS 3
#define HV_ACCESS_INTR_CTRL_REGS 4
#define HV_ACCESS_HYPERCALL_MSRS 5
#define HV_ACCESS_VP_INDEX 6
#define HV_ACCESS_RESET_REG 7
#define HV_ACCESS_STATS_REG 8
#define HV_ACCESS_PARTITION_REFERENCE_TSC 9
#define HV_ACCESS_GUEST_IDLE_REG 10
#define HV_ACCESS_FREQUENCY_REGS 11
#define HV_ACCESS_DEBUG_REGS 12
#define HV_ACCESS_REENLIGHTENMENT_CONTROLS 13
#define HV_ACCESS_ROOT_SCHEDULER_REG 14
#define HV_ACCESS_TSC_INVARIANT_CONTROLS 15
/* EBX */
#define HV_CREATE_PARTITIONS 0
#define HV_ACCESS_PARTITION_ID 1
#define HV_ACCESS_MEMORY_POOL 2
#define HV_ADJUST_MESSAGE_BUFFERS 3
#define HV_POST_MESSAGES 4
#define HV_SIGNAL_EVENTS 5
#define HV_CREATE_PORT 6
#define HV_CONNECT_PORT 7
#define HV_ACCESS_STATS 8
#define HV_DEBUGGING 11
#define HV_CPU_MANAGEMENT 12
#define HV_CONFIGURE_PROFILER 13
#define HV_ACCESS_VP_EXIT_TRACING 14
#define HV_ENABLE_EXTENDED_GVA_RANGES_FLUSH_VA_LIST 15
#define HV_ACCESS_VSM 16
#define HV_ACCESS_VP_REGISTERS 17
#define HV_FAST_HYPERCALL_OUTPUT 19
#define HV_ENABLE_EXTENDED_HYPERCALLS 20
#define HV_START_VIRTUAL_PROCESSOR 21
#define HV_ISOLATION 22
/* 0x40000003 ECX */
#define HV_MAX_SUPPORTED_CSTATE_MASK 0xfu
#define HV_HPET_NEEDED_FOR_C3 4
#define HV_INVARIANT_MPERF_AVAILABLE 5
#define HV_SUPERVISOR_SHADOW_STACK_AVAILABLE 6
#define HV_ARCH_PMU_AVAILABLE 7
#define HV_EXCEPTION_TRAP_INTERCEPT_AVAILABLE 8
/* 0x40000003 EDX */
#define HV_MWAIT_AVAILABLE_DEPRECATED 0
#define HV_GUEST_DEBUGGING_AVAILABLE 1
#define HV_PERFORMANCE_MONITORS_AVAILABLE 2
#define HV_CPU_DYNAMIC_PARTITIONING_AVAILABLE 3
#define HV_XMM_REGISTERS_FOR_FAST_HYPERCALL_AVAILABLE 4
#define HV_GUEST_IDLE_AVAILABLE 5
#define HV_HYPERVISOR_SLEEP_STATE_AVAILABLE 6
#define HV_NUMA_DISTANCE_QUERY_AVAILABLE 7
#define HV_FREQUENCY_REGS_AVAILABLE 8
#define HV_SYNTHETIC_MACHINE_CHECK_AVAILABLE 9
#define HV_GUEST_CRASH_REGS_AVAILABLE 10
#define HV_DEBUG_REGS_AVAILABLE 11
#define HV_NPIEP1_AVAILABLE 12
#define HV_DISABLE_HYPERVISOR_AVAILABLE 13
#define HV_EXTENDED_GVA_RANGES_AVAILABLE 14
#define HV_FAST_HYPERCALL_OUTPUT_AVAILABLE 15
#define HV_SVM_FEATURES_AVAILABLE 16
#define HV_SINT_POLLING_MODE_AVAILABLE 17
#define HV_HYPERCALL_MSR_LOCK_AVAILABLE 18
#define HV_DIRECT_SYNTHETIC_TIMERS 19
#define HV_REGISTER_PAT_AVAILABLE 20
#define HV_REGISTER_BNDCFGS_AVAILABLE 21
#define HV_WATCHDOG_TIMER_AVAILABLE 22
#define HV_SYNTHETIC_TIME_UNHALTED_TIMER_AVAILABLE 23
#define HV_DEVICE_DOMAINS_AVAILABLE 24
#define HV_S1_DEVICE_DOMAINS_AVAILABLE 25
#define HV_LBR_AVAILABLE 26
#define HV_IPT_AVAILABLE 27
#define HV_CROSS_VTL_FLUSH_AVAILABLE 28
#define HV_IDLE_SPEC_CTRL_AVAILABLE 29
#define HV_TRANSLATE_GVA_FLAGS_AVAILABLE 30
#define HV_APIC_EOI_INTERCEPT_AVAILABLE 31

/* 0x40000004 EAX: what the guest should use */
#define HV_USE_HYPERCALL_FOR_ADDRESS_SPACE_SWITCH 0
#define HV_USE_HYPERCALL_FOR_LOCAL_FLUSH 1
#define HV_USE_HYPERCALL_FOR_REMOTE_FLUSH 2
#define HV_USE_APIC_MSRS 3
#define HV_USE_MSR_FOR_RESET 4
#define HV_USE_RELAXED_TIMING 5
#define HV_USE_DMA_REMAPPING_DEPRECATED 6
#define HV_USE_INTERRUPT_REMAPPING_DEPRECATED 7
#define HV_USE_X2APIC_MSRS 8
#define HV_DEPRECATE_AUTO_EOI 9
#define HV_USE_SYNTHETIC_CLUSTER_IPI 10
#define HV_USE_EX_PROCESSOR_MASKS 11
#define HV_NESTED 12
#define HV_USE_INT_FOR_MBEC_SYSTEM_CALLS 13
#define HV_USE_ENLIGHTENED_VMCS 14
#define HV_USE_SYNCED_TIMELINE 15
#define HV_CORE_SCHEDULER_REQUESTED 16
#define HV_USE_DIRECT_LOCAL_FLUSH_ENTIRE 17
#define HV_NO_NON_ARCHITECTURAL_CORE_SHARING 18
#define HV_USE_X2APIC 19
#define HV_RESTORE_TIME_ON_RESUME 20
#define HV_USE_HYPERCALL_FOR_MMIO 21
#define HV_USE_GPA_PINNING_HYPERCALL 22
#define HV_WAKE_VPS 23
/* 0x40000004 EBX, ECX */
#define HV_SPIN_RETRIES_NEVER_NOTIFY 0xffffffffu
#define HV_IMPLEMENTED_PHYSICAL_ADDRESS_BITS_MASK 0x7fu

/* 0x40000005 EAX. A limit of 0 is one that is not told. */
#define HV_MAX_VPS_NO_LIMIT 0xffffffffu

/* 0x40000006 EAX */
#define HV_APIC_OVERLAY_ASSIST_IN_USE 0
#define HV_MSR_BITMAPS_IN_USE 1
#define HV_ARCH_PERFORMANCE_COUNTERS_IN_USE 2
#define HV_SECOND_LEVEL_ADDRESS_TRANSLATION_IN_USE 3
#define HV_DMA_REMAPPING_IN_USE 4
#define HV_INTERRUPT_REMAPPING_IN_USE 5
#define HV_MEMORY_PATROL_SCRUBBER_PRESENT 6
#define HV_DMA_PROTECTION_IN_USE 7
#define HV_HPET_REQUESTED 8
#define HV_SYNTHETIC_TIMERS_VOLATILE 9
#define HV_HYPERVISOR_LEVEL_SHIFT 10
#define HV_HYPERVISOR_LEVEL_MASK 0xfu
#define HV_PHYSICAL_DESTINATION_MODE_REQUIRED 14
#define HV_USE_VMFUNC_FOR_ALIAS_MAP_SWITCH 15
#define HV_MEMORY_ZEROING_SUPPORTED 16
#define HV_UNRESTRICTED_GUEST_SUPPORTED 17
#define HV_RDT_A_SUPPORTED 18
#define HV_RDT_M_SUPPORTED 19
#define HV_CHILD_PERFMON_PMU_SUPPORTED 20
#define HV_CHILD_PERFMON_LBR_SUPPORTED 21
#define HV_CHILD_PERFMON_IPT_SUPPORTED 22
#define HV_APIC_EMULATION_SUPPORTED 23
#define HV_ACPI_WDAT_IN_USE 24

/* 0x40000007 EAX and EBX (root partition) */
#define HV_START_LOGICAL_PROCESSOR 0
#define HV_CREATE_ROOT_VIRTUAL_PROCESSOR 1
#define HV_PERFORMANCE_COUNTER_SYNC 2
#define HV_RESERVED_IDENTITY_BIT 31
#define HV_PROCESSOR_POWER_MANAGEMENT 0
#define HV_MWAIT_IDLE_STATES 1
#define HV_LOGICAL_PROCESSOR_IDLING 2

/* 0x40000009 EAX and EDX use the bit numbers of 0x40000003; 0x4000000a EAX, EBX: */
#define HV_NESTED_EVMCS_VERSION_LOW_MASK 0xffu
#define HV_NESTED_EVMCS_VERSION_HIGH_SHIFT 8
#define HV_NESTED_DIRECT_VIRTUAL_FLUSH 17
#define HV_NESTED_FLUSH_GUEST_PHYSICAL_HYPERCALL 18
#define HV_NESTED_ENLIGHTENED_MSR_BITMAP 19
#define HV_NESTED_VIRTUALIZATION_EXCEPTION 20
#define HV_NESTED_DEBUG_CTL 21
#define HV_NESTED_ENLIGHTENED_NPT_TLB 22
#define HV_NESTED_EVMCS_PERF_GLOBAL_CTRL 0

/* 0x4000000c EAX, EBX */
#define HV_PARAVISOR_PRESENT 0
#define HV_ISOLATION_TYPE_MASK 0xfu
#define HV_PARTITION_ISOLATION_TYPE_NONE 0
#define HV_PARTITION_ISOLATION_TYPE_VBS 1
#define HV_PARTITION_ISOLATION_TYPE_SNP 2
#define HV_PARTITION_ISOLATION_TYPE_TDX 3
#define HV_PARTITION_ISOLATION_TYPE_CCA 4
#define HV_SHARED_GPA_BOUNDARY_ACTIVE 5
#define HV_SHARED_GPA_BOUNDARY_BITS_SHIFT 6
#define HV_SHARED_GPA_BOUNDARY_BITS_MASK 0x3fu

/* 0x40000082 EAX */
#define HV_VS_PROPERTIES_PORTABLE 0
#define HV_VS_PROPERTIES_DEBUG_DEVICE_PRESENT 1
#define HV_VS_PROPERTIES_EXTENDED_IOAPIC_RTE 2
#define HV_VS_PROPERTIES_CONFIDENTIAL_VMBUS 3

/* --- Synthetic MSRs [TLFS App. C] --------------------------------------------------------------------------------- */

#define HV_X64_MSR_GUEST_OS_ID 0x40000000u
#define HV_X64_MSR_HYPERCALL 0x40000001u
#define HV_X64_MSR_VP_INDEX 0x40000002u
#define HV_X64_MSR_RESET 0x40000003u
#define HV_X64_MSR_VP_RUNTIME 0x40000010u
#define HV_X64_MSR_TIME_REF_COUNT 0x40000020u
#define HV_X64_MSR_REFERENCE_TSC 0x40000021u
#define HV_X64_MSR_TSC_FREQUENCY 0x40000022u
#define HV_X64_MSR_APIC_FREQUENCY 0x40000023u
#define HV_X64_MSR_NPIEP_CONFIG 0x40000040u
#define HV_X64_MSR_EOI 0x40000070u
#define HV_X64_MSR_ICR 0x40000071u
#define HV_X64_MSR_TPR 0x40000072u
#define HV_X64_MSR_VP_ASSIST_PAGE 0x40000073u
#define HV_X64_MSR_SCONTROL 0x40000080u
#define HV_X64_MSR_SVERSION 0x40000081u
#define HV_X64_MSR_SIEFP 0x40000082u
#define HV_X64_MSR_SIMP 0x40000083u
#define HV_X64_MSR_EOM 0x40000084u
#define HV_X64_MSR_SIRBP 0x40000085u
#define HV_X64_MSR_SINT0 0x40000090u
#define HV_X64_MSR_SINT15 0x4000009fu
#define HV_X64_MSR_STIMER0_CONFIG 0x400000b0u
#define HV_X64_MSR_STIMER0_COUNT 0x400000b1u
#define HV_X64_MSR_STIMER3_CONFIG 0x400000b6u
#define HV_X64_MSR_STIMER3_COUNT 0x400000b7u
#define HV_X64_MSR_POWER_STATE_TRIGGER_C1 0x400000c1u
#define HV_X64_MSR_POWER_STATE_TRIGGER_C3 0x400000c3u
#define HV_X64_MSR_POWER_STATE_CONFIG_C1 0x400000d1u
#define HV_X64_MSR_POWER_STATE_CONFIG_C3 0x400000d3u
#define HV_X64_MSR_STATS_PARTITION_RETAIL_PAGE 0x400000e0u
#define HV_X64_MSR_STATS_PARTITION_INTERNAL_PAGE 0x400000e1u
#define HV_X64_MSR_STATS_VP_RETAIL_PAGE 0x400000e2u
#define HV_X64_MSR_STATS_VP_INTERNAL_PAGE 0x400000e3u
#define HV_X64_MSR_GUEST_IDLE 0x400000f0u
#define HV_X64_MSR_SYNTH_DEBUG_CONTROL 0x400000f1u
#define HV_X64_MSR_SYNTH_DEBUG_STATUS 0x400000f2u
#define HV_X64_MSR_SYNTH_DEBUG_SEND_BUFFER 0x400000f3u
#define HV_X64_MSR_SYNTH_DEBUG_RECEIVE_BUFFER 0x400000f4u
#define HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER 0x400000f5u
#define HV_X64_MSR_DEBUG_DEVICE_OPTIONS 0x400000ffu
#define HV_X64_MSR_CRASH_P0 0x40000100u
#define HV_X64_MSR_CRASH_P1 0x40000101u
#define HV_X64_MSR_CRASH_P2 0x40000102u
#define HV_X64_MSR_CRASH_P3 0x40000103u
#define HV_X64_MSR_CRASH_P4 0x40000104u
#define HV_X64_MSR_CRASH_CTL 0x40000105u
#define HV_X64_MSR_REENLIGHTENMENT_CONTROL 0x40000106u
#define HV_X64_MSR_TSC_EMULATION_CONTROL 0x40000107u
#define HV_X64_MSR_TSC_EMULATION_STATUS 0x40000108u
#define HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG 0x40000114u
#define HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT 0x40000115u
#define HV_X64_MSR_TSC_INVARIANT_CONTROL 0x40000118u
#define HV_X64_MSR_NESTED_VP_INDEX 0x40001002u
#define HV_X64_MSR_NESTED_SCONTROL 0x40001080u
#define HV_X64_MSR_NESTED_SVERSION 0x40001081u
#define HV_X64_MSR_NESTED_SIEFP 0x40001082u
#define HV_X64_MSR_NESTED_SIMP 0x40001083u
#define HV_X64_MSR_NESTED_EOM 0x40001084u
#define HV_X64_MSR_NESTED_SINT0 0x40001090u
#define HV_X64_MSR_NESTED_SINT15 0x4000109fu

#define HV_X64_NR_CRASH_PARAMETERS 5

/* HYPERCALL; bits 11:2 are preserved */
#define HV_X64_MSR_HYPERCALL_ENABLE 0x1ull
#define HV_X64_MSR_HYPERCALL_LOCKED 0x2ull
/* REFERENCE_TSC, VP_ASSIST_PAGE, SIEFP, SIMP: bits 11:1 are preserved */
#define HV_X64_MSR_PAGE_ENABLE 0x1ull
#define HV_X64_MSR_RESET_NOW 0x1ull
/* NPIEP_CONFIG */
#define HV_NPIEP_PREVENT_SGDT 0x1ull
#define HV_NPIEP_PREVENT_SIDT 0x2ull
#define HV_NPIEP_PREVENT_SLDT 0x4ull
#define HV_NPIEP_PREVENT_STR 0x8ull
/* CRASH_CTL: written, the action; read, the actions that exist */
#define HV_CRASH_CTL_PRE_OS_ID_SHIFT 58
#define HV_CRASH_CTL_NO_CRASH_DUMP (1ull << 61)
#define HV_CRASH_CTL_CRASH_MESSAGE (1ull << 62)
#define HV_CRASH_CTL_CRASH_NOTIFY (1ull << 63)
#define HV_CRASH_MAX_MESSAGE_SIZE 4096u
/* REENLIGHTENMENT_CONTROL, TSC_EMULATION_CONTROL and STATUS, TSC_INVARIANT_CONTROL */
#define HV_REENLIGHTENMENT_VECTOR_MASK 0xffull
#define HV_REENLIGHTENMENT_ENABLED (1ull << 16)
#define HV_REENLIGHTENMENT_TARGET_VP_SHIFT 32
#define HV_REENLIGHTENMENT_RESERVED 0xfffeff00ull       /* 31:17, 15:8 */
#define HV_TSC_EMULATION_ENABLED 0x1ull
#define HV_TSC_EMULATION_IN_PROGRESS 0x1ull
#define HV_EXPOSE_INVARIANT_TSC 0x1ull
/* STIME_UNHALTED_TIMER_CONFIG */
#define HV_STIME_UNHALTED_VECTOR_MASK 0xffull
#define HV_STIME_UNHALTED_ENABLED (1ull << 8)

/* GUEST_OS_ID, proprietary and open source form */
#define HV_GUEST_OS_ID_OPEN_SOURCE (1ull << 63)
#define HV_GUEST_OS_ID_OS_TYPE_SHIFT 56
#define HV_GUEST_OS_ID_OS_TYPE_LINUX 0x1u
#define HV_GUEST_OS_ID_OS_TYPE_FREEBSD 0x2u
#define HV_GUEST_OS_ID_OS_TYPE_XEN 0x3u
#define HV_GUEST_OS_ID_OS_TYPE_ILLUMOS 0x4u
#define HV_GUEST_OS_ID_VENDOR_SHIFT 48
#define HV_GUEST_OS_ID_VENDOR_MICROSOFT 0x1u

/* --- Hypercalls [TLFS hypercall-interface] ------------------------------------------------------------------------ */

/* The hypercall input value: RCX, or EDX:EAX */
#define HV_HYPERCALL_CODE_MASK 0xffffull
#define HV_HYPERCALL_FAST (1ull << 16)
#define HV_HYPERCALL_VARIABLE_HEADER_SHIFT 17
#define HV_HYPERCALL_VARIABLE_HEADER_MASK 0x3ffull      /* qwords */
#define HV_HYPERCALL_IS_NESTED (1ull << 31)
#define HV_HYPERCALL_REP_COUNT_SHIFT 32
#define HV_HYPERCALL_REP_COUNT_MASK 0xfffull
#define HV_HYPERCALL_REP_START_SHIFT 48
#define HV_HYPERCALL_REP_START_MASK 0xfffull
#define HV_HYPERCALL_RESERVED 0xf000f00078000000ull     /* 63:60, 47:44, 30:27 */
/* The hypercall result value: RAX, or EDX:EAX */
#define HV_HYPERCALL_STATUS_MASK 0xffffull
#define HV_HYPERCALL_REPS_COMPLETED_SHIFT 32
#define HV_HYPERCALL_REPS_COMPLETED_MASK 0xfffull
/* The fast form's block: two general registers, XMM0-5 */
#define HV_HYPERCALL_MAX_XMM_REGISTERS 6
#define HV_HYPERCALL_FAST_BYTES 16u
#define HV_HYPERCALL_XMM_FAST_BYTES 112u

enum HV_STATUS {
    HV_STATUS_SUCCESS = 0x0000,
    HV_STATUS_INVALID_HYPERCALL_CODE = 0x0002,
    HV_STATUS_INVALID_HYPERCALL_INPUT = 0x0003,
    HV_STATUS_INVALID_ALIGNMENT = 0x0004,
    HV_STATUS_INVALID_PARAMETER = 0x0005,
    HV_STATUS_ACCESS_DENIED = 0x0006,
    HV_STATUS_INVALID_PARTITION_STATE = 0x0007,
    HV_STATUS_OPERATION_DENIED = 0x0008,
    HV_STATUS_UNKNOWN_PROPERTY = 0x0009,
    HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE = 0x000a,
    HV_STATUS_INSUFFICIENT_MEMORY = 0x000b,
    HV_STATUS_INVALID_PARTITION_ID = 0x000d,
    HV_STATUS_INVALID_VP_INDEX = 0x000e,
    HV_STATUS_INVALID_PORT_ID = 0x0011,
    HV_STATUS_INVALID_CONNECTION_ID = 0x0012,
    HV_STATUS_INSUFFICIENT_BUFFERS = 0x0013,            /* the table of TLFS 6.0b misprints 0x33 */
    HV_STATUS_NOT_ACKNOWLEDGED = 0x0014,
    HV_STATUS_INVALID_VP_STATE = 0x0015,
    HV_STATUS_ACKNOWLEDGED = 0x0016,
    HV_STATUS_INVALID_SYNIC_STATE = 0x0018,
    HV_STATUS_OBJECT_IN_USE = 0x0019,
    HV_STATUS_NO_DATA = 0x001b,
    HV_STATUS_INACTIVE = 0x001c,
    HV_STATUS_INSUFFICIENT_BUFFER = 0x0033,
    HV_STATUS_INVALID_REGISTER_VALUE = 0x0050,
    HV_STATUS_INVALID_VTL_STATE = 0x0051,
    HV_STATUS_OPERATION_FAILED = 0x0071,
    HV_STATUS_TIMEOUT = 0x0078,
    HV_STATUS_UNKNOWN_REGISTER = 0x0087,
};

enum HV_CALL_CODE {
    HvCallSwitchVirtualAddressSpace = 0x0001,
    HvCallFlushVirtualAddressSpace = 0x0002,
    HvCallFlushVirtualAddressList = 0x0003,
    HvCallGetLogicalProcessorRunTime = 0x0004,
    HvCallNotifyLongSpinWait = 0x0008,
    HvCallParkedVirtualProcessors = 0x0009,
    HvCallInvokeHypervisorDebugger = 0x000a,
    HvCallSendSyntheticClusterIpi = 0x000b,
    HvCallModifyVtlProtectionMask = 0x000c,
    HvCallEnablePartitionVtl = 0x000d,
    HvCallDisablePartitionVtl = 0x000e,
    HvCallEnableVpVtl = 0x000f,
    HvCallDisableVpVtl = 0x0010,
    HvCallVtlCall = 0x0011,
    HvCallVtlReturn = 0x0012,
    HvCallFlushVirtualAddressSpaceEx = 0x0013,
    HvCallFlushVirtualAddressListEx = 0x0014,
    HvCallSendSyntheticClusterIpiEx = 0x0015,
    HvCallCreatePartition = 0x0040,
    HvCallInitializePartition = 0x0041,
    HvCallFinalizePartition = 0x0042,
    HvCallDeletePartition = 0x0043,
    HvCallGetPartitionProperty = 0x0044,
    HvCallSetPartitionProperty = 0x0045,
    HvCallGetPartitionId = 0x0046,
    HvCallGetNextChildPartition = 0x0047,
    HvCallDepositMemory = 0x0048,
    HvCallWithdrawMemory = 0x0049,
    HvCallGetMemoryBalance = 0x004a,
    HvCallMapGpaPages = 0x004b,
    HvCallUnmapGpaPages = 0x004c,
    HvCallInstallIntercept = 0x004d,
    HvCallCreateVp = 0x004e,
    HvCallDeleteVp = 0x004f,
    HvCallGetVpRegisters = 0x0050,
    HvCallSetVpRegisters = 0x0051,
    HvCallTranslateVirtualAddress = 0x0052,
    HvCallReadGpa = 0x0053,
    HvCallWriteGpa = 0x0054,
    HvCallClearVirtualInterrupt = 0x0056,
    HvCallDeletePort = 0x0058,
    HvCallGetPortProperty = 0x005a,
    HvCallDisconnectPort = 0x005b,
    HvCallPostMessage = 0x005c,
    HvCallSignalEvent = 0x005d,
    HvCallSavePartitionState = 0x005e,
    HvCallRestorePartitionState = 0x005f,
    HvCallPostDebugData = 0x0069,
    HvCallRetrieveDebugData = 0x006a,
    HvCallResetDebugSession = 0x006b,
    HvCallMapStatsPage = 0x006c,
    HvCallUnmapStatsPage = 0x006d,
    HvCallMapSparseGpaPages = 0x006e,
    HvCallSetSystemProperty = 0x006f,
    HvCallSetPortProperty = 0x0070,
    HvCallOutputDebugCharacter = 0x0071,
    HvCallAddLogicalProcessor = 0x0076,
    HvCallGetSystemProperty = 0x007b,
    HvCallMapDeviceInterrupt = 0x007c,
    HvCallUnmapDeviceInterrupt = 0x007d,
    HvCallRetargetDeviceInterrupt = 0x007e,
    HvCallNotifyPartitionEvent = 0x0087,
    HvCallDisableHypervisor = 0x008f,
    HvCallModifySparseGpaPages = 0x0090,
    HvCallRegisterInterceptResult = 0x0091,
    HvCallUnregisterInterceptResult = 0x0092,
    HvCallAssertVirtualInterrupt = 0x0094,
    HvCallCreatePort = 0x0095,
    HvCallConnectPort = 0x0096,
    HvCallGetSpaPageList = 0x0097,
    HvCallStartVirtualProcessor = 0x0099,
    HvCallGetVpIndexFromApicId = 0x009a,
    HvCallTranslateVirtualAddressEx = 0x00ac,
    HvCallCheckForIoIntercept = 0x00ad,
    HvCallFlushGuestPhysicalAddressSpace = 0x00af,
    HvCallFlushGuestPhysicalAddressList = 0x00b0,
    HvCallSignalEventDirect = 0x00c0,
    HvCallPostMessageDirect = 0x00c1,
    HvCallCheckSparseGpaPageVtlAccess = 0x00d4,
    HvCallAcceptGpaPages = 0x00d9,
    HvCallModifySparseGpaPageHostVisibility = 0x00db,
    HvCallMapVpStatePage = 0x00e1,
    HvCallUnmapVpStatePage = 0x00e2,
    HvCallGetVpSetFromMda = 0x00e5,
    HvCallGetVpCpuidValues = 0x00f4,
    HvCallRestorePartitionTime = 0x0103,
    HvCallMemoryMappedIoRead = 0x0106,
    HvCallMemoryMappedIoWrite = 0x0107,
    HvCallSetPartitionPropertyEx = 0x010a,
    HvCallInstallInterceptEx = 0x0110,
    HvCallPinGpaPageRanges = 0x0112,
    HvCallUnpinGpaPageRanges = 0x0113,
    HvCallQuerySparseGpaPageHostVisibility = 0x011c,
    HvCallSetVirtualInterruptTarget = 0x011f,
    HvCallMapStatsPage2 = 0x0131,
    HvExtCallQueryCapabilities = 0x8001,
    HvExtCallGetBootZeroedMemory = 0x8002,
    HvExtCallMemoryHeatHint = 0x8003,
    HvExtCallEpfSetup = 0x8004,
    HvExtCallMemoryHeatHintAsync = 0x8006,
    HvCallVbsVmCallReport = 0xc001,
};

#define HV_PARTITION_ID_INVALID 0ull
#define HV_PARTITION_ID_SELF 0xffffffffffffffffull
#define HV_ANY_VP 0xffffffffu
#define HV_VP_INDEX_SELF 0xfffffffeu

/* HV_INPUT_VTL */
#define HV_INPUT_VTL_TARGET_MASK 0x0fu
#define HV_INPUT_VTL_USE_TARGET 0x10u
#define HV_INPUT_VTL_RESERVED 0xe0u

/* HV_VP_SET */
#define HV_GENERIC_SET_SPARSE_4K 0ull
#define HV_GENERIC_SET_ALL 1ull
#define HV_VP_SET_MAX_BANKS 64
#define HV_VP_SET_BANK_BITS 64

/* The banks follow it: one qword for each bit of the mask. */
struct hv_vp_set {
    uint64_t format;
    uint64_t valid_banks_mask;
};
HV_SIZE(struct hv_vp_set, 16);
HV_AT(struct hv_vp_set, valid_banks_mask, 8);

/* HvCallNotifyLongSpinWait */
struct hv_input_notify_long_spin_wait {
    uint32_t spin_count;
    uint32_t rsvdz;
};
HV_SIZE(struct hv_input_notify_long_spin_wait, 8);
HV_AT(struct hv_input_notify_long_spin_wait, rsvdz, 4);

/* HvCallFlushVirtualAddressSpace, and List with ranges behind */
#define HV_FLUSH_ALL_PROCESSORS 0x1ull
#define HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES 0x2ull
#define HV_FLUSH_NON_GLOBAL_MAPPINGS_ONLY 0x4ull
#define HV_FLUSH_USE_EXTENDED_RANGE_FORMAT 0x8ull
#define HV_FLUSH_USE_TARGET_VTL 0x10ull
#define HV_FLUSH_TARGET_VTL0 0x100ull
#define HV_FLUSH_TARGET_VTL1 0x200ull

struct hv_input_flush_virtual_address_space {
    uint64_t address_space;
    uint64_t flags;
    uint64_t processor_mask;
};
HV_SIZE(struct hv_input_flush_virtual_address_space, 24);
HV_AT(struct hv_input_flush_virtual_address_space, flags, 8);
HV_AT(struct hv_input_flush_virtual_address_space, processor_mask, 16);

/* HvCallFlushVirtualAddressSpaceEx and ListEx: the banks are the variable header, ranges are behind them */
struct hv_input_flush_virtual_address_space_ex {
    uint64_t address_space;
    uint64_t flags;
    struct hv_vp_set processor_set;
};
HV_SIZE(struct hv_input_flush_virtual_address_space_ex, 32);
HV_AT(struct hv_input_flush_virtual_address_space_ex, flags, 8);
HV_AT(struct hv_input_flush_virtual_address_space_ex, processor_set, 16);

/* An element of the lists: HV_GVA_RANGE */
#define HV_GVA_RANGE_ADDITIONAL_PAGES_MASK 0xfffull
#define HV_GVA_RANGE_PAGE_MASK 0xfffffffffffff000ull
/* in the extended format */
#define HV_GVA_RANGE_EX_ADDITIONAL_PAGES_MASK 0x7ffull
#define HV_GVA_RANGE_EX_LARGE_PAGE (1ull << 11)
#define HV_GVA_RANGE_EX_PAGE_SIZE_1GB (1ull << 12)      /* with LARGE_PAGE; clear: 2 MB */
#define HV_GVA_RANGE_EX_LARGE_PAGE_SHIFT 21
#define HV_GVA_RANGE_EX_LARGE_PAGE_RESERVED 0x1fe000ull

/* HvCallSendSyntheticClusterIpi and Ex */
#define HV_IPI_LOW_VECTOR 0x10u
#define HV_IPI_HIGH_VECTOR 0xffu

struct hv_input_send_synthetic_cluster_ipi {
    uint32_t vector;
    uint8_t target_vtl;
    uint8_t pad[3];
    uint64_t processor_mask;
};
HV_SIZE(struct hv_input_send_synthetic_cluster_ipi, 16);
HV_AT(struct hv_input_send_synthetic_cluster_ipi, target_vtl, 4);
HV_AT(struct hv_input_send_synthetic_cluster_ipi, processor_mask, 8);

struct hv_input_send_synthetic_cluster_ipi_ex {
    uint32_t vector;
    uint8_t target_vtl;
    uint8_t pad[3];
    struct hv_vp_set processor_set;
};
HV_SIZE(struct hv_input_send_synthetic_cluster_ipi_ex, 24);
HV_AT(struct hv_input_send_synthetic_cluster_ipi_ex, target_vtl, 4);
HV_AT(struct hv_input_send_synthetic_cluster_ipi_ex, processor_set, 8);

/* HvCallGetVpRegisters and SetVpRegisters: header; Get's elements are 4-byte names in, 16-byte values out */
struct hv_input_vp_registers {
    uint64_t partition_id;
    uint32_t vp_index;
    uint8_t target_vtl;
    uint8_t rsvdz[3];
};
HV_SIZE(struct hv_input_vp_registers, 16);
HV_AT(struct hv_input_vp_registers, vp_index, 8);
HV_AT(struct hv_input_vp_registers, target_vtl, 12);

struct hv_register_value {
    uint64_t low;
    uint64_t high;
};
HV_SIZE(struct hv_register_value, 16);
HV_AT(struct hv_register_value, high, 8);

struct hv_register_assoc {
    uint32_t name;
    uint32_t rsvdz[3];
    struct hv_register_value value;
};
HV_SIZE(struct hv_register_assoc, 32);
HV_AT(struct hv_register_assoc, value, 16);

/* HV_REGISTER_NAME: the synthetic registers of a partition without VTLs, and what CPUID says */
enum HV_REGISTER_NAME {
    HvRegisterHypervisorVersion = 0x00000100,           /* as CPUID 0x40000002 */
    HvRegisterPrivilegesAndFeaturesInfo = 0x00000200,   /* 0x40000003 */
    HvRegisterFeaturesInfo = 0x00000201,                /* 0x40000004 */
    HvRegisterImplementationLimitsInfo = 0x00000202,    /* 0x40000005 */
    HvRegisterHardwareFeaturesInfo = 0x00000203,        /* 0x40000006 */
    HvRegisterCpuManagementFeaturesInfo = 0x00000204,   /* 0x40000007 */
    HvRegisterPasidFeaturesInfo = 0x00000205,           /* 0x40000008 */
    HvRegisterNestedVirtFeaturesInfo = 0x00000207,      /* 0x4000000a */
    HvRegisterIptFeaturesInfo = 0x00000208,             /* 0x4000000b */
    HvRegisterGuestCrashP0 = 0x00000210,
    HvRegisterGuestCrashP4 = 0x00000214,
    HvRegisterGuestCrashCtl = 0x00000215,
    HvRegisterProcessorClockFrequency = 0x00000240,
    HvRegisterInterruptClockFrequency = 0x00000241,
    HvRegisterDebugDeviceOptions = 0x00000260,
    HvRegisterVpRuntime = 0x00090000,
    HvX64RegisterHypercall = 0x00090001,
    HvRegisterGuestOsId = 0x00090002,
    HvRegisterVpIndex = 0x00090003,
    HvRegisterTimeRefCount = 0x00090004,
    HvX64RegisterSyntheticEoi = 0x00090010,
    HvX64RegisterSyntheticIcr = 0x00090011,
    HvX64RegisterSyntheticTpr = 0x00090012,
    HvRegisterVpAssistPage = 0x00090013,
    HvRegisterReferenceTsc = 0x00090017,
    HvRegisterSint0 = 0x000a0000,
    HvRegisterSint15 = 0x000a000f,
    HvRegisterScontrol = 0x000a0010,
    HvRegisterSversion = 0x000a0011,
    HvRegisterSifp = 0x000a0012,                        /* SIEFP */
    HvRegisterSipp = 0x000a0013,                        /* SIMP */
    HvRegisterEom = 0x000a0014,
    HvRegisterSirbp = 0x000a0015,
    HvRegisterStimer0Config = 0x000b0000,
    HvRegisterStimer3Count = 0x000b0007,
    HvRegisterStimeUnhaltedTimerConfig = 0x000b0100,
    HvRegisterStimeUnhaltedTimerCount = 0x000b0101,
};

/* HvCallTranslateVirtualAddress */
#define HV_TRANSLATE_GVA_VALIDATE_READ 0x0001ull
#define HV_TRANSLATE_GVA_VALIDATE_WRITE 0x0002ull
#define HV_TRANSLATE_GVA_VALIDATE_EXECUTE 0x0004ull
#define HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT 0x0008ull
#define HV_TRANSLATE_GVA_SET_PAGE_TABLE_BITS 0x0010ull
#define HV_TRANSLATE_GVA_TLB_FLUSH_INHIBIT 0x0020ull
#define HV_TRANSLATE_GVA_SUPERVISOR_ACCESS 0x0040ull
#define HV_TRANSLATE_GVA_USER_ACCESS 0x0080ull
#define HV_TRANSLATE_GVA_ENFORCE_SMAP 0x0100ull
#define HV_TRANSLATE_GVA_OVERRIDE_SMAP 0x0200ull
#define HV_TRANSLATE_GVA_SHADOW_STACK 0x0400ull
#define HV_TRANSLATE_GVA_INPUT_VTL_SHIFT 56

struct hv_input_translate_virtual_address {
    uint64_t partition_id;
    uint32_t vp_index;
    uint32_t pad;
    uint64_t control_flags;
    uint64_t gva_page;
};
HV_SIZE(struct hv_input_translate_virtual_address, 32);
HV_AT(struct hv_input_translate_virtual_address, vp_index, 8);
HV_AT(struct hv_input_translate_virtual_address, control_flags, 16);
HV_AT(struct hv_input_translate_virtual_address, gva_page, 24);

enum HV_TRANSLATE_GVA_RESULT_CODE {
    HvTranslateGvaSuccess = 0,
    HvTranslateGvaPageNotPresent = 1,
    HvTranslateGvaPrivilegeViolation = 2,
    HvTranslateGvaInvalidPageTableFlags = 3,
    HvTranslateGvaGpaUnmapped = 4,
    HvTranslateGvaGpaNoReadAccess = 5,
    HvTranslateGvaGpaNoWriteAccess = 6,
    HvTranslateGvaGpaIllegalOverlayAccess = 7,
    HvTranslateGvaIntercept = 8,
    HvTranslateGvaGpaUnaccepted = 9,
};

/* HV_CACHE_TYPE of RAM that is mapped as usual */
#define HV_CACHE_TYPE_X64_WRITE_BACK 6u
#define HV_TRANSLATE_GVA_OVERLAY_PAGE 0x100u

struct hv_output_translate_virtual_address {
    uint32_t result_code;
    uint32_t attributes;        /* 7:0 cache type, 8 overlay page */
    uint64_t gpa_page;
};
HV_SIZE(struct hv_output_translate_virtual_address, 16);
HV_AT(struct hv_output_translate_virtual_address, attributes, 4);
HV_AT(struct hv_output_translate_virtual_address, gpa_page, 8);

/* HvCallPostMessage */
struct hv_input_post_message {
    uint32_t connection_id;
    uint32_t rsvdz;
    uint32_t message_type;
    uint32_t payload_size;
    uint8_t message[240];
};
HV_SIZE(struct hv_input_post_message, 256);
HV_AT(struct hv_input_post_message, message_type, 8);
HV_AT(struct hv_input_post_message, payload_size, 12);
HV_AT(struct hv_input_post_message, message, 16);

/* HvCallSignalEvent */
#define HV_CONNECTION_ID_MASK 0x00ffffffu
#define HV_PORT_ID_MASK 0x00ffffffu

struct hv_input_signal_event {
    uint32_t connection_id;
    uint16_t flag_number;
    uint16_t rsvdz;
};
HV_SIZE(struct hv_input_signal_event, 8);
HV_AT(struct hv_input_signal_event, flag_number, 4);

/* HvCallRetargetDeviceInterrupt */
#define HV_INTERRUPT_SOURCE_MSI 1u
#define HV_INTERRUPT_SOURCE_IOAPIC 2u
#define HV_DEVICE_INTERRUPT_TARGET_MULTICAST 1u
#define HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET 2u

struct hv_interrupt_entry {
    uint32_t interrupt_source;
    uint32_t reserved;
    uint32_t msi_address;
    uint32_t msi_data;
};
HV_SIZE(struct hv_interrupt_entry, 16);
HV_AT(struct hv_interrupt_entry, msi_address, 8);
HV_AT(struct hv_interrupt_entry, msi_data, 12);

struct hv_input_retarget_device_interrupt {
    uint64_t partition_id;
    uint64_t device_id;
    struct hv_interrupt_entry interrupt_entry;
    uint64_t rsvdz;
    uint32_t vector;
    uint32_t flags;
    uint64_t processor_mask;    /* or, by `flags`, the format of an hv_vp_set: its banks are the variable header */
};
HV_SIZE(struct hv_input_retarget_device_interrupt, 56);
HV_AT(struct hv_input_retarget_device_interrupt, device_id, 8);
HV_AT(struct hv_input_retarget_device_interrupt, interrupt_entry, 16);
HV_AT(struct hv_input_retarget_device_interrupt, vector, 40);
HV_AT(struct hv_input_retarget_device_interrupt, processor_mask, 48);

/* HvCallStartVirtualProcessor */
struct hv_x64_segment_register {
    uint64_t base;
    uint32_t limit;
    uint16_t selector;
    uint16_t attributes;
};
HV_SIZE(struct hv_x64_segment_register, 16);
HV_AT(struct hv_x64_segment_register, limit, 8);
HV_AT(struct hv_x64_segment_register, selector, 12);
HV_AT(struct hv_x64_segment_register, attributes, 14);

struct hv_x64_table_register {
    uint16_t pad[3];
    uint16_t limit;
    uint64_t base;
};
HV_SIZE(struct hv_x64_table_register, 16);
HV_AT(struct hv_x64_table_register, limit, 6);
HV_AT(struct hv_x64_table_register, base, 8);

struct hv_initial_vp_context {
    uint64_t rip, rsp, rflags;
    struct hv_x64_segment_register cs, ds, es, fs, gs, ss, tr, ldtr;
    struct hv_x64_table_register idtr, gdtr;
    uint64_t efer, cr0, cr3, cr4, msr_cr_pat;
};
HV_SIZE(struct hv_initial_vp_context, 224);
HV_AT(struct hv_initial_vp_context, cs, 24);
HV_AT(struct hv_initial_vp_context, ldtr, 136);
HV_AT(struct hv_initial_vp_context, idtr, 152);
HV_AT(struct hv_initial_vp_context, efer, 184);
HV_AT(struct hv_initial_vp_context, msr_cr_pat, 216);

struct hv_input_start_virtual_processor {
    uint64_t partition_id;
    uint32_t vp_index;
    uint8_t target_vtl;
    uint8_t rsvdz[3];
    struct hv_initial_vp_context vp_context;
};
HV_SIZE(struct hv_input_start_virtual_processor, 240);
HV_AT(struct hv_input_start_virtual_processor, vp_index, 8);
HV_AT(struct hv_input_start_virtual_processor, target_vtl, 12);
HV_AT(struct hv_input_start_virtual_processor, vp_context, 16);

/* HvCallGetVpIndexFromApicId: header; elements are 4-byte APIC ids in, 4-byte VP indexes out */
struct hv_input_get_vp_index_from_apic_id {
    uint64_t partition_id;
    uint8_t target_vtl;
    uint8_t pad[7];
};
HV_SIZE(struct hv_input_get_vp_index_from_apic_id, 16);
HV_AT(struct hv_input_get_vp_index_from_apic_id, target_vtl, 8);

/*
 * HvCallPostDebugData, RetrieveDebugData, ResetDebugSession, and the debug MSRs: TLFS has their codes only, the layouts
 * are those of QEMU and Linux. Data follow their header in the same page. HvCallOutputDebugCharacter's is nowhere.
 */
struct hv_input_post_debug_data {
    uint32_t count;
    uint32_t options;
};
HV_SIZE(struct hv_input_post_debug_data, 8);

struct hv_output_post_debug_data {
    uint32_t pending_count;
    uint32_t pad;
};
HV_SIZE(struct hv_output_post_debug_data, 8);

struct hv_input_retrieve_debug_data {
    uint32_t count;
    uint32_t options;
    uint64_t timeout;
};
HV_SIZE(struct hv_input_retrieve_debug_data, 16);
HV_AT(struct hv_input_retrieve_debug_data, timeout, 8);

struct hv_output_retrieve_debug_data {
    uint32_t retrieved_count;
    uint32_t remaining_count;
};
HV_SIZE(struct hv_output_retrieve_debug_data, 8);

#define HV_DEBUG_PURGE_INCOMING_DATA 0x1u
#define HV_DEBUG_PURGE_OUTGOING_DATA 0x2u

struct hv_input_reset_debug_session {
    uint32_t options;
    uint32_t pad;
};
HV_SIZE(struct hv_input_reset_debug_session, 8);

struct hv_output_reset_debug_session {
    uint32_t host_ip, target_ip;
    uint16_t host_port, target_port;
    uint8_t host_mac[6], target_mac[6];
};
HV_SIZE(struct hv_output_reset_debug_session, 24);
HV_AT(struct hv_output_reset_debug_session, host_port, 8);
HV_AT(struct hv_output_reset_debug_session, host_mac, 12);

#define HV_SYNTH_DEBUG_CONTROL_SEND 0x1ull
#define HV_SYNTH_DEBUG_CONTROL_RECEIVE 0x2ull
#define HV_SYNTH_DEBUG_CONTROL_SEND_SIZE_SHIFT 16
#define HV_SYNTH_DEBUG_CONTROL_SEND_SIZE_MASK 0xffffull
#define HV_SYNTH_DEBUG_STATUS_SEND_SUCCESS 0x1ull
#define HV_SYNTH_DEBUG_STATUS_RECEIVE_SUCCESS 0x4ull
#define HV_SYNTH_DEBUG_STATUS_SIZE_SHIFT 16
#define HV_DEBUG_DEVICE_USE_HYPERCALLS 0x4ull

/* HvExtCallQueryCapabilities: bits of the answer */
#define HV_EXT_CAPABILITY_BOOT_ZEROED_MEMORY 0
#define HV_EXT_CAPABILITY_MEMORY_HEAT_HINT 1
#define HV_EXT_CAPABILITY_EPF_SETUP 2
#define HV_EXT_CAPABILITY_SCHEDULER_ASSIST 3
#define HV_EXT_CAPABILITY_MEMORY_HEAT_HINT_ASYNC 4

/* HvExtCallGetBootZeroedMemory */
#define HV_EXT_MAX_BOOT_ZEROED_RANGES 255u

struct hv_ext_output_boot_zeroed_memory {
    uint64_t range_count;
    struct {
        uint64_t start_gpa_page;
        uint64_t page_count;
    } range[HV_EXT_MAX_BOOT_ZEROED_RANGES];
};
HV_SIZE(struct hv_ext_output_boot_zeroed_memory, 0xff8);
HV_AT(struct hv_ext_output_boot_zeroed_memory, range, 8);

/* --- SynIC [TLFS inter-partition-communication] ------------------------------------------------------------------- */

#define HV_SYNIC_SINT_COUNT 16
#define HV_SYNIC_VERSION 1u
#define HV_SYNIC_CONTROL_ENABLE 0x1ull
#define HV_SYNIC_FIRST_VALID_VECTOR 16u
#define HV_SYNIC_SINT_VECTOR_MASK 0xffull
#define HV_SYNIC_SINT_MASKED (1ull << 16)
#define HV_SYNIC_SINT_AUTO_EOI (1ull << 17)
#define HV_SYNIC_SINT_POLLING (1ull << 18)
#define HV_SYNIC_SINT_PROXY (1ull << 20)
#define HV_SYNIC_EVENT_FLAGS_COUNT 2048

#define HV_MESSAGE_SIZE 256
#define HV_MESSAGE_MAX_PAYLOAD_BYTE_COUNT 240
#define HV_MESSAGE_MAX_PAYLOAD_QWORD_COUNT 30
#define HV_MESSAGE_FLAG_PENDING 0x1u

#define HV_MESSAGE_TYPE_NONE 0x00000000u
#define HV_MESSAGE_TYPE_HYPERVISOR_MASK 0x80000000u
#define HV_MESSAGE_TYPE_UNMAPPED_GPA 0x80000000u
#define HV_MESSAGE_TYPE_GPA_INTERCEPT 0x80000001u
#define HV_MESSAGE_TYPE_TIMER_EXPIRED 0x80000010u
#define HV_MESSAGE_TYPE_INVALID_VP_REGISTER_VALUE 0x80000020u
#define HV_MESSAGE_TYPE_UNRECOVERABLE_EXCEPTION 0x80000021u
#define HV_MESSAGE_TYPE_UNSUPPORTED_FEATURE 0x80000022u
#define HV_MESSAGE_TYPE_X64_IO_PORT_INTERCEPT 0x80010000u
#define HV_MESSAGE_TYPE_MSR_INTERCEPT 0x80010001u
#define HV_MESSAGE_TYPE_X64_CPUID_INTERCEPT 0x80010002u
#define HV_MESSAGE_TYPE_EXCEPTION_INTERCEPT 0x80010003u
#define HV_MESSAGE_TYPE_X64_APIC_EOI 0x80010004u

struct hv_message_header {
    uint32_t message_type;
    uint8_t payload_size;
    uint8_t message_flags;
    uint16_t reserved;
    uint64_t origination_id;
};
HV_SIZE(struct hv_message_header, 16);
HV_AT(struct hv_message_header, payload_size, 4);
HV_AT(struct hv_message_header, message_flags, 5);
HV_AT(struct hv_message_header, origination_id, 8);

struct hv_message {
    struct hv_message_header header;
    uint64_t payload[HV_MESSAGE_MAX_PAYLOAD_QWORD_COUNT];
};
HV_SIZE(struct hv_message, HV_MESSAGE_SIZE);
HV_AT(struct hv_message, payload, 16);

struct hv_message_page {
    struct hv_message sint_message[HV_SYNIC_SINT_COUNT];
};
HV_SIZE(struct hv_message_page, HV_PAGE_SIZE);

struct hv_synic_event_flags_page {
    uint8_t sint_flags[HV_SYNIC_SINT_COUNT][HV_SYNIC_EVENT_FLAGS_COUNT / 8];
};
HV_SIZE(struct hv_synic_event_flags_page, HV_PAGE_SIZE);

/* --- Synthetic timers and time [TLFS timers] ---------------------------------------------------------------------- */

#define HV_SYNIC_STIMER_COUNT 4
#define HV_STIMER_ENABLE 0x1ull
#define HV_STIMER_PERIODIC 0x2ull
#define HV_STIMER_LAZY 0x4ull
#define HV_STIMER_AUTO_ENABLE 0x8ull
#define HV_STIMER_APIC_VECTOR_SHIFT 4
#define HV_STIMER_APIC_VECTOR_MASK 0xffull
#define HV_STIMER_DIRECT_MODE (1ull << 12)
#define HV_STIMER_SINTX_SHIFT 16
#define HV_STIMER_SINTX_MASK 0xfull
#define HV_STIMER_RESERVED 0xfffffffffff0e000ull

#define HV_NANO100_PER_SECOND 10000000u

struct hv_timer_message_payload {
    uint32_t timer_index;
    uint32_t reserved;
    uint64_t expiration_time;
    uint64_t delivery_time;
};
HV_SIZE(struct hv_timer_message_payload, 24);
HV_AT(struct hv_timer_message_payload, expiration_time, 8);
HV_AT(struct hv_timer_message_payload, delivery_time, 16);

/* ReferenceTime = (Tsc * TscScale >> 64) + TscOffset, while TscSequence stays the same */
#define HV_REFERENCE_TSC_SEQUENCE_INVALID 0u
#define HV_REFERENCE_TSC_SEQUENCE_INVALID_OLD 0xffffffffu      /* in older specifications */

struct hv_reference_tsc_page {
    uint32_t tsc_sequence;
    uint32_t reserved1;
    uint64_t tsc_scale;
    int64_t tsc_offset;
    uint64_t timeline_bias;
    uint64_t tsc_multiplier;
    uint64_t reserved2[507];
};
HV_SIZE(struct hv_reference_tsc_page, HV_PAGE_SIZE);
HV_AT(struct hv_reference_tsc_page, tsc_scale, 8);
HV_AT(struct hv_reference_tsc_page, tsc_offset, 16);
HV_AT(struct hv_reference_tsc_page, timeline_bias, 24);
HV_AT(struct hv_reference_tsc_page, tsc_multiplier, 32);

/* --- VP assist page [TLFS vp-properties] -------------------------------------------------------------------------- */

#define HV_APIC_ASSIST_NO_EOI_REQUIRED 0x1u

struct hv_vp_vtl_control {
    uint32_t entry_reason;
    uint8_t vina_status;
    uint8_t reserved_z00;
    uint16_t reserved_z01;
    uint64_t vtl_return_x64_rax;
    uint64_t vtl_return_x64_rcx;
};
HV_SIZE(struct hv_vp_vtl_control, 24);
HV_AT(struct hv_vp_vtl_control, vina_status, 4);
HV_AT(struct hv_vp_vtl_control, vtl_return_x64_rax, 8);
HV_AT(struct hv_vp_vtl_control, vtl_return_x64_rcx, 16);

struct hv_nested_enlightenments_control {
    uint32_t features;
    uint32_t hypercall_controls;
};
HV_SIZE(struct hv_nested_enlightenments_control, 8);
HV_AT(struct hv_nested_enlightenments_control, hypercall_controls, 4);

struct hv_virtualization_fault_information {
    uint16_t parameter0;
    uint16_t reserved0;
    uint32_t code;
    uint64_t parameter1;
};
HV_SIZE(struct hv_virtualization_fault_information, 16);
HV_AT(struct hv_virtualization_fault_information, code, 4);
HV_AT(struct hv_virtualization_fault_information, parameter1, 8);

struct hv_vp_assist_page {
    uint32_t apic_assist;
    uint32_t reserved_z0;
    struct hv_vp_vtl_control vtl_control;
    struct hv_nested_enlightenments_control nested_enlightenments_control;
    uint8_t enlighten_vm_entry;
    uint8_t reserved_z1[7];
    uint64_t current_nested_vmcs;
    uint8_t synthetic_time_unhalted_timer_expired;
    uint8_t reserved_z2[7];
    struct hv_virtualization_fault_information virtualization_fault_information;
    uint8_t reserved_z3[HV_PAGE_SIZE - 80];
};
HV_SIZE(struct hv_vp_assist_page, HV_PAGE_SIZE);
HV_AT(struct hv_vp_assist_page, vtl_control, 8);
HV_AT(struct hv_vp_assist_page, nested_enlightenments_control, 32);
HV_AT(struct hv_vp_assist_page, enlighten_vm_entry, 40);
HV_AT(struct hv_vp_assist_page, current_nested_vmcs, 48);
HV_AT(struct hv_vp_assist_page, synthetic_time_unhalted_timer_expired, 56);
HV_AT(struct hv_vp_assist_page, virtualization_fault_information, 64);

#undef HV_AT
#undef HV_SIZE

#endif
