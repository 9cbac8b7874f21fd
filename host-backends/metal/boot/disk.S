/*
 * What begins on the machine's own disk, as its BIOS would begin it, and what its loader is told about the memory. It
 * runs in guest mode: load_disk.c copies it to a page at the top of the memory below 1 MiB, which is reserved.
 *
 * INT 15h answers E820h with our map [ACPI 5.0 15.1]; the two older calls tell of the RAM between 1 MiB and ours alone.
 * INT 13h exchanges the disk with the first one, as loaders take what they lie on to be that.
 */
#define COM1 0x3f8
#define SMAP 0x534d4150
#define ENTRY_BYTES 20
#define BOOT_SECTOR 0x7c00
#define SIGNATURE_AT 0x7dfe
#define CARRY 1
#define CR0_CACHED 0x9fffffff           /* not CD, not NW */
#define NR_TRIES 3
#define FIRST_DISK 0x80
#define GET_PARAMETERS 0x08             /* and the next one answer in DL, or DX */
#define GET_TYPE 0x15

    .section .text
    .code16
    .globl disk_begin, disk_end, disk_int13, disk_int15, disk_old_int13, disk_old_int15
    .globl disk_number, disk_nr_ranges, disk_kib, disk_map
disk_begin:
    mov %cr0, %eax
    and $CR0_CACHED, %eax
    mov %eax, %cr0
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $BOOT_SECTOR, %sp
    sti
    mov $NR_TRIES, %bp
1:  mov $0x0201, %ax                    /* read one sector */
    mov $BOOT_SECTOR, %bx
    mov $1, %cx
    mov $FIRST_DISK, %dx
    int $0x13
    jnc 2f
    xor %ax, %ax                        /* reset the drive */
    int $0x13
    dec %bp
    jnz 1b
    mov $unreadable - disk_begin, %si
    jmp stop
2:  mov $no_loader - disk_begin, %si
    cmpw $0xaa55, SIGNATURE_AT
    jne stop
    mov $FIRST_DISK, %dx
    ljmp $0, $BOOT_SECTOR

/* CS:SI: what to say, on the screen and on the serial port. */
stop:
    cs lodsb
    test %al, %al
    jz 4f
    mov %al, %ah
    mov $COM1 + 5, %dx
3:  in (%dx), %al
    test $0x20, %al
    jz 3b
    mov %ah, %al
    mov $COM1, %dx
    out %al, (%dx)
    mov $0x0e, %ah                      /* teletype */
    mov $7, %bx
    int $0x10
    jmp stop
4:  cli
    hlt
    jmp 4b

disk_int13:
    pushf
    cmp $FIRST_DISK, %dl
    je exchange
    cmp %cs:disk_number - disk_begin, %dl
    je exchange
    popf
    ljmp *%cs:disk_old_int13 - disk_begin
exchange:
    popf
    push %bp
    mov %sp, %bp
    push %dx
    cmp $FIRST_DISK, %dl
    mov $FIRST_DISK, %dl
    jne 1f
    mov %cs:disk_number - disk_begin, %dl
1:  push %ax
    push 6(%bp)                         /* the caller's flags, which the BIOS returns to us with its own */
    lcall *%cs:disk_old_int13 - disk_begin
    pushf
    pop 6(%bp)
    cmpb $GET_PARAMETERS, -3(%bp)
    je 1f
    cmpb $GET_TYPE, -3(%bp)
    je 1f
    mov -2(%bp), %dl
1:  mov %bp, %sp
    pop %bp
    iretw

disk_int15:
    cmp $0xe820, %ax
    je e820
    cmp $0xe801, %ax
    je e801
    cmp $0xe881, %ax
    je fail
    cmp $0x88, %ah
    je e88
    ljmp *%cs:disk_old_int15 - disk_begin
e820:
    cmp $SMAP, %edx
    jne fail
    cmp $ENTRY_BYTES, %ecx
    jb fail
    cmp %cs:disk_nr_ranges - disk_begin, %ebx
    jae fail
    push %ds
    push %si
    push %di
    push %cs
    pop %ds
    cld
    imul $ENTRY_BYTES, %bx, %si
    add $disk_map - disk_begin, %si
    mov $ENTRY_BYTES / 4, %cx
    rep movsl
    pop %di
    pop %si
    pop %ds
    mov $ENTRY_BYTES, %ecx
    mov $SMAP, %eax
    inc %ebx
    cmp %cs:disk_nr_ranges - disk_begin, %ebx
    jb done
    xor %ebx, %ebx
    jmp done
e801:
    mov %cs:disk_kib - disk_begin, %cx
    xor %bx, %bx
    xor %dx, %dx
e88:
    mov %cs:disk_kib - disk_begin, %ax
done:
    push %bp
    mov %sp, %bp
    andw $~CARRY, 6(%bp)
    pop %bp
    iretw
fail:
    push %bp
    mov %sp, %bp
    orw $CARRY, 6(%bp)
    pop %bp
    mov $0x86, %ah
    iretw

unreadable:
    .asciz "hvshim-metal: stopped: the BIOS cannot read the disk to boot from\r\n"
no_loader:
    .asciz "hvshim-metal: stopped: the disk to boot from has no boot loader\r\n"
disk_number:
    .byte 0
    .balign 4
disk_old_int13:
    .long 0
disk_old_int15:
    .long 0
disk_nr_ranges:
    .long 0
disk_kib:
    .long 0                             /* of RAM between 1 MiB and ours */
disk_map:
disk_end:
    .section .note.GNU-stack, "", @progbits
