/* Where the control socket lies. */
#ifndef HVSHIM_CONTROL_PLACE_H
#define HVSHIM_CONTROL_PLACE_H

#include <sys/un.h>

/* Binds `fd` in the first place that takes it, with mode 0600. Returns 0 with where it is, or -1. */
int control_bind(int fd, struct sockaddr_un *address);

#endif
