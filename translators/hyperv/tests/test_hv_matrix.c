/*
 * The matrix of bad input: what the specification says of each register and call, against what the translator does.
 *
 * Written from the TLFS, not from the rows, and compared here. Nothing that is refused may change any state: that is
 * seen by saving the VM before and after.
 */
#include "hv_test.h"

/* --- MSRs [TLFS App. C] ------------------------------------------------------------------------------------------- */

enum { R = 1, W = 2, RW = R | W };
enum { PAGE_MAY_MISS = 1, PAGE_MUST_BE_THERE = 2 };

#define SPEC_SINT(n) {0x40000090 + (n), "synic", RW, 0x30 + (n), 0, 0}
#define SPEC_STIMER(n) {0x400000b0 + 2 * (n), "stimer", RW, 0x20008, ~0xf1fffull, 0}, \
                       {0x400000b1 + 2 * (n), "stimer", RW, 1ull << 40, 0, 0}

static const struct spec_msr {
    uint32_t index;
    const char *feature;        /* that grants it; NULL: the interface itself */
    int access;
    uint64_t good;              /* a value that a guest may write */
    uint64_t rsvdz;             /* bits that must be zero */
    int page;                   /* its 63:12 name a page, and what happens where there is none */
} spec_msr[] = {
    {0x40000000, NULL, RW, HV_TEST_OS_ID, 0, 0},
    {0x40000001, NULL, RW, 0x10001, 0, PAGE_MUST_BE_THERE},
    {0x40000002, "vpindex", R, 0, 0, 0},
    {0x40000003, "reset", RW, 1, ~1ull, 0},
    {0x40000010, "runtime", R, 0, 0, 0},
    {0x40000020, "time", R, 0, 0, 0},
    {0x40000021, "time", RW, 0x11001, 0, PAGE_MAY_MISS},
    {0x40000022, "frequencies", R, 0, 0, 0},
    {0x40000023, "frequencies", R, 0, 0, 0},
    {0x40000070, "vapic", W, 0, ~0xffffffffull, 0},
    {0x40000071, "vapic", RW, 0x000c0030, 0, 0},
    {0x40000072, "vapic", RW, 0x20, ~0xffull, 0},
    {0x40000073, NULL, RW, 0x12001, 0, PAGE_MAY_MISS},
    {0x40000080, "synic", RW, 1, 0, 0},
    {0x40000081, "synic", R, 0, 0, 0},
    {0x40000082, "synic", RW, 0x13001, 0, PAGE_MAY_MISS},
    {0x40000083, "synic", RW, 0x14001, 0, PAGE_MAY_MISS},
    {0x40000084, "synic", RW, 0, 0, 0},
    SPEC_SINT(0), SPEC_SINT(1), SPEC_SINT(2), SPEC_SINT(3), SPEC_SINT(4), SPEC_SINT(5), SPEC_SINT(6), SPEC_SINT(7),
    SPEC_SINT(8), SPEC_SINT(9), SPEC_SINT(10), SPEC_SINT(11), SPEC_SINT(12), SPEC_SINT(13), SPEC_SINT(14),
    SPEC_SINT(15),
    SPEC_STIMER(0), SPEC_STIMER(1), SPEC_STIMER(2), SPEC_STIMER(3),
    {0x400000f0, "idle", R, 0, 0, 0},
    {0x40000100, "crash", RW, ~0ull, 0, 0},
    {0x40000101, "crash", RW, ~0ull, 0, 0},
    {0x40000102, "crash", RW, ~0ull, 0, 0},
    {0x40000103, "crash", RW, ~0ull, 0, 0},
    {0x40000104, "crash", RW, ~0ull, 0, 0},
    {0x40000105, "crash", RW, 0, 0, 0},
    {0x40000106, "reenlightenment", RW, 1ull << 32 | 1 << 16 | 0xee, 0xff00 | 0xfffe0000, 0},
    {0x40000107, "reenlightenment", RW, 1, ~1ull, 0},
    {0x40000108, "reenlightenment", RW, ~1ull, 1, 0},
    {0x40000114, "stime-unhalted", RW, 1 << 8 | 0x40, ~0x1ffull, 0},
    {0x40000115, "stime-unhalted", RW, 10000, 0, 0},
    {0x40000118, "tsc-invariant", RW, 1, ~1ull, 0},
};

