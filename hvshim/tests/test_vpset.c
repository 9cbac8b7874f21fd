/* VP sets: bounds are the point. */
#include "toy.h"

static void test_add_and_has(void **state)
{
    static const struct {
        uint32_t vp;
        bool is_member;
    } cases[] = {{0, true}, {63, true}, {64, true}, {HVS_MAX_VPS - 1, true}, {HVS_MAX_VPS, false}, {UINT32_MAX, false}};
    struct hvs_vpset set;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        hvs_vpset_clear(&set);
        assert_false(hvs_vpset_has(&set, cases[i].vp));
        assert_int_equal(hvs_vpset_add(&set, cases[i].vp), cases[i].is_member);
        assert_int_equal(hvs_vpset_has(&set, cases[i].vp), cases[i].is_member);
        assert_int_equal(hvs_vpset_count(&set), cases[i].is_member);
    }
}

static void test_fill_and_limit(void **state)
{
    static const uint32_t sizes[] = {0, 1, 63, 64, 65, 128, 1000, HVS_MAX_VPS - 1, HVS_MAX_VPS};
    struct hvs_vpset set;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(sizes); i++) {
        hvs_vpset_clear(&set);
        hvs_vpset_fill(&set, sizes[i]);
        assert_int_equal(hvs_vpset_count(&set), sizes[i]);
        assert_false(hvs_vpset_has(&set, sizes[i]));
        assert_false(hvs_vpset_limit(&set, sizes[i]));
        for (size_t j = 0; j < i; j++) {
            struct hvs_vpset smaller = set;

            assert_true(hvs_vpset_limit(&smaller, sizes[j]));
            assert_int_equal(hvs_vpset_count(&smaller), sizes[j]);
        }
    }
    hvs_vpset_clear(&set);
    hvs_vpset_fill(&set, UINT32_MAX);
    assert_int_equal(hvs_vpset_count(&set), HVS_MAX_VPS);
    assert_false(hvs_vpset_limit(&set, UINT32_MAX));
}

static void test_fill_adds(void **state)
{
    struct hvs_vpset set;

    (void)state;
    hvs_vpset_clear(&set);
    hvs_vpset_add(&set, 50);
    hvs_vpset_add(&set, 200);
    hvs_vpset_fill(&set, 3);
    assert_int_equal(hvs_vpset_count(&set), 5);
    assert_true(hvs_vpset_has(&set, 50));
    assert_true(hvs_vpset_has(&set, 200));
}

static void test_next_visits_all_in_order(void **state)
{
    static const uint32_t members[] = {0, 1, 63, 64, 127, 640, HVS_MAX_VPS - 1};
    struct hvs_vpset set;
    uint32_t vp = 0;

    (void)state;
    hvs_vpset_clear(&set);
    assert_int_equal(hvs_vpset_next(&set, 0), HVS_MAX_VPS);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(members); i++)
        hvs_vpset_add(&set, members[i]);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(members); i++) {
        vp = hvs_vpset_next(&set, vp);
        assert_int_equal(vp, members[i]);
        vp++;
    }
    assert_int_equal(hvs_vpset_next(&set, vp), HVS_MAX_VPS);
    assert_int_equal(hvs_vpset_next(&set, UINT32_MAX), HVS_MAX_VPS);
}

static void test_sparse(void **state)
{
    static const uint64_t banks[64] = {0x3, 0x8000000000000000ull, [63] = 1};
    struct hvs_vpset set;

    (void)state;
    assert_int_equal(hvs_vpset_from_sparse(&set, 1ull << 0 | 1ull << 5, banks, 2), HVS_OK);
    assert_int_equal(hvs_vpset_count(&set), 3);
    assert_true(hvs_vpset_has(&set, 1));
    assert_true(hvs_vpset_has(&set, 5 * 64 + 63));
    assert_int_equal(hvs_vpset_from_sparse(&set, UINT64_MAX, banks, 64), HVS_OK);
    assert_true(hvs_vpset_has(&set, HVS_MAX_VPS - 64));
    assert_int_equal(hvs_vpset_from_sparse(&set, 0, NULL, 0), HVS_OK);
    assert_int_equal(hvs_vpset_count(&set), 0);
}

static void test_sparse_refuses_a_wrong_number_of_banks(void **state)
{
    static const struct {
        uint64_t valid_banks;
        uint32_t nr_banks;
    } cases[] = {{0, 1}, {1, 0}, {1, 2}, {3, 1}, {UINT64_MAX, 63}, {UINT64_MAX, 65}, {1, UINT32_MAX}};
    static const uint64_t banks[1] = {UINT64_MAX};
    struct hvs_vpset set;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        hvs_vpset_fill(&set, 70);
        assert_int_equal(hvs_vpset_from_sparse(&set, cases[i].valid_banks, banks, cases[i].nr_banks), HVS_EINVAL);
        assert_int_equal(hvs_vpset_count(&set), 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_add_and_has),
    cmocka_unit_test(test_fill_and_limit),
    cmocka_unit_test(test_fill_adds),
    cmocka_unit_test(test_next_visits_all_in_order),
    cmocka_unit_test(test_sparse),
    cmocka_unit_test(test_sparse_refuses_a_wrong_number_of_banks),
};
TOY_MAIN(tests)
