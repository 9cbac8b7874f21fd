/*
 * The hypervisor's own statistics, where it shows them.
 */
#ifndef PROBE_STATS_H
#define PROBE_STATS_H

#include "probe.h"

/* Prints the rows that were hit, or why not. Returns whether there are statistics. */
bool stats_report(const struct probe_options *options);

#endif
