/*
 * Private to hvshim-metal: what its files share.
 *
 * All memory is identity-mapped. The hypervisor runs with interrupts off; once a CPU has entered the guest, NMIs are
 * off too except where the vendor lets one in. So nothing here is ever interrupted, and locks are plain spin locks.
 */
#ifndef HVSHIM_METAL_METAL_H
#define HVSHIM_METAL_METAL_H

#include <hvshim/clock.h>
#include <hvshim/hvshim.h>
#include <hvshim/store.h>
#include <hvshim/trace.h>

#include "vendor.h"
#include "x86.h"

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

static inline uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint64_t get64(const uint8_t *at)
{
    return (uint64_t)get32(at + 4) << 32 | get32(at);
}

static inline struct hvs_text text_of(const char *text)
{
    uint32_t bytes = 0;

    while (text[bytes])
        bytes++;
    return (struct hvs_text){text, bytes};
}

enum { MAX_CPUS = 64, MAX_MEMORY_RANGES = 96, MAX_GUESTINFO = 16, LARGE_PAGE_BYTES = 2 << 20,
       COMMAND_LINE_BYTES = 2048, E820_ENTRY_BYTES = 20 };

/* Guest RAM below 1 MiB that is taken while the guest is being started; then it is the guest's. */
enum { LOW_BOOT_PARAMS = 0x10000, LOW_COMMAND_LINE = 0x11000, LOW_AP_START = 0x12000, LOW_EFI_MAP = 0x13000,
       LOW_EFI_END = 0x1c000, LOW_END = LOW_EFI_MAP };

#define SELECTOR_CODE64 8u
#define MAPPED_BYTES (512ull << 30)     /* identity-mapped by boot/start.S */

/* --- console.c: the first serial port ----------------------------------------------------------------------------- */

void console_init(void);
void console_byte(uint8_t byte);
/* As what a guest may write, who shall not steer a terminal. */
void console_guest_byte(uint8_t byte);
/* Waits until all has left the port, the guest's bytes too: a reset throws away what has not. */
void console_drain(void);
/* Writes a line. Knows %s, %u and %x (uint32_t), %lu and %lx (uint64_t), no widths, and %.*s for a guest's bytes. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says why, and stops this CPU for good, or resets the machine. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- multiboot.c: what the boot loader tells, copied out of its way; options.c; screen.c -------------------------- */

struct memory_range {
    uint64_t gpa, bytes;
    uint32_t type;              /* as in E820: 1 RAM, 2 reserved, 3 ACPI, 4 NVS */
};
HVS_STATIC_ASSERT(offsetof(struct memory_range, type) == 16, "it begins as an E820 entry");

struct module {
    uint64_t gpa, bytes;
};

/* What the loader left the screen in, by the numbers of multiboot 2. */
enum screen_kind { SCREEN_PALETTE = 0, SCREEN_PIXELS = 1, SCREEN_TEXT = 2 };

struct screen {
    enum screen_kind kind;
    uint64_t gpa;
    uint32_t pitch, width, height;      /* in bytes; in pixels or characters */
    uint8_t bits;                       /* of a pixel */
    uint8_t field[6];                   /* position and size of red, green, blue */
};

enum { MAX_EFI_MAP_BYTES = 0x8000 };
#define TEXT_GPA 0xb8000u

struct boot_efi {
    uint64_t systab_gpa;        /* 0: no UEFI, or one of 32 bits */
    uint32_t map_bytes, entry_bytes, entry_version;
    alignas(8) uint8_t map[MAX_EFI_MAP_BYTES];
};

struct boot {
    char command_line[COMMAND_LINE_BYTES];
    struct memory_range memory[MAX_MEMORY_RANGES];
    uint32_t nr_memory;
    struct module module[2];    /* kernel, initrd */
    uint32_t nr_modules;
    uint8_t bios_disk;          /* from which the loader came; 0: unknown */
    bool has_rsdp;
    uint8_t rsdp[36];
    struct screen screen;
    struct boot_efi efi;
};

