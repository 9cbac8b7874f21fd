/* Timers: the earliest deadline is published, and the backend is told whenever it has to look. */
#include "toy.h"

static void expect_deadline(struct mock *mock, uint32_t vp, uint64_t deadline_ns, bool is_told)
{
    const struct hvs_effect *effect = NULL;

    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, vp)), deadline_ns);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_TIMER, &effect), is_told);
    if (!is_told)
        return;
    assert_int_equal(effect->target, HVS_TARGET_VP);
    assert_int_equal(effect->vp, vp);
}

static void arm(struct mock *mock, uint32_t vp, uint32_t timer, uint64_t deadline_ns)
{
    assert_int_equal(mock_wrmsr(mock, vp, TOY_MSR_TIMER + timer, deadline_ns), HVS_HANDLED);
}

static void test_the_earliest_counts(void **state)
{
    static const struct {
        uint32_t timer;
        uint64_t deadline_ns;       /* 0 cancels */
        uint64_t earliest_ns;
        bool is_told;
    } steps[] = {
        {0, 5000, 5000, true}, {1, 7000, 5000, false}, {1, 3000, 3000, true}, {1, 3000, 3000, false},
        {1, 0, 5000, true}, {1, 0, 5000, false}, {0, 0, UINT64_MAX, true}, {0, UINT64_MAX, UINT64_MAX, false},
        {0, 1, 1, true},
    };
    struct mock *mock = *state;

    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 1)), UINT64_MAX);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(steps); i++) {
        arm(mock, 1, steps[i].timer, steps[i].deadline_ns);
        expect_deadline(mock, 1, steps[i].earliest_ns, steps[i].is_told);
        assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), UINT64_MAX);
    }
}

static void test_personalities_share_the_deadline(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx trinkets = hvs_ctx_make(mock_vcpu(mock, 0), 1);
    const struct trinket_vcpu *own = trinkets.vcpu_state;

    trinkets.out = &mock->out;
    arm(mock, 0, 0, 5000);
    hvs_timer_arm(&trinkets, 0, 4000);
    assert_int_equal(hvs_timer_deadline(&trinkets, 0), 4000);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), 4000);
    mock_advance(mock, 4002);
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
    assert_int_equal(own->nr_fired, 1);
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_fired[0], 0);
    expect_deadline(mock, 0, 5000, true);
}

static void test_what_is_due_fires_once(void **state)
{
    struct mock *mock = *state;
    uint64_t value;

    arm(mock, 1, 0, 1000);
    arm(mock, 1, 1, 2000);
    mock_advance(mock, 1001);
    mock_timer(mock, 1);
    assert_int_equal(toy_vcpu_state(mock, 1)->nr_fired[0], 1);
    assert_int_equal(toy_vcpu_state(mock, 1)->nr_fired[1], 0);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 1);
    expect_deadline(mock, 1, 2000, true);
    mock_rdmsr(mock, 1, TOY_MSR_TIMER, &value);
    assert_int_equal(value, 0);                 /* idle */
    mock_advance(mock, 1001);
    mock_timer(mock, 1);
    assert_int_equal(toy_vcpu_state(mock, 1)->nr_fired[0], 1);
    assert_int_equal(toy_vcpu_state(mock, 1)->nr_fired[1], 1);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 1)), UINT64_MAX);
}

static void test_two_due_at_once(void **state)
{
    struct mock *mock = *state;

    arm(mock, 0, 0, 1000);
    arm(mock, 0, 1, 1000);
    mock_advance(mock, 5000);
    mock_timer(mock, 0);
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_fired[0], 1);
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_fired[1], 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 2);
}

/*
 * The host's timer and the VM's clock run on different oscillators, so the exit may come a little early. The backend's
 * timer has then fired; unless it is told to look again, the guest's timer never will.
 */
static void test_an_early_exit_asks_for_another(void **state)
{
    struct mock *mock = *state;

    arm(mock, 0, 0, 1000);
    mock_advance(mock, 900);
    mock_timer(mock, 0);
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_fired[0], 0);
    expect_deadline(mock, 0, 1000, true);
    mock_advance(mock, 101);
    mock_timer(mock, 0);
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_fired[0], 1);
    mock_timer(mock, 0);
    expect_deadline(mock, 0, UINT64_MAX, false);
}

/* A periodic timer may re-arm itself at the very deadline that the backend has just served. */
static void rearm(struct hvs_ctx *ctx, uint32_t timer)
{
    hvs_timer_arm(ctx, timer, 1000);
}

static void test_rearming_from_the_handler(void **state)
{
    struct hvs_personality periodic = toy;
    struct mock *mock = *state;

    periodic.timer = rearm;
    mock_stop(mock);
    mock_start_one(mock, &periodic, 1);
    arm(mock, 0, 0, 1000);
    mock_advance(mock, 1001);
    mock_timer(mock, 0);
    expect_deadline(mock, 0, 1000, true);
}

static void test_a_restore_arms_silently(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);

    ctx.from_host = true;
    hvs_timer_arm(&ctx, 0, 1000);
    expect_deadline(mock, 0, 1000, false);
}

static void test_timers_of_a_feature_that_is_off(void **state)
{
    struct mock *mock = *state;

    toy_restart(mock, mock->config.caps, 0, 1ull << TOY_FEATURE_TIMERS);
    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_TIMER, 1000), HVS_UNHANDLED);
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
    expect_deadline(mock, 0, UINT64_MAX, false);
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_the_earliest_counts),
    TOY_TEST(test_personalities_share_the_deadline),
    TOY_TEST(test_what_is_due_fires_once),
    TOY_TEST(test_two_due_at_once),
    TOY_TEST(test_an_early_exit_asks_for_another),
    TOY_TEST(test_rearming_from_the_handler),
    TOY_TEST(test_a_restore_arms_silently),
    TOY_TEST(test_timers_of_a_feature_that_is_off),
};
TOY_MAIN(tests)
