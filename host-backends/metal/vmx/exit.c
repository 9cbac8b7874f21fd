/*
 * VMX as a vendor: the guest's exits in neutral words, and the answers [SDM 3, 26.2, 27.5 to 27.7, 28.2].
 *
 * External interrupts do not exit: the guest takes the machine's interrupts by itself. NMIs do, and go to the guest by
 * injection, with virtual NMIs. Exits that concern VMX alone (CR0, CR4, XSETBV, NMI windows) end here.
 *
 * Left out: posted interrupts, APIC virtualisation, VMFUNC, hardware task switches (the exit ends the machine), guests
 * with SGX in mind (what the CPU has is passed through), CET's own state (the hypervisor uses none).
 */
#include "vmx.h"

/* --- the guest's state -------------------------------------------------------------------------------------------- */

static uint8_t code_bits(const struct hvs_regs *regs)
{
    uint64_t rights = vmread(GUEST_CS_RIGHTS);

    if (!(regs->cr0 & HVS_CR0_PE) || (regs->rflags & RFLAGS_VM))
        return 16;
    if ((regs->efer & EFER_LMA) && (rights & RIGHTS_LONG))
        return 64;
    return rights & RIGHTS_BIG ? 32 : 16;
}

/* As the guest reads it: what is masked comes from the shadow. */
static uint64_t control_register(uint32_t value, uint32_t mask, uint32_t shadow)
{
    uint64_t masked = vmread(mask);

    return (vmread(value) & ~masked) | (vmread(shadow) & masked);
}

static void get_regs(struct hvs_regs *regs)
{
    regs->rsp = vmread(GUEST_RSP);
    regs->rip = vmread(GUEST_RIP);
    regs->rflags = vmread(GUEST_RFLAGS);
    regs->cr0 = control_register(GUEST_CR0, CR0_MASK, CR0_SHADOW);
    regs->cr3 = vmread(GUEST_CR3);
    regs->cr4 = control_register(GUEST_CR4, CR4_MASK, CR4_SHADOW);
    regs->efer = vmread(GUEST_EFER);
    regs->cpl = vmread(GUEST_SS_RIGHTS) >> RIGHTS_DPL_SHIFT & 3;
    regs->code_bits = code_bits(regs);
}

