/* Guest memory: page walks of every mode, and the edges of physical memory. */
#include "toy.h"

enum {
    PRESENT = 1 << 0,
    WRITABLE = 1 << 1,
    LARGE = 1 << 7,
    RW = PRESENT | WRITABLE,
    PML5 = 0x1000,
    PML4 = 0x2000,
    PDPT = 0x3000,
    PD = 0x4000,
    PT = 0x5000,
    PAE_PDPT = 0x6020,          /* 32-byte aligned, as CR3 may have it */
    PAGE_A = 0x40000,
    PAGE_B = 0x70000,           /* mapped behind PAGE_A */
};
#define CR0_WP (1ull << 16)
#define PAGING (HVS_CR0_PE | HVS_CR0_PG)

/* 0x0000 7fc0 8060 5000: index 255 in PML4, 258 in PDPT, 3 in PD, 5 in PT. */
#define GVA_4LEVEL (255ull << 39 | 258ull << 30 | 3ull << 21 | 5ull << 12)
#define GVA_HIGH (0xffffull << 48 | 256ull << 39 | 258ull << 30 | 3ull << 21 | 5ull << 12)
#define GVA_5LEVEL (3ull << 48 | GVA_4LEVEL)
#define GVA_32BIT (3ull << 22 | 5ull << 12)
#define GVA_PAE (2ull << 30 | 3ull << 21 | 5ull << 12)

enum mode { MODE_32BIT, MODE_PSE, MODE_PAE, MODE_4LEVEL, MODE_5LEVEL };

static void put(struct mock *mock, uint64_t gpa, uint64_t value, uint32_t bytes)
{
    memcpy(mock->ram + gpa, &value, bytes);
}

static void use_mode(struct mock *mock, enum mode mode)
{
    static const struct {
        uint64_t cr3, cr4, efer;
    } of[] = {
        [MODE_32BIT] = {PD, 0, 0},
        [MODE_PSE] = {PD, HVS_CR4_PSE, 0},
        [MODE_PAE] = {PAE_PDPT, HVS_CR4_PAE, 0},
        [MODE_4LEVEL] = {PML4, HVS_CR4_PAE, HVS_EFER_LMA},
        [MODE_5LEVEL] = {PML5, HVS_CR4_PAE | HVS_CR4_LA57, HVS_EFER_LMA},
    };

    mock->regs.cr0 = PAGING | CR0_WP;
    mock->regs.cr3 = of[mode].cr3;
    mock->regs.cr4 = of[mode].cr4;
    mock->regs.efer = of[mode].efer;
}

/* Maps PAGE_A and behind it PAGE_B at the address of this mode, by small pages, all writable. Returns the address. */
static uint64_t map_pages(struct mock *mock, enum mode mode)
{
    bool is_small = mode == MODE_32BIT || mode == MODE_PSE;
    uint32_t bytes = is_small ? 4 : 8;

    use_mode(mock, mode);
    put(mock, PML5 + 3 * 8, PML4 | RW, 8);
    put(mock, PML4 + 255 * 8, PDPT | RW, 8);
    put(mock, PML4 + 256 * 8, PDPT | RW, 8);
    put(mock, PDPT + 258 * 8, PD | RW, 8);
    put(mock, PAE_PDPT + 2 * 8, PD | PRESENT, 8);       /* this one has no writable bit */
    put(mock, PD + 3 * bytes, PT | RW, bytes);
    put(mock, PT + 5 * bytes, PAGE_A | RW, bytes);
    put(mock, PT + 6 * bytes, PAGE_B | RW, bytes);
    switch (mode) {
    case MODE_32BIT:
    case MODE_PSE:
        return GVA_32BIT;
    case MODE_PAE:
        return GVA_PAE;
    case MODE_4LEVEL:
        return GVA_4LEVEL;
    case MODE_5LEVEL:
        return GVA_5LEVEL;
    }
    return 0;
}

static void expect_gpa(struct mock *mock, uint64_t gva, uint64_t expected)
{
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    uint64_t gpa = 0;

    assert_int_equal(hvs_gva_to_gpa(&ctx, gva, false, &gpa), HVS_OK);
    assert_int_equal(gpa, expected);
}

