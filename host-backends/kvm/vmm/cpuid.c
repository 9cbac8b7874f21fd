/*
 * CPUID of a vCPU: what KVM supports, with the topology of this machine: one package of nr_cpus cores of one thread,
 * the APIC id of a core being its index. [Intel SDM 2A CPUID; AMD APM 3 appendix E]
 *
 * KVM_GET_SUPPORTED_CPUID gives the topology of the host CPU that it was called on, so each leaf that holds an APIC
 * id or counts cores is written here. Leaf 0x1f is left out: guests then read leaf 0xb.
 */
#include "machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { NR_TOPOLOGY = 3, MAX_ENTRIES = 512 };
enum { AMD_EBX = 0x68747541 /* "Auth" */, HYGON_EBX = 0x6f677948 /* "Hygo" */ };

static size_t cpuid_bytes(uint32_t nr)
{
    return sizeof(struct kvm_cpuid2) + nr * sizeof(struct kvm_cpuid_entry2);
}

int vmm_cpuid_read(struct machine *m)
{
    for (uint32_t nr = 64; nr <= MAX_ENTRIES; nr *= 2) {
        free(m->cpuid);
        m->cpuid = calloc(1, cpuid_bytes(nr));
        if (!m->cpuid)
            return vmm_fail("no memory for CPUID");
        m->cpuid->nent = nr;
        if (ioctl(m->kvm_fd, KVM_GET_SUPPORTED_CPUID, m->cpuid) == 0)
            return 0;
        if (errno != E2BIG)
            break;
    }
    return vmm_fail("KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *cpuid, uint32_t leaf)
{
    for (uint32_t i = 0; i < cpuid->nent; i++)
        if (cpuid->entries[i].function == leaf)
            return &cpuid->entries[i];
    return NULL;
}

uint32_t vmm_cpuid_phys_bits(const struct machine *m)
{
    const struct kvm_cpuid_entry2 *entry = find(m->cpuid, 0x80000008);
    return entry ? entry->eax & 0xff : 36;
}

/* Bits of an APIC id that tell nr cores apart. */
static uint32_t core_bits(uint32_t nr)
{
    return nr > 1 ? 32 - (uint32_t)__builtin_clz(nr - 1) : 0;
}

static void set_entry(struct kvm_cpuid_entry2 *e, const struct cpu *cpu, bool is_amd)
{
    uint32_t nr = cpu->machine->options->nr_cpus;
    uint32_t last = nr - 1;
    switch (e->function) {
    case 1:
        e->ebx = (e->ebx & 0xffff) | nr << 16 | cpu->index << 24;
        e->edx = (e->edx & ~(1u << 28)) | (nr > 1 ? 1u << 28 : 0);      /* HTT: the count in EBX counts */
        if (ioctl(cpu->machine->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
            e->ecx |= 1u << 24;                 /* KVM leaves this one bit to the VMM */
        break;
    case 4:
    case 0x8000001d:                            /* caches: the third level is shared by all */
        if (e->eax & 0x1f)
            e->eax = (e->eax & 0x3fff) | ((e->eax >> 5 & 7) >= 3 ? last << 14 : 0);
        if (e->function == 4 && e->eax & 0x1f)
            e->eax |= (last < 63 ? last : 63) << 26;
        break;
    case 0x80000001:
        if (is_amd)
            e->ecx = (e->ecx & ~2u) | (nr > 1 ? 2 : 0);                 /* CmpLegacy: cores, not threads */
        break;
    case 0x80000008:
        if (is_amd)
            e->ecx = (e->ecx & ~0xf0ffu) | core_bits(nr) << 12 | last;
        break;
    case 0x8000001e:
        e->eax = cpu->index;
        e->ebx = cpu->index & 0xff;             /* core id; one thread in it */
        e->ecx = 0;
        break;
    default:
        break;
    }
}

/* Leaf 0xb: threads of a core, cores of the package, end of list. */
static void add_topology(struct kvm_cpuid2 *cpuid, const struct cpu *cpu)
{
    uint32_t nr = cpu->machine->options->nr_cpus;
    const struct kvm_cpuid_entry2 levels[NR_TOPOLOGY] = {
        {.index = 0, .eax = 0, .ebx = 1, .ecx = 1 << 8},
        {.index = 1, .eax = core_bits(nr), .ebx = nr, .ecx = 2 << 8 | 1},
        {.index = 2, .ecx = 2},
    };
    for (uint32_t i = 0; i < NR_TOPOLOGY; i++) {
        struct kvm_cpuid_entry2 *entry = &cpuid->entries[cpuid->nent++];
        *entry = levels[i];
        entry->function = 0xb;
        entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
        entry->edx = cpu->index;
    }
}

int vmm_cpuid_set(struct cpu *cpu)
{
    const struct kvm_cpuid2 *host = cpu->machine->cpuid;
    const struct kvm_cpuid_entry2 *leaf0 = find(host, 0);
    bool is_amd = leaf0 && (leaf0->ebx == AMD_EBX || leaf0->ebx == HYGON_EBX);
    struct kvm_cpuid2 *mine = calloc(1, cpuid_bytes(host->nent + NR_TOPOLOGY));
    if (!mine)
        return vmm_fail("no memory for CPUID");
    for (uint32_t i = 0; i < host->nent; i++) {
        struct kvm_cpuid_entry2 entry = host->entries[i];
        if (entry.function == 0xb || entry.function == 0x1f)
            continue;
        set_entry(&entry, cpu, is_amd);
        mine->entries[mine->nent++] = entry;
    }
    if (leaf0 && leaf0->eax >= 0xb)
        add_topology(mine, cpu);
    int err = hvs_kvm_set_cpuid(cpu->shim, mine);
    if (err)
        vmm_fail("vCPU %u: KVM refuses our CPUID: %s", cpu->index, strerror(errno));
    free(mine);
    return err ? -1 : 0;
}
