/*
 * CMOS clock: time and date in UTC, as a PC's MC146818 shows them. [Motorola MC146818 data sheet]
 *
 * Left out: setting the clock, alarm, periodic interrupts, and the RAM behind the clock.
 */
#include "machine.h"

enum { SECONDS = 0, MINUTES = 2, HOURS = 4, WEEKDAY = 6, DAY = 7, MONTH = 8, YEAR = 9 };
enum { STATUS_A = 10, STATUS_B = 11, STATUS_D = 13 };
enum { A_RATE = 0x26, B_24_HOURS = 2, D_POWER_GOOD = 0x80 };

static uint8_t bcd(int value)
{
    return (uint8_t)(value / 10 << 4 | value % 10);
}

static uint8_t read_register(uint8_t index)
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    switch (index) {
    case SECONDS:
        return bcd(tm.tm_sec);
    case MINUTES:
        return bcd(tm.tm_min);
    case HOURS:
        return bcd(tm.tm_hour);
    case WEEKDAY:
        return bcd(tm.tm_wday + 1);
    case DAY:
        return bcd(tm.tm_mday);
    case MONTH:
        return bcd(tm.tm_mon + 1);
    case YEAR:
        return bcd(tm.tm_year % 100);
    case VMM_CMOS_CENTURY:
        return bcd((tm.tm_year + 1900) / 100);
    case STATUS_A:
        return A_RATE;
    case STATUS_B:
        return B_24_HOURS;
    case STATUS_D:
        return D_POWER_GOOD;
    default:
        return 0;
    }
}

uint32_t vmm_cmos_in(struct machine *m, uint16_t port, uint32_t size)
{
    (void)size;
    if (port == 0x70)
        return ~0u;
    pthread_mutex_lock(&m->board_lock);
    uint8_t index = m->cmos_index;
    pthread_mutex_unlock(&m->board_lock);
    return 0xffffff00u | read_register(index);
}

void vmm_cmos_out(struct machine *m, uint16_t port, uint32_t size, uint32_t value)
{
    (void)size;
    if (port != 0x70)
        return;
    pthread_mutex_lock(&m->board_lock);
    m->cmos_index = value & 0x7f;       /* bit 7 masks NMIs, of which there are none */
    pthread_mutex_unlock(&m->board_lock);
}
