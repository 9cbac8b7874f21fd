/*
 * Save and load: what goes round, and what a damaged or hostile stream can do, which is at worst HVS_EFORMAT.
 */
#include "toy.h"

enum { FRAME = 0x30, ID_CLOCK = 1, ID_CRASH = 2, ID_MSR = 0xff00, ID_OVERLAY = 0xff01, HEAD_BYTES = 16 };
#define VP_NONE UINT32_MAX

/* --- helpers ------------------------------------------------------------------------------------------------------ */

struct stream {
    uint8_t *bytes;
    size_t size;
};

static struct stream save(struct mock *mock)
{
    struct stream stream;

    assert_int_equal(hvs_vm_save(mock->vm, NULL, 0, &stream.size), HVS_ENOSPC);
    stream.bytes = malloc(stream.size);
    assert_non_null(stream.bytes);
    assert_int_equal(hvs_vm_save(mock->vm, stream.bytes, stream.size, &stream.size), HVS_OK);
    return stream;
}

/* The same VM as just made, over the same RAM. */
static void make_anew(struct mock *mock)
{
    const struct hvs_port *port = mock->vm->port;
    size_t bytes;

    assert_int_equal(hvs_vm_size(&mock->config, &bytes), HVS_OK);
    assert_int_equal(hvs_vm_init(mock->memory, bytes, &mock->config, port, mock, &mock->vm), HVS_OK);
    assert_int_equal(hvs_vm_start_clock(mock->vm), HVS_OK);
}

static int load_anew(struct mock *mock, const void *bytes, size_t size)
{
    make_anew(mock);
    return hvs_vm_load(mock->vm, bytes, size);
}

static void expect_power_on(struct mock *mock)
{
    const struct toy_vcpu vcpu = {.was_reset = 1};
    const struct toy_vm vm = {.was_reset = 1};

    for (uint32_t vp = 0; vp < 3; vp++) {
        assert_memory_equal(toy_vcpu_state(mock, vp), &vcpu, sizeof(vcpu));
        assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, vp)), UINT64_MAX);
    }
    assert_memory_equal(toy_vm_state(mock), &vm, sizeof(vm));
    assert_null(mock->vm->overlays);
}

/* Some of everything, except overlays, which make a stream long. */
static void use_state(struct mock *mock)
{
    for (uint32_t vp = 0; vp < 3; vp++) {
        mock_wrmsr(mock, vp, TOY_MSR_RW, 0x100 + vp);
        mock_wrmsr(mock, vp, TOY_MSR_BANK + 1, 0x200 + vp);
        mock_wrmsr(mock, vp, TOY_MSR_PICKY, 0x300 + 2 * vp);
        mock_wrmsr(mock, vp, TOY_MSR_TIMER, 7000 + vp);
        mock_wrmsr(mock, vp, TRINKET_MSR, 0x400 + vp);
        toy_vcpu_state(mock, vp)->nr_fired[0] = 5 + vp;
    }
    mock_wrmsr(mock, 1, TOY_MSR_SHARED, 0x500);
    toy_vm_state(mock)->bell = 6;
    mock_advance(mock, 3000);
}

/* A stream of the test's own making. */
struct maker {
    uint8_t bytes[16384];
    struct hvs_writer writer;
};

static struct hvs_writer *begin(struct maker *maker)
{
    memset(maker, 0, sizeof(*maker));
    maker->writer = (struct hvs_writer){.buffer = maker->bytes, .capacity = sizeof(maker->bytes),
                                        .used = sizeof(struct hvs_save_header), .personality = toy.id};
    return &maker->writer;
}

static int load_made(struct mock *mock, struct maker *maker)
{
    const struct hvs_save_header header = {HVS_SAVE_MAGIC, HVS_SAVE_VERSION, 3, (uint32_t)maker->writer.used};

    memcpy(maker->bytes, &header, sizeof(header));
    return load_anew(mock, maker->bytes, maker->writer.used);
}

struct msr_record {
    uint32_t index, pad;
    uint64_t value;
};

struct overlay_record {
    uint32_t index, is_on;
    uint64_t gfn;
    uint8_t page[HVS_PAGE_BYTES];
};

/* --- round trips -------------------------------------------------------------------------------------------------- */

