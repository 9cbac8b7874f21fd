/*
 * The personalities that come with hvshim, and how a user's words become a configuration.
 */
#ifndef HVSHIM_TRANSLATORS_H
#define HVSHIM_TRANSLATORS_H

#include <hvshim/hvshim.h>

#ifdef __cplusplus
extern "C" {
#endif

extern HVS_API const struct hvs_personality hvs_hv_personality;         /* "hyperv" */
extern HVS_API const struct hvs_personality hvs_xen_personality;        /* "xen" */
extern HVS_API const struct hvs_personality hvs_vmw_personality;        /* "vmware" */

/* The list ends with NULL. */
extern HVS_API const struct hvs_personality *const hvs_personalities[];

/* Returns the personality called `name`, or NULL. */
HVS_API const struct hvs_personality *hvs_personality_find(const char *name);

/*
 * Fills config->slot and nr_slots from a comma-separated list ("hyperv", "hyperv,xen"); "none" gives no slot.
 * Returns HVS_OK; HVS_ENOENT (an unknown name, *bad_at = its offset); HVS_EINVAL (too many, or one twice).
 */
HVS_API int hvs_present_parse(struct hvs_vm_config *config, const char *list, size_t *bad_at);
/*
 * Applies "name=on", "name=off", or "name" (on) to the first slot of `config` that has such a feature;
 * "personality.name=on" picks the slot. "profile=name" sets the base of the first slot that has such a profile; on
 * and off count over it, said before or after.
 * Returns HVS_OK; HVS_ENOENT (no such feature or profile); HVS_EINVAL (neither on nor off).
 */
HVS_API int hvs_feature_parse(struct hvs_vm_config *config, const char *setting);

#ifdef __cplusplus
}
#endif

#endif
