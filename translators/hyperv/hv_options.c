/*
 * Options of the personality: their defaults, and the words by which users set them.
 */
#include <hvshim/hyperv.h>

#include "hv_state.h"

enum { DEFAULT_SPINLOCK_RETRIES = 0xfff };      /* what KVM and Windows Server use; libvirt accepts no less */

/* What the hypervisor of these releases says; the first is the default. */
static const struct {
    const char *name;
    uint32_t build_number;
    uint16_t major_version, minor_version;
} versions[] = {
    {"ws2016", 14393, 10, 0},
    {"ws2019", 17763, 10, 0},
    {"ws2022", 20348, 10, 0},
    {"ws2025", 26100, 10, 0},
};

static void set_version(struct hvs_hv_options *options, uint32_t index)
{
    options->build_number = versions[index].build_number;
    options->major_version = versions[index].major_version;
    options->minor_version = versions[index].minor_version;
    options->service_pack = options->service_number = options->service_branch = 0;
}

struct hvs_hv_options hv_options(const struct hvs_ctx *ctx)
{
    const struct hvs_hv_options *given = hvs_ctx_options(ctx);
    struct hvs_hv_options o = {.size = 0};

    if (given)
        memcpy(&o, given, given->size < sizeof(o) ? given->size : sizeof(o));
    if (o.vendor_id[0] == '\0')
        memcpy(o.vendor_id, "Microsoft Hv", sizeof(o.vendor_id));
    if (o.spinlock_retries == 0)
        o.spinlock_retries = DEFAULT_SPINLOCK_RETRIES;
    if (o.build_number == 0)
        set_version(&o, 0);
    return o;
}

static size_t length(const char *text)
{
    size_t bytes = 0;

    while (text[bytes])
        bytes++;
    return bytes;
}

/* Returns what follows "name=" in `setting`, or NULL when it begins otherwise. */
static const char *value_of(const char *setting, const char *name)
{
    size_t bytes = length(name);

    for (size_t i = 0; i < bytes; i++) {
        if (setting[i] != name[i])
            return NULL;
    }
    return setting[bytes] == '=' ? setting + bytes + 1 : NULL;
}

static uint32_t digit(char c)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (uint32_t)(c - 'a') + 10;
    return c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10 : UINT32_MAX;
}

/* A decimal number, or a hexadecimal one behind "0x". Returns 0 for what is none, or none of 32 bits. */
static uint32_t number(const char *text)
{
    uint32_t base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
    uint64_t value = 0;

    for (text += base == 16 ? 2 : 0; *text; text++) {
        if (digit(*text) >= base)
            return 0;
        value = value * base + digit(*text);
        if (value > UINT32_MAX)
            return 0;
    }
    return (uint32_t)value;
}

static int set_spinlocks(struct hvs_hv_options *options, const char *value)
{
    uint32_t retries = number(value);

    if (retries == 0)
        return HVS_EINVAL;
    options->spinlock_retries = retries;
    return HVS_OK;
}

static int set_vendor_id(struct hvs_hv_options *options, const char *value)
{
    size_t bytes = length(value);

    if (bytes == 0 || bytes > sizeof(options->vendor_id))
        return HVS_EINVAL;
    memset(options->vendor_id, 0, sizeof(options->vendor_id));
    memcpy(options->vendor_id, value, bytes);
    return HVS_OK;
}

static int set_named_version(struct hvs_hv_options *options, const char *value)
{
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(versions); i++) {
        if (length(value) == length(versions[i].name) && memcmp(value, versions[i].name, length(value)) == 0) {
            set_version(options, i);
            return HVS_OK;
        }
    }
    return HVS_EINVAL;
}

int hvs_hv_options_parse(struct hvs_hv_options *options, const char *setting)
{
    static const struct {
        const char *name;
        int (*set)(struct hvs_hv_options *options, const char *value);
    } known[] = {
        {"spinlocks", set_spinlocks},
        {"vendor_id", set_vendor_id},
        {"version", set_named_version},
    };

    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(known); i++) {
        const char *value = value_of(setting, known[i].name);

        if (value)
            return known[i].set(options, value);
    }
    return HVS_ENOENT;
}
