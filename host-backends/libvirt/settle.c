/*
 * Kept: name, UUID, memory, vCPUs, firmware, disks and their buses, network cards with their addresses and models. What
 * QEMU does not have is put in the place of its like: BusLogic's SCSI by LSI's, Xen's own disks by IDE and its network
 * cards by e1000 (a Xen guest has drivers for both), VMware's graphics by plain VGA.
 *
 * Left out: passed-through devices, which libvirt refuses by itself; disk images are not converted.
 */
#include "settle.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct settling {
    const char *directory, *network;
};

static xmlNode *child(xmlNode *node, const char *name)
{
    for (xmlNode *at = xmlFirstElementChild(node); at; at = xmlNextElementSibling(at)) {
        if (xmlStrEqual(at->name, (const xmlChar *)name))
            return at;
    }
    return NULL;
}

static xmlNode *need_child(xmlNode *node, const char *name)
{
    xmlNode *found = child(node, name);

    return found ? found : xml_add(node, NULL, name);
}

static void drop_child(xmlNode *node, const char *name)
{
    xmlNode *found = child(node, name);

    xmlUnlinkNode(found);
    xmlFreeNode(found);
}

/* An attribute, or "" where there is none. */
static const char *attribute(xmlNode *node, const char *name, char *text, size_t bytes)
{
    xmlChar *value = node ? xmlGetProp(node, (const xmlChar *)name) : NULL;

    snprintf(text, bytes, "%s", value ? (const char *)value : "");
    xmlFree(value);
    return text;
}

/* --- disks ------------------------------------------------------------------------------------------------------ */

/* "[datastore] dir/file" and "file" lie beside the configuration. */
static void settle_source(const struct settling *how, xmlNode *source)
{
    char file[1024], path[2048];
    const char *name;

    attribute(source, "file", file, sizeof(file));
    if (!*file || *file == '/')
        return;
    name = *file == '[' && strrchr(file, '/') ? strrchr(file, '/') + 1 :
           *file == '[' && strchr(file, ']') ? strchr(file, ']') + 1 : file;
    snprintf(path, sizeof(path), "%s/%s", how->directory, name + strspn(name, " "));
    xml_set(source, "file", path);
}

static const char *format_of(const char *file)
{
    static const char *const formats[] = {"vmdk", "qcow2", "vhdx", "vdi"};
    const char *dot = strrchr(file, '.');

    for (size_t i = 0; dot && i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (!strcasecmp(dot + 1, formats[i]))
            return formats[i];
    }
    return dot && !strcasecmp(dot, ".vhd") ? "vpc" : "raw";
}

/* The first of hda, hdb, ... that no disk has. */
static void find_ide_name(xmlDoc *doc, char name[sizeof("hda")])
{
    char path[64];

    strcpy(name, "hda");
    do
        snprintf(path, sizeof(path), "devices/disk/target[@dev='%s']", name);
    while (xml_find(doc, path) && name[2]++ < 'z');
}

static void settle_disk(void *ctx, xmlNode *disk)
{
    const struct settling *how = ctx;
    xmlNode *source = child(disk, "source"), *driver = need_child(disk, "driver"), *target = child(disk, "target");
    char text[1024], name[sizeof("hda")];

    if (source)
        settle_source(how, source);
    xml_set(driver, "name", "qemu");
    if (!*attribute(driver, "type", text, sizeof(text)))
        xml_set(driver, "type", format_of(attribute(source, "file", text, sizeof(text))));
    if (!target || strcmp(attribute(target, "bus", text, sizeof(text)), "xen"))
        return;
    find_ide_name(disk->doc, name);
    xml_set(target, "dev", name);
    xml_set(target, "bus", "ide");
    drop_child(disk, "address");
}

/* --- other devices ---------------------------------------------------------------------------------------------- */

static void settle_interface(void *ctx, xmlNode *interface)
{
    static const char *const foreign[] = {"source", "script", "target", "virtualport", "backenddomain", "address"};
    const struct settling *how = ctx;
    bool is_user = !strcmp(how->network, "user");
    xmlNode *mac = child(interface, "mac"), *model = need_child(interface, "model");
    char text[64];

    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        drop_child(interface, foreign[i]);
    xml_set(interface, "type", is_user ? "user" : "network");
    if (!is_user)
        xml_set(xml_add(interface, NULL, "source"), "network", how->network);
    if (mac)
        xmlUnsetProp(mac, (const xmlChar *)"type");
    attribute(model, "type", text, sizeof(text));
    if (!*text || !strcmp(text, "netfront") || !strcmp(text, "vlance"))
        xml_set(model, "type", *text == 'v' ? "pcnet" : "e1000");
}

static void settle_controller(void *ctx, xmlNode *controller)
{
    char model[64];

    (void)ctx;
    if (!strcmp(attribute(controller, "model", model, sizeof(model)), "buslogic"))
        xml_set(controller, "model", "lsilogic");
}

static void settle_video(xmlDoc *doc)
{
    xmlNode *devices = xml_find(doc, "devices");

    if (xml_find(doc, "devices/video")) {
        xml_remove(doc, "devices/video");
        xml_set(xml_add(xml_add(devices, NULL, "video"), NULL, "model"), "type", "vga");
    }
    if (!xml_find(doc, "devices/graphics"))
        xml_set(xml_add(devices, NULL, "graphics"), "type", "vnc");
}

/* --- all -------------------------------------------------------------------------------------------------------- */

/* A PC has ACPI and APICs; libvirt takes both away where they are not named. */
static void settle_features(xmlDoc *doc)
{
    xmlNode *features = xml_find(doc, "features");

    if (!features)
        features = xml_add(xml_domain(doc), NULL, "features");
    xml_remove(doc, "features/viridian | features/hap | features/xen | features/pae");
    need_child(features, "acpi");
    need_child(features, "apic");
}

void settle_on_kvm(xmlDoc *doc, const char *directory, const char *network)
{
    struct settling how = {.directory = directory, .network = network};
    xmlNode *type = xml_find(doc, "os/type");

    xml_set(xml_domain(doc), "type", "kvm");
    xmlUnsetProp(xml_domain(doc), (const xmlChar *)"id");
    if (type)
        xml_set(type, "machine", "pc");
    if (!xml_find(doc, "devices"))
        xml_add(xml_domain(doc), NULL, "devices");
    xml_remove(doc, "devices/emulator | bootloader | bootloader_args | os/loader | seclabel");
    xml_remove(doc, "devices/controller[@type='xenbus'] | devices/console | devices/input[@bus='xen']");
    settle_features(doc);
    xml_each(doc, "devices/disk", settle_disk, &how);
    xml_each(doc, "devices/interface", settle_interface, &how);
    xml_each(doc, "devices/controller[@type='scsi']", settle_controller, &how);
    settle_video(doc);
}
