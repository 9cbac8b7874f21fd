/* The guest's general registers but RAX and RSP, from and to a struct hvs_regs at RDI, for both enter.S. */
#define RAX 0
#define RBX 8
#define RCX 16
#define RDX 24
#define RSI 32
#define RDI 40
#define RBP 56

.macro load_regs
    mov RBX(%rdi), %rbx
    mov RCX(%rdi), %rcx
    mov RDX(%rdi), %rdx
    mov RSI(%rdi), %rsi
    mov RBP(%rdi), %rbp
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15
    mov 8 * \n(%rdi), %r\n
    .endr
    mov RDI(%rdi), %rdi
.endm

/* The top of the stack holds where to, and is popped. RAX is lost. */
.macro save_regs
    xchg %rdi, (%rsp)
    mov %rbx, RBX(%rdi)
    mov %rcx, RCX(%rdi)
    mov %rdx, RDX(%rdi)
    mov %rsi, RSI(%rdi)
    mov %rbp, RBP(%rdi)
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15
    mov %r\n, 8 * \n(%rdi)
    .endr
    pop %rax
    mov %rax, RDI(%rdi)
.endm

/* Those that a C function must leave as they were. */
.macro push_own
    .irp r, rbx, rbp, r12, r13, r14, r15
    push %\r
    .endr
.endm
.macro pop_own
    .irp r, r15, r14, r13, r12, rbp, rbx
    pop %\r
    .endr
.endm
