/* The PV console's ring, both ways, and guests that make nonsense of it. */
#include "xen_test.h"

enum { SPECIAL_GFN = 0xf0, IN_BYTES = 1024, OUT_BYTES = 2048 };

static char heard[8192];
static uint32_t nr_heard, takes, nr_rooms;

static uint32_t on_console(void *ctx, const char *text, uint32_t bytes)
{
    uint32_t taken = bytes < takes ? bytes : takes;

    assert_ptr_equal(ctx, heard);
    assert_in_range(bytes, 1, OUT_BYTES);
    memcpy(heard + nr_heard, text, taken);
    nr_heard += taken;
    return taken;
}

static void on_room(void *ctx)
{
    assert_ptr_equal(ctx, heard);
    nr_rooms++;
}

static const struct hvs_xen_options options = {
    .size = sizeof(options), .special_gfn = SPECIAL_GFN, .on_console = on_console, .on_console_room = on_room,
    .ctx = heard};

static uint64_t param(struct mock *mock, uint32_t index)
{
    struct xen_hvm_param get = {.domid = DOMID_SELF, .index = index};

    assert_int_equal(HVM(mock, get_param, &get), 0);
    return get.value;
}

static struct xencons_interface *start_console(struct mock *mock)
{
    nr_heard = nr_rooms = 0;
    takes = UINT32_MAX;
    start_with(mock, 2, &options);
    map_shared(mock);
    set_vector(mock, 0);
    return (struct xencons_interface *)(mock->ram + param(mock, HVM_PARAM_CONSOLE_PFN) * HVS_PAGE_BYTES);
}

static void write_ring(struct xencons_interface *ring, const char *text, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        ring->out[ring->out_prod++ % OUT_BYTES] = text[i];
}

/* The guest has seen all events. */
static void acknowledge(struct mock *mock)
{
    memset(mock->ram + SHARED_GPA, 0, HVS_PAGE_BYTES);
}

/* Returns whether the guest got an event on the console's port. */
static bool kick(struct mock *mock)
{
    acknowledge(mock);
    assert_int_equal(send(mock, (uint32_t)param(mock, HVM_PARAM_CONSOLE_EVTCHN)), 0);
    return ram32(mock, SHARED_GPA + xen_layout64.pending) != 0;
}

static int64_t ask(struct mock *mock, uint32_t request, void *data)
{
    acknowledge(mock);
    assert_int_equal(mock_host(mock, 0, &hvs_xen_personality, request, data), HVS_HANDLED);
    return (int64_t)mock->out.value;
}

static uint32_t type(struct mock *mock, const char *text, uint32_t bytes)
{
    struct hvs_xen_input input = {.text = text, .bytes = bytes, .done = UINT32_MAX};

    assert_int_equal(ask(mock, HVS_XEN_CONSOLE_INPUT, &input), HVS_OK);
    return input.done;
}

static void test_output(void **state)
{
    static const uint32_t begins[] = {0, OUT_BYTES - 3, UINT32_MAX - 2};
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(begins); i++) {
        struct xencons_interface *ring = start_console(&mock);

        ring->out_cons = ring->out_prod = begins[i];
        write_ring(ring, "hello, host", 11);
        assert_true(kick(&mock));
        assert_int_equal(nr_heard, 11);
        assert_memory_equal(heard, "hello, host", 11);
        assert_int_equal(ring->out_cons, begins[i] + 11);
        assert_false(kick(&mock));                      /* nothing more: no event */
        mock_stop(&mock);
    }
}

static void test_output_that_the_host_cannot_take(void **state)
{
    char text[OUT_BYTES];
    struct xencons_interface *ring;
    struct mock mock;

    (void)state;
    ring = start_console(&mock);
    for (uint32_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 26);
    write_ring(ring, text, sizeof(text));
    takes = 0;
    assert_false(kick(&mock));
    assert_int_equal(ring->out_cons, 0);
    takes = 1000;
    assert_int_equal(ask(&mock, HVS_XEN_CONSOLE_LOOK, NULL), HVS_OK);
    assert_int_equal(interrupted(&mock), 0);
    assert_int_equal(ring->out_cons, 1000);
    assert_int_equal(ask(&mock, HVS_XEN_CONSOLE_LOOK, NULL), HVS_OK);
    assert_int_equal(ask(&mock, HVS_XEN_CONSOLE_LOOK, NULL), HVS_OK);
    assert_int_equal(nr_heard, sizeof(text));
    assert_memory_equal(heard, text, sizeof(text));
    assert_int_equal(ask(&mock, HVS_XEN_CONSOLE_LOOK, NULL), HVS_OK);
    assert_int_equal(mock.out.nr_effects, 0);
    mock_stop(&mock);
}

