/*
 * The VMware personality: its rows, which say all that it can do.
 *
 * Left out: the commands of VMware's own firmware and of its consoles, and pseudo performance counters, since no
 * backend sees RDPMC (KVM's kernel answers three of them by itself). Commands without a row answer as VMware answers one that it does not have.
 */
#include <hvshim/translators.h>

#include "vmw_state.h"

static const struct hvs_feature feature[VMW_NR_FEATURES] = {
    [VMW_FEATURE_VMPORT] = {.name = "vmport", .ref = "BDOOR BDOOR_PORT"},
    /* The interface has no way to say that the TSC cannot be trusted, only to say nothing of it. */
    [VMW_FEATURE_FREQ] = {
        .name = "vmware-cpuid-freq",
        .caps = HVS_CAP_TSC_STABLE,
        .ref = "CPUID leaf 0x40000010; BDOOR GETHZ",
    },
    [VMW_FEATURE_VMCALL] = {
        .name = "vmcall",
        .caps = HVS_CAP_RAW_HYPERCALL,
        .is_off_by_default = true,
        .ref = "BDOOR BDOOR_FLAGS",
    },
    [VMW_FEATURE_GUESTRPC] = {.name = "guestrpc", .ref = "BDOOR BDOOR_CMD_MESSAGE; MSG"},
    /* vmt uses it without asking, and iPXE wants to be told of it. */
    [VMW_FEATURE_GUESTRPC_HB] = {
        .name = "guestrpc-hb",
        .needs = 1ull << VMW_FEATURE_GUESTRPC,
        .caps = HVS_CAP_STRINGS,
        .ref = "BDOOR BDOORHB_PORT",
    },
    /* Linux wants the TSC's rate from us before it looks for this. */
    [VMW_FEATURE_STEALCLOCK] = {
        .name = "stealclock",
        .needs = 1ull << VMW_FEATURE_FREQ,
        .caps = HVS_CAP_VCPU_TIME | HVS_CAP_TIMER,
        .ref = "BDOOR BDOOR_CMD_STEALCLOCK",
    },
    [VMW_FEATURE_BALLOON] = {.name = "balloon", .ref = "BALLOON"},
    [VMW_FEATURE_VMMOUSE] = {.name = "vmmouse", .ref = "BDOOR BDOOR_CMD_ABSPOINTER"},
};

static const struct hvs_cpuid_row cpuid[] = {
    {
        .leaf = VMW_CPUID_SIGNATURE - HVS_CPUID_FIRST,
        .name = "signature",
        .fixed = {{0, VMW_CPUID_SIGNATURE_EBX, VMW_CPUID_SIGNATURE_ECX, VMW_CPUID_SIGNATURE_EDX}},
        .fill = vmw_cpuid_signature,
        .ref = "CPUID",
    },
    {.leaf = VMW_CPUID_TIMING - HVS_CPUID_FIRST, .name = "timing", .fill = vmw_cpuid_timing, .ref = "CPUID"},
};

