/* What is known of a run. See result.h. */
#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/xmlstring.h>

const char *const result_verdict_name[NR_VERDICTS] = {"SUCCESS", "SKIP", "ERROR", "FAILURE", "CRASH", "HANG"};

const char *result_text(struct json_object *of, const char *name)
{
    struct json_object *value;
    const char *text = json_object_object_get_ex(of, name, &value) ? json_object_get_string(value) : NULL;

    return text ? text : "";
}

struct json_object *result_array(struct json_object *of, const char *name)
{
    struct json_object *value;

    return json_object_object_get_ex(of, name, &value) && json_object_is_type(value, json_type_array) ? value : NULL;
}

size_t result_length(struct json_object *of, const char *name)
{
    struct json_object *array = result_array(of, name);

    return array ? json_object_array_length(array) : 0;
}

void result_set(struct json_object *of, const char *name, const char *text)
{
    json_object_object_add(of, name, json_object_new_string(text));
}

struct json_object *result_new(const char *target, const char *persona)
{
    struct json_object *run = json_object_new_object();

    result_set(run, "target", target);
    result_set(run, "persona", persona);
    result_set(run, "state", STATE_CUT);
    json_object_object_add(run, "points", json_object_new_array());
    json_object_object_add(run, "missing", json_object_new_array());
    json_object_object_add(run, "unrepeated", json_object_new_array());
    return run;
}

bool result_is_run(struct json_object *run)
{
    return json_object_is_type(run, json_type_object) && result_array(run, "points") && result_array(run, "missing");
}

static void clean_text(struct json_object *text)
{
    char *clean = strdup(json_object_get_string(text));
    bool is_utf8 = clean && xmlCheckUTF8((const xmlChar *)clean);

    for (char *c = clean; c && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f || (*c & 0x80 && !is_utf8))
            *c = '?';
    json_object_set_string(text, clean ? clean : "");
    free(clean);
}

/* As deep as the parser lets it be. */
void result_clean(struct json_object *value)
{
    if (json_object_is_type(value, json_type_string))
        clean_text(value);
    for (size_t i = 0; json_object_is_type(value, json_type_array) && i < json_object_array_length(value); i++)
        result_clean(json_object_array_get_idx(value, i));
    if (!json_object_is_type(value, json_type_object))
        return;
    json_object_object_foreach(value, name, of) {
        (void)name;
        result_clean(of);
    }
}

enum result_verdict result_verdict(struct json_object *point)
{
    const char *name = result_text(point, "verdict");

    for (int v = 0; v < NR_VERDICTS; v++)
        if (!strcmp(name, result_verdict_name[v]))
            return (enum result_verdict)v;
    return ERROR;
}

bool result_deviates(struct json_object *point)
{
    return result_verdict(point) >= ERROR;
}

void result_name(struct json_object *point, char *name, size_t bytes)
{
    snprintf(name, bytes, "%s: %s", result_text(point, "subject"), result_text(point, "check"));
}

void result_death(struct json_object *death, char *text, size_t bytes)
{
    snprintf(text, bytes, "did not repeat: %s %s%s | %s", result_text(death, "verdict"),
             strncmp(result_text(death, "point"), "before ", 7) ? "at " : "", result_text(death, "point"),
             result_text(death, "evidence"));
}

struct result_counts result_count(struct json_object *run)
{
    struct result_counts counts = {.unexpected = (unsigned)result_length(run, "missing")};
    struct json_object *points = result_array(run, "points");

    for (size_t i = 0; i < result_length(run, "points"); i++) {
        struct json_object *point = json_object_array_get_idx(points, i);

        counts.nr[result_verdict(point)]++;
        if (!result_deviates(point))
            continue;
        if (json_object_object_get_ex(point, "deviation", NULL))
            counts.expected++;
        else
            counts.unexpected++;
    }
    return counts;
}

bool result_is_good(struct json_object *run)
{
    const char *state = result_text(run, "state");

    return !strcmp(state, STATE_NOT_HERE) || (!strcmp(state, STATE_WHOLE) && result_count(run).unexpected == 0);
}
