/* What operations cost on a target: the image measures, and the target's own counters say how many exits there were. */
#ifndef HVSHIM_CONFORM_BENCH_H
#define HVSHIM_CONFORM_BENCH_H

#include "job.h"

/* Adds "bench" to the run [result.h]. Boots the image once; where exits are counted, once more for each operation. */
void bench_measure(const struct job *job, struct json_object *run);

#endif
