/*
 * What a VMM may tell the VMware personality: hvs_slot_config.options points to this.
 */
#ifndef HVSHIM_VMWARE_H
#define HVSHIM_VMWARE_H

#include <hvshim/base.h>

/* The default of hw_version: that of ESXi 6.5. */
#define HVS_VMW_HW_VERSION 13u

/* The caller owns it; it lives as long as the VM. One whose `size` is too small is taken as absent. */
struct hvs_vmw_options {
    uint32_t size;              /* sizeof(struct hvs_vmw_options) */
    uint32_t hw_version;        /* virtual hardware version that the guest is told; 0: HVS_VMW_HW_VERSION */
};

#endif
