/*
 * Guest RAM: where the VMM has mapped it, and the port functions that reach it.
 *
 * Readers hold memory.lock while they use an address, page_pin until page_unpin, so removing a region waits for them.
 * A thread may take it for reading again (a pin, then a copy): this needs a lock that prefers readers, glibc's default.
 * KVM's dirty log does not see what is written here.
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

/* The host address of `gpa` with *bytes cut to what follows in the same region, or NULL. Lock held. */
static uint8_t *locate(const struct hvs_kvm_memory *memory, uint64_t gpa, size_t *bytes)
{
    size_t i = find(memory, gpa);
    const struct hvs_kvm_region *r = &memory->region[i];

    if (i == memory->nr_regions || gpa < r->gpa)
        return NULL;
    if (*bytes > r->bytes - (gpa - r->gpa))
        *bytes = r->bytes - (gpa - r->gpa);
    return r->host + (gpa - r->gpa);
}

/* Copies between `buffer` and guest memory, to it when `is_write`. */
static int copy(struct hvs_kvm_memory *memory, uint64_t gpa, uint8_t *buffer, size_t bytes, bool is_write)
{
    int err = HVS_OK;

    pthread_rwlock_rdlock(&memory->lock);
    while (bytes > 0) {
        size_t piece = bytes;
        uint8_t *host = locate(memory, gpa, &piece);

        if (!host) {
            err = HVS_EFAULT;
            break;
        }
        memcpy(is_write ? host : buffer, is_write ? buffer : host, piece);
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
    size_t bytes = HVS_PAGE_BYTES;
    void *host = NULL;

    pthread_rwlock_rdlock(&memory->lock);
    if (gfn <= UINT64_MAX >> HVS_PAGE_SHIFT)
        host = locate(memory, gfn << HVS_PAGE_SHIFT, &bytes);
    if (!host)
        pthread_rwlock_unlock(&memory->lock);
    return host;
}

void hvs_kvm_page_unpin(void *ctx, uint64_t gfn, void *page, bool was_written)
{
    (void)gfn, (void)page, (void)was_written;
    pthread_rwlock_unlock(&((struct hvs_kvm *)ctx)->memory.lock);
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

int hvs_kvm_remove_memory(struct hvs_kvm *kvm, uint64_t gpa)
{
    struct hvs_kvm_memory *memory = &kvm->memory;
    int err = HVS_ENOENT;
    size_t at;

    pthread_rwlock_wrlock(&memory->lock);
    at = find(memory, gpa);
    if (at < memory->nr_regions && memory->region[at].gpa == gpa) {
        memory->nr_regions--;
        memmove(&memory->region[at], &memory->region[at + 1],
                (memory->nr_regions - at) * sizeof(memory->region[0]));
        err = HVS_OK;
    }
    pthread_rwlock_unlock(&memory->lock);
    return err;
}
