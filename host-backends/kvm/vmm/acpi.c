/*
 * ACPI: the tables that name the CPUs, PCI and the power-management ports, and those ports. [ACPI 5.0: 4.8, 5.2]
 *
 * Guests learn from here how to start other CPUs (MADT), to power off (FADT and the DSDT's \_S5) and to reset.
 * ACPI mode is always on, so there is no SMI command; no event is ever raised, so the status register reads 0. Left
 * out: buttons, general-purpose events, processor and device objects.
 */
#include "machine.h"

#include <string.h>

enum { HEADER_BYTES = 36, FADT_BYTES = 244, FACS_BYTES = 64, MADT_HEAD_BYTES = 44, SCI_IRQ = 9 };
enum { PM1_STATUS = 0, PM1_ENABLE = 2, PM1_CONTROL = 4 };
enum { SCI_EN = 1 << 0, SLP_TYP_SHIFT = 2, SLP_TYP_S5 = 5, SLP_EN = 1 << 5 };   /* SLP_*: in the control's high byte */

/* Name (\_S5, Package () {5, 5, 0, 0}): the sleep type that means power-off, for PM1a and PM1b. [20.2] */
static const uint8_t s5_aml[] = {
    0x08, '\\', '_', 'S', '5', '_',     /* NameOp, root, the name padded to four letters */
    0x12, 0x08, 0x04,                   /* PackageOp, length from itself on, four elements */
    0x0a, SLP_TYP_S5, 0x0a, SLP_TYP_S5, /* BytePrefix and value, twice */
    0x00, 0x00,                         /* ZeroOp, twice: reserved */
};

#define U16(value) (uint8_t)(value), (uint8_t)((value) >> 8)
#define U32(value) U16((value) & 0xffff), U16((value) >> 16)
#define U32_END(gpa, bytes) U32((gpa) + (bytes) - 1)
#define NAME(a, b, c, d) (uint8_t)(a), (uint8_t)(b), (uint8_t)(c), (uint8_t)(d)

/*
 * Scope (_SB) { Device (PCI0) { ... } }: bus 0, the windows in which its devices may have ports and memory, and the
 * line of the platform device's INTA. [ACPI 5.0 chapters 6.1.5, 6.2.2, 6.2.12, 6.4.2.5, 6.4.3.5, 20.2; PCI firmware 3.0]
 */
static const uint8_t pci_aml[] = {
    0x10, 0x4a, 0x07, NAME('_', 'S', 'B', '_'),         /* ScopeOp */
    0x5b, 0x82, 0x42, 0x07, NAME('P', 'C', 'I', '0'),   /* DeviceOp */
    0x08, NAME('_', 'H', 'I', 'D'), 0x0c, 0x41, 0xd0, 0x0a, 0x03,       /* EISA id PNP0A03 */
    0x08, NAME('_', 'C', 'R', 'S'), 0x11, 0x48, 0x04, 0x0a, 0x44,       /* a buffer of 0x44 bytes */
    /* word address space, bus numbers 0..0, which it produces; length 1 */
    0x88, 0x0d, 0x00, 0x02, 0x0c, 0x00, U16(0), U16(0), U16(0), U16(0), U16(1),
    /* I/O ports that it uses itself: 8 */
    0x47, 0x01, U16(VMM_PCI_PORT), U16(VMM_PCI_PORT), 1, 8,
    /* word address space, I/O */
    0x88, 0x0d, 0x00, 0x01, 0x0c, 0x03, U16(0), U16(VMM_PCI_IO_PORT), U16(VMM_PCI_IO_PORT + 0xfff), U16(0), U16(0x1000),
    /* double-word address space, memory */
    0x87, 0x17, 0x00, 0x00, 0x0c, 0x01, U32(0u), U32(VMM_PCI_MEMORY_GPA),
    U32_END(VMM_PCI_MEMORY_GPA, VMM_PCI_MEMORY_BYTES), U32(0u), U32(VMM_PCI_MEMORY_BYTES),
    0x79, 0x00,                                         /* end, without checksum */
    /* Package () {Package () {the device, any function; pin; 0: the next is an interrupt; which}} */
    0x08, NAME('_', 'P', 'R', 'T'), 0x12, 0x0e, 1, 0x12, 0x0b, 4, 0x0c, U32(VMM_PCI_PLATFORM << 16 | 0xffff), 0, 0,
    0x0a, VMM_PCI_GSI,
};
HVS_STATIC_ASSERT(sizeof(pci_aml) == 1 + (0xa | 0x07 << 4), "the scope's length, which counts itself");

