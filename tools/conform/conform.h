/* `hvshim conform`: runs the conformance image on hypervisors, compares, and writes what came of it. */
#ifndef HVSHIM_TOOLS_CONFORM_H
#define HVSHIM_TOOLS_CONFORM_H

int conform_main(int argc, char **argv);

#endif
