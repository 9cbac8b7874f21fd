/*
 * Private to the Hyper-V translator: its state, its features, and the handlers that the rows name.
 *
 * State that vCPUs read outside the VM lock is in a *_shared struct, with atomics. Everything here but the SINTs is as
 * it was at power-on when it is zero.
 */
#ifndef HV_STATE_H
#define HV_STATE_H

#include <hvshim/hyperv.h>
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
    HV_FEATURE_SYNIC,
    HV_FEATURE_STIMER,
    HV_FEATURE_STIMER_DIRECT,
    HV_FEATURE_TLBFLUSH,
    HV_FEATURE_TLBFLUSH_EXT,
    HV_FEATURE_IPI,
    HV_FEATURE_XMM_INPUT,
    HV_FEATURE_XMM_OUTPUT,
    HV_FEATURE_VP_REGISTERS,
    HV_FEATURE_START_VP,
    HV_FEATURE_RETARGET,
    HV_FEATURE_EXT_HYPERCALLS,
    HV_FEATURE_SYNDBG,
    HV_FEATURE_PARTITION_ID,
    HV_FEATURE_RUNTIME,
    HV_FEATURE_VAPIC,
    HV_FEATURE_APIC_MSRS,
    HV_FEATURE_AVIC,
    HV_FEATURE_IDLE,
    HV_FEATURE_REENLIGHTENMENT,
    HV_FEATURE_TSC_INVARIANT,
    HV_FEATURE_STIME_UNHALTED,
    HV_NR_FEATURES,
};

enum { HV_OVERLAY_HYPERCALL, HV_OVERLAY_REFERENCE_TSC, HV_NR_VM_OVERLAYS };
enum { HV_OVERLAY_VP_ASSIST, HV_OVERLAY_SIEF, HV_OVERLAY_SIM, HV_NR_VCPU_OVERLAYS };
/* Per vCPU; REENLIGHTENMENT is VP 0's. */
enum {
    HV_TIMER_STIMER0,
    HV_TIMER_UNHALTED = HV_TIMER_STIMER0 + HV_SYNIC_STIMER_COUNT,
    HV_TIMER_REENLIGHTENMENT,
    HV_NR_TIMERS,
};
/* Ids of our own save records [docs/save-format.md]. */
enum {
    HV_RECORD_RUNTIME = 1,
    HV_RECORD_UNHALTED,
    HV_RECORD_HOST_WAITS = 16,
    HV_RECORD_STIMERS,
};

struct hv_vm_shared {
    _Atomic uint64_t hypercall; /* HV_X64_MSR_HYPERCALL; written under the VM lock */
};

struct hv_vm {
    struct hv_vm_shared shared;
    uint64_t guest_os_id;
    uint64_t reference_tsc;
    uint64_t reenlightenment_control;
    uint64_t tsc_emulation_control;
    uint64_t tsc_emulation_status;      /* its preserved bits */
    uint64_t tsc_invariant_control;
    uint64_t crash_parameter[HV_X64_NR_CRASH_PARAMETERS];
    uint64_t debug[HV_X64_MSR_SYNTH_DEBUG_PENDING_BUFFER - HV_X64_MSR_SYNTH_DEBUG_CONTROL + 1];
};

struct hv_synic {
    uint64_t control, siefp, simp;
    uint64_t sint[HV_SYNIC_SINT_COUNT];
    uint32_t host_waits;        /* bit n: the host found the slot of SINTn taken, and is told when it is free */
};

struct hv_stimer {
    uint64_t config, count;
    uint64_t due_100ns;         /* by the reference counter: when it expires, or when the waiting message's did */
    bool has_message;           /* expired, and its message waits for the slot; a periodic one stands still then */
};

/* The time-unhalted timer; times are of VP run time. */
struct hv_unhalted {
    uint64_t config;
    uint64_t period_100ns;      /* HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT */
    uint64_t ends_100ns;        /* when the period is over */
    uint64_t seen_100ns;        /* the run time when it was looked at last */
};

struct hv_vcpu {
    uint64_t vp_assist_page;
    struct hv_synic synic;
    struct hv_stimer stimer[HV_SYNIC_STIMER_COUNT];
    uint64_t runtime_before_100ns;      /* what had run elsewhere, before a load */
    struct hv_unhalted unhalted;
};

