/*
 * Features against what they stand for, from the specification and not from the rows: a bit of leaf 3 or 4 is shown
 * exactly while the registers or calls behind it are there; each feature takes its bits along; profiles hold what
 * they say [TLFS feature-discovery, hv_partition_privilege_mask, App. C].
 */
#include "hv_test.h"

enum { NR_WORDS = 5 };

/* What a bit promises: registers first..last that can be read or written, or calls, or only advice. */
static const struct promise {
    uint32_t leaf;
    enum hvs_cpuid_reg reg;
    uint32_t bit;
    uint32_t msr[3][2];
    uint16_t call[4];
    bool is_advice;             /* the guest may do so, or do so better: nothing has to be there for it */
} promises[] = {
    {3, HVS_EAX, 0, {{0x40000010, 0x40000010}}, {0}, false},
    {3, HVS_EAX, 1, {{0x40000020, 0x40000020}}, {0}, false},
    {3, HVS_EAX, 2, {{0x40000080, 0x40000084}, {0x40000090, 0x4000009f}}, {0}, false},
    {3, HVS_EAX, 3, {{0x400000b0, 0x400000b7}}, {0}, false},
    {3, HVS_EAX, 4, {{0x40000070, 0x40000073}}, {0}, false},
    {3, HVS_EAX, 5, {{0x40000000, 0x40000001}}, {0}, false},
    {3, HVS_EAX, 6, {{0x40000002, 0x40000002}}, {0}, false},
    {3, HVS_EAX, 7, {{0x40000003, 0x40000003}}, {0}, false},
    {3, HVS_EAX, 9, {{0x40000021, 0x40000021}}, {0}, false},
    {3, HVS_EAX, 10, {{0x400000f0, 0x400000f0}}, {0}, false},
    {3, HVS_EAX, 11, {{0x40000022, 0x40000023}}, {0}, false},
    {3, HVS_EAX, 12, {{0x400000f1, 0x400000f5}}, {0}, false},
    {3, HVS_EAX, 13, {{0x40000106, 0x40000108}}, {0}, false},
    {3, HVS_EAX, 15, {{0x40000118, 0x40000118}}, {0}, false},
    {3, HVS_EBX, 1, {{0}}, {0x46}, false},
    {3, HVS_EBX, 4, {{0}}, {0x5c}, false},
    {3, HVS_EBX, 5, {{0}}, {0x5d}, false},
    {3, HVS_EBX, 11, {{0}}, {0x69, 0x6a, 0x6b}, false},
    {3, HVS_EBX, 15, {{0}}, {0x03, 0x14}, false},
    {3, HVS_EBX, 17, {{0}}, {0x50, 0x51}, false},
    {3, HVS_EBX, 19, {{0}}, {0}, true},         /* the form of calls, not calls */
    {3, HVS_EBX, 20, {{0}}, {0x8001}, false},
    {3, HVS_EBX, 21, {{0}}, {0x99}, false},
    {3, HVS_EDX, 1, {{0}}, {0x69, 0x6a, 0x6b}, false},
    {3, HVS_EDX, 4, {{0}}, {0}, true},          /* likewise */
    {3, HVS_EDX, 5, {{0x400000f0, 0x400000f0}}, {0}, false},
    {3, HVS_EDX, 8, {{0x40000022, 0x40000023}}, {0}, false},
    {3, HVS_EDX, 10, {{0x40000100, 0x40000105}}, {0}, false},
    {3, HVS_EDX, 11, {{0x400000f1, 0x400000f5}, {0x400000ff, 0x400000ff}}, {0}, false},
    {3, HVS_EDX, 14, {{0}}, {0x03, 0x14}, false},
    {3, HVS_EDX, 15, {{0}}, {0}, true},         /* likewise */
    {3, HVS_EDX, 17, {{0x40000090, 0x4000009f}}, {0}, false},
    {3, HVS_EDX, 18, {{0x40000001, 0x40000001}}, {0}, false},
    {3, HVS_EDX, 19, {{0x400000b0, 0x400000b7}}, {0}, false},
    {3, HVS_EDX, 23, {{0x40000114, 0x40000115}}, {0}, false},
    {3, HVS_EDX, 30, {{0}}, {0x52}, false},
    {4, HVS_EAX, 1, {{0}}, {0x02, 0x03}, false},
    {4, HVS_EAX, 2, {{0}}, {0x02, 0x03}, false},
    {4, HVS_EAX, 3, {{0x40000070, 0x40000072}}, {0}, false},
    {4, HVS_EAX, 4, {{0x40000003, 0x40000003}}, {0}, false},
    {4, HVS_EAX, 5, {{0}}, {0}, true},
    {4, HVS_EAX, 9, {{0}}, {0}, true},
    {4, HVS_EAX, 10, {{0}}, {0x0b}, false},
    {4, HVS_EAX, 11, {{0}}, {0}, true},         /* the form of those calls that are there */
};

