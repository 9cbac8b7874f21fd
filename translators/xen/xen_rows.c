/*
 * The Xen personality as data: features, CPUID leaves, MSRs, hypercalls. What has no row here does not exist: a guest
 * gets -ENOSYS, which is also what Xen says of what it was built without.
 *
 * Left out so far: PIRQs.
 */
#include <hvshim/translators.h>

#include "xen_state.h"

#define REF_CPUID "XEN public/arch-x86/cpuid.h"
#define REF_UNPLUG "XEN docs/misc/hvm-emulated-unplug.pandoc"
#define REF_ABI "XEN docs/guest-guide/x86/hypercall-abi.rst"

static const struct hvs_feature features[XEN_NR_FEATURES] = {
    [XEN_FEATURE_EVTCHN] = {.name = "evtchn", .caps = HVS_CAP_INJECT, .ref = "XEN public/event_channel.h"},
    [XEN_FEATURE_UPCALL_VECTOR] = {
        .name = "upcall-vector",
        .needs = 1u << XEN_FEATURE_EVTCHN,
        .bit = {{.leaf = 4, .reg = HVS_EAX, .bit = 6}},
        .ref = "XEN public/hvm/hvm_op.h",
    },
    /* Shows as XENFEAT_hvm_callback_vector. */
    [XEN_FEATURE_CALLBACK_VECTOR] = {
        .name = "callback-vector",
        .needs = 1u << XEN_FEATURE_EVTCHN,
        .caps = HVS_CAP_PAST_APIC,
        .ref = "XEN public/hvm/params.h",
    },
    [XEN_FEATURE_CALLBACK_LINE] = {
        .name = "callback-line",
        .needs = 1u << XEN_FEATURE_EVTCHN,
        .caps = HVS_CAP_GSI | HVS_CAP_TIMER,
        .ref = "XEN public/hvm/params.h",
    },
    [XEN_FEATURE_TIMER] = {
        .name = "timer",
        .needs = 1u << XEN_FEATURE_EVTCHN,
        .caps = HVS_CAP_TIMER,
        .ref = "XEN public/vcpu.h",
    },
    /* Shows as XENFEAT_hvm_safe_pvclock. Guests that take the clock take the timer too, unasked. */
    [XEN_FEATURE_PVCLOCK] = {
        .name = "pvclock",
        .needs = 1u << XEN_FEATURE_TIMER,
        .caps = HVS_CAP_TSC_STABLE,
        .ref = "XEN public/xen.h vcpu_time_info",
    },
    [XEN_FEATURE_BLOCK] = {.name = "block", .caps = HVS_CAP_BLOCK, .ref = "XEN public/sched.h"},
    [XEN_FEATURE_SHUTDOWN] = {.name = "shutdown", .caps = HVS_CAP_STOP, .ref = "XEN public/sched.h"},
    [XEN_FEATURE_WATCHDOG] = {
        .name = "watchdog",
        .needs = 1u << XEN_FEATURE_SHUTDOWN,
        .caps = HVS_CAP_TIMER,
        .ref = "XEN public/sched.h",
    },
    [XEN_FEATURE_VCPU_START] = {.name = "vcpu-start", .caps = HVS_CAP_VCPU_START, .ref = "XEN public/vcpu.h"},
    /* When it resumes, Linux stops for good if a vCPU is up and cannot be put down, so there is both or neither. */
    [XEN_FEATURE_VCPU_DOWN] = {
        .name = "vcpu-down",
        .needs = 1u << XEN_FEATURE_VCPU_START | 1u << XEN_FEATURE_SHUTDOWN,
        .caps = HVS_CAP_VCPU_GO_ON,
        .ref = "XEN public/vcpu.h",
    },
    [XEN_FEATURE_MULTICALL] = {.name = "multicall", .caps = HVS_CAP_RETRY, .ref = "XEN common/multicall.c"},
    /* Long lists go on in another exit. */
    [XEN_FEATURE_GRANTS] = {.name = "grants", .caps = HVS_CAP_RETRY, .ref = "XEN public/grant_table.h"},
    [XEN_FEATURE_FLUSH_TLBS] = {.name = "flush-tlbs", .caps = HVS_CAP_FLUSH, .ref = "XEN public/hvm/hvm_op.h"},
    [XEN_FEATURE_STORE] = {
        .name = "xenstore",
        .needs = 1u << XEN_FEATURE_EVTCHN,
        .caps = HVS_CAP_TIMER,
        .ref = "XEN docs/misc/xenstore.txt",
    },
    [XEN_FEATURE_CONSOLE] = {
        .name = "console",
        .needs = 1u << XEN_FEATURE_EVTCHN,
        .ref = "XEN public/io/console.h",
    },
    /* Its row is there without it too, and refuses, as Xen's call does. */
    [XEN_FEATURE_CONSOLE_IO] = {
        .name = "console-io",
        .caps = HVS_CAP_RETRY,
        .is_off_by_default = true,
        .ref = "XEN drivers/char/console.c",
    },
    [XEN_FEATURE_DEBUG_PORT] = {.name = "debug-port", .ref = "XEN arch/x86/hvm/hvm.c"},
    [XEN_FEATURE_UNPLUG] = {.name = "unplug", .ref = REF_UNPLUG},
    /* Off by default, for Xen's stubs are all alike, and a structure that is not mapped is a page fault in this one. */
    [XEN_FEATURE_SIGNAL] = {
        .name = "send-signal",
        .needs = 1u << XEN_FEATURE_EVTCHN,
        .caps = HVS_CAP_SIGNAL,
        .is_off_by_default = true,
        .ref = "XEN public/event_channel.h",
    },
};

