/*
 * The I/O ports: which device has which, and the devices of one register: keyboard controller (reset only), reset
 * port, test port. A port that nobody has reads all ones and ignores writes.
 */
#include "machine.h"

enum { I8042_PORT = 0x64, I8042_PULSE_RESET = 0xfe, TEST_PORT = 0xf4 };

/* "Nothing to read, ready for a command". */
static uint32_t i8042_in(struct machine *m, uint16_t port, uint32_t size)
{
    (void)m, (void)port, (void)size;
    return 0;
}

static void i8042_out(struct machine *m, uint16_t port, uint32_t size, uint32_t value)
{
    (void)port, (void)size;
    if ((value & 0xff) == I8042_PULSE_RESET)
        vmm_end(m, VMM_END_REBOOT);
}

/* Before PCI's, whose address register covers this port, but takes wide accesses only. */
static void reset_out(struct machine *m, uint16_t port, uint32_t size, uint32_t value)
{
    (void)port, (void)size;
    if (value & 4)
        vmm_end(m, VMM_END_REBOOT);
}

/* As QEMU's isa-debug-exit. */
static void test_out(struct machine *m, uint16_t port, uint32_t size, uint32_t value)
{
    (void)port, (void)size;
    atomic_store(&m->test_status, (int)((value << 1 | 1) & 0xff));
    vmm_end(m, VMM_END_TEST);
}

static const struct {
    uint16_t first, last;
    uint32_t (*in)(struct machine *m, uint16_t port, uint32_t size);
    void (*out)(struct machine *m, uint16_t port, uint32_t size, uint32_t value);
} ranges[] = {
    {I8042_PORT, I8042_PORT, i8042_in, i8042_out},
    {0x70, 0x71, vmm_cmos_in, vmm_cmos_out},
    {TEST_PORT, TEST_PORT, NULL, test_out},
    {VMM_SERIAL_PORT, VMM_SERIAL_PORT + 7, vmm_serial_in, vmm_serial_out},
    {VMM_PM_PORT, VMM_PM_PORT + 5, vmm_pm_in, vmm_pm_out},
    {VMM_PM_TIMER_PORT, VMM_PM_TIMER_PORT, vmm_pm_timer_in, NULL},
    {VMM_RESET_PORT, VMM_RESET_PORT, NULL, reset_out},
    {VMM_PCI_PORT, VMM_PCI_PORT + 7, vmm_pci_in, vmm_pci_out},
};

uint32_t vmm_port_in(struct machine *m, uint16_t port, uint32_t size)
{
    for (size_t i = 0; i < HVS_ARRAY_SIZE(ranges); i++)
        if (port >= ranges[i].first && port <= ranges[i].last && ranges[i].in)
            return ranges[i].in(m, port, size);
    return ~0u;
}

void vmm_port_out(struct machine *m, uint16_t port, uint32_t size, uint32_t value)
{
    for (size_t i = 0; i < HVS_ARRAY_SIZE(ranges); i++)
        if (port >= ranges[i].first && port <= ranges[i].last && ranges[i].out)
            ranges[i].out(m, port, size, value);
}