static void test_input_and_its_flow(void **state)
{
    char text[IN_BYTES + 10];
    struct xencons_interface *ring;
    struct mock mock;

    (void)state;
    ring = start_console(&mock);
    memset(text, 'x', sizeof(text));
    ring->in_cons = ring->in_prod = UINT32_MAX - 1;
    assert_int_equal(type(&mock, "four", 4), 4);
    assert_int_equal(interrupted(&mock), 0);
    assert_int_equal(ring->in_prod, 2);
    assert_memory_equal(ring->in + IN_BYTES - 2, "fo", 2);
    assert_memory_equal(ring->in, "ur", 2);
    assert_int_equal(type(&mock, text, sizeof(text)), IN_BYTES - 4);
    assert_int_equal(interrupted(&mock), 0);
    assert_int_equal(ring->in_prod - ring->in_cons, IN_BYTES);
    assert_int_equal(type(&mock, text, 1), 0);
    assert_int_equal(mock.out.nr_effects, 0);
    kick(&mock);
    assert_int_equal(nr_rooms, 0);
    ring->in_cons += 3;
    kick(&mock);
    assert_int_equal(nr_rooms, 1);
    kick(&mock);
    assert_int_equal(nr_rooms, 1);                      /* told once */
    assert_int_equal(type(&mock, text, 10), 3);
    mock_stop(&mock);
}

/* Rings that hold more than they can: nothing is moved, nothing is told. */
static void test_nonsense(void **state)
{
    static const uint32_t sizes[] = {OUT_BYTES + 1, UINT32_MAX, 1u << 31};
    struct xencons_interface *ring;
    struct mock mock;

    (void)state;
    ring = start_console(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(sizes); i++) {
        ring->out_cons = 77;
        ring->out_prod = 77 + sizes[i];
        ring->in_prod = ring->in_cons + sizes[i];
        assert_false(kick(&mock));
        assert_int_equal(ring->out_cons, 77);
        assert_int_equal(type(&mock, "a", 1), 0);
        assert_int_equal(ring->in_prod - ring->in_cons, sizes[i]);
    }
    assert_int_equal(nr_heard, 0);
    assert_int_equal(nr_rooms, 0);
    takes = UINT32_MAX;
    mock_stop(&mock);
}

static void test_absent_without_a_host_for_it(void **state)
{
    static const struct hvs_xen_options pages_only = {.size = sizeof(pages_only), .special_gfn = SPECIAL_GFN};
    struct hvs_xen_input input = {.text = "a", .bytes = 1};
    struct mock mock;

    (void)state;
    start_with(&mock, 1, &pages_only);
    assert_int_equal(param(&mock, HVM_PARAM_CONSOLE_PFN), 0);
    assert_int_equal(param(&mock, HVM_PARAM_CONSOLE_EVTCHN), 0);
    assert_int_equal(mock_host(&mock, 0, &hvs_xen_personality, HVS_XEN_CONSOLE_INPUT, &input), HVS_HANDLED);
    assert_int_equal((int64_t)mock.out.value, HVS_ENOTSUP);
    assert_int_equal(mock_host(&mock, 0, &hvs_xen_personality, HVS_XEN_CONSOLE_LOOK, NULL), HVS_HANDLED);
    assert_int_equal((int64_t)mock.out.value, HVS_ENOTSUP);
    mock_stop(&mock);
}

static void test_saved(void **state)
{
    struct xencons_interface *ring;
    struct mock mock;

    (void)state;
    ring = start_console(&mock);
    takes = 0;
    write_ring(ring, "kept", 4);
    kick(&mock);
    mock_save_load_save(&mock);
    takes = UINT32_MAX;
    assert_int_equal(ask(&mock, HVS_XEN_CONSOLE_LOOK, NULL), HVS_OK);
    assert_memory_equal(heard, "kept", 4);
    assert_int_equal(type(&mock, "in", 2), 2);
    assert_int_equal(interrupted(&mock), 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_output_that_the_host_cannot_take),
        cmocka_unit_test(test_input_and_its_flow),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_absent_without_a_host_for_it),
        cmocka_unit_test(test_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
