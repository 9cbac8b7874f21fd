/*
 * TranslateVirtualAddress in the context of the caller's own VP [TLFS virtual-mmu; HV_TRANSLATE_GVA_CONTROL_FLAGS].
 *
 * The cache type told is write-back, as the host maps RAM; the guest's PAT is not seen. Left out, and refused: setting
 * accessed and dirty bits, inhibiting flushes, shadow stacks; and protection keys, which are not looked at. Order of
 * checks: partition, VP, flags.
 */
#include "hv_state.h"

#define CR0_WP (1ull << 16)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define RFLAGS_AC (1ull << 18)

enum {
    VALIDATE = HV_TRANSLATE_GVA_VALIDATE_READ | HV_TRANSLATE_GVA_VALIDATE_WRITE | HV_TRANSLATE_GVA_VALIDATE_EXECUTE,
    LEVEL = HV_TRANSLATE_GVA_SUPERVISOR_ACCESS | HV_TRANSLATE_GVA_USER_ACCESS,
    SMAP = HV_TRANSLATE_GVA_ENFORCE_SMAP | HV_TRANSLATE_GVA_OVERRIDE_SMAP,
    KNOWN = VALIDATE | LEVEL | SMAP | HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT,
};

/* "The caller must specify whether the intended access is to read, write or execute". */
static bool flags_are_sound(uint64_t flags)
{
    uint64_t without_vtl = flags & ((1ull << HV_TRANSLATE_GVA_INPUT_VTL_SHIFT) - 1);

    if ((without_vtl & ~(uint64_t)KNOWN) || !(flags & VALIDATE))
        return false;
    if ((flags & LEVEL) == LEVEL || (flags & SMAP) == SMAP)
        return false;
    return hv_is_own_vtl((uint8_t)(flags >> HV_TRANSLATE_GVA_INPUT_VTL_SHIFT));
}

static bool user_may(const struct hvs_walk *walk, uint64_t flags)
{
    return walk->is_user && (walk->is_writable || !(flags & HV_TRANSLATE_GVA_VALIDATE_WRITE));
}

/* SMAP and SMEP keep the supervisor from what is the user's. */
static bool supervisor_may(const struct hvs_regs *regs, const struct hvs_walk *walk, uint64_t flags)
{
    bool has_smap = (regs->cr4 & CR4_SMAP) && !(flags & HV_TRANSLATE_GVA_OVERRIDE_SMAP) &&
                    ((flags & HV_TRANSLATE_GVA_ENFORCE_SMAP) || !(regs->rflags & RFLAGS_AC));

    if ((flags & HV_TRANSLATE_GVA_VALIDATE_WRITE) && !walk->is_writable && (regs->cr0 & CR0_WP))
        return false;
    if (!walk->is_user)
        return true;
    if ((flags & HV_TRANSLATE_GVA_VALIDATE_EXECUTE) && (regs->cr4 & CR4_SMEP))
        return false;
    return !has_smap || !(flags & (HV_TRANSLATE_GVA_VALIDATE_READ | HV_TRANSLATE_GVA_VALIDATE_WRITE));
}

/* The caller is at CPL 0, so that is its access too where it does not say otherwise. */
static bool may(const struct hvs_regs *regs, const struct hvs_walk *walk, uint64_t flags)
{
    bool is_user = (flags & HV_TRANSLATE_GVA_USER_ACCESS) && !(flags & HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT);

    if ((flags & HV_TRANSLATE_GVA_VALIDATE_EXECUTE) && !walk->is_executable)
        return false;
    return is_user ? user_may(walk, flags) : supervisor_may(regs, walk, flags);
}

static enum HV_TRANSLATE_GVA_RESULT_CODE check_memory(const struct hvs_ctx *ctx, uint64_t gpa, uint64_t flags)
{
    uint64_t gfn = gpa >> HV_PAGE_SHIFT;
    uint8_t byte;
    void *page;

    if (hvs_gpa_read(ctx, gpa, &byte, sizeof(byte)))
        return HvTranslateGvaGpaUnmapped;
    if (!(flags & HV_TRANSLATE_GVA_VALIDATE_WRITE))
        return HvTranslateGvaSuccess;
    page = hvs_page_pin(ctx, gfn);
    if (!page)
        return HvTranslateGvaGpaNoWriteAccess;
    hvs_page_unpin(ctx, gfn, page, false);
    return HvTranslateGvaSuccess;
}

/* Sets walk->gpa where the answer names a page. */
static enum HV_TRANSLATE_GVA_RESULT_CODE translate(const struct hvs_ctx *ctx, uint64_t gva, uint64_t flags,
                                                   struct hvs_walk *walk)
{
    switch (hvs_gva_walk(ctx, gva, walk)) {
    case HVS_WALK_PAGE:
        break;
    case HVS_WALK_NOT_PRESENT:
        return HvTranslateGvaPageNotPresent;
    case HVS_WALK_NO_MEMORY:
        return walk->has_reserved_bit ? HvTranslateGvaInvalidPageTableFlags : HvTranslateGvaGpaUnmapped;
    }
    if (!(ctx->regs->cr0 & HVS_CR0_PG))
        return HvTranslateGvaSuccess;           /* guaranteed without paging */
    if (walk->has_reserved_bit)
        return HvTranslateGvaInvalidPageTableFlags;
    if (!may(ctx->regs, walk, flags))
        return HvTranslateGvaPrivilegeViolation;
    return check_memory(ctx, walk->gpa, flags);
}

int64_t hv_translate_virtual_address(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hv_input_translate_virtual_address *in = call->in;
    struct hv_output_translate_virtual_address *out = call->out;
    struct hvs_walk walk;

    if (!hv_is_own_partition(ctx, in->partition_id))
        return HV_STATUS_ACCESS_DENIED;
    if (!hv_is_own_vp(ctx, in->vp_index))
        return in->vp_index < hvs_ctx_nr_vps(ctx) ? HV_STATUS_ACCESS_DENIED : HV_STATUS_INVALID_VP_INDEX;
    if (!flags_are_sound(in->control_flags))
        return HV_STATUS_INVALID_PARAMETER;
    out->result_code = HvTranslateGvaPageNotPresent;
    if (in->gva_page > UINT64_MAX >> HV_PAGE_SHIFT)
        return HV_STATUS_SUCCESS;
    out->result_code = translate(ctx, in->gva_page << HV_PAGE_SHIFT, in->control_flags, &walk);
    if (out->result_code == HvTranslateGvaSuccess || out->result_code >= HvTranslateGvaGpaUnmapped)
        out->gpa_page = walk.gpa >> HV_PAGE_SHIFT;
    if (out->result_code == HvTranslateGvaSuccess)
        out->attributes = HV_CACHE_TYPE_X64_WRITE_BACK |
                          (hvs_ctx_is_overlaid(ctx, out->gpa_page) ? HV_TRANSLATE_GVA_OVERLAY_PAGE : 0);
    return HV_STATUS_SUCCESS;
}
