/*
 * vcpu_op, hypercall 24: vCPUs that are started, stopped and woken by NMI [XEN public/vcpu.h, public/hvm/hvm_vcpu.h;
 * common/domain.c, arch/x86/hvm/domain.c arch_set_info_hvm_guest].
 *
 * A guest may also start vCPUs by their local APICs, which is not seen here: such a vCPU counts as up from its first
 * hypercall on. Left out: which bits of CR4 and EFER the processor has; get_physid, which is for pinned domains.
 */
#include "xen_state.h"

enum {
    CR0_PE = 1 << 0,
    RFLAGS_ALWAYS = 1 << 1,
    RFLAGS_KNOWN = 0x3f7fd5,
    EFER_LME = 1 << 8, EFER_LMA = 1 << 10,
    EFER_KNOWN = 1 << 0 | EFER_LME | EFER_LMA | 1 << 11 | 1 << 14,      /* SCE, NXE, FFXSR */
    CR4_KNOWN = 0x771fff,       /* all that guests may set, but for VMX and SMX */
};
#define CR0_PG (1u << 31)
#define PAT_AT_RESET 0x0007040600070406ull

/* Bits of a segment's attributes as the interface has them. */
enum {
    AR_ACCESSED = 1 << 0, AR_WRITABLE = 1 << 1, AR_CODE = 1 << 3, AR_TYPE = 0xf,
    AR_SEGMENT = 1 << 4, AR_DPL_SHIFT = 5, AR_DPL = 3 << AR_DPL_SHIFT, AR_PRESENT = 1 << 7,
    AR_FLAGS = 0xf00, AR_GRANULARITY = 1 << 11, AR_RESERVED = 0xf000,
    AR_TYPE_BUSY_TSS = 0xb,
};

void xen_vcpu_reset(struct hvs_ctx *ctx)
{
    struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);

    vcpu->is_polling = false;
    vcpu->is_initialised = ctx->vp == 0;
    vcpu->is_up = ctx->vp == 0;
}

void xen_vcpu_seen(struct hvs_ctx *ctx)
{
    struct xen_vcpu *vcpu = xen_vcpu(ctx, ctx->vp);

    if (vcpu->is_initialised)
        return;
    hvs_vm_lock(ctx);
    vcpu->is_up = true;
    vcpu->is_initialised = true;
    hvs_vm_unlock(ctx);
}

/* --- the context of a vCPU ---------------------------------------------------------------------------------------- */

enum segment_kind { CODE, STACK, DATA, TASK };

static bool type_is_good(enum segment_kind kind, uint16_t ar)
{
    switch (kind) {
    case CODE:
        return ar & AR_SEGMENT && ar & AR_CODE;
    case STACK:
        return ar & AR_SEGMENT && !(ar & AR_CODE) && ar & AR_WRITABLE;
    case DATA:
        return ar & AR_SEGMENT && (!(ar & AR_CODE) || ar & AR_WRITABLE);        /* of code, that bit is: readable */
    case TASK:
        return (ar & (AR_SEGMENT | AR_TYPE)) == AR_TYPE_BUSY_TSS;
    }
    return false;
}

static bool segment_is_good(enum segment_kind kind, uint16_t ar)
{
    if (ar & AR_RESERVED)
        return false;
    if (ar == 0)
        return kind == DATA;
    return ar & AR_PRESENT && type_is_good(kind, ar);
}

static struct hvs_segment make_segment(uint32_t base, uint32_t limit, uint16_t ar)
{
    return (struct hvs_segment){
        .base = base, .limit = limit, .attributes = (uint16_t)((ar & 0xff) | (ar & AR_FLAGS) << 4)};
}

static uint16_t with_accessed(uint16_t ar)
{
    return ar & AR_PRESENT ? ar | AR_ACCESSED : ar;
}

static bool segments_are_good(const struct vcpu_hvm_x86_32 *r)
{
    const uint32_t limit = r->cs_ar & AR_GRANULARITY ? r->cs_limit << 12 | 0xfff : r->cs_limit;
    const uint16_t cs_dpl = r->cs_ar & AR_DPL;

    if (!segment_is_good(CODE, r->cs_ar) || !segment_is_good(STACK, r->ss_ar) || !segment_is_good(DATA, r->ds_ar) ||
        !segment_is_good(DATA, r->es_ar) || !segment_is_good(TASK, r->tr_ar | AR_WRITABLE))
        return false;
    return r->eip <= limit && (r->ss_ar & AR_DPL) == cs_dpl && (r->ds_ar & AR_DPL) <= cs_dpl &&
           (r->es_ar & AR_DPL) <= cs_dpl;
}

static int64_t take_32(const struct vcpu_hvm_x86_32 *r, struct hvs_vcpu_context *to)
{
    if (r->pad1 || r->pad2[0] || r->pad2[1] || r->pad2[2] || !segments_are_good(r))
        return -XEN_EINVAL;
    if (r->efer & EFER_LMA && !(r->efer & EFER_LME))
        return -XEN_EINVAL;
    *to = (struct hvs_vcpu_context){
        .gpr = {r->eax, r->ecx, r->edx, r->ebx, r->esp, r->ebp, r->esi, r->edi},
        .rip = r->eip,
        .rflags = r->eflags,
        .cs = make_segment(r->cs_base, r->cs_limit, with_accessed(r->cs_ar)),
        .ss = make_segment(r->ss_base, r->ss_limit, with_accessed(r->ss_ar)),
        .ds = make_segment(r->ds_base, r->ds_limit, with_accessed(r->ds_ar)),
        .es = make_segment(r->es_base, r->es_limit, with_accessed(r->es_ar)),
        .tr = make_segment(r->tr_base, r->tr_limit, r->tr_ar | AR_WRITABLE),
        .efer = r->efer, .cr0 = r->cr0, .cr3 = r->cr3, .cr4 = r->cr4,
    };
    return 0;
}

