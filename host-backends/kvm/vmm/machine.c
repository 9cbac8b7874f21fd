/*
 * The machine: made of KVM's parts and the library, run until it ends, taken apart.
 *
 * The order of make() is the order that <hvshim/kvm.h> asks for. A reset makes a new machine, so nothing of the old
 * one can survive in it. Memory of the machine lies from 0 up to the hole at 3 GiB and goes on at 4 GiB.
 */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <hvshim/translators.h>

#include "control.h"
#include "guestinfo.h"
#include "persona.h"

/* Even statuses are ours; the test port gives odd ones. */
static const struct {
    int status;
    const char *message;
} end_texts[VMM_NR_ENDS] = {
    [VMM_END_REBOOT] = {0, "the guest asked for a reboot"},
    [VMM_END_USER] = {0, "stopped from the console"},
    [VMM_END_SIGNAL] = {2, "stopped by a signal"},
    [VMM_END_CRASH] = {4, "the guest reported a crash"},
    [VMM_END_TRIPLE_FAULT] = {6, "the guest crashed: triple fault"},
    [VMM_END_KVM] = {8, "KVM could not go on"},
    [VMM_END_SUSPEND] = {10, "the guest suspended itself (--on-suspend resume lets it go on)"},
};

int vmm_ioctl(int fd, unsigned long request, const char *name, void *argument)
{
    int answer = ioctl(fd, request, argument);
    return answer < 0 ? vmm_fail("%s: %s", name, strerror(errno)) : answer;
}

bool vmm_has_ended(const struct machine *m)
{
    return atomic_load(&m->end) != VMM_RUNNING;
}

void vmm_wake(struct machine *m)
{
    uint64_t one = 1;
    ssize_t written = write(m->wake_fd, &one, sizeof(one));     /* fails only where it is awake already */
    (void)written;
}

void vmm_end(struct machine *m, enum vmm_end end)
{
    int running = VMM_RUNNING;
    if (atomic_compare_exchange_strong(&m->end, &running, end))
        vmm_wake(m);
}

/* --- making ----------------------------------------------------------------------------------------------------- */

static int open_kvm(struct machine *m)
{
    m->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (m->kvm_fd >= 0)
        return 0;
    char why[512];
    vmm_why_no_kvm(errno, why, sizeof(why));
    return vmm_fail("%s", why);
}

