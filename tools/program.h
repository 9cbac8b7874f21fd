/* Programs on disk, and whether a library can be put into them. */
#ifndef HVSHIM_TOOLS_PROGRAM_H
#define HVSHIM_TOOLS_PROGRAM_H

#include <stddef.h>

/*
 * Finds a file that belongs to hvshim: at `installed`, or else at `built`, both relative to the directory of this program,
 * either NULL where there is none. Returns 0 with its `path` of PATH_MAX bytes, or -1 with errno.
 */
int program_beside(const char *installed, const char *built, char *path);
/* Becomes the program that program_beside finds; returns where there is none. */
void program_become(const char *installed, const char *built, char **argv);
/* Finds `name` as execvp would. Returns 0 with its path, or -1 with errno. */
int program_find(const char *name, char *path, size_t bytes);
/*
 * Says why LD_PRELOAD would have no effect on the program (or script) at `path`, and what to do about it; NULL where
 * it has one.
 */
const char *program_cannot_preload(const char *path);

#endif
