/*
 * pvclock: the clock page that KVM and Xen share [Linux Documentation/virt/kvm/x86/msr.rst, Xen public/xen.h
 * vcpu_time_info].
 */
#ifndef PROBE_PVCLOCK_H
#define PROBE_PVCLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "probe.h"

struct pvclock {
    uint32_t version;           /* odd while it is being written */
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time;       /* ns at tsc_timestamp */
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad1[2];
};
_Static_assert(sizeof(struct pvclock) == 32, "pvclock is 32 bytes");
_Static_assert(offsetof(struct pvclock, tsc_to_system_mul) == 24, "pvclock tsc_to_system_mul");

#define PVCLOCK_TSC_STABLE 0x01u

/* The time in ns, and the TSC that it was read at. Returns 0 when no consistent copy could be read. */
uint64_t pvclock_read(const volatile struct pvclock *clock, uint64_t *tsc);
/* The rate of the TSC that mul and shift stand for; 0 while the page is empty. */
uint64_t pvclock_tsc_khz(const volatile struct pvclock *clock);
/* Whether the page is filled, runs at the TSC's rate by a second clock, and never goes back. */
enum probe_state pvclock_test(const volatile struct pvclock *clock, struct text *evidence);

#endif
