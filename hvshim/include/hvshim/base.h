/*
 * The words that every other header uses: errors, verdicts, limits, and the compile-time assertion.
 *
 * Three kinds of failure never convert into each other silently: a host API returns 0 or a negative `enum
 * hvs_err`; a guest's action ends in an `enum hvs_verdict`; an interface's own status (HV_STATUS_*, Xen's -Exxx)
 * travels in the registers that the interface says.
 */
#ifndef HVSHIM_BASE_H
#define HVSHIM_BASE_H

#include <limits.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define HVS_STATIC_ASSERT(fact, why) static_assert(fact, why)
#else
#define HVS_STATIC_ASSERT(fact, why) _Static_assert(fact, why)
#endif
#define HVS_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
/* Public symbols of the shared library; everything else is hidden. */
#define HVS_API __attribute__((visibility("default")))

#define HVS_VERSION_MAJOR 0u
#define HVS_VERSION_MINOR 1u
#define HVS_VERSION ((HVS_VERSION_MAJOR << 16) | HVS_VERSION_MINOR)

enum {
    HVS_PAGE_BYTES = 4096,
    HVS_PAGE_SHIFT = 12,
    HVS_MAX_VPS = 4096,         /* bound of every VP set: 64 banks of 64 [TLFS 7.8.7.3 HV_VP_SET] */
    HVS_MAX_SLOTS = 3,          /* personalities in one VM */
    HVS_MAX_EFFECTS = 16,       /* per exit; every row says how many it may emit */
    HVS_MAX_TIMERS = 8,         /* per personality and vCPU */
    HVS_MAX_FEATURES = 64,      /* per personality: one 64-bit mask */
    HVS_CPUID_FIRST = 0x40000000,
    HVS_CPUID_STEP = 0x100,     /* distance of two personalities' leaves */
};

/* Why a call of the host failed. The state is as it was before the call. */
enum hvs_err {
    HVS_OK = 0,
    HVS_EINVAL = -1,            /* an argument is out of its documented range */
    HVS_ENOSPC = -2,            /* the caller's buffer is too small; the needed size was stored */
    HVS_ENOTSUP = -3,           /* the backend lacks a capability that was asked for */
    HVS_ENOENT = -4,            /* no such name or index */
    HVS_EVERSION = -5,          /* header and library, or save stream and library, do not fit */
    HVS_EFORMAT = -6,           /* a save stream is damaged */
    HVS_EFAULT = -7,            /* guest memory is not there (port functions) */
    HVS_ECONFLICT = -8,         /* two personalities want the same place */
    HVS_EBUSY = -9,             /* not while vCPUs run */
};

/* The fate of one exit. */
enum hvs_verdict {
    HVS_HANDLED,                /* done: advance RIP past the instruction */
    HVS_UNHANDLED,              /* no row owns it: the VMM decides; ours by default is #GP for MSRs */
    HVS_FAULT,                  /* raise outcome.fault in the guest, RIP stays */
    HVS_RETRY,                  /* RIP stays, the guest executes the instruction again (needs HVS_CAP_RETRY) */
};

#endif
