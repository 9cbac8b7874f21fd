/* The mock backend as the machine under test of a matrix. See machine.h. */
#include "machine.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    NR_VPS = MACHINE_NR_VPS,
    ACCESS_NS = 100,            /* what an access takes: the reference counter has this resolution */
    STEP_NS = 100000,
    ICR_SELF = 1 << 18,
    ICR_WORD = 0x300 / 16,
    MAX_KNOWN = 256,
    MAX_LINE = 256,
};

static struct {
    char line[MAX_LINE];
    uint32_t hits;
} known[MAX_KNOWN];
static uint32_t nr_known;

/* --- the machine -------------------------------------------------------------------------------------------------- */

static void interrupt(struct machine *machine, uint32_t vp, uint8_t vector)
{
    assert_true(vp < NR_VPS);
    machine->came[vp][vector]++;
}

/* What the last exit wanted to happen. */
static void apply(struct machine *machine)
{
    const struct hvs_outcome *out = &machine->mock.out;

    for (uint32_t i = 0; i < out->nr_effects; i++) {
        const struct hvs_effect *effect = &out->effect[i];

        if (effect->kind == HVS_EFFECT_VM_STOP)
            machine->has_ended = true;
        if (effect->kind != HVS_EFFECT_INJECT)
            continue;
        for (uint32_t vp = 0; vp < NR_VPS; vp++)
            if (effect->target == HVS_TARGET_SET ? hvs_vpset_has(&out->set, vp) : effect->vp == vp)
                interrupt(machine, vp, effect->vector);
    }
}

static void run_timers(struct machine *machine)
{
    for (uint32_t vp = 0; vp < NR_VPS; vp++) {
        if (hvs_vcpu_deadline_ns(mock_vcpu(&machine->mock, vp)) > hvs_vm_now_ns(machine->mock.vm))
            continue;
        mock_timer(&machine->mock, vp);
        apply(machine);
    }
}

static void pass(struct machine *machine, uint64_t ns)
{
    mock_advance(&machine->mock, ns);
    for (uint32_t vp = 0; vp < NR_VPS; vp++)
        machine->mock.vcpu_time[vp].ran_ns += ns;
    run_timers(machine);
}

static int fault_of(struct machine *machine, enum hvs_verdict verdict)
{
    apply(machine);
    pass(machine, ACCESS_NS);
    if (verdict == HVS_FAULT)
        return machine->mock.out.fault_vector;
    return verdict == HVS_HANDLED ? MATRIX_NO_FAULT : MATRIX_GP;
}

static void machine_cpuid(void *ctx, uint32_t vp, uint32_t leaf, uint32_t regs[4])
{
    struct machine *machine = ctx;
    struct hvs_cpuid_regs r = mock_cpuid(&machine->mock, vp, leaf, 0);

    memcpy(regs, r.reg, sizeof(r.reg));
}

static int machine_rdmsr(void *ctx, uint32_t vp, uint32_t index, uint64_t *value)
{
    struct machine *machine = ctx;
    enum hvs_verdict verdict = mock_rdmsr(&machine->mock, vp, index, value);

    return fault_of(machine, verdict);
}

static int machine_wrmsr(void *ctx, uint32_t vp, uint32_t index, uint64_t value)
{
    struct machine *machine = ctx;
    uint32_t nr_writes = machine->mock.nr_apic_writes;
    enum hvs_verdict verdict = mock_wrmsr(&machine->mock, vp, index, value);
    uint64_t icr = machine->mock.apic[vp][ICR_WORD];

    if (machine->mock.nr_apic_writes != nr_writes && (icr & ICR_SELF)) {
        interrupt(machine, vp, (uint8_t)icr);
        machine->mock.apic[vp][ICR_WORD] = 0;
    }
    return fault_of(machine, verdict);
}

static int machine_hypercall(void *ctx, struct matrix_regs *regs)
{
    struct machine *machine = ctx;
    struct mock *mock = &machine->mock;

    mock->regs = (struct hvs_regs){
        .rax = regs->rax, .rbx = regs->rbx, .rcx = regs->rcx, .rdx = regs->rdx, .rsi = regs->rsi, .rdi = regs->rdi,
        .rbp = regs->rbp, .r8 = regs->r8, .r9 = regs->r9, .r10 = regs->r10, .r11 = regs->r11, .r12 = regs->r12,
        .r13 = regs->r13, .r14 = regs->r14, .r15 = regs->r15, .rip = 0x10002, .rflags = 2, .cpl = regs->cpl,
        .code_bits = regs->is_real_mode ? 16 : regs->code_bits, .cr0 = regs->is_real_mode ? 0 : HVS_CR0_PE,
        .efer = regs->code_bits == 64 ? HVS_EFER_LMA : 0,
    };
    memcpy(mock->xmm, regs->xmm, sizeof(regs->xmm));
    enum hvs_verdict verdict = mock_hypercall(mock, 0, 0);
    while (verdict == HVS_RETRY)
        verdict = mock_hypercall(mock, 0, 0);
    const struct hvs_regs *r = &mock->regs;
    regs->rax = r->rax;
    regs->rbx = r->rbx;
    regs->rcx = r->rcx;
    regs->rdx = r->rdx;
    regs->rsi = r->rsi;
    regs->rdi = r->rdi;
    regs->rbp = r->rbp;
    regs->r8 = r->r8;
    regs->r9 = r->r9;
    regs->r10 = r->r10;
    regs->r11 = r->r11;
    regs->r12 = r->r12;
    regs->r13 = r->r13;
    regs->r14 = r->r14;
    regs->r15 = r->r15;
    memcpy(regs->xmm, mock->xmm, sizeof(regs->xmm));
    return fault_of(machine, verdict);
}

