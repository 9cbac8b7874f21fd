/*
 * Save and load of the grant table: its version and size, and what the host has mapped. The entries travel with the
 * overlay pages. docs/save-format.md is the text.
 *
 * A stream may be damaged: what could not have come about is HVS_EFORMAT.
 */
#include "xen_state.h"

struct saved_grants {
    uint32_t version;
    uint32_t nr_frames;
};

struct saved_grant_pin {
    uint64_t gfn;
    uint32_t handle;
    uint32_t ref;
    uint8_t is_writable;
    uint8_t pad[7];
};

void xen_save_grants(struct hvs_ctx *ctx, struct hvs_writer *writer)
{
    const struct xen_grants *grants = &xen_vm(ctx)->grants;
    const struct saved_grants saved = {
        .version = grants->is_v2 ? 2 : 1, .nr_frames = xen_grant_nr_frames(ctx)};

    if (grants->is_v2 || grants->nr_more_frames)
        hvs_writer_put(writer, XEN_RECORD_GRANTS, 1, &saved, sizeof(saved));
    for (uint32_t i = 0; i < grants->nr_pins; i++) {
        const struct xen_grant_pin *pin = &grants->pin[i];
        const struct saved_grant_pin saved_pin = {
            .gfn = pin->gfn, .handle = i, .ref = pin->ref, .is_writable = pin->is_writable};

        if (pin->is_used)
            hvs_writer_put(writer, XEN_RECORD_GRANT_PIN, 1, &saved_pin, sizeof(saved_pin));
    }
}

int xen_load_grants(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_grants *grants = &xen_vm(ctx)->grants;
    struct saved_grants saved;

    if (hvs_record_get(record, &saved, sizeof(saved)) || saved.version < 1 ||
        saved.version > xen_options(ctx).max_grant_version)
        return HVS_EFORMAT;
    if (saved.nr_frames < 1 || saved.nr_frames > xen_grant_max_frames(ctx) || grants->nr_pins)
        return HVS_EFORMAT;
    grants->is_v2 = saved.version == 2;
    grants->nr_more_frames = saved.nr_frames - 1;
    return HVS_OK;
}

/* The entry says already that it is in use. */
int xen_load_grant_pin(struct hvs_ctx *ctx, const struct hvs_record *record)
{
    struct xen_grants *grants = &xen_vm(ctx)->grants;
    struct saved_grant_pin saved;

    if (hvs_record_get(record, &saved, sizeof(saved)) || saved.is_writable > 1 ||
        saved.handle < grants->nr_pins || saved.handle >= XEN_MAX_GRANT_PINS)
        return HVS_EFORMAT;
    if (saved.ref >= xen_grant_nr_entries(ctx) || !xen_is_page(ctx, saved.gfn))
        return HVS_EFORMAT;
    grants->pin[saved.handle] = (struct xen_grant_pin){
        .is_used = true, .is_writable = saved.is_writable, .domid = XEN_DOMID_HOST, .ref = saved.ref, .gfn = saved.gfn,
        .bytes = HVS_PAGE_BYTES};
    grants->nr_pins = saved.handle + 1;
    return HVS_OK;
}
