/* The test personalities. See toy.h. */
#include "toy.h"

static struct toy_vm *vm_of(struct hvs_ctx *ctx)
{
    return ctx->vm_state;
}

static struct toy_vcpu *vcpu_of(struct hvs_ctx *ctx)
{
    return ctx->vcpu_state;
}

/* Rows of VM scope run under the VM lock: nobody else can take it now. */
static void note_lock(struct hvs_ctx *ctx)
{
    bool was_taken = atomic_flag_test_and_set(&ctx->vm->lock.taken);

    if (!was_taken)
        atomic_flag_clear(&ctx->vm->lock.taken);
    vcpu_of(ctx)->was_locked = was_taken;
}

/* --- CPUID -------------------------------------------------------------------------------------------------------- */

static void fill_max_leaf(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    regs->reg[HVS_EAX] = hvs_ctx_max_leaf(ctx);
}

static void fill_vp(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    regs->reg[HVS_EDX] |= ctx->vp;
}

static const struct hvs_cpuid_row toy_cpuid[] = {
    {.leaf = 0, .name = "max", .fixed = {{0, 0x796f74, 0x796f74, 0x796f74}}, .fill = fill_max_leaf, .ref = "toy"},
    {.leaf = 1, .name = "features", .fixed = {{0x10000}}, .ref = "toy"},
    {.leaf = 2, .subleaf = 0, .name = "list 0", .fixed = {{0x20}}, .ref = "toy"},
    {.leaf = 2, .subleaf = 1, .name = "list 1", .fixed = {{0x21}}, .ref = "toy"},
    {.leaf = 4, .name = "vp", .fixed = {{[HVS_EDX] = 0x400}}, .fill = fill_vp, .ref = "toy"},
};

/* --- MSRs --------------------------------------------------------------------------------------------------------- */

static enum hvs_verdict ro_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)ctx;
    (void)index;
    *value = TOY_RO_VALUE;
    return HVS_HANDLED;
}

static enum hvs_verdict wo_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    vcpu_of(ctx)->last = value;
    return HVS_HANDLED;
}

/* Where the plain read-write MSRs keep their value. */
static uint64_t *cell(struct hvs_ctx *ctx, uint32_t index)
{
    switch (index) {
    case TOY_MSR_RW:
        return &vcpu_of(ctx)->rw;
    case TOY_MSR_PICKY:
        return &vcpu_of(ctx)->picky;
    case TOY_MSR_RARE:
        return &vcpu_of(ctx)->rare;
    case TOY_MSR_SHARED:
        return &vm_of(ctx)->shared;
    case TOY_MSR_BUDGET:
        return &vm_of(ctx)->budget;
    default:
        return &vcpu_of(ctx)->bank[index - TOY_MSR_BANK];
    }
}

static enum hvs_verdict cell_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    *value = *cell(ctx, index);
    return HVS_HANDLED;
}

static enum hvs_verdict cell_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    *cell(ctx, index) = value;
    return HVS_HANDLED;
}

static enum hvs_verdict locked_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    note_lock(ctx);
    return cell_write(ctx, index, value);
}

static enum hvs_verdict picky_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    return value & 1 ? HVS_FAULT : cell_write(ctx, index, value);
}

static enum hvs_verdict page_set(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t value)
{
    if (!(value & 1)) {
        hvs_overlay_off(ctx, overlay);
        return HVS_HANDLED;
    }
    return hvs_overlay_on(ctx, overlay, value >> HVS_PAGE_SHIFT) ? HVS_FAULT : HVS_HANDLED;
}

static enum hvs_verdict page_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    *value = vcpu_of(ctx)->page_msr[index - TOY_MSR_PAGE];
    return HVS_HANDLED;
}

static enum hvs_verdict page_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    uint32_t page = index - TOY_MSR_PAGE;

    if (page_set(ctx, hvs_vcpu_overlay(ctx, ctx->vp, page), value))
        return HVS_FAULT;
    vcpu_of(ctx)->page_msr[page] = value;
    return HVS_HANDLED;
}

static enum hvs_verdict vm_page_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = vm_of(ctx)->page_msr;
    return HVS_HANDLED;
}

