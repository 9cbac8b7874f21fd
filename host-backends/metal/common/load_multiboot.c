/*
 * Starts a kernel with a multiboot 1 header that says where it goes, such as guest-probe: in 32-bit protected mode, EAX
 * the loader's magic number, EBX its information [Multiboot 0.6.96].
 *
 * Left out: ELF files without addresses in the header, modules, video modes.
 */
#include "metal.h"

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u

enum { SEARCH_BYTES = 8192, HAS_ADDRESSES = 1 << 16, INFO_CMDLINE = 1 << 2, INFO_MAP = 1 << 6 };

struct header {
    uint32_t magic, flags, checksum, header_gpa, load_gpa, load_end_gpa, bss_end_gpa, entry_gpa;
};

struct map_entry {
    uint32_t bytes;             /* of what follows */
    uint32_t gpa[2], length[2];
    uint32_t type;
};

/* What lies at LOW_BOOT_PARAMS: the information, and the map to which it points. */
struct info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline_gpa, mods[2], syms[4], map_bytes, map_gpa;
    struct map_entry map[MAX_MEMORY_RANGES];
};
HVS_STATIC_ASSERT(offsetof(struct info, map_bytes) == 44, "multiboot mmap_length");
HVS_STATIC_ASSERT(sizeof(struct info) <= HVS_PAGE_BYTES, "the information fits its page");

static uint32_t entry_gpa;

/* The header with addresses in a module, or NULL. */
static const struct header *find_header(const struct module *kernel)
{
    for (uint64_t at = 0; at < SEARCH_BYTES && at + sizeof(struct header) <= kernel->bytes; at += 4) {
        const struct header *header = (const void *)(kernel->gpa + at);

        if (header->magic == HEADER_MAGIC && header->magic + header->flags + header->checksum == 0 &&
            header->flags & HAS_ADDRESSES)
            return header;
    }
    return NULL;
}

static bool is_mine(const struct module *kernel)
{
    return find_header(kernel);
}

static uint64_t load(const struct boot *boot)
{
    const struct module *kernel = &boot->module[0];
    const struct header header = *find_header(kernel);
    uint64_t skip = (uintptr_t)find_header(kernel) - kernel->gpa - (header.header_gpa - header.load_gpa);
    uint64_t bytes = header.load_end_gpa ? header.load_end_gpa - header.load_gpa : kernel->bytes - skip;
    uint64_t all_bytes = header.bss_end_gpa ? header.bss_end_gpa - header.load_gpa : bytes;

    if (header.header_gpa < header.load_gpa || skip > kernel->bytes || bytes > kernel->bytes - skip || all_bytes < bytes)
        die("the addresses in the kernel's multiboot header do not fit together");
    if (!memory_is_ram(header.load_gpa, all_bytes) || memory_is_image(header.load_gpa, all_bytes))
        die("the kernel wants to lie where no memory is free: %lu KiB at 0x%x", all_bytes >> 10, header.load_gpa);
    memmove((void *)(uintptr_t)header.load_gpa, (const void *)(kernel->gpa + skip), bytes);
    memset((void *)(header.load_gpa + bytes), 0, all_bytes - bytes);
    entry_gpa = header.entry_gpa;
    return header.load_gpa;
}

static void finish(struct start *start)
{
    struct info *info = (struct info *)(uintptr_t)LOW_BOOT_PARAMS;
    struct memory_range map[MAX_MEMORY_RANGES];
    uint32_t nr = memory_map(map);

    *info = (struct info){.flags = INFO_CMDLINE | INFO_MAP, .cmdline_gpa = LOW_COMMAND_LINE,
                          .map_bytes = nr * (uint32_t)sizeof(info->map[0]), .map_gpa = (uint32_t)(uintptr_t)info->map};
    for (uint32_t i = 0; i < nr; i++) {
        info->map[i] = (struct map_entry){
            .bytes = sizeof(struct map_entry) - sizeof(uint32_t), .type = map[i].type,
            .gpa = {(uint32_t)map[i].gpa, (uint32_t)(map[i].gpa >> 32)},
            .length = {(uint32_t)map[i].bytes, (uint32_t)(map[i].bytes >> 32)}};
    }
    *start = (struct start){.is_protected = true, .eip = entry_gpa, .eax = LOADER_MAGIC, .ebx = LOW_BOOT_PARAMS};
}

const struct loader multiboot_loader = {.is_mine = is_mine, .load = load, .finish = finish};