#define COMMAND(command, on, handler, more) \
    {.code = (command), .name = #command, .feature = (on), .flags = (more), .fn = (handler), .ref = "BDOOR"}
#define LOCKED_COMMAND(command, on, handler, more) \
    {.code = (command), .name = #command, .feature = (on), .scope = HVS_SCOPE_VM, .flags = (more), .fn = (handler), \
     .ref = "BDOOR"}
static const struct hvs_hcall_row hcall[] = {
    COMMAND(BDOOR_CMD_GETMHZ, VMW_FEATURE_FREQ, vmw_getmhz, 0),
    COMMAND(BDOOR_CMD_GETVERSION, HVS_FEATURE_ALWAYS, vmw_getversion, 0),
    LOCKED_COMMAND(BDOOR_CMD_GETGUIOPTIONS, VMW_FEATURE_GUESTRPC, vmw_getguioptions, 0),
    LOCKED_COMMAND(BDOOR_CMD_SETGUIOPTIONS, VMW_FEATURE_GUESTRPC, vmw_setguioptions, 0),
    COMMAND(BDOOR_CMD_GETHWVERSION, HVS_FEATURE_ALWAYS, vmw_gethwversion, 0),
    COMMAND(BDOOR_CMD_GETUUID, HVS_FEATURE_ALWAYS, vmw_getuuid, 0),
    COMMAND(BDOOR_CMD_GETMEMSIZE, HVS_FEATURE_ALWAYS, vmw_getmemsize, 0),
    COMMAND(BDOOR_CMD_GETTIME, HVS_FEATURE_ALWAYS, vmw_gettime, 0),
    LOCKED_COMMAND(BDOOR_CMD_MESSAGE, VMW_FEATURE_GUESTRPC, vmw_message, 0),
    LOCKED_COMMAND(BDOOR_CMD_ISMOUSEABSOLUTE, VMW_FEATURE_VMMOUSE, vmw_ismouseabsolute, 0),
    LOCKED_COMMAND(BDOOR_CMD_ABSPOINTER_DATA, VMW_FEATURE_VMMOUSE, vmw_abspointer_data, 0),
    LOCKED_COMMAND(BDOOR_CMD_ABSPOINTER_STATUS, VMW_FEATURE_VMMOUSE, vmw_abspointer_status, 0),
    LOCKED_COMMAND(BDOOR_CMD_ABSPOINTER_COMMAND, VMW_FEATURE_VMMOUSE, vmw_abspointer_command, 0),
    COMMAND(BDOOR_CMD_GETHZ, VMW_FEATURE_FREQ, vmw_gethz, VMW_ROW_CPL0),
    COMMAND(BDOOR_CMD_GETTIMEFULL, HVS_FEATURE_ALWAYS, vmw_gettimefull, 0),
    COMMAND(BDOOR_CMD_GETTIMEFULL_WITH_LAG, HVS_FEATURE_ALWAYS, vmw_gettimefull_with_lag, 0),
    COMMAND(BDOOR_CMD_GET_VCPU_INFO, HVS_FEATURE_ALWAYS, vmw_get_vcpu_info, 0),
    LOCKED_COMMAND(BDOOR_CMD_ABSPOINTER_RESTRICT, VMW_FEATURE_VMMOUSE, vmw_abspointer_restrict, 0),
    {
        .code = BDOOR_CMD_STEALCLOCK,
        .name = "BDOOR_CMD_STEALCLOCK",
        .feature = VMW_FEATURE_STEALCLOCK,
        .flags = VMW_ROW_CPL0,
        .max_effects = 1,
        .fn = vmw_stealclock,
        .ref = "BDOOR",
    },
};
#undef COMMAND
#undef LOCKED_COMMAND

static const struct hvs_pio_row pio[] = {
    {
        .first = BDOOR_PORT,
        .last = BDOOR_PORT,
        .name = "BDOOR_PORT",
        .feature = VMW_FEATURE_VMPORT,
        .fn = vmw_port,
        .ref = "BDOOR",
    },
    {
        .first = BDOORHB_PORT,
        .last = BDOORHB_PORT,
        .name = "BDOORHB_PORT",
        .feature = VMW_FEATURE_GUESTRPC_HB,
        .scope = HVS_SCOPE_VM,
        .takes_strings = true,
        .fn = vmw_highband_port,
        .ref = "BDOOR",
    },
    {
        .first = BALLOON_BDOOR_PORT,
        .last = BALLOON_BDOOR_PORT,
        .name = "BALLOON_BDOOR_PORT",
        .feature = VMW_FEATURE_BALLOON,
        .fn = vmw_balloon_port,
        .ref = "BALLOON",
    },
};

const struct hvs_vmw_options *vmw_options(const struct hvs_ctx *ctx)
{
    static const struct hvs_vmw_options defaults = {.size = sizeof(defaults)};
    const struct hvs_vmw_options *options = hvs_ctx_options(ctx);

    return options && options->size >= sizeof(*options) ? options : &defaults;
}

const struct hvs_personality hvs_vmw_personality = {
    .name = "vmware",
    .title = "VMware",
    .id = 0x20776d76,           /* "vmw " */
    .place = HVS_PLACE_FIRST,
    .store_bytes = HVS_STORE_BYTES,
    .nr_timers = 1,
    .vm_bytes = sizeof(struct vmw_vm),
    .vcpu_bytes = sizeof(struct vmw_vcpu),
    .feature = feature,
    .cpuid = cpuid,
    .hcall = hcall,
    .pio = pio,
    .nr_features = HVS_ARRAY_SIZE(feature),
    .nr_cpuid = HVS_ARRAY_SIZE(cpuid),
    .nr_hcall = HVS_ARRAY_SIZE(hcall),
    .nr_pio = HVS_ARRAY_SIZE(pio),
    .vm_reset = vmw_tools_options_reset,
    .host = vmw_host,
    .timer = vmw_steal_timer,
    .save = vmw_save,
    .load = vmw_load,
    .hypercall = vmw_hypercall,
    .claims_raw = vmw_claims_raw,
    .raw_feature = VMW_FEATURE_VMCALL,
};
