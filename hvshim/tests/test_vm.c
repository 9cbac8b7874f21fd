/* Making a VM: what is refused, how it is laid out, who gets which leaves. */
#include "toy.h"

static const struct hvs_personality second_first = {.name = "rival", .id = 3, .place = HVS_PLACE_FIRST};
static const struct hvs_personality third = {.name = "third", .id = 4, .place = HVS_PLACE_NEXT};
static const struct hvs_personality with_timer_but_no_handler = {.name = "idle", .id = 5, .nr_timers = 1};
static const struct hvs_personality with_too_many_timers = {.name = "busy", .id = 6,
                                                            .nr_timers = HVS_MAX_TIMERS + 1};
static const struct hvs_personality with_too_many_features = {.name = "fat", .id = 7,
                                                              .nr_features = HVS_MAX_FEATURES + 1};

static void never(struct hvs_ctx *ctx, uint32_t timer)
{
    (void)ctx, (void)timer;
}

static const struct hvs_feature features[HVS_MAX_FEATURES];
static const struct hvs_personality with_all_there_may_be = {.name = "full", .id = 8, .place = HVS_PLACE_NEXT,
                                                             .nr_timers = HVS_MAX_TIMERS, .timer = never,
                                                             .feature = features, .nr_features = HVS_MAX_FEATURES};

/* --- what is refused ---------------------------------------------------------------------------------------------- */

typedef void change_fn(struct hvs_vm_config *config);

#define CHANGE(name, statement) \
    static void name(struct hvs_vm_config *config) \
    { \
        statement; \
    }
CHANGE(nothing, (void)config)
CHANGE(smaller, config->size--)
CHANGE(larger, config->size++)
CHANGE(no_vps, config->nr_vps = 0)
CHANGE(most_vps, config->nr_vps = HVS_MAX_VPS)
CHANGE(too_many_vps, config->nr_vps = HVS_MAX_VPS + 1)
CHANGE(too_many_slots, config->nr_slots = HVS_MAX_SLOTS + 1)
CHANGE(no_slots, config->nr_slots = 0)
CHANGE(an_empty_slot, config->slot[1].personality = NULL)
CHANGE(no_tsc_rate, config->tsc_khz = 0)
CHANGE(too_high_tsc_rate, config->tsc_khz = 1ull << 32)
CHANGE(highest_tsc_rate, config->tsc_khz = UINT32_MAX)
CHANGE(few_address_bits, config->phys_bits = 31)
CHANGE(fewest_address_bits, config->phys_bits = 32)
CHANGE(many_address_bits, config->phys_bits = 53)
CHANGE(most_address_bits, config->phys_bits = 52)
CHANGE(no_instruction, config->hypercall_insn[0].length = 0)
CHANGE(long_instruction, config->hypercall_insn[0].length = 9)
CHANGE(longest_instruction, config->hypercall_insn[0].length = 8)
CHANGE(needless_instruction, config->hypercall_insn[1].length = 0)
CHANGE(two_for_the_first_place, config->slot[1].personality = &second_first)
CHANGE(one_twice, config->slot[2] = config->slot[1]; config->nr_slots = 3)
CHANGE(timer_without_handler, config->slot[1].personality = &with_timer_but_no_handler)
CHANGE(too_many_timers, config->slot[1].personality = &with_too_many_timers)
CHANGE(too_many_features, config->slot[1].personality = &with_too_many_features)
CHANGE(all_there_may_be, config->slot[1].personality = &with_all_there_may_be)
CHANGE(unknown_feature, config->slot[1].features_on = 1)
CHANGE(contradiction, config->slot[0].features_on = config->slot[0].features_off = 1)
CHANGE(no_injection, config->caps &= ~(uint32_t)HVS_CAP_INJECT)

