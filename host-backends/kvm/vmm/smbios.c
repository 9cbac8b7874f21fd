/*
 * SMBIOS, for guests that look there for VMware: who made BIOS and system, and the system's serial number and UUID.
 * [SMBIOS 2.8 chapters 5.2.1, 7.1, 7.2]
 *
 * Left out: all other structures, which are optional for those who read these two.
 */
#include "machine.h"

#include <string.h>

enum { ENTRY_BYTES = 31, BIOS_BYTES = 24, SYSTEM_BYTES = 27, END_BYTES = 4, NR_STRUCTURES = 3, BIOS_DATE_STRING = 3 };
enum { BIOS_IS_VIRTUAL = 1 << 4 /* characteristics extension byte 2 */, WAKE_UP_POWER_SWITCH = 6 };

struct table {
    uint8_t *bytes;
    uint32_t used, longest, start;
};

static void put(struct table *t, const void *bytes, uint32_t nr)
{
    memcpy(t->bytes + t->used, bytes, nr);
    t->used += nr;
}

/* The strings behind a structure's fixed part, then two zeros. */
static void put_strings(struct table *t, const char *const *string)
{
    for (; *string; string++)
        put(t, *string, (uint32_t)strlen(*string) + 1);
    put(t, "", 1);
    if (t->used - t->start > t->longest)
        t->longest = t->used - t->start;
    t->start = t->used;
}

static void put_bios(struct table *t)
{
    const uint8_t fixed[BIOS_BYTES] = {
        [0] = 0, [1] = BIOS_BYTES, [2] = 0, [4] = 1 /* vendor */, [5] = 2 /* version */, [7] = 0xe0 /* segment */,
        [8] = BIOS_DATE_STRING, [10] = 1 << 3 /* characteristics are not told */, [19] = BIOS_IS_VIRTUAL,
        [20] = 0xff, [21] = 0xff, [22] = 0xff, [23] = 0xff,
    };
    put(t, fixed, sizeof(fixed));
    put_strings(t, (const char *const[]){HVS_VMW_SMBIOS_BIOS_VENDOR, "hvshim", "01/01/2020", NULL});
}

/* A UUID's first three fields are little-endian here, so that it is printed as the serial number is. */
static void put_system(struct table *t, const uint8_t uuid[16])
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    char serial[HVS_VMW_SERIAL_BYTES];
    uint8_t fixed[SYSTEM_BYTES] = {
        [0] = 1, [1] = SYSTEM_BYTES, [2] = 1, [4] = 1 /* manufacturer */, [5] = 2 /* product */, [6] = 3 /* version */,
        [7] = 4 /* serial number */, [24] = WAKE_UP_POWER_SWITCH,
    };
    for (uint32_t i = 0; i < sizeof(order); i++)
        fixed[8 + i] = uuid[order[i]];
    hvs_vmw_serial(uuid, serial);
    put(t, fixed, sizeof(fixed));
    put_strings(t, (const char *const[]){HVS_VMW_SMBIOS_MANUFACTURER, HVS_VMW_SMBIOS_PRODUCT, "None", serial, NULL});
}

static void put_end(struct table *t)
{
    const uint8_t fixed[END_BYTES] = {[0] = 127, [1] = END_BYTES, [2] = 2};
    put(t, fixed, sizeof(fixed));
    put(t, "", 1);
    put_strings(t, (const char *const[]){NULL});
}

static uint8_t checksum(const uint8_t *bytes, uint32_t nr)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < nr; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return (uint8_t)-sum;
}

void vmm_smbios_write(struct machine *m)
{
    uint8_t *entry = vmm_ram(m, VMM_SMBIOS_GPA, VMM_IMAGE_GPA - VMM_SMBIOS_GPA);
    struct table t = {.bytes = entry + 32};
    put_bios(&t);
    put_system(&t, m->uuid);
    put_end(&t);
    const uint32_t table_gpa = VMM_SMBIOS_GPA + 32;
    memcpy(entry, "_SM_", 4);
    entry[5] = ENTRY_BYTES;
    entry[6] = 2;
    entry[7] = 8;
    entry[8] = (uint8_t)t.longest;
    entry[9] = (uint8_t)(t.longest >> 8);
    memcpy(entry + 16, "_DMI_", 5);
    entry[22] = (uint8_t)t.used;
    entry[23] = (uint8_t)(t.used >> 8);
    memcpy(entry + 24, &table_gpa, 4);
    entry[28] = NR_STRUCTURES;
    entry[30] = 0x28;
    entry[21] = checksum(entry + 16, 15);
    entry[4] = checksum(entry, ENTRY_BYTES);
}
