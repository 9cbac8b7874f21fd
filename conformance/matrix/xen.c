/*
 * The Xen matrix: who calls, structures in both widths, tables of calls, and the order of the chapters.
 *
 * The machine is asked for what a domain without privileges may do. Chapters leave shared_info, the grant table and
 * the hypercall page where they are: Xen has no way back from these.
 */
#include "xen_matrix.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/version.h>

enum { EAX, EBX, ECX, EDX, STUB_BYTES = 32 };
#define LEAVES_BEGIN 0x40000000u
#define LEAVES_END 0x40010000u
#define LEAVES_STEP 0x100u

/* --- memory ------------------------------------------------------------------------------------------------------- */

uint64_t xm_gpa(const struct xen *x, uint32_t page)
{
    return x->env->page[page].gpa;
}

uint64_t xm_gfn(const struct xen *x, uint32_t page)
{
    return xm_gpa(x, page) / MATRIX_PAGE_BYTES;
}

uint8_t *xm_page(const struct xen *x, uint32_t page)
{
    return x->env->page[page].at;
}

uint32_t xm_load(const uint8_t *at)
{
    return *(const volatile uint32_t *)(const void *)at;
}

uint64_t xm_load64(const uint8_t *at)
{
    return xm_load(at) | (uint64_t)xm_load(at + 4) << 32;
}

void xm_store32(uint8_t *at, uint32_t value)
{
    *(volatile uint32_t *)(void *)at = value;
}

/* --- structures --------------------------------------------------------------------------------------------------- */

static uint32_t width(const struct xen *x, char field)
{
    return field == 'l' ? x->bits / 8u : (uint32_t)(field - '0');
}

static uint32_t align(const struct xen *x, uint32_t at, char field)
{
    uint32_t to = width(x, field);

    if (to > x->bits / 8u)
        to = x->bits / 8u;
    return (at + to - 1) / to * to;
}

void xm_put(const struct xen *x, uint8_t *at, const char *form, const uint64_t *value)
{
    uint32_t offset = 0;

    for (; *form; form++, value++) {
        offset = align(x, offset, *form);
        for (uint32_t i = 0; i < width(x, *form); i++)
            ((volatile uint8_t *)at)[offset++] = (uint8_t)(*value >> 8 * i);
    }
}

uint64_t xm_get(const struct xen *x, const uint8_t *at, const char *form, uint32_t field)
{
    uint32_t offset = 0;
    uint64_t value = 0;

    for (uint32_t i = 0; i < field; i++)
        offset = align(x, offset, form[i]) + width(x, form[i]);
    offset = align(x, offset, form[field]);
    for (uint32_t i = 0; i < width(x, form[field]); i++)
        value |= (uint64_t)((const volatile uint8_t *)at)[offset + i] << 8 * i;
    return value;
}

uint32_t xm_size(const struct xen *x, const char *form)
{
    uint32_t offset = 0, most = '1';

    for (; *form; form++) {
        offset = align(x, offset, *form) + width(x, *form);
        if (width(x, *form) > width(x, (char)most))
            most = (uint32_t)*form;
    }
    return align(x, offset, (char)most);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

int64_t xm_call5(struct xen *x, uint32_t nr, const uint64_t arg[5])
{
    struct matrix_regs regs = {
        .rax = nr, .code_bits = x->bits, .call_offset = (uint16_t)(nr * STUB_BYTES % MATRIX_PAGE_BYTES),
    };

    if (x->bits == 64) {
        regs.rdi = arg[0];
        regs.rsi = arg[1];
        regs.rdx = arg[2];
        regs.r10 = arg[3];
        regs.r8 = arg[4];
    } else {
        regs.rbx = (uint32_t)arg[0];
        regs.rcx = (uint32_t)arg[1];
        regs.rdx = (uint32_t)arg[2];
        regs.rsi = (uint32_t)arg[3];
        regs.rdi = (uint32_t)arg[4];
    }
    if (x->env->hypercall(x->env->ctx, &regs) != MATRIX_NO_FAULT)
        return XEN_FAULTED;
    return x->bits == 64 ? (int64_t)regs.rax : (int32_t)regs.rax;
}

int64_t xm_call(struct xen *x, uint32_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    return xm_call5(x, nr, (const uint64_t[5]){a, b, c, 0, 0});
}

int64_t xm_op(struct xen *x, uint32_t nr, uint32_t cmd, const char *form, const uint64_t *value)
{
    xm_put(x, xm_page(x, XEN_PAGE_ARG), form, value);
    return xm_call(x, nr, cmd, xm_gpa(x, XEN_PAGE_ARG), 0);
}

uint64_t xm_out(const struct xen *x, const char *form, uint32_t field)
{
    return xm_get(x, xm_page(x, XEN_PAGE_ARG), form, field);
}

uint64_t xm_now(struct xen *x)
{
    XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_get_time, "8", 0);
    return xm_out(x, "8", 0);
}

