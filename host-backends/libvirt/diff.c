/* The difference of two domains, as diff(1) shows it: both go to it by memory files. */
#include "virt.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A descriptor that a program which is started inherits, and the path by which it opens it. */
static int put_aside(const char *text, char path[32])
{
    int fd = memfd_create("domain", 0);

    if (fd >= 0 && write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        close(fd);
        fd = -1;
    }
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

static bool run_diff(const char *before, const char *after, const char *name)
{
    char old_path[32], new_path[32], old_label[256], new_label[256];
    char *argv[] = {"diff", "-u", "--label", old_label, "--label", new_label, old_path, new_path, NULL};
    int old_fd = put_aside(before, old_path), new_fd = put_aside(after, new_path), status = -1;
    bool has_run;
    pid_t pid;

    snprintf(old_label, sizeof(old_label), "%s (now)", name);
    snprintf(new_label, sizeof(new_label), "%s (then)", name);
    fflush(stdout);
    has_run = old_fd >= 0 && new_fd >= 0 && posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0 &&
              waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) <= 1;
    close(old_fd);
    close(new_fd);
    return has_run;
}

bool virt_show_change(xmlDoc *before, xmlDoc *after, const char *name)
{
    char *old = before ? xml_text(before) : NULL, *new = xml_text(after);
    bool is_changed = !old || strcmp(old, new);

    if (is_changed && !run_diff(old ? old : "", new, name))
        virt_fail("the difference cannot be shown: there is no diff(1)");
    xmlFree(old);
    xmlFree(new);
    return is_changed;
}
