/*
 * Flushing a preempted vCPU without waiting for it, by KVM's steal-time area [Linux Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_STEAL_TIME; KVM_FEATURE_PV_TLB_FLUSH in cpuid.rst]: the kernel marks there that it took the CPU away from the
 * vCPU while that was in the guest, and who exchanges that mark for a flush request is sure that it is honoured before
 * the guest goes on.
 *
 * The areas lie in a memory slot of ours at the end of the guest-physical address space. The guest can reach them only
 * to its own harm.
 *
 * Only a mark of the kernel's may be exchanged: a request that comes without one would be overwritten by the next.
 * Kernels before 5.19 also mark vCPUs that are not in the guest, and forget the area of one that gets an INIT while it
 * is marked; there this is not used.
 */
#include "backend.h"

#include <asm/kvm_para.h>
#include <sys/mman.h>

HVS_STATIC_ASSERT(sizeof(struct kvm_steal_time) == 64, "a steal-time area is 64 bytes");

static uint64_t bytes_for(uint32_t nr_areas)
{
    uint64_t bytes = (uint64_t)nr_areas * sizeof(struct kvm_steal_time);

    return (bytes + HVS_PAGE_BYTES - 1) & ~(uint64_t)(HVS_PAGE_BYTES - 1);
}

/* Returns the areas, or NULL where the slot cannot be made. */
static struct kvm_steal_time *make_areas(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t bytes)
{
    struct kvm_userspace_memory_region region = {.slot = slot, .guest_phys_addr = gpa, .memory_size = bytes};
    void *areas = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (areas == MAP_FAILED)
        return NULL;
    region.userspace_addr = (uintptr_t)areas;
    if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) == 0)
        return areas;
    munmap(areas, bytes);
    return NULL;
}

static int arm(int vcpu_fd, uint64_t gpa)
{
    return hvs_kvm_msr_set(vcpu_fd, MSR_KVM_STEAL_TIME, gpa | KVM_MSR_ENABLED);
}

static uint64_t area_gpa(const struct hvs_kvm_vcpu *vcpu)
{
    return vcpu->kvm->steal.gpa + (uint64_t)vcpu->vp * sizeof(struct kvm_steal_time);
}

int hvs_kvm_steal_start(struct hvs_kvm *kvm)
{
    struct hvs_kvm_steal *steal = &kvm->steal;
    const struct hvs_vm_config *vm = &kvm->config.vm;
    /* Then the kernel keeps Xen's run state instead. */
    bool is_kernel_xen = kvm->claims.has_raw && kvm->caps.has_kernel_xen;

    if (!kvm->caps.has_steal_flush || !kvm->config.kick_signal || kvm->config.keep_kvm_leaves || is_kernel_xen)
        return HVS_ENOTSUP;
    if (kvm->config.hidden_gpa == UINT64_MAX)
        return HVS_ENOTSUP;
    steal->bytes = bytes_for(vm->nr_vps);
    steal->gpa = kvm->config.hidden_gpa ? kvm->config.hidden_gpa : (1ull << vm->phys_bits) - steal->bytes;
    steal->slot = hvs_kvm_own_slot(kvm->config.kvm_fd, HVS_KVM_OWN_STEAL);
    steal->area = make_areas(kvm->config.vm_fd, steal->slot, steal->gpa, steal->bytes);
    return steal->area ? HVS_OK : HVS_ENOTSUP;
}

void hvs_kvm_steal_destroy(struct hvs_kvm *kvm)
{
    struct hvs_kvm_steal *steal = &kvm->steal;
    struct kvm_userspace_memory_region none = {.slot = steal->slot, .guest_phys_addr = steal->gpa};

    if (!steal->area)
        return;
    ioctl(kvm->config.vm_fd, KVM_SET_USER_MEMORY_REGION, &none);
    munmap(steal->area, steal->bytes);
}

static struct kvm_steal_time *area_of(const struct hvs_kvm_vcpu *vcpu)
{
    return vcpu->kvm->steal.area ? &vcpu->kvm->steal.area[vcpu->vp] : NULL;
}

bool hvs_kvm_steal_flush(struct hvs_kvm_vcpu *vcpu)
{
    struct kvm_steal_time *area = area_of(vcpu);
    uint8_t mark = KVM_VCPU_PREEMPTED;

    if (!area)
        return false;
    if (!__atomic_compare_exchange_n(&area->preempted, &mark, KVM_VCPU_PREEMPTED | KVM_VCPU_FLUSH_TLB, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
        mark != (KVM_VCPU_PREEMPTED | KVM_VCPU_FLUSH_TLB))
        return false;
    atomic_fetch_add_explicit(&vcpu->kvm->steal.nr_flushes, 1, memory_order_relaxed);
    return true;
}

/*
 * The kernel may never see what was left for it: at INIT, and by KVM_SET_MSRS of the VMM, it forgets the area. So the
 * vCPU looks itself, and says again where the area is when the last run left no trace there.
 */
bool hvs_kvm_steal_enter(struct hvs_kvm_vcpu *vcpu)
{
    struct kvm_steal_time *area = area_of(vcpu);
    uint32_t version;

    if (!area)
        return false;
    version = __atomic_load_n(&area->version, __ATOMIC_RELAXED);
    if (version == vcpu->steal_version)
        arm(vcpu->fd, area_gpa(vcpu));
    vcpu->steal_version = version;
    return __atomic_exchange_n(&area->preempted, 0, __ATOMIC_SEQ_CST) & KVM_VCPU_FLUSH_TLB;
}

bool hvs_kvm_try_steal_flush(int vm_fd, int vcpu_fd)
{
    struct kvm_steal_time *areas = make_areas(vm_fd, 0, 0, HVS_PAGE_BYTES);
    bool works;

    if (!areas)
        return false;
    works = arm(vcpu_fd, 0) == HVS_OK;
    ioctl(vcpu_fd, KVM_RUN, 0);
    works = works && areas->version && !areas->preempted;
    munmap(areas, HVS_PAGE_BYTES);
    return works;
}
