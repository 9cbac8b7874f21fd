/*
 * A program outside the project: the least that a VMM does with the installed library. It makes a VM in its own
 * memory, lets a vCPU execute CPUID, and prints what the guest would see.
 */
#include <stdio.h>
#include <stdlib.h>

#include <hvshim/hvshim.h>
#include <hvshim/translators.h>

/* This VM has no RAM and its time stands still. */
static int no_read(void *ctx, uint64_t gpa, void *buffer, size_t bytes)
{
    (void)ctx, (void)gpa, (void)buffer, (void)bytes;
    return HVS_EFAULT;
}

static int no_write(void *ctx, uint64_t gpa, const void *buffer, size_t bytes)
{
    (void)ctx, (void)gpa, (void)buffer, (void)bytes;
    return HVS_EFAULT;
}

static void *no_page(void *ctx, uint64_t gfn)
{
    (void)ctx, (void)gfn;
    return NULL;
}

static void no_unpin(void *ctx, uint64_t gfn, void *page, bool was_written)
{
    (void)ctx, (void)gfn, (void)page, (void)was_written;
}

static void time_now(void *ctx, struct hvs_instant *now)
{
    (void)ctx;
    *now = (struct hvs_instant){.ns = 0, .tsc = 0};
}

static const struct hvs_port port = {
    .gpa_read = no_read,
    .gpa_write = no_write,
    .page_pin = no_page,
    .page_unpin = no_unpin,
    .time_now = time_now,
};

static void check(const char *what, int err)
{
    if (err == HVS_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, hvs_strerror(err));
    exit(EXIT_FAILURE);
}

static void print_signature(struct hvs_vm *vm)
{
    struct hvs_regs regs = {.rax = HVS_CPUID_FIRST};
    struct hvs_outcome outcome;
    uint32_t word[3];

    if (hvs_vcpu_exit(hvs_vm_vcpu(vm, 0), &(struct hvs_exit){.kind = HVS_EXIT_CPUID}, &regs, &outcome) != HVS_HANDLED)
        exit(EXIT_FAILURE);
    word[0] = (uint32_t)regs.rbx;
    word[1] = (uint32_t)regs.rcx;
    word[2] = (uint32_t)regs.rdx;
    printf("%.12s\n", (const char *)word);
}

int main(void)
{
    struct hvs_vm_config config = {
        .size = sizeof(config),
        .nr_vps = 1,
        .tsc_khz = 1000000,
        .apic_hz = 1000000000,
        .phys_bits = 40,
    };
    struct hvs_vm *vm;
    size_t bytes, bad_at;
    void *memory;

    check("version", hvs_check_version(HVS_VERSION));
    check("personality", hvs_present_parse(&config, "vmware", &bad_at));
    check("size", hvs_vm_size(&config, &bytes));
    bytes = (bytes + HVS_PAGE_BYTES - 1) / HVS_PAGE_BYTES * HVS_PAGE_BYTES;
    memory = aligned_alloc(HVS_PAGE_BYTES, bytes);
    if (!memory)
        return EXIT_FAILURE;
    check("init", hvs_vm_init(memory, bytes, &config, &port, NULL, &vm));
    print_signature(vm);
    free(memory);
    return EXIT_SUCCESS;
}
