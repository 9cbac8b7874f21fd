/*
 * hvshim: one program, a subcommand for each tool. To add one: a line in the table.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "conform/conform.h"
#include "guestinfo.h"
#include "metal.h"
#include "run.h"
#include "state.h"
#include "stats.h"
#include "support.h"
#include "virt.h"
#include "vmm.h"

/* On KVM, or `--host metal`. */
static int vm_main(int argc, char **argv)
{
    return metal_wants(argc, argv) ? metal_vm_main(argc, argv) : vmm_main(argc, argv);
}

static const struct {
    const char *name;
    const char *full_name;      /* what its messages begin with */
    int (*main)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"vm", "hvshim vm", vm_main, "boot a kernel on KVM as a guest of Hyper-V, Xen or VMware"},
    {"run", "hvshim run", run_main, "run another VMM, unmodified, so that its guests see Hyper-V, Xen or VMware"},
    {"stats", "hvshim stats", stats_main, "show what the exits of a running VM are for"},
    {"guestinfo", "hvshim guestinfo", guestinfo_main, "read and set the strings that guest and host share"},
    {"save", "hvshim save", save_main, "write a stopped guest's part of what it is shown, beside the VMM's snapshot"},
    {"load", "hvshim load", load_main, "read it back, once the VMM has loaded its own"},
    {"metal", "hvshim metal", metal_main, "write a stick that boots a machine into a guest of Hyper-V, Xen or VMware"},
    {"virt", "hvshim virt", virt_main, "have libvirt's domains present Hyper-V, Xen or VMware"},
    {"conform", "hvshim conform", conform_main, "boot the conformance image on a hypervisor, and compare"},
    {"support", "hvshim support", support_main, "print what each personality answers"},
};
enum { NR_COMMANDS = sizeof(commands) / sizeof(commands[0]), WRONG_USAGE = 64 };

const char *argp_program_version = "hvshim " HVSHIM_VERSION;

static void print_usage(FILE *out)
{
    fputs("usage: hvshim COMMAND [OPTION...]\n"
          "       hvshim COMMAND --help\n"
          "       hvshim --help | --version\n\n"
          "commands:\n", out);
    for (int i = 0; i < NR_COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (int i = 0; i < NR_COMMANDS; i++) {
        if (strcmp(name, commands[i].name))
            continue;
        char full_name[32];
        argv[1] = strcpy(full_name, commands[i].full_name);     /* argv is not const, the table is */
        return commands[i].main(argc - 1, argv + 1);
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
        return print_usage(stdout), 0;
    if (!strcmp(name, "--version"))
        return puts(argp_program_version), 0;
    if (*name)
        fprintf(stderr, "hvshim: '%s' is not a command\n", name);
    print_usage(stderr);
    return WRONG_USAGE;
}
