/*
 * The Xen matrix: time. The clock and the wall clock in shared_info, the time a vCPU has run, the timers of a vCPU, and
 * vcpu_info elsewhere [xen.h; vcpu.h].
 */
#include "xen_matrix.h"

#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

enum { INVAL = -XEN_EINVAL, TIME_AT = 0x20, MUL_AT = 24, SHIFT_AT = 28, SYSTEM_AT = 16, TSC_AT = 8,
       WC_AT_64 = 0xc00, WC_AT_32 = 0x900, WC_HI_64 = 0xc0c, WC_HI_32 = 0x924, RUNSTATE_BYTES = 48 };
#define MS_NS 1000000ull
#define FAR_NS (1ull << 60)
#define RUNSTATE_FORM "488888"          /* state entry_time time[4] */

/* --- clocks ------------------------------------------------------------------------------------------------------- */

struct clock {
    uint32_t version, mul;
    int8_t shift;
    uint64_t tsc, system_ns;
};

static bool read_clock(const uint8_t *at, struct clock *clock)
{
    for (uint32_t tries = 0; tries < 1000; tries++) {
        clock->version = xm_load(at);
        clock->tsc = xm_load64(at + TSC_AT);
        clock->system_ns = xm_load64(at + SYSTEM_AT);
        clock->mul = xm_load(at + MUL_AT);
        clock->shift = (int8_t)xm_load(at + SHIFT_AT);
        if (clock->version == xm_load(at) && clock->version % 2 == 0)
            return true;
    }
    return false;
}

static uint64_t system_ns(const struct clock *clock, uint64_t tsc)
{
    uint64_t delta = tsc - clock->tsc;

    delta = clock->shift >= 0 ? delta << clock->shift : delta >> -clock->shift;
    return clock->system_ns + (delta >> 32) * clock->mul + ((delta & 0xffffffff) * clock->mul >> 32);
}

static enum matrix_verdict clock_is_there(struct xen *x)
{
    struct clock clock;

    if (!read_clock(xm_vcpu_info(x, 0) + TIME_AT, &clock))
        return matrix_fail(x->matrix, "the version never rests", clock.version, 0);
    if (clock.version == 0 || clock.mul == 0)
        return matrix_fail(x->matrix, "nobody keeps it", clock.version, clock.mul);
    return MATRIX_SUCCESS;
}

/* The call's time lies between two readings of the clock. */
static enum matrix_verdict agrees(struct xen *x, const uint8_t *at)
{
    struct clock clock;

    read_clock(at, &clock);
    uint64_t before = system_ns(&clock, x->env->tsc(x->env->ctx)), call = xm_now(x);
    read_clock(at, &clock);
    uint64_t after = system_ns(&clock, x->env->tsc(x->env->ctx));
    return call + 1000 >= before && call <= after + 1000
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "another time than the call's", before, call);
}

static enum matrix_verdict clock_agrees(struct xen *x)
{
    return agrees(x, xm_vcpu_info(x, 0) + TIME_AT);
}

static enum matrix_verdict clocks_of_others(struct xen *x)
{
    for (uint32_t vcpu = 1; vcpu < x->env->nr_vps; vcpu++)
        if (agrees(x, xm_vcpu_info(x, vcpu) + TIME_AT) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    return x->env->nr_vps > 1 ? MATRIX_SUCCESS : matrix_skip(x->matrix, "there is one vCPU");
}

static enum matrix_verdict wall_clock(struct xen *x)
{
    const uint8_t *at = xm_page(x, XEN_PAGE_SHARED) + (x->bits == 64 ? WC_AT_64 : WC_AT_32);
    const uint8_t *high = xm_page(x, XEN_PAGE_SHARED) + (x->bits == 64 ? WC_HI_64 : WC_HI_32);

    if (xm_load(at) == 0 || xm_load(at) % 2)
        return matrix_fail(x->matrix, "no version", 0, xm_load(at));
    if (xm_load(at + 4) == 0 || xm_load(at + 8) >= 1000000000)
        return matrix_fail(x->matrix, "no time", xm_load(at + 4), xm_load(at + 8));
    return xm_expect(x, 0, xm_load(high));
}

static enum matrix_verdict time_area(struct xen *x)
{
    uint8_t *at = xm_page(x, XEN_PAGE_AREA);

