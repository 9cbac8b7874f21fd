/*
 * The upcall: how a vCPU is told that it has events [XEN arch/x86/domain.c vcpu_mark_events_pending,
 * arch/x86/hvm/irq.c hvm_assert_evtchn_irq, hvm_set_callback_via].
 *
 * Xen interrupts where upcall_pending goes from 0 to 1, once more when the guest enables its local APIC, and with the
 * callback by vector for as long as upcall_pending stays 1. Those later moments are not seen here, and an interrupt to
 * an APIC that is off is lost; so each new event interrupts as long as upcall_pending says that the guest has not come.
 * More of them than needed do no harm.
 */
#include "xen_state.h"

static _Atomic uint8_t *upcall_pending(const struct xen_info *info)
{
    return (_Atomic uint8_t *)(info->at + offsetof(struct vcpu_info, evtchn_upcall_pending));
}

bool xen_info_mark(const struct xen_info *info, bool is_new)
{
    if (is_new)
        atomic_store(upcall_pending(info), 1);
    return atomic_load(upcall_pending(info));
}

bool xen_upcall_mark(struct hvs_ctx *ctx, uint32_t vp, bool is_new)
{
    struct xen_info info;
    bool is_wanted;

    if (!xen_info_open(ctx, vp, &info))
        return false;
    is_wanted = xen_info_mark(&info, is_new);
    xen_info_close(ctx, &info);
    return is_wanted;
}

/* The vector of the callback that goes past the local APICs, or 0. */
static uint8_t callback_vector(const struct hvs_ctx *ctx)
{
    uint64_t via = xen_vm(ctx)->param[HVM_PARAM_CALLBACK_IRQ];

    if (via >> XEN_CALLBACK_TYPE_SHIFT != HVM_PARAM_CALLBACK_TYPE_VECTOR)
        return 0;
    return hvs_ctx_feature(ctx, XEN_FEATURE_CALLBACK_VECTOR) ? (uint8_t)via : 0;
}

/* The vCPU's own vector goes before what is set for all. */
void xen_upcall(struct hvs_ctx *ctx, uint32_t vp)
{
    uint8_t own = xen_vcpu(ctx, vp)->upcall_vector, common = callback_vector(ctx);

    if (own)
        hvs_emit_inject(ctx, vp, own);
    else if (common)
        hvs_emit_inject_past_apic(ctx, vp, common);
    else if (vp == 0)
        xen_line_update(ctx);
}

/*
 * One exit has one set, so vectors that differ from the first one's are interrupted one by one, and of those only as
 * many as an exit may; the next event of the others interrupts them. No guest is known to have several.
 */
void xen_upcall_waiting(struct hvs_ctx *ctx)
{
    const uint8_t common = callback_vector(ctx);
    uint32_t nr_single = 0;
    struct hvs_vpset set;
    uint8_t vector = 0;

    hvs_vpset_clear(&set);
    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx); vp++) {
        uint8_t own = xen_vcpu(ctx, vp)->upcall_vector;

        if ((!own && !common) || !xen_upcall_mark(ctx, vp, false))
            continue;
        if (own && (!vector || own == vector)) {
            vector = own;
            hvs_vpset_add(&set, vp);
        } else if (nr_single++ < XEN_MAX_SINGLE_UPCALLS) {
            xen_upcall(ctx, vp);
        }
    }
    if (vector)
        hvs_emit_inject_set(ctx, &set, vector);
    xen_line_update(ctx);
}

void xen_upcall_all(struct hvs_ctx *ctx, uint32_t vp)
{
    struct xen_info info;

    if (!xen_info_open(ctx, vp, &info))
        return;
    xen_2l_select_all(ctx, &info);
    xen_info_mark(&info, true);
    xen_info_close(ctx, &info);
    xen_upcall(ctx, vp);
}
