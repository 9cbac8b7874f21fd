/*
 * Into the guest and back. VMRUN and #VMEXIT exchange RAX, RSP, RIP, RFLAGS, the segments CS SS DS ES and the control
 * registers; the other general registers are exchanged here. FS, GS, TR, LDTR and the system-call MSRs stay the
 * guest's: the hypervisor uses none of them, so svm_load() is needed only before a CPU's first entry.
 */
#define RBX 8
#define RCX 16
#define RDX 24
#define RSI 32
#define RDI 40
#define RBP 56
#define R8 64
#define R9 72
#define R10 80
#define R11 88
#define R12 96
#define R13 104
#define R14 112
#define R15 120

    .text
/* void svm_enter(uint64_t vmcb, struct hvs_regs *regs) */
    .globl svm_enter
svm_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rsi
    mov %rdi, %rax
    mov RBX(%rsi), %rbx
    mov RCX(%rsi), %rcx
    mov RDX(%rsi), %rdx
    mov RDI(%rsi), %rdi
    mov RBP(%rsi), %rbp
    mov R8(%rsi), %r8
    mov R9(%rsi), %r9
    mov R10(%rsi), %r10
    mov R11(%rsi), %r11
    mov R12(%rsi), %r12
    mov R13(%rsi), %r13
    mov R14(%rsi), %r14
    mov R15(%rsi), %r15
    mov RSI(%rsi), %rsi
    clgi
    vmrun %rax
    xchg %rsi, (%rsp)
    mov %rbx, RBX(%rsi)
    mov %rcx, RCX(%rsi)
    mov %rdx, RDX(%rsi)
    mov %rdi, RDI(%rsi)
    mov %rbp, RBP(%rsi)
    mov %r8, R8(%rsi)
    mov %r9, R9(%rsi)
    mov %r10, R10(%rsi)
    mov %r11, R11(%rsi)
    mov %r12, R12(%rsi)
    mov %r13, R13(%rsi)
    mov %r14, R14(%rsi)
    mov %r15, R15(%rsi)
    pop %rax
    mov %rax, RSI(%rsi)
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
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
