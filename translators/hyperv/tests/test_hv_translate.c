/* TranslateVirtualAddress: each flag and each result [TLFS virtual-mmu]. */
#include "hv_test.h"

enum {
    PML4 = 0x30000, PDPT = 0x31000, PD = 0x32000, PT = 0x33000,
    P = 1, W = 2, U = 4, PAGE = 0x40,           /* the page that is mapped */
    READ = 1, WRITE = 2, EXEC = 4, EXEMPT = 8, SUPERVISOR = 0x40, USER = 0x80, ENFORCE_SMAP = 0x100,
    OVERRIDE_SMAP = 0x200,
};
#define NX (1ull << 63)
#define WP (1ull << 16)
#define SMEP (1ull << 20)
#define SMAP (1ull << 21)
#define AC (1ull << 18)
#define GVA_PAGE 5ull

static void put(struct mock *mock, uint64_t gpa, uint64_t value)
{
    memcpy(mock->ram + gpa, &value, sizeof(value));
}

/* Maps page 5 of address 0 by a leaf entry `pte`. */
static void map(struct mock *mock, uint64_t pte)
{
    put(mock, PML4, PDPT | P | W | U);
    put(mock, PDPT, PD | P | W | U);
    put(mock, PD, PT | P | W | U);
    put(mock, PT + GVA_PAGE * 8, pte);
}

static struct hv_output_translate_virtual_address translate(struct mock *mock, uint64_t flags, uint64_t gva_page,
                                                            uint64_t cr4, uint64_t rflags)
{
    const struct hv_input_translate_virtual_address in = {HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0, flags, gva_page};
    struct hv_output_translate_virtual_address out = {99, 99, 99};
    const struct hv_test_block block = {.control = HvCallTranslateVirtualAddress, .in = &in, .in_bytes = sizeof(in)};

    hv_test_load(mock, hv_test_forms[0], &block);
    mock->regs.cr0 = HVS_CR0_PE | HVS_CR0_PG | WP;
    mock->regs.cr3 = PML4;
    mock->regs.cr4 = HVS_CR4_PAE | cr4;
    mock->regs.efer = HVS_EFER_LMA | 1 << 11;
    mock->regs.rflags = 2 | rflags;
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
    assert_int_equal(mock->regs.rax, HV_STATUS_SUCCESS);
    memcpy(&out, mock->ram + HV_TEST_OUT_GPA, sizeof(out));
    return out;
}

static const struct {
    uint64_t pte, flags, cr4, rflags;
    uint32_t result;
} accesses[] = {
    {P | W, READ | WRITE | EXEC, 0, 0, HvTranslateGvaSuccess},
    {P, READ | EXEC, 0, 0, HvTranslateGvaSuccess},
    {P, WRITE, 0, 0, HvTranslateGvaPrivilegeViolation},
    {P | W, USER | READ, 0, 0, HvTranslateGvaPrivilegeViolation},
    {P | W, USER | EXEMPT | READ, 0, 0, HvTranslateGvaSuccess},
    {P | U, USER | READ | EXEC, 0, 0, HvTranslateGvaSuccess},
    {P | U, USER | WRITE, 0, 0, HvTranslateGvaPrivilegeViolation},
    {P | W | U, USER | WRITE, SMAP | SMEP, 0, HvTranslateGvaSuccess},
    {NX | P | W, READ | WRITE, 0, 0, HvTranslateGvaSuccess},
    {NX | P | W, EXEC, 0, 0, HvTranslateGvaPrivilegeViolation},
    {NX | P | W | U, USER | EXEC, 0, 0, HvTranslateGvaPrivilegeViolation},
    {P | W | U, SUPERVISOR | EXEC, 0, 0, HvTranslateGvaSuccess},
    {P | W | U, SUPERVISOR | EXEC, SMEP, 0, HvTranslateGvaPrivilegeViolation},
    {P | W | U, READ, SMEP, 0, HvTranslateGvaSuccess},
    {P | W | U, READ, SMAP, 0, HvTranslateGvaPrivilegeViolation},
    {P | W | U, EXEC, SMAP, 0, HvTranslateGvaSuccess},
    {P | W | U, READ, SMAP, AC, HvTranslateGvaSuccess},
    {P | W | U, READ | ENFORCE_SMAP, SMAP, AC, HvTranslateGvaPrivilegeViolation},
    {P | W | U, READ | OVERRIDE_SMAP, SMAP, 0, HvTranslateGvaSuccess},
    {P | W, READ | ENFORCE_SMAP, SMAP, 0, HvTranslateGvaSuccess},
    {0, READ, 0, 0, HvTranslateGvaPageNotPresent},
    {1ull << 45 | P | W, READ, 0, 0, HvTranslateGvaInvalidPageTableFlags},
};

