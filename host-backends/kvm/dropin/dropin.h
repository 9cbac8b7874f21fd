/*
 * Private to the drop-in layer: what it knows of a process's VMs.
 *
 * Two locks. The table of descriptors has one for changes; looking up takes none. A VM's lock is held over all calls
 * that change what we know of it, and over the system call in them, so that both happen in one order. KVM_RUN takes it
 * only when something is to be done before the guest runs. Nothing that runs inside the guest's exits takes it.
 */
#ifndef HVSHIM_KVM_DROPIN_PRIVATE_H
#define HVSHIM_KVM_DROPIN_PRIVATE_H

#include "../filter.h"
#include "hv.h"
#include "xen.h"

#include <hvshim/kvm_dropin.h>
#include <hvshim/xen.h>

#include <linux/kvm.h>
#include <pthread.h>
#include <sys/types.h>

struct hvs_dropin_vm;

/* --- descriptors (files.c) -------------------------------------------------------------------------------------- */

/* What a descriptor stands for: a VM, or one of its vCPUs. */
struct hvs_dropin_file {
    struct hvs_dropin_vm *vm;
    struct hvs_dropin_vcpu *vcpu;   /* NULL: the VM itself */
};

/* NULL: nothing of ours. */
struct hvs_dropin_file *hvs_dropin_file_find(int fd);
/* Returns 0 or -1 (errno ENOMEM, EMFILE). */
int hvs_dropin_file_add(int fd, struct hvs_dropin_file *file);
/* Returns what it was, or NULL. */
struct hvs_dropin_file *hvs_dropin_file_remove(int fd);
/* Calls `each` for each VM in the table. */
void hvs_dropin_file_each_vm(void (*each)(struct hvs_dropin_vm *vm));
/* A descriptor of our own for the same file, which lives as long as we want. -1 with errno. */
int hvs_dropin_file_keep(int fd);

/* --- memory (slots.c) ------------------------------------------------------------------------------------------- */

struct hvs_dropin_slot {
    uint32_t id;
    uint64_t gpa, bytes;
    uint8_t *host;
    bool is_ram;                /* writable, and ours to write */
    bool is_logged;
};

