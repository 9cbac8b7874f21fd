/*
 * Private to the KVM backend: what a VM and a vCPU are made of, and what its files offer each other.
 *
 * Lock order: memory.lock (readers) and the core's own locks lie inside of nothing of ours; patch.lock is taken
 * outside of memory.lock; timer.lock, start_lock, time.lock and signals.lock are innermost. No lock is held while the
 * core handles an exit.
 */
#ifndef HVSHIM_KVM_BACKEND_H
#define HVSHIM_KVM_BACKEND_H

#include "cpuid.h"
#include "filter.h"
#include "normalise.h"
#include "patch.h"

#include <hvshim/hvshim.h>
#include <hvshim/kvm.h>

#include <linux/kvm.h>
#include <pthread.h>
#include <sys/ioctl.h>

struct hvs_kvm_region {
    uint64_t gpa, bytes;
    uint8_t *host;
    _Atomic uint64_t *dirty;            /* a bit for each page that we wrote, or NULL: nobody asks */
};

struct hvs_kvm_memory {
    pthread_rwlock_t lock;
    struct hvs_kvm_region *region;      /* sorted by gpa */
    size_t nr_regions;
};

struct hvs_kvm_clock {
    uint64_t epoch_ns;          /* CLOCK_MONOTONIC when the VM was made */
    uint64_t tsc_offset;        /* guest TSC - host TSC */
};

struct hvs_kvm_timer {
    pthread_mutex_t lock;
    pthread_t thread;
    int fd;                     /* timerfd */
    bool is_running;
    bool is_ending;
    uint64_t next_ns;           /* what fd is set to, in ns of CLOCK_MONOTONIC */
    uint64_t *deadline_ns;      /* by vCPU, likewise; UINT64_MAX: none */
    uint64_t poll_ns;           /* when to try again what waits in past_apic, likewise */
};

struct hvs_kvm_patch {
    pthread_mutex_t lock;
    bool is_needed;             /* a personality claims raw hypercalls and the kernel does not show them */
    bool is_armed;              /* the filter has GS_BASE, to see the kernel begin */
    _Atomic uint32_t nr_pairs;
};

/* What other threads have for a vCPU's own thread to do: bits of hvs_kvm_vcpu.work. */
enum {
    HVS_KVM_WORK_FLUSH = 1u << 0,
    HVS_KVM_WORK_START = 1u << 1,
    HVS_KVM_WORK_PAST_APIC = 1u << 2,
    HVS_KVM_WORK_STOP = 1u << 3,        /* as hvs_vcpu_is_to_stop() says */
    HVS_KVM_WORK_TIMER = 1u << 4,
    HVS_KVM_WORK_WAKE = 1u << 5,
    HVS_KVM_WORK_APIC = 1u << 6,
};

/* What the thread that runs a vCPU has used, and what is told of it. */
struct hvs_kvm_run_time {
    pthread_mutex_t lock;
    bool is_known;
    clockid_t clock;            /* of the thread */
    int schedstat_fd;           /* likewise; -1: none */
    struct hvs_vcpu_time bias;  /* what to add to the thread's */
    struct hvs_vcpu_time last;  /* as last told */
};

/* own_slot.c: the slots' numbers, of which no two are the same. */
enum hvs_kvm_own_slot { HVS_KVM_OWN_STEAL, HVS_KVM_OWN_STUB, HVS_KVM_OWN_SPECIAL, HVS_KVM_NR_OWN_SLOTS };
uint32_t hvs_kvm_own_slot(int kvm_fd, enum hvs_kvm_own_slot which);

struct kvm_steal_time;

struct hvs_kvm_steal {
    struct kvm_steal_time *area;        /* one for each VP; NULL: not used */
    uint64_t gpa, bytes;
    uint32_t slot;
    _Atomic uint64_t nr_flushes;
};

struct hvs_kvm_stub {
    void *page;                 /* NULL: not used */
    uint32_t slot;
};

/* An eventfd that the kernel signals by itself; `fd` is a copy of the VMM's. */
struct hvs_kvm_live_signal {
    uint32_t slot, number;
    int fd;
};

struct hvs_kvm_signals {
    pthread_mutex_t lock;
    struct hvs_kvm_live_signal *live;
    size_t nr_live;
};

enum { HVS_KVM_MAX_APIC_WRITES = 8 };
struct hvs_kvm_apic_write {
    uint32_t reg, value;
};

