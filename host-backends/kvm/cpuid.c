/*
 * CPUID does not exit on KVM: the leaves are given to the kernel once per vCPU.
 *
 * KVM finds its own leaves by their signature at any base, so moved ones stay in force. It acts on Hyper-V's too
 * (0x40000001 EAX "Hv#1"), but all that it does then begins with an MSR, and those are filtered.
 */
#include "cpuid.h"

#include "backend.h"

#include <stdlib.h>
#include <string.h>

#define HYPERVISOR_LAST 0x4fffffffu
#define LEAF1_ECX_HYPERVISOR (1u << 31)

static bool is_hypervisor_leaf(uint32_t leaf)
{
    return leaf >= HVS_CPUID_FIRST && leaf <= HYPERVISOR_LAST;
}

/* The base of KVM's own leaves among `entries`, or 0. */
static uint32_t find_kvm(const struct kvm_cpuid_entry2 *entries, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        const struct kvm_cpuid_entry2 *e = &entries[i];

        if (is_hypervisor_leaf(e->function) && !memcmp(&e->ebx, "KVMKVMKVM\0\0\0", 12))
            return e->function;
    }
    return 0;
}

static bool has_subleaves(const struct hvs_kvm_leaves *ours, uint32_t leaf)
{
    for (uint32_t i = 0; i < ours->nr; i++) {
        if (ours->leaf[i].leaf == leaf && ours->leaf[i].subleaf)
            return true;
    }
    return false;
}

static struct kvm_cpuid_entry2 own_entry(const struct hvs_kvm_leaves *ours, uint32_t index)
{
    const struct hvs_cpuid_leaf *leaf = &ours->leaf[index];

    return (struct kvm_cpuid_entry2){
        .function = leaf->leaf,
        .index = leaf->subleaf,
        .flags = has_subleaves(ours, leaf->leaf) ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        .eax = leaf->regs.reg[HVS_EAX],
        .ebx = leaf->regs.reg[HVS_EBX],
        .ecx = leaf->regs.reg[HVS_ECX],
        .edx = leaf->regs.reg[HVS_EDX],
    };
}

/* Moves a leaf of KVM's block; its first one names the last. Kernels before 3.x left that 0. */
static struct kvm_cpuid_entry2 moved(const struct kvm_cpuid_entry2 *entry, uint32_t from, uint32_t to)
{
    struct kvm_cpuid_entry2 e = *entry;

    e.function = to + (e.function - from);
    if (entry->function == from)
        e.eax = to + (e.eax > from ? e.eax - from : 1);
    return e;
}

uint32_t hvs_kvm_cpuid_merge(const struct kvm_cpuid_entry2 *entries, uint32_t nr_entries,
                             const struct hvs_kvm_leaves *ours, struct kvm_cpuid_entry2 *merged)
{
    uint32_t kvm = ours->kvm_base ? find_kvm(entries, nr_entries) : 0;
    bool is_hypervisor = kvm || ours->nr;
    uint32_t nr = 0;

    for (uint32_t i = 0; i < nr_entries; i++) {
        const struct kvm_cpuid_entry2 *e = &entries[i];

        if (is_hypervisor_leaf(e->function)) {
            if (kvm && e->function >= kvm && e->function - kvm < HVS_CPUID_STEP)
                merged[nr++] = moved(e, kvm, ours->kvm_base);
            continue;
        }
        merged[nr] = *e;
        if (e->function == 1 && is_hypervisor)
            merged[nr].ecx |= LEAF1_ECX_HYPERVISOR;
        nr++;
    }
    for (uint32_t i = 0; i < ours->nr; i++)
        merged[nr++] = own_entry(ours, i);
    return nr;
}

static int set_merged(struct hvs_kvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid, const struct hvs_kvm_leaves *ours)
{
    struct kvm_cpuid2 *merged;
    int err = HVS_OK;

    merged = calloc(1, sizeof(*merged) + (cpuid->nent + ours->nr) * sizeof(merged->entries[0]));
    if (!merged)
        return HVS_ENOSPC;
    merged->nent = hvs_kvm_cpuid_merge(cpuid->entries, cpuid->nent, ours, merged->entries);
    if (ioctl(vcpu->fd, KVM_SET_CPUID2, merged) < 0)
        err = HVS_EINVAL;
    free(merged);
    return err;
}

int hvs_kvm_set_cpuid(struct hvs_kvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid)
{
    struct hvs_kvm *kvm = vcpu->kvm;
    struct hvs_kvm_leaves ours = {.kvm_base = kvm->config.keep_kvm_leaves ? hvs_vm_next_leaf(kvm->vm) : 0};
    struct hvs_cpuid_leaf *leaf;
    int err;

    hvs_vcpu_cpuid(vcpu->vcpu, NULL, &ours.nr);
    leaf = calloc(ours.nr + 1, sizeof(*leaf));
    if (!leaf)
        return HVS_ENOSPC;
    hvs_vcpu_cpuid(vcpu->vcpu, leaf, &ours.nr);
    ours.leaf = leaf;
    err = set_merged(vcpu, cpuid, &ours);
    free(leaf);
    return err;
}
