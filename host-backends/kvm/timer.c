/*
 * One deadline per vCPU, kept by one thread per VM: it sleeps on a timerfd until the earliest and then dispatches
 * HVS_EXIT_TIMER, in which the vCPU itself takes no part. The same thread tries again what past_apic.c could not do.
 *
 * That is while the vCPU is in the guest. One that is outside may be so because the VMM has stopped the machine, to
 * save it for one: nothing may change then, so its own thread serves the timers before it enters again. Without a kick
 * signal nobody knows where vCPUs are, and this thread serves all.
 *
 * Deadlines are in ns of the VM's clock, which follows the guest TSC; the timerfd follows CLOCK_MONOTONIC, which NTP
 * may slew. So a long sleep is cut into pieces, and each wake-up asks the VM's clock again.
 */
#include "backend.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NEVER UINT64_MAX
#define PIECE_NS 1000000000ull
#define POLL_NS 150000u

int hvs_kvm_timer_init(struct hvs_kvm_timer *timer, uint32_t nr_vps)
{
    timer->next_ns = timer->poll_ns = NEVER;
    timer->deadline_ns = malloc(nr_vps * sizeof(*timer->deadline_ns));
    timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    for (uint32_t vp = 0; timer->deadline_ns && vp < nr_vps; vp++)
        timer->deadline_ns[vp] = NEVER;
    return timer->deadline_ns && timer->fd >= 0 ? HVS_OK : HVS_ENOSPC;
}

/* Lock held. */
static void program(struct hvs_kvm_timer *timer, uint64_t at_ns)
{
    if (timer->is_ending)
        at_ns = 1;

    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(at_ns / 1000000000u), .tv_nsec = (long)(at_ns % 1000000000u)}};

    timer->next_ns = at_ns;
    timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

void hvs_kvm_timer_destroy(struct hvs_kvm_timer *timer)
{
    if (timer->is_running) {
        pthread_mutex_lock(&timer->lock);
        timer->is_ending = true;
        program(timer, NEVER);
        pthread_mutex_unlock(&timer->lock);
        pthread_join(timer->thread, NULL);
    }
    if (timer->fd >= 0)
        close(timer->fd);
    free(timer->deadline_ns);
}

/* When to wake up for a deadline of the VM's clock, in ns of CLOCK_MONOTONIC. */
static uint64_t wake_up(struct hvs_kvm *kvm, uint64_t deadline_ns)
{
    uint64_t age_ns = hvs_vm_now_ns(kvm->vm), now_ns = hvs_kvm_monotonic_ns();

    if (deadline_ns <= age_ns)
        return now_ns;
    return now_ns + (deadline_ns - age_ns < PIECE_NS ? deadline_ns - age_ns : PIECE_NS);
}

void hvs_kvm_timer_update(struct hvs_kvm *kvm, uint32_t vp)
{
    struct hvs_kvm_timer *timer = &kvm->timer;
    uint64_t deadline_ns;

    pthread_mutex_lock(&timer->lock);
    deadline_ns = hvs_vcpu_deadline_ns(hvs_vm_vcpu(kvm->vm, vp));
    timer->deadline_ns[vp] = deadline_ns == NEVER ? NEVER : wake_up(kvm, deadline_ns);
    /* A later one needs no system call: the thread then wakes up once for nothing. */
    if (timer->deadline_ns[vp] < timer->next_ns)
        program(timer, timer->deadline_ns[vp]);
    pthread_mutex_unlock(&timer->lock);
}

void hvs_kvm_timer_poll(struct hvs_kvm *kvm)
{
    struct hvs_kvm_timer *timer = &kvm->timer;

    pthread_mutex_lock(&timer->lock);
    if (timer->poll_ns == NEVER)
        timer->poll_ns = hvs_kvm_monotonic_ns() + POLL_NS;
    if (timer->poll_ns < timer->next_ns)
        program(timer, timer->poll_ns);
    pthread_mutex_unlock(&timer->lock);
}

