/*
 * Time: the reference counter, the reference TSC page, and the frequencies [TLFS timers]; and the door for what is
 * due.
 *
 * All of it reads the VM's one clock. The synthetic timers are in hv_stimer.c.
 */
#include "hv_state.h"

enum hvs_verdict hv_time_ref_count_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    struct hvs_instant now;

    (void)index;
    hvs_ctx_now(ctx, &now);
    *value = hvs_clock_100ns(hvs_ctx_clock(ctx), &now);
    return HVS_HANDLED;
}

/* Never one of the two values by which readers know that the page does not count. */
static uint32_t next_sequence(uint32_t sequence)
{
    do {
        sequence++;
    } while (sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID || sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID_OLD);
    return sequence;
}

static bool says(const struct hv_reference_tsc_page *page, const struct hvs_clock *clock, uint32_t sequence)
{
    if (!clock->is_stable)
        return sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID;
    return sequence != HV_REFERENCE_TSC_SEQUENCE_INVALID && page->tsc_scale == clock->scale_100ns &&
           page->tsc_offset == clock->offset_100ns;
}

/*
 * The sequence goes on from the one in the page, which survives a save and load in the guest's RAM: a reader that was
 * interrupted there sees it change. Without a stable TSC it says that only the counter MSR is to be believed.
 */
static void publish(struct hvs_ctx *ctx, struct hvs_overlay *overlay)
{
    const struct hvs_clock *clock = hvs_ctx_clock(ctx);
    struct hv_reference_tsc_page *page = hvs_overlay_open(ctx, overlay);

    if (!page)
        return;

    _Atomic uint32_t *sequence = (_Atomic uint32_t *)&page->tsc_sequence;
    uint32_t last = atomic_load_explicit(sequence, memory_order_relaxed);
    bool is_news = !says(page, clock, last);

    if (is_news) {
        atomic_store_explicit(sequence, HV_REFERENCE_TSC_SEQUENCE_INVALID, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
        page->tsc_scale = clock->scale_100ns;
        page->tsc_offset = clock->offset_100ns;
    }
    if (is_news && clock->is_stable)
        atomic_store_explicit(sequence, next_sequence(last), memory_order_release);
    hvs_overlay_close(ctx, overlay, page, is_news);
}

void hv_clock_moved(struct hvs_ctx *ctx)
{
    publish(ctx, hvs_vm_overlay(ctx, HV_OVERLAY_REFERENCE_TSC));
}

void hv_timer(struct hvs_ctx *ctx, uint32_t timer)
{
    if (timer == HV_TIMER_UNHALTED)
        hv_unhalted_look(ctx);
    else if (timer == HV_TIMER_REENLIGHTENMENT)
        hv_reenlighten(ctx);
    else
        hv_stimer_expired(ctx, timer);
}

enum hvs_verdict hv_reference_tsc_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vm *hv = ctx->vm_state;

    (void)index;
    *value = hv->reference_tsc;
    return HVS_HANDLED;
}

enum hvs_verdict hv_reference_tsc_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hvs_overlay *overlay = hvs_vm_overlay(ctx, HV_OVERLAY_REFERENCE_TSC);
    struct hv_vm *hv = ctx->vm_state;

    (void)index;
    hv->reference_tsc = value;
    hv_page_lay(ctx, overlay, value);
    publish(ctx, overlay);
    return HVS_HANDLED;
}

enum hvs_verdict hv_tsc_frequency_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = hvs_ctx_clock(ctx)->tsc_khz * 1000;
    return HVS_HANDLED;
}

enum hvs_verdict hv_apic_frequency_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = hvs_ctx_config(ctx)->apic_hz;
    return HVS_HANDLED;
}
