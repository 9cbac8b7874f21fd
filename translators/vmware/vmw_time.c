/*
 * Time: the frequencies that Linux takes its clocks from, and the host's time of day for time synchronisation
 * [BDOOR; the time commands as open-vm-tools' timeSync.c reads them].
 *
 * Left out: stopping catch-up (timer interrupts of ours never lag, so there is nothing to stop).
 */
#include "vmw_state.h"

enum {
    US_PER_SEC = 1000000,
    NS_PER_US = 1000,
    MAX_LAG_US = US_PER_SEC,    /* the guest corrects its clock when it is off by more */
};

int64_t vmw_getmhz(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    return (uint32_t)(hvs_ctx_config(ctx)->tsc_khz / 1000);
}

/* EAX:EBX, low half first, the TSC's Hz; ECX the APIC timer's. EBX of all ones is a guest's sign of failure. */
int64_t vmw_gethz(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hvs_vm_config *config = hvs_ctx_config(ctx);
    uint64_t tsc_hz = config->tsc_khz * 1000;

    if (tsc_hz == 0 || config->apic_hz == 0 || config->apic_hz > UINT32_MAX) {
        call->arg[VMW_EBX] = UINT32_MAX;
        return BDOOR_UNSUPPORTED;
    }
    call->arg[VMW_EBX] = tsc_hz >> 32;
    call->arg[VMW_ECX] = config->apic_hz;
    return (uint32_t)tsc_hz;
}

struct time_of_day {
    uint64_t sec;               /* since 1970, UTC */
    uint32_t us;
};

/* False where nobody has said what time it is. */
static bool time_of_day(const struct hvs_ctx *ctx, struct time_of_day *now)
{
    uint64_t boot_wall_ns = hvs_ctx_boot_wall_ns(ctx), us;

    if (boot_wall_ns == 0)
        return false;
    us = (boot_wall_ns + hvs_ctx_now_ns(ctx)) / NS_PER_US;
    now->sec = us / US_PER_SEC;
    now->us = (uint32_t)(us % US_PER_SEC);
    return true;
}

int64_t vmw_gettime(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct time_of_day now;

    if (!time_of_day(ctx, &now))
        return BDOOR_UNSUPPORTED;
    call->arg[VMW_EBX] = now.us;
    call->arg[VMW_ECX] = MAX_LAG_US;
    call->arg[VMW_EDX] = 0;     /* minutes from UTC: we speak UTC */
    return (uint32_t)now.sec;
}

/* EAX keeps the magic: by that the guest knows that it worked. */
int64_t vmw_gettimefull(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct time_of_day now;

    if (!time_of_day(ctx, &now))
        return BDOOR_UNSUPPORTED;
    call->arg[VMW_ESI] = now.sec >> 32;
    call->arg[VMW_EDX] = (uint32_t)now.sec;
    call->arg[VMW_EBX] = now.us;
    call->arg[VMW_ECX] = MAX_LAG_US;
    return BDOOR_MAGIC;
}

int64_t vmw_gettimefull_with_lag(struct hvs_ctx *ctx, struct hvs_call *call)
{
    int64_t eax = vmw_gettimefull(ctx, call);

    if (eax == BDOOR_MAGIC)
        call->arg[VMW_EDI] = 0; /* apparent time is real time */
    return eax;
}
