#include "cpuid.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#define KVM_SIGNATURE .ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d

static const struct kvm_cpuid_entry2 vmm[] = {
    {.function = 0, .eax = 1},
    {.function = 1, .eax = 0x663, .ecx = 5},
    {.function = 4, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 0x44},
    {.function = 0x40000000, .eax = 0x40000001, KVM_SIGNATURE},
    {.function = 0x40000001, .eax = 0x1007efb, .edx = 1},
    {.function = 0x80000000, .eax = 0x80000008},
};
static const struct hvs_cpuid_leaf own[] = {
    {.leaf = 0x40000000, .regs = {{0x40000003, 1, 2, 3}}},
    {.leaf = 0x40000003, .subleaf = 0, .regs = {{4, 5, 6, 7}}},
    {.leaf = 0x40000003, .subleaf = 1, .regs = {{8, 9, 10, 11}}},
};

static struct kvm_cpuid_entry2 merged[16];

static uint32_t merge(const struct kvm_cpuid_entry2 *entries, uint32_t nr, uint32_t nr_own, uint32_t kvm_base)
{
    const struct hvs_kvm_leaves ours = {.leaf = own, .nr = nr_own, .kvm_base = kvm_base};

    memset(merged, 0xff, sizeof(merged));
    return hvs_kvm_cpuid_merge(entries, nr, &ours, merged);
}

static const struct kvm_cpuid_entry2 *find(uint32_t nr, uint32_t function, uint32_t index)
{
    const struct kvm_cpuid_entry2 *found = NULL;

    for (uint32_t i = 0; i < nr; i++) {
        if (merged[i].function == function && merged[i].index == index) {
            assert_null(found);
            found = &merged[i];
        }
    }
    return found;
}

static void test_drops_kvm(void **state)
{
    uint32_t nr = merge(vmm, HVS_ARRAY_SIZE(vmm), HVS_ARRAY_SIZE(own), 0);

    (void)state;
    assert_int_equal(nr, 7);
    assert_int_equal(find(nr, 0x40000000, 0)->eax, 0x40000003);
    assert_int_equal(find(nr, 0x40000000, 0)->flags, 0);
    assert_null(find(nr, 0x40000001, 0));
    assert_int_equal(find(nr, 1, 0)->ecx, 5 | 1u << 31);
    assert_int_equal(find(nr, 4, 1)->eax, 0x44);
    assert_int_equal(find(nr, 0x80000000, 0)->eax, 0x80000008);
}

static void test_subleaves_are_told_apart(void **state)
{
    uint32_t nr = merge(vmm, HVS_ARRAY_SIZE(vmm), HVS_ARRAY_SIZE(own), 0);

    (void)state;
    assert_int_equal(find(nr, 0x40000003, 0)->flags, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
    assert_int_equal(find(nr, 0x40000003, 1)->flags, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
    assert_int_equal(find(nr, 0x40000003, 0)->edx, 7);
    assert_int_equal(find(nr, 0x40000003, 1)->ebx, 9);
}

static void test_moves_kvm_behind(void **state)
{
    uint32_t nr = merge(vmm, HVS_ARRAY_SIZE(vmm), HVS_ARRAY_SIZE(own), 0x40000100);

    (void)state;
    assert_int_equal(nr, 9);
    assert_int_equal(find(nr, 0x40000100, 0)->eax, 0x40000101);
    assert_int_equal(find(nr, 0x40000100, 0)->ebx, 0x4b4d564b);
    assert_int_equal(find(nr, 0x40000101, 0)->eax, 0x1007efb);
    assert_int_equal(find(nr, 0x40000000, 0)->ebx, 1);
}

/* A VMM that has its own Hyper-V leaves (QEMU's hv-*) with KVM's behind them: only KVM's are kept. */
static void test_drops_other_leaves_of_the_vmm(void **state)
{
    static const struct kvm_cpuid_entry2 both[] = {
        {.function = 1},
        {.function = 0x40000000, .eax = 0x40000005, .ebx = 0x7263694d},
        {.function = 0x40000005, .eax = 64},
        {.function = 0x40000100, .eax = 0, KVM_SIGNATURE},
        {.function = 0x40000101, .eax = 0x77},
    };
    uint32_t nr = merge(both, HVS_ARRAY_SIZE(both), HVS_ARRAY_SIZE(own), 0x40000200);

    (void)state;
    assert_int_equal(nr, 6);
    assert_null(find(nr, 0x40000005, 0));
    assert_int_equal(find(nr, 0x40000200, 0)->eax, 0x40000201);
    assert_int_equal(find(nr, 0x40000201, 0)->eax, 0x77);
}

static void test_nobody_is_shown(void **state)
{
    uint32_t nr = merge(vmm, HVS_ARRAY_SIZE(vmm), 0, 0);

    (void)state;
    assert_int_equal(nr, 4);
    assert_int_equal(find(nr, 1, 0)->ecx, 5);
}

static void test_kvm_alone_stays_in_place(void **state)
{
    uint32_t nr = merge(vmm, HVS_ARRAY_SIZE(vmm), 0, 0x40000000);

    (void)state;
    assert_int_equal(nr, 6);
    assert_int_equal(find(nr, 0x40000000, 0)->eax, 0x40000001);
    assert_int_equal(find(nr, 1, 0)->ecx, 5 | 1u << 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drops_kvm),
        cmocka_unit_test(test_subleaves_are_told_apart),
        cmocka_unit_test(test_moves_kvm_behind),
        cmocka_unit_test(test_drops_other_leaves_of_the_vmm),
        cmocka_unit_test(test_nobody_is_shown),
        cmocka_unit_test(test_kvm_alone_stays_in_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
