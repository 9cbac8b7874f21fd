/*
 * GetVpRegisters and SetVpRegisters for the caller's own VP [TLFS vp-properties; HV_REGISTER_NAME].
 *
 * A register is the MSR of the same meaning, with its rules, or a CPUID leaf. Left out: registers that instructions
 * reach (RIP, CR3, ...), which only another VTL would ask for; GUEST_IDLE, whose reading is an act; other VPs. Order of
 * checks: partition, VTL and padding, VP, then the registers one by one.
 */
#include <hvshim/translators.h>

#include "hv_state.h"

/* Register `first` and those that follow it are MSR `msr` and those that follow that one. */
static const struct {
    uint32_t first, last, msr;
} msr_of[] = {
    {HvRegisterGuestCrashP0, HvRegisterGuestCrashCtl, HV_X64_MSR_CRASH_P0},
    {HvRegisterProcessorClockFrequency, HvRegisterInterruptClockFrequency, HV_X64_MSR_TSC_FREQUENCY},
    {HvRegisterDebugDeviceOptions, HvRegisterDebugDeviceOptions, HV_X64_MSR_DEBUG_DEVICE_OPTIONS},
    {HvRegisterVpRuntime, HvRegisterVpRuntime, HV_X64_MSR_VP_RUNTIME},
    {HvX64RegisterHypercall, HvX64RegisterHypercall, HV_X64_MSR_HYPERCALL},
    {HvRegisterGuestOsId, HvRegisterGuestOsId, HV_X64_MSR_GUEST_OS_ID},
    {HvRegisterVpIndex, HvRegisterVpIndex, HV_X64_MSR_VP_INDEX},
    {HvRegisterTimeRefCount, HvRegisterTimeRefCount, HV_X64_MSR_TIME_REF_COUNT},
    {HvX64RegisterSyntheticEoi, HvRegisterVpAssistPage, HV_X64_MSR_EOI},
    {HvRegisterReferenceTsc, HvRegisterReferenceTsc, HV_X64_MSR_REFERENCE_TSC},
    {HvRegisterSint0, HvRegisterSint15, HV_X64_MSR_SINT0},
    {HvRegisterScontrol, HvRegisterSirbp, HV_X64_MSR_SCONTROL},
    {HvRegisterStimer0Config, HvRegisterStimer3Count, HV_X64_MSR_STIMER0_CONFIG},
    {HvRegisterStimeUnhaltedTimerConfig, HvRegisterStimeUnhaltedTimerCount, HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG},
};

static const struct {
    uint32_t name;
    uint8_t leaf;
} leaf_of[] = {
    {HvRegisterHypervisorVersion, 2}, {HvRegisterPrivilegesAndFeaturesInfo, 3}, {HvRegisterFeaturesInfo, 4},
    {HvRegisterImplementationLimitsInfo, 5}, {HvRegisterHardwareFeaturesInfo, 6},
    {HvRegisterCpuManagementFeaturesInfo, 7}, {HvRegisterPasidFeaturesInfo, 8},
    {HvRegisterNestedVirtFeaturesInfo, 0xa}, {HvRegisterIptFeaturesInfo, 0xb},
};

/* 0 where no MSR is this register. */
static uint32_t find_msr(uint32_t name)
{
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(msr_of); i++) {
        if (name >= msr_of[i].first && name <= msr_of[i].last)
            return msr_of[i].msr + (name - msr_of[i].first);
    }
    return 0;
}

static uint16_t check_target(const struct hvs_ctx *ctx, const struct hv_input_vp_registers *in)
{
    if (!hv_is_own_partition(ctx, in->partition_id))
        return HV_STATUS_ACCESS_DENIED;
    if (!hv_is_own_vtl(in->target_vtl) || in->rsvdz[0] || in->rsvdz[1] || in->rsvdz[2])
        return HV_STATUS_INVALID_PARAMETER;
    if (hv_is_own_vp(ctx, in->vp_index))
        return HV_STATUS_SUCCESS;
    return in->vp_index < hvs_ctx_nr_vps(ctx) ? HV_STATUS_ACCESS_DENIED : HV_STATUS_INVALID_VP_INDEX;
}

static uint16_t get_leaf(struct hvs_ctx *ctx, uint32_t name, struct hv_register_value *value)
{
    struct hvs_cpuid_regs regs;

    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(leaf_of); i++) {
        if (leaf_of[i].name != name)
            continue;
        hvs_ctx_cpuid(ctx, leaf_of[i].leaf, 0, &regs);
        value->low = regs.reg[HVS_EAX] | (uint64_t)regs.reg[HVS_EBX] << 32;
        value->high = regs.reg[HVS_ECX] | (uint64_t)regs.reg[HVS_EDX] << 32;
        return HV_STATUS_SUCCESS;
    }
    return HV_STATUS_INVALID_PARAMETER;
}

static uint16_t get(struct hvs_ctx *ctx, uint32_t name, struct hv_register_value *value)
{
    uint32_t msr = find_msr(name);

    *value = (struct hv_register_value){0, 0};
    if (!msr)
        return get_leaf(ctx, name, value);
    return hvs_ctx_msr_read(ctx, msr, &value->low) == HVS_HANDLED ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}

int64_t hv_get_vp_registers(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct hv_register_value *value = call->elem_out;
    const uint32_t *name = call->elem_in;
    uint16_t status = check_target(ctx, call->in);

    while (!status && call->reps_done < call->rep_count) {
        status = get(ctx, *name++, value++);
        call->reps_done += status == HV_STATUS_SUCCESS;
    }
    return status;
}

/* The row of a register that can be set, or NULL. */
static const struct hvs_msr_row *find_settable(uint32_t msr)
{
    for (uint32_t i = 0; msr && i < hvs_hv_personality.nr_msr; i++) {
        const struct hvs_msr_row *row = &hvs_hv_personality.msr[i];

        if (msr >= row->first && msr <= row->last)
            return row->write ? row : NULL;
    }
    return NULL;
}

static uint16_t set(struct hvs_ctx *ctx, const struct hv_register_assoc *assoc, const struct hvs_msr_row *row)
{
    if (!row || assoc->rsvdz[0] || assoc->rsvdz[1] || assoc->rsvdz[2])
        return HV_STATUS_INVALID_PARAMETER;
    if (assoc->value.high)
        return HV_STATUS_INVALID_REGISTER_VALUE;
    switch (hvs_ctx_msr_write(ctx, find_msr(assoc->name), assoc->value.low)) {
    case HVS_HANDLED:
        return HV_STATUS_SUCCESS;
    case HVS_UNHANDLED:
        return HV_STATUS_INVALID_PARAMETER;     /* its feature is off */
    case HVS_FAULT:
    case HVS_RETRY:
        break;
    }
    return HV_STATUS_INVALID_REGISTER_VALUE;
}

/* Stops where the exit has no room for what the next register may cause; the guest then goes on from there. */
int64_t hv_set_vp_registers(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_register_assoc *assoc = call->elem_in;
    uint16_t status = check_target(ctx, call->in);

    while (!status && call->reps_done < call->rep_count) {
        const struct hvs_msr_row *row = find_settable(find_msr(assoc->name));

        if (row && ctx->out->nr_effects + row->max_effects > HVS_MAX_EFFECTS)
            break;
        status = set(ctx, assoc++, row);
        call->reps_done += status == HV_STATUS_SUCCESS;
    }
    return status;
}
