/*
 * Private to the drop-in layer: KVM's own interface for Hyper-V, for VMMs that speak it. What is presented then follows
 * from the CPUID that the VMM sets, as with KVM_CAP_HYPERV_ENFORCE_CPUID, and its state is in MSRs that the VMM gets
 * and sets [Linux Documentation/virt/kvm/api.rst].
 */
#ifndef HVSHIM_KVM_DROPIN_HV_H
#define HVSHIM_KVM_DROPIN_HV_H

#include <hvshim/hyperv.h>
#include <hvshim/kvm.h>

#include <linux/kvm.h>
#include <pthread.h>

struct hvs_dropin_vm;
struct hvs_dropin_vcpu;
struct hvs_dropin_xen;

/* --- what can be had, and what was chosen (hv_cpuid.c); leaves are the guest's, from 0x40000000 ------------------- */

/* The features that KVM's own interface has and a VM with these capabilities can have, with the APIC by a stub. */
uint64_t hvs_dropin_hv_offered(uint32_t caps);
/* Fills *slot with those of them that `cpuid` says, and what they need. has_synic: the VMM has enabled the SynIC,
   without which neither it nor what needs it is there. */
void hvs_dropin_hv_choose(const struct kvm_cpuid2 *cpuid, uint64_t offered, bool has_synic,
                          struct hvs_slot_config *slot);
bool hvs_dropin_hv_is_in(const struct kvm_cpuid2 *cpuid);
/* Says whether the guest may debug itself by MSRs and calls that the VMM answers. */
bool hvs_dropin_hv_has_debug(const struct kvm_cpuid2 *cpuid);
/* As KVM_GET_SUPPORTED_HV_CPUID. Returns 0 or -1 with errno. */
int hvs_dropin_hv_get_cpuid(uint64_t offered, struct kvm_cpuid2 *cpuid);

/* --- the answers of the host, whatever VM (hv_caps.c) ------------------------------------------------------------- */

/* Says whether `cap` is the interface's, and then *answer is what KVM_CHECK_EXTENSION gives. */
bool hvs_dropin_hv_check(unsigned long cap, int *answer);
int hvs_dropin_hv_get_supported(int kvm_fd, struct kvm_cpuid2 *cpuid);
int hvs_dropin_hv_get_index_list(int kvm_fd, struct kvm_msr_list *list);

/* --- MSRs (hv_msrs.c) --------------------------------------------------------------------------------------------- */

enum { HVS_DROPIN_HV_MSRS = 0x120 };    /* from 0x40000000 */

/* What was set, of MSRs that the library does not have: before it starts all, later those whose feature is off. */
struct hvs_dropin_hv_store {
    uint64_t value[HVS_DROPIN_HV_MSRS];
};

/* As the ioctls. Lists are cut where ours and the kernel's meet. */
int hvs_dropin_hv_get_msrs(struct hvs_dropin_vcpu *vcpu, int fd, struct kvm_msrs *msrs);
int hvs_dropin_hv_set_msrs(struct hvs_dropin_vcpu *vcpu, int fd, struct kvm_msrs *msrs);
/* Gives the library, which has just got this vCPU, what was set before. Returns 0 or -1: the message was given. */
int hvs_dropin_hv_give_msrs(struct hvs_dropin_vcpu *vcpu);
void hvs_dropin_hv_store_init(struct hvs_dropin_hv_store *store);

/* --- exits that the VMM sees (hv_exits.c) ------------------------------------------------------------------------- */

/* What the VMM has to answer before the vCPU goes on. */
enum hvs_dropin_hv_owed { HVS_DROPIN_HV_NONE, HVS_DROPIN_HV_RESULT_32, HVS_DROPIN_HV_RESULT_64, HVS_DROPIN_HV_STATUS };

enum hvs_dropin_hv_fate {
    HVS_DROPIN_HV_PASS,         /* it is the library's, or the VMM's own */
    HVS_DROPIN_HV_DONE,         /* it is answered: the vCPU goes on */
    HVS_DROPIN_HV_SHOW,         /* it became an exit that the VMM handles */
};

/* After KVM_RUN, before the library sees the exit. */
enum hvs_dropin_hv_fate hvs_dropin_hv_before(struct hvs_dropin_vcpu *vcpu);
/* The MSR that this exit writes, or 0. */
uint32_t hvs_dropin_hv_written(const struct hvs_dropin_vcpu *vcpu);
/* After the library has handled that write: says whether the VMM is to see it. */
bool hvs_dropin_hv_after(struct hvs_dropin_vcpu *vcpu, uint32_t written);
/* Before KVM_RUN: what the VMM has answered goes to the guest. */
void hvs_dropin_hv_answered(struct hvs_dropin_vcpu *vcpu);

