/*
 * The console: stdin and stdout behind COM1 and Xen's console, the terminal's mode, and the signals that end us.
 *
 * A terminal is made raw while the guest runs and given back afterwards, also when a signal ends the run: signals
 * come through a file descriptor to the main thread, which winds up in order and raises them again at the end.
 *
 * Output is written by the line, by the vCPU that ended the line; what stands without a newline the main thread
 * writes soon after. The main thread never waits for who reads our output, so that it can always end the machine.
 */
#include "machine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum { CTRL_A = 1, FLUSH_MS = 20 };

struct console {
    int signal_fd;
    int signal;                 /* that ended the run, or 0 */
    bool has_input, is_raw, is_after_ctrl_a;
    struct termios saved;
    sigset_t saved_mask;
    pthread_mutex_t out_lock;
    uint32_t nr_out;
    uint8_t out[1024];          /* less than what a pipe takes without waiting when it is ready at all */
};

/* Blocks the signals that mean "end" or "power off", but not those that the user wants ignored (nohup). */
static int take_signals(struct console *c)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPWR};
    sigset_t mask;
    sigemptyset(&mask);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(signals); i++) {
        struct sigaction now;
        if (!sigaction(signals[i], NULL, &now) && now.sa_handler != SIG_IGN)
            sigaddset(&mask, signals[i]);
    }
    pthread_sigmask(SIG_BLOCK, &mask, &c->saved_mask);
    signal(SIGPIPE, SIG_IGN);   /* a guest may go on when nobody reads it */
    c->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC);
    return c->signal_fd < 0 ? vmm_fail("signalfd: %s", strerror(errno)) : 0;
}

int vmm_console_open(struct console **console)
{
    struct console *c = calloc(1, sizeof(*c));
    *console = c;
    if (!c)
        return vmm_fail("no memory for the console");
    pthread_mutex_init(&c->out_lock, NULL);
    if (take_signals(c))
        return -1;
    c->has_input = true;
    if (!isatty(STDIN_FILENO))
        return 0;
    c->has_input = tcgetpgrp(STDIN_FILENO) == getpgrp();        /* in the background the terminal is another's */
    if (!c->has_input || tcgetattr(STDIN_FILENO, &c->saved))
        return 0;
    struct termios raw = c->saved;
    cfmakeraw(&raw);
    raw.c_oflag = c->saved.c_oflag;     /* our own messages end their lines with "\n" only */
    c->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    return 0;
}

int vmm_console_close(struct console *c)
{
    if (!c)
        return 0;
    int ended_by = c->signal;
    if (c->is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &c->saved);
    if (c->signal_fd >= 0)
        close(c->signal_fd);
    pthread_sigmask(SIG_SETMASK, &c->saved_mask, NULL);
    pthread_mutex_destroy(&c->out_lock);
    free(c);
    return ended_by;
}

bool vmm_console_has_signal(const struct console *c)
{
    return c->signal != 0;
}

/* On a terminal Ctrl-A is ours: x after it stops the machine, p and s ask the guest to power off or to suspend itself,
   another Ctrl-A goes to the guest. */
static void take_byte(struct console *c, struct machine *m, uint8_t byte)
{
    if (c->is_raw && !c->is_after_ctrl_a && byte == CTRL_A) {
        c->is_after_ctrl_a = true;
        return;
    }
    if (c->is_after_ctrl_a && byte == 'x')
        vmm_end(m, VMM_END_USER);
    else if (c->is_after_ctrl_a && byte == 'p')
        vmm_soft_poweroff(m);
    else if (c->is_after_ctrl_a && byte == 's')
        vmm_xenstore_suspend(m);
    else if ((!c->is_after_ctrl_a || byte == CTRL_A) && vmm_xen_console_is_used(m))
        vmm_xen_console_receive(m, byte);
    else if (!c->is_after_ctrl_a || byte == CTRL_A)
        vmm_serial_receive(m, byte);
    c->is_after_ctrl_a = false;
}

static void read_input(struct console *c, struct machine *m)
{
    uint8_t byte;
    ssize_t nr = read(STDIN_FILENO, &byte, 1);
    if (nr == 1)
        take_byte(c, m, byte);
    else if (nr == 0 || (errno != EINTR && errno != EAGAIN))
        c->has_input = false;
}

