/* The instructions that C has no words for, and the architectural numbers that several files need [AMD APM; SDM]. */
#ifndef HVSHIM_METAL_X86_H
#define HVSHIM_METAL_X86_H

#include <stdint.h>

#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC_ICR 0x830u
#define MSR_EFER 0xc0000080u
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_ADDRESS 0x000ffffffffff000ull

#define CR0_RESET 0x60000010u           /* CD NW ET */
#define CR0_PROTECTED 0x11u             /* ET PE */
#define CR4_OSXSAVE (1u << 18)
#define CR4_PKE (1u << 22)
#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NXE (1u << 11)
#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_RF (1ull << 16)
#define RFLAGS_VM (1ull << 17)
#define DR6_BS (1ull << 14)

enum { VECTOR_DB = 1, VECTOR_NMI = 2 };

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

#define PORT_ACCESS(bits, suffix) \
    static inline uint##bits##_t in##bits(uint16_t port) \
    { \
        uint##bits##_t value; \
\
        __asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port)); \
        return value; \
    } \
    static inline void out##bits(uint16_t port, uint##bits##_t value) \
    { \
        __asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port)); \
    }
PORT_ACCESS(8, "b")
PORT_ACCESS(16, "w")
PORT_ACCESS(32, "l")

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

#endif
