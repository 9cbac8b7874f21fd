/*
 * KVM_EXIT_XEN: hypercalls that the VMM answers. Where the kernel shows them itself, the exit is as it should be; else
 * the guest left by an OUT, which is completed first, so that what is left is only the result, and the VMM may save the
 * vCPU once it has answered: when it calls KVM_RUN again, which may be with immediate_exit.
 */
#include "dropin.h"

#include "../backend.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

bool hvs_dropin_xen_after(struct hvs_dropin_vcpu *vcpu)
{
    const struct hvs_dropin_xen_call *call = &vcpu->xen.call;
    struct kvm_run *run = vcpu->run;

    if (!vcpu->xen.is_for_vmm)
        return false;
    vcpu->xen.is_for_vmm = false;
    if (run->exit_reason == KVM_EXIT_XEN)
        return true;
    hvs_kvm_complete(vcpu->shim);
    vcpu->xen.is_owed = true;
    vcpu->xen.owed_rip = run->s.regs.regs.rip;
    run->exit_reason = KVM_EXIT_XEN;
    memset(&run->xen, 0, sizeof(run->xen));
    run->xen.type = KVM_EXIT_XEN_HCALL;
    run->xen.u.hcall.longmode = call->is_64bit;
    run->xen.u.hcall.cpl = call->cpl;
    run->xen.u.hcall.input = call->nr;
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(call->arg); i++)
        run->xen.u.hcall.params[i] = call->arg[i];
    return true;
}

/* A vCPU that the VMM has put elsewhere, as by a reset, gets nothing. */
void hvs_dropin_xen_answered(struct hvs_dropin_vcpu *vcpu)
{
    struct kvm_regs regs;

    if (!vcpu->xen.is_owed)
        return;
    vcpu->xen.is_owed = false;
    if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 || regs.rip != vcpu->xen.owed_rip)
        return;
    regs.rax = vcpu->run->xen.u.hcall.result;
    ioctl(vcpu->fd, KVM_SET_REGS, &regs);
}

void hvs_dropin_xen_interrupted(struct hvs_dropin_vcpu *vcpu)
{
    struct hvs_dropin_xen *xen = &vcpu->file.vm->xen;
    int err = errno;
    bool polls;

    if (!xen->is_chosen)
        return;
    pthread_mutex_lock(&xen->lock);
    polls = vcpu->xen.poll_port;
    vcpu->xen.poll_port = 0;
    pthread_mutex_unlock(&xen->lock);
    if (polls)
        hvs_kvm_poll_end(vcpu->shim);
    errno = err;
}
