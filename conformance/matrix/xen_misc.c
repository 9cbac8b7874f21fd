/*
 * The Xen matrix: multicall, the texts of xen_version, watchdogs, polls, the flag of runstate updates, and PIRQs: what
 * takes more than one call to ask.
 */
#include "xen_matrix.h"

#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

enum { FAULT = -XEN_EFAULT, NOSYS = -XEN_ENOSYS, INVAL = -XEN_EINVAL };

/* --- multicall ---------------------------------------------------------------------------------------------------- */

#define ENTRY_FORM "llllllll"           /* op result args[6] */

static uint8_t *entry(const struct xen *x, uint32_t i)
{
    return xm_page(x, XEN_PAGE_ARRAY) + i * xm_size(x, ENTRY_FORM);
}

static void put_entry(struct xen *x, uint32_t i, uint64_t op, uint64_t a, uint64_t b)
{
    xm_put(x, entry(x, i), ENTRY_FORM, (const uint64_t[]){op, 0x5a5a5a5a, a, b, 0, 0, 0, 0});
}

static int64_t result(struct xen *x, uint32_t i)
{
    uint64_t value = xm_get(x, entry(x, i), ENTRY_FORM, 1);

    return x->bits == 64 ? (int64_t)value : (int32_t)value;
}

static int64_t multicall(struct xen *x, uint32_t nr)
{
    return xm_call(x, __HYPERVISOR_multicall, xm_gpa(x, XEN_PAGE_ARRAY), nr, 0);
}

static enum matrix_verdict calls_of_none(struct xen *x)
{
    return xm_expect(x, 0, multicall(x, 0));
}

static enum matrix_verdict calls_have_results(struct xen *x)
{
    put_entry(x, 0, __HYPERVISOR_xen_version, XENVER_pagesize, 0);
    put_entry(x, 1, __HYPERVISOR_xen_version, 0x1000, 0);
    put_entry(x, 2, __HYPERVISOR_set_trap_table, 0, 0);
    put_entry(x, 3, __HYPERVISOR_event_channel_op, EVTCHNOP_close, x->env->hole_gpa);
    put_entry(x, 4, __HYPERVISOR_xen_version, XENVER_pagesize, 0);
    put_entry(x, 5, __HYPERVISOR_xen_version, XENVER_pagesize, 0);
    int64_t got = multicall(x, 5);
    if (got != 0)
        return xm_expect(x, 0, got);
    static const int32_t want[] = {4096, NOSYS, NOSYS, FAULT, 4096, 0x5a5a5a5a};
    for (uint32_t i = 0; i < 6; i++)
        if (result(x, i) != want[i])
            return matrix_fail(x->matrix, i < 5 ? "another result" : "one call too many", i, (uint64_t)result(x, i));
    return MATRIX_SUCCESS;
}

static enum matrix_verdict call_in_call(struct xen *x)
{
    put_entry(x, 0, __HYPERVISOR_multicall, xm_gpa(x, XEN_PAGE_ARRAY), 0);
    put_entry(x, 1, __HYPERVISOR_xen_version, XENVER_pagesize, 0);
    int64_t got = multicall(x, 2);
    if (got != 0)
        return xm_expect(x, 0, got);
    if (result(x, 0) != INVAL)
        return matrix_fail(x->matrix, "a call within is not refused", (uint64_t)INVAL, (uint64_t)result(x, 0));
    return xm_expect(x, 4096, result(x, 1));
}

static enum matrix_verdict calls_nowhere(struct xen *x)
{
    return xm_expect(x, FAULT, xm_call(x, __HYPERVISOR_multicall, x->env->hole_gpa, 1, 0));
}

static enum matrix_verdict many_calls(struct xen *x)
{
    uint32_t nr = MATRIX_PAGE_BYTES / xm_size(x, ENTRY_FORM);

    for (uint32_t i = 0; i < nr; i++)
        put_entry(x, i, __HYPERVISOR_xen_version, XENVER_pagesize, 0);
    int64_t got = multicall(x, nr);
    if (got != 0)
        return xm_expect(x, 0, got);
    for (uint32_t i = 0; i < nr; i++)
        if (result(x, i) != 4096)
            return matrix_fail(x->matrix, "a call was not made", i, (uint64_t)result(x, i));
    return MATRIX_SUCCESS;
}