struct hvs_kvm_vcpu {
    struct hvs_kvm *kvm;
    struct hvs_vcpu *vcpu;
    struct kvm_run *run;
    int fd;
    uint32_t vp;
    _Atomic uint32_t work;
    _Atomic uint32_t place;     /* odd inside of KVM_RUN, even outside; counted up at each crossing */
    _Atomic uint32_t nr_waiting;        /* threads that sleep until `place` changes */
    _Atomic bool is_held;       /* the timer's thread does something to it, while it is inside of KVM_RUN */
    _Atomic pid_t tid;          /* that runs it; 0: none yet */
    pthread_mutex_t start_lock;
    struct hvs_vcpu_context start;      /* of HVS_KVM_WORK_START */
    _Atomic uint64_t past_apic[4];      /* vectors that wait for being taken */
    _Atomic bool is_stopped;    /* it waits in KVM_RUN because of that */
    struct hvs_kvm_apic_write apic_write[HVS_KVM_MAX_APIC_WRITES];      /* of HVS_KVM_WORK_APIC; its own thread's */
    uint32_t nr_apic_writes;
    uint32_t steal_version;     /* of its area before the last run */
    struct hvs_kvm_run_time time;
    _Atomic bool is_napping;
    _Atomic uint32_t nr_wake_calls;     /* of hvs_kvm_wake, while it naps */
    _Atomic uint64_t nr_foreign[64];
};

struct hvs_kvm {
    struct hvs_kvm_config config;
    struct hvs_kvm_caps caps;
    void *vm_memory;
    struct hvs_vm *vm;
    struct hvs_kvm_vcpu **vcpu; /* config.vm.nr_vps of them; NULL: not added (yet) */
    struct hvs_kvm_claims claims;
    struct hvs_kvm_memory memory;
    struct hvs_kvm_clock clock;
    struct hvs_kvm_timer timer;
    struct hvs_kvm_patch patch;
    struct hvs_kvm_steal steal;
    struct hvs_kvm_stub stub;
    struct hvs_kvm_signals signals;
    _Atomic uint64_t nr_kicks;
    struct hvs_kvm_wanted wanted;       /* changed under patch.lock */
    bool is_started;
};

/* memory.c: the guest RAM table, and the port functions on it (ctx: struct hvs_kvm). */
void hvs_kvm_memory_init(struct hvs_kvm_memory *memory);
void hvs_kvm_memory_destroy(struct hvs_kvm_memory *memory);
/* Notes that [gpa, gpa + bytes) of `r` was written. Lock held. */
void hvs_kvm_mark_dirty(struct hvs_kvm_region *r, uint64_t gpa, size_t bytes);
int hvs_kvm_gpa_read(void *ctx, uint64_t gpa, void *buffer, size_t bytes);
int hvs_kvm_gpa_write(void *ctx, uint64_t gpa, const void *buffer, size_t bytes);
void *hvs_kvm_page_pin(void *ctx, uint64_t gfn);
void hvs_kvm_page_unpin(void *ctx, uint64_t gfn, void *page, bool was_written);

/* clock.c */
void hvs_kvm_clock_init(struct hvs_kvm_clock *clock);
uint64_t hvs_kvm_monotonic_ns(void);
uint64_t hvs_kvm_utc_ns(void);
/* Gives all vCPUs the TSC offset of VP 0. Returns HVS_OK or HVS_ENOTSUP. The vCPUs do not run. */
int hvs_kvm_clock_sync(struct hvs_kvm *kvm);
/* Gives a vCPU that comes later the same offset, likewise. */
int hvs_kvm_clock_join(struct hvs_kvm_vcpu *vcpu);
/* The TSC offset of a vCPU by reading its TSC: for kernels older than 5.16. Off by the time of one ioctl at most. */
int hvs_kvm_measure_tsc_offset(int vcpu_fd, uint64_t *offset);
void hvs_kvm_time_now(void *ctx, struct hvs_instant *now);

/* timer.c: start and stop its thread; note that the deadline of `vp` changed (any thread). */
int hvs_kvm_timer_init(struct hvs_kvm_timer *timer, uint32_t nr_vps);
void hvs_kvm_timer_destroy(struct hvs_kvm_timer *timer);
int hvs_kvm_timer_start(struct hvs_kvm *kvm);
void hvs_kvm_timer_update(struct hvs_kvm *kvm, uint32_t vp);
/* Gives HVS_KVM_WORK_PAST_APIC once more, after a while, to each vCPU for which something waits. Any thread. */
void hvs_kvm_timer_poll(struct hvs_kvm *kvm);
/* Serves the vCPU's timers, in its own thread. */
void hvs_kvm_timer_own(struct hvs_kvm_vcpu *vcpu);

