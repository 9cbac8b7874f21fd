/*
 * `hvshim stats`: what the exits of a running VM are for, again and again.
 *
 * A sample is the line of JSON that the VM gives of itself. Rates are those since the sample before; of the first one,
 * since the VM began. What cannot be compared with the sample before (the VM was made anew) counts as a first one.
 */
#include "stats.h"

#include "vms.h"

#include <argp.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { FAILED = 1, KEY_JSON = 0x100, KEY_INTERVAL, KEY_COUNT, DEFAULT_LINES = 24, MOST_VMS = 64 };

static const struct argp_option option_table[] = {
    {"json", KEY_JSON, NULL, 0, "Print a line of JSON for each VM of the process, with all rows", 0},
    {"interval", KEY_INTERVAL, "SECONDS", 0, "Print again after so many seconds, until the VM ends (on a terminal, for "
     "people: 1; else: print once)", 0},
    {"count", KEY_COUNT, "N", 0, "Print N times", 0},
    {0},
};

static const char doc[] =
    "Show the exits of a running VM, and the rows that served them.\v"
    "VM is the process id of the VMM, or the name that QEMU was given (libvirt: the domain's). Without it, list the "
    "VMs that you can ask: your own (root: all) of hvshim vm, of hvshim run, and of domains that hvshim virt enabled.\n\n"
    "Exit status:\n"
    "  0   done, or the VM has ended\n"
    "  1   there is no such VM\n"
    "  64  wrong usage\n";

struct parsing {
    const char *target;
    bool is_json;
    double interval_s;          /* 0: not given */
    unsigned long count;        /* 0: no limit */
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *p = state->input;
    char *end;

