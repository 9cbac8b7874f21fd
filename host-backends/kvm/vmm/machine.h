/*
 * Inside the reference VMM: one machine, its vCPUs and its few devices.
 *
 * A machine is a PC without PCI (but for Xen's platform device): local APICs, IOAPIC, PIC and PIT in the kernel; serial
 * port, CMOS clock, ACPI power management, reset and a test port here. Left out: disks, network, graphics, firmware, save and restore.
 *
 * Threads: one for each vCPU, and the main thread, which serves console and signals. Whoever wants the machine to end
 * calls vmm_end(); the main thread then stops the vCPUs. Functions that can fail print why and return -1.
 */
#ifndef HVSHIM_VMM_MACHINE_H
#define HVSHIM_VMM_MACHINE_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include <hvshim/hyperv.h>
#include <hvshim/kvm_stats.h>
#include <hvshim/translators.h>
#include <hvshim/vmware.h>
#include <hvshim/xen.h>

#include "setting.h"

/* --- what the user asked for (options.c) ------------------------------------------------------------------------ */

struct vmm_options {
    const char *kernel;
    const char *initrd;                 /* or NULL */
    const char *append;
    const char *entry;                  /* a name of load.c's formats, or NULL: what the file offers */
    uint32_t nr_cpus;
    uint64_t memory_bytes;
    struct hvs_vm_config persona;       /* slots and nr_slots only */
    struct hvs_hv_options hyperv;       /* what --set said of it */
    uint32_t hyperv_echo;               /* first connection of the echo service; 0: there is none */
    const char **guestinfo;             /* nr_guestinfo of "KEY=VALUE", or "KEY=@FILE" */
    size_t nr_guestinfo;
    const char **xenstore;              /* nr_xenstore of "PATH=VALUE" */
    size_t nr_xenstore;
    const char **xen_disk;              /* nr_xen_disks of "FILE" or "FILE,ro" */
    size_t nr_xen_disks;
    uint64_t balloon_bytes;
    bool resets_on_reboot;
    bool resumes_on_suspend;
    bool has_stats;
    enum hvs_kvm_stats_form stats_form;
    const char *stats_file;             /* or NULL: stderr */
};

/* Prints "hvshim vm: " and the message, and a newline, to stderr. Returns -1. */
int vmm_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- guest-physical memory -------------------------------------------------------------------------------------- */

/* The first MiB belongs to the firmware, which is us; kernels are loaded above it. */
#define VMM_GDT_GPA 0x500u
#define VMM_BOOT_INFO_GPA 0x7000u       /* boot_params, hvm_start_info or multiboot information */
#define VMM_BOOT_LISTS_GPA 0x8000u      /* what those point to */
#define VMM_PAGE_TABLES_GPA 0x9000u     /* 6 pages */
#define VMM_CMDLINE_GPA 0x20000u
#define VMM_CMDLINE_BYTES 0x1000u       /* with its NUL */
#define VMM_EBDA_GPA 0x9fc00u           /* end of RAM below 640 KiB */
#define VMM_ACPI_GPA 0xe0000u           /* where guests search for the RSDP */
#define VMM_SMBIOS_GPA 0xf0000u         /* where guests search for it */
#define VMM_IMAGE_GPA 0x100000u
#define VMM_HOLE_GPA 0xc0000000u        /* to 4 GiB: devices; RAM goes on behind it */
#define VMM_PCI_MEMORY_GPA 0xf0000000u   /* where PCI devices may have memory */
#define VMM_PCI_MEMORY_BYTES 0x1000000u
#define VMM_HIGH_GPA 0x100000000ull
#define VMM_XEN_PAGES_GPA ((uint64_t)HVS_XEN_SPECIAL_GFN * HVS_PAGE_BYTES)  /* there where Xen is presented */
#define VMM_XEN_PAGES_BYTES ((uint64_t)HVS_XEN_NR_SPECIAL_PAGES * HVS_PAGE_BYTES)
#define VMM_KVM_PAGES_GPA 0xfffbc000u   /* 1 + 3 pages that KVM wants for itself on Intel */

