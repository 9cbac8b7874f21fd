/*
 * The ring of a Xen guest's disk: requests to read, write and flush, by pages that the guest has granted
 * [XEN public/io/blkif.h, public/io/ring.h; protocols x86_64-abi and x86_32-abi].
 *
 * The guest may change the page at any time: a request is copied once, then checked. Left out: indirect requests,
 * barriers, discard, more than one page or queue, persistent grants.
 */
#include "xen_disk.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/io/blkif.h>

/* Offsets in the page, and in a request or an answer: 64-bit fields are aligned to 4 in the 32-bit layout. */
enum { REQ_PROD = 0, REQ_EVENT = 4, RSP_PROD = 8, RSP_EVENT = 12, RING_AT = 64, NR_ENTRIES = 32 };
enum { MAX_BYTES = BLKIF_MAX_SEGMENTS_PER_REQUEST * HVS_PAGE_BYTES };
struct layout {
    uint32_t entry_bytes, id, sector, segments;
    uint32_t answer_operation, answer_status;
};
static const struct layout layout64 = {112, 8, 16, 24, 8, 10}, layout32 = {108, 4, 12, 20, 8, 10};
HVS_STATIC_ASSERT(sizeof(struct blkif_request) == 112 && offsetof(struct blkif_request, seg) == 24, "x86_64-abi");
HVS_STATIC_ASSERT(offsetof(struct blkif_request, id) == 8 && offsetof(struct blkif_request, sector_number) == 16,
                  "x86_64-abi");
HVS_STATIC_ASSERT(offsetof(struct blkif_response, status) == 10, "x86_64-abi");
HVS_STATIC_ASSERT(RING_AT + NR_ENTRIES * 112 <= HVS_PAGE_BYTES && RING_AT + 2 * NR_ENTRIES * 108 > HVS_PAGE_BYTES,
                  "as many as fit, a power of two");

