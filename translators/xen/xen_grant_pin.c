/*
 * Entries of the grant table in use: by the host, for as long as it has them mapped, or by a copy that is being made
 * [XEN public/grant_table.h; common/grant_table.c map_grant_ref, acquire_grant_for_copy, _set_status].
 *
 * The guest may change an entry at any time, and sees in it that it is in use: version 1 says so in the flags of the
 * entry, by an exchange that fails where the entry has changed; version 2 in the status of its own, after which the
 * entry is looked at once more. What was read of an entry when it came into use is what holds until it is not any more.
 *
 * Transitive grants end here: they name a grant of another domain to the guest, and there is none.
 */
#include "xen_state.h"

enum { MAX_USES = 255 };        /* of one entry, for each kind: as wide as Xen's counters */

/* All uses of one entry: they are of one domain, and of the same place. */
struct uses {
    uint32_t nr_readers, nr_writers;
    const struct xen_grant_pin *first;  /* or NULL */
};

static struct uses find_uses(const struct hvs_ctx *ctx, uint32_t ref)
{
    const struct xen_grants *grants = &xen_vm(ctx)->grants;
    struct uses uses = {.first = NULL};

    for (uint32_t i = 0; i < grants->nr_pins; i++) {
        const struct xen_grant_pin *pin = &grants->pin[i];

        if (!pin->is_used || pin->ref != ref)
            continue;
        uses.first = uses.first ? uses.first : pin;
        uses.nr_readers += !pin->is_writable;
        uses.nr_writers += pin->is_writable;
    }
    return uses;
}

bool xen_grant_is_pinned(const struct hvs_ctx *ctx, uint32_t ref)
{
    return find_uses(ctx, ref).first;
}

/* The entry shows already that it is used in this way. */
static bool is_marked(const struct uses *uses, const struct xen_grant_use *use)
{
    return uses->first && (!use->is_write || uses->nr_writers);
}

int16_t xen_grant_of_host(uint32_t ref)
{
    return ref < XEN_GRANTS_PER_FRAME1 ? GNTST_general_error : GNTST_bad_gntref;
}

/* --- flags: `word` is the header of an entry, flags and above them the domain ------------------------------------- */

static bool is_transitive(uint32_t word)
{
    return (word & GTF_type_mask) == GTF_transitive;
}

static bool is_granted(uint32_t word, const struct xen_grant_use *use, bool may_be_transitive)
{
    const uint32_t mask = GTF_type_mask | (use->is_map ? GTF_sub_page : 0);
    const bool is_right = (word & mask) == GTF_permit_access || (may_be_transitive && is_transitive(word));

    return is_right && word >> 16 == use->domid;
}

static int16_t mark_v1(_Atomic uint32_t *header, const struct xen_grant_use *use, bool is_pinned)
{
    enum { MAX_TRIES = 5 };     /* the guest could go on for ever */
    const uint32_t marks = GTF_reading | (use->is_write ? GTF_writing : 0);
    uint32_t old = atomic_load(header);

    for (uint32_t i = 0; i < MAX_TRIES; i++) {
        if (!is_pinned && !is_granted(old, use, false))
            return GNTST_general_error;
        if (use->is_write && old & GTF_readonly)
            return GNTST_general_error;
        if (atomic_compare_exchange_strong(header, &old, old | marks))
            return GNTST_okay;
    }
    return GNTST_general_error;
}

static int16_t mark_v2(const struct xen_grant_entry *entry, const struct xen_grant_use *use, bool is_pinned)
{
    const uint16_t both = GTF_reading | GTF_writing;
    uint32_t word = atomic_load(entry->header);

    if (!is_pinned && !is_granted(word, use, !use->is_map))
        return GNTST_general_error;
    if (use->is_write && word & GTF_readonly)
        return GNTST_general_error;
    atomic_fetch_or(entry->status, use->is_write ? both : GTF_reading);
    atomic_thread_fence(memory_order_seq_cst);          /* the guest sees that before the entry is looked at again */
    word = atomic_load(entry->header);
    if (is_pinned && word & GTF_readonly) {
        atomic_fetch_and(entry->status, (uint16_t)~GTF_writing);
        return GNTST_general_error;
    }
    if (is_pinned || (is_granted(word, use, !use->is_map) && !(use->is_write && word & GTF_readonly)))
        return GNTST_okay;
    atomic_fetch_and(entry->status, (uint16_t)~both);
    return GNTST_general_error;
}

static int16_t mark(const struct xen_grant_entry *entry, const struct xen_grant_use *use, bool is_pinned)
{
    return entry->status ? mark_v2(entry, use, is_pinned) : mark_v1(entry->header, use, is_pinned);
}

/* Takes off what the uses that are left do not need. */
static void unmark(struct hvs_ctx *ctx, const struct xen_grant_entry *entry, uint32_t ref, bool was_write)
{
    const struct uses left = find_uses(ctx, ref);
    uint16_t marks = left.first ? 0 : GTF_reading;

    if (was_write && !left.nr_writers)
        marks |= GTF_writing;
    if (entry->status)
        atomic_fetch_and(entry->status, (uint16_t)~marks);
    else
        atomic_fetch_and(entry->header, ~(uint32_t)marks);
}

/* --- what is granted ---------------------------------------------------------------------------------------------- */

static uint32_t read32(const uint8_t *at)
{
    return atomic_load_explicit((const _Atomic uint32_t *)at, memory_order_relaxed);
}

/* Reads the rest of the entry, each field once, into `pin`. */
static int16_t read_place(struct hvs_ctx *ctx, const struct xen_grant_entry *entry, const struct xen_grant_use *use,
                          struct xen_grant_pin *pin)
{
    const uint8_t *at = entry->at;

