/* xenstore's requests: nodes, permissions, paths, quotas, what is refused. */
#include "xs_test.h"

#include <stdlib.h>

static void test_the_tree_of_a_guest(void **state)
{
    struct client *c = &client;

    (void)state;
    assert_reply(c, XS_READ, "domid|", "1");
    assert_reply(c, XS_READ, "/local/domain/1/name|", "guest");
    assert_reply(c, XS_READ, "vm|", "/vm/00000000-0000-0000-0000-000000000000");
    assert_reply(c, XS_READ, "/vm/00000000-0000-0000-0000-000000000000/name|", "guest");
    assert_reply(c, XS_READ, "memory/target|", "1024");
    assert_reply(c, XS_READ, "cpu/1/availability|", "online");
    assert_reply(c, XS_READ, "control/shutdown|", "");
    assert_reply(c, XS_READ, "control/platform-feature-xs_reset_watches|", "1");
    assert_reply(c, XS_DIRECTORY, "/|", "local|vm|");
    assert_reply(c, XS_DIRECTORY, "/local/domain|", "0|1|");
    assert_reply(c, XS_DIRECTORY, "cpu|", "0|1|");
    assert_reply(c, XS_DIRECTORY, "data|", "");
    assert_reply(c, XS_GET_PERMS, "name|", "n0|r1|");
    assert_reply(c, XS_GET_PERMS, "data|", "n1|");
    assert_reply(c, XS_GET_DOMAIN_PATH, "1|", "/local/domain/1|");
    assert_reply(c, XS_GET_DOMAIN_PATH, "17|", "/local/domain/17|");
    assert_reply(c, XS_IS_DOMAIN_INTRODUCED, "0|", "T|");
    assert_reply(c, XS_IS_DOMAIN_INTRODUCED, "1|", "T|");
    assert_reply(c, XS_IS_DOMAIN_INTRODUCED, "2|", "F|");
}

static void test_write_read_remove(void **state)
{
    struct client *c = &client;

    (void)state;
    assert_reply(c, XS_WRITE, "data/a/b|one", "OK|");
    assert_reply(c, XS_READ, "data/a/b|", "one");
    assert_reply(c, XS_READ, "data/a|", "");
    assert_reply(c, XS_WRITE, "data/a/b|", "OK|");
    assert_reply(c, XS_READ, "data/a/b|", "");
    assert_reply(c, XS_WRITE, "data/a/b|t\nwo|", "OK|");        /* a NUL is part of the value */
    assert_reply(c, XS_READ, "data/a/b|", "t\nwo|");
    assert_reply(c, XS_MKDIR, "data/a-b|", "OK|");
    assert_reply(c, XS_MKDIR, "data/a/c/d|", "OK|");
    assert_reply(c, XS_MKDIR, "data/a/b|", "OK|");
    assert_reply(c, XS_READ, "data/a/b|", "t\nwo|");
    assert_reply(c, XS_DIRECTORY, "data|", "a|a-b|");
    assert_reply(c, XS_DIRECTORY, "data/a|", "b|c|");
    assert_reply(c, XS_RM, "data/a|", "OK|");
    assert_reply(c, XS_DIRECTORY, "data|", "a-b|");
    assert_error(c, XS_READ, "data/a/c/d|", "ENOENT");
    assert_reply(c, XS_RM, "data/a|", "OK|");
    assert_error(c, XS_RM, "data/a/b|", "ENOENT");
    assert_error(c, XS_DIRECTORY, "data/a|", "ENOENT");
}

static void test_paths(void **state)
{
    static const char *const bad[] = {"|", "", "//|", "/a/|", "data//a|", "data/|", "data/a.b|", "data/a b|", "@x|",
                                      "data", "data|x"};
    struct client *c = &client;
    char path[XENSTORE_PAYLOAD_MAX];

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++)
        assert_error(c, XS_READ, bad[i], "EINVAL");
    assert_error(c, XS_READ, "data/A-z_09@|", "ENOENT");
    memset(path, 'x', sizeof(path));
    memcpy(path, "data/", 5);
    path[2049] = '\0';
    assert_string_equal(ask_bytes(c, XS_MKDIR, 0, path, 2050), "EINVAL");
    path[2048] = '\0';
    assert_string_equal(ask_bytes(c, XS_MKDIR, 0, path, 2049), "OK");
    memcpy(path, "/local/domain/1/data/", 21);
    path[2048] = 'x';
    path[2049] = 'x';
    path[3072] = '\0';
    assert_string_equal(ask_bytes(c, XS_MKDIR, 0, path, 3073), "OK");
    path[3072] = 'x';
    path[3073] = '\0';
    assert_string_equal(ask_bytes(c, XS_MKDIR, 0, path, 3074), "EINVAL");
}

