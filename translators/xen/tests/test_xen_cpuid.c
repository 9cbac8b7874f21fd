/* CPUID leaves: contents, place, and bits that follow features. */
#include "xen_test.h"

#define BASE 0x40000000u

static void test_leaves(void **state)
{
    struct mock mock;
    struct hvs_cpuid_regs r;

    (void)state;
    start(&mock, 2);
    r = mock_cpuid(&mock, 0, BASE, 0);
    assert_int_equal(r.reg[HVS_EAX], BASE + 4);
    assert_memory_equal(&r.reg[HVS_EBX], "XenV", 4);
    assert_memory_equal(&r.reg[HVS_ECX], "MMXe", 4);
    assert_memory_equal(&r.reg[HVS_EDX], "nVMM", 4);
    assert_int_equal(mock_cpuid(&mock, 0, BASE + 1, 0).reg[HVS_EAX], 4 << 16 | 17);
    r = mock_cpuid(&mock, 0, BASE + 2, 0);
    assert_int_equal(r.reg[HVS_EAX], 1);
    assert_int_equal(r.reg[HVS_EBX], 0x40000000);
    assert_int_equal(r.reg[HVS_ECX] | r.reg[HVS_EDX], 0);
    mock_stop(&mock);
}

static void test_time_leaf(void **state)
{
    struct mock mock;
    struct hvs_cpuid_regs r;

    (void)state;
    start(&mock, 1);
    r = mock_cpuid(&mock, 0, BASE + 3, 0);
    assert_int_equal(r.reg[HVS_EAX], 1 << 1);
    assert_int_equal(r.reg[HVS_EBX], 0);
    assert_int_equal(r.reg[HVS_ECX], MOCK_TSC_KHZ);
    r = mock_cpuid(&mock, 0, BASE + 3, 1);

    /* So many ticks are a millisecond: ns = ticks * mul * 2^(shift - 32) */
    assert_in_range((uint64_t)r.reg[HVS_ECX] * MOCK_TSC_KHZ >> (32 - (int32_t)r.reg[HVS_EDX]), 999990, 1000000);
    r = mock_cpuid(&mock, 0, BASE + 3, 2);
    assert_int_equal(r.reg[HVS_EAX] | r.reg[HVS_EBX] | r.reg[HVS_ECX] | r.reg[HVS_EDX], 0);
    mock_stop(&mock);
}

static void test_hvm_leaf_says_who_is_asking(void **state)
{
    const struct hvs_xen_options options = {.size = sizeof(options), .domid = 77};
    struct mock mock;
    struct hvs_cpuid_regs r;

    (void)state;
    start_with(&mock, 3, &options);
    for (uint32_t vp = 0; vp < 3; vp++) {
        r = mock_cpuid(&mock, vp, BASE + 4, 0);
        assert_int_equal(r.reg[HVS_EAX], XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT |
                                         XEN_HVM_CPUID_UPCALL_VECTOR);
        assert_int_equal(r.reg[HVS_EBX], vp);
        assert_int_equal(r.reg[HVS_ECX], 77);
    }
    mock_stop(&mock);
}

static void test_upcall_bit_goes_with_its_feature(void **state)
{
    static const char *const off[] = {"upcall-vector", "evtchn"};
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(off); i++) {
        start_without(&mock, off[i]);
        assert_int_equal(mock_cpuid(&mock, 0, BASE + 4, 0).reg[HVS_EAX] & XEN_HVM_CPUID_UPCALL_VECTOR, 0);
        mock_stop(&mock);
    }
}

static void test_options(void **state)
{
    const struct hvs_xen_options options = {.size = sizeof(options), .version_major = 4, .version_minor = 20};
    const struct hvs_xen_options old = {.size = offsetof(struct hvs_xen_options, version_major), .version_major = 9};
    const struct hvs_xen_options bad_domid = {.size = sizeof(options), .domid = DOMID_SELF};
    struct mock mock;

    (void)state;
    start_with(&mock, 1, &options);
    assert_int_equal(mock_cpuid(&mock, 0, BASE + 1, 0).reg[HVS_EAX], 4 << 16 | 20);
    mock_stop(&mock);
    start_with(&mock, 1, &old);                 /* from a program that knows less of the structure */
    assert_int_equal(mock_cpuid(&mock, 0, BASE + 1, 0).reg[HVS_EAX], 4 << 16 | 17);
    mock_stop(&mock);
    start_with(&mock, 1, &bad_domid);
    assert_int_equal(mock_cpuid(&mock, 0, BASE + 4, 0).reg[HVS_ECX], 1);
    mock_stop(&mock);
}

static void test_behind_hyperv(void **state)
{
    const struct hvs_personality *const lists[][3] = {
        {&hvs_hv_personality, &hvs_xen_personality, NULL},
        {&hvs_xen_personality, &hvs_hv_personality, NULL},
    };
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(lists); i++) {
        mock_config(&mock, lists[i], 1);
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(mock_cpuid(&mock, 0, BASE + 0x100, 0).reg[HVS_EBX], XEN_CPUID_SIGNATURE_EBX);
        assert_int_equal(mock_cpuid(&mock, 0, BASE + 0x100, 0).reg[HVS_EAX], BASE + 0x104);
        assert_int_equal(mock_cpuid(&mock, 0, BASE + 0x102, 0).reg[HVS_EBX], 0x40000200);
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_time_leaf),
        cmocka_unit_test(test_hvm_leaf_says_who_is_asking),
        cmocka_unit_test(test_upcall_bit_goes_with_its_feature),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_behind_hyperv),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
