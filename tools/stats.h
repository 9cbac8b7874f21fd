/* The subcommand `hvshim stats`. */
#ifndef HVSHIM_TOOLS_STATS_H
#define HVSHIM_TOOLS_STATS_H

/* Returns the exit status of the program. */
int stats_main(int argc, char **argv);

#endif
