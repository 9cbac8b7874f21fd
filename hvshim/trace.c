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

uint64_t hvs_vm_trace_next(const struct hvs_vm *vm)
{
    return atomic_load_explicit(&vm->trace_position, memory_order_relaxed);
}

/* Also of a call whose feature is off: that it was tried is what the trace is for. */
static const char *hcall_name(const struct hvs_personality *p, uint64_t code)
{
    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        if (p->hcall[i].code == code)
            return p->hcall[i].name;
    }
    return "-";
}

static const char *cpuid_name(const struct hvs_slot *slot, uint64_t leaf)
{
    const struct hvs_personality *p = slot->personality;

    for (uint32_t i = 0; i < p->nr_cpuid; i++) {
        if (slot->base + p->cpuid[i].leaf == leaf)
            return p->cpuid[i].name;
    }
    return "-";
}

static const char *msr_name(const struct hvs_slot *slot, uint64_t index)
{
    const struct hvs_msr_row *row = hvs_msr_row_find(slot, (uint32_t)index);

    return row ? row->name : "-";
}

/* A port that takes calls leaves the call's code as the key. */
static const char *pio_name(const struct hvs_slot *slot, uint64_t key)
{
    const struct hvs_pio_row *row = key <= UINT16_MAX ? hvs_pio_row_find(slot, (uint16_t)key) : NULL;

    return row ? row->name : hcall_name(slot->personality, key);
}

static const char *name_of(const struct hvs_slot *slot, uint8_t kind, uint64_t key)
{
    switch (kind) {
    case HVS_EXIT_CPUID:
        return cpuid_name(slot, key);
    case HVS_EXIT_MSR_READ:
    case HVS_EXIT_MSR_WRITE:
        return msr_name(slot, key);
    case HVS_EXIT_HYPERCALL:
        return hcall_name(slot->personality, key);
    case HVS_EXIT_PIO:
        return pio_name(slot, key);
    default:
        return "-";
    }
}

void hvs_vm_trace_words(const struct hvs_vm *vm, const struct hvs_trace_record *record, struct hvs_trace_words *words)
{
    static const char *const kind[HVS_NR_EXIT_KINDS] = {
        [HVS_EXIT_CPUID] = "cpuid", [HVS_EXIT_MSR_READ] = "rdmsr", [HVS_EXIT_MSR_WRITE] = "wrmsr",
        [HVS_EXIT_HYPERCALL] = "hypercall", [HVS_EXIT_PIO] = "pio", [HVS_EXIT_TIMER] = "timer",
        [HVS_EXIT_RESET] = "reset", [HVS_EXIT_HOST] = "host"};
    static const char *const verdict[] = {
        [HVS_HANDLED] = "handled", [HVS_UNHANDLED] = "unhandled", [HVS_FAULT] = "fault", [HVS_RETRY] = "retry"};

    *words = (struct hvs_trace_words){
        .personality = "-",
        .kind = record->kind < HVS_NR_EXIT_KINDS ? kind[record->kind] : "-",
        .name = "-",
        .verdict = record->verdict < HVS_ARRAY_SIZE(verdict) ? verdict[record->verdict] : "-",
    };
    if (record->slot >= vm->config.nr_slots)
        return;
    words->personality = vm->slot[record->slot].personality->name;
    words->name = name_of(&vm->slot[record->slot], record->kind, record->key);
}
