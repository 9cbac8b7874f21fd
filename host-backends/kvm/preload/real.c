/*
 * The library's own calls of what preload.c stands for: the linker gives them these (--wrap), which go to the kernel
 * and see no library between, whatever else is preloaded.
 */
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_close(int fd);
int __wrap_fcntl(int fd, int command, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    void *argument;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

int __wrap_close(int fd)
{
    return (int)syscall(SYS_close, fd);
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    return (int)syscall(SYS_fcntl, fd, command, argument);
}
