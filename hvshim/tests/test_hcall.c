/*
 * The generic routine of the memory convention: every form of every kind of call, right and wrong.
 *
 * After each call the test compares all registers, XMM0-5 and the guest pages around the blocks with what they must
 * be, so whatever is written where it should not be is seen.
 */
#include "toy.h"

enum {
    IN_GPA = 0x10000,
    OUT_GPA = 0x20000,
    FILL = 0xcc,                        /* in what the call must not touch */
    REG_BYTES = 16,
    BLOCK_BYTES = REG_BYTES + 6 * 16,   /* RDX, R8, XMM0-5 */
    RAX_BEFORE = 0x1111,
};

struct call {
    uint32_t code;
    bool is_fast;
    uint32_t nr_var, rep_count, rep_first;
    uint64_t in_gpa, out_gpa;
    uint8_t in[HVS_PAGE_BYTES];
};

static const struct hvs_hcall_row *row_of(uint32_t code)
{
    for (uint32_t i = 0; i < toy.nr_hcall; i++) {
        if (toy.hcall[i].code == code)
            return &toy.hcall[i];
    }
    return NULL;
}

static uint32_t in_bytes(const struct call *call)
{
    const struct hvs_hcall_row *row = row_of(call->code);

    return row->in_bytes + call->nr_var * 8 + call->rep_count * row->elem_in_bytes;
}

static uint32_t out_bytes(const struct call *call)
{
    const struct hvs_hcall_row *row = row_of(call->code);

    return row->out_bytes + call->rep_count * row->elem_out_bytes;
}

static bool fits_registers(const struct call *call)
{
    return (in_bytes(call) + 15) / 16 * 16 + out_bytes(call) <= BLOCK_BYTES;
}

static struct call make_call(uint32_t code, bool is_fast, uint32_t nr_var, uint32_t rep_count, uint32_t rep_first)
{
    struct call call = {code, is_fast, nr_var, rep_count, rep_first, IN_GPA, OUT_GPA, {0}};

    for (uint32_t i = 0; i < sizeof(call.in); i++)
        call.in[i] = (uint8_t)(i * 7 + 3) & 0x7f;       /* never TOY_POISON */
    return call;
}

/* --- what a guest would see --------------------------------------------------------------------------------------- */

struct picture {
    uint8_t block[BLOCK_BYTES];
    uint8_t in_pages[2 * HVS_PAGE_BYTES], out_pages[2 * HVS_PAGE_BYTES];
    struct hvs_regs regs;
};

static void load_block(struct mock *mock, const uint8_t *block)
{
    memcpy(&mock->regs.rdx, block, 8);
    memcpy(&mock->regs.r8, block + 8, 8);
    memcpy(mock->xmm, block + REG_BYTES, sizeof(mock->xmm));
}

static void take_picture(const struct mock *mock, struct picture *picture)
{
    memset(picture, 0, sizeof(*picture));
    memcpy(picture->block, &mock->regs.rdx, 8);
    memcpy(picture->block + 8, &mock->regs.r8, 8);
    memcpy(picture->block + REG_BYTES, mock->xmm, sizeof(mock->xmm));
    memcpy(picture->in_pages, mock->ram + IN_GPA, sizeof(picture->in_pages));
    memcpy(picture->out_pages, mock->ram + OUT_GPA, sizeof(picture->out_pages));
    picture->regs = mock->regs;
    picture->regs.rdx = picture->regs.r8 = 0;           /* they are in `block` */
    picture->regs.rax = 0;                              /* compared by itself */
}

static void expect_picture(const struct mock *mock, const struct picture *expected)
{
    struct picture now;

    take_picture(mock, &now);
    assert_memory_equal(now.block, expected->block, sizeof(now.block));
    assert_memory_equal(now.in_pages, expected->in_pages, sizeof(now.in_pages));
    assert_memory_equal(now.out_pages, expected->out_pages, sizeof(now.out_pages));
    assert_memory_equal(&now.regs, &expected->regs, sizeof(now.regs));
}