static bool msr_is_there(struct mock *mock, uint32_t index)
{
    /* all bits set is refused by most and ends the VM of none */
    return mock_rdmsr(mock, 0, index, NULL) == HVS_HANDLED || mock_wrmsr(mock, 0, index, UINT64_MAX) != HVS_UNHANDLED;
}

static bool call_is_there(struct mock *mock, uint16_t code)
{
    struct hvs_ctx ctx = {.vm = mock->vm, .vcpu = mock_vcpu(mock, 0)};

    return code && hvs_hcall_find(&ctx, code);
}

/* Behind a promise: all of it, or not all. */
static bool is_kept(struct mock *mock, const struct promise *promise)
{
    for (size_t i = 0; i < HVS_ARRAY_SIZE(promise->msr) && promise->msr[i][0]; i++) {
        for (uint32_t index = promise->msr[i][0]; index <= promise->msr[i][1]; index++) {
            if (!msr_is_there(mock, index))
                return false;
        }
    }
    for (size_t i = 0; i < HVS_ARRAY_SIZE(promise->call) && promise->call[i]; i++) {
        if (!call_is_there(mock, promise->call[i]))
            return false;
    }
    return true;
}

static const struct promise *promise_of(uint32_t leaf, enum hvs_cpuid_reg reg, uint32_t bit)
{
    for (size_t i = 0; i < HVS_ARRAY_SIZE(promises); i++) {
        if (promises[i].leaf == leaf && promises[i].reg == reg && promises[i].bit == bit)
            return &promises[i];
    }
    return NULL;
}

static const struct {
    uint32_t leaf;
    enum hvs_cpuid_reg reg;
} words[NR_WORDS] = {{3, HVS_EAX}, {3, HVS_EBX}, {3, HVS_ECX}, {3, HVS_EDX}, {4, HVS_EAX}};

/* Of a running VM: no bit without what it promises, and none that this table does not know. */
static void expect_no_lies(struct mock *mock, const char *what)
{
    for (uint32_t i = 0; i < NR_WORDS * 32; i++) {
        uint32_t leaf = words[i / 32].leaf, bit = i % 32;
        enum hvs_cpuid_reg reg = words[i / 32].reg;
        const struct promise *promise = promise_of(leaf, reg, bit);

        if (!(hv_test_cpuid(mock, HV_CPUID_VENDOR_AND_MAX_FUNCTION + leaf, reg) >> bit & 1))
            continue;
        if (!promise)
            fail_msg("%s: leaf %u register %d bit %u is shown, and nobody knows what for", what, leaf, reg, bit);
        else if (!promise->is_advice && !is_kept(mock, promise))
            fail_msg("%s: leaf %u register %d bit %u is shown, but not kept", what, leaf, reg, bit);
    }
}

static void start(struct mock *mock, const struct hvs_profile *profile, uint64_t on, uint64_t off, uint32_t caps)
{
    hv_test_config(mock, 2);
    mock->config.caps &= caps;
    mock->config.slot[0].profile = profile;
    mock->config.slot[0].features_on = on;
    mock->config.slot[0].features_off = off;
    assert_int_equal(mock_start(mock), HVS_OK);
}

static void no_bit_lies(void **state)
{
    const struct hvs_personality *p = &hvs_hv_personality;
    const struct hvs_profile *all = hvs_profile_find(p, "all");
    struct mock mock;

    (void)state;
    for (uint32_t f = 0; f < p->nr_features; f++) {
        start(&mock, all, 0, 1ull << f, UINT32_MAX);
        expect_no_lies(&mock, p->feature[f].name);
        mock_stop(&mock);
    }
    for (uint32_t i = 0; i < p->nr_profiles; i++) {
        start(&mock, &p->profile[i], 0, 0, UINT32_MAX);
        expect_no_lies(&mock, p->profile[i].name);
        mock_stop(&mock);
    }
    for (uint32_t cap = 0; cap < 32; cap++) {
        start(&mock, all, 0, 0, ~(1u << cap));
        expect_no_lies(&mock, "a host that cannot do everything");
        mock_stop(&mock);
    }
}

