/*
 * Sleep with interrupts off (HVS_EFFECT_BLOCK). KVM wakes a halted vCPU only by an interrupt that it would take, so
 * such a one does not halt but sleeps here, in user space, for a millisecond at most.
 *
 * An interrupt that is there already or that the library sends, and work, end the nap at once. Those of devices, of
 * other vCPUs and of the local APIC's own timer are noticed when it is over: a guest that is idle this way makes an
 * exit a millisecond.
 */
#include "backend.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NAP_NS = 1000000, IRR = 0x200, IRR_WORDS = 8, REGISTER_BYTES = 16 };

static bool has_interrupt(const struct hvs_kvm_vcpu *vcpu)
{
    struct kvm_lapic_state apic;
    uint32_t any = 0, word;

    if (ioctl(vcpu->fd, KVM_GET_LAPIC, &apic) < 0)
        return true;
    for (uint32_t i = 0; i < IRR_WORDS; i++) {
        memcpy(&word, apic.regs + IRR + i * REGISTER_BYTES, sizeof(word));
        any |= word;
    }
    return any;
}

/* Who sends sends first and then looks who naps; who naps says so first and then looks. So one sees the other. */
void hvs_kvm_nap(struct hvs_kvm_vcpu *vcpu)
{
    const struct timespec longest = {.tv_nsec = NAP_NS};
    uint32_t nr_calls = atomic_load(&vcpu->nr_wake_calls);

    atomic_store(&vcpu->is_napping, true);
    if (!atomic_load(&vcpu->work) && !has_interrupt(vcpu))
        syscall(SYS_futex, &vcpu->nr_wake_calls, FUTEX_WAIT_PRIVATE, nr_calls, &longest, NULL, 0);
    atomic_store(&vcpu->is_napping, false);
}

void hvs_kvm_wake(struct hvs_kvm_vcpu *vcpu)
{
    if (!vcpu || !atomic_load(&vcpu->is_napping))
        return;
    atomic_fetch_add(&vcpu->nr_wake_calls, 1);
    syscall(SYS_futex, &vcpu->nr_wake_calls, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
