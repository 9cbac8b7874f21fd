/* The synthetic time-unhalted timer: it counts what its VP ran, and nothing else [TLFS timers]. */
#include "hv_test.h"

enum { VECTOR = 0x40, ASSIST_GFN = 0x50, PERIOD_100NS = 50000, PERIOD_NS = PERIOD_100NS * 100 };

static void begin(struct mock *mock, uint64_t vector)
{
    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    hv_test_write(mock, 1, HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT, PERIOD_100NS);
    hv_test_write(mock, 1, HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, HV_STIME_UNHALTED_ENABLED | vector);
    assert_int_not_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 1)), UINT64_MAX);
}

static uint8_t *expired(struct mock *mock)
{
    return mock->ram + ASSIST_GFN * HV_PAGE_SIZE +
           offsetof(struct hv_vp_assist_page, synthetic_time_unhalted_timer_expired);
}

/* Time passes, of which VP 1 ran `ran_ns`; the backend serves the timer whenever it is due. Counts interrupts. */
static uint32_t pass(struct mock *mock, uint64_t ns, uint64_t ran_ns, enum hvs_effect_kind kind, uint32_t *nr_looks)
{
    enum { STEP_NS = 50000 };
    uint32_t nr = 0;

    for (uint64_t at_ns = 0; at_ns < ns; at_ns += STEP_NS) {
        mock_advance(mock, STEP_NS);
        mock->vcpu_time[1].ran_ns += ran_ns / (ns / STEP_NS);
        if (hvs_vcpu_deadline_ns(mock_vcpu(mock, 1)) > hvs_vm_now_ns(mock->vm))
            continue;
        mock_timer(mock, 1);
        nr += mock_effects(mock, kind, NULL);
        *nr_looks += 1;
    }
    return nr;
}

static void fires_each_period_that_the_vp_ran(void **state)
{
    struct mock *mock = *state;
    uint32_t nr_looks = 0;

    begin(mock, VECTOR);
    assert_int_equal(pass(mock, 20 * PERIOD_NS, 20 * PERIOD_NS, HVS_EFFECT_INJECT, &nr_looks), 20);
    /* the last one may be seen a moment later */
    assert_in_range(pass(mock, 20 * PERIOD_NS, 10 * PERIOD_NS, HVS_EFFECT_INJECT, &nr_looks), 9, 10);
}

static void interrupt_and_flag_are_this_vps(void **state)
{
    const struct hvs_effect *effect = NULL;
    struct mock *mock = *state;

    begin(mock, VECTOR);
    mock_advance(mock, PERIOD_NS);
    mock->vcpu_time[1].ran_ns = PERIOD_NS - 100;
    mock_timer(mock, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 0);
    assert_int_equal(*expired(mock), 0);
    mock_advance(mock, 1000000);
    mock->vcpu_time[1].ran_ns = PERIOD_NS;
    mock_timer(mock, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, &effect), 1);
    assert_int_equal(effect->vp, 1);
    assert_int_equal(effect->vector, VECTOR);
    assert_int_equal(*expired(mock), 1);
}

static void vector_2_is_an_nmi(void **state)
{
    const struct hvs_effect *effect = NULL;
    struct mock *mock = *state;

    begin(mock, 2);
    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, 0);       /* it fires without a page too */
    mock_advance(mock, PERIOD_NS + 1000);
    mock->vcpu_time[1].ran_ns = PERIOD_NS;
    mock_timer(mock, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 0);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_NMI, &effect), 1);
    assert_int_equal(effect->vp, 1);
}

/* A VP that sleeps for an hour costs 100 looks a second, and gets nothing. */
static void idle_vp_is_left_alone(void **state)
{
    struct mock *mock = *state;
    uint32_t nr_looks = 0;

    begin(mock, VECTOR);
    pass(mock, PERIOD_NS, PERIOD_NS - 100000, HVS_EFFECT_INJECT, &nr_looks);
    nr_looks = 0;
    assert_int_equal(pass(mock, 1000000000, 0, HVS_EFFECT_INJECT, &nr_looks), 0);
    assert_in_range(nr_looks, 90, 101);
    assert_int_equal(pass(mock, 20000000, 10000000, HVS_EFFECT_INJECT, &nr_looks), 2);
}

