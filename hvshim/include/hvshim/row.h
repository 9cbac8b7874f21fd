/*
 * Rows: the single source for dispatch, authorisation, CPUID truth, save list, trace names and the support table.
 *
 * A row is live when its feature is on for this VM and the host kernel does not serve it. Rows are const data and
 * sorted by their key; a unit test checks order and overlap.
 */
#ifndef HVSHIM_ROW_H
#define HVSHIM_ROW_H

#include <hvshim/base.h>
#include <hvshim/exit.h>

struct hvs_ctx;                 /* one exit being handled: <hvshim/personality.h> */
struct hvs_call;

/* Row and feature field for what every VM of the personality has. */
#define HVS_FEATURE_ALWAYS 0xffu
/* In hvs_personality.raw_feature: no guest of it issues VMCALL by itself. */
#define HVS_FEATURE_NEVER 0xfeu

enum hvs_scope {
    HVS_SCOPE_VCPU,             /* touches this vCPU's state only (and *_shared parts with atomics) */
    HVS_SCOPE_VM,               /* touches VM-wide state: the core holds the VM lock around it */
};

/* Order in which state is saved and loaded. */
enum hvs_phase {
    HVS_PHASE_NONE,             /* not state: never saved */
    HVS_PHASE_CONTROL,
    HVS_PHASE_PAGES,
    HVS_PHASE_MESSAGES,
    HVS_PHASE_ROUTES,
    HVS_PHASE_TIMERS,
    HVS_NR_PHASES,
};

enum hvs_cpuid_reg { HVS_EAX, HVS_EBX, HVS_ECX, HVS_EDX };

/* One CPUID bit, relative to the personality's base leaf. leaf 0 (which holds no bits) ends a list. */
struct hvs_cpuid_bit {
    uint8_t leaf;
    uint8_t subleaf;
    uint8_t reg;                /* enum hvs_cpuid_reg */
    uint8_t bit;
};

/*
 * What a user can switch on or off by name. Its bits are shown only when it is on and at least one of its rows is
 * live or served by the host kernel; a hint has no rows, only bits.
 */
struct hvs_feature {
    const char *name;           /* the name that users of QEMU, libvirt or xl know */
    uint64_t needs;             /* features that must be on too */
    uint32_t caps;              /* enum hvs_cap bits without which it cannot work */
    bool is_hint;
    bool is_off_by_default;
    struct hvs_cpuid_bit bit[4];
    const char *ref;
};

/* A named base of features, in place of what is on by default. Those that the backend cannot do go silently. */
struct hvs_profile {
    const char *name;
    uint64_t features;          /* bits of features that do not exist are allowed: "all" is all of them */
    const char *summary;        /* one line, for whom it is */
};

struct hvs_cpuid_regs {
    uint32_t reg[4];            /* indexed by enum hvs_cpuid_reg */
};

struct hvs_cpuid_row {
    uint8_t leaf;               /* from the base leaf */
    uint8_t subleaf;
    const char *name;
    struct hvs_cpuid_regs fixed;
    /* Adds to `regs`, which holds `fixed` and the feature bits. NULL where there is nothing to add. */
    void (*fill)(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
    const char *ref;
};

/*
 * Handlers return HVS_HANDLED; HVS_FAULT for #GP with the state unchanged; or HVS_UNHANDLED where the MSR is not theirs
 * in this VM, and the next personality is asked. ctx->from_host marks a restore: the value was checked when the guest
 * wrote it, and nothing is injected.
 */
typedef enum hvs_verdict hvs_msr_read_fn(struct hvs_ctx *ctx, uint32_t index, uint64_t *value);
typedef enum hvs_verdict hvs_msr_write_fn(struct hvs_ctx *ctx, uint32_t index, uint64_t value);

struct hvs_msr_row {
    uint32_t first, last;
    const char *name;           /* the spec's spelling */
    uint8_t feature;
    uint8_t scope;              /* enum hvs_scope */
    uint8_t save;               /* enum hvs_phase */
    uint8_t max_effects;
    uint64_t reserved;          /* a write with one of these bits set is #GP */
    hvs_msr_read_fn *read;      /* NULL: reading is #GP */
    hvs_msr_write_fn *write;    /* NULL: writing is #GP */
    const char *ref;
};

/*
 * A hypercall, by any convention. Returns the interface's own status: Hyper-V HV_STATUS_*, Xen 0 or -Exxx or a
 * value, VMware by convention of its translator.
 */
typedef int64_t hvs_hcall_fn(struct hvs_ctx *ctx, struct hvs_call *call);

enum hvs_hcall_kind { HVS_HCALL_SIMPLE, HVS_HCALL_REP };

enum hvs_hcall_flag {
    HVS_HCALL_FAST = 1u << 0,   /* may pass its input in registers */
    HVS_HCALL_VAR = 1u << 1,    /* has a variable header */
};

struct hvs_hcall_row {
    uint32_t code;              /* Hyper-V call code; Xen number << 16 | sub-op, or | HVS_NO_SUBOP; VMware command */
    const char *name;           /* the spec's spelling */
    uint8_t feature;
    uint8_t scope;              /* enum hvs_scope */
    uint8_t kind;               /* enum hvs_hcall_kind */
    uint8_t flags;              /* enum hvs_hcall_flag */
    uint8_t max_effects;
    uint16_t in_bytes;          /* fixed header, or the structure of a 64-bit caller */
    uint16_t in32_bytes;        /* the structure of a 32-bit caller, where conventions differ by width */
    uint16_t out_bytes;
    uint16_t elem_in_bytes;     /* per repetition */
    uint16_t elem_out_bytes;
    hvs_hcall_fn *fn;
    const char *ref;
};
#define HVS_NO_SUBOP 0xffffu

/* Handles one IN or OUT by ctx->exit->pio and ctx->regs. Returns HVS_HANDLED, or HVS_UNHANDLED to pass it on. */
typedef enum hvs_verdict hvs_pio_fn(struct hvs_ctx *ctx);

struct hvs_pio_row {
    uint16_t first, last;
    const char *name;
    uint8_t feature;
    uint8_t scope;
    uint8_t max_effects;
    bool takes_strings;         /* INS and OUTS too, a whole instruction at a time; else they are nobody's */
    hvs_pio_fn *fn;
    const char *ref;
};

#endif
