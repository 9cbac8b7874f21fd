/*
 * A VM as the layer follows it. The library's VM is made when a vCPU runs for the first time: only then it is known how
 * many there are, and where memory lies.
 */
#include "dropin.h"

#include "../backend.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DEFAULT_PHYS_BITS = 39, MIN_PHYS_BITS = 32, MAX_PHYS_BITS = 52 };

#ifndef KVM_SET_USER_MEMORY_REGION2     /* Linux 6.8 */
#define KVM_SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, uint8_t[160])
#endif

/* Where a PC has the MSIs' window, and so neither memory nor devices. */
#define STUB_GPA 0xfeef0000u

bool hvs_dropin_vm_is_foreign(const struct hvs_dropin_vm *vm)
{
    return vm->owner != getpid();
}

/* --- beginning and end ------------------------------------------------------------------------------------------ */

void hvs_dropin_vm_tell_end(struct hvs_dropin_vm *vm)
{
    if (vm->kvm && !vm->has_failed && vm->config.on_end)
        vm->config.on_end(vm->config.ctx, vm->kvm);
    vm->config.on_end = NULL;
}

void hvs_dropin_vm_destroy(struct hvs_dropin_vm *vm)
{
    hvs_dropin_vm_tell_end(vm);
    hvs_dropin_hv_events_destroy(&vm->hv.events);
    if (vm->kvm)
        hvs_kvm_destroy(vm->kvm);
    hvs_dropin_special_destroy(vm);
    hvs_dropin_xen_destroy(&vm->xen);
    for (uint32_t vp = 0; vp < vm->nr_vcpus; vp++)
        hvs_dropin_vcpu_destroy(vm->vcpu[vp]);
    if (vm->fd >= 0)
        close(vm->fd);
    if (vm->kvm_fd >= 0)
        close(vm->kvm_fd);
    pthread_mutex_destroy(&vm->lock);
    free(vm->vcpu);
    free(vm->apic_id);
    free(vm->slots.slot);
    free(vm->msrs.bitmaps);
    free(vm);
}

struct hvs_dropin_vm *hvs_dropin_vm_create(int kvm_fd, int fd)
{
    struct hvs_dropin_vm *vm = calloc(1, sizeof(*vm));

    if (!vm)
        return NULL;
    vm->file.vm = vm;
    vm->owner = getpid();
    pthread_mutex_init(&vm->lock, NULL);
    hvs_dropin_hv_store_init(&vm->hv.store);
    hvs_dropin_hv_events_init(&vm->hv.events);
    hvs_dropin_hv_clock_init(&vm->hv.clock);
    hvs_dropin_xen_init(&vm->xen);
    vm->kvm_fd = hvs_dropin_file_keep(kvm_fd);
    vm->fd = hvs_dropin_file_keep(fd);
    if (vm->kvm_fd >= 0 && vm->fd >= 0 && !hvs_dropin_file_add(fd, &vm->file))
        return vm;
    hvs_dropin_vm_destroy(vm);
    return NULL;
}

/* --- the first run, and reset ----------------------------------------------------------------------------------- */

static void on_stop(void *ctx, enum hvs_stop_reason reason)
{
    struct hvs_dropin_vm *vm = ctx;

    atomic_store(&vm->stop, 1 + (int)reason);
}

struct hvs_dropin_vm *hvs_dropin_vm_of(const struct hvs_kvm *kvm)
{
    return kvm->config.on_stop == on_stop ? kvm->config.ctx : NULL;
}

/* The width of guest-physical addresses, as the boot CPU says it. */
static uint32_t phys_bits(const struct hvs_dropin_vm *vm)
{
    const struct kvm_cpuid2 *cpuid = vm->vcpu[0]->cpuid;
    uint32_t bits = DEFAULT_PHYS_BITS;

    for (uint32_t i = 0; cpuid && i < cpuid->nent; i++) {
        if (cpuid->entries[i].function == 0x80000008)
            bits = cpuid->entries[i].eax & 0xff;
    }
    return bits < MIN_PHYS_BITS ? MIN_PHYS_BITS : bits > MAX_PHYS_BITS ? MAX_PHYS_BITS : bits;
}