/* Arguments of a call are wider than its number: what is above 32 bits of a number is no other call. */
static enum matrix_verdict strange_number(struct xen *x)
{
    put_entry(x, 0, 0xffff0000 | __HYPERVISOR_xen_version, XENVER_pagesize, 0);
    int64_t got = multicall(x, 1);
    return got != 0 ? xm_expect(x, 0, got) : xm_expect(x, NOSYS, result(x, 0));
}

/* --- texts -------------------------------------------------------------------------------------------------------- */

static enum matrix_verdict is_text(struct xen *x, uint32_t op, uint32_t offset, uint32_t most)
{
    const volatile uint8_t *at = xm_page(x, XEN_PAGE_ARG) + offset;

    matrix_fill(x->matrix, XEN_PAGE_ARG, 0xee);
    int64_t got = xm_call(x, __HYPERVISOR_xen_version, op, xm_gpa(x, XEN_PAGE_ARG), 0);
    if (got != 0)
        return xm_expect(x, 0, got);
    for (uint32_t i = 0; i < most; i++) {
        if (at[i] == 0)
            return MATRIX_SUCCESS;
        if (at[i] < ' ' || at[i] > '~')
            return matrix_fail(x->matrix, "a byte is no letter", i, at[i]);
    }
    return matrix_fail(x->matrix, "it does not end", most, at[most - 1]);
}

static enum matrix_verdict extraversion(struct xen *x)
{
    return is_text(x, XENVER_extraversion, 0, 16);
}

static enum matrix_verdict changeset(struct xen *x)
{
    return is_text(x, XENVER_changeset, 0, 64);
}

static enum matrix_verdict compile_info(struct xen *x)
{
    static const uint32_t field[][2] = {{0, 64}, {64, 16}, {80, 32}, {112, 32}};

    for (uint32_t i = 0; i < 4; i++)
        if (is_text(x, XENVER_compile_info, field[i][0], field[i][1]) != MATRIX_SUCCESS)
            return MATRIX_FAILURE;
    return xm_page(x, XEN_PAGE_ARG)[144] == 0xee ? MATRIX_SUCCESS
                                                    : matrix_fail(x->matrix, "it writes beyond", 144, 0);
}

/* "xen-3.0-x86_64 hvm-3.0-x86_32 ..." */
static enum matrix_verdict capabilities(struct xen *x)
{
    const char *text = (const char *)xm_page(x, XEN_PAGE_ARG), *want = "hvm-3.0-x86_";

    if (is_text(x, XENVER_capabilities, 0, 1024) != MATRIX_SUCCESS)
        return MATRIX_FAILURE;
    for (; *text; text++) {
        uint32_t n = 0;

        while (want[n] && text[n] == want[n])
            n++;
        if (!want[n])
            return MATRIX_SUCCESS;
    }
    return matrix_fail(x->matrix, "no hvm among them", 0, 0);
}

static enum matrix_verdict features(struct xen *x)
{
    const uint32_t hvm = 1u << XENFEAT_writable_page_tables | 1u << XENFEAT_auto_translated_physmap |
                         1u << XENFEAT_hvm_callback_vector | 1u << XENFEAT_hvm_safe_pvclock;
    const uint32_t pv = 1u << XENFEAT_writable_descriptor_tables | 1u << XENFEAT_mmu_pt_update_preserve_ad |
                        1u << XENFEAT_dom0 | 1u << XENFEAT_gnttab_map_avail_bits;

    XEN_OP(x, __HYPERVISOR_xen_version, XENVER_get_features, "44", 0, 0);
    uint64_t has = xm_out(x, "44", 1);
    if (~has & hvm)
        return matrix_fail(x->matrix, "one that HVM guests have is absent", hvm, has);
    return has & pv ? matrix_fail(x->matrix, "one of other guests is set", pv, has) : MATRIX_SUCCESS;
}

/* --- watchdogs ---------------------------------------------------------------------------------------------------- */

