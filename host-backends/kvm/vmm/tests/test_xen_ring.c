/* The ring of a Xen guest's disk, with a library that is none: what it may be asked, and a guest that is hostile. */
#include "../xen_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/io/blkif.h>

enum {
    NR_PAGES = 16, NR_SECTORS = 100, RING_REF = 8, DATA_REF = 9, READ_ONLY_REF = 14, GUEST_PORT = 5, HOST_PORT = 3,
    EVENT_FD = 77,              /* nobody looks at it */
};

/* A guest's RAM, of which page n is granted by reference n: some to be read only, some not at all. */
static struct {
    _Alignas(4096) uint8_t page[NR_PAGES][4096];
    bool is_mapped, is_connected;
    int signal;
    uint32_t nr_events;
} guest;
static struct machine machine;
static struct xen_ring ring;

static int grant_copy(const struct hvs_xen_grant_copy *args)
{
    assert_true(args->offset + args->bytes <= 4096 && args->bytes > 0);
    if (args->ref < DATA_REF || args->ref > READ_ONLY_REF)
        return HVS_ENOENT;
    if (args->to_guest && args->ref == READ_ONLY_REF)
        return HVS_EINVAL;
    if (args->to_guest)
        memcpy(guest.page[args->ref] + args->offset, args->buffer, args->bytes);
    else
        memcpy(args->buffer, guest.page[args->ref] + args->offset, args->bytes);
    return HVS_OK;
}

static int grant_map(struct hvs_xen_grant_map *args)
{
    assert_true(args->is_writable && !guest.is_mapped);
    if (args->ref != RING_REF && args->ref != NR_PAGES)
        return HVS_EINVAL;
    guest.is_mapped = true;
    args->handle = 77;
    args->gpa = args->ref * 4096;
    return HVS_OK;
}

static int answer(uint32_t request, void *data)
{
    struct hvs_xen_channel *channel = data;
    switch (request) {
    case HVS_XEN_GRANT_MAP:
        return grant_map(data);
    case HVS_XEN_GRANT_UNMAP:
        assert_true(guest.is_mapped);
        assert_int_equal(((struct hvs_xen_grant_map *)data)->handle, 77);
        guest.is_mapped = false;
        return HVS_OK;
    case HVS_XEN_GRANT_COPY:
        return grant_copy(data);
    case HVS_XEN_CHANNEL_ACCEPT:
        channel->host_port = HOST_PORT;
        guest.is_connected = channel->guest_port == GUEST_PORT;
        return guest.is_connected ? HVS_OK : HVS_ENOENT;
    case HVS_XEN_CHANNEL_SIGNAL:
        assert_int_equal(((struct hvs_xen_signal *)data)->host_port, HOST_PORT);
        guest.signal = ((struct hvs_xen_signal *)data)->signal;
        return HVS_ENOTSUP;     /* then by on_event alone */
    case HVS_XEN_CHANNEL_CLOSE:
        assert_int_equal(channel->host_port, HOST_PORT);
        guest.is_connected = false;
        return HVS_OK;
    case HVS_XEN_CHANNEL_SEND:
        assert_true(guest.is_connected && channel->host_port == HOST_PORT);
        guest.nr_events++;
        return HVS_OK;
    default:
        fail();
        return HVS_ENOENT;
    }
}

int hvs_kvm_request(struct hvs_kvm *kvm, const struct hvs_personality *to, uint32_t request, void *data)
{
    (void)kvm;
    assert_ptr_equal(to, &hvs_xen_personality);
    return answer(request, data);
}

void *vmm_ram(const struct machine *m, uint64_t gpa, uint64_t bytes)
{
    assert_ptr_equal(m, &machine);
    return gpa + bytes <= sizeof(guest.page) ? (uint8_t *)guest.page + gpa : NULL;
}

/* --- the guest's side --------------------------------------------------------------------------------------------- */

static uint32_t *words(void)
{
    return (uint32_t *)guest.page[RING_REF];
}

/* The next request, in its layout; the guest tells of it. */
static void put(const struct blkif_request *request)
{
    uint8_t *at = guest.page[RING_REF] + 64 + words()[0] % 32 * (ring.has_32bit_layout ? 108 : 112);
    const uint8_t *from = (const uint8_t *)request;
    if (ring.has_32bit_layout) {
        memcpy(at, from, 4);
        memcpy(at + 4, from + 8, 104);
    } else {
        memcpy(at, from, 112);
    }
    words()[0]++;
}

