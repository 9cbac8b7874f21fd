/* `hvshim metal` is a program of its own (host-backends/metal/metal), beside the image that it writes and starts. */
#include "metal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FAILED = 1 };

int metal_main(int argc, char **argv)
{
    static const char *const places[] = {METAL_INSTALLED, METAL_BUILT};
    char self[PATH_MAX], place[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    (void)argc;
    self[length > 0 ? length : 0] = 0;
    if (strrchr(self, '/'))
        *strrchr(self, '/') = 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(place, sizeof(place), "%s/%s", self, places[i]);
        execv(place, argv);
    }
    fputs("hvshim metal: its image is not beside this program: build or install all of hvshim\n", stderr);
    return FAILED;
}

bool metal_wants(int argc, char **argv)
{
    return argc > 2 && !strcmp(argv[1], "--host") && !strcmp(argv[2], "metal");
}

/* argv: [0] "hvshim vm", [1] --host, [2] metal. */
int metal_vm_main(int argc, char **argv)
{
    static char vm[] = "vm";

    argv[2] = vm;
    return metal_main(argc - 1, argv + 1);
}
