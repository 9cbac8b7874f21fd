/*
 * Attacks by a device's DMA, which an IOMMU must stop: QEMU's `edu` copies between memory and a buffer of its own [QEMU
 * docs/specs/edu]. Where nothing stops it the hypervisor's multiboot header alone is overwritten, which is no longer
 * read; else all of its image.
 */
#include "attack.h"

enum { ADDRESS = 0xcf8, DATA = 0xcfc, EDU_ID = 0x11e81234, COMMAND = 4, MEMORY_AND_MASTER = 6, BAR0 = 0x10 };
enum { SOURCE = 0x80, TARGET = 0x88, COUNT = 0x90, DO = 0x98, RUN = 1, TO_MEMORY = 2, BUFFER = 0x40000 };
enum { PAGE_BYTES = 4096, MOST_BYTES = 2048, NR_IMAGE_PAGES = 64, IOMMU_SWITCH = 0x18 };

static uint32_t edu;            /* its registers; 0: there is none */
static uint32_t own[MOST_BYTES / 4];

static uint32_t config(uint32_t device, uint32_t at)
{
    uint32_t value;

    __asm__ volatile("outl %0, %1" : : "a"(1u << 31 | device << 11 | at), "Nd"((uint16_t)ADDRESS));
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)DATA));
    return value;
}

/* On bus 0. */
static void find(void)
{
    for (uint32_t device = 0; device < 32 && !edu; device++) {
        if (config(device, 0) != EDU_ID)
            continue;
        edu = config(device, BAR0) & ~15u;
        __asm__ volatile("outl %0, %1" : : "a"(config(device, COMMAND) | MEMORY_AND_MASTER), "Nd"((uint16_t)DATA));
    }
}

static volatile uint32_t *reg(uint32_t at)
{
    return (volatile uint32_t *)(edu + at);
}

static void copy(uint32_t from, uint32_t to, uint32_t bytes, uint32_t direction)
{
    *reg(SOURCE) = from;
    *reg(TARGET) = to;
    *reg(COUNT) = bytes;
    *reg(DO) = RUN | direction;
    while (*reg(DO) & RUN)
        __asm__ volatile("pause" : : : "memory");
}

/* What the device reads at `gpa`. */
static uint32_t peek(uint32_t gpa)
{
    own[0] = 0x5a5a5a5a;
    copy(gpa, BUFFER, 4, 0);
    copy(BUFFER, (uint32_t)own, 4, TO_MEMORY);
    return own[0];
}

/* Has the device write `value` to `bytes` at `gpa`. */
static void poke(uint32_t gpa, uint32_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes / 4; i++)
        own[i] = value;
    copy((uint32_t)own, BUFFER, bytes, 0);
    copy(BUFFER, gpa, bytes, TO_MEMORY);
}

/* The registers of QEMU's two IOMMUs. Both are switched off by zeros at one offset. */
static void try_registers(void)
{
    static const uint32_t gpa[] = {0xfed80000, 0xfed90000};
    uint32_t nr_faults = 0;

    for (uint32_t i = 0; i < 2; i++) {
        poke(gpa[i] + IOMMU_SWITCH, 0, 8);
        TRY("movl $0, (%0)", : : "r"(gpa[i] + IOMMU_SWITCH) : "memory");
        nr_faults += caught == GP && *(volatile uint32_t *)gpa[i] == ONES;
    }
    check("the IOMMU's registers are not there", nr_faults == 1);
    check("and a device does not switch it off", peek(HYPERVISOR_GPA) == ONES);
}

void try_dma(void)
{
    static volatile uint32_t target;
    uint32_t eax = 0;

    find();
    if (!edu)
        return;
    poke((uint32_t)&target, 0x12345678, 4);
    check("a device writes to the guest's memory", target == 0x12345678);
    check("and reads it", peek((uint32_t)&target) == 0x12345678);
    poke(HYPERVISOR_GPA, 0xcccccccc, 4);
    check("a device does not write to the hypervisor's memory", peek(HYPERVISOR_GPA) != 0xcccccccc);
    check("it reads ones there", peek(HYPERVISOR_GPA) == ONES);
    if (peek(HYPERVISOR_GPA) != ONES)
        return;
    try_registers();
    poke(HYPERVISOR_GPA, 0xcccccccc, MOST_BYTES);
    for (uint32_t page = 1; page < NR_IMAGE_PAGES; page++)
        copy(BUFFER, HYPERVISOR_GPA + page * PAGE_BYTES, MOST_BYTES, TO_MEMORY);
    __asm__ volatile("cpuid" : "+a"(eax) : : "ebx", "ecx", "edx");
    check("the hypervisor outlives a device's writes all over it", eax);
}
