/*
 * UEFI's memory map with the hypervisor's own part reserved [UEFI 2.10, 7.2.3]. A guest that frees or moves what the
 * firmware has lent goes by this map, not by E820.
 */
#include "metal.h"

enum { EFI_RESERVED_MEMORY_TYPE = 0 };

struct descriptor {
    uint32_t type, pad;
    uint64_t physical_start, virtual_start, number_of_pages, attribute;
};

struct output {
    uint8_t *at;
    uint32_t bytes, max_bytes, entry_bytes;
};

/* One entry like `whole` for begin..end, where that is anything. Returns whether it fits. */
static bool put(struct output *out, const struct descriptor *whole, uint64_t begin, uint64_t end, uint32_t type)
{
    struct descriptor part = *whole;

    if (begin >= end)
        return true;
    if (out->max_bytes - out->bytes < out->entry_bytes)
        return false;
    part.type = type;
    part.physical_start = begin;
    part.number_of_pages = (end - begin) >> HVS_PAGE_SHIFT;
    memset(out->at + out->bytes, 0, out->entry_bytes);
    memcpy(out->at + out->bytes, &part, sizeof(part));
    out->bytes += out->entry_bytes;
    return true;
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

uint32_t efi_map_hide(const struct boot_efi *efi, uint64_t begin, uint64_t end, uint8_t *to, uint32_t to_bytes)
{
    struct output out = {.at = to, .max_bytes = to_bytes, .entry_bytes = efi->entry_bytes};

    if (efi->entry_bytes < sizeof(struct descriptor))
        return 0;
    for (uint32_t at = 0; efi->map_bytes - at >= efi->entry_bytes; at += efi->entry_bytes) {
        struct descriptor d;
        uint64_t d_end, from, until;

        memcpy(&d, efi->map + at, sizeof(d));
        d_end = d.physical_start + (d.number_of_pages << HVS_PAGE_SHIFT);
        from = clamp(begin, d.physical_start, d_end);
        until = clamp(end, from, d_end);
        if (!put(&out, &d, d.physical_start, from, d.type) || !put(&out, &d, from, until, EFI_RESERVED_MEMORY_TYPE) ||
            !put(&out, &d, until, d_end, d.type))
            return 0;
    }
    return out.bytes;
}