/* Puts the call where the guest has it. Everything around it holds FILL. */
static void place(struct mock *mock, const struct call *call)
{
    uint8_t block[BLOCK_BYTES];
    uint32_t bytes = in_bytes(call);

    memset(mock->ram + IN_GPA, FILL, 2 * HVS_PAGE_BYTES);
    memset(mock->ram + OUT_GPA, FILL, 2 * HVS_PAGE_BYTES);
    memset(block, FILL, sizeof(block));
    if (call->is_fast)
        memcpy(block, call->in, bytes < sizeof(block) ? bytes : sizeof(block));
    else if (call->in_gpa <= MOCK_RAM_BYTES - HVS_PAGE_BYTES && bytes <= HVS_PAGE_BYTES)
        memcpy(mock->ram + call->in_gpa, call->in, bytes);
    load_block(mock, block);
    mock->regs.rax = RAX_BEFORE;
    mock->regs.rcx = call->code | (call->is_fast ? TOY_CONTROL_FAST : 0) |
                     (uint64_t)call->nr_var << TOY_CONTROL_VAR_SHIFT |
                     (uint64_t)call->rep_count << TOY_CONTROL_COUNT_SHIFT |
                     (uint64_t)call->rep_first << TOY_CONTROL_FIRST_SHIFT;
    if (!call->is_fast) {
        mock->regs.rdx = call->in_gpa;
        mock->regs.r8 = call->out_gpa;
    }
}

/* --- the model: what toy's calls compute -------------------------------------------------------------------------- */

static uint8_t sum_of(const uint8_t *byte, uint32_t bytes)
{
    uint8_t sum = 0;

    while (bytes--)
        sum = (uint8_t)(sum + *byte++);
    return sum;
}

/* Puts the output of elements first..end-1 (or of a simple call) into a block. */
static void model(const struct call *call, uint32_t first, uint32_t end, uint8_t *block)
{
    const struct hvs_hcall_row *row = row_of(call->code);
    uint32_t header = row->in_bytes + call->nr_var * 8;
    uint8_t sum = sum_of(call->in, header);

    for (uint32_t i = 0; i < row->out_bytes; i++)
        block[i] = (uint8_t)(sum + i);
    for (uint32_t e = first; e < end; e++) {
        uint8_t of_element = sum_of(call->in + header + e * row->elem_in_bytes, row->elem_in_bytes);

        for (uint32_t i = 0; i < row->elem_out_bytes; i++)
            block[e * row->elem_out_bytes + i] = (uint8_t)(sum + of_element + i);
    }
}

/* Changes the picture by the output of elements first..end-1. */
static void expect_output(struct picture *picture, const struct call *call, uint32_t first, uint32_t end)
{
    if (call->is_fast)
        model(call, first, end, picture->block + (in_bytes(call) + 15) / 16 * 16);
    else if (out_bytes(call))
        model(call, first, end, picture->out_pages + (call->out_gpa - OUT_GPA));
}

static uint64_t result_of(uint32_t status, uint32_t reps_done)
{
    return status | (uint64_t)reps_done << 32;
}

/* --- right calls -------------------------------------------------------------------------------------------------- */

static const struct {
    uint32_t code;
    uint32_t nr_var, rep_count, rep_first;
} right[] = {
    {TOY_CALL_REGS, 0, 0, 0},
    {TOY_CALL_XMM_IN, 0, 0, 0},
    {TOY_CALL_XMM_OUT, 0, 0, 0},
    {TOY_CALL_XMM_BOTH, 0, 0, 0},
    {TOY_CALL_OUT, 0, 0, 0},
    {TOY_CALL_VAR, 0, 0, 0}, {TOY_CALL_VAR, 1, 0, 0}, {TOY_CALL_VAR, 5, 0, 0}, {TOY_CALL_VAR, 11, 0, 0},
    {TOY_CALL_VAR, 511, 0, 0},
    {TOY_CALL_REP_REGS, 0, 1, 0}, {TOY_CALL_REP_REGS, 0, 2, 1}, {TOY_CALL_REP_REGS, 0, 1022, 1000},
    {TOY_CALL_REP_XMM_IN, 0, 1, 0}, {TOY_CALL_REP_XMM_IN, 0, 13, 12}, {TOY_CALL_REP_XMM_IN, 0, 511, 0},
    {TOY_CALL_REP_OUT, 0, 1, 0}, {TOY_CALL_REP_OUT, 0, 2, 1}, {TOY_CALL_REP_OUT, 0, 3, 1}, {TOY_CALL_REP_OUT, 0, 14, 0},
    {TOY_CALL_REP_OUT, 0, 14, 3}, {TOY_CALL_REP_OUT, 0, 14, 13}, {TOY_CALL_REP_OUT, 0, 512, 0},
    {TOY_CALL_REP_BOTH, 0, 1, 0}, {TOY_CALL_REP_BOTH, 0, 5, 2}, {TOY_CALL_REP_BOTH, 0, 7, 3},
    {TOY_CALL_REP_BOTH, 0, 512, 511},
    {TOY_CALL_REP_VAR, 0, 3, 0}, {TOY_CALL_REP_VAR, 2, 3, 1}, {TOY_CALL_REP_VAR, 1, 100, 50},
    {TOY_CALL_SLOW, 0, 0, 0},
    {TOY_CALL_LOCKED, 0, 0, 0},
    {TOY_CALL_PAGE, 0, 0, 0},
};