static void put_regs(const struct hvs_regs *regs)
{
    vmwrite(GUEST_RSP, regs->rsp);
    vmwrite(GUEST_RIP, regs->rip);
    vmwrite(GUEST_RFLAGS, regs->rflags);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* Error codes exist in protected mode only, and entries are held to that. */
static void raise(struct cpu *cpu, uint8_t vector, bool has_code, uint32_t code)
{
    has_code = has_code && cpu->regs.cr0 & HVS_CR0_PE;
    vmwrite(ENTRY_EVENT, EVENT_VALID | EVENT_EXCEPTION | (has_code ? EVENT_HAS_CODE : 0) | vector);
    vmwrite(ENTRY_EVENT_CODE, code);
}

/* It stays the guest's. */
static void set_cr2(struct cpu *cpu, uint64_t address)
{
    (void)cpu;
    __asm__ volatile("mov %0, %%cr2" : : "r"(address));
}

static void raise_nmi(struct cpu *cpu)
{
    vmx_of(cpu)->nmi_wanted = true;
}

/* An NMI goes in where nothing else does and the guest takes NMIs; else at the next place where it may. */
static void inject_nmi(struct vmx_cpu *own)
{
    const uint32_t blocks = BLOCKED_BY_STI | BLOCKED_BY_MOV_SS | BLOCKED_BY_NMI;
    bool may = own->nmi_wanted && !(vmread(GUEST_INTERRUPTIBILITY) & blocks) && !(vmread(ENTRY_EVENT) & EVENT_VALID);

    if (may) {
        vmwrite(ENTRY_EVENT, EVENT_VALID | EVENT_NMI | VECTOR_NMI);
        own->nmi_wanted = false;
    }
    if (own->nmi_wanted != own->has_nmi_window)
        vmwrite(PRIMARY_CONTROLS, vmx_caps.primary | (own->nmi_wanted ? PRIMARY_NMI_WINDOW : 0));
    own->has_nmi_window = own->nmi_wanted;
}

static void set_blocked_by_nmi(bool on)
{
    uint64_t state = vmread(GUEST_INTERRUPTIBILITY);

    vmwrite(GUEST_INTERRUPTIBILITY, on ? state | BLOCKED_BY_NMI : state & ~(uint64_t)BLOCKED_BY_NMI);
}

/* What the exit broke off is done again: an event's delivery, or the IRET that had opened NMIs. */
static void redo_event(uint32_t reason, uint64_t qualification)
{
    uint32_t event = (uint32_t)vmread(VECTORING_EVENT);

    if (!(event & EVENT_VALID)) {
        if (reason == REASON_EPT_VIOLATION && qualification >> EVENT_NMI_UNBLOCKED & 1)
            set_blocked_by_nmi(true);
        return;
    }
    if ((event & EVENT_KIND) == EVENT_NMI)
        set_blocked_by_nmi(false);
    vmwrite(ENTRY_EVENT, event & EVENT_DEFINED);
    vmwrite(ENTRY_EVENT_CODE, vmread(VECTORING_EVENT_CODE));
    vmwrite(ENTRY_INSN_BYTES, vmread(EXIT_INSN_BYTES));
}

/* --- exits that end here ------------------------------------------------------------------------------------------ */

static void end_shadow(void)
{
    const uint64_t shadows = BLOCKED_BY_STI | BLOCKED_BY_MOV_SS;
    uint64_t state = vmread(GUEST_INTERRUPTIBILITY);

    if (state & shadows)
        vmwrite(GUEST_INTERRUPTIBILITY, state & ~shadows);
}

static void advanced(struct cpu *cpu)
{
    end_shadow();
    if (cpu->regs.rflags & RFLAGS_TF)
        vmwrite(GUEST_PENDING_DEBUG, PENDING_BS);
}

static uint64_t gpr(const struct hvs_regs *regs, uint32_t nr)
{
    const uint64_t value[16] = {regs->rax, regs->rcx, regs->rdx, regs->rbx, regs->rsp, regs->rbp, regs->rsi, regs->rdi,
                                regs->r8, regs->r9, regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15};

    return value[nr & 15];
}

/*
 * A write of CR0 or CR4 that would change what is masked. CR0.NE is let be seen as the guest wants it, and the
 * instruction done again, which then differs from the shadow in nothing: so the CPU does all that goes with such a
 * write. Returns whether that was it.
 */
static bool write_control_register(struct cpu *cpu, uint64_t qualification)
{
    uint64_t value = gpr(&cpu->regs, qualification >> CR_REGISTER_SHIFT & 15);
    uint32_t nr = qualification & CR_NUMBER_MASK;

    if (qualification & CR_KIND_MASK)
        return false;
    if (nr == 0 && (value ^ vmread(CR0_SHADOW)) & CR0_NE) {
        vmwrite(CR0_SHADOW, (vmread(CR0_SHADOW) & ~CR0_NE) | (value & CR0_NE));
        return true;
    }
    if (nr == 4)
        raise(cpu, HVS_VECTOR_GP, true, 0);
    return nr == 4;
}

/* XCR0 stays the guest's. What the CPU would refuse must not be tried: the fault would be the hypervisor's. */
static void xsetbv(struct cpu *cpu)
{
    uint64_t value = cpu->regs.rdx << 32 | (uint32_t)cpu->regs.rax;
    struct cpuid supported = cpuid(0xd, 0);

    if ((uint32_t)cpu->regs.rcx ||
        !vmx_xcr0_is_valid(value, (uint64_t)supported.edx << 32 | supported.eax)) {
        raise(cpu, HVS_VECTOR_GP, true, 0);
        return;
    }
    __asm__ volatile("xsetbv" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0));
    cpu->regs.rip += vmread(EXIT_INSN_BYTES);
    advanced(cpu);
}

/* Returns whether the exit is dealt with. */
static bool handle_own(struct cpu *cpu, uint32_t reason, uint64_t qualification)
{
    switch (reason) {
    case REASON_NMI_WINDOW:
        return true;
    case REASON_CR:
        return write_control_register(cpu, qualification);
    case REASON_XSETBV:
        xsetbv(cpu);
        return true;
    default:
        return false;
    }
}

/* --- exits in neutral words --------------------------------------------------------------------------------------- */

/* Without a prefix for another segment or address size, which the core knows nothing of, and from address 0 on. */
static bool is_plain_string(const struct hvs_regs *regs, bool is_in)
{
    enum { ES, FS = 4, GS = 5, NR_SEGMENTS = 6 };
    uint64_t info = vmread(EXIT_INSN_INFO);
    uint32_t used = is_in ? ES : info >> STRING_SEGMENT_SHIFT & 7;
    uint32_t address_bits = 16u << (info >> STRING_ADDRESS_SHIFT & 7);

    if (address_bits != regs->code_bits || used >= NR_SEGMENTS)
        return false;
    return regs->code_bits == 64 ? used != FS && used != GS : vmread(GUEST_ES_BASE + 2 * used) == 0;
}