static void test_state_goes_round(void **state)
{
    struct mock *mock = *state;
    uint64_t value;

    use_state(mock);
    mock_save_load_save(mock);
    for (uint32_t vp = 0; vp < 3; vp++) {
        mock_rdmsr(mock, vp, TOY_MSR_RW, &value);
        assert_int_equal(value, 0x100 + vp);
        mock_rdmsr(mock, vp, TOY_MSR_BANK + 1, &value);
        assert_int_equal(value, 0x200 + vp);
        mock_rdmsr(mock, vp, TRINKET_MSR, &value);
        assert_int_equal(value, 0x400 + vp);
        assert_int_equal(toy_vcpu_state(mock, vp)->nr_fired[0], 5 + vp);
        assert_int_equal(hvs_vcpu_deadline_ns(mock_vcpu(mock, vp)), 7000 + vp);
    }
    mock_rdmsr(mock, 0, TOY_MSR_SHARED, &value);
    assert_int_equal(value, 0x500);
    assert_int_equal(toy_vm_state(mock)->bell, 6);
}

static void test_an_untouched_vm_goes_round(void **state)
{
    mock_save_load_save(*state);
    toy_vcpu_state(*state, 0)->was_locked = false;      /* the setters of VM scope were replayed */
    expect_power_on(*state);
}

/* The loaded VM is as old as the saved one was, whatever its host's clock says. */
static void test_the_age_goes_on(void **state)
{
    struct mock *mock = *state;
    struct stream stream;

    mock_advance(mock, 5000000);
    stream = save(mock);
    mock->now_ns = 77;
    assert_int_equal(load_anew(mock, stream.bytes, stream.size), HVS_OK);
    assert_in_range(hvs_vm_now_ns(mock->vm), 4999999, 5000000);
    mock_advance(mock, 1000);
    assert_in_range(hvs_vm_now_ns(mock->vm), 5000998, 5001000);
    free(stream.bytes);
}

static void test_a_buffer_without_room(void **state)
{
    struct mock *mock = *state;
    struct stream stream = save(mock);
    uint8_t *bytes = malloc(stream.size);

    assert_non_null(bytes);
    for (size_t capacity = 0; capacity <= stream.size; capacity++) {
        size_t used = 0;

        memset(bytes, 0xcc, stream.size);
        assert_int_equal(hvs_vm_save(mock->vm, bytes, capacity, &used), capacity < stream.size ? HVS_ENOSPC : HVS_OK);
        assert_int_equal(used, stream.size);
        for (size_t i = capacity; i < stream.size; i++)
            assert_int_equal(bytes[i], 0xcc);
    }
    assert_memory_equal(bytes, stream.bytes, stream.size);
    free(bytes);
    free(stream.bytes);
}

static int refuse_to_save(struct hvs_ctx *ctx, enum hvs_phase phase, struct hvs_writer *writer)
{
    (void)ctx, (void)writer;
    return phase == HVS_PHASE_ROUTES ? HVS_EINVAL : HVS_OK;
}

static void test_a_hook_that_cannot_save(void **state)
{
    struct hvs_personality stubborn = toy;
    struct mock *mock = *state;
    size_t used;

    stubborn.save = refuse_to_save;
    mock_stop(mock);
    mock_start_one(mock, &stubborn, 1);
    assert_int_equal(hvs_vm_save(mock->vm, NULL, 0, &used), HVS_EINVAL);
}

static void test_a_crash_goes_round(void **state)
{
    static const char text[] = "the end";
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 1);
    struct hvs_crash said = {.parameter = {1, 2, 3, 4, 5}}, got;

    for (uint32_t bytes = 0; bytes <= sizeof(text); bytes++) {
        said.message_bytes = bytes;
        memcpy(said.message, text, bytes);
        hvs_crash_report(&ctx, &said);
        mock_save_load_save(mock);
        ctx = toy_ctx(mock, 1);
        assert_int_equal(hvs_vm_crash(mock->vm, &got), HVS_OK);
        assert_memory_equal(&got, &said, sizeof(got));
    }
}

static void test_a_hostile_crash_record(void **state)
{
    static struct maker maker;
    struct mock *mock = *state;
    const struct hvs_crash said = {.message_bytes = sizeof(said.message) + 1};
    struct hvs_writer *writer = begin(&maker);
    struct hvs_crash got;

    writer->personality = 0;
    hvs_writer_put(writer, ID_CRASH, 1, &said, sizeof(said));
    assert_int_equal(load_made(mock, &maker), HVS_EFORMAT);
    assert_int_equal(hvs_vm_crash(mock->vm, &got), HVS_ENOENT);
}

