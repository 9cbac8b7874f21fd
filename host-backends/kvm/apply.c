/*
 * Effects. Most are done by VM-wide calls that need no vCPU's lock in the kernel, so any thread may do it while the
 * target runs. BLOCK and YIELD concern the calling vCPU. The others are work for the target's own thread.
 */
#include "backend.h"

#include <sched.h>

#define MSI_ADDRESS 0xfee00000u
#define RFLAGS_IF (1u << 9)

enum { DELIVER_FIXED = 0 << 8, DELIVER_NMI = 4 << 8 };

uint32_t hvs_kvm_apic_id(const struct hvs_kvm *kvm, uint32_t vp)
{
    return kvm->config.vm.apic_id ? kvm->config.vm.apic_id[vp] : vp;
}

/* The kernel drops it while the target's local APIC is off, as hardware would. */
static void send_msi(struct hvs_kvm *kvm, uint32_t vp, uint32_t data)
{
    uint32_t id = hvs_kvm_apic_id(kvm, vp);
    struct kvm_msi msi = {.address_lo = MSI_ADDRESS | (id & 0xff) << 12, .address_hi = id & 0xffffff00, .data = data};

    if (!kvm->vcpu[vp])         /* it may be added later, and its id is not known yet */
        return;
    ioctl(kvm->config.vm_fd, KVM_SIGNAL_MSI, &msi);
    hvs_kvm_wake(kvm->vcpu[vp]);
}

static void set_line(struct hvs_kvm *kvm, uint32_t gsi, bool level)
{
    struct kvm_irq_level line = {.irq = gsi, .level = level};

    ioctl(kvm->config.vm_fd, KVM_IRQ_LINE, &line);
}

static void block(struct hvs_kvm_vcpu *self)
{
    struct kvm_mp_state state = {.mp_state = KVM_MP_STATE_HALTED};

    if (!self)
        return;
    if (self->run->s.regs.regs.rflags & RFLAGS_IF)
        ioctl(self->fd, KVM_SET_MP_STATE, &state);
    else
        hvs_kvm_nap(self);
}

static void flush(struct hvs_kvm *kvm, uint32_t vp)
{
    struct hvs_vpset set;

    hvs_vpset_clear(&set);
    hvs_vpset_add(&set, vp);
    hvs_kvm_flush(kvm, &set);
}

static void apply_to(struct hvs_kvm *kvm, struct hvs_kvm_vcpu *self, const struct hvs_outcome *out,
                     const struct hvs_effect *effect, uint32_t vp)
{
    switch (effect->kind) {
    case HVS_EFFECT_INJECT:
        if (effect->past_apic && kvm->vcpu[vp])
            hvs_kvm_past_apic(kvm->vcpu[vp], effect->vector);
        else
            send_msi(kvm, vp, DELIVER_FIXED | effect->vector);
        break;
    case HVS_EFFECT_NMI:
        send_msi(kvm, vp, DELIVER_NMI);
        break;
    case HVS_EFFECT_GSI:
        set_line(kvm, effect->gsi, effect->level);
        break;
    case HVS_EFFECT_TIMER:
        hvs_kvm_timer_update(kvm, vp);
        break;
    case HVS_EFFECT_BLOCK:
        block(self);
        break;
    case HVS_EFFECT_POLL:
        if (self)
            hvs_kvm_poll(self);
        break;
    case HVS_EFFECT_WAKE:
        if (kvm->vcpu[vp])
            hvs_kvm_post(kvm->vcpu[vp], HVS_KVM_WORK_WAKE);
        break;
    case HVS_EFFECT_YIELD:
        sched_yield();
        break;
    case HVS_EFFECT_VCPU_STOP:
    case HVS_EFFECT_VCPU_GO_ON:
        if (kvm->vcpu[vp])
            hvs_kvm_post(kvm->vcpu[vp], HVS_KVM_WORK_STOP);
        break;
    case HVS_EFFECT_VM_STOP:
        if (kvm->config.on_stop)
            kvm->config.on_stop(kvm->config.ctx, effect->reason);
        break;
    case HVS_EFFECT_LOG:
        if (kvm->config.on_log)
            kvm->config.on_log(kvm->config.ctx, effect->byte);
        break;
    case HVS_EFFECT_FLUSH_TLB:
        flush(kvm, vp);
        break;
    case HVS_EFFECT_VCPU_START:
        if (kvm->vcpu[vp])
            hvs_kvm_start_vcpu(kvm->vcpu[vp], &out->start);
        break;
    case HVS_NR_EFFECT_KINDS:
        break;
    }
}

void hvs_kvm_apply(struct hvs_kvm *kvm, struct hvs_kvm_vcpu *self, const struct hvs_outcome *out)
{
    const uint32_t nr_vps = kvm->config.vm.nr_vps;

    for (uint32_t i = 0; i < out->nr_effects; i++) {
        const struct hvs_effect *effect = &out->effect[i];

        if (effect->target == HVS_TARGET_VP) {
            apply_to(kvm, self, out, effect, effect->vp);
            continue;
        }
        if (effect->kind == HVS_EFFECT_FLUSH_TLB) {
            hvs_kvm_flush(kvm, &out->set);
            continue;
        }
        for (uint32_t vp = hvs_vpset_next(&out->set, 0); vp < nr_vps; vp = hvs_vpset_next(&out->set, vp + 1))
            apply_to(kvm, self, out, effect, vp);
    }
}
