/*
 * vCPUs: their CPUID, their registers where a reset shows in them, and KVM_RUN.
 */
#include "dropin.h"

#include "../backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RESET_RIP 0xfff0u
#define RESET_CS_BASE 0xffff0000u
#define MAX_CPUID_ENTRIES 256u          /* of the kernel */

static size_t run_bytes(const struct hvs_dropin_vm *vm)
{
    int bytes = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    return bytes > 0 ? (size_t)bytes : 0;
}

void hvs_dropin_vcpu_destroy(struct hvs_dropin_vcpu *vcpu)
{
    if (vcpu->run)
        munmap(vcpu->run, run_bytes(vcpu->file.vm));
    if (vcpu->fd >= 0)
        close(vcpu->fd);
    free(vcpu->cpuid);
    free(vcpu);
}

static struct hvs_dropin_vcpu *make(struct hvs_dropin_vm *vm, int fd, uint32_t id)
{
    struct hvs_dropin_vcpu *vcpu = calloc(1, sizeof(*vcpu));
    void *run;

    if (!vcpu)
        return NULL;
    vcpu->file = (struct hvs_dropin_file){.vm = vm, .vcpu = vcpu};
    vcpu->id = id;
    hvs_dropin_hv_store_init(&vcpu->hv.store);
    hvs_dropin_xen_vcpu_init(&vcpu->xen, vm->nr_vcpus);
    vcpu->fd = hvs_dropin_file_keep(fd);
    run = mmap(NULL, run_bytes(vm), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    vcpu->run = run == MAP_FAILED ? NULL : run;
    if (vcpu->run && !hvs_dropin_file_add(fd, &vcpu->file))
        return vcpu;
    hvs_dropin_vcpu_destroy(vcpu);
    return NULL;
}

/* VM's lock held. */
static int create(struct hvs_dropin_vm *vm, int fd, uint32_t id)
{
    struct hvs_dropin_vcpu **grown = realloc(vm->vcpu, (vm->nr_vcpus + 1) * sizeof(struct hvs_dropin_vcpu *));
    int vcpu_fd;

    if (!grown)
        return -1;
    vm->vcpu = grown;
    vcpu_fd = ioctl(fd, KVM_CREATE_VCPU, (unsigned long)id);
    if (vcpu_fd < 0)
        return -1;
    grown[vm->nr_vcpus] = make(vm, vcpu_fd, id);
    if (!grown[vm->nr_vcpus]) {
        close(vcpu_fd);
        return hvs_dropin_fail(&vm->config, "no memory or descriptors for vCPU %u", id);
    }
    vm->nr_vcpus++;
    return vcpu_fd;
}

int hvs_dropin_vcpu_create(struct hvs_dropin_vm *vm, int fd, unsigned long id)
{
    int vcpu_fd;

    pthread_mutex_lock(&vm->lock);
    if (vm->kvm && vm->nr_vcpus == vm->config.max_vcpus)
        vcpu_fd = hvs_dropin_fail(&vm->config, "vCPU %lu comes too late: the guest was started with room for %u (say "
                                  "--max-cpus with the number that it may have later)", id, vm->config.max_vcpus);
    else
        vcpu_fd = create(vm, fd, (uint32_t)id);
    pthread_mutex_unlock(&vm->lock);
    return vcpu_fd;
}

void hvs_dropin_vcpu_closed(struct hvs_dropin_vcpu *vcpu)
{
    struct hvs_dropin_vm *vm = vcpu->file.vm;
    uint32_t vp = 0;

    pthread_mutex_lock(&vm->lock);
    while (!vm->kvm && vp < vm->nr_vcpus && vm->vcpu[vp] != vcpu)
        vp++;
    if (!vm->kvm && vp < vm->nr_vcpus) {
        memmove(&vm->vcpu[vp], &vm->vcpu[vp + 1], (--vm->nr_vcpus - vp) * sizeof(struct hvs_dropin_vcpu *));
        hvs_dropin_vcpu_destroy(vcpu);
    }
    pthread_mutex_unlock(&vm->lock);
}

int hvs_dropin_vcpu_join(struct hvs_dropin_vm *vm, uint32_t vp)
{
    struct hvs_dropin_vcpu *vcpu = vm->vcpu[vp];
    int err;

    vm->apic_id[vp] = vcpu->id;
    err = vcpu->shim ? HVS_OK : hvs_kvm_add_vcpu(vm->kvm, vp, vcpu->fd, vcpu->run, &vcpu->shim);
    if (!err && vcpu->cpuid && !vm->has_interface)
        err = hvs_kvm_set_cpuid(vcpu->shim, vcpu->cpuid);
    if (!err)
        hvs_dropin_xen_join(vcpu);
    atomic_store(&vcpu->is_boot, vp == 0);
    atomic_store(&vcpu->is_ready, !err);
    return err;
}

/* Keeps what the VMM sets, and sets it: as it is until the VM runs, then with our leaves, unless they are the VMM's. */
static int set_cpuid(struct hvs_dropin_vcpu *vcpu, int fd, const struct kvm_cpuid2 *cpuid)
{
    size_t bytes = sizeof(*cpuid) + cpuid->nent * sizeof(cpuid->entries[0]);
    struct hvs_dropin_vm *vm = vcpu->file.vm;
    struct kvm_cpuid2 *copy = cpuid->nent <= MAX_CPUID_ENTRIES ? malloc(bytes) : NULL;
    int answer;

    if (!copy)
        return ioctl(fd, KVM_SET_CPUID2, cpuid);        /* which refuses it too */
    memcpy(copy, cpuid, bytes);
    pthread_mutex_lock(&vm->lock);
    if (vcpu->shim && !vm->has_interface)
        answer = hvs_kvm_set_cpuid(vcpu->shim, copy) ? -1 : 0;
    else
        answer = ioctl(fd, KVM_SET_CPUID2, cpuid);
    if (answer == 0) {
        free(vcpu->cpuid);
        vcpu->cpuid = copy;
    } else {
        free(copy);
    }
    pthread_mutex_unlock(&vm->lock);
    return answer;
}

/*
 * The boot CPU stands where a reset puts it, and has been elsewhere: the machine was reset. Others are put there also
 * when they are plugged in again.
 */
static int detect_reset(struct hvs_dropin_vcpu *vcpu, int answer)
{
    if (answer == 0 && atomic_load(&vcpu->is_boot) && atomic_load(&vcpu->has_run) &&
        atomic_load(&vcpu->is_rip_reset) && atomic_load(&vcpu->is_cs_reset))
        atomic_store(&vcpu->file.vm->needs_reset, true);
    return answer;
}

static int set_regs(struct hvs_dropin_vcpu *vcpu, int fd, const struct kvm_regs *regs)
{
    atomic_store(&vcpu->is_rip_reset, regs->rip == RESET_RIP);
    return detect_reset(vcpu, ioctl(fd, KVM_SET_REGS, regs));
}

/* `sregs` begins as struct kvm_sregs, whichever request it is. */
static int set_sregs(struct hvs_dropin_vcpu *vcpu, int fd, unsigned long request, const void *sregs)
{
    struct kvm_segment cs;

    memcpy(&cs, sregs, sizeof(cs));
    atomic_store(&vcpu->is_cs_reset, cs.base == RESET_CS_BASE);
    return detect_reset(vcpu, ioctl(fd, request, sregs));
}

/* The guest ended by the presented interface: an exit that VMMs know. What the guest was doing is finished before. */
static int show_stop(struct hvs_dropin_vcpu *vcpu, enum hvs_stop_reason reason)
{
    static const uint32_t type[] = {
        [HVS_STOP_POWEROFF] = KVM_SYSTEM_EVENT_SHUTDOWN,
        [HVS_STOP_REBOOT] = KVM_SYSTEM_EVENT_RESET,
        [HVS_STOP_CRASH] = KVM_SYSTEM_EVENT_CRASH,
        [HVS_STOP_SUSPEND] = KVM_SYSTEM_EVENT_SHUTDOWN,
    };
    struct kvm_run *run = vcpu->run;

    hvs_kvm_complete(vcpu->shim);
    run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
    memset(&run->system_event, 0, sizeof(run->system_event));
    run->system_event.type = type[reason];
    return 0;
}

/* One exit, with KVM's own interfaces: as hvs_kvm_exit, which is in the middle of it. */
static enum hvs_kvm_next interface_exit(struct hvs_dropin_vcpu *vcpu)
{
    bool is_hv = vcpu->file.vm->hv.is_chosen;
    enum hvs_dropin_hv_fate fate = is_hv ? hvs_dropin_hv_before(vcpu) : HVS_DROPIN_HV_PASS;
    uint32_t written = is_hv ? hvs_dropin_hv_written(vcpu) : 0;

