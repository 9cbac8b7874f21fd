/*
 * The Hyper-V personality as data: features, CPUID leaves, MSRs, hypercalls. What has no row here does not exist.
 *
 * Left out: NPIEP (hv_vp.c says why), nested virtualization, VSM, VMBus.
 */
#include <hvshim/translators.h>

#include "hv_state.h"

#define REF_CPUID "TLFS feature-discovery"
#define REF_INTERFACE "TLFS hypercall-interface"
#define REF_TIME "TLFS timers"
#define REF_PARTITION "TLFS partition-properties"
#define REF_SYNIC "TLFS inter-partition-communication"
#define REF_VP "TLFS vp-properties"
#define REF_MMU "TLFS virtual-mmu"
#define REF_INTERRUPTS "TLFS virtual-interrupts"
#define REF_NESTED "TLFS nested-virtualization"
#define REF_MSRS "TLFS App. C"

#define F(name) (1ull << HV_FEATURE_##name)

/* Names as QEMU (hv-...) and libvirt have them. */
static const struct hvs_feature features[HV_NR_FEATURES] = {
    [HV_FEATURE_VPINDEX] = {
        .name = "vpindex",
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_VP_INDEX}},
        .ref = REF_VP,
    },
    [HV_FEATURE_TIME] = {
        .name = "time",
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_PARTITION_REFERENCE_COUNTER},
                {.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_PARTITION_REFERENCE_TSC}},
        .ref = REF_TIME,
    },
    [HV_FEATURE_FREQUENCIES] = {
        .name = "frequencies",
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_FREQUENCY_REGS},
                {.leaf = 3, .reg = HVS_EDX, .bit = HV_FREQUENCY_REGS_AVAILABLE}},
        .ref = REF_TIME,
    },
    [HV_FEATURE_CRASH] = {
        .name = "crash",
        .caps = HVS_CAP_STOP,
        .bit = {{.leaf = 3, .reg = HVS_EDX, .bit = HV_GUEST_CRASH_REGS_AVAILABLE}},
        .ref = REF_PARTITION,
    },
    [HV_FEATURE_RESET] = {
        .name = "reset",
        .caps = HVS_CAP_STOP,
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_RESET_REG}},
        .ref = REF_PARTITION,
    },
    [HV_FEATURE_RELAXED] = {
        .name = "relaxed",
        .is_hint = true,
        .bit = {{.leaf = 4, .reg = HVS_EAX, .bit = HV_USE_RELAXED_TIMING}},
        .ref = REF_CPUID,
    },
    [HV_FEATURE_SPINLOCKS] = {
        .name = "spinlocks",            /* shows in leaf 4 EBX, by hv_cpuid_enlightenments() */
        .ref = REF_VP,
    },
    [HV_FEATURE_SYNIC] = {
        .name = "synic",
        .needs = F(VPINDEX),
        .caps = HVS_CAP_INJECT,
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_SYNIC_REGS},
                {.leaf = 3, .reg = HVS_EBX, .bit = HV_POST_MESSAGES},
                {.leaf = 3, .reg = HVS_EBX, .bit = HV_SIGNAL_EVENTS}},
        .ref = REF_SYNIC,
    },
    [HV_FEATURE_STIMER] = {
        .name = "stimer",
        .needs = F(SYNIC) | F(TIME) | F(VPINDEX),
        .caps = HVS_CAP_INJECT | HVS_CAP_TIMER,
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_SYNTHETIC_TIMER_REGS}},
        .ref = REF_TIME,
    },
    [HV_FEATURE_STIMER_DIRECT] = {
        .name = "stimer-direct",        /* a bit in the registers of stimer */
        .needs = F(STIMER),
        .is_hint = true,
        .bit = {{.leaf = 3, .reg = HVS_EDX, .bit = HV_DIRECT_SYNTHETIC_TIMERS}},
        .ref = REF_TIME,
    },
    /* With the Ex forms, of which leaf 4 EAX 11 tells: hv_cpuid_enlightenments(). So have "ipi" and QEMU. */
    [HV_FEATURE_TLBFLUSH] = {
        .name = "tlbflush",
        .needs = 1ull << HV_FEATURE_VPINDEX,
        .caps = HVS_CAP_FLUSH,
        .bit = {{.leaf = 4, .reg = HVS_EAX, .bit = HV_USE_HYPERCALL_FOR_REMOTE_FLUSH}},
        .ref = REF_MMU,
    },
    [HV_FEATURE_TLBFLUSH_EXT] = {
        .name = "tlbflush-ext",
        .needs = 1ull << HV_FEATURE_TLBFLUSH,
        .is_hint = true,
        .bit = {{.leaf = 3, .reg = HVS_EDX, .bit = HV_EXTENDED_GVA_RANGES_AVAILABLE},
                {.leaf = 3, .reg = HVS_EBX, .bit = HV_ENABLE_EXTENDED_GVA_RANGES_FLUSH_VA_LIST}},
        .ref = REF_MMU,
    },
    [HV_FEATURE_IPI] = {
        .name = "ipi",
        .needs = 1ull << HV_FEATURE_VPINDEX,
        .caps = HVS_CAP_INJECT,
        .bit = {{.leaf = 4, .reg = HVS_EAX, .bit = HV_USE_SYNTHETIC_CLUSTER_IPI}},
        .ref = REF_INTERRUPTS,
    },
    [HV_FEATURE_XMM_INPUT] = {
        .name = "xmm-input",
        .caps = HVS_CAP_XMM,
        .is_hint = true,
        .bit = {{.leaf = 3, .reg = HVS_EDX, .bit = HV_XMM_REGISTERS_FOR_FAST_HYPERCALL_AVAILABLE}},
        .ref = REF_INTERFACE,
    },
    [HV_FEATURE_XMM_OUTPUT] = {
        .name = "xmm-output",
        .caps = HVS_CAP_XMM,
        .is_hint = true,
        .bit = {{.leaf = 3, .reg = HVS_EDX, .bit = HV_FAST_HYPERCALL_OUTPUT_AVAILABLE},
                {.leaf = 3, .reg = HVS_EBX, .bit = HV_FAST_HYPERCALL_OUTPUT}},
        .ref = REF_INTERFACE,
    },
    [HV_FEATURE_VP_REGISTERS] = {
        .name = "vp-registers",
        .bit = {{.leaf = 3, .reg = HVS_EBX, .bit = HV_ACCESS_VP_REGISTERS},
                {.leaf = 3, .reg = HVS_EDX, .bit = HV_TRANSLATE_GVA_FLAGS_AVAILABLE}},
        .ref = REF_VP,
    },
    [HV_FEATURE_START_VP] = {
        .name = "start-vp",
        .needs = 1ull << HV_FEATURE_VPINDEX,
        .caps = HVS_CAP_VCPU_START,
        .bit = {{.leaf = 3, .reg = HVS_EBX, .bit = HV_START_VIRTUAL_PROCESSOR}},
        .ref = REF_VP,
    },
    /* From here on, what only the host can give: hv_lacking(). */
    [HV_FEATURE_RETARGET] = {
        .name = "retarget",             /* guests that get devices from the host expect it: there is no bit */
        .ref = REF_INTERRUPTS,
    },
    [HV_FEATURE_EXT_HYPERCALLS] = {
        .name = "ext-hypercalls",
        .bit = {{.leaf = 3, .reg = HVS_EBX, .bit = HV_ENABLE_EXTENDED_HYPERCALLS}},
        .ref = REF_INTERFACE,
    },
    [HV_FEATURE_SYNDBG] = {
        .name = "syndbg",
        .is_off_by_default = true,
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_DEBUG_REGS},
                {.leaf = 3, .reg = HVS_EBX, .bit = HV_DEBUGGING},
                {.leaf = 3, .reg = HVS_EDX, .bit = HV_GUEST_DEBUGGING_AVAILABLE},
                {.leaf = 3, .reg = HVS_EDX, .bit = HV_DEBUG_REGS_AVAILABLE}},
        .ref = REF_CPUID,
    },
    [HV_FEATURE_PARTITION_ID] = {
        .name = "partition-id",
        .is_off_by_default = true,
        .bit = {{.leaf = 3, .reg = HVS_EBX, .bit = HV_ACCESS_PARTITION_ID}},
        .ref = REF_PARTITION,
    },
    [HV_FEATURE_RUNTIME] = {
        .name = "runtime",
        .caps = HVS_CAP_VCPU_TIME,
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_VP_RUNTIME_REG}},
        .ref = REF_VP,
    },
    [HV_FEATURE_VAPIC] = {
        .name = "vapic",
        .caps = HVS_CAP_APIC,
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_INTR_CTRL_REGS}},
        .ref = REF_INTERRUPTS,
    },
    [HV_FEATURE_APIC_MSRS] = {
        .name = "apic-msrs",
        .needs = F(VAPIC),
        .is_hint = true,
        .is_off_by_default = true,      /* each is an exit, where the APIC itself may need none */
        .bit = {{.leaf = 4, .reg = HVS_EAX, .bit = HV_USE_APIC_MSRS}},
        .ref = REF_INTERRUPTS,
    },
    [HV_FEATURE_AVIC] = {
        .name = "avic",
        .is_hint = true,
        .bit = {{.leaf = 4, .reg = HVS_EAX, .bit = HV_DEPRECATE_AUTO_EOI}},
        .ref = REF_CPUID,
    },
    [HV_FEATURE_IDLE] = {
        .name = "idle",
        .caps = HVS_CAP_BLOCK,
        .is_off_by_default = true,      /* HLT does the same, and no backend is quicker here */
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_GUEST_IDLE_REG},
                {.leaf = 3, .reg = HVS_EDX, .bit = HV_GUEST_IDLE_AVAILABLE}},
        .ref = REF_VP,
    },
    [HV_FEATURE_REENLIGHTENMENT] = {
        .name = "reenlightenment",
        .caps = HVS_CAP_TIMER | HVS_CAP_INJECT,
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_REENLIGHTENMENT_CONTROLS}},
        .ref = REF_NESTED,
    },
    [HV_FEATURE_TSC_INVARIANT] = {
        .name = "tsc-invariant",
        .caps = HVS_CAP_TSC_STABLE,
        .is_off_by_default = true,      /* guests that see it believe the TSC for ever, and drop the TSC page */
        .bit = {{.leaf = 3, .reg = HVS_EAX, .bit = HV_ACCESS_TSC_INVARIANT_CONTROLS}},
        .ref = REF_MSRS,
    },
    [HV_FEATURE_STIME_UNHALTED] = {
        .name = "stime-unhalted",
        .needs = F(STIMER),             /* the privilege for it too */
        .caps = HVS_CAP_TIMER | HVS_CAP_INJECT | HVS_CAP_VCPU_TIME,
        .is_off_by_default = true,
        .bit = {{.leaf = 3, .reg = HVS_EDX, .bit = HV_SYNTHETIC_TIME_UNHALTED_TIMER_AVAILABLE}},
        .ref = REF_TIME,
    },
};

