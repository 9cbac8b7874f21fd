/* The running VMs of this host that can be asked: processes with a control socket (host-backends/kvm/control). */
#ifndef HVSHIM_TOOLS_VMS_H
#define HVSHIM_TOOLS_VMS_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#include "protocol.h"

struct vms_process {
    pid_t pid;
    char name[256];             /* what -name gave it (QEMU, and so libvirt), printable; empty: none */
    struct sockaddr_un address;
};

/* Those that may be there, malloc'ed, for the caller to free. Returns how many. */
size_t vms_list(struct vms_process **found);
/* `target` is a process id, or a name that only one has. Returns 0, or -1 and has said why on stderr. */
int vms_find(const char *command, const char *target, struct vms_process *found);

/*
 * Sends one request. Returns 0 with the status (enum hvs_err) and the bytes of the reply, malloc'ed and with a zero
 * behind them; or -1 with errno: nobody is there (any more), it is another's, or it does not answer in time.
 */
int vms_ask(const struct vms_process *process, enum control_op op, struct hvs_text key, struct hvs_text value,
            int *status, char **reply, size_t *bytes);

#endif
