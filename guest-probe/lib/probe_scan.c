/*
 * Which interfaces there are: every CPUID base from 0x40000000 to 0x4000ff00, not only the first, and the VMware port
 * where no leaf announces it.
 *
 * Processors answer leaves that they do not have with the data of another leaf [Intel SDM 2A CPUID], so a base counts
 * only where its signature is text and its last leaf lies in its own block.
 */
#include "env.h"
#include "probe.h"

#include "hv_abi.h"

enum { SIGNATURE_BYTES = 12 };

struct known {
    const char *signature;
    const char *title;
    const struct probe_suite *suite;
};

/* Hyper-V is known by its interface leaf: its vendor signature is free to say anything. */
static const struct known known[] = {
    {"XenVMMXenVMM", "Xen", &probe_xen},
    {"VMwareVMware", "VMware", &probe_vmware},
    {"KVMKVMKVM", "KVM", &probe_kvm},
    {"LKVMLKVMLKVM", "kvmtool", NULL},
    {"TCGTCGTCGTCG", "QEMU TCG", NULL},
    {"VBoxVBoxVBox", "VirtualBox", NULL},
    {"bhyve bhyve ", "bhyve", NULL},
    {"ACRNACRNACRN", "ACRN", NULL},
    {"Jailhouse", "Jailhouse", NULL},
    {"QNXQVMBSQG", "QNX Hypervisor", NULL},
    {" lrpepyh vr", "Parallels", NULL},
    {"prl hyperv  ", "Parallels", NULL},
    {"OpenBSDVMM58", "OpenBSD vmm", NULL},
    {"___ NVMM ___", "NetBSD nvmm", NULL},
    {"HAXMHAXMHAXM", "Intel HAXM", NULL},
    {"VirtualApple", "Apple Virtualization", NULL},
    {"UnisysSpar64", "Unisys s-Par", NULL},
    {"SRESRESRESRE", "Lockheed Martin LMHS", NULL},
    {"EVMMEVMMEVMM", "Intel KGT", NULL},
};

/* Returns false where the twelve bytes are not text with nothing but zeros behind it. */
static bool read_signature(const struct env_cpuid *regs, char signature[SIGNATURE_BYTES + 1])
{
    const uint32_t word[3] = {regs->ebx, regs->ecx, regs->edx};
    bool has_ended = false;

    for (uint32_t i = 0; i < SIGNATURE_BYTES; i++) {
        char c = (char)(word[i / 4] >> (i % 4 * 8));
        signature[i] = c;
        if (c == '\0')
            has_ended = true;
        else if (has_ended || c < ' ' || c > '~')
            return false;
    }
    signature[SIGNATURE_BYTES] = '\0';
    return signature[0] != '\0';
}

static bool is_hyperv(const struct probe_interface *face)
{
    uint32_t leaf = face->base + (HV_CPUID_INTERFACE - HV_CPUID_VENDOR_AND_MAX_FUNCTION);
    struct env_cpuid regs;
    if (face->max_leaf < leaf)
        return false;
    env_cpuid(leaf, 0, &regs);
    return regs.eax == HV_INTERFACE_SIGNATURE;
}

static void identify(struct probe_interface *face)
{
    face->title = "unknown";
    if (is_hyperv(face)) {
        face->title = probe_hyperv.title;
        face->suite = &probe_hyperv;
        return;
    }
    for (uint32_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (text_is_equal(face->signature, known[i].signature)) {
            face->title = known[i].title;
            face->suite = known[i].suite;
        }
    }
}

static bool look_at(uint32_t base, struct probe_interface *face)
{
    struct env_cpuid regs;
    env_cpuid(base, 0, &regs);
    *face = (struct probe_interface){.base = base, .max_leaf = regs.eax};
    if (!read_signature(&regs, face->signature))
        return false;
    if (face->max_leaf == 0)            /* old KVM: means base + 1 [Linux Documentation/virt/kvm/x86/cpuid.rst] */
        face->max_leaf = base + 1;
    if (face->max_leaf < base || face->max_leaf - base >= PROBE_BASE_STEP)
        return false;
    identify(face);
    return true;
}

uint32_t probe_scan(struct probe_interface *found, uint32_t capacity)
{
    uint32_t nr = 0;
    bool has_vmware = false;

    for (uint32_t base = PROBE_FIRST_BASE; base <= PROBE_LAST_BASE && nr < capacity; base += PROBE_BASE_STEP)
        if (look_at(base, &found[nr]))
            has_vmware |= found[nr++].suite == &probe_vmware;
    if (!has_vmware && nr < capacity && probe_vmware_by_port(&found[nr]))
        nr++;
    return nr;
}
