/*
 * Effects. Interrupts go through the physical local APIC, whose rules then hold by themselves: priority, pending while
 * the guest has interrupts off, end of interrupt.
 *
 * BLOCK is not offered (no HVS_CAP_BLOCK), GSI has no line to drive: both do nothing.
 */
#include "metal.h"

static void print_crash(void)
{
    struct hvs_crash crash;

    if (hvs_vm_crash(machine.vm, &crash)) {
        say("the guest reports a crash, but not what it was");
        return;
    }
    say("the guest reports a crash: 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx", crash.parameter[0], crash.parameter[1],
        crash.parameter[2], crash.parameter[3], crash.parameter[4]);
    for (uint32_t i = 0; i < crash.message_bytes; i++)
        console_byte((uint8_t)crash.message[i]);
}

static void stop(enum hvs_stop_reason reason)
{
    switch (reason) {
    case HVS_STOP_SUSPEND:
        return;                 /* and is resumed at once */
    case HVS_STOP_POWEROFF:
        machine_power_off();
    case HVS_STOP_CRASH:
        print_crash();
        machine_reset();
    case HVS_STOP_REBOOT:
        machine_reset();
    }
}

static void apply_to(struct cpu *self, const struct hvs_effect *effect, struct cpu *target)
{
    switch (effect->kind) {
    case HVS_EFFECT_INJECT:
        apic_send(target->apic_id, APIC_FIXED, effect->vector);
        break;
    case HVS_EFFECT_NMI:
        apic_send(target->apic_id, APIC_NMI, 0);
        break;
    case HVS_EFFECT_FLUSH_TLB:
        cpu_flush(self, target);
        break;
    case HVS_EFFECT_YIELD:
        cpu_relax();
        break;
    case HVS_EFFECT_VCPU_STOP:
        cpu_init_signal(self, target);
        break;
    case HVS_EFFECT_VM_STOP:
        stop(effect->reason);
        break;
    case HVS_EFFECT_LOG:
        console_byte(effect->byte);
        break;
    case HVS_EFFECT_TIMER:
        deadline_changed(self, target);
        break;
    case HVS_EFFECT_GSI:
    case HVS_EFFECT_BLOCK:
    case HVS_EFFECT_POLL:
    case HVS_EFFECT_WAKE:
    case HVS_EFFECT_VCPU_START:
    case HVS_EFFECT_VCPU_GO_ON:
    case HVS_NR_EFFECT_KINDS:
        break;
    }
}

void apply_effects(struct cpu *self, const struct hvs_outcome *out)
{
    for (uint32_t i = 0; i < out->nr_effects; i++) {
        const struct hvs_effect *effect = &out->effect[i];

        if (effect->target == HVS_TARGET_VP) {
            apply_to(self, effect, machine.cpu[effect->vp]);
            continue;
        }
        for (uint32_t vp = hvs_vpset_next(&out->set, 0); vp < machine.nr_cpus; vp = hvs_vpset_next(&out->set, vp + 1))
            apply_to(self, effect, machine.cpu[vp]);
    }
}
