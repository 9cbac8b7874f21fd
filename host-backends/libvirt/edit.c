/*
 * The record in <metadata> is a list of places, each with what was there: <was>, and of elements that were made to hold
 * others: <made>. It is the user's to edit, so only places of this list are put back.
 */
#include "edit.h"

#include <stdio.h>
#include <string.h>

#include <hvshim/vmware.h>

#include "setting.h"

#define RECORD "metadata/hvshim:persona"
#define ENV(name) "qemu:commandline/qemu:env[@name='" name "']"

static const char *const places[] = {
    "features/hyperv", "features/vmport", "clock/timer", "os/smbios", "sysinfo[@type='smbios']", ENV("LD_PRELOAD"),
    ENV("HVSHIM_PRESENT"), ENV("HVSHIM_SET"), ENV("HVSHIM_UUID"), ENV("HVSHIM_MAX_CPUS"),
    ENV("HVSHIM_KERNEL_INTERFACE"),
};
static const char *const holders[] = {"features", "clock", "os", "qemu:commandline"};

/* --- what was there before -------------------------------------------------------------------------------------- */

static void keep_copy(void *ctx, xmlNode *node)
{
    xmlNode *was = ctx;

    xmlAddChild(was, xmlDocCopyNode(node, was->doc, 1));
}

/* Keeps all that is at `path`, before it is changed. */
static void keep(xmlDoc *doc, const char *path)
{
    xmlNode *was = xml_add(xml_find(doc, RECORD), "hvshim", "was");

    xml_set(was, "path", path);
    xml_each(doc, path, keep_copy, was);
}

/* The element `path`, made (and noted) where it is not there. */
static xmlNode *need_parent(xmlDoc *doc, const char *prefix, const char *name)
{
    char path[64];
    xmlNode *parent;

    snprintf(path, sizeof(path), "%s%s%s", prefix ? prefix : "", prefix ? ":" : "", name);
    parent = xml_find(doc, path);
    if (parent)
        return parent;
    xml_set(xml_add(xml_find(doc, RECORD), "hvshim", "made"), "path", path);
    return xml_add(xml_domain(doc), prefix, name);
}

/* Where what was at `path` belongs: the element that it ends in, made where a user has removed it. */
static xmlNode *parent_of(xmlDoc *doc, const char *path)
{
    const char *end = strrchr(path, '/');
    char parent[64];
    xmlNode *node;

    if (!end)
        return xml_domain(doc);
    snprintf(parent, sizeof(parent), "%.*s", (int)(end - path), path);
    node = xml_find(doc, parent);
    if (node)
        return node;
    return strncmp(parent, "qemu:", 5) ? xml_add(xml_domain(doc), NULL, parent) :
                                         xml_add(xml_domain(doc), "qemu", parent + 5);
}

/* The path that an entry of the record names, if it is in `list`; else NULL. */
static const char *path_of(xmlNode *entry, const char *const *list, size_t nr)
{
    xmlChar *path = xmlGetProp(entry, (const xmlChar *)"path");
    const char *found = NULL;

    for (size_t i = 0; path && i < nr; i++) {
        if (!strcmp((const char *)path, list[i]))
            found = list[i];
    }
    xmlFree(path);
    return found;
}

/* Puts back what `was` keeps, where its successor stands now. */
static void restore(void *ctx, xmlNode *was)
{
    xmlDoc *doc = ctx;
    const char *path = path_of(was, places, HVS_ARRAY_SIZE(places));
    xmlNode *now = path ? xml_find(doc, path) : NULL, *place;

    if (!path)
        return;
    if (!was->children) {
        xml_remove(doc, path);
        return;
    }
    place = xml_add(now ? now->parent : parent_of(doc, path), NULL, "place");
    if (now)
        xmlAddPrevSibling(now, place);
    xml_remove(doc, path);
    for (xmlNode *old = was->children; old; old = old->next)
        xml_copy_in(old, place);
    xmlUnlinkNode(place);
    xmlFreeNode(place);
}

static void remove_if_empty(xmlDoc *doc, const char *path)
{
    xmlNode *node = xml_find(doc, path);

    if (!node || xmlFirstElementChild(node))
        return;
    xmlUnlinkNode(node);
    xmlFreeNode(node);
}

static void unmake(void *ctx, xmlNode *made)
{
    const char *path = path_of(made, holders, HVS_ARRAY_SIZE(holders));

    if (path)
        remove_if_empty(ctx, path);
}

bool persona_disable(xmlDoc *doc)
{
    if (!xml_find(doc, RECORD))
        return false;
    xml_each(doc, RECORD "/hvshim:was", restore, doc);
    xml_each(doc, RECORD "/hvshim:made", unmake, doc);
    xml_remove(doc, RECORD);
    remove_if_empty(doc, "metadata");
    xml_forget_qemu(doc);
    return true;
}

