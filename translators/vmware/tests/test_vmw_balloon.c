/* The balloon: Linux's way through it, batches of both page sizes, and a guest that gives what is not its to give. */
#include "vmw_rpc_test.h"

enum { BATCH_GFN = 8, BATCH = BATCH_GFN << 12, ALL_CAPS = 0x1e, RAM_PAGES = MOCK_RAM_BYTES >> 12 };

static struct {
    uint64_t gfn;
    uint32_t nr_pages, nr_calls;
    bool gives;
} told;

static void on_balloon(void *ctx, uint64_t gfn, uint32_t nr_pages, bool gives)
{
    assert_ptr_equal(ctx, &told);
    told.gfn = gfn;
    told.nr_pages = nr_pages;
    told.gives = gives;
    told.nr_calls++;
}

static const struct hvs_vmw_options options = {.size = sizeof(options), .ctx = &told, .on_balloon = on_balloon};

static int setup(void **state)
{
    static struct mock mock;

    memset(&told, 0, sizeof(told));
    start_with_options(&mock, &options);
    *state = &mock;
    return 0;
}

static uint32_t balloon(struct mock *mock, uint32_t command, uint32_t ebx, uint32_t esi)
{
    set_marked_regs(mock, BALLOON_BDOOR_MAGIC, command);
    mock->regs.rbx = UPPER(0xb) | ebx;
    mock->regs.rsi = UPPER(0x5) | esi;
    assert_int_equal(mock_in(mock, 0, BALLOON_BDOOR_PORT, 4), HVS_HANDLED);
    assert_upper_halves_kept(&mock->regs);
    assert_int_equal((uint32_t)mock->regs.rsi, esi);
    return (uint32_t)mock->regs.rax;
}

static void set_target(struct mock *mock, uint64_t pages)
{
    assert_int_equal(host_request(mock, HVS_VMW_BALLOON, &(struct hvs_vmw_balloon){.target_pages = pages}), HVS_OK);
}

static struct hvs_vmw_balloon get(struct mock *mock)
{
    struct hvs_vmw_balloon request = {.target_pages = 77};

    assert_int_equal(host_request(mock, HVS_VMW_BALLOON, &request), HVS_OK);
    return request;
}

static void start(struct mock *mock)
{
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_START, ALL_CAPS, 0), BALLOON_SUCCESS_WITH_CAPABILITIES);
    assert_int_equal((uint32_t)mock->regs.rcx,
                     BALLOON_BASIC_CMDS | BALLOON_BATCHED_CMDS | BALLOON_BATCHED_2M_CMDS);
}

static void test_start_and_target(void **state)
{
    struct mock *mock = *state;

    set_target(mock, 5);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_TARGET, 0, 0), BALLOON_ERROR_RESET);
    assert_false(get(mock).is_there);
    set_target(mock, 5);
    start(mock);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_GUEST_ID, 1, 0), BALLOON_SUCCESS);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_TARGET, 1000, 0), BALLOON_SUCCESS);
    assert_int_equal((uint32_t)mock->regs.rbx, 5);
    assert_true(get(mock).is_there);
    assert_int_equal(host_request(mock, HVS_VMW_BALLOON, &(struct hvs_vmw_balloon){.target_pages = 1ull << 32}),
                     HVS_EINVAL);
}

static void test_single_pages(void **state)
{
    struct mock *mock = *state;

    start(mock);
    set_target(mock, 2);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_LOCK, 20, 0), BALLOON_SUCCESS);
    assert_int_equal((uint32_t)mock->regs.rbx, 2);
    assert_true(told.gives && told.gfn == 20 && told.nr_pages == 1);
    assert_int_equal(get(mock).locked_pages, 1);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_UNLOCK, 20, 0), BALLOON_SUCCESS);
    assert_true(!told.gives && told.gfn == 20 && told.nr_pages == 1);
    assert_int_equal(get(mock).locked_pages, 0);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_UNLOCK, 20, 0), BALLOON_ERROR_PPN_UNLOCKED);
    assert_int_equal(told.nr_calls, 2);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_LOCK, RAM_PAGES, 0), BALLOON_ERROR_PPN_INVALID);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_LOCK, 0xffffffff, 0), BALLOON_ERROR_PPN_INVALID);
    assert_int_equal(told.nr_calls, 2);
    assert_int_equal((uint32_t)mock->regs.rbx, 0xffffffff);     /* no target where it failed */
}