static int check_kvm(struct machine *m)
{
    if (ioctl(m->kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return vmm_fail("/dev/kvm does not speak version %d of the KVM interface", KVM_API_VERSION);
    int err = hvs_kvm_probe(m->kvm_fd, &m->host);
    if (err)
        return vmm_fail("cannot ask /dev/kvm for its capabilities: %s", hvs_strerror(err));
    const char *missing = hvs_kvm_missing(&m->host);
    if (missing)
        return vmm_fail("this host's KVM cannot be used: %s", missing);
    if (!m->host.tsc_khz)
        return vmm_fail("this host's KVM does not know the rate of its TSC (KVM_CAP_GET_TSC_KHZ)");
    int limit = ioctl(m->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
    if (limit > 0 && m->options->nr_cpus > (uint32_t)limit)
        return vmm_fail("--cpus %u: this host's KVM allows %d", m->options->nr_cpus, limit);
    int run_bytes = vmm_ioctl(m->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE", NULL);
    m->run_bytes = run_bytes > 0 ? (size_t)run_bytes : 0;
    return run_bytes < 0 ? -1 : vmm_cpuid_read(m);
}

/*
 * Interrupt lines as PCs have them: ISA lines reach both PICs and the IOAPIC, the PIT's reaches IOAPIC pin 2. (KVM's
 * own default has it at pin 0.)
 */
static int route_interrupts(struct machine *m)
{
    enum { NR_ISA = 16, NR_PINS = 24 };
    struct {
        struct kvm_irq_routing head;
        struct kvm_irq_routing_entry entry[NR_ISA + NR_PINS];
    } routing = {.head.nr = 0};
    for (uint32_t gsi = 0; gsi < NR_PINS; gsi++) {
        struct kvm_irq_routing_entry entry = {.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP};
        if (gsi < NR_ISA) {
            entry.u.irqchip.irqchip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
            entry.u.irqchip.pin = gsi % 8;
            routing.entry[routing.head.nr++] = entry;
        }
        if (gsi == 2)
            continue;
        entry.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
        entry.u.irqchip.pin = gsi ? gsi : 2;
        routing.entry[routing.head.nr++] = entry;
    }
    return vmm_ioctl(m->vm_fd, KVM_SET_GSI_ROUTING, "KVM_SET_GSI_ROUTING", &routing);
}

static int make_vm(struct machine *m)
{
    uint64_t identity_map = VMM_KVM_PAGES_GPA;
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    m->vm_fd = vmm_ioctl(m->kvm_fd, KVM_CREATE_VM, "KVM_CREATE_VM (is another hypervisor running?)", NULL);
    if (m->vm_fd < 0)
        return -1;
    if (vmm_ioctl(m->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, "KVM_SET_IDENTITY_MAP_ADDR", &identity_map) < 0)
        return -1;
    if (vmm_ioctl(m->vm_fd, KVM_SET_TSS_ADDR, "KVM_SET_TSS_ADDR", (void *)(uintptr_t)(identity_map + 4096)) < 0)
        return -1;
    if (vmm_ioctl(m->vm_fd, KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP", NULL) < 0)
        return -1;
    if (vmm_ioctl(m->vm_fd, KVM_CREATE_PIT2, "KVM_CREATE_PIT2", &pit) < 0)
        return -1;
    return route_interrupts(m);
}

static int make_ram(struct machine *m)
{
    uint64_t bytes = m->options->memory_bytes;
    void *ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ram == MAP_FAILED)
        return vmm_fail("--memory %llu: %s", (unsigned long long)(bytes >> 20), strerror(errno));
    m->ram = ram;
    m->low_bytes = bytes < VMM_HOLE_GPA ? bytes : VMM_HOLE_GPA;
    m->high_bytes = bytes - m->low_bytes;
    return 0;
}

static int make_xen_pages(struct machine *m)
{
    if (!vmm_presents(&m->options->persona, &hvs_xen_personality))
        return 0;
    void *pages = mmap(NULL, VMM_XEN_PAGES_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return vmm_fail("no memory for Xen's pages: %s", strerror(errno));
    m->xen_pages = pages;
    return 0;
}

static void on_stop(void *ctx, enum hvs_stop_reason reason)
{
    static const enum vmm_end end[] = {
        [HVS_STOP_POWEROFF] = VMM_END_POWEROFF,
        [HVS_STOP_REBOOT] = VMM_END_REBOOT,
        [HVS_STOP_CRASH] = VMM_END_CRASH,
        [HVS_STOP_SUSPEND] = VMM_END_SUSPEND,
    };
    struct machine *m = ctx;
    if (reason == HVS_STOP_SUSPEND && m->options->resumes_on_suspend)
        vmm_pause_ask(m);
    else
        vmm_end(m, end[reason]);
}

static void on_log(void *ctx, uint8_t byte)
{
    (void)ctx;
    fputc(byte, stderr);
}

static int make_shim(struct machine *m)
{
    struct hvs_kvm_config config = {
        .size = sizeof(config), .kvm_fd = m->kvm_fd, .vm_fd = m->vm_fd, .vm = m->options->persona,
        .kick_signal = SIGUSR2, .on_stop = on_stop, .on_log = on_log, .ctx = m,
    };
    config.vm.size = sizeof(config.vm);
    config.vm.nr_vps = m->options->nr_cpus;
    config.vm.memory_bytes = m->options->memory_bytes;
    config.vm.phys_bits = vmm_cpuid_phys_bits(m);
    config.keep_kvm_leaves = config.vm.nr_slots == 0;
    vmm_present_options(m, &config.vm);
    if (getrandom(m->uuid, sizeof(m->uuid), 0) != sizeof(m->uuid))
        return vmm_fail("getrandom: %s", strerror(errno));
    memcpy(config.vm.uuid, m->uuid, sizeof(m->uuid));
    int err = hvs_kvm_create(&config, &m->shim);
    if (!err)
        return 0;
    char why[512];
    hvs_kvm_why_not(&m->host, &config.vm, err, why, sizeof(why));
    return vmm_fail("--present or --set: %s", why);
}

int vmm_add_region(struct machine *m, uint32_t slot, uint64_t gpa, uint8_t *host, uint64_t bytes)
{
    if (!bytes)
        return 0;
    struct kvm_userspace_memory_region region = {
        .slot = slot, .guest_phys_addr = gpa, .memory_size = bytes, .userspace_addr = (uintptr_t)host,
    };
    if (vmm_ioctl(m->vm_fd, KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", &region) < 0)
        return -1;
    int err = hvs_kvm_add_memory(m->shim, gpa, host, bytes);
    return err ? vmm_fail("cannot add memory: %s", hvs_strerror(err)) : 0;
}

static int add_memory(struct machine *m)
{
    if (vmm_add_region(m, 0, 0, m->ram, m->low_bytes))
        return -1;
    if (vmm_add_region(m, 1, VMM_HIGH_GPA, m->ram + m->low_bytes, m->high_bytes))
        return -1;
    return vmm_add_region(m, 2, VMM_XEN_PAGES_GPA, m->xen_pages, m->xen_pages ? VMM_XEN_PAGES_BYTES : 0);
}

void *vmm_ram(const struct machine *m, uint64_t gpa, uint64_t bytes)
{
    if (gpa < m->low_bytes && bytes <= m->low_bytes - gpa)
        return m->ram + gpa;
    gpa -= VMM_HIGH_GPA;        /* far beyond high_bytes where it was below */
    if (gpa < m->high_bytes && bytes <= m->high_bytes - gpa)
        return m->ram + m->low_bytes + gpa;
    return NULL;
}

uint32_t vmm_memory_map(const struct machine *m, struct vmm_range map[VMM_MAP_MAX])
{
    const struct vmm_range all[] = {
        {0, VMM_EBDA_GPA, VMM_RAM},
        {VMM_EBDA_GPA, 0xa0000 - VMM_EBDA_GPA, VMM_RESERVED},
        {VMM_ACPI_GPA, VMM_IMAGE_GPA - VMM_ACPI_GPA, VMM_RESERVED},
        {VMM_IMAGE_GPA, m->low_bytes - VMM_IMAGE_GPA, VMM_RAM},
        {VMM_XEN_PAGES_GPA, m->xen_pages ? VMM_XEN_PAGES_BYTES : 0, VMM_RESERVED},
        {VMM_KVM_PAGES_GPA, VMM_HIGH_GPA - VMM_KVM_PAGES_GPA, VMM_RESERVED},
        {VMM_HIGH_GPA, m->high_bytes, VMM_RAM},
    };
    uint32_t nr = 0;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(all); i++)
        if (all[i].bytes)
            map[nr++] = all[i];
    return nr;
}

static int make_cpus(struct machine *m)
{
    m->cpu = calloc(m->options->nr_cpus, sizeof(*m->cpu));
    if (!m->cpu)
        return vmm_fail("no memory for %u vCPUs", m->options->nr_cpus);
    for (uint32_t i = 0; i < m->options->nr_cpus; i++)
        m->cpu[i] = (struct cpu){.machine = m, .index = i, .fd = -1};
    for (uint32_t i = 0; i < m->options->nr_cpus; i++)
        if (vmm_cpu_create(&m->cpu[i]))
            return -1;
    return 0;
}

static int make(struct machine *m)
{
    if (open_kvm(m) || check_kvm(m) || make_vm(m) || make_ram(m) || make_xen_pages(m))
        return -1;
    if (vmm_echo_create(m) || vmm_xen_disk_create(m) || make_shim(m) || add_memory(m) || make_cpus(m))
        return -1;
    if (vmm_load(m) || vmm_cpu_boot(&m->cpu[0]))
        return -1;
    if (vmm_presents(&m->options->persona, &hvs_vmw_personality))
        vmm_smbios_write(m);
    int err = hvs_kvm_start(m->shim);
    if (err)
        return vmm_fail("KVM refuses to start: %s (%s)", hvs_strerror(err), strerror(errno));
    if (vmm_vmware_start(m) || vmm_xenstore_start(m) || vmm_xen_disk_start(m))
        return -1;
    return vmm_echo_start(m);
}

/* Takes apart what make() got done, in the opposite order. */
static void destroy(struct machine *m)
{
    vmm_echo_stop(m);
    vmm_xen_disk_stop(m);
    if (m->shim) {
        control_remove(m->shim);
        hvs_kvm_destroy(m->shim);
    }
    vmm_echo_destroy(m);
    vmm_xen_disk_destroy(m);
    for (uint32_t i = 0; m->cpu && i < m->options->nr_cpus; i++)
        vmm_cpu_destroy(&m->cpu[i]);
    free(m->cpu);
    if (m->vm_fd >= 0)
        close(m->vm_fd);
    if (m->ram)
        munmap(m->ram, m->low_bytes + m->high_bytes);
    if (m->xen_pages)
        munmap(m->xen_pages, VMM_XEN_PAGES_BYTES);
    vmm_pci_destroy(m);
    vmm_xen_back_destroy(m);
    free(m->cpuid);
    if (m->kvm_fd >= 0)
        close(m->kvm_fd);
    if (m->wake_fd >= 0)
        close(m->wake_fd);
    pthread_mutex_destroy(&m->serial.lock);
    pthread_mutex_destroy(&m->xen_console.lock);
    pthread_mutex_destroy(&m->board_lock);
}

/* --- running ---------------------------------------------------------------------------------------------------- */

static void print_crash(struct machine *m)
{
    struct hvs_crash crash;
    if (hvs_vm_crash(hvs_kvm_vm(m->shim), &crash))
        return;
    fputs("  parameters", stderr);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(crash.parameter); i++)
        fprintf(stderr, " %#llx", (unsigned long long)crash.parameter[i]);
    fputs("\n", stderr);
    for (uint32_t i = 0; i < crash.message_bytes && i < sizeof(crash.message); i++) {
        unsigned char c = (unsigned char)crash.message[i];
        bool is_text = (c >= ' ' && c < 0x7f) || c == '\n';     /* the terminal is not the guest's to steer */
        fputc(is_text ? c : '?', stderr);
    }
    if (crash.message_bytes)
        fputs("\n", stderr);
}

static int report(struct machine *m)
{
    enum vmm_end end = (enum vmm_end)atomic_load(&m->end);
    if (end_texts[end].message)
        vmm_fail("%s", end_texts[end].message);
    if (end == VMM_END_CRASH)
        print_crash(m);
    return end == VMM_END_TEST ? atomic_load(&m->test_status) : end_texts[end].status;
}

/* After the vCPUs have stopped. */
static int print_stats(struct machine *m)
{
    if (!m->options->has_stats)
        return 0;
    const char *path = m->options->stats_file;
    FILE *out = path ? fopen(path, "we") : stderr;
    if (!out)
        return vmm_fail("--stats-file %s: %s", path, strerror(errno));
    hvs_kvm_stats_print(m->shim, m->options->stats_form, out);
    bool failed = ferror(out);
    if (path && (fclose(out) || failed))
        return vmm_fail("--stats-file %s: %s", path, strerror(errno));
    return 0;
}

/* Returns the exit status. */
static int live(struct machine *m)
{
    enum { CANNOT_START = 2 };
    if (m->wake_fd < 0)
        return vmm_fail("eventfd: %s", strerror(errno)), CANNOT_START;
    if (make(m))
        return CANNOT_START;
    control_add(m->shim);
    for (uint32_t i = 0; i < m->options->nr_cpus; i++)
        if (vmm_cpu_start(&m->cpu[i]))
            vmm_end(m, VMM_END_KVM);
    vmm_console_run(m->console, m);
    vmm_pause_serve(m);         /* the end may have come between a pause and its being served: who waits is told */
    vmm_cpus_join(m);
    vmm_console_finish(m->console, m);
    int status = report(m);
    return print_stats(m) ? CANNOT_START : status;
}

int vmm_run(const struct vmm_options *options, struct console *console)
{
    for (;;) {
        struct machine m = {
            .options = options, .console = console, .kvm_fd = -1, .vm_fd = -1,
            .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
            .serial.lock = PTHREAD_MUTEX_INITIALIZER, .board_lock = PTHREAD_MUTEX_INITIALIZER,
            .pause = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER},
            .xen_console.lock = PTHREAD_MUTEX_INITIALIZER, .xen_back.lock = PTHREAD_MUTEX_INITIALIZER,
        };
        int status = live(&m);
        bool again = atomic_load(&m.end) == VMM_END_REBOOT && options->resets_on_reboot &&
                     !vmm_console_has_signal(console);
        destroy(&m);
        if (!again)
            return status;
    }
}