static void read_signal(struct console *c, struct machine *m)
{
    struct signalfd_siginfo info;
    if (read(c->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGPWR) {
        vmm_soft_poweroff(m);
        return;
    }
    c->signal = (int)info.ssi_signo;
    vmm_end(m, VMM_END_SIGNAL);
}

/* Writes out what there is, with the lock held. What cannot be written is dropped, unless a kick interrupts it. */
static void flush(struct console *c)
{
    uint32_t done = 0;
    while (done < c->nr_out) {
        ssize_t written = write(STDOUT_FILENO, c->out + done, c->nr_out - done);
        if (written < 0 && errno == EINTR)
            break;
        done = written < 0 ? c->nr_out : done + (uint32_t)written;
    }
    memmove(c->out, c->out + done, c->nr_out - done);
    c->nr_out -= done;
}

void vmm_console_write(struct machine *m, uint8_t byte)
{
    struct console *c = m->console;
    pthread_mutex_lock(&c->out_lock);
    if (c->nr_out == sizeof(c->out))
        c->nr_out = 0;          /* interrupted before: the machine is being stopped */
    c->out[c->nr_out++] = byte;
    if (byte == '\n' || c->nr_out == sizeof(c->out))
        flush(c);
    else if (c->nr_out == 1)
        vmm_wake(m);
    pthread_mutex_unlock(&c->out_lock);
}

uint32_t vmm_console_add(struct console *c, const uint8_t *text, uint32_t bytes)
{
    if (pthread_mutex_trylock(&c->out_lock))
        return 0;
    uint32_t room = (uint32_t)sizeof(c->out) - c->nr_out, added = bytes < room ? bytes : room;
    memcpy(c->out + c->nr_out, text, added);
    c->nr_out += added;
    pthread_mutex_unlock(&c->out_lock);
    return added;
}

/* Writes what is left, where that does not wait. Returns whether something is still left. */
static bool flush_ready(struct console *c)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (pthread_mutex_trylock(&c->out_lock))
        return true;
    if (c->nr_out && poll(&out, 1, 0) == 1)
        flush(c);
    bool is_left = c->nr_out > 0;
    pthread_mutex_unlock(&c->out_lock);
    return is_left;
}

/* --- the main thread's loop ------------------------------------------------------------------------------------- */

static void wait_once(struct console *c, struct machine *m, int timeout_ms)
{
    /* What is typed too fast is lost, or nobody would see Ctrl-A x; a pipe can wait. */
    bool has_room = vmm_xen_console_is_used(m) ? vmm_xen_console_has_room(m) : vmm_serial_has_room(m);
    bool wants_input = c->has_input && (c->is_raw || has_room);
    struct pollfd fds[] = {
        {.fd = m->wake_fd, .events = POLLIN},
        {.fd = c->signal_fd, .events = POLLIN},
        {.fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN},
    };
    if (poll(fds, HVS_ARRAY_SIZE(fds), timeout_ms) <= 0)
        return;
    uint64_t count;
    if (fds[0].revents && read(m->wake_fd, &count, sizeof(count)) < 0)
        vmm_fail("eventfd: %s", strerror(errno));
    vmm_pause_serve(m);
    if (fds[1].revents)
        read_signal(c, m);
    if (fds[2].revents)
        read_input(c, m);
}

/* Returns whether something is left. */
static bool serve_output(struct console *c, struct machine *m)
{
    bool is_left = vmm_xen_console_serve(m);
    return flush_ready(c) || is_left;
}

void vmm_console_run(struct console *c, struct machine *m)
{
    while (!vmm_has_ended(m)) {
        wait_once(c, m, -1);
        do      /* a line in the making gets a little time */
            wait_once(c, m, FLUSH_MS);
        while (!vmm_has_ended(m) && serve_output(c, m));
    }
}

void vmm_console_finish(struct console *c, struct machine *m)
{
    enum { MAX_ROUNDS = 16 };   /* enough for all that may have been put down */
    for (uint32_t i = 0; i < MAX_ROUNDS && serve_output(c, m); i++)
        continue;
}
