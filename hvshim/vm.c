/*
 * Making a VM in the caller's memory. One function lays it out; run without memory, it measures.
 */
#include "core.h"

struct arena {
    uint8_t *base;              /* NULL: measure only */
    size_t used;
};

static void *take(struct arena *arena, size_t bytes, size_t alignment)
{
    size_t at = (arena->used + alignment - 1) & ~(alignment - 1);

    arena->used = at + bytes;
    return arena->base ? arena->base + at : NULL;
}

static uint32_t store_bytes(const struct hvs_vm_config *config)
{
    uint32_t bytes = 0;

    for (uint32_t s = 0; s < config->nr_slots; s++)
        bytes += config->slot[s].personality->store_bytes;
    return bytes && config->store_bytes ? config->store_bytes : bytes;
}

static void lay_overlays(struct arena *arena, struct hvs_overlay **overlay, uint32_t nr)
{
    struct hvs_overlay *first = take(arena, nr * sizeof(*first), alignof(struct hvs_overlay));

    for (uint32_t i = 0; i < nr; i++) {
        uint8_t *page = take(arena, HVS_PAGE_BYTES, HVS_PAGE_BYTES);

        if (first)
            first[i].page = page;
    }
    if (arena->base)
        *overlay = first;
}

static void lay_vcpu(struct arena *arena, struct hvs_vcpu *vcpu, const struct hvs_vm_config *config,
                     uint32_t nr_rows)
{
    struct hvs_vcpu scratch;            /* takes the pointers while measuring */

    if (!vcpu)
        vcpu = &scratch;
    vcpu->input = take(arena, HVS_PAGE_BYTES, HVS_PAGE_BYTES);
    vcpu->output = take(arena, HVS_PAGE_BYTES, HVS_PAGE_BYTES);
    vcpu->hits = take(arena, nr_rows * sizeof(*vcpu->hits), alignof(_Atomic uint64_t));
    vcpu->cycles = take(arena, nr_rows * sizeof(*vcpu->cycles), alignof(_Atomic uint64_t));
    for (uint32_t s = 0; s < config->nr_slots; s++) {
        const struct hvs_personality *p = config->slot[s].personality;

        vcpu->slot[s].state = take(arena, p->vcpu_bytes, alignof(max_align_t));
        lay_overlays(arena, &vcpu->slot[s].overlay, p->nr_vcpu_overlays);
    }
}

static uint32_t count_rows(const struct hvs_personality *p)
{
    return (uint32_t)p->nr_cpuid + p->nr_msr + p->nr_hcall + p->nr_pio;
}

/* Returns the VM, or NULL while measuring. */
static struct hvs_vm *lay_out(struct arena *arena, const struct hvs_vm_config *config)
{
    struct hvs_vm *vm = take(arena, sizeof(*vm), HVS_PAGE_BYTES);
    struct hvs_vcpu *vcpu = take(arena, config->nr_vps * sizeof(*vcpu), alignof(struct hvs_vcpu));
    uint8_t *store = take(arena, store_bytes(config), alignof(uint32_t));
    struct hvs_overlay *unused;
    uint32_t nr_rows = 0;

    if (vm)
        vm->store = (struct hvs_store){.bytes = store, .capacity = store_bytes(config)};

    for (uint32_t s = 0; s < config->nr_slots; s++) {
        const struct hvs_personality *p = config->slot[s].personality;
        void *state = take(arena, p->vm_bytes, alignof(max_align_t));

        lay_overlays(arena, vm ? &vm->slot[s].overlay : &unused, p->nr_vm_overlays);
        if (vm)
            vm->slot[s].state = state;
        nr_rows += count_rows(p);
    }
    for (uint32_t vp = 0; vp < config->nr_vps; vp++)
        lay_vcpu(arena, vm ? &vcpu[vp] : NULL, config, nr_rows);
    if (vm)
        vm->vcpu = vcpu;
    return vm;
}

static bool personality_is_sane(const struct hvs_personality *p)
{
    return p->nr_features <= HVS_MAX_FEATURES && p->nr_timers <= HVS_MAX_TIMERS && (p->nr_timers == 0 || p->timer);
}

/* Each personality once: its MSRs and its save records are its own. */
static bool is_present(const struct hvs_vm_config *config, uint32_t nr_slots, const struct hvs_personality *wanted)
{
    for (uint32_t s = 0; s < nr_slots; s++) {
        if (config->slot[s].personality->id == wanted->id)
            return true;
    }
    return false;
}

static bool insn_is_sane(const struct hvs_insn *insn)
{
    return insn->length > 0 && insn->length <= sizeof(insn->byte);
}

