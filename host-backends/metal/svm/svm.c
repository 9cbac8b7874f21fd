/*
 * SVM: one VMCB for each CPU, one I/O map and one MSR map for all [AMD APM volume 2, 15].
 *
 * INTR is not caught: the guest takes the machine's interrupts by itself, when and as its own RFLAGS.IF says. The
 * hypervisor runs with GIF clear from the first exit on, so NMIs wait until the guest runs again or svm_take_nmi().
 *
 * Left out: AVIC, nested SVM. An instruction is taken to have no prefixes where the CPU does not save the next RIP.
 */
#include "../common/metal.h"
#include "vmcb.h"

enum { IOPM_BYTES = 3 * HVS_PAGE_BYTES, MSRPM_BYTES = 2 * HVS_PAGE_BYTES, ASID = 1 };
enum { CPUID_SVM_BIT = 2, SVM_NESTED_PAGING = 1 << 0, SVM_NEXT_RIP = 1 << 3, SVM_DECODE_ASSISTS = 1 << 7 };
/* As IOIO's information numbers them. */
enum { SEGMENT_ES = 0, SEGMENT_DS = 3, SEGMENT_FS = 4, SEGMENT_GS = 5 };
#define PAT_RESET 0x0007040600070406ull
#define DR6_RESET 0xffff0ff0u
#define DR7_RESET 0x400u

void svm_enter(struct hvs_regs *regs, uint64_t vmcb);
void svm_load(uint64_t vmcb);
void svm_take_nmi(void);
void svm_sleep(void);

static uint8_t *iopm, *msrpm;
static bool has_next_rip, has_decode;
static uint64_t efer_writable;

struct svm_cpu {
    struct vmcb vmcb;
    uint64_t step_dr6;          /* the guest's own, while it is stepped */
};

static struct vmcb *vmcb_of(const struct cpu *cpu)
{
    return &((struct svm_cpu *)cpu->vendor_state)->vmcb;
}

/* --- this CPU ----------------------------------------------------------------------------------------------------- */

static bool is_mine(void)
{
    return cpuid(0x80000000, 0).eax >= 0x8000000a && cpuid(0x80000001, 0).ecx >> CPUID_SVM_BIT & 1;
}

static const char *missing(void)
{
    if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
        return "the firmware has switched SVM off: look for \"SVM\" or \"virtualization\" in its setup";
    if (!(cpuid(0x8000000a, 0).edx & SVM_NESTED_PAGING))
        return "its SVM has no nested paging";
    return NULL;
}

static uint64_t find_efer_writable(void)
{
    struct cpuid features = cpuid(0x80000001, 0);
    bool has_auto_ibrs = cpuid(0x80000000, 0).eax >= 0x80000021 && cpuid(0x80000021, 0).eax >> 8 & 1;
    uint64_t mask = EFER_SCE | EFER_LME | EFER_NXE;

    if (features.edx >> 25 & 1)
        mask |= EFER_FFXSR;
    if (features.ecx >> 17 & 1)
        mask |= EFER_TCE;
    if (has_auto_ibrs)
        mask |= EFER_AUTO_IBRS;
    return mask;
}

static void catch_msr(uint32_t index, bool reads, bool writes)
{
    static const uint32_t bases[] = {0, 0xc0000000, 0xc0010000};
    enum { MSRS = 0x2000, MAP_BYTES = MSRS / 4 };

    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(bases); i++) {
        uint32_t at = index - bases[i];

        if (at < MSRS)
            msrpm[i * MAP_BYTES + at / 4] |= (uint8_t)((reads | writes << 1) << at % 4 * 2);
    }
}

static void catch_port(uint16_t port)
{
    iopm[port / 8] |= (uint8_t)(1 << port % 8);
}

/* What is caught and nobody's is #GP: SVM's, SMM's, and writes to those that say which addresses are memory. */
static void init(void)
{
    iopm = memory_take(IOPM_BYTES);
    msrpm = memory_take(MSRPM_BYTES);
    has_decode = cpuid(0x8000000a, 0).edx & SVM_DECODE_ASSISTS;
    has_next_rip = cpuid(0x8000000a, 0).edx & SVM_NEXT_RIP;
    efer_writable = find_efer_writable();
    catch_msr(MSR_EFER, true, true);
    catch_msr(MSR_TSC_RATIO, true, true);
    catch_msr(MSR_SYSCFG, false, true);
    catch_msr(MSR_MMIO_CFG_BASE, false, true);
    for (uint32_t index = MSR_IORR_FIRST; index <= MSR_TOP_MEM2; index++)
        catch_msr(index, false, true);
    for (uint32_t index = MSR_SVM_FIRST; index <= MSR_SVM_LAST; index++)
        catch_msr(index, true, true);
}

