/*
 * `hvshim vm`: its command line, and its messages.
 */
#include "machine.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <hvshim/translators.h>

#include "guestinfo.h"
#include "persona.h"
#include "store.h"
#include "vmm.h"

enum { MIN_MEMORY_MIB = 2, MAX_MEMORY_MIB = 1 << 20, DEFAULT_MEMORY_MIB = 512, MAX_CPUS = 254 /* 8-bit APIC ids */,
       MAX_ECHO = 0xffffff - 15 /* connection ids have 24 bits */ };

enum key {
    KEY_CPUS = 0x100,
    KEY_MEMORY,
    KEY_INITRD,
    KEY_APPEND,
    KEY_ENTRY,
    KEY_ON_REBOOT,
    KEY_ON_SUSPEND,
    KEY_STATS,
    KEY_STATS_FILE,
    KEY_HYPERV_ECHO,
    KEY_GUESTINFO,
    KEY_BALLOON,
    KEY_XENSTORE,
    KEY_XEN_DISK,
};

static const struct argp_option option_table[] = {
    {"hyperv-echo", KEY_HYPERV_ECHO, "N", 0, "Send back what a Hyper-V guest posts or signals to connections N to "
     "N + 15, on SINT 0 to 15", 0},
    {"guestinfo", KEY_GUESTINFO, "KEY=VALUE", 0, "What a VMware guest reads as guestinfo.KEY (repeatable); VALUE may "
     "be @FILE", 0},
    {"xenstore", KEY_XENSTORE, "PATH=VALUE", 0, "What a Xen guest reads at PATH of xenstore (repeatable); a relative "
     "PATH is below the guest's own directory", 0},
    {"xen-disk", KEY_XEN_DISK, "FILE[,ro]", 0, "A disk for a Xen guest, xvda and so on (repeatable): a raw image or a "
     "block device", 0},
    {"balloon", KEY_BALLOON, "MiB", 0, "How much RAM a VMware guest is to give back", 0},
    {"cpus", KEY_CPUS, "N", 0, "Number of vCPUs (1)", 0},
    {"memory", KEY_MEMORY, "MiB", 0, "Size of the guest's RAM (512)", 0},
    {"initrd", KEY_INITRD, "FILE", 0, "Initial RAM disk, or first module", 0},
    {"append", KEY_APPEND, "TEXT", 0, "The kernel's command line (console=ttyS0)", 0},
    {"entry", KEY_ENTRY, "KIND", 0, "How to start the kernel: pvh, multiboot, linux or flat (what the file offers, in "
     "this order, but never flat)", 0},
    {"on-reboot", KEY_ON_REBOOT, "exit|reset", 0, "What to do when the guest reboots (exit)", 0},
    {"on-suspend", KEY_ON_SUSPEND, "exit|resume", 0, "What to do when a Xen guest suspends itself (exit)", 0},
    {"stats", KEY_STATS, "json", OPTION_ARG_OPTIONAL, "Print exits and what they were for at the end (of the last "
     "boot), as a table or as JSON", 0},
    {"stats-file", KEY_STATS_FILE, "FILE", 0, "Print them to FILE instead of stderr", 0},
    {0},
};

static const char doc[] =
    "Boot KERNEL on KVM, with its serial port COM1, and hvc0 of a Xen guest, on this terminal.\v"
    "KERNEL is a bzImage, a vmlinux or another ELF file with a PVH entry, a file with a multiboot header, or (--entry "
    "flat) anything: it is loaded at 1 MiB and entered at its first byte, in 32-bit protected mode without paging, "
    "with EBX pointing to PVH start information.\n\n"
    "--set takes FEATURE=on or off, and profile=NAME for a set of features in place of what is on by default; "
    "FEATURE=on and off count over it. A name may begin with what it belongs to: hyperv.profile=windows. "
    "--list-features lists them. Hyper-V also takes spinlocks=ATTEMPTS, vendor_id=TEXT and version=ws2016, ws2019, "
    "ws2022 or ws2025.\n\n"
    "On a terminal Ctrl-A x stops the guest, Ctrl-A p asks it to power off by VMware's tools or Xen's control/shutdown "
    "(so does the signal PWR), Ctrl-A s asks it to suspend itself by the latter, and Ctrl-A Ctrl-A sends Ctrl-A.\n\n"
    "Exit status:\n"
    "  0   the guest powered off or rebooted, or Ctrl-A x\n"
    "  2   the guest could not be started\n"
    "  4   the guest reported a crash\n"
    "  6   the guest crashed (triple fault)\n"
    "  8   KVM could not go on; its registers are printed\n"
    "  10  the guest suspended itself\n"
    "  64  wrong usage\n"
    "  odd  a test kernel wrote V to port 0xf4: 2 * V + 1\n";

int vmm_fail(const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    fprintf(stderr, "hvshim vm: %s\n", text);   /* one call: several threads may fail at once */
    return -1;
}

/* --- the command line ------------------------------------------------------------------------------------------- */

struct parsing {
    struct vmm_options *options;
    struct vmm_persona persona;
};

static uint64_t number(struct argp_state *state, const char *option, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < min || value > max)
        argp_error(state, "%s: '%s' is not a number from %llu to %llu", option, text, (unsigned long long)min,
                   (unsigned long long)max);
    return value;
}

