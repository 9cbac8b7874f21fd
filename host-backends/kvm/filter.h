/* Private: which MSRs exit to us. The pure part; what talks to the kernel is in backend.h. */
#ifndef HVSHIM_KVM_FILTER_H
#define HVSHIM_KVM_FILTER_H

#include <hvshim/hvshim.h>

#include <linux/kvm.h>

#define HVS_KVM_MSR_GS_BASE 0xc0000101u

/* Sorts `range`, makes it disjoint, joins neighbours. Returns how many are left. */
uint32_t hvs_kvm_ranges_merge(struct hvs_range *range, uint32_t nr);
bool hvs_kvm_ranges_have(const struct hvs_range *range, uint32_t nr, uint32_t key);

/* What the VMM wants of MSRs for itself. */
struct hvs_kvm_wanted {
    struct kvm_msr_filter filter;
    uint8_t *bitmaps;           /* of the filter's ranges, from malloc */
    _Atomic uint32_t reasons;   /* KVM_MSR_EXIT_REASON_* */
};
/* Copies `from` with its bitmaps. Returns HVS_OK, HVS_EINVAL for what KVM would not take, or HVS_ENOSPC (memory). */
int hvs_kvm_filter_copy(const struct kvm_msr_filter *from, struct hvs_kvm_wanted *to);
/*
 * Makes the filter that denies `deny` for reading and writing and, with_gs_base, GS_BASE for writing; and for all other
 * MSRs does what `wanted`, whose bitmaps it goes on to use, says.
 * Returns HVS_OK, or HVS_ENOSPC when it takes more ranges than a filter has.
 */
int hvs_kvm_filter_make(const struct hvs_range *deny, uint32_t nr, bool with_gs_base,
                        const struct kvm_msr_filter *wanted, struct kvm_msr_filter *filter);

#endif
