/*
 * One CPU: how it comes to run the guest, the loop around vendor->enter(), and what other CPUs may ask of it.
 *
 * A request is a word in the target's struct cpu and an NMI, which makes it leave the guest or its sleep. Who waits for
 * an answer serves flushes meanwhile, so that CPUs may ask each other at the same time.
 */
#include "metal.h"

enum { AP_STACK_BYTES = 4 * HVS_PAGE_BYTES, INIT_WAIT_US = 10000, STARTUP_WAIT_US = 200, NR_STARTUP_WAITS = 500 };

extern uint8_t boot_ap[], boot_ap_end[];
extern uint64_t boot_ap_stack;
_Noreturn void cpu_ap_main(void);

static struct cpu *_Atomic starting;    /* the CPU that is on its way to cpu_ap_main() */

static void flush_if_asked(struct cpu *cpu)
{
    if (!atomic_load(&cpu->flush_wanted))
        return;
    machine.vendor->flush_tlb(cpu);
    atomic_store(&cpu->flush_wanted, false);
}

/* --- requests to another CPU -------------------------------------------------------------------------------------- */

static bool runs(struct cpu *cpu)
{
    return atomic_load(&cpu->state) == CPU_RUNS;
}

void cpu_kick(struct cpu *cpu)
{
    atomic_fetch_add(&cpu->nr_nmis_coming, 1);
    atomic_store(&cpu->is_kicked, true);
    apic_send(cpu->apic_id, APIC_NMI, 0);
    atomic_fetch_sub(&cpu->nr_nmis_coming, 1);
}

/* Takes those NMIs too that were announced to this CPU and are not here yet, so that none of them needs explaining. */
static void take_announced_nmis(struct cpu *cpu)
{
    while (atomic_load(&cpu->nr_nmis_coming))
        cpu_relax();
    machine.vendor->take_nmi();
}

static void wait_a_little(struct cpu *self)
{
    flush_if_asked(self);
    cpu_relax();
}

void cpu_flush(struct cpu *self, struct cpu *target)
{
    if (self == target) {
        machine.vendor->flush_tlb(self);
        return;
    }
    if (!runs(target))
        return;                 /* it begins with a flush */
    atomic_store(&target->flush_wanted, true);
    cpu_kick(target);
    while (atomic_load(&target->flush_wanted) && runs(target))
        wait_a_little(self);
}

/* It has stopped when this returns, so that a start-up IPI finds it waiting; unless this CPU is to stop itself. */
void cpu_init_signal(struct cpu *self, struct cpu *target)
{
    if (!runs(target))
        return;
    atomic_store(&target->init_wanted, true);
    if (self == target)
        return;
    cpu_kick(target);
    while (runs(target) && !atomic_load(&self->init_wanted))
        wait_a_little(self);
}

/*
 * The first of two takes effect, as on hardware. An NMI that comes just before the target sleeps is lost: it is sent
 * until the target has seen the vector.
 */
