/* VP run time: whose, in which unit, and that it never goes back [TLFS vp-properties]. */
#include "hv_test.h"

static void counts_100ns_that_this_vp_ran(void **state)
{
    struct mock *mock = *state;

    mock->vcpu_time[0] = (struct hvs_vcpu_time){.ran_ns = 12345, .stolen_ns = 1000000};
    mock->vcpu_time[1] = (struct hvs_vcpu_time){.ran_ns = 99};
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_VP_RUNTIME), 123);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_VP_RUNTIME), 0);
    mock_advance(mock, 1000000);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_VP_RUNTIME), 123);
}

/* The host counts from zero again, or from wherever its new thread is. */
static void goes_on_after_a_load(void **state)
{
    struct mock *mock = *state;
    uint8_t *stream;
    size_t bytes;

    mock->vcpu_time[0].ran_ns = 5000000;
    mock->vcpu_time[1].ran_ns = 7000000;
    mock_save_load_save(mock);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_VP_RUNTIME), 70000);
    stream = hv_test_snapshot(mock, &bytes);
    mock->vcpu_time[0].ran_ns = 0;
    mock->vcpu_time[1].ran_ns = 900000000;
    assert_int_equal(hvs_vm_load(mock->vm, stream, bytes), HVS_OK);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_VP_RUNTIME), 50000);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_VP_RUNTIME), 70000);
    mock->vcpu_time[0].ran_ns += 100;
    mock->vcpu_time[1].ran_ns += 200;
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_VP_RUNTIME), 50001);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_VP_RUNTIME), 70002);
    free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(counts_100ns_that_this_vp_ran),
        HV_TEST(goes_on_after_a_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
