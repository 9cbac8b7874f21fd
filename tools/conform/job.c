/* One run of the image. See job.h. */
#include "job.h"

#include "bench.h"
#include "expected.h"
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A rig waits for others, and boots its host first. */
enum { MOST_BOOTS = 12, RIG_START_S = 1500 };

static enum child_news listen_lines(void *ctx, const char *text, size_t bytes)
{
    struct job *job = ctx;

    lines_feed(&job->lines, text, bytes);
    if (job->progress)
        job->progress(job);
    if (job->lines.has_ended || job->lines.was_reset)
        return CHILD_ENOUGH;
    return job->lines.has_begun ? CHILD_BEGAN : CHILD_NOTHING;
}

/* "all names" and what else; `skip` is a list of numbers. A space in the filter is a +. */
static void make_words(const struct job *job, const char *skip, char *words, size_t bytes)
{
    int used = snprintf(words, bytes, "all names%s%s%s%s%s%s%s%s", job->target->words ? " " : "",
                        job->target->words ? job->target->words : "", job->append ? " " : "",
                        job->append ? job->append : "", *skip ? " skip=" : "", skip, job->filter ? " only=" : "",
                        job->filter ? job->filter : "");

    for (char *c = job->filter && used < (int)bytes ? strstr(words, " only=") + 1 : NULL; c && *c; c++)
        if (*c == ' ')
            *c = '+';
}

enum child_end job_start(const struct job *job, const char *words,
                         enum child_news (*listen)(void *ctx, const char *text, size_t bytes), void *ctx, char *note,
                         size_t bytes)
{
    struct target_request request = job->request;
    struct child_limits limits = request.limits;
    struct words argv = {.nr = 0};
    enum child_end how;

    request.words = words;
    if (request.in_rig) {
        limits.start_s += RIG_START_S;
        limits.all_s += RIG_START_S;
    }
    target_command(job->target, &request, &argv);
    how = child_run(argv.word, &limits, listen, ctx, note, bytes);
    words_free(&argv);
    return how;
}

/* --- booting until all points have run ---------------------------------------------------------------------------- */

static int number_of(struct json_object *point)
{
    return atoi(result_text(point, "number"));
}

static int by_number(const void *left, const void *right)
{
    struct json_object *const *a = left, *const *b = right;
    int first = number_of(*a), second = number_of(*b);

    return (first > second) - (first < second);
}

static bool is_known(struct json_object *culprits, unsigned number)
{
    bool is = false;

    for (size_t i = 0; i < json_object_array_length(culprits); i++)
        is |= (unsigned)number_of(json_object_array_get_idx(culprits, i)) == number;
    return is;
}

/* Moves the last point, which the machine did not survive. */
static void set_aside(struct json_object *points, struct json_object *culprits)
{
    size_t last = json_object_array_length(points) - 1;

    json_object_array_add(culprits, json_object_get(json_object_array_get_idx(points, last)));
    json_object_array_del_idx(points, last, 1);
}

/* In the rig, standard error is the rig's own; what the machine's VMM said came with the lines. */
static void add_last_words(const struct job *job, char *note, size_t bytes)
{
    const struct lines *lines = &job->lines;
    size_t used = job->request.in_rig ? strcspn(note, ":") : strlen(note);

    note[used] = 0;
    if (lines->was_reset)
        used = (size_t)snprintf(note, bytes, "the machine was reset");
    else if (*lines->last)
        snprintf(note + used, bytes - used, "; it said: %s", lines->last);
}

/* Boots once. Returns true where another boot, without the last of the culprits, makes sense. */
static bool boot(struct job *job, struct json_object *run, struct json_object *culprits, char *skip, size_t bytes)
{
    struct json_object *points = json_object_new_array();
    char words[512], note[512];
    size_t used = strlen(skip);

    json_object_object_add(run, "points", points);
    make_words(job, skip, words, sizeof(words));
    lines_init(&job->lines, points);
    job->lines.may_restart = job->request.in_rig;       /* the rig boots its host again when that dies */
    enum child_end how = job_start(job, words, listen_lines, job, note, sizeof(note));
    lines_end(&job->lines);
    if (job->lines.has_ended) {
        result_set(run, "state", STATE_WHOLE);
        return false;
    }
    add_last_words(job, note, sizeof(note));
    result_set(run, "note", note);
    if (!*job->lines.running)
        return false;
    unsigned number = job->lines.number;
    lines_give_up(&job->lines, result_verdict_name[how == CHILD_SILENT || how == CHILD_LATE ? HANG : CRASH], note);
    if (is_known(culprits, number))
        return false;           /* it was not left out */
    set_aside(points, culprits);
    snprintf(skip + used, bytes - used, "%s%u", used ? "," : "", number);
    return true;
}

/* The last boot ended at a point that was to be left out. */
static bool is_last(struct json_object *points, struct json_object *culprit)
{
    size_t nr = json_object_array_length(points);

    return nr && number_of(json_object_array_get_idx(points, nr - 1)) == number_of(culprit);
}

