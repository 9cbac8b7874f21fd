/* The two ends of a machine: power-off and reset as ACPI has them, reset also by chipset or keyboard controller. */
#include "metal.h"

enum { RESET_PORT = 0xcf9, RESET_FULL = 0x0e, RESET_DO = 4, KEYBOARD_PORT = 0x64, KEYBOARD_RESET = 0xfe,
       WAIT_US = 50000 };

void machine_power_off(void)
{
    const struct acpi *acpi = &machine.acpi;

    stats_print();
    console_drain();
    for (uint32_t i = 0; acpi->has_s5 && i < 2; i++) {
        if (acpi->pm1_control[i])
            out16(acpi->pm1_control[i], acpi->sleep_s5[i]);
    }
    clock_wait_us(WAIT_US);
    die("the guest has powered off, but this machine stays on");
}

/* [ACPI 4.8.3.6] Memory above what boot/start.S maps is not reached. */
static void reset_by_acpi(const struct acpi *acpi)
{
    if (acpi->reset_space == ACPI_RESET_PORT && acpi->reset_at <= UINT16_MAX)
        out8((uint16_t)acpi->reset_at, acpi->reset_value);
    if (acpi->reset_space == ACPI_RESET_MEMORY && acpi->reset_at && acpi->reset_at < MAPPED_BYTES)
        *(volatile uint8_t *)acpi->reset_at = acpi->reset_value;
}

/* Each way is harmless where it does not work. */
void machine_reset_now(void)
{
    console_drain();
    reset_by_acpi(&machine.acpi);
    clock_wait_us(WAIT_US);
    out8(RESET_PORT, RESET_FULL & ~RESET_DO);
    out8(RESET_PORT, RESET_FULL);
    clock_wait_us(WAIT_US);
    out8(KEYBOARD_PORT, KEYBOARD_RESET);
    clock_wait_us(WAIT_US);
}

void machine_reset(void)
{
    stats_print();
    machine_reset_now();
    die("the guest has reset, but this machine goes on");
}
