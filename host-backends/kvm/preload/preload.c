/*
 * libhvshim-preload.so: puts the drop-in layer under a program that does not know about it, by LD_PRELOAD.
 *
 * What it shows comes from the environment, as `hvshim run` sets it and a user of libvirt may:
 *   HVSHIM_PRESENT    as --present; unset or "none": all calls pass untouched
 *   HVSHIM_KERNEL_INTERFACE   as --kernel-interface, in place of HVSHIM_PRESENT
 *   HVSHIM_SET        as --set, several separated by commas
 *   HVSHIM_GUESTINFO  as --guestinfo, several separated by newlines
 *   HVSHIM_XENSTORE   as --xenstore, several separated by newlines
 *   HVSHIM_LOAD       as --load
 *   HVSHIM_MAX_CPUS   as --max-cpus
 *   HVSHIM_UUID       the machine's identity, where the guest can ask for it; a random one otherwise
 *   HVSHIM_CONTROL    the directory of the control socket, or "off": see control/protocol.h
 *   HVSHIM_STATS      a file to which each VM appends its statistics at its end; JSON where the name ends in .json
 *
 * Loading does nothing: the environment is read at the first call on KVM. Other programs that inherit the environment
 * (wrappers, helpers) only carry the library along. Descriptors that a program hands over by sockets are not followed.
 */
#include <hvshim/kvm_dropin.h>
#include <hvshim/kvm_stats.h>
#include <hvshim/translators.h>

#include "../control/control.h"
#include "../control/protocol.h"
#include "../vmm/guestinfo.h"
#include "../vmm/setting.h"
#include "../vmm/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

