/* The Xen matrix against the translator on the mock backend: with all that a host can give, and with the defaults. */
#include "machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <hvshim/translators.h>
#include <hvshim/xen.h>

#include <xen/xen.h>

#define A_DAY_NS 1700000000000000000ull
enum { SPECIAL_GFN = 0xa0 };

/* --- the host ----------------------------------------------------------------------------------------------------- */

static void on_event(void *ctx, uint32_t host_port)
{
    (void)ctx, (void)host_port;
}

static bool give_ram(void *ctx, uint64_t gfn, uint32_t nr)
{
    (void)ctx, (void)gfn, (void)nr;
    return true;
}

static const struct hvs_xen_memory memory_map[] = {{0, MOCK_RAM_BYTES / 2, 1, 0}, {MOCK_RAM_BYTES / 2, 0x1000, 2, 0}};
static const struct hvs_xen_options options = {
    .size = sizeof(options), .memory_map = memory_map, .nr_memory_map = HVS_ARRAY_SIZE(memory_map),
    .on_event = on_event, .release = give_ram, .populate = give_ram, .special_gfn = SPECIAL_GFN,
};

/* A vCPU is up when it has been seen. */
static void wake_all(struct mock *mock)
{
    for (uint32_t vp = 0; vp < MACHINE_NR_VPS; vp++) {
        mock->regs.rax = __HYPERVISOR_xen_version;
        mock_hypercall(mock, vp, 0);
    }
}

static uint32_t run(const struct hvs_xen_options *with, const char *what, uint32_t least)
{
    static const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
    struct machine machine = {0};
    struct matrix_env env;
    struct matrix matrix;

    mock_config(&machine.mock, list, MACHINE_NR_VPS);
    machine.mock.config.slot[0].options = with;
    machine.mock.config.caps |= HVS_CAP_RETRY;
    assert_int_equal(mock_start(&machine.mock), HVS_OK);
    hvs_vm_set_wall_clock(machine.mock.vm, A_DAY_NS);
    wake_all(&machine.mock);
    machine_env(&machine, &env);
    matrix_init(&matrix, &env);
    matrix_xen(&matrix);
    assert_true(matrix_points(&matrix) >= least);
    return machine_end(&machine, &matrix, what);
}

static void test_all(void **state)
{
    (void)state;
    assert_int_equal(run(&options, "all that a host can give", 800), 0);
}

static void test_default(void **state)
{
    (void)state;
    assert_int_equal(run(NULL, "defaults", 800), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_default),
        cmocka_unit_test(machine_test_known),
    };

    return cmocka_run_group_tests(tests, machine_read_known, NULL);
}