static int machine_wrmsr32(void *ctx, uint32_t index, uint64_t value)
{
    struct machine *machine = ctx;

    machine->mock.regs.code_bits = 32;
    int fault = machine_wrmsr(machine, 0, index, value);
    machine->mock.regs.code_bits = 64;
    return fault;
}

static uint8_t *machine_memory(void *ctx, uint64_t gpa)
{
    return gpa < MOCK_RAM_BYTES ? ((struct machine *)ctx)->mock.ram + gpa : NULL;
}

static uint64_t machine_tsc(void *ctx)
{
    return mock_tsc(&((struct machine *)ctx)->mock);
}

static void machine_wait(void *ctx, uint64_t ns)
{
    for (; ns > STEP_NS; ns -= STEP_NS)
        pass(ctx, STEP_NS);
    pass(ctx, ns);
}

static uint32_t machine_interrupts(void *ctx, uint32_t vp, uint8_t vector)
{
    struct machine *machine = ctx;
    uint32_t came = machine->came[vp][vector];

    machine->came[vp][vector] = 0;
    return came;
}

static bool machine_has_ended(void *ctx)
{
    return ((struct machine *)ctx)->has_ended;
}

static void machine_renew(void *ctx)
{
    struct machine *machine = ctx;

    for (uint32_t vp = 0; vp < NR_VPS; vp++)
        mock_reset(&machine->mock, vp);
    machine->has_ended = false;
}

/* --- what is known ------------------------------------------------------------------------------------------------ */

static bool is_known(const struct matrix_result *r)
{
    char line[MAX_LINE];

    snprintf(line, sizeof(line), "%s: %s%s", r->subject, r->check, r->variant ? r->variant : "");
    for (uint32_t i = 0; i < nr_known; i++) {
        if (strcmp(known[i].line, line) != 0)
            continue;
        known[i].hits++;
        return true;
    }
    return false;
}

static void machine_report(void *ctx, const struct matrix_result *r)
{
    struct machine *machine = ctx;

    if (getenv("MATRIX_ALL"))
        printf("%d %s: %s%s%s%s\n", r->verdict, r->subject, r->check, r->variant ? r->variant : "", r->why ? " | " : "",
               r->why ? r->why : "");
    if ((r->verdict != MATRIX_ERROR && r->verdict != MATRIX_FAILURE) || is_known(r))
        return;
    machine->nr_unexpected++;
    printf("FAILURE %s: %s%s [%s] %s (at 0x%" PRIx64 ", got 0x%" PRIx64 ")\n", r->subject, r->check,
           r->variant ? r->variant : "", r->ref, r->why ? r->why : "", r->at, r->got);
}

void machine_env(struct machine *machine, struct matrix_env *env)
{
    *env = (struct matrix_env){
        .ctx = machine, .nr_vps = NR_VPS, .phys_bits = machine->mock.config.phys_bits, .hole_gpa = MOCK_RAM_BYTES,
        .can = MATRIX_CAN_CPL3 | MATRIX_CAN_CALL32 | MATRIX_CAN_CALL32_CPL3 | MATRIX_CAN_REAL_MODE |
               MATRIX_CAN_CALL_EARLY | MATRIX_IS_FRESH,
        .vector = 0x30, .cpuid = machine_cpuid, .rdmsr = machine_rdmsr, .wrmsr = machine_wrmsr,
        .wrmsr32 = machine_wrmsr32, .hypercall = machine_hypercall, .memory = machine_memory, .tsc = machine_tsc,
        .wait = machine_wait, .interrupts = machine_interrupts, .has_ended = machine_has_ended,
        .renew = machine_renew, .report = machine_report,
    };
    for (uint32_t i = 0; i < MATRIX_NR_PAGES; i++) {
        env->page[i].gpa = 0x20000 + i * MATRIX_PAGE_BYTES;
        env->page[i].at = machine->mock.ram + env->page[i].gpa;
    }
}

uint32_t machine_end(struct machine *machine, const struct matrix *matrix, const char *what)
{
    mock_stop(&machine->mock);
    printf("%s: %u points, %u SUCCESS, %u SKIP, %u ERROR, %u FAILURE\n", what, matrix_points(matrix),
           matrix->nr[MATRIX_SUCCESS], matrix->nr[MATRIX_SKIP], matrix->nr[MATRIX_ERROR], matrix->nr[MATRIX_FAILURE]);
    return machine->nr_unexpected;
}

void machine_test_known(void **state)
{
    uint32_t nr_stale = 0;

    (void)state;
    for (uint32_t i = 0; i < nr_known; i++) {
        if (known[i].hits == 0)
            printf("expected, but it does not happen: %s\n", known[i].line);
        nr_stale += known[i].hits == 0;
    }
    assert_int_equal(nr_stale, 0);
}

int machine_read_known(void **state)
{
    FILE *file = fopen(MATRIX_EXPECTED, "r");
    char line[MAX_LINE];

    (void)state;
    if (!file)
        return -1;
    while (nr_known < MAX_KNOWN && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '#' && line[0] != '\0')
            memcpy(known[nr_known++].line, line, sizeof(line));
    }
    return fclose(file);
}
