/*
 * Bringing up VPs: StartVirtualProcessor and GetVpIndexFromApicId [TLFS vp-properties].
 *
 * A VP starts only out of its wait after a reset: one that runs gives INVALID_VP_STATE, where Hyper-V may do as by
 * INIT. Order of checks: partition, VTL, VP index, registers, state of the VP. The registers are checked by what every
 * x86 processor demands, not by what this one's model has.
 */
#include "hv_state.h"

#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_VM (1ull << 17)
#define RFLAGS_RESERVED 0xffffffffffc08028ull
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_RESERVED 0xffffffff00000000ull
#define EFER_LME (1ull << 8)
#define EFER_RESERVED 0xffffffff000002feull
#define SEGMENT_CODE 0x18u              /* code or data, and code */
#define SEGMENT_PRESENT (1u << 7)
#define SEGMENT_LONG (1u << 13)
#define SEGMENT_BIG (1u << 14)

/* How many ids are looked up at a time: each may be compared with every VP's. */
enum { IDS_AT_ONCE = 64 };

/* With 57 bits, where 5-level paging is on, else 48. */
static bool is_canonical(const struct hv_initial_vp_context *c, uint64_t address)
{
    unsigned unused = c->cr4 & HVS_CR4_LA57 ? 7 : 16;

    return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

static bool controls_are_sound(const struct hvs_ctx *ctx, const struct hv_initial_vp_context *c)
{
    bool is_paged = c->cr0 & HVS_CR0_PG, is_long = is_paged && (c->efer & EFER_LME);

    if ((c->cr0 & CR0_RESERVED) || (c->efer & EFER_RESERVED) || c->cr4 > UINT32_MAX)
        return false;
    if ((is_paged && !(c->cr0 & HVS_CR0_PE)) || ((c->cr0 & CR0_NW) && !(c->cr0 & CR0_CD)))
        return false;
    if (is_long != ((c->efer & HVS_EFER_LMA) != 0) || (is_long && !(c->cr4 & HVS_CR4_PAE)))
        return false;
    return c->cr3 >> hvs_ctx_config(ctx)->phys_bits == 0;
}

/* "The VP will start with the specified control register state in protected/long mode, skipping real mode". */
static bool code_is_sound(const struct hv_initial_vp_context *c)
{
    bool is_64bit = c->cs.attributes & SEGMENT_LONG;

    if (!(c->cr0 & HVS_CR0_PE) || (c->cs.attributes & SEGMENT_CODE) != SEGMENT_CODE ||
        !(c->cs.attributes & SEGMENT_PRESENT))
        return false;
    if (is_64bit && (!(c->efer & HVS_EFER_LMA) || (c->cs.attributes & SEGMENT_BIG)))
        return false;
    if ((c->rflags & RFLAGS_RESERVED) || ((c->rflags & RFLAGS_VM) && (c->efer & HVS_EFER_LMA)))
        return false;
    return is_64bit ? is_canonical(c, c->rip) : c->rip <= UINT32_MAX;
}

static bool bases_are_sound(const struct hv_initial_vp_context *c)
{
    return is_canonical(c, c->fs.base) && is_canonical(c, c->gs.base) && is_canonical(c, c->tr.base) &&
           is_canonical(c, c->ldtr.base) && is_canonical(c, c->idtr.base) && is_canonical(c, c->gdtr.base);
}

/* Each byte one of UC, WC, WT, WP, WB, UC-. */
static bool pat_is_sound(uint64_t pat)
{
    for (unsigned i = 0; i < 8; i++, pat >>= 8) {
        if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
            return false;
    }
    return true;
}

static struct hvs_segment segment(const struct hv_x64_segment_register *from)
{
    return (struct hvs_segment){from->base, from->limit, from->selector, from->attributes};
}

static struct hvs_vcpu_context context(const struct hv_initial_vp_context *c)
{
    enum { RSP = 4 };

    return (struct hvs_vcpu_context){
        .gpr = {[RSP] = c->rsp},
        .rip = c->rip,
        .rflags = c->rflags | RFLAGS_FIXED,
        .cs = segment(&c->cs),
        .ds = segment(&c->ds),
        .es = segment(&c->es),
        .fs = segment(&c->fs),
        .gs = segment(&c->gs),
        .ss = segment(&c->ss),
        .tr = segment(&c->tr),
        .ldtr = segment(&c->ldtr),
        .idtr = {c->idtr.base, c->idtr.limit},
        .gdtr = {c->gdtr.base, c->gdtr.limit},
        .efer = c->efer,
        .cr0 = c->cr0,
        .cr3 = c->cr3,
        .cr4 = c->cr4,
        .pat = c->msr_cr_pat,
    };
}

int64_t hv_start_virtual_processor(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_start_virtual_processor *in = call->in;
    const struct hv_initial_vp_context *c = &in->vp_context;
    struct hvs_vcpu_context start;

    if (!hv_is_own_partition(ctx, in->partition_id))
        return HV_STATUS_INVALID_PARTITION_ID;
    if (in->target_vtl)
        return HV_STATUS_INVALID_VTL_STATE;
    if (in->vp_index >= hvs_ctx_nr_vps(ctx))
        return HV_STATUS_INVALID_VP_INDEX;
    if (!controls_are_sound(ctx, c) || !code_is_sound(c) || !bases_are_sound(c) || !pat_is_sound(c->msr_cr_pat))
        return HV_STATUS_INVALID_REGISTER_VALUE;
    start = context(c);
    return hvs_emit_vcpu_start(ctx, in->vp_index, &start) ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_VP_STATE;
}

static bool find_vp(const struct hvs_ctx *ctx, uint32_t apic_id, uint32_t *vp)
{
    uint32_t nr_vps = hvs_ctx_nr_vps(ctx);

    if (apic_id < nr_vps && hvs_ctx_apic_id(ctx, apic_id) == apic_id) {
        *vp = apic_id;
        return true;
    }
    for (*vp = 0; *vp < nr_vps; ++*vp) {
        if (hvs_ctx_apic_id(ctx, *vp) == apic_id)
            return true;
    }
    return false;
}

int64_t hv_get_vp_index_from_apic_id(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_get_vp_index_from_apic_id *in = call->in;
    const uint32_t *apic_id = call->elem_in;
    uint32_t *vp = call->elem_out;

    if (!hv_is_own_partition(ctx, in->partition_id))
        return HV_STATUS_INVALID_PARTITION_ID;
    if (in->target_vtl)
        return HV_STATUS_INVALID_VTL_STATE;
    for (uint32_t i = 0; i < IDS_AT_ONCE && call->reps_done < call->rep_count; i++, call->reps_done++) {
        if (!find_vp(ctx, apic_id[i], &vp[i]))
            return HV_STATUS_INVALID_PARAMETER;
    }
    return HV_STATUS_SUCCESS;
}
