/*
 * What the exits were: printed when the machine ends (stats=serial), and in pages that the guest reads (stats=page,
 * metal_stats_abi.h). The guest ends the machine by ports of its own, so these are caught then, for this and the trace.
 */
#include "metal.h"
#include "metal_stats_abi.h"

enum { SLP_EN = 1 << 13, NR_TRAPS = TRAP_BROKEN + 1 };

static uint16_t reset_port(void)
{
    return machine.acpi.reset_space == ACPI_RESET_PORT ? (uint16_t)machine.acpi.reset_at : 0;
}

void stats_catch(void)
{
    const uint16_t port[] = {machine.acpi.pm1_control[0], machine.acpi.pm1_control[1], reset_port()};

    if (!machine.options.wants_stats && !machine.options.wants_trace)
        return;
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(port); i++) {
        if (!port[i])
            continue;
        machine.vendor->catch_port(port[i]);
        machine.vendor->catch_port((uint16_t)(port[i] + 1));
    }
}

void stats_before_end(uint16_t port, uint32_t value)
{
    if ((port == machine.acpi.pm1_control[0] && value & SLP_EN) ||
        (port == reset_port() && value == machine.acpi.reset_value))
        stats_print();
}

void stats_count(struct cpu *cpu, enum trap_kind kind, uint64_t cycles)
{
    if (!machine.options.wants_stats && !machine.options.shows_stats)
        return;                 /* nobody asks, and to charge takes the vCPU's lock */
    cpu->trap[kind].nr++;
    cpu->trap[kind].cycles += cycles;
    if (kind == TRAP_EXIT)
        hvs_vcpu_charge(cpu->vcpu, cycles);
}

/* Traps, then the core's rows. */
static bool read_row(uint32_t index, struct hvs_stat *stat)
{
    static const char *const name[NR_TRAPS] = {
        [TRAP_EXIT] = "for the core", [TRAP_NESTED_FAULT] = "nested fault", [TRAP_STEP] = "step",
        [TRAP_TIMER] = "timer", [TRAP_NMI] = "NMI", [TRAP_INIT] = "INIT", [TRAP_INVD] = "INVD",
        [TRAP_FORBIDDEN] = "forbidden", [TRAP_FAULT] = "fault", [TRAP_SHUTDOWN] = "shutdown", [TRAP_BROKEN] = "broken"};

    if (index >= NR_TRAPS)
        return hvs_vm_stat(machine.vm, index - NR_TRAPS, stat) == HVS_OK;
    *stat = (struct hvs_stat){.personality = "metal", .kind = "exit", .name = name[index]};
    for (uint32_t i = 0; i < machine.nr_cpus; i++) {
        stat->hits += machine.cpu[i]->trap[index].nr;
        stat->cycles += machine.cpu[i]->trap[index].cycles;
    }
    return true;
}

void stats_print(void)
{
    struct hvs_stat stat;

    trace_tell(true);
    for (uint32_t i = 0; machine.options.wants_stats && read_row(i, &stat); i++) {
        if (stat.hits)
            say("hits: %s %s %s: %lu, %lu cycles each", stat.personality, stat.kind, stat.name, stat.hits,
                stat.cycles / stat.hits);
    }
}

static void copy_text(char *to, uint32_t bytes, const char *text)
{
    for (uint32_t i = 0; i < bytes - 1 && text[i]; i++)
        to[i] = text[i];
}

void stats_show(struct cpuid *r)
{
    struct hvs_metal_stats *page = (void *)lent.stats;
    const uint32_t most = (sizeof(lent.stats) - sizeof(*page)) / sizeof(page->row[0]);
    struct hvs_stat stat;
    uint32_t i = 0;

    for (; i < most && read_row(i, &stat); i++) {
        copy_text(page->row[i].personality, sizeof(page->row[i].personality), stat.personality);
        copy_text(page->row[i].kind, sizeof(page->row[i].kind), stat.kind);
        copy_text(page->row[i].name, sizeof(page->row[i].name), stat.name);
        page->row[i].hits = stat.hits;
        page->row[i].cycles = stat.cycles;
    }
    *page = (struct hvs_metal_stats){.signature = HVS_METAL_STATS_SIGNATURE, .version = HVS_METAL_STATS_VERSION,
                                     .nr_rows = i, .row_bytes = sizeof(page->row[0]), .tsc_khz = clock_tsc_khz(),
                                     .tsc = rdtsc()};
    *r = (struct cpuid){HVS_METAL_STATS_SIGNATURE, sizeof(lent.stats), (uint32_t)(uintptr_t)page, 0};
}