static int check_slots(const struct hvs_vm_config *config)
{
    uint32_t nr_first = 0;

    for (uint32_t s = 0; s < config->nr_slots; s++) {
        const struct hvs_personality *p = config->slot[s].personality;

        if (!p || !personality_is_sane(p))
            return HVS_EINVAL;
        if (is_present(config, s, p))
            return HVS_ECONFLICT;
        if (p->hypercall && p->nr_hcall && p->nr_msr && !insn_is_sane(&config->hypercall_insn[s]))
            return HVS_EINVAL;
        if ((config->caps & HVS_CAP_SIGNAL) && !insn_is_sane(&config->signal_insn[s]))
            return HVS_EINVAL;
        nr_first += p->place == HVS_PLACE_FIRST;
    }
    return nr_first > 1 ? HVS_ECONFLICT : HVS_OK;
}

static int check(const struct hvs_vm_config *config)
{
    if (config->size != sizeof(*config))
        return HVS_EVERSION;
    if (config->nr_vps == 0 || config->nr_vps > HVS_MAX_VPS || config->nr_slots > HVS_MAX_SLOTS)
        return HVS_EINVAL;
    if ((uintptr_t)config->trace % alignof(struct hvs_trace_record))
        return HVS_EINVAL;
    if (config->tsc_khz == 0 || config->tsc_khz > UINT32_MAX || config->phys_bits < 32 || config->phys_bits > 52)
        return HVS_EINVAL;

    int err = check_slots(config);

    for (uint32_t s = 0; !err && s < config->nr_slots; s++) {
        struct hvs_slot slot;

        err = hvs_slot_resolve(&slot, &config->slot[s], config->caps);
    }
    return err;
}

int hvs_vm_size(const struct hvs_vm_config *config, size_t *bytes)
{
    struct arena arena = {0};
    int err = check(config);

    if (err)
        return err;
    lay_out(&arena, config);
    *bytes = arena.used;
    return HVS_OK;
}

uint32_t hvs_vm_missing_caps(const struct hvs_vm_config *config)
{
    uint32_t missing = 0;

    for (uint32_t s = 0; s < config->nr_slots && s < HVS_MAX_SLOTS; s++) {
        if (config->slot[s].personality)
            missing |= hvs_slot_missing_caps(&config->slot[s], config->caps);
    }
    return missing;
}

int hvs_vm_unmet(const struct hvs_vm_config *config, struct hvs_unmet *unmet)
{
    for (uint32_t s = 0; s < config->nr_slots && s < HVS_MAX_SLOTS; s++) {
        if (config->slot[s].personality && hvs_slot_unmet(&config->slot[s], config->caps, unmet))
            return HVS_OK;
    }
    return HVS_ENOENT;
}

static void count_from(struct hvs_slot *slot, uint32_t *next)
{
    const struct hvs_personality *p = slot->personality;
    const uint32_t rows[HVS_NR_TABLES] = {p->nr_cpuid, p->nr_msr, p->nr_hcall, p->nr_pio};

    for (uint32_t t = 0; t < HVS_NR_TABLES; t++) {
        slot->first_hit[t] = *next;
        *next += rows[t];
    }
}

/* The stack rule: who must be first is first; the others follow in the order given, a step each. */
static void place_slots(struct hvs_vm *vm)
{
    uint32_t base = HVS_CPUID_FIRST;

    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t s = 0; s < vm->config.nr_slots; s++) {
            struct hvs_slot *slot = &vm->slot[s];

            if ((slot->personality->place == HVS_PLACE_FIRST) != (pass == 0))
                continue;
            slot->base = base;
            base += HVS_CPUID_STEP;
        }
    }
    vm->next_leaf = base;
}

static void init_slots(struct hvs_vm *vm)
{
    uint32_t next_hit = 0;

    for (uint32_t s = 0; s < vm->config.nr_slots; s++) {
        const struct hvs_slot_config *config = &vm->config.slot[s];
        struct hvs_slot *slot = &vm->slot[s];

        slot->personality = config->personality;
        slot->options = config->options;
        hvs_slot_resolve(slot, config, vm->config.caps);
        for (uint32_t i = 0; i < config->personality->nr_cpuid; i++) {
            if (config->personality->cpuid[i].leaf > slot->max_leaf)
                slot->max_leaf = config->personality->cpuid[i].leaf;
        }
        count_from(slot, &next_hit);
    }
    place_slots(vm);
}

static bool port_is_whole(const struct hvs_port *port, uint32_t caps)
{
    if (!port->gpa_read || !port->gpa_write || !port->page_pin || !port->page_unpin || !port->time_now)
        return false;
    if ((caps & HVS_CAP_XMM) && (!port->xmm_read || !port->xmm_write))
        return false;
    if ((caps & HVS_CAP_APIC) && (!port->apic_read || !port->apic_write))
        return false;
    if ((caps & HVS_CAP_EOI_ASSIST) && !port->eoi_assist)
        return false;
    if ((caps & HVS_CAP_SIGNAL) && !port->signal)
        return false;
    return !(caps & HVS_CAP_VCPU_TIME) || port->vcpu_time;
}