static void expect_fault(struct mock *mock, uint64_t gva, bool for_write)
{
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    uint64_t gpa;

    assert_int_equal(hvs_gva_to_gpa(&ctx, gva, for_write, &gpa), HVS_EFAULT);
}

static void test_small_pages_in_every_mode(void **state)
{
    for (enum mode mode = MODE_32BIT; mode <= MODE_5LEVEL; mode++) {
        uint64_t gva = map_pages(*state, mode);

        expect_gpa(*state, gva, PAGE_A);
        expect_gpa(*state, gva + 0xfff, PAGE_A + 0xfff);
        expect_gpa(*state, gva + 0x1000, PAGE_B);
        expect_fault(*state, gva + 0x2000, false);
        expect_fault(*state, gva - 1, false);
    }
}

static void test_the_high_half(void **state)
{
    map_pages(*state, MODE_4LEVEL);
    expect_gpa(*state, GVA_HIGH + 0x123, PAGE_A + 0x123);
}

/* Outside of long mode addresses are not sign-extended: kernels live above 3 GiB. */
static void test_the_top_of_32_bits(void **state)
{
    struct mock *mock = *state;

    map_pages(mock, MODE_32BIT);
    put(mock, PD + 1023 * 4, PT | RW, 4);
    put(mock, PT + 1023 * 4, PAGE_B | RW, 4);
    expect_gpa(mock, UINT32_MAX, PAGE_B + 0xfff);
    map_pages(mock, MODE_PAE);
    put(mock, PAE_PDPT + 3 * 8, PD | PRESENT, 8);
    put(mock, PD + 511 * 8, PT | RW, 8);
    put(mock, PT + 511 * 8, PAGE_B | RW, 8);
    expect_gpa(mock, UINT32_MAX, PAGE_B + 0xfff);
}

static void test_large_pages(void **state)
{
    static const struct {
        enum mode mode;
        uint32_t entry_gpa;
        uint32_t bytes;
        uint64_t entry;
        uint64_t gva, gpa;
    } cases[] = {
        {MODE_PSE, PD + 3 * 4, 4, 0x00800000 | LARGE | RW, 3ull << 22 | 0x2abcde, 0x00aabcde},
        /* PSE-36: entry bits 20:13 are address bits 39:32 */
        {MODE_PSE, PD + 3 * 4, 4, 0x00800000 | 0x81u << 13 | LARGE | RW, 3ull << 22 | 0x2abcde, 0x8100aabcde},
        {MODE_PAE, PD + 3 * 8, 8, 0x123600000 | LARGE | RW, GVA_PAE, 0x123605000},
        {MODE_4LEVEL, PD + 3 * 8, 8, 0x123600000 | LARGE | RW, GVA_4LEVEL + 0x11, 0x123605011},
        /* bit 12 of a large entry is PAT, bit 63 is NX: neither is address */
        {MODE_4LEVEL, PD + 3 * 8, 8, 1ull << 63 | 0x123600000 | 1 << 12 | LARGE | RW, GVA_4LEVEL, 0x123605000},
        {MODE_4LEVEL, PDPT + 258 * 8, 8, 0x240000000 | LARGE | RW, GVA_4LEVEL, 0x240605000},
        {MODE_5LEVEL, PDPT + 258 * 8, 8, 0x240000000 | LARGE | RW, GVA_5LEVEL, 0x240605000},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct mock *mock = *state;

        memset(mock->ram, 0, 0x10000);
        map_pages(mock, cases[i].mode);
        put(mock, cases[i].entry_gpa, cases[i].entry, cases[i].bytes);
        expect_gpa(mock, cases[i].gva, cases[i].gpa);
    }
}

