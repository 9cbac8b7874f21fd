/* Reset and crash: what the host is told [TLFS partition-properties]. */
#include "hv_test.h"

enum { MESSAGE_GPA = 0x60000 };

static void expect_stop(const struct mock *mock, enum hvs_stop_reason reason)
{
    const struct hvs_effect *effect = NULL;

    assert_int_equal(mock->out.nr_effects, 1);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_VM_STOP, &effect), 1);
    assert_int_equal(effect->reason, reason);
}

static void reset_register_reboots(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_RESET), 0);
    hv_test_write(mock, 1, HV_X64_MSR_RESET, 0);
    assert_int_equal(mock->out.nr_effects, 0);
    hv_test_write(mock, 1, HV_X64_MSR_RESET, 1);
    expect_stop(mock, HVS_STOP_REBOOT);
}

static void write_parameters(struct mock *mock, uint64_t message_gpa, uint64_t message_bytes)
{
    const uint64_t parameter[] = {0x7b, 2, 3, message_gpa, message_bytes};

    for (uint32_t i = 0; i < HV_X64_NR_CRASH_PARAMETERS; i++)
        hv_test_write(mock, 0, HV_X64_MSR_CRASH_P0 + i, parameter[i]);
}

static void crash_parameters_are_kept(void **state)
{
    struct mock *mock = *state;

    write_parameters(mock, UINT64_MAX, 5);
    mock_save_load_save(mock);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_CRASH_P0), 0x7b);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_CRASH_P3), UINT64_MAX);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_CRASH_P4), 5);
}

static void crash_control_tells_what_it_can(void **state)
{
    struct mock *mock = *state;
    uint64_t can = HV_CRASH_CTL_CRASH_NOTIFY | HV_CRASH_CTL_CRASH_MESSAGE;

    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_CRASH_CTL), can);
    hv_test_write(mock, 0, HV_X64_MSR_CRASH_CTL, 0);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_CRASH_CTL), can);
}

static void nothing_happens_without_notify(void **state)
{
    struct mock *mock = *state;
    struct hvs_crash crash;

    hv_test_write(mock, 0, HV_X64_MSR_CRASH_CTL, HV_CRASH_CTL_CRASH_MESSAGE);
    assert_int_equal(mock->out.nr_effects, 0);
    assert_int_equal(hvs_vm_crash(mock->vm, &crash), HVS_ENOENT);
}

static void notify_reports_and_stops(void **state)
{
    struct mock *mock = *state;
    struct hvs_crash crash;

    write_parameters(mock, 4, 5);
    hv_test_write(mock, 1, HV_X64_MSR_CRASH_CTL, HV_CRASH_CTL_CRASH_NOTIFY);
    expect_stop(mock, HVS_STOP_CRASH);
    assert_int_equal(hvs_vm_crash(mock->vm, &crash), HVS_OK);
    assert_int_equal(crash.parameter[0], 0x7b);
    assert_int_equal(crash.parameter[4], 5);
    assert_int_equal(crash.message_bytes, 0);
    mock_save_load_save(mock);
    assert_int_equal(hvs_vm_crash(mock->vm, &crash), HVS_OK);
    assert_int_equal(crash.parameter[0], 0x7b);
    assert_int_equal(mock_reset(mock, 0), HVS_HANDLED);
    assert_int_equal(hvs_vm_crash(mock->vm, &crash), HVS_ENOENT);
}

static void crash_with_message(struct mock *mock, uint64_t gpa, uint64_t bytes, struct hvs_crash *crash)
{
    write_parameters(mock, gpa, bytes);
    hv_test_write(mock, 0, HV_X64_MSR_CRASH_CTL, HV_CRASH_CTL_CRASH_NOTIFY | HV_CRASH_CTL_CRASH_MESSAGE);
    expect_stop(mock, HVS_STOP_CRASH);
    assert_int_equal(hvs_vm_crash(mock->vm, crash), HVS_OK);
}

static void message_is_read_from_the_guest(void **state)
{
    struct mock *mock = *state;
    struct hvs_crash crash;

    memcpy(mock->ram + MESSAGE_GPA + 3, "oops", 4);
    crash_with_message(mock, MESSAGE_GPA + 3, 4, &crash);
    assert_int_equal(crash.message_bytes, 4);
    assert_memory_equal(crash.message, "oops", 4);
}

static void of_a_long_message_the_end_is_kept(void **state)
{
    struct mock *mock = *state;
    struct hvs_crash crash;

    memset(mock->ram + MESSAGE_GPA, 'a', HV_CRASH_MAX_MESSAGE_SIZE);
    mock->ram[MESSAGE_GPA + HV_CRASH_MAX_MESSAGE_SIZE - 1] = 'z';
    crash_with_message(mock, MESSAGE_GPA, HV_CRASH_MAX_MESSAGE_SIZE, &crash);
    assert_int_equal(crash.message_bytes, sizeof(crash.message));
    assert_int_equal(crash.message[sizeof(crash.message) - 1], 'z');
}

static void bad_message_is_a_crash_without_one(void **state)
{
    static const struct {
        uint64_t gpa, bytes;
    } bad[] = {
        {MESSAGE_GPA, HV_CRASH_MAX_MESSAGE_SIZE + 1},
        {MESSAGE_GPA, UINT64_MAX},
        {MOCK_RAM_BYTES - 1, 2},
        {UINT64_MAX - 1, 4},
        {UINT64_MAX - 3000, 4096},
    };
    struct hvs_crash crash;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++) {
        crash_with_message(*state, bad[i].gpa, bad[i].bytes, &crash);
        assert_int_equal(crash.message_bytes, 0);
        assert_int_equal(crash.parameter[3], bad[i].gpa);
    }
}

static void host_that_cannot_stop_offers_neither(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.caps &= ~(uint32_t)HVS_CAP_STOP;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(mock_rdmsr(&mock, 0, HV_X64_MSR_RESET, NULL), HVS_UNHANDLED);
    assert_int_equal(mock_rdmsr(&mock, 0, HV_X64_MSR_CRASH_CTL, NULL), HVS_UNHANDLED);
    assert_false(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EAX) >> HV_ACCESS_RESET_REG & 1);
    assert_false(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EDX) >> HV_GUEST_CRASH_REGS_AVAILABLE & 1);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(reset_register_reboots),
        HV_TEST(crash_parameters_are_kept),
        HV_TEST(crash_control_tells_what_it_can),
        HV_TEST(nothing_happens_without_notify),
        HV_TEST(notify_reports_and_stops),
        HV_TEST(message_is_read_from_the_guest),
        HV_TEST(of_a_long_message_the_end_is_kept),
        HV_TEST(bad_message_is_a_crash_without_one),
        cmocka_unit_test(host_that_cannot_stop_offers_neither),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
