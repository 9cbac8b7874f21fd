/*
 * What stands between a domain and its persona: the domain itself, its emulator, the library where QEMU runs, the
 * host's KVM, and the security drivers of libvirt.
 *
 * Left out: what only the host of a remote connection could tell.
 */
#include "virt.h"

#include <errno.h>
#include <libxml/uri.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "program.h"
#include "setting.h"

#include <hvshim/translators.h>

enum mark { GOOD, DOUBT, BAD };

struct findings {
    virDomainPtr domain;
    xmlDoc *doc;
    struct persona persona;
    bool is_local, is_system;
    bool is_bad;
};

static void find(struct findings *f, enum mark mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void find(struct findings *f, enum mark mark, const char *format, ...)
{
    static const char *const words[] = {[GOOD] = "good", [DOUBT] = "note", [BAD] = "BAD"};
    va_list list;

    va_start(list, format);
    printf("%-5s ", words[mark]);
    vprintf(format, list);
    puts("");
    va_end(list);
    f->is_bad |= mark == BAD;
}

/* --- the domain ------------------------------------------------------------------------------------------------- */

static bool is_text(xmlDoc *doc, const char *path, const char *wanted)
{
    char text[64];

    return !strcmp(xml_value(doc, path, text, sizeof(text)), wanted);
}

const char *virt_cannot_enable(xmlDoc *doc)
{
    if (!is_text(doc, "@type", "kvm"))
        return "its type is not kvm, and nothing else can be presented to: <domain type='kvm'>";
    if (!is_text(doc, "os/type", "hvm"))
        return "it is no full virtual machine: <os><type>hvm</type>";
    if (!is_text(doc, "os/type/@arch", "x86_64") && !is_text(doc, "os/type/@arch", "i686"))
        return "it is no x86 machine";
    if (xml_find(doc, "qemu:commandline/qemu:arg[contains(@value, 'kernel-irqchip=off')]"))
        return "its local APICs are not in the kernel (kernel-irqchip=off): take that argument out";
    return NULL;
}

static void check_domain(struct findings *f)
{
    const char *why = virt_cannot_enable(f->doc);
    char phrase[2 * PERSONA_TEXT_BYTES];

    if (why)
        find(f, BAD, "domain: %s", why);
    else
        find(f, GOOD, "domain: an x86 machine on KVM");
    if (!persona_read(f->doc, &f->persona))
        find(f, DOUBT, "persona: not enabled");
    else if (persona_is_in_effect(f->doc))
        find(f, GOOD, "persona: %s", persona_phrase(&f->persona, phrase, sizeof(phrase)));
    else
        find(f, BAD, "persona: QEMU's environment was taken out of the definition: enable it again");
    if (virDomainHasManagedSaveImage(f->domain, 0) == 1)
        find(f, BAD, "saved state: its guest knows what it saw when it was saved, and the interface's state is not in "
             "it: virsh managedsave-remove");
    if (virDomainSnapshotNum(f->domain, 0) > 0)
        find(f, DOUBT, "snapshots: those of a running guest cannot be gone back to: the interface's state is not in "
             "them");
    if (xml_find(f->doc, "vcpu/@current"))
        find(f, DOUBT, "vCPUs: some are plugged in later; the guest is told of all");
}

/* --- this host -------------------------------------------------------------------------------------------------- */

static void check_emulator(struct findings *f)
{
    char path[PATH_MAX];
    const char *why;

    xml_value(f->doc, "devices/emulator", path, sizeof(path));
    if (!*path) {
        find(f, DOUBT, "emulator: the connection's own choice, which was not looked at");
        return;
    }
    why = access(path, R_OK) ? strerror(errno) : program_cannot_preload(path);
    if (why)
        find(f, BAD, "emulator: %s: %s", path, why);
    else
        find(f, GOOD, "emulator: %s takes the library", path);
}

/* Whether an account that has no rights of its own can read `path`. *closed is where it cannot go on. */
static bool is_open_to_all(const char *path, char closed[PATH_MAX])
{
    struct stat st;

    for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
        snprintf(closed, PATH_MAX, "%.*s", (int)(end - path), path);
        if (stat(closed, &st) || !(st.st_mode & S_IXOTH))
            return false;
    }
    snprintf(closed, PATH_MAX, "%s", path);
    return stat(path, &st) == 0 && (st.st_mode & S_IROTH);
}