/* Bit 7 means something else, or nothing, in these entries: the walk goes on through them. */
static void test_bit_7_where_it_is_not_large(void **state)
{
    static const struct {
        enum mode mode;
        uint32_t entry_gpa;
        uint32_t bytes;
        uint64_t entry;
    } cases[] = {
        {MODE_32BIT, PD + 3 * 4, 4, PT | LARGE | RW},           /* CR4.PSE is off */
        {MODE_32BIT, PT + 5 * 4, 4, PAGE_A | LARGE | RW},       /* PAT */
        {MODE_4LEVEL, PT + 5 * 8, 8, PAGE_A | LARGE | RW},
        {MODE_PAE, PAE_PDPT + 2 * 8, 8, PD | LARGE | PRESENT},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        uint64_t gva = map_pages(*state, cases[i].mode);

        put(*state, cases[i].entry_gpa, cases[i].entry, cases[i].bytes);
        expect_gpa(*state, gva, PAGE_A);
    }
}

static void test_an_absent_entry_at_each_level(void **state)
{
    static const struct {
        enum mode mode;
        uint32_t entry_gpa;
    } cases[] = {
        {MODE_32BIT, PD + 3 * 4}, {MODE_32BIT, PT + 5 * 4},
        {MODE_PAE, PAE_PDPT + 2 * 8}, {MODE_PAE, PD + 3 * 8}, {MODE_PAE, PT + 5 * 8},
        {MODE_4LEVEL, PML4 + 255 * 8}, {MODE_4LEVEL, PDPT + 258 * 8}, {MODE_4LEVEL, PD + 3 * 8},
        {MODE_4LEVEL, PT + 5 * 8}, {MODE_5LEVEL, PML5 + 3 * 8},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct mock *mock = *state;
        uint64_t gva = map_pages(mock, cases[i].mode);

        mock->ram[cases[i].entry_gpa] &= (uint8_t)~PRESENT;
        expect_fault(mock, gva, false);
    }
}

static void test_write_protection_at_each_level(void **state)
{
    static const struct {
        enum mode mode;
        uint32_t entry_gpa;
    } cases[] = {
        {MODE_32BIT, PD + 3 * 4}, {MODE_32BIT, PT + 5 * 4}, {MODE_PAE, PD + 3 * 8}, {MODE_PAE, PT + 5 * 8},
        {MODE_4LEVEL, PML4 + 255 * 8}, {MODE_4LEVEL, PDPT + 258 * 8}, {MODE_4LEVEL, PD + 3 * 8},
        {MODE_4LEVEL, PT + 5 * 8}, {MODE_5LEVEL, PML5 + 3 * 8},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct mock *mock = *state;
        uint64_t gva = map_pages(mock, cases[i].mode), gpa;
        struct hvs_ctx ctx = toy_ctx(mock, 0);

        assert_int_equal(hvs_gva_to_gpa(&ctx, gva, true, &gpa), HVS_OK);
        mock->ram[cases[i].entry_gpa] &= (uint8_t)~WRITABLE;
        expect_gpa(mock, gva, PAGE_A);
        expect_fault(mock, gva, true);
        mock->regs.cr0 = PAGING;                /* without CR0.WP the supervisor writes anywhere */
        assert_int_equal(hvs_gva_to_gpa(&ctx, gva, true, &gpa), HVS_OK);
    }
}

/* From CPL 3 each level must be the user's, and writing is bound by the tables whatever CR0.WP says. */
static void test_user_pages_from_cpl3(void **state)
{
    enum { USER = 1 << 2 };
    static const struct {
        enum mode mode;
        uint32_t entry[4];
    } cases[] = {
        {MODE_32BIT, {PD + 3 * 4, PT + 5 * 4}},
        {MODE_PAE, {PD + 3 * 8, PT + 5 * 8}},
        {MODE_4LEVEL, {PML4 + 255 * 8, PDPT + 258 * 8, PD + 3 * 8, PT + 5 * 8}},
    };
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        uint64_t gva = map_pages(mock, cases[i].mode);

        mock->regs.cpl = 3;
        expect_fault(mock, gva, false);
        for (size_t e = 0; e < 4 && cases[i].entry[e]; e++)
            mock->ram[cases[i].entry[e]] |= USER;
        expect_gpa(mock, gva, PAGE_A);
        for (size_t e = 0; e < 4 && cases[i].entry[e]; e++) {
            mock->ram[cases[i].entry[e]] &= (uint8_t)~USER;
            expect_fault(mock, gva, false);
            expect_fault(mock, gva, true);
            mock->ram[cases[i].entry[e]] |= USER;
        }
        mock->regs.cr0 = PAGING;
        mock->ram[PT + 5 * (cases[i].mode == MODE_32BIT ? 4 : 8)] &= (uint8_t)~WRITABLE;
        expect_gpa(mock, gva, PAGE_A);
        expect_fault(mock, gva, true);
        for (mock->regs.cpl = 0; mock->regs.cpl < 3; mock->regs.cpl++)
            expect_gpa(mock, gva, PAGE_A);
        mock->regs.cpl = 0;
        memset(mock->ram, 0, 0x10000);
    }
}

