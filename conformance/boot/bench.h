/*
 * What the files that measure share: one table of operations for each interface, and what they wait by.
 *
 * The table of an operation says how to find out whether the machine has it, and how to do it once.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

enum { BENCH_DELAY_NS = 500000, BENCH_PAGE_BYTES = 4096, BENCH_MAX_OPERATIONS = 16 };

struct bench_operation {
    const char *name;
    /* Sets up what it needs; false: this machine does not have it. `number` is the operation's own. */
    bool (*begin)(uint32_t number);
    /* Once. Of a timer, returns how late it came, in cycles of the TSC; else the time is taken around it. */
    uint64_t (*act)(uint32_t number);
    bool is_timer;
    uint32_t number;            /* how many CPUs, where that matters */
};

struct bench_interface {
    const char *name;           /* the word of --present */
    /* Whether it is there; then *tsc_khz is what it says of the TSC, or 0. */
    bool (*begin)(uint64_t *tsc_khz);
    struct bench_operation operation[BENCH_MAX_OPERATIONS];     /* up to one without a name */
};
extern const struct bench_interface bench_hyperv, bench_xen, bench_vmware;

/* What all know. */
struct bench {
    uint32_t nr_cpus;           /* with APIC ids from 0 on */
    uint64_t tsc_khz;
    void (*end_interrupt)(void);        /* how BOOT_VECTOR_TEST's handler says EOI */
};
extern struct bench bench;

/* Of begin: nothing to set up. */
bool bench_always(uint32_t number);
/* Whether there are so many CPUs. */
bool bench_has_cpus(uint32_t nr_cpus);
/* Forgets that the interrupt came; before its cause. */
void bench_arm(void);
/* Until the interrupt came, at whichever CPU. Gives up after a second: then the row is not printed. */
void bench_wait(void);
/* By how much the interrupt came after its time: `now_tsc` is when `delay_ns` began. */
uint64_t bench_late(uint64_t now_tsc, uint64_t delay_ns);

/* bench.c: measures all, a line of JSON for each; or, by "NUMBER,TIMES", does one of them so often and says nothing. */
void bench_run(uint32_t nr_cpus, const char *one);

#endif
