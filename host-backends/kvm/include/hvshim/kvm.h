/*
 * hvshim on KVM: a library around a VMM's own KVM_RUN loop.
 *
 *   hvs_kvm_create(&config, &kvm);                           after KVM_CREATE_VM and KVM_CREATE_IRQCHIP
 *   hvs_kvm_add_memory(kvm, gpa, host, bytes);               for each KVM_SET_USER_MEMORY_REGION
 *   hvs_kvm_add_vcpu(kvm, vp, vcpu_fd, run, &vcpu);          after each KVM_CREATE_VCPU
 *   hvs_kvm_set_cpuid(vcpu, cpuid);                          instead of KVM_SET_CPUID2
 *   hvs_kvm_image_loaded(kvm, gpa, bytes);                   for an uncompressed kernel, once it lies in memory
 *   hvs_kvm_start(kvm);                                      once, before the first KVM_RUN
 *   for (;;) {
 *       hvs_kvm_run(vcpu);                                   instead of ioctl(vcpu_fd, KVM_RUN, 0)
 *       if (hvs_kvm_exit(vcpu) == HVS_KVM_DONE)
 *           continue;                                        it was ours: run on
 *       switch (run->exit_reason) ...                        the VMM's own exits
 *   }
 *
 * An in-kernel local APIC is required (KVM_CREATE_IRQCHIP or split irqchip).
 */
#ifndef HVSHIM_KVM_H
#define HVSHIM_KVM_H

#include <hvshim/hvshim.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kvm_run;
struct kvm_cpuid2;
struct kvm_msr_filter;
struct hvs_kvm;
struct hvs_kvm_vcpu;

/* What this host's KVM can do for us; from KVM_CHECK_EXTENSION and, where that does not tell, from trying. */
struct hvs_kvm_caps {
    bool has_msr_filter;        /* KVM_CAP_X86_USER_SPACE_MSR and KVM_CAP_X86_MSR_FILTER: required */
    bool has_sync_regs;         /* KVM_CAP_SYNC_REGS with registers and special registers: required */
    bool has_signal_msi;        /* KVM_CAP_SIGNAL_MSI: required */
    bool has_kernel_hyperv;     /* the kernel has Hyper-V code of its own (ours wins by the filter) */
    bool has_kernel_xen;        /* KVM_CAP_XEN_HVM with INTERCEPT_HCALL: raw VMCALL exits natively */
    bool has_vmware_backdoor;   /* module parameter enable_vmware_backdoor=Y: ring 3 reaches port 0x5658 */
    bool has_stable_tsc;        /* KVM_CAP_GET_TSC_KHZ and a host clock on a stable TSC */
    bool has_apic_write;        /* registers of the local APIC can be written one by one in xAPIC mode too */
    bool has_eoi_assist;        /* KVM's paravirtual EOI */
    bool has_steal_flush;       /* KVM's steal time with a flush that preempted vCPUs do later; Linux 5.19 */
    uint32_t tsc_khz;           /* the rate of an unscaled guest TSC; 0: unknown */
};
/* Makes a VM for a moment. Returns HVS_OK, or HVS_EINVAL when kvm_fd is not /dev/kvm. */
HVS_API int hvs_kvm_probe(int kvm_fd, struct hvs_kvm_caps *caps);
/* The first required capability that is missing, as text with what to do about it; NULL when none is. */
HVS_API const char *hvs_kvm_missing(const struct hvs_kvm_caps *caps);

/*
 * The capabilities (enum hvs_cap bits) of a VM on such a host, made with a kick_signal and with keep_kvm_leaves off.
 */
HVS_API uint32_t hvs_kvm_vm_caps(const struct hvs_kvm_caps *caps);