    matrix_fill(x->matrix, XEN_PAGE_AREA, 0);
    int64_t got = xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, 0);
    xm_put(x, xm_page(x, XEN_PAGE_ARG), "8", (const uint64_t[]){xm_gpa(x, XEN_PAGE_AREA)});
    got = xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, xm_gpa(x, XEN_PAGE_ARG));
    if (got != 0)
        return xm_expect(x, 0, got);
    if (xm_load(at) == 0)
        return matrix_fail(x->matrix, "nobody keeps it", 0, 0);
    return agrees(x, at);
}

static const struct xen_point clocks[] = {
    {"vcpu_time_info", "is kept", "xen.h", clock_is_there},
    {"vcpu_time_info", "is the system time", "xen.h; hvm/hvm_op.h, get_time", clock_agrees},
    {"vcpu_time_info", "of the other vCPUs as well", "xen.h", clocks_of_others},
    {"wall clock", "is there", "xen.h, wc_*", wall_clock},
    {"VCPUOP_register_vcpu_time_memory_area", "has the same time", "vcpu.h", time_area},
};

/* --- run state ---------------------------------------------------------------------------------------------------- */

static int64_t runstate(struct xen *x, uint32_t vcpu)
{
    return xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, vcpu, xm_gpa(x, XEN_PAGE_ARG));
}

static uint64_t sum(const struct xen *x)
{
    uint64_t ns = 0;

    for (uint32_t i = 2; i < 6; i++)
        ns += xm_out(x, RUNSTATE_FORM, i);
    return ns;
}

static enum matrix_verdict runs(struct xen *x)
{
    int64_t got = runstate(x, 0);

    if (got != 0)
        return xm_expect(x, 0, got);
    if (xm_out(x, RUNSTATE_FORM, 0) != RUNSTATE_running)
        return matrix_fail(x->matrix, "it does not run", 0, xm_out(x, RUNSTATE_FORM, 0));
    uint64_t entry = xm_out(x, RUNSTATE_FORM, 1);
    uint64_t now = xm_now(x);
    return entry <= now ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it begins to run later", now, entry);
}

/* "The sum of these times is guaranteed not to drift from system time" [vcpu.h]. */
static enum matrix_verdict no_drift(struct xen *x)
{
    if (!x->env->wait)
        return matrix_skip(x->matrix, "nobody waits here");
    uint64_t begin = xm_now(x);
    runstate(x, 0);
    uint64_t first = sum(x);
    uint64_t began = xm_now(x);
    x->env->wait(x->env->ctx, 20 * MS_NS);
    uint64_t end = xm_now(x);
    runstate(x, 0);
    uint64_t passed = sum(x) - first;
    uint64_t ended = xm_now(x);
    if (passed + MS_NS < end - began || passed > ended - begin + MS_NS)
        return matrix_fail(x->matrix, "it drifts", end - began, passed);
    return MATRIX_SUCCESS;
}

static enum matrix_verdict same_width(struct xen *x)
{
    matrix_fill(x->matrix, XEN_PAGE_ARG, 0x5a);
    runstate(x, 0);
    uint32_t end = x->bits == 64 ? RUNSTATE_BYTES : RUNSTATE_BYTES - 4;
    return xm_expect(x, 0x5a5a5a5a, xm_load(xm_page(x, XEN_PAGE_ARG) + end));
}

static int64_t area(struct xen *x, uint64_t gva)
{
    xm_put(x, xm_page(x, XEN_PAGE_ARG), "8", &gva);
    return xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, xm_gpa(x, XEN_PAGE_ARG));
}

static enum matrix_verdict area_is_filled(struct xen *x)
{
    uint8_t *at = xm_page(x, XEN_PAGE_AREA) + 512;

