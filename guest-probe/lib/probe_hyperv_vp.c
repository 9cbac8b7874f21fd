/*
 * Hyper-V's registers of the processor: run time, the local APIC's, idle sleep, the time-unhalted timer; and what it
 * says about its TSC.
 *
 * [TLFS] vp-properties, virtual-interrupts, timers, App. C. Left out: lazy EOI, which needs a guest that does all of
 * its EOIs this way; NPIEP; the move to another host that a reenlightenment notice is about.
 */
#include "probe_hyperv.h"

#include "cpu.h"
#include "env.h"

enum {
    MAX_TRIES = 1000,
    TEST_PRIORITY = 0x10,               /* below all vectors */
    ICR_TO_SELF = 0x40000,
    WAIT_NS = 1000000000,
    MOMENT_NS = 1000000,
    LEAF_RECOMMENDATIONS = HV_CPUID_ENLIGHTENMENT_INFORMATION - HV_CPUID_VENDOR_AND_MAX_FUNCTION,
    INVARIANT_TSC = 8,                  /* bit of EDX */
};
#define LEAF_POWER_MANAGEMENT 0x80000007u

bool probe_hyperv_has_runtime(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_VP_RUNTIME_REG);
}

/* It must move: reading it is work too. */
enum probe_state probe_hyperv_test_runtime(const struct probe_interface *face, struct text *evidence)
{
    uint64_t first, last;
    (void)face;
    enum env_answer answer = env_rdmsr(HV_X64_MSR_VP_RUNTIME, &first);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "reading the MSR");
    last = first;
    for (uint32_t i = 0; i < MAX_TRIES && last == first; i++) {
        uint64_t next = 0;
        if (env_rdmsr(HV_X64_MSR_VP_RUNTIME, &next) != ENV_DONE || next < last)
            return probe_say(PROBE_BROKEN, evidence, "went back from %" PRIu64 " to %" PRIu64, last, next);
        last = next;
    }
    text_add(evidence, "%" PRIu64 " x 100 ns, and %" PRIu64 " more a little later", first, last - first);
    return last != first ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_read_runtime(const struct probe_interface *face)
{
    (void)face;
    cpu_rdmsr(HV_X64_MSR_VP_RUNTIME);
}

bool probe_hyperv_has_apic_msrs(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_INTR_CTRL_REGS);
}

enum probe_state probe_hyperv_test_apic_msrs(const struct probe_interface *face, struct text *evidence)
{
    struct env_cpuid hints;
    uint64_t priority = 0;
    enum env_answer answer = env_wrmsr(HV_X64_MSR_TPR, TEST_PRIORITY);
    if (answer == ENV_DONE)
        answer = env_rdmsr(HV_X64_MSR_TPR, &priority);
    if (answer == ENV_DONE)
        answer = env_wrmsr(HV_X64_MSR_TPR, 0);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "TPR");
    if (priority != TEST_PRIORITY)
        return probe_say(PROBE_BROKEN, evidence, "TPR reads back 0x%" PRIx64, priority);
    if (env_wrmsr(HV_X64_MSR_EOI, 0) != ENV_DONE)
        return probe_say(PROBE_BROKEN, evidence, "EOI raises an exception");
    env_interrupt_arm();
    if (env_wrmsr(HV_X64_MSR_ICR, ICR_TO_SELF | env_vector()) != ENV_DONE || !env_interrupt_wait(WAIT_NS))
        return probe_say(PROBE_BROKEN, evidence, "no interrupt to self by ICR");
    env_cpuid(face->base + LEAF_RECOMMENDATIONS, 0, &hints);
    return probe_say(PROBE_WORKS, evidence, "TPR reads back, ICR sends, EOI is taken; %srecommended",
                     hints.eax & 1u << HV_USE_APIC_MSRS ? "" : "not ");
}

void probe_hyperv_write_eoi(const struct probe_interface *face)
{
    (void)face;
    cpu_wrmsr(HV_X64_MSR_EOI, 0);
}

bool probe_hyperv_has_guest_idle(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_GUEST_IDLE_REG) &&
           probe_hyperv_has_feature(face, HV_GUEST_IDLE_AVAILABLE);
}

/* An interrupt that is there but masked: the sleep must not begin, or end. */
enum probe_state probe_hyperv_test_guest_idle(const struct probe_interface *face, struct text *evidence)
{
    uint64_t value;
    (void)face;
    env_interrupt_arm();
    if (!env_interrupt_send())
        return probe_say(PROBE_UNTESTED, evidence, "nothing to wake up by");
    enum env_answer answer = env_rdmsr(HV_X64_MSR_GUEST_IDLE, &value);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "reading the MSR");
    if (!env_interrupt_wait(WAIT_NS))
        return probe_say(PROBE_BROKEN, evidence, "the interrupt that woke it up is lost");
    env_interrupt_send();               /* stays there while the cost is measured; the next to arm lets it in */
    return probe_say(PROBE_WORKS, evidence, "a masked interrupt wakes it up");
}

void probe_hyperv_read_guest_idle(const struct probe_interface *face)
{
    (void)face;
    cpu_rdmsr(HV_X64_MSR_GUEST_IDLE);
}

