/*
 * The cost over time: of the clock, of a bare exit, and of what else is cheap to ask.
 */
#ifndef PROBE_WATCH_H
#define PROBE_WATCH_H

#include "probe.h"

struct watch_options {
    uint64_t interval_ns;
    uint32_t nr_intervals;      /* 0: until env_rest() tells of the user's wish to end */
};

/* Reports each interval, then all of them together. */
void watch_run(const struct probe_options *options, const struct watch_options *watch);

#endif
