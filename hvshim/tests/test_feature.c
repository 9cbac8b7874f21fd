/* Features: the user's words, dependencies, and what the backend can do. */
#include "toy.h"

#define F(name) (1ull << TOY_FEATURE_##name)
#define DEFAULTS (F(CALLS) | F(XMM) | F(PAGES) | F(TIMERS) | F(PORT) | F(HINT) | F(HOLLOW))
enum { ALL_CAPS = HVS_CAP_INJECT | HVS_CAP_XMM | HVS_CAP_TIMER };

static void test_resolution(void **state)
{
    static const struct {
        uint64_t on, off, offloaded;
        uint32_t caps;
        int err;
        uint64_t features;
    } cases[] = {
        {0, 0, 0, ALL_CAPS, HVS_OK, DEFAULTS},
        {F(RARE), 0, 0, ALL_CAPS, HVS_OK, DEFAULTS | F(RARE)},
        {0, F(HINT), 0, ALL_CAPS, HVS_OK, DEFAULTS & ~F(HINT)},
        {0, DEFAULTS, 0, ALL_CAPS, HVS_OK, 0},
        {0, F(CALLS), 0, ALL_CAPS, HVS_OK, DEFAULTS & ~(F(CALLS) | F(XMM))},    /* XMM falls with CALLS, silently */
        {F(XMM), F(CALLS), 0, ALL_CAPS, HVS_EINVAL, 0},                         /* but not when it was asked for */
        {F(RARE), F(PAGES), 0, ALL_CAPS, HVS_EINVAL, 0},
        {F(HINT), F(HINT), 0, ALL_CAPS, HVS_EINVAL, 0},
        {1ull << TOY_NR_FEATURES, 0, 0, ALL_CAPS, HVS_EINVAL, 0},
        {0, 1ull << TOY_NR_FEATURES, 0, ALL_CAPS, HVS_EINVAL, 0},
        {0, 0, 1ull << 63, ALL_CAPS, HVS_EINVAL, 0},
        {0, 0, 0, HVS_CAP_INJECT, HVS_OK, DEFAULTS & ~(F(XMM) | F(TIMERS))},
        {F(TIMERS), 0, 0, HVS_CAP_INJECT, HVS_ENOTSUP, 0},
        {F(RARE), 0, 0, HVS_CAP_INJECT, HVS_ENOTSUP, 0},                /* needs TIMERS, which is not to be had */
        {0, 0, 0, 0, HVS_ENOTSUP, 0},                                   /* the personality itself needs INJECT */
        {0, 0, F(PAGES), ALL_CAPS, HVS_OK, DEFAULTS},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        const struct hvs_slot_config config = {.personality = &toy,
                                               .features_on = cases[i].on,
                                               .features_off = cases[i].off,
                                               .features_offloaded = cases[i].offloaded};
        struct hvs_slot slot = {.features = 0};

        assert_int_equal(hvs_slot_resolve(&slot, &config, cases[i].caps), cases[i].err);
        if (cases[i].err)
            continue;
        assert_int_equal(slot.features, cases[i].features);
        assert_int_equal(slot.rows_of, cases[i].features & ~cases[i].offloaded);
        assert_int_equal(slot.shown, cases[i].features & ~F(HOLLOW));
    }
}

static uint64_t lacking(const void *options)
{
    return options ? *(const uint64_t *)options : F(PAGES);
}

static void test_features_that_options_make_impossible(void **state)
{
    static const uint64_t calls = F(CALLS);
    struct hvs_personality picky = toy;
    struct hvs_slot_config config = {.personality = &picky};
    struct hvs_unmet unmet;
    struct hvs_slot slot;

    (void)state;
    picky.lacking = lacking;
    assert_int_equal(hvs_slot_resolve(&slot, &config, ALL_CAPS), HVS_OK);
    assert_int_equal(slot.features, DEFAULTS & ~F(PAGES));
    config.options = &calls;
    assert_int_equal(hvs_slot_resolve(&slot, &config, ALL_CAPS), HVS_OK);
    assert_int_equal(slot.features, DEFAULTS & ~(F(CALLS) | F(XMM)));
    config.features_on = F(CALLS);
    assert_int_equal(hvs_slot_resolve(&slot, &config, ALL_CAPS), HVS_EINVAL);
    assert_true(hvs_slot_unmet(&config, ALL_CAPS, &unmet));
    assert_string_equal(unmet.feature, "calls");
    assert_null(unmet.needs);
    config.features_on = F(XMM);
    assert_true(hvs_slot_unmet(&config, ALL_CAPS, &unmet));
    assert_string_equal(unmet.feature, "xmm");
    assert_string_equal(unmet.needs, "calls");
}