int64_t xm_map(struct xen *x, uint32_t space, uint64_t idx, uint32_t page)
{
    return XEN_OP(x, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, "224ll", DOMID_SELF, 0, space, idx,
                  xm_gfn(x, page));
}

int xm_lay_page(struct xen *x)
{
    uint32_t msr = matrix_cpuid(x->matrix, x->base + 2, EBX);
    uint64_t page = xm_gpa(x, XEN_PAGE_STUBS);

    return x->bits == 64 ? x->env->wrmsr(x->env->ctx, 0, msr, page) : x->env->wrmsr32(x->env->ctx, msr, page);
}

/* --- points ------------------------------------------------------------------------------------------------------- */

bool xm_begin(struct xen *x, const char *subject, const char *check, const char *ref)
{
    static const char *const variants[2][2] = {{"", " (FIFO)"}, {" (32-bit)", " (32-bit, FIFO)"}};

    x->nr_ports = 0;
    return matrix_begin_variant(x->matrix, subject, check, variants[x->bits == 32][x->is_fifo], ref);
}

void xm_end(struct xen *x, enum matrix_verdict verdict)
{
    while (x->nr_ports > 0)
        xm_close(x, x->port[--x->nr_ports]);
    if (x->has_shared)
        xm_calm(x);
    matrix_end(x->matrix, verdict);
}

void xm_run_points(struct xen *x, const struct xen_point *point, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (xm_begin(x, point[i].subject, point[i].check, point[i].ref))
            xm_end(x, point[i].run(x));
    }
}

void xm_run_needed(struct xen *x, const struct xen_point *point, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        xm_begin(x, point[i].subject, point[i].check, point[i].ref);
        xm_end(x, point[i].run(x));
    }
}

enum matrix_verdict xm_expect(struct xen *x, int64_t want, int64_t got)
{
    return got == want ? MATRIX_SUCCESS
                       : matrix_fail(x->matrix, "another result", (uint64_t)want, (uint64_t)got);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static uint64_t resolved(const struct xen *x, uint64_t value)
{
    if ((value & ~0xffffull) != XEN_TAG)
        return value;
    if (value & 0x4000)
        return x->bits == 64 ? value & 0x7f : value >> 7 & 0x7f;
    switch (value & 0xff00) {
    case 0x100:
        return xm_gfn(x, value & 0xff);
    case 0x200:
        return xm_gpa(x, value & 0xff);
    case 0x300:
        return xm_gpa(x, value & 0xff) + MATRIX_PAGE_BYTES - 4;
    default:
        break;
    }
    const uint64_t of[] = {
        0, xm_gpa(x, XEN_PAGE_ARG), x->env->hole_gpa, x->env->hole_gpa / MATRIX_PAGE_BYTES, x->env->nr_vps, x->domid,
    };
    return of[value & 7];
}

static bool is_wanted(int32_t want, int64_t got)
{
    switch (want) {
    case XEN_IS_REFUSED:
        return got < 0 && got != XEN_FAULTED;
    case XEN_IS_POSITIVE:
        return got > 0;
    case XEN_IS_NO_ENOSYS:
        return got != -XEN_ENOSYS && got != XEN_FAULTED;
    default:
        return got == want;
    }
}

static enum matrix_verdict run_row(struct xen *x, const struct xen_row *row)
{
    uint64_t value[XEN_MAX_WORDS], reg[3];

