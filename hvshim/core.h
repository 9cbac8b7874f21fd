/*
 * Private to the core: what a VM and a vCPU are made of.
 *
 * Lock order: vCPU lock, then VM lock; never two vCPU locks. Both are held for bounded work only. The vCPU lock is
 * taken by hvs_vcpu_exit(); the VM lock by rows of VM scope, and it may be taken again by the one who holds it.
 */
#ifndef HVSHIM_CORE_H
#define HVSHIM_CORE_H

#include <hvshim/clock.h>
#include <hvshim/hvshim.h>
#include <hvshim/personality.h>
#include <hvshim/save.h>
#include <hvshim/store.h>
#include <hvshim/trace.h>

/* Rows of one personality are counted in this order. */
enum hvs_table { HVS_TABLE_CPUID, HVS_TABLE_MSR, HVS_TABLE_HCALL, HVS_TABLE_PIO, HVS_NR_TABLES };

/* One struct hvs_trace_record in the ring, as words that readers may copy while they change. */
enum { HVS_TRACE_WORDS = sizeof(struct hvs_trace_record) / sizeof(uint64_t) };
struct hvs_trace_slot {
    _Atomic uint64_t word[HVS_TRACE_WORDS];     /* [0]: the sequence */
};
HVS_STATIC_ASSERT(sizeof(struct hvs_trace_slot) == sizeof(struct hvs_trace_record), "a slot is a record");
HVS_STATIC_ASSERT(offsetof(struct hvs_trace_record, sequence) == 0, "the sequence is word 0");

struct hvs_lock {
    atomic_flag taken;
};

struct hvs_overlay {
    struct hvs_overlay *below;  /* in the VM's list of overlays that are on, newest first */
    uint64_t gfn;
    uint8_t *page;              /* off: the contents; on: what lies beneath */
    bool is_on;
    bool is_bare;               /* on, but nothing was exchanged: what lies beneath is not known. Not in the list */
};

/* Strings by key: store.c. */
struct hvs_store {
    uint8_t *bytes;
    uint32_t capacity, used;
    uint32_t live_bytes;        /* of `used`, what is no gap */
    uint32_t nr_entries;
};

struct hvs_slot {
    const struct hvs_personality *personality;
    const void *options;
    uint32_t base;              /* first CPUID leaf */
    uint32_t max_leaf;
    bool has_signals;           /* some were asked for since the reset */
    uint64_t features;          /* on in this VM */
    uint64_t rows_of;           /* features whose rows are ours: on, and not served by the host kernel */
    uint64_t shown;             /* features whose CPUID bits are set */
    uint32_t first_hit[HVS_NR_TABLES];  /* index into hvs_vcpu.hits */
    void *state;
    struct hvs_overlay *overlay;
};

struct hvs_vcpu_slot {
    void *state;
    struct hvs_overlay *overlay;
    uint64_t deadline_ns[HVS_MAX_TIMERS];
};

struct hvs_vcpu {
    struct hvs_vm *vm;
    uint32_t vp;
    struct hvs_lock lock;
    bool has_eoi_assist;        /* the host may write to guest memory for it */
    uint32_t vm_lock_depth;     /* how often this vCPU's exit holds the VM lock */
    _Atomic uint64_t deadline_ns;
    _Atomic bool is_running;    /* as far as is known: hvs_emit_vcpu_start(). Not saved */
    _Atomic bool is_to_stop;    /* hvs_vcpu_is_to_stop(). Not saved */
    struct hvs_vcpu_slot slot[HVS_MAX_SLOTS];
    _Atomic uint64_t exits[HVS_NR_EXIT_KINDS];
    _Atomic uint64_t unhandled[HVS_NR_EXIT_KINDS];
    _Atomic uint64_t *hits;     /* one per row of all slots */
    _Atomic uint64_t *cycles;   /* likewise */
    uint32_t charged;           /* the first row that this exit has hit; UINT32_MAX: none */
    uint8_t *input;             /* a page each: hypercall input, copied once, and output */
    uint8_t *output;
    struct {                    /* of the exit being handled */
        uint64_t key, value;
        uint8_t slot;
    } trace;
};

struct hvs_vm {
    struct hvs_vm_config config;
    const struct hvs_port *port;
    void *port_ctx;
    struct hvs_clock clock;
    uint64_t ns_bias;           /* added to the port's time: the age at load */
    uint64_t boot_wall_ns;      /* real time at age 0; 0: not known */
    struct hvs_lock lock;
    struct hvs_overlay *overlays;
    uint32_t next_leaf;
    struct hvs_slot slot[HVS_MAX_SLOTS];
    struct hvs_store store;
    struct hvs_vcpu *vcpu;      /* config.nr_vps of them */
    bool has_crashed;
    struct hvs_crash crash;
    struct hvs_trace_slot *trace;
    uint64_t nr_trace;          /* slots; 0: no trace */
    _Atomic uint64_t trace_position;
};

