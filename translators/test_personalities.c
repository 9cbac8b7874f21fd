/* The list of personalities, and the words that choose them and their features. */
#include <hvshim/personality.h>
#include <hvshim/translators.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct hvs_feature old_feature[] = {{.name = "clock"}, {.name = "page"}, {.name = "page-two"}};
static const struct hvs_feature new_feature[] = {{.name = "bell"}, {.name = "clock"}};
static const struct hvs_personality old_one = {.name = "old", .feature = old_feature, .nr_features = 3};
static const struct hvs_profile profile[] = {{.name = "small"}, {.name = "big"}};
static const struct hvs_personality new_one = {
    .name = "new", .feature = new_feature, .nr_features = 2, .profile = profile, .nr_profiles = 2};

static struct hvs_vm_config two_slots(void)
{
    return (struct hvs_vm_config){.nr_slots = 2, .slot = {{.personality = &old_one}, {.personality = &new_one}}};
}

static void test_names_are_distinct_and_found(void **state)
{
    (void)state;
    for (size_t i = 0; hvs_personalities[i]; i++) {
        const struct hvs_personality *p = hvs_personalities[i];

        assert_ptr_equal(hvs_personality_find(p->name), p);
        assert_non_null(p->title);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(p->name, hvs_personalities[j]->name);
            assert_int_not_equal(p->id, hvs_personalities[j]->id);
        }
    }
    assert_null(hvs_personality_find("hyper"));
    assert_null(hvs_personality_find("hyperv2"));
    assert_null(hvs_personality_find(""));
}

static void test_present(void **state)
{
    static const struct {
        const char *list;
        int result;
        uint32_t nr_slots;
        size_t bad_at;
    } t[] = {
        {"none", HVS_OK, 0, 0},
        {"vmware", HVS_OK, 1, 0},
        {"hyperv,xen", HVS_OK, 2, 0},
        {"xen,vmware", HVS_OK, 2, 0},
        {"hyperv,xen,vmware", HVS_OK, 3, 0},
        {"", HVS_ENOENT, 0, 0},
        {"xen,", HVS_ENOENT, 0, 4},
        {",xen", HVS_ENOENT, 0, 0},
        {"xen,none", HVS_ENOENT, 0, 4},
        {"none,xen", HVS_ENOENT, 0, 0},
        {"hyperv,xenon", HVS_ENOENT, 0, 7},
        {"hyperv,xe", HVS_ENOENT, 0, 7},
        {"xen, vmware", HVS_ENOENT, 0, 4},
        {"xen,xen", HVS_EINVAL, 0, 4},
        {"hyperv,xen,vmware,hyperv", HVS_EINVAL, 0, 18},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct hvs_vm_config config = two_slots();
        size_t bad_at = 0;

        assert_int_equal(hvs_present_parse(&config, t[i].list, &bad_at), t[i].result);
        if (t[i].result == HVS_OK) {
            assert_int_equal(config.nr_slots, t[i].nr_slots);
            continue;
        }
        assert_int_equal(bad_at, t[i].bad_at);
        assert_int_equal(config.nr_slots, 2);
        assert_ptr_equal(config.slot[0].personality, &old_one);
    }
}

static void test_present_starts_clean(void **state)
{
    struct hvs_vm_config config = two_slots();
    size_t bad_at;

    (void)state;
    config.slot[0].features_on = 1;
    assert_int_equal(hvs_present_parse(&config, "vmware,xen", &bad_at), HVS_OK);
    assert_ptr_equal(config.slot[0].personality, &hvs_vmw_personality);
    assert_ptr_equal(config.slot[1].personality, &hvs_xen_personality);
    assert_int_equal(config.slot[0].features_on, 0);
}

static void test_feature(void **state)
{
    static const struct {
        const char *setting;
        int result;
        uint64_t on[2], off[2];
    } t[] = {
        {"page", HVS_OK, {2, 0}, {0, 0}},
        {"page=on", HVS_OK, {2, 0}, {0, 0}},
        {"page=off", HVS_OK, {0, 0}, {2, 0}},
        {"page-two=on", HVS_OK, {4, 0}, {0, 0}},
        {"bell=off", HVS_OK, {0, 0}, {0, 1}},
        {"clock=on", HVS_OK, {1, 0}, {0, 0}},
        {"new.clock=on", HVS_OK, {0, 2}, {0, 0}},
        {"new.clock", HVS_OK, {0, 2}, {0, 0}},
        {"old.clock=off", HVS_OK, {0, 0}, {1, 0}},
        {"old.bell=on", HVS_ENOENT, {0, 0}, {0, 0}},
        {"ne.clock=on", HVS_ENOENT, {0, 0}, {0, 0}},
        {"pag=on", HVS_ENOENT, {0, 0}, {0, 0}},
        {"", HVS_ENOENT, {0, 0}, {0, 0}},
        {"=on", HVS_ENOENT, {0, 0}, {0, 0}},
        {"page=", HVS_EINVAL, {0, 0}, {0, 0}},
        {"page=o", HVS_EINVAL, {0, 0}, {0, 0}},
        {"page=only", HVS_EINVAL, {0, 0}, {0, 0}},
        {"page=new.clock", HVS_EINVAL, {0, 0}, {0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct hvs_vm_config config = two_slots();

        assert_int_equal(hvs_feature_parse(&config, t[i].setting), t[i].result);
        for (size_t s = 0; s < 2; s++) {
            assert_int_equal(config.slot[s].features_on, t[i].on[s]);
            assert_int_equal(config.slot[s].features_off, t[i].off[s]);
        }
    }
}

static void test_last_word_on_a_feature_wins(void **state)
{
    struct hvs_vm_config config = two_slots();

    (void)state;
    assert_int_equal(hvs_feature_parse(&config, "page=off"), HVS_OK);
    assert_int_equal(hvs_feature_parse(&config, "page=on"), HVS_OK);
    assert_int_equal(config.slot[0].features_on, 2);
    assert_int_equal(config.slot[0].features_off, 0);
    assert_int_equal(hvs_feature_parse(&config, "page=off"), HVS_OK);
    assert_int_equal(config.slot[0].features_on, 0);
    assert_int_equal(config.slot[0].features_off, 2);
}

static void test_profile(void **state)
{
    struct hvs_vm_config config = two_slots();

    (void)state;
    assert_int_equal(hvs_feature_parse(&config, "bell=off"), HVS_OK);
    assert_int_equal(hvs_feature_parse(&config, "profile=big"), HVS_OK);
    assert_null(config.slot[0].profile);
    assert_ptr_equal(config.slot[1].profile, &profile[1]);
    assert_int_equal(config.slot[1].features_off, 1);
    assert_int_equal(hvs_feature_parse(&config, "new.profile=small"), HVS_OK);
    assert_ptr_equal(config.slot[1].profile, &profile[0]);
    assert_int_equal(hvs_feature_parse(&config, "old.profile=small"), HVS_ENOENT);
    assert_int_equal(hvs_feature_parse(&config, "profile=bigger"), HVS_ENOENT);
    assert_int_equal(hvs_feature_parse(&config, "profile="), HVS_ENOENT);
    assert_int_equal(hvs_feature_parse(&config, "profile"), HVS_ENOENT);
    assert_ptr_equal(config.slot[1].profile, &profile[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_distinct_and_found),
        cmocka_unit_test(test_present),
        cmocka_unit_test(test_present_starts_clean),
        cmocka_unit_test(test_feature),
        cmocka_unit_test(test_last_word_on_a_feature_wins),
        cmocka_unit_test(test_profile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