    if (fate != HVS_DROPIN_HV_PASS)
        return fate == HVS_DROPIN_HV_SHOW ? HVS_KVM_NOT_OURS : HVS_KVM_DONE;
    if (hvs_kvm_exit(vcpu->shim) == HVS_KVM_NOT_OURS || hvs_dropin_xen_after(vcpu))
        return HVS_KVM_NOT_OURS;
    return written && hvs_dropin_hv_after(vcpu, written) ? HVS_KVM_NOT_OURS : HVS_KVM_DONE;
}

static int prepare(struct hvs_dropin_vcpu *vcpu)
{
    struct hvs_dropin_vm *vm = vcpu->file.vm;
    bool is_changed = atomic_load_explicit(&vm->needs_reset, memory_order_acquire) ||
                      atomic_load_explicit(&vm->hv.needs_clock, memory_order_acquire) ||
                      atomic_load_explicit(&vcpu->hv.needs_clock, memory_order_acquire);

    if ((is_changed || !atomic_load_explicit(&vcpu->is_ready, memory_order_acquire)) &&
        hvs_dropin_vm_prepare(vm, vcpu))
        return -1;
    if (!atomic_load_explicit(&vcpu->has_run, memory_order_relaxed))
        atomic_store(&vcpu->has_run, true);
    return 0;
}

static int run_prepared(struct hvs_dropin_vcpu *vcpu)
{
    struct hvs_dropin_vm *vm = vcpu->file.vm;

    if (vm->is_plain)
        return ioctl(vcpu->fd, KVM_RUN, 0);
    hvs_dropin_hv_answered(vcpu);
    hvs_dropin_xen_answered(vcpu);
    for (;;) {
        int answer, stop;

        vcpu->run->kvm_valid_regs |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;    /* the VMM may have set its own */
        hvs_dropin_xen_enter(vcpu);
        answer = hvs_kvm_run(vcpu->shim);
        if (answer < 0) {
            hvs_dropin_xen_interrupted(vcpu);
            return answer;
        }
        if ((vm->has_interface ? interface_exit(vcpu) : hvs_kvm_exit(vcpu->shim)) == HVS_KVM_NOT_OURS)
            return answer;
        stop = atomic_load_explicit(&vm->stop, memory_order_relaxed) ? atomic_exchange(&vm->stop, 0) : 0;
        if (stop)
            return show_stop(vcpu, (enum hvs_stop_reason)(stop - 1));
    }
}

/* Who holds the VM says so first and then looks who runs; the vCPU does the opposite, so one of them sees the other. */
static void begin_run(struct hvs_dropin_vcpu *vcpu)
{
    struct hvs_dropin_vm *vm = vcpu->file.vm;

    atomic_store(&vcpu->is_running, true);
    while (atomic_load(&vm->is_held)) {
        atomic_store(&vcpu->is_running, false);
        pthread_mutex_lock(&vm->lock);
        pthread_mutex_unlock(&vm->lock);
        atomic_store(&vcpu->is_running, true);
    }
}

static int run_guest(struct hvs_dropin_vcpu *vcpu)
{
    int answer, err;

    begin_run(vcpu);
    answer = prepare(vcpu) ? -1 : run_prepared(vcpu);
    err = errno;
    atomic_fetch_add(&vcpu->nr_runs, 1);
    atomic_store(&vcpu->is_running, false);
    errno = err;
    return answer;
}

/* The VMM's, but our own signal must get the vCPU out. The mask is the kernel's: bit n - 1 for signal n. */
static int set_signal_mask(struct hvs_dropin_vcpu *vcpu, int fd, const struct kvm_signal_mask *asked)
{
    uint32_t bit = (uint32_t)vcpu->file.vm->config.kick_signal - 1;
    struct {
        struct kvm_signal_mask head;
        uint8_t set[8];
    } mask;

    if (!asked || asked->len != sizeof(mask.set))
        return ioctl(fd, KVM_SET_SIGNAL_MASK, asked);
    mask.head.len = asked->len;
    memcpy(mask.head.sigset, asked->sigset, sizeof(mask.set));
    mask.head.sigset[bit / 8] &= (uint8_t)~(1u << bit % 8);
    return ioctl(fd, KVM_SET_SIGNAL_MASK, &mask);
}

static int refuse(int err)
{
    errno = err;
    return -1;
}

static int enable_synic(struct hvs_dropin_vcpu *vcpu, const struct kvm_enable_cap *cap)
{
    bool has_pages = cap->cap == KVM_CAP_HYPERV_SYNIC2;

    if (has_pages && cap->args[0])
        return refuse(EINVAL);
    vcpu->hv.has_synic = true;
    vcpu->file.vm->hv.has_synic_pages = has_pages;
    return 0;
}

static int enable_cap(struct hvs_dropin_vcpu *vcpu, int fd, const struct kvm_enable_cap *cap)
{
    bool is_hv = vcpu->file.vm->hv.is_there;

    switch (cap->cap) {
    case KVM_CAP_ENFORCE_PV_FEATURE_CPUID:
        /* Without KVM's own leaves the kernel would refuse KVM's MSRs, which VMMs set and save all the same. */
        return vcpu->file.vm->has_interface ? ioctl(fd, KVM_ENABLE_CAP, cap) : 0;
    case KVM_CAP_HYPERV_SYNIC:
    case KVM_CAP_HYPERV_SYNIC2:
        return is_hv && !cap->flags ? enable_synic(vcpu, cap) : ioctl(fd, KVM_ENABLE_CAP, cap);
    case KVM_CAP_HYPERV_ENFORCE_CPUID:
        return is_hv ? 0 : ioctl(fd, KVM_ENABLE_CAP, cap);      /* it always is */
    case KVM_CAP_HYPERV_ENLIGHTENED_VMCS:
    case KVM_CAP_HYPERV_DIRECT_TLBFLUSH:
        return is_hv ? refuse(EINVAL) : ioctl(fd, KVM_ENABLE_CAP, cap);
    default:
        return ioctl(fd, KVM_ENABLE_CAP, cap);
    }
}

static int hv_ioctl(struct hvs_dropin_vcpu *vcpu, int fd, unsigned long request, void *argument)
{
    switch (request) {
    case KVM_GET_MSRS:
        return hvs_dropin_hv_get_msrs(vcpu, fd, argument);
    case KVM_SET_MSRS:
        return hvs_dropin_hv_set_msrs(vcpu, fd, argument);
    case KVM_GET_SUPPORTED_HV_CPUID:
        return vcpu->file.vm->hv.is_there ? hvs_dropin_hv_get_supported(vcpu->file.vm->kvm_fd, argument) :
                                            ioctl(fd, request, argument);
    default:
        return ioctl(fd, request, argument);
    }
}

static int xen_ioctl(struct hvs_dropin_vcpu *vcpu, unsigned long request, void *argument)
{
    struct hvs_dropin_vm *vm = vcpu->file.vm;
    int answer;

    pthread_mutex_lock(&vm->lock);
    answer = request == KVM_XEN_VCPU_SET_ATTR ? hvs_dropin_xen_vcpu_set_attr(vcpu, argument) :
                                                hvs_dropin_xen_vcpu_get_attr(vcpu, argument);
    pthread_mutex_unlock(&vm->lock);
    return answer;
}

static int interface_ioctl(struct hvs_dropin_vcpu *vcpu, int fd, unsigned long request, void *argument)
{
    bool is_xen = request == KVM_XEN_VCPU_SET_ATTR || request == KVM_XEN_VCPU_GET_ATTR;

    return is_xen && vcpu->file.vm->xen.is_there ? xen_ioctl(vcpu, request, argument) :
                                                   hv_ioctl(vcpu, fd, request, argument);
}

int hvs_dropin_vcpu_ioctl(struct hvs_dropin_vcpu *vcpu, int fd, unsigned long request, void *argument)
{
    switch (request) {
    case KVM_RUN:
        return run_guest(vcpu);
    case KVM_SET_CPUID2:
        return set_cpuid(vcpu, fd, argument);
    case KVM_SET_CPUID:
        return hvs_dropin_fail(&vcpu->file.vm->config, "this VMM sets CPUID by KVM_SET_CPUID, which is not supported");
    case KVM_SET_REGS:
        return set_regs(vcpu, fd, argument);
    case KVM_SET_SREGS:
    case KVM_SET_SREGS2:
        return set_sregs(vcpu, fd, request, argument);
    case KVM_SET_SIGNAL_MASK:
        return set_signal_mask(vcpu, fd, argument);
    case KVM_ENABLE_CAP:
        return enable_cap(vcpu, fd, argument);
    default:
        return vcpu->file.vm->has_interface ? interface_ioctl(vcpu, fd, request, argument) :
                                              ioctl(fd, request, argument);
    }
}