/* So many that what is done for each node above one stays small, whatever is open or watched. */
static void test_names_of_a_path(void **state)
{
    enum { HOME_NAMES = 3, MAX_NAMES = 64 };
    struct client *c = &client;
    char path[2 * MAX_NAMES + sizeof("data")] = "data";
    uint32_t bytes = sizeof("data") - 1;

    (void)state;
    for (uint32_t names = HOME_NAMES + 1; names < MAX_NAMES; names++, bytes += 2)
        memcpy(path + bytes, "/a", 3);
    assert_string_equal(ask_bytes(c, XS_MKDIR, 0, path, bytes + 1), "OK");
    memcpy(path + bytes, "/a", 3);
    assert_string_equal(ask_bytes(c, XS_READ, 0, path, bytes + 3), "EINVAL");
}

static void test_permissions(void **state)
{
    struct client *c = &client;

    (void)state;
    assert_error(c, XS_WRITE, "name|x", "EACCES");
    assert_error(c, XS_WRITE, "new|x", "EACCES");
    assert_error(c, XS_RM, "name|", "EACCES");
    assert_error(c, XS_RM, "/|", "EACCES");
    assert_error(c, XS_MKDIR, "/local/domain/2|", "EACCES");
    assert_error(c, XS_READ, "new|", "ENOENT");
    assert_error(c, XS_READ, "/local/domain/0/secret|", "ENOENT");
    assert_error(c, XS_SET_PERMS, "name|n1|", "EACCES");
    assert_reply(c, XS_WRITE, "data/x|1", "OK|");
    assert_reply(c, XS_SET_PERMS, "data/x|n1|r0|b7|", "OK|");
    assert_reply(c, XS_GET_PERMS, "data/x|", "n1|r0|b7|");
    assert_reply(c, XS_READ, "data/x|", "1");
    assert_reply(c, XS_WRITE, "data/x/y|", "OK|");
    assert_reply(c, XS_GET_PERMS, "data/x/y|", "n1|r0|b7|");
    assert_error(c, XS_SET_PERMS, "data/x|n0|", "EPERM");
    assert_error(c, XS_SET_PERMS, "data/x|", "EINVAL");
    assert_error(c, XS_SET_PERMS, "data/x|x1|", "EINVAL");
    assert_error(c, XS_SET_PERMS, "data/x|n65536|", "EINVAL");
    assert_error(c, XS_SET_PERMS, "data/x|n1", "EINVAL");
    assert_error(c, XS_SET_PERMS, "data/x|n1|r2|r3|r4|r5|r6|", "ENOSPC");
    assert_int_equal(host_write(c, "secret", "s"), HVS_OK);
    assert_reply(c, XS_READ, "secret|", "s");
    assert_int_equal(host_store(c, HVS_XEN_STORE_SET_PERMS, "secret", (struct hvs_text){"n0", 3}, NULL, 0), HVS_OK);
    assert_error(c, XS_READ, "secret|", "EACCES");
    assert_error(c, XS_GET_PERMS, "secret|", "EACCES");
    assert_error(c, XS_READ, "secret/below|", "EACCES");
    assert_int_equal(host_store(c, HVS_XEN_STORE_SET_PERMS, "secret", (struct hvs_text){"n0\0w1", 6}, NULL, 0), HVS_OK);
    assert_error(c, XS_READ, "secret|", "EACCES");
    assert_reply(c, XS_WRITE, "secret|guest", "OK|");
    assert_error(c, XS_SET_PERMS, "secret|n0|b1|", "EACCES");
}

