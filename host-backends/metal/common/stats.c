/*
 * What the exits were, printed when the machine ends (stats=serial). The guest ends it by a port of its own, so that
 * port is caught then, for this alone.
 */
#include "metal.h"

enum { SLP_EN = 1 << 13 };

void stats_catch(void)
{
    for (uint32_t i = 0; machine.options.wants_stats && i < 2; i++) {
        uint16_t port = machine.acpi.pm1_control[i];

        if (!port)
            continue;
        machine.vendor->catch_port(port);
        machine.vendor->catch_port((uint16_t)(port + 1));
    }
}

void stats_before_power_off(uint16_t port, uint32_t value)
{
    if (port == machine.acpi.pm1_control[0] && value & SLP_EN)
        stats_print();
}

void stats_print(void)
{
    static const char *const name[] = {
        [TRAP_EXIT] = "for the core", [TRAP_NESTED_FAULT] = "nested fault", [TRAP_STEP] = "step",
        [TRAP_TIMER] = "timer", [TRAP_NMI] = "NMI", [TRAP_INIT] = "INIT", [TRAP_INVD] = "INVD", [TRAP_FORBIDDEN] = "forbidden",
        [TRAP_SHUTDOWN] = "shutdown", [TRAP_BROKEN] = "broken"};
    struct hvs_stat stat;

    if (!machine.options.wants_stats)
        return;
    for (uint32_t kind = 0; kind < HVS_ARRAY_SIZE(name); kind++) {
        uint64_t sum = 0;

        for (uint32_t i = 0; i < machine.nr_cpus; i++)
            sum += machine.cpu[i]->nr_traps[kind];
        if (sum)
            say("exits: %s: %lu", name[kind], sum);
    }
    for (uint32_t i = 0; hvs_vm_stat(machine.vm, i, &stat) == HVS_OK; i++) {
        if (stat.hits)
            say("hits: %s %s %s: %lu", stat.personality, stat.kind, stat.name, stat.hits);
    }
}
