/*
 * Synthetic timers: four per vCPU, in units of the reference counter [TLFS timers, synthetic timers].
 *
 * An expiration is an interrupt (direct mode) or a message, which waits for a free slot where it must; a one-shot timer
 * is then disabled already, a periodic one goes on when its message is delivered. Writing a timer's register starts it
 * anew and drops a message that still waits.
 *
 * Bounds: a period below MIN_PERIOD_100NS runs as if it were that, though it reads as written. Of expirations that were
 * missed, a lazy timer makes up none; another one at most MAX_CATCH_UP, at twice its rate, and skips the others. So no
 * loop depends on what the guest writes, and a timer exits at most 5000 times a second.
 *
 * Where the TLFS is silent: direct mode with a vector below 16 disables the timer, as SINT 0 does in message mode.
 */
#include "hv_state.h"

enum {
    MIN_PERIOD_100NS = 2000,    /* 200 us, as KVM's local APIC has */
    MAX_CATCH_UP = 8,
    NS_PER_100NS = 100,
};
#define NEVER UINT64_MAX

static struct hv_stimer *stimer_of(const struct hvs_ctx *ctx, uint32_t i)
{
    struct hv_vcpu *hv = ctx->vcpu_state;

    return &hv->stimer[i];
}

static uint64_t reference_time(const struct hvs_ctx *ctx)
{
    struct hvs_instant now;

    hvs_ctx_now(ctx, &now);
    return hvs_clock_100ns(hvs_ctx_clock(ctx), &now);
}

static uint64_t add(uint64_t time, uint64_t duration)
{
    return duration > NEVER - time ? NEVER : time + duration;
}

static bool is_periodic(const struct hv_stimer *stimer)
{
    return stimer->config & HV_STIMER_PERIODIC;
}

static bool is_counting(const struct hv_stimer *stimer)
{
    return (stimer->config & HV_STIMER_ENABLE) && stimer->count != 0 && !stimer->has_message;
}

static uint64_t period(const struct hv_stimer *stimer)
{
    return stimer->count > MIN_PERIOD_100NS ? stimer->count : MIN_PERIOD_100NS;
}

/* Has the core's timer run out when it is due, but not before `not_before`. */
static void arm(struct hvs_ctx *ctx, uint32_t i, uint64_t not_before)
{
    uint64_t due = stimer_of(ctx, i)->due_100ns, wait;
    struct hvs_instant now;

    hvs_ctx_now(ctx, &now);

    uint64_t now_100ns = hvs_clock_100ns(hvs_ctx_clock(ctx), &now), now_ns = hvs_clock_ns(hvs_ctx_clock(ctx), &now);

    if (due < not_before)
        due = not_before;
    wait = due > now_100ns ? due - now_100ns : 0;
    if (wait < (NEVER - now_ns) / NS_PER_100NS)
        hvs_timer_arm(ctx, HV_TIMER_STIMER0 + i, now_ns + wait * NS_PER_100NS);
    else
        hvs_timer_cancel(ctx, HV_TIMER_STIMER0 + i);
}

static void next_period(struct hvs_ctx *ctx, uint32_t i, uint64_t now)
{
    struct hv_stimer *stimer = stimer_of(ctx, i);
    uint64_t step = period(stimer), spacing = step / 2 > MIN_PERIOD_100NS ? step / 2 : MIN_PERIOD_100NS;

    stimer->due_100ns = add(stimer->due_100ns, step);
    if (stimer->due_100ns <= now) {
        uint64_t missed = (now - stimer->due_100ns) / step + 1;
        uint64_t kept = stimer->config & HV_STIMER_LAZY ? 0 : missed < MAX_CATCH_UP ? missed : MAX_CATCH_UP;

        stimer->due_100ns += (missed - kept) * step;
    }
    arm(ctx, i, add(now, spacing));
}

