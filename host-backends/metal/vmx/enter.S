/*
 * Into the guest and back. VM entry and exit exchange RSP, RIP, RFLAGS, the segments, the control registers, EFER, PAT
 * and the SYSENTER MSRs; the general registers are exchanged here. CR2, the debug registers 0 to 3 and 6, XCR0 and the
 * SYSCALL MSRs stay the guest's: the hypervisor uses none of them.
 *
 * Unlike SVM, nothing holds NMIs back while the hypervisor runs. Its NMI stub leaves a word in struct vmx_cpu, at the
 * base of GS, that the entry looks at; one that comes between that look and the entry itself is sent the same way out.
 */
#include "../common/regs.h"

#define HOST_RSP 0x6c14
#define NMI_CAME 0                      /* of struct vmx_cpu */
#define SAVED_RIP 8                     /* in the NMI's frame, one register pushed */

/* enum vmx_entry */
#define LEFT 0
#define NMI_FIRST 1
#define FAILED 2

    .text
/* enum vmx_entry vmx_enter(struct hvs_regs *regs, bool is_launched) */
    .globl vmx_enter, vmx_left
vmx_enter:
    push_own
    push %rdi
    mov $HOST_RSP, %eax
    vmwrite %rsp, %rax
    jbe failed
begin:
    cmpq $0, %gs:NMI_CAME
    jne nmi_first
    test %sil, %sil                     /* MOV keeps the flags */
    mov RAX(%rdi), %rax
    load_regs
    jnz 1f
    vmlaunch
    jmp failed
1:  vmresume
end:
failed:
    mov $FAILED, %eax
    jmp out
nmi_first:
    mov $NMI_FIRST, %eax
out:
    add $8, %rsp
    jmp restore

/* Where the guest leaves to */
vmx_left:
    xchg %rdi, (%rsp)
    mov %rax, RAX(%rdi)
    xchg %rdi, (%rsp)
    save_regs
    mov $LEFT, %eax
restore:
    pop_own
    ret

    .globl vmx_nmi
vmx_nmi:
    movq $1, %gs:NMI_CAME
    push %rax
    lea begin(%rip), %rax
    cmp %rax, SAVED_RIP(%rsp)
    jb 1f
    lea end(%rip), %rax
    cmp %rax, SAVED_RIP(%rsp)
    jae 1f
    lea nmi_first(%rip), %rax
    mov %rax, SAVED_RIP(%rsp)
1:  pop %rax
    iretq

/* void vmx_unblock_nmi(void): after an exit for an NMI others wait for an IRET. */
    .globl vmx_unblock_nmi
vmx_unblock_nmi:
    mov %rsp, %rax
    mov %ss, %ecx
    push %rcx
    push %rax
    pushfq
    mov %cs, %ecx
    push %rcx
    lea 1f(%rip), %rcx
    push %rcx
    iretq
1:  ret

/* void vmx_sleep(void): until an NMI comes, unless one has come. */
    .globl vmx_sleep
vmx_sleep:
    cmpq $0, %gs:NMI_CAME
    jne 1f
    hlt
1:  movq $0, %gs:NMI_CAME
    ret

    .section .note.GNU-stack, "", @progbits
