/*
 * The few facts that are needed of the machine's ACPI tables [ACPI 5.0 chapters 4.8, 5.2].
 *
 * The tables are the firmware's, and trusted. \_S5 is looked for by its name in the DSDT: no AML is interpreted. Left
 * out: machines that sleep by other registers than PM1 control's (hardware-reduced ACPI).
 */
#include "metal.h"

enum { HEADER_BYTES = 36, BIOS_BEGIN = 0xe0000, BIOS_END = 0x100000, EBDA_SEGMENT_AT = 0x40e, EBDA_BYTES = 1024 };
enum { RSDP_BYTES = 20, RSDP_REVISION = 15, RSDP_RSDT = 16, RSDP_XSDT = 24 };
enum { TABLE_LENGTH = 4, TABLE_CHECKSUM = 9, HPET_ADDRESS = 44 };
/* IVRS and DMAR: where their structures begin, and each one's type and length. */
enum { IOMMU_STRUCTURES = 48, IOMMU_TYPE = 0, IOMMU_LENGTH = 2, IOMMU_ADDRESS = 8, IOMMU_LEAST_BYTES = 16 };
enum { MADT_ENTRIES = 44, MADT_LAPIC = 0, MADT_X2APIC = 9, MADT_ENABLED = 1 };
enum { FADT_DSDT = 40, FADT_PM1A_CONTROL = 64, FADT_PM1B_CONTROL = 68, FADT_FLAGS = 112, FADT_RESET = 116,
       FADT_RESET_VALUE = 128, FADT_X_DSDT = 140, SLP_TYP_SHIFT = 10, SLP_EN = 1 << 13, RESET_REG_SUP = 1 << 10 };
enum { GAS_SPACE = 0, GAS_ADDRESS = 4 };        /* a generic address */

static bool sums_to_0(const uint8_t *at, uint32_t bytes)
{
    uint8_t sum = 0;

    while (bytes--)
        sum = (uint8_t)(sum + *at++);
    return sum == 0;
}

static const uint8_t *find_rsdp_in(uintptr_t begin, uintptr_t end)
{
    for (; begin < end; begin += 16) {
        if (!memcmp((const void *)begin, "RSD PTR ", 8) && sums_to_0((const void *)begin, RSDP_BYTES))
            return (const uint8_t *)begin;
    }
    return NULL;
}

const uint8_t *acpi_find_rsdp(void)
{
    const uint16_t *segment = (const uint16_t *)(uintptr_t)EBDA_SEGMENT_AT;
    uintptr_t ebda = (uintptr_t)*segment << 4;
    const uint8_t *rsdp = ebda ? find_rsdp_in(ebda, ebda + EBDA_BYTES) : NULL;

    return rsdp ? rsdp : find_rsdp_in(BIOS_BEGIN, BIOS_END);
}

static uint8_t *find_table(const uint8_t *rsdp, const char signature[4])
{
    bool is_wide = rsdp[RSDP_REVISION] >= 2 && get64(rsdp + RSDP_XSDT);
    const uint8_t *root = (const uint8_t *)(is_wide ? get64(rsdp + RSDP_XSDT) : get32(rsdp + RSDP_RSDT));

    for (uint32_t at = HEADER_BYTES; at < get32(root + TABLE_LENGTH); at += is_wide ? 8 : 4) {
        uint8_t *table = (uint8_t *)(is_wide ? get64(root + at) : get32(root + at));

        if (!memcmp(table, signature, 4))
            return table;
    }
    return NULL;
}

static void add_cpu(struct acpi *acpi, uint32_t id, uint32_t flags)
{
    if (!(flags & MADT_ENABLED))
        return;
    if (acpi->nr_cpus == MAX_CPUS)
        die("this machine has more than %u CPUs", acpi->nr_cpus);
    acpi->apic_id[acpi->nr_cpus++] = id;
}

static void read_madt(const uint8_t *madt, struct acpi *acpi)
{
    for (uint32_t at = MADT_ENTRIES; at < get32(madt + TABLE_LENGTH) && madt[at + 1]; at += madt[at + 1]) {
        const uint8_t *entry = madt + at;

        if (entry[0] == MADT_LAPIC)
            add_cpu(acpi, entry[3], get32(entry + 4));
        if (entry[0] == MADT_X2APIC)
            add_cpu(acpi, get32(entry + 4), get32(entry + 8));
    }
}

