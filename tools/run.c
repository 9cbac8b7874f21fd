/*
 * `hvshim run`: starts a VMM with libhvshim-preload.so in it.
 *
 * All that can be known to fail is said here, before: the library speaks only when the VMM makes a VM. Then this
 * process becomes the VMM, so its signals and its status are the VMM's own.
 */
#include "run.h"

#include "host.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hvshim/kvm.h>
#include <hvshim/save.h>
#include <hvshim/translators.h>

#include "persona.h"
#include "setting.h"
#include "store.h"

/* As env(1) and its kin have them. */
enum { FAILED = 125, CANNOT_RUN = 126, NOT_FOUND = 127 };

enum key { KEY_STATS = 0x100, KEY_MAX_CPUS, KEY_GUESTINFO, KEY_XENSTORE, KEY_KERNEL_INTERFACE, KEY_LOAD };

static const struct argp_option option_table[] = {
    {"stats", KEY_STATS, "FILE", 0, "Write exits and what they were for into FILE when a VM ends, as a table, or as a "
     "line of JSON where FILE ends in .json", 0},
    {"load", KEY_LOAD, "FILE", 0, "Begin with the state that hvshim save has written, where COMMAND begins with its "
     "own part of it (QEMU: -incoming, -loadvm)", 0},
    {"kernel-interface", KEY_KERNEL_INTERFACE, "hyperv|xen", 0, "Give COMMAND the interface that a kernel with Hyper-V "
     "or Xen code has, for its own options (QEMU: -cpu host,hv_time,... or -accel kvm,xen-version=...), or "
     "hyperv,xen; in place of --present", 0},
    {"max-cpus", KEY_MAX_CPUS, "N", 0, "Have room for N vCPUs, where some are plugged in later (as many as there are "
     "at the start)", 0},
    {"guestinfo", KEY_GUESTINFO, "KEY=VALUE", 0, "What a VMware guest reads as guestinfo.KEY (repeatable); VALUE may "
     "be @FILE", 0},
    {"xenstore", KEY_XENSTORE, "PATH=VALUE", 0, "What a Xen guest reads at PATH of xenstore (repeatable); a relative "
     "PATH is below the guest's own directory", 0},
    {0},
};

static const char doc[] =
    "Run COMMAND, a VMM on KVM that is not changed for it, so that its guests see what --present says.\v"
    "COMMAND is a dynamically linked program, or a script that starts one; programs that it starts in turn are "
    "included. Its local APICs must be in the kernel (QEMU: -accel kvm, and kernel-irqchip on or split, as by default).\n\n"
    "The guest's part of what is presented is in no snapshot or migration that COMMAND makes, but with "
    "--kernel-interface: hvshim save writes it beside, --load or hvshim load reads it.\n\n"
    "Exit status: that of COMMAND;\n"
    "  64   wrong usage\n"
    "  125  this host cannot present that\n"
    "  126  COMMAND cannot be run, or nothing can be put under it\n"
    "  127  COMMAND was not found\n";

struct parsing {
    struct vmm_persona persona;
    const char *stats, *max_cpus, *kernel_interface, *load;
    char *guestinfo, *xenstore; /* as in the environment; to be freed */
    char **command;
};

static int fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(int status, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("hvshim run: ", stderr);
    vfprintf(stderr, format, list);
    fputs("\n", stderr);
    va_end(list);
    return status;
}

/* The file is named so that the command finds it from wherever it is. */
static void add_guestinfo(struct argp_state *state, struct parsing *p, const char *text)
{
    size_t key_bytes = strcspn(text, "=");
    bool is_file = text[key_bytes] && text[key_bytes + 1] == '@';
    const char *path = text + key_bytes + 2;
    char absolute[PATH_MAX], *others = p->guestinfo;
    int length;

    if (key_bytes == 0 || !text[key_bytes] || strchr(text, '\n'))
        argp_error(state, "--guestinfo: '%s' is not KEY=VALUE in one line (KEY=@FILE may be more)", text);
    if (is_file && !realpath(path, absolute))
        argp_failure(state, FAILED, errno, "--guestinfo %s", text);
    length = asprintf(&p->guestinfo, "%s%s%.*s%s", others ? others : "", others ? "\n" : "",
                      (int)(is_file ? key_bytes + 2 : strlen(text)), text, is_file ? absolute : "");
    free(others);
    if (length < 0)
        argp_failure(state, FAILED, errno, "--guestinfo");
}

static void add_xenstore(struct argp_state *state, struct parsing *p, const char *text)
{
    char *others = p->xenstore;
    int length;

    if (!vmm_store_is_setting(text) || strchr(text, '\n'))
        argp_error(state, "--xenstore: '%s' is not PATH=VALUE in one line", text);
    length = asprintf(&p->xenstore, "%s%s%s", others ? others : "", others ? "\n" : "", text);
    free(others);
    if (length < 0)
        argp_failure(state, FAILED, errno, "--xenstore");
}

