/* SendSyntheticClusterIpi and Ex: who gets the interrupt, what is refused [TLFS virtual-interrupts]. */
#include "hv_test.h"

enum { NR_VPS = 5, ALL = (1 << NR_VPS) - 1 };
#define SPARSE HV_GENERIC_SET_SPARSE_4K

static const struct ipi_case {
    uint16_t code;
    uint8_t nr_var;
    uint64_t in[6];
    uint8_t nr_in;
    uint16_t status;
    uint64_t targets;
} cases[] = {
    {0x000b, 0, {0x30, 6}, 2, HV_STATUS_SUCCESS, 6},
    {0x000b, 0, {0x10, 1}, 2, HV_STATUS_SUCCESS, 1},
    {0x000b, 0, {0xff, ~0ull}, 2, HV_STATUS_SUCCESS, ALL},
    {0x000b, 0, {0x30, 0}, 2, HV_STATUS_SUCCESS, 0},
    {0x000b, 0, {0x30, 1ull << 63}, 2, HV_STATUS_SUCCESS, 0},
    {0x000b, 0, {0x0f, 1}, 2, HV_STATUS_INVALID_PARAMETER, 0},
    {0x000b, 0, {0, 1}, 2, HV_STATUS_INVALID_PARAMETER, 0},
    {0x000b, 0, {0x100, 1}, 2, HV_STATUS_INVALID_PARAMETER, 0},
    {0x000b, 0, {0xffffff30, 1}, 2, HV_STATUS_INVALID_PARAMETER, 0},
    {0x000b, 0, {0x30 | 0x10ull << 32, 2}, 2, HV_STATUS_SUCCESS, 2},               /* VTL 0, said so */
    {0x000b, 0, {0x30 | 0x01ull << 32, 2}, 2, HV_STATUS_SUCCESS, 2},               /* a level that is not used */
    {0x000b, 0, {0x30 | 0x11ull << 32, 2}, 2, HV_STATUS_INVALID_PARAMETER, 0},     /* VTL 1 */
    {0x000b, 0, {0x30 | 0x20ull << 32, 2}, 2, HV_STATUS_INVALID_PARAMETER, 0},
    {0x000b, 0, {0x30 | 1ull << 40, 2}, 2, HV_STATUS_SUCCESS, 2},                  /* padding */
    {0x000b, 0, {0x30 | 1ull << 63, 2}, 2, HV_STATUS_SUCCESS, 2},
    {0x0015, 1, {0x30, SPARSE, 1, 0x12}, 4, HV_STATUS_SUCCESS, 0x12},
    {0x0015, 2, {0x30, SPARSE, 3, ~0ull, ~0ull}, 5, HV_STATUS_SUCCESS, ALL},
    {0x0015, 0, {0x30, SPARSE, 0}, 3, HV_STATUS_SUCCESS, 0},
    {0x0015, 0, {0x30, 1, 0}, 3, HV_STATUS_SUCCESS, ALL},
    {0x0015, 0, {0x30, 2, 0}, 3, HV_STATUS_INVALID_PARAMETER, 0},
    {0x0015, 0, {0x30, SPARSE, 1}, 3, HV_STATUS_INVALID_HYPERCALL_INPUT, 0},
    {0x0015, 1, {0x30, SPARSE, 0, 1}, 4, HV_STATUS_INVALID_HYPERCALL_INPUT, 0},
    {0x0015, 1, {0x0f, SPARSE, 1, 1}, 4, HV_STATUS_INVALID_PARAMETER, 0},
    {0x0015, 1, {0x30 | 0x11ull << 32, SPARSE, 1, 1}, 4, HV_STATUS_INVALID_PARAMETER, 0},
};

static void interrupts_whom_the_call_names(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, NR_VPS);
    assert_int_equal(mock_start(&mock), HVS_OK);
    hv_test_establish(&mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases) * HV_TEST_NR_FORMS; i++) {
        const struct ipi_case *c = &cases[i / HV_TEST_NR_FORMS];
        const struct hv_test_block block = {
            .control = hv_test_control(c->code, c->nr_var, 0, 0), .in = c->in, .in_bytes = c->nr_in * 8u};
        uint64_t result = hv_test_call_block(&mock, 1, hv_test_forms[i % HV_TEST_NR_FORMS], &block);

        if (result != c->status)
            fail_msg("case %zu form %zu: %#llx", i / HV_TEST_NR_FORMS, i % HV_TEST_NR_FORMS,
                     (unsigned long long)result);
        hv_test_expect_set(&mock, HVS_EFFECT_INJECT, c->targets);
        if (c->targets) {
            assert_int_equal(mock.out.effect[0].vector, (uint8_t)c->in[0]);
            assert_false(mock.out.effect[0].past_apic);
        }
    }
    mock_stop(&mock);
}

/* Windows sends the simple one fast and needs no XMM registers for it. */
static void needs_no_xmm_for_a_mask(void **state)
{
    const uint64_t in[] = {0x40, 2};
    const struct hv_test_block block = {.control = 0x000b, .in = in, .in_bytes = sizeof(in)};
    struct mock mock;

    (void)state;
    hv_test_config(&mock, NR_VPS);
    mock.config.caps &= ~(uint32_t)HVS_CAP_XMM;
    assert_int_equal(mock_start(&mock), HVS_OK);
    hv_test_establish(&mock);
    for (size_t f = 0; f < HV_TEST_NR_FORMS; f++) {
        assert_int_equal(hv_test_call_block(&mock, 0, hv_test_forms[f], &block), HV_STATUS_SUCCESS);
        hv_test_expect_set(&mock, HVS_EFFECT_INJECT, 2);
    }
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interrupts_whom_the_call_names),
        cmocka_unit_test(needs_no_xmm_for_a_mask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
