/* Dispatch: the row that owns an exit, its direction, its lock, and what goes on to the next personality. */
#include "toy.h"

enum { UNTOUCHED = 0x5a };

/* --- MSRs --------------------------------------------------------------------------------------------------------- */

static void test_msr_verdicts(void **state)
{
    static const struct {
        uint32_t index;
        enum hvs_verdict read, write;
    } cases[] = {
        {0, HVS_UNHANDLED, HVS_UNHANDLED},
        {TOY_MSR_RO - 1, HVS_UNHANDLED, HVS_UNHANDLED},
        {TOY_MSR_RO, HVS_HANDLED, HVS_FAULT},
        {TOY_MSR_WO, HVS_FAULT, HVS_HANDLED},
        {TOY_MSR_RW, HVS_HANDLED, HVS_HANDLED},
        {TOY_MSR_RW + 1, HVS_UNHANDLED, HVS_UNHANDLED},
        {TOY_MSR_BANK - 1, HVS_UNHANDLED, HVS_UNHANDLED},
        {TOY_MSR_BANK, HVS_HANDLED, HVS_HANDLED},
        {TOY_MSR_BANK + TOY_NR_BANK - 1, HVS_HANDLED, HVS_HANDLED},
        {TOY_MSR_BANK + TOY_NR_BANK, HVS_UNHANDLED, HVS_UNHANDLED},
        {TOY_MSR_IRQ, HVS_FAULT, HVS_HANDLED},
        {TOY_MSR_RARE, HVS_UNHANDLED, HVS_UNHANDLED},           /* its feature is off */
        {TRINKET_MSR, HVS_HANDLED, HVS_HANDLED},
        {TRINKET_MSR_PAGE + 1, HVS_UNHANDLED, HVS_UNHANDLED},
        {UINT32_MAX, HVS_UNHANDLED, HVS_UNHANDLED},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct mock *mock = *state;
        uint64_t value;

        assert_int_equal(mock_wrmsr(mock, 0, cases[i].index, 0x40), cases[i].write);
        if (cases[i].write == HVS_FAULT) {
            assert_int_equal(mock->out.fault_vector, HVS_VECTOR_GP);
            assert_true(mock->out.fault_has_code);
            assert_int_equal(mock->out.fault_code, 0);
        }
        assert_int_equal(mock_rdmsr(mock, 0, cases[i].index, &value), cases[i].read);
        if (cases[i].read == HVS_HANDLED && cases[i].write == HVS_HANDLED)
            assert_int_equal(value, 0x40);
    }
}

static void test_each_reserved_bit_faults(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_RW, UNTOUCHED), HVS_HANDLED);
    for (uint32_t bit = 0; bit < 64; bit++) {
        bool is_reserved = TOY_RW_RESERVED >> bit & 1;

        assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_RW, 1ull << bit), is_reserved ? HVS_FAULT : HVS_HANDLED);
        assert_int_equal(toy_vcpu_state(mock, 0)->rw, is_reserved ? UNTOUCHED : 1ull << bit);
        mock_wrmsr(mock, 0, TOY_MSR_RW, UNTOUCHED);
    }
}

static void test_a_handlers_refusal_is_gp(void **state)
{
    struct mock *mock = *state;

    memset(&mock->out, 0, sizeof(mock->out));
    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_PICKY, 3), HVS_FAULT);
    assert_int_equal(mock->out.fault_vector, HVS_VECTOR_GP);
    assert_true(mock->out.fault_has_code);
}

static void test_state_is_the_vcpus_own(void **state)
{
    struct mock *mock = *state;
    uint64_t value;

    mock_wrmsr(mock, 1, TOY_MSR_RW, 7);
    mock_wrmsr(mock, 1, TOY_MSR_SHARED, 8);
    mock_rdmsr(mock, 0, TOY_MSR_RW, &value);
    assert_int_equal(value, 0);
    mock_rdmsr(mock, 0, TOY_MSR_SHARED, &value);
    assert_int_equal(value, 8);
}

static void test_vm_scope_holds_the_vm_lock(void **state)
{
    struct mock *mock = *state;

    assert_false(toy_vcpu_state(mock, 0)->was_locked);
    mock_wrmsr(mock, 0, TOY_MSR_SHARED, 1);
    assert_true(toy_vcpu_state(mock, 0)->was_locked);
    mock_out(mock, 0, TOY_PORT_FIRST, 1);
    assert_false(toy_vcpu_state(mock, 0)->was_locked);
    mock_out(mock, 0, TOY_PORT_LOCKED, 1);
    assert_true(toy_vcpu_state(mock, 0)->was_locked);
    mock_rdmsr(mock, 0, TOY_MSR_SHARED, NULL);
    assert_int_equal(mock_vcpu(mock, 0)->vm_lock_depth, 0);
    assert_false(atomic_flag_test_and_set(&mock->vm->lock.taken));
    atomic_flag_clear(&mock->vm->lock.taken);
}

/* --- ports -------------------------------------------------------------------------------------------------------- */

