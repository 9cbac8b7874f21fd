/*
 * `hvshim support`: what each personality answers, as Markdown, from its rows. The README's table is this output.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include <hvshim/personality.h>
#include <hvshim/translators.h>

enum { WRONG_USAGE = 64 };

static uint32_t count_msrs(const struct hvs_personality *p)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->nr_msr; i++)
        count += p->msr[i].last - p->msr[i].first + 1;
    return count;
}

static void print_summary(void)
{
    puts("| `--present` | CPUID leaves | MSRs | hypercalls | ports | features for `--set` (in brackets: off by default) |");
    puts("|---|---|---|---|---|---|");
    for (uint32_t i = 0; hvs_personalities[i]; i++) {
        const struct hvs_personality *p = hvs_personalities[i];

        printf("| `%s` | %u | %u | %u | %u |", p->name, p->nr_cpuid, count_msrs(p), p->nr_hcall, p->nr_pio);
        for (uint32_t f = 0; f < p->nr_features; f++)
            printf(p->feature[f].is_off_by_default ? " [%s]" : " %s", p->feature[f].name);
        puts(" |");
    }
}

static void print_row(const char *kind, const char *name, const struct hvs_personality *p, uint8_t feature,
                      const char *ref)
{
    printf("| %s | `%s` | %s | %s |\n", kind, name, feature < p->nr_features ? p->feature[feature].name : "", ref);
}

static void print_rows(const struct hvs_personality *p)
{
    printf("\n## %s\n\n| kind | name | feature | reference |\n|---|---|---|---|\n", p->title);
    for (uint32_t i = 0; i < p->nr_cpuid; i++)
        print_row("CPUID", p->cpuid[i].name, p, HVS_FEATURE_ALWAYS, p->cpuid[i].ref);
    for (uint32_t i = 0; i < p->nr_msr; i++)
        print_row("MSR", p->msr[i].name, p, p->msr[i].feature, p->msr[i].ref);
    for (uint32_t i = 0; i < p->nr_hcall; i++)
        print_row("hypercall", p->hcall[i].name, p, p->hcall[i].feature, p->hcall[i].ref);
    for (uint32_t i = 0; i < p->nr_pio; i++)
        print_row("port", p->pio[i].name, p, p->pio[i].feature, p->pio[i].ref);
}

int support_main(int argc, char **argv)
{
    bool has_rows = argc == 2 && !strcmp(argv[1], "--rows");

    if (argc > 2 || (argc == 2 && !has_rows)) {
        fprintf(strcmp(argv[1], "--help") ? stderr : stdout,
                "usage: hvshim support [--rows]\n"
                "Print what each personality answers, as a Markdown table; with --rows, every single row.\n");
        return strcmp(argv[1], "--help") ? WRONG_USAGE : 0;
    }
    print_summary();
    for (uint32_t i = 0; has_rows && hvs_personalities[i]; i++)
        print_rows(hvs_personalities[i]);
    return 0;
}
