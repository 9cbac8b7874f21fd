/*
 * The Hyper-V matrix against the translator on the mock backend: with all features, with each one off, with the fewest.
 *
 * Deviations that we know and have an opinion of are in MATRIX_EXPECTED, a line "subject: check" each.
 */
#include "matrix.h"

#include <mock.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hvshim/hyperv.h>
#include <hvshim/translators.h>

enum {
    NR_VPS = 4,
    ACCESS_NS = 100,            /* what an access takes: the reference counter has this resolution */
    STEP_NS = 100000,
    ICR_SELF = 1 << 18,
    ICR_WORD = 0x300 / 16,
    MAX_KNOWN = 64,
    MAX_LINE = 256,
};

static struct {
    char line[MAX_LINE];
    uint32_t hits;
} known[MAX_KNOWN];
static uint32_t nr_known;

struct machine {
    struct mock mock;
    uint32_t came[NR_VPS][256];
    bool has_ended;
    uint32_t nr_unexpected;
};

/* --- the mock as the machine under test --------------------------------------------------------------------------- */

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

static bool is_known(const struct matrix_result *r)
{
    char line[MAX_LINE];

    snprintf(line, sizeof(line), "%s: %s", r->subject, r->check);
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
        printf("%d %s: %s%s%s\n", r->verdict, r->subject, r->check, r->why ? " | " : "", r->why ? r->why : "");
    if ((r->verdict != MATRIX_ERROR && r->verdict != MATRIX_FAILURE) || is_known(r))
        return;
    machine->nr_unexpected++;
    printf("FAILURE %s: %s [%s] %s (at 0x%" PRIx64 ", got 0x%" PRIx64 ")\n", r->subject, r->check, r->ref,
           r->why ? r->why : "", r->at, r->got);
}

/* --- the configurations ------------------------------------------------------------------------------------------- */

/* A host that offers whatever a host can; it has no connection and no device. */
static enum hvs_hv_status message_posted(void *ctx, uint32_t vp, uint32_t connection, uint32_t type,
                                         const void *payload,
                                         uint32_t payload_bytes)
{
    (void)ctx, (void)vp, (void)connection, (void)type, (void)payload, (void)payload_bytes;
    return HVS_HV_INVALID_CONNECTION_ID;
}

static enum hvs_hv_status event_signalled(void *ctx, uint32_t vp, uint32_t connection, uint32_t flag)
{
    (void)ctx, (void)vp, (void)connection, (void)flag;
    return HVS_HV_INVALID_CONNECTION_ID;
}

static enum hvs_hv_status interrupt_retargeted(void *ctx, uint32_t vp, const struct hvs_hv_device_interrupt *to)
{
    (void)ctx, (void)vp, (void)to;
    return HVS_HV_INVALID_PARAMETER;
}

static uint32_t debug_sent(void *ctx, uint32_t vp, bool is_frame, const void *data, uint32_t bytes)
{
    (void)ctx, (void)vp, (void)is_frame, (void)data;
    return bytes;
}

static uint32_t debug_wanted(void *ctx, uint32_t vp, bool is_frame, void *data, uint32_t capacity)
{
    (void)ctx, (void)vp, (void)is_frame, (void)data, (void)capacity;
    return 0;
}

static void debug_reset(void *ctx, uint32_t vp, bool drop_incoming, bool drop_outgoing,
                        struct hvs_hv_debug_peers *peers)
{
    (void)ctx, (void)vp, (void)drop_incoming, (void)drop_outgoing;
    *peers = (struct hvs_hv_debug_peers){.host_ip = 0x0a000001};
}

static const struct hvs_hv_zeroed_range zeroed[] = {{0x40, 0x20}, {0x80, 1}};
static const struct hvs_hv_host host = {
    .size = sizeof(host),
    .message_posted = message_posted,
    .event_signalled = event_signalled,
    .interrupt_retargeted = interrupt_retargeted,
    .debug_sent = debug_sent,
    .debug_wanted = debug_wanted,
    .debug_reset = debug_reset,
    .zeroed_range = zeroed,
    .nr_zeroed_ranges = HVS_ARRAY_SIZE(zeroed),
    .partition_id = 0x123456,
};

static void configure(struct mock *mock)
{
    static const struct hvs_personality *const list[] = {&hvs_hv_personality, NULL};
    static const struct hvs_hv_options options = {.size = sizeof(options), .host = &host};

    mock_config(mock, list, NR_VPS);
    mock->config.slot[0].options = &options;
}

