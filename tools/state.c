/*
 * `hvshim save` and `hvshim load`: what a stopped guest has set in what is presented to it, in a file beside the
 * snapshot or migration stream that the VMM makes. The file is read and written here, so a VMM in a sandbox needs no
 * access to it.
 */
#include "state.h"

#include "vms.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hvshim/hvshim.h>

enum { FAILED = 1 };

#define ENDING                                                                                                         \
    "VM is the process id of the VMM, or the name that QEMU was given (libvirt: the domain's). It runs by "             \
    "hvshim run --present, and is stopped (QEMU's monitor: stop).\n\n"                                                 \
    "Exit status:\n"                                                                                                   \
    "  0   done\n"                                                                                                     \
    "  1   it cannot be: the guest runs, or the state is another's\n"                                                  \
    "  64  wrong usage\n"

static const char save_doc[] =
    "Write into FILE what a stopped guest has set in the hypervisor that it sees.\v"
    "The VMM's own snapshot or migration stream does not have it; both belong together, from one stop. Later, hvshim "
    "run --load FILE or hvshim load.\n\n" ENDING;
static const char load_doc[] =
    "Read from FILE what hvshim save wrote, into a VM whose VMM has just loaded the snapshot that belongs to it.\v"
    ENDING;

struct parsing {
    const char *name, *vm, *file;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *p = state->input;

    if (key == ARGP_KEY_ARG && !p->vm)
        p->vm = text;
    else if (key == ARGP_KEY_ARG && !p->file)
        p->file = text;
    else if (key == ARGP_KEY_END && !p->file)
        argp_error(state, "which VM and FILE?");
    else if (key != ARGP_KEY_END)
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static int fail(const struct parsing *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(const struct parsing *p, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fprintf(stderr, "%s: ", p->name);
    vfprintf(stderr, format, list);
    fputs("\n", stderr);
    va_end(list);
    return FAILED;
}

/* Whose process it is, is known; what it says is not trusted. */
static void make_printable(char *text)
{
    for (; *text; text++)
        *text = isprint((unsigned char)*text) ? *text : '?';
}

/* Returns 0 with the reply, malloc'ed. */
static int ask(const struct parsing *p, enum control_op op, struct hvs_text state, char **reply, size_t *bytes)
{
    const struct hvs_text none = {"", 0};
    struct vms_process vm;
    int status;

    if (vms_find(p->name, p->vm, &vm))
        return FAILED;
    if (vms_ask(&vm, op, none, state, &status, reply, bytes))
        return fail(p, "%s cannot be asked: %s", p->vm, strerror(errno));
    if (status == HVS_OK)
        return 0;
    make_printable(*reply);
    fail(p, "%s: %s", p->vm, **reply ? *reply : hvs_strerror(status));
    free(*reply);
    return FAILED;
}

/* --- save ------------------------------------------------------------------------------------------------------- */

/* Returns 0, or -1 with errno. Closes it. */
static int fill(int fd, const char *bytes, size_t nr)
{
    size_t done = 0;
    int error;

    while (done < nr) {
        ssize_t written = write(fd, bytes + done, nr - done);

        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    error = done < nr || fsync(fd) < 0 ? errno : 0;
    if (close(fd) < 0 && !error)
        error = errno;
    errno = error;
    return error ? -1 : 0;
}

/* All of it or nothing, for the owner alone: it has what the guest's memory has. */
static int write_file(const struct parsing *p, const char *bytes, size_t nr)
{
    char *temporary = NULL;
    int fd, error;

    if (asprintf(&temporary, "%s.XXXXXX", p->file) < 0)
        return fail(p, "%s", strerror(errno));
    fd = mkstemp(temporary);
    error = fd < 0 ? errno : 0;
    if (!error && (fill(fd, bytes, nr) || rename(temporary, p->file) < 0)) {
        error = errno;
        unlink(temporary);
    }
    free(temporary);
    return error ? fail(p, "%s: %s", p->file, strerror(error)) : 0;
}

static const struct argp save_argp = {.parser = parse, .args_doc = "VM FILE", .doc = save_doc};

int save_main(int argc, char **argv)
{
    const struct hvs_text none = {"", 0};
    struct parsing p = {.name = argv[0]};
    char *state;
    size_t bytes;
    int status;

    argp_parse(&save_argp, argc, argv, 0, NULL, &p);
    if (ask(&p, CONTROL_SAVE, none, &state, &bytes))
        return FAILED;
    status = write_file(&p, state, bytes);
    free(state);
    return status;
}

/* --- load ------------------------------------------------------------------------------------------------------- */

static int read_file(const struct parsing *p, char **state, size_t *bytes)
{
    FILE *file = fopen(p->file, "re");
    bool is_bad;

    if (!file)
        return fail(p, "%s: %s", p->file, strerror(errno));
    *state = malloc(CONTROL_MAX_STATE_BYTES);
    *bytes = *state ? fread(*state, 1, CONTROL_MAX_STATE_BYTES, file) : 0;
    is_bad = !*state || ferror(file);
    if (is_bad) {
        fail(p, "%s: %s", p->file, strerror(errno));
        free(*state);
    }
    fclose(file);
    return is_bad ? FAILED : 0;
}

static const struct argp load_argp = {.parser = parse, .args_doc = "VM FILE", .doc = load_doc};

int load_main(int argc, char **argv)
{
    struct parsing p = {.name = argv[0]};
    char *state = NULL, *reply;
    size_t bytes = 0, nr;
    int status;

    argp_parse(&load_argp, argc, argv, 0, NULL, &p);
    if (read_file(&p, &state, &bytes))
        return FAILED;
    status = ask(&p, CONTROL_LOAD, (struct hvs_text){state, (uint32_t)bytes}, &reply, &nr);
    free(state);
    if (!status)
        free(reply);
    return status;
}
