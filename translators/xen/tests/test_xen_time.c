/* Timers: one deadline by two calls, and VIRQ_TIMER when it comes. */
#include "xen_test.h"

#define NEVER UINT64_MAX
enum { NOW = 1000000, PORT = 1 };

static void start_timers(struct mock *mock)
{
    start(mock, 2);
    map_shared(mock);
    set_vector(mock, 0);
    set_vector(mock, 1);
    assert_int_equal(bind_virq(mock, VIRQ_TIMER, 1), PORT);
    mock_advance(mock, NOW);
}

static int64_t singleshot(struct mock *mock, uint32_t vp, uint32_t about, uint64_t deadline_ns)
{
    uint64_t args[2] = {deadline_ns, VCPU_SSHOTTMR_future};

    return xen_vcpu_op(mock, vp, VCPUOP_set_singleshot_timer, about, args, mock->regs.code_bits == 64 ? 16 : 12);
}

static int64_t set_timer_op(struct mock *mock, uint64_t ns)
{
    bool is_wide = mock->regs.code_bits == 64;

    return xen_call(mock, 1, __HYPERVISOR_set_timer_op, is_wide ? ns : (uint32_t)ns, is_wide ? 0x55 : ns >> 32, 0x55);
}

static uint64_t deadline(struct mock *mock)
{
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), NEVER);
    return hvs_vcpu_deadline_ns(mock_vcpu(mock, 1));
}

static bool is_pending(struct mock *mock)
{
    return ram32(mock, SHARED_GPA + xen_layout(mock->regs.code_bits == 32)->pending) >> PORT & 1;
}

static void test_timer_fires_once(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct mock mock;

        start_timers(&mock);
        mock.regs.code_bits = bits;
        map_shared(&mock);
        assert_int_equal(singleshot(&mock, 1, 1, 3 * NOW), 0);
        assert_int_equal(mock_effects(&mock, HVS_EFFECT_TIMER, NULL), 1);
        assert_int_equal(deadline(&mock), 3 * NOW);
        mock_advance(&mock, NOW);
        assert_int_equal(mock_timer(&mock, 1), HVS_HANDLED);    /* too early */
        assert_false(is_pending(&mock));
        mock_advance(&mock, 2 * NOW);
        assert_int_equal(mock_timer(&mock, 1), HVS_HANDLED);
        assert_true(is_pending(&mock));
        assert_int_equal(interrupted(&mock), 1);
        assert_int_equal(deadline(&mock), NEVER);
        assert_int_equal(mock_timer(&mock, 1), HVS_HANDLED);
        assert_int_equal(mock.out.nr_effects, 0);
        mock_stop(&mock);
    }
}

static void test_the_past_is_now(void **state)
{
    static const uint64_t past[] = {0, 1, NOW - 1};
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(past); i++) {
        start_timers(&mock);
        assert_int_equal(singleshot(&mock, 1, 1, 5 * NOW), 0);
        assert_int_equal(singleshot(&mock, 1, 1, past[i]), 0);
        assert_true(is_pending(&mock));
        assert_int_equal(interrupted(&mock), 1);
        assert_int_equal(deadline(&mock), NEVER);
        mock_stop(&mock);
    }
}

static void test_set_timer_op(void **state)
{
    static const struct {
        uint64_t ns, deadline;
        bool is_now;
    } t[] = {
        {5 * NOW, 5 * NOW, false},
        {(7ull << 32) + 5, (7ull << 32) + 5, false},
        {NOW / 2, NEVER, true},
        {(1ull << 50), (1ull << 50), false},
        {(1ull << 50) + 2 * NOW, NOW + 100000000, false},       /* beyond 13 days: Linux's jiffies wrapped */
        {1ull << 63, NOW + 100000000, false},
        {UINT64_MAX, NOW + 100000000, false},
        {0, NEVER, false},
    };
    struct mock mock;

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            start_timers(&mock);
            mock.regs.code_bits = bits;
            map_shared(&mock);
            assert_int_equal(singleshot(&mock, 1, 1, 9 * NOW), 0);      /* it is the same timer */
            assert_int_equal(set_timer_op(&mock, t[i].ns), 0);
            if (t[i].deadline != NEVER)
                assert_in_range(deadline(&mock), t[i].deadline - 1, t[i].deadline);
            else
                assert_int_equal(deadline(&mock), NEVER);
            assert_int_equal(is_pending(&mock), t[i].is_now);
            mock_stop(&mock);
        }
    }
}

static int64_t periodic(struct mock *mock, uint32_t vp, uint32_t about, uint64_t period_ns)
{
    return xen_vcpu_op(mock, vp, VCPUOP_set_periodic_timer, about, &period_ns, sizeof(period_ns));
}

static void acknowledge(struct mock *mock)
{
    memset(mock->ram + SHARED_GPA, 0, HVS_PAGE_BYTES);
}

