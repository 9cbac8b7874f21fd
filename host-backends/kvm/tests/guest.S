/*
 * The test guests: one blob, loaded at G_CODE, with an entry each. They run in 64-bit mode on identity-mapped memory,
 * also seen at G_HIGH, but for guest_real.
 *
 * Traps do not return: they note what happened and go on at G_RESUME_AT. IRET and the like are left out because some
 * hosts emulate ring 0 and cannot do them.
 */
#include "layout.h"

    .section .rodata
    .globl guest_begin, guest_end
    .balign 64
guest_begin:

    .macro ENTRY name
    .globl guest_\name
guest_\name:
    .endm
    .macro DONE
    xor %eax, %eax
    out %al, $G_PORT_DONE
    .endm
    .macro RESUME_AT label
    lea \label(%rip), %rax
    mov %rax, G_RESUME_AT
    .endm
    .macro STORE reg, index
    mov \reg, G_RESULT + 8 * (\index)
    .endm
    .macro WRITE_MSR index, value
    mov $\index, %ecx
    mov $\value, %eax
    xor %edx, %edx
    wrmsr
    .endm

    .code64
/* ---- traps ---- */
    .macro TRAP vector, has_code
ENTRY trap_\vector
    movq $\vector, G_TRAP_VECTOR
    .if \has_code
    pop %rax
    mov %rax, G_TRAP_CODE
    .endif
    pop %rax
    mov %rax, G_TRAP_RIP
    incq G_NR_TRAPS
    mov $G_STACK_TOP, %esp
    jmp *G_RESUME_AT
    .endm
    TRAP 2, 0
    TRAP 6, 0
    TRAP 13, 1
    TRAP 14, 1

    .macro IRQ vector
ENTRY irq_\vector
    incq G_NR_IRQS + 8 * (\vector - 64)
    mov $0xfee000b0, %eax               /* EOI */
    movl $0, (%rax)
    mov $G_STACK_TOP, %esp
    jmp *G_RESUME_AT
    .endm
    IRQ 64
    IRQ 65

ENTRY irq_66
    incq G_NR_NO_EOI
    mov $G_STACK_TOP, %esp
    jmp *G_RESUME_AT

ENTRY irq_67
    btrl $0, G_ASSIST
    jc 1f
    mov $0xfee000b0, %eax
    movl $0, (%rax)
    jmp 2f
1:  incq G_NR_ASSISTED
2:  mov $G_STACK_TOP, %esp
    jmp *G_RESUME_AT

enable_apic:
    mov $0xfee000f0, %eax               /* SVR */
    movl $0x1ff, (%rax)
    ret

/* ---- CPUID: four leaves, all registers ---- */
    .macro LEAF leaf, subleaf, index
    mov $\leaf, %eax
    mov $\subleaf, %ecx
    cpuid
    STORE %rax, \index
    STORE %rbx, \index + 1
    STORE %rcx, \index + 2
    STORE %rdx, \index + 3
    .endm
ENTRY cpuid
    LEAF 0x40000000, 0, 0
    LEAF 0x40000003, 0, 4
    LEAF 0x40000003, 1, 8
    LEAF 1, 0, 12
    LEAF 0x40000100, 0, 16
    DONE

/* ---- MSRs ---- */
ENTRY msr
    mov $0x40000000, %ecx
    mov $0x89abcdef, %eax
    mov $0x01234567, %edx
    wrmsr
    xor %eax, %eax
    xor %edx, %edx
    rdmsr
    STORE %rax, 0
    STORE %rdx, 1
    DONE

/* One access that must fault: RAX = 0 for RDMSR, 1 for WRMSR; RCX, RDX the MSR and the upper half. */
ENTRY msr_fault
    mov %rax, %rbx
    RESUME_AT 1f
    test %ebx, %ebx
    jnz 2f
    .globl guest_rdmsr_at, guest_wrmsr_at
guest_rdmsr_at:
    rdmsr
    DONE
2:  xor %eax, %eax
guest_wrmsr_at:
    wrmsr
    DONE
1:  DONE

/* ---- hypercalls: the page's function, with the registers that the test has set ---- */
ENTRY hypercall
    RESUME_AT 1f
    mov G_RESULT + 8 * 31, %rax         /* RAX cannot be given otherwise: the line above uses it */
    mov $G_HCALL_PAGE, %r11
    call *%r11
    STORE %rax, 0
    STORE %rbx, 1
    STORE %rcx, 2
    STORE %rdx, 3
    STORE %rsi, 4
    STORE %rdi, 5
    STORE %rbp, 6
    STORE %r8, 7
    STORE %r9, 8
    STORE %r10, 9
    STORE %r12, 10
    STORE %r13, 11
    STORE %r14, 12
    STORE %r15, 13
