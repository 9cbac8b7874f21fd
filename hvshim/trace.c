/* The trace ring. See trace.h. */
#include "core.h"

void hvs_trace(struct hvs_vcpu *vcpu, const struct hvs_exit *exit, enum hvs_verdict verdict, uint32_t nr_effects)
{
    struct hvs_vm *vm = vcpu->vm;

    if (vm->nr_trace == 0)
        return;

    struct hvs_instant now;
    uint64_t position = atomic_fetch_add_explicit(&vm->trace_position, 1, memory_order_relaxed);
    struct hvs_trace_record *record = &vm->trace[position % vm->nr_trace];

    hvs_vm_instant(vm, &now);
    atomic_store_explicit(&record->sequence, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    record->ns = hvs_clock_ns(&vm->clock, &now);
    record->vp = vcpu->vp;
    record->kind = (uint8_t)exit->kind;
    record->verdict = (uint8_t)verdict;
    record->slot = vcpu->trace.slot;
    record->nr_effects = (uint8_t)nr_effects;
    record->key = vcpu->trace.key;
    record->value = vcpu->trace.value;
    atomic_store_explicit(&record->sequence, position + 1, memory_order_release);
}

int hvs_vm_trace_read(const struct hvs_vm *vm, uint64_t position, struct hvs_trace_record *record)
{
    const struct hvs_trace_record *from;

    if (vm->nr_trace == 0)
        return HVS_ENOENT;
    from = &vm->trace[position % vm->nr_trace];
    if (atomic_load_explicit(&from->sequence, memory_order_acquire) != position + 1)
        return HVS_ENOENT;
    *record = *from;
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&from->sequence, memory_order_relaxed) == position + 1 ? HVS_OK : HVS_ENOENT;
}
