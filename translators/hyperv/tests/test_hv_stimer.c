/* Synthetic timers in all their modes, and what keeps a guest from making them a burden [TLFS timers]. */
#include "synic_test.h"

enum { NS = 100, MS = 10000, DIRECT_VECTOR = 0xed, MIN_PERIOD = 2000 };        /* MS, MIN_PERIOD in 100 ns */

#define CONFIG(n) (HV_X64_MSR_STIMER0_CONFIG + 2 * (n))
#define COUNT(n) (HV_X64_MSR_STIMER0_COUNT + 2 * (n))
#define DIRECT (HV_STIMER_DIRECT_MODE | (uint64_t)DIRECT_VECTOR << HV_STIMER_APIC_VECTOR_SHIFT)
#define TO_SINT ((uint64_t)SINT << HV_STIMER_SINTX_SHIFT)

static uint64_t reference(struct mock *mock)
{
    return hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT);
}

static uint64_t deadline(struct mock *mock, uint32_t vp)
{
    return hvs_vcpu_deadline_ns(mock_vcpu(mock, vp));
}

/* Turns the clock to the deadline, as the backend's timer does, or to `at_most`; says whether it was the deadline. */
static bool run_to_deadline(struct mock *mock, uint64_t at_most_ns)
{
    uint64_t at = deadline(mock, 0);

    if (at > at_most_ns) {
        mock->now_ns = at_most_ns > mock->now_ns ? at_most_ns : mock->now_ns;
        return false;
    }
    while (hvs_vm_now_ns(mock->vm) < at)        /* which is rounded */
        mock_advance(mock, at - hvs_vm_now_ns(mock->vm) + 1);
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
    return true;
}

/* How often timers interrupt in the next `span_100ns`; *shortest is the smallest distance of two, where not NULL. */
static uint32_t interrupts_in(struct mock *mock, uint64_t span_100ns, uint64_t *shortest)
{
    uint64_t end_ns = mock->now_ns + span_100ns * NS, last = 0;
    uint32_t nr = 0;

    while (run_to_deadline(mock, end_ns)) {
        if (!mock_effects(mock, HVS_EFFECT_INJECT, NULL))
            continue;
        if (shortest && nr && (nr == 1 || mock->now_ns - last < *shortest))
            *shortest = mock->now_ns - last;
        last = mock->now_ns;
        nr++;
        assert_in_range(nr, 0, 100000);
    }
    return nr;
}

static void start(struct mock *mock, uint32_t n, uint64_t config, uint64_t count)
{
    hv_test_write(mock, 0, COUNT(n), count);
    hv_test_write(mock, 0, CONFIG(n), config | HV_STIMER_ENABLE);
}

static const struct hv_timer_message_payload *payload(const struct mock *mock)
{
    return (const struct hv_timer_message_payload *)(const void *)synic_slot(mock, 0, SINT)->payload;
}

/* --- one-shot ----------------------------------------------------------------------------------------------------- */

static void one_shot_interrupts_once_and_is_disabled(void **state)
{
    struct mock *mock = *state;

    for (uint32_t n = 0; n < 4; n++) {
        uint64_t at = reference(mock) + MS;

        start(mock, n, DIRECT, at);
        synic_expect_interrupt(mock, 0, 0);
        assert_true(run_to_deadline(mock, UINT64_MAX));
        synic_expect_interrupt(mock, 0, DIRECT_VECTOR);
        assert_in_range(reference(mock), at, at + 2);
        assert_int_equal(hv_test_read(mock, 0, CONFIG(n)), DIRECT);
        assert_int_equal(hv_test_read(mock, 0, COUNT(n)), at);
        assert_int_equal(deadline(mock, 0), UINT64_MAX);
    }
}

/* "Will never be delivered before the expiration time", also where the clock is started anew and rounded otherwise. */
static void never_early(void **state)
{
    struct mock *mock = *state;

    for (uint32_t i = 0; i < 2000; i++) {
        uint64_t at = reference(mock) + 2 + i * 7919 % 100000;

        start(mock, 0, DIRECT, at);
        mock_advance(mock, i % 100);
        assert_int_equal(hvs_vm_start_clock(mock->vm), HVS_OK);
        while (hv_test_read(mock, 0, CONFIG(0)) & HV_STIMER_ENABLE) {
            mock_advance(mock, 1);
            run_to_deadline(mock, UINT64_MAX);
        }
        assert_in_range(reference(mock), at, at + 5);
    }
}

