/*
 * `hvshim support`: what each personality answers, as Markdown, from its rows. Tables in README and docs are this
 * output.
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

/* --- features -------------------------------------------------------------------------------------------------- */

static const struct {
    uint32_t cap;
    const char *name;
} caps[] = {
    {HVS_CAP_RETRY, "retry"},
    {HVS_CAP_RAW_HYPERCALL, "raw hypercalls"},
    {HVS_CAP_TSC_STABLE, "stable TSC"},
    {HVS_CAP_INJECT, "interrupts"},
    {HVS_CAP_TIMER, "timers"},
    {HVS_CAP_FLUSH, "TLB flush"},
    {HVS_CAP_BLOCK, "sleep"},
    {HVS_CAP_XMM, "XMM registers"},
    {HVS_CAP_STOP, "stop"},
    {HVS_CAP_RING3_PIO, "ports of ring 3"},
    {HVS_CAP_APIC, "APIC registers"},
    {HVS_CAP_PAST_APIC, "interrupts past the APIC"},
    {HVS_CAP_EOI_ASSIST, "EOI assistance"},
    {HVS_CAP_VCPU_TIME, "vCPU time"},
    {HVS_CAP_VCPU_START, "vCPU start"},
};

/* Puts a comma before every word but the first. */
static void print_word(const char **before, const char *word)
{
    printf("%s%s", *before, word);
    *before = ", ";
}

static void print_bits(const struct hvs_feature *feature)
{
    static const char *const reg[] = {[HVS_EAX] = "EAX", [HVS_EBX] = "EBX", [HVS_ECX] = "ECX", [HVS_EDX] = "EDX"};
    const char *before = "";

    for (size_t b = 0; b < HVS_ARRAY_SIZE(feature->bit) && feature->bit[b].leaf; b++) {
        printf("%s%u.%s.%u", before, feature->bit[b].leaf, reg[feature->bit[b].reg], feature->bit[b].bit);
        before = ", ";
    }
}

/* Names without the prefix that all of a kind have. */
static const char *short_name(const char *name)
{
    static const char *const prefix[] = {"HV_X64_MSR_", "HvCall", "HvExtCall"};

    for (size_t i = 0; i < HVS_ARRAY_SIZE(prefix); i++) {
        if (!strncmp(name, prefix[i], strlen(prefix[i])))
            return name + strlen(prefix[i]);
    }
    return name;
}

static void print_served(const struct hvs_personality *p, uint8_t feature)
{
    const char *before = "";

    for (uint32_t i = 0; i < p->nr_msr; i++)
        if (p->msr[i].feature == feature)
            print_word(&before, short_name(p->msr[i].name));
    for (uint32_t i = 0; i < p->nr_hcall; i++)
        if (p->hcall[i].feature == feature)
            print_word(&before, short_name(p->hcall[i].name));
    for (uint32_t i = 0; i < p->nr_pio; i++)
        if (p->pio[i].feature == feature)
            print_word(&before, p->pio[i].name);
    if (feature < p->nr_features && p->feature[feature].is_hint)
        print_word(&before, "(a hint)");
}

static void print_profiles(const struct hvs_personality *p, uint32_t feature)
{
    const char *before = "";

    for (uint32_t i = 0; i < p->nr_profiles; i++)
        if (p->profile[i].features >> feature & 1)
            print_word(&before, p->profile[i].name);
}

static void print_needs(const struct hvs_personality *p, const struct hvs_feature *feature)
{
    const char *before = "";

    for (uint32_t f = 0; f < p->nr_features; f++)
        if (feature->needs >> f & 1)
            print_word(&before, p->feature[f].name);
}

static void print_caps(const struct hvs_feature *feature)
{
    const char *before = "";

    for (size_t i = 0; i < HVS_ARRAY_SIZE(caps); i++)
        if (feature->caps & caps[i].cap)
            print_word(&before, caps[i].name);
}

static void print_features(const struct hvs_personality *p)
{
    puts("| feature | default | profiles | CPUID | MSRs, hypercalls | needs | host must offer |");
    puts("|---|---|---|---|---|---|---|");
    fputs("| | always | | | ", stdout);
    print_served(p, HVS_FEATURE_ALWAYS);
    puts(" | | |");
    for (uint32_t f = 0; f < p->nr_features; f++) {
        const struct hvs_feature *feature = &p->feature[f];

        printf("| `%s` | %s | ", feature->name, feature->is_off_by_default ? "off" : "on");
        print_profiles(p, f);
        fputs(" | ", stdout);
        print_bits(feature);
        fputs(" | ", stdout);
        print_served(p, (uint8_t)f);
        fputs(" | ", stdout);
        print_needs(p, feature);
        fputs(" | ", stdout);
        print_caps(feature);
        puts(" |");
    }
}

/* --- the command ----------------------------------------------------------------------------------------------- */

static int print_usage(FILE *out, int status)
{
    fputs("usage: hvshim support [--rows | --features NAME]\n"
          "Print what each personality answers, as a Markdown table; with --rows, every single row; with --features, "
          "the\nfeatures of one and what each stands for.\n", out);
    return status;
}

int support_main(int argc, char **argv)
{
    const char *option = argc > 1 ? argv[1] : "";
    const struct hvs_personality *p = argc > 2 ? hvs_personality_find(argv[2]) : NULL;

    if (argc == 3 && p && !strcmp(option, "--features")) {
        print_features(p);
        return 0;
    }
    if (argc == 2 && !strcmp(option, "--help"))
        return print_usage(stdout, 0);
    if (argc > 2 || (argc == 2 && strcmp(option, "--rows")))
        return print_usage(stderr, WRONG_USAGE);
    print_summary();
    for (uint32_t i = 0; argc == 2 && hvs_personalities[i]; i++)
        print_rows(hvs_personalities[i]);
    return 0;
}
