/*
 * What is asked of every hypercall: each check of the list below is a point for each row of hv_hcalls that it can be
 * asked of [doc hypercall-interface]; then the variations; then what is peculiar to one call.
 */
#include "hyperv_hcall.h"

#include "hv_abi.h"

enum { FILL_OUT = 0xcc, FAST_BYTES = 16, XMM_FAST_BYTES = 112 };

/* --- the checks --------------------------------------------------------------------------------------------------- */

/* A row's sample, ready to be called in some way. */
struct subject {
    const struct hv_hcall *row;
    struct hv_request request;
    uint32_t in_bytes, out_bytes;
};
typedef enum matrix_verdict check_fn(struct matrix *matrix, const struct subject *s);

#define INPUT_STATUS HV_IS(HV_STATUS_INVALID_HYPERCALL_INPUT)
#define ALIGNMENT_STATUS HV_IS(HV_STATUS_INVALID_ALIGNMENT)

static enum matrix_verdict expect(struct matrix *matrix, const struct subject *s, const struct hv_way *way,
                                  uint64_t want)
{
    return hv_expect(matrix, s->row, &s->request, way, want);
}

static enum matrix_verdict works(struct matrix *matrix, const struct subject *s)
{
    struct hv_answer answer;
    enum matrix_verdict verdict = expect(matrix, s, &(struct hv_way){0}, s->row->want);

    if (verdict != MATRIX_SUCCESS)
        return verdict;
    hv_call(matrix, s->row, &s->request, &(struct hv_way){0}, &answer);
    if (hv_status(&answer) == HV_STATUS_SUCCESS && hv_reps(&answer) != s->request.rep_count)
        return matrix_fail(matrix, "another number of reps completed", s->request.rep_count, answer.result);
    return MATRIX_SUCCESS;
}

/* "Hypercalls will only modify the specified register values" [doc: volatile registers]. */
static enum matrix_verdict registers_stay(struct matrix *matrix, const struct subject *s)
{
    struct hv_answer answer;