/* The shortest period there is must not keep the host busy: whoever comes too often is served 5000 times a second. */
static void shortest_period_is_bearable(void **state)
{
    struct mock *mock = *state;
    uint32_t nr_looks = 0;

    hv_test_write(mock, 1, HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT, 1);
    hv_test_write(mock, 1, HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, HV_STIME_UNHALTED_ENABLED | VECTOR);
    pass(mock, 1000000000, 1000000000, HVS_EFFECT_INJECT, &nr_looks);
    assert_in_range(nr_looks, 3000, 5000);
}

static void missed_periods_are_skipped_in_step(void **state)
{
    struct mock *mock = *state;

    begin(mock, VECTOR);
    mock_advance(mock, 10 * PERIOD_NS);
    mock->vcpu_time[1].ran_ns = 7 * PERIOD_NS + PERIOD_NS / 2;
    mock_timer(mock, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 1);
    mock_advance(mock, PERIOD_NS / 2 + 1000);
    mock->vcpu_time[1].ran_ns = 8 * PERIOD_NS;
    mock_timer(mock, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 1);
}

static void is_off_without_a_period_or_the_bit(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 1, HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, HV_STIME_UNHALTED_ENABLED | VECTOR);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 1)), UINT64_MAX);
    begin(mock, VECTOR);
    hv_test_write(mock, 1, HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, VECTOR);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 1)), UINT64_MAX);
    begin(mock, VECTOR);
    hv_test_write(mock, 1, HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT, 0);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 1)), UINT64_MAX);
    hv_test_write(mock, 1, HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT, UINT64_MAX);
    assert_int_not_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 1)), UINT64_MAX);
    mock_reset(mock, 1);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 1)), UINT64_MAX);
}

static void exceptions_are_no_vectors(void **state)
{
    struct mock *mock = *state;

    for (uint64_t vector = 0; vector < 16; vector++) {
        hv_test_write(mock, 0, HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, vector);
        if (vector == 2)
            continue;
        hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG,
                                           HV_STIME_UNHALTED_ENABLED | vector));
        assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG), vector);
    }
}

/* Half a period before, half a period after, on a host that counts from elsewhere. */
static void period_goes_on_after_a_load(void **state)
{
    struct mock *mock = *state;
    uint8_t *stream;
    size_t bytes;

    begin(mock, VECTOR);
    mock_advance(mock, PERIOD_NS / 2);
    mock->vcpu_time[1].ran_ns = PERIOD_NS / 2;
    mock_save_load_save(mock);
    stream = hv_test_snapshot(mock, &bytes);
    mock->vcpu_time[1].ran_ns = 987654300;
    assert_int_equal(hvs_vm_load(mock->vm, stream, bytes), HVS_OK);
    mock_advance(mock, PERIOD_NS / 2 + 1000);
    mock->vcpu_time[1].ran_ns += PERIOD_NS / 2 - 100;
    mock_timer(mock, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 0);
    mock_advance(mock, 1000000);
    mock->vcpu_time[1].ran_ns += 100;
    mock_timer(mock, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, NULL), 1);
    free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(fires_each_period_that_the_vp_ran),
        HV_TEST(interrupt_and_flag_are_this_vps),
        HV_TEST(vector_2_is_an_nmi),
        HV_TEST(idle_vp_is_left_alone),
        HV_TEST(shortest_period_is_bearable),
        HV_TEST(missed_periods_are_skipped_in_step),
        HV_TEST(is_off_without_a_period_or_the_bit),
        HV_TEST(exceptions_are_no_vectors),
        HV_TEST(period_goes_on_after_a_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
