/*
 * A drop-in for the system calls that a VMM makes on KVM: for VMMs that shall not be changed, or not much.
 *
 *   hvs_kvm_present(&config);                      what the VMs that are made from now on show
 *   fd = hvs_kvm_ioctl(fd, request, argument);     in the place of ioctl(2), for any descriptor
 *   hvs_kvm_close(fd);                             in the place of close(2)
 *   hvs_kvm_dup(fd, copy);                         after dup(2) and its kin
 *
 * The layer learns all that it must know from these calls. It takes part in those that are listed in dropin/ioctl.c and
 * gives all others to the kernel untouched. Inside KVM_RUN it answers the exits that are ours; the VMM sees its own
 * only. libhvshim-preload.so puts it under a program that does not know about it.
 *
 * What the VMM must do, and VMMs do:
 * - It has an in-kernel local APIC (full or split irqchip).
 * - All vCPUs that the guest is to find at its start are made, and have their CPUID, before the first KVM_RUN.
 * - To reset the machine it stops all vCPUs, and puts the boot CPU (the first that was made) to the reset vector by
 *   KVM_SET_REGS and KVM_SET_SREGS, or calls hvs_kvm_restart.
 * - Descriptors come to it by calls that this layer sees, not through sockets.
 * - A guest that ends itself by the presented interface arrives as KVM_EXIT_SYSTEM_EVENT.
 *
 * Left out: the state of slots is in no migration stream or snapshot that the VMM makes, so it is saved and loaded
 * beside it (hvs_kvm_dropin_save); memory without KVM slots for address space 0; KVM's dirty ring, which is hidden;
 * KVM_SET_CPUID (not 2).
 */
#ifndef HVSHIM_KVM_DROPIN_H
#define HVSHIM_KVM_DROPIN_H

#include <hvshim/kvm.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hvs_kvm_dropin {
    uint32_t size;              /* sizeof(struct hvs_kvm_dropin) */
    struct hvs_vm_config vm;    /* nr_slots, slot and uuid are the caller's; no slots: all calls pass */
    /*
     * In place of slots: the VMM finds KVM's own interface for Hyper-V (KVM_CAP_HYPERV and all that goes with it), as if
     * the kernel had it. Its guests see what it says in CPUID, and it saves and restores them as it would there.
     */
    bool has_hyperv_interface;
    /*
     * Likewise KVM_CAP_XEN_HVM and all that goes with it: the VMM is the guest's Xen, and what a kernel does for it there,
     * the library does. Both may be there.
     */
    bool has_xen_interface;
    uint32_t max_vcpus;         /* more than this the guest is not told of; 0: as many as there are at its start */
    /*
     * What hvs_kvm_dropin_save gave, or NULL: the VM begins with it, at its first KVM_RUN. The VMM has put its own part
     * of that machine in place by then. Not with an interface.
     */
    const void *state;
    size_t state_bytes;
    int kick_signal;            /* one that the VMM does not use; 0: a late real-time signal */
    /* A VM runs for the first time, from now on `kvm` may be read; it ends. In any thread. NULL: ignored. */
    void (*on_start)(void *ctx, struct hvs_kvm *kvm);
    void (*on_end)(void *ctx, struct hvs_kvm *kvm);
    /* It was reset, and has not run since. As on_start. NULL: ignored. */
    void (*on_reset)(void *ctx, struct hvs_kvm *kvm);
    /* One line that tells the user why something cannot be. NULL: it goes to stderr. */
    void (*on_message)(void *ctx, const char *text);
    void *ctx;
};

/*
 * Sets what VMs that are made from now on show. `config` is copied; what it points to must live on.
 * Returns HVS_OK, HVS_EVERSION (config->size), or HVS_EINVAL (an interface, and slots or a state).
 */
HVS_API int hvs_kvm_present(const struct hvs_kvm_dropin *config);

/*
 * As ioctl(2), with its errno. Where the layer itself refuses, errno is EINVAL and on_message has said why: at the
 * first KVM_RUN, and when vCPUs are added to a VM that has all that it may have.
 */
HVS_API int hvs_kvm_ioctl(int fd, unsigned long request, void *argument);
/* Forgets the descriptor, and the VM with its last one; then as close(2). */
HVS_API int hvs_kvm_close(int fd);
/* `copy` is a new descriptor for what `fd` is. Returns `copy`, or -1 (errno ENOMEM). Harmless for any descriptors. */
HVS_API int hvs_kvm_dup(int fd, int copy);
/* The VM behind vm_fd goes back to power-on before it runs again. Returns HVS_OK, or HVS_ENOENT for an unknown VM. */
HVS_API int hvs_kvm_restart(int vm_fd);

/*
 * The state of what is presented by `kvm`, which on_start told of, while the VMM has stopped the machine: all vCPUs are
 * out of KVM_RUN, and were for 100 ms. To load, the VMM has loaded its own part first, RAM included.
 * Any thread but a vCPU's, not from callbacks, and until on_end. `why`: on failure one line about it.
 * Return HVS_OK; HVS_EBUSY when the guest runs; HVS_ENOTSUP; HVS_ENOSPC when memory is short; load also HVS_EVERSION
 * and HVS_EFORMAT. *state is malloc'ed; the caller frees it, whatever save returns.
 */
HVS_API int hvs_kvm_dropin_save(struct hvs_kvm *kvm, void **state, size_t *bytes, char *why, size_t why_bytes);
HVS_API int hvs_kvm_dropin_load(struct hvs_kvm *kvm, const void *state, size_t bytes, char *why, size_t why_bytes);

/* The process ends: calls on_end for VMs that were never closed. Afterwards nothing here may be called. */
HVS_API void hvs_kvm_finish(void);

#ifdef __cplusplus
}
#endif

#endif