static void check_library(struct findings *f)
{
    char library[PATH_MAX], closed[PATH_MAX], why[512];

    if (*f->persona.library)
        snprintf(library, sizeof(library), "%s", f->persona.library);
    else if (host_find_library(library, why, sizeof(why))) {
        find(f, BAD, "library: %s", why);
        return;
    }
    if (access(library, R_OK))
        find(f, BAD, "library: %s: %s: enable it again", library, strerror(errno));
    else if (f->is_system && !is_open_to_all(library, closed))
        find(f, BAD, "library: %s: QEMU's account cannot pass %s: install hvshim beneath /usr", library, closed);
    else
        find(f, GOOD, "library: %s", library);
}

/* The persona that was enabled, as the other commands have it. */
static bool read_config(const struct persona *persona, struct hvs_vm_config *config, struct hvs_hv_options *hyperv)
{
    char settings[PERSONA_TEXT_BYTES], *rest = settings, *setting;
    const char *why;
    size_t bad_at;

    if (*persona->present && hvs_present_parse(config, persona->present, &bad_at))
        return false;
    snprintf(settings, sizeof(settings), "%s", persona->settings);
    while ((setting = strsep(&rest, ",")))
        if (*setting && vmm_set(config, hyperv, setting, &why))
            return false;
    vmm_give_options(config, hyperv);
    return true;
}

static void check_kvm(struct findings *f)
{
    struct hvs_hv_options hyperv = {.size = 0};
    struct hvs_vm_config config = {.nr_slots = 0};
    char why[1024];

    if (!read_config(&f->persona, &config, &hyperv))
        find(f, BAD, "persona: '%s' with '%s' is not known to this hvshim", f->persona.present, f->persona.settings);
    else if (!host_can_present(&config, why, sizeof(why)))
        find(f, GOOD, "KVM: this host's can do it");
    else
        find(f, access("/dev/kvm", R_OK | W_OK) && f->is_system ? DOUBT : BAD, "KVM: %s", why);
}

/* --- libvirt's security drivers --------------------------------------------------------------------------------- */

static void check_apparmor(struct findings *f)
{
    const char *library = f->persona.library;

    if (!strncmp(library, "/usr/lib", 8) || !strncmp(library, "/lib", 4))
        find(f, GOOD, "AppArmor: QEMU may load libraries from there");
    else
        find(f, BAD, "AppArmor: QEMU may not load %s: install hvshim beneath /usr, or add the line '%s mr,' to "
             "/etc/apparmor.d/local/abstractions/libvirt-qemu", library, library);
    find(f, DOUBT, "AppArmor: it may refuse the control socket: then hvshim stats does not find this VM");
}

static void check_security(struct findings *f)
{
    virSecurityModel model;

    if (xml_find(f->doc, "seclabel[@type='none']")) {
        find(f, GOOD, "security: this domain is not confined");
        return;
    }
    if (virNodeGetSecurityModel(virDomainGetConnect(f->domain), &model) < 0) {
        find(f, DOUBT, "security: this connection does not tell how domains are confined");
        return;
    }
    if (!strcmp(model.model, "apparmor") && *f->persona.library)
        check_apparmor(f);
    else if (!strcmp(model.model, "selinux"))
        find(f, DOUBT, "SELinux: where it is enforcing it may clear LD_PRELOAD when libvirt starts QEMU. If "
             "hvshim virt status then finds no process: <seclabel type='none' model='selinux'/>");
    else if (!strcmp(model.model, "none") || !*model.model)
        find(f, GOOD, "security: domains are not confined here");
    find(f, GOOD, "seccomp: QEMU's sandbox, as libvirt uses it, lets the library work");
}

/* --- all -------------------------------------------------------------------------------------------------------- */

static void look_at_connection(struct findings *f)
{
    char *text = virConnectGetURI(virDomainGetConnect(f->domain));
    xmlURI *uri = text ? xmlParseURI(text) : NULL;

    f->is_local = uri && (!uri->server || !*uri->server) && uri->scheme && !strncmp(uri->scheme, "qemu", 4);
    f->is_system = uri && uri->path && !strcmp(uri->path, "/system");
    xmlFreeURI(uri);
    free(text);
}

int virt_check(struct virt *virt, const char *name)
{
    struct findings f = {.domain = virt_domain(virt, name)};

    if (!f.domain)
        return VIRT_FAILED;
    f.doc = virt_domain_xml(f.domain);
    if (!f.doc) {
        virDomainFree(f.domain);
        return VIRT_FAILED;
    }
    f.persona = virt->persona;
    look_at_connection(&f);
    check_domain(&f);
    if (f.is_local) {
        check_emulator(&f);
        check_library(&f);
        check_kvm(&f);
        check_security(&f);
    } else {
        find(&f, DOUBT, "connection: not this host's QEMU; emulator, library, KVM and confinement were not looked at");
    }
    xmlFreeDoc(f.doc);
    virDomainFree(f.domain);
    return f.is_bad ? VIRT_NOT_SO : VIRT_DONE;
}