/* --- what QEMU is given ----------------------------------------------------------------------------------------- */

/* One variable of QEMU's environment. */
static void set_env(xmlDoc *doc, const char *name, const char *value)
{
    char path[96];
    xmlNode *commandline = need_parent(doc, "qemu", "commandline"), *env;

    snprintf(path, sizeof(path), "qemu:commandline/qemu:env[@name='%s']", name);
    keep(doc, path);
    env = xml_find(doc, path);
    if (!*value) {
        xml_remove(doc, path);
        return;
    }
    if (!env)
        env = xml_add(commandline, "qemu", "env");
    xml_set(env, "name", name);
    xml_set(env, "value", value);
}

/* A library that is there already stays, behind ours. */
static void set_library(xmlDoc *doc, const char *library)
{
    char before[PERSONA_TEXT_BYTES], all[2 * PERSONA_TEXT_BYTES];

    xml_value(doc, ENV("LD_PRELOAD") "/@value", before, sizeof(before));
    snprintf(all, sizeof(all), "%s%s%s", library, *before ? ":" : "", before);
    set_env(doc, "LD_PRELOAD", all);
}

static void set_environment(xmlDoc *doc, const struct persona *persona)
{
    char text[64];

    set_library(doc, persona->library);
    set_env(doc, "HVSHIM_PRESENT", persona->present);
    set_env(doc, "HVSHIM_KERNEL_INTERFACE", persona->interfaces);
    set_env(doc, "HVSHIM_SET", persona->settings);
    set_env(doc, "HVSHIM_UUID", xml_value(doc, "uuid", text, sizeof(text)));
    /* vCPUs that can be plugged in later */
    set_env(doc, "HVSHIM_MAX_CPUS", xml_find(doc, "vcpu/@current") ? xml_value(doc, "vcpu", text, sizeof(text)) : "");
}

/* --- what fits the persona -------------------------------------------------------------------------------------- */

/* An element without contents, `parent`/`name`. */
static void set_flag(xmlDoc *doc, const char *parent, const char *name, const char *attribute, const char *value)
{
    xmlNode *into = need_parent(doc, NULL, parent), *flag;
    char path[64];

    snprintf(path, sizeof(path), "%s/%s", parent, name);
    keep(doc, path);
    flag = xml_find(doc, path);
    xml_set(flag ? flag : xml_add(into, NULL, name), attribute, value);
}

/* QEMU's own Hyper-V would be in the way, and QEMU refuses it where the kernel has none. Its VMware port, which it has
   by default, would show guests a second hypervisor. */
static void set_features(xmlDoc *doc)
{
    keep(doc, "features/hyperv");
    xml_remove(doc, "features/hyperv");
    set_flag(doc, "features", "vmport", "state", "off");
}

static void set_timer(xmlDoc *doc, const char *name, const char *attribute, const char *value)
{
    char path[64];
    xmlNode *timer;

    snprintf(path, sizeof(path), "clock/timer[@name='%s']", name);
    timer = xml_find(doc, path);
    if (!timer)
        timer = xml_add(need_parent(doc, NULL, "clock"), NULL, "timer");
    xml_set(timer, "name", name);
    xml_set(timer, attribute, value);
}

static bool has_policy(xmlDoc *doc, const char *path)
{
    return xml_find(doc, path) != NULL;
}

/* KVM's clock is not shown beside ours. Hyper-V's machines have no HPET, and Windows wants no tick lost. */
static void set_timers(xmlDoc *doc, const struct persona *persona)
{
    keep(doc, "clock/timer");
    xml_remove(doc, "clock/timer[@name='hypervclock']");
    set_timer(doc, "kvmclock", "present", "no");
    if (!persona->has_hyperv)
        return;
    set_timer(doc, "hpet", "present", "no");
    if (!has_policy(doc, "clock/timer[@name='rtc']/@tickpolicy"))
        set_timer(doc, "rtc", "tickpolicy", "catchup");
    if (!has_policy(doc, "clock/timer[@name='pit']/@tickpolicy"))
        set_timer(doc, "pit", "tickpolicy", "delay");
}

static void set_entry(xmlDoc *doc, const char *block, const char *name, const char *value)
{
    char path[64];
    xmlNode *parent, *entry;

    snprintf(path, sizeof(path), "sysinfo[@type='smbios']/%s", block);
    parent = xml_find(doc, path);
    if (!parent)
        parent = xml_add(xml_find(doc, "sysinfo[@type='smbios']"), NULL, block);
    snprintf(path, sizeof(path), "sysinfo[@type='smbios']/%s/entry[@name='%s']", block, name);
    xml_remove(doc, path);
    entry = xml_add(parent, NULL, "entry");
    xml_set(entry, "name", name);
    xmlNodeAddContent(entry, (const xmlChar *)value);
}

