/* The virtual machine control block, and the numbers in it [AMD APM volume 2, 15 and appendices B and C]. */
#ifndef HVSHIM_METAL_VMCB_H
#define HVSHIM_METAL_VMCB_H

#include <hvshim/base.h>

struct vmcb_segment {
    uint16_t selector, attributes;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    uint16_t cr_reads, cr_writes, dr_reads, dr_writes;
    uint32_t exceptions;
    uint32_t intercepts, intercepts2, intercepts3;
    uint8_t reserved0[0x3c - 0x18];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm_base, msrpm_base, tsc_offset;
    uint32_t asid;
    uint8_t tlb_control, reserved1[3];
    uint64_t interrupt_control, interrupt_shadow;
    uint64_t exit_code, exit_info1, exit_info2, exit_interrupt;
    uint64_t nested_control, avic_bar, ghcb, event;
    uint64_t nested_cr3, virtual_extensions, clean, next_rip;
    uint8_t fetched[16];
    uint8_t reserved2[0x400 - 0xe0];

    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved3[0x4cb - 0x4a0];
    uint8_t cpl;
    uint32_t reserved4;
    uint64_t efer;
    uint8_t reserved5[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved6[0x5d8 - 0x580];
    uint64_t rsp;
    uint8_t reserved7[0x5f8 - 0x5e0];
    uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t reserved8[0x668 - 0x648];
    uint64_t pat;
    uint8_t reserved9[0x1000 - 0x670];
};
HVS_STATIC_ASSERT(sizeof(struct vmcb) == 4096, "a VMCB is a page");
HVS_STATIC_ASSERT(offsetof(struct vmcb, iopm_base) == 0x40, "VMCB iopm_base");
HVS_STATIC_ASSERT(offsetof(struct vmcb, exit_code) == 0x70, "VMCB exit_code");
HVS_STATIC_ASSERT(offsetof(struct vmcb, event) == 0xa8, "VMCB event");
HVS_STATIC_ASSERT(offsetof(struct vmcb, next_rip) == 0xc8, "VMCB next_rip");
HVS_STATIC_ASSERT(offsetof(struct vmcb, es) == 0x400, "VMCB es");
HVS_STATIC_ASSERT(offsetof(struct vmcb, cpl) == 0x4cb, "VMCB cpl");
HVS_STATIC_ASSERT(offsetof(struct vmcb, efer) == 0x4d0, "VMCB efer");
HVS_STATIC_ASSERT(offsetof(struct vmcb, cr4) == 0x548, "VMCB cr4");
HVS_STATIC_ASSERT(offsetof(struct vmcb, rip) == 0x578, "VMCB rip");
HVS_STATIC_ASSERT(offsetof(struct vmcb, rsp) == 0x5d8, "VMCB rsp");
HVS_STATIC_ASSERT(offsetof(struct vmcb, rax) == 0x5f8, "VMCB rax");
HVS_STATIC_ASSERT(offsetof(struct vmcb, cr2) == 0x640, "VMCB cr2");
HVS_STATIC_ASSERT(offsetof(struct vmcb, pat) == 0x668, "VMCB pat");

/* intercepts */
#define CATCH_NMI (1u << 1)
#define CATCH_INIT (1u << 3)
#define CATCH_CPUID (1u << 18)
#define CATCH_INVD (1u << 22)
#define CATCH_INVLPGA (1u << 26)
#define CATCH_IOIO (1u << 27)
#define CATCH_MSR (1u << 28)
#define CATCH_SHUTDOWN (1u << 31)
/* intercepts2: VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT */
#define CATCH_ALL_SVM 0x7fu

#define EXIT_EXCEPTION_DB 0x41u
#define EXIT_EXCEPTION_GP 0x4du
#define EXIT_NMI 0x61u
#define EXIT_INIT 0x63u
#define EXIT_CPUID 0x72u
#define EXIT_INVD 0x76u
#define EXIT_INVLPGA 0x7au
#define EXIT_IOIO 0x7bu
#define EXIT_MSR 0x7cu
#define EXIT_SHUTDOWN 0x7fu
#define EXIT_VMRUN 0x80u
#define EXIT_VMMCALL 0x81u
#define EXIT_SKINIT 0x86u
#define EXIT_NPF 0x400u

/* exit_info1 of EXIT_IOIO, above it the port in bits 31:16 */
#define IOIO_IN (1u << 0)
#define IOIO_STRING (1u << 2)
#define IOIO_REP (1u << 3)
#define IOIO_SIZE_SHIFT 4               /* 1, 2 or 4 */
#define IOIO_SEGMENT_SHIFT 10           /* with decode assists */
#define IOIO_ADDRESS_SHIFT 7            /* 1, 2, 4 for 16, 32, 64 bits */

#define SHADOW_ACTIVE 1u
#define NESTED_PAGING 1u
#define TLB_FLUSH_ALL 1u
#define SEGMENT_LONG (1u << 9)
#define SEGMENT_BIG (1u << 10)

#define EFER_SVME (1ull << 12)
#define EFER_FFXSR (1ull << 14)
#define EFER_TCE (1ull << 15)
#define EFER_AUTO_IBRS (1ull << 21)
#define VM_CR_SVMDIS (1u << 4)

#define MSR_TSC_RATIO 0xc0000104u        /* how fast the TSC goes for a guest */
#define MSR_SYSCFG 0xc0010010u
#define SYSCFG_ENCRYPTS (1u << 23)      /* SME */
#define MSR_IORR_FIRST 0xc0010016u      /* base and mask, twice; then TOP_MEM, two that do not exist, TOP_MEM2 */
#define MSR_TOP_MEM2 0xc001001du
#define MSR_MMIO_CFG_BASE 0xc0010058u
#define MSR_SVM_FIRST 0xc0010111u       /* SMM_BASE: where SMM runs, and its mask and keys, are next to SVM's */
#define MSR_VM_CR 0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define MSR_SVM_LAST 0xc0010119u        /* SMM_KEY */

#endif