    matrix_fill(x->matrix, XEN_PAGE_AREA, 0x5a);
    int64_t got = area(x, xm_gpa(x, XEN_PAGE_AREA) + 512);
    if (got != 0)
        return xm_expect(x, 0, got);
    if (xm_get(x, at, RUNSTATE_FORM, 0) != RUNSTATE_running)
        return matrix_fail(x->matrix, "it does not run", 0, xm_get(x, at, RUNSTATE_FORM, 0));
    return xm_get(x, at, RUNSTATE_FORM, 1) <= xm_now(x)
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it begins to run later", 0, xm_get(x, at, RUNSTATE_FORM, 1));
}

static enum matrix_verdict area_over_two_pages(struct xen *x)
{
    uint64_t gva = xm_gpa(x, XEN_PAGE_AREA) - 8;
    uint8_t *at = xm_page(x, XEN_PAGE_AREA) - 8;

    if (xm_gpa(x, XEN_PAGE_AREA) != xm_gpa(x, XEN_PAGE_AREA - 1) + MATRIX_PAGE_BYTES)
        return matrix_skip(x->matrix, "the pages do not follow each other");
    matrix_fill(x->matrix, XEN_PAGE_AREA, 0x5a);
    xm_store32(at, 0x5a5a5a5a);
    int64_t got = area(x, gva);
    if (got != 0)
        return xm_expect(x, 0, got);
    bool is_there = xm_load(at) == RUNSTATE_running && xm_get(x, at, RUNSTATE_FORM, 1) <= xm_now(x);
    area(x, xm_gpa(x, XEN_PAGE_AREA) + 512);
    return is_there ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it is not filled", xm_load(at), 0);
}

static enum matrix_verdict area_nowhere(struct xen *x)
{
    return xm_expect(x, 0, area(x, x->env->hole_gpa));
}

static const struct xen_point states[] = {
    {"VCPUOP_get_runstate_info", "the caller runs", "vcpu.h", runs},
    {"VCPUOP_get_runstate_info", "does not drift from the system time", "vcpu.h", no_drift},
    {"VCPUOP_get_runstate_info", "has the size of its width", "vcpu.h", same_width},
    {"VCPUOP_register_runstate_memory_area", "is filled at once", "vcpu.h", area_is_filled},
    {"VCPUOP_register_runstate_memory_area", "over two pages", "src update_runstate_area", area_over_two_pages},
    {"VCPUOP_register_runstate_memory_area", "where nothing is", "src common_vcpu_op", area_nowhere},
};

/* --- timers ------------------------------------------------------------------------------------------------------- */

static int64_t set_singleshot(struct xen *x, uint64_t at_ns, uint32_t flags)
{
    xm_put(x, xm_page(x, XEN_PAGE_ARG), "84", (const uint64_t[]){at_ns, flags});
    return xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, xm_gpa(x, XEN_PAGE_ARG));
}

static int64_t set_periodic(struct xen *x, uint64_t period_ns)
{
    xm_put(x, xm_page(x, XEN_PAGE_ARG), "8", &period_ns);
    return xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, xm_gpa(x, XEN_PAGE_ARG));
}

static int64_t set_timer(struct xen *x, uint64_t at_ns)
{
    return x->bits == 64 ? xm_call(x, __HYPERVISOR_set_timer_op, at_ns, 0, 0)
                         : xm_call(x, __HYPERVISOR_set_timer_op, (uint32_t)at_ns, at_ns >> 32, 0);
}

static void stop(struct xen *x)
{
    set_timer(x, 0);
    xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
}

/* A port for VIRQ_TIMER that only its pending bit tells of. */
static int64_t timer_port(struct xen *x)
{
    int64_t port = xm_bind_virq(x, VIRQ_TIMER, 0);

    stop(x);
    xm_calm(x);
    xm_mask(x, (uint32_t)port, true);
    return port;
}

/* Whether it comes within `most` ns. */
static bool comes(struct xen *x, int64_t port, uint64_t most_ns)
{
    uint64_t begin = xm_now(x);

    do {
        if (xm_is_pending(x, (uint32_t)port))
            return true;
        x->env->wait(x->env->ctx, MS_NS / 4);
    } while (xm_now(x) - begin < most_ns);
    return xm_is_pending(x, (uint32_t)port);
}

