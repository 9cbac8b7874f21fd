/*
 * hvshim: presents Hyper-V, Xen and VMware to a guest, on any hypervisor.
 *
 * This is the part that a VMM or a host backend uses. The caller owns all memory: ask hvs_vm_size(), give that many
 * bytes to hvs_vm_init(), free them after the last call. Nothing is allocated, nothing returned needs freeing.
 *
 * On KVM, <hvshim/kvm.h> does all of this around a VMM's own KVM_RUN loop.
 */
#ifndef HVSHIM_HVSHIM_H
#define HVSHIM_HVSHIM_H

#include <hvshim/base.h>
#include <hvshim/effect.h>
#include <hvshim/exit.h>
#include <hvshim/port.h>
#include <hvshim/row.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hvs_vm;
struct hvs_vcpu;
struct hvs_personality;

/* The version of the library at run time, as HVS_VERSION. */
HVS_API uint32_t hvs_version(void);
/* Returns HVS_OK, or HVS_EVERSION when a program built against `built` must not use this library. */
HVS_API int hvs_check_version(uint32_t built);
/* A short text for an enum hvs_err; never NULL. */
HVS_API const char *hvs_strerror(int err);

struct hvs_slot_config {
    const struct hvs_personality *personality;
    uint64_t features_on;       /* bit n: feature n, over the default or the profile */
    uint64_t features_off;
    uint64_t features_offloaded;        /* served by the host kernel: advertised, but without rows of ours */
    const void *options;        /* the personality's own options (its header says which), or NULL */
    const struct hvs_profile *profile;  /* one of the personality's, or NULL: what is on by default */
};

struct hvs_insn {
    uint8_t length;             /* 1..8 */
    uint8_t byte[8];
};

struct hvs_vm_config {
    uint32_t size;              /* sizeof(struct hvs_vm_config): lets it grow */
    uint32_t nr_vps;            /* 1..HVS_MAX_VPS */
    uint32_t caps;              /* enum hvs_cap */
    uint32_t nr_slots;          /* 0..HVS_MAX_SLOTS */
    struct hvs_slot_config slot[HVS_MAX_SLOTS];
    struct hvs_insn hypercall_insn[HVS_MAX_SLOTS];      /* what leaves the guest, by slot */
    const uint32_t *apic_id;    /* nr_vps local APIC ids, kept by the caller; NULL: VP index */
    uint64_t tsc_khz;
    uint64_t apic_hz;           /* of the local APIC timer */
    uint64_t memory_bytes;      /* guest RAM, as the guest is told */
    uint32_t phys_bits;         /* width of guest-physical addresses, 32..52 */
    uint8_t uuid[16];
    void *trace;                /* ring of struct hvs_trace_record, or NULL */
    size_t trace_bytes;
    void (*relax)(void);        /* called while waiting for a lock that another thread holds; NULL: spin */
    uint32_t store_bytes;       /* of the string store; 0: as the personalities need it */
    struct hvs_insn signal_insn[HVS_MAX_SLOTS];         /* with HVS_CAP_SIGNAL: see hvs_port.signal */
};

/*
 * The memory that a VM of this configuration needs.
 * Returns HVS_OK with *bytes, or the error that hvs_vm_init would give.
 */
HVS_API int hvs_vm_size(const struct hvs_vm_config *config, size_t *bytes);

/*
 * Makes a VM in `memory` (page-aligned) and resets it. `port` and `port_ctx` must live as long as the VM.
 * Returns HVS_OK; HVS_EVERSION (config->size); HVS_EINVAL (a field out of range, feature dependencies, a
 * feature that needs options);
 * HVS_ECONFLICT (two personalities for 0x40000000, or one twice); HVS_ENOTSUP (a personality, or a feature in
 * features_on, needs a capability that config->caps lacks: hvs_vm_missing_caps says which); HVS_ENOSPC.
 */
HVS_API int hvs_vm_init(void *memory, size_t bytes, const struct hvs_vm_config *config, const struct hvs_port *port,
                        void *port_ctx, struct hvs_vm **vm);
/* The capabilities (enum hvs_cap bits) for want of which this configuration would be refused; 0 if none. */
HVS_API uint32_t hvs_vm_missing_caps(const struct hvs_vm_config *config);
/*
 * A feature that was asked for in vain: it needs, perhaps by others between them, one that is off; or (needs is NULL)
 * what the host has to give by the personality's options.
 */