static void boot_until_done(struct job *job, struct json_object *run)
{
    struct json_object *culprits = json_object_new_array();
    char skip[256] = "";

    for (int i = 0; i < MOST_BOOTS; i++)
        if (!boot(job, run, culprits, skip, sizeof(skip)))
            break;
    struct json_object *points = result_array(run, "points");
    for (size_t i = 0; i < json_object_array_length(culprits); i++)
        if (!is_last(points, json_object_array_get_idx(culprits, i)))
            json_object_array_add(points, json_object_get(json_object_array_get_idx(culprits, i)));
    json_object_array_sort(points, by_number);
    json_object_put(culprits);
    if (!strcmp(result_text(run, "state"), STATE_WHOLE))
        json_object_object_del(run, "note");
}

static void read_log(struct job *job, struct json_object *run)
{
    int fd = open(job->log, O_RDONLY | O_CLOEXEC);
    char text[4096], note[256];
    ssize_t got = -1;

    lines_init(&job->lines, result_array(run, "points"));
    while (fd >= 0 && (got = read(fd, text, sizeof(text))) > 0)
        listen_lines(job, text, (size_t)got);
    snprintf(note, sizeof(note), "%s: %s", job->log, got < 0 ? strerror(errno) : "ends before the image does");
    if (fd >= 0)
        close(fd);
    lines_end(&job->lines);
    if (job->lines.has_ended) {
        result_set(run, "state", STATE_WHOLE);
        return;
    }
    result_set(run, "note", note);
    if (*job->lines.running)
        lines_give_up(&job->lines, result_verdict_name[CRASH], "the log ends here");
}

/* --- another hvshim's results ------------------------------------------------------------------------------------- */

enum child_news job_listen_text(void *ctx, const char *text, size_t bytes)
{
    enum { MOST_BYTES = 64 << 20 };
    struct job_text *all = ctx;
    char *grown = all->used + bytes < MOST_BYTES ? realloc(all->text, all->used + bytes + 1) : NULL;

    if (!grown)
        return CHILD_ENOUGH;
    memcpy(grown + all->used, text, bytes);
    all->text = grown;
    all->used += bytes;
    all->text[all->used] = 0;
    return CHILD_BEGAN;
}

static void ask_other(struct job *job, struct json_object *run)
{
    struct job_text all = {.text = NULL};
    char note[512], target[128];

    job_start(job, "", job_listen_text, &all, note, sizeof(note));
    struct json_object *found = all.text ? json_tokener_parse(all.text) : NULL;
    struct json_object *runs = result_array(found, "runs");
    result_clean(runs);
    for (size_t i = 0; runs && i < json_object_array_length(runs); i++) {
        struct json_object *theirs = json_object_get(json_object_array_get_idx(runs, i));

        if (!result_is_run(theirs)) {
            json_object_put(theirs);
            continue;
        }
        snprintf(target, sizeof(target), "%s %s", job->request.host, result_text(theirs, "target"));
        result_set(theirs, "target", target);
        json_object_array_add(job->runs, theirs);
    }
    if (!runs) {
        result_set(run, "note", note);
        json_object_array_add(job->runs, json_object_get(run));
    }
    json_object_put(found);
    free(all.text);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void compare(struct job *job, struct json_object *run)
{
    char path[PATH_MAX + 128], note[PATH_MAX + 256];
    struct json_object *expected;

    snprintf(path, sizeof(path), "%s/%s-%s", job->request.places->expected, job->request.persona, job->target->name);
    if (job->expected)
        snprintf(path, sizeof(path), "%s", job->expected);
    expected = expected_read(path);
    if (!expected && job->expected) {
        snprintf(note, sizeof(note), "%s: %s", path, strerror(errno));
        result_set(run, "state", STATE_CUT);
        result_set(run, "note", note);
    }
    if (expected && strcmp(result_text(run, "state"), STATE_NOT_HERE))
        expected_compare(run, expected, job->filter || strcmp(result_text(run, "state"), STATE_WHOLE));
    json_object_put(expected);
}

void job_run(struct job *job)
{
    struct json_object *run = result_new(job->name, job->request.persona);
    const char *why = target_refuses(job->target, &job->request);
    time_t began = time(NULL);

    job->runs = json_object_new_array();
    result_set(run, "about", job->target->about);
    if (why) {
        result_set(run, "state", STATE_NOT_HERE);
        result_set(run, "note", why);
    } else if (job->target->kind == TARGET_JSON) {
        ask_other(job, run);
        json_object_put(run);
        return;
    } else if (job->target->kind == TARGET_LOG) {
        read_log(job, run);
    } else {
        boot_until_done(job, run);
        if (job->has_bench)
            bench_measure(job, run);
    }
    compare(job, run);
    json_object_object_add(run, "cpus", json_object_new_int64(job->lines.cpus));
    json_object_object_add(run, "seconds", json_object_new_int64(time(NULL) - began));
    json_object_array_add(job->runs, run);
}
