/*
 * What the guest asked its hypervisor for last, where that shows it: hvshim-metal does in pages of memory
 * [metal_stats_abi.h]. Rows have no names here; they stand where it tells the same on the serial port.
 */
#include "metal_stats_abi.h"
#include "report.h"
#include "trace.h"

enum { LINE_BYTES = 320 };

static const char *word(const char *const *words, uint32_t nr, uint32_t index)
{
    return index < nr ? words[index] : "?";
}

static void print_record(const struct hvs_metal_record *record, const struct probe_options *options)
{
    static const char *const kinds[] = {"cpuid", "rdmsr", "wrmsr", "hypercall", "pio", "timer", "reset", "host"};
    static const char *const verdicts[] = {"handled", "unhandled", "fault", "retry"};
    const char *kind = word(kinds, sizeof(kinds) / sizeof(kinds[0]), record->kind);
    const char *verdict = word(verdicts, sizeof(verdicts) / sizeof(verdicts[0]), record->verdict);
    char buffer[LINE_BYTES];
    struct text line = TEXT_IN(buffer);

    if (options->wants_table)
        text_add(&line, "  %12" PRIu64 " %3u %-9s %-9s 0x%-8" PRIx64 " 0x%" PRIx64 "\n", record->ns / 1000, record->cpu,
                 kind, verdict, record->key, record->value);
    if (options->wants_json)
        text_add(&line, "{\"type\":\"trace\",\"sequence\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"cpu\":%u,\"kind\":\"%s\","
                 "\"verdict\":\"%s\",\"key\":%" PRIu64 ",\"value\":%" PRIu64 "}\n", record->sequence, record->ns,
                 record->cpu, kind, verdict, record->key, record->value);
    env_print(buffer, line.used);
}

static bool refuse(const struct probe_options *options, const char *why)
{
    return report_missing(options, "the last exits", "trace", why);
}

/* It is written to meanwhile, so what is found is copied, and what is not in its place passed over. */
static void print_ring(const volatile struct hvs_metal_record *ring, uint32_t nr, const struct probe_options *options)
{
    uint64_t last = 0;

    for (uint32_t i = 0; i < nr; i++)
        last = ring[i].sequence > last ? ring[i].sequence : last;
    for (uint64_t back = last < nr ? last : nr; back > 0; back--) {
        const volatile struct hvs_metal_record *at = &ring[(last - back) % nr];
        struct hvs_metal_record record = *at;

        if (record.sequence == last - back + 1 && at->sequence == record.sequence)
            print_record(&record, options);
    }
}

bool trace_report(const struct probe_options *options)
{
    static const char head[] = "\nthe last exits\n            us CPU kind      answer    key        value\n";
    const volatile struct hvs_metal_record *ring;
    struct env_cpuid where;

    env_cpuid(HVS_METAL_TRACE_LEAF, 0, &where);
    if (where.eax != HVS_METAL_STATS_SIGNATURE)
        return refuse(options, "none are shown; hvshim-metal does with trace=page");
    ring = env_map((uint64_t)where.edx << 32 | where.ecx, where.ebx);
    if (ring == NULL || where.ebx < sizeof(*ring))
        return refuse(options, "cannot be read from here; under Linux root can, by /dev/mem");
    if (options->wants_table)
        env_print(head, sizeof(head) - 1);
    print_ring(ring, where.ebx / sizeof(*ring), options);
    return true;
}
