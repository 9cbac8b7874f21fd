/* A guest in real mode that does what it finds in its mailbox, one operation after the other. */
#include "mail.h"

	.section .rodata
	.code16
	.globl guest_begin, guest_end, guest_fault, guest_reset, guest_reset_end
guest_begin:
	movl	MAIL_A, %eax
	movl	MAIL_B, %ebx
	movl	MAIL_C, %ecx
	movl	MAIL_D, %edx
	movl	MAIL_OP, %esi
	cmpl	$OP_CPUID, %esi
	je	1f
	cmpl	$OP_RDMSR, %esi
	je	2f
	cmpl	$OP_WRMSR, %esi
	je	3f
	cmpl	$OP_SPIN, %esi
	je	4f
	cmpl	$OP_IN, %esi
	je	6f
	jmp	5f
1:	cpuid
	jmp	5f
2:	rdmsr
	jmp	5f
3:	wrmsr
	jmp	5f
4:	jmp	4b
6:	inl	%dx, %eax
5:	movl	%eax, MAIL_A
	movl	%ebx, MAIL_B
	movl	%ecx, MAIL_C
	movl	%edx, MAIL_D
	outb	%al, $MAIL_PORT
	jmp	guest_begin

/* #GP of RDMSR and WRMSR, which have two bytes: counted, and gone on behind them. */
guest_fault:
	incl	MAIL_NR_FAULTS
	pushw	%bp
	movw	%sp, %bp
	addw	$2, 2(%bp)
	popw	%bp
	iretw

/* In flat protected mode, entered by the VMM; nothing may fault. */
	.code32
	.globl guest_32
guest_32:
	movl	MAIL_A, %eax
	movl	MAIL_B, %ebx
	movl	MAIL_C, %ecx
	movl	MAIL_D, %edx
	movl	MAIL_OP, %esi
	cmpl	$OP_WRMSR, %esi
	je	1f
	cmpl	$OP_CALL, %esi
	je	2f
	cmpl	$OP_LOAD, %esi
	je	3f
	cmpl	$OP_STORE, %esi
	je	4f
	jmp	5f
1:	wrmsr
	jmp	5f
2:	call	*MAIL_CALL
	jmp	5f
3:	movl	(%ebx), %eax
	jmp	5f
4:	movl	%eax, (%ebx)
5:	movl	%eax, MAIL_A
	outb	%al, $MAIL_PORT
	jmp	guest_32
guest_end:

/* At the reset vector. */
guest_reset:
	ljmpw	$0, $MAIL_CODE
guest_reset_end:
	.section .note.GNU-stack, "", @progbits
