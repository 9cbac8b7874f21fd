/*
 * The Xen matrix: one call, one answer. Calls that an HVM guest does not have or may not make, and for each call that
 * it may make: sub-operations that do not exist, structures that are not there, and arguments that are wrong.
 *
 * What is -ENOSYS here is the table of calls in [src hypercall-defs.c], columns hvm64 and hvm32.
 */
#include "xen_matrix.h"

#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

enum { FAULT = -XEN_EFAULT, NOSYS = -XEN_ENOSYS, INVAL = -XEN_EINVAL, PERM = -XEN_EPERM, NOENT = -XEN_ENOENT,
       SRCH = -XEN_ESRCH };

/* --- which calls there are ---------------------------------------------------------------------------------------- */

#define ABSENT(name) {#name, "is not for HVM guests", "xen.h; src hypercall-defs.c", __HYPERVISOR_##name, {0}, NULL, \
                      {0}, NOSYS, 0}
#define REFUSED(name) {#name, "is refused to a guest", "xen.h; src hypercall-defs.c", __HYPERVISOR_##name, \
                       {0, XEN_NOWHERE, 0}, NULL, {0}, XEN_IS_REFUSED, 0}
#define NO_CALL(number) {"hypercall " #number, "is not there", "xen.h", number, {0}, NULL, {0}, NOSYS, 0}
static const struct xen_row calls[] = {
    ABSENT(set_trap_table), ABSENT(mmu_update), ABSENT(set_gdt), ABSENT(stack_switch), ABSENT(set_callbacks),
    ABSENT(fpu_taskswitch), ABSENT(sched_op_compat), ABSENT(set_debugreg), ABSENT(get_debugreg),
    ABSENT(update_descriptor), ABSENT(update_va_mapping), ABSENT(event_channel_op_compat),
    ABSENT(physdev_op_compat), ABSENT(update_va_mapping_otherdomain), ABSENT(set_segment_base), ABSENT(nmi_op),
    ABSENT(callback_op), ABSENT(xenoprof_op), ABSENT(kexec_op), ABSENT(tmem_op),
    REFUSED(platform_op), REFUSED(mmuext_op), REFUSED(xsm_op), REFUSED(sysctl), REFUSED(domctl), REFUSED(argo_op),
    REFUSED(xenpmu_op), REFUSED(dm_op), REFUSED(hypfs_op),
    NO_CALL(11), NO_CALL(43), NO_CALL(44), NO_CALL(45), NO_CALL(46), NO_CALL(47), NO_CALL(48), NO_CALL(50),
    NO_CALL(51), NO_CALL(52), NO_CALL(53), NO_CALL(54), NO_CALL(55), NO_CALL(56), NO_CALL(57), NO_CALL(63),
    NO_CALL(64), NO_CALL(100), NO_CALL(126), NO_CALL(127),
};

/* --- xen_version -------------------------------------------------------------------------------------------------- */

