/*
 * The probe as a static Linux program: what can be said from CPL 3, and what the kernel says.
 */
#include <stdio.h>
#include <string.h>

#include "linux.h"
#include "probe.h"

enum status {
    STATUS_SOUND = 0,           /* nothing that is advertised was found not to work */
    STATUS_LIES = 1,
    STATUS_USAGE = 2,
};

static const char *const words[] = {"--table", "--json", "--both"};

static int usage(FILE *to, int status)
{
    fputs("usage: guest-probe [--table | --json | --both]\n"
          "Says of every hypervisor interface that this machine shows which features are advertised, work, and cost\n"
          "how much. More is known to root, with the msr module loaded.\n"
          "Exit status: 0, or 1 when something advertised does not work.\n",
          to);
    return status;
}

static int is_known(const char *word)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i]) == 0)
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, STATUS_SOUND);
    if (argc > 2 || (argc == 2 && !is_known(argv[1])))
        return usage(stderr, STATUS_USAGE);

    struct probe_options options = probe_options(argc == 2 ? argv[1] : "");
    linux_init();
    return probe_run(&options) ? STATUS_SOUND : STATUS_LIES;
}