static const struct hvs_cpuid_row cpuid_rows[] = {
    {.leaf = 0, .name = "signature", .fill = xen_cpuid_signature, .ref = REF_CPUID,
     .fixed = {{0, XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX}}},
    {.leaf = 1, .name = "version", .fill = xen_cpuid_version, .ref = REF_CPUID},
    {.leaf = 2, .name = "hypercall page", .fixed = {{[HVS_EAX] = 1}}, .fill = xen_cpuid_hypercall, .ref = REF_CPUID},
    {.leaf = 3, .name = "time", .fill = xen_cpuid_time, .ref = REF_CPUID},
    {.leaf = 3, .subleaf = 1, .name = "time scale", .fill = xen_cpuid_time_scale, .ref = REF_CPUID},
    {.leaf = 4, .name = "HVM", .fill = xen_cpuid_hvm, .ref = REF_CPUID,
     .fixed = {{[HVS_EAX] = XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT}}},
};

#define MSR(msr) .first = (msr), .last = (msr), .name = #msr

static const struct hvs_msr_row msr_rows[] = {
    {MSR(XEN_MSR_HYPERCALL_PAGE), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VM, .read = xen_page_msr_read,
     .write = xen_page_msr_write, .ref = REF_ABI},
    {MSR(XEN_MSR_HYPERCALL_PAGE_STACKED), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VM,
     .read = xen_page_msr_read, .write = xen_page_msr_write, .ref = REF_ABI},
};

/* What a handle points to, in both widths; with _OUT, how much of it is written back. */
#define IN(type) .in_bytes = sizeof(type), .in32_bytes = sizeof(type)
#define IN_BOTH(type, bytes32) .in_bytes = sizeof(type), .in32_bytes = (bytes32)
#define IN_OUT(type) IN(type), .out_bytes = sizeof(type)
#define ADDRESS .in_bytes = sizeof(uint64_t), .in32_bytes = sizeof(uint32_t)

#define MEMORY(op) .code = __HYPERVISOR_memory_op << 16 | XENMEM_##op, .name = "XENMEM_" #op, \
    .scope = HVS_SCOPE_VM, .feature = HVS_FEATURE_ALWAYS, .ref = "XEN public/memory.h"
#define VERSION(op) .code = __HYPERVISOR_xen_version << 16 | XENVER_##op, .name = "XENVER_" #op, \
    .scope = HVS_SCOPE_VCPU, .feature = HVS_FEATURE_ALWAYS, .ref = "XEN public/version.h"
#define VCPU(op) .code = __HYPERVISOR_vcpu_op << 16 | VCPUOP_##op, .name = "VCPUOP_" #op, .ref = "XEN public/vcpu.h"
#define SCHED(op) .code = __HYPERVISOR_sched_op << 16 | SCHEDOP_##op, .name = "SCHEDOP_" #op, \
    .ref = "XEN public/sched.h"
#define EVTCHN(op) .code = __HYPERVISOR_event_channel_op << 16 | EVTCHNOP_##op, .name = "EVTCHNOP_" #op, \
    .scope = HVS_SCOPE_VM, .feature = XEN_FEATURE_EVTCHN, .fn = xen_evtchn_##op, .ref = "XEN public/event_channel.h"
