/*
 * `hvshim conform`: runs hvshim-conform on targets, or puts together what several such runs have written.
 */
#include "conform.h"

#include "formats.h"
#include "job.h"
#include "result.h"

#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNEXPECTED = 1, WRONG_USAGE = 64, CANNOT = 70, NOT_HERE = 77, MOST_JOBS = 64, MOST_FILES = 64 };
enum { MOST_CPUS = 8, MOST_SECONDS = 86400 };

enum key {
    KEY_ON = 0x100, KEY_PRESENT, KEY_CPUS, KEY_FILTER, KEY_APPEND, KEY_EXPECTED, KEY_IMAGE, KEY_LOG, KEY_WRITE_IMAGE,
    KEY_SILENCE, KEY_TIMEOUT, KEY_BENCH, KEY_LIST, KEY_TAP, KEY_JUNIT, KEY_JSON, KEY_HTML,
};

static const struct argp_option option_table[] = {
    {0, 0, 0, 0, "What to run:", 1},
    {"on", KEY_ON, "TARGET", 0, "Where to run it (repeatable; vm); see --list", 0},
    {"present", KEY_PRESENT, "PERSONA", 0, "What it shows: hyperv, xen, vmware, kvm (repeatable; all it can)", 0},
    {"cpus", KEY_CPUS, "N", 0, "CPUs, 1 to 8 (2 where the target can)", 0},
    {"filter", KEY_FILTER, "TEXT", 0, "Only points whose \"chapter: subject: check\" has TEXT in it", 0},
    {"jobs", 'j', "N", 0, "Run N at once (1)", 0},
    {"append", KEY_APPEND, "WORDS", 0, "More words for the image, such as acts", 0},
    {"bench", KEY_BENCH, 0, 0, "Measure what operations cost there, too", 0},
    {"image", KEY_IMAGE, "FILE", 0, "Take this hvshim-conform.elf", 0},
    {"log", KEY_LOG, "FILE", 0, "What the image wrote, told \"all names\" (target image)", 0},
    {"write-image", KEY_WRITE_IMAGE, "FILE", 0, "Write the image to FILE (target image)", 0},
    {"list", KEY_LIST, 0, 0, "Say where it can be run, and what is missing for the others", 0},
    {0, 0, 0, 0, "When to give up:", 2},
    {"silence", KEY_SILENCE, "SECONDS", 0, "Take a point for a HANG after so long without output", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "End one boot of the image after that", 0},
    {0, 0, 0, 0, "What to compare with and write (- is standard output):", 3},
    {"expected", KEY_EXPECTED, "FILE", 0, "Deviations that are expected (conformance/expected/PERSONA-TARGET)", 0},
    {"tap", KEY_TAP, "FILE", 0, "Write TAP 13", 0},
    {"junit", KEY_JUNIT, "FILE", 0, "Write JUnit XML", 0},
    {"json", KEY_JSON, "FILE", 0, "Write JSON, which page reads", 0},
    {"html", KEY_HTML, "FILE", 0, "Write one page with all in it", 0},
    {0},
};

static const char doc[] =
    "Boot the conformance image on a hypervisor, and say where it answers otherwise than the specification.\n"
    "The second form writes what earlier runs found, as JSON, in other forms, all together.\v"
    "A point at which the machine dies is a CRASH, one at which it falls silent a HANG, if it does so once more when the "
    "image is booted again to begin there; the next boot begins behind it.\n\n"
    "Exit status:\n"
    "  0    no deviation but those that are expected, and all of those\n"
    "  1    others, or it did not come to its end\n"
    "  64   wrong usage\n"
    "  70   something could not be written or read\n"
    "  77   nothing of it can be run here\n";

struct output {
    bool (*write)(struct json_object *results, FILE *out);
    const char *file;           /* NULL: not wanted */
};
enum { OUT_TAP, OUT_JUNIT, OUT_JSON, OUT_HTML, NR_OUTPUTS };

struct parsing {
    const char *on[MOST_JOBS], *present[MOST_JOBS], *file[MOST_FILES];
    size_t nr_on, nr_present, nr_files;
    const char *filter, *append, *expected, *image, *log, *write_image;
    unsigned cpus, jobs, silence_s, timeout_s;
    bool has_bench, has_image, is_page, is_list;
    struct output output[NR_OUTPUTS];
};

