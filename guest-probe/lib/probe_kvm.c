/*
 * KVM's own interface: clock and wall clock [Linux Documentation/virt/kvm/x86/msr.rst].
 *
 * Left out: everything that needs a VMCALL (on some hosts that never returns), steal time, async page faults, PV EOI.
 */
#include "env.h"
#include "kvm_abi.h"
#include "probe.h"
#include "pvclock.h"

static void *clock_page;        /* of the wall clock, then of the clock */

static void begin(const struct probe_interface *face)
{
    (void)face;
    clock_page = env_page();
}

static uint32_t feature_bits(const struct probe_interface *face)
{
    struct env_cpuid regs;
    env_cpuid(face->base + KVM_CPUID_FEATURES, 0, &regs);
    return regs.eax;
}

static bool has_new_clock(const struct probe_interface *face)
{
    return (feature_bits(face) & 1u << KVM_FEATURE_CLOCKSOURCE2) != 0;
}

static bool has_clock(const struct probe_interface *face)
{
    return has_new_clock(face) || (feature_bits(face) & 1u << KVM_FEATURE_CLOCKSOURCE) != 0;
}

static bool always(const struct probe_interface *face)
{
    (void)face;
    return true;
}

static enum probe_state test_leaves(const struct probe_interface *face, struct text *evidence)
{
    text_add(evidence, "features 0x%x", feature_bits(face));
    return face->max_leaf > face->base ? PROBE_WORKS : PROBE_BROKEN;
}

static void read_features(const struct probe_interface *face)
{
    feature_bits(face);
}

static enum probe_state test_wall_clock(const struct probe_interface *face, struct text *evidence)
{
    const volatile struct pvclock_wall_clock *wall = clock_page;
    if (wall == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    uint32_t msr = has_new_clock(face) ? MSR_KVM_WALL_CLOCK_NEW : MSR_KVM_WALL_CLOCK;
    enum env_answer answer = env_wrmsr(msr, (uintptr_t)wall);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "writing the MSR");
    text_add(evidence, "booted %u s after 1970, version %u", wall->sec, wall->version);
    return wall->version != 0 && wall->version % 2 == 0 && wall->sec != 0 ? PROBE_WORKS : PROBE_BROKEN;
}

static uint32_t clock_msr(const struct probe_interface *face)
{
    return has_new_clock(face) ? MSR_KVM_SYSTEM_TIME_NEW : MSR_KVM_SYSTEM_TIME;
}

static enum probe_state test_clock(const struct probe_interface *face, struct text *evidence)
{
    if (clock_page == NULL)
        return probe_say(PROBE_UNTESTED, evidence, "no page");
    enum env_answer answer = env_wrmsr(clock_msr(face), (uintptr_t)clock_page | KVM_MSR_ENABLED);
    if (answer != ENV_DONE)
        return probe_refused(answer, evidence, "writing the MSR");
    return pvclock_test(clock_page, evidence);
}

static void read_clock(const struct probe_interface *face)
{
    uint64_t tsc;
    (void)face;
    pvclock_read(clock_page, &tsc);
}

static void end(const struct probe_interface *face)
{
    if (has_clock(face))
        env_wrmsr(clock_msr(face), 0);
}

static const struct probe_feature features[] = {
    {"feature leaf", always, test_leaves, read_features, PROBE_FROM_ANY_CPL, NULL, "kvm/x86/cpuid.rst"},
    {"wall clock", has_clock, test_wall_clock, NULL, PROBE_FROM_CPL0, NULL, "kvm/x86/msr.rst"},
    {"kvmclock", has_clock, test_clock, read_clock, PROBE_FROM_CPL0, "kvm-clock", "kvm/x86/msr.rst"},
};

const struct probe_suite probe_kvm = {
    .name = "kvm",
    .title = "KVM",
    .begin = begin,
    .end = end,
    .feature = features,
    .nr_features = sizeof(features) / sizeof(features[0]),
    .clock = {"kvmclock"},
};
