#include "filter.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

static const struct kvm_msr_filter nothing;

static void test_merge(void **state)
{
    struct hvs_range range[] = {
        {0x40000100, 0x40000104}, {0x40000000, 0x400001ff}, {0x11, 0x12},           {0x40000200, 0x40000200},
        {0xfffffff0, 0xffffffff}, {0x40000050, 0x40000300}, {0xfffffff8, 0xffffffff}, {0x14, 0x14},
    };
    uint32_t nr = hvs_kvm_ranges_merge(range, HVS_ARRAY_SIZE(range));

    (void)state;
    assert_int_equal(nr, 4);
    assert_int_equal(range[0].first, 0x11);
    assert_int_equal(range[0].last, 0x12);
    assert_int_equal(range[1].first, 0x14);
    assert_int_equal(range[2].first, 0x40000000);
    assert_int_equal(range[2].last, 0x40000300);
    assert_int_equal(range[3].first, 0xfffffff0);
    assert_int_equal(range[3].last, 0xffffffff);
    assert_int_equal(hvs_kvm_ranges_merge(range, 0), 0);
}

static void test_have(void **state)
{
    const struct hvs_range range[] = {{5, 7}, {9, 9}};

    (void)state;
    assert_false(hvs_kvm_ranges_have(range, 2, 4));
    assert_true(hvs_kvm_ranges_have(range, 2, 5));
    assert_true(hvs_kvm_ranges_have(range, 2, 7));
    assert_false(hvs_kvm_ranges_have(range, 2, 8));
    assert_true(hvs_kvm_ranges_have(range, 2, 9));
    assert_false(hvs_kvm_ranges_have(range, 0, 5));
}

static void test_denies_all_of_a_range(void **state)
{
    const struct hvs_range deny[] = {{0x11, 0x12}, {0x40000000, 0x400001ff}};
    struct kvm_msr_filter filter;

    (void)state;
    assert_int_equal(hvs_kvm_filter_make(deny, 2, true, &nothing, &filter), HVS_OK);
    assert_int_equal(filter.flags, KVM_MSR_FILTER_DEFAULT_ALLOW);
    assert_int_equal(filter.ranges[1].base, 0x40000000);
    assert_int_equal(filter.ranges[1].nmsrs, 0x200);
    assert_int_equal(filter.ranges[1].flags, KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);
    for (uint32_t i = 0; i < 0x200 / 8; i++)
        assert_int_equal(filter.ranges[1].bitmap[i], 0);
    assert_int_equal(filter.ranges[2].base, 0xc0000101);
    assert_int_equal(filter.ranges[2].nmsrs, 1);
    assert_int_equal(filter.ranges[2].flags, KVM_MSR_FILTER_WRITE);
    assert_int_equal(filter.ranges[3].nmsrs, 0);

    assert_int_equal(hvs_kvm_filter_make(deny, 2, false, &nothing, &filter), HVS_OK);
    assert_int_equal(filter.ranges[2].nmsrs, 0);
}

/* A filter's range takes 0x3000 MSRs at most. */
static void test_cuts_long_ranges(void **state)
{
    const struct hvs_range deny[] = {{0x40000000, 0x40003000}};
    struct kvm_msr_filter filter;

    (void)state;
    assert_int_equal(hvs_kvm_filter_make(deny, 1, false, &nothing, &filter), HVS_OK);
    assert_int_equal(filter.ranges[0].nmsrs, 0x3000);
    assert_int_equal(filter.ranges[1].base, 0x40003000);
    assert_int_equal(filter.ranges[1].nmsrs, 1);
}

static void test_too_many(void **state)
{
    struct hvs_range deny[KVM_MSR_FILTER_MAX_RANGES];
    struct kvm_msr_filter filter;

    (void)state;
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(deny); i++)
        deny[i] = (struct hvs_range){i * 2, i * 2};
    assert_int_equal(hvs_kvm_filter_make(deny, HVS_ARRAY_SIZE(deny), false, &nothing, &filter), HVS_OK);
    assert_int_equal(hvs_kvm_filter_make(deny, HVS_ARRAY_SIZE(deny), true, &nothing, &filter), HVS_ENOSPC);
    deny[0] = (struct hvs_range){0, UINT32_MAX};
    assert_int_equal(hvs_kvm_filter_make(deny, 1, false, &nothing, &filter), HVS_ENOSPC);
}

/* Ours come first, so that the VMM cannot allow what we deny; what it says about the rest stays. */
static void test_appends_what_the_vmm_wants(void **state)
{
    const struct hvs_range deny[] = {{0x11, 0x12}};
    uint8_t bits[2] = {0xff, 0};
    struct kvm_msr_filter filter, wanted = {
        .flags = KVM_MSR_FILTER_DEFAULT_DENY,
        .ranges[3] = {.flags = KVM_MSR_FILTER_READ, .base = 0x10, .nmsrs = 16, .bitmap = bits},
    };

    (void)state;
    assert_int_equal(hvs_kvm_filter_make(deny, 1, true, &wanted, &filter), HVS_OK);
    assert_int_equal(filter.flags, KVM_MSR_FILTER_DEFAULT_DENY);
    assert_int_equal(filter.ranges[0].base, 0x11);
    assert_int_equal(filter.ranges[1].base, 0xc0000101);
    assert_memory_equal(&filter.ranges[2], &wanted.ranges[3], sizeof(filter.ranges[2]));
    assert_int_equal(filter.ranges[3].nmsrs, 0);
    for (uint32_t i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++)
        wanted.ranges[i] = wanted.ranges[3];
    assert_int_equal(hvs_kvm_filter_make(deny, 1, false, &wanted, &filter), HVS_ENOSPC);
    assert_int_equal(hvs_kvm_filter_make(deny, 0, false, &wanted, &filter), HVS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_have),
        cmocka_unit_test(test_denies_all_of_a_range),
        cmocka_unit_test(test_cuts_long_ranges),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_appends_what_the_vmm_wants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
