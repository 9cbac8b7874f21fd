/*
 * memory_op, hypercall 12 [XEN public/memory.h; common/memory.c, arch/x86/mm.c].
 *
 * Left out: grant frames and all other map spaces, add_to_physmap_batch, remove_from_physmap, reservations.
 */
#include "xen_state.h"

enum { MAX_MAP_ENTRIES = 128 };

static void read_add_to_physmap(const struct hvs_ctx *ctx, const void *in, struct xen_add_to_physmap *add)
{
    if (!xen_caller_is_32bit(ctx)) {
        memcpy(add, in, sizeof(*add));
        return;
    }

    const struct xen_add_to_physmap32 *from = in;

    *add = (struct xen_add_to_physmap){
        .domid = from->domid, .size = from->size, .space = from->space, .idx = from->idx, .gpfn = from->gpfn};
    if (from->gpfn == UINT32_MAX)
        add->gpfn = UINT64_MAX;
}

/* Guests map shared_info before they look at it, so its layout is taken here too: Linux does not write the MSR. */
int64_t xen_memory_add_to_physmap(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct xen_add_to_physmap add;
    int64_t err;

    if (call->arg[0] >> XEN_MEMOP_EXTENT_SHIFT > UINT16_MAX)
        return -XEN_EDOM;
    read_add_to_physmap(ctx, call->in, &add);
    if (add.space == XENMAPSPACE_gmfn_foreign)
        return -XEN_ENOSYS;
    err = xen_check_domid(ctx, add.domid);
    if (err)
        return err;
    if (add.gpfn == UINT64_MAX || add.space != XENMAPSPACE_shared_info || add.idx != 0)
        return -XEN_EINVAL;
    if (hvs_overlay_on(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO), add.gpfn))
        return -XEN_EINVAL;
    xen_shared_latch(ctx);
    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx) && vp < XEN_LEGACY_MAX_VCPUS; vp++)
        xen_shared_publish_time(ctx, vp);
    return 0;
}

static int write_entry(const struct hvs_ctx *ctx, uint64_t gva, const struct hvs_xen_memory *memory)
{
    const struct xen_e820_entry entry = {
        .addr = {(uint32_t)memory->gpa, (uint32_t)(memory->gpa >> 32)},
        .size = {(uint32_t)memory->bytes, (uint32_t)(memory->bytes >> 32)},
        .type = memory->type,
    };

    return hvs_gva_write(ctx, gva, &entry, sizeof(entry));
}

int64_t xen_memory_memory_map(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hvs_xen_options options = xen_options(ctx);
    uint32_t *nr_entries = call->out;           /* the first field, in both widths */
    uint64_t buffer = ((const struct xen_memory_map32 *)call->in)->buffer;

    if (!options.memory_map)
        return -XEN_ENOSYS;
    if (!xen_caller_is_32bit(ctx))
        memcpy(&buffer, (const uint8_t *)call->in + offsetof(struct xen_memory_map, buffer), sizeof(buffer));
    if (*nr_entries > options.nr_memory_map)
        *nr_entries = options.nr_memory_map;
    if (*nr_entries > MAX_MAP_ENTRIES)
        *nr_entries = MAX_MAP_ENTRIES;
    for (uint32_t i = 0; i < *nr_entries; i++) {
        if (write_entry(ctx, buffer + i * sizeof(struct xen_e820_entry), &options.memory_map[i]))
            return -XEN_EFAULT;
    }
    return 0;
}
