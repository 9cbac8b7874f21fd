/*
 * When a vCPU wants to be called: by its CPU's own timer where the vendor has one (VMX's preemption timer), which
 * counts only while the guest runs or sleeps there; else by the machine's (timer.c).
 */
#include "metal.h"

void deadline_changed(struct cpu *self, struct cpu *target)
{
    if (!machine.vendor->set_timer)
        timer_update(self);
    else if (self != target)
        cpu_kick(target);
}

void deadline_arm(struct cpu *cpu)
{
    uint64_t deadline_ns, now_ns;

    if (!machine.vendor->set_timer)
        return;
    deadline_ns = hvs_vcpu_deadline_ns(cpu->vcpu);
    if (deadline_ns == UINT64_MAX) {
        machine.vendor->set_timer(cpu, UINT64_MAX);
        return;
    }
    now_ns = hvs_vm_now_ns(machine.vm);
    machine.vendor->set_timer(cpu, deadline_ns > now_ns ? deadline_ns - now_ns : 0);
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
