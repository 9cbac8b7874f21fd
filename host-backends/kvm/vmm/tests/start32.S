/*
 * 32-bit starts of the test kernel: flat, PVH and multiboot. With BY_ADDRESSES the multiboot header says where the
 * file goes; without, the ELF header does.
 */
#define MAGIC 0x1badb002
#ifdef BY_ADDRESSES
#define FLAGS 0x10003
#else
#define FLAGS 0x3
#endif

        .section .head, "ax"
        .code32
        .globl flat_start
flat_start:                             /* at the file's first byte */
        movl $0, %edx
        jmp start

        .balign 4
multiboot_header:
        .long MAGIC, FLAGS, -(MAGIC + FLAGS)
        .long multiboot_header, flat_start, data_end, bss_end, multiboot_start

        .globl multiboot_start
multiboot_start:
        movl $0, %edx
        cmpl $0x2badb002, %eax
        jne start
        movl $2, %edx
        jmp start

pvh_start:
        movl $1, %edx
start:
        movl $stack_end, %esp
        pushl %ebx
        pushl %edx
        call guest_main
        hlt

        .section .note.pvh, "a", @note
        .long 4, 4, 18                  /* PHYS32_ENTRY */
        .asciz "Xen"
        .long pvh_start

        .bss
        .balign 16
        .space 4096
stack_end:
        .section .note.GNU-stack, "", @progbits
