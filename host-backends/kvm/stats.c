/*
 * What reached user space, as a table or as one JSON object.
 *
 * Three parts: exits that the library looked at, by kind; hits of its rows, by name; and the VMM's own exits. The
 * JSON has every row and every kind, so that a reader can tell 0 from "does not exist"; the table only what was used.
 * Names are this project's own and need no quoting. Nothing but the C library is used: this also runs inside of VMMs
 * that do not know about it.
 */
#include "backend.h"

#include <hvshim/kvm_stats.h>

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

static void print_kinds(FILE *out, const struct hvs_vm *vm, double seconds)
{
    fputs("exits for the presented interfaces\n", out);
    for (uint32_t kind = 0; kind < HVS_NR_EXIT_KINDS; kind++) {
        uint64_t unhandled = 0, count = hvs_vm_exits(vm, (enum hvs_exit_kind)kind, &unhandled);

        if (count)
            print_line(out, kind_names[kind], count, seconds);
        if (unhandled)
            print_line(out, "  of these, owned by no row", unhandled, seconds);
    }
}

static void print_rows(FILE *out, const struct hvs_vm *vm, double seconds)
{
    struct hvs_stat row;
    char name[128];

    fputs("  by row\n", out);
    for (uint32_t i = 0; hvs_vm_stat(vm, i, &row) == HVS_OK; i++) {
        snprintf(name, sizeof(name), "  %-8s %-9s %s", row.personality, row.kind, row.name);
        if (row.hits)
            print_line(out, name, row.hits, seconds);
    }
}

static void print_foreign(FILE *out, const struct hvs_kvm *kvm, double seconds)
{
    char name[128];

    fputs("exits for the VMM\n", out);
    for (uint32_t reason = 0; reason < NR_KVM_REASONS; reason++) {
        uint64_t count = hvs_kvm_foreign_exits(kvm, reason);

        snprintf(name, sizeof(name), "KVM_EXIT_%s (%u)", reason_names[reason] ? reason_names[reason] : "?", reason);
        if (count)
            print_line(out, name, count, seconds);
    }
}

static void print_table(FILE *out, const struct hvs_kvm *kvm, uint32_t nr_cpus, double seconds)
{
    fprintf(out, "the guest ran %.2f s on %u vCPU%s\n", seconds, nr_cpus, nr_cpus > 1 ? "s" : "");
    print_kinds(out, kvm->vm, seconds);
    print_rows(out, kvm->vm, seconds);
    if (hvs_kvm_patched_pairs(kvm))
        fprintf(out, "pairs of hypercall functions in the guest that were patched to exit: %u\n",
                hvs_kvm_patched_pairs(kvm));
    if (hvs_kvm_kicks(kvm))
        print_line(out, "kicks of vCPUs out of the guest", hvs_kvm_kicks(kvm), seconds);
    print_foreign(out, kvm, seconds);
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

static void print_kinds_json(FILE *out, const struct hvs_vm *vm)
{
    for (uint32_t kind = 0; kind < HVS_NR_EXIT_KINDS; kind++) {
        uint64_t unhandled = 0, count = hvs_vm_exits(vm, (enum hvs_exit_kind)kind, &unhandled);

        fprintf(out, "%s\"%s\":{\"count\":%llu,\"unhandled\":%llu}", kind ? "," : "", kind_names[kind],
                (unsigned long long)count, (unsigned long long)unhandled);
    }
}

static void print_rows_json(FILE *out, const struct hvs_vm *vm)
{
    struct hvs_stat row;

    for (uint32_t i = 0; hvs_vm_stat(vm, i, &row) == HVS_OK; i++)
        fprintf(out, "%s{\"personality\":\"%s\",\"kind\":\"%s\",\"name\":\"%s\",\"hits\":%llu}", i ? "," : "",
                row.personality, row.kind, row.name, (unsigned long long)row.hits);
}

static void print_foreign_json(FILE *out, const struct hvs_kvm *kvm)
{
    const char *comma = "";

    for (uint32_t reason = 0; reason < NR_KVM_REASONS; reason++) {
        unsigned long long count = hvs_kvm_foreign_exits(kvm, reason);

        if (reason_names[reason])
            fprintf(out, "%s\"%s\":%llu", comma, reason_names[reason], count);
        else if (count)
            fprintf(out, "%s\"%u\":%llu", comma, reason, count);
        else
            continue;
        comma = ",";
    }
}

static void print_json(FILE *out, const struct hvs_kvm *kvm, uint32_t nr_cpus, double seconds)
{
    fprintf(out, "{\"seconds\":%.6f,\"cpus\":%u,\"exits\":{", seconds, nr_cpus);
    print_kinds_json(out, kvm->vm);
    fputs("},\"rows\":[", out);
    print_rows_json(out, kvm->vm);
    fputs("],\"vmm_exits\":{", out);
    print_foreign_json(out, kvm);
    fprintf(out, "},\"kicks\":%llu,\"patched_pairs\":%u}\n", (unsigned long long)hvs_kvm_kicks(kvm),
            hvs_kvm_patched_pairs(kvm));
}

void hvs_kvm_stats_print(const struct hvs_kvm *kvm, enum hvs_kvm_stats_form form, FILE *out)
{
    double seconds = (double)(hvs_kvm_monotonic_ns() - kvm->clock.epoch_ns) / 1e9;
    uint32_t nr_cpus = 0;

    for (uint32_t vp = 0; vp < kvm->config.vm.nr_vps; vp++)
        nr_cpus += kvm->vcpu[vp] != NULL;
    if (form == HVS_KVM_STATS_JSON)
        print_json(out, kvm, nr_cpus, seconds);
    else
        print_table(out, kvm, nr_cpus, seconds);
}
