/*
 * The report: an aligned table for people, one JSON object per line for programs.
 */
#ifndef PROBE_REPORT_H
#define PROBE_REPORT_H

#include "probe.h"

struct report_machine {
    bool is_cpl0;
    bool has_hypervisor_bit;
    uint64_t tsc_khz;           /* 0: unknown, times are in cycles only */
    const char *tsc_source;
    uint64_t cpuid_cycles;      /* cost of CPUID, the exit that other costs compare to */
    const char *kernel;         /* what it says about its hypervisor, or NULL */
};

/* How many rows ended in which state. */
struct report_count {
    uint32_t state[PROBE_NR_STATES];
};

uint64_t report_ns(uint64_t cycles, uint64_t tsc_khz);

void report_table_machine(const struct report_machine *machine);
void report_table_interface(const struct probe_interface *face);
void report_table_row(const struct probe_row *row, uint64_t tsc_khz);
struct verdict;
struct verdict_case;
void report_table_verdict(const struct verdict_case *known, const struct verdict *verdict);

void report_json_machine(const struct report_machine *machine);
void report_json_interface(const struct probe_interface *face);
void report_json_row(const struct probe_interface *face, const struct probe_row *row, uint64_t tsc_khz);
void report_json_verdict(const struct verdict_case *known, const struct verdict *verdict);

/* The last line, in the same words for both forms. */
void report_table_total(const struct report_count *count);
void report_json_total(const struct report_count *count);

/* Says, in the forms wanted, why `what`, of whose objects `type` is the type, cannot be told. Returns false. */
bool report_missing(const struct probe_options *options, const char *what, const char *type, const char *why);

#endif
