/*
 * RetargetDeviceInterrupt: a guest moves a device's interrupt; the host does it [TLFS HvCallRetargetDeviceInterrupt].
 *
 * Which devices there are is the host's word. Order of checks: partition, reserved fields and source, vector, the
 * processors, then the host.
 */
#include <hvshim/hyperv.h>

#include "hv_state.h"

HVS_STATIC_ASSERT((int)HVS_HV_INVALID_PARAMETER == HV_STATUS_INVALID_PARAMETER, "invalid parameter");

static bool is_sound(const struct hv_input_retarget_device_interrupt *in)
{
    const uint32_t known = HV_DEVICE_INTERRUPT_TARGET_MULTICAST | HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET;

    if (in->rsvdz || in->interrupt_entry.reserved || (in->flags & ~known))
        return false;
    if (in->interrupt_entry.interrupt_source != HV_INTERRUPT_SOURCE_MSI)
        return false;
    return in->vector >= HV_IPI_LOW_VECTOR && in->vector <= HV_IPI_HIGH_VECTOR;
}

/* With PROCESSOR_SET the mask is the set's format; the mask of its banks and the banks are the variable header. */
static uint16_t read_targets(const struct hvs_ctx *ctx, const struct hvs_call *call, struct hvs_vpset *targets)
{
    const struct hv_input_retarget_device_interrupt *in = call->in;

    if (in->flags & HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET) {
        struct hv_vp_set set = {in->processor_mask, call->nr_var ? call->var[0] : 0};

        return hv_vp_set(ctx, &set, call->var + 1, call->nr_var ? call->nr_var - 1 : 0, targets);
    }
    if (call->nr_var)
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    hv_vp_mask(ctx, in->processor_mask, targets);
    return HV_STATUS_SUCCESS;
}

int64_t hv_retarget_device_interrupt(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_retarget_device_interrupt *in = call->in;
    struct hvs_hv_host host = hv_host_services(hvs_ctx_options(ctx));
    struct hvs_vpset targets;
    const struct hvs_hv_device_interrupt to = {
        .device_id = in->device_id,
        .msi_address = in->interrupt_entry.msi_address,
        .msi_data = in->interrupt_entry.msi_data,
        .vector = in->vector,
        .is_multicast = in->flags & HV_DEVICE_INTERRUPT_TARGET_MULTICAST,
        .targets = &targets,
    };
    uint16_t status;

    if (!hv_is_own_partition(ctx, in->partition_id))
        return HV_STATUS_INVALID_PARTITION_ID;
    if (!is_sound(in))
        return HV_STATUS_INVALID_PARAMETER;
    status = read_targets(ctx, call, &targets);
    if (status)
        return status;
    if (hvs_vpset_next(&targets, 0) == HVS_MAX_VPS)
        return HV_STATUS_INVALID_PARAMETER;
    return host.interrupt_retargeted(host.ctx, ctx->vp, &to);
}