/* What both take. */
#define COMMON_FEATURES \
    (F(VPINDEX) | F(TIME) | F(FREQUENCIES) | F(SYNIC) | F(STIMER) | F(STIMER_DIRECT) | F(AVIC) | F(REENLIGHTENMENT) | \
     F(TLBFLUSH) | F(TLBFLUSH_EXT) | F(IPI) | F(XMM_INPUT))
#define WINDOWS_FEATURES (COMMON_FEATURES | F(RELAXED) | F(VAPIC) | F(SPINLOCKS) | F(RUNTIME))
#define LINUX_FEATURES (COMMON_FEATURES | F(CRASH))

/* All but "all" leave out what their guests have no use for; what they leave out can be switched on beside them. */
static const struct hvs_profile profiles[] = {
    {"windows", WINDOWS_FEATURES, "what QEMU's documentation recommends for Windows"},
    {"linux", LINUX_FEATURES, "what Linux guests use"},
    {"minimal", F(VPINDEX), "the least that guests take for Hyper-V"},
    {"all", UINT64_MAX, "everything that the host can do, also what is off by default"},
};

static const struct hvs_cpuid_row cpuid_rows[] = {
    {.leaf = 0, .name = "HvCpuIdFunctionHvVendorAndMaxFunction", .fill = hv_cpuid_vendor, .ref = REF_CPUID},
    {.leaf = 1, .name = "HvCpuIdFunctionHvInterface", .fixed = {{HV_INTERFACE_SIGNATURE}}, .ref = REF_CPUID},
    {.leaf = 2, .name = "HvCpuIdFunctionMsHvVersion", .fill = hv_cpuid_version, .ref = REF_CPUID},
    {.leaf = 3, .name = "HvCpuIdFunctionMsHvFeatures", .ref = REF_CPUID,
     .fixed = {{[HVS_EAX] = 1u << HV_ACCESS_HYPERCALL_MSRS, [HVS_EDX] = 1u << HV_HYPERCALL_MSR_LOCK_AVAILABLE}}},
    {.leaf = 4, .name = "HvCpuIdFunctionMsHvEnlightenmentInformation", .fill = hv_cpuid_enlightenments,
     .ref = REF_CPUID},
    {.leaf = 5, .name = "HvCpuIdFunctionMsHvImplementationLimits", .fixed = {{HV_MAX_VPS_NO_LIMIT}},
     .ref = REF_CPUID},
    /* What the hardware does for the hypervisor is not known here: nothing is claimed. */
    {.leaf = 6, .name = "HvCpuIdFunctionMsHvHardwareFeatures", .ref = REF_CPUID},
    /* Zero, and said to be there: beyond the last leaf some hosts answer as for another one. */
    {.leaf = 7, .name = "HvCpuIdFunctionMsHvCpuManagementFeatures", .ref = REF_CPUID},
    {.leaf = 8, .name = "HvCpuIdFunctionMsHvSvmFeatures", .ref = REF_CPUID},
    {.leaf = 9, .name = "HvCpuIdFunctionMsHvNestedHypervisorFeatures", .ref = REF_CPUID},
    {.leaf = 0xa, .name = "HvCpuIdFunctionMsHvNestedVirtualizationFeatures", .ref = REF_CPUID},
    {.leaf = 0xb, .name = "HvCpuIdFunctionMsHvIptFeatures", .ref = REF_CPUID},
    {.leaf = 0xc, .name = "HvCpuIdFunctionMsHvIsolationConfiguration", .ref = REF_CPUID},
    {.leaf = 0x80, .name = "HvCpuIdFunctionVirtualizationStackVendor", .fill = hv_cpuid_stack_vendor,
     .ref = REF_CPUID},
    {.leaf = 0x81, .name = "HvCpuIdFunctionVirtualizationStackInterface", .fill = hv_cpuid_stack_interface,
     .ref = REF_CPUID},
    {.leaf = 0x82, .name = "HvCpuIdFunctionVirtualizationStackProperties", .fill = hv_cpuid_stack_properties,
     .ref = REF_CPUID},
};

