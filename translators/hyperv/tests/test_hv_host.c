/*
 * What only the host can give: device interrupts, extended hypercalls, the partition's id; there when it is given, and
 * not at all otherwise.
 */
#include "hv_test.h"

enum { NR_VPS = 5 };

static struct {
    uint32_t calls, vp;
    struct hvs_hv_device_interrupt to;
    struct hvs_vpset targets;
} seen;

static enum hvs_hv_status retargeted(void *ctx, uint32_t vp, const struct hvs_hv_device_interrupt *to)
{
    assert_ptr_equal(ctx, &seen);
    seen.calls++;
    seen.vp = vp;
    seen.to = *to;
    seen.targets = *to->targets;
    return to->device_id == 13 ? HVS_HV_INVALID_PARAMETER : HVS_HV_SUCCESS;
}

static const struct hvs_hv_zeroed_range zeroed[] = {{0x100, 0x4000}, {0x8000, 1}};
static const struct hvs_hv_host whole = {
    .size = sizeof(whole), .ctx = &seen, .interrupt_retargeted = retargeted, .zeroed_range = zeroed,
    .nr_zeroed_ranges = 2, .partition_id = 0x77};

static int try_start(struct mock *mock, const struct hvs_hv_host *host, const char *on)
{
    static struct hvs_hv_options options;

    memset(&seen, 0, sizeof(seen));
    options = (struct hvs_hv_options){.size = sizeof(options), .host = host};
    hv_test_config(mock, NR_VPS);
    mock->config.slot[0].options = &options;
    mock->config.slot[0].features_on = on ? hv_test_feature(on) : 0;
    return mock_start(mock);
}

static void start(struct mock *mock, const struct hvs_hv_host *host, const char *on)
{
    assert_int_equal(try_start(mock, host, on), HVS_OK);
    hv_test_establish(mock);
}

/* --- RetargetDeviceInterrupt -------------------------------------------------------------------------------------- */

#define SET HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET

struct retarget_in {
    struct hv_input_retarget_device_interrupt fixed;
    uint64_t var[3];
};

static uint64_t retarget(struct mock *mock, struct hv_test_form form, const struct retarget_in *in, uint32_t nr_var)
{
    const struct hv_test_block block = {.control = hv_test_control(HvCallRetargetDeviceInterrupt, nr_var, 0, 0),
                                        .in = in, .in_bytes = (uint32_t)sizeof(in->fixed) + nr_var * 8};

    return hv_test_call_block(mock, 2, form, &block);
}

static struct retarget_in good(uint32_t flags, uint64_t mask)
{
    return (struct retarget_in){{HV_PARTITION_ID_SELF, 7, {1, 0, 0xfee00000, 0x41}, 0, 0x61, flags, mask}, {0}};
}

static void hands_retargeting_to_the_host(void **state)
{
    struct retarget_in in;
    struct mock mock;

    (void)state;
    start(&mock, &whole, NULL);
    for (size_t f = 0; f < HV_TEST_NR_FORMS; f++) {
        in = good(0, 6);
        assert_int_equal(retarget(&mock, hv_test_forms[f], &in, 0), HV_STATUS_SUCCESS);
        assert_int_equal(seen.calls, 2 * f + 1);
        assert_int_equal(seen.vp, 2);
        assert_int_equal(seen.to.device_id, 7);
        assert_int_equal(seen.to.msi_address, 0xfee00000);
        assert_int_equal(seen.to.msi_data, 0x41);
        assert_int_equal(seen.to.vector, 0x61);
        assert_false(seen.to.is_multicast);
        assert_int_equal(seen.targets.bank[0], 6);
        in = good(SET | HV_DEVICE_INTERRUPT_TARGET_MULTICAST, HV_GENERIC_SET_SPARSE_4K);
        in.var[0] = 3;
        in.var[1] = 9;
        in.var[2] = ~0ull;
        assert_int_equal(retarget(&mock, hv_test_forms[f], &in, 3), HV_STATUS_SUCCESS);
        assert_true(seen.to.is_multicast);
        assert_int_equal(seen.targets.bank[0], 9);
        assert_int_equal(seen.targets.bank[1], 0);
    }
    in = good(SET, HV_GENERIC_SET_ALL);
    assert_int_equal(retarget(&mock, hv_test_forms[0], &in, 0), HV_STATUS_SUCCESS);
    assert_int_equal(seen.targets.bank[0], 0x1f);
    in.fixed.device_id = 13;
    assert_int_equal(retarget(&mock, hv_test_forms[0], &in, 0), HV_STATUS_INVALID_PARAMETER);
    mock_stop(&mock);
}

