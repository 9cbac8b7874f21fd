/* Where hvshim-conform can be run. See targets.h. */
#include "targets.h"

#include "../program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void words_add(struct words *words, const char *format, ...)
{
    va_list list;
    char *word;

    va_start(list, format);
    if (words->nr < sizeof(words->word) / sizeof(words->word[0]) - 1 && vasprintf(&word, format, list) >= 0) {
        words->word[words->nr++] = word;
        words->word[words->nr] = NULL;
    }
    va_end(list);
}

void words_free(struct words *words)
{
    for (size_t i = 0; i < words->nr; i++)
        free(words->word[i]);
    words->nr = 0;
}

static void add_all(struct words *words, const char *const *text)
{
    for (; *text; text++)
        words_add(words, "%s", *text);
}

/* --- the commands ------------------------------------------------------------------------------------------------- */

static bool is_kvm(const struct target_request *r)
{
    return !strcmp(r->persona, "kvm");
}

/* KVM's own interface is what is there where hvshim shows none. */
static const char *presented(const struct target_request *r)
{
    return is_kvm(r) ? "none" : r->persona;
}

static void vm(const struct target_request *r, struct words *argv)
{
    words_add(argv, "%s", r->places->hvshim);
    add_all(argv, (const char *const[]){"vm", "--present", presented(r), "--cpus", NULL});
    words_add(argv, "%u", r->cpus);
    if (r->is_bench && !strcmp(r->persona, "hyperv"))
        add_all(argv, (const char *const[]){"--hyperv-echo", "1000", NULL});
    if (r->is_bench && !strcmp(r->persona, "vmware"))
        add_all(argv, (const char *const[]){"--guestinfo", "bench=1", NULL});
    if (r->stats)
        add_all(argv, (const char *const[]){"--stats=json", "--stats-file", r->stats, NULL});
    add_all(argv, (const char *const[]){"--append", r->words, r->image, NULL});
}

static void qemu_arguments(const struct target_request *r, struct words *argv, const char *const *options)
{
    words_add(argv, "qemu-system-x86_64");
    add_all(argv, options);
    add_all(argv, (const char *const[]){"-m", "512", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                                        "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-smp",
                                        NULL});
    words_add(argv, "%u", r->cpus);
    add_all(argv, (const char *const[]){"-kernel", r->image, "-append", r->words, NULL});
}

static void qemu(const struct target_request *r, struct words *argv)
{
    words_add(argv, "%s", r->places->hvshim);
    add_all(argv, (const char *const[]){"run", "--present", presented(r), "--", NULL});
    qemu_arguments(r, argv, (const char *const[]){"-M", "q35,graphics=off", "-accel", "kvm", "-cpu", "host", NULL});
}

static void qemu_vmport(const struct target_request *r, struct words *argv)
{
    qemu_arguments(r, argv, (const char *const[]){"-M", "pc,vmport=on", "-accel", "tcg", "-cpu", "max", NULL});
}

static void qemu_kvm_hyperv(const struct target_request *r, struct words *argv)
{
    qemu_arguments(r, argv, (const char *const[]){
        "-M", "q35,graphics=off", "-accel", "kvm", "-cpu",
        "host,hv_relaxed,hv_vapic,hv_spinlocks=0x1fff,hv_vpindex,hv_runtime,hv_time,hv_frequencies,hv_reset,hv_crash,"
        "hv_tlbflush,hv_ipi,hv_xmm_input,hv_synic,hv_stimer,hv_stimer_direct", NULL});
}

static void metal_by(const char *script, const struct target_request *r, struct words *argv)
{
    words_add(argv, "%s/../host-backends/metal/%s", r->places->conformance, script);
    add_all(argv, (const char *const[]){"--present", r->persona, "--cpus", NULL});
    words_add(argv, "%u", r->cpus);
    words_add(argv, "--timeout");
    words_add(argv, "%u", r->limits.all_s);
    add_all(argv, (const char *const[]){"--append", r->words, r->places->metal, r->image, NULL});
}

