/*
 * Every form of a call: width of the caller, slow or fast, kind of call, kind of error; the status, and that nothing else
 * changes [TLFS hypercall-interface]. And the XMM forms with and without their features.
 */
#include "hv_test.h"

enum { NR_VPS = 2, MAX_QWORDS = 12 };
#define REPS(n) ((uint64_t)(n) << 32)
#define START(n) ((uint64_t)(n) << 48)
#define VAR(n) ((uint64_t)(n) << 17)

/* One good call of each kind. */
static const struct kind {
    const char *name;
    uint64_t control;
    uint64_t in[MAX_QWORDS];
    uint8_t in_bytes, out_bytes;
    bool is_rep, is_variable;
} kinds[] = {
    {"simple", 0x000b, {0x30, 1}, 16, 0, false, false},
    {"simple, more than two registers", 0x0002, {0, 0, 1}, 24, 0, false, false},
    {"simple with output", 0x0052, {~0ull, 1, 1, 5}, 32, 16, false, false},
    {"variable", 0x0015 | VAR(1), {0x30, 0, 1, 1}, 32, 0, false, true},
    {"rep", 0x0003 | REPS(2), {0, 0, 1, 0x1000, 0x2000}, 40, 0, true, false},
    {"rep with output", 0x0050 | REPS(2), {~0ull, 1, 0x9000300090003}, 24, 32, true, false},
    {"variable rep", 0x0014 | VAR(1) | REPS(1), {0, 0, 0, 1, 1, 0x1000}, 48, 0, true, true},
};

enum error {
    NO_ERROR, UNKNOWN_CODE, RESERVED_BIT, NESTED, REP_COUNT, REP_START, VARIABLE_HEADER, TOO_LONG,
    IN_MISALIGNED, IN_STRADDLES, IN_NO_MEMORY, OUT_MISALIGNED, OUT_STRADDLES, OUT_NO_MEMORY, OVERLAP,
    NR_ERRORS,
};

/* What the guest puts into its registers. */
struct trial {
    uint64_t control, in_gpa, out_gpa;
    uint16_t status;
};

static bool spoil_control(int error, const struct kind *kind, struct trial *trial)
{
    trial->status = HV_STATUS_INVALID_HYPERCALL_INPUT;
    switch (error) {
    case UNKNOWN_CODE:
        trial->control |= 0x7000;
        trial->status = HV_STATUS_INVALID_HYPERCALL_CODE;
        return true;
    case RESERVED_BIT:
        trial->control |= 1ull << 45;
        return true;
    case NESTED:
        trial->control |= 1ull << 31;
        return true;
    case REP_COUNT:
        trial->control = kind->is_rep ? trial->control & ~REPS(0xfff) : trial->control | REPS(1);
        return true;
    case REP_START:
        trial->control |= START(2);
        return true;
    case VARIABLE_HEADER:
        trial->control |= VAR(1);
        return !kind->is_variable;
    case TOO_LONG:                      /* more than a page, or than all registers */
        trial->control |= kind->is_variable ? VAR(0x3ff) : REPS(0xfff);
        return kind->is_variable || kind->is_rep;
    default:
        return false;
    }
}

/* Of the slow form. */
static bool spoil_addresses(int error, const struct kind *kind, struct trial *trial)
{
    bool has_out = kind->out_bytes;

    trial->status = HV_STATUS_INVALID_ALIGNMENT;
    switch (error) {
    case IN_MISALIGNED:
        trial->in_gpa += 4;
        return true;
    case IN_STRADDLES:
        trial->in_gpa += HV_PAGE_SIZE - 8;
        return true;
    case IN_NO_MEMORY:
        trial->in_gpa = MOCK_RAM_BYTES;
        return true;
    case OUT_MISALIGNED:
        trial->out_gpa += 1;
        return has_out;
    case OUT_STRADDLES:
        trial->out_gpa += HV_PAGE_SIZE - 8;
        return has_out;
    case OUT_NO_MEMORY:
        trial->out_gpa = 1ull << 39;
        return has_out;
    case OVERLAP:
        trial->out_gpa = trial->in_gpa;
        trial->status = HV_STATUS_INVALID_HYPERCALL_INPUT;
        return has_out;
    default:
        return false;
    }
}

/* False where this error cannot be made in this form. */
static bool spoil(enum error error, const struct kind *kind, bool is_fast, struct trial *trial)
{
    if (error == NO_ERROR)
        return true;
    return spoil_control(error, kind, trial) || (!is_fast && spoil_addresses(error, kind, trial));
}

static void set_addresses(struct mock *mock, struct hv_test_form form, const struct trial *trial)
{
    if (form.code_bits == 64) {
        mock->regs.rdx = trial->in_gpa;
        mock->regs.r8 = trial->out_gpa;
        return;
    }
    mock->regs.rbx = trial->in_gpa >> 32;
    mock->regs.rcx = (uint32_t)trial->in_gpa;
    mock->regs.rdi = trial->out_gpa >> 32;
    mock->regs.rsi = (uint32_t)trial->out_gpa;
}

