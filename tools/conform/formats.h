/* What `hvshim conform` writes of results [result.h]. All return whether all was written. */
#ifndef HVSHIM_CONFORM_FORMATS_H
#define HVSHIM_CONFORM_FORMATS_H

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json.h>

/* A line for each point that deviates unexpectedly, and one for the run. */
bool format_summary(struct json_object *results, FILE *out);
bool format_json(struct json_object *results, FILE *out);
/* TAP 13: a deviation that is expected is a TODO. */
bool format_tap(struct json_object *results, FILE *out);
/* JUnit XML, a suite a run; a deviation that is expected is skipped, with the reason. */
bool format_junit(struct json_object *results, FILE *out);
/* One page with all in it. */
bool format_html(struct json_object *results, FILE *out);

#endif
