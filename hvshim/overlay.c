/*
 * Overlay pages by exchange: while an overlay is on, guest RAM holds its contents and `page` holds what lies beneath.
 *
 * Several overlays may lie on one frame, in the order in which they were laid. Then each one's `page` holds the
 * contents of the one below it, so taking one out of the middle is an exchange of two `page`s. All of it runs under
 * the VM lock. A guest that writes to the frame during the exchange races with itself only.
 *
 * A bare overlay is one that is just said to lie there (hvs_ctx.keeps_ram): by a VMM that has put the contents into RAM
 * itself. It has nothing beneath, and in the order of the others it has no place.
 */
#include "core.h"

static void exchange(uint8_t *a, uint8_t *b)
{
    for (uint32_t i = 0; i < HVS_PAGE_BYTES; i += sizeof(uint64_t)) {
        uint64_t from_a, from_b;

        memcpy(&from_a, a + i, sizeof(from_a));
        memcpy(&from_b, b + i, sizeof(from_b));
        memcpy(a + i, &from_b, sizeof(from_b));
        memcpy(b + i, &from_a, sizeof(from_a));
    }
}

/* The overlay laid next on the same frame, or NULL where this one is on top. */
static struct hvs_overlay *above(const struct hvs_vm *vm, const struct hvs_overlay *overlay)
{
    struct hvs_overlay *found = NULL;

    if (overlay->is_bare)
        return NULL;
    for (struct hvs_overlay *o = vm->overlays; o && o != overlay; o = o->below) {
        if (o->gfn == overlay->gfn)
            found = o;
    }
    return found;
}

static void unlink_overlay(struct hvs_vm *vm, struct hvs_overlay *overlay)
{
    struct hvs_overlay **link = &vm->overlays;

    while (!overlay->is_bare && *link != overlay)
        link = &(*link)->below;
    if (!overlay->is_bare)
        *link = overlay->below;
    overlay->is_on = overlay->is_bare = false;
}

static void take_off(struct hvs_ctx *ctx, struct hvs_overlay *overlay)
{
    bool is_exchanged = !overlay->is_bare && !ctx->keeps_ram;
    struct hvs_overlay *top = is_exchanged ? above(ctx->vm, overlay) : NULL;
    uint8_t *ram = top || !is_exchanged ? NULL : hvs_page_pin(ctx, overlay->gfn);

    if (top)
        exchange(overlay->page, top->page);
    else if (ram)
        exchange(overlay->page, ram);
    else
        memset(overlay->page, 0, HVS_PAGE_BYTES);       /* the VMM took the RAM away, and the contents with it */
    if (ram)
        hvs_page_unpin(ctx, overlay->gfn, ram, true);
    unlink_overlay(ctx->vm, overlay);
}

static int lay(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t gfn)
{
    uint8_t *ram = hvs_page_pin(ctx, gfn);

    if (!ram)
        return HVS_EFAULT;
    if (overlay->is_on)
        take_off(ctx, overlay);
    exchange(overlay->page, ram);
    hvs_page_unpin(ctx, gfn, ram, true);
    overlay->gfn = gfn;
    overlay->is_on = true;
    overlay->below = ctx->vm->overlays;
    ctx->vm->overlays = overlay;
    return HVS_OK;
}

static void lay_bare(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t gfn)
{
    if (overlay->is_on)
        take_off(ctx, overlay);
    memset(overlay->page, 0, HVS_PAGE_BYTES);
    overlay->gfn = gfn;
    overlay->is_on = overlay->is_bare = true;
}

struct hvs_overlay *hvs_vm_overlay(const struct hvs_ctx *ctx, uint32_t index)
{
    return &ctx->vm->slot[ctx->slot].overlay[index];
}

struct hvs_overlay *hvs_vcpu_overlay(const struct hvs_ctx *ctx, uint32_t vp, uint32_t index)
{
    return &ctx->vm->vcpu[vp].slot[ctx->slot].overlay[index];
}

int hvs_overlay_on(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t gfn)
{
    int err = HVS_OK;

    hvs_vm_lock(ctx);
    if (ctx->keeps_ram)
        lay_bare(ctx, overlay, gfn);
    else if (!overlay->is_on || overlay->gfn != gfn)
        err = lay(ctx, overlay, gfn);
    hvs_vm_unlock(ctx);
    return err;
}

void hvs_overlay_off(struct hvs_ctx *ctx, struct hvs_overlay *overlay)
{
    hvs_vm_lock(ctx);
    if (overlay->is_on)
        take_off(ctx, overlay);
    hvs_vm_unlock(ctx);
}

bool hvs_ctx_is_overlaid(struct hvs_ctx *ctx, uint64_t gfn)
{
    const struct hvs_overlay *o;

    hvs_vcpu_lock_vm(ctx->vcpu);
    for (o = ctx->vm->overlays; o && o->gfn != gfn;)
        o = o->below;
    hvs_vcpu_unlock_vm(ctx->vcpu);
    return o;
}

bool hvs_overlay_is_on(const struct hvs_overlay *overlay)
{
    return overlay->is_on;
}

bool hvs_overlay_is_over(const struct hvs_overlay *overlay, uint64_t gfn)
{
    return overlay->is_on && overlay->gfn == gfn;
}

uint64_t hvs_overlay_gfn(const struct hvs_overlay *overlay)
{
    return overlay->is_on ? overlay->gfn : UINT64_MAX;
}

/* Where the contents are kept while they are not in guest RAM, or NULL while they are. */
static uint8_t *kept_contents(const struct hvs_vm *vm, struct hvs_overlay *overlay)
{
    struct hvs_overlay *top = overlay->is_on ? above(vm, overlay) : overlay;

    return top ? top->page : NULL;
}

void *hvs_overlay_reach(struct hvs_ctx *ctx, struct hvs_overlay *overlay)
{
    void *contents;

    hvs_vm_lock(ctx);
    contents = kept_contents(ctx->vm, overlay);
    if (!contents)
        contents = hvs_page_pin(ctx, overlay->gfn);
    if (!contents)
        hvs_vm_unlock(ctx);
    return contents;
}

void *hvs_overlay_open(struct hvs_ctx *ctx, struct hvs_overlay *overlay)
{
    void *contents;

    hvs_vm_lock(ctx);
    contents = overlay->is_on ? hvs_overlay_reach(ctx, overlay) : NULL;
    hvs_vm_unlock(ctx);
    return contents;
}

void hvs_overlay_close(struct hvs_ctx *ctx, struct hvs_overlay *overlay, void *contents, bool was_written)
{
    if (!kept_contents(ctx->vm, overlay))
        hvs_page_unpin(ctx, overlay->gfn, contents, was_written);
    hvs_vm_unlock(ctx);
}

void hvs_overlay_reset(struct hvs_ctx *ctx, struct hvs_overlay *overlay)
{
    hvs_overlay_off(ctx, overlay);
    memset(overlay->page, 0, HVS_PAGE_BYTES);
}

void hvs_overlay_restore(struct hvs_vm *vm, struct hvs_overlay *overlay, bool is_on, uint64_t gfn, const void *page)
{
    if (overlay->is_on)
        unlink_overlay(vm, overlay);
    memcpy(overlay->page, page, HVS_PAGE_BYTES);
    if (!is_on)
        return;
    overlay->gfn = gfn;
    overlay->is_on = true;
    overlay->below = vm->overlays;
    vm->overlays = overlay;
}
