/*
 * What the dynamic linker asks before it takes a library by LD_PRELOAD [ld.so(8)]: that there is one (a program with an
 * interpreter), of the same class and C library, and that the program gains no rights by being started.
 */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINKER "ld-linux-x86-64.so.2"

int program_beside(const char *installed, const char *built, char *path)
{
    const char *const ways[] = {installed, built};
    char self[PATH_MAX], place[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[length > 0 ? length : 0] = 0;
    if (strrchr(self, '/'))
        *strrchr(self, '/') = 0;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (!ways[i])
            continue;
        snprintf(place, sizeof(place), "%s/%s", self, ways[i]);
        if (realpath(place, path))
            return 0;
    }
    return -1;
}

void program_become(const char *installed, const char *built, char **argv)
{
    char path[PATH_MAX];

    if (!program_beside(installed, built, path))
        execv(path, argv);
}

static bool is_executable(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return false;
    if (!S_ISREG(st.st_mode)) {
        errno = EACCES;
        return false;
    }
    return access(path, X_OK) == 0;
}

int program_find(const char *name, char *path, size_t bytes)
{
    const char *next = getenv("PATH") ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin";

    if (strchr(name, '/')) {
        snprintf(path, bytes, "%s", name);
        return is_executable(path) ? 0 : -1;
    }
    while (*next) {
        size_t length = strcspn(next, ":");

        snprintf(path, bytes, "%.*s%s%s", (int)length, next, length ? "/" : "", name);
        if (is_executable(path))
            return 0;
        next += length + (next[length] == ':');
    }
    errno = ENOENT;
    return -1;
}

/* --- the file's own words --------------------------------------------------------------------------------------- */

/* The interpreter that the program names; empty: none. */
static void read_interpreter(int fd, const Elf64_Ehdr *ehdr, char *text, size_t bytes)
{
    text[0] = 0;
    for (unsigned i = 0; i < ehdr->e_phnum; i++) {
        Elf64_Phdr phdr;
        off_t at = (off_t)(ehdr->e_phoff + i * sizeof(phdr));
        ssize_t got;

        if (pread(fd, &phdr, sizeof(phdr), at) != sizeof(phdr))
            return;
        if (phdr.p_type != PT_INTERP)
            continue;
        got = pread(fd, text, phdr.p_filesz < bytes ? phdr.p_filesz : bytes - 1, (off_t)phdr.p_offset);
        text[got > 0 ? got : 0] = 0;
        return;
    }
}

static const char *look_at_elf(int fd, const Elf64_Ehdr *ehdr)
{
    char interpreter[256];
    const char *base;

    if (ehdr->e_ident[EI_CLASS] != ELFCLASS64 || ehdr->e_machine != EM_X86_64)
        return "it is not a 64-bit x86 program, and the library is: take the 64-bit build of this VMM";
    read_interpreter(fd, ehdr, interpreter, sizeof(interpreter));
    if (!*interpreter)
        return "it is statically linked, so no library can be put into it: take a dynamically linked build of this "
               "VMM, or build it with libhvshim";
    base = strrchr(interpreter, '/') ? strrchr(interpreter, '/') + 1 : interpreter;
    if (strcmp(base, LINKER))
        return "it is linked with another C library than this tool (musl?): take a build with glibc, or build hvshim "
               "with that library";
    return NULL;
}

static const char *look_at_file(const char *path)
{
    Elf64_Ehdr ehdr = {.e_ident = {0}};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *why = NULL;

    /* One that can be executed but not read is not preloaded either. */
    if (fd < 0)
        return "it cannot be read: give yourself the right to read it";
    if (pread(fd, &ehdr, sizeof(ehdr), 0) < SELFMAG)
        why = "it is no program";
    else if (!memcmp(ehdr.e_ident, "#!", 2))
        why = NULL;             /* a script; what it starts inherits the environment */
    else if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG))
        why = "it is no program";
    else
        why = look_at_elf(fd, &ehdr);
    close(fd);
    return why;
}

/* --- rights ----------------------------------------------------------------------------------------------------- */

static const char *look_at_rights(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return NULL;
    if (((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
        ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getegid()))
        return "it is set-uid or set-gid, and such programs take no libraries from their users: run it from an account "
               "that has the rights, or take the bit away (chmod a-s)";
    if (geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return "it has file capabilities, and such programs take no libraries from their users: take them away "
               "(setcap -r), or run it from an account that has the rights";
    return NULL;
}

const char *program_cannot_preload(const char *path)
{
    const char *why = look_at_file(path);

    return why ? why : look_at_rights(path);
}
