/*
 * What the probe library asks of the program that it is linked into: the front.
 *
 * boot/ is the front at CPL 0 without an operating system, linux/ and windows/ are those at CPL 3. What a front cannot
 * do it says (ENV_CANNOT, NULL, false, 0), and the library then reports "untested" instead of guessing.
 */
#ifndef PROBE_ENV_H
#define PROBE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- the processor ------------------------------------------------------------------------------------------------ */

struct env_cpuid {
    uint32_t eax, ebx, ecx, edx;
};
void env_cpuid(uint32_t leaf, uint32_t subleaf, struct env_cpuid *regs);

enum env_answer {
    ENV_DONE,
    ENV_FAULT,                  /* the access raised an exception */
    ENV_CANNOT,                 /* not possible from here */
};
enum env_answer env_rdmsr(uint32_t index, uint64_t *value);
enum env_answer env_wrmsr(uint32_t index, uint64_t value);

struct env_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi;
};
/* IN EAX, DX with all six registers loaded before and stored after. */
enum env_answer env_in32(struct env_regs *regs);

/* Whether privileged instructions can be executed directly, and memory be shared with the hypervisor. */
bool env_is_cpl0(void);

#define ENV_NO_FAULT (-1)
/* Runs fn(arg). Returns ENV_NO_FAULT, or the vector of the exception that ended it. Does not nest. */
int env_try(void (*fn)(void *arg), void *arg);

/* --- memory and interrupts (CPL 0 only) --------------------------------------------------------------------------- */

#define ENV_PAGE_BYTES 4096u
/* A zeroed page whose address is its guest-physical address; never given back. NULL when there is none. */
void *env_page(void);

/* Memory by its guest-physical address, to be read; never given back. At any CPL. NULL where this front cannot. */
const void *env_map(uint64_t gpa, uint32_t bytes);

/* The vector that tests may have delivered to this CPU; 0 when this front takes no interrupts. */
uint8_t env_vector(void);
/* Sends one to this CPU itself, by its own local APIC. Returns false where this front cannot. */
bool env_interrupt_send(void);
/* Forgets interrupts that came before. */
void env_interrupt_arm(void);
/* Lets interrupts in until one came at env_vector() since the last arm. Returns false after `timeout_ns`. */
bool env_interrupt_wait(uint64_t timeout_ns);

/* --- time --------------------------------------------------------------------------------------------------------- */

/* The rate of RDTSC by another clock of the machine, which *source names. 0 when there is none. */
uint64_t env_tsc_khz(const char **source);
/* The rate at which the local APIC timer counts at divisor 1. 0 when it cannot be measured. */
uint64_t env_apic_khz(void);

/* --- the guest's own kernel --------------------------------------------------------------------------------------- */

enum env_fact {
    ENV_FACT_CLOCKSOURCE,       /* the one in use */
    ENV_FACT_KERNEL,            /* all that the kernel says about its hypervisor, joined by "; " */
};
/* NULL where there is no kernel or it does not say. */
const char *env_fact(enum env_fact fact);
/* Reads the kernel's clock the way programs do; without a kernel, nothing. */
void env_kernel_clock(void);
/* Lets others run for so long. Returns false when the user has asked for the end. Only of programs, for --watch. */
bool env_rest(uint64_t ns);

/* --- output ------------------------------------------------------------------------------------------------------- */

void env_print(const char *text, size_t bytes);

#endif
