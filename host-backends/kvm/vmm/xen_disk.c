/*
 * Disks of Xen guests, --xen-disk: what a toolstack and a block backend in domain 0 do in xenstore, so that a guest's
 * own driver finds a disk and connects to it [XEN public/io/blkif.h, public/io/xenbus.h; xenstore-paths.pandoc].
 *
 * One thread serves all disks. The library's callbacks, under its locks, only tell it that there is something to look
 * at. Left out: disks that come and go while the guest runs, CD-ROMs, and what xen_ring.c leaves out.
 */
#include "xen_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>

enum { FIRST_NUMBER = 202 << 8, NUMBER_STEP = 16, GUEST_DOMID = 1, MAX_PATH = 96, MAX_VALUE = 64 };

struct disk {
    uint32_t number;                    /* of the virtual device: major and minor number, as Linux would have them */
    uint32_t state;                     /* enum xenbus_state: ours */
    struct xen_ring ring;
};

struct xen_disks {
    struct machine *machine;
    pthread_t thread;
    bool has_thread;
    int wake_fd;
    atomic_bool is_ending;
    atomic_bool has_store_news;         /* the guest has written about a disk */
    pthread_mutex_t lock;               /* held while the thread works */
    uint32_t nr;
    struct disk disk[VMM_MAX_XEN_DISKS];
};

/* --- xenstore --------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int write_node(const struct disk *d, const char *node, const char *format,
                                                            ...)
{
    char path[MAX_PATH], value[MAX_VALUE];
    va_list list;
    va_start(list, format);
    vsnprintf(value, sizeof(value), format, list);
    va_end(list);
    snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%d/%u/%s", GUEST_DOMID, d->number, node);
    struct hvs_xen_store args = {
        .path = {path, (uint32_t)strlen(path)}, .value = {value, (uint32_t)strlen(value)}};
    return vmm_xen_ask(d->ring.machine, HVS_XEN_STORE_WRITE, &args);
}

/* Of the guest's half; its name is `device/vbd/NUMBER`. */
static int write_guest_node(const struct disk *d, const char *node, const char *value)
{
    char path[MAX_PATH];
    snprintf(path, sizeof(path), "/local/domain/%d/device/vbd/%u/%s", GUEST_DOMID, d->number, node);
    struct hvs_xen_store args = {
        .path = {path, (uint32_t)strlen(path)}, .value = {value, (uint32_t)strlen(value)}};
    return vmm_xen_ask(d->ring.machine, HVS_XEN_STORE_WRITE, &args);
}

/* The text of what the guest has written, which is empty where it has not. */
static void read_guest_node(const struct disk *d, const char *node, char value[MAX_VALUE])
{
    char path[MAX_PATH];
    snprintf(path, sizeof(path), "/local/domain/%d/device/vbd/%u/%s", GUEST_DOMID, d->number, node);
    struct hvs_xen_store args = {
        .path = {path, (uint32_t)strlen(path)}, .buffer = value, .buffer_bytes = MAX_VALUE - 1};
    uint32_t bytes = vmm_xen_ask(d->ring.machine, HVS_XEN_STORE_READ, &args) ? 0 : args.value.bytes;
    value[bytes] = '\0';
}

/* All digits of a number of 32 bits, or false. */
static bool read_guest_number(const struct disk *d, const char *node, uint32_t *number)
{
    char value[MAX_VALUE], *end;
    read_guest_node(d, node, value);
    errno = 0;
    unsigned long parsed = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || parsed > UINT32_MAX)
        return false;
    *number = (uint32_t)parsed;
    return true;
}

static void set_perms(const struct disk *d, const char *format, const char *perms, uint32_t bytes)
{
    char path[MAX_PATH];
    snprintf(path, sizeof(path), format, GUEST_DOMID, d->number);
    struct hvs_xen_store args = {.path = {path, (uint32_t)strlen(path)}, .value = {perms, bytes}};
    vmm_xen_ask(d->ring.machine, HVS_XEN_STORE_SET_PERMS, &args);
}

/* --- negotiation ------------------------------------------------------------------------------------------------ */

static void enter(struct disk *d, enum xenbus_state state)
{
    d->state = state;
    write_node(d, "state", "%d", state);
}

