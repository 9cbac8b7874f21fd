/* The virtual processor's registers, and its advice about long spins [TLFS vp-properties]. */
#include "hv_test.h"

enum { ASSIST_GFN = 0x50 };

static void vp_index_is_the_vps_own(void **state)
{
    assert_int_equal(hv_test_read(*state, 0, HV_X64_MSR_VP_INDEX), 0);
    assert_int_equal(hv_test_read(*state, 1, HV_X64_MSR_VP_INDEX), 1);
}

static void assist_page_is_the_vps_own(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE), 0);
    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN + 1));
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE), HV_TEST_PAGE_MSR(ASSIST_GFN));
}

/* Nothing there tells the guest that it may skip an EOI. */
static void assist_page_begins_empty(void **state)
{
    static const uint8_t zeros[HV_PAGE_SIZE];
    struct mock *mock = *state;
    uint8_t *page = mock->ram + ASSIST_GFN * HV_PAGE_SIZE;

    memset(page, 0xff, HV_PAGE_SIZE);
    hv_test_write(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    assert_memory_equal(page, zeros, HV_PAGE_SIZE);
}

static void assist_page_keeps_what_the_guest_wrote(void **state)
{
    struct mock *mock = *state;
    uint8_t *page = mock->ram + ASSIST_GFN * HV_PAGE_SIZE;

    hv_test_write(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    page[8] = 0x77;
    mock_save_load_save(mock);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE), HV_TEST_PAGE_MSR(ASSIST_GFN));
    assert_int_equal(page[8], 0x77);
    hv_test_write(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN + 1));
    assert_int_equal(page[8], 0);
    assert_int_equal(page[HV_PAGE_SIZE + 8], 0x77);
}

static void reset_of_a_vp_takes_its_page_only(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN + 1));
    assert_int_equal(mock_reset(mock, 1), HVS_HANDLED);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE), 0);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE), HV_TEST_PAGE_MSR(ASSIST_GFN));
}

static void expect_one_yield(const struct mock *mock)
{
    const struct hvs_effect *effect = NULL;

    assert_int_equal(mock->out.nr_effects, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_YIELD, &effect), 1);
    assert_int_equal(effect->vp, 0);
}

static void long_spin_wait_yields_fast_and_slow(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    memset(mock->ram + HV_TEST_IN_GPA, 0xff, 8);
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        assert_int_equal(hv_test_call(mock, bits, HvCallNotifyLongSpinWait | HV_HYPERCALL_FAST, 4096, 0), 0);
        expect_one_yield(mock);
        assert_int_equal(hv_test_call(mock, bits, HvCallNotifyLongSpinWait, HV_TEST_IN_GPA, 0), 0);
        expect_one_yield(mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(vp_index_is_the_vps_own),
        HV_TEST(assist_page_is_the_vps_own),
        HV_TEST(assist_page_begins_empty),
        HV_TEST(assist_page_keeps_what_the_guest_wrote),
        HV_TEST(reset_of_a_vp_takes_its_page_only),
        HV_TEST(long_spin_wait_yields_fast_and_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
