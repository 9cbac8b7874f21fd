/*
 * One exit of the guest: to the core, and its verdict back. What the core does not own is answered as the machine
 * would, less what the hypervisor keeps for itself.
 */
#include "metal.h"
#include "metal_stats_abi.h"

void exit_advance(struct cpu *cpu, const struct trap *trap)
{
    cpu->regs.rip += trap->insn_bytes;
    cpu->regs.rflags &= ~RFLAGS_RF;
    if (cpu->regs.code_bits != 64)
        cpu->regs.rip = (uint32_t)cpu->regs.rip;
    machine.vendor->advanced(cpu);
}

void exit_take_msr(bool is_write, const struct hvs_regs *regs, struct trap *trap)
{
    trap->exit.kind = is_write ? HVS_EXIT_MSR_WRITE : HVS_EXIT_MSR_READ;
    trap->exit.msr.index = (uint32_t)regs->rcx;
    trap->exit.msr.value = is_write ? regs->rdx << 32 | (uint32_t)regs->rax : 0;
}

uint32_t exit_nr_left(const struct hvs_regs *regs)
{
    uint64_t mask = regs->code_bits == 64 ? UINT64_MAX : regs->code_bits == 32 ? UINT32_MAX : UINT16_MAX;
    uint64_t left = regs->rcx & mask;

    return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}

/*
 * Whether a program was at VMware's ports, where VMware lets it whatever its kernel says. Then that is *trap. Without
 * other prefixes, and from segments that begin at 0. IN may be the last byte of the last page that is there.
 */
static bool take_refused(const struct cpu *cpu, struct trap *trap)
{
    enum { REP = 0xf3, INS = 0x6c, IN = 0xec, IS_32_BITS = 1, IS_OUT = 2 };
    const struct hvs_regs *regs = &cpu->regs;
    uint16_t port = (uint16_t)regs->rdx;
    uint8_t opcode;
    bool is_string;

    if (regs->cpl != 3 || regs->code_bits == 16 || (port != PORT_VMWARE && port != PORT_VMWARE + 1) ||
        hvs_vcpu_gva_read(cpu->vcpu, regs, regs->rip, &opcode, 1))
        return false;
    is_string = opcode == REP;
    if (is_string && hvs_vcpu_gva_read(cpu->vcpu, regs, regs->rip + 1, &opcode, 1))
        return false;
    if ((opcode & ~(IS_32_BITS | IS_OUT)) != (is_string ? INS : IN))
        return false;
    *trap = (struct trap){.kind = TRAP_EXIT, .insn_bytes = is_string ? 2 : 1, .is_refused = true,
                          .is_odd_string = is_string && regs->code_bits != 64};
    trap->exit.kind = HVS_EXIT_PIO;
    trap->exit.pio.port = port;
    trap->exit.pio.size_bytes = opcode & IS_32_BITS ? 4 : 1;
    trap->exit.pio.is_in = !(opcode & IS_OUT);
    trap->exit.pio.is_string = is_string;
    trap->exit.pio.count = is_string ? exit_nr_left(regs) : 1;
    return true;
}

/*
 * The exception that was being delivered may make more of #GP [APM 2, 8.2.9; SDM 3, 6.15]. Where any event was being
 * delivered it is not RIP's instruction that was refused: INT n must not become IN because a program exchanges the two.
 */
void exit_take_gp(struct cpu *cpu, uint32_t in_delivery, uint32_t code, struct trap *trap)
{
    enum { DF = 8, MAKES_DF = 1 << 0 | 0x1f << 10 | 1 << 21 };     /* #DE; #TS, #NP, #SS, #GP and #PF; #CP */
    bool is_in_delivery = in_delivery & EVENT_VALID;
    bool is_second = is_in_delivery && (in_delivery & EVENT_KIND) == EVENT_EXCEPTION;
    uint32_t first = in_delivery & EVENT_VECTOR & 31;

    if (is_second && first == DF)
        trap->kind = TRAP_SHUTDOWN;
    else if (is_second && MAKES_DF >> first & 1)
        machine.vendor->raise(cpu, DF, true, 0);
    else if (is_in_delivery || !take_refused(cpu, trap))
        machine.vendor->raise(cpu, HVS_VECTOR_GP, true, code);
}