struct hvs_dropin_slots {
    struct hvs_dropin_slot *slot;
    size_t nr;
    bool is_cleared_by_hand;    /* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
};

int hvs_dropin_slots_set(struct hvs_dropin_vm *vm, int fd, unsigned long request,
                     const struct kvm_userspace_memory_region *region);
int hvs_dropin_slots_get_dirty(struct hvs_dropin_vm *vm, int fd, struct kvm_dirty_log *log);
int hvs_dropin_slots_clear_dirty(struct hvs_dropin_vm *vm, int fd, struct kvm_clear_dirty_log *log);
/* Gives all RAM to vm->kvm, which was just made. */
int hvs_dropin_slots_give(struct hvs_dropin_vm *vm);
/* Guest RAM from the start of memory up to the first hole below 4 GiB, and behind 4 GiB. */
uint64_t hvs_dropin_slots_memory_bytes(const struct hvs_dropin_slots *slots);

/* --- the pages of Xen's rings (special.c) ------------------------------------------------------------------------- */

#define HVS_DROPIN_SPECIAL_BYTES ((size_t)HVS_XEN_NR_SPECIAL_PAGES * HVS_PAGE_BYTES)

struct hvs_dropin_special {
    void *pages;                /* NULL: there are none of ours */
    struct hvs_xen_options options;
};

/* Before the library's VM is made: where it presents Xen, points `config` to options with the pages, if it may. */
void hvs_dropin_special_make(struct hvs_dropin_vm *vm, struct hvs_vm_config *config);
/* Gives them to vm->kvm, which was just made. */
int hvs_dropin_special_give(struct hvs_dropin_vm *vm);
void hvs_dropin_special_destroy(struct hvs_dropin_vm *vm);
/* Adds them to a state of *bytes in `room`, where they have HVS_DROPIN_SPECIAL_SAVED_BYTES at most. */
#define HVS_DROPIN_SPECIAL_SAVED_BYTES (HVS_DROPIN_SPECIAL_BYTES + 32)
void hvs_dropin_special_save(const struct hvs_dropin_vm *vm, void *state, size_t room, size_t *bytes);
/* Puts back what a state has of them. HVS_EFORMAT where there is no place for it here. */
int hvs_dropin_special_load(struct hvs_dropin_vm *vm, const void *state, size_t bytes);

/* --- vCPUs (vcpu.c) --------------------------------------------------------------------------------------------- */

struct hvs_dropin_vcpu {
    struct hvs_dropin_file file;
    uint32_t id;                /* as the VMM named it: its APIC id */
    uint32_t nr_fds;
    int fd;                     /* our own */
    struct kvm_run *run;        /* mapped by us: the same page as the VMM's */
    struct kvm_cpuid2 *cpuid;   /* what the VMM set, or NULL */
    struct hvs_kvm_vcpu *shim;
    atomic_bool is_ready;       /* shim is there, and CPUID is set */
    struct hvs_dropin_hv_vcpu hv;
    struct hvs_dropin_xen_vcpu xen;
    /* Of the boot CPU, VP 0: has it run since the last reset, and is it where a reset puts it? */
    atomic_bool is_boot, has_run, is_rip_reset, is_cs_reset;
    atomic_bool is_running;     /* a thread is in KVM_RUN for it, the layer's part included */
    atomic_uint_fast64_t nr_runs;
};

int hvs_dropin_vcpu_create(struct hvs_dropin_vm *vm, int fd, unsigned long id);
void hvs_dropin_vcpu_destroy(struct hvs_dropin_vcpu *vcpu);
/* Its last descriptor is gone. A guest that has not seen it never will; else its VP stays, and stands still. */
void hvs_dropin_vcpu_closed(struct hvs_dropin_vcpu *vcpu);
/* Makes the vCPU that VP `vp` of vm->kvm is. VM's lock held. Returns 0 or an enum hvs_err. */
int hvs_dropin_vcpu_join(struct hvs_dropin_vm *vm, uint32_t vp);
int hvs_dropin_vcpu_ioctl(struct hvs_dropin_vcpu *vcpu, int fd, unsigned long request, void *argument);

/* --- VMs (vm.c) ------------------------------------------------------------------------------------------------- */

struct hvs_dropin_vm {
    struct hvs_dropin_file file;
    struct hvs_kvm_dropin config;
    pid_t owner;                /* in its children the VM is dead; they must not end it */
    pthread_mutex_t lock;
    uint32_t nr_fds;            /* of VM and vCPUs; under the table's lock */
    int kvm_fd, fd;             /* our own */
    struct hvs_dropin_slots slots;
    struct hvs_dropin_special special;
    struct hvs_kvm_wanted msrs;
    struct hvs_dropin_vcpu **vcpu;  /* by VP */
    uint32_t nr_vcpus;
    uint32_t *apic_id;          /* by VP, for the library */
    struct hvs_kvm *kvm;        /* NULL: it never ran, or is_plain */
    struct hvs_dropin_hv hv;
    struct hvs_dropin_xen xen;
    bool has_interface;         /* the VMM is shown KVM's own, for Hyper-V or Xen: it says what is presented */
    bool is_plain;              /* and here it is nothing: KVM_RUN is the kernel's */
    bool has_failed;
    atomic_bool needs_reset;
    atomic_bool is_held;        /* vCPUs wait for the lock before they run */
    atomic_int stop;            /* 0, or what the guest asked for: 1 + enum hvs_stop_reason */
};

struct hvs_dropin_vm *hvs_dropin_vm_create(int kvm_fd, int fd);
void hvs_dropin_vm_destroy(struct hvs_dropin_vm *vm);
/* Once, and only where it ran. */
void hvs_dropin_vm_tell_end(struct hvs_dropin_vm *vm);
int hvs_dropin_vm_ioctl(struct hvs_dropin_vm *vm, int fd, unsigned long request, void *argument);
/* Does what must be done before this vCPU may run. Returns 0 or -1 (errno EINVAL). */
int hvs_dropin_vm_prepare(struct hvs_dropin_vm *vm, struct hvs_dropin_vcpu *vcpu);
/* Whose library's VM this is; NULL: not the layer's. */
struct hvs_dropin_vm *hvs_dropin_vm_of(const struct hvs_kvm *kvm);
/* Does what needs_reset is for. Lock held. Returns HVS_OK or HVS_ENOTSUP. */
int hvs_dropin_vm_reset(struct hvs_dropin_vm *vm);
/* Is this process a child of the VM's? Then calls just pass. */
bool hvs_dropin_vm_is_foreign(const struct hvs_dropin_vm *vm);

/* --- a state beside the VMM's own stream (state.c) --------------------------------------------------------------- */

/* As hvs_kvm_dropin_load, of a VM that is known not to run. Lock held. */
int hvs_dropin_state_load(struct hvs_dropin_vm *vm, const void *state, size_t bytes, char *why, size_t why_bytes);

/* Tells the user. Returns -1 with errno EINVAL. */
int hvs_dropin_fail(const struct hvs_kvm_dropin *config, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
