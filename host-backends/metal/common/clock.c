/*
 * Time: the TSC, measured once against the PIT, and the machine's CMOS clock.
 *
 * The guest's TSC is the machine's; a guest that writes it moves away from what we publish. That a TSC may be published
 * at all the CPU says (invariant TSC), or the user by tsc=stable.
 */
#include "metal.h"

enum { PIT_HZ = 1193182, PIT_CHANNEL2 = 0x42, PIT_COMMAND = 0x43, PIT_GATE = 0x61, PIT_OUTPUT = 0x20 };
enum { PIT_LATCH2 = 0x80, PIT_LOAD2 = 0xb0, PIT_MAX = 0xffff, LVT_MASKED = 1 << 16, DIVIDE_BY_1 = 0xb };
enum { MEASURE_TICKS = PIT_HZ / 25, NR_TRIES = 16, MAX_MEASUREMENTS = 100 };

static struct hvs_clock line;           /* from the TSC to ns since the start */
static uint64_t apic_hz;

/* Loads channel 2 in mode 0: its output rises when `ticks` are over. */
static void pit_start(uint32_t ticks)
{
    out8(PIT_GATE, (uint8_t)((in8(PIT_GATE) & 0xfc) | 1));
    out8(PIT_COMMAND, PIT_LOAD2);
    out8(PIT_CHANNEL2, (uint8_t)ticks);
    out8(PIT_CHANNEL2, (uint8_t)(ticks >> 8));
}

static uint32_t pit_read(void)
{
    uint32_t low;

    out8(PIT_COMMAND, PIT_LATCH2);
    low = in8(PIT_CHANNEL2);
    return low | (uint32_t)in8(PIT_CHANNEL2) << 8;
}

static bool pit_has_run_out(void)
{
    return in8(PIT_GATE) & PIT_OUTPUT;
}

void clock_wait_us(uint32_t us)
{
    pit_start((uint32_t)((uint64_t)us * PIT_HZ / 1000000) + 1);
    while (!pit_has_run_out())
        cpu_relax();
}

/* The clocks at one moment: of a few tries, the one that took the shortest. */
struct sample {
    uint64_t tsc;
    uint32_t pit, apic;
};

static struct sample take_sample(void)
{
    struct sample best = {.tsc = 0};
    uint64_t shortest = UINT64_MAX;

    for (uint32_t i = 0; i < NR_TRIES; i++) {
        uint64_t before = rdtsc();
        uint32_t pit = pit_read(), apic = apic_get(APIC_TIMER_CURRENT);
        uint64_t took = rdtsc() - before;

        if (took >= shortest)
            continue;
        shortest = took;
        best = (struct sample){.tsc = before + took / 2, .pit = pit, .apic = apic};
    }
    return best;
}

/* Returns false when it took so long that the PIT may have gone round. */
static bool measure(struct sample *first, struct sample *last)
{
    pit_start(PIT_MAX);
    *first = take_sample();
    while (pit_read() > first->pit - MEASURE_TICKS && !pit_has_run_out())
        cpu_relax();
    *last = take_sample();
    return !pit_has_run_out();
}

void clock_measure(void)
{
    struct hvs_instant now = {.ns = 0};
    struct sample first, last;
    uint32_t ticks, nr_measurements = 0;

    apic_set(APIC_LVT_TIMER, LVT_MASKED);
    apic_set(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_set(APIC_TIMER_INITIAL, UINT32_MAX);
    while (!measure(&first, &last)) {
        if (++nr_measurements == MAX_MEASUREMENTS)
            die("the PIT runs out before the CPU can look at it");
    }
    apic_set(APIC_TIMER_INITIAL, 0);
    ticks = first.pit - last.pit;
    apic_hz = (uint64_t)(first.apic - last.apic) * PIT_HZ / ticks;
    now.tsc = rdtsc();
    if (hvs_clock_set(&line, (last.tsc - first.tsc) * PIT_HZ / ticks / 1000, &now, true))
        die("the TSC does not count");
}

uint64_t clock_tsc_khz(void)
{
    return line.tsc_khz;
}

uint64_t clock_apic_hz(void)
{
    return apic_hz;
}

bool clock_tsc_is_invariant(void)
{
    return cpuid(0x80000000, 0).eax >= 0x80000007 && cpuid(0x80000007, 0).edx >> 8 & 1;
}

void port_time_now(void *ctx, struct hvs_instant *now)
{
    (void)ctx;
    now->tsc = rdtsc();
    now->ns = 0;
    now->ns = hvs_clock_ns(&line, now);
}

/* --- the CMOS clock [Motorola MC146818 data sheet] ---------------------------------------------------------------- */

enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71, STATUS_A = 10, A_UPDATING = 0x80, STATUS_B = 11, B_BINARY = 4,
       B_24_HOURS = 2, NOBODY = 0xff };
enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, NR_FIELDS };

static uint8_t cmos(uint8_t index)
{
    out8(CMOS_INDEX, index);
    return in8(CMOS_DATA);
}

static void read_fields(uint8_t field[NR_FIELDS])
{
    static const uint8_t index[NR_FIELDS] = {0, 2, 4, 7, 8, 9};

    while (cmos(STATUS_A) & A_UPDATING)
        cpu_relax();
    for (uint32_t i = 0; i < NR_FIELDS; i++)
        field[i] = cmos(index[i]);
}

/* Days since 1970-01-01, of this century. */
static uint32_t days(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    uint32_t leap_days = (year + 3) / 4 + (year % 4 == 0 && month > 2);

    return 10957 + year * 365 + leap_days + before[(month - 1) % 12] + day - 1;
}

uint64_t clock_utc(void)
{
    uint8_t field[NR_FIELDS], again[NR_FIELDS], status = cmos(STATUS_B);
    bool is_pm;

    if (cmos(STATUS_A) == NOBODY)
        return 0;
    do {
        read_fields(field);
        read_fields(again);
    } while (memcmp(field, again, sizeof(field)));
    is_pm = field[HOUR] & 0x80;
    field[HOUR] &= 0x7f;
    for (uint32_t i = 0; i < NR_FIELDS && !(status & B_BINARY); i++)
        field[i] = (uint8_t)(field[i] / 16 * 10 + field[i] % 16);
    if (!(status & B_24_HOURS))
        field[HOUR] = (uint8_t)(field[HOUR] % 12 + (is_pm ? 12 : 0));
    return ((days(field[YEAR], field[MONTH], field[DAY]) * 24ull + field[HOUR]) * 60 + field[MINUTE]) * 60 +
           field[SECOND];
}
