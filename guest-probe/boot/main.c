/*
 * The probe as a kernel of its own: from the loader's information to the exit status.
 */
#include "boot.h"

#include "cpu.h"
#include "env.h"
#include "probe.h"

enum {
    ISA_DEBUG_EXIT = 0xf4,
    NR_PAGES = 32,
    MULTIBOOT_HAS_CMDLINE = 1u << 2,
};
#define PVH_MAGIC 0x336ec578u
#define ABOVE_MAPPING ((volatile uint8_t *)(1ull << 39))

/* What the two loaders leave [Multiboot 0.6.96 3.3; Xen public/arch-x86/hvm/start_info.h], as far as it is used. */
struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};
struct pvh_start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist_paddr, cmdline_paddr;
};

static const char *command_line(uint32_t how, uint32_t information)
{
    if (how == BOOT_BY_MULTIBOOT) {
        const struct multiboot_info *info = (const void *)(uintptr_t)information;
        return info->flags & MULTIBOOT_HAS_CMDLINE ? (const char *)(uintptr_t)info->cmdline : "";
    }
    const struct pvh_start_info *info = (const void *)(uintptr_t)information;
    if (info->magic != PVH_MAGIC || info->cmdline_paddr == 0 || info->cmdline_paddr > UINT32_MAX)
        return "";
    return (const char *)(uintptr_t)info->cmdline_paddr;
}

int boot_main(uint32_t how, uint32_t information)
{
    boot_serial_init();
    boot_trap_init();
    boot_apic_init();
    struct probe_options options = probe_options(command_line(how, information));
    return probe_run(&options) ? BOOT_SOUND : BOOT_LIES;
}

void boot_exit(int status)
{
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } no_idt = {0, 0};

    boot_out8(ISA_DEBUG_EXIT, (uint8_t)status);
    /* No such device: a page fault without an IDT shuts the CPU down, which resets the machine. */
    __asm__ volatile("lidt %0" : : "m"(no_idt));
    for (;;)
        *ABOVE_MAPPING = 0;
}

bool env_is_cpl0(void)
{
    return true;
}

void env_cpuid(uint32_t leaf, uint32_t subleaf, struct env_cpuid *regs)
{
    cpu_cpuid(leaf, subleaf, regs);
}

struct msr_access {
    uint32_t index;
    uint64_t value;
};

static void read_msr(void *arg)
{
    struct msr_access *access = arg;
    access->value = cpu_rdmsr(access->index);
}

static void write_msr(void *arg)
{
    const struct msr_access *access = arg;
    cpu_wrmsr(access->index, access->value);
}

enum env_answer env_rdmsr(uint32_t index, uint64_t *value)
{
    struct msr_access access = {.index = index};
    if (env_try(read_msr, &access) != ENV_NO_FAULT)
        return ENV_FAULT;
    *value = access.value;
    return ENV_DONE;
}

enum env_answer env_wrmsr(uint32_t index, uint64_t value)
{
    struct msr_access access = {.index = index, .value = value};
    return env_try(write_msr, &access) == ENV_NO_FAULT ? ENV_DONE : ENV_FAULT;
}

enum env_answer env_in32(struct env_regs *regs)
{
    cpu_in32(regs);
    return ENV_DONE;
}

void *env_page(void)
{
    static _Alignas(ENV_PAGE_BYTES) uint8_t pages[NR_PAGES][ENV_PAGE_BYTES];
    static uint32_t nr_used;
    return nr_used < NR_PAGES ? pages[nr_used++] : NULL;
}

const char *env_fact(enum env_fact fact)
{
    (void)fact;
    return NULL;
}

void env_kernel_clock(void)
{
}

void env_print(const char *text, size_t bytes)
{
    boot_serial_write(text, bytes);
}
