/*
 * What a translator is made of, and the services that the core gives to its handlers.
 *
 * A personality is const data (rows) and small functions of (state, exit, port answers). Its state lives in memory
 * that the caller gave to hvs_vm_init(); it is zeroed, then `reset` brings it to power-on. To add a personality:
 * one folder, and one line in the list that the tools use (translators/personalities.c).
 */
#ifndef HVSHIM_PERSONALITY_H
#define HVSHIM_PERSONALITY_H

#include <hvshim/clock.h>
#include <hvshim/effect.h>
#include <hvshim/exit.h>
#include <hvshim/hvshim.h>
#include <hvshim/row.h>
#include <hvshim/save.h>
#include <hvshim/store.h>

/* What freestanding code may call: the compiler emits calls to them anyway. */
void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

enum hvs_place {
    HVS_PLACE_FIRST,            /* only at 0x40000000: guests look nowhere else */
    HVS_PLACE_NEXT,             /* at the next free step of 0x100 */
};

/* One exit being handled, as a handler sees it. */
struct hvs_ctx {
    struct hvs_vm *vm;
    struct hvs_vcpu *vcpu;
    uint32_t vp;                /* index of this vCPU, 0..nr_vps-1 */
    uint8_t slot;               /* of the personality in the VM's stack */
    bool from_host;             /* a restore: effects are dropped */
    bool keeps_ram;             /* overlays are laid and taken off without an exchange: RAM is as it is to be */
    void *vm_state;             /* hvs_personality.vm_bytes; under the VM lock, or atomics in a *_shared part */
    void *vcpu_state;           /* hvs_personality.vcpu_bytes */
    const struct hvs_exit *exit;
    struct hvs_regs *regs;      /* NULL for exits without registers */
    struct hvs_outcome *out;
};

struct hvs_personality {
    const char *name;           /* what `--present` takes */
    const char *title;          /* for tables: "Microsoft Hyper-V" */
    uint32_t id;                /* four letters; marks its save records */
    uint8_t place;              /* enum hvs_place */
    uint8_t nr_timers;          /* per vCPU, at most HVS_MAX_TIMERS */
    uint8_t nr_vm_overlays;
    uint8_t nr_vcpu_overlays;
    uint32_t store_bytes;       /* of the store of strings, where it shows one: <hvshim/store.h> */
    uint32_t vm_bytes;
    uint32_t vcpu_bytes;
    uint32_t caps;              /* enum hvs_cap bits without which the personality cannot be offered at all */
    const struct hvs_feature *feature;
    const struct hvs_cpuid_row *cpuid;
    const struct hvs_msr_row *msr;
    const struct hvs_hcall_row *hcall;
    const struct hvs_pio_row *pio;
    const struct hvs_profile *profile;
    uint16_t nr_features, nr_cpuid, nr_msr, nr_hcall, nr_pio, nr_profiles;

    /* Features that cannot work with these options (NULL: defaults), for want of what only the host can give: they are
       off, and may not be asked for. NULL: all can. */
    uint64_t (*lacking)(const void *options);
    /* Set VM-wide, and this vCPU's, state to power-on. Overlays and timers were switched off before. VM lock held
       for vm_reset, which runs in the exit of VP 0. Each may be NULL. */
    void (*vm_reset)(struct hvs_ctx *ctx);
    void (*vcpu_reset)(struct hvs_ctx *ctx);
    /* Decode one hypercall from ctx->regs, run its row, put the result into the registers. */
    enum hvs_verdict (*hypercall)(struct hvs_ctx *ctx);
    /* Says whether a VMCALL that trapped by itself is for this personality. NULL: never. */
    bool (*claims_raw)(const struct hvs_regs *regs);
    /* The feature with which its guests issue VMCALL in their own code, without a page of ours: HVS_FEATURE_ALWAYS,
       HVS_FEATURE_NEVER, or one of its own. Backends that must look for such code ask hvs_vm_expects_raw(). */
    uint8_t raw_feature;
    /* The clock was started anew, or the real time was set: publish again what was published. Runs with VP 0's context,
       VM lock held; no effects. NULL: nothing is published. */
    void (*clock_moved)(struct hvs_ctx *ctx);
    /* HVS_EXIT_HOST: the host's request, answered in ctx->out->value. NULL: it has none. */
    void (*host)(struct hvs_ctx *ctx);
    /* This vCPU's timer reached its deadline and is now idle. */
    void (*timer)(struct hvs_ctx *ctx, uint32_t timer);
    /* State beyond the saved MSR rows. Called per phase for each vCPU (VM-wide state goes with VP 0). */
    int (*save)(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer);
    int (*load)(struct hvs_ctx *ctx, const struct hvs_record *record);
};

