/* VMX's arithmetic: control words, XCR0, MSRs that are kept, the timer's ticks, memory types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vmx/pure.h"

#define GIB (1ull << 30)
#define MIB (1ull << 20)

/* --- controls ----------------------------------------------------------------------------------------------------- */

static uint64_t capability(uint32_t must, uint32_t may)
{
    return (uint64_t)may << 32 | must;
}

static void controls_have_what_must_be_and_what_is_wanted(void **state)
{
    uint32_t value = 0;

    (void)state;
    assert_true(vmx_controls(capability(0x16, 0xff), 0x28, 0, &value));
    assert_int_equal(value, 0x3e);
}

static void controls_that_are_missing_are_told(void **state)
{
    uint32_t value = 0;

    (void)state;
    assert_false(vmx_controls(capability(0x16, 0x1f), 0x28, 0, &value));
    assert_false(vmx_controls(capability(0, 0x7fffffff), 1u << 31, 0, &value));
}

static void optional_controls_are_taken_where_they_are(void **state)
{
    uint32_t value = 0;

    (void)state;
    assert_true(vmx_controls(capability(0, 0x0f), 0x01, 0x18, &value));
    assert_int_equal(value, 0x09);
}

/* --- XCR0 --------------------------------------------------------------------------------------------------------- */

static void xcr0(void **state)
{
    const uint64_t all = 0x602ff;

    (void)state;
    assert_true(vmx_xcr0_is_valid(1, all));
    assert_true(vmx_xcr0_is_valid(3, all));
    assert_true(vmx_xcr0_is_valid(7, all));
    assert_true(vmx_xcr0_is_valid(0x1f, all));
    assert_true(vmx_xcr0_is_valid(0xe7, all));
    assert_true(vmx_xcr0_is_valid(0x60003, all));
    assert_false(vmx_xcr0_is_valid(0, all));
    assert_false(vmx_xcr0_is_valid(2, all));
    assert_false(vmx_xcr0_is_valid(5, all));
    assert_false(vmx_xcr0_is_valid(0xb, all));
    assert_false(vmx_xcr0_is_valid(0x27, all));
    assert_false(vmx_xcr0_is_valid(0xe3, all));
    assert_false(vmx_xcr0_is_valid(0x20003, all));
    assert_false(vmx_xcr0_is_valid(0x103, all));
    assert_false(vmx_xcr0_is_valid(7, 3));
    assert_false(vmx_xcr0_is_valid(1ull << 63 | 1, all));
}

/* --- the timer ---------------------------------------------------------------------------------------------------- */

static void ticks_never_end_early(void **state)
{
    (void)state;
    assert_int_equal(vmx_timer_ticks(0, 1000000, 5), 0);
    assert_int_equal(vmx_timer_ticks(1, 1000000, 5), 1);
    assert_int_equal(vmx_timer_ticks(32, 1000000, 5), 1);
    assert_int_equal(vmx_timer_ticks(33, 1000000, 5), 2);
    assert_int_equal(vmx_timer_ticks(1000000, 2500000, 0), 2500000);
    assert_int_equal(vmx_timer_ticks(1, 50000, 0), 1);
}

static void long_waits_fit(void **state)
{
    (void)state;
    assert_int_equal(vmx_timer_ticks(UINT64_MAX, 3000000, 0), 3000000000u);
    assert_int_equal(vmx_timer_ticks(UINT64_MAX, 5000000, 0), UINT32_MAX);
}

/* --- memory types ------------------------------------------------------------------------------------------------- */

#define ENABLED (1u << 11)
#define FIXED (1u << 10)
#define VALID (1u << 11)

/* As firmware leaves them on a machine with 3 GiB below 4 GiB, and 36 bits of address. */
static struct mtrrs machine(void)
{
    const uint64_t bits = (1ull << 36) - 1;
    struct mtrrs m = {.default_type = ENABLED | FIXED | TYPE_UC, .nr_variable = 4};

    m.fixed[0] = 0x0606060606060606;
    m.fixed[1] = 0x0606060606060606;
    m.fixed[3] = 0x0505050505050505;
    m.variable[0].base = 0 | TYPE_WB;
    m.variable[0].mask = (~(4 * GIB - 1) & bits) | VALID;
    m.variable[1].base = 3 * GIB | TYPE_UC;
    m.variable[1].mask = (~(GIB - 1) & bits) | VALID;
    m.variable[2].base = 2 * GIB | TYPE_WT;
    m.variable[2].mask = (~(16 * MIB - 1) & bits) | VALID;
    m.variable[3].base = GIB | TYPE_UC;         /* not valid */
    m.variable[3].mask = ~(GIB - 1) & bits;
    return m;
}

