/* What the files of the conformance kernel share. Also included by entry.S. */
#ifndef CONFORM_H
#define CONFORM_H

#define CONFORM_AP_PAGE 8               /* where other CPUs start, in real mode */
#define CONFORM_AP_STACK_BYTES 8192
#define CONFORM_USER_CODE 0x23
#define CONFORM_USER_DATA 0x1b
#define CONFORM_CODE_32 0x38
#define CONFORM_CODE_64 0x08
#define CONFORM_DATA 0x10
/* struct matrix_regs */
#define CONFORM_XMM 120

#ifndef __ASSEMBLER__

#include <stdint.h>

#include "matrix.h"

_Static_assert(offsetof(struct matrix_regs, xmm) == CONFORM_XMM, "entry.S reads struct matrix_regs");

/* entry.S */
extern const uint8_t conform_ap_begin[], conform_ap_end[];
extern uint8_t conform_ap_stacks[];
/* Loads the registers, calls `page`, stores them. */
void conform_call(struct matrix_regs *regs, uint64_t page);
/* The same by 32-bit code, in compatibility mode. All it touches lies below 4 GiB. */
void conform_call32(struct matrix_regs *regs, uint64_t page);
/* A place to call so: WRMSR. */
extern const uint8_t conform_wrmsr32[];
/* The same at CPL 3; comes back by a divide error, or by whatever the call faults with. RAX is then two words below
   `stack`. */
__attribute__((noreturn)) void conform_call_user(struct matrix_regs *regs, uint64_t page, uint64_t stack);

/* ports.S: with the registers of `regs` */
void conform_port(struct matrix_regs *regs, enum matrix_port how);
__attribute__((noreturn)) void conform_port_user(struct matrix_regs *regs, enum matrix_port how, uint64_t stack);

/* cpus.c: other CPUs do one thing at a time for this one */
enum conform_order { CONFORM_IDLE, CONFORM_CPUID, CONFORM_RDMSR, CONFORM_WRMSR };
struct conform_work {
    enum conform_order order;
    uint32_t index;
    uint64_t value;
    uint32_t regs[4];
    int fault;
};
/* Starts the others; the number of CPUs that answer. */
uint32_t conform_cpus_start(void);
/* Has this one, which may be the caller's, do it. There must be so many. */
void conform_cpus_do(uint32_t vp, struct conform_work *work);
uint32_t conform_cpus_apic_id(uint32_t vp);
void conform_ap_main(uint32_t number);

/* user.c: makes CPL 3 possible */
void conform_user_init(void);
/* Calls `page` at CPL 3; of the registers only RAX comes back. Returns MATRIX_NO_FAULT or the exception. */
int conform_user_call(struct matrix_regs *regs, uint64_t page);
/* A port instruction at CPL 3. Likewise. */
int conform_user_port(struct matrix_regs *regs, enum matrix_port how);

/* main.c */
extern char conform_words[];

/* screen.c */
void conform_screen_write(const char *text, size_t bytes);

/* rpc.c: reads guestinfo.bench over GuestRPC. Returns the bytes of the last reply; 0: it failed. */
uint32_t conform_read_guestinfo(uint32_t times, bool by_blocks);
/* A line for the log of VMware's host. */
void conform_log(const char *text, uint32_t bytes);

/* tell.c: tells it by the channels of the interfaces that are there. `text` lies below 4 GiB, in one piece. */
void conform_tell(const struct matrix_env *env, const char *text, uint32_t bytes);

#endif
#endif
