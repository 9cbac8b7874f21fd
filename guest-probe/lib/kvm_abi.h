/*
 * KVM's own paravirtual interface in numbers and layouts, as far as it is probed [Linux Documentation/virt/kvm/x86
 * cpuid.rst, msr.rst].
 */
#ifndef PROBE_KVM_ABI_H
#define PROBE_KVM_ABI_H

#include <stdint.h>

#define KVM_CPUID_FEATURES 1u           /* from the base leaf, EAX: bit numbers */
#define KVM_FEATURE_CLOCKSOURCE 0
#define KVM_FEATURE_CLOCKSOURCE2 3

#define MSR_KVM_WALL_CLOCK 0x11u
#define MSR_KVM_SYSTEM_TIME 0x12u
#define MSR_KVM_WALL_CLOCK_NEW 0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u
#define KVM_MSR_ENABLED 1u

struct pvclock_wall_clock {
    uint32_t version;
    uint32_t sec;
    uint32_t nsec;
};
_Static_assert(sizeof(struct pvclock_wall_clock) == 12, "pvclock_wall_clock is 12 bytes");

#endif
