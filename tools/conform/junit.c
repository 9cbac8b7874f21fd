/* Results as JUnit XML. See formats.h. */
#include "formats.h"

#include "result.h"

#include <string.h>

#include <libxml/xmlwriter.h>

#define X(text) ((const xmlChar *)(text))

static void attribute(xmlTextWriterPtr xml, const char *name, const char *text)
{
    xmlTextWriterWriteAttribute(xml, X(name), X(text));
}

static void number(xmlTextWriterPtr xml, const char *name, size_t value)
{
    xmlTextWriterWriteFormatAttribute(xml, X(name), "%zu", value);
}

static void element(xmlTextWriterPtr xml, const char *name, const char *message, const char *text)
{
    xmlTextWriterStartElement(xml, X(name));
    attribute(xml, "message", message);
    if (*text)
        xmlTextWriterWriteString(xml, X(text));
    xmlTextWriterEndElement(xml);
}

static void begin_case(xmlTextWriterPtr xml, struct json_object *run, const char *chapter, const char *name)
{
    xmlTextWriterStartElement(xml, X("testcase"));
    xmlTextWriterWriteFormatAttribute(xml, X("classname"), "%s-%s.%s", result_text(run, "persona"),
                                      result_text(run, "target"), chapter);
    attribute(xml, "name", name);
}

static void write_point(xmlTextWriterPtr xml, struct json_object *run, struct json_object *point)
{
    struct json_object *deviation;
    enum result_verdict verdict = result_verdict(point);
    char name[600];

    result_name(point, name, sizeof(name));
    begin_case(xml, run, result_text(point, "chapter"), name);
    if (verdict == SKIP)
        element(xml, "skipped", result_text(point, "evidence"), "");
    else if (json_object_object_get_ex(point, "deviation", &deviation))
        element(xml, "skipped", result_text(point, "evidence"), result_text(deviation, "reason"));
    else if (verdict != SUCCESS)
        element(xml, verdict == FAILURE ? "failure" : "error", result_text(point, "evidence"),
                result_text(point, "ref"));
    xmlTextWriterEndElement(xml);
}

static void write_state(xmlTextWriterPtr xml, struct json_object *run)
{
    const char *state = result_text(run, "state");

    begin_case(xml, run, "run", "comes to its end");
    if (!strcmp(state, STATE_NOT_HERE))
        element(xml, "skipped", result_text(run, "note"), "");
    else if (strcmp(state, STATE_WHOLE))
        element(xml, "error", result_text(run, "note"), "");
    xmlTextWriterEndElement(xml);
}

static void write_counts(xmlTextWriterPtr xml, struct json_object *run)
{
    struct result_counts counts = result_count(run);
    const char *state = result_text(run, "state");
    size_t failures = result_length(run, "missing"), errors = 0, is_here = strcmp(state, STATE_NOT_HERE) != 0;

    for (size_t i = 0; i < result_length(run, "points"); i++) {
        struct json_object *point = json_object_array_get_idx(result_array(run, "points"), i);

        if (!result_deviates(point) || json_object_object_get_ex(point, "deviation", NULL))
            continue;
        if (result_verdict(point) == FAILURE)
            failures++;
        else
            errors++;
    }
    number(xml, "tests", result_length(run, "points") + result_length(run, "missing") + 1);
    number(xml, "failures", failures);
    number(xml, "errors", errors + (is_here && strcmp(state, STATE_WHOLE)));
    number(xml, "skipped", counts.nr[SKIP] + counts.expected + !is_here);
    attribute(xml, "time", *result_text(run, "seconds") ? result_text(run, "seconds") : "0");
}

static void write_unrepeated(xmlTextWriterPtr xml, struct json_object *run)
{
    struct json_object *deaths = result_array(run, "unrepeated");
    char text[1600];

    if (result_length(run, "unrepeated") == 0)
        return;
    xmlTextWriterStartElement(xml, X("system-out"));
    for (size_t i = 0; i < json_object_array_length(deaths); i++) {
        result_death(json_object_array_get_idx(deaths, i), text, sizeof(text));
        xmlTextWriterWriteString(xml, X(text));
        xmlTextWriterWriteString(xml, X("\n"));
    }
    xmlTextWriterEndElement(xml);
}

static void write_run(xmlTextWriterPtr xml, struct json_object *run)
{
    struct json_object *points = result_array(run, "points"), *missing = result_array(run, "missing");

    xmlTextWriterStartElement(xml, X("testsuite"));
    xmlTextWriterWriteFormatAttribute(xml, X("name"), "%s-%s", result_text(run, "persona"),
                                      result_text(run, "target"));
    write_counts(xml, run);
    for (size_t i = 0; i < result_length(run, "points"); i++)
        write_point(xml, run, json_object_array_get_idx(points, i));
    for (size_t i = 0; i < result_length(run, "missing"); i++) {
        struct json_object *entry = json_object_array_get_idx(missing, i);

        begin_case(xml, run, "expected", result_text(entry, "point"));
        element(xml, "failure", "expected to deviate, and does not", result_text(entry, "reason"));
        xmlTextWriterEndElement(xml);
    }
    write_state(xml, run);
    write_unrepeated(xml, run);
    xmlTextWriterEndElement(xml);
}

bool format_junit(struct json_object *results, FILE *out)
{
    xmlBufferPtr buffer = xmlBufferCreate();
    xmlTextWriterPtr xml = buffer ? xmlNewTextWriterMemory(buffer, 0) : NULL;

    if (xml) {
        xmlTextWriterSetIndent(xml, 1);
        xmlTextWriterStartDocument(xml, NULL, "UTF-8", NULL);
        xmlTextWriterStartElement(xml, X("testsuites"));
        for (size_t i = 0; i < result_length(results, "runs"); i++)
            write_run(xml, json_object_array_get_idx(result_array(results, "runs"), i));
        xmlTextWriterEndDocument(xml);
        xmlFreeTextWriter(xml);
        fputs((const char *)xmlBufferContent(buffer), out);
    }
    xmlBufferFree(buffer);
    return xml && fflush(out) == 0 && !ferror(out);
}
