/* What users say, read: numbers, identities, and words that are carried on to the preloaded library. */
#include "../persona.h"
#include "../setting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_nr_vcpus(void **state)
{
    static const char *const bad[] = {"", "0", "4097", "-1", "+1", " 1", "1 ", "0x10", "99999999999999999999999"};

    (void)state;
    assert_int_equal(vmm_read_nr_vcpus("1"), 1);
    assert_int_equal(vmm_read_nr_vcpus("4096"), 4096);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(vmm_read_nr_vcpus(bad[i]), 0);
}

static void test_uuid(void **state)
{
    static const uint8_t wanted[16] = {0x56, 0x4d, 0xa5, 0x3c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xff};
    static const char *const bad[] = {
        "", "564da53c-0001-0203-0405-06070809", "564da53c-0001-0203-0405-060708090affa",
        "564da53c-0001-0203-0405-060708090afg", "564da53c 00010203 04050607 08090aff",
        "0x4da53c000102030405060708090aff",
    };
    uint8_t uuid[16];

    (void)state;
    assert_true(vmm_read_uuid("564da53c-0001-0203-0405-060708090aff", uuid));
    assert_memory_equal(uuid, wanted, sizeof(uuid));
    memset(uuid, 0, sizeof(uuid));
    assert_true(vmm_read_uuid("564DA53C000102030405060708090AFF", uuid));
    assert_memory_equal(uuid, wanted, sizeof(uuid));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(vmm_read_uuid(bad[i], uuid));
}

static void test_interfaces(void **state)
{
    static const char *const bad[] = {"", "kvm", "hyperv,", "xen,xen", "hyperv,xen,", "hyperv xen"};
    bool has_hyperv, has_xen;

    (void)state;
    assert_true(vmm_read_interfaces("hyperv", &has_hyperv, &has_xen) && has_hyperv && !has_xen);
    assert_true(vmm_read_interfaces("xen", &has_hyperv, &has_xen) && !has_hyperv && has_xen);
    assert_true(vmm_read_interfaces("hyperv,xen", &has_hyperv, &has_xen) && has_hyperv && has_xen);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(vmm_read_interfaces(bad[i], &has_hyperv, &has_xen) || has_hyperv || has_xen);
}

static void test_settings(void **state)
{
    char *words[] = {"a=on", "b", "c=d"};
    struct vmm_persona persona = {.settings = words};
    char text[12], why[80];

    (void)state;
    assert_int_equal(vmm_persona_settings(&persona, text, sizeof(text), why, sizeof(why)), 0);
    assert_string_equal(text, "");
    persona.nr_settings = 3;
    assert_int_equal(vmm_persona_settings(&persona, text, sizeof(text), why, sizeof(why)), 0);
    assert_string_equal(text, "a=on,b,c=d");
    assert_int_equal(vmm_persona_settings(&persona, text, strlen("a=on,b,c=d"), why, sizeof(why)), -1);
    assert_string_equal(why, "too many --set");
    words[1] = "b,e";
    assert_int_equal(vmm_persona_settings(&persona, text, sizeof(text), why, sizeof(why)), -1);
    assert_string_equal(why, "--set b,e: it cannot have a comma in it here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nr_vcpus),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
