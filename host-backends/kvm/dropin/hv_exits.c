/*
 * KVM_EXIT_HYPERV: where the kernel would ask the VMM, so do we. Writes of SCONTROL, SIMP and SIEFP are told after they
 * were done; PostMessage, and SignalEvent of connections that are no eventfd's, are answered by the VMM; and so is the
 * debugger's channel, by MSR or call, where CPUID says that there is one.
 *
 * The instruction is completed first, so that what is left is only the result, and the VMM may save the vCPU afterwards
 * as after any exit that it has answered: when it calls KVM_RUN once more, which may be with immediate_exit.
 */
#include "dropin.h"

#include "../backend.h"

#include <string.h>
#include <sys/ioctl.h>

#include "hv_abi.h"

#define ONLY_CODE_AND_FAST (HV_HYPERCALL_CODE_MASK | HV_HYPERCALL_FAST)
#define FLAG_NUMBER 0xffff00000000ull   /* of SignalEvent's input */

static struct kvm_hyperv_exit *begin_exit(struct hvs_dropin_vcpu *vcpu, uint32_t type)
{
    struct kvm_run *run = vcpu->run;

    hvs_kvm_complete(vcpu->shim);
    run->exit_reason = KVM_EXIT_HYPERV;
    memset(&run->hyperv, 0, sizeof(run->hyperv));
    run->hyperv.type = type;
    return &run->hyperv;
}

static uint64_t msr(const struct hvs_dropin_vcpu *vcpu, uint32_t index)
{
    uint64_t value = 0;

    hvs_kvm_get_msr(vcpu->shim, index, &value);
    return value;
}

/* --- hypercalls --------------------------------------------------------------------------------------------------- */

struct call {
    uint64_t control, in, out;
    bool is_64bit;
};

static uint64_t join(uint64_t high, uint64_t low)
{
    return high << 32 | (uint32_t)low;
}

static struct call decode(const struct hvs_regs *regs)
{
    if (regs->code_bits == 64)
        return (struct call){regs->rcx, regs->rdx, regs->r8, true};
    return (struct call){join(regs->rdx, regs->rax), join(regs->rbx, regs->rcx), join(regs->rdi, regs->rsi), false};
}

static void set_result(struct hvs_dropin_vcpu *vcpu, bool is_64bit, uint64_t result)
{
    struct kvm_regs regs;

    if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
        return;
    regs.rax = is_64bit ? result : (uint32_t)result;
    if (!is_64bit)
        regs.rdx = result >> 32;
    ioctl(vcpu->fd, KVM_SET_REGS, &regs);
}

/* As KVM's own: HV_STATUS_INVALID_PORT_ID means that the VMM may know the connection. */
static uint16_t signal_event(struct hvs_dropin_vcpu *vcpu, const struct call *call)
{
    uint64_t input = call->in;

    if (!(call->control & HV_HYPERCALL_FAST)) {
        if (call->in % sizeof(input) || hvs_kvm_gpa_read(vcpu->shim->kvm, call->in, &input, sizeof(input)))
            return HV_STATUS_INVALID_ALIGNMENT;
    }
    if (input & FLAG_NUMBER)
        return HV_STATUS_INVALID_PORT_ID;
    if (input & ~(uint64_t)KVM_HYPERV_CONN_ID_MASK)
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    if (!hvs_dropin_hv_signal(&vcpu->file.vm->hv.events, (uint32_t)input))
        return HV_STATUS_INVALID_PORT_ID;
    return HV_STATUS_SUCCESS;
}

static void ask_vmm(struct hvs_dropin_vcpu *vcpu, const struct call *call)
{
    struct kvm_hyperv_exit *exit = begin_exit(vcpu, KVM_EXIT_HYPERV_HCALL);

    exit->u.hcall.input = call->control;
    exit->u.hcall.params[0] = call->in;
    exit->u.hcall.params[1] = call->out;
    vcpu->hv.owed = call->is_64bit ? HVS_DROPIN_HV_RESULT_64 : HVS_DROPIN_HV_RESULT_32;
}

static bool is_for_vmm(const struct hvs_dropin_vcpu *vcpu, uint32_t code)
{
    const struct hvs_dropin_hv *hv = &vcpu->file.vm->hv;
    uint64_t options = hv->store.value[HV_X64_MSR_DEBUG_DEVICE_OPTIONS - HV_X64_MSR_GUEST_OS_ID];

    switch (code) {
    case HvCallPostMessage:
    case HvCallSignalEvent:
        return vcpu->hv.has_synic;
    case HvCallPostDebugData:
    case HvCallRetrieveDebugData:
    case HvCallResetDebugSession:
        return hv->has_debug && (options & HV_DEBUG_DEVICE_USE_HYPERCALLS);
    default:
        return false;
    }
}

static enum hvs_dropin_hv_fate hypercall(struct hvs_dropin_vcpu *vcpu, const struct hvs_regs *regs)
{
    const struct call call = decode(regs);
    uint32_t code = call.control & HV_HYPERCALL_CODE_MASK;

    if (!(regs->cr0 & HVS_CR0_PE) || !(msr(vcpu, HV_X64_MSR_HYPERCALL) & HV_X64_MSR_HYPERCALL_ENABLE))
        return HVS_DROPIN_HV_PASS;      /* #UD */
    if (!is_for_vmm(vcpu, code) || (call.control & ~(uint64_t)ONLY_CODE_AND_FAST))
        return HVS_DROPIN_HV_PASS;      /* the library has the statuses of calls that are wrong by themselves */
    if (code == HvCallSignalEvent) {
        uint16_t status = signal_event(vcpu, &call);

        if (status != HV_STATUS_INVALID_PORT_ID) {
            hvs_kvm_complete(vcpu->shim);
            set_result(vcpu, call.is_64bit, status);
            return HVS_DROPIN_HV_DONE;
        }
    }
    ask_vmm(vcpu, &call);
    return HVS_DROPIN_HV_SHOW;
}

