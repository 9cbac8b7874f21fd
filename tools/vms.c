/*
 * Anybody may make a socket with a name like ours. So the process behind it is asked for by the kernel's word, and what
 * it says is not trusted: sizes are bounded, and its words are made printable before they reach a terminal.
 */
#include "vms.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_SECONDS = 5, COMMAND_LINE_BYTES = 1 << 16 };

/* --- names ------------------------------------------------------------------------------------------------------ */

/* QEMU: -name TEXT[,...] or -name guest=TEXT[,...]. */
static void take_name(const char *option, char *name, size_t bytes)
{
    static const char guest[] = "guest=";
    size_t length;

    if (!strncmp(option, guest, sizeof(guest) - 1))
        option += sizeof(guest) - 1;
    length = strcspn(option, ",");
    snprintf(name, bytes, "%.*s", (int)length, option);
    for (; *name; name++)
        *name = isprint((unsigned char)*name) ? *name : '?';
}

static void read_name(pid_t pid, char *name, size_t bytes)
{
    static char line[COMMAND_LINE_BYTES + 1];
    char path[64];
    FILE *file;
    size_t got;

    name[0] = 0;
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return;
    got = fread(line, 1, COMMAND_LINE_BYTES, file);
    fclose(file);
    line[got] = 0;
    for (size_t at = 0; at < got; at += strlen(line + at) + 1) {
        const char *next = line + at + strlen(line + at) + 1;

        if ((!strcmp(line + at, "-name") || !strcmp(line + at, "--name")) && next < line + got)
            take_name(next, name, bytes);
    }
}

/* --- finding ---------------------------------------------------------------------------------------------------- */

/* A line of /proc/net/unix: seven columns, then the path, if the socket has one. */
static bool read_line(const char *line, struct vms_process *process)
{
    char path[sizeof(process->address.sun_path)], wanted[64];
    const char *base;
    int pid = 0;

    if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %107[^\n]", path) != 1 || *path != '/')
        return false;
    base = strrchr(path, '/') + 1;
    if (sscanf(base, CONTROL_NAME_FORMAT, &pid) != 1 || pid <= 0)
        return false;
    snprintf(wanted, sizeof(wanted), CONTROL_NAME_FORMAT, pid);
    if (strcmp(base, wanted))
        return false;
    *process = (struct vms_process){.pid = pid, .address.sun_family = AF_UNIX};
    memcpy(process->address.sun_path, path, strlen(path) + 1);
    read_name(pid, process->name, sizeof(process->name));
    return true;
}

/* The listening socket has a line, and so has each connection that it accepted. */
static bool is_known(const struct vms_process *list, size_t nr, const struct vms_process *process)
{
    for (size_t i = 0; i < nr; i++) {
        if (!strcmp(list[i].address.sun_path, process->address.sun_path))
            return true;
    }
    return false;
}

size_t vms_list(struct vms_process **found)
{
    FILE *sockets = fopen("/proc/net/unix", "re");
    struct vms_process process, *list = NULL, *grown;
    char line[512];
    size_t nr = 0;

    while (sockets && fgets(line, sizeof(line), sockets)) {
        if (!read_line(line, &process) || is_known(list, nr, &process))
            continue;
        grown = realloc(list, (nr + 1) * sizeof(*list));
        if (!grown)
            break;
        list = grown;
        list[nr++] = process;
    }
    if (sockets)
        fclose(sockets);
    *found = list;
    return nr;
}

int vms_find(const char *command, const char *target, struct vms_process *found)
{
    bool is_number = *target && target[strspn(target, "0123456789")] == 0;
    size_t nr_found = 0, nr;
    struct vms_process *list;

    nr = vms_list(&list);
    for (size_t i = 0; i < nr; i++) {
        if (is_number ? list[i].pid == atoi(target) : !strcmp(list[i].name, target)) {
            *found = list[i];
            nr_found++;
        }
    }
    free(list);
    if (nr_found == 1)
        return 0;
    if (nr_found)
        fprintf(stderr, "%s: several processes are called %s: give the process id\n", command, target);
    else
        fprintf(stderr, "%s: %s %s does not run a VM of hvshim now, or has no control socket (hvshim stats lists those "
                "that have one)\n", command, is_number ? "process" : "nobody called", target);
    return -1;
}

/* --- asking ----------------------------------------------------------------------------------------------------- */

static int connect_to(const struct vms_process *process)
{
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct ucred who = {0};
    socklen_t bytes = sizeof(who);
    int error;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&process->address, sizeof(process->address)) < 0) {
        error = errno;
    } else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) < 0 || who.pid != process->pid) {
        error = EPERM;
    } else {
        return fd;
    }
    close(fd);
    errno = error;
    return -1;
}

static int put(int fd, const void *bytes, size_t nr)
{
    return nr == 0 || send(fd, bytes, nr, MSG_NOSIGNAL) == (ssize_t)nr ? 0 : -1;
}

static int receive(int fd, void *bytes, size_t nr)
{
    ssize_t got = nr ? recv(fd, bytes, nr, MSG_WAITALL) : 0;

    if (got == (ssize_t)nr)
        return 0;
    if (got >= 0)
        errno = EPIPE;
    return -1;
}

static int receive_reply(int fd, int *status, char **reply, size_t *bytes)
{
    struct control_reply head;

    if (receive(fd, &head, sizeof(head)))
        return -1;
    if (head.magic != CONTROL_MAGIC || head.bytes > CONTROL_MAX_REPLY_BYTES) {
        errno = EPROTO;
        return -1;
    }
    *reply = malloc((size_t)head.bytes + 1);
    if (!*reply)
        return -1;
    if (receive(fd, *reply, head.bytes)) {
        free(*reply);
        return -1;
    }
    (*reply)[head.bytes] = 0;
    *bytes = head.bytes;
    *status = head.status;
    return 0;
}

int vms_ask(const struct vms_process *process, enum control_op op, struct hvs_text key, struct hvs_text value,
            int *status, char **reply, size_t *bytes)
{
    const struct control_request request = {CONTROL_MAGIC, op, key.bytes, value.bytes};
    int fd = connect_to(process), answer = -1, error;

    if (fd < 0)
        return -1;
    if (!put(fd, &request, sizeof(request)) && !put(fd, key.text, key.bytes) && !put(fd, value.text, value.bytes))
        answer = receive_reply(fd, status, reply, bytes);
    error = errno;
    close(fd);
    errno = error;
    return answer;
}
