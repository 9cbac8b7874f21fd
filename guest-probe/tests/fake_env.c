/*
 * A front without a machine [fake_env.h].
 */
#include "fake_env.h"

#include <stdlib.h>
#include <string.h>

struct fake_env fake;

void fake_reset(void)
{
    fake = (struct fake_env){.is_cpl0 = true, .msr_answer = ENV_FAULT};
}

void fake_add_leaf(uint32_t leaf, struct env_cpuid regs)
{
    for (size_t i = 0; i < FAKE_MAX_LEAVES - 1; i++) {
        if (fake.leaf[i].leaf != 0)
            continue;
        fake.leaf[i] = (struct fake_leaf){leaf, regs};
        return;
    }
    abort();
}

void fake_add_signature(uint32_t base, uint32_t max_leaf, const char signature[12])
{
    struct env_cpuid regs = {.eax = max_leaf};
    memcpy(&regs.ebx, signature, 4);
    memcpy(&regs.ecx, signature + 4, 4);
    memcpy(&regs.edx, signature + 8, 4);
    fake_add_leaf(base, regs);
}

void env_cpuid(uint32_t leaf, uint32_t subleaf, struct env_cpuid *regs)
{
    (void)subleaf;
    *regs = (struct env_cpuid){0};
    for (const struct fake_leaf *known = fake.leaf; known->leaf != 0; known++)
        if (known->leaf == leaf)
            *regs = known->regs;
}

enum env_answer env_rdmsr(uint32_t index, uint64_t *value)
{
    (void)index;
    if (fake.msr_answer == ENV_DONE)
        *value = fake.msr_value;
    return fake.msr_answer;
}

enum env_answer env_wrmsr(uint32_t index, uint64_t value)
{
    (void)index;
    (void)value;
    return fake.msr_answer;
}

enum env_answer env_in32(struct env_regs *regs)
{
    (void)regs;
    return ENV_CANNOT;
}

bool env_is_cpl0(void)
{
    return fake.is_cpl0;
}

int env_try(void (*fn)(void *arg), void *arg)
{
    fn(arg);
    return ENV_NO_FAULT;
}

void *env_page(void)
{
    static _Alignas(ENV_PAGE_BYTES) uint8_t page[ENV_PAGE_BYTES];
    memset(page, 0, sizeof(page));
    return page;
}

const void *env_map(uint64_t gpa, uint32_t bytes)
{
    return gpa == fake.memory_gpa && bytes <= fake.memory_bytes ? fake.memory : NULL;
}

uint8_t env_vector(void)
{
    return 0;
}

bool env_interrupt_send(void)
{
    return false;
}

void env_interrupt_arm(void)
{
}

bool env_interrupt_wait(uint64_t timeout_ns)
{
    (void)timeout_ns;
    return false;
}

uint64_t env_tsc_khz(const char **source)
{
    *source = "fake";
    return fake.tsc_khz;
}

uint64_t env_apic_khz(void)
{
    return 0;
}

const char *env_fact(enum env_fact fact)
{
    return fact == ENV_FACT_CLOCKSOURCE ? fake.clocksource : NULL;
}

void env_kernel_clock(void)
{
}

bool env_rest(uint64_t ns)
{
    (void)ns;
    if (fake.nr_rests == 0)
        return false;
    fake.nr_rests--;
    return true;
}

void env_print(const char *text, size_t bytes)
{
    if (bytes >= sizeof(fake.output) - fake.output_bytes)
        abort();
    memcpy(fake.output + fake.output_bytes, text, bytes);
    fake.output_bytes += bytes;
}
