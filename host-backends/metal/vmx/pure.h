/* What VMX needs that is arithmetic alone: it is tested where no such CPU is. */
#ifndef HVSHIM_METAL_VMX_PURE_H
#define HVSHIM_METAL_VMX_PURE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The controls that are wanted, and of the optional ones those that the CPU has, with the bits that it insists on.
 * `capability` is the control's MSR: low half, what must be one; high half, what may be [SDM 3, A.2 to A.5]. Returns
 * false where something wanted is missing; *value is not to be used then.
 */
bool vmx_controls(uint64_t capability, uint32_t wanted, uint32_t optional, uint32_t *value);

/* Whether XSETBV takes `value` for XCR0, where the CPU supports `supported` [SDM 1, 13.3]. */
bool vmx_xcr0_is_valid(uint64_t value, uint64_t supported);

/*
 * Whether an MSR is not the guest's: those of VMX, and those by which the CPU would write past the nested tables, to a
 * physical address (processor trace, hardware feedback), to a linear one when the hypervisor runs already (debug store,
 * samples of events), or to memory that has other addresses, too (encryption by keys).
 */
bool vmx_msr_is_kept(uint32_t index);

/* The preemption timer's ticks for `wait_ns`, rounded up; it counts one for each 1 << shift of the TSC. */
uint32_t vmx_timer_ticks(uint64_t wait_ns, uint64_t tsc_khz, uint32_t shift);

/* --- memory types by the MTRRs [SDM 3, 12.11] --------------------------------------------------------------------- */

enum memory_type { TYPE_UC = 0, TYPE_WC = 1, TYPE_WT = 4, TYPE_WP = 5, TYPE_WB = 6 };
enum { MAX_VARIABLE_MTRRS = 32, NR_FIXED_MTRRS = 11 };

struct mtrrs {
    uint64_t default_type;      /* the MSR */
    uint64_t fixed[NR_FIXED_MTRRS];     /* 64K, 16K twice, 4K eight times */
    uint32_t nr_variable;
    struct {
        uint64_t base, mask;    /* the MSRs */
    } variable[MAX_VARIABLE_MTRRS];
};

enum memory_type mtrr_type(const struct mtrrs *mtrrs, uint64_t hpa);
/* Whether all of an aligned power of two of `bytes` has one type; it may say no where several ranges agree. */
bool mtrr_is_uniform(const struct mtrrs *mtrrs, uint64_t hpa, uint64_t bytes);

#endif
