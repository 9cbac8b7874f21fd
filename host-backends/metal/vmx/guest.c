/* A VMCS from scratch: how a guest begins, and where it leaves to [SDM 3, 25.4 to 25.8, 27.2, 27.3]. */
#include "vmx.h"

enum { SELECTOR_DATA = 16, SELECTOR_TSS = 0x20 };       /* the hypervisor has no TSS; VM exits want a selector */
#define PAT_RESET 0x0007040600070406ull
#define DR7_RESET 0x400u

static uint8_t no_tss[104];
/* What begins as 0: a VMCS has no defaults. */
static const uint32_t zeros[] = {
    CR4_SHADOW, GUEST_CR3, GUEST_EFER, GUEST_DEBUGCTL, GUEST_SYSENTER_CS, GUEST_SYSENTER_ESP, GUEST_SYSENTER_EIP,
    GUEST_INTERRUPTIBILITY, GUEST_ACTIVITY, GUEST_PENDING_DEBUG, GUEST_GDTR_BASE, GUEST_IDTR_BASE, HOST_FS_SELECTOR,
    HOST_GS_SELECTOR, HOST_FS_BASE, HOST_SYSENTER_CS, HOST_SYSENTER_ESP, HOST_SYSENTER_EIP,
    CR3_TARGET_COUNT, EXIT_MSR_STORE_COUNT, EXIT_MSR_LOAD_COUNT, ENTRY_MSR_LOAD_COUNT, ENTRY_EVENT};

void vmwrite(uint32_t field, uint64_t value)
{
    bool failed;

    __asm__ volatile("vmwrite %2, %1; setbe %0" : "=q"(failed) : "r"((uint64_t)field), "rm"(value) : "cc");
    if (failed)
        die("bug: VMWRITE of 0x%lx to field 0x%x: error %lu", value, field, vmread(INSTRUCTION_ERROR));
}

void vmx_flush_tlb(struct cpu *cpu)
{
    static const uint64_t no_descriptor[2];

    (void)cpu;
    __asm__ volatile("invept %0, %1" : : "m"(no_descriptor), "r"(INVEPT_EVERY) : "cc", "memory");
}

/* --- the guest's -------------------------------------------------------------------------------------------------- */

struct segment {
    uint16_t selector;
    uint32_t rights, limit;
    uint64_t base;
};

enum { ES, CS, SS, DS, FS, GS, LDTR, TR };

static void set_segment(uint32_t nr, const struct segment *s)
{
    vmwrite(GUEST_ES_SELECTOR + 2 * nr, s->selector);
    vmwrite(GUEST_ES_RIGHTS + 2 * nr, s->rights);
    vmwrite(GUEST_ES_LIMIT + 2 * nr, s->limit);
    vmwrite(GUEST_ES_BASE + 2 * nr, s->base);
}

static void set_segments(bool is_protected, uint8_t sipi_vector)
{
    enum { CODE = 0x9b, DATA = 0x93, LDT = 0x82, TSS32 = 0x8b, FLAT = 0xc000, BOOT_CS = 0x10, BOOT_DS = 0x18 };
    const struct segment real = {.rights = DATA, .limit = UINT16_MAX};
    const struct segment flat = {.selector = BOOT_DS, .rights = DATA | FLAT, .limit = UINT32_MAX};
    const struct segment data = is_protected ? flat : real;
    const struct segment code = {
        .selector = is_protected ? BOOT_CS : (uint16_t)(sipi_vector << 8),
        .rights = CODE | (data.rights & FLAT), .limit = data.limit, .base = (uint64_t)sipi_vector << 12};
    const struct segment ldt = {.rights = LDT, .limit = UINT16_MAX}, tss = {.rights = TSS32, .limit = UINT16_MAX};

    for (uint32_t nr = ES; nr <= GS; nr++)
        set_segment(nr, nr == CS ? &code : &data);
    set_segment(LDTR, &ldt);
    set_segment(TR, &tss);
    vmwrite(GUEST_GDTR_LIMIT, UINT16_MAX);
    vmwrite(GUEST_IDTR_LIMIT, UINT16_MAX);
}

