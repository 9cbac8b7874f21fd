/*
 * Private to the Hyper-V translator: its state, its features, and the handlers that the rows name.
 *
 * State that vCPUs read outside the VM lock is in a *_shared struct, with atomics. Everything here is as it was at
 * power-on when it is zero, so there is no reset function.
 */
#ifndef HV_STATE_H
#define HV_STATE_H

#include <hvshim/personality.h>

#include "hv_abi.h"

/* What users can switch, in the order of hv_features[]. */
enum hv_feature {
    HV_FEATURE_VPINDEX,
    HV_FEATURE_TIME,
    HV_FEATURE_FREQUENCIES,
    HV_FEATURE_CRASH,
    HV_FEATURE_RESET,
    HV_FEATURE_RELAXED,
    HV_FEATURE_SPINLOCKS,
    HV_NR_FEATURES,
};

enum { HV_OVERLAY_HYPERCALL, HV_OVERLAY_REFERENCE_TSC, HV_NR_VM_OVERLAYS };
enum { HV_OVERLAY_VP_ASSIST, HV_NR_VCPU_OVERLAYS };

struct hv_vm_shared {
    _Atomic uint64_t hypercall; /* HV_X64_MSR_HYPERCALL; written under the VM lock */
};

struct hv_vm {
    struct hv_vm_shared shared;
    uint64_t guest_os_id;
    uint64_t reference_tsc;
    uint64_t crash_parameter[HV_X64_NR_CRASH_PARAMETERS];
};

struct hv_vcpu {
    uint64_t vp_assist_page;
};

/* hv_page.c: MSRs that place a page, 63:12 its frame and bit 0 its being there */
static inline uint64_t hv_page_gfn(uint64_t value)
{
    return value >> HV_PAGE_SHIFT;
}
/* Lays the overlay as `value` says; where that is no guest memory, the page just cannot be reached. */
void hv_page_lay(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t value);

/* hv_cpuid.c */
void hv_cpuid_vendor(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void hv_cpuid_version(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void hv_cpuid_enlightenments(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);

/* hv_interface.c */
hvs_msr_read_fn hv_guest_os_id_read, hv_hypercall_read;
hvs_msr_write_fn hv_guest_os_id_write, hv_hypercall_write;
/* Says whether the page's code sets EAX bit 31, so that a call which traps by itself can be told from others'. */
bool hv_page_marks_calls(const struct hvs_ctx *ctx);
bool hv_claims_raw(const struct hvs_regs *regs);
#define HV_CALL_MARK 0x80000000u

/* hv_hcall.c */
enum hvs_verdict hv_hypercall(struct hvs_ctx *ctx);

/* hv_time.c */
void hv_clock_moved(struct hvs_ctx *ctx);
hvs_msr_read_fn hv_time_ref_count_read, hv_reference_tsc_read, hv_tsc_frequency_read, hv_apic_frequency_read;
hvs_msr_write_fn hv_reference_tsc_write;

/* hv_vp.c */
hvs_msr_read_fn hv_vp_index_read, hv_vp_assist_page_read;
hvs_msr_write_fn hv_vp_assist_page_write;
hvs_hcall_fn hv_notify_long_spin_wait;

/* hv_partition.c */
hvs_msr_read_fn hv_reset_read, hv_crash_parameter_read, hv_crash_ctl_read;
hvs_msr_write_fn hv_reset_write, hv_crash_parameter_write, hv_crash_ctl_write;

#endif
