/* `hvshim metal` is a program of its own (host-backends/metal/metal), beside the image that it writes and starts. */
#include "metal.h"

#include "program.h"

#include <stdio.h>
#include <string.h>

enum { FAILED = 1 };

int metal_main(int argc, char **argv)
{
    (void)argc;
    program_become(METAL_INSTALLED, METAL_BUILT, argv);
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
