/* RPCI: the requests that open-vm-tools, OpenBSD's vmt and iPXE send, in their own words, and guestinfo both ways. */
#include "vmw_rpc_test.h"

#include <stdio.h>

#include <hvshim/xen.h>

/* What the callbacks of the VMM were told last. */
static struct {
    char request[64], key[64], value[64];
    uint32_t nr_requests, nr_guestinfos;
} told;

static void keep(char into[64], struct hvs_text text)
{
    uint32_t bytes = text.bytes < 63 ? text.bytes : 63;

    memset(into, 0, 64);
    memcpy(into, text.text, bytes);
}

static void on_rpci(void *ctx, struct hvs_text request)
{
    assert_ptr_equal(ctx, &told);
    keep(told.request, request);
    told.nr_requests++;
}

static void on_guestinfo(void *ctx, struct hvs_text key, struct hvs_text value)
{
    assert_ptr_equal(ctx, &told);
    keep(told.key, key);
    keep(told.value, value);
    told.nr_guestinfos++;
}

static void test_requests(void **state)
{
    static const struct {
        const char *request, *reply;
    } t[] = {
        {"info-get guestinfo.ip", "0 No value found"},
        {"info-get ip", "0 No value found"},
        {"info-get guestinfo.", "0 No value found"},
        {"info-get ", "0 No value found"},
        {"info-get", "0 No value found"},
        {"info-set guestinfo.ip 192.0.2.1", "1 "},
        {"info-get guestinfo.ip", "1 192.0.2.1"},
        {"info-get guestinfo.ip ", "1 192.0.2.1"},
        {"info-set guestinfo.two words and more ", "1 "},
        {"info-get guestinfo.two", "1 words and more "},
        {"info-set guestinfo.ip ", "1 "},
        {"info-get guestinfo.ip", "1 "},
        {"info-set guestinfo.ip", "1 "},
        {"info-set ip x", "0 Permission denied"},
        {"info-set guestinfo. x", "0 Permission denied"},
        {"info-set", "0 Permission denied"},
        {"log toolbox: Version: 12.2.0", "1 "},
        {"logging", "0 Unknown command"},
        {"tools.set.version 2147483647", "1 "},
        {"tools.set.versiontype 12352 4", "1 "},
        {"tools.capability.statechange ", "1 "},
        {"tools.capability.hgfs_server toolbox 1", "1 "},
        {"tools.capability.features 0=1 2=1", "1 "},
        {"tools.capability", "0 Unknown command"},
        {"tools.os.statechange.status 1 1", "1 "},
        {"vmx.capability.unified_loop toolbox", "1 "},
        {"vmx.capability.tools_is_upgradable", "1 0"},
        {"vmx.capability.dnd_version", "0 Unknown command"},
        {"vmx.set_option synctime 0 1", "1 "},
        {"vmx.set_option synctime 0", "0 Unknown option"},
        {"vmx.set_option synctime 0 2", "0 Unknown option"},
        {"vmx.set_option nonsense 0 1", "0 Unknown option"},
        {"machine.id.get", "0 No machine id"},
        {"disk.wiper.enable", "1 0"},
        {"SetGuestInfo  10 \x01", "1 "},
        {"f\x10", "0 Unknown command"},
        {" ", "0 Unknown command"},
    };
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++)
        assert_string_equal(rpc(&c, t[i].request), t[i].reply);
}

static void test_strings_come_with_their_zeros(void **state)
{
    static const char set[4096] = "info-set guestinfo.key value";        /* vmt sends its whole buffer */
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);

    send_bytes(&c, set, sizeof(set));
    assert_string_equal(receive_text(&c), "1 ");
    send_bytes(&c, "info-get guestinfo.key", sizeof("info-get guestinfo.key"));
    assert_string_equal(receive_text(&c), "1 value");
}

static void test_host_sets_and_gets(void **state)
{
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    struct hvs_vmw_guestinfo info = {.key = text_of("answer")};
    char buffer[8];

    info.buffer = buffer;
    info.buffer_bytes = 4;
    assert_int_equal(host_request(*state, HVS_VMW_GUESTINFO_GET, &info), HVS_ENOENT);
    assert_int_equal(set_guestinfo(*state, "metadata", text_of("instance-id: x")), HVS_OK);
    assert_string_equal(rpc(&c, "info-get guestinfo.metadata"), "1 instance-id: x");
    assert_string_equal(rpc(&c, "info-set guestinfo.answer 42"), "1 ");
    assert_int_equal(host_request(*state, HVS_VMW_GUESTINFO_GET, &info), HVS_OK);
    assert_int_equal(info.value.bytes, 2);
    assert_memory_equal(buffer, "42", 2);
    assert_string_equal(rpc(&c, "info-set guestinfo.answer 12345"), "1 ");
    assert_int_equal(host_request(*state, HVS_VMW_GUESTINFO_GET, &info), HVS_ENOSPC);
    assert_int_equal(info.value.bytes, 5);
    assert_int_equal(set_guestinfo(*state, "", text_of("x")), HVS_EINVAL);
    assert_int_equal(host_request(*state, HVS_VMW_GUESTINFO_SET, NULL), HVS_EINVAL);
    assert_int_equal(host_request(*state, HVS_VMW_NR_REQUESTS, &info), HVS_ENOENT);
}

