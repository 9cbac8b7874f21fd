/*
 * Starts a kernel by its PVH entry: 32-bit protected mode, flat segments, no paging, EBX = hvm_start_info, version 1.
 * [XEN docs/misc/pvh.pandoc; public/arch-x86/hvm/start_info.h]
 *
 * A flat file is loaded at 1 MiB and entered at its first byte in the same state, so that a test kernel without any
 * header still learns its command line and memory.
 */
#include "machine.h"

#include <string.h>

#define START_MAGIC 0x336ec578u

struct start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modules_gpa, cmdline_gpa, rsdp_gpa, map_gpa;
    uint32_t nr_map, reserved;
};
HVS_STATIC_ASSERT(sizeof(struct start_info) == 56, "hvm_start_info version 1 is 56 bytes");

struct start_module {
    uint64_t gpa, bytes, cmdline_gpa, reserved;
};

struct start_map_entry {
    uint64_t gpa, bytes;
    uint32_t type, reserved;
};
HVS_STATIC_ASSERT(sizeof(struct start_map_entry) == 24, "hvm_memmap_table_entry is 24 bytes");

static void write_start_info(struct machine *m)
{
    struct {
        struct start_module module;
        struct start_map_entry map[VMM_MAP_MAX];
    } lists = {.module = {.gpa = m->boot.initrd_gpa, .bytes = m->boot.initrd_bytes}};
    struct vmm_range map[VMM_MAP_MAX];
    const struct start_info info = {
        .magic = START_MAGIC, .version = 1, .nr_modules = m->boot.initrd_bytes ? 1 : 0,
        .modules_gpa = VMM_BOOT_LISTS_GPA, .cmdline_gpa = VMM_CMDLINE_GPA, .rsdp_gpa = VMM_ACPI_GPA,
        .map_gpa = VMM_BOOT_LISTS_GPA + sizeof(lists.module), .nr_map = vmm_memory_map(m, map),
    };
    for (uint32_t i = 0; i < info.nr_map; i++)
        lists.map[i] = (struct start_map_entry){.gpa = map[i].gpa, .bytes = map[i].bytes, .type = map[i].type};
    memcpy(vmm_ram(m, VMM_BOOT_LISTS_GPA, sizeof(lists)), &lists, sizeof(lists));
    memcpy(vmm_ram(m, VMM_BOOT_INFO_GPA, sizeof(info)), &info, sizeof(info));
    m->boot.rbx = VMM_BOOT_INFO_GPA;
}

bool vmm_pvh_probe(const struct image *image)
{
    uint32_t entry;
    return vmm_elf_pvh_entry(image, &entry);
}

int vmm_pvh_load(struct machine *m, const struct image *image)
{
    uint32_t entry = 0;
    uint64_t elf_entry;
    if (!vmm_elf_pvh_entry(image, &entry) || vmm_load_elf(m, image, &elf_entry) || vmm_load_initrd(m))
        return -1;
    m->boot.rip = entry;
    m->boot.is_pvh = true;
    write_start_info(m);
    return 0;
}

bool vmm_flat_probe(const struct image *image)
{
    return image->nr_bytes > 0;
}

int vmm_flat_load(struct machine *m, const struct image *image)
{
    if (vmm_load_bytes(m, image, 0, image->nr_bytes, VMM_IMAGE_GPA, image->nr_bytes) || vmm_load_initrd(m))
        return -1;
    m->boot.rip = VMM_IMAGE_GPA;
    write_start_info(m);
    return 0;
}