static void poll_past_apic(struct hvs_kvm *kvm)
{
    struct hvs_kvm_timer *timer = &kvm->timer;
    bool is_due;

    pthread_mutex_lock(&timer->lock);
    is_due = timer->poll_ns <= hvs_kvm_monotonic_ns();
    if (is_due)
        timer->poll_ns = NEVER;
    pthread_mutex_unlock(&timer->lock);
    for (uint32_t vp = 0; is_due && vp < kvm->config.vm.nr_vps; vp++) {
        if (kvm->vcpu[vp] && hvs_kvm_has_past_apic(kvm->vcpu[vp]))
            hvs_kvm_post(kvm->vcpu[vp], HVS_KVM_WORK_PAST_APIC);
    }
}

static bool is_due(struct hvs_kvm_timer *timer, uint32_t vp)
{
    bool due;

    pthread_mutex_lock(&timer->lock);
    due = timer->deadline_ns[vp] <= hvs_kvm_monotonic_ns();
    pthread_mutex_unlock(&timer->lock);
    return due;
}

static void serve(struct hvs_kvm *kvm, uint32_t vp)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_TIMER};

    if (hvs_vcpu_deadline_ns(hvs_vm_vcpu(kvm->vm, vp)) <= hvs_vm_now_ns(kvm->vm))
        hvs_kvm_dispatch(kvm, vp, &exit, NULL);
    hvs_kvm_timer_update(kvm, vp);
}

void hvs_kvm_timer_own(struct hvs_kvm_vcpu *vcpu)
{
    serve(vcpu->kvm, vcpu->vp);
}

/* The vCPU's thread will set the next deadline. */
static void leave_to_own_thread(struct hvs_kvm_vcpu *vcpu)
{
    struct hvs_kvm_timer *timer = &vcpu->kvm->timer;

    pthread_mutex_lock(&timer->lock);
    timer->deadline_ns[vcpu->vp] = NEVER;
    pthread_mutex_unlock(&timer->lock);
    hvs_kvm_post(vcpu, HVS_KVM_WORK_TIMER);
}

static void dispatch(struct hvs_kvm *kvm, uint32_t vp)
{
    struct hvs_kvm_vcpu *vcpu = kvm->config.kick_signal ? kvm->vcpu[vp] : NULL;

    if (vcpu && !hvs_kvm_hold_inside(vcpu)) {
        leave_to_own_thread(vcpu);
        return;
    }
    serve(kvm, vp);
    if (vcpu)
        hvs_kvm_let_go(vcpu);
}

/* Sets the timer for the earliest deadline, also of those that came while it was being served. Returns false when the
   thread shall end. */
static bool set_next(struct hvs_kvm *kvm)
{
    struct hvs_kvm_timer *timer = &kvm->timer;
    uint64_t earliest;
    bool goes_on;

    pthread_mutex_lock(&timer->lock);
    earliest = timer->poll_ns;
    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++) {
        if (timer->deadline_ns[vp] < earliest)
            earliest = timer->deadline_ns[vp];
    }
    timer->next_ns = NEVER;
    if (earliest != NEVER)
        program(timer, earliest);
    goes_on = !timer->is_ending;
    pthread_mutex_unlock(&timer->lock);
    return goes_on;
}

/* Each vCPU is served once per round, so that none can keep the others waiting. */
static void *run(void *ctx)
{
    struct hvs_kvm *kvm = ctx;
    uint64_t nr_expirations;

    while (set_next(kvm)) {
        if (read(kvm->timer.fd, &nr_expirations, sizeof(nr_expirations)) < 0)
            continue;
        for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++) {
            if (is_due(&kvm->timer, vp))
                dispatch(kvm, vp);
        }
        poll_past_apic(kvm);
    }
    return NULL;
}

int hvs_kvm_timer_start(struct hvs_kvm *kvm)
{
    sigset_t all, before;
    int err;

    /* The VMM's signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&kvm->timer.thread, NULL, run, kvm);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    kvm->timer.is_running = err == 0;
    return err ? HVS_ENOSPC : HVS_OK;
}
