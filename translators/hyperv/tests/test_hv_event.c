/* Event flags [TLFS inter-partition-communication, SynIC event flags]. */
#include "synic_test.h"

static void interrupts_only_where_the_flag_was_clear(void **state)
{
    static const uint32_t flag[] = {0, 7, 8, 1000, 2047};
    struct mock *mock = *state;

    synic_on(mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(flag); i++) {
        uint8_t *byte = synic_flags(mock, 1, SINT) + flag[i] / 8, bit = (uint8_t)(1u << flag[i] % 8);

        *byte &= (uint8_t)~bit;
        assert_int_equal(synic_signal(mock, 1, SINT, flag[i]), HVS_HV_DONE);
        assert_true(*byte & bit);
        synic_expect_interrupt(mock, 1, VECTOR);
        assert_int_equal(synic_signal(mock, 1, SINT, flag[i]), HVS_HV_DONE);
        synic_expect_interrupt(mock, 1, 0);
    }
}

static void other_flags_stay(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    memset(synic_flags(mock, 0, 0), 0xaa, HV_PAGE_SIZE);
    assert_int_equal(synic_signal(mock, 0, SINT, 80), HVS_HV_DONE);
    for (uint32_t i = 0; i < HV_PAGE_SIZE; i++)
        assert_int_equal(synic_flags(mock, 0, 0)[i], i == SINT * 256 + 10 ? 0xab : 0xaa);
}

static void polling_sets_without_an_interrupt(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    hv_test_write(mock, 0, HV_X64_MSR_SINT0 + SINT, VECTOR | HV_SYNIC_SINT_MASKED | HV_SYNIC_SINT_POLLING);
    assert_int_equal(synic_signal(mock, 0, SINT, 1), HVS_HV_DONE);
    assert_int_equal(synic_flags(mock, 0, SINT)[0], 2);
    synic_expect_interrupt(mock, 0, 0);
}

static void nothing_is_set_where_it_is_off(void **state)
{
    static const struct {
        uint32_t msr;
        uint64_t value;
    } off[] = {
        {HV_X64_MSR_SCONTROL, 0},
        {HV_X64_MSR_SIEFP, (uint64_t)SIEF_GFN << HV_PAGE_SHIFT},
        {HV_X64_MSR_SIEFP, HV_TEST_PAGE_MSR(MOCK_RAM_BYTES / HV_PAGE_SIZE)},
        {HV_X64_MSR_SINT0 + SINT, VECTOR | HV_SYNIC_SINT_MASKED},
    };
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(off); i++) {
        synic_on(mock, 0);
        hv_test_write(mock, 0, off[i].msr, off[i].value);
        assert_int_equal(synic_signal(mock, 0, SINT, 1), HVS_HV_NOT_ENABLED);
        synic_expect_interrupt(mock, 0, 0);
        assert_int_equal(synic_flags(mock, 0, SINT)[0], 0);
    }
}

static void bad_targets_are_refused(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    assert_int_equal(synic_signal(mock, 0, 16, 0), HVS_HV_REFUSED);
    assert_int_equal(synic_signal(mock, 0, UINT32_MAX, 0), HVS_HV_REFUSED);
    assert_int_equal(synic_signal(mock, 0, SINT, 2048), HVS_HV_REFUSED);
    assert_int_equal(synic_signal(mock, 0, SINT, UINT32_MAX), HVS_HV_REFUSED);
    assert_int_equal(mock->out.nr_effects, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(interrupts_only_where_the_flag_was_clear),
        HV_TEST(other_flags_stay),
        HV_TEST(polling_sets_without_an_interrupt),
        HV_TEST(nothing_is_set_where_it_is_off),
        HV_TEST(bad_targets_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
