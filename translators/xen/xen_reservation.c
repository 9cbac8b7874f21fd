/*
 * memory_op, hypercall 12: how much memory there is, and a guest that gives some back and takes it again (ballooning)
 * [XEN public/memory.h; common/memory.c].
 *
 * The VMM is asked. One that does not want to be keeps the RAM as it is: what the guest has given back stays there for
 * it to take again, and nothing else can be taken. Xen goes on with a long list after a break; here the work of one
 * call is bounded, and the guest is told how far it came, as when memory is short.
 */
#include "xen_state.h"

enum {
    MAX_EXTENTS = 1024,         /* of one call; Linux asks for 512 at most */
    MAX_ORDER = 9,              /* what Xen allows to domains: 2 MiB */
    MAX_PAGES = 65536,          /* of one call */
};

static bool are_pages(const struct hvs_ctx *ctx, uint64_t gfn, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (!xen_is_page(ctx, gfn + i))
            return false;
    }
    return true;
}

bool xen_release_pages(struct hvs_ctx *ctx, uint64_t gfn, uint32_t nr)
{
    const struct hvs_xen_options options = xen_options(ctx);

    if (!are_pages(ctx, gfn, nr) || (options.release && !options.release(options.ctx, gfn, nr)))
        return false;
    xen_vm(ctx)->nr_released_pages += nr;
    return true;
}

static bool populate_pages(struct hvs_ctx *ctx, uint64_t gfn, uint32_t nr)
{
    const struct hvs_xen_options options = xen_options(ctx);
    uint64_t *nr_released = &xen_vm(ctx)->nr_released_pages;

    if (*nr_released < nr)
        return false;           /* more than the guest began with */
    if (options.populate ? !options.populate(options.ctx, gfn, nr) : !are_pages(ctx, gfn, nr))
        return false;
    *nr_released -= nr;
    return true;
}

/* Returns false where Xen would not even begin. */
static bool read_reservation(const struct hvs_ctx *ctx, const struct hvs_call *call, struct xen_memory_reservation *r)
{
    const uint64_t gva = call->arg[XEN_ARG_HANDLE];
    struct xen_memory_reservation32 narrow;
    uint64_t list;

    if (!xen_caller_is_32bit(ctx))
        return !hvs_gva_read(ctx, gva, r, sizeof(*r));
    if (hvs_gva_read(ctx, gva, &narrow, sizeof(narrow)))
        return false;
    list = narrow.extent_start;
    memset(r, 0, sizeof(*r));
    memcpy(&r->extent_start, &list, sizeof(list));
    r->nr_extents = narrow.nr_extents;
    r->extent_order = narrow.extent_order;
    r->mem_flags = narrow.mem_flags;
    r->domid = narrow.domid;
    return true;
}

typedef bool pages_fn(struct hvs_ctx *ctx, uint64_t gfn, uint32_t nr);

/* Does `fn` for each extent of the list from the call's own start on. Returns how many are done then. */
static int64_t for_each_extent(struct hvs_ctx *ctx, const struct hvs_call *call, pages_fn *fn)
{
    const size_t bytes = xen_caller_is_32bit(ctx) ? sizeof(uint32_t) : sizeof(uint64_t);
    const uint64_t first = call->arg[0] >> XEN_MEMOP_EXTENT_SHIFT;
    struct xen_memory_reservation r;
    uint64_t list, i = first, nr_pages = 0;

    if (!read_reservation(ctx, call, &r) || r.nr_extents > UINT32_MAX >> XEN_MEMOP_EXTENT_SHIFT ||
        first >= r.nr_extents)
        return (int64_t)first;
    if (xen_check_domid(ctx, r.domid) || r.extent_order > MAX_ORDER || r.mem_flags & XENMEMF_populate_on_demand)
        return (int64_t)first;
    memcpy(&list, &r.extent_start, sizeof(list));
    for (; i < r.nr_extents && i - first < MAX_EXTENTS && nr_pages < MAX_PAGES; i++) {
        uint64_t gfn = 0;

        if (hvs_gva_read(ctx, list + i * bytes, &gfn, bytes) || !fn(ctx, gfn, 1u << r.extent_order))
            break;
        nr_pages += 1u << r.extent_order;
    }
    return (int64_t)i;
}

int64_t xen_memory_decrease_reservation(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return for_each_extent(ctx, call, xen_release_pages);
}

int64_t xen_memory_populate_physmap(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return for_each_extent(ctx, call, populate_pages);
}

/* Memory that lies nowhere is of no use to a translated guest. */
int64_t xen_memory_increase_reservation(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx;
    return (int64_t)(call->arg[0] >> XEN_MEMOP_EXTENT_SHIFT);
}

/* --- how much there is -------------------------------------------------------------------------------------------- */

static int64_t check_query(const struct hvs_ctx *ctx, const struct hvs_call *call)
{
    const struct xen_memory_domain *args = call->in;

    if (call->arg[0] >> XEN_MEMOP_EXTENT_SHIFT)
        return -XEN_EINVAL;
    return xen_check_domid(ctx, args->domid);
}

static uint64_t nr_pages(const struct hvs_ctx *ctx)
{
    return hvs_ctx_config(ctx)->memory_bytes >> HVS_PAGE_SHIFT;
}

int64_t xen_memory_current_reservation(struct hvs_ctx *ctx, struct hvs_call *call)
{
    int64_t err = check_query(ctx, call);
    uint64_t released = xen_vm(ctx)->nr_released_pages;

    if (err)
        return err;
    return (int64_t)(released < nr_pages(ctx) ? nr_pages(ctx) - released : 0);
}

int64_t xen_memory_maximum_reservation(struct hvs_ctx *ctx, struct hvs_call *call)
{
    int64_t err = check_query(ctx, call);

    return err ? err : (int64_t)nr_pages(ctx);
}

/* The last frame of RAM, by the map where the VMM gives one. */
static int64_t last_gfn(const struct hvs_ctx *ctx)
{
    const struct hvs_xen_options options = xen_options(ctx);
    uint64_t end = 0;

    for (uint32_t i = 0; options.memory_map && i < options.nr_memory_map; i++) {
        const struct hvs_xen_memory *m = &options.memory_map[i];

        if (m->type == 1 && m->gpa + m->bytes > end)
            end = m->gpa + m->bytes;
    }
    end = end ? end : hvs_ctx_config(ctx)->memory_bytes;
    return (int64_t)(end >> HVS_PAGE_SHIFT) - (end >= HVS_PAGE_BYTES);
}

int64_t xen_memory_maximum_gpfn(struct hvs_ctx *ctx, struct hvs_call *call)
{
    int64_t err = check_query(ctx, call);

    return err ? err : last_gfn(ctx);
}

/* Of the machine, says Xen; of that, a guest is not told here. */
int64_t xen_memory_maximum_ram_page(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return call->arg[0] >> XEN_MEMOP_EXTENT_SHIFT ? -XEN_EINVAL : last_gfn(ctx) + 1;
}
