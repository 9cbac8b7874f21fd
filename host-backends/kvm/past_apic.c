/*
 * INJECT past the local APIC: in the target's own thread, as an interrupt that was acknowledged already.
 *
 * It can be given only where the guest takes one: between two instructions, with interrupts on and no other event under
 * way. Where it does not, it is tried again after a while: KVM tells of the moment only without a PIC of its own.
 */
#include "backend.h"

#define RFLAGS_IF (1u << 9)

enum { BITS = 64 };

void hvs_kvm_past_apic(struct hvs_kvm_vcpu *vcpu, uint8_t vector)
{
    atomic_fetch_or(&vcpu->past_apic[vector / BITS], 1ull << vector % BITS);
    hvs_kvm_post(vcpu, HVS_KVM_WORK_PAST_APIC);
}

bool hvs_kvm_has_past_apic(const struct hvs_kvm_vcpu *vcpu)
{
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(vcpu->past_apic); i++) {
        if (atomic_load(&vcpu->past_apic[i]))
            return true;
    }
    return false;
}

void hvs_kvm_drop_past_apic(struct hvs_kvm_vcpu *vcpu)
{
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(vcpu->past_apic); i++)
        atomic_store(&vcpu->past_apic[i], 0);
}

/* The highest first. Some vector is there: only this thread takes any away. */
static uint8_t take(struct hvs_kvm_vcpu *vcpu)
{
    for (uint32_t i = HVS_ARRAY_SIZE(vcpu->past_apic); i-- > 0;) {
        uint64_t word = atomic_load(&vcpu->past_apic[i]);
        uint32_t bit = word ? BITS - 1 - (uint32_t)__builtin_clzll(word) : 0;

        if (!word)
            continue;
        atomic_fetch_and(&vcpu->past_apic[i], ~(1ull << bit));
        return (uint8_t)(i * BITS + bit);
    }
    return 0;
}

static bool is_interruptible(int vcpu_fd, struct kvm_vcpu_events *events)
{
    struct kvm_regs regs;

    if (ioctl(vcpu_fd, KVM_GET_REGS, &regs) < 0 || ioctl(vcpu_fd, KVM_GET_VCPU_EVENTS, events) < 0)
        return false;
    if (!(regs.rflags & RFLAGS_IF) || events->interrupt.shadow || events->interrupt.injected)
        return false;
    return !events->exception.injected && !events->exception.pending && !events->nmi.injected &&
           !events->nmi.pending && !events->smi.pending;
}

static void inject(int vcpu_fd, struct kvm_vcpu_events *events, uint8_t vector, bool is_halted)
{
    struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};

    events->flags = 0;          /* what others may change meanwhile, such as a pending NMI, is left alone */
    events->interrupt.injected = 1;
    events->interrupt.nr = vector;
    events->interrupt.soft = 0;
    ioctl(vcpu_fd, KVM_SET_VCPU_EVENTS, events);
    if (is_halted)
        ioctl(vcpu_fd, KVM_SET_MP_STATE, &runnable);
}

void hvs_kvm_past_apic_own(struct hvs_kvm_vcpu *vcpu)
{
    struct kvm_mp_state state;
    struct kvm_vcpu_events events;

    if (!hvs_kvm_has_past_apic(vcpu) || ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) < 0)
        return;
    if (atomic_load(&vcpu->is_stopped) && state.mp_state == KVM_MP_STATE_INIT_RECEIVED)
        return;                 /* until it goes on */
    if (state.mp_state != KVM_MP_STATE_RUNNABLE && state.mp_state != KVM_MP_STATE_HALTED) {
        hvs_kvm_drop_past_apic(vcpu);   /* INIT clears what is pending */
        return;
    }
    if (is_interruptible(vcpu->fd, &events))
        inject(vcpu->fd, &events, take(vcpu), state.mp_state == KVM_MP_STATE_HALTED);
    if (hvs_kvm_has_past_apic(vcpu))
        hvs_kvm_timer_poll(vcpu->kvm);
}
