/*
 * What a user gives a VMware guest to read, "KEY=VALUE" or "KEY=@FILE", by whatever way it came.
 */
#ifndef HVSHIM_VMM_GUESTINFO_H
#define HVSHIM_VMM_GUESTINFO_H

#include <hvshim/kvm.h>
#include <hvshim/vmware.h>

struct vmm_guestinfo {
    struct hvs_vmw_guestinfo info;      /* key and value point to what is allocated */
    char *key, *value;
};

/* Reads the file, if it is one. Returns 0, or -1 with what is wrong in `why`. To be freed in either case. */
int vmm_guestinfo_read(struct vmm_guestinfo *guestinfo, const char *setting, char *why, size_t why_bytes);
/* Gives it to the VM, which is started. Likewise. */
int vmm_guestinfo_give(struct vmm_guestinfo *guestinfo, struct hvs_kvm *kvm, char *why, size_t why_bytes);
void vmm_guestinfo_free(struct vmm_guestinfo *guestinfo);

#endif
