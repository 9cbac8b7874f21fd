/*
 * Starts a kernel with a multiboot header, version 1: an ELF file, or any file whose header says where it goes (the
 * "a.out kludge"). Entered in 32-bit protected mode, flat, no paging, EAX = magic, EBX = multiboot information.
 * [Multiboot Specification 0.6.96]
 *
 * The initrd is module 0. Left out: video modes, drives, ELF section headers, APM.
 */
#include "machine.h"

#include <string.h>

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u

enum { SEARCH_BYTES = 8192 };
enum { WANTS_UNKNOWN = 0xfff8, HAS_ADDRESSES = 1 << 16 };
enum { INFO_MEMORY = 1, INFO_CMDLINE = 1 << 2, INFO_MODULES = 1 << 3, INFO_MAP = 1 << 6, INFO_NAME = 1 << 9 };

struct info {
    uint32_t flags, mem_lower_kib, mem_upper_kib, boot_device, cmdline_gpa, nr_modules, modules_gpa, syms[4];
    uint32_t map_bytes, map_gpa, drives_bytes, drives_gpa, config_gpa, name_gpa;
};
HVS_STATIC_ASSERT(offsetof(struct info, map_bytes) == 44, "multiboot mmap_length");
HVS_STATIC_ASSERT(offsetof(struct info, name_gpa) == 64, "multiboot boot_loader_name");

struct module {
    uint32_t start_gpa, end_gpa, cmdline_gpa, pad;
};

struct map_entry {
    uint32_t bytes;             /* of what follows */
    uint32_t gpa[2], length[2]; /* halves: the entry is not aligned for more */
    uint32_t type;
};
HVS_STATIC_ASSERT(sizeof(struct map_entry) == 24, "multiboot memory map entry");

/* Finds the header. Returns its offset, or nr_bytes where there is none. */
static uint64_t find_header(const struct image *image)
{
    for (uint64_t at = 0; at < SEARCH_BYTES && at + 12 <= image->nr_bytes; at += 4) {
        uint32_t magic = vmm_get32(image, at);
        uint32_t sum = magic + vmm_get32(image, at + 4) + vmm_get32(image, at + 8);
        if (magic == HEADER_MAGIC && sum == 0)
            return at;
    }
    return image->nr_bytes;
}

bool vmm_multiboot_probe(const struct image *image)
{
    return find_header(image) < image->nr_bytes;
}

/* Loads by the header's address fields: header, load, load end, bss end, entry. */
static int load_by_addresses(struct machine *m, const struct image *image, uint64_t header)
{
    if (header + 32 > image->nr_bytes)
        return vmm_fail("%s is damaged: its multiboot header is cut off", image->path);
    uint32_t header_gpa = vmm_get32(image, header + 12);
    uint32_t load_gpa = vmm_get32(image, header + 16);
    uint32_t load_end_gpa = vmm_get32(image, header + 20);
    uint32_t bss_end_gpa = vmm_get32(image, header + 24);
    if (load_gpa > header_gpa || header_gpa - load_gpa > header || (load_end_gpa && load_end_gpa < load_gpa))
        return vmm_fail("%s is damaged: the addresses in its multiboot header do not fit together", image->path);
    uint64_t offset = header - (header_gpa - load_gpa);
    uint64_t file_bytes = load_end_gpa ? load_end_gpa - load_gpa : image->nr_bytes - offset;
    uint64_t memory_bytes = file_bytes;
    if (bss_end_gpa > load_gpa && bss_end_gpa - load_gpa > file_bytes)
        memory_bytes = bss_end_gpa - load_gpa;
    m->boot.rip = vmm_get32(image, header + 28);
    return vmm_load_bytes(m, image, offset, file_bytes, load_gpa, memory_bytes);
}

static void write_info(struct machine *m)
{
    struct {
        struct module module;
        struct map_entry map[VMM_MAP_MAX];
        char name[8];
    } lists = {
        .module = {.start_gpa = (uint32_t)m->boot.initrd_gpa, .cmdline_gpa = VMM_CMDLINE_GPA + VMM_CMDLINE_BYTES - 1},
        .name = "hvshim",
    };
    struct vmm_range map[VMM_MAP_MAX];
    uint32_t nr_map = vmm_memory_map(m, map);
    const struct info info = {
        .flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP | INFO_NAME,
        .mem_lower_kib = VMM_EBDA_GPA >> 10, .mem_upper_kib = (uint32_t)((m->low_bytes - VMM_IMAGE_GPA) >> 10),
        .cmdline_gpa = VMM_CMDLINE_GPA, .nr_modules = m->boot.initrd_bytes ? 1 : 0, .modules_gpa = VMM_BOOT_LISTS_GPA,
        .map_gpa = VMM_BOOT_LISTS_GPA + sizeof(lists.module), .map_bytes = nr_map * sizeof(struct map_entry),
        .name_gpa = VMM_BOOT_LISTS_GPA + sizeof(lists.module) + sizeof(lists.map),
    };
    lists.module.end_gpa = (uint32_t)(m->boot.initrd_gpa + m->boot.initrd_bytes);
    for (uint32_t i = 0; i < nr_map; i++)
        lists.map[i] = (struct map_entry){
            .bytes = sizeof(struct map_entry) - 4, .type = map[i].type,
            .gpa = {(uint32_t)map[i].gpa, (uint32_t)(map[i].gpa >> 32)},
            .length = {(uint32_t)map[i].bytes, (uint32_t)(map[i].bytes >> 32)},
        };
    memcpy(vmm_ram(m, VMM_BOOT_LISTS_GPA, sizeof(lists)), &lists, sizeof(lists));
    memcpy(vmm_ram(m, VMM_BOOT_INFO_GPA, sizeof(info)), &info, sizeof(info));
    m->boot.rax = LOADER_MAGIC;
    m->boot.rbx = VMM_BOOT_INFO_GPA;
}

int vmm_multiboot_load(struct machine *m, const struct image *image)
{
    uint64_t header = find_header(image);
    uint32_t flags = vmm_get32(image, header + 4);
    if (flags & WANTS_UNKNOWN)
        return vmm_fail("%s wants something of its multiboot loader that is not known here (flags %#x)", image->path,
                        flags);
    if (!(flags & HAS_ADDRESSES) && !vmm_is_elf(image))
        return vmm_fail("%s is damaged: its multiboot header says ELF, which it is not", image->path);
    int err = flags & HAS_ADDRESSES ? load_by_addresses(m, image, header) : vmm_load_elf(m, image, &m->boot.rip);
    if (err || vmm_load_initrd(m))
        return -1;
    write_info(m);
    return 0;
}