static void metal(const struct target_request *r, struct words *argv)
{
    metal_by("run", r, argv);
}

static void metal_vmx(const struct target_request *r, struct words *argv)
{
    metal_by("bochs", r, argv);
}

/* Its own log goes where nobody looks: the lines come by its output. */
static void xen(const struct target_request *r, struct words *argv)
{
    words_add(argv, "%s/xen/run", r->places->conformance);
    words_add(argv, "--cpus");
    words_add(argv, "%u", r->cpus);
    words_add(argv, "--limit");
    words_add(argv, "%u", r->limits.all_s);
    add_all(argv, (const char *const[]){r->image, "/dev/null", NULL});
    words_add(argv, "present=%s", r->persona);
    words_add(argv, "%s", r->words);
}

/* The remote side has its own image, and compares by its own files. */
static void ssh(const struct target_request *r, struct words *argv)
{
    add_all(argv, (const char *const[]){"ssh", "-o", "BatchMode=yes", "--", r->host, NULL});
    add_all(argv, (const char *const[]){"hvshim", "conform", "--on", "vm", "--present", r->persona, "--json", "-",
                                        "--cpus", NULL});
    words_add(argv, "%u", r->cpus);
    if (r->filter) {
        words_add(argv, "--filter");
        words_add(argv, "'%s'", r->filter);
    }
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

#define ALL "hyperv,xen,vmware"
#define ALL_AND_KVM ALL ",kvm"

const struct target targets[] = {
    {.name = "vm", .about = "hvshim vm on this machine's KVM", .personas = ALL_AND_KVM, .needs_kvm = true,
     .has_stats = true, .cpus = 2,
     .limits = {60, 90, 600}, .command = vm},
    {.name = "qemu", .about = "QEMU under hvshim run, on KVM", .personas = ALL_AND_KVM, .needs_hardware = true,
     .needs_qemu = true, .cpus = 2, .limits = {60, 120, 900}, .command = qemu},
    {.name = "qemu-vmport", .about = "QEMU's own vmport, emulated", .personas = "vmware", .words = "vmport",
     .needs_qemu = true, .cpus = 1, .limits = {60, 90, 600}, .command = qemu_vmport},
    {.name = "qemu-kvm-hyperv", .about = "QEMU's options on the Linux kernel's Hyper-V code", .personas = "hyperv",
     .needs_hardware = true, .needs_qemu = true, .cpus = 2, .limits = {60, 120, 900}, .command = qemu_kvm_hyperv},
    {.name = "xen", .about = "Xen itself, emulated", .personas = "xen,hyperv", .script = "xen/run", .needs_qemu = true,
     .cpus = 2, .limits = {600, 180, 1800}, .command = xen},
    {.name = "metal", .about = "hvshim-metal beneath the image, emulated", .personas = ALL,
     .script = "../host-backends/metal/run", .needs_qemu = true, .cpus = 2, .limits = {60, 120, 900},
     .command = metal},
    {.name = "metal-vmx", .about = "the same on an emulated CPU with VMX, in Bochs", .personas = ALL,
     .script = "../host-backends/metal/bochs", .cpus = 2, .limits = {180, 180, 1800}, .command = metal_vmx},
    {.name = "ssh:", .about = "hvshim vm on another machine (ssh:HOST), by the hvshim that is there", .personas = ALL,
     .kind = TARGET_JSON, .cpus = 2, .limits = {1800, 1800, 1800}, .command = ssh},
    {.name = "image", .about = "wherever you boot it: --write-image FILE, then --log FILE",
     .personas = ALL_AND_KVM ",none", .kind = TARGET_LOG},
};
const size_t nr_targets = sizeof(targets) / sizeof(targets[0]);

const struct target *target_find(const char *name, const char **host)
{
    *host = NULL;
    for (size_t i = 0; i < nr_targets; i++) {
        size_t length = strlen(targets[i].name);

        if (!strcmp(targets[i].name, name) && targets[i].name[length - 1] != ':')
            return &targets[i];
        if (targets[i].name[length - 1] != ':' || strncmp(targets[i].name, name, length))
            continue;
        *host = name + length;
        return **host && **host != '-' ? &targets[i] : NULL;
    }
    return NULL;
}

/* --- this machine ------------------------------------------------------------------------------------------------- */

static void find_place(const char *installed, const char *built, char *place)
{
    if (program_beside(installed, built, place))
        *place = 0;
}

void target_find_places(struct places *places)
{
    ssize_t length = readlink("/proc/self/exe", places->hvshim, sizeof(places->hvshim) - 1);

    places->hvshim[length > 0 ? length : 0] = 0;
    find_place(CONFORM_DATA_INSTALLED "/hvshim-conform.elf", CONFORM_BUILT "/conformance/boot/hvshim-conform.elf",
               places->image);
    find_place(CONFORM_DATA_INSTALLED "/expected", CONFORM_SOURCE "/conformance/expected", places->expected);
    find_place(NULL, CONFORM_SOURCE "/conformance", places->conformance);
    find_place(NULL, CONFORM_BUILT "/host-backends/metal/hvshim-metal", places->metal);
    find_place(NULL, CONFORM_BUILT, places->build);
}

static bool has_kvm(void)
{
    return access("/dev/kvm", R_OK | W_OK) == 0;
}

/* A KVM without VMX or SVM behind it emulates QEMU's machines too slowly and not completely. */
static bool has_hardware(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t room = 0;
    bool is_there = false;

    while (file && !is_there && getline(&line, &room, file) > 0)
        is_there = !strncmp(line, "flags", 5) && (strstr(line, " vmx ") || strstr(line, " svm "));
    free(line);
    if (file)
        fclose(file);
    return is_there && has_kvm();
}

static bool is_executable(const char *folder, const char *path)
{
    char whole[2 * PATH_MAX];

    snprintf(whole, sizeof(whole), "%s/%s", folder, path);
    return *folder && access(whole, X_OK) == 0;
}

const char *target_words(const struct target *target, const struct target_request *request)
{
    if (is_kvm(request) && (target->needs_hardware || has_hardware()))
        return "vmcall";
    return target->words ? target->words : "";
}

const char *target_refuses(const struct target *target, struct target_request *request)
{
    const struct places *places = request->places;
    char path[PATH_MAX];

    if (target->kind == TARGET_LOG)
        return NULL;
    if (target->kind == TARGET_LINES && !*request->image)
        return "hvshim-conform.elf is missing: it is built with the tests (BUILD_TESTING)";
    if (target->needs_kvm && !has_kvm())
        return "no access to /dev/kvm";
    if (target->script && !is_executable(places->conformance, target->script))
        return "its script is in the source tree only, and not there";
    if (target->needs_qemu && program_find("qemu-system-x86_64", path, sizeof(path)))
        return "QEMU is missing: install the Debian package qemu-system-x86";
    request->in_rig = target->needs_hardware && !has_hardware();
    if (request->in_rig && !is_executable(places->conformance, "rig/rig"))
        return "no KVM with hardware behind it, and no source tree with the rig";
    return NULL;
}

void target_command(const struct target *target, const struct target_request *request, struct words *argv)
{
    argv->nr = 0;
    if (request->in_rig) {
        words_add(argv, "%s/rig/rig", request->places->conformance);
        add_all(argv, (const char *const[]){"run", "--see", request->places->build, "--see",
                                            request->places->conformance, "--see", NULL});
        words_add(argv, "%.*s", (int)(strrchr(request->image, '/') - request->image), request->image);
        if (target->needs_qemu)
            words_add(argv, "--shadow-paging");     /* QEMU's guests live longer so, others do not */
        words_add(argv, "--timeout");
        words_add(argv, "%u", request->limits.all_s);
        words_add(argv, "--");
    }
    target->command(request, argv);
}
