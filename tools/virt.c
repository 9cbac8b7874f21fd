/* `hvshim virt` is a program of its own (host-backends/libvirt), since it alone needs libvirt. */
#include "virt.h"

#include "program.h"

#include <stdio.h>

enum { FAILED = 1 };

int virt_main(int argc, char **argv)
{
    (void)argc;
    program_become(VIRT_INSTALLED, VIRT_BUILT, argv);
    fputs("hvshim virt: this hvshim was built without libvirt: install its development files and libxml2's (Debian: "
          "libvirt-dev, libxml2-dev) and build it again\n", stderr);
    return FAILED;
}
