/* The subcommands `hvshim save` and `hvshim load`. */
#ifndef HVSHIM_TOOLS_STATE_H
#define HVSHIM_TOOLS_STATE_H

/* Both return the exit status of the program. */
int save_main(int argc, char **argv);
int load_main(int argc, char **argv);

#endif
