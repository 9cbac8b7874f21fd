/*
 * shared_info and vcpu_info: where they lie, in which layout, and what the host keeps current in them: wall clock and
 * system time [XEN public/xen.h; common/domain.c map_vcpu_info, arch/x86/hvm/hvm.c hvm_latch_shinfo_size].
 *
 * shared_info is an overlay page of the VM. While it is not mapped there is no page: what is written to it meanwhile
 * is lost, where Xen would keep it.
 */
#include "xen_state.h"

bool xen_info_open(struct hvs_ctx *ctx, uint32_t vp, struct xen_info *info)
{
    const struct xen_place *place = &xen_vcpu(ctx, vp)->info;

    *info = (struct xen_info){.is_shared = !place->is_set, .gfn = place->gpa >> HVS_PAGE_SHIFT};
    if (place->is_set) {
        info->page = hvs_page_pin(ctx, info->gfn);
        info->at = info->page ? info->page + place->gpa % HVS_PAGE_BYTES : NULL;
        return info->page;
    }
    if (vp >= XEN_LEGACY_MAX_VCPUS)
        return false;
    info->page = hvs_overlay_open(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO));
    info->at = info->page ? info->page + vp * XEN_VCPU_INFO_BYTES : NULL;
    return info->page;
}

void xen_info_close(struct hvs_ctx *ctx, const struct xen_info *info)
{
    if (info->is_shared)
        hvs_overlay_close(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO), info->page, true);
    else
        hvs_page_unpin(ctx, info->gfn, info->page, true);
}

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

/* vcpu_time_info is a pvclock, but aligned to 4 only, as 32-bit guests may have it. */
static void write_time(const struct hvs_ctx *ctx, uint8_t *at)
{
    struct hvs_pvclock now = {0};
    uint32_t odd = update_begin(at);

    hvs_clock_publish_pvclock(hvs_ctx_clock(ctx), &now);
    memcpy(at + sizeof(now.version), (uint8_t *)&now + sizeof(now.version), sizeof(now) - sizeof(now.version));
    update_end(at, odd);
}

void xen_shared_publish_time(struct hvs_ctx *ctx, uint32_t vp)
{
    const struct xen_place *second = &xen_vcpu(ctx, vp)->time;
    uint64_t gfn = second->gpa >> HVS_PAGE_SHIFT;
    struct xen_info info;

    if (!hvs_ctx_feature(ctx, XEN_FEATURE_PVCLOCK))
        return;
    if (xen_info_open(ctx, vp, &info)) {
        write_time(ctx, info.at + offsetof(struct vcpu_info, time));
        xen_info_close(ctx, &info);
    }
    if (!second->is_set)
        return;

    uint8_t *page = hvs_page_pin(ctx, gfn);

    if (!page)
        return;
    write_time(ctx, page + second->gpa % HVS_PAGE_BYTES);
    hvs_page_unpin(ctx, gfn, page, true);
}

void xen_shared_publish_wallclock(struct hvs_ctx *ctx)
{
    enum { NS_PER_S = 1000000000 };
    const struct xen_layout *layout = xen_layout(xen_vm(ctx)->has_32bit_shinfo);
    struct hvs_overlay *overlay = hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO);
    uint64_t boot_wall_ns = hvs_ctx_boot_wall_ns(ctx);
    uint64_t sec = boot_wall_ns / NS_PER_S;
    uint32_t nsec = (uint32_t)(boot_wall_ns % NS_PER_S), sec_lo = (uint32_t)sec, sec_hi = (uint32_t)(sec >> 32);
    uint8_t *shared = boot_wall_ns ? hvs_overlay_open(ctx, overlay) : NULL;

    if (!shared)
        return;                 /* version 0 says that nothing was ever written */

    uint32_t odd = update_begin(shared + layout->wc_version);

    memcpy(shared + layout->wc_sec, &sec_lo, sizeof(sec_lo));
    memcpy(shared + layout->wc_nsec, &nsec, sizeof(nsec));
    memcpy(shared + layout->wc_sec_hi, &sec_hi, sizeof(sec_hi));
    update_end(shared + layout->wc_version, odd);
    hvs_overlay_close(ctx, overlay, shared, true);
}

void xen_shared_publish(struct hvs_ctx *ctx)
{
    xen_shared_publish_wallclock(ctx);
    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx); vp++)
        xen_shared_publish_time(ctx, vp);
}

/* What else lies in shared_info is not converted, in Xen neither: guests latch before they use it. */
void xen_shared_latch(struct hvs_ctx *ctx)
{
    xen_vm(ctx)->has_32bit_shinfo = xen_caller_is_32bit(ctx);
    xen_shared_publish_wallclock(ctx);
}

int64_t xen_shared_move_info(struct hvs_ctx *ctx, uint32_t vp, uint64_t gpa)
{
    struct xen_vcpu *vcpu = xen_vcpu(ctx, vp);
    uint64_t gfn = gpa >> HVS_PAGE_SHIFT;
    uint8_t *page = hvs_page_pin(ctx, gfn);
    uint8_t contents[XEN_VCPU_INFO_BYTES] = {0};
    struct xen_info old;

    if (!page)
        return -XEN_EINVAL;
    if (xen_info_open(ctx, vp, &old)) {
        memcpy(contents, old.at, sizeof(contents));
        xen_info_close(ctx, &old);
    }
    memcpy(page + gpa % HVS_PAGE_BYTES, contents, sizeof(contents));
    hvs_page_unpin(ctx, gfn, page, true);
    vcpu->info = (struct xen_place){.is_set = true, .gpa = gpa};
    return 0;
}