    switch (key) {
    case KEY_JSON:
        p->is_json = true;
        return 0;
    case KEY_INTERVAL:
        p->interval_s = strtod(text, &end);
        if (*end || !(p->interval_s >= 0.1 && p->interval_s <= 86400))
            argp_error(state, "--interval: '%s' is not a number of seconds from 0.1 on", text);
        return 0;
    case KEY_COUNT:
        p->count = strtoul(text, &end, 10);
        if (*end || *text == '-' || p->count == 0)
            argp_error(state, "--count: '%s' is not a number from 1 on", text);
        return 0;
    case ARGP_KEY_ARG:
        if (p->target)
            argp_error(state, "one VM only, not '%s' too", text);
        p->target = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* --- samples ---------------------------------------------------------------------------------------------------- */

struct samples {
    struct json_object *vm[MOST_VMS];
    size_t nr;
};

static void drop(struct samples *samples)
{
    for (size_t i = 0; i < samples->nr; i++)
        json_object_put(samples->vm[i]);
    samples->nr = 0;
}

/* Returns 0, or -1 with errno. */
static int take(const struct vms_process *process, struct samples *samples)
{
    const struct hvs_text none = {"", 0};
    char *text, *rest, *line;
    size_t bytes;
    int status;

    samples->nr = 0;
    if (vms_ask(process, CONTROL_STATS, none, none, &status, &text, &bytes))
        return -1;
    rest = text;
    while ((line = strsep(&rest, "\n")) && samples->nr < MOST_VMS) {
        struct json_object *vm = *line ? json_tokener_parse(line) : NULL;

        if (json_object_is_type(vm, json_type_object))
            samples->vm[samples->nr++] = vm;
        else
            json_object_put(vm);
    }
    free(text);
    if (samples->nr)
        return 0;
    errno = EPROTO;
    return -1;
}

static double number(struct json_object *of, const char *name)
{
    struct json_object *value;

    return json_object_object_get_ex(of, name, &value) ? json_object_get_double(value) : 0;
}

static const char *word(struct json_object *of, const char *name)
{
    struct json_object *value;

    return json_object_object_get_ex(of, name, &value) ? json_object_get_string(value) : "";
}

/* --- the table -------------------------------------------------------------------------------------------------- */

struct line {
    char name[64];
    double count, rate;         /* per second */
};

struct table {
    struct line *line;
    size_t nr;
    double seconds;             /* that the rates are of */
};

/* Names come from another process, and go to a terminal. */
static void add(struct table *table, double count, const char *first, const char *second, const char *third)
{
    struct line *grown = realloc(table->line, (table->nr + 1) * sizeof(*grown)), *line;

    if (!grown)
        return;
    table->line = grown;
    line = &grown[table->nr++];
    *line = (struct line){.count = count};
    snprintf(line->name, sizeof(line->name), "%-8s %-9s %s", first, second, third);
    for (char *c = line->name; *c; c++)
        *c = *c >= ' ' && *c < 0x7f ? *c : '?';
}

static void add_kinds(struct table *table, struct json_object *vm)
{
    struct json_object *exits;

    if (!json_object_object_get_ex(vm, "exits", &exits) || !json_object_is_type(exits, json_type_object))
        return;
    json_object_object_foreach(exits, kind, counts) {
        add(table, number(counts, "count"), "exits", kind, "");
        add(table, number(counts, "unhandled"), "exits", kind, "(owned by no row)");
    }
}

static void add_rows(struct table *table, struct json_object *vm)
{
    struct json_object *rows;

    if (!json_object_object_get_ex(vm, "rows", &rows) || !json_object_is_type(rows, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);

        add(table, number(row, "hits"), word(row, "personality"), word(row, "kind"), word(row, "name"));
    }
}

static void add_foreign(struct table *table, struct json_object *vm)
{
    struct json_object *exits;

    if (!json_object_object_get_ex(vm, "vmm_exits", &exits) || !json_object_is_type(exits, json_type_object))
        return;
    json_object_object_foreach(exits, reason, count)
        add(table, json_object_get_double(count), "VMM", "KVM_EXIT", reason);
}

static struct table read_table(struct json_object *vm)
{
    struct table table = {.seconds = number(vm, "seconds")};

    add_kinds(&table, vm);
    add_rows(&table, vm);
    add_foreign(&table, vm);
    add(&table, number(vm, "kicks"), "kicks", "", "");
    return table;
}

/* Rates since `before`, where that is the same VM's. */
static void rate(struct table *now, const struct table *before)
{
    bool has_before = before && before->seconds < now->seconds;
    double seconds = has_before ? now->seconds - before->seconds : now->seconds;

    for (size_t i = 0, at = 0; i < now->nr; i++) {
        double old = 0;

        for (size_t j = 0; has_before && j < before->nr; j++, at++) {
            const struct line *line = &before->line[at % before->nr];

            if (strcmp(line->name, now->line[i].name))
                continue;
            old = line->count;
            at++;               /* the next one is most likely the next one there */
            break;
        }
        now->line[i].rate = seconds > 0 && now->line[i].count >= old ? (now->line[i].count - old) / seconds : 0;
    }
}

static int compare(const void *left, const void *right)
{
    const struct line *a = left, *b = right;

    if (a->rate != b->rate)
        return a->rate < b->rate ? 1 : -1;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : strcmp(a->name, b->name);
}

/* Prints at most `room` lines, the busiest first, of what was used at all. Returns how many it printed. */
static size_t print_table(struct json_object *vm, struct json_object *vm_before, size_t room)
{
    struct table now = read_table(vm), before = vm_before ? read_table(vm_before) : (struct table){.nr = 0};
    size_t printed = 1;
    char head[64];

    rate(&now, vm_before ? &before : NULL);
    qsort(now.line, now.nr, sizeof(*now.line), compare);
    snprintf(head, sizeof(head), "ran %.1f s, vCPUs: %.0f", now.seconds, number(vm, "cpus"));
    printf("%-44s %14s %14s\n", head, "count", "per second");
    for (size_t i = 0; i < now.nr && printed < room; i++) {
        if (now.line[i].count <= 0)
            continue;
        printf("%-44s %14.0f %14.1f\n", now.line[i].name, now.line[i].count, now.line[i].rate);
        printed++;
    }
    free(now.line);
    free(before.line);
    return printed;
}

static size_t terminal_lines(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : DEFAULT_LINES;
}

static void print_tables(const struct vms_process *process, const struct samples *now, const struct samples *before)
{
    bool is_refreshed = isatty(STDOUT_FILENO);
    size_t room = is_refreshed ? terminal_lines() - 1 : SIZE_MAX;

    if (is_refreshed)
        fputs("\033[H\033[J", stdout);
    printf("process %d %s\n", (int)process->pid, process->name);
    for (size_t i = 0; i < now->nr && room > 2; i++)
        room -= print_table(now->vm[i], i < before->nr ? before->vm[i] : NULL, room - 1);
}

/* --- the command ------------------------------------------------------------------------------------------------ */

/* The personalities that have rows. */
static void print_personas(struct json_object *vm)
{
    struct json_object *rows;
    const char *last = "";

    if (!json_object_object_get_ex(vm, "rows", &rows) || !json_object_is_type(rows, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        const char *name = word(json_object_array_get_idx(rows, i), "personality");

        if (strcmp(name, last))
            printf("%s%.*s", *last ? "," : "", (int)strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), name);
        last = name;
    }
}

static int list(void)
{
    struct vms_process *found;
    size_t nr = vms_list(&found);
    struct samples samples;

    printf("%8s  %-24s %s\n", "process", "name", "presents");
    for (size_t i = 0; i < nr; i++) {
        if (take(&found[i], &samples))
            continue;           /* another's, or it is ending */
        printf("%8d  %-24s ", (int)found[i].pid, found[i].name);
        for (size_t vm = 0; vm < samples.nr; vm++) {
            fputs(vm ? " " : "", stdout);
            print_personas(samples.vm[vm]);
        }
        puts("");
        drop(&samples);
    }
    free(found);
    return 0;
}

static void print(const struct parsing *p, const struct vms_process *process, const struct samples *now,
                  const struct samples *before)
{
    if (!p->is_json)
        print_tables(process, now, before);
    for (size_t i = 0; p->is_json && i < now->nr; i++)
        puts(json_object_to_json_string_ext(now->vm[i], JSON_C_TO_STRING_PLAIN));
    fflush(stdout);
}

static int show(const struct parsing *p, const struct vms_process *process)
{
    struct timespec pause = {(time_t)p->interval_s, (long)((p->interval_s - (double)(time_t)p->interval_s) * 1e9)};
    struct samples now, before = {.nr = 0};

    for (unsigned long done = 0;; before = now) {
        if (take(process, &now)) {
            drop(&before);
            if (done && (errno == ENOENT || errno == ECONNREFUSED || errno == ECONNRESET || errno == EPIPE))
                return 0;
            fprintf(stderr, "hvshim stats: process %d cannot be asked: %s\n", (int)process->pid, strerror(errno));
            return FAILED;
        }
        print(p, process, &now, &before);
        drop(&before);
        if (++done == p->count || p->interval_s <= 0 || ferror(stdout))
            break;
        nanosleep(&pause, NULL);
    }
    drop(&now);
    return ferror(stdout) ? FAILED : 0;
}

int stats_main(int argc, char **argv)
{
    static const struct argp argp = {.options = option_table, .parser = parse, .args_doc = "[VM]", .doc = doc};
    struct parsing p = {.target = NULL};
    struct vms_process process;

    argp_parse(&argp, argc, argv, 0, NULL, &p);
    if (!p.target)
        return list();
    if (p.interval_s <= 0 && (p.count > 1 || (isatty(STDOUT_FILENO) && !p.is_json)))
        p.interval_s = 1;
    return vms_find("hvshim stats", p.target, &process) ? FAILED : show(&p, &process);
}