static unsigned number(struct argp_state *state, const char *option, const char *text, unsigned most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*end || value == 0 || value > most)
        argp_error(state, "--%s: '%s' is not a number from 1 to %u", option, text, most);
    return (unsigned)value;
}

static void add(struct argp_state *state, const char *what, const char **list, size_t *nr, const char *text)
{
    if (*nr == MOST_JOBS)
        argp_error(state, "too many times %s", what);
    list[(*nr)++] = text;
}

static void add_target(struct argp_state *state, struct parsing *p, const char *name)
{
    const char *host;
    const struct target *target = target_find(name, &host);

    if (!target)
        argp_error(state, "--on: '%s' is not a target (--list)", name);
    p->has_image |= target->kind == TARGET_LOG;
    add(state, "--on", p->on, &p->nr_on, name);
}

static void set_filter(struct argp_state *state, struct parsing *p, const char *text)
{
    if (!*text || strlen(text) > 100 || strpbrk(text, "'\"\\\n\t"))
        argp_error(state, "--filter: '%s' is empty, too long, or has quotes in it", text);
    p->filter = text;
}

static error_t parse_argument(struct argp_state *state, struct parsing *p, const char *text)
{
    if (state->arg_num == 0 && !strcmp(text, "page")) {
        p->is_page = true;
        return 0;
    }
    if (!p->is_page)
        return ARGP_ERR_UNKNOWN;
    add(state, "FILE", p->file, &p->nr_files, text);
    return 0;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *p = state->input;

    switch (key) {
    case KEY_ON: add_target(state, p, text); return 0;
    case KEY_PRESENT: add(state, "--present", p->present, &p->nr_present, text); return 0;
    case KEY_CPUS: p->cpus = number(state, "cpus", text, MOST_CPUS); return 0;
    case KEY_FILTER: set_filter(state, p, text); return 0;
    case 'j': p->jobs = number(state, "jobs", text, MOST_JOBS); return 0;
    case KEY_APPEND: p->append = text; return 0;
    case KEY_EXPECTED: p->expected = text; return 0;
    case KEY_IMAGE: p->image = text; return 0;
    case KEY_LOG: p->log = text; return 0;
    case KEY_WRITE_IMAGE: p->write_image = text; return 0;
    case KEY_SILENCE: p->silence_s = number(state, "silence", text, MOST_SECONDS); return 0;
    case KEY_TIMEOUT: p->timeout_s = number(state, "timeout", text, MOST_SECONDS); return 0;
    case KEY_BENCH: p->has_bench = true; return 0;
    case KEY_LIST: p->is_list = true; return 0;
    case KEY_TAP: p->output[OUT_TAP].file = text; return 0;
    case KEY_JUNIT: p->output[OUT_JUNIT].file = text; return 0;
    case KEY_JSON: p->output[OUT_JSON].file = text; return 0;
    case KEY_HTML: p->output[OUT_HTML].file = text; return 0;
    case ARGP_KEY_ARG: return parse_argument(state, p, text);
    case ARGP_KEY_END:
        if (p->is_page && p->nr_files == 0)
            argp_error(state, "page: no FILE");
        if (p->has_image != (p->log || p->write_image))
            argp_error(state, "the target image goes with --log or --write-image, and they with it");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* --- the jobs ----------------------------------------------------------------------------------------------------- */

struct work {
    struct job job[MOST_JOBS];
    size_t nr;
    _Atomic size_t next;
};

static pthread_mutex_t speaking = PTHREAD_MUTEX_INITIALIZER;

/* On a terminal, a line that is always the last one. */
static void show_progress(struct job *job)
{
    pthread_mutex_lock(&speaking);
    fprintf(stderr, "\r\033[K%s on %s: %zu points, %.60s", job->request.persona, job->name,
            json_object_array_length(job->lines.points), job->lines.running);
    pthread_mutex_unlock(&speaking);
}

static void say(const struct job *job, const char *what)
{
    pthread_mutex_lock(&speaking);
    fprintf(stderr, "%shvshim conform: %s on %s: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "",
            job->request.persona, job->name, what);
    pthread_mutex_unlock(&speaking);
}

static void *run_jobs(void *arg)
{
    struct work *work = arg;
    size_t i;

    while ((i = atomic_fetch_add(&work->next, 1)) < work->nr) {
        say(&work->job[i], "begins");
        job_run(&work->job[i]);
        say(&work->job[i], "done");
    }
    return NULL;
}

static void run_all(struct work *work, unsigned threads)
{
    pthread_t thread[MOST_JOBS];
    unsigned started = 0;

    while (started + 1 < threads && started + 1 < work->nr &&
           !pthread_create(&thread[started], NULL, run_jobs, work))
        started++;
    run_jobs(work);
    while (started > 0)
        pthread_join(thread[--started], NULL);
}

static bool is_among(const char *word, const char *list)
{
    size_t length = strlen(word);

    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (!strncmp(list, word, length) && (list[length] == ',' || !list[length]))
            return true;
    return false;
}

static void add_job(struct work *work, const struct parsing *p, const struct places *places, const char *on,
                    const char *persona)
{
    const char *host;
    const struct target *target = target_find(on, &host);
    struct child_limits limits = target->limits;

    if (p->silence_s)
        limits.silence_s = p->silence_s;
    if (p->timeout_s)
        limits.all_s = p->timeout_s;
    if (work->nr == MOST_JOBS)
        return;
    work->job[work->nr++] = (struct job){
        .target = target, .name = on, .append = p->append, .filter = p->filter, .log = p->log,
        .expected = p->expected, .has_bench = p->has_bench,
        .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
        .request = {.places = places, .image = p->image ? p->image : places->image, .persona = persona, .host = host,
                    .filter = p->filter, .cpus = p->cpus ? p->cpus : target->cpus, .limits = limits},
    };
}

/* Of each target the personas that are asked for and that it has. */
static void make_jobs(struct work *work, const struct parsing *p, const struct places *places)
{
    static char personas[MOST_JOBS][64];

    for (size_t i = 0; i < p->nr_on; i++) {
        const char *host, *list;
        const struct target *target = target_find(p->on[i], &host);
        char *rest = snprintf(personas[i], sizeof(personas[i]), "%s", target->personas) > 0 ? personas[i] : NULL;

        for (size_t k = 0; k < p->nr_present; k++)
            if (is_among(p->present[k], target->personas))
                add_job(work, p, places, p->on[i], p->present[k]);
        while (p->nr_present == 0 && target->kind != TARGET_LOG && (list = strsep(&rest, ",")))
            add_job(work, p, places, p->on[i], list);
        if (p->nr_present == 0 && target->kind == TARGET_LOG && p->log)
            add_job(work, p, places, p->on[i], "none");
    }
}

static void on_signal(int signal_number)
{
    child_end_all();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static struct json_object *results_new(void)
{
    struct json_object *results = json_object_new_object();

    result_set(results, "format", RESULT_FORMAT);
    json_object_object_add(results, "runs", json_object_new_array());
    return results;
}

static void add_runs(struct json_object *results, struct json_object *runs)
{
    for (size_t i = 0; runs && i < json_object_array_length(runs); i++)
        if (result_is_run(json_object_array_get_idx(runs, i)))
            json_object_array_add(result_array(results, "runs"), json_object_get(json_object_array_get_idx(runs, i)));
}

static struct json_object *run_targets(const struct parsing *p, const struct places *places)
{
    static struct work work;
    struct json_object *results = results_new();

    make_jobs(&work, p, places);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    run_all(&work, p->jobs);
    for (size_t i = 0; i < work.nr; i++) {
        add_runs(results, work.job[i].runs);
        json_object_put(work.job[i].runs);
    }
    return results;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static struct json_object *read_files(const struct parsing *p)
{
    struct json_object *results = results_new();

    for (size_t i = 0; i < p->nr_files; i++) {
        struct json_object *read = json_object_from_file(p->file[i]);

        if (!result_array(read, "runs") || strcmp(result_text(read, "format"), RESULT_FORMAT)) {
            fprintf(stderr, "hvshim conform: %s is not what --json writes\n", p->file[i]);
            json_object_put(read);
            json_object_put(results);
            return NULL;
        }
        result_clean(read);
        add_runs(results, result_array(read, "runs"));
        json_object_put(read);
    }
    return results;
}

static int write_output(const struct output *output, struct json_object *results)
{
    bool is_stdout = !strcmp(output->file, "-");
    FILE *file = is_stdout ? stdout : fopen(output->file, "we");
    bool is_good = file && output->write(results, file);

    if (file && !is_stdout && fclose(file))
        is_good = false;
    if (!is_good)
        fprintf(stderr, "hvshim conform: %s: %s\n", output->file, strerror(errno));
    return is_good ? 0 : CANNOT;
}

static int judge(struct json_object *results)
{
    size_t nr = result_length(results, "runs"), not_here = 0;
    int status = 0;

    for (size_t i = 0; i < nr; i++) {
        struct json_object *run = json_object_array_get_idx(result_array(results, "runs"), i);

        not_here += !strcmp(result_text(run, "state"), STATE_NOT_HERE);
        if (!result_is_good(run))
            status = UNEXPECTED;
    }
    return nr == not_here ? NOT_HERE : status;
}

static int list(const struct places *places)
{
    printf("%-16s %-23s %s\n", "target", "personas", "what it is");
    for (size_t i = 0; i < nr_targets; i++) {
        struct target_request request = {.places = places, .image = places->image};
        const char *why = target_refuses(&targets[i], &request);

        printf("%-16s %-23s %s", targets[i].name, targets[i].personas, targets[i].about);
        puts("");
        if (why || request.in_rig)
            printf("%-40s (%s)\n", "", why ? why : "here in the rig, which takes minutes");
    }
    return 0;
}

static int copy_image(const char *from, const char *to)
{
    FILE *in = fopen(from, "re"), *out = in ? fopen(to, "we") : NULL;
    char bytes[65536];
    size_t got;
    bool is_good = in && out;

    while (is_good && (got = fread(bytes, 1, sizeof(bytes), in)) > 0)
        is_good = fwrite(bytes, 1, got, out) == got;
    if (in)
        fclose(in);
    if (out && fclose(out))
        is_good = false;
    if (!is_good)
        fprintf(stderr, "hvshim conform: %s: %s\n", to, strerror(errno));
    else
        fprintf(stderr, "hvshim conform: boot %s by multiboot or PVH, told \"all names\"; keep what it writes to COM1 "
                "for --log\n", to);
    return is_good ? 0 : CANNOT;
}

static int write_all(const struct parsing *p, struct json_object *results)
{
    bool has_stdout = false;
    int status = 0;

    for (int i = 0; i < NR_OUTPUTS; i++) {
        if (!p->output[i].file)
            continue;
        has_stdout |= !strcmp(p->output[i].file, "-");
        status |= write_output(&p->output[i], results);
    }
    if (!has_stdout)
        format_summary(results, stdout);
    return status;
}

int conform_main(int argc, char **argv)
{
    static const struct argp argp = {.options = option_table, .parser = parse, .doc = doc,
                                     .args_doc = "\npage FILE..."};
    static struct places places;
    struct parsing p = {
        .jobs = 1,
        .output = {{format_tap, NULL}, {format_junit, NULL}, {format_json, NULL}, {format_html, NULL}},
    };
    struct json_object *results;
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &p);
    target_find_places(&places);
    if (p.is_list)
        return list(&places);
    if (p.write_image)
        return copy_image(p.image ? p.image : places.image, p.write_image);
    if (p.nr_on == 0)
        p.on[p.nr_on++] = "vm";
    results = p.is_page ? read_files(&p) : run_targets(&p, &places);
    if (!results)
        return CANNOT;
    if (result_length(results, "runs") == 0) {
        fprintf(stderr, "hvshim conform: no such target has such a persona (--list)\n");
        return WRONG_USAGE;
    }
    status = write_all(&p, results);
    status = status ? status : judge(results);
    json_object_put(results);
    return status;
}
