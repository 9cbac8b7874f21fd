/*
 * The calling convention [XEN docs/guest-guide/x86/hypercall-abi.rst; arch/x86/hvm/hypercall.c]: which registers
 * carry what, who may call, and the one copy of the structure that a handle names.
 *
 * RAX RDI RSI RDX R10 R8 from 64-bit code, EAX EBX ECX EDX ESI EDI from any other; the result is in RAX. The width is
 * that of the running code segment, call by call. A call that was done in part only goes on when the guest, which does not
 * know of it, executes the instruction again with other arguments in its registers.
 */
#include "xen_state.h"

enum { MAX_STRUCT_BYTES = 128 };

enum sub_op {
    SUB_UNKNOWN,                /* no such hypercall here */
    SUB_NONE,
    SUB_INT,                    /* arg[0], 32 bits of it */
    SUB_LONG,                   /* arg[0], all of it */
    SUB_MEMOP,                  /* arg[0] without the extent */
};

static const struct convention {
    uint8_t sub;                /* enum sub_op */
    uint8_t handle;             /* index of the argument; 0: none */
    bool has_vcpu;              /* arg[1] is a vCPU */
} conventions[] = {
    [__HYPERVISOR_memory_op] = {SUB_MEMOP, 1, false},
    [__HYPERVISOR_multicall] = {SUB_NONE, 0, false},
    [__HYPERVISOR_set_timer_op] = {SUB_NONE, 0, false},
    [__HYPERVISOR_xen_version] = {SUB_INT, 1, false},
    [__HYPERVISOR_console_io] = {SUB_NONE, 2, false},
    [__HYPERVISOR_grant_table_op] = {SUB_INT, 1, false},
    [__HYPERVISOR_vm_assist] = {SUB_NONE, 0, false},
    [__HYPERVISOR_vcpu_op] = {SUB_INT, 2, true},
    [__HYPERVISOR_sched_op] = {SUB_INT, 1, false},
    [__HYPERVISOR_event_channel_op] = {SUB_INT, 1, false},
    [__HYPERVISOR_physdev_op] = {SUB_INT, 1, false},
    [__HYPERVISOR_hvm_op] = {SUB_LONG, 1, false},
};

static uint64_t load_args(const struct hvs_regs *regs, uint64_t arg[XEN_NR_ARGS])
{
    if (regs->code_bits == 64) {
        const uint64_t from[] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, 0};

        memcpy(arg, from, sizeof(from));
        return regs->rax;
    }

    const uint64_t from[] = {(uint32_t)regs->rbx, (uint32_t)regs->rcx, (uint32_t)regs->rdx, (uint32_t)regs->rsi,
                             (uint32_t)regs->rdi, 0};

    memcpy(arg, from, sizeof(from));
    return (uint32_t)regs->rax;
}

static void store_args(struct hvs_regs *regs, const uint64_t arg[XEN_NR_ARGS])
{
    const bool is_wide = regs->code_bits == 64;
    uint64_t *const to[] = {
        is_wide ? &regs->rdi : &regs->rbx, is_wide ? &regs->rsi : &regs->rcx, &regs->rdx,
        is_wide ? &regs->r10 : &regs->rsi, is_wide ? &regs->r8 : &regs->rdi,
    };

    for (uint32_t i = 0; i < XEN_NR_REGISTER_ARGS; i++)
        *to[i] = is_wide ? arg[i] : (uint32_t)arg[i];
}

static const struct hvs_hcall_row *find_row(struct hvs_ctx *ctx, uint64_t nr, const uint64_t arg[XEN_NR_ARGS])
{
    uint64_t sub = HVS_NO_SUBOP;

    switch ((enum sub_op)conventions[nr].sub) {
    case SUB_UNKNOWN:
        return NULL;
    case SUB_NONE:
        break;
    case SUB_INT:
        sub = (uint32_t)arg[0];
        break;
    case SUB_LONG:
        sub = arg[0];
        break;
    case SUB_MEMOP:
        sub = arg[0] & XEN_MEMOP_CMD_MASK;
        break;
    }
    return sub <= HVS_NO_SUBOP ? hvs_hcall_find(ctx, (uint32_t)(nr << 16 | sub)) : NULL;
}

