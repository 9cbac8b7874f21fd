/*
 * VCPU_STOP and VCPU_GO_ON, in the target's own thread: it waits in KVM_RUN as it would for its start-up IPI, and keeps
 * its registers, interrupts that wait included.
 *
 * KVM would not let such a vCPU sleep while an interrupt waits that it could take, which INIT never leaves behind. So it
 * stands in the shadow of a MOV SS, which holds off NMIs too. Both lie in KVM's own state, so a VMM saves and restores
 * it as it is. Whoever was in HLT is behind it when it goes on, as after an interrupt.
 */
#include "backend.h"

static int set_shadow(int vcpu_fd, bool is_on)
{
    struct kvm_vcpu_events events;

    if (ioctl(vcpu_fd, KVM_GET_VCPU_EVENTS, &events) < 0)
        return HVS_EINVAL;
    events.flags = KVM_VCPUEVENT_VALID_SHADOW;
    events.interrupt.shadow = is_on ? KVM_X86_SHADOW_INT_MOV_SS : 0;
    return ioctl(vcpu_fd, KVM_SET_VCPU_EVENTS, &events) < 0 ? HVS_EINVAL : HVS_OK;
}

static void go_on(struct hvs_kvm_vcpu *vcpu)
{
    struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};

    set_shadow(vcpu->fd, false);
    ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable);
    atomic_store(&vcpu->is_stopped, false);
    hvs_kvm_past_apic_own(vcpu);
}

/* One that its guest has started by INIT and SIPI meanwhile is left alone. */
void hvs_kvm_stop_own(struct hvs_kvm_vcpu *vcpu)
{
    struct kvm_mp_state state;
    bool waits, is_to_stop = hvs_vcpu_is_to_stop(vcpu->vcpu);

    if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) < 0)
        return;
    waits = state.mp_state == KVM_MP_STATE_INIT_RECEIVED || state.mp_state == KVM_MP_STATE_UNINITIALIZED;
    if (!is_to_stop && state.mp_state == KVM_MP_STATE_INIT_RECEIVED)
        go_on(vcpu);
    if (!is_to_stop || waits)
        return;
    state.mp_state = KVM_MP_STATE_INIT_RECEIVED;
    if (set_shadow(vcpu->fd, true) == HVS_OK && ioctl(vcpu->fd, KVM_SET_MP_STATE, &state) == 0)
        atomic_store(&vcpu->is_stopped, true);
}