static void test_ports(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(mock_in(mock, 2, TOY_PORT_FIRST, 4), HVS_HANDLED);
    assert_int_equal(mock->regs.rax, 2);
    assert_true(mock->out.regs_changed);
    mock->regs.rax = 0x99;
    assert_int_equal(mock_out(mock, 2, TOY_PORT_LAST, 1), HVS_HANDLED);
    assert_int_equal(toy_vcpu_state(mock, 2)->last, 0x99);
    assert_false(mock->out.regs_changed);
    assert_int_equal(mock_in(mock, 0, TOY_PORT_FIRST - 1, 1), HVS_UNHANDLED);
    assert_int_equal(mock_in(mock, 0, TOY_PORT_LAST + 1, 1), HVS_UNHANDLED);
    assert_int_equal(mock_in(mock, 0, UINT16_MAX, 1), HVS_UNHANDLED);
}

static void test_a_port_passed_on_reaches_the_next(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(mock_in(mock, 0, TRINKET_PORT, 4), HVS_HANDLED);
    assert_int_equal(mock->regs.rax, 0x7719);
}

static void test_ports_of_a_feature_that_is_off(void **state)
{
    struct mock *mock = *state;

    toy_restart(mock, mock->config.caps, 0, 1ull << TOY_FEATURE_PORT);
    assert_int_equal(mock_in(mock, 0, TOY_PORT_FIRST, 1), HVS_UNHANDLED);
    assert_int_equal(mock_in(mock, 0, TOY_PORT_LOCKED, 1), HVS_UNHANDLED);
}

/* --- hypercalls --------------------------------------------------------------------------------------------------- */

static void test_hypercalls_reach_their_slot(void **state)
{
    static const struct {
        uint8_t slot;
        uint64_t rsi;
        enum hvs_verdict verdict;
        uint64_t rax;
    } cases[] = {
        {0, 0, HVS_HANDLED, TOY_STATUS_CODE},
        {1, 0, HVS_HANDLED, 0x7719},
        {2, 0, HVS_UNHANDLED, UNTOUCHED},
        {HVS_SLOT_RAW - 1, 0, HVS_UNHANDLED, UNTOUCHED},
        {HVS_SLOT_RAW, TOY_RAW_MARK, HVS_HANDLED, TOY_STATUS_CODE},
        {HVS_SLOT_RAW, 1, HVS_HANDLED, 0x7719},
        {HVS_SLOT_RAW, 0, HVS_UNHANDLED, UNTOUCHED},
    };
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        mock->regs.rax = UNTOUCHED;
        mock->regs.rsi = cases[i].rsi;
        assert_int_equal(mock_hypercall(mock, 0, cases[i].slot), cases[i].verdict);
        assert_int_equal(mock->regs.rax, cases[i].rax);
    }
}

static void test_a_personality_without_hypercalls(void **state)
{
    struct hvs_personality silent = trinket;
    struct mock *mock = *state;

    silent.hypercall = NULL;
    mock_stop(mock);
    mock_start_one(mock, &silent, 1);
    mock->regs.rsi = 1;
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_UNHANDLED);
    assert_int_equal(mock_hypercall(mock, 0, HVS_SLOT_RAW), HVS_UNHANDLED);
}

static void test_a_fault_of_a_personality_is_passed_through(void **state)
{
    struct mock *mock = *state;

    mock->regs.cpl = 3;
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_FAULT);
    assert_int_equal(mock->out.fault_vector, HVS_VECTOR_UD);
}

static enum hvs_verdict fault_without_a_vector(struct hvs_ctx *ctx)
{
    (void)ctx;
    return HVS_FAULT;
}

/* A backend raises what it is told: a handler that says only "fault" must not raise what an earlier exit left. */
static void test_a_fault_without_a_vector_is_gp(void **state)
{
    struct hvs_personality careless = toy;
    struct mock *mock = *state;

    careless.hypercall = fault_without_a_vector;
    mock_stop(mock);
    mock_start_one(mock, &careless, 1);
    memset(&mock->out, 0xcc, sizeof(mock->out));
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_FAULT);
    assert_int_equal(mock->out.fault_vector, HVS_VECTOR_GP);
    assert_true(mock->out.fault_has_code);
    assert_int_equal(mock->out.fault_code, 0);
    assert_int_equal(mock->out.fault_address, 0);
}

static enum hvs_verdict string_exit(struct mock *mock, uint16_t port)
{
    const struct hvs_exit exit = {.kind = HVS_EXIT_PIO,
                                  .pio = {.port = port, .size_bytes = 1, .is_string = true, .count = 3}};

    return hvs_vcpu_exit(mock_vcpu(mock, 0), &exit, &mock->regs, &mock->out);
}

static void test_strings_reach_only_rows_that_take_them(void **state)
{
    assert_int_equal(string_exit(*state, TOY_PORT_LOCKED), HVS_HANDLED);
    assert_int_equal(string_exit(*state, TOY_PORT_FIRST), HVS_UNHANDLED);
    assert_int_equal(mock_out(*state, 0, TOY_PORT_FIRST, 1), HVS_HANDLED);
}

/* --- the door itself ---------------------------------------------------------------------------------------------- */