static enum hvs_verdict vm_page_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    if (page_set(ctx, hvs_vm_overlay(ctx, 0), value))
        return HVS_FAULT;
    vm_of(ctx)->page_msr = value;
    return HVS_HANDLED;
}

static enum hvs_verdict timer_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    uint64_t deadline_ns = hvs_timer_deadline(ctx, index - TOY_MSR_TIMER);

    *value = deadline_ns == UINT64_MAX ? 0 : deadline_ns;
    return HVS_HANDLED;
}

static enum hvs_verdict timer_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    if (value)
        hvs_timer_arm(ctx, index - TOY_MSR_TIMER, value);
    else
        hvs_timer_cancel(ctx, index - TOY_MSR_TIMER);
    return HVS_HANDLED;
}

static enum hvs_verdict irq_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    hvs_emit_inject(ctx, ctx->vp, (uint8_t)value);
    return HVS_HANDLED;
}

#define MSR(index, nr) .first = (index), .last = (index) + (nr) - 1, .name = #index, .ref = "toy"

static const struct hvs_msr_row toy_msr[] = {
    {MSR(TOY_MSR_RO, 1), .feature = HVS_FEATURE_ALWAYS, .read = ro_read},
    {MSR(TOY_MSR_WO, 1), .feature = HVS_FEATURE_ALWAYS, .write = wo_write},
    {MSR(TOY_MSR_RW, 1), .feature = HVS_FEATURE_ALWAYS, .save = HVS_PHASE_CONTROL, .reserved = TOY_RW_RESERVED,
     .read = cell_read, .write = cell_write},
    {MSR(TOY_MSR_BANK, TOY_NR_BANK), .feature = HVS_FEATURE_ALWAYS, .save = HVS_PHASE_CONTROL, .read = cell_read,
     .write = cell_write},
    {MSR(TOY_MSR_SHARED, 1), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VM, .save = HVS_PHASE_CONTROL,
     .read = cell_read, .write = locked_write},
    {MSR(TOY_MSR_BUDGET, 1), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VM, .save = HVS_PHASE_CONTROL,
     .read = cell_read, .write = locked_write},
    {MSR(TOY_MSR_PICKY, 1), .feature = HVS_FEATURE_ALWAYS, .save = HVS_PHASE_CONTROL, .read = cell_read,
     .write = picky_write},
    {MSR(TOY_MSR_PAGE, TOY_NR_PAGES), .feature = TOY_FEATURE_PAGES, .save = HVS_PHASE_PAGES, .read = page_read,
     .write = page_write},
    {MSR(TOY_MSR_VM_PAGE, 1), .feature = TOY_FEATURE_PAGES, .scope = HVS_SCOPE_VM, .save = HVS_PHASE_PAGES,
     .read = vm_page_read, .write = vm_page_write},
    {MSR(TOY_MSR_TIMER, TOY_NR_TIMERS), .feature = TOY_FEATURE_TIMERS, .save = HVS_PHASE_TIMERS, .max_effects = 1,
     .read = timer_read, .write = timer_write},
    {MSR(TOY_MSR_IRQ, 1), .feature = HVS_FEATURE_ALWAYS, .max_effects = 1, .write = irq_write},
    {MSR(TOY_MSR_RARE, 1), .feature = TOY_FEATURE_RARE, .read = cell_read, .write = cell_write},
};

/* --- hypercalls --------------------------------------------------------------------------------------------------- */

static uint8_t sum_of(const void *from, uint32_t bytes)
{
    const uint8_t *byte = from;
    uint8_t sum = 0;

    for (uint32_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + byte[i]);
    return sum;
}

static void fill_from(void *to, uint32_t bytes, uint8_t sum)
{
    uint8_t *byte = to;

    for (uint32_t i = 0; i < bytes; i++)
        byte[i] = (uint8_t)(sum + i);
}

static bool is_poisoned(const void *from, uint32_t bytes)
{
    return bytes > 0 && *(const uint8_t *)from == TOY_POISON;
}

static uint8_t header_sum(const struct hvs_call *call)
{
    return (uint8_t)(sum_of(call->in, call->row->in_bytes) + sum_of(call->var, call->nr_var * 8));
}

static int64_t simple_call(struct hvs_ctx *ctx, struct hvs_call *call)
{
    vcpu_of(ctx)->nr_calls++;
    note_lock(ctx);
    fill_from(call->out, call->row->out_bytes, header_sum(call));
    return is_poisoned(call->in, call->row->in_bytes) ? TOY_STATUS_POISON : 0;
}

