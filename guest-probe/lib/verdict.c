/*
 * The verdict on one interface [verdict.h].
 *
 * Exits cannot be counted from inside: a clock read that takes less than half of a bare exit cannot have left the
 * guest, and one that takes longer is told as so many bare exits.
 */
#include "verdict.h"

#include "cpu.h"
#include "env.h"

enum { FASTEST_EXIT_CYCLES = 500 };     /* CPUID takes 100 to 250 where it does not leave the guest */

static void read_kernel_clock(const struct probe_interface *face)
{
    (void)face;
    env_kernel_clock();
}

static void read_tsc(const struct probe_interface *face)
{
    (void)face;
    cpu_rdtsc();
}

/* The first of the interface's clocks that works, or else the first that is advertised. */
static const struct probe_row *find_clock(const struct verdict_case *known)
{
    const struct probe_row *found = NULL;

    for (uint32_t i = 0; i < PROBE_MAX_CLOCKS && known->face->suite->clock[i] != NULL; i++) {
        for (uint32_t r = 0; r < known->nr_rows; r++) {
            const struct probe_row *row = &known->row[r];
            if (!text_is_equal(row->feature->name, known->face->suite->clock[i]))
                continue;
            if (row->state == PROBE_WORKS)
                return row;
            if (row->state != PROBE_ABSENT && found == NULL)
                found = row;
        }
    }
    return found;
}

static void say_who(const struct verdict_case *known, struct text *says)
{
    const struct probe_interface *face = known->face;
    const char *version = face->suite != NULL && face->suite->version != NULL ? face->suite->version() : NULL;
    const char *separator = " beside ";

    text_add(says, "%s interface ", face->title);
    if (face->base != 0)
        text_add(says, "by \"%s\"", face->signature);
    else
        text_add(says, "at its port alone");
    if (version != NULL)
        text_add(says, " %s", version);
    for (uint32_t i = 0; i < known->nr_all; i++) {
        if (&known->all[i] == face)
            continue;
        text_add(says, "%s%s", separator, known->all[i].title);
        separator = ", ";
    }
}

/* A kernel may have chosen another clock than the interface's: then that one is what a read costs. */
static void take_kernel_clock(struct verdict *verdict, struct text *says)
{
    const char *source = env_fact(ENV_FACT_CLOCKSOURCE);
    if (env_is_cpl0() || source == NULL)
        return;
    text_add(says, ", the kernel's clock is %s", source);
    verdict->has_cost = probe_time(NULL, read_kernel_clock, &verdict->clock_cycles);
}

static void take_clock(const struct verdict_case *known, const struct probe_row *clock, struct verdict *verdict,
                       struct text *says)
{
    static const char *const words[PROBE_NR_STATES] = {
        [PROBE_WORKS] = "works",
        [PROBE_BROKEN] = "does NOT work",
        [PROBE_UNTESTED] = "untested from here",
    };
    if (clock == NULL) {
        text_add(says, ", no clock of its own");
        take_kernel_clock(verdict, says);
        return;
    }
    verdict->clock = clock->feature->name;
    text_add(says, ", %s %s", verdict->clock, words[clock->state]);
    if (clock->state != PROBE_WORKS) {
        take_kernel_clock(verdict, says);
    } else if (known->face->suite->clock_is_tsc) {
        verdict->has_cost = probe_time(NULL, read_tsc, &verdict->clock_cycles);
    } else {
        verdict->has_cost = clock->has_cost;
        verdict->clock_cycles = clock->cost_cycles;
    }
}

static void count_exits(uint64_t exit_cycles, struct verdict *verdict, struct text *says)
{
    verdict->has_exits = verdict->has_cost && exit_cycles >= FASTEST_EXIT_CYCLES;
    if (!verdict->has_exits)
        return;
    verdict->clock_exits = (verdict->clock_cycles + exit_cycles / 2) / exit_cycles;
    if (verdict->clock_exits == 0)
        text_add(says, ", 0 exits per clock read");
    else
        text_add(says, ", a clock read costs as much as %" PRIu64 " exit%s", verdict->clock_exits,
                 verdict->clock_exits == 1 ? "" : "s");
}

void verdict_reach(const struct verdict_case *known, struct verdict *verdict)
{
    *verdict = (struct verdict){0};
    struct text says = TEXT_IN(verdict->says);
    uint32_t nr_broken = known->count->state[PROBE_BROKEN];

    say_who(known, &says);
    if (known->face->suite == NULL) {
        text_add(&says, ", known by name only");
        return;
    }
    take_clock(known, find_clock(known), verdict, &says);
    count_exits(known->exit_cycles, verdict, &says);
    if (nr_broken != 0)
        text_add(&says, "; %u advertised feature%s NOT work", nr_broken, nr_broken == 1 ? " does" : "s do");
}