static void test_offloaded_features_have_no_rows_of_ours(void **state)
{
    struct mock *mock = *state;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, NULL}, 1);
    mock->config.slot[0].features_offloaded = F(PAGES) | F(HOLLOW);
    assert_int_equal(mock_start(mock), HVS_OK);
    assert_int_equal(mock_rdmsr(mock, 0, TOY_MSR_PAGE, NULL), HVS_UNHANDLED);
    assert_int_equal(mock_cpuid(mock, 0, 0x40000001, 0).reg[HVS_EAX] & (F(PAGES) | F(HOLLOW)), F(PAGES) | F(HOLLOW));
}

static void test_a_personality_with_all_features(void **state)
{
    static struct hvs_feature feature[HVS_MAX_FEATURES];
    struct hvs_personality full = {.name = "full", .feature = feature, .nr_features = HVS_MAX_FEATURES};
    const struct hvs_slot_config config = {.personality = &full, .features_off = 1ull << 63};
    struct hvs_slot slot;

    (void)state;
    for (uint32_t f = 0; f < HVS_MAX_FEATURES; f++)
        feature[f] = (struct hvs_feature){.name = "f", .is_hint = true};
    assert_int_equal(hvs_slot_resolve(&slot, &config, 0), HVS_OK);
    assert_int_equal(slot.features, UINT64_MAX >> 1);
}

static const struct hvs_profile profiles[] = {
    {.name = "all", .features = UINT64_MAX},
    {.name = "few", .features = F(HINT) | F(XMM) | F(RARE)},
};

/* A profile takes the place of the defaults: features off by default are on in it, others go, and the words on and
   off count over both. */
static void test_profiles(void **state)
{
    static const struct {
        const struct hvs_profile *profile;
        uint64_t on, off;
        uint32_t caps;
        int err;
        uint64_t features;
    } cases[] = {
        {&profiles[0], 0, 0, ALL_CAPS, HVS_OK, DEFAULTS | F(RARE)},
        {&profiles[0], 0, F(CALLS), ALL_CAPS, HVS_OK, (DEFAULTS | F(RARE)) & ~(F(CALLS) | F(XMM))},
        {&profiles[0], 0, 0, HVS_CAP_INJECT, HVS_OK, DEFAULTS & ~(F(XMM) | F(TIMERS))},
        {&profiles[1], 0, 0, ALL_CAPS, HVS_OK, F(HINT)},
        {&profiles[1], F(CALLS), 0, ALL_CAPS, HVS_OK, F(HINT) | F(CALLS) | F(XMM)},
        {&profiles[1], F(XMM), 0, ALL_CAPS, HVS_EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        const struct hvs_slot_config config = {.personality = &toy,
                                               .features_on = cases[i].on,
                                               .features_off = cases[i].off,
                                               .profile = cases[i].profile};
        struct hvs_slot slot = {.features = 0};

        assert_int_equal(hvs_slot_resolve(&slot, &config, cases[i].caps), cases[i].err);
        if (!cases[i].err)
            assert_int_equal(slot.features, cases[i].features);
    }
}

static void test_profile_find(void **state)
{
    struct hvs_personality with_profiles = toy;

    (void)state;
    with_profiles.profile = profiles;
    with_profiles.nr_profiles = HVS_ARRAY_SIZE(profiles);
    assert_ptr_equal(hvs_profile_find(&with_profiles, "few"), &profiles[1]);
    assert_null(hvs_profile_find(&with_profiles, "fe"));
    assert_null(hvs_profile_find(&with_profiles, "fewer"));
    assert_null(hvs_profile_find(&toy, "all"));
}

/* The feature named is the one that was asked for; what it needs is the end of the chain. */
static void test_unmet(void **state)
{
    static const struct {
        uint64_t on, off;
        const char *feature, *needs;
    } cases[] = {
        {F(XMM), F(CALLS), "xmm", "calls"},
        {F(RARE), F(PAGES), "rare", "pages"},
        {F(RARE), F(TIMERS), "rare", "timers"},
        {F(HINT) | F(RARE), F(TIMERS), "rare", "timers"},
    };
    struct hvs_vm_config config = {.nr_slots = 2, .caps = ALL_CAPS, .slot = {{&trinket}, {&toy}}};
    struct hvs_unmet unmet;

    (void)state;
    assert_int_equal(hvs_vm_unmet(&config, &unmet), HVS_ENOENT);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        config.slot[1].features_on = cases[i].on;
        config.slot[1].features_off = cases[i].off;
        assert_int_equal(hvs_vm_unmet(&config, &unmet), HVS_OK);
        assert_string_equal(unmet.personality, "toy");
        assert_string_equal(unmet.feature, cases[i].feature);
        assert_string_equal(unmet.needs, cases[i].needs);
    }
    config.slot[1].features_off = 0;
    assert_int_equal(hvs_vm_unmet(&config, &unmet), HVS_ENOENT);
}

