/* Synthetic debugging by hypercall and by MSR, over a host that keeps one packet each way. */
#include "hv_test.h"

static struct {
    uint8_t sent[HV_PAGE_SIZE];
    uint32_t nr_sent, room;             /* how much the host takes */
    bool was_frame;
    uint8_t waiting[HV_PAGE_SIZE];
    uint32_t nr_waiting;
    uint32_t resets;
    bool dropped_in, dropped_out;
} line;

static uint32_t sent(void *ctx, uint32_t vp, bool is_frame, const void *data, uint32_t bytes)
{
    (void)ctx;
    assert_int_equal(vp, 0);
    line.nr_sent = bytes < line.room ? bytes : line.room;
    line.was_frame = is_frame;
    memcpy(line.sent, data, line.nr_sent);
    return line.nr_sent;
}

static uint32_t wanted(void *ctx, uint32_t vp, bool is_frame, void *data, uint32_t capacity)
{
    uint32_t bytes = line.nr_waiting < capacity ? line.nr_waiting : capacity;

    (void)ctx;
    (void)vp;
    line.was_frame = is_frame;
    memcpy(data, line.waiting, bytes);
    line.nr_waiting = 0;
    return bytes;
}

static void reset(void *ctx, uint32_t vp, bool drop_incoming, bool drop_outgoing, struct hvs_hv_debug_peers *peers)
{
    (void)ctx;
    (void)vp;
    line.resets++;
    line.dropped_in = drop_incoming;
    line.dropped_out = drop_outgoing;
    *peers = (struct hvs_hv_debug_peers){0x0a000001, 0x0a000002, 50000, 50001};
}

static const struct hvs_hv_host host = {
    .size = sizeof(host), .debug_sent = sent, .debug_wanted = wanted, .debug_reset = reset};
static const struct hvs_hv_options options = {.size = sizeof(options), .host = &host};

static int setup(void **state)
{
    struct mock *mock = malloc(sizeof(*mock));

    assert_non_null(mock);
    memset(&line, 0, sizeof(line));
    line.room = HV_PAGE_SIZE;
    hv_test_config(mock, 1);
    mock->config.slot[0].options = &options;
    mock->config.slot[0].features_on = hv_test_feature("syndbg");
    assert_int_equal(mock_start(mock), HVS_OK);
    hv_test_establish(mock);
    *state = mock;
    return 0;
}

#define DEBUG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, hv_test_teardown)

/* Posts `count` bytes that lie with their header at `gpa`. */
static uint64_t post(struct mock *mock, uint8_t code_bits, uint64_t gpa, uint32_t count)
{
    const struct hv_input_post_debug_data in = {count, 0};

    memcpy(mock->ram + gpa, &in, sizeof(in));
    return hv_test_call(mock, code_bits, HvCallPostDebugData, gpa, HV_TEST_OUT_GPA);
}

static uint32_t out32(struct mock *mock, uint32_t offset)
{
    uint32_t value;

    memcpy(&value, mock->ram + HV_TEST_OUT_GPA + offset, sizeof(value));
    return value;
}

static void posts_what_follows_the_header(void **state)
{
    struct mock *mock = *state;

    memcpy(mock->ram + HV_TEST_IN_GPA + 8, "packet", 6);
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        assert_int_equal(post(mock, bits, HV_TEST_IN_GPA, 6), HV_STATUS_SUCCESS);
        assert_int_equal(line.nr_sent, 6);
        assert_memory_equal(line.sent, "packet", 6);
        assert_true(line.was_frame);
        assert_int_equal(out32(mock, 0), 0);
    }
    line.room = 4;
    assert_int_equal(post(mock, 64, HV_TEST_IN_GPA, 6), HV_STATUS_SUCCESS);
    assert_int_equal(out32(mock, 0), 2);
    line.room = 0;
    assert_int_equal(post(mock, 64, HV_TEST_IN_GPA, 6), HV_STATUS_INSUFFICIENT_BUFFERS);
}