static void cpu_init(struct cpu *cpu)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, (uintptr_t)memory_take(HVS_PAGE_BYTES));
    cpu->vendor_state = memory_take(sizeof(struct svm_cpu));
}

static uint32_t nr_key_bits(void)
{
    bool may = cpuid(0x80000000, 0).eax >= 0x8000001f;

    return may && rdmsr(MSR_SYSCFG) & SYSCFG_ENCRYPTS ? cpuid(0x8000001f, 0).ebx >> 6 & 63 : 0;
}

/* Rights that nested paging looks at are those of user accesses. */
static uint64_t nested_entry(uint64_t hpa, enum nested_entry kind)
{
    enum { PRESENT_USER = 5, WRITE = 2, LARGE = 0x80 };
    static const uint8_t bits[] = {
        [NESTED_TABLE] = PRESENT_USER | WRITE, [NESTED_PAGE] = PRESENT_USER | WRITE,
        [NESTED_LARGE] = PRESENT_USER | WRITE | LARGE, [NESTED_PAGE_READ_ONLY] = PRESENT_USER};

    return hpa | bits[kind];
}

/* --- how a guest begins ------------------------------------------------------------------------------------------- */

static void set_segments(struct vmcb *v, bool is_protected, uint8_t sipi_vector)
{
    enum { CODE = 0x9b, DATA = 0x93, LDT = 0x82, TSS32 = 0x8b, FLAT = 0xc00, BOOT_CS = 0x10, BOOT_DS = 0x18 };
    const struct vmcb_segment real = {.attributes = DATA, .limit = UINT16_MAX};
    const struct vmcb_segment flat = {.selector = BOOT_DS, .attributes = DATA | FLAT, .limit = UINT32_MAX};
    const struct vmcb_segment data = is_protected ? flat : real;

    v->cs = (struct vmcb_segment){
        .selector = is_protected ? BOOT_CS : (uint16_t)(sipi_vector << 8),
        .attributes = CODE | (data.attributes & FLAT), .limit = data.limit, .base = (uint64_t)sipi_vector << 12};
    v->es = v->ss = v->ds = v->fs = v->gs = data;
    v->gdtr = v->idtr = (struct vmcb_segment){.limit = UINT16_MAX};
    v->ldtr = (struct vmcb_segment){.attributes = LDT, .limit = UINT16_MAX};
    v->tr = (struct vmcb_segment){.attributes = TSS32, .limit = UINT16_MAX};
}

static void start(struct cpu *cpu, const struct start *start)
{
    struct vmcb *v = vmcb_of(cpu);

    memset(v, 0, sizeof(*v));
    v->intercepts = CATCH_NMI | CATCH_INIT | CATCH_CPUID | CATCH_INVD | CATCH_INVLPGA | CATCH_IOIO | CATCH_MSR |
                    CATCH_SHUTDOWN;
    v->intercepts2 = CATCH_ALL_SVM;
    v->exceptions = machine.caught_exceptions;
    v->iopm_base = (uintptr_t)iopm;
    v->msrpm_base = (uintptr_t)msrpm;
    v->asid = ASID;
    v->tlb_control = TLB_FLUSH_ALL;
    v->nested_control = NESTED_PAGING;
    v->nested_cr3 = cpu->nested_root;
    v->pat = PAT_RESET;
    v->efer = EFER_SVME;
    v->cr0 = start->is_protected ? CR0_PROTECTED : CR0_RESET;
    v->dr6 = DR6_RESET;
    v->dr7 = DR7_RESET;
    set_segments(v, start->is_protected, start->sipi_vector);
    svm_load((uintptr_t)v);
}

/* --- why it comes back -------------------------------------------------------------------------------------------- */

static uint8_t code_bits(const struct vmcb *v)
{
    if (!(v->cr0 & HVS_CR0_PE) || (v->rflags & RFLAGS_VM))
        return 16;
    if ((v->efer & EFER_LMA) && (v->cs.attributes & SEGMENT_LONG))
        return 64;
    return v->cs.attributes & SEGMENT_BIG ? 32 : 16;
}

static void get_regs(const struct vmcb *v, struct hvs_regs *regs)
{
    regs->rax = v->rax;
    regs->rsp = v->rsp;
    regs->rip = v->rip;
    regs->rflags = v->rflags;
    regs->cr0 = v->cr0;
    regs->cr3 = v->cr3;
    regs->cr4 = v->cr4;
    regs->efer = v->efer & ~EFER_SVME;
    regs->cpl = v->cpl;
    regs->code_bits = code_bits(v);
}

