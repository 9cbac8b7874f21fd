/* xenstore's ring: indices as a hostile guest sets them, floods, reconnection, resets, save and load in the middle. */
#include "xs_test.h"

static void put_request(struct client *c, uint32_t type, const char *payload, uint32_t bytes)
{
    const struct xsd_sockmsg head = {.type = type, .req_id = 7, .len = bytes};

    assert_int_equal(push(c, &head, sizeof(head)), sizeof(head));
    assert_int_equal(push(c, payload, bytes), bytes);
}

static void reconnect(struct client *c)
{
    ring_of(c)->connection = XENSTORE_RECONNECT;
    kick(c);
    assert_int_equal(ring_of(c)->connection, XENSTORE_CONNECTED);
    assert_int_equal(ring_of(c)->error, XENSTORE_ERROR_NONE);
    assert_int_equal(ring_of(c)->req_prod - ring_of(c)->req_cons, 0);
    assert_int_equal(ring_of(c)->rsp_prod - ring_of(c)->rsp_cons, 0);
}

static void test_features(void **state)
{
    (void)state;
    assert_int_equal(ring_of(&client)->server_features,
                     XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR);
}

static void test_guest_is_interrupted(void **state)
{
    struct client *c = &client;

    (void)state;
    kick(c);
    assert_int_equal(interrupted(&c->mock), NOBODY);
    put_request(c, XS_READ, "name", 5);
    assert_int_equal(send(&c->mock, c->port), 0);
    assert_int_equal(interrupted(&c->mock), 0);
    pull_message(c, &c->reply);
    assert_string_equal(c->reply.payload, "guest");
}

static void test_byte_by_byte(void **state)
{
    const struct xsd_sockmsg head = {.type = XS_READ, .req_id = 7, .len = 5};
    struct client *c = &client;

    (void)state;
    ring_of(c)->req_cons = ring_of(c)->req_prod = UINT32_MAX - 10;
    ring_of(c)->rsp_cons = ring_of(c)->rsp_prod = UINT32_MAX - 3;
    for (uint32_t i = 0; i < sizeof(head); i++) {
        push(c, (const char *)&head + i, 1);
        kick(c);
        mock_save_load_save(&c->mock);
    }
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(ring_of(c)->rsp_prod, ring_of(c)->rsp_cons);
        push(c, "name" + i, 1);
        kick(c);
    }
    pull_message(c, &c->reply);
    assert_string_equal(c->reply.payload, "guest");
}

static void test_bad_indices(void **state)
{
    static const struct {
        uint32_t req_cons, req_prod, rsp_cons, rsp_prod, error;
    } t[] = {
        {0, 1025, 0, 0, XENSTORE_ERROR_RINGIDX},
        {1, 0, 0, 0, XENSTORE_ERROR_RINGIDX},
        {0, UINT32_MAX, 0, 0, XENSTORE_ERROR_RINGIDX},
        {0, 0, 0, 0, XENSTORE_ERROR_NONE},
        {5, 5, 0, 1024, XENSTORE_ERROR_NONE},
        {5, 5, 0, 1025, XENSTORE_ERROR_RINGIDX},
        {5, 5, 9, 8, XENSTORE_ERROR_RINGIDX},
    };
    struct client *c = &client;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct xenstore_domain_interface *ring = ring_of(c);

        assert_reply(c, XS_WATCH, "data|t|", "OK|");
        pull_events(c);
        ring->req_cons = t[i].req_cons;
        ring->req_prod = t[i].req_prod;
        ring->rsp_cons = t[i].rsp_cons;
        ring->rsp_prod = t[i].rsp_prod;
        host_write(c, "data/x", "1");           /* something to send */
        kick(c);
        assert_int_equal(ring->error, t[i].error);
        if (t[i].error) {
            ring->req_cons = ring->req_prod = ring->rsp_cons = ring->rsp_prod = 0;
            put_request(c, XS_READ, "name", 5);
            mock_save_load_save(&c->mock);
            kick(c);
            assert_int_equal(ring->rsp_prod, 0);        /* nobody answers */
        }
        reconnect(c);
        assert_reply(c, XS_READ, "name|", "guest");
        assert_error(c, XS_UNWATCH, "data|t|", "ENOENT");
    }
}