struct hvs_unmet {
    const char *personality, *feature, *needs;
};
/* Returns HVS_OK with the first of them, for which hvs_vm_init gives HVS_EINVAL; HVS_ENOENT when there is none. */
HVS_API int hvs_vm_unmet(const struct hvs_vm_config *config, struct hvs_unmet *unmet);

HVS_API struct hvs_vcpu *hvs_vm_vcpu(struct hvs_vm *vm, uint32_t vp);   /* NULL when vp is out of range */

/*
 * Starts the clock at the port's present time. Call once when the guest TSC is final, before any vCPU runs; call
 * again after a pause with the same age to go on from there. What guests read is published anew.
 * Returns HVS_OK or HVS_EINVAL (tsc_khz).
 */
HVS_API int hvs_vm_start_clock(struct hvs_vm *vm);
/* The same at another age, in ns: of a VM that comes from elsewhere, or stood still meanwhile. Afterwards each vCPU's
   deadline is to be read again. */
HVS_API int hvs_vm_start_clock_at(struct hvs_vm *vm, uint64_t age_ns);
/*
 * Says what the real time is now, in ns since 1970 UTC, for interfaces that tell it (Xen's wall clock, VMware's time of
 * day). Call it after hvs_vm_start_clock, and again after a pause or a load; 0 or no call: not known. Any thread, while
 * no vCPU is in an exit.
 */
HVS_API void hvs_vm_set_wall_clock(struct hvs_vm *vm, uint64_t utc_ns);
/* Says whether guests of this VM may issue VMCALL in code of their own. */
HVS_API bool hvs_vm_expects_raw(const struct hvs_vm *vm);

/*
 * Handles one exit. `regs` may be NULL for exits that carry none. `out` is the caller's; it is overwritten.
 * On HVS_HANDLED, apply out->effect in order and let the guest go on behind the instruction; on HVS_FAULT raise
 * out->fault_vector; on HVS_RETRY let it execute the instruction again; on HVS_UNHANDLED the exit is not ours.
 * Thread context: the vCPU's own thread for exits that carry registers, any thread for the others.
 */
HVS_API enum hvs_verdict hvs_vcpu_exit(struct hvs_vcpu *vcpu, const struct hvs_exit *exit, struct hvs_regs *regs,
                                       struct hvs_outcome *out);

/*
 * One MSR as a VMM gets and sets it that saves and restores vCPUs MSR by MSR, as KVM_GET_MSRS and KVM_SET_MSRS do, in
 * place of hvs_vm_save and hvs_vm_load. The values are those of KVM's own code. To set is not what a guest's write does:
 * nothing is raised, and guest memory is taken as it lies, so what lay beneath an overlay page is not known any more.
 * After a set the vCPU's deadline is to be read again. Any thread, best while the vCPU does not run.
 * Return HVS_OK; HVS_ENOENT where no live row has it, or not in this direction; HVS_EINVAL for a value that cannot be.
 */
HVS_API int hvs_vcpu_msr_get(struct hvs_vcpu *vcpu, uint32_t index, uint64_t *value);
HVS_API int hvs_vcpu_msr_set(struct hvs_vcpu *vcpu, uint32_t index, uint64_t value);

/* When the vCPU wants its next HVS_EXIT_TIMER, in ns of the VM's clock; UINT64_MAX: never. Any thread. */
HVS_API uint64_t hvs_vcpu_deadline_ns(const struct hvs_vcpu *vcpu);
/*
 * Whether VCPU_STOP was the last of VCPU_STOP and VCPU_GO_ON for it since its reset. Backends go by this when they apply
 * either, since effects of several vCPUs' exits may be applied in another order than they were emitted. Any thread.
 */
HVS_API bool hvs_vcpu_is_to_stop(const struct hvs_vcpu *vcpu);
/* The age of the VM in ns, the clock of those deadlines. Any thread. */
HVS_API uint64_t hvs_vm_now_ns(struct hvs_vm *vm);

struct hvs_cpuid_leaf {
    uint32_t leaf, subleaf;
    struct hvs_cpuid_regs regs;
};
/*
 * All leaves that this vCPU shows, for hosts where CPUID does not exit. *nr is the capacity in, the number out.
 * Returns HVS_OK, or HVS_ENOSPC with *nr = what is needed.
 */