/* What users know it by, its bits, and one of its registers or calls. */
static const struct {
    const char *name;
    uint32_t eax3, ebx3, edx3, eax4;
    uint32_t msr;
    uint16_t call;
} spec[] = {
    {"vpindex", 1u << 6, 0, 0, 0, 0x40000002, 0},
    {"time", 1u << 1 | 1u << 9, 0, 0, 0, 0x40000021, 0},
    {"frequencies", 1u << 11, 0, 1u << 8, 0, 0x40000022, 0},
    {"crash", 0, 0, 1u << 10, 0, 0x40000105, 0},
    {"reset", 1u << 7, 0, 0, 0, 0x40000003, 0},
    {"relaxed", 0, 0, 0, 1u << 5, 0, 0},
    {"spinlocks", 0, 0, 0, 0, 0, 0x0008},
    {"synic", 1u << 2, 1u << 4 | 1u << 5, 0, 0, 0x40000080, 0x005c},
    {"stimer", 1u << 3, 0, 0, 0, 0x400000b0, 0},
    {"stimer-direct", 0, 0, 1u << 19, 0, 0, 0},
    {"runtime", 1u << 0, 0, 0, 0, 0x40000010, 0},
    {"vapic", 1u << 4, 0, 0, 0, 0x40000070, 0},
    {"apic-msrs", 0, 0, 0, 1u << 3, 0, 0},
    {"avic", 0, 0, 0, 1u << 9, 0, 0},
    {"idle", 1u << 10, 0, 1u << 5, 0, 0x400000f0, 0},
    {"reenlightenment", 1u << 13, 0, 0, 0, 0x40000106, 0},
    {"tsc-invariant", 1u << 15, 0, 0, 0, 0x40000118, 0},
    {"stime-unhalted", 0, 0, 1u << 23, 0, 0x40000114, 0},
};

static void expect_word(struct mock *mock, size_t i, uint32_t leaf, enum hvs_cpuid_reg reg, uint32_t bits, bool is_on)
{
    if ((hv_test_cpuid(mock, leaf, reg) & bits) != (is_on ? bits : 0))
        fail_msg("%s: bits %#x of leaf %#x are not all %s", spec[i].name, bits, leaf, is_on ? "on" : "off");
}

static void expect_feature(struct mock *mock, size_t i, bool is_on)
{
    expect_word(mock, i, HV_CPUID_FEATURES, HVS_EAX, spec[i].eax3, is_on);
    expect_word(mock, i, HV_CPUID_FEATURES, HVS_EBX, spec[i].ebx3, is_on);
    expect_word(mock, i, HV_CPUID_FEATURES, HVS_EDX, spec[i].edx3, is_on);
    expect_word(mock, i, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_EAX, spec[i].eax4, is_on);
    if (spec[i].msr && msr_is_there(mock, spec[i].msr) != is_on)
        fail_msg("%s: %#x", spec[i].name, spec[i].msr);
    if (spec[i].call && call_is_there(mock, spec[i].call) != is_on)
        fail_msg("%s: %#x", spec[i].name, spec[i].call);
}

static void each_feature_comes_and_goes(void **state)
{
    const struct hvs_profile *all = hvs_profile_find(&hvs_hv_personality, "all");

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec); i++) {
        struct mock mock;

        start(&mock, all, 0, 0, UINT32_MAX);
        expect_feature(&mock, i, true);
        mock_stop(&mock);
        start(&mock, all, 0, hv_test_feature(spec[i].name), UINT32_MAX);
        expect_feature(&mock, i, false);
        mock_stop(&mock);
    }
}

/* Also what the capability list of the backend takes away, and that asking for it is refused. */
static void features_need_their_capabilities(void **state)
{
    static const struct {
        const char *name;
        uint32_t caps;
    } needs[] = {
        {"crash", HVS_CAP_STOP},
        {"reset", HVS_CAP_STOP},
        {"runtime", HVS_CAP_VCPU_TIME},
        {"vapic", HVS_CAP_APIC},
        {"apic-msrs", HVS_CAP_APIC},
        {"idle", HVS_CAP_BLOCK},
        {"reenlightenment", HVS_CAP_TIMER},
        {"reenlightenment", HVS_CAP_INJECT},
        {"tsc-invariant", HVS_CAP_TSC_STABLE},
        {"stime-unhalted", HVS_CAP_TIMER},
        {"stime-unhalted", HVS_CAP_INJECT},
        {"stime-unhalted", HVS_CAP_VCPU_TIME},
    };

    (void)state;
    for (size_t n = 0; n < HVS_ARRAY_SIZE(needs); n++) {
        const struct hvs_profile *all = hvs_profile_find(&hvs_hv_personality, "all");
        struct mock mock;

        start(&mock, all, 0, 0, ~needs[n].caps);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(spec); i++) {
            if (strcmp(spec[i].name, needs[n].name) == 0)
                expect_feature(&mock, i, false);
        }
        mock_stop(&mock);
        hv_test_config(&mock, 1);
        mock.config.caps &= ~needs[n].caps;
        mock.config.slot[0].features_on = hv_test_feature(needs[n].name);
        assert_int_equal(mock_start(&mock), HVS_ENOTSUP);
        assert_int_equal(hvs_vm_missing_caps(&mock.config), needs[n].caps);
    }
}

