/* What the tests of grants share: a guest with a grant table of either version, whose first frames lie at TABLE_GPA. */
#ifndef GRANT_TEST_H
#define GRANT_TEST_H

#include "xen_test.h"

enum {
    TABLE_GPA = 0x40000,        /* grant frame 0 and up */
    STATUS_GPA = 0x60000,       /* status frame 0, version 2 */
    PAGE_GPA = 0x70000,         /* a page to be granted */
    OTHER_GPA = 0x71000,
    OWN_DOMID = 1,
    GRANT_REF = 9,
};

static inline void start_grants_with(struct mock *mock, const struct hvs_xen_options *options)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};

    mock_config(mock, list, 2);
    mock->config.caps |= HVS_CAP_RETRY;
    mock->config.slot[0].options = options;
    assert_int_equal(mock_start(mock), HVS_OK);
}

/* A call as the processor makes it: again for as long as it is told. */
static inline int64_t gnttab_op(struct mock *mock, uint32_t cmd, uint64_t gpa, uint32_t count, uint32_t *nr_exits)
{
    struct hvs_regs *r = &mock->regs;
    const bool is_wide = r->code_bits == 64;
    enum hvs_verdict verdict = HVS_RETRY;

    r->rax = __HYPERVISOR_grant_table_op;
    *(is_wide ? &r->rdi : &r->rbx) = cmd;
    *(is_wide ? &r->rsi : &r->rcx) = gpa;
    r->rdx = count;
    for (*nr_exits = 0; verdict == HVS_RETRY; ++*nr_exits)
        verdict = mock_hypercall(mock, 0, 0);
    assert_int_equal(verdict, HVS_HANDLED);
    return is_wide ? (int64_t)r->rax : (int32_t)r->rax;
}

/* One structure. */
static inline int64_t gnttab(struct mock *mock, uint32_t cmd, void *arg, size_t bytes)
{
    uint32_t nr_exits;
    int64_t result;

    memcpy(mock->ram + ARG_GPA, arg, bytes);
    result = gnttab_op(mock, cmd, ARG_GPA, 1, &nr_exits);
    assert_int_equal(nr_exits, 1);
    memcpy(arg, mock->ram + ARG_GPA, bytes);
    return result;
}
#define GNTTAB(mock, op, arg) gnttab(mock, GNTTABOP_##op, arg, sizeof(*(arg)))

static inline int64_t set_version(struct mock *mock, uint32_t version)
{
    struct gnttab_set_version args = {.version = version};

    return GNTTAB(mock, set_version, &args);
}

/* A guest with frame 0 in place. */
static inline void start_grants(struct mock *mock, uint32_t version)
{
    start_grants_with(mock, NULL);
    assert_int_equal(set_version(mock, version), 0);
    assert_int_equal(map_page(mock, DOMID_SELF, XENMAPSPACE_grant_table, 0, TABLE_GPA >> 12), 0);
    if (version == 2)
        assert_int_equal(map_page(mock, DOMID_SELF, XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status,
                                  STATUS_GPA >> 12), 0);
}

static inline struct grant_entry_v1 *entry_v1(struct mock *mock, uint32_t ref)
{
    return (struct grant_entry_v1 *)(mock->ram + TABLE_GPA) + ref;
}

static inline union grant_entry_v2 *entry_v2(struct mock *mock, uint32_t ref)
{
    return (union grant_entry_v2 *)(mock->ram + TABLE_GPA) + ref;
}

/* Grants a whole page. */
static inline void grant(struct mock *mock, uint32_t version, uint32_t ref, uint16_t domid, uint16_t flags,
                         uint64_t gpa)
{
    if (version == 1)
        *entry_v1(mock, ref) = (struct grant_entry_v1){.flags = flags, .domid = domid, .frame = (uint32_t)(gpa >> 12)};
    else
        *entry_v2(mock, ref) = (union grant_entry_v2){
            .full_page = {.hdr = {.flags = flags, .domid = domid}, .frame = gpa >> 12}};
}

/* GTF_reading and GTF_writing, where this version has them. */
static inline uint16_t in_use(struct mock *mock, uint32_t version, uint32_t ref)
{
    const uint16_t both = GTF_reading | GTF_writing;

    if (version == 1)
        return entry_v1(mock, ref)->flags & both;
    assert_int_equal(entry_v2(mock, ref)->hdr.flags & both, 0);
    return ((grant_status_t *)(mock->ram + STATUS_GPA))[ref];
}

static inline int host_asks(struct mock *mock, uint32_t request, void *data)
{
    assert_int_equal(mock_host(mock, 0, &hvs_xen_personality, request, data), HVS_HANDLED);
    return (int)(int64_t)mock->out.value;
}

static inline int host_map(struct mock *mock, uint32_t ref, bool is_writable, struct hvs_xen_grant_map *map)
{
    *map = (struct hvs_xen_grant_map){.ref = ref, .is_writable = is_writable};
    return host_asks(mock, HVS_XEN_GRANT_MAP, map);
}

static inline int host_unmap(struct mock *mock, uint32_t handle)
{
    struct hvs_xen_grant_map map = {.handle = handle};

    return host_asks(mock, HVS_XEN_GRANT_UNMAP, &map);
}

#endif
