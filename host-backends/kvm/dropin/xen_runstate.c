/*
 * Run state: how long a vCPU has run, waited for a processor, and slept [XEN public/vcpu.h].
 *
 * The kernel counts at each change of state; here the host's scheduler is asked at the vCPU's exits, and what it
 * neither ran nor waited since the last time, it slept. So the area is a little old, and its state is always "running".
 */
#include "dropin.h"

#include "xen_abi.h"

enum { MIN_UPDATE_NS = 1000000 };

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What passed before the first time, the vCPU was offline. */
static void count(struct hvs_ctx *ctx, struct hvs_dropin_xen_runstate *r, uint64_t now_ns)
{
    const struct hvs_vcpu_time host = hvs_ctx_vcpu_time(ctx, ctx->vp);
    uint64_t left_ns = now_ns - r->entry_ns, ran_ns, stolen_ns;

    if (!r->entry_ns) {
        r->time_ns[RUNSTATE_offline] += left_ns;
    } else {
        ran_ns = least(host.ran_ns - r->host.ran_ns, left_ns);
        stolen_ns = least(host.stolen_ns - r->host.stolen_ns, left_ns - ran_ns);
        r->time_ns[RUNSTATE_running] += ran_ns;
        r->time_ns[RUNSTATE_runnable] += stolen_ns;
        r->time_ns[RUNSTATE_blocked] += left_ns - ran_ns - stolen_ns;
    }
    r->host = host;
    r->entry_ns = now_ns;
    r->state = RUNSTATE_running;
}

union area {
    struct vcpu_runstate_info wide;
    struct xen_runstate32 narrow;
    uint8_t byte[sizeof(struct vcpu_runstate_info)];
};

/* Returns how many bytes the layout has. */
static size_t make(const struct hvs_dropin_xen_runstate *r, bool is_long_mode, union area *area)
{
    if (is_long_mode) {
        area->wide = (struct vcpu_runstate_info){.state = (int)r->state, .state_entry_time = r->entry_ns};
        memcpy(area->wide.time, r->time_ns, sizeof(r->time_ns));
        return sizeof(area->wide);
    }
    area->narrow = (struct xen_runstate32){.state = r->state};
    memcpy(area->narrow.state_entry_time, &r->entry_ns, sizeof(r->entry_ns));
    memcpy(area->narrow.time, r->time_ns, sizeof(r->time_ns));
    return sizeof(area->narrow);
}

/* With the guest's consent, bit 63 of the entry time says that the rest is being written. */
static void write_area(const struct hvs_ctx *ctx, const struct hvs_dropin_xen_vcpu *vcpu)
{
    enum { UPDATE = 0x80 };
    const struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);
    const size_t at = (xen->is_long_mode ? offsetof(struct vcpu_runstate_info, state_entry_time)
                                         : offsetof(struct xen_runstate32, state_entry_time)) + 7;
    union area area;
    size_t bytes = make(&vcpu->runstate, xen->is_long_mode, &area);

    if (!xen->has_runstate_flag) {
        hvs_gpa_write(ctx, vcpu->runstate_gpa, &area, bytes);
        return;
    }
    area.byte[at] |= UPDATE;
    hvs_gpa_write(ctx, vcpu->runstate_gpa + at, &area.byte[at], 1);
    atomic_thread_fence(memory_order_seq_cst);
    hvs_gpa_write(ctx, vcpu->runstate_gpa, &area, bytes);
    atomic_thread_fence(memory_order_seq_cst);
    area.byte[at] &= (uint8_t)~UPDATE;
    hvs_gpa_write(ctx, vcpu->runstate_gpa + at, &area.byte[at], 1);
}

void hvs_dropin_xen_runstate_update(struct hvs_ctx *ctx, bool must)
{
    struct hvs_dropin_xen_vcpu *vcpu = hvs_dropin_xen_vcpu_of(ctx, ctx->vp);
    const uint64_t now_ns = hvs_ctx_now_ns(ctx);

    if (now_ns < vcpu->runstate.entry_ns || (!must && now_ns - vcpu->runstate.entry_ns < MIN_UPDATE_NS))
        return;
    count(ctx, &vcpu->runstate, now_ns);
    if (vcpu->runstate_gpa != HVS_DROPIN_XEN_NOWHERE)
        write_area(ctx, vcpu);
}
