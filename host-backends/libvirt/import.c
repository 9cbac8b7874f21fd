/*
 * Configurations of other hypervisors, by libvirt's own converters.
 *
 * Its VMware driver converts without asking VMware anything, but connects only where VMware's programs are. So it is
 * given stand-ins, which say that nothing runs. Its Xen driver converts in a Xen host's domain 0 alone; what it made
 * there can be brought here as XML.
 */
#include "virt.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "settle.h"

enum { MOST_BYTES = 1 << 20, MOST_CARDS = 10 };

/* `text` in `format`, as XML. The connection is closed. */
static char *convert_by(virConnectPtr connection, const char *format, const char *text)
{
    char *xml = virConnectDomainXMLFromNative(connection, format, text, 0);

    if (!xml)
        virt_fail_by_libvirt("it cannot be converted");
    virConnectClose(connection);
    return xml;
}

/* --- VMware ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *says;
} stand_ins[] = {
    {"vmrun", "Total running VMs: 0"},
    {"vmplayer", "VMware Player 6.0.0 build-0"},
};
enum { NR_STAND_INS = sizeof(stand_ins) / sizeof(stand_ins[0]) };

static int write_stand_in(const char *directory, const char *name, const char *says)
{
    char path[2 * PATH_MAX];
    int fd, written;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    if (fd < 0)
        return -1;
    written = dprintf(fd, "#!/bin/sh\necho '%s'\n", says);
    return close(fd) || written < 0 ? -1 : 0;
}

static void remove_stand_ins(const char *directory)
{
    char path[2 * PATH_MAX];

    for (size_t i = 0; i < NR_STAND_INS; i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, stand_ins[i].name);
        unlink(path);
    }
    rmdir(directory);
}

static virConnectPtr connect_among(const char *directory)
{
    const char *path = getenv("PATH");
    char *before = path ? strdup(path) : NULL, *all = NULL;
    virConnectPtr connection = NULL;

    if (asprintf(&all, "%s:%s", directory, before ? before : "/usr/bin:/bin") >= 0) {
        setenv("PATH", all, 1);
        connection = virConnectOpen("vmwareplayer:///session");
        if (before)
            setenv("PATH", before, 1);
        free(all);
    }
    free(before);
    return connection;
}

static virConnectPtr connect_vmware(void)
{
    const char *where = getenv("TMPDIR");
    char directory[PATH_MAX];
    virConnectPtr connection = NULL;
    bool is_there = true;

    snprintf(directory, sizeof(directory), "%s/hvshim-XXXXXX", where && *where == '/' ? where : "/tmp");
    if (!mkdtemp(directory))
        return NULL;
    for (size_t i = 0; i < NR_STAND_INS; i++)
        is_there = is_there && !write_stand_in(directory, stand_ins[i].name, stand_ins[i].says);
    if (is_there)
        connection = connect_among(directory);
    remove_stand_ins(directory);
    return connection;
}

/* VMware's desktop programs leave out what the converter insists on. `text` has room for it. */
static void name_networks(char *text, size_t bytes)
{
    char key[64];

    for (int card = 0; card < MOST_CARDS; card++) {
        size_t used = strlen(text);

        snprintf(key, sizeof(key), "ethernet%d.present", card);
        if (!strcasestr(text, key))
            continue;
        snprintf(key, sizeof(key), "ethernet%d.networkName", card);
        if (!strcasestr(text, key))
            snprintf(text + used, bytes - used, "\n%s = \"bridged\"\n", key);
    }
}

static char *convert_vmx(char *text, size_t bytes)
{
    virConnectPtr connection = connect_vmware();

    if (!connection) {
        virt_fail_by_libvirt("libvirt's VMware driver, which reads .vmx files, is not there (Debian's package libvirt0 "
                             "has it)");
        return NULL;
    }
    name_networks(text, bytes);
    return convert_by(connection, "vmware-vmx", text);
}

/* --- Xen -------------------------------------------------------------------------------------------------------- */

