/*
 * How long a virtual processor has run: HV_X64_MSR_VP_RUNTIME [TLFS vp-properties, virtual processor run time].
 *
 * In units of 100 ns: the guest's own code and what the host did for it. It counts on over save and load, though the
 * host's own count begins anew there.
 */
#include "hv_state.h"

enum { NS_PER_100NS = 100 };

static uint64_t counted_here_100ns(const struct hvs_ctx *ctx)
{
    return hvs_ctx_vcpu_time(ctx, ctx->vp).ran_ns / NS_PER_100NS;
}

uint64_t hv_runtime_100ns(const struct hvs_ctx *ctx)
{
    const struct hv_vcpu *hv = ctx->vcpu_state;

    return counted_here_100ns(ctx) + hv->runtime_before_100ns;
}

void hv_runtime_go_on_from(struct hvs_ctx *ctx, uint64_t runtime_100ns)
{
    struct hv_vcpu *hv = ctx->vcpu_state;

    hv->runtime_before_100ns = runtime_100ns - counted_here_100ns(ctx);    /* may wrap: only the sum counts */
}

/* A VMM that restores MSR by MSR; to guests it is read-only. */
enum hvs_verdict hv_vp_runtime_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    if (!ctx->from_host)
        return HVS_FAULT;
    hv_runtime_go_on_from(ctx, value);
    return HVS_HANDLED;
}

enum hvs_verdict hv_vp_runtime_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = hv_runtime_100ns(ctx);
    return HVS_HANDLED;
}