    pin->bytes = HVS_PAGE_BYTES;
    if (!entry->status) {
        pin->gfn = read32(at + offsetof(struct grant_entry_v1, frame));
    } else {
        at += offsetof(union grant_entry_v2, full_page.frame);
        pin->gfn = atomic_load_explicit((const _Atomic uint64_t *)at, memory_order_relaxed);
        pin->is_sub_page = !use->is_map && atomic_load(entry->header) & GTF_sub_page;
    }
    if (pin->is_sub_page) {
        const uint32_t part = read32(entry->at + offsetof(union grant_entry_v2, sub_page.page_off));

        pin->offset = part & UINT16_MAX;
        pin->bytes = part >> 16;
    }
    return xen_is_page(ctx, pin->gfn) ? GNTST_okay : GNTST_bad_page;
}

/* An entry that is in use already must say the same still, where it is looked at again. */
static bool is_same_place(const struct xen_grant_pin *now, const struct xen_grant_pin *then)
{
    if (now->gfn != then->gfn)
        return false;
    return !then->is_sub_page || (now->is_sub_page && now->offset == then->offset && now->bytes == then->bytes);
}

static int16_t pin_transitive(struct hvs_ctx *ctx, const struct xen_grant_entry *entry, const struct xen_grant_use *use,
                              const struct uses *uses)
{
    const uint32_t domid = read32(entry->at + offsetof(union grant_entry_v2, transitive.trans_domid)) & UINT16_MAX;
    const uint32_t ref = read32(entry->at + offsetof(union grant_entry_v2, transitive.gref));
    int16_t status = is_marked(uses, use) ? GNTST_okay : mark_v2(entry, use, uses->first);

    if (status)
        return status;
    unmark(ctx, entry, use->ref, use->is_write);
    return domid == XEN_DOMID_HOST ? xen_grant_of_host(ref) : GNTST_general_error;
}

/* Marks the entry as `use` needs, and fills in what may be used. */
static int16_t pin_entry(struct hvs_ctx *ctx, const struct xen_grant_entry *entry, const struct xen_grant_use *use,
                         struct xen_grant_pin *pin)
{
    const struct uses uses = find_uses(ctx, use->ref);
    int16_t status = GNTST_okay;

    if (entry->status && !use->is_map && is_transitive(atomic_load(entry->header)))
        return pin_transitive(ctx, entry, use, &uses);
    if (!is_marked(&uses, use)) {
        status = mark(entry, use, uses.first);
        if (status)
            return status;
        if (!uses.first || !use->is_map)
            status = read_place(ctx, entry, use, pin);
        if (!status && uses.first && !use->is_map && !is_same_place(pin, uses.first))
            status = GNTST_general_error;
        if (status)
            unmark(ctx, entry, use->ref, use->is_write);
    }
    if (!status && uses.first) {
        pin->gfn = uses.first->gfn;
        pin->is_sub_page = uses.first->is_sub_page;
        pin->offset = uses.first->offset;
        pin->bytes = uses.first->bytes;
    }
    return status;
}

/* --- pins --------------------------------------------------------------------------------------------------------- */

static int16_t check_uses(const struct hvs_ctx *ctx, const struct xen_grant_use *use)
{
    const struct uses uses = find_uses(ctx, use->ref);

    if (!uses.first)
        return GNTST_okay;
    if (uses.first->domid != use->domid || (use->is_map && uses.first->is_sub_page))
        return GNTST_general_error;
    return (use->is_write ? uses.nr_writers : uses.nr_readers) < MAX_USES ? GNTST_okay : GNTST_general_error;
}

/* A free pin; the last ones are for copies only. Returns false where there is none. */
static bool find_free(const struct hvs_ctx *ctx, bool is_map, uint32_t *handle)
{
    const struct xen_grants *grants = &xen_vm(ctx)->grants;
    const uint32_t nr = is_map ? XEN_MAX_GRANT_PINS : HVS_ARRAY_SIZE(grants->pin);

    for (*handle = 0; *handle < nr; ++*handle) {
        if (!grants->pin[*handle].is_used)
            return true;
    }
    return false;
}

int16_t xen_grant_pin(struct hvs_ctx *ctx, const struct xen_grant_use *use, uint32_t *handle)
{
    struct xen_grants *grants = &xen_vm(ctx)->grants;
    struct xen_grant_pin pin = {
        .is_used = true, .is_writable = use->is_write, .domid = use->domid, .ref = use->ref};
    struct xen_grant_entry entry;
    int16_t status;

    if (!find_free(ctx, use->is_map, handle))
        return GNTST_no_space;
    if (use->ref >= xen_grant_nr_entries(ctx))
        return GNTST_bad_gntref;
    status = check_uses(ctx, use);
    if (status)
        return status;
    if (!xen_grant_open(ctx, use->ref, &entry))
        return GNTST_general_error;
    status = pin_entry(ctx, &entry, use, &pin);
    xen_grant_close(ctx, &entry);
    if (status)
        return status;
    grants->pin[*handle] = pin;
    if (grants->nr_pins <= *handle)
        grants->nr_pins = *handle + 1;
    return GNTST_okay;
}

void xen_grant_unpin(struct hvs_ctx *ctx, uint32_t handle)
{
    struct xen_grants *grants = &xen_vm(ctx)->grants;
    const struct xen_grant_pin pin = grants->pin[handle];
    struct xen_grant_entry entry;

    grants->pin[handle] = (struct xen_grant_pin){.is_used = false};
    while (grants->nr_pins > 0 && !grants->pin[grants->nr_pins - 1].is_used)
        grants->nr_pins--;
    if (!xen_grant_open(ctx, pin.ref, &entry))
        return;
    unmark(ctx, &entry, pin.ref, pin.is_writable);
    xen_grant_close(ctx, &entry);
}
