/* SynIC registers, their pages, and what a SINT's bits do to an interrupt [TLFS inter-partition-communication]. */
#include "synic_test.h"

static void reset_values(void **state)
{
    struct mock *mock = *state;

    for (int again = 0; again < 2; again++) {
        assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SCONTROL), 0);
        assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SVERSION), 1);
        assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SIMP), 0);
        assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SIEFP), 0);
        assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_EOM), 0);
        for (uint32_t sint = 0; sint < 16; sint++)
            assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SINT0 + sint), 0x10000);
        synic_on(mock, 1);
        memset(synic_slot(mock, 1, 0), 0x5a, HV_PAGE_SIZE);
        assert_int_equal(mock_reset(mock, 1), HVS_HANDLED);
    }
}

static void each_vcpu_has_its_own(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 1);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_SCONTROL), 0);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_SINT0 + SINT), 0x10000);
    assert_int_equal(synic_post(mock, 0, SINT, "x"), HVS_HV_NOT_ENABLED);
    assert_int_equal(synic_post(mock, 1, SINT, "x"), HVS_HV_DONE);
}

static void reserved_bits_are_kept(void **state)
{
    hv_test_write(*state, 0, HV_X64_MSR_SCONTROL, ~0ull);
    assert_int_equal(hv_test_read(*state, 0, HV_X64_MSR_SCONTROL), ~0ull);
    hv_test_write(*state, 0, HV_X64_MSR_SINT0, ~0ull);
    assert_int_equal(hv_test_read(*state, 0, HV_X64_MSR_SINT0), ~0ull);
}

static void vector_below_16_needs_a_mask(void **state)
{
    struct mock *mock = *state;

    for (uint32_t sint = 0; sint < 16; sint++) {
        uint32_t msr = HV_X64_MSR_SINT0 + sint;

        for (uint32_t vector = 0; vector < 16; vector++) {
            hv_test_write(mock, 0, msr, 0x10020);
            hv_test_expect_gp(mock, mock_wrmsr(mock, 0, msr, vector));
            hv_test_expect_gp(mock, mock_wrmsr(mock, 0, msr, vector | HV_SYNIC_SINT_POLLING));
            assert_int_equal(hv_test_read(mock, 0, msr), 0x10020);
            hv_test_write(mock, 0, msr, vector | HV_SYNIC_SINT_MASKED);
        }
        hv_test_write(mock, 0, msr, 16);
        hv_test_write(mock, 0, msr, 255);
    }
}

/* What the mask, the polling and the AutoEOI bit make of a message's interrupt. */
static const struct {
    uint64_t sint;
    bool interrupts, past_apic;
} bits[] = {
    {VECTOR, true, false},
    {VECTOR | HV_SYNIC_SINT_AUTO_EOI, true, true},
    {VECTOR | HV_SYNIC_SINT_MASKED, false, false},
    {VECTOR | HV_SYNIC_SINT_POLLING, false, false},
    {VECTOR | HV_SYNIC_SINT_AUTO_EOI | HV_SYNIC_SINT_POLLING, false, false},
    {VECTOR | HV_SYNIC_SINT_MASKED | HV_SYNIC_SINT_POLLING, false, false},
};

static void bits_decide_about_the_interrupt(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bits); i++) {
        const struct hvs_effect *effect = NULL;

        hv_test_write(mock, 0, HV_X64_MSR_SINT0 + SINT, bits[i].sint);
        assert_int_equal(synic_post(mock, 0, SINT, "x"), HVS_HV_DONE);
        assert_int_equal(synic_slot(mock, 0, SINT)->header.message_type, 1);
        assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, &effect), bits[i].interrupts);
        if (effect) {
            assert_int_equal(effect->vector, VECTOR);
            assert_int_equal(effect->past_apic, bits[i].past_apic);
        }
        synic_take(mock, 0, SINT);
    }
}

/* Where it cannot work it is not accepted, is recommended against whatever the feature avic says, and does not come by
   a load either. */
