/*
 * The machine's memory: what is RAM, what of it the hypervisor keeps, and the port functions on the rest.
 *
 * Ours is one range, from the image to the end of what memory_take() gave, in whole large pages. Right below it is what
 * the guest is lent, and the map that it gets reserves both. RAM above the 512 GiB that boot/start.S maps is the
 * guest's like all other, but the port functions do not reach it.
 */
#include "metal.h"

extern uint8_t image_start[], image_end[];
alignas(HVS_PAGE_BYTES) struct lent lent __attribute__((section(".bss.lent")));

enum { TYPE_RAM = 1, TYPE_RESERVED = 2 };

static struct {
    struct memory_range range[MAX_MEMORY_RANGES];
    uint32_t nr_ranges;
    uint64_t begin, end, limit; /* ours; `end` moves up to `limit` */
} memory;

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

void memory_init(const struct boot *boot)
{
    memcpy(memory.range, boot->memory, sizeof(boot->memory));
    memory.nr_ranges = boot->nr_memory;
    memory.begin = (uintptr_t)image_start;
    memory.end = memory.limit = round_up((uintptr_t)image_end, HVS_PAGE_BYTES);
    if (!memory_is_ram(LOW_BOOT_PARAMS, LOW_END - LOW_BOOT_PARAMS) ||
        !memory_is_ram((uintptr_t)&lent, memory.end - (uintptr_t)&lent))
        die("the memory map says that there is no RAM where this image lies");
}

void memory_open(uint64_t limit)
{
    const uint64_t end_of_gib = (memory.begin | ((1ull << 30) - 1)) + 1;

    limit = limit < end_of_gib ? limit : end_of_gib;
    while (memory.limit + LARGE_PAGE_BYTES <= limit && memory_is_ram(memory.limit, LARGE_PAGE_BYTES))
        memory.limit = (memory.limit + LARGE_PAGE_BYTES) & ~(LARGE_PAGE_BYTES - 1ull);
}

void *memory_take(size_t bytes)
{
    void *taken = (void *)memory.end;

    bytes = round_up(bytes, HVS_PAGE_BYTES);
    if (bytes > memory.limit - memory.end)
        die("memory is too small: %lu KiB more are needed below 0x%lx", bytes >> 10, memory.limit);
    memory.end += bytes;
    return memset(taken, 0, bytes);
}

void memory_close(void)
{
    memory.end = memory.limit = round_up(memory.end, LARGE_PAGE_BYTES);
}

bool memory_is_image(uint64_t gpa, uint64_t bytes)
{
    return gpa < (uintptr_t)image_end && gpa + bytes > (uintptr_t)&lent;
}

bool memory_is_ours(uint64_t gpa)
{
    return gpa >= memory.begin && gpa < memory.end;
}

struct memory_range memory_reserved(void)
{
    uint64_t begin = (uintptr_t)&lent;

    return (struct memory_range){.gpa = begin, .bytes = memory.end - begin, .type = TYPE_RESERVED};
}

static void append(struct memory_range *map, uint32_t *nr, uint64_t begin, uint64_t end, uint32_t type)
{
    if (begin < end)
        map[(*nr)++] = (struct memory_range){.gpa = begin, .bytes = end - begin, .type = type};
}

void memory_reserve(uint64_t gpa, uint64_t bytes)
{
    for (uint32_t i = 0; i < memory.nr_ranges; i++) {
        struct memory_range *r = &memory.range[i];

        if (r->type != TYPE_RAM || gpa < r->gpa || gpa + bytes != r->gpa + r->bytes)
            continue;
        r->bytes -= bytes;
        memory.range[memory.nr_ranges++] = (struct memory_range){.gpa = gpa, .bytes = bytes, .type = TYPE_RESERVED};
        return;
    }
    die("the memory map does not end at 0x%lx, as the BIOS says", gpa + bytes);
}

/* What is reserved lies within one range of RAM, which falls into three. */
uint32_t memory_map(struct memory_range map[MAX_MEMORY_RANGES])
{
    const uint64_t begin = (uintptr_t)&lent;
    uint32_t nr = 0;

    for (uint32_t i = 0; i < memory.nr_ranges; i++) {
        const struct memory_range *r = &memory.range[i];
        uint64_t end = r->gpa + r->bytes;

        if (r->type != TYPE_RAM || begin < r->gpa || begin >= end) {
            append(map, &nr, r->gpa, end, r->type);
            continue;
        }
        append(map, &nr, r->gpa, begin, TYPE_RAM);
        append(map, &nr, begin, memory.end, TYPE_RESERVED);
        append(map, &nr, memory.end, end, TYPE_RAM);
    }
    return nr;
}

uint32_t memory_write_e820(uint8_t *to)
{
    struct memory_range map[MAX_MEMORY_RANGES];
    uint32_t nr = memory_map(map);

    for (uint32_t i = 0; i < nr; i++, to += E820_ENTRY_BYTES)
        memcpy(to, &map[i], E820_ENTRY_BYTES);
    return nr;
}

uint64_t memory_bytes(void)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < memory.nr_ranges; i++)
        bytes += memory.range[i].type == TYPE_RAM ? memory.range[i].bytes : 0;
    return bytes;
}

/* Two ranges of RAM that touch are not taken for one: no firmware's map has them. */
bool memory_is_ram(uint64_t gpa, uint64_t bytes)
{
    for (uint32_t i = 0; i < memory.nr_ranges; i++) {
        const struct memory_range *r = &memory.range[i];

        if (r->type == TYPE_RAM && gpa >= r->gpa && bytes <= r->bytes && gpa - r->gpa <= r->bytes - bytes)
            return true;
    }
    return false;
}

static bool is_guest_ram(uint64_t gpa, uint64_t bytes)
{
    bool is_mapped = bytes <= MAPPED_BYTES && gpa <= MAPPED_BYTES - bytes;
    bool touches_ours = gpa < memory.end && memory.begin < gpa + bytes;

    return is_mapped && !touches_ours && memory_is_ram(gpa, bytes);
}

int port_gpa_read(void *ctx, uint64_t gpa, void *buffer, size_t bytes)
{
    (void)ctx;
    if (!is_guest_ram(gpa, bytes))
        return HVS_EFAULT;
    memcpy(buffer, (const void *)gpa, bytes);
    return HVS_OK;
}

int port_gpa_write(void *ctx, uint64_t gpa, const void *buffer, size_t bytes)
{
    (void)ctx;
    if (!is_guest_ram(gpa, bytes))
        return HVS_EFAULT;
    memcpy((void *)gpa, buffer, bytes);
    return HVS_OK;
}

void *port_page_pin(void *ctx, uint64_t gfn)
{
    (void)ctx;
    if (gfn > UINT64_MAX >> HVS_PAGE_SHIFT || !is_guest_ram(gfn << HVS_PAGE_SHIFT, HVS_PAGE_BYTES))
        return NULL;
    return (void *)(gfn << HVS_PAGE_SHIFT);
}

void port_page_unpin(void *ctx, uint64_t gfn, void *page, bool was_written)
{
    (void)ctx, (void)gfn, (void)page, (void)was_written;
}
