#include "setting.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <hvshim/translators.h>

static struct hvs_slot_config *find_hyperv(struct hvs_vm_config *config)
{
    for (uint32_t i = 0; i < config->nr_slots; i++)
        if (config->slot[i].personality == &hvs_hv_personality)
            return &config->slot[i];
    return NULL;
}

/* Words of Hyper-V that are more than on and off. Returns what hvs_hv_options_parse does. */
static int set_hyperv_option(struct hvs_vm_config *config, struct hvs_hv_options *hyperv, const char *setting)
{
    static const char owner[] = "hyperv.";
    if (!find_hyperv(config))
        return HVS_ENOENT;
    if (!strncmp(setting, owner, strlen(owner)))
        setting += strlen(owner);
    int err = hvs_hv_options_parse(hyperv, setting);
    if (!err && !strncmp(setting, "spinlocks=", strlen("spinlocks=")))
        hvs_feature_parse(config, "hyperv.spinlocks=on");
    return err;
}

int vmm_set(struct hvs_vm_config *config, struct hvs_hv_options *hyperv, const char *setting, const char **why)
{
    int err = hvs_feature_parse(config, setting);
    if (!err)
        return HVS_OK;
    int option_err = set_hyperv_option(config, hyperv, setting);
    if (!option_err)
        return HVS_OK;
    if (option_err == HVS_EINVAL)
        *why = "spinlocks takes on, off or a number of attempts, vendor_id 1 to 12 characters, version ws2016, ws2019, "
               "ws2022 or ws2025";
    else
        *why = err == HVS_EINVAL ? "say FEATURE=on or FEATURE=off" : "no such feature or profile";
    return option_err == HVS_EINVAL ? HVS_EINVAL : err;
}

void vmm_give_options(struct hvs_vm_config *config, struct hvs_hv_options *hyperv)
{
    struct hvs_slot_config *slot = find_hyperv(config);
    hyperv->size = sizeof(*hyperv);
    if (slot)
        slot->options = hyperv;
}

bool vmm_presents(const struct hvs_vm_config *config, const struct hvs_personality *personality)
{
    for (uint32_t i = 0; i < config->nr_slots; i++)
        if (config->slot[i].personality == personality)
            return true;
    return false;
}

uint32_t vmm_read_nr_vcpus(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    return isdigit((unsigned char)*text) && !*end && number <= VMM_MOST_VCPUS ? (uint32_t)number : 0;
}

bool vmm_read_interfaces(const char *text, bool *has_hyperv, bool *has_xen)
{
    bool is_both = !strcmp(text, "hyperv,xen");
    *has_hyperv = is_both || !strcmp(text, "hyperv");
    *has_xen = is_both || !strcmp(text, "xen");
    return *has_hyperv || *has_xen;
}

bool vmm_read_uuid(const char *text, uint8_t uuid[16])
{
    static const char digits[] = "0123456789abcdef";
    size_t nr = 0;
    for (; *text; text++) {
        if (*text == '-')
            continue;
        const char *digit = strchr(digits, tolower((unsigned char)*text));
        if (!digit || nr == 32)
            return false;
        uuid[nr / 2] = (uint8_t)(uuid[nr / 2] << 4 | (digit - digits));
        nr++;
    }
    return nr == 32;
}
