/*
 * guest-load - keep all CPUs of a guest busy, and see that memory and time stay right meanwhile.
 *
 * usage: guest-load SECONDS
 *
 * One thread maps page after page at the same address and says so once mmap(2) has returned: from then on no CPU may
 * see an older page there. A reader on each CPU looks: an older one is a TLB flush that was lost. The readers also
 * compare their clocks, map and unmap memory of their own, and sleep a little (timers). The last line counts; status 1
 * when anything was wrong.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { NR_PAGES = 64, PAGE_BYTES = 4096, CHURN_BYTES = 64 * PAGE_BYTES, MAX_CPUS = 64 };

static int store_fd;
static uint8_t *store;                  /* all pages of the store, where only the writer looks */
static uint8_t *window;                 /* one page of them */
static _Atomic uint64_t published;      /* the number that the window holds, or a later one */
static _Atomic uint64_t last_ns;        /* the latest clock reading of any CPU */
static atomic_bool has_ended;

struct reader {
    pthread_t thread;
    int cpu;
    uint64_t nr_reads, nr_stale, nr_backwards, nr_corrupt, nr_sleeps;
};

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void map_window(uint64_t number)
{
    off_t at = (off_t)(number % NR_PAGES) * PAGE_BYTES;

    memcpy(store + at, &number, sizeof(number));
    if (mmap(window, PAGE_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, store_fd, at) == MAP_FAILED)
        die("mmap");
    atomic_store(&published, number);
}

static void look_at_window(struct reader *self)
{
    uint64_t at_least = atomic_load(&published);

    self->nr_stale += *(volatile uint64_t *)(void *)window < at_least;
    self->nr_reads++;
}

static void look_at_clock(struct reader *self)
{
    uint64_t before = atomic_load(&last_ns), now = now_ns();

    self->nr_backwards += now < before;
    while (now > before && !atomic_compare_exchange_weak(&last_ns, &before, now))
        ;
}

static void churn(struct reader *self)
{
    uint8_t *memory = mmap(NULL, CHURN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        die("mmap");
    memset(memory, self->cpu + 1, CHURN_BYTES);
    for (size_t i = 0; i < CHURN_BYTES; i += PAGE_BYTES)
        self->nr_corrupt += memory[i] != self->cpu + 1;
    munmap(memory, CHURN_BYTES);
}

static void *read_on(void *arg)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    struct reader *self = arg;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(self->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    for (uint32_t round = 1; !atomic_load(&has_ended); round++) {
        look_at_window(self);
        if (round % 16 == 0)
            look_at_clock(self);
        if (round % 1024 == 0)
            churn(self);
        if (round % 65536 == 0) {
            nanosleep(&nap, NULL);
            self->nr_sleeps++;
        }
    }
    return NULL;
}

static void prepare(void)
{
    store_fd = memfd_create("store", 0);
    if (store_fd < 0 || ftruncate(store_fd, NR_PAGES * PAGE_BYTES) < 0)
        die("memfd");
    store = mmap(NULL, NR_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, store_fd, 0);
    window = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, store_fd, 0);
    if (store == MAP_FAILED || window == MAP_FAILED)
        die("mmap");
    map_window(1);
}

int main(int argc, char **argv)
{
    long seconds = argc == 2 ? strtol(argv[1], NULL, 10) : 0, nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct reader reader[MAX_CPUS] = {0}, sum = {0};
    uint64_t number = 1, end_ns;

    if (seconds <= 0) {
        fprintf(stderr, "usage: guest-load SECONDS\n");
        return 2;
    }
    if (nr_cpus > MAX_CPUS)
        nr_cpus = MAX_CPUS;
    prepare();
    end_ns = now_ns() + (uint64_t)seconds * 1000000000u;
    for (int cpu = 0; cpu < nr_cpus; cpu++) {
        reader[cpu].cpu = cpu;
        if (pthread_create(&reader[cpu].thread, NULL, read_on, &reader[cpu]))
            die("pthread_create");
    }
    while (now_ns() < end_ns)
        map_window(++number);
    atomic_store(&has_ended, true);
    for (int cpu = 0; cpu < nr_cpus; cpu++) {
        pthread_join(reader[cpu].thread, NULL);
        sum.nr_reads += reader[cpu].nr_reads;
        sum.nr_stale += reader[cpu].nr_stale;
        sum.nr_backwards += reader[cpu].nr_backwards;
        sum.nr_corrupt += reader[cpu].nr_corrupt;
        sum.nr_sleeps += reader[cpu].nr_sleeps;
    }
    printf("load: %ld CPUs, %ld s: %llu pages mapped, %llu reads, %llu sleeps; "
           "stale %llu, clock backwards %llu, corrupt %llu\n", nr_cpus, seconds, (unsigned long long)number,
           (unsigned long long)sum.nr_reads, (unsigned long long)sum.nr_sleeps, (unsigned long long)sum.nr_stale,
           (unsigned long long)sum.nr_backwards, (unsigned long long)sum.nr_corrupt);
    return sum.nr_stale || sum.nr_backwards || sum.nr_corrupt || sum.nr_reads == 0;
}
