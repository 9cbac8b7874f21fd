/*
 * Interrupts to many VPs by one call: SendSyntheticClusterIpi and Ex [TLFS virtual-interrupts].
 *
 * VPs that do not exist are passed over, as on KVM, and padding is not looked at. Order of checks: vector, target VTL,
 * then the processors.
 */
#include "hv_state.h"

static bool is_sendable(uint32_t vector, uint8_t target_vtl)
{
    return vector >= HV_IPI_LOW_VECTOR && vector <= HV_IPI_HIGH_VECTOR && hv_is_own_vtl(target_vtl);
}

static void send(struct hvs_ctx *ctx, uint32_t vector, const struct hvs_vpset *targets)
{
    if (hvs_vpset_next(targets, 0) < HVS_MAX_VPS)
        hvs_emit_inject_set(ctx, targets, (uint8_t)vector);
}

int64_t hv_send_ipi(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_send_synthetic_cluster_ipi *in = call->in;
    struct hvs_vpset targets;

    if (!is_sendable(in->vector, in->target_vtl))
        return HV_STATUS_INVALID_PARAMETER;
    hv_vp_mask(ctx, in->processor_mask, &targets);
    send(ctx, in->vector, &targets);
    return HV_STATUS_SUCCESS;
}

int64_t hv_send_ipi_ex(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_send_synthetic_cluster_ipi_ex *in = call->in;
    struct hvs_vpset targets;
    uint16_t status;

    if (!is_sendable(in->vector, in->target_vtl))
        return HV_STATUS_INVALID_PARAMETER;
    status = hv_vp_set(ctx, &in->processor_set, call->var, call->nr_var, &targets);
    if (!status)
        send(ctx, in->vector, &targets);
    return status;
}
