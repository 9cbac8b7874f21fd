/*
 * One node of xenstore, from the user's text to the VM.
 */
#include "store.h"

#include <stdio.h>
#include <string.h>

#include <hvshim/translators.h>

bool vmm_store_is_setting(const char *setting)
{
    return *setting != '=' && strchr(setting, '=');
}

int vmm_store_write(struct hvs_kvm *kvm, struct hvs_text path, struct hvs_text value)
{
    struct hvs_xen_store args = {.path = path, .value = value};
    return hvs_kvm_request(kvm, &hvs_xen_personality, HVS_XEN_STORE_WRITE, &args);
}

int vmm_store_give(struct hvs_kvm *kvm, const char *setting, char *why, size_t why_bytes)
{
    size_t path_bytes = strcspn(setting, "=");
    const char *value = setting + path_bytes + 1;
    int err = vmm_store_write(kvm, (struct hvs_text){setting, (uint32_t)path_bytes},
                              (struct hvs_text){value, (uint32_t)strlen(value)});
    if (err == HVS_ENOTSUP)
        snprintf(why, why_bytes, "%s: there is no xenstore: it is switched off, or the VMM has memory where its page is",
                 setting);
    else if (err)
        snprintf(why, why_bytes, "%s: a path has letters, digits, '-', '_', '@' and '/', a value 4096 bytes", setting);
    return err ? -1 : 0;
}