1:  DONE

/* ---- the backdoor, and a port that is the VMM's ---- */
ENTRY pio
    mov $0x5658, %edx
    in %dx, %eax
    STORE %rax, 0
    STORE %rbx, 1
    mov $0xa5, %eax
    out %al, $G_PORT_FOREIGN
    mov $0x5659, %edx
    mov $0x1234567890abcdef, %rax
    out %eax, %dx
    STORE %rax, 2
    DONE

/* ---- strings: RCX bytes, at RSI or RDI, by the port in RDX; RAX is 0 for OUTS, 1 for INS ---- */
ENTRY strings
    mov %rax, %r8
    RESUME_AT 2f
    test %r8, %r8
    jnz 1f
    .globl guest_outs_at, guest_ins_at
guest_outs_at:
    rep outsb
    jmp 2f
1:
guest_ins_at:
    rep insb
2:  STORE %rbx, 0
    STORE %rcx, 1
    STORE %rsi, 2
    STORE %rdi, 3
    DONE

/* ---- the same without REP ---- */
ENTRY single
    outsb
    STORE %rbx, 0
    STORE %rcx, 1
    STORE %rsi, 2
    DONE

/* ---- raw hypercalls: from kernel space, after a write to GS_BASE ---- */
ENTRY raw
    mov $0xc0000101, %ecx
    mov $0x11223344, %eax
    xor %edx, %edx
    wrmsr
    xor %eax, %eax
    rdmsr
    STORE %rax, 0
    mov $6, %eax
    mov $100, %ebx
    call raw_amd
    STORE %rax, 1
    mov $6, %eax
    mov $200, %ebx
    call raw_intel
    STORE %rax, 2
    DONE

/* One that nobody claims: RAX is what the test gives, RCX whether it is the second of the pair. */
ENTRY raw_fault
    mov %rax, %rbx
    RESUME_AT 1f
    mov %rbx, %rax
    test %ecx, %ecx
    jnz 2f
    call raw_amd
    DONE
2:  call raw_intel
1:  DONE

    .balign 64
    .globl guest_raw_pair
guest_raw_pair:
raw_amd:
    vmmcall
    .byte 0xe9
    .long raw_return - . - 4
    .balign 16
raw_intel:
    vmcall
    .byte 0xe9
    .long raw_return - . - 4
    .balign 16
raw_return:
    ret

/* ---- time: the TSC before and after the host looked at the clock ---- */
ENTRY time
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    STORE %rax, 0
    mov $0x40000020, %ecx
    rdmsr
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    STORE %rax, 1
    DONE

/* ---- timer: arms it and sleeps until its interrupt ---- */
ENTRY timer
    call enable_apic
    RESUME_AT 1f
    WRITE_MSR 0x40000073, 2000000
    sti
2:  hlt
    jmp 2b
1:  DONE

/* ---- the same, with a hypercall that blocks ---- */
ENTRY block
    call enable_apic
    RESUME_AT 1f
    WRITE_MSR 0x40000073, 2000000
    sti
    mov $5, %eax
    mov $G_HCALL_PAGE, %r11
    call *%r11
2:  incq G_READY                        /* not reached where it works */
    jmp 2b
1:  DONE

/* ---- the same with interrupts off, three times; then the interrupt is let in ---- */
ENTRY nap
    call enable_apic
    RESUME_AT 1f
    WRITE_MSR 0x40000073, 2000000
2:  mov $5, %eax
    mov $G_HCALL_PAGE, %r11
    call *%r11
    incq G_READY
    cmpq $3, G_READY
    jb 2b
    sti
3:  hlt
    jmp 3b
1:  DONE

/* ---- polls, and counts it in G_READY before and in result 0 behind, until somebody says stop; RBX as for count ---- */
ENTRY poll
    call enable_apic
    RESUME_AT 2f
    test %ebx, %ebx
    jz 1f
    sti
1:  incq G_READY
    mov $7, %eax
    mov $G_HCALL_PAGE, %r11
    call *%r11
    incq G_RESULT
    cmpq $0, G_STOP
    je 1b
2:  DONE

/* ---- an interrupt or NMI that another vCPU sends: RAX is 1 when interrupts shall be on ---- */
ENTRY wait
    mov %rax, %rbx
    call enable_apic
    RESUME_AT 1f
    movq $1, G_READY
    test %ebx, %ebx
    jz 2f
    sti
2:  hlt
    jmp 2b
1:  DONE