static void put_regs(struct vmcb *v, const struct hvs_regs *regs)
{
    v->rax = regs->rax;
    v->rsp = regs->rsp;
    v->rip = regs->rip;
    v->rflags = regs->rflags;
}

static uint8_t insn_bytes(const struct vmcb *v, uint8_t without_prefixes)
{
    return has_next_rip && v->next_rip ? (uint8_t)(v->next_rip - v->rip) : without_prefixes;
}

/*
 * Without a prefix for another segment or address size, which the core knows nothing of, and from address 0 on. QEMU's
 * emulation tells no address size.
 */
static bool is_plain_string(const struct vmcb *v, const struct hvs_regs *regs, uint32_t info)
{
    const struct vmcb_segment *segment[] = {&v->es, &v->cs, &v->ss, &v->ds, &v->fs, &v->gs};
    uint32_t used = info & IOIO_IN ? SEGMENT_ES : has_decode ? info >> IOIO_SEGMENT_SHIFT & 7 : SEGMENT_DS;
    uint32_t address_bits = (info >> IOIO_ADDRESS_SHIFT & 7) * 16;

    if ((address_bits && address_bits != regs->code_bits) || used >= HVS_ARRAY_SIZE(segment))
        return false;
    return regs->code_bits == 64 ? used != SEGMENT_FS && used != SEGMENT_GS : segment[used]->base == 0;
}

static void take_port(const struct vmcb *v, const struct hvs_regs *regs, struct trap *trap)
{
    uint32_t info = (uint32_t)v->exit_info1;

    trap->insn_bytes = (uint8_t)(v->exit_info2 - v->rip);
    trap->exit.kind = HVS_EXIT_PIO;
    trap->exit.pio.port = (uint16_t)(info >> 16);
    trap->exit.pio.size_bytes = info >> IOIO_SIZE_SHIFT & 7;
    trap->exit.pio.is_in = info & IOIO_IN;
    trap->exit.pio.is_string = info & IOIO_STRING;
    trap->exit.pio.count = info & IOIO_REP ? exit_nr_left(regs) : 1;
    trap->is_odd_string = info & IOIO_STRING && !is_plain_string(v, regs, info);
}

static void normalise(const struct vmcb *v, const struct hvs_regs *regs, struct trap *trap)
{
    *trap = (struct trap){.kind = TRAP_EXIT, .code = v->exit_code};
    switch (v->exit_code) {
    case EXIT_CPUID:
        trap->insn_bytes = insn_bytes(v, 2);
        trap->exit.kind = HVS_EXIT_CPUID;
        break;
    case EXIT_MSR:
        trap->insn_bytes = insn_bytes(v, 2);
        exit_take_msr(v->exit_info1 & 1, regs, trap);
        break;
    case EXIT_IOIO:
        take_port(v, regs, trap);
        break;
    case EXIT_VMMCALL:
        trap->insn_bytes = insn_bytes(v, 3);
        trap->exit.kind = HVS_EXIT_HYPERCALL;
        trap->exit.hypercall.slot = HVS_SLOT_RAW;
        break;
    case EXIT_NPF:
        trap->kind = TRAP_NESTED_FAULT;
        trap->gpa = v->exit_info2;
        break;
    case EXIT_EXCEPTION_DB:
        trap->kind = TRAP_STEP;
        break;
    case EXIT_EXCEPTION_GP:
        trap->kind = TRAP_FAULT;
        break;
    case EXIT_NMI:
        trap->kind = TRAP_NMI;
        trap->is_in_shadow = v->interrupt_shadow & SHADOW_ACTIVE;
        break;
    case EXIT_INIT:
        trap->kind = TRAP_INIT;
        break;
    case EXIT_INVD:
        trap->kind = TRAP_INVD;
        trap->insn_bytes = insn_bytes(v, 2);
        break;
    case EXIT_SHUTDOWN:
        trap->kind = TRAP_SHUTDOWN;
        break;
    default:
        trap->kind = v->exit_code == EXIT_INVLPGA || (v->exit_code >= EXIT_VMRUN && v->exit_code <= EXIT_SKINIT)
                         ? TRAP_FORBIDDEN : TRAP_BROKEN;
        break;
    }
}

/* Error codes exist in protected mode only. */
static void raise(struct cpu *cpu, uint8_t vector, bool has_code, uint32_t code)
{
    struct vmcb *v = vmcb_of(cpu);

    v->event = EVENT_VALID | EVENT_EXCEPTION | vector;
    if (has_code && v->cr0 & HVS_CR0_PE)
        v->event |= EVENT_HAS_CODE | (uint64_t)code << 32;
}

