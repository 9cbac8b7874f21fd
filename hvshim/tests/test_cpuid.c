/* CPUID: what is shown follows what is served. */
#include "toy.h"

enum { DEFAULT_BITS = 0x3f };           /* CALLS..HINT; RARE is off, HOLLOW has nothing behind it */

static uint32_t shown_features(struct mock *mock)
{
    return mock_cpuid(mock, 0, 0x40000001, 0).reg[HVS_EAX] & 0xff;
}

static void test_leaves(void **state)
{
    static const struct {
        uint32_t leaf, subleaf;
        struct hvs_cpuid_regs regs;
    } cases[] = {
        {0x40000000, 0, {{0x40000004, 0x796f74, 0x796f74, 0x796f74}}},
        {0x40000000, 9, {{0x40000004, 0x796f74, 0x796f74, 0x796f74}}},  /* no subleaves: all are alike */
        {0x40000001, 0, {{0x10000 | DEFAULT_BITS}}},
        {0x40000002, 0, {{0x20}}},
        {0x40000002, 1, {{0x21, 0, 0x80000000, 0}}},
        {0x40000002, 2, {{0}}},
        {0x40000002, UINT32_MAX, {{0}}},
        {0x40000003, 0, {{0}}},
        {0x40000004, 0, {{0, 0, 0, 0x401}}},
        {0x40000005, 0, {{0}}},
        {0x400000ff, 0, {{0}}},
        {0x40000100, 0, {{0x40000101}}},
        {0x40000101, 0, {{0x71}}},
        {0x400001ff, 0, {{0}}},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct hvs_cpuid_regs regs = mock_cpuid(*state, 1, cases[i].leaf, cases[i].subleaf);

        assert_memory_equal(&regs, &cases[i].regs, sizeof(regs));
    }
}

static void test_leaves_of_others(void **state)
{
    static const uint32_t leaves[] = {0, 1, 0x3fffffff, 0x40000200, 0x40010000, 0x80000000, UINT32_MAX};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(leaves); i++) {
        struct hvs_regs before;

        mock->regs.rax = leaves[i];
        mock->regs.rbx = 0xb;
        before = mock->regs;
        assert_int_equal(hvs_vcpu_exit(mock_vcpu(mock, 0), &(struct hvs_exit){.kind = HVS_EXIT_CPUID}, &mock->regs,
                                       &mock->out), HVS_UNHANDLED);
        assert_memory_equal(&mock->regs, &before, sizeof(before));
        assert_false(mock->out.regs_changed);
    }
}

/* The instruction reads EAX and ECX, and clears the upper halves. */
static void test_only_low_halves_are_read(void **state)
{
    struct mock *mock = *state;

    mock->regs.rax = 0xdeadbeef40000002;
    mock->regs.rcx = 0xdeadbeef00000001;
    mock->regs.rbx = mock->regs.rdx = UINT64_MAX;
    assert_int_equal(hvs_vcpu_exit(mock_vcpu(mock, 0), &(struct hvs_exit){.kind = HVS_EXIT_CPUID}, &mock->regs,
                                   &mock->out), HVS_HANDLED);
    assert_true(mock->out.regs_changed);
    assert_int_equal(mock->regs.rax, 0x21);
    assert_int_equal(mock->regs.rbx, 0);
    assert_int_equal(mock->regs.rcx, 0x80000000);
    assert_int_equal(mock->regs.rdx, 0);
}

static void test_bits_follow_features(void **state)
{
    struct mock *mock = *state;
    uint32_t caps = mock->config.caps;

    assert_int_equal(shown_features(mock), DEFAULT_BITS);
    toy_restart(mock, caps, 0, 1ull << TOY_FEATURE_HINT);
    assert_int_equal(shown_features(mock), DEFAULT_BITS & ~(1u << TOY_FEATURE_HINT));
    toy_restart(mock, caps, 1ull << TOY_FEATURE_RARE, 0);
    assert_int_equal(shown_features(mock), DEFAULT_BITS | 1u << TOY_FEATURE_RARE);
    toy_restart(mock, caps & ~(uint32_t)HVS_CAP_TIMER, 0, 0);
    assert_int_equal(shown_features(mock), DEFAULT_BITS & ~(1u << TOY_FEATURE_TIMERS));
    toy_restart(mock, caps, 0, 1ull << TOY_FEATURE_CALLS);      /* XMM goes with it */
    assert_int_equal(shown_features(mock), DEFAULT_BITS & ~3u);
    assert_int_equal(mock_cpuid(mock, 0, 0x40000002, 1).reg[HVS_ECX], 0);
}

static void test_offloaded_features_are_shown(void **state)
{
    struct mock *mock = *state;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, NULL}, 1);
    mock->config.slot[0].features_offloaded = 1ull << TOY_FEATURE_HOLLOW | 1ull << TOY_FEATURE_RARE;
    assert_int_equal(mock_start(mock), HVS_OK);
    assert_int_equal(shown_features(mock), DEFAULT_BITS | 1u << TOY_FEATURE_HOLLOW);    /* RARE is not on */
}

static void test_the_table_says_what_exits_say(void **state)
{
    struct mock *mock = *state;
    struct hvs_cpuid_leaf leaf[16];
    uint32_t nr = HVS_ARRAY_SIZE(leaf);

    assert_int_equal(hvs_vcpu_cpuid(mock_vcpu(mock, 2), leaf, &nr), HVS_OK);
    assert_int_equal(nr, toy.nr_cpuid + trinket.nr_cpuid);
    for (uint32_t i = 0; i < nr; i++) {
        struct hvs_cpuid_regs regs = mock_cpuid(mock, 2, leaf[i].leaf, leaf[i].subleaf);

        assert_memory_equal(&leaf[i].regs, &regs, sizeof(regs));
    }
}

static void test_a_table_without_room(void **state)
{
    struct hvs_cpuid_leaf leaf[16];
    uint32_t needed = toy.nr_cpuid + trinket.nr_cpuid;

    for (uint32_t capacity = 0; capacity <= needed; capacity++) {
        uint32_t nr = capacity;

        memset(leaf, 0xcc, sizeof(leaf));
        assert_int_equal(hvs_vcpu_cpuid(mock_vcpu(*state, 0), leaf, &nr), capacity < needed ? HVS_ENOSPC : HVS_OK);
        assert_int_equal(nr, needed);
        for (size_t i = capacity * sizeof(leaf[0]); i < sizeof(leaf); i++)
            assert_int_equal(((uint8_t *)leaf)[i], 0xcc);
    }
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_leaves),
    TOY_TEST(test_leaves_of_others),
    TOY_TEST(test_only_low_halves_are_read),
    TOY_TEST(test_bits_follow_features),
    TOY_TEST(test_offloaded_features_are_shown),
    TOY_TEST(test_the_table_says_what_exits_say),
    TOY_TEST(test_a_table_without_room),
};
TOY_MAIN(tests)
