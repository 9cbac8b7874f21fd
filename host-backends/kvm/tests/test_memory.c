#include "backend.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE ((uint64_t)HVS_PAGE_BYTES)

/* Pages 1 and 2 are one region, page 3 another that lies elsewhere on the host, page 8 a third. */
static struct hvs_kvm kvm;
static uint8_t *host;

static int setup(void **state)
{
    (void)state;
    memset(&kvm, 0, sizeof(kvm));
    hvs_kvm_memory_init(&kvm.memory);
    host = aligned_alloc(PAGE, 8 * PAGE);
    memset(host, 0, 8 * PAGE);
    assert_int_equal(hvs_kvm_add_memory(&kvm, 8 * PAGE, host + 6 * PAGE, PAGE), HVS_OK);
    assert_int_equal(hvs_kvm_add_memory(&kvm, 1 * PAGE, host, 2 * PAGE), HVS_OK);
    assert_int_equal(hvs_kvm_add_memory(&kvm, 3 * PAGE, host + 4 * PAGE, PAGE), HVS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hvs_kvm_memory_destroy(&kvm.memory);
    free(host);
    return 0;
}

static void test_copies_across_regions(void **state)
{
    uint8_t out[16], in[16];

    (void)state;
    memset(out, 0x5a, sizeof(out));
    assert_int_equal(hvs_kvm_gpa_write(&kvm, 3 * PAGE - 8, out, 16), HVS_OK);
    assert_int_equal(host[2 * PAGE - 1], 0x5a);
    assert_int_equal(host[2 * PAGE], 0);
    assert_int_equal(host[4 * PAGE + 7], 0x5a);
    assert_int_equal(host[4 * PAGE + 8], 0);
    assert_int_equal(hvs_kvm_gpa_read(&kvm, 3 * PAGE - 8, in, 16), HVS_OK);
    assert_memory_equal(in, out, 16);
}

static void test_holes(void **state)
{
    static const struct {
        uint64_t gpa;
        size_t bytes;
        int expected;
    } row[] = {
        {0, 1, HVS_EFAULT},
        {PAGE - 1, 2, HVS_EFAULT},
        {PAGE, 1, HVS_OK},
        {4 * PAGE - 1, 1, HVS_OK},
        {4 * PAGE - 1, 2, HVS_EFAULT},
        {4 * PAGE, 1, HVS_EFAULT},
        {9 * PAGE - 8, 8, HVS_OK},
        {9 * PAGE - 8, 9, HVS_EFAULT},
        {UINT64_MAX, 1, HVS_EFAULT},
        {UINT64_MAX - 3, 8, HVS_EFAULT},
        {0, 0, HVS_OK},
    };
    uint8_t buffer[16];

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(row); i++) {
        assert_int_equal(hvs_kvm_gpa_read(&kvm, row[i].gpa, buffer, row[i].bytes), row[i].expected);
        assert_int_equal(hvs_kvm_gpa_write(&kvm, row[i].gpa, buffer, row[i].bytes), row[i].expected);
    }
}

static void test_bad_regions(void **state)
{
    static const struct {
        uint64_t gpa, bytes;
    } row[] = {
        {0, 0},                     {1, PAGE},                      {0, PAGE + 1},
        {0, 2 * PAGE},              /* reaches into page 1 */
        {2 * PAGE, PAGE},           {8 * PAGE, PAGE},               {0, 16 * PAGE},
        {0 - 2 * PAGE, 4 * PAGE},   /* around the end of addresses */
    };

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(row); i++)
        assert_int_equal(hvs_kvm_add_memory(&kvm, row[i].gpa, host, row[i].bytes), HVS_EINVAL);
    assert_int_equal(hvs_kvm_add_memory(&kvm, 16 * PAGE, NULL, PAGE), HVS_EINVAL);
    assert_int_equal(hvs_kvm_add_memory(&kvm, 0 - PAGE, host, PAGE), HVS_OK);
    assert_int_equal(hvs_kvm_add_memory(&kvm, 0, host, PAGE), HVS_OK);
}

static void test_remove(void **state)
{
    uint8_t byte;

    (void)state;
    assert_int_equal(hvs_kvm_remove_memory(&kvm, 2 * PAGE), HVS_ENOENT);
    assert_int_equal(hvs_kvm_remove_memory(&kvm, 3 * PAGE), HVS_OK);
    assert_int_equal(hvs_kvm_remove_memory(&kvm, 3 * PAGE), HVS_ENOENT);
    assert_int_equal(hvs_kvm_gpa_read(&kvm, 3 * PAGE, &byte, 1), HVS_EFAULT);
    assert_int_equal(hvs_kvm_gpa_read(&kvm, 2 * PAGE, &byte, 1), HVS_OK);
    assert_int_equal(hvs_kvm_gpa_read(&kvm, 8 * PAGE, &byte, 1), HVS_OK);
}