/* What the guest is to have of Hyper-V is what the VMM says in CPUID. */
static void choose_hv(struct hvs_dropin_vm *vm, struct hvs_vm_config *config)
{
    const struct hvs_dropin_vcpu *boot = vm->vcpu[0];
    struct hvs_kvm_caps caps = {0};

    vm->hv.is_chosen = vm->hv.is_there && hvs_dropin_hv_is_in(boot->cpuid);
    if (!vm->hv.is_chosen)
        return;
    hvs_kvm_probe(vm->kvm_fd, &caps);
    hvs_dropin_hv_choose(boot->cpuid, hvs_dropin_hv_offered(hvs_kvm_vm_caps(&caps)), boot->hv.has_synic,
                         &config->slot[0]);
    vm->hv.has_debug = hvs_dropin_hv_has_debug(boot->cpuid);
    vm->hv.options = (struct hvs_hv_options){
        .size = sizeof(vm->hv.options), .has_synic_pages = vm->hv.has_synic_pages};
    config->slot[0].options = &vm->hv.options;
    config->nr_slots = 1;
}

/* Lock held. Returns HVS_OK, or HVS_ENOSPC. */
static int choose(struct hvs_dropin_vm *vm, struct hvs_vm_config *config)
{
    int err;

    choose_hv(vm, config);
    err = hvs_dropin_xen_choose(vm, &config->slot[config->nr_slots]);
    config->nr_slots += err == HVS_OK;
    return err == HVS_ENOENT ? HVS_OK : err;
}

static int make_kvm(struct hvs_dropin_vm *vm)
{
    struct hvs_kvm_dropin *asked = &vm->config;
    struct hvs_kvm_config config = {
        .size = sizeof(config), .kvm_fd = vm->kvm_fd, .vm_fd = vm->fd, .vm = asked->vm, .may_add_vcpus = true,
        .kick_signal = asked->kick_signal, .hidden_gpa = UINT64_MAX,    /* the VMM's slots and addresses are its own */
        .keep_kvm_leaves = vm->has_interface, .shares_eoi_assist = vm->has_interface, .on_stop = on_stop, .ctx = vm,
    };
    struct hvs_kvm_caps caps;
    char why[512];
    int err;

    config.stub_gpa = vm->hv.is_there ? STUB_GPA : 0;
    if (asked->max_vcpus < vm->nr_vcpus)
        asked->max_vcpus = vm->nr_vcpus;
    vm->apic_id = calloc(asked->max_vcpus, sizeof(*vm->apic_id));
    if (!vm->apic_id)
        return hvs_dropin_fail(asked, "no memory for %u vCPUs", asked->max_vcpus);
    for (uint32_t vp = 0; vp < asked->max_vcpus; vp++)
        vm->apic_id[vp] = vp < vm->nr_vcpus ? vm->vcpu[vp]->id : vp;
    if (vm->has_interface && choose(vm, &config.vm))
        return hvs_dropin_fail(asked, "no memory for %u vCPUs", asked->max_vcpus);
    hvs_dropin_special_make(vm, &config.vm);
    config.vm.size = sizeof(config.vm);
    config.vm.nr_vps = asked->max_vcpus;
    config.vm.apic_id = vm->apic_id;
    config.vm.memory_bytes = hvs_dropin_slots_memory_bytes(&vm->slots);
    config.vm.phys_bits = phys_bits(vm);
    err = hvs_kvm_create(&config, &vm->kvm);
    if (!err)
        return 0;
    hvs_kvm_probe(vm->kvm_fd, &caps);
    hvs_kvm_why_not(&caps, &config.vm, err, why, sizeof(why));
    return hvs_dropin_fail(asked, "cannot present this: %s", why);
}

