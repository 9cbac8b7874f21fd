/* What must exit: the live rows of all personalities as sorted, disjoint ranges, for MSR filters and bitmaps. */
#include "core.h"

/* Row `index` of one table as a range, if it is live. */
typedef bool range_at_fn(const struct hvs_slot *slot, uint32_t index, struct hvs_range *range);

static bool msr_at(const struct hvs_slot *slot, uint32_t index, struct hvs_range *range)
{
    const struct hvs_msr_row *row = &slot->personality->msr[index];

    *range = (struct hvs_range){row->first, row->last};
    return hvs_slot_row_is_live(slot, row->feature);
}

static bool pio_at(const struct hvs_slot *slot, uint32_t index, struct hvs_range *range)
{
    const struct hvs_pio_row *row = &slot->personality->pio[index];

    *range = (struct hvs_range){row->first, row->last};
    return hvs_slot_row_is_live(slot, row->feature);
}

/* The live range with the smallest start that reaches to `from` or beyond. */
static bool next_range(const struct hvs_vm *vm, range_at_fn *at, enum hvs_table table, uint64_t from,
                       struct hvs_range *next)
{
    bool found = false;

    for (uint32_t s = 0; s < vm->config.nr_slots; s++) {
        const struct hvs_personality *p = vm->slot[s].personality;
        uint32_t nr_rows = table == HVS_TABLE_MSR ? p->nr_msr : p->nr_pio;

        for (uint32_t i = 0; i < nr_rows; i++) {
            struct hvs_range range;

            if (!at(&vm->slot[s], i, &range) || range.last < from || (found && range.first >= next->first))
                continue;
            *next = range;
            found = true;
        }
    }
    return found;
}

static int collect(const struct hvs_vm *vm, range_at_fn *at, enum hvs_table table, struct hvs_range *range,
                   uint32_t *nr)
{
    uint32_t capacity = *nr, used = 0;
    struct hvs_range open = {0, 0}, next;
    bool is_open = false;

    for (uint64_t from = 0; next_range(vm, at, table, from, &next); from = (uint64_t)open.last + 1) {
        if (is_open && next.first <= (uint64_t)open.last + 1) {
            open.last = next.last;
            continue;
        }
        if (is_open && used++ < capacity)
            range[used - 1] = open;
        open = next;
        is_open = true;
    }
    if (is_open && used++ < capacity)
        range[used - 1] = open;
    *nr = used;
    return used > capacity ? HVS_ENOSPC : HVS_OK;
}

int hvs_vm_msr_ranges(const struct hvs_vm *vm, struct hvs_range *range, uint32_t *nr)
{
    return collect(vm, msr_at, HVS_TABLE_MSR, range, nr);
}

int hvs_vm_pio_ranges(const struct hvs_vm *vm, struct hvs_range *range, uint32_t *nr)
{
    return collect(vm, pio_at, HVS_TABLE_PIO, range, nr);
}

bool hvs_vm_port_takes_strings(const struct hvs_vm *vm, uint16_t port)
{
    for (uint32_t s = 0; s < vm->config.nr_slots; s++) {
        const struct hvs_pio_row *row = hvs_pio_row_find(&vm->slot[s], port);

        if (row && row->takes_strings)
            return true;
    }
    return false;
}
