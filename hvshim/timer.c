/*
 * Timers: each personality has a few absolute deadlines per vCPU; the backend is told only the earliest of all.
 *
 * The deadline that the backend reads is an atomic, so it may be read from a timer thread while the vCPU runs.
 */
#include "core.h"

#define NEVER UINT64_MAX

/* Once an exit is enough: the backend reads the deadline after it. */
static void tell_backend(struct hvs_ctx *ctx)
{
    for (uint32_t i = 0; ctx->out && i < ctx->out->nr_effects; i++) {
        if (ctx->out->effect[i].kind == HVS_EFFECT_TIMER)
            return;
    }
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_TIMER, .target = HVS_TARGET_VP, .vp = ctx->vp});
}

/* Publishes the earliest deadline; tells the backend when it moved. */
static void publish(struct hvs_ctx *ctx)
{
    struct hvs_vcpu *vcpu = ctx->vcpu;
    uint64_t earliest = NEVER;

    for (uint32_t s = 0; s < vcpu->vm->config.nr_slots; s++) {
        for (uint32_t t = 0; t < vcpu->vm->slot[s].personality->nr_timers; t++) {
            if (vcpu->slot[s].deadline_ns[t] < earliest)
                earliest = vcpu->slot[s].deadline_ns[t];
        }
    }
    if (atomic_load_explicit(&vcpu->deadline_ns, memory_order_relaxed) == earliest)
        return;
    atomic_store_explicit(&vcpu->deadline_ns, earliest, memory_order_release);
    tell_backend(ctx);
}

void hvs_timer_arm(struct hvs_ctx *ctx, uint32_t timer, uint64_t deadline_ns)
{
    ctx->vcpu->slot[ctx->slot].deadline_ns[timer] = deadline_ns;
    publish(ctx);
}

void hvs_timer_cancel(struct hvs_ctx *ctx, uint32_t timer)
{
    hvs_timer_arm(ctx, timer, NEVER);
}

uint64_t hvs_timer_deadline(const struct hvs_ctx *ctx, uint32_t timer)
{
    return ctx->vcpu->slot[ctx->slot].deadline_ns[timer];
}

void hvs_timer_reset(struct hvs_ctx *ctx)
{
    for (uint32_t t = 0; t < HVS_MAX_TIMERS; t++)
        ctx->vcpu->slot[ctx->slot].deadline_ns[t] = NEVER;
    publish(ctx);
}

void hvs_timer_fire_due(struct hvs_ctx *ctx, uint64_t now_ns)
{
    const struct hvs_personality *p = ctx->vm->slot[ctx->slot].personality;
    uint64_t *deadline_ns = ctx->vcpu->slot[ctx->slot].deadline_ns;

    for (uint32_t t = 0; t < p->nr_timers; t++) {
        if (deadline_ns[t] > now_ns)
            continue;
        deadline_ns[t] = NEVER;
        p->timer(ctx, t);
    }
    publish(ctx);
    /* The backend's timer has fired, perhaps a little early: it must be set again although nothing moved. */
    if (hvs_vcpu_deadline_ns(ctx->vcpu) != NEVER)
        tell_backend(ctx);
}

uint64_t hvs_vcpu_deadline_ns(const struct hvs_vcpu *vcpu)
{
    return atomic_load_explicit(&vcpu->deadline_ns, memory_order_acquire);
}
