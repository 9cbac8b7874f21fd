/*
 * What a VMM does as domain 0 in xenstore: writes what the user wants there, and asks the guest to power off.
 *
 * Left out: showing what the guest writes, and backends of devices.
 */
#include "machine.h"

#include <string.h>

#include <hvshim/translators.h>

static int write_store(struct machine *m, struct hvs_text path, struct hvs_text value)
{
    struct hvs_xen_store args = {.path = path, .value = value};
    const struct hvs_exit exit = {.kind = HVS_EXIT_HOST, .host = {&hvs_xen_personality, HVS_XEN_STORE_WRITE, &args}};
    uint64_t answer = 0;
    int err = hvs_kvm_dispatch(m->shim, 0, &exit, &answer);
    return err ? err : (int)(int64_t)answer;
}

static struct hvs_text text_of(const char *text, size_t bytes)
{
    return (struct hvs_text){text, (uint32_t)bytes};
}

int vmm_xenstore_start(struct machine *m)
{
    for (size_t i = 0; i < m->options->nr_xenstore; i++) {
        const char *setting = m->options->xenstore[i], *value = strchr(setting, '=') + 1;
        int err = write_store(m, text_of(setting, (size_t)(value - 1 - setting)), text_of(value, strlen(value)));
        if (err == HVS_ENOTSUP)
            return vmm_fail("--xenstore %s: it is switched off", setting);
        if (err)
            return vmm_fail("--xenstore %s: a path has letters, digits, '-', '_', '@' and '/', a value 4096 bytes",
                            setting);
    }
    return 0;
}

/* Linux says that it will obey by control/feature-poweroff and -suspend, but not all guests do. */
static int ask(struct machine *m, const char *what)
{
    if (!vmm_presents(&m->options->persona, &hvs_xen_personality))
        return HVS_ENOENT;
    int err = write_store(m, text_of("control/shutdown", strlen("control/shutdown")), text_of(what, strlen(what)));
    return err == HVS_ENOTSUP ? HVS_ENOENT : err;
}

int vmm_xenstore_poweroff(struct machine *m)
{
    return ask(m, "poweroff");
}

void vmm_xenstore_suspend(struct machine *m)
{
    if (ask(m, "suspend"))
        vmm_fail("nothing that is presented can ask the guest to suspend itself");
}