static void test_exits_that_are_none(void **state)
{
    static const struct hvs_exit cases[] = {
        {.kind = HVS_NR_EXIT_KINDS},
        {.kind = (enum hvs_exit_kind)-1},
        {.kind = (enum hvs_exit_kind)0x7fffffff},
        {.kind = HVS_EXIT_CPUID},               /* these need registers */
        {.kind = HVS_EXIT_HYPERCALL},
        {.kind = HVS_EXIT_PIO, .pio = {.port = TOY_PORT_FIRST}},
    };
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        memset(&mock->out, 0xcc, sizeof(mock->out));
        assert_int_equal(hvs_vcpu_exit(mock_vcpu(mock, 0), &cases[i], NULL, &mock->out), HVS_UNHANDLED);
        assert_int_equal(mock->out.nr_effects, 0);
        assert_false(mock->out.regs_changed);
    }
}

static void test_exits_without_registers(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(hvs_vcpu_exit(mock_vcpu(mock, 0), &(struct hvs_exit){.kind = HVS_EXIT_MSR_READ,
                                   .msr = {.index = TOY_MSR_RO}}, NULL, &mock->out), HVS_HANDLED);
    assert_int_equal(mock->out.value, TOY_RO_VALUE);
    assert_int_equal(hvs_vcpu_exit(mock_vcpu(mock, 0), &(struct hvs_exit){.kind = HVS_EXIT_MSR_WRITE,
                                   .msr = {TOY_MSR_RW, 5}}, NULL, &mock->out), HVS_HANDLED);
    assert_int_equal(hvs_vcpu_exit(mock_vcpu(mock, 0), &(struct hvs_exit){.kind = HVS_EXIT_TIMER}, NULL, &mock->out),
                     HVS_HANDLED);
    assert_int_equal(hvs_vcpu_exit(mock_vcpu(mock, 0), &(struct hvs_exit){.kind = HVS_EXIT_RESET}, NULL, &mock->out),
                     HVS_HANDLED);
}

/* Whatever the caller's outcome held: nothing of it is left. */
static void test_the_outcome_starts_anew(void **state)
{
    struct mock *mock = *state;

    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_IRQ, 0x40), HVS_HANDLED);
    assert_int_equal(mock->out.nr_effects, 1);
    memset(&mock->out, 0xcc, sizeof(mock->out));
    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_RW, 0), HVS_HANDLED);
    assert_int_equal(mock->out.nr_effects, 0);
    assert_int_equal(mock->out.value, 0);
    assert_false(mock->out.regs_changed);
}

static void test_host_requests_reach_whom_they_are_for(void **state)
{
    struct mock *mock = *state;
    const struct hvs_effect *effect;
    uint64_t data = 40;

    assert_int_equal(mock_host(mock, 2, &toy, 0x77, &data), HVS_HANDLED);
    assert_int_equal(data, 42);
    assert_int_equal(mock->out.value, 0x77);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_INJECT, &effect), 1);
    assert_int_equal(effect->vp, 2);
    assert_int_equal(mock_host(mock, 2, &trinket, 0x77, &data), HVS_UNHANDLED);     /* it takes none */
    assert_int_equal(mock_host(mock, 2, NULL, 0x77, &data), HVS_UNHANDLED);
    assert_int_equal(data, 42);
}

static void test_a_vm_without_personalities(void **state)
{
    struct mock *mock = *state;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){NULL}, 1);
    assert_int_equal(mock_start(mock), HVS_OK);
    assert_int_equal(mock_rdmsr(mock, 0, TOY_MSR_RO, NULL), HVS_UNHANDLED);
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_UNHANDLED);
    assert_int_equal(mock_hypercall(mock, 0, HVS_SLOT_RAW), HVS_UNHANDLED);
    assert_int_equal(mock_in(mock, 0, TOY_PORT_FIRST, 1), HVS_UNHANDLED);
    assert_int_equal(mock_timer(mock, 0), HVS_HANDLED);
    assert_int_equal(mock_reset(mock, 0), HVS_HANDLED);
    assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, 0)), UINT64_MAX);
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_msr_verdicts),
    TOY_TEST(test_each_reserved_bit_faults),
    TOY_TEST(test_a_handlers_refusal_is_gp),
    TOY_TEST(test_state_is_the_vcpus_own),
    TOY_TEST(test_vm_scope_holds_the_vm_lock),
    TOY_TEST(test_ports),
    TOY_TEST(test_a_port_passed_on_reaches_the_next),
    TOY_TEST(test_ports_of_a_feature_that_is_off),
    TOY_TEST(test_hypercalls_reach_their_slot),
    TOY_TEST(test_a_personality_without_hypercalls),
    TOY_TEST(test_a_fault_of_a_personality_is_passed_through),
    TOY_TEST(test_a_fault_without_a_vector_is_gp),
    TOY_TEST(test_strings_reach_only_rows_that_take_them),
    TOY_TEST(test_exits_that_are_none),
    TOY_TEST(test_exits_without_registers),
    TOY_TEST(test_the_outcome_starts_anew),
    TOY_TEST(test_host_requests_reach_whom_they_are_for),
    TOY_TEST(test_a_vm_without_personalities),
};
TOY_MAIN(tests)