/* --- overlays ----------------------------------------------------------------------------------------------------- */

static uint8_t *frame(struct mock *mock, uint64_t gfn)
{
    return mock->ram + (gfn << HVS_PAGE_SHIFT);
}

static void lay(struct mock *mock, uint32_t vp, uint32_t msr, uint8_t contents)
{
    assert_int_equal(mock_wrmsr(mock, vp, msr, (uint64_t)FRAME << 12 | 1), HVS_HANDLED);
    memset(frame(mock, FRAME), contents, HVS_PAGE_BYTES);
}

/* All on one frame, of VM, vCPUs and both personalities; and one that is off but has contents. */
static void test_stacked_overlays_go_round(void **state)
{
    struct mock *mock = *state;
    static const struct {
        uint32_t vp, msr;
    } stack[] = {{1, TRINKET_MSR_PAGE}, {0, TOY_MSR_VM_PAGE}, {2, TOY_MSR_PAGE + 1}, {0, TOY_MSR_PAGE + 1}};

    lay(mock, 0, TOY_MSR_PAGE, 0x77);
    mock_wrmsr(mock, 0, TOY_MSR_PAGE, 0);
    memset(frame(mock, FRAME), 0x11, HVS_PAGE_BYTES);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(stack); i++)
        lay(mock, stack[i].vp, stack[i].msr, (uint8_t)(0xa0 + i));
    mock_save_load_save(mock);
    for (size_t i = HVS_ARRAY_SIZE(stack); i-- > 0;) {
        assert_int_equal(frame(mock, FRAME)[0], 0xa0 + i);
        assert_int_equal(frame(mock, FRAME)[HVS_PAGE_BYTES - 1], 0xa0 + i);
        assert_int_equal(mock_wrmsr(mock, stack[i].vp, stack[i].msr, 0), HVS_HANDLED);
    }
    assert_int_equal(frame(mock, FRAME)[0], 0x11);
    mock_wrmsr(mock, 0, TOY_MSR_PAGE, (uint64_t)FRAME << 12 | 1);
    assert_int_equal(frame(mock, FRAME)[0], 0x77);
}

static void test_hostile_overlay_records(void **state)
{
    static const struct {
        uint32_t vp, index, is_on;
        uint64_t gfn;
        int err;
    } cases[] = {
        {0, 0, 1, FRAME, HVS_OK},
        {0, 1, 1, FRAME, HVS_OK},
        {0, 2, 1, FRAME, HVS_EFORMAT},
        {0, UINT32_MAX, 1, FRAME, HVS_EFORMAT},
        {VP_NONE, 0, 1, FRAME, HVS_OK},
        {VP_NONE, 1, 1, FRAME, HVS_EFORMAT},
        {3, 0, 1, FRAME, HVS_EFORMAT},
        {VP_NONE - 1, 0, 1, FRAME, HVS_EFORMAT},
        {0, 0, 2, FRAME, HVS_EFORMAT},
        {0, 0, 1, MOCK_RAM_BYTES >> HVS_PAGE_SHIFT, HVS_OK},    /* RAM that was taken away since */
        {0, 0, 1, UINT64_MAX, HVS_OK},
        {0, 0, 0, UINT64_MAX, HVS_OK},
    };
    static struct overlay_record record;
    static struct maker maker;
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct hvs_ctx ctx;

        begin(&maker)->vp = cases[i].vp;
        record = (struct overlay_record){cases[i].index, cases[i].is_on, cases[i].gfn, {0x11}};
        hvs_writer_put(&maker.writer, ID_OVERLAY, 1, &record, sizeof(record));
        hvs_writer_put(&maker.writer, ID_OVERLAY, 1, &record, sizeof(record));  /* twice: it is only put back again */
        assert_int_equal(load_made(mock, &maker), cases[i].err);
        if (cases[i].err) {
            expect_power_on(mock);
            continue;
        }
        ctx = toy_ctx(mock, 0);
        for (uint32_t page = 0; page < TOY_NR_PAGES; page++) {
            void *contents = hvs_overlay_open(&ctx, hvs_vcpu_overlay(&ctx, 0, page));

            if (contents)
                hvs_overlay_close(&ctx, hvs_vcpu_overlay(&ctx, 0, page), contents, false);
        }
        for (uint32_t vp = 0; vp < 3; vp++)
            mock_reset(mock, vp);
        expect_power_on(mock);
    }
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static void test_unknown_ids_are_skipped(void **state)
{
    static struct maker maker;
    struct mock *mock = *state;
    struct hvs_writer *writer = begin(&maker);
    const struct msr_record msr = {TOY_MSR_RW, 0, 42};

    hvs_writer_put(writer, 0x77, 9, "what a later version wrote", 27);
    writer->personality = 0;
    hvs_writer_put(writer, 0x77, 9, "for the core", 13);
    hvs_writer_put(writer, 0x78, 9, "", 0);
    writer->personality = toy.id;
    hvs_writer_put(writer, ID_MSR, 1, &msr, sizeof(msr));
    assert_int_equal(load_made(mock, &maker), HVS_OK);
    assert_int_equal(toy_vcpu_state(mock, 0)->rw, 42);
}