static void posts_within_one_page(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(post(mock, 64, HV_TEST_IN_GPA, HV_PAGE_SIZE - 8), HV_STATUS_SUCCESS);
    assert_int_equal(line.nr_sent, HV_PAGE_SIZE - 8);
    line.nr_sent = 0;
    assert_int_equal(post(mock, 64, HV_TEST_IN_GPA, HV_PAGE_SIZE - 7), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(post(mock, 64, HV_TEST_IN_GPA, UINT32_MAX), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(post(mock, 64, HV_TEST_IN_GPA + 0xff0, 9), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(line.nr_sent, 0);
    assert_int_equal(post(mock, 64, HV_TEST_IN_GPA + 0xff0, 8), HV_STATUS_SUCCESS);
    assert_int_equal(post(mock, 64, MOCK_RAM_BYTES - 8, 1), HV_STATUS_INVALID_ALIGNMENT);
}

static uint64_t retrieve(struct mock *mock, uint64_t out_gpa, uint32_t count)
{
    const struct hv_input_retrieve_debug_data in = {count, 0, 0};

    memcpy(mock->ram + HV_TEST_IN_GPA, &in, sizeof(in));
    return hv_test_call(mock, 64, HvCallRetrieveDebugData, HV_TEST_IN_GPA, out_gpa);
}

static void retrieves_behind_the_header(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(retrieve(mock, HV_TEST_OUT_GPA, 100), HV_STATUS_NO_DATA);
    memcpy(line.waiting, "answer", 6);
    line.nr_waiting = 6;
    assert_int_equal(retrieve(mock, HV_TEST_OUT_GPA, 100), HV_STATUS_SUCCESS);
    assert_int_equal(out32(mock, 0), 6);
    assert_int_equal(out32(mock, 4), 0);
    assert_memory_equal(mock->ram + HV_TEST_OUT_GPA + 8, "answer", 6);
    line.nr_waiting = HV_PAGE_SIZE;
    assert_int_equal(retrieve(mock, HV_TEST_OUT_GPA, 3), HV_STATUS_SUCCESS);
    assert_int_equal(out32(mock, 0), 3);
    memset(mock->ram + HV_TEST_OUT_GPA + HV_PAGE_SIZE, 0x5a, 8);
    line.nr_waiting = HV_PAGE_SIZE;
    assert_int_equal(retrieve(mock, HV_TEST_OUT_GPA + 0xff0, UINT32_MAX), HV_STATUS_SUCCESS);
    assert_int_equal(mock->ram[HV_TEST_OUT_GPA + HV_PAGE_SIZE], 0x5a);
    line.nr_waiting = 5;
    assert_int_equal(retrieve(mock, HV_TEST_OUT_GPA + 0xff8, 5), HV_STATUS_NO_DATA);
    assert_int_equal(line.nr_waiting, 5);               /* not lost */
}

static void resets_and_tells_the_peers(void **state)
{
    const struct hv_input_reset_debug_session in = {HV_DEBUG_PURGE_OUTGOING_DATA, 0};
    struct hv_output_reset_debug_session out;
    const struct hv_test_block block = {.control = HvCallResetDebugSession, .in = &in, .in_bytes = sizeof(in),
                                        .out = &out, .out_bytes = sizeof(out)};

    for (size_t f = 0; f < 3; f++) {
        assert_int_equal(hv_test_call_block(*state, 0, hv_test_forms[f], &block), HV_STATUS_SUCCESS);
        assert_int_equal(line.resets, f + 1);
        assert_true(line.dropped_out && !line.dropped_in);
        assert_int_equal(out.host_ip, 0x0a000001);
        assert_int_equal(out.target_ip, 0x0a000002);
        assert_int_equal(out.host_port, 50000);
        assert_int_equal(out.target_port, 50001);
    }
}

static void says_characters_to_the_console(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(hv_test_call(mock, 64, HvCallOutputDebugCharacter | HV_HYPERCALL_FAST, 'x', 0), HV_STATUS_SUCCESS);
    assert_int_equal(mock->out.nr_effects, 1);
    assert_int_equal(mock->out.effect[0].kind, HVS_EFFECT_LOG);
    assert_int_equal(mock->out.effect[0].byte, 'x');
}

static void does_the_same_by_msr(void **state)
{
    struct mock *mock = *state;

    memcpy(mock->ram + 0x30000, "by msr", 6);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_SEND_BUFFER, 0x30000);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_RECEIVE_BUFFER, 0x31000);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_CONTROL, 6 << 16 | 1);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_SYNTH_DEBUG_STATUS), 1);
    assert_memory_equal(line.sent, "by msr", 6);
    assert_false(line.was_frame);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_CONTROL, 2);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_SYNTH_DEBUG_STATUS), 0);
    memcpy(line.waiting, "back", 4);
    line.nr_waiting = 4;
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_CONTROL, 2);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_SYNTH_DEBUG_STATUS), 4 << 16 | 4);
    assert_memory_equal(mock->ram + 0x31000, "back", 4);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER, 0x32000);
    assert_int_equal(mock->ram[0x32000], 1);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_DEBUG_DEVICE_OPTIONS), 4);
    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_SYNTH_DEBUG_STATUS, 0));
    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_DEBUG_DEVICE_OPTIONS, 0));
    mock_save_load_save(mock);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_SYNTH_DEBUG_STATUS), 4 << 16 | 4);
}

