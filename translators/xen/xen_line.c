/*
 * The callback by an interrupt line, a GSI or the INTx pin of a PCI device: level-triggered, for vCPU 0 alone, high as
 * long as its upcall_pending is set [XEN arch/x86/hvm/irq.c hvm_set_callback_irq_level, hvm_maybe_deassert_evtchn_irq].
 *
 * Xen looks at each entry into the guest whether the line may fall. Those are not seen here, so while the line is high
 * a timer looks, soon at first and then less and less often. Until it does, the guest takes interrupts for nothing.
 */
#include "xen_state.h"

enum { FIRST_LOOK_NS = 10000, LAST_LOOK_NS = 1000000 };

/* The line of what the guest has chosen; 0: none. */
uint32_t xen_line_of(const struct hvs_ctx *ctx, uint64_t via)
{
    const struct hvs_xen_options options = xen_options(ctx);

    if (!hvs_ctx_feature(ctx, XEN_FEATURE_CALLBACK_LINE))
        return 0;
    switch (via >> XEN_CALLBACK_TYPE_SHIFT) {
    case HVM_PARAM_CALLBACK_TYPE_GSI:
        return (uint8_t)via;
    case HVM_PARAM_CALLBACK_TYPE_PCI_INTX:
        return options.intx_gsi ? options.intx_gsi(options.ctx, via >> 11 & 31, via & 3) : 0;
    default:
        return 0;
    }
}

static void drive(struct hvs_ctx *ctx, uint32_t gsi, bool level)
{
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_GSI, .gsi = gsi, .level = level});
}

void xen_line_update(struct hvs_ctx *ctx)
{
    struct xen_vm *vm = xen_vm(ctx);
    uint32_t gsi = 0;

    if (!xen_vcpu(ctx, 0)->upcall_vector && xen_upcall_mark(ctx, 0, false))
        gsi = xen_line_of(ctx, vm->param[HVM_PARAM_CALLBACK_IRQ]);
    if (vm->line_gsi == gsi)
        return;
    if (vm->line_gsi)
        drive(ctx, vm->line_gsi, false);
    if (gsi) {
        drive(ctx, gsi, true);
        vm->line_look_ns = FIRST_LOOK_NS;
        hvs_timer_arm(ctx, XEN_TIMER_LINE, hvs_ctx_now_ns(ctx) + vm->line_look_ns);
    }
    vm->line_gsi = gsi;
}

void xen_line_poll(struct hvs_ctx *ctx)
{
    struct xen_vm *vm = xen_vm(ctx);

    xen_line_update(ctx);
    if (!vm->line_gsi)
        return;
    if (vm->line_look_ns < LAST_LOOK_NS)
        vm->line_look_ns *= 2;
    hvs_timer_arm(ctx, XEN_TIMER_LINE, hvs_ctx_now_ns(ctx) + vm->line_look_ns);
}
