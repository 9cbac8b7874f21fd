/*
 * What the VMM sets and gets: KVM_XEN_HVM_CONFIG, KVM_XEN_HVM_SET_ATTR, _GET_ATTR, KVM_XEN_VCPU_SET_ATTR, _GET_ATTR
 * [Linux Documentation/virt/kvm/api.rst]. As in the kernel an unknown attribute is ENOENT.
 *
 * Whatever place was set, the vCPU is asked to bring all that is published up to date: rare, and simple.
 */
#include "dropin.h"

#include "../backend.h"

#include <errno.h>

#include "xen_abi.h"

#define NOWHERE HVS_DROPIN_XEN_NOWHERE

enum { FIRST_VECTOR = 0x10, MAX_VCPU_IDS = 4096 };

static int refuse(int err)
{
    errno = err;
    return -1;
}

/* Lies in RAM, in one page. */
static bool is_ram(const struct hvs_dropin_vm *vm, uint64_t gpa, uint32_t bytes)
{
    for (size_t i = 0; i < vm->slots.nr; i++) {
        const struct hvs_dropin_slot *slot = &vm->slots.slot[i];

        if (slot->is_ram && gpa >= slot->gpa && gpa - slot->gpa < slot->bytes)
            return gpa % HVS_PAGE_BYTES + bytes <= HVS_PAGE_BYTES;
    }
    return false;
}

static bool is_ram_page(const struct hvs_dropin_vm *vm, uint64_t gfn)
{
    return gfn <= UINT64_MAX >> HVS_PAGE_SHIFT && is_ram(vm, gfn << HVS_PAGE_SHIFT, HVS_PAGE_BYTES);
}

static void refresh(struct hvs_dropin_xen *xen, uint32_t vp)
{
    if (xen->is_chosen)
        hvs_dropin_xen_request(xen, vp, HVS_DROPIN_XEN_REFRESH, NULL, NULL);
}

/* --- the VM ------------------------------------------------------------------------------------------------------- */

int hvs_dropin_xen_configure(struct hvs_dropin_vm *vm, const struct kvm_xen_hvm_config *config)
{
    const uint32_t known = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND |
                           KVM_XEN_HVM_CONFIG_PVCLOCK_TSC_UNSTABLE;
    struct hvs_dropin_xen *xen = &vm->xen;

    if (config->flags & ~known || config->blob_addr_32 || config->blob_addr_64 || config->blob_size_32 ||
        config->blob_size_64)
        return refuse(EINVAL);
    if (!(config->flags & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL) && config->msr)
        return hvs_dropin_fail(&vm->config, "hypercall pages of the VMM's own are not supported");
    if (vm->is_plain || (vm->kvm && (!xen->is_chosen || config->msr != xen->config.msr)))
        return refuse(EBUSY);
    pthread_mutex_lock(&xen->lock);
    xen->config = *config;
    pthread_mutex_unlock(&xen->lock);
    return 0;
}

/* Lock held. */
static int set(struct hvs_dropin_vm *vm, const struct kvm_xen_hvm_attr *attr)
{
    const uint64_t gfn = attr->u.shared_info.gfn;
    struct hvs_dropin_xen *xen = &vm->xen;

    switch (attr->type) {
    case KVM_XEN_ATTR_TYPE_LONG_MODE:
        xen->is_long_mode = attr->u.long_mode;
        return 0;
    case KVM_XEN_ATTR_TYPE_SHARED_INFO:
        if (gfn != NOWHERE && !is_ram_page(vm, gfn))
            return refuse(EFAULT);
        xen->shared_gfn = gfn;
        return 0;
    case KVM_XEN_ATTR_TYPE_UPCALL_VECTOR:
        if (attr->u.vector && attr->u.vector < FIRST_VECTOR)
            return refuse(EINVAL);
        atomic_store(&xen->vector, attr->u.vector);
        return 0;
    case KVM_XEN_ATTR_TYPE_EVTCHN:
        return hvs_dropin_xen_set_send(xen, attr);
    case KVM_XEN_ATTR_TYPE_XEN_VERSION:
        xen->version = attr->u.xen_version;
        return 0;
    case KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG:
        xen->has_runstate_flag = attr->u.long_mode;     /* a byte too, in the same place */
        return 0;
    default:
        return refuse(ENOENT);
    }
}

