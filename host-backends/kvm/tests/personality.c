#include "personality.h"

struct vcpu_state {
    uint64_t stored;
};

static enum hvs_verdict read_stored(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = ((struct vcpu_state *)ctx->vcpu_state)->stored;
    return HVS_HANDLED;
}

static enum hvs_verdict write_stored(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    ((struct vcpu_state *)ctx->vcpu_state)->stored = value;
    return HVS_HANDLED;
}

static enum hvs_verdict write_page(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    uint8_t code[9];
    uint32_t bytes = hvs_ctx_hypercall_code(ctx, code);

    (void)index;
    code[bytes] = 0xc3;
    return hvs_gpa_write(ctx, value, code, bytes + 1) ? HVS_FAULT : HVS_HANDLED;
}

static enum hvs_verdict read_time(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct test_options *options = hvs_ctx_options(ctx);
    struct hvs_instant now;

    (void)index;
    hvs_ctx_now(ctx, &now);
    options->see->tsc = now.tsc;
    *value = now.ns;
    return HVS_HANDLED;
}

static enum hvs_verdict arm(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    hvs_timer_arm(ctx, 0, hvs_ctx_now_ns(ctx) + value);
    return HVS_HANDLED;
}

static void timer(struct hvs_ctx *ctx, uint32_t index)
{
    (void)index;
    hvs_emit_inject(ctx, ctx->vp, 0x40);
}

static enum hvs_verdict emit(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct hvs_effect effect = {.target = HVS_TARGET_VP, .vp = (uint32_t)value};
    struct hvs_vpset set;

    switch (index) {
    case 0x40000080:
        hvs_emit_inject(ctx, (uint32_t)value, 0x41);
        return HVS_HANDLED;
    case 0x40000081:
        hvs_vpset_clear(&set);
        hvs_vpset_add(&set, (uint32_t)value);
        hvs_emit_inject_set(ctx, &set, 0x41);
        return HVS_HANDLED;
    case 0x40000082:
        effect.kind = HVS_EFFECT_NMI;
        break;
    case 0x40000083:
        effect.kind = HVS_EFFECT_VM_STOP;
        effect.reason = HVS_STOP_REBOOT;
        break;
    case 0x40000085:
        set.bank[0] = value;
        for (uint32_t i = 1; i < HVS_ARRAY_SIZE(set.bank); i++)
            set.bank[i] = 0;
        hvs_emit_flush_set(ctx, &set);
        return HVS_HANDLED;
    default:
        effect.kind = HVS_EFFECT_LOG;
        effect.byte = (uint8_t)value;
        break;
    }
    hvs_emit(ctx, effect);
    return HVS_HANDLED;
}

/* Other requests of the host are answered with their number plus what `data` points to. */
static void host(struct hvs_ctx *ctx)
{
    const uint64_t *data = ctx->exit->host.data;
    const uint32_t request = ctx->exit->host.request;

    if (request == TEST_HOST_STOP || request == TEST_HOST_GO_ON) {
        hvs_emit(ctx, (struct hvs_effect){
            .kind = request == TEST_HOST_STOP ? HVS_EFFECT_VCPU_STOP : HVS_EFFECT_VCPU_GO_ON});
        return;
    }
    ctx->out->value = ctx->exit->host.request + *data;
    hvs_emit_inject(ctx, ctx->vp, 0x41);
}

static const struct hvs_msr_row msrs[] = {
    {.first = 0x40000000, .last = 0x40000000, .name = "STORED", .feature = HVS_FEATURE_ALWAYS,
     .reserved = 1ull << 63, .read = read_stored, .write = write_stored},
    {.first = 0x40000001, .last = 0x40000001, .name = "PAGE", .feature = HVS_FEATURE_ALWAYS, .write = write_page},
    {.first = 0x40000020, .last = 0x40000020, .name = "TIME", .feature = HVS_FEATURE_ALWAYS, .read = read_time},
    {.first = 0x40000073, .last = 0x40000073, .name = "ARM", .feature = HVS_FEATURE_ALWAYS, .max_effects = 1,
     .write = arm},
    {.first = 0x40000080, .last = 0x40000085, .name = "EMIT", .feature = HVS_FEATURE_ALWAYS, .max_effects = 1,
     .write = emit},
};

static int64_t nothing(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx, (void)call;
    return 0;
}

static const struct hvs_hcall_row hcalls[] = {
    {.code = 1, .name = "ANY", .feature = HVS_FEATURE_ALWAYS, .fn = nothing},
};

static void bump(struct hvs_regs *r)
{
    r->rax = (uint64_t)r->code_bits << 8 | r->cpl;
    r->rbx++, r->rcx++, r->rdx++, r->rsi++, r->rdi++, r->rbp++;
    r->r8++, r->r9++, r->r10++, r->r12++, r->r13++, r->r14++, r->r15++;
}

