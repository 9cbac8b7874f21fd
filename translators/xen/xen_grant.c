/*
 * The grant table: pages of ours with entries, by which the guest lets others use its pages [XEN public/grant_table.h;
 * common/grant_table.c]. Which entries are in use: xen_grant_pin.c.
 *
 * All frames are overlay pages, so they have contents also while the guest has not placed them. Version 2 has a second
 * array, of what is in use, in frames of its own. Left out: entries for the toolstack (console, xenstore), since the
 * host needs no grant for what it has itself.
 */
#include "xen_state.h"

static uint32_t nr_status_for(uint32_t nr_frames)
{
    return (nr_frames * XEN_GRANTS_PER_FRAME2 + XEN_GRANTS_PER_STATUS_FRAME - 1) / XEN_GRANTS_PER_STATUS_FRAME;
}

uint32_t xen_grant_nr_frames(const struct hvs_ctx *ctx)
{
    return 1 + xen_vm(ctx)->grants.nr_more_frames;
}

uint32_t xen_grant_nr_status_frames(const struct hvs_ctx *ctx)
{
    return xen_vm(ctx)->grants.is_v2 ? nr_status_for(xen_grant_nr_frames(ctx)) : 0;
}

uint32_t xen_grant_nr_entries(const struct hvs_ctx *ctx)
{
    return xen_grant_nr_frames(ctx) *
           (xen_vm(ctx)->grants.is_v2 ? XEN_GRANTS_PER_FRAME2 : XEN_GRANTS_PER_FRAME1);
}

uint32_t xen_grant_max_frames(const struct hvs_ctx *ctx)
{
    return xen_options(ctx).max_grant_frames;
}

void xen_grant_grow(struct hvs_ctx *ctx, uint32_t nr_frames)
{
    if (nr_frames > xen_grant_nr_frames(ctx))
        xen_vm(ctx)->grants.nr_more_frames = nr_frames - 1;
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

struct hvs_overlay *xen_grant_frame(struct hvs_ctx *ctx, uint64_t idx)
{
    const uint32_t status_per_frame = XEN_GRANTS_PER_STATUS_FRAME / XEN_GRANTS_PER_FRAME2;
    const bool is_status = xen_vm(ctx)->grants.is_v2 && idx & XENMAPIDX_grant_table_status;
    const uint64_t i = (uint32_t)(is_status ? idx & ~(uint64_t)XENMAPIDX_grant_table_status : idx);

    if (is_status) {
        if (i >= xen_grant_nr_status_frames(ctx) && (i + 1) * status_per_frame <= xen_grant_max_frames(ctx))
            xen_grant_grow(ctx, ((uint32_t)i + 1) * status_per_frame);
        if (i >= xen_grant_nr_status_frames(ctx))
            return NULL;
        return hvs_vm_overlay(ctx, XEN_OVERLAY_GRANT_STATUS + (uint32_t)i);
    }
    if (i >= xen_grant_max_frames(ctx))
        return NULL;
    xen_grant_grow(ctx, (uint32_t)i + 1);
    return hvs_vm_overlay(ctx, XEN_OVERLAY_GRANTS + (uint32_t)i);
}

struct hvs_overlay *xen_grant_frame_at(struct hvs_ctx *ctx, uint64_t gfn)
{
    for (uint32_t i = XEN_OVERLAY_GRANTS; i < XEN_NR_VM_OVERLAYS; i++) {
        if (hvs_overlay_is_over(hvs_vm_overlay(ctx, i), gfn))
            return hvs_vm_overlay(ctx, i);
    }
    return NULL;
}

static void clear(struct hvs_ctx *ctx, struct hvs_overlay *overlay)
{
    void *page = hvs_overlay_reach(ctx, overlay);

    if (!page)
        return;
    memset(page, 0, HVS_PAGE_BYTES);
    hvs_overlay_close(ctx, overlay, page, true);
}

static void remove_status_frames(struct hvs_ctx *ctx)
{
    for (uint32_t i = XEN_OVERLAY_GRANT_STATUS; i < XEN_NR_VM_OVERLAYS; i++) {
        hvs_overlay_off(ctx, hvs_vm_overlay(ctx, i));
        clear(ctx, hvs_vm_overlay(ctx, i));
    }
}

static void clear_frames(struct hvs_ctx *ctx)
{
    for (uint32_t i = 0; i < xen_grant_nr_frames(ctx); i++)
        clear(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_GRANTS + i));
}

