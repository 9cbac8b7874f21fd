#include "place.h"

#include "protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A process that had this number before may have left its file, where it was killed. */
static int try_in(int fd, const char *directory, struct sockaddr_un *address)
{
    int length;

    if (!directory || *directory != '/')
        return -1;
    address->sun_family = AF_UNIX;
    length = snprintf(address->sun_path, sizeof(address->sun_path), "%s/" CONTROL_NAME_FORMAT, directory,
                      (int)getpid());
    if (length >= (int)sizeof(address->sun_path))
        return -1;
    unlink(address->sun_path);
    return bind(fd, (const struct sockaddr *)address, sizeof(*address));
}

int control_bind(int fd, struct sockaddr_un *address)
{
    const char *asked = secure_getenv("HVSHIM_CONTROL");
    char of_user[32];

    if (fchmod(fd, 0600) < 0)   /* the mode of the file that bind makes */
        return -1;
    if (asked && *asked)
        return try_in(fd, asked, address);
    snprintf(of_user, sizeof(of_user), "/run/user/%u", (unsigned)geteuid());
    if (!try_in(fd, secure_getenv("XDG_RUNTIME_DIR"), address) || !try_in(fd, of_user, address))
        return 0;
    if (geteuid() == 0) {
        mkdir("/run/hvshim", 0755);
        if (!try_in(fd, "/run/hvshim", address))
            return 0;
    }
    return try_in(fd, secure_getenv("HOME"), address);
}