/* Delivers the message that waits, if it can be. */
static void send(struct hvs_ctx *ctx, uint32_t i, uint64_t now)
{
    struct hv_stimer *stimer = stimer_of(ctx, i);
    const struct hv_timer_message_payload payload = {
        .timer_index = i,
        .expiration_time = stimer->due_100ns,
        .delivery_time = now,
    };
    struct hv_message message = {
        .header = {.message_type = HV_MESSAGE_TYPE_TIMER_EXPIRED, .payload_size = sizeof(payload)},
    };

    memcpy(message.payload, &payload, sizeof(payload));
    if (hv_message_put(ctx, stimer->config >> HV_STIMER_SINTX_SHIFT & HV_STIMER_SINTX_MASK, &message) != HV_SLOT_FREE)
        return;
    stimer->has_message = false;
    if (is_counting(stimer))
        next_period(ctx, i, now);
}

static void expire(struct hvs_ctx *ctx, uint32_t i, uint64_t now)
{
    struct hv_stimer *stimer = stimer_of(ctx, i);

    if (!is_periodic(stimer))
        stimer->config &= ~HV_STIMER_ENABLE;
    if (!(stimer->config & HV_STIMER_DIRECT_MODE)) {
        stimer->has_message = true;
        send(ctx, i, now);
        return;
    }
    hvs_emit_inject(ctx, ctx->vp, stimer->config >> HV_STIMER_APIC_VECTOR_SHIFT & HV_STIMER_APIC_VECTOR_MASK);
    if (is_counting(stimer))
        next_period(ctx, i, now);
}

/* The core's clock and the reference counter are rounded apart: never a little too early. */
void hv_stimer_expired(struct hvs_ctx *ctx, uint32_t timer)
{
    uint32_t i = timer - HV_TIMER_STIMER0;
    uint64_t now = reference_time(ctx);

    if (now < stimer_of(ctx, i)->due_100ns)
        arm(ctx, i, 0);
    else
        expire(ctx, i, now);
}

void hv_stimer_retry(struct hvs_ctx *ctx)
{
    for (uint32_t i = 0; i < HV_SYNIC_STIMER_COUNT; i++) {
        if (stimer_of(ctx, i)->has_message)
            send(ctx, i, reference_time(ctx));
    }
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

static bool may_run(uint64_t config)
{
    if (config & HV_STIMER_DIRECT_MODE)
        return (config >> HV_STIMER_APIC_VECTOR_SHIFT & HV_STIMER_APIC_VECTOR_MASK) >= HV_SYNIC_FIRST_VALID_VECTOR;
    return config >> HV_STIMER_SINTX_SHIFT & HV_STIMER_SINTX_MASK;
}

/* A register was written. */
static void restart(struct hvs_ctx *ctx, uint32_t i)
{
    struct hv_stimer *stimer = stimer_of(ctx, i);
    uint64_t now = reference_time(ctx);

    stimer->has_message = false;
    stimer->due_100ns = 0;
    hvs_timer_cancel(ctx, HV_TIMER_STIMER0 + i);
    if (!may_run(stimer->config))
        stimer->config &= ~HV_STIMER_ENABLE;
    if (!is_counting(stimer))
        return;
    stimer->due_100ns = is_periodic(stimer) ? add(now, period(stimer)) : stimer->count;
    if (stimer->due_100ns > now)
        arm(ctx, i, 0);
    else
        expire(ctx, i, now);
}

enum hvs_verdict hv_stimer_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    uint32_t offset = index - HV_X64_MSR_STIMER0_CONFIG;
    const struct hv_stimer *stimer = stimer_of(ctx, offset / 2);

    *value = offset % 2 ? stimer->count : stimer->config;
    if (ctx->from_host && offset % 2 == 0 && stimer->has_message)
        *value |= HV_STIMER_ENABLE;     /* KVM's code disables a one-shot timer only once its message is delivered */
    return HVS_HANDLED;
}