/* What the processor would say of an access that hvs_gva_to_gpa refuses. */
static void test_faults_of_accesses(void **state)
{
    static const struct {
        uint8_t cpl;
        bool is_present, for_write;
        uint32_t code;
    } cases[] = {{0, false, false, 0}, {0, false, true, 2}, {3, false, false, 4}, {3, false, true, 6},
                 {3, true, false, 5}, {3, true, true, 7}, {0, true, true, 3}};
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        uint64_t gva = map_pages(mock, MODE_4LEVEL);
        struct hvs_ctx ctx = toy_ctx(mock, 0);

        mock->ram[PT + 5 * 8] = cases[i].is_present ? PRESENT : 0;
        mock->regs.cpl = cases[i].cpl;
        assert_int_equal(hvs_fault_access(&ctx, gva + 0x123, cases[i].for_write), HVS_FAULT);
        assert_int_equal(mock->out.fault_vector, 14);
        assert_true(mock->out.fault_has_code);
        assert_int_equal(mock->out.fault_code, cases[i].code);
        assert_int_equal(mock->out.fault_address, gva + 0x123);
        mock->regs.cpl = 0;
    }

    struct hvs_ctx ctx = toy_ctx(mock, 0);

    assert_int_equal(hvs_fault_access(&ctx, 1ull << 47, false), HVS_FAULT);
    assert_int_equal(mock->out.fault_vector, 13);
    assert_int_equal(mock->out.fault_code, 0);
}

/* For a backend that looks at an instruction. */
static void test_reading_outside_of_handlers(void **state)
{
    struct mock *mock = *state;
    uint64_t gva = map_pages(mock, MODE_4LEVEL);
    uint8_t bytes[4];

    memcpy(mock->ram + PAGE_A + 0xffe, "\xf3\x6e", 2);
    memcpy(mock->ram + PAGE_B, "\x90\xc3", 2);
    assert_int_equal(hvs_vcpu_gva_read(mock_vcpu(mock, 0), &mock->regs, gva + 0xffe, bytes, 4), HVS_OK);
    assert_memory_equal(bytes, "\xf3\x6e\x90\xc3", 4);
    assert_int_equal(hvs_vcpu_gva_read(mock_vcpu(mock, 0), &mock->regs, gva + 0x1ffe, bytes, 4), HVS_EFAULT);
}

static void test_addresses_that_do_not_exist(void **state)
{
    static const struct {
        enum mode mode;
        uint64_t gva;
    } cases[] = {
        {MODE_4LEVEL, 1ull << 47}, {MODE_4LEVEL, 1ull << 48 | GVA_4LEVEL}, {MODE_4LEVEL, 1ull << 63 | GVA_4LEVEL},
        {MODE_4LEVEL, GVA_HIGH & ~(1ull << 63)}, {MODE_4LEVEL, GVA_HIGH & ~(1ull << 48)},
        {MODE_5LEVEL, 1ull << 56}, {MODE_5LEVEL, 1ull << 57 | GVA_5LEVEL},
        {MODE_32BIT, 1ull << 32 | GVA_32BIT}, {MODE_PAE, 1ull << 32 | GVA_PAE}, {MODE_PAE, UINT64_MAX},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        map_pages(*state, cases[i].mode);
        expect_fault(*state, cases[i].gva, false);
    }
}

