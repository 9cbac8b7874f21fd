/*
 * The machine's IOMMUs, AMD-Vi or VT-d as ACPI tells: no device reads or writes what the guest cannot. All devices
 * share one table of nested.c, which never changes once it is on. What the firmware wants (IVMD, RMRR) it has, as all
 * that is not hidden is mapped to itself. What a device has translated by itself (ATS) is refused: it would pass by.
 *
 * Left out: interrupt remapping, reports of what was refused, VT-d without pages of 1 GiB or without 48 bits, registers
 * above 512 GiB. An AMD-Vi of the first generation cannot forget all at once: if firmware has left it on, it may go on
 * by what it knows.
 */
#include "iommu_abi.h"
#include "metal.h"

enum { PATIENCE = 1000, PATIENCE_UNIT_US = 100 };

static bool is_amdvi;
static volatile uint64_t *amdvi_devices, *amdvi_commands, *vtd_buses;

static volatile uint64_t *reg(const uint8_t *unit, uint32_t at)
{
    return (volatile uint64_t *)(get64(unit + IOMMU_REGISTERS) + at);
}

static volatile uint32_t *reg32(const uint8_t *unit, uint32_t at)
{
    return (volatile uint32_t *)reg(unit, at);
}

static bool becomes(volatile uint32_t *at, uint32_t mask, uint32_t value)
{
    for (uint32_t i = 0; i < PATIENCE && (*at & mask) != value; i++)
        clock_wait_us(PATIENCE_UNIT_US);
    return (*at & mask) == value;
}

/* --- AMD-Vi ------------------------------------------------------------------------------------------------------- */

static uint64_t amdvi_entry(uint64_t hpa, enum nested_entry kind)
{
    return hpa | AMDVI_PRESENT | AMDVI_READ | (kind == NESTED_PAGE_READ_ONLY ? 0 : AMDVI_WRITE);
}

/* Interrupts pass as they are; those that are no vectors need bits of their own for that. */
static void amdvi_build(uint64_t root)
{
    amdvi_commands = memory_take(HVS_PAGE_BYTES);
    amdvi_devices = memory_take(AMDVI_NR_DEVICES * AMDVI_DEVICE_BYTES);
    for (uint32_t i = 0; i < AMDVI_NR_DEVICES * AMDVI_DEVICE_BYTES / sizeof(*amdvi_devices); i += 4) {
        amdvi_devices[i] = amdvi_entry(root, NESTED_TABLE) | AMDVI_DEVICE_VALID | AMDVI_DEVICE_FOUR_LEVELS;
        amdvi_devices[i + 1] = AMDVI_DEVICE_DOMAIN | AMDVI_DEVICE_SYSTEM_WRITES;
        amdvi_devices[i + 2] = AMDVI_DEVICE_EXTINT_NMI | AMDVI_DEVICE_LINTS;
    }
}

/* Has it forget what it knows from before us. Returns whether it has. */
static bool amdvi_invalidate(const uint8_t *unit, uint64_t control)
{
    volatile uint64_t *done = &amdvi_commands[4];
    bool answers;

    *done = 0;
    amdvi_commands[0] = AMDVI_INVALIDATE_ALL;
    amdvi_commands[2] = AMDVI_COMPLETION_WAIT | AMDVI_COMPLETION_STORE | (uintptr_t)done;
    amdvi_commands[3] = 1;
    *reg(unit, AMDVI_COMMAND_BASE) = (uintptr_t)amdvi_commands | AMDVI_256_COMMANDS;
    *reg(unit, AMDVI_CONTROL) = control | AMDVI_COMMANDS;
    *reg(unit, AMDVI_COMMAND_TAIL) = 4 * sizeof(uint64_t);
    answers = becomes((volatile uint32_t *)done, 1, 1);
    *reg(unit, AMDVI_CONTROL) = control;
    return answers;
}

static bool amdvi_start(const uint8_t *unit)
{
    const uint64_t table = (uintptr_t)amdvi_devices | (AMDVI_NR_DEVICES * AMDVI_DEVICE_BYTES / HVS_PAGE_BYTES - 1);
    uint64_t control = AMDVI_ENABLE | AMDVI_COHERENT | AMDVI_CONTROL_BY_FLAGS(unit[IVHD_FLAGS]);

    *reg(unit, AMDVI_CONTROL) = 0;
    *reg(unit, AMDVI_EXCLUSION_BASE) = 0;
    *reg(unit, AMDVI_DEVICE_TABLE) = table;
    *reg(unit, AMDVI_CONTROL) = control;
    if (*reg(unit, AMDVI_FEATURES) & AMDVI_CAN_INVALIDATE_ALL && !amdvi_invalidate(unit, control))
        return false;
    return *reg(unit, AMDVI_DEVICE_TABLE) == table && *reg(unit, AMDVI_CONTROL) & AMDVI_ENABLE;
}

