/*
 * The guest's INIT and start-up IPIs, which must not reach a CPU as they are: it would leave the hypervisor. They
 * become requests to the CPUs that they name (cpu.c); all other IPIs go out as they are.
 *
 * In x2APIC mode the ICR is an MSR. In xAPIC mode it is in a page, which is read-only in each CPU's nested tables: a
 * write makes the CPU leave, and then execute that one instruction on a page of scratch, from which the value is taken:
 * two exits for each write, and no instruction is decoded. With apic=open the page is given to the guest when
 * all CPUs run: faster, but a guest that then sends INIT, as it does when it takes a CPU off line and on again, has a
 * CPU outside of the hypervisor. INIT from a device (an interrupt message, the I/O APIC) is not seen either way.
 */
#include "metal.h"

enum { DELIVERY_MASK = 7 << 8, LOGICAL = 1 << 11, ASSERT = 1 << 14, LEVEL = 1 << 15, SHORTHAND_SHIFT = 18 };
enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };
enum { BROADCAST = 0xff };
#define STEP_RFLAGS (RFLAGS_TF | RFLAGS_IF)

void icr_guard(struct cpu *cpu)
{
    machine.vendor->catch_msr(MSR_X2APIC_ICR, false, true);
    cpu->nested_root = nested_fork(apic_gpa(), &cpu->apic_entry);
    cpu->apic_scratch = memory_take(HVS_PAGE_BYTES);
    *cpu->apic_entry = machine.vendor->nested_entry(apic_gpa(), NESTED_PAGE_READ_ONLY);
}

/* --- what an ICR means -------------------------------------------------------------------------------------------- */

/* [AMD APM 2, 16.6.1; SDM 3, 10.6.2.2 and 10.12.10.2] */
static bool is_logical_target(const struct cpu *cpu, uint32_t destination)
{
    uint32_t id = cpu->apic_logical >> 24;

    if (rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC)
        return destination >> 16 == cpu->apic_id >> 4 && destination >> (cpu->apic_id & 15) & 1;
    if (cpu->apic_has_clusters)
        return (destination >> 4 == 15 || destination >> 4 == id >> 4) && destination & id & 15;
    return destination & id;
}

static bool is_target(const struct cpu *self, const struct cpu *cpu, uint32_t low, uint32_t destination, uint32_t all)
{
    switch ((enum shorthand)(low >> SHORTHAND_SHIFT & 3)) {
    case TO_SELF:
        return cpu == self;
    case TO_ALL:
        return true;
    case TO_OTHERS:
        return cpu != self;
    case TO_DESTINATION:
        break;
    }
    if (destination == all)
        return true;
    return low & LOGICAL ? is_logical_target(cpu, destination) : destination == cpu->apic_id;
}

static void take_for(struct cpu *self, uint32_t low, struct cpu *target)
{
    switch (low & DELIVERY_MASK) {
    case APIC_NMI:
        atomic_fetch_add(&target->nr_nmis_coming, 1);
        atomic_store(&target->guest_nmi, true);
        break;
    case APIC_INIT:
        if (low & LEVEL && !(low & ASSERT))
            break;              /* the end of one, of long ago */
        if (target->vp == 0)
            machine_reset();    /* the boot CPU would begin at the reset vector */
        cpu_init_signal(self, target);
        break;
    case APIC_STARTUP:
        cpu_startup(self, target, (uint8_t)low);
        break;
    default:
        break;
    }
}

/* An IPI of the guest's. NMIs are sent as they are, but the targets learn that they are not the hypervisor's. */
static void take(struct cpu *self, uint32_t low, uint32_t destination, uint32_t all)
{
    uint32_t delivery = low & DELIVERY_MASK;
    bool is_x2apic = rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
    bool is_nmi = delivery == APIC_NMI, is_ours = is_nmi || delivery == APIC_INIT || delivery == APIC_STARTUP;

    for (uint32_t vp = 0; is_ours && vp < machine.nr_cpus; vp++) {
        if (is_target(self, machine.cpu[vp], low, destination, all))
            take_for(self, low, machine.cpu[vp]);
    }
    if ((is_nmi || !is_ours) && is_x2apic)
        wrmsr(MSR_X2APIC_ICR, (uint64_t)destination << 32 | low);
    else if (is_nmi || !is_ours)
        apic_set(APIC_ICR_LOW, low);    /* the other half is there already */
    for (uint32_t vp = 0; is_nmi && vp < machine.nr_cpus; vp++) {
        if (is_target(self, machine.cpu[vp], low, destination, all))
            atomic_fetch_sub(&machine.cpu[vp]->nr_nmis_coming, 1);
    }
}

enum hvs_verdict icr_write_msr(struct cpu *cpu, uint64_t value)
{
    if (!(rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC))
        return HVS_FAULT;
    take(cpu, (uint32_t)value, (uint32_t)(value >> 32), UINT32_MAX);
    return HVS_HANDLED;
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

static void show(struct cpu *cpu, uint64_t hpa, enum nested_entry kind)
{
    *cpu->apic_entry = machine.vendor->nested_entry(hpa, kind);
    machine.vendor->flush_tlb(cpu);
}

static bool all_run(void)
{
    for (uint32_t vp = 0; vp < machine.nr_cpus; vp++) {
        if (atomic_load(&machine.cpu[vp]->state) != CPU_RUNS)
            return false;
    }
    return true;
}

bool icr_fault(struct cpu *cpu, uint64_t gpa)
{
    if (!cpu->apic_entry || (gpa ^ apic_gpa()) >> HVS_PAGE_SHIFT)
        return false;
    if (machine.options.is_apic_open && all_run()) {
        show(cpu, apic_gpa(), NESTED_PAGE);
        return true;
    }
    cpu->apic_reg = gpa & (HVS_PAGE_BYTES - 1) & ~15u;
    *(uint32_t *)(cpu->apic_scratch + cpu->apic_reg) = apic_get(cpu->apic_reg);
    show(cpu, (uintptr_t)cpu->apic_scratch, NESTED_PAGE);
    cpu->is_stepping = true;
    cpu->step_rflags = cpu->regs.rflags & STEP_RFLAGS;
    cpu->regs.rflags = (cpu->regs.rflags & ~STEP_RFLAGS) | RFLAGS_TF;
    machine.vendor->step(cpu, true);
    return true;
}

void icr_stepped(struct cpu *cpu)
{
    uint32_t value = *(const uint32_t *)(cpu->apic_scratch + cpu->apic_reg);

    cpu->is_stepping = false;
    cpu->regs.rflags = (cpu->regs.rflags & ~STEP_RFLAGS) | cpu->step_rflags;
    machine.vendor->step(cpu, false);
    machine.vendor->advanced(cpu);
    show(cpu, apic_gpa(), NESTED_PAGE_READ_ONLY);
    if (cpu->apic_reg == APIC_LOGICAL_DESTINATION)
        cpu->apic_logical = value;
    if (cpu->apic_reg == APIC_DESTINATION_FORMAT)
        cpu->apic_has_clusters = value >> 28 == 0;
    if (cpu->apic_reg == APIC_ICR_LOW)
        take(cpu, value, apic_get(APIC_ICR_HIGH) >> 24, BROADCAST);
    else
        apic_set(cpu->apic_reg, value);
    if (cpu->nmi_waits)
        machine.vendor->raise_nmi(cpu);
    cpu->nmi_waits = false;
}

void icr_reset(struct cpu *cpu)
{
    cpu->is_stepping = cpu->nmi_waits = false;
    show(cpu, apic_gpa(), NESTED_PAGE_READ_ONLY);
}
