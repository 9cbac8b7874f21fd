/* Remote TLB flushes: who is flushed, what is refused, in each form of the call [TLFS virtual-mmu]. */
#include "hv_test.h"

enum { NR_VPS = 5, ALL = (1 << NR_VPS) - 1, MAX_QWORDS = 14 };
#define FLUSH(flags, mask) {0x1000, (flags), (mask)}
#define SPARSE HV_GENERIC_SET_SPARSE_4K

static void start(struct mock *mock, uint64_t features_off)
{
    hv_test_config(mock, NR_VPS);
    mock->config.slot[0].features_off = features_off;
    assert_int_equal(mock_start(mock), HVS_OK);
    hv_test_establish(mock);
}

static const struct flush_case {
    uint16_t code;
    uint8_t nr_var, reps, first;
    uint64_t in[MAX_QWORDS];
    uint8_t nr_in;
    uint16_t status, reps_done;
    uint64_t flushed;
} cases[] = {
    /* by mask */
    {0x0002, 0, 0, 0, FLUSH(0, 5), 3, HV_STATUS_SUCCESS, 0, 5},
    {0x0002, 0, 0, 0, FLUSH(4, 1), 3, HV_STATUS_SUCCESS, 0, 1},
    {0x0002, 0, 0, 0, FLUSH(1, 2), 3, HV_STATUS_SUCCESS, 0, ALL},
    {0x0002, 0, 0, 0, FLUSH(7, 2), 3, HV_STATUS_SUCCESS, 0, ALL},
    {0x0002, 0, 0, 0, FLUSH(0, 0), 3, HV_STATUS_SUCCESS, 0, ALL},                  /* Windows Server 2012 */
    {0x0002, 0, 0, 0, FLUSH(0, ~0ull), 3, HV_STATUS_SUCCESS, 0, ALL},
    {0x0002, 0, 0, 0, FLUSH(0, 1ull << 40), 3, HV_STATUS_SUCCESS, 0, 0},           /* nobody who exists */
    {0x0002, 0, 0, 0, FLUSH(8, 1), 3, HV_STATUS_INVALID_PARAMETER, 0, 0},          /* ranges, where there are none */
    {0x0002, 0, 0, 0, {1ull << 52, 1}, 3, HV_STATUS_INVALID_PARAMETER, 0, 0},      /* no such page tables */
    {0x0002, 0, 0, 0, {1ull << 63, 3}, 3, HV_STATUS_SUCCESS, 0, ALL},              /* of all address spaces */
    {0x0002, 0, 0, 0, FLUSH(0x10, 1), 3, HV_STATUS_INVALID_PARAMETER, 0, 0},
    {0x0002, 0, 0, 0, FLUSH(0x100, 1), 3, HV_STATUS_INVALID_PARAMETER, 0, 0},
    {0x0002, 0, 0, 0, FLUSH(1ull << 63, 1), 3, HV_STATUS_INVALID_PARAMETER, 0, 0},
    /* lists by mask */
    {0x0003, 0, 1, 0, {0, 0, 2, 0x1000}, 4, HV_STATUS_SUCCESS, 1, 2},
    {0x0003, 0, 3, 0, {0, 2, 0, 0x1000, 0x7fff, ~0ull}, 6, HV_STATUS_SUCCESS, 3, ALL},
    {0x0003, 0, 3, 2, {0, 0, 1, 0x1000, 0x7fff, ~0ull}, 6, HV_STATUS_SUCCESS, 3, 1},
    {0x0003, 0, 1, 0, {0, 4, 1, 0x1000}, 4, HV_STATUS_INVALID_PARAMETER, 0, 0},    /* non-global only */
    {0x0003, 0, 3, 1, {0, 0x20, 1, 0, 0, 0}, 6, HV_STATUS_INVALID_PARAMETER, 1, 0},
    /* extended ranges: 2 MB and 1 GB pages, and one with a reserved bit */
    {0x0003, 0, 3, 0, {0, 8, 4, 0x1001, 0x200801, 0x40001802}, 6, HV_STATUS_SUCCESS, 3, 4},
    {0x0003, 0, 3, 0, {0, 8, 4, 0x1001, 0x202801, 0x1000}, 6, HV_STATUS_INVALID_PARAMETER, 1, 4},
    {0x0003, 0, 3, 1, {0, 8, 4, 0x202801, 0x1000, 0x202801}, 6, HV_STATUS_INVALID_PARAMETER, 2, 4},
    {0x0003, 0, 2, 0, {0, 8, 4, 0x100801, 0x1000}, 5, HV_STATUS_INVALID_PARAMETER, 0, 0},
    {0x0003, 0, 1, 0, {0, 0, 4, 0x202801}, 4, HV_STATUS_SUCCESS, 1, 4},            /* in the plain format all are */
    /* by set */
    {0x0013, 1, 0, 0, {0, 0, SPARSE, 1, 6}, 5, HV_STATUS_SUCCESS, 0, 6},
    {0x0013, 2, 0, 0, {0, 0, SPARSE, 1 | 1ull << 63, 3, ~0ull}, 6, HV_STATUS_SUCCESS, 0, 3},
    {0x0013, 1, 0, 0, {0, 0, SPARSE, 2, 6}, 5, HV_STATUS_SUCCESS, 0, 0},
    {0x0013, 0, 0, 0, {0, 0, SPARSE, 0}, 4, HV_STATUS_SUCCESS, 0, 0},              /* here empty is empty */
    {0x0013, 0, 0, 0, {0, 1, SPARSE, 0}, 4, HV_STATUS_SUCCESS, 0, ALL},
    {0x0013, 0, 0, 0, {0, 0, 1, 0}, 4, HV_STATUS_SUCCESS, 0, ALL},
    {0x0013, 1, 0, 0, {0, 0, 1, 1, 2}, 5, HV_STATUS_SUCCESS, 0, ALL},
    {0x0013, 0, 0, 0, {0, 0, 2, 0}, 4, HV_STATUS_INVALID_PARAMETER, 0, 0},
    {0x0013, 0, 0, 0, {0, 0, ~0ull, 0}, 4, HV_STATUS_INVALID_PARAMETER, 0, 0},
    {0x0013, 0, 0, 0, {0, 0, SPARSE, 1}, 4, HV_STATUS_INVALID_HYPERCALL_INPUT, 0, 0},
    {0x0013, 2, 0, 0, {0, 0, SPARSE, 1, 1, 1}, 6, HV_STATUS_INVALID_HYPERCALL_INPUT, 0, 0},
    {0x0013, 1, 0, 0, {0, 0, SPARSE, ~0ull, 1}, 5, HV_STATUS_INVALID_HYPERCALL_INPUT, 0, 0},
    {0x0013, 1, 0, 0, {0, 0, 1, 0, 1}, 5, HV_STATUS_INVALID_HYPERCALL_INPUT, 0, 0},
    {0x0013, 1, 0, 0, {0, 8, SPARSE, 1, 1}, 5, HV_STATUS_INVALID_PARAMETER, 0, 0},
    /* lists by set: the ranges lie behind the banks */
    {0x0014, 1, 2, 0, {0, 0, SPARSE, 1, 9, 0x1000, 0x2000}, 7, HV_STATUS_SUCCESS, 2, 9},
    {0x0014, 2, 1, 0, {0, 8, SPARSE, 3, 9, 1, 0x202801}, 7, HV_STATUS_INVALID_PARAMETER, 0, 0},
    {0x0014, 2, 2, 1, {0, 8, SPARSE, 3, 9, 1, 0x202801, 0x1000}, 8, HV_STATUS_SUCCESS, 2, 9},
    {0x0014, 0, 2, 0, {0, 0, 1, 0, 0, 0}, 6, HV_STATUS_SUCCESS, 2, ALL},
    {0x0014, 0, 2, 0, {0, 4, 1, 0, 0, 0}, 6, HV_STATUS_INVALID_PARAMETER, 0, 0},
    {0x0014, 1, 2, 1, {0, 0, SPARSE, 3, 0, 0, 0}, 7, HV_STATUS_INVALID_HYPERCALL_INPUT, 1, 0},
};