void xen_grant_renew(struct hvs_ctx *ctx)
{
    for (uint32_t i = 0; i < xen_grant_nr_frames(ctx); i++)
        hvs_overlay_off(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_GRANTS + i));
    clear_frames(ctx);
    remove_status_frames(ctx);
    memset(&xen_vm(ctx)->grants, 0, sizeof(xen_vm(ctx)->grants));
}

/* --- entries ------------------------------------------------------------------------------------------------------ */

bool xen_grant_open(struct hvs_ctx *ctx, uint32_t ref, struct xen_grant_entry *entry)
{
    const bool is_v2 = xen_vm(ctx)->grants.is_v2;
    const uint32_t per_frame = is_v2 ? XEN_GRANTS_PER_FRAME2 : XEN_GRANTS_PER_FRAME1;
    const uint32_t status_frame = ref / XEN_GRANTS_PER_STATUS_FRAME, status_at = ref % XEN_GRANTS_PER_STATUS_FRAME;

    *entry = (struct xen_grant_entry){.overlay = hvs_vm_overlay(ctx, XEN_OVERLAY_GRANTS + ref / per_frame)};
    entry->page = hvs_overlay_reach(ctx, entry->overlay);
    if (!entry->page)
        return false;
    entry->at = entry->page + ref % per_frame * (HVS_PAGE_BYTES / per_frame);
    entry->header = (_Atomic uint32_t *)entry->at;
    if (!is_v2)
        return true;
    entry->status_overlay = hvs_vm_overlay(ctx, XEN_OVERLAY_GRANT_STATUS + status_frame);
    entry->status_page = hvs_overlay_reach(ctx, entry->status_overlay);
    if (!entry->status_page) {
        hvs_overlay_close(ctx, entry->overlay, entry->page, false);
        return false;
    }
    entry->status = (_Atomic uint16_t *)entry->status_page + status_at;
    return true;
}

void xen_grant_close(struct hvs_ctx *ctx, const struct xen_grant_entry *entry)
{
    if (entry->status_page)
        hvs_overlay_close(ctx, entry->status_overlay, entry->status_page, true);
    hvs_overlay_close(ctx, entry->overlay, entry->page, true);
}

/* --- versions ----------------------------------------------------------------------------------------------------- */

/* The first entries survive a change: they are the toolstack's. Returns false where version 1 cannot have this one. */
static bool keep_entry(const struct xen_grant_entry *entry, struct grant_entry_v1 *kept)
{
    union grant_entry_v2 wide;

    *kept = (struct grant_entry_v1){.flags = 0};
    if (!entry->status) {
        memcpy(kept, entry->at, sizeof(*kept));
        return true;
    }
    memcpy(&wide, entry->at, sizeof(wide));
    if ((wide.hdr.flags & GTF_type_mask) != GTF_permit_access)
        return (wide.hdr.flags & GTF_type_mask) != GTF_transitive;
    *kept = (struct grant_entry_v1){.flags = (uint16_t)(wide.hdr.flags | atomic_load(entry->status)),
                                    .domid = wide.hdr.domid, .frame = (uint32_t)wide.full_page.frame};
    return wide.full_page.frame <= UINT32_MAX;
}

static void restore_entry(const struct xen_grant_entry *entry, const struct grant_entry_v1 *kept)
{
    const uint16_t in_use = GTF_reading | GTF_writing;
    union grant_entry_v2 wide = {.full_page = {
        .hdr = {.flags = kept->flags & (uint16_t)~in_use, .domid = kept->domid}, .frame = kept->frame}};

    if (!entry->status) {
        memcpy(entry->at, kept, sizeof(*kept));
        return;
    }
    atomic_store(entry->status, kept->flags & in_use);
    memcpy(entry->at, &wide, sizeof(wide));
}

