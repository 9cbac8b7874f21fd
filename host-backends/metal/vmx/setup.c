/*
 * What VMX needs once: whether the CPU has all of it, the maps that all CPUs share, and each CPU's way into VMX
 * operation [SDM 3, 24.6 to 24.8, 26 and appendix A].
 *
 * Only unrestricted guests are run: guests begin in real mode or without paging, and nothing here emulates that.
 */
#include "vmx.h"

enum { CPUID_VMX_BIT = 5, CPUID_TME_BIT = 13, CPUID_XSAVE_BIT = 26, BITMAP_BYTES = HVS_PAGE_BYTES };
enum { MSR_MTRR_CAP = 0xfe, MSR_MTRR_VARIABLE = 0x200, MSR_MTRR_DEFAULT = 0x2ff, MTRR_COUNT_MASK = 0xff,
       MTRR_HAS_FIXED = 1 << 8, CPUID_MTRR_BIT = 12, MSRS_IN_BITMAP = 0x2000 };

struct vmx_caps vmx_caps;
uint8_t *vmx_io_bitmaps, *vmx_msr_bitmap;
static struct mtrrs mtrrs;

/* --- what the CPU has --------------------------------------------------------------------------------------------- */

bool vmx_is_mine(void)
{
    return cpuid(1, 0).ecx >> CPUID_VMX_BIT & 1;
}

static bool is_switched_off(void)
{
    uint64_t feature_control = rdmsr(MSR_FEATURE_CONTROL);

    return feature_control & FEATURE_CONTROL_LOCKED && !(feature_control & FEATURE_CONTROL_VMX);
}

/* Fills vmx_caps' controls; returns whether the CPU has all that is needed. */
static bool find_controls(void)
{
    const uint32_t primary = PRIMARY_IO_BITMAPS | PRIMARY_MSR_BITMAPS | PRIMARY_SECONDARY;
    const uint32_t optional = SECONDARY_RDTSCP | SECONDARY_INVPCID | SECONDARY_XSAVES | SECONDARY_USER_WAIT;
    const uint32_t exit = EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER |
                          EXIT_LOAD_EFER;
    const uint32_t entry = ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER;

    return vmx_controls(rdmsr(MSR_VMX_TRUE_PIN), PIN_NMI_EXITS | PIN_VIRTUAL_NMIS, 0, &vmx_caps.pin) &&
           vmx_controls(rdmsr(MSR_VMX_TRUE_PRIMARY), primary, 0, &vmx_caps.primary) &&
           vmx_controls(rdmsr(MSR_VMX_SECONDARY), SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED, optional,
                        &vmx_caps.secondary) &&
           vmx_controls(rdmsr(MSR_VMX_TRUE_EXIT), exit, 0, &vmx_caps.exit) &&
           vmx_controls(rdmsr(MSR_VMX_TRUE_ENTRY), entry, 0, &vmx_caps.entry);
}

static bool has_ept(void)
{
    const uint64_t wanted = CAP_FOUR_LEVELS | CAP_WRITE_BACK | CAP_2M | CAP_INVEPT | CAP_INVEPT_ALL;
    bool has_1g_pages = cpuid(0x80000001, 0).edx >> 26 & 1;
    uint64_t caps = rdmsr(MSR_VMX_EPT_VPID_CAP);

    return (caps & wanted) == wanted && (!has_1g_pages || caps & CAP_1G);
}

const char *vmx_missing(void)
{
    if (is_switched_off())
        return "the firmware has switched VMX off: look for \"VT-x\" or \"virtualization\" in its setup";
    if ((rdmsr(MSR_VMX_BASIC) & BASIC_WANTED) != BASIC_WANTED || !find_controls() || !has_ept())
        return "its VMX cannot run unrestricted guests on nested page tables (EPT)";
    if (!(rdmsr(MSR_VMX_TRUE_PIN) >> 32 & PIN_TIMER))
        return "its VMX has no preemption timer";
    return NULL;
}

/* --- what all CPUs share ------------------------------------------------------------------------------------------ */

static void read_mtrrs(void)
{
    static const uint16_t fixed[NR_FIXED_MTRRS] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d,
                                                   0x26e, 0x26f};
    uint64_t cap;

    if (!(cpuid(1, 0).edx >> CPUID_MTRR_BIT & 1)) {
        mtrrs.default_type = 1 << 11 | TYPE_WB;
        return;
    }
    cap = rdmsr(MSR_MTRR_CAP);
    mtrrs.default_type = rdmsr(MSR_MTRR_DEFAULT);
    for (uint32_t i = 0; cap & MTRR_HAS_FIXED && i < NR_FIXED_MTRRS; i++)
        mtrrs.fixed[i] = rdmsr(fixed[i]);
    mtrrs.nr_variable = cap & MTRR_COUNT_MASK;
    if (mtrrs.nr_variable > MAX_VARIABLE_MTRRS)
        die("the CPU has more than %u variable MTRRs", (uint32_t)MAX_VARIABLE_MTRRS);
    for (uint32_t i = 0; i < mtrrs.nr_variable; i++) {
        mtrrs.variable[i].base = rdmsr(MSR_MTRR_VARIABLE + 2 * i);
        mtrrs.variable[i].mask = rdmsr(MSR_MTRR_VARIABLE + 2 * i + 1);
    }
}

