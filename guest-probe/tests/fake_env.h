/*
 * A front without a machine: what CPUID and MSRs answer is a table of the test, what is printed is kept.
 */
#ifndef PROBE_FAKE_ENV_H
#define PROBE_FAKE_ENV_H

#include "env.h"

enum { FAKE_MAX_LEAVES = 16, FAKE_OUTPUT_BYTES = 32768 };

struct fake_leaf {
    uint32_t leaf;
    struct env_cpuid regs;
};

struct fake_env {
    bool is_cpl0;
    struct fake_leaf leaf[FAKE_MAX_LEAVES];     /* ends with leaf 0; all others read as zeros */
    enum env_answer msr_answer;                 /* of every MSR */
    uint64_t msr_value;
    const char *clocksource;
    uint64_t tsc_khz;
    const void *memory;                         /* what env_map() shows at memory_gpa */
    uint64_t memory_gpa;
    uint32_t memory_bytes;
    uint32_t nr_rests;                          /* until the user asks for the end */
    char output[FAKE_OUTPUT_BYTES];
    size_t output_bytes;
};
extern struct fake_env fake;

/* Back to a CPL 0 machine that shows nothing. */
void fake_reset(void);
/* Adds a leaf with a 12-letter signature. */
void fake_add_signature(uint32_t base, uint32_t max_leaf, const char signature[12]);
void fake_add_leaf(uint32_t leaf, struct env_cpuid regs);

#endif
