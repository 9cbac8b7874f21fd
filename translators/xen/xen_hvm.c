/*
 * hvm_op, hypercall 34: parameters and the upcall vector [XEN public/hvm/hvm_op.h, params.h; arch/x86/hvm/hvm.c].
 *
 * Left out: altp2m, which a Xen on a processor without it does not have either.
 */
#include "xen_state.h"

enum right { GET = 1, SET = 2, REMOVED = 4 };

/* What a guest may do with its own parameters; with the others nothing. */
static const uint8_t rights[HVM_NR_PARAMS] = {
    [HVM_PARAM_CALLBACK_IRQ] = GET | SET,
    [HVM_PARAM_STORE_PFN] = GET,
    [HVM_PARAM_STORE_EVTCHN] = GET | SET,
    [HVM_PARAM_VM86_TSS] = GET | SET,
    [HVM_PARAM_CONSOLE_PFN] = GET,
    [HVM_PARAM_CONSOLE_EVTCHN] = GET | SET,
    [HVM_PARAM_ACPI_IOPORTS_LOCATION] = GET | SET,
    [HVM_PARAM_VM_GENERATION_ID_ADDR] = GET | SET,
    [HVM_PARAM_ALTP2M] = GET,
    [HVM_PARAM_X87_FIP_WIDTH] = GET | SET,
    [HVM_PARAM_VM86_TSS_SIZED] = GET | SET,
    /* What earlier versions had; the public header hides the names from guests. */
    [4] = REMOVED, [13] = REMOVED, [30] = REMOVED,
    [20] = REMOVED, [21] = REMOVED, [22] = REMOVED, [23] = REMOVED, [24] = REMOVED, [25] = REMOVED, [26] = REMOVED,
};

static int64_t check_param(const struct hvs_ctx *ctx, const struct xen_hvm_param *args, enum right wanted)
{
    int64_t err;

    if (args->index >= HVM_NR_PARAMS)
        return -XEN_EINVAL;
    err = xen_check_domid(ctx, args->domid);
    if (err)
        return err;
    if (rights[args->index] & REMOVED)
        return -XEN_EINVAL;
    return rights[args->index] & wanted ? 0 : -XEN_EPERM;
}

/* Says whether events will reach vCPU 0 once `via` is set. "None" is good too. */
static bool callback_works(const struct hvs_ctx *ctx, uint64_t via)
{
    if (via == 0 || xen_vcpu(ctx, 0)->upcall_vector)
        return true;            /* Linux sets GSI 1 after its vectors, which win, "to trick the toolstack" */
    switch (via >> XEN_CALLBACK_TYPE_SHIFT) {
    case HVM_PARAM_CALLBACK_TYPE_VECTOR:
        return hvs_ctx_feature(ctx, XEN_FEATURE_CALLBACK_VECTOR);
    case HVM_PARAM_CALLBACK_TYPE_GSI:
    case HVM_PARAM_CALLBACK_TYPE_PCI_INTX:
        return xen_line_of(ctx, via);
    default:
        return true;            /* no type that Xen knows: none, too */
    }
}

/* Xen takes all that a guest says; here, what would never come is refused, and Linux looks for another way. */
static int64_t set_callback(struct hvs_ctx *ctx, uint64_t via)
{
    if (!callback_works(ctx, via))
        return -XEN_ENOSYS;
    xen_vm(ctx)->param[HVM_PARAM_CALLBACK_IRQ] = via;
    xen_shared_latch(ctx);
    xen_upcall_waiting(ctx);
    return 0;
}

/* Where the processor cannot run real mode, Xen keeps a TSS there: address and size. It is kept for who asks. */
static int64_t set_vm86_tss(struct hvs_ctx *ctx, uint64_t value)
{
    enum { TSS_BYTES = 104, MAX_BYTES = TSS_BYTES + 0x100 / 8 + 0x10000 / 8 + 1 };

    if (value >> 32 < TSS_BYTES)
        return -XEN_EINVAL;
    if (value >> 32 > MAX_BYTES)
        value = (uint32_t)value | (uint64_t)MAX_BYTES << 32;
    xen_vm(ctx)->param[HVM_PARAM_VM86_TSS_SIZED] = value;
    return 0;
}

