/* The subcommand `hvshim virt`. */
#ifndef HVSHIM_TOOLS_VIRT_H
#define HVSHIM_TOOLS_VIRT_H

/* Becomes the program behind it. Returns only where that is not there, with the exit status. */
int virt_main(int argc, char **argv);

#endif