int hvs_dropin_xen_set_attr(struct hvs_dropin_vm *vm, const struct kvm_xen_hvm_attr *attr)
{
    struct hvs_dropin_xen *xen = &vm->xen;
    int answer;

    pthread_mutex_lock(&xen->lock);
    answer = set(vm, attr);
    pthread_mutex_unlock(&xen->lock);
    if (answer == 0 && (attr->type == KVM_XEN_ATTR_TYPE_SHARED_INFO || attr->type == KVM_XEN_ATTR_TYPE_LONG_MODE))
        refresh(xen, 0);
    return answer;
}

/* Lock held. */
static int get(const struct hvs_dropin_xen *xen, struct kvm_xen_hvm_attr *attr)
{
    switch (attr->type) {
    case KVM_XEN_ATTR_TYPE_LONG_MODE:
        attr->u.long_mode = xen->is_long_mode;
        return 0;
    case KVM_XEN_ATTR_TYPE_SHARED_INFO:
        attr->u.shared_info.gfn = xen->shared_gfn;
        return 0;
    case KVM_XEN_ATTR_TYPE_UPCALL_VECTOR:
        attr->u.vector = atomic_load(&xen->vector);
        return 0;
    case KVM_XEN_ATTR_TYPE_XEN_VERSION:
        attr->u.xen_version = xen->version;
        return 0;
    case KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG:
        attr->u.long_mode = xen->has_runstate_flag;
        return 0;
    default:
        return refuse(ENOENT);
    }
}

int hvs_dropin_xen_get_attr(struct hvs_dropin_vm *vm, struct kvm_xen_hvm_attr *attr)
{
    int answer;

    pthread_mutex_lock(&vm->xen.lock);
    answer = get(&vm->xen, attr);
    pthread_mutex_unlock(&vm->xen.lock);
    return answer;
}

/* --- vCPUs -------------------------------------------------------------------------------------------------------- */

static int set_place(const struct hvs_dropin_vm *vm, uint64_t *place, uint64_t gpa, uint32_t bytes)
{
    if (gpa != NOWHERE && !is_ram(vm, gpa, bytes))
        return refuse(EFAULT);
    *place = gpa;
    return 0;
}

static bool is_sum(const struct kvm_xen_vcpu_attr *attr)
{
    return attr->u.runstate.state_entry_time ==
           attr->u.runstate.time_running + attr->u.runstate.time_runnable + attr->u.runstate.time_blocked +
               attr->u.runstate.time_offline;
}

static int set_timer(struct hvs_dropin_xen_vcpu *xen, const struct kvm_xen_vcpu_attr *attr)
{
    if (attr->u.timer.port && attr->u.timer.priority != KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL)
        return refuse(EINVAL);
    xen->timer_port = attr->u.timer.port;
    xen->timer_ns = xen->timer_port ? attr->u.timer.expires_ns : 0;
    return 0;
}

/* As it was at state_entry_time; DATA replaces, ADJUST adds. */
static int set_runstate(struct hvs_dropin_vcpu *vcpu, const struct kvm_xen_vcpu_attr *attr)
{
    const bool adds = attr->type == KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADJUST;
    struct hvs_dropin_xen_runstate *r = &vcpu->xen.runstate;
    const uint64_t time_ns[] = {attr->u.runstate.time_running, attr->u.runstate.time_runnable,
                                attr->u.runstate.time_blocked, attr->u.runstate.time_offline};
    const uint64_t keep = adds ? UINT64_MAX : 0;
    uint64_t entry_ns = (r->entry_ns & keep) + attr->u.runstate.state_entry_time;
    struct hvs_kvm *kvm = vcpu->file.vm->kvm;

    if (attr->u.runstate.state > RUNSTATE_offline && !(adds && attr->u.runstate.state == UINT64_MAX))
        return refuse(EINVAL);
    if (!is_sum(attr) || (kvm && entry_ns > hvs_kvm_age(kvm)))
        return refuse(EINVAL);
    r->entry_ns = entry_ns;
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(time_ns); i++)
        r->time_ns[i] = (r->time_ns[i] & keep) + time_ns[i];
    if (attr->u.runstate.state <= RUNSTATE_offline)
        r->state = (uint32_t)attr->u.runstate.state;
    return 0;
}

