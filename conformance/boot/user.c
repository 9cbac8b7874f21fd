/*
 * CPL 3 for a single call [Intel SDM 3A ch. 6.14, 7.7]: segments, a TSS with the stack for faults, and page tables that
 * let it in.
 */
#include "conform.h"

#include "boot.h"
#include "env.h"

enum {
    NR_DESCRIPTORS = 8,
    TSS_SELECTOR = 0x28,
    PAGE_USER = 4,
    PAGE_PRESENT = 1,
    VECTOR_DIVIDE = 0,
    STACK_BYTES = 4096,
};

static struct __attribute__((packed)) {
    uint32_t reserved0;
    uint64_t rsp0;
    uint32_t reserved1[22];
    uint16_t reserved2, io_map;
} tss;
_Static_assert(sizeof(tss) == 104, "a 64-bit TSS is 104 bytes");

static uint64_t gdt[NR_DESCRIPTORS];
static _Alignas(16) uint8_t fault_stack[STACK_BYTES], user_stack[STACK_BYTES];

static void load_gdt(void)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        const void *base;
    } pointer = {sizeof(gdt) - 1, gdt};
    uint64_t base = (uintptr_t)&tss;

    gdt[1] = 0x00af9b000000ffff;        /* as start.S has them */
    gdt[2] = 0x00cf93000000ffff;
    gdt[CONFORM_USER_DATA / 8] = 0x00cff3000000ffff;
    gdt[CONFORM_USER_CODE / 8] = 0x00affb000000ffff;
    gdt[TSS_SELECTOR / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
    gdt[CONFORM_CODE_32 / 8] = 0x00cf9b000000ffff;
    tss.rsp0 = (uintptr_t)(fault_stack + STACK_BYTES);
    tss.io_map = sizeof(tss);           /* no port is open */
    __asm__ volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(TSS_SELECTOR) : "memory");
}

/* The first gigabyte, which start.S maps in pages of 2 MiB. */
static void open_pages(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    uint64_t *table = (uint64_t *)(uintptr_t)(cr3 & ~0xfffull);
    for (uint32_t level = 0; level < 2; level++) {
        table[0] |= PAGE_USER;
        table = (uint64_t *)(uintptr_t)(table[0] & ~0xfffull);
    }
    for (uint32_t i = 0; i < 512; i++)
        if (table[i] & PAGE_PRESENT)
            table[i] |= PAGE_USER;
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

void conform_user_init(void)
{
    load_gdt();
    open_pages();
}

struct user_call {
    struct matrix_regs *regs;
    uint64_t page;
};

static void call(void *arg)
{
    const struct user_call *call = arg;

    conform_call_user(call->regs, call->page, (uintptr_t)(user_stack + STACK_BYTES));
}

int conform_user_call(struct matrix_regs *regs, uint64_t page)
{
    int vector = env_try(call, &(struct user_call){regs, page});

    if (vector != VECTOR_DIVIDE)
        return vector;
    regs->rax = *(uint64_t *)(void *)(user_stack + STACK_BYTES - 2 * sizeof(uint64_t));
    return MATRIX_NO_FAULT;
}

struct user_port {
    struct matrix_regs *regs;
    enum matrix_port how;
};

static void port(void *arg)
{
    const struct user_port *port = arg;

    conform_port_user(port->regs, port->how, (uintptr_t)(user_stack + STACK_BYTES));
}

int conform_user_port(struct matrix_regs *regs, enum matrix_port how)
{
    int vector = env_try(port, &(struct user_port){regs, how});

    return vector == VECTOR_DIVIDE ? MATRIX_NO_FAULT : vector;
}
