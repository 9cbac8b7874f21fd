/* `hvshim virt` is a program of its own (host-backends/libvirt), since it alone needs libvirt. */
#include "virt.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FAILED = 1 };

int virt_main(int argc, char **argv)
{
    static const char *const places[] = {VIRT_INSTALLED, VIRT_BUILT};
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
    fputs("hvshim virt: this hvshim was built without libvirt: install its development files and libxml2's (Debian: "
          "libvirt-dev, libxml2-dev) and build it again\n", stderr);
    return FAILED;
}
