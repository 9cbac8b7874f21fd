/*
 * The Xen matrix: hvm_op. Which parameters a guest may read and write, the vector of upcalls, and the small operations.
 *
 * Who may do what with a parameter is [src hvm_allow_get_param, hvm_allow_set_param].
 */
#include "xen_matrix.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#define PARAM_FORM "2248"               /* domid pad index value */
enum { FAULT = -XEN_EFAULT, NOSYS = -XEN_ENOSYS, INVAL = -XEN_EINVAL, PERM = -XEN_EPERM, NOENT = -XEN_ENOENT,
       SRCH = -XEN_ESRCH };

/* --- parameters --------------------------------------------------------------------------------------------------- */

enum right { NO, YES, GONE };           /* -EPERM, 0, -EINVAL */
struct param {
    uint32_t index;
    const char *name;
    uint8_t get, set;                   /* enum right */
};
#define PARAM(name, get, set) {HVM_PARAM_##name, "HVM_PARAM_" #name, get, set}
/* Deprecated; params.h hides the names from guests. */
#define OLD(name, index) {index, "HVM_PARAM_" #name, GONE, GONE}
static const struct param params[] = {
    PARAM(CALLBACK_IRQ, YES, YES), PARAM(STORE_PFN, YES, NO), PARAM(STORE_EVTCHN, YES, YES),
    OLD(PAE_ENABLED, 4), PARAM(IOREQ_PFN, NO, NO), PARAM(BUFIOREQ_PFN, NO, NO), PARAM(VIRIDIAN, NO, NO),
    PARAM(TIMER_MODE, NO, NO), PARAM(HPET_ENABLED, NO, NO), PARAM(IDENT_PT, NO, NO), OLD(DM_DOMAIN, 13),
    PARAM(ACPI_S_STATE, NO, NO), PARAM(VPT_ALIGN, NO, NO), PARAM(CONSOLE_PFN, YES, NO),
    PARAM(CONSOLE_EVTCHN, YES, YES), OLD(MEMORY_EVENT_CR0, 20), OLD(MEMORY_EVENT_CR3, 21),
    OLD(MEMORY_EVENT_CR4, 22), OLD(MEMORY_EVENT_INT3, 23), OLD(NESTEDHVM, 24),
    OLD(MEMORY_EVENT_SINGLE_STEP, 25), OLD(BUFIOREQ_EVTCHN, 26), PARAM(PAGING_RING_PFN, NO, NO),
    PARAM(MONITOR_RING_PFN, NO, NO), PARAM(SHARING_RING_PFN, NO, NO), OLD(MEMORY_EVENT_MSR, 30),
    PARAM(TRIPLE_FAULT_REASON, NO, NO), PARAM(IOREQ_SERVER_PFN, NO, NO), PARAM(NR_IOREQ_SERVER_PAGES, NO, NO),
    PARAM(VM_GENERATION_ID_ADDR, YES, YES), PARAM(ALTP2M, YES, NO), PARAM(X87_FIP_WIDTH, YES, YES),
    PARAM(MCA_CAP, NO, NO),
    /* written with a wrong size these two crash the domain, so they are only read */
    PARAM(VM86_TSS, YES, YES), PARAM(VM86_TSS_SIZED, YES, YES), PARAM(ACPI_IOPORTS_LOCATION, YES, YES),
    {3, "parameter 3", NO, NO}, {7, "parameter 7", NO, NO}, {8, "parameter 8", NO, NO},
};

static int64_t result_of(uint8_t right)
{
    return right == YES ? 0 : right == NO ? PERM : INVAL;
}

static int64_t get_param(struct xen *x, uint32_t index, uint64_t *value)
{
    int64_t got = XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_get_param, PARAM_FORM, DOMID_SELF, 0, index, 0x5a5a5a5a);

    *value = xm_out(x, PARAM_FORM, 3);
    return got;
}

static int64_t set_param(struct xen *x, uint32_t index, uint64_t value)
{
    return XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_set_param, PARAM_FORM, DOMID_SELF, 0, index, value);
}

static enum matrix_verdict gets(struct xen *x, const struct param *p)
{
    uint64_t value;

    return xm_expect(x, result_of(p->get), get_param(x, p->index, &value));
}

/* What may be read is written back as it was; what may not, is tried with 1. */
static enum matrix_verdict sets(struct xen *x, const struct param *p)
{
    uint64_t value, again;

