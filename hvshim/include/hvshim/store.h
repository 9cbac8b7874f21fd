/*
 * The store of strings that host and guest share: VMware's guestinfo, and what Xen guests see below vm-data, are views
 * of it.
 *
 * It is part of the VM's memory (hvs_vm_config.store_bytes, for personalities that have a view). It outlives resets of
 * the guest, as a machine's configuration does, and it is saved. The host fills it by a request of a personality that
 * shows it, before the vCPUs run or at any time.
 */
#ifndef HVSHIM_STORE_H
#define HVSHIM_STORE_H

#include <hvshim/base.h>

struct hvs_ctx;

enum {
    HVS_STORE_BYTES = 256 * 1024,       /* of the whole store, unless the caller says otherwise */
    HVS_STORE_MAX_ENTRIES = 1024,
    HVS_STORE_KEY_BYTES = 255,          /* at most */
    HVS_STORE_VALUE_BYTES = 65534,      /* at most: with VMware's "1 " before it, a message of 64 KiB */
};

/* Some bytes, not terminated. */
struct hvs_text {
    const char *text;
    uint32_t bytes;
};

/*
 * For handlers, all with the VM lock held. What is given is copied; what is returned points into the store and is valid
 * until the next change.
 */

/* HVS_OK; HVS_EINVAL (an empty or too long key, a too long value); HVS_ENOSPC (the old value is kept). */
int hvs_store_set(struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text value);
/* HVS_OK, or HVS_ENOENT. */
int hvs_store_get(const struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text *value);
int hvs_store_remove(struct hvs_ctx *ctx, struct hvs_text key);
/* Entry by entry in the order in which they were set; *cursor is 0 at first. HVS_OK, or HVS_ENOENT behind the last. */
int hvs_store_next(const struct hvs_ctx *ctx, uint32_t *cursor, struct hvs_text *key, struct hvs_text *value);

#endif