enum { VMM_RAM = 1, VMM_RESERVED = 2 }; /* as in e820, PVH and multiboot alike */

struct vmm_range {
    uint64_t gpa, bytes;
    uint32_t type;
};
#define VMM_MAP_MAX 7u

/* --- the machine ------------------------------------------------------------------------------------------------ */

struct machine;
struct console;
struct echo;
struct xen_disks;

struct cpu {
    struct machine *machine;
    uint32_t index;                     /* also its local APIC id */
    int fd;
    struct kvm_run *run;
    struct hvs_kvm_vcpu *shim;
    pthread_t thread;
    bool has_thread;
};

struct serial {
    pthread_mutex_t lock;
    uint8_t ier, lcr, mcr, scr, dll, dlm;
    bool has_fifo, is_thre_pending, is_line_high;
    bool is_used;                       /* the guest has sent something */
    uint8_t rx[64];
    uint32_t rx_first, rx_count;
};

struct xen_console {
    atomic_bool is_used;                /* the guest has said something */
    atomic_bool has_room;               /* it may take input */
    uint8_t in[64];                     /* the main thread's */
    uint32_t nr_in;
    pthread_mutex_t lock;               /* for what follows */
    uint8_t out[4096];
    uint32_t nr_out;
    bool has_more;                      /* than fitted */
};

struct pci {
    uint8_t *memory;                    /* behind the platform device's BAR; NULL: there is no PCI */
    uint64_t memory_gpa;                /* 0: nowhere */
    uint32_t address;
    uint32_t platform[16];              /* its configuration space */
};

struct pause {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool is_wanted;
    uint32_t nr_waiting;                /* vCPUs */
};

#define VMM_XEN_BACK_MAX 16u

struct xen_back {
    pthread_mutex_t lock;
    bool has_failed;
    uint32_t nr;
    struct {
        uint64_t gpa;
        void *host;
    } piece[VMM_XEN_BACK_MAX];
};

/* How the boot CPU starts; filled by the loaders. */
struct boot {
    uint64_t rip;
    uint64_t rax, rbx, rsi;
    bool is_long_mode;
    bool is_pvh;                        /* no PC, says Xen: without PCI and the platform device */
    uint64_t image_end_gpa;
    uint64_t initrd_gpa, initrd_bytes;  /* 0: none */
};

/* Options of the personalities; they live as long as the library's VM. */
struct presented {
    struct hvs_hv_options hyperv;
    struct hvs_vmw_options vmware;
    struct hvs_xen_options xen;
    struct hvs_xen_memory xen_map[VMM_MAP_MAX];
};

/* Why a machine ended; the exit statuses are in machine.c. */
enum vmm_end {
    VMM_RUNNING,
    VMM_END_POWEROFF,
    VMM_END_REBOOT,
    VMM_END_TEST,                       /* the guest wrote its own status to the test port */
    VMM_END_USER,
    VMM_END_SIGNAL,
    VMM_END_CRASH,
    VMM_END_SUSPEND,
    VMM_END_TRIPLE_FAULT,
    VMM_END_KVM,
    VMM_NR_ENDS,
};

struct machine {
    const struct vmm_options *options;
    struct console *console;
    int kvm_fd, vm_fd;
    struct hvs_kvm_caps host;
    int wake_fd;                        /* eventfd that the main thread waits on */
    uint8_t *ram;                       /* low part, then the part above 4 GiB */
    uint8_t *xen_pages;                 /* or NULL */
    uint64_t low_bytes, high_bytes;
    size_t run_bytes;
    struct kvm_cpuid2 *cpuid;
    struct presented presented;
    uint8_t uuid[16];
    struct hvs_kvm *shim;
    struct echo *echo;                  /* or NULL */
    struct xen_disks *xen_disks;        /* or NULL */
    struct cpu *cpu;                    /* options->nr_cpus of them */
    struct boot boot;
    struct serial serial;
    struct xen_console xen_console;
    struct pause pause;
    struct xen_back xen_back;
    pthread_mutex_t board_lock;         /* for what follows */
    struct pci pci;
    uint8_t cmos_index;
    uint8_t pm1[6];                     /* ACPI PM1a: status, enable, control */
    atomic_int end;                     /* enum vmm_end; set once */
    atomic_int test_status;
};