static void test_right_calls(void **state)
{
    struct mock *mock = *state;
    struct picture expected;

    for (size_t i = 0; i < 2 * HVS_ARRAY_SIZE(right); i++) {
        struct call call = make_call(right[i / 2].code, i % 2, right[i / 2].nr_var, right[i / 2].rep_count,
                                     right[i / 2].rep_first);

        if (call.is_fast && (!(row_of(call.code)->flags & HVS_HCALL_FAST) || !fits_registers(&call)))
            continue;
        place(mock, &call);
        take_picture(mock, &expected);
        expect_output(&expected, &call, call.rep_first, call.rep_count);
        assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
        assert_int_equal(mock->regs.rax, result_of(0, call.rep_count));
        assert_true(mock->out.regs_changed);
        expect_picture(mock, &expected);
    }
}

/* Blocks may end with their page, and input and output may share one. */
static void test_blocks_at_the_edge_of_a_page(void **state)
{
    static const struct {
        uint64_t in_gpa, out_gpa;
    } places[] = {
        {IN_GPA + HVS_PAGE_BYTES - 40, OUT_GPA + HVS_PAGE_BYTES - 24},
        {OUT_GPA, OUT_GPA + 40},
        {OUT_GPA + 24, OUT_GPA},
        {MOCK_RAM_BYTES - 40, OUT_GPA},
    };
    struct mock *mock = *state;
    struct picture expected;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(places); i++) {
        struct call call = make_call(TOY_CALL_XMM_BOTH, false, 0, 0, 0);

        call.in_gpa = places[i].in_gpa;
        call.out_gpa = places[i].out_gpa;
        place(mock, &call);
        memcpy(mock->ram + call.in_gpa, call.in, 40);
        take_picture(mock, &expected);
        expect_output(&expected, &call, 0, 0);
        assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
        assert_int_equal(mock->regs.rax, 0);
        expect_picture(mock, &expected);
    }
}

/* --- wrong calls -------------------------------------------------------------------------------------------------- */

/* Each makes a right call wrong in one way; false where that cannot be done to this call. */
typedef bool break_fn(struct call *call, const struct hvs_hcall_row *row);

static bool has_in(const struct call *call)
{
    return !call->is_fast && in_bytes(call) > 0;
}

static bool has_out(const struct call *call)
{
    return !call->is_fast && out_bytes(call) > 0;
}

static bool break_code(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->code = 0x7f;
    return true;
}

static bool break_feature(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->code = TOY_CALL_RARE;
    return true;
}

static bool break_form(struct call *call, const struct hvs_hcall_row *row)
{
    call->is_fast = true;
    return !(row->flags & HVS_HCALL_FAST);
}

static bool break_var(struct call *call, const struct hvs_hcall_row *row)
{
    call->nr_var = 1;
    return !(row->flags & HVS_HCALL_VAR);
}

static bool break_var_too_long(struct call *call, const struct hvs_hcall_row *row)
{
    call->nr_var = call->is_fast ? 14 : 512;
    return row->flags & HVS_HCALL_VAR;
}

static bool break_count_of_simple(struct call *call, const struct hvs_hcall_row *row)
{
    call->rep_count = 1;
    return row->kind == HVS_HCALL_SIMPLE;
}

static bool break_first_of_simple(struct call *call, const struct hvs_hcall_row *row)
{
    call->rep_first = 1;
    return row->kind == HVS_HCALL_SIMPLE;
}

