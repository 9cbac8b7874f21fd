/*
 * The test kernel as Linux is started: as an ELF file, in 64-bit mode at `linux_start`; as a bzImage, there or, by
 * the 32-bit protocol, at the first byte. The setup header (a file of its own) goes in front of it for a bzImage.
 */
        .section .head, "ax"
        .globl linux32_start
linux32_start:
        .code32                         /* say so on COM1 and end: what follows is 64-bit code */
        movw $0x3f8, %dx
        movl $message, %edi
1:      movb (%edi), %al
        testb %al, %al
        jz 2f
        outb %al, %dx
        incl %edi
        jmp 1b
2:      movb $5, %al
        outb %al, $0xf4
        hlt
message:
        .asciz "entered as: linux, 32-bit\n"

        .org 0x200
        .code64
        .globl linux_start
linux_start:
        movq $stack_end, %rsp
        movl $3, %edi
        call guest_main                 /* the second argument is in RSI already */
        hlt

        .bss
        .balign 16
        .space 4096
stack_end:
        .section .note.GNU-stack, "", @progbits
