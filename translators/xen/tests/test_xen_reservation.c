/* memory_op: how much memory there is, and giving it back. */
#include "xen_test.h"

enum { LIST_GPA = 0x8000, NR_PAGES = MOCK_RAM_BYTES / HVS_PAGE_BYTES, REFUSED_GFN = 0x70 };

static uint32_t nr_asked, nr_asked_pages;

static bool agree(void *ctx, uint64_t gfn, uint32_t nr)
{
    (void)ctx;
    nr_asked++;
    nr_asked_pages += nr;
    return gfn != REFUSED_GFN;
}

static const struct hvs_xen_options options = {.size = sizeof(options), .release = agree, .populate = agree};

static void put_gfns(struct mock *mock, const uint64_t *gfn, uint32_t nr)
{
    size_t bytes = mock->regs.code_bits / 8;

    for (uint32_t i = 0; i < nr; i++)
        memcpy(mock->ram + LIST_GPA + i * bytes, &gfn[i], bytes);
}

static int64_t reserve(struct mock *mock, uint64_t cmd, uint64_t nr, uint32_t order, uint16_t domid)
{
    struct xen_memory_reservation32 narrow = {
        .extent_start = LIST_GPA, .nr_extents = (uint32_t)nr, .extent_order = order, .domid = domid};
    struct xen_memory_reservation wide = {.nr_extents = nr, .extent_order = order, .domid = domid};
    uint64_t list = LIST_GPA;
    bool is_wide = mock->regs.code_bits == 64;

    memcpy(&wide, &list, sizeof(list));
    return xen_op(mock, 0, __HYPERVISOR_memory_op, cmd, is_wide ? (void *)&wide : &narrow,
                  is_wide ? sizeof(wide) : sizeof(narrow));
}

static int64_t query(struct mock *mock, uint64_t cmd, uint16_t domid)
{
    return xen_op(mock, 0, __HYPERVISOR_memory_op, cmd, &domid, sizeof(domid));
}

static void test_give_and_take(void **state)
{
    static const uint64_t gfn[] = {0x40, 0x50, 0x60, REFUSED_GFN, 0x71};

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct mock mock;

        nr_asked = 0;
        start_with(&mock, 1, &options);
        mock.regs.code_bits = bits;
        put_gfns(&mock, gfn, 5);
        assert_int_equal(reserve(&mock, XENMEM_populate_physmap, 1, 0, DOMID_SELF), 0); /* nothing was given yet */
        assert_int_equal(nr_asked, 0);
        assert_int_equal(reserve(&mock, XENMEM_decrease_reservation, 5, 0, DOMID_SELF), 3);
        assert_int_equal(query(&mock, XENMEM_current_reservation, DOMID_SELF), NR_PAGES - 3);
        assert_int_equal(query(&mock, XENMEM_maximum_reservation, DOMID_SELF), NR_PAGES);
        mock_save_load_save(&mock);
        assert_int_equal(reserve(&mock, XENMEM_populate_physmap | 1 << 6, 3, 0, 1), 3);         /* from the second on */
        assert_int_equal(query(&mock, XENMEM_current_reservation, DOMID_SELF), NR_PAGES - 1);
        assert_int_equal(reserve(&mock, XENMEM_increase_reservation, 3, 0, DOMID_SELF), 0);
        mock_stop(&mock);
    }
}

static void test_large_extents(void **state)
{
    static const uint64_t gfn[] = {0x40, NR_PAGES - 4};
    struct mock mock;

    (void)state;
    nr_asked = nr_asked_pages = 0;
    start_with(&mock, 1, &options);
    put_gfns(&mock, gfn, 2);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation, 2, 3, DOMID_SELF), 1);         /* the other: not RAM */
    assert_int_equal(nr_asked, 1);
    assert_int_equal(nr_asked_pages, 8);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation, 1, 10, DOMID_SELF), 0);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation, 1, UINT32_MAX, DOMID_SELF), 0);
    mock_stop(&mock);
}

/* As Xen has it, the answer is always how far it came. */
static void test_bad_lists(void **state)
{
    static const uint64_t gfn[] = {BAD_GPA >> 12, 0x40};
    struct mock mock;

    (void)state;
    start(&mock, 1);
    put_gfns(&mock, gfn, 2);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation, 2, 0, DOMID_SELF), 0);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation | 5 << 6, 2, 0, DOMID_SELF), 5);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation | 1 << 6, 2, 0, 0), 1);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation | 1 << 6, 2, 0, 2), 1);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation, UINT64_MAX, 0, DOMID_SELF), 0);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_memory_op, XENMEM_decrease_reservation | 7 << 6, BAD_GPA, 0), 7);
    assert_int_equal(query(&mock, XENMEM_current_reservation, DOMID_SELF), NR_PAGES);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation | 1 << 6, 2, 0, DOMID_SELF), 2);
    assert_int_equal(reserve(&mock, XENMEM_populate_physmap, 2, 0, DOMID_SELF), 0);     /* RAM cannot come there */
    assert_int_equal(reserve(&mock, XENMEM_populate_physmap | 1 << 6, 2, 0, DOMID_SELF), 2);
    mock_stop(&mock);
}

static void test_a_call_is_bounded(void **state)
{
    enum { NR = 3000 };
    static uint64_t gfn[NR];
    struct mock mock;

    (void)state;
    for (uint32_t i = 0; i < NR; i++)
        gfn[i] = 0x40;
    start(&mock, 1);
    put_gfns(&mock, gfn, NR);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation, NR, 0, DOMID_SELF), 1024);
    assert_int_equal(reserve(&mock, XENMEM_decrease_reservation | 1024 << 6, NR, 0, DOMID_SELF), 2048);
    assert_int_equal(query(&mock, XENMEM_current_reservation, DOMID_SELF), 0);
    mock_stop(&mock);
}

static void test_queries(void **state)
{
    static const struct hvs_xen_memory map[] = {
        {.gpa = 0x100000000, .bytes = 0x10000000, .type = 1}, {.gpa = 0x200000000, .bytes = 0x1000, .type = 2}};
    const struct hvs_xen_options with_map = {.size = sizeof(with_map), .memory_map = map, .nr_memory_map = 2};
    struct mock mock;

    (void)state;
    start(&mock, 1);
    assert_int_equal(query(&mock, XENMEM_maximum_gpfn, DOMID_SELF), NR_PAGES - 1);
    assert_int_equal(query(&mock, XENMEM_maximum_gpfn, 1), NR_PAGES - 1);
    assert_int_equal(query(&mock, XENMEM_maximum_gpfn, 0), -XEN_EPERM);
    assert_int_equal(query(&mock, XENMEM_current_reservation, 2), -XEN_ESRCH);
    assert_int_equal(query(&mock, XENMEM_maximum_reservation | 1 << 6, DOMID_SELF), -XEN_EINVAL);
    assert_int_equal(query(&mock, XENMEM_maximum_ram_page, 0), NR_PAGES);
    assert_int_equal(query(&mock, XENMEM_maximum_ram_page | 1 << 6, 0), -XEN_EINVAL);
    assert_int_equal(query(&mock, XENMEM_machine_memory_map, 0), -XEN_ENOSYS);
    mock_stop(&mock);
    start_with(&mock, 1, &with_map);
    assert_int_equal(query(&mock, XENMEM_maximum_gpfn, DOMID_SELF), 0x10ffff);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_give_and_take),
        cmocka_unit_test(test_large_extents),
        cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_a_call_is_bounded),
        cmocka_unit_test(test_queries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
