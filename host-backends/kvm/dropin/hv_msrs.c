/*
 * KVM_GET_MSRS and KVM_SET_MSRS of Hyper-V's MSRs: to the library once it runs, before that, and where the guest has no
 * such feature, to a store. As in the kernel a VMM may set what its guest cannot reach.
 */
#include "dropin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hv_abi.h"

#define FIRST HV_X64_MSR_GUEST_OS_ID
#define LAST 0x400001ffu        /* of what the kernel's own code would take */
#define MSR_IA32_TSC 0x10u

/* MSRs that the interface has, as far as VMMs get and set them; not those that only act. */
static const struct known {
    uint32_t first, last;
    bool is_of_vm;
    bool is_set_for_nothing;    /* what is written does not matter, or is what the VM has anyway */
} known[] = {
    {HV_X64_MSR_GUEST_OS_ID, HV_X64_MSR_HYPERCALL, true, false},
    {HV_X64_MSR_VP_INDEX, HV_X64_MSR_VP_INDEX, false, false},
    {HV_X64_MSR_RESET, HV_X64_MSR_RESET, true, true},
    {HV_X64_MSR_VP_RUNTIME, HV_X64_MSR_VP_RUNTIME, false, false},
    {HV_X64_MSR_TIME_REF_COUNT, HV_X64_MSR_TIME_REF_COUNT, true, true},
    {HV_X64_MSR_REFERENCE_TSC, HV_X64_MSR_REFERENCE_TSC, true, false},
    {HV_X64_MSR_TSC_FREQUENCY, HV_X64_MSR_APIC_FREQUENCY, true, true},
    {HV_X64_MSR_VP_ASSIST_PAGE, HV_X64_MSR_SCONTROL, false, false},
    {HV_X64_MSR_SVERSION, HV_X64_MSR_SVERSION, false, true},
    {HV_X64_MSR_SIEFP, HV_X64_MSR_SIMP, false, false},
    {HV_X64_MSR_EOM, HV_X64_MSR_EOM, false, true},
    {HV_X64_MSR_SINT0, HV_X64_MSR_SINT15, false, false},
    {HV_X64_MSR_STIMER0_CONFIG, HV_X64_MSR_STIMER3_COUNT, false, false},
    {HV_X64_MSR_SYNTH_DEBUG_CONTROL, HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER, true, false},
    {HV_X64_MSR_DEBUG_DEVICE_OPTIONS, HV_X64_MSR_DEBUG_DEVICE_OPTIONS, true, false},
    {HV_X64_MSR_CRASH_P0, HV_X64_MSR_CRASH_P4, true, false},
    {HV_X64_MSR_CRASH_CTL, HV_X64_MSR_CRASH_CTL, true, true},
    {HV_X64_MSR_REENLIGHTENMENT_CONTROL, HV_X64_MSR_TSC_EMULATION_STATUS, true, false},
    {HV_X64_MSR_TSC_INVARIANT_CONTROL, HV_X64_MSR_TSC_INVARIANT_CONTROL, true, false},
};

static const struct known *find(uint32_t index)
{
    for (size_t i = 0; i < HVS_ARRAY_SIZE(known); i++) {
        if (index >= known[i].first && index <= known[i].last)
            return &known[i];
    }
    return NULL;
}

void hvs_dropin_hv_store_init(struct hvs_dropin_hv_store *store)
{
    for (uint32_t index = HV_X64_MSR_SINT0; index <= HV_X64_MSR_SINT15; index++)
        store->value[index - FIRST] = HV_SYNIC_SINT_MASKED;
    store->value[HV_X64_MSR_SVERSION - FIRST] = HV_SYNIC_VERSION;
}

static uint64_t *stored(struct hvs_dropin_vcpu *vcpu, const struct known *k, uint32_t index)
{
    struct hvs_dropin_hv_store *store = k->is_of_vm ? &vcpu->file.vm->hv.store : &vcpu->hv.store;

    return &store->value[index - FIRST];
}

static uint32_t vp_of(const struct hvs_dropin_vcpu *vcpu)
{
    const struct hvs_dropin_vm *vm = vcpu->file.vm;
    uint32_t vp = 0;

    while (vp < vm->nr_vcpus && vm->vcpu[vp] != vcpu)
        vp++;
    return vp;
}

/* VM's lock held. */
static int get(struct hvs_dropin_vcpu *vcpu, uint32_t index, uint64_t *value)
{
    const struct known *k = find(index);

    if (!k)
        return HVS_ENOENT;
    if (index == HV_X64_MSR_VP_INDEX) {
        *value = vp_of(vcpu);
        return HVS_OK;
    }
    if (vcpu->shim && hvs_kvm_get_msr(vcpu->shim, index, value) == HVS_OK)
        return HVS_OK;
    *value = *stored(vcpu, k, index);
    return HVS_OK;
}

/* Likewise. */
static int set(struct hvs_dropin_vcpu *vcpu, uint32_t index, uint64_t value)
{
    const struct known *k = find(index);
    int err = HVS_ENOENT;

    if (!k)
        return HVS_EINVAL;
    if (index == HV_X64_MSR_VP_INDEX && value != vp_of(vcpu)) {
        hvs_dropin_fail(&vcpu->file.vm->config, "the VMM wants VP index %llu for what is vCPU %u by order of making",
                        (unsigned long long)value, vp_of(vcpu));
        return HVS_EINVAL;
    }
    if (!k->is_set_for_nothing && index != HV_X64_MSR_VP_INDEX && vcpu->shim)
        err = hvs_kvm_set_msr(vcpu->shim, index, value);
    if (err == HVS_ENOENT)
        *stored(vcpu, k, index) = value;
    return err == HVS_EINVAL ? err : HVS_OK;
}