static bool break_count_zero(struct call *call, const struct hvs_hcall_row *row)
{
    call->rep_count = call->rep_first = 0;
    return row->kind == HVS_HCALL_REP;
}

static bool break_first_at_count(struct call *call, const struct hvs_hcall_row *row)
{
    call->rep_first = call->rep_count;
    return row->kind == HVS_HCALL_REP;
}

static bool break_first_above_count(struct call *call, const struct hvs_hcall_row *row)
{
    call->rep_first = 0xfff;
    return row->kind == HVS_HCALL_REP;
}

static bool break_count_too_high(struct call *call, const struct hvs_hcall_row *row)
{
    call->rep_count = 0xfff;
    return row->kind == HVS_HCALL_REP;
}

static bool break_in_straddles(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->in_gpa = IN_GPA + HVS_PAGE_BYTES - (in_bytes(call) - 1) / 8 * 8;
    return has_in(call) && in_bytes(call) > 8;
}

static bool break_in_misaligned(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->in_gpa = IN_GPA + 4;
    return has_in(call) && in_bytes(call) <= HVS_PAGE_BYTES - 4;
}

/* Both wrong: the straddle is reported. */
static bool break_in_both(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->in_gpa = IN_GPA + HVS_PAGE_BYTES - in_bytes(call) + 1;
    return has_in(call);
}

static bool break_in_beyond_ram(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->in_gpa = MOCK_RAM_BYTES;
    return has_in(call);
}

static bool break_in_at_the_end(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->in_gpa = 0ull - (in_bytes(call) + 7) / 8 * 8;         /* ends at 2^64 */
    return has_in(call);
}

static bool break_out_straddles(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->out_gpa = OUT_GPA + HVS_PAGE_BYTES - (out_bytes(call) - 1) / 8 * 8;
    return has_out(call) && out_bytes(call) > 8;
}

static bool break_out_misaligned(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->out_gpa = OUT_GPA + 1;
    return has_out(call) && out_bytes(call) <= HVS_PAGE_BYTES - 1;
}

static bool break_out_beyond_ram(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->out_gpa = 1ull << 40;
    return has_out(call);
}

static bool break_out_at_the_end(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->out_gpa = 0ull - (out_bytes(call) + 7) / 8 * 8;
    return has_out(call);
}

static bool break_overlap(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->in_gpa = call->out_gpa = OUT_GPA;
    return has_in(call) && has_out(call);
}

static bool break_overlap_by_one(struct call *call, const struct hvs_hcall_row *row)
{
    (void)row;
    call->in_gpa = OUT_GPA;
    call->out_gpa = OUT_GPA + (in_bytes(call) - 1) / 8 * 8;
    return has_in(call) && has_out(call) && in_bytes(call) + out_bytes(call) <= HVS_PAGE_BYTES;
}

static const struct {
    const char *name;
    break_fn *make_wrong;
    uint32_t status;
} wrong[] = {
    {"unknown code", break_code, TOY_STATUS_CODE},
    {"feature is off", break_feature, TOY_STATUS_CODE},
    {"fast form of a slow call", break_form, TOY_STATUS_INPUT},
    {"variable header", break_var, TOY_STATUS_INPUT},
    {"variable header too long", break_var_too_long, TOY_STATUS_INPUT},
    {"rep count of a simple call", break_count_of_simple, TOY_STATUS_INPUT},
    {"rep start of a simple call", break_first_of_simple, TOY_STATUS_INPUT},
    {"no reps", break_count_zero, TOY_STATUS_INPUT},
    {"rep start at the end", break_first_at_count, TOY_STATUS_INPUT},
    {"rep start behind the end", break_first_above_count, TOY_STATUS_INPUT},
    {"more reps than fit", break_count_too_high, TOY_STATUS_INPUT},
    {"input crosses a page", break_in_straddles, TOY_STATUS_ALIGNMENT},
    {"input misaligned", break_in_misaligned, TOY_STATUS_ALIGNMENT},
    {"input crosses a page, misaligned", break_in_both, TOY_STATUS_ALIGNMENT},
    {"input beyond RAM", break_in_beyond_ram, TOY_STATUS_ALIGNMENT},
    {"input ends at 2^64", break_in_at_the_end, TOY_STATUS_ALIGNMENT},
    {"output crosses a page", break_out_straddles, TOY_STATUS_ALIGNMENT},
    {"output misaligned", break_out_misaligned, TOY_STATUS_ALIGNMENT},
    {"output beyond RAM", break_out_beyond_ram, TOY_STATUS_ALIGNMENT},
    {"output ends at 2^64", break_out_at_the_end, TOY_STATUS_ALIGNMENT},
    {"input is output", break_overlap, TOY_STATUS_INPUT},
    {"input overlaps output", break_overlap_by_one, TOY_STATUS_INPUT},
};