static int64_t rep_call(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint8_t *in = call->elem_in;
    uint8_t *out = call->elem_out;
    uint64_t budget = vm_of(ctx)->budget;
    uint8_t sum = header_sum(call);

    vcpu_of(ctx)->nr_calls++;
    while (call->reps_done < call->rep_count) {
        if (budget && call->reps_done - call->rep_first == budget)
            return 0;
        if (is_poisoned(in, call->row->elem_in_bytes))
            return TOY_STATUS_POISON;
        fill_from(out, call->row->elem_out_bytes, (uint8_t)(sum + sum_of(in, call->row->elem_in_bytes)));
        in += call->row->elem_in_bytes;
        out += call->row->elem_out_bytes;
        call->reps_done++;
    }
    return 0;
}

static int64_t idle_call(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)call;
    vcpu_of(ctx)->nr_calls++;
    return 0;
}

#define SIMPLE(call) .code = (call), .name = #call, .kind = HVS_HCALL_SIMPLE, .fn = simple_call, .ref = "toy"
#define REP(call) .code = (call), .name = #call, .kind = HVS_HCALL_REP, .fn = rep_call, .ref = "toy"

static const struct hvs_hcall_row toy_hcall[] = {
    {SIMPLE(TOY_CALL_REGS), .flags = HVS_HCALL_FAST, .in_bytes = 16},
    {SIMPLE(TOY_CALL_XMM_IN), .flags = HVS_HCALL_FAST, .in_bytes = 48},
    {SIMPLE(TOY_CALL_XMM_OUT), .flags = HVS_HCALL_FAST, .in_bytes = 16, .out_bytes = 16},
    {SIMPLE(TOY_CALL_XMM_BOTH), .flags = HVS_HCALL_FAST, .in_bytes = 40, .out_bytes = 24},
    {SIMPLE(TOY_CALL_OUT), .flags = HVS_HCALL_FAST, .out_bytes = 16},
    {SIMPLE(TOY_CALL_VAR), .flags = HVS_HCALL_FAST | HVS_HCALL_VAR, .in_bytes = 8, .out_bytes = 8},
    {REP(TOY_CALL_REP_REGS), .flags = HVS_HCALL_FAST, .in_bytes = 8, .elem_in_bytes = 4},
    {REP(TOY_CALL_REP_XMM_IN), .flags = HVS_HCALL_FAST, .in_bytes = 8, .elem_in_bytes = 8},
    {REP(TOY_CALL_REP_OUT), .flags = HVS_HCALL_FAST, .elem_out_bytes = 8},
    {REP(TOY_CALL_REP_BOTH), .flags = HVS_HCALL_FAST, .in_bytes = 8, .elem_in_bytes = 4, .elem_out_bytes = 8},
    {REP(TOY_CALL_REP_VAR), .flags = HVS_HCALL_FAST | HVS_HCALL_VAR, .in_bytes = 8, .elem_in_bytes = 8,
     .elem_out_bytes = 4},
    {SIMPLE(TOY_CALL_SLOW), .in_bytes = 8, .out_bytes = 8},
    {SIMPLE(TOY_CALL_LOCKED), .flags = HVS_HCALL_FAST, .scope = HVS_SCOPE_VM},
    {SIMPLE(TOY_CALL_PAGE), .in_bytes = HVS_PAGE_BYTES, .out_bytes = HVS_PAGE_BYTES},
    {.code = TOY_CALL_STUCK, .name = "TOY_CALL_STUCK", .kind = HVS_HCALL_REP, .elem_in_bytes = 8, .fn = idle_call,
     .ref = "toy"},
    {.code = TOY_CALL_IDLE, .name = "TOY_CALL_IDLE", .kind = HVS_HCALL_SIMPLE, .out_bytes = 16, .fn = idle_call,
     .ref = "toy"},
    {SIMPLE(TOY_CALL_RARE), .flags = HVS_HCALL_FAST, .feature = TOY_FEATURE_RARE},
};

