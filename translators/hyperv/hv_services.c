/*
 * What the host does for its guests: the callbacks and data of <hvshim/hyperv.h>, and the features that need them.
 */
#include <hvshim/hyperv.h>

#include "hv_state.h"

struct hvs_hv_host hv_host_services(const void *options)
{
    const struct hvs_hv_options *given = options;
    struct hvs_hv_host host = {.size = 0};

    if (given && given->size >= offsetof(struct hvs_hv_options, host) + sizeof(given->host) && given->host)
        memcpy(&host, given->host, given->host->size < sizeof(host) ? given->host->size : sizeof(host));
    return host;
}

uint64_t hv_lacking(const void *options)
{
    struct hvs_hv_host host = hv_host_services(options);
    uint64_t lacking = 0;

    if (!host.interrupt_retargeted)
        lacking |= 1ull << HV_FEATURE_RETARGET;
    if (!host.debug_sent || !host.debug_wanted || !host.debug_reset)
        lacking |= 1ull << HV_FEATURE_SYNDBG;
    if (!host.zeroed_range || host.nr_zeroed_ranges == 0)
        lacking |= 1ull << HV_FEATURE_EXT_HYPERCALLS;
    if (host.partition_id == 0)
        lacking |= 1ull << HV_FEATURE_PARTITION_ID;
    return lacking;
}
