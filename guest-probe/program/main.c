/*
 * The probe as a program of an operating system: what can be said from CPL 3, and what the kernel says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "program.h"
#include "stats.h"
#include "trace.h"
#include "watch.h"

enum status {
    STATUS_SOUND = 0,           /* nothing that is advertised was found not to work */
    STATUS_LIES = 1,
    STATUS_USAGE = 2,
};

enum {
    NS_PER_SECOND = 1000000000,
    MAX_SECONDS = 86400,
};

struct arguments {
    struct probe_options probe;
    struct watch_options watch;
    bool wants_help, wants_watch, has_count;
};

static int usage(FILE *to, int status)
{
    fputs("usage: guest-probe [--table | --json | --both]\n"
          "                   [--stats | --trace | --watch [SECONDS] [--watch-count N]]\n"
          "Says of every hypervisor interface that this machine shows which features are advertised, work, and cost\n"
          "how much. Under Linux root sees more with the msr module loaded.\n"
          "  --stats             only the hypervisor's own statistics, where it shows them to root (hvshim-metal)\n"
          "  --trace             only what the guest asked it for last, likewise\n"
          "  --watch [SECONDS]   what a clock read, a bare exit and what else is cheap cost, every so often (1 s)\n"
          "  --watch-count N     end after N times; without it Ctrl-C ends\n"
          "Exit status: 0, 1 when something advertised does not work or what is asked for is not shown,\n"
          "2: wrong usage.\n",
          to);
    return status;
}

static bool read_seconds(const char *word, uint64_t *ns)
{
    char *end;
    double seconds = strtod(word, &end);
    if (end == word || *end != '\0' || !(seconds >= 0.001 && seconds <= MAX_SECONDS))
        return false;
    *ns = (uint64_t)(seconds * NS_PER_SECOND);
    return true;
}

static bool read_count(const char *word, uint32_t *count)
{
    char *end;
    unsigned long value = strtoul(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end != '\0' || value == 0 || value > UINT32_MAX)
        return false;
    *count = (uint32_t)value;
    return true;
}

/* Reads the option at argv[0] with its value. Returns how many words those are, or 0. */
static int read_option(char **argv, struct arguments *arguments)
{
    if (strcmp(argv[0], "--help") == 0)
        return arguments->wants_help = true;
    if (strcmp(argv[0], "--table") == 0)
        return arguments->probe.wants_table = true;
    if (strcmp(argv[0], "--json") == 0)
        return arguments->probe.wants_json = true;
    if (strcmp(argv[0], "--both") == 0)
        return arguments->probe.wants_table = arguments->probe.wants_json = true;
    if (strcmp(argv[0], "--stats") == 0)
        return arguments->probe.wants_stats = true;
    if (strcmp(argv[0], "--trace") == 0)
        return arguments->probe.wants_trace = true;
    if (strcmp(argv[0], "--watch-count") == 0) {
        arguments->has_count = true;
        return argv[1] != NULL && read_count(argv[1], &arguments->watch.nr_intervals) ? 2 : 0;
    }
    if (strcmp(argv[0], "--watch") != 0)
        return 0;
    arguments->wants_watch = true;
    if (argv[1] == NULL || argv[1][0] == '-')
        return 1;
    return read_seconds(argv[1], &arguments->watch.interval_ns) ? 2 : 0;
}

static bool read_arguments(char **argv, struct arguments *arguments)
{
    *arguments = (struct arguments){.watch.interval_ns = NS_PER_SECOND};
    while (*argv != NULL) {
        int nr_words = read_option(argv, arguments);
        if (nr_words == 0)
            return false;
        argv += nr_words;
    }
    if (!arguments->probe.wants_json)
        arguments->probe.wants_table = true;
    if (arguments->probe.wants_stats + arguments->probe.wants_trace + arguments->wants_watch > 1)
        return false;
    return arguments->wants_watch || !arguments->has_count;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (!read_arguments(argc > 0 ? argv + 1 : argv, &arguments))
        return usage(stderr, STATUS_USAGE);
    if (arguments.wants_help)
        return usage(stdout, STATUS_SOUND);

    program_init();
    if (arguments.probe.wants_stats)
        return stats_report(&arguments.probe) ? STATUS_SOUND : STATUS_LIES;
    if (arguments.probe.wants_trace)
        return trace_report(&arguments.probe) ? STATUS_SOUND : STATUS_LIES;
    if (!arguments.wants_watch)
        return probe_run(&arguments.probe) ? STATUS_SOUND : STATUS_LIES;
    watch_run(&arguments.probe, &arguments.watch);
    return STATUS_SOUND;
}
