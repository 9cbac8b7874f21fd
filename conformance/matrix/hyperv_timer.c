/*
 * Synthetic timers and their messages at work [doc timers, inter-partition-communication; 6.0b 11.4, 12.5].
 *
 * Needs a front that lets time pass and sees interrupts.
 */
#include "hyperv.h"

#include "hv_abi.h"

enum { SIM_PAGE = 2, SINT = 2, MS_100NS = 10000, MS_NS = 1000000 };

#define CONFIG(n) (HV_X64_MSR_STIMER0_CONFIG + 2 * (n))
#define COUNT(n) (HV_X64_MSR_STIMER0_COUNT + 2 * (n))
#define TO_SINT ((uint64_t)SINT << HV_STIMER_SINTX_SHIFT)

static uint64_t direct(const struct matrix *matrix)
{
    return HV_STIMER_DIRECT_MODE | (uint64_t)matrix->env->vector << HV_STIMER_APIC_VECTOR_SHIFT;
}

static bool can_see(const struct matrix *matrix)
{
    return matrix->env->wait && matrix->env->interrupts;
}

static enum matrix_verdict blind(struct matrix *matrix)
{
    return matrix_skip(matrix, "interrupts and time cannot be seen here");
}

static void pass(const struct matrix *matrix, uint32_t ms)
{
    matrix->env->wait(matrix->env->ctx, (uint64_t)ms * MS_NS);
}

static uint32_t came(const struct matrix *matrix)
{
    return matrix->env->interrupts(matrix->env->ctx, 0, matrix->env->vector);
}

static uint64_t now(struct matrix *matrix)
{
    uint64_t time;

    matrix_read(matrix, 0, HV_X64_MSR_TIME_REF_COUNT, &time);
    return time;
}

/* Sets the timer going; the count first, as the specification advises. */
static enum matrix_verdict start(struct matrix *matrix, uint32_t timer, uint64_t config, uint64_t count)
{
    if (hv_set(matrix, 0, CONFIG(timer), config & ~HV_STIMER_ENABLE) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, COUNT(timer), count) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    came(matrix);
    return hv_set(matrix, 0, CONFIG(timer), config | HV_STIMER_ENABLE);
}

