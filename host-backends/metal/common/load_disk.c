/*
 * Without a module: the machine's own boot disk, by its BIOS, as if we had never been there but for our memory
 * (boot/disk.S). A loader asks the BIOS for the memory, so its answer is replaced, in real mode as it is.
 *
 * Left out: UEFI, whose boot services are gone when a multiboot loader starts us; there a kernel must be given.
 */
#include "metal.h"

enum { BASE_KIB_AT = 0x413, VECTOR_BYTES = 4, FIRST_DISK = 0x80, STUB_BYTES = HVS_PAGE_BYTES, MIB = 1 << 20 };

extern uint8_t disk_begin[], disk_end[], disk_int13[], disk_int15[], disk_old_int13[], disk_old_int15[];
extern uint8_t disk_number[], disk_nr_ranges[], disk_kib[], disk_map[];

static uint8_t *stub;

static uint8_t *in_stub(const uint8_t *symbol)
{
    return stub + (symbol - disk_begin);
}

static void put32(const uint8_t *symbol, uint32_t value)
{
    memcpy(in_stub(symbol), &value, sizeof(value));
}

static bool is_mine(const struct module *kernel)
{
    return kernel->bytes == 0;
}

/* The stick that we come from may be the BIOS's first disk. */
static uint8_t default_disk(const struct boot *boot)
{
    return boot->bios_disk == FIRST_DISK ? FIRST_DISK + 1 : FIRST_DISK;
}

/* The page below what the BIOS keeps for itself becomes one more that it keeps. */
static void take_top(void)
{
    volatile uint16_t *base_kib = (volatile uint16_t *)(uintptr_t)BASE_KIB_AT;
    uint32_t end = *base_kib * 1024u, begin = (end - STUB_BYTES) & ~(HVS_PAGE_BYTES - 1);

    if (end < LOW_END + 2 * STUB_BYTES || end > 0xa0000)
        die("the BIOS says that there are %u KiB of memory below 1 MiB", end / 1024);
    memory_reserve(begin, end - begin);
    *base_kib = (uint16_t)(begin / 1024);
    stub = (uint8_t *)(uintptr_t)begin;
}

static void hook(uint32_t number, const uint8_t *handler, const uint8_t *old)
{
    uint32_t *vector = (uint32_t *)(uintptr_t)(number * VECTOR_BYTES);

    put32(old, *vector);
    *vector = (uint32_t)((uintptr_t)stub >> 4 << 16) | (uint32_t)(handler - disk_begin);
}

static uint64_t load(const struct boot *boot)
{
    if (boot->efi.systab_gpa || boot->efi.map_bytes)
        die("without a kernel, the machine's disk is booted by its BIOS, and this machine started by UEFI: "
            "give a kernel as a module");
    take_top();
    memcpy(stub, disk_begin, (size_t)(disk_end - disk_begin));
    *in_stub(disk_number) = machine.options.disk ? (uint8_t)machine.options.disk : default_disk(boot);
    put32(disk_kib, (uint32_t)(memory_reserved().gpa - MIB) / 1024);
    hook(0x13, disk_int13, disk_old_int13);
    hook(0x15, disk_int15, disk_old_int15);
    say("boots disk 0x%x", *in_stub(disk_number));
    return 0;
}

static void finish(struct start *start)
{
    HVS_STATIC_ASSERT(MAX_MEMORY_RANGES * E820_ENTRY_BYTES <= STUB_BYTES / 2, "half of the page is left for the code");
    put32(disk_nr_ranges, memory_write_e820(in_stub(disk_map)));
    *start = (struct start){.sipi_vector = (uint8_t)((uintptr_t)stub >> HVS_PAGE_SHIFT)};
}

const struct loader disk_loader = {.is_mine = is_mine, .load = load, .finish = finish};