struct request {
    uint8_t operation, nr_segments;
    uint64_t id, sector;
    struct blkif_request_segment segment[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

/* --- the page --------------------------------------------------------------------------------------------------- */

static _Atomic uint32_t *word(const struct xen_ring *r, uint32_t at)
{
    return (_Atomic uint32_t *)(r->page + at);
}

static const struct layout *layout(const struct xen_ring *r)
{
    return r->has_32bit_layout ? &layout32 : &layout64;
}

static uint8_t *entry(const struct xen_ring *r, uint32_t number)
{
    return r->page + RING_AT + number % NR_ENTRIES * layout(r)->entry_bytes;
}

static struct request take_request(struct xen_ring *r)
{
    const struct layout *l = layout(r);
    uint8_t copy[sizeof(struct blkif_request)];
    struct request request;
    memcpy(copy, entry(r, r->consumed++), l->entry_bytes);
    request.operation = copy[0];
    request.nr_segments = copy[1];
    memcpy(&request.id, copy + l->id, sizeof(request.id));
    memcpy(&request.sector, copy + l->sector, sizeof(request.sector));
    memcpy(request.segment, copy + l->segments, sizeof(request.segment));
    return request;
}

/* The guest asks for no interrupt while it still looks at answers. */
static void put_answer(struct xen_ring *r, const struct request *request, int16_t status)
{
    const struct layout *l = layout(r);
    uint8_t *at = entry(r, r->produced);
    memcpy(at, &request->id, sizeof(request->id));
    at[l->answer_operation] = request->operation;
    memcpy(at + l->answer_status, &status, sizeof(status));
    atomic_store_explicit(word(r, RSP_PROD), ++r->produced, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(word(r, RSP_EVENT)) != r->produced)
        return;
    struct hvs_xen_channel channel = {.host_port = r->host_port};
    vmm_xen_ask(r->machine, HVS_XEN_CHANNEL_SEND, &channel);
}

/* --- requests --------------------------------------------------------------------------------------------------- */

/* The bytes of all segments; 0 where one of them is wrong. */
static size_t count_bytes(const struct request *request)
{
    size_t sectors = 0;
    for (uint32_t i = 0; i < request->nr_segments; i++) {
        const struct blkif_request_segment *s = &request->segment[i];
        if (s->first_sect > s->last_sect || s->last_sect >= HVS_PAGE_BYTES / XEN_SECTOR_BYTES)
            return 0;
        sectors += s->last_sect - s->first_sect + 1u;
    }
    return sectors * XEN_SECTOR_BYTES;
}

/* Between the guest's pages and `data`. */
static int copy_pages(struct xen_ring *r, const struct request *request, uint8_t *data, bool to_guest)
{
    for (uint32_t i = 0; i < request->nr_segments; i++) {
        const struct blkif_request_segment *s = &request->segment[i];
        struct hvs_xen_grant_copy copy = {
            .ref = s->gref,
            .offset = (uint16_t)(s->first_sect * XEN_SECTOR_BYTES),
            .bytes = (uint16_t)((s->last_sect - s->first_sect + 1) * XEN_SECTOR_BYTES),
            .to_guest = to_guest,
            .buffer = data,
        };
        if (vmm_xen_ask(r->machine, HVS_XEN_GRANT_COPY, &copy))
            return -1;
        data += copy.bytes;
    }
    return 0;
}

/* All of it, however the kernel cuts it. */
static int transfer(const struct xen_ring *r, uint8_t *data, size_t bytes, uint64_t at, bool is_write)
{
    while (bytes > 0) {
        ssize_t done = is_write ? pwrite(r->fd, data, bytes, (off_t)at) : pread(r->fd, data, bytes, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        data += done;
        bytes -= (size_t)done;
        at += (uint64_t)done;
    }
    return 0;
}

static int16_t read_or_write(struct xen_ring *r, const struct request *request, bool is_write)
{
    static _Thread_local uint8_t data[MAX_BYTES];
    if (request->nr_segments == 0 || request->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return BLKIF_RSP_ERROR;
    size_t bytes = count_bytes(request);
    uint64_t nr_sectors = bytes / XEN_SECTOR_BYTES, at = request->sector * XEN_SECTOR_BYTES;
    if (!bytes || request->sector > r->nr_sectors || nr_sectors > r->nr_sectors - request->sector ||
        (is_write && r->is_read_only))
        return BLKIF_RSP_ERROR;
    bool failed = is_write ? copy_pages(r, request, data, false) || transfer(r, data, bytes, at, true)
                           : transfer(r, data, bytes, at, false) || copy_pages(r, request, data, true);
    return failed ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
}

static int16_t do_request(struct xen_ring *r, const struct request *request)
{
    switch (request->operation) {
    case BLKIF_OP_READ:
    case BLKIF_OP_WRITE:
        return read_or_write(r, request, request->operation == BLKIF_OP_WRITE);
    case BLKIF_OP_FLUSH_DISKCACHE:
        if (request->nr_segments)
            return BLKIF_RSP_ERROR;
        return fdatasync(r->fd) ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
    default:
        return BLKIF_RSP_EOPNOTSUPP;
    }
}

/* Says whether there is a request; where none is, the guest tells of the next one. */
static bool has_request(struct xen_ring *r)
{
    if (atomic_load_explicit(word(r, REQ_PROD), memory_order_acquire) != r->consumed)
        return true;
    atomic_store(word(r, REQ_EVENT), r->consumed + 1);
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(word(r, REQ_PROD), memory_order_acquire) != r->consumed;
}

bool vmm_xen_ring_serve(struct xen_ring *r)
{
    if (!r->page || r->has_failed || !has_request(r))
        return false;
    if (atomic_load(word(r, REQ_PROD)) - r->consumed > NR_ENTRIES) {
        r->has_failed = true;
        return false;
    }
    struct request request = take_request(r);
    put_answer(r, &request, do_request(r, &request));
    return true;
}

/* --- connecting ------------------------------------------------------------------------------------------------- */

int vmm_xen_ring_connect(struct xen_ring *r, uint32_t ref, uint32_t guest_port)
{
    struct hvs_xen_grant_map map = {.ref = ref, .is_writable = true};
    struct hvs_xen_channel channel = {.guest_port = guest_port};
    struct hvs_xen_signal signal = {.signal = r->event_fd};
    int err = vmm_xen_ask(r->machine, HVS_XEN_GRANT_MAP, &map);
    if (err)
        return err;
    r->handle = map.handle;
    r->page = vmm_ram(r->machine, map.gpa, HVS_PAGE_BYTES);
    err = r->page ? vmm_xen_ask(r->machine, HVS_XEN_CHANNEL_ACCEPT, &channel) : HVS_EFAULT;
    if (err) {
        vmm_xen_ask(r->machine, HVS_XEN_GRANT_UNMAP, &map);
        r->page = NULL;
        return err;
    }
    r->host_port = channel.host_port;
    signal.host_port = channel.host_port;
    vmm_xen_ask(r->machine, HVS_XEN_CHANNEL_SIGNAL, &signal);   /* or each event is an exit */
    r->consumed = r->produced = atomic_load(word(r, RSP_PROD));
    r->has_failed = false;
    return HVS_OK;
}

void vmm_xen_ring_disconnect(struct xen_ring *r)
{
    struct hvs_xen_grant_map map = {.handle = r->handle};
    struct hvs_xen_channel channel = {.host_port = r->host_port};
    if (!r->page)
        return;
    r->page = NULL;
    vmm_xen_ask(r->machine, HVS_XEN_CHANNEL_CLOSE, &channel);
    vmm_xen_ask(r->machine, HVS_XEN_GRANT_UNMAP, &map);
}
