/*
 * What operations cost, on the machine the image finds itself on (word bench).
 *
 * Each operation is timed by itself, often enough for its distribution, against a bare exit (CPUID) in the same run:
 * only such ratios can be compared between machines. bench=NUMBER,TIMES does one operation so often and measures
 * nothing: who counts the exits of that and of bench=0,0, which sets up the same and does nothing, knows the exits of
 * one. Left out: CPUs that sleep, so wakeups are cheaper here than in a guest at rest.
 */
#include "bench.h"

#include "boot.h"
#include "conform.h"
#include "cpu.h"
#include "env.h"
#include "text.h"

enum { NR_SAMPLES = 200, UNUSED_PORT = 0x80, MSR_APIC_BASE = 0x1b, ASSUMED_KHZ = 4000000 };

struct bench bench;
static volatile bool has_come;
static bool was_lost;

bool bench_always(uint32_t number)
{
    (void)number;
    return true;
}

bool bench_has_cpus(uint32_t nr_cpus)
{
    return nr_cpus <= bench.nr_cpus;
}

/* --- interrupts --------------------------------------------------------------------------------------------------- */

static void take_interrupt(void)
{
    bench.end_interrupt();
    has_come = true;
}

void bench_arm(void)
{
    has_come = false;
}

void bench_wait(void)
{
    uint64_t begin = cpu_rdtsc(), second = (bench.tsc_khz ? bench.tsc_khz : ASSUMED_KHZ) * 1000;

    __asm__ volatile("sti" : : : "memory");
    while (!has_come && cpu_rdtsc() - begin < second)
        cpu_relax();
    __asm__ volatile("cli" : : : "memory");
    was_lost |= !has_come;
}

uint64_t bench_late(uint64_t now_tsc, uint64_t delay_ns)
{
    uint64_t took = cpu_rdtsc() - now_tsc, wanted = bench.tsc_khz * (delay_ns / 1000) / 1000;

    return took > wanted ? took - wanted : 0;
}

/* --- the machine's own operations, which all compare with --------------------------------------------------------- */

static uint64_t execute_cpuid(uint32_t number)
{
    struct env_cpuid regs;

    cpu_cpuid(0x40000000, number, &regs);
    return 0;
}

static uint64_t read_apic_base(uint32_t number)
{
    (void)number;
    cpu_rdmsr(MSR_APIC_BASE);
    return 0;
}

static uint64_t read_port(uint32_t number)
{
    (void)number;
    boot_in8(UNUSED_PORT);
    return 0;
}

static uint64_t interrupt_self(uint32_t number)
{
    (void)number;
    bench.end_interrupt = boot_apic_eoi;
    bench_arm();
    env_interrupt_send();
    bench_wait();
    return 0;
}

static uint64_t interrupt_other(uint32_t number)
{
    (void)number;
    bench.end_interrupt = boot_apic_eoi;
    bench_arm();
    boot_apic_send(1);
    bench_wait();
    return 0;
}

static bool has_apic_timer(uint32_t number)
{
    (void)number;
    return bench.tsc_khz && env_apic_khz();
}

static uint64_t set_apic_timer(uint32_t number)
{
    (void)number;
    bench.end_interrupt = boot_apic_eoi;
    bench_arm();
    uint64_t now_tsc = cpu_rdtsc();
    boot_apic_set_timer((uint32_t)(env_apic_khz() * (BENCH_DELAY_NS / 1000) / 1000));
    bench_wait();
    return bench_late(now_tsc, BENCH_DELAY_NS);
}

static bool is_machine(uint64_t *tsc_khz)
{
    const char *source;

    *tsc_khz = env_tsc_khz(&source);
    return true;
}

static const struct bench_interface machine = {
    .name = "machine", .begin = is_machine, .operation = {
        {.name = "bare exit (CPUID)", .begin = bench_always, .act = execute_cpuid},
        {.name = "MSR exit (APIC_BASE)", .begin = bench_always, .act = read_apic_base},
        {.name = "port exit", .begin = bench_always, .act = read_port},
        {.name = "interrupt to self, EOI by the APIC", .begin = bench_always, .act = interrupt_self},
        {.name = "IPI by the APIC", .begin = bench_has_cpus, .act = interrupt_other, .number = 2},
        {.name = "timer latency, the APIC's", .begin = has_apic_timer, .act = set_apic_timer, .is_timer = true},
    }};

