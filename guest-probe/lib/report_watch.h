/*
 * What --watch reports [watch.h].
 */
#ifndef PROBE_REPORT_WATCH_H
#define PROBE_REPORT_WATCH_H

#include <stdint.h>

enum { WATCH_MAX_COSTS = 4 };

struct watch_name {
    const char *json, *table;
};

/* Of one interval, in cycles of the TSC. */
struct watch_cost {
    uint64_t min, median, p99;
};

/* Of all intervals, in cycles of the TSC. */
struct watch_total {
    uint64_t min, lowest_median, highest_median, highest_p99;
};

struct watch_report {
    struct watch_name name[WATCH_MAX_COSTS];
    uint32_t nr;                /* of names, and of costs and totals */
    uint32_t nr_intervals;      /* so far */
    uint64_t interval_ms;
    uint64_t at_ms;             /* since the first interval began */
    uint64_t tsc_khz;           /* 0: unknown, costs are told in cycles */
};

void report_table_watch_begin(const struct watch_report *report);
void report_table_watch(const struct watch_report *report, const struct watch_cost *cost);
void report_table_watch_end(const struct watch_report *report, const struct watch_total *total);
void report_json_watch(const struct watch_report *report, const struct watch_cost *cost);
void report_json_watch_end(const struct watch_report *report, const struct watch_total *total);

#endif