/* `boot` is zeroed. */
void boot_read(uint32_t magic, uint64_t info, struct boot *boot);
/* Writes one character of a line that begins at the top left, until a line feed ends it. */
void screen_byte(const struct screen *screen, uint8_t byte);

struct options {
    const char *present;
    char *features;             /* comma-separated, for hvs_feature_parse() */
    const char *append;         /* the guest's command line */
    bool wants_stats, shows_stats;      /* stats=serial, stats=page */
    bool has_trace, wants_trace, is_trace_live;         /* trace=, trace=serial or trace=live, trace=live */
    bool is_tsc_trusted, is_apic_open, is_fatal_reset, is_iommu_off;    /* tsc=stable, apic=open, and so on */
    uint32_t disk;              /* disk=0x81: the BIOS's number; 0: not given */
    struct {
        const char *key, *value;
    } guestinfo[MAX_GUESTINFO]; /* guestinfo.key=value */
    uint32_t nr_guestinfo;
};

/* Cuts `command_line` into pieces, to which `options` points afterwards. */
void options_parse(char *command_line, struct options *options);

/* --- memory.c: what is RAM, what of it is ours; port functions ---------------------------------------------------- */

/* Pages that the guest has and its map reserves, right below the image: what lies there is the guest's to change. */
struct lent {
    uint8_t xen[4][HVS_PAGE_BYTES];     /* domain.c */
    uint8_t stats[10][HVS_PAGE_BYTES];  /* stats.c */
    uint8_t trace[2][HVS_PAGE_BYTES];   /* trace.c */
};
extern struct lent lent;

void memory_init(const struct boot *boot);
/* Between these two, memory_take() gives zeroed pages behind the image, in its GiB and below `limit`, or dies. */
void memory_open(uint64_t limit);
void memory_close(void);
void *memory_take(size_t bytes);
/* Reserves what is the end of a range of RAM. */
void memory_reserve(uint64_t gpa, uint64_t bytes);
/* The memory map with our own part reserved. Returns the number of ranges. */
uint32_t memory_map(struct memory_range map[MAX_MEMORY_RANGES]);
/* The same as E820 tells it, in entries of 20 bytes [ACPI 5.0 15.1]. */
uint32_t memory_write_e820(uint8_t *to);
uint64_t memory_bytes(void);
bool memory_is_ours(uint64_t gpa);
/* What memory_is_ours(), and what is lent. */
struct memory_range memory_reserved(void);
/* Says whether any of it is the image, before more is taken. */
bool memory_is_image(uint64_t gpa, uint64_t bytes);
/* Says whether all of it is the guest's RAM. */
bool memory_is_ram(uint64_t gpa, uint64_t bytes);
int port_gpa_read(void *ctx, uint64_t gpa, void *buffer, size_t bytes);
int port_gpa_write(void *ctx, uint64_t gpa, const void *buffer, size_t bytes);
void *port_page_pin(void *ctx, uint64_t gfn);
void port_page_unpin(void *ctx, uint64_t gfn, void *page, bool was_written);

/* --- nested.c: the guest's physical memory is the machine's, but for what is hidden; iommu.c ---------------------- */

void nested_build(void);
/* The same for devices, with entries as `entry` makes them, and in those that point to a table `per_level` for each of
   its levels. Returns the root of four. */
uint64_t nested_build_devices(uint64_t (*entry)(uint64_t hpa, enum nested_entry kind), uint64_t per_level);
/* Guest and devices find nothing there: they read ones, and the guest's write is a nested fault. */
void nested_hide_page(uint64_t gpa);
/* Closes the hypervisor's memory, and hides all of it. */
void nested_close(void);
/* Makes tables for one CPU, which differ from others' in the page at `gpa` alone, whose entry is *own_entry. Returns
   their root. After all nested_hide_page() and before nested_close(), and not in the image's own GiB. */
