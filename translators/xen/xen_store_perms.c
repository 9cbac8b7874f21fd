/*
 * Permissions of a node [XEN docs/misc/xenstore.txt GET_PERMS; xenstored's documentation]: its owner, what all others
 * may do, and exceptions. Domain 0 may do everything, and so may the owner.
 *
 * In the store they are the node's tag: 3 bytes each, domid and access. A string that came from another interface has
 * none: it is the guest's.
 */
#include "xen_state.h"

struct xs_perms xen_store_perms_of(const struct hvs_ctx *ctx, struct hvs_text tag)
{
    struct xs_perms perms = {.nr = 1, .perm = {{.domid = xen_options(ctx).domid}}};

    for (uint32_t i = 0; i < XS_MAX_PERMS && (i + 1) * XS_PERM_TAG_BYTES <= tag.bytes; i++) {
        const uint8_t *at = (const uint8_t *)tag.text + i * XS_PERM_TAG_BYTES;

        perms.perm[i].domid = (uint16_t)(at[0] | at[1] << 8);
        perms.perm[i].access = at[2] & (XS_MAY_READ | XS_MAY_WRITE);
        perms.nr = i + 1;
    }
    return perms;
}

uint32_t xen_store_perms_tag(const struct xs_perms *perms, char tag[XS_MAX_PERMS * XS_PERM_TAG_BYTES])
{
    for (uint32_t i = 0; i < perms->nr && i < XS_MAX_PERMS; i++) {
        char *at = tag + i * XS_PERM_TAG_BYTES;

        at[0] = (char)(uint8_t)perms->perm[i].domid;
        at[1] = (char)(uint8_t)(perms->perm[i].domid >> 8);
        at[2] = (char)perms->perm[i].access;
    }
    return perms->nr * XS_PERM_TAG_BYTES;
}

static const char letters[] = "nrwb";   /* by access */

/* One text, without its NUL. */
static bool parse_one(struct hvs_text text, uint16_t *domid, uint8_t *access)
{
    uint32_t number = 0;

    if (text.bytes < 2)
        return false;
    for (*access = 0; letters[*access] != text.text[0]; ++*access) {
        if (!letters[*access])
            return false;
    }
    for (uint32_t i = 1; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        number = number * 10 + (uint32_t)(text.text[i] - '0');
        if (number > UINT16_MAX)
            return false;
    }
    *domid = (uint16_t)number;
    return true;
}

int xen_store_perms_parse(struct hvs_text texts, struct xs_perms *perms)
{
    perms->nr = 0;
    while (texts.bytes > 0) {
        struct hvs_text one = {texts.text, 0};

        while (one.bytes < texts.bytes && one.text[one.bytes])
            one.bytes++;
        if (one.bytes == texts.bytes)
            return XEN_EINVAL;
        if (perms->nr == XS_MAX_PERMS)
            return XEN_ENOSPC;
        if (!parse_one(one, &perms->perm[perms->nr].domid, &perms->perm[perms->nr].access))
            return XEN_EINVAL;
        perms->nr++;
        texts.text += one.bytes + 1;
        texts.bytes -= one.bytes + 1;
    }
    return perms->nr ? 0 : XEN_EINVAL;
}

uint32_t xen_store_perms_text(const struct xs_perms *perms, uint32_t i, char text[XS_PERM_TEXT_BYTES])
{
    char number[XS_NUMBER_BYTES];
    uint32_t bytes = xen_store_number(perms->perm[i].domid, number);

    text[0] = letters[perms->perm[i].access];
    memcpy(text + 1, number, bytes + 1);
    return bytes + 2;
}

uint32_t xen_store_perms_access(const struct hvs_ctx *ctx, const struct xs_perms *perms, bool is_host)
{
    const uint16_t domid = xen_options(ctx).domid;

    if (is_host || perms->perm[0].domid == domid)
        return XS_MAY_READ | XS_MAY_WRITE | XS_OWNS;
    for (uint32_t i = 1; i < perms->nr; i++) {
        if (perms->perm[i].domid == domid)
            return perms->perm[i].access;
    }
    return perms->perm[0].access;
}
