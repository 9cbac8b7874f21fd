/* The core's VM on this machine: as many vCPUs as there are CPUs, and what the translators are told. */
#include "metal.h"

#include <hvshim/translators.h>

static uint32_t apic_ids[MAX_CPUS];

static const struct hvs_port port = {
    .gpa_read = port_gpa_read,
    .gpa_write = port_gpa_write,
    .page_pin = port_page_pin,
    .page_unpin = port_page_unpin,
    .time_now = port_time_now,
    .xmm_read = port_xmm_read,
    .xmm_write = port_xmm_write,
    .vcpu_time = port_vcpu_time,
};

static uint32_t caps(void)
{
    uint32_t all = HVS_CAP_RETRY | HVS_CAP_RAW_HYPERCALL | HVS_CAP_INJECT | HVS_CAP_FLUSH | HVS_CAP_XMM | HVS_CAP_STOP |
                   HVS_CAP_STRINGS | HVS_CAP_VCPU_TIME | HVS_CAP_RING3_PIO;

    if (clock_tsc_is_invariant() || machine.options.is_tsc_trusted)
        all |= HVS_CAP_TSC_STABLE;
    if (timer_exists())
        all |= HVS_CAP_TIMER;
    return all;
}

static void set_features(struct hvs_vm_config *config, char *list)
{
    while (*list) {
        char *name = list;
        int err;

        while (*list && *list != ',')
            list++;
        if (*list)
            *list++ = '\0';
        err = hvs_feature_parse(config, name);
        if (err)
            die("features=%s: %s", name, hvs_strerror(err));
    }
}

static void fill_config(struct hvs_vm_config *config)
{
    size_t bad_at = 0;

    *config = (struct hvs_vm_config){
        .size = sizeof(*config),
        .nr_vps = machine.nr_cpus,
        .caps = caps(),
        .apic_id = apic_ids,
        .tsc_khz = clock_tsc_khz(),
        .apic_hz = clock_apic_hz(),
        .memory_bytes = memory_bytes(),
        .phys_bits = machine_phys_bits(),
        .relax = cpu_relax,
        .trace = machine.options.has_trace ? lent.trace : NULL,
        .trace_bytes = sizeof(lent.trace),
    };
    if (hvs_present_parse(config, machine.options.present, &bad_at))
        die("present=%s: there is no such list of personalities", machine.options.present);
    for (uint32_t s = 0; s < config->nr_slots; s++) {
        config->hypercall_insn[s] = machine.vendor->hypercall;
        if (config->slot[s].personality == &hvs_xen_personality)
            config->slot[s].options = domain_options();
        if (config->slot[s].personality != &hvs_vmw_personality)
            continue;
        config->slot[s].options = vmware_options();
        machine.caught_exceptions = 1u << HVS_VECTOR_GP;
    }
    hvs_feature_parse(config, "stealclock=off");        /* nobody steals here: it would tick for nothing */
    set_features(config, machine.options.features);
}

static void catch_all(void)
{
    struct hvs_range range[32];
    uint32_t nr = HVS_ARRAY_SIZE(range);

    if (hvs_vm_msr_ranges(machine.vm, range, &nr))
        die("the personalities have more than %u ranges of MSRs", (uint32_t)HVS_ARRAY_SIZE(range));
    for (uint32_t i = 0; i < nr; i++) {
        for (uint64_t index = range[i].first; index <= range[i].last; index++)
            machine.vendor->catch_msr((uint32_t)index, true, true);
    }
    nr = HVS_ARRAY_SIZE(range);
    if (hvs_vm_pio_ranges(machine.vm, range, &nr))
        die("the personalities have more than %u ranges of ports", (uint32_t)HVS_ARRAY_SIZE(range));
    for (uint32_t i = 0; i < nr; i++) {
        for (uint32_t at = range[i].first; at <= range[i].last; at++)
            machine.vendor->catch_port((uint16_t)at);
    }
    machine.vendor->catch_msr(MSR_APIC_BASE, false, true);
}

void vm_create(void)
{
    struct hvs_vm_config config;
    size_t bytes;
    int err;

    for (uint32_t i = 0; i < machine.nr_cpus; i++)
        apic_ids[i] = machine.cpu[i]->apic_id;
    fill_config(&config);
    err = hvs_vm_size(&config, &bytes);
    if (!err)
        err = hvs_vm_init(memory_take(bytes), bytes, &config, &port, NULL, &machine.vm);
    if (err)
        die("present=%s: %s (missing capabilities: 0x%x)", machine.options.present, hvs_strerror(err),
            hvs_vm_missing_caps(&config));
    machine.has_personality = config.nr_slots > 0;
    for (uint32_t i = 0; i < machine.nr_cpus; i++)
        machine.cpu[i]->vcpu = hvs_vm_vcpu(machine.vm, i);
    catch_all();
    guestinfo_start();
}

void vm_start(void)
{
    domain_tell_memory();
    if (hvs_vm_start_clock(machine.vm))
        die("the TSC runs at %lu kHz, which no interface can tell", clock_tsc_khz());
    hvs_vm_set_wall_clock(machine.vm, clock_utc() * 1000000000);
}

int vm_request(struct cpu *self, const struct hvs_personality *to, uint32_t request, void *data)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_HOST, .host = {to, request, data}};
    struct hvs_outcome out;

    if (hvs_vcpu_exit(self->vcpu, &exit, NULL, &out) != HVS_HANDLED)
        return HVS_ENOTSUP;
    apply_effects(self, &out);
    return (int)(int64_t)out.value;
}
