/*
 * Entry by multiboot 1 or by PVH, the way to long mode, and the trap stubs.
 *
 * Both loaders come in 32-bit protected mode without paging, with EBX pointing at their information
 * [Multiboot 0.6.96 3.2; Xen docs/misc/pvh.pandoc]. Everything is identity-mapped up to 4 GiB, the last one uncached.
 */
#include "boot.h"

#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_HAS_ADDRESSES 0x10000
#define XEN_ELFNOTE_PHYS32_ENTRY 18

    .section .head, "ax"
    .balign 8
multiboot_header:
    .long MULTIBOOT_MAGIC
    .long MULTIBOOT_HAS_ADDRESSES
    .long -(MULTIBOOT_MAGIC + MULTIBOOT_HAS_ADDRESSES)
    .long multiboot_header, boot_image, boot_image_end, boot_end, boot_multiboot

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad boot_pvh

    .text
    .code32
    .globl boot_multiboot, boot_pvh
boot_multiboot:
    mov $BOOT_BY_MULTIBOOT, %edi
    jmp boot_long_mode
boot_pvh:
    mov $BOOT_BY_PVH, %edi
boot_long_mode:
    cld
    mov %ebx, %esi
    mov $boot_stack_end, %esp
    mov %cr4, %eax
    or $CR4_PAE, %eax
    mov %eax, %cr4
    mov $page_map, %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $BOOT_CODE_SELECTOR, $boot_64

    .code64
boot_64:
    mov $BOOT_DATA_SELECTOR, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %edi, %edi
    mov %esi, %esi
    call boot_main
    mov %eax, %edi
    call boot_exit

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
gdt_pointer:
    .word . - gdt - 1
    .long gdt

/* One stub of BOOT_STUB_BYTES for each vector. Exceptions with an error code: 8, 10 to 14, 17, 21, 29, 30. */
    .balign BOOT_STUB_BYTES
    .globl boot_stubs
boot_stubs:
    .set vector, 0
    .rept BOOT_NR_VECTORS
    .balign BOOT_STUB_BYTES
    .if (vector >= 32) || !((0x60227d00 >> vector) & 1)
    push $0
    .endif
    push $vector
    jmp boot_trap_entry
    .set vector, vector + 1
    .endr

boot_trap_entry:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    mov %rsp, %rdi
    cld
    call boot_trap
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

/* int env_try(void (*fn)(void *), void *arg): see env.h */
    .globl env_try
env_try:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    sub $8, %rsp
    mov %rsp, boot_recovery
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    mov $-1, %eax
1:
    movq $0, boot_recovery
    add $8, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* void boot_recover(int vector): leaves the innermost env_try with `vector` */
    .globl boot_recover
boot_recover:
    mov boot_recovery, %rsp
    mov %edi, %eax
    jmp 1b

    .data
    .balign 4096
page_map:
    .quad page_pointers + 3
    .fill 511, 8, 0
page_pointers:
    .quad page_directories + 3, page_directories + 0x1003, page_directories + 0x2003, page_directories + 0x3003
    .fill 508, 8, 0
/* 2 MiB pages: present, writable, large; cache disabled from 3 GiB on */
page_directories:
    .set address, 0
    .rept 1536
    .quad address + 0x83
    .set address, address + 0x200000
    .endr
    .rept 512
    .quad address + 0x9b
    .set address, address + 0x200000
    .endr

    .bss
    .balign 16
    .skip BOOT_STACK_BYTES
boot_stack_end:
    .globl boot_recovery
boot_recovery:
    .quad 0

    .section .note.GNU-stack, "", @progbits
