/* MSRs that place a page: what is preserved, what is not reachable, what comes back [TLFS, GPA overlay pages]. */
#include "hv_test.h"

enum { GFN = 0x40, ELSEWHERE = 0x41 };

static const uint32_t page_msr[] = {HV_X64_MSR_REFERENCE_TSC, HV_X64_MSR_VP_ASSIST_PAGE};

static uint8_t *frame(const struct mock *mock, uint32_t gfn)
{
    return mock->ram + gfn * HV_PAGE_SIZE;
}

static void preserves_reserved_bits(void **state)
{
    for (size_t i = 0; i < HVS_ARRAY_SIZE(page_msr); i++) {
        hv_test_write(*state, 0, page_msr[i], HV_TEST_PAGE_MSR(GFN) | 0xffe);
        assert_int_equal(hv_test_read(*state, 0, page_msr[i]), HV_TEST_PAGE_MSR(GFN) | 0xffe);
    }
}

static void disabled_page_covers_nothing(void **state)
{
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(page_msr); i++) {
        memset(frame(mock, GFN), 0x5a, HV_PAGE_SIZE);
        hv_test_write(mock, 0, page_msr[i], (uint64_t)GFN << HV_PAGE_SHIFT);
        assert_int_equal(frame(mock, GFN)[100], 0x5a);
    }
}

static void gives_back_the_memory_beneath(void **state)
{
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(page_msr); i++) {
        memset(frame(mock, GFN), 0x5a, HV_PAGE_SIZE);
        hv_test_write(mock, 0, page_msr[i], HV_TEST_PAGE_MSR(GFN));
        assert_int_equal(frame(mock, GFN)[100], 0);
        hv_test_write(mock, 0, page_msr[i], HV_TEST_PAGE_MSR(ELSEWHERE));
        assert_int_equal(frame(mock, GFN)[100], 0x5a);
        hv_test_write(mock, 0, page_msr[i], 0);
        assert_int_equal(frame(mock, ELSEWHERE)[100], 0);
    }
}

/* No fault: the register holds what was written, the page just cannot be reached, nor where it was before. */
static void page_beyond_memory_is_out_of_reach(void **state)
{
    struct mock *mock = *state;
    const uint64_t bad[] = {
        HV_TEST_PAGE_MSR(MOCK_RAM_BYTES / HV_PAGE_SIZE),
        1ull << mock->config.phys_bits | HV_X64_MSR_PAGE_ENABLE,
        /* beyond the address space, though its low bits are a good frame */
        1ull << 63 | HV_TEST_PAGE_MSR(ELSEWHERE),
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(page_msr) * HVS_ARRAY_SIZE(bad); i++) {
        uint32_t msr = page_msr[i % HVS_ARRAY_SIZE(page_msr)];
        uint64_t value = bad[i / HVS_ARRAY_SIZE(page_msr)];

        memset(frame(mock, GFN), 0x5a, HV_PAGE_SIZE);
        memset(frame(mock, ELSEWHERE), 0x5a, HV_PAGE_SIZE);
        hv_test_write(mock, 0, msr, HV_TEST_PAGE_MSR(GFN));
        hv_test_write(mock, 0, msr, value);
        assert_int_equal(hv_test_read(mock, 0, msr), value);
        assert_int_equal(frame(mock, GFN)[100], 0x5a);
        assert_int_equal(frame(mock, ELSEWHERE)[100], 0x5a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(preserves_reserved_bits),
        HV_TEST(disabled_page_covers_nothing),
        HV_TEST(gives_back_the_memory_beneath),
        HV_TEST(page_beyond_memory_is_out_of_reach),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