static void too_early_a_wake_up_is_nothing(void **state)
{
    struct mock *mock = *state;

    start(mock, 0, DIRECT, reference(mock) + MS);
    mock_advance(mock, MS * NS / 2);
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
    synic_expect_interrupt(mock, 0, 0);
    assert_true(hv_test_read(mock, 0, CONFIG(0)) & HV_STIMER_ENABLE);
}

static void past_deadline_expires_at_once(void **state)
{
    struct mock *mock = *state;

    mock_advance(mock, 1000000);
    synic_on(mock, 0);
    hv_test_write(mock, 0, COUNT(0), 1);
    hv_test_write(mock, 0, CONFIG(0), DIRECT | HV_STIMER_ENABLE);
    synic_expect_interrupt(mock, 0, DIRECT_VECTOR);
    hv_test_write(mock, 0, CONFIG(1), TO_SINT | HV_STIMER_AUTO_ENABLE);
    hv_test_write(mock, 0, COUNT(1), 1);
    synic_expect_interrupt(mock, 0, VECTOR);
    assert_int_equal(hv_test_read(mock, 0, CONFIG(1)), TO_SINT | HV_STIMER_AUTO_ENABLE);
    assert_int_equal(deadline(mock, 0), UINT64_MAX);
}

static void far_deadlines_do_not_wrap(void **state)
{
    static const uint64_t far[] = {UINT64_MAX, UINT64_MAX / NS, UINT64_MAX / NS + 1, UINT64_MAX / 2, 1ull << 58};
    struct mock *mock = *state;

    mock_advance(mock, 1000000);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(far) * 2; i++) {
        start(mock, 0, DIRECT | (i & 1 ? HV_STIMER_PERIODIC : 0), far[i / 2]);
        synic_expect_interrupt(mock, 0, 0);
        assert_true(deadline(mock, 0) > 1ull << 60);
        assert_int_equal(interrupts_in(mock, 100 * MS, NULL), 0);
    }
}

/* --- enabling ----------------------------------------------------------------------------------------------------- */

static void auto_enable_starts_by_the_count(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, CONFIG(0), DIRECT | HV_STIMER_AUTO_ENABLE);
    assert_int_equal(deadline(mock, 0), UINT64_MAX);
    hv_test_write(mock, 0, COUNT(0), reference(mock) + MS);
    assert_int_equal(hv_test_read(mock, 0, CONFIG(0)), DIRECT | HV_STIMER_AUTO_ENABLE | HV_STIMER_ENABLE);
    assert_int_equal(interrupts_in(mock, 2 * MS, NULL), 1);
    /* again, as Linux does for each tick */
    hv_test_write(mock, 0, COUNT(0), reference(mock) + MS);
    assert_int_equal(interrupts_in(mock, 2 * MS, NULL), 1);
}

static void without_auto_enable_the_count_starts_nothing(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, CONFIG(0), DIRECT);
    hv_test_write(mock, 0, COUNT(0), reference(mock) + MS);
    assert_int_equal(deadline(mock, 0), UINT64_MAX);
    hv_test_write(mock, 0, CONFIG(0), DIRECT | HV_STIMER_ENABLE);
    assert_int_not_equal(deadline(mock, 0), UINT64_MAX);
}

static void count_of_zero_disables(void **state)
{
    static const uint64_t mode[] = {DIRECT, DIRECT | HV_STIMER_PERIODIC, DIRECT | HV_STIMER_AUTO_ENABLE};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(mode); i++) {
        start(mock, 0, mode[i], reference(mock) + MS);
        hv_test_write(mock, 0, COUNT(0), 0);
        assert_int_equal(hv_test_read(mock, 0, CONFIG(0)), mode[i]);
        assert_int_equal(interrupts_in(mock, 10 * MS, NULL), 0);
    }
}

static void disabling_stops(void **state)
{
    struct mock *mock = *state;

    start(mock, 0, DIRECT | HV_STIMER_PERIODIC, MS);
    assert_int_equal(interrupts_in(mock, 3 * MS + 10, NULL), 3);
    hv_test_write(mock, 0, CONFIG(0), DIRECT | HV_STIMER_PERIODIC);
    assert_int_equal(interrupts_in(mock, 10 * MS, NULL), 0);
}