/* As QEMU's documentation has them, and TLFS for the time-unhalted timer; what is missing is named. */
static void dependencies_are_named(void **state)
{
    static const struct {
        const char *feature, *needs;
    } pairs[] = {
        {"apic-msrs", "vapic"},
        {"synic", "vpindex"},
        {"stimer", "synic"},
        {"stimer", "time"},
        {"stimer", "vpindex"},
        {"stimer-direct", "stimer"},
        {"stime-unhalted", "stimer"},
    };
    struct hvs_unmet unmet;
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(pairs); i++) {
        hv_test_config(&mock, 1);
        mock.config.slot[0].features_on = hv_test_feature(pairs[i].feature);
        mock.config.slot[0].features_off = hv_test_feature(pairs[i].needs);
        assert_int_equal(mock_start(&mock), HVS_EINVAL);
        assert_int_equal(hvs_vm_unmet(&mock.config, &unmet), HVS_OK);
        assert_string_equal(unmet.feature, pairs[i].feature);
        assert_string_equal(unmet.needs, pairs[i].needs);
    }
}

/* --- profiles -------------------------------------------------------------------------------------------------- */

static bool is_in(const char *const *list, size_t nr, const char *name)
{
    for (size_t i = 0; i < nr; i++) {
        if (strcmp(list[i], name) == 0)
            return true;
    }
    return false;
}

/*
 * QEMU's documentation recommends all but a few for Windows; these are the few, and those of ours that it has not. A
 * new feature has to be put on one side or the other.
 */
static void windows_has_what_qemu_recommends(void **state)
{
    static const char *const left_out[] = {
        "crash", "reset", "syndbg",                             /* said there to be avoided */
        "apic-msrs", "idle", "tsc-invariant", "stime-unhalted", /* not there */
        "xmm-output", "vp-registers", "start-vp", "retarget", "ext-hypercalls", "partition-id",
    };
    const struct hvs_profile *windows = hvs_profile_find(&hvs_hv_personality, "windows");

    (void)state;
    for (uint32_t f = 0; f < hvs_hv_personality.nr_features; f++) {
        const char *name = hvs_hv_personality.feature[f].name;

        if ((windows->features >> f & 1) == is_in(left_out, HVS_ARRAY_SIZE(left_out), name))
            fail_msg("%s", name);
    }
}

static void minimal_is_what_hv1_asks_for(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, hvs_profile_find(&hvs_hv_personality, "minimal"), 0, 0, UINT32_MAX);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EAX), 1u << 5 | 1u << 6);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EBX), 0);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_EAX), 0);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_EBX), HV_SPIN_RETRIES_NEVER_NOTIFY);
    hv_test_establish(&mock);
    hv_test_read(&mock, 1, HV_X64_MSR_VP_INDEX);
    mock_stop(&mock);
}

/* [REQ]: these privileges are a parent's, a guest that has them takes itself for one. "all" may have more. */
static void no_guest_is_made_a_parent(void **state)
{
    static const char *const names[] = {"windows", "linux", "minimal", "none: the default"};
    const uint32_t of_parents = 0xf | 1u << 6 | 1u << 8 | 1u << 12 | 1u << 13;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(names); i++) {
        struct mock mock;

        start(&mock, hvs_profile_find(&hvs_hv_personality, names[i]), 0, 0, UINT32_MAX);
        assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EBX) & of_parents, 0);
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bit_lies),
        cmocka_unit_test(each_feature_comes_and_goes),
        cmocka_unit_test(features_need_their_capabilities),
        cmocka_unit_test(dependencies_are_named),
        cmocka_unit_test(windows_has_what_qemu_recommends),
        cmocka_unit_test(minimal_is_what_hv1_asks_for),
        cmocka_unit_test(no_guest_is_made_a_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
