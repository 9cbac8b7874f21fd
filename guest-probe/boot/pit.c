/*
 * The rate of the TSC by channel 2 of the 8254, which every PC has and no paravirtual interface provides.
 */
#include "boot.h"

#include "clock.h"
#include "env.h"

enum {
    COUNTER_2 = 0x42,
    COMMAND = 0x43,
    COMMAND_LATCH_2 = 0x80,
    COMMAND_MODE_0 = 0xb0,      /* channel 2, both bytes, count down once */
    GATE = 0x61,
    GATE_ON = 0x01,
    GATE_SPEAKER = 0x02,
    GATE_OUT = 0x20,            /* the count has passed zero */
    PIT_HZ = 1193182,
    COUNT_BEGIN = 0xffff,
    COUNT_END = COUNT_BEGIN - PIT_HZ / 33,      /* 30 ms later, before it passes zero at 55 ms */
    MAX_STILL = 1000,           /* readings without a change: there is no counter */
    MAX_TRIES = 3,
};

static uint64_t read_count(void)
{
    boot_out8(COMMAND, COMMAND_LATCH_2);
    uint8_t low = boot_in8(COUNTER_2);
    uint8_t high = boot_in8(COUNTER_2);
    return (uint64_t)(high << 8 | low);
}

/* Returns false when the counter does not count. */
static bool wait_for_end(uint64_t last)
{
    for (uint32_t still = 0; still < MAX_STILL;) {
        uint64_t count = read_count();
        if (count <= COUNT_END || count > last)
            return true;
        still = count == last ? still + 1 : 0;
        last = count;
    }
    return false;
}

/* Returns 0 when there is no counter, UINT64_MAX when the count passed zero. */
static uint64_t measure(void)
{
    uint8_t gate = (uint8_t)(boot_in8(GATE) & ~GATE_SPEAKER);
    boot_out8(GATE, gate | GATE_ON);
    boot_out8(COMMAND, COMMAND_MODE_0);
    boot_out8(COUNTER_2, COUNT_BEGIN & 0xff);
    boot_out8(COUNTER_2, COUNT_BEGIN >> 8);
    bool has_out = (boot_in8(GATE) & GATE_OUT) == 0;

    struct clock_reading begin = clock_read(read_count);
    if (!wait_for_end(begin.count))
        return 0;
    struct clock_reading end = clock_read(read_count);
    bool is_over = has_out && (boot_in8(GATE) & GATE_OUT) != 0;
    boot_out8(GATE, gate);
    if (is_over || end.count >= begin.count)
        return UINT64_MAX;
    return (end.tsc - begin.tsc) * PIT_HZ / (begin.count - end.count) / 1000;
}

uint64_t env_tsc_khz(const char **source)
{
    static bool is_known;
    static uint64_t khz;

    *source = "PIT";
    for (uint32_t try = 0; try < MAX_TRIES && !is_known; try++) {
        uint64_t measured = measure();
        is_known = measured != UINT64_MAX;
        khz = is_known ? measured : 0;
    }
    is_known = true;
    return khz;
}
