/*
 * SCHEDOP_watchdog: two timers of the VM that end it unless they are set anew in time [XEN public/sched.h;
 * common/sched/core.c domain_watchdog].
 *
 * Timers belong to vCPUs, and any vCPU may set a watchdog: each keeps a timer of its own for what it has set, and the
 * VM-wide deadline decides when one of them fires.
 */
#include "xen_state.h"

static void set(struct hvs_ctx *ctx, uint32_t dog, uint32_t timeout_s)
{
    const uint64_t ns_per_s = 1000000000;

    xen_vm(ctx)->watchdog_ns[dog] = hvs_ctx_now_ns(ctx) + timeout_s * ns_per_s;
    hvs_timer_arm(ctx, XEN_TIMER_WATCHDOG + dog, xen_vm(ctx)->watchdog_ns[dog]);
}

/* 0 is a watchdog that is not in use: no deadline is that early. */
int64_t xen_sched_watchdog(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct sched_watchdog *args = call->in;
    uint64_t *deadline_ns = xen_vm(ctx)->watchdog_ns;

    if (args->id > XEN_NR_WATCHDOGS)
        return -XEN_EINVAL;
    for (uint32_t dog = 0; args->id == 0 && dog < XEN_NR_WATCHDOGS; dog++) {
        if (deadline_ns[dog])
            continue;
        set(ctx, dog, args->timeout);
        return dog + 1;
    }
    if (args->id == 0)
        return -XEN_ENOSPC;
    if (!deadline_ns[args->id - 1])
        return -XEN_EINVAL;
    if (args->timeout)
        set(ctx, args->id - 1, args->timeout);
    else
        deadline_ns[args->id - 1] = 0;
    return 0;
}

void xen_watchdog_bark(struct hvs_ctx *ctx, uint32_t dog)
{
    uint64_t *deadline_ns = &xen_vm(ctx)->watchdog_ns[dog];

    if (*deadline_ns == 0)
        return;
    if (hvs_ctx_now_ns(ctx) < *deadline_ns) {
        hvs_timer_arm(ctx, XEN_TIMER_WATCHDOG + dog, *deadline_ns);
        return;
    }
    *deadline_ns = UINT64_MAX;                  /* once; it stays in use */
    xen_shutdown(ctx, SHUTDOWN_watchdog);
}
