/*
 * Run state: how long a vCPU has run, waited for a processor, and slept [XEN public/vcpu.h; common/domain.c
 * update_runstate_area, common/sched/core.c vcpu_runstate_get].
 *
 * The times come from the host's scheduler. Where the backend cannot tell, the whole age of the VM counts as running,
 * so the guest finds no stolen time. Xen writes the area at each change of state; here it is written when the vCPU
 * gives its time away and when its timer fires, so it may be a little old, and its state is always "running".
 *
 * Xen looks the area's address up each time that it writes; here it is looked up once, when it is registered.
 */
#include "xen_state.h"

enum { MIN_UPDATE_NS = 1000000 };

struct times {
    uint64_t now_ns;
    uint64_t by_state_ns[4];
};

static struct times take_times(const struct hvs_ctx *ctx, uint32_t vp)
{
    const struct hvs_vcpu_time host = hvs_ctx_vcpu_time(ctx, vp);
    struct times t = {.now_ns = hvs_ctx_now_ns(ctx)};
    uint64_t left_ns = t.now_ns, *ns = t.by_state_ns;

    if (!(hvs_ctx_config(ctx)->caps & HVS_CAP_VCPU_TIME)) {
        ns[RUNSTATE_running] = left_ns;
        return t;
    }
    /* the host's clocks are not ours to the ns: the sum is the age of the VM all the same */
    ns[RUNSTATE_running] = host.ran_ns < left_ns ? host.ran_ns : left_ns;
    left_ns -= ns[RUNSTATE_running];
    ns[RUNSTATE_runnable] = host.stolen_ns < left_ns ? host.stolen_ns : left_ns;
    ns[RUNSTATE_blocked] = left_ns - ns[RUNSTATE_runnable];
    return t;
}

union runstate {
    struct vcpu_runstate_info wide;
    struct xen_runstate32 narrow;
    uint8_t byte[sizeof(struct vcpu_runstate_info)];
};

/* Returns how many bytes the layout has. */
static size_t make_runstate(const struct times *t, bool is_32bit, union runstate *info)
{
    if (!is_32bit) {
        info->wide = (struct vcpu_runstate_info){.state = RUNSTATE_running, .state_entry_time = t->now_ns};
        memcpy(info->wide.time, t->by_state_ns, sizeof(t->by_state_ns));
        return sizeof(info->wide);
    }
    info->narrow = (struct xen_runstate32){.state = RUNSTATE_running};
    memcpy(info->narrow.state_entry_time, &t->now_ns, sizeof(t->now_ns));
    memcpy(info->narrow.time, t->by_state_ns, sizeof(t->by_state_ns));
    return sizeof(info->narrow);
}

int64_t xen_vcpu_get_runstate_info(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct times t = take_times(ctx, (uint32_t)call->arg[1]);
    union runstate info;
    size_t bytes = make_runstate(&t, xen_caller_is_32bit(ctx), &info);

    return xen_copy_out(ctx, call, &info, bytes);
}

/* --- the area ----------------------------------------------------------------------------------------------------- */

/* Copies to the area at offset `at`; it may straddle two pages. */
static void put(const struct hvs_ctx *ctx, const struct xen_area *area, size_t at, const void *from, size_t bytes)
{
    const size_t in_first = HVS_PAGE_BYTES - area->gpa[0] % HVS_PAGE_BYTES;
    const size_t first = at >= in_first ? 0 : at + bytes <= in_first ? bytes : in_first - at;

    if (first > 0)
        hvs_gpa_write(ctx, area->gpa[0] + at, from, first);
    if (first < bytes)
        hvs_gpa_write(ctx, area->gpa[1] + (at + first - in_first), (const uint8_t *)from + first, bytes - first);
    atomic_thread_fence(memory_order_seq_cst);
}

/* With the guest's consent, bit 63 of the entry time says that the rest is being written. */
static void write_area(const struct hvs_ctx *ctx, uint32_t vp)
{
    enum { UPDATE = 0x80 };
    const struct xen_area *area = &xen_vcpu(ctx, vp)->runstate;
    const size_t at = (area->is_32bit ? offsetof(struct xen_runstate32, state_entry_time)
                                      : offsetof(struct vcpu_runstate_info, state_entry_time)) + 7;
    const struct times t = take_times(ctx, vp);
    union runstate info;
    size_t bytes = make_runstate(&t, area->is_32bit, &info);

    if (!xen_vm(ctx)->has_runstate_flag) {
        put(ctx, area, 0, &info, bytes);
        return;
    }
    info.byte[at] |= UPDATE;
    put(ctx, area, at, &info.byte[at], 1);
    put(ctx, area, 0, &info, bytes);
    info.byte[at] &= (uint8_t)~UPDATE;
    put(ctx, area, at, &info.byte[at], 1);
}

void xen_runstate_update(struct hvs_ctx *ctx)
{
    struct xen_area *area = &xen_vcpu(ctx, ctx->vp)->runstate;
    const uint64_t now_ns = hvs_ctx_now_ns(ctx);

    if (!area->is_set || now_ns - area->updated_ns < MIN_UPDATE_NS)
        return;
    area->updated_ns = now_ns;
    write_area(ctx, ctx->vp);
}

/* Where the area lies, all of it writable RAM. */
static bool find_area(const struct hvs_ctx *ctx, uint64_t gva, struct xen_area *area)
{
    const size_t bytes = area->is_32bit ? sizeof(struct xen_runstate32) : sizeof(struct vcpu_runstate_info);
    const uint64_t last = gva + bytes - 1;

    if (last < gva || hvs_gva_to_gpa(ctx, gva, true, &area->gpa[0]) || hvs_gva_to_gpa(ctx, last, true, &area->gpa[1]))
        return false;
    if (gva >> HVS_PAGE_SHIFT != last >> HVS_PAGE_SHIFT)
        area->gpa[1] &= ~(uint64_t)(HVS_PAGE_BYTES - 1);
    return xen_is_page(ctx, area->gpa[0] >> HVS_PAGE_SHIFT) && xen_is_page(ctx, area->gpa[1] >> HVS_PAGE_SHIFT);
}

/* Linux stops for good when this fails. Xen takes any address and is silent about those that it cannot write. */
int64_t xen_vcpu_register_runstate_memory_area(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint32_t vp = (uint32_t)call->arg[1];
    struct xen_area *area = &xen_vcpu(ctx, vp)->runstate;

    *area = (struct xen_area){.is_32bit = xen_caller_is_32bit(ctx), .updated_ns = hvs_ctx_now_ns(ctx)};
    area->is_set = find_area(ctx, xen_read_address(ctx, call), area);
    if (area->is_set)
        write_area(ctx, vp);
    return 0;
}

/* vm_assist, hypercall 21: what of it is not for PV guests is the mark of an update. */
int64_t xen_vm_assist(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint32_t cmd = (uint32_t)call->arg[0], type = (uint32_t)call->arg[1];

    if (type != VMASST_TYPE_runstate_update_flag)
        return -XEN_EINVAL;
    if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
        return -XEN_ENOSYS;
    xen_vm(ctx)->has_runstate_flag = cmd == VMASST_CMD_enable;
    return 0;
}
