/*
 * One --set, by whatever way it came: a feature, a profile, or another of a personality's words. Which personalities
 * there are.
 */
#ifndef HVSHIM_VMM_SETTING_H
#define HVSHIM_VMM_SETTING_H

#include <hvshim/hyperv.h>
#include <hvshim/hvshim.h>

/*
 * Applies `setting` to the slots of `config`, or to Hyper-V's options where that is presented.
 * Returns HVS_OK; HVS_ENOENT or HVS_EINVAL with *why, what is wrong with it.
 */
int vmm_set(struct hvs_vm_config *config, struct hvs_hv_options *hyperv, const char *setting, const char **why);
bool vmm_presents(const struct hvs_vm_config *config, const struct hvs_personality *personality);
/* Points the slot of Hyper-V, where there is one, to its options. */
void vmm_give_options(struct hvs_vm_config *config, struct hvs_hv_options *hyperv);

#endif