struct hvs_kvm_config {
    uint32_t size;              /* sizeof(struct hvs_kvm_config) */
    int kvm_fd;                 /* of /dev/kvm */
    int vm_fd;                  /* of KVM_CREATE_VM; its irqchip exists */
    /*
     * nr_vps, slots, apic_id, memory_bytes, phys_bits and uuid are the caller's; caps, hypercall_insn, signal_insn,
     * tsc_khz (where 0) and apic_hz (where 0) are filled in by the backend. A signal is the descriptor of an eventfd.
     */
    struct hvs_vm_config vm;
    /*
     * Fewer than nr_vps vCPUs (but VP 0) may be there at the start, and others may be added later: their entries in
     * vm.apic_id are to be right when they are added.
     */
    bool may_add_vcpus;
    bool keep_kvm_leaves;       /* move KVM's own CPUID leaves behind ours, instead of dropping them */
    /* With keep_kvm_leaves: KVM's paravirtual EOI is used all the same, of which a guest must then not use both forms. */
    bool shares_eoi_assist;
    /*
     * A signal that gets a vCPU's thread out of the guest: all vCPUs are then run by hvs_kvm_run. The library gives it
     * a handler, where it has none, and unblocks it in the vCPUs' threads. 0: none, KVM_RUN may be called as usual, and
     * what needs it (flushing other vCPUs' TLBs, starting them, interrupts past the APIC) is not offered to the guest.
     */
    int kick_signal;
    /*
     * Page-aligned guest-physical address that the guest does not use, for 64 bytes per VP in a memory slot of ours
     * (one of the last three slot numbers). 0: the end of the address space of vm.phys_bits. Where something is there
     * already, the library does without, and also with UINT64_MAX.
     */
    uint64_t hidden_gpa;
    /*
     * Page-aligned guest-physical address below 4 GiB where the guest has nothing, for a page of ours in one of the
     * last three slots: on hosts without has_apic_write, and with a kick_signal, it makes up for that, slowly. 0: do
     * without.
     */
    uint64_t stub_gpa;
    /* Called from a vCPU's or the timer's thread. Must not call back into hvs_kvm_* or hvs_vm_*. NULL: ignored. */
    void (*on_stop)(void *ctx, enum hvs_stop_reason reason);
    void (*on_log)(void *ctx, uint8_t byte);
    void *ctx;
};

/*
 * Returns HVS_OK with *kvm (the caller destroys it), what hvs_vm_init returns, HVS_ENOTSUP when hvs_kvm_missing
 * names something, or HVS_ENOSPC when memory is short.
 */
HVS_API int hvs_kvm_create(const struct hvs_kvm_config *config, struct hvs_kvm **kvm);
/* Why it returned `err` for the slots of `config`, and what to do about it: text for the one who chose them. */
HVS_API void hvs_kvm_why_not(const struct hvs_kvm_caps *host, const struct hvs_vm_config *config, int err, char *text,
                             size_t bytes);
/* All vCPU threads have ended. Does not close the caller's file descriptors. */
HVS_API void hvs_kvm_destroy(struct hvs_kvm *kvm);
HVS_API struct hvs_vm *hvs_kvm_vm(struct hvs_kvm *kvm);        /* for hvs_vm_stat and friends */

/*
 * Guest RAM at [gpa, gpa + bytes) is host memory at `host`, mapped readable and writable. Leave ROM and devices out.
 * Page-aligned. Any thread. Returns HVS_OK, HVS_EINVAL on overlap, or HVS_ENOSPC when memory is short.
 */
HVS_API int hvs_kvm_add_memory(struct hvs_kvm *kvm, uint64_t gpa, void *host, uint64_t bytes);
/* Returns when no exit uses the region any more. HVS_ENOENT when no region begins at gpa. Not from a callback. */
HVS_API int hvs_kvm_remove_memory(struct hvs_kvm *kvm, uint64_t gpa);

/*
 * KVM's dirty log does not see what the library writes. Between log_dirty(on) and log_dirty(off), or the region's
 * removal, it keeps a log of its own for the region that begins at gpa: a bit for each page, as KVM_GET_DIRTY_LOG has
 * them. Any thread. Return HVS_OK, HVS_ENOENT when no region begins there, or HVS_ENOSPC when memory is short.
 */
