/*
 * The MSR filter: what the guest reads or writes in our ranges leaves for user space, whether or not the kernel has an
 * MSR of that number [Linux Documentation/virt/kvm/api.rst, 4.97 KVM_X86_SET_MSR_FILTER].
 *
 * Only the reason FILTER is asked for: a filtered access never gets as far as UNKNOWN or INVAL, and those would bring
 * MSRs that are none of our business. KVM_SET_MSRS by the VMM is not filtered.
 *
 * KVM has one filter per VM. What the VMM wants goes behind ours, as the first range that has an MSR decides.
 */
#include "filter.h"

#include "backend.h"

#include <stdlib.h>
#include <string.h>

/*
 * Denied as a whole: the block in which the kernel's own Hyper-V code would answer, and KVM's own MSRs, which are live
 * in every guest whatever CPUID says.
 */
static const struct hvs_range hyperv_block = {0x40000000, 0x400001ff};
static const struct hvs_range kvm_block[] = {{0x11, 0x12}, {0x4b564d00, 0x4b564d0f}};
enum { NR_BLOCKS = 3 };

/* KVM_XEN_HVM_CONFIG wants the MSR by which a guest writes Xen's hypercall page. This one is denied: never reached. */
#define XEN_PAGE_MSR 0x400001ffu

static int by_first(const void *a, const void *b)
{
    const struct hvs_range *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

uint32_t hvs_kvm_ranges_merge(struct hvs_range *range, uint32_t nr)
{
    uint32_t used = 0;

    qsort(range, nr, sizeof(*range), by_first);
    for (uint32_t i = 0; i < nr; i++) {
        if (used == 0 || range[i].first > (uint64_t)range[used - 1].last + 1)
            range[used++] = range[i];
        else if (range[i].last > range[used - 1].last)
            range[used - 1].last = range[i].last;
    }
    return used;
}

bool hvs_kvm_ranges_have(const struct hvs_range *range, uint32_t nr, uint32_t key)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (key >= range[i].first && key <= range[i].last)
            return true;
    }
    return false;
}

static uint8_t none_allowed[KVM_MSR_FILTER_MAX_BITMAP_SIZE];

/* Returns the number of ranges used. */
static uint32_t add(struct kvm_msr_filter *filter, uint32_t used, uint32_t flags, struct hvs_range range)
{
    const uint32_t most = 8 * sizeof(none_allowed);

    for (uint64_t first = range.first; first <= range.last; first += most, used++) {
        uint64_t nr = range.last - first + 1;

        if (used >= KVM_MSR_FILTER_MAX_RANGES)
            continue;
        filter->ranges[used] = (struct kvm_msr_filter_range){
            .flags = flags, .base = (uint32_t)first, .nmsrs = nr < most ? (uint32_t)nr : most, .bitmap = none_allowed};
    }
    return used;
}

int hvs_kvm_filter_make(const struct hvs_range *deny, uint32_t nr, bool with_gs_base,
                        const struct kvm_msr_filter *wanted, struct kvm_msr_filter *filter)
{
    uint32_t used = 0;

    *filter = (struct kvm_msr_filter){.flags = wanted->flags};
    for (uint32_t i = 0; i < nr; i++)
        used = add(filter, used, KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, deny[i]);
    if (with_gs_base)
        used = add(filter, used, KVM_MSR_FILTER_WRITE, (struct hvs_range){HVS_KVM_MSR_GS_BASE, HVS_KVM_MSR_GS_BASE});
    for (uint32_t i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
        if (wanted->ranges[i].nmsrs && used++ < KVM_MSR_FILTER_MAX_RANGES)
            filter->ranges[used - 1] = wanted->ranges[i];
    }
    return used > KVM_MSR_FILTER_MAX_RANGES ? HVS_ENOSPC : HVS_OK;
}

