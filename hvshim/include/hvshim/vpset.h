/*
 * A bounded set of virtual processors: the only place where VP masks are computed.
 *
 * Invariant: no bit at or above HVS_MAX_VPS exists, so no caller can index beyond the map [XSA-475 is what raw mask
 * arithmetic costs].
 */
#ifndef HVSHIM_VPSET_H
#define HVSHIM_VPSET_H

#include <hvshim/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HVS_VPSET_BANKS = HVS_MAX_VPS / 64 };

struct hvs_vpset {
    uint64_t bank[HVS_VPSET_BANKS];
};

HVS_API void hvs_vpset_clear(struct hvs_vpset *set);
/* Adds VPs 0..nr_vps-1; nr_vps above HVS_MAX_VPS is cut to it. */
HVS_API void hvs_vpset_fill(struct hvs_vpset *set, uint32_t nr_vps);
/* Adds one VP. Returns false, and adds nothing, when `vp` is HVS_MAX_VPS or more. */
HVS_API bool hvs_vpset_add(struct hvs_vpset *set, uint32_t vp);
HVS_API bool hvs_vpset_has(const struct hvs_vpset *set, uint32_t vp);
HVS_API uint32_t hvs_vpset_count(const struct hvs_vpset *set);
/* Returns the first member at or after `from`, or HVS_MAX_VPS when there is none. */
HVS_API uint32_t hvs_vpset_next(const struct hvs_vpset *set, uint32_t from);
/* Drops members at or above nr_vps; returns true when any was dropped. */
HVS_API bool hvs_vpset_limit(struct hvs_vpset *set, uint32_t nr_vps);
/*
 * Reads the sparse form [TLFS 7.8.7.3]: bit b of `valid_banks` says that the next qword of `banks` holds VPs
 * 64b..64b+63.
 * Returns HVS_OK, or HVS_EINVAL when nr_banks is not the number of bits in valid_banks (the set is then empty).
 */
HVS_API int hvs_vpset_from_sparse(struct hvs_vpset *set, uint64_t valid_banks, const uint64_t *banks,
                                  uint32_t nr_banks);

#ifdef __cplusplus
}
#endif

#endif
