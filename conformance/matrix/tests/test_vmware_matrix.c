/* The VMware matrix against the translator on the mock backend: with all features, and without each that can be off. */
#include "matrix.h"

#include <mock.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <hvshim/translators.h>

struct machine {
    struct mock mock;
    uint32_t nr_failures;
};

static void machine_cpuid(void *ctx, uint32_t vp, uint32_t leaf, uint32_t regs[4])
{
    struct hvs_cpuid_regs r = mock_cpuid(&((struct machine *)ctx)->mock, vp, leaf, 0);

    memcpy(regs, r.reg, sizeof(r.reg));
}

static const struct {
    uint8_t size_bytes;
    bool is_in, is_string;
} forms[] = {
    [MATRIX_IN_32] = {4, true, false}, [MATRIX_IN_16] = {2, true, false}, [MATRIX_IN_8] = {1, true, false},
    [MATRIX_OUT_32] = {4, false, false}, [MATRIX_OUT_8] = {1, false, false},
    [MATRIX_INS_8] = {1, true, true}, [MATRIX_OUTS_8] = {1, false, true},
};

static int machine_port(void *ctx, struct matrix_regs *regs, enum matrix_port how)
{
    struct mock *mock = &((struct machine *)ctx)->mock;
    const struct hvs_exit exit = {
        .kind = HVS_EXIT_PIO,
        .pio = {.port = (uint16_t)regs->rdx, .size_bytes = forms[how].size_bytes, .is_in = forms[how].is_in,
                .is_string = forms[how].is_string, .count = forms[how].is_string ? (uint32_t)regs->rcx : 1},
    };
    enum hvs_verdict verdict;

    mock->regs = (struct hvs_regs){
        .rax = regs->rax, .rbx = regs->rbx, .rcx = regs->rcx, .rdx = regs->rdx, .rsi = regs->rsi, .rdi = regs->rdi,
        .rbp = regs->rbp, .rflags = 2, .cpl = regs->cpl, .code_bits = 64, .cr0 = HVS_CR0_PE,
    };
    verdict = hvs_vcpu_exit(mock_vcpu(mock, 0), &exit, &mock->regs, &mock->out);
    if (verdict == HVS_FAULT)
        return mock->out.fault_vector;
    if (verdict == HVS_UNHANDLED)
        return MATRIX_NO_FAULT;
    regs->rax = mock->regs.rax;
    regs->rbx = mock->regs.rbx;
    regs->rcx = mock->regs.rcx;
    regs->rdx = mock->regs.rdx;
    regs->rsi = mock->regs.rsi;
    regs->rdi = mock->regs.rdi;
    regs->rbp = mock->regs.rbp;
    return MATRIX_NO_FAULT;
}

static void machine_wait(void *ctx, uint64_t ns)
{
    mock_advance(&((struct machine *)ctx)->mock, ns);
}

static void machine_report(void *ctx, const struct matrix_result *r)
{
    if (r->verdict != MATRIX_ERROR && r->verdict != MATRIX_FAILURE)
        return;
    ((struct machine *)ctx)->nr_failures++;
    printf("FAILURE %s: %s [%s] %s (at 0x%" PRIx64 ", got 0x%" PRIx64 ")\n", r->subject, r->check, r->ref,
           r->why ? r->why : "", r->at, r->got);
}

static void run(struct matrix *matrix, const char *off)
{
    static struct machine machine;
    struct matrix_env env = {
        .ctx = &machine, .nr_vps = 1, .phys_bits = 40, .hole_gpa = MOCK_RAM_BYTES,
        .can = MATRIX_CAN_CPL3_PORT | MATRIX_MAY_ACT, .uuid = machine.mock.config.uuid, .cpuid = machine_cpuid,
        .port = machine_port, .wait = machine_wait, .report = machine_report,
    };

    machine.nr_failures = 0;
    mock_config(&machine.mock, (const struct hvs_personality *const[]){&hvs_vmw_personality, NULL}, 1);
    if (off)
        machine.mock.config.slot[0].features_off = 1ull << hvs_feature_find(&hvs_vmw_personality, off);
    for (uint8_t i = 0; i < sizeof(machine.mock.config.uuid); i++)
        machine.mock.config.uuid[i] = 0x80 + i;
    assert_int_equal(mock_start(&machine.mock), HVS_OK);
    hvs_vm_set_wall_clock(machine.mock.vm, 1700000000000000000);
    for (uint32_t i = 0; i < MATRIX_NR_PAGES; i++) {
        env.page[i].gpa = 0x20000 + i * MATRIX_PAGE_BYTES;
        env.page[i].at = machine.mock.ram + env.page[i].gpa;
    }
    matrix_init(matrix, &env);
    matrix_vmware(matrix);
    mock_stop(&machine.mock);
    printf("without %s: %u points, %u SUCCESS, %u SKIP\n", off ? off : "nothing", matrix_points(matrix),
           matrix->nr[MATRIX_SUCCESS], matrix->nr[MATRIX_SKIP]);
    assert_int_equal(machine.nr_failures, 0);
}

static void test_with_all_features(void **state)
{
    struct matrix matrix;

    (void)state;
    run(&matrix, NULL);
    assert_int_equal(matrix.nr[MATRIX_SKIP], 1);        /* the mock has no RDPMC */
    assert_true(matrix.nr[MATRIX_SUCCESS] >= 500);
}

static void test_without_each_feature(void **state)
{
    static const char *const off[] = {
        "vmware-cpuid-freq", "guestrpc", "guestrpc-hb", "stealclock", "balloon", "vmmouse",
    };
    struct matrix matrix;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(off); i++)
        run(&matrix, off[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_all_features),
        cmocka_unit_test(test_without_each_feature),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
