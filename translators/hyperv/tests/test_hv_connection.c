/* PostMessage and SignalEvent, and a host that echoes what comes [TLFS inter-partition-communication]. */
#include "synic_test.h"

enum { ECHO_CONNECTION = 1000, FULL_CONNECTION = 2000, MAX_WAITING = 8 };

/* The service that tests talk to: messages and flags on connection 1000 + n come back on SINTn. */
struct echo {
    struct mock *mock;
    struct hvs_hv_message message[MAX_WAITING];
    uint32_t nr_messages;
    struct hvs_hv_event event;
    uint32_t nr_events, nr_freed, freed_sint, vp;
};

static enum hvs_hv_status take_message(void *ctx, uint32_t vp, uint32_t connection, uint32_t type, const void *payload,
                                       uint32_t payload_bytes)
{
    struct echo *echo = ctx;
    struct hvs_hv_message *message = &echo->message[echo->nr_messages];

    assert_in_range(connection, 0, 0xffffff);
    if (connection == FULL_CONNECTION)
        return HVS_HV_INSUFFICIENT_BUFFERS;
    if (connection - ECHO_CONNECTION >= 16)
        return HVS_HV_INVALID_CONNECTION_ID;
    assert_in_range(echo->nr_messages, 0, MAX_WAITING - 1);
    *message = (struct hvs_hv_message){
        .sint = connection - ECHO_CONNECTION, .type = type, .port_id = connection, .payload_bytes = payload_bytes};
    memcpy(message->payload, payload, payload_bytes);
    echo->nr_messages++;
    echo->vp = vp;
    return HVS_HV_SUCCESS;
}

static enum hvs_hv_status take_event(void *ctx, uint32_t vp, uint32_t connection, uint32_t flag)
{
    struct echo *echo = ctx;

    assert_in_range(connection, 0, 0xffffff);
    if (connection == FULL_CONNECTION)
        return HVS_HV_INVALID_PORT_ID;
    if (connection - ECHO_CONNECTION >= 16)
        return HVS_HV_INVALID_CONNECTION_ID;
    echo->event = (struct hvs_hv_event){connection - ECHO_CONNECTION, flag};
    echo->nr_events++;
    echo->vp = vp;
    return HVS_HV_SUCCESS;
}

static void slot_freed(void *ctx, uint32_t vp, uint32_t sint)
{
    struct echo *echo = ctx;

    echo->nr_freed++;
    echo->freed_sint = sint;
    echo->vp = vp;
}

/* What the service's own thread would do after the exit. */
static enum hvs_hv_answer send_first(struct echo *echo)
{
    enum hvs_hv_answer answer = synic_host(echo->mock, echo->vp, hvs_hv_post_exit(&echo->message[0]));

    if (answer == HVS_HV_DONE)
        memmove(&echo->message[0], &echo->message[1], --echo->nr_messages * sizeof(echo->message[0]));
    return answer;
}

static struct echo echo;
static const struct hvs_hv_host echo_host = {
    .size = sizeof(echo_host),
    .ctx = &echo,
    .message_posted = take_message,
    .event_signalled = take_event,
    .slot_freed = slot_freed,
};
static const struct hvs_hv_options echo_options = {.size = sizeof(echo_options), .host = &echo_host};

static int setup(void **state)
{
    struct mock *mock = malloc(sizeof(*mock));

    assert_non_null(mock);
    hv_test_config(mock, 2);
    mock->config.slot[0].options = &echo_options;
    assert_int_equal(mock_start(mock), HVS_OK);
    hv_test_establish(mock);
    echo = (struct echo){.mock = mock};
    *state = mock;
    return 0;
}

static uint64_t post(struct mock *mock, uint32_t connection, uint32_t type, uint32_t bytes, const char *text)
{
    struct hv_input_post_message *in = (void *)(mock->ram + HV_TEST_IN_GPA);

    *in = (struct hv_input_post_message){.connection_id = connection, .message_type = type, .payload_size = bytes};
    strcpy((char *)in->message, text);
    return hv_test_call(mock, 64, HvCallPostMessage, HV_TEST_IN_GPA, 0);
}

static uint64_t signal_by(struct mock *mock, bool is_fast, uint32_t connection, uint16_t flag, uint16_t rsvdz)
{
    struct hv_input_signal_event in = {connection, flag, rsvdz};
    uint64_t word;

    memcpy(&word, &in, sizeof(word));
    memcpy(mock->ram + HV_TEST_IN_GPA, &in, sizeof(in));
    return hv_test_call(mock, 64, HvCallSignalEvent | (is_fast ? HV_HYPERCALL_FAST : 0),
                        is_fast ? word : HV_TEST_IN_GPA, 0);
}

