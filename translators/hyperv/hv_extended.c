/*
 * Extended hypercalls, and the partition's own id [TLFS HvExtCallQueryCapabilities, HvExtCallGetBootZeroedMemory].
 *
 * What there is to say, the host gives. Without it the calls are not there: Windows asks for the capabilities whether
 * or not it has the privilege, and takes INVALID_HYPERCALL_CODE for an answer.
 */
#include <hvshim/hyperv.h>

#include "hv_state.h"

int64_t hv_ext_query_capabilities(struct hvs_ctx *ctx, struct hvs_call *call)
{
    uint64_t *capabilities = call->out;

    (void)ctx;
    *capabilities = 1ull << HV_EXT_CAPABILITY_BOOT_ZEROED_MEMORY;
    return HV_STATUS_SUCCESS;
}

int64_t hv_ext_get_boot_zeroed_memory(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct hvs_hv_host host = hv_host_services(hvs_ctx_options(ctx));
    struct hv_ext_output_boot_zeroed_memory *out = call->out;

    while (out->range_count < host.nr_zeroed_ranges && out->range_count < HV_EXT_MAX_BOOT_ZEROED_RANGES) {
        const struct hvs_hv_zeroed_range *range = &host.zeroed_range[out->range_count];

        out->range[out->range_count].start_gpa_page = range->first_gfn;
        out->range[out->range_count++].page_count = range->nr_pages;
    }
    return HV_STATUS_SUCCESS;
}

int64_t hv_get_partition_id(struct hvs_ctx *ctx, struct hvs_call *call)
{
    uint64_t *id = call->out;

    *id = hv_host_services(hvs_ctx_options(ctx)).partition_id;
    return HV_STATUS_SUCCESS;
}