static void expect_refused(struct mock *mock, const struct call *broken, const struct call *right_call, size_t w)
{
    uint32_t nr_calls = toy_vcpu_state(mock, 0)->nr_calls;
    struct picture before;

    place(mock, right_call);                    /* sizes of the right call, control and addresses of the wrong one */
    mock->regs.rcx = broken->code | (broken->is_fast ? TOY_CONTROL_FAST : 0) |
                     (uint64_t)broken->nr_var << TOY_CONTROL_VAR_SHIFT |
                     (uint64_t)broken->rep_count << TOY_CONTROL_COUNT_SHIFT |
                     (uint64_t)broken->rep_first << TOY_CONTROL_FIRST_SHIFT;
    if (!broken->is_fast) {
        mock->regs.rdx = broken->in_gpa;
        mock->regs.r8 = broken->out_gpa;
    }
    take_picture(mock, &before);
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
    if ((uint16_t)mock->regs.rax != wrong[w].status)
        print_error("%s: call %#x fast %d\n", wrong[w].name, broken->code, broken->is_fast);
    assert_int_equal((uint16_t)mock->regs.rax, wrong[w].status);
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_calls, nr_calls);
    assert_int_equal(mock->out.nr_effects, 0);
    expect_picture(mock, &before);
}

static void test_wrong_calls(void **state)
{
    struct mock *mock = *state;
    uint32_t nr_checked[HVS_ARRAY_SIZE(wrong)] = {0};

    for (size_t i = 0; i < 2 * HVS_ARRAY_SIZE(right); i++) {
        const struct call call = make_call(right[i / 2].code, i % 2, right[i / 2].nr_var, right[i / 2].rep_count,
                                           right[i / 2].rep_first);
        const struct hvs_hcall_row *row = row_of(call.code);

        if (call.is_fast && (!(row->flags & HVS_HCALL_FAST) || !fits_registers(&call)))
            continue;
        for (size_t w = 0; w < HVS_ARRAY_SIZE(wrong); w++) {
            struct call broken = call;

            if (!wrong[w].make_wrong(&broken, row))
                continue;
            expect_refused(mock, &broken, &call, w);
            nr_checked[w]++;
        }
    }
    for (size_t w = 0; w < HVS_ARRAY_SIZE(wrong); w++)
        assert_true(nr_checked[w] > 0);
}

/* A translator that forgets to cut its fields to their width must not lead the core astray. */
static void test_absurd_numbers(void **state)
{
    static const struct hvs_hcall_input absurd[] = {
        {.code = TOY_CALL_VAR, .nr_var = 1u << 29, .in_gpa = IN_GPA, .out_gpa = OUT_GPA},       /* * 8 is 0 */
        {.code = TOY_CALL_VAR, .nr_var = 1u << 29, .is_fast = true},
        {.code = TOY_CALL_VAR, .nr_var = UINT32_MAX, .in_gpa = IN_GPA, .out_gpa = OUT_GPA},
        {.code = TOY_CALL_REP_REGS, .rep_count = 1u << 30, .in_gpa = IN_GPA},                   /* * 4 is 0 */
        {.code = TOY_CALL_REP_OUT, .rep_count = 1u << 29, .out_gpa = OUT_GPA},                  /* * 8 is 0 */
        {.code = TOY_CALL_REP_OUT, .rep_count = UINT32_MAX, .rep_first = UINT32_MAX - 1, .out_gpa = OUT_GPA},
    };
    static const struct hvs_hcall_status status = {TOY_STATUS_CODE, TOY_STATUS_INPUT, TOY_STATUS_ALIGNMENT};
    struct hvs_ctx ctx = toy_ctx(*state, 0);
    struct hvs_hcall_result result;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(absurd); i++) {
        assert_int_equal(hvs_hcall_run(&ctx, &absurd[i], &status, &result), HVS_HANDLED);
        assert_int_equal(result.status, TOY_STATUS_INPUT);
    }
    assert_int_equal(toy_vcpu_state(*state, 0)->nr_calls, 0);
}