uint64_t nested_fork(uint64_t gpa, uint64_t **own_entry);
uint32_t machine_phys_bits(void);
/* Between nested_build() and nested_close(): takes the IOMMUs away from the guest, and prepares their tables. */
void iommu_init(void);
/* When what is hidden is final. Returns how many guard the hypervisor from then on; says why another does not. */
uint32_t iommu_start(void);

/* --- acpi.c, efi_map.c -------------------------------------------------------------------------------------------- */

enum acpi_reset { ACPI_RESET_MEMORY = 0, ACPI_RESET_PORT = 1, ACPI_NO_RESET = 0xff };

struct acpi {
    uint32_t nr_cpus;           /* 0: no tables */
    uint32_t apic_id[MAX_CPUS];
    uint8_t *hpet;              /* its table, or NULL */
    uint64_t hpet_gpa;          /* 0: none */
    uint8_t *iommu;             /* IVRS or DMAR, or NULL */
    uint16_t pm1_control[2];    /* ports, 0: none */
    uint16_t sleep_s5[2];       /* what to write there */
    bool has_s5;
    uint8_t reset_space;        /* enum acpi_reset; others are not served */
    uint8_t reset_value;
    uint64_t reset_at;
};

/* Where the BIOS puts it; NULL: nowhere. */
const uint8_t *acpi_find_rsdp(void);
/* `rsdp` may be NULL: there are no tables. */
void acpi_read(const uint8_t *rsdp, struct acpi *acpi);
/* The guest does not find a table: it gets another name. */
void acpi_hide(uint8_t *table);
/* What IVRS or DMAR tells of the IOMMU behind that of `last`; NULL: the first, or there is no more. */
const uint8_t *acpi_next_iommu(const uint8_t *table, const uint8_t *last);
/* Copies UEFI's memory map to `to`, which has room for `to_bytes`, with begin..end reserved. Returns its bytes, or 0
   where they do not fit or the map makes no sense. */
uint32_t efi_map_hide(const struct boot_efi *efi, uint64_t begin, uint64_t end, uint8_t *to, uint32_t to_bytes);

/* --- apic.c: the CPU's own local APIC, which is the guest's too; clock.c, xmm.c ----------------------------------- */

enum { APIC_LOGICAL_DESTINATION = 0xd0, APIC_DESTINATION_FORMAT = 0xe0, APIC_ICR_LOW = 0x300, APIC_ICR_HIGH = 0x310,
       APIC_LVT_TIMER = 0x320, APIC_TIMER_INITIAL = 0x380, APIC_TIMER_CURRENT = 0x390, APIC_TIMER_DIVIDE = 0x3e0 };
enum apic_delivery { APIC_FIXED = 0 << 8, APIC_NMI = 4 << 8, APIC_INIT = 5 << 8, APIC_STARTUP = 6 << 8 };

uint32_t apic_id(void);
uint64_t apic_gpa(void);
uint32_t apic_get(uint32_t reg);
void apic_set(uint32_t reg, uint32_t value);
/* As after INIT. */
void apic_reset(void);
/* Sends an IPI as the guest could; what the guest was about to send stays as it was. */
void apic_send(uint32_t apic_id, enum apic_delivery delivery, uint8_t vector);
void clock_measure(void);
uint64_t clock_tsc_khz(void);
uint64_t clock_apic_hz(void);
bool clock_tsc_is_invariant(void);
/* UTC by the machine's own clock, in s since 1970; 0 where that cannot be read. */
uint64_t clock_utc(void);
void clock_wait_us(uint32_t us);
void port_time_now(void *ctx, struct hvs_instant *now);
int port_xmm_read(void *ctx, uint32_t vp, uint32_t first, uint32_t count, struct hvs_xmm *xmm);
int port_xmm_write(void *ctx, uint32_t vp, uint32_t first, uint32_t count, const struct hvs_xmm *xmm);

/* --- main.c, vm.c: the core's VM on this machine; load_*.c: what it starts ---------------------------------------- */