/* Whether the answer can be written: asked before the call, so that one that cannot be answered changes nothing. */
static bool is_writable(const struct hvs_ctx *ctx, uint64_t gva, size_t bytes)
{
    uint64_t gpa;

    return !hvs_gva_to_gpa(ctx, gva, true, &gpa) && !hvs_gva_to_gpa(ctx, gva + bytes - 1, true, &gpa);
}

int64_t xen_copy_out(const struct hvs_ctx *ctx, const struct hvs_call *call, const void *from, size_t bytes)
{
    return hvs_gva_write(ctx, call->arg[XEN_ARG_HANDLE], from, bytes) ? -XEN_EFAULT : 0;
}

/* Rows with `in_bytes` get their structure; of those with `out_bytes` too, its beginning is written back. */
static int64_t call_with_struct(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const struct hvs_hcall_row *row = call->row;
    size_t bytes = xen_caller_is_32bit(ctx) && row->in32_bytes ? row->in32_bytes : row->in_bytes;
    uint64_t handle = call->arg[XEN_ARG_HANDLE];
    uint64_t copy[MAX_STRUCT_BYTES / sizeof(uint64_t)] = {0};
    int64_t result;

    if (hvs_gva_read(ctx, handle, copy, bytes) || (row->out_bytes && !is_writable(ctx, handle, row->out_bytes)))
        return -XEN_EFAULT;
    call->in = copy;
    call->out = copy;
    result = hvs_hcall_invoke(ctx, call);
    if (result < 0 || row->out_bytes == 0)
        return result;
    return xen_copy_out(ctx, call, copy, row->out_bytes) ? -XEN_EFAULT : result;
}

int64_t xen_call(struct hvs_ctx *ctx, uint64_t nr, uint64_t arg[XEN_NR_ARGS])
{
    struct hvs_call call = {.row = NULL};
    int64_t result;

    memcpy(call.arg, arg, sizeof(call.arg));
    if (nr >= HVS_ARRAY_SIZE(conventions))
        return -XEN_ENOSYS;
    /* Xen looks at the vCPU before it looks at the command. */
    if (conventions[nr].has_vcpu && (uint32_t)call.arg[1] >= hvs_ctx_nr_vps(ctx))
        return -XEN_ENOENT;
    call.row = find_row(ctx, nr, call.arg);
    if (!call.row)
        return -XEN_ENOSYS;
    if (conventions[nr].handle)
        call.arg[XEN_ARG_HANDLE] = call.arg[conventions[nr].handle];
    result = call.row->in_bytes ? call_with_struct(ctx, &call) : hvs_hcall_invoke(ctx, &call);
    if (result == XEN_AGAIN)
        memcpy(arg, call.arg, XEN_NR_REGISTER_ARGS * sizeof(arg[0]));
    return result;
}

uint64_t xen_read_address(const struct hvs_ctx *ctx, const struct hvs_call *call)
{
    uint64_t gva = 0;

    memcpy(&gva, call->in, xen_caller_is_32bit(ctx) ? sizeof(uint32_t) : sizeof(gva));
    return gva;
}

enum hvs_verdict xen_hypercall(struct hvs_ctx *ctx)
{
    uint64_t arg[XEN_NR_ARGS], nr = load_args(ctx->regs, arg);
    int64_t result;

    if (ctx->exit->hypercall.is_signal)
        nr = __HYPERVISOR_event_channel_op;     /* RAX is the port, which the structure says too */
    result = ctx->regs->cpl == 0 ? xen_call(ctx, nr, arg) : -XEN_EPERM;

    xen_vcpu_seen(ctx);
    ctx->out->regs_changed = true;
    if (result == XEN_AGAIN) {
        store_args(ctx->regs, arg);
        return HVS_RETRY;
    }

    ctx->regs->rax = xen_caller_is_32bit(ctx) ? (uint32_t)result : (uint64_t)result;
    return HVS_HANDLED;
}

/* What nobody else owns is ours, so that a guest gets -ENOSYS for a number that we do not know. */
bool xen_claims_raw(const struct hvs_regs *regs)
{
    uint32_t eax = (uint32_t)regs->rax;

    return !(eax & XEN_NOT_A_CALL_VIRIDIAN) && eax != XEN_NOT_A_CALL_VMWARE;
}
