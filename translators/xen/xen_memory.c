/*
 * memory_op, hypercall 12: the pages that a guest may place in its memory, and the memory map [XEN public/memory.h;
 * common/memory.c, arch/x86/mm.c]. How much memory there is: xen_reservation.c.
 *
 * Left out: moving RAM (gmfn and gmfn_range), exchange, and what is for other domains.
 */
#include "xen_state.h"

static uint64_t extent_of(const struct hvs_call *call)
{
    return call->arg[0] >> XEN_MEMOP_EXTENT_SHIFT;
}

/* A frame number of a 32-bit caller: all ones is none. */
static uint64_t widen_gfn(uint32_t gfn)
{
    return gfn == UINT32_MAX ? UINT64_MAX : gfn;
}

/* --- placing and removing ----------------------------------------------------------------------------------------- */

/* Returns 0 where there is RAM at gfn; XEN_AGAIN where the VMM will put some there; else -EINVAL. */
static int64_t want_ram(const struct hvs_ctx *ctx, uint64_t gfn)
{
    const struct hvs_xen_options options = xen_options(ctx);

    if (xen_is_page(ctx, gfn))
        return 0;
    if (!options.back || !(hvs_ctx_config(ctx)->caps & HVS_CAP_RETRY) || !options.back(options.ctx, gfn))
        return -XEN_EINVAL;
    return XEN_AGAIN;
}

/* Guests map shared_info before they look at it, so its layout is taken here too: Linux does not write the MSR. */
static int64_t map_shared_info(struct hvs_ctx *ctx, uint64_t gfn)
{
    int64_t err = want_ram(ctx, gfn);

    if (err)
        return err;
    if (hvs_overlay_on(ctx, hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO), gfn))
        return -XEN_EINVAL;
    xen_shared_latch(ctx);
    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx) && vp < XEN_LEGACY_MAX_VCPUS; vp++)
        xen_shared_publish_time(ctx, vp);
    return 0;
}

static int64_t map_grant_frame(struct hvs_ctx *ctx, uint64_t idx, uint64_t gfn)
{
    struct hvs_overlay *frame = xen_grant_frame(ctx, idx);
    int64_t err = frame ? want_ram(ctx, gfn) : -XEN_EINVAL;

    if (err)
        return err;
    return hvs_overlay_on(ctx, frame, gfn) ? -XEN_EINVAL : 0;
}

static int64_t map_one(struct hvs_ctx *ctx, uint32_t space, uint64_t idx, uint64_t gfn)
{
    if (space == XENMAPSPACE_shared_info && idx == 0)
        return map_shared_info(ctx, gfn);
    if (space == XENMAPSPACE_grant_table && hvs_ctx_feature(ctx, XEN_FEATURE_GRANTS))
        return map_grant_frame(ctx, idx, gfn);
    return -XEN_EINVAL;
}

static void read_add_to_physmap(const struct hvs_ctx *ctx, const void *in, struct xen_add_to_physmap *add)
{
    const struct xen_add_to_physmap32 *from = in;

    if (!xen_caller_is_32bit(ctx)) {
        memcpy(add, in, sizeof(*add));
        return;
    }
    *add = (struct xen_add_to_physmap){.domid = from->domid, .size = from->size, .space = from->space,
                                       .idx = from->idx, .gpfn = widen_gfn(from->gpfn)};
}

int64_t xen_memory_add_to_physmap(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct xen_add_to_physmap add;
    int64_t err;

    if (extent_of(call) > UINT16_MAX)
        return -XEN_EDOM;
    read_add_to_physmap(ctx, call->in, &add);
    if (add.space == XENMAPSPACE_gmfn_foreign)
        return -XEN_ENOSYS;
    err = xen_check_domid(ctx, add.domid);
    if (err)
        return err;
    return add.gpfn == UINT64_MAX ? -XEN_EINVAL : map_one(ctx, add.space, add.idx, add.gpfn);
}

struct batch {
    uint16_t domid, space, size;
    uint64_t idxs_gva, gpfns_gva, errs_gva;
};