/* What VMware's machines say, over what the domain says already. The UUID is the domain's own anyway. */
static void set_smbios(xmlDoc *doc)
{
    char text[64], serial[HVS_VMW_SERIAL_BYTES];
    uint8_t uuid[16];

    set_flag(doc, "os", "smbios", "mode", "sysinfo");
    keep(doc, "sysinfo[@type='smbios']");
    if (!xml_find(doc, "sysinfo[@type='smbios']"))
        xml_set(xml_add_before(doc, "os", "sysinfo"), "type", "smbios");
    set_entry(doc, "bios", "vendor", HVS_VMW_SMBIOS_BIOS_VENDOR);
    set_entry(doc, "system", "manufacturer", HVS_VMW_SMBIOS_MANUFACTURER);
    set_entry(doc, "system", "product", HVS_VMW_SMBIOS_PRODUCT);
    if (!vmm_read_uuid(xml_value(doc, "uuid", text, sizeof(text)), uuid))
        return;
    hvs_vmw_serial(uuid, serial);
    set_entry(doc, "system", "serial", serial);
}

/* --- both ------------------------------------------------------------------------------------------------------- */

static void begin_record(xmlDoc *doc, const struct persona *persona)
{
    xmlNode *metadata = xml_find(doc, "metadata"), *record;

    if (!metadata)
        metadata = xml_add_before(doc, "maxMemory | memory", "metadata");
    record = xml_add(metadata, "hvshim", "persona");
    if (*persona->interfaces)
        xml_set(record, "kernel-interface", persona->interfaces);
    else
        xml_set(record, "present", persona->present);
    if (*persona->settings)
        xml_set(record, "set", persona->settings);
}

void persona_enable(xmlDoc *doc, const struct persona *persona)
{
    persona_disable(doc);
    begin_record(doc, persona);
    if (*persona->interfaces) {
        set_environment(doc, persona);
        return;
    }
    set_features(doc);
    set_timers(doc, persona);
    if (persona->has_vmware)
        set_smbios(doc);
    set_environment(doc, persona);
}

/* "name" in "name,name". */
static bool has_name(const char *list, const char *name)
{
    size_t length = strlen(name);

    while (*list) {
        size_t next = strcspn(list, ",");

        if (next == length && !strncmp(list, name, length))
            return true;
        list += next + (list[next] == ',');
    }
    return false;
}

void persona_name_parts(struct persona *persona)
{
    persona->has_hyperv = has_name(persona->present, "hyperv");
    persona->has_vmware = has_name(persona->present, "vmware");
}

bool persona_read(xmlDoc *doc, struct persona *persona)
{
    if (!xml_find(doc, RECORD))
        return false;
    xml_value(doc, RECORD "/@present", persona->present, sizeof(persona->present));
    xml_value(doc, RECORD "/@kernel-interface", persona->interfaces, sizeof(persona->interfaces));
    xml_value(doc, RECORD "/@set", persona->settings, sizeof(persona->settings));
    xml_value(doc, ENV("LD_PRELOAD") "/@value", persona->library, sizeof(persona->library));
    persona->library[strcspn(persona->library, ":")] = 0;
    persona_name_parts(persona);
    return true;
}

/* Whether QEMU's environment has what the record says. */
static bool is_as_recorded(xmlDoc *doc, const char *variable, const char *recorded)
{
    char now[64], wanted[64];

    xml_value(doc, variable, now, sizeof(now));
    xml_value(doc, recorded, wanted, sizeof(wanted));
    return *now && !strcmp(now, wanted);
}

bool persona_is_in_effect(xmlDoc *doc)
{
    char library[PERSONA_TEXT_BYTES];

    xml_value(doc, ENV("LD_PRELOAD") "/@value", library, sizeof(library));
    return strstr(library, "libhvshim-preload.so") &&
           (is_as_recorded(doc, ENV("HVSHIM_PRESENT") "/@value", RECORD "/@present") ||
            is_as_recorded(doc, ENV("HVSHIM_KERNEL_INTERFACE") "/@value", RECORD "/@kernel-interface"));
}

const char *persona_phrase(const struct persona *persona, char *text, size_t text_bytes)
{
    if (*persona->interfaces)
        snprintf(text, text_bytes, "what it says itself (--kernel-interface %s)", persona->interfaces);
    else
        snprintf(text, text_bytes, "%s%s%s", persona->present, *persona->settings ? ", " : "", persona->settings);
    return text;
}
