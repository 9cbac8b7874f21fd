/*
 * Establishing the interface: the guest's identity and the hypercall page [TLFS hypercall-interface].
 *
 * The page may lie on RAM only, and the guest can write to it (TLFS: #GP): both are limits of exchanging contents
 * instead of mapping. Writing a locked MSR faults, as on microsoft/openvmm; TLFS says only that it is immutable.
 *
 * Invariant: the page is laid exactly while HV_X64_MSR_HYPERCALL says enabled, and that needs a guest OS identity.
 */
#include "hv_state.h"

static bool insn_traps_by_itself(const uint8_t *code, uint32_t bytes)
{
    /* VMCALL or VMMCALL, as opposed to an access to a port that only the page uses */
    return bytes == 3 && code[0] == 0x0f && code[1] == 0x01 && (code[2] == 0xc1 || code[2] == 0xd9);
}

bool hv_page_marks_calls(const struct hvs_ctx *ctx)
{
    uint8_t code[8];

    return insn_traps_by_itself(code, hvs_ctx_hypercall_code(ctx, code));
}

/*
 * VMCALL is also how guests reach other interfaces of the same VM (Xen's, for one). As on Xen and KVM, Hyper-V's page
 * sets bit 31 of EAX: no other interface's call number has it, it means nothing to 64-bit callers, and to 32-bit
 * callers it is a flag that only a nested hypervisor may set.
 */
bool hv_claims_raw(const struct hvs_regs *regs)
{
    return regs->rax & HV_CALL_MARK;
}

static void write_code(struct hvs_ctx *ctx, struct hvs_overlay *overlay)
{
    static const uint8_t or_eax_mark[] = {0x0d, 0x00, 0x00, 0x00, 0x80};
    enum { INT3 = 0xcc, RET = 0xc3 };
    uint8_t *page = hvs_overlay_open(ctx, overlay), *at = page;
    uint8_t code[8];
    uint32_t bytes = hvs_ctx_hypercall_code(ctx, code);

    if (!page)
        return;
    memset(page, INT3, HV_PAGE_SIZE);
    if (insn_traps_by_itself(code, bytes)) {
        memcpy(at, or_eax_mark, sizeof(or_eax_mark));
        at += sizeof(or_eax_mark);
    }
    memcpy(at, code, bytes);
    at[bytes] = RET;
    hvs_overlay_close(ctx, overlay, page, true);
}

/* While it is on, other vCPUs may be running it, so it is not written again; but a restore may be on another host. */
static int lay_hypercall_page(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t gfn)
{
    bool was_on = hvs_overlay_is_on(overlay);
    int err = hvs_overlay_on(ctx, overlay, gfn);

    if (!err && (!was_on || ctx->from_host))
        write_code(ctx, overlay);
    return err;
}

static uint64_t hypercall_msr(const struct hv_vm *hv)
{
    return atomic_load_explicit(&hv->shared.hypercall, memory_order_acquire);
}

static void set_hypercall_msr(struct hv_vm *hv, uint64_t value)
{
    atomic_store_explicit(&hv->shared.hypercall, value, memory_order_release);
}

enum hvs_verdict hv_guest_os_id_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct hv_vm *hv = ctx->vm_state;

    (void)index;
    *value = hv->guest_os_id;
    return HVS_HANDLED;
}

enum hvs_verdict hv_guest_os_id_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hv_vm *hv = ctx->vm_state;

    (void)index;
    hv->guest_os_id = value;
    if (value == 0) {
        set_hypercall_msr(hv, hypercall_msr(hv) & ~HV_X64_MSR_HYPERCALL_ENABLE);
        hvs_overlay_off(ctx, hvs_vm_overlay(ctx, HV_OVERLAY_HYPERCALL));
    }
    return HVS_HANDLED;
}

enum hvs_verdict hv_hypercall_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = hypercall_msr(ctx->vm_state);
    return HVS_HANDLED;
}

enum hvs_verdict hv_hypercall_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hvs_overlay *overlay = hvs_vm_overlay(ctx, HV_OVERLAY_HYPERCALL);
    struct hv_vm *hv = ctx->vm_state;

    (void)index;
    if ((hypercall_msr(hv) & HV_X64_MSR_HYPERCALL_LOCKED) && !ctx->from_host)
        return HVS_FAULT;
    if (hv->guest_os_id == 0)
        value &= ~HV_X64_MSR_HYPERCALL_ENABLE;
    if (!(value & HV_X64_MSR_HYPERCALL_ENABLE))
        hvs_overlay_off(ctx, overlay);
    else if (lay_hypercall_page(ctx, overlay, hv_page_gfn(value)))
        return HVS_FAULT;
    set_hypercall_msr(hv, value);
    return HVS_HANDLED;
}
