/* The subcommand `hvshim support`. */
#ifndef HVSHIM_TOOLS_SUPPORT_H
#define HVSHIM_TOOLS_SUPPORT_H

/* Returns the exit status of the program. */
int support_main(int argc, char **argv);

#endif
