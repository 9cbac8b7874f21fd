/*
 * The age of the VM, from which the reference counter counts: KVM_GET_CLOCK and KVM_SET_CLOCK. In the kernel it is the
 * clock that these set, and VMMs stop and carry over the guest's time by them.
 *
 * The kernel keeps its own clock beside ours, for guests that read kvmclock. Both run on the TSC, so what is told by
 * KVM_GET_CLOCK is ours once it runs: two that differ by the rounding of a rate would let one of them go back.
 */
#include "dropin.h"

#include "../backend.h"

#include <sys/ioctl.h>

void hvs_dropin_hv_clock_init(struct hvs_dropin_hv_clock *clock)
{
    clock->at_ns = hvs_kvm_monotonic_ns();
}

int hvs_dropin_hv_get_clock(struct hvs_dropin_vm *vm, int fd, struct kvm_clock_data *data)
{
    int answer = ioctl(fd, KVM_GET_CLOCK, data);

    if (answer == 0 && vm->kvm)
        data->clock = hvs_kvm_age(vm->kvm);
    return answer;
}

/* Some time may pass before the guest runs, and it counts, as in the kernel. */
int hvs_dropin_hv_set_clock(struct hvs_dropin_vm *vm, int fd, const struct kvm_clock_data *data)
{
    int answer = ioctl(fd, KVM_SET_CLOCK, data);

    if (answer < 0)
        return answer;
    vm->hv.clock = (struct hvs_dropin_hv_clock){.age_ns = data->clock, .at_ns = hvs_kvm_monotonic_ns()};
    atomic_store(&vm->hv.needs_clock, false);
    if (vm->kvm && hvs_kvm_set_age(vm->kvm, data->clock))
        return hvs_dropin_fail(&vm->config, "the vCPUs' TSCs cannot be brought in step");
    return 0;
}

int hvs_dropin_hv_clock_start(struct hvs_dropin_vm *vm)
{
    const struct hvs_dropin_hv_clock *clock = &vm->hv.clock;

    atomic_store(&vm->hv.needs_clock, false);
    return hvs_kvm_set_age(vm->kvm, clock->age_ns + hvs_kvm_monotonic_ns() - clock->at_ns);
}

/* One that the library does not have is brought in step when it gets it. */
void hvs_dropin_hv_clock_note_tsc(struct hvs_dropin_vcpu *vcpu)
{
    if (!atomic_load(&vcpu->is_ready) || !vcpu->shim)
        return;
    if (atomic_load(&vcpu->is_boot))
        atomic_store(&vcpu->file.vm->hv.needs_clock, true);
    else
        atomic_store(&vcpu->hv.needs_clock, true);
}

/*
 * All go by the boot CPU. Where its TSC was written the VM stands, and no other vCPU gets past here before they are in
 * step. One that is plugged in comes alone, while the kernel may keep others in KVM_RUN for good.
 */
int hvs_dropin_hv_clock_mend(struct hvs_dropin_vcpu *vcpu)
{
    struct hvs_dropin_vm *vm = vcpu->file.vm;
    int err = HVS_OK;

    if (atomic_load(&vm->hv.needs_clock)) {
        err = hvs_kvm_set_age(vm->kvm, hvs_kvm_age(vm->kvm));
        atomic_store(&vm->hv.needs_clock, false);
    }
    if (atomic_exchange(&vcpu->hv.needs_clock, false) && !err)
        err = hvs_kvm_clock_join(vcpu->shim);
    return err;
}