int hvs_kvm_claim_msrs(struct hvs_kvm *kvm)
{
    struct hvs_kvm_claims *claims = &kvm->claims;
    struct kvm_msr_filter filter;
    uint32_t nr = 0;

    hvs_vm_msr_ranges(kvm->vm, NULL, &nr);
    claims->deny = malloc((nr + NR_BLOCKS) * sizeof(*claims->deny));
    if (!claims->deny)
        return HVS_ENOSPC;
    hvs_vm_msr_ranges(kvm->vm, claims->deny, &nr);
    claims->deny[nr++] = hyperv_block;
    for (uint32_t i = 0; !kvm->config.keep_kvm_leaves && i < HVS_ARRAY_SIZE(kvm_block); i++)
        claims->deny[nr++] = kvm_block[i];
    claims->nr_deny = hvs_kvm_ranges_merge(claims->deny, nr);
    return hvs_kvm_filter_make(claims->deny, claims->nr_deny, true, &kvm->wanted.filter, &filter);
}

int hvs_kvm_filter_install(struct hvs_kvm *kvm, bool with_gs_base)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_X86_USER_SPACE_MSR,
                                 .args = {KVM_MSR_EXIT_REASON_FILTER | kvm->wanted.reasons}};
    struct kvm_msr_filter filter;

    if (hvs_kvm_filter_make(kvm->claims.deny, kvm->claims.nr_deny, with_gs_base, &kvm->wanted.filter, &filter))
        return HVS_ENOSPC;
    if (ioctl(kvm->config.vm_fd, KVM_ENABLE_CAP, &cap) < 0)
        return HVS_ENOTSUP;
    return ioctl(kvm->config.vm_fd, KVM_X86_SET_MSR_FILTER, &filter) < 0 ? HVS_ENOTSUP : HVS_OK;
}

int hvs_kvm_filter_copy(const struct kvm_msr_filter *from, struct hvs_kvm_wanted *to)
{
    size_t at = 0;

    to->filter = *from;
    for (uint32_t i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
        if (from->ranges[i].nmsrs > 8 * KVM_MSR_FILTER_MAX_BITMAP_SIZE)
            return HVS_EINVAL;
    }
    to->bitmaps = calloc(KVM_MSR_FILTER_MAX_RANGES, KVM_MSR_FILTER_MAX_BITMAP_SIZE);
    if (!to->bitmaps)
        return HVS_ENOSPC;
    for (uint32_t i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++, at += KVM_MSR_FILTER_MAX_BITMAP_SIZE) {
        if (!from->ranges[i].nmsrs)
            continue;
        to->filter.ranges[i].bitmap = to->bitmaps + at;
        memcpy(to->bitmaps + at, from->ranges[i].bitmap, (from->ranges[i].nmsrs + 7) / 8);
    }
    return HVS_OK;
}

int hvs_kvm_set_msr_filter(struct hvs_kvm *kvm, const struct kvm_msr_filter *filter, uint32_t reasons)
{
    struct hvs_kvm_wanted before, wanted = {.reasons = reasons};
    struct kvm_msr_filter merged;
    int err = hvs_kvm_filter_copy(filter, &wanted);

    if (!err)
        err = hvs_kvm_filter_make(kvm->claims.deny, kvm->claims.nr_deny, true, &wanted.filter, &merged);
    if (err) {
        free(wanted.bitmaps);
        return err;
    }
    pthread_mutex_lock(&kvm->patch.lock);
    before = kvm->wanted;
    kvm->wanted = wanted;
    if (kvm->is_started)
        err = hvs_kvm_filter_install(kvm, kvm->patch.is_armed);
    if (err)
        kvm->wanted = before;
    pthread_mutex_unlock(&kvm->patch.lock);
    free(err ? wanted.bitmaps : before.bitmaps);
    return err;
}

int hvs_kvm_intercept_raw(struct hvs_kvm *kvm)
{
    struct kvm_xen_hvm_config config = {.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL, .msr = XEN_PAGE_MSR};

    return ioctl(kvm->config.vm_fd, KVM_XEN_HVM_CONFIG, &config) < 0 ? HVS_ENOTSUP : HVS_OK;
}
