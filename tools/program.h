/* Programs on disk, and whether a library can be put into them. */
#ifndef HVSHIM_TOOLS_PROGRAM_H
#define HVSHIM_TOOLS_PROGRAM_H

#include <stddef.h>

/* Finds `name` as execvp would. Returns 0 with its path, or -1 with errno. */
int program_find(const char *name, char *path, size_t bytes);
/*
 * Says why LD_PRELOAD would have no effect on the program (or script) at `path`, and what to do about it; NULL where
 * it has one.
 */
const char *program_cannot_preload(const char *path);

#endif
