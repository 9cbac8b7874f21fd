/*
 * Inside the disks of Xen guests: what negotiates (xen_disk.c), and what serves the ring (xen_ring.c).
 *
 * All of it belongs to one thread, but for `is_*_news`, which callbacks of the library set.
 */
#ifndef HVSHIM_VMM_XEN_DISK_H
#define HVSHIM_VMM_XEN_DISK_H

#include "machine.h"

enum { XEN_SECTOR_BYTES = 512 };

/* The requests that the guest makes, and where it reads our answers. */
struct xen_ring {
    struct machine *machine;
    int fd;                             /* of the image */
    int event_fd;                       /* eventfd for the guest's events; on_event is to signal it too */
    bool is_read_only;
    bool has_32bit_layout;
    uint64_t nr_sectors;
    uint8_t *page;                      /* guest RAM, which it may change at any time; NULL: not connected */
    uint32_t handle;                    /* of the grant of that page */
    uint32_t host_port;
    uint32_t consumed, produced;        /* requests, and answers */
    bool has_failed;                    /* the guest has broken the protocol */
};

/* Connects it to what the guest has granted and prepared. HVS_OK, or why not. */
int vmm_xen_ring_connect(struct xen_ring *ring, uint32_t ref, uint32_t guest_port);
void vmm_xen_ring_disconnect(struct xen_ring *ring);
/* Does one request. Returns false where there is none, and the guest is going to tell when there is. */
bool vmm_xen_ring_serve(struct xen_ring *ring);

#endif