/* --- facts of the VM ------------------------------------------------------------------------------------------- */

const struct hvs_vm_config *hvs_ctx_config(const struct hvs_ctx *ctx);
const void *hvs_ctx_options(const struct hvs_ctx *ctx);     /* the slot's options, or NULL */
const struct hvs_clock *hvs_ctx_clock(const struct hvs_ctx *ctx);
uint32_t hvs_ctx_base(const struct hvs_ctx *ctx);           /* first CPUID leaf of this personality */
uint32_t hvs_ctx_max_leaf(const struct hvs_ctx *ctx);       /* highest leaf that has a row */
uint32_t hvs_ctx_nr_vps(const struct hvs_ctx *ctx);
uint32_t hvs_ctx_apic_id(const struct hvs_ctx *ctx, uint32_t vp);
bool hvs_ctx_feature(const struct hvs_ctx *ctx, uint32_t feature);  /* on in this VM */
/* Says whether the named personality is in this VM too (Hyper-V's page must then mark its calls). */
bool hvs_ctx_has_personality(const struct hvs_ctx *ctx, const char *name);
/* The state of another vCPU: its *_shared part by atomics, the rest only under a lock that covers it. */
void *hvs_ctx_peer(const struct hvs_ctx *ctx, uint32_t vp);
/* The personality's own MSR rows, as the guest would reach them: by GetVpRegisters and the like. */
enum hvs_verdict hvs_ctx_msr_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value);
enum hvs_verdict hvs_ctx_msr_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value);
void hvs_ctx_now(const struct hvs_ctx *ctx, struct hvs_instant *now);
uint64_t hvs_ctx_now_ns(const struct hvs_ctx *ctx);         /* hvs_clock_ns of now */
/* A leaf as this vCPU shows it; `leaf` counts from the personality's base. */
void hvs_ctx_cpuid(struct hvs_ctx *ctx, uint32_t leaf, uint32_t subleaf, struct hvs_cpuid_regs *regs);
/* The real time at age 0 of the VM, in ns since 1970 UTC; 0: not known. */
uint64_t hvs_ctx_boot_wall_ns(const struct hvs_ctx *ctx);
/* The port's answer; zeros where the backend lacks HVS_CAP_VCPU_TIME. */
struct hvs_vcpu_time hvs_ctx_vcpu_time(const struct hvs_ctx *ctx, uint32_t vp);
/* The port's apic_read, apic_write and eoi_assist for this vCPU; HVS_ENOTSUP without the capability. A reset ends the
   assistance. */
int hvs_ctx_apic_read(const struct hvs_ctx *ctx, uint32_t reg, uint64_t *value);
int hvs_ctx_apic_write(const struct hvs_ctx *ctx, uint32_t reg, uint64_t value);
int hvs_ctx_eoi_assist(const struct hvs_ctx *ctx, uint64_t gpa);
/* The instruction that leaves the guest for this personality, to be written into a hypercall page.
   Returns its length, 1..8 bytes. */
uint32_t hvs_ctx_hypercall_code(const struct hvs_ctx *ctx, uint8_t code[8]);
/* The one that raises the host's signal for the number in EAX, or leaves with is_signal. HVS_CAP_SIGNAL. */
uint32_t hvs_ctx_signal_code(const struct hvs_ctx *ctx, uint8_t code[8]);
/* The port's signal for this personality. A reset of VP 0 ends all. VM lock held. HVS_CAP_SIGNAL. */
void hvs_ctx_signal(const struct hvs_ctx *ctx, uint32_t number, int signal);

/* --- guest memory (each byte is read at most once per call; check what you copied, never what is in the guest) -- */

int hvs_gpa_read(const struct hvs_ctx *ctx, uint64_t gpa, void *buffer, size_t bytes);
int hvs_gpa_write(const struct hvs_ctx *ctx, uint64_t gpa, const void *buffer, size_t bytes);
/* Through the guest's page tables by ctx->regs. HVS_EFAULT where not mapped, not RAM, (write) read-only there, or (at
   CPL 3) the kernel's. Accessed and dirty bits are not set. */
