/* From an event to the guest: which words change, in which cases the guest is interrupted. */
#include "xen_test.h"

/* A guest of one width, with shared_info and two vCPUs that have vectors. */
static const struct xen_layout *start_events(struct mock *mock, uint8_t bits)
{
    start(mock, 2);
    mock->regs.code_bits = bits;
    map_shared(mock);
    set_vector(mock, 0);
    set_vector(mock, 1);
    return xen_layout(bits == 32);
}

static uint8_t *info_of(struct mock *mock, uint32_t vp)
{
    return mock->ram + SHARED_GPA + vp * XEN_VCPU_INFO_BYTES;
}

static bool has_bit(const uint8_t *bitmap, uint32_t bit)
{
    return bitmap[bit / 8] >> bit % 8 & 1;
}

static void put_bit(uint8_t *bitmap, uint32_t bit, bool is_set)
{
    bitmap[bit / 8] = (uint8_t)((bitmap[bit / 8] & ~(1 << bit % 8)) | is_set << bit % 8);
}

/* Every combination of what the guest's words may say before a send, and what comes of it. */
static void test_send(void **state)
{
    static const struct {
        bool pending, masked, sel, upcall;      /* before */
        bool sel_after, upcall_after, is_interrupted;
    } t[] = {
        {false, false, false, false, true, true, true},
        {false, false, false, true, true, true, true},          /* an earlier interrupt may have been lost */
        {false, false, true, false, true, false, false},        /* the guest is at it */
        {false, false, true, true, true, true, true},
        {false, true, false, false, false, false, false},
        {false, true, true, true, true, true, false},
        {true, false, false, false, false, false, false},
        {true, false, true, true, true, true, false},
        {true, true, false, false, false, false, false},
    };

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            struct mock mock;
            const struct xen_layout *at = start_events(&mock, bits);
            uint32_t port = bind_ipi(&mock, 1);
            uint8_t *info = info_of(&mock, 1), *shared = mock.ram + SHARED_GPA;

            put_bit(shared + at->pending, port, t[i].pending);
            put_bit(shared + at->mask, port, t[i].masked);
            put_bit(info + at->sel, port >> at->sel_shift, t[i].sel);
            info[0] = t[i].upcall;
            assert_int_equal(send(&mock, port), 0);
            assert_true(has_bit(shared + at->pending, port));
            assert_int_equal(has_bit(info + at->sel, port >> at->sel_shift), t[i].sel_after);
            assert_int_equal(info[0], t[i].upcall_after);
            assert_int_equal(interrupted(&mock), t[i].is_interrupted ? 1 : NOBODY);
            mock_stop(&mock);
        }
    }
}

static int64_t unmask(struct mock *mock, uint32_t port)
{
    struct evtchn_unmask args = {.port = port};

    return EVTCHN(mock, unmask, &args);
}

static void test_unmask(void **state)
{
    static const struct {
        bool pending, masked, is_interrupted;
    } t[] = {
        {true, true, true}, {true, false, false}, {false, true, false}, {false, false, false},
    };

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
            struct mock mock;
            const struct xen_layout *at = start_events(&mock, bits);
            uint32_t port = bind_ipi(&mock, 0);
            uint8_t *shared = mock.ram + SHARED_GPA;

            put_bit(shared + at->pending, port, t[i].pending);
            put_bit(shared + at->mask, port, t[i].masked);
            assert_int_equal(unmask(&mock, port), 0);
            assert_false(has_bit(shared + at->mask, port));
            assert_int_equal(has_bit(shared + at->pending, port), t[i].pending);
            assert_int_equal(shared[0], t[i].is_interrupted);
            assert_int_equal(interrupted(&mock), t[i].is_interrupted ? 0 : NOBODY);
            mock_stop(&mock);
        }
    }
}

/* The last port of each layout: the bit lies in the last word, its selector bit is the last. */
static void test_last_port(void **state)
{
    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct mock mock;
        const struct xen_layout *at = start_events(&mock, bits);
        uint32_t port = 0;

        while (port + 1 < at->nr_ports)
            port = bind_ipi(&mock, 0);
        assert_int_equal(send(&mock, port), 0);
        assert_int_equal(mock.ram[SHARED_GPA + at->pending + at->nr_ports / 8 - 1], 0x80);
        assert_int_equal(mock.ram[SHARED_GPA + at->sel + bits / 8 - 1], 0x80);
        assert_int_equal(ram32(&mock, SHARED_GPA + at->mask), 0);
        mock_stop(&mock);
    }
}

static void test_event_to_registered_info(void **state)
{
    struct vcpu_register_vcpu_info info = {.mfn = INFO_GPA >> 12, .offset = INFO_GPA & 0xfff};
    struct mock mock;
    uint32_t port;

    (void)state;
    start_events(&mock, 64);
    assert_int_equal(xen_vcpu_op(&mock, 0, VCPUOP_register_vcpu_info, 1, &info, sizeof(info)), 0);
    memset(mock.ram + INFO_GPA, 0, 16);
    port = bind_ipi(&mock, 1);
    assert_int_equal(send(&mock, port), 0);
    assert_int_equal(mock.ram[INFO_GPA], 1);
    assert_int_equal(ram64(&mock, INFO_GPA + 8), 1);
    assert_int_equal(info_of(&mock, 1)[0], 0);
    assert_int_equal(interrupted(&mock), 1);
    mock_stop(&mock);
}

