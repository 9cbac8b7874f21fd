/*
 * The one clock of a VM: a line from guest TSC ticks to nanoseconds, and the forms in which interfaces publish it.
 *
 * Every reading that a guest can make (TSC page, reference counter MSR, pvclock, hypercall) is computed from this
 * line, so they agree to within the rounding of their own formats.
 */
#ifndef HVSHIM_CLOCK_H
#define HVSHIM_CLOCK_H

#include <hvshim/base.h>
#include <hvshim/port.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hvs_clock {
    uint64_t tsc_khz;           /* 0: the clock was not started */
    uint64_t tsc_ref;           /* at this guest TSC ... */
    uint64_t ns_ref;            /* ... the VM was this old */
    uint32_t mul;               /* pvclock form: ns = ns_ref + (((tsc - tsc_ref) << shift) * mul >> 32) */
    int8_t shift;
    bool is_stable;             /* the line may be published; else every reading must be an exit */
    uint8_t pad[2];
    uint64_t scale_100ns;       /* TSC page form: t = (tsc * scale >> 64) + offset, 100 ns units [TLFS 12.7] */
    int64_t offset_100ns;
};

/* pvclock_vcpu_time_info: the one layout that KVM and Xen share [XEN public/xen.h vcpu_time_info]. */
struct hvs_pvclock {
    uint32_t version;           /* odd while it is being written */
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time_ns;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;              /* bit 0: TSC_STABLE */
    uint8_t pad1[2];
};
HVS_STATIC_ASSERT(sizeof(struct hvs_pvclock) == 32, "pvclock is 32 bytes");
HVS_STATIC_ASSERT(offsetof(struct hvs_pvclock, tsc_timestamp) == 8, "pvclock tsc_timestamp");
HVS_STATIC_ASSERT(offsetof(struct hvs_pvclock, tsc_to_system_mul) == 24, "pvclock mul");
HVS_STATIC_ASSERT(offsetof(struct hvs_pvclock, flags) == 29, "pvclock flags");

/*
 * Sets the line through `now` at `tsc_khz`. It is stable if the caller says that TSCs are and the rate fits all
 * formats (above 10 MHz). Returns HVS_OK, or HVS_EINVAL for a rate of 0 or above 2^32 - 1 kHz.
 */
HVS_API int hvs_clock_set(struct hvs_clock *clock, uint64_t tsc_khz, const struct hvs_instant *now, bool tsc_is_stable);
/* The age of the VM at `now`: from now->tsc where the clock is stable, else now->ns. */
HVS_API uint64_t hvs_clock_ns(const struct hvs_clock *clock, const struct hvs_instant *now);
HVS_API uint64_t hvs_clock_100ns(const struct hvs_clock *clock, const struct hvs_instant *now);
/* Writes the pvclock form into guest-shared memory, with the version protocol. */
HVS_API void hvs_clock_publish_pvclock(const struct hvs_clock *clock, struct hvs_pvclock *shared);

#ifdef __cplusplus
}
#endif

#endif
