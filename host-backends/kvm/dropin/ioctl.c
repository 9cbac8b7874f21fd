/*
 * The calls themselves: what is ours goes on to the VM or vCPU behind the descriptor, all else to the kernel.
 *
 * The layer takes part in: KVM_CREATE_VM; of a VM KVM_CREATE_VCPU, SET_USER_MEMORY_REGION(2), GET_DIRTY_LOG,
 * CLEAR_DIRTY_LOG, X86_SET_MSR_FILTER, ENABLE_CAP; of a vCPU KVM_RUN, SET_CPUID2, SET_REGS, SET_SREGS(2), ENABLE_CAP,
 * SET_SIGNAL_MASK; and KVM_CHECK_EXTENSION. With KVM's own interfaces, further: of a VM GET_CLOCK, SET_CLOCK,
 * SET_GSI_ROUTING, IRQFD, IRQ_LINE, IRQ_LINE_STATUS; of a vCPU GET_MSRS, SET_MSRS. For Hyper-V: of /dev/kvm
 * GET_SUPPORTED_HV_CPUID, GET_MSR_INDEX_LIST; of a VM HYPERV_EVENTFD. For Xen: of a VM XEN_HVM_CONFIG,
 * XEN_HVM_SET_ATTR, XEN_HVM_GET_ATTR, XEN_HVM_EVTCHN_SEND; of a vCPU XEN_VCPU_SET_ATTR, XEN_VCPU_GET_ATTR.
 *
 * In a child of the VM's process KVM refuses all calls, so there they just pass, and closing ends nothing.
 */
#include "dropin.h"

#include "../backend.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { KICK_BELOW_LAST = 3 };   /* VMMs take their signals from the front */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hvs_kvm_dropin present;
static atomic_bool is_presenting, is_hv_interface, is_xen_interface;
static atomic_bool has_presented;       /* stays; until then no descriptor is ours, and calls cost nothing more */

int hvs_dropin_fail(const struct hvs_kvm_dropin *config, const char *format, ...)
{
    char text[512];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (config->on_message)
        config->on_message(config->ctx, text);
    else
        fprintf(stderr, "hvshim: %s\n", text);
    errno = EINVAL;
    return -1;
}

static bool has_interface(const struct hvs_kvm_dropin *config)
{
    return config->has_hyperv_interface || config->has_xen_interface;
}

int hvs_kvm_present(const struct hvs_kvm_dropin *config)
{
    if (config->size != sizeof(*config))
        return HVS_EVERSION;
    if (has_interface(config) && (config->vm.nr_slots || config->state))
        return HVS_EINVAL;
    pthread_mutex_lock(&lock);
    present = *config;
    if (!present.kick_signal)
        present.kick_signal = SIGRTMAX - KICK_BELOW_LAST;
    atomic_store(&is_presenting, config->vm.nr_slots > 0 || has_interface(config));
    if (atomic_load(&is_presenting))
        atomic_store(&has_presented, true);
    atomic_store(&is_hv_interface, config->has_hyperv_interface);
    atomic_store(&is_xen_interface, config->has_xen_interface);
    pthread_mutex_unlock(&lock);
    return HVS_OK;
}