/* A message of each timer, and a deadline. */
enum { MAX_RETRY_EFFECTS = HV_SYNIC_STIMER_COUNT + 1 };

#define MSR(msr) .first = HV_X64_MSR_##msr, .last = HV_X64_MSR_##msr, .name = "HV_X64_MSR_" #msr

static const struct hvs_msr_row msr_rows[] = {
    {MSR(GUEST_OS_ID), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VM, .save = HVS_PHASE_CONTROL,
     .read = hv_guest_os_id_read, .write = hv_guest_os_id_write, .ref = REF_INTERFACE},
    {MSR(HYPERCALL), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VM, .save = HVS_PHASE_PAGES,
     .read = hv_hypercall_read, .write = hv_hypercall_write, .ref = REF_INTERFACE},
    {MSR(VP_INDEX), .feature = HV_FEATURE_VPINDEX, .scope = HVS_SCOPE_VCPU, .read = hv_vp_index_read, .ref = REF_VP},
    {MSR(RESET), .feature = HV_FEATURE_RESET, .scope = HVS_SCOPE_VCPU, .max_effects = 1,
     .reserved = ~HV_X64_MSR_RESET_NOW, .read = hv_reset_read, .write = hv_reset_write, .ref = REF_PARTITION},
    {MSR(VP_RUNTIME), .feature = HV_FEATURE_RUNTIME, .scope = HVS_SCOPE_VCPU, .read = hv_vp_runtime_read,
     .write = hv_vp_runtime_write, .ref = REF_VP},
    {MSR(TIME_REF_COUNT), .feature = HV_FEATURE_TIME, .scope = HVS_SCOPE_VCPU, .read = hv_time_ref_count_read,
     .ref = REF_TIME},
    {MSR(REFERENCE_TSC), .feature = HV_FEATURE_TIME, .scope = HVS_SCOPE_VM, .save = HVS_PHASE_PAGES,
     .read = hv_reference_tsc_read, .write = hv_reference_tsc_write, .ref = REF_TIME},
    {MSR(TSC_FREQUENCY), .feature = HV_FEATURE_FREQUENCIES, .scope = HVS_SCOPE_VCPU, .read = hv_tsc_frequency_read,
     .ref = REF_TIME},
    {MSR(APIC_FREQUENCY), .feature = HV_FEATURE_FREQUENCIES, .scope = HVS_SCOPE_VCPU,
     .read = hv_apic_frequency_read, .ref = REF_TIME},
    {MSR(EOI), .feature = HV_FEATURE_VAPIC, .scope = HVS_SCOPE_VCPU, .reserved = ~0xffffffffull,
     .max_effects = MAX_RETRY_EFFECTS, .write = hv_eoi_write, .ref = REF_INTERRUPTS},
    {MSR(ICR), .feature = HV_FEATURE_VAPIC, .scope = HVS_SCOPE_VCPU, .read = hv_icr_read, .write = hv_icr_write,
     .ref = REF_INTERRUPTS},
    {MSR(TPR), .feature = HV_FEATURE_VAPIC, .scope = HVS_SCOPE_VCPU, .reserved = ~0xffull, .read = hv_tpr_read,
     .write = hv_tpr_write, .ref = REF_INTERRUPTS},
    /* Linux (6.1 for one) writes it on every host that says Hv#1, whatever the privileges, and logs a #GP at length. */
    {MSR(VP_ASSIST_PAGE), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VCPU, .save = HVS_PHASE_PAGES,
     .read = hv_vp_assist_page_read, .write = hv_vp_assist_page_write, .ref = REF_VP},
    {MSR(SCONTROL), .feature = HV_FEATURE_SYNIC, .scope = HVS_SCOPE_VCPU, .save = HVS_PHASE_CONTROL,
     .max_effects = MAX_RETRY_EFFECTS, .read = hv_scontrol_read, .write = hv_scontrol_write, .ref = REF_SYNIC},
    {MSR(SVERSION), .feature = HV_FEATURE_SYNIC, .scope = HVS_SCOPE_VCPU, .read = hv_sversion_read, .ref = REF_SYNIC},
    {MSR(SIEFP), .feature = HV_FEATURE_SYNIC, .scope = HVS_SCOPE_VCPU, .save = HVS_PHASE_PAGES,
     .read = hv_siefp_read, .write = hv_siefp_write, .ref = REF_SYNIC},
    {MSR(SIMP), .feature = HV_FEATURE_SYNIC, .scope = HVS_SCOPE_VCPU, .save = HVS_PHASE_PAGES,
     .max_effects = MAX_RETRY_EFFECTS, .read = hv_simp_read, .write = hv_simp_write, .ref = REF_SYNIC},
    {MSR(EOM), .feature = HV_FEATURE_SYNIC, .scope = HVS_SCOPE_VCPU, .max_effects = MAX_RETRY_EFFECTS,
     .read = hv_eom_read, .write = hv_eom_write, .ref = REF_SYNIC},
    {.first = HV_X64_MSR_SINT0, .last = HV_X64_MSR_SINT15, .name = "HV_X64_MSR_SINT0-SINT15",
     .feature = HV_FEATURE_SYNIC, .scope = HVS_SCOPE_VCPU, .save = HVS_PHASE_MESSAGES,
     .read = hv_sint_read, .write = hv_sint_write, .ref = REF_SYNIC},
    /* An interrupt, where the time has passed already, and the deadline. */
    {.first = HV_X64_MSR_STIMER0_CONFIG, .last = HV_X64_MSR_STIMER3_COUNT,
     .name = "HV_X64_MSR_STIMER0_CONFIG-STIMER3_COUNT", .feature = HV_FEATURE_STIMER, .scope = HVS_SCOPE_VCPU,
     .max_effects = 2, .read = hv_stimer_read, .write = hv_stimer_write, .ref = REF_TIME},
    {MSR(GUEST_IDLE), .feature = HV_FEATURE_IDLE, .scope = HVS_SCOPE_VCPU, .max_effects = 1,
     .read = hv_guest_idle_read, .ref = REF_VP},
    /* STATUS can be read only. */
    {.first = HV_X64_MSR_SYNTH_DEBUG_CONTROL, .last = HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER,
     .name = "HV_X64_MSR_SYNTH_DEBUG_CONTROL-PENDING_BUFFER", .feature = HV_FEATURE_SYNDBG, .scope = HVS_SCOPE_VM,
     .save = HVS_PHASE_CONTROL, .read = hv_debug_read, .write = hv_debug_write, .ref = REF_CPUID},
    {MSR(DEBUG_DEVICE_OPTIONS), .feature = HV_FEATURE_SYNDBG, .scope = HVS_SCOPE_VCPU, .read = hv_debug_options_read,
     .ref = REF_CPUID},
    {.first = HV_X64_MSR_CRASH_P0, .last = HV_X64_MSR_CRASH_P4, .name = "HV_X64_MSR_CRASH_P0-P4",
     .feature = HV_FEATURE_CRASH, .scope = HVS_SCOPE_VM, .save = HVS_PHASE_CONTROL,
     .read = hv_crash_parameter_read, .write = hv_crash_parameter_write, .ref = REF_PARTITION},
    {MSR(CRASH_CTL), .feature = HV_FEATURE_CRASH, .scope = HVS_SCOPE_VM, .max_effects = 1,
     .read = hv_crash_ctl_read, .write = hv_crash_ctl_write, .ref = REF_PARTITION},
    {MSR(REENLIGHTENMENT_CONTROL), .feature = HV_FEATURE_REENLIGHTENMENT, .scope = HVS_SCOPE_VM,
     .save = HVS_PHASE_CONTROL, .reserved = HV_REENLIGHTENMENT_RESERVED, .read = hv_reenlightenment_control_read,
     .write = hv_reenlightenment_control_write, .ref = REF_NESTED},
    {MSR(TSC_EMULATION_CONTROL), .feature = HV_FEATURE_REENLIGHTENMENT, .scope = HVS_SCOPE_VM,
     .save = HVS_PHASE_CONTROL, .reserved = ~HV_TSC_EMULATION_ENABLED, .read = hv_tsc_emulation_control_read,
     .write = hv_tsc_emulation_control_write, .ref = REF_NESTED},
    {MSR(TSC_EMULATION_STATUS), .feature = HV_FEATURE_REENLIGHTENMENT, .scope = HVS_SCOPE_VM,
     .save = HVS_PHASE_CONTROL, .read = hv_tsc_emulation_status_read, .write = hv_tsc_emulation_status_write,
     .ref = REF_NESTED},
    {MSR(STIME_UNHALTED_TIMER_CONFIG), .feature = HV_FEATURE_STIME_UNHALTED, .scope = HVS_SCOPE_VCPU,
     .save = HVS_PHASE_TIMERS, .max_effects = 1,
     .reserved = ~(HV_STIME_UNHALTED_ENABLED | HV_STIME_UNHALTED_VECTOR_MASK), .read = hv_unhalted_config_read,
     .write = hv_unhalted_config_write, .ref = REF_TIME},
    {MSR(STIME_UNHALTED_TIMER_COUNT), .feature = HV_FEATURE_STIME_UNHALTED, .scope = HVS_SCOPE_VCPU,
     .save = HVS_PHASE_TIMERS, .max_effects = 1, .read = hv_unhalted_count_read, .write = hv_unhalted_count_write,
     .ref = REF_TIME},
    {MSR(TSC_INVARIANT_CONTROL), .feature = HV_FEATURE_TSC_INVARIANT, .scope = HVS_SCOPE_VM,
     .save = HVS_PHASE_CONTROL, .reserved = ~HV_EXPOSE_INVARIANT_TSC, .read = hv_tsc_invariant_control_read,
     .write = hv_tsc_invariant_control_write, .ref = REF_MSRS},
};

