/*
 * The local APIC of the CPU that calls. It is the guest's: what we send from it stands between two instructions of the
 * guest, so registers that the guest may have half written are left as they were. Its mode is looked up each time.
 */
#include "metal.h"

enum { ID = 0x20, TASK_PRIORITY = 0x80, SPURIOUS = 0xf0, ICR_BUSY = 1 << 12, ICR_ASSERT = 1 << 14, MSR_X2APIC = 0x800 };

uint64_t apic_gpa(void)
{
    return rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDRESS;
}

static volatile uint32_t *xapic(uint32_t reg)
{
    return (volatile uint32_t *)(apic_gpa() + reg);
}

static bool is_x2apic(void)
{
    return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

uint32_t apic_get(uint32_t reg)
{
    return is_x2apic() ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : *xapic(reg);
}

void apic_set(uint32_t reg, uint32_t value)
{
    if (is_x2apic())
        wrmsr(MSR_X2APIC + reg / 16, value);
    else
        *xapic(reg) = value;
}

uint32_t apic_id(void)
{
    return is_x2apic() ? apic_get(ID) : apic_get(ID) >> 24;
}

static void wait_idle(void)
{
    while (*xapic(APIC_ICR_LOW) & ICR_BUSY)
        cpu_relax();
}

void apic_send(uint32_t to, enum apic_delivery delivery, uint8_t vector)
{
    uint32_t low = ICR_ASSERT | delivery | vector, high;

    if (!(rdmsr(MSR_APIC_BASE) & APIC_BASE_ENABLE))
        return;                 /* as on a bus without it */
    if (is_x2apic()) {
        wrmsr(MSR_X2APIC + APIC_ICR_LOW / 16, (uint64_t)to << 32 | low);
        return;
    }
    wait_idle();
    high = *xapic(APIC_ICR_HIGH);
    *xapic(APIC_ICR_HIGH) = to << 24;
    *xapic(APIC_ICR_LOW) = low;
    wait_idle();
    *xapic(APIC_ICR_HIGH) = high;
}

void apic_reset(void)
{
    enum { SPURIOUS_OFF = 0xff };

    apic_set(SPURIOUS, SPURIOUS_OFF);   /* masks all local vectors */
    apic_set(TASK_PRIORITY, 0);
    apic_set(APIC_TIMER_INITIAL, 0);
}