int64_t xen_hvm_set_param(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { OLD_TSS_BYTES = 128 };
    const struct xen_hvm_param *args = call->in;
    int64_t err = check_param(ctx, args, SET);

    if (err)
        return err;
    switch (args->index) {
    case HVM_PARAM_CALLBACK_IRQ:
        return set_callback(ctx, args->value);
    case HVM_PARAM_VM86_TSS:
        if (args->value > UINT32_MAX)
            return -XEN_EINVAL;
        xen_vm(ctx)->param[HVM_PARAM_VM86_TSS_SIZED] =
            args->value ? args->value | (uint64_t)OLD_TSS_BYTES << 32 : 0;
        return 0;
    case HVM_PARAM_VM86_TSS_SIZED:
        return set_vm86_tss(ctx, args->value);
    case HVM_PARAM_ACPI_IOPORTS_LOCATION:
        return -XEN_ENODEV;     /* the PM timer that it moves is not Xen's here */
    case HVM_PARAM_X87_FIP_WIDTH:
        if (args->value != 0 && args->value != 4 && args->value != 8)
            return -XEN_EINVAL;
        break;
    default:
        break;
    }
    xen_vm(ctx)->param[args->index] = args->value;
    return 0;
}

int64_t xen_hvm_get_param(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct xen_hvm_param *args = call->out;
    int64_t err = check_param(ctx, args, GET);

    if (err)
        return err;
    xen_special_asked(ctx, args->index);
    if (args->index == HVM_PARAM_VM86_TSS)
        args->value = (uint32_t)xen_vm(ctx)->param[HVM_PARAM_VM86_TSS_SIZED];
    else
        args->value = xen_vm(ctx)->param[args->index];
    return 0;
}

/* It tells shadow paging that a page table goes. There is none, and this answer is by which guests know. */
int64_t xen_hvm_pagetable_dying(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct xen_hvm_pagetable_dying *args = call->in;
    int64_t err = xen_check_domid(ctx, args->domid);

    if (err)
        return err == -XEN_EPERM ? -XEN_EOPNOTSUPP : err;
    return -XEN_EINVAL;
}

int64_t xen_hvm_get_time(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint64_t now_ns = hvs_ctx_now_ns(ctx);

    return xen_copy_out(ctx, call, &now_ns, sizeof(now_ns));
}

/* Xen interrupts at once: the vCPU may have events from before. */
int64_t xen_hvm_set_evtchn_upcall_vector(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { FIRST_VECTOR = 0x10 };
    const struct xen_hvm_evtchn_upcall_vector *args = call->in;

    if (args->vector < FIRST_VECTOR)
        return -XEN_EINVAL;
    if (args->vcpu >= hvs_ctx_nr_vps(ctx))
        return -XEN_ENOENT;
    xen_vcpu(ctx, args->vcpu)->upcall_vector = args->vector;
    xen_line_update(ctx);
    xen_upcall(ctx, args->vcpu);
    return 0;
}

/* All of the guest's vCPUs. */
int64_t xen_hvm_flush_tlbs(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct hvs_vpset all;

    if (call->arg[XEN_ARG_HANDLE])
        return -XEN_EINVAL;
    hvs_vpset_clear(&all);
    hvs_vpset_fill(&all, hvs_ctx_nr_vps(ctx));
    hvs_emit_flush_set(ctx, &all);
    return 0;
}

int64_t xen_hvm_get_mem_type(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct xen_hvm_get_mem_type *args = call->out;
    int64_t err = xen_check_domid(ctx, args->domid);

    if (err)
        return err;
    args->mem_type = xen_is_page(ctx, args->pfn) ? HVMMEM_ram_rw : HVMMEM_mmio_dm;
    return 0;
}

/* Nobody traces. */
int64_t xen_hvm_xentrace(struct hvs_ctx *ctx, struct hvs_call *call)
{
    enum { CLASS_SHIFT = 12 };
    const struct xen_hvm_xentrace *args = call->in;

    (void)ctx;
    if (args->extra_bytes % sizeof(uint32_t) || args->extra_bytes > sizeof(args->extra) || args->event >> CLASS_SHIFT)
        return -XEN_EINVAL;
    return 0;
}

/* Nobody monitors. */
int64_t xen_hvm_guest_request_vm_event(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx;
    return call->arg[XEN_ARG_HANDLE] ? -XEN_EINVAL : 0;
}

int64_t xen_hvm_altp2m(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx, (void)call;
    return -XEN_EOPNOTSUPP;
}