static enum hvs_verdict once_more(struct hvs_ctx *ctx)
{
    struct hvs_regs *r = ctx->regs;

    ctx->out->regs_changed = true;
    if (r->rcx == 0)
        return HVS_HANDLED;
    r->rcx--;
    r->r8++;
    return HVS_RETRY;
}

static enum hvs_verdict hypercall(struct hvs_ctx *ctx)
{
    struct hvs_regs *r = ctx->regs;

    switch (r->rax) {
    case T_REGS:
        bump(r);
        break;
    case T_UD:
        return hvs_fault_ud(ctx);
    case T_GP:
        hvs_fault_gp(ctx);
        ctx->out->fault_code = 0x123;
        return HVS_FAULT;
    case T_RETRY:
        return once_more(ctx);
    case T_BLOCK:
        hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_BLOCK, .vp = ctx->vp});
        break;
    case T_POLL:
        hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_POLL, .vp = ctx->vp});
        break;
    case T_RAW:
        r->rax = r->rbx + 1;
        break;
    default:
        return HVS_UNHANDLED;
    }
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

static bool claims_raw(const struct hvs_regs *regs)
{
    return regs->rax == T_RAW;
}

/* The backdoor as VMware has it: only the low halves change. Its second port takes OUT. */
static enum hvs_verdict backdoor(struct hvs_ctx *ctx)
{
    struct hvs_regs *r = ctx->regs;

    if (ctx->exit->pio.is_in) {
        r->rax = (r->rax & ~0xffffffffull) | 6;
        r->rbx = (r->rbx & ~0xffffffffull) | 0x564d5868;
        ctx->out->regs_changed = true;
    } else {
        r->rax = ctx->exit->pio.is_string ? 1 : 2;
        ctx->out->regs_changed = true;
    }
    return HVS_HANDLED;
}

/* OUTS is seen, INS gives it back. */
static enum hvs_verdict strings(struct hvs_ctx *ctx)
{
    struct test_vm_state *see = ((const struct test_options *)hvs_ctx_options(ctx))->see;
    struct hvs_regs *r = ctx->regs;
    bool is_in = ctx->exit->pio.is_in;
    uint64_t *at = is_in ? &r->rdi : &r->rsi, gpa;
    uint32_t bytes = ctx->exit->pio.count;

    if (!ctx->exit->pio.is_string)
        return HVS_UNHANDLED;
    see->nr_string_exits++;
    if (hvs_gva_to_gpa(ctx, *at, is_in, &gpa))
        return hvs_fault_access(ctx, *at, is_in);
    if (is_in ? hvs_gva_write(ctx, *at, see->string, bytes) : hvs_gva_read(ctx, *at, see->string, bytes))
        return HVS_UNHANDLED;
    see->nr_string = bytes;
    *at += bytes;
    r->rcx = 0;
    r->rbx++;
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

static const struct hvs_pio_row ports[] = {
    {.first = 0x5658, .last = 0x5659, .name = "BACKDOOR", .feature = HVS_FEATURE_ALWAYS, .fn = backdoor},
    {.first = T_PORT_STRINGS, .last = T_PORT_STRINGS, .name = "STRINGS", .feature = HVS_FEATURE_ALWAYS,
     .takes_strings = true, .fn = strings},
};

static const struct hvs_cpuid_row leaves[] = {
    {.leaf = 0, .name = "SIGNATURE", .fixed = {{0x40000003, 0x74736554, 0x74736554, 0x74736554}}},
    /* "Hv#1" and all privileges: wakes up the kernel's own Hyper-V code, which must not get in between. */
    {.leaf = 1, .name = "INTERFACE", .fixed = {{0x31237648}}},
    {.leaf = 3, .subleaf = 0, .name = "SUB0", .fixed = {{0xffffffff, 0x31, 0x32, 0x33}}},
    {.leaf = 3, .subleaf = 1, .name = "SUB1", .fixed = {{0x40, 0x41, 0x42, 0x43}}},
};

const struct hvs_personality test_personality = {
    .name = "test",
    .title = "Test",
    .id = 0x74736574,
    .place = HVS_PLACE_FIRST,
    .nr_timers = 1,
    .vcpu_bytes = sizeof(struct vcpu_state),
    .cpuid = leaves,
    .msr = msrs,
    .hcall = hcalls,
    .pio = ports,
    .nr_cpuid = HVS_ARRAY_SIZE(leaves),
    .nr_msr = HVS_ARRAY_SIZE(msrs),
    .nr_hcall = HVS_ARRAY_SIZE(hcalls),
    .nr_pio = HVS_ARRAY_SIZE(ports),
    .hypercall = hypercall,
    .claims_raw = claims_raw,
    .raw_feature = HVS_FEATURE_ALWAYS,
    .host = host,
    .timer = timer,
};
