/* Overlay pages: contents travel with the overlay, RAM beneath comes back, whatever the order. */
#include "toy.h"

enum { FRAME = 0x30, OTHER_FRAME = 0x31, NO_FRAME = MOCK_RAM_BYTES >> HVS_PAGE_SHIFT };

static uint8_t *frame(struct mock *mock, uint64_t gfn)
{
    return mock->ram + (gfn << HVS_PAGE_SHIFT);
}

static void fill_frame(struct mock *mock, uint64_t gfn, uint8_t value)
{
    memset(frame(mock, gfn), value, HVS_PAGE_BYTES);
}

static void expect_frame(struct mock *mock, uint64_t gfn, uint8_t value)
{
    for (uint32_t i = 0; i < HVS_PAGE_BYTES; i++)
        assert_int_equal(frame(mock, gfn)[i], value);
}

static void expect_contents(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint8_t value)
{
    uint8_t *page = hvs_overlay_open(ctx, overlay);

    assert_non_null(page);
    assert_int_equal(ctx->vcpu->vm_lock_depth, 1);      /* nobody moves it while it is open */
    for (uint32_t i = 0; i < HVS_PAGE_BYTES; i++)
        assert_int_equal(page[i], value);
    hvs_overlay_close(ctx, overlay, page, false);
    assert_int_equal(ctx->vcpu->vm_lock_depth, 0);
}

static void set_contents(struct hvs_ctx *ctx, struct hvs_overlay *overlay, uint8_t value)
{
    uint8_t *page = hvs_overlay_open(ctx, overlay);

    assert_non_null(page);
    memset(page, value, HVS_PAGE_BYTES);
    hvs_overlay_close(ctx, overlay, page, true);
}

static void test_on_off_on(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_overlay *overlay = hvs_vcpu_overlay(&ctx, 0, 0);

    fill_frame(mock, FRAME, 0x11);
    assert_false(hvs_overlay_is_on(overlay));
    assert_null(hvs_overlay_open(&ctx, overlay));
    assert_int_equal(hvs_overlay_on(&ctx, overlay, FRAME), HVS_OK);
    assert_true(hvs_overlay_is_on(overlay));
    assert_true(hvs_ctx_is_overlaid(&ctx, FRAME));
    assert_false(hvs_ctx_is_overlaid(&ctx, OTHER_FRAME));
    expect_frame(mock, FRAME, 0);               /* zero the first time */
    set_contents(&ctx, overlay, 0xaa);
    expect_frame(mock, FRAME, 0xaa);            /* the guest sees it */
    fill_frame(mock, FRAME, 0xab);              /* and may write to it */
    hvs_overlay_off(&ctx, overlay);
    expect_frame(mock, FRAME, 0x11);
    assert_false(hvs_overlay_is_on(overlay));
    assert_false(hvs_ctx_is_overlaid(&ctx, FRAME));
    hvs_overlay_off(&ctx, overlay);
    expect_frame(mock, FRAME, 0x11);
    assert_int_equal(hvs_overlay_on(&ctx, overlay, FRAME), HVS_OK);
    expect_frame(mock, FRAME, 0xab);
}

static void test_reaching_what_is_off(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_overlay *overlay = hvs_vcpu_overlay(&ctx, 0, 0);

    for (uint8_t on = 0; on < 2; on++) {
        uint8_t *page = hvs_overlay_reach(&ctx, overlay);

        assert_non_null(page);
        assert_int_equal(ctx.vcpu->vm_lock_depth, 1);
        assert_int_equal(page[1], on ? 0x55 : 0);
        page[1] = 0x55;
        hvs_overlay_close(&ctx, overlay, page, true);
        assert_int_equal(ctx.vcpu->vm_lock_depth, 0);
        assert_int_equal(mock->nr_pinned, 0);
        assert_int_equal(hvs_overlay_gfn(overlay), on ? FRAME : UINT64_MAX);
        assert_int_equal(hvs_overlay_on(&ctx, overlay, FRAME), HVS_OK);
        assert_int_equal(frame(mock, FRAME)[1], 0x55);
    }
}

