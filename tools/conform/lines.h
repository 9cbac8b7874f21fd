/*
 * The lines of hvshim-conform, told "all names" [conformance/boot/main.c]:
 *
 *   CHAPTER name
 *   POINT number subject: check                        before it runs
 *   VERDICT subject: check [| what came] [[reference]]
 *   conform: N points on N CPUs: ...                   the end
 *
 * Others are passed over: firmware, boot loaders and hypervisors write to the same serial port.
 */
#ifndef HVSHIM_CONFORM_LINES_H
#define HVSHIM_CONFORM_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

enum { LINES_MAX_BYTES = 1024, LINES_MAX_POINTS = 100000 };

struct lines {
    struct json_object *points; /* what was found is added here; the caller's */
    char line[LINES_MAX_BYTES];
    size_t used;
    char chapter[128];
    char running[256];          /* the point that was begun; empty: none */
    unsigned number;            /* its number */
    unsigned from;              /* the number that it was told to begin with; 0: none */
    unsigned highest;           /* of those that were begun, or left out by that */
    size_t nr_before;           /* points of earlier boots */
    unsigned cpus;
    bool has_begun, has_ended;
    bool may_restart;           /* the caller's: a reset makes it forget what was said before, not what comes after */
    bool was_reset;
    bool is_deaf;               /* it began before `from` */
    char last[256];             /* what was said after the last of these */
};

/* The image was told to begin at point `from`; what `points` has is kept. */
void lines_init(struct lines *lines, struct json_object *points, unsigned from);
/* Takes the next bytes of the output, in whatever pieces it comes. */
void lines_feed(struct lines *lines, const char *text, size_t bytes);
/* The output has ended, maybe without a newline. */
void lines_end(struct lines *lines);
/* Adds the point that runs, with a verdict of the runner's. */
void lines_give_up(struct lines *lines, const char *verdict, const char *evidence);

#endif
