/* The trace ring. See trace.h. */
#include "core.h"

void hvs_trace_init(struct hvs_vm *vm)
{
    if (!vm->config.trace)
        return;
    vm->trace = vm->config.trace;
    vm->nr_trace = vm->config.trace_bytes / sizeof(struct hvs_trace_slot);
    memset(vm->config.trace, 0, vm->nr_trace * sizeof(struct hvs_trace_slot));  /* no records of an earlier VM */
}

void hvs_trace(struct hvs_vcpu *vcpu, const struct hvs_exit *exit, enum hvs_verdict verdict, uint32_t nr_effects)
{
    struct hvs_vm *vm = vcpu->vm;

    if (vm->nr_trace == 0)
        return;

    struct hvs_instant now;

    hvs_vm_instant(vm, &now);

    const struct hvs_trace_record record = {
        .ns = hvs_clock_ns(&vm->clock, &now),
        .vp = vcpu->vp,
        .kind = (uint8_t)exit->kind,
        .verdict = (uint8_t)verdict,
        .slot = vcpu->trace.slot,
        .nr_effects = (uint8_t)nr_effects,
        .key = vcpu->trace.key,
        .value = vcpu->trace.value,
    };
    uint64_t position = atomic_fetch_add_explicit(&vm->trace_position, 1, memory_order_relaxed);
    struct hvs_trace_slot *slot = &vm->trace[position % vm->nr_trace];
    uint64_t word[HVS_TRACE_WORDS];

    memcpy(word, &record, sizeof(word));
    atomic_store_explicit(&slot->word[0], 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (uint32_t i = 1; i < HVS_TRACE_WORDS; i++)
        atomic_store_explicit(&slot->word[i], word[i], memory_order_relaxed);
    atomic_store_explicit(&slot->word[0], position + 1, memory_order_release);
}

int hvs_vm_trace_read(const struct hvs_vm *vm, uint64_t position, struct hvs_trace_record *record)
{
    const struct hvs_trace_slot *slot;
    uint64_t word[HVS_TRACE_WORDS] = {position + 1};

    if (vm->nr_trace == 0)
        return HVS_ENOENT;
    slot = &vm->trace[position % vm->nr_trace];
    if (position == UINT64_MAX || atomic_load_explicit(&slot->word[0], memory_order_acquire) != position + 1)
        return HVS_ENOENT;
    for (uint32_t i = 1; i < HVS_TRACE_WORDS; i++)
        word[i] = atomic_load_explicit(&slot->word[i], memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&slot->word[0], memory_order_relaxed) != position + 1)
        return HVS_ENOENT;
    memcpy(record, word, sizeof(*record));
    return HVS_OK;
}
