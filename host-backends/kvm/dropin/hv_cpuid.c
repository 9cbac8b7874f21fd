/*
 * Hyper-V's CPUID leaves as KVM's interface has them: which of our features can be had, and which ones a VMM chose by
 * the leaves that it gives its guest [TLFS feature-discovery; api.rst 4.118 KVM_GET_SUPPORTED_HV_CPUID].
 *
 * A feature's first bit decides: some VMMs leave out others (QEMU with x-hv-synic-kvm-only). Vendor, version and limits
 * are those of KVM's own code, as VMMs that pass all of it through show them. Left out: nested features.
 */
#include "hv.h"

#include <errno.h>
#include <string.h>

#include <hvshim/personality.h>
#include <hvshim/translators.h>

#include "hv_abi.h"

#define BASE ((uint32_t)HVS_CPUID_FIRST)
#define MAX_VPS 1024u           /* of KVM */

enum { LEAF_FEATURES = 3, LEAF_HINTS = 4, LEAF_DEBUG = 0x82 };

/* What KVM has too. Our others would be of no use to a VMM that does not know them. */
static const char *const names[] = {
    "vpindex", "time", "frequencies", "crash", "reset", "relaxed", "spinlocks", "synic", "stimer", "stimer-direct",
    "tlbflush", "tlbflush-ext", "ipi", "xmm-input", "runtime", "vapic", "apic-msrs", "avic", "reenlightenment",
    "tsc-invariant",
};

static const struct hvs_feature *feature(int number)
{
    return &hvs_hv_personality.feature[number];
}

uint64_t hvs_dropin_hv_offered(uint32_t caps)
{
    uint64_t offered = 0;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(names); i++) {
        int number = hvs_feature_find(&hvs_hv_personality, names[i]);

        if (number >= 0 && !(feature(number)->caps & ~(caps | HVS_CAP_APIC)))
            offered |= 1ull << number;
    }
    return offered;
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *cpuid, uint32_t leaf)
{
    for (uint32_t i = 0; cpuid && i < cpuid->nent; i++) {
        if (cpuid->entries[i].function == BASE + leaf)
            return &cpuid->entries[i];
    }
    return NULL;
}

static uint32_t *reg_of(struct kvm_cpuid_entry2 *entry, uint32_t reg)
{
    uint32_t *const regs[] = {&entry->eax, &entry->ebx, &entry->ecx, &entry->edx};

    return regs[reg];
}

bool hvs_dropin_hv_is_in(const struct kvm_cpuid2 *cpuid)
{
    const struct kvm_cpuid_entry2 *entry = find(cpuid, 1);

    return entry && entry->eax == HV_INTERFACE_SIGNATURE;
}

bool hvs_dropin_hv_has_debug(const struct kvm_cpuid2 *cpuid)
{
    const struct kvm_cpuid_entry2 *entry = find(cpuid, LEAF_DEBUG);

    return entry && entry->eax >> HV_VS_PROPERTIES_DEBUG_DEVICE_PRESENT & 1;
}

static bool is_chosen(const struct kvm_cpuid2 *cpuid, int number)
{
    const struct hvs_cpuid_bit *bit = &feature(number)->bit[0];
    const struct kvm_cpuid_entry2 *found = find(cpuid, bit->leaf ? bit->leaf : LEAF_HINTS);
    struct kvm_cpuid_entry2 entry;

    if (!found)
        return false;
    entry = *found;
    if (bit->leaf)
        return *reg_of(&entry, bit->reg) >> bit->bit & 1;
    return entry.ebx != 0 && entry.ebx != HV_SPIN_RETRIES_NEVER_NOTIFY;         /* "spinlocks" */
}

/* `features`, and all that one of them needs. */
static uint64_t with_needs(uint64_t features)
{
    uint64_t before;

    do {
        before = features;
        for (int i = 0; i < hvs_hv_personality.nr_features; i++) {
            if (features >> i & 1)
                features |= feature(i)->needs;
        }
    } while (features != before);
    return features;
}

