/*
 * The last exits, out of the core's ring: on the serial port when the machine ends or the hypervisor stops
 * (trace=serial), or each at once (trace=live). The guest can read the ring itself (trace=page, metal_stats_abi.h).
 */
#include "metal.h"
#include "metal_stats_abi.h"

HVS_STATIC_ASSERT(sizeof(struct hvs_metal_record) == sizeof(struct hvs_trace_record), "the guest reads the core's");

static atomic_flag taken = ATOMIC_FLAG_INIT;

/* At the end nobody waits: it may be this CPU's own fault that ends it, in the midst of telling. */
static bool take(bool is_end)
{
    while (atomic_flag_test_and_set(&taken)) {
        if (is_end)
            return false;
        cpu_relax();
    }
    return true;
}

void trace_tell(bool is_end)
{
    static uint64_t told;
    const uint64_t capacity = sizeof(lent.trace) / sizeof(struct hvs_trace_record);
    bool is_wanted = is_end ? machine.options.wants_trace : machine.options.is_trace_live;
    struct hvs_trace_record record;
    struct hvs_trace_words words;
    uint64_t next;

    if (!is_wanted || !machine.vm || !take(is_end))
        return;
    next = hvs_vm_trace_next(machine.vm);
    if (next - told > capacity)
        told = next - capacity;
    for (; told < next; told++) {
        if (hvs_vm_trace_read(machine.vm, told, &record))
            continue;           /* it is being written */
        hvs_vm_trace_words(machine.vm, &record, &words);
        say("trace: %lu us, CPU %u: %s %s %s 0x%lx = 0x%lx, %s", record.ns / 1000, record.vp, words.personality,
            words.kind, words.name, record.key, record.value, words.verdict);
    }
    atomic_flag_clear(&taken);
}
