/* What a loader's information becomes: multiboot 2's tags, from a loader on UEFI; what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "../common/metal.h"

enum { MULTIBOOT2_BOOTED = 0x36d76289, CMDLINE = 1, MODULE = 3, BOOT_DEVICE = 5, MMAP = 6, FRAMEBUFFER = 8,
       EFI64 = 12, ACPI_OLD = 14, ACPI_NEW = 15, EFI_MMAP = 17 };

static alignas(8) uint8_t info[4096 + 2 * MAX_EFI_MAP_BYTES];
static uint32_t info_bytes;
static struct boot boot;
static jmp_buf died;

void die(const char *format, ...)
{
    (void)format;
    longjmp(died, 1);
}

static void tag(uint32_t type, const void *data, uint32_t bytes)
{
    const uint32_t head[2] = {type, bytes + 8};

    memcpy(info + info_bytes, head, sizeof(head));
    memcpy(info + info_bytes + 8, data, bytes);
    info_bytes = (info_bytes + 8 + bytes + 7) & ~7u;
}

static int set_up(void **state)
{
    (void)state;
    memset(info, 0, sizeof(info));
    memset(&boot, 0, sizeof(boot));
    info_bytes = 8;
    return 0;
}

static void add_map(void)
{
    /* entry_size, entry_version; base, length, type, reserved of two entries */
    static const uint32_t map[] = {24, 0, 0, 0, 0x9f000, 0, 1, 0, 0x100000, 1, 0x7ff00000, 2, 20, 0};

    tag(MMAP, map, sizeof(map));
}

/* Returns false where it dies. */
static bool read_info(void)
{
    tag(0, NULL, 0);
    memcpy(info, &info_bytes, sizeof(info_bytes));
    if (setjmp(died))
        return false;
    boot_read(MULTIBOOT2_BOOTED, (uintptr_t)info, &boot);
    return true;
}

static void test_bios(void **state)
{
    static const uint32_t kernel[] = {0x400000, 0x500000, 0}, initrd[] = {0x600000, 0x600001, 0};
    static const uint32_t boot_device[] = {0x81, 0, 0};

    (void)state;
    tag(CMDLINE, "present=xen", 12);
    tag(MODULE, kernel, sizeof(kernel));
    tag(MODULE, initrd, sizeof(initrd));
    tag(BOOT_DEVICE, boot_device, sizeof(boot_device));
    add_map();
    assert_true(read_info());
    assert_string_equal(boot.command_line, "present=xen");
    assert_int_equal(boot.nr_modules, 2);
    assert_int_equal(boot.module[0].gpa, 0x400000);
    assert_int_equal(boot.module[0].bytes, 0x100000);
    assert_int_equal(boot.module[1].bytes, 1);
    assert_int_equal(boot.bios_disk, 0x81);
    assert_int_equal(boot.nr_memory, 2);
    assert_int_equal(boot.memory[1].gpa, 0x100100000);
    assert_int_equal(boot.memory[1].bytes, 0x27ff00000);
    assert_int_equal(boot.memory[1].type, 2);
    assert_int_equal(boot.screen.kind, SCREEN_TEXT);
    assert_int_equal(boot.screen.gpa, TEXT_GPA);
    assert_false(boot.has_rsdp);
    assert_int_equal(boot.efi.systab_gpa, 0);
}

static void test_uefi(void **state)
{
    static const uint32_t systab[] = {0x7e9ee018, 1}, efi_map[] = {48, 1, 7, 0, 0x1000};
    static const struct {
        uint32_t addr[2], pitch, width, height;
        uint8_t bpp, type, reserved[2], field[6];
    } framebuffer = {{0x80000000, 8}, 5120, 1280, 800, 32, SCREEN_PIXELS, {0}, {16, 8, 8, 8, 0, 8}};

    (void)state;
    add_map();
    tag(FRAMEBUFFER, &framebuffer, sizeof(framebuffer));
    tag(EFI64, systab, sizeof(systab));
    tag(EFI_MMAP, efi_map, sizeof(efi_map));
    tag(ACPI_NEW, "RSD PTR 2", 9);
    tag(ACPI_OLD, "RSD PTR 1", 9);
    assert_true(read_info());
    assert_int_equal(boot.screen.gpa, 0x880000000);
    assert_int_equal(boot.screen.kind, SCREEN_PIXELS);
    assert_int_equal(boot.screen.width, 1280);
    assert_int_equal(boot.screen.bits, 32);
    assert_int_equal(boot.screen.field[0], 16);
    assert_int_equal(boot.efi.systab_gpa, 0x17e9ee018);
    assert_int_equal(boot.efi.entry_bytes, 48);
    assert_int_equal(boot.efi.entry_version, 1);
    assert_int_equal(boot.efi.map_bytes, 12);
    assert_true(boot.has_rsdp);
    assert_memory_equal(boot.rsdp, "RSD PTR 2", 9);
}

static void test_refused(void **state)
{
    static const uint32_t empty[] = {0x400000, 0x400000, 0}, module[] = {0x400000, 0x500000, 0};
    static uint8_t long_text[COMMAND_LINE_BYTES + 1], long_map[8 + MAX_EFI_MAP_BYTES + 1];

    (void)state;
    assert_false(read_info());          /* no memory map */
    set_up(state);
    add_map();
    tag(MODULE, empty, sizeof(empty));
    assert_false(read_info());
    set_up(state);
    add_map();
    for (uint32_t i = 0; i < 3; i++)
        tag(MODULE, module, sizeof(module));
    assert_false(read_info());
    set_up(state);
    add_map();
    memset(long_text, 'x', COMMAND_LINE_BYTES);
    tag(CMDLINE, long_text, sizeof(long_text));
    assert_false(read_info());
    set_up(state);
    add_map();
    tag(EFI_MMAP, long_map, sizeof(long_map));
    assert_false(read_info());
    if (!setjmp(died)) {
        boot_read(0x12345678, 0, &boot);
        fail();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bios, set_up),
        cmocka_unit_test_setup(test_uefi, set_up),
        cmocka_unit_test_setup(test_refused, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