int hvs_gva_read(const struct hvs_ctx *ctx, uint64_t gva, void *buffer, size_t bytes);
int hvs_gva_write(const struct hvs_ctx *ctx, uint64_t gva, const void *buffer, size_t bytes);
int hvs_gva_to_gpa(const struct hvs_ctx *ctx, uint64_t gva, bool for_write, uint64_t *gpa);
enum hvs_walk_end {
    HVS_WALK_PAGE,
    HVS_WALK_NOT_PRESENT,       /* also an address that this mode does not have */
    HVS_WALK_NO_MEMORY,         /* a table that is not in RAM */
};
/* What all levels of the page tables allow together, whatever CR0, CR4 and the privilege level make of it. */
struct hvs_walk {
    uint64_t gpa;               /* of the address; with NO_MEMORY of the entry that cannot be read */
    bool is_writable, is_user, is_executable;
    bool has_reserved_bit;      /* an entry on the way is one that the processor would refuse */
};
/* Needs ctx->regs. Without paging every address below 4 GiB is a page that allows everything. */
enum hvs_walk_end hvs_gva_walk(const struct hvs_ctx *ctx, uint64_t gva, struct hvs_walk *walk);
/* Pair them within one handler. NULL where the page is not writable RAM. */
void *hvs_page_pin(const struct hvs_ctx *ctx, uint64_t gfn);
void hvs_page_unpin(const struct hvs_ctx *ctx, uint64_t gfn, void *page, bool was_written);

/* --- overlay pages: contents survive, the RAM beneath comes back ------------------------------------------------- */

struct hvs_overlay;
struct hvs_overlay *hvs_vm_overlay(const struct hvs_ctx *ctx, uint32_t index);
struct hvs_overlay *hvs_vcpu_overlay(const struct hvs_ctx *ctx, uint32_t vp, uint32_t index);
/*
 * Lays the page over `gfn`, moving it when it lies elsewhere. Its contents come along; they are zero the first time
 * after a reset. Takes the VM lock unless the row already has it.
 * Returns HVS_OK, or HVS_EFAULT where gfn is not RAM (the overlay then stays as it was).
 */
int hvs_overlay_on(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t gfn);
void hvs_overlay_off(struct hvs_ctx *ctx, struct hvs_overlay *overlay);
bool hvs_overlay_is_on(const struct hvs_overlay *overlay);
/* Says whether it is on and lies over `gfn`. */
bool hvs_overlay_is_over(const struct hvs_overlay *overlay, uint64_t gfn);
/* Says whether any overlay of the VM lies on `gfn`. Takes the VM lock unless the row already has it. */
bool hvs_ctx_is_overlaid(struct hvs_ctx *ctx, uint64_t gfn);
/* Where it lies; UINT64_MAX while it is off. */
uint64_t hvs_overlay_gfn(const struct hvs_overlay *overlay);
/* The live contents, or NULL while the overlay is off. Pair with _close within one handler. */
void *hvs_overlay_open(struct hvs_ctx *ctx, struct hvs_overlay *overlay);
/* The same, but also while it is off. NULL only where it is on and the VMM took the RAM away. */
void *hvs_overlay_reach(struct hvs_ctx *ctx, struct hvs_overlay *overlay);
void hvs_overlay_close(struct hvs_ctx *ctx, struct hvs_overlay *overlay, void *contents, bool was_written);

/* --- timers: one absolute deadline each, in nanoseconds of the VM's clock ---------------------------------------- */

void hvs_timer_arm(struct hvs_ctx *ctx, uint32_t timer, uint64_t deadline_ns);
void hvs_timer_cancel(struct hvs_ctx *ctx, uint32_t timer);
/* The deadline, or UINT64_MAX while idle. */
uint64_t hvs_timer_deadline(const struct hvs_ctx *ctx, uint32_t timer);

/* --- effects (dropped while ctx->from_host) ----------------------------------------------------------------------- */

void hvs_emit_inject(struct hvs_ctx *ctx, uint32_t vp, uint8_t vector);
void hvs_emit_inject_set(struct hvs_ctx *ctx, const struct hvs_vpset *set, uint8_t vector);
/* The same past the local APIC: an interrupt that needs no EOI. HVS_CAP_PAST_APIC. */
void hvs_emit_inject_past_apic(struct hvs_ctx *ctx, uint32_t vp, uint8_t vector);
void hvs_emit_flush_set(struct hvs_ctx *ctx, const struct hvs_vpset *set);
void hvs_emit_wake_set(struct hvs_ctx *ctx, const struct hvs_vpset *set);
/*
 * HVS_CAP_VCPU_START; once per exit. Returns false, and emits nothing, where the vCPU is known to run: VP 0 from reset
 * on, another since its first exit or its start by this call, until VCPU_STOP. One that its guest started by INIT and
 * SIPI and that made no exit since then (or since a load) is not known to: there the effect itself does nothing.
 */