#define HCALL(call) .code = HvCall##call, .name = "HvCall" #call

static const struct hvs_hcall_row hcall_rows[] = {
    {HCALL(FlushVirtualAddressSpace), .feature = HV_FEATURE_TLBFLUSH, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .flags = HVS_HCALL_FAST, .max_effects = 1, .in_bytes = sizeof(struct hv_input_flush_virtual_address_space),
     .fn = hv_flush_space, .ref = REF_MMU},
    {HCALL(FlushVirtualAddressList), .feature = HV_FEATURE_TLBFLUSH, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_REP,
     .flags = HVS_HCALL_FAST, .max_effects = 1, .in_bytes = sizeof(struct hv_input_flush_virtual_address_space),
     .elem_in_bytes = sizeof(uint64_t), .fn = hv_flush_list, .ref = REF_MMU},
    {.code = HvCallNotifyLongSpinWait, .name = "HvCallNotifyLongSpinWait", .feature = HV_FEATURE_SPINLOCKS,
     .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE, .flags = HVS_HCALL_FAST, .max_effects = 1,
     .in_bytes = sizeof(struct hv_input_notify_long_spin_wait), .fn = hv_notify_long_spin_wait, .ref = REF_VP},
    {HCALL(SendSyntheticClusterIpi), .feature = HV_FEATURE_IPI, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .flags = HVS_HCALL_FAST, .max_effects = 1, .in_bytes = sizeof(struct hv_input_send_synthetic_cluster_ipi),
     .fn = hv_send_ipi, .ref = REF_INTERRUPTS},
    {HCALL(FlushVirtualAddressSpaceEx),
     .feature = HV_FEATURE_TLBFLUSH, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .flags = HVS_HCALL_FAST | HVS_HCALL_VAR, .max_effects = 1,
     .in_bytes = sizeof(struct hv_input_flush_virtual_address_space_ex), .fn = hv_flush_space_ex, .ref = REF_MMU},
    {HCALL(FlushVirtualAddressListEx), .feature = HV_FEATURE_TLBFLUSH, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_REP,
     .flags = HVS_HCALL_FAST | HVS_HCALL_VAR, .max_effects = 1,
     .in_bytes = sizeof(struct hv_input_flush_virtual_address_space_ex), .elem_in_bytes = sizeof(uint64_t),
     .fn = hv_flush_list_ex, .ref = REF_MMU},
    {HCALL(SendSyntheticClusterIpiEx), .feature = HV_FEATURE_IPI, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .flags = HVS_HCALL_FAST | HVS_HCALL_VAR, .max_effects = 1,
     .in_bytes = sizeof(struct hv_input_send_synthetic_cluster_ipi_ex), .fn = hv_send_ipi_ex, .ref = REF_INTERRUPTS},
    {HCALL(GetPartitionId), .feature = HV_FEATURE_PARTITION_ID, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .flags = HVS_HCALL_FAST, .out_bytes = sizeof(uint64_t), .fn = hv_get_partition_id, .ref = REF_PARTITION},
    {HCALL(GetVpRegisters), .feature = HV_FEATURE_VP_REGISTERS, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_REP,
     .flags = HVS_HCALL_FAST, .in_bytes = sizeof(struct hv_input_vp_registers), .elem_in_bytes = sizeof(uint32_t),
     .elem_out_bytes = sizeof(struct hv_register_value), .fn = hv_get_vp_registers, .ref = REF_VP},
    {HCALL(SetVpRegisters), .feature = HV_FEATURE_VP_REGISTERS, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_REP,
     .flags = HVS_HCALL_FAST, .max_effects = HVS_MAX_EFFECTS, .in_bytes = sizeof(struct hv_input_vp_registers),
     .elem_in_bytes = sizeof(struct hv_register_assoc), .fn = hv_set_vp_registers, .ref = REF_VP},
    {HCALL(TranslateVirtualAddress),
     .feature = HV_FEATURE_VP_REGISTERS, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .flags = HVS_HCALL_FAST, .in_bytes = sizeof(struct hv_input_translate_virtual_address),
     .out_bytes = sizeof(struct hv_output_translate_virtual_address), .fn = hv_translate_virtual_address,
     .ref = REF_MMU},
    {.code = HvCallPostMessage, .name = "HvCallPostMessage", .feature = HV_FEATURE_SYNIC, .scope = HVS_SCOPE_VCPU,
     .kind = HVS_HCALL_SIMPLE, .in_bytes = sizeof(struct hv_input_post_message), .fn = hv_post_message,
     .ref = REF_SYNIC},
    {.code = HvCallSignalEvent, .name = "HvCallSignalEvent", .feature = HV_FEATURE_SYNIC, .scope = HVS_SCOPE_VCPU,
     .kind = HVS_HCALL_SIMPLE, .flags = HVS_HCALL_FAST, .in_bytes = sizeof(struct hv_input_signal_event),
     .fn = hv_signal_event, .ref = REF_SYNIC},
    {HCALL(PostDebugData), .feature = HV_FEATURE_SYNDBG, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .in_bytes = sizeof(struct hv_input_post_debug_data), .out_bytes = sizeof(struct hv_output_post_debug_data),
     .fn = hv_post_debug_data, .ref = REF_CPUID},
    {HCALL(RetrieveDebugData), .feature = HV_FEATURE_SYNDBG, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .in_bytes = sizeof(struct hv_input_retrieve_debug_data),
     .out_bytes = sizeof(struct hv_output_retrieve_debug_data), .fn = hv_retrieve_debug_data, .ref = REF_CPUID},
    {HCALL(ResetDebugSession), .feature = HV_FEATURE_SYNDBG, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .flags = HVS_HCALL_FAST, .in_bytes = sizeof(struct hv_input_reset_debug_session),
     .out_bytes = sizeof(struct hv_output_reset_debug_session), .fn = hv_reset_debug_session, .ref = REF_CPUID},
    {HCALL(OutputDebugCharacter), .feature = HV_FEATURE_SYNDBG, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .flags = HVS_HCALL_FAST, .max_effects = 1, .in_bytes = sizeof(uint64_t), .fn = hv_output_debug_character,
     .ref = REF_CPUID},
    {HCALL(RetargetDeviceInterrupt),
     .feature = HV_FEATURE_RETARGET, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .flags = HVS_HCALL_FAST | HVS_HCALL_VAR, .in_bytes = sizeof(struct hv_input_retarget_device_interrupt),
     .fn = hv_retarget_device_interrupt, .ref = REF_INTERRUPTS},
    {HCALL(StartVirtualProcessor), .feature = HV_FEATURE_START_VP, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .max_effects = 1, .in_bytes = sizeof(struct hv_input_start_virtual_processor), .fn = hv_start_virtual_processor,
     .ref = REF_VP},
    {HCALL(GetVpIndexFromApicId), .feature = HV_FEATURE_VPINDEX, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_REP,
     .flags = HVS_HCALL_FAST, .in_bytes = sizeof(struct hv_input_get_vp_index_from_apic_id),
     .elem_in_bytes = sizeof(uint32_t), .elem_out_bytes = sizeof(uint32_t), .fn = hv_get_vp_index_from_apic_id,
     .ref = REF_VP},
    {.code = HvExtCallQueryCapabilities, .name = "HvExtCallQueryCapabilities", .feature = HV_FEATURE_EXT_HYPERCALLS,
     .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE, .flags = HVS_HCALL_FAST, .out_bytes = sizeof(uint64_t),
     .fn = hv_ext_query_capabilities, .ref = REF_INTERFACE},
    {.code = HvExtCallGetBootZeroedMemory, .name = "HvExtCallGetBootZeroedMemory",
     .feature = HV_FEATURE_EXT_HYPERCALLS, .scope = HVS_SCOPE_VCPU, .kind = HVS_HCALL_SIMPLE,
     .out_bytes = sizeof(struct hv_ext_output_boot_zeroed_memory), .fn = hv_ext_get_boot_zeroed_memory,
     .ref = REF_INTERFACE},
};