/* Returns 0, or -ERANGE where one of them does not fit into version 1. */
static int64_t keep_entries(struct hvs_ctx *ctx, struct grant_entry_v1 kept[GNTTAB_NR_RESERVED_ENTRIES])
{
    bool fit = true;

    for (uint32_t ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
        struct xen_grant_entry entry;

        kept[ref] = (struct grant_entry_v1){.flags = 0};
        if (!xen_grant_open(ctx, ref, &entry))
            continue;
        fit = keep_entry(&entry, &kept[ref]) && fit;
        xen_grant_close(ctx, &entry);
    }
    return fit ? 0 : -XEN_ERANGE;
}

static bool is_in_use(const struct xen_grants *grants)
{
    for (uint32_t i = 0; i < grants->nr_pins; i++) {
        if (grants->pin[i].is_used && grants->pin[i].ref >= GNTTAB_NR_RESERVED_ENTRIES)
            return true;
    }
    return false;
}

/* A part of a page in use is something that version 1 does not know. */
static bool uses_v2(const struct xen_grants *grants)
{
    for (uint32_t i = 0; i < grants->nr_pins; i++) {
        if (grants->pin[i].is_used && grants->pin[i].is_sub_page)
            return true;
    }
    return false;
}

int64_t xen_grant_set_version(struct hvs_ctx *ctx, bool is_v2)
{
    struct xen_grants *grants = &xen_vm(ctx)->grants;
    struct grant_entry_v1 kept[GNTTAB_NR_RESERVED_ENTRIES];
    int64_t err;

    if (grants->is_v2 == is_v2)
        return 0;
    if (is_in_use(grants))
        return -XEN_EBUSY;
    if (uses_v2(grants))
        return -XEN_EAGAIN;
    err = keep_entries(ctx, kept);
    if (err)
        return err;
    clear_frames(ctx);
    remove_status_frames(ctx);
    grants->is_v2 = is_v2;
    for (uint32_t ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
        struct xen_grant_entry entry;

        if (!xen_grant_open(ctx, ref, &entry))
            continue;
        restore_entry(&entry, &kept[ref]);
        xen_grant_close(ctx, &entry);
    }
    return 0;
}

static void exchange(struct xen_grant_entry *a, struct xen_grant_entry *b)
{
    const size_t bytes = a->status ? sizeof(union grant_entry_v2) : sizeof(struct grant_entry_v1);
    union grant_entry_v2 of_a, of_b;

    memcpy(&of_a, a->at, bytes);
    memcpy(&of_b, b->at, bytes);
    memcpy(a->at, &of_b, bytes);
    memcpy(b->at, &of_a, bytes);
    if (a->status)
        atomic_store(b->status, atomic_exchange(a->status, atomic_load(b->status)));
}

int16_t xen_grant_swap(struct hvs_ctx *ctx, uint32_t ref_a, uint32_t ref_b)
{
    const uint32_t nr_entries = xen_grant_nr_entries(ctx);
    struct xen_grant_entry a, b;

    if (ref_a >= nr_entries || ref_b >= nr_entries)
        return GNTST_bad_gntref;
    if (ref_a == ref_b)
        return GNTST_okay;
    if (xen_grant_is_pinned(ctx, ref_a) || xen_grant_is_pinned(ctx, ref_b))
        return GNTST_eagain;
    if (!xen_grant_open(ctx, ref_a, &a))
        return GNTST_general_error;
    if (!xen_grant_open(ctx, ref_b, &b)) {
        xen_grant_close(ctx, &a);
        return GNTST_general_error;
    }
    exchange(&a, &b);
    xen_grant_close(ctx, &b);
    xen_grant_close(ctx, &a);
    return GNTST_okay;
}