static char *convert_xl(char *text, size_t bytes)
{
    virConnectPtr connection = virConnectOpen("xen:///system");

    (void)bytes;
    if (!connection) {
        virt_fail("libvirt reads Xen's .cfg files by its Xen driver only, which is in the package "
                  "libvirt-daemon-driver-xen and works in domain 0 of a Xen host: run\n"
                  "  virsh -c xen:///system domxml-from-native xen-xl FILE.cfg >FILE.xml\n"
                  "there, and hvshim virt import FILE.xml here");
        return NULL;
    }
    return convert_by(connection, "xen-xl", text);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static char *take_xml(char *text, size_t bytes)
{
    (void)bytes;
    return strdup(text);
}

static const struct {
    const char *ending, *persona;       /* NULL: by the type that the XML says */
    char *(*convert)(char *text, size_t bytes);
} kinds[] = {
    {".vmx", "vmware", convert_vmx},
    {".cfg", "xen", convert_xl},
    {".xl", "xen", convert_xl},
    {".xml", NULL, take_xml},
};
enum { NR_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static size_t find_kind(const char *file)
{
    const char *ending = strrchr(file, '.');
    size_t kind = 0;

    while (kind < NR_KINDS && (!ending || strcasecmp(ending, kinds[kind].ending)))
        kind++;
    return kind;
}

/* The whole text with some room behind it, for the caller to free. */
static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, MOST_BYTES + 4096);
    size_t got = file && text ? fread(text, 1, MOST_BYTES, file) : 0;
    bool is_bad = !file || !text || ferror(file) || got == MOST_BYTES || memchr(text, 0, got);

    if (is_bad)
        virt_fail("%s: %s", path, !file || ferror(file) ? strerror(errno) : "it is no configuration");
    if (file)
        fclose(file);
    *bytes = MOST_BYTES + 4096;
    if (!is_bad)
        return text;
    free(text);
    return NULL;
}

static xmlDoc *convert(const char *file, size_t kind)
{
    size_t bytes;
    char *text = read_file(file, &bytes), *xml = text ? kinds[kind].convert(text, bytes) : NULL;
    xmlDoc *doc = xml ? xml_parse(xml) : NULL;

    if (xml && !doc)
        virt_fail("%s: it is no domain", file);
    if (doc && strcasestr(text, "\nguestinfo."))
        fputs("hvshim virt: guestinfo.* of the file is not kept: set it when the domain runs (hvshim guestinfo)\n",
              stderr);
    free(text);
    free(xml);
    return doc;
}

/* --- the command ------------------------------------------------------------------------------------------------ */

/* What the file's own hypervisor is, unless the user said otherwise. */
static int choose_persona(struct virt *virt, const char *named, xmlDoc *doc)
{
    char type[32];

    if (*virt->persona.present)
        return VIRT_DONE;
    xml_value(doc, "@type", type, sizeof(type));
    if (!named)
        named = !strcmp(type, "vmware") || !strcmp(type, "xen") || !strcmp(type, "hyperv") ? type : NULL;
    if (!named)
        return virt_fail("say by --present what it is to present");
    snprintf(virt->persona.present, sizeof(virt->persona.present), "%s", named);
    persona_name_parts(&virt->persona);
    return VIRT_DONE;
}

static int refuse_known(struct virt *virt, xmlDoc *doc)
{
    char name[256];
    virDomainPtr domain = virDomainLookupByName(virt->connection, xml_value(doc, "name", name, sizeof(name)));

    if (!domain)
        return VIRT_DONE;
    virDomainFree(domain);
    return virt_fail("there is a domain %s already", name);
}

/* Sessions have no networks of their own as a rule. */
static const char *default_network(struct virt *virt)
{
    char *uri = virConnectGetURI(virt->connection);
    bool is_session = uri && strstr(uri, "/session");

    free(uri);
    return is_session ? "user" : "default";
}

static int settle(struct virt *virt, xmlDoc *doc, const char *file, const char *network)
{
    char path[PATH_MAX];
    const char *why;

    if (!realpath(file, path))
        return virt_fail("%s: %s", file, strerror(errno));
    settle_on_kvm(doc, dirname(path), network ? network : default_network(virt));
    why = virt_cannot_enable(doc);
    if (why)
        return virt_fail("%s: %s", file, why);
    persona_enable(doc, &virt->persona);
    return virt_define(virt, NULL, doc);
}

int virt_import(struct virt *virt, const char *file, const char *network)
{
    size_t kind = find_kind(file);
    xmlDoc *doc;
    int status;

    if (kind == NR_KINDS)
        return virt_fail("%s: a VMware configuration is called .vmx, a Xen one .cfg or .xl, domain XML .xml", file);
    doc = convert(file, kind);
    if (!doc)
        return VIRT_FAILED;
    status = choose_persona(virt, kinds[kind].persona, doc);
    if (!status)
        status = refuse_known(virt, doc);
    if (!status)
        status = settle(virt, doc, file, network);
    xmlFreeDoc(doc);
    return status;
}