static int16_t last_status(uint64_t id)
{
    const uint8_t *at =
        guest.page[RING_REF] + 64 + (words()[2] - 1) % 32 * (ring.has_32bit_layout ? 108 : 112);
    uint64_t got;
    int16_t status;
    memcpy(&got, at, 8);
    memcpy(&status, at + 10, 2);
    assert_int_equal(got, id);
    return status;
}

static int16_t ask(const struct blkif_request *request)
{
    put(request);
    assert_true(vmm_xen_ring_serve(&ring));
    assert_int_equal(words()[2], words()[0]);
    return last_status(request->id);
}

static int start(void **state)
{
    FILE *image = tmpfile();
    assert_non_null(image);
    memset(&guest, 0, sizeof(guest));
    ring = (struct xen_ring){
        .machine = &machine, .event_fd = EVENT_FD, .fd = dup(fileno(image)), .nr_sectors = NR_SECTORS};
    fclose(image);
    for (uint32_t i = 0; i < NR_SECTORS; i++) {
        uint8_t sector[512];
        memset(sector, (int)i, sizeof(sector));
        assert_int_equal(pwrite(ring.fd, sector, sizeof(sector), i * 512), sizeof(sector));
    }
    *state = NULL;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    vmm_xen_ring_disconnect(&ring);
    assert_false(guest.is_mapped || guest.is_connected);
    close(ring.fd);
    return 0;
}

static void connect(bool has_32bit_layout)
{
    ring.has_32bit_layout = has_32bit_layout;
    assert_int_equal(vmm_xen_ring_connect(&ring, RING_REF, GUEST_PORT), HVS_OK);
    assert_int_equal(guest.signal, EVENT_FD);
    words()[1] = words()[3] = 1;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void test_reads_and_writes(void **state)
{
    (void)state;
    for (uint32_t narrow = 0; narrow < 2; narrow++) {
        struct blkif_request request = {
            .operation = BLKIF_OP_READ, .nr_segments = 2, .id = 0x1122334455667788, .sector_number = 10,
            .seg = {{DATA_REF, 2, 3}, {DATA_REF + 1, 0, 7}}};
        uint8_t sector[512];
        connect(narrow);
        memset(guest.page[DATA_REF], 0xee, 4096);
        assert_int_equal(ask(&request), BLKIF_RSP_OKAY);
        assert_int_equal(guest.page[DATA_REF][1023], 0xee);
        assert_int_equal(guest.page[DATA_REF][1024], 10);
        assert_int_equal(guest.page[DATA_REF][2047], 11);
        assert_int_equal(guest.page[DATA_REF][2048], 0xee);
        assert_int_equal(guest.page[DATA_REF + 1][0], 12);
        assert_int_equal(guest.page[DATA_REF + 1][4095], 19);
        request.operation = BLKIF_OP_WRITE;
        request.sector_number = 90;
        assert_int_equal(ask(&request), BLKIF_RSP_OKAY);
        assert_int_equal(pread(ring.fd, sector, sizeof(sector), 99 * 512), sizeof(sector));
        assert_int_equal(sector[511], 19);
        request = (struct blkif_request){.operation = BLKIF_OP_FLUSH_DISKCACHE, .id = 7};
        assert_int_equal(ask(&request), BLKIF_RSP_OKAY);
        vmm_xen_ring_disconnect(&ring);
        memset(guest.page[RING_REF], 0, 4096);
    }
}

static void test_refused(void **state)
{
    enum { READ = BLKIF_OP_READ, WRITE = BLKIF_OP_WRITE };
    static const struct {
        uint8_t operation, nr_segments;
        uint64_t sector;
        struct blkif_request_segment segment;
        int16_t status;
    } t[] = {
        {READ, 1, 0, {DATA_REF, 0, 7}, BLKIF_RSP_OKAY},
        {READ, 0, 0, {DATA_REF, 0, 7}, BLKIF_RSP_ERROR},
        {READ, 12, 0, {DATA_REF, 0, 7}, BLKIF_RSP_ERROR},
        {READ, 255, 0, {DATA_REF, 0, 7}, BLKIF_RSP_ERROR},
        {READ, 1, 0, {DATA_REF, 1, 0}, BLKIF_RSP_ERROR},
        {READ, 1, 0, {DATA_REF, 0, 8}, BLKIF_RSP_ERROR},
        {READ, 1, 0, {DATA_REF, 8, 255}, BLKIF_RSP_ERROR},
        {READ, 1, 99, {DATA_REF, 0, 0}, BLKIF_RSP_OKAY},
        {READ, 1, 99, {DATA_REF, 0, 1}, BLKIF_RSP_ERROR},
        {READ, 1, 100, {DATA_REF, 0, 0}, BLKIF_RSP_ERROR},
        {READ, 1, UINT64_MAX, {DATA_REF, 0, 7}, BLKIF_RSP_ERROR},
        {WRITE, 1, UINT64_MAX / 512 + 1, {DATA_REF, 0, 0}, BLKIF_RSP_ERROR},
        {READ, 1, 0, {READ_ONLY_REF, 0, 7}, BLKIF_RSP_ERROR},
        {WRITE, 1, 0, {READ_ONLY_REF, 0, 7}, BLKIF_RSP_OKAY},
        {READ, 1, 0, {UINT32_MAX, 0, 7}, BLKIF_RSP_ERROR},
        {BLKIF_OP_WRITE_BARRIER, 1, 0, {DATA_REF, 0, 7}, BLKIF_RSP_EOPNOTSUPP},
        {BLKIF_OP_FLUSH_DISKCACHE, 1, 0, {DATA_REF, 0, 7}, BLKIF_RSP_ERROR},
        {BLKIF_OP_DISCARD, 0, 0, {0}, BLKIF_RSP_EOPNOTSUPP},
        {BLKIF_OP_INDIRECT, 1, 0, {DATA_REF, 0, 7}, BLKIF_RSP_EOPNOTSUPP},
        {255, 255, 0, {DATA_REF, 0, 7}, BLKIF_RSP_EOPNOTSUPP},
    };
    (void)state;
    connect(false);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct blkif_request request = {.operation = t[i].operation, .nr_segments = t[i].nr_segments, .id = i,
                                        .sector_number = t[i].sector, .seg = {t[i].segment}};
        assert_int_equal(ask(&request), t[i].status);
    }
    struct blkif_request backwards = {
        .operation = READ, .nr_segments = 2, .seg = {{DATA_REF, 3, 0}, {DATA_REF, 0, 7}}};
    assert_int_equal(ask(&backwards), BLKIF_RSP_ERROR);
    ring.is_read_only = true;
    struct blkif_request write = {.operation = WRITE, .nr_segments = 1, .seg = {{DATA_REF, 0, 0}}};
    assert_int_equal(ask(&write), BLKIF_RSP_ERROR);
}

