/* The fields of a VMCS, and the numbers in them [SDM 3, 25 to 28 and appendices A to C]. Left out: what is not used. */
#ifndef HVSHIM_METAL_VMCS_H
#define HVSHIM_METAL_VMCS_H

/* --- field encodings [appendix B] --------------------------------------------------------------------------------- */

#define VPID 0x0000u
#define GUEST_ES_SELECTOR 0x0800u       /* CS SS DS FS GS LDTR TR follow, each 2 on; so do limits, rights and bases */
#define HOST_ES_SELECTOR 0x0c00u
#define HOST_CS_SELECTOR 0x0c02u
#define HOST_SS_SELECTOR 0x0c04u
#define HOST_DS_SELECTOR 0x0c06u
#define HOST_FS_SELECTOR 0x0c08u
#define HOST_GS_SELECTOR 0x0c0au
#define HOST_TR_SELECTOR 0x0c0cu
#define IO_BITMAP_A 0x2000u
#define IO_BITMAP_B 0x2002u
#define MSR_BITMAP 0x2004u
#define EPT_POINTER 0x201au
#define XSS_EXITING 0x202cu             /* which of the states in IA32_XSS are the hypervisor's business */
#define GUEST_PHYSICAL_ADDRESS 0x2400u
#define LINK_POINTER 0x2800u
#define GUEST_DEBUGCTL 0x2802u
#define GUEST_PAT 0x2804u
#define GUEST_EFER 0x2806u
#define HOST_PAT 0x2c00u
#define HOST_EFER 0x2c02u
#define PIN_CONTROLS 0x4000u
#define PRIMARY_CONTROLS 0x4002u
#define EXCEPTION_BITMAP 0x4004u
#define CR3_TARGET_COUNT 0x400au
#define EXIT_CONTROLS 0x400cu
#define EXIT_MSR_STORE_COUNT 0x400eu
#define EXIT_MSR_LOAD_COUNT 0x4010u
#define ENTRY_CONTROLS 0x4012u
#define ENTRY_MSR_LOAD_COUNT 0x4014u
#define ENTRY_EVENT 0x4016u
#define ENTRY_EVENT_CODE 0x4018u
#define ENTRY_INSN_BYTES 0x401au
#define SECONDARY_CONTROLS 0x401eu
#define INSTRUCTION_ERROR 0x4400u
#define EXIT_REASON 0x4402u
#define EXIT_EVENT 0x4404u
#define EXIT_EVENT_CODE 0x4406u
#define VECTORING_EVENT 0x4408u
#define VECTORING_EVENT_CODE 0x440au
#define EXIT_INSN_BYTES 0x440cu
#define EXIT_INSN_INFO 0x440eu
#define GUEST_ES_LIMIT 0x4800u
#define GUEST_GDTR_LIMIT 0x4810u
#define GUEST_IDTR_LIMIT 0x4812u
#define GUEST_ES_RIGHTS 0x4814u
#define GUEST_CS_RIGHTS 0x4816u
#define GUEST_SS_RIGHTS 0x4818u
#define GUEST_INTERRUPTIBILITY 0x4824u
#define GUEST_ACTIVITY 0x4826u
#define GUEST_SYSENTER_CS 0x482au
#define PREEMPTION_TIMER 0x482eu
#define HOST_SYSENTER_CS 0x4c00u
#define CR0_MASK 0x6000u
#define CR4_MASK 0x6002u
#define CR0_SHADOW 0x6004u
#define CR4_SHADOW 0x6006u
#define EXIT_QUALIFICATION 0x6400u
#define GUEST_CR0 0x6800u
#define GUEST_CR3 0x6802u
#define GUEST_CR4 0x6804u
#define GUEST_ES_BASE 0x6806u
#define GUEST_GDTR_BASE 0x6816u
#define GUEST_IDTR_BASE 0x6818u
#define GUEST_DR7 0x681au
#define GUEST_RSP 0x681cu
#define GUEST_RIP 0x681eu
#define GUEST_RFLAGS 0x6820u
#define GUEST_PENDING_DEBUG 0x6822u
#define GUEST_SYSENTER_ESP 0x6824u
#define GUEST_SYSENTER_EIP 0x6826u
#define HOST_CR0 0x6c00u
#define HOST_CR3 0x6c02u
#define HOST_CR4 0x6c04u
#define HOST_FS_BASE 0x6c06u
#define HOST_GS_BASE 0x6c08u
#define HOST_TR_BASE 0x6c0au
#define HOST_GDTR_BASE 0x6c0cu
#define HOST_IDTR_BASE 0x6c0eu
#define HOST_SYSENTER_ESP 0x6c10u
#define HOST_SYSENTER_EIP 0x6c12u
#define HOST_RSP 0x6c14u                /* vmx/enter.S writes it */
#define HOST_RIP 0x6c16u

/* --- controls ----------------------------------------------------------------------------------------------------- */

#define PIN_NMI_EXITS (1u << 3)
#define PIN_VIRTUAL_NMIS (1u << 5)
#define PIN_TIMER (1u << 6)

#define PRIMARY_NMI_WINDOW (1u << 22)
#define PRIMARY_IO_BITMAPS (1u << 25)
#define PRIMARY_MSR_BITMAPS (1u << 28)
#define PRIMARY_SECONDARY (1u << 31)

#define SECONDARY_EPT (1u << 1)
#define SECONDARY_RDTSCP (1u << 3)
#define SECONDARY_VPID (1u << 5)
#define SECONDARY_UNRESTRICTED (1u << 7)
#define SECONDARY_INVPCID (1u << 12)
#define SECONDARY_XSAVES (1u << 20)
#define SECONDARY_USER_WAIT (1u << 26)