#define VERSION(check, op, arg, want) {"XENVER_" #op, check, "version.h", __HYPERVISOR_xen_version, \
                                       {XENVER_##op, arg, 0}, NULL, {0}, want, 0}
#define NO_OP(call, name, number) {name, "sub-operation " #number " is not there", "src do_" #call, \
                                   __HYPERVISOR_##call, {number, XEN_ARG, 0}, "l", {0}, NOSYS, 0}
static const struct xen_row version[] = {
    VERSION("needs no argument", version, XEN_NOWHERE, XEN_IS_POSITIVE),
    VERSION("works", extraversion, XEN_ARG, 0),
    VERSION("nowhere to write", extraversion, XEN_NOWHERE, FAULT),
    VERSION("works", compile_info, XEN_ARG, 0),
    VERSION("nowhere to write", compile_info, XEN_NOWHERE, FAULT),
    VERSION("works", capabilities, XEN_ARG, 0),
    VERSION("nowhere to write", capabilities, XEN_NOWHERE, FAULT),
    VERSION("works", changeset, XEN_ARG, 0),
    VERSION("nowhere to write", changeset, XEN_NOWHERE, FAULT),
    VERSION("works", platform_parameters, XEN_ARG, 0),
    VERSION("nowhere to write", platform_parameters, XEN_NOWHERE, FAULT),
    VERSION("nowhere to read", get_features, XEN_NOWHERE, FAULT),
    VERSION("is a page", pagesize, 0, 4096),
    VERSION("with an argument", pagesize, XEN_ARG, INVAL),
    VERSION("works", guest_handle, XEN_ARG, 0),
    VERSION("nowhere to write", guest_handle, XEN_NOWHERE, FAULT),
    VERSION("works, whatever it tells", commandline, XEN_ARG, 0),
    VERSION("nowhere to write", commandline, XEN_NOWHERE, FAULT),
    VERSION("is not for guests", build_id, 0, PERM),
    NO_OP(xen_version, "xen_version", 11), NO_OP(xen_version, "xen_version", 0xffffffff),
    {"XENVER_get_features", "submap 0", "version.h", __HYPERVISOR_xen_version, {XENVER_get_features, XEN_ARG, 0}, "44",
     {0}, 0, 0},
    {"XENVER_get_features", "submap 1 is not there", "features.h, XENFEAT_NR_SUBMAPS", __HYPERVISOR_xen_version,
     {XENVER_get_features, XEN_ARG, 0}, "44", {1}, INVAL, 0},
    {"XENVER_get_features", "submap 0xffffffff is not there", "features.h, XENFEAT_NR_SUBMAPS",
     __HYPERVISOR_xen_version, {XENVER_get_features, XEN_ARG, 0}, "44", {0xffffffff}, INVAL, 0},
    {"XENVER_get_features", "a structure that ends beyond its page", "version.h", __HYPERVISOR_xen_version,
     {XENVER_get_features, XEN_END(XEN_PAGE_ARG), 0}, NULL, {0}, 0, INVAL},
};

/* --- event_channel_op --------------------------------------------------------------------------------------------- */

#define EVTCHN(check, op, form, want, ...) {"EVTCHNOP_" #op, check, "event_channel.h", __HYPERVISOR_event_channel_op, \
                                            {EVTCHNOP_##op, XEN_ARG, 0}, form, {__VA_ARGS__}, want, 0}
#define EVTCHN_AWAY(op) {"EVTCHNOP_" #op, "nowhere to read", "event_channel.h", __HYPERVISOR_event_channel_op, \
                         {EVTCHNOP_##op, XEN_NOWHERE, 0}, NULL, {0}, FAULT, 0}
static const struct xen_row evtchn[] = {
    EVTCHN_AWAY(bind_interdomain), EVTCHN_AWAY(bind_virq), EVTCHN_AWAY(bind_pirq), EVTCHN_AWAY(close),
    EVTCHN_AWAY(send), EVTCHN_AWAY(status), EVTCHN_AWAY(alloc_unbound), EVTCHN_AWAY(bind_ipi), EVTCHN_AWAY(bind_vcpu),
    EVTCHN_AWAY(unmask), EVTCHN_AWAY(reset), EVTCHN_AWAY(init_control), EVTCHN_AWAY(expand_array),
    EVTCHN_AWAY(set_priority),
    NO_OP(event_channel_op, "event_channel_op", 15), NO_OP(event_channel_op, "event_channel_op", 16),
    NO_OP(event_channel_op, "event_channel_op", 0x7fffffff),
    EVTCHN("for another domain", alloc_unbound, "224", PERM, 0, DOMID_SELF),
    EVTCHN("for a domain that is not there", alloc_unbound, "224", SRCH, 0x1234, DOMID_SELF),
    EVTCHN("for DOMID_IO", alloc_unbound, "224", SRCH, DOMID_IO, 0),
    EVTCHN("for DOMID_INVALID", alloc_unbound, "224", SRCH, DOMID_INVALID, 0),
    EVTCHN("with a domain that is not there", bind_interdomain, "244", SRCH, 0x1234, 1),
    EVTCHN("with DOMID_INVALID", bind_interdomain, "244", SRCH, DOMID_INVALID, 1),
    EVTCHN("with a port of domain 0 that does not wait for us", bind_interdomain, "244", INVAL, 0, 0x1fff),
    EVTCHN("vCPU that is not there", bind_ipi, "44", NOENT, XEN_NR_VPS),
    EVTCHN("vCPU 0xffffffff", bind_ipi, "44", NOENT, 0xffffffff),
    EVTCHN("vCPU 0x80000000", bind_ipi, "44", NOENT, 0x80000000),
    EVTCHN("VIRQ 24, the first beyond all", bind_virq, "444", INVAL, 24, 0),
    EVTCHN("VIRQ 0xffffffff", bind_virq, "444", INVAL, 0xffffffff, 0),
    EVTCHN("VIRQ 0x80000001", bind_virq, "444", INVAL, 0x80000001, 0),
    EVTCHN("timer of a vCPU that is not there", bind_virq, "444", NOENT, VIRQ_TIMER, XEN_NR_VPS),
    EVTCHN("timer of vCPU 0xffffffff", bind_virq, "444", NOENT, VIRQ_TIMER, 0xffffffff),
    EVTCHN("a global one to another vCPU than 0", bind_virq, "444", INVAL, VIRQ_DOM_EXC, 1),
    EVTCHN("VIRQ_CONSOLE to vCPU 1", bind_virq, "444", INVAL, VIRQ_CONSOLE, 1),
    EVTCHN("VIRQ_ARGO to vCPU 1", bind_virq, "444", INVAL, VIRQ_ARGO, 1),
    EVTCHN("PIRQ 0xffffffff", bind_pirq, "444", INVAL, 0xffffffff, 0),
    EVTCHN("PIRQ 0x10000", bind_pirq, "444", INVAL, 0x10000, 0),
    EVTCHN("of another domain", status, "244444", PERM, 0, 1),
    EVTCHN("of a domain that is not there", status, "244444", SRCH, 0x1234, 1),
    EVTCHN("domain and port that are not there", status, "244444", SRCH, 0x1234, 0xffffffff),
    EVTCHN("of ourselves by number", status, "244444", 0, XEN_OWN_DOMID, 1),
    EVTCHN("of another domain", reset, "2", PERM, 0),
    EVTCHN("of a domain that is not there", reset, "2", SRCH, 0x1234),
    EVTCHN("of DOMID_IO", reset, "2", SRCH, DOMID_IO),
    EVTCHN("vCPU that is not there", bind_vcpu, "44", NOENT, 1, XEN_NR_VPS),
    EVTCHN("vCPU 0xffffffff", bind_vcpu, "44", NOENT, 1, 0xffffffff),
    EVTCHN("vCPU and port that are not there", bind_vcpu, "44", NOENT, 0xffffffff, 0xffffffff),
    EVTCHN("before there is a control block", expand_array, "8", -XEN_EOPNOTSUPP, XEN_GFN(XEN_PAGE_EVENTS)),
    EVTCHN("vCPU that is not there", init_control, "84411111111", NOENT, XEN_GFN(XEN_PAGE_CONTROL), 0, XEN_NR_VPS),
    EVTCHN("a block that crosses pages", init_control, "84411111111", INVAL, XEN_GFN(XEN_PAGE_CONTROL), 4032, 0),
    EVTCHN("a block beyond its page", init_control, "84411111111", INVAL, XEN_GFN(XEN_PAGE_CONTROL), 4096, 0),
    EVTCHN("offset 0xfffffff8", init_control, "84411111111", INVAL, XEN_GFN(XEN_PAGE_CONTROL), 0xfffffff8, 0),
    EVTCHN("a block that is not aligned to 8", init_control, "84411111111", INVAL, XEN_GFN(XEN_PAGE_CONTROL), 4, 0),
    EVTCHN("a frame where nothing is", init_control, "84411111111", INVAL, XEN_NOWHERE_GFN, 0, 0),
    EVTCHN("and it is still the other ABI", expand_array, "8", -XEN_EOPNOTSUPP, XEN_GFN(XEN_PAGE_EVENTS)),
};

/* --- sched_op, set_timer_op, vcpu_op ------------------------------------------------------------------------------ */

#define SCHED(check, op, form, want, ...) {"SCHEDOP_" #op, check, "sched.h", __HYPERVISOR_sched_op, \
                                           {SCHEDOP_##op, XEN_ARG, 0}, form, {__VA_ARGS__}, want, 0}
#define SCHED_AWAY(op) {"SCHEDOP_" #op, "nowhere to read", "sched.h", __HYPERVISOR_sched_op, \
                        {SCHEDOP_##op, XEN_NOWHERE, 0}, NULL, {0}, FAULT, 0}
static const struct xen_row sched[] = {
    SCHED("works", yield, NULL, 0, 0),
    SCHED_AWAY(shutdown), SCHED_AWAY(poll), SCHED_AWAY(remote_shutdown), SCHED_AWAY(shutdown_code),
    SCHED_AWAY(watchdog),
    SCHED("is for the hardware domain", pin_override, "4", PERM, 0),
    SCHED("of domain 0", remote_shutdown, "24", PERM, 0, 0),
    SCHED("of a domain that is not there", remote_shutdown, "24", SRCH, 0x1234, 0),
    SCHED("DOMID_SELF is no other domain", remote_shutdown, "24", SRCH, DOMID_SELF, 0),
    SCHED("129 ports", poll, "l48", INVAL, XEN_GPA(XEN_PAGE_ARRAY), 129, 1),
    SCHED("0xffffffff ports", poll, "l48", INVAL, XEN_GPA(XEN_PAGE_ARRAY), 0xffffffff, 1),
    SCHED("ports that are not there", poll, "l48", FAULT, XEN_NOWHERE, 1, 1),
    SCHED("watchdog 3", watchdog, "44", INVAL, 3, 10),
    SCHED("watchdog 0xffffffff", watchdog, "44", INVAL, 0xffffffff, 10),
    SCHED("poking one that is not set", watchdog, "44", INVAL, 1, 10),
    SCHED("ending one that is not set", watchdog, "44", INVAL, 2, 0),
    NO_OP(sched_op, "sched_op", 8), NO_OP(sched_op, "sched_op", 9), NO_OP(sched_op, "sched_op", 0xffffffff),
};

#define VCPU(check, op, vcpu, form, want, ...) {"VCPUOP_" #op, check, "vcpu.h", __HYPERVISOR_vcpu_op, \
                                                {VCPUOP_##op, vcpu, XEN_ARG}, form, {__VA_ARGS__}, want, 0}
#define VCPU_GONE(op) {"VCPUOP_" #op, "vCPU that is not there", "vcpu.h; src do_vcpu_op", __HYPERVISOR_vcpu_op, \
                       {VCPUOP_##op, XEN_NR_VPS, XEN_NOWHERE}, NULL, {0}, NOENT, 0}
#define VCPU_AWAY(op) {"VCPUOP_" #op, "nowhere to read or write", "vcpu.h", __HYPERVISOR_vcpu_op, \
                       {VCPUOP_##op, 0, XEN_NOWHERE}, NULL, {0}, FAULT, 0}
#define NO_VCPUOP(number) {"vcpu_op", "sub-operation " #number " is not there", "src common_vcpu_op", \
                           __HYPERVISOR_vcpu_op, {number, 0, XEN_ARG}, "l", {0}, NOSYS, 0}
static const struct xen_row vcpu[] = {
    VCPU_GONE(initialise), VCPU_GONE(up), VCPU_GONE(down), VCPU_GONE(is_up), VCPU_GONE(get_runstate_info),
    VCPU_GONE(register_runstate_memory_area), VCPU_GONE(set_periodic_timer), VCPU_GONE(stop_periodic_timer),
    VCPU_GONE(set_singleshot_timer), VCPU_GONE(stop_singleshot_timer), VCPU_GONE(register_vcpu_info),
    VCPU_GONE(send_nmi), VCPU_GONE(get_physid), VCPU_GONE(register_vcpu_time_memory_area),
    VCPU_AWAY(get_runstate_info), VCPU_AWAY(register_runstate_memory_area), VCPU_AWAY(set_periodic_timer),
    VCPU_AWAY(set_singleshot_timer), VCPU_AWAY(register_vcpu_info), VCPU_AWAY(register_vcpu_time_memory_area),
    VCPU("vCPU 0xffffffff", is_up, 0xffffffff, NULL, NOENT, 0),
    VCPU("of the caller", is_up, 0, NULL, 1, 0),
    VCPU("that is up already", up, 0, NULL, 0, 0),
    VCPU("for a vCPU of HVM without a pin", get_physid, 0, "8", INVAL, 0),
    VCPU("with an argument", send_nmi, 0, "8", INVAL, 0),
    VCPU("period 0", set_periodic_timer, 0, "8", INVAL, 0),
    VCPU("a period below a millisecond", set_periodic_timer, 0, "8", INVAL, 999999),
    VCPU("a period without end", set_periodic_timer, 0, "8", INVAL, UINT64_MAX),
    VCPU("a period of a minute", set_periodic_timer, 0, "8", 0, 60000000000),
    VCPU("that runs", stop_periodic_timer, 0, NULL, 0, 0),
    VCPU("that does not run", stop_periodic_timer, 0, NULL, 0, 0),
    VCPU("far off", set_singleshot_timer, 0, "84", 0, 1ull << 60, 0),
    VCPU("that runs", stop_singleshot_timer, 0, NULL, 0, 0),
    VCPU("that does not run", stop_singleshot_timer, 0, NULL, 0, 0),
    VCPU("beyond the page", register_vcpu_info, 0, "844", -XEN_ENXIO, XEN_GFN(XEN_PAGE_AREA), 4096 - 63, 0),
    VCPU("offset 0xffffffff", register_vcpu_info, 0, "844", -XEN_ENXIO, XEN_GFN(XEN_PAGE_AREA), 0xffffffff, 0),
    VCPU("offset 4096", register_vcpu_info, 0, "844", -XEN_ENXIO, XEN_GFN(XEN_PAGE_AREA), 4096, 0),
    VCPU("not aligned", register_vcpu_info, 0, "844", -XEN_ENXIO, XEN_GFN(XEN_PAGE_AREA), 2, 0),
    VCPU("where no RAM is", register_vcpu_info, 0, "844", INVAL, XEN_NOWHERE_GFN, 0, 0),
    VCPU("an area where nothing is", register_vcpu_time_memory_area, 0, "8", 0, XEN_NOWHERE),
    NO_VCPUOP(14), NO_VCPUOP(99), NO_VCPUOP(0xffffffff),
};

/* Another vCPU's timer is not the caller's to set. */
static const struct xen_row other_vcpu[] = {
    VCPU("of another vCPU", set_singleshot_timer, 1, "84", INVAL, 1ull << 60, 0),
    VCPU("of another vCPU", stop_singleshot_timer, 1, NULL, INVAL, 0),
    VCPU("of another vCPU", set_periodic_timer, 1, "8", 0, 60000000000),
    VCPU("of another vCPU", stop_periodic_timer, 1, NULL, 0, 0),
    VCPU("of another vCPU", is_up, 1, NULL, 1, 0),
    VCPU("of another vCPU", get_runstate_info, 1, NULL, 0, 0),
};

#define TIMER(check, low, high) {"set_timer_op", check, "src do_set_timer_op", __HYPERVISOR_set_timer_op, \
                                 {low, high, 0}, NULL, {0}, 0, 0}
static const struct xen_row timer[] = {
    TIMER("stops the timer", 0, 0), TIMER("a time that has passed", 1, 0), TIMER("again", 1, 0),
    TIMER("stops it again", 0, 0),
};

/* --- multicall, vm_assist ----------------------------------------------------------------------------------------- */

#define ASSIST(check, cmd, type, want, or_want) {"vm_assist", check, "xen.h, VMASST_*; src do_vm_assist", \
                                                 __HYPERVISOR_vm_assist, {cmd, type, 0}, NULL, {0}, want, or_want}
static const struct xen_row assist[] = {
    ASSIST("enable the flag of runstate updates", VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag, 0, 0),
    ASSIST("disable it", VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag, 0, 0),
    ASSIST("a command that is not there", 2, VMASST_TYPE_runstate_update_flag, NOSYS, 0),
    ASSIST("command 0xffffffff", 0xffffffff, VMASST_TYPE_runstate_update_flag, NOSYS, 0),
    ASSIST("4 GiB segments are for PV", VMASST_CMD_enable, VMASST_TYPE_4gb_segments, INVAL, 0),
    ASSIST("notification of them as well", VMASST_CMD_enable, VMASST_TYPE_4gb_segments_notify, INVAL, 0),
    ASSIST("writable page tables are for PV", VMASST_CMD_enable, VMASST_TYPE_writable_pagetables, INVAL, 0),
    ASSIST("PAE above 4 GiB is for PV", VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3, INVAL, 0),
    ASSIST("an IOPL of the architecture is for PV", VMASST_CMD_enable, VMASST_TYPE_architectural_iopl, INVAL, 0),
    ASSIST("strict M2P is for PV", VMASST_CMD_enable, VMASST_TYPE_m2p_strict, INVAL, 0),
    ASSIST("type 31", VMASST_CMD_enable, 31, INVAL, 0),
    ASSIST("type 64", VMASST_CMD_enable, 64, INVAL, 0),
    ASSIST("type 0xffffffff", VMASST_CMD_disable, 0xffffffff, INVAL, 0),
    ASSIST("wrong in both, the type counts", 2, 64, INVAL, 0),
};

/* --- physdev_op --------------------------------------------------------------------------------------------------- */

#define PHYSDEV_ABSENT(op) {"PHYSDEVOP_" #op, "is not for HVM guests", "physdev.h; src hvm_physdev_op", \
                            __HYPERVISOR_physdev_op, {PHYSDEVOP_##op, XEN_ARG, 0}, "8888", {0}, NOSYS, 0}
static const struct xen_row physdev[] = {
    PHYSDEV_ABSENT(set_iopl), PHYSDEV_ABSENT(set_iobitmap), PHYSDEV_ABSENT(apic_read), PHYSDEV_ABSENT(apic_write),
    PHYSDEV_ABSENT(alloc_irq_vector), PHYSDEV_ABSENT(manage_pci_add), PHYSDEV_ABSENT(manage_pci_remove),
    PHYSDEV_ABSENT(pirq_eoi_gmfn_v1), PHYSDEV_ABSENT(restore_msi), PHYSDEV_ABSENT(manage_pci_add_ext),
    PHYSDEV_ABSENT(setup_gsi), PHYSDEV_ABSENT(pci_mmcfg_reserved),
    PHYSDEV_ABSENT(pci_device_add), PHYSDEV_ABSENT(pci_device_remove), PHYSDEV_ABSENT(restore_msi_ext),
    PHYSDEV_ABSENT(pirq_eoi_gmfn_v2), PHYSDEV_ABSENT(dbgp_op), PHYSDEV_ABSENT(prepare_msix),
    PHYSDEV_ABSENT(release_msix),
    NO_OP(physdev_op, "physdev_op", 1), NO_OP(physdev_op, "physdev_op", 33), NO_OP(physdev_op, "physdev_op", 0xffff),
};

/* Later releases than 4.17 let mapping through, to be refused there. */
#define PHYSDEV_GONE(op) {"PHYSDEVOP_" #op, "is not there without XENFEAT_hvm_pirqs", "src hvm_physdev_op", \
                          __HYPERVISOR_physdev_op, {PHYSDEVOP_##op, XEN_ARG, 0}, "8888", {0}, NOSYS, PERM}
static const struct xen_row no_pirqs[] = {
    PHYSDEV_GONE(map_pirq), PHYSDEV_GONE(unmap_pirq), PHYSDEV_GONE(eoi), PHYSDEV_GONE(irq_status_query),
    PHYSDEV_GONE(get_free_pirq),
};

/* domid type index pirq bus devfn entry_nr table_base */
#define MAP_FORM "24444448"
#define PHYSDEV(check, op, form, want, ...) {"PHYSDEVOP_" #op, check, "physdev.h", __HYPERVISOR_physdev_op, \
                                             {PHYSDEVOP_##op, XEN_ARG, 0}, form, {__VA_ARGS__}, want, 0}
#define PHYSDEV_AWAY(op) {"PHYSDEVOP_" #op, "nowhere to read", "physdev.h", __HYPERVISOR_physdev_op, \
                          {PHYSDEVOP_##op, XEN_NOWHERE, 0}, NULL, {0}, FAULT, 0}
static const struct xen_row pirqs[] = {
    PHYSDEV_AWAY(map_pirq), PHYSDEV_AWAY(unmap_pirq), PHYSDEV_AWAY(eoi), PHYSDEV_AWAY(irq_status_query),
    PHYSDEV_AWAY(get_free_pirq),
    PHYSDEV("of another domain", map_pirq, MAP_FORM, PERM, 0, MAP_PIRQ_TYPE_GSI, 16, 0xffffffff),
    PHYSDEV("of a domain that is not there", map_pirq, MAP_FORM, SRCH, 0x1234, MAP_PIRQ_TYPE_GSI, 16, 0xffffffff),
    PHYSDEV("of a domain that is not there", unmap_pirq, "24", SRCH, 0x1234, 16),
    PHYSDEV("PIRQ 0xffffffff", eoi, "4", INVAL, 0xffffffff),
    PHYSDEV("PIRQ 0xffffffff", irq_status_query, "44", INVAL, 0xffffffff),
};

void xm_ask_rows(struct xen *x)
{
    XEN_ROWS(x, calls);
    XEN_ROWS(x, version);
    XEN_ROWS(x, evtchn);
    XEN_ROWS(x, sched);
    XEN_ROWS(x, vcpu);
    if (x->env->nr_vps > 1)
        XEN_ROWS(x, other_vcpu);
    XEN_ROWS(x, timer);
    XEN_ROWS(x, assist);
    XEN_ROWS(x, physdev);
    if (x->has_pirqs)
        XEN_ROWS(x, pirqs);
    else
        XEN_ROWS(x, no_pirqs);
}
