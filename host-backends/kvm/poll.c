/*
 * POLL and WAKE: the vCPU halts in KVM_RUN, where an interrupt that it takes wakes it as from HLT, whatever made it. A
 * WAKE is work for its own thread, done before it enters the guest again, so one that comes before the vCPU sleeps is
 * not lost. One that comes too late may end a HLT of the guest, as an interrupt for nobody would.
 */
#include "backend.h"

static bool has_mp_state(const struct hvs_kvm_vcpu *vcpu, uint32_t wanted)
{
    struct kvm_mp_state state;

    return ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) == 0 && state.mp_state == wanted;
}

static void set_mp_state(const struct hvs_kvm_vcpu *vcpu, uint32_t mp_state)
{
    struct kvm_mp_state state = {.mp_state = mp_state};

    ioctl(vcpu->fd, KVM_SET_MP_STATE, &state);
}

void hvs_kvm_poll(struct hvs_kvm_vcpu *vcpu)
{
    if (has_mp_state(vcpu, KVM_MP_STATE_RUNNABLE))
        set_mp_state(vcpu, KVM_MP_STATE_HALTED);
}

void hvs_kvm_poll_end(struct hvs_kvm_vcpu *vcpu)
{
    if (has_mp_state(vcpu, KVM_MP_STATE_HALTED))
        set_mp_state(vcpu, KVM_MP_STATE_RUNNABLE);
}