/* Builds, runs and destroys machines until one ends otherwise than by a reset that the options allow.
   Returns the exit status. */
int vmm_run(const struct vmm_options *options, struct console *console);
/* Ends the machine for this reason, unless it has one already. Any thread; returns at once. */
void vmm_end(struct machine *machine, enum vmm_end end);
bool vmm_has_ended(const struct machine *machine);
/* Makes the main thread look around. */
void vmm_wake(struct machine *machine);
/* The host address of guest RAM [gpa, gpa + bytes), or NULL where not all of that is RAM. */
void *vmm_ram(const struct machine *machine, uint64_t gpa, uint64_t bytes);
/* What a boot loader tells about memory. Returns the number of entries, in ascending order. */
uint32_t vmm_memory_map(const struct machine *machine, struct vmm_range map[VMM_MAP_MAX]);
/* A memory slot of KVM and the library, where bytes is not 0. */
int vmm_add_region(struct machine *machine, uint32_t slot, uint64_t gpa, uint8_t *host, uint64_t bytes);
/* ioctl that prints `name` and the error where it fails. Returns what ioctl returned, -1 on failure. */
int vmm_ioctl(int fd, unsigned long request, const char *name, void *argument);

/* --- vCPUs (cpu.c, cpuid.c) ------------------------------------------------------------------------------------- */

int vmm_cpu_create(struct cpu *cpu);
void vmm_cpu_destroy(struct cpu *cpu);
/* Puts the boot CPU where machine->boot says. */
int vmm_cpu_boot(struct cpu *cpu);
int vmm_cpu_start(struct cpu *cpu);
/* The machine has ended: stops the threads of all vCPUs. */
void vmm_cpus_join(struct machine *machine);
/* Gets those that are in the guest out of it, once. */
void vmm_cpus_kick(struct machine *machine);

/* --- pause (pause.c) -------------------------------------------------------------------------------------------- */

/* The guest has suspended itself: no vCPU enters it until the main thread has resumed it. Any thread. */
void vmm_pause_ask(struct machine *machine);
/* The main thread's part. */
void vmm_pause_serve(struct machine *machine);
/* A vCPU's part: returns when the pause is over. */
void vmm_pause_wait(struct machine *machine);

/* Reads what KVM supports into machine->cpuid. */
int vmm_cpuid_read(struct machine *machine);
uint32_t vmm_cpuid_phys_bits(const struct machine *machine);
/* Gives the vCPU its CPUID: what KVM supports, its own APIC id, and one package of nr_cpus cores. */
int vmm_cpuid_set(struct cpu *cpu);

/* --- what is presented (present.c) ------------------------------------------------------------------------------ */

/* Points the slots of `config` to their options. RAM is there. */
void vmm_present_options(struct machine *machine, struct hvs_vm_config *config);

/* --- the echo service (echo.c): nothing where options->hyperv_echo is 0 ----------------------------------------- */

int vmm_echo_create(struct machine *machine);
const struct hvs_hv_host *vmm_echo_host(const struct machine *machine);
/* Once the library's VM has started; stopped before that is destroyed, destroyed after it. */
int vmm_echo_start(struct machine *machine);
void vmm_echo_stop(struct machine *machine);
void vmm_echo_destroy(struct machine *machine);

/* --- VMware's tools (vmware.c) and SMBIOS (smbios.c) ------------------------------------------------------------- */

void vmm_vmware_options(struct machine *machine, struct hvs_vmw_options *options);
/* Fills guestinfo and sets the balloon's target; nothing where VMware is not presented. After the VM's start. */
int vmm_vmware_start(struct machine *machine);
/* Asks the guest's tools to power off. HVS_OK, HVS_ENOENT (VMware is not presented), HVS_ENOSPC. */
int vmm_vmware_poweroff(struct machine *machine);
/* RAM is there. */
void vmm_smbios_write(struct machine *machine);

