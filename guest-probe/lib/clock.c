/*
 * Comparing clocks with the TSC [clock.h].
 */
#include "clock.h"

#include "cpu.h"

enum { NR_READINGS = 5 };

static struct clock_reading read_once(uint64_t (*read)(void))
{
    uint64_t before = cpu_rdtsc();
    uint64_t count = read();
    uint64_t after = cpu_rdtsc();
    return (struct clock_reading){.tsc = before + (after - before) / 2, .window = after - before, .count = count};
}

struct clock_reading clock_read(uint64_t (*read)(void))
{
    struct clock_reading best = read_once(read);
    for (uint32_t i = 1; i < NR_READINGS; i++) {
        struct clock_reading next = read_once(read);
        if (next.window < best.window)
            best = next;
    }
    return best;
}
