#include "patch.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

enum { TEXT_BYTES = 256 };

static uint8_t text[TEXT_BYTES];

/* A hypercall function at `at`: VMMCALL or VMCALL, and RET, or JMP to `target`. */
static void put(size_t at, bool is_vmmcall, int32_t target)
{
    int32_t relative = target - (int32_t)at - 8;

    memcpy(text + at, is_vmmcall ? "\x0f\x01\xd9" : "\x0f\x01\xc1", 3);
    text[at + 3] = target < 0 ? 0xc3 : 0xe9;
    if (target >= 0)
        memcpy(text + at + 4, &relative, 4);
}

static void assert_patched(size_t at)
{
    assert_memory_equal(text + at, "\xe6\xe7\x90", 3);
}

static int setup(void **state)
{
    (void)state;
    memset(text, 0xcc, sizeof(text));
    return 0;
}

static void test_pairs(void **state)
{
    static const struct {
        size_t at, distance;
        bool vmmcall_first;
        int32_t target;
    } row[] = {
        {0, 16, true, 200},                     /* Linux 6.1 */
        {3, 32, true, 0},                       /* Linux 6.12, with ENDBR between */
        {100, 64, false, -1},
        {TEXT_BYTES - 32 - 8, 32, true, -1},    /* up to the last byte */
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(row); i++) {
        setup(state);
        put(row[i].at, row[i].vmmcall_first, row[i].target);
        put(row[i].at + row[i].distance, !row[i].vmmcall_first, row[i].target);
        assert_int_equal(hvs_kvm_patch_text(text, sizeof(text)), 1);
        assert_patched(row[i].at);
        assert_patched(row[i].at + row[i].distance);
        assert_int_equal(text[row[i].at + 3], row[i].target < 0 ? 0xc3 : 0xe9);
        assert_int_equal(hvs_kvm_patch_text(text, sizeof(text)), 0);
    }
}

/* KVM's own code, SEV's, alternatives: one of a kind, or not the same return. */
static void test_others_stay(void **state)
{
    uint8_t before[TEXT_BYTES];

    (void)state;
    put(0, true, 200);
    put(16, false, 201);        /* another target */
    put(40, true, -1);
    put(56, true, -1);          /* twice the same */
    put(80, true, -1);
    put(96, false, 200);        /* RET and JMP */
    put(140, true, -1);
    put(160, false, -1);        /* 20 bytes apart */
    put(TEXT_BYTES - 8, true, -1);
    memcpy(before, text, sizeof(text));
    assert_int_equal(hvs_kvm_patch_text(text, sizeof(text)), 0);
    assert_memory_equal(text, before, sizeof(text));
}

static void test_two_pairs(void **state)
{
    (void)state;
    put(0, true, 200);
    put(16, false, 200);
    put(128, true, -1);
    put(160, false, -1);
    assert_int_equal(hvs_kvm_patch_text(text, sizeof(text)), 2);
    assert_patched(0);
    assert_patched(160);
}

/* Nothing is read or written behind the end, wherever the text is cut. */
static void test_cut(void **state)
{
    for (size_t bytes = 0; bytes < 16 + 8; bytes++) {
        setup(state);
        put(0, true, 100);
        put(16, false, 100);
        assert_int_equal(hvs_kvm_patch_text(text, bytes), 0);
        assert_int_equal(text[0], 0x0f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pairs, setup),
        cmocka_unit_test_setup(test_others_stay, setup),
        cmocka_unit_test_setup(test_two_pairs, setup),
        cmocka_unit_test_setup(test_cut, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