static enum matrix_verdict fires(struct xen *x, int64_t set, int64_t port, uint64_t due_ns, uint64_t most_ns)
{
    if (set != 0)
        return xm_expect(x, 0, set);
    bool came = comes(x, port, most_ns);
    uint64_t now = xm_now(x);
    stop(x);
    if (!came)
        return matrix_fail(x->matrix, "it does not come", due_ns, now);
    return now >= due_ns ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it comes early", due_ns, now);
}

/* What came before the last call counts not: it may have been long in the making. */
static enum matrix_verdict is_silent(struct xen *x, int64_t set, int64_t port)
{
    if (set != 0)
        return xm_expect(x, 0, set);
    xm_clear_pending(x, (uint32_t)port);
    bool came = comes(x, port, 8 * MS_NS);
    stop(x);
    return came ? matrix_fail(x->matrix, "it comes", (uint64_t)port, xm_now(x)) : MATRIX_SUCCESS;
}

static enum matrix_verdict singleshot(struct xen *x)
{
    int64_t port = timer_port(x);
    uint64_t due = xm_now(x) + 3 * MS_NS;

    return fires(x, set_singleshot(x, due, 0), port, due, 1000 * MS_NS);
}

static enum matrix_verdict singleshot_past(struct xen *x)
{
    int64_t port = timer_port(x);
    uint64_t due = xm_now(x);
    int64_t got = set_singleshot(x, due - MS_NS / 2, 0);

    if (got != 0)
        return xm_expect(x, 0, got);
    return xm_is_pending(x, (uint32_t)port) ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it is not pending", due, 0);
}

static enum matrix_verdict singleshot_zero(struct xen *x)
{
    int64_t port = timer_port(x);

    return fires(x, set_singleshot(x, 0, 0), port, 0, 1000 * MS_NS);
}

/* "Request the timeout to be in the future ... but can be ignored by the hypervisor" [vcpu.h]. */
static enum matrix_verdict singleshot_future(struct xen *x)
{
    int64_t port = timer_port(x);
    int64_t got = set_singleshot(x, 1, VCPU_SSHOTTMR_future);

    stop(x);
    if (got == -XEN_ETIME)
        return MATRIX_SUCCESS;
    return got == 0 && xm_is_pending(x, (uint32_t)port)
               ? MATRIX_SUCCESS : matrix_fail(x->matrix, "neither ETIME nor an event", 0, (uint64_t)got);
}

static enum matrix_verdict singleshot_far(struct xen *x)
{
    int64_t port = timer_port(x);

    return is_silent(x, set_singleshot(x, FAR_NS, 0), port);
}

static enum matrix_verdict singleshot_stopped(struct xen *x)
{
    int64_t port = timer_port(x);

    set_singleshot(x, xm_now(x) + 4 * MS_NS, 0);
    return is_silent(x, xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0), port);
}

static enum matrix_verdict singleshot_moved(struct xen *x)
{
    int64_t port = timer_port(x);

    set_singleshot(x, xm_now(x) + 2 * MS_NS, 0);
    return is_silent(x, set_singleshot(x, xm_now(x) + 60000 * MS_NS, 0), port);
}

static enum matrix_verdict singleshot_once(struct xen *x)
{
    int64_t port = timer_port(x);

    set_singleshot(x, xm_now(x) + MS_NS, 0);
    if (!comes(x, port, 1000 * MS_NS))
        return matrix_fail(x->matrix, "it does not come", 0, 0);
    xm_clear_pending(x, (uint32_t)port);
    return is_silent(x, 0, port);
}

static enum matrix_verdict op_fires(struct xen *x)
{
    int64_t port = timer_port(x);
    uint64_t due = xm_now(x) + 3 * MS_NS;

    return fires(x, set_timer(x, due), port, due, 1000 * MS_NS);
}

static enum matrix_verdict op_past(struct xen *x)
{
    int64_t port = timer_port(x);