static uint64_t call(struct mock *mock, struct hv_test_form form, const struct flush_case *c)
{
    const struct hv_test_block block = {
        .control = hv_test_control(c->code, c->nr_var, c->reps, c->first), .in = c->in, .in_bytes = c->nr_in * 8u};

    return hv_test_call_block(mock, 3, form, &block);
}

static void flushes_whom_the_call_names(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 0);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases) * HV_TEST_NR_FORMS; i++) {
        const struct flush_case *c = &cases[i / HV_TEST_NR_FORMS];
        uint64_t result = call(&mock, hv_test_forms[i % HV_TEST_NR_FORMS], c);

        if (result != hv_test_result(c->status, c->reps_done))
            fail_msg("case %zu form %zu: %#llx", i / HV_TEST_NR_FORMS, i % HV_TEST_NR_FORMS,
                     (unsigned long long)result);
        hv_test_expect_set(&mock, HVS_EFFECT_FLUSH_TLB, c->flushed);
    }
    mock_stop(&mock);
}

static void extended_ranges_need_their_feature(void **state)
{
    const struct flush_case extended = {0x0003, 0, 1, 0, {0, 8, 1, 0x1000}, 4, 0, 0, 0};
    struct mock mock;

    (void)state;
    start(&mock, hv_test_feature("tlbflush-ext"));
    for (size_t f = 0; f < HV_TEST_NR_FORMS; f++)
        assert_int_equal(call(&mock, hv_test_forms[f], &extended), HV_STATUS_INVALID_PARAMETER);
    hv_test_expect_set(&mock, HVS_EFFECT_FLUSH_TLB, 0);
    mock_stop(&mock);
}