HVS_API int hvs_kvm_log_dirty(struct hvs_kvm *kvm, uint64_t gpa, bool is_on);
/* Adds it to `bitmap`, which has bits for all of the region in whole words; is_taken: and begins anew. */
HVS_API int hvs_kvm_get_dirty(struct hvs_kvm *kvm, uint64_t gpa, bool is_taken, uint64_t *bitmap);
/* As KVM_CLEAR_DIRTY_LOG: forgets the pages from first_page (a multiple of 64) on whose bit is set in `bitmap`. */
HVS_API int hvs_kvm_clear_dirty(struct hvs_kvm *kvm, uint64_t gpa, uint64_t first_page, uint64_t nr_pages,
                                const uint64_t *bitmap);

/*
 * `run` is the mapped struct kvm_run of vcpu_fd; the registers in it are filled at every exit from now on
 * (kvm_valid_regs). After the start (may_add_vcpus): any thread, one at a time. Returns HVS_OK; HVS_EINVAL when vp is
 * out of range or taken; HVS_ENOTSUP when the vCPU has no in-kernel local APIC, or cannot keep step with the others;
 * HVS_ENOSPC when memory is short.
 */
HVS_API int hvs_kvm_add_vcpu(struct hvs_kvm *kvm, uint32_t vp, int vcpu_fd, struct kvm_run *run,
                             struct hvs_kvm_vcpu **vcpu);
/*
 * KVM_SET_CPUID2 with the VMM's leaves, their 0x40000000 block replaced by ours and the hypervisor bit set.
 * `cpuid` is not changed. Returns HVS_OK, or HVS_EINVAL when the kernel refuses (errno says why).
 */
HVS_API int hvs_kvm_set_cpuid(struct hvs_kvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid);
/*
 * Says that the VMM has put an uncompressed kernel (vmlinux, PVH) at [gpa, gpa + bytes), so that hypercalls which it
 * issues by VMCALL or VMMCALL reach us from the first one on; kernels that unpack themselves are found later, when
 * they run. Needed only for personalities with such hypercalls (Xen), harmless for the others. Before the vCPUs run;
 * again when the kernel was loaded again after a reset.
 * Returns how often the kernel's pair of hypercall functions was found and patched.
 */
HVS_API int hvs_kvm_image_loaded(struct hvs_kvm *kvm, uint64_t gpa, uint64_t bytes);
/* How many such pairs were patched since the start, at load or later. Any thread. */
HVS_API uint32_t hvs_kvm_patched_pairs(const struct hvs_kvm *kvm);
/*
 * Installs the MSR filter, brings the TSCs in step, starts clock and timers. After the vCPUs were added, once.
 * The filter replaces any other of this VM, and KVM_CAP_X86_USER_SPACE_MSR is set: see hvs_kvm_set_msr_filter.
 * Returns HVS_OK; HVS_EINVAL when a vCPU is missing or it was called before; HVS_ENOTSUP when the kernel refuses
 * (errno says why), or when the guest TSC runs at another rate than the host's; HVS_ENOSPC when no thread can be made.
 */
HVS_API int hvs_kvm_start(struct hvs_kvm *kvm);

/*
 * Instead of KVM_X86_SET_MSR_FILTER and KVM_ENABLE_CAP of KVM_CAP_X86_USER_SPACE_MSR: what the VMM wants besides.
 * `filter` is copied; its ranges hold for all MSRs that are not ours. `reasons` are the KVM_MSR_EXIT_REASON_* that shall
 * come back as HVS_KVM_NOT_OURS. Any thread.
 * Returns HVS_OK; HVS_EINVAL for a range that KVM would not take; HVS_ENOSPC when both need more ranges than a filter
 * has, or memory is short; HVS_ENOTSUP when the kernel refuses (errno says why).
 */
HVS_API int hvs_kvm_set_msr_filter(struct hvs_kvm *kvm, const struct kvm_msr_filter *filter, uint32_t reasons);

/*
 * For a VMM that saves and restores as KVM's own interface has it, MSR by MSR: hvs_vcpu_msr_get and hvs_vcpu_msr_set of
 * the vCPU, and the VM's age, for the interface's clocks, as KVM_GET_CLOCK and KVM_SET_CLOCK have theirs. Set the age
 * after the start, while no vCPU runs, and also when the VMM has written TSCs.
 * hvs_kvm_set_age returns HVS_OK, or HVS_ENOTSUP when the TSCs cannot be brought in step.
 */