/* Tables are built one behind the other, 16-byte aligned. */
struct builder {
    uint8_t *base;              /* at VMM_ACPI_GPA */
    uint32_t used;
};

static void put(uint8_t *table, uint32_t offset, uint64_t value, uint32_t bytes)
{
    memcpy(table + offset, &value, bytes);
}

static void set_checksum(uint8_t *table, uint32_t offset, uint32_t bytes)
{
    uint8_t sum = 0;
    table[offset] = 0;
    for (uint32_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + table[i]);
    table[offset] = (uint8_t)-sum;
}

/* Takes place for a table; *gpa says where. */
static uint8_t *take(struct builder *b, uint32_t bytes, uint32_t alignment, uint32_t *gpa)
{
    b->used = (b->used + alignment - 1) & ~(alignment - 1);
    *gpa = VMM_ACPI_GPA + b->used;
    uint8_t *table = b->base + b->used;
    b->used += bytes;
    return table;
}

static void finish(uint8_t *table, const char signature[5], uint8_t revision, uint32_t bytes)
{
    memcpy(table, signature, 4);
    put(table, 4, bytes, 4);
    table[8] = revision;
    memcpy(table + 10, "HVSHIM", 6);
    memcpy(table + 16, "HVSHIMVM", 8);
    put(table, 24, 1, 4);
    memcpy(table + 28, "HVSH", 4);
    put(table, 32, 1, 4);
    set_checksum(table, 9, bytes);
}

static uint32_t write_facs(struct builder *b)
{
    uint32_t gpa;
    uint8_t *facs = take(b, FACS_BYTES, 64, &gpa);
    memcpy(facs, "FACS", 4);
    put(facs, 4, FACS_BYTES, 4);
    facs[32] = 1;               /* version */
    return gpa;
}

static uint32_t write_dsdt(struct builder *b, bool has_pci)
{
    uint32_t bytes = HEADER_BYTES + (uint32_t)sizeof(s5_aml) + (has_pci ? (uint32_t)sizeof(pci_aml) : 0);
    uint32_t gpa;
    uint8_t *dsdt = take(b, bytes, 16, &gpa);
    memcpy(dsdt + HEADER_BYTES, s5_aml, sizeof(s5_aml));
    if (has_pci)
        memcpy(dsdt + HEADER_BYTES + sizeof(s5_aml), pci_aml, sizeof(pci_aml));
    finish(dsdt, "DSDT", 2, bytes);
    return gpa;
}

static uint32_t write_fadt(struct builder *b, bool has_pci)
{
    const struct {
        uint16_t offset, bytes;
        uint64_t value;
    } fields[] = {
        {36, 4, write_facs(b)},                 /* FIRMWARE_CTRL */
        {40, 4, write_dsdt(b, has_pci)},              /* DSDT */
        {46, 2, SCI_IRQ},                       /* SCI_INT */
        {56, 4, VMM_PM_PORT},                   /* PM1a_EVT_BLK */
        {64, 4, VMM_PM_PORT + PM1_CONTROL},     /* PM1a_CNT_BLK */
        {76, 4, VMM_PM_TIMER_PORT},             /* PM_TMR_BLK */
        {88, 1, 4},                             /* PM1_EVT_LEN */
        {89, 1, 2},                             /* PM1_CNT_LEN */
        {91, 1, 4},                             /* PM_TMR_LEN */
        {96, 2, 0xffff},                        /* P_LVL2_LAT: no C2 */
        {98, 2, 0xffff},                        /* P_LVL3_LAT: no C3 */
        {108, 1, VMM_CMOS_CENTURY},             /* CENTURY */
        {109, 2, 1 | 1 << 2},                   /* IAPC_BOOT_ARCH: serial ports, but neither 8042 nor VGA */
        {112, 4, 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 10},       /* WBINVD, C1, no fixed buttons, RESET_REG */
        {116, 4, 1 | 8 << 8 | 1 << 24},         /* RESET_REG: I/O port, 8 bits wide, byte access */
        {120, 8, VMM_RESET_PORT},
        {128, 1, VMM_RESET_VALUE},              /* RESET_VALUE */
    };
    uint32_t gpa;
    uint8_t *fadt = take(b, FADT_BYTES, 16, &gpa);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(fields); i++)
        put(fadt, fields[i].offset, fields[i].value, fields[i].bytes);
    finish(fadt, "FACP", 3, FADT_BYTES);
    return gpa;
}

