/*
 * A pause of all vCPUs, and what it is for: a Xen guest that has suspended itself goes on, as in a new domain.
 *
 * Whoever asks for the pause need not be the main thread, which makes it and ends it: a vCPU that has suspended its
 * guest does not enter it again before.
 */
#include "machine.h"

#include <signal.h>

void vmm_pause_wait(struct machine *m)
{
    struct pause *p = &m->pause;
    pthread_mutex_lock(&p->lock);
    p->nr_waiting++;
    pthread_cond_broadcast(&p->changed);
    while (atomic_load(&p->is_wanted) && !vmm_has_ended(m))
        pthread_cond_wait(&p->changed, &p->lock);
    p->nr_waiting--;
    pthread_mutex_unlock(&p->lock);
}

/* Returns when all vCPUs wait, or the machine has ended. A kick can come too early, so they are repeated. */
static void await_all(struct machine *m)
{
    enum { KICK_AGAIN_NS = 10000000 };
    struct pause *p = &m->pause;
    pthread_mutex_lock(&p->lock);
    while (p->nr_waiting < m->options->nr_cpus && !vmm_has_ended(m)) {
        struct timespec until;
        vmm_cpus_kick(m);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += KICK_AGAIN_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&p->changed, &p->lock, &until);
    }
    pthread_mutex_unlock(&p->lock);
}

static void end_pause(struct machine *m)
{
    pthread_mutex_lock(&m->pause.lock);
    atomic_store(&m->pause.is_wanted, false);
    pthread_cond_broadcast(&m->pause.changed);
    pthread_mutex_unlock(&m->pause.lock);
}

void vmm_pause_ask(struct machine *m)
{
    atomic_store(&m->pause.is_wanted, true);
    vmm_wake(m);
}

void vmm_pause_serve(struct machine *m)
{
    if (!atomic_load(&m->pause.is_wanted))
        return;
    await_all(m);
    if (!vmm_has_ended(m)) {
        vmm_xen_disk_forget(m);
        vmm_xen_ask(m, HVS_XEN_RESUME, NULL);
        vmm_xen_disk_offer_again(m);
        fputs("hvshim vm: the guest suspended itself, and goes on\n", stderr);
    }
    end_pause(m);
}