static enum hvs_verdict toy_hypercall(struct hvs_ctx *ctx)
{
    static const struct hvs_hcall_status status = {TOY_STATUS_CODE, TOY_STATUS_INPUT, TOY_STATUS_ALIGNMENT};
    struct hvs_regs *regs = ctx->regs;
    bool has_xmm = hvs_ctx_feature(ctx, TOY_FEATURE_XMM);
    const struct hvs_hcall_input input = {
        .code = (uint16_t)regs->rcx,
        .is_fast = regs->rcx & TOY_CONTROL_FAST,
        .nr_var = regs->rcx >> TOY_CONTROL_VAR_SHIFT & 0x3ff,
        .rep_count = regs->rcx >> TOY_CONTROL_COUNT_SHIFT & 0xfff,
        .rep_first = regs->rcx >> TOY_CONTROL_FIRST_SHIFT & 0xfff,
        .in_gpa = regs->rdx,
        .out_gpa = regs->r8,
        .reg = {regs->rdx, regs->r8},
        .has_xmm_in = has_xmm,
        .has_xmm_out = has_xmm,
    };
    struct hvs_hcall_result result;
    enum hvs_verdict verdict;

    if (regs->cpl)
        return hvs_fault_ud(ctx);
    verdict = hvs_hcall_run(ctx, &input, &status, &result);
    if (verdict == HVS_FAULT)
        return verdict;
    ctx->out->regs_changed = true;
    if (verdict == HVS_RETRY) {
        regs->rcx &= ~(0xfffull << TOY_CONTROL_FIRST_SHIFT);
        regs->rcx |= (uint64_t)result.reps_done << TOY_CONTROL_FIRST_SHIFT;
        return verdict;
    }
    regs->rax = result.status | (uint64_t)result.reps_done << 32;
    return verdict;
}

static bool toy_claims_raw(const struct hvs_regs *regs)
{
    return regs->rsi == TOY_RAW_MARK;
}

/* --- ports -------------------------------------------------------------------------------------------------------- */

static enum hvs_verdict port(struct hvs_ctx *ctx)
{
    if (ctx->exit->pio.port == TOY_PORT_PASS)
        return HVS_UNHANDLED;
    note_lock(ctx);
    if (!ctx->exit->pio.is_in) {
        vcpu_of(ctx)->last = ctx->regs->rax;
        return HVS_HANDLED;
    }
    ctx->regs->rax = ctx->vp;
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

static const struct hvs_pio_row toy_pio[] = {
    {.first = TOY_PORT_FIRST, .last = TOY_PORT_LAST, .name = "port", .feature = TOY_FEATURE_PORT, .fn = port,
     .ref = "toy"},
    {.first = TOY_PORT_LOCKED, .last = TOY_PORT_LOCKED, .name = "locked port", .feature = TOY_FEATURE_PORT,
     .scope = HVS_SCOPE_VM, .takes_strings = true, .fn = port, .ref = "toy"},
};

/* --- the rest of toy ---------------------------------------------------------------------------------------------- */

static void toy_vm_reset(struct hvs_ctx *ctx)
{
    vm_of(ctx)->was_reset = 1;
}

static void toy_vcpu_reset(struct hvs_ctx *ctx)
{
    vcpu_of(ctx)->was_reset = 1;
}

static void toy_timer(struct hvs_ctx *ctx, uint32_t timer)
{
    vcpu_of(ctx)->nr_fired[timer]++;
    hvs_emit_inject(ctx, ctx->vp, (uint8_t)(0x40 + timer));
}

static int toy_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer)
{
    struct toy_fired fired = {.pad = 0};

    if (phase != HVS_PHASE_MESSAGES)
        return HVS_OK;
    memcpy(fired.nr_fired, vcpu_of(ctx)->nr_fired, sizeof(fired.nr_fired));
    hvs_writer_put(writer, TOY_RECORD_FIRED, 1, &fired, sizeof(fired));
    if (ctx->vp == 0)
        hvs_writer_put(writer, TOY_RECORD_BELL, 1, &vm_of(ctx)->bell, sizeof(vm_of(ctx)->bell));
    return HVS_OK;
}

