/*
 * The synthetic time-unhalted timer: an interrupt, or an NMI, each time the virtual processor has run for a period
 * [TLFS timers, Synthetic Time-Unhalted Timer MSRs].
 *
 * It follows VP run time, of which the host tells only how much it is. So a timer of the VM's clock looks at it when
 * the period may be over, and again when it was not: at most 5000 times a second for a VP that runs, 100 for one that
 * is idle. Periods that were missed are skipped; the next one ends where it would have ended anyway.
 */
#include "hv_state.h"

enum { NMI_VECTOR = 2, FIRST_VECTOR = 16, NS_PER_100NS = 100, SOON_NS = 200000, LATER_NS = 10000000 };
#define LONGEST_100NS (1ull << 50)      /* three years, then it looks again */

static bool is_on(const struct hv_unhalted *timer)
{
    return (timer->config & HV_STIME_UNHALTED_ENABLED) && timer->period_100ns != 0;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

/* When the period can be over at the earliest: no VP runs faster than the clock. */
static void look_again(struct hvs_ctx *ctx, uint64_t runtime_100ns)
{
    struct hv_unhalted *timer = &((struct hv_vcpu *)ctx->vcpu_state)->unhalted;
    uint64_t left_100ns = timer->ends_100ns > runtime_100ns ? timer->ends_100ns - runtime_100ns : 0;
    uint64_t least_ns = runtime_100ns == timer->seen_100ns ? LATER_NS : SOON_NS;
    uint64_t wait_ns = (left_100ns < LONGEST_100NS ? left_100ns : LONGEST_100NS) * NS_PER_100NS;

    timer->seen_100ns = runtime_100ns;
    hvs_timer_arm(ctx, HV_TIMER_UNHALTED, hvs_ctx_now_ns(ctx) + (wait_ns > least_ns ? wait_ns : least_ns));
}

static void begin(struct hvs_ctx *ctx, uint64_t ends_100ns)
{
    struct hv_unhalted *timer = &((struct hv_vcpu *)ctx->vcpu_state)->unhalted;

    timer->ends_100ns = ends_100ns;
    timer->seen_100ns = UINT64_MAX;
    if (is_on(timer))
        look_again(ctx, hv_runtime_100ns(ctx));
    else
        hvs_timer_cancel(ctx, HV_TIMER_UNHALTED);
}

void hv_unhalted_go_on_until(struct hvs_ctx *ctx, uint64_t ends_100ns)
{
    begin(ctx, ends_100ns);
}

static void fire(struct hvs_ctx *ctx, uint8_t vector)
{
    hv_assist_say_unhalted_expired(ctx);
    if (vector == NMI_VECTOR)
        hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_NMI, .target = HVS_TARGET_VP, .vp = ctx->vp});
    else
        hvs_emit_inject(ctx, ctx->vp, vector);
}

void hv_unhalted_look(struct hvs_ctx *ctx)
{
    struct hv_unhalted *timer = &((struct hv_vcpu *)ctx->vcpu_state)->unhalted;
    uint64_t now_100ns = hv_runtime_100ns(ctx);

    if (now_100ns >= timer->ends_100ns) {
        uint64_t into_100ns = (now_100ns - timer->ends_100ns) % timer->period_100ns;

        fire(ctx, (uint8_t)(timer->config & HV_STIME_UNHALTED_VECTOR_MASK));
        timer->ends_100ns = add(now_100ns, timer->period_100ns - into_100ns);
    }
    look_again(ctx, now_100ns);
}

enum hvs_verdict hv_unhalted_config_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vcpu *hv = ctx->vcpu_state;

    (void)index;
    *value = hv->unhalted.config;
    return HVS_HANDLED;
}

enum hvs_verdict hv_unhalted_config_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    uint64_t vector = value & HV_STIME_UNHALTED_VECTOR_MASK;
    struct hv_vcpu *hv = ctx->vcpu_state;

    (void)index;
    if ((value & HV_STIME_UNHALTED_ENABLED) && vector != NMI_VECTOR && vector < FIRST_VECTOR)
        return HVS_FAULT;
    hv->unhalted.config = value;
    begin(ctx, add(hv_runtime_100ns(ctx), hv->unhalted.period_100ns));
    return HVS_HANDLED;
}

enum hvs_verdict hv_unhalted_count_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vcpu *hv = ctx->vcpu_state;

    (void)index;
    *value = hv->unhalted.period_100ns;
    return HVS_HANDLED;
}

enum hvs_verdict hv_unhalted_count_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hv_vcpu *hv = ctx->vcpu_state;

    (void)index;
    hv->unhalted.period_100ns = value;
    begin(ctx, add(hv_runtime_100ns(ctx), value));
    return HVS_HANDLED;
}
