/*
 * Options of the Hyper-V personality: hvs_slot_config.options points to one, for as long as the VM lives.
 *
 * A field that is zero means its default, so {.size = sizeof(struct hvs_hv_options)} is all defaults, as is NULL.
 */
#ifndef HVSHIM_HYPERV_H
#define HVSHIM_HYPERV_H

#include <hvshim/base.h>

struct hvs_hv_options {
    uint32_t size;              /* sizeof(struct hvs_hv_options): lets it grow */
    uint32_t spinlock_retries;  /* attempts at a lock before the guest says so; default 4095, 0xffffffff: never */
    char vendor_id[12];         /* default "Microsoft Hv"; Linux believes no other */
    /* What leaf 0x40000002 says; all of it is Windows Server 2016's (10.0, build 14393) when build_number is 0. */
    uint32_t build_number;
    uint16_t major_version, minor_version;
    uint32_t service_pack;
    uint32_t service_number;    /* 24 bits */
    uint8_t service_branch;
    uint8_t pad[3];
};

#endif