static int64_t watchdog(struct xen *x, uint32_t id, uint32_t timeout_s)
{
    return XEN_OP(x, __HYPERVISOR_sched_op, SCHEDOP_watchdog, "44", id, timeout_s);
}

static enum matrix_verdict watchdogs(struct xen *x)
{
    static const struct {
        uint32_t id, timeout_s;
        int32_t want;
    } steps[] = {
        {0, 1000, 1}, {0, 1000, 2}, {1, 2000, 0}, {1, 0, 0}, {1, 1000, INVAL}, {0, 1000, 1}, {2, 0, 0}, {2, 0, INVAL},
        {1, 0, 0},
    };

    for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int64_t got = watchdog(x, steps[i].id, steps[i].timeout_s);

        if (got != steps[i].want)
            return matrix_fail(x->matrix, "another answer in the sequence", i, (uint64_t)got);
    }
    return MATRIX_SUCCESS;
}

static enum matrix_verdict third_watchdog(struct xen *x)
{
    watchdog(x, 0, 1000);
    watchdog(x, 0, 1000);
    int64_t got = watchdog(x, 0, 1000);
    watchdog(x, 1, 0);
    watchdog(x, 2, 0);
    return xm_expect(x, -XEN_ENOSPC, got);
}

/* --- polls -------------------------------------------------------------------------------------------------------- */

static int64_t poll(struct xen *x, uint32_t nr, uint64_t until_ns)
{
    return XEN_OP(x, __HYPERVISOR_sched_op, SCHEDOP_poll, "l48", xm_gpa(x, XEN_PAGE_ARRAY), nr, until_ns);
}

static enum matrix_verdict poll_of_pending(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_mask(x, (uint32_t)port, true);
    xm_send(x, (uint32_t)port);
    xm_store32(xm_page(x, XEN_PAGE_ARRAY), (uint32_t)port);
    return xm_expect(x, 0, poll(x, 1, 0));
}

/* 128 are the most that may be waited for. */
static enum matrix_verdict poll_of_128(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_mask(x, (uint32_t)port, true);
    xm_send(x, (uint32_t)port);
    for (uint32_t i = 0; i < 129; i++)
        xm_store32(xm_page(x, XEN_PAGE_ARRAY) + i * 4, (uint32_t)port);
    int64_t got = poll(x, 128, 0);
    return got != 0 ? xm_expect(x, 0, got) : xm_expect(x, INVAL, poll(x, 129, 0));
}

/* The first bad port is the answer, though one behind it is pending. */
static enum matrix_verdict poll_stops_at_bad(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    xm_mask(x, (uint32_t)port, true);
    xm_send(x, (uint32_t)port);
    xm_store32(xm_page(x, XEN_PAGE_ARRAY), 0x100000);
    xm_store32(xm_page(x, XEN_PAGE_ARRAY) + 4, (uint32_t)port);
    int64_t got = poll(x, 2, 1);
    if (got != INVAL)
        return xm_expect(x, INVAL, got);
    xm_store32(xm_page(x, XEN_PAGE_ARRAY), (uint32_t)port);
    xm_store32(xm_page(x, XEN_PAGE_ARRAY) + 4, 0x100000);
    return xm_expect(x, 0, poll(x, 2, 1));
}

/* Times are absolute: one that has passed does not keep the vCPU. */
static enum matrix_verdict poll_until_past(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    if (!(x->env->can & MATRIX_CAN_BLOCK))
        return matrix_skip(x->matrix, "vCPUs do not wait here");
    xm_store32(xm_page(x, XEN_PAGE_ARRAY), (uint32_t)port);
    uint64_t begin = xm_now(x);
    int64_t got = poll(x, 1, begin - 1);
    if (got != 0)
        return xm_expect(x, 0, got);
    return xm_now(x) - begin < 1000000000 ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it waits", begin, xm_now(x));
}

static enum matrix_verdict poll_until(struct xen *x)
{
    int64_t port = xm_bind_ipi(x, 0);

    if (!(x->env->can & MATRIX_CAN_BLOCK))
        return matrix_skip(x->matrix, "vCPUs do not wait here");
    xm_store32(xm_page(x, XEN_PAGE_ARRAY), (uint32_t)port);
    uint64_t due = xm_now(x) + 5000000;
    int64_t got = poll(x, 1, due);
    if (got != 0)
        return xm_expect(x, 0, got);
    return xm_now(x) >= due ? MATRIX_SUCCESS : matrix_fail(x->matrix, "it does not wait", due, xm_now(x));
}

