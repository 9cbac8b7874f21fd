/*
 * Xen's calls about a vCPU and its time that the other rows do not need: run state, several calls in one, memory.
 *
 * [XEN] public vcpu.h, xen.h, memory.h. Left out: starting other vCPUs.
 */
#include "probe_xen.h"

#include "env.h"

enum { UNUSED_NUMBER = 63 };

static uint64_t sum_of(const struct vcpu_runstate_info *info)
{
    return info->time[0] + info->time[1] + info->time[2] + info->time[3];
}

enum probe_state probe_xen_test_runstate(const struct probe_interface *face, struct text *evidence)
{
    static struct vcpu_runstate_info area;
    struct vcpu_register_runstate_memory_area where = {.addr.v = &area};
    struct vcpu_runstate_info now = {.state = ~0};
    (void)face;
    int64_t error = probe_xen_vcpu_op(VCPUOP_register_runstate_memory_area, &where);
    if (error != 0)
        return probe_xen_failed(evidence, "register_runstate_memory_area", error);
    error = probe_xen_vcpu_op(VCPUOP_get_runstate_info, &now);
    if (error != 0)
        return probe_xen_failed(evidence, "get_runstate_info", error);
    text_add(evidence, "ran %" PRIu64 " ns, waited %" PRIu64, now.time[RUNSTATE_running], now.time[RUNSTATE_runnable]);
    return now.state == RUNSTATE_running && area.state == RUNSTATE_running && area.state_entry_time != 0 &&
           sum_of(&now) >= sum_of(&area) ? PROBE_WORKS : PROBE_BROKEN;
}

enum probe_state probe_xen_test_multicall(const struct probe_interface *face, struct text *evidence)
{
    static struct multicall_entry entry[3];
    (void)face;
    entry[0] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    entry[1] = (struct multicall_entry){.op = UNUSED_NUMBER};
    entry[2] = (struct multicall_entry){.op = __HYPERVISOR_multicall};
    int64_t error = probe_xen_call(__HYPERVISOR_multicall, (uintptr_t)entry, (void *)3);
    if (error != 0)
        return probe_xen_failed(evidence, "multicall", error);
    text_add(evidence, "answers 0x%" PRIx64 ", %" PRId64 ", %" PRId64, (uint64_t)entry[0].result,
             (int64_t)entry[1].result, (int64_t)entry[2].result);
    return (int64_t)entry[0].result == probe_xen_call(__HYPERVISOR_xen_version, XENVER_version, NULL) &&
           (int64_t)entry[1].result == -XEN_ENOSYS && (int64_t)entry[2].result == -XEN_EINVAL
               ? PROBE_WORKS : PROBE_BROKEN;
}

enum probe_state probe_xen_test_memory(const struct probe_interface *face, struct text *evidence)
{
    struct xen_memory_domain self = {.domid = DOMID_SELF}, host = {.domid = 0};
    (void)face;
    int64_t pages = probe_xen_call(__HYPERVISOR_memory_op, XENMEM_current_reservation, &self);
    if (pages <= 0)
        return probe_xen_failed(evidence, "current_reservation", pages);
    int64_t error = probe_xen_call(__HYPERVISOR_memory_op, XENMEM_current_reservation, &host);
    text_add(evidence, "%" PRId64 " pages; domain 0's: %" PRId64, pages, error);
    return error == -XEN_EPERM ? PROBE_WORKS : PROBE_BROKEN;
}