const struct hvs_personality hvs_hv_personality = {
    .name = "hyperv",
    .title = "Microsoft Hyper-V",
    .id = 0x76707968,                   /* "hypv" */
    .place = HVS_PLACE_FIRST,
    .nr_timers = HV_NR_TIMERS,
    .nr_vm_overlays = HV_NR_VM_OVERLAYS,
    .nr_vcpu_overlays = HV_NR_VCPU_OVERLAYS,
    .vm_bytes = sizeof(struct hv_vm),
    .vcpu_bytes = sizeof(struct hv_vcpu),
    .feature = features,
    .cpuid = cpuid_rows,
    .msr = msr_rows,
    .hcall = hcall_rows,
    .profile = profiles,
    .nr_features = HVS_ARRAY_SIZE(features),
    .nr_cpuid = HVS_ARRAY_SIZE(cpuid_rows),
    .nr_msr = HVS_ARRAY_SIZE(msr_rows),
    .nr_hcall = HVS_ARRAY_SIZE(hcall_rows),
    .nr_profiles = HVS_ARRAY_SIZE(profiles),
    .hypercall = hv_hypercall,
    .claims_raw = hv_claims_raw,
    .raw_feature = HVS_FEATURE_NEVER,   /* the page that we write does it */
    .vcpu_reset = hv_synic_reset,
    .clock_moved = hv_clock_moved,
    .host = hv_host,
    .timer = hv_timer,
    .save = hv_save,
    .load = hv_load,
    .lacking = hv_lacking,
};