static int join(struct hvs_dropin_vm *vm, uint32_t vp)
{
    int err = hvs_dropin_vcpu_join(vm, vp);

    if (err == HVS_ENOTSUP && !vm->vcpu[vp]->shim)
        return hvs_dropin_fail(&vm->config, "vCPU %u has no local APIC in the kernel: have the VMM use one (QEMU: "
                               "-machine kernel-irqchip=on or split)", vm->vcpu[vp]->id);
    return err ? hvs_dropin_fail(&vm->config, "vCPU %u: %s", vm->vcpu[vp]->id, hvs_strerror(err)) : 0;
}

static int load(struct hvs_dropin_vm *vm)
{
    char why[256];

    if (hvs_dropin_state_load(vm, vm->config.state, vm->config.state_bytes, why, sizeof(why)))
        return hvs_dropin_fail(&vm->config, "cannot load the state: %s", why);
    return 0;
}

/* What the VMM set of KVM's own interfaces before the library had this vCPU. */
static int give(struct hvs_dropin_vcpu *vcpu)
{
    hvs_dropin_xen_start(vcpu);
    return vcpu->file.vm->hv.is_chosen ? hvs_dropin_hv_give_msrs(vcpu) : 0;
}

static int look_for_calls(struct hvs_dropin_vm *vm)
{
    struct hvs_dropin_vcpu *boot = vm->vcpu[0];
    bool is_reset = atomic_load(&boot->is_rip_reset) && atomic_load(&boot->is_cs_reset);

    return hvs_kvm_patch_again(boot->shim, !is_reset);
}

static int start(struct hvs_dropin_vm *vm)
{
    int err;

    if (make_kvm(vm))
        return -1;
    for (uint32_t vp = 0; vp < vm->nr_vcpus; vp++) {
        if (join(vm, vp))
            return -1;
    }
    err = hvs_dropin_slots_give(vm);
    if (!err)
        err = hvs_dropin_special_give(vm);
    if (!err)
        err = hvs_kvm_set_msr_filter(vm->kvm, &vm->msrs.filter, vm->msrs.reasons);
    if (!err)
        err = hvs_kvm_start(vm->kvm);
    if (!err && vm->has_interface)
        err = look_for_calls(vm);
    if (!err && vm->has_interface)
        err = hvs_dropin_hv_clock_start(vm);
    if (err)
        return hvs_dropin_fail(&vm->config, "the host's KVM refuses: %s", hvs_strerror(err));
    for (uint32_t vp = 0; vp < vm->nr_vcpus; vp++) {
        if (give(vm->vcpu[vp]))
            return -1;
    }
    if (vm->config.state && load(vm))
        return -1;
    hvs_dropin_hv_events_start(&vm->hv.events, vm->kvm);
    if (vm->config.on_start)
        vm->config.on_start(vm->config.ctx, vm->kvm);
    return 0;
}

/* Of a VM that runs. Lock held. */
static int join_late(struct hvs_dropin_vm *vm, struct hvs_dropin_vcpu *vcpu)
{
    uint32_t vp = 0;

    while (vp < vm->nr_vcpus && vm->vcpu[vp] != vcpu)
        vp++;
    if (vp == vm->nr_vcpus || join(vm, vp))
        return -1;
    return give(vcpu);
}

/*
 * With KVM's own interface the VMM sets all anew, and may have loaded a state by the time the guest runs; but a kernel
 * that begins, or comes from elsewhere, is to be looked at.
 */
int hvs_dropin_vm_reset(struct hvs_dropin_vm *vm)
{
    int err = vm->has_interface ? look_for_calls(vm) : hvs_kvm_reset(vm->kvm);

    for (uint32_t vp = 0; vp < vm->nr_vcpus; vp++) {
        atomic_store(&vm->vcpu[vp]->has_run, false);
        if (vm->vcpu[vp]->shim)
            hvs_kvm_drop_past_apic(vm->vcpu[vp]->shim);
    }
    atomic_store(&vm->stop, 0);
    atomic_store(&vm->needs_reset, false);
    if (!err && vm->config.on_reset)
        vm->config.on_reset(vm->config.ctx, vm->kvm);
    return err;
}