/* Lock held. */
static int set_vcpu(struct hvs_dropin_vcpu *vcpu, const struct kvm_xen_vcpu_attr *attr)
{
    const struct hvs_dropin_vm *vm = vcpu->file.vm;
    struct hvs_dropin_xen_vcpu *xen = &vcpu->xen;

    switch (attr->type) {
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO:
        return set_place(vm, &xen->info_gpa, attr->u.gpa, sizeof(struct vcpu_info));
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO:
        return set_place(vm, &xen->time_gpa, attr->u.gpa, sizeof(struct vcpu_time_info));
    case KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR:
        return set_place(vm, &xen->runstate_gpa, attr->u.gpa, 1);       /* it may straddle two pages */
    case KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_CURRENT:
        if (attr->u.runstate.state > RUNSTATE_offline)
            return refuse(EINVAL);
        xen->runstate.state = (uint32_t)attr->u.runstate.state;
        return 0;
    case KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA:
    case KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADJUST:
        return set_runstate(vcpu, attr);
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID:
        if (attr->u.vcpu_id >= MAX_VCPU_IDS)
            return refuse(EINVAL);
        xen->id = attr->u.vcpu_id;
        return 0;
    case KVM_XEN_VCPU_ATTR_TYPE_TIMER:
        return set_timer(xen, attr);
    case KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR:
        if (attr->u.vector && attr->u.vector < FIRST_VECTOR)
            return refuse(EINVAL);
        xen->vector = attr->u.vector;
        return 0;
    default:
        return refuse(ENOENT);
    }
}

int hvs_dropin_xen_vcpu_set_attr(struct hvs_dropin_vcpu *vcpu, const struct kvm_xen_vcpu_attr *attr)
{
    struct hvs_dropin_xen *xen = &vcpu->file.vm->xen;
    bool is_count = attr->type == KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA ||
                    attr->type == KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADJUST;
    bool is_state = attr->type == KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_CURRENT;
    int answer;

    if (is_state && vcpu->shim)
        refresh(xen, vcpu->shim->vp);           /* what passed until now is of the state before */
    pthread_mutex_lock(&xen->lock);
    answer = set_vcpu(vcpu, attr);
    pthread_mutex_unlock(&xen->lock);
    if (answer == 0 && vcpu->shim && !is_state && !is_count)
        refresh(xen, vcpu->shim->vp);
    return answer;
}

static void get_runstate(const struct hvs_dropin_xen_runstate *r, struct kvm_xen_vcpu_attr *attr)
{
    attr->u.runstate.state = r->state;
    if (attr->type == KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_CURRENT)
        return;
    attr->u.runstate.state_entry_time = r->entry_ns;
    attr->u.runstate.time_running = r->time_ns[RUNSTATE_running];
    attr->u.runstate.time_runnable = r->time_ns[RUNSTATE_runnable];
    attr->u.runstate.time_blocked = r->time_ns[RUNSTATE_blocked];
    attr->u.runstate.time_offline = r->time_ns[RUNSTATE_offline];
}

/* Lock held. */
static int get_vcpu(const struct hvs_dropin_xen_vcpu *xen, struct kvm_xen_vcpu_attr *attr)
{
    switch (attr->type) {
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO:
        attr->u.gpa = xen->info_gpa;
        return 0;
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO:
        attr->u.gpa = xen->time_gpa;
        return 0;
    case KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR:
        attr->u.gpa = xen->runstate_gpa;
        return xen->runstate_gpa == NOWHERE ? refuse(ENOENT) : 0;
    case KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_CURRENT:
    case KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA:
        get_runstate(&xen->runstate, attr);
        return 0;
    case KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADJUST:
        return refuse(EINVAL);
    case KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID:
        attr->u.vcpu_id = xen->id;
        return 0;
    case KVM_XEN_VCPU_ATTR_TYPE_TIMER:
        attr->u.timer.port = xen->timer_port;
        attr->u.timer.priority = KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL;
        attr->u.timer.expires_ns = xen->timer_ns;
        return 0;
    case KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR:
        attr->u.vector = xen->vector;
        return 0;
    default:
        return refuse(ENOENT);
    }
}

int hvs_dropin_xen_vcpu_get_attr(struct hvs_dropin_vcpu *vcpu, struct kvm_xen_vcpu_attr *attr)
{
    struct hvs_dropin_xen *xen = &vcpu->file.vm->xen;
    int answer;

    pthread_mutex_lock(&xen->lock);
    answer = get_vcpu(&vcpu->xen, attr);
    pthread_mutex_unlock(&xen->lock);
    return answer;
}
