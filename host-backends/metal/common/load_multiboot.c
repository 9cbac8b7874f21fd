/*
 * Starts a kernel with a multiboot 1 header that says where it goes, such as guest-probe: in 32-bit protected mode, EAX
 * the loader's magic number, EBX its information [Multiboot 0.6.96].
 *
 * Left out: ELF files without addresses in the header, modules, video modes.
 */
#include "boot_abi.h"

/* What lies at LOW_BOOT_PARAMS: the information, and the map to which it points. */
struct info {
    struct multiboot1 head;
    struct multiboot1_mmap map[MAX_MEMORY_RANGES];
};
HVS_STATIC_ASSERT(sizeof(struct info) <= HVS_PAGE_BYTES, "the information fits its page");

static uint32_t entry_gpa;

/* The header with addresses in a module, or NULL. */
static const struct multiboot1_header *find_header(const struct module *kernel)
{
    const struct multiboot1_header *header;

    for (uint64_t at = 0; at < MULTIBOOT1_SEARCH_BYTES && at + sizeof(*header) <= kernel->bytes; at += 4) {
        header = (const void *)(kernel->gpa + at);
        if (header->magic == MULTIBOOT1_HEADER && header->magic + header->flags + header->checksum == 0 &&
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
    const struct multiboot1_header header = *find_header(kernel);
    uint64_t skip = (uintptr_t)find_header(kernel) - kernel->gpa - (header.header_gpa - header.load_gpa);
    uint64_t bytes = header.load_end_gpa ? header.load_end_gpa - header.load_gpa : kernel->bytes - skip;
    uint64_t all_bytes = header.bss_end_gpa ? header.bss_end_gpa - header.load_gpa : bytes;

    if (header.header_gpa < header.load_gpa || skip > kernel->bytes || bytes > kernel->bytes - skip ||
        all_bytes < bytes)
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

    *info = (struct info){.head = {
        .flags = HAS_CMDLINE | HAS_MMAP,
        .cmdline = LOW_COMMAND_LINE,
        .mmap_length = nr * (uint32_t)sizeof(info->map[0]),
        .mmap_addr = (uint32_t)(uintptr_t)info->map}};
    for (uint32_t i = 0; i < nr; i++) {
        info->map[i] = (struct multiboot1_mmap){
            .size = sizeof(struct multiboot1_mmap) - sizeof(uint32_t), .type = map[i].type,
            .base = {(uint32_t)map[i].gpa, (uint32_t)(map[i].gpa >> 32)},
            .length = {(uint32_t)map[i].bytes, (uint32_t)(map[i].bytes >> 32)}};
    }
    *start = (struct start){.is_protected = true, .eip = entry_gpa, .eax = MULTIBOOT1_BOOTED, .ebx = LOW_BOOT_PARAMS};
}

const struct loader multiboot_loader = {.is_mine = is_mine, .load = load, .finish = finish};
