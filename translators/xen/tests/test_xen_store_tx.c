/* xenstore's transactions: what they see, what others see, conflicts, limits, save and load. */
#include "xs_test.h"

static int setup_nodes(void **state)
{
    setup(state);
    ask(&client, XS_WRITE, "data/a|1");
    ask(&client, XS_WRITE, "data/b/c|2");
    return 0;
}

static void test_isolation_and_commit(void **state)
{
    struct client *c = &client;
    uint32_t tx = begin_tx(c);

    (void)state;
    assert_true(tx > 0);
    assert_reply_in(c, tx, XS_WRITE, "data/a|10", "OK|");
    assert_reply_in(c, tx, XS_WRITE, "data/new/deep|x", "OK|");
    assert_reply_in(c, tx, XS_RM, "data/b|", "OK|");
    assert_reply_in(c, tx, XS_WRITE, "vm-data/v|y", "OK|");
    assert_reply_in(c, tx, XS_READ, "data/a|", "10");
    assert_reply_in(c, tx, XS_DIRECTORY, "data|", "a|new|");
    assert_reply_in(c, tx, XS_DIRECTORY, "vm-data|", "v|");
    assert_reply_in(c, tx, XS_READ, "data/b/c|", "ENOENT|");
    assert_reply_in(c, tx, XS_SET_PERMS, "data/new|r1|", "OK|");
    assert_reply(c, XS_READ, "data/a|", "1");
    assert_reply(c, XS_DIRECTORY, "data|", "a|b|");
    assert_reply(c, XS_READ, "data/b/c|", "2");
    mock_save_load_save(&c->mock);
    assert_reply_in(c, tx, XS_TRANSACTION_END, "T|", "OK|");
    assert_reply(c, XS_READ, "data/a|", "10");
    assert_reply(c, XS_DIRECTORY, "data|", "a|new|");
    assert_reply(c, XS_READ, "data/new/deep|", "x");
    assert_reply(c, XS_GET_PERMS, "data/new|", "r1|");
    assert_reply(c, XS_READ, "vm-data/v|", "y");
    assert_error(c, XS_READ, "data/b/c|", "ENOENT");
    assert_reply_in(c, tx, XS_READ, "data/a|", "ENOENT|");
}

/* What is removed hides the world below it, not what the transaction makes there afterwards. */
static void test_removed_and_made_anew(void **state)
{
    struct client *c = &client;
    uint32_t tx = begin_tx(c);

    (void)state;
    ask(c, XS_WRITE, "data/b/deep/er|1");
    ask(c, XS_WRITE, "vm-data/x/y|1");
    ask(c, XS_WRITE, "vm-data/z|1");
    ask_in(c, tx, XS_WRITE, "data/b/lost|1");
    assert_reply_in(c, tx, XS_RM, "data/b|", "OK|");
    assert_reply_in(c, tx, XS_WRITE, "data/b/deep/new|2", "OK|");
    assert_reply_in(c, tx, XS_DIRECTORY, "data/b|", "deep|");
    assert_reply_in(c, tx, XS_DIRECTORY, "data/b/deep|", "new|");
    assert_reply_in(c, tx, XS_READ, "data/b/deep/er|", "ENOENT|");
    assert_reply_in(c, tx, XS_RM, "vm-data|", "OK|");
    assert_reply_in(c, tx, XS_READ, "vm-data/z|", "ENOENT|");
    assert_reply(c, XS_READ, "vm-data/z|", "1");
    assert_reply_in(c, tx, XS_TRANSACTION_END, "T|", "OK|");
    assert_reply(c, XS_DIRECTORY, "data/b|", "deep|");
    assert_reply(c, XS_DIRECTORY, "data/b/deep|", "new|");
    assert_error(c, XS_READ, "vm-data/z|", "ENOENT");
}

