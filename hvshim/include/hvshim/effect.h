/*
 * What leaves: the outcome of one exit.
 *
 * Effects were validated before they were emitted and cannot fail. The backend applies them in order, before the
 * vCPU that caused them enters the guest again. A new kind breaks -Wswitch-enum in each backend, which is the point.
 */
#ifndef HVSHIM_EFFECT_H
#define HVSHIM_EFFECT_H

#include <hvshim/base.h>
#include <hvshim/vpset.h>

enum hvs_effect_kind {
    HVS_EFFECT_INJECT,          /* edge interrupt `vector` to the local APICs of the target, or past them */
    HVS_EFFECT_NMI,             /* NMI to the target */
    HVS_EFFECT_GSI,             /* drive line `gsi` to `level` */
    HVS_EFFECT_FLUSH_TLB,       /* the target's TLBs hold nothing stale when the cause re-enters */
    HVS_EFFECT_TIMER,           /* the target's deadline changed: read hvs_vcpu_deadline_ns() and arm by it */
    HVS_EFFECT_BLOCK,           /* this vCPU sleeps until it has an interrupt, be it masked; it may wake up sooner */
    HVS_EFFECT_POLL,            /* this vCPU sleeps until it takes an interrupt or is woken; it may wake up sooner */
    HVS_EFFECT_WAKE,            /* the target's POLL is over, also if it has yet to begin */
    HVS_EFFECT_YIELD,           /* this vCPU gives its time slice away */
    HVS_EFFECT_VCPU_STOP,       /* the target runs no more until it is started, or goes on */
    HVS_EFFECT_VCPU_START,      /* the target runs from outcome.start; nothing, unless it waits for its start */
    HVS_EFFECT_VCPU_GO_ON,      /* the target, which was stopped, runs on from where it was */
    HVS_EFFECT_VM_STOP,         /* the VM ends: `reason` */
    HVS_EFFECT_LOG,             /* the guest says one byte on a debug console: `byte` */
    HVS_NR_EFFECT_KINDS,
};

enum hvs_stop_reason {
    HVS_STOP_POWEROFF,
    HVS_STOP_REBOOT,
    HVS_STOP_CRASH,             /* details: struct hvs_crash, by hvs_vm_crash() */
    HVS_STOP_SUSPEND,
};

enum hvs_target {
    HVS_TARGET_VP,              /* the one VP `vp` */
    HVS_TARGET_SET,             /* all of outcome.set; at most one set per exit */
};

struct hvs_effect {
    enum hvs_effect_kind kind;
    enum hvs_target target;
    uint32_t vp;
    union {
        struct {
            uint8_t vector;
            bool past_apic;     /* taken as an ExtINT: no priority, nothing in service, so no EOI */
        };
        struct {
            uint32_t gsi;
            bool level;
        };
        enum hvs_stop_reason reason;
        uint8_t byte;
    };
};

/* A segment, with its attributes as a descriptor has them: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15. */
struct hvs_segment {
    uint64_t base;
    uint32_t limit;
    uint16_t selector;
    uint16_t attributes;
};

struct hvs_table_register {
    uint64_t base;
    uint16_t limit;
};

/* What a vCPU starts with. Registers that are not here are as after INIT. */
struct hvs_vcpu_context {
    uint64_t gpr[16];           /* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15, as instructions number them */
    uint64_t rip, rflags;
    struct hvs_segment cs, ds, es, fs, gs, ss, tr, ldtr;
    struct hvs_table_register idtr, gdtr;
    uint64_t efer, cr0, cr3, cr4, pat;
};

/* Caller-owned; the core fills it from the start at each exit. */
struct hvs_outcome {
    uint64_t value;             /* MSR_READ: what the guest reads */
    uint64_t fault_address;     /* FAULT: CR2, of 14 #PF */
    uint8_t fault_vector;       /* FAULT: 6 #UD, 13 #GP or, with HVS_CAP_STRINGS, 14 #PF */
    bool fault_has_code;        /* FAULT: with `fault_code` */
    bool regs_changed;          /* RAX..R15 of the caller's registers were written */
    bool effects_lost;          /* more were emitted than fit: a translator breaks its max_effects */
    uint32_t fault_code;
    uint32_t nr_effects;
    struct hvs_effect effect[HVS_MAX_EFFECTS];
    struct hvs_vpset set;       /* of the effects with HVS_TARGET_SET */
    struct hvs_vcpu_context start;      /* of VCPU_START, at most one per exit */
};

#define HVS_VECTOR_UD 6u
#define HVS_VECTOR_GP 13u
#define HVS_VECTOR_PF 14u

#endif
