/*
 * The local APIC as a source and receiver of test interrupts and as a clock whose rate can be measured [Intel SDM 3A ch. 10].
 * Both 8259s are masked: nothing but the test vector shall arrive.
 */
#include "boot.h"

#include "clock.h"
#include "cpu.h"
#include "env.h"

enum {
    MSR_APIC_BASE = 0x1b,
    BASE_X2APIC = 1u << 10,
    BASE_ENABLED = 1u << 11,
    MSR_X2APIC = 0x800,         /* register at byte offset r: MSR_X2APIC + r / 16 */
    ID = 0x20,
    TASK_PRIORITY = 0x80,
    EOI = 0xb0,
    SPURIOUS = 0xf0,
    SPURIOUS_APIC_ON = 0x100,
    REQUESTS = 0x200,
    COMMAND = 0x300,
    COMMAND_TARGET = 0x310,
    COMMAND_SELF = 0x40000,
    COMMAND_OTHERS = 0xc0000,
    COMMAND_INIT = 0x4500,
    COMMAND_STARTUP = 0x4600,
    LVT_TIMER = 0x320,
    LVT_LINT0 = 0x350,
    LVT_MASKED = 0x10000,
    TIMER_INITIAL = 0x380,
    TIMER_CURRENT = 0x390,
    TIMER_DIVIDE = 0x3e0,
    TIMER_DIVIDE_BY_1 = 0xb,
    PIC_MASK_1 = 0x21,
    PIC_MASK_2 = 0xa1,
    RATE_INTERVAL_US = 20000,
};

static bool is_x2apic;
static uintptr_t registers;

static uint32_t apic_read(uint32_t offset)
{
    if (is_x2apic)
        return (uint32_t)cpu_rdmsr(MSR_X2APIC + offset / 16);
    return *(volatile uint32_t *)(registers + offset);
}

static void apic_write(uint32_t offset, uint32_t value)
{
    if (is_x2apic)
        cpu_wrmsr(MSR_X2APIC + offset / 16, value);
    else
        *(volatile uint32_t *)(registers + offset) = value;
}

void boot_apic_init(void)
{
    boot_out8(PIC_MASK_1, 0xff);
    boot_out8(PIC_MASK_2, 0xff);
    uint64_t base = cpu_rdmsr(MSR_APIC_BASE);
    if (!(base & BASE_ENABLED))
        cpu_wrmsr(MSR_APIC_BASE, base | BASE_ENABLED);
    is_x2apic = (base & BASE_X2APIC) != 0;
    registers = (uintptr_t)(base & 0xfffff000);
    apic_write(LVT_LINT0, LVT_MASKED);
    apic_write(TASK_PRIORITY, 0);
    apic_write(SPURIOUS, SPURIOUS_APIC_ON | BOOT_VECTOR_SPURIOUS);
}

void boot_apic_eoi(void)
{
    apic_write(EOI, 0);
}

uint32_t boot_apic_id(void)
{
    return is_x2apic ? apic_read(ID) : apic_read(ID) >> 24;
}

static void pause_ms(uint64_t ms)
{
    const char *source;
    uint64_t khz = env_tsc_khz(&source);
    uint64_t begin = cpu_rdtsc();

    while (cpu_rdtsc() - begin < ms * (khz != 0 ? khz : 4000000))
        cpu_relax();
}

/* [Intel SDM 3A 8.4.4.1] */
void boot_apic_start_others(uint8_t page)
{
    apic_write(COMMAND, COMMAND_OTHERS | COMMAND_INIT);
    pause_ms(10);
    for (uint32_t i = 0; i < 2; i++) {
        apic_write(COMMAND, COMMAND_OTHERS | COMMAND_STARTUP | page);
        pause_ms(1);
    }
}

bool env_interrupt_send(void)
{
    apic_write(COMMAND, COMMAND_SELF | BOOT_VECTOR_TEST);
    return true;
}

void boot_apic_send(uint32_t apic_id)
{
    if (is_x2apic) {
        cpu_wrmsr(MSR_X2APIC + COMMAND / 16, (uint64_t)apic_id << 32 | BOOT_VECTOR_TEST);
        return;
    }
    apic_write(COMMAND_TARGET, apic_id << 24);
    apic_write(COMMAND, BOOT_VECTOR_TEST);
}

void boot_apic_set_timer(uint32_t ticks)
{
    apic_write(TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    apic_write(LVT_TIMER, BOOT_VECTOR_TEST);
    apic_write(TIMER_INITIAL, ticks);
}

bool boot_apic_has_pending(void)
{
    return apic_read(REQUESTS + BOOT_VECTOR_TEST / 32 * 16) & 1u << BOOT_VECTOR_TEST % 32;
}

static uint64_t read_timer(void)
{
    return apic_read(TIMER_CURRENT);
}

uint64_t env_apic_khz(void)
{
    static uint64_t khz;
    const char *source;
    uint64_t tsc_khz = env_tsc_khz(&source);
    if (tsc_khz == 0 || khz != 0)
        return khz;

    apic_write(LVT_TIMER, LVT_MASKED | BOOT_VECTOR_SPURIOUS);
    apic_write(TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    apic_write(TIMER_INITIAL, UINT32_MAX);
    struct clock_reading begin = clock_read(read_timer);
    while (cpu_rdtsc() - begin.tsc < tsc_khz * RATE_INTERVAL_US / 1000)
        cpu_relax();
    struct clock_reading end = clock_read(read_timer);
    apic_write(TIMER_INITIAL, 0);
    khz = (begin.count - end.count) * tsc_khz / (end.tsc - begin.tsc);
    return khz;
}