static int create_vm(int kvm_fd, unsigned long request, void *type)
{
    int fd = ioctl(kvm_fd, request, type);
    struct hvs_dropin_vm *vm;

    if (fd < 0 || !atomic_load(&is_presenting) || ioctl(kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return fd;
    hvs_dropin_file_remove(fd);         /* closed by a call that we do not see: what it was, is lost */
    vm = hvs_dropin_vm_create(kvm_fd, fd);
    if (!vm) {
        close(fd);
        errno = ENOMEM;
        return -1;
    }
    pthread_mutex_lock(&lock);
    vm->config = present;
    vm->hv.is_there = present.has_hyperv_interface;
    vm->xen.is_there = present.has_xen_interface;
    vm->has_interface = has_interface(&present);
    vm->hv.events.xen = vm->xen.is_there ? &vm->xen : NULL;
    pthread_mutex_unlock(&lock);
    return fd;
}

/* The dirty ring shows pages that the kernel saw written: ours would be missing. */
static bool is_hidden(unsigned long cap)
{
    return cap == KVM_CAP_DIRTY_LOG_RING || cap == KVM_CAP_DIRTY_LOG_RING_ACQ_REL;
}

/* What is asked of /dev/kvm, and capabilities of a VM too. Says whether *answer is the answer. */
static bool is_answered(int fd, unsigned long request, void *argument, int *answer)
{
    bool is_hv = atomic_load(&is_hv_interface), is_xen = atomic_load(&is_xen_interface);

    if (!atomic_load(&is_presenting))
        return false;
    switch (request) {
    case KVM_CHECK_EXTENSION:
        if ((uintptr_t)argument == KVM_CAP_NR_MEMSLOTS) {
            *answer = ioctl(fd, request, argument) - HVS_KVM_NR_OWN_SLOTS;
            return *answer > 0;
        }
        *answer = 0;
        return is_hidden((uintptr_t)argument) || (is_hv && hvs_dropin_hv_check((uintptr_t)argument, answer)) ||
               (is_xen && hvs_dropin_xen_check((uintptr_t)argument, answer));
    case KVM_GET_SUPPORTED_HV_CPUID:
        *answer = is_hv ? hvs_dropin_hv_get_supported(fd, argument) : 0;
        return is_hv;
    case KVM_GET_MSR_INDEX_LIST:
        *answer = is_hv ? hvs_dropin_hv_get_index_list(fd, argument) : 0;
        return is_hv;
    default:
        return false;
    }
}

static bool is_idle(void)
{
    return !atomic_load_explicit(&has_presented, memory_order_relaxed);
}

/* By itself: the registers that it saves are none of the calls that pass. */
__attribute__((noinline)) static int kvm_ioctl(int fd, unsigned long request, void *argument)
{
    struct hvs_dropin_file *file = hvs_dropin_file_find(fd);
    int answer;

    if (file && file->vcpu && request == KVM_RUN)
        return hvs_dropin_vcpu_ioctl(file->vcpu, fd, request, argument);
    if (request == KVM_CREATE_VM)
        return create_vm(fd, request, argument);
    if ((!file || !file->vcpu) && is_answered(fd, request, argument, &answer))
        return answer;
    if (!file || hvs_dropin_vm_is_foreign(file->vm))
        return ioctl(fd, request, argument);
    return file->vcpu ? hvs_dropin_vcpu_ioctl(file->vcpu, fd, request, argument) :
                        hvs_dropin_vm_ioctl(file->vm, fd, request, argument);
}

int hvs_kvm_ioctl(int fd, unsigned long request, void *argument)
{
    request = (uint32_t)request;        /* as the kernel takes it: VMMs hand over negative ints */
    return is_idle() || _IOC_TYPE(request) != KVMIO ? ioctl(fd, request, argument) : kvm_ioctl(fd, request, argument);
}

/* Ends the VM with its last descriptor. */
static void forget(int fd)
{
    struct hvs_dropin_file *file = hvs_dropin_file_find(fd);
    struct hvs_dropin_vm *vm;

    if (!file || hvs_dropin_vm_is_foreign(file->vm))
        return;
    vm = file->vm;
    hvs_dropin_file_remove(fd);
    if (vm->nr_fds == 0)
        hvs_dropin_vm_destroy(vm);
    else if (file->vcpu && file->vcpu->nr_fds == 0)
        hvs_dropin_vcpu_closed(file->vcpu);
}

int hvs_kvm_close(int fd)
{
    if (!is_idle())
        forget(fd);
    return close(fd);
}

int hvs_kvm_dup(int fd, int copy)
{
    struct hvs_dropin_file *file;

    if (copy < 0 || copy == fd || is_idle())
        return copy;
    file = hvs_dropin_file_find(fd);
    forget(copy);               /* dup2 closes what was there */
    if (file && !hvs_dropin_vm_is_foreign(file->vm) && hvs_dropin_file_add(copy, file))
        return -1;
    return copy;
}

int hvs_kvm_restart(int vm_fd)
{
    struct hvs_dropin_file *file = hvs_dropin_file_find(vm_fd);

    if (!file)
        return HVS_ENOENT;
    atomic_store(&file->vm->needs_reset, true);
    return HVS_OK;
}

static void end(struct hvs_dropin_vm *vm)
{
    if (!hvs_dropin_vm_is_foreign(vm))
        hvs_dropin_vm_tell_end(vm);
}

void hvs_kvm_finish(void)
{
    hvs_dropin_file_each_vm(end);
}
