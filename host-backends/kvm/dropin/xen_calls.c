/*
 * Hypercalls: the page that the guest may call, and the calls that the kernel does not leave to the VMM, for they must
 * be fast: the version, sends to ports that the VMM has named, yield and poll, and the timer where it has a port
 * [Linux arch/x86/kvm/xen.c kvm_xen_hypercall].
 */
#include "dropin.h"

#include "../backend.h"

#include "xen_abi.h"

/* --- the page ----------------------------------------------------------------------------------------------------- */

/* It is the guest's from then on. The width of the guest's pages is that of its code now. */
enum hvs_verdict hvs_dropin_xen_write_page(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    enum { MOV_EAX_IMM32 = 0xb8, RET = 0xc3, INT3 = 0xcc };
    struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);
    uint8_t code[8], *page;
    uint32_t bytes = hvs_ctx_hypercall_code(ctx, code);

    (void)index;
    if (value % XEN_PAGE_BYTES)
        return HVS_FAULT;
    page = hvs_page_pin(ctx, value >> HVS_PAGE_SHIFT);
    if (!page)
        return HVS_FAULT;
    memset(page, INT3, XEN_PAGE_BYTES);
    for (uint32_t nr = 0; nr < XEN_NR_STUBS; nr++) {
        uint8_t *stub = page + nr * XEN_STUB_BYTES;

        stub[0] = MOV_EAX_IMM32;
        memcpy(stub + 1, &nr, sizeof(nr));
        memcpy(stub + 5, code, bytes);
        stub[5 + bytes] = RET;
    }
    hvs_page_unpin(ctx, value >> HVS_PAGE_SHIFT, page, true);
    pthread_mutex_lock(&xen->lock);
    xen->is_long_mode = xen->kvm->vcpu[ctx->vp]->run->s.regs.sregs.efer & HVS_EFER_LMA;
    hvs_dropin_xen_publish_wallclock(ctx);
    pthread_mutex_unlock(&xen->lock);
    return HVS_HANDLED;
}

/* --- the calls ---------------------------------------------------------------------------------------------------- */

static struct hvs_dropin_xen_call decode(const struct hvs_regs *r)
{
    if (r->code_bits == 64)
        return (struct hvs_dropin_xen_call){
            .nr = r->rax, .arg = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9}, .cpl = r->cpl, .is_64bit = true};
    return (struct hvs_dropin_xen_call){
        .nr = (uint32_t)r->rax, .cpl = r->cpl,
        .arg = {(uint32_t)r->rbx, (uint32_t)r->rcx, (uint32_t)r->rdx, (uint32_t)r->rsi, (uint32_t)r->rdi,
                (uint32_t)r->rbp}};
}

static bool event_channel_op(struct hvs_ctx *ctx, const struct hvs_dropin_xen_call *call, int64_t *result)
{
    struct evtchn_send send;

    if ((uint32_t)call->arg[0] != EVTCHNOP_send)
        return false;
    *result = 0;
    if (!hvs_gva_read(ctx, call->arg[1], &send, sizeof(send)))
        return hvs_dropin_xen_send(ctx, send.port);
    *result = -XEN_EFAULT;
    return true;
}

static bool is_pending(const struct hvs_ctx *ctx, const uint32_t *port, uint32_t nr)
{
    const struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);
    const struct xen_layout *layout = xen_layout(!xen->is_long_mode);
    uint8_t *shared = xen->shared_gfn == HVS_DROPIN_XEN_NOWHERE ? NULL : hvs_page_pin(ctx, xen->shared_gfn);
    bool is_any = !shared;

    for (uint32_t i = 0; !is_any && i < nr; i++) {
        _Atomic uint32_t *word = (_Atomic uint32_t *)(shared + layout->pending + port[i] / 32 * 4);

        is_any = atomic_load(word) >> port[i] % 32 & 1;
    }
    if (shared)
        hvs_page_unpin(ctx, xen->shared_gfn, shared, false);
    return is_any;
}

/* Returns 0 or a negative errno. */
static int read_poll(struct hvs_ctx *ctx, const struct hvs_dropin_xen_call *call, struct sched_poll *poll,
                     uint64_t *ports_gva)
{
    struct xen_sched_poll32 narrow = {0};
    int err;

    if (call->is_64bit) {
        err = hvs_gva_read(ctx, call->arg[1], poll, sizeof(*poll));
        memcpy(ports_gva, &poll->ports, sizeof(*ports_gva));
        return err;
    }
    err = hvs_gva_read(ctx, call->arg[1], &narrow, sizeof(narrow));
    poll->nr_ports = narrow.nr_ports;
    poll->timeout = (uint64_t)narrow.timeout[1] << 32 | narrow.timeout[0];
    *ports_gva = narrow.ports;
    return err;
}

/* A poll may end early: guests look and poll again. */
static int64_t poll(struct hvs_ctx *ctx, const struct hvs_dropin_xen_call *call)
{
    enum { MAX_PORTS = 128 };
    const struct xen_layout *layout = xen_layout(!hvs_dropin_xen_of(ctx)->is_long_mode);
    struct hvs_dropin_xen_vcpu *vcpu = hvs_dropin_xen_vcpu_of(ctx, ctx->vp);
    struct sched_poll poll = {0};
    uint32_t port[MAX_PORTS];
    uint64_t ports_gva;

    if (read_poll(ctx, call, &poll, &ports_gva))
        return -XEN_EFAULT;
    if (poll.nr_ports > MAX_PORTS)
        return -XEN_EINVAL;
    if (hvs_gva_read(ctx, ports_gva, port, poll.nr_ports * sizeof(port[0])))
        return -XEN_EFAULT;
    for (uint32_t i = 0; i < poll.nr_ports; i++) {
        if (port[i] >= layout->nr_ports)
            return -XEN_EINVAL;
    }
    if (is_pending(ctx, port, poll.nr_ports) || (poll.timeout && poll.timeout <= hvs_ctx_now_ns(ctx)))
        return 0;
    vcpu->poll_port = poll.nr_ports == 1 ? port[0] : HVS_DROPIN_XEN_ANY_PORT;
    if (poll.timeout)
        hvs_timer_arm(ctx, HVS_DROPIN_XEN_TIMER_POLL, poll.timeout);
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_POLL, .target = HVS_TARGET_VP, .vp = ctx->vp});
    return 0;
}