static const struct spec_msr *spec_find(uint32_t index)
{
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++) {
        if (spec_msr[i].index == index)
            return &spec_msr[i];
    }
    return NULL;
}

static void allowed_works(void **state)
{
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++) {
        if (spec_msr[i].access & W)
            hv_test_write(*state, 1, spec_msr[i].index, spec_msr[i].good);
        if (spec_msr[i].access & R)
            hv_test_read(*state, 1, spec_msr[i].index);
    }
}

static void wrong_direction_faults(void **state)
{
    struct mock *mock = *state;
    size_t bytes;

    hv_test_establish(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++) {
        uint8_t *before = hv_test_snapshot(mock, &bytes);

        if (!(spec_msr[i].access & R))
            hv_test_expect_gp(mock, mock_rdmsr(mock, 0, spec_msr[i].index, NULL));
        if (!(spec_msr[i].access & W)) {
            hv_test_expect_gp(mock, mock_wrmsr(mock, 0, spec_msr[i].index, 0));
            hv_test_expect_gp(mock, mock_wrmsr(mock, 0, spec_msr[i].index, 1));
        }
        hv_test_expect_unchanged(mock, before, bytes);
    }
}

static void reserved_bits_fault(void **state)
{
    struct mock *mock = *state;
    size_t bytes;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++) {
        for (uint32_t bit = 0; bit < 64; bit++) {
            uint8_t *before;

            if (!(spec_msr[i].rsvdz >> bit & 1))
                continue;
            before = hv_test_snapshot(mock, &bytes);
            hv_test_expect_gp(mock, mock_wrmsr(mock, 0, spec_msr[i].index, 1ull << bit));
            hv_test_expect_gp(mock, mock_wrmsr(mock, 0, spec_msr[i].index, spec_msr[i].good | 1ull << bit));
            hv_test_expect_unchanged(mock, before, bytes);
        }
    }
}

static void absent_feature_has_no_registers(void **state)
{
    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++) {
        struct mock mock;

        if (!spec_msr[i].feature)
            continue;
        hv_test_config(&mock, 1);
        mock.config.slot[0].features_off = hv_test_feature(spec_msr[i].feature);
        assert_int_equal(mock_start(&mock), HVS_OK);
        assert_int_equal(mock_rdmsr(&mock, 0, spec_msr[i].index, NULL), HVS_UNHANDLED);
        assert_int_equal(mock_wrmsr(&mock, 0, spec_msr[i].index, spec_msr[i].good), HVS_UNHANDLED);
        assert_int_equal(mock.out.nr_effects, 0);
        mock_stop(&mock);
    }
}

/* Those of the specification that are not offered, and those of no specification. */
static void unknown_registers_are_not_ours(void **state)
{
    struct mock *mock = *state;
    size_t bytes;
    uint8_t *before = hv_test_snapshot(mock, &bytes);

    for (uint32_t index = 0x3fffffff; index < 0x40002001; index++) {
        if (spec_find(index))
            continue;
        assert_int_equal(mock_rdmsr(mock, 0, index, NULL), HVS_UNHANDLED);
        assert_int_equal(mock_wrmsr(mock, 0, index, 0), HVS_UNHANDLED);
        assert_int_equal(mock_wrmsr(mock, 0, index, ~0ull), HVS_UNHANDLED);
    }
    assert_int_equal(mock_rdmsr(mock, 0, 0, NULL), HVS_UNHANDLED);
    assert_int_equal(mock_rdmsr(mock, 0, UINT32_MAX, NULL), HVS_UNHANDLED);
    hv_test_expect_unchanged(mock, before, bytes);
}

static void page_that_is_not_memory(void **state)
{
    struct mock *mock = *state;
    const uint64_t bad[] = {
        MOCK_RAM_BYTES | 1,
        0xfee00001,                                     /* the local APIC */
        (1ull << mock->config.phys_bits) - HV_PAGE_SIZE + 1,
        1ull << mock->config.phys_bits | 1,
        ~0xfffull | 1,
    };
    size_t bytes;

    hv_test_establish(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr) * HVS_ARRAY_SIZE(bad); i++) {
        const struct spec_msr *msr = &spec_msr[i / HVS_ARRAY_SIZE(bad)];
        uint64_t value = bad[i % HVS_ARRAY_SIZE(bad)];

        if (msr->page == PAGE_MUST_BE_THERE) {
            uint8_t *before = hv_test_snapshot(mock, &bytes);

            hv_test_expect_gp(mock, mock_wrmsr(mock, 0, msr->index, value));
            hv_test_expect_unchanged(mock, before, bytes);
        } else if (msr->page == PAGE_MAY_MISS) {
            hv_test_write(mock, 0, msr->index, value);
            assert_int_equal(hv_test_read(mock, 0, msr->index), value);
        }
    }
}

