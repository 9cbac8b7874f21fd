/*
 * Domains of a libvirt connection: enabled, disabled and shown.
 *
 * What is changed is the definition, so a domain that runs goes on as it is until its next start.
 */
#include "virt.h"

#include <libvirt/virterror.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vms.h"

static void say(const char *format, va_list list)
{
    fputs("hvshim virt: ", stderr);
    vfprintf(stderr, format, list);
}

int virt_fail(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say(format, list);
    va_end(list);
    fputs("\n", stderr);
    return VIRT_FAILED;
}

int virt_fail_by_libvirt(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say(format, list);
    va_end(list);
    fprintf(stderr, ": %s\n", virGetLastErrorMessage());
    return VIRT_FAILED;
}

/* --- finding ---------------------------------------------------------------------------------------------------- */

virDomainPtr virt_domain(struct virt *virt, const char *name)
{
    virDomainPtr domain = virDomainLookupByName(virt->connection, name);

    if (!domain)
        domain = virDomainLookupByUUIDString(virt->connection, name);
    if (!domain)
        virt_fail("there is no domain %s here (hvshim virt list, and --connect for other connections)", name);
    return domain;
}

xmlDoc *virt_domain_xml(virDomainPtr domain)
{
    char *text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    xmlDoc *doc = text ? xml_parse(text) : NULL;

    if (!text)
        virt_fail_by_libvirt("%s", virDomainGetName(domain));
    else if (!doc)
        virt_fail("%s: what libvirt says of it cannot be read", virDomainGetName(domain));
    free(text);
    return doc;
}

/* --- defining --------------------------------------------------------------------------------------------------- */