/* Around the ring, in both directions, with an event only where the guest wants one. */
static void test_ring_and_events(void **state)
{
    struct blkif_request request = {.operation = BLKIF_OP_READ, .nr_segments = 1, .seg = {{DATA_REF, 0, 0}}};
    (void)state;
    words()[0] = words()[2] = UINT32_MAX - 40;          /* where another backend has left it */
    connect(false);
    words()[3] = words()[2] + 1;
    for (uint32_t i = 0; i < 100; i++) {
        request.id = i;
        request.sector_number = i;
        assert_int_equal(ask(&request), BLKIF_RSP_OKAY);
        assert_int_equal(guest.page[DATA_REF][0], i);
        assert_int_equal(guest.nr_events, 1);           /* it has not looked at answers since */
    }
    assert_false(vmm_xen_ring_serve(&ring));
    assert_int_equal(words()[1], words()[0] + 1);       /* wants to be told */
    words()[3] = words()[2] + 32;
    for (uint32_t i = 0; i < 32; i++)
        put(&request);
    for (uint32_t i = 0; i < 32; i++) {
        assert_int_equal(guest.nr_events, 1);
        assert_true(vmm_xen_ring_serve(&ring));
    }
    assert_int_equal(guest.nr_events, 2);
}

static void test_more_requests_than_fit(void **state)
{
    (void)state;
    connect(false);
    words()[0] = 33;
    assert_false(vmm_xen_ring_serve(&ring));
    assert_true(ring.has_failed);
    words()[0] = 1;
    assert_false(vmm_xen_ring_serve(&ring));            /* for good */
    assert_int_equal(words()[2], 0);
}

static void test_bad_connections(void **state)
{
    (void)state;
    assert_int_equal(vmm_xen_ring_connect(&ring, 3, GUEST_PORT), HVS_EINVAL);
    assert_int_equal(vmm_xen_ring_connect(&ring, NR_PAGES, GUEST_PORT), HVS_EFAULT);
    assert_int_equal(vmm_xen_ring_connect(&ring, RING_REF, GUEST_PORT + 1), HVS_ENOENT);
    assert_false(guest.is_mapped);
    assert_null(ring.page);
    assert_false(vmm_xen_ring_serve(&ring));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reads_and_writes),
        TEST(test_refused),
        TEST(test_ring_and_events),
        TEST(test_more_requests_than_fit),
        TEST(test_bad_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