void vmx_catch_msr(uint32_t index, bool reads, bool writes)
{
    enum { HIGH = MSRS_IN_BITMAP / 8, WRITES = 2 * MSRS_IN_BITMAP / 8 };
    uint32_t at = index & (MSRS_IN_BITMAP - 1), map = index - at == 0xc0000000 ? HIGH : 0;
    uint8_t bit = (uint8_t)(1 << at % 8);

    if (index - at && !map)
        return;
    vmx_msr_bitmap[map + at / 8] |= reads ? bit : 0;
    vmx_msr_bitmap[WRITES + map + at / 8] |= writes ? bit : 0;
}

void vmx_catch_port(uint16_t port)
{
    vmx_io_bitmaps[port / 8] |= (uint8_t)(1 << port % 8);
}

void vmx_init(void)
{
    vmx_io_bitmaps = memory_take(2 * BITMAP_BYTES);
    vmx_msr_bitmap = memory_take(BITMAP_BYTES);
    vmx_caps.timer_shift = rdmsr(MSR_VMX_MISC) & MISC_TIMER_SHIFT_MASK;
    read_mtrrs();
    for (uint32_t index = 0; index < MSRS_IN_BITMAP; index++)
        vmx_catch_msr(index, vmx_msr_is_kept(index), vmx_msr_is_kept(index));
}

/* The guest has no MTRRs of its own with EPT, so their types go into the entries, as they were at the start. */
uint64_t vmx_nested_entry(uint64_t hpa, enum nested_entry kind)
{
    static const uint8_t bits[] = {
        [NESTED_TABLE] = EPT_READ_WRITE_EXECUTE, [NESTED_PAGE] = EPT_READ_WRITE_EXECUTE,
        [NESTED_LARGE] = EPT_READ_WRITE_EXECUTE | EPT_LARGE, [NESTED_PAGE_READ_ONLY] = EPT_READ_EXECUTE};

    return hpa | bits[kind] | (kind == NESTED_TABLE ? 0 : (uint64_t)mtrr_type(&mtrrs, hpa) << EPT_TYPE_SHIFT);
}

uint32_t vmx_nr_key_bits(void)
{
    uint64_t activate = cpuid(7, 0).ecx >> CPUID_TME_BIT & 1 ? rdmsr(MSR_TME_ACTIVATE) : 0;

    return activate & TME_ENABLED ? activate >> TME_KEY_BITS_SHIFT & TME_KEY_BITS_MASK : 0;
}

bool vmx_nested_is_uniform(uint64_t hpa, uint64_t bytes)
{
    return mtrr_is_uniform(&mtrrs, hpa, bytes);
}

/* --- each CPU ----------------------------------------------------------------------------------------------------- */

static void enable(void)
{
    uint64_t feature_control = rdmsr(MSR_FEATURE_CONTROL);

    if (is_switched_off())
        die("the firmware has switched VMX off on one CPU of several");
    if (!(feature_control & FEATURE_CONTROL_LOCKED))
        wrmsr(MSR_FEATURE_CONTROL, feature_control | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCKED);
}

static void set_control_registers(void)
{
    uint64_t cr0, cr4, with_xsave = cpuid(1, 0).ecx >> CPUID_XSAVE_BIT & 1 ? CR4_OSXSAVE : 0;

    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    cr0 |= rdmsr(MSR_VMX_CR0_FIXED0);
    cr4 |= rdmsr(MSR_VMX_CR4_FIXED0) | CR4_VMXE | with_xsave;
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

/* A VMXON region or a VMCS: both begin with the revision. */
static void *take_region(void)
{
    uint32_t *region = memory_take(HVS_PAGE_BYTES);

    *region = (uint32_t)rdmsr(MSR_VMX_BASIC) & INT32_MAX;
    return region;
}

void vmx_cpu_init(struct cpu *cpu)
{
    uint64_t region = (uintptr_t)take_region();
    struct vmx_cpu *own = memory_take(sizeof(*own));
    bool failed;

    own->vmcs = take_region();
    cpu->vendor_state = own;
    wrmsr(MSR_GS_BASE, (uintptr_t)own);
    trap_set_nmi(vmx_nmi);
    enable();
    set_control_registers();
    __asm__ volatile("vmxon %1; setbe %0" : "=q"(failed) : "m"(region) : "cc", "memory");
    if (failed)
        die("CPU %u does not take VMXON", cpu->vp);
}