static void test_a_personality_without_hooks_skips_too(void **state)
{
    static struct maker maker;
    struct hvs_writer *writer = begin(&maker);

    writer->personality = trinket.id;
    hvs_writer_put(writer, 1, 1, "x", 1);
    assert_int_equal(load_made(*state, &maker), HVS_OK);
}

static void test_an_unknown_personality_is_another_configuration(void **state)
{
    static struct maker maker;
    struct hvs_writer *writer = begin(&maker);

    writer->personality = 0x12345678;
    hvs_writer_put(writer, 1, 1, "x", 1);
    assert_int_equal(load_made(*state, &maker), HVS_EFORMAT);
}

static void test_short_records_are_extended_with_zeros(void **state)
{
    static struct maker maker;
    struct mock *mock = *state;
    const uint32_t one_counter = 9;
    const uint64_t age_ns = 0;

    struct hvs_writer *writer = begin(&maker);
    hvs_writer_put(writer, TOY_RECORD_FIRED, 1, &one_counter, sizeof(one_counter));
    hvs_writer_put(writer, ID_MSR, 1, &(uint32_t){TOY_MSR_RW}, sizeof(uint32_t));
    writer->personality = 0;
    hvs_writer_put(writer, ID_CLOCK, 1, &age_ns, 3);
    assert_int_equal(load_made(mock, &maker), HVS_OK);
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_fired[0], 9);
    assert_int_equal(toy_vcpu_state(mock, 0)->nr_fired[1], 0);
    assert_int_equal(toy_vcpu_state(mock, 0)->rw, 0);
}

static void test_long_records_are_refused(void **state)
{
    static struct maker maker;
    static const uint8_t zeros[sizeof(struct overlay_record) + sizeof(struct hvs_crash)];
    static const struct {
        uint32_t personality;
        uint16_t id;
        uint32_t bytes;
    } cases[] = {
        {0, ID_CLOCK, 9},
        {0, ID_CRASH, sizeof(struct hvs_crash) + 1},
        {1, ID_MSR, sizeof(struct msr_record) + 1},
        {1, ID_OVERLAY, sizeof(struct overlay_record) + 1},
        {1, TOY_RECORD_FIRED, sizeof(struct toy_fired) + 1},
        {1, TOY_RECORD_BELL, 5},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct hvs_writer *writer = begin(&maker);

        if (cases[i].personality == 0)
            writer->personality = 0;
        hvs_writer_put(writer, cases[i].id, 1, zeros, cases[i].bytes);
        assert_int_equal(load_made(*state, &maker), HVS_EFORMAT);
        expect_power_on(*state);
    }
}

/* A stream says only what a guest could have written; and it needs rows that this VM has. */
static void test_hostile_msr_records(void **state)
{
    static const struct {
        uint32_t vp;
        struct msr_record msr;
        int err;
    } cases[] = {
        {0, {TOY_MSR_RW, 0, 7}, HVS_OK},
        {2, {TOY_MSR_RW, 0, 7}, HVS_OK},
        {3, {TOY_MSR_RW, 0, 7}, HVS_EFORMAT},
        {0, {TOY_MSR_RW, 1, 7}, HVS_EFORMAT},           /* padding */
        {0, {TOY_MSR_RW, 0, 1ull << 40}, HVS_EFORMAT},  /* reserved bits */
        {0, {TOY_MSR_PICKY, 0, 7}, HVS_EFORMAT},        /* the setter refuses */
        {0, {TOY_MSR_RO, 0, 7}, HVS_EFORMAT},
        {0, {TOY_MSR_WO, 0, 7}, HVS_EFORMAT},           /* not state */
        {0, {TOY_MSR_RARE, 0, 7}, HVS_EFORMAT},         /* off in this VM */
        {0, {TRINKET_MSR, 0, 7}, HVS_EFORMAT},          /* another's */
        {0, {0, 0, 7}, HVS_EFORMAT},
        {0, {UINT32_MAX, 0, 7}, HVS_EFORMAT},
        {0, {TOY_MSR_PAGE, 0, UINT64_MAX}, HVS_EFORMAT},
        {0, {TOY_MSR_TIMER, 0, UINT64_MAX}, HVS_OK},
    };
    static struct maker maker;
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        begin(&maker)->vp = cases[i].vp;
        hvs_writer_put(&maker.writer, ID_MSR, 1, &cases[i].msr, sizeof(cases[i].msr));
        assert_int_equal(load_made(mock, &maker), cases[i].err);
        if (cases[i].err)
            expect_power_on(mock);
    }
}