static void test_periodic_timer(void **state)
{
    struct mock mock;

    (void)state;
    start_timers(&mock);
    assert_int_equal(periodic(&mock, 1, 1, 2 * NOW), 0);        /* the first one is a period from power-on */
    assert_int_equal(deadline(&mock), 2 * NOW);
    assert_int_equal(singleshot(&mock, 1, 1, 3 * NOW), 0);      /* another timer */
    assert_int_equal(deadline(&mock), 2 * NOW);
    mock_advance(&mock, NOW + NOW / 2);
    assert_int_equal(mock_timer(&mock, 1), HVS_HANDLED);
    assert_true(is_pending(&mock));
    assert_int_equal(interrupted(&mock), 1);
    assert_int_equal(xen_vcpu_op(&mock, 1, VCPUOP_stop_singleshot_timer, 1, NULL, 0), 0);
    assert_in_range(deadline(&mock), 4 * NOW + NOW / 2 - 1, 4 * NOW + NOW / 2);
    mock_save_load_save(&mock);
    acknowledge(&mock);
    mock_advance(&mock, 9 * NOW);                               /* late: one event, then it counts from now */
    assert_int_equal(mock_timer(&mock, 1), HVS_HANDLED);
    assert_int_equal(interrupted(&mock), 1);
    assert_in_range(deadline(&mock), mock.now_ns + 2 * NOW - 2, mock.now_ns + 2 * NOW);
    acknowledge(&mock);
    assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_stop_periodic_timer, 1, NULL, 0), 0);
    mock_advance(&mock, 9 * NOW);
    assert_int_equal(mock_timer(&mock, 1), HVS_HANDLED);
    assert_false(is_pending(&mock));
    assert_int_equal(deadline(&mock), NEVER);
    assert_int_equal(periodic(&mock, 1, 1, 2 * NOW), 0);        /* long overdue */
    assert_true(is_pending(&mock));
    mock_stop(&mock);
}

static void test_bad_periods(void **state)
{
    static const uint64_t bad[] = {0, 1, 999999, (1ull << 62), 1ull << 63, UINT64_MAX};
    struct mock mock;

    (void)state;
    start_timers(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++)
        assert_int_equal(periodic(&mock, 1, 1, bad[i]), -XEN_EINVAL);
    assert_int_equal(periodic(&mock, 0, 1, 2 * NOW), -XEN_EINVAL);
    assert_int_equal(deadline(&mock), NEVER);
    assert_int_equal(periodic(&mock, 1, 1, (1ull << 62) - 1), 0);
    assert_int_equal(deadline(&mock), (1ull << 62) - 1);
    mock_stop(&mock);
}

static void test_only_of_the_caller(void **state)
{
    struct mock mock;

    (void)state;
    start_timers(&mock);
    assert_int_equal(singleshot(&mock, 1, 1, 5 * NOW), 0);
    assert_int_equal(singleshot(&mock, 0, 1, 7 * NOW), -XEN_EINVAL);
    assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_stop_singleshot_timer, 1, NULL, 0), -XEN_EINVAL);
    assert_int_equal(deadline(&mock), 5 * NOW);
    assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_stop_periodic_timer, 1, NULL, 0), 0);
    assert_int_equal(deadline(&mock), 5 * NOW);
    assert_int_equal(xen_vcpu_op(&mock, 1, VCPUOP_stop_singleshot_timer, 1, NULL, 0), 0);
    assert_int_equal(deadline(&mock), NEVER);
    mock_stop(&mock);
}

static void test_nobody_bound(void **state)
{
    struct mock mock;

    (void)state;
    start_timers(&mock);
    assert_int_equal(singleshot(&mock, 0, 0, 1), 0);    /* vCPU 0 has no VIRQ_TIMER */
    assert_int_equal(ram64(&mock, SHARED_GPA + xen_layout64.pending), 0);
    assert_int_equal(interrupted(&mock), NOBODY);
    mock_stop(&mock);
}

/* VP 0's reset closed the port that VP 1 still thinks it has. */
static void test_between_two_resets(void **state)
{
    struct mock mock;

    (void)state;
    start_timers(&mock);
    assert_int_equal(singleshot(&mock, 1, 1, 2 * NOW), 0);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    map_shared(&mock);
    assert_int_equal(bind_ipi(&mock, 0), PORT);
    mock_advance(&mock, 5 * NOW);
    assert_int_equal(mock_timer(&mock, 1), HVS_HANDLED);
    assert_false(is_pending(&mock));
    assert_int_equal(mock_reset(&mock, 1), HVS_HANDLED);
    assert_int_equal(deadline(&mock), NEVER);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timer_fires_once),
        cmocka_unit_test(test_the_past_is_now),
        cmocka_unit_test(test_set_timer_op),
        cmocka_unit_test(test_periodic_timer),
        cmocka_unit_test(test_bad_periods),
        cmocka_unit_test(test_only_of_the_caller),
        cmocka_unit_test(test_nobody_bound),
        cmocka_unit_test(test_between_two_resets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
