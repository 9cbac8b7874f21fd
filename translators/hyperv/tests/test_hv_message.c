/* Messages in the SIM page, against guests that keep the protocol and guests that do not
   [TLFS inter-partition-communication, SynIC messages]. */
#include "synic_test.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

static void message_is_put_as_the_guest_reads_it(void **state)
{
    struct mock *mock = *state;
    struct hv_message *slot = synic_slot(mock, 1, SINT);

    synic_on(mock, 1);
    memset(slot->payload, 0x5a, sizeof(slot->payload));
    assert_int_equal(synic_post(mock, 1, SINT, "hello"), HVS_HV_DONE);
    synic_expect_interrupt(mock, 1, VECTOR);
    assert_int_equal(slot->header.message_type, 1);
    assert_int_equal(slot->header.payload_size, 5);
    assert_int_equal(slot->header.message_flags, 0);
    assert_int_equal(slot->header.origination_id, 77);
    assert_memory_equal(slot->payload, "hello\x5a", 6);         /* its own bytes, no more */
    assert_int_equal(synic_slot(mock, 1, SINT - 1)->header.message_type, 0);
    assert_int_equal(synic_slot(mock, 1, SINT + 1)->header.message_type, 0);
}

static void every_slot_takes_the_longest(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    for (uint32_t sint = 0; sint < 16; sint++) {
        struct hvs_hv_message message = {.sint = sint, .type = 0x7fffffff, .payload_bytes = 240};

        memset(message.payload, (int)sint + 1, sizeof(message.payload));
        assert_int_equal(synic_host(mock, 0, hvs_hv_post_exit(&message)), HVS_HV_DONE);
    }
    for (uint32_t sint = 0; sint < 16; sint++) {
        const uint8_t *payload = (const uint8_t *)synic_slot(mock, 0, sint)->payload;

        assert_int_equal(payload[0], sint + 1);
        assert_int_equal(payload[239], sint + 1);
    }
}

static void taken_slot_is_left_alone_and_marked(void **state)
{
    struct mock *mock = *state;
    struct hv_message *slot = synic_slot(mock, 0, SINT), before;

    synic_on(mock, 0);
    assert_int_equal(synic_post(mock, 0, SINT, "first"), HVS_HV_DONE);
    before = *slot;
    assert_int_equal(synic_post(mock, 0, SINT, "second"), HVS_HV_BUSY);
    synic_expect_interrupt(mock, 0, 0);
    before.header.message_flags = HV_MESSAGE_FLAG_PENDING;
    assert_memory_equal(slot, &before, sizeof(before));
    /* a new message begins without the mark */
    slot->header.message_type = 0;
    assert_int_equal(synic_post(mock, 0, SINT, "second"), HVS_HV_DONE);
    assert_int_equal(slot->header.message_flags, 0);
}

static void other_slots_are_not_held_up(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    assert_int_equal(synic_post(mock, 0, SINT, "first"), HVS_HV_DONE);
    assert_int_equal(synic_post(mock, 0, SINT, "second"), HVS_HV_BUSY);
    assert_int_equal(synic_post(mock, 0, SINT + 1, "third"), HVS_HV_DONE);
}

static void nothing_is_put_where_it_is_off(void **state)
{
    static const struct {
        uint32_t msr;
        uint64_t value;
    } off[] = {
        {HV_X64_MSR_SCONTROL, ~1ull},
        {HV_X64_MSR_SIMP, (uint64_t)SIM_GFN << HV_PAGE_SHIFT},
        {HV_X64_MSR_SIMP, HV_TEST_PAGE_MSR(MOCK_RAM_BYTES / HV_PAGE_SIZE)},
        {HV_X64_MSR_SIMP, ~0ull},
    };
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(off); i++) {
        synic_on(mock, 0);
        hv_test_write(mock, 0, off[i].msr, off[i].value);
        assert_int_equal(synic_post(mock, 0, SINT, "x"), HVS_HV_NOT_ENABLED);
        synic_expect_interrupt(mock, 0, 0);
        assert_int_equal(synic_slot(mock, 0, SINT)->header.message_type, 0);
    }
}

static void bad_messages_are_refused(void **state)
{
    struct hvs_hv_message message;
    struct mock *mock = *state;

    synic_on(mock, 0);
    message = synic_message(16, "x");
    assert_int_equal(synic_host(mock, 0, hvs_hv_post_exit(&message)), HVS_HV_REFUSED);
    message = synic_message(SINT, "x");
    message.type = 0;
    assert_int_equal(synic_host(mock, 0, hvs_hv_post_exit(&message)), HVS_HV_REFUSED);
    message = synic_message(SINT, "x");
    message.payload_bytes = 241;
    assert_int_equal(synic_host(mock, 0, hvs_hv_post_exit(&message)), HVS_HV_REFUSED);
    message.payload_bytes = UINT32_MAX;
    assert_int_equal(synic_host(mock, 0, hvs_hv_post_exit(&message)), HVS_HV_REFUSED);
    assert_int_equal(mock_host(mock, 0, &hvs_hv_personality, 99, &message), HVS_HANDLED);
    assert_int_equal(mock->out.value, HVS_HV_REFUSED);
    assert_int_equal(synic_slot(mock, 0, SINT)->header.message_type, 0);
}