static uint32_t nr_restored;

static enum hvs_verdict restored_write(struct hvs_ctx *ctx, uint32_t index, uint64_t value)
{
    (void)index, (void)value;
    assert_true(ctx->from_host);
    assert_null(ctx->exit);
    assert_int_equal(ctx->vcpu->vm_lock_depth, 1);
    hvs_emit_inject(ctx, ctx->vp, 0x40);
    nr_restored++;
    return HVS_HANDLED;
}

static enum hvs_verdict saved_read(struct hvs_ctx *ctx, uint32_t index, uint64_t *value)
{
    (void)index;
    assert_true(ctx->from_host);
    hvs_emit_inject(ctx, ctx->vp, 0x40);
    *value = 7;
    return HVS_HANDLED;
}

/* Handlers are told, and a row of VM scope has the lock as in an exit. */
static void test_setters_know_that_it_is_a_restore(void **state)
{
    static const struct hvs_msr_row row = {.first = 1, .last = 1, .feature = HVS_FEATURE_ALWAYS, .scope = HVS_SCOPE_VM,
                                           .save = HVS_PHASE_CONTROL, .read = saved_read, .write = restored_write};
    static const struct hvs_personality watcher = {.name = "watcher", .id = 9, .place = HVS_PLACE_NEXT, .msr = &row,
                                                   .nr_msr = 1};
    struct mock *mock = *state;

    mock_stop(mock);
    mock_start_one(mock, &watcher, 1);
    nr_restored = 0;
    mock_save_load_save(mock);
    assert_int_equal(nr_restored, 1);
}

static void test_a_hook_may_refuse(void **state)
{
    static struct maker maker;
    const struct toy_fired fired = {.pad = 1};

    hvs_writer_put(begin(&maker), TOY_RECORD_FIRED, 1, &fired, sizeof(fired));
    assert_int_equal(load_made(*state, &maker), HVS_EFORMAT);
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

static void test_damaged_headers(void **state)
{
    static const struct {
        struct hvs_save_header header;
        int err;
    } cases[] = {
        {{HVS_SAVE_MAGIC, HVS_SAVE_VERSION, 3, 16}, HVS_OK},
        {{HVS_SAVE_MAGIC ^ 1, HVS_SAVE_VERSION, 3, 16}, HVS_EFORMAT},
        {{HVS_SAVE_MAGIC, HVS_SAVE_VERSION + 1, 3, 16}, HVS_EVERSION},
        {{HVS_SAVE_MAGIC, 0, 3, 16}, HVS_EVERSION},
        {{HVS_SAVE_MAGIC, HVS_SAVE_VERSION, 2, 16}, HVS_EFORMAT},
        {{HVS_SAVE_MAGIC, HVS_SAVE_VERSION, UINT32_MAX, 16}, HVS_EFORMAT},
        {{HVS_SAVE_MAGIC, HVS_SAVE_VERSION, 3, 15}, HVS_EFORMAT},
        {{HVS_SAVE_MAGIC, HVS_SAVE_VERSION, 3, 17}, HVS_EFORMAT},
        {{HVS_SAVE_MAGIC, HVS_SAVE_VERSION, 3, 0}, HVS_EFORMAT},
    };

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        assert_int_equal(load_anew(*state, &cases[i].header, sizeof(cases[i].header)), cases[i].err);
        expect_power_on(*state);
    }
}