static bool is_agreed(const struct virt *virt)
{
    char answer[16] = "";

    if (virt->is_yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        virt_fail("say --yes to have it so, or --dry-run to only look");
        return false;
    }
    fputs("Have it so? [y/N] ", stdout);
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

/* Back to how it was; one that was not there goes. */
static void take_back(struct virt *virt, virDomainPtr domain, xmlDoc *before)
{
    char *text = before ? xml_text(before) : NULL;
    virDomainPtr old = text ? virDomainDefineXML(virt->connection, text) : NULL;

    if (!before)
        virDomainUndefine(domain);
    if (old)
        virDomainFree(old);
    xmlFree(text);
}

/* What a driver does not know it drops without a word. */
static int look_again(struct virt *virt, virDomainPtr domain, xmlDoc *before, xmlDoc *wanted)
{
    xmlDoc *now = virt_domain_xml(domain);
    int status = VIRT_DONE;

    if (!now)
        return VIRT_FAILED;
    if (persona_is_in_effect(wanted) && !persona_is_in_effect(now)) {
        take_back(virt, domain, before);
        status = virt_fail("%s is as it was: this connection's driver drops QEMU's environment",
                           virDomainGetName(domain));
    } else if (virDomainIsActive(domain) == 1) {
        printf("%s runs: what was changed counts when it is off and started again\n", virDomainGetName(domain));
    }
    xmlFreeDoc(now);
    return status;
}

int virt_define(struct virt *virt, xmlDoc *before, xmlDoc *after)
{
    virDomainPtr domain;
    char name[256];
    char *text;
    int status;

    xml_value(after, "name", name, sizeof(name));
    if (!virt_show_change(before, after, name)) {
        printf("%s: it is so already\n", name);
        return VIRT_DONE;
    }
    if (virt->is_dry_run)
        return VIRT_DONE;
    if (!is_agreed(virt))
        return VIRT_FAILED;
    text = xml_text(after);
    domain = virDomainDefineXML(virt->connection, text);
    xmlFree(text);
    if (!domain)
        return virt_fail_by_libvirt("%s cannot be defined", name);
    status = look_again(virt, domain, before, after);
    virDomainFree(domain);
    return status;
}

/* A saved state has the guest's own view in it: it would be resumed with another. */
static int refuse_saved(virDomainPtr domain)
{
    if (virDomainHasManagedSaveImage(domain, 0) != 1)
        return VIRT_DONE;
    return virt_fail("%s was saved while it ran, and its guest knows what it saw then: start it and shut it down, or "
                     "drop that state (virsh managedsave-remove)", virDomainGetName(domain));
}

/* `persona` in the place of what the domain presents; NULL: nothing. */
static int redefine(struct virt *virt, const char *name, const struct persona *persona)
{
    virDomainPtr domain = virt_domain(virt, name);
    xmlDoc *before = domain ? virt_domain_xml(domain) : NULL, *after = before ? xml_copy(before) : NULL;
    const char *why = before && persona ? virt_cannot_enable(before) : NULL;
    int status = VIRT_FAILED;

    if (before)
        status = why ? virt_fail("%s: %s", name, why) : refuse_saved(domain);
    if (!status) {
        if (persona)
            persona_enable(after, persona);
        else
            persona_disable(after);
        status = virt_define(virt, before, after);
    }
    xmlFreeDoc(before);
    xmlFreeDoc(after);
    if (domain)
        virDomainFree(domain);
    return status;
}

int virt_enable(struct virt *virt, const char *name)
{
    return redefine(virt, name, &virt->persona);
}

int virt_disable(struct virt *virt, const char *name)
{
    return redefine(virt, name, NULL);
}

/* --- showing ---------------------------------------------------------------------------------------------------- */

static const char *state_of(virDomainPtr domain)
{
    static const char *const names[] = {
        [VIR_DOMAIN_NOSTATE] = "?",          [VIR_DOMAIN_RUNNING] = "runs",       [VIR_DOMAIN_BLOCKED] = "runs",
        [VIR_DOMAIN_PAUSED] = "paused",      [VIR_DOMAIN_SHUTDOWN] = "shuts down", [VIR_DOMAIN_SHUTOFF] = "off",
        [VIR_DOMAIN_CRASHED] = "crashed",    [VIR_DOMAIN_PMSUSPENDED] = "suspended",
    };
    int state = VIR_DOMAIN_NOSTATE;

    virDomainGetState(domain, &state, NULL, 0);
    return state >= 0 && state < (int)(sizeof(names) / sizeof(names[0])) ? names[state] : "?";
}

int virt_list(struct virt *virt)
{
    virDomainPtr *domains;
    int nr = virConnectListAllDomains(virt->connection, &domains, 0);

    if (nr < 0)
        return virt_fail_by_libvirt("the domains");
    printf("%-30s %-10s %s\n", "domain", "state", "presents");
    for (int i = 0; i < nr; i++) {
        struct persona persona = {.present = ""};
        xmlDoc *doc = virt_domain_xml(domains[i]);
        char phrase[2 * PERSONA_TEXT_BYTES];
        bool is_enabled = doc && persona_read(doc, &persona);

        printf("%-30s %-10s %s%s\n", virDomainGetName(domains[i]), state_of(domains[i]),
               is_enabled ? persona_phrase(&persona, phrase, sizeof(phrase)) : "-",
               is_enabled && !persona_is_in_effect(doc) ? " (not in effect)" : "");
        xmlFreeDoc(doc);
        virDomainFree(domains[i]);
    }
    free(domains);
    return VIRT_DONE;
}

/* Whether the process that runs now has the library in it; of this host, by its control socket. */
static void print_process(const char *name)
{
    struct vms_process *found;
    size_t nr = vms_list(&found);

    for (size_t i = 0; i < nr; i++) {
        if (!strcmp(found[i].name, name)) {
            printf("process:   %d (hvshim stats %s)\n", (int)found[i].pid, name);
            free(found);
            return;
        }
    }
    free(found);
    puts("process:   it runs without, or cannot be asked: it began before it was enabled, or is another user's");
}

static int print_status(virDomainPtr domain, xmlDoc *doc)
{
    const char *name = virDomainGetName(domain);
    char phrase[2 * PERSONA_TEXT_BYTES];
    struct persona persona;
    bool is_in_effect;

    printf("domain:    %s (%s)\n", name, state_of(domain));
    if (!persona_read(doc, &persona)) {
        puts("presents:  nothing");
        return VIRT_NOT_SO;
    }
    is_in_effect = persona_is_in_effect(doc);
    printf("presents:  %s\n", persona_phrase(&persona, phrase, sizeof(phrase)));
    printf("library:   %s\n", *persona.library ? persona.library : "-");
    if (!is_in_effect)
        puts("in effect: no: QEMU's environment was taken out of its definition. Enable it again");
    if (virDomainIsActive(domain) == 1)
        print_process(name);
    return is_in_effect ? VIRT_DONE : VIRT_NOT_SO;
}

int virt_status(struct virt *virt, const char *name)
{
    virDomainPtr domain = virt_domain(virt, name);
    xmlDoc *doc = domain ? virt_domain_xml(domain) : NULL;
    int status = doc ? print_status(domain, doc) : VIRT_FAILED;

    xmlFreeDoc(doc);
    if (domain)
        virDomainFree(domain);
    return status;
}