static uint32_t write_madt(struct builder *b, uint32_t nr_cpus)
{
    enum { LAPIC_BYTES = 8, IOAPIC_BYTES = 12, OVERRIDE_BYTES = 10 };
    uint32_t bytes = MADT_HEAD_BYTES + nr_cpus * LAPIC_BYTES + IOAPIC_BYTES + OVERRIDE_BYTES;
    uint32_t gpa;
    uint8_t *madt = take(b, bytes, 16, &gpa);
    uint8_t *entry = madt + MADT_HEAD_BYTES;
    put(madt, 36, 0xfee00000, 4);               /* local APICs */
    put(madt, 40, 1, 4);                        /* PCAT_COMPAT: there are PICs too */
    for (uint32_t i = 0; i < nr_cpus; i++, entry += LAPIC_BYTES) {
        const uint8_t lapic[LAPIC_BYTES] = {0, LAPIC_BYTES, (uint8_t)i, (uint8_t)i, 1 /* enabled */};
        memcpy(entry, lapic, sizeof(lapic));
    }
    put(entry, 0, 1 | IOAPIC_BYTES << 8, 4);    /* IOAPIC 0 at its place, from interrupt 0 on */
    put(entry, 4, 0xfec00000, 4);
    entry += IOAPIC_BYTES;
    put(entry, 0, 2 | OVERRIDE_BYTES << 8, 4);  /* ISA interrupt 0 is interrupt 2 there */
    put(entry, 4, 2, 4);
    finish(madt, "APIC", 3, bytes);
    return gpa;
}

void vmm_acpi_write(struct machine *m)
{
    enum { RSDP_BYTES = 36, RSDP_V1_BYTES = 20, XSDT_BYTES = HEADER_BYTES + 2 * 8 };
    struct builder b = {.base = vmm_ram(m, VMM_ACPI_GPA, VMM_IMAGE_GPA - VMM_ACPI_GPA)};
    uint32_t rsdp_gpa, xsdt_gpa;
    uint8_t *rsdp = take(&b, RSDP_BYTES, 16, &rsdp_gpa);
    uint8_t *xsdt = take(&b, XSDT_BYTES, 16, &xsdt_gpa);
    put(xsdt, HEADER_BYTES, write_fadt(&b, m->pci.memory), 8);
    put(xsdt, HEADER_BYTES + 8, write_madt(&b, m->options->nr_cpus), 8);
    finish(xsdt, "XSDT", 1, XSDT_BYTES);
    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, "HVSHIM", 6);
    rsdp[15] = 2;
    put(rsdp, 20, RSDP_BYTES, 4);
    put(rsdp, 24, xsdt_gpa, 8);
    set_checksum(rsdp, 8, RSDP_V1_BYTES);
    set_checksum(rsdp, 32, RSDP_BYTES);
}

/* --- the ports -------------------------------------------------------------------------------------------------- */

uint32_t vmm_pm_in(struct machine *m, uint16_t port, uint32_t size)
{
    uint32_t value = 0;
    pthread_mutex_lock(&m->board_lock);
    for (uint32_t i = 0, at = port - VMM_PM_PORT; i < size && at < sizeof(m->pm1); i++, at++)
        value |= (uint32_t)(m->pm1[at] | (at == PM1_CONTROL ? SCI_EN : 0)) << (8 * i);
    pthread_mutex_unlock(&m->board_lock);
    return value;
}

void vmm_pm_out(struct machine *m, uint16_t port, uint32_t size, uint32_t value)
{
    pthread_mutex_lock(&m->board_lock);
    for (uint32_t i = 0, at = port - VMM_PM_PORT; i < size && at < sizeof(m->pm1); i++, at++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        if (at == PM1_CONTROL + 1 && byte & SLP_EN && (byte >> SLP_TYP_SHIFT & 7) == SLP_TYP_S5)
            vmm_end(m, VMM_END_POWEROFF);
        if (at >= PM1_ENABLE)
            m->pm1[at] = at == PM1_CONTROL + 1 ? byte & (uint8_t)~SLP_EN : byte;
    }
    pthread_mutex_unlock(&m->board_lock);
}

/* 24 bits at 3.579545 MHz. [4.8.3.3] */
uint32_t vmm_pm_timer_in(struct machine *m, uint16_t port, uint32_t size)
{
    struct timespec now;
    (void)m, (void)port, (void)size;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ticks = (uint64_t)now.tv_sec * 3579545 + (uint64_t)now.tv_nsec * 3579545 / 1000000000;
    return (uint32_t)ticks & 0xffffff;
}