/* A pinned page keeps its region: whoever wants to remove it has to wait. */
static void test_pin(void **state)
{
    uint8_t *page = hvs_kvm_page_pin(&kvm, 2);
    uint8_t byte;

    (void)state;
    assert_ptr_equal(page, host + PAGE);
    assert_int_equal(pthread_rwlock_trywrlock(&kvm.memory.lock), EBUSY);
    assert_int_equal(hvs_kvm_gpa_read(&kvm, PAGE, &byte, 1), HVS_OK);
    hvs_kvm_page_unpin(&kvm, 2, page, true);
    assert_null(hvs_kvm_page_pin(&kvm, 4));
    assert_null(hvs_kvm_page_pin(&kvm, (1ull << 52) + 1));
    assert_null(hvs_kvm_page_pin(&kvm, UINT64_MAX));
    assert_int_equal(pthread_rwlock_trywrlock(&kvm.memory.lock), 0);
    pthread_rwlock_unlock(&kvm.memory.lock);
}

static void *remove_page_3(void *unused)
{
    (void)unused;
    assert_int_equal(hvs_kvm_remove_memory(&kvm, 3 * PAGE), HVS_OK);
    return NULL;
}

/* With the remover already waiting, the holder of a pin can still copy. */
static void test_copy_while_remover_waits(void **state)
{
    uint8_t *page = hvs_kvm_page_pin(&kvm, 3);
    pthread_t thread;
    uint8_t byte;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, remove_page_3, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(hvs_kvm_gpa_read(&kvm, 3 * PAGE, &byte, 1), HVS_OK);
        sched_yield();
    }
    hvs_kvm_page_unpin(&kvm, 3, page, false);
    pthread_join(thread, NULL);
    assert_int_equal(hvs_kvm_gpa_read(&kvm, 3 * PAGE, &byte, 1), HVS_EFAULT);
}

/* What is written while it is on, in whole pages, once or until it is cleared; reading is no writing. */
static void test_dirty_log(void **state)
{
    uint64_t bitmap[1] = {1ull << 63}, clear[1] = {1};
    uint8_t buffer[16] = {0};

    (void)state;
    hvs_kvm_gpa_write(&kvm, PAGE, buffer, 1);
    assert_int_equal(hvs_kvm_log_dirty(&kvm, 2 * PAGE, true), HVS_ENOENT);
    assert_int_equal(hvs_kvm_log_dirty(&kvm, PAGE, true), HVS_OK);
    hvs_kvm_gpa_read(&kvm, PAGE, buffer, 1);
    hvs_kvm_page_unpin(&kvm, 1, hvs_kvm_page_pin(&kvm, 1), false);
    assert_int_equal(hvs_kvm_get_dirty(&kvm, PAGE, false, bitmap), HVS_OK);
    assert_int_equal(bitmap[0], 1ull << 63);
    hvs_kvm_gpa_write(&kvm, 3 * PAGE - 8, buffer, 16);
    hvs_kvm_page_unpin(&kvm, 1, hvs_kvm_page_pin(&kvm, 1), true);
    assert_int_equal(hvs_kvm_get_dirty(&kvm, PAGE, false, bitmap), HVS_OK);
    assert_int_equal(bitmap[0], 1ull << 63 | 3);
    assert_int_equal(hvs_kvm_clear_dirty(&kvm, PAGE, 0, 2, clear), HVS_OK);
    bitmap[0] = 0;
    assert_int_equal(hvs_kvm_get_dirty(&kvm, PAGE, true, bitmap), HVS_OK);
    assert_int_equal(bitmap[0], 2);
    bitmap[0] = 0;
    assert_int_equal(hvs_kvm_get_dirty(&kvm, PAGE, true, bitmap), HVS_OK);
    assert_int_equal(bitmap[0], 0);
    assert_int_equal(hvs_kvm_clear_dirty(&kvm, PAGE, 1, 1, clear), HVS_EINVAL);
    assert_int_equal(hvs_kvm_clear_dirty(&kvm, PAGE, 0, 65, clear), HVS_EINVAL);
    assert_int_equal(hvs_kvm_clear_dirty(&kvm, PAGE, 128, 0, clear), HVS_EINVAL);
    assert_int_equal(hvs_kvm_get_dirty(&kvm, 2 * PAGE, true, bitmap), HVS_ENOENT);
    assert_int_equal(hvs_kvm_log_dirty(&kvm, PAGE, false), HVS_OK);
    assert_int_equal(hvs_kvm_log_dirty(&kvm, PAGE, true), HVS_OK);
    assert_int_equal(hvs_kvm_get_dirty(&kvm, PAGE, true, bitmap), HVS_OK);
    assert_int_equal(bitmap[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies_across_regions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_holes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_regions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy_while_remover_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dirty_log, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
