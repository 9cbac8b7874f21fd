/* Deviations that are expected. See expected.h. */
#include "expected.h"

#include "result.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct json_object *entries;
    char *text[3];              /* of the comment: reason, spec, right */
    int field;                  /* that goes on */
    bool is_used;               /* an entry has it: the next comment is a new one */
};

static const char *const field_name[] = {"reason", "spec", "right"};
static const char *const field_mark[] = {"", "Spec: ", "Right: "};
enum { NR_FIELDS = 3 };

static void forget(struct reading *r)
{
    for (int i = 0; i < NR_FIELDS; i++) {
        free(r->text[i]);
        r->text[i] = NULL;
    }
    r->field = 0;
    r->is_used = false;
}

static void take_comment(struct reading *r, const char *text)
{
    char *grown;

    text += strspn(text, " ");
    if (r->is_used || !*text)
        forget(r);
    for (int i = 1; i < NR_FIELDS; i++) {
        if (strncmp(text, field_mark[i], strlen(field_mark[i])))
            continue;
        r->field = i;
        text += strlen(field_mark[i]);
    }
    if (!*text || asprintf(&grown, "%s%s%s", r->text[r->field] ? r->text[r->field] : "", r->text[r->field] ? " " : "",
                           text) < 0)
        return;
    free(r->text[r->field]);
    r->text[r->field] = grown;
}

static void take_entry(struct reading *r, const char *line)
{
    struct json_object *entry = json_object_new_object();
    bool is_perhaps = !strncmp(line, "? ", 2);

    result_set(entry, "point", is_perhaps ? line + 2 : line);
    for (int i = 0; i < NR_FIELDS; i++)
        if (r->text[i])
            result_set(entry, field_name[i], r->text[i]);
    if (is_perhaps)
        json_object_object_add(entry, "perhaps", json_object_new_boolean(true));
    json_object_array_add(r->entries, entry);
    r->is_used = true;
}

/* Those of the file that `line` names, beside the one at `path`. */
static void take_file(struct reading *r, const char *path, const char *line)
{
    const char *name = strrchr(path, '/');
    char other[PATH_MAX];

    snprintf(other, sizeof(other), "%.*s%s", (int)(name ? name + 1 - path : 0), path, line);
    struct json_object *entries = expected_read(other);
    for (size_t i = 0; entries && i < json_object_array_length(entries); i++)
        json_object_array_add(r->entries, json_object_get(json_object_array_get_idx(entries, i)));
    if (!entries)
        take_entry(r, line);    /* does not happen, so it is noticed */
    json_object_put(entries);
}

struct json_object *expected_read(const char *path)
{
    struct reading r = {.entries = NULL};
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;

    if (!file)
        return NULL;
    r.entries = json_object_new_array();
    while (getline(&line, &room, file) > 0) {
        line[strcspn(line, "\r\n")] = 0;
        if (*line == '#')
            take_comment(&r, line + 1);
        else if (*line == '@')
            take_file(&r, path, line + 1);
        else if (*line)
            take_entry(&r, line);
        else
            forget(&r);
    }
    forget(&r);
    free(line);
    fclose(file);
    return r.entries;
}

/* --- the comparison ----------------------------------------------------------------------------------------------- */

static bool matches(const char *pattern, const char *name)
{
    for (; *pattern && *pattern != '*'; pattern++, name++)
        if (*pattern != *name)
            return false;
    if (!*pattern)
        return !*name;
    for (;; name++) {
        if (matches(pattern + 1, name))
            return true;
        if (!*name)
            return false;
    }
}

enum { HAPPENED = 1, RAN = 2 };

/* Marks of each entry what became of it. */
static void mark(struct json_object *point, struct json_object *expected, unsigned char *marks)
{
    char name[600];

    result_name(point, name, sizeof(name));
    for (size_t e = 0; e < json_object_array_length(expected); e++) {
        struct json_object *entry = json_object_array_get_idx(expected, e);

        if (!matches(result_text(entry, "point"), name))
            continue;
        marks[e] |= RAN;
        if (!result_deviates(point))
            continue;
        marks[e] |= HAPPENED;
        json_object_object_add(point, "deviation", json_object_get(entry));
    }
}

void expected_compare(struct json_object *run, struct json_object *expected, bool is_part)
{
    size_t nr = json_object_array_length(expected);
    unsigned char *marks = calloc(nr + 1, 1);

    if (!marks)
        return;
    for (size_t i = 0; i < result_length(run, "points"); i++)
        mark(json_object_array_get_idx(result_array(run, "points"), i), expected, marks);
    for (size_t e = 0; e < nr; e++) {
        struct json_object *entry = json_object_array_get_idx(expected, e);

        if ((marks[e] & HAPPENED) || json_object_object_get_ex(entry, "perhaps", NULL))
            continue;
        if (!is_part || (marks[e] & RAN))
            json_object_array_add(result_array(run, "missing"), json_object_get(entry));
    }
    free(marks);
}