    return fires(x, set_timer(x, 1), port, 0, 1000 * MS_NS);
}

static enum matrix_verdict op_stops(struct xen *x)
{
    int64_t port = timer_port(x);

    set_timer(x, xm_now(x) + 4 * MS_NS);
    return is_silent(x, set_timer(x, 0), port);
}

static enum matrix_verdict op_stop_is_silent(struct xen *x)
{
    int64_t port = timer_port(x);

    set_timer(x, xm_now(x) + 60000 * MS_NS);
    int64_t got = set_timer(x, 0);
    if (got != 0)
        return xm_expect(x, 0, got);
    return xm_is_pending(x, (uint32_t)port) ? matrix_fail(x->matrix, "0 is taken for a time", 0, 0) : MATRIX_SUCCESS;
}

/* "Linux workaround": what is negative, or further than 2^50 ns, comes in 100 ms [src do_set_timer_op]. */
static enum matrix_verdict op_far(struct xen *x)
{
    int64_t port = timer_port(x);
    uint64_t now = xm_now(x);

    return fires(x, set_timer(x, now + (1ull << 52)), port, now + 90 * MS_NS, 3000 * MS_NS);
}

static enum matrix_verdict op_negative(struct xen *x)
{
    int64_t port = timer_port(x);
    uint64_t now = xm_now(x);

    return fires(x, set_timer(x, UINT64_MAX - 5), port, now + 90 * MS_NS, 3000 * MS_NS);
}

static enum matrix_verdict op_almost_far(struct xen *x)
{
    int64_t port = timer_port(x);

    return is_silent(x, set_timer(x, xm_now(x) + (1ull << 49)), port);
}

/* There is one timer beneath both calls. */
static enum matrix_verdict op_stops_singleshot(struct xen *x)
{
    int64_t port = timer_port(x);

    set_singleshot(x, xm_now(x) + 4 * MS_NS, 0);
    return is_silent(x, set_timer(x, 0), port);
}

static enum matrix_verdict periodic(struct xen *x)
{
    int64_t port = timer_port(x);
    int64_t got = set_periodic(x, MS_NS);

    if (got != 0)
        return xm_expect(x, 0, got);
    for (uint32_t i = 0; i < 3; i++) {
        if (!comes(x, port, 1000 * MS_NS))
            return matrix_fail(x->matrix, "it does not come", i, 0);
        xm_clear_pending(x, (uint32_t)port);
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict periodic_stopped(struct xen *x)
{
    int64_t port = timer_port(x);

    set_periodic(x, 4 * MS_NS);
    return is_silent(x, xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0), port);
}

static enum matrix_verdict periodic_beside(struct xen *x)
{
    int64_t port = timer_port(x);