/* Does the VMM want neither of the interfaces that it is shown? */
static bool is_plain(const struct hvs_dropin_vm *vm)
{
    return vm->has_interface && !vm->kvm && !(vm->hv.is_there && hvs_dropin_hv_is_in(vm->vcpu[0]->cpuid)) &&
           !(vm->xen.config.flags & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL);
}

/* Lock held. */
static int prepare(struct hvs_dropin_vm *vm, struct hvs_dropin_vcpu *vcpu)
{
    if (is_plain(vm)) {
        vm->is_plain = true;
        atomic_store(&vm->needs_reset, false);
        atomic_store(&vcpu->is_ready, true);
        return 0;
    }
    if (!vm->kvm) {
        vm->has_failed = start(vm) != 0;
        atomic_store(&vm->needs_reset, false);
    }
    if (!vm->has_failed && !atomic_load(&vcpu->is_ready) && join_late(vm, vcpu))
        return -1;
    if (!vm->has_failed && hvs_dropin_hv_clock_mend(vcpu))
        return hvs_dropin_fail(&vm->config, "the vCPUs' TSCs cannot be brought in step");
    if (!vm->has_failed && atomic_load(&vm->needs_reset)) {
        int err = hvs_dropin_vm_reset(vm);

        if (err)
            return hvs_dropin_fail(&vm->config, "the host's KVM refuses a reset: %s", hvs_strerror(err));
    }
    errno = EINVAL;
    return vm->has_failed ? -1 : 0;
}

int hvs_dropin_vm_prepare(struct hvs_dropin_vm *vm, struct hvs_dropin_vcpu *vcpu)
{
    int answer;

    pthread_mutex_lock(&vm->lock);
    answer = prepare(vm, vcpu);
    pthread_mutex_unlock(&vm->lock);
    return answer;
}

/* --- calls on the VM -------------------------------------------------------------------------------------------- */

static int fail_by(struct hvs_dropin_vm *vm, int err)
{
    if (err == HVS_ENOTSUP)
        return -1;              /* errno is the kernel's */
    if (err == HVS_ENOSPC)
        return hvs_dropin_fail(&vm->config, "the VMM's MSR filter and what is presented do not fit into one");
    errno = EINVAL;
    return -1;
}

/* Lock held. The kernel checks what the VMM wants while there is nothing of ours to merge with. */
static int want_msrs(struct hvs_dropin_vm *vm, int fd, unsigned long request, void *argument,
                     struct hvs_kvm_wanted *wanted)
{
    int err = vm->kvm ? hvs_kvm_set_msr_filter(vm->kvm, &wanted->filter, wanted->reasons) : HVS_OK;

    if (err)
        return fail_by(vm, err);
    if (!vm->kvm && ioctl(fd, request, argument) < 0)
        return -1;
    return 0;
}

static int set_msr_filter(struct hvs_dropin_vm *vm, int fd, struct kvm_msr_filter *filter)
{
    struct hvs_kvm_wanted wanted = {.bitmaps = NULL};
    int err = hvs_kvm_filter_copy(filter, &wanted), answer;

    if (err)
        return fail_by(vm, err);
    pthread_mutex_lock(&vm->lock);
    wanted.reasons = vm->msrs.reasons;
    answer = want_msrs(vm, fd, KVM_X86_SET_MSR_FILTER, filter, &wanted);
    if (answer == 0) {
        free(vm->msrs.bitmaps);
        vm->msrs = wanted;
    } else {
        free(wanted.bitmaps);
    }
    pthread_mutex_unlock(&vm->lock);
    return answer;
}

static int set_msr_reasons(struct hvs_dropin_vm *vm, int fd, struct kvm_enable_cap *cap)
{
    struct hvs_kvm_wanted wanted;
    int answer;

    pthread_mutex_lock(&vm->lock);
    wanted = vm->msrs;
    wanted.reasons = (uint32_t)cap->args[0];
    answer = want_msrs(vm, fd, KVM_ENABLE_CAP, cap, &wanted);
    if (answer == 0)
        vm->msrs = wanted;
    pthread_mutex_unlock(&vm->lock);
    return answer;
}

