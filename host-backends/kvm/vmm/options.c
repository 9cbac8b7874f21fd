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

#include <hvshim/hyperv.h>
#include <hvshim/personality.h>
#include <hvshim/translators.h>

#include "vmm.h"

enum { MIN_MEMORY_MIB = 2, MAX_MEMORY_MIB = 1 << 20, DEFAULT_MEMORY_MIB = 512, MAX_CPUS = 254 /* 8-bit APIC ids */,
       MAX_ECHO = 0xffffff - 15 /* connection ids have 24 bits */ };

enum key {
    KEY_PRESENT = 0x100,
    KEY_SET,
    KEY_CPUS,
    KEY_MEMORY,
    KEY_INITRD,
    KEY_APPEND,
    KEY_ENTRY,
    KEY_ON_REBOOT,
    KEY_STATS,
    KEY_STATS_FILE,
    KEY_LIST_FEATURES,
    KEY_HYPERV_ECHO,
};

static const struct argp_option option_table[] = {
    {"present", KEY_PRESENT, "NAME[,NAME]", 0, "What the guest sees: hyperv, xen, vmware, or none (default), which is "
     "KVM itself", 0},
    {"set", KEY_SET, "FEATURE=on|off", 0, "Switch a feature of what is presented, or set another of its words: see "
     "below (repeatable)", 0},
    {"list-features", KEY_LIST_FEATURES, NULL, 0, "List what can be presented and its features, and end", 0},
    {"hyperv-echo", KEY_HYPERV_ECHO, "N", 0, "Send back what a Hyper-V guest posts or signals to connections N to "
     "N + 15, on SINT 0 to 15", 0},
    {"cpus", KEY_CPUS, "N", 0, "Number of vCPUs (1)", 0},
    {"memory", KEY_MEMORY, "MiB", 0, "Size of the guest's RAM (512)", 0},
    {"initrd", KEY_INITRD, "FILE", 0, "Initial RAM disk, or first module", 0},
    {"append", KEY_APPEND, "TEXT", 0, "The kernel's command line (console=ttyS0)", 0},
    {"entry", KEY_ENTRY, "KIND", 0, "How to start the kernel: pvh, multiboot, linux or flat (what the file offers, in "
     "this order, but never flat)", 0},
    {"on-reboot", KEY_ON_REBOOT, "exit|reset", 0, "What to do when the guest reboots (exit)", 0},
    {"stats", KEY_STATS, "json", OPTION_ARG_OPTIONAL, "Print exits and what they were for at the end (of the last "
     "boot), as a table or as JSON", 0},
    {"stats-file", KEY_STATS_FILE, "FILE", 0, "Print them to FILE instead of stderr", 0},
    {0},
};

static const char doc[] =
    "Boot KERNEL on KVM, with its serial port COM1 on this terminal.\v"
    "KERNEL is a bzImage, a vmlinux or another ELF file with a PVH entry, a file with a multiboot header, or (--entry "
    "flat) anything: it is loaded at 1 MiB and entered at its first byte, in 32-bit protected mode without paging, "
    "with EBX pointing to PVH start information.\n\n"
    "--set takes FEATURE=on or off, and profile=NAME for a set of features in place of what is on by default; "
    "FEATURE=on and off count over it. A name may begin with what it belongs to: hyperv.profile=windows. "
    "--list-features lists them. Hyper-V also takes spinlocks=ATTEMPTS, vendor_id=TEXT and version=ws2016, ws2019, "
    "ws2022 or ws2025.\n\n"
    "On a terminal Ctrl-A x stops the guest; Ctrl-A Ctrl-A sends Ctrl-A.\n\n"
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

/* --- what is presented ------------------------------------------------------------------------------------------ */