struct machine {
    const struct vendor *vendor;
    struct boot boot;
    struct options options;
    struct acpi acpi;
    struct hvs_vm *vm;
    bool has_personality;
    uint32_t caught_exceptions; /* a bit for each vector: #GP, where programs are let at VMware's ports */
    uint32_t nr_cpus;
    struct cpu *cpu[MAX_CPUS];  /* by VP */
};

extern struct machine machine;

void vm_create(void);
/* When the memory map is final. */
void vm_start(void);
/* Asks a personality as its host, on this CPU, and does what comes of it. Returns an enum hvs_err. */
int vm_request(struct cpu *self, const struct hvs_personality *to, uint32_t request, void *data);

struct loader {
    bool (*is_mine)(const struct module *kernel);       /* of 0 bytes: there is none */
    /* Moves kernel and initrd to their places; the command line lies at LOW_COMMAND_LINE. Returns the kernel's. */
    uint64_t (*load)(const struct boot *boot);
    /* Tells the kernel its memory, when that is final, and how to start. */
    void (*finish)(struct start *start);
};

extern const struct loader disk_loader, linux_loader, multiboot_loader;

/* --- cpu.c: one CPU, from its start to its last exit; vcpu_time.c ------------------------------------------------- */

enum cpu_state { CPU_WAITS, CPU_STARTS, CPU_RUNS };

struct cpu {
    struct hvs_regs regs;       /* first: svm/enter.S */
    uint32_t vp, apic_id;
    struct hvs_vcpu *vcpu;
    void *vendor_state;
    uint64_t nested_root;
    struct {
        uint64_t nr, cycles;
    } trap[TRAP_BROKEN + 1];
    /* The guest's access to the local APIC's page: icr.c */
    uint64_t *apic_entry;
    uint8_t *apic_scratch;
    uint32_t apic_reg;          /* that is being written, while is_stepping */
    bool is_stepping, nmi_waits;
    uint64_t step_rflags;       /* the guest's TF and IF then */
    uint32_t apic_logical;      /* the logical id, as the guest has written it */
    bool apic_has_clusters;
    /* What other CPUs ask: cpu.c */
    _Atomic enum cpu_state state;
    _Atomic bool is_kicked, guest_nmi;  /* an NMI of ours, or of the guest's, was sent */
    _Atomic uint32_t nr_nmis_coming;    /* that are being sent */
    _Atomic bool flush_wanted, init_wanted, may_start;
    _Atomic int32_t sipi_vector;        /* -1: none */
    _Atomic uint64_t ran;               /* vcpu_time.c */
};
HVS_STATIC_ASSERT(offsetof(struct cpu, regs) == 0, "entry code takes cpu->regs to be first");

/* Makes machine.cpu[] of this CPU, which becomes VP 0, and the others, which are started and wait. */
void cpu_find_all(void);
_Noreturn void cpu_run(struct cpu *cpu, struct start *start);
/* When it returns, the guest finds nothing stale in the target's TLB. */
void cpu_flush(struct cpu *self, struct cpu *target);
/* Has it leave the guest, or its sleep, and look what there is to do. */
void cpu_kick(struct cpu *cpu);
/* Takes an NMI that is known to be on its way to this CPU, and one of the guest's that may have come with it. */
void cpu_take_nmi(struct cpu *cpu);
/* As INIT and start-up IPIs do: the target stops and waits, or, if it waits, begins at vector << 12. */
void cpu_init_signal(struct cpu *self, struct cpu *target);
void cpu_startup(struct cpu *self, struct cpu *target, uint8_t vector);
/* The CPU runs the guest from now on; it does so no more. */
void vcpu_time_start(struct cpu *cpu);
void vcpu_time_stop(struct cpu *cpu);
void port_vcpu_time(void *ctx, uint32_t vp, struct hvs_vcpu_time *time);

/* --- exit.c, apply.c; icr.c: the guest's INIT and start-up IPIs --------------------------------------------------- */

