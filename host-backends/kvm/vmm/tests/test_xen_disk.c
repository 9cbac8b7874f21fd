/* How a Xen guest and its disk find each other in xenstore, with a library that is only a store of a few nodes. */
#include "../xen_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_NODES = 64, RING_REF = 8, GUEST_PORT = 5 };
#define FRONT "/local/domain/1/device/vbd/51712/"
#define BACK "/local/domain/0/backend/vbd/1/51712/"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        char path[96], value[64], perms[8];
    } node[MAX_NODES];
    uint32_t nr_nodes;
    bool has_no_store;
    bool is_mapped, is_connected;
    _Alignas(4096) uint8_t page[4096];
} host = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static struct machine machine;
static struct vmm_options options;
static struct hvs_xen_options callbacks;
static char image[64];

/* --- the library -------------------------------------------------------------------------------------------------- */

/* The node, made where it is new. Lock held. */
static uint32_t find(struct hvs_text path)
{
    for (uint32_t i = 0; i < host.nr_nodes; i++)
        if (strlen(host.node[i].path) == path.bytes && !memcmp(host.node[i].path, path.text, path.bytes))
            return i;
    assert_true(host.nr_nodes < MAX_NODES && path.bytes < sizeof(host.node[0].path));
    memset(&host.node[host.nr_nodes], 0, sizeof(host.node[0]));
    memcpy(host.node[host.nr_nodes].path, path.text, path.bytes);
    return host.nr_nodes++;
}

static int store(uint32_t request, struct hvs_xen_store *args)
{
    uint32_t i = find(args->path);
    if (host.has_no_store)
        return HVS_ENOTSUP;
    if (request == HVS_XEN_STORE_READ) {
        args->value.bytes = (uint32_t)strlen(host.node[i].value);
        if (args->value.bytes > args->buffer_bytes)
            return HVS_ENOSPC;
        memcpy(args->buffer, host.node[i].value, args->value.bytes);
        return args->value.bytes ? HVS_OK : HVS_ENOENT;
    }
    char *to = request == HVS_XEN_STORE_WRITE ? host.node[i].value : host.node[i].perms;
    assert_true(args->value.bytes < (request == HVS_XEN_STORE_WRITE ? 64 : 8));
    memcpy(to, args->value.text, args->value.bytes);
    to[args->value.bytes] = '\0';
    pthread_cond_broadcast(&host.changed);
    return HVS_OK;
}

static int answer(uint32_t request, void *data)
{
    switch (request) {
    case HVS_XEN_STORE_READ:
    case HVS_XEN_STORE_WRITE:
    case HVS_XEN_STORE_SET_PERMS:
        return store(request, data);
    case HVS_XEN_GRANT_MAP:
        host.is_mapped = ((struct hvs_xen_grant_map *)data)->ref == RING_REF;
        return host.is_mapped ? HVS_OK : HVS_EINVAL;
    case HVS_XEN_GRANT_UNMAP:
        host.is_mapped = false;
        return HVS_OK;
    case HVS_XEN_CHANNEL_ACCEPT:
        host.is_connected = ((struct hvs_xen_channel *)data)->guest_port == GUEST_PORT;
        return host.is_connected ? HVS_OK : HVS_ENOENT;
    case HVS_XEN_CHANNEL_CLOSE:
        host.is_connected = false;
        return HVS_OK;
    default:
        return HVS_OK;
    }
}

int hvs_kvm_request(struct hvs_kvm *kvm, const struct hvs_personality *to, uint32_t request, void *data)
{
    (void)kvm, (void)to;
    pthread_mutex_lock(&host.lock);
    int err = answer(request, data);
    pthread_mutex_unlock(&host.lock);
    return err;
}

void *vmm_ram(const struct machine *m, uint64_t gpa, uint64_t bytes)
{
    (void)m, (void)gpa, (void)bytes;
    return host.page;
}

int vmm_fail(const char *format, ...)
{
    (void)format;
    return -1;
}

/* --- the guest ---------------------------------------------------------------------------------------------------- */

static const char *value_of(const char *path)
{
    return host.node[find((struct hvs_text){path, (uint32_t)strlen(path)})].value;
}

static void expect(const char *path, const char *value)
{
    pthread_mutex_lock(&host.lock);
    assert_string_equal(value_of(path), value);
    pthread_mutex_unlock(&host.lock);
}

static void guest_writes(const char *path, const char *value)
{
    pthread_mutex_lock(&host.lock);
    strcpy(host.node[find((struct hvs_text){path, (uint32_t)strlen(path)})].value, value);
    callbacks.on_store(&machine, (struct hvs_text){path, (uint32_t)strlen(path)});
    pthread_mutex_unlock(&host.lock);
}

static void await(const char *path, const char *value)
{
    pthread_mutex_lock(&host.lock);
    while (strcmp(value_of(path), value))
        pthread_cond_wait(&host.changed, &host.lock);
    pthread_mutex_unlock(&host.lock);
}

static void guest_connects(const char *ref, const char *port, const char *protocol)
{
    guest_writes(FRONT "ring-ref", ref);
    guest_writes(FRONT "event-channel", port);
    guest_writes(FRONT "protocol", protocol);
    guest_writes(FRONT "state", "3");
}