HVS_API int hvs_kvm_get_msr(struct hvs_kvm_vcpu *vcpu, uint32_t index, uint64_t *value);
HVS_API int hvs_kvm_set_msr(struct hvs_kvm_vcpu *vcpu, uint32_t index, uint64_t value);
HVS_API uint64_t hvs_kvm_age(struct hvs_kvm *kvm);
HVS_API int hvs_kvm_set_age(struct hvs_kvm *kvm, uint64_t age_ns);

/*
 * Makes the VM what hvs_vm_save wrote, of this VM or of another. After the start, while no vCPU runs; guest RAM and the
 * vCPUs' registers, TSCs included, are those that belong to it. What the VM was before is forgotten, and RAM keeps what
 * the VMM has put there. The clock goes on from the saved age.
 * Returns HVS_OK; HVS_EVERSION or HVS_EFORMAT, and the VM is as after a reset; HVS_ENOTSUP when the kernel refuses.
 */
HVS_API int hvs_kvm_load(struct hvs_kvm *kvm, const void *state, size_t bytes);
/* Says whether such a state is not one of a VM like this; then `why` is one line about it. Changes nothing. */
HVS_API bool hvs_kvm_is_foreign_state(struct hvs_kvm *kvm, const void *state, size_t bytes, char *why,
                                      size_t why_bytes);

enum hvs_kvm_next {
    HVS_KVM_DONE,               /* it was ours and is answered: run the vCPU on */
    HVS_KVM_NOT_OURS,           /* the VMM handles run->exit_reason */
};
/*
 * Does what other threads have for this vCPU, and then ioctl(vcpu_fd, KVM_RUN, 0), whose result and errno it returns.
 * An EINTR that comes of the library's own kick alone is not shown, so who wants the vCPU out must set immediate_exit
 * (or block a signal and let KVM_SET_SIGNAL_MASK unblock it). One thread at a time for each vCPU.
 */
HVS_API int hvs_kvm_run(struct hvs_kvm_vcpu *vcpu);
/*
 * Looks at the exit in `run` after KVM_RUN returned 0, and handles what is ours: MSR exits in our ranges, our ports,
 * KVM_EXIT_XEN. The vCPU's own thread.
 */
HVS_API enum hvs_kvm_next hvs_kvm_exit(struct hvs_kvm_vcpu *vcpu);

/*
 * Handles an exit that carries no registers (kinds from HVS_EXIT_TIMER on), such as a host request, and does what it
 * asks for. Any thread, also a vCPU's own outside of hvs_kvm_run. *value (may be NULL) is the answer.
 * Returns HVS_OK; HVS_EINVAL (vp or kind); HVS_ENOENT when nobody handles it.
 */
HVS_API int hvs_kvm_dispatch(struct hvs_kvm *kvm, uint32_t vp, const struct hvs_exit *exit, uint64_t *value);
/*
 * Asks the personality `to` for one of the requests of its header whose answer is HVS_OK or an enum hvs_err (Xen's and
 * VMware's), as of VP 0. `data` is what that header says; the caller keeps it. Threads as for hvs_kvm_dispatch.
 * Returns the answer; HVS_ENOTSUP where the VM does not have that personality, or it has no requests.
 */
HVS_API int hvs_kvm_request(struct hvs_kvm *kvm, const struct hvs_personality *to, uint32_t request, void *data);

/*
 * Back to power-on, with the vCPUs stopped. The VMM does its own part before or after; before, if it touches TSCs.
 * Returns HVS_OK, or HVS_ENOTSUP when the kernel refuses (errno says why).
 */
HVS_API int hvs_kvm_reset(struct hvs_kvm *kvm);

/* How often a vCPU was kicked out of the guest. Any thread. */
HVS_API uint64_t hvs_kvm_kicks(const struct hvs_kvm *kvm);
/* Exits that reached user space and were not ours, by KVM exit reason (0..63). For statistics. */
HVS_API uint64_t hvs_kvm_foreign_exits(const struct hvs_kvm *kvm, uint32_t exit_reason);

#ifdef __cplusplus
}
#endif

#endif
