/*
 * What `hvshim conform` knows of a run, as JSON: so it is written, merged, and shown by every format.
 *
 *   {"format": "hvshim-conform-1", "runs": [RUN...]}
 *   RUN    "target", "persona", "cpus", "seconds", "state" (enum result_state), "about", "note" (of a state),
 *          "points": [POINT...], "missing": [DEVIATION...], "unrepeated": [DEATH...], "bench": [COST...] (where it was
 *          measured)
 *   POINT  "chapter", "subject", "check", "verdict", "evidence", "ref", "number"; of a deviation that is expected also
 *          "deviation": DEVIATION
 *   DEVIATION  "point", "reason", "spec", "right", "perhaps" (true: it need not happen)
 *   DEATH  "point" (at which the machine ended or fell silent, but not when it was booted again to begin there; or
 *          before which), its "number", "verdict", "evidence"
 *   COST   "interface", "operation", "number" (of the image's own order), "cycles", "ns" (the median), both also with
 *          min_, p99_, max_ before; "ratio" (of the cycles to those of a bare exit in the same run); "exits", "kicks" (to
 *          the VMM, and of other vCPUs, for each operation, of targets that count them): of all these, what is known
 */
#ifndef HVSHIM_CONFORM_RESULT_H
#define HVSHIM_CONFORM_RESULT_H

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#define RESULT_FORMAT "hvshim-conform-1"

/* The words of "verdict". The last two are not the image's own. */
enum result_verdict { SUCCESS, SKIP, ERROR, FAILURE, CRASH, HANG, NR_VERDICTS };
extern const char *const result_verdict_name[NR_VERDICTS];

/* Of "state", which says more than the verdicts do. */
#define STATE_WHOLE "whole"             /* it came to its end, but for points that CRASH or HANG */
#define STATE_CUT "cut"                 /* it did not */
#define STATE_NOT_HERE "not here"       /* this machine cannot do it; there are no points */

struct result_counts {
    unsigned nr[NR_VERDICTS];
    unsigned unexpected;        /* points and missing deviations that should not be so */
    unsigned expected;          /* points that deviate as expected */
};

/* "" or NULL where there is none. The caller does not own what these return. */
const char *result_text(struct json_object *of, const char *name);
struct json_object *result_array(struct json_object *of, const char *name);
size_t result_length(struct json_object *of, const char *name);

/* Whether it has what a RUN must have: it may come from anywhere. */
bool result_is_run(struct json_object *run);
/* Makes all texts of what came from elsewhere such that they can be shown: UTF-8, without control characters. */
void result_clean(struct json_object *value);
struct json_object *result_new(const char *target, const char *persona);
void result_set(struct json_object *of, const char *name, const char *text);

enum result_verdict result_verdict(struct json_object *point);
bool result_deviates(struct json_object *point);
/* "subject: check", as expected files name a point. */
void result_name(struct json_object *point, char *name, size_t bytes);
/* A DEATH in words. */
void result_death(struct json_object *death, char *text, size_t bytes);
struct result_counts result_count(struct json_object *run);
/* Nothing unexpected, and it came to its end. */
bool result_is_good(struct json_object *run);

#endif
