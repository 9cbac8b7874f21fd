/*
 * The KVM matrix: hypercalls [hypercalls.rst]. There is no page for them: guests write VMCALL or VMMCALL into their code.
 *
 * Left out: KVM_HC_MAP_GPA_RANGE where it is there (only guests with encrypted memory have it).
 */
#include "kvm.h"

enum { EBX = 1, ICR_FIXED = 0, ICR_SHORTHAND_SELF = 0x40000, OP_RET = 0xc3, PAIRING_WALLCLOCK = 0 };
enum { SEC, NSEC, TSC, FLAGS };         /* of kvm_clock_pairing, 8 bytes each but the last */
#define NOBODY 200u                     /* an APIC id that no vCPU has */
#define AUTHENTIC_EBX 0x68747541u       /* "Auth", of AuthenticAMD */
#define HYGON_EBX 0x6f677948u

static void write_code(const struct kvm *k, uint8_t last)
{
    volatile uint8_t *code = k->env->page[KVM_PAGE_CODE].at;

    code[0] = 0x0f;
    code[1] = 0x01;
    code[2] = last;
    code[3] = OP_RET;
}

static uint8_t own_instruction(const struct kvm *k)
{
    uint32_t vendor = matrix_cpuid(k->matrix, 0, EBX);

    return vendor == AUTHENTIC_EBX || vendor == HYGON_EBX ? 0xd9 : 0xc1;
}

static struct matrix_regs regs_of(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return (struct matrix_regs){.rax = nr, .rbx = a, .rcx = b, .rdx = c, .rsi = d, .code_bits = 64};
}

enum { FAULTED = INT32_MIN };

static int64_t call(struct kvm *k, uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct matrix_regs regs = regs_of(nr, a, b, c, d);

    write_code(k, own_instruction(k));
    return k->env->hypercall(k->env->ctx, &regs) == MATRIX_NO_FAULT ? (int64_t)regs.rax : FAULTED;
}

static enum matrix_verdict expect(struct kvm *k, int64_t want, int64_t got)
{
    return got == want ? MATRIX_SUCCESS
                       : matrix_fail(k->matrix, got == FAULTED ? "it faults" : "another result", (uint64_t)want,
                                     (uint64_t)got);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

struct row {
    const char *subject, *check;
    enum kvm_feature need, lacks;       /* lacks: KVM_ALWAYS: nothing */
    uint64_t nr, arg[4];
    int64_t want, or_want;
};
#define CALL(name, check, need, want, ...) {#name, check, need, KVM_ALWAYS, name, {__VA_ARGS__}, want, want}
#define ABSENT(name, feature) {#name, "is not there", KVM_ALWAYS, feature, name, {0}, -KVM_ENOSYS, -KVM_ENOSYS}
#define NO_CALL(number) {"hypercall " #number, "is not there", KVM_ALWAYS, KVM_ALWAYS, number, {0}, -KVM_ENOSYS, \
                         -KVM_ENOSYS}
static const struct row rows[] = {
    CALL(KVM_HC_VAPIC_POLL_IRQ, "does nothing", KVM_ALWAYS, 0, 0),
    CALL(KVM_HC_MMU_OP, "is gone", KVM_ALWAYS, -KVM_ENOSYS, 0),
    CALL(KVM_HC_FEATURES, "is gone", KVM_ALWAYS, -KVM_ENOSYS, 0),
    ABSENT(KVM_HC_KICK_CPU, KVM_FEATURE_PV_UNHALT), ABSENT(KVM_HC_SEND_IPI, KVM_FEATURE_PV_SEND_IPI),
    ABSENT(KVM_HC_SCHED_YIELD, KVM_FEATURE_PV_SCHED_YIELD),
    ABSENT(KVM_HC_MAP_GPA_RANGE, KVM_FEATURE_HC_MAP_GPA_RANGE),
    CALL(KVM_HC_KICK_CPU, "oneself", KVM_FEATURE_PV_UNHALT, 0, 0, 0),
    CALL(KVM_HC_KICK_CPU, "somebody who is not there", KVM_FEATURE_PV_UNHALT, 0, 0, NOBODY),
    CALL(KVM_HC_SCHED_YIELD, "to oneself", KVM_FEATURE_PV_SCHED_YIELD, 0, 0),
    CALL(KVM_HC_SCHED_YIELD, "to somebody who is not there", KVM_FEATURE_PV_SCHED_YIELD, 0, NOBODY),
    CALL(KVM_HC_SEND_IPI, "to nobody", KVM_FEATURE_PV_SEND_IPI, 0, 0, 0, 0, 0x30),
    CALL(KVM_HC_SEND_IPI, "to somebody who is not there", KVM_FEATURE_PV_SEND_IPI, 0, 1, 0, NOBODY, 0x30),
    CALL(KVM_HC_SEND_IPI, "by a shorthand", KVM_FEATURE_PV_SEND_IPI, -KVM_EINVAL, 1, 0, 0, ICR_SHORTHAND_SELF | 0x30),
    {"KVM_HC_CLOCK_PAIRING", "of another clock", KVM_ALWAYS, KVM_ALWAYS, KVM_HC_CLOCK_PAIRING, {0, 1},
     -KVM_EOPNOTSUPP, -KVM_ENOSYS},
    NO_CALL(0), NO_CALL(4), NO_CALL(6), NO_CALL(7), NO_CALL(8), NO_CALL(13), NO_CALL(0xffff), NO_CALL(0xffffffff),
    NO_CALL(0x8000000000000001), NO_CALL(0xffffffffffffffff),
};

