/*
 * The store of strings. See store.h.
 *
 * Entries lie one behind the other from the start of the store, in the order in which they were written; an index, from
 * the end of the store downwards, has their places in the order of their keys. What is removed leaves a gap, and when
 * there is no room behind the last entry all move together. So a change costs one move of the index, and one of the
 * entries now and then, both bounded by the size of the store.
 *
 * The save stream has the entries in the order of their keys: {value_bytes, key_bytes, tag_bytes, space, key, tag,
 * value}, padded with zeros to 4 bytes.
 */
#include "core.h"

struct head {
    uint32_t value_bytes;
    uint16_t key_bytes;
    uint8_t tag_bytes;
    uint8_t space;
};
HVS_STATIC_ASSERT(sizeof(struct head) == 8, "the head of a saved entry is 8 bytes");

/* In the store; its texts follow. */
struct entry {
    struct head head;
    uint32_t position;          /* while entries move together; GAP: it was removed */
};

enum { PLACE_BYTES = sizeof(uint32_t) };        /* of an entry, in the index */
#define GAP UINT32_MAX

static uint32_t text_bytes(struct head head)
{
    return (head.key_bytes + head.tag_bytes + head.value_bytes + 3) & ~3u;
}

static uint32_t entry_bytes(struct head head)
{
    return (uint32_t)sizeof(struct entry) + text_bytes(head);
}

static struct entry entry_at(const struct hvs_store *store, uint32_t place)
{
    struct entry entry;

    memcpy(&entry, store->bytes + place, sizeof(entry));
    return entry;
}

static void set_position(struct hvs_store *store, uint32_t place, uint32_t position)
{
    memcpy(store->bytes + place + offsetof(struct entry, position), &position, sizeof(position));
}

/* --- the index ---------------------------------------------------------------------------------------------------- */

static uint8_t *slot_of(const struct hvs_store *store, uint32_t position)
{
    return store->bytes + (store->capacity & ~3u) - (store->nr_entries - position) * PLACE_BYTES;
}

static uint32_t place_of(const struct hvs_store *store, uint32_t position)
{
    uint32_t place;

    memcpy(&place, slot_of(store, position), sizeof(place));
    return place;
}

static void set_place(struct hvs_store *store, uint32_t position, uint32_t place)
{
    memcpy(slot_of(store, position), &place, sizeof(place));
}

static void insert_place(struct hvs_store *store, uint32_t position, uint32_t place)
{
    uint8_t *first = slot_of(store, 0);

    memmove(first - PLACE_BYTES, first, (size_t)position * PLACE_BYTES);
    store->nr_entries++;
    set_place(store, position, place);
}

static void remove_places(struct hvs_store *store, uint32_t position, uint32_t nr)
{
    uint8_t *first = slot_of(store, 0);

    memmove(first + (size_t)nr * PLACE_BYTES, first, (size_t)position * PLACE_BYTES);
    store->nr_entries -= nr;
}

static struct hvs_entry view(const struct hvs_store *store, uint32_t position)
{
    uint32_t place = place_of(store, position);
    struct head head = entry_at(store, place).head;
    const char *text = (const char *)store->bytes + place + sizeof(struct entry);

    return (struct hvs_entry){
        .space = head.space,
        .key = {text, head.key_bytes},
        .tag = {text + head.key_bytes, head.tag_bytes},
        .value = {text + head.key_bytes + head.tag_bytes, head.value_bytes},
    };
}

static int rank(char c)
{
    return c == '/' ? -1 : (uint8_t)c;
}

static int compare(uint8_t space, struct hvs_text key, const struct hvs_entry *with)
{
    enum { PIECE_BYTES = 64 };          /* of what long keys have in common */
    const uint32_t bytes = key.bytes < with->key.bytes ? key.bytes : with->key.bytes;
    uint32_t i = 0;

    if (space != with->space)
        return space < with->space ? -1 : 1;
    while (bytes - i >= PIECE_BYTES && memcmp(key.text + i, with->key.text + i, PIECE_BYTES) == 0)
        i += PIECE_BYTES;
    for (; i < bytes; i++) {
        if (key.text[i] != with->key.text[i])
            return rank(key.text[i]) - rank(with->key.text[i]);
    }
    return key.bytes < with->key.bytes ? -1 : key.bytes > with->key.bytes;
}

