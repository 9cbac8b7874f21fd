/* From the boot loader to the guest, on the CPU that the firmware started. */
#include "metal.h"

struct machine machine;

_Noreturn void boot_main(uint32_t magic, uint64_t info);

/* The one vendor whose CPU this is. */
static const struct vendor *find_vendor(void)
{
    static const struct vendor *const vendors[] = {&svm, &vmx};

    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(vendors); i++) {
        const char *missing;

        if (!vendors[i]->is_mine())
            continue;
        missing = vendors[i]->missing();
        if (missing)
            die("this CPU cannot run a guest: %s", missing);
        return vendors[i];
    }
    die("this CPU cannot run a guest: it has neither SVM nor VMX");
}

static const struct loader *find_loader(void)
{
    static const struct loader *const loaders[] = {&disk_loader, &linux_loader, &multiboot_loader};

    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(loaders); i++) {
        if (loaders[i]->is_mine(&machine.boot.module[0]))
            return loaders[i];
    }
    die("the first module is no Linux kernel (bzImage), and has no multiboot header with addresses");
}

/* Moves the guest out of the way, and opens what is then free behind the image: below a kernel that lies above it. */
static void make_room(const struct loader *loader)
{
    struct hvs_text append = text_of(machine.options.append);
    uint64_t kernel_gpa;

    memcpy((char *)LOW_COMMAND_LINE, append.text, append.bytes + 1);
    kernel_gpa = loader->load(&machine.boot);
    memory_open(memory_is_image(0, kernel_gpa) ? kernel_gpa : UINT64_MAX);
}

void boot_main(uint32_t magic, uint64_t info)
{
    const struct loader *loader;
    struct start start;
    uint32_t nr_iommus;

    trap_init();
    console_init();
    boot_read(magic, info, &machine.boot);
    options_parse(machine.boot.command_line, &machine.options);
    machine.vendor = find_vendor();
    memory_init(&machine.boot);
    loader = find_loader();
    make_room(loader);
    acpi_read(machine.boot.has_rsdp ? machine.boot.rsdp : acpi_find_rsdp(), &machine.acpi);
    clock_measure();
    machine.vendor->init();
    cpu_find_all();
    nested_build();
    iommu_init();
    timer_init();
    vm_create();
    stats_catch();
    for (uint32_t vp = 0; vp < machine.nr_cpus; vp++)
        icr_guard(machine.cpu[vp]);
    nested_close();
    nr_iommus = iommu_start();
    vm_start();
    loader->finish(&start);
    say("%s, %u CPU, %lu MiB, TSC %lu kHz, %u IOMMU, present=%s", machine.vendor->name, machine.nr_cpus,
        memory_bytes() >> 20, clock_tsc_khz(), nr_iommus, machine.options.present);
    cpu_run(machine.cpu[0], &start);
}