static void test_misuse(void **state)
{
    static const uint32_t privileged[] = {XS_CONTROL, XS_INTRODUCE, XS_RELEASE, XS_RESUME, XS_SET_TARGET};
    static const uint32_t unknown[] = {XS_WATCH_EVENT, XS_ERROR, 20, XS_TYPE_COUNT, XS_INVALID, UINT32_MAX};
    struct client *c = &client;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(privileged); i++)
        assert_error(c, privileged[i], "1|", "EACCES");
    for (size_t i = 0; i < HVS_ARRAY_SIZE(unknown); i++)
        assert_error(c, unknown[i], "1|", "ENOSYS");
    assert_error(c, XS_GET_DOMAIN_PATH, "x|", "EINVAL");
    assert_error(c, XS_GET_DOMAIN_PATH, "1", "EINVAL");
    assert_error(c, XS_WRITE, "data/a", "EINVAL");
    assert_error(c, XS_DIRECTORY_PART, "data|", "EINVAL");
    assert_error(c, XS_DIRECTORY_PART, "data|x|", "EINVAL");
    assert_error(c, XS_TRANSACTION_END, "T|", "ENOENT");
    assert_error(c, XS_TRANSACTION_END, "X|", "EINVAL");
    assert_string_equal(ask_in(c, 5, XS_READ, "name|"), "ENOENT");
    assert_string_equal(ask_in(c, 5, XS_GET_DOMAIN_PATH, "1|"), "/local/domain/1");
}

static void test_thousands_of_nodes(void **state)
{
    enum { NR = 3000, MAX_NODES = 8000 };
    struct client *c = &client;
    char payload[64];
    uint32_t i, nr_names = 0, offset = 0;

    (void)state;
    for (i = 0; i < NR; i++) {
        snprintf(payload, sizeof(payload), "data/node%u|%u", i, i * i);
        assert_reply(c, XS_WRITE, payload, "OK|");
    }
    assert_reply(c, XS_READ, "data/node2999|", "8994001");
    assert_error(c, XS_DIRECTORY, "data|", "E2BIG");
    for (;;) {
        const char *at;

        snprintf(payload, sizeof(payload), "data|%u|", offset);
        at = ask(c, XS_DIRECTORY_PART, payload);
        assert_int_equal(c->reply.head.type, XS_DIRECTORY_PART);
        at += strlen(at) + 1;
        for (; at < c->reply.payload + c->reply.head.len && *at; at += strlen(at) + 1) {
            nr_names++;
            offset += (uint32_t)strlen(at) + 1;
        }
        if (at < c->reply.payload + c->reply.head.len)
            break;
    }
    assert_int_equal(nr_names, NR);
    for (; i < MAX_NODES + 1000 && !strcmp(ask(c, XS_WRITE, payload), "OK"); i++)
        snprintf(payload, sizeof(payload), "data/node%u|%u", i, i);
    assert_string_equal(c->reply.payload, "ENOSPC");
    assert_in_range(i, 7900, MAX_NODES + 1);
    assert_reply(c, XS_RM, "data/node7|", "OK|");
    assert_reply(c, XS_MKDIR, "data/more|", "OK|");
    assert_error(c, XS_MKDIR, "data/evenmore|", "ENOSPC");
    assert_int_equal(host_write(c, "from-host", "1"), HVS_OK);
    mock_save_load_save(&c->mock);
    assert_error(c, XS_MKDIR, "data/evenmore|", "ENOSPC");
    assert_reply(c, XS_RM, "data|", "OK|");
    assert_error(c, XS_MKDIR, "data|", "EACCES");
    assert_reply(c, XS_MKDIR, "attr/new|", "OK|");
}

