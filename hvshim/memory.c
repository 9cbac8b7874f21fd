/*
 * Guest memory by physical and by virtual address.
 *
 * The walk covers 32-bit, PAE, 4- and 5-level paging [Intel SDM 3A ch. 4, AMD APM 2 ch. 5]. It serves hypercall
 * arguments, which only CPL 0 may pass, so the user bit, SMAP and protection keys are not looked at; accessed and
 * dirty bits are not set.
 */
#include "core.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITABLE (1ull << 1)
#define PTE_LARGE (1ull << 7)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define CR0_WP (1ull << 16)

int hvs_gpa_read(const struct hvs_ctx *ctx, uint64_t gpa, void *buffer, size_t bytes)
{
    if (gpa > UINT64_MAX - bytes)
        return HVS_EFAULT;
    return ctx->vm->port->gpa_read(ctx->vm->port_ctx, gpa, buffer, bytes);
}

int hvs_gpa_write(const struct hvs_ctx *ctx, uint64_t gpa, const void *buffer, size_t bytes)
{
    if (gpa > UINT64_MAX - bytes)
        return HVS_EFAULT;
    return ctx->vm->port->gpa_write(ctx->vm->port_ctx, gpa, buffer, bytes);
}

void *hvs_page_pin(const struct hvs_ctx *ctx, uint64_t gfn)
{
    if (gfn > UINT64_MAX >> HVS_PAGE_SHIFT)
        return NULL;
    return ctx->vm->port->page_pin(ctx->vm->port_ctx, gfn);
}

void hvs_page_unpin(const struct hvs_ctx *ctx, uint64_t gfn, void *page, bool was_written)
{
    ctx->vm->port->page_unpin(ctx->vm->port_ctx, gfn, page, was_written);
}

/* How the present mode cuts a linear address into table indices. */
struct paging {
    uint32_t levels;
    uint32_t index_bits;
    uint32_t entry_bytes;
    bool may_be_large[6];       /* by level, counted from 1 at the leaf */
};

static struct paging paging_of(const struct hvs_regs *regs)
{
    if (!(regs->cr4 & HVS_CR4_PAE))
        return (struct paging){2, 10, 4, {[2] = (regs->cr4 & HVS_CR4_PSE) != 0}};
    if (!(regs->efer & HVS_EFER_LMA))
        return (struct paging){3, 9, 8, {[2] = true}};
    return (struct paging){regs->cr4 & HVS_CR4_LA57 ? 5 : 4, 9, 8, {[2] = true, [3] = true}};
}

/* Address bits 63..n must repeat bit n-1 in long mode; outside of it they do not exist. */
static bool is_canonical(const struct hvs_regs *regs, const struct paging *paging, uint64_t gva)
{
    uint32_t unused = 64 - (paging->levels * 9 + HVS_PAGE_SHIFT);

    if (!(regs->efer & HVS_EFER_LMA))
        return gva <= UINT32_MAX;
    return (uint64_t)((int64_t)(gva << unused) >> unused) == gva;
}

static uint64_t table_root(const struct hvs_regs *regs, const struct paging *paging)
{
    if (paging->levels == 3)
        return regs->cr3 & 0xffffffe0u;         /* four entries, 32-byte aligned */
    return regs->cr3 & (paging->entry_bytes == 4 ? 0xfffff000u : PTE_ADDRESS);
}

/* The physical address in a leaf entry whose page covers `offset_bits` bits. */
static uint64_t leaf_gpa(const struct paging *paging, uint64_t entry, uint64_t gva, uint32_t offset_bits)
{
    uint64_t offset_mask = (1ull << offset_bits) - 1;
    uint64_t frame = entry & PTE_ADDRESS;

    if (paging->entry_bytes == 4 && offset_bits > HVS_PAGE_SHIFT)
        frame |= (entry >> 13 & 0xff) << 32;    /* PSE-36 */
    return (frame & ~offset_mask) | (gva & offset_mask);
}

int hvs_gva_to_gpa(const struct hvs_ctx *ctx, uint64_t gva, bool for_write, uint64_t *gpa)
{
    const struct hvs_regs *regs = ctx->regs;

    if (!regs)
        return HVS_EFAULT;
    if (!(regs->cr0 & HVS_CR0_PG)) {
        *gpa = gva & UINT32_MAX;
        return HVS_OK;
    }

    struct paging paging = paging_of(regs);
    uint64_t table_gpa = table_root(regs, &paging);
    bool needs_writable = for_write && (regs->cr0 & CR0_WP);

    if (!is_canonical(regs, &paging, gva))
        return HVS_EFAULT;
    for (uint32_t level = paging.levels; level > 0; level--) {
        uint32_t offset_bits = HVS_PAGE_SHIFT + (level - 1) * paging.index_bits;
        uint64_t index = gva >> offset_bits & ((1u << paging.index_bits) - 1);
        uint64_t entry = 0;
        /* the entries of PAE's first table have no writable bit */
        bool has_writable_bit = !(paging.levels == 3 && level == 3);

        if (hvs_gpa_read(ctx, table_gpa + index * paging.entry_bytes, &entry, paging.entry_bytes))
            return HVS_EFAULT;
        if (!(entry & PTE_PRESENT) || (needs_writable && has_writable_bit && !(entry & PTE_WRITABLE)))
            return HVS_EFAULT;
        if (level == 1 || (paging.may_be_large[level] && (entry & PTE_LARGE))) {
            *gpa = leaf_gpa(&paging, entry, gva, offset_bits);
            return HVS_OK;
        }
        table_gpa = entry & PTE_ADDRESS;
    }
    return HVS_EFAULT;
}

/* The part of [gva, gva + bytes) that lies in gva's page. */
static size_t part_in_page(uint64_t gva, size_t bytes)
{
    size_t left = HVS_PAGE_BYTES - (gva & (HVS_PAGE_BYTES - 1));

    return bytes < left ? bytes : left;
}

int hvs_gva_read(const struct hvs_ctx *ctx, uint64_t gva, void *buffer, size_t bytes)
{
    uint8_t *to = buffer;

    while (bytes > 0) {
        size_t part = part_in_page(gva, bytes);
        uint64_t gpa;

        if (hvs_gva_to_gpa(ctx, gva, false, &gpa) || hvs_gpa_read(ctx, gpa, to, part))
            return HVS_EFAULT;
        gva += part;
        to += part;
        bytes -= part;
    }
    return HVS_OK;
}

int hvs_gva_write(const struct hvs_ctx *ctx, uint64_t gva, const void *buffer, size_t bytes)
{
    const uint8_t *from = buffer;

    while (bytes > 0) {
        size_t part = part_in_page(gva, bytes);
        uint64_t gpa;

        if (hvs_gva_to_gpa(ctx, gva, true, &gpa) || hvs_gpa_write(ctx, gpa, from, part))
            return HVS_EFAULT;
        gva += part;
        from += part;
        bytes -= part;
    }
    return HVS_OK;
}
