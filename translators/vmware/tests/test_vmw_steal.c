/* The steal clock: what the guest reads, when it is brought up to date, and bad addresses. */
#include "vmw_rpc_test.h"

enum { AT = 0x5040 };
#define MS 1000000ull

static uint32_t stealclock(struct mock *mock, uint32_t vp, uint64_t gpa)
{
    set_marked_regs(mock, BDOOR_MAGIC, BDOOR_CMD_STEALCLOCK);
    mock->regs.rsi = UPPER(0x5) | gpa >> 32;
    mock->regs.rdi = UPPER(0x7) | (uint32_t)gpa;
    assert_int_equal(mock_in(mock, vp, BDOOR_PORT, 4), HVS_HANDLED);
    assert_upper_halves_kept(&mock->regs);
    return (uint32_t)mock->regs.rax;
}

static uint64_t read_clock(const struct mock *mock, uint64_t gpa)
{
    uint64_t clock;

    memcpy(&clock, mock->ram + gpa, sizeof(clock));
    return clock;
}

/* Lets the guest's next timer exit come. Returns after how many ms. */
static uint64_t run_timer(struct mock *mock, uint32_t vp)
{
    uint64_t wait_ns = hvs_vcpu_deadline_ns(mock_vcpu(mock, vp)) - hvs_vm_now_ns(mock->vm);

    mock_advance(mock, wait_ns + 10);
    assert_int_equal(mock_timer(mock, vp), HVS_HANDLED);
    return (wait_ns + MS / 2) / MS;
}

static void test_enable_and_disable(void **state)
{
    struct mock *mock = *state;

    mock->vcpu_time[0].stolen_ns = 3000000007;
    memset(mock->ram + AT, 0xcc, 64);
    assert_int_equal(stealclock(mock, 0, AT), BDOOR_STEALCLOCK_STATUS_ENABLED);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_TIMER, NULL), 1);
    assert_int_equal(read_clock(mock, AT), 7500000017);         /* 2.5 GHz */
    assert_int_equal(mock->ram[AT + 8], 0xcc);
    mock->vcpu_time[0].stolen_ns += 2 * MS;
    assert_int_equal(run_timer(mock, 0), 10);
    assert_int_equal(read_clock(mock, AT), 7505000017);
    assert_int_equal(stealclock(mock, 0, 1), BDOOR_STEALCLOCK_STATUS_DISABLED);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), UINT64_MAX);
    mock->vcpu_time[0].stolen_ns += 2 * MS;
    mock_timer(mock, 0);
    assert_int_equal(read_clock(mock, AT), 7505000017);
}

static void test_one_for_each_vcpu(void **state)
{
    struct mock *mock = *state;

    mock->vcpu_time[0].stolen_ns = 2000;
    mock->vcpu_time[1].stolen_ns = 4000;
    assert_int_equal(stealclock(mock, 0, 0x6000), 1);
    assert_int_equal(stealclock(mock, 1, 0x6fc0), 1);
    assert_int_equal(read_clock(mock, 0x6000), 5000);
    assert_int_equal(read_clock(mock, 0x6fc0), 10000);
}

static void test_a_sleeping_vcpu_is_looked_at_seldom(void **state)
{
    static const uint64_t expected_ms[] = {10, 20, 40, 80, 160, 160};
    struct mock *mock = *state;

    assert_int_equal(stealclock(mock, 0, AT), 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(expected_ms); i++)
        assert_int_equal(run_timer(mock, 0), expected_ms[i]);
    mock->vcpu_time[0].ran_ns += 1;
    assert_int_equal(run_timer(mock, 0), 160);
    assert_int_equal(run_timer(mock, 0), 10);
}

static void test_bad_addresses(void **state)
{
    static const uint64_t gpa[] = {0x5041, 0x5020, 0x503f, MOCK_RAM_BYTES, 1ull << 40, UINT64_MAX - 63, UINT64_MAX};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(gpa); i++) {
        assert_int_equal(stealclock(mock, 0, AT), 1);
        assert_int_equal(stealclock(mock, 0, gpa[i]), BDOOR_STEALCLOCK_STATUS_DISABLED);
        assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), UINT64_MAX);
    }
    assert_int_equal(stealclock(mock, 0, MOCK_RAM_BYTES - 64), 1);
    assert_int_equal(stealclock(mock, 0, 0), 1);
}

static void test_from_ring_3(void **state)
{
    struct mock *mock = *state;

    mock->regs.cpl = 3;
    assert_int_equal(stealclock(mock, 0, AT), BDOOR_UNSUPPORTED);
    mock->regs.cpl = 0;
}

static void test_without_the_means(void **state)
{
    static const uint32_t cap[] = {HVS_CAP_VCPU_TIME, HVS_CAP_TIMER, HVS_CAP_TSC_STABLE};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cap); i++) {
        mock_stop(mock);
        vmw_config(mock, 1);
        mock->config.caps &= ~cap[i];
        assert_int_equal(mock_start(mock), HVS_OK);
        assert_unsupported(mock, BDOOR_CMD_STEALCLOCK);
    }
}

static void test_reset_switches_off(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(stealclock(mock, 0, AT), 1);
    mock_reset(mock, 0);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), UINT64_MAX);
}

/* On another host, which counts anew, the clock does not go back. */
static void test_save_and_load(void **state)
{
    struct mock *mock = *state;

    mock->vcpu_time[0].stolen_ns = 4 * MS;
    assert_int_equal(stealclock(mock, 0, AT), 1);
    assert_int_equal(read_clock(mock, AT), 10000000);
    mock->vcpu_time[0].stolen_ns = 0;
    mock_save_load_save(mock);
    assert_int_equal(run_timer(mock, 0), 10);
    assert_int_equal(read_clock(mock, AT), 10000000);
    mock->vcpu_time[0].stolen_ns = 2 * MS;
    run_timer(mock, 0);
    assert_int_equal(read_clock(mock, AT), 15000000);
}

/* Off for its bad address, it has counted already. */
static void test_save_and_load_when_refused(void **state)
{
    struct mock *mock = *state;

    mock->vcpu_time[0].stolen_ns = 4 * MS;
    assert_int_equal(stealclock(mock, 0, 1ull << 40), BDOOR_STEALCLOCK_STATUS_DISABLED);
    mock_save_load_save(mock);
    assert_int_equal(stealclock(mock, 0, AT), 1);
    assert_int_equal(read_clock(mock, AT), 10000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VMW_TEST(test_enable_and_disable),
        VMW_TEST(test_one_for_each_vcpu),
        VMW_TEST(test_a_sleeping_vcpu_is_looked_at_seldom),
        VMW_TEST(test_bad_addresses),
        VMW_TEST(test_from_ring_3),
        VMW_TEST(test_without_the_means),
        VMW_TEST(test_reset_switches_off),
        VMW_TEST(test_save_and_load),
        VMW_TEST(test_save_and_load_when_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