enum { SETTING_BYTES = 128, WHY_BYTES = 512 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool is_configured;       /* and not misconfigured: nothing more to ask */
static bool is_misconfigured;
static int stats_fd = -1;
static enum hvs_kvm_stats_form stats_form;
static struct vmm_guestinfo *guestinfo;         /* nr_guestinfo; as the options, it lives as long as the VMs */
static size_t nr_guestinfo;
static char **xenstore;                         /* nr_xenstore of PATH=VALUE; likewise */
static size_t nr_xenstore;

/* --- what the environment says ---------------------------------------------------------------------------------- */

static void complain(const char *name, const char *value, const char *why)
{
    fprintf(stderr, "hvshim: %s=%s: %s\n", name, value, why);
    is_misconfigured = true;
}

static void read_present(struct hvs_vm_config *vm)
{
    const char *present = secure_getenv("HVSHIM_PRESENT");
    size_t bad_at;

    if (present && *present && hvs_present_parse(vm, present, &bad_at))
        complain("HVSHIM_PRESENT", present, "an unknown name, or one twice (see hvshim vm --list-features)");
}

static bool has_interface(const struct hvs_kvm_dropin *config)
{
    return config->has_hyperv_interface || config->has_xen_interface;
}

static void read_interface(struct hvs_kvm_dropin *config)
{
    const char *name = secure_getenv("HVSHIM_KERNEL_INTERFACE");

    if (!name || !*name)
        return;
    if (!vmm_read_interfaces(name, &config->has_hyperv_interface, &config->has_xen_interface))
        complain("HVSHIM_KERNEL_INTERFACE", name, VMM_INTERFACES " is what there is");
    else if (config->vm.nr_slots)
        complain("HVSHIM_KERNEL_INTERFACE", name, "not together with HVSHIM_PRESENT: the VMM says what is presented");
}

static void read_settings(struct hvs_vm_config *vm)
{
    static struct hvs_hv_options hyperv;        /* lives as long as the VMs */
    const char *settings = secure_getenv("HVSHIM_SET");
    const char *next = settings ? settings : "";

    while (*next) {
        size_t length = strcspn(next, ",");
        const char *why = "too long";
        char setting[SETTING_BYTES];

        snprintf(setting, sizeof(setting), "%.*s", (int)length, next);
        if (length >= sizeof(setting) || (length && vmm_set(vm, &hyperv, setting, &why)))
            complain("HVSHIM_SET", setting, why);
        next += length + (next[length] == ',');
    }
    vmm_give_options(vm, &hyperv);
}

static void read_one_guestinfo(const char *setting)
{
    struct vmm_guestinfo *grown = realloc(guestinfo, (nr_guestinfo + 1) * sizeof(*grown));
    char why[WHY_BYTES] = "no memory";

    if (grown)
        guestinfo = grown;
    if (!grown || vmm_guestinfo_read(&guestinfo[nr_guestinfo++], setting, why, sizeof(why)))
        complain("HVSHIM_GUESTINFO", setting, why);
}

/* Files are read before the VMM gives up its rights. */
static void read_guestinfo(const struct hvs_vm_config *vm)
{
    const char *settings = secure_getenv("HVSHIM_GUESTINFO");
    char *copy = settings && *settings ? strdup(settings) : NULL, *rest = copy;

    if (copy && !vmm_presents(vm, &hvs_vmw_personality))
        complain("HVSHIM_GUESTINFO", settings, "it is for VMware guests");
    while (copy && rest)
        read_one_guestinfo(strsep(&rest, "\n"));
    free(copy);
}

static void give_guestinfo(struct hvs_kvm *kvm)
{
    char why[WHY_BYTES];

    for (size_t i = 0; i < nr_guestinfo; i++)
        if (vmm_guestinfo_give(&guestinfo[i], kvm, why, sizeof(why)))
            fprintf(stderr, "hvshim: HVSHIM_GUESTINFO: %s\n", why);
}

static void read_one_node(char *setting)
{
    char **grown = realloc(xenstore, (nr_xenstore + 1) * sizeof(*grown));

    if (grown)
        xenstore = grown;
    if (!grown)
        complain("HVSHIM_XENSTORE", setting, "no memory");
    else if (!vmm_store_is_setting(setting))
        complain("HVSHIM_XENSTORE", setting, "not PATH=VALUE");
    else
        xenstore[nr_xenstore++] = setting;
}

static void read_xenstore(const struct hvs_vm_config *vm)
{
    const char *settings = secure_getenv("HVSHIM_XENSTORE");
    char *rest = settings && *settings ? strdup(settings) : NULL;      /* stays */

    if (rest && !vmm_presents(vm, &hvs_xen_personality))
        complain("HVSHIM_XENSTORE", settings, "it is for Xen guests");
    while (rest)
        read_one_node(strsep(&rest, "\n"));
}

/* A reset makes the store anew, but for what is below vm-data. */
static void give_xenstore(void *ctx, struct hvs_kvm *kvm)
{
    char why[WHY_BYTES];

    (void)ctx;
    for (size_t i = 0; i < nr_xenstore; i++)
        if (vmm_store_give(kvm, xenstore[i], why, sizeof(why)))
            fprintf(stderr, "hvshim: HVSHIM_XENSTORE: %s\n", why);
}

/* The VMs point to it, so it stays. It is read before the VMM gives up its rights. */
static void read_state(struct hvs_kvm_dropin *config)
{
    const char *path = secure_getenv("HVSHIM_LOAD");
    FILE *file = path && *path ? fopen(path, "re") : NULL;
    char *state = file ? malloc(CONTROL_MAX_STATE_BYTES) : NULL;

    if (!path || !*path)
        return;
    if (has_interface(config) || !config->vm.nr_slots)
        complain("HVSHIM_LOAD", path, "it goes with HVSHIM_PRESENT only");
    if (state)
        config->state_bytes = fread(state, 1, CONTROL_MAX_STATE_BYTES, file);
    if (!state || ferror(file))
        complain("HVSHIM_LOAD", path, strerror(errno));
    config->state = state;
    if (file)
        fclose(file);
}

static void read_max_cpus(uint32_t *max_vcpus)
{
    const char *text = secure_getenv("HVSHIM_MAX_CPUS");

    if (!text || !*text)
        return;
    *max_vcpus = vmm_read_nr_vcpus(text);
    if (!*max_vcpus)
        complain("HVSHIM_MAX_CPUS", text, "not a number from 1 to 4096");
}

static void read_uuid(uint8_t uuid[16])
{
    const char *text = secure_getenv("HVSHIM_UUID");

    if (text && *text) {
        if (!vmm_read_uuid(text, uuid))
            complain("HVSHIM_UUID", text, "not 32 hexadecimal digits");
    } else if (getrandom(uuid, 16, 0) < 0) {
        complain("HVSHIM_UUID", "", "no random numbers for the VM's identity");
    }
}

/* Opened before the VMM gives up its rights. */
static void open_stats(void)
{
    const char *path = secure_getenv("HVSHIM_STATS");
    size_t length = path ? strlen(path) : 0;

    if (!length)
        return;
    stats_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (stats_fd < 0)
        complain("HVSHIM_STATS", path, strerror(errno));
    stats_form = length > 5 && !strcmp(path + length - 5, ".json") ? HVS_KVM_STATS_JSON : HVS_KVM_STATS_TABLE;
}

static void on_start(void *ctx, struct hvs_kvm *kvm)
{
    give_guestinfo(kvm);
    give_xenstore(ctx, kvm);
    control_add(kvm);
}

static void on_end(void *ctx, struct hvs_kvm *kvm)
{
    int fd = stats_fd < 0 ? -1 : fcntl(stats_fd, F_DUPFD_CLOEXEC, 3);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "a");

