/*
 * The table of descriptors: by number, in pages that are made when they are needed. Looking up takes no lock, because
 * KVM_RUN does it.
 *
 * A VM lives as long as one of its descriptors, or of its vCPUs', as in the kernel.
 */
#include "dropin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { PAGE_FDS = 1024, NR_PAGES = 4096 };      /* 4 Mi: the kernel's limit is 1 Mi by default */

typedef _Atomic(struct hvs_dropin_file *) entry;
static _Atomic(entry *) page_table[NR_PAGES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static entry *find(int fd)
{
    entry *page = (unsigned)fd < PAGE_FDS * NR_PAGES ? atomic_load_explicit(&page_table[fd / PAGE_FDS],
                                                                          memory_order_acquire) : NULL;

    return page ? &page[fd % PAGE_FDS] : NULL;
}

struct hvs_dropin_file *hvs_dropin_file_find(int fd)
{
    entry *at = find(fd);

    return at ? atomic_load_explicit(at, memory_order_acquire) : NULL;
}

/* Lock held. */
static entry *make(int fd)
{
    entry *page;

    if ((unsigned)fd >= PAGE_FDS * NR_PAGES) {
        errno = EMFILE;
        return NULL;
    }
    if (!find(fd)) {
        page = calloc(PAGE_FDS, sizeof(*page));
        if (!page)
            return NULL;
        atomic_store_explicit(&page_table[fd / PAGE_FDS], page, memory_order_release);
    }
    return find(fd);
}

static void count(struct hvs_dropin_file *file, int change)
{
    file->vm->nr_fds += (uint32_t)change;
    if (file->vcpu)
        file->vcpu->nr_fds += (uint32_t)change;
}

int hvs_dropin_file_add(int fd, struct hvs_dropin_file *file)
{
    entry *at;

    pthread_mutex_lock(&lock);
    at = make(fd);
    if (at) {
        atomic_store_explicit(at, file, memory_order_release);
        count(file, 1);
    }
    pthread_mutex_unlock(&lock);
    return at ? 0 : -1;
}

struct hvs_dropin_file *hvs_dropin_file_remove(int fd)
{
    struct hvs_dropin_file *file = NULL;
    entry *at;

    pthread_mutex_lock(&lock);
    at = find(fd);
    if (at)
        file = atomic_exchange(at, NULL);
    if (file)
        count(file, -1);
    pthread_mutex_unlock(&lock);
    return file;
}

void hvs_dropin_file_each_vm(void (*each)(struct hvs_dropin_vm *vm))
{
    for (int fd = 0; fd < PAGE_FDS * NR_PAGES; fd += atomic_load(&page_table[fd / PAGE_FDS]) ? 1 : PAGE_FDS) {
        struct hvs_dropin_file *file = hvs_dropin_file_find(fd);

        if (file)
            each(file->vm);
    }
}

int hvs_dropin_file_keep(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}
