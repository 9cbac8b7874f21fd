/* The tables as data: order, names, and that CPUID says exactly what works [TLFS feature-discovery]. */
#include "hv_test.h"

/* What users of QEMU and libvirt write; the order is ours. */
static const char *const names[] = {"vpindex", "time", "frequencies", "crash", "reset", "relaxed", "spinlocks",
                                    "synic", "stimer", "stimer-direct",
                                    "tlbflush", "tlbflush-ext", "ipi", "xmm-input", "xmm-output", "vp-registers",
                                    "start-vp", "retarget", "ext-hypercalls", "syndbg", "partition-id"};

static void features_have_the_names_that_users_know(void **state)
{
    (void)state;
    assert_int_equal(hvs_hv_personality.nr_features, HVS_ARRAY_SIZE(names));
    for (size_t i = 0; i < HVS_ARRAY_SIZE(names); i++)
        hv_test_feature(names[i]);
}

static void rows_are_sorted_and_disjoint(void **state)
{
    const struct hvs_personality *p = &hvs_hv_personality;

    (void)state;
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        assert_true(p->msr[i].first <= p->msr[i].last);
        assert_true(i == 0 || p->msr[i].first > p->msr[i - 1].last);
    }
    for (uint32_t i = 1; i < p->nr_hcall; i++)
        assert_true(p->hcall[i].code > p->hcall[i - 1].code);
}

static void rows_are_complete(void **state)
{
    const struct hvs_personality *p = &hvs_hv_personality;

    (void)state;
    for (uint32_t i = 0; i < p->nr_msr; i++) {
        assert_non_null(p->msr[i].name);
        assert_non_null(p->msr[i].ref);
        assert_true(p->msr[i].read || p->msr[i].write);
        /* what is saved is restored through its setter */
        assert_true(p->msr[i].save == HVS_PHASE_NONE || (p->msr[i].read && p->msr[i].write));
        assert_true(p->msr[i].feature == HVS_FEATURE_ALWAYS || p->msr[i].feature < p->nr_features);
    }
    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        assert_non_null(p->hcall[i].name);
        assert_non_null(p->hcall[i].fn);
        assert_non_null(p->hcall[i].ref);
    }
    for (uint32_t i = 0; i < p->nr_cpuid; i++)
        assert_non_null(p->cpuid[i].name);
}

/* The words of leaves 3 and 4, written from the specification. */
static const struct {
    const char *feature;        /* off; NULL: all on */
    uint32_t privileges_low, privileges_high, features_edx, recommendations;
} bits[] = {
    {NULL, 0xaee, 0x2a8030, 0x400cc510, 0xc24},
    {"vpindex", 0xaa2, 0x0a0000, 0x40048510, 0x20},     /* and what needs it */
    {"time", 0x8e4, 0x2a8030, 0x4004c510, 0xc24},
    {"frequencies", 0x2ee, 0x2a8030, 0x400cc410, 0xc24},
    {"crash", 0xaee, 0x2a8030, 0x400cc110, 0xc24},
    {"reset", 0xa6e, 0x2a8030, 0x400cc510, 0xc24},
    {"relaxed", 0xaee, 0x2a8030, 0x400cc510, 0xc04},
    {"spinlocks", 0xaee, 0x2a8030, 0x400cc510, 0xc24},
    {"synic", 0xae2, 0x2a8000, 0x4004c510, 0xc24},
    {"stimer", 0xae6, 0x2a8030, 0x4004c510, 0xc24},
    {"stimer-direct", 0xaee, 0x2a8030, 0x4004c510, 0xc24},
    {"tlbflush", 0xaee, 0x2a0030, 0x400c8510, 0xc20},
    {"tlbflush-ext", 0xaee, 0x2a0030, 0x400c8510, 0xc24},
    {"ipi", 0xaee, 0x2a8030, 0x400cc510, 0x824},
    {"xmm-input", 0xaee, 0x2a8030, 0x400cc500, 0xc24},
    {"xmm-output", 0xaee, 0x228030, 0x400c4510, 0xc24},
    {"vp-registers", 0xaee, 0x288030, 0x000cc510, 0xc24},
    {"start-vp", 0xaee, 0x0a8030, 0x400cc510, 0xc24},
};

static void bits_follow_the_features(void **state)
{
    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bits); i++) {
        struct mock mock;

        hv_test_config(&mock, 1);
        mock.config.slot[0].features_off = bits[i].feature ? hv_test_feature(bits[i].feature) : 0;
        assert_int_equal(mock_start(&mock), HVS_OK);

        struct hvs_cpuid_regs features = mock_cpuid(&mock, 0, HV_CPUID_FEATURES, 0);

        assert_int_equal(features.reg[HVS_EAX], bits[i].privileges_low);
        assert_int_equal(features.reg[HVS_EBX], bits[i].privileges_high);
        assert_int_equal(features.reg[HVS_ECX], 0);
        assert_int_equal(features.reg[HVS_EDX], bits[i].features_edx);
        assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_EAX), bits[i].recommendations);
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_have_the_names_that_users_know),
        cmocka_unit_test(rows_are_sorted_and_disjoint),
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(bits_follow_the_features),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
