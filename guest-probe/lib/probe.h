/*
 * The probe: rows of features per interface, each tested and timed in the same way.
 *
 * A row says how the interface advertises the feature, how to find out whether it works, and which single operation
 * its cost is measured by. The answer to a row is one of four; "broken" means that the interface lies.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "env.h"
#include "text.h"

#define PROBE_VERSION "0.1"

enum {
    PROBE_FIRST_BASE = 0x40000000,
    PROBE_LAST_BASE = 0x4000ff00,
    PROBE_BASE_STEP = 0x100,
    PROBE_MAX_INTERFACES = 32,
    PROBE_MAX_ROWS = 48,
    PROBE_EVIDENCE_BYTES = 120,
    PROBE_NR_SAMPLES = 31,
    PROBE_MAX_CLOCKS = 2,
};

struct probe_suite;

/* One interface as found on this machine. */
struct probe_interface {
    const struct probe_suite *suite;    /* NULL: known by name only */
    const char *title;
    char signature[13];                 /* as in CPUID, terminated; empty where no leaf announces the interface */
    uint32_t base;                      /* first CPUID leaf; 0 where no leaf announces the interface */
    uint32_t max_leaf;                  /* last CPUID leaf */
};

enum probe_state {
    PROBE_ABSENT,               /* not advertised */
    PROBE_WORKS,
    PROBE_BROKEN,               /* advertised, does not work */
    PROBE_UNTESTED,             /* advertised, cannot be tested from here */
    PROBE_NR_STATES,
};

/* Where a row can be tested and timed. */
enum probe_from {
    PROBE_FROM_CPL0,            /* both at CPL 0 only */
    PROBE_TEST_FROM_ANY_CPL,
    PROBE_FROM_ANY_CPL,
};

struct probe_feature {
    const char *name;
    bool (*is_advertised)(const struct probe_interface *face);
    /* Returns PROBE_WORKS, PROBE_BROKEN or PROBE_UNTESTED, with one short phrase that says why. */
    enum probe_state (*test)(const struct probe_interface *face, struct text *evidence);
    /* What the cost is the time of, called after the test has passed. NULL: nothing to time. */
    void (*operation)(const struct probe_interface *face);
    enum probe_from from;
    const char *clocksource;    /* of a Linux guest that uses it: then it works if Linux does */
    const char *ref;            /* specification and chapter */
};

/* Features are tested in order; later ones may build on what earlier ones set up. */
struct probe_suite {
    const char *name;           /* "hyperv": the word of tables, JSON and hvshim's --present */
    const char *title;
    void (*begin)(const struct probe_interface *face);
    void (*end)(const struct probe_interface *face);    /* NULL: nothing to take down */
    const struct probe_feature *feature;
    uint32_t nr_features;
    const char *clock[PROBE_MAX_CLOCKS];        /* the features that give a guest its clock, the better one first */
    bool clock_is_tsc;          /* they tell the rate of the TSC, which is the clock */
    const char *(*version)(void);       /* what the tests have found it to be, or NULL */
};

extern const struct probe_suite probe_hyperv, probe_xen, probe_vmware, probe_kvm;

/* Fills `found` from the CPUID leaves and the VMware port. Returns how many there are, at most `capacity`. */
uint32_t probe_scan(struct probe_interface *found, uint32_t capacity);
/* Whether the VMware port answers; then *face describes an interface without leaves. */
bool probe_vmware_by_port(struct probe_interface *face);

/* The answer to one row. */
struct probe_row {
    const struct probe_feature *feature;
    enum probe_state state;
    bool has_cost;
    uint64_t cost_cycles;       /* of the TSC */
    char evidence[PROBE_EVIDENCE_BYTES];
};
void probe_feature(const struct probe_interface *face, const struct probe_feature *feature, struct probe_row *row);

struct probe_options {
    bool wants_table, wants_json;
    bool allows_vmcall;         /* may issue VMCALL itself: on some hosts that never returns */
    bool wants_stats;           /* the hypervisor's statistics, after the rest */
    bool wants_trace;           /* the last exits, behind these */
    bool is_long;               /* timers tick for 10 s, and must keep the TSC's rate */
};
/* Reads the words "table", "json", "both", "vmcall", "stats", "trace", "long" out of a command line and passes over all
   others. */
struct probe_options probe_options(const char *command_line);
/* The options of the run in progress. */
const struct probe_options *probe_current_options(void);

/* Probes everything and reports it. Returns whether all that is advertised works. */
bool probe_run(const struct probe_options *options);

/* --- for the rows ------------------------------------------------------------------------------------------------- */

/* The median; sorts `value`. nr > 0. */
uint64_t probe_median(uint64_t *value, uint32_t nr);
/* Times operation(face) `nr` times. Returns false when it raised an exception. */
bool probe_samples(const struct probe_interface *face, void (*operation)(const struct probe_interface *face),
                   uint64_t *cycles, uint32_t nr);
/* Operations to compare with: none, and CPUID, which on Intel always leaves the guest. */
void probe_nothing(const struct probe_interface *face);
void probe_bare_exit(const struct probe_interface *face);
/*
 * The median time of operation(face) without the cost of measuring. Returns false when it raised an exception.
 */
bool probe_time(const struct probe_interface *face, void (*operation)(const struct probe_interface *face),
                uint64_t *cycles);
/* Whether `value` is within one percent of `expected`. */
bool probe_is_near(uint64_t value, uint64_t expected);

enum {
    PROBE_LONG_PERIOD_MS = 100,
    PROBE_LONG_NR_TICKS = 101,
};
/*
 * Judges when a timer of that period ticked, by the TSC: its rate is the TSC's, within one percent. A machine that
 * stands still a few times meanwhile does not make it another.
 */
enum probe_state probe_judge_ticks(const uint64_t tick[PROBE_LONG_NR_TICKS], struct text *evidence);
/* Appends the phrase and returns the state: the last line of a test. */
__attribute__((format(TEXT_FORMAT, 3, 4))) enum probe_state probe_say(enum probe_state state, struct text *evidence,
                                                                 const char *format, ...);
/* The last line where an MSR was not answered (ENV_FAULT or ENV_CANNOT); `access` names what was tried. */
enum probe_state probe_refused(enum env_answer answer, struct text *evidence, const char *access);

#endif