/* --- VT-d --------------------------------------------------------------------------------------------------------- */

static uint64_t vtd_entry(uint64_t hpa, enum nested_entry kind)
{
    return hpa | VTD_READ | (kind == NESTED_PAGE_READ_ONLY ? 0 : VTD_WRITE) | (kind == NESTED_LARGE ? VTD_LARGE : 0);
}

/* 256 buses, which share a table of 256 functions: each entry has two words. */
static void vtd_build(uint64_t root)
{
    uint64_t *functions = memory_take(HVS_PAGE_BYTES);

    vtd_buses = memory_take(HVS_PAGE_BYTES);
    for (uint32_t i = 0; i < HVS_PAGE_BYTES / sizeof(*functions); i += 2) {
        vtd_buses[i] = (uintptr_t)functions | VTD_PRESENT;
        functions[i] = root | VTD_PRESENT | VTD_CONTEXT_QUIET;
        functions[i + 1] = VTD_CONTEXT_48_BITS | VTD_CONTEXT_DOMAIN;
    }
}

static bool vtd_switch(const uint8_t *unit, uint32_t what, bool on)
{
    uint32_t others = *reg32(unit, VTD_STATUS) & VTD_SWITCHES & ~what;

    *reg32(unit, VTD_COMMAND) = on ? others | what : others;
    return becomes(reg32(unit, VTD_STATUS), what, on ? what : 0);
}

static bool vtd_invalidate(const uint8_t *unit, uint32_t at, uint64_t command)
{
    *reg(unit, at) = command;
    return becomes(reg32(unit, at + 4), VTD_INVALIDATE >> 32, 0);
}

static bool vtd_start(const uint8_t *unit)
{
    const uint64_t wanted = VTD_CAP_LARGE | VTD_CAP_48_BITS, cap = *reg(unit, VTD_CAP);
    uint32_t iotlb = *reg(unit, VTD_ECAP) >> VTD_ECAP_IOTLB_SHIFT & VTD_ECAP_IOTLB_MASK;

    if ((cap & wanted) != wanted || !vtd_switch(unit, VTD_TRANSLATION, false) || !vtd_switch(unit, VTD_QUEUE, false))
        return false;
    *reg(unit, VTD_ROOT_TABLE) = (uintptr_t)vtd_buses;
    if (!vtd_switch(unit, VTD_ROOT_POINTER, true) ||
        !vtd_invalidate(unit, VTD_CONTEXT_COMMAND, VTD_INVALIDATE_CONTEXTS) ||
        !vtd_invalidate(unit, iotlb * VTD_IOTLB_UNIT + VTD_IOTLB_COMMAND, VTD_INVALIDATE_IOTLB) ||
        !vtd_switch(unit, VTD_TRANSLATION, true))
        return false;
    if (cap & VTD_CAP_PROTECTED)
        *reg32(unit, VTD_PROTECTED) = 0;        /* what the firmware may have kept devices from */
    return true;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

void iommu_init(void)
{
    uint8_t *table = machine.acpi.iommu;
    const uint8_t *unit = NULL;

    if (!table || machine.options.is_iommu_off)
        return;
    is_amdvi = table[0] == 'I';
    if (is_amdvi)
        amdvi_build(nested_build_devices(amdvi_entry, AMDVI_NEXT_LEVEL));
    else
        vtd_build(nested_build_devices(vtd_entry, 0));
    while ((unit = acpi_next_iommu(table, unit))) {
        uint32_t bytes = is_amdvi ? AMDVI_BYTES : HVS_PAGE_BYTES << (unit[DRHD_SIZE] & DRHD_SIZE_MASK);

        for (uint32_t at = 0; at < bytes; at += HVS_PAGE_BYTES)
            nested_hide_page((uintptr_t)reg(unit, at));
    }
    acpi_hide(table);
}

uint32_t iommu_start(void)
{
    const uint8_t *table = amdvi_devices || vtd_buses ? machine.acpi.iommu : NULL, *unit = NULL;
    uint32_t nr_started = 0;

    __asm__ volatile("wbinvd" : : : "memory");  /* not all of them look into the CPU's caches */
    while (table && (unit = acpi_next_iommu(table, unit))) {
        if (is_amdvi ? amdvi_start(unit) : vtd_start(unit))
            nr_started++;
        else
            say("the IOMMU at 0x%lx cannot be used: its devices reach the hypervisor", get64(unit + IOMMU_REGISTERS));
    }
    return nr_started;
}