static void expect_retarget(struct mock *mock, const struct retarget_in *in, uint32_t nr_var, uint16_t status)
{
    assert_int_equal(retarget(mock, hv_test_forms[0], in, nr_var), status);
    assert_int_equal(seen.calls, 0);
}

static void refuses_bad_retargeting_itself(void **state)
{
    struct retarget_in in = good(0, 1);
    struct mock mock;

    (void)state;
    start(&mock, &whole, NULL);
    in.fixed.partition_id = 1;
    expect_retarget(&mock, &in, 0, HV_STATUS_INVALID_PARTITION_ID);
    in = good(0, 1);
    in.fixed.interrupt_entry.interrupt_source = HV_INTERRUPT_SOURCE_IOAPIC;
    expect_retarget(&mock, &in, 0, HV_STATUS_INVALID_PARAMETER);
    in = good(0, 1);
    in.fixed.interrupt_entry.reserved = 1;
    expect_retarget(&mock, &in, 0, HV_STATUS_INVALID_PARAMETER);
    in = good(0, 1);
    in.fixed.rsvdz = 1;
    expect_retarget(&mock, &in, 0, HV_STATUS_INVALID_PARAMETER);
    in = good(0, 1);
    in.fixed.vector = 15;
    expect_retarget(&mock, &in, 0, HV_STATUS_INVALID_PARAMETER);
    in = good(4, 1);
    expect_retarget(&mock, &in, 0, HV_STATUS_INVALID_PARAMETER);
    in = good(0, 0);
    expect_retarget(&mock, &in, 0, HV_STATUS_INVALID_PARAMETER);
    in = good(0, 1ull << NR_VPS);
    expect_retarget(&mock, &in, 0, HV_STATUS_INVALID_PARAMETER);
    in = good(0, 1);
    expect_retarget(&mock, &in, 1, HV_STATUS_INVALID_HYPERCALL_INPUT);
    in = good(SET, HV_GENERIC_SET_SPARSE_4K);
    expect_retarget(&mock, &in, 0, HV_STATUS_INVALID_PARAMETER);
    in.var[0] = 1;
    expect_retarget(&mock, &in, 1, HV_STATUS_INVALID_HYPERCALL_INPUT);
    in = good(SET, 2);
    expect_retarget(&mock, &in, 1, HV_STATUS_INVALID_PARAMETER);
    mock_stop(&mock);
}

/* --- extended hypercalls, partition id ---------------------------------------------------------------------------- */

static void tells_zeroed_memory(void **state)
{
    static struct hv_ext_output_boot_zeroed_memory out;
    struct hv_test_block query = {.control = 0x8001}, memory = {.control = 0x8002, .out = &out, .out_bytes = sizeof(out)};
    uint64_t capabilities;
    struct mock mock;

    (void)state;
    start(&mock, &whole, NULL);
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EBX) >> 20 & 1, 1);
    query.out = &capabilities;
    query.out_bytes = sizeof(capabilities);
    for (size_t f = 0; f < 3; f++) {
        capabilities = 0;
        assert_int_equal(hv_test_call_block(&mock, 0, hv_test_forms[f], &query), HV_STATUS_SUCCESS);
        assert_int_equal(capabilities, 1);
    }
    assert_int_equal(hv_test_call_block(&mock, 0, hv_test_forms[0], &memory), HV_STATUS_SUCCESS);
    assert_int_equal(out.range_count, 2);
    assert_int_equal(out.range[0].start_gpa_page, 0x100);
    assert_int_equal(out.range[0].page_count, 0x4000);
    assert_int_equal(out.range[1].start_gpa_page, 0x8000);
    assert_int_equal(out.range[2].page_count, 0);
    mock_stop(&mock);
}

