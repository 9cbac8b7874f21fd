/*
 * What users say to more than one program, by whatever way it came: one --set, which is a feature, a profile, or
 * another of a personality's words; which personalities there are; how many vCPUs; a machine's identity; interfaces.
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

enum { VMM_MOST_VCPUS = 4096 };
/* A number from 1 to VMM_MOST_VCPUS, decimal; 0 where `text` is none. */
uint32_t vmm_read_nr_vcpus(const char *text);
/* 32 hexadecimal digits, with dashes between them or without. Says whether `text` was that. */
bool vmm_read_uuid(const char *text, uint8_t uuid[16]);

#define VMM_INTERFACES "hyperv, xen, or hyperv,xen"
/* The kernel's interfaces, by VMM_INTERFACES. Says whether `text` was that. */
bool vmm_read_interfaces(const char *text, bool *has_hyperv, bool *has_xen);

#endif
