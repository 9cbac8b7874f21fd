/*
 * Register conventions, continuation and claims [TLFS hypercall-interface]. The calls are the test's own, so that every
 * form is met: they replace the personality's rows.
 */
#include "hv_test.h"

enum { CALL_PAIR = 0x7000, CALL_REP = 0x7001, CALL_VAR = 0x7002, CALL_REFUSED = 0x7003 };
enum { REPS_AT_ONCE = 2, NR_REPS = 5 };

/* What the handlers saw last. */
static struct {
    uint32_t calls;
    uint64_t in[2];
    uint64_t var[3];
    uint32_t nr_var;
} seen;

static int64_t pair(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx;
    seen.calls++;
    memcpy(seen.in, call->in, sizeof(seen.in));
    return HV_STATUS_SUCCESS;
}

/* Doubles each element, two at a time. */
static int64_t rep(struct hvs_ctx *ctx, struct hvs_call *call)
{
    const uint64_t *in = call->elem_in;
    uint64_t *out = call->elem_out;

    (void)ctx;
    seen.calls++;
    for (uint32_t i = 0; i < REPS_AT_ONCE && call->reps_done < call->rep_count; i++, call->reps_done++)
        out[i] = in[i] * 2;
    return HV_STATUS_SUCCESS;
}

static int64_t var(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx;
    seen.calls++;
    seen.nr_var = call->nr_var;
    memcpy(seen.var, call->var, call->nr_var * sizeof(uint64_t));
    return HV_STATUS_SUCCESS;
}

static int64_t refused(struct hvs_ctx *ctx, struct hvs_call *call)
{
    (void)ctx;
    (void)call;
    return HV_STATUS_ACCESS_DENIED;
}

static const struct hvs_hcall_row rows[] = {
    {.code = CALL_PAIR, .name = "pair", .feature = HVS_FEATURE_ALWAYS, .flags = HVS_HCALL_FAST, .in_bytes = 16,
     .fn = pair},
    {.code = CALL_REP, .name = "rep", .feature = HVS_FEATURE_ALWAYS, .kind = HVS_HCALL_REP, .in_bytes = 8,
     .elem_in_bytes = 8, .elem_out_bytes = 8, .fn = rep},
    {.code = CALL_VAR, .name = "var", .feature = HVS_FEATURE_ALWAYS, .flags = HVS_HCALL_VAR, .in_bytes = 8,
     .fn = var},
    {.code = CALL_REFUSED, .name = "refused", .feature = HVS_FEATURE_ALWAYS, .fn = refused},
};

static struct hvs_personality personality;

/* `insn`: NULL for the mock's own. */
static void start(struct mock *mock, uint32_t more_caps, const struct hvs_insn *insn)
{
    const struct hvs_personality *const list[] = {&personality, NULL};

    personality = hvs_hv_personality;
    personality.hcall = rows;
    personality.nr_hcall = HVS_ARRAY_SIZE(rows);
    memset(&seen, 0, sizeof(seen));
    mock_config(mock, list, 1);
    mock->config.caps |= more_caps;
    if (insn)
        mock->config.hypercall_insn[0] = *insn;
    assert_int_equal(mock_start(mock), HVS_OK);
    hv_test_establish(mock);
}

/* All registers are as before but RAX, and RDX where it carries the other half of the result. */
static void expect_regs(const struct hvs_regs *now, struct hvs_regs before, bool rdx_too)
{
    before.rax = now->rax;
    if (rdx_too)
        before.rdx = now->rdx;
    assert_memory_equal(now, &before, sizeof(before));
}

static void reads_64_bit_registers(void **state)
{
    struct mock mock;
    struct hvs_regs before = hv_test_regs(64);

    (void)state;
    start(&mock, 0, NULL);
    assert_int_equal(hv_test_call(&mock, 64, CALL_PAIR | HV_HYPERCALL_FAST, 0x1122334455667788, 0x99aabbccddeeff00),
                     HV_STATUS_SUCCESS);
    assert_int_equal(seen.in[0], 0x1122334455667788);
    assert_int_equal(seen.in[1], 0x99aabbccddeeff00);
    before.rcx = CALL_PAIR | HV_HYPERCALL_FAST;
    before.rdx = seen.in[0];
    before.r8 = seen.in[1];
    expect_regs(&mock.regs, before, false);
    mock_stop(&mock);
}

