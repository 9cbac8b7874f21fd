/*
 * The tree that a guest finds: what a toolstack writes before the guest runs [XEN docs/misc/xenstore-paths.pandoc;
 * libxl]. A reset makes it anew; what the host wants in it besides, it writes again. vm-data is what it was: it is the
 * store that other interfaces show too.
 *
 * Left out: what a toolstack writes for devices that are not there, and for itself (/libxl, /tool).
 */
#include "xen_state.h"

enum { UUID_BYTES = 36 };

struct xen_store *xen_store_of(const struct hvs_ctx *ctx)
{
    return &xen_vm(ctx)->store;
}

void xen_store_tell_host(const struct hvs_ctx *ctx, struct xs_caller who, struct hvs_text path)
{
    const struct hvs_xen_options options = xen_options(ctx);

    if (!who.is_host && options.on_store)
        options.on_store(options.ctx, path);
}

/* Owners: the host, and the guest reads; or the guest. */
enum owner { HOST, GUEST };

static void give(struct hvs_ctx *ctx, enum owner owner)
{
    struct xs_perms perms = {.nr = 2, .perm = {{.domid = XEN_DOMID_HOST}}};
    const struct xs_caller host = {.is_host = true};

    perms.perm[1].domid = xen_options(ctx).domid;
    perms.perm[1].access = XS_MAY_READ;
    if (owner == GUEST) {
        perms.nr = 1;
        perms.perm[0].domid = xen_options(ctx).domid;
    }
    xen_store_access_set_perms(ctx, host, &perms);
}

static void write_text(struct hvs_ctx *ctx, const char *path, struct hvs_text value)
{
    const struct xs_caller host = {.is_host = true};

    if (!xen_store_path_parse(ctx, xen_store_text(path), false))
        xen_store_access_write(ctx, host, value);
}

static void write_number(struct hvs_ctx *ctx, const char *path, uint64_t number)
{
    char text[XS_NUMBER_BYTES];

    write_text(ctx, path, (struct hvs_text){text, xen_store_number(number, text)});
}

/* 12345678-1234-..., as a big-endian number. */
static void uuid_text(const uint8_t uuid[16], char text[UUID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t at = 0;

    for (uint32_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = digits[uuid[i] >> 4];
        text[at++] = digits[uuid[i] & 0xf];
    }
}

static void write_vm(struct hvs_ctx *ctx, const char *name)
{
    char path[sizeof("/vm/") + UUID_BYTES + sizeof("/name")] = "/vm/";
    const uint32_t bytes = sizeof("/vm/") - 1 + UUID_BYTES;

    uuid_text(hvs_ctx_config(ctx)->uuid, path + sizeof("/vm/") - 1);
    write_text(ctx, path, (struct hvs_text){NULL, 0});
    give(ctx, HOST);
    write_text(ctx, "vm", (struct hvs_text){path, bytes});
    memcpy(path + bytes, "/name", sizeof("/name"));
    write_text(ctx, path, xen_store_text(name));
    memcpy(path + bytes, "/uuid", sizeof("/uuid"));
    write_text(ctx, path, (struct hvs_text){path + sizeof("/vm/") - 1, UUID_BYTES});
}

static void write_cpus(struct hvs_ctx *ctx)
{
    static const char end[] = "/availability";

    for (uint32_t vp = 0; vp < hvs_ctx_nr_vps(ctx); vp++) {
        char path[sizeof("cpu/") + XS_NUMBER_BYTES + sizeof(end)] = "cpu/";
        uint32_t bytes = sizeof("cpu/") - 1 + xen_store_number(vp, path + sizeof("cpu/") - 1);

        memcpy(path + bytes, end, sizeof(end));
        write_text(ctx, path, xen_store_text("online"));
    }
}

static const struct {
    const char *path, *value;
    enum owner owner;
} nodes[] = {
    {"device", "", HOST},
    {"device/suspend/event-channel", "", GUEST},
    {"control", "", HOST},
    {"control/shutdown", "", GUEST},
    {"control/sysrq", "", GUEST},
    {"control/feature-poweroff", "", GUEST},
    {"control/feature-reboot", "", GUEST},
    {"control/feature-suspend", "", GUEST},
    {"control/feature-s3", "", GUEST},
    {"control/feature-s4", "", GUEST},
    {"control/platform-feature-multiprocessor-suspend", "1", HOST},
    {"control/platform-feature-xs_reset_watches", "1", HOST},
    {"hvmloader", "", HOST},
    {"data", "", GUEST},
    {"drivers", "", GUEST},
    {"feature", "", GUEST},
    {"attr", "", GUEST},
    {"error", "", GUEST},
    {"vm-data", "", GUEST},
};

static void set_home(struct hvs_ctx *ctx)
{
    static const char begin[] = "/local/domain/";
    struct xen_store *store = xen_store_of(ctx);

    memcpy(store->home, begin, sizeof(begin));
    store->home_bytes = sizeof(begin) - 1;
    store->home_bytes += xen_store_number(xen_options(ctx).domid, store->home + store->home_bytes);
}

/* The root is there before all others. Nobody may look into it but by a path that he knows. */
static void write_root(struct hvs_ctx *ctx)
{
    static const char tag[] = {XEN_DOMID_HOST, 0, XS_MAY_READ};
    const struct hvs_text root = {"/", 1}, nothing = {NULL, 0};

    xen_store_node_put(ctx, NULL, root, (struct hvs_text){tag, sizeof(tag)}, nothing);
}

void xen_store_reset(struct hvs_ctx *ctx)
{
    const char *name = xen_options(ctx).name;
    const uint64_t memory_kib = hvs_ctx_config(ctx)->memory_bytes / 1024;

    if (!xen_special_is_on(ctx, XEN_SPECIAL_STORE))
        return;
    set_home(ctx);
    hvs_store_clear_space(ctx, XS_SPACE_TREE);
    for (uint32_t i = 0; i < XS_MAX_TX; i++)
        xen_store_node_forget(ctx, &xen_store_of(ctx)->tx[i]);
    xen_store_watch_remove_all(ctx);
    write_root(ctx);
    write_text(ctx, xen_store_of(ctx)->home, (struct hvs_text){NULL, 0});
    give(ctx, HOST);
    write_text(ctx, "/local/domain/0/domid", xen_store_text("0"));
    write_text(ctx, "/local/domain/0/name", xen_store_text("Domain-0"));
    write_vm(ctx, name);
    write_text(ctx, "name", xen_store_text(name));
    write_number(ctx, "domid", xen_options(ctx).domid);
    write_number(ctx, "memory/static-max", memory_kib);
    write_number(ctx, "memory/target", memory_kib);
    write_number(ctx, "store/port", xen_vm(ctx)->param[HVM_PARAM_STORE_EVTCHN]);
    if (xen_special_is_on(ctx, XEN_SPECIAL_CONSOLE))
        write_number(ctx, "console/port", xen_vm(ctx)->param[HVM_PARAM_CONSOLE_EVTCHN]);
    write_cpus(ctx);
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(nodes); i++) {
        write_text(ctx, nodes[i].path, xen_store_text(nodes[i].value));
        give(ctx, nodes[i].owner);
    }
    xen_store_node_count(ctx);
}
