/* The subcommand `hvshim guestinfo`. */
#ifndef HVSHIM_TOOLS_GUESTINFO_H
#define HVSHIM_TOOLS_GUESTINFO_H

/* Returns the exit status of the program. */
int guestinfo_main(int argc, char **argv);

#endif