static void timer_that_could_not_be_heard_is_disabled(void **state)
{
    struct mock *mock = *state;

    start(mock, 0, 0, reference(mock) + MS);            /* SINT 0 */
    assert_int_equal(hv_test_read(mock, 0, CONFIG(0)), 0);
    hv_test_write(mock, 0, CONFIG(0), HV_STIMER_AUTO_ENABLE);
    hv_test_write(mock, 0, COUNT(0), reference(mock) + MS);
    assert_int_equal(hv_test_read(mock, 0, CONFIG(0)), HV_STIMER_AUTO_ENABLE);
    for (uint64_t vector = 0; vector < 16; vector++) {
        start(mock, 0, HV_STIMER_DIRECT_MODE | vector << HV_STIMER_APIC_VECTOR_SHIFT, 1);
        synic_expect_interrupt(mock, 0, 0);
        assert_int_equal(hv_test_read(mock, 0, CONFIG(0)) & HV_STIMER_ENABLE, 0);
    }
    assert_int_equal(interrupts_in(mock, 10 * MS, NULL), 0);
}

static void direct_mode_needs_its_feature(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].features_off = hv_test_feature("stimer-direct");
    assert_int_equal(mock_start(&mock), HVS_OK);
    hv_test_expect_gp(&mock, mock_wrmsr(&mock, 0, CONFIG(0), DIRECT));
    hv_test_write(&mock, 0, CONFIG(0), TO_SINT);
    mock_stop(&mock);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static void message_says_which_timer_and_when(void **state)
{
    struct mock *mock = *state;
    const struct hv_message *slot = synic_slot(mock, 0, SINT);
    uint64_t at;

    synic_on(mock, 0);
    mock_advance(mock, 123456700);
    at = reference(mock) + MS;
    start(mock, 3, TO_SINT, at);
    assert_int_equal(slot->header.message_type, 0);
    assert_true(run_to_deadline(mock, UINT64_MAX));
    synic_expect_interrupt(mock, 0, VECTOR);
    assert_int_equal(slot->header.message_type, 0x80000010);
    assert_int_equal(slot->header.payload_size, 24);
    assert_int_equal(slot->header.origination_id, 0);
    assert_int_equal(payload(mock)->timer_index, 3);
    assert_int_equal(payload(mock)->expiration_time, at);
    assert_in_range(payload(mock)->delivery_time, at, at + 2);
}

/* The host's message is in the slot: the timer's waits for EOM, and says that it was late. */
static void message_waits_for_a_free_slot(void **state)
{
    struct mock *mock = *state;
    uint64_t at;

    synic_on(mock, 0);
    synic_post(mock, 0, SINT, "host's");
    at = reference(mock) + MS;
    start(mock, 1, TO_SINT, at);
    assert_true(run_to_deadline(mock, UINT64_MAX));
    synic_expect_interrupt(mock, 0, 0);
    assert_int_equal(hv_test_read(mock, 0, CONFIG(1)), TO_SINT);
    mock_advance(mock, MS * NS);
    hv_test_write(mock, 0, HV_X64_MSR_EOM, 0);          /* too early */
    synic_expect_interrupt(mock, 0, 0);
    mock_save_load_save(mock);
    assert_true(synic_take(mock, 0, SINT));
    synic_expect_interrupt(mock, 0, VECTOR);
    assert_int_equal(payload(mock)->timer_index, 1);
    assert_int_equal(payload(mock)->expiration_time, at);
    assert_true(payload(mock)->delivery_time >= at + MS);
    assert_false(synic_take(mock, 0, SINT));
    hv_test_write(mock, 0, HV_X64_MSR_EOM, 0);          /* sent once only */
    synic_expect_interrupt(mock, 0, 0);
}

/* Four timers and the host want one slot: each gets it in turn. */
static void all_who_wait_get_the_slot(void **state)
{
    struct mock *mock = *state;
    uint32_t seen = 0;

    synic_on(mock, 0);
    for (uint32_t n = 0; n < 4; n++)
        start(mock, n, TO_SINT, 1);
    mock_advance(mock, 2 * NS);
    mock_timer(mock, 0);
    assert_int_equal(synic_post(mock, 0, SINT, "x"), HVS_HV_BUSY);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(synic_slot(mock, 0, SINT)->header.message_type, 0x80000010);
        seen |= 1u << payload(mock)->timer_index;
        assert_true(synic_take(mock, 0, SINT) || i == 3);
    }
    assert_int_equal(seen, 0xf);
    assert_int_equal(synic_post(mock, 0, SINT, "x"), HVS_HV_DONE);
}

