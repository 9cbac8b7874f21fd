/* What a handler may ask of its context: facts of the VM, time, effects, faults. */
#include "core.h"

struct hvs_ctx hvs_ctx_make(struct hvs_vcpu *vcpu, uint8_t slot)
{
    return (struct hvs_ctx){
        .vm = vcpu->vm,
        .vcpu = vcpu,
        .vp = vcpu->vp,
        .slot = slot,
        .vm_state = vcpu->vm->slot[slot].state,
        .vcpu_state = vcpu->slot[slot].state,
    };
}

void hvs_vm_instant(struct hvs_vm *vm, struct hvs_instant *now)
{
    vm->port->time_now(vm->port_ctx, now);
    now->ns += vm->ns_bias;
}

const struct hvs_vm_config *hvs_ctx_config(const struct hvs_ctx *ctx)
{
    return &ctx->vm->config;
}

const void *hvs_ctx_options(const struct hvs_ctx *ctx)
{
    return ctx->vm->slot[ctx->slot].options;
}

const struct hvs_clock *hvs_ctx_clock(const struct hvs_ctx *ctx)
{
    return &ctx->vm->clock;
}

uint32_t hvs_ctx_base(const struct hvs_ctx *ctx)
{
    return ctx->vm->slot[ctx->slot].base;
}

uint32_t hvs_ctx_max_leaf(const struct hvs_ctx *ctx)
{
    const struct hvs_slot *slot = &ctx->vm->slot[ctx->slot];

    return slot->base + slot->max_leaf;
}

uint32_t hvs_ctx_nr_vps(const struct hvs_ctx *ctx)
{
    return ctx->vm->config.nr_vps;
}

uint32_t hvs_ctx_apic_id(const struct hvs_ctx *ctx, uint32_t vp)
{
    const uint32_t *apic_id = ctx->vm->config.apic_id;

    return apic_id ? apic_id[vp] : vp;
}

bool hvs_ctx_feature(const struct hvs_ctx *ctx, uint32_t feature)
{
    return feature < HVS_MAX_FEATURES && (ctx->vm->slot[ctx->slot].features >> feature & 1);
}

bool hvs_ctx_has_personality(const struct hvs_ctx *ctx, const char *name)
{
    for (uint32_t i = 0; i < ctx->vm->config.nr_slots; i++) {
        if (hvs_names_equal(ctx->vm->slot[i].personality->name, name))
            return true;
    }
    return false;
}

void *hvs_ctx_peer(const struct hvs_ctx *ctx, uint32_t vp)
{
    return ctx->vm->vcpu[vp].slot[ctx->slot].state;
}

void hvs_ctx_now(const struct hvs_ctx *ctx, struct hvs_instant *now)
{
    hvs_vm_instant(ctx->vm, now);
}

uint64_t hvs_ctx_now_ns(const struct hvs_ctx *ctx)
{
    struct hvs_instant now;

    hvs_vm_instant(ctx->vm, &now);
    return hvs_clock_ns(&ctx->vm->clock, &now);
}

static uint32_t copy_insn(uint8_t code[8], const struct hvs_insn *insn)
{
    memcpy(code, insn->byte, sizeof(insn->byte));
    return insn->length;
}

uint32_t hvs_ctx_hypercall_code(const struct hvs_ctx *ctx, uint8_t code[8])
{
    return copy_insn(code, &ctx->vm->config.hypercall_insn[ctx->slot]);
}

uint32_t hvs_ctx_signal_code(const struct hvs_ctx *ctx, uint8_t code[8])
{
    return copy_insn(code, &ctx->vm->config.signal_insn[ctx->slot]);
}

void hvs_ctx_signal(const struct hvs_ctx *ctx, uint32_t number, int signal)
{
    ctx->vm->slot[ctx->slot].has_signals = true;
    ctx->vm->port->signal(ctx->vm->port_ctx, ctx->slot, number, signal);
}

uint64_t hvs_ctx_boot_wall_ns(const struct hvs_ctx *ctx)
{
    return ctx->vm->boot_wall_ns;
}

struct hvs_vcpu_time hvs_ctx_vcpu_time(const struct hvs_ctx *ctx, uint32_t vp)
{
    struct hvs_vcpu_time time = {.ran_ns = 0};

    if (ctx->vm->config.caps & HVS_CAP_VCPU_TIME)
        ctx->vm->port->vcpu_time(ctx->vm->port_ctx, vp, &time);
    return time;
}

int hvs_ctx_apic_read(const struct hvs_ctx *ctx, uint32_t reg, uint64_t *value)
{
    if (!(ctx->vm->config.caps & HVS_CAP_APIC))
        return HVS_ENOTSUP;
    return ctx->vm->port->apic_read(ctx->vm->port_ctx, ctx->vp, reg, value);
}

int hvs_ctx_apic_write(const struct hvs_ctx *ctx, uint32_t reg, uint64_t value)
{
    if (!(ctx->vm->config.caps & HVS_CAP_APIC))
        return HVS_ENOTSUP;
    return ctx->vm->port->apic_write(ctx->vm->port_ctx, ctx->vp, reg, value);
}

int hvs_ctx_eoi_assist(const struct hvs_ctx *ctx, uint64_t gpa)
{
    int err;

    if (!(ctx->vm->config.caps & HVS_CAP_EOI_ASSIST))
        return HVS_ENOTSUP;
    err = ctx->vm->port->eoi_assist(ctx->vm->port_ctx, ctx->vp, gpa);
    if (!err)
        ctx->vcpu->has_eoi_assist = gpa != UINT64_MAX;
    return err;
}