static void tells_what_an_access_would_meet(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(accesses); i++) {
        struct hv_output_translate_virtual_address out;
        uint64_t pte = accesses[i].pte ? accesses[i].pte | PAGE << 12 : 0;

        map(mock, pte);
        out = translate(mock, accesses[i].flags, GVA_PAGE, accesses[i].cr4, accesses[i].rflags);
        if (out.result_code != accesses[i].result)
            fail_msg("case %zu: %u", i, out.result_code);
        assert_int_equal(out.gpa_page, out.result_code == HvTranslateGvaSuccess ? PAGE : 0);
        assert_int_equal(out.attributes, out.result_code == HvTranslateGvaSuccess ? 6 : 0);
    }
}

static void tells_of_memory_that_is_not_there(void **state)
{
    struct mock *mock = *state;
    struct hv_output_translate_virtual_address out;

    hv_test_establish(mock);
    map(mock, 0x12345000 | P | W);
    out = translate(mock, READ, GVA_PAGE, 0, 0);
    assert_int_equal(out.result_code, HvTranslateGvaGpaUnmapped);
    assert_int_equal(out.gpa_page, 0x12345);
    put(mock, PD, 0x54321000 | P | W);          /* the table itself */
    out = translate(mock, READ, GVA_PAGE, 0, 0);
    assert_int_equal(out.result_code, HvTranslateGvaGpaUnmapped);
    assert_int_equal(out.gpa_page, 0x54321);
    assert_int_equal(translate(mock, READ, 1ull << 35, 0, 0).result_code, HvTranslateGvaPageNotPresent);
    assert_int_equal(translate(mock, READ, 1ull << 52, 0, 0).result_code, HvTranslateGvaPageNotPresent);
    assert_int_equal(translate(mock, READ, ~0ull, 0, 0).result_code, HvTranslateGvaPageNotPresent);
}

static void marks_overlay_pages(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    map(mock, HV_TEST_CALL_GFN << 12 | P);
    assert_int_equal(translate(mock, READ, GVA_PAGE, 0, 0).attributes, 0x106);
    hv_test_write(mock, 0, HV_X64_MSR_HYPERCALL, 0x50001);
    assert_int_equal(translate(mock, READ, GVA_PAGE, 0, 0).attributes, 6);
}

static uint64_t call(struct mock *mock, const struct hv_input_translate_virtual_address *in, struct hv_test_form form,
                     struct hv_output_translate_virtual_address *out)
{
    const struct hv_test_block block = {.control = HvCallTranslateVirtualAddress, .in = in, .in_bytes = sizeof(*in),
                                        .out = out, .out_bytes = sizeof(*out)};

    return hv_test_call_block(mock, 1, form, &block);
}

static void without_paging_everything_is_itself(void **state)
{
    struct hv_input_translate_virtual_address in = {HV_PARTITION_ID_SELF, 1, 0, WRITE, 0x12345};
    struct hv_output_translate_virtual_address out;

    hv_test_establish(*state);
    for (size_t f = 0; f < 3; f++) {
        assert_int_equal(call(*state, &in, hv_test_forms[f], &out), HV_STATUS_SUCCESS);
        assert_int_equal(out.result_code, HvTranslateGvaSuccess);
        assert_int_equal(out.gpa_page, 0x12345);
    }
}

static const struct {
    struct hv_input_translate_virtual_address in;
    uint16_t status;
} refused[] = {
    {{0, HV_VP_INDEX_SELF, 0, READ, 5}, HV_STATUS_ACCESS_DENIED},
    {{HV_PARTITION_ID_SELF, 0, 0, READ, 5}, HV_STATUS_ACCESS_DENIED},
    {{HV_PARTITION_ID_SELF, 2, 0, READ, 5}, HV_STATUS_INVALID_VP_INDEX},
    {{HV_PARTITION_ID_SELF, 1, 0, 0, 5}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, 1, 0, USER | SUPERVISOR | READ, 5}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, 1, 0, ENFORCE_SMAP | OVERRIDE_SMAP | READ, 5}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, 1, 0, 0x10 | READ, 5}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, 1, 0, 0x20 | READ, 5}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, 1, 0, 0x400 | READ, 5}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, 1, 0, 1ull << 55 | READ, 5}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, 1, 0, 0x11ull << 56 | READ, 5}, HV_STATUS_INVALID_PARAMETER},
    {{HV_PARTITION_ID_SELF, 1, 0, 0x10ull << 56 | READ, 5}, HV_STATUS_SUCCESS},
};

static void refuses_others_and_unknown_flags(void **state)
{
    struct hv_output_translate_virtual_address out;

    hv_test_establish(*state);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(refused); i++)
        assert_int_equal(call(*state, &refused[i].in, hv_test_forms[0], &out), refused[i].status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(tells_what_an_access_would_meet),
        HV_TEST(tells_of_memory_that_is_not_there),
        HV_TEST(marks_overlay_pages),
        HV_TEST(without_paging_everything_is_itself),
        HV_TEST(refuses_others_and_unknown_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