static void waits_until_the_synic_is_on(void **state)
{
    static const uint32_t last[] = {HV_X64_MSR_SCONTROL, HV_X64_MSR_SIMP};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(last); i++) {
        synic_on(mock, 0);
        hv_test_write(mock, 0, last[i], 0);
        mock_advance(mock, 2 * NS);
        start(mock, 0, TO_SINT, 1);
        synic_expect_interrupt(mock, 0, 0);
        hv_test_write(mock, 0, last[i], i == 0 ? 1 : HV_TEST_PAGE_MSR(SIM_GFN));
        synic_expect_interrupt(mock, 0, VECTOR);
        synic_take(mock, 0, SINT);
    }
}

static void writing_a_register_drops_the_waiting_message(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    synic_post(mock, 0, SINT, "x");
    for (uint32_t i = 0; i < 2; i++) {
        mock_advance(mock, 1000);
        start(mock, 0, TO_SINT, 1);
        hv_test_write(mock, 0, i ? CONFIG(0) : COUNT(0), i ? TO_SINT : 0);
        hv_test_write(mock, 0, HV_X64_MSR_EOM, 0);
    }
    assert_int_equal(synic_slot(mock, 0, SINT)->header.message_type, 1);
    synic_take(mock, 0, SINT);
    assert_int_equal(synic_slot(mock, 0, SINT)->header.message_type, 0);
}

/* A periodic timer stands still while its message waits, and goes on in step when it is taken. */
static void periodic_messages(void **state)
{
    struct mock *mock = *state;
    uint64_t first;

    synic_on(mock, 0);
    start(mock, 0, TO_SINT | HV_STIMER_PERIODIC, MS);
    assert_int_equal(interrupts_in(mock, MS + 10, NULL), 1);
    first = payload(mock)->expiration_time;
    assert_int_equal(interrupts_in(mock, 10 * MS, NULL), 0);
    assert_int_equal(payload(mock)->expiration_time, first);
    assert_true(synic_take(mock, 0, SINT));
    synic_expect_interrupt(mock, 0, VECTOR);
    assert_int_equal(payload(mock)->expiration_time, first + MS);
    assert_true(hv_test_read(mock, 0, CONFIG(0)) & HV_STIMER_ENABLE);
}

/* --- periodic ----------------------------------------------------------------------------------------------------- */

static void periodic_keeps_its_rate(void **state)
{
    static const uint64_t mode[] = {DIRECT | HV_STIMER_PERIODIC, DIRECT | HV_STIMER_PERIODIC | HV_STIMER_LAZY};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(mode); i++) {
        start(mock, 0, mode[i], MS);
        assert_int_equal(interrupts_in(mock, 1000 * MS + 10, NULL), 1000);
        assert_int_equal(hv_test_read(mock, 0, CONFIG(0)), mode[i] | HV_STIMER_ENABLE);
        hv_test_write(mock, 0, CONFIG(0), 0);
    }
}

/* How many interrupts follow in 10 periods when nothing ran for `missed` periods. */
static uint32_t after_missing(struct mock *mock, uint64_t mode, uint64_t missed, uint64_t *shortest)
{
    uint32_t nr;

    start(mock, 0, mode | DIRECT | HV_STIMER_PERIODIC, MS);
    mock_advance(mock, missed * MS * NS + MS * NS / 10);
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
    synic_expect_interrupt(mock, 0, DIRECT_VECTOR);
    nr = interrupts_in(mock, 10 * MS, shortest);
    hv_test_write(mock, 0, CONFIG(0), 0);
    return nr;
}

static void missed_periods_are_made_up_for(void **state)
{
    struct mock *mock = *state;
    uint64_t shortest = 0;

    assert_int_equal(after_missing(mock, 0, 1, NULL), 10);              /* late by itself is nothing missed */
    assert_int_equal(after_missing(mock, 0, 5, &shortest), 10 + 4);
    assert_true(shortest >= (MS / 2 - 2) * NS);                               /* by a shorter period, not in a burst */
    assert_int_equal(after_missing(mock, 0, 9, NULL), 10 + 8);
    assert_int_equal(after_missing(mock, 0, 1000000, NULL), 10 + 8);    /* and not without end */
}

static void lazy_makes_nothing_up(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(after_missing(mock, HV_STIMER_LAZY, 5, NULL), 10);
    assert_int_equal(after_missing(mock, HV_STIMER_LAZY, 1000000, NULL), 10);
}