static bool is_valid_config(const struct hvs_ctx *ctx, uint64_t config)
{
    bool has_direct = hvs_ctx_feature(ctx, HV_FEATURE_STIMER_DIRECT);

    return !(config & HV_STIMER_RESERVED) && (has_direct || !(config & HV_STIMER_DIRECT_MODE));
}

/*
 * The host sets one register after the other, CONFIG first or COUNT: neither changes the other, and what is due already
 * expires when the guest runs. A period begins anew.
 */
static void resume(struct hvs_ctx *ctx, uint32_t i)
{
    struct hv_stimer *stimer = stimer_of(ctx, i);

    stimer->has_message = false;
    stimer->due_100ns = 0;
    hvs_timer_cancel(ctx, HV_TIMER_STIMER0 + i);
    if (!is_counting(stimer) || !may_run(stimer->config))
        return;
    stimer->due_100ns = is_periodic(stimer) ? add(reference_time(ctx), period(stimer)) : stimer->count;
    arm(ctx, i, 0);
}

enum hvs_verdict hv_stimer_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    uint32_t offset = index - HV_X64_MSR_STIMER0_CONFIG;
    struct hv_stimer *stimer = stimer_of(ctx, offset / 2);

    if (offset % 2 == 0 && !is_valid_config(ctx, value))
        return HVS_FAULT;
    if (ctx->from_host) {
        *(offset % 2 ? &stimer->count : &stimer->config) = value;
        resume(ctx, offset / 2);
        return HVS_HANDLED;
    }
    if (offset % 2 == 0) {
        stimer->config = value;
    } else {
        stimer->count = value;
        if (value == 0)
            stimer->config &= ~HV_STIMER_ENABLE;
        else if (stimer->config & HV_STIMER_AUTO_ENABLE)
            stimer->config |= HV_STIMER_ENABLE;
    }
    restart(ctx, offset / 2);
    return HVS_HANDLED;
}

/* --- save and load: not by the registers' setters, with which a period begins anew -------------------------------- */

struct saved_stimer {
    uint64_t config, count, due_100ns;
    uint32_t has_message;
    uint32_t pad;
};
HVS_STATIC_ASSERT(sizeof(struct saved_stimer) == 32, "a saved timer is 32 bytes");

void hv_stimer_save(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    struct saved_stimer saved[HV_SYNIC_STIMER_COUNT];

    for (uint32_t i = 0; i < HV_SYNIC_STIMER_COUNT; i++) {
        const struct hv_stimer *stimer = stimer_of(ctx, i);

        saved[i] = (struct saved_stimer){stimer->config, stimer->count, stimer->due_100ns, stimer->has_message, 0};
    }
    hvs_writer_put(writer, HV_RECORD_STIMERS, 1, saved, sizeof(saved));
}

static bool is_valid_saved(const struct hvs_ctx *ctx, const struct saved_stimer *saved)
{
    bool is_direct = saved->config & HV_STIMER_DIRECT_MODE;

    if (saved->pad || saved->has_message > 1 || !is_valid_config(ctx, saved->config))
        return false;
    if (!may_run(saved->config) && ((saved->config & HV_STIMER_ENABLE) || saved->has_message))
        return false;
    return !(is_direct && saved->has_message);
}

int hv_stimer_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct saved_stimer saved[HV_SYNIC_STIMER_COUNT];

    if (hvs_record_get(record, saved, sizeof(saved)))
        return HVS_EFORMAT;
    for (uint32_t i = 0; i < HV_SYNIC_STIMER_COUNT; i++) {
        struct hv_stimer *stimer = stimer_of(ctx, i);

        if (!is_valid_saved(ctx, &saved[i]))
            return HVS_EFORMAT;
        *stimer = (struct hv_stimer){saved[i].config, saved[i].count, saved[i].due_100ns, saved[i].has_message};
        if (is_counting(stimer))
            arm(ctx, i, 0);
        else
            hvs_timer_cancel(ctx, HV_TIMER_STIMER0 + i);
    }
    return HVS_OK;
}
