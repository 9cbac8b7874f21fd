/*
 * The report in its two forms: table and JSON lines [report.h].
 */
#include "report.h"

#include "env.h"
#include "verdict.h"

enum { LINE_BYTES = 512 };

/* The words of both forms; of the table's columns too, so at most eight letters. */
static const char *const state_word[PROBE_NR_STATES] = {
    [PROBE_ABSENT] = "-",
    [PROBE_WORKS] = "yes",
    [PROBE_BROKEN] = "NO",
    [PROBE_UNTESTED] = "untested",
};
static const char *const state_json[PROBE_NR_STATES] = {
    [PROBE_ABSENT] = "absent",
    [PROBE_WORKS] = "works",
    [PROBE_BROKEN] = "broken",
    [PROBE_UNTESTED] = "untested",
};

uint64_t report_ns(uint64_t cycles, uint64_t tsc_khz)
{
    return tsc_khz == 0 ? 0 : cycles * 1000000 / tsc_khz;
}

static void print(const struct text *line)
{
    env_print(line->buffer, line->used);
}

/* --- table -------------------------------------------------------------------------------------------------------- */

void report_table_machine(const struct report_machine *machine)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "guest-probe " PROBE_VERSION " at CPL %d: %s hypervisor bit, ", machine->is_cpl0 ? 0 : 3,
             machine->has_hypervisor_bit ? "has the" : "no");
    if (machine->tsc_khz != 0)
        text_add(&line, "TSC %" PRIu64 " kHz by %s, CPUID costs %" PRIu64 " ns\n", machine->tsc_khz,
                 machine->tsc_source, report_ns(machine->cpuid_cycles, machine->tsc_khz));
    else
        text_add(&line, "TSC of unknown rate, CPUID costs %" PRIu64 " cycles\n", machine->cpuid_cycles);
    if (machine->kernel != NULL)
        text_add(&line, "kernel says: %s\n", machine->kernel);
    print(&line);
}

void report_table_interface(const struct probe_interface *face)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    if (face->base != 0)
        text_add(&line, "\n%s: \"%s\" at 0x%08x, leaves to 0x%08x\n", face->title, face->signature, face->base,
                 face->max_leaf);
    else
        text_add(&line, "\n%s: by its port, without CPUID leaves\n", face->title);
    if (face->suite != NULL)
        text_add(&line, "  %-26s %-10s %-8s %9s %9s  %s\n", "feature", "advertised", "works", "ns", "cycles",
                 "evidence");
    print(&line);
}

static void add_cost(struct text *line, bool is_known, uint64_t cost)
{
    if (is_known)
        text_add(line, " %9" PRIu64, cost);
    else
        text_add(line, " %9s", "-");
}

void report_table_row(const struct probe_row *row, uint64_t tsc_khz)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "  %-26s %-10s %-8s", row->feature->name, row->state == PROBE_ABSENT ? "no" : "yes",
             state_word[row->state]);
    add_cost(&line, row->has_cost && tsc_khz != 0, report_ns(row->cost_cycles, tsc_khz));
    add_cost(&line, row->has_cost, row->cost_cycles);
    text_add(&line, "%s%s\n", row->evidence[0] == '\0' ? "" : "  ", row->evidence);
    print(&line);
}

static void add_counts(struct text *line, const struct report_count *count)
{
    text_add(line, "%u works, %u advertised but broken, %u absent", count->state[PROBE_WORKS],
             count->state[PROBE_BROKEN], count->state[PROBE_ABSENT]);
    if (count->state[PROBE_UNTESTED] != 0)
        text_add(line, ", %u untested", count->state[PROBE_UNTESTED]);
}

static void print_counts(const struct verdict_case *known)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);
    const char *separator = "; broken: ";

    text_add(&line, "%s: ", known->face->title);
    add_counts(&line, known->count);
    for (uint32_t i = 0; i < known->nr_rows; i++) {
        if (known->row[i].state != PROBE_BROKEN)
            continue;
        text_add(&line, "%s%s", separator, known->row[i].feature->name);
        separator = ", ";
    }
    text_add(&line, "\n");
    print(&line);
}

void report_table_verdict(const struct verdict_case *known, const struct verdict *verdict)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    if (known->face->suite != NULL)
        print_counts(known);
    text_add(&line, "verdict: %s\n", verdict->says);
    print(&line);
}

