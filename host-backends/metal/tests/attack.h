/* What the attacking guest's files share. */
#ifndef HVSHIM_METAL_ATTACK_H
#define HVSHIM_METAL_ATTACK_H

#include <stdbool.h>
#include <stdint.h>

enum { HYPERVISOR_GPA = 0x200000, UD = 6, DF = 8, GP = 13, DB = 1, NMI = 2, NONE = -1 };
#define ONES 0xffffffffu

extern volatile int caught;             /* the last exception, and how many there were */
extern volatile uint32_t nr_caught, recover;

/* Executes `insn`; `caught` is the exception that came of it, or NONE. */
#define TRY(insn, ...) \
    do { \
        caught = NONE; \
        __asm__ volatile("movl $1f, recover\n\t" insn "\n1:\n\tmovl $0, recover" __VA_ARGS__); \
    } while (0)

void check(const char *name, bool holds);

/* attack_dma.c: by QEMU's device `edu`, where there is one. */
void try_dma(void);

#endif