/* What is found beside a node does not keep what is above it from being found. */
static void test_removed_above_and_beside(void **state)
{
    static const char *const home[] = {"data", "vm-data"};
    static const char *const beside[] = {"p/a", "p/b/a", "p/b/b/a", "p/b/b-", "p/b-"};
    struct client *c = &client;
    char node[32], other[32];

    (void)state;
    for (size_t h = 0; h < HVS_ARRAY_SIZE(home); h++) {
        uint32_t tx;

        snprintf(node, sizeof(node), "%s/p/b/b/b|", home[h]);
        assert_reply(c, XS_MKDIR, node, "OK|");
        for (size_t i = 0; i < HVS_ARRAY_SIZE(beside); i++) {
            snprintf(other, sizeof(other), "%s/%s|", home[h], beside[i]);
            assert_reply(c, XS_MKDIR, other, "OK|");
        }
        tx = begin_tx(c);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(beside); i++) {
            snprintf(other, sizeof(other), "%s/%s|", home[h], beside[i]);
            assert_reply_in(c, tx, XS_RM, other, "OK|");
            assert_reply_in(c, tx, XS_READ, other, "ENOENT|");
            assert_reply_in(c, tx, XS_READ, node, "");
        }
        snprintf(other, sizeof(other), "%s/p|", home[h]);
        assert_reply_in(c, tx, XS_RM, other, "OK|");
        assert_reply_in(c, tx, XS_READ, node, "ENOENT|");
        assert_reply(c, XS_READ, node, "");
    }
}

static void test_given_up(void **state)
{
    struct client *c = &client;
    uint32_t tx = begin_tx(c);

    (void)state;
    assert_reply_in(c, tx, XS_WRITE, "data/a|10", "OK|");
    assert_reply_in(c, tx, XS_RM, "data/b|", "OK|");
    assert_reply_in(c, tx, XS_MKDIR, "data/b/d|", "OK|");
    assert_reply_in(c, tx, XS_DIRECTORY, "data/b|", "d|");
    assert_reply_in(c, tx, XS_TRANSACTION_END, "F|", "OK|");
    assert_reply(c, XS_READ, "data/a|", "1");
    assert_reply(c, XS_DIRECTORY, "data/b|", "c|");
}

/* What the transaction has done; what happens meanwhile; whether it can end well. */
static void test_conflicts(void **state)
{
    static const struct {
        uint32_t own;
        const char *own_payload;
        uint32_t others;
        const char *others_payload;
        bool is_conflict;
    } t[] = {
        {XS_READ, "data/a|", XS_WRITE, "data/a|2", true},
        {XS_READ, "data/a|", XS_SET_PERMS, "data/a|b1|", true},
        {XS_READ, "data/a|", XS_RM, "data/a|", true},
        {XS_READ, "data/b/c|", XS_RM, "data/b|", true},
        {XS_READ, "data/a|", XS_WRITE, "data/b/c|3", false},
        {XS_READ, "data/a|", XS_READ, "data/a|", false},
        {XS_WRITE, "data/a|3", XS_WRITE, "data/a|4", true},
        {XS_WRITE, "data/a|3", XS_READ, "data/a|", false},
        {XS_READ, "data/n|", XS_WRITE, "data/n|", true},
        {XS_WRITE, "data/n|1", XS_WRITE, "data/n|2", true},
        {XS_DIRECTORY, "data|", XS_WRITE, "data/n|", true},
        {XS_DIRECTORY, "data|", XS_RM, "data/a|", true},
        {XS_DIRECTORY, "data|", XS_WRITE, "data/a|5", false},
        {XS_RM, "data/b|", XS_WRITE, "data/b/c|6", true},
        {XS_RM, "data/b|", XS_WRITE, "data/b/d|6", true},
        {XS_RM, "data/b|", XS_WRITE, "data/b/e/f/g|6", true},
        {XS_RM, "data/b|", XS_WRITE, "data/bb|6", false},
        {XS_RM, "data/b|", XS_WRITE, "data/a|6", false},
        {XS_DIRECTORY, "vm-data|", XS_RM, "vm-data|", true},
        {XS_MKDIR, "data/b|", XS_WRITE, "attr/x|", false},
        {XS_READ, "vm-data/x|", XS_WRITE, "vm-data/x|", true},
        {XS_DIRECTORY, "vm-data|", XS_WRITE, "vm-data/x|", true},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct client *c = &client;
        uint32_t tx = begin_tx(c);

        ask_in(c, tx, t[i].own, t[i].own_payload);
        ask(c, t[i].others, t[i].others_payload);
        ask_in(c, tx, XS_TRANSACTION_END, "T|");
        if (strcmp(c->reply.payload, t[i].is_conflict ? "EAGAIN" : "OK"))
            fail_msg("%zu: %s", i, c->reply.payload);
        teardown(state);
        setup_nodes(state);
    }
}

