/*
 * VCPU_START, in the target's own thread: only that may set the registers of a vCPU that waits in KVM_RUN.
 */
#include "backend.h"

#define MSR_PAT 0x277u
#define DR6_INIT 0xffff0ff0u
#define DR7_INIT 0x400u

void hvs_kvm_start_vcpu(struct hvs_kvm_vcpu *vcpu, const struct hvs_vcpu_context *context)
{
    pthread_mutex_lock(&vcpu->start_lock);
    vcpu->start = *context;
    pthread_mutex_unlock(&vcpu->start_lock);
    hvs_kvm_post(vcpu, HVS_KVM_WORK_START);
}

static struct kvm_segment segment(const struct hvs_segment *from)
{
    uint16_t a = from->attributes;

    return (struct kvm_segment){
        .base = from->base, .limit = from->limit, .selector = from->selector,
        .type = a & 0xf, .s = a >> 4 & 1, .dpl = a >> 5 & 3, .present = a >> 7 & 1,
        .avl = a >> 12 & 1, .l = a >> 13 & 1, .db = a >> 14 & 1, .g = a >> 15 & 1,
        .unusable = !(a >> 7 & 1),
    };
}

static int set_sregs(int vcpu_fd, const struct hvs_vcpu_context *from)
{
    struct kvm_sregs sregs;

    if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) < 0)      /* for the APIC base, which stays */
        return HVS_EINVAL;
    sregs.cs = segment(&from->cs), sregs.ds = segment(&from->ds), sregs.es = segment(&from->es);
    sregs.fs = segment(&from->fs), sregs.gs = segment(&from->gs), sregs.ss = segment(&from->ss);
    sregs.tr = segment(&from->tr), sregs.ldt = segment(&from->ldtr);
    sregs.idt = (struct kvm_dtable){.base = from->idtr.base, .limit = from->idtr.limit};
    sregs.gdt = (struct kvm_dtable){.base = from->gdtr.base, .limit = from->gdtr.limit};
    sregs.cr0 = from->cr0, sregs.cr2 = 0, sregs.cr3 = from->cr3, sregs.cr4 = from->cr4, sregs.cr8 = 0;
    sregs.efer = from->efer;
    return ioctl(vcpu_fd, KVM_SET_SREGS, &sregs) < 0 ? HVS_EINVAL : HVS_OK;
}

static int set_regs(int vcpu_fd, const struct hvs_vcpu_context *from)
{
    const uint64_t *r = from->gpr;
    const struct kvm_regs regs = {
        .rax = r[0], .rcx = r[1], .rdx = r[2], .rbx = r[3], .rsp = r[4], .rbp = r[5], .rsi = r[6], .rdi = r[7],
        .r8 = r[8], .r9 = r[9], .r10 = r[10], .r11 = r[11], .r12 = r[12], .r13 = r[13], .r14 = r[14], .r15 = r[15],
        .rip = from->rip, .rflags = from->rflags,
    };
    const struct kvm_debugregs debug = {.dr6 = DR6_INIT, .dr7 = DR7_INIT};

    if (ioctl(vcpu_fd, KVM_SET_DEBUGREGS, &debug) < 0)
        return HVS_EINVAL;
    return ioctl(vcpu_fd, KVM_SET_REGS, &regs) < 0 ? HVS_EINVAL : HVS_OK;
}

static bool waits_for_start(int vcpu_fd)
{
    struct kvm_mp_state state;

    if (ioctl(vcpu_fd, KVM_GET_MP_STATE, &state) < 0)
        return false;
    return state.mp_state == KVM_MP_STATE_UNINITIALIZED || state.mp_state == KVM_MP_STATE_INIT_RECEIVED;
}

/* A context that the processor cannot have leaves the vCPU waiting. */
void hvs_kvm_start_own(struct hvs_kvm_vcpu *vcpu)
{
    struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
    struct hvs_vcpu_context context;

    if (!waits_for_start(vcpu->fd))
        return;
    pthread_mutex_lock(&vcpu->start_lock);
    context = vcpu->start;
    pthread_mutex_unlock(&vcpu->start_lock);
    if (set_sregs(vcpu->fd, &context) || set_regs(vcpu->fd, &context))
        return;
    if (hvs_kvm_msr_set(vcpu->fd, MSR_PAT, context.pat) == HVS_OK)
        ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable);
}