    for (uint32_t i = 0; i < XEN_MAX_WORDS; i++)
        value[i] = resolved(x, row->value[i]);
    for (uint32_t i = 0; i < 3; i++)
        reg[i] = resolved(x, row->reg[i]);
    if (row->form)
        xm_put(x, xm_page(x, XEN_PAGE_ARG), row->form, value);
    int64_t got = xm_call(x, row->nr, reg[0], reg[1], reg[2]);
    if (is_wanted(row->want, got) || (row->or_want && is_wanted(row->or_want, got)))
        return MATRIX_SUCCESS;
    return matrix_fail(x->matrix, got == XEN_FAULTED ? "it faults" : "another result", (uint64_t)row->want,
                       (uint64_t)got);
}

void xm_run_rows(struct xen *x, const struct xen_row *row, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (xm_begin(x, row[i].subject, row[i].check, row[i].ref))
            xm_end(x, run_row(x, &row[i]));
    }
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static bool find(struct xen *x)
{
    uint32_t regs[4];

    for (x->base = LEAVES_BEGIN; x->base < LEAVES_END; x->base += LEAVES_STEP) {
        x->env->cpuid(x->env->ctx, 0, x->base, regs);
        if (regs[EBX] == XEN_CPUID_SIGNATURE_EBX && regs[ECX] == XEN_CPUID_SIGNATURE_ECX &&
            regs[EDX] == XEN_CPUID_SIGNATURE_EDX)
            return regs[EAX] - x->base >= 2;
    }
    return false;
}

/* What points of all chapters need. */
static void prepare(struct xen *x)
{
    xm_begin(x, "hypercall page", "can be had", "doc guest-guide/x86/hypercall-abi");
    xm_end(x, xm_lay_page(x) == MATRIX_NO_FAULT ? MATRIX_SUCCESS : matrix_error(x->matrix, "the MSR faults"));
    xm_begin(x, "shared_info", "can be mapped", "memory.h, XENMAPSPACE_shared_info");
    int64_t got = xm_map(x, XENMAPSPACE_shared_info, 0, XEN_PAGE_SHARED);
    x->has_shared = got == 0;
    xm_end(x, xm_expect(x, 0, got));
    if (XEN_OP(x, __HYPERVISOR_xen_version, XENVER_get_features, "44", 0, 0) == 0)
        x->has_pirqs = xm_out(x, "44", 1) >> XENFEAT_hvm_pirqs & 1;
    /* the domain's number is what an unbound port for ourselves says */
    int64_t port = xm_alloc_unbound(x, DOMID_SELF);
    if (port > 0 && xm_status(x, (uint32_t)port) == EVTCHNSTAT_unbound)
        x->domid = xm_out(x, XEN_STATUS_FORM, 4) & 0xffff;
    xm_close(x, (uint32_t)port);
}

static void ask(struct xen *x)
{
    static const struct {
        const char *name;
        void (*ask)(struct xen *x);
        bool needs_shared;
    } chapter[] = {
        {"Xen hypercall page", xm_ask_page, false},
        {"Xen calls", xm_ask_rows, false},
        {"Xen versions, multicall, sched_op", xm_ask_misc, false},
        {"Xen hvm_op", xm_ask_hvm, false},
        {"Xen memory_op", xm_ask_memory, false},
        {"Xen event channels", xm_ask_evtchn, true},
        {"Xen event channels, every state", xm_ask_states, true},
        {"Xen time and vCPUs", xm_ask_time, true},
        {"Xen grants", xm_ask_grants, true},
        {"Xen console_io", xm_ask_console, true},
        {"Xen xenstore", xm_ask_store, true},
        {"Xen event channels by FIFO", xm_ask_fifo, true},
    };

    matrix_chapter(x->matrix, "Xen hypercall page");
    prepare(x);
    for (uint32_t i = 0; i < sizeof(chapter) / sizeof(chapter[0]); i++) {
        matrix_chapter(x->matrix, chapter[i].name);
        if (x->has_shared || !chapter[i].needs_shared)
            chapter[i].ask(x);
    }
}

void matrix_xen(struct matrix *matrix)
{
    struct xen x = {.matrix = matrix, .env = matrix->env, .bits = 64};

    matrix_chapter(matrix, "Xen CPUID");
    if (!find(&x)) {
        if (matrix_begin(matrix, "Xen", "is there", "arch-x86/cpuid.h"))
            matrix_end(matrix, matrix_skip(matrix, "no signature XenVMMXenVMM"));
        return;
    }
    xm_ask_cpuid(&x);
    ask(&x);
    if ((matrix->env->can & MATRIX_CAN_CALL32) && matrix->env->wrmsr32) {
        x.bits = 32;
        x.has_shared = false;
        ask(&x);
    }
    matrix_chapter(matrix, "Xen shared_info");
    if (x.has_shared) {
        xm_ask_callback(&x);
        xm_ask_info(&x);
    }
}
