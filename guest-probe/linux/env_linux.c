/*
 * What the probe library asks of its front, from CPL 3 under Linux [env.h].
 *
 * MSRs are only read: a write would take what the kernel has set up away from it.
 */
#define _GNU_SOURCE
#include "env.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "cpu.h"
#include "program.h"

enum {
    VECTOR_UD = 6,
    VECTOR_GP = 13,
    ALL_PORTS = 3,
    RATE_INTERVAL_NS = 20000000,
    NS_PER_SECOND = 1000000000,
};

static int msr_file = -1;
static bool has_ports;
static sigjmp_buf recovery;
static volatile sig_atomic_t is_trying;
static volatile sig_atomic_t must_end;

static void on_fault(int signal_number)
{
    if (!is_trying)
        _exit(128 + signal_number);
    siglongjmp(recovery, signal_number == SIGILL ? VECTOR_UD : VECTOR_GP);
}

static void on_end(int signal_number)
{
    (void)signal_number;
    must_end = 1;
}

void program_init(void)
{
    cpu_set_t first;
    struct sigaction action = {.sa_handler = on_fault};
    struct sigaction end = {.sa_handler = on_end};

    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof(first), &first);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    msr_file = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);
    has_ports = iopl(ALL_PORTS) == 0;
}

bool env_is_cpl0(void)
{
    return false;
}

int env_try(void (*fn)(void *arg), void *arg)
{
    int vector = sigsetjmp(recovery, 1);
    if (vector == 0) {
        is_trying = 1;
        fn(arg);
    }
    is_trying = 0;
    return vector == 0 ? ENV_NO_FAULT : vector;
}

void env_cpuid(uint32_t leaf, uint32_t subleaf, struct env_cpuid *regs)
{
    cpu_cpuid(leaf, subleaf, regs);
}

enum env_answer env_rdmsr(uint32_t index, uint64_t *value)
{
    if (msr_file < 0)
        return ENV_CANNOT;
    return pread(msr_file, value, sizeof(*value), index) == sizeof(*value) ? ENV_DONE : ENV_FAULT;
}

enum env_answer env_wrmsr(uint32_t index, uint64_t value)
{
    (void)index;
    (void)value;
    return ENV_CANNOT;
}

static void do_in32(void *arg)
{
    cpu_in32(arg);
}

/* VMware itself lets every program at its port; elsewhere a fault without IOPL 3 says nothing. */
enum env_answer env_in32(struct env_regs *regs)
{
    if (env_try(do_in32, regs) == ENV_NO_FAULT)
        return ENV_DONE;
    return has_ports ? ENV_FAULT : ENV_CANNOT;
}

void *env_page(void)
{
    return NULL;
}

/* Of what is no RAM, or reserved, kernels show it to root. */
const void *env_map(uint64_t gpa, uint32_t bytes)
{
    int file = open("/dev/mem", O_RDONLY | O_CLOEXEC);
    void *map = MAP_FAILED;

    if (file >= 0) {
        map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, (off_t)gpa);
        close(file);
    }
    return map == MAP_FAILED ? NULL : map;
}

uint8_t env_vector(void)
{
    return 0;
}

bool env_interrupt_send(void)
{
    return false;
}

void env_interrupt_arm(void)
{
}

bool env_interrupt_wait(uint64_t timeout_ns)
{
    (void)timeout_ns;
    return false;
}

static uint64_t read_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC_RAW, &time);
    return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

uint64_t env_tsc_khz(const char **source)
{
    static uint64_t khz;

    *source = env_fact(ENV_FACT_CLOCKSOURCE);
    if (*source == NULL)
        *source = "the kernel";
    if (khz != 0)
        return khz;
    struct clock_reading begin = clock_read(read_clock);
    nanosleep(&(struct timespec){.tv_nsec = RATE_INTERVAL_NS}, NULL);
    struct clock_reading end = clock_read(read_clock);
    if (end.count > begin.count)
        khz = (end.tsc - begin.tsc) * 1000000 / (end.count - begin.count);
    return khz;
}

uint64_t env_apic_khz(void)
{
    return 0;
}

void env_kernel_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
}

bool env_rest(uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND)};
    while (!must_end && nanosleep(&time, &time) != 0 && errno == EINTR)
        continue;
    return !must_end;
}

void env_print(const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(STDOUT_FILENO, text, bytes);
        if (written <= 0)
            return;
        text += written;
        bytes -= (size_t)written;
    }
}