static int toy_load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct toy_fired fired;

    if (record->id == TOY_RECORD_BELL)
        return hvs_record_get(record, &vm_of(ctx)->bell, sizeof(vm_of(ctx)->bell));
    if (record->id != TOY_RECORD_FIRED)
        return HVS_OK;
    if (hvs_record_get(record, &fired, sizeof(fired)) || fired.pad)
        return HVS_EFORMAT;
    memcpy(vcpu_of(ctx)->nr_fired, fired.nr_fired, sizeof(fired.nr_fired));
    return HVS_OK;
}

#define BIT(l, r, b) {.leaf = (l), .reg = (r), .bit = (b)}

static const struct hvs_feature toy_feature[TOY_NR_FEATURES] = {
    [TOY_FEATURE_CALLS] = {.name = "calls", .bit = {BIT(1, HVS_EAX, 0),
                                                    {.leaf = 2, .subleaf = 1, .reg = HVS_ECX, .bit = 31}}},
    [TOY_FEATURE_XMM] = {.name = "xmm", .needs = 1ull << TOY_FEATURE_CALLS, .caps = HVS_CAP_XMM, .is_hint = true,
                         .bit = {BIT(1, HVS_EAX, 1)}},
    [TOY_FEATURE_PAGES] = {.name = "pages", .bit = {BIT(1, HVS_EAX, 2)}},
    [TOY_FEATURE_TIMERS] = {.name = "timers", .caps = HVS_CAP_TIMER, .bit = {BIT(1, HVS_EAX, 3)}},
    [TOY_FEATURE_PORT] = {.name = "port", .bit = {BIT(1, HVS_EAX, 4)}},
    [TOY_FEATURE_HINT] = {.name = "hint", .is_hint = true, .bit = {BIT(1, HVS_EAX, 5)}},
    [TOY_FEATURE_RARE] = {.name = "rare", .is_off_by_default = true, .bit = {BIT(1, HVS_EAX, 6)},
                          .needs = 1ull << TOY_FEATURE_PAGES | 1ull << TOY_FEATURE_TIMERS},
    [TOY_FEATURE_HOLLOW] = {.name = "hollow", .bit = {BIT(1, HVS_EAX, 7)}},
};

static void toy_host(struct hvs_ctx *ctx)
{
    uint64_t *data = ctx->exit->host.data;

    *data += ctx->vp;
    ctx->out->value = ctx->exit->host.request;
    hvs_emit_inject(ctx, ctx->vp, (uint8_t)ctx->exit->host.request);
}

const struct hvs_personality toy = {
    .name = "toy",
    .title = "Toy",
    .id = 0x20796f74,           /* "toy " */
    .place = HVS_PLACE_FIRST,
    .store_bytes = HVS_STORE_BYTES,
    .nr_timers = TOY_NR_TIMERS,
    .nr_vm_overlays = 1,
    .nr_vcpu_overlays = TOY_NR_PAGES,
    .vm_bytes = sizeof(struct toy_vm),
    .vcpu_bytes = sizeof(struct toy_vcpu),
    .caps = HVS_CAP_INJECT,
    .feature = toy_feature,
    .cpuid = toy_cpuid,
    .msr = toy_msr,
    .hcall = toy_hcall,
    .pio = toy_pio,
    .nr_features = TOY_NR_FEATURES,
    .nr_cpuid = HVS_ARRAY_SIZE(toy_cpuid),
    .nr_msr = HVS_ARRAY_SIZE(toy_msr),
    .nr_hcall = HVS_ARRAY_SIZE(toy_hcall),
    .nr_pio = HVS_ARRAY_SIZE(toy_pio),
    .vm_reset = toy_vm_reset,
    .vcpu_reset = toy_vcpu_reset,
    .hypercall = toy_hypercall,
    .claims_raw = toy_claims_raw,
    .raw_feature = HVS_FEATURE_ALWAYS,
    .host = toy_host,
    .timer = toy_timer,
    .save = toy_save,
    .load = toy_load,
};

/* --- trinket ------------------------------------------------------------------------------------------------------ */

static enum hvs_verdict trinket_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    const struct trinket_vcpu *own = ctx->vcpu_state;

    *value = index == TRINKET_MSR ? own->value : own->page_msr;
    return HVS_HANDLED;
}

static enum hvs_verdict trinket_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    struct trinket_vcpu *own = ctx->vcpu_state;

    if (index == TRINKET_MSR) {
        own->value = value;
        return HVS_HANDLED;
    }
    if (page_set(ctx, hvs_vcpu_overlay(ctx, ctx->vp, 0), value))
        return HVS_FAULT;
    own->page_msr = value;
    return HVS_HANDLED;
}