static bool sched_op(struct hvs_ctx *ctx, const struct hvs_dropin_xen_call *call, int64_t *result)
{
    bool has_events = hvs_dropin_xen_of(ctx)->config.flags & KVM_XEN_HVM_CONFIG_EVTCHN_SEND;

    switch ((uint32_t)call->arg[0]) {
    case SCHEDOP_poll:
        if (has_events) {
            *result = poll(ctx, call);
            return true;
        }
        /* fall through */
    case SCHEDOP_yield:
        hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_YIELD, .target = HVS_TARGET_VP, .vp = ctx->vp});
        *result = 0;
        return true;
    default:
        return false;
    }
}

static void set_timer(struct hvs_ctx *ctx, uint64_t deadline_ns)
{
    hvs_dropin_xen_vcpu_of(ctx, ctx->vp)->timer_ns = deadline_ns;
    hvs_dropin_xen_arm(ctx);
}

static int64_t set_singleshot(struct hvs_ctx *ctx, const struct hvs_dropin_xen_call *call)
{
    struct vcpu_set_singleshot_timer timer = {0};

    if (hvs_gva_read(ctx, call->arg[2], &timer, call->is_64bit ? sizeof(timer) :
                     XEN_SET_SINGLESHOT_TIMER32_BYTES))
        return -XEN_EFAULT;
    if ((timer.flags & VCPU_SSHOTTMR_future) && timer.timeout_abs_ns < hvs_ctx_now_ns(ctx))
        return -XEN_ETIME;
    set_timer(ctx, timer.timeout_abs_ns ? timer.timeout_abs_ns : 1);    /* long past */
    return 0;
}

static bool vcpu_op(struct hvs_ctx *ctx, const struct hvs_dropin_xen_call *call, int64_t *result)
{
    const struct hvs_dropin_xen_vcpu *vcpu = hvs_dropin_xen_vcpu_of(ctx, ctx->vp);
    uint32_t op = (uint32_t)call->arg[0];

    if (!vcpu->timer_port || (op != VCPUOP_set_singleshot_timer && op != VCPUOP_stop_singleshot_timer))
        return false;
    *result = 0;
    if (call->arg[1] != vcpu->id)
        *result = -XEN_EINVAL;
    else if (op == VCPUOP_set_singleshot_timer)
        *result = set_singleshot(ctx, call);
    else
        set_timer(ctx, 0);
    return true;
}

/* Old Linux sets wrapped deadlines: negative or weeks away, Xen takes them as 100 ms. */
static bool set_timer_op(struct hvs_ctx *ctx, const struct hvs_dropin_xen_call *call, int64_t *result)
{
    enum { FAR_NS_SHIFT = 50, FAR_IS_NS = 100000000 };
    uint64_t deadline_ns = call->is_64bit ? call->arg[0] : call->arg[1] << 32 | call->arg[0];
    uint64_t now_ns = hvs_ctx_now_ns(ctx);

    if (!hvs_dropin_xen_vcpu_of(ctx, ctx->vp)->timer_port)
        return false;
    if (deadline_ns > now_ns && (deadline_ns - now_ns) >> FAR_NS_SHIFT)
        deadline_ns = now_ns + FAR_IS_NS;
    set_timer(ctx, deadline_ns);
    *result = 0;
    return true;
}

/* Says whether it is one of ours. Lock held. */
static bool handle(struct hvs_ctx *ctx, const struct hvs_dropin_xen_call *call, int64_t *result)
{
    const struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);

    if (call->cpl > 0)
        return false;
    switch (call->nr) {
    case __HYPERVISOR_xen_version:
        *result = xen->version;
        return xen->version && (uint32_t)call->arg[0] == XENVER_version;
    case __HYPERVISOR_event_channel_op:
        return event_channel_op(ctx, call, result);
    case __HYPERVISOR_sched_op:
        return sched_op(ctx, call, result);
    case __HYPERVISOR_vcpu_op:
        return vcpu_op(ctx, call, result);
    case __HYPERVISOR_set_timer_op:
        return set_timer_op(ctx, call, result);
    default:
        return false;
    }
}

/* What is not ours is left for hvs_dropin_xen_after, with the guest's registers as they are. */
enum hvs_verdict hvs_dropin_xen_hypercall(struct hvs_ctx *ctx)
{
    struct hvs_dropin_xen *xen = hvs_dropin_xen_of(ctx);
    struct hvs_dropin_xen_vcpu *vcpu = hvs_dropin_xen_vcpu_of(ctx, ctx->vp);
    int64_t result = 0;

    vcpu->call = decode(ctx->regs);
    pthread_mutex_lock(&xen->lock);
    vcpu->poll_port = 0;
    vcpu->is_for_vmm = !handle(ctx, &vcpu->call, &result);
    hvs_dropin_xen_runstate_update(ctx, false);
    pthread_mutex_unlock(&xen->lock);
    if (!vcpu->is_for_vmm) {
        ctx->regs->rax = (uint64_t)result;
        ctx->out->regs_changed = true;
    }
    return HVS_HANDLED;
}