static void message_goes_out_and_comes_back(void **state)
{
    struct mock *mock = *state;
    struct hv_message *slot = synic_slot(mock, 0, SINT);

    synic_on(mock, 0);
    assert_int_equal(post(mock, ECHO_CONNECTION + SINT, 0x1234, 5, "hello, world"), HV_STATUS_SUCCESS);
    assert_int_equal(mock->out.nr_effects, 0);
    assert_int_equal(send_first(&echo), HVS_HV_DONE);
    synic_expect_interrupt(mock, 0, VECTOR);
    assert_int_equal(slot->header.message_type, 0x1234);
    assert_int_equal(slot->header.payload_size, 5);
    assert_int_equal(slot->header.origination_id, ECHO_CONNECTION + SINT);
    assert_memory_equal(slot->payload, "hello\0", 6);
}

static void flag_goes_out_and_comes_back(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    for (int is_fast = 0; is_fast < 2; is_fast++) {
        assert_int_equal(signal_by(mock, is_fast, ECHO_CONNECTION + SINT, 2047, 0), HV_STATUS_SUCCESS);
        assert_int_equal(echo.nr_events, is_fast + 1);
        assert_int_equal(synic_host(mock, echo.vp, hvs_hv_signal_exit(&echo.event)), HVS_HV_DONE);
        synic_expect_interrupt(mock, 0, VECTOR);
        assert_int_equal(synic_flags(mock, 0, SINT)[255], 0x80);
        synic_flags(mock, 0, SINT)[255] = 0;
    }
}

/* The second waits at the host until the guest has said EOM, and only then is the host told. */
static void host_is_told_when_the_slot_is_free(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    post(mock, ECHO_CONNECTION + SINT, 1, 5, "first");
    post(mock, ECHO_CONNECTION + SINT, 1, 6, "second");
    assert_int_equal(send_first(&echo), HVS_HV_DONE);
    assert_int_equal(send_first(&echo), HVS_HV_BUSY);
    hv_test_write(mock, 0, HV_X64_MSR_EOM, 0);          /* too early: the slot is not free */
    assert_int_equal(echo.nr_freed, 0);
    mock_save_load_save(mock);
    assert_true(synic_take(mock, 0, SINT));
    assert_int_equal(echo.nr_freed, 1);
    assert_int_equal(echo.freed_sint, SINT);
    assert_int_equal(send_first(&echo), HVS_HV_DONE);
    assert_memory_equal(synic_slot(mock, 0, SINT)->payload, "second", 6);
    assert_false(synic_take(mock, 0, SINT));
    hv_test_write(mock, 0, HV_X64_MSR_EOM, 0);
    assert_int_equal(echo.nr_freed, 1);
}

static void reset_forgets_who_waits(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 1);
    synic_post(mock, 1, SINT, "first");
    assert_int_equal(synic_post(mock, 1, SINT, "second"), HVS_HV_BUSY);
    mock_reset(mock, 1);
    synic_on(mock, 1);
    hv_test_write(mock, 1, HV_X64_MSR_EOM, 0);
    assert_int_equal(echo.nr_freed, 0);
    assert_int_equal(synic_post(mock, 1, SINT, "third"), HVS_HV_DONE);
}

static const struct {
    const char *what;
    uint32_t connection, rsvdz, type, bytes;
    uint16_t status;
} bad_post[] = {
    {"unknown connection", 1, 0, 1, 1, HV_STATUS_INVALID_CONNECTION_ID},
    {"reserved bits of the connection", ECHO_CONNECTION | 1u << 24, 0, 1, 1, HV_STATUS_INVALID_CONNECTION_ID},
    {"reserved field", ECHO_CONNECTION, 1, 1, 1, HV_STATUS_INVALID_PARAMETER},
    {"no type", ECHO_CONNECTION, 0, 0, 1, HV_STATUS_INVALID_PARAMETER},
    {"the hypervisor's type", ECHO_CONNECTION, 0, 0x80000000, 1, HV_STATUS_INVALID_PARAMETER},
    {"too long", ECHO_CONNECTION, 0, 1, 241, HV_STATUS_INVALID_PARAMETER},
    {"far too long", ECHO_CONNECTION, 0, 1, UINT32_MAX, HV_STATUS_INVALID_PARAMETER},
    {"no type, to nobody", 1, 0, 0, 1, HV_STATUS_INVALID_PARAMETER},
    {"no room", FULL_CONNECTION, 0, 1, 1, HV_STATUS_INSUFFICIENT_BUFFERS},
};

