/* StartVirtualProcessor and GetVpIndexFromApicId [TLFS vp-properties]. */
#include "hv_test.h"

enum { NR_VPS = 5 };

/* 64-bit code with paging, as a guest's kernel runs. */
static struct hv_input_start_virtual_processor good(uint32_t vp)
{
    const struct hv_x64_segment_register data = {0, 0xffffffff, 0x18, 0xc093};

    return (struct hv_input_start_virtual_processor){
        .partition_id = HV_PARTITION_ID_SELF,
        .vp_index = vp,
        .vp_context = {
            .rip = 0xffffffff81000000, .rsp = 0xffff888000001000, .rflags = 2,
            .cs = {0, 0xffffffff, 0x10, 0xa09b}, .ds = data, .es = data, .fs = data, .gs = data, .ss = data,
            .tr = {0xfffffe0000003000, 0x206f, 0x40, 0x8b}, .ldtr = {0, 0, 0, 0},
            .idtr = {.limit = 0xfff, .base = 0xfffffe0000000000}, .gdtr = {.limit = 0x7f, .base = 0xfffffe0000001000},
            .efer = 0xd01, .cr0 = 0x80050033, .cr3 = 0x1000, .cr4 = 0x20, .msr_cr_pat = 0x0007040600070406,
        },
    };
}

static uint16_t start_vp(struct mock *mock, const struct hv_input_start_virtual_processor *in)
{
    const struct hv_test_block block = {.control = HvCallStartVirtualProcessor, .in = in, .in_bytes = sizeof(*in)};

    return (uint16_t)hv_test_call_block(mock, 0, hv_test_forms[0], &block);
}

static void setup(struct mock *mock, const uint32_t *apic_id)
{
    hv_test_config(mock, NR_VPS);
    mock->config.apic_id = apic_id;
    assert_int_equal(mock_start(mock), HVS_OK);
    hv_test_establish(mock);
}

static void starts_with_what_the_guest_gives(void **state)
{
    struct hv_input_start_virtual_processor in = good(3);
    struct mock mock;

    (void)state;
    setup(&mock, NULL);
    in.vp_context.rflags = 0x200;
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_SUCCESS);
    assert_int_equal(mock.out.nr_effects, 1);
    assert_int_equal(mock.out.effect[0].kind, HVS_EFFECT_VCPU_START);
    assert_int_equal(mock.out.effect[0].vp, 3);

    const struct hvs_vcpu_context *start = &mock.out.start;

    assert_int_equal(start->rip, 0xffffffff81000000);
    assert_int_equal(start->gpr[4], 0xffff888000001000);
    for (int i = 0; i < 16; i++)
        assert_true(i == 4 || start->gpr[i] == 0);
    assert_int_equal(start->rflags, 0x202);             /* bit 1 is always set */
    assert_int_equal(start->cs.selector, 0x10);
    assert_int_equal(start->cs.attributes, 0xa09b);
    assert_int_equal(start->cs.limit, 0xffffffff);
    assert_int_equal(start->ss.attributes, 0xc093);
    assert_int_equal(start->tr.base, 0xfffffe0000003000);
    assert_int_equal(start->tr.limit, 0x206f);
    assert_int_equal(start->idtr.base, 0xfffffe0000000000);
    assert_int_equal(start->idtr.limit, 0xfff);
    assert_int_equal(start->gdtr.base, 0xfffffe0000001000);
    assert_int_equal(start->gdtr.limit, 0x7f);
    assert_int_equal(start->efer, 0xd01);
    assert_int_equal(start->cr0, 0x80050033);
    assert_int_equal(start->cr3, 0x1000);
    assert_int_equal(start->cr4, 0x20);
    assert_int_equal(start->pat, 0x0007040600070406);
    mock_stop(&mock);
}

static void starts_each_vp_once(void **state)
{
    struct hv_input_start_virtual_processor in = good(1);
    struct mock mock;

    (void)state;
    setup(&mock, NULL);
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_SUCCESS);
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_INVALID_VP_STATE);
    assert_int_equal(mock.out.nr_effects, 0);
    in.vp_index = 0;                                    /* the caller */
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_INVALID_VP_STATE);
    hv_test_read(&mock, 2, HV_X64_MSR_VP_INDEX);        /* started by INIT and SIPI, as it seems */
    in.vp_index = 2;
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_INVALID_VP_STATE);
    mock_reset(&mock, 1);
    in.vp_index = 1;
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_SUCCESS);
    mock_stop(&mock);
}