static void tells_no_more_ranges_than_fit(void **state)
{
    static struct hv_ext_output_boot_zeroed_memory out;
    static struct hvs_hv_zeroed_range many[300];
    const struct hv_test_block memory = {.control = 0x8002, .out = &out, .out_bytes = sizeof(out)};
    struct hvs_hv_host host = whole;
    struct mock mock;

    (void)state;
    host.zeroed_range = many;
    host.nr_zeroed_ranges = 300;
    for (uint64_t i = 0; i < 300; i++)
        many[i].first_gfn = i;
    start(&mock, &host, NULL);
    assert_int_equal(hv_test_call_block(&mock, 0, hv_test_forms[0], &memory), HV_STATUS_SUCCESS);
    assert_int_equal(out.range_count, 255);
    assert_int_equal(out.range[254].start_gpa_page, 254);
    mock_stop(&mock);
}

static void tells_its_id_where_granted(void **state)
{
    const struct hv_input_vp_registers header = {0x77, HV_VP_INDEX_SELF, 0, {0}};
    struct { struct hv_input_vp_registers header; uint32_t name; } in = {header, 0x90003};
    struct hv_register_value value;
    uint64_t id = 0;
    const struct hv_test_block block = {.control = 0x0046, .out = &id, .out_bytes = sizeof(id)};
    const struct hv_test_block by_id = {.control = hv_test_control(0x0050, 0, 1, 0), .in = &in, .in_bytes = 20,
                                        .out = &value, .out_bytes = sizeof(value)};
    struct mock mock;

    (void)state;
    start(&mock, &whole, NULL);
    assert_int_equal(hv_test_call(&mock, 64, 0x0046, 0, HV_TEST_OUT_GPA), HV_STATUS_INVALID_HYPERCALL_CODE);
    assert_int_equal((uint16_t)hv_test_call_block(&mock, 0, hv_test_forms[0], &by_id), HV_STATUS_ACCESS_DENIED);
    mock_stop(&mock);
    start(&mock, &whole, "partition-id");
    assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EBX) >> 1 & 1, 1);
    assert_int_equal(hv_test_call_block(&mock, 0, hv_test_forms[1], &block), HV_STATUS_SUCCESS);
    assert_int_equal(id, 0x77);
    assert_int_equal((uint16_t)hv_test_call_block(&mock, 0, hv_test_forms[0], &by_id), HV_STATUS_SUCCESS);
    mock_stop(&mock);
}

/* --- without the host --------------------------------------------------------------------------------------------- */

static const uint16_t codes[] = {0x0046, 0x0069, 0x006a, 0x006b, 0x0071, 0x007e, 0x8001, 0x8002};

static void offers_nothing_that_the_host_does_not_give(void **state)
{
    static const struct hvs_hv_host empty = {.size = sizeof(empty)};
    static const struct hvs_hv_host old = {.size = offsetof(struct hvs_hv_host, interrupt_retargeted),
                                           .interrupt_retargeted = retargeted, .zeroed_range = zeroed,
                                           .nr_zeroed_ranges = 2, .partition_id = 1};
    static const struct hvs_hv_host *const hosts[] = {NULL, &empty, &old};

    (void)state;
    for (size_t h = 0; h < HVS_ARRAY_SIZE(hosts); h++) {
        static const char *const names[] = {"retarget", "ext-hypercalls", "syndbg", "partition-id"};
        struct mock mock;

        start(&mock, hosts[h], NULL);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(codes); i++)
            assert_int_equal(hv_test_call(&mock, 64, codes[i], 0, HV_TEST_OUT_GPA), HV_STATUS_INVALID_HYPERCALL_CODE);
        assert_int_equal(hv_test_cpuid(&mock, HV_CPUID_FEATURES, HVS_EBX) & (1 << 20 | 1 << 11 | 1 << 1), 0);
        mock_stop(&mock);
        for (size_t i = 0; i < HVS_ARRAY_SIZE(names); i++)
            assert_int_equal(try_start(&mock, hosts[h], names[i]), HVS_EINVAL);
    }
}

/* Options of a caller that was built before there was a host in them. */
static void does_not_read_behind_older_options(void **state)
{
    const struct hvs_hv_options options = {.size = offsetof(struct hvs_hv_options, host), .host = (void *)1};
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].options = &options;
    assert_int_equal(mock_start(&mock), HVS_OK);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_retargeting_to_the_host),
        cmocka_unit_test(refuses_bad_retargeting_itself),
        cmocka_unit_test(tells_zeroed_memory),
        cmocka_unit_test(tells_no_more_ranges_than_fit),
        cmocka_unit_test(tells_its_id_where_granted),
        cmocka_unit_test(offers_nothing_that_the_host_does_not_give),
        cmocka_unit_test(does_not_read_behind_older_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