HVS_API int hvs_vcpu_cpuid(struct hvs_vcpu *vcpu, struct hvs_cpuid_leaf *leaf, uint32_t *nr);
/* The first leaf behind all personalities, where other leaves (KVM's own) may follow. */
HVS_API uint32_t hvs_vm_next_leaf(const struct hvs_vm *vm);

struct hvs_range {
    uint32_t first, last;
};
/* What must exit: the live MSR rows, and the live ports, as sorted disjoint ranges. As hvs_vcpu_cpuid. */
HVS_API int hvs_vm_msr_ranges(const struct hvs_vm *vm, struct hvs_range *range, uint32_t *nr);
HVS_API int hvs_vm_pio_ranges(const struct hvs_vm *vm, struct hvs_range *range, uint32_t *nr);
/* Says whether INS and OUTS at this port are to come whole: a live row takes them. */
HVS_API bool hvs_vm_port_takes_strings(const struct hvs_vm *vm, uint16_t port);
/*
 * Reads guest memory as the vCPU with these registers would, for backends that must look at an instruction. During its
 * exit. Returns HVS_OK, or HVS_EFAULT where that is not mapped for it or not RAM.
 */
HVS_API int hvs_vcpu_gva_read(struct hvs_vcpu *vcpu, const struct hvs_regs *regs, uint64_t gva, void *buffer,
                              size_t bytes);

/*
 * Finds a feature by "name" in a personality. Returns its number, or HVS_ENOENT.
 */
HVS_API int hvs_feature_find(const struct hvs_personality *personality, const char *name);
/* The personality's profile `name`, or NULL. */
HVS_API const struct hvs_profile *hvs_profile_find(const struct hvs_personality *personality, const char *name);
HVS_API const char *hvs_personality_name(const struct hvs_personality *personality);
HVS_API const char *hvs_personality_title(const struct hvs_personality *personality);

/* What a guest said about its own end. */
struct hvs_crash {
    uint64_t parameter[5];
    uint32_t message_bytes;
    char message[4096];         /* not terminated; control characters as the guest gave them */
};
/* Returns HVS_OK, or HVS_ENOENT when no guest crash was reported since the last reset. */
HVS_API int hvs_vm_crash(struct hvs_vm *vm, struct hvs_crash *crash);

/*
 * Writes the whole state. No vCPU may be in an exit. Guest RAM is saved by the VMM, before or after, with the
 * overlay pages as they lie.
 * Returns HVS_OK with *used, or HVS_ENOSPC with *used = what is needed.
 */
HVS_API int hvs_vm_save(struct hvs_vm *vm, void *buffer, size_t bytes, size_t *used);
/*
 * Reads a state into a VM of the same configuration that was just made, with guest RAM already in place. The clock
 * goes on from the saved age. Afterwards each vCPU's deadline is to be read again.
 * Returns HVS_OK, HVS_EVERSION, or HVS_EFORMAT (the VM is then as after a reset).
 */
HVS_API int hvs_vm_load(struct hvs_vm *vm, const void *buffer, size_t bytes);

/* One row's counter. */
struct hvs_stat {
    const char *personality;
    const char *kind;           /* "cpuid" "msr" "hypercall" "pio" */
    const char *name;
    uint64_t hits;
    uint64_t cycles;            /* what hvs_vcpu_charge() told; 0 where the backend does not */
};
/*
 * Adds what the guest's exit that was just handled took, in cycles of the TSC, to the first row that it hit, if it hit
 * one. For backends that measure it. The vCPU's thread, outside of an exit.
 */
HVS_API void hvs_vcpu_charge(struct hvs_vcpu *vcpu, uint64_t cycles);
/* Returns HVS_OK and the counter of row `index`, summed over vCPUs; HVS_ENOENT past the last. Any thread. */
HVS_API int hvs_vm_stat(const struct hvs_vm *vm, uint32_t index, struct hvs_stat *stat);
/* Exits of one kind, and how many of them no row owned. Any thread. */
HVS_API uint64_t hvs_vm_exits(const struct hvs_vm *vm, enum hvs_exit_kind kind, uint64_t *unhandled);

#ifdef __cplusplus
}
#endif

#endif
