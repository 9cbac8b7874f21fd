/*
 * KVM's interface for Xen as a whole: whether a VM has it, and the personality by which it works in the vCPUs' exits.
 */
#include "dropin.h"

#include "../backend.h"

#include <stdlib.h>

enum { CAPS = HVS_CAP_RAW_HYPERCALL | HVS_CAP_TSC_STABLE | HVS_CAP_INJECT | HVS_CAP_TIMER | HVS_CAP_PAST_APIC |
              HVS_CAP_POLL | HVS_CAP_VCPU_TIME };

void hvs_dropin_xen_init(struct hvs_dropin_xen *xen)
{
    pthread_mutex_init(&xen->lock, NULL);
    xen->shared_gfn = HVS_DROPIN_XEN_NOWHERE;
}

void hvs_dropin_xen_vcpu_init(struct hvs_dropin_xen_vcpu *vcpu, uint32_t vp)
{
    *vcpu = (struct hvs_dropin_xen_vcpu){.id = vp, .info_gpa = HVS_DROPIN_XEN_NOWHERE,
                                         .time_gpa = HVS_DROPIN_XEN_NOWHERE, .runstate_gpa = HVS_DROPIN_XEN_NOWHERE};
}

void hvs_dropin_xen_destroy(struct hvs_dropin_xen *xen)
{
    hvs_dropin_xen_forget_sends(xen);
    pthread_mutex_destroy(&xen->lock);
    free(xen->vcpu);
}

/* The kernel's own answer does not matter: where it has Xen code, ours takes its place. */
bool hvs_dropin_xen_check(unsigned long cap, int *answer)
{
    if (cap != KVM_CAP_XEN_HVM)
        return false;
    *answer = KVM_XEN_HVM_CONFIG_HYPERCALL_MSR | KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_SHARED_INFO |
              KVM_XEN_HVM_CONFIG_RUNSTATE | KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND |
              KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG | KVM_XEN_HVM_CONFIG_PVCLOCK_TSC_UNSTABLE;
    return true;
}

/* --- the personality ---------------------------------------------------------------------------------------------- */

struct hvs_dropin_xen *hvs_dropin_xen_of(const struct hvs_ctx *ctx)
{
    return (struct hvs_dropin_xen *)hvs_ctx_options(ctx);
}

struct hvs_dropin_xen_vcpu *hvs_dropin_xen_vcpu_of(const struct hvs_ctx *ctx, uint32_t vp)
{
    struct hvs_dropin_vcpu *vcpu = hvs_dropin_xen_of(ctx)->vcpu[vp];

    return vcpu ? &vcpu->xen : NULL;
}

static bool claims_raw(const struct hvs_regs *regs)
{
    (void)regs;
    return true;
}

static void clock_moved(struct hvs_ctx *ctx)
{
    struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);

    pthread_mutex_lock(&xen->lock);
    hvs_dropin_xen_publish_wallclock(ctx);
    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx); vp++)
        hvs_dropin_xen_publish_time(ctx, vp);
    pthread_mutex_unlock(&xen->lock);
}

static void refresh(struct hvs_ctx *ctx)
{
    if (!hvs_dropin_xen_vcpu_of(ctx, ctx->vp))
        return;
    hvs_dropin_xen_publish_wallclock(ctx);
    hvs_dropin_xen_publish_time(ctx, ctx->vp);
    hvs_dropin_xen_runstate_update(ctx, true);
    hvs_dropin_xen_arm(ctx);
}

static void host(struct hvs_ctx *ctx)
{
    struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);
    const uint32_t *port = ctx->exit->host.data;

    pthread_mutex_lock(&xen->lock);
    switch ((enum hvs_dropin_xen_request)ctx->exit->host.request) {
    case HVS_DROPIN_XEN_REFRESH:
        refresh(ctx);
        break;
    case HVS_DROPIN_XEN_RAISE:
        ctx->out->value = (uint64_t)(int64_t)hvs_dropin_xen_raise(ctx, ctx->vp, *port);
        break;
    }
    pthread_mutex_unlock(&xen->lock);
}

static void timer(struct hvs_ctx *ctx, uint32_t which)
{
    struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);

    pthread_mutex_lock(&xen->lock);
    hvs_dropin_xen_timer(ctx, which);
    pthread_mutex_unlock(&xen->lock);
}

static enum hvs_verdict read_page(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)ctx, (void)index;
    *value = 0;
    return HVS_HANDLED;
}

static void make_personality(struct hvs_dropin_xen *xen)
{
    xen->msr = (struct hvs_msr_row){
        .first = xen->config.msr, .last = xen->config.msr, .name = "XEN_MSR_HYPERCALL_PAGE",
        .feature = HVS_FEATURE_ALWAYS, .read = read_page, .write = hvs_dropin_xen_write_page};
    xen->personality = (struct hvs_personality){
        .name = "kernel-xen", .title = "KVM's Xen", .id = 0x6e65786b, .place = HVS_PLACE_NEXT,
        .nr_timers = HVS_DROPIN_XEN_NR_TIMERS, .caps = CAPS, .msr = &xen->msr, .nr_msr = xen->config.msr != 0,
        .hypercall = hvs_dropin_xen_hypercall, .claims_raw = claims_raw, .raw_feature = HVS_FEATURE_ALWAYS,
        .clock_moved = clock_moved, .host = host, .timer = timer};
}

/* --- one VM ------------------------------------------------------------------------------------------------------- */

int hvs_dropin_xen_choose(struct hvs_dropin_vm *vm, struct hvs_slot_config *slot)
{
    struct hvs_dropin_xen *xen = &vm->xen;

    if (!(xen->config.flags & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL))
        return HVS_ENOENT;
    xen->vcpu = calloc(vm->config.max_vcpus, sizeof(struct hvs_dropin_vcpu *));
    if (!xen->vcpu)
        return HVS_ENOSPC;
    make_personality(xen);
    *slot = (struct hvs_slot_config){.personality = &xen->personality, .options = xen};
    xen->is_chosen = true;
    return HVS_OK;
}

void hvs_dropin_xen_join(struct hvs_dropin_vcpu *vcpu)
{
    struct hvs_dropin_xen *xen = &vcpu->file.vm->xen;

    if (!xen->is_chosen)
        return;
    pthread_mutex_lock(&xen->lock);
    xen->vcpu[vcpu->shim->vp] = vcpu;
    pthread_mutex_unlock(&xen->lock);
}

void hvs_dropin_xen_start(struct hvs_dropin_vcpu *vcpu)
{
    struct hvs_dropin_xen *xen = &vcpu->file.vm->xen;

    if (!xen->is_chosen)
        return;
    pthread_mutex_lock(&xen->lock);
    xen->kvm = vcpu->file.vm->kvm;
    pthread_mutex_unlock(&xen->lock);
    hvs_dropin_xen_request(xen, vcpu->shim->vp, HVS_DROPIN_XEN_REFRESH, NULL, NULL);
}

int hvs_dropin_xen_request(struct hvs_dropin_xen *xen, uint32_t vp, enum hvs_dropin_xen_request request, void *data,
                           uint64_t *answer)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_HOST,
                                  .host = {.to = &xen->personality, .request = request, .data = data}};
    struct hvs_kvm *kvm;

    pthread_mutex_lock(&xen->lock);
    kvm = xen->kvm;
    pthread_mutex_unlock(&xen->lock);
    return kvm ? hvs_kvm_dispatch(kvm, vp, &exit, answer) : HVS_ENOENT;
}