static void bad_buffers_give_no_success(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_SEND_BUFFER, MOCK_RAM_BYTES);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_CONTROL, 6 << 16 | 1);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_SYNTH_DEBUG_STATUS), 0);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_SEND_BUFFER, 0x30ffc);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_CONTROL, 6 << 16 | 1);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_SYNTH_DEBUG_STATUS), 0);
    line.nr_waiting = 4;
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_RECEIVE_BUFFER, MOCK_RAM_BYTES);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_CONTROL, 2);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_SYNTH_DEBUG_STATUS), 0);
    assert_int_equal(line.nr_waiting, 4);
    hv_test_write(mock, 0, HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER, MOCK_RAM_BYTES);
}

static void shows_its_leaves(void **state)
{
    struct mock *mock = *state;
    struct hvs_cpuid_regs vendor = mock_cpuid(mock, 0, 0x40000080, 0);

    assert_int_equal(hv_test_cpuid(mock, 0x40000000, HVS_EAX) & 0xf0, 0);      /* a range of their own */
    assert_int_equal(vendor.reg[HVS_EAX], 0);
    assert_memory_equal(&vendor.reg[HVS_EBX], "Microsoft VS", 12);
    assert_int_equal(hv_test_cpuid(mock, 0x40000081, HVS_EAX), 0x31235356);
    assert_int_equal(hv_test_cpuid(mock, 0x40000082, HVS_EAX), 2);
    assert_int_equal(hv_test_cpuid(mock, 0x40000003, HVS_EAX) >> 12 & 1, 1);
    assert_int_equal(hv_test_cpuid(mock, 0x40000003, HVS_EBX) >> 11 & 1, 1);
    assert_int_equal(hv_test_cpuid(mock, 0x40000003, HVS_EDX) & 0x802, 0x802);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEBUG_TEST(posts_what_follows_the_header),
        DEBUG_TEST(posts_within_one_page),
        DEBUG_TEST(retrieves_behind_the_header),
        DEBUG_TEST(resets_and_tells_the_peers),
        DEBUG_TEST(says_characters_to_the_console),
        DEBUG_TEST(does_the_same_by_msr),
        DEBUG_TEST(bad_buffers_give_no_success),
        DEBUG_TEST(shows_its_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