/* Tables and pages where no RAM is: the port refuses, nothing is followed. */
static void test_tables_outside_of_ram(void **state)
{
    struct mock *mock = *state;
    uint8_t byte;

    map_pages(mock, MODE_4LEVEL);
    mock->regs.cr3 = 0x000ffffffffff000;
    expect_fault(mock, GVA_4LEVEL, false);
    map_pages(mock, MODE_4LEVEL);
    put(mock, PD + 3 * 8, 0x000ffffffffff000 | RW, 8);
    expect_fault(mock, GVA_4LEVEL, false);
    map_pages(mock, MODE_4LEVEL);
    put(mock, PT + 5 * 8, 0x000ffffffffff000 | RW, 8);
    expect_gpa(mock, GVA_4LEVEL, 0x000ffffffffff000);

    struct hvs_ctx ctx = toy_ctx(mock, 0);

    assert_int_equal(hvs_gva_read(&ctx, GVA_4LEVEL, &byte, 1), HVS_EFAULT);
    assert_int_equal(hvs_gva_write(&ctx, GVA_4LEVEL, &byte, 1), HVS_EFAULT);
}

/* Flags in CR3 (PCID, PWT, PCD) are not address. */
static void test_low_bits_of_cr3(void **state)
{
    struct mock *mock = *state;

    map_pages(mock, MODE_4LEVEL);
    mock->regs.cr3 |= 1ull << 63 | 0xfff;
    expect_gpa(mock, GVA_4LEVEL, PAGE_A);
    map_pages(mock, MODE_PAE);
    mock->regs.cr3 |= 0x1f | 1ull << 32;
    expect_gpa(mock, GVA_PAE, PAGE_A);
    map_pages(mock, MODE_32BIT);
    mock->regs.cr3 |= 0xfff | 1ull << 32;
    expect_gpa(mock, GVA_32BIT, PAGE_A);
}

static void test_paging_off(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);

    expect_gpa(mock, 0x12345, 0x12345);
    ctx.regs = NULL;
    assert_int_equal(hvs_gva_to_gpa(&ctx, 0, false, &(uint64_t){0}), HVS_EFAULT);
}

static struct hvs_walk walk_to(struct mock *mock, uint64_t gva, enum hvs_walk_end end)
{
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_walk walk;

    assert_int_equal(hvs_gva_walk(&ctx, gva, &walk), end);
    return walk;
}

/* The walk tells what all levels allow together; the copies above do not care for user and NX. */
static void test_a_walk_tells_what_is_allowed(void **state)
{
    static const uint32_t entry_gpa[] = {PT + 5 * 8, PD + 3 * 8, PDPT + 258 * 8, PML4 + 255 * 8};
    enum { USER = 1 << 2 };
    struct mock *mock = *state;
    struct hvs_walk walk;

    map_pages(mock, MODE_4LEVEL);
    mock->regs.efer |= 1 << 11;                 /* NXE */
    walk = walk_to(mock, GVA_4LEVEL + 7, HVS_WALK_PAGE);
    assert_int_equal(walk.gpa, PAGE_A + 7);
    assert_true(walk.is_writable && walk.is_executable && !walk.is_user && !walk.has_reserved_bit);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(entry_gpa); i++) {
        assert_false(walk_to(mock, GVA_4LEVEL, HVS_WALK_PAGE).is_user);
        mock->ram[entry_gpa[i]] |= USER;
    }
    assert_true(walk_to(mock, GVA_4LEVEL, HVS_WALK_PAGE).is_user);
    mock->ram[PD + 3 * 8 + 7] = 0x80;           /* NX */
    walk = walk_to(mock, GVA_4LEVEL, HVS_WALK_PAGE);
    assert_true(!walk.is_executable && walk.is_writable && !walk.has_reserved_bit);
    mock->ram[PML4 + 255 * 8] &= (uint8_t)~WRITABLE;
    assert_false(walk_to(mock, GVA_4LEVEL, HVS_WALK_PAGE).is_writable);
    mock->ram[PDPT + 258 * 8] = 0;
    walk_to(mock, GVA_4LEVEL, HVS_WALK_NOT_PRESENT);
    put(mock, PDPT + 258 * 8, (1ull << 39) | RW, 8);
    assert_int_equal(walk_to(mock, GVA_4LEVEL, HVS_WALK_NO_MEMORY).gpa, (1ull << 39) + 3 * 8);
    walk_to(mock, 1ull << 47, HVS_WALK_NOT_PRESENT);
    mock->regs.cr0 = HVS_CR0_PE;
    walk = walk_to(mock, 0x1234, HVS_WALK_PAGE);
    assert_true(walk.is_writable && walk.is_executable && walk.is_user);
}

