/*
 * Whom a hypercall is about: partition, VP, VTL, and sets of VPs [TLFS hv_partition_id, hv_vp_index, hv_input_vtl,
 * hv_vp_set].
 *
 * A guest has itself only: its own partition, and VTL 0.
 */
#include <hvshim/hyperv.h>

#include "hv_state.h"

bool hv_is_own_partition(const struct hvs_ctx *ctx, uint64_t partition_id)
{
    if (partition_id == HV_PARTITION_ID_SELF)
        return true;
    return hvs_ctx_feature(ctx, HV_FEATURE_PARTITION_ID) &&
           partition_id == hv_host_services(hvs_ctx_options(ctx)).partition_id;
}

bool hv_is_own_vp(const struct hvs_ctx *ctx, uint32_t vp_index)
{
    return vp_index == HV_VP_INDEX_SELF || vp_index == ctx->vp;
}

bool hv_is_own_vtl(uint8_t input_vtl)
{
    if (input_vtl & HV_INPUT_VTL_RESERVED)
        return false;
    return !(input_vtl & HV_INPUT_VTL_USE_TARGET) || (input_vtl & HV_INPUT_VTL_TARGET_MASK) == 0;
}

void hv_vp_mask(const struct hvs_ctx *ctx, uint64_t mask, struct hvs_vpset *set)
{
    hvs_vpset_clear(set);
    set->bank[0] = mask;
    hvs_vpset_limit(set, hvs_ctx_nr_vps(ctx));
}

uint16_t hv_vp_set(const struct hvs_ctx *ctx, const struct hv_vp_set *header, const uint64_t *bank, uint32_t nr_banks,
                   struct hvs_vpset *set)
{
    if (header->format != HV_GENERIC_SET_SPARSE_4K && header->format != HV_GENERIC_SET_ALL)
        return HV_STATUS_INVALID_PARAMETER;
    if (hvs_vpset_from_sparse(set, header->valid_banks_mask, bank, nr_banks))
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    if (header->format == HV_GENERIC_SET_ALL)
        hvs_vpset_fill(set, hvs_ctx_nr_vps(ctx));
    hvs_vpset_limit(set, hvs_ctx_nr_vps(ctx));
    return HV_STATUS_SUCCESS;
}
