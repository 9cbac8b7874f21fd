/* The string store: setting, replacing and removing, order, spaces, limits, save and load, also of damaged contents. */
#include "toy.h"

#include <hvshim/store.h>

#define TEXT(literal) ((struct hvs_text){(literal), sizeof(literal) - 1})

static void assert_value(struct hvs_ctx *ctx, struct hvs_text key, struct hvs_text expected)
{
    struct hvs_text value;

    assert_int_equal(hvs_store_get(ctx, key, &value), HVS_OK);
    assert_int_equal(value.bytes, expected.bytes);
    assert_memory_equal(value.text, expected.text, expected.bytes);
}

static void assert_absent(struct hvs_ctx *ctx, struct hvs_text key)
{
    struct hvs_text value;

    assert_int_equal(hvs_store_get(ctx, key, &value), HVS_ENOENT);
}

static int remove_shared(struct hvs_ctx *ctx, struct hvs_text key)
{
    uint32_t position;

    if (!hvs_store_find(ctx, HVS_STORE_SHARED, key, &position))
        return HVS_ENOENT;
    hvs_store_drop(ctx, position, 1);
    return HVS_OK;
}

static void test_set_replace_remove(void **state)
{
    struct hvs_ctx ctx = toy_ctx(*state, 0);

    assert_absent(&ctx, TEXT("metadata"));
    assert_int_equal(hvs_store_set(&ctx, TEXT("metadata"), TEXT("one")), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("meta"), (struct hvs_text){NULL, 0}), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("userdata"), TEXT("a\0b")), HVS_OK);
    assert_value(&ctx, TEXT("metadata"), TEXT("one"));
    assert_value(&ctx, TEXT("meta"), TEXT(""));
    assert_value(&ctx, TEXT("userdata"), TEXT("a\0b"));
    assert_int_equal(hvs_store_set(&ctx, TEXT("metadata"), TEXT("a longer one")), HVS_OK);
    assert_value(&ctx, TEXT("metadata"), TEXT("a longer one"));
    assert_value(&ctx, TEXT("userdata"), TEXT("a\0b"));
    assert_int_equal(remove_shared(&ctx, TEXT("meta")), HVS_OK);
    assert_int_equal(remove_shared(&ctx, TEXT("meta")), HVS_ENOENT);
    assert_absent(&ctx, TEXT("meta"));
    assert_value(&ctx, TEXT("userdata"), TEXT("a\0b"));
    assert_value(&ctx, TEXT("metadata"), TEXT("a longer one"));
}

static void test_order(void **state)
{
    static const char *const expected[] = {"a", "a/b", "a/b/c", "a/c", "a-", "a-/z", "b"};
    struct hvs_ctx ctx = toy_ctx(*state, 0);
    struct hvs_entry entry;
    uint32_t position;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(expected); i++) {
        const char *key = expected[(i * 3 + 2) % HVS_ARRAY_SIZE(expected)];

        assert_int_equal(hvs_store_set(&ctx, (struct hvs_text){key, (uint32_t)strlen(key)}, TEXT("v")), HVS_OK);
    }
    for (uint32_t i = 0; i < HVS_ARRAY_SIZE(expected); i++) {
        assert_true(hvs_store_at(&ctx, i, &entry));
        assert_int_equal(entry.key.bytes, strlen(expected[i]));
        assert_memory_equal(entry.key.text, expected[i], entry.key.bytes);
    }
    assert_false(hvs_store_at(&ctx, HVS_ARRAY_SIZE(expected), &entry));
    assert_true(hvs_store_find(&ctx, HVS_STORE_SHARED, TEXT("a/c"), &position));
    assert_int_equal(position, 3);
    assert_false(hvs_store_find(&ctx, HVS_STORE_SHARED, TEXT("a/bb"), &position));
    assert_int_equal(position, 3);
    assert_int_equal(hvs_store_seek(&ctx, HVS_STORE_SHARED, TEXT("a/\1")), 1);
    assert_int_equal(hvs_store_seek(&ctx, HVS_STORE_SHARED, TEXT("c")), 7);
    hvs_store_drop(&ctx, 1, 3);
    assert_absent(&ctx, TEXT("a/b/c"));
    assert_value(&ctx, TEXT("a"), TEXT("v"));
    assert_value(&ctx, TEXT("a-"), TEXT("v"));
}

