/*
 * Comparing clocks with the TSC.
 */
#ifndef PROBE_CLOCK_H
#define PROBE_CLOCK_H

#include <stdint.h>

struct clock_reading {
    uint64_t tsc;
    uint64_t window;            /* TSC ticks that the reading took */
    uint64_t count;             /* of the other clock */
};

/*
 * Reads a clock and the TSC together. Of several readings it gives the one with the narrowest window: so it does not
 * matter when the guest is held up in between.
 */
struct clock_reading clock_read(uint64_t (*read)(void));

#endif
