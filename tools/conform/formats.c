/* Results as text, JSON and TAP, and as a page. See formats.h. */
#include "formats.h"

#include "result.h"

#include <string.h>

/* page_data.S: page.html */
extern const char conform_page[], conform_page_end[];

static bool is_written(FILE *out)
{
    return fflush(out) == 0 && !ferror(out);
}

static struct json_object *run_at(struct json_object *results, size_t i)
{
    return json_object_array_get_idx(result_array(results, "runs"), i);
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static void print_points(struct json_object *run, FILE *out)
{
    struct json_object *points = result_array(run, "points"), *missing = result_array(run, "missing");

    for (size_t i = 0; i < result_length(run, "points"); i++) {
        struct json_object *point = json_object_array_get_idx(points, i);

        if (result_deviates(point) && !json_object_object_get_ex(point, "deviation", NULL))
            fprintf(out, "  %s %s: %s: %s | %s [%s]\n", result_text(point, "verdict"), result_text(point, "chapter"),
                    result_text(point, "subject"), result_text(point, "check"), result_text(point, "evidence"),
                    result_text(point, "ref"));
    }
    for (size_t i = 0; i < result_length(run, "missing"); i++)
        fprintf(out, "  expected to deviate, and does not: %s\n",
                result_text(json_object_array_get_idx(missing, i), "point"));
}

static void print_unrepeated(struct json_object *run, const char *begin, FILE *out)
{
    char text[1600];

    for (size_t i = 0; i < result_length(run, "unrepeated"); i++) {
        result_death(json_object_array_get_idx(result_array(run, "unrepeated"), i), text, sizeof(text));
        fprintf(out, "%s%s\n", begin, text);
    }
}

static void print_run(struct json_object *run, FILE *out)
{
    struct result_counts counts = result_count(run);
    const char *state = result_text(run, "state"), *note = result_text(run, "note");

    fprintf(out, "%-4s %s on %s: ", result_is_good(run) ? "ok" : "FAIL", result_text(run, "persona"),
            result_text(run, "target"));
    if (!strcmp(state, STATE_NOT_HERE)) {
        fprintf(out, "not here: %s\n", note);
        return;
    }
    fprintf(out, "%zu points:", result_length(run, "points"));
    for (int v = 0; v < NR_VERDICTS; v++)
        if (counts.nr[v])
            fprintf(out, " %u %s", counts.nr[v], result_verdict_name[v]);
    fprintf(out, "; %u deviations expected, %u not\n", counts.expected, counts.unexpected);
    if (strcmp(state, STATE_WHOLE))
        fprintf(out, "  it did not come to its end: %s\n", note);
    print_unrepeated(run, "  ", out);
    print_points(run, out);
}

bool format_summary(struct json_object *results, FILE *out)
{
    for (size_t i = 0; i < result_length(results, "runs"); i++)
        print_run(run_at(results, i), out);
    return is_written(out);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

bool format_json(struct json_object *results, FILE *out)
{
    fprintf(out, "%s\n", json_object_to_json_string_ext(results, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                                     JSON_C_TO_STRING_NOSLASHESCAPE));
    return is_written(out);
}

/* --- TAP ---------------------------------------------------------------------------------------------------------- */

/* In a description a # would begin a directive. */
static void print_tap_text(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (*text == '#' || *text == '\\')
            fputc('\\', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
}

static void print_tap_test(struct json_object *run, bool is_ok, size_t number, const char *what, FILE *out)
{
    fprintf(out, "%s %zu - ", is_ok ? "ok" : "not ok", number);
    print_tap_text(result_text(run, "persona"), out);
    fputs(" on ", out);
    print_tap_text(result_text(run, "target"), out);
    fputs(": ", out);
    print_tap_text(what, out);
}

static void print_tap_directive(const char *directive, const char *text, FILE *out)
{
    fprintf(out, " # %s ", directive);
    print_tap_text(text, out);
}

/* A quoted JSON string is one of YAML too. */
static void print_yaml(const char *key, const char *text, FILE *out)
{
    struct json_object *value = json_object_new_string(text);

    if (*text)
        fprintf(out, "  %s: %s\n", key, json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(value);
}

static void print_tap_point(struct json_object *run, struct json_object *point, size_t number, FILE *out)
{
    struct json_object *deviation = NULL;
    char name[600], what[800];

    result_name(point, name, sizeof(name));
    snprintf(what, sizeof(what), "%s: %s", result_text(point, "chapter"), name);
    print_tap_test(run, !result_deviates(point), number, what, out);
    if (result_verdict(point) == SKIP)
        print_tap_directive("SKIP", result_text(point, "evidence"), out);
    if (json_object_object_get_ex(point, "deviation", &deviation))
        print_tap_directive("TODO", result_text(deviation, "right"), out);
    fputc('\n', out);
    if (!result_deviates(point))
        return;
    fputs("  ---\n", out);
    print_yaml("verdict", result_text(point, "verdict"), out);
    print_yaml("evidence", result_text(point, "evidence"), out);
    print_yaml("reference", result_text(point, "ref"), out);
    print_yaml("reason", deviation ? result_text(deviation, "reason") : "", out);
    fputs("  ...\n", out);
}

static void print_tap_run(struct json_object *run, size_t *number, FILE *out)
{
    struct json_object *points = result_array(run, "points"), *missing = result_array(run, "missing");
    const char *state = result_text(run, "state");
    bool is_here = strcmp(state, STATE_NOT_HERE);
    char what[800];

    for (size_t i = 0; i < result_length(run, "points"); i++)
        print_tap_point(run, json_object_array_get_idx(points, i), ++*number, out);
    for (size_t i = 0; i < result_length(run, "missing"); i++) {
        snprintf(what, sizeof(what), "deviates as expected: %s",
                 result_text(json_object_array_get_idx(missing, i), "point"));
        print_tap_test(run, false, ++*number, what, out);
        fputc('\n', out);
    }
    print_unrepeated(run, "# ", out);
    print_tap_test(run, !is_here || !strcmp(state, STATE_WHOLE), ++*number, "comes to its end", out);
    if (!is_here)
        print_tap_directive("SKIP", result_text(run, "note"), out);
    fputc('\n', out);
    if (is_here && strcmp(state, STATE_WHOLE)) {
        fputs("  ---\n", out);
        print_yaml("note", result_text(run, "note"), out);
        fputs("  ...\n", out);
    }
}

bool format_tap(struct json_object *results, FILE *out)
{
    size_t all = 0, number = 0;

    for (size_t i = 0; i < result_length(results, "runs"); i++)
        all += result_length(run_at(results, i), "points") + result_length(run_at(results, i), "missing") + 1;
    fprintf(out, "TAP version 13\n1..%zu\n", all);
    for (size_t i = 0; i < result_length(results, "runs"); i++)
        print_tap_run(run_at(results, i), &number, out);
    return is_written(out);
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

/* In a script element, "<" could end it. */
static void print_in_script(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("\\u003c", out);
        else
            fputc(*text, out);
    }
}

bool format_html(struct json_object *results, FILE *out)
{
    static const char mark[] = "@RESULTS@";
    size_t bytes = (size_t)(conform_page_end - conform_page);
    const char *place = memmem(conform_page, bytes, mark, sizeof(mark) - 1);
    const char *rest = place ? place + sizeof(mark) - 1 : conform_page_end;

    fwrite(conform_page, 1, place ? (size_t)(place - conform_page) : bytes, out);
    print_in_script(json_object_to_json_string_ext(results, JSON_C_TO_STRING_PLAIN), out);
    fwrite(rest, 1, (size_t)(conform_page_end - rest), out);
    return is_written(out);
}
