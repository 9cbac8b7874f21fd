/*
 * COM1 by polling [16550 data sheet]; where no UART answers, the debug port that Bochs, QEMU and Xen have at 0xe9.
 */
#include "boot.h"

enum {
    COM1 = 0x3f8,
    DATA = COM1, IRQ_ENABLE = COM1 + 1, IRQ_ID = COM1 + 2, FIFO = COM1 + 2, LINE = COM1 + 3, MODEM = COM1 + 4,
    STATUS = COM1 + 5, SCRATCH = COM1 + 7,
    LINE_8N1 = 0x03, LINE_DIVISOR = 0x80,
    FIFO_ON_CLEARED = 0x07, ID_HAS_FIFO = 0xc0,
    MODEM_DTR_RTS = 0x03,
    STATUS_EMPTY = 0x20,
    FIFO_BYTES = 16,
    MAX_POLLS = 100000,
    DEBUG_PORT = 0xe9,
};

static uint32_t burst_bytes;    /* how many bytes an empty transmitter takes; 0: there is no UART */

static bool has_uart(void)
{
    boot_out8(SCRATCH, 0x5a);
    return boot_in8(SCRATCH) == 0x5a;
}

void boot_serial_init(void)
{
    if (!has_uart())
        return;
    boot_out8(IRQ_ENABLE, 0);
    boot_out8(LINE, LINE_DIVISOR);
    boot_out8(DATA, 1);         /* 115200 baud */
    boot_out8(IRQ_ENABLE, 0);
    boot_out8(LINE, LINE_8N1);
    boot_out8(FIFO, FIFO_ON_CLEARED);
    boot_out8(MODEM, MODEM_DTR_RTS);
    burst_bytes = (boot_in8(IRQ_ID) & ID_HAS_FIFO) == ID_HAS_FIFO ? FIFO_BYTES : 1;
}

static void wait_empty(void)
{
    for (uint32_t polls = 0; polls < MAX_POLLS; polls++)
        if (boot_in8(STATUS) & STATUS_EMPTY)
            return;
}

void boot_serial_write(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (burst_bytes != 0 && i % burst_bytes == 0)
            wait_empty();
        boot_out8(burst_bytes != 0 ? DATA : DEBUG_PORT, (uint8_t)text[i]);
    }
}