static void test_two_transactions(void **state)
{
    struct client *c = &client;
    uint32_t first = begin_tx(c), second = begin_tx(c);

    (void)state;
    assert_int_not_equal(first, second);
    assert_reply_in(c, first, XS_WRITE, "data/a|first", "OK|");
    assert_reply_in(c, second, XS_WRITE, "data/a|second", "OK|");
    assert_reply_in(c, second, XS_TRANSACTION_END, "T|", "OK|");
    assert_reply_in(c, first, XS_READ, "data/a|", "first");
    assert_reply_in(c, first, XS_TRANSACTION_END, "T|", "EAGAIN|");
    assert_reply(c, XS_READ, "data/a|", "second");
    first = begin_tx(c);
    assert_reply_in(c, first, XS_READ, "data/a|", "second");
    assert_int_equal(host_write(c, "data/a", "host"), HVS_OK);
    assert_reply_in(c, first, XS_TRANSACTION_END, "T|", "EAGAIN|");
}

static void test_limits(void **state)
{
    struct client *c = &client;
    uint32_t tx = begin_tx(c), i;
    char payload[32];

    (void)state;
    assert_reply_in(c, tx, XS_TRANSACTION_START, "|", "EBUSY|");
    for (i = 1; i < 10; i++)
        assert_true(begin_tx(c) > 0);
    assert_error(c, XS_TRANSACTION_START, "|", "ENOSPC");
    for (i = 0; i < 2000; i++) {
        snprintf(payload, sizeof(payload), "data/n%u|", i);
        if (strcmp(ask_in(c, tx, XS_MKDIR, payload), "OK"))
            break;
    }
    assert_string_equal(c->reply.payload, "ENOSPC");
    assert_in_range(i, 1000, 1024);
    assert_reply(c, XS_DIRECTORY, "data|", "a|b|");
    assert_reply(c, XS_RESET_WATCHES, "|", "OK|");
    assert_reply_in(c, tx, XS_READ, "data/a|", "ENOENT|");
    tx = begin_tx(c);
    assert_reply_in(c, tx, XS_DIRECTORY, "data|", "a|b|");
}

/* Below what it has removed a transaction looks at nothing, and still what it makes there counts. */
static void test_limit_below_removed(void **state)
{
    struct client *c = &client;
    uint32_t tx = begin_tx(c), i;
    char payload[32];

    (void)state;
    assert_reply_in(c, tx, XS_RM, "data/b|", "OK|");
    for (i = 0; i < 2000; i++) {
        snprintf(payload, sizeof(payload), "data/b/n%u|", i);
        if (strcmp(ask_in(c, tx, XS_MKDIR, payload), "OK"))
            break;
    }
    assert_string_equal(c->reply.payload, "ENOSPC");
    assert_in_range(i, 1000, 1024);
}

/* Short entries: there are as many as the store can number, long before it is full. */
static void test_entries_are_left_to_the_host(void **state)
{
    enum { NR_TX = 10, PER_TX = 1000 };
    struct client *c = &client;
    char payload[32];

    (void)state;
    for (uint32_t i = 0; i <= NR_TX; i++) {
        uint32_t tx = i ? begin_tx(c) : 0;

        for (uint32_t n = 0; n < PER_TX; n++) {
            snprintf(payload, sizeof(payload), "vm-data/%x|", n);
            ask_in(c, tx, XS_WRITE, payload);
        }
    }
    assert_string_equal(c->reply.payload, "ENOSPC");
    assert_int_equal(host_write(c, "from-host", "1"), HVS_OK);
}

static void test_watches_are_told_at_the_end(void **state)
{
    struct client *c = &client;
    uint32_t tx;

    (void)state;
    ask(c, XS_WATCH, "data|t|");
    pull_events(c);
    c->nr_events = 0;
    tx = begin_tx(c);
    ask_in(c, tx, XS_WRITE, "data/a|9");
    ask_in(c, tx, XS_RM, "data/b|");
    pull_events(c);
    assert_int_equal(c->nr_events, 0);
    ask_in(c, tx, XS_TRANSACTION_END, "T|");
    pull_events(c);
    assert_int_equal(c->nr_events, 2);
    assert_event(c, 0, "data/b", "t");
    assert_event(c, 1, "data/a", "t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_isolation_and_commit, setup_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_removed_and_made_anew, setup_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_removed_above_and_beside, setup_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_given_up, setup_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_conflicts, setup_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_two_transactions, setup_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_limit_below_removed, setup_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_entries_are_left_to_the_host, setup_nodes, teardown),
        cmocka_unit_test_setup_teardown(test_watches_are_told_at_the_end, setup_nodes, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