void report_table_total(const struct report_count *count)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "\nprobe: ");
    add_counts(&line, count);
    text_add(&line, "\n");
    print(&line);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static void add_member(struct text *line, const char *name, const char *value)
{
    text_add(line, ",\"%s\":\"", name);
    text_add_json(line, value);
    text_add(line, "\"");
}

static void add_number(struct text *line, const char *name, bool is_known, uint64_t value)
{
    if (is_known)
        text_add(line, ",\"%s\":%" PRIu64, name, value);
    else
        text_add(line, ",\"%s\":null", name);
}

static const char *interface_name(const struct probe_interface *face)
{
    return face->suite != NULL ? face->suite->name : "other";
}

void report_json_machine(const struct report_machine *machine)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "{\"type\":\"machine\",\"version\":\"" PROBE_VERSION "\",\"cpl\":%d,\"hypervisor_bit\":%s",
             machine->is_cpl0 ? 0 : 3, machine->has_hypervisor_bit ? "true" : "false");
    add_number(&line, "tsc_khz", machine->tsc_khz != 0, machine->tsc_khz);
    add_member(&line, "tsc_source", machine->tsc_source);
    add_number(&line, "cpuid_cycles", true, machine->cpuid_cycles);
    if (machine->kernel != NULL)
        add_member(&line, "kernel", machine->kernel);
    text_add(&line, "}\n");
    print(&line);
}

void report_json_interface(const struct probe_interface *face)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "{\"type\":\"interface\"");
    add_member(&line, "interface", interface_name(face));
    add_member(&line, "title", face->title);
    add_member(&line, "signature", face->signature);
    add_number(&line, "base", face->base != 0, face->base);
    add_number(&line, "max_leaf", face->base != 0, face->max_leaf);
    text_add(&line, "}\n");
    print(&line);
}

void report_json_row(const struct probe_interface *face, const struct probe_row *row, uint64_t tsc_khz)
{
    static const char *const works[PROBE_NR_STATES] = {
        [PROBE_ABSENT] = "null",
        [PROBE_WORKS] = "true",
        [PROBE_BROKEN] = "false",
        [PROBE_UNTESTED] = "null",
    };
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "{\"type\":\"feature\"");
    add_member(&line, "interface", interface_name(face));
    add_number(&line, "base", face->base != 0, face->base);
    add_member(&line, "feature", row->feature->name);
    text_add(&line, ",\"advertised\":%s,\"works\":%s", row->state == PROBE_ABSENT ? "false" : "true",
             works[row->state]);
    add_member(&line, "state", state_json[row->state]);
    add_number(&line, "cost_ns", row->has_cost && tsc_khz != 0, report_ns(row->cost_cycles, tsc_khz));
    add_number(&line, "cost_cycles", row->has_cost, row->cost_cycles);
    add_member(&line, "evidence", row->evidence);
    add_member(&line, "ref", row->feature->ref);
    text_add(&line, "}\n");
    print(&line);
}

static void add_json_counts(struct text *line, const struct report_count *count)
{
    for (uint32_t state = 0; state < PROBE_NR_STATES; state++)
        add_number(line, state_json[state], true, count->state[state]);
    text_add(line, ",\"sound\":%s}\n", count->state[PROBE_BROKEN] == 0 ? "true" : "false");
}

void report_json_verdict(const struct verdict_case *known, const struct verdict *verdict)
{
    char buffer[LINE_BYTES + VERDICT_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "{\"type\":\"verdict\"");
    add_member(&line, "interface", interface_name(known->face));
    add_number(&line, "base", known->face->base != 0, known->face->base);
    add_member(&line, "says", verdict->says);
    if (verdict->clock != NULL)
        add_member(&line, "clock", verdict->clock);
    else
        text_add(&line, ",\"clock\":null");
    add_number(&line, "clock_read_cycles", verdict->has_cost, verdict->clock_cycles);
    add_number(&line, "clock_read_exits", verdict->has_exits, verdict->clock_exits);
    add_json_counts(&line, known->count);
    print(&line);
}

void report_json_total(const struct report_count *count)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "{\"type\":\"total\"");
    add_json_counts(&line, count);
    print(&line);
}

bool report_missing(const struct probe_options *options, const char *what, const char *type, const char *why)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    if (options->wants_table)
        text_add(&line, "%s: %s\n", what, why);
    if (options->wants_json)
        text_add(&line, "{\"type\":\"%s\",\"missing\":\"%s\"}\n", type, why);
    print(&line);
    return false;
}
