/* The hypercall page and its MSR. */
#include "xen_test.h"

enum { PAGE_GPA = 0x7000 };

static void check_page(const uint8_t *page, const uint8_t *insn, uint32_t insn_bytes)
{
    for (uint32_t nr = 0; nr < XEN_NR_STUBS; nr++, page += XEN_STUB_BYTES) {
        if (nr == 23) {
            assert_memory_equal(page, "\x0f\x0b\xcc", 3);
            continue;
        }
        assert_int_equal(page[0], 0xb8);
        assert_memory_equal(page + 1, &nr, 4);
        assert_memory_equal(page + 5, insn, insn_bytes);
        assert_int_equal(page[5 + insn_bytes], 0xc3);
        assert_int_equal(page[XEN_STUB_BYTES - 1], 0xcc);
    }
}

static void test_page_is_written_once_into_ram(void **state)
{
    struct mock mock;
    uint64_t value = 1;

    (void)state;
    start(&mock, 1);
    assert_int_equal(mock_wrmsr(&mock, 0, 0x40000000, PAGE_GPA), HVS_HANDLED);
    check_page(mock.ram + PAGE_GPA, mock.config.hypercall_insn[0].byte, 2);
    memset(mock.ram + PAGE_GPA, 0x55, 8);       /* it is the guest's now */
    assert_int_equal(mock_wrmsr(&mock, 0, 0x40000000, PAGE_GPA + 0x1000), HVS_HANDLED);
    assert_int_equal(mock.ram[PAGE_GPA], 0x55);
    check_page(mock.ram + PAGE_GPA + 0x1000, mock.config.hypercall_insn[0].byte, 2);
    assert_int_equal(mock_rdmsr(&mock, 0, 0x40000000, &value), HVS_HANDLED);
    assert_int_equal(value, 0);
    mock_stop(&mock);
}

static void test_longest_instruction(void **state)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
    struct mock mock;

    (void)state;
    mock_config(&mock, list, 1);
    mock.config.hypercall_insn[0] = (struct hvs_insn){8, {1, 2, 3, 4, 5, 6, 7, 8}};
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(mock_wrmsr(&mock, 0, 0x40000000, PAGE_GPA), HVS_HANDLED);
    check_page(mock.ram + PAGE_GPA, mock.config.hypercall_insn[0].byte, 8);
    mock_stop(&mock);
}

static void test_bad_values_fault_and_write_nothing(void **state)
{
    static const uint64_t bad[] = {
        PAGE_GPA | 1, PAGE_GPA | 2, PAGE_GPA | 0x800, PAGE_GPA | 0xfff,
        BAD_GPA & ~0xfffull, 1ull << 40, UINT64_MAX, UINT64_MAX & ~0xfffull,
    };
    struct mock mock;

    (void)state;
    start(&mock, 1);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad); i++) {
        assert_int_equal(mock_wrmsr(&mock, 0, 0x40000000, bad[i]), HVS_FAULT);
        assert_int_equal(mock.out.fault_vector, HVS_VECTOR_GP);
        assert_int_equal(mock.ram[PAGE_GPA], 0);
    }
    assert_int_equal(mock_wrmsr(&mock, 0, 0x40000200, PAGE_GPA), HVS_UNHANDLED);
    assert_int_equal(mock_rdmsr(&mock, 0, 0x40000200, NULL), HVS_UNHANDLED);
    assert_int_equal(mock.ram[PAGE_GPA], 0);
    mock_stop(&mock);
}

/* Whatever the order in which the two were asked for, 0x40000000 is Hyper-V's and 0x40000200 is Xen's. */
static void test_msr_behind_hyperv(void **state)
{
    const struct hvs_personality *const lists[][3] = {
        {&hvs_hv_personality, &hvs_xen_personality, NULL},
        {&hvs_xen_personality, &hvs_hv_personality, NULL},
    };
    struct mock mock;
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(lists); i++) {
        mock_config(&mock, lists[i], 1);
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(mock_wrmsr(&mock, 0, 0x40000000, PAGE_GPA), HVS_HANDLED);
        assert_int_equal(mock.ram[PAGE_GPA], 0);
        assert_int_equal(mock_rdmsr(&mock, 0, 0x40000000, &value), HVS_HANDLED);
        assert_int_equal(value, PAGE_GPA);      /* it was HV_X64_MSR_GUEST_OS_ID */
        assert_int_equal(mock_wrmsr(&mock, 0, 0x40000200, PAGE_GPA), HVS_HANDLED);
        check_page(mock.ram + PAGE_GPA, mock.config.hypercall_insn[i == 0].byte, 2);
        mock_stop(&mock);
    }
}

static void on_event(void *ctx, uint32_t host_port)
{
    (void)ctx, (void)host_port;
}

/* For a VMM that wants events; the jumps lead to the call behind, and all others are as ever. */
static void test_stub_that_signals(void **state)
{
    static const struct hvs_xen_options options = {.size = sizeof(options), .on_event = on_event};
    static const uint8_t expected[XEN_STUB_BYTES] = {
        0x31, 0xc0, 0x40, 0x90, 0x75, 0x11, 0x83, 0xff, 0x04, 0x75, 0x0c, 0x8b, 0x06, 0xe7, 0xe4, 0x48,
        0x85, 0xc0, 0x7e, 0x02, 0x31, 0xc0, 0xc3, 0xb8, 0x20, 0x00, 0x00, 0x00, 0xe6, 0xe4, 0xc3, 0xcc,
    };
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
    const uint32_t nr = __HYPERVISOR_event_channel_op;
    struct mock mock;

    (void)state;
    for (uint8_t call_bytes = 2; call_bytes <= 4; call_bytes++) {
        mock_config(&mock, list, 1);
        mock.config.slot[0].options = &options;
        mock.config.slot[0].features_on = 1ull << hvs_feature_find(&hvs_xen_personality, "send-signal");
        mock.config.hypercall_insn[0].length = call_bytes;
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(mock_wrmsr(&mock, 0, 0x40000000, PAGE_GPA), HVS_HANDLED);

        uint8_t *stub = mock.ram + PAGE_GPA + nr * XEN_STUB_BYTES;

        if (call_bytes == 2)
            assert_memory_equal(stub, expected, sizeof(expected));
        assert_int_equal(stub[0], call_bytes <= 3 ? 0x31 : 0xb8);       /* as much as there is room for */
        if (call_bytes == 3)
            assert_int_equal(stub[XEN_STUB_BYTES - 1], 0xc3);
        memset(stub, 0xcc, XEN_STUB_BYTES);
        stub[0] = 0xb8;
        memcpy(stub + 1, &nr, sizeof(nr));
        memcpy(stub + 5, mock.config.hypercall_insn[0].byte, call_bytes);
        stub[5 + call_bytes] = 0xc3;
        check_page(mock.ram + PAGE_GPA, mock.config.hypercall_insn[0].byte, call_bytes);
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_is_written_once_into_ram),
        cmocka_unit_test(test_longest_instruction),
        cmocka_unit_test(test_bad_values_fault_and_write_nothing),
        cmocka_unit_test(test_msr_behind_hyperv),
        cmocka_unit_test(test_stub_that_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
