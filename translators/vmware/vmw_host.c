/* What the host asks of the personality. See <hvshim/vmware.h>. */
#include "vmw_state.h"

static int answer(struct hvs_ctx *ctx, uint32_t request, void *data)
{
    if (!data && request != HVS_VMW_TCLO_CANCEL)
        return HVS_EINVAL;
    switch (request) {
    case HVS_VMW_GUESTINFO_SET:
        return vmw_guestinfo_request(ctx, data, true);
    case HVS_VMW_GUESTINFO_GET:
        return vmw_guestinfo_request(ctx, data, false);
    case HVS_VMW_GUESTINFO_KEYS:
        return vmw_guestinfo_keys(ctx, data);
    case HVS_VMW_TCLO_SEND:
        return vmw_tclo_send(ctx, data);
    case HVS_VMW_TCLO_CANCEL:
        return vmw_tclo_cancel(ctx);
    case HVS_VMW_BALLOON:
        return vmw_balloon_request(ctx, data);
    case HVS_VMW_POINTER:
        return vmw_pointer_event(ctx, data);
    default:
        return HVS_ENOENT;
    }
}

void vmw_host(struct hvs_ctx *ctx)
{
    hvs_vm_lock(ctx);
    ctx->out->value = (uint64_t)(int64_t)answer(ctx, ctx->exit->host.request, ctx->exit->host.data);
    hvs_vm_unlock(ctx);
}
