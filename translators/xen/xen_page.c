/*
 * The hypercall page, which the guest asks for by an MSR [XEN docs/guest-guide/x86/hypercall-abi.rst; arch/x86/msr.c].
 *
 * It is written once into the guest's RAM and belongs to the guest from then on, so it is no overlay and nothing to
 * save; several may be made.
 *
 * The stub of event_channel_op has a part before the call for a send by 64-bit code: it gives the port's number to the
 * host, which raises a signal for it where xen_host.c has asked for one, without an exit.
 */
#include "xen_state.h"

enum {
    MOV_EAX_IMM32 = 0xb8,
    RET = 0xc3,
    INT3 = 0xcc,
    NR_IRET = 23,               /* not a hypercall of HVM guests: #UD */
    MAX_INSN_BYTES = 8,
    CALL_BYTES = 5 + 1,         /* of a stub, besides the instruction */
    SEND_BYTES = 21,            /* of the part before, likewise */
};
HVS_STATIC_ASSERT(CALL_BYTES + MAX_INSN_BYTES <= XEN_STUB_BYTES, "a stub holds mov, the call and ret");
HVS_STATIC_ASSERT(XEN_NR_STUBS * XEN_STUB_BYTES == XEN_PAGE_BYTES, "the stubs fill the page");

uint32_t xen_page_msr(const struct hvs_ctx *ctx)
{
    return hvs_ctx_base(ctx) == HVS_CPUID_FIRST ? XEN_MSR_HYPERCALL_PAGE : XEN_MSR_HYPERCALL_PAGE_STACKED;
}

static uint8_t *put(uint8_t *at, const void *code, uint32_t bytes)
{
    memcpy(at, code, bytes);
    return at + bytes;
}

static void put_call(uint8_t *at, uint32_t nr, const struct hvs_insn *call)
{
    *at++ = MOV_EAX_IMM32;
    at = put(at, &nr, sizeof(nr));
    at = put(at, call->byte, call->length);
    *at = RET;
}

/*
 * What was signalled leaves the number in RAX, which is positive; an exit puts the call's result there, which is not.
 * 32-bit code, whose arguments lie elsewhere, leaves by the first jump. Returns where the call begins.
 */
static uint8_t *put_send(uint8_t *at, const struct hvs_insn *signal)
{
    const uint8_t to_call = (uint8_t)(SEND_BYTES + signal->length);
    const uint8_t before[] = {
        0x31, 0xc0,                                     /* xor eax, eax */
        0x40, 0x90,                                     /* a nop with a prefix; of 32 bits: inc eax; nop */
        0x75, (uint8_t)(to_call - 6),                   /* jnz call */
        0x83, 0xff, EVTCHNOP_send,                      /* cmp edi, EVTCHNOP_send */
        0x75, (uint8_t)(to_call - 11),                  /* jnz call */
        0x8b, 0x06,                                     /* mov eax, [rsi] */
    };
    static const uint8_t behind[] = {
        0x48, 0x85, 0xc0,                               /* test rax, rax */
        0x7e, 0x02,                                     /* jle behind xor */
        0x31, 0xc0,                                     /* xor eax, eax */
        RET,
    };
    HVS_STATIC_ASSERT(sizeof(before) + sizeof(behind) == SEND_BYTES, "where the call begins");

    at = put(at, before, sizeof(before));
    at = put(at, signal->byte, signal->length);
    return put(at, behind, sizeof(behind));
}

/* With a `signal` of length 0: without that part. */
static void write_stub(uint8_t *stub, uint32_t nr, const struct hvs_insn *call, const struct hvs_insn *signal)
{
    static const uint8_t ud2[] = {0x0f, 0x0b};

    memset(stub, INT3, XEN_STUB_BYTES);
    if (nr == NR_IRET) {
        memcpy(stub, ud2, sizeof(ud2));
        return;
    }
    if (nr == __HYPERVISOR_event_channel_op && signal->length)
        stub = put_send(stub, signal);
    put_call(stub, nr, call);
}

/* Length 0 where the guest is to send by the call alone, or where both do not fit. */
static struct hvs_insn signal_insn(const struct hvs_ctx *ctx, uint32_t call_bytes)
{
    struct hvs_insn insn = {.length = 0};

    if (hvs_ctx_feature(ctx, XEN_FEATURE_SIGNAL))
        insn.length = (uint8_t)hvs_ctx_signal_code(ctx, insn.byte);
    if (SEND_BYTES + insn.length + CALL_BYTES + call_bytes > XEN_STUB_BYTES)
        insn.length = 0;
    return insn;
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
    struct hvs_insn call, signal;
    uint8_t *page;

    if (index != xen_page_msr(ctx))
        return HVS_UNHANDLED;
    if (value % XEN_PAGE_BYTES)
        return HVS_FAULT;
    page = hvs_page_pin(ctx, gfn);
    if (!page)
        return HVS_FAULT;

    call.length = (uint8_t)hvs_ctx_hypercall_code(ctx, call.byte);
    signal = signal_insn(ctx, call.length);
    for (uint32_t nr = 0; nr < XEN_NR_STUBS; nr++)
        write_stub(page + nr * XEN_STUB_BYTES, nr, &call, &signal);
    hvs_page_unpin(ctx, gfn, page, true);
    /* A backend may not know the width at an MSR; then it is taken when shared_info is mapped. */
    if (ctx->regs)
        xen_shared_latch(ctx);
    return HVS_HANDLED;
}
