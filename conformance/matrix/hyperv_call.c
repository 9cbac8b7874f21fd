/* Hypercalls as a caller of the matrix makes them [doc hypercall-interface]: registers, pages, the answer. */
#include "hyperv_hcall.h"

#include "hv_abi.h"

uint16_t hv_status(const struct hv_answer *answer)
{
    return (uint16_t)(answer->result & HV_HYPERCALL_STATUS_MASK);
}

uint32_t hv_reps(const struct hv_answer *answer)
{
    return (uint32_t)(answer->result >> HV_HYPERCALL_REPS_COMPLETED_SHIFT & HV_HYPERCALL_REPS_COMPLETED_MASK);
}

uint32_t hv_in_bytes(const struct hv_hcall *row, const struct hv_request *request)
{
    return row->in_bytes + 8 * request->nr_var + row->elem_in * request->rep_count;
}

uint32_t hv_out_bytes(const struct hv_hcall *row, const struct hv_request *request)
{
    return row->out_bytes + row->elem_out * request->rep_count;
}

enum matrix_verdict hv_establish(struct matrix *matrix)
{
    if (hv_identify(matrix) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    return hv_set(matrix, 0, HV_X64_MSR_HYPERCALL, hv_page_msr(matrix, HV_CALL_PAGE));
}

static uint64_t control_of(const struct hv_hcall *row, const struct hv_request *request, const struct hv_way *way)
{
    uint64_t control = row->code | (uint64_t)request->nr_var << HV_HYPERCALL_VARIABLE_HEADER_SHIFT |
                       (uint64_t)request->rep_count << HV_HYPERCALL_REP_COUNT_SHIFT;

    return (control & ~way->clear) | way->control | (way->is_fast ? HV_HYPERCALL_FAST : 0);
}

static void put_input(const struct matrix *matrix, const struct hv_request *request)
{
    volatile uint64_t *at = (volatile uint64_t *)(void *)matrix->env->page[HV_IN_PAGE].at;

    for (uint32_t i = 0; i < HV_MAX_IN_QWORDS; i++)
        at[i] = request->in[i];
}

static struct matrix_regs registers(const struct hv_way *way)
{
    struct matrix_regs regs = {
        .rax = 0xa0a0, .rbx = 0xb0b0, .rcx = 0xc0c0, .rdx = 0xd0d0, .rsi = 0x5151, .rdi = 0xd1d1, .rbp = 0xb550,
        .r8 = 0x8080, .r9 = 0x9090, .r10 = 0x1010, .r11 = 0x1111, .r12 = 0x1212, .r13 = 0x1313, .r14 = 0x1414,
        .r15 = 0x1515, .cpl = way->cpl, .code_bits = way->is_32 ? 32 : 64, .is_real_mode = way->is_real_mode,
    };

    for (uint32_t i = 0; i < MATRIX_NR_XMM; i++)
        regs.xmm[i][0] = regs.xmm[i][1] = 0x0123456789abcdef + i;
    return regs;
}

static void put_arguments(struct matrix_regs *regs, uint64_t control, uint64_t in, uint64_t out)
{
    if (regs->code_bits == 64) {
        regs->rcx = control;
        regs->rdx = in;
        regs->r8 = out;
        return;
    }
    regs->rdx = control >> 32;
    regs->rax = (uint32_t)control;
    regs->rbx = in >> 32;
    regs->rcx = (uint32_t)in;
    regs->rdi = out >> 32;
    regs->rsi = (uint32_t)out;
}

void hv_call(struct matrix *matrix, const struct hv_hcall *row, const struct hv_request *request,
             const struct hv_way *way, struct hv_answer *answer)
{
    const struct matrix_env *env = matrix->env;
    struct matrix_regs regs = registers(way);
    uint64_t in = way->in_gpa ? way->in_gpa : env->page[HV_IN_PAGE].gpa;
    uint64_t out = way->out_gpa ? way->out_gpa : env->page[HV_OUT_PAGE].gpa;

    if (way->is_fast) {
        in = request->in[0];
        out = request->in[1];
        for (uint32_t i = 0; i < MATRIX_NR_XMM; i++) {
            regs.xmm[i][0] = request->in[2 + 2 * i];
            regs.xmm[i][1] = request->in[3 + 2 * i];
        }
    }
    put_input(matrix, request);
    put_arguments(&regs, control_of(row, request, way), in, out);
    answer->before = regs;
    answer->fault = env->hypercall(env->ctx, &regs);
    answer->after = regs;
    answer->result = way->is_32 ? regs.rdx << 32 | (uint32_t)regs.rax : regs.rax;
}

enum matrix_verdict hv_expect(struct matrix *matrix, const struct hv_hcall *row, const struct hv_request *request,
                              const struct hv_way *way, uint64_t want)
{
    struct hv_answer answer;

    hv_call(matrix, row, request, way, &answer);
    if (answer.fault != MATRIX_NO_FAULT)
        return matrix_fail(matrix, "the call faults", control_of(row, request, way), (uint64_t)answer.fault);
    if (!(HV_IS(hv_status(&answer)) & want))
        return matrix_fail(matrix, "another status", control_of(row, request, way), answer.result);
    return MATRIX_SUCCESS;
}

const struct hv_hcall *hv_hcall_row(uint16_t code)
{
    for (uint32_t i = 0; i < hv_nr_hcalls; i++)
        if (hv_hcalls[i].code == code)
            return &hv_hcalls[i];
    return NULL;
}

bool hv_hcall_is_there(struct matrix *matrix, const struct hv_hcall *row)
{
    struct hv_request request = {{0}, 0, 0};
    struct hv_answer answer;

    if (!hv_has(matrix, row->need))
        return false;
    if (!(row->flags & HV_CALL_ASK))
        return true;
    if (hv_establish(matrix) != MATRIX_SUCCESS)
        return false;
    row->sample(matrix, &request);
    hv_call(matrix, row, &request, &(struct hv_way){0}, &answer);
    return answer.fault == MATRIX_NO_FAULT && !(HV_IS(hv_status(&answer)) & HV_DENIED);
}