static void tiny_period_is_no_storm(void **state)
{
    static const uint64_t tiny[] = {1, 2, 100, MIN_PERIOD - 1};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(tiny); i++) {
        uint64_t shortest = 0;

        start(mock, 0, DIRECT | HV_STIMER_PERIODIC, tiny[i]);
        assert_int_equal(hv_test_read(mock, 0, COUNT(0)), tiny[i]);
        assert_int_equal(interrupts_in(mock, 100 * MIN_PERIOD + 10, &shortest), 100);
        assert_true(shortest >= (MIN_PERIOD - 2) * NS);
        /* one late exit is one interrupt, however many periods it missed */
        mock_advance(mock, 1000000000);
        assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
        synic_expect_interrupt(mock, 0, DIRECT_VECTOR);
        assert_in_range(interrupts_in(mock, 100 * MIN_PERIOD, &shortest), 99, 101);
        assert_true(shortest >= (MIN_PERIOD - 2) * NS);
    }
}

static void guest_that_always_frees_its_slot_gets_no_loop(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    start(mock, 0, TO_SINT | HV_STIMER_PERIODIC, 1);
    mock_advance(mock, 1000000000);
    mock_timer(mock, 0);
    for (uint32_t i = 0; i < 100; i++) {
        synic_take(mock, 0, SINT);
        hv_test_write(mock, 0, HV_X64_MSR_EOM, 0);
        synic_expect_interrupt(mock, 0, 0);
    }
}

/* --- save and load ------------------------------------------------------------------------------------------------ */

static void timers_go_on_after_a_load(void **state)
{
    struct mock *mock = *state;
    uint64_t at;

    mock_advance(mock, 7777700);
    start(mock, 0, DIRECT, reference(mock) + 5 * MS);
    start(mock, 1, DIRECT | HV_STIMER_PERIODIC | HV_STIMER_LAZY, 3 * MS);
    mock_advance(mock, 2 * MS * NS);
    at = deadline(mock, 0);
    mock_save_load_save(mock);
    assert_in_range(deadline(mock, 0), at - 2 * NS, at + 2 * NS);
    assert_int_equal(interrupts_in(mock, 2 * MS, NULL), 1);     /* the period began before the save */
    assert_int_equal(interrupts_in(mock, MS + MS / 2, NULL), 1);
    assert_false(hv_test_read(mock, 0, CONFIG(0)) & HV_STIMER_ENABLE);
}

/* A deadline that passed unnoticed before the save: the load injects nothing, the backend's timer does. */
static void load_itself_fires_nothing(void **state)
{
    struct mock *mock = *state;

    start(mock, 0, DIRECT, reference(mock) + MS);
    mock_advance(mock, 2 * MS * NS);
    mock_save_load_save(mock);
    assert_true(hv_test_read(mock, 0, CONFIG(0)) & HV_STIMER_ENABLE);
    assert_true(deadline(mock, 0) <= hvs_vm_now_ns(mock->vm));
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
    synic_expect_interrupt(mock, 0, DIRECT_VECTOR);
}

/* The record of VP 0's timers in a stream: its payload. */
static uint64_t *find_record(uint8_t *stream, size_t bytes)
{
    for (size_t at = sizeof(struct hvs_save_header); at < bytes;) {
        const uint32_t *head = (const uint32_t *)(void *)(stream + at);

        if (head[0] == hvs_hv_personality.id && (head[1] & 0xffff) == 17)
            return (uint64_t *)(void *)(stream + at + 16);
        at += 16 + (head[3] + 7) / 8 * 8;
    }
    return NULL;
}

/* The timers' record before all others, even the clock's: the same deadlines, and no message goes out by the load. */
static void order_of_records_does_not_matter(void **state)
{
    enum { RECORD_BYTES = 16 + 4 * 32 };
    struct mock *mock = *state;
    uint8_t *stream, *record, moved[RECORD_BYTES];
    uint64_t at;
    size_t bytes;

    synic_on(mock, 0);
    synic_post(mock, 0, SINT, "x");
    mock_advance(mock, 7777700);
    start(mock, 0, DIRECT, reference(mock) + 5 * MS);
    start(mock, 1, TO_SINT, 1);
    synic_slot(mock, 0, SINT)->header.message_type = 0;         /* and EOM is still to come */
    at = deadline(mock, 0);
    stream = hv_test_snapshot(mock, &bytes);
    record = (uint8_t *)find_record(stream, bytes) - 16;
    memcpy(moved, record, RECORD_BYTES);
    memmove(stream + 16 + RECORD_BYTES, stream + 16, (size_t)(record - stream) - 16);
    memcpy(stream + 16, moved, RECORD_BYTES);
    assert_int_equal(hvs_vm_load(mock->vm, stream, bytes), HVS_OK);
    assert_in_range(deadline(mock, 0), at - 2 * NS, at + 2 * NS);
    assert_int_equal(synic_slot(mock, 0, SINT)->header.message_type, 0);
    hv_test_write(mock, 0, HV_X64_MSR_EOM, 0);
    synic_expect_interrupt(mock, 0, VECTOR);
    free(stream);
}

