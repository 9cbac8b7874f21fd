/*
 * A persona in domain XML: what enabling puts in, and that disabling leaves nothing of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libxml/parser.h>
#include <string.h>

#include "edit.h"

#define LIBRARY "/usr/lib/x86_64-linux-gnu/hvshim/libhvshim-preload.so"
#define UUID "564da53c-0000-1111-2222-333344445555"
#define BEGIN "<domain type='kvm' xmlns:qemu='" XML_QEMU_URI "'><name>d</name><uuid>" UUID "</uuid>"
#define OS "<os><type arch='x86_64'>hvm</type></os>"

static const char small[] = "<domain type='kvm'><name>d</name><uuid>" UUID "</uuid><memory>1</memory>" OS "</domain>";

/* What is taken out comes back at the end of where it was; libvirt has its own order there. */
static const char rich[] =
    BEGIN "<metadata><other:x xmlns:other='urn:other'><y/></other:x></metadata><memory>1</memory>"
    "<vcpu current='2'>4</vcpu>"
    "<sysinfo type='smbios'><bios><entry name='vendor'>Me</entry><entry name='version'>1</entry></bios>"
    "<system><entry name='serial'>mine</entry></system></sysinfo>"
    "<os><type arch='x86_64'>hvm</type><smbios mode='host'/></os>"
    "<features><acpi/><vmport state='on'/><ioapic driver='kvm'/>"
    "<hyperv mode='custom'><relaxed state='on'/><vpindex state='on'/></hyperv></features>"
    "<clock offset='localtime'><timer name='rtc' tickpolicy='delay' track='guest'/><timer name='hypervclock' "
    "present='yes'/><timer name='hpet' present='yes'/></clock>"
    "<qemu:commandline><qemu:arg value='-nodefaults'/><qemu:env name='FIRST' value='1'/>"
    "<qemu:env name='LD_PRELOAD' value='/other.so'/><qemu:env name='LAST' value='2'/></qemu:commandline></domain>";

static const char *const samples[] = {small, rich};
static const char *const personas[] = {"hyperv", "xen", "vmware", "hyperv,xen"};

static struct persona persona_of(const char *present, const char *settings)
{
    struct persona persona = {.library = LIBRARY};

    strcpy(persona.present, present);
    strcpy(persona.settings, settings);
    persona_name_parts(&persona);
    return persona;
}

static xmlDoc *parse(const char *text)
{
    xmlDoc *doc = xml_parse(text);

    assert_non_null(doc);
    return doc;
}

static void enable(xmlDoc *doc, const char *present, const char *settings)
{
    struct persona persona = persona_of(present, settings);

    persona_enable(doc, &persona);
}

static void assert_same(xmlDoc *doc, const char *text)
{
    char *now = xml_text(doc);

    assert_string_equal(now, text);
    xmlFree(now);
}

static void assert_value(xmlDoc *doc, const char *path, const char *wanted)
{
    char value[512];

    assert_string_equal(xml_value(doc, path, value, sizeof(value)), wanted);
}

#define ENV(name) "qemu:commandline/qemu:env[@name='" name "']/@value"

static void test_disabling_leaves_nothing(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof(samples) / sizeof(samples[0]); s++) {
        for (size_t p = 0; p < sizeof(personas) / sizeof(personas[0]); p++) {
            xmlDoc *doc = parse(samples[s]);
            char *before = xml_text(doc);

            assert_false(persona_is_in_effect(doc));
            enable(doc, personas[p], "");
            assert_true(persona_is_in_effect(doc));
            assert_true(persona_disable(doc));
            assert_same(doc, before);
            assert_false(persona_disable(doc));
            assert_same(doc, before);
            xmlFree(before);
            xmlFreeDoc(doc);
        }
    }
}

/* Also as libvirt gives it back: read anew, with its own order. */
static void test_enabling_again_changes_nothing(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof(samples) / sizeof(samples[0]); s++) {
        xmlDoc *doc = parse(samples[s]), *again;
        char *once;

        enable(doc, "vmware", "vmport=on");
        once = xml_text(doc);
        again = parse(once);
        enable(again, "hyperv,xen", "");
        enable(again, "vmware", "vmport=on");
        assert_same(again, once);
        xmlFree(once);
        xmlFreeDoc(again);
        xmlFreeDoc(doc);
    }
}