static const struct {
    const char *name;
    change_fn *change;
    int err;
} configs[] = {
    {"as it is", nothing, HVS_OK},
    {"size", smaller, HVS_EVERSION},
    {"size", larger, HVS_EVERSION},
    {"no VPs", no_vps, HVS_EINVAL},
    {"most VPs", most_vps, HVS_OK},
    {"too many VPs", too_many_vps, HVS_EINVAL},
    {"too many slots", too_many_slots, HVS_EINVAL},
    {"no slots", no_slots, HVS_OK},
    {"an empty slot", an_empty_slot, HVS_EINVAL},
    {"no TSC rate", no_tsc_rate, HVS_EINVAL},
    {"too high TSC rate", too_high_tsc_rate, HVS_EINVAL},
    {"highest TSC rate", highest_tsc_rate, HVS_OK},
    {"31 address bits", few_address_bits, HVS_EINVAL},
    {"32 address bits", fewest_address_bits, HVS_OK},
    {"53 address bits", many_address_bits, HVS_EINVAL},
    {"52 address bits", most_address_bits, HVS_OK},
    {"no instruction", no_instruction, HVS_EINVAL},
    {"an instruction of 9 bytes", long_instruction, HVS_EINVAL},
    {"an instruction of 8 bytes", longest_instruction, HVS_OK},
    {"no instruction where none is used", needless_instruction, HVS_OK},
    {"two for the first place", two_for_the_first_place, HVS_ECONFLICT},
    {"one twice", one_twice, HVS_ECONFLICT},
    {"a timer without a handler", timer_without_handler, HVS_EINVAL},
    {"too many timers", too_many_timers, HVS_EINVAL},
    {"too many features", too_many_features, HVS_EINVAL},
    {"all timers and features there may be", all_there_may_be, HVS_OK},
    {"a feature that does not exist", unknown_feature, HVS_EINVAL},
    {"a feature on and off", contradiction, HVS_EINVAL},
    {"a capability that is missing", no_injection, HVS_ENOTSUP},
};

static struct hvs_vm_config good_config(struct mock *mock)
{
    mock_config(mock, (const struct hvs_personality *const[]){&toy, &trinket, NULL}, 2);
    return mock->config;
}

