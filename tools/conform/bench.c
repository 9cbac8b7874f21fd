/*
 * What operations cost. See bench.h.
 *
 * The image's word bench has it measure all it can; bench=NUMBER,TIMES has it do one operation so often
 * [conformance/boot/bench.c]. What the exits of that are more than those of no operation at all, is the operation's.
 */
#include "bench.h"

#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMES = 100 };

struct counters {
    double exits, kicks;
};

static double number(struct json_object *of, const char *name)
{
    struct json_object *value;

    return json_object_object_get_ex(of, name, &value) ? json_object_get_double(value) : 0;
}

/* --- what the image says ------------------------------------------------------------------------------------------ */

/* Of a line that it wrote; NULL where it is another. */
static struct json_object *read_line(const char *line)
{
    const char *begin = strstr(line, "{\"type\":\"cost\"");          /* firmware may leave its last line open */
    struct json_object *cost = begin ? json_tokener_parse(begin) : NULL;

    if (json_object_is_type(cost, json_type_object) && *result_text(cost, "operation") && number(cost, "cycles") >= 0) {
        json_object_object_del(cost, "type");
        return cost;
    }
    json_object_put(cost);
    return NULL;
}

static struct json_object *read_costs(const struct job *job)
{
    struct job_text all = {.text = NULL};
    struct json_object *costs = json_object_new_array(), *cost;
    char note[512], *rest, *line;

    job_start(job, "bench", job_listen_text, &all, note, sizeof(note));
    rest = all.text;
    while ((line = strsep(&rest, "\r\n")))
        if ((cost = read_line(line)))
            json_object_array_add(costs, cost);
    free(all.text);
    return costs;
}

/* The first one is the bare exit. */
static void add_ratios(struct json_object *costs)
{
    double bare = json_object_array_length(costs) ? number(json_object_array_get_idx(costs, 0), "cycles") : 0;

    for (size_t i = 0; bare > 0 && i < json_object_array_length(costs); i++) {
        struct json_object *cost = json_object_array_get_idx(costs, i);
        char text[32];

        snprintf(text, sizeof(text), "%.3f", number(cost, "cycles") / bare);
        json_object_object_add(cost, "ratio", json_object_new_double_s(atof(text), text));
    }
}

/* --- what the target counted -------------------------------------------------------------------------------------- */

/* Exits that a vCPU made, to hvshim's rows and to the VMM; timers and the host's own requests are none. */
static bool read_counters(const char *path, struct counters *counters)
{
    static const char *const kind[] = {"cpuid", "msr_read", "msr_write", "hypercall", "pio"};
    struct json_object *stats = json_object_from_file(path), *exits, *foreign, *one;
    bool is_there = json_object_object_get_ex(stats, "exits", &exits) &&
                    json_object_object_get_ex(stats, "vmm_exits", &foreign) &&
                    json_object_is_type(foreign, json_type_object);

    *counters = (struct counters){.kicks = number(stats, "kicks")};
    for (size_t i = 0; is_there && i < sizeof(kind) / sizeof(kind[0]); i++)
        if (json_object_object_get_ex(exits, kind[i], &one))
            counters->exits += number(one, "count");
    if (is_there) {
        json_object_object_foreach(foreign, reason, count) {
            (void)reason;
            counters->exits += json_object_get_double(count);
        }
    }
    json_object_put(stats);
    return is_there;
}

/* False where the image did not come to its end. */
static bool count(const struct job *job, int operation, int times, struct counters *counters)
{
    struct job_text all = {.text = NULL};
    char words[64], note[512];

    snprintf(words, sizeof(words), "bench=%d,%d", operation, times);
    if (truncate(job->request.stats, 0))
        return false;
    job_start(job, words, job_listen_text, &all, note, sizeof(note));
    bool is_done = all.text && strstr(all.text, "bench: done");
    free(all.text);
    return is_done && read_counters(job->request.stats, counters);
}

static void add_exits(const struct job *job, struct json_object *costs)
{
    struct counters none, some;

    if (!count(job, 0, 0, &none))
        return;
    for (size_t i = 0; i < json_object_array_length(costs); i++) {
        struct json_object *cost = json_object_array_get_idx(costs, i);

        if (!count(job, (int)number(cost, "number"), TIMES, &some))
            continue;
        json_object_object_add(cost, "exits", json_object_new_double((some.exits - none.exits) / TIMES));
        json_object_object_add(cost, "kicks", json_object_new_double((some.kicks - none.kicks) / TIMES));
    }
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

void bench_measure(const struct job *job, struct json_object *run)
{
    struct job ours = *job;
    char stats[] = "/tmp/hvshim-bench-XXXXXX";
    int fd = job->target->has_stats && !job->request.in_rig ? mkstemp(stats) : -1;

    ours.request.is_bench = true;
    struct json_object *costs = read_costs(&ours);
    add_ratios(costs);
    if (fd >= 0) {
        ours.request.stats = stats;
        add_exits(&ours, costs);
        close(fd);
        unlink(stats);
    }
    json_object_object_add(run, "bench", costs);
}
