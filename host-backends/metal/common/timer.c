/*
 * When a vCPU wants to be called: by its CPU's own timer where the vendor has one (VMX's preemption timer), which
 * counts only while the guest runs or sleeps there. Else all deadlines are on one comparator of the HPET that sends an
 * NMI to CPU 0 when the earliest is there [IA-PC HPET 1.0a 2.3].
 *
 * Why so on SVM, which has no timer of its own: an NMI makes a CPU leave the guest without the guest's interrupts being
 * taken, and a guest can do without an HPET, as it finds PIT, ACPI timer and local APIC timers as they were. It is
 * taken only for a personality that has timers, and then hidden, as its registers share a page.
 */
#include "metal.h"

#include <hvshim/personality.h>
#include <hvshim/translators.h>

enum { CAPABILITIES = 0x000, CONFIG = 0x010, COUNTER = 0x0f0, TIMER = 0x100, TIMER_BYTES = 0x20 };
enum { TIMER_CONFIG = 0, TIMER_COMPARATOR = 8, TIMER_FSB_ROUTE = 0x10 };
enum { CONFIG_ENABLE = 1, INTERRUPTS = 1 << 2, BITS_32 = 1 << 8, FSB_ENABLE = 1 << 14, FSB_CAPABLE = 1 << 15 };
enum { NR_SHIFT = 8, NR_MASK = 0x1f, MSI_NMI = 4 << 8, MSI_DESTINATION_SHIFT = 12 };
enum { OWNER_VP = 0, SLACK_TICKS = 2, LEAST_WAIT_NS = 5000, MAX_WAIT_NS = 1000000000 };
#define MSI_ADDRESS 0xfee00000u
#define FS_PER_NS 1000000u
#define NEVER UINT64_MAX

/* Only CPU 0 touches the registers, so that it knows which NMIs they may have sent. */
static uintptr_t hpet, comparator;      /* 0: none */
static uint64_t period_fs;
static uint32_t due, armed_at;          /* by the counter, while is_armed */
static bool is_armed;
static _Atomic uint64_t armed_ns = NEVER;       /* the deadline that it is armed for */

static volatile uint32_t *at(uintptr_t reg)
{
    return (volatile uint32_t *)reg;
}

