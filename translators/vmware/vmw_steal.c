/*
 * The steal clock: how long a vCPU was ready and the host ran something else, in ticks of the virtual TSC, kept in the
 * guest's memory [BDOOR STEALCLOCK; Linux arch/x86/kernel/cpu/vmware.c].
 *
 * The guest just reads it, so a timer brings it up to date: every 10 ms where it moves, more and more seldom where the
 * vCPU sleeps.
 */
#include "vmw_state.h"

enum { STEAL_TIMER = 0, MIN_PERIOD_MS = 10, MAX_PERIOD_MS = 160 };
#define NS_PER_MS 1000000ull

static uint64_t stolen_ticks(const struct hvs_ctx *ctx)
{
    uint64_t ns = hvs_ctx_vcpu_time(ctx, ctx->vp).stolen_ns, khz = hvs_ctx_config(ctx)->tsc_khz;

    return ns / NS_PER_MS * khz + ns % NS_PER_MS * khz / NS_PER_MS;
}

/* False where the page is not there any more. */
static bool publish(struct hvs_ctx *ctx, struct vmw_vcpu *own)
{
    uint64_t gfn = own->steal_gpa >> HVS_PAGE_SHIFT;
    uint8_t *page = hvs_page_pin(ctx, gfn);
    _Atomic uint64_t *clock;

    if (!page)
        return false;
    clock = (_Atomic uint64_t *)(void *)(page + (own->steal_gpa & (HVS_PAGE_BYTES - 1)));
    atomic_store_explicit(clock, own->steal_ticks, memory_order_release);
    hvs_page_unpin(ctx, gfn, page, true);
    return true;
}

/* Whether the vCPU has had anything to do since the last time. */
static bool bring_up_to_date(struct hvs_ctx *ctx, struct vmw_vcpu *own)
{
    struct hvs_vcpu_time time = hvs_ctx_vcpu_time(ctx, ctx->vp);
    uint64_t busy_ns = time.ran_ns + time.stolen_ns;
    bool has_moved = busy_ns != own->steal_busy_ns;

    own->steal_busy_ns = busy_ns;
    own->steal_ticks = own->steal_base_ticks + stolen_ticks(ctx);
    return has_moved;
}

static void switch_off(struct hvs_ctx *ctx, struct vmw_vcpu *own)
{
    own->is_steal_on = false;
    own->steal_gpa = 0;
    hvs_timer_cancel(ctx, STEAL_TIMER);
}

static void tell(struct hvs_ctx *ctx, struct vmw_vcpu *own)
{
    if (publish(ctx, own))
        hvs_timer_arm(ctx, STEAL_TIMER, hvs_ctx_now_ns(ctx) + own->steal_period_ms * NS_PER_MS);
    else
        switch_off(ctx, own);
}

bool vmw_steal_on(struct hvs_ctx *ctx, uint64_t gpa)
{
    struct vmw_vcpu *own = ctx->vcpu_state;

    switch_off(ctx, own);
    if (gpa % sizeof(struct vmware_steal_time))
        return false;
    own->is_steal_on = true;
    own->steal_gpa = gpa;
    own->steal_period_ms = MIN_PERIOD_MS;
    bring_up_to_date(ctx, own);
    tell(ctx, own);
    return own->is_steal_on;
}

int64_t vmw_stealclock(struct hvs_ctx *ctx, struct hvs_call *call)
{
    uint64_t gpa = call->arg[VMW_ESI] << 32 | call->arg[VMW_EDI];

    return vmw_steal_on(ctx, gpa) ? BDOOR_STEALCLOCK_STATUS_ENABLED : BDOOR_STEALCLOCK_STATUS_DISABLED;
}

void vmw_steal_timer(struct hvs_ctx *ctx, uint32_t timer)
{
    struct vmw_vcpu *own = ctx->vcpu_state;

    (void)timer;
    if (bring_up_to_date(ctx, own))
        own->steal_period_ms = MIN_PERIOD_MS;
    else if (own->steal_period_ms < MAX_PERIOD_MS)
        own->steal_period_ms *= 2;
    tell(ctx, own);
}

/* The clock goes on from `ticks` although this host counts anew. */
void vmw_steal_go_on(struct hvs_ctx *ctx, uint64_t ticks)
{
    struct vmw_vcpu *own = ctx->vcpu_state;

    own->steal_base_ticks = ticks - stolen_ticks(ctx);
    own->steal_ticks = ticks;
}