static struct batch read_batch(const struct hvs_ctx *ctx, const void *in)
{
    const struct xen_add_to_physmap_batch *wide = in;
    const struct xen_add_to_physmap_batch32 *narrow = in;
    struct batch batch = {narrow->domid, narrow->space, narrow->size, narrow->idxs, narrow->gpfns, narrow->errs};

    if (xen_caller_is_32bit(ctx))
        return batch;
    memcpy(&batch.idxs_gva, &wide->idxs, sizeof(batch.idxs_gva));
    memcpy(&batch.gpfns_gva, &wide->gpfns, sizeof(batch.gpfns_gva));
    memcpy(&batch.errs_gva, &wide->errs, sizeof(batch.errs_gva));
    return batch;
}

/* One word of the caller's width from an array. */
static int read_word(const struct hvs_ctx *ctx, uint64_t gva, uint64_t i, uint64_t *word)
{
    const size_t bytes = xen_caller_is_32bit(ctx) ? sizeof(uint32_t) : sizeof(uint64_t);

    *word = 0;
    return hvs_gva_read(ctx, gva + i * bytes, word, bytes);
}

static int64_t map_entry(struct hvs_ctx *ctx, const struct batch *batch, uint64_t i)
{
    uint64_t idx, gfn;
    int64_t result;
    int32_t err;

    if (read_word(ctx, batch->idxs_gva, i, &idx) || read_word(ctx, batch->gpfns_gva, i, &gfn))
        return -XEN_EFAULT;
    if (xen_caller_is_32bit(ctx))
        gfn = widen_gfn((uint32_t)gfn);
    if (gfn == UINT64_MAX)
        return -XEN_EINVAL;
    result = map_one(ctx, batch->space, idx, gfn);
    if (result == XEN_AGAIN)
        return result;
    err = (int32_t)result;
    return hvs_gva_write(ctx, batch->errs_gva + i * sizeof(err), &err, sizeof(err)) ? -XEN_EFAULT : 0;
}

/* Each page has an answer of its own. A long list goes on in another exit, where the guest can be made to ask again. */
int64_t xen_memory_add_to_physmap_batch(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { MAX_PAGES = 64 };
    const struct batch batch = read_batch(ctx, call->in);
    const bool may_break = hvs_ctx_config(ctx)->caps & HVS_CAP_RETRY;
    const uint64_t first = extent_of(call);
    uint64_t i = first;
    int64_t err;

    if (i > UINT16_MAX)
        return -XEN_EDOM;
    if (batch.space == XENMAPSPACE_gmfn_range)
        return -XEN_EOPNOTSUPP;
    err = xen_check_domid(ctx, batch.domid);
    if (err)
        return err;
    if (batch.size < i || (i > 0 && batch.size == i))
        return -XEN_EILSEQ;
    for (; i < batch.size; i++) {
        err = may_break && i == first + MAX_PAGES ? XEN_AGAIN : map_entry(ctx, &batch, i);
        if (err == XEN_AGAIN)
            call->arg[0] = (call->arg[0] & XEN_MEMOP_CMD_MASK) | i << XEN_MEMOP_EXTENT_SHIFT;
        if (err)
            return err;
    }
    return 0;
}

int64_t xen_memory_remove_from_physmap(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct hvs_overlay *ours = hvs_vm_overlay(ctx, XEN_OVERLAY_SHARED_INFO);
    const struct xen_remove_from_physmap32 *narrow = call->in;
    struct xen_remove_from_physmap args = {.domid = narrow->domid, .gpfn = narrow->gpfn};
    int64_t err;

    if (!xen_caller_is_32bit(ctx))
        memcpy(&args, call->in, sizeof(args));
    if (extent_of(call))
        return -XEN_EINVAL;
    err = xen_check_domid(ctx, args.domid);
    if (err)
        return err;
    if (!hvs_overlay_is_over(ours, args.gpfn))
        ours = xen_grant_frame_at(ctx, args.gpfn);
    if (ours) {
        hvs_overlay_off(ctx, ours);
        return 0;
    }
    return xen_release_pages(ctx, args.gpfn, 1) ? 0 : -XEN_ENOENT;
}

/* --- the memory map ----------------------------------------------------------------------------------------------- */