/* --- PIRQs -------------------------------------------------------------------------------------------------------- */

static enum matrix_verdict free_pirq(struct xen *x)
{
    if (!x->has_pirqs)
        return matrix_skip(x->matrix, "no XENFEAT_hvm_pirqs");
    int64_t got = XEN_OP(x, __HYPERVISOR_physdev_op, PHYSDEVOP_get_free_pirq, "44", 1 /* MSI */, 0);
    if (got != 0)
        return xm_expect(x, 0, got);
    uint64_t pirq = xm_out(x, "44", 1);
    return xm_expect(x, 0, XEN_OP(x, __HYPERVISOR_physdev_op, PHYSDEVOP_unmap_pirq, "24", DOMID_SELF, pirq));
}

/* Emulated PIRQs that are not there are unmapped gladly. */
static enum matrix_verdict unmapped_pirq(struct xen *x)
{
    if (!x->has_pirqs)
        return matrix_skip(x->matrix, "no XENFEAT_hvm_pirqs");
    return xm_expect(x, 0, XEN_OP(x, __HYPERVISOR_physdev_op, PHYSDEVOP_unmap_pirq, "24", DOMID_SELF, 0xfffffff));
}

/* "Run this command on yourself or on other offline VCPUS" [src map_vcpu_info]. */
static enum matrix_verdict info_of_running(struct xen *x)
{
    if (x->env->nr_vps < 2 || xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0) != 1)
        return matrix_skip(x->matrix, "no other vCPU is known to run");
    xm_put(x, xm_page(x, XEN_PAGE_ARG), "844", (const uint64_t[]){xm_gfn(x, XEN_PAGE_AREA), 64, 0});
    return xm_expect(x, INVAL, xm_call(x, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 1,
                                       xm_gpa(x, XEN_PAGE_ARG)));
}

static const struct xen_point points[] = {
    {"VCPUOP_register_vcpu_info", "of another vCPU that runs", "src map_vcpu_info", info_of_running},
    {"multicall", "of no call", "xen.h, multicall_entry", calls_of_none},
    {"multicall", "each call has its result", "xen.h, multicall_entry", calls_have_results},
    {"multicall", "within a multicall", "src do_multicall", call_in_call},
    {"multicall", "a list that is not there", "src do_multicall", calls_nowhere},
    {"multicall", "as many as fit a page", "xen.h, multicall_entry", many_calls},
    {"multicall", "a number that no call has", "xen.h, multicall_entry", strange_number},
    {"XENVER_extraversion", "is a text", "version.h", extraversion},
    {"XENVER_changeset", "is a text", "version.h", changeset},
    {"XENVER_compile_info", "is four texts", "version.h", compile_info},
    {"XENVER_capabilities", "has hvm", "version.h", capabilities},
    {"XENVER_get_features", "those of an HVM guest", "features.h", features},
    {"SCHEDOP_watchdog", "set, poked and ended", "sched.h; src domain_watchdog", watchdogs},
    {"SCHEDOP_watchdog", "there are two", "sched.h; src domain_watchdog", third_watchdog},
    {"SCHEDOP_poll", "what is pending ends it", "sched.h", poll_of_pending},
    {"SCHEDOP_poll", "128 ports and no more", "src do_poll", poll_of_128},
    {"SCHEDOP_poll", "ports are looked at in turn", "src do_poll", poll_stops_at_bad},
    {"SCHEDOP_poll", "a time that has passed", "sched.h", poll_until_past},
    {"SCHEDOP_poll", "waits until its time", "sched.h", poll_until},
    {"PHYSDEVOP_unmap_pirq", "PIRQ 0xfffffff, not mapped", "src physdev_unmap_pirq", unmapped_pirq},
    {"PHYSDEVOP_get_free_pirq", "is given and taken back", "physdev.h", free_pirq},
};

void xm_ask_misc(struct xen *x)
{
    XEN_RUN(x, points);
}