static void every_page_on_one_frame(void **state)
{
    struct mock *mock = *state;
    uint8_t *ram = mock->ram + 0x10000;

    memset(ram, 0x5a, HV_PAGE_SIZE);
    hv_test_write(mock, 0, HV_X64_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++) {
        if (spec_msr[i].page)
            hv_test_write(mock, 0, spec_msr[i].index, 0x10001);
    }
    mock_save_load_save(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++) {
        if (spec_msr[i].page)
            hv_test_write(mock, 0, spec_msr[i].index, 0);
    }
    for (uint32_t i = 0; i < HV_PAGE_SIZE; i++)
        assert_int_equal(ram[i], 0x5a);
}

static void save_load_save_is_equal(void **state)
{
    struct mock *mock = *state;
    uint64_t before[HVS_ARRAY_SIZE(spec_msr)];

    mock_save_load_save(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++) {
        if (spec_msr[i].access & W)
            hv_test_write(mock, 1, spec_msr[i].index, spec_msr[i].good);
    }
    mock_advance(mock, 1234567);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++)
        before[i] = spec_msr[i].access & R ? hv_test_read(mock, 1, spec_msr[i].index) : 0;
    mock_save_load_save(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(spec_msr); i++)
        assert_int_equal(spec_msr[i].access & R ? hv_test_read(mock, 1, spec_msr[i].index) : 0, before[i]);
}

/* --- Hypercalls [TLFS hypercall-interface] ------------------------------------------------------------------------ */

#define FAST (1ull << 16)
#define VAR(n) ((uint64_t)(n) << 17)
#define REPS(n) ((uint64_t)(n) << 32)
#define START(n) ((uint64_t)(n) << 48)

/*
 * TLFS hypercall-interface has a page straddle and a bad GPA under INVALID_ALIGNMENT, where microsoft/openvmm answers
 * INVALID_HYPERCALL_INPUT.
 */
enum { STRADDLE = HV_STATUS_INVALID_ALIGNMENT, NO_MEMORY = HV_STATUS_INVALID_ALIGNMENT };

