/* GetVpRegisters and SetVpRegisters: the same registers as by MSR and CPUID, and no others [TLFS vp-properties]. */
#include "hv_test.h"

enum { VP = 1, MAX_REGISTERS = 20 };

struct get_in {
    struct hv_input_vp_registers header;
    uint32_t name[MAX_REGISTERS];
};
struct set_in {
    struct hv_input_vp_registers header;
    struct hv_register_assoc assoc[MAX_REGISTERS];
};
static const struct hv_input_vp_registers self = {HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}};

static uint64_t get(struct mock *mock, struct hv_test_form form, const struct get_in *in, uint32_t nr,
                    struct hv_register_value *value)
{
    const struct hv_test_block block = {.control = hv_test_control(HvCallGetVpRegisters, 0, nr, 0), .in = in,
                                        .in_bytes = (uint32_t)sizeof(in->header) + nr * 4, .out = value,
                                        .out_bytes = nr * (uint32_t)sizeof(*value)};

    return hv_test_call_block(mock, VP, form, &block);
}

static uint64_t set(struct mock *mock, struct hv_test_form form, const struct set_in *in, uint32_t nr)
{
    const struct hv_test_block block = {.control = hv_test_control(HvCallSetVpRegisters, 0, nr, 0), .in = in,
                                        .in_bytes = (uint32_t)(sizeof(in->header) + nr * sizeof(in->assoc[0]))};

    return hv_test_call_block(mock, VP, form, &block);
}

static const struct hv_test_form slow = {64, false};

static uint16_t get_one(struct mock *mock, uint32_t name, struct hv_register_value *value)
{
    return (uint16_t)get(mock, slow, &(struct get_in){self, {name}}, 1, value);
}

static uint16_t set_one(struct mock *mock, uint32_t name, uint64_t value)
{
    return (uint16_t)set(mock, slow, &(struct set_in){self, {{name, {0}, {value, 0}}}}, 1);
}

/* Written from the specification: name, MSR. Those that this VM lacks answer as names that nobody knows. */
static const struct {
    uint32_t name, msr;
} same[] = {
    {0x210, 0x40000100}, {0x211, 0x40000101}, {0x212, 0x40000102}, {0x213, 0x40000103}, {0x214, 0x40000104},
    {0x215, 0x40000105}, {0x240, 0x40000022}, {0x241, 0x40000023}, {0x260, 0x400000ff}, {0x90000, 0x40000010},
    {0x90001, 0x40000001}, {0x90002, 0x40000000}, {0x90003, 0x40000002}, {0x90004, 0x40000020},
    {0x90010, 0x40000070}, {0x90011, 0x40000071}, {0x90012, 0x40000072}, {0x90013, 0x40000073},
    {0x90017, 0x40000021}, {0xa0000, 0x40000090}, {0xa000f, 0x4000009f}, {0xa0010, 0x40000080},
    {0xa0011, 0x40000081}, {0xa0012, 0x40000082}, {0xa0013, 0x40000083}, {0xa0014, 0x40000084},
    {0xa0015, 0x40000085}, {0xb0000, 0x400000b0}, {0xb0001, 0x400000b1}, {0xb0006, 0x400000b6},
    {0xb0007, 0x400000b7}, {0xb0100, 0x40000114}, {0xb0101, 0x40000115},
};

static void registers_are_the_msrs(void **state)
{
    struct mock *mock = *state;
    uint32_t nr_readable = 0;

    hv_test_establish(mock);
    hv_test_write(mock, VP, HV_X64_MSR_CRASH_P0 + 3, 0x33);
    hv_test_write(mock, VP, HV_X64_MSR_VP_ASSIST_PAGE, 0x5001);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(same); i++) {
        struct hv_register_value value = {7, 7};
        uint64_t by_msr;
        bool is_readable = mock_rdmsr(mock, VP, same[i].msr, &by_msr) == HVS_HANDLED;

        nr_readable += is_readable;
        assert_int_equal(get_one(mock, same[i].name, &value),
                         is_readable ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER);
        if (is_readable) {
            assert_int_equal(value.low, by_msr);
            assert_int_equal(value.high, 0);
        }
    }
    assert_true(nr_readable >= 14);
}