/* A request of domain 0, whose answer it returns: HVS_OK, or why not. After the VM's start. */
static inline int vmm_xen_ask(struct machine *machine, enum hvs_xen_request request, void *data)
{
    return hvs_kvm_request(machine->shim, &hvs_xen_personality, request, data);
}

/* --- RAM for Xen's pages where there was none (xen_back.c) ------------------------------------------------------ */

enum { VMM_XEN_BACK_SLOT = 8 };         /* and up, of KVM's memory slots */
void vmm_xen_back_options(struct machine *machine, struct hvs_xen_options *options);
/* The vCPU's thread, behind each exit that was the library's. */
void vmm_xen_back_serve(struct machine *machine);
void vmm_xen_back_destroy(struct machine *machine);

/* --- Xen's console (xen_console.c): the main thread, but for the options ---------------------------------------- */

void vmm_xen_console_options(struct machine *machine, struct hvs_xen_options *options);
/* Says whether the guest has written to it. Any thread. */
bool vmm_xen_console_is_used(const struct machine *machine);
bool vmm_xen_console_has_room(const struct machine *machine);
void vmm_xen_console_receive(struct machine *machine, uint8_t byte);
/* Carries on what was written and typed, as far as that can be without waiting. Returns whether something is left. */
bool vmm_xen_console_serve(struct machine *machine);

/* --- xenstore (xenstore.c) -------------------------------------------------------------------------------------- */

/* Writes what the user wants in it; nothing where Xen is not presented. After the VM's start. */
int vmm_xenstore_start(struct machine *machine);
/* As vmm_vmware_poweroff: by control/shutdown. */
int vmm_xenstore_poweroff(struct machine *machine);
/* Asks the guest to suspend itself. Returns at once; says so where nobody can be asked. */
void vmm_xenstore_suspend(struct machine *machine);

/* --- disks of Xen guests (xen_disk.c): nothing where options->nr_xen_disks is 0 ---------------------------------- */

#define VMM_MAX_XEN_DISKS 16u
int vmm_xen_disk_create(struct machine *machine);
void vmm_xen_disk_options(struct machine *machine, struct hvs_xen_options *options);
/* Once the library's VM has started; stopped before that is destroyed, destroyed after it. */
int vmm_xen_disk_start(struct machine *machine);
/* Around HVS_XEN_RESUME, with the vCPUs stopped: what the guest had granted is gone, and it looks for its disks anew. */
void vmm_xen_disk_forget(struct machine *machine);
void vmm_xen_disk_offer_again(struct machine *machine);
void vmm_xen_disk_stop(struct machine *machine);
void vmm_xen_disk_destroy(struct machine *machine);

/* --- soft power-off (present.c): returns at once; says so where nobody can be asked ------------------------------ */

void vmm_soft_poweroff(struct machine *machine);

/* --- loading (load.c, load_linux.c, load_pvh.c, load_multiboot.c, acpi.c) --------------------------------------- */

struct image {
    const char *path;
    const uint8_t *bytes;
    uint64_t nr_bytes;
};

/* Loads kernel, initrd, command line and tables, and fills machine->boot. RAM is as at power-on: zero. */
int vmm_load(struct machine *machine);
/* Says whether load.c has an entry called `name`. */
bool vmm_load_knows(const char *name);

/* For the loaders. Little-endian fields of a file at an offset that was checked. */
uint32_t vmm_get32(const struct image *image, uint64_t offset);
/* Copies file bytes to guest RAM at or above VMM_IMAGE_GPA, of which memory_bytes must be there. */
int vmm_load_bytes(struct machine *machine, const struct image *image, uint64_t offset, uint64_t file_bytes,
                   uint64_t gpa, uint64_t memory_bytes);
/* Loads what an ELF file (32 or 64 bits) says is to be loaded. */
int vmm_load_elf(struct machine *machine, const struct image *image, uint64_t *entry);
bool vmm_is_elf(const struct image *image);
/* Finds the ELF note that names the PVH entry. */
bool vmm_elf_pvh_entry(const struct image *image, uint32_t *entry);
/* Loads --initrd above everything loaded so far. */
int vmm_load_initrd(struct machine *machine);

