/*
 * What the Hyper-V rows share: privileges, and hypercalls through the page that an earlier row has enabled.
 */
#ifndef PROBE_HYPERV_H
#define PROBE_HYPERV_H

#include <stdbool.h>
#include <stdint.h>

#include "probe.h"

#include "hv_abi.h"

/* Bit numbers of leaf 0x40000003: EAX, EBX, EDX. */
bool probe_hyperv_has_privilege(const struct probe_interface *face, uint32_t bit);
bool probe_hyperv_has_privilege_high(const struct probe_interface *face, uint32_t bit);
bool probe_hyperv_has_feature(const struct probe_interface *face, uint32_t bit);

/* `leaf` as in the specification, from 0x40000000. */
void probe_hyperv_leaf(const struct probe_interface *face, uint32_t leaf, struct env_cpuid *regs);
bool probe_hyperv_has_page(void);

struct probe_hypercall {
    uint64_t control, input, output, result;
    uint64_t xmm[2 * HV_HYPERCALL_MAX_XMM_REGISTERS];
};
/* One hypercall without XMM registers, where it is known not to fault. */
void probe_hyperv_do(struct probe_hypercall *call);
/* Returns the result value, or UINT64_MAX where the call raised an exception. With XMM, what RDX, R8 and XMM0-5 hold
   afterwards is in *call. */
uint64_t probe_hyperv_try(struct probe_hypercall *call, bool has_xmm);

/* One hypercall without output. Returns the result value; UINT64_MAX where it raised an exception or no page is on. */
uint64_t probe_hyperv_call(uint64_t control, uint64_t input);
/* The same for operations that are timed: the page is on, an exception is theirs. */
uint64_t probe_hyperv_call_unchecked(uint64_t control, uint64_t input);

/* probe_hyperv_calls.c */
typedef bool probe_hyperv_has_fn(const struct probe_interface *face);
typedef enum probe_state probe_hyperv_test_fn(const struct probe_interface *face, struct text *evidence);
typedef void probe_hyperv_operation_fn(const struct probe_interface *face);
probe_hyperv_has_fn probe_hyperv_has_flush, probe_hyperv_has_flush_ex, probe_hyperv_has_ipi,
    probe_hyperv_has_xmm_input, probe_hyperv_has_xmm_output, probe_hyperv_has_registers, probe_hyperv_has_start;
probe_hyperv_test_fn probe_hyperv_test_flush, probe_hyperv_test_flush_list, probe_hyperv_test_ipi,
    probe_hyperv_test_xmm_input, probe_hyperv_test_xmm_output, probe_hyperv_test_registers, probe_hyperv_test_apic_id,
    probe_hyperv_test_start;
probe_hyperv_operation_fn probe_hyperv_flush, probe_hyperv_ipi, probe_hyperv_xmm_input, probe_hyperv_xmm_output,
    probe_hyperv_registers, probe_hyperv_apic_id;

/* probe_hyperv_synic.c: the SynIC, its timers, messages and events */
void probe_hyperv_synic_begin(const struct probe_interface *face);
bool probe_hyperv_has_synic(const struct probe_interface *face);
enum probe_state probe_hyperv_test_synic(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_write_eom(const struct probe_interface *face);
bool probe_hyperv_has_stimer(const struct probe_interface *face);
enum probe_state probe_hyperv_test_stimer_message(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_stimer_message(const struct probe_interface *face);
bool probe_hyperv_has_direct_stimer(const struct probe_interface *face);
enum probe_state probe_hyperv_test_stimer_direct(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_set_stimer(const struct probe_interface *face);
enum probe_state probe_hyperv_test_stimer_periodic(const struct probe_interface *face, struct text *evidence);
bool probe_hyperv_has_post_message(const struct probe_interface *face);
enum probe_state probe_hyperv_test_post_message(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_post_message(const struct probe_interface *face);
bool probe_hyperv_has_signal_event(const struct probe_interface *face);
enum probe_state probe_hyperv_test_signal_event(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_signal_event(const struct probe_interface *face);
enum probe_state probe_hyperv_test_synic_off(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_synic_end(const struct probe_interface *face);

/* probe_hyperv_vp.c: the processor's registers, and what it says about its TSC */
bool probe_hyperv_has_runtime(const struct probe_interface *face);
enum probe_state probe_hyperv_test_runtime(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_read_runtime(const struct probe_interface *face);
bool probe_hyperv_has_apic_msrs(const struct probe_interface *face);
enum probe_state probe_hyperv_test_apic_msrs(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_write_eoi(const struct probe_interface *face);
bool probe_hyperv_has_guest_idle(const struct probe_interface *face);
enum probe_state probe_hyperv_test_guest_idle(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_read_guest_idle(const struct probe_interface *face);
bool probe_hyperv_has_reenlightenment(const struct probe_interface *face);
enum probe_state probe_hyperv_test_reenlightenment(const struct probe_interface *face, struct text *evidence);
void probe_hyperv_read_reenlightenment(const struct probe_interface *face);
bool probe_hyperv_has_invariant_control(const struct probe_interface *face);
enum probe_state probe_hyperv_test_invariant_control(const struct probe_interface *face, struct text *evidence);
bool probe_hyperv_has_unhalted_timer(const struct probe_interface *face);
enum probe_state probe_hyperv_test_unhalted_timer(const struct probe_interface *face, struct text *evidence);

#endif