/* For the vendors: RDMSR or WRMSR; how often a string instruction with REP is still to be done. */
void exit_take_msr(bool is_write, const struct hvs_regs *regs, struct trap *trap);
uint32_t exit_nr_left(const struct hvs_regs *regs);
/* #GP, where it is caught: `in_delivery` is the event whose delivery it broke off, as EVENT_ has it. */
void exit_take_gp(struct cpu *cpu, uint32_t in_delivery, uint32_t code, struct trap *trap);
/* Has the core answer trap->exit, or answers as the machine itself would. */
void exit_handle(struct cpu *cpu, const struct trap *trap);
/* The instruction was done for the guest. */
void exit_advance(struct cpu *cpu, const struct trap *trap);
void apply_effects(struct cpu *self, const struct hvs_outcome *out);
/* Between nested_build() and nested_close(): has the CPU's writes to its local APIC caught. */
void icr_guard(struct cpu *cpu);
/* A write to the local APIC's page, by `gpa`. Returns whether it was one. */
bool icr_fault(struct cpu *cpu, uint64_t gpa);
void icr_stepped(struct cpu *cpu);
/* After INIT, which may have come in the middle of such a write. */
void icr_reset(struct cpu *cpu);
/* A write to the ICR in x2APIC mode. */
enum hvs_verdict icr_write_msr(struct cpu *cpu, uint64_t value);

/* --- domain.c: what Xen's guests need of a host; vmware.c --------------------------------------------------------- */

void *domain_options(void);
/* When the memory map is final. */
void domain_tell_memory(void);
/* Writes a piece of what the guest has said on hvc0 to the serial port. Returns whether there was any. */
bool domain_serve(struct cpu *self);
/* Sets vm-data/KEY in xenstore. Returns an enum hvs_err; HVS_ENOTSUP: there is none. */
int domain_give(struct hvs_text key, struct hvs_text value);
void *vmware_options(void);
/* Puts guestinfo where VMware's guest reads it, or Xen's, once the VM is there. */
void guestinfo_start(void);

/* --- timer.c: when a vCPU wants to be called ---------------------------------------------------------------------- */

/* Takes a timer that the guest shall not know, if the CPUs have none. Between nested_build() and nested_close(). */
void timer_init(void);
/* Some timer, this or the CPUs' own. */
bool timer_exists(void);
/* After an NMI, known to be another's or not: deals with what is due. Returns whether it may have been the timer's. */
bool timer_fire(struct cpu *self, bool is_another);
/* `target` has a new deadline. */
void deadline_changed(struct cpu *self, struct cpu *target);
/* Before an entry: has the CPU's own timer, if there is one, end what follows in time. */
void deadline_arm(struct cpu *cpu);
/* Lets the core do what is due for `cpu`, if anything is. */
void deadline_passed(struct cpu *self, struct cpu *cpu);

/* --- stats.c, trace.c --------------------------------------------------------------------------------------------- */

/* Counts why a CPU left the guest, and what it took; after its exit was handled. */
void stats_count(struct cpu *cpu, enum trap_kind kind, uint64_t cycles);
/* Answers CPUID leaf HVS_METAL_STATS_LEAF. */
void stats_show(struct cpuid *r);
void stats_catch(void);
void stats_before_end(uint16_t port, uint32_t value);
void stats_print(void);
/* trace.c: writes those exits to the serial port that it has not told yet, if that is wanted at the end, or now. */
void trace_tell(bool is_end);

/* --- power.c; trap.c: exceptions in the hypervisor itself --------------------------------------------------------- */

_Noreturn void machine_reset(void);
void machine_reset_now(void);           /* returns where that does not work */
_Noreturn void machine_power_off(void);
/* Builds the descriptor table on the first call, and loads it on this CPU. */
void trap_init(void);
/* Has an NMI end in `stub` instead of in one that only returns. */
void trap_set_nmi(const uint8_t *stub);

#endif
