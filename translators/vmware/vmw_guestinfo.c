/*
 * guestinfo: the store's strings as VMware guests and hosts know them, key "metadata" as guestinfo.metadata
 * [open-vm-tools services/vmtoolsd; govmomi].
 *
 * The guest may change every key, as on VMware, and any program in it. So what is there has bounds for the guest, by
 * which the host has room at all times, and another interface its own part of the store. Keys are compared by case.
 */
#include "vmw_state.h"

static const char prefix[] = "guestinfo.";
enum {
    PREFIX_BYTES = sizeof(prefix) - 1,
    GUEST_BYTES = HVS_STORE_BYTES / 4 * 3,
    GUEST_ENTRIES = HVS_STORE_MAX_ENTRIES / 4,
    ENTRY_BYTES = 16,       /* that the store has with each entry */
};

/* The store's key, or none (0 bytes) where the name is not below guestinfo. */
static struct hvs_text key_of(struct hvs_text name)
{
    if (!vmw_text_begins(name, prefix))
        return (struct hvs_text){name.text, 0};
    return (struct hvs_text){name.text + PREFIX_BYTES, name.bytes - PREFIX_BYTES};
}

void vmw_info_get(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args)
{
    struct hvs_text key = key_of(vmw_text_word(&args)), value;

    if (key.bytes == 0 || hvs_store_get(ctx, key, &value)) {
        vmw_message_begin(channel, vmw_text("0 No value found"));
        return;
    }
    vmw_message_begin(channel, vmw_text("1 "));
    vmw_message_append(channel, value);
}

/* A value that gets no longer it may, or what is within its share together with all that is there. */
static bool guest_may_set(const struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text value)
{
    uint32_t bytes = ENTRY_BYTES + key.bytes + value.bytes, nr = 1;
    struct hvs_entry entry;
    struct hvs_text old;

    if (!hvs_store_get(ctx, key, &old)) {
        if (value.bytes <= old.bytes)
            return true;
        bytes = value.bytes - old.bytes;
        nr = 0;
    }
    for (uint32_t i = 0; hvs_store_at(ctx, i, &entry) && entry.space == HVS_STORE_SHARED; i++) {
        bytes += ENTRY_BYTES + entry.key.bytes + entry.tag.bytes + entry.value.bytes;
        nr++;
    }
    return bytes <= GUEST_BYTES && nr <= GUEST_ENTRIES;
}

void vmw_info_set(struct hvs_ctx *ctx, struct vmw_channel *channel, struct hvs_text args)
{
    const struct hvs_vmw_options *options = vmw_options(ctx);
    struct hvs_text key = key_of(vmw_text_word(&args));
    int err = HVS_EINVAL;

    if (key.bytes > 0)
        err = guest_may_set(ctx, key, args) ? hvs_store_set(ctx, key, args) : HVS_ENOSPC;
    if (!err && options->on_guestinfo)
        options->on_guestinfo(options->ctx, key, args);
    if (err == HVS_ENOSPC)
        vmw_message_begin(channel, vmw_text("0 No more room for guestinfo"));
    else
        vmw_message_begin(channel, vmw_text(err ? "0 Permission denied" : "1 "));
}

int vmw_guestinfo_request(struct hvs_ctx *ctx, struct hvs_vmw_guestinfo *info, bool is_set)
{
    struct hvs_text value;
    int err;

    if (is_set)
        return hvs_store_set(ctx, info->key, info->value);
    err = hvs_store_get(ctx, info->key, &value);
    if (err)
        return err;
    info->value = (struct hvs_text){info->buffer, value.bytes};
    if (value.bytes > info->buffer_bytes)
        return HVS_ENOSPC;
    memcpy(info->buffer, value.text, value.bytes);
    return HVS_OK;
}

int vmw_guestinfo_keys(struct hvs_ctx *ctx, struct hvs_vmw_guestinfo *info)
{
    uint32_t used = 0;
    struct hvs_entry entry;

    for (uint32_t i = 0; hvs_store_at(ctx, i, &entry) && entry.space == HVS_STORE_SHARED; i++) {
        if (used + entry.key.bytes < info->buffer_bytes) {
            memcpy(info->buffer + used, entry.key.text, entry.key.bytes);
            info->buffer[used + entry.key.bytes] = '\0';
        }
        used += entry.key.bytes + 1;
    }
    info->value = (struct hvs_text){info->buffer, used};
    return used > info->buffer_bytes ? HVS_ENOSPC : HVS_OK;
}