static void enter(struct cpu *cpu, struct trap *trap)
{
    struct vmcb *v = vmcb_of(cpu);

    put_regs(v, &cpu->regs);
    svm_enter(&cpu->regs, (uintptr_t)v);
    v->event = v->exit_interrupt & EVENT_VALID ? v->exit_interrupt : 0;        /* its delivery was broken off */
    v->tlb_control = 0;
    get_regs(v, &cpu->regs);
    normalise(v, &cpu->regs, trap);
    if (trap->kind == TRAP_FAULT)
        exit_take_gp(cpu, (uint32_t)v->exit_interrupt, (uint32_t)v->exit_info1, trap);
    if (trap->kind == TRAP_NMI)
        svm_take_nmi();
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void raise_nmi(struct cpu *cpu)
{
    vmcb_of(cpu)->event = EVENT_VALID | EVENT_NMI | VECTOR_NMI;
}

static void set_cr2(struct cpu *cpu, uint64_t address)
{
    vmcb_of(cpu)->cr2 = address;
}

static void advanced(struct cpu *cpu)
{
    struct vmcb *v = vmcb_of(cpu);

    v->interrupt_shadow &= ~(uint64_t)SHADOW_ACTIVE;
    if (!(cpu->regs.rflags & RFLAGS_TF))
        return;
    v->dr6 |= DR6_BS;
    raise(cpu, VECTOR_DB, false, 0);
}

static void flush_tlb(struct cpu *cpu)
{
    vmcb_of(cpu)->tlb_control = TLB_FLUSH_ALL;
}

static void step(struct cpu *cpu, bool on)
{
    struct svm_cpu *own = cpu->vendor_state;

    if (on) {
        own->vmcb.exceptions |= 1u << VECTOR_DB;
        own->step_dr6 = own->vmcb.dr6;
    } else {
        own->vmcb.exceptions &= ~(1u << VECTOR_DB);
        own->vmcb.dr6 = own->step_dr6;
    }
}

static void hide(uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
    enum { SKINIT_BIT = 12, INVLPGB_BIT = 3 };

    (void)subleaf;
    if (leaf == 0x80000001)
        r->ecx &= ~(1u << CPUID_SVM_BIT | 1u << SKINIT_BIT);
    if (leaf == 0x80000008)             /* a guest's INVLPGB and TLBSYNC are #UD where the VMCB does not allow them */
        r->ebx &= ~(1u << INVLPGB_BIT);
    if (leaf == 0x8000000a || leaf == 0x8000001f)       /* SVM's features, and memory encryption, which needs it */
        *r = (struct cpuid){0};
}

static enum hvs_verdict write_efer(struct cpu *cpu, uint64_t value)
{
    struct vmcb *v = vmcb_of(cpu);
    uint64_t wanted = value & ~(uint64_t)EFER_LMA;

    if (wanted & ~efer_writable)
        return HVS_FAULT;
    if (((wanted ^ v->efer) & EFER_LME) && (v->cr0 & HVS_CR0_PG))
        return HVS_FAULT;
    v->efer = wanted | (v->efer & EFER_LMA) | EFER_SVME;
    return HVS_HANDLED;
}

static enum hvs_verdict msr(struct cpu *cpu, const struct hvs_exit *exit, uint64_t *value)
{
    if (exit->msr.index != MSR_EFER)
        return HVS_UNHANDLED;
    if (exit->kind == HVS_EXIT_MSR_WRITE)
        return write_efer(cpu, exit->msr.value);
    *value = vmcb_of(cpu)->efer & ~EFER_SVME;
    return HVS_HANDLED;
}

const struct vendor svm = {
    .name = "SVM",
    .hypercall = {.length = 3, .byte = {0x0f, 0x01, 0xd9}},     /* VMMCALL */
    .is_mine = is_mine,
    .missing = missing,
    .init = init,
    .catch_port = catch_port,
    .catch_msr = catch_msr,
    .nested_entry = nested_entry,
    .nr_key_bits = nr_key_bits,
    .cpu_init = cpu_init,
    .start = start,
    .enter = enter,
    .raise = raise,
    .raise_nmi = raise_nmi,
    .set_cr2 = set_cr2,
    .advanced = advanced,
    .flush_tlb = flush_tlb,
    .step = step,
    .sleep = svm_sleep,
    .take_nmi = svm_take_nmi,
    .hide = hide,
    .msr = msr,
};
