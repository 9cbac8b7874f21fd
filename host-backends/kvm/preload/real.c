/*
 * The library's own calls of what preload.c stands for: the linker gives them these (--wrap), which go to the kernel
 * and see no library between, whatever else is preloaded.
 *
 * All calls of the program pass here, so they are as short as the C library's. x86-64 passes arguments in the same
 * registers by name and behind "...", but reading them from there is long; and each return behind a system call is dear,
 * where the kernel leaves the CPU nothing to predict it by.
 */
#include <errno.h>
#include <sys/syscall.h>

int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_close(int fd);
int __wrap_fcntl(int fd, int command, long argument);

static inline int call(long number, long fd, unsigned long second, long third)
{
    long answer;

    __asm__ volatile("syscall" : "=a"(answer) : "0"(number), "D"(fd), "S"(second), "d"(third) : "rcx", "r11", "memory");
    if (answer >= 0)
        return (int)answer;
    errno = (int)-answer;
    return -1;
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    return call(SYS_ioctl, fd, request, (long)argument);
}

int __wrap_close(int fd)
{
    return call(SYS_close, fd, 0, 0);
}

int __wrap_fcntl(int fd, int command, long argument)
{
    return call(SYS_fcntl, fd, (unsigned long)command, argument);
}