static void test_capabilities(void **state)
{
    static const uint32_t needs[] = {[2] = BALLOON_BASIC_CMDS, [3] = BALLOON_BASIC_CMDS, [6] = BALLOON_BATCHED_CMDS,
                                     [7] = BALLOON_BATCHED_CMDS, [8] = BALLOON_BATCHED_2M_CMDS,
                                     [9] = BALLOON_BATCHED_2M_CMDS};
    struct mock *mock = *state;

    for (uint32_t caps = 2; caps <= ALL_CAPS; caps += 2) {
        balloon(mock, BALLOON_BDOOR_CMD_START, caps, 0);
        assert_int_equal((uint32_t)mock->regs.rcx, caps & 0xe);
        if ((caps & 0xe) == 0)
            continue;
        for (uint32_t command = 2; command <= 9; command++) {
            bool is_there = command < HVS_ARRAY_SIZE(needs) && needs[command] & caps;
            uint32_t status = command == BALLOON_BDOOR_CMD_GUEST_ID ? 0 : balloon(mock, command, BATCH_GFN, 1);

            if (command != BALLOON_BDOOR_CMD_GUEST_ID)
                assert_int_equal(status == BALLOON_ERROR_CMD_INVALID, !is_there);
        }
    }
    start(mock);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_VMCI_DOORBELL_SET, 0, 0), BALLOON_ERROR_CMD_INVALID);
    assert_int_equal(balloon(mock, 11, 0, 0), BALLOON_ERROR_CMD_INVALID);
    assert_int_equal(balloon(mock, 0xffff, 0, 0), BALLOON_ERROR_CMD_INVALID);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_START, 0, 0), BALLOON_SUCCESS_WITH_CAPABILITIES);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_TARGET, 0, 0), BALLOON_ERROR_RESET);
}

static void put_entries(struct mock *mock, const uint64_t *entry, uint32_t nr)
{
    memcpy(mock->ram + BATCH, entry, nr * sizeof(*entry));
}

static uint64_t entry_at(const struct mock *mock, uint32_t i)
{
    uint64_t entry;

    memcpy(&entry, mock->ram + BATCH + 8 * i, sizeof(entry));
    return entry;
}

static void test_batches(void **state)
{
    const uint64_t entry[] = {20 << 12, 0xfee00000, 21 << 12 | 0xfff, UINT64_MAX, 22 << 12};
    struct mock *mock = *state;

    start(mock);
    set_target(mock, 3);
    put_entries(mock, entry, 5);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_BATCHED_LOCK, BATCH_GFN, 4), BALLOON_SUCCESS);
    assert_int_equal((uint32_t)mock->regs.rbx, 3);
    assert_int_equal(entry_at(mock, 0), 20 << 12);
    assert_int_equal(entry_at(mock, 1), 0xfee00000 | BALLOON_ERROR_PPN_INVALID);
    assert_int_equal(entry_at(mock, 2), 21 << 12);
    assert_int_equal(entry_at(mock, 3), (UINT64_MAX & ~0xfffull) | BALLOON_ERROR_PPN_INVALID);
    assert_int_equal(entry_at(mock, 4), entry[4]);      /* not in this batch */
    assert_int_equal(told.nr_calls, 2);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_BATCHED_UNLOCK, BATCH_GFN, 5), BALLOON_SUCCESS);
    assert_int_equal(entry_at(mock, 0), 20 << 12);
    assert_int_equal(entry_at(mock, 4), 22 << 12 | BALLOON_ERROR_PPN_UNLOCKED);
    assert_int_equal(get(mock).locked_pages, 0);
}

static void test_batches_of_bad_size_or_place(void **state)
{
    struct mock *mock = *state;

    start(mock);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_BATCHED_LOCK, BATCH_GFN, 0), BALLOON_ERROR_CMD_INVALID);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_BATCHED_LOCK, BATCH_GFN, 513), BALLOON_ERROR_CMD_INVALID);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_BATCHED_LOCK, BATCH_GFN, UINT32_MAX), BALLOON_ERROR_CMD_INVALID);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_BATCHED_LOCK, RAM_PAGES, 1), BALLOON_ERROR_PPN_INVALID);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_BATCHED_LOCK, UINT32_MAX, 512), BALLOON_ERROR_PPN_INVALID);
    assert_int_equal(told.nr_calls, 0);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_BATCHED_LOCK, RAM_PAGES - 1, 512), BALLOON_SUCCESS);
}

