/* The ports of the platform device. */
#include "xen_test.h"

static uint32_t nr_unplugs;
static uint16_t unplugged, asked_product;
static uint32_t asked_build;
static bool is_allowed;

static void unplug(void *ctx, uint16_t what)
{
    assert_ptr_equal(ctx, &nr_unplugs);
    nr_unplugs++;
    unplugged |= what;
}

static bool allows_drivers(void *ctx, uint16_t product, uint32_t build)
{
    assert_ptr_equal(ctx, &nr_unplugs);
    asked_product = product;
    asked_build = build;
    return is_allowed;
}

static const struct hvs_xen_options options = {
    .size = sizeof(options), .unplug = unplug, .allows_drivers = allows_drivers, .ctx = &nr_unplugs};

static void start_platform(struct mock *mock)
{
    nr_unplugs = unplugged = asked_product = asked_build = 0;
    is_allowed = true;
    start_with(mock, 1, &options);
}

static uint64_t in(struct mock *mock, uint16_t port, uint8_t bytes)
{
    mock->regs.rax = 0x1122334455667788;
    assert_int_equal(mock_in(mock, 0, port, bytes), HVS_HANDLED);
    return mock->regs.rax;
}

static void out(struct mock *mock, uint16_t port, uint8_t bytes, uint32_t value)
{
    mock->regs.rax = value;
    assert_int_equal(mock_out(mock, 0, port, bytes), HVS_HANDLED);
}

static void test_handshake(void **state)
{
    struct mock mock;

    (void)state;
    start_platform(&mock);
    assert_int_equal(in(&mock, 0x10, 2), 0x11223344556649d2);
    assert_int_equal(in(&mock, 0x12, 1), 0x1122334455667701);
    out(&mock, 0x12, 2, 3);
    out(&mock, 0x10, 4, 0x12345);
    assert_int_equal(in(&mock, 0x10, 2) & 0xffff, 0x49d2);
    assert_int_equal(asked_product, 3);
    assert_int_equal(asked_build, 0x12345);
    is_allowed = false;
    assert_int_equal(in(&mock, 0x10, 2) & 0xffff, 0xd249);
    assert_int_equal(nr_unplugs, 0);
    mock_stop(&mock);
}

static void test_unplug(void **state)
{
    struct mock mock;

    (void)state;
    start_platform(&mock);
    out(&mock, 0x10, 2, HVS_XEN_UNPLUG_NICS | 0xfff0);
    assert_int_equal(nr_unplugs, 1);
    assert_int_equal(unplugged, HVS_XEN_UNPLUG_NICS);
    out(&mock, 0x10, 2, HVS_XEN_UNPLUG_NICS);
    assert_int_equal(nr_unplugs, 1);
    out(&mock, 0x10, 2, HVS_XEN_UNPLUG_NICS | HVS_XEN_UNPLUG_DISKS);
    assert_int_equal(nr_unplugs, 2);
    assert_int_equal(unplugged, HVS_XEN_UNPLUG_NICS | HVS_XEN_UNPLUG_DISKS);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    out(&mock, 0x10, 2, HVS_XEN_UNPLUG_DISKS);
    assert_int_equal(nr_unplugs, 3);
    mock_stop(&mock);
}

static void test_log_and_other_sizes(void **state)
{
    static const struct {
        uint16_t port;
        uint8_t bytes;
        bool is_in, is_out;     /* somebody answers */
    } t[] = {
        {0x10, 1, false, false}, {0x10, 2, true, true}, {0x10, 4, false, true},
        {0x11, 1, false, false}, {0x11, 2, false, false},
        {0x12, 1, true, true}, {0x12, 2, false, true}, {0x12, 4, false, false},
        {0x13, 1, false, false},
    };
    struct mock mock;

    (void)state;
    start_platform(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        assert_int_equal(mock_in(&mock, 0, t[i].port, t[i].bytes), t[i].is_in ? HVS_HANDLED : HVS_UNHANDLED);
        assert_int_equal(mock_out(&mock, 0, t[i].port, t[i].bytes), t[i].is_out ? HVS_HANDLED : HVS_UNHANDLED);
    }
    out(&mock, 0x12, 1, 'w');
    assert_int_equal(mock.out.nr_effects, 1);
    assert_int_equal(mock.out.effect[0].kind, HVS_EFFECT_LOG);
    assert_int_equal(mock.out.effect[0].byte, 'w');
    mock_stop(&mock);
}

static void test_absent_without_a_host_for_it(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(mock_in(&mock, 0, 0x10, 2), HVS_UNHANDLED);
    mock_stop(&mock);
}

static void test_saved(void **state)
{
    struct mock mock;

    (void)state;
    start_platform(&mock);
    mock_save_load_save(&mock);
    assert_int_equal(nr_unplugs, 0);
    out(&mock, 0x12, 2, 7);
    out(&mock, 0x10, 4, 8);
    out(&mock, 0x10, 2, HVS_XEN_UNPLUG_NVME);
    unplugged = 0;
    mock_save_load_save(&mock);
    assert_int_equal(unplugged, HVS_XEN_UNPLUG_NVME);   /* the new VM was told */
    in(&mock, 0x10, 2);
    assert_int_equal(asked_product, 7);
    assert_int_equal(asked_build, 8);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_unplug),
        cmocka_unit_test(test_log_and_other_sizes),
        cmocka_unit_test(test_absent_without_a_host_for_it),
        cmocka_unit_test(test_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
