/*
 * RAM where the machine has none, for pages of Xen's interface: a Linux that was started by PVH, so that it has no
 * platform device, lays its grant table where it believes that nothing is.
 *
 * It comes a MiB at a time, as RAM itself does, so that the two never overlap. The library asks under its locks; the
 * vCPU's thread then adds it, before the guest asks again.
 */
#include "machine.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#define PIECE_BYTES (1ull << 20)

/* The piece that this thread is to add; 0: none, because the first MiB is RAM always. */
static _Thread_local uint64_t wanted_gpa;

/* Not where RAM, devices or nothing can be. Lock held. */
static bool may_add(const struct machine *m, uint64_t gpa)
{
    bool is_low = gpa >= m->low_bytes && gpa + PIECE_BYTES <= VMM_HOLE_GPA;
    bool is_high = gpa >= VMM_HIGH_GPA + m->high_bytes && gpa + PIECE_BYTES <= 1ull << vmm_cpuid_phys_bits(m);
    if (m->xen_back.nr == VMM_XEN_BACK_MAX || m->xen_back.has_failed)
        return false;
    for (uint32_t i = 0; i < m->xen_back.nr; i++)
        if (m->xen_back.piece[i].gpa == gpa)
            return false;       /* it is there, and still the page was not found */
    return is_low || is_high;
}

static bool back(void *ctx, uint64_t gfn)
{
    struct machine *m = ctx;
    uint64_t gpa = gfn << HVS_PAGE_SHIFT & ~(PIECE_BYTES - 1);
    if (gfn >= 1ull << (64 - HVS_PAGE_SHIFT))
        return false;
    pthread_mutex_lock(&m->xen_back.lock);
    bool is_granted = may_add(m, gpa);
    pthread_mutex_unlock(&m->xen_back.lock);
    if (is_granted)
        wanted_gpa = gpa;
    return is_granted;
}

void vmm_xen_back_options(struct machine *m, struct hvs_xen_options *options)
{
    options->back = back;
    options->ctx = m;
}

/* Lock held. */
static void add(struct machine *m, uint64_t gpa)
{
    struct xen_back *b = &m->xen_back;
    if (!may_add(m, gpa))       /* another vCPU was first */
        return;
    void *host = mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (host == MAP_FAILED) {
        b->has_failed = true;
        return;
    }
    b->piece[b->nr].host = host;
    b->piece[b->nr].gpa = gpa;
    b->has_failed = vmm_add_region(m, VMM_XEN_BACK_SLOT + b->nr++, gpa, host, PIECE_BYTES) != 0;
}

void vmm_xen_back_serve(struct machine *m)
{
    if (!wanted_gpa)
        return;
    pthread_mutex_lock(&m->xen_back.lock);
    add(m, wanted_gpa);
    pthread_mutex_unlock(&m->xen_back.lock);
    wanted_gpa = 0;
}

void vmm_xen_back_destroy(struct machine *m)
{
    for (uint32_t i = 0; i < m->xen_back.nr; i++)
        munmap(m->xen_back.piece[i].host, PIECE_BYTES);
    pthread_mutex_destroy(&m->xen_back.lock);
}