static const struct {
    const char *what;
    uint64_t config, last;      /* last: has_message and padding */
} bad_record[] = {
    {"reserved bit", 1ull << 20, 0},
    {"enabled, to SINT 0", HV_STIMER_ENABLE, 0},
    {"enabled, to vector 1", HV_STIMER_ENABLE | HV_STIMER_DIRECT_MODE | 1 << 4, 0},
    {"message to SINT 0", 0, 1},
    {"message in direct mode", DIRECT, 1},
    {"neither true nor false", TO_SINT, 2},
    {"padding", TO_SINT, 1ull << 32},
};

static void bad_records_are_refused(void **state)
{
    struct mock *mock = *state;
    size_t bytes;
    uint8_t *stream = hv_test_snapshot(mock, &bytes);
    uint64_t *timer = find_record(stream, bytes);

    assert_non_null(timer);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad_record); i++) {
        timer[4] = bad_record[i].config;        /* of timer 1 */
        timer[7] = bad_record[i].last;
        if (hvs_vm_load(mock->vm, stream, bytes) != HVS_EFORMAT)
            fail_msg("%s: loaded", bad_record[i].what);
        assert_int_equal(deadline(mock, 0), UINT64_MAX);
    }
    timer[4] = TO_SINT | HV_STIMER_ENABLE | HV_STIMER_PERIODIC;
    timer[5] = timer[6] = UINT64_MAX;
    timer[7] = 0;
    assert_int_equal(hvs_vm_load(mock->vm, stream, bytes), HVS_OK);
    assert_int_equal(deadline(mock, 0), UINT64_MAX);
    free(stream);
}

static void reset_stops_all(void **state)
{
    struct mock *mock = *state;

    for (uint32_t n = 0; n < 4; n++)
        start(mock, n, DIRECT | HV_STIMER_PERIODIC, MS);
    mock_reset(mock, 0);
    assert_int_equal(deadline(mock, 0), UINT64_MAX);
    for (uint32_t n = 0; n < 4; n++) {
        assert_int_equal(hv_test_read(mock, 0, CONFIG(n)), 0);
        assert_int_equal(hv_test_read(mock, 0, COUNT(n)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(one_shot_interrupts_once_and_is_disabled),
        HV_TEST(never_early),
        HV_TEST(too_early_a_wake_up_is_nothing),
        HV_TEST(past_deadline_expires_at_once),
        HV_TEST(far_deadlines_do_not_wrap),
        HV_TEST(auto_enable_starts_by_the_count),
        HV_TEST(without_auto_enable_the_count_starts_nothing),
        HV_TEST(count_of_zero_disables),
        HV_TEST(disabling_stops),
        HV_TEST(timer_that_could_not_be_heard_is_disabled),
        cmocka_unit_test(direct_mode_needs_its_feature),
        HV_TEST(message_says_which_timer_and_when),
        HV_TEST(message_waits_for_a_free_slot),
        HV_TEST(all_who_wait_get_the_slot),
        HV_TEST(waits_until_the_synic_is_on),
        HV_TEST(writing_a_register_drops_the_waiting_message),
        HV_TEST(periodic_messages),
        HV_TEST(periodic_keeps_its_rate),
        HV_TEST(missed_periods_are_made_up_for),
        HV_TEST(lazy_makes_nothing_up),
        HV_TEST(tiny_period_is_no_storm),
        HV_TEST(guest_that_always_frees_its_slot_gets_no_loop),
        HV_TEST(timers_go_on_after_a_load),
        HV_TEST(load_itself_fires_nothing),
        HV_TEST(order_of_records_does_not_matter),
        HV_TEST(bad_records_are_refused),
        HV_TEST(reset_stops_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