/* --- CPUID -------------------------------------------------------------------------------------------------------- */

/* Bits that mirror CR4 show the hypervisor's own there. */
static void mirror_cr4(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
    enum { OSXSAVE = 1 << 27, OSPKE = 1 << 4 };

    if (leaf == 1)
        r->ecx = (r->ecx & ~(uint32_t)OSXSAVE) | (cpu->regs.cr4 & CR4_OSXSAVE ? OSXSAVE : 0);
    if (leaf == 7 && subleaf == 0)
        r->ecx = (r->ecx & ~(uint32_t)OSPKE) | (cpu->regs.cr4 & CR4_PKE ? OSPKE : 0);
}

static bool is_hypervisor_leaf(const struct cpu *cpu)
{
    return (uint32_t)cpu->regs.rax >> 28 == HVS_CPUID_FIRST >> 28;
}

/* The leaves of a hypervisor beneath us are not the guest's business, nor is its presence. */
static void machine_cpuid(struct cpu *cpu)
{
    enum { HYPERVISOR = 1u << 31 };
    uint32_t leaf = (uint32_t)cpu->regs.rax, subleaf = (uint32_t)cpu->regs.rcx;
    struct cpuid r = {0};

    if (!is_hypervisor_leaf(cpu))
        r = cpuid(leaf, subleaf);
    if (leaf == HVS_METAL_STATS_LEAF && machine.options.shows_stats)
        stats_show(&r);
    if (leaf == HVS_METAL_TRACE_LEAF && machine.options.has_trace)
        r = (struct cpuid){HVS_METAL_STATS_SIGNATURE, sizeof(lent.trace), (uint32_t)(uintptr_t)lent.trace, 0};
    mirror_cr4(cpu, leaf, subleaf, &r);
    if (leaf == 1)
        r.ecx = (r.ecx & ~HYPERVISOR) | (machine.has_personality ? HYPERVISOR : 0);
    if (leaf == 0x80000008)             /* without the bits that name keys of memory encryption */
        r.eax = (r.eax & ~0xffu) | machine_phys_bits();
    machine.vendor->hide(leaf, subleaf, &r);
    cpu->regs.rax = r.eax;
    cpu->regs.rbx = r.ebx;
    cpu->regs.rcx = r.ecx;
    cpu->regs.rdx = r.edx;
}

/* --- MSRs --------------------------------------------------------------------------------------------------------- */

/* The local APIC must not come to lie over something else, least of all over the hypervisor. */
static enum hvs_verdict write_apic_base(uint64_t value)
{
    uint64_t old = rdmsr(MSR_APIC_BASE), modes = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
    bool was_on = old & APIC_BASE_ENABLE, is_on = value & APIC_BASE_ENABLE;
    bool was_x2apic = old & APIC_BASE_X2APIC, is_x2apic = value & APIC_BASE_X2APIC;
    bool may_x2apic = cpuid(1, 0).ecx >> 21 & 1 && was_on && is_on;

    if ((value ^ old) & ~modes || (is_x2apic ? !may_x2apic : was_x2apic && is_on))
        return HVS_FAULT;
    wrmsr(MSR_APIC_BASE, value);
    return HVS_HANDLED;
}

static enum hvs_verdict own_msr(struct cpu *cpu, const struct hvs_exit *exit, uint64_t *value)
{
    if (exit->msr.index == MSR_APIC_BASE && exit->kind == HVS_EXIT_MSR_WRITE)
        return write_apic_base(exit->msr.value);
    if (exit->msr.index == MSR_X2APIC_ICR && exit->kind == HVS_EXIT_MSR_WRITE)
        return icr_write_msr(cpu, exit->msr.value);
    return machine.vendor->msr(cpu, exit, value);
}