/* Both halves, as a toolstack makes them; then what we can do. The library has a store, or says so. */
static int offer(struct disk *d)
{
    static const char of_guest[] = "n1\0r0", of_host[] = "n0\0r1";
    char backend[MAX_PATH], number[16];
    snprintf(backend, sizeof(backend), "/local/domain/0/backend/vbd/%d/%u", GUEST_DOMID, d->number);
    snprintf(number, sizeof(number), "%u", d->number);
    int err = write_node(d, "state", "%d", XenbusStateInitialising);
    if (err)
        return err;
    set_perms(d, "/local/domain/0/backend/vbd/%d/%u", of_host, sizeof(of_host));
    write_guest_node(d, "state", "1");
    set_perms(d, "/local/domain/%d/device/vbd/%u", of_guest, sizeof(of_guest));
    set_perms(d, "/local/domain/%d/device/vbd/%u/state", of_guest, sizeof(of_guest));
    write_guest_node(d, "backend", backend);
    write_guest_node(d, "backend-id", "0");
    write_guest_node(d, "virtual-device", number);
    write_guest_node(d, "device-type", "disk");
    write_node(d, "frontend", "/local/domain/%d/device/vbd/%u", GUEST_DOMID, d->number);
    write_node(d, "frontend-id", "%d", GUEST_DOMID);
    write_node(d, "online", "1");
    write_node(d, "removable", "0");
    write_node(d, "bootable", "1");
    write_node(d, "dev", "xvd%c", 'a' + (char)((d->number - FIRST_NUMBER) / NUMBER_STEP));
    write_node(d, "type", "phy");
    write_node(d, "mode", d->ring.is_read_only ? "r" : "w");
    write_node(d, "device-type", "disk");
    write_node(d, "feature-flush-cache", "1");
    write_node(d, "feature-barrier", "0");
    write_node(d, "feature-persistent", "0");
    write_node(d, "feature-discard", "0");
    write_node(d, "max-ring-page-order", "0");
    enter(d, XenbusStateInitWait);
    return HVS_OK;
}

static void refuse(struct disk *d, const char *why)
{
    vmm_fail("the guest's disk xvd%c is closed: %s", 'a' + (char)((d->number - FIRST_NUMBER) / NUMBER_STEP), why);
    vmm_xen_ring_disconnect(&d->ring);
    enter(d, XenbusStateClosing);
}

static void connect_ring(struct disk *d)
{
    char protocol[MAX_VALUE];
    uint32_t ref, port;
    read_guest_node(d, "protocol", protocol);
    d->ring.has_32bit_layout = !strcmp(protocol, XEN_IO_PROTO_ABI_X86_32);
    if (protocol[0] && !d->ring.has_32bit_layout && strcmp(protocol, XEN_IO_PROTO_ABI_X86_64))
        return refuse(d, "it wants a protocol that is not known");
    if (!read_guest_number(d, "ring-ref", &ref) || !read_guest_number(d, "event-channel", &port))
        return refuse(d, "it does not say where its ring is");
    if (vmm_xen_ring_connect(&d->ring, ref, port))
        return refuse(d, "what it says of its ring is not so");
    write_node(d, "sectors", "%" PRIu64, d->ring.nr_sectors);
    write_node(d, "sector-size", "%d", XEN_SECTOR_BYTES);
    write_node(d, "physical-sector-size", "%d", XEN_SECTOR_BYTES);
    write_node(d, "info", "%d", d->ring.is_read_only ? VDISK_READONLY : 0);
    enter(d, XenbusStateConnected);
}

