/*
 * Calls of a hypercall page with all registers given, at CPL 0 and at CPL 3, and the start of other CPUs.
 */
#include "conform.h"

#define RBX 8
#define RCX 16
#define RDX 24
#define RSI 32
#define RDI 40
#define RBP 48
#define R8_ 56
#define R9_ 64
#define R10_ 72
#define R11_ 80
#define R12_ 88
#define R13_ 96
#define R14_ 104
#define R15_ 112
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define CR0_PE_PG 0x80000001
#define CR0_TS_EM_MASK 0xfffffff3

/* %rax points to the struct: load the others */
.macro load_registers
    mov RBX(%rax), %rbx
    mov RCX(%rax), %rcx
    mov RDX(%rax), %rdx
    mov RSI(%rax), %rsi
    mov RDI(%rax), %rdi
    mov RBP(%rax), %rbp
    mov R8_(%rax), %r8
    mov R9_(%rax), %r9
    mov R10_(%rax), %r10
    mov R11_(%rax), %r11
    mov R12_(%rax), %r12
    mov R13_(%rax), %r13
    mov R14_(%rax), %r14
    mov R15_(%rax), %r15
    movups CONFORM_XMM(%rax), %xmm0
    movups CONFORM_XMM + 16(%rax), %xmm1
    movups CONFORM_XMM + 32(%rax), %xmm2
    movups CONFORM_XMM + 48(%rax), %xmm3
    movups CONFORM_XMM + 64(%rax), %xmm4
    movups CONFORM_XMM + 80(%rax), %xmm5
.endm

/* and store them, but RAX */
.macro store_registers
    mov %rbx, RBX(%rax)
    mov %rcx, RCX(%rax)
    mov %rdx, RDX(%rax)
    mov %rsi, RSI(%rax)
    mov %rdi, RDI(%rax)
    mov %rbp, RBP(%rax)
    mov %r8, R8_(%rax)
    mov %r9, R9_(%rax)
    mov %r10, R10_(%rax)
    mov %r11, R11_(%rax)
    mov %r12, R12_(%rax)
    mov %r13, R13_(%rax)
    mov %r14, R14_(%rax)
    mov %r15, R15_(%rax)
    movups %xmm0, CONFORM_XMM(%rax)
    movups %xmm1, CONFORM_XMM + 16(%rax)
    movups %xmm2, CONFORM_XMM + 32(%rax)
    movups %xmm3, CONFORM_XMM + 48(%rax)
    movups %xmm4, CONFORM_XMM + 64(%rax)
    movups %xmm5, CONFORM_XMM + 80(%rax)
.endm

    .text
    .code64
    .globl conform_call
conform_call:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    push %rsi
    mov %rdi, %rax
    load_registers
    mov (%rax), %rax
    call *(%rsp)
    push %rax
    mov 16(%rsp), %rax
    store_registers
    pop %rcx
    mov %rcx, (%rax)
    pop %rsi
    pop %rdi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* Through a far jump and back. */
    .globl conform_call32, conform_wrmsr32
conform_call32:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    mov %esi, call32_target
    mov $CONFORM_DATA, %eax     /* a way back from CPL 3 leaves none, which only 64-bit code can do without */
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %rdi, %rax
    load_registers
    mov (%rax), %rax
    ljmp *to_code32
code64:
    push %rax
    mov 8(%rsp), %rax
    store_registers
    pop %rcx
    mov %rcx, (%rax)
    pop %rdi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .code32
code32:
    call *call32_target
    ljmp $CONFORM_CODE_64, $code64
conform_wrmsr32:
    wrmsr
    ret

    .data
    .balign 8
to_code32:
    .long code32
    .word CONFORM_CODE_32
    .balign 4
call32_target:
    .long 0

    .text
    .code64
/* The page's address goes with the stack of CPL 3, so that all registers are the caller's. */
    .globl conform_call_user
conform_call_user:
    mov %rsi, -8(%rdx)
    sub $8, %rdx
    pushq $CONFORM_USER_DATA
    push %rdx
    pushq $2
    pushq $CONFORM_USER_CODE
    pushq $user_code
    mov %rdi, %rax
    load_registers
    mov (%rax), %rax
    iretq

user_code:
    call *(%rsp)
    push %rax
    xor %eax, %eax
    div %eax

/* Copied to CONFORM_AP_PAGE << 12: from real mode into long mode, with the tables of the CPU that goes before. */
    .code16
    .globl conform_ap_begin, conform_ap_end
conform_ap_begin:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov (CONFORM_AP_PAGE << 12) + ap_cr4 - conform_ap_begin, %eax
    mov %eax, %cr4
    mov (CONFORM_AP_PAGE << 12) + ap_cr3 - conform_ap_begin, %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    lgdtl (CONFORM_AP_PAGE << 12) + ap_gdt - conform_ap_begin
    mov %cr0, %eax
    and $CR0_TS_EM_MASK, %eax
    or $CR0_PE_PG, %eax
    mov %eax, %cr0
    ljmpl $8, $ap_64
    .balign 8
ap_cr3:
    .long 0
ap_cr4:
    .long 0
ap_gdt:
    .word 0
    .long 0
conform_ap_end:
    .globl conform_ap_cr3, conform_ap_cr4, conform_ap_gdt
    .set conform_ap_cr3, ap_cr3 - conform_ap_begin
    .set conform_ap_cr4, ap_cr4 - conform_ap_begin
    .set conform_ap_gdt, ap_gdt - conform_ap_begin

    .code64
ap_64:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $1, %edi
    lock xadd %edi, ap_number
    cmp $7, %edi
    jae 1f
    mov %edi, %eax
    inc %eax
    imul $CONFORM_AP_STACK_BYTES, %eax, %eax
    lea conform_ap_stacks(%rax), %rsp
    call conform_ap_main
1:
    cli
    hlt
    jmp 1b

    .bss
    .balign 16
    .globl conform_ap_stacks
conform_ap_stacks:
    .skip 7 * CONFORM_AP_STACK_BYTES
ap_number:
    .long 0

    .section .note.GNU-stack, "", @progbits
