/*
 * The hypercall page, which the guest asks for by an MSR [XEN docs/guest-guide/x86/hypercall-abi.rst; arch/x86/msr.c].
 *
 * It is written once into the guest's RAM and belongs to the guest from then on, so it is no overlay and nothing to
 * save; several may be made.
 */
#include "xen_state.h"

enum {
    MOV_EAX_IMM32 = 0xb8,
    RET = 0xc3,
    INT3 = 0xcc,
    NR_IRET = 23,               /* not a hypercall of HVM guests: #UD */
    MAX_INSN_BYTES = 8,
};
HVS_STATIC_ASSERT(5 + MAX_INSN_BYTES + 1 <= XEN_STUB_BYTES, "a stub holds mov, the call and ret");
HVS_STATIC_ASSERT(XEN_NR_STUBS * XEN_STUB_BYTES == XEN_PAGE_BYTES, "the stubs fill the page");

uint32_t xen_page_msr(const struct hvs_ctx *ctx)
{
    return hvs_ctx_base(ctx) == HVS_CPUID_FIRST ? XEN_MSR_HYPERCALL_PAGE : XEN_MSR_HYPERCALL_PAGE_STACKED;
}

static void write_stub(uint8_t *stub, uint32_t nr, const uint8_t *insn, uint32_t insn_bytes)
{
    static const uint8_t ud2[] = {0x0f, 0x0b};

    memset(stub, INT3, XEN_STUB_BYTES);
    if (nr == NR_IRET) {
        memcpy(stub, ud2, sizeof(ud2));
        return;
    }
    *stub++ = MOV_EAX_IMM32;
    memcpy(stub, &nr, sizeof(nr));
    stub += sizeof(nr);
    memcpy(stub, insn, insn_bytes);
    stub[insn_bytes] = RET;
}

/* There is a row for each place that the MSR can have; the one that it has not is another's, or nobody's. */
enum hvs_verdict xen_page_msr_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    *value = 0;
    return index == xen_page_msr(ctx) ? HVS_HANDLED : HVS_UNHANDLED;
}

/* Bits 11:0 of the value are the index of the page: there is one, index 0. */
enum hvs_verdict xen_page_msr_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    uint64_t gfn = value >> HVS_PAGE_SHIFT;
    uint8_t insn[MAX_INSN_BYTES];
    uint8_t *page;

    if (index != xen_page_msr(ctx))
        return HVS_UNHANDLED;
    if (value % XEN_PAGE_BYTES)
        return HVS_FAULT;
    page = hvs_page_pin(ctx, gfn);
    if (!page)
        return HVS_FAULT;

    uint32_t insn_bytes = hvs_ctx_hypercall_code(ctx, insn);

    for (uint32_t nr = 0; nr < XEN_NR_STUBS; nr++)
        write_stub(page + nr * XEN_STUB_BYTES, nr, insn, insn_bytes);
    hvs_page_unpin(ctx, gfn, page, true);
    /* A backend may not know the width at an MSR; then it is taken when shared_info is mapped. */
    if (ctx->regs)
        xen_shared_latch(ctx);
    return HVS_HANDLED;
}