static void auto_eoi_needs_a_way_past_the_apic(void **state)
{
    struct mock mock;
    uint8_t *stream;
    size_t bytes;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].features_off = hv_test_feature("avic");
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(hv_test_cpuid(&mock, 0x40000004, HVS_EAX) >> 9 & 1, 0);
    hv_test_write(&mock, 0, HV_X64_MSR_SINT0, VECTOR | HV_SYNIC_SINT_AUTO_EOI);
    stream = hv_test_snapshot(&mock, &bytes);
    mock_stop(&mock);

    hv_test_config(&mock, 1);
    mock.config.slot[0].features_off = hv_test_feature("avic");
    mock.config.caps &= ~(uint32_t)HVS_CAP_PAST_APIC;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(hv_test_cpuid(&mock, 0x40000004, HVS_EAX) >> 9 & 1, 1);
    hv_test_expect_gp(&mock, mock_wrmsr(&mock, 0, HV_X64_MSR_SINT0, VECTOR | HV_SYNIC_SINT_AUTO_EOI));
    hv_test_write(&mock, 0, HV_X64_MSR_SINT0, HV_SYNIC_SINT_AUTO_EOI | HV_SYNIC_SINT_MASKED);
    hv_test_write(&mock, 0, HV_X64_MSR_SINT0, VECTOR);
    assert_int_equal(hvs_vm_load(mock.vm, stream, bytes), HVS_EFORMAT);
    mock_stop(&mock);
    free(stream);
}

/* Both pages: zero at first, contents come along when moved and switched off and on, the RAM beneath comes back. */
static void pages_are_overlays(void **state)
{
    static const uint32_t page_msr[] = {HV_X64_MSR_SIMP, HV_X64_MSR_SIEFP};
    enum { GFN = 0x40, ELSEWHERE = 0x41, BENEATH = 0x5a, OURS = 0x77 };
    struct mock *mock = *state;
    uint8_t *here = mock->ram + GFN * HV_PAGE_SIZE, *there = mock->ram + ELSEWHERE * HV_PAGE_SIZE;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(page_msr); i++) {
        memset(here, BENEATH, HV_PAGE_SIZE);
        memset(there, BENEATH, HV_PAGE_SIZE);
        hv_test_write(mock, 0, page_msr[i], HV_TEST_PAGE_MSR(GFN) | 0xffe);
        assert_int_equal(hv_test_read(mock, 0, page_msr[i]), HV_TEST_PAGE_MSR(GFN) | 0xffe);
        assert_int_equal(here[100], 0);
        here[100] = OURS;
        hv_test_write(mock, 0, page_msr[i], HV_TEST_PAGE_MSR(ELSEWHERE));
        assert_int_equal(here[100], BENEATH);
        assert_int_equal(there[100], OURS);
        hv_test_write(mock, 0, page_msr[i], 0);
        assert_int_equal(there[100], BENEATH);
        hv_test_write(mock, 0, page_msr[i], HV_TEST_PAGE_MSR(GFN));
        assert_int_equal(here[100], OURS);
        hv_test_write(mock, 0, page_msr[i], HV_TEST_PAGE_MSR(MOCK_RAM_BYTES / HV_PAGE_SIZE));
        assert_int_equal(here[100], BENEATH);
    }
}

static void all_registers_survive_save_and_load(void **state)
{
    struct mock *mock = *state;

    synic_on(mock, 0);
    synic_on(mock, 1);
    hv_test_write(mock, 1, HV_X64_MSR_SINT0 + 15, HV_SYNIC_SINT_MASKED | 3);
    synic_slot(mock, 1, 7)->payload[3] = 0x1234;
    mock_save_load_save(mock);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SCONTROL), 1);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SIMP), HV_TEST_PAGE_MSR(SIM_GFN + 1));
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SIEFP), HV_TEST_PAGE_MSR(SIEF_GFN + 1));
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SINT0 + SINT), VECTOR);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_SINT0 + 15), HV_SYNIC_SINT_MASKED | 3);
    assert_int_equal(synic_slot(mock, 1, 7)->payload[3], 0x1234);
    assert_int_equal(synic_post(mock, 1, SINT, "x"), HVS_HV_DONE);
    synic_expect_interrupt(mock, 1, VECTOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(reset_values),
        HV_TEST(each_vcpu_has_its_own),
        HV_TEST(reserved_bits_are_kept),
        HV_TEST(vector_below_16_needs_a_mask),
        HV_TEST(bits_decide_about_the_interrupt),
        cmocka_unit_test(auto_eoi_needs_a_way_past_the_apic),
        HV_TEST(pages_are_overlays),
        HV_TEST(all_registers_survive_save_and_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
