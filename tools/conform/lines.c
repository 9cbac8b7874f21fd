/* The lines of hvshim-conform. See lines.h. */
#include "lines.h"

#include "result.h"

#include <stdio.h>
#include <string.h>

void lines_init(struct lines *lines, struct json_object *points, unsigned from)
{
    *lines = (struct lines){
        .points = points, .from = from, .highest = from ? from - 1 : 0, .nr_before = json_object_array_length(points),
    };
}

static void copy(char *to, size_t bytes, const char *text, size_t length)
{
    snprintf(to, bytes, "%.*s", (int)length, text);
}

static struct json_object *add_point(struct lines *lines, const char *verdict, const char *name, size_t length)
{
    struct json_object *point = json_object_new_object();
    const char *colon = memmem(name, length, ": ", 2);
    size_t subject = colon ? (size_t)(colon - name) : length;

    result_set(point, "chapter", *lines->chapter ? lines->chapter : "points");
    json_object_object_add(point, "subject", json_object_new_string_len(name, (int)subject));
    json_object_object_add(point, "check", json_object_new_string_len(colon ? colon + 2 : "",
                                                                      (int)(colon ? length - subject - 2 : 0)));
    result_set(point, "verdict", verdict);
    if (lines->number)
        json_object_object_add(point, "number", json_object_new_int64(lines->number));
    json_object_array_add(lines->points, point);
    lines->running[0] = 0;
    lines->number = 0;
    return point;
}

/* Where " [" is that opens what the last "]" closes; NULL: the text does not end so. */
static const char *find_ref(const char *text, size_t length)
{
    int depth = 0;

    for (size_t at = length; at > 1 && text[length - 1] == ']'; at--) {
        depth += (text[at - 1] == ']') - (text[at - 1] == '[');
        if (depth == 0)
            return text[at - 2] == ' ' ? &text[at - 2] : NULL;
    }
    return NULL;
}

/* VERDICT name [| evidence] [[ref]] */
static void take_verdict(struct lines *lines, const char *verdict, const char *text)
{
    size_t length = strlen(text), name;
    const char *ref, *evidence;
    struct json_object *point;

    ref = find_ref(text, length);
    if (ref)
        length = (size_t)(ref - text);
    evidence = memmem(text, length, " | ", 3);
    name = evidence ? (size_t)(evidence - text) : length;
    point = add_point(lines, verdict, text, name);
    if (evidence)
        json_object_object_add(point, "evidence",
                               json_object_new_string_len(evidence + 3, (int)(length - name - 3)));
    if (ref)
        json_object_object_add(point, "ref", json_object_new_string_len(ref + 2, (int)strlen(ref + 2) - 1));
}

/* Numbers only grow, unless the machine was reset. Returns whether to go on. */
static bool begins(struct lines *lines, unsigned number)
{
    size_t nr = json_object_array_length(lines->points) - lines->nr_before;

    lines->is_deaf |= number < lines->from;
    if (lines->is_deaf)
        return false;
    if (number <= lines->highest && lines->may_restart)
        json_object_array_del_idx(lines->points, lines->nr_before, nr);
    else if (number <= lines->highest)
        lines->was_reset = true;
    lines->highest = number;
    return !lines->was_reset;
}

static void take_line(struct lines *lines, const char *line)
{
    unsigned points, cpus;
    int at = 0;

    if (!strncmp(line, "CHAPTER ", 8)) {
        copy(lines->chapter, sizeof(lines->chapter), line + 8, strlen(line + 8));
    } else if (sscanf(line, "POINT %u %n", &points, &at) == 1 && at && points <= LINES_MAX_POINTS) {
        if (!begins(lines, points))
            return;
        copy(lines->running, sizeof(lines->running), line + at, strlen(line + at));
        lines->number = points;
        lines->has_begun = true;
    } else if (sscanf(line, "conform: %u points on %u CPUs", &points, &cpus) == 2) {
        lines->cpus = cpus;
        lines->has_ended = lines->has_begun = true;
        lines->running[0] = 0;
    } else {
        copy(lines->last, sizeof(lines->last), line, strlen(line));
        return;
    }
    lines->last[0] = 0;
}

static bool take_point(struct lines *lines, const char *line)
{
    for (int v = 0; v <= FAILURE; v++) {
        size_t length = strlen(result_verdict_name[v]);

        if (strncmp(line, result_verdict_name[v], length) || line[length] != ' ' || !strstr(line, ": "))
            continue;
        lines->has_begun = true;
        if (json_object_array_length(lines->points) < LINES_MAX_POINTS)
            take_verdict(lines, result_verdict_name[v], line + length + 1);
        return true;
    }
    return false;
}

/* The guest writes what it likes; what goes on is printable. A line that is too long is cut. */
void lines_feed(struct lines *lines, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];

        if (c == '\n') {
            lines_end(lines);
        } else if (c != '\r' && lines->used < sizeof(lines->line) - 1) {
            lines->line[lines->used++] = c >= ' ' && c < 0x7f ? c : '?';
        }
    }
}

void lines_end(struct lines *lines)
{
    lines->line[lines->used] = 0;
    if (lines->used && !lines->was_reset && !lines->is_deaf && !take_point(lines, lines->line))
        take_line(lines, lines->line);
    lines->used = 0;
}

void lines_give_up(struct lines *lines, const char *verdict, const char *evidence)
{
    char running[sizeof(lines->running)];

    copy(running, sizeof(running), lines->running, strlen(lines->running));
    result_set(add_point(lines, verdict, running, strlen(running)), "evidence", evidence);
}
