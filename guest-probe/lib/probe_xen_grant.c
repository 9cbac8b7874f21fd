/*
 * Xen's grant table, as far as one domain can try it alone: a frame of it in place, entries swapped, and bytes copied by
 * a grant to itself.
 *
 * [XEN] public grant_table.h, memory.h. Left out: mapping (there is nobody to map from), version 2.
 */
#include "probe_xen.h"

#include "env.h"

enum { REF = 20, OTHER_REF = 21, COPIED_BYTES = 64, PATTERN = 0x6b };

static volatile struct grant_entry_v1 *table;

static int64_t grant_op(uint32_t command, void *structure)
{
    return probe_xen_list_call(__HYPERVISOR_grant_table_op, command, structure, 1);
}

bool probe_xen_has_grants(const struct probe_interface *face)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    (void)face;
    return grant_op(GNTTABOP_query_size, &size) != -XEN_ENOSYS;
}

/* Frame 0 is laid over a page, which then holds entries that nobody has granted. */
static int64_t place_table(uint8_t *page)
{
    struct xen_add_to_physmap add = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .gpfn = (uintptr_t)page >> 12};
    int64_t error = probe_xen_call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add);
    table = error == 0 ? (volatile void *)page : NULL;
    return error;
}

static enum probe_state place_and_swap(uint8_t *page, struct text *evidence)
{
    struct gnttab_swap_grant_ref swap = {.ref_a = REF, .ref_b = OTHER_REF};
    xen_pfn_t frame = 0;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1, .frame_list.p = &frame};
    int64_t error = place_table(page);
    if (error != 0)
        return probe_xen_failed(evidence, "add_to_physmap", error);
    error = grant_op(GNTTABOP_setup_table, &setup);
    if (error != 0 || setup.status != GNTST_okay)
        return probe_xen_failed(evidence, "setup_table", error ? error : setup.status);
    table[REF].domid = 7;
    error = grant_op(GNTTABOP_swap_grant_ref, &swap);
    if (error != 0 || swap.status != GNTST_okay)
        return probe_xen_failed(evidence, "swap_grant_ref", error ? error : swap.status);
    return frame == (uintptr_t)page >> 12 && table[OTHER_REF].domid == 7 ? PROBE_WORKS : PROBE_BROKEN;
}

enum probe_state probe_xen_test_grant_table(const struct probe_interface *face, struct text *evidence)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct gnttab_get_version version = {.dom = DOMID_SELF};
    uint8_t *page = env_page();
    (void)face;
    if (page == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    int64_t error = grant_op(GNTTABOP_query_size, &size);
    if (error != 0 || size.status != GNTST_okay)
        return probe_xen_failed(evidence, "query_size", error ? error : size.status);
    error = grant_op(GNTTABOP_get_version, &version);
    if (error != 0)
        return probe_xen_failed(evidence, "get_version", error);
    text_add(evidence, "version %u, %u of %u frames", version.version, size.nr_frames, size.max_nr_frames);
    if (version.version != 1)
        return probe_say(PROBE_UNTESTED, evidence, ": somebody uses it");
    return place_and_swap(page, evidence);
}

static enum probe_state copy_by_grant(uint16_t domid, struct text *evidence)
{
    static uint8_t from[4096] __attribute__((aligned(4096))), to[4096] __attribute__((aligned(4096)));
    struct gnttab_copy copy = {
        .source = {.u.ref = REF, .domid = DOMID_SELF, .offset = 8},
        .dest = {.u.gmfn = (uintptr_t)to >> 12, .domid = DOMID_SELF},
        .len = COPIED_BYTES,
        .flags = GNTCOPY_source_gref,
    };
    for (uint32_t i = 0; i < COPIED_BYTES; i++)
        from[8 + i] = (uint8_t)(PATTERN + i);
    table[REF].frame = (uint32_t)((uintptr_t)from >> 12);
    table[REF].domid = domid;
    table[REF].flags = GTF_permit_access | GTF_readonly;
    int64_t error = grant_op(GNTTABOP_copy, &copy);
    table[REF].flags = 0;
    if (error != 0 || copy.status != GNTST_okay)
        return probe_xen_failed(evidence, "copy", error ? error : copy.status);
    for (uint32_t i = 0; i < COPIED_BYTES; i++)
        if (to[i] != (uint8_t)(PATTERN + i))
            return probe_say(PROBE_BROKEN, evidence, "byte %u is 0x%x", i, to[i]);
    error = grant_op(GNTTABOP_copy, &copy);
    text_add(evidence, "%u bytes; when it is granted no more: %d", COPIED_BYTES, copy.status);
    return error == 0 && copy.status == GNTST_general_error ? PROBE_WORKS : PROBE_BROKEN;
}

enum probe_state probe_xen_test_grant_copy(const struct probe_interface *face, struct text *evidence)
{
    struct env_cpuid regs = {0};
    if (table == NULL)
        return probe_say(PROBE_BROKEN, evidence, "no table");
    if (face->max_leaf - face->base >= 4)
        env_cpuid(face->base + 4, 0, &regs);
    if (!(regs.eax & XEN_HVM_CPUID_DOMID_PRESENT))
        return probe_say(PROBE_UNTESTED, evidence, "no leaf says which domain this is");
    return copy_by_grant((uint16_t)regs.ecx, evidence);
}

void probe_xen_take_grants_away(void)
{
    struct xen_remove_from_physmap remove = {.domid = DOMID_SELF, .gpfn = (uintptr_t)table >> 12};
    if (table != NULL)
        probe_xen_call(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &remove);
    table = NULL;
}