static void test_moving_takes_the_contents_along(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_overlay *overlay = hvs_vm_overlay(&ctx, 0);

    fill_frame(mock, FRAME, 0x11);
    fill_frame(mock, OTHER_FRAME, 0x22);
    hvs_overlay_on(&ctx, overlay, FRAME);
    set_contents(&ctx, overlay, 0xaa);
    assert_int_equal(hvs_overlay_on(&ctx, overlay, OTHER_FRAME), HVS_OK);
    expect_frame(mock, FRAME, 0x11);
    expect_frame(mock, OTHER_FRAME, 0xaa);
    assert_int_equal(hvs_overlay_on(&ctx, overlay, OTHER_FRAME), HVS_OK);       /* it lies there already */
    expect_frame(mock, OTHER_FRAME, 0xaa);
    hvs_overlay_off(&ctx, overlay);
    expect_frame(mock, OTHER_FRAME, 0x22);
}

static void test_a_frame_without_ram_changes_nothing(void **state)
{
    static const uint64_t frames[] = {NO_FRAME, NO_FRAME + 1, UINT64_MAX >> HVS_PAGE_SHIFT, 1ull << 52, UINT64_MAX};
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_overlay *overlay = hvs_vcpu_overlay(&ctx, 0, 0);

    for (size_t i = 0; i < HVS_ARRAY_SIZE(frames); i++) {
        assert_int_equal(hvs_overlay_on(&ctx, overlay, frames[i]), HVS_EFAULT);
        assert_false(hvs_overlay_is_on(overlay));
    }
    hvs_overlay_on(&ctx, overlay, FRAME);
    set_contents(&ctx, overlay, 0xaa);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(frames); i++) {
        assert_int_equal(hvs_overlay_on(&ctx, overlay, frames[i]), HVS_EFAULT);
        expect_frame(mock, FRAME, 0xaa);
    }
}

/*
 * Every order of laying three overlays on one frame and taking them off again: each keeps its contents at all times,
 * the frame shows the topmost, and the RAM comes back at the end.
 */
static void test_three_on_one_frame_in_every_order(void **state)
{
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_ctx other = hvs_ctx_make(mock_vcpu(mock, 1), 1);
    struct hvs_overlay *overlay[3] = {
        hvs_vm_overlay(&ctx, 0), hvs_vcpu_overlay(&ctx, 1, 1), hvs_vcpu_overlay(&other, 1, 0)};

    for (size_t i = 0; i < 36; i++) {
        const uint8_t *lay = orders[i / 6], *take = orders[i % 6];
        bool is_on[3] = {true, true, true};

        fill_frame(mock, FRAME, 0x11);
        for (uint32_t n = 0; n < 3; n++) {
            assert_int_equal(hvs_overlay_on(&ctx, overlay[lay[n]], FRAME), HVS_OK);
            set_contents(&ctx, overlay[lay[n]], (uint8_t)(0xa0 + lay[n]));
            expect_frame(mock, FRAME, (uint8_t)(0xa0 + lay[n]));
        }
        for (uint32_t n = 0; n < 3; n++) {
            uint8_t on_top = 0x11;

            hvs_overlay_off(&ctx, overlay[take[n]]);
            is_on[take[n]] = false;
            for (uint32_t k = 0; k < 3; k++) {
                if (!is_on[lay[k]])
                    continue;
                expect_contents(&ctx, overlay[lay[k]], (uint8_t)(0xa0 + lay[k]));
                on_top = (uint8_t)(0xa0 + lay[k]);
            }
            expect_frame(mock, FRAME, on_top);
        }
    }
}

static void test_moving_out_of_the_middle(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_overlay *low = hvs_vm_overlay(&ctx, 0);
    struct hvs_overlay *middle = hvs_vcpu_overlay(&ctx, 0, 0);
    struct hvs_overlay *high = hvs_vcpu_overlay(&ctx, 0, 1);

    fill_frame(mock, FRAME, 0x11);
    fill_frame(mock, OTHER_FRAME, 0x22);
    hvs_overlay_on(&ctx, low, FRAME);
    set_contents(&ctx, low, 0xa0);
    hvs_overlay_on(&ctx, middle, FRAME);
    set_contents(&ctx, middle, 0xa1);
    hvs_overlay_on(&ctx, high, FRAME);
    set_contents(&ctx, high, 0xa2);
    set_contents(&ctx, low, 0xa3);              /* written while it is covered */
    assert_int_equal(hvs_overlay_on(&ctx, middle, OTHER_FRAME), HVS_OK);
    expect_frame(mock, FRAME, 0xa2);
    expect_frame(mock, OTHER_FRAME, 0xa1);
    hvs_overlay_off(&ctx, high);
    expect_frame(mock, FRAME, 0xa3);
    hvs_overlay_off(&ctx, low);
    expect_frame(mock, FRAME, 0x11);
    hvs_overlay_off(&ctx, middle);
    expect_frame(mock, OTHER_FRAME, 0x22);
}