static void refuses_targets_that_are_none(void **state)
{
    struct hv_input_start_virtual_processor in;
    struct mock mock;

    (void)state;
    setup(&mock, NULL);
    in = good(NR_VPS);
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_INVALID_VP_INDEX);
    in = good(HV_VP_INDEX_SELF);
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_INVALID_VP_INDEX);
    in = good(1);
    in.target_vtl = 1;
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_INVALID_VTL_STATE);
    in = good(1);
    in.partition_id = 1;
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_INVALID_PARTITION_ID);
    assert_int_equal(mock.out.nr_effects, 0);
    mock_stop(&mock);
}

/* One register of the good context changed: what no x86 processor would run with. */
static const struct {
    const char *what;
    size_t offset;
    uint64_t value;
    uint8_t bytes;
    uint16_t status;
} changes[] = {
#define CONTEXT(member) offsetof(struct hv_initial_vp_context, member)
    {"CR0 above 32 bits", CONTEXT(cr0), 1ull << 32 | 0x80050033, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"paging without protection", CONTEXT(cr0), 0x80050032, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"real mode", CONTEXT(cr0), 0x50032, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"NW without CD", CONTEXT(cr0), 0xa0050033, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"NW and CD", CONTEXT(cr0), 0xe0050033, 8, HV_STATUS_SUCCESS},
    {"LMA without paging", CONTEXT(cr0), 0x50033, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"LME without LMA", CONTEXT(efer), 0x901, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"LMA without LME", CONTEXT(efer), 0xc01, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"long code in protected mode", CONTEXT(efer), 0x801, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"EFER bit 1", CONTEXT(efer), 0xd03, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"EFER above 32 bits", CONTEXT(efer), 1ull << 32 | 0xd01, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"long mode without PAE", CONTEXT(cr4), 0, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"CR4 above 32 bits", CONTEXT(cr4), 1ull << 32 | 0x20, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"CR3 beyond the address space", CONTEXT(cr3), 1ull << 40, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"CR3 at the end of it", CONTEXT(cr3), (1ull << 40) - 4096, 8, HV_STATUS_SUCCESS},
    {"RIP not canonical", CONTEXT(rip), 1ull << 47, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"RFLAGS bit 3", CONTEXT(rflags), 8, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"RFLAGS bit 22", CONTEXT(rflags), 1 << 22, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"virtual 8086 in long mode", CONTEXT(rflags), 1 << 17, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"code that is data", CONTEXT(cs.attributes), 0xa093, 2, HV_STATUS_INVALID_REGISTER_VALUE},
    {"code not present", CONTEXT(cs.attributes), 0xa01b, 2, HV_STATUS_INVALID_REGISTER_VALUE},
    {"L and D", CONTEXT(cs.attributes), 0xe09b, 2, HV_STATUS_INVALID_REGISTER_VALUE},
    {"32-bit code, RIP above", CONTEXT(cs.attributes), 0xc09b, 2, HV_STATUS_INVALID_REGISTER_VALUE},
    {"GS base not canonical", CONTEXT(gs.base), 1ull << 63, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"FS base not canonical", CONTEXT(fs.base), 1ull << 63, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"TR base not canonical", CONTEXT(tr.base), 1ull << 63, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"LDTR base not canonical", CONTEXT(ldtr.base), 1ull << 63, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"IDTR base not canonical", CONTEXT(idtr.base), 1ull << 63, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"GDTR base not canonical", CONTEXT(gdtr.base), 1ull << 63, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"PAT type 2", CONTEXT(msr_cr_pat), 2ull << 56, 8, HV_STATUS_INVALID_REGISTER_VALUE},
    {"PAT type 8", CONTEXT(msr_cr_pat), 8, 8, HV_STATUS_INVALID_REGISTER_VALUE},
#undef CONTEXT
};

static void refuses_registers_that_cannot_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(changes); i++) {
        struct hv_input_start_virtual_processor in = good(1);
        struct mock mock;
        uint16_t status;

        setup(&mock, NULL);
        memcpy((uint8_t *)&in.vp_context + changes[i].offset, &changes[i].value, changes[i].bytes);
        status = start_vp(&mock, &in);
        if (status != changes[i].status)
            fail_msg("%s: %#x", changes[i].what, status);
        assert_int_equal(mock.out.nr_effects, status == HV_STATUS_SUCCESS);
        mock_stop(&mock);
    }
}