static enum matrix_verdict ask_row(struct kvm *k, const struct row *row)
{
    if (!kvm_has(k, row->need))
        return matrix_skip(k->matrix, "absent as advertised");
    if (row->lacks != KVM_ALWAYS && kvm_has(k, row->lacks))
        return matrix_skip(k->matrix, "present");
    int64_t got = call(k, row->nr, row->arg[0], row->arg[1], row->arg[2], row->arg[3]);

    return got == row->or_want ? MATRIX_SUCCESS : expect(k, row->want, got);
}

/* --- points ------------------------------------------------------------------------------------------------------- */

static enum matrix_verdict send(struct kvm *k, uint32_t vp)
{
    if (!k->env->interrupts || !k->env->wait)
        return matrix_skip(k->matrix, "interrupts are not seen here");
    if (vp >= k->env->nr_vps)
        return matrix_skip(k->matrix, "there is one vCPU");
    matrix_await(k->matrix, vp, 0);
    k->env->interrupts(k->env->ctx, vp, k->env->vector);
    int64_t got = call(k, KVM_HC_SEND_IPI, 1, 0, vp, ICR_FIXED | k->env->vector);
    if (got != 1)
        return expect(k, 1, got);
    uint32_t came = matrix_await(k->matrix, vp, 1);
    return came == 1 ? MATRIX_SUCCESS : matrix_fail(k->matrix, "it did not come once", 1, came);
}

static enum matrix_verdict send_self(struct kvm *k)
{
    return send(k, 0);
}

static enum matrix_verdict send_other(struct kvm *k)
{
    return send(k, 1);
}

static enum matrix_verdict send_two(struct kvm *k)
{
    if (k->env->nr_vps < 2)
        return matrix_skip(k->matrix, "there is one vCPU");
    int64_t got = call(k, KVM_HC_SEND_IPI, 3, 0, 0, ICR_FIXED | k->env->vector);
    if (k->env->wait)
        matrix_await(k->matrix, 0, 1);
    return expect(k, 2, got);
}

static enum matrix_verdict pairing(struct kvm *k)
{
    volatile uint64_t *at = (volatile void *)k->env->page[KVM_PAGE_AREA].at;

    matrix_fill(k->matrix, KVM_PAGE_AREA, 0);
    int64_t got = call(k, KVM_HC_CLOCK_PAIRING, k->env->page[KVM_PAGE_AREA].gpa, PAIRING_WALLCLOCK, 0, 0);
    if (got == -KVM_EOPNOTSUPP || got == -KVM_ENOSYS)
        return matrix_skip(k->matrix, "the host's clock is not the TSC");
    if (got != 0)
        return expect(k, 0, got);
    if (at[SEC] == 0 || at[NSEC] >= 1000000000 || at[TSC] == 0)
        return matrix_fail(k->matrix, "no time", at[SEC], at[NSEC]);
    return (uint32_t)at[FLAGS] ? matrix_fail(k->matrix, "an unknown flag", 0, at[FLAGS]) : MATRIX_SUCCESS;
}

static enum matrix_verdict pairing_nowhere(struct kvm *k)
{
    int64_t got = call(k, KVM_HC_CLOCK_PAIRING, k->env->hole_gpa, PAIRING_WALLCLOCK, 0, 0);

    if (got == -KVM_EOPNOTSUPP || got == -KVM_ENOSYS)
        return matrix_skip(k->matrix, "the host's clock is not the TSC");
    return expect(k, -KVM_EFAULT, got);
}

static enum matrix_verdict at_cpl3(struct kvm *k, uint64_t nr)
{
    struct matrix_regs regs = regs_of(nr, 0, 0, 0, 0);

    if (!(k->env->can & MATRIX_CAN_CPL3))
        return matrix_skip(k->matrix, "CPL 3 cannot be had here");
    regs.cpl = 3;
    write_code(k, own_instruction(k));
    int fault = k->env->hypercall(k->env->ctx, &regs);
    return fault == MATRIX_NO_FAULT ? expect(k, -KVM_EPERM, (int64_t)regs.rax)
                                    : matrix_fail(k->matrix, "it faults", 3, (uint64_t)fault);
}

static enum matrix_verdict known_at_cpl3(struct kvm *k)
{
    return at_cpl3(k, KVM_HC_VAPIC_POLL_IRQ);
}