int hvs_vm_init(void *memory, size_t bytes, const struct hvs_vm_config *config, const struct hvs_port *port,
                void *port_ctx, struct hvs_vm **vm_out)
{
    struct arena arena = {.base = memory};
    size_t needed;
    int err = hvs_vm_size(config, &needed);

    if (err)
        return err;
    if (bytes < needed)
        return HVS_ENOSPC;
    if (!memory || (uintptr_t)memory % HVS_PAGE_BYTES || !port_is_whole(port, config->caps))
        return HVS_EINVAL;
    memset(memory, 0, needed);

    struct hvs_vm *vm = lay_out(&arena, config);

    vm->config = *config;
    vm->port = port;
    vm->port_ctx = port_ctx;
    hvs_trace_init(vm);
    init_slots(vm);
    for (uint32_t vp = 0; vp < config->nr_vps; vp++) {
        vm->vcpu[vp].vm = vm;
        vm->vcpu[vp].vp = vp;
        vm->vcpu[vp].deadline_ns = UINT64_MAX;
        vm->vcpu[vp].charged = UINT32_MAX;
    }
    for (uint32_t vp = 0; vp < config->nr_vps; vp++)
        hvs_vcpu_reset(&vm->vcpu[vp], NULL);
    *vm_out = vm;
    return HVS_OK;
}

struct hvs_vcpu *hvs_vm_vcpu(struct hvs_vm *vm, uint32_t vp)
{
    return vp < vm->config.nr_vps ? &vm->vcpu[vp] : NULL;
}

uint32_t hvs_vm_next_leaf(const struct hvs_vm *vm)
{
    return vm->next_leaf;
}

void hvs_vm_clock_moved(struct hvs_vm *vm)
{
    struct hvs_vcpu *vcpu = &vm->vcpu[0];

    hvs_lock_take(vm, &vcpu->lock);
    hvs_vcpu_lock_vm(vcpu);
    for (uint8_t s = 0; s < vm->config.nr_slots; s++) {
        struct hvs_ctx ctx = hvs_ctx_make(vcpu, s);

        ctx.from_host = true;
        if (vm->slot[s].personality->clock_moved)
            vm->slot[s].personality->clock_moved(&ctx);
    }
    hvs_vcpu_unlock_vm(vcpu);
    hvs_lock_drop(&vcpu->lock);
}

int hvs_vm_start_clock(struct hvs_vm *vm)
{
    struct hvs_instant now;
    int err;

    hvs_vm_instant(vm, &now);
    err = hvs_clock_set(&vm->clock, vm->config.tsc_khz, &now, vm->config.caps & HVS_CAP_TSC_STABLE);
    if (!err)
        hvs_vm_clock_moved(vm);
    return err;
}

int hvs_vm_start_clock_at(struct hvs_vm *vm, uint64_t age_ns)
{
    struct hvs_instant now;

    vm->ns_bias = 0;
    hvs_vm_instant(vm, &now);
    vm->ns_bias = age_ns - now.ns;
    return hvs_vm_start_clock(vm);
}

void hvs_vm_set_wall_clock(struct hvs_vm *vm, uint64_t utc_ns)
{
    vm->boot_wall_ns = utc_ns ? utc_ns - hvs_vm_now_ns(vm) : 0;
    hvs_vm_clock_moved(vm);
}

bool hvs_vm_expects_raw(const struct hvs_vm *vm)
{
    for (uint32_t s = 0; s < vm->config.nr_slots; s++) {
        const struct hvs_personality *p = vm->slot[s].personality;

        if (p->claims_raw && hvs_slot_row_is_live(&vm->slot[s], p->raw_feature))
            return true;
    }
    return false;
}

uint64_t hvs_vm_now_ns(struct hvs_vm *vm)
{
    struct hvs_instant now;

    hvs_vm_instant(vm, &now);
    return hvs_clock_ns(&vm->clock, &now);
}

int hvs_vm_crash(struct hvs_vm *vm, struct hvs_crash *crash)
{
    int err = HVS_ENOENT;

    hvs_lock_take(vm, &vm->lock);
    if (vm->has_crashed) {
        *crash = vm->crash;
        err = HVS_OK;
    }
    hvs_lock_drop(&vm->lock);
    return err;
}

uint32_t hvs_version(void)
{
    return HVS_VERSION;
}

/* Before 1.0 every minor version may change the interface. */
int hvs_check_version(uint32_t built)
{
    return built == HVS_VERSION ? HVS_OK : HVS_EVERSION;
}

const char *hvs_strerror(int err)
{
    static const char *const text[] = {
        [-HVS_OK] = "success",
        [-HVS_EINVAL] = "invalid argument",
        [-HVS_ENOSPC] = "the memory given is too small",
        [-HVS_ENOTSUP] = "the host lacks a capability that this needs",
        [-HVS_ENOENT] = "no such name or index",
        [-HVS_EVERSION] = "built for another version of hvshim",
        [-HVS_EFORMAT] = "the saved state is damaged",
        [-HVS_EFAULT] = "guest memory is not there",
        [-HVS_ECONFLICT] = "two personalities want the same place",
        [-HVS_EBUSY] = "not while vCPUs run",
    };

    if (err > 0 || err <= -(int)HVS_ARRAY_SIZE(text))
        return "unknown error";
    return text[-err];
}
