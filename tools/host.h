/* What this host can present, and the library that presents it. */
#ifndef HVSHIM_TOOLS_HOST_H
#define HVSHIM_TOOLS_HOST_H

#include <hvshim/hvshim.h>

/* Makes a VM of this persona on /dev/kvm for a moment. Returns 0, or -1 with `why` it cannot be. */
int host_can_present(const struct hvs_vm_config *persona, char *why, size_t bytes);
/* Finds libhvshim-preload.so; `path` has PATH_MAX bytes. Returns 0, or -1 with `why` it is not usable. */
int host_find_library(char *path, char *why, size_t bytes);

#endif