#define PHYSDEV(op) .code = __HYPERVISOR_physdev_op << 16 | PHYSDEVOP_##op, .name = "PHYSDEVOP_" #op, \
    .scope = HVS_SCOPE_VCPU, .feature = HVS_FEATURE_ALWAYS, .ref = "XEN public/physdev.h"
#define GNTTAB(op) .code = __HYPERVISOR_grant_table_op << 16 | GNTTABOP_##op, .name = "GNTTABOP_" #op, \
    .feature = XEN_FEATURE_GRANTS, .fn = xen_gnttab_##op, .ref = "XEN public/grant_table.h"
#define HVM(op) .code = __HYPERVISOR_hvm_op << 16 | HVMOP_##op, .name = "HVMOP_" #op, .scope = HVS_SCOPE_VM, \
    .fn = xen_hvm_##op, .ref = "XEN public/hvm/hvm_op.h"

static const struct hvs_hcall_row hcall_rows[] = {
    {MEMORY(increase_reservation), .fn = xen_memory_increase_reservation},
    {MEMORY(decrease_reservation), .fn = xen_memory_decrease_reservation},
    {MEMORY(maximum_ram_page), .fn = xen_memory_maximum_ram_page},
    {MEMORY(current_reservation), IN(struct xen_memory_domain), .fn = xen_memory_current_reservation},
    {MEMORY(maximum_reservation), IN(struct xen_memory_domain), .fn = xen_memory_maximum_reservation},
    {MEMORY(populate_physmap), .fn = xen_memory_populate_physmap},
    {MEMORY(add_to_physmap), IN_BOTH(struct xen_add_to_physmap, sizeof(struct xen_add_to_physmap32)),
     .fn = xen_memory_add_to_physmap},
    {MEMORY(memory_map), IN_BOTH(struct xen_memory_map, sizeof(struct xen_memory_map32)),
     .out_bytes = sizeof(uint32_t), .fn = xen_memory_memory_map},
    {MEMORY(set_memory_map), IN_BOTH(struct xen_foreign_memory_map, sizeof(struct xen_foreign_memory_map32)),
     .fn = xen_memory_set_memory_map},
    {MEMORY(maximum_gpfn), IN(struct xen_memory_domain), .fn = xen_memory_maximum_gpfn},
    {MEMORY(remove_from_physmap), IN_BOTH(struct xen_remove_from_physmap, sizeof(struct xen_remove_from_physmap32)),
     .fn = xen_memory_remove_from_physmap},
    {MEMORY(add_to_physmap_batch),
     IN_BOTH(struct xen_add_to_physmap_batch, sizeof(struct xen_add_to_physmap_batch32)),
     .fn = xen_memory_add_to_physmap_batch},

    {.code = __HYPERVISOR_multicall << 16 | HVS_NO_SUBOP, .name = "multicall", .feature = XEN_FEATURE_MULTICALL,
     .scope = HVS_SCOPE_VCPU, .max_effects = HVS_MAX_EFFECTS, .fn = xen_multicall, .ref = "XEN common/multicall.c"},

    {.code = __HYPERVISOR_set_timer_op << 16 | HVS_NO_SUBOP, .name = "set_timer_op", .feature = XEN_FEATURE_TIMER,
     .scope = HVS_SCOPE_VCPU, .max_effects = XEN_RAISE_EFFECTS, .fn = xen_set_timer_op,
     .ref = "XEN common/sched/core.c"},

    {VERSION(version), .fn = xen_version_version},
    {VERSION(extraversion), .fn = xen_version_extraversion},
    {VERSION(compile_info), .fn = xen_version_compile_info},
    {VERSION(capabilities), .fn = xen_version_capabilities},
    {VERSION(changeset), .fn = xen_version_changeset},
    {VERSION(platform_parameters), .fn = xen_version_platform_parameters},
    {VERSION(get_features), IN_OUT(struct xen_feature_info), .fn = xen_version_get_features},
    {VERSION(pagesize), .fn = xen_version_pagesize},
    {VERSION(guest_handle), .fn = xen_version_guest_handle},
    {VERSION(commandline), .fn = xen_version_commandline},
    {VERSION(build_id), .fn = xen_version_build_id},

    {.code = __HYPERVISOR_console_io << 16 | HVS_NO_SUBOP, .name = "console_io", .feature = HVS_FEATURE_ALWAYS,
     .scope = HVS_SCOPE_VCPU, .max_effects = XEN_MAX_UPCALL_EFFECTS, .fn = xen_console_io,
     .ref = "XEN public/xen.h; drivers/char/console.c"},

    {GNTTAB(map_grant_ref), .scope = HVS_SCOPE_VCPU},
    {GNTTAB(unmap_grant_ref), .scope = HVS_SCOPE_VCPU},
    {GNTTAB(setup_table), .scope = HVS_SCOPE_VM},
    {GNTTAB(copy), .scope = HVS_SCOPE_VCPU},
    {GNTTAB(query_size), .scope = HVS_SCOPE_VM},
    {GNTTAB(set_version), .scope = HVS_SCOPE_VM},
    {GNTTAB(get_version), .scope = HVS_SCOPE_VM},
    {GNTTAB(swap_grant_ref), .scope = HVS_SCOPE_VCPU},

    {.code = __HYPERVISOR_vm_assist << 16 | HVS_NO_SUBOP, .name = "vm_assist", .feature = HVS_FEATURE_ALWAYS,
     .scope = HVS_SCOPE_VM, .fn = xen_vm_assist, .ref = "XEN public/xen.h; common/domain.c do_vm_assist"},

    {VCPU(initialise), .feature = XEN_FEATURE_VCPU_START, .scope = HVS_SCOPE_VM, IN(struct vcpu_hvm_context),
     .fn = xen_vcpu_initialise},
    {VCPU(up), .feature = XEN_FEATURE_VCPU_START, .scope = HVS_SCOPE_VM, .max_effects = 1, .fn = xen_vcpu_up},
    {VCPU(down), .feature = XEN_FEATURE_VCPU_DOWN, .scope = HVS_SCOPE_VM, .max_effects = XEN_LINE_EFFECTS,
     .fn = xen_vcpu_down},
    {VCPU(is_up), .feature = XEN_FEATURE_VCPU_DOWN, .scope = HVS_SCOPE_VM, .fn = xen_vcpu_is_up},
    {VCPU(get_runstate_info), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VCPU,
     .fn = xen_vcpu_get_runstate_info},
    {VCPU(register_runstate_memory_area), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VM, ADDRESS,
     .fn = xen_vcpu_register_runstate_memory_area},
    {VCPU(set_periodic_timer), .feature = XEN_FEATURE_TIMER, .scope = HVS_SCOPE_VM,
     .max_effects = XEN_RAISE_EFFECTS, IN(struct vcpu_set_periodic_timer), .fn = xen_vcpu_set_periodic_timer},
    {VCPU(stop_periodic_timer), .feature = XEN_FEATURE_TIMER, .scope = HVS_SCOPE_VM, .max_effects = 1,
     .fn = xen_vcpu_stop_periodic_timer},
    {VCPU(set_singleshot_timer), .feature = XEN_FEATURE_TIMER, .scope = HVS_SCOPE_VCPU,
     .max_effects = XEN_RAISE_EFFECTS, IN_BOTH(struct vcpu_set_singleshot_timer, XEN_SET_SINGLESHOT_TIMER32_BYTES),
     .fn = xen_vcpu_set_singleshot_timer},
    {VCPU(stop_singleshot_timer), .feature = XEN_FEATURE_TIMER, .scope = HVS_SCOPE_VCPU, .max_effects = 1,
     .fn = xen_vcpu_stop_singleshot_timer},
    {VCPU(register_vcpu_info), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VM, .max_effects = XEN_LINE_EFFECTS,
     IN(struct vcpu_register_vcpu_info), .fn = xen_vcpu_register_vcpu_info},
    {VCPU(send_nmi), .feature = XEN_FEATURE_EVTCHN, .scope = HVS_SCOPE_VCPU, .max_effects = 1,
     .fn = xen_vcpu_send_nmi},
    {VCPU(get_physid), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VCPU, .fn = xen_vcpu_get_physid},
    {VCPU(register_vcpu_time_memory_area), .feature = XEN_FEATURE_PVCLOCK, .scope = HVS_SCOPE_VM, ADDRESS,
     .fn = xen_vcpu_register_vcpu_time_memory_area},

    {SCHED(yield), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VCPU, .max_effects = 1, .fn = xen_sched_yield},
    {SCHED(block), .feature = XEN_FEATURE_BLOCK, .scope = HVS_SCOPE_VCPU, .max_effects = 1, .fn = xen_sched_block},
    {SCHED(shutdown), .feature = XEN_FEATURE_SHUTDOWN, .scope = HVS_SCOPE_VM, .max_effects = XEN_LINE_EFFECTS,
     IN(struct sched_shutdown), .fn = xen_sched_shutdown},
    {SCHED(poll), .feature = XEN_FEATURE_EVTCHN, .scope = HVS_SCOPE_VM, .max_effects = 2,
     IN_BOTH(struct sched_poll, sizeof(struct xen_sched_poll32)), .fn = xen_sched_poll},
    {SCHED(remote_shutdown), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VCPU,
     IN(struct sched_remote_shutdown), .fn = xen_sched_remote_shutdown},
    {SCHED(shutdown_code), .feature = XEN_FEATURE_SHUTDOWN, .scope = HVS_SCOPE_VM, IN(struct sched_shutdown),
     .fn = xen_sched_shutdown_code},
    {SCHED(watchdog), .feature = XEN_FEATURE_WATCHDOG, .scope = HVS_SCOPE_VM, .max_effects = 1,
     IN(struct sched_watchdog), .fn = xen_sched_watchdog},
    {SCHED(pin_override), .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VCPU, .fn = xen_sched_pin_override},

    {EVTCHN(bind_interdomain), IN_OUT(struct evtchn_bind_interdomain), .max_effects = XEN_RAISE_EFFECTS},
    {EVTCHN(bind_virq), IN_OUT(struct evtchn_bind_virq)},
    {EVTCHN(bind_pirq), IN_OUT(struct evtchn_bind_pirq)},
    {EVTCHN(close), IN(struct evtchn_close)},
    {EVTCHN(send), IN(struct evtchn_send), .max_effects = XEN_RAISE_EFFECTS},
    {EVTCHN(status), IN_OUT(struct evtchn_status)},
    {EVTCHN(alloc_unbound), IN_OUT(struct evtchn_alloc_unbound)},
    {EVTCHN(bind_ipi), IN_OUT(struct evtchn_bind_ipi)},
    {EVTCHN(bind_vcpu), IN(struct evtchn_bind_vcpu)},
    {EVTCHN(unmask), IN(struct evtchn_unmask), .max_effects = XEN_LINE_EFFECTS},
    {EVTCHN(reset), IN(struct evtchn_reset)},
    {EVTCHN(init_control), IN_OUT(struct evtchn_init_control)},
    {EVTCHN(expand_array), .max_effects = XEN_MAX_UPCALL_EFFECTS, IN(struct evtchn_expand_array)},
    {EVTCHN(set_priority), IN(struct evtchn_set_priority)},

    {PHYSDEV(map_pirq), IN_BOTH(struct physdev_map_pirq, sizeof(struct physdev_map_pirq32)),
     .fn = xen_physdev_map_pirq},
    {PHYSDEV(unmap_pirq), IN(struct physdev_unmap_pirq), .fn = xen_physdev_unmap_pirq},

    {HVM(set_param), .feature = HVS_FEATURE_ALWAYS, .max_effects = XEN_MAX_UPCALL_EFFECTS, IN(struct xen_hvm_param)},
    {HVM(get_param), .feature = HVS_FEATURE_ALWAYS, IN_OUT(struct xen_hvm_param)},
    {HVM(flush_tlbs), .feature = XEN_FEATURE_FLUSH_TLBS, .max_effects = 1},
    {HVM(pagetable_dying), .feature = HVS_FEATURE_ALWAYS, IN(struct xen_hvm_pagetable_dying)},
    {HVM(get_time), .feature = HVS_FEATURE_ALWAYS},
    {HVM(xentrace), .feature = HVS_FEATURE_ALWAYS, IN(struct xen_hvm_xentrace)},
    {HVM(get_mem_type), .feature = HVS_FEATURE_ALWAYS, IN_OUT(struct xen_hvm_get_mem_type)},
    {HVM(set_evtchn_upcall_vector), .feature = XEN_FEATURE_UPCALL_VECTOR, .max_effects = 1 + XEN_LINE_EFFECTS,
     IN(struct xen_hvm_evtchn_upcall_vector)},
    {HVM(guest_request_vm_event), .feature = HVS_FEATURE_ALWAYS},
    {HVM(altp2m), .feature = HVS_FEATURE_ALWAYS},
};

