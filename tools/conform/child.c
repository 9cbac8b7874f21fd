/* Programs that are started and listened to. See child.h. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CHILDREN = 64, GRACE_S = 5, NOT_FOUND = 127 };

static _Atomic pid_t running[MOST_CHILDREN];

struct child {
    pid_t pid;
    int fd[2];                  /* its standard output and error; -1: closed */
    char last[256];             /* line of its standard error */
    size_t used;                /* of the line that goes on */
    char line[256];
    time_t started, spoke;
    bool has_begun, is_enough;
};

static time_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void note_running(pid_t from, pid_t to)
{
    for (int i = 0; i < MOST_CHILDREN; i++) {
        pid_t expected = from;

        if (atomic_compare_exchange_strong(&running[i], &expected, to))
            return;
    }
}

void child_end_all(void)
{
    for (int i = 0; i < MOST_CHILDREN; i++)
        if (atomic_load(&running[i]) > 0)
            kill(-atomic_load(&running[i]), SIGTERM);
}

/* A group of its own, so that all of it can be ended. */
static void become(char *const *argv, const int out[2], const int error[2])
{
    int null = open("/dev/null", O_RDONLY);

    setpgid(0, 0);
    dup2(null, STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(error[1], STDERR_FILENO);
    execvp(argv[0], argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(NOT_FOUND);
}

static int start(struct child *child, char *const *argv)
{
    int out[2], error[2];

    if (pipe2(out, O_CLOEXEC) < 0)
        return -1;
    if (pipe2(error, O_CLOEXEC) < 0) {
        close(out[0]);
        close(out[1]);
        return -1;
    }
    child->pid = fork();
    if (child->pid == 0)
        become(argv, out, error);
    close(out[1]);
    close(error[1]);
    child->fd[0] = out[0];
    child->fd[1] = error[0];
    child->started = child->spoke = now_s();
    if (child->pid < 0)
        return -1;
    setpgid(child->pid, child->pid);
    note_running(0, child->pid);
    return 0;
}

static void take_error(struct child *child, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != '\n' && child->used < sizeof(child->line) - 1) {
            child->line[child->used++] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
        } else if (text[i] == '\n' && child->used) {
            child->line[child->used] = 0;
            memcpy(child->last, child->line, child->used + 1);
            child->used = 0;
        }
    }
}

static bool is_late(const struct child *child, const struct child_limits *limits, enum child_end *how)
{
    time_t now = now_s();

    *how = CHILD_LATE;
    if (now - child->started >= (time_t)limits->all_s)
        return true;
    *how = CHILD_SILENT;
    return child->has_begun ? now - child->spoke >= (time_t)limits->silence_s
                            : now - child->started >= (time_t)limits->start_s;
}

/* One look at both pipes; false when both are closed. */
static bool look(struct child *child, enum child_news (*listen)(void *ctx, const char *text, size_t bytes), void *ctx)
{
    struct pollfd polled[2] = {{.fd = child->fd[0], .events = POLLIN}, {.fd = child->fd[1], .events = POLLIN}};
    char text[4096];

    poll(polled, 2, 1000);
    for (int i = 0; i < 2; i++) {
        ssize_t got = polled[i].revents ? read(child->fd[i], text, sizeof(text)) : -1;

        if (polled[i].revents && got <= 0) {
            close(child->fd[i]);
            child->fd[i] = -1;
        } else if (got > 0 && i == 1) {
            take_error(child, text, (size_t)got);
        } else if (got > 0) {
            child->spoke = now_s();
            enum child_news news = listen(ctx, text, (size_t)got);
            child->has_begun |= news != CHILD_NOTHING;
            child->is_enough |= news == CHILD_ENOUGH;
        }
    }
    return !child->is_enough && (child->fd[0] >= 0 || child->fd[1] >= 0);
}

/* Whether it is gone within the time. */
static bool reap(pid_t pid, int *status, int seconds)
{
    for (int i = 0; i < seconds * 20; i++) {
        if (waitpid(pid, status, WNOHANG) == pid)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return false;
}

static void end(struct child *child, int *status)
{
    if (!reap(child->pid, status, 1)) {
        kill(-child->pid, SIGTERM);
        if (!reap(child->pid, status, GRACE_S)) {
            kill(-child->pid, SIGKILL);
            waitpid(child->pid, status, 0);
        }
    }
    kill(-child->pid, SIGKILL);         /* what is left of its group */
    note_running(child->pid, 0);
}

static void say(const struct child *child, enum child_end how, const struct child_limits *limits, int status,
                char *note, size_t bytes)
{
    const char *colon = *child->last ? ": " : "";

    if (how == CHILD_LATE)
        snprintf(note, bytes, "not done after %u s%s%s", limits->all_s, colon, child->last);
    else if (how == CHILD_SILENT)
        snprintf(note, bytes, "no output for %u s%s%s", child->has_begun ? limits->silence_s : limits->start_s, colon,
                 child->last);
    else if (WIFSIGNALED(status))
        snprintf(note, bytes, "ended by signal %d%s%s", WTERMSIG(status), colon, child->last);
    else
        snprintf(note, bytes, "ended with status %d%s%s", WEXITSTATUS(status), colon, child->last);
}

enum child_end child_run(char *const *argv, const struct child_limits *limits,
                         enum child_news (*listen)(void *ctx, const char *text, size_t bytes), void *ctx, char *note,
                         size_t note_bytes)
{
    struct child child = {.fd = {-1, -1}};
    enum child_end how = CHILD_ENDED;
    int status = 0;

    if (start(&child, argv)) {
        snprintf(note, note_bytes, "cannot be started: %s", strerror(errno));
        return CHILD_NOT_STARTED;
    }
    while (look(&child, listen, ctx))
        if (is_late(&child, limits, &how))
            break;
        else
            how = CHILD_ENDED;
    if (how != CHILD_ENDED)
        kill(-child.pid, SIGTERM);
    for (int i = 0; i < 2; i++)
        if (child.fd[i] >= 0)
            close(child.fd[i]);
    end(&child, &status);
    say(&child, how, limits, status, note, note_bytes);
    return how;
}
