/* Establishing the interface: the guest's identity, the hypercall page, its lock [TLFS hypercall-interface]. */
#include "hv_test.h"

static const uint8_t *call_page(const struct mock *mock)
{
    return mock->ram + HV_TEST_CALL_GFN * HV_PAGE_SIZE;
}

static void starts_with_nobody_and_nothing(void **state)
{
    assert_int_equal(hv_test_read(*state, 0, HV_X64_MSR_GUEST_OS_ID), 0);
    assert_int_equal(hv_test_read(*state, 0, HV_X64_MSR_HYPERCALL), 0);
}

static void belongs_to_the_partition(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_GUEST_OS_ID), HV_TEST_OS_ID);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_HYPERCALL), HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN));
}

static void enables_nothing_before_the_guest_said_who_it_is(void **state)
{
    struct mock *mock = *state;
    uint64_t gpa = HV_TEST_CALL_GFN * HV_PAGE_SIZE;

    hv_test_write(mock, 0, HV_X64_MSR_HYPERCALL, gpa | HV_X64_MSR_HYPERCALL_ENABLE);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_HYPERCALL), gpa);
    assert_int_equal(call_page(mock)[0], 0);
}

static void page_holds_the_exiting_instruction_and_a_return(void **state)
{
    static const uint8_t code[] = {0xe6, 0xe4, 0xc3, 0xcc};
    struct mock *mock = *state;

    hv_test_establish(mock);
    assert_memory_equal(call_page(mock), code, sizeof(code));
    assert_int_equal(call_page(mock)[HV_PAGE_SIZE - 1], 0xcc);
}

/* Where the page holds VMCALL or VMMCALL, EAX bit 31 says that the call is Hyper-V's. */
static void page_marks_an_instruction_that_traps_by_itself(void **state)
{
    static const struct hvs_insn insn[] = {{3, {0x0f, 0x01, 0xc1}}, {3, {0x0f, 0x01, 0xd9}}};

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(insn); i++) {
        uint8_t code[] = {0x0d, 0x00, 0x00, 0x00, 0x80, 0x0f, 0x01, insn[i].byte[2], 0xc3, 0xcc};
        struct mock mock;

        hv_test_config(&mock, 1);
        mock.config.hypercall_insn[0] = insn[i];
        assert_int_equal(mock_start(&mock), HVS_OK);
        hv_test_establish(&mock);
        assert_memory_equal(call_page(&mock), code, sizeof(code));
        mock_stop(&mock);
    }
}

static void gives_back_the_memory_beneath(void **state)
{
    struct mock *mock = *state;
    uint8_t *ram = mock->ram + HV_TEST_CALL_GFN * HV_PAGE_SIZE;

    memset(ram, 0x5a, HV_PAGE_SIZE);
    hv_test_establish(mock);
    assert_int_equal(ram[2], 0xc3);
    hv_test_write(mock, 0, HV_X64_MSR_HYPERCALL, 0);
    for (uint32_t i = 0; i < HV_PAGE_SIZE; i++)
        assert_int_equal(ram[i], 0x5a);
}

static void moves_with_its_contents(void **state)
{
    struct mock *mock = *state;
    const uint8_t *to = mock->ram + 0x11 * HV_PAGE_SIZE;

    hv_test_establish(mock);
    hv_test_write(mock, 0, HV_X64_MSR_HYPERCALL, HV_TEST_PAGE_MSR(0x11));
    assert_int_equal(to[2], 0xc3);
    assert_int_equal(call_page(mock)[2], 0);
}

static void goes_when_the_guest_takes_its_name_back(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    hv_test_write(mock, 0, HV_X64_MSR_GUEST_OS_ID, 0);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_HYPERCALL), HV_TEST_CALL_GFN * HV_PAGE_SIZE);
    assert_int_equal(call_page(mock)[0], 0);
    /* and does not come back by itself */
    hv_test_write(mock, 0, HV_X64_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    assert_int_equal(call_page(mock)[0], 0);
}

static void preserves_reserved_bits(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    hv_test_write(mock, 0, HV_X64_MSR_HYPERCALL, HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN) | 0xffc);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_HYPERCALL), HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN) | 0xffc);
}

static void faults_on_a_page_that_is_not_there(void **state)
{
    struct mock *mock = *state;
    const uint64_t bad[] = {
        HV_TEST_PAGE_MSR(MOCK_RAM_BYTES / HV_PAGE_SIZE),
        1ull << mock->config.phys_bits | HV_X64_MSR_HYPERCALL_ENABLE,
        1ull << 63 | HV_X64_MSR_HYPERCALL_ENABLE,
    };

    hv_test_establish(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++) {
        hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_HYPERCALL, bad[i]));
        assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_HYPERCALL), HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN));
        assert_int_equal(call_page(mock)[2], 0xc3);
    }
}