static const struct hvs_pio_row pio_rows[] = {
    {.first = XEN_PLATFORM_PORT, .last = XEN_PLATFORM_PORT + 3, .name = "platform device",
     .feature = XEN_FEATURE_UNPLUG, .scope = HVS_SCOPE_VM, .max_effects = HVS_MAX_EFFECTS, .takes_strings = true,
     .fn = xen_platform_port, .ref = REF_UNPLUG},
    {.first = XEN_HVM_DEBUGCONS_IOPORT, .last = XEN_HVM_DEBUGCONS_IOPORT, .name = "debug port",
     .feature = XEN_FEATURE_DEBUG_PORT, .scope = HVS_SCOPE_VCPU, .max_effects = HVS_MAX_EFFECTS,
     .takes_strings = true, .fn = xen_debug_say, .ref = "XEN public/arch-x86/xen.h; arch/x86/hvm/hvm.c"},
};

struct hvs_xen_options xen_options(const struct hvs_ctx *ctx)
{
    const struct hvs_xen_options *given = hvs_ctx_options(ctx);
    struct hvs_xen_options o = {.size = 0};

    if (given)
        memcpy(&o, given, given->size < sizeof(o) ? given->size : sizeof(o));
    if (o.version_major == 0) {
        o.version_major = 4;
        o.version_minor = 17;
    }
    o.extra_version = o.extra_version ? o.extra_version : ".7-hvshim";
    o.changeset = o.changeset ? o.changeset : "unavailable";
    o.name = o.name ? o.name : "guest";
    o.compiler = o.compiler ? o.compiler : "hvshim";
    o.compile_by = o.compile_by ? o.compile_by : "";
    o.compile_domain = o.compile_domain ? o.compile_domain : "";
    o.compile_date = o.compile_date ? o.compile_date : "";
    if (o.domid == XEN_DOMID_HOST || o.domid >= DOMID_FIRST_RESERVED)
        o.domid = 1;
    if (o.max_grant_frames == 0 || o.max_grant_frames > XEN_MAX_GRANT_FRAMES)
        o.max_grant_frames = XEN_DEFAULT_GRANT_FRAMES;
    if (o.max_grant_version != 1)
        o.max_grant_version = 2;
    return o;
}