void hvs_dropin_hv_choose(const struct kvm_cpuid2 *cpuid, uint64_t offered, bool has_synic,
                          struct hvs_slot_config *slot)
{
    const uint64_t synic = 1ull << hvs_feature_find(&hvs_hv_personality, "synic");
    const uint64_t all = (1ull << hvs_hv_personality.nr_features) - 1;
    uint64_t chosen = 0;

    for (int i = 0; i < hvs_hv_personality.nr_features; i++) {
        uint64_t features = with_needs(1ull << i);

        if ((offered >> i & 1) && is_chosen(cpuid, i) && (has_synic || !(features & synic)))
            chosen |= features;
    }
    *slot = (struct hvs_slot_config){
        .personality = &hvs_hv_personality, .features_on = chosen, .features_off = all & ~chosen};
}

/* --- KVM_GET_SUPPORTED_HV_CPUID ----------------------------------------------------------------------------------- */

static bool has(uint64_t offered, const char *name)
{
    return offered >> hvs_feature_find(&hvs_hv_personality, name) & 1;
}

static void add_bits(uint64_t offered, struct kvm_cpuid_entry2 *entry)
{
    for (int i = 0; i < hvs_hv_personality.nr_features; i++) {
        for (size_t b = 0; (offered >> i & 1) && b < HVS_ARRAY_SIZE(feature(i)->bit); b++) {
            const struct hvs_cpuid_bit *bit = &feature(i)->bit[b];

            if (bit->leaf && BASE + bit->leaf == entry->function)
                *reg_of(entry, bit->reg) |= 1u << bit->bit;
        }
    }
}

static void add_debug(struct kvm_cpuid_entry2 *entry)
{
    switch (entry->function - BASE) {
    case LEAF_FEATURES:
        entry->ebx |= 1u << HV_DEBUGGING;
        entry->edx |= 1u << HV_GUEST_DEBUGGING_AVAILABLE | 1u << HV_DEBUG_REGS_AVAILABLE;
        break;
    case 0x80:
        entry->eax = BASE + LEAF_DEBUG;
        memcpy(&entry->ebx, "Linux KVM Hv", 3 * sizeof(uint32_t));
        break;
    case 0x81:
        entry->eax = HV_VS_INTERFACE_SIGNATURE;
        break;
    case LEAF_DEBUG:
        entry->eax = 1u << HV_VS_PROPERTIES_DEBUG_DEVICE_PRESENT;
        break;
    default:
        break;
    }
}

static struct kvm_cpuid_entry2 make_entry(uint64_t offered, uint32_t leaf)
{
    struct kvm_cpuid_entry2 e = {.function = BASE + leaf};

    add_bits(offered, &e);
    add_debug(&e);
    switch (leaf) {
    case 0:
        e.eax = BASE + LEAF_DEBUG;
        memcpy(&e.ebx, "Linux KVM Hv", 3 * sizeof(uint32_t));
        break;
    case 1:
        e.eax = HV_INTERFACE_SIGNATURE;
        break;
    case 2:
        e.eax = 0x3839;
        e.ebx = 0xa0000;
        break;
    case LEAF_FEATURES:
        e.eax |= 1u << HV_ACCESS_HYPERCALL_MSRS;
        break;
    case LEAF_HINTS:
        if (has(offered, "tlbflush") || has(offered, "ipi"))
            e.eax |= 1u << HV_USE_EX_PROCESSOR_MASKS;
        e.ebx = 0xfff;
        break;
    case 5:
        e.eax = MAX_VPS;
        e.ebx = 64;
        break;
    default:
        break;
    }
    return e;
}

int hvs_dropin_hv_get_cpuid(uint64_t offered, struct kvm_cpuid2 *cpuid)
{
    static const uint32_t leaves[] = {0, 1, 2, LEAF_FEATURES, LEAF_HINTS, 5, 0x80, 0x81, LEAF_DEBUG};

    if (cpuid->nent < HVS_ARRAY_SIZE(leaves)) {
        errno = E2BIG;
        return -1;
    }
    cpuid->nent = HVS_ARRAY_SIZE(leaves);
    for (uint32_t i = 0; i < cpuid->nent; i++)
        cpuid->entries[i] = make_entry(offered, leaves[i]);
    return 0;
}