/* A counter that one thread writes at a time and any may read. */
static inline void hvs_count_by(_Atomic uint64_t *counter, uint64_t nr)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + nr, memory_order_relaxed);
}

static inline void hvs_count(_Atomic uint64_t *counter)
{
    hvs_count_by(counter, 1);
}

static inline bool hvs_names_equal(const char *a, const char *b)
{
    for (; *a && *a == *b; a++)
        b++;
    return *a == *b;
}

/* lock.c */
void hvs_lock_take(const struct hvs_vm *vm, struct hvs_lock *lock);
void hvs_lock_drop(struct hvs_lock *lock);
void hvs_vcpu_lock_vm(struct hvs_vcpu *vcpu);
void hvs_vcpu_unlock_vm(struct hvs_vcpu *vcpu);

/* context.c: a context of `slot` on `vcpu`, outside of any exit (exit, regs and out are NULL). */
struct hvs_ctx hvs_ctx_make(struct hvs_vcpu *vcpu, uint8_t slot);
void hvs_vm_instant(struct hvs_vm *vm, struct hvs_instant *now);

/* vm.c: lets every personality publish the clock anew. No exit is under way. */
void hvs_vm_clock_moved(struct hvs_vm *vm);

/* feature.c */
int hvs_slot_resolve(struct hvs_slot *slot, const struct hvs_slot_config *config, uint32_t caps);
uint32_t hvs_slot_missing_caps(const struct hvs_slot_config *config, uint32_t caps);
/* Says whether a feature in features_on cannot be had, and then which and why. */
bool hvs_slot_unmet(const struct hvs_slot_config *config, uint32_t caps, struct hvs_unmet *unmet);
static inline bool hvs_slot_row_is_live(const struct hvs_slot *slot, uint8_t feature)
{
    if (feature >= HVS_MAX_FEATURES)
        return feature == HVS_FEATURE_ALWAYS;
    return slot->rows_of >> feature & 1;
}

/* dispatch.c: the live row that owns MSR `index`, or the port, or NULL. */
const struct hvs_msr_row *hvs_msr_row_find(const struct hvs_slot *slot, uint32_t index);
const struct hvs_pio_row *hvs_pio_row_find(const struct hvs_slot *slot, uint16_t port);

/* stats.c */
void hvs_row_hit(struct hvs_vcpu *vcpu, uint8_t slot, enum hvs_table table, uint32_t row);

/* trace.c */
void hvs_trace_init(struct hvs_vm *vm);
void hvs_trace(struct hvs_vcpu *vcpu, const struct hvs_exit *exit, enum hvs_verdict verdict, uint32_t nr_effects);

/* save.c: a record whose payload is appended in parts, `bytes` in total, is begun and ended. */
void hvs_writer_begin(struct hvs_writer *writer, uint16_t id, uint16_t version, uint32_t bytes);
void hvs_writer_append(struct hvs_writer *writer, const void *from, size_t bytes);
void hvs_writer_end(struct hvs_writer *writer);

/* overlay.c */
void hvs_overlay_reset(struct hvs_ctx *ctx, struct hvs_overlay *overlay);
/* Puts a saved overlay back: guest RAM already holds its contents where it is on. VM lock held. */
void hvs_overlay_restore(struct hvs_vm *vm, struct hvs_overlay *overlay, bool is_on, uint64_t gfn, const void *page);

/* store.c */
void hvs_store_clear(struct hvs_store *store);
/* What it is in a save stream, as one record's payload. */
uint32_t hvs_store_saved_bytes(const struct hvs_store *store);
void hvs_store_save(const struct hvs_store *store, struct hvs_writer *writer);
/* Replaces all of it by what a save stream has; HVS_EFORMAT where that is damaged or does not fit. */
int hvs_store_load(struct hvs_store *store, const void *bytes, uint32_t nr_bytes);

/* timer.c */
void hvs_timer_reset(struct hvs_ctx *ctx);
void hvs_timer_fire_due(struct hvs_ctx *ctx, uint64_t now_ns);

/* reset.c */
void hvs_vcpu_reset(struct hvs_vcpu *vcpu, struct hvs_outcome *out);

#endif
