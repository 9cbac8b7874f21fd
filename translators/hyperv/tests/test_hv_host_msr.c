/*
 * A VMM that restores Hyper-V's MSRs one by one, as KVM_SET_MSRS does: QEMU's order, and what KVM's own code gives for
 * them. And a VMM that lays the SynIC's pages itself.
 */
#include "synic_test.h"

enum { NS = 100, MS = 10000, DIRECT_VECTOR = 0xed };

#define CONFIG(n) (HV_X64_MSR_STIMER0_CONFIG + 2 * (n))
#define COUNT(n) (HV_X64_MSR_STIMER0_COUNT + 2 * (n))
#define DIRECT (HV_STIMER_DIRECT_MODE | (uint64_t)DIRECT_VECTOR << HV_STIMER_APIC_VECTOR_SHIFT)
#define TO_SINT ((uint64_t)SINT << HV_STIMER_SINTX_SHIFT)

static uint64_t get(struct mock *mock, uint32_t vp, uint32_t index)
{
    uint64_t value;

    assert_int_equal(hvs_vcpu_msr_get(mock_vcpu(mock, vp), index, &value), HVS_OK);
    return value;
}

static void set(struct mock *mock, uint32_t vp, uint32_t index, uint64_t value)
{
    assert_int_equal(hvs_vcpu_msr_set(mock_vcpu(mock, vp), index, value), HVS_OK);
}

static uint64_t reference(struct mock *mock)
{
    return hv_test_read(mock, 0, HV_X64_MSR_TIME_REF_COUNT);
}

/* Lets time pass until the next deadline and serves it. */
static void expire_next(struct mock *mock)
{
    uint64_t at = hvs_vcpu_deadline_ns(mock_vcpu(mock, 0));

    assert_int_not_equal(at, UINT64_MAX);
    while (hvs_vm_now_ns(mock->vm) < at)
        mock_advance(mock, at - hvs_vm_now_ns(mock->vm) + 1);
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
}

static void timer_in_the_past_expires_once_the_guest_runs(void **state)
{
    struct mock *mock = *state;

    mock_advance(mock, 1000000000);
    set(mock, 0, CONFIG(0), DIRECT | HV_STIMER_ENABLE);
    set(mock, 0, COUNT(0), 5);
    assert_int_equal(get(mock, 0, CONFIG(0)), DIRECT | HV_STIMER_ENABLE);
    assert_true(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)) <= hvs_vm_now_ns(mock->vm) + NS);
    expire_next(mock);
    synic_expect_interrupt(mock, 0, DIRECT_VECTOR);
    assert_int_equal(get(mock, 0, CONFIG(0)), DIRECT);
}

static void either_register_may_come_first(void **state)
{
    struct mock *mock = *state;
    uint64_t at = reference(mock) + MS;

    set(mock, 0, COUNT(1), at);
    set(mock, 0, CONFIG(1), DIRECT | HV_STIMER_ENABLE);
    expire_next(mock);
    synic_expect_interrupt(mock, 0, DIRECT_VECTOR);
    assert_in_range(reference(mock), at, at + 2);
}

/* A count does not enable, nor does 0 disable, for the other register comes too. */
static void registers_do_not_change_each_other(void **state)
{
    struct mock *mock = *state;

    set(mock, 0, CONFIG(0), DIRECT | HV_STIMER_AUTO_ENABLE);
    set(mock, 0, COUNT(0), 77);
    assert_int_equal(get(mock, 0, CONFIG(0)), DIRECT | HV_STIMER_AUTO_ENABLE);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), UINT64_MAX);
    set(mock, 0, CONFIG(0), DIRECT | HV_STIMER_ENABLE);
    set(mock, 0, COUNT(0), 0);
    assert_int_equal(get(mock, 0, CONFIG(0)), DIRECT | HV_STIMER_ENABLE);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), UINT64_MAX);
    assert_int_equal(hvs_vcpu_msr_set(mock_vcpu(mock, 0), CONFIG(0), HV_STIMER_RESERVED), HVS_EINVAL);
}

static void a_period_begins_anew(void **state)
{
    struct mock *mock = *state;
    uint64_t began;

    mock_advance(mock, 123456789);
    began = reference(mock);
    set(mock, 0, CONFIG(0), DIRECT | HV_STIMER_PERIODIC | HV_STIMER_ENABLE);
    set(mock, 0, COUNT(0), 3 * MS);
    expire_next(mock);
    assert_in_range(reference(mock), began + 3 * MS, began + 3 * MS + 3);
    expire_next(mock);
    assert_in_range(reference(mock), began + 6 * MS, began + 6 * MS + 3);
}

/* As KVM: enabled until its message is delivered, so that it expires again where it is restored. */
static void message_that_waits_is_sent_again(void **state)
{
    struct mock *mock = *state;
    uint64_t config, count;

    synic_on(mock, 0);
    assert_int_equal(synic_post(mock, 0, SINT, "taken"), HVS_HV_DONE);
    hv_test_write(mock, 0, COUNT(0), reference(mock) + MS);
    hv_test_write(mock, 0, CONFIG(0), TO_SINT | HV_STIMER_ENABLE);
    expire_next(mock);
    assert_int_equal(hv_test_read(mock, 0, CONFIG(0)), TO_SINT);
    config = get(mock, 0, CONFIG(0));
    count = get(mock, 0, COUNT(0));
    assert_int_equal(config, TO_SINT | HV_STIMER_ENABLE);
    synic_take(mock, 0, SINT);
    set(mock, 0, CONFIG(0), 0);
    synic_slot(mock, 0, SINT)->header.message_type = HV_MESSAGE_TYPE_NONE;
    set(mock, 0, CONFIG(0), config);
    set(mock, 0, COUNT(0), count);
    expire_next(mock);
    synic_expect_interrupt(mock, 0, VECTOR);
    assert_int_equal(synic_slot(mock, 0, SINT)->header.message_type, HV_MESSAGE_TYPE_TIMER_EXPIRED);
}