static enum matrix_verdict unknown_at_cpl3(struct kvm *k)
{
    return at_cpl3(k, 0xffff);
}

/* Guests that do not look at the vendor call by either; the host mends the other in their code. */
static enum matrix_verdict either_instruction(struct kvm *k)
{
    struct matrix_regs regs = regs_of(KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0);

    write_code(k, own_instruction(k) == 0xd9 ? 0xc1 : 0xd9);
    int fault = k->env->hypercall(k->env->ctx, &regs);
    return fault == MATRIX_NO_FAULT ? expect(k, 0, (int64_t)regs.rax)
                                    : matrix_fail(k->matrix, "it faults", 0, (uint64_t)fault);
}

static enum matrix_verdict keeps_registers(struct kvm *k)
{
    struct matrix_regs regs = regs_of(KVM_HC_VAPIC_POLL_IRQ, 0x1111, 0x2222, 0x3333, 0x4444);
    regs.rdi = 0x5555;
    regs.r8 = 0x8888;
    regs.r11 = 0xbbbb;
    regs.r15 = 0xffff;

    write_code(k, own_instruction(k));
    if (k->env->hypercall(k->env->ctx, &regs) != MATRIX_NO_FAULT)
        return matrix_fail(k->matrix, "it faults", 0, 0);
    return regs.rbx == 0x1111 && regs.rcx == 0x2222 && regs.rdx == 0x3333 && regs.rsi == 0x4444 && regs.rdi == 0x5555 &&
                   regs.r8 == 0x8888 && regs.r11 == 0xbbbb && regs.r15 == 0xffff
               ? MATRIX_SUCCESS : matrix_fail(k->matrix, "a register but RAX changed", regs.rbx, regs.rcx);
}

/* In 32-bit code the number is EAX, and the result a 32-bit one. */
static enum matrix_verdict by_32_bit_code(struct kvm *k, uint64_t nr, int32_t want)
{
    struct matrix_regs regs = regs_of(nr, 0, 0, 0, 0);

    if (!(k->env->can & MATRIX_CAN_CALL32))
        return matrix_skip(k->matrix, "32-bit code cannot be had here");
    regs.code_bits = 32;
    write_code(k, own_instruction(k));
    if (k->env->hypercall(k->env->ctx, &regs) != MATRIX_NO_FAULT)
        return matrix_fail(k->matrix, "it faults", 32, 0);
    return expect(k, want, (int32_t)regs.rax);
}

static enum matrix_verdict known_32(struct kvm *k)
{
    return by_32_bit_code(k, KVM_HC_VAPIC_POLL_IRQ, 0);
}

static enum matrix_verdict unknown_32(struct kvm *k)
{
    return by_32_bit_code(k, 0xffff, -KVM_ENOSYS);
}

static const struct kvm_point points[] = {
    {"KVM_HC_SEND_IPI", "to oneself", "hypercalls.rst", KVM_FEATURE_PV_SEND_IPI, send_self},
    {"KVM_HC_SEND_IPI", "to another vCPU", "hypercalls.rst", KVM_FEATURE_PV_SEND_IPI, send_other},
    {"KVM_HC_SEND_IPI", "counts those who get it", "hypercalls.rst", KVM_FEATURE_PV_SEND_IPI, send_two},
    {"KVM_HC_CLOCK_PAIRING", "tells both clocks", "hypercalls.rst", KVM_ALWAYS, pairing},
    {"KVM_HC_CLOCK_PAIRING", "to where nothing is", "hypercalls.rst", KVM_ALWAYS, pairing_nowhere},
    {"a hypercall", "from CPL 3", "hypercalls.rst", KVM_ALWAYS, known_at_cpl3},
    {"a hypercall", "that is not there, from CPL 3", "hypercalls.rst", KVM_ALWAYS, unknown_at_cpl3},
    {"a hypercall", "by the other vendor's instruction", "hypercalls.rst", KVM_ALWAYS, either_instruction},
    {"a hypercall", "keeps registers", "hypercalls.rst", KVM_ALWAYS, keeps_registers},
    {"a hypercall", "by 32-bit code", "hypercalls.rst", KVM_ALWAYS, known_32},
    {"a hypercall", "that is not there, by 32-bit code", "hypercalls.rst", KVM_ALWAYS, unknown_32},
};

void kvm_ask_calls(struct kvm *k)
{
    matrix_chapter(k->matrix, "KVM hypercalls");
    if (!(k->env->can & MATRIX_CAN_VMCALL)) {
        if (matrix_begin(k->matrix, "a hypercall", "comes back", "hypercalls.rst"))
            matrix_end(k->matrix, matrix_skip(k->matrix, "on some hosts it does not: not asked for"));
        return;
    }
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (matrix_begin(k->matrix, rows[i].subject, rows[i].check, "hypercalls.rst"))
            matrix_end(k->matrix, ask_row(k, &rows[i]));
    }
    kvm_run_points(k, points, sizeof(points) / sizeof(points[0]));
}