static void test_configurations(void **state)
{
    static uint8_t memory[HVS_PAGE_BYTES];
    struct mock mock;

    (void)state;
    for (size_t i = 0; i < HVS_ARRAY_SIZE(configs); i++) {
        struct hvs_vm_config config = good_config(&mock);
        struct hvs_vm *vm = NULL;
        size_t bytes = 0;
        int err;

        configs[i].change(&config);
        err = hvs_vm_size(&config, &bytes);
        if (err != configs[i].err)
            print_error("%s\n", configs[i].name);
        assert_int_equal(err, configs[i].err);
        assert_int_equal(bytes > 0, err == HVS_OK);
        assert_int_equal(hvs_vm_init(memory, 0, &config, NULL, NULL, &vm), err ? err : HVS_ENOSPC);
        assert_null(vm);
    }
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static size_t nr_rows(void)
{
    return (size_t)toy.nr_cpuid + toy.nr_msr + toy.nr_hcall + toy.nr_pio + trinket.nr_cpuid + trinket.nr_msr +
           trinket.nr_hcall + trinket.nr_pio;
}

/* The last byte of each part lies in the memory that was asked for, and nothing behind it is touched. */
static void test_size_is_what_is_used(void **state)
{
    struct mock *mock = *state;
    const struct hvs_port *port = mock->vm->port;
    const struct hvs_vm_config config = mock->config;
    size_t bytes = 0, first_unused;
    uint8_t *memory;
    struct hvs_vm *vm;

    assert_int_equal(hvs_vm_size(&config, &bytes), HVS_OK);
    memory = aligned_alloc(HVS_PAGE_BYTES, (bytes / HVS_PAGE_BYTES + 2) * HVS_PAGE_BYTES);
    assert_non_null(memory);
    memset(memory, 0xcc, (bytes / HVS_PAGE_BYTES + 2) * HVS_PAGE_BYTES);
    assert_int_equal(hvs_vm_init(memory, bytes - 1, &config, port, mock, &vm), HVS_ENOSPC);
    assert_int_equal(memory[0], 0xcc);
    assert_int_equal(hvs_vm_init(memory + 8, bytes, &config, port, mock, &vm), HVS_EINVAL);
    assert_int_equal(hvs_vm_init(NULL, bytes, &config, port, mock, &vm), HVS_EINVAL);
    assert_int_equal(hvs_vm_init(memory, bytes, &config, port, mock, &vm), HVS_OK);
    first_unused = 0;
    for (uint32_t vp = 0; vp < config.nr_vps; vp++) {
        struct hvs_vcpu *vcpu = hvs_vm_vcpu(vm, vp);
        uint8_t *const ends[] = {
            vcpu->input + HVS_PAGE_BYTES, vcpu->output + HVS_PAGE_BYTES, (uint8_t *)(vcpu->hits + nr_rows()),
            (uint8_t *)vcpu->slot[0].state + toy.vcpu_bytes, (uint8_t *)vcpu->slot[1].state + trinket.vcpu_bytes,
            vcpu->slot[0].overlay[1].page + HVS_PAGE_BYTES, vcpu->slot[1].overlay[0].page + HVS_PAGE_BYTES,
        };

        for (size_t i = 0; i < HVS_ARRAY_SIZE(ends); i++) {
            assert_in_range((size_t)(ends[i] - memory), 1, bytes);
            if ((size_t)(ends[i] - memory) > first_unused)
                first_unused = (size_t)(ends[i] - memory);
        }
        assert_int_equal((uintptr_t)vcpu->slot[0].state % alignof(max_align_t), 0);
        assert_int_equal((uintptr_t)vcpu->input % HVS_PAGE_BYTES, 0);
    }
    assert_int_equal(first_unused, bytes);
    for (size_t i = bytes; i < (bytes / HVS_PAGE_BYTES + 2) * HVS_PAGE_BYTES; i++)
        assert_int_equal(memory[i], 0xcc);
    free(memory);
}

/* No two parts of a VM share a byte: each is filled with its own number, then looked at. */
static void test_parts_do_not_overlap(void **state)
{
    struct mock *mock = *state;
    struct {
        uint8_t *at;
        size_t bytes;
    } part[64];
    uint32_t nr = 0;

#define PART(pointer, size) part[nr].at = (void *)(pointer), part[nr].bytes = (size), nr++
    PART(mock->vm->slot[0].state, toy.vm_bytes);
    PART(mock->vm->slot[0].overlay[0].page, HVS_PAGE_BYTES);
    PART(mock->vm->store.bytes, mock->vm->store.capacity);
    for (uint32_t vp = 0; vp < mock->config.nr_vps; vp++) {
        struct hvs_vcpu *vcpu = mock_vcpu(mock, vp);

        PART(vcpu->slot[0].state, toy.vcpu_bytes);
        PART(vcpu->slot[1].state, trinket.vcpu_bytes);
        PART(vcpu->slot[0].overlay[0].page, HVS_PAGE_BYTES);
        PART(vcpu->slot[0].overlay[1].page, HVS_PAGE_BYTES);
        PART(vcpu->slot[1].overlay[0].page, HVS_PAGE_BYTES);
        PART(vcpu->input, HVS_PAGE_BYTES);
        PART(vcpu->output, HVS_PAGE_BYTES);
        PART(vcpu->hits, nr_rows() * sizeof(vcpu->hits[0]));
    }
#undef PART
    assert_true(nr <= HVS_ARRAY_SIZE(part));
    for (uint32_t i = 0; i < nr; i++)
        memset(part[i].at, (int)i, part[i].bytes);
    for (uint32_t i = 0; i < nr; i++) {
        for (size_t b = 0; b < part[i].bytes; b++)
            assert_int_equal(part[i].at[b], i);
    }
    for (uint32_t vp = 0; vp < mock->config.nr_vps; vp++)
        assert_ptr_equal(mock_vcpu(mock, vp)->vm, mock->vm);
}

static void test_a_misaligned_trace_is_refused(void **state)
{
    static struct hvs_trace_record ring[2];
    struct mock *mock = *state;

    mock_stop(mock);
    good_config(mock);
    mock->config.trace = (uint8_t *)ring + 1;
    mock->config.trace_bytes = sizeof(ring[0]);
    assert_int_equal(mock_start(mock), HVS_EINVAL);
    good_config(mock);
    assert_int_equal(mock_start(mock), HVS_OK);
}

static void test_a_port_must_do_what_the_capabilities_say(void **state)
{
    static const struct {
        size_t function;            /* offset of the one that is missing */
        uint32_t cap;               /* that needs it; 0: always needed */
    } cases[] = {
        {offsetof(struct hvs_port, gpa_read), 0}, {offsetof(struct hvs_port, gpa_write), 0},
        {offsetof(struct hvs_port, page_pin), 0}, {offsetof(struct hvs_port, page_unpin), 0},
        {offsetof(struct hvs_port, time_now), 0}, {offsetof(struct hvs_port, xmm_read), HVS_CAP_XMM},
        {offsetof(struct hvs_port, xmm_write), HVS_CAP_XMM}, {offsetof(struct hvs_port, apic_read), HVS_CAP_APIC},
        {offsetof(struct hvs_port, apic_write), HVS_CAP_APIC},
        {offsetof(struct hvs_port, eoi_assist), HVS_CAP_EOI_ASSIST},
        {offsetof(struct hvs_port, vcpu_time), HVS_CAP_VCPU_TIME},
    };
    struct mock *mock = *state;
    const struct hvs_port whole = *mock->vm->port;
    struct hvs_vm_config config = mock->config;
    size_t bytes;

    assert_int_equal(hvs_vm_size(&config, &bytes), HVS_OK);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        struct hvs_port port = whole;

        memset((uint8_t *)&port + cases[i].function, 0, sizeof(void (*)(void)));
        config.caps = mock->config.caps;
        assert_int_equal(hvs_vm_init(mock->memory, bytes, &config, &port, mock, &mock->vm), HVS_EINVAL);
        config.caps &= ~cases[i].cap;
        assert_int_equal(hvs_vm_init(mock->memory, bytes, &config, &port, mock, &mock->vm),
                         cases[i].cap ? HVS_OK : HVS_EINVAL);
    }
}

