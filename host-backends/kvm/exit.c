/*
 * One exit of a vCPU: to the core, and its verdict back to the guest.
 *
 * Registers travel in struct kvm_run only. RIP is never changed on the way, except by what inject.c does: the kernel
 * takes a changed RIP as a reason not to complete the instruction.
 */
#include "backend.h"
#include "strings.h"

#include <string.h>

enum { VMCALL_BYTES = 3, PIO_BYTES = 1 };

static enum hvs_kvm_next answer_msr(struct kvm_run *run, const struct hvs_outcome *out, enum hvs_verdict verdict)
{
    run->msr.error = verdict != HVS_HANDLED;
    if (run->exit_reason == KVM_EXIT_X86_RDMSR)
        run->msr.data = out->value;
    return HVS_KVM_DONE;
}

/*
 * The kernel takes what IN reads from the data page or from RAX, as it came by its fast path or by its emulator and as
 * registers were written or not: both hold the same.
 */
static void answer_in(struct kvm_run *run, const struct hvs_regs *regs)
{
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    for (uint32_t i = 0; i < run->io.count; i++)
        memcpy(data + i * run->io.size, &regs->rax, run->io.size);
}

static void answer_handled(struct kvm_run *run, const struct hvs_exit *exit, const struct hvs_regs *regs,
                           const struct hvs_outcome *out)
{
    if (exit->kind == HVS_EXIT_PIO && exit->pio.is_in)
        answer_in(run, regs);
    if (run->exit_reason == KVM_EXIT_XEN)
        run->xen.u.hcall.result = regs->rax;
    if (out->regs_changed)
        hvs_kvm_put_regs(run, regs);
}

static uint32_t insn_bytes(const struct kvm_run *run, const struct hvs_exit *exit)
{
    if (run->exit_reason == KVM_EXIT_XEN)
        return VMCALL_BYTES;
    if (exit->kind == HVS_EXIT_PIO && exit->pio.is_string)
        return 0;
    if (exit->kind != HVS_EXIT_HYPERCALL)
        return PIO_BYTES;
    if (exit->hypercall.slot == HVS_SLOT_RAW || exit->hypercall.is_signal)
        return HVS_KVM_OUT_BYTES;
    return HVS_KVM_PAGE_OUT_BYTES;
}

static enum hvs_kvm_next answer(struct hvs_kvm_vcpu *vcpu, const struct hvs_exit *exit, const struct hvs_regs *regs,
                                struct hvs_outcome *out, enum hvs_verdict verdict)
{
    switch (verdict) {
    case HVS_HANDLED:
        answer_handled(vcpu->run, exit, regs, out);
        break;
    case HVS_RETRY:
        hvs_kvm_again(vcpu, regs, insn_bytes(vcpu->run, exit));
        break;
    case HVS_UNHANDLED:
        if (exit->kind == HVS_EXIT_PIO)
            return HVS_KVM_NOT_OURS;
        out->fault_vector = HVS_VECTOR_UD;      /* as VMCALL without a hypervisor */
        out->fault_has_code = false;
        hvs_kvm_inject(vcpu, regs, out, insn_bytes(vcpu->run, exit));
        break;
    case HVS_FAULT:
        hvs_kvm_inject(vcpu, regs, out, insn_bytes(vcpu->run, exit));
        break;
    }
    return HVS_KVM_DONE;
}

static enum hvs_kvm_next handle_string(struct hvs_kvm_vcpu *vcpu, const struct hvs_exit *exit, struct hvs_regs *regs)
{
    const struct hvs_regs before = *regs;
    struct hvs_outcome out;
    enum hvs_verdict verdict;

    verdict = hvs_vcpu_exit(vcpu->vcpu, exit, regs, &out);
    hvs_kvm_apply(vcpu->kvm, vcpu, &out);
    if (verdict != HVS_HANDLED)
        return answer(vcpu, exit, regs, &out, verdict);
    hvs_kvm_string_end(vcpu, &before, regs);
    return HVS_KVM_DONE;
}

static enum hvs_kvm_next handle(struct hvs_kvm_vcpu *vcpu, struct hvs_exit *exit, struct hvs_regs *regs)
{
    if (exit->kind == HVS_EXIT_PIO && hvs_vm_port_takes_strings(vcpu->kvm->vm, exit->pio.port)) {
        if (hvs_kvm_string_begin(vcpu, exit, regs))
            return handle_string(vcpu, exit, regs);
        if (exit->pio.is_string)
            return HVS_KVM_NOT_OURS;
    }

