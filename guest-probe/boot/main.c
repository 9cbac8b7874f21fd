/*
 * The probe as a kernel of its own: its options, its exit status, and what the library asks of it.
 */
#include "boot.h"

#include "cpu.h"
#include "env.h"
#include "probe.h"

enum { NR_PAGES = 32 };

int boot_main(uint32_t how, uint32_t information)
{
    boot_serial_init();
    boot_trap_init();
    boot_apic_init();
    struct probe_options options = probe_options(boot_command_line(how, information));
    return probe_run(&options) ? BOOT_SOUND : BOOT_LIES;
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

/* start.S maps 4 GiB. */
const void *env_map(uint64_t gpa, uint32_t bytes)
{
    return gpa + bytes <= 1ull << 32 ? (const void *)(uintptr_t)gpa : NULL;
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
