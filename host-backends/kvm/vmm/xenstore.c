/*
 * What a VMM does as domain 0 in xenstore: writes what the user wants there, and asks the guest to power off.
 *
 * Left out: showing what the guest writes, and backends of devices.
 */
#include "machine.h"
#include "store.h"

#include <string.h>

#include <hvshim/translators.h>

int vmm_xenstore_start(struct machine *m)
{
    char why[512];
    for (size_t i = 0; i < m->options->nr_xenstore; i++)
        if (vmm_store_give(m->shim, m->options->xenstore[i], why, sizeof(why)))
            return vmm_fail("--xenstore %s", why);
    return 0;
}

static struct hvs_text text_of(const char *text)
{
    return (struct hvs_text){text, (uint32_t)strlen(text)};
}

/* Linux says that it will obey by control/feature-poweroff and -suspend, but not all guests do. */
static int ask(struct machine *m, const char *what)
{
    if (!vmm_presents(&m->options->persona, &hvs_xen_personality))
        return HVS_ENOENT;
    int err = vmm_store_write(m->shim, text_of("control/shutdown"), text_of(what));
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