static void test_host_lists_keys(void **state)
{
    char buffer[16];
    struct hvs_vmw_guestinfo info = {.buffer = buffer, .buffer_bytes = sizeof(buffer)};

    assert_int_equal(host_request(*state, HVS_VMW_GUESTINFO_KEYS, &info), HVS_OK);
    assert_int_equal(info.value.bytes, 0);
    assert_int_equal(set_guestinfo(*state, "metadata", text_of("x")), HVS_OK);
    assert_int_equal(set_guestinfo(*state, "answer", text_of("42")), HVS_OK);
    assert_int_equal(host_request(*state, HVS_VMW_GUESTINFO_KEYS, &info), HVS_OK);
    assert_int_equal(info.value.bytes, 16);
    assert_memory_equal(buffer, "answer\0metadata", 16);
    info.buffer_bytes = 15;
    assert_int_equal(host_request(*state, HVS_VMW_GUESTINFO_KEYS, &info), HVS_ENOSPC);
    assert_int_equal(info.value.bytes, 16);
}

/* cloud-init's metadata is tens of KiB of base64; the longest value fits a message of 64 KiB exactly. */
static void test_large_values(void **state)
{
    static char value[HVS_STORE_VALUE_BYTES + 1];
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    const char *reply;
    uint32_t nr;

    for (size_t i = 0; i < HVS_STORE_VALUE_BYTES; i++)
        value[i] = (char)('a' + i % 23);
    assert_int_equal(set_guestinfo(*state, "userdata", text_of(value)), HVS_OK);
    send_text(&c, "info-get guestinfo.userdata");
    reply = receive_bytes(&c, &nr);
    assert_int_equal(nr, GUESTMSG_MAX_IN_SIZE);
    assert_memory_equal(reply, "1 ", 2);
    assert_string_equal(reply + 2, value);
}

static void test_largest_request(void **state)
{
    static char request[GUESTMSG_MAX_IN_SIZE] = "info-set guestinfo.big ";
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    uint32_t head = (uint32_t)strlen(request), nr;
    const char *reply;

    memset(request + head, 'v', sizeof(request) - head);
    send_bytes(&c, request, sizeof(request));
    assert_string_equal(receive_text(&c), "1 ");
    send_text(&c, "info-get guestinfo.big");
    reply = receive_bytes(&c, &nr);
    assert_int_equal(nr, 2 + sizeof(request) - head);
    assert_memory_equal(reply + 2, request + head, sizeof(request) - head);
}

static void test_long_keys(void **state)
{
    char request[600] = "info-set guestinfo.";
    struct channel c = open_channel(*state, RPCI_PROTOCOL_NUM);
    size_t head = strlen(request);

    memset(request + head, 'k', HVS_STORE_KEY_BYTES);
    strcpy(request + head + HVS_STORE_KEY_BYTES, " v");
    assert_string_equal(rpc(&c, request), "1 ");
    memset(request + head, 'k', HVS_STORE_KEY_BYTES + 1);
    strcpy(request + head + HVS_STORE_KEY_BYTES + 1, " v");
    assert_string_equal(rpc(&c, request), "0 Permission denied");
    memcpy(request, "info-get", 8);
    assert_string_equal(rpc(&c, request), "0 No value found");
}

static void test_the_store_is_full(void **state)
{
    struct mock *mock = *state;
    struct channel c;

    mock_stop(mock);
    vmw_config(mock, 1);
    mock->config.store_bytes = 64;
    assert_int_equal(mock_start(mock), HVS_OK);
    c = open_channel(mock, RPCI_PROTOCOL_NUM);
    assert_string_equal(rpc(&c, "info-set guestinfo.a 0123456789012345678901234567890"), "1 ");
    assert_string_equal(rpc(&c, "info-set guestinfo.b 01234567890123456789"), "0 No more room for guestinfo");
    assert_string_equal(rpc(&c, "info-get guestinfo.b"), "0 No value found");
}

static int write_xenstore(struct mock *mock, const char *path, struct hvs_text value)
{
    struct hvs_xen_store args = {.path = text_of(path), .value = value};

    assert_int_equal(mock_host(mock, 0, &hvs_xen_personality, HVS_XEN_STORE_WRITE, &args), HVS_HANDLED);
    return (int)(int64_t)mock->out.value;
}

static struct channel start_with_xenstore(struct mock *mock)
{
    static const struct hvs_personality *const list[] = {&hvs_vmw_personality, &hvs_xen_personality, NULL};
    static const struct hvs_xen_options options = {.size = sizeof(options), .special_gfn = 0xf0};

    mock_stop(mock);
    mock_config(mock, list, 1);
    mock->config.slot[1].options = &options;
    assert_int_equal(mock_start(mock), HVS_OK);
    return open_channel(mock, RPCI_PROTOCOL_NUM);
}

