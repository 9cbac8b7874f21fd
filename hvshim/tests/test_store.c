/* The string store: setting, replacing and removing, its limits, and save and load of whole and of damaged contents. */
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
    assert_int_equal(hvs_store_remove(&ctx, TEXT("meta")), HVS_OK);
    assert_int_equal(hvs_store_remove(&ctx, TEXT("meta")), HVS_ENOENT);
    assert_absent(&ctx, TEXT("meta"));
    assert_value(&ctx, TEXT("userdata"), TEXT("a\0b"));
    assert_value(&ctx, TEXT("metadata"), TEXT("a longer one"));
}

static void test_next_lists_in_order_of_setting(void **state)
{
    static const char *const expected[] = {"b", "c", "a"};
    struct hvs_ctx ctx = toy_ctx(*state, 0);
    struct hvs_text key, value;
    uint32_t cursor = 0;

    assert_int_equal(hvs_store_next(&ctx, &cursor, &key, &value), HVS_ENOENT);
    hvs_store_set(&ctx, TEXT("a"), TEXT("1"));
    hvs_store_set(&ctx, TEXT("b"), TEXT("2"));
    hvs_store_set(&ctx, TEXT("c"), TEXT("3"));
    hvs_store_set(&ctx, TEXT("a"), TEXT("4"));
    for (size_t i = 0; i < HVS_ARRAY_SIZE(expected); i++) {
        assert_int_equal(hvs_store_next(&ctx, &cursor, &key, &value), HVS_OK);
        assert_int_equal(key.bytes, 1);
        assert_int_equal(key.text[0], expected[i][0]);
    }
    assert_int_equal(value.text[0], '4');
    assert_int_equal(hvs_store_next(&ctx, &cursor, &key, &value), HVS_ENOENT);
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
    struct hvs_ctx ctx = toy_ctx(*state, 0);
    char key[8];

    for (uint32_t i = 0; i < HVS_STORE_MAX_ENTRIES; i++)
        assert_int_equal(hvs_store_set(&ctx, numbered(key, i), TEXT("v")), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("more"), TEXT("v")), HVS_ENOSPC);
    assert_int_equal(hvs_store_set(&ctx, numbered(key, 7), TEXT("w")), HVS_OK);
    assert_int_equal(hvs_store_remove(&ctx, numbered(key, 8)), HVS_OK);
    assert_int_equal(hvs_store_set(&ctx, TEXT("more"), TEXT("v")), HVS_OK);
}

/* 32 bytes: an entry of key "k" and value "v" takes 12, of key and 16 bytes 28. */
static void test_size_of_the_store(void **state)
{
    struct mock *mock = *state;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, NULL}, 1);
    mock->config.store_bytes = 32;
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
        cmocka_unit_test_setup_teardown(test_next_lists_in_order_of_setting, toy_setup, toy_teardown),
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