/* 0: it is past. */
static uint64_t ns_until(uint64_t deadline_ns)
{
    uint64_t now_ns;

    if (deadline_ns == NEVER)
        return NEVER;           /* without a look at the clock: most entries are so */
    now_ns = hvs_vm_now_ns(machine.vm);
    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

static bool is_wanted(void)
{
    struct hvs_vm_config config = {.nr_slots = 0};
    size_t bad_at;

    if (hvs_present_parse(&config, machine.options.present, &bad_at))
        return false;
    for (uint32_t s = 0; s < config.nr_slots; s++) {
        if (config.slot[s].personality->nr_timers)
            return true;
    }
    return false;
}

/* A comparator that can send messages, or 0. */
static uintptr_t find_comparator(uintptr_t base)
{
    uint32_t nr = (*at(base + CAPABILITIES) >> NR_SHIFT & NR_MASK) + 1;

    for (uint32_t i = 0; i < nr; i++) {
        uintptr_t timer = base + TIMER + i * TIMER_BYTES;

        if (*at(timer + TIMER_CONFIG) & FSB_CAPABLE)
            return timer;
    }
    return 0;
}

void timer_init(void)
{
    if (machine.vendor->set_timer || !is_wanted() || !machine.acpi.hpet_gpa)
        return;
    comparator = find_comparator(machine.acpi.hpet_gpa);
    if (!comparator)
        return;
    hpet = machine.acpi.hpet_gpa;
    period_fs = *at(hpet + CAPABILITIES + 4);
    *at(comparator + TIMER_CONFIG) = BITS_32 | FSB_ENABLE;
    *at(comparator + TIMER_FSB_ROUTE) = MSI_NMI;
    *at(comparator + TIMER_FSB_ROUTE + 4) = MSI_ADDRESS | machine.cpu[OWNER_VP]->apic_id << MSI_DESTINATION_SHIFT;
    *at(hpet + CONFIG) = CONFIG_ENABLE;
    acpi_hide(machine.acpi.hpet);
    nested_hide_page(hpet);
}

bool timer_exists(void)
{
    return comparator || machine.vendor->set_timer;
}

/* Or as good as: emulated ones have been early by a rounding. */
static bool has_passed(uint32_t tick)
{
    return (int32_t)(*at(hpet + COUNTER) - tick) >= -SLACK_TICKS;
}

/* Once its interrupt is off, it can be told whether one was sent; that is taken now. */
static void disarm(struct cpu *self)
{
    *at(comparator + TIMER_CONFIG) = BITS_32 | FSB_ENABLE;
    if (is_armed && has_passed(due))
        cpu_take_nmi(self);
    is_armed = false;
}

/* A comparator that is set too late waits for the counter to come round: then a later one is set. */
static void arm(struct cpu *self, uint64_t wait_ns)
{
    uint64_t ns = wait_ns < LEAST_WAIT_NS ? LEAST_WAIT_NS : wait_ns > MAX_WAIT_NS ? MAX_WAIT_NS : wait_ns;
    uint64_t ticks = ns * FS_PER_NS / period_fs;

    for (;; ticks *= 2) {
        armed_at = *at(hpet + COUNTER);
        due = armed_at + (uint32_t)ticks;
        *at(comparator + TIMER_COMPARATOR) = due;
        *at(comparator + TIMER_CONFIG) = BITS_32 | FSB_ENABLE | INTERRUPTS;
        is_armed = true;
        if (!has_passed(due))
            return;
        disarm(self);
    }
}

static uint64_t earliest(void)
{
    uint64_t deadline_ns = NEVER;

    for (uint32_t vp = 0; vp < machine.nr_cpus; vp++) {
        uint64_t of_vp = hvs_vcpu_deadline_ns(machine.cpu[vp]->vcpu);

        deadline_ns = of_vp < deadline_ns ? of_vp : deadline_ns;
    }
    return deadline_ns;
}

/* Another CPU may set an earlier deadline meanwhile: it looks at armed_ns afterwards, and we at its deadline. */
static void set(struct cpu *self)
{
    uint64_t deadline_ns;

    do {
        disarm(self);
        deadline_ns = earliest();
        if (deadline_ns != NEVER)
            arm(self, ns_until(deadline_ns));
        atomic_store(&armed_ns, deadline_ns);
    } while (earliest() < deadline_ns);
}

/*
 * A deadline that has moved to later needs nothing: the comparator is early then. Without the fence the new deadline
 * may be seen by set() only after it has looked, and what set() stores by us only after we have: nobody would arm it
 * then.
 */
static void update(struct cpu *self)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (self->vp == OWNER_VP)
        set(self);
    else if (earliest() < atomic_load(&armed_ns))
        cpu_kick(machine.cpu[OWNER_VP]);
}

/* Also when the counter comes round, a comparator of 32 bits sends its interrupt [2.3.9.2.1]. */
static bool has_come_round(void)
{
    bool is_round = *at(hpet + COUNTER) < armed_at;

    armed_at = is_round ? 0 : armed_at;
    return is_round;
}

bool timer_fire(struct cpu *self, bool is_another)
{
    bool is_ours;

    if (self->vp != OWNER_VP || !comparator)
        return false;
    is_ours = is_armed && (has_passed(due) || has_come_round());
    if (is_ours && !is_another && has_passed(due))
        is_armed = false;       /* else its own may come yet: disarm() takes it */
    for (uint32_t vp = 0; vp < machine.nr_cpus; vp++)
        deadline_passed(self, machine.cpu[vp]);
    set(self);
    return is_ours;
}

void deadline_changed(struct cpu *self, struct cpu *target)
{
    if (!machine.vendor->set_timer)
        update(self);
    else if (self != target)
        cpu_kick(target);
}

void deadline_arm(struct cpu *cpu)
{
    if (machine.vendor->set_timer)
        machine.vendor->set_timer(cpu, ns_until(hvs_vcpu_deadline_ns(cpu->vcpu)));
}

void deadline_passed(struct cpu *self, struct cpu *cpu)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_TIMER};
    struct hvs_outcome out;

    if (hvs_vcpu_deadline_ns(cpu->vcpu) > hvs_vm_now_ns(machine.vm))
        return;
    hvs_vcpu_exit(cpu->vcpu, &exit, NULL, &out);
    apply_effects(self, &out);
}
