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
enum { MOST_BOOTS = 24, MOST_UNREPEATED = 8, RIG_START_S = 1500 };

static enum child_news listen_lines(void *ctx, const char *text, size_t bytes)
{
    struct job *job = ctx;

    lines_feed(&job->lines, text, bytes);
    if (job->progress)
        job->progress(job);
    if (job->lines.has_ended || job->lines.was_reset || job->lines.is_deaf)
        return CHILD_ENOUGH;
    return job->lines.has_begun ? CHILD_BEGAN : CHILD_NOTHING;
}

/* "all names" and what else. A space in the filter is a +. */
static void make_words(const struct job *job, unsigned from, char *words, size_t bytes)
{
    const char *own = target_words(job->target, &job->request);
    int used = snprintf(words, bytes, "all names%s%s%s%s from=%u%s%s", *own ? " " : "", own, job->append ? " " : "",
                        job->append ? job->append : "", from, job->filter ? " only=" : "",
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

/* A machine's death, as "unrepeated" has it [result.h]. */
static struct json_object *new_death(const struct lines *lines, unsigned number, const char *verdict, const char *note)
{
    struct json_object *death = json_object_new_object();
    char before[40];

    snprintf(before, sizeof(before), "before point %u", number);
    result_set(death, "point", *lines->running ? lines->running : before);
    json_object_object_add(death, "number", json_object_new_int64(number));
    result_set(death, "verdict", verdict);
    result_set(death, "evidence", note);
    return death;
}

/* Takes the one at the same place from the list. Returns whether there was one. */
static bool take_same(struct json_object *deaths, struct json_object *death)
{
    for (size_t i = 0; i < json_object_array_length(deaths); i++) {
        struct json_object *earlier = json_object_array_get_idx(deaths, i);

        if (strcmp(result_text(earlier, "number"), result_text(death, "number")) ||
            strcmp(result_text(earlier, "point"), result_text(death, "point")))
            continue;
        json_object_array_del_idx(deaths, i, 1);
        return true;
    }
    return false;
}

/*
 * A death is believed when it happens again at the same place; emulated hosts lose guests by no fault of theirs.
 * Returns with which point to go on; 0: that makes no sense.
 */
static unsigned judge_death(struct lines *lines, struct json_object *run, const char *verdict, const char *note)
{
    struct json_object *deaths = result_array(run, "unrepeated");
    unsigned at = *lines->running ? lines->number : lines->highest + 1;
    struct json_object *death = new_death(lines, at, verdict, note);
    bool is_again = take_same(deaths, death);
    char text[640];

    result_set(run, "note", note);
    if (is_again)
        json_object_put(death);
    else
        json_object_array_add(deaths, death);
    if (!is_again && json_object_array_length(deaths) <= MOST_UNREPEATED)
        return at;
    if (!is_again) {
        snprintf(text, sizeof(text), "it died more than %u times where it then did not again: %s", MOST_UNREPEATED,
                 note);
        result_set(run, "note", text);
    }
    if (!*lines->running)
        return 0;
    lines_give_up(lines, verdict, note);
    return is_again ? at + 1 : 0;
}

/* Boots once, from this point on. Returns with which one to go on; 0: no further. */
static unsigned boot(struct job *job, struct json_object *run, unsigned from)
{
    struct lines *lines = &job->lines;
    char words[512], note[512];

    make_words(job, from, words, sizeof(words));
    lines_init(lines, result_array(run, "points"), from);
    lines->may_restart = job->request.in_rig;           /* the rig boots its host again when that dies */
    enum child_end how = job_start(job, words, listen_lines, job, note, sizeof(note));
    lines_end(lines);
    if (lines->has_ended) {
        result_set(run, "state", STATE_WHOLE);
        json_object_object_del(run, "note");
        return 0;
    }
    add_last_words(job, note, sizeof(note));
    if (lines->is_deaf)
        snprintf(note, sizeof(note), "the image does not know its word from=%u", from);
    if (how != CHILD_NOT_STARTED && !lines->is_deaf)
        return judge_death(lines, run, result_verdict_name[how == CHILD_ENDED ? CRASH : HANG], note);
    result_set(run, "note", note);
    return 0;
}

static void boot_until_done(struct job *job, struct json_object *run)
{
    unsigned from = 1;

    for (int i = 0; i < MOST_BOOTS && from; i++)
        from = boot(job, run, from);
}

static void read_log(struct job *job, struct json_object *run)
{
    int fd = open(job->log, O_RDONLY | O_CLOEXEC);
    char text[4096], note[256];
    ssize_t got = -1;

    lines_init(&job->lines, result_array(run, "points"), 0);
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