static const struct {
    const char *what;
    uint64_t control, in, out;
    uint16_t status;
} bad_call[] = {
    {"good, for comparison", 0x0008, HV_TEST_IN_GPA, 0, HV_STATUS_SUCCESS},
    {"output address is ignored where there is no output", 0x0008, HV_TEST_IN_GPA, ~0ull, HV_STATUS_SUCCESS},
    {"last qword of a page", 0x0008, HV_TEST_IN_GPA + 0xff8, 0, HV_STATUS_SUCCESS},
    {"last qword of memory", 0x0008, MOCK_RAM_BYTES - 8, 0, HV_STATUS_SUCCESS},
    {"misaligned by 1", 0x0008, HV_TEST_IN_GPA + 1, 0, HV_STATUS_INVALID_ALIGNMENT},
    {"misaligned by 4", 0x0008, HV_TEST_IN_GPA + 4, 0, HV_STATUS_INVALID_ALIGNMENT},
    {"straddles a page", 0x0008, HV_TEST_IN_GPA + 0xffc, 0, STRADDLE},
    {"behind memory", 0x0008, MOCK_RAM_BYTES, 0, NO_MEMORY},
    {"beyond the address space", 0x0008, 1ull << 52, 0, NO_MEMORY},
    {"last of all addresses", 0x0008, ~0ull - 7, 0, NO_MEMORY},
    {"rep count on a simple call", 0x0008 | REPS(1), HV_TEST_IN_GPA, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
    {"rep start on a simple call", 0x0008 | START(1), HV_TEST_IN_GPA, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
    {"all reps on a simple call", 0x0008 | REPS(0xfff) | START(0xfff), HV_TEST_IN_GPA, 0,
     HV_STATUS_INVALID_HYPERCALL_INPUT},
    {"variable header on a call without one", 0x0008 | VAR(1), HV_TEST_IN_GPA, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
    {"largest variable header", 0x0008 | VAR(0x3ff), HV_TEST_IN_GPA, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
    {"rep count, fast", 0x0008 | FAST | REPS(1), 0, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
    {"message as a fast call", 0x005c | FAST, 0, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
    {"message straddles a page", 0x005c, HV_TEST_IN_GPA + 0xf08, 0, STRADDLE},
    {"message misaligned by 4", 0x005c, HV_TEST_IN_GPA + 4, 0, HV_STATUS_INVALID_ALIGNMENT},
    {"message of type 0", 0x005c, HV_TEST_IN_GPA, 0, HV_STATUS_INVALID_PARAMETER},
    {"event to nobody", 0x005d, HV_TEST_IN_GPA, 0, HV_STATUS_INVALID_CONNECTION_ID},
    {"event to nobody, fast", 0x005d | FAST, 1, 0, HV_STATUS_INVALID_CONNECTION_ID},
    {"nested", 0x0008 | 1ull << 31, HV_TEST_IN_GPA, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
    {"code 0", 0, HV_TEST_IN_GPA, 0, HV_STATUS_INVALID_HYPERCALL_CODE},
    {"unknown, with a bad address", 0x7fff, 3, 5, HV_STATUS_INVALID_HYPERCALL_CODE},
    /* Windows asks without having the privilege */
    {"extended capabilities", 0x8001, 0, HV_TEST_OUT_GPA, HV_STATUS_INVALID_HYPERCALL_CODE},
    {"extended capabilities, fast", 0x8001 | FAST, 0, 0, HV_STATUS_INVALID_HYPERCALL_CODE},
};

static void bad_calls_get_their_status(void **state)
{
    struct mock *mock = *state;
    size_t bytes;

    hv_test_establish(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(bad_call) * 2; i++) {
        size_t n = i / 2;
        uint8_t *before = hv_test_snapshot(mock, &bytes);
        uint64_t result = hv_test_call(mock, i & 1 ? 32 : 64, bad_call[n].control, bad_call[n].in, bad_call[n].out);

        if (result != bad_call[n].status)
            fail_msg("%s: got %#llx, want %#x", bad_call[n].what, (unsigned long long)result, bad_call[n].status);
        assert_int_equal(mock->out.nr_effects, result == HV_STATUS_SUCCESS);
        hv_test_expect_unchanged(mock, before, bytes);
    }
}

static void reserved_control_bits_are_invalid_input(void **state)
{
    static const uint8_t reserved[] = {27, 28, 29, 30, 44, 45, 46, 47, 60, 61, 62, 63};
    struct mock *mock = *state;

    hv_test_establish(mock);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(reserved) * 2; i++) {
        uint64_t control = 0x0008 | FAST | 1ull << reserved[i / 2];

        assert_int_equal(hv_test_call(mock, i & 1 ? 32 : 64, control, 0, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
        assert_int_equal(mock->out.nr_effects, 0);
    }
}

/* What a guest partition may call without help of the host. */
static bool is_offered(uint32_t code)
{
    static const uint16_t offered[] = {0x02, 0x03, 0x08, 0x0b, 0x13, 0x14, 0x15, 0x50, 0x51, 0x52, 0x5c, 0x5d,
                                       0x99, 0x9a};

    for (size_t i = 0; i < HVS_ARRAY_SIZE(offered); i++) {
        if (offered[i] == code)
            return true;
    }
    return false;
}

static void every_other_code_is_invalid(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    for (uint32_t code = 0; code <= 0xffff; code++) {
        if (!is_offered(code))
            assert_int_equal(hv_test_call(mock, 64, code | FAST, 0, 0), HV_STATUS_INVALID_HYPERCALL_CODE);
    }
}

static void absent_feature_has_no_calls(void **state)
{
    struct mock mock;

    (void)state;
    hv_test_config(&mock, 1);
    mock.config.slot[0].features_off = hv_test_feature("spinlocks");
    assert_int_equal(mock_start(&mock), HVS_OK);
    hv_test_establish(&mock);
    assert_int_equal(hv_test_call(&mock, 64, 0x0008 | FAST, 0, 0), HV_STATUS_INVALID_HYPERCALL_CODE);
    assert_int_equal(mock.out.nr_effects, 0);
    mock_stop(&mock);
}

/* Legal environments [TLFS hypercall-interface]: each of these is #UD, with no register changed. */
static const struct {
    const char *what;
    uint8_t cpl, code_bits;
    uint64_t cr0;
    bool has_identity, has_page;
} illegal[] = {
    {"CPL 1", 1, 64, HVS_CR0_PE | HVS_CR0_PG, true, true},
    {"CPL 2", 2, 32, HVS_CR0_PE | HVS_CR0_PG, true, true},
    {"CPL 3", 3, 64, HVS_CR0_PE | HVS_CR0_PG, true, true},
    {"CPL 3, 32-bit", 3, 32, HVS_CR0_PE | HVS_CR0_PG, true, true},
    {"real mode", 0, 16, 0, true, true},
    {"big real mode", 0, 32, 0, true, true},
    {"no page", 0, 64, HVS_CR0_PE | HVS_CR0_PG, true, false},
    {"nobody's page", 0, 64, HVS_CR0_PE | HVS_CR0_PG, false, true},
    {"nothing at all", 0, 64, HVS_CR0_PE | HVS_CR0_PG, false, false},
};

static void illegal_environments_are_ud(void **state)
{
    struct mock *mock = *state;
    size_t bytes;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(illegal); i++) {
        struct hvs_regs before = hv_test_regs(illegal[i].code_bits);
        uint8_t *stream;

        hv_test_write(mock, 0, 0x40000000, illegal[i].has_identity ? HV_TEST_OS_ID : 0);
        hv_test_write(mock, 0, 0x40000001, illegal[i].has_page ? 0x10001 : 0);
        stream = hv_test_snapshot(mock, &bytes);
        before.rcx = before.rax = 0x0008 | FAST;
        before.rdx = 0;
        before.cpl = illegal[i].cpl;
        before.cr0 = illegal[i].cr0;
        mock->regs = before;

        enum hvs_verdict verdict = mock_hypercall(mock, 0, 0);

        if (verdict != HVS_FAULT)
            fail_msg("%s: verdict %d", illegal[i].what, verdict);
        hv_test_expect_ud(mock, verdict);
        assert_memory_equal(&mock->regs, &before, sizeof(before));
        hv_test_expect_unchanged(mock, stream, bytes);
    }
}

static void call_of_another_slot_is_not_ours(void **state)
{
    struct mock *mock = *state;

    hv_test_establish(mock);
    mock->regs = hv_test_regs(64);
    assert_int_equal(mock_hypercall(mock, 0, 1), HVS_UNHANDLED);
}

/* --- CPUID -------------------------------------------------------------------------------------------------------- */

static void unknown_leaves_are_zero_or_not_ours(void **state)
{
    struct mock *mock = *state;

    const uint32_t end = HV_CPUID_VENDOR_AND_MAX_FUNCTION + 0x200;

    for (uint32_t leaf = HV_CPUID_ISOLATION_CONFIGURATION + 1; leaf < end; leaf++) {
        struct hvs_cpuid_regs r = mock_cpuid(mock, 0, leaf, 0);

        assert_int_equal(r.reg[0] | r.reg[1] | r.reg[2] | r.reg[3], 0);
    }
}

static void subleaf_does_not_matter(void **state)
{
    for (uint32_t leaf = HV_CPUID_VENDOR_AND_MAX_FUNCTION; leaf <= HV_CPUID_ISOLATION_CONFIGURATION; leaf++) {
        struct hvs_cpuid_regs a = mock_cpuid(*state, 0, leaf, 0), b = mock_cpuid(*state, 0, leaf, UINT32_MAX);

        assert_memory_equal(&a, &b, sizeof(a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HV_TEST(allowed_works),
        HV_TEST(wrong_direction_faults),
        HV_TEST(reserved_bits_fault),
        cmocka_unit_test(absent_feature_has_no_registers),
        HV_TEST(unknown_registers_are_not_ours),
        HV_TEST(page_that_is_not_memory),
        HV_TEST(every_page_on_one_frame),
        HV_TEST(save_load_save_is_equal),
        HV_TEST(bad_calls_get_their_status),
        HV_TEST(reserved_control_bits_are_invalid_input),
        HV_TEST(every_other_code_is_invalid),
        cmocka_unit_test(absent_feature_has_no_calls),
        HV_TEST(illegal_environments_are_ud),
        HV_TEST(call_of_another_slot_is_not_ours),
        HV_TEST(unknown_leaves_are_zero_or_not_ours),
        HV_TEST(subleaf_does_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