static void list_known_names(char *text, size_t bytes)
{
    size_t used = 0;
    for (size_t i = 0; hvs_personalities[i] && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s, ", hvs_personality_name(hvs_personalities[i]));
    if (used < bytes)
        snprintf(text + used, bytes - used, "none");
}

static void set_present(struct argp_state *state, struct hvs_vm_config *persona, const char *list)
{
    char known[256];
    size_t bad_at = 0;
    switch (hvs_present_parse(persona, list, &bad_at)) {
    case HVS_OK:
        return;
    case HVS_ENOENT:
        list_known_names(known, sizeof(known));
        argp_error(state, "--present: '%.*s' is not known (known: %s)", (int)strcspn(list + bad_at, ","),
                   list + bad_at, known);
        return;
    default:
        argp_error(state, "--present %s: at most %d, and each only once", list, HVS_MAX_SLOTS);
    }
}

static void print_features(FILE *out, const struct hvs_personality *personality)
{
    for (uint32_t i = 0; i < personality->nr_features; i++) {
        const struct hvs_feature *feature = &personality->feature[i];
        fprintf(out, "  %s.%-24s %-4s %s\n", personality->name, feature->name,
                feature->is_off_by_default ? "off" : "on", feature->ref ? feature->ref : "");
    }
    for (uint32_t i = 0; i < personality->nr_profiles; i++)
        fprintf(out, "  %s.profile=%-21s %s\n", personality->name, personality->profile[i].name,
                personality->profile[i].summary);
}

static void list_features(void)
{
    for (size_t i = 0; hvs_personalities[i]; i++) {
        printf("%s (%s)\n", hvs_personality_name(hvs_personalities[i]), hvs_personality_title(hvs_personalities[i]));
        print_features(stdout, hvs_personalities[i]);
    }
}

static bool is_presented(const struct hvs_vm_config *persona, const struct hvs_personality *personality)
{
    for (uint32_t i = 0; i < persona->nr_slots; i++)
        if (persona->slot[i].personality == personality)
            return true;
    return false;
}

/* Words of Hyper-V that are more than on and off. Returns what hvs_hv_options_parse does. */
static int set_hyperv_option(struct vmm_options *o, const char *setting)
{
    static const char owner[] = "hyperv.";
    if (!is_presented(&o->persona, &hvs_hv_personality))
        return HVS_ENOENT;
    if (!strncmp(setting, owner, strlen(owner)))
        setting += strlen(owner);
    int err = hvs_hv_options_parse(&o->hyperv, setting);
    if (!err && !strncmp(setting, "spinlocks=", strlen("spinlocks=")))
        hvs_feature_parse(&o->persona, "hyperv.spinlocks=on");
    return err;
}

static void set(struct argp_state *state, struct vmm_options *o, const char *setting)
{
    struct hvs_vm_config *persona = &o->persona;
    int err = hvs_feature_parse(persona, setting);
    if (!err)
        return;
    switch (set_hyperv_option(o, setting)) {
    case HVS_OK:
        return;
    case HVS_EINVAL:
        argp_error(state, "--set %s: spinlocks takes on, off or a number of attempts, vendor_id 1 to %zu characters, "
                   "version ws2016, ws2019, ws2022 or ws2025", setting, sizeof(o->hyperv.vendor_id));
        return;
    default:
        break;
    }
    if (err == HVS_EINVAL)
        argp_error(state, "--set %s: say FEATURE=on or FEATURE=off", setting);
    fprintf(state->err_stream, "%s: --set %s: no such feature or profile%s\n", state->name, setting,
            persona->nr_slots ? "; these are known:" : ": nothing is presented");
    for (uint32_t i = 0; i < persona->nr_slots; i++)
        print_features(state->err_stream, persona->slot[i].personality);
    exit(argp_err_exit_status);
}

/* --- the command line ------------------------------------------------------------------------------------------- */

struct parsing {
    struct vmm_options *options;
    char **settings;            /* of --set, for when --present is known; as many as arguments at most */
    size_t nr_settings;
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
    for (size_t i = 0; i < p->nr_settings; i++)
        set(state, p->options, p->settings[i]);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *p = state->input;
    struct vmm_options *o = p->options;
    switch (key) {
    case KEY_PRESENT:
        set_present(state, &o->persona, text);
        return 0;
    case KEY_SET:
        p->settings[p->nr_settings++] = text;
        return 0;
    case KEY_LIST_FEATURES:
        list_features();
        exit(EXIT_SUCCESS);
    case KEY_HYPERV_ECHO:
        o->hyperv_echo = (uint32_t)number(state, "--hyperv-echo", text, 1, MAX_ECHO);
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
    static const struct argp argp = {.options = option_table, .parser = parse, .args_doc = "KERNEL", .doc = doc};
    struct vmm_options options = {
        .append = "console=ttyS0", .nr_cpus = 1, .memory_bytes = (uint64_t)DEFAULT_MEMORY_MIB << 20,
    };
    struct parsing parsing = {.options = &options, .settings = calloc((size_t)argc, sizeof(char *))};
    if (!parsing.settings)
        return vmm_fail("no memory for the options"), 2;
    argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    free(parsing.settings);

    struct console *console;
    int status = 2;
    if (!vmm_console_open(&console))
        status = vmm_run(&options, console);
    int ended_by = vmm_console_close(console);
    if (ended_by)
        raise(ended_by);        /* so that a shell sees what ended us */
    return status;
}
