/*
 * --stats: what reached user space, as a table or as one JSON object.
 *
 * Three parts: exits that the library looked at, by kind; hits of its rows, by name; and the VMM's own exits. The
 * JSON has every row and every kind, so that a reader can tell 0 from "does not exist"; the table only what was used.
 */
#include "machine.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

static const char *const kind_names[HVS_NR_EXIT_KINDS] = {
    [HVS_EXIT_CPUID] = "cpuid",         [HVS_EXIT_MSR_READ] = "msr_read", [HVS_EXIT_MSR_WRITE] = "msr_write",
    [HVS_EXIT_HYPERCALL] = "hypercall", [HVS_EXIT_PIO] = "pio",           [HVS_EXIT_TIMER] = "timer",
    [HVS_EXIT_RESET] = "reset",         [HVS_EXIT_HOST] = "host",
};

enum { NR_KVM_REASONS = 64 };

static const char *const reason_names[NR_KVM_REASONS] = {
    [KVM_EXIT_UNKNOWN] = "UNKNOWN",
    [KVM_EXIT_EXCEPTION] = "EXCEPTION",
    [KVM_EXIT_IO] = "IO",
    [KVM_EXIT_HYPERCALL] = "HYPERCALL",
    [KVM_EXIT_DEBUG] = "DEBUG",
    [KVM_EXIT_HLT] = "HLT",
    [KVM_EXIT_MMIO] = "MMIO",
    [KVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN",
    [KVM_EXIT_SHUTDOWN] = "SHUTDOWN",
    [KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
    [KVM_EXIT_INTR] = "INTR",
    [KVM_EXIT_SET_TPR] = "SET_TPR",
    [KVM_EXIT_TPR_ACCESS] = "TPR_ACCESS",
    [KVM_EXIT_NMI] = "NMI",
    [KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
    [KVM_EXIT_SYSTEM_EVENT] = "SYSTEM_EVENT",
    [KVM_EXIT_IOAPIC_EOI] = "IOAPIC_EOI",
    [KVM_EXIT_HYPERV] = "HYPERV",
    [KVM_EXIT_X86_RDMSR] = "X86_RDMSR",
    [KVM_EXIT_X86_WRMSR] = "X86_WRMSR",
    [KVM_EXIT_DIRTY_RING_FULL] = "DIRTY_RING_FULL",
    [KVM_EXIT_AP_RESET_HOLD] = "AP_RESET_HOLD",
    [KVM_EXIT_X86_BUS_LOCK] = "X86_BUS_LOCK",
    [KVM_EXIT_XEN] = "XEN",
    [KVM_EXIT_NOTIFY] = "NOTIFY",
};

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* --- the table -------------------------------------------------------------------------------------------------- */

/* One line: name, count with separated thousands, and the rate. */
static void print_line(FILE *out, const char *name, uint64_t count, double seconds)
{
    char digits[32], grouped[48];
    int nr = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count), used = 0;
    for (int i = 0; i < nr; i++) {
        if (i && (nr - i) % 3 == 0)
            grouped[used++] = ',';
        grouped[used++] = digits[i];
    }
    grouped[used] = 0;
    fprintf(out, "  %-60s %13s %12.1f /s\n", name, grouped, seconds > 0 ? (double)count / seconds : 0.0);
}

static void print_table(FILE *out, struct machine *m, double seconds)
{
    const struct hvs_vm *vm = hvs_kvm_vm(m->shim);
    char name[128];
    fprintf(out, "the guest ran %.2f s on %u vCPU%s\n", seconds, m->options->nr_cpus,
            m->options->nr_cpus > 1 ? "s" : "");
    fputs("exits for the presented interfaces\n", out);
    for (uint32_t kind = 0; kind < HVS_NR_EXIT_KINDS; kind++) {
        uint64_t unhandled = 0, count = hvs_vm_exits(vm, (enum hvs_exit_kind)kind, &unhandled);
        if (count)
            print_line(out, kind_names[kind], count, seconds);
        if (unhandled)
            print_line(out, "  of these, owned by no row", unhandled, seconds);
    }
    fputs("  by row\n", out);
    struct hvs_stat row;
    for (uint32_t i = 0; hvs_vm_stat(vm, i, &row) == HVS_OK; i++) {
        snprintf(name, sizeof(name), "  %-8s %-9s %s", row.personality, row.kind, row.name);
        if (row.hits)
            print_line(out, name, row.hits, seconds);
    }
    if (hvs_kvm_patched_pairs(m->shim))
        fprintf(out, "pairs of hypercall functions in the guest that were patched to exit: %u\n",
                hvs_kvm_patched_pairs(m->shim));
    if (hvs_kvm_kicks(m->shim))
        print_line(out, "kicks of vCPUs out of the guest", hvs_kvm_kicks(m->shim), seconds);
    fputs("exits for the VMM\n", out);
    for (uint32_t reason = 0; reason < NR_KVM_REASONS; reason++) {
        uint64_t count = hvs_kvm_foreign_exits(m->shim, reason);
        snprintf(name, sizeof(name), "KVM_EXIT_%s (%u)", reason_names[reason] ? reason_names[reason] : "?", reason);
        if (count)
            print_line(out, name, count, seconds);
    }
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

static struct json_object *kinds_json(const struct hvs_vm *vm)
{
    struct json_object *kinds = json_object_new_object();
    for (uint32_t kind = 0; kind < HVS_NR_EXIT_KINDS; kind++) {
        uint64_t unhandled = 0, count = hvs_vm_exits(vm, (enum hvs_exit_kind)kind, &unhandled);
        struct json_object *one = json_object_new_object();
        json_object_object_add(one, "count", json_object_new_uint64(count));
        json_object_object_add(one, "unhandled", json_object_new_uint64(unhandled));
        json_object_object_add(kinds, kind_names[kind], one);
    }
    return kinds;
}

static struct json_object *rows_json(const struct hvs_vm *vm)
{
    struct json_object *rows = json_object_new_array();
    struct hvs_stat row;
    for (uint32_t i = 0; hvs_vm_stat(vm, i, &row) == HVS_OK; i++) {
        struct json_object *one = json_object_new_object();
        json_object_object_add(one, "personality", json_object_new_string(row.personality));
        json_object_object_add(one, "kind", json_object_new_string(row.kind));
        json_object_object_add(one, "name", json_object_new_string(row.name));
        json_object_object_add(one, "hits", json_object_new_uint64(row.hits));
        json_object_array_add(rows, one);
    }
    return rows;
}

static struct json_object *foreign_json(const struct hvs_kvm *shim)
{
    struct json_object *foreign = json_object_new_object();
    for (uint32_t reason = 0; reason < NR_KVM_REASONS; reason++) {
        uint64_t count = hvs_kvm_foreign_exits(shim, reason);
        char number[16];
        snprintf(number, sizeof(number), "%u", reason);
        if (count || reason_names[reason])
            json_object_object_add(foreign, reason_names[reason] ? reason_names[reason] : number,
                                   json_object_new_uint64(count));
    }
    return foreign;
}

static void print_json(FILE *out, struct machine *m, double seconds)
{
    const struct hvs_vm *vm = hvs_kvm_vm(m->shim);
    struct json_object *all = json_object_new_object();
    json_object_object_add(all, "seconds", json_object_new_double(seconds));
    json_object_object_add(all, "cpus", json_object_new_int64(m->options->nr_cpus));
    json_object_object_add(all, "exits", kinds_json(vm));
    json_object_object_add(all, "rows", rows_json(vm));
    json_object_object_add(all, "vmm_exits", foreign_json(m->shim));
    json_object_object_add(all, "kicks", json_object_new_uint64(hvs_kvm_kicks(m->shim)));
    json_object_object_add(all, "patched_pairs", json_object_new_int64(hvs_kvm_patched_pairs(m->shim)));
    fprintf(out, "%s\n", json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN));
    json_object_put(all);
}

int vmm_stats_print(struct machine *m)
{
    if (m->options->stats == VMM_STATS_NONE)
        return 0;
    const char *path = m->options->stats_file;
    FILE *out = path ? fopen(path, "we") : stderr;
    if (!out)
        return vmm_fail("--stats-file %s: %s", path, strerror(errno));
    double seconds = seconds_since(&m->started);
    if (m->options->stats == VMM_STATS_JSON)
        print_json(out, m, seconds);
    else
        print_table(out, m, seconds);
    bool failed = ferror(out);
    if (path && (fclose(out) || failed))
        return vmm_fail("--stats-file %s: %s", path, strerror(errno));
    return 0;
}