/* c needs b, b needs a; a is off. */
static void test_unmet_by_way_of_others(void **state)
{
    static const struct hvs_feature chain[] = {{.name = "a"}, {.name = "b", .needs = 1}, {.name = "c", .needs = 2}};
    const struct hvs_personality p = {.name = "p", .feature = chain, .nr_features = HVS_ARRAY_SIZE(chain)};
    const struct hvs_vm_config config = {
        .nr_slots = 1, .slot = {{.personality = &p, .features_on = 4, .features_off = 1}}};
    struct hvs_unmet unmet;

    (void)state;
    assert_int_equal(hvs_vm_unmet(&config, &unmet), HVS_OK);
    assert_string_equal(unmet.feature, "c");
    assert_string_equal(unmet.needs, "a");
}

static void test_missing_caps(void **state)
{
    const struct hvs_personality *const list[] = {&toy, &trinket, NULL};
    struct mock *mock = *state;

    mock_stop(mock);
    mock_config(mock, list, 1);
    assert_int_equal(hvs_vm_missing_caps(&mock->config), 0);
    mock->config.caps = HVS_CAP_INJECT;
    assert_int_equal(hvs_vm_missing_caps(&mock->config), 0);
    mock->config.slot[0].features_on = F(XMM) | F(TIMERS);
    assert_int_equal(hvs_vm_missing_caps(&mock->config), HVS_CAP_XMM | HVS_CAP_TIMER);
    mock->config.slot[0].features_on = F(RARE);         /* which needs TIMERS */
    assert_int_equal(hvs_vm_missing_caps(&mock->config), HVS_CAP_TIMER);
    mock->config.slot[0].features_on = F(XMM) | F(TIMERS);
    mock->config.caps = HVS_CAP_XMM;
    assert_int_equal(hvs_vm_missing_caps(&mock->config), HVS_CAP_INJECT | HVS_CAP_TIMER);
    assert_int_equal(mock_start(mock), HVS_ENOTSUP);
    mock_config(mock, list, 1);
    assert_int_equal(mock_start(mock), HVS_OK);
}

static void test_find(void **state)
{
    (void)state;
    for (int f = 0; f < TOY_NR_FEATURES; f++)
        assert_int_equal(hvs_feature_find(&toy, toy.feature[f].name), f);
    assert_int_equal(hvs_feature_find(&toy, "timer"), HVS_ENOENT);
    assert_int_equal(hvs_feature_find(&toy, "timers2"), HVS_ENOENT);
    assert_int_equal(hvs_feature_find(&toy, ""), HVS_ENOENT);
    assert_int_equal(hvs_feature_find(&trinket, "timers"), HVS_ENOENT);
    assert_string_equal(hvs_personality_name(&toy), "toy");
    assert_string_equal(hvs_personality_title(&toy), "Toy");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_resolution),
    TOY_TEST(test_features_that_options_make_impossible),
    TOY_TEST(test_offloaded_features_have_no_rows_of_ours),
    cmocka_unit_test(test_a_personality_with_all_features),
    cmocka_unit_test(test_profiles),
    cmocka_unit_test(test_profile_find),
    cmocka_unit_test(test_unmet),
    cmocka_unit_test(test_unmet_by_way_of_others),
    TOY_TEST(test_missing_caps),
    cmocka_unit_test(test_find),
};
TOY_MAIN(tests)
