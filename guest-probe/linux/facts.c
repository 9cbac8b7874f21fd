/*
 * What the kernel says about its hypervisor: sysfs and the boot log.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "env.h"
#include "text.h"

enum {
    LOG_READ_ALL = 3,           /* syslog(2) SYSLOG_ACTION_READ_ALL */
    LOG_SIZE = 10,              /* syslog(2) SYSLOG_ACTION_SIZE_BUFFER */
    FACT_BYTES = 64,
    KERNEL_BYTES = 320,
};

static const char *const telling[] = {
    "Hypervisor detected:",
    "Xen version",
    "Hyper-V: privilege flags",
    "TSC freq read from hypervisor",
    "Switched to clocksource",
};

/* The first line of a small file. Returns false where it cannot be read or is empty. */
static bool read_line(const char *path, char line[FACT_BYTES])
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t bytes = read(file, line, FACT_BYTES - 1);
    close(file);
    if (bytes <= 0)
        return false;
    line[bytes] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return line[0] != '\0';
}

static void add(struct text *text, const char *what)
{
    text_add(text, "%s%s", text->used == 0 ? "" : "; ", what);
}

static void add_file(struct text *text, const char *path)
{
    char line[FACT_BYTES];
    if (!read_line(path, line))
        return;
    char named[2 * FACT_BYTES];
    snprintf(named, sizeof(named), "%s %s", path, line);
    add(text, named);
}

static bool is_telling(const char *line)
{
    for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++)
        if (strstr(line, telling[i]) != NULL)
            return true;
    return false;
}

/* `line` is "<6>[    0.000000] text". */
static void add_log_line(struct text *text, const char *line)
{
    const char *stamp_end = strstr(line, "] ");
    if (is_telling(line))
        add(text, stamp_end != NULL ? stamp_end + 2 : line);
}

static void add_boot_log(struct text *text)
{
    int capacity = klogctl(LOG_SIZE, NULL, 0);
    char *log = capacity > 0 ? malloc((size_t)capacity + 1) : NULL;
    int bytes = log != NULL ? klogctl(LOG_READ_ALL, log, capacity) : -1;
    if (bytes > 0) {
        char *rest;
        log[bytes] = '\0';
        for (char *line = strtok_r(log, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
            add_log_line(text, line);
    }
    free(log);
}

static const char *clocksource(void)
{
    static char name[FACT_BYTES];
    if (name[0] == '\0' && !read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", name))
        return NULL;
    return name;
}

static const char *kernel(void)
{
    static char said[KERNEL_BYTES];
    struct text text = TEXT_IN(said);
    add_boot_log(&text);
    add_file(&text, "/sys/hypervisor/type");
    return said[0] != '\0' ? said : NULL;
}

const char *env_fact(enum env_fact fact)
{
    return fact == ENV_FACT_CLOCKSOURCE ? clocksource() : kernel();
}
