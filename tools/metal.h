/* The subcommand `hvshim metal`, and `hvshim vm --host metal`. */
#ifndef HVSHIM_TOOLS_METAL_H
#define HVSHIM_TOOLS_METAL_H

#include <stdbool.h>

/* Says whether these are arguments of `hvshim vm` for a host other than KVM. */
bool metal_wants(int argc, char **argv);
/* Becomes the program behind it. Returns only where that is not there, with the exit status. */
int metal_main(int argc, char **argv);
int metal_vm_main(int argc, char **argv);

#endif
