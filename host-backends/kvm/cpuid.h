/* Private: the CPUID leaves that a vCPU shows. Pure. */
#ifndef HVSHIM_KVM_CPUID_H
#define HVSHIM_KVM_CPUID_H

#include <hvshim/hvshim.h>

#include <linux/kvm.h>

struct hvs_kvm_leaves {
    const struct hvs_cpuid_leaf *leaf;
    uint32_t nr;
    uint32_t kvm_base;          /* where KVM's own leaves go; 0: they are dropped */
};

/*
 * Merges the VMM's `entries` with ours into `merged`, which has room for nr_entries + ours->nr. What the VMM has at
 * 0x40000000..0x4fffffff goes, but for KVM's block.
 * Returns the number of entries in `merged`.
 */
uint32_t hvs_kvm_cpuid_merge(const struct kvm_cpuid_entry2 *entries, uint32_t nr_entries,
                             const struct hvs_kvm_leaves *ours, struct kvm_cpuid_entry2 *merged);

#endif
