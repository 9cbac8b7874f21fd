/*
 * How a vCPU has fared: the CPU time of the thread that runs it, and how long that thread waited for a CPU
 * [Linux Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat].
 *
 * What the thread did before it ran the vCPU does not count; a vCPU that moves to another thread goes on from where it
 * was. Where there is no schedstat nothing is stolen.
 */
#include "backend.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

void hvs_kvm_run_time_init(struct hvs_kvm_run_time *time)
{
    *time = (struct hvs_kvm_run_time){.schedstat_fd = -1};
    pthread_mutex_init(&time->lock, NULL);
}

void hvs_kvm_run_time_destroy(struct hvs_kvm_run_time *time)
{
    if (time->schedstat_fd >= 0)
        close(time->schedstat_fd);
    pthread_mutex_destroy(&time->lock);
}

static uint64_t read_stolen_ns(int fd)
{
    char text[96];
    uint64_t waited_ns;
    ssize_t bytes = fd < 0 ? 0 : pread(fd, text, sizeof(text) - 1, 0);

    if (bytes <= 0)
        return 0;
    text[bytes] = 0;
    return sscanf(text, "%*s %" SCNu64, &waited_ns) == 1 ? waited_ns : 0;
}

/* Returns false when the thread is no more. */
static bool read_thread(const struct hvs_kvm_run_time *time, struct hvs_vcpu_time *now)
{
    struct timespec ran;

    if (!time->is_known || clock_gettime(time->clock, &ran) < 0)
        return false;
    now->ran_ns = (uint64_t)ran.tv_sec * NS_PER_S + (uint64_t)ran.tv_nsec;
    now->stolen_ns = read_stolen_ns(time->schedstat_fd);
    return true;
}

/* Lock held. */
static void update(struct hvs_kvm_run_time *time)
{
    struct hvs_vcpu_time now;

    if (!read_thread(time, &now))
        return;
    now.ran_ns += time->bias.ran_ns;
    now.stolen_ns += time->bias.stolen_ns;
    if (now.ran_ns > time->last.ran_ns)
        time->last.ran_ns = now.ran_ns;
    if (now.stolen_ns > time->last.stolen_ns)
        time->last.stolen_ns = now.stolen_ns;
}

void hvs_kvm_run_time_follow(struct hvs_kvm_run_time *time, pid_t tid)
{
    struct hvs_vcpu_time now;
    char path[64];

    pthread_mutex_lock(&time->lock);
    update(time);
    if (time->schedstat_fd >= 0)
        close(time->schedstat_fd);
    snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", (int)tid);
    time->schedstat_fd = open(path, O_RDONLY | O_CLOEXEC);
    time->is_known = pthread_getcpuclockid(pthread_self(), &time->clock) == 0;
    if (read_thread(time, &now)) {
        time->bias.ran_ns = time->last.ran_ns - now.ran_ns;     /* modulo 2^64 */
        time->bias.stolen_ns = time->last.stolen_ns - now.stolen_ns;
    }
    pthread_mutex_unlock(&time->lock);
}

void hvs_kvm_vcpu_time(void *ctx, uint32_t vp, struct hvs_vcpu_time *time)
{
    struct hvs_kvm *kvm = ctx;
    struct hvs_kvm_vcpu *vcpu = kvm->vcpu ? kvm->vcpu[vp] : NULL;

    *time = (struct hvs_vcpu_time){0};
    if (!vcpu)
        return;
    pthread_mutex_lock(&vcpu->time.lock);
    update(&vcpu->time);
    *time = vcpu->time.last;
    pthread_mutex_unlock(&vcpu->time.lock);
}
