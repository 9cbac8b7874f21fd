/*
 * What --watch reports, as a table and as JSON lines [report_watch.h].
 */
#include "report_watch.h"

#include "env.h"
#include "report.h"
#include "text.h"

enum { LINE_BYTES = 768 };

static void print(const struct text *line)
{
    env_print(line->buffer, line->used);
}

static const char *unit(const struct watch_report *report)
{
    return report->tsc_khz != 0 ? "ns" : "cycles";
}

static uint64_t in_unit(const struct watch_report *report, uint64_t cycles)
{
    return report->tsc_khz != 0 ? report_ns(cycles, report->tsc_khz) : cycles;
}

static void add_seconds(struct text *line, uint64_t ms)
{
    text_add(line, "%6" PRIu64 ".%03u", ms / 1000, (unsigned int)(ms % 1000));
}

/* --- table -------------------------------------------------------------------------------------------------------- */

void report_table_watch_begin(const struct watch_report *report)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "%10s", unit(report));
    for (uint32_t i = 0; i < report->nr; i++)
        text_add(&line, "  | %23s", report->name[i].table);
    text_add(&line, "\n%10s", "seconds");
    for (uint32_t i = 0; i < report->nr; i++)
        text_add(&line, "  | %7s %7s %7s", "min", "median", "p99");
    text_add(&line, "\n");
    print(&line);
}

void report_table_watch(const struct watch_report *report, const struct watch_cost *cost)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    add_seconds(&line, report->at_ms);
    for (uint32_t i = 0; i < report->nr; i++)
        text_add(&line, "  | %7" PRIu64 " %7" PRIu64 " %7" PRIu64, in_unit(report, cost[i].min),
                 in_unit(report, cost[i].median), in_unit(report, cost[i].p99));
    text_add(&line, "\n");
    print(&line);
}

void report_table_watch_end(const struct watch_report *report, const struct watch_total *total)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "\n%u interval%s, %s\n", report->nr_intervals, report->nr_intervals == 1 ? "" : "s", unit(report));
    for (uint32_t i = 0; i < report->nr; i++)
        text_add(&line, "  %-18s min %" PRIu64 ", median %" PRIu64 " to %" PRIu64 ", highest p99 %" PRIu64 "\n",
                 report->name[i].table, in_unit(report, total[i].min), in_unit(report, total[i].lowest_median),
                 in_unit(report, total[i].highest_median), in_unit(report, total[i].highest_p99));
    print(&line);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static void begin_object(struct text *line, const struct watch_report *report, const char *type)
{
    text_add(line, "{\"type\":\"%s\",\"intervals\":%u,\"at_ms\":%" PRIu64 ",\"unit\":\"%s\"", type,
             report->nr_intervals, report->at_ms, unit(report));
}

void report_json_watch(const struct watch_report *report, const struct watch_cost *cost)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    begin_object(&line, report, "watch");
    for (uint32_t i = 0; i < report->nr; i++)
        text_add(&line, ",\"%s\":{\"min\":%" PRIu64 ",\"median\":%" PRIu64 ",\"p99\":%" PRIu64 "}",
                 report->name[i].json, in_unit(report, cost[i].min), in_unit(report, cost[i].median),
                 in_unit(report, cost[i].p99));
    text_add(&line, "}\n");
    print(&line);
}

void report_json_watch_end(const struct watch_report *report, const struct watch_total *total)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    begin_object(&line, report, "watch_total");
    for (uint32_t i = 0; i < report->nr; i++)
        text_add(&line,
                 ",\"%s\":{\"min\":%" PRIu64 ",\"lowest_median\":%" PRIu64 ",\"highest_median\":%" PRIu64
                 ",\"highest_p99\":%" PRIu64 "}",
                 report->name[i].json, in_unit(report, total[i].min), in_unit(report, total[i].lowest_median),
                 in_unit(report, total[i].highest_median), in_unit(report, total[i].highest_p99));
    text_add(&line, "}\n");
    print(&line);
}
