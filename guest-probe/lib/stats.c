/*
 * The hypervisor's own statistics, where it shows them: hvshim-metal does in pages of memory [metal_stats_abi.h].
 */
#include "metal_stats_abi.h"
#include "report.h"
#include "stats.h"

enum { LINE_BYTES = 512 };

static void print_head(void)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    text_add(&line, "\nthe hypervisor's statistics\n  %-8s %-9s %-50s %12s %9s\n", "of", "kind", "row", "exits",
             "cycles");
    env_print(buffer, line.used);
}

static void print_row(const struct hvs_metal_stats_row *row, const struct probe_options *options)
{
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);
    uint64_t each = row->cycles / row->hits;

    if (options->wants_table)
        text_add(&line, "  %-8s %-9s %-50s %12" PRIu64 " %9" PRIu64 "\n", row->personality, row->kind, row->name,
                 row->hits, each);
    if (options->wants_json)
        text_add(&line, "{\"type\":\"stat\",\"personality\":\"%s\",\"kind\":\"%s\",\"name\":\"%s\",\"hits\":%" PRIu64
                 ",\"cycles\":%" PRIu64 "}\n", row->personality, row->kind, row->name, row->hits, row->cycles);
    env_print(buffer, line.used);
}

static bool refuse(const struct probe_options *options, const char *why)
{
    return report_missing(options, "the hypervisor's statistics", "stat", why);
}

static bool is_sound(const struct hvs_metal_stats *stats, uint32_t bytes)
{
    return bytes >= sizeof(*stats) && stats->signature == HVS_METAL_STATS_SIGNATURE &&
           stats->version == HVS_METAL_STATS_VERSION && stats->row_bytes >= sizeof(stats->row[0]) &&
           stats->nr_rows <= (bytes - sizeof(*stats)) / stats->row_bytes;
}

bool stats_report(const struct probe_options *options)
{
    const struct hvs_metal_stats *stats;
    struct env_cpuid where;

    env_cpuid(HVS_METAL_STATS_LEAF, 0, &where);
    if (where.eax != HVS_METAL_STATS_SIGNATURE)
        return refuse(options, "none are shown; hvshim-metal does with stats=page");
    stats = env_map((uint64_t)where.edx << 32 | where.ecx, where.ebx);
    if (stats == NULL)
        return refuse(options, "cannot be read from here; under Linux root can, by /dev/mem");
    if (!is_sound(stats, where.ebx))
        return refuse(options, "of a form that this program does not know");
    if (options->wants_table)
        print_head();
    for (uint32_t i = 0; i < stats->nr_rows; i++) {
        struct hvs_metal_stats_row row = *(const struct hvs_metal_stats_row *)
            ((const uint8_t *)stats->row + (uint64_t)i * stats->row_bytes);

        if (row.hits != 0)
            print_row(&row, options);
    }
    return true;
}
