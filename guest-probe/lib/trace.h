/*
 * What the guest asked its hypervisor for last, where that shows it.
 */
#ifndef PROBE_TRACE_H
#define PROBE_TRACE_H

#include "probe.h"

/* Prints the last exits, oldest first, or why not. Returns whether there is a trace. */
bool trace_report(const struct probe_options *options);

#endif