    (void)ctx;
    control_remove(kvm);
    if (!out)
        return;
    hvs_kvm_stats_print(kvm, stats_form, out);
    fclose(out);
}

static void configure(void)
{
    struct hvs_kvm_dropin config = {.size = sizeof(config), .on_start = on_start, .on_end = on_end,
                                    .on_reset = give_xenstore};

    read_present(&config.vm);
    read_interface(&config);
    read_settings(&config.vm);
    read_guestinfo(&config.vm);
    read_xenstore(&config.vm);
    read_state(&config);
    read_max_cpus(&config.max_vcpus);
    if (config.vm.nr_slots || has_interface(&config))
        open_stats();
    read_uuid(config.vm.uuid);
    if (is_misconfigured)
        return;
    hvs_kvm_present(&config);
    atomic_store_explicit(&is_configured, true, memory_order_release);
}

__attribute__((destructor)) static void finish(void)
{
    hvs_kvm_finish();
}

/* --- the calls -------------------------------------------------------------------------------------------------- */

__attribute__((noinline)) static int first_ioctl(int fd, unsigned long request, void *argument)
{
    pthread_once(&once, configure);
    if (is_misconfigured && (uint32_t)request == KVM_CREATE_VM) {
        errno = EINVAL;
        return -1;
    }
    return hvs_kvm_ioctl(fd, request, argument);
}

/* ioctl(2), with its arguments by name as in real.c. */
EXPORTED int stand_in_ioctl(int fd, unsigned long request, void *argument) __asm__("ioctl");

int stand_in_ioctl(int fd, unsigned long request, void *argument)
{
    bool is_first = _IOC_TYPE(request) == KVMIO && !atomic_load_explicit(&is_configured, memory_order_acquire);

    return is_first ? first_ioctl(fd, request, argument) : hvs_kvm_ioctl(fd, request, argument);
}

EXPORTED int close(int fd)
{
    return hvs_kvm_close(fd);
}

EXPORTED int dup(int fd)
{
    return hvs_kvm_dup(fd, (int)syscall(SYS_dup, fd));
}

EXPORTED int dup2(int fd, int copy)
{
    return hvs_kvm_dup(fd, (int)syscall(SYS_dup2, fd, copy));
}

EXPORTED int dup3(int fd, int copy, int flags)
{
    return hvs_kvm_dup(fd, (int)syscall(SYS_dup3, fd, copy, flags));
}

static int control(int fd, int command, long argument)
{
    int answer = (int)syscall(SYS_fcntl, fd, command, argument);

    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? hvs_kvm_dup(fd, answer) : answer;
}

EXPORTED int fcntl(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    return control(fd, command, argument);
}

/* What fcntl is called where offsets have 64 bits by choice. */
EXPORTED int fcntl64(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    return control(fd, command, argument);
}