static struct hvs_entry make(uint8_t space, struct hvs_text key, struct hvs_text tag, struct hvs_text value)
{
    return (struct hvs_entry){.space = space, .key = key, .tag = tag, .value = value};
}

static void assert_entry(struct hvs_ctx *ctx, struct hvs_entry expected)
{
    struct hvs_entry entry;
    uint32_t position;

    assert_true(hvs_store_find(ctx, expected.space, expected.key, &position));
    assert_true(hvs_store_at(ctx, position, &entry));
    assert_int_equal(entry.space, expected.space);
    assert_int_equal(entry.tag.bytes, expected.tag.bytes);
    assert_memory_equal(entry.tag.text, expected.tag.text, expected.tag.bytes);
    assert_int_equal(entry.value.bytes, expected.value.bytes);
    assert_memory_equal(entry.value.text, expected.value.text, expected.value.bytes);
}

/* Long keys are compared in pieces. */
static void test_order_of_long_keys(void **state)
{
    static const char *const ends[] = {"", "/", "/b", "/c", "-", "b"};
    struct hvs_ctx ctx = toy_ctx(*state, 0);
    char key[HVS_STORE_KEY_BYTES];

    memset(key, 'p', sizeof(key));
    for (uint32_t bytes = 60; bytes < 200; bytes++) {
        uint32_t position;

        hvs_store_clear_space(&ctx, HVS_STORE_SHARED);
        for (size_t i = HVS_ARRAY_SIZE(ends); i-- > 0;) {
            memcpy(key + bytes, ends[i], strlen(ends[i]));
            assert_int_equal(hvs_store_set(&ctx, (struct hvs_text){key, bytes + (uint32_t)strlen(ends[i])}, TEXT("v")),
                             HVS_OK);
        }
        for (size_t i = 0; i < HVS_ARRAY_SIZE(ends); i++) {
            memcpy(key + bytes, ends[i], strlen(ends[i]));
            assert_true(hvs_store_find(&ctx, HVS_STORE_SHARED,
                                       (struct hvs_text){key, bytes + (uint32_t)strlen(ends[i])}, &position));
            assert_int_equal(position, i);
        }
        key[bytes] = key[bytes + 1] = 'p';
    }
}

static void test_spaces_and_tags(void **state)
{
    const struct hvs_entry shared = make(HVS_STORE_SHARED, TEXT("k"), TEXT("t"), TEXT("shared"));
    const struct hvs_entry own = make(1, TEXT("k"), TEXT(""), TEXT("own"));
    const struct hvs_entry longer = make(1, TEXT("k"), TEXT("longer"), TEXT("own"));
    const struct hvs_entry other = make(2, TEXT("k"), TEXT("tag"), TEXT("other"));
    struct hvs_ctx ctx = toy_ctx(*state, 0);
    uint32_t position;

    assert_int_equal(hvs_store_put(&ctx, &other), HVS_OK);
    assert_int_equal(hvs_store_put(&ctx, &shared), HVS_OK);
    assert_int_equal(hvs_store_put(&ctx, &own), HVS_OK);
    assert_entry(&ctx, shared);
    assert_entry(&ctx, own);
    assert_entry(&ctx, other);
    assert_int_equal(hvs_store_set(&ctx, TEXT("k"), TEXT("changed")), HVS_OK);
    assert_entry(&ctx, make(HVS_STORE_SHARED, TEXT("k"), TEXT("t"), TEXT("changed")));
    assert_true(hvs_store_find(&ctx, 1, TEXT("k"), &position));
    assert_int_equal(hvs_store_put(&ctx, &longer), HVS_OK);
    assert_entry(&ctx, longer);
    hvs_store_move(&ctx, position, 2);
    assert_entry(&ctx, make(2, TEXT("k"), TEXT("longer"), TEXT("own")));
    assert_false(hvs_store_find(&ctx, 1, TEXT("k"), &position));
    mock_save_load_save(*state);
    ctx = toy_ctx(*state, 0);
    assert_entry(&ctx, make(2, TEXT("k"), TEXT("longer"), TEXT("own")));
    hvs_store_clear_space(&ctx, 2);
    assert_false(hvs_store_find(&ctx, 2, TEXT("k"), &position));
    assert_value(&ctx, TEXT("k"), TEXT("changed"));
}

