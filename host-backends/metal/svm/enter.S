/*
 * Into the guest and back. VMRUN and #VMEXIT exchange RAX, RSP, RIP, RFLAGS, the segments CS SS DS ES and the control
 * registers; the other general registers are exchanged here. FS, GS, TR, LDTR and the system-call MSRs stay the
 * guest's: the hypervisor uses none of them, so svm_load() is needed only before a CPU's first entry.
 */
#include "../common/regs.h"

    .text
/* void svm_enter(struct hvs_regs *regs, uint64_t vmcb) */
    .globl svm_enter
svm_enter:
    push_own
    push %rdi
    mov %rsi, %rax
    load_regs
    clgi
    vmrun %rax
    save_regs
    pop_own
    ret

/* void svm_load(uint64_t vmcb) */
    .globl svm_load
svm_load:
    mov %rdi, %rax
    vmload %rax
    ret

/* void svm_take_nmi(void): lets a pending NMI in, whose handler only returns; else it would be pending for ever. */
    .globl svm_take_nmi
svm_take_nmi:
    stgi
    nop
    clgi
    ret

/* void svm_sleep(void): until an NMI comes, and takes it. */
    .globl svm_sleep
svm_sleep:
    stgi
    hlt
    clgi
    ret

    .section .note.GNU-stack, "", @progbits