    if (p->set != YES)
        return xm_expect(x, result_of(p->set), set_param(x, p->index, 1));
    if (p->index == HVM_PARAM_VM86_TSS || p->index == HVM_PARAM_VM86_TSS_SIZED ||
        p->index == HVM_PARAM_ACPI_IOPORTS_LOCATION)
        return matrix_skip(x->matrix, "it would change the machine");
    if (get_param(x, p->index, &value) != 0)
        return matrix_error(x->matrix, "it cannot be read");
    int64_t got = set_param(x, p->index, value);
    if (got != 0)
        return xm_expect(x, 0, got);
    get_param(x, p->index, &again);
    return again == value ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it is another value now", value, again);
}

static void ask_params(struct xen *x)
{
    for (uint32_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        if (xm_begin(x, params[i].name, params[i].get == YES ? "can be read" : "cannot be read",
                     "src hvm_allow_get_param"))
            xm_end(x, gets(x, &params[i]));
        if (xm_begin(x, params[i].name, params[i].set == YES ? "can be written" : "cannot be written",
                     "src hvm_allow_set_param"))
            xm_end(x, sets(x, &params[i]));
    }
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

#define HVM(check, op, form, want, or_want, ...) {"HVMOP_" #op, check, "hvm/hvm_op.h", __HYPERVISOR_hvm_op, \
                                                  {HVMOP_##op, XEN_ARG, 0}, form, {__VA_ARGS__}, want, or_want}
#define HVM_AWAY(op) {"HVMOP_" #op, "nowhere to read or write", "hvm/hvm_op.h", __HYPERVISOR_hvm_op, \
                      {HVMOP_##op, XEN_NOWHERE, 0}, NULL, {0}, FAULT, 0}
#define NO_HVMOP(number) {"hvm_op", "sub-operation " #number " is not there", "src do_hvm_op", __HYPERVISOR_hvm_op, \
                          {number, XEN_ARG, 0}, "l", {0}, NOSYS, 0}
static const struct xen_row rows[] = {
    HVM_AWAY(set_param), HVM_AWAY(get_param), HVM_AWAY(pagetable_dying), HVM_AWAY(get_time), HVM_AWAY(get_mem_type),
    HVM_AWAY(set_evtchn_upcall_vector),
    HVM("the first index beyond all", get_param, PARAM_FORM, INVAL, 0, DOMID_SELF, 0, HVM_NR_PARAMS),
    HVM("index 0xffffffff", get_param, PARAM_FORM, INVAL, 0, DOMID_SELF, 0, 0xffffffff),
    HVM("the first index beyond all", set_param, PARAM_FORM, INVAL, 0, DOMID_SELF, 0, HVM_NR_PARAMS, 1),
    HVM("index 0xffffffff", set_param, PARAM_FORM, INVAL, 0, DOMID_SELF, 0, 0xffffffff, 1),
    HVM("of a domain that is not there", get_param, PARAM_FORM, SRCH, 0, 0x1234, 0, HVM_PARAM_STORE_PFN),
    HVM("of a domain that is not there", set_param, PARAM_FORM, SRCH, 0, 0x1234, 0, HVM_PARAM_CALLBACK_IRQ, 0),
    /* domain 0 is not HVM, or not ours to ask */
    HVM("of domain 0", get_param, PARAM_FORM, PERM, INVAL, 0, 0, HVM_PARAM_STORE_PFN),
    HVM("of domain 0", set_param, PARAM_FORM, PERM, INVAL, 0, 0, HVM_PARAM_CALLBACK_IRQ, 0),
    HVM("of ourselves by number", get_param, PARAM_FORM, 0, 0, XEN_OWN_DOMID, 0, HVM_PARAM_STORE_PFN),
    HVM("a width of 3", set_param, PARAM_FORM, INVAL, 0, DOMID_SELF, 0, HVM_PARAM_X87_FIP_WIDTH, 3),
    HVM("a width of 8 + 4 GiB", set_param, PARAM_FORM, INVAL, 0, DOMID_SELF, 0, HVM_PARAM_X87_FIP_WIDTH,
        1ull << 32 | 8),
    HVM("vector 0", set_evtchn_upcall_vector, "41", INVAL, 0, 0, 0),
    HVM("vector 15", set_evtchn_upcall_vector, "41", INVAL, 0, 0, 15),
    HVM("vCPU that is not there", set_evtchn_upcall_vector, "41", NOENT, 0, XEN_NR_VPS, 0x30),
    HVM("vCPU 0xffffffff", set_evtchn_upcall_vector, "41", NOENT, 0, 0xffffffff, 0x30),
    HVM("wrong in both, the vector counts", set_evtchn_upcall_vector, "41", INVAL, 0, 0xffffffff, 1),
    HVM("with an argument", flush_tlbs, "8", INVAL, 0, 0),
    HVM("of a domain that is not there", pagetable_dying, "248", SRCH, 0, 0x1234, 0, 0),
    HVM("of a domain that is not there", get_mem_type, "2228", SRCH, 0, 0x1234, 0, 0, 1),
    HVM("of another domain", get_mem_type, "2228", PERM, 0, 0, 0, 0, 1),
    HVM("with an argument", guest_request_vm_event, "8", INVAL, 0, 0),
    {"HVMOP_flush_tlbs", "works", "hvm/hvm_op.h", __HYPERVISOR_hvm_op, {HVMOP_flush_tlbs, 0, 0}, NULL, {0}, 0, 0},
    {"HVMOP_get_time", "works", "hvm/hvm_op.h", __HYPERVISOR_hvm_op, {HVMOP_get_time, XEN_ARG, 0}, NULL, {0}, 0, 0},
    NO_HVMOP(2), NO_HVMOP(3), NO_HVMOP(4), NO_HVMOP(6), NO_HVMOP(7), NO_HVMOP(8), NO_HVMOP(12), NO_HVMOP(13),
    NO_HVMOP(14), NO_HVMOP(16), NO_HVMOP(17), NO_HVMOP(18), NO_HVMOP(19), NO_HVMOP(20), NO_HVMOP(21), NO_HVMOP(22),
    NO_HVMOP(26), NO_HVMOP(0xffffffff),
};

/* --- what it does ------------------------------------------------------------------------------------------------- */

static enum matrix_verdict time_goes_on(struct xen *x)
{
    uint64_t first = xm_now(x), then;

    if (!x->env->wait)
        return matrix_skip(x->matrix, "nobody waits here");
    x->env->wait(x->env->ctx, 2000000);
    then = xm_now(x);
    if (then < first + 1900000)
        return matrix_fail(x->matrix, "it is slower than the TSC", first, then);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict get_leaves_domid(struct xen *x)
{
    uint64_t value;

    if (get_param(x, HVM_PARAM_STORE_EVTCHN, &value) != 0)
        return matrix_error(x->matrix, "it cannot be read");
    if (xm_out(x, PARAM_FORM, 0) != DOMID_SELF || xm_out(x, PARAM_FORM, 2) != HVM_PARAM_STORE_EVTCHN)
        return matrix_fail(x->matrix, "domid or index changed", xm_out(x, PARAM_FORM, 0), xm_out(x, PARAM_FORM, 2));
    return value == 0x5a5a5a5a ? matrix_fail(x->matrix, "no value came", 0, value) : MATRIX_SUCCESS;
}

/* Read-only frames and ports are there, or 0. */
static enum matrix_verdict ring(struct xen *x, uint32_t frame, uint32_t port)
{
    uint64_t gfn, evtchn;

    if (get_param(x, frame, &gfn) != 0 || get_param(x, port, &evtchn) != 0)
        return matrix_error(x->matrix, "it cannot be read");
    if (gfn == 0 && evtchn == 0)
        return matrix_skip(x->matrix, "there is none");
    int64_t status = xm_status(x, (uint32_t)evtchn);
    if (status != 2 && status != 0)     /* EVTCHNSTAT_interdomain; closed after a reset */
        return matrix_fail(x->matrix, "the port leads nowhere", evtchn, (uint64_t)status);
    return gfn != 0 ? MATRIX_SUCCESS : matrix_fail(x->matrix, "a port without a ring", evtchn, gfn);
}

static enum matrix_verdict store_ring(struct xen *x)
{
    return ring(x, HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN);
}

static enum matrix_verdict console_ring(struct xen *x)
{
    return ring(x, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN);
}

static enum matrix_verdict fip_width(struct xen *x)
{
    static const uint64_t widths[] = {4, 8, 0};
    uint64_t before, value;

    if (get_param(x, HVM_PARAM_X87_FIP_WIDTH, &before) != 0)
        return matrix_error(x->matrix, "it cannot be read");
    for (uint32_t i = 0; i < 3; i++) {
        int64_t got = set_param(x, HVM_PARAM_X87_FIP_WIDTH, widths[i]);

        if (got != 0)
            return xm_expect(x, 0, got);
    }
    get_param(x, HVM_PARAM_X87_FIP_WIDTH, &value);
    set_param(x, HVM_PARAM_X87_FIP_WIDTH, before);
    return MATRIX_SUCCESS;
}

/* Any value is kept, for it is only the guest's and the toolstack's affair. */
static enum matrix_verdict keeps(struct xen *x, uint32_t index, uint64_t sample)
{
    uint64_t before, value;

    if (get_param(x, index, &before) != 0)
        return matrix_error(x->matrix, "it cannot be read");
    int64_t got = set_param(x, index, sample);
    get_param(x, index, &value);
    set_param(x, index, before);
    if (got != 0)
        return xm_expect(x, 0, got);
    return value == sample ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it is not kept", sample, value);
}

static enum matrix_verdict store_port_is_kept(struct xen *x)
{
    return keeps(x, HVM_PARAM_STORE_EVTCHN, 0x1234);
}

static enum matrix_verdict console_port_is_kept(struct xen *x)
{
    return keeps(x, HVM_PARAM_CONSOLE_EVTCHN, 0x1235);
}

static enum matrix_verdict generation_address_is_kept(struct xen *x)
{
    return keeps(x, HVM_PARAM_VM_GENERATION_ID_ADDR, 0xfc000000);
}

static enum matrix_verdict callback_is_kept(struct xen *x)
{
    return keeps(x, HVM_PARAM_CALLBACK_IRQ, (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | x->env->vector);
}

/* Xen interrupts once when it is set. In a real guest that would look like an exception below 32. */
static enum matrix_verdict lowest_vector(struct xen *x)
{
    uint64_t vector = x->env->renew ? 16 : 32;
    int64_t got = XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, "41", 0, vector);
    int64_t back = XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, "41", 0, x->env->vector);

    return xm_expect(x, 0, got ? got : back);
}

/* A guest that has no shadow page tables learns so by an error, and must. */
static enum matrix_verdict pagetable_probe(struct xen *x)
{
    int64_t got = XEN_OP(x, __HYPERVISOR_hvm_op, HVMOP_pagetable_dying, "248", DOMID_SELF, 0, 0);

    return got == INVAL || got == NOSYS || got == -XEN_EOPNOTSUPP || got == 0
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "another result", (uint64_t)INVAL, (uint64_t)got);
}

static const struct xen_point points[] = {
    {"HVMOP_get_time", "goes on", "hvm/hvm_op.h", time_goes_on},
    {"HVMOP_get_param", "changes the value only", "hvm/hvm_op.h", get_leaves_domid},
    {"HVM_PARAM_STORE_EVTCHN", "leads somewhere", "hvm/params.h", store_ring},
    {"HVM_PARAM_CONSOLE_EVTCHN", "leads somewhere", "hvm/params.h", console_ring},
    {"HVM_PARAM_X87_FIP_WIDTH", "0, 4 and 8", "hvm/params.h", fip_width},
    {"HVM_PARAM_STORE_EVTCHN", "is kept", "src hvm_set_param", store_port_is_kept},
    {"HVM_PARAM_CONSOLE_EVTCHN", "is kept", "src hvm_set_param", console_port_is_kept},
    {"HVM_PARAM_VM_GENERATION_ID_ADDR", "is kept", "src hvm_set_param", generation_address_is_kept},
    {"HVMOP_set_evtchn_upcall_vector", "the lowest vector", "src hvmop_set_evtchn_upcall_vector", lowest_vector},
    {"HVMOP_pagetable_dying", "says so where it is not there", "hvm/hvm_op.h", pagetable_probe},
};

void xm_ask_hvm(struct xen *x)
{
    ask_params(x);
    XEN_ROWS(x, rows);
    XEN_RUN(x, points);
}

static const struct xen_point callback[] = {
    {"HVM_PARAM_CALLBACK_IRQ", "is kept", "hvm/params.h", callback_is_kept},
};

void xm_ask_callback(struct xen *x)
{
    XEN_RUN(x, callback);
}
