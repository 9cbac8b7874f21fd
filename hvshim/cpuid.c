/* CPUID: leaves from rows, feature bits from what is live, and the whole table for hosts where CPUID does not exit. */
#include "core.h"

static const struct hvs_cpuid_row *row_find(const struct hvs_personality *p, uint32_t leaf, uint32_t subleaf,
                                            uint32_t *index)
{
    for (uint32_t i = 0; i < p->nr_cpuid; i++) {
        if (p->cpuid[i].leaf == leaf && p->cpuid[i].subleaf == subleaf) {
            *index = i;
            return &p->cpuid[i];
        }
    }
    return NULL;
}

static void add_feature_bits(const struct hvs_slot *slot, const struct hvs_cpuid_row *row,
                             struct hvs_cpuid_regs *regs)
{
    const struct hvs_personality *p = slot->personality;

    for (uint32_t f = 0; f < p->nr_features; f++) {
        if (!(slot->shown >> f & 1))
            continue;
        for (uint32_t b = 0; b < HVS_ARRAY_SIZE(p->feature[f].bit); b++) {
            const struct hvs_cpuid_bit *bit = &p->feature[f].bit[b];

            if (bit->leaf == 0)
                break;
            if (bit->leaf == row->leaf && bit->subleaf == row->subleaf)
                regs->reg[bit->reg] |= 1u << bit->bit;
        }
    }
}

static void row_fill(struct hvs_ctx *ctx, const struct hvs_cpuid_row *row, struct hvs_cpuid_regs *regs)
{
    *regs = row->fixed;
    add_feature_bits(&ctx->vm->slot[ctx->slot], row, regs);
    if (row->fill)
        row->fill(ctx, regs);
}

void hvs_ctx_cpuid(struct hvs_ctx *ctx, uint32_t leaf, uint32_t subleaf, struct hvs_cpuid_regs *regs)
{
    const struct hvs_personality *p = ctx->vm->slot[ctx->slot].personality;
    uint32_t index;
    const struct hvs_cpuid_row *row = row_find(p, leaf, subleaf, &index);

    /* A leaf without subleaves answers alike for all of them. */
    if (!row && !row_find(p, leaf, 1, &index))
        row = row_find(p, leaf, 0, &index);
    if (!row) {
        *regs = (struct hvs_cpuid_regs){.reg = {0}};
        return;
    }
    hvs_row_hit(ctx->vcpu, ctx->slot, HVS_TABLE_CPUID, index);
    row_fill(ctx, row, regs);
}

int hvs_vcpu_cpuid(struct hvs_vcpu *vcpu, struct hvs_cpuid_leaf *leaf, uint32_t *nr)
{
    uint32_t capacity = *nr, used = 0;

    hvs_lock_take(vcpu->vm, &vcpu->lock);       /* a timer's exit may be under way */
    for (uint8_t s = 0; s < vcpu->vm->config.nr_slots; s++) {
        struct hvs_ctx ctx = hvs_ctx_make(vcpu, s);
        const struct hvs_personality *p = vcpu->vm->slot[s].personality;

        for (uint32_t i = 0; i < p->nr_cpuid; i++, used++) {
            if (used >= capacity)
                continue;
            leaf[used].leaf = vcpu->vm->slot[s].base + p->cpuid[i].leaf;
            leaf[used].subleaf = p->cpuid[i].subleaf;
            row_fill(&ctx, &p->cpuid[i], &leaf[used].regs);
        }
    }
    hvs_lock_drop(&vcpu->lock);
    *nr = used;
    return used > capacity ? HVS_ENOSPC : HVS_OK;
}