bool probe_hyperv_has_reenlightenment(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_REENLIGHTENMENT_CONTROLS);
}

/* That a notice comes can be seen only where this machine moves to another host. */
enum probe_state probe_hyperv_test_reenlightenment(const struct probe_interface *face, struct text *evidence)
{
    const uint64_t wanted = HV_REENLIGHTENMENT_ENABLED | env_vector();
    uint64_t control = 0, emulation = 0, status = 0;
    (void)face;
    enum env_answer answer = env_wrmsr(HV_X64_MSR_REENLIGHTENMENT_CONTROL, wanted);
    if (answer == ENV_DONE)
        answer = env_rdmsr(HV_X64_MSR_REENLIGHTENMENT_CONTROL, &control);
    if (answer == ENV_DONE)
        answer = env_wrmsr(HV_X64_MSR_TSC_EMULATION_CONTROL, HV_TSC_EMULATION_ENABLED);
    if (answer == ENV_DONE)
        answer = env_rdmsr(HV_X64_MSR_TSC_EMULATION_CONTROL, &emulation);
    if (answer == ENV_DONE)
        answer = env_rdmsr(HV_X64_MSR_TSC_EMULATION_STATUS, &status);
    env_wrmsr(HV_X64_MSR_REENLIGHTENMENT_CONTROL, 0);
    env_wrmsr(HV_X64_MSR_TSC_EMULATION_CONTROL, 0);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "the MSRs");
    text_add(evidence, "control reads back 0x%" PRIx64 ", emulation 0x%" PRIx64 ", in progress %" PRIu64, control,
             emulation, status);
    return control == wanted && emulation == HV_TSC_EMULATION_ENABLED ? PROBE_WORKS : PROBE_BROKEN;
}

void probe_hyperv_read_reenlightenment(const struct probe_interface *face)
{
    (void)face;
    cpu_rdmsr(HV_X64_MSR_REENLIGHTENMENT_CONTROL);
}

bool probe_hyperv_has_invariant_control(const struct probe_interface *face)
{
    return probe_hyperv_has_privilege(face, HV_ACCESS_TSC_INVARIANT_CONTROLS);
}

enum probe_state probe_hyperv_test_invariant_control(const struct probe_interface *face, struct text *evidence)
{
    struct env_cpuid regs;
    uint64_t value = 0;
    (void)face;
    enum env_answer answer = env_wrmsr(HV_X64_MSR_TSC_INVARIANT_CONTROL, HV_EXPOSE_INVARIANT_TSC);
    if (answer == ENV_DONE)
        answer = env_rdmsr(HV_X64_MSR_TSC_INVARIANT_CONTROL, &value);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "the MSR");
    env_cpuid(LEAF_POWER_MANAGEMENT, 0, &regs);
    bool is_shown = (regs.edx & 1u << INVARIANT_TSC) != 0;
    text_add(evidence, "reads back 0x%" PRIx64 ", the invariant TSC is %sshown", value, is_shown ? "" : "NOT ");
    return value == HV_EXPOSE_INVARIANT_TSC && is_shown ? PROBE_WORKS : PROBE_BROKEN;
}

static const volatile struct hv_vp_assist_page *assist_page(void)
{
    uint64_t value;
    if (env_rdmsr(HV_X64_MSR_VP_ASSIST_PAGE, &value) != ENV_DONE || !(value & HV_X64_MSR_PAGE_ENABLE))
        return NULL;
    return (const void *)(uintptr_t)(value >> HV_PAGE_SHIFT << HV_PAGE_SHIFT);
}

bool probe_hyperv_has_unhalted_timer(const struct probe_interface *face)
{
    return probe_hyperv_has_feature(face, HV_SYNTHETIC_TIME_UNHALTED_TIMER_AVAILABLE);
}

/* While waiting for it the processor runs, so its time passes. */
enum probe_state probe_hyperv_test_unhalted_timer(const struct probe_interface *face, struct text *evidence)
{
    const volatile struct hv_vp_assist_page *page = assist_page();
    (void)face;
    env_interrupt_arm();
    enum env_answer answer = env_wrmsr(HV_X64_MSR_STIME_UNHALTED_TIMER_COUNT, MOMENT_NS / 100);
    if (answer == ENV_DONE)
        answer = env_wrmsr(HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, HV_STIME_UNHALTED_ENABLED | env_vector());
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "the MSRs");
    bool came = env_interrupt_wait(WAIT_NS);
    env_wrmsr(HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, 0);
    if (!came)
        return probe_say(PROBE_BROKEN, evidence, "no interrupt after 1 ms of run time");
    if (page == NULL)
        return probe_say(PROBE_WORKS, evidence, "interrupt after 1 ms of run time; no assist page");
    bool is_flagged = page->synthetic_time_unhalted_timer_expired != 0;
    return probe_say(is_flagged ? PROBE_WORKS : PROBE_BROKEN, evidence,
                     "interrupt after 1 ms of run time, the assist page %s", is_flagged ? "says so" : "DOES NOT say so");
}
