/*
 * Guest RAM: where the VMM has mapped it, and the port functions that reach it.
 *
 * Readers hold memory.lock while they use an address, page_pin until page_unpin, so removing a region waits for them.
 * A thread may take it for reading again (a pin, then a copy): this needs a lock that prefers readers, glibc's default.
 * KVM's dirty log does not see what is written here, so a region may have one of ours: a page is marked after it was
 * written, as the kernel does it, so that who takes the mark sees what was written.
 */
#include "backend.h"

#include <stdlib.h>
#include <string.h>

void hvs_kvm_memory_init(struct hvs_kvm_memory *memory)
{
    pthread_rwlockattr_t prefer_readers;

    pthread_rwlockattr_init(&prefer_readers);
    pthread_rwlockattr_setkind_np(&prefer_readers, PTHREAD_RWLOCK_PREFER_READER_NP);
    pthread_rwlock_init(&memory->lock, &prefer_readers);
    pthread_rwlockattr_destroy(&prefer_readers);
}

void hvs_kvm_memory_destroy(struct hvs_kvm_memory *memory)
{
    pthread_rwlock_destroy(&memory->lock);
    for (size_t i = 0; i < memory->nr_regions; i++)
        free(memory->region[i].dirty);
    free(memory->region);
}

/* The first region that ends behind `gpa`; nr_regions when there is none. */
static size_t find(const struct hvs_kvm_memory *memory, uint64_t gpa)
{
    size_t low = 0, high = memory->nr_regions;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct hvs_kvm_region *r = &memory->region[middle];

        if (r->gpa + (r->bytes - 1) < gpa)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The region that holds `gpa`, with *bytes cut to what follows in it, or NULL. Lock held. */
static struct hvs_kvm_region *locate(const struct hvs_kvm_memory *memory, uint64_t gpa, size_t *bytes)
{
    size_t i = find(memory, gpa);
    struct hvs_kvm_region *r = &memory->region[i];

    if (i == memory->nr_regions || gpa < r->gpa)
        return NULL;
    if (*bytes > r->bytes - (gpa - r->gpa))
        *bytes = r->bytes - (gpa - r->gpa);
    return r;
}

void hvs_kvm_mark_dirty(struct hvs_kvm_region *r, uint64_t gpa, size_t bytes)
{
    uint64_t last = (gpa - r->gpa + (bytes - 1)) >> HVS_PAGE_SHIFT;

    for (uint64_t page = (gpa - r->gpa) >> HVS_PAGE_SHIFT; r->dirty && page <= last; page++)
        atomic_fetch_or_explicit(&r->dirty[page / 64], 1ull << page % 64, memory_order_release);
}

/* Copies between `buffer` and guest memory, to it when `is_write`. */
static int copy(struct hvs_kvm_memory *memory, uint64_t gpa, uint8_t *buffer, size_t bytes, bool is_write)
{
    int err = HVS_OK;

    pthread_rwlock_rdlock(&memory->lock);
    while (bytes > 0) {
        size_t piece = bytes;
        struct hvs_kvm_region *r = locate(memory, gpa, &piece);

        if (!r) {
            err = HVS_EFAULT;
            break;
        }

        uint8_t *host = r->host + (gpa - r->gpa);

        memcpy(is_write ? host : buffer, is_write ? buffer : host, piece);
        if (is_write)
            hvs_kvm_mark_dirty(r, gpa, piece);
        gpa += piece;
        buffer += piece;
        bytes -= piece;
    }
    pthread_rwlock_unlock(&memory->lock);
    return err;
}

int hvs_kvm_gpa_read(void *ctx, uint64_t gpa, void *buffer, size_t bytes)
{
    return copy(&((struct hvs_kvm *)ctx)->memory, gpa, buffer, bytes, false);
}

int hvs_kvm_gpa_write(void *ctx, uint64_t gpa, const void *buffer, size_t bytes)
{
    return copy(&((struct hvs_kvm *)ctx)->memory, gpa, (uint8_t *)buffer, bytes, true);
}

void *hvs_kvm_page_pin(void *ctx, uint64_t gfn)
{
    struct hvs_kvm_memory *memory = &((struct hvs_kvm *)ctx)->memory;
    uint64_t gpa = gfn << HVS_PAGE_SHIFT;
    size_t bytes = HVS_PAGE_BYTES;
    struct hvs_kvm_region *r = NULL;

    pthread_rwlock_rdlock(&memory->lock);
    if (gfn <= UINT64_MAX >> HVS_PAGE_SHIFT)
        r = locate(memory, gpa, &bytes);
    if (r)
        return r->host + (gpa - r->gpa);
    pthread_rwlock_unlock(&memory->lock);
    return NULL;
}

void hvs_kvm_page_unpin(void *ctx, uint64_t gfn, void *page, bool was_written)
{
    struct hvs_kvm_memory *memory = &((struct hvs_kvm *)ctx)->memory;
    uint64_t gpa = gfn << HVS_PAGE_SHIFT;
    size_t bytes = HVS_PAGE_BYTES;

    (void)page;
    if (was_written)
        hvs_kvm_mark_dirty(locate(memory, gpa, &bytes), gpa, HVS_PAGE_BYTES);
    pthread_rwlock_unlock(&memory->lock);
}

/* Lock held for writing. */
static int insert(struct hvs_kvm_memory *memory, const struct hvs_kvm_region *region)
{
    size_t at = find(memory, region->gpa);
    struct hvs_kvm_region *grown;

    if (at < memory->nr_regions && memory->region[at].gpa <= region->gpa + (region->bytes - 1))
        return HVS_EINVAL;
    grown = realloc(memory->region, (memory->nr_regions + 1) * sizeof(*grown));
    if (!grown)
        return HVS_ENOSPC;
    memory->region = grown;
    memmove(&grown[at + 1], &grown[at], (memory->nr_regions - at) * sizeof(*grown));
    grown[at] = *region;
    memory->nr_regions++;
    return HVS_OK;
}

int hvs_kvm_add_memory(struct hvs_kvm *kvm, uint64_t gpa, void *host, uint64_t bytes)
{
    struct hvs_kvm_region region = {.gpa = gpa, .bytes = bytes, .host = host};
    int err;

    if ((gpa | bytes | (uintptr_t)host) % HVS_PAGE_BYTES || bytes == 0 || gpa > UINT64_MAX - (bytes - 1) || !host)
        return HVS_EINVAL;
    pthread_rwlock_wrlock(&kvm->memory.lock);
    err = insert(&kvm->memory, &region);
    pthread_rwlock_unlock(&kvm->memory.lock);
    return err;
}

/* The region that begins at `gpa`, or NULL. Lock held. */
static struct hvs_kvm_region *find_first(const struct hvs_kvm_memory *memory, uint64_t gpa)
{
    size_t at = find(memory, gpa);

    return at < memory->nr_regions && memory->region[at].gpa == gpa ? &memory->region[at] : NULL;
}

int hvs_kvm_remove_memory(struct hvs_kvm *kvm, uint64_t gpa)
{
    struct hvs_kvm_memory *memory = &kvm->memory;
    struct hvs_kvm_region *r;

    pthread_rwlock_wrlock(&memory->lock);
    r = find_first(memory, gpa);
    if (r) {
        free(r->dirty);
        memory->nr_regions--;
        memmove(r, r + 1, (size_t)(&memory->region[memory->nr_regions] - r) * sizeof(*r));
    }
    pthread_rwlock_unlock(&memory->lock);
    return r ? HVS_OK : HVS_ENOENT;
}

static size_t nr_words(const struct hvs_kvm_region *r)
{
    return ((r->bytes >> HVS_PAGE_SHIFT) + 63) / 64;
}

int hvs_kvm_log_dirty(struct hvs_kvm *kvm, uint64_t gpa, bool is_on)
{
    struct hvs_kvm_region *r;
    int err = HVS_OK;

    pthread_rwlock_wrlock(&kvm->memory.lock);
    r = find_first(&kvm->memory, gpa);
    if (!r) {
        err = HVS_ENOENT;
    } else if (!is_on) {
        free(r->dirty);
        r->dirty = NULL;
    } else if (!r->dirty) {
        r->dirty = calloc(nr_words(r), sizeof(r->dirty[0]));
        err = r->dirty ? HVS_OK : HVS_ENOSPC;
    }
    pthread_rwlock_unlock(&kvm->memory.lock);
    return err;
}

int hvs_kvm_get_dirty(struct hvs_kvm *kvm, uint64_t gpa, bool is_taken, uint64_t *bitmap)
{
    struct hvs_kvm_region *r;

    pthread_rwlock_rdlock(&kvm->memory.lock);
    r = find_first(&kvm->memory, gpa);
    for (size_t i = 0; r && r->dirty && i < nr_words(r); i++)
        bitmap[i] |= is_taken ? atomic_exchange(&r->dirty[i], 0) : atomic_load(&r->dirty[i]);
    pthread_rwlock_unlock(&kvm->memory.lock);
    return r ? HVS_OK : HVS_ENOENT;
}

int hvs_kvm_clear_dirty(struct hvs_kvm *kvm, uint64_t gpa, uint64_t first_page, uint64_t nr_pages,
                        const uint64_t *bitmap)
{
    struct hvs_kvm_region *r;
    int err = HVS_OK;

    pthread_rwlock_rdlock(&kvm->memory.lock);
    r = find_first(&kvm->memory, gpa);
    if (!r)
        err = HVS_ENOENT;
    else if (first_page % 64 || first_page > nr_words(r) * 64 || nr_pages > nr_words(r) * 64 - first_page)
        err = HVS_EINVAL;
    for (uint64_t i = 0; !err && r->dirty && i < (nr_pages + 63) / 64; i++)
        atomic_fetch_and(&r->dirty[first_page / 64 + i], ~bitmap[i]);
    pthread_rwlock_unlock(&kvm->memory.lock);
    return err;
}