/* --- measuring ---------------------------------------------------------------------------------------------------- */

struct samples {
    const struct bench_operation *operation;
    uint32_t nr;
    uint64_t cycles[NR_SAMPLES];
};
static struct samples samples;

static void sort(void)
{
    for (uint32_t i = 1; i < samples.nr; i++) {
        uint64_t moved = samples.cycles[i];
        uint32_t at = i;

        for (; at > 0 && samples.cycles[at - 1] > moved; at--)
            samples.cycles[at] = samples.cycles[at - 1];
        samples.cycles[at] = moved;
    }
}

static void take_samples(void *arg)
{
    struct samples *s = arg;

    for (s->nr = 0; s->nr < NR_SAMPLES && !was_lost; s->nr++) {
        uint64_t begin = cpu_rdtsc();
        uint64_t late = s->operation->act(s->operation->number);
        uint64_t spent = cpu_rdtsc() - begin;

        s->cycles[s->nr] = s->operation->is_timer ? late : spent;
    }
}

static uint64_t do_nothing(uint32_t number)
{
    return number;
}

static bool measure(const struct bench_operation *operation)
{
    was_lost = false;
    samples.operation = operation;
    if (env_try(take_samples, &samples) != ENV_NO_FAULT || was_lost)
        return false;
    sort();
    return true;
}

/* The median of nothing: what measuring itself takes. */
static uint64_t overhead(void)
{
    measure(&(struct bench_operation){.act = do_nothing});
    return samples.cycles[NR_SAMPLES / 2];
}

static void add_times(struct text *text, const char *name, uint64_t cycles)
{
    text_add(text, ",\"%scycles\":%" PRIu64, name, cycles);
    if (bench.tsc_khz)
        text_add(text, ",\"%sns\":%" PRIu64, name, cycles * 1000000 / bench.tsc_khz);
}

static void say(const char *interface, const struct bench_operation *operation, uint32_t number, uint64_t spent)
{
    char line[400];
    struct text text = TEXT_IN(line);
    const struct {
        const char *name;
        uint32_t at;
    } part[] = {{"", NR_SAMPLES / 2}, {"min_", 0}, {"p99_", NR_SAMPLES * 99 / 100}, {"max_", NR_SAMPLES - 1}};

    text_add(&text, "{\"type\":\"cost\",\"interface\":\"%s\",\"operation\":\"%s\",\"number\":%u", interface,
             operation->name, number);
    for (uint32_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
        uint64_t cycles = samples.cycles[part[i].at];

        add_times(&text, part[i].name, operation->is_timer ? cycles : cycles > spent ? cycles - spent : 0);
    }
    text_add(&text, "}\n");
    env_print(line, text.used);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static const char *read_number(const char *text, uint32_t *number)
{
    for (*number = 0; *text >= '0' && *text <= '9'; text++)
        *number = *number * 10 + (uint32_t)(*text - '0');
    return *text == ',' ? text + 1 : text;
}

static void do_often(const struct bench_operation *operation, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        operation->act(operation->number);
}

void bench_run(uint32_t nr_cpus, const char *one)
{
    static const struct bench_interface *const interface[] = {&machine, &bench_hyperv, &bench_xen, &bench_vmware};
    static const char done[] = "bench: done\n";
    bool is_there[sizeof(interface) / sizeof(interface[0])];
    uint32_t wanted = 0, times = 0, number = 0;

    if (one)
        read_number(read_number(one, &wanted), &times);
    bench.nr_cpus = nr_cpus;
    boot_test_handler = take_interrupt;
    for (uint32_t i = 0; i < sizeof(interface) / sizeof(interface[0]); i++) {
        uint64_t khz = 0;

        is_there[i] = interface[i]->begin(&khz);
        if (is_there[i] && !bench.tsc_khz)
            bench.tsc_khz = khz;
    }
    uint64_t spent = overhead();
    for (uint32_t i = 0; i < sizeof(interface) / sizeof(interface[0]); i++)
        for (const struct bench_operation *o = interface[i]->operation; o->name; o++, number++) {
            if (!is_there[i] || !o->begin(o->number))
                continue;
            if (one && number == wanted)
                do_often(o, times);
            else if (!one && measure(o))
                say(interface[i]->name, o, number, spent);
        }
    env_print(done, sizeof(done) - 1);
}