static enum matrix_verdict is_enabled(struct matrix *matrix, uint32_t timer, bool want)
{
    return hv_is(matrix, 0, CONFIG(timer), HV_STIMER_ENABLE, want ? HV_STIMER_ENABLE : 0);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

static enum matrix_verdict sint0_disables(struct matrix *matrix)
{
    if (hv_set(matrix, 0, COUNT(0), UINT64_MAX) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, CONFIG(0), HV_STIMER_ENABLE) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return is_enabled(matrix, 0, false);
}

static enum matrix_verdict auto_enable(struct matrix *matrix)
{
    if (hv_set(matrix, 0, CONFIG(0), HV_STIMER_AUTO_ENABLE | TO_SINT) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (is_enabled(matrix, 0, false) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, COUNT(0), UINT64_MAX) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return is_enabled(matrix, 0, true);
}

static enum matrix_verdict no_auto_enable(struct matrix *matrix)
{
    if (hv_set(matrix, 0, CONFIG(0), TO_SINT) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, COUNT(0), UINT64_MAX) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return is_enabled(matrix, 0, false);
}

static enum matrix_verdict zero_count_stops(struct matrix *matrix)
{
    if (hv_set(matrix, 0, COUNT(1), UINT64_MAX) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, CONFIG(1), HV_STIMER_ENABLE | TO_SINT) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (is_enabled(matrix, 1, true) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, COUNT(1), 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return is_enabled(matrix, 1, false);
}

static enum matrix_verdict zero_count_does_not_enable(struct matrix *matrix)
{
    if (hv_set(matrix, 0, CONFIG(1), HV_STIMER_AUTO_ENABLE | TO_SINT) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, COUNT(1), 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return is_enabled(matrix, 1, false);
}

static enum matrix_verdict timers_are_apart(struct matrix *matrix)
{
    for (uint32_t n = 0; n < HV_SYNIC_STIMER_COUNT; n++)
        if (hv_set(matrix, 0, COUNT(n), 1000 + n) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    for (uint32_t n = 0; n < HV_SYNIC_STIMER_COUNT; n++)
        if (hv_is(matrix, 0, COUNT(n), ~0ull, 1000 + n) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    return MATRIX_SUCCESS;
}

/* --- direct mode -------------------------------------------------------------------------------------------------- */

static enum matrix_verdict direct_one_shot(struct matrix *matrix, uint32_t timer)
{
    if (!can_see(matrix))
        return blind(matrix);
    uint64_t expiration = now(matrix) + 30 * MS_100NS;
    if (start(matrix, timer, direct(matrix), expiration) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint32_t nr = came(matrix);
    if (nr != 0 && now(matrix) < expiration)
        return matrix_fail(matrix, "it came before its time", 0, nr);
    nr += matrix_await(matrix, 0, 1 - nr);
    if (nr != 1)
        return matrix_fail(matrix, "the interrupt did not come once", 1, nr);
    return is_enabled(matrix, timer, false);
}

static enum matrix_verdict direct_0(struct matrix *matrix)
{
    return direct_one_shot(matrix, 0);
}

static enum matrix_verdict direct_1(struct matrix *matrix)
{
    return direct_one_shot(matrix, 1);
}

static enum matrix_verdict direct_2(struct matrix *matrix)
{
    return direct_one_shot(matrix, 2);
}

static enum matrix_verdict direct_3(struct matrix *matrix)
{
    return direct_one_shot(matrix, 3);
}

static enum matrix_verdict direct_past(struct matrix *matrix)
{
    if (!can_see(matrix))
        return blind(matrix);
    if (start(matrix, 0, direct(matrix), 1) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint32_t nr = matrix_await(matrix, 0, 1);
    if (nr != 1)
        return matrix_fail(matrix, "a time in the past did not expire at once", 1, nr);
    return is_enabled(matrix, 0, false);
}

static enum matrix_verdict direct_periodic(struct matrix *matrix)
{
    if (!can_see(matrix))
        return blind(matrix);
    if (start(matrix, 0, direct(matrix) | HV_STIMER_PERIODIC, 20 * MS_100NS) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint32_t nr = matrix_await(matrix, 0, 3);
    if (nr < 3)
        return matrix_fail(matrix, "it does not repeat", 3, nr);
    if (is_enabled(matrix, 0, true) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, COUNT(0), 0) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    pass(matrix, 5);
    came(matrix);
    pass(matrix, 60);
    nr = came(matrix);
    return nr == 0 ? MATRIX_SUCCESS : matrix_fail(matrix, "it goes on after it was stopped", 0, nr);
}

static enum matrix_verdict direct_disabled(struct matrix *matrix)
{
    if (!can_see(matrix))
        return blind(matrix);
    if (start(matrix, 0, direct(matrix), now(matrix) + 200 * MS_100NS) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, CONFIG(0), direct(matrix)) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    pass(matrix, 260);
    uint32_t nr = came(matrix);
    return nr == 0 ? MATRIX_SUCCESS : matrix_fail(matrix, "a timer that was disabled expired", 0, nr);
}

static enum matrix_verdict direct_far(struct matrix *matrix)
{
    if (!can_see(matrix))
        return blind(matrix);
    if (start(matrix, 0, direct(matrix), UINT64_MAX) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    pass(matrix, 20);
    uint32_t nr = came(matrix);
    if (nr != 0)
        return matrix_fail(matrix, "the end of time came", 0, nr);
    return is_enabled(matrix, 0, true);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static volatile struct hv_message *slot(const struct matrix *matrix)
{
    return (volatile struct hv_message *)(void *)(matrix->env->page[SIM_PAGE].at + SINT * HV_MESSAGE_SIZE);
}

static enum matrix_verdict synic_on(struct matrix *matrix, uint64_t sint)
{
    if (hv_set(matrix, 0, HV_X64_MSR_SCONTROL, HV_SYNIC_CONTROL_ENABLE) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (hv_set(matrix, 0, HV_X64_MSR_SIMP, hv_page_msr(matrix, SIM_PAGE)) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    slot(matrix)->header.message_type = HV_MESSAGE_TYPE_NONE;
    return hv_set(matrix, 0, HV_X64_MSR_SINT0 + SINT, sint);
}

/* Takes what may still be queued, so that nothing is left to the next point. */
static void drain(struct matrix *matrix)
{
    for (uint32_t i = 0; i < HV_SYNIC_STIMER_COUNT; i++) {
        matrix_write(matrix, 0, CONFIG(i), 0);
        slot(matrix)->header.message_type = HV_MESSAGE_TYPE_NONE;
        matrix_write(matrix, 0, HV_X64_MSR_EOM, 0);
    }
    slot(matrix)->header.message_type = HV_MESSAGE_TYPE_NONE;
    pass(matrix, 1);
    came(matrix);
}

static enum matrix_verdict message_is(struct matrix *matrix, uint32_t timer, uint64_t expiration)
{
    const volatile struct hv_message *message = slot(matrix);
    const volatile struct hv_timer_message_payload *payload = (const volatile void *)message->payload;

    if (message->header.message_type != HV_MESSAGE_TYPE_TIMER_EXPIRED)
        return matrix_fail(matrix, "no message of a timer", HV_MESSAGE_TYPE_TIMER_EXPIRED,
                           message->header.message_type);
    if (message->header.payload_size != sizeof(*payload))
        return matrix_fail(matrix, "another size", sizeof(*payload), message->header.payload_size);
    if (message->header.origination_id != 0)
        return matrix_fail(matrix, "it has an origin", 0, message->header.origination_id);
    if (payload->timer_index != timer)
        return matrix_fail(matrix, "of another timer", timer, payload->timer_index);
    if (payload->expiration_time != expiration)
        return matrix_fail(matrix, "another time of expiration", expiration, payload->expiration_time);
    if (payload->delivery_time < expiration)
        return matrix_fail(matrix, "delivered before it expired", expiration, payload->delivery_time);
    return MATRIX_SUCCESS;
}

/* Waits for something in the slot. */
static void await_message(const struct matrix *matrix)
{
    for (uint32_t ms = 0; ms < 1000 && slot(matrix)->header.message_type == HV_MESSAGE_TYPE_NONE; ms++)
        pass(matrix, 1);
}

static enum matrix_verdict message_comes(struct matrix *matrix)
{
    if (!can_see(matrix))
        return blind(matrix);
    if (synic_on(matrix, matrix->env->vector) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    uint64_t expiration = now(matrix) + 20 * MS_100NS;
    if (start(matrix, 0, TO_SINT, expiration) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    await_message(matrix);
    enum matrix_verdict verdict = message_is(matrix, 0, expiration);
    uint32_t nr = matrix_await(matrix, 0, 1);
    if (verdict == MATRIX_SUCCESS && nr != 1)
        verdict = matrix_fail(matrix, "its interrupt did not come once", 1, nr);
    if (verdict == MATRIX_SUCCESS)
        verdict = is_enabled(matrix, 0, false);
    drain(matrix);
    return verdict;
}

/* A message for a SINT that does not interrupt: `how` it does not. */
static enum matrix_verdict message_silent(struct matrix *matrix, uint64_t how, const char *interrupts)
{
    if (!can_see(matrix))
        return blind(matrix);
    if (synic_on(matrix, how | matrix->env->vector) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (start(matrix, 0, TO_SINT, 1) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    await_message(matrix);
    pass(matrix, 3);
    enum matrix_verdict verdict = message_is(matrix, 0, 1);
    uint32_t nr = came(matrix);
    if (verdict == MATRIX_SUCCESS && nr != 0)
        verdict = matrix_fail(matrix, interrupts, 0, nr);
    drain(matrix);
    return verdict;
}

static enum matrix_verdict message_masked(struct matrix *matrix)
{
    return message_silent(matrix, HV_SYNIC_SINT_MASKED, "a masked SINT interrupts");
}

static enum matrix_verdict message_polled(struct matrix *matrix)
{
    return message_silent(matrix, HV_SYNIC_SINT_POLLING, "a polled SINT interrupts");
}

/* Two messages for one slot: the second waits for the guest to empty it and say so. */
static enum matrix_verdict message_waits(struct matrix *matrix)
{
    if (!can_see(matrix))
        return blind(matrix);
    if (synic_on(matrix, HV_SYNIC_SINT_MASKED | matrix->env->vector) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    if (start(matrix, 0, TO_SINT, 1) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    await_message(matrix);
    if (start(matrix, 1, TO_SINT, 2) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    pass(matrix, 20);
    enum matrix_verdict verdict = message_is(matrix, 0, 1);
    if (verdict == MATRIX_SUCCESS && !(slot(matrix)->header.message_flags & HV_MESSAGE_FLAG_PENDING))
        verdict = matrix_fail(matrix, "the message in the slot does not say that another waits", 1,
                              slot(matrix)->header.message_flags);
    slot(matrix)->header.message_type = HV_MESSAGE_TYPE_NONE;
    if (verdict == MATRIX_SUCCESS)
        verdict = hv_set(matrix, 0, HV_X64_MSR_EOM, 0);
    if (verdict == MATRIX_SUCCESS)
        await_message(matrix);
    if (verdict == MATRIX_SUCCESS)
        verdict = message_is(matrix, 1, 2);
    drain(matrix);
    return verdict;
}

static enum matrix_verdict message_without_eom(struct matrix *matrix)
{
    if (!can_see(matrix))
        return blind(matrix);
    if (synic_on(matrix, HV_SYNIC_SINT_MASKED | matrix->env->vector) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    slot(matrix)->header.message_type = 1;
    if (start(matrix, 0, TO_SINT, 1) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    pass(matrix, 5);
    uint32_t type = slot(matrix)->header.message_type;
    drain(matrix);
    return type == 1 ? MATRIX_SUCCESS : matrix_fail(matrix, "a slot in use was overwritten", 1, type);
}

static const struct hv_point points[] = {
    {"synthetic timer", "to SINT 0 disables itself", "doc timers", HV_NEED_STIMER, sint0_disables},
    {"synthetic timer", "is enabled by its count with AutoEnable", "doc timers", HV_NEED_STIMER, auto_enable},
    {"synthetic timer", "is not enabled by its count without", "doc timers", HV_NEED_STIMER, no_auto_enable},
    {"synthetic timer", "stops when its count is zero", "doc timers", HV_NEED_STIMER, zero_count_stops},
    {"synthetic timer", "is not enabled by a count of zero", "doc timers", HV_NEED_STIMER, zero_count_does_not_enable},
    {"synthetic timers", "have counts of their own", "doc timers", HV_NEED_STIMER, timers_are_apart},
    {"direct timer 0", "one-shot", "doc timers", HV_NEED_DIRECT_TIMER, direct_0},
    {"direct timer 1", "one-shot", "doc timers", HV_NEED_DIRECT_TIMER, direct_1},
    {"direct timer 2", "one-shot", "doc timers", HV_NEED_DIRECT_TIMER, direct_2},
    {"direct timer 3", "one-shot", "doc timers", HV_NEED_DIRECT_TIMER, direct_3},
    {"direct timer", "in the past expires at once", "doc timers", HV_NEED_DIRECT_TIMER, direct_past},
    {"direct timer", "periodic, until its count is zero", "doc timers", HV_NEED_DIRECT_TIMER, direct_periodic},
    {"direct timer", "disabled in time does not expire", "doc timers", HV_NEED_DIRECT_TIMER, direct_disabled},
    {"direct timer", "at the end of time waits", "doc timers", HV_NEED_DIRECT_TIMER, direct_far},
    {"timer message", "comes with its interrupt", "doc timers; HV_TIMER_MESSAGE_PAYLOAD", HV_NEED_STIMER,
     message_comes},
    {"timer message", "comes silently to a masked SINT", "doc inter-partition-communication", HV_NEED_STIMER,
     message_masked},
    {"timer message", "comes silently to a polled SINT", "doc SINTx registers", HV_NEED_POLLING, message_polled},
    {"timer message", "waits for EOM", "doc inter-partition-communication; HV_MESSAGE", HV_NEED_STIMER, message_waits},
    {"timer message", "does not overwrite a slot in use", "doc inter-partition-communication", HV_NEED_STIMER,
     message_without_eom},
};

void hv_matrix_timer(struct matrix *matrix)
{
    hv_run_points(matrix, points, sizeof(points) / sizeof(points[0]));
}
