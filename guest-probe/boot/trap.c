/*
 * Exceptions and interrupts [Intel SDM 3A ch. 6].
 *
 * An exception inside env_try ends it; any other exception ends the probe.
 */
#include "boot.h"

#include "cpu.h"
#include "env.h"
#include "text.h"

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "a 64-bit gate is 16 bytes");

struct __attribute__((packed)) table_pointer {
    uint16_t limit;
    const void *base;
};

enum { GATE_INTERRUPT = 0x8e, NR_EXCEPTIONS = 32, VECTOR_NMI = 2, MAX_MOMENTS = 100000 };

static struct gate gates[BOOT_NR_VECTORS];
static volatile uint32_t nr_interrupts[BOOT_MAX_CPUS];
void (*boot_test_handler)(void);

void boot_trap_init(void)
{
    for (uint32_t vector = 0; vector < BOOT_NR_VECTORS; vector++) {
        uint64_t stub = (uintptr_t)boot_stubs + (uint64_t)vector * BOOT_STUB_BYTES;
        gates[vector] = (struct gate){
            .offset_low = (uint16_t)stub,
            .selector = BOOT_CODE_SELECTOR,
            .type = GATE_INTERRUPT,
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
    boot_trap_load();
}

void boot_trap_load(void)
{
    struct table_pointer pointer = {sizeof(gates) - 1, gates};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static __attribute__((noreturn)) void crash(const struct boot_frame *frame)
{
    char line[120];
    struct text text = TEXT_IN(line);
    text_add(&text, "guest-probe: unexpected exception %" PRIu64 ", code 0x%" PRIx64 ", at 0x%" PRIx64 "\n",
             frame->vector, frame->error_code, frame->rip);
    env_print(line, text.used);
    boot_exit(BOOT_CRASHED);
}

void boot_trap(struct boot_frame *frame)
{
    if (frame->vector < NR_EXCEPTIONS) {
        if (boot_recovery == 0 || frame->vector == VECTOR_NMI)
            crash(frame);
        boot_recover((int)frame->vector);
    }
    if (frame->vector == BOOT_VECTOR_SPURIOUS)
        return;
    if (frame->vector == BOOT_VECTOR_TEST && boot_test_handler) {
        boot_test_handler();
        return;
    }
    if (frame->vector == BOOT_VECTOR_TEST)
        nr_interrupts[boot_apic_id() % BOOT_MAX_CPUS]++;
    boot_apic_eoi();
}

uint8_t env_vector(void)
{
    return BOOT_VECTOR_TEST;
}

uint32_t boot_interrupts(uint32_t apic_id)
{
    uint32_t nr = nr_interrupts[apic_id % BOOT_MAX_CPUS];

    nr_interrupts[apic_id % BOOT_MAX_CPUS] = 0;
    return nr;
}

void env_interrupt_arm(void)
{
    /* also one that waits to be let in, which takes a while on some hosts */
    for (uint32_t i = 0; i < MAX_MOMENTS && boot_apic_has_pending(); i++)
        __asm__ volatile("sti; nop; pause; cli" : : : "memory");
    boot_interrupts(boot_apic_id());
}

bool env_interrupt_wait(uint64_t timeout_ns)
{
    const char *source;
    uint64_t khz = env_tsc_khz(&source);
    uint64_t ticks = timeout_ns / 1000 * (khz != 0 ? khz : 4000000) / 1000;
    uint64_t begin = cpu_rdtsc();
    const volatile uint32_t *nr = &nr_interrupts[boot_apic_id() % BOOT_MAX_CPUS];

    __asm__ volatile("sti" : : : "memory");
    while (*nr == 0 && cpu_rdtsc() - begin < ticks)
        cpu_relax();
    __asm__ volatile("cli" : : : "memory");
    return *nr != 0;
}
