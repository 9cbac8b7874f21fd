/*
 * Remote TLB flushes: FlushVirtualAddressSpace, List, and their Ex forms [TLFS virtual-mmu].
 *
 * A flush is of everything that the targets hold, whatever address space or ranges are named: to flush more than was
 * asked for is allowed, and the effect is nothing finer. Order of checks: address space and flags, the processors, then
 * the ranges one by one.
 */
#include "hv_state.h"

static bool flags_are_known(const struct hvs_ctx *ctx, uint64_t flags, bool is_list)
{
    uint64_t known = HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES;

    if (!is_list)
        known |= HV_FLUSH_NON_GLOBAL_MAPPINGS_ONLY;
    else if (hvs_ctx_feature(ctx, HV_FEATURE_TLBFLUSH_EXT))
        known |= HV_FLUSH_USE_EXTENDED_RANGE_FORMAT;
    return !(flags & ~known);
}

/* Page tables lie below 2^52; an address space that is not looked at may be anything. */
static bool space_is_sound(uint64_t address_space, uint64_t flags)
{
    return (flags & HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES) || address_space >> 52 == 0;
}

/* Windows Server 2012 sends an empty mask without ALL_PROCESSORS, and crashes when nothing is flushed [KVM]. */
static uint16_t targets_of_mask(const struct hvs_ctx *ctx, const struct hvs_call *call, bool is_list,
                                struct hvs_vpset *targets)
{
    const struct hv_input_flush_virtual_address_space *in = call->in;

    if (!space_is_sound(in->address_space, in->flags) || !flags_are_known(ctx, in->flags, is_list))
        return HV_STATUS_INVALID_PARAMETER;
    hv_vp_mask(ctx, in->processor_mask, targets);
    if ((in->flags & HV_FLUSH_ALL_PROCESSORS) || in->processor_mask == 0)
        hvs_vpset_fill(targets, hvs_ctx_nr_vps(ctx));
    return HV_STATUS_SUCCESS;
}

static uint16_t targets_of_set(const struct hvs_ctx *ctx, const struct hvs_call *call, bool is_list,
                               struct hvs_vpset *targets)
{
    const struct hv_input_flush_virtual_address_space_ex *in = call->in;
    uint16_t status;

    if (!space_is_sound(in->address_space, in->flags) || !flags_are_known(ctx, in->flags, is_list))
        return HV_STATUS_INVALID_PARAMETER;
    status = hv_vp_set(ctx, &in->processor_set, call->var, call->nr_var, targets);
    if (!status && (in->flags & HV_FLUSH_ALL_PROCESSORS))
        hvs_vpset_fill(targets, hvs_ctx_nr_vps(ctx));
    return status;
}

static void flush(struct hvs_ctx *ctx, const struct hvs_vpset *targets)
{
    if (hvs_vpset_next(targets, 0) < HVS_MAX_VPS)
        hvs_emit_flush_set(ctx, targets);
}

/* In the plain format every value is a range; addresses that do not exist are ignored. */
static bool range_is_sound(uint64_t range, uint64_t flags)
{
    if (!(flags & HV_FLUSH_USE_EXTENDED_RANGE_FORMAT) || !(range & HV_GVA_RANGE_EX_LARGE_PAGE))
        return true;
    return !(range & HV_GVA_RANGE_EX_LARGE_PAGE_RESERVED);
}

static uint16_t flush_list(struct hvs_ctx *ctx, struct hvs_call *call, uint64_t flags, const struct hvs_vpset *targets)
{
    const uint64_t *range = call->elem_in;
    uint16_t status = HV_STATUS_SUCCESS;

    for (; call->reps_done < call->rep_count; call->reps_done++) {
        if (!range_is_sound(range[call->reps_done - call->rep_first], flags)) {
            status = HV_STATUS_INVALID_PARAMETER;
            break;
        }
    }
    if (call->reps_done > call->rep_first)
        flush(ctx, targets);
    return status;
}

int64_t hv_flush_space(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct hvs_vpset targets;
    uint16_t status = targets_of_mask(ctx, call, false, &targets);

    if (!status)
        flush(ctx, &targets);
    return status;
}

int64_t hv_flush_space_ex(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct hvs_vpset targets;
    uint16_t status = targets_of_set(ctx, call, false, &targets);

    if (!status)
        flush(ctx, &targets);
    return status;
}

int64_t hv_flush_list(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_flush_virtual_address_space *in = call->in;
    struct hvs_vpset targets;
    uint16_t status = targets_of_mask(ctx, call, true, &targets);

    return status ? status : flush_list(ctx, call, in->flags, &targets);
}

int64_t hv_flush_list_ex(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_flush_virtual_address_space_ex *in = call->in;
    struct hvs_vpset targets;
    uint16_t status = targets_of_set(ctx, call, true, &targets);

    return status ? status : flush_list(ctx, call, in->flags, &targets);
}
