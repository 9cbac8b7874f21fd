/*
 * A fourth personality, as small as one can be that has a row of every kind: a counter of the VM.
 *
 * CPUID   leaf 0 the signature "SampleSample", leaf 1 EAX bit 0: the counter is there
 * MSR     SAMPLE_MSR_STEP, per vCPU: what one call adds, 0..255
 * call    RAX = 1: adds this vCPU's step, the sum in RAX; RAX = all ones for an unknown call; #UD above CPL 0
 * port    SAMPLE_PORT: IN EAX reads the sum
 */
#include "sample.h"

enum { FEATURE_COUNTER, NR_FEATURES };
enum { RECORD_SUM = 1 };

struct sample_vm {
    uint64_t sum;               /* under the VM lock */
};

struct sample_vcpu {
    uint64_t step;
};

static void fill_signature(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs)
{
    regs->reg[HVS_EAX] = hvs_ctx_max_leaf(ctx);
}

static enum hvs_verdict step_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = ((const struct sample_vcpu *)ctx->vcpu_state)->step;
    return HVS_HANDLED;
}

static enum hvs_verdict step_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index;
    ((struct sample_vcpu *)ctx->vcpu_state)->step = value;
    return HVS_HANDLED;
}

static int64_t call_add(struct hvs_ctx *ctx, struct hvs_call *call)
{
    struct sample_vm *vm = ctx->vm_state;

    (void)call;
    vm->sum += ((const struct sample_vcpu *)ctx->vcpu_state)->step;
    return (int64_t)vm->sum;
}

static enum hvs_verdict hypercall(struct hvs_ctx *ctx)
{
    struct hvs_call call = {.row = NULL};

    if (ctx->regs->cpl != 0)
        return hvs_fault_ud(ctx);
    if (ctx->regs->rax <= UINT32_MAX)
        call.row = hvs_hcall_find(ctx, (uint32_t)ctx->regs->rax);
    ctx->regs->rax = call.row ? (uint64_t)hvs_hcall_invoke(ctx, &call) : UINT64_MAX;
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

static enum hvs_verdict port(struct hvs_ctx *ctx)
{
    if (!ctx->exit->pio.is_in || ctx->exit->pio.is_string || ctx->exit->pio.size_bytes != 4)
        return HVS_UNHANDLED;
    ctx->regs->rax = (uint32_t)((const struct sample_vm *)ctx->vm_state)->sum;
    ctx->out->regs_changed = true;
    return HVS_HANDLED;
}

/* The core has cleared all state: only what is not 0 at power-on is set. */
static void vcpu_reset(struct hvs_ctx *ctx)
{
    ((struct sample_vcpu *)ctx->vcpu_state)->step = 1;
}

/* The step is saved as an MSR, by its row. */
static int save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer)
{
    if (phase == HVS_PHASE_CONTROL && ctx->vp == 0)
        hvs_writer_put(writer, RECORD_SUM, 1, ctx->vm_state, sizeof(struct sample_vm));
    return HVS_OK;
}

static int load(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    return record->id == RECORD_SUM ? hvs_record_get(record, ctx->vm_state, sizeof(struct sample_vm)) : HVS_OK;
}

static const struct hvs_feature feature[NR_FEATURES] = {
    [FEATURE_COUNTER] = {.name = "counter", .bit = {{.leaf = 1, .reg = HVS_EAX, .bit = 0}}},
};
static const struct hvs_cpuid_row cpuid[] = {
    {.leaf = 0, .name = "signature", .fixed = {{0, 0x706d6153, 0x6153656c, 0x656c706d}}, .fill = fill_signature},
    {.leaf = 1, .name = "features"},
};
static const struct hvs_msr_row msr[] = {
    {.first = SAMPLE_MSR_STEP, .last = SAMPLE_MSR_STEP, .name = "SAMPLE_MSR_STEP", .feature = FEATURE_COUNTER,
     .save = HVS_PHASE_CONTROL, .reserved = ~(uint64_t)UINT8_MAX, .read = step_read, .write = step_write},
};
static const struct hvs_hcall_row hcall[] = {
    {.code = SAMPLE_CALL_ADD, .name = "SAMPLE_CALL_ADD", .feature = FEATURE_COUNTER, .scope = HVS_SCOPE_VM,
     .fn = call_add},
};
static const struct hvs_pio_row pio[] = {
    {.first = SAMPLE_PORT, .last = SAMPLE_PORT, .name = "SAMPLE_PORT", .feature = FEATURE_COUNTER,
     .scope = HVS_SCOPE_VM, .fn = port},
};

const struct hvs_personality sample_personality = {
    .name = "sample",
    .title = "Sample",
    .id = 0x706d6173,           /* "samp" */
    .place = HVS_PLACE_NEXT,
    .vm_bytes = sizeof(struct sample_vm),
    .vcpu_bytes = sizeof(struct sample_vcpu),
    .feature = feature,
    .cpuid = cpuid,
    .msr = msr,
    .hcall = hcall,
    .pio = pio,
    .nr_features = HVS_ARRAY_SIZE(feature),
    .nr_cpuid = HVS_ARRAY_SIZE(cpuid),
    .nr_msr = HVS_ARRAY_SIZE(msr),
    .nr_hcall = HVS_ARRAY_SIZE(hcall),
    .nr_pio = HVS_ARRAY_SIZE(pio),
    .vcpu_reset = vcpu_reset,
    .hypercall = hypercall,
    .save = save,
    .load = load,
};
