/*
 * Private to the drop-in layer: KVM's own interface for Xen, for VMMs that speak it [Linux
 * Documentation/virt/kvm/api.rst, KVM_CAP_XEN_HVM].
 *
 * The VMM is the hypervisor: it answers hypercalls, by KVM_EXIT_XEN, and keeps event channels, grants and xenstore.
 * Here is what the kernel does for it: the hypercall page, the sight of hypercalls, time and run state in the pages
 * that the VMM names, events into their bitmaps, and the few hypercalls that must be fast. What the VMM sets is kept
 * here, from before the library's VM is made; a small personality, one for each VM, does the work in the vCPUs' exits.
 *
 * Left out: hypercall pages of the VMM's own (blobs), pages named by host address (KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA).
 */
#ifndef HVSHIM_KVM_DROPIN_XEN_H
#define HVSHIM_KVM_DROPIN_XEN_H

#include <hvshim/kvm.h>
#include <hvshim/personality.h>

#include <linux/kvm.h>
#include <pthread.h>

#ifndef KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG         /* Linux 6.3 */
#define KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG (1u << 6)
#define KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG 0x5
#endif
#ifndef KVM_XEN_HVM_CONFIG_PVCLOCK_TSC_UNSTABLE         /* Linux 6.9 */
#define KVM_XEN_HVM_CONFIG_PVCLOCK_TSC_UNSTABLE (1u << 7)
#endif
#define HVS_DROPIN_XEN_NOWHERE UINT64_MAX       /* KVM_XEN_INVALID_GPA, KVM_XEN_INVALID_GFN */
#define HVS_DROPIN_XEN_ANY_PORT UINT32_MAX

struct hvs_dropin_vm;
struct hvs_dropin_vcpu;
struct hvs_dropin_xen;

/* --- what the guest asks for -------------------------------------------------------------------------------------- */

/* One hypercall, with its arguments as the width of the calling code has them. */
struct hvs_dropin_xen_call {
    uint64_t nr, arg[6];
    uint8_t cpl;
    bool is_64bit;
};

/* --- what the VMM set, and what became of it ---------------------------------------------------------------------- */

struct hvs_dropin_xen_send {            /* of EVTCHNOP_send on `port` */
    struct hvs_dropin_xen_send *next;
    uint32_t port, type;
    uint32_t to_port, to_vcpu;          /* the vCPU as the VMM named it; port 0: fd instead */
    int fd;                             /* our own; -1: none */
};

struct hvs_dropin_xen_runstate {
    uint32_t state;
    uint64_t entry_ns, time_ns[4];      /* their sum is entry_ns */
    struct hvs_vcpu_time host;          /* at entry_ns */
};

struct hvs_dropin_xen_vcpu {
    uint32_t id;                        /* as hypercalls name it */
    uint64_t info_gpa, time_gpa, runstate_gpa;
    uint8_t vector;
    uint32_t timer_port;
    uint64_t timer_ns;                  /* when it is due; 0: not */
    struct hvs_dropin_xen_runstate runstate;
    uint32_t poll_port;                 /* 0: it does not poll */
    /* The vCPU's own thread: a call that the VMM is to answer, or is answering, and where the guest then goes on. */
    struct hvs_dropin_xen_call call;
    bool is_for_vmm, is_owed;
    uint64_t owed_rip;
};

struct hvs_dropin_xen {
    bool is_there;                      /* the VMM is shown the interface */
    bool is_chosen;                     /* this VM has it */
    struct kvm_xen_hvm_config config;
    struct hvs_personality personality; /* this VM's: the VMM chooses the page's MSR */
    struct hvs_msr_row msr;
    struct hvs_kvm *kvm;
    struct hvs_dropin_vcpu **vcpu;      /* by VP, as far as they have joined; has room for all */
    pthread_mutex_t lock;               /* innermost: over all that follows, and what vCPUs have of it */
    bool is_long_mode, has_runstate_flag;
    uint64_t shared_gfn;
    _Atomic uint8_t vector;             /* past the local APICs */
    uint32_t version;
    struct hvs_dropin_xen_send *send;
};

void hvs_dropin_xen_init(struct hvs_dropin_xen *xen);
void hvs_dropin_xen_vcpu_init(struct hvs_dropin_xen_vcpu *vcpu, uint32_t vp);
/* After the library's VM ended. */
void hvs_dropin_xen_destroy(struct hvs_dropin_xen *xen);
/* Says whether `cap` is the interface's, and then *answer is what KVM_CHECK_EXTENSION gives. */
bool hvs_dropin_xen_check(unsigned long cap, int *answer);
/* Has the VMM asked for it? Then fills *slot. VM's lock held. Returns HVS_OK, HVS_ENOENT, or HVS_ENOSPC. */
int hvs_dropin_xen_choose(struct hvs_dropin_vm *vm, struct hvs_slot_config *slot);
/* The library's VM has this vCPU from now on, and (_start) runs. VM's lock held. */
void hvs_dropin_xen_join(struct hvs_dropin_vcpu *vcpu);
void hvs_dropin_xen_start(struct hvs_dropin_vcpu *vcpu);