static void test_every_truncation(void **state)
{
    struct mock *mock = *state;
    struct stream stream;

    use_state(mock);
    stream = save(mock);
    for (size_t size = 0; size < stream.size; size++) {
        uint8_t *copy = malloc(size + 1);       /* exact, so that a sanitizer sees a read behind it */

        assert_non_null(copy);
        memcpy(copy, stream.bytes, size);
        assert_int_equal(load_anew(mock, copy, size), HVS_EFORMAT);
        if (size >= sizeof(struct hvs_save_header)) {
            uint32_t claimed = (uint32_t)size;  /* the header believes it */

            memcpy(copy + offsetof(struct hvs_save_header, bytes), &claimed, sizeof(claimed));
            (void)load_anew(mock, copy, size);  /* a cut between two records is a shorter stream */
        }
        free(copy);
    }
    assert_int_equal(load_anew(mock, stream.bytes, stream.size), HVS_OK);
    free(stream.bytes);
}

/* Says whether a byte is of the header, of a record's owner or length, or padding: what cannot be a value. */
static bool is_structure(const struct stream *stream, size_t byte)
{
    size_t at = sizeof(struct hvs_save_header);

    while (at <= byte) {
        uint32_t bytes;

        memcpy(&bytes, stream->bytes + at + 12, sizeof(bytes));
        if (byte < at + HEAD_BYTES)
            return byte < at + 4 || byte >= at + 12;
        at += HEAD_BYTES + bytes;
        if (byte < at)
            return false;
        at += -bytes & 7;
    }
    return true;
}

/*
 * Every bit of a stream, one at a time. Damage to the structure is found; a changed value is a different state, or is
 * refused; nothing worse. ("refused" leaves the VM as after a reset.)
 */
static void test_every_flipped_bit(void **state)
{
    struct mock *mock = *state;
    struct stream stream;

    use_state(mock);
    stream = save(mock);
    for (size_t i = 0; i < stream.size * 8; i++) {
        int err;

        stream.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        err = load_anew(mock, stream.bytes, stream.size);
        stream.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        if (err == HVS_OK)
            assert_false(is_structure(&stream, i / 8));
        else
            assert_true(err == HVS_EFORMAT || (err == HVS_EVERSION && i / 8 >= 4 && i / 8 < 8));
        if (err)
            expect_power_on(mock);
    }
    free(stream.bytes);
}

/* With a stable TSC and without, where the age is the port's time and a bias. */
static void test_a_refused_stream_leaves_the_clock(void **state)
{
    struct mock *mock = *state;
    const uint32_t caps = mock->config.caps;

    for (uint32_t i = 0; i < 2; i++) {
        struct stream stream;

        toy_restart(mock, i ? caps : caps & ~(uint32_t)HVS_CAP_TSC_STABLE, 0, 0);
        mock_advance(mock, 1000);
        use_state(mock);
        stream = save(mock);
        mock->now_ns = 500;
        memset(stream.bytes + stream.size - HEAD_BYTES, 0xff, HEAD_BYTES);      /* behind the clock's record */
        assert_int_equal(load_anew(mock, stream.bytes, stream.size), HVS_EFORMAT);
        assert_in_range(hvs_vm_now_ns(mock->vm), 499, 500);
        free(stream.bytes);
    }
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_state_goes_round),
    TOY_TEST(test_an_untouched_vm_goes_round),
    TOY_TEST(test_the_age_goes_on),
    TOY_TEST(test_a_buffer_without_room),
    TOY_TEST(test_a_hook_that_cannot_save),
    TOY_TEST(test_stacked_overlays_go_round),
    TOY_TEST(test_hostile_overlay_records),
    TOY_TEST(test_unknown_ids_are_skipped),
    TOY_TEST(test_a_personality_without_hooks_skips_too),
    TOY_TEST(test_an_unknown_personality_is_another_configuration),
    TOY_TEST(test_a_crash_goes_round),
    TOY_TEST(test_a_hostile_crash_record),
    TOY_TEST(test_short_records_are_extended_with_zeros),
    TOY_TEST(test_long_records_are_refused),
    TOY_TEST(test_hostile_msr_records),
    TOY_TEST(test_setters_know_that_it_is_a_restore),
    TOY_TEST(test_a_hook_may_refuse),
    TOY_TEST(test_damaged_headers),
    TOY_TEST(test_every_truncation),
    TOY_TEST(test_every_flipped_bit),
    TOY_TEST(test_a_refused_stream_leaves_the_clock),
};
TOY_MAIN(tests)