static void settings_are_the_msrs(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    assert_int_equal(set_one(mock, 0x212, 0x1234), HV_STATUS_SUCCESS);
    assert_int_equal(hv_test_read(mock, VP, HV_X64_MSR_CRASH_P0 + 2), 0x1234);
    assert_int_equal(set_one(mock, 0x90013, 0x6001), HV_STATUS_SUCCESS);
    assert_int_equal(hv_test_read(mock, VP, HV_X64_MSR_VP_ASSIST_PAGE), 0x6001);
    assert_int_equal(hv_test_read(mock, 0, HV_X64_MSR_VP_ASSIST_PAGE), 0);         /* another VP's */
    assert_int_equal(set_one(mock, 0x215, 1ull << 63), HV_STATUS_SUCCESS);
    assert_int_equal(mock_effects(mock, HVS_EFFECT_VM_STOP, NULL), 1);
    /* read-only, unknown, and a value that WRMSR would refuse */
    assert_int_equal(set_one(mock, 0x90003, 0), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(set_one(mock, 0x90004, 0), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(set_one(mock, 0x200, 0), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(set_one(mock, 0x20000, 0), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(set_one(mock, 0x260, 0), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(set_one(mock, 0x90001, MOCK_RAM_BYTES | 1), HV_STATUS_INVALID_REGISTER_VALUE);
}

static void information_is_cpuid(void **state)
{
    static const struct {
        uint32_t name, leaf;
    } leaves[] = {{0x100, 2}, {0x200, 3}, {0x201, 4}, {0x202, 5}, {0x203, 6}, {0x204, 7}, {0x205, 8}, {0x207, 0xa},
                  {0x208, 0xb}};
    struct mock *mock = *state;

    hv_test_establish(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(leaves); i++) {
        struct hvs_cpuid_regs regs = mock_cpuid(mock, VP, 0x40000000 + leaves[i].leaf, 0);
        struct hv_register_value value;

        assert_int_equal(get_one(mock, leaves[i].name, &value), HV_STATUS_SUCCESS);
        assert_memory_equal(&value, &regs, sizeof(value));
    }
}

static void unknown_names_are_invalid(void **state)
{
    static const uint32_t unknown[] = {0, 1, 0xff, 0x101, 0x206, 0x209, 0x20f, 0x216, 0x242, 0x250, 0x261, 0x20000, 0x20010,
                                       0x40002, 0x90005, 0x90014, 0x90016, 0x90018, 0x9ffff, 0xa0016, 0xb0008,
                                       0xb0102, 0xd0006, 0x40000000, UINT32_MAX};
    struct hv_register_value value;

    hv_test_establish(*state);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(unknown); i++)
        assert_int_equal(get_one(*state, unknown[i], &value), HV_STATUS_INVALID_PARAMETER);
}

static const struct {
    struct hv_input_vp_registers header;
    uint16_t status;
} targets[] = {
    {{HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, {0}}, HV_STATUS_SUCCESS},
    {{HV_PARTITION_ID_SELF, VP, 0, {0}}, HV_STATUS_SUCCESS},
    {{HV_PARTITION_ID_SELF, VP, 0x10, {0}}, HV_STATUS_SUCCESS},
    {{0, VP, 0, {0}}, HV_STATUS_ACCESS_DENIED},
    {{1, VP, 0, {0}}, HV_STATUS_ACCESS_DENIED},
    {{HV_PARTITION_ID_SELF, 0, 0, {0}}, HV_STATUS_ACCESS_DENIED},                  /* another VP */
    {{HV_PARTITION_ID_SELF, 2, 0, {0}}, HV_STATUS_INVALID_VP_INDEX},
    {{HV_PARTITION_ID_SELF, HV_ANY_VP, 0, {0}}, HV_STATUS_INVALID_VP_INDEX},
    {{HV_PARTITION_ID_SELF, VP, 0x11, {0}}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, VP, 0x80, {0}}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, VP, 0, {0, 1, 0}}, HV_STATUS_INVALID_PARAMETER},
};

static void targets_are_oneself(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(targets) * HV_TEST_NR_FORMS; i++) {
        size_t n = i / HV_TEST_NR_FORMS;
        struct hv_test_form form = hv_test_forms[i % HV_TEST_NR_FORMS];
        struct set_in in = {targets[n].header, {{0x210, {0}, {n + 1, 0}}}};
        struct hv_register_value value = {0};
        bool is_good = targets[n].status == HV_STATUS_SUCCESS;

        assert_int_equal(set(mock, form, &in, 1), hv_test_result(targets[n].status, is_good));
        if (form.code_bits == 64 || !form.is_fast) {
            assert_int_equal(get(mock, form, &(struct get_in){targets[n].header, {0x210}}, 1, &value),
                             hv_test_result(targets[n].status, is_good));
            if (is_good)
                assert_int_equal(value.low, n + 1);
        }
    }
}

static void reserved_parts_of_a_setting(void **state)
{
    struct set_in in = {self, {{0x210, {0}, {5, 0}}}};

    hv_test_establish(*state);
    in.assoc[0].rsvdz[2] = 1;
    assert_int_equal(set(*state, slow, &in, 1), HV_STATUS_INVALID_PARAMETER);
    in.assoc[0].rsvdz[2] = 0;
    in.assoc[0].value.high = 1;
    assert_int_equal(set(*state, slow, &in, 1), HV_STATUS_INVALID_REGISTER_VALUE);
    assert_int_equal(hv_test_read(*state, VP, HV_X64_MSR_CRASH_P0), 0);
}

/* The elements before the bad one are done, and told. */
static void stops_at_the_first_bad_one(void **state)
{
    const struct get_in names = {self, {0x90003, 0x240, 0x20000, 0x90003}};
    const struct set_in assocs = {self, {{0x210, {0}, {1, 0}}, {0x90003, {0}, {2, 0}}, {0x211, {0}, {3, 0}}}};
    struct hv_register_value value[4];
    struct mock *mock = *state;

    hv_test_establish(mock);
    assert_int_equal(get(mock, slow, &names, 4, value), hv_test_result(HV_STATUS_INVALID_PARAMETER, 2));
    assert_int_equal(value[0].low, VP);
    assert_int_equal(value[1].low, MOCK_TSC_KHZ * 1000ull);
    assert_int_equal(value[2].low, 0xeeeeeeeeeeeeeeee);
    assert_int_equal(set(mock, slow, &assocs, 3), hv_test_result(HV_STATUS_INVALID_PARAMETER, 1));
    assert_int_equal(hv_test_read(mock, VP, HV_X64_MSR_CRASH_P0), 1);
    assert_int_equal(hv_test_read(mock, VP, HV_X64_MSR_CRASH_P1), 0);
}

/* More effects than an exit can carry: the rest is left for the next call, none is lost. */
static void stops_where_effects_do_not_fit(void **state)
{
    static struct set_in in;
    struct mock *mock = *state;

    in.header = self;
    for (uint32_t i = 0; i < MAX_REGISTERS; i++)
        in.assoc[i] = (struct hv_register_assoc){0x215, {0}, {1ull << 63, 0}};
    hv_test_establish(mock);
    assert_int_equal(set(mock, slow, &in, MAX_REGISTERS), hv_test_result(HV_STATUS_SUCCESS, HVS_MAX_EFFECTS));
    assert_int_equal(mock_effects(mock, HVS_EFFECT_VM_STOP, NULL), HVS_MAX_EFFECTS);
}

/* Where the guest can execute the call again, it comes back for the rest by itself. */
static void goes_on_where_effects_fit_again(void **state)
{
    static struct set_in in;
    const struct hv_test_block block = {.control = hv_test_control(HvCallSetVpRegisters, 0, MAX_REGISTERS, 0),
                                        .in = &in, .in_bytes = sizeof(in)};
    struct mock mock;

    (void)state;
    in.header = self;
    for (uint32_t i = 0; i < MAX_REGISTERS; i++)
        in.assoc[i] = (struct hv_register_assoc){0x215, {0}, {1ull << 63, 0}};
    hv_test_config(&mock, 2);
    mock.config.caps |= HVS_CAP_RETRY;
    assert_int_equal(mock_start(&mock), HVS_OK);
    hv_test_establish(&mock);
    hv_test_load(&mock, slow, &block);
    assert_int_equal(mock_hypercall(&mock, VP, 0), HVS_RETRY);
    assert_int_equal(mock.out.nr_effects, HVS_MAX_EFFECTS);
    assert_int_equal(mock.regs.rcx, hv_test_control(HvCallSetVpRegisters, 0, MAX_REGISTERS, HVS_MAX_EFFECTS));
    assert_int_equal(mock_hypercall(&mock, VP, 0), HVS_HANDLED);
    assert_int_equal(mock.out.nr_effects, MAX_REGISTERS - HVS_MAX_EFFECTS);
    assert_int_equal(mock.regs.rax, hv_test_result(HV_STATUS_SUCCESS, MAX_REGISTERS));
    mock_stop(&mock);
}

static void fast_output_needs_room_behind_the_input(void **state)
{
    const struct get_in names = {self, {0x90003, 0x240, 0x241, 0x90003, 0x90003}};
    struct hv_register_value value[MAX_REGISTERS];
    const struct hv_test_form fast = {64, true};

    hv_test_establish(*state);
    assert_int_equal(get(*state, fast, &names, 4, value), hv_test_result(HV_STATUS_SUCCESS, 4));
    assert_int_equal(value[3].low, VP);
    assert_int_equal(value[2].low, 1000000000);
    hv_test_load(*state, fast, &(struct hv_test_block){.control = hv_test_control(0x50, 0, 5, 0), .in = &names,
                                                       .in_bytes = 36});
    assert_int_equal(mock_hypercall(*state, VP, 0), HVS_HANDLED);
    assert_int_equal(((struct mock *)*state)->regs.rax, HV_STATUS_INVALID_HYPERCALL_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(registers_are_the_msrs),
        HV_TEST(settings_are_the_msrs),
        HV_TEST(information_is_cpuid),
        HV_TEST(unknown_names_are_invalid),
        HV_TEST(targets_are_oneself),
        HV_TEST(reserved_parts_of_a_setting),
        HV_TEST(stops_at_the_first_bad_one),
        HV_TEST(stops_where_effects_do_not_fit),
        cmocka_unit_test(goes_on_where_effects_fit_again),
        HV_TEST(fast_output_needs_room_behind_the_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