static void set_interfaces(struct argp_state *state, struct parsing *p, const char *text)
{
    bool has_hyperv, has_xen;

    p->kernel_interface = text;
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
    case KEY_STATS:
        p->stats = text;
        return 0;
    case KEY_LOAD:
        p->load = text;
        return 0;
    case KEY_KERNEL_INTERFACE:
        set_interfaces(state, p, text);
        return 0;
    case KEY_MAX_CPUS:
        p->max_cpus = text;
        if (!vmm_read_nr_vcpus(text))
            argp_error(state, "--max-cpus: '%s' is not a number from 1 to %d", text, VMM_MOST_VCPUS);
        return 0;
    case KEY_GUESTINFO:
        add_guestinfo(state, p, text);
        return 0;
    case KEY_XENSTORE:
        add_xenstore(state, p, text);
        return 0;
    case ARGP_KEY_ARG:          /* the rest is not ours to read */
        p->command = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_END:
        if (!p->command)
            argp_error(state, "which COMMAND?");
        if (p->load && !p->persona.config.nr_slots)
            argp_error(state, "--load is for --present");
        if (p->guestinfo && !vmm_presents(&p->persona.config, &hvs_vmw_personality))
            argp_error(state, "--guestinfo is for --present vmware");
        if (p->xenstore && !vmm_presents(&p->persona.config, &hvs_xen_personality))
            argp_error(state, "--xenstore is for --present xen");
        if (p->kernel_interface && (p->persona.config.nr_slots || p->persona.nr_settings))
            argp_error(state, "--kernel-interface: COMMAND says what is presented: --present and --set have no place");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* --- what can be known before ----------------------------------------------------------------------------------- */

/* The file is made anew here, and the VMs append to it. */
static int begin_stats(const char *path, char *absolute)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0 || !realpath(path, absolute))
        return fail(FAILED, "--stats %s: %s", path, strerror(errno));
    close(fd);
    return 0;
}

/* Whether it fits is seen when the VM begins. */
static int check_state(const char *path, char *absolute)
{
    FILE *file = fopen(path, "re");
    uint32_t magic = 0;
    bool is_bad;

    if (!file || !realpath(path, absolute)) {
        if (file)
            fclose(file);
        return fail(FAILED, "--load %s: %s", path, strerror(errno));
    }
    is_bad = fread(&magic, sizeof(magic), 1, file) != 1 || magic != HVS_SAVE_MAGIC;
    fclose(file);
    return is_bad ? fail(FAILED, "--load %s: hvshim save did not write this", path) : 0;
}

/* --- the library, and the environment that brings it in --------------------------------------------------------- */

static int set_library(const char *library)
{
    const char *others = getenv("LD_PRELOAD");
    char *all = NULL;
    int failed;

    if (others && strstr(others, "libhvshim-preload.so"))
        return fail(FAILED, "this runs inside of hvshim run already (LD_PRELOAD=%s): call it once, from outside",
                    others);
    if (asprintf(&all, "%s%s%s", library, others && *others ? ":" : "", others ? others : "") < 0)
        return fail(FAILED, "%s", strerror(errno));
    failed = setenv("LD_PRELOAD", all, 1);
    free(all);
    return failed ? fail(FAILED, "%s", strerror(errno)) : 0;
}

static void set_or_not(const char *name, const char *value)
{
    if (value && *value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static int set_environment(const struct parsing *p, const char *library, const char *stats, const char *state)
{
    char settings[4096], why[512];

    if (vmm_persona_settings(&p->persona, settings, sizeof(settings), why, sizeof(why)))
        return fail(FAILED, "%s", why);
    set_or_not("HVSHIM_PRESENT", p->persona.present);
    set_or_not("HVSHIM_SET", settings);
    set_or_not("HVSHIM_GUESTINFO", p->guestinfo);
    set_or_not("HVSHIM_XENSTORE", p->xenstore);
    set_or_not("HVSHIM_KERNEL_INTERFACE", p->kernel_interface);
    set_or_not("HVSHIM_STATS", stats);
    set_or_not("HVSHIM_LOAD", state);
    set_or_not("HVSHIM_MAX_CPUS", p->max_cpus);
    return set_library(library);
}

int run_main(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &vmm_persona_argp}, {0}};
    static const struct argp argp = {
        .options = option_table, .parser = parse, .args_doc = "COMMAND [ARGUMENT...]", .doc = doc, .children = children,
    };
    struct parsing p = {.stats = NULL};
    char program[PATH_MAX], library[PATH_MAX], stats[PATH_MAX] = "", state[PATH_MAX] = "", reason[1024];
    const char *why;
    int status;

    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &p);
    if (program_find(p.command[0], program, sizeof(program)))
        return fail(errno == ENOENT ? NOT_FOUND : CANNOT_RUN, "%s: %s", p.command[0], strerror(errno));
    vmm_give_options(&p.persona.config, &p.persona.hyperv);
    why = program_cannot_preload(program);
    if (why)
        return fail(CANNOT_RUN, "nothing can be put under %s: %s", program, why);
    status = 0;
    if (host_find_library(library, reason, sizeof(reason)) ||
        host_can_present(&p.persona.config, reason, sizeof(reason)))
        status = fail(FAILED, "%s", reason);
    if (!status && p.stats)
        status = begin_stats(p.stats, stats);
    if (!status && p.load)
        status = check_state(p.load, state);
    if (!status)
        status = set_environment(&p, library, stats, state);
    free(p.persona.settings);
    free(p.guestinfo);
    free(p.xenstore);
    if (status)
        return status;
    execv(program, p.command);
    return fail(CANNOT_RUN, "%s: %s", program, strerror(errno));
}