/* What the domain says of Hyper-V, timers and SMBIOS is QEMU's to present then. */
static void test_an_interface_of_the_kernel_is_all_that_is_added(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof(samples) / sizeof(samples[0]); s++) {
        const struct persona persona = {.interfaces = "hyperv,xen", .library = LIBRARY};
        struct persona seen = {.present = "?"};
        xmlDoc *doc = parse(samples[s]), *kept = xml_copy(doc);
        char *before = xml_text(doc), *wanted, *now;
        char phrase[256];

        enable(doc, "vmware", "vmport=on");
        persona_enable(doc, &persona);
        assert_true(persona_is_in_effect(doc));
        assert_true(persona_read(doc, &seen));
        assert_string_equal(persona_phrase(&seen, phrase, sizeof(phrase)),
                            "what it says itself (--kernel-interface hyperv,xen)");
        assert_value(doc, ENV("HVSHIM_KERNEL_INTERFACE"), "hyperv,xen");
        assert_null(xml_find(doc, "qemu:commandline/qemu:env[@name='HVSHIM_PRESENT']"));
        xml_remove(doc, "qemu:commandline");
        xml_remove(kept, "qemu:commandline");
        xml_remove(doc, "metadata");
        xml_remove(kept, "metadata");
        wanted = xml_text(kept);
        now = xml_text(doc);
        /* the namespaces that are declared may be others */
        assert_string_equal(strstr(now, "<name>"), strstr(wanted, "<name>"));
        xmlFree(wanted);
        xmlFree(now);
        xmlFreeDoc(doc);
        xmlFreeDoc(kept);

        doc = parse(before);
        persona_enable(doc, &persona);
        assert_true(persona_disable(doc));
        assert_same(doc, before);
        xmlFree(before);
        xmlFreeDoc(doc);
    }
}

static void test_what_is_read_is_what_was_enabled(void **state)
{
    xmlDoc *doc = parse(small);
    struct persona persona;

    (void)state;
    assert_false(persona_read(doc, &persona));
    enable(doc, "hyperv,xen", "profile=windows,vendor_id=me");
    assert_true(persona_read(doc, &persona));
    assert_string_equal(persona.present, "hyperv,xen");
    assert_string_equal(persona.settings, "profile=windows,vendor_id=me");
    assert_string_equal(persona.library, LIBRARY);
    assert_true(persona.has_hyperv && !persona.has_vmware);
    xml_remove(doc, "qemu:commandline");
    assert_false(persona_is_in_effect(doc));
    assert_true(persona_read(doc, &persona));
    xmlFreeDoc(doc);
}

static void test_environment(void **state)
{
    xmlDoc *doc = parse(small);

    (void)state;
    enable(doc, "xen", "a=on,b=off");
    assert_value(doc, ENV("LD_PRELOAD"), LIBRARY);
    assert_value(doc, ENV("HVSHIM_PRESENT"), "xen");
    assert_value(doc, ENV("HVSHIM_SET"), "a=on,b=off");
    assert_value(doc, ENV("HVSHIM_UUID"), UUID);
    assert_int_equal(xml_count(doc, "qemu:commandline/qemu:env"), 4);
    xmlFreeDoc(doc);
    doc = parse(rich);
    enable(doc, "xen", "");
    assert_value(doc, ENV("LD_PRELOAD"), LIBRARY ":/other.so");
    assert_value(doc, ENV("HVSHIM_MAX_CPUS"), "4");
    assert_value(doc, "qemu:commandline/qemu:arg/@value", "-nodefaults");
    assert_int_equal(xml_count(doc, "qemu:commandline/qemu:env"), 6);
    xmlFreeDoc(doc);
}