/* The upper halves mean nothing to a 32-bit caller; they are what 64-bit code left there. */
static void reads_32_bit_registers(void **state)
{
    struct hvs_regs before = hv_test_regs(32);
    struct mock mock;

    (void)state;
    start(&mock, 0, NULL);
    before.rax = 0xdead000000000000 | CALL_PAIR | HV_HYPERCALL_FAST;
    before.rdx = 0xdead000000000000;
    before.rbx = 0xdead000011223344;
    before.rcx = 0xdead000055667788;
    before.rdi = 0xdead000099aabbcc;
    before.rsi = 0xdead0000ddeeff00;
    mock.regs = before;
    assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_HANDLED);
    assert_int_equal(seen.in[0], 0x1122334455667788);
    assert_int_equal(seen.in[1], 0x99aabbccddeeff00);
    assert_int_equal(mock.regs.rax, HV_STATUS_SUCCESS);
    assert_int_equal(mock.regs.rdx, 0);
    expect_regs(&mock.regs, before, true);
    mock_stop(&mock);
}

/* EFER.LMA with a 32-bit code segment: compatibility mode is a 32-bit caller. */
static void takes_the_width_from_lma_and_cs_l(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 0, NULL);
    mock.regs = hv_test_regs(32);
    mock.regs.efer = HVS_EFER_LMA;
    mock.regs.rdx = 0;
    mock.regs.rax = CALL_PAIR | HV_HYPERCALL_FAST;
    mock.regs.rcx = CALL_REFUSED;
    assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, HV_STATUS_SUCCESS);
    mock_stop(&mock);
}

static void returns_the_handlers_status(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 0, NULL);
    assert_int_equal(hv_test_call(&mock, 64, CALL_REFUSED, 0, 0), HV_STATUS_ACCESS_DENIED);
    assert_int_equal(hv_test_call(&mock, 32, CALL_REFUSED, 0, 0), HV_STATUS_ACCESS_DENIED);
    mock_stop(&mock);
}

static void passes_the_variable_header(void **state)
{
    const uint64_t input[] = {1, 20, 21, 22};
    struct mock mock;

    (void)state;
    start(&mock, 0, NULL);
    memcpy(mock.ram + HV_TEST_IN_GPA, input, sizeof(input));
    assert_int_equal(hv_test_call(&mock, 64, CALL_VAR | 3ull << HV_HYPERCALL_VARIABLE_HEADER_SHIFT, HV_TEST_IN_GPA, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(seen.nr_var, 3);
    assert_memory_equal(seen.var, &input[1], 3 * sizeof(uint64_t));
    mock_stop(&mock);
}

static uint64_t rep_control(uint64_t count, uint64_t start_index)
{
    return CALL_REP | count << HV_HYPERCALL_REP_COUNT_SHIFT | start_index << HV_HYPERCALL_REP_START_SHIFT;
}

static void put_elements(struct mock *mock)
{
    for (uint64_t i = 0; i < NR_REPS; i++) {
        uint64_t element = 100 + i;

        memcpy(mock->ram + HV_TEST_IN_GPA + 8 + i * 8, &element, sizeof(element));
    }
}

static void expect_elements(const struct mock *mock, uint64_t first)
{
    for (uint64_t i = 0; i < NR_REPS; i++) {
        uint64_t element;

        memcpy(&element, mock->ram + HV_TEST_OUT_GPA + i * 8, sizeof(element));
        assert_int_equal(element, i < first ? 0 : 2 * (100 + i));
    }
}

static void counts_completed_reps_from_the_start_of_the_list(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 0, NULL);
    put_elements(&mock);
    assert_int_equal(hv_test_call(&mock, 64, rep_control(NR_REPS, 3), HV_TEST_IN_GPA, HV_TEST_OUT_GPA),
                     (uint64_t)NR_REPS << HV_HYPERCALL_REPS_COMPLETED_SHIFT);
    expect_elements(&mock, 3);
    mock_stop(&mock);
}

/* Executes the call as often as the guest would; the number of times. */
static uint32_t execute_to_end(struct mock *mock, const uint64_t *control_reg, uint32_t shift)
{
    uint32_t executions = 0;
    enum hvs_verdict verdict;

    do {
        struct hvs_regs before = mock->regs;

        verdict = mock_hypercall(mock, 0, 0);
        executions++;
        assert_true(mock->out.regs_changed);
        if (verdict == HVS_RETRY) {
            assert_int_equal(*control_reg >> shift & HV_HYPERCALL_REP_START_MASK, executions * REPS_AT_ONCE);
            /* nothing else changed */
            uint64_t updated = *control_reg;

            memcpy((uint8_t *)&before + ((const uint8_t *)control_reg - (uint8_t *)&mock->regs), &updated, 8);
            assert_memory_equal(&mock->regs, &before, sizeof(before));
        }
    } while (verdict == HVS_RETRY);
    assert_int_equal(verdict, HVS_HANDLED);
    return executions;
}

static void continues_by_execution_of_the_call_again(void **state)
{
    static const struct hvs_insn vmcall = {3, {0x0f, 0x01, 0xc1}};
    uint64_t control = rep_control(NR_REPS, 0);
    struct mock mock;

    (void)state;
    start(&mock, HVS_CAP_RETRY, &vmcall);
    put_elements(&mock);
    mock.regs = hv_test_regs(64);
    mock.regs.rcx = control;
    mock.regs.rdx = HV_TEST_IN_GPA;
    mock.regs.r8 = HV_TEST_OUT_GPA;
    assert_int_equal(execute_to_end(&mock, &mock.regs.rcx, HV_HYPERCALL_REP_START_SHIFT), 3);
    assert_int_equal(mock.regs.rax, (uint64_t)NR_REPS << HV_HYPERCALL_REPS_COMPLETED_SHIFT);
    expect_elements(&mock, 0);

    memset(mock.ram + HV_TEST_OUT_GPA, 0, HV_PAGE_SIZE);
    mock.regs = hv_test_regs(32);
    mock.regs.rdx = control >> 32;
    mock.regs.rax = (uint32_t)control | 0x80000000;     /* the page's mark; the guest re-executes behind it */
    mock.regs.rbx = mock.regs.rdi = 0;
    mock.regs.rcx = HV_TEST_IN_GPA;
    mock.regs.rsi = HV_TEST_OUT_GPA;
    assert_int_equal(execute_to_end(&mock, &mock.regs.rdx, HV_HYPERCALL_REP_START_SHIFT - 32), 3);
    assert_int_equal(mock.regs.rax, 0);
    assert_int_equal(mock.regs.rdx, NR_REPS);
    expect_elements(&mock, 0);
    mock_stop(&mock);
}

static void finishes_at_once_where_the_host_cannot_retry(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 0, NULL);
    put_elements(&mock);
    assert_int_equal(hv_test_call(&mock, 64, rep_control(NR_REPS, 0), HV_TEST_IN_GPA, HV_TEST_OUT_GPA),
                     (uint64_t)NR_REPS << HV_HYPERCALL_REPS_COMPLETED_SHIFT);
    assert_int_equal(seen.calls, 3);
    expect_elements(&mock, 0);
    mock_stop(&mock);
}

