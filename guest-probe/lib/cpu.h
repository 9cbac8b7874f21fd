/*
 * Instructions as functions. No fence beside RDTSC: what is timed either leaves the guest, which serialises, or is
 * short enough that a few cycles of reordering do not matter; and not every emulator knows LFENCE.
 */
#ifndef PROBE_CPU_H
#define PROBE_CPU_H

#include <stdint.h>

#include "env.h"

static inline uint64_t cpu_rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t cpu_rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void cpu_wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline void cpu_cpuid(uint32_t leaf, uint32_t subleaf, struct env_cpuid *regs)
{
    __asm__ volatile("cpuid"
                     : "=a"(regs->eax), "=b"(regs->ebx), "=c"(regs->ecx), "=d"(regs->edx)
                     : "a"(leaf), "c"(subleaf));
}

/* IN EAX, DX with all six registers of the VMware backdoor at their full width. */
static inline void cpu_in32(struct env_regs *regs)
{
    __asm__ volatile("inl %%dx, %%eax"
                     : "+a"(regs->rax), "+b"(regs->rbx), "+c"(regs->rcx), "+d"(regs->rdx), "+S"(regs->rsi),
                       "+D"(regs->rdi)
                     :
                     : "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* Keeps the compiler from moving memory accesses across. */
static inline void cpu_barrier(void)
{
    __asm__ volatile("" : : : "memory");
}

#endif