/* --- the debugger's MSRs ------------------------------------------------------------------------------------------ */

static uint64_t *debug_register(struct hvs_dropin_vcpu *vcpu, uint32_t index)
{
    return &vcpu->file.vm->hv.store.value[index - HV_X64_MSR_GUEST_OS_ID];
}

static bool is_debug_msr(const struct hvs_dropin_vcpu *vcpu, uint32_t index)
{
    return vcpu->file.vm->hv.has_debug && (index == HV_X64_MSR_DEBUG_DEVICE_OPTIONS ||
           (index >= HV_X64_MSR_SYNTH_DEBUG_CONTROL && index <= HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER));
}

static void ask_debugger(struct hvs_dropin_vcpu *vcpu, uint32_t index)
{
    struct kvm_hyperv_exit *exit = begin_exit(vcpu, KVM_EXIT_HYPERV_SYNDBG);

    exit->u.syndbg.msr = index;
    exit->u.syndbg.control = *debug_register(vcpu, HV_X64_MSR_SYNTH_DEBUG_CONTROL);
    exit->u.syndbg.status = *debug_register(vcpu, HV_X64_MSR_SYNTH_DEBUG_STATUS);
    exit->u.syndbg.send_page = *debug_register(vcpu, HV_X64_MSR_SYNTH_DEBUG_SEND_BUFFER);
    exit->u.syndbg.recv_page = *debug_register(vcpu, HV_X64_MSR_SYNTH_DEBUG_RECEIVE_BUFFER);
    exit->u.syndbg.pending_page = *debug_register(vcpu, HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER);
    vcpu->hv.owed = index == HV_X64_MSR_SYNTH_DEBUG_CONTROL ? HVS_DROPIN_HV_STATUS : HVS_DROPIN_HV_NONE;
}

static enum hvs_dropin_hv_fate debug_msr(struct hvs_dropin_vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    uint32_t index = run->msr.index;

    if (!is_debug_msr(vcpu, index))
        return HVS_DROPIN_HV_PASS;
    run->msr.error = 0;
    if (run->exit_reason == KVM_EXIT_X86_RDMSR) {
        run->msr.data = *debug_register(vcpu, index);
        return HVS_DROPIN_HV_DONE;
    }
    *debug_register(vcpu, index) = run->msr.data;
    if (index != HV_X64_MSR_SYNTH_DEBUG_CONTROL && index != HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER)
        return HVS_DROPIN_HV_DONE;
    ask_debugger(vcpu, index);
    return HVS_DROPIN_HV_SHOW;
}

/* --- the door ----------------------------------------------------------------------------------------------------- */

enum hvs_dropin_hv_fate hvs_dropin_hv_before(struct hvs_dropin_vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;
    struct hvs_regs regs;
    struct hvs_exit exit;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        if (!hvs_kvm_normalise(run, &vcpu->shim->kvm->claims, &exit, &regs) || exit.kind != HVS_EXIT_HYPERCALL ||
            exit.hypercall.slot != 0)
            return HVS_DROPIN_HV_PASS;
        return hypercall(vcpu, &regs);
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR:
        return debug_msr(vcpu);
    default:
        return HVS_DROPIN_HV_PASS;
    }
}

uint32_t hvs_dropin_hv_written(const struct hvs_dropin_vcpu *vcpu)
{
    return vcpu->run->exit_reason == KVM_EXIT_X86_WRMSR ? vcpu->run->msr.index : 0;
}

bool hvs_dropin_hv_after(struct hvs_dropin_vcpu *vcpu, uint32_t written)
{
    struct kvm_hyperv_exit *exit;

    if (vcpu->run->msr.error)
        return false;
    switch (written) {
    case HV_X64_MSR_EOM:
        hvs_dropin_hv_ack(&vcpu->file.vm->hv.events, vcpu->shim->vp);
        return false;
    case HV_X64_MSR_SCONTROL:
    case HV_X64_MSR_SIMP:
    case HV_X64_MSR_SIEFP:
        exit = begin_exit(vcpu, KVM_EXIT_HYPERV_SYNIC);
        exit->u.synic.msr = written;
        exit->u.synic.control = msr(vcpu, HV_X64_MSR_SCONTROL);
        exit->u.synic.evt_page = msr(vcpu, HV_X64_MSR_SIEFP);
        exit->u.synic.msg_page = msr(vcpu, HV_X64_MSR_SIMP);
        return true;
    default:
        return false;
    }
}

void hvs_dropin_hv_answered(struct hvs_dropin_vcpu *vcpu)
{
    const struct kvm_hyperv_exit *exit = &vcpu->run->hyperv;
    enum hvs_dropin_hv_owed owed = vcpu->hv.owed;

    if (owed == HVS_DROPIN_HV_NONE)
        return;
    vcpu->hv.owed = HVS_DROPIN_HV_NONE;
    if (owed == HVS_DROPIN_HV_STATUS)
        *debug_register(vcpu, HV_X64_MSR_SYNTH_DEBUG_STATUS) = exit->u.syndbg.status;
    else
        set_result(vcpu, owed == HVS_DROPIN_HV_RESULT_64, exit->u.hcall.result);
}
