/* The engine of the matrices: runs points, counts verdicts, puts back what a point changed. See matrix.h. */
#include "matrix.h"

void matrix_init(struct matrix *matrix, const struct matrix_env *env)
{
    *matrix = (struct matrix){.env = env};
}

void matrix_chapter(struct matrix *matrix, const char *chapter)
{
    matrix->chapter = chapter;
}

bool matrix_begin(struct matrix *matrix, const char *subject, const char *check, const char *ref)
{
    return matrix_begin_variant(matrix, subject, check, NULL, ref);
}

bool matrix_begin_variant(struct matrix *matrix, const char *subject, const char *check, const char *variant,
                          const char *ref)
{
    const struct matrix_env *env = matrix->env;

    matrix->result = (struct matrix_result){
        .chapter = matrix->chapter, .subject = subject, .check = check, .variant = variant, .ref = ref,
    };
    matrix->is_left_out = env->begin && !env->begin(env->ctx, &matrix->result);
    return !matrix->is_left_out;
}

void matrix_put_back(struct matrix *matrix)
{
    const struct matrix_env *env = matrix->env;

    while (matrix->nr_undo > 0) {
        matrix->nr_undo--;
        env->wrmsr(env->ctx, matrix->undo[matrix->nr_undo].vp, matrix->undo[matrix->nr_undo].index,
                   matrix->undo[matrix->nr_undo].value);
    }
}

void matrix_end(struct matrix *matrix, enum matrix_verdict verdict)
{
    matrix_put_back(matrix);
    if (matrix->is_left_out)
        return;
    matrix->result.verdict = verdict;
    matrix->nr[verdict]++;
    matrix->env->report(matrix->env->ctx, &matrix->result);
}

void matrix_renew(struct matrix *matrix)
{
    matrix->nr_undo = 0;
    matrix->env->renew(matrix->env->ctx);
}

enum matrix_verdict matrix_skip(struct matrix *matrix, const char *why)
{
    matrix->result.why = why;
    return MATRIX_SKIP;
}

enum matrix_verdict matrix_error(struct matrix *matrix, const char *why)
{
    matrix->result.why = why;
    return MATRIX_ERROR;
}

enum matrix_verdict matrix_fail(struct matrix *matrix, const char *why, uint64_t at, uint64_t got)
{
    matrix->result.why = why;
    matrix->result.at = at;
    matrix->result.got = got;
    return MATRIX_FAILURE;
}

int matrix_read(struct matrix *matrix, uint32_t vp, uint32_t index, uint64_t *value)
{
    const struct matrix_env *env = matrix->env;

    *value = 0;
    return env->rdmsr(env->ctx, vp, index, value);
}

int matrix_write(struct matrix *matrix, uint32_t vp, uint32_t index, uint64_t value)
{
    const struct matrix_env *env = matrix->env;
    uint32_t known = 0;
    uint64_t old;

    while (known < matrix->nr_undo && (matrix->undo[known].vp != vp || matrix->undo[known].index != index))
        known++;
    if (known == matrix->nr_undo && known < MATRIX_MAX_UNDO && matrix_read(matrix, vp, index,
                                                                           &old) == MATRIX_NO_FAULT) {
        matrix->undo[known].vp = vp;
        matrix->undo[known].index = index;
        matrix->undo[known].value = old;
        matrix->nr_undo++;
    }
    return env->wrmsr(env->ctx, vp, index, value);
}

uint32_t matrix_cpuid(const struct matrix *matrix, uint32_t leaf, uint32_t reg)
{
    uint32_t regs[4];

    matrix->env->cpuid(matrix->env->ctx, 0, leaf, regs);
    return regs[reg];
}

/* By words: some hosts emulate a guest's every instruction. */
void matrix_fill(const struct matrix *matrix, uint32_t page, uint8_t byte)
{
    volatile uint64_t *at = (volatile uint64_t *)(void *)matrix->env->page[page].at;

    for (uint32_t i = 0; i < MATRIX_PAGE_BYTES / sizeof(*at); i++)
        at[i] = byte * 0x0101010101010101ull;
}

bool matrix_is_filled(const struct matrix *matrix, uint32_t page, uint8_t byte)
{
    const volatile uint64_t *at = (const volatile uint64_t *)(const void *)matrix->env->page[page].at;

    for (uint32_t i = 0; i < MATRIX_PAGE_BYTES / sizeof(*at); i++)
        if (at[i] != byte * 0x0101010101010101ull)
            return false;
    return true;
}

uint32_t matrix_await(const struct matrix *matrix, uint32_t vp, uint32_t nr)
{
    enum { MS_NS = 1000000, MAX_MS = 1000, MOMENT_MS = 3 };
    const struct matrix_env *env = matrix->env;
    uint32_t came = 0;

    for (uint32_t ms = 0; ms < MAX_MS && came < nr; ms++) {
        came += env->interrupts(env->ctx, vp, env->vector);
        if (came < nr)
            env->wait(env->ctx, MS_NS);
    }
    env->wait(env->ctx, MOMENT_MS * MS_NS);
    return came + env->interrupts(env->ctx, vp, env->vector);
}

uint32_t matrix_points(const struct matrix *matrix)
{
    uint32_t points = 0;

    for (uint32_t v = 0; v < MATRIX_NR_VERDICTS; v++)
        points += matrix->nr[v];
    return points;
}
