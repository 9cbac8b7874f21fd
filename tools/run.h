/* The subcommand `hvshim run`. */
#ifndef HVSHIM_TOOLS_RUN_H
#define HVSHIM_TOOLS_RUN_H

/* Becomes the command that argv names. Returns only where that cannot be, with the exit status of the program. */
int run_main(int argc, char **argv);

#endif