static enum hvs_verdict trinket_port(struct hvs_ctx *ctx)
{
    ctx->regs->rax = 0x7719;
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

static enum hvs_verdict trinket_hypercall(struct hvs_ctx *ctx)
{
    ctx->regs->rax = 0x7719;
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

static bool trinket_claims_raw(const struct hvs_regs *regs)
{
    return regs->rsi != 0;
}

static void trinket_timer(struct hvs_ctx *ctx, uint32_t timer)
{
    struct trinket_vcpu *own = ctx->vcpu_state;

    (void)timer;
    own->nr_fired++;
}

static const struct hvs_cpuid_row trinket_cpuid[] = {
    {.leaf = 0, .name = "max", .fill = fill_max_leaf, .ref = "trinket"},
    {.leaf = 1, .name = "one", .fixed = {{0x71}}, .ref = "trinket"},
};

static const struct hvs_msr_row trinket_msr[] = {
    {MSR(TRINKET_MSR, 1), .feature = HVS_FEATURE_ALWAYS, .save = HVS_PHASE_CONTROL, .read = trinket_read,
     .write = trinket_write},
    {MSR(TRINKET_MSR_PAGE, 1), .feature = HVS_FEATURE_ALWAYS, .save = HVS_PHASE_PAGES, .read = trinket_read,
     .write = trinket_write},
};

static const struct hvs_pio_row trinket_pio[] = {
    {.first = TRINKET_PORT, .last = TRINKET_PORT, .name = "port", .feature = HVS_FEATURE_ALWAYS, .fn = trinket_port,
     .ref = "trinket"},
};

const struct hvs_personality trinket = {
    .name = "trinket",
    .title = "Trinket",
    .id = 0x6b6e7274,           /* "trnk" */
    .place = HVS_PLACE_NEXT,
    .nr_timers = 1,
    .nr_vcpu_overlays = 1,
    .vcpu_bytes = sizeof(struct trinket_vcpu),
    .cpuid = trinket_cpuid,
    .msr = trinket_msr,
    .pio = trinket_pio,
    .nr_cpuid = HVS_ARRAY_SIZE(trinket_cpuid),
    .nr_msr = HVS_ARRAY_SIZE(trinket_msr),
    .nr_pio = HVS_ARRAY_SIZE(trinket_pio),
    .hypercall = trinket_hypercall,
    .claims_raw = trinket_claims_raw,
    .raw_feature = HVS_FEATURE_ALWAYS,
    .timer = trinket_timer,
};

/* --- for tests ---------------------------------------------------------------------------------------------------- */

struct hvs_ctx toy_ctx(struct mock *mock, uint32_t vp)
{
    struct hvs_ctx ctx = hvs_ctx_make(mock_vcpu(mock, vp), 0);

    memset(&mock->out, 0, sizeof(mock->out));
    ctx.regs = &mock->regs;
    ctx.out = &mock->out;
    return ctx;
}

struct toy_vm *toy_vm_state(struct mock *mock)
{
    return mock->vm->slot[0].state;
}

struct toy_vcpu *toy_vcpu_state(struct mock *mock, uint32_t vp)
{
    return mock_vcpu(mock, vp)->slot[0].state;
}

static void configure(struct mock *mock)
{
    static const struct hvs_personality *const list[] = {&toy, &trinket, NULL};

    mock_config(mock, list, 3);
}

int toy_setup(void **state)
{
    static struct mock mock;

    configure(&mock);
    *state = &mock;
    return mock_start(&mock);
}

int toy_teardown(void **state)
{
    mock_stop(*state);
    return 0;
}

void toy_restart(struct mock *mock, uint32_t caps, uint64_t features_on, uint64_t features_off)
{
    mock_stop(mock);
    configure(mock);
    mock->config.caps = caps;
    mock->config.slot[0].features_on = features_on;
    mock->config.slot[0].features_off = features_off;
    assert_int_equal(mock_start(mock), HVS_OK);
}

void toy_use_port(struct mock *mock, const struct hvs_port *new_port)
{
    mock->vm->port = new_port;
}
