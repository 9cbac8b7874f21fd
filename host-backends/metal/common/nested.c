/*
 * Nested page tables: guest-physical is machine-physical, up to the width of the CPU's addresses, in the largest pages
 * that the CPU has. Where there is an IOMMU, one table of the same for devices. Hidden places show one page of ones,
 * which cannot be written, so that guests which look at all of the physical memory find nothing there and no end.
 * Where memory types belong into the entries (EPT), the pages are as small as the types want them.
 */
#include "metal.h"

enum { ENTRIES = 512, LEVEL_2M = 1, LEVEL_1G = 2, LEVEL_TOP = 3, MAX_BITS = 48, MAX_BITS_WITHOUT_1G = 39 };
#define GIB (1ull << 30)
#define MESSAGES 0xfee00000ull

extern uint8_t image_start[];

static struct tables {
    uint64_t *root;             /* NULL: there are none */
    uint64_t *absent_table;     /* 2 MiB of absent pages */
    uint64_t absent_page;
    uint64_t (*entry)(uint64_t hpa, enum nested_entry kind);
    uint64_t per_level;         /* for each level of the table that an entry points to */
    bool (*is_uniform)(uint64_t hpa, uint64_t bytes);
} guest, devices, *const both[] = {&guest, &devices};

static bool has_1g_pages(void)
{
    return cpuid(0x80000001, 0).edx >> 26 & 1;
}

uint32_t machine_phys_bits(void)
{
    return (cpuid(0x80000008, 0).eax & 0xff) - machine.vendor->nr_key_bits();
}

static uint32_t shift_of(uint32_t level)
{
    return HVS_PAGE_SHIFT + 9 * level;
}

/* To a table whose entries are of `level`. */
static void point(const struct tables *t, uint64_t *entry, const uint64_t *table, uint32_t level)
{
    *entry = t->entry((uintptr_t)table, NESTED_TABLE) + (level + 1) * t->per_level;
}

/* What an entry points to, once it points to a table. */
static uint64_t *table_of(uint64_t entry)
{
    return (uint64_t *)(entry & 0x000ffffffffff000ull);
}

static uint64_t *entry_in(uint64_t *table, uint64_t gpa, uint32_t level)
{
    return &table[gpa >> shift_of(level) & (ENTRIES - 1)];
}

/* The entry at `level` that maps `gpa`. A larger page there is split. */
static uint64_t *entry_at(const struct tables *t, uint64_t gpa, uint32_t level)
{
    uint64_t *entry = entry_in(t->root, gpa, LEVEL_TOP);

    for (uint32_t at = LEVEL_TOP; at > level; entry = entry_in(table_of(*entry), gpa, --at)) {
        uint64_t begin = gpa >> shift_of(at) << shift_of(at), *table;

        if (*entry && *entry != t->entry(begin, NESTED_LARGE))
            continue;
        table = memory_take(HVS_PAGE_BYTES);
        for (uint64_t i = 0; i < ENTRIES; i++)
            table[i] = t->entry(begin + (i << shift_of(at - 1)), at > 1 ? NESTED_LARGE : NESTED_PAGE);
        point(t, entry, table, at - 1);
    }
    return entry;
}

/* Pages of one memory type each, in the GiB at `gib`. */
static void split_mixed(const struct tables *t, uint64_t gib)
{
    if (!t->is_uniform || t->is_uniform(gib, GIB))
        return;
    for (uint64_t gpa = gib; gpa < gib + GIB; gpa += LARGE_PAGE_BYTES)
        entry_at(t, gpa, t->is_uniform(gpa, LARGE_PAGE_BYTES) ? LEVEL_2M : 0);
}

/* The image's GiB is split before any fork: the tables below are shared then. */
static void build(struct tables *t, uint32_t max_bits, uint32_t level)
{
    uint32_t bits = machine_phys_bits() < max_bits ? machine_phys_bits() : max_bits;
    void *ones = memset(memory_take(HVS_PAGE_BYTES), 0xff, HVS_PAGE_BYTES);

    t->root = memory_take(HVS_PAGE_BYTES);
    for (uint64_t gib = 0; gib < 1ull << bits; gib += GIB) {
        entry_at(t, gib, level);
        split_mixed(t, gib);
    }
    entry_at(t, (uintptr_t)image_start, LEVEL_2M);
    t->absent_page = t->entry((uintptr_t)ones, NESTED_PAGE_READ_ONLY);
    t->absent_table = memory_take(HVS_PAGE_BYTES);
    for (uint32_t i = 0; i < ENTRIES; i++)
        t->absent_table[i] = t->absent_page;
}

void nested_build(void)
{
    bool is_large = has_1g_pages();

    guest.entry = machine.vendor->nested_entry;
    guest.is_uniform = machine.vendor->nested_is_uniform;
    build(&guest, is_large ? MAX_BITS : MAX_BITS_WITHOUT_1G, is_large ? LEVEL_1G : LEVEL_2M);
}

/* A device's write to the local APIC's MiB is an interrupt. VT-d refuses what lies in a page with it [3.14]. */
uint64_t nested_build_devices(uint64_t (*entry)(uint64_t hpa, enum nested_entry kind), uint64_t per_level)
{
    devices.entry = entry;
    devices.per_level = per_level;
    build(&devices, MAX_BITS, LEVEL_1G);
    point(&devices, entry_at(&devices, MESSAGES, LEVEL_2M), devices.absent_table, 0);
    return (uintptr_t)devices.root;
}

void nested_hide_page(uint64_t gpa)
{
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(both) && both[i]->root; i++)
        *entry_at(both[i], gpa, 0) = both[i]->absent_page;
}

uint64_t nested_fork(uint64_t gpa, uint64_t **own_entry)
{
    uint64_t *own = memcpy(memory_take(HVS_PAGE_BYTES), guest.root, HVS_PAGE_BYTES), *table = own;

    entry_at(&guest, gpa, 0);
    for (uint32_t level = LEVEL_TOP; level > 0; level--) {
        uint64_t *entry = entry_in(table, gpa, level);

        table = memcpy(memory_take(HVS_PAGE_BYTES), table_of(*entry), HVS_PAGE_BYTES);
        point(&guest, entry, table, level - 1);
    }
    *own_entry = entry_in(table, gpa, 0);
    return (uintptr_t)own;
}

/* Ours does not reach beyond the GiB of the image, which is split already: nothing is taken here. */
void nested_close(void)
{
    memory_close();
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(both) && both[i]->root; i++) {
        for (uint64_t gpa = (uintptr_t)image_start; memory_is_ours(gpa); gpa += LARGE_PAGE_BYTES)
            point(both[i], entry_at(both[i], gpa, LEVEL_2M), both[i]->absent_table, 0);
    }
}
