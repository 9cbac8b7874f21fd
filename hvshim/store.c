/*
 * The store of strings: entries one behind the other, in the order in which they were set. See store.h.
 *
 * An entry is its header, key and value, padded with zeros to 4 bytes; the save stream has them as they lie. A change
 * moves what lies behind, which the size of the store bounds.
 */
#include "core.h"

struct entry {
    uint32_t value_bytes;
    uint32_t key_bytes;
};

static struct entry entry_at(const struct hvs_store *store, uint32_t at)
{
    struct entry entry;

    memcpy(&entry, store->bytes + at, sizeof(entry));
    return entry;
}

static uint32_t entry_bytes(struct entry entry)
{
    return (uint32_t)sizeof(entry) + ((entry.key_bytes + entry.value_bytes + 3) & ~3u);
}

static struct hvs_text key_at(const struct hvs_store *store, uint32_t at)
{
    return (struct hvs_text){(const char *)store->bytes + at + sizeof(struct entry), entry_at(store, at).key_bytes};
}

static struct hvs_text value_at(const struct hvs_store *store, uint32_t at)
{
    struct entry entry = entry_at(store, at);

    return (struct hvs_text){(const char *)store->bytes + at + sizeof(entry) + entry.key_bytes, entry.value_bytes};
}

static bool texts_equal(struct hvs_text a, struct hvs_text b)
{
    return a.bytes == b.bytes && memcmp(a.text, b.text, a.bytes) == 0;
}

/* The place of `key`, or store->used. */
static uint32_t find(const struct hvs_store *store, struct hvs_text key)
{
    uint32_t at = 0;

    while (at < store->used && !texts_equal(key_at(store, at), key))
        at += entry_bytes(entry_at(store, at));
    return at;
}

static void take_out(struct hvs_store *store, uint32_t at)
{
    uint32_t bytes = entry_bytes(entry_at(store, at));

    store->used -= bytes;
    store->nr_entries--;
    memmove(store->bytes + at, store->bytes + at + bytes, store->used - at);
}

int hvs_store_set(struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text value)
{
    struct hvs_store *store = &ctx->vm->store;
    struct entry entry = {value.bytes, key.bytes};
    uint32_t at = find(store, key), old_bytes = 0, new_bytes;

    if (key.bytes == 0 || key.bytes > HVS_STORE_KEY_BYTES || value.bytes > HVS_STORE_VALUE_BYTES)
        return HVS_EINVAL;
    if (at < store->used)
        old_bytes = entry_bytes(entry_at(store, at));
    else if (store->nr_entries == HVS_STORE_MAX_ENTRIES)
        return HVS_ENOSPC;
    new_bytes = entry_bytes(entry);
    if (new_bytes > store->capacity - (store->used - old_bytes))
        return HVS_ENOSPC;
    if (old_bytes)
        take_out(store, at);

    uint8_t *to = store->bytes + store->used;

    memset(to + new_bytes - 4, 0, 4);
    memcpy(to, &entry, sizeof(entry));
    memcpy(to + sizeof(entry), key.text, key.bytes);
    if (value.bytes)
        memcpy(to + sizeof(entry) + key.bytes, value.text, value.bytes);
    store->used += new_bytes;
    store->nr_entries++;
    return HVS_OK;
}

int hvs_store_get(const struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text *value)
{
    const struct hvs_store *store = &ctx->vm->store;
    uint32_t at = find(store, key);

    if (at == store->used)
        return HVS_ENOENT;
    *value = value_at(store, at);
    return HVS_OK;
}

int hvs_store_remove(struct hvs_ctx *ctx, struct hvs_text key)
{
    struct hvs_store *store = &ctx->vm->store;
    uint32_t at = find(store, key);

    if (at == store->used)
        return HVS_ENOENT;
    take_out(store, at);
    return HVS_OK;
}

int hvs_store_next(const struct hvs_ctx *ctx, uint32_t *cursor, struct hvs_text *key, struct hvs_text *value)
{
    const struct hvs_store *store = &ctx->vm->store;

    if (*cursor >= store->used)
        return HVS_ENOENT;
    *key = key_at(store, *cursor);
    *value = value_at(store, *cursor);
    *cursor += entry_bytes(entry_at(store, *cursor));
    return HVS_OK;
}

void hvs_store_clear(struct hvs_store *store)
{
    store->used = 0;
    store->nr_entries = 0;
}

/* The bytes of the entry at `at` of a save stream, or 0 where none can be. */
static uint32_t check_entry(const uint8_t *bytes, uint32_t left)
{
    struct entry entry;

    if (left < sizeof(entry))
        return 0;
    memcpy(&entry, bytes, sizeof(entry));
    if (entry.key_bytes == 0 || entry.key_bytes > HVS_STORE_KEY_BYTES || entry.value_bytes > HVS_STORE_VALUE_BYTES)
        return 0;
    return entry_bytes(entry) <= left ? entry_bytes(entry) : 0;
}

int hvs_store_load(struct hvs_store *store, const void *bytes, uint32_t nr_bytes)
{
    uint32_t nr_entries = 0;

    if (nr_bytes > store->capacity)
        return HVS_EFORMAT;
    for (uint32_t at = 0, step; at < nr_bytes; at += step, nr_entries++) {
        step = check_entry((const uint8_t *)bytes + at, nr_bytes - at);
        if (step == 0 || nr_entries == HVS_STORE_MAX_ENTRIES)
            return HVS_EFORMAT;
    }
    memcpy(store->bytes, bytes, nr_bytes);
    store->used = nr_bytes;
    store->nr_entries = nr_entries;
    return HVS_OK;
}
