/* XMM registers of the vCPU whose exit is being handled, in its own thread. */
#include "backend.h"

#include <string.h>

static bool fpu_get(struct hvs_kvm *kvm, uint32_t vp, uint32_t first, uint32_t count, struct kvm_fpu *fpu)
{
    if (first > HVS_ARRAY_SIZE(fpu->xmm) || count > HVS_ARRAY_SIZE(fpu->xmm) - first)
        return false;
    return ioctl(kvm->vcpu[vp]->fd, KVM_GET_FPU, fpu) == 0;
}

int hvs_kvm_xmm_read(void *ctx, uint32_t vp, uint32_t first, uint32_t count, struct hvs_xmm *xmm)
{
    struct kvm_fpu fpu;

    if (!fpu_get(ctx, vp, first, count, &fpu))
        return HVS_EINVAL;
    memcpy(xmm, fpu.xmm[first], count * sizeof(*xmm));
    return HVS_OK;
}

int hvs_kvm_xmm_write(void *ctx, uint32_t vp, uint32_t first, uint32_t count, const struct hvs_xmm *xmm)
{
    struct hvs_kvm *kvm = ctx;
    struct kvm_fpu fpu;

    if (!fpu_get(kvm, vp, first, count, &fpu))
        return HVS_EINVAL;
    memcpy(fpu.xmm[first], xmm, count * sizeof(*xmm));
    return ioctl(kvm->vcpu[vp]->fd, KVM_SET_FPU, &fpu) < 0 ? HVS_EINVAL : HVS_OK;
}