/* --- the stack ---------------------------------------------------------------------------------------------------- */

static void test_placement(void **state)
{
    static const struct {
        const struct hvs_personality *list[HVS_MAX_SLOTS + 1];
        uint32_t base[HVS_MAX_SLOTS];
        uint32_t next_leaf;
    } cases[] = {
        {{NULL}, {0}, 0x40000000},
        {{&toy, NULL}, {0x40000000}, 0x40000100},
        {{&trinket, NULL}, {0x40000000}, 0x40000100},
        {{&toy, &trinket, NULL}, {0x40000000, 0x40000100}, 0x40000200},
        {{&trinket, &toy, NULL}, {0x40000100, 0x40000000}, 0x40000200},
        {{&trinket, &third, &toy, NULL}, {0x40000100, 0x40000200, 0x40000000}, 0x40000300},
        {{&trinket, &third, NULL}, {0x40000000, 0x40000100}, 0x40000200},
    };
    struct mock *mock = *state;

    for (size_t i = 0; i < HVS_ARRAY_SIZE(cases); i++) {
        mock_stop(mock);
        mock_config(mock, cases[i].list, 1);
        assert_int_equal(mock_start(mock), HVS_OK);
        assert_int_equal(hvs_vm_next_leaf(mock->vm), cases[i].next_leaf);
        for (uint32_t s = 0; s < mock->config.nr_slots; s++) {
            struct hvs_ctx ctx = hvs_ctx_make(mock_vcpu(mock, 0), (uint8_t)s);

            assert_int_equal(hvs_ctx_base(&ctx), cases[i].base[s]);
        }
    }
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static void test_vcpus(void **state)
{
    struct mock *mock = *state;

    for (uint32_t vp = 0; vp < 3; vp++)
        assert_int_equal(hvs_vm_vcpu(mock->vm, vp)->vp, vp);
    assert_null(hvs_vm_vcpu(mock->vm, 3));
    assert_null(hvs_vm_vcpu(mock->vm, UINT32_MAX));
}

static void test_the_clock_goes_on_after_a_pause(void **state)
{
    struct mock *mock = *state;

    mock_advance(mock, 1000000);
    assert_int_equal(hvs_vm_start_clock(mock->vm), HVS_OK);
    assert_int_equal(hvs_vm_now_ns(mock->vm), 1000000);
    mock_advance(mock, 1000000);
    assert_in_range(hvs_vm_now_ns(mock->vm), 1999999, 2000000);
}

static void test_the_clock_is_as_stable_as_the_backend_says(void **state)
{
    struct mock *mock = *state;

    assert_true(mock->vm->clock.is_stable);
    toy_restart(mock, mock->config.caps & ~(uint32_t)HVS_CAP_TSC_STABLE, 0, 0);
    assert_false(mock->vm->clock.is_stable);
}

static uint32_t nr_moves;

static void count_move(struct hvs_ctx *ctx)
{
    assert_int_equal(ctx->vp, 0);
    assert_true(ctx->from_host);
    assert_true(atomic_flag_test_and_set(&ctx->vm->lock.taken));        /* the VM lock is held */
    nr_moves++;
}

static void test_personalities_hear_that_the_clock_moved(void **state)
{
    struct hvs_personality listener = toy;
    struct mock *mock = *state;

    listener.clock_moved = count_move;
    mock_stop(mock);
    nr_moves = 0;
    mock_start_one(mock, &listener, 2);
    assert_int_equal(nr_moves, 1);
    assert_int_equal(hvs_vm_start_clock(mock->vm), HVS_OK);
    assert_int_equal(nr_moves, 2);
    hvs_vm_set_wall_clock(mock->vm, 1);
    assert_int_equal(nr_moves, 3);
    assert_int_equal(mock_wrmsr(mock, 0, TOY_MSR_SHARED, 1), HVS_HANDLED);      /* and no lock is left */
    assert_int_equal(mock_wrmsr(mock, 1, TOY_MSR_SHARED, 1), HVS_HANDLED);
}

static void test_the_wall_clock(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);

    assert_int_equal(hvs_ctx_boot_wall_ns(&ctx), 0);
    mock_advance(mock, 1000000);
    hvs_vm_set_wall_clock(mock->vm, 1700000000000000000);
    assert_in_range(hvs_ctx_boot_wall_ns(&ctx), 1699999999999000000, 1699999999999000001);
    mock_advance(mock, 1000000);
    assert_in_range(hvs_ctx_boot_wall_ns(&ctx), 1699999999999000000, 1699999999999000001);
    hvs_vm_set_wall_clock(mock->vm, 0);
    assert_int_equal(hvs_ctx_boot_wall_ns(&ctx), 0);
}