static void start(struct machine *machine, uint64_t on, uint64_t off)
{
    memset(machine, 0, sizeof(*machine));
    configure(&machine->mock);
    machine->mock.config.slot[0].features_on = on;
    machine->mock.config.slot[0].features_off = off;
    assert_int_equal(mock_start(&machine->mock), HVS_OK);
}

/* Runs the matrix and says what came out; the number of points that went wrong and are not known. */
static uint32_t run(struct machine *machine, struct matrix *matrix, const char *what)
{
    struct matrix_env env = {
        .ctx = machine, .nr_vps = NR_VPS, .phys_bits = machine->mock.config.phys_bits, .hole_gpa = MOCK_RAM_BYTES,
        .can = MATRIX_CAN_CPL3 | MATRIX_CAN_CALL32 | MATRIX_CAN_REAL_MODE | MATRIX_CAN_CALL_EARLY | MATRIX_IS_FRESH,
        .vector = 0x30, .cpuid = machine_cpuid, .rdmsr = machine_rdmsr, .wrmsr = machine_wrmsr,
        .hypercall = machine_hypercall, .tsc = machine_tsc, .wait = machine_wait, .interrupts = machine_interrupts,
        .has_ended = machine_has_ended, .renew = machine_renew, .report = machine_report,
    };

    for (uint32_t i = 0; i < MATRIX_NR_PAGES; i++) {
        env.page[i].gpa = 0x20000 + i * MATRIX_PAGE_BYTES;
        env.page[i].at = machine->mock.ram + env.page[i].gpa;
    }
    matrix_init(matrix, &env);
    matrix_hyperv(matrix);
    mock_stop(&machine->mock);
    printf("%s: %u points, %u SUCCESS, %u SKIP, %u ERROR, %u FAILURE\n", what, matrix_points(matrix),
           matrix->nr[MATRIX_SUCCESS], matrix->nr[MATRIX_SKIP], matrix->nr[MATRIX_ERROR], matrix->nr[MATRIX_FAILURE]);
    return machine->nr_unexpected;
}

static uint64_t with_needs(uint32_t feature)
{
    uint64_t set = 1ull << feature;

    for (uint32_t round = 0; round < hvs_hv_personality.nr_features; round++)
        for (uint32_t f = 0; f < hvs_hv_personality.nr_features; f++)
            set |= set >> f & 1 ? hvs_hv_personality.feature[f].needs : 0;
    return set;
}

/* All that can be had on this backend. */
static uint64_t every_feature(void)
{
    uint64_t set = 0;
    struct mock mock;
    size_t bytes;

    for (uint32_t f = 0; f < hvs_hv_personality.nr_features; f++) {
        configure(&mock);
        mock.config.slot[0].features_on = with_needs(f);
        if (hvs_vm_size(&mock.config, &bytes) == HVS_OK)
            set |= 1ull << f;
    }
    return set;
}

/* A feature and all that need it. */
static uint64_t with_dependants(uint32_t feature)
{
    uint64_t set = 1ull << feature;

    for (uint32_t round = 0; round < hvs_hv_personality.nr_features; round++)
        for (uint32_t f = 0; f < hvs_hv_personality.nr_features; f++)
            if (hvs_hv_personality.feature[f].needs & set)
                set |= 1ull << f;
    return set;
}

static void test_all(void **state)
{
    struct machine machine;
    struct matrix matrix;

    (void)state;
    start(&machine, every_feature(), 0);
    assert_int_equal(run(&machine, &matrix, "all features"), 0);
    assert_true(matrix_points(&matrix) >= 400);
}

static void test_default(void **state)
{
    struct machine machine;
    struct matrix matrix;

    (void)state;
    start(&machine, 0, 0);
    assert_int_equal(run(&machine, &matrix, "default features"), 0);
}

static void test_one_off(void **state)
{
    struct machine machine;
    struct matrix matrix;
    uint32_t nr_wrong = 0;

    (void)state;
    for (uint32_t f = 0; f < hvs_hv_personality.nr_features; f++) {
        uint64_t off = with_dependants(f);

        start(&machine, every_feature() & ~off, off);
        nr_wrong += run(&machine, &matrix, hvs_hv_personality.feature[f].name);
    }
    assert_int_equal(nr_wrong, 0);
}

static void test_fewest(void **state)
{
    struct machine machine;
    struct matrix matrix;

    (void)state;
    start(&machine, 0, every_feature());
    assert_int_equal(run(&machine, &matrix, "no feature"), 0);
}

/* Runs last: all that is known still happens. */
static void test_known(void **state)
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

static int read_known(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_one_off),
        cmocka_unit_test(test_fewest),
        cmocka_unit_test(test_known),
    };

    return cmocka_run_group_tests(tests, read_known, NULL);
}