bool vmm_linux_probe(const struct image *image);
int vmm_linux_load(struct machine *machine, const struct image *image);
bool vmm_pvh_probe(const struct image *image);
int vmm_pvh_load(struct machine *machine, const struct image *image);
bool vmm_flat_probe(const struct image *image);
int vmm_flat_load(struct machine *machine, const struct image *image);
bool vmm_multiboot_probe(const struct image *image);
int vmm_multiboot_load(struct machine *machine, const struct image *image);

/* Writes the ACPI tables; the RSDP lies at VMM_ACPI_GPA. */
void vmm_acpi_write(struct machine *machine);

/* --- devices: in and out of one access, `size` 1, 2 or 4 bytes at `port` ---------------------------------------- */

uint32_t vmm_port_in(struct machine *machine, uint16_t port, uint32_t size);
void vmm_port_out(struct machine *machine, uint16_t port, uint32_t size, uint32_t value);

#define VMM_SERIAL_PORT 0x3f8u
#define VMM_SERIAL_IRQ 4u
uint32_t vmm_serial_in(struct machine *machine, uint16_t port, uint32_t size);
void vmm_serial_out(struct machine *machine, uint16_t port, uint32_t size, uint32_t value);
/* Says whether the receive buffer can take a byte; where it cannot, the main thread is woken once it can. */
bool vmm_serial_has_room(struct machine *machine);
void vmm_serial_receive(struct machine *machine, uint8_t byte);

#define VMM_CMOS_CENTURY 0x32u
uint32_t vmm_cmos_in(struct machine *machine, uint16_t port, uint32_t size);
void vmm_cmos_out(struct machine *machine, uint16_t port, uint32_t size, uint32_t value);

#define VMM_RESET_PORT 0xcf9u
#define VMM_RESET_VALUE 0x06u
#define VMM_PM_PORT 0x600u              /* 6 bytes PM1a, then at + 8 the timer */
#define VMM_PM_TIMER_PORT 0x608u
uint32_t vmm_pm_in(struct machine *machine, uint16_t port, uint32_t size);
void vmm_pm_out(struct machine *machine, uint16_t port, uint32_t size, uint32_t value);
uint32_t vmm_pm_timer_in(struct machine *machine, uint16_t port, uint32_t size);

/* PCI (pci.c): there where a kernel that is not told by PVH is to see Xen. */
#define VMM_PCI_PORT 0xcf8u
#define VMM_PCI_IO_PORT 0xc000u         /* of a page, where devices may have ports */
#define VMM_PCI_PLATFORM 2u             /* the device number */
#define VMM_PCI_GSI 11u                 /* its INTA, and nobody else's */
enum { VMM_PCI_SLOT = 3 };              /* of KVM's memory slots */
int vmm_pci_create(struct machine *machine);
void vmm_pci_destroy(struct machine *machine);
uint32_t vmm_pci_in(struct machine *machine, uint16_t port, uint32_t size);
void vmm_pci_out(struct machine *machine, uint16_t port, uint32_t size, uint32_t value);
/* For hvs_xen_options. */
uint32_t vmm_pci_intx_gsi(void *ctx, uint32_t device, uint32_t pin);

/* --- console (console.c) ---------------------------------------------------------------------------------------- */

/* Takes over terminal and signals. The caller closes it, whatever this returns. */
int vmm_console_open(struct console **console);
/* Gives them back. Returns the signal that ended the run, which the caller then raises, or 0. */
int vmm_console_close(struct console *console);
/* Whether a signal asked for the end, perhaps while the machine was ending for another reason. */
bool vmm_console_has_signal(const struct console *console);
/* Serves input and signals until the machine has ended. */
void vmm_console_run(struct console *console, struct machine *machine);
void vmm_console_write(struct machine *machine, uint8_t byte);
/* Puts down as many of `bytes` as there is room for, without waiting. For the main thread. Returns how many. */
uint32_t vmm_console_add(struct console *console, const uint8_t *text, uint32_t bytes);
/* After the vCPUs have stopped: writes what is left, where that does not wait. */
void vmm_console_finish(struct console *console, struct machine *machine);

#endif