/* A full page of them in one go. */
static void does_long_lists_at_once(void **state)
{
    static uint64_t in[HV_PAGE_SIZE / 8] = {0, 0, 1};
    const struct hv_test_block block = {
        .control = hv_test_control(0x0003, 0, HVS_ARRAY_SIZE(in) - 3, 0), .in = in, .in_bytes = sizeof(in)};
    struct mock mock;

    (void)state;
    start(&mock, 0);
    assert_int_equal(hv_test_call_block(&mock, 0, hv_test_forms[0], &block),
                     hv_test_result(HV_STATUS_SUCCESS, HVS_ARRAY_SIZE(in) - 3));
    hv_test_expect_set(&mock, HVS_EFFECT_FLUSH_TLB, 1);
    mock_stop(&mock);
}

static void reaches_vps_behind_the_first_bank(void **state)
{
    const uint64_t in[] = {0, 0, SPARSE, 1ull << 3 | 1ull << 4, 1ull << 7, 3};
    const struct hv_test_block block = {.control = hv_test_control(0x0013, 2, 0, 0), .in = in, .in_bytes = sizeof(in)};
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 4 * 64 + 1);
    assert_int_equal(mock_start(&mock), HVS_OK);
    hv_test_establish(&mock);
    assert_int_equal(hv_test_call_block(&mock, 0, hv_test_forms[0], &block), HV_STATUS_SUCCESS);
    assert_int_equal(hvs_vpset_count(&mock.out.set), 2);
    assert_true(hvs_vpset_has(&mock.out.set, 3 * 64 + 7));
    assert_true(hvs_vpset_has(&mock.out.set, 4 * 64));
    mock_stop(&mock);
}

/* The bit for the Ex forms is there with either of the two that have them. */
static void tells_of_ex_masks(void **state)
{
    static const struct {
        bool has_flush, has_ipi;
        uint32_t bits;
    } told[] = {{true, true, 0xc04}, {true, false, 0x804}, {false, true, 0xc00}, {false, false, 0}};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(told); i++) {
        struct mock mock;

        start(&mock, (told[i].has_flush ? 0 : hv_test_feature("tlbflush")) |
                         (told[i].has_ipi ? 0 : hv_test_feature("ipi")));
        assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_ENLIGHTENMENT_INFORMATION, HVS_EAX) & 0xc04, told[i].bits);
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flushes_whom_the_call_names),
        cmocka_unit_test(extended_ranges_need_their_feature),
        cmocka_unit_test(does_long_lists_at_once),
        cmocka_unit_test(reaches_vps_behind_the_first_bank),
        cmocka_unit_test(tells_of_ex_masks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
