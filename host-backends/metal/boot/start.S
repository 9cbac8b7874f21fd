/*
 * Entry by multiboot 1 or 2, the start of the other CPUs, the way to long mode, and the trap stubs.
 *
 * Nothing is said about the screen: GRUB then leaves a BIOS's in text, on which BIOS programs write, and UEFI's in
 * pixels. A boot loader comes in 32-bit protected mode without paging, with its magic number in EAX and its information
 * in EBX [Multiboot 0.6.96 3.2; Multiboot2 2.0 3.3]. The lowest 512 GiB are identity-mapped, 4 GiB of them by 2 MiB
 * pages, so that a machine with less memory needs no CPU with 1 GiB pages.
 */
#define MULTIBOOT1_MAGIC 0x1badb002
#define MULTIBOOT1_FLAGS 3              /* modules on page boundaries, a memory map */
#define MULTIBOOT2_MAGIC 0xe85250d6
#define CR0_START 0x80010033            /* PG WP NE ET MP PE */
#define CR4_START 0x620                 /* PAE OSFXSR OSXMMEXCPT */
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define CPUID_LM 29
#define COM1 0x3f8
#define TEXT_GPA 0xb8000
#define TEXT_WHITE_ON_BLUE 0x1f
#define PAGE_PRESENT_WRITE 3
#define PAGE_LARGE 0x83
#define SELECTOR_CODE64 8
#define SELECTOR_DATA 16
#define SELECTOR_CODE32 24
#define STACK_BYTES 16384
#define VECTOR_NMI 2

    .section .head, "ax"
    .balign 8
multiboot1:
    .long MULTIBOOT1_MAGIC, MULTIBOOT1_FLAGS, -(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)
    .balign 8
multiboot2:
    .long MULTIBOOT2_MAGIC, 0, multiboot2_end - multiboot2
    .long -(MULTIBOOT2_MAGIC + multiboot2_end - multiboot2)
    .word 6, 0                          /* modules on page boundaries */
    .long 8
    .word 0, 0                          /* the end */
    .long 8
multiboot2_end:

    .text
    .code32
    .globl boot_start
boot_start:
    cli
    cld
    mov $boot_stack_end, %esp
    mov %eax, %edi
    mov %ebx, %esi
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    bt $CPUID_LM, %edx
    jnc no_long_mode
    mov $boot_64, %ebp
    jmp enter_long_mode

no_long_mode:
    mov $no_long_mode_text, %ebx
    mov $TEXT_GPA, %edi
1:  mov (%ebx), %al
    test %al, %al
    jz 3f
    mov $COM1 + 5, %dx
    mov %al, %ah
2:  in (%dx), %al
    test $0x20, %al
    jz 2b
    mov %ah, %al
    mov $COM1, %dx
    out %al, (%dx)
    mov $TEXT_WHITE_ON_BLUE, %ah
    stosw
    inc %ebx
    jmp 1b
3:  hlt
    jmp 3b

/* EBP: where to go on in 64-bit mode; EDI and ESI are kept. */
enter_long_mode:
    mov $CR4_START, %eax
    mov %eax, %cr4
    mov $boot_pml4, %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov $CR0_START, %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $SELECTOR_CODE64, $1f
    .code64
1:  mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %ebp, %eax
    jmp *%rax

boot_64:
    mov $boot_stack_end, %esp
    mov %edi, %edi
    mov %esi, %esi
    xor %ebp, %ebp
    call boot_main
1:  hlt
    jmp 1b

/* What another CPU begins with, in real mode; cpu_start_all() copies it to a page below 1 MiB. */
    .code16
    .globl boot_ap, boot_ap_end
boot_ap:
    cli
    lgdtl %cs:ap_gdt_pointer - boot_ap
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $SELECTOR_CODE32, $ap_32
    .balign 4
ap_gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
boot_ap_end:

    .code32
ap_32:
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov $ap_64, %ebp
    jmp enter_long_mode
    .code64
ap_64:
    mov boot_ap_stack, %rsp
    xor %ebp, %ebp
    call cpu_ap_main

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff            /* 64-bit code */
    .quad 0x00cf93000000ffff            /* data */
    .quad 0x00cf9b000000ffff            /* 32-bit code */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

/*
 * One stub of 16 bytes for each exception. An NMI only ends a wait: what it is about, the one who waits looks up. The
 * others are bugs, and end in trap_fatal(). Exceptions with an error code: 8, 10 to 14, 17, 21, 29, 30.
 */
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    .if vector == VECTOR_NMI
    iretq
    .else
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector >= 29 && vector <= 30)
    push $0
    .endif
    push $vector
    jmp trap_common
    .endif
    .set vector, vector + 1
    .endr

trap_common:
    mov %rsp, %rdi
    and $-16, %rsp
    call trap_fatal

    .section .rodata
no_long_mode_text:
    .asciz "hvshim-metal: this CPU has no 64-bit mode\r\n"

    .data
    .balign 4096
boot_pml4:
    .quad boot_pdpt + PAGE_PRESENT_WRITE
    .fill 511, 8, 0
    .set nr, 0
boot_pdpt:
    .rept 512
    .if nr < 4
    .quad boot_pd + 4096 * nr + PAGE_PRESENT_WRITE
    .else
    .quad nr << 30 | PAGE_LARGE
    .endif
    .set nr, nr + 1
    .endr
    .set nr, 0
boot_pd:
    .rept 4 * 512
    .quad nr << 21 | PAGE_LARGE
    .set nr, nr + 1
    .endr

    .bss
    .balign 16
    .skip STACK_BYTES
boot_stack_end:
    .globl boot_ap_stack
boot_ap_stack: .skip 8
    .section .note.GNU-stack, "", @progbits