/* Any program in the guest can set guestinfo; xenstore is its kernel's. */
static void test_guest_leaves_entries(void **state)
{
    struct mock *mock = *state;
    struct channel c = start_with_xenstore(mock);
    char text[64];
    uint32_t nr = 0;

    do
        snprintf(text, sizeof(text), "info-set guestinfo.k%u v", nr++);
    while (!strcmp(rpc(&c, text), "1 "));
    assert_int_equal(nr, HVS_STORE_MAX_ENTRIES / 4 + 1);
    assert_string_equal(rpc(&c, text), "0 No more room for guestinfo");
    assert_string_equal(rpc(&c, "info-set guestinfo.k7 longer"), "1 ");
    assert_int_equal(set_guestinfo(mock, "of-the-host", text_of("v")), HVS_OK);
    assert_string_equal(rpc(&c, "info-set guestinfo.of-the-host w"), "1 ");
    for (nr = 0; nr < 8000; nr++) {
        snprintf(text, sizeof(text), "data/n%u", nr);
        assert_int_equal(write_xenstore(mock, text, text_of("v")), HVS_OK);
    }
}

static void test_guest_leaves_bytes(void **state)
{
    static char request[60000] = "info-set guestinfo.x ", value[4096];
    struct mock *mock = *state;
    struct channel c = start_with_xenstore(mock);
    const uint32_t head = (uint32_t)strlen(request);
    char path[64];

    memset(request + head, 'v', sizeof(request) - 1 - head);
    for (uint32_t nr = 0; nr < 3; nr++, request[head - 2]++)
        assert_string_equal(rpc(&c, request), "1 ");
    assert_string_equal(rpc(&c, request), "0 No more room for guestinfo");
    assert_int_equal(set_guestinfo(mock, "of-the-host", (struct hvs_text){request, sizeof(request)}), HVS_OK);
    request[head - 2]--;
    assert_string_equal(rpc(&c, request), "1 ");        /* as long as before */
    memset(value, 'w', sizeof(value));
    for (uint32_t nr = 0; nr < 220; nr++) {
        snprintf(path, sizeof(path), "data/n%u", nr);
        assert_int_equal(write_xenstore(mock, path, (struct hvs_text){value, sizeof(value)}), HVS_OK);
    }
    assert_string_equal(rpc(&c, "info-set guestinfo.small v"), "0 No more room for guestinfo");
    for (uint32_t nr = 0; nr < 2; nr++, request[head - 2]--) {
        request[sizeof(request) / 4] = '\0';
        assert_string_equal(rpc(&c, request), "1 ");
    }
    assert_string_equal(rpc(&c, "info-set guestinfo.small v"), "1 ");
}

static void test_the_vmm_is_told(void **state)
{
    static const struct hvs_vmw_options options = {
        .size = sizeof(options), .machine_id = "vm-17", .ctx = &told, .on_rpci = on_rpci, .on_guestinfo = on_guestinfo,
    };
    struct mock *mock = *state;
    struct channel c;

    mock_stop(mock);
    memset(&told, 0, sizeof(told));
    start_with_options(mock, &options);
    c = open_channel(mock, RPCI_PROTOCOL_NUM);
    assert_string_equal(rpc(&c, "log x"), "1 ");
    assert_string_equal(told.request, "log x");
    assert_string_equal(rpc(&c, "nonsense"), "0 Unknown command");
    assert_string_equal(told.request, "nonsense");
    assert_int_equal(told.nr_requests, 2);
    assert_int_equal(told.nr_guestinfos, 0);
    assert_string_equal(rpc(&c, "info-set guestinfo.ip 192.0.2.1"), "1 ");
    assert_string_equal(told.key, "ip");
    assert_string_equal(told.value, "192.0.2.1");
    assert_string_equal(rpc(&c, "info-set ip 192.0.2.1"), "0 Permission denied");
    assert_int_equal(told.nr_guestinfos, 1);
    assert_string_equal(rpc(&c, "machine.id.get"), "1 vm-17");
}

static void test_guestinfo_outlives_a_reset(void **state)
{
    struct channel c;

    set_guestinfo(*state, "metadata", text_of("x"));
    mock_reset(*state, 0);
    c = open_channel(*state, RPCI_PROTOCOL_NUM);
    assert_string_equal(rpc(&c, "info-get guestinfo.metadata"), "1 x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VMW_TEST(test_requests),
        VMW_TEST(test_strings_come_with_their_zeros),
        VMW_TEST(test_host_sets_and_gets),
        VMW_TEST(test_host_lists_keys),
        VMW_TEST(test_large_values),
        VMW_TEST(test_largest_request),
        VMW_TEST(test_long_keys),
        VMW_TEST(test_guest_leaves_entries),
        VMW_TEST(test_guest_leaves_bytes),
        VMW_TEST(test_the_store_is_full),
        VMW_TEST(test_the_vmm_is_told),
        VMW_TEST(test_guestinfo_outlives_a_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