static void takes_protected_mode(void **state)
{
    struct hv_input_start_virtual_processor in = good(1);
    struct mock mock;

    (void)state;
    setup(&mock, NULL);
    in.vp_context.cr0 = 0x11;
    in.vp_context.cr4 = 0;
    in.vp_context.efer = 0;
    in.vp_context.rip = 0x10000;
    in.vp_context.cs.attributes = 0xc09b;
    assert_int_equal(start_vp(&mock, &in), HV_STATUS_SUCCESS);
    mock_stop(&mock);
}

/* --- GetVpIndexFromApicId ----------------------------------------------------------------------------------------- */

enum { MAX_IDS = 300 };

struct ids_in {
    struct hv_input_get_vp_index_from_apic_id header;
    uint32_t id[MAX_IDS];
};

static uint64_t look_up(struct mock *mock, struct hv_test_form form, const struct ids_in *in, uint32_t nr, uint32_t *vp)
{
    const struct hv_test_block block = {
        .control = hv_test_control(HvCallGetVpIndexFromApicId, 0, nr, 0), .in = in,
        .in_bytes = (uint32_t)sizeof(in->header) + nr * 4, .out = vp, .out_bytes = nr * 4};

    return hv_test_call_block(mock, 0, form, &block);
}

static void finds_vps_by_their_apic(void **state)
{
    static const uint32_t apic_id[NR_VPS] = {0, 2, 4, 1, 0x1234};
    const struct ids_in in = {{HV_PARTITION_ID_SELF, 0, {0}}, {0x1234, 4, 2, 1, 0, 3}};
    struct mock mock;
    uint32_t vp[6] = {0};

    (void)state;
    setup(&mock, apic_id);
    for (size_t f = 0; f < 3; f++) {                    /* the 32-bit fast form has no output */
        assert_int_equal(look_up(&mock, hv_test_forms[f], &in, 5, vp), hv_test_result(HV_STATUS_SUCCESS, 5));
        assert_int_equal(vp[0], 4);
        assert_int_equal(vp[1], 2);
        assert_int_equal(vp[2], 1);
        assert_int_equal(vp[3], 3);
        assert_int_equal(vp[4], 0);
        assert_int_equal(look_up(&mock, hv_test_forms[f], &in, 6, vp),
                         hv_test_result(HV_STATUS_INVALID_PARAMETER, 5));
    }
    mock_stop(&mock);
}

static void finds_many(void **state)
{
    static struct ids_in in = {{HV_PARTITION_ID_SELF, 0, {0}}, {0}};
    static uint32_t vp[MAX_IDS];
    struct mock mock;

    (void)state;
    setup(&mock, NULL);
    for (uint32_t i = 0; i < MAX_IDS; i++)
        in.id[i] = i % NR_VPS;
    assert_int_equal(look_up(&mock, hv_test_forms[0], &in, MAX_IDS, vp), hv_test_result(HV_STATUS_SUCCESS, MAX_IDS));
    for (uint32_t i = 0; i < MAX_IDS; i++)
        assert_int_equal(vp[i], i % NR_VPS);
    mock_stop(&mock);
}

static void looks_in_its_own_partition_only(void **state)
{
    struct ids_in in = {{1, 0, {0}}, {0}};
    struct mock mock;
    uint32_t vp;

    (void)state;
    setup(&mock, NULL);
    assert_int_equal(look_up(&mock, hv_test_forms[0], &in, 1, &vp), HV_STATUS_INVALID_PARTITION_ID);
    in.header.partition_id = HV_PARTITION_ID_SELF;
    in.header.target_vtl = 1;
    assert_int_equal(look_up(&mock, hv_test_forms[0], &in, 1, &vp), HV_STATUS_INVALID_VTL_STATE);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_with_what_the_guest_gives),
        cmocka_unit_test(starts_each_vp_once),
        cmocka_unit_test(refuses_targets_that_are_none),
        cmocka_unit_test(refuses_registers_that_cannot_run),
        cmocka_unit_test(takes_protected_mode),
        cmocka_unit_test(finds_vps_by_their_apic),
        cmocka_unit_test(finds_many),
        cmocka_unit_test(looks_in_its_own_partition_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