/* NE must be one and the guest need not know (exit.c); VMXE must be one, and to the guest there is no such bit. */
static void set_guest(const struct start *start)
{
    uint64_t cr0 = start->is_protected ? CR0_PROTECTED : CR0_RESET;
    uint64_t cr4_fixed = rdmsr(MSR_VMX_CR4_FIXED0) | CR4_VMXE;

    vmwrite(CR0_MASK, CR0_NE);
    vmwrite(CR0_SHADOW, cr0);
    vmwrite(GUEST_CR0, cr0 | (rdmsr(MSR_VMX_CR0_FIXED0) & ~(HVS_CR0_PE | HVS_CR0_PG)));
    vmwrite(CR4_MASK, cr4_fixed | CR4_SMXE);
    vmwrite(GUEST_CR4, cr4_fixed);
    vmwrite(GUEST_PAT, PAT_RESET);
    vmwrite(GUEST_DR7, DR7_RESET);
    vmwrite(LINK_POINTER, UINT64_MAX);
    set_segments(start->is_protected, start->sipi_vector);
}

/* --- the hypervisor's --------------------------------------------------------------------------------------------- */

static void set_host(const struct vmx_cpu *own)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } gdt, idt;
    uint64_t cr0, cr3, cr4;

    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("sgdt %0" : "=m"(gdt));
    __asm__ volatile("sidt %0" : "=m"(idt));
    vmwrite(HOST_CR0, cr0);
    vmwrite(HOST_CR3, cr3);
    vmwrite(HOST_CR4, cr4);
    vmwrite(HOST_EFER, rdmsr(MSR_EFER));
    vmwrite(HOST_PAT, PAT_RESET);
    vmwrite(HOST_CS_SELECTOR, SELECTOR_CODE64);
    vmwrite(HOST_SS_SELECTOR, SELECTOR_DATA);
    vmwrite(HOST_DS_SELECTOR, SELECTOR_DATA);
    vmwrite(HOST_ES_SELECTOR, SELECTOR_DATA);
    vmwrite(HOST_TR_SELECTOR, SELECTOR_TSS);
    vmwrite(HOST_GS_BASE, (uintptr_t)own);
    vmwrite(HOST_TR_BASE, (uintptr_t)no_tss);
    vmwrite(HOST_GDTR_BASE, gdt.base);
    vmwrite(HOST_IDTR_BASE, idt.base);
    vmwrite(HOST_RIP, (uintptr_t)vmx_left);
}

static void set_controls(uint64_t nested_root)
{
    vmwrite(PIN_CONTROLS, vmx_caps.pin);
    vmwrite(PRIMARY_CONTROLS, vmx_caps.primary);
    vmwrite(SECONDARY_CONTROLS, vmx_caps.secondary);
    vmwrite(EXIT_CONTROLS, vmx_caps.exit);
    vmwrite(ENTRY_CONTROLS, vmx_caps.entry);
    vmwrite(IO_BITMAP_A, (uintptr_t)vmx_io_bitmaps);
    vmwrite(IO_BITMAP_B, (uintptr_t)vmx_io_bitmaps + HVS_PAGE_BYTES);
    vmwrite(MSR_BITMAP, (uintptr_t)vmx_msr_bitmap);
    vmwrite(EXCEPTION_BITMAP, machine.caught_exceptions);
    vmwrite(EPT_POINTER, nested_root | EPTP_WRITE_BACK | EPTP_FOUR_LEVELS);
    vmwrite(VPID, 1);
    if (vmx_caps.secondary & SECONDARY_XSAVES)
        vmwrite(XSS_EXITING, XSS_TRACE);
}

void vmx_start(struct cpu *cpu, const struct start *start)
{
    struct vmx_cpu *own = vmx_of(cpu);
    uint64_t vmcs = (uintptr_t)own->vmcs;
    bool failed;

    __asm__ volatile("vmclear %1; setbe %0" : "=q"(failed) : "m"(vmcs) : "cc", "memory");
    if (!failed)
        __asm__ volatile("vmptrld %1; setbe %0" : "=q"(failed) : "m"(vmcs) : "cc", "memory");
    if (failed)
        die("bug: CPU %u does not take its VMCS", cpu->vp);
    own->is_launched = own->nmi_wanted = own->has_nmi_window = own->is_timed = false;
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(zeros); i++)
        vmwrite(zeros[i], 0);
    set_controls(cpu->nested_root);
    set_host(own);
    set_guest(start);
    vmx_flush_tlb(cpu);
}