static void take_port(uint64_t qualification, const struct hvs_regs *regs, struct trap *trap)
{
    trap->exit.kind = HVS_EXIT_PIO;
    trap->exit.pio.port = (uint16_t)(qualification >> IO_PORT_SHIFT);
    trap->exit.pio.size_bytes = (qualification & IO_SIZE_MASK) + 1;
    trap->exit.pio.is_in = qualification & IO_IN;
    trap->exit.pio.is_string = qualification & IO_STRING;
    trap->exit.pio.count = qualification & IO_REP ? exit_nr_left(regs) : 1;
    trap->is_odd_string = qualification & IO_STRING && !is_plain_string(regs, qualification & IO_IN);
}

/* Those of VMX, SMX and TDX, and XRSTORS of processor trace's state. */
static bool is_forbidden(uint32_t reason)
{
    return (reason >= REASON_VMCLEAR && reason <= REASON_VMXON) || reason == REASON_INVEPT ||
           reason == REASON_INVVPID || reason == REASON_GETSEC || reason == REASON_XSAVES || reason == REASON_XRSTORS ||
           (reason >= REASON_SEAMCALL && reason <= REASON_WRMSR_IMMEDIATE);
}

/* Those that are an instruction of the guest, for the core. */
static bool take_instruction(uint32_t reason, uint64_t qualification, const struct hvs_regs *regs, struct trap *trap)
{
    switch (reason) {
    case REASON_CPUID:
        trap->exit.kind = HVS_EXIT_CPUID;
        break;
    case REASON_RDMSR:
    case REASON_WRMSR:
        exit_take_msr(reason == REASON_WRMSR, regs, trap);
        break;
    case REASON_IO:
        take_port(qualification, regs, trap);
        break;
    case REASON_VMCALL:
        trap->exit.kind = HVS_EXIT_HYPERCALL;
        trap->exit.hypercall.slot = HVS_SLOT_RAW;
        break;
    case REASON_INVD:
        trap->kind = TRAP_INVD;
        break;
    default:
        return false;
    }
    trap->insn_bytes = (uint8_t)vmread(EXIT_INSN_BYTES);
    return true;
}

static enum trap_kind event_kind(uint32_t event)
{
    if ((event & EVENT_KIND) == EVENT_NMI)
        return TRAP_NMI;
    if ((event & EVENT_VECTOR) == HVS_VECTOR_GP)
        return TRAP_FAULT;
    return (event & EVENT_VECTOR) == VECTOR_DB ? TRAP_STEP : TRAP_BROKEN;
}

static enum trap_kind other_kind(uint32_t reason)
{
    switch (reason) {
    case REASON_EVENT:
        return event_kind((uint32_t)vmread(EXIT_EVENT));
    case REASON_TRIPLE_FAULT:
        return TRAP_SHUTDOWN;
    case REASON_INIT:
        return TRAP_INIT;
    case REASON_TIMER:
        return TRAP_TIMER;
    case REASON_EPT_VIOLATION:
        return TRAP_NESTED_FAULT;
    default:
        return is_forbidden(reason) ? TRAP_FORBIDDEN : TRAP_BROKEN;
    }
}

static void normalise(uint64_t reason, uint64_t qualification, const struct hvs_regs *regs, struct trap *trap)
{
    *trap = (struct trap){.kind = TRAP_EXIT, .code = reason};
    if (take_instruction((uint32_t)reason, qualification, regs, trap))
        return;
    trap->kind = other_kind((uint32_t)reason);
    if (trap->kind == TRAP_NESTED_FAULT)
        trap->gpa = vmread(GUEST_PHYSICAL_ADDRESS);
}

/* Returns whether the guest ran. */
static bool enter_once(struct cpu *cpu)
{
    struct vmx_cpu *own = vmx_of(cpu);

    inject_nmi(own);
    put_regs(&cpu->regs);
    switch (vmx_enter(&cpu->regs, own->is_launched)) {
    case VMX_NMI_FIRST:
        own->nmi_came = 0;
        return false;
    case VMX_FAILED:
        die("bug: CPU %u: VM entry: error %lu", cpu->vp, vmread(INSTRUCTION_ERROR));
    case VMX_LEFT:
        break;
    }
    own->is_launched = true;
    return true;
}

static void enter(struct cpu *cpu, struct trap *trap)
{
    uint64_t reason, qualification;

    do {
        if (!enter_once(cpu)) {
            *trap = (struct trap){.kind = TRAP_NMI};
            return;
        }
        reason = vmread(EXIT_REASON);
        qualification = vmread(EXIT_QUALIFICATION);
        get_regs(&cpu->regs);
        redo_event((uint32_t)reason, qualification);
    } while (handle_own(cpu, (uint32_t)reason, qualification));
    normalise(reason, qualification, &cpu->regs, trap);
    if (trap->kind == TRAP_FAULT)
        exit_take_gp(cpu, (uint32_t)vmread(VECTORING_EVENT), (uint32_t)vmread(EXIT_EVENT_CODE), trap);
    if (trap->kind == TRAP_NMI)
        vmx_unblock_nmi();
}