/* What QEMU sets, in its order, with RAM as it was saved. */
static void a_guest_is_restored_from_its_msrs(void **state)
{
    struct mock *mock = *state;
    uint8_t *sim = mock->ram + SIM_GFN * HV_PAGE_SIZE, *tsc = mock->ram + 0x60 * HV_PAGE_SIZE;
    uint8_t *call = mock->ram + HV_TEST_CALL_GFN * HV_PAGE_SIZE;
    uint32_t sequence = 41;

    memset(sim, 0, HV_PAGE_SIZE);
    synic_slot(mock, 0, SINT)->header.message_type = 9;
    memset(call, 0x0f, HV_PAGE_SIZE);
    memcpy(tsc, &sequence, sizeof(sequence));
    set(mock, 0, HV_X64_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    set(mock, 0, HV_X64_MSR_HYPERCALL, HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN));
    set(mock, 0, HV_X64_MSR_REFERENCE_TSC, HV_TEST_PAGE_MSR(0x60));
    set(mock, 0, HV_X64_MSR_VP_RUNTIME, 5000);
    set(mock, 0, HV_X64_MSR_SCONTROL, 1);
    set(mock, 0, HV_X64_MSR_SIEFP, HV_TEST_PAGE_MSR(SIEF_GFN));
    set(mock, 0, HV_X64_MSR_SIMP, HV_TEST_PAGE_MSR(SIM_GFN));
    set(mock, 0, HV_X64_MSR_SINT0 + SINT, VECTOR);
    assert_int_equal(synic_slot(mock, 0, SINT)->header.message_type, 9);
    assert_int_equal(call[0], mock->config.hypercall_insn[0].byte[0]);  /* ours, whoever wrote it before */
    memcpy(&sequence, tsc, sizeof(sequence));
    assert_int_equal(sequence, 42);
    assert_in_range(hv_test_read(mock, 0, HV_X64_MSR_VP_RUNTIME), 5000, 6000);
    assert_int_equal(mock_wrmsr(mock, 0, HV_X64_MSR_VP_RUNTIME, 1), HVS_FAULT);
    assert_int_equal(synic_post(mock, 0, SINT, "x"), HVS_HV_BUSY);
    assert_true(synic_take(mock, 0, SINT));
    assert_int_equal(synic_post(mock, 0, SINT, "x"), HVS_HV_DONE);
    synic_expect_interrupt(mock, 0, VECTOR);
}

static void vmm_lays_the_pages_of_the_synic(void **state)
{
    static const struct hvs_hv_options options = {.size = sizeof(options), .has_synic_pages = true};
    struct mock mock;
    uint8_t *sim;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].options = &options;
    assert_int_equal(mock_start(&mock), HVS_OK);
    sim = mock.ram + SIM_GFN * HV_PAGE_SIZE;
    memset(sim, 0, HV_PAGE_SIZE);
    sim[HV_PAGE_SIZE - 1] = 0x77;
    synic_on(&mock, 0);
    assert_int_equal(sim[HV_PAGE_SIZE - 1], 0x77);
    assert_int_equal(synic_post(&mock, 0, SINT, "x"), HVS_HV_DONE);
    assert_int_equal(synic_slot(&mock, 0, SINT)->header.message_type, 1);
    hv_test_write(&mock, 0, HV_X64_MSR_SIMP, 0);
    assert_int_equal(sim[HV_PAGE_SIZE - 1], 0x77);
    hv_test_write(&mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, HV_TEST_PAGE_MSR(SIM_GFN));      /* the others are ours */
    assert_int_equal(sim[HV_PAGE_SIZE - 1], 0);
    hv_test_write(&mock, 0, HV_X64_MSR_VP_ASSIST_PAGE, 0);
    assert_int_equal(sim[HV_PAGE_SIZE - 1], 0x77);
    mock_stop(&mock);
}

static enum hvs_hv_answer raise_sint(struct mock *mock, uint32_t sint)
{
    struct hvs_hv_event event = {.sint = sint, .flag = UINT32_MAX};

    return synic_host(mock, 0, hvs_hv_raise_exit(&event));
}

static void host_raises_a_sint(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(raise_sint(mock, SINT), HVS_HV_NOT_ENABLED);
    synic_expect_interrupt(mock, 0, 0);
    synic_on(mock, 0);
    assert_int_equal(raise_sint(mock, SINT), HVS_HV_DONE);
    synic_expect_interrupt(mock, 0, VECTOR);
    assert_int_equal(raise_sint(mock, HV_SYNIC_SINT_COUNT), HVS_HV_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(timer_in_the_past_expires_once_the_guest_runs),
        HV_TEST(either_register_may_come_first),
        HV_TEST(registers_do_not_change_each_other),
        HV_TEST(a_period_begins_anew),
        HV_TEST(message_that_waits_is_sent_again),
        HV_TEST(a_guest_is_restored_from_its_msrs),
        cmocka_unit_test(vmm_lays_the_pages_of_the_synic),
        HV_TEST(host_raises_a_sint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
