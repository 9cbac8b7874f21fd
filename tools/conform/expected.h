/*
 * Files of conformance/expected: where a hypervisor answers otherwise than the specification, and what we think of it.
 *
 * A line is the name of a point, "subject: check", a * in it stands for anything; "? " before it says that it need not
 * happen. The comment above says why it is so. A line of it that begins with "Spec: " has the specification's words in
 * short, one with "Right: " who we think is right; each goes on until the next of them. A line without text ends it, so
 * what stands above one belongs to the file as a whole. A line "@NAME" stands for the entries of another file beside
 * it.
 */
#ifndef HVSHIM_CONFORM_EXPECTED_H
#define HVSHIM_CONFORM_EXPECTED_H

#include <stdbool.h>

#include <json-c/json.h>

/* Returns an array of DEVIATIONs [result.h], to be put back by the caller, or NULL with errno. */
struct json_object *expected_read(const char *path);
/*
 * Says of each point that deviates which entry expects it, and adds to "missing" the entries that did not happen though
 * they should. With `is_part`, where points were left out, only those of which some point ran.
 */
void expected_compare(struct json_object *run, struct json_object *expected, bool is_part);

#endif