/* --- the rest of the seam ----------------------------------------------------------------------------------------- */

/* By the trap flag, as CPUs are without a monitor trap flag that have all else. The exit leaves DR6 as it was. */
static void step(struct cpu *cpu, bool on)
{
    (void)cpu;
    vmwrite(EXCEPTION_BITMAP, machine.caught_exceptions | (on ? 1u << VECTOR_DB : 0));
    if (on)
        end_shadow();
}

static void set_timer(struct cpu *cpu, uint64_t wait_ns)
{
    struct vmx_cpu *own = vmx_of(cpu);
    bool is_wanted = wait_ns != UINT64_MAX;

    if (is_wanted != own->is_timed)
        vmwrite(PIN_CONTROLS, vmx_caps.pin | (is_wanted ? PIN_TIMER : 0));
    own->is_timed = is_wanted;
    if (is_wanted)
        vmwrite(PREEMPTION_TIMER, vmx_timer_ticks(wait_ns, clock_tsc_khz(), vmx_caps.timer_shift));
}

/* NMIs are taken as they come; what is left is the word that one has. */
static void take_nmi(void)
{
    __asm__ volatile("movq $0, %%gs:0" : : : "memory");
}

/* VMX, what vmx_msr_is_kept() keeps from the guest, and instructions that is_forbidden() does. */
static void hide(uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
    enum { DTES64 = 1 << 2, DS_CPL = 1 << 4, VMX = 1 << 5, SMX = 1 << 6, DS = 1 << 21, FEEDBACK = 1 << 19,
           THREAD_DIRECTOR = 1 << 23, TRACE = 1 << 25, TME = 1 << 13, PCONFIG = 1 << 18, MSR_IMMEDIATE = 1 << 5,
           TRACE_STATE = 1 << 8, PEBS = 3 << 4, ANY = UINT8_MAX, LEAF_TRACE = 0x14 };
    static const struct {
        uint8_t leaf, subleaf;
        struct cpuid bits;
    } hidden[] = {{1, ANY, {.ecx = DTES64 | DS_CPL | VMX | SMX, .edx = DS}},
                  {6, ANY, {.eax = FEEDBACK | THREAD_DIRECTOR}},
                  {7, 0, {.ebx = TRACE, .ecx = TME, .edx = PCONFIG}},
                  {7, 1, {.ecx = MSR_IMMEDIATE}},
                  {0xd, 1, {.ecx = TRACE_STATE}},
                  {0x23, 0, {.eax = PEBS}}};

    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(hidden); i++) {
        if (leaf != hidden[i].leaf || (subleaf != hidden[i].subleaf && hidden[i].subleaf != ANY))
            continue;
        r->eax &= ~hidden[i].bits.eax;
        r->ebx &= ~hidden[i].bits.ebx;
        r->ecx &= ~hidden[i].bits.ecx;
        r->edx &= ~hidden[i].bits.edx;
    }
    if (leaf == LEAF_TRACE)
        *r = (struct cpuid){0};
}

/* To a guest whose CPU has no VMX, the feature control is locked without it. The others are nobody's: #GP. */
static enum hvs_verdict msr(struct cpu *cpu, const struct hvs_exit *exit, uint64_t *value)
{
    (void)cpu;
    if (exit->msr.index != MSR_FEATURE_CONTROL || exit->kind != HVS_EXIT_MSR_READ)
        return HVS_UNHANDLED;
    *value = (rdmsr(MSR_FEATURE_CONTROL) & FEATURE_CONTROL_HARMLESS) | FEATURE_CONTROL_LOCKED;
    return HVS_HANDLED;
}

const struct vendor vmx = {
    .name = "VMX",
    .hypercall = {.length = 3, .byte = {0x0f, 0x01, 0xc1}},     /* VMCALL */
    .is_mine = vmx_is_mine,
    .missing = vmx_missing,
    .init = vmx_init,
    .catch_port = vmx_catch_port,
    .catch_msr = vmx_catch_msr,
    .nested_entry = vmx_nested_entry,
    .nested_is_uniform = vmx_nested_is_uniform,
    .nr_key_bits = vmx_nr_key_bits,
    .cpu_init = vmx_cpu_init,
    .start = vmx_start,
    .enter = enter,
    .raise = raise,
    .raise_nmi = raise_nmi,
    .set_cr2 = set_cr2,
    .advanced = advanced,
    .flush_tlb = vmx_flush_tlb,
    .step = step,
    .set_timer = set_timer,
    .sleep = vmx_sleep,
    .take_nmi = take_nmi,
    .hide = hide,
    .msr = msr,
};
