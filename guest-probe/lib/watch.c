/*
 * The cost over time [watch.h]: in each interval one burst of single operations of each kind, then rest.
 *
 * A burst is short, so what happens only between bursts is not seen. The 99th percentile tells of the host taking the
 * CPU away, the median of a cost that has changed.
 */
#include "watch.h"

#include "cpu.h"
#include "env.h"
#include "report_watch.h"

enum {
    NR_SAMPLES = 1000,
    P99 = NR_SAMPLES * 99 / 100,
};

static void read_clock(const struct probe_interface *face)
{
    (void)face;
    env_kernel_clock();
}

static void read_tsc(const struct probe_interface *face)
{
    (void)face;
    cpu_rdtsc();
}

static void read_vmware_port(const struct probe_interface *face)
{
    struct probe_interface found;
    (void)face;
    probe_vmware_by_port(&found);
}

static bool always(void)
{
    return true;
}

static bool has_vmware_port(void)
{
    struct probe_interface found;
    return probe_vmware_by_port(&found);
}

static const struct {
    struct watch_name name;
    bool (*is_there)(void);
    void (*operation)(const struct probe_interface *face);
} kind[] = {
    {{"clock_read", "clock read"}, always, read_clock},
    {{"rdtsc", "RDTSC"}, always, read_tsc},
    {{"exit", "bare exit (CPUID)"}, always, probe_bare_exit},
    {{"vmware_port", "VMware port"}, has_vmware_port, read_vmware_port},
};

#define NR_KINDS (sizeof(kind) / sizeof(kind[0]))
_Static_assert(NR_KINDS <= WATCH_MAX_COSTS, "one cost a kind");

static uint64_t less(uint64_t cycles, uint64_t overhead)
{
    return cycles > overhead ? cycles - overhead : 0;
}

/* Leaves the cost at zeros where the operation raises an exception. */
static void measure(void (*operation)(const struct probe_interface *face), uint64_t overhead, struct watch_cost *cost)
{
    static uint64_t cycles[NR_SAMPLES];

    if (!probe_samples(NULL, operation, cycles, NR_SAMPLES))
        return;
    cost->median = less(probe_median(cycles, NR_SAMPLES), overhead);
    cost->min = less(cycles[0], overhead);      /* sorted now */
    cost->p99 = less(cycles[P99], overhead);
}

static void add_to_total(const struct watch_cost *now, bool is_first, struct watch_total *total)
{
    if (is_first)
        *total = (struct watch_total){now->min, now->median, now->median, now->p99};
    if (now->min < total->min)
        total->min = now->min;
    if (now->median < total->lowest_median)
        total->lowest_median = now->median;
    if (now->median > total->highest_median)
        total->highest_median = now->median;
    if (now->p99 > total->highest_p99)
        total->highest_p99 = now->p99;
}

static void look_who_is_there(struct watch_report *report, void (**operation)(const struct probe_interface *face))
{
    for (uint32_t i = 0; i < NR_KINDS; i++) {
        if (!kind[i].is_there())
            continue;
        report->name[report->nr] = kind[i].name;
        operation[report->nr++] = kind[i].operation;
    }
}

void watch_run(const struct probe_options *options, const struct watch_options *watch)
{
    void (*operation[NR_KINDS])(const struct probe_interface *face);
    struct watch_report report = {.interval_ms = watch->interval_ns / 1000000};
    struct watch_total total[NR_KINDS];
    struct watch_cost empty = {0};
    const char *source;

    report.tsc_khz = env_tsc_khz(&source);
    look_who_is_there(&report, operation);
    measure(probe_nothing, 0, &empty);
    if (options->wants_table)
        report_table_watch_begin(&report);

    uint64_t begin = cpu_rdtsc();
    do {
        struct watch_cost cost[NR_KINDS] = {0};
        uint64_t elapsed = cpu_rdtsc() - begin;
        report.at_ms = report.tsc_khz != 0 ? elapsed / report.tsc_khz : report.nr_intervals * report.interval_ms;
        for (uint32_t i = 0; i < report.nr; i++) {
            measure(operation[i], empty.median, &cost[i]);
            add_to_total(&cost[i], report.nr_intervals == 0, &total[i]);
        }
        report.nr_intervals++;
        if (options->wants_table)
            report_table_watch(&report, cost);
        if (options->wants_json)
            report_json_watch(&report, cost);
    } while (report.nr_intervals != watch->nr_intervals && env_rest(watch->interval_ns));

    if (options->wants_table)
        report_table_watch_end(&report, total);
    if (options->wants_json)
        report_json_watch_end(&report, total);
}