    bool is_msr = exit->kind == HVS_EXIT_MSR_READ || exit->kind == HVS_EXIT_MSR_WRITE;
    struct hvs_outcome out;
    enum hvs_verdict verdict = hvs_vcpu_exit(vcpu->vcpu, exit, is_msr ? NULL : regs, &out);

    hvs_kvm_apply(vcpu->kvm, vcpu, &out);
    if (is_msr)
        return answer_msr(vcpu->run, &out, verdict);
    return answer(vcpu, exit, regs, &out, verdict);
}

static bool is_gs_base_write(const struct hvs_kvm_vcpu *vcpu)
{
    return vcpu->kvm->patch.is_needed && vcpu->run->exit_reason == KVM_EXIT_X86_WRMSR &&
           vcpu->run->msr.index == HVS_KVM_MSR_GS_BASE;
}

/* The VMM's filter denied it, but the VMM did not ask to see that. */
static bool is_unwanted_msr(const struct hvs_kvm_vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;

    if (run->exit_reason != KVM_EXIT_X86_RDMSR && run->exit_reason != KVM_EXIT_X86_WRMSR)
        return false;
    return run->msr.reason == KVM_MSR_EXIT_REASON_FILTER &&
           !(atomic_load_explicit(&vcpu->kvm->wanted.reasons, memory_order_relaxed) & KVM_MSR_EXIT_REASON_FILTER);
}

enum hvs_kvm_next hvs_kvm_exit(struct hvs_kvm_vcpu *vcpu)
{
    uint32_t reason = vcpu->run->exit_reason;
    struct hvs_regs regs;
    struct hvs_exit exit;

    hvs_kvm_learn_thread(vcpu);
    if (is_gs_base_write(vcpu)) {
        hvs_kvm_gs_base_written(vcpu);
        return HVS_KVM_DONE;
    }
    if (hvs_kvm_normalise(vcpu->run, &vcpu->kvm->claims, &exit, &regs) &&
        handle(vcpu, &exit, &regs) == HVS_KVM_DONE)
        return HVS_KVM_DONE;
    if (is_unwanted_msr(vcpu)) {
        vcpu->run->msr.error = 1;
        return HVS_KVM_DONE;
    }
    if (reason < HVS_ARRAY_SIZE(vcpu->nr_foreign))
        atomic_fetch_add_explicit(&vcpu->nr_foreign[reason], 1, memory_order_relaxed);
    return HVS_KVM_NOT_OURS;
}

int hvs_kvm_dispatch(struct hvs_kvm *kvm, uint32_t vp, const struct hvs_exit *exit, uint64_t *value)
{
    struct hvs_vcpu *vcpu = hvs_vm_vcpu(kvm->vm, vp);
    struct hvs_outcome out;
    enum hvs_verdict verdict;

    if (!vcpu || exit->kind < HVS_EXIT_TIMER || exit->kind >= HVS_NR_EXIT_KINDS)
        return HVS_EINVAL;
    verdict = hvs_vcpu_exit(vcpu, exit, NULL, &out);
    hvs_kvm_apply(kvm, NULL, &out);
    if (value)
        *value = out.value;
    return verdict == HVS_HANDLED ? HVS_OK : HVS_ENOENT;
}

int hvs_kvm_request(struct hvs_kvm *kvm, const struct hvs_personality *to, uint32_t request, void *data)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_HOST, .host = {to, request, data}};
    uint64_t answer;

    return hvs_kvm_dispatch(kvm, 0, &exit, &answer) ? HVS_ENOTSUP : (int)(int64_t)answer;
}

uint64_t hvs_kvm_foreign_exits(const struct hvs_kvm *kvm, uint32_t exit_reason)
{
    uint64_t sum = 0;

    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++) {
        if (kvm->vcpu[vp] && exit_reason < HVS_ARRAY_SIZE(kvm->vcpu[vp]->nr_foreign))
            sum += atomic_load_explicit(&kvm->vcpu[vp]->nr_foreign[exit_reason], memory_order_relaxed);
    }
    return sum;
}