/* Bit 31 is "nested" where the page does not set it, and its mark where it does. */
static void tells_the_mark_from_the_nested_flag(void **state)
{
    static const struct hvs_insn vmmcall = {3, {0x0f, 0x01, 0xd9}};
    uint64_t control = CALL_PAIR | HV_HYPERCALL_FAST | HV_HYPERCALL_IS_NESTED;
    struct mock mock;

    (void)state;
    start(&mock, 0, NULL);
    assert_int_equal(hv_test_call(&mock, 32, control, 0, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
    mock_stop(&mock);
    start(&mock, 0, &vmmcall);
    assert_int_equal(hv_test_call(&mock, 32, control, 0, 0), HV_STATUS_SUCCESS);
    assert_int_equal(hv_test_call(&mock, 64, control, 0, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
    mock_stop(&mock);
}

static void claims_its_own_calls_among_others(void **state)
{
    static const struct hvs_insn vmcall = {3, {0x0f, 0x01, 0xc1}};
    struct mock mock;

    (void)state;
    start(&mock, 0, &vmcall);
    mock.regs = hv_test_regs(64);
    mock.regs.rcx = CALL_REFUSED;
    mock.regs.rax = 0x80000000;
    assert_int_equal(mock_hypercall(&mock, 0, HVS_SLOT_RAW), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, HV_STATUS_ACCESS_DENIED);
    mock.regs.rax = 34;                                 /* Xen's hvm_op */
    assert_int_equal(mock_hypercall(&mock, 0, HVS_SLOT_RAW), HVS_UNHANDLED);
    mock.regs.rax = 0x564d5868;                         /* VMware's */
    assert_int_equal(mock_hypercall(&mock, 0, HVS_SLOT_RAW), HVS_UNHANDLED);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_64_bit_registers),
        cmocka_unit_test(reads_32_bit_registers),
        cmocka_unit_test(takes_the_width_from_lma_and_cs_l),
        cmocka_unit_test(returns_the_handlers_status),
        cmocka_unit_test(passes_the_variable_header),
        cmocka_unit_test(counts_completed_reps_from_the_start_of_the_list),
        cmocka_unit_test(continues_by_execution_of_the_call_again),
        cmocka_unit_test(finishes_at_once_where_the_host_cannot_retry),
        cmocka_unit_test(tells_the_mark_from_the_nested_flag),
        cmocka_unit_test(claims_its_own_calls_among_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
