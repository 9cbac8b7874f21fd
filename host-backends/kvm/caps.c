/*
 * What this host's KVM can do. Whether the TSC may be published is asked of KVM itself: it keeps its own clock on the
 * TSC only where host clock source and vCPUs allow, and says so, but only once a vCPU has run.
 */
#include "backend.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#ifndef KVM_CLOCK_TSC_STABLE
#define KVM_CLOCK_TSC_STABLE 2
#endif

static int extension(int kvm_fd, long cap)
{
    int value = ioctl(kvm_fd, KVM_CHECK_EXTENSION, cap);

    return value > 0 ? value : 0;
}

static bool backdoor_parameter(void)
{
    char value = 'N';
    int fd = open("/sys/module/kvm/parameters/enable_vmware_backdoor", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    if (read(fd, &value, 1) != 1)
        value = 'N';
    close(fd);
    return value == 'Y';
}

/* A vCPU without memory: KVM_RUN ends at once, by an error or an exit, after it has set up the clock. */
static void try_vcpu(int vm_fd, int vcpu_fd, struct hvs_kvm_caps *caps)
{
    int khz = ioctl(vcpu_fd, KVM_GET_TSC_KHZ, 0);
    struct kvm_clock_data clock = {0};

    caps->tsc_khz = khz > 0 ? (uint32_t)khz : 0;
    caps->has_apic_write = hvs_kvm_try_apic_write(vcpu_fd);
    caps->has_eoi_assist = hvs_kvm_try_eoi_assist(vcpu_fd);
    caps->has_steal_flush = hvs_kvm_try_steal_flush(vm_fd, vcpu_fd);
    if (!caps->has_steal_flush)
        ioctl(vcpu_fd, KVM_RUN, 0);
    if (ioctl(vm_fd, KVM_GET_CLOCK, &clock) == 0)
        caps->has_stable_tsc = caps->tsc_khz && (clock.flags & KVM_CLOCK_TSC_STABLE);
}

static void try_vm(int kvm_fd, struct hvs_kvm_caps *caps)
{
    int vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
    int vcpu_fd;

    if (vm_fd < 0)
        return;
    /* Without a local APIC it would be of another kind than the others, for which the host patches its own code. */
    ioctl(vm_fd, KVM_CREATE_IRQCHIP, 0);
    vcpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
    if (vcpu_fd >= 0) {
        try_vcpu(vm_fd, vcpu_fd, caps);
        close(vcpu_fd);
    }
    close(vm_fd);
}

int hvs_kvm_probe(int kvm_fd, struct hvs_kvm_caps *caps)
{
    const int sync = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;

    *caps = (struct hvs_kvm_caps){0};
    if (ioctl(kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return HVS_EINVAL;
    caps->has_msr_filter =
        extension(kvm_fd, KVM_CAP_X86_USER_SPACE_MSR) && extension(kvm_fd, KVM_CAP_X86_MSR_FILTER);
    caps->has_sync_regs = (extension(kvm_fd, KVM_CAP_SYNC_REGS) & sync) == sync;
    caps->has_signal_msi = extension(kvm_fd, KVM_CAP_SIGNAL_MSI);
    caps->has_kernel_hyperv = extension(kvm_fd, KVM_CAP_HYPERV);
    caps->has_kernel_xen = extension(kvm_fd, KVM_CAP_XEN_HVM) & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL;
    caps->has_vmware_backdoor = backdoor_parameter();
    if (extension(kvm_fd, KVM_CAP_GET_TSC_KHZ))
        try_vm(kvm_fd, caps);
    return HVS_OK;
}

const char *hvs_kvm_missing(const struct hvs_kvm_caps *caps)
{
    if (!caps->has_msr_filter)
        return "MSR filters (KVM_CAP_X86_USER_SPACE_MSR, KVM_CAP_X86_MSR_FILTER): the host needs Linux 5.10 or newer";
    if (!caps->has_sync_regs)
        return "synchronised registers (KVM_CAP_SYNC_REGS): the host needs Linux 4.17 or newer";
    if (!caps->has_signal_msi)
        return "interrupts by MSI (KVM_CAP_SIGNAL_MSI): the host's KVM is built without an in-kernel local APIC";
    return NULL;
}

/* What is not in the table, no KVM has. */
static const char *missing_cap(const struct hvs_kvm_caps *host, struct hvs_vm_config config)
{
#define LACKS(what) "it needs what this host's KVM lacks: " what "; or switch the feature off"
    static const struct {
        uint32_t cap;
        const char *text;
    } row[] = {
        {HVS_CAP_TSC_STABLE, LACKS("a stable TSC (make tsc the host's clocksource; in a VM, give that VM an invariant "
                                   "TSC)")},
        {HVS_CAP_RING3_PIO, LACKS("I/O ports for guest user space (load kvm with enable_vmware_backdoor=1)")},
        {HVS_CAP_APIC, LACKS("single writes to the local APIC (a kernel with CONFIG_KVM_HYPERV)")},
        {HVS_CAP_EOI_ASSIST, LACKS("KVM's paravirtual EOI")},
    };
#undef LACKS
    uint32_t missing;

    config.caps = hvs_kvm_vm_caps(host);
    missing = hvs_vm_missing_caps(&config);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(row); i++) {
        if (missing & row[i].cap)
            return row[i].text;
    }
    return "it needs what no KVM host has; switch the feature off";
}

void hvs_kvm_why_not(const struct hvs_kvm_caps *host, const struct hvs_vm_config *config, int err, char *text,
                     size_t bytes)
{
    struct hvs_vm_config with_all_caps = *config;
    const char *why = hvs_strerror(err);
    struct hvs_unmet unmet;

    with_all_caps.caps = ~0u;
    if (err == HVS_EINVAL && !hvs_vm_unmet(&with_all_caps, &unmet)) {
        if (!unmet.needs) {
            snprintf(text, bytes, "%s.%s=on: it takes a service of the VMM that this one does not have",
                     unmet.personality, unmet.feature);
            return;
        }
        snprintf(text, bytes, "%s.%s=on needs %s.%s, which is off: switch that on too", unmet.personality,
                 unmet.feature, unmet.personality, unmet.needs);
        return;
    }
    if (hvs_kvm_missing(host))
        why = hvs_kvm_missing(host);
    else if (err == HVS_ENOTSUP)
        why = missing_cap(host, *config);
    else if (err == HVS_ECONFLICT)
        why = "two of these need the same place; name the one that may move last";
    snprintf(text, bytes, "%s", why);
}