/* The mock's RAM is 1 MiB, so no 2 MiB page is all RAM. */
static void test_large_pages(void **state)
{
    const uint64_t entry[] = {0, 20 << 12};
    struct mock *mock = *state;

    start(mock);
    put_entries(mock, entry, 2);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_BATCHED_2M_LOCK, BATCH_GFN, 2), BALLOON_SUCCESS);
    assert_int_equal(entry_at(mock, 0), BALLOON_ERROR_PPN_INVALID);
    assert_int_equal(entry_at(mock, 1), 20 << 12 | BALLOON_ERROR_PPN_INVALID);
    assert_int_equal(told.nr_calls, 0);
}

/* Giving one page again and again cannot count for more than there is. */
static void test_more_than_there_is(void **state)
{
    struct mock *mock = *state;

    start(mock);
    for (uint32_t i = 0; i < RAM_PAGES; i++)
        assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_LOCK, 20, 0), BALLOON_SUCCESS);
    assert_int_equal(balloon(mock, BALLOON_BDOOR_CMD_LOCK, 20, 0), BALLOON_ERROR_PPN_NOTNEEDED);
    assert_int_equal(get(mock).locked_pages, RAM_PAGES);
    start(mock);
    assert_int_equal(get(mock).locked_pages, 0);
}

static void test_who_may_not(void **state)
{
    struct mock *mock = *state;

    set_marked_regs(mock, BALLOON_BDOOR_MAGIC, BALLOON_BDOOR_CMD_START);
    mock->regs.cpl = 3;
    assert_int_equal(mock_in(mock, 0, BALLOON_BDOOR_PORT, 4), HVS_UNHANDLED);
    mock->regs.cpl = 0;
    assert_int_equal(mock_in(mock, 0, BALLOON_BDOOR_PORT, 2), HVS_UNHANDLED);
    assert_int_equal(mock_out(mock, 0, BALLOON_BDOOR_PORT, 4), HVS_UNHANDLED);
    mock->regs.rax = BDOOR_MAGIC;
    assert_int_equal(mock_in(mock, 0, BALLOON_BDOOR_PORT, 4), HVS_UNHANDLED);
    mock_stop(mock);
    mock_start_one(mock, &hvs_vmw_personality, 1);
    set_marked_regs(mock, BALLOON_BDOOR_MAGIC, BALLOON_BDOOR_CMD_START);
    assert_int_equal(mock_in(mock, 0, BALLOON_BDOOR_PORT, 4), HVS_UNHANDLED);
}

static void test_statistics(void **state)
{
    struct mock *mock = *state;
    struct channel c = open_channel(mock, RPCI_PROTOCOL_NUM);
    const char *reply;
    uint32_t nr, value;
    uint64_t ms;

    start(mock);
    for (uint32_t i = 0; i < RAM_PAGES; i++)
        balloon(mock, BALLOON_BDOOR_CMD_LOCK, i, 0);
    mock->vcpu_time[0].ran_ns = 7000000;
    mock_advance(mock, 42100000);
    send_text(&c, "guestlib.info.get 2");
    reply = receive_bytes(&c, &nr);
    assert_int_equal(nr, 2 + 669);
    assert_memory_equal(reply, "1 \2\0\0\0", 6);
    memcpy(&ms, reply + 2 + 40, 8);
    assert_int_equal(ms, 7);                    /* CPU time */
    memcpy(&value, reply + 2 + 52, 4);
    assert_int_equal(value, 2500);              /* MHz */
    assert_int_equal(reply[2 + 104], 1);
    memcpy(&value, reply + 2 + 108, 4);
    assert_int_equal(value, 1);                 /* MiB ballooned */
    memcpy(&ms, reply + 2 + 148, 8);
    assert_int_equal(ms, 42);
    assert_int_equal(reply[2 + 12], 0);         /* no CPU reservation is known */
    assert_string_equal(rpc(&c, "guestlib.info.get 3"), "0 Unsupported version");
    assert_string_equal(rpc(&c, "guestlib.info.get"), "0 Unsupported version");
}

#define BALLOON_TEST(name) cmocka_unit_test_setup_teardown(name, setup, vmw_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BALLOON_TEST(test_start_and_target),
        BALLOON_TEST(test_single_pages),
        BALLOON_TEST(test_capabilities),
        BALLOON_TEST(test_batches),
        BALLOON_TEST(test_batches_of_bad_size_or_place),
        BALLOON_TEST(test_large_pages),
        BALLOON_TEST(test_more_than_there_is),
        BALLOON_TEST(test_who_may_not),
        BALLOON_TEST(test_statistics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