/* Against an array of what ought to be there, in a store that is always nearly full. */
static void test_many_changes(void **state)
{
    enum { NR_KEYS = 40, NR_CHANGES = 20000, MAX_BYTES = 90 };
    struct mock *mock = *state;
    uint32_t length[NR_KEYS], random = 1, nr_full = 0;
    char value[MAX_BYTES], key[8] = "key";

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, NULL}, 1);
    mock->config.store_bytes = 1501;
    assert_int_equal(mock_start(mock), HVS_OK);

    struct hvs_ctx ctx = toy_ctx(mock, 0);

    memset(length, 0xff, sizeof(length));
    for (uint32_t i = 0; i < NR_CHANGES; i++) {
        random = random * 1664525 + 1013904223;

        uint32_t k = random >> 24 & 31, bytes = (random >> 16) % MAX_BYTES;
        struct hvs_text name = {key, 4}, found;

        key[3] = (char)('A' + k);
        memset(value, (int)(k + 1), sizeof(value));
        if (bytes % 4 == 3) {
            assert_int_equal(remove_shared(&ctx, name), length[k] == UINT32_MAX ? HVS_ENOENT : HVS_OK);
            length[k] = UINT32_MAX;
        } else if (hvs_store_set(&ctx, name, (struct hvs_text){value, bytes}) == HVS_OK) {
            length[k] = bytes;
        } else {
            nr_full++;
        }
        k = (k + i) % 32;
        key[3] = (char)('A' + k);
        memset(value, (int)(k + 1), sizeof(value));
        assert_int_equal(hvs_store_get(&ctx, name, &found), length[k] == UINT32_MAX ? HVS_ENOENT : HVS_OK);
        if (length[k] != UINT32_MAX) {
            assert_int_equal(found.bytes, length[k]);
            assert_memory_equal(found.text, value, found.bytes);
        }
    }
    assert_in_range(nr_full, 100, NR_CHANGES / 2);
    mock_save_load_save(mock);
}

static void test_limits_of_key_and_value(void **state)
{
    static char long_text[HVS_STORE_VALUE_BYTES + 1];
    struct hvs_ctx ctx = toy_ctx(*state, 0);
    struct hvs_text longest_key = {long_text, HVS_STORE_KEY_BYTES}, longest = {long_text, HVS_STORE_VALUE_BYTES};

    memset(long_text, 'x', sizeof(long_text));
    assert_int_equal(hvs_store_set(&ctx, TEXT(""), TEXT("v")), HVS_EINVAL);
    assert_int_equal(hvs_store_set(&ctx, longest_key, longest), HVS_OK);
    assert_value(&ctx, longest_key, longest);
    longest_key.bytes++;
    longest.bytes++;
    assert_int_equal(hvs_store_set(&ctx, longest_key, TEXT("v")), HVS_EINVAL);
    assert_int_equal(hvs_store_set(&ctx, TEXT("k"), longest), HVS_EINVAL);
    assert_absent(&ctx, TEXT("k"));
    assert_absent(&ctx, longest_key);
}

static struct hvs_text numbered(char key[8], uint32_t number)
{
    for (uint32_t i = 0; i < 7; i++)
        key[i] = (char)('0' + (number >> (3 * i) & 7));
    return (struct hvs_text){key, 7};
}

static void test_number_of_entries(void **state)
{
    struct mock *mock = *state;
    char key[8];

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, NULL}, 1);
    mock->config.store_bytes = 1 << 20;
    assert_int_equal(mock_start(mock), HVS_OK);

    struct hvs_ctx ctx = toy_ctx(mock, 0);

    for (uint32_t i = 0; i < HVS_STORE_MAX_ENTRIES; i++)
        assert_int_equal(hvs_store_set(&ctx, numbered(key, i), TEXT("v")), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("more"), TEXT("v")), HVS_ENOSPC);
    assert_int_equal(hvs_store_set(&ctx, numbered(key, 7), TEXT("w")), HVS_OK);
    assert_int_equal(remove_shared(&ctx, numbered(key, 8)), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("more"), TEXT("v")), HVS_OK);
}

