/*
 * FLUSH_TLB. No call makes the kernel flush the TLB of a vCPU that runs, so each vCPU does it in its own thread,
 * before it enters the guest again; who asks waits only until those that ran are outside. A vCPU whose thread is in
 * this code is outside too, so two that flush each other do not wait. For preempted ones there is a shorter way, in
 * steal.c.
 *
 * The vCPU's own way is that of a guest without INVPCID: CR4.PGE is changed and changed back. The kernel then drops
 * what it has cached of the guest's translations, in shadow page tables too [KVM api.rst, 4.13 KVM_SET_SREGS].
 */
#include "backend.h"

#define CR4_PGE (1u << 7)

enum { BANK_BITS = 64 };

void hvs_kvm_flush_own(struct hvs_kvm_vcpu *vcpu)
{
    struct kvm_sregs sregs;

    if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
        return;
    sregs.cr4 ^= CR4_PGE;
    ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
    sregs.cr4 ^= CR4_PGE;
    ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
}

/* All are kicked first, and waited for together. */
static void flush_bank(struct hvs_kvm *kvm, uint32_t first, uint64_t bank)
{
    uint32_t place[BANK_BITS] = {0};

    for (uint64_t left = bank; left; left &= left - 1) {
        uint32_t bit = (uint32_t)__builtin_ctzll(left);
        struct hvs_kvm_vcpu *vcpu = kvm->vcpu[first + bit];

        if (!hvs_kvm_steal_flush(vcpu))
            place[bit] = hvs_kvm_post(vcpu, HVS_KVM_WORK_FLUSH);
    }
    for (uint64_t left = bank; left; left &= left - 1) {
        uint32_t bit = (uint32_t)__builtin_ctzll(left);

        hvs_kvm_wait_outside(kvm->vcpu[first + bit], place[bit]);
    }
}

/* Those of the bank that were added. One that comes after this begins with an empty TLB. */
static uint64_t there(const struct hvs_kvm *kvm, uint32_t first, uint64_t bank)
{
    uint64_t is_there = bank;

    for (uint64_t left = bank; left; left &= left - 1) {
        uint32_t bit = (uint32_t)__builtin_ctzll(left);

        if (!kvm->vcpu[first + bit])
            is_there &= ~(1ull << bit);
    }
    return is_there;
}

void hvs_kvm_flush(struct hvs_kvm *kvm, const struct hvs_vpset *set)
{
    struct hvs_vpset all = *set;

    hvs_vpset_limit(&all, kvm->config.vm.nr_vps);
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(all.bank); i++)
        flush_bank(kvm, i * BANK_BITS, there(kvm, i * BANK_BITS, all.bank[i]));
}
