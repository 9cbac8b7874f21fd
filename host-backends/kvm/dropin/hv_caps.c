/*
 * What KVM's interface for Hyper-V answers whatever VM it is: capabilities, supported leaves, the list of MSRs.
 *
 * The kernel's own answers do not matter: where it has Hyper-V code of its own, ours takes its place, and what ours
 * does not have is not there (enlightened VMCS, direct flushes of nested guests).
 */
#include "dropin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hv_abi.h"

#ifndef KVM_CAP_HYPERV_ENFORCE_CPUID    /* Linux 5.14 */
#define KVM_CAP_HYPERV_ENFORCE_CPUID 199
#endif

bool hvs_dropin_hv_check(unsigned long cap, int *answer)
{
    switch (cap) {
    case KVM_CAP_HYPERV:
    case KVM_CAP_HYPERV_VAPIC:
    case KVM_CAP_HYPERV_SPIN:
    case KVM_CAP_HYPERV_TIME:
    case KVM_CAP_HYPERV_SYNIC:
    case KVM_CAP_HYPERV_SYNIC2:
    case KVM_CAP_HYPERV_VP_INDEX:
    case KVM_CAP_HYPERV_EVENTFD:
    case KVM_CAP_HYPERV_TLBFLUSH:
    case KVM_CAP_HYPERV_SEND_IPI:
    case KVM_CAP_HYPERV_CPUID:
    case KVM_CAP_SYS_HYPERV_CPUID:
    case KVM_CAP_HYPERV_ENFORCE_CPUID:
        *answer = 1;
        return true;
    case KVM_CAP_HYPERV_ENLIGHTENED_VMCS:
    case KVM_CAP_HYPERV_DIRECT_TLBFLUSH:
        *answer = 0;
        return true;
    default:
        return false;
    }
}

int hvs_dropin_hv_get_supported(int kvm_fd, struct kvm_cpuid2 *cpuid)
{
    struct hvs_kvm_caps caps;

    if (hvs_kvm_probe(kvm_fd, &caps)) {
        errno = EINVAL;
        return -1;
    }
    return hvs_dropin_hv_get_cpuid(hvs_dropin_hv_offered(hvs_kvm_vm_caps(&caps)), cpuid);
}

/* The first of each kind, as KVM lists them: VMMs look for them to know what there is. */
static const uint32_t listed[] = {
    HV_X64_MSR_GUEST_OS_ID, HV_X64_MSR_HYPERCALL, HV_X64_MSR_TIME_REF_COUNT, HV_X64_MSR_REFERENCE_TSC,
    HV_X64_MSR_TSC_FREQUENCY, HV_X64_MSR_APIC_FREQUENCY, HV_X64_MSR_CRASH_P0, HV_X64_MSR_CRASH_P1,
    HV_X64_MSR_CRASH_P2, HV_X64_MSR_CRASH_P3, HV_X64_MSR_CRASH_P4, HV_X64_MSR_CRASH_CTL, HV_X64_MSR_RESET,
    HV_X64_MSR_VP_INDEX, HV_X64_MSR_VP_RUNTIME, HV_X64_MSR_SCONTROL, HV_X64_MSR_STIMER0_CONFIG,
    HV_X64_MSR_VP_ASSIST_PAGE, HV_X64_MSR_REENLIGHTENMENT_CONTROL, HV_X64_MSR_TSC_EMULATION_CONTROL,
    HV_X64_MSR_TSC_EMULATION_STATUS, HV_X64_MSR_TSC_INVARIANT_CONTROL, HV_X64_MSR_DEBUG_DEVICE_OPTIONS,
    HV_X64_MSR_SYNTH_DEBUG_CONTROL, HV_X64_MSR_SYNTH_DEBUG_STATUS, HV_X64_MSR_SYNTH_DEBUG_SEND_BUFFER,
    HV_X64_MSR_SYNTH_DEBUG_RECEIVE_BUFFER, HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER,
};

static bool is_listed(const struct kvm_msr_list *list, uint32_t index)
{
    for (uint32_t i = 0; i < list->nmsrs; i++) {
        if (list->indices[i] == index)
            return true;
    }
    return false;
}

/* The kernel's list, from malloc, with room for ours; NULL with errno. */
static struct kvm_msr_list *get_kernel_list(int kvm_fd)
{
    struct kvm_msr_list size = {.nmsrs = 0}, *list;

    if (ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, &size) == 0 || errno != E2BIG)
        return NULL;
    list = malloc(sizeof(*list) + (size.nmsrs + HVS_ARRAY_SIZE(listed)) * sizeof(list->indices[0]));
    if (!list)
        return NULL;
    list->nmsrs = size.nmsrs;
    if (ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, list) == 0)
        return list;
    free(list);
    return NULL;
}

int hvs_dropin_hv_get_index_list(int kvm_fd, struct kvm_msr_list *list)
{
    struct kvm_msr_list *all = get_kernel_list(kvm_fd);
    uint32_t capacity = list->nmsrs;

    if (!all)
        return -1;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(listed); i++) {
        if (!is_listed(all, listed[i]))
            all->indices[all->nmsrs++] = listed[i];
    }
    list->nmsrs = all->nmsrs;
    if (capacity >= all->nmsrs)
        memcpy(list->indices, all->indices, all->nmsrs * sizeof(list->indices[0]));
    free(all);
    errno = E2BIG;
    return capacity >= list->nmsrs ? 0 : -1;
}
