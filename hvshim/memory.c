/*
 * Guest memory by physical and by virtual address.
 *
 * The walk covers 32-bit, PAE, 4- and 5-level paging [Intel SDM 3A ch. 4, AMD APM 2 ch. 5]. What CPL 3 names must be
 * its own, or it would reach the kernel's memory through us. Copying does not look at reserved bits, nor at SMAP and
 * protection keys, by which a guest guards itself against its own mistakes; accessed and dirty bits are not set.
 */
#include "core.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITABLE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_LARGE (1ull << 7)
#define PTE_LARGE_PAT (1ull << 12)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define PTE_NO_EXECUTE (1ull << 63)
#define PAE_PDPTE_RESERVED 0xfff00000000001e6ull
#define EFER_NXE (1ull << 11)
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

/* Bits that must be zero in a present entry: addresses that do not exist, and flags that mean nothing here. */
static uint64_t reserved_bits(const struct hvs_ctx *ctx, const struct paging *paging, uint32_t level, bool is_large)
{
    uint64_t reserved = PTE_ADDRESS & ~((1ull << ctx->vm->config.phys_bits) - 1);

    if (paging->entry_bytes == 4)
        return 0;
    if (paging->levels == 3 && level == 3)
        return reserved | PAE_PDPTE_RESERVED;
    if (!(ctx->regs->efer & EFER_NXE))
        reserved |= PTE_NO_EXECUTE;
    if (level > 3)
        reserved |= PTE_LARGE;
    if (is_large)
        reserved |= ((1ull << (HVS_PAGE_SHIFT + (level - 1) * paging->index_bits)) - 1) & PTE_ADDRESS & ~PTE_LARGE_PAT;
    return reserved;
}

/* Takes from `walk` what this entry does not allow. */
static void narrow(struct hvs_walk *walk, const struct paging *paging, uint32_t level, uint64_t entry)
{
    if (paging->levels == 3 && level == 3)
        return;                                 /* the entries of PAE's first table have no such bits */
    walk->is_writable = walk->is_writable && (entry & PTE_WRITABLE);
    walk->is_user = walk->is_user && (entry & PTE_USER);
    walk->is_executable = walk->is_executable && !(entry & PTE_NO_EXECUTE);
}

enum hvs_walk_end hvs_gva_walk(const struct hvs_ctx *ctx, uint64_t gva, struct hvs_walk *walk)
{
    const struct hvs_regs *regs = ctx->regs;
    struct paging paging = paging_of(regs);
    uint64_t table_gpa = table_root(regs, &paging);

    *walk = (struct hvs_walk){.gpa = gva & UINT32_MAX, .is_writable = true, .is_user = true, .is_executable = true};
    if (!(regs->cr0 & HVS_CR0_PG))
        return HVS_WALK_PAGE;
    if (!is_canonical(regs, &paging, gva))
        return HVS_WALK_NOT_PRESENT;
    for (uint32_t level = paging.levels; level > 0; level--) {
        uint32_t offset_bits = HVS_PAGE_SHIFT + (level - 1) * paging.index_bits;
        uint64_t index = gva >> offset_bits & ((1u << paging.index_bits) - 1);
        uint64_t entry = 0;

        walk->gpa = table_gpa + index * paging.entry_bytes;
        if (hvs_gpa_read(ctx, walk->gpa, &entry, paging.entry_bytes))
            return HVS_WALK_NO_MEMORY;

        bool is_large = paging.may_be_large[level] && (entry & PTE_LARGE);

        if (!(entry & PTE_PRESENT))
            return HVS_WALK_NOT_PRESENT;
        if (entry & reserved_bits(ctx, &paging, level, is_large))
            walk->has_reserved_bit = true;
        narrow(walk, &paging, level, entry);
        if (level == 1 || is_large) {
            walk->gpa = leaf_gpa(&paging, entry, gva, offset_bits);
            return HVS_WALK_PAGE;
        }
        table_gpa = entry & PTE_ADDRESS;
    }
    return HVS_WALK_NOT_PRESENT;
}

int hvs_gva_to_gpa(const struct hvs_ctx *ctx, uint64_t gva, bool for_write, uint64_t *gpa)
{
    struct hvs_walk walk;

    if (!ctx->regs || hvs_gva_walk(ctx, gva, &walk) != HVS_WALK_PAGE)
        return HVS_EFAULT;

    bool is_user = ctx->regs->cpl == 3;

    if (is_user && !walk.is_user)
        return HVS_EFAULT;
    if (for_write && !walk.is_writable && (is_user || (ctx->regs->cr0 & CR0_WP)))
        return HVS_EFAULT;
    *gpa = walk.gpa;
    return HVS_OK;
}

enum hvs_verdict hvs_fault_access(struct hvs_ctx *ctx, uint64_t gva, bool for_write)
{
    enum { CODE_PRESENT = 1, CODE_WRITE = 2, CODE_USER = 4 };
    const struct hvs_regs *regs = ctx->regs;
    struct paging paging = paging_of(regs);
    struct hvs_outcome *out = ctx->out;
    struct hvs_walk walk;

    if (!is_canonical(regs, &paging, gva))
        return hvs_fault_gp(ctx);
    out->fault_vector = HVS_VECTOR_PF;
    out->fault_has_code = true;
    out->fault_code = (for_write ? CODE_WRITE : 0) | (regs->cpl == 3 ? CODE_USER : 0) |
                      (hvs_gva_walk(ctx, gva, &walk) == HVS_WALK_PAGE ? CODE_PRESENT : 0);
    out->fault_address = gva;
    return HVS_FAULT;
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

int hvs_vcpu_gva_read(struct hvs_vcpu *vcpu, const struct hvs_regs *regs, uint64_t gva, void *buffer, size_t bytes)
{
    struct hvs_ctx ctx = hvs_ctx_make(vcpu, 0);
    struct hvs_regs copy = *regs;

    ctx.regs = &copy;
    return hvs_gva_read(&ctx, gva, buffer, bytes);
}