static void test_a_walk_finds_reserved_bits(void **state)
{
    static const struct {
        enum mode mode;
        uint32_t entry_gpa;
        uint64_t entry;
        bool has_nxe, is_reserved;
    } cases[] = {
        {MODE_4LEVEL, PT + 5 * 8, PAGE_A | RW, false, false},
        {MODE_4LEVEL, PT + 5 * 8, 1ull << 63 | PAGE_A | RW, false, true},
        {MODE_4LEVEL, PT + 5 * 8, 1ull << 63 | PAGE_A | RW, true, false},
        {MODE_4LEVEL, PT + 5 * 8, 1ull << 40 | PAGE_A | RW, true, true},        /* phys_bits is 40 */
        {MODE_4LEVEL, PT + 5 * 8, 1ull << 39 | RW, true, false},
        {MODE_4LEVEL, PML4 + 255 * 8, PDPT | LARGE | RW, true, true},
        {MODE_4LEVEL, PD + 3 * 8, 1 << 21 | 1 << 12 | LARGE | RW, true, false}, /* PAT */
        {MODE_4LEVEL, PD + 3 * 8, 1 << 21 | 1 << 13 | LARGE | RW, true, true},
        {MODE_4LEVEL, PDPT + 258 * 8, 1 << 30 | 1 << 21 | LARGE | RW, true, true},
        {MODE_PAE, PAE_PDPT + 2 * 8, PD | PRESENT, false, false},
        {MODE_PAE, PAE_PDPT + 2 * 8, PD | RW, false, true},
        {MODE_PSE, PD + 3 * 4, 0x00800000 | 0x81u << 13 | LARGE | RW, false, false},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct mock *mock = *state;
        uint64_t gva = map_pages(mock, cases[i].mode);

        put(mock, cases[i].entry_gpa, cases[i].entry, cases[i].mode == MODE_PSE ? 4 : 8);
        if (cases[i].has_nxe)
            mock->regs.efer |= 1 << 11;
        assert_int_equal(walk_to(mock, gva, HVS_WALK_PAGE).has_reserved_bit, cases[i].is_reserved);
        memset(mock->ram, 0, 0x10000);
    }
}

static void test_copies_follow_the_page_tables(void **state)
{
    static const uint64_t offsets[] = {0, 1, 0xfff, 0xffc};
    struct mock *mock = *state;

    for (enum mode mode = MODE_32BIT; mode <= MODE_5LEVEL; mode++) {
        uint64_t gva = map_pages(mock, mode);
        struct hvs_ctx ctx = toy_ctx(mock, 0);

        for (size_t i = 0; i < HVS_ARRAY_SIZE(offsets); i++) {
            static const uint8_t text[] = "straddles a page";
            uint8_t back[sizeof(text)] = {0};
            size_t head = 0x1000 - offsets[i] < sizeof(text) ? 0x1000 - offsets[i] : sizeof(text);

            memset(mock->ram + PAGE_A, 0xcc, 0x1000);
            memset(mock->ram + PAGE_B, 0xcc, 0x1000);
            assert_int_equal(hvs_gva_write(&ctx, gva + offsets[i], text, sizeof(text)), HVS_OK);
            assert_memory_equal(mock->ram + PAGE_A + offsets[i], text, head);
            assert_memory_equal(mock->ram + PAGE_B, text + head, sizeof(text) - head);
            assert_int_equal(mock->ram[PAGE_B + sizeof(text) - head], 0xcc);
            assert_int_equal(hvs_gva_read(&ctx, gva + offsets[i], back, sizeof(back)), HVS_OK);
            assert_memory_equal(back, text, sizeof(text));
        }
    }
}

