/*
 * Domains as libvirt's VMware and Xen converters give them, made QEMU's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "settle.h"

static const char from_vmware[] =
    "<domain type='vmware'><name>v</name><os><type arch='x86_64'>hvm</type></os><devices>"
    "<disk type='file' device='disk'><source file='[ds1] v/disk.vmdk'/><target dev='sda' bus='scsi'/></disk>"
    "<disk type='file' device='disk'><source file='other.VMDK'/><target dev='sdb' bus='scsi'/></disk>"
    "<disk type='file' device='cdrom'><source file='/iso/cd.iso'/><target dev='hdc' bus='ide'/></disk>"
    "<disk type='block' device='cdrom'><target dev='hdd' bus='ide'/></disk>"
    "<controller type='scsi' index='0' model='buslogic'/><controller type='scsi' index='1' model='vmpvscsi'/>"
    "<interface type='bridge'><mac address='00:50:56:11:22:33' type='static'/><source bridge='VM Network'/>"
    "<model type='vmxnet3'/></interface><interface type='user'/>"
    "<video><model type='vmvga' vram='4096'/></video></devices></domain>";

static const char from_xen[] =
    "<domain type='xen' id='3'><name>x</name><os><type arch='x86_64' machine='xenfv'>hvm</type>"
    "<loader type='rom'>/usr/lib/xen/boot/hvmloader</loader></os><features><acpi/><pae/><viridian/></features>"
    "<devices><emulator>/usr/lib/xen/bin/qemu-system-i386</emulator>"
    "<disk type='block' device='disk'><driver name='phy' type='raw'/><source dev='/dev/vg/x'/>"
    "<target dev='xvda' bus='xen'/><address type='x'/></disk>"
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/x.img'/>"
    "<target dev='xvdb' bus='xen'/></disk>"
    "<interface type='bridge'><mac address='00:16:3e:11:22:33'/><source bridge='xenbr0'/><script path='vif-bridge'/>"
    "<model type='netfront'/></interface><controller type='xenbus' index='0'/>"
    "<console type='pty'><target type='xen'/></console><graphics type='vnc' port='-1'/></devices></domain>";

static void assert_value(xmlDoc *doc, const char *path, const char *wanted)
{
    char value[256];

    assert_string_equal(xml_value(doc, path, value, sizeof(value)), wanted);
}

static xmlDoc *settled(const char *text, const char *network)
{
    xmlDoc *doc = xml_parse(text);

    assert_non_null(doc);
    settle_on_kvm(doc, "/vms/v", network);
    assert_value(doc, "@type", "kvm");
    assert_value(doc, "os/type/@machine", "pc");
    assert_int_equal(xml_count(doc, "@id | devices/emulator | os/loader | devices/console"), 0);
    assert_int_equal(xml_count(doc, "features/acpi"), 1);
    assert_int_equal(xml_count(doc, "features/apic"), 1);
    assert_int_equal(xml_count(doc, "devices/graphics"), 1);
    return doc;
}

static void test_vmware(void **state)
{
    xmlDoc *doc = settled(from_vmware, "lan");

    (void)state;
    assert_value(doc, "devices/disk[1]/source/@file", "/vms/v/disk.vmdk");
    assert_value(doc, "devices/disk[1]/driver/@type", "vmdk");
    assert_value(doc, "devices/disk[1]/target/@bus", "scsi");
    assert_value(doc, "devices/disk[2]/source/@file", "/vms/v/other.VMDK");
    assert_value(doc, "devices/disk[2]/driver/@type", "vmdk");
    assert_value(doc, "devices/disk[3]/source/@file", "/iso/cd.iso");
    assert_value(doc, "devices/disk[3]/driver/@type", "raw");
    assert_value(doc, "devices/disk[4]/driver/@type", "raw");
    assert_value(doc, "devices/controller[@index='0']/@model", "lsilogic");
    assert_value(doc, "devices/controller[@index='1']/@model", "vmpvscsi");
    assert_value(doc, "devices/interface[1]/@type", "network");
    assert_value(doc, "devices/interface[1]/source/@network", "lan");
    assert_value(doc, "devices/interface[1]/mac/@address", "00:50:56:11:22:33");
    assert_int_equal(xml_count(doc, "devices/interface/mac/@type"), 0);
    assert_value(doc, "devices/interface[1]/model/@type", "vmxnet3");
    assert_value(doc, "devices/interface[2]/model/@type", "e1000");
    assert_value(doc, "devices/video/model/@type", "vga");
    xmlFreeDoc(doc);
}

static void test_xen(void **state)
{
    xmlDoc *doc = settled(from_xen, "user");

    (void)state;
    assert_value(doc, "devices/disk[1]/driver/@name", "qemu");
    assert_value(doc, "devices/disk[1]/driver/@type", "raw");
    assert_value(doc, "devices/disk[1]/source/@dev", "/dev/vg/x");
    assert_value(doc, "devices/disk[1]/target/@dev", "hda");
    assert_value(doc, "devices/disk[2]/target/@dev", "hdb");
    assert_value(doc, "devices/disk[2]/target/@bus", "ide");
    assert_value(doc, "devices/disk[2]/driver/@type", "qcow2");
    assert_int_equal(xml_count(doc, "devices/disk/address"), 0);
    assert_int_equal(xml_count(doc, "features/*"), 2);
    assert_int_equal(xml_count(doc, "devices/controller"), 0);
    assert_value(doc, "devices/interface/@type", "user");
    assert_int_equal(xml_count(doc, "devices/interface/source | devices/interface/script"), 0);
    assert_value(doc, "devices/interface/model/@type", "e1000");
    xmlFreeDoc(doc);
}

/* Disks and drives that are IDE's already keep their places. */
static void test_xen_with_ide(void **state)
{
    static const char text[] =
        "<domain type='xen'><os><type arch='x86_64'>hvm</type></os><devices>"
        "<disk type='block' device='disk'><source dev='/dev/b'/><target dev='xvdb' bus='xen'/></disk>"
        "<disk type='block' device='disk'><source dev='/dev/a'/><target dev='hda' bus='ide'/></disk>"
        "<disk type='block' device='cdrom'><target dev='hdc' bus='ide'/></disk>"
        "<disk type='block' device='disk'><source dev='/dev/d'/><target dev='xvdd' bus='xen'/></disk></devices></domain>";
    xmlDoc *doc = settled(text, "user");

    (void)state;
    assert_value(doc, "devices/disk[1]/target/@dev", "hdb");
    assert_value(doc, "devices/disk[2]/target/@dev", "hda");
    assert_value(doc, "devices/disk[3]/target/@dev", "hdc");
    assert_value(doc, "devices/disk[4]/target/@dev", "hdd");
    xmlFreeDoc(doc);
}

static void test_nearly_nothing(void **state)
{
    (void)state;
    xmlFreeDoc(settled("<domain type='vmware'><os><type>hvm</type></os></domain>", "user"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vmware),
        cmocka_unit_test(test_xen),
        cmocka_unit_test(test_xen_with_ide),
        cmocka_unit_test(test_nearly_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