/* run.c: HVS_OK, or HVS_EINVAL for what is no signal. */
int hvs_kvm_kick_init(int kick_signal);
/*
 * Gives the vCPU's thread work, to be done before it enters the guest again, and gets it out of there. Any thread;
 * needs a kick signal. Returns for hvs_kvm_wait_outside where the vCPU was.
 */
uint32_t hvs_kvm_post(struct hvs_kvm_vcpu *vcpu, uint32_t work);
/* Returns when the vCPU has left the guest at least once since then, or was outside. */
void hvs_kvm_wait_outside(struct hvs_kvm_vcpu *vcpu, uint32_t place);
/* Completes the instruction of the last exit. The vCPU's own thread. Returns false when that made the next exit. */
bool hvs_kvm_complete(struct hvs_kvm_vcpu *vcpu);

/*
 * Says whether the vCPU is inside of KVM_RUN, and then keeps its thread from coming any further than out of there until
 * hvs_kvm_let_go. The timer's thread only; nothing in between may wait for a vCPU.
 */
bool hvs_kvm_hold_inside(struct hvs_kvm_vcpu *vcpu);
void hvs_kvm_let_go(struct hvs_kvm_vcpu *vcpu);

/* The calling thread runs the vCPU, or handles its exit. */
void hvs_kvm_learn_thread(struct hvs_kvm_vcpu *vcpu);

/* work.c: does what `work` says. The vCPU's own thread, between two instructions. */
void hvs_kvm_work(struct hvs_kvm_vcpu *vcpu, uint32_t work);

/* flush.c: the TLB of each vCPU in the set, before it runs on. Any thread; waits until those that run have left. */
void hvs_kvm_flush(struct hvs_kvm *kvm, const struct hvs_vpset *set);
/* The own TLB, in the vCPU's own thread. */
void hvs_kvm_flush_own(struct hvs_kvm_vcpu *vcpu);

/* poll.c: POLL, and the end of it, in the vCPU's own thread. */
void hvs_kvm_poll(struct hvs_kvm_vcpu *vcpu);
void hvs_kvm_poll_end(struct hvs_kvm_vcpu *vcpu);

/* nap.c: the sleep of a vCPU with interrupts off, in its own thread; and its end, from any thread. */
void hvs_kvm_nap(struct hvs_kvm_vcpu *vcpu);
void hvs_kvm_wake(struct hvs_kvm_vcpu *vcpu);

/*
 * steal.c: HVS_ENOTSUP where preempted vCPUs are flushed as others are. hvs_kvm_steal_flush says whether the vCPU is
 * preempted, and then flushed; any thread. hvs_kvm_steal_enter: the vCPU's own, before KVM_RUN; returns true when a
 * flush was left that is still to be done.
 */
int hvs_kvm_steal_start(struct hvs_kvm *kvm);
void hvs_kvm_steal_destroy(struct hvs_kvm *kvm);
bool hvs_kvm_steal_flush(struct hvs_kvm_vcpu *vcpu);
bool hvs_kvm_steal_enter(struct hvs_kvm_vcpu *vcpu);
/* Runs a vCPU without memory to find out. */
bool hvs_kvm_try_steal_flush(int vm_fd, int vcpu_fd);

/* start.c: any thread; the vCPU's own. */
void hvs_kvm_start_vcpu(struct hvs_kvm_vcpu *vcpu, const struct hvs_vcpu_context *context);
void hvs_kvm_start_own(struct hvs_kvm_vcpu *vcpu);

/* stop.c: VCPU_STOP and VCPU_GO_ON, in the vCPU's own thread. */
void hvs_kvm_stop_own(struct hvs_kvm_vcpu *vcpu);

/* past_apic.c: any thread; the vCPU's own. */
void hvs_kvm_past_apic(struct hvs_kvm_vcpu *vcpu, uint8_t vector);
bool hvs_kvm_has_past_apic(const struct hvs_kvm_vcpu *vcpu);
void hvs_kvm_drop_past_apic(struct hvs_kvm_vcpu *vcpu);
void hvs_kvm_past_apic_own(struct hvs_kvm_vcpu *vcpu);

/* vcpu_time.c: `tid` is the calling thread, which runs the vCPU from now on. */
void hvs_kvm_run_time_init(struct hvs_kvm_run_time *time);
void hvs_kvm_run_time_destroy(struct hvs_kvm_run_time *time);
void hvs_kvm_run_time_follow(struct hvs_kvm_run_time *time, pid_t tid);
void hvs_kvm_vcpu_time(void *ctx, uint32_t vp, struct hvs_vcpu_time *time);

