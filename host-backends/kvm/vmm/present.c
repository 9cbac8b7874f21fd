/*
 * What a VMM tells the interfaces that it presents: Xen the memory map and its pages, Hyper-V what the user wants and
 * whom its guest may talk to, VMware whom to tell what. And the one thing that it asks of whichever is there.
 */
#include "machine.h"

#include <hvshim/translators.h>

static void set_memory_map(struct machine *m)
{
    struct vmm_range map[VMM_MAP_MAX];
    struct presented *p = &m->presented;
    p->xen.nr_memory_map = vmm_memory_map(m, map);
    p->xen.memory_map = p->xen_map;
    for (uint32_t i = 0; i < p->xen.nr_memory_map; i++)
        p->xen_map[i] = (struct hvs_xen_memory){.gpa = map[i].gpa, .bytes = map[i].bytes, .type = map[i].type};
}

/* Nothing here is emulated that a Xen guest has other drivers for. */
static void on_unplug(void *ctx, uint16_t what)
{
    (void)ctx, (void)what;
}

void vmm_soft_poweroff(struct machine *m)
{
    int by_vmware = vmm_vmware_poweroff(m), by_xen = vmm_xenstore_poweroff(m);
    if (by_vmware == HVS_ENOENT && by_xen == HVS_ENOENT)
        vmm_fail("nothing that is presented can ask the guest to power off");
    if (by_vmware == HVS_ENOSPC || by_xen == HVS_ENOSPC)
        vmm_fail("the guest has not answered the last request yet");
}

void vmm_present_options(struct machine *m, struct hvs_vm_config *config)
{
    m->presented.xen.size = sizeof(m->presented.xen);
    m->presented.xen.special_gfn = m->xen_pages ? HVS_XEN_SPECIAL_GFN : 0;
    vmm_xen_console_options(m, &m->presented.xen);
    vmm_xen_back_options(m, &m->presented.xen);
    vmm_xen_disk_options(m, &m->presented.xen);
    m->presented.xen.unplug = on_unplug;
    m->presented.xen.intx_gsi = vmm_pci_intx_gsi;
    set_memory_map(m);
    m->presented.hyperv = m->options->hyperv;
    m->presented.hyperv.size = sizeof(m->presented.hyperv);
    m->presented.hyperv.host = vmm_echo_host(m);
    vmm_vmware_options(m, &m->presented.vmware);
    for (uint32_t i = 0; i < config->nr_slots; i++) {
        if (config->slot[i].personality == &hvs_xen_personality)
            config->slot[i].options = &m->presented.xen;
        if (config->slot[i].personality == &hvs_hv_personality)
            config->slot[i].options = &m->presented.hyperv;
        if (config->slot[i].personality == &hvs_vmw_personality)
            config->slot[i].options = &m->presented.vmware;
    }
}