/* Makes the call, and compares all registers and the pages that were used, but what a result may change. */
static enum hvs_verdict try(struct mock *mock, struct hv_test_form form, const struct kind *kind,
                            const struct trial *trial, uint64_t *result)
{
    static uint8_t ram[4 * HV_PAGE_SIZE];       /* from the input page on */
    const struct hv_test_block block = {.control = trial->control, .in = kind->in, .in_bytes = kind->in_bytes};
    bool has_out = kind->out_bytes && trial->status == HV_STATUS_SUCCESS;
    struct hvs_xmm xmm[HV_HYPERCALL_MAX_XMM_REGISTERS];
    struct hvs_regs before;
    enum hvs_verdict verdict;

    hv_test_load(mock, form, &block);
    if (!form.is_fast)
        set_addresses(mock, form, trial);
    before = mock->regs;
    memcpy(xmm, mock->xmm, sizeof(xmm));
    memcpy(ram, mock->ram + HV_TEST_IN_GPA, sizeof(ram));
    verdict = mock_hypercall(mock, 1, 0);
    if (verdict == HVS_HANDLED) {
        *result = form.code_bits == 64 ? mock->regs.rax : mock->regs.rdx << 32 | (uint32_t)mock->regs.rax;
        before.rax = mock->regs.rax;
        before.rdx = form.code_bits == 32 ? mock->regs.rdx : before.rdx;
    }
    if (has_out && form.is_fast)
        return verdict;                 /* what goes where is hv_test_call_block's to check */
    if (has_out)
        memcpy(ram + (HV_TEST_OUT_GPA - HV_TEST_IN_GPA), mock->ram + HV_TEST_OUT_GPA, kind->out_bytes);
    assert_memory_equal(&mock->regs, &before, sizeof(before));
    assert_memory_equal(mock->xmm, xmm, sizeof(xmm));
    assert_memory_equal(mock->ram + HV_TEST_IN_GPA, ram, sizeof(ram));
    return verdict;
}

static void expect(struct mock *mock, struct hv_test_form form, const struct kind *kind, enum error error,
                   bool has_xmm_in, bool has_xmm_out)
{
    struct trial trial = {kind->control, HV_TEST_IN_GPA, HV_TEST_OUT_GPA, HV_STATUS_SUCCESS};
    bool needs_in = form.is_fast && kind->in_bytes > 16, needs_out = form.is_fast && kind->out_bytes;
    enum hvs_verdict verdict;
    uint64_t result = 0;

    if (!spoil(error, kind, form.is_fast, &trial))
        return;

    bool is_ud = error == NO_ERROR && ((needs_in && !has_xmm_in) ||
                                       (needs_out && !(has_xmm_out && form.code_bits == 64)));

    if (is_ud)
        trial.status = 0xffff;          /* nothing may change */
    verdict = try(mock, form, kind, &trial, &result);
    if (is_ud) {
        hv_test_expect_ud(mock, verdict);
        return;
    }
    if (verdict != HVS_HANDLED || (result & 0xffff) != trial.status)
        fail_msg("%s, %u bits, %s, error %d: verdict %d, result %#llx", kind->name, form.code_bits,
                 form.is_fast ? "fast" : "slow", error, verdict, (unsigned long long)result);
    if (error == NO_ERROR)
        assert_int_equal(result >> 32, kind->control >> 32 & 0xfff);
    else
        assert_int_equal(mock->out.nr_effects, 0);
}

static void every_form_of_every_kind(void **state)
{
    static const char *const xmm_feature[] = {"xmm-input", "xmm-output"};

    (void)state;
    for (unsigned off = 0; off < 4; off++) {
        struct mock mock;

        hv_test_config(&mock, NR_VPS);
        for (unsigned i = 0; i < 2; i++)
            mock.config.slot[0].features_off |= off >> i & 1 ? hv_test_feature(xmm_feature[i]) : 0;
        assert_int_equal(mock_start(&mock), HVS_OK);
        hv_test_establish(&mock);
        for (size_t f = 0; f < HV_TEST_NR_FORMS; f++) {
            for (size_t k = 0; k < HVS_ARRAY_SIZE(kinds) * NR_ERRORS; k++)
                expect(&mock, hv_test_forms[f], &kinds[k / NR_ERRORS], (enum error)(k % NR_ERRORS), !(off & 1),
                       !(off & 2));
        }
        mock_stop(&mock);
    }
}

/* Output lies behind the input, from the next 16 bytes on; with no input, in RDX and R8. */
static void fast_output_is_behind_the_input(void **state)
{
    static const struct hv_test_form fast = {64, true};
    struct { struct hv_input_vp_registers header; uint32_t name[3]; } in = {
        {HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}}, {0x90003, 0x240, 0x241}};
    struct hv_test_block block = {.in = &in, .in_bytes = 28};
    struct mock *mock = *state;
    uint64_t xmm[2];

    hv_test_establish(mock);
    block.control = hv_test_control(0x0050, 0, 3, 1);           /* the first one was done before */
    hv_test_load(mock, fast, &block);
    assert_int_equal(mock_hypercall(mock, 1, 0), HVS_HANDLED);
    assert_int_equal(mock->regs.rax, hv_test_result(HV_STATUS_SUCCESS, 3));
    memcpy(xmm, &mock->xmm[1], sizeof(xmm));
    assert_int_equal(xmm[0], 0xeeeeeeeeeeeeeeee);               /* its output is not touched again */
    memcpy(xmm, &mock->xmm[2], sizeof(xmm));
    assert_int_equal(xmm[0], MOCK_TSC_KHZ * 1000ull);
    memcpy(xmm, &mock->xmm[3], sizeof(xmm));
    assert_int_equal(xmm[0], 1000000000);
    assert_int_equal(mock->regs.r8, ((uint64_t *)(void *)&in)[1]);
}

/* The bits are there with the capability only. */
static void xmm_needs_the_backend(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.caps &= ~(uint32_t)HVS_CAP_XMM;
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EDX) & (1 << 4 | 1 << 15), 0);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EBX) & 1 << 19, 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_every_kind),
        HV_TEST(fast_output_is_behind_the_input),
        cmocka_unit_test(xmm_needs_the_backend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