bool hvs_emit_vcpu_start(struct hvs_ctx *ctx, uint32_t vp, const struct hvs_vcpu_context *context);
/* Any kind aimed at this vCPU or the VM. */
void hvs_emit(struct hvs_ctx *ctx, struct hvs_effect effect);

/* --- the VM lock, for handlers of vCPU-scoped rows that must touch VM state --------------------------------------- */

void hvs_vm_lock(struct hvs_ctx *ctx);
void hvs_vm_unlock(struct hvs_ctx *ctx);

/* The guest reports its own crash; the VMM reads it with hvs_vm_crash(). */
void hvs_crash_report(struct hvs_ctx *ctx, const struct hvs_crash *crash);

/* --- hypercalls --------------------------------------------------------------------------------------------------- */

/* What a hypercall's handler gets. Which part is filled depends on the convention. */
struct hvs_call {
    const struct hvs_hcall_row *row;
    /* Registers (Xen: the arguments; VMware: EBX ECX EDX ESI EDI EBP, written back by its translator). */
    uint64_t arg[6];
    /* Input copied once. Memory convention (Hyper-V): header, variable header, elements from rep_first on. */
    const void *in;
    const uint64_t *var;
    uint32_t nr_var;            /* qwords in `var` */
    const void *elem_in;        /* element rep_first is the first one here */
    void *elem_out;             /* likewise */
    void *out;
    uint32_t rep_first;
    uint32_t rep_count;         /* total; the handler works on rep_first..rep_count-1 */
    uint32_t reps_done;         /* out, absolute: set to rep_first before the call */
};

/* A decoded control word of the memory convention [TLFS 3.6..3.8]. */
struct hvs_hcall_input {
    uint32_t code;
    bool is_fast;
    uint32_t nr_var;
    uint32_t rep_count, rep_first;
    uint64_t in_gpa, out_gpa;   /* slow form */
    uint64_t reg[2];            /* fast form: the two registers, before XMM0-5 */
    bool has_xmm_in, has_xmm_out;
};

/* The interface's own numbers for what the decoder finds wrong. */
struct hvs_hcall_status {
    uint16_t invalid_code, invalid_input, invalid_alignment;
};

struct hvs_hcall_result {
    uint16_t status;
    uint16_t reps_done;
};

/* Finds the live row for `code` and counts the hit; NULL when there is none. */
const struct hvs_hcall_row *hvs_hcall_find(struct hvs_ctx *ctx, uint32_t code);
/* Calls row->fn, under the VM lock if the row says so. */
int64_t hvs_hcall_invoke(struct hvs_ctx *ctx, struct hvs_call *call);
/*
 * The generic routine of the memory convention: finds the row, checks the control word against it, copies the input
 * once, calls, copies out what was produced (of a failed simple call nothing, of reps only the finished ones).
 * Order of checks: code, then rep and variable header fit the row, then the input block, then the output block, then
 * memory there. A block that crosses a page or is not in RAM counts as misaligned [TLFS hypercall-interface, status].
 * Returns HVS_HANDLED; HVS_RETRY with result->reps_done when the handler stopped early and the backend can retry
 * (where it cannot, the handler is called again here); HVS_FAULT (#UD) for an XMM form that the feature does not
 * allow.
 */
enum hvs_verdict hvs_hcall_run(struct hvs_ctx *ctx, const struct hvs_hcall_input *input,
                               const struct hvs_hcall_status *status, struct hvs_hcall_result *result);

/* For handlers of exits: raise #UD or #GP(0). Returns HVS_FAULT. */
enum hvs_verdict hvs_fault_ud(struct hvs_ctx *ctx);
enum hvs_verdict hvs_fault_gp(struct hvs_ctx *ctx);
/* What an access to `gva` raises, for which hvs_gva_to_gpa has just failed: #PF, or #GP where the address is not
   canonical. Backends with HVS_CAP_STRINGS only. */
enum hvs_verdict hvs_fault_access(struct hvs_ctx *ctx, uint64_t gva, bool for_write);

#endif
