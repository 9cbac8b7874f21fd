/* Counters: two per row and vCPU, summed when they are read. */
#include "core.h"

void hvs_row_hit(struct hvs_vcpu *vcpu, uint8_t slot, enum hvs_table table, uint32_t row)
{
    uint32_t index = vcpu->vm->slot[slot].first_hit[table] + row;

    hvs_count(&vcpu->hits[index]);
    if (vcpu->charged == UINT32_MAX)
        vcpu->charged = index;
}

void hvs_vcpu_charge(struct hvs_vcpu *vcpu, uint64_t cycles)
{
    hvs_lock_take(vcpu->vm, &vcpu->lock);
    if (vcpu->charged != UINT32_MAX)
        hvs_count_by(&vcpu->cycles[vcpu->charged], cycles);
    vcpu->charged = UINT32_MAX;
    hvs_lock_drop(&vcpu->lock);
}

static uint32_t table_rows(const struct hvs_personality *p, enum hvs_table table)
{
    const uint32_t rows[HVS_NR_TABLES] = {
        [HVS_TABLE_CPUID] = p->nr_cpuid,
        [HVS_TABLE_MSR] = p->nr_msr,
        [HVS_TABLE_HCALL] = p->nr_hcall,
        [HVS_TABLE_PIO] = p->nr_pio,
    };

    return rows[table];
}

static const char *row_name(const struct hvs_personality *p, enum hvs_table table, uint32_t row)
{
    switch (table) {
    case HVS_TABLE_CPUID:
        return p->cpuid[row].name;
    case HVS_TABLE_MSR:
        return p->msr[row].name;
    case HVS_TABLE_HCALL:
        return p->hcall[row].name;
    case HVS_TABLE_PIO:
        return p->pio[row].name;
    case HVS_NR_TABLES:
        break;
    }
    return "";
}

static void add_up(const struct hvs_vm *vm, uint32_t index, struct hvs_stat *stat)
{
    for (uint32_t vp = 0; vp < vm->config.nr_vps; vp++) {
        stat->hits += atomic_load_explicit(&vm->vcpu[vp].hits[index], memory_order_relaxed);
        stat->cycles += atomic_load_explicit(&vm->vcpu[vp].cycles[index], memory_order_relaxed);
    }
}

int hvs_vm_stat(const struct hvs_vm *vm, uint32_t index, struct hvs_stat *stat)
{
    static const char *const kind[HVS_NR_TABLES] = {"cpuid", "msr", "hypercall", "pio"};

    for (uint32_t s = 0; s < vm->config.nr_slots; s++) {
        const struct hvs_personality *p = vm->slot[s].personality;

        for (uint32_t t = 0; t < HVS_NR_TABLES; t++) {
            uint32_t first = vm->slot[s].first_hit[t];

            if (index < first || index - first >= table_rows(p, t))
                continue;
            *stat = (struct hvs_stat){
                .personality = p->name,
                .kind = kind[t],
                .name = row_name(p, t, index - first),
            };
            add_up(vm, index, stat);
            return HVS_OK;
        }
    }
    return HVS_ENOENT;
}

uint64_t hvs_vm_exits(const struct hvs_vm *vm, enum hvs_exit_kind kind, uint64_t *unhandled)
{
    uint64_t exits = 0, none = 0;

    for (uint32_t vp = 0; (unsigned)kind < HVS_NR_EXIT_KINDS && vp < vm->config.nr_vps; vp++) {
        exits += atomic_load_explicit(&vm->vcpu[vp].exits[kind], memory_order_relaxed);
        none += atomic_load_explicit(&vm->vcpu[vp].unhandled[kind], memory_order_relaxed);
    }
    if (unhandled)
        *unhandled = none;
    return exits;
}
