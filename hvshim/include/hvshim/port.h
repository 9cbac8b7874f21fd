/*
 * What the core asks of its host while it handles an exit: the few calls whose answer the guest sees.
 *
 * A port function never calls back into hvshim. It may be called by several vCPU threads at once, also under the
 * core's locks, so it must not wait for another vCPU.
 */
#ifndef HVSHIM_PORT_H
#define HVSHIM_PORT_H

#include <hvshim/base.h>

/* One moment, read from both clocks as close together as the host can. */
struct hvs_instant {
    uint64_t ns;                /* since the VM was made; host-monotonic, stops while the VM is stopped */
    uint64_t tsc;               /* what RDTSC would give the guest */
};

struct hvs_xmm {
    alignas(16) uint8_t byte[16];
};

/* Both only grow, also over a reset. */
struct hvs_vcpu_time {
    uint64_t ran_ns;            /* executing, the guest or work for it */
    uint64_t stolen_ns;         /* ready, but the host ran something else */
};

struct hvs_port {
    /*
     * Copy `bytes` from or to guest-physical memory; may cross pages. All or nothing is not asked: on failure the
     * target's contents are undefined.
     * Return HVS_OK or HVS_EFAULT where any byte is not RAM (or not writable RAM).
     */
    int (*gpa_read)(void *ctx, uint64_t gpa, void *buffer, size_t bytes);
    int (*gpa_write)(void *ctx, uint64_t gpa, const void *buffer, size_t bytes);
    /*
     * Give the host address of one guest page, for atomic access to what the guest shares. The address is valid
     * until page_unpin, which the core calls before the exit ends.
     * Returns NULL where the page is not (writable) RAM.
     */
    void *(*page_pin)(void *ctx, uint64_t gfn);
    void (*page_unpin)(void *ctx, uint64_t gfn, void *page, bool was_written);
    void (*time_now)(void *ctx, struct hvs_instant *now);
    /* Read or write XMM registers first..first+count-1 (within 0..5) of the vCPU whose exit is being handled.
       Needed with HVS_CAP_XMM only. Return HVS_OK or HVS_EINVAL. */
    int (*xmm_read)(void *ctx, uint32_t vp, uint32_t first, uint32_t count, struct hvs_xmm *xmm);
    int (*xmm_write)(void *ctx, uint32_t vp, uint32_t first, uint32_t count, const struct hvs_xmm *xmm);
    /*
     * Read or write the local APIC register at byte offset `reg` (0x80 TPR, 0xb0 EOI, 0x300 ICR, ...) of the vCPU whose
     * exit is being handled. A write does what the guest's own would. The ICR is one register of 64 bits: the
     * destination is in 63:56, in x2APIC mode in 63:32. Needed with HVS_CAP_APIC only. Return HVS_OK, or HVS_EINVAL
     * where the guest would get #GP.
     */
    int (*apic_read)(void *ctx, uint32_t vp, uint32_t reg, uint64_t *value);
    int (*apic_write)(void *ctx, uint32_t vp, uint32_t reg, uint64_t value);
    /*
     * From now on the host may set bit 0 of the 32-bit word at `gpa` when it gives this vCPU an interrupt whose EOI it
     * need not see; the guest that finds it set clears it instead of the EOI. UINT64_MAX: nowhere. The vCPU whose exit
     * is being handled; with HVS_CAP_EOI_ASSIST only. Returns HVS_OK, or HVS_EFAULT where gpa is no RAM.
     */
    int (*eoi_assist)(void *ctx, uint32_t vp, uint64_t gpa);
    /* How a vCPU has fared so far. Any vCPU; with HVS_CAP_VCPU_TIME only. */
    void (*vcpu_time)(void *ctx, uint32_t vp, struct hvs_vcpu_time *time);
    /*
     * From when this returns, a guest that executes the slot's signal_insn with `number` in EAX raises `signal`, which
     * VMM and backend know (HVS_NO_SIGNAL: none any more), and goes on without an exit. Any other number is an exit,
     * and so is this one where the host has no room for more. HVS_ALL_NUMBERS: all of the slot, for HVS_NO_SIGNAL only.
     * VM lock held. With HVS_CAP_SIGNAL only.
     */
    void (*signal)(void *ctx, uint32_t slot, uint32_t number, int signal);
};

#define HVS_NO_SIGNAL (-1)
#define HVS_ALL_NUMBERS 0u

/* What a backend can do. Features that need what is absent are not offered to the guest. */
enum hvs_cap {
    HVS_CAP_RETRY = 1u << 0,            /* can let the guest execute the exiting instruction again */
    HVS_CAP_RAW_HYPERCALL = 1u << 1,    /* sees VMCALL or VMMCALL issued by the guest's own code (or patches them) */
    HVS_CAP_TSC_STABLE = 1u << 2,       /* guest TSCs run in step at a constant, known rate */
    HVS_CAP_INJECT = 1u << 3,           /* INJECT reaches a local APIC */
    HVS_CAP_TIMER = 1u << 4,            /* keeps one deadline per vCPU and sends HVS_EXIT_TIMER */
    HVS_CAP_FLUSH = 1u << 5,            /* FLUSH_TLB works for running vCPUs */
    HVS_CAP_BLOCK = 1u << 6,            /* BLOCK works */
    HVS_CAP_XMM = 1u << 7,              /* xmm_read and xmm_write work */
    HVS_CAP_STOP = 1u << 8,             /* VM_STOP works */
    HVS_CAP_RING3_PIO = 1u << 9,        /* sees the backdoor ports from CPL 3 */
    HVS_CAP_APIC = 1u << 10,            /* apic_read and apic_write work */
    HVS_CAP_PAST_APIC = 1u << 11,       /* INJECT with past_apic works */
    HVS_CAP_EOI_ASSIST = 1u << 12,      /* eoi_assist works */
    HVS_CAP_VCPU_TIME = 1u << 13,       /* vcpu_time works */
    HVS_CAP_VCPU_START = 1u << 14,      /* VCPU_START works */
    HVS_CAP_VCPU_GO_ON = 1u << 15,      /* VCPU_STOP keeps the vCPU as it is, and VCPU_GO_ON works */
    HVS_CAP_GSI = 1u << 16,             /* GSI drives the interrupt line of that number */
    HVS_CAP_STRINGS = 1u << 17,         /* INS and OUTS come whole where rows take them, and #PF can be raised */
    HVS_CAP_POLL = 1u << 18,            /* POLL and WAKE work */
    HVS_CAP_SIGNAL = 1u << 19,          /* signal works */
};

#endif