static void test_hyperv(void **state)
{
    xmlDoc *doc = parse(rich);

    (void)state;
    enable(doc, "hyperv", "");
    assert_int_equal(xml_count(doc, "features/hyperv"), 0);
    assert_value(doc, "features/vmport/@state", "off");
    assert_int_equal(xml_count(doc, "clock/timer[@name='hypervclock']"), 0);
    assert_value(doc, "clock/timer[@name='kvmclock']/@present", "no");
    assert_value(doc, "clock/timer[@name='hpet']/@present", "no");
    assert_value(doc, "clock/timer[@name='rtc']/@tickpolicy", "delay");         /* the user's own */
    assert_value(doc, "clock/timer[@name='pit']/@tickpolicy", "delay");
    assert_value(doc, "clock/@offset", "localtime");
    assert_int_equal(xml_count(doc, "sysinfo/system/entry"), 1);
    xmlFreeDoc(doc);
}

static void test_vmware(void **state)
{
    xmlDoc *doc = parse(rich);

    (void)state;
    enable(doc, "vmware", "");
    assert_value(doc, "features/vmport/@state", "off");
    assert_value(doc, "os/smbios/@mode", "sysinfo");
    assert_value(doc, "sysinfo/bios/entry[@name='vendor']", "VMware, Inc.");
    assert_value(doc, "sysinfo/bios/entry[@name='version']", "1");
    assert_value(doc, "sysinfo/system/entry[@name='product']", "VMware Virtual Platform");
    assert_value(doc, "sysinfo/system/entry[@name='serial']",
                 "VMware-56 4d a5 3c 00 00 11 11-22 22 33 33 44 44 55 55");
    assert_int_equal(xml_count(doc, "sysinfo"), 1);
    assert_value(doc, "clock/timer[@name='hpet']/@present", "yes");
    xmlFreeDoc(doc);
}

/* What a user changed elsewhere meanwhile stays. */
static void test_others_stay(void **state)
{
    xmlDoc *doc = parse(small);

    (void)state;
    enable(doc, "vmware", "");
    xml_set(xml_add(xml_find(doc, "clock"), NULL, "other"), "a", "b");
    xml_set(xml_add(xml_find(doc, "features"), NULL, "acpi"), "a", "b");
    xml_set(xml_add(xml_find(doc, "qemu:commandline"), "qemu", "env"), "name", "MINE");
    assert_true(persona_disable(doc));
    assert_int_equal(xml_count(doc, "features/*"), 1);
    assert_int_equal(xml_count(doc, "clock/*"), 1);
    assert_int_equal(xml_count(doc, "qemu:commandline/*"), 1);
    assert_int_equal(xml_count(doc, "metadata"), 0);
    assert_int_equal(xml_count(doc, "sysinfo"), 0);
    xmlFreeDoc(doc);
}

/* The record is the user's to edit. */
static void test_what_is_put_back_is_known(void **state)
{
    xmlDoc *doc = parse(small);

    (void)state;
    enable(doc, "xen", "");
    xml_set(xml_find(doc, "metadata/hvshim:persona/hvshim:was"), "path", "name");
    xml_set(xml_find(doc, "metadata/hvshim:persona/hvshim:made"), "path", "//*");
    xml_set(xml_add(xml_find(doc, "metadata/hvshim:persona"), "hvshim", "was"), "path", ".");
    assert_true(persona_disable(doc));
    assert_value(doc, "name", "d");
    assert_int_equal(xml_count(doc, "metadata"), 0);
    xmlFreeDoc(doc);
}

static void test_no_domain(void **state)
{
    (void)state;
    assert_null(xml_parse(""));
    assert_null(xml_parse("<network/>"));
    assert_null(xml_parse("<domain>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disabling_leaves_nothing),
        cmocka_unit_test(test_enabling_again_changes_nothing),
        cmocka_unit_test(test_an_interface_of_the_kernel_is_all_that_is_added),
        cmocka_unit_test(test_what_is_read_is_what_was_enabled),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_hyperv),
        cmocka_unit_test(test_vmware),
        cmocka_unit_test(test_others_stay),
        cmocka_unit_test(test_what_is_put_back_is_known),
        cmocka_unit_test(test_no_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
