/*
 * How long a CPU has run the guest. The guest sleeps by HLT without our knowing, so its sleep counts as running; what
 * does not is the time before its start and after INIT. Nothing is ever stolen.
 */
#include "metal.h"

/* In cpu->ran: the rest is ns that it ran; else ns when that would have been 0. */
#define STOPPED (1ull << 63)

static uint64_t now_ns(void)
{
    struct hvs_instant now;

    port_time_now(NULL, &now);
    return now.ns;
}

static uint64_t ran_ns(const struct cpu *cpu)
{
    uint64_t ran = atomic_load(&cpu->ran);

    return ran & STOPPED ? ran & ~STOPPED : now_ns() - ran;
}

void vcpu_time_start(struct cpu *cpu)
{
    atomic_store(&cpu->ran, now_ns() - ran_ns(cpu));
}

void vcpu_time_stop(struct cpu *cpu)
{
    atomic_store(&cpu->ran, ran_ns(cpu) | STOPPED);
}

void port_vcpu_time(void *ctx, uint32_t vp, struct hvs_vcpu_time *time)
{
    (void)ctx;
    *time = (struct hvs_vcpu_time){.ran_ns = ran_ns(machine.cpu[vp])};
}
