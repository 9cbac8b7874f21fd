/*
 * Nested page tables: guest-physical is machine-physical, up to the width of the CPU's addresses, in the largest pages
 * that the CPU has. Hidden places show one page of ones, which cannot be written, so that guests which look at all of
 * the physical memory find nothing there instead of an end.
 * Where memory types belong into the entries (EPT), the pages are as small as the types want them.
 */
#include "metal.h"

enum { ENTRIES = 512, LEVEL_2M = 1, LEVEL_1G = 2, MAX_BITS = 48, MAX_BITS_WITHOUT_1G = 39 };

extern uint8_t image_start[];

static uint64_t *root;
static uint64_t *absent_table;  /* 2 MiB of absent pages */
static uint64_t absent_page;

static bool has_1g_pages(void)
{
    return cpuid(0x80000001, 0).edx >> 26 & 1;
}

uint32_t machine_phys_bits(void)
{
    return cpuid(0x80000008, 0).eax & 0xff;
}

static uint32_t shift_of(uint32_t level)
{
    return HVS_PAGE_SHIFT + 9 * level;
}

/* A table at `level` whose entries map what begins at `hpa`. */
static uint64_t *make_table(uint64_t hpa, uint32_t level)
{
    uint64_t *table = memory_take(HVS_PAGE_BYTES);

    for (uint64_t i = 0; i < ENTRIES; i++)
        table[i] = machine.vendor->nested_entry(hpa + (i << shift_of(level)), level ? NESTED_LARGE : NESTED_PAGE);
    return table;
}

static void point(uint64_t *entry, const uint64_t *table)
{
    *entry = machine.vendor->nested_entry((uintptr_t)table, NESTED_TABLE);
}

/* What an entry points to, once it points to a table. */
static uint64_t *table_of(uint64_t entry)
{
    return (uint64_t *)(entry & 0x000ffffffffff000ull);
}

static uint64_t *entry_at(uint64_t *table, uint64_t gpa, uint32_t level)
{
    return &table[gpa >> shift_of(level) & (ENTRIES - 1)];
}

/* The entry for the 2 MiB around `gpa`; the GiB is split where it is not yet. */
static uint64_t *large_entry(uint64_t gpa)
{
    uint64_t gib = gpa & ~((1ull << shift_of(LEVEL_1G)) - 1);
    uint64_t *entry = entry_at(table_of(*entry_at(root, gpa, 3)), gpa, LEVEL_1G);

    if (*entry == machine.vendor->nested_entry(gib, NESTED_LARGE))
        point(entry, make_table(gib, LEVEL_2M));
    return entry_at(table_of(*entry), gpa, LEVEL_2M);
}

/* The entry for the page at `gpa`; the 2 MiB are split where they are not yet. */
static uint64_t *page_entry(uint64_t gpa)
{
    uint64_t large = gpa & ~(LARGE_PAGE_BYTES - 1ull);
    uint64_t *entry = large_entry(gpa);

    if (*entry == machine.vendor->nested_entry(large, NESTED_LARGE))
        point(entry, make_table(large, 0));
    return entry_at(table_of(*entry), gpa, 0);
}

/* Pages of one memory type each, in the GiB at `gib`. */
static void split_mixed(uint64_t gib)
{
    bool (*is_uniform)(uint64_t hpa, uint64_t bytes) = machine.vendor->nested_is_uniform;

    if (!is_uniform || is_uniform(gib, 1ull << shift_of(LEVEL_1G)))
        return;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint64_t gpa = gib + (i << shift_of(LEVEL_2M));

        large_entry(gpa);
        if (!is_uniform(gpa, LARGE_PAGE_BYTES))
            page_entry(gpa);
    }
}

void nested_build(void)
{
    uint32_t max_bits = has_1g_pages() ? MAX_BITS : MAX_BITS_WITHOUT_1G;
    uint32_t bits = machine_phys_bits() < max_bits ? machine_phys_bits() : max_bits;
    void *ones = memset(memory_take(HVS_PAGE_BYTES), 0xff, HVS_PAGE_BYTES);

    root = memory_take(HVS_PAGE_BYTES);
    for (uint64_t gpa = 0; gpa < 1ull << bits; gpa += 1ull << shift_of(3))
        point(entry_at(root, gpa, 3), make_table(gpa, LEVEL_1G));
    for (uint64_t gpa = 0; !has_1g_pages() && gpa < 1ull << bits; gpa += 1ull << shift_of(LEVEL_1G))
        large_entry(gpa);
    for (uint64_t gpa = 0; gpa < 1ull << bits; gpa += 1ull << shift_of(LEVEL_1G))
        split_mixed(gpa);
    absent_page = machine.vendor->nested_entry((uintptr_t)ones, NESTED_PAGE_READ_ONLY);
    absent_table = memory_take(HVS_PAGE_BYTES);
    for (uint32_t i = 0; i < ENTRIES; i++)
        absent_table[i] = absent_page;
    large_entry((uintptr_t)image_start);        /* before any fork: the tables below are shared then */
}

void nested_hide_page(uint64_t gpa)
{
    *page_entry(gpa) = absent_page;
}

uint64_t nested_fork(uint64_t gpa, uint64_t **own_entry)
{
    uint64_t *own = memcpy(memory_take(HVS_PAGE_BYTES), root, HVS_PAGE_BYTES), *table = own;

    page_entry(gpa);
    for (uint32_t level = 3; level > 0; level--) {
        uint64_t *entry = entry_at(table, gpa, level);

        table = memcpy(memory_take(HVS_PAGE_BYTES), table_of(*entry), HVS_PAGE_BYTES);
        point(entry, table);
    }
    *own_entry = entry_at(table, gpa, 0);
    return (uintptr_t)own;
}

/* Ours does not reach beyond the GiB of the image, which is split already: nothing is taken here. */
void nested_close(void)
{
    memory_close();
    for (uint64_t gpa = (uintptr_t)image_start; memory_is_ours(gpa); gpa += LARGE_PAGE_BYTES)
        point(large_entry(gpa), absent_table);
}
