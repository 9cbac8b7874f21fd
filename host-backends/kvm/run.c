/*
 * KVM_RUN with what surrounds it: work that other threads have for a vCPU's own thread, and the way to get that thread
 * out of the guest.
 *
 * Who posts work sets its bit first and then looks whether the vCPU is in the guest; the vCPU says first that it enters
 * and then looks for work. So one of them sees the other. The kick is a signal, and a bit of its own in immediate_exit
 * for a signal that comes just before KVM_RUN: the VMM's use of that byte is not mixed up with ours, because both sides
 * only need it not to be zero.
 */
#include "backend.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In immediate_exit, where a VMM writes 0 and 1. */
#define EXIT_OF_OURS 0x80u

enum { NR_SPINS = 1000 };       /* about as long as it takes to leave a guest, before a waiter sleeps */

static _Thread_local pid_t thread_tid;
static _Thread_local volatile sig_atomic_t was_signalled;

static void on_kick(int signal)
{
    (void)signal;
    was_signalled = 1;
}

/* KVM_RUN ends with EINTR all the same where system calls are restarted; the VMM's own calls need not. */
int hvs_kvm_kick_init(int kick_signal)
{
    struct sigaction action;

    if (kick_signal == 0)
        return HVS_OK;
    if (sigaction(kick_signal, NULL, &action) < 0)
        return HVS_EINVAL;
    if (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)
        return HVS_OK;
    action = (struct sigaction){.sa_handler = on_kick, .sa_flags = SA_RESTART};
    return sigaction(kick_signal, &action, NULL) < 0 ? HVS_EINVAL : HVS_OK;
}

void hvs_kvm_learn_thread(struct hvs_kvm_vcpu *vcpu)
{
    sigset_t kick;

    if (!thread_tid)
        thread_tid = gettid();
    if (atomic_load_explicit(&vcpu->tid, memory_order_relaxed) == thread_tid)
        return;
    if (vcpu->kvm->config.kick_signal) {
        sigemptyset(&kick);
        sigaddset(&kick, vcpu->kvm->config.kick_signal);
        pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
    }
    hvs_kvm_run_time_follow(&vcpu->time, thread_tid);
    atomic_store(&vcpu->tid, thread_tid);
}

static void enter(struct hvs_kvm_vcpu *vcpu)
{
    atomic_fetch_add(&vcpu->place, 1);
}

static void leave(struct hvs_kvm_vcpu *vcpu)
{
    atomic_fetch_add(&vcpu->place, 1);
    if (atomic_load(&vcpu->nr_waiting))
        syscall(SYS_futex, &vcpu->place, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    while (atomic_load(&vcpu->is_held))
        sched_yield();
}

static bool is_inside(uint32_t place)
{
    return place & 1;
}

/* As with work, one of both sees the other: we that it is outside, or it that it is held. */
bool hvs_kvm_hold_inside(struct hvs_kvm_vcpu *vcpu)
{
    atomic_store(&vcpu->is_held, true);
    if (is_inside(atomic_load(&vcpu->place)))
        return true;
    hvs_kvm_let_go(vcpu);
    return false;
}

void hvs_kvm_let_go(struct hvs_kvm_vcpu *vcpu)
{
    atomic_store(&vcpu->is_held, false);
}

static uint32_t kick(struct hvs_kvm_vcpu *vcpu)
{
    uint32_t place = atomic_load(&vcpu->place);

    if (!is_inside(place))
        return place;
    __atomic_fetch_or(&vcpu->run->immediate_exit, EXIT_OF_OURS, __ATOMIC_SEQ_CST);
    atomic_fetch_add_explicit(&vcpu->kvm->nr_kicks, 1, memory_order_relaxed);
    syscall(SYS_tgkill, getpid(), atomic_load(&vcpu->tid), vcpu->kvm->config.kick_signal);
    return place;
}

uint32_t hvs_kvm_post(struct hvs_kvm_vcpu *vcpu, uint32_t work)
{
    atomic_fetch_or(&vcpu->work, work);
    hvs_kvm_wake(vcpu);
    return kick(vcpu);
}

void hvs_kvm_wait_outside(struct hvs_kvm_vcpu *vcpu, uint32_t place)
{
    if (!is_inside(place))
        return;
    for (uint32_t i = 0; i < NR_SPINS; i++) {
        if (atomic_load(&vcpu->place) != place)
            return;
        __builtin_ia32_pause();
    }
    atomic_fetch_add(&vcpu->nr_waiting, 1);
    while (atomic_load(&vcpu->place) == place)
        syscall(SYS_futex, &vcpu->place, FUTEX_WAIT_PRIVATE, place, NULL, NULL, 0);
    atomic_fetch_sub(&vcpu->nr_waiting, 1);
}

bool hvs_kvm_complete(struct hvs_kvm_vcpu *vcpu)
{
    int result;

    __atomic_fetch_or(&vcpu->run->immediate_exit, EXIT_OF_OURS, __ATOMIC_SEQ_CST);
    result = ioctl(vcpu->fd, KVM_RUN, 0);
    __atomic_fetch_and(&vcpu->run->immediate_exit, (uint8_t)~EXIT_OF_OURS, __ATOMIC_SEQ_CST);
    return result < 0;
}

/*
 * Says whether it was a kick that ended KVM_RUN, and nothing else that the VMM ought to see. The signal may come later
 * than the bit, in a KVM_RUN after the one that was meant.
 */
static bool was_kick_alone(struct hvs_kvm_vcpu *vcpu, int result, int err)
{
    uint8_t wanted = __atomic_fetch_and(&vcpu->run->immediate_exit, (uint8_t)~EXIT_OF_OURS, __ATOMIC_SEQ_CST);
    bool was_kick = (wanted & EXIT_OF_OURS) || was_signalled;

    was_signalled = 0;
    return result < 0 && err == EINTR && was_kick && !(wanted & ~EXIT_OF_OURS);
}

int hvs_kvm_run(struct hvs_kvm_vcpu *vcpu)
{
    int result = 0, err = 0;
    bool runs;

    hvs_kvm_learn_thread(vcpu);
    do {
        if (hvs_kvm_steal_enter(vcpu))
            atomic_fetch_or(&vcpu->work, HVS_KVM_WORK_FLUSH);
        /* Between two instructions: the last one is completed first, and may have more for the VMM. */
        while (atomic_load(&vcpu->work)) {
            if (!hvs_kvm_complete(vcpu))
                return 0;
            hvs_kvm_work(vcpu, atomic_exchange(&vcpu->work, 0));
        }
        enter(vcpu);
        runs = atomic_load(&vcpu->work) == 0;
        if (runs) {
            result = ioctl(vcpu->fd, KVM_RUN, 0);
            err = errno;
        }
        leave(vcpu);
    } while (!runs || was_kick_alone(vcpu, result, err));
    errno = err;
    return result;
}

uint64_t hvs_kvm_kicks(const struct hvs_kvm *kvm)
{
    return atomic_load_explicit(&kvm->nr_kicks, memory_order_relaxed);
}