    hv_call(matrix, s->row, &s->request, &(struct hv_way){0}, &answer);
    answer.before.rax = answer.after.rax;
    if (s->row->flags & HV_CALL_REP)
        answer.before.rcx = answer.after.rcx;
    const uint64_t *before = &answer.before.rax, *after = &answer.after.rax;
    for (uint32_t i = 0; i < offsetof(struct matrix_regs, cpl) / sizeof(uint64_t); i++)
        if (before[i] != after[i])
            return matrix_fail(matrix, "a register changed that may not", i, after[i]);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict memory_stays(struct matrix *matrix, const struct subject *s)
{
    const struct matrix_env *env = matrix->env;
    struct hv_answer answer;

    matrix_fill(matrix, HV_IN_PAGE, 0);
    matrix_fill(matrix, HV_OUT_PAGE, FILL_OUT);
    hv_call(matrix, s->row, &s->request, &(struct hv_way){0}, &answer);
    for (uint32_t i = 0; i < HV_MAX_IN_QWORDS; i++)
        if (((volatile uint64_t *)(void *)env->page[HV_IN_PAGE].at)[i] != s->request.in[i])
            return matrix_fail(matrix, "the input was written to", 8 * i, 0);
    for (uint32_t i = (s->out_bytes + 7) & ~7u; i < MATRIX_PAGE_BYTES; i++)
        if (env->page[HV_OUT_PAGE].at[i] != FILL_OUT)
            return matrix_fail(matrix, "bytes behind the output were written", i, env->page[HV_OUT_PAGE].at[i]);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict each_bit(struct matrix *matrix, const struct subject *s, uint32_t first, uint32_t last)
{
    for (uint32_t bit = first; bit <= last; bit++) {
        enum matrix_verdict verdict = expect(matrix, s, &(struct hv_way){.control = 1ull << bit}, INPUT_STATUS);

        if (verdict != MATRIX_SUCCESS)
            return verdict;
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict reserved_30(struct matrix *matrix, const struct subject *s)
{
    return each_bit(matrix, s, 27, 30);
}

static enum matrix_verdict reserved_47(struct matrix *matrix, const struct subject *s)
{
    return each_bit(matrix, s, 44, 47);
}

static enum matrix_verdict reserved_63(struct matrix *matrix, const struct subject *s)
{
    return each_bit(matrix, s, 60, 63);
}

/* Whoever is not nested in another hypervisor is L0 himself. */
static enum matrix_verdict nested_bit(struct matrix *matrix, const struct subject *s)
{
    return expect(matrix, s, &(struct hv_way){.control = HV_HYPERCALL_IS_NESTED},
                  s->row->want | INPUT_STATUS | HV_DENIED);
}

static enum matrix_verdict rep_count(struct matrix *matrix, const struct subject *s)
{
    if (s->row->flags & HV_CALL_REP)
        return expect(matrix, s, &(struct hv_way){.clear = HV_HYPERCALL_REP_COUNT_MASK << HV_HYPERCALL_REP_COUNT_SHIFT},
                      INPUT_STATUS);
    return each_bit(matrix, s, 32, 43);
}

static enum matrix_verdict rep_start(struct matrix *matrix, const struct subject *s)
{
    struct hv_way way = {.control = (uint64_t)s->request.rep_count << HV_HYPERCALL_REP_START_SHIFT};

    if (!(s->row->flags & HV_CALL_REP))
        return each_bit(matrix, s, 48, 59);
    enum matrix_verdict verdict = expect(matrix, s, &way, INPUT_STATUS);
    way.control = HV_HYPERCALL_REP_START_MASK << HV_HYPERCALL_REP_START_SHIFT;
    return verdict == MATRIX_SUCCESS ? expect(matrix, s, &way, INPUT_STATUS) : verdict;
}

/* "Total number of reps complete and not relative to the rep start index" [doc hypercall-interface]. */
static enum matrix_verdict rep_continues(struct matrix *matrix, const struct subject *s)
{
    struct hv_answer answer;
    uint32_t last = s->request.rep_count - 1;

    matrix_fill(matrix, HV_OUT_PAGE, FILL_OUT);
    hv_call(matrix, s->row, &s->request, &(struct hv_way){.control = (uint64_t)last << HV_HYPERCALL_REP_START_SHIFT},
            &answer);
    if (answer.fault != MATRIX_NO_FAULT || hv_status(&answer) != HV_STATUS_SUCCESS)
        return matrix_fail(matrix, "it does not go on at a start index", last, answer.result);
    if (hv_reps(&answer) != s->request.rep_count)
        return matrix_fail(matrix, "another number of reps completed", s->request.rep_count, answer.result);
    for (uint32_t i = 0; i < last * s->row->elem_out; i++)
        if (matrix->env->page[HV_OUT_PAGE].at[i] != FILL_OUT)
            return matrix_fail(matrix, "output of an element before the start index was written", i, 0);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict var_header(struct matrix *matrix, const struct subject *s)
{
    return each_bit(matrix, s, 17, 26);
}

static enum matrix_verdict in_unaligned(struct matrix *matrix, const struct subject *s)
{
    for (uint32_t off = 1; off < 8; off++) {
        struct hv_way way = {.in_gpa = matrix->env->page[HV_IN_PAGE].gpa + off};
        enum matrix_verdict verdict = expect(matrix, s, &way, ALIGNMENT_STATUS);

        if (verdict != MATRIX_SUCCESS)
            return verdict;
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict in_straddles(struct matrix *matrix, const struct subject *s)
{
    struct hv_way way = {.in_gpa = matrix->env->page[HV_IN_PAGE].gpa + MATRIX_PAGE_BYTES - 8};

    return expect(matrix, s, &way, ALIGNMENT_STATUS);
}

static enum matrix_verdict in_fits(struct matrix *matrix, const struct subject *s)
{
    const struct matrix_env *env = matrix->env;
    uint32_t at = MATRIX_PAGE_BYTES - ((s->in_bytes + 7) & ~7u);
    struct hv_answer answer;

    if (at < sizeof(s->request.in))
        return matrix_skip(matrix, "the input is too large to be elsewhere in the page");
    matrix_fill(matrix, HV_IN_PAGE, 0);
    for (uint32_t i = 0; i < s->in_bytes; i++)
        env->page[HV_IN_PAGE].at[at + i] = ((const uint8_t *)s->request.in)[i];
    hv_call(matrix, s->row, &s->request, &(struct hv_way){.in_gpa = env->page[HV_IN_PAGE].gpa + at}, &answer);
    return answer.fault == MATRIX_NO_FAULT && (HV_IS(hv_status(&answer)) & s->row->want)
               ? MATRIX_SUCCESS
               : matrix_fail(matrix, "input at the end of a page is not taken", at, answer.result);
}

static enum matrix_verdict in_beyond(struct matrix *matrix, const struct subject *s)
{
    if (matrix->env->phys_bits < 32)
        return matrix_skip(matrix, "the end of the GPA space is not known");
    struct hv_way way = {.in_gpa = 1ull << matrix->env->phys_bits};
    enum matrix_verdict verdict = expect(matrix, s, &way, ALIGNMENT_STATUS);
    way.in_gpa = UINT64_MAX & ~7ull;
    return verdict == MATRIX_SUCCESS ? expect(matrix, s, &way, ALIGNMENT_STATUS) : verdict;
}

/* "The hypervisor generates a memory intercept message": a guest without a parent sees some status. */
static enum matrix_verdict in_hole(struct matrix *matrix, const struct subject *s)
{
    if (matrix->env->hole_gpa == 0)
        return matrix_skip(matrix, "no hole is known");
    return expect(matrix, s, &(struct hv_way){.in_gpa = matrix->env->hole_gpa}, ALIGNMENT_STATUS | INPUT_STATUS);
}

static enum matrix_verdict in_ignored(struct matrix *matrix, const struct subject *s)
{
    return expect(matrix, s, &(struct hv_way){.in_gpa = UINT64_MAX}, s->row->want);
}

static enum matrix_verdict out_unaligned(struct matrix *matrix, const struct subject *s)
{
    for (uint32_t off = 1; off < 8; off++) {
        struct hv_way way = {.out_gpa = matrix->env->page[HV_OUT_PAGE].gpa + off};
        enum matrix_verdict verdict = expect(matrix, s, &way, ALIGNMENT_STATUS);

        if (verdict != MATRIX_SUCCESS)
            return verdict;
    }
    return MATRIX_SUCCESS;
}

/* Page 0 runs into page 1, so there is memory behind the edge. */
static enum matrix_verdict out_straddles(struct matrix *matrix, const struct subject *s)
{
    struct hv_way way = {.out_gpa = matrix->env->page[HV_IN_PAGE].gpa + MATRIX_PAGE_BYTES - 8};

    if (s->out_bytes <= 8)
        return matrix_skip(matrix, "the output is too small");
    return expect(matrix, s, &way, ALIGNMENT_STATUS);
}

static enum matrix_verdict out_beyond(struct matrix *matrix, const struct subject *s)
{
    if (matrix->env->phys_bits < 32)
        return matrix_skip(matrix, "the end of the GPA space is not known");
    struct hv_way way = {.out_gpa = 1ull << matrix->env->phys_bits};
    enum matrix_verdict verdict = expect(matrix, s, &way, ALIGNMENT_STATUS);
    way.out_gpa = UINT64_MAX & ~7ull;
    return verdict == MATRIX_SUCCESS ? expect(matrix, s, &way, ALIGNMENT_STATUS) : verdict;
}

static enum matrix_verdict out_hole(struct matrix *matrix, const struct subject *s)
{
    if (matrix->env->hole_gpa == 0)
        return matrix_skip(matrix, "no hole is known");
    return expect(matrix, s, &(struct hv_way){.out_gpa = matrix->env->hole_gpa}, ALIGNMENT_STATUS | INPUT_STATUS);
}

/* "If the hypercall involves no input or output parameters, the hypervisor ignores the corresponding GPA pointer." */
static enum matrix_verdict out_ignored(struct matrix *matrix, const struct subject *s)
{
    return expect(matrix, s, &(struct hv_way){.out_gpa = UINT64_MAX}, s->row->want);
}

/* In two registers; in XMM registers too; with output there. */
static enum matrix_verdict fast(struct matrix *matrix, const struct subject *s)
{
    uint32_t in = (s->in_bytes + 15) & ~15u;
    struct hv_way way = {.is_fast = true};
    struct hv_answer answer;

    if (in + s->out_bytes > XMM_FAST_BYTES)
        return expect(matrix, s, &way, INPUT_STATUS);
    if ((s->out_bytes > 0 && !hv_has(matrix, HV_NEED_XMM_OUTPUT)) ||
        (s->in_bytes > FAST_BYTES && !hv_has(matrix, HV_NEED_XMM_INPUT))) {
        hv_call(matrix, s->row, &s->request, &way, &answer);
        if (answer.fault == MATRIX_NO_FAULT && !(HV_IS(hv_status(&answer)) & INPUT_STATUS))
            return matrix_fail(matrix, "a fast form that is not advertised works", 0, answer.result);
        return answer.fault == MATRIX_UD ? MATRIX_SUCCESS
                                         : matrix_fail(matrix, "a fast form that is not advertised is no #UD", 0,
                                                       answer.result);
    }
    /* only some calls need have this form */
    return expect(matrix, s, &way, s->row->want | (s->row->flags & HV_CALL_FAST || in > FAST_BYTES ? 0 : INPUT_STATUS));
}

static enum matrix_verdict fast_registers_stay(struct matrix *matrix, const struct subject *s)
{
    struct hv_answer answer;

    hv_call(matrix, s->row, &s->request, &(struct hv_way){.is_fast = true}, &answer);
    if (answer.fault != MATRIX_NO_FAULT)
        return matrix_skip(matrix, "there is no fast form");
    if (answer.after.rdx != answer.before.rdx || answer.after.r8 != answer.before.r8)
        return matrix_fail(matrix, "RDX or R8 changed", answer.before.rdx, answer.after.rdx);
    for (uint32_t i = 0; i < 2 * MATRIX_NR_XMM; i++)
        if ((&answer.after.xmm[0][0])[i] != (&answer.before.xmm[0][0])[i])
            return matrix_fail(matrix, "an XMM register changed", i, (&answer.after.xmm[0][0])[i]);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict from_32_bits(struct matrix *matrix, const struct subject *s)
{
    struct hv_answer answer;

    if (!(matrix->env->can & MATRIX_CAN_CALL32))
        return matrix_skip(matrix, "32-bit code cannot be run here");
    hv_call(matrix, s->row, &s->request, &(struct hv_way){.is_32 = true}, &answer);
    if (answer.fault != MATRIX_NO_FAULT || !(HV_IS(hv_status(&answer)) & s->row->want))
        return matrix_fail(matrix, "another status", s->row->code, answer.result);
    if (hv_status(&answer) == HV_STATUS_SUCCESS && hv_reps(&answer) != s->request.rep_count)
        return matrix_fail(matrix, "another number of reps completed in EDX", s->request.rep_count, answer.result);
    return MATRIX_SUCCESS;
}

enum asked_of {
    OF_ALL,
    OF_IN,
    OF_WIDE_IN,                 /* that can cross a page when it is aligned */
    OF_NO_IN,
    OF_OUT,
    OF_NO_OUT,
    OF_REP,
    OF_FIXED_HEADER,
    OF_FAST_WITHOUT_OUT,
};

static const struct {
    const char *check, *ref;
    enum asked_of of;
    check_fn *run;
} checks[] = {
    {"sample", "", OF_ALL, works},
    {"changes no other register", "doc hypercall-interface: volatile registers", OF_ALL, registers_stay},
    {"changes no other memory", "doc hypercall-interface: outputs", OF_ALL, memory_stays},
    {"reserved bits 30:27", "doc hypercall-interface: inputs", OF_ALL, reserved_30},
    {"reserved bits 47:44", "doc hypercall-interface: inputs", OF_ALL, reserved_47},
    {"reserved bits 63:60", "doc hypercall-interface: inputs", OF_ALL, reserved_63},
    {"nested bit", "doc hypercall-interface: inputs", OF_ALL, nested_bit},
    {"wrong rep count", "doc hypercall-interface: common status codes", OF_ALL, rep_count},
    {"wrong rep start", "doc hypercall-interface: common status codes", OF_ALL, rep_start},
    {"goes on at a rep start", "doc hypercall-interface: outputs", OF_REP, rep_continues},
    {"variable header", "doc hypercall-interface: variable sized headers", OF_FIXED_HEADER, var_header},
    {"input not aligned", "doc hypercall-interface: common status codes", OF_IN, in_unaligned},
    {"input crosses a page", "doc hypercall-interface: common status codes", OF_WIDE_IN, in_straddles},
    {"input at the end of a page", "doc hypercall-interface: alignment", OF_IN, in_fits},
    {"input beyond the GPA space", "doc hypercall-interface: common status codes", OF_IN, in_beyond},
    {"input where no RAM is", "doc hypercall-interface: alignment", OF_IN, in_hole},
    {"input address ignored", "doc hypercall-interface: alignment", OF_NO_IN, in_ignored},
    {"output not aligned", "doc hypercall-interface: common status codes", OF_OUT, out_unaligned},
    {"output crosses a page", "doc hypercall-interface: common status codes", OF_OUT, out_straddles},
    {"output beyond the GPA space", "doc hypercall-interface: common status codes", OF_OUT, out_beyond},
    {"output where no RAM is", "doc hypercall-interface: alignment", OF_OUT, out_hole},
    {"output address ignored", "doc hypercall-interface: alignment", OF_NO_OUT, out_ignored},
    {"fast form", "doc hypercall-interface: XMM fast hypercalls; 6.0b App. A", OF_ALL, fast},
    {"fast form changes no input register", "doc hypercall-interface: volatile registers", OF_FAST_WITHOUT_OUT,
     fast_registers_stay},
    {"from 32-bit code", "doc hypercall-interface: register conventions", OF_ALL, from_32_bits},
};

static bool is_asked(const struct subject *s, enum asked_of of)
{
    switch (of) {
    case OF_IN:
        return s->in_bytes > 0;
    case OF_WIDE_IN:
        return s->in_bytes > 8;
    case OF_NO_IN:
        return s->in_bytes == 0;
    case OF_OUT:
        return s->out_bytes > 0;
    case OF_NO_OUT:
        return s->out_bytes == 0;
    case OF_REP:
        return (s->row->flags & HV_CALL_REP) && s->request.rep_count > 1;
    case OF_FIXED_HEADER:
        return !(s->row->flags & HV_CALL_VAR);
    case OF_FAST_WITHOUT_OUT:
        return s->in_bytes > 0 && s->in_bytes <= XMM_FAST_BYTES && s->out_bytes == 0;
    case OF_ALL:
        break;
    }
    return true;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static enum matrix_verdict absent(struct matrix *matrix, const struct hv_hcall *row)
{
    struct hv_request request = {{0}, 0, 0};

    if (!(row->flags & HV_CALL_ASK) && hv_has(matrix, row->need))
        return matrix_skip(matrix, "present");
    if (row->flags & HV_CALL_ASK && hv_hcall_is_there(matrix, row))
        return matrix_skip(matrix, "present");
    if (hv_establish(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    row->sample(matrix, &request);
    return hv_expect(matrix, row, &request, &(struct hv_way){0}, row->absent);
}

static void run_row(struct matrix *matrix, const struct hv_hcall *row)
{
    struct subject s = {.row = row};
    bool is_there = hv_hcall_is_there(matrix, row);

    matrix_put_back(matrix);
    row->sample(matrix, &s.request);
    s.in_bytes = hv_in_bytes(row, &s.request);
    s.out_bytes = hv_out_bytes(row, &s.request);
    if (matrix_begin(matrix, row->name, "absent: denied", row->ref))
        matrix_end(matrix, absent(matrix, row));
    if (row->flags & HV_CALL_ABSENT_ONLY)
        return;
    for (uint32_t c = 0; c < sizeof(checks) / sizeof(checks[0]); c++) {
        if (!is_asked(&s, checks[c].of))
            continue;
        if (!matrix_begin(matrix, row->name, checks[c].check, checks[c].ref[0] ? checks[c].ref : row->ref))
            continue;
        if (!is_there)
            matrix_end(matrix, matrix_skip(matrix, "absent as advertised"));
        else
            matrix_end(matrix, hv_establish(matrix) == MATRIX_SUCCESS ? checks[c].run(matrix, &s) : MATRIX_FAILURE);
    }
}

static enum matrix_verdict vary(struct matrix *matrix, const struct hv_hcall *row, const struct hv_variation *v)
{
    struct hv_request request = {{0}, 0, 0};
    uint8_t *bytes = (uint8_t *)request.in;

    if (!hv_hcall_is_there(matrix, row) || !hv_has(matrix, v->also))
        return matrix_skip(matrix, "absent as advertised");
    if (hv_establish(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    row->sample(matrix, &request);
    for (uint32_t i = 0; i < v->bytes; i++)
        bytes[v->offset + i] = (uint8_t)(v->value >> (8 * i));
    return hv_expect(matrix, row, &request, &(struct hv_way){0}, v->want);
}

void hv_matrix_hcall(struct matrix *matrix)
{
    for (uint32_t i = 0; i < hv_nr_hcalls; i++)
        run_row(matrix, &hv_hcalls[i]);
    for (uint32_t i = 0; i < hv_nr_variations; i++) {
        const struct hv_hcall *row = hv_hcall_row(hv_variations[i].code);

        if (matrix_begin(matrix, row->name, hv_variations[i].check, row->ref))
            matrix_end(matrix, vary(matrix, row, &hv_variations[i]));
    }
}
