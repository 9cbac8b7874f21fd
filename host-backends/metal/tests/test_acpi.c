/* What is read of ACPI's tables, made up here, by way of the 64-bit pointers that tests can have. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "../common/metal.h"

enum { HEADER_BYTES = 36, XSDT_ENTRY_BYTES = 8 };

static uint8_t rsdp[36], xsdt[HEADER_BYTES + 3 * XSDT_ENTRY_BYTES], fadt[276], madt[128], hpet[56], dsdt[128];

void die(const char *format, ...)
{
    (void)format;
    mock_assert(0, "die", __FILE__, __LINE__);
    abort();
}

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    memcpy(at, &value, bytes);
}

static void head(uint8_t *table, const char *signature, size_t bytes)
{
    memset(table, 0, bytes);
    memcpy(table, signature, 4);
    put(table + 4, bytes, 4);
}

/* \_S5 as iasl writes it: sleep type 5 for PM1a by a byte prefix, ZeroOp for PM1b. */
static void make_dsdt(void)
{
    static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 0x05, 0x00, 0x00, 0x00};

    head(dsdt, "DSDT", sizeof(dsdt));
    memcpy(dsdt + 77, s5, sizeof(s5));
}

static int set_up(void **state)
{
    (void)state;
    make_dsdt();
    head(fadt, "FACP", sizeof(fadt));
    put(fadt + 64, 0x604, 4);
    put(fadt + 112, 1 << 10, 4);
    fadt[116] = 1;
    put(fadt + 120, 0xcf9, 8);
    fadt[128] = 0x0f;
    put(fadt + 140, (uintptr_t)dsdt, 8);
    head(madt, "APIC", 44 + 8 + 8 + 16);
    memcpy(madt + 44, (const uint8_t[]){0, 8, 0, 3, 1, 0, 0, 0}, 8);
    memcpy(madt + 52, (const uint8_t[]){0, 8, 1, 4, 0, 0, 0, 0}, 8);
    memcpy(madt + 60, (const uint8_t[]){9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}, 16);
    head(hpet, "HPET", sizeof(hpet));
    put(hpet + 44, 0xfed00000, 8);
    head(xsdt, "XSDT", sizeof(xsdt));
    put(xsdt + HEADER_BYTES, (uintptr_t)fadt, 8);
    put(xsdt + HEADER_BYTES + 8, (uintptr_t)madt, 8);
    put(xsdt + HEADER_BYTES + 16, (uintptr_t)hpet, 8);
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = 2;
    put(rsdp + 24, (uintptr_t)xsdt, 8);
    return 0;
}

static void test_all(void **state)
{
    struct acpi acpi;

    (void)state;
    acpi_read(rsdp, &acpi);
    assert_int_equal(acpi.nr_cpus, 2);
    assert_int_equal(acpi.apic_id[0], 3);
    assert_int_equal(acpi.apic_id[1], 0x100);
    assert_ptr_equal(acpi.hpet, hpet);
    assert_int_equal(acpi.hpet_gpa, 0xfed00000);
    assert_int_equal(acpi.pm1_control[0], 0x604);
    assert_int_equal(acpi.pm1_control[1], 0);
    assert_true(acpi.has_s5);
    assert_int_equal(acpi.sleep_s5[0], 5 << 10 | 1 << 13);
    assert_int_equal(acpi.sleep_s5[1], 1 << 13);
    assert_int_equal(acpi.reset_space, ACPI_RESET_PORT);
    assert_int_equal(acpi.reset_at, 0xcf9);
    assert_int_equal(acpi.reset_value, 0x0f);
}

static void test_no_tables(void **state)
{
    struct acpi acpi;

    (void)state;
    acpi_read(NULL, &acpi);
    assert_int_equal(acpi.nr_cpus, 0);
    assert_int_equal(acpi.reset_space, ACPI_NO_RESET);
    put(xsdt + 4, HEADER_BYTES, 4);
    acpi_read(rsdp, &acpi);
    assert_int_equal(acpi.nr_cpus, 0);
    assert_null(acpi.hpet);
    assert_false(acpi.has_s5);
    assert_int_equal(acpi.reset_space, ACPI_NO_RESET);
}