static int write_entry(const struct hvs_ctx *ctx, uint64_t gva, const struct hvs_xen_memory *memory)
{
    const struct xen_e820_entry entry = {
        .addr = {(uint32_t)memory->gpa, (uint32_t)(memory->gpa >> 32)},
        .size = {(uint32_t)memory->bytes, (uint32_t)(memory->bytes >> 32)},
        .type = memory->type,
    };

    return hvs_gva_write(ctx, gva, &entry, sizeof(entry));
}

/* What the guest has set, else what the VMM says. Returns NULL where there is none. */
static const struct hvs_xen_memory *memory_map(const struct hvs_ctx *ctx, const struct hvs_xen_options *options,
                                               uint32_t *nr)
{
    const struct xen_vm *vm = xen_vm(ctx);

    *nr = vm->has_memory_map ? vm->nr_memory_map : options->nr_memory_map;
    if (*nr > XEN_MAX_MAP_ENTRIES)
        *nr = XEN_MAX_MAP_ENTRIES;
    if (vm->has_memory_map)
        return *nr ? vm->memory_map : NULL;
    return options->memory_map;
}

int64_t xen_memory_memory_map(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hvs_xen_options options = xen_options(ctx);
    uint32_t nr, *nr_entries = call->out;       /* the first field, in both widths */
    const struct hvs_xen_memory *map = memory_map(ctx, &options, &nr);
    uint64_t buffer = ((const struct xen_memory_map32 *)call->in)->buffer;

    if (!map || extent_of(call))
        return -XEN_ENOSYS;
    if (!xen_caller_is_32bit(ctx))
        memcpy(&buffer, (const uint8_t *)call->in + offsetof(struct xen_memory_map, buffer), sizeof(buffer));
    if (*nr_entries > nr)
        *nr_entries = nr;
    for (uint32_t i = 0; i < *nr_entries; i++) {
        if (write_entry(ctx, buffer + i * sizeof(struct xen_e820_entry), &map[i]))
            return -XEN_EFAULT;
    }
    return 0;
}

static int read_entry(const struct hvs_ctx *ctx, uint64_t gva, struct hvs_xen_memory *memory)
{
    struct xen_e820_entry entry;

    if (hvs_gva_read(ctx, gva, &entry, sizeof(entry)))
        return HVS_EFAULT;
    *memory = (struct hvs_xen_memory){
        .gpa = entry.addr[0] | (uint64_t)entry.addr[1] << 32,
        .bytes = entry.size[0] | (uint64_t)entry.size[1] << 32,
        .type = entry.type,
    };
    return HVS_OK;
}

/* A loader tells the kernel after it: GRUB does. Xen has room for 1024 entries. */
int64_t xen_memory_set_memory_map(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { XEN_E820_MAX = 1024 };
    const struct xen_foreign_memory_map32 *narrow = call->in;
    uint32_t nr = narrow->map.nr_entries;
    uint64_t buffer = narrow->map.buffer;
    struct xen_vm *vm = xen_vm(ctx);
    int64_t err;

    if (!xen_caller_is_32bit(ctx)) {
        memcpy(&nr, (const uint8_t *)call->in + offsetof(struct xen_foreign_memory_map, map.nr_entries), sizeof(nr));
        memcpy(&buffer, (const uint8_t *)call->in + offsetof(struct xen_foreign_memory_map, map.buffer),
               sizeof(buffer));
    }
    if (extent_of(call))
        return -XEN_ENOSYS;
    if (nr > XEN_E820_MAX)
        return -XEN_EINVAL;
    err = xen_check_domid(ctx, narrow->domid);
    if (err)
        return err;
    if (nr > XEN_MAX_MAP_ENTRIES)
        return -XEN_ENOMEM;
    for (uint32_t i = 0; i < nr; i++) {
        struct hvs_xen_memory entry;

        if (read_entry(ctx, buffer + i * sizeof(struct xen_e820_entry), &entry))
            return -XEN_EFAULT;
        vm->memory_map[i] = entry;
    }
    vm->has_memory_map = true;
    vm->nr_memory_map = nr;
    return 0;
}