static bool is_canonical(uint64_t address, bool has_la57)
{
    const uint32_t unused_bits = has_la57 ? 64 - 57 : 64 - 48;

    return (uint64_t)((int64_t)(address << unused_bits) >> unused_bits) == address;
}

static int64_t take_64(const struct vcpu_hvm_x86_64 *r, struct hvs_vcpu_context *to)
{
    enum { CODE_AR = 0xa9b, DATA_AR = 0xc93, TSS_AR = 0x8b, TSS_LIMIT = 0x67 };
    const struct hvs_segment data = make_segment(0, UINT32_MAX, DATA_AR);

    if (!is_canonical(r->rip, r->cr4 & HVS_CR4_LA57))
        return -XEN_EINVAL;
    if (!(r->cr0 & CR0_PG) || !(r->cr4 & HVS_CR4_PAE) || !(r->efer & EFER_LME))
        return -XEN_EINVAL;
    *to = (struct hvs_vcpu_context){
        .gpr = {r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi},
        .rip = r->rip,
        .rflags = r->rflags,
        .cs = make_segment(0, UINT32_MAX, CODE_AR),
        .ss = data, .ds = data, .es = data,
        .tr = make_segment(0, TSS_LIMIT, TSS_AR),
        .efer = r->efer, .cr0 = r->cr0, .cr3 = r->cr3, .cr4 = r->cr4,
    };
    return 0;
}

static int64_t take_context(const struct vcpu_hvm_context *from, struct hvs_vcpu_context *to)
{
    int64_t err = -XEN_EINVAL;

    if (from->pad)
        return err;
    if (from->mode == VCPU_HVM_MODE_32B)
        err = take_32(&from->cpu_regs.x86_32, to);
    else if (from->mode == VCPU_HVM_MODE_64B)
        err = take_64(&from->cpu_regs.x86_64, to);
    if (err)
        return err;
    if (to->cr4 & ~(uint64_t)CR4_KNOWN || to->efer & ~(uint64_t)EFER_KNOWN)
        return -XEN_EINVAL;
    if (to->cr0 >> 32 || (to->cr0 & CR0_PG && !(to->cr0 & CR0_PE)))
        return -XEN_EINVAL;     /* no processor runs with that */
    to->rflags = (to->rflags & RFLAGS_KNOWN) | RFLAGS_ALWAYS;
    to->efer &= ~(uint64_t)EFER_LMA;
    if (to->efer & EFER_LME && to->cr0 & CR0_PG)
        to->efer |= EFER_LMA;
    to->pat = PAT_AT_RESET;
    return 0;
}

/* --- the operations: VM scope ------------------------------------------------------------------------------------- */

static uint32_t vcpu_of(const struct hvs_call *call)
{
    return (uint32_t)call->arg[1];
}

int64_t xen_vcpu_initialise(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct xen_vcpu *vcpu = xen_vcpu(ctx, vcpu_of(call));
    int64_t err;

    if (vcpu->is_initialised)
        return -XEN_EEXIST;
    err = take_context(call->in, &vcpu->start);
    if (err)
        return err;
    vcpu->has_start = true;
    vcpu->is_initialised = true;
    return 0;
}

int64_t xen_vcpu_up(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint32_t vp = vcpu_of(call);
    struct xen_vcpu *vcpu = xen_vcpu(ctx, vp);

    if (!vcpu->is_initialised)
        return -XEN_EINVAL;
    if (vcpu->is_up)
        return 0;
    vcpu->is_up = true;
    if (vcpu->has_start)
        hvs_emit_vcpu_start(ctx, vp, &vcpu->start);
    else
        hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_VCPU_GO_ON, .target = HVS_TARGET_VP, .vp = vp});
    vcpu->has_start = false;
    return 0;
}

/* It keeps what it was at, and goes on from there. The last one that goes down powers the VM off. */
int64_t xen_vcpu_down(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint32_t vp = vcpu_of(call);
    struct xen_vcpu *vcpu = xen_vcpu(ctx, vp);
    bool is_last = true;

    for (uint32_t other = 0; other < hvs_ctx_nr_vps(ctx); other++)
        is_last = is_last && (other == vp || !xen_vcpu(ctx, other)->is_up);
    if (is_last) {
        xen_shutdown(ctx, SHUTDOWN_poweroff);
        return 0;
    }
    if (!vcpu->is_up)
        return 0;
    vcpu->is_up = false;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_VCPU_STOP, .target = HVS_TARGET_VP, .vp = vp});
    return 0;
}

int64_t xen_vcpu_is_up(struct hvs_ctx *ctx, struct hvs_call *call)
{
    return xen_vcpu(ctx, vcpu_of(call))->is_up;
}

int64_t xen_vcpu_send_nmi(struct hvs_ctx *ctx, struct hvs_call *call)
{
    if (call->arg[XEN_ARG_HANDLE])
        return -XEN_EINVAL;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_NMI, .target = HVS_TARGET_VP, .vp = vcpu_of(call)});
    return 0;
}

/* For domains whose vCPUs are pinned to processors. */
int64_t xen_vcpu_get_physid(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx, (void)call;
    return -XEN_EINVAL;
}