static void test_who_expects_raw_hypercalls(void **state)
{
    static const struct {
        uint8_t raw_feature;
        uint64_t off;
        bool expects_raw;
    } cases[] = {
        {TOY_FEATURE_PORT, 0, true}, {TOY_FEATURE_PORT, 1ull << TOY_FEATURE_PORT, false}, {TOY_FEATURE_RARE, 0, false},
        {HVS_FEATURE_ALWAYS, 0, true}, {HVS_FEATURE_NEVER, 0, false},
    };
    struct hvs_personality caller = toy;
    struct mock *mock = *state;

    for (size_t i = 0; i < 2 * HVS_ARRAY_SIZE(cases); i++) {
        bool can_claim = i % 2;

        caller.raw_feature = cases[i / 2].raw_feature;
        caller.claims_raw = can_claim ? toy.claims_raw : NULL;
        mock_stop(mock);
        mock_config(mock, (const struct hvs_personality *const[]){&caller, NULL}, 1);
        mock->config.slot[0].features_off = cases[i / 2].off;
        assert_int_equal(mock_start(mock), HVS_OK);
        assert_int_equal(hvs_vm_expects_raw(mock->vm), can_claim && cases[i / 2].expects_raw);
    }
}

static void test_words(void **state)
{
    (void)state;
    assert_int_equal(hvs_version(), HVS_VERSION);
    assert_int_equal(hvs_check_version(HVS_VERSION), HVS_OK);
    assert_int_equal(hvs_check_version(HVS_VERSION + 1), HVS_EVERSION);
    assert_string_equal(hvs_strerror(HVS_OK), "success");
    for (int err = HVS_EBUSY; err < HVS_OK; err++)
        assert_string_not_equal(hvs_strerror(err), hvs_strerror(1));
    assert_string_equal(hvs_strerror(HVS_EBUSY - 1), hvs_strerror(1));
    assert_string_equal(hvs_strerror(INT_MIN), hvs_strerror(1));
    assert_string_equal(hvs_strerror(INT_MAX), hvs_strerror(1));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_configurations),
    TOY_TEST(test_size_is_what_is_used),
    TOY_TEST(test_parts_do_not_overlap),
    TOY_TEST(test_a_misaligned_trace_is_refused),
    TOY_TEST(test_a_port_must_do_what_the_capabilities_say),
    TOY_TEST(test_placement),
    TOY_TEST(test_vcpus),
    TOY_TEST(test_the_clock_goes_on_after_a_pause),
    TOY_TEST(test_the_clock_is_as_stable_as_the_backend_says),
    TOY_TEST(test_personalities_hear_that_the_clock_moved),
    TOY_TEST(test_the_wall_clock),
    TOY_TEST(test_who_expects_raw_hypercalls),
    cmocka_unit_test(test_words),
};
TOY_MAIN(tests)
