/*
 * Other CPUs [Intel SDM 3A 8.4]: each waits, with interrupts open, for one order at a time.
 *
 * CPUs are numbered in the order of their APIC ids, as hypervisors number them: Xen gives them every second id. While one
 * works the first one waits, so both may use env_try.
 */
#include "conform.h"

#include "boot.h"
#include "cpu.h"
#include "env.h"

enum { MS_TO_ANSWER = 1000 };     /* a busy host may let them wait */

struct cpu {
    volatile bool is_there;
    volatile bool is_asked;
    struct conform_work *volatile work;
};
static struct cpu cpus[BOOT_MAX_CPUS];          /* by APIC id */

/* Places in the code that is copied, as numbers. */
extern const uint8_t conform_ap_cr3[], conform_ap_cr4[], conform_ap_gdt[];

static void carry_out(void *arg)
{
    struct conform_work *work = arg;
    struct env_cpuid regs;

    switch (work->order) {
    case CONFORM_CPUID:
        cpu_cpuid(work->index, 0, &regs);
        work->regs[0] = regs.eax;
        work->regs[1] = regs.ebx;
        work->regs[2] = regs.ecx;
        work->regs[3] = regs.edx;
        break;
    case CONFORM_RDMSR:
        work->value = cpu_rdmsr(work->index);
        break;
    case CONFORM_WRMSR:
        cpu_wrmsr(work->index, work->value);
        break;
    case CONFORM_IDLE:
        break;
    }
}

static void work_off(struct conform_work *work)
{
    work->fault = env_try(carry_out, work);
}

void conform_ap_main(uint32_t number)
{
    (void)number;
    boot_trap_load();
    boot_apic_init();
    uint32_t id = boot_apic_id();
    if (id >= BOOT_MAX_CPUS)
        return;
    struct cpu *cpu = &cpus[id];
    cpu->is_there = true;
    for (;;) {
        /* under emulation the shadow of STI may last beyond a PAUSE that follows it */
        __asm__ volatile("sti; nop; pause; cli" : : : "memory");
        if (!cpu->is_asked)
            continue;
        work_off(cpu->work);
        __atomic_store_n(&cpu->is_asked, false, __ATOMIC_RELEASE);
    }
}

static void copy_start(void)
{
    uint8_t *to = (uint8_t *)((uintptr_t)CONFORM_AP_PAGE << 12);
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } gdt;
    uint64_t cr3, cr4;

    for (const uint8_t *from = conform_ap_begin; from < conform_ap_end; from++)
        to[from - conform_ap_begin] = *from;
    __asm__ volatile("mov %%cr3, %0; mov %%cr4, %1; sgdt %2" : "=r"(cr3), "=r"(cr4), "=m"(gdt));
    *(uint32_t *)(void *)(to + (uintptr_t)conform_ap_cr3) = (uint32_t)cr3;
    *(uint32_t *)(void *)(to + (uintptr_t)conform_ap_cr4) = (uint32_t)cr4;
    *(uint16_t *)(void *)(to + (uintptr_t)conform_ap_gdt) = gdt.limit;
    *(uint32_t *)(void *)(to + (uintptr_t)conform_ap_gdt + 2) = (uint32_t)gdt.base;
}

static uint32_t nr_there(void)
{
    uint32_t nr = 0;

    for (uint32_t id = 0; id < BOOT_MAX_CPUS; id++)
        nr += cpus[id].is_there;
    return nr;
}

/* As many as CPUID has APIC ids for, or those that came in time. Ids that no CPU has cost that time. */
static void wait_for_others(void)
{
    const char *source;
    uint64_t khz = env_tsc_khz(&source);
    uint64_t begin = cpu_rdtsc();
    struct env_cpuid regs;

    cpu_cpuid(1, 0, &regs);
    uint32_t nr = regs.ebx >> 16 & 0xff;
    if (nr > BOOT_MAX_CPUS)
        nr = BOOT_MAX_CPUS;
    while (nr_there() < nr && cpu_rdtsc() - begin < MS_TO_ANSWER * (khz != 0 ? khz : 4000000))
        cpu_relax();
}

uint32_t conform_cpus_start(void)
{
    copy_start();
    cpus[boot_apic_id() % BOOT_MAX_CPUS].is_there = true;
    boot_apic_start_others(CONFORM_AP_PAGE);
    wait_for_others();
    return nr_there();
}

uint32_t conform_cpus_apic_id(uint32_t vp)
{
    uint32_t id = 0;

    for (; id < BOOT_MAX_CPUS; id++)
        if (cpus[id].is_there && vp-- == 0)
            break;
    return id;
}

void conform_cpus_do(uint32_t vp, struct conform_work *work)
{
    uint32_t apic_id = conform_cpus_apic_id(vp);

    if (apic_id == boot_apic_id()) {
        work_off(work);
        return;
    }
    struct cpu *cpu = &cpus[apic_id];
    cpu->work = work;
    __atomic_store_n(&cpu->is_asked, true, __ATOMIC_RELEASE);
    while (__atomic_load_n(&cpu->is_asked, __ATOMIC_ACQUIRE))
        cpu_relax();
}
