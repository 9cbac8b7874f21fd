/*
 * What the layer costs a VMM to which it shows nothing (`hvshim run --present none`), call by call.
 *
 * usage: preload_cost [ROUNDS]     under the layer; 0: count only
 * Status 1: a call has more instructions than it may; 77: there is no KVM
 *
 * In one process the calls that the layer stands in for are made by it and by the C library beneath it, in turn, on the
 * same descriptors. Two numbers: instructions in user space, counted one by one by the trap flag, the same in all runs;
 * and nanoseconds, the median of ROUNDS batches of each, with the C library's calls measured a second time against
 * themselves: what is less than that is noise. What the layer does not stand in for is the very function it was.
 */
#include "vm.h"

#include <dlfcn.h>
#include <time.h>

enum { BATCH = 64, MAX_ROUNDS = 1001 };

struct calls {
    int (*ioctl)(int fd, unsigned long request, ...);
    int (*fcntl)(int fd, int command, ...);
    int (*dup)(int fd);
    int (*close)(int fd);
};

typedef void operation(const struct calls *calls);

static struct vm vm;
static int pipe_fd[2];

/* --- what is called --------------------------------------------------------------------------------------------- */

static void run(const struct calls *calls)
{
    if (calls->ioctl(vm.vcpu_fd[0], KVM_RUN, 0))
        exit(1);
}

static void raise_line(const struct calls *calls)
{
    struct kvm_irq_level line = {.irq = 5, .level = 0};

    calls->ioctl(vm.fd, KVM_IRQ_LINE, &line);
}

static void get_mp_state(const struct calls *calls)
{
    struct kvm_mp_state state;

    calls->ioctl(vm.vcpu_fd[0], KVM_GET_MP_STATE, &state);
}

static void ask_pipe(const struct calls *calls)
{
    int bytes;

    calls->ioctl(pipe_fd[0], FIONREAD, &bytes);
}

static void get_flags(const struct calls *calls)
{
    calls->fcntl(pipe_fd[0], F_GETFL, 0);
}

static void dup_and_close(const struct calls *calls)
{
    calls->close(calls->dup(pipe_fd[0]));
}

/* What a VMM does all the time has next to nothing added; the rest is for its start and its end. */
static const struct {
    const char *name;
    operation *operate;
    int most_added;             /* instructions */
} operations[] = {
    {"KVM_RUN, to a port exit", run, 8},
    {"KVM_IRQ_LINE", raise_line, 8},
    {"KVM_GET_MP_STATE", get_mp_state, 8},
    {"ioctl on a pipe", ask_pipe, 8},
    {"fcntl", get_flags, 80},
    {"dup, close", dup_and_close, 80},
};

/* An empty guest: OUT and again. */
static void make_guest(void)
{
    static const uint8_t code[] = {0xe6, MAIL_PORT, 0xeb, 0xfc};

    make(&vm, true);
    memcpy(vm.ram + MAIL_CODE, code, sizeof(code));
    check(go_on(&vm, 0) && go_on(&vm, 0));
    check(pipe(pipe_fd) == 0);
}

/* --- instructions ----------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t nr_steps;

static void step(int signal)
{
    (void)signal;
    nr_steps++;
}

/* The stack below the pointer is the compiler's for 128 bytes. */
#define SET_TRAP_FLAG(how)                                                                                   \
    __asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n " how ", (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp" ::: \
                     "memory", "cc")

static int count_steps(operation *operate, const struct calls *calls)
{
    nr_steps = 0;
    SET_TRAP_FLAG("orq $0x100");
    operate(calls);
    SET_TRAP_FLAG("andq $~0x100");
    return nr_steps;
}

/* --- nanoseconds ------------------------------------------------------------------------------------------------ */

static double batch_ns(operation *operate, const struct calls *calls)
{
    struct timespec from, to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < BATCH; i++)
        operate(calls);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / BATCH;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(double *values, int nr)
{
    qsort(values, (size_t)nr, sizeof(*values), compare);
    return values[nr / 2];
}

struct times {
    double plain, added, noise;     /* ns for each call */
};

static struct times take_times(operation *operate, const struct calls *plain,
                               const struct calls *layer, int rounds)
{
    static double before[MAX_ROUNDS], added[MAX_ROUNDS], noise[MAX_ROUNDS];

    for (int i = 0; i < rounds; i++) {
        double with, after;

        before[i] = batch_ns(operate, plain);
        with = batch_ns(operate, layer);
        after = batch_ns(operate, plain);
        added[i] = with - (i % 2 ? before[i] : after);  /* their mean has another median: times scatter to one side */
        noise[i] = after - before[i];
    }
    return (struct times){median(before, rounds), median(added, rounds), median(noise, rounds)};
}

/* --- */

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);

    check(found);
    return found;
}

static struct calls find_calls(void *library)
{
    struct calls calls;
    void *found[] = {symbol(library, "ioctl"), symbol(library, "fcntl"), symbol(library, "dup"),
                     symbol(library, "close")};

    _Static_assert(sizeof(calls) == sizeof(found), "C has no cast from a pointer to data to one to a function");
    memcpy(&calls, found, sizeof(calls));
    return calls;
}

/* What a VMM's disks, networks and waiting are made of. */
static void check_others(void *libc)
{
    static const char *const names[] = {
        "open", "open64", "openat", "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev",
        "recvmsg", "sendmsg", "recv", "send", "poll", "ppoll", "select", "epoll_wait", "mmap", "mmap64", "munmap",
        "madvise", "fdatasync", "fallocate", "clock_gettime", "timerfd_settime", "pthread_mutex_lock",
        "pthread_cond_wait", "syscall", "memcpy", "malloc"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check(symbol(RTLD_DEFAULT, names[i]) == symbol(libc, names[i]));
    printf("the C library's own, as without the layer: %s", names[0]);
    for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
        printf(" %s", names[i]);
    printf("\n");
}

/* Returns whether it is no more than it may be; without optimization by the compiler that means nothing. */
static bool judge(size_t i, const struct calls *plain, const struct calls *layer, int rounds)
{
    int before, added;

    operations[i].operate(layer);  /* the first call does more */
    before = count_steps(operations[i].operate, plain);
    added = count_steps(operations[i].operate, layer) - before;
    printf("%-24s %12d %6d", operations[i].name, before, added);
    if (rounds) {
        struct times times = take_times(operations[i].operate, plain, layer, rounds);

        printf(" %8.0f %7.1f %7.1f %7.4f", times.plain, times.added, times.noise, 1 + times.added / times.plain);
    }
    printf("\n");
#ifdef __OPTIMIZE__
    return added <= operations[i].most_added;
#else
    return true;
#endif
}

int main(int argc, char **argv)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    int rounds = argc > 1 ? atoi(argv[1]) : 301, status = 0;
    struct calls plain, layer;

    if (access("/dev/kvm", R_OK | W_OK))
        return 77;
    check(libc && rounds >= 0 && rounds <= MAX_ROUNDS);
    plain = find_calls(libc);
    layer = find_calls(RTLD_DEFAULT);
    check(signal(SIGTRAP, step) != SIG_ERR);
    make_guest();
    printf("%-24s %12s %6s%s\n", "", "instructions", "added", rounds ? "       ns   added   noise   ratio" : "");
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        if (!judge(i, &plain, &layer, rounds))
            status = 1;
    check_others(libc);
    return status;
}
