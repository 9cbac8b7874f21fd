/* Today VMware's guestinfo is the only view of the store with requests for the host. */
#include "guest_strings.h"

#include <stdlib.h>

#include <hvshim/translators.h>
#include <hvshim/vmware.h>

/* A personality that is not in the VM answers nothing. */
static int request(struct hvs_kvm *kvm, enum hvs_vmw_request number, struct hvs_vmw_guestinfo *info)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_HOST, .host = {&hvs_vmw_personality, number, info}};
    uint64_t value = 0;
    int err = hvs_kvm_dispatch(kvm, 0, &exit, &value);

    return err ? HVS_ENOTSUP : (int)(int64_t)value;
}

int control_strings_set(struct hvs_kvm *kvm, struct hvs_text key, struct hvs_text value)
{
    struct hvs_vmw_guestinfo info = {.key = key, .value = value};

    return request(kvm, HVS_VMW_GUESTINFO_SET, &info);
}

static int read_into(struct hvs_kvm *kvm, enum hvs_vmw_request number, struct hvs_text key, uint32_t most_bytes,
                     char **buffer, size_t *bytes)
{
    struct hvs_vmw_guestinfo info = {.key = key, .buffer = malloc(most_bytes), .buffer_bytes = most_bytes};
    int err = info.buffer ? request(kvm, number, &info) : HVS_ENOSPC;

    *buffer = info.buffer;
    *bytes = err ? 0 : info.value.bytes;
    return err;
}

int control_strings_get(struct hvs_kvm *kvm, struct hvs_text key, char **value, size_t *bytes)
{
    return read_into(kvm, HVS_VMW_GUESTINFO_GET, key, HVS_STORE_VALUE_BYTES, value, bytes);
}

int control_strings_list(struct hvs_kvm *kvm, char **keys, size_t *bytes)
{
    enum { MOST_BYTES = HVS_STORE_MAX_ENTRIES * (HVS_STORE_KEY_BYTES + 1) };

    return read_into(kvm, HVS_VMW_GUESTINFO_KEYS, (struct hvs_text){NULL, 0}, MOST_BYTES, keys, bytes);
}
