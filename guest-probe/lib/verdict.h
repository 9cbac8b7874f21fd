/*
 * The verdict on one interface in one line: whose it is, whether its clock works, and what reading that costs.
 */
#ifndef PROBE_VERDICT_H
#define PROBE_VERDICT_H

#include "probe.h"
#include "report.h"

enum { VERDICT_BYTES = 320 };

struct verdict {
    const char *clock;          /* the row that the interface's clock is; NULL: it has none */
    bool has_cost;
    uint64_t clock_cycles;      /* of one reading of the clock that the guest has */
    bool has_exits;             /* false where a bare exit costs too little to be one */
    uint64_t clock_exits;       /* so many bare exits take as long as a reading */
    char says[VERDICT_BYTES];
};

/* What a verdict is reached on: one of the interfaces of this machine, with its rows. */
struct verdict_case {
    const struct probe_interface *all;
    uint32_t nr_all;
    const struct probe_interface *face;         /* in `all` */
    const struct probe_row *row;
    uint32_t nr_rows;
    const struct report_count *count;
    uint64_t exit_cycles;       /* of a bare exit */
};

void verdict_reach(const struct verdict_case *known, struct verdict *verdict);

#endif