static void test_no_vector_no_interrupt(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, 1);
    map_shared(&mock);
    assert_int_equal(send(&mock, bind_ipi(&mock, 0)), 0);
    assert_int_equal(mock.ram[SHARED_GPA], 1);
    assert_int_equal(interrupted(&mock), NOBODY);
    mock_stop(&mock);
}

static int64_t set_callback(struct mock *mock, uint64_t via)
{
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ, .value = via};

    return HVM(mock, set_param, &param);
}

/* The callback by vector goes past the APIC, to whichever vCPU has no vector of its own. */
static void test_callback_vector(void **state)
{
    const struct hvs_effect *effect;
    struct mock mock;
    uint32_t port[2];

    (void)state;
    start(&mock, 2);
    map_shared(&mock);
    set_vector(&mock, 1);
    for (uint32_t vp = 0; vp < 2; vp++) {
        port[vp] = bind_ipi(&mock, vp);
        assert_int_equal(send(&mock, port[vp]), 0);
    }
    /* what came before is told now, to both: the guest has not been there yet */
    assert_int_equal(set_callback(&mock, 2ull << 56 | 0x55), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_INJECT, &effect), 2);
    assert_int_equal(effect[0].vector, 0x55);
    assert_true(effect[0].past_apic);
    assert_int_equal(effect[0].vp, 0);
    assert_int_equal(effect[1].vector, VECTOR);
    assert_int_equal(effect[1].target, HVS_TARGET_SET);
    assert_true(hvs_vpset_has(&mock.out.set, 1) && !hvs_vpset_has(&mock.out.set, 0));
    for (uint32_t vp = 0; vp < 2; vp++) {
        memset(mock.ram + SHARED_GPA, 0, HVS_PAGE_BYTES);
        assert_int_equal(send(&mock, port[vp]), 0);
        assert_int_equal(mock_effects(&mock, HVS_EFFECT_INJECT, &effect), 1);
        assert_int_equal(effect->vp, vp);
        assert_int_equal(effect->past_apic, vp == 0);
        assert_int_equal(effect->vector, vp == 0 ? 0x55 : VECTOR);
    }
    memset(mock.ram + SHARED_GPA, 0, HVS_PAGE_BYTES);
    assert_int_equal(set_callback(&mock, 2ull << 56 | 0x56), 0);
    assert_int_equal(mock.out.nr_effects, 0);
    mock_stop(&mock);
}

/* As many vCPUs as there may be: what one exit may tell is bounded, and nothing is lost of the guest's words. */
static void test_callback_to_many(void **state)
{
    struct mock mock;

    (void)state;
    start(&mock, MOCK_MAX_VPS);
    map_shared(&mock);
    for (uint32_t vp = 0; vp < MOCK_MAX_VPS; vp++)
        mock.ram[SHARED_GPA + vp * XEN_VCPU_INFO_BYTES] = 1;
    assert_int_equal(set_callback(&mock, 2ull << 56 | 0x55), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_INJECT, NULL), MOCK_MAX_VPS);
    assert_false(mock.out.effects_lost);
    mock_stop(&mock);
}

static void test_without_shared_info_nothing_is_written(void **state)
{
    struct mock mock;
    uint32_t port;

    (void)state;
    start(&mock, 1);
    set_vector(&mock, 0);
    port = bind_ipi(&mock, 0);
    assert_int_equal(send(&mock, port), 0);
    assert_int_equal(unmask(&mock, port), 0);
    assert_int_equal(mock.out.nr_effects, 0);
    map_shared(&mock);
    assert_int_equal(ram32(&mock, SHARED_GPA + xen_layout64.pending), 0);
    mock_stop(&mock);
}

/* Ports from before the guest became 32-bit have no bits any more; what lies there is something else. */
static void test_layout_that_shrank(void **state)
{
    struct mock mock;
    const struct xen_layout *at = start_events(&mock, 64);
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    uint8_t before[HVS_PAGE_BYTES];
    uint32_t port = 0;

    (void)state;
    while (port + 1 < at->nr_ports)
        port = bind_ipi(&mock, 0);
    mock.regs.code_bits = 32;
    map_shared(&mock);
    memset(mock.ram + SHARED_GPA + 0x900, 0xff, 0x100);
    memcpy(before, mock.ram + SHARED_GPA, sizeof(before));
    assert_int_equal(send(&mock, port), 0);
    assert_int_equal(EVTCHN(&mock, reset, &reset), 0);
    assert_memory_equal(mock.ram + SHARED_GPA, before, sizeof(before));
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_unmask),
        cmocka_unit_test(test_last_port),
        cmocka_unit_test(test_event_to_registered_info),
        cmocka_unit_test(test_no_vector_no_interrupt),
        cmocka_unit_test(test_callback_vector),
        cmocka_unit_test(test_callback_to_many),
        cmocka_unit_test(test_without_shared_info_nothing_is_written),
        cmocka_unit_test(test_layout_that_shrank),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