/* --- XMM ---------------------------------------------------------------------------------------------------------- */

static void test_xmm_without_the_feature_is_ud(void **state)
{
    static const struct {
        uint32_t code;
        uint32_t nr_var, rep_count;
        bool is_allowed;
    } cases[] = {
        {TOY_CALL_REGS, 0, 0, true},
        {TOY_CALL_LOCKED, 0, 0, true},
        {TOY_CALL_REP_REGS, 0, 2, true},
        {TOY_CALL_REP_REGS, 0, 3, false},
        {TOY_CALL_XMM_IN, 0, 0, false},
        {TOY_CALL_XMM_OUT, 0, 0, false},
        {TOY_CALL_OUT, 0, 0, false},
        {TOY_CALL_VAR, 2, 0, false},
        {TOY_CALL_REP_OUT, 0, 1, false},
    };
    struct mock *mock = *state;
    struct picture before;

    toy_restart(mock, mock->config.caps, 0, 1ull << TOY_FEATURE_XMM);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct call call = make_call(cases[i].code, true, cases[i].nr_var, cases[i].rep_count, 0);

        place(mock, &call);
        take_picture(mock, &before);
        if (cases[i].is_allowed) {
            assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
            assert_int_equal((uint16_t)mock->regs.rax, 0);
            continue;
        }
        assert_int_equal(mock_hypercall(mock, 0, 0), HVS_FAULT);
        assert_int_equal(mock->out.fault_vector, HVS_VECTOR_UD);
        assert_false(mock->out.fault_has_code);
        assert_int_equal(mock->regs.rax, RAX_BEFORE);
        expect_picture(mock, &before);
    }
}

static int no_xmm(void *ctx, uint32_t vp, uint32_t first, uint32_t count, struct hvs_xmm *xmm)
{
    (void)ctx, (void)vp, (void)first, (void)count, (void)xmm;
    return HVS_EINVAL;
}

static void test_a_failing_xmm_port(void **state)
{
    struct mock *mock = *state;
    struct hvs_port port = *mock->vm->port;
    struct call call = make_call(TOY_CALL_XMM_IN, true, 0, 0, 0);

    port.xmm_read = no_xmm;
    toy_use_port(mock, &port);
    place(mock, &call);
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
    assert_int_equal(mock->regs.rax, result_of(TOY_STATUS_INPUT, 0));
}

/* --- a guest that changes its memory during the call -------------------------------------------------------------- */

static const struct hvs_port *mock_port;
static uint8_t nr_reads[MOCK_RAM_BYTES];

static int read_then_scribble(void *ctx, uint64_t gpa, void *buffer, size_t bytes)
{
    struct mock *mock = ctx;
    int err = mock_port->gpa_read(ctx, gpa, buffer, bytes);

    for (size_t i = 0; !err && i < bytes; i++) {
        assert_int_equal(nr_reads[gpa + i]++, 0);
        mock->ram[gpa + i] = TOY_POISON;
    }
    return err;
}

static void test_input_is_read_once(void **state)
{
    struct mock *mock = *state;
    struct hvs_port port = *mock->vm->port;
    struct picture expected;

    mock_port = mock->vm->port;
    port.gpa_read = read_then_scribble;
    toy_use_port(mock, &port);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(right); i++) {
        struct call call = make_call(right[i].code, false, right[i].nr_var, right[i].rep_count, right[i].rep_first);

        place(mock, &call);
        take_picture(mock, &expected);
        memset(nr_reads, 0, sizeof(nr_reads));
        memset(expected.in_pages, TOY_POISON, in_bytes(&call));
        expect_output(&expected, &call, call.rep_first, call.rep_count);
        assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
        assert_int_equal(mock->regs.rax, result_of(0, call.rep_count));
        expect_picture(mock, &expected);
    }
}

/* --- failures during a call --------------------------------------------------------------------------------------- */