static enum hvs_verdict msr(struct cpu *cpu, const struct hvs_exit *exit, struct hvs_outcome *out)
{
    uint64_t value = 0;
    enum hvs_verdict verdict = own_msr(cpu, exit, &value);

    if (verdict == HVS_UNHANDLED) {
        verdict = hvs_vcpu_exit(cpu->vcpu, exit, &cpu->regs, out);
        value = out->value;
    }
    if (verdict == HVS_HANDLED && exit->kind == HVS_EXIT_MSR_READ) {
        cpu->regs.rax = (uint32_t)value;
        cpu->regs.rdx = value >> 32;
    }
    return verdict == HVS_UNHANDLED ? HVS_FAULT : verdict;
}

/* --- ports -------------------------------------------------------------------------------------------------------- */

static uint32_t machine_in(uint16_t port, uint8_t size_bytes)
{
    return size_bytes == 1 ? in8(port) : size_bytes == 2 ? in16(port) : in32(port);
}

static void machine_out(uint16_t port, uint8_t size_bytes, uint32_t value)
{
    if (size_bytes == 1)
        out8(port, (uint8_t)value);
    else if (size_bytes == 2)
        out16(port, (uint16_t)value);
    else
        out32(port, value);
}

/* Strings at a port that is caught are dropped: the ports that are caught have no use for them. */
static void machine_port(struct cpu *cpu, const struct hvs_exit *exit)
{
    uint8_t size_bytes = exit->pio.size_bytes;
    uint32_t mask = size_bytes == 1 ? UINT8_MAX : size_bytes == 2 ? UINT16_MAX : UINT32_MAX;
    uint32_t value = (uint32_t)cpu->regs.rax & mask;

    if (exit->pio.is_string)
        return;
    if (!exit->pio.is_in) {
        stats_before_end(exit->pio.port, value);
        machine_out(exit->pio.port, size_bytes, value);
        return;
    }
    value = machine_in(exit->pio.port, size_bytes);
    cpu->regs.rax = size_bytes == 4 ? value : (cpu->regs.rax & ~(uint64_t)mask) | (value & mask);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static enum hvs_verdict unhandled(struct cpu *cpu, const struct hvs_exit *exit, struct hvs_outcome *out)
{
    if (exit->kind == HVS_EXIT_CPUID) {
        machine_cpuid(cpu);
        return HVS_HANDLED;
    }
    if (exit->kind == HVS_EXIT_PIO) {
        machine_port(cpu, exit);
        return HVS_HANDLED;
    }
    out->fault_vector = HVS_VECTOR_UD;
    out->fault_has_code = false;
    return HVS_FAULT;
}

void exit_handle(struct cpu *cpu, const struct trap *trap)
{
    bool is_msr = trap->exit.kind == HVS_EXIT_MSR_READ || trap->exit.kind == HVS_EXIT_MSR_WRITE;
    bool is_plain_cpuid = trap->exit.kind == HVS_EXIT_CPUID && !is_hypervisor_leaf(cpu);
    struct hvs_outcome out;
    enum hvs_verdict verdict;

    out.nr_effects = 0;
    out.fault_vector = HVS_VECTOR_GP;
    out.fault_has_code = true;
    out.fault_code = 0;
    if (is_msr)
        verdict = msr(cpu, &trap->exit, &out);
    else if (!trap->is_odd_string && !is_plain_cpuid)
        verdict = hvs_vcpu_exit(cpu->vcpu, &trap->exit, &cpu->regs, &out);
    else
        verdict = HVS_UNHANDLED;
    if (verdict == HVS_UNHANDLED)
        verdict = trap->is_refused ? HVS_FAULT : unhandled(cpu, &trap->exit, &out);
    if (verdict == HVS_HANDLED)
        exit_advance(cpu, trap);
    if (verdict == HVS_FAULT && out.fault_vector == HVS_VECTOR_PF)
        machine.vendor->set_cr2(cpu, out.fault_address);
    if (verdict == HVS_FAULT)
        machine.vendor->raise(cpu, out.fault_vector, out.fault_has_code, out.fault_code);
    apply_effects(cpu, &out);
}