static void bad_posts_get_their_status(void **state)
{
    struct mock *mock = *state;
    struct hv_input_post_message *in = (void *)(mock->ram + HV_TEST_IN_GPA);

    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad_post); i++) {
        uint64_t result;

        *in = (struct hv_input_post_message){bad_post[i].connection, bad_post[i].rsvdz, bad_post[i].type,
                                             bad_post[i].bytes, {0}};
        result = hv_test_call(mock, 64, HvCallPostMessage, HV_TEST_IN_GPA, 0);
        if (result != bad_post[i].status)
            fail_msg("%s: got %#llx", bad_post[i].what, (unsigned long long)result);
    }
    /* 256 bytes do not fit into registers, nor into the end of a page */
    assert_int_equal(hv_test_call(mock, 64, HvCallPostMessage | HV_HYPERCALL_FAST, 0, 0),
                     HV_STATUS_INVALID_HYPERCALL_INPUT);
    assert_int_equal(hv_test_call(mock, 64, HvCallPostMessage, HV_TEST_IN_GPA + 0xf08, 0), HV_STATUS_INVALID_ALIGNMENT);
    assert_int_equal(echo.nr_messages, 0);
}

static void bad_signals_get_their_status(void **state)
{
    struct mock *mock = *state;

    for (int is_fast = 0; is_fast < 2; is_fast++) {
        assert_int_equal(signal_by(mock, is_fast, 1, 0, 0), HV_STATUS_INVALID_CONNECTION_ID);
        assert_int_equal(signal_by(mock, is_fast, ECHO_CONNECTION | 1u << 31, 0, 0), HV_STATUS_INVALID_CONNECTION_ID);
        assert_int_equal(signal_by(mock, is_fast, ECHO_CONNECTION, 2048, 0), HV_STATUS_INVALID_PARAMETER);
        assert_int_equal(signal_by(mock, is_fast, ECHO_CONNECTION, 0xffff, 0), HV_STATUS_INVALID_PARAMETER);
        assert_int_equal(signal_by(mock, is_fast, ECHO_CONNECTION, 0, 1), HV_STATUS_INVALID_PARAMETER);
        assert_int_equal(signal_by(mock, is_fast, FULL_CONNECTION, 0, 0), HV_STATUS_INVALID_PORT_ID);
    }
    assert_int_equal(echo.nr_events, 0);
}

/* No options, options of an older caller, a host without callbacks: there are just no connections. */
static void host_without_connections(void **state)
{
    static const struct hvs_hv_host none = {.size = sizeof(none)};
    static const struct hvs_hv_options of_old = {.size = offsetof(struct hvs_hv_options, host), .host = &echo_host};
    static const struct hvs_hv_options empty = {.size = sizeof(empty), .host = &none};
    static const struct hvs_hv_options *const options[] = {NULL, &of_old, &empty};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(options); i++) {
        struct mock mock;

        hv_test_config(&mock, 1);
        mock.config.slot[0].options = options[i];
        assert_int_equal(mock_start(&mock), HVS_OK);
        hv_test_establish(&mock);
        assert_int_equal(post(&mock, ECHO_CONNECTION, 1, 1, ""), HV_STATUS_INVALID_CONNECTION_ID);
        assert_int_equal(signal_by(&mock, true, ECHO_CONNECTION, 0, 0), HV_STATUS_INVALID_CONNECTION_ID);
        synic_on(&mock, 0);
        synic_post(&mock, 0, SINT, "first");
        assert_int_equal(synic_post(&mock, 0, SINT, "second"), HVS_HV_BUSY);
        synic_take(&mock, 0, SINT);
        mock_stop(&mock);
    }
}

static void without_synic_nothing_gets_in(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].features_off = hv_test_feature("synic");
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(synic_post(&mock, 0, SINT, "x"), HVS_HV_NOT_ENABLED);
    assert_int_equal(synic_signal(&mock, 0, SINT, 0), HVS_HV_NOT_ENABLED);
    mock_stop(&mock);
}

#define ECHO_TEST(test) cmocka_unit_test_setup_teardown(test, setup, hv_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ECHO_TEST(message_goes_out_and_comes_back),
        ECHO_TEST(flag_goes_out_and_comes_back),
        ECHO_TEST(host_is_told_when_the_slot_is_free),
        ECHO_TEST(reset_forgets_who_waits),
        ECHO_TEST(bad_posts_get_their_status),
        ECHO_TEST(bad_signals_get_their_status),
        cmocka_unit_test(host_without_connections),
        cmocka_unit_test(without_synic_nothing_gets_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