/* Of key "k" and value "v" an entry takes 20 bytes, of key and 10 bytes 28. */
static void test_size_of_the_store(void **state)
{
    struct mock *mock = *state;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, NULL}, 1);
    mock->config.store_bytes = 48;
    assert_int_equal(mock_start(mock), HVS_OK);

    struct hvs_ctx ctx = toy_ctx(mock, 0);

    assert_int_equal(hvs_store_set(&ctx, TEXT("k"), TEXT("v")), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("l"), TEXT("0123456789")), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("m"), TEXT("")), HVS_ENOSPC);
    assert_int_equal(hvs_store_set(&ctx, TEXT("k"), TEXT("vvvv")), HVS_ENOSPC);
    assert_value(&ctx, TEXT("k"), TEXT("v"));
    assert_int_equal(hvs_store_set(&ctx, TEXT("l"), TEXT("012345678")), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("k"), TEXT("vvv")), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("l"), TEXT("012345678901")), HVS_ENOSPC);
    assert_value(&ctx, TEXT("l"), TEXT("012345678"));
}

static void test_without_a_view_there_is_none(void **state)
{
    struct mock *mock = *state;
    size_t with, without;

    assert_int_equal(hvs_vm_size(&mock->config, &with), HVS_OK);
    mock->config.slot[0] = mock->config.slot[1];
    mock->config.nr_slots = 1;
    assert_int_equal(hvs_vm_size(&mock->config, &without), HVS_OK);
    assert_true(with >= without + HVS_STORE_BYTES);
    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&trinket, NULL}, 1);
    assert_int_equal(mock_start(mock), HVS_OK);

    struct hvs_ctx ctx = toy_ctx(mock, 0);

    assert_int_equal(hvs_store_set(&ctx, TEXT("k"), TEXT("v")), HVS_ENOSPC);
}

static void test_reset_keeps_it(void **state)
{
    struct hvs_ctx ctx = toy_ctx(*state, 0);

    hvs_store_set(&ctx, TEXT("k"), TEXT("v"));
    mock_reset(*state, 0);
    assert_value(&ctx, TEXT("k"), TEXT("v"));
}

static void test_save_load_save(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);

    hvs_store_set(&ctx, TEXT("key"), TEXT("value"));
    hvs_store_set(&ctx, TEXT("empty"), TEXT(""));
    mock_save_load_save(mock);
    ctx = toy_ctx(mock, 0);
    assert_value(&ctx, TEXT("key"), TEXT("value"));
    assert_value(&ctx, TEXT("empty"), TEXT(""));
}

static void test_load_replaces_what_was_there(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    uint8_t stream[16384];
    size_t used;

    assert_int_equal(hvs_vm_save(mock->vm, stream, sizeof(stream), &used), HVS_OK);
    hvs_store_set(&ctx, TEXT("key"), TEXT("value"));
    assert_int_equal(hvs_vm_load(mock->vm, stream, used), HVS_OK);
    assert_absent(&ctx, TEXT("key"));
}

static void test_load_of_damaged_entries(void **state)
{
    static const struct {
        uint32_t value_bytes, key_bytes, bytes;
    } t[] = {
        {1, 0, 12},                             /* no key */
        {1, HVS_STORE_KEY_BYTES + 1, 272},      /* a long key */
        {HVS_STORE_VALUE_BYTES + 1, 1, 65544},  /* a long value */
        {9, 1, 16},                             /* more than there is */
        {UINT32_MAX, 1, 16},
        {1, UINT32_MAX, 16},
        {1, 1, 7},                              /* half a header */
        {1, 1, 17},                             /* half a second header */
    };
    struct mock *mock = *state;
    struct hvs_store *store = &mock->vm->store;
    uint8_t *bytes = calloc(1, 70000);

    assert_non_null(bytes);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        memcpy(bytes, &t[i].value_bytes, 4);
        memcpy(bytes + 4, &t[i].key_bytes, 4);
        assert_int_equal(hvs_store_load(store, bytes, t[i].bytes), HVS_EFORMAT);
        assert_int_equal(store->used, 0);
    }
    memcpy(bytes, (uint32_t[]){1, 1}, 8);
    assert_int_equal(hvs_store_load(store, bytes, 12), HVS_OK);
    assert_int_equal(store->nr_entries, 1);
    assert_int_equal(hvs_store_load(store, bytes, store->capacity + 4), HVS_EFORMAT);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_set_replace_remove, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_order, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_order_of_long_keys, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_spaces_and_tags, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_many_changes, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_limits_of_key_and_value, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_number_of_entries, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_size_of_the_store, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_without_a_view_there_is_none, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_reset_keeps_it, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_save_load_save, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_load_replaces_what_was_there, toy_setup, toy_teardown),
        cmocka_unit_test_setup_teardown(test_load_of_damaged_entries, toy_setup, toy_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