/* --- what was set before the library's VM was there --------------------------------------------------------------- */

static int give(struct hvs_dropin_vcpu *vcpu, uint32_t index)
{
    const struct known *k = find(index);
    int err;

    if (!k || k->is_set_for_nothing || index == HV_X64_MSR_VP_INDEX || *stored(vcpu, k, index) == 0)
        return 0;
    if (k->is_of_vm && vcpu != vcpu->file.vm->vcpu[0])
        return 0;
    err = hvs_kvm_set_msr(vcpu->shim, index, *stored(vcpu, k, index));
    if (err != HVS_EINVAL)
        return 0;
    return hvs_dropin_fail(&vcpu->file.vm->config, "cannot go on with MSR 0x%x = 0x%llx of vCPU %u", index,
                           (unsigned long long)*stored(vcpu, k, index), vcpu->id);
}

/* In the order of their numbers, each has what it needs: identity, pages, SINTs, timers. */
int hvs_dropin_hv_give_msrs(struct hvs_dropin_vcpu *vcpu)
{
    for (uint32_t index = FIRST; index < FIRST + HVS_DROPIN_HV_MSRS; index++) {
        if (give(vcpu, index))
            return -1;
    }
    return 0;
}

/* --- lists of ours and the kernel's ------------------------------------------------------------------------------- */

static bool is_ours(uint32_t index)
{
    return index >= FIRST && index <= LAST;
}

/* Has the kernel do entries [first, end). Returns how many it did. */
static uint32_t pass(int fd, unsigned long request, struct kvm_msrs *msrs, uint32_t first, uint32_t end)
{
    uint32_t nr = end - first;
    struct kvm_msrs *part = malloc(sizeof(*part) + nr * sizeof(part->entries[0]));
    int done;

    if (!part)
        return 0;
    *part = (struct kvm_msrs){.nmsrs = nr};
    memcpy(part->entries, &msrs->entries[first], nr * sizeof(part->entries[0]));
    done = ioctl(fd, request, part);
    if (done > 0 && request == KVM_GET_MSRS)
        memcpy(&msrs->entries[first], part->entries, nr * sizeof(part->entries[0]));
    free(part);
    return done > 0 ? (uint32_t)done : 0;
}

static bool has_ours(const struct hvs_dropin_vcpu *vcpu, const struct kvm_msrs *msrs)
{
    if (!vcpu->file.vm->hv.is_there)
        return false;
    for (uint32_t i = 0; i < msrs->nmsrs; i++) {
        if (is_ours(msrs->entries[i].index))
            return true;
    }
    return false;
}

/* In order, up to the first that cannot be, and a list that is set is not written: as the kernel does it. Returns how
   many were done. */
static int go_through(struct hvs_dropin_vcpu *vcpu, int fd, unsigned long request, struct kvm_msrs *msrs)
{
    uint32_t i = 0;

    while (i < msrs->nmsrs) {
        struct kvm_msr_entry *entry = &msrs->entries[i];
        uint32_t end = i, done;
        int err;

        if (is_ours(entry->index)) {
            uint64_t value = entry->data;

            err = request == KVM_SET_MSRS ? set(vcpu, entry->index, value) : get(vcpu, entry->index, &value);
            if (err)
                break;
            if (request == KVM_GET_MSRS)
                entry->data = value;
            i++;
            continue;
        }
        while (end < msrs->nmsrs && !is_ours(msrs->entries[end].index))
            end++;
        done = pass(fd, request, msrs, i, end);
        i += done;
        if (i < end)
            break;
    }
    return (int)i;
}

static void note_tsc(struct hvs_dropin_vcpu *vcpu, const struct kvm_msrs *msrs)
{
    for (uint32_t i = 0; i < msrs->nmsrs; i++) {
        if (msrs->entries[i].index == MSR_IA32_TSC)
            hvs_dropin_hv_clock_note_tsc(vcpu);
    }
}

static int with_lock(struct hvs_dropin_vcpu *vcpu, int fd, unsigned long request, struct kvm_msrs *msrs)
{
    int answer;

    pthread_mutex_lock(&vcpu->file.vm->lock);
    answer = go_through(vcpu, fd, request, msrs);
    pthread_mutex_unlock(&vcpu->file.vm->lock);
    return answer;
}

int hvs_dropin_hv_get_msrs(struct hvs_dropin_vcpu *vcpu, int fd, struct kvm_msrs *msrs)
{
    return has_ours(vcpu, msrs) ? with_lock(vcpu, fd, KVM_GET_MSRS, msrs) : ioctl(fd, KVM_GET_MSRS, msrs);
}

int hvs_dropin_hv_set_msrs(struct hvs_dropin_vcpu *vcpu, int fd, struct kvm_msrs *msrs)
{
    note_tsc(vcpu, msrs);
    return has_ours(vcpu, msrs) ? with_lock(vcpu, fd, KVM_SET_MSRS, msrs) : ioctl(fd, KVM_SET_MSRS, msrs);
}