static void types_by_range(void **state)
{
    const struct mtrrs m = machine();

    (void)state;
    assert_int_equal(mtrr_type(&m, 0x100000), TYPE_WB);
    assert_int_equal(mtrr_type(&m, GIB), TYPE_WB);
    assert_int_equal(mtrr_type(&m, 2 * GIB + MIB), TYPE_WT);
    assert_int_equal(mtrr_type(&m, 2 * GIB + 16 * MIB), TYPE_WB);
    assert_int_equal(mtrr_type(&m, 0xfee00000), TYPE_UC);
    assert_int_equal(mtrr_type(&m, 5 * GIB), TYPE_UC);
}

static void types_below_1_mib(void **state)
{
    const struct mtrrs m = machine();

    (void)state;
    assert_int_equal(mtrr_type(&m, 0x7f000), TYPE_WB);
    assert_int_equal(mtrr_type(&m, 0x9f000), TYPE_WB);
    assert_int_equal(mtrr_type(&m, 0xa0000), TYPE_UC);
    assert_int_equal(mtrr_type(&m, 0xc0000), TYPE_WP);
    assert_int_equal(mtrr_type(&m, 0xc7fff), TYPE_WP);
    assert_int_equal(mtrr_type(&m, 0xc8000), TYPE_UC);
    assert_int_equal(mtrr_type(&m, 0xfffff), TYPE_UC);
}

static void all_is_uncached_without_mtrrs(void **state)
{
    struct mtrrs m = machine();

    (void)state;
    m.default_type = TYPE_WB;
    assert_int_equal(mtrr_type(&m, GIB), TYPE_UC);
    assert_true(mtrr_is_uniform(&m, 0, 4 * GIB));
}

static void pages_of_one_type(void **state)
{
    const struct mtrrs m = machine();

    (void)state;
    assert_false(mtrr_is_uniform(&m, 0, GIB));
    assert_false(mtrr_is_uniform(&m, 0, 2 * MIB));
    assert_true(mtrr_is_uniform(&m, 2 * MIB, 2 * MIB));
    assert_true(mtrr_is_uniform(&m, GIB, GIB));
    assert_false(mtrr_is_uniform(&m, 2 * GIB, GIB));
    assert_true(mtrr_is_uniform(&m, 2 * GIB, 2 * MIB));
    assert_true(mtrr_is_uniform(&m, 2 * GIB + 16 * MIB, 16 * MIB));
    assert_true(mtrr_is_uniform(&m, 3 * GIB, GIB));
    assert_true(mtrr_is_uniform(&m, 64 * GIB - GIB, GIB));
}

static void msrs_that_are_not_the_guests(void **state)
{
    static const uint32_t kept[] = {0x3a,  0x9b,  0x3f1, 0x3f4, 0x3f5, 0x480, 0x493, 0x560,  0x561,
                                    0x570, 0x572, 0x580, 0x587, 0x600, 0x981, 0x984, 0x17d0, 0x17d1};
    static const uint32_t free[] = {0x1b,  0x39,  0x3b,  0x9a,  0x9c,  0x345, 0x3f0, 0x3f6,  0x47f,  0x494,
                                    0x55f, 0x588, 0x5ff, 0x601, 0x980, 0x985, 0xda0, 0x17cf, 0x17d2, 0x10560};

    (void)state;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        assert_true(vmx_msr_is_kept(kept[i]));
    for (size_t i = 0; i < sizeof(free) / sizeof(free[0]); i++)
        assert_false(vmx_msr_is_kept(free[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_have_what_must_be_and_what_is_wanted),
        cmocka_unit_test(controls_that_are_missing_are_told),
        cmocka_unit_test(optional_controls_are_taken_where_they_are),
        cmocka_unit_test(xcr0),
        cmocka_unit_test(msrs_that_are_not_the_guests),
        cmocka_unit_test(ticks_never_end_early),
        cmocka_unit_test(long_waits_fit),
        cmocka_unit_test(types_by_range),
        cmocka_unit_test(types_below_1_mib),
        cmocka_unit_test(all_is_uncached_without_mtrrs),
        cmocka_unit_test(pages_of_one_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