static void test_a_copy_into_a_hole_fails(void **state)
{
    struct mock *mock = *state;
    uint64_t gva = map_pages(mock, MODE_4LEVEL);
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    uint8_t bytes[0x3000] = {0};

    assert_int_equal(hvs_gva_read(&ctx, gva, bytes, 0x2000), HVS_OK);
    assert_int_equal(hvs_gva_read(&ctx, gva, bytes, 0x2001), HVS_EFAULT);
    assert_int_equal(hvs_gva_write(&ctx, gva + 0x1fff, bytes, 2), HVS_EFAULT);
    assert_int_equal(hvs_gva_read(&ctx, gva + 0x2000, bytes, 0), HVS_OK);
}

static void test_physical_edges(void **state)
{
    static const struct {
        uint64_t gpa;
        size_t bytes;
        int err;
    } cases[] = {
        {0, 1, HVS_OK}, {MOCK_RAM_BYTES - 1, 1, HVS_OK}, {MOCK_RAM_BYTES - 1, 2, HVS_EFAULT},
        {MOCK_RAM_BYTES, 1, HVS_EFAULT}, {MOCK_RAM_BYTES, 0, HVS_OK}, {UINT64_MAX, 1, HVS_EFAULT},
        {UINT64_MAX - 7, 8, HVS_EFAULT}, {UINT64_MAX - 6, 8, HVS_EFAULT}, {1ull << 63, 8, HVS_EFAULT},
    };
    struct hvs_ctx ctx = toy_ctx(*state, 0);
    uint8_t bytes[8] = {0};

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        assert_int_equal(hvs_gpa_read(&ctx, cases[i].gpa, bytes, cases[i].bytes), cases[i].err);
        assert_int_equal(hvs_gpa_write(&ctx, cases[i].gpa, bytes, cases[i].bytes), cases[i].err);
    }
}

static void test_pins(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    void *page = hvs_page_pin(&ctx, 5);

    assert_ptr_equal(page, mock->ram + 0x5000);
    hvs_page_unpin(&ctx, 5, page, false);
    assert_null(hvs_page_pin(&ctx, MOCK_RAM_BYTES >> HVS_PAGE_SHIFT));
    assert_null(hvs_page_pin(&ctx, UINT64_MAX >> HVS_PAGE_SHIFT));
    assert_null(hvs_page_pin(&ctx, UINT64_MAX));
    assert_null(hvs_page_pin(&ctx, 1ull << 52));        /* would wrap to page 0 */
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_small_pages_in_every_mode),
    TOY_TEST(test_the_high_half),
    TOY_TEST(test_the_top_of_32_bits),
    TOY_TEST(test_large_pages),
    TOY_TEST(test_bit_7_where_it_is_not_large),
    TOY_TEST(test_an_absent_entry_at_each_level),
    TOY_TEST(test_write_protection_at_each_level),
    TOY_TEST(test_user_pages_from_cpl3),
    TOY_TEST(test_faults_of_accesses),
    TOY_TEST(test_reading_outside_of_handlers),
    TOY_TEST(test_addresses_that_do_not_exist),
    TOY_TEST(test_tables_outside_of_ram),
    TOY_TEST(test_low_bits_of_cr3),
    TOY_TEST(test_paging_off),
    TOY_TEST(test_a_walk_tells_what_is_allowed),
    TOY_TEST(test_a_walk_finds_reserved_bits),
    TOY_TEST(test_copies_follow_the_page_tables),
    TOY_TEST(test_a_copy_into_a_hole_fails),
    TOY_TEST(test_physical_edges),
    TOY_TEST(test_pins),
};
TOY_MAIN(tests)