static void test_too_long(void **state)
{
    const struct xsd_sockmsg head = {.type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1};
    struct client *c = &client;

    (void)state;
    push(c, &head, sizeof(head));
    kick(c);
    assert_int_equal(ring_of(c)->error, XENSTORE_ERROR_PROTO);
    reconnect(c);
    assert_reply(c, XS_READ, "name|", "guest");
}

static void test_reconnection_forgets(void **state)
{
    const struct xsd_sockmsg half = {.type = XS_READ, .len = 5};
    struct client *c = &client;
    uint32_t tx = begin_tx(c);

    (void)state;
    ask_in(c, tx, XS_WRITE, "data/x|1");
    push(c, &half, sizeof(half));
    kick(c);
    reconnect(c);
    assert_reply(c, XS_READ, "name|", "guest");
    assert_reply_in(c, tx, XS_READ, "data/x|", "ENOENT|");
    assert_error(c, XS_READ, "data/x|", "ENOENT");
}

/* One exit takes a few requests only; a timer goes on with the rest. */
static void test_flood(void **state)
{
    enum { NR = 50 };
    struct client *c = &client;
    uint32_t nr_before;

    (void)state;
    for (uint32_t i = 0; i < NR; i++)
        put_request(c, XS_IS_DOMAIN_INTRODUCED, "", 0);
    assert_int_equal(send(&c->mock, c->port), 0);
    nr_before = ring_of(c)->req_cons / sizeof(struct xsd_sockmsg);
    assert_in_range(nr_before, 1, 16);
    assert_true(hvs_vcpu_deadline_ns(mock_vcpu(&c->mock, 0)) <= c->mock.now_ns);
    mock_save_load_save(&c->mock);
    mock_timer(&c->mock, 0);
    assert_int_equal(ring_of(c)->req_cons / sizeof(struct xsd_sockmsg), 2 * nr_before);
    for (uint32_t i = 0; i < NR; i++) {
        pull_message(c, &c->reply);
        assert_string_equal(c->reply.payload, "EINVAL");
    }
    assert_int_equal(ring_of(c)->req_cons, ring_of(c)->req_prod);
}

/* Replies wait for room, and requests for that of the replies. */
static void test_guest_that_does_not_read(void **state)
{
    enum { NR = 200 };
    char payload[2100] = "data/big";
    struct client *c = &client;
    uint32_t nr_sent = 0;

    (void)state;
    memset(payload + 9, 'v', 2000);
    ask_bytes(c, XS_WRITE, 0, payload, 2009);
    while (nr_sent < NR && XENSTORE_RING_SIZE - (ring_of(c)->req_prod - ring_of(c)->req_cons) >= 32) {
        put_request(c, XS_READ, "data/big", 9);
        kick(c);
        nr_sent++;
    }
    assert_in_range(nr_sent, 10, NR - 1);
    mock_save_load_save(&c->mock);
    for (uint32_t i = 0; i < nr_sent; i++) {
        pull_message(c, &c->reply);
        assert_int_equal(c->reply.head.len, 2000);
        assert_memory_equal(c->reply.payload, payload + 9, 2000);
    }
}

static void test_reset_makes_the_tree_anew(void **state)
{
    struct client *c = &client;

    (void)state;
    ask(c, XS_WRITE, "data/x|1");
    ask(c, XS_WATCH, "data|t|");
    begin_tx(c);
    assert_int_equal(mock_reset(&c->mock, 0), HVS_HANDLED);
    map_shared(&c->mock);
    assert_int_equal(get_param(&c->mock, HVM_PARAM_STORE_PFN), SPECIAL_GFN);
    assert_error(c, XS_READ, "data/x|", "ENOENT");
    assert_error(c, XS_UNWATCH, "data|t|", "ENOENT");
    assert_reply(c, XS_READ, "name|", "guest");
}

