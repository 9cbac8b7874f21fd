/*
 * multicall, hypercall 13: a list of calls, each with an answer of its own [XEN public/xen.h; common/multicall.c].
 *
 * The calls of one exit are bounded by its effects and by their number. Then the guest executes the instruction again
 * with what is left of the list, as Xen has it do after a break. A call that is done in part only ends the exit too, and
 * its entry says what is left of it.
 */
#include "xen_state.h"

enum {
    MAX_CALLS = 64,             /* of one exit */
    FREE_EFFECTS = HVS_MAX_EFFECTS - XEN_MAX_UPCALL_EFFECTS,    /* with so many emitted, any call still fits */
};

struct entry {
    uint64_t op, arg[XEN_NR_ARGS];
};

static int read_entry(const struct hvs_ctx *ctx, uint64_t gva, struct entry *entry)
{
    struct xen_multicall_entry32 narrow;
    struct multicall_entry wide;

    *entry = (struct entry){.op = 0};
    if (xen_caller_is_32bit(ctx)) {
        if (hvs_gva_read(ctx, gva, &narrow, sizeof(narrow)))
            return HVS_EFAULT;
        entry->op = narrow.op;
        for (uint32_t i = 0; i < XEN_NR_REGISTER_ARGS; i++)
            entry->arg[i] = narrow.args[i];
        return HVS_OK;
    }
    if (hvs_gva_read(ctx, gva, &wide, sizeof(wide)))
        return HVS_EFAULT;
    entry->op = wide.op;
    for (uint32_t i = 0; i < XEN_NR_REGISTER_ARGS; i++)
        entry->arg[i] = wide.args[i];
    return HVS_OK;
}

static int write_result(const struct hvs_ctx *ctx, uint64_t gva, int64_t result)
{
    if (xen_caller_is_32bit(ctx))
        return hvs_gva_write(ctx, gva + offsetof(struct xen_multicall_entry32, result), &result, sizeof(uint32_t));
    return hvs_gva_write(ctx, gva + offsetof(struct multicall_entry, result), &result, sizeof(result));
}

static int write_args(const struct hvs_ctx *ctx, uint64_t gva, const struct entry *entry)
{
    uint32_t narrow[XEN_NR_REGISTER_ARGS];

    if (!xen_caller_is_32bit(ctx))
        return hvs_gva_write(ctx, gva + offsetof(struct multicall_entry, args), entry->arg,
                             XEN_NR_REGISTER_ARGS * sizeof(entry->arg[0]));
    for (uint32_t i = 0; i < XEN_NR_REGISTER_ARGS; i++)
        narrow[i] = (uint32_t)entry->arg[i];
    return hvs_gva_write(ctx, gva + offsetof(struct xen_multicall_entry32, args), narrow, sizeof(narrow));
}

static int64_t go_on_later(struct hvs_call *call, uint64_t list, uint64_t nr)
{
    call->arg[0] = list;
    call->arg[1] = nr;
    return XEN_AGAIN;
}

int64_t xen_multicall(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint64_t entry_bytes =
        xen_caller_is_32bit(ctx) ? sizeof(struct xen_multicall_entry32) : sizeof(struct multicall_entry);
    uint64_t gva = call->arg[0], left = call->arg[1];
    struct entry entry;

    for (uint32_t i = 0; left > 0; i++, left--, gva += entry_bytes) {
        int64_t result = -XEN_EINVAL;           /* of a multicall within one */

        if (i == MAX_CALLS || ctx->out->nr_effects > FREE_EFFECTS)
            return go_on_later(call, gva, left);
        if (read_entry(ctx, gva, &entry))
            return -XEN_EFAULT;
        if (entry.op != __HYPERVISOR_multicall)
            result = xen_call(ctx, entry.op, entry.arg);
        if (result == XEN_AGAIN)
            return write_args(ctx, gva, &entry) ? -XEN_EFAULT : go_on_later(call, gva, left);
        if (write_result(ctx, gva, result))
            return -XEN_EFAULT;
    }
    return 0;
}
