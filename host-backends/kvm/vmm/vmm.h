/*
 * The reference VMM behind `hvshim vm`, as the command-line tool sees it.
 */
#ifndef HVSHIM_VMM_VMM_H
#define HVSHIM_VMM_VMM_H

/*
 * Runs one guest as argv says (argv[0] is what messages begin with); argv may be reordered.
 * Returns the exit status of the program: see `hvshim vm --help`.
 */
int vmm_main(int argc, char **argv);

#endif
