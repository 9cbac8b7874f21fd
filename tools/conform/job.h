/* One run of the image: on a target, for a persona. */
#ifndef HVSHIM_CONFORM_JOB_H
#define HVSHIM_CONFORM_JOB_H

#include "lines.h"
#include "targets.h"

struct job {
    const struct target *target;
    struct target_request request;
    const char *name;           /* of the target, with its host */
    const char *append;         /* more words for the image, or NULL */
    const char *filter;         /* or NULL */
    const char *log;            /* of TARGET_LOG */
    const char *expected;       /* file; NULL: by target and persona */
    bool has_bench;             /* the image measures afterwards */
    void (*progress)(struct job *job);  /* called as output comes, in the job's thread; may be NULL */
    struct lines lines;
    struct json_object *runs;   /* what came of it, an array; the caller's to put back */
};

/* Runs it to its end: boots again, without it, after a point at which the machine died or hung. */
void job_run(struct job *job);

/* Starts the image with these words and listens to it [child.h]. */
enum child_end job_start(const struct job *job, const char *words,
                         enum child_news (*listen)(void *ctx, const char *text, size_t bytes), void *ctx, char *note,
                         size_t bytes);

/* All that was said: begins as zeroes; `text` is the caller's to free. */
struct job_text {
    char *text;
    size_t used;
};
enum child_news job_listen_text(void *ctx, const char *text, size_t bytes);

#endif