/* --- the VMM's calls (xen_attrs.c); they return 0 or -1 with errno. VM's lock held -------------------------------- */

int hvs_dropin_xen_configure(struct hvs_dropin_vm *vm, const struct kvm_xen_hvm_config *config);
int hvs_dropin_xen_set_attr(struct hvs_dropin_vm *vm, const struct kvm_xen_hvm_attr *attr);
int hvs_dropin_xen_get_attr(struct hvs_dropin_vm *vm, struct kvm_xen_hvm_attr *attr);
int hvs_dropin_xen_vcpu_set_attr(struct hvs_dropin_vcpu *vcpu, const struct kvm_xen_vcpu_attr *attr);
int hvs_dropin_xen_vcpu_get_attr(struct hvs_dropin_vcpu *vcpu, struct kvm_xen_vcpu_attr *attr);

/* --- events (xen_events.c) ---------------------------------------------------------------------------------------- */

/* As KVM_XEN_HVM_EVTCHN_SEND; returns 0 or -1 with errno. Any thread, without the VM's lock too. */
int hvs_dropin_xen_event(struct hvs_dropin_xen *xen, const struct kvm_irq_routing_xen_evtchn *event);
/* May it be in a route? Whether its port and vCPU are there is seen when it comes. */
bool hvs_dropin_xen_event_is_sane(const struct kvm_irq_routing_xen_evtchn *event);
/* In an exit: sets `port` pending for the vCPU `vp` and interrupts it. Lock held. Returns 0 or a negative errno. */
int hvs_dropin_xen_raise(struct hvs_ctx *ctx, uint32_t vp, uint32_t port);
/* EVTCHNOP_send. Lock held. Returns false where the VMM is to do it. */
bool hvs_dropin_xen_send(struct hvs_ctx *ctx, uint32_t port);
int hvs_dropin_xen_set_send(struct hvs_dropin_xen *xen, const struct kvm_xen_hvm_attr *attr);
void hvs_dropin_xen_forget_sends(struct hvs_dropin_xen *xen);
/* Before KVM_RUN: an upcall that is pending is given past the local APIC. The vCPU's own thread. */
void hvs_dropin_xen_enter(struct hvs_dropin_vcpu *vcpu);

/* --- time (xen_time.c); in an exit, lock held --------------------------------------------------------------------- */

enum { HVS_DROPIN_XEN_TIMER_SINGLESHOT, HVS_DROPIN_XEN_TIMER_POLL, HVS_DROPIN_XEN_NR_TIMERS };

void hvs_dropin_xen_publish_wallclock(struct hvs_ctx *ctx);
void hvs_dropin_xen_publish_time(struct hvs_ctx *ctx, uint32_t vp);
/* Arms the vCPU's timer as timer_ns says. */
void hvs_dropin_xen_arm(struct hvs_ctx *ctx);
void hvs_dropin_xen_timer(struct hvs_ctx *ctx, uint32_t timer);

/* --- run state (xen_runstate.c); lock held ------------------------------------------------------------------------ */

/* Brings the vCPU's run state up to now, and writes it where the guest wants it if that was a while ago, or `must`. */
void hvs_dropin_xen_runstate_update(struct hvs_ctx *ctx, bool must);

/* --- hypercalls (xen_calls.c) ------------------------------------------------------------------------------------- */

enum hvs_verdict hvs_dropin_xen_hypercall(struct hvs_ctx *ctx);
enum hvs_verdict hvs_dropin_xen_write_page(struct hvs_ctx *ctx, uint32_t index, uint64_t value);

/* --- exits that the VMM sees (xen_exits.c); the vCPU's own thread ------------------------------------------------- */

/* After the library has handled an exit: says whether it was a hypercall that the VMM is to see. */
bool hvs_dropin_xen_after(struct hvs_dropin_vcpu *vcpu);
/* Before KVM_RUN: what the VMM has answered goes to the guest. */
void hvs_dropin_xen_answered(struct hvs_dropin_vcpu *vcpu);
/* KVM_RUN ends without an exit, as by a signal: a poll does too, for the vCPU may be saved now. Keeps errno. */
void hvs_dropin_xen_interrupted(struct hvs_dropin_vcpu *vcpu);

/* --- for its files ------------------------------------------------------------------------------------------------ */

/* What the layer asks of the personality, as exits of a vCPU. */
enum hvs_dropin_xen_request {
    HVS_DROPIN_XEN_REFRESH,             /* time, run state and timer of this vCPU, and what all have, are to be right */
    HVS_DROPIN_XEN_RAISE,               /* data: uint32_t, the port. Answers as hvs_dropin_xen_raise */
};

/* Has it done, once the VM has started; else HVS_ENOENT. Lock not held. */
int hvs_dropin_xen_request(struct hvs_dropin_xen *xen, uint32_t vp, enum hvs_dropin_xen_request request, void *data,
                           uint64_t *answer);
struct hvs_dropin_xen *hvs_dropin_xen_of(const struct hvs_ctx *ctx);
/* NULL: it has not joined yet. Lock held. */
struct hvs_dropin_xen_vcpu *hvs_dropin_xen_vcpu_of(const struct hvs_ctx *ctx, uint32_t vp);

#endif
