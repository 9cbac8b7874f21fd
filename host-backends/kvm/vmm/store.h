/* What the user wants in xenstore, PATH=VALUE, from its text to the VM. */
#ifndef HVSHIM_VMM_STORE_H
#define HVSHIM_VMM_STORE_H

#include <hvshim/kvm.h>
#include <hvshim/xen.h>

/* Is it PATH=VALUE? */
bool vmm_store_is_setting(const char *setting);
/* As domain 0. Returns HVS_OK or an enum hvs_err: see <hvshim/xen.h>. */
int vmm_store_write(struct hvs_kvm *kvm, struct hvs_text path, struct hvs_text value);
/* Returns 0, or -1 with one line of why. */
int vmm_store_give(struct hvs_kvm *kvm, const char *setting, char *why, size_t why_bytes);

#endif