static int enable_cap(struct hvs_dropin_vm *vm, int fd, struct kvm_enable_cap *cap)
{
    int answer;

    switch (cap->cap) {
    case KVM_CAP_X86_USER_SPACE_MSR:
        return set_msr_reasons(vm, fd, cap);
    case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
        answer = ioctl(fd, KVM_ENABLE_CAP, cap);
        if (answer == 0)
            vm->slots.is_cleared_by_hand = cap->args[0];
        return answer;
    default:
        return ioctl(fd, KVM_ENABLE_CAP, cap);
    }
}

static int clock_ioctl(struct hvs_dropin_vm *vm, int fd, unsigned long request, void *argument)
{
    int answer;

    pthread_mutex_lock(&vm->lock);
    answer = request == KVM_GET_CLOCK ? hvs_dropin_hv_get_clock(vm, fd, argument) :
                                        hvs_dropin_hv_set_clock(vm, fd, argument);
    pthread_mutex_unlock(&vm->lock);
    return answer;
}

static int xen_ioctl(struct hvs_dropin_vm *vm, unsigned long request, void *argument)
{
    int answer;

    if (request == KVM_XEN_HVM_EVTCHN_SEND)
        return hvs_dropin_xen_event(&vm->xen, argument);
    pthread_mutex_lock(&vm->lock);
    if (request == KVM_XEN_HVM_CONFIG)
        answer = hvs_dropin_xen_configure(vm, argument);
    else
        answer = request == KVM_XEN_HVM_SET_ATTR ? hvs_dropin_xen_set_attr(vm, argument) :
                                                   hvs_dropin_xen_get_attr(vm, argument);
    pthread_mutex_unlock(&vm->lock);
    return answer;
}

/* What is the VMM's own where it does not speak KVM's interface for Hyper-V or Xen. */
static int interface_ioctl(struct hvs_dropin_vm *vm, int fd, unsigned long request, void *argument)
{
    struct hvs_dropin_hv_events *events = &vm->hv.events;

    switch (request) {
    case KVM_GET_CLOCK:
    case KVM_SET_CLOCK:
        return clock_ioctl(vm, fd, request, argument);
    case KVM_SET_GSI_ROUTING:
        return hvs_dropin_hv_set_routing(events, fd, argument);
    case KVM_IRQFD:
        return hvs_dropin_hv_set_irqfd(events, fd, argument);
    case KVM_IRQ_LINE:
    case KVM_IRQ_LINE_STATUS:
        return hvs_dropin_hv_set_line(events, fd, request, argument);
    case KVM_HYPERV_EVENTFD:
        return vm->hv.is_there ? hvs_dropin_hv_set_eventfd(events, argument) : ioctl(fd, request, argument);
    case KVM_XEN_HVM_CONFIG:
    case KVM_XEN_HVM_SET_ATTR:
    case KVM_XEN_HVM_GET_ATTR:
    case KVM_XEN_HVM_EVTCHN_SEND:
        return vm->xen.is_there ? xen_ioctl(vm, request, argument) : ioctl(fd, request, argument);
    default:
        return ioctl(fd, request, argument);
    }
}

int hvs_dropin_vm_ioctl(struct hvs_dropin_vm *vm, int fd, unsigned long request, void *argument)
{
    switch (request) {
    case KVM_CREATE_VCPU:
        return hvs_dropin_vcpu_create(vm, fd, (uintptr_t)argument);
    case KVM_SET_USER_MEMORY_REGION:
    case KVM_SET_USER_MEMORY_REGION2:
        return hvs_dropin_slots_set(vm, fd, request, argument);
    case KVM_GET_DIRTY_LOG:
        return hvs_dropin_slots_get_dirty(vm, fd, argument);
    case KVM_CLEAR_DIRTY_LOG:
        return hvs_dropin_slots_clear_dirty(vm, fd, argument);
    case KVM_X86_SET_MSR_FILTER:
        return set_msr_filter(vm, fd, argument);
    case KVM_ENABLE_CAP:
        return enable_cap(vm, fd, argument);
    default:
        return vm->has_interface ? interface_ioctl(vm, fd, request, argument) : ioctl(fd, request, argument);
    }
}