/* apic.c: port functions; and whether they work, on a vCPU for trying. */
int hvs_kvm_apic_read(void *ctx, uint32_t vp, uint32_t reg, uint64_t *value);
int hvs_kvm_apic_write(void *ctx, uint32_t vp, uint32_t reg, uint64_t value);
int hvs_kvm_eoi_assist(void *ctx, uint32_t vp, uint64_t gpa);
bool hvs_kvm_try_apic_write(int vcpu_fd);

/* apic_stub.c: HVS_ENOTSUP where the page cannot be had. The others: the vCPU's own thread, the first in its exit. */
int hvs_kvm_stub_start(struct hvs_kvm *kvm);
void hvs_kvm_stub_destroy(struct hvs_kvm *kvm);
int hvs_kvm_stub_write(struct hvs_kvm_vcpu *vcpu, uint32_t reg, uint32_t value);
/* The class alone: the kernel keeps no more of it when registers are set. */
int hvs_kvm_stub_set_tpr(struct hvs_kvm_vcpu *vcpu, uint8_t tpr);
void hvs_kvm_stub_own(struct hvs_kvm_vcpu *vcpu);
bool hvs_kvm_try_eoi_assist(int vcpu_fd);

/* signal.c */
void hvs_kvm_signals_init(struct hvs_kvm_signals *signals);
void hvs_kvm_signals_destroy(struct hvs_kvm *kvm);
void hvs_kvm_signal(void *ctx, uint32_t slot, uint32_t number, int signal);

/*
 * state.c: finds the first record of *record's personality and id in a state that is not foreign; its payload points
 * into that.
 */
struct hvs_record;
bool hvs_kvm_find_record(const void *state, size_t bytes, struct hvs_record *record);

/* msr.c: return HVS_OK, or HVS_EINVAL where the kernel refuses. */
int hvs_kvm_msr_get(int vcpu_fd, uint32_t index, uint64_t *value);
int hvs_kvm_msr_set(int vcpu_fd, uint32_t index, uint64_t value);

/* xmm.c */
int hvs_kvm_xmm_read(void *ctx, uint32_t vp, uint32_t first, uint32_t count, struct hvs_xmm *xmm);
int hvs_kvm_xmm_write(void *ctx, uint32_t vp, uint32_t first, uint32_t count, const struct hvs_xmm *xmm);

/* apply.c: does what an exit asked for. `self` is the vCPU whose thread this is, or NULL. */
void hvs_kvm_apply(struct hvs_kvm *kvm, struct hvs_kvm_vcpu *self, const struct hvs_outcome *out);
uint32_t hvs_kvm_apic_id(const struct hvs_kvm *kvm, uint32_t vp);

/*
 * inject.c: answers to an exit that leave RIP on the instruction. `regs` is what the guest shall have, `insn_bytes` the
 * instruction's length where the exit may have come behind it. The vCPU's own thread.
 */
void hvs_kvm_inject(struct hvs_kvm_vcpu *vcpu, const struct hvs_regs *regs, const struct hvs_outcome *out,
                    uint32_t insn_bytes);
void hvs_kvm_again(struct hvs_kvm_vcpu *vcpu, const struct hvs_regs *regs, uint32_t insn_bytes);

/* filter.c: fills claims.deny. Returns HVS_OK or HVS_ENOSPC. */
int hvs_kvm_claim_msrs(struct hvs_kvm *kvm);
/* patch.lock held, or no vCPU runs. HVS_OK, HVS_ENOTSUP, or HVS_ENOSPC (too many ranges). */
int hvs_kvm_filter_install(struct hvs_kvm *kvm, bool with_gs_base);
/* Has the kernel show raw hypercalls, where it can. */
int hvs_kvm_intercept_raw(struct hvs_kvm *kvm);

/* patch.c, likewise: the guest writes GS_BASE. */
void hvs_kvm_gs_base_written(struct hvs_kvm_vcpu *vcpu);
/*
 * The guest begins anew, and with it perhaps a kernel to be patched; is_under_way: it goes on with a state from
 * elsewhere, where nobody may have patched it. No vCPU runs. Returns HVS_OK or HVS_ENOTSUP.
 */
int hvs_kvm_patch_again(struct hvs_kvm_vcpu *vcpu, bool is_under_way);

#endif