static void finish_parsing(struct argp_state *state, struct parsing *p)
{
    if (!p->options->kernel)
        argp_error(state, "which KERNEL?");
    if (strlen(p->options->append) >= VMM_CMDLINE_BYTES)
        argp_error(state, "--append is longer than %u bytes", VMM_CMDLINE_BYTES - 1);
    if (p->options->stats_file)
        p->options->has_stats = true;
    if ((p->options->nr_guestinfo || p->options->balloon_bytes) && !vmm_presents(&p->persona.config, &hvs_vmw_personality))
        argp_error(state, "--guestinfo and --balloon are for --present vmware");
    if (p->options->nr_xenstore && !vmm_presents(&p->persona.config, &hvs_xen_personality))
        argp_error(state, "--xenstore is for --present xen");
    if (p->options->nr_xen_disks && !vmm_presents(&p->persona.config, &hvs_xen_personality))
        argp_error(state, "--xen-disk is for --present xen");
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *p = state->input;
    struct vmm_options *o = p->options;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &p->persona;
        return 0;
    case KEY_HYPERV_ECHO:
        o->hyperv_echo = (uint32_t)number(state, "--hyperv-echo", text, 1, MAX_ECHO);
        return 0;
    case KEY_GUESTINFO:
        if (!strchr(text, '=') || *text == '=')
            argp_error(state, "--guestinfo: '%s' is not KEY=VALUE", text);
        o->guestinfo[o->nr_guestinfo++] = text;
        return 0;
    case KEY_XENSTORE:
        if (!vmm_store_is_setting(text))
            argp_error(state, "--xenstore: '%s' is not PATH=VALUE", text);
        o->xenstore[o->nr_xenstore++] = text;
        return 0;
    case KEY_XEN_DISK:
        if (o->nr_xen_disks == VMM_MAX_XEN_DISKS)
            argp_error(state, "--xen-disk: at most %u", VMM_MAX_XEN_DISKS);
        o->xen_disk[o->nr_xen_disks++] = text;
        return 0;
    case KEY_BALLOON:
        o->balloon_bytes = number(state, "--balloon", text, 0, MAX_MEMORY_MIB) << 20;
        return 0;
    case KEY_CPUS:
        o->nr_cpus = (uint32_t)number(state, "--cpus", text, 1, MAX_CPUS);
        return 0;
    case KEY_MEMORY:
        o->memory_bytes = number(state, "--memory", text, MIN_MEMORY_MIB, MAX_MEMORY_MIB) << 20;
        return 0;
    case KEY_INITRD:
        o->initrd = text;
        return 0;
    case KEY_APPEND:
        o->append = text;
        return 0;
    case KEY_ENTRY:
        o->entry = text;
        if (!vmm_load_knows(text))
            argp_error(state, "--entry: '%s' is not pvh, multiboot, linux or flat", text);
        return 0;
    case KEY_ON_REBOOT:
        o->resets_on_reboot = !strcmp(text, "reset");
        if (!o->resets_on_reboot && strcmp(text, "exit"))
            argp_error(state, "--on-reboot: '%s' is neither exit nor reset", text);
        return 0;
    case KEY_ON_SUSPEND:
        o->resumes_on_suspend = !strcmp(text, "resume");
        if (!o->resumes_on_suspend && strcmp(text, "exit"))
            argp_error(state, "--on-suspend: '%s' is neither exit nor resume", text);
        return 0;
    case KEY_STATS:
        o->has_stats = true;
        o->stats_form = text ? HVS_KVM_STATS_JSON : HVS_KVM_STATS_TABLE;
        if (text && strcmp(text, "json"))
            argp_error(state, "--stats: '%s' is not json", text);
        return 0;
    case KEY_STATS_FILE:
        o->stats_file = text;
        return 0;
    case ARGP_KEY_ARG:
        if (o->kernel)
            argp_error(state, "one KERNEL only, not '%s' too", text);
        o->kernel = text;
        return 0;
    case ARGP_KEY_END:
        finish_parsing(state, p);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int vmm_main(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &vmm_persona_argp}, {0}};
    static const struct argp argp = {
        .options = option_table, .parser = parse, .args_doc = "KERNEL", .doc = doc, .children = children,
    };
    struct vmm_options options = {
        .append = "console=ttyS0", .nr_cpus = 1, .memory_bytes = (uint64_t)DEFAULT_MEMORY_MIB << 20,
        .guestinfo = calloc((size_t)argc, sizeof(char *)), .xenstore = calloc((size_t)argc, sizeof(char *)),
        .xen_disk = calloc((size_t)argc, sizeof(char *)),
    };
    struct parsing parsing = {.options = &options};
    if (!options.guestinfo || !options.xenstore || !options.xen_disk)
        return vmm_fail("no memory for the options"), 2;
    argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    options.persona = parsing.persona.config;
    options.hyperv = parsing.persona.hyperv;
    free(parsing.persona.settings);

    struct console *console;
    int status = 2;
    if (!vmm_console_open(&console))
        status = vmm_run(&options, console);
    int ended_by = vmm_console_close(console);
    free(options.guestinfo);
    free(options.xenstore);
    free(options.xen_disk);
    if (ended_by)
        raise(ended_by);        /* so that a shell sees what ended us */
    return status;
}
