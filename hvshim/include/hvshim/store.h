/*
 * The store of strings that host and guest share: VMware's guestinfo and Xen's xenstore are views of it.
 *
 * It is part of the VM's memory (hvs_vm_config.store_bytes, for personalities that have a view). It outlives resets of
 * the guest, as a machine's configuration does, and it is saved. The host fills it by a request of a personality that
 * shows it, before the vCPUs run or at any time.
 *
 * Entries lie in spaces. HVS_STORE_SHARED is what every view shows: the same entry, whoever looks. The others are a
 * personality's own, for what no other interface knows; it numbers them, and it clears them when it is reset. An entry
 * has a key, a value, and a tag of a few bytes of which the store knows nothing (owner, permissions, ...).
 *
 * Entries are in order: by space, then by key, byte by byte, where '/' comes before all other bytes. So a path is
 * followed by all that is below it.
 */
#ifndef HVSHIM_STORE_H
#define HVSHIM_STORE_H

#include <hvshim/base.h>

struct hvs_ctx;

enum {
    HVS_STORE_BYTES = 256 * 1024,       /* what a view of strings needs */
    HVS_STORE_MAX_ENTRIES = 16384,
    HVS_STORE_KEY_BYTES = 255,          /* at most, of what is shared */
    HVS_STORE_OWN_KEY_BYTES = 8192,     /* at most, elsewhere */
    HVS_STORE_TAG_BYTES = 255,          /* at most */
    HVS_STORE_VALUE_BYTES = 65534,      /* at most: with VMware's "1 " before it, a message of 64 KiB */
};

enum { HVS_STORE_SHARED = 0 };

/* Some bytes, not terminated. */
struct hvs_text {
    const char *text;
    uint32_t bytes;
};

struct hvs_entry {
    uint8_t space;
    struct hvs_text key, tag, value;
};

/*
 * For handlers, all with the VM lock held. What is given is copied, and must not lie in the store; what is returned
 * points into the store and is valid until the next change. So are positions, which number the entries from 0 in their
 * order. Looking up takes time that grows with the logarithm of the number of entries; a change may move all of them.
 */

/* Shared strings. HVS_OK; HVS_EINVAL (an empty or too long key, a too long value); HVS_ENOSPC (the old value is kept).
   A tag that is there stays. */
int hvs_store_set(struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text value);
/* HVS_OK, or HVS_ENOENT. */
int hvs_store_get(const struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text *value);

/* As hvs_store_set, of any space, tag and all. */
int hvs_store_put(struct hvs_ctx *ctx, const struct hvs_entry *entry);
/* The position of the first entry that is not before this one; that of the end where there is none. */
uint32_t hvs_store_seek(const struct hvs_ctx *ctx, uint8_t space, struct hvs_text key);
/* Returns false behind the last. */
bool hvs_store_at(const struct hvs_ctx *ctx, uint32_t position, struct hvs_entry *entry);
/* Says whether there is such an entry; *position is as by hvs_store_seek. */
bool hvs_store_find(const struct hvs_ctx *ctx, uint8_t space, struct hvs_text key, uint32_t *position);
/* Removes the entries from `position` on, `nr` of them, which are there. */
void hvs_store_drop(struct hvs_ctx *ctx, uint32_t position, uint32_t nr);
/* Puts the entry at `position` into another space of the personality's own, in place of one with the same key. */
void hvs_store_move(struct hvs_ctx *ctx, uint32_t position, uint8_t space);
/* Removes all of a space. */
void hvs_store_clear_space(struct hvs_ctx *ctx, uint8_t space);
/* What is left for keys, tags, values, and 16 bytes with each entry; and for entries. */
uint32_t hvs_store_free_bytes(const struct hvs_ctx *ctx);
/* How many more may be there at most, however short. */
uint32_t hvs_store_free_entries(const struct hvs_ctx *ctx);

#endif