/* --- RAM that the VMM takes away --------------------------------------------------------------------------------- */

static uint64_t gone_gfn;
static const struct hvs_port *mock_port;

static void *pin_unless_gone(void *port_ctx, uint64_t gfn)
{
    return gfn == gone_gfn ? NULL : mock_port->page_pin(port_ctx, gfn);
}

static void test_vanished_ram(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_overlay *overlay = hvs_vcpu_overlay(&ctx, 0, 0);
    struct hvs_port port = *mock->vm->port;

    mock_port = mock->vm->port;
    gone_gfn = UINT64_MAX;
    port.page_pin = pin_unless_gone;
    toy_use_port(mock, &port);
    fill_frame(mock, FRAME, 0x11);
    fill_frame(mock, OTHER_FRAME, 0x22);
    hvs_overlay_on(&ctx, overlay, FRAME);
    set_contents(&ctx, overlay, 0xaa);
    gone_gfn = FRAME;
    assert_null(hvs_overlay_open(&ctx, overlay));
    assert_false(atomic_flag_test_and_set(&mock->vm->lock.taken));      /* a failed open holds no lock */
    atomic_flag_clear(&mock->vm->lock.taken);
    assert_int_equal(hvs_overlay_on(&ctx, overlay, OTHER_FRAME), HVS_OK);
    expect_frame(mock, OTHER_FRAME, 0);         /* the contents went with the RAM; what lay beneath must not leak */
    hvs_overlay_off(&ctx, overlay);
    expect_frame(mock, OTHER_FRAME, 0x22);
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static void test_reset_takes_off_and_empties(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 1);
    struct hvs_overlay *of_vm = hvs_vm_overlay(&ctx, 0), *of_vcpu = hvs_vcpu_overlay(&ctx, 1, 0);

    fill_frame(mock, FRAME, 0x11);
    fill_frame(mock, OTHER_FRAME, 0x22);
    hvs_overlay_on(&ctx, of_vm, FRAME);
    set_contents(&ctx, of_vm, 0xaa);
    hvs_overlay_on(&ctx, of_vcpu, OTHER_FRAME);
    set_contents(&ctx, of_vcpu, 0xbb);
    mock_reset(mock, 1);
    expect_frame(mock, FRAME, 0xaa);            /* the VM's pages fall with VP 0 only */
    expect_frame(mock, OTHER_FRAME, 0x22);
    mock_reset(mock, 0);
    expect_frame(mock, FRAME, 0x11);
    assert_int_equal(hvs_overlay_on(&ctx, of_vm, FRAME), HVS_OK);
    assert_int_equal(hvs_overlay_on(&ctx, of_vcpu, OTHER_FRAME), HVS_OK);
    expect_frame(mock, FRAME, 0);
    expect_frame(mock, OTHER_FRAME, 0);
}

static void test_vcpus_have_their_own(void **state)
{
    struct hvs_ctx ctx = toy_ctx(*state, 0), trinkets = hvs_ctx_make(mock_vcpu(*state, 0), 1);

    assert_ptr_not_equal(hvs_vcpu_overlay(&ctx, 0, 0), hvs_vcpu_overlay(&ctx, 1, 0));
    assert_ptr_not_equal(hvs_vcpu_overlay(&ctx, 0, 0), hvs_vcpu_overlay(&ctx, 0, 1));
    assert_ptr_not_equal(hvs_vcpu_overlay(&ctx, 0, 0), hvs_vcpu_overlay(&trinkets, 0, 0));
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_on_off_on),
    TOY_TEST(test_reaching_what_is_off),
    TOY_TEST(test_moving_takes_the_contents_along),
    TOY_TEST(test_a_frame_without_ram_changes_nothing),
    TOY_TEST(test_three_on_one_frame_in_every_order),
    TOY_TEST(test_moving_out_of_the_middle),
    TOY_TEST(test_vanished_ram),
    TOY_TEST(test_reset_takes_off_and_empties),
    TOY_TEST(test_vcpus_have_their_own),
};
TOY_MAIN(tests)