static void follow(struct disk *d)
{
    uint32_t state;
    if (!read_guest_number(d, "state", &state))
        return;
    switch (state) {
    case XenbusStateInitialising:
        if (d->state == XenbusStateClosed)
            enter(d, XenbusStateInitWait);
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        if (d->state == XenbusStateInitWait)
            connect_ring(d);
        break;
    case XenbusStateClosing:
        if (d->state != XenbusStateClosing)
            enter(d, XenbusStateClosing);
        break;
    case XenbusStateClosed:
        vmm_xen_ring_disconnect(&d->ring);
        if (d->state != XenbusStateClosed)
            enter(d, XenbusStateClosed);
        break;
    default:
        break;
    }
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

static void wake(struct xen_disks *disks)
{
    uint64_t one = 1;
    ssize_t written = write(disks->wake_fd, &one, sizeof(one));         /* fails only where it is awake already */
    (void)written;
}

/* Until there is nothing left to do. A disk that is busy does not keep the others waiting. Lock held. */
static void work(struct xen_disks *disks)
{
    bool is_busy = true;
    if (atomic_exchange(&disks->has_store_news, false))
        for (uint32_t i = 0; i < disks->nr; i++)
            follow(&disks->disk[i]);
    while (is_busy && !atomic_load(&disks->is_ending) && !atomic_load(&disks->has_store_news)) {
        is_busy = false;
        for (uint32_t i = 0; i < disks->nr; i++) {
            struct disk *d = &disks->disk[i];
            is_busy |= vmm_xen_ring_serve(&d->ring);
            if (d->ring.page && d->ring.has_failed)
                refuse(d, "its ring is not one");
        }
    }
}

static void *run(void *argument)
{
    struct xen_disks *disks = argument;
    struct pollfd events = {.fd = disks->wake_fd, .events = POLLIN};
    while (!atomic_load(&disks->is_ending)) {
        uint64_t count;
        if (!atomic_load(&disks->has_store_news) && poll(&events, 1, -1) == 1) {
            ssize_t got = read(disks->wake_fd, &count, sizeof(count));
            (void)got;
        }
        pthread_mutex_lock(&disks->lock);
        work(disks);
        pthread_mutex_unlock(&disks->lock);
    }
    return NULL;
}

/* --- callbacks: any vCPU's thread, under the library's locks ----------------------------------------------------- */

static void on_event(void *ctx, uint32_t host_port)
{
    struct machine *m = ctx;
    (void)host_port;            /* one that is not ours yet may be just being connected */
    if (m->xen_disks)
        wake(m->xen_disks);
}

static void on_store(void *ctx, struct hvs_text path)
{
    static const char ours[] = "/device/vbd";
    struct machine *m = ctx;
    if (!m->xen_disks || !memmem(path.text, path.bytes, ours, sizeof(ours) - 1))
        return;
    atomic_store(&m->xen_disks->has_store_news, true);
    wake(m->xen_disks);
}

void vmm_xen_disk_options(struct machine *m, struct hvs_xen_options *options)
{
    options->on_event = on_event;
    options->on_store = on_store;
    options->ctx = m;
}

/* --- making ----------------------------------------------------------------------------------------------------- */

/* FILE, or FILE,ro. */
static int open_image(struct disk *d, const char *option)
{
    const char *comma = strrchr(option, ',');
    d->ring.is_read_only = comma && !strcmp(comma, ",ro");
    size_t bytes = d->ring.is_read_only ? (size_t)(comma - option) : strlen(option);
    char *path = strndup(option, bytes);
    if (!path)
        return vmm_fail("no memory for the disks");
    d->ring.fd = open(path, (d->ring.is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    off_t end = d->ring.fd < 0 ? -1 : lseek(d->ring.fd, 0, SEEK_END);
    int result = end < 0 ? vmm_fail("--xen-disk %s: %s", path, strerror(errno)) : 0;
    if (!result && end < XEN_SECTOR_BYTES)
        result = vmm_fail("--xen-disk %s: it is smaller than a sector", path);
    d->ring.nr_sectors = end < 0 ? 0 : (uint64_t)end / XEN_SECTOR_BYTES;
    free(path);
    return result;
}

int vmm_xen_disk_create(struct machine *m)
{
    if (!m->options->nr_xen_disks)
        return 0;
    struct xen_disks *disks = calloc(1, sizeof(*disks));
    if (!disks)
        return vmm_fail("no memory for the disks");
    m->xen_disks = disks;
    disks->machine = m;
    disks->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&disks->lock, NULL);
    if (disks->wake_fd < 0)
        return vmm_fail("eventfd: %s", strerror(errno));
    for (size_t i = 0; i < m->options->nr_xen_disks; i++) {
        struct disk *d = &disks->disk[disks->nr++];
        d->number = FIRST_NUMBER + (uint32_t)i * NUMBER_STEP;
        d->ring.machine = m;
        d->ring.event_fd = disks->wake_fd;
        if (open_image(d, m->options->xen_disk[i]))
            return -1;
    }
    return 0;
}

static int offer_all(struct xen_disks *disks)
{
    for (uint32_t i = 0; i < disks->nr; i++)
        if (offer(&disks->disk[i]))
            return vmm_fail("--xen-disk: the guest has no xenstore, or it is full");
    return 0;
}

int vmm_xen_disk_start(struct machine *m)
{
    if (!m->xen_disks)
        return 0;
    if (offer_all(m->xen_disks))
        return -1;
    int err = pthread_create(&m->xen_disks->thread, NULL, run, m->xen_disks);
    if (err)
        return vmm_fail("cannot start the thread of the disks: %s", strerror(err));
    m->xen_disks->has_thread = true;
    return 0;
}

void vmm_xen_disk_forget(struct machine *m)
{
    struct xen_disks *disks = m->xen_disks;
    if (!disks)
        return;
    pthread_mutex_lock(&disks->lock);
    for (uint32_t i = 0; i < disks->nr; i++)
        vmm_xen_ring_disconnect(&disks->disk[i].ring);
    pthread_mutex_unlock(&disks->lock);
}

void vmm_xen_disk_offer_again(struct machine *m)
{
    if (!m->xen_disks)
        return;
    pthread_mutex_lock(&m->xen_disks->lock);
    offer_all(m->xen_disks);
    pthread_mutex_unlock(&m->xen_disks->lock);
}

void vmm_xen_disk_stop(struct machine *m)
{
    if (!m->xen_disks || !m->xen_disks->has_thread)
        return;
    atomic_store(&m->xen_disks->is_ending, true);
    wake(m->xen_disks);
    pthread_join(m->xen_disks->thread, NULL);
    m->xen_disks->has_thread = false;
}

void vmm_xen_disk_destroy(struct machine *m)
{
    struct xen_disks *disks = m->xen_disks;
    if (!disks)
        return;
    for (uint32_t i = 0; i < disks->nr; i++)
        if (disks->disk[i].ring.fd >= 0)
            close(disks->disk[i].ring.fd);
    if (disks->wake_fd >= 0)
        close(disks->wake_fd);
    pthread_mutex_destroy(&disks->lock);
    free(disks);
}
