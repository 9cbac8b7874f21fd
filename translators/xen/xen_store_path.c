/*
 * xenstore paths: which are allowed, what is relative to what, and where their nodes lie [XEN docs/misc/xenstore.txt].
 *
 * What lies below vm-data is the store that all interfaces share, so `vm-data/x` is VMware's guestinfo.x. Strings there
 * whose keys are no paths, such as guestinfo.a.b, are not seen from here.
 */
#include "xen_state.h"

static const char shared_name[] = "/vm-data/";
enum { SHARED_NAME_BYTES = sizeof(shared_name) - 1 };

struct hvs_text xen_store_text(const char *terminated)
{
    struct hvs_text text = {terminated, 0};

    while (terminated[text.bytes])
        text.bytes++;
    return text;
}

bool xen_store_text_begins(struct hvs_text text, struct hvs_text begin)
{
    return text.bytes >= begin.bytes && memcmp(text.text, begin.text, begin.bytes) == 0;
}

uint32_t xen_store_number(uint64_t number, char text[XS_NUMBER_BYTES])
{
    uint32_t bytes = 1;

    for (uint64_t left = number / 10; left; left /= 10)
        bytes++;
    text[bytes] = '\0';
    for (uint32_t at = bytes; at > 0; number /= 10)
        text[--at] = (char)('0' + number % 10);
    return bytes;
}

static bool char_is_good(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '@';
}

bool xen_store_name_is_good(struct hvs_text name)
{
    for (uint32_t i = 0; i < name.bytes; i++) {
        if (!char_is_good(name.text[i]))
            return false;
    }
    return name.bytes > 0;
}

/* Of an absolute path. */
static bool is_good(struct hvs_text path)
{
    uint32_t nr_names = 0;

    if (path.bytes == 0 || path.bytes > XENSTORE_ABS_PATH_MAX || path.text[0] != '/')
        return false;
    for (uint32_t i = 1; i < path.bytes; i++) {
        if (path.text[i] == '/' ? path.text[i - 1] == '/' : !char_is_good(path.text[i]))
            return false;
        nr_names += path.text[i - 1] == '/';
    }
    return nr_names <= XS_MAX_NAMES && (path.bytes == 1 || path.text[path.bytes - 1] != '/');
}

int xen_store_path_parse(const struct hvs_ctx *ctx, struct hvs_text text, bool may_be_special)
{
    struct xen_store *store = xen_store_of(ctx);
    struct xs_path *path = &store->path;
    uint32_t base_bytes = 0;

    if (text.bytes == 0 || text.bytes > XENSTORE_ABS_PATH_MAX)
        return XEN_EINVAL;
    path->is_relative = text.text[0] != '/' && text.text[0] != '@';
    if (path->is_relative) {
        if (text.bytes > XENSTORE_REL_PATH_MAX)
            return XEN_EINVAL;
        memcpy(path->text, store->home, store->home_bytes);
        path->text[store->home_bytes] = '/';
        base_bytes = store->home_bytes + 1;
    }
    memcpy(path->text + base_bytes, text.text, text.bytes);
    path->bytes = base_bytes + text.bytes;
    if (path->text[0] == '@')
        return may_be_special ? 0 : XEN_EINVAL;
    if (!is_good(xen_store_path_text(path)))
        return XEN_EINVAL;

    const struct xs_place place = xen_store_place_of(ctx, xen_store_path_text(path));

    return place.is_shared && place.key.bytes > HVS_STORE_KEY_BYTES ? XEN_EINVAL : 0;
}

bool xen_store_path_is_root(struct hvs_text path)
{
    return path.bytes == 1;
}

bool xen_store_path_is_shared_root(const struct hvs_ctx *ctx, struct hvs_text path)
{
    const struct xen_store *store = xen_store_of(ctx);

    return path.bytes == store->home_bytes + SHARED_NAME_BYTES - 1 &&
           memcmp(path.text, store->home, store->home_bytes) == 0 &&
           memcmp(path.text + store->home_bytes, shared_name, SHARED_NAME_BYTES - 1) == 0;
}

struct hvs_text xen_store_path_parent(struct hvs_text path)
{
    do
        path.bytes--;
    while (path.bytes > 0 && path.text[path.bytes] != '/');
    if (path.bytes == 0)
        path.bytes = 1;
    return path;
}

bool xen_store_path_is_below(struct hvs_text path, struct hvs_text above)
{
    if (!xen_store_text_begins(path, above))
        return false;
    return path.bytes == above.bytes || xen_store_path_is_root(above) || path.text[above.bytes] == '/';
}

struct hvs_text xen_store_path_told(const struct hvs_ctx *ctx, struct hvs_text path, bool is_relative)
{
    const uint32_t base_bytes = xen_store_of(ctx)->home_bytes + 1;

    if (!is_relative || path.bytes < base_bytes)
        return path;
    return (struct hvs_text){path.text + base_bytes, path.bytes - base_bytes};
}

struct xs_place xen_store_place_of(const struct hvs_ctx *ctx, struct hvs_text path)
{
    const struct xen_store *store = xen_store_of(ctx);
    const uint32_t base_bytes = store->home_bytes + SHARED_NAME_BYTES;

    if (path.bytes < base_bytes || memcmp(path.text, store->home, store->home_bytes) != 0 ||
        memcmp(path.text + store->home_bytes, shared_name, SHARED_NAME_BYTES) != 0)
        return (struct xs_place){false, path};
    return (struct xs_place){true, {path.text + base_bytes, path.bytes - base_bytes}};
}

struct hvs_text xen_store_place_path(const struct hvs_ctx *ctx, bool is_shared, struct hvs_text key)
{
    struct xen_store *store = xen_store_of(ctx);
    struct xs_path *path = &store->scratch;

    path->bytes = 0;
    if (is_shared) {
        memcpy(path->text, store->home, store->home_bytes);
        memcpy(path->text + store->home_bytes, shared_name, SHARED_NAME_BYTES);
        path->bytes = store->home_bytes + SHARED_NAME_BYTES;
    }
    if (key.bytes > XENSTORE_ABS_PATH_MAX - path->bytes)        /* only of a damaged save stream */
        key.bytes = XENSTORE_ABS_PATH_MAX - path->bytes;
    memcpy(path->text + path->bytes, key.text, key.bytes);
    path->bytes += key.bytes;
    return xen_store_path_text(path);
}