static uint32_t seek(const struct hvs_store *store, uint8_t space, struct hvs_text key)
{
    uint32_t first = 0, end = store->nr_entries;

    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        struct hvs_entry entry = view(store, middle);

        if (compare(space, key, &entry) > 0)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static bool find(const struct hvs_store *store, uint8_t space, struct hvs_text key, uint32_t *position)
{
    struct hvs_entry entry;

    *position = seek(store, space, key);
    if (*position == store->nr_entries)
        return false;
    entry = view(store, *position);
    return compare(space, key, &entry) == 0;
}

/* --- room --------------------------------------------------------------------------------------------------------- */

static uint32_t free_bytes(const struct hvs_store *store)
{
    return (store->capacity & ~3u) - store->live_bytes - store->nr_entries * PLACE_BYTES;
}

static void leave_gap(struct hvs_store *store, uint32_t place)
{
    store->live_bytes -= entry_bytes(entry_at(store, place).head);
    set_position(store, place, GAP);
}

/* Moves all entries together. A place in the index may be GAP: its entry is about to be written. */
static void close_gaps(struct hvs_store *store)
{
    uint32_t to = 0;

    for (uint32_t i = 0; i < store->nr_entries; i++) {
        if (place_of(store, i) != GAP)
            set_position(store, place_of(store, i), i);
    }
    for (uint32_t from = 0, bytes; from < store->used; from += bytes) {
        struct entry entry = entry_at(store, from);

        bytes = entry_bytes(entry.head);
        if (entry.position == GAP)
            continue;
        set_place(store, entry.position, to);
        memmove(store->bytes + to, store->bytes + from, bytes);
        to += bytes;
    }
    store->used = to;
}

/* Returns the place for an entry of `bytes`, which are free. The index already has its slot. */
static uint32_t take_room(struct hvs_store *store, uint32_t bytes)
{
    const uint32_t end = (store->capacity & ~3u) - store->nr_entries * PLACE_BYTES;
    uint32_t place;

    if (bytes > end - store->used)
        close_gaps(store);
    place = store->used;
    store->used += bytes;
    store->live_bytes += bytes;
    return place;
}

static void copy(uint8_t *to, struct hvs_text text)
{
    if (text.bytes)
        memcpy(to, text.text, text.bytes);
}

static void write_entry(struct hvs_store *store, uint32_t place, const struct hvs_entry *from)
{
    const struct entry entry = {.head = {
        .value_bytes = from->value.bytes,
        .key_bytes = (uint16_t)from->key.bytes,
        .tag_bytes = (uint8_t)from->tag.bytes,
        .space = from->space,
    }};
    uint8_t *to = store->bytes + place;

    memset(to + entry_bytes(entry.head) - 4, 0, 4);
    memcpy(to, &entry, sizeof(entry));
    copy(to + sizeof(entry), from->key);
    copy(to + sizeof(entry) + from->key.bytes, from->tag);
    copy(to + sizeof(entry) + from->key.bytes + from->tag.bytes, from->value);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static bool is_good(const struct hvs_entry *entry)
{
    const uint32_t max_key = entry->space == HVS_STORE_SHARED ? HVS_STORE_KEY_BYTES : HVS_STORE_OWN_KEY_BYTES;

    return entry->key.bytes > 0 && entry->key.bytes <= max_key && entry->tag.bytes <= HVS_STORE_TAG_BYTES &&
           entry->value.bytes <= HVS_STORE_VALUE_BYTES;
}

static uint32_t bytes_for(const struct hvs_entry *entry)
{
    return (uint32_t)sizeof(struct entry) + ((entry->key.bytes + entry->tag.bytes + entry->value.bytes + 3) & ~3u);
}

/* In place of the entry at `position`, which has the same key. */
static int replace(struct hvs_store *store, uint32_t position, const struct hvs_entry *entry)
{
    const uint32_t old = place_of(store, position), old_bytes = entry_bytes(entry_at(store, old).head);
    const uint32_t bytes = bytes_for(entry);

    if (bytes == old_bytes) {
        write_entry(store, old, entry);
        return HVS_OK;
    }
    if (bytes > free_bytes(store) + old_bytes)
        return HVS_ENOSPC;
    leave_gap(store, old);
    set_place(store, position, GAP);

    uint32_t place = take_room(store, bytes);

    set_place(store, position, place);
    write_entry(store, place, entry);
    return HVS_OK;
}

static int put(struct hvs_store *store, const struct hvs_entry *entry)
{
    uint32_t position, bytes = bytes_for(entry), place;

    if (find(store, entry->space, entry->key, &position))
        return replace(store, position, entry);
    if (store->nr_entries == HVS_STORE_MAX_ENTRIES || free_bytes(store) < bytes + PLACE_BYTES)
        return HVS_ENOSPC;
    if (bytes + PLACE_BYTES > (store->capacity & ~3u) - store->nr_entries * PLACE_BYTES - store->used)
        close_gaps(store);
    insert_place(store, position, GAP);
    place = take_room(store, bytes);
    set_place(store, position, place);
    write_entry(store, place, entry);
    return HVS_OK;
}

int hvs_store_put(struct hvs_ctx *ctx, const struct hvs_entry *entry)
{
    return is_good(entry) ? put(&ctx->vm->store, entry) : HVS_EINVAL;
}

/* The tag is a few bytes, so it can be kept while the entry moves. */
int hvs_store_set(struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text value)
{
    struct hvs_store *store = &ctx->vm->store;
    struct hvs_entry entry = {.space = HVS_STORE_SHARED, .key = key, .value = value};
    char tag[HVS_STORE_TAG_BYTES];
    uint32_t position;

    if (!is_good(&entry))
        return HVS_EINVAL;
    if (find(store, entry.space, key, &position)) {
        struct hvs_text old = view(store, position).tag;

        copy((uint8_t *)tag, old);
        entry.tag = (struct hvs_text){tag, old.bytes};
    }
    return put(store, &entry);
}

void hvs_store_drop(struct hvs_ctx *ctx, uint32_t position, uint32_t nr)
{
    struct hvs_store *store = &ctx->vm->store;

    for (uint32_t i = 0; i < nr; i++)
        leave_gap(store, place_of(store, position + i));
    remove_places(store, position, nr);
    if (store->nr_entries == 0)
        store->used = 0;
}

void hvs_store_move(struct hvs_ctx *ctx, uint32_t position, uint8_t space)
{
    struct hvs_store *store = &ctx->vm->store;
    const uint32_t place = place_of(store, position);
    const struct hvs_text key = view(store, position).key;
    uint32_t to;

    remove_places(store, position, 1);
    if (find(store, space, key, &to)) {
        leave_gap(store, place_of(store, to));
        remove_places(store, to, 1);
    }
    store->bytes[place + offsetof(struct entry, head.space)] = space;
    insert_place(store, to, place);
}

void hvs_store_clear_space(struct hvs_ctx *ctx, uint8_t space)
{
    const struct hvs_store *store = &ctx->vm->store;
    uint32_t first = seek(store, space, (struct hvs_text){NULL, 0}), nr = 0;

    while (first + nr < store->nr_entries && view(store, first + nr).space == space)
        nr++;
    hvs_store_drop(ctx, first, nr);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

int hvs_store_get(const struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text *value)
{
    uint32_t position;

    if (!find(&ctx->vm->store, HVS_STORE_SHARED, key, &position))
        return HVS_ENOENT;
    *value = view(&ctx->vm->store, position).value;
    return HVS_OK;
}

uint32_t hvs_store_seek(const struct hvs_ctx *ctx, uint8_t space, struct hvs_text key)
{
    return seek(&ctx->vm->store, space, key);
}

bool hvs_store_at(const struct hvs_ctx *ctx, uint32_t position, struct hvs_entry *entry)
{
    if (position >= ctx->vm->store.nr_entries)
        return false;
    *entry = view(&ctx->vm->store, position);
    return true;
}

bool hvs_store_find(const struct hvs_ctx *ctx, uint8_t space, struct hvs_text key, uint32_t *position)
{
    return find(&ctx->vm->store, space, key, position);
}

uint32_t hvs_store_free_bytes(const struct hvs_ctx *ctx)
{
    return free_bytes(&ctx->vm->store);
}

uint32_t hvs_store_free_entries(const struct hvs_ctx *ctx)
{
    return HVS_STORE_MAX_ENTRIES - ctx->vm->store.nr_entries;
}

/* --- save and load ------------------------------------------------------------------------------------------------ */

void hvs_store_clear(struct hvs_store *store)
{
    store->used = 0;
    store->live_bytes = 0;
    store->nr_entries = 0;
}

uint32_t hvs_store_saved_bytes(const struct hvs_store *store)
{
    return store->live_bytes - store->nr_entries * (uint32_t)(sizeof(struct entry) - sizeof(struct head));
}

void hvs_store_save(const struct hvs_store *store, struct hvs_writer *writer)
{
    for (uint32_t i = 0; i < store->nr_entries; i++) {
        uint32_t place = place_of(store, i);
        struct head head = entry_at(store, place).head;

        hvs_writer_append(writer, &head, sizeof(head));
        hvs_writer_append(writer, store->bytes + place + sizeof(struct entry), text_bytes(head));
    }
}

/* Takes one entry of a save stream. Returns its bytes, or 0 where there can be none such. */
static uint32_t load_entry(struct hvs_store *store, const uint8_t *bytes, uint32_t left)
{
    const char *text = (const char *)bytes + sizeof(struct head);
    struct head head;
    uint32_t position;

    if (left < sizeof(head))
        return 0;
    memcpy(&head, bytes, sizeof(head));
    if (head.value_bytes > left || text_bytes(head) > left - sizeof(head))
        return 0;

    const struct hvs_entry entry = {
        .space = head.space,
        .key = {text, head.key_bytes},
        .tag = {text + head.key_bytes, head.tag_bytes},
        .value = {text + head.key_bytes + head.tag_bytes, head.value_bytes},
    };

    if (!is_good(&entry) || find(store, entry.space, entry.key, &position) || put(store, &entry))
        return 0;
    return (uint32_t)sizeof(head) + text_bytes(head);
}

int hvs_store_load(struct hvs_store *store, const void *bytes, uint32_t nr_bytes)
{
    hvs_store_clear(store);
    for (uint32_t at = 0, step; at < nr_bytes; at += step) {
        step = load_entry(store, (const uint8_t *)bytes + at, nr_bytes - at);
        if (step == 0) {
            hvs_store_clear(store);
            return HVS_EFORMAT;
        }
    }
    return HVS_OK;
}
