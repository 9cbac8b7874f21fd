/*
 * hvshim-virt: what `hvshim virt` runs. A program of its own, so that hvshim itself does without libvirt.
 */
#include "virt.h"

#include <argp.h>
#include <libvirt/virterror.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "persona.h"
#include "setting.h"

enum { MOST_WORDS = 2, KEY_NETWORK = 0x100, KEY_INTERFACE };

const char *argp_program_version = "hvshim " HVSHIM_VERSION;

static const struct argp_option option_table[] = {
    {"connect", 'c', "URI", 0, "libvirt's connection (its own default: $LIBVIRT_DEFAULT_URI, or qemu:///session, or "
     "for root qemu:///system)", 0},
    {"yes", 'y', NULL, 0, "Do not ask", 0},
    {"dry-run", 'n', NULL, 0, "Only show what would be changed", 0},
    {"kernel-interface", KEY_INTERFACE, "hyperv|xen", 0, "enable: give QEMU the interface that a kernel with Hyper-V "
     "or Xen code has, for what the domain says itself (<hyperv>, QEMU's own options), or hyperv,xen; in place of "
     "--present", 0},
    {"network", KEY_NETWORK, "NAME", 0, "import: the libvirt network of its network cards (user: without one)", 0},
    {0},
};

static const char doc[] =
    "Have libvirt's domains present Hyper-V, Xen or VMware to their guests.\v"
    "list      shows all domains and what they present\n"
    "enable    puts --present (and --set), or --kernel-interface, into the definition of DOMAIN, in the place of what "
    "is there now\n"
    "disable   puts back what enable changed\n"
    "status    shows what DOMAIN presents, and whether it runs with it\n"
    "check     looks for what stands in the way\n"
    "import    defines a domain from VMware's (.vmx) or Xen's (.cfg) configuration, or from domain XML (.xml) of "
    "another hypervisor, with that persona unless --present says another\n\n"
    "What is to be changed is shown first. A domain that runs is changed when it is off and started again.\n\n"
    "Exit status:\n"
    "  0   done\n"
    "  1   it could not be done\n"
    "  3   status: it is not enabled, or not in effect; check: something stands in the way\n"
    "  64  wrong usage\n";

struct parsing {
    struct virt virt;
    struct vmm_persona persona;
    const char *uri, *network, *interfaces;
    char *word[MOST_WORDS];
    unsigned nr_words;
};

/* --- the command line ------------------------------------------------------------------------------------------- */

static const char *const verbs[] = {"list", "enable", "disable", "status", "check", "import"};
enum verb { LIST, ENABLE, DISABLE, STATUS, CHECK, IMPORT, NR_VERBS };

static enum verb find_verb(const struct parsing *p)
{
    enum verb verb = LIST;

    while (verb < NR_VERBS && (!p->nr_words || strcmp(p->word[0], verbs[verb])))
        verb++;
    return verb;
}

static void finish_parsing(struct argp_state *state, const struct parsing *p)
{
    enum verb verb = find_verb(p);

    if (verb == NR_VERBS)
        argp_error(state, p->nr_words ? "'%s' is not list, enable, disable, status, check or import" : "what?",
                   p->word[0]);
    if (verb == LIST ? p->nr_words > 1 : p->nr_words < 2)
        argp_error(state, verb == LIST ? "list takes no domain" : verb == IMPORT ? "which FILE?" : "which DOMAIN?");
    if (verb == ENABLE && !p->persona.config.nr_slots && !p->interfaces)
        argp_error(state, "enable: --present what?");
    if (p->interfaces && (verb != ENABLE || p->persona.present || p->persona.nr_settings))
        argp_error(state, "--kernel-interface goes with enable, where the domain says what is presented: --present and "
                   "--set have no place");
}

static void set_interfaces(struct argp_state *state, struct parsing *p, const char *text)
{
    bool has_hyperv, has_xen;

    p->interfaces = text;
    if (!vmm_read_interfaces(text, &has_hyperv, &has_xen))
        argp_error(state, "--kernel-interface: '%s' is not known (known: " VMM_INTERFACES ")", text);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *p = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &p->persona;
        return 0;
    case 'c':
        p->uri = text;
        return 0;
    case 'y':
        p->virt.is_yes = true;
        return 0;
    case 'n':
        p->virt.is_dry_run = true;
        return 0;
    case KEY_INTERFACE:
        set_interfaces(state, p, text);
        return 0;
    case KEY_NETWORK:
        p->network = text;
        return 0;
    case ARGP_KEY_ARG:
        if (p->nr_words == MOST_WORDS)
            argp_error(state, "'%s' is too much", text);
        p->word[p->nr_words++] = text;
        return 0;
    case ARGP_KEY_END:
        finish_parsing(state, p);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Returns 0 or a status. */
static int take_persona(const struct vmm_persona *given, struct persona *persona)
{
    char why[512];

    if (given->present)
        snprintf(persona->present, sizeof(persona->present), "%s", given->present);
    if (vmm_persona_settings(given, persona->settings, sizeof(persona->settings), why, sizeof(why)))
        return virt_fail("%s", why);
    persona_name_parts(persona);
    return host_find_library(persona->library, why, sizeof(why)) ? virt_fail("%s", why) : 0;
}

/* --- the command ------------------------------------------------------------------------------------------------ */

/* libvirt prints every error on stderr by itself otherwise. */
static void keep_quiet(void *unused, virErrorPtr error)
{
    (void)unused;
    (void)error;
}

static int act(struct parsing *p)
{
    switch (find_verb(p)) {
    case LIST:
        return virt_list(&p->virt);
    case ENABLE:
        return virt_enable(&p->virt, p->word[1]);
    case DISABLE:
        return virt_disable(&p->virt, p->word[1]);
    case STATUS:
        return virt_status(&p->virt, p->word[1]);
    case CHECK:
        return virt_check(&p->virt, p->word[1]);
    case IMPORT:
        return virt_import(&p->virt, p->word[1], p->network);
    case NR_VERBS:
    default:
        return VIRT_WRONG_USAGE;
    }
}

int main(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &vmm_persona_argp}, {0}};
    static const struct argp argp = {
        .options = option_table, .parser = parse, .doc = doc, .children = children,
        .args_doc = "list\nenable DOMAIN\ndisable DOMAIN\nstatus DOMAIN\ncheck DOMAIN\nimport FILE",
    };
    struct parsing p = {.nr_words = 0};
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &p);
    if (p.interfaces)
        snprintf(p.virt.persona.interfaces, sizeof(p.virt.persona.interfaces), "%s", p.interfaces);
    status = take_persona(&p.persona, &p.virt.persona);
    free(p.persona.settings);
    if (status)
        return status;
    virSetErrorFunc(NULL, keep_quiet);
    p.virt.connection = virConnectOpenAuth(p.uri, virConnectAuthPtrDefault, 0);
    if (!p.virt.connection)
        return virt_fail_by_libvirt("no connection to libvirt%s%s (is libvirtd, or virtqemud, there?)",
                                    p.uri ? " at " : "", p.uri ? p.uri : "");
    status = act(&p);
    virConnectClose(p.virt.connection);
    return status;
}
