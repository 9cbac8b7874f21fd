/*
 * For LD_PRELOAD: KVM_CHECK_EXTENSION says no to the capability that $DENY_CAP names by its number; without
 * KVM_CAP_ADJUST_CLOCK the clock is not stable either.
 */
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
    const char *denied = getenv("DENY_CAP");
    va_list list;
    va_start(list, request);
    long argument = va_arg(list, long);
    va_end(list);
    if (request == KVM_CHECK_EXTENSION && denied && argument == atol(denied))
        return 0;
    int answer = (int)syscall(SYS_ioctl, fd, request, argument);
    if (request == KVM_GET_CLOCK && denied && atol(denied) == KVM_CAP_ADJUST_CLOCK)
        ((struct kvm_clock_data *)argument)->flags = 0;
    return answer;
}
