/*
 * Time as the port gives it: nanoseconds of the host's CLOCK_MONOTONIC since the VM was made, and the guest's TSC as
 * the host's plus one offset, the same for all vCPUs. TSC scaling is not supported; a guest that writes its own TSC
 * moves away from what we publish.
 */
#include "backend.h"

#include <time.h>
#include <x86intrin.h>

#ifndef KVM_VCPU_TSC_CTRL       /* Linux 5.16 */
#define KVM_VCPU_TSC_CTRL 0
#define KVM_VCPU_TSC_OFFSET 0
#endif
#define MSR_IA32_TSC 0x10u

enum { NR_MEASUREMENTS = 8 };   /* of which the least disturbed counts */

uint64_t hvs_kvm_monotonic_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t hvs_kvm_utc_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void hvs_kvm_clock_init(struct hvs_kvm_clock *clock)
{
    clock->epoch_ns = hvs_kvm_monotonic_ns();
}

void hvs_kvm_time_now(void *ctx, struct hvs_instant *now)
{
    const struct hvs_kvm_clock *clock = &((struct hvs_kvm *)ctx)->clock;

    now->ns = hvs_kvm_monotonic_ns() - clock->epoch_ns;
    now->tsc = __rdtsc() + clock->tsc_offset;
}

int hvs_kvm_measure_tsc_offset(int vcpu_fd, uint64_t *offset)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } msrs = {.head = {.nmsrs = 1}, .entry = {.index = MSR_IA32_TSC}};
    uint64_t shortest = UINT64_MAX;

    for (int i = 0; i < NR_MEASUREMENTS; i++) {
        uint64_t before = __rdtsc();

        if (ioctl(vcpu_fd, KVM_GET_MSRS, &msrs) != 1)
            return HVS_ENOTSUP;

        uint64_t ticks = __rdtsc() - before;

        if (ticks >= shortest)
            continue;
        shortest = ticks;
        *offset = msrs.entry.data - (before + ticks / 2);
    }
    return HVS_OK;
}

static int offset_attribute(int vcpu_fd, unsigned long request, uint64_t *offset)
{
    struct kvm_device_attr attribute = {
        .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)offset};

    return ioctl(vcpu_fd, request, &attribute) < 0 ? HVS_ENOTSUP : HVS_OK;
}

static bool has_host_rate(const struct hvs_kvm_vcpu *vcpu)
{
    int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);

    return !vcpu->kvm->caps.tsc_khz || khz <= 0 || (uint32_t)khz == vcpu->kvm->caps.tsc_khz;
}

int hvs_kvm_clock_join(struct hvs_kvm_vcpu *vcpu)
{
    uint64_t offset = vcpu->kvm->clock.tsc_offset, own;

    if (!has_host_rate(vcpu))
        return HVS_ENOTSUP;
    /* As below: without the attribute, the kernel keeps them in step. */
    if (offset_attribute(vcpu->fd, KVM_GET_DEVICE_ATTR, &own))
        return HVS_OK;
    return offset_attribute(vcpu->fd, KVM_SET_DEVICE_ATTR, &offset);
}

int hvs_kvm_clock_sync(struct hvs_kvm *kvm)
{
    uint64_t *offset = &kvm->clock.tsc_offset;

    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++) {
        if (kvm->vcpu[vp] && !has_host_rate(kvm->vcpu[vp]))
            return HVS_ENOTSUP;
    }
    /* Without the attribute, TSCs are in step all the same: the kernel sees to it when vCPUs are made one by one. */
    if (offset_attribute(kvm->vcpu[0]->fd, KVM_GET_DEVICE_ATTR, offset))
        return hvs_kvm_measure_tsc_offset(kvm->vcpu[0]->fd, offset);
    for (uint32_t vp = 1; vp < kvm->config.vm.nr_vps; vp++) {
        if (kvm->vcpu[vp] && offset_attribute(kvm->vcpu[vp]->fd, KVM_SET_DEVICE_ATTR, offset))
            return HVS_ENOTSUP;
    }
    return HVS_OK;
}