/* Features for which the VMM gives nothing. */
static uint64_t lacking(const void *options)
{
    return xen_lacking(options) | xen_console_lacking(options) | xen_platform_lacking(options) |
           xen_host_lacking(options);
}

int64_t xen_check_domid(const struct hvs_ctx *ctx, uint16_t domid)
{
    if (domid == DOMID_SELF || domid == xen_options(ctx).domid)
        return 0;
    return domid == XEN_DOMID_HOST ? -XEN_EPERM : -XEN_ESRCH;
}

bool xen_is_page(const struct hvs_ctx *ctx, uint64_t gfn)
{
    void *page = hvs_page_pin(ctx, gfn);

    if (page)
        hvs_page_unpin(ctx, gfn, page, false);
    return page;
}

static void vm_reset(struct hvs_ctx *ctx)
{
    xen_port_reset(ctx);
    xen_store_reset(ctx);
}

const struct hvs_personality hvs_xen_personality = {
    .name = "xen",
    .title = "Xen",
    .id = 0x206e6578,                   /* "xen " */
    .place = HVS_PLACE_NEXT,
    .nr_timers = XEN_NR_TIMERS,
    .nr_vm_overlays = XEN_NR_VM_OVERLAYS,
    .store_bytes = XS_STORE_BYTES,
    .vm_bytes = sizeof(struct xen_vm),
    .vcpu_bytes = sizeof(struct xen_vcpu),
    .feature = features,
    .cpuid = cpuid_rows,
    .msr = msr_rows,
    .hcall = hcall_rows,
    .pio = pio_rows,
    .nr_features = HVS_ARRAY_SIZE(features),
    .nr_cpuid = HVS_ARRAY_SIZE(cpuid_rows),
    .nr_msr = HVS_ARRAY_SIZE(msr_rows),
    .nr_hcall = HVS_ARRAY_SIZE(hcall_rows),
    .nr_pio = HVS_ARRAY_SIZE(pio_rows),
    .hypercall = xen_hypercall,
    .claims_raw = xen_claims_raw,
    .lacking = lacking,
    .raw_feature = HVS_FEATURE_ALWAYS,  /* Linux since 6.1.121 [XSA-466] */
    .vm_reset = vm_reset,
    .vcpu_reset = xen_vcpu_reset,
    .clock_moved = xen_shared_publish,
    .host = xen_host,
    .timer = xen_timer,
    .save = xen_save,
    .load = xen_load,
};