static void test_quota_of_size(void **state)
{
    char payload[XENSTORE_PAYLOAD_MAX] = "data/x";
    struct client *c = &client;
    uint32_t i = 0;

    (void)state;
    memset(payload + 7, 'v', sizeof(payload) - 7);
    assert_string_equal(ask_bytes(c, XS_WRITE, 0, payload, 7 + 2049), "ENOSPC");
    assert_string_equal(ask_bytes(c, XS_WRITE, 0, payload, 7 + 2048), "OK");
    do
        snprintf(payload, 16, "data/big%05u", i++);
    while (!strcmp(ask_bytes(c, XS_WRITE, 0, payload, 14 + 2000), "OK"));
    assert_string_equal(c->reply.payload, "ENOSPC");
    assert_in_range(i, 300, 400);
    assert_int_equal(host_write(c, "from-host", "1"), HVS_OK);
    /* A path of many names is made whole or not at all. */
    for (i = 5; i < sizeof(payload); i++)
        payload[i] = i % 40 ? 'a' : '/';
    memcpy(payload, "data/", 5);
    payload[2040] = '\0';
    assert_string_equal(ask_bytes(c, XS_MKDIR, 0, payload, 2041), "ENOSPC");
    payload[40] = '\0';
    assert_string_equal(ask_bytes(c, XS_READ, 0, payload, 41), "ENOENT");
}

static void test_store_is_shared(void **state)
{
    static const struct hvs_personality *const list[] = {&hvs_xen_personality, &hvs_vmw_personality, NULL};
    static const struct hvs_xen_options options = {.size = sizeof(options), .special_gfn = SPECIAL_GFN};
    struct hvs_vmw_guestinfo info = {.key = {"x", 1}, .value = {"from VMware", 11}};
    struct hvs_vmw_guestinfo other = {.key = {"a.b", 3}, .value = {"hidden", 6}};
    struct hvs_vmw_guestinfo deep = {.key = {"m/n", 3}, .value = {"deep", 4}};
    struct client *c = &client;
    char buffer[32];

    (void)state;
    mock_stop(&c->mock);
    mock_config(&c->mock, list, 2);
    c->mock.config.slot[0].options = &options;
    assert_int_equal(mock_start(&c->mock), HVS_OK);
    map_shared(&c->mock);
    get_param(&c->mock, HVM_PARAM_STORE_PFN);
    mock_host(&c->mock, 0, &hvs_vmw_personality, HVS_VMW_GUESTINFO_SET, &info);
    mock_host(&c->mock, 0, &hvs_vmw_personality, HVS_VMW_GUESTINFO_SET, &other);
    mock_host(&c->mock, 0, &hvs_vmw_personality, HVS_VMW_GUESTINFO_SET, &deep);
    assert_reply(c, XS_READ, "vm-data/x|", "from VMware");
    assert_reply(c, XS_DIRECTORY, "vm-data|", "m|x|");
    assert_reply(c, XS_READ, "vm-data/m|", "");
    assert_reply(c, XS_READ, "vm-data/m/n|", "deep");
    assert_reply(c, XS_WRITE, "vm-data/x|from Xen", "OK|");
    assert_reply(c, XS_SET_PERMS, "vm-data/x|r1|", "OK|");
    info.buffer = buffer;
    info.buffer_bytes = sizeof(buffer);
    mock_host(&c->mock, 0, &hvs_vmw_personality, HVS_VMW_GUESTINFO_GET, &info);
    assert_int_equal(info.value.bytes, 8);
    assert_memory_equal(buffer, "from Xen", 8);
    info.value = (struct hvs_text){"again", 5};
    mock_host(&c->mock, 0, &hvs_vmw_personality, HVS_VMW_GUESTINFO_SET, &info);
    assert_reply(c, XS_READ, "vm-data/x|", "again");
    assert_reply(c, XS_GET_PERMS, "vm-data/x|", "r1|");
    assert_int_equal(mock_reset(&c->mock, 0), HVS_HANDLED);
    map_shared(&c->mock);
    get_param(&c->mock, HVM_PARAM_STORE_PFN);
    assert_reply(c, XS_READ, "vm-data/x|", "again");
    assert_reply(c, XS_RM, "vm-data|", "OK|");
    mock_host(&c->mock, 0, &hvs_vmw_personality, HVS_VMW_GUESTINFO_GET, &info);
    assert_int_equal((int64_t)c->mock.out.value, HVS_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_tree_of_a_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_read_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_of_a_path, setup, teardown),
        cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_misuse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_thousands_of_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota_of_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_is_shared, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
