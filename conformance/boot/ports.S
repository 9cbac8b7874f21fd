/* Port instructions with all of the registers that VMware's interface uses, at CPL 0 or 3. */
#include "conform.h"

#define RAX 0
#define RBX 8
#define RCX 16
#define RDX 24
#define RSI 32
#define RDI 40
#define RBP 48
#define RFLAGS_IOPL_3 0x3002

    .text
    .code64
/* void conform_port(struct matrix_regs *regs, enum matrix_port how): in the order of that enum */
    .globl conform_port
conform_port:
    push %rbx
    push %rbp
    push %r12
    push %r13
    mov %rdi, %r13
    mov %esi, %r12d
    mov RAX(%r13), %rax
    mov RBX(%r13), %rbx
    mov RCX(%r13), %rcx
    mov RDX(%r13), %rdx
    mov RSI(%r13), %rsi
    mov RDI(%r13), %rdi
    mov RBP(%r13), %rbp
    cld
    cmp $1, %r12d
    jb in_32
    je in_16
    cmp $3, %r12d
    jb in_8
    je out_32
    cmp $5, %r12d
    jb out_8
    je ins
    rep outsb
    jmp 1f
in_32:
    in %dx, %eax
    jmp 1f
in_16:
    in %dx, %ax
    jmp 1f
in_8:
    in %dx, %al
    jmp 1f
out_32:
    out %eax, %dx
    jmp 1f
out_8:
    out %al, %dx
    jmp 1f
ins:
    rep insb
1:
    mov %rax, RAX(%r13)
    mov %rbx, RBX(%r13)
    mov %rcx, RCX(%r13)
    mov %rdx, RDX(%r13)
    mov %rsi, RSI(%r13)
    mov %rdi, RDI(%r13)
    mov %rbp, RBP(%r13)
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* void conform_port_user(struct matrix_regs *regs, enum matrix_port how, uint64_t stack): at CPL 3 with all ports open;
   comes back by a divide error, or by whatever the instruction faults with. */
    .globl conform_port_user
conform_port_user:
    pushq $CONFORM_USER_DATA
    push %rdx
    pushq $RFLAGS_IOPL_3
    pushq $CONFORM_USER_CODE
    pushq $user_port
    iretq
user_port:
    call conform_port
    xor %eax, %eax
    div %eax

    .section .note.GNU-stack, "", @progbits
