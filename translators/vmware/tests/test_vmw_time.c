/* Frequencies and the time of day. */
#include "vmw_test.h"

#define NS_PER_SEC 1000000000ull

static void test_mhz(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETMHZ), 2500);
    mock_stop(&mock);
}

static void test_hz(void **state)
{
    static const struct {
        uint64_t tsc_khz;
        uint32_t eax, ebx;
    } t[] = {
        {1000000, 1000000000, 0},
        {4294967, 4294967000u, 0},
        {4294968, 704, 1},
        {5000000, 705032704, 1},
        {UINT32_MAX, 0xfffffc18, 0x3e7},
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct mock mock;

        vmw_config(&mock, 1);
        mock.config.tsc_khz = t[i].tsc_khz;
        mock.config.apic_hz = 66000000;
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(backdoor(&mock, BDOOR_CMD_GETHZ), t[i].eax);
        assert_int_equal((uint32_t)mock.regs.rbx, t[i].ebx);
        assert_int_equal((uint32_t)mock.regs.rcx, 66000000);
        mock_stop(&mock);
    }
}

static void test_hz_without_an_apic_frequency(void **state)
{
    static const uint64_t apic_hz[] = {0, 1ull << 32};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(apic_hz); i++) {
        struct mock mock;

        vmw_config(&mock, 1);
        mock.config.apic_hz = apic_hz[i];
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(backdoor(&mock, BDOOR_CMD_GETHZ), BDOOR_UNSUPPORTED);
        assert_int_equal((uint32_t)mock.regs.rbx, UINT32_MAX);
        mock_stop(&mock);
    }
}

static void start_at(struct mock *mock, uint64_t utc_ns)
{
    mock_start_one(mock, &hvs_vmw_personality, 1);
    hvs_vm_set_wall_clock(mock->vm, utc_ns);
}

static void test_time_is_unsupported_while_unknown(void **state)
{
    struct mock mock;

    (void)state;
    start_at(&mock, 0);
    assert_unsupported(&mock, BDOOR_CMD_GETTIME);
    assert_unsupported(&mock, BDOOR_CMD_GETTIMEFULL);
    assert_unsupported(&mock, BDOOR_CMD_GETTIMEFULL_WITH_LAG);
    mock_stop(&mock);
}

static void test_time(void **state)
{
    struct mock mock;

    (void)state;
    start_at(&mock, 1700000000 * NS_PER_SEC + 999000000);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETTIME), 1700000000);
    assert_int_equal((uint32_t)mock.regs.rbx, 999000);
    assert_int_equal((uint32_t)mock.regs.rcx, 1000000);
    assert_int_equal((uint32_t)mock.regs.rdx, 0);
    mock_advance(&mock, 2 * NS_PER_SEC + 1001500);      /* half a microsecond for the clock's rounding */
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETTIME), 1700000003);
    assert_int_equal((uint32_t)mock.regs.rbx, 1);
    mock_stop(&mock);
}

/* Past 2106 the short form wraps; the full forms do not, and keep the magic in EAX. */
static void test_time_full(void **state)
{
    struct mock mock;

    (void)state;
    start_at(&mock, 4294967301 * NS_PER_SEC + 5000);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETTIME), 5);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETTIMEFULL), BDOOR_MAGIC);
    assert_int_equal((uint32_t)mock.regs.rsi, 1);
    assert_int_equal((uint32_t)mock.regs.rdx, 5);
    assert_int_equal((uint32_t)mock.regs.rbx, 5);
    assert_int_equal((uint32_t)mock.regs.rcx, 1000000);
    assert_int_equal((uint32_t)mock.regs.rdi, 0x07070707);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETTIMEFULL_WITH_LAG), BDOOR_MAGIC);
    assert_int_equal((uint32_t)mock.regs.rsi, 1);
    assert_int_equal((uint32_t)mock.regs.rdx, 5);
    assert_int_equal((uint32_t)mock.regs.rdi, 0);
    mock_stop(&mock);
}

/* The VMM sets the time anew after a pause, and the guest sees it at once. */
static void test_wall_clock_may_be_set_anew(void **state)
{
    struct mock mock;

    (void)state;
    start_at(&mock, 100 * NS_PER_SEC);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETTIME), 100);
    hvs_vm_set_wall_clock(mock.vm, 3700 * NS_PER_SEC);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETTIME), 3700);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mhz),
        cmocka_unit_test(test_hz),
        cmocka_unit_test(test_hz_without_an_apic_frequency),
        cmocka_unit_test(test_time_is_unsupported_while_unknown),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_time_full),
        cmocka_unit_test(test_wall_clock_may_be_set_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
