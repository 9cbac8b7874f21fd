/*
 * The first two sectors of a bzImage, without real-mode code: what a 64-bit boot loader reads.
 * [Linux Documentation/x86/boot.rst] XLOADFLAGS is 1 where there is a 64-bit entry.
 */
        .section .head, "a"
        .org 0x1f1
        .byte 1                         /* setup_sects, without the first */
        .word 0
        .long 0
        .word 0, 0, 0
        .word 0xaa55
        .byte 0xeb, header_end - 1f     /* jump: its length is the header's */
1:      .ascii "HdrS"
        .word 0x20f                     /* protocol 2.15 */
        .long 0
        .word 0, 0
        .byte 0
        .byte 1                         /* LOADED_HIGH */
        .word 0
        .long 0x100000, 0, 0, 0         /* code32_start, ramdisk_*, bootsect_kludge */
        .word 0
        .byte 0, 0
        .long 0, 0x7fffffff             /* cmd_line_ptr, initrd_addr_max */
        .long 0x200000                  /* kernel_alignment */
        .byte 1, 21                     /* relocatable_kernel, min_alignment */
        .word XLOADFLAGS
        .long 255                       /* cmdline_size */
        .long 0
        .quad 0
        .long 0, 0                      /* payload */
        .quad 0
        .quad 0x200000                  /* pref_address */
        .long 0x100000                  /* init_size */
        .long 0
        .long 0
header_end:
        .org 0x400