/* ACPI 1.0's FADT ends before the reset register; a later one may say that it has none. */
static void test_no_reset(void **state)
{
    struct acpi acpi;

    (void)state;
    put(fadt + 4, 116, 4);
    acpi_read(rsdp, &acpi);
    assert_int_equal(acpi.reset_space, ACPI_NO_RESET);
    assert_false(acpi.has_s5);          /* its DSDT is at a 32-bit address, 0 here */
    put(fadt + 4, sizeof(fadt), 4);
    put(fadt + 112, 0, 4);
    acpi_read(rsdp, &acpi);
    assert_int_equal(acpi.reset_space, ACPI_NO_RESET);
    assert_true(acpi.has_s5);
}

static void test_no_s5(void **state)
{
    struct acpi acpi;

    (void)state;
    memcpy(dsdt + 78, "_S4_", 4);
    acpi_read(rsdp, &acpi);
    assert_false(acpi.has_s5);
    memcpy(dsdt + 78, "_S5_", 4);
    dsdt[82] = 0x14;                    /* a method of that name is no package */
    acpi_read(rsdp, &acpi);
    assert_false(acpi.has_s5);
}

static uint8_t sum(const uint8_t *table, size_t bytes)
{
    uint8_t all = 0;

    while (bytes--)
        all = (uint8_t)(all + *table++);
    return all;
}

static void test_hide_hpet(void **state)
{
    uint8_t before = sum(hpet, sizeof(hpet));
    struct acpi acpi;

    (void)state;
    acpi_read(rsdp, &acpi);
    acpi_hide(acpi.hpet);
    assert_int_equal(sum(hpet, sizeof(hpet)), before);
    acpi_read(rsdp, &acpi);
    assert_null(acpi.hpet);
}

/* One IOMMU's structure, of `bytes`, with its registers at `gpa`. */
static void unit(uint8_t *at, uint8_t type, uint16_t bytes, uint64_t gpa)
{
    at[0] = type;
    put(at + 2, bytes, 2);
    put(at + 8, gpa, 8);
}

static void test_iommus(void **state)
{
    static uint8_t ivrs[48 + 32 + 24 + 40 + 40];
    struct acpi acpi;

    (void)state;
    head(ivrs, "IVRS", sizeof(ivrs));
    unit(ivrs + 48, 0x10, 32, 0xfeb80000);
    unit(ivrs + 80, 0x20, 24, 0x1000);          /* memory of the firmware's */
    unit(ivrs + 104, 0x10, 40, 0xfec00000);
    unit(ivrs + 144, 0x11, 40, 0xfeb80000);     /* the first once more */
    put(xsdt + HEADER_BYTES + 16, (uintptr_t)ivrs, 8);
    acpi_read(rsdp, &acpi);
    assert_ptr_equal(acpi.iommu, ivrs);
    assert_ptr_equal(acpi_next_iommu(ivrs, NULL), ivrs + 48);
    assert_ptr_equal(acpi_next_iommu(ivrs, ivrs + 48), ivrs + 104);
    assert_null(acpi_next_iommu(ivrs, ivrs + 104));
    memcpy(ivrs, "DMAR", 4);
    acpi_read(rsdp, &acpi);
    assert_ptr_equal(acpi.iommu, ivrs);
}

/* Lengths that lead nowhere, and addresses that cannot be reached. */
static void test_odd_iommus(void **state)
{
    static uint8_t dmar[48 + 16 + 16];
    static const uint16_t lengths[] = {0, 15, 33, 0xffff};

    (void)state;
    head(dmar, "DMAR", sizeof(dmar));
    unit(dmar + 48, 0, 16, 0);
    unit(dmar + 64, 0, 16, 0xfed90000);
    assert_ptr_equal(acpi_next_iommu(dmar, NULL), dmar + 64);
    unit(dmar + 64, 0, 16, 512ull << 30);
    assert_null(acpi_next_iommu(dmar, NULL));
    unit(dmar + 48, 0, 16, 0xfed91000);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(lengths); i++) {
        unit(dmar + 64, 0, lengths[i], 0xfed90000);
        assert_ptr_equal(acpi_next_iommu(dmar, NULL), dmar + 48);
        assert_null(acpi_next_iommu(dmar, dmar + 48));
    }
    put(dmar + 4, 63, 4);
    assert_null(acpi_next_iommu(dmar, NULL));
    put(dmar + 4, HEADER_BYTES, 4);
    assert_null(acpi_next_iommu(dmar, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all, set_up),      cmocka_unit_test_setup(test_no_tables, set_up),
        cmocka_unit_test_setup(test_no_reset, set_up), cmocka_unit_test_setup(test_no_s5, set_up),
        cmocka_unit_test_setup(test_hide_hpet, set_up), cmocka_unit_test_setup(test_iommus, set_up),
        cmocka_unit_test(test_odd_iommus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