/* RCX is the MSR that makes it, RAX its value. */
ENTRY send
    mov %rax, %rbx
1:  pause
    cmpq $0, G_READY
    je 1b
    mov %rbx, %rax
    xor %edx, %edx
    wrmsr
    DONE

/* ---- TLB flush: readers publish what they see at an address, RDI is where; no exits in the loop ---- */
ENTRY flush_reader
1:  mov G_REMAPPED, %rax
    mov %rax, (%rdi)
    incq 8(%rdi)
    cmpq $0, G_STOP
    je 1b
    DONE

/*
 * The writer remaps that address R12 times, each time writes RBX to MSR ECX, and then looks at VPs 1..R13: what they
 * have read since (the value after next, because one read may be on its way) must be the new page. Mistakes go to
 * result 0.
 */
ENTRY flush_writer
    xor %r14d, %r14d
    mov %r13, %rdi
1:  mov %rdi, %rsi                      /* until all readers run */
    shl $4, %rsi
2:  pause
    cmpq $0, G_READER + 8(%rsi)
    je 2b
    dec %rdi
    jnz 1b
3:  xorq $G_PAGE_A ^ G_PAGE_B, G_PT
    mov %ebx, %eax
    xor %edx, %edx
    wrmsr
    mov G_PT, %r11
    and $~0xfff, %r11
    mov %r13, %rdi
4:  mov %rdi, %rsi
    shl $4, %rsi
    mov G_READER + 8(%rsi), %r9
    add $2, %r9
5:  pause
    cmp %r9, G_READER + 8(%rsi)
    jb 5b
    cmp %r11, G_READER(%rsi)
    je 6f
    inc %r14
6:  dec %rdi
    jnz 4b
    dec %r12
    jnz 3b
    movq $1, G_STOP
    STORE %r14, 0
    DONE

/* RBX to MSR ECX, R12 times. */
ENTRY write_msr_often
1:  mov %ebx, %eax
    xor %edx, %edx
    wrmsr
    dec %r12
    jnz 1b
    DONE

/* A loop without exits, until somebody says stop. */
ENTRY spin
    movq $1, G_READY
1:  pause
    cmpq $0, G_STOP
    je 1b
    DONE

/* The same with interrupts off, which then go on; and with interrupts on from the start. */
ENTRY spin_off
    RESUME_AT 3f
    movq $1, G_READY
1:  pause
    cmpq $0, G_STOP
    je 1b
    sti
2:  pause
    jmp 2b
3:  DONE
ENTRY spin_on
    RESUME_AT 3f
    sti
    movq $1, G_READY
2:  pause
    jmp 2b
3:  DONE

/* Counts in result 0 until somebody says stop or an interrupt comes; RBX: with interrupts on. */
ENTRY count
    call enable_apic
    RESUME_AT 2f
    test %ebx, %ebx
    jz 1f
    sti
1:  incq G_RESULT
    cmpq $0, G_STOP
    je 1b
2:  DONE

/* ---- where VCPU_START leads: all registers as given ---- */
ENTRY started
    STORE %rax, 0
    STORE %rcx, 1
    STORE %rdx, 2
    STORE %rbx, 3
    STORE %rsp, 4
    STORE %rbp, 5
    STORE %rsi, 6
    STORE %rdi, 7
    STORE %r8, 8
    STORE %r15, 9
    mov $0x277, %ecx
    rdmsr
    STORE %rax, 10
    STORE %rdx, 11
    DONE

/* ---- Xen's hypercall page: event_channel_op(RDI, RSI), RBX times; the last result, and how many were not 0 ---- */
    .equ XEN_EVENT_CHANNEL_OP, G_HCALL_PAGE + 32 * 32
ENTRY xen_page
    WRITE_MSR 0x40000000, G_HCALL_PAGE
    DONE
ENTRY xen_events
    xor %r12d, %r12d
1:  mov $XEN_EVENT_CHANNEL_OP, %r11
    call *%r11
    test %rax, %rax
    jz 2f
    inc %r12
2:  dec %rbx
    jnz 1b
    STORE %rax, 0
    STORE %r12, 1
    DONE

/* The same once by 32-bit code, event_channel_op(EBX, ECX). */
    .code32
ENTRY xen_event_32
    mov $XEN_EVENT_CHANNEL_OP, %eax
    call *%eax
    mov %eax, G_RESULT
    DONE

/* ---- real mode ---- */
    .code16
ENTRY real
    mov $1, %eax
    mov $0x1234, %ebx
    out %al, $0xe4
    mov %eax, G_RESULT
    out %al, $G_PORT_DONE
    .code64
guest_end:

    .section .note.GNU-stack, "", @progbits