static void locked_is_locked_until_reset(void **state)
{
    struct mock *mock = *state;
    uint64_t locked = HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN) | HV_X64_MSR_HYPERCALL_LOCKED;

    hv_test_establish(mock);
    hv_test_write(mock, 0, HV_X64_MSR_HYPERCALL, locked);
    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_HYPERCALL, 0));
    hv_test_expect_gp(mock, mock_wrmsr(mock, 1, HV_X64_MSR_HYPERCALL, HV_TEST_PAGE_MSR(0x11)));
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_HYPERCALL), locked);
    assert_int_equal(call_page(mock)[2], 0xc3);
    assert_int_equal(mock_reset(mock, 0), HVS_HANDLED);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_HYPERCALL), 0);
    assert_int_equal(call_page(mock)[2], 0);
    hv_test_establish(mock);
}

static void announces_the_lock(void **state)
{
    assert_true(hv_test_cpuid(*state, HV_CPUID_FEATURES, HVS_EDX) >> HV_HYPERCALL_MSR_LOCK_AVAILABLE & 1);
}

static void survives_save_and_load(void **state)
{
    struct mock *mock = *state;
    uint64_t locked = HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN) | HV_X64_MSR_HYPERCALL_LOCKED;

    memset(mock->ram + HV_TEST_CALL_GFN * HV_PAGE_SIZE, 0x5a, HV_PAGE_SIZE);
    hv_test_establish(mock);
    hv_test_write(mock, 0, HV_X64_MSR_HYPERCALL, locked);
    mock_save_load_save(mock);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_GUEST_OS_ID), HV_TEST_OS_ID);
    assert_int_equal(hv_test_read(mock, 1, HV_X64_MSR_HYPERCALL), locked);
    assert_int_equal(call_page(mock)[2], 0xc3);
    hv_test_expect_gp(mock, mock_wrmsr(mock, 0, HV_X64_MSR_HYPERCALL, 0));
    /* what lies beneath came along */
    hv_test_write(mock, 0, HV_X64_MSR_GUEST_OS_ID, 0);
    assert_int_equal(call_page(mock)[2], 0x5a);
}

/* Back to a snapshot of a VM that has locked its page in the meantime. */
static void load_is_above_the_lock(void **state)
{
    struct mock *mock = *state;
    uint8_t *stream;
    size_t bytes;

    hv_test_establish(mock);
    stream = hv_test_snapshot(mock, &bytes);
    hv_test_write(mock, 0, HV_X64_MSR_HYPERCALL, HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN) | HV_X64_MSR_HYPERCALL_LOCKED);
    assert_int_equal(hvs_vm_load(mock->vm, stream, bytes), HVS_OK);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_HYPERCALL), HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN));
    free(stream);
}

/* The host after a migration may leave the guest by another instruction. */
static void load_rewrites_the_page_for_the_new_host(void **state)
{
    static const uint8_t code[] = {0x0d, 0x00, 0x00, 0x00, 0x80, 0x0f, 0x01, 0xd9, 0xc3};
    struct mock *mock = *state;

    hv_test_establish(mock);
    mock->config.hypercall_insn[0] = (struct hvs_insn){3, {0x0f, 0x01, 0xd9}};
    mock_save_load_save(mock);
    assert_memory_equal(call_page(mock), code, sizeof(code));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(starts_with_nobody_and_nothing),
        HV_TEST(belongs_to_the_partition),
        HV_TEST(enables_nothing_before_the_guest_said_who_it_is),
        HV_TEST(page_holds_the_exiting_instruction_and_a_return),
        cmocka_unit_test(page_marks_an_instruction_that_traps_by_itself),
        HV_TEST(gives_back_the_memory_beneath),
        HV_TEST(moves_with_its_contents),
        HV_TEST(goes_when_the_guest_takes_its_name_back),
        HV_TEST(preserves_reserved_bits),
        HV_TEST(faults_on_a_page_that_is_not_there),
        HV_TEST(locked_is_locked_until_reset),
        HV_TEST(announces_the_lock),
        HV_TEST(survives_save_and_load),
        HV_TEST(load_is_above_the_lock),
        HV_TEST(load_rewrites_the_page_for_the_new_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
