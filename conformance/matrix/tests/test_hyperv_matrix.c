/*
 * The Hyper-V matrix against the translator on the mock backend: with all features, with each one off, with the fewest.
 */
#include "machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <hvshim/hyperv.h>
#include <hvshim/translators.h>

/* --- the configurations ------------------------------------------------------------------------------------------- */

/* A host that offers whatever a host can; it has no connection and no device. */
static enum hvs_hv_status message_posted(void *ctx, uint32_t vp, uint32_t connection, uint32_t type,
                                         const void *payload,
                                         uint32_t payload_bytes)
{
    (void)ctx, (void)vp, (void)connection, (void)type, (void)payload, (void)payload_bytes;
    return HVS_HV_INVALID_CONNECTION_ID;
}

static enum hvs_hv_status event_signalled(void *ctx, uint32_t vp, uint32_t connection, uint32_t flag)
{
    (void)ctx, (void)vp, (void)connection, (void)flag;
    return HVS_HV_INVALID_CONNECTION_ID;
}

static enum hvs_hv_status interrupt_retargeted(void *ctx, uint32_t vp, const struct hvs_hv_device_interrupt *to)
{
    (void)ctx, (void)vp, (void)to;
    return HVS_HV_INVALID_PARAMETER;
}

static uint32_t debug_sent(void *ctx, uint32_t vp, bool is_frame, const void *data, uint32_t bytes)
{
    (void)ctx, (void)vp, (void)is_frame, (void)data;
    return bytes;
}

static uint32_t debug_wanted(void *ctx, uint32_t vp, bool is_frame, void *data, uint32_t capacity)
{
    (void)ctx, (void)vp, (void)is_frame, (void)data, (void)capacity;
    return 0;
}

static void debug_reset(void *ctx, uint32_t vp, bool drop_incoming, bool drop_outgoing,
                        struct hvs_hv_debug_peers *peers)
{
    (void)ctx, (void)vp, (void)drop_incoming, (void)drop_outgoing;
    *peers = (struct hvs_hv_debug_peers){.host_ip = 0x0a000001};
}

static const struct hvs_hv_zeroed_range zeroed[] = {{0x40, 0x20}, {0x80, 1}};
static const struct hvs_hv_host host = {
    .size = sizeof(host),
    .message_posted = message_posted,
    .event_signalled = event_signalled,
    .interrupt_retargeted = interrupt_retargeted,
    .debug_sent = debug_sent,
    .debug_wanted = debug_wanted,
    .debug_reset = debug_reset,
    .zeroed_range = zeroed,
    .nr_zeroed_ranges = HVS_ARRAY_SIZE(zeroed),
    .partition_id = 0x123456,
};

static void configure(struct mock *mock)
{
    static const struct hvs_personality *const list[] = {&hvs_hv_personality, NULL};
    static const struct hvs_hv_options options = {.size = sizeof(options), .host = &host};

    mock_config(mock, list, MACHINE_NR_VPS);
    mock->config.slot[0].options = &options;
}

static void start(struct machine *machine, uint64_t on, uint64_t off)
{
    memset(machine, 0, sizeof(*machine));
    configure(&machine->mock);
    machine->mock.config.slot[0].features_on = on;
    machine->mock.config.slot[0].features_off = off;
    assert_int_equal(mock_start(&machine->mock), HVS_OK);
}

/* Runs the matrix; the number of points that went wrong and are not known. */
static uint32_t run(struct machine *machine, struct matrix *matrix, const char *what)
{
    struct matrix_env env;

    machine_env(machine, &env);
    matrix_init(matrix, &env);
    matrix_hyperv(matrix);
    return machine_end(machine, matrix, what);
}

static uint64_t with_needs(uint32_t feature)
{
    uint64_t set = 1ull << feature;

    for (uint32_t round = 0; round < hvs_hv_personality.nr_features; round++)
        for (uint32_t f = 0; f < hvs_hv_personality.nr_features; f++)
            set |= set >> f & 1 ? hvs_hv_personality.feature[f].needs : 0;
    return set;
}

/* All that can be had on this backend. */
static uint64_t every_feature(void)
{
    uint64_t set = 0;
    struct mock mock;
    size_t bytes;

    for (uint32_t f = 0; f < hvs_hv_personality.nr_features; f++) {
        configure(&mock);
        mock.config.slot[0].features_on = with_needs(f);
        if (hvs_vm_size(&mock.config, &bytes) == HVS_OK)
            set |= 1ull << f;
    }
    return set;
}

/* A feature and all that need it. */
static uint64_t with_dependants(uint32_t feature)
{
    uint64_t set = 1ull << feature;

    for (uint32_t round = 0; round < hvs_hv_personality.nr_features; round++)
        for (uint32_t f = 0; f < hvs_hv_personality.nr_features; f++)
            if (hvs_hv_personality.feature[f].needs & set)
                set |= 1ull << f;
    return set;
}

static void test_all(void **state)
{
    struct machine machine;
    struct matrix matrix;

    (void)state;
    start(&machine, every_feature(), 0);
    assert_int_equal(run(&machine, &matrix, "all features"), 0);
    assert_true(matrix_points(&matrix) >= 400);
}

static void test_default(void **state)
{
    struct machine machine;
    struct matrix matrix;

    (void)state;
    start(&machine, 0, 0);
    assert_int_equal(run(&machine, &matrix, "default features"), 0);
}

static void test_one_off(void **state)
{
    struct machine machine;
    struct matrix matrix;
    uint32_t nr_wrong = 0;

    (void)state;
    for (uint32_t f = 0; f < hvs_hv_personality.nr_features; f++) {
        uint64_t off = with_dependants(f);

        start(&machine, every_feature() & ~off, off);
        nr_wrong += run(&machine, &matrix, hvs_hv_personality.feature[f].name);
    }
    assert_int_equal(nr_wrong, 0);
}

static void test_fewest(void **state)
{
    struct machine machine;
    struct matrix matrix;

    (void)state;
    start(&machine, 0, every_feature());
    assert_int_equal(run(&machine, &matrix, "no feature"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_one_off),
        cmocka_unit_test(test_fewest),
        cmocka_unit_test(machine_test_known),
    };

    return cmocka_run_group_tests(tests, machine_read_known, NULL);
}