static void test_a_failed_simple_call_writes_nothing(void **state)
{
    static const uint32_t codes[] = {TOY_CALL_XMM_OUT, TOY_CALL_XMM_BOTH, TOY_CALL_VAR};
    struct mock *mock = *state;
    struct picture before;

    for (size_t i = 0; i < 2 * HVS_ARRAY_SIZE(codes); i++) {
        struct call call = make_call(codes[i / 2], i % 2, 0, 0, 0);

        call.in[0] = TOY_POISON;
        place(mock, &call);
        take_picture(mock, &before);
        assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
        assert_int_equal(mock->regs.rax, result_of(TOY_STATUS_POISON, 0));
        expect_picture(mock, &before);
    }
}

/* What a handler leaves out is zero, not what an earlier call put out, perhaps for someone else. */
static void test_output_begins_as_zeros(void **state)
{
    static const uint8_t zeros[16];
    struct mock *mock = *state;
    struct call call = make_call(TOY_CALL_PAGE, false, 0, 0, 0);

    place(mock, &call);
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
    assert_int_equal(mock->regs.rax, 0);
    call = make_call(TOY_CALL_IDLE, false, 0, 0, 0);
    place(mock, &call);
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
    assert_int_equal(mock->regs.rax, 0);
    assert_memory_equal(mock->ram + OUT_GPA, zeros, sizeof(zeros));
}

/* The finished elements count, and only they are given out. */
static void test_a_rep_call_that_fails_on_the_way(void **state)
{
    struct mock *mock = *state;
    struct picture expected;

    for (uint32_t i = 0; i < 2 * 5 * 5; i++) {
        uint32_t first = i / 2 % 5, bad = i / 10;
        struct call call = make_call(TOY_CALL_REP_BOTH, i % 2, 0, 5, first);

        if (bad < first)
            continue;
        call.in[8 + bad * 4] = TOY_POISON;
        place(mock, &call);
        take_picture(mock, &expected);
        expect_output(&expected, &call, first, bad);
        assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
        assert_int_equal(mock->regs.rax, result_of(TOY_STATUS_POISON, bad));
        expect_picture(mock, &expected);
    }
}

/* --- continuation ------------------------------------------------------------------------------------------------- */

static const uint32_t slow_codes[] = {TOY_CALL_REP_REGS, TOY_CALL_REP_OUT, TOY_CALL_REP_BOTH, TOY_CALL_REP_VAR};
enum { SLOW_REPS = 5 };

/* The guest executes the call again, from where it was; each time the output of the new elements is added. */
static void test_continuation_by_retry(void **state)
{
    struct mock *mock = *state;
    struct picture expected;

    toy_restart(mock, mock->config.caps | HVS_CAP_RETRY, 0, 0);
    for (uint32_t i = 0; i < 2 * HVS_ARRAY_SIZE(slow_codes) * SLOW_REPS; i++) {
        uint32_t budget = 1 + i / 2 / HVS_ARRAY_SIZE(slow_codes), done = 0;
        struct call call = make_call(slow_codes[i / 2 % HVS_ARRAY_SIZE(slow_codes)], i % 2, 0, SLOW_REPS, 0);

        mock_wrmsr(mock, 0, TOY_MSR_BUDGET, budget);
        place(mock, &call);
        take_picture(mock, &expected);
        while (SLOW_REPS - done > budget) {
            assert_int_equal(mock_hypercall(mock, 0, 0), HVS_RETRY);
            assert_true(mock->out.regs_changed);
            expect_output(&expected, &call, done, done + budget);
            done += budget;
            expected.regs.rcx &= ~(0xfffull << TOY_CONTROL_FIRST_SHIFT);
            expected.regs.rcx |= (uint64_t)done << TOY_CONTROL_FIRST_SHIFT;
            expect_picture(mock, &expected);
        }
        assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
        expect_output(&expected, &call, done, SLOW_REPS);
        expect_picture(mock, &expected);
        assert_int_equal(mock->regs.rax, result_of(0, SLOW_REPS));
    }
}