#define EXIT_SAVE_DEBUG (1u << 2)
#define EXIT_HOST_64 (1u << 9)
#define EXIT_SAVE_PAT (1u << 18)
#define EXIT_LOAD_PAT (1u << 19)
#define EXIT_SAVE_EFER (1u << 20)
#define EXIT_LOAD_EFER (1u << 21)

#define ENTRY_LOAD_DEBUG (1u << 2)
#define ENTRY_LOAD_PAT (1u << 14)
#define ENTRY_LOAD_EFER (1u << 15)

/* --- events [25.8.3], states [25.4.2] ----------------------------------------------------------------------------- */

#define EVENT_NMI_UNBLOCKED 12          /* EPT violation: the bit of the qualification */
#define EVENT_DEFINED 0x80000fffu       /* a VECTORING_EVENT's bits that an ENTRY_EVENT has, too */

#define BLOCKED_BY_STI (1u << 0)
#define BLOCKED_BY_MOV_SS (1u << 1)
#define BLOCKED_BY_NMI (1u << 3)
#define PENDING_BS (1u << 14)

#define RIGHTS_UNUSABLE (1u << 16)
#define RIGHTS_LONG (1u << 13)
#define RIGHTS_BIG (1u << 14)
#define RIGHTS_DPL_SHIFT 5

/* --- exit reasons [appendix C] ------------------------------------------------------------------------------------ */

#define REASON_MASK 0xffffu
#define REASON_EVENT 0u                 /* an exception or an NMI */
#define REASON_TRIPLE_FAULT 2u
#define REASON_INIT 3u
#define REASON_NMI_WINDOW 8u
#define REASON_CPUID 10u
#define REASON_GETSEC 11u
#define REASON_INVD 13u
#define REASON_VMCALL 18u
#define REASON_VMCLEAR 19u
#define REASON_VMXON 27u                /* the last of nine */
#define REASON_CR 28u
#define REASON_IO 30u
#define REASON_RDMSR 31u
#define REASON_WRMSR 32u
#define REASON_EPT_VIOLATION 48u
#define REASON_INVEPT 50u
#define REASON_TIMER 52u
#define REASON_INVVPID 53u
#define REASON_XSETBV 55u
#define REASON_XSAVES 63u
#define REASON_XRSTORS 64u
#define REASON_SEAMCALL 76u
#define REASON_WRMSR_IMMEDIATE 85u      /* all between these two are instructions */

/* qualification of REASON_IO, REASON_CR, REASON_EPT_VIOLATION */
#define IO_SIZE_MASK 7u                 /* less 1 */
#define IO_IN (1u << 3)
#define IO_STRING (1u << 4)
#define IO_REP (1u << 5)
#define IO_PORT_SHIFT 16
#define STRING_ADDRESS_SHIFT 7          /* of EXIT_INSN_INFO: 0, 1, 2 for 16, 32, 64 bits */
#define STRING_SEGMENT_SHIFT 15         /* numbered as the fields are */
#define CR_NUMBER_MASK 15u
#define CR_KIND_MASK (3u << 4)          /* 0: MOV to it */
#define CR_REGISTER_SHIFT 8

/* --- EPT [29.3] ----------------------------------------------------------------------------------------------------*/

#define EPT_READ_WRITE_EXECUTE 7u
#define EPT_READ_EXECUTE 5u
#define EPT_TYPE_SHIFT 3
#define EPT_LARGE (1u << 7)
#define EPTP_WRITE_BACK 6u
#define EPTP_FOUR_LEVELS (3u << 3)

/* --- MSRs [appendix A] and control registers ---------------------------------------------------------------------- */

#define MSR_FEATURE_CONTROL 0x3au
#define MSR_SYSENTER_CS 0x174u
#define MSR_PAT 0x277u
#define MSR_TME_ACTIVATE 0x982u
#define MSR_VMX_BASIC 0x480u
#define MSR_VMX_MISC 0x485u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_SECONDARY 0x48bu
#define MSR_VMX_EPT_VPID_CAP 0x48cu
#define MSR_VMX_TRUE_PIN 0x48du
#define MSR_VMX_TRUE_PRIMARY 0x48eu
#define MSR_VMX_TRUE_EXIT 0x48fu
#define MSR_VMX_TRUE_ENTRY 0x490u
#define MSR_GS_BASE 0xc0000101u

#define XSS_TRACE (1u << 8)
#define TME_ENABLED (1u << 1)
#define TME_KEY_BITS_SHIFT 32
#define TME_KEY_BITS_MASK 15u
#define FEATURE_CONTROL_LOCKED (1u << 0)
#define FEATURE_CONTROL_VMX (1u << 2)
#define FEATURE_CONTROL_HARMLESS (1u << 17 | 1u << 18 | 1u << 20)      /* SGX launch, SGX, LMCE */
#define BASIC_WANTED (3ull << 54)        /* EXIT_INSN_INFO holds what INS and OUTS are about; true controls */
#define MISC_TIMER_SHIFT_MASK 31u
#define CAP_FOUR_LEVELS (1ull << 6)
#define CAP_WRITE_BACK (1ull << 14)
#define CAP_2M (1ull << 16)
#define CAP_1G (1ull << 17)
#define CAP_INVEPT (1ull << 20)
#define CAP_INVEPT_ALL (1ull << 26)     /* INVEPT_EVERY */
#define INVEPT_EVERY 2ull

#define CR0_NE (1ull << 5)
#define CR4_VMXE (1ull << 13)
#define CR4_SMXE (1ull << 14)

#endif