static int create(const char *option)
{
    static const char *list[1];
    list[0] = option;
    options = (struct vmm_options){.xen_disk = list, .nr_xen_disks = 1};
    machine = (struct machine){.options = &options};
    host.nr_nodes = 0;
    memset(host.page, 0, sizeof(host.page));
    vmm_xen_disk_options(&machine, &callbacks);
    return vmm_xen_disk_create(&machine);
}

static void start(const char *option)
{
    assert_int_equal(create(option), 0);
    assert_int_equal(vmm_xen_disk_start(&machine), 0);
}

static void stop(void)
{
    vmm_xen_disk_stop(&machine);
    vmm_xen_disk_destroy(&machine);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void test_what_is_offered(void **state)
{
    (void)state;
    start(image);
    expect(FRONT "backend", "/local/domain/0/backend/vbd/1/51712");
    expect(FRONT "backend-id", "0");
    expect(FRONT "virtual-device", "51712");
    expect(FRONT "state", "1");
    expect(BACK "frontend", "/local/domain/1/device/vbd/51712");
    expect(BACK "state", "2");
    expect(BACK "mode", "w");
    expect(BACK "feature-flush-cache", "1");
    assert_memory_equal(host.node[find((struct hvs_text){BACK, sizeof(BACK) - 2})].perms, "n0\0r1", 6);
    assert_memory_equal(host.node[find((struct hvs_text){FRONT, sizeof(FRONT) - 2})].perms, "n1\0r0", 6);
    stop();
}

static void test_connects_and_closes(void **state)
{
    (void)state;
    for (uint32_t read_only = 0; read_only < 2; read_only++) {
        char option[80];
        snprintf(option, sizeof(option), "%s%s", image, read_only ? ",ro" : "");
        start(option);
        expect(BACK "mode", read_only ? "r" : "w");
        for (uint32_t round = 0; round < 2; round++) {
            guest_connects("8", "5", "x86_64-abi");
            await(BACK "state", "4");
            expect(BACK "sectors", "6");
            expect(BACK "sector-size", "512");
            expect(BACK "info", read_only ? "4" : "0");
            assert_true(host.is_mapped && host.is_connected);
            guest_writes(FRONT "state", "4");
            guest_writes(FRONT "state", "5");
            await(BACK "state", "5");
            guest_writes(FRONT "state", "6");
            await(BACK "state", "6");
            assert_false(host.is_mapped || host.is_connected);
            guest_writes(FRONT "state", "1");           /* its driver was loaded again */
            await(BACK "state", "2");
        }
        stop();
    }
}

static void test_what_cannot_be_connected(void **state)
{
    static const char *const t[][3] = {
        {"9", "5", "x86_64-abi"}, {"8", "6", "x86_32-abi"}, {"8", "5", "arm-abi"}, {"", "5", ""}, {"8", "", ""},
        {"8x", "5", ""}, {"-8", "5", ""}, {"4294967304", "5", ""},
        {"999999999999999999999999999999999999999999999999999999999999999", "5", ""},
    };
    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        start(image);
        guest_connects(t[i][0], t[i][1], t[i][2]);
        await(BACK "state", "5");
        assert_false(host.is_mapped || host.is_connected);
        stop();
    }
}

static void test_broken_ring(void **state)
{
    (void)state;
    start(image);
    guest_connects("8", "5", "");
    await(BACK "state", "4");
    atomic_store((_Atomic uint32_t *)host.page, 1000);
    callbacks.on_event(&machine, 1);
    await(BACK "state", "5");
    stop();
}

/* It suspends itself while it is connected, and finds a new disk when it goes on. */
static void test_suspended(void **state)
{
    (void)state;
    start(image);
    guest_connects("8", "5", "");
    await(BACK "state", "4");
    vmm_xen_disk_forget(&machine);
    assert_false(host.is_mapped || host.is_connected);
    vmm_xen_disk_offer_again(&machine);
    expect(FRONT "state", "1");
    expect(BACK "state", "2");
    guest_writes(FRONT "state", "3");
    await(BACK "state", "4");
    stop();
}

static void test_bad_images(void **state)
{
    (void)state;
    assert_int_equal(create("no/such/file"), -1);
    vmm_xen_disk_destroy(&machine);
    assert_int_equal(create("/dev/null"), -1);
    vmm_xen_disk_destroy(&machine);
    host.has_no_store = true;
    assert_int_equal(create(image), 0);
    assert_int_equal(vmm_xen_disk_start(&machine), -1);
    stop();
    host.has_no_store = false;
}

static int make_image(void **state)
{
    (void)state;
    snprintf(image, sizeof(image), "test_xen_disk.%d", (int)getpid());
    FILE *file = fopen(image, "w");
    return !file || ftruncate(fileno(file), 6 * 512 + 100) || fclose(file);
}

static int remove_image(void **state)
{
    (void)state;
    return unlink(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_offered),
        cmocka_unit_test(test_connects_and_closes),
        cmocka_unit_test(test_what_cannot_be_connected),
        cmocka_unit_test(test_broken_ring),
        cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_bad_images),
    };
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
