/* A program that is started and listened to, with limits to its silence. */
#ifndef HVSHIM_CONFORM_CHILD_H
#define HVSHIM_CONFORM_CHILD_H

#include <stdbool.h>
#include <stddef.h>

struct child_limits {
    unsigned start_s;           /* until listen() says that it has begun */
    unsigned silence_s;         /* afterwards, without any output */
    unsigned all_s;
};

enum child_news { CHILD_NOTHING, CHILD_BEGAN, CHILD_ENOUGH };
enum child_end { CHILD_ENDED, CHILD_SILENT, CHILD_LATE, CHILD_NOT_STARTED };

/*
 * Starts argv, hands its standard output to `listen` piece by piece, and ends it, with all that it started, when a
 * limit is reached, or `listen` has heard enough; that also says since when the child says what it was started for.
 * `note` gets, in words, how it ended, with the last line of its standard error. Safe to call in several threads.
 */
enum child_end child_run(char *const *argv, const struct child_limits *limits,
                         enum child_news (*listen)(void *ctx, const char *text, size_t bytes), void *ctx, char *note,
                         size_t note_bytes);
/* Ends all that run. Async-signal-safe. */
void child_end_all(void);

#endif
