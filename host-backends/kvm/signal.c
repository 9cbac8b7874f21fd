/*
 * Signals that the kernel raises by itself: an eventfd for each number that a guest may write by its slot's signal_insn
 * (ioeventfd, matched by port, width and value). A number without one leaves as an exit, and so does one for which the
 * kernel has no room.
 */
#include "backend.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void hvs_kvm_signals_init(struct hvs_kvm_signals *signals)
{
    pthread_mutex_init(&signals->lock, NULL);
}

static int tell_kernel(const struct hvs_kvm *kvm, const struct hvs_kvm_live_signal *signal, uint32_t flags)
{
    struct kvm_ioeventfd event = {
        .datamatch = signal->number,
        .addr = HVS_KVM_PORT_SLOT + signal->slot,
        .len = HVS_KVM_SIGNAL_BYTES,
        .fd = signal->fd,
        .flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH | flags,
    };

    return ioctl(kvm->config.vm_fd, KVM_IOEVENTFD, &event);
}

/* A copy, because the kernel forgets a signal only by its eventfd, and the VMM may have closed that. */
static void add(struct hvs_kvm *kvm, uint32_t slot, uint32_t number, int fd)
{
    struct hvs_kvm_signals *signals = &kvm->signals;
    struct hvs_kvm_live_signal *live = realloc(signals->live, (signals->nr_live + 1) * sizeof(*live));
    struct hvs_kvm_live_signal signal = {.slot = slot, .number = number};

    if (!live)
        return;
    signals->live = live;
    signal.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (signal.fd < 0)
        return;
    if (tell_kernel(kvm, &signal, 0))
        close(signal.fd);
    else
        live[signals->nr_live++] = signal;
}

static void drop(struct hvs_kvm *kvm, uint32_t slot, uint32_t number)
{
    struct hvs_kvm_signals *signals = &kvm->signals;
    size_t nr_kept = 0;

    for (size_t i = 0; i < signals->nr_live; i++) {
        const struct hvs_kvm_live_signal signal = signals->live[i];

        if (signal.slot != slot || (signal.number != number && number != HVS_ALL_NUMBERS)) {
            signals->live[nr_kept++] = signal;
            continue;
        }
        tell_kernel(kvm, &signal, KVM_IOEVENTFD_FLAG_DEASSIGN);
        close(signal.fd);
    }
    signals->nr_live = nr_kept;
}

void hvs_kvm_signal(void *ctx, uint32_t slot, uint32_t number, int signal)
{
    struct hvs_kvm *kvm = ctx;

    pthread_mutex_lock(&kvm->signals.lock);
    drop(kvm, slot, number);
    if (signal != HVS_NO_SIGNAL)
        add(kvm, slot, number, signal);
    pthread_mutex_unlock(&kvm->signals.lock);
}

void hvs_kvm_signals_destroy(struct hvs_kvm *kvm)
{
    for (uint32_t slot = 0; slot < HVS_MAX_SLOTS; slot++)
        drop(kvm, slot, HVS_ALL_NUMBERS);
    free(kvm->signals.live);
    pthread_mutex_destroy(&kvm->signals.lock);
}