void cpu_startup(struct cpu *self, struct cpu *target, uint8_t vector)
{
    enum cpu_state waits = CPU_WAITS;

    if (!atomic_compare_exchange_strong(&target->state, &waits, CPU_STARTS))
        return;
    atomic_store(&target->sipi_vector, vector);
    while (atomic_load(&target->sipi_vector) >= 0) {
        cpu_kick(target);
        for (uint32_t i = 0; i < 1000 && atomic_load(&target->sipi_vector) >= 0; i++)
            wait_a_little(self);
    }
    atomic_store(&target->may_start, true);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static void raise_nmi(struct cpu *cpu)
{
    cpu->nmi_waits = cpu->is_stepping;
    if (!cpu->is_stepping)
        machine.vendor->raise_nmi(cpu);
}

/*
 * HLT behind STI: the NMI ends it before it begins. Entered again, a CPU that forgets what STI holds back, as QEMU's
 * does, would take an interrupt before HLT and then sleep over what it has brought.
 */
static void end_halt(struct cpu *cpu)
{
    enum { HLT = 0xf4 };
    const struct trap halt = {.insn_bytes = 1};
    uint8_t insn;

    if (cpu->regs.code_bits == 64 && !hvs_vcpu_gva_read(cpu->vcpu, &cpu->regs, cpu->regs.rip, &insn, 1) && insn == HLT)
        exit_advance(cpu, &halt);
}

/*
 * An NMI is the guest's if the guest was seen to send one, or if nothing of ours explains it. One of a device's that
 * comes together with one of ours is lost, as of two that come at once the CPU keeps one.
 */
static void handle_nmi(struct cpu *cpu)
{
    bool is_kick = atomic_exchange(&cpu->is_kicked, false), is_another = is_kick || atomic_load(&cpu->guest_nmi);
    bool is_timer, is_guest;

    if (is_another)
        take_announced_nmis(cpu);
    is_timer = timer_fire(cpu, is_another);
    is_guest = atomic_exchange(&cpu->guest_nmi, false);
    if (is_guest || (!is_kick && !is_timer))
        raise_nmi(cpu);
}

void cpu_take_nmi(struct cpu *cpu)
{
    machine.vendor->take_nmi();
    if (atomic_exchange(&cpu->guest_nmi, false))
        raise_nmi(cpu);
}

static void handle(struct cpu *cpu, const struct trap *trap)
{
    switch (trap->kind) {
    case TRAP_EXIT:
        exit_handle(cpu, trap);
        break;
    case TRAP_NMI:
        if (trap->is_in_shadow)
            end_halt(cpu);
        handle_nmi(cpu);
        break;
    case TRAP_STEP:
        icr_stepped(cpu);
        break;
    case TRAP_TIMER:
        deadline_passed(cpu, cpu);
        break;
    case TRAP_INVD:             /* as it stands it would throw away what the hypervisor has written */
        __asm__ volatile("wbinvd" : : : "memory");
        exit_advance(cpu, trap);
        break;
    case TRAP_FORBIDDEN:
        machine.vendor->raise(cpu, HVS_VECTOR_UD, false, 0);
        break;
    case TRAP_FAULT:
        break;
    case TRAP_NESTED_FAULT:
        if (!icr_fault(cpu, trap->gpa))
            machine.vendor->raise(cpu, HVS_VECTOR_GP, true, 0);
        break;
    case TRAP_SHUTDOWN:
        machine_reset();
    case TRAP_INIT:
    case TRAP_BROKEN:
        die("CPU %u: %s exit 0x%lx at rip 0x%lx", cpu->vp, machine.vendor->name, trap->code, cpu->regs.rip);
    }
}

/* Until another CPU of the guest sends a start-up IPI. */
static void wait_for_startup(struct cpu *cpu, struct start *start)
{
    int32_t vector;

    atomic_store(&cpu->init_wanted, false);
    atomic_store(&cpu->state, CPU_WAITS);
    while ((vector = atomic_exchange(&cpu->sipi_vector, -1)) < 0) {
        machine.vendor->sleep();
        timer_fire(cpu, false);
    }
    while (!atomic_exchange(&cpu->may_start, false))
        cpu_relax();
    take_announced_nmis(cpu);
    atomic_store(&cpu->is_kicked, false);
    atomic_store(&cpu->guest_nmi, false);
    apic_reset();
    icr_reset(cpu);
    *start = (struct start){.sipi_vector = (uint8_t)vector};
}

void cpu_run(struct cpu *cpu, struct start *start)
{
    struct trap trap;
    uint64_t began;

    for (;;) {
        cpu->regs = (struct hvs_regs){.rip = start->eip, .rax = start->eax, .rbx = start->ebx, .rsi = start->esi,
                                      .rdx = start->is_protected ? 0 : cpuid(1, 0).eax, .rflags = RFLAGS_FIXED};
        machine.vendor->start(cpu, start);
        vcpu_time_start(cpu);
        atomic_store(&cpu->state, CPU_RUNS);
        while (!atomic_load(&cpu->init_wanted)) {
            flush_if_asked(cpu);
            if (domain_serve(cpu))
                continue;       /* others may ask meanwhile */
            deadline_arm(cpu);
            machine.vendor->enter(cpu, &trap);
            began = rdtsc();
            handle(cpu, &trap);
            stats_count(cpu, trap.kind, rdtsc() - began);
            trace_tell(false);
        }
        vcpu_time_stop(cpu);
        wait_for_startup(cpu, start);
    }
}

/* --- all CPUs, before the guest runs ------------------------------------------------------------------------------ */

static struct cpu *make(uint32_t id)
{
    struct cpu *cpu = memory_take(sizeof(*cpu));

    cpu->vp = machine.nr_cpus;
    cpu->apic_id = id;
    cpu->sipi_vector = -1;
    cpu->state = CPU_STARTS;
    vcpu_time_stop(cpu);
    return cpu;
}

void cpu_ap_main(void)
{
    struct cpu *cpu = starting;
    struct start start;

    trap_init();
    machine.vendor->cpu_init(cpu);
    starting = NULL;
    wait_for_startup(cpu, &start);
    cpu_run(cpu, &start);
}

/* Returns whether it came. */
static bool start_ap(struct cpu *cpu)
{
    boot_ap_stack = (uintptr_t)memory_take(AP_STACK_BYTES) + AP_STACK_BYTES;
    starting = cpu;
    apic_send(cpu->apic_id, APIC_INIT, 0);
    clock_wait_us(INIT_WAIT_US);
    for (uint32_t i = 0; starting && i < NR_STARTUP_WAITS; i++) {
        if (i < 2)
            apic_send(cpu->apic_id, APIC_STARTUP, LOW_AP_START >> HVS_PAGE_SHIFT);
        clock_wait_us(STARTUP_WAIT_US);
    }
    return !starting;
}

void cpu_find_all(void)
{
    uint32_t self = apic_id();

    machine.cpu[0] = make(self);
    machine.nr_cpus = 1;
    machine.vendor->cpu_init(machine.cpu[0]);
    memcpy((void *)LOW_AP_START, boot_ap, (size_t)(boot_ap_end - boot_ap));
    for (uint32_t i = 0; i < machine.acpi.nr_cpus; i++) {
        struct cpu *cpu;

        if (machine.acpi.apic_id[i] == self)
            continue;
        cpu = make(machine.acpi.apic_id[i]);
        if (!start_ap(cpu))
            die("the CPU with APIC id %u does not start", cpu->apic_id);
        machine.cpu[machine.nr_cpus++] = cpu;
    }
}
