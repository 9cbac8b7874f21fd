/*
 * Answers that leave RIP on the instruction: a fault, or once more.
 *
 * After an exit the kernel still has to complete the instruction, and at a PIO exit RIP may already lie behind it. So
 * the instruction is completed first, by a KVM_RUN that returns before it enters the guest; then the registers are put
 * back and RIP is set. Rare, so its cost does not matter.
 */
#include "backend.h"

void hvs_kvm_again(struct hvs_kvm_vcpu *vcpu, const struct hvs_regs *regs, uint32_t insn_bytes)
{
    struct kvm_regs *now = &vcpu->run->s.regs.regs;
    uint64_t rip = now->rip;

    hvs_kvm_complete(vcpu);
    if (now->rip == rip)
        rip -= insn_bytes;      /* it had been behind the instruction */
    now->rip = regs->code_bits == 64 ? rip : (uint32_t)rip;
    hvs_kvm_put_regs(vcpu->run, regs);
}

void hvs_kvm_inject(struct hvs_kvm_vcpu *vcpu, const struct hvs_regs *regs, const struct hvs_outcome *out,
                    uint32_t insn_bytes)
{
    struct kvm_vcpu_events events;

    hvs_kvm_again(vcpu, regs, insn_bytes);
    if (out->fault_vector == HVS_VECTOR_PF) {
        vcpu->run->s.regs.sregs.cr2 = out->fault_address;
        vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    }
    if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
        return;
    events.exception.injected = 1;
    events.exception.nr = out->fault_vector;
    events.exception.has_error_code = out->fault_has_code;
    events.exception.error_code = out->fault_code;
    ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events);
}