/* One element of a package: a byte with its prefix, or one of the two constants. */
static uint16_t take_byte(const uint8_t **at)
{
    enum { BYTE_PREFIX = 0x0a };

    if (**at == BYTE_PREFIX)
        (*at)++;
    return *(*at)++;
}

/* NameOp "_S5_" PackageOp length count, then the sleep types for PM1a and PM1b. */
static void read_s5(const uint8_t *dsdt, struct acpi *acpi)
{
    enum { PACKAGE_OP = 0x12, EXTRA_LENGTH_SHIFT = 6, LEAST_BYTES = 9 };
    uint32_t bytes = get32(dsdt + TABLE_LENGTH);

    for (uint32_t i = HEADER_BYTES; i + LEAST_BYTES <= bytes; i++) {
        const uint8_t *at = dsdt + i;

        if (memcmp(at, "_S5_", 4) || at[4] != PACKAGE_OP)
            continue;
        at += 5;
        at += 1 + (*at >> EXTRA_LENGTH_SHIFT) + 1;
        acpi->sleep_s5[0] = (uint16_t)(take_byte(&at) << SLP_TYP_SHIFT | SLP_EN);
        acpi->sleep_s5[1] = (uint16_t)(take_byte(&at) << SLP_TYP_SHIFT | SLP_EN);
        acpi->has_s5 = true;
        return;
    }
}

static void read_reset(const uint8_t *fadt, struct acpi *acpi)
{
    if (get32(fadt + TABLE_LENGTH) <= FADT_RESET_VALUE || !(get32(fadt + FADT_FLAGS) & RESET_REG_SUP))
        return;
    acpi->reset_space = fadt[FADT_RESET + GAS_SPACE];
    acpi->reset_at = get64(fadt + FADT_RESET + GAS_ADDRESS);
    acpi->reset_value = fadt[FADT_RESET_VALUE];
}

static void read_fadt(const uint8_t *fadt, struct acpi *acpi)
{
    bool is_wide = get32(fadt + TABLE_LENGTH) >= FADT_X_DSDT + 8 && get64(fadt + FADT_X_DSDT);
    uint64_t dsdt = is_wide ? get64(fadt + FADT_X_DSDT) : get32(fadt + FADT_DSDT);

    acpi->pm1_control[0] = (uint16_t)get32(fadt + FADT_PM1A_CONTROL);
    acpi->pm1_control[1] = (uint16_t)get32(fadt + FADT_PM1B_CONTROL);
    read_reset(fadt, acpi);
    if (dsdt)
        read_s5((const uint8_t *)dsdt, acpi);
}

void acpi_read(const uint8_t *rsdp, struct acpi *acpi)
{
    const uint8_t *madt, *fadt;

    *acpi = (struct acpi){.reset_space = ACPI_NO_RESET};
    if (!rsdp)
        return;
    madt = find_table(rsdp, "APIC");
    fadt = find_table(rsdp, "FACP");
    acpi->hpet = find_table(rsdp, "HPET");
    acpi->iommu = find_table(rsdp, "IVRS");
    acpi->iommu = acpi->iommu ? acpi->iommu : find_table(rsdp, "DMAR");
    if (madt)
        read_madt(madt, acpi);
    if (acpi->hpet)
        acpi->hpet_gpa = get64(acpi->hpet + HPET_ADDRESS);
    if (fadt)
        read_fadt(fadt, acpi);
}

void acpi_hide(uint8_t *table)
{
    table[TABLE_CHECKSUM] = (uint8_t)(table[TABLE_CHECKSUM] + table[0] - 'X');
    table[0] = 'X';
}

/* IOMMUs come first; AMD's are told again further on, in structures of later types. Some firmware puts one at 0. */
const uint8_t *acpi_next_iommu(const uint8_t *table, const uint8_t *last)
{
    const uint8_t *first = table + IOMMU_STRUCTURES, *end = table + get32(table + TABLE_LENGTH);

    for (const uint8_t *at = first; end - at >= IOMMU_LEAST_BYTES;) {
        int32_t bytes = at[IOMMU_LENGTH] | at[IOMMU_LENGTH + 1] << 8;
        uint64_t address = get64(at + IOMMU_ADDRESS);
        bool is_behind = !last || at > last;

        if (bytes < IOMMU_LEAST_BYTES || bytes > end - at)
            break;
        if (is_behind && at[IOMMU_TYPE] == first[IOMMU_TYPE] && address && address < MAPPED_BYTES)
            return at;
        at += bytes;
    }
    return NULL;
}
