/*
 * What enters: one normalised exit, and the registers it came with.
 *
 * Timer expiry, host messages, resets and loads are exits too; nothing enters by another door. An exit that carries
 * registers is dispatched by the thread that runs the vCPU. The others (kinds from HVS_EXIT_TIMER on) may come from
 * any thread: the core serialises the exits of one vCPU.
 */
#ifndef HVSHIM_EXIT_H
#define HVSHIM_EXIT_H

#include <hvshim/base.h>

enum hvs_exit_kind {
    HVS_EXIT_CPUID,             /* regs: RAX leaf, RCX subleaf in; RAX RBX RCX RDX out */
    HVS_EXIT_MSR_READ,          /* msr.index in; outcome.value out; no registers needed */
    HVS_EXIT_MSR_WRITE,         /* msr.index, msr.value in; no registers needed */
    HVS_EXIT_HYPERCALL,         /* hypercall.slot, and all of regs */
    HVS_EXIT_PIO,               /* pio.*, and all of regs; IN leaves its value in regs->rax */
    HVS_EXIT_TIMER,             /* this vCPU's deadline may have passed */
    HVS_EXIT_RESET,             /* this vCPU (VP 0: and the VM) goes back to power-on; no other vCPU may run */
    HVS_EXIT_HOST,              /* the host has something for a personality: host.*; outcome.value is its answer */
    HVS_NR_EXIT_KINDS,
};

/* hypercall.slot where the instruction itself trapped (VMCALL, VMMCALL): the personalities are asked in order. */
#define HVS_SLOT_RAW 0xffu

struct hvs_personality;

struct hvs_exit {
    enum hvs_exit_kind kind;
    union {
        struct {
            uint32_t index;
            uint64_t value;     /* for a write */
        } msr;
        struct {
            uint8_t slot;       /* the personality whose hypercall page was left, or HVS_SLOT_RAW */
            bool is_signal;     /* by signal_insn, with a number in EAX that signals nothing */
        } hypercall;
        struct {
            const struct hvs_personality *to;
            uint32_t request;   /* as the header of that personality says, which also makes these exits */
            void *data;
        } host;
        struct {
            uint16_t port;
            uint8_t size_bytes; /* of one item: 1, 2, 4 */
            bool is_in;
            bool is_string;     /* INS or OUTS */
            uint32_t count;     /* items that the instruction has left; 1 without a REP prefix */
        } pio;
    };
};

/*
 * The general registers with what decides how to read them. `cr3 cr4 efer` serve the walk of guest page tables.
 * The backend fills all of it for HYPERCALL and PIO; it takes back only RAX..R15. INS and OUTS at a port whose row
 * takes them come with the registers as they are before the instruction; what is taken back is as behind it, RCX 0.
 */
struct hvs_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
    uint8_t cpl;                /* 0..3; 3 in virtual-8086 mode */
    uint8_t code_bits;          /* 16, 32 or 64: the width of the running code segment */
    uint8_t pad[6];
};

#define HVS_CR0_PE (1ull << 0)
#define HVS_CR0_PG (1ull << 31)
#define HVS_CR4_PSE (1ull << 4)
#define HVS_CR4_PAE (1ull << 5)
#define HVS_CR4_LA57 (1ull << 12)
#define HVS_EFER_LMA (1ull << 10)

#endif
