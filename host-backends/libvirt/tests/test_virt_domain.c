/*
 * The commands on a libvirt connection, with libvirt's own test driver: it lives in this process, keeps metadata,
 * features and SMBIOS, and drops what is QEMU's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "virt.h"

#define LIBRARY "/usr/lib/x86_64-linux-gnu/hvshim/libhvshim-preload.so"

static const char guest[] =
    "<domain type='kvm'><name>guest</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
    "<os><type arch='x86_64'>hvm</type></os>"
    "<features><acpi/><hyperv mode='custom'><relaxed state='on'/></hyperv></features>"
    "<clock offset='utc'><timer name='hpet' present='yes'/></clock></domain>";

static struct virt virt;

static int set_up(void **state)
{
    virDomainPtr domain;

    (void)state;
    memset(&virt, 0, sizeof(virt));
    virt.is_yes = true;
    virt.persona = (struct persona){.present = "vmware", .library = LIBRARY, .has_vmware = true};
    virt.connection = virConnectOpen("test:///default");
    assert_non_null(virt.connection);
    domain = virDomainDefineXML(virt.connection, guest);
    assert_non_null(domain);
    virDomainFree(domain);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    virConnectClose(virt.connection);
    return 0;
}

/* The definition, as libvirt writes it; the caller frees it. */
static char *definition(void)
{
    virDomainPtr domain = virDomainLookupByName(virt.connection, "guest");
    char *text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);

    assert_non_null(text);
    virDomainFree(domain);
    return text;
}

static void assert_definition(const char *wanted)
{
    char *now = definition();

    assert_string_equal(now, wanted);
    free(now);
}

/* Enables it, without a look at what the driver made of it. */
static void enable_by_force(void)
{
    char *text = definition(), *enabled;
    xmlDoc *doc = xml_parse(text);
    virDomainPtr domain;

    persona_enable(doc, &virt.persona);
    enabled = xml_text(doc);
    domain = virDomainDefineXML(virt.connection, enabled);
    assert_non_null(domain);
    virDomainFree(domain);
    xmlFree(enabled);
    xmlFreeDoc(doc);
    free(text);
}

static void test_a_driver_that_drops_the_environment_is_found_out(void **state)
{
    char *before = definition();

    (void)state;
    assert_int_equal(virt_enable(&virt, "guest"), VIRT_FAILED);
    assert_definition(before);
    assert_int_equal(virt_status(&virt, "guest"), VIRT_NOT_SO);
    free(before);
}

static void test_libvirt_keeps_what_disabling_needs(void **state)
{
    char *before = definition(), *enabled;

    (void)state;
    enable_by_force();
    enabled = definition();
    assert_non_null(strstr(enabled, "VMware Virtual Platform"));
    assert_null(strstr(enabled, "<relaxed state='on'/>\n    </hyperv>\n    <vmport"));
    assert_int_equal(virt_status(&virt, "guest"), VIRT_NOT_SO);
    assert_int_equal(virt_list(&virt), VIRT_DONE);
    assert_int_equal(virt_disable(&virt, "guest"), VIRT_DONE);
    assert_definition(before);
    assert_int_equal(virt_disable(&virt, "guest"), VIRT_DONE);
    assert_definition(before);
    free(enabled);
    free(before);
}

static void test_nothing_happens_unasked(void **state)
{
    char *before = definition(), *enabled;

    (void)state;
    virt.is_dry_run = true;
    assert_int_equal(virt_enable(&virt, "guest"), VIRT_DONE);
    assert_definition(before);
    enable_by_force();
    enabled = definition();
    assert_int_equal(virt_disable(&virt, "guest"), VIRT_DONE);
    assert_definition(enabled);
    virt.is_dry_run = false;
    virt.is_yes = false;
    assert_int_equal(virt_disable(&virt, "guest"), VIRT_FAILED);        /* nobody to ask */
    assert_definition(enabled);
    free(enabled);
    free(before);
}

static void test_what_cannot_be_enabled(void **state)
{
    (void)state;
    assert_int_equal(virt_enable(&virt, "test"), VIRT_FAILED);          /* the driver's own: of type test */
    assert_int_equal(virt_enable(&virt, "nonsense"), VIRT_FAILED);
    assert_int_equal(virt_disable(&virt, "nonsense"), VIRT_FAILED);
    assert_int_equal(virt_status(&virt, "nonsense"), VIRT_FAILED);
    assert_int_equal(virt_check(&virt, "nonsense"), VIRT_FAILED);
    assert_int_equal(virt_check(&virt, "test"), VIRT_NOT_SO);
    assert_int_equal(virt_check(&virt, "guest"), VIRT_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_driver_that_drops_the_environment_is_found_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_libvirt_keeps_what_disabling_needs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_happens_unasked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_enabled, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
