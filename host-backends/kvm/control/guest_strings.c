/*
 * The string store is one, and its views are two: VMware's guestinfo shows all of it, Xen's vm-data the keys that are
 * paths. What is set goes by Xen where it can, since the guest's watches are told then.
 *
 * Left out: by Xen alone, a list of more than the names right below vm-data.
 */
#include "guest_strings.h"

#include <stdlib.h>
#include <string.h>

#include <hvshim/translators.h>
#include <hvshim/vmware.h>
#include <hvshim/xen.h>

static const char directory[] = "vm-data";

enum { MOST_PATH_BYTES = sizeof(directory) + HVS_STORE_KEY_BYTES };

/* `key` has at most HVS_STORE_KEY_BYTES; none is the directory. */
static int request_xen(struct hvs_kvm *kvm, enum hvs_xen_request number, struct hvs_text key, struct hvs_xen_store *args)
{
    char path[MOST_PATH_BYTES];

    memcpy(path, directory, sizeof(directory) - 1);
    args->path = (struct hvs_text){path, sizeof(directory) - 1};
    if (key.bytes) {
        path[args->path.bytes++] = '/';
        memcpy(path + args->path.bytes, key.text, key.bytes);
        args->path.bytes += key.bytes;
    }
    return hvs_kvm_request(kvm, &hvs_xen_personality, number, args);
}

int control_strings_set(struct hvs_kvm *kvm, struct hvs_text key, struct hvs_text value)
{
    struct hvs_vmw_guestinfo info = {.key = key, .value = value};
    struct hvs_xen_store node = {.value = value};
    int by_xen = key.bytes ? request_xen(kvm, HVS_XEN_STORE_WRITE, key, &node) : HVS_EINVAL, by_vmware;

    if (by_xen == HVS_OK)
        return HVS_OK;
    by_vmware = hvs_kvm_request(kvm, &hvs_vmw_personality, HVS_VMW_GUESTINFO_SET, &info);
    return by_vmware == HVS_ENOTSUP ? by_xen : by_vmware;
}

/* VMware's request, or Xen's where that is not there. */
static int read_into(struct hvs_kvm *kvm, enum hvs_vmw_request by_vmware, enum hvs_xen_request by_xen,
                     struct hvs_text key, uint32_t most_bytes, char **buffer, size_t *bytes)
{
    struct hvs_vmw_guestinfo info = {.key = key, .buffer = malloc(most_bytes), .buffer_bytes = most_bytes};
    struct hvs_xen_store node = {.buffer = info.buffer, .buffer_bytes = most_bytes};
    int err = info.buffer ? hvs_kvm_request(kvm, &hvs_vmw_personality, by_vmware, &info) : HVS_ENOSPC;

    if (err == HVS_ENOTSUP) {
        err = request_xen(kvm, by_xen, key, &node);
        info.value = node.value;
    }
    *buffer = info.buffer;
    *bytes = err ? 0 : info.value.bytes;
    return err;
}

int control_strings_get(struct hvs_kvm *kvm, struct hvs_text key, char **value, size_t *bytes)
{
    return read_into(kvm, HVS_VMW_GUESTINFO_GET, HVS_XEN_STORE_READ, key, HVS_STORE_VALUE_BYTES, value, bytes);
}

int control_strings_list(struct hvs_kvm *kvm, char **keys, size_t *bytes)
{
    enum { MOST_BYTES = HVS_STORE_MAX_ENTRIES * (HVS_STORE_KEY_BYTES + 1) };

    return read_into(kvm, HVS_VMW_GUESTINFO_KEYS, HVS_XEN_STORE_LIST, (struct hvs_text){NULL, 0}, MOST_BYTES, keys,
                     bytes);
}
