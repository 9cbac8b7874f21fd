/*
 * Time: what is published in vcpu_info, in the second time area and in shared_info, and the timer whose event goes to
 * the port that the VMM named [XEN public/xen.h; Linux arch/x86/kvm/xen.c].
 *
 * Deadlines are absolute, in ns of the system time that is published, which is that of KVM_GET_CLOCK.
 */
#include "dropin.h"

#include "xen_abi.h"

/* --- what is published -------------------------------------------------------------------------------------------- */

/* Begins and ends an update that a reader notices: the version is odd meanwhile, and another one afterwards. */
static uint32_t update_begin(void *version)
{
    uint32_t odd = atomic_load_explicit((_Atomic uint32_t *)version, memory_order_relaxed) | 1;

    atomic_store_explicit((_Atomic uint32_t *)version, odd, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    return odd;
}

static void update_end(void *version, uint32_t odd)
{
    atomic_store_explicit((_Atomic uint32_t *)version, odd + 1, memory_order_release);
}

static struct hvs_pvclock make_time(const struct hvs_ctx *ctx)
{
    struct hvs_pvclock now = {0};

    hvs_clock_publish_pvclock(hvs_ctx_clock(ctx), &now);
    if (hvs_dropin_xen_of(ctx)->config.flags & KVM_XEN_HVM_CONFIG_PVCLOCK_TSC_UNSTABLE)
        now.flags = 0;
    return now;
}

static void write_time(const struct hvs_ctx *ctx, uint64_t gpa)
{
    const struct hvs_pvclock now = make_time(ctx);
    const size_t skip = sizeof(now.version);
    uint8_t *page = hvs_page_pin(ctx, gpa >> HVS_PAGE_SHIFT), *at;
    uint32_t odd;

    if (!page)
        return;
    at = page + gpa % HVS_PAGE_BYTES;
    odd = update_begin(at);
    memcpy(at + skip, (const uint8_t *)&now + skip, sizeof(now) - skip);
    update_end(at, odd);
    hvs_page_unpin(ctx, gpa >> HVS_PAGE_SHIFT, page, true);
}

void hvs_dropin_xen_publish_time(struct hvs_ctx *ctx, uint32_t vp)
{
    const struct hvs_dropin_xen_vcpu *vcpu = hvs_dropin_xen_vcpu_of(ctx, vp);

    if (vcpu && vcpu->info_gpa != HVS_DROPIN_XEN_NOWHERE)
        write_time(ctx, vcpu->info_gpa + offsetof(struct vcpu_info, time));
    if (vcpu && vcpu->time_gpa != HVS_DROPIN_XEN_NOWHERE)
        write_time(ctx, vcpu->time_gpa);
}

void hvs_dropin_xen_publish_wallclock(struct hvs_ctx *ctx)
{
    enum { NS_PER_S = 1000000000 };
    const struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);
    const struct xen_layout *layout = xen_layout(!xen->is_long_mode);
    uint64_t boot_wall_ns = hvs_ctx_boot_wall_ns(ctx), sec = boot_wall_ns / NS_PER_S;
    uint32_t nsec = (uint32_t)(boot_wall_ns % NS_PER_S), sec_lo = (uint32_t)sec, sec_hi = (uint32_t)(sec >> 32), odd;
    uint8_t *shared;

    if (!boot_wall_ns || xen->shared_gfn == HVS_DROPIN_XEN_NOWHERE)
        return;
    shared = hvs_page_pin(ctx, xen->shared_gfn);
    if (!shared)
        return;
    odd = update_begin(shared + layout->wc_version);
    memcpy(shared + layout->wc_sec, &sec_lo, sizeof(sec_lo));
    memcpy(shared + layout->wc_nsec, &nsec, sizeof(nsec));
    memcpy(shared + layout->wc_sec_hi, &sec_hi, sizeof(sec_hi));
    update_end(shared + layout->wc_version, odd);
    hvs_page_unpin(ctx, xen->shared_gfn, shared, true);
}

/* --- the timer ---------------------------------------------------------------------------------------------------- */

static void fire(struct hvs_ctx *ctx, struct hvs_dropin_xen_vcpu *vcpu)
{
    vcpu->timer_ns = 0;
    hvs_dropin_xen_raise(ctx, ctx->vp, vcpu->timer_port);
}

void hvs_dropin_xen_arm(struct hvs_ctx *ctx)
{
    struct hvs_dropin_xen_vcpu *vcpu = hvs_dropin_xen_vcpu_of(ctx, ctx->vp);

    if (vcpu->timer_ns && vcpu->timer_ns > hvs_ctx_now_ns(ctx)) {
        hvs_timer_arm(ctx, HVS_DROPIN_XEN_TIMER_SINGLESHOT, vcpu->timer_ns);
        return;
    }
    hvs_timer_cancel(ctx, HVS_DROPIN_XEN_TIMER_SINGLESHOT);
    if (vcpu->timer_ns)
        fire(ctx, vcpu);
}

void hvs_dropin_xen_timer(struct hvs_ctx *ctx, uint32_t timer)
{
    struct hvs_dropin_xen_vcpu *vcpu = hvs_dropin_xen_vcpu_of(ctx, ctx->vp);

    if (timer == HVS_DROPIN_XEN_TIMER_SINGLESHOT && vcpu->timer_ns)
        fire(ctx, vcpu);
    if (timer == HVS_DROPIN_XEN_TIMER_POLL && vcpu->poll_port) {
        vcpu->poll_port = 0;
        hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_WAKE, .target = HVS_TARGET_VP, .vp = ctx->vp});
    }
    hvs_dropin_xen_runstate_update(ctx, false);
}
