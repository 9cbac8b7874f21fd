/* xenstore's watches: which events come, with what path, and that none is lost for good. */
#include "xs_test.h"

static void watch(struct client *c, const char *payload)
{
    assert_reply(c, XS_WATCH, payload, "OK|");
    pull_events(c);
    c->nr_events = 0;
}

static void test_first_event(void **state)
{
    struct client *c = &client;

    (void)state;
    assert_reply(c, XS_WATCH, "data/x|token 1|", "OK|");
    pull_events(c);
    assert_int_equal(c->nr_events, 1);
    assert_event(c, 0, "data/x", "token 1");
    assert_reply(c, XS_WATCH, "/local/domain/1/data|t|", "OK|");
    assert_reply(c, XS_WATCH, "@releaseDomain|u|", "OK|");
    assert_reply(c, XS_WATCH, "name||", "OK|");
    pull_events(c);
    assert_int_equal(c->nr_events, 4);
    assert_event(c, 1, "/local/domain/1/data", "t");
    assert_event(c, 2, "@releaseDomain", "u");
    assert_event(c, 3, "name", "");
}

static void test_what_is_told(void **state)
{
    struct client *c = &client;

    (void)state;
    watch(c, "data|rel|");
    watch(c, "/local/domain/1/data/a|abs|");
    ask(c, XS_WRITE, "data/a/b|1");
    pull_events(c);
    assert_int_equal(c->nr_events, 2);
    assert_event(c, 0, "/local/domain/1/data/a/b", "abs");
    assert_event(c, 1, "data/a/b", "rel");
    ask(c, XS_MKDIR, "data/a/b|");              /* it is there */
    ask(c, XS_WRITE, "data-not|1");
    ask(c, XS_WRITE, "attr/x|1");
    ask(c, XS_READ, "data/a|");
    pull_events(c);
    assert_int_equal(c->nr_events, 2);
    ask(c, XS_SET_PERMS, "data/a/b|b1|");
    pull_events(c);
    assert_int_equal(c->nr_events, 4);
    ask(c, XS_RM, "data|");                     /* what lies below has its own path */
    pull_events(c);
    assert_int_equal(c->nr_events, 6);
    assert_event(c, 4, "/local/domain/1/data/a", "abs");
    assert_event(c, 5, "data", "rel");
}

static void test_host_writes(void **state)
{
    const struct hvs_effect *effect;
    struct client *c = &client;

    (void)state;
    watch(c, "control/shutdown|s|");
    memset(c->mock.ram + SHARED_GPA, 0, HVS_PAGE_BYTES);
    assert_int_equal(host_write(c, "control/shutdown", "poweroff"), HVS_OK);
    assert_int_equal(mock_effects(&c->mock, HVS_EFFECT_INJECT, &effect), 1);
    pull_events(c);
    assert_int_equal(c->nr_events, 1);
    assert_event(c, 0, "control/shutdown", "s");
    assert_reply(c, XS_READ, "control/shutdown|", "poweroff");
    watch(c, "hidden|h|");
    assert_int_equal(host_write(c, "hidden", "x"), HVS_OK);
    assert_int_equal(host_store(c, HVS_XEN_STORE_SET_PERMS, "hidden", (struct hvs_text){"n0", 3}, NULL, 0), HVS_OK);
    pull_events(c);
    c->nr_events = 0;
    assert_int_equal(host_write(c, "hidden", "y"), HVS_OK);
    pull_events(c);
    assert_int_equal(c->nr_events, 0);
}

static void test_unwatch(void **state)
{
    struct client *c = &client;

    (void)state;
    watch(c, "data|t|");
    watch(c, "data|u|");
    assert_error(c, XS_WATCH, "data|t|", "EEXIST");
    assert_error(c, XS_WATCH, "/local/domain/1/data|t|", "EEXIST");
    assert_error(c, XS_UNWATCH, "data|v|", "ENOENT");
    assert_error(c, XS_UNWATCH, "data|t", "EINVAL");
    assert_error(c, XS_WATCH, "data|", "EINVAL");
    assert_error(c, XS_WATCH, "da.ta|t|", "EINVAL");
    assert_reply(c, XS_UNWATCH, "data|t|", "OK|");
    ask(c, XS_WRITE, "data/a|1");
    pull_events(c);
    assert_int_equal(c->nr_events, 1);
    assert_event(c, 0, "data/a", "u");
    assert_reply(c, XS_RESET_WATCHES, "|", "OK|");
    ask(c, XS_WRITE, "data/a|1");
    pull_events(c);
    assert_int_equal(c->nr_events, 1);
}

static void test_quota(void **state)
{
    struct client *c = &client;
    char payload[32];

    (void)state;
    for (uint32_t i = 0; i < 128; i++) {
        snprintf(payload, sizeof(payload), "data|t%u|", i);
        watch(c, payload);
    }
    assert_error(c, XS_WATCH, "data|more|", "E2BIG");
    assert_reply(c, XS_UNWATCH, "data|t0|", "OK|");
    watch(c, "data|more|");
}

/* The guest does not read: the queue fills, and all that it did not hear of is told in the end. */
static void test_none_is_lost(void **state)
{
    enum { NR_WATCHES = 30, NR_WRITES = 300 };
    struct client *c = &client;
    uint32_t nr_told[NR_WATCHES] = {0};
    char path[32];
    struct reply event;

    (void)state;
    for (uint32_t i = 0; i < NR_WATCHES; i++) {
        snprintf(path, sizeof(path), "data/w%u|%u|", i, i);
        watch(c, path);
    }
    for (uint32_t i = 0; i < NR_WRITES * NR_WATCHES; i++) {
        snprintf(path, sizeof(path), "data/w%u", i / NR_WRITES);
        assert_int_equal(host_write(c, path, "new"), HVS_OK);
    }
    mock_save_load_save(&c->mock);
    kick(c);
    while (ring_of(c)->rsp_prod != ring_of(c)->rsp_cons) {
        pull_message(c, &event);
        nr_told[atoi(event.payload + strlen(event.payload) + 1)]++;
        kick(c);
    }
    for (uint32_t i = 0; i < NR_WATCHES; i++)
        assert_true(nr_told[i] > 0);
    assert_reply(c, XS_READ, "data/w29|", "new");
}

/* Long paths and tokens; what is too long for a message cannot be told. */
static void test_long_tokens(void **state)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    struct client *c = &client;

    (void)state;
    memset(payload, 't', sizeof(payload));
    memcpy(payload, "data", 5);
    payload[4090] = payload[4095] = '\0';
    assert_string_equal(ask_bytes(c, XS_WATCH, 0, payload, 4091), "OK");
    pull_events(c);
    assert_int_equal(c->nr_events, 1);
    assert_int_equal(c->event[0].head.len, 4091);
    ask(c, XS_WRITE, "data/long-name|1");
    pull_events(c);
    assert_int_equal(c->nr_events, 1);
    payload[4090] = 't';
    assert_string_equal(ask_bytes(c, XS_WATCH, 0, payload, 4096), "OK");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unwatch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_tokens, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
