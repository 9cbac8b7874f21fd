/* The personality as data: order of rows, counters, ranges, save and load. */
#include "vmw_test.h"

static void test_rows_are_sorted_and_named(void **state)
{
    const struct hvs_personality *p = &hvs_vmw_personality;

    (void)state;
    for (uint32_t i = 0; i < p->nr_hcall; i++) {
        assert_true(i == 0 || p->hcall[i - 1].code < p->hcall[i].code);
        assert_non_null(p->hcall[i].name);
        assert_non_null(p->hcall[i].fn);
        assert_non_null(p->hcall[i].ref);
    }
    for (uint32_t i = 0; i < p->nr_features; i++)
        assert_non_null(p->feature[i].name);
    assert_int_equal(p->place, HVS_PLACE_FIRST);
    assert_memory_equal(&p->id, "vmw ", 4);
}

static void test_ranges(void **state)
{
    struct hvs_range range[4];
    struct mock mock;
    uint32_t nr = 4;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    assert_int_equal(hvs_vm_pio_ranges(mock.vm, range, &nr), HVS_OK);
    assert_int_equal(nr, 2);
    assert_int_equal(range[1].first, 0x5670);
    assert_int_equal(range[1].last, 0x5670);
    assert_int_equal(range[0].first, 0x5658);
    assert_int_equal(range[0].last, 0x5659);
    nr = 4;
    assert_int_equal(hvs_vm_msr_ranges(mock.vm, range, &nr), HVS_OK);
    assert_int_equal(nr, 0);
    mock_stop(&mock);
}

static uint64_t hits(struct mock *mock, const char *name)
{
    struct hvs_stat stat;

    for (uint32_t i = 0; hvs_vm_stat(mock->vm, i, &stat) == HVS_OK; i++) {
        if (strcmp(stat.name, name) == 0)
            return stat.hits;
    }
    fail_msg("no row %s", name);
    return 0;
}

static void test_commands_are_counted(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 2);
    backdoor(&mock, BDOOR_CMD_GETVERSION);
    backdoor(&mock, BDOOR_CMD_GETVERSION);
    assert_unsupported(&mock, BDOOR_CMD_GETDISKGEO);
    assert_int_equal(hits(&mock, "BDOOR_CMD_GETVERSION"), 2);
    assert_int_equal(hits(&mock, "BDOOR_CMD_GETHZ"), 0);
    assert_int_equal(hits(&mock, "BDOOR_PORT"), 3);
    mock_stop(&mock);
}

static void test_save_load_save(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 2);
    hvs_vm_set_wall_clock(mock.vm, 1000000000);
    mock_advance(&mock, 7000500000);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETTIME), 8);
    mock_save_load_save(&mock);
    assert_unsupported(&mock, BDOOR_CMD_GETTIME);       /* the real time is not state: the VMM says it again */
    hvs_vm_set_wall_clock(mock.vm, 9000500000);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETTIME), 9);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETHZ), 2500000000u);
    mock_stop(&mock);
}

static void test_reset_changes_nothing_the_guest_sees(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &hvs_vmw_personality, 1);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    assert_int_equal(backdoor(&mock, BDOOR_CMD_GETVERSION), VERSION_MAGIC);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_sorted_and_named),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_commands_are_counted),
        cmocka_unit_test(test_save_load_save),
        cmocka_unit_test(test_reset_changes_nothing_the_guest_sees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
