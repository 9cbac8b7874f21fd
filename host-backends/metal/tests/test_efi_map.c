/* UEFI's memory map: what is ours becomes reserved, wherever it lies, and nothing else changes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "../common/metal.h"

enum { ENTRY_BYTES = 48, RESERVED = 0, BOOT_DATA = 4, FREE = 7, RUNTIME = 6 };

struct entry {
    uint32_t type, pad;
    uint64_t start, virtual_start, nr_pages, attribute, more;
};

static struct boot_efi efi;
static struct entry out[8];

static void set(const struct entry *entries, uint32_t nr)
{
    efi = (struct boot_efi){.entry_bytes = ENTRY_BYTES, .map_bytes = nr * ENTRY_BYTES};
    memcpy(efi.map, entries, efi.map_bytes);
    memset(out, 0xee, sizeof(out));
}

static uint32_t hide(uint64_t begin, uint64_t end)
{
    return efi_map_hide(&efi, begin, end, (uint8_t *)out, sizeof(out)) / ENTRY_BYTES;
}

static void check(uint32_t i, uint32_t type, uint64_t start, uint64_t nr_pages)
{
    assert_int_equal(out[i].type, type);
    assert_int_equal(out[i].start, start);
    assert_int_equal(out[i].nr_pages, nr_pages);
}

static const struct entry two[] = {{FREE, 0, 0x100000, 0, 0x100, 0xf, 0}, {BOOT_DATA, 0, 0x200000, 0, 0x600, 0xf, 0},
                                   {RUNTIME, 0, 0x900000, 0, 0x10, 0x800000000000000f, 0}};

static void test_in_one(void **state)
{
    (void)state;
    set(two, 3);
    assert_int_equal(hide(0x400000, 0x600000), 5);
    check(0, FREE, 0x100000, 0x100);
    check(1, BOOT_DATA, 0x200000, 0x200);
    check(2, RESERVED, 0x400000, 0x200);
    check(3, BOOT_DATA, 0x600000, 0x200);
    check(4, RUNTIME, 0x900000, 0x10);
    assert_int_equal(out[4].attribute, 0x800000000000000f);
}

static void test_over_two(void **state)
{
    (void)state;
    set(two, 3);
    assert_int_equal(hide(0x180000, 0x800000), 4);
    check(0, FREE, 0x100000, 0x80);
    check(1, RESERVED, 0x180000, 0x80);
    check(2, RESERVED, 0x200000, 0x600);
    check(3, RUNTIME, 0x900000, 0x10);
}

static void test_elsewhere(void **state)
{
    (void)state;
    set(two, 3);
    assert_int_equal(hide(0x10000000, 0x20000000), 3);
    check(2, RUNTIME, 0x900000, 0x10);
}

static void test_refused(void **state)
{
    static struct entry many[9];

    (void)state;
    for (uint32_t i = 0; i < 9; i++)
        many[i] = (struct entry){.type = FREE, .start = i << 20, .nr_pages = 1};
    set(many, 9);
    assert_int_equal(hide(0, 0), 0);
    set(two, 3);
    efi.entry_bytes = 8;
    assert_int_equal(hide(0, 0), 0);
    efi.entry_bytes = 0;
    assert_int_equal(hide(0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_one),
        cmocka_unit_test(test_over_two),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