/* --- SINT routes, Xen's too, and connections (hv_events.c) -------------------------------------------------------- */

struct hvs_dropin_hv_route {
    uint32_t gsi, vp, sint;
    bool is_xen;                /* an event instead */
    struct kvm_irq_routing_xen_evtchn event;
};

struct hvs_dropin_hv_irqfd {
    struct hvs_dropin_hv_irqfd *next;
    int number;                 /* as the VMM named it */
    int fd, ack_fd;             /* our own descriptors; ack_fd -1: none */
    uint32_t gsi;
};

struct hvs_dropin_hv_connection {
    struct hvs_dropin_hv_connection *next;
    uint32_t id;
    int fd;                     /* our own */
};

struct hvs_dropin_hv_events {
    pthread_mutex_t lock;       /* innermost but for the library's own */
    struct hvs_dropin_hv_route *route;
    size_t nr_routes;
    struct hvs_dropin_hv_irqfd *irqfd;
    struct hvs_dropin_hv_connection *connection;
    pthread_t thread;
    bool is_running;
    int epoll_fd, end_fd;
    struct hvs_kvm *kvm;        /* the VM's, once it is started */
    struct hvs_dropin_xen *xen; /* NULL: the VMM is not shown it */
};

void hvs_dropin_hv_events_init(struct hvs_dropin_hv_events *events);
/* Before the library's VM ends. */
void hvs_dropin_hv_events_destroy(struct hvs_dropin_hv_events *events);
void hvs_dropin_hv_events_start(struct hvs_dropin_hv_events *events, struct hvs_kvm *kvm);
/* As the ioctls. */
int hvs_dropin_hv_set_routing(struct hvs_dropin_hv_events *events, int fd, const struct kvm_irq_routing *routing);
int hvs_dropin_hv_set_irqfd(struct hvs_dropin_hv_events *events, int fd, const struct kvm_irqfd *irqfd);
int hvs_dropin_hv_set_line(struct hvs_dropin_hv_events *events, int fd, unsigned long request,
                           struct kvm_irq_level *line);
int hvs_dropin_hv_set_eventfd(struct hvs_dropin_hv_events *events, const struct kvm_hyperv_eventfd *eventfd);
/* Signals what waits for this connection. False where nothing does. */
bool hvs_dropin_hv_signal(struct hvs_dropin_hv_events *events, uint32_t connection);
/* The guest has taken messages of this VP: tells those who asked. */
void hvs_dropin_hv_ack(struct hvs_dropin_hv_events *events, uint32_t vp);

/* --- the clock (hv_clock.c) --------------------------------------------------------------------------------------- */

struct hvs_dropin_hv_clock {
    uint64_t age_ns, at_ns;     /* the age that the VMM set last, and when: CLOCK_MONOTONIC */
};

void hvs_dropin_hv_clock_init(struct hvs_dropin_hv_clock *clock);
/* As the ioctls. VM's lock held. */
int hvs_dropin_hv_get_clock(struct hvs_dropin_vm *vm, int fd, struct kvm_clock_data *data);
int hvs_dropin_hv_set_clock(struct hvs_dropin_vm *vm, int fd, const struct kvm_clock_data *data);
/* Brings the library's clock to the age that the VM has. Returns HVS_OK or HVS_ENOTSUP. */
int hvs_dropin_hv_clock_start(struct hvs_dropin_vm *vm);
/* The VMM writes the TSC of `vcpu`. */
void hvs_dropin_hv_clock_note_tsc(struct hvs_dropin_vcpu *vcpu);
/* What follows from that before `vcpu` runs. VM's lock held. Returns HVS_OK or HVS_ENOTSUP. */
int hvs_dropin_hv_clock_mend(struct hvs_dropin_vcpu *vcpu);

/* --- all of it, of one VM ----------------------------------------------------------------------------------------- */

struct hvs_dropin_hv {
    bool is_there;              /* the VMM is shown the interface */
    bool has_synic_pages;       /* it asked for KVM_CAP_HYPERV_SYNIC2 */
    bool has_debug;
    bool is_chosen;             /* this VM has it: in the library's first slot */
    _Atomic bool needs_clock;   /* the boot CPU's TSC was written */
    struct hvs_hv_options options;
    struct hvs_dropin_hv_store store;   /* of the VM's MSRs */
    struct hvs_dropin_hv_events events;
    struct hvs_dropin_hv_clock clock;
};

struct hvs_dropin_hv_vcpu {
    bool has_synic;
    _Atomic bool needs_clock;   /* its TSC was written */
    enum hvs_dropin_hv_owed owed;
    struct hvs_dropin_hv_store store;
};

#endif