/* Any content of the page: no more than a slot is written, and nothing is believed but the type. */
static void hostile_page(void **state)
{
    struct mock *mock = *state;
    uint8_t *page = mock->ram + SIM_GFN * HV_PAGE_SIZE;

    synic_on(mock, 0);
    memset(page - HV_PAGE_SIZE, 0x11, HV_PAGE_SIZE);
    memset(page + HV_PAGE_SIZE, 0x11, HV_PAGE_SIZE);
    for (uint32_t fill = 0; fill < 256; fill += 0x33) {
        memset(page, (int)fill, HV_PAGE_SIZE);
        assert_int_equal(synic_post(mock, 0, 15, "x"), fill ? HVS_HV_BUSY : HVS_HV_DONE);
        for (uint32_t i = 0; i < HV_PAGE_SIZE - HV_MESSAGE_SIZE; i++)
            assert_int_equal(page[i], fill);
    }
    assert_int_equal(page[-1], 0x11);
    assert_int_equal(page[HV_PAGE_SIZE], 0x11);
}

/* "Undefined behaviour" by the TLFS; here both pages and the hypercall page are stacked, and the top one is seen. */
static void pages_on_one_frame(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    hv_test_write(mock, 0, HV_X64_MSR_SCONTROL, 1);
    hv_test_write(mock, 0, HV_X64_MSR_SIMP, HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN));
    hv_test_write(mock, 0, HV_X64_MSR_SIEFP, HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN));
    assert_int_equal(synic_post(mock, 0, SINT, "x"), HVS_HV_DONE);
    assert_int_equal(mock->ram[HV_TEST_CALL_GFN * HV_PAGE_SIZE + SINT * HV_MESSAGE_SIZE], 0);
    hv_test_write(mock, 0, HV_X64_MSR_SIEFP, 0);
    assert_int_equal(mock->ram[HV_TEST_CALL_GFN * HV_PAGE_SIZE + SINT * HV_MESSAGE_SIZE], 1);
}

/* --- two threads: no message is lost, and no wait for the slot is in vain ----------------------------------------- */

enum { NR_MESSAGES = 50000 };

static struct {
    struct mock *mock;
    sem_t freed;
    _Atomic bool is_over;
    uint32_t nr_received;
} race;

static enum hvs_hv_answer race_exit(struct hvs_exit exit)
{
    struct hvs_outcome out;

    hvs_vcpu_exit(mock_vcpu(race.mock, 0), &exit, NULL, &out);
    return (enum hvs_hv_answer)out.value;
}

static void race_slot_freed(void *ctx, uint32_t vp, uint32_t sint)
{
    (void)ctx;
    (void)vp;
    (void)sint;
    sem_post(&race.freed);
}

/* The guest, which writes EOM only where MessagePending is set. */
static void *race_guest(void *argument)
{
    struct hv_message *slot = synic_slot(race.mock, 0, SINT);
    _Atomic uint32_t *type = (_Atomic uint32_t *)&slot->header.message_type;
    _Atomic uint8_t *flags = (_Atomic uint8_t *)&slot->header.message_flags;

    (void)argument;
    while (!atomic_load(&race.is_over)) {
        if (atomic_load(type) == 0) {
            sched_yield();
            continue;
        }
        if (slot->payload[0] == race.nr_received)
            race.nr_received++;
        atomic_store(type, 0);
        if (atomic_load(flags) & HV_MESSAGE_FLAG_PENDING)
            race_exit((struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE, .msr = {HV_X64_MSR_EOM, 0}});
    }
    return NULL;
}

/* Where nobody tells that the slot is free, it waits for ever, and the test runs into its time limit. */
static void race_post(uint64_t n)
{
    struct hvs_hv_message message = {.sint = SINT, .type = 1, .payload_bytes = sizeof(n)};

    memcpy(message.payload, &n, sizeof(n));
    while (race_exit(hvs_hv_post_exit(&message)) == HVS_HV_BUSY)
        sem_wait(&race.freed);
}

static void relax(void)
{
    sched_yield();
}

static void guest_and_host_at_once(void **state)
{
    static const struct hvs_hv_host host = {.size = sizeof(host), .slot_freed = race_slot_freed};
    static const struct hvs_hv_options options = {.size = sizeof(options), .host = &host};
    struct mock mock;
    pthread_t guest;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].options = &options;
    mock.config.relax = relax;
    assert_int_equal(mock_start(&mock), HVS_OK);
    synic_on(&mock, 0);
    race.mock = &mock;
    sem_init(&race.freed, 0, 0);
    assert_int_equal(pthread_create(&guest, NULL, race_guest, NULL), 0);
    for (uint64_t n = 0; n <= NR_MESSAGES; n++)         /* that the last is in means that those before it were taken */
        race_post(n);
    atomic_store(&race.is_over, true);
    pthread_join(guest, NULL);
    sem_destroy(&race.freed);
    assert_in_range(race.nr_received, NR_MESSAGES, NR_MESSAGES + 1);
    assert_int_equal(mock.nr_pinned, 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(message_is_put_as_the_guest_reads_it),
        HV_TEST(every_slot_takes_the_longest),
        HV_TEST(taken_slot_is_left_alone_and_marked),
        HV_TEST(other_slots_are_not_held_up),
        HV_TEST(nothing_is_put_where_it_is_off),
        HV_TEST(bad_messages_are_refused),
        HV_TEST(hostile_page),
        HV_TEST(pages_on_one_frame),
        cmocka_unit_test(guest_and_host_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