/* After a suspend: the connection is new, the tree is what it was. */
static void test_resume(void **state)
{
    struct client *c = &client;

    (void)state;
    ask(c, XS_WRITE, "data/x|1");
    ask(c, XS_WATCH, "data|t|");
    mock_host(&c->mock, 0, &hvs_xen_personality, HVS_XEN_RESUME, NULL);
    map_shared(&c->mock);
    assert_reply(c, XS_READ, "data/x|", "1");
    assert_error(c, XS_UNWATCH, "data|t|", "ENOENT");
}

static void test_host_requests(void **state)
{
    struct client *c = &client;
    char buffer[16];

    (void)state;
    assert_int_equal(host_write(c, "/a/b", "value"), HVS_OK);
    assert_int_equal(host_store(c, HVS_XEN_STORE_READ, "/a/b", (struct hvs_text){0}, buffer, 16), HVS_OK);
    assert_string_equal(buffer, "value");
    assert_int_equal(host_store(c, HVS_XEN_STORE_READ, "/a/b", (struct hvs_text){0}, buffer, 4), HVS_ENOSPC);
    assert_int_equal(host_store(c, HVS_XEN_STORE_READ, "/a/c", (struct hvs_text){0}, buffer, 16), HVS_ENOENT);
    assert_int_equal(host_store(c, HVS_XEN_STORE_READ, "a.b", (struct hvs_text){0}, buffer, 16), HVS_EINVAL);
    assert_int_equal(host_store(c, HVS_XEN_STORE_LIST, "/", (struct hvs_text){0}, buffer, 16), HVS_OK);
    assert_memory_equal(buffer, "a\0local\0vm", 11);
    assert_int_equal(host_store(c, HVS_XEN_STORE_LIST, "/", (struct hvs_text){0}, buffer, 10), HVS_ENOSPC);
    assert_int_equal(host_store(c, HVS_XEN_STORE_REMOVE, "/a", (struct hvs_text){0}, NULL, 0), HVS_OK);
    assert_int_equal(host_store(c, HVS_XEN_STORE_REMOVE, "/a", (struct hvs_text){0}, NULL, 0), HVS_OK);
    assert_int_equal(host_store(c, HVS_XEN_STORE_REMOVE, "/a/b", (struct hvs_text){0}, NULL, 0), HVS_ENOENT);
    assert_int_equal(host_store(c, HVS_XEN_STORE_SET_PERMS, "name", (struct hvs_text){"x", 2}, NULL, 0), HVS_EINVAL);
    assert_int_equal(host_store(c, HVS_XEN_STORE_WRITE, "big", (struct hvs_text){buffer, 4097}, NULL, 0), HVS_EINVAL);
}

static char told[256];

static void on_store(void *ctx, struct hvs_text path)
{
    char *at = told + strlen(told);

    assert_null(ctx);
    snprintf(at, sizeof(told) - strlen(told), "%.*s ", (int)path.bytes, path.text);
}

static void test_host_is_told(void **state)
{
    static const struct hvs_xen_options options = {.size = sizeof(options), .special_gfn = SPECIAL_GFN,
                                                   .on_store = on_store, .name = "named"};
    struct client *c = &client;
    uint32_t tx;

    teardown(state);
    start_client_with(c, &options);
    assert_string_equal(told, "");
    host_write(c, "data/y", "1");
    ask(c, XS_READ, "data/y|");
    ask(c, XS_WRITE, "name|1");
    assert_string_equal(told, "");
    ask(c, XS_WRITE, "data/x|1");
    ask(c, XS_RM, "data/x|");
    assert_string_equal(told, "/local/domain/1/data/x /local/domain/1/data/x ");
    tx = begin_tx(c);
    told[0] = '\0';
    ask_in(c, tx, XS_WRITE, "attr/z|1");
    assert_string_equal(told, "");
    ask_in(c, tx, XS_TRANSACTION_END, "T|");
    assert_string_equal(told, "/local/domain/1/attr/z ");
    assert_reply(c, XS_READ, "name|", "named");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_features, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guest_is_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_indices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reconnection_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guest_that_does_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_makes_the_tree_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