/* Where the guest cannot, the core does it in one exit. */
static void test_continuation_without_retry(void **state)
{
    struct mock *mock = *state;
    struct picture expected;

    for (uint32_t i = 0; i < 2 * HVS_ARRAY_SIZE(slow_codes) * SLOW_REPS; i++) {
        uint32_t budget = 1 + i / 2 / HVS_ARRAY_SIZE(slow_codes);
        uint32_t nr_calls = toy_vcpu_state(mock, 0)->nr_calls;
        struct call call = make_call(slow_codes[i / 2 % HVS_ARRAY_SIZE(slow_codes)], i % 2, 0, SLOW_REPS, 0);

        mock_wrmsr(mock, 0, TOY_MSR_BUDGET, budget);
        place(mock, &call);
        take_picture(mock, &expected);
        expect_output(&expected, &call, 0, SLOW_REPS);
        assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
        expect_picture(mock, &expected);
        assert_int_equal(mock->regs.rax, result_of(0, SLOW_REPS));
        assert_int_equal(toy_vcpu_state(mock, 0)->nr_calls - nr_calls, (SLOW_REPS + budget - 1) / budget);
    }
}

static void test_a_failure_behind_a_continuation(void **state)
{
    struct mock *mock = *state;
    struct call call = make_call(TOY_CALL_REP_BOTH, true, 0, 5, 0);
    struct picture expected;

    mock_wrmsr(mock, 0, TOY_MSR_BUDGET, 1);
    call.in[8 + 3 * 4] = TOY_POISON;
    place(mock, &call);
    take_picture(mock, &expected);
    expect_output(&expected, &call, 0, 3);
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
    assert_int_equal(mock->regs.rax, result_of(TOY_STATUS_POISON, 3));
    expect_picture(mock, &expected);
}

/* A handler that gets nowhere must not hold the host up, nor ask for what the backend cannot do. */
static void test_a_call_without_progress(void **state)
{
    struct mock *mock = *state;
    struct call call = make_call(TOY_CALL_STUCK, false, 0, 3, 1);

    place(mock, &call);
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
    assert_int_equal(mock->regs.rax, result_of(0, 1));
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_calls, 1);
    toy_restart(mock, mock->config.caps | HVS_CAP_RETRY, 0, 0);
    place(mock, &call);
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_RETRY);
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_calls, 1);
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static void test_rows_of_vm_scope_hold_the_lock(void **state)
{
    struct mock *mock = *state;
    struct call call = make_call(TOY_CALL_LOCKED, false, 0, 0, 0);

    place(mock, &call);
    mock_hypercall(mock, 0, 0);
    assert_true(toy_vcpu_state(mock, 0)->was_locked);
    assert_int_equal(mock_vcpu(mock, 0)->vm_lock_depth, 0);
    call = make_call(TOY_CALL_REGS, false, 0, 0, 0);
    place(mock, &call);
    mock_hypercall(mock, 0, 0);
    assert_false(toy_vcpu_state(mock, 0)->was_locked);
}

static void test_find(void **state)
{
    struct hvs_ctx ctx = toy_ctx(*state, 0), trinkets = hvs_ctx_make(mock_vcpu(*state, 0), 1);

    for (uint32_t i = 0; i < toy.nr_hcall; i++) {
        bool is_live = toy.hcall[i].code != TOY_CALL_RARE;

        assert_ptr_equal(hvs_hcall_find(&ctx, toy.hcall[i].code), is_live ? &toy.hcall[i] : NULL);
    }
    assert_null(hvs_hcall_find(&ctx, 0));
    assert_null(hvs_hcall_find(&ctx, 0x10));
    assert_null(hvs_hcall_find(&ctx, UINT32_MAX));
    assert_null(hvs_hcall_find(&trinkets, TOY_CALL_REGS));
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_right_calls),
    TOY_TEST(test_blocks_at_the_edge_of_a_page),
    TOY_TEST(test_wrong_calls),
    TOY_TEST(test_absurd_numbers),
    TOY_TEST(test_xmm_without_the_feature_is_ud),
    TOY_TEST(test_a_failing_xmm_port),
    TOY_TEST(test_input_is_read_once),
    TOY_TEST(test_a_failed_simple_call_writes_nothing),
    TOY_TEST(test_output_begins_as_zeros),
    TOY_TEST(test_a_rep_call_that_fails_on_the_way),
    TOY_TEST(test_continuation_by_retry),
    TOY_TEST(test_continuation_without_retry),
    TOY_TEST(test_a_failure_behind_a_continuation),
    TOY_TEST(test_a_call_without_progress),
    TOY_TEST(test_rows_of_vm_scope_hold_the_lock),
    TOY_TEST(test_find),
};
TOY_MAIN(tests)