/* hv_page.c: MSRs that place a page, 63:12 its frame and bit 0 its being there */
static inline uint64_t hv_page_gfn(uint64_t value)
{
    return value >> HV_PAGE_SHIFT;
}
/* Lays the overlay as `value` says; where that is no guest memory, the page just cannot be reached. */
void hv_page_lay(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t value);
/* The same for SIM and SIEF. */
void hv_page_lay_synic(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint64_t value);

/* hv_options.c: the slot's options with defaults filled in; a caller built for a shorter struct is understood. */
struct hvs_hv_options hv_options(const struct hvs_ctx *ctx);

/* hv_cpuid.c */
void hv_cpuid_vendor(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void hv_cpuid_version(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void hv_cpuid_stack_vendor(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void hv_cpuid_stack_interface(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
void hv_cpuid_stack_properties(struct hvs_ctx *ctx, struct hvs_cpuid_regs *regs);
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
/* Where input and output of the slow call in progress lie. */
uint64_t hv_hcall_in_gpa(const struct hvs_ctx *ctx);
uint64_t hv_hcall_out_gpa(const struct hvs_ctx *ctx);

/* hv_services.c: what is not given is zero */
struct hvs_hv_host hv_host_services(const void *options);
uint64_t hv_lacking(const void *options);

/* hv_target.c */
bool hv_is_own_partition(const struct hvs_ctx *ctx, uint64_t partition_id);
bool hv_is_own_vp(const struct hvs_ctx *ctx, uint32_t vp_index);
/* HV_INPUT_VTL: the caller's own level, or the only one there is. */
bool hv_is_own_vtl(uint8_t input_vtl);
/* Both give only VPs that exist. */
void hv_vp_mask(const struct hvs_ctx *ctx, uint64_t mask, struct hvs_vpset *set);
/* Returns HV_STATUS_INVALID_PARAMETER (format) or INVALID_HYPERCALL_INPUT: `nr_banks` is not what the header says. */
uint16_t hv_vp_set(const struct hvs_ctx *ctx, const struct hv_vp_set *header, const uint64_t *bank, uint32_t nr_banks,
                   struct hvs_vpset *set);

/* hv_flush.c */
hvs_hcall_fn hv_flush_space, hv_flush_list, hv_flush_space_ex, hv_flush_list_ex;

/* hv_ipi.c */
hvs_hcall_fn hv_send_ipi, hv_send_ipi_ex;

/* hv_vp_registers.c */
hvs_hcall_fn hv_get_vp_registers, hv_set_vp_registers;

/* hv_start_vp.c */
hvs_hcall_fn hv_start_virtual_processor, hv_get_vp_index_from_apic_id;

/* hv_translate.c */
hvs_hcall_fn hv_translate_virtual_address;

/* hv_retarget.c */
hvs_hcall_fn hv_retarget_device_interrupt;

/* hv_extended.c */
hvs_hcall_fn hv_ext_query_capabilities, hv_ext_get_boot_zeroed_memory, hv_get_partition_id;

/* hv_debug.c */
hvs_hcall_fn hv_post_debug_data, hv_retrieve_debug_data, hv_reset_debug_session, hv_output_debug_character;
hvs_msr_read_fn hv_debug_read, hv_debug_options_read;
hvs_msr_write_fn hv_debug_write;

/* hv_time.c */
void hv_clock_moved(struct hvs_ctx *ctx);
void hv_timer(struct hvs_ctx *ctx, uint32_t timer);
hvs_msr_read_fn hv_time_ref_count_read, hv_reference_tsc_read, hv_tsc_frequency_read, hv_apic_frequency_read;
hvs_msr_write_fn hv_reference_tsc_write;

/* hv_synic.c */
void hv_synic_reset(struct hvs_ctx *ctx);
hvs_msr_read_fn hv_scontrol_read, hv_sversion_read, hv_siefp_read, hv_simp_read, hv_eom_read, hv_sint_read;
hvs_msr_write_fn hv_scontrol_write, hv_siefp_write, hv_simp_write, hv_eom_write, hv_sint_write;
int hv_synic_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer);
int hv_synic_load(struct hvs_ctx *ctx, const struct hvs_record *record);
/* Says whether messages and flags may be aimed at this vCPU at all. */
bool hv_synic_is_on(const struct hvs_ctx *ctx);
bool hv_synic_sint_is_masked(const struct hvs_ctx *ctx, uint32_t sint);
/* Raises SINTn, where it is neither masked nor polled. */
void hv_synic_interrupt(struct hvs_ctx *ctx, uint32_t sint);

/* hv_message.c */
enum hv_slot { HV_SLOT_OFF, HV_SLOT_TAKEN, HV_SLOT_FREE };
/* Puts a message into SINTn's slot and raises it; returns what the slot was. Of one that is taken, the guest will say
   when it is free. */
enum hv_slot hv_message_put(struct hvs_ctx *ctx, uint32_t sint, const struct hv_message *message);
/* The same without a message: only asks. */
enum hv_slot hv_message_slot(struct hvs_ctx *ctx, uint32_t sint);
/* A slot may have become free (EOM, EOI, a page or the SynIC switched on): tries all that wait for one. */
void hv_message_retry(struct hvs_ctx *ctx);

/* hv_event.c: sets a flag, and raises SINTn where it was clear. False where flags cannot be aimed there. */
bool hv_event_signal(struct hvs_ctx *ctx, uint32_t sint, uint32_t flag);

/* hv_stimer.c */
void hv_stimer_expired(struct hvs_ctx *ctx, uint32_t timer);
void hv_stimer_retry(struct hvs_ctx *ctx);
void hv_stimer_save(struct hvs_ctx *ctx, struct hvs_writer *writer);
int hv_stimer_load(struct hvs_ctx *ctx, const struct hvs_record *record);
hvs_msr_read_fn hv_stimer_read;
hvs_msr_write_fn hv_stimer_write;

/* hv_connection.c */
void hv_host(struct hvs_ctx *ctx);
/* Tells the host of the slots that it waits for and that are free now. */
void hv_host_retry(struct hvs_ctx *ctx);
void hv_host_waits_save(struct hvs_ctx *ctx, struct hvs_writer *writer);
int hv_host_waits_load(struct hvs_ctx *ctx, const struct hvs_record *record);
hvs_hcall_fn hv_post_message, hv_signal_event;

/* hv_vp.c */
hvs_msr_read_fn hv_vp_index_read, hv_guest_idle_read;
hvs_hcall_fn hv_notify_long_spin_wait;

/* hv_runtime.c: how long this VP has run. */
hvs_msr_read_fn hv_vp_runtime_read;
hvs_msr_write_fn hv_vp_runtime_write;
uint64_t hv_runtime_100ns(const struct hvs_ctx *ctx);
void hv_runtime_go_on_from(struct hvs_ctx *ctx, uint64_t runtime_100ns);

/* hv_apic.c */
hvs_msr_read_fn hv_icr_read, hv_tpr_read;
hvs_msr_write_fn hv_eoi_write, hv_icr_write, hv_tpr_write;

/* hv_assist.c */
hvs_msr_read_fn hv_vp_assist_page_read;
hvs_msr_write_fn hv_vp_assist_page_write;
void hv_assist_say_unhalted_expired(struct hvs_ctx *ctx);

/* hv_tsc.c */
hvs_msr_read_fn hv_reenlightenment_control_read, hv_tsc_emulation_control_read, hv_tsc_emulation_status_read,
    hv_tsc_invariant_control_read;
hvs_msr_write_fn hv_reenlightenment_control_write, hv_tsc_emulation_control_write, hv_tsc_emulation_status_write,
    hv_tsc_invariant_control_write;
/* Tells a guest that has been loaded. */
void hv_reenlighten(struct hvs_ctx *ctx);

/* hv_unhalted.c */
hvs_msr_read_fn hv_unhalted_config_read, hv_unhalted_count_read;
hvs_msr_write_fn hv_unhalted_config_write, hv_unhalted_count_write;
void hv_unhalted_look(struct hvs_ctx *ctx);
/* A period that had begun before a load ends here, in VP run time. */
void hv_unhalted_go_on_until(struct hvs_ctx *ctx, uint64_t ends_100ns);

/* hv_save.c */
int hv_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer);
int hv_load(struct hvs_ctx *ctx, const struct hvs_record *record);

/* hv_partition.c */
hvs_msr_read_fn hv_reset_read, hv_crash_parameter_read, hv_crash_ctl_read;
hvs_msr_write_fn hv_reset_write, hv_crash_parameter_write, hv_crash_ctl_write;

#endif
