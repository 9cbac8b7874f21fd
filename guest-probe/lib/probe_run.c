/*
 * One run: look for interfaces, answer every row of each, report, count.
 */
#include "env.h"
#include "probe.h"
#include "report.h"
#include "stats.h"
#include "trace.h"
#include "verdict.h"

enum {
    CPUID_FEATURES = 1,
    CPUID_HYPERVISOR = 1u << 31,        /* ECX */
};

static const struct probe_options *current;

const struct probe_options *probe_current_options(void)
{
    return current;
}

/* Whether the word that starts at `word` and has `length` letters is `expected`; leading dashes do not count. */
static bool is_word(const char *word, uint32_t length, const char *expected)
{
    for (; length > 0 && *word == '-'; length--)
        word++;
    for (; length > 0 && *word == *expected; length--, word++)
        expected++;
    return length == 0 && *expected == '\0';
}

struct probe_options probe_options(const char *command_line)
{
    struct probe_options options = {0};

    while (*command_line != '\0') {
        uint32_t length = 0;
        while (command_line[length] != ' ' && command_line[length] != '\0')
            length++;
        bool wants_both = is_word(command_line, length, "both");
        options.wants_table |= wants_both || is_word(command_line, length, "table");
        options.wants_json |= wants_both || is_word(command_line, length, "json");
        options.allows_vmcall |= is_word(command_line, length, "vmcall");
        options.wants_stats |= is_word(command_line, length, "stats");
        options.wants_trace |= is_word(command_line, length, "trace");
        options.is_long |= is_word(command_line, length, "long");
        command_line += length;
        while (*command_line == ' ')
            command_line++;
    }
    if (!options.wants_json)
        options.wants_table = true;
    return options;
}

enum probe_state probe_say(enum probe_state state, struct text *evidence, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_add_list(evidence, format, arguments);
    va_end(arguments);
    return state;
}

enum probe_state probe_refused(enum env_answer answer, struct text *evidence, const char *access)
{
    if (answer == ENV_CANNOT)
        return probe_say(PROBE_UNTESTED, evidence, "needs CPL 0");
    return probe_say(PROBE_BROKEN, evidence, "%s raised an exception", access);
}

/* --- one row ------------------------------------------------------------------------------------------------------ */

static void read_kernel_clock(const struct probe_interface *face)
{
    (void)face;
    env_kernel_clock();
}

/* What a program under a kernel can say of a feature that only the kernel can use. */
static void ask_kernel(const struct probe_feature *feature, struct probe_row *row, struct text *evidence)
{
    const char *clocksource = env_fact(ENV_FACT_CLOCKSOURCE);

    row->state = PROBE_UNTESTED;
    if (feature->clocksource == NULL || clocksource == NULL) {
        text_add(evidence, "needs CPL 0");
    } else if (!text_is_equal(clocksource, feature->clocksource)) {
        text_add(evidence, "needs CPL 0; the kernel's clocksource is %s", clocksource);
    } else {
        row->state = PROBE_WORKS;
        text_add(evidence, "the kernel's clocksource; the cost is that of clock_gettime");
        row->has_cost = probe_time(NULL, read_kernel_clock, &row->cost_cycles);
    }
}

void probe_feature(const struct probe_interface *face, const struct probe_feature *feature, struct probe_row *row)
{
    *row = (struct probe_row){.feature = feature, .state = PROBE_ABSENT};
    if (!feature->is_advertised(face))
        return;

    struct text evidence = TEXT_IN(row->evidence);
    if (!env_is_cpl0() && feature->from == PROBE_FROM_CPL0) {
        ask_kernel(feature, row, &evidence);
        return;
    }
    row->state = feature->test(face, &evidence);
    bool can_time = env_is_cpl0() || feature->from == PROBE_FROM_ANY_CPL;
    if (row->state == PROBE_WORKS && feature->operation != NULL && can_time)
        row->has_cost = probe_time(face, feature->operation, &row->cost_cycles);
}

/* --- all rows ----------------------------------------------------------------------------------------------------- */

static void look_at_machine(struct report_machine *machine)
{
    struct env_cpuid regs;

    env_cpuid(CPUID_FEATURES, 0, &regs);
    *machine = (struct report_machine){
        .is_cpl0 = env_is_cpl0(),
        .has_hypervisor_bit = (regs.ecx & CPUID_HYPERVISOR) != 0,
        .kernel = env_fact(ENV_FACT_KERNEL),
    };
    machine->tsc_khz = env_tsc_khz(&machine->tsc_source);
    probe_time(NULL, probe_bare_exit, &machine->cpuid_cycles);
    if (current->wants_table)
        report_table_machine(machine);
    if (current->wants_json)
        report_json_machine(machine);
}

/* Rows of the table appear as they are answered, so that a hang shows where it is. */
static uint32_t probe_suite(const struct probe_interface *face, uint64_t tsc_khz, struct probe_row *row,
                            struct report_count *count)
{
    const struct probe_suite *suite = face->suite;
    uint32_t nr = suite->nr_features < PROBE_MAX_ROWS ? suite->nr_features : PROBE_MAX_ROWS;

    suite->begin(face);
    for (uint32_t i = 0; i < nr; i++) {
        probe_feature(face, &suite->feature[i], &row[i]);
        count->state[row[i].state]++;
        if (current->wants_table)
            report_table_row(&row[i], tsc_khz);
    }
    if (suite->end != NULL)
        suite->end(face);
    for (uint32_t i = 0; current->wants_json && i < nr; i++)
        report_json_row(face, &row[i], tsc_khz);
    return nr;
}

/* `known` has all interfaces and the one that is meant. */
static void probe_interface(struct verdict_case *known, uint64_t tsc_khz, struct report_count *total)
{
    struct probe_row row[PROBE_MAX_ROWS];
    struct report_count count = {0};
    struct verdict verdict;

    if (current->wants_table)
        report_table_interface(known->face);
    if (current->wants_json)
        report_json_interface(known->face);
    known->row = row;
    known->count = &count;
    known->nr_rows = known->face->suite != NULL ? probe_suite(known->face, tsc_khz, row, &count) : 0;
    verdict_reach(known, &verdict);
    if (current->wants_table)
        report_table_verdict(known, &verdict);
    if (current->wants_json)
        report_json_verdict(known, &verdict);
    for (uint32_t state = 0; state < PROBE_NR_STATES; state++)
        total->state[state] += count.state[state];
}

bool probe_run(const struct probe_options *options)
{
    struct probe_interface face[PROBE_MAX_INTERFACES];
    struct report_machine machine;
    struct report_count total = {0};

    current = options;
    look_at_machine(&machine);
    uint32_t nr = probe_scan(face, PROBE_MAX_INTERFACES);
    for (uint32_t i = 0; i < nr; i++) {
        struct verdict_case known = {
            .all = face, .nr_all = nr, .face = &face[i], .exit_cycles = machine.cpuid_cycles};
        probe_interface(&known, machine.tsc_khz, &total);
    }
    if (options->wants_table)
        report_table_total(&total);
    if (options->wants_json)
        report_json_total(&total);
    if (options->wants_stats)
        stats_report(options);
    if (options->wants_trace)
        trace_report(options);
    return total.state[PROBE_BROKEN] == 0;
}