static void note_stop(struct hvs_vcpu *vcpu, enum hvs_effect_kind kind)
{
    if (kind == HVS_EFFECT_VCPU_STOP)
        atomic_store(&vcpu->is_running, false);
    if (kind == HVS_EFFECT_VCPU_STOP || kind == HVS_EFFECT_VCPU_GO_ON)
        atomic_store(&vcpu->is_to_stop, kind == HVS_EFFECT_VCPU_STOP);
}

bool hvs_vcpu_is_to_stop(const struct hvs_vcpu *vcpu)
{
    return atomic_load(&vcpu->is_to_stop);
}

void hvs_emit(struct hvs_ctx *ctx, struct hvs_effect effect)
{
    struct hvs_outcome *out = ctx->out;

    if (ctx->from_host || !out)
        return;
    if (out->nr_effects == HVS_MAX_EFFECTS) {
        out->effects_lost = true;
        return;
    }
    if (effect.target == HVS_TARGET_VP)
        note_stop(&ctx->vm->vcpu[effect.vp], effect.kind);
    out->effect[out->nr_effects++] = effect;
}

static void emit_inject(struct hvs_ctx *ctx, uint32_t vp, uint8_t vector, bool past_apic)
{
    /* A second edge on a vector that is already pending is lost anyway. */
    for (uint32_t i = 0; ctx->out && i < ctx->out->nr_effects; i++) {
        const struct hvs_effect *e = &ctx->out->effect[i];

        if (e->kind == HVS_EFFECT_INJECT && e->target == HVS_TARGET_VP && e->vp == vp && e->vector == vector &&
            e->past_apic == past_apic)
            return;
    }
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_INJECT, .target = HVS_TARGET_VP, .vp = vp,
                                      .vector = vector, .past_apic = past_apic});
}

void hvs_emit_inject(struct hvs_ctx *ctx, uint32_t vp, uint8_t vector)
{
    emit_inject(ctx, vp, vector, false);
}

void hvs_emit_inject_past_apic(struct hvs_ctx *ctx, uint32_t vp, uint8_t vector)
{
    emit_inject(ctx, vp, vector, true);
}

bool hvs_emit_vcpu_start(struct hvs_ctx *ctx, uint32_t vp, const struct hvs_vcpu_context *context)
{
    if (ctx->from_host || !ctx->out || atomic_exchange(&ctx->vm->vcpu[vp].is_running, true))
        return false;
    ctx->out->start = *context;
    hvs_emit(ctx, (struct hvs_effect){.kind = HVS_EFFECT_VCPU_START, .target = HVS_TARGET_VP, .vp = vp});
    return true;
}

/*
 * An outcome has one set. A rep call that goes on within its exit may come here again: then the set grows, because a
 * flush that is lost is worse than one too many, and the effect that is there already is enough.
 */
static void emit_set(struct hvs_ctx *ctx, const struct hvs_vpset *set, struct hvs_effect effect)
{
    struct hvs_outcome *out = ctx->out;
    bool is_first = true, is_new = true;

    if (ctx->from_host || !out)
        return;
    for (uint32_t i = 0; i < out->nr_effects; i++) {
        if (out->effect[i].target != HVS_TARGET_SET)
            continue;
        is_first = false;
        if (out->effect[i].kind == effect.kind && out->effect[i].vector == effect.vector)
            is_new = false;
    }
    if (is_first)
        hvs_vpset_clear(&out->set);
    for (uint32_t b = 0; b < HVS_VPSET_BANKS; b++)
        out->set.bank[b] |= set->bank[b];
    effect.target = HVS_TARGET_SET;
    if (is_new)
        hvs_emit(ctx, effect);
}

void hvs_emit_inject_set(struct hvs_ctx *ctx, const struct hvs_vpset *set, uint8_t vector)
{
    emit_set(ctx, set, (struct hvs_effect){.kind = HVS_EFFECT_INJECT, .vector = vector});
}

void hvs_emit_flush_set(struct hvs_ctx *ctx, const struct hvs_vpset *set)
{
    emit_set(ctx, set, (struct hvs_effect){.kind = HVS_EFFECT_FLUSH_TLB});
}

void hvs_emit_wake_set(struct hvs_ctx *ctx, const struct hvs_vpset *set)
{
    emit_set(ctx, set, (struct hvs_effect){.kind = HVS_EFFECT_WAKE});
}

void hvs_crash_report(struct hvs_ctx *ctx, const struct hvs_crash *crash)
{
    hvs_vcpu_lock_vm(ctx->vcpu);
    ctx->vm->crash = *crash;
    ctx->vm->has_crashed = true;
    hvs_vcpu_unlock_vm(ctx->vcpu);
}

enum hvs_verdict hvs_fault_ud(struct hvs_ctx *ctx)
{
    ctx->out->fault_vector = HVS_VECTOR_UD;
    ctx->out->fault_has_code = false;
    return HVS_FAULT;
}

enum hvs_verdict hvs_fault_gp(struct hvs_ctx *ctx)
{
    ctx->out->fault_vector = HVS_VECTOR_GP;
    ctx->out->fault_has_code = true;
    ctx->out->fault_code = 0;
    return HVS_FAULT;
}