    set_periodic(x, MS_NS);
    set_timer(x, 0);
    bool came = comes(x, port, 1000 * MS_NS);
    stop(x);
    return came ? MATRIX_SUCCESS : matrix_fail(x->matrix, "set_timer_op stops it", 0, 0);
}

static const struct xen_point timers[] = {
    {"VCPUOP_set_singleshot_timer", "comes in time", "vcpu.h", singleshot},
    {"VCPUOP_set_singleshot_timer", "of the past comes at once", "src common_vcpu_op", singleshot_past},
    {"VCPUOP_set_singleshot_timer", "0 is of the past", "src common_vcpu_op", singleshot_zero},
    {"VCPUOP_set_singleshot_timer", "of the past, and not wanted", "vcpu.h", singleshot_future},
    {"VCPUOP_set_singleshot_timer", "far off does not come", "vcpu.h", singleshot_far},
    {"VCPUOP_set_singleshot_timer", "later than before", "vcpu.h", singleshot_moved},
    {"VCPUOP_set_singleshot_timer", "comes once", "vcpu.h", singleshot_once},
    {"VCPUOP_stop_singleshot_timer", "it does not come", "vcpu.h", singleshot_stopped},
    {"set_timer_op", "comes in time", "src do_set_timer_op", op_fires},
    {"set_timer_op", "of the past comes", "src do_set_timer_op", op_past},
    {"set_timer_op", "0 stops it", "src do_set_timer_op", op_stops},
    {"set_timer_op", "0 is no time of the past", "src do_set_timer_op", op_stop_is_silent},
    {"set_timer_op", "beyond 2^50 ns comes in 100 ms", "src do_set_timer_op", op_far},
    {"set_timer_op", "a negative time comes in 100 ms", "src do_set_timer_op", op_negative},
    {"set_timer_op", "six days do not", "src do_set_timer_op", op_almost_far},
    {"set_timer_op", "0 stops the singleshot timer", "src do_set_timer_op", op_stops_singleshot},
    {"VCPUOP_set_periodic_timer", "comes again and again", "vcpu.h", periodic},
    {"VCPUOP_set_periodic_timer", "goes on beside the other", "vcpu.h", periodic_beside},
    {"VCPUOP_stop_periodic_timer", "it does not come", "vcpu.h", periodic_stopped},
};

void xm_ask_time(struct xen *x)
{
    XEN_RUN(x, clocks);
    XEN_RUN(x, states);
    if (x->env->wait)
        XEN_RUN(x, timers);
}

/* --- vcpu_info elsewhere ------------------------------------------------------------------------------------------ */

enum { INFO_AT = 1024 };

static int64_t register_info(struct xen *x, uint32_t offset)
{
    xm_put(x, xm_page(x, XEN_PAGE_ARG), "844", (const uint64_t[]){xm_gfn(x, XEN_PAGE_AREA), offset, 0});
    return xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, xm_gpa(x, XEN_PAGE_ARG));
}

/* "Mark everything as being pending just to make sure nothing gets lost" [src map_vcpu_info]. */
static enum matrix_verdict info_moves(struct xen *x)
{
    const uint8_t *at = xm_page(x, XEN_PAGE_AREA) + INFO_AT;

    matrix_fill(x->matrix, XEN_PAGE_AREA, 0);
    int64_t got = register_info(x, INFO_AT);
    if (got != 0)
        return xm_expect(x, 0, got);
    if ((xm_load(at) & 0xff) != 1 || xm_load(at + x->bits / 8u) != UINT32_MAX)
        return matrix_fail(x->matrix, "not all is pending", xm_load(at), xm_load(at + x->bits / 8u));
    return xm_load(at + TIME_AT) != 0 ? MATRIX_SUCCESS : matrix_fail(x->matrix, "there is no clock in it", 0, 0);
}

static enum matrix_verdict info_once(struct xen *x)
{
    return xm_expect(x, INVAL, register_info(x, INFO_AT + 64));
}

static enum matrix_verdict info_is_told(struct xen *x)
{
    uint8_t *at = xm_page(x, XEN_PAGE_AREA) + INFO_AT;
    int64_t port = xm_bind_ipi(x, 0);

    xm_calm(x);
    for (uint32_t i = 0; i < 16; i += 4)
        xm_store32(at + i, 0);
    xm_mask(x, (uint32_t)port, false);
    xm_send(x, (uint32_t)port);
    if (xm_upcall_pending(x, 0))
        return matrix_fail(x->matrix, "the old one is told", (uint64_t)port, 0);
    return (xm_load(at) & 0xff) == 1 ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it is not told", (uint64_t)port, 0);
}

static enum matrix_verdict info_has_time(struct xen *x)
{
    return agrees(x, xm_page(x, XEN_PAGE_AREA) + INFO_AT + TIME_AT);
}

static const struct xen_point info_begins[] = {
    {"VCPUOP_register_vcpu_info", "moves, and all is pending", "vcpu.h", info_moves},
};

static const struct xen_point info[] = {
    {"VCPUOP_register_vcpu_info", "once only", "vcpu.h", info_once},
    {"VCPUOP_register_vcpu_info", "events are told there", "vcpu.h", info_is_told},
    {"VCPUOP_register_vcpu_info", "the clock is kept there", "vcpu.h", info_has_time},
};

void xm_ask_info(struct xen *x)
{
    XEN_RUN_NEEDED(x, info_begins);
    XEN_RUN(x, info);
}
