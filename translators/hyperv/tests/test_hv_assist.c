/* The VP assist page, and who else knows where it lies [TLFS vp-properties, virtual-interrupts EOI Assist]. */
#include "hv_test.h"

enum { ASSIST_GFN = 0x50, ASSIST_GPA = ASSIST_GFN << HV_PAGE_SHIFT };

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

/* --- lazy EOI -------------------------------------------------------------------------------------------------- */

static void eoi_assistance_goes_where_the_page_goes(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, 0);
    assert_int_equal(mock->eoi_assist[1], 0);           /* nothing to end: the backend is not bothered */
    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    assert_int_equal(mock->eoi_assist[1], ASSIST_GPA);
    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN + 2) | 0xffe);
    assert_int_equal(mock->eoi_assist[1], ASSIST_GPA + 2 * HV_PAGE_SIZE);
    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, (uint64_t)(ASSIST_GFN + 2) << HV_PAGE_SHIFT);
    assert_int_equal(mock->eoi_assist[1], UINT64_MAX);
    assert_int_equal(mock->eoi_assist[0], 0);
}

static void eoi_assistance_ends_where_there_is_no_memory(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    hv_test_write(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(MOCK_RAM_BYTES / HV_PAGE_SIZE));
    assert_int_equal(mock->eoi_assist[0], UINT64_MAX);
}

static void eoi_assistance_ends_with_a_reset(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    mock_reset(mock, 1);
    assert_int_equal(mock->eoi_assist[1], UINT64_MAX);
}

static void eoi_assistance_is_there_again_after_a_load(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 1, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    memset(mock->eoi_assist, 0, sizeof(mock->eoi_assist));
    mock_save_load_save(mock);
    assert_int_equal(mock->eoi_assist[0], 0);
    assert_int_equal(mock->eoi_assist[1], ASSIST_GPA);
}

/* Linux lays the page whatever the privileges; without them nobody else may write there. */
static void page_without_vapic_is_the_guests_alone(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].features_off = hv_test_feature("vapic");
    assert_int_equal(mock_start(&mock), HVS_OK);
    hv_test_write(&mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    hv_test_write(&mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, 0);
    assert_int_equal(mock.eoi_assist[0], 0);
    mock_stop(&mock);
}

static void host_without_it_has_the_page_all_the_same(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.caps &= ~(uint32_t)HVS_CAP_EOI_ASSIST;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_true(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EAX) >> HV_ACCESS_INTR_CTRL_REGS & 1);
    hv_test_write(&mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(ASSIST_GFN));
    assert_int_equal(hv_test_read(&mock, 0, HV_X64_MSR_VP_ASSIST_PAGE), HV_TEST_PAGE_MSR(ASSIST_GFN));
    assert_int_equal(mock.eoi_assist[0], 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(assist_page_is_the_vps_own),
        HV_TEST(assist_page_begins_empty),
        HV_TEST(assist_page_keeps_what_the_guest_wrote),
        HV_TEST(reset_of_a_vp_takes_its_page_only),
        HV_TEST(eoi_assistance_goes_where_the_page_goes),
        HV_TEST(eoi_assistance_ends_where_there_is_no_memory),
        HV_TEST(eoi_assistance_ends_with_a_reset),
        HV_TEST(eoi_assistance_is_there_again_after_a_load),
        cmocka_unit_test(page_without_vapic_is_the_guests_alone),
        cmocka_unit_test(host_without_it_has_the_page_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
