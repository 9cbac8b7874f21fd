/* One MSR of a vCPU that does not run, past the filter. */
#include "backend.h"

struct one_msr {
    struct kvm_msrs head;
    struct kvm_msr_entry entry;
};

int hvs_kvm_msr_get(int vcpu_fd, uint32_t index, uint64_t *value)
{
    struct one_msr msr = {.head = {.nmsrs = 1}, .entry = {.index = index}};

    if (ioctl(vcpu_fd, KVM_GET_MSRS, &msr) != 1)
        return HVS_EINVAL;
    *value = msr.entry.data;
    return HVS_OK;
}

int hvs_kvm_msr_set(int vcpu_fd, uint32_t index, uint64_t value)
{
    struct one_msr msr = {.head = {.nmsrs = 1}, .entry = {.index = index, .data = value}};

    return ioctl(vcpu_fd, KVM_SET_MSRS, &msr) == 1 ? HVS_OK : HVS_EINVAL;
}
