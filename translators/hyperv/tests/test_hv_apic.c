/* The local APIC's registers as MSRs [TLFS virtual-interrupts, Local APIC MSR Accesses]. */
#include "hv_test.h"

enum { TPR = 0x80 / 16, EOI = 0xb0 / 16, ICR = 0x300 / 16 };

static void registers_are_the_vps_own_apic(void **state)
{
    struct mock *mock = *state;

    hv_test_write(mock, 1, HV_X64_MSR_ICR, 0x01000000000c0030);
    assert_int_equal(mock->apic[1][ICR], 0x01000000000c0030);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_ICR), 0x01000000000c0030);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_ICR), 0);
    hv_test_write(mock, 1, HV_X64_MSR_TPR, 0xf0);
    assert_int_equal(mock->apic[1][TPR], 0xf0);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_TPR), 0xf0);
    assert_int_equal(mock->apic[0][TPR], 0);
}

/* "EOI value": any; an x2APIC would refuse all but 0. */
static void any_eoi_value_ends_the_interrupt(void **state)
{
    struct mock *mock = *state;

    mock->apic[0][EOI] = 7;
    hv_test_write(mock, 0, HV_X64_MSR_EOI, 0xffffffff);
    assert_int_equal(mock->nr_apic_writes, 1);
    assert_int_equal(mock->apic[0][EOI], 0);
}

static void what_the_apic_refuses_faults(void **state)
{
    struct mock *mock = *state;

    mock->apic_refuses = true;
    hv_test_expect_gp(mock, mock_rdmsr(mock, 0, HV_X64_MSR_ICR, NULL));
    hv_test_expect_gp(mock, mock_rdmsr(mock, 0, HV_X64_MSR_TPR, NULL));
    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_EOI, 0));
    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_ICR, 0));
    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_TPR, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(registers_are_the_vps_own_apic),
        HV_TEST(any_eoi_value_ends_the_interrupt),
        HV_TEST(what_the_apic_refuses_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
