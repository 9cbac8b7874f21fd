/*
 * What the files of the Hyper-V matrix share: the bits that grant things, the rows of facts.
 *
 * References: [doc] is the page of the TLFS on the web (tlfs/), [6.0b] the section of the PDF of that edition, [req]
 * the "Requirements for Implementing the Microsoft Hypervisor Interface" of 2012.
 */
#ifndef MATRIX_HYPERV_H
#define MATRIX_HYPERV_H

#include "matrix.h"

/* What CPUID must say before a register or call is there [doc feature-discovery, HV_PARTITION_PRIVILEGE_MASK]. */
enum hv_need {
    HV_NEED_NOTHING,
    HV_NEED_NEVER,              /* what only a root, parent or nested root partition has */
    HV_NEED_VP_RUNTIME,
    HV_NEED_REFERENCE_COUNTER,
    HV_NEED_SYNIC,
    HV_NEED_STIMER,
    HV_NEED_APIC,
    HV_NEED_HYPERCALL,
    HV_NEED_VP_INDEX,
    HV_NEED_RESET,
    HV_NEED_STATS,
    HV_NEED_REFERENCE_TSC,
    HV_NEED_GUEST_IDLE,
    HV_NEED_FREQUENCIES,
    HV_NEED_DEBUG_REGS,
    HV_NEED_REENLIGHTENMENT,
    HV_NEED_TSC_INVARIANT,
    HV_NEED_PARTITION_ID,
    HV_NEED_POST_MESSAGES,
    HV_NEED_SIGNAL_EVENTS,
    HV_NEED_DEBUGGING,
    HV_NEED_CPU_MANAGEMENT,
    HV_NEED_VP_REGISTERS,
    HV_NEED_EXTENDED_CALLS,
    HV_NEED_START_VP,
    HV_NEED_XMM_INPUT,
    HV_NEED_XMM_OUTPUT,
    HV_NEED_CRASH,
    HV_NEED_NPIEP,
    HV_NEED_EXTENDED_GVA,
    HV_NEED_POLLING,
    HV_NEED_LOCK,
    HV_NEED_DIRECT_TIMER,
    HV_NEED_UNHALTED_TIMER,
    HV_NEED_ADDRESS_SPACE_SWITCH,
    HV_NEED_FLUSH,
    HV_NEED_FLUSH_EX,
    HV_NEED_IPI,
    HV_NEED_IPI_EX,
    HV_NEED_SPIN_WAIT,
    HV_NEED_FLUSH_GPA,
    HV_NR_NEEDS,
};
bool hv_has(const struct matrix *matrix, enum hv_need need);

enum hv_access { HV_R = 1, HV_W = 2, HV_RW = 3 };

enum hv_msr_flag {
    HV_MSR_PER_VP = 1u << 0,
    HV_MSR_WIDE = 1u << 1,      /* partition-wide */
    HV_MSR_RUNS = 1u << 2,      /* its value changes by itself */
    HV_MSR_KEEPS_SAMPLES = 1u << 3,     /* reads as written */
    HV_MSR_MUST_NOT_READ = 1u << 4,     /* reading does something */
    HV_MSR_MUST_NOT_WRITE = 1u << 5,    /* writing does something that cannot be put back */
    HV_MSR_READS_ZERO = 1u << 6,
};

enum { HV_MAX_SAMPLES = 4 };

/* The facts about one register. */
struct hv_msr {
    uint32_t index;
    const char *name;
    const char *ref;
    uint8_t need;               /* enum hv_need */
    uint8_t access;             /* enum hv_access */
    uint16_t flags;             /* enum hv_msr_flag */
    bool has_reset_value;
    uint64_t reset_value;
    uint64_t rsvdp;             /* "preserve": a guest may write these bits back as it read them */
    uint64_t rsvdz;             /* "set to zero": may fault or be ignored when set */
    uint8_t nr_samples, nr_invalid;
    uint64_t sample[HV_MAX_SAMPLES];
    uint64_t invalid[HV_MAX_SAMPLES];   /* these fault */
};

/* hyperv_msr.c */
extern const struct hv_msr hv_msrs[];
extern const uint32_t hv_nr_msrs;

/* A point that is no product of rows and general checks. */
struct hv_point {
    const char *subject, *check, *ref;
    enum hv_need need;
    enum matrix_verdict (*run)(struct matrix *matrix);
};
void hv_run_points(struct matrix *matrix, const struct hv_point *point, uint32_t nr_points);

/* Writes that must succeed; a verdict other than SUCCESS is a failure that was noted. */
enum matrix_verdict hv_set(struct matrix *matrix, uint32_t vp, uint32_t index, uint64_t value);
/* A read that must give `want` in the bits of `mask`. */
enum matrix_verdict hv_is(struct matrix *matrix, uint32_t vp, uint32_t index, uint64_t mask, uint64_t want);
/* Identifies the guest, so that a hypercall page can be had. */
enum matrix_verdict hv_identify(struct matrix *matrix);
uint64_t hv_page_msr(const struct matrix *matrix, uint32_t page);

#define HV_GUEST_ID 0x8100060100000000ull       /* Linux 6.1, as it says */

void hv_matrix_cpuid(struct matrix *matrix);
void hv_matrix_msr(struct matrix *matrix);
void hv_matrix_page(struct matrix *matrix);
void hv_matrix_msr_points(struct matrix *matrix);
void hv_matrix_timer(struct matrix *matrix);
void hv_matrix_hcall(struct matrix *matrix);
void hv_matrix_hcall_points(struct matrix *matrix);

#endif
