/*
 * The frame of the attacking guest: a setup header that makes it a bzImage, its entry, its exception stubs, and what
 * its other CPU begins with [Linux Documentation/x86/boot.rst].
 */
#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_USER_DATA 0x2b
#define INIT_BYTES 0x100000

    .section .setup, "a"
setup:
    .org 0x1f1
    .byte 1                             /* setup_sects */
    .org 0x1fe
    .word 0xaa55
    .byte 0xeb, header_end - header     /* jump; its second byte is the header's length */
header:
    .ascii "HdrS"
    .word 0x20c                         /* version */
    .org 0x211
    .byte 1                             /* loadflags: LOADED_HIGH */
    .org 0x22c
    .long 0x7fffffff                    /* initrd_addr_max */
    .org 0x238
    .long 2047                          /* cmdline_size */
    .org 0x258
    .long kernel_start, 0               /* pref_address */
    .long INIT_BYTES
header_end:
    .org 1024

    .section .start, "ax"
    .code32
    .globl kernel_start
kernel_start:
    lgdt gdt_pointer
    ljmp $SELECTOR_CODE, $1f
1:  mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $stack_end, %esp
    push %esi
    call attack_main
2:  hlt
    jmp 2b

/* An exception that was expected goes on where `recover` says. */
    .text
    .balign 32
    .globl stubs
stubs:
    .set vector, 0
    .rept 32
    .balign 32
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    push $0
    .endif
    movl $vector, caught
    jmp caught_one
    .set vector, vector + 1
    .endr
caught_one:
    incl nr_caught
    cmpl $0, user_esp
    jne user_end
    push %eax
    mov recover, %eax
    test %eax, %eax
    jz 1f
    mov %eax, 8(%esp)
1:  andl $~0x100, 16(%esp)              /* TF */
    pop %eax
    add $4, %esp
    iret

/* int user_run(const void *code, struct leaf *registers): at CPL 3, until an exception, which it returns. */
    .globl user_run
user_run:
    push %ebx
    push %esi
    push %edi
    push %ebp
    mov %esp, user_esp
    mov %esp, tss + 4
    mov 24(%esp), %edi
    mov 20(%esp), %esi
    mov $SELECTOR_USER_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    push %eax
    push $user_stack_end
    push $2
    push $SELECTOR_USER_CODE
    push %esi
    mov (%edi), %eax
    mov 4(%edi), %ebx
    mov 8(%edi), %ecx
    mov 12(%edi), %edx
    iret
user_end:
    mov user_esp, %esp
    movl $0, user_esp
    mov $SELECTOR_DATA, %esi
    mov %esi, %ds
    mov %esi, %es
    mov 24(%esp), %edi
    mov %eax, (%edi)
    mov %ebx, 4(%edi)
    mov %ecx, 8(%edi)
    mov %edx, 12(%edi)
    mov caught, %eax
    pop %ebp
    pop %edi
    pop %esi
    pop %ebx
    ret

/* What programs try; an exception of its own ends each. */
    .globl user_in, user_in_elsewhere, user_cli
user_in:
    in %dx, %eax
    ud2
user_in_elsewhere:
    in $0x64, %al
    ud2
user_cli:
    cli
    ud2

/* The other CPU, in real mode: counts itself, and says whether CPUID and VMMCALL still go to the hypervisor. */
    .code16
    .globl ap_begin, ap_end
ap_begin:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov $1, %eax
    cpuid
    mov %ecx, 0x7f8
    mov $0x80000001, %eax
    cpuid
    mov %ecx, 0x7fc
    lock incl 0x7f0
1:  hlt
    jmp 1b
ap_end:

    .data
    .balign 8
    .globl gdt
gdt:
    .quad 0, 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00cffb000000ffff            /* of programs */
    .quad 0x00cff3000000ffff
    .quad 0x0000890000000067            /* the task: its address is still missing */
gdt_end:
    .globl tss
tss:
    .long 0, 0, SELECTOR_DATA           /* the stack of the kernel */
    .org tss + 102
    .word 104                           /* no map of ports */
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

    .bss
user_esp:
    .skip 4
    .balign 16
    .skip 1024
user_stack_end:
    .skip 16384
stack_end:
    .section .note.GNU-stack, "", @progbits
