/* What handlers ask of their context: facts, effects, faults. */
#include "toy.h"

static void test_facts(void **state)
{
    static const uint32_t apic_id[] = {0, 2, 4};
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 1), trinkets = hvs_ctx_make(mock_vcpu(mock, 1), 1);
    uint8_t code[8];

    assert_int_equal(ctx.vp, 1);
    assert_int_equal(hvs_ctx_nr_vps(&ctx), 3);
    assert_int_equal(hvs_ctx_base(&ctx), 0x40000000);
    assert_int_equal(hvs_ctx_max_leaf(&ctx), 0x40000004);
    assert_int_equal(hvs_ctx_base(&trinkets), 0x40000100);
    assert_int_equal(hvs_ctx_max_leaf(&trinkets), 0x40000101);
    assert_int_equal(hvs_ctx_config(&ctx)->memory_bytes, MOCK_RAM_BYTES);
    assert_null(hvs_ctx_options(&ctx));
    assert_true(hvs_ctx_feature(&ctx, TOY_FEATURE_CALLS));
    assert_false(hvs_ctx_feature(&ctx, TOY_FEATURE_RARE));
    assert_false(hvs_ctx_feature(&ctx, HVS_MAX_FEATURES));
    assert_false(hvs_ctx_feature(&ctx, UINT32_MAX));
    assert_true(hvs_ctx_has_personality(&ctx, "trinket"));
    assert_false(hvs_ctx_has_personality(&ctx, "trink"));
    assert_false(hvs_ctx_has_personality(&ctx, "trinkets"));
    assert_ptr_equal(hvs_ctx_peer(&ctx, 2), toy_vcpu_state(mock, 2));
    assert_int_equal(hvs_ctx_apic_id(&ctx, 1), 1);
    mock->vm->config.apic_id = apic_id;
    assert_int_equal(hvs_ctx_apic_id(&ctx, 1), 2);
    assert_int_equal(hvs_ctx_hypercall_code(&ctx, code), 2);
    assert_memory_equal(code, ((uint8_t[]){0xe6, 0xe4}), 2);
    assert_int_equal(hvs_ctx_hypercall_code(&trinkets, code), 2);
    assert_memory_equal(code, ((uint8_t[]){0xe6, 0xe5}), 2);
}

static void test_options_reach_their_slot(void **state)
{
    static const uint32_t options = 42;
    struct mock *mock = *state;

    mock_stop(mock);
    mock_config(mock, (const struct hvs_personality *const[]){&toy, &trinket, NULL}, 1);
    mock->config.slot[1].options = &options;
    assert_int_equal(mock_start(mock), HVS_OK);

    struct hvs_ctx ctx = toy_ctx(mock, 0), trinkets = hvs_ctx_make(mock_vcpu(mock, 0), 1);

    assert_null(hvs_ctx_options(&ctx));
    assert_ptr_equal(hvs_ctx_options(&trinkets), &options);
}

static void test_time(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_instant now;

    mock_advance(mock, 1000000);
    hvs_ctx_now(&ctx, &now);
    assert_int_equal(now.ns, 1000000);
    assert_int_equal(now.tsc, 2500000);
    assert_in_range(hvs_ctx_now_ns(&ctx), 999999, 1000000);
    assert_int_equal(hvs_ctx_now_ns(&ctx), hvs_vm_now_ns(mock->vm));
    assert_int_equal(hvs_ctx_clock(&ctx)->tsc_khz, MOCK_TSC_KHZ);
}

/* --- effects ------------------------------------------------------------------------------------------------------ */

static void test_injections_are_coalesced(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);

    hvs_emit_inject(&ctx, 1, 0x40);
    hvs_emit_inject(&ctx, 1, 0x41);
    hvs_emit_inject(&ctx, 2, 0x40);
    hvs_emit_inject(&ctx, 1, 0x40);
    assert_int_equal(mock->out.nr_effects, 3);
    assert_int_equal(mock->out.effect[1].vector, 0x41);
    assert_int_equal(mock->out.effect[2].vp, 2);
    assert_int_equal(mock->out.effect[2].target, HVS_TARGET_VP);
}

/* An outcome is reused: what lies behind its effects is of an earlier exit. */
static void test_earlier_effects_do_not_count(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_vpset set;

    hvs_vpset_clear(&set);
    hvs_vpset_add(&set, 2);
    hvs_emit_inject(&ctx, 1, 0x40);
    mock->out.nr_effects = 0;
    hvs_emit_inject(&ctx, 1, 0x40);
    assert_int_equal(mock->out.nr_effects, 1);
    mock->out.nr_effects = 0;
    hvs_emit_flush_set(&ctx, &set);
    hvs_vpset_fill(&mock->out.set, 64);
    mock->out.nr_effects = 0;
    hvs_emit_flush_set(&ctx, &set);
    assert_int_equal(mock->out.nr_effects, 1);
    assert_memory_equal(&mock->out.set, &set, sizeof(set));
}

static void test_effects_keep_their_order_and_bound(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);

    for (uint32_t i = 0; i < HVS_MAX_EFFECTS + 3; i++)
        hvs_emit(&ctx, (struct hvs_effect){.kind = HVS_EFFECT_LOG, .byte = (uint8_t)i});
    assert_int_equal(mock->out.nr_effects, HVS_MAX_EFFECTS);
    for (uint32_t i = 0; i < HVS_MAX_EFFECTS; i++)
        assert_int_equal(mock->out.effect[i].byte, i);
}

static void test_a_restore_has_no_effects(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_vpset set = {{1}};

    ctx.from_host = true;
    hvs_emit_inject(&ctx, 0, 0x40);
    hvs_emit_inject_set(&ctx, &set, 0x40);
    hvs_emit_flush_set(&ctx, &set);
    hvs_emit(&ctx, (struct hvs_effect){.kind = HVS_EFFECT_YIELD});
    assert_int_equal(mock->out.nr_effects, 0);
    assert_int_equal(hvs_vpset_count(&mock->out.set), 0);
    ctx.from_host = false;
    ctx.out = NULL;                             /* outside of an exit, as during the first reset */
    hvs_emit_inject(&ctx, 0, 0x40);
    hvs_emit_inject_set(&ctx, &set, 0x40);
    hvs_emit_flush_set(&ctx, &set);
}

static void test_effects_on_a_set(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_vpset set;

    hvs_vpset_clear(&set);
    hvs_vpset_add(&set, 2);
    hvs_emit_flush_set(&ctx, &set);
    assert_int_equal(mock->out.nr_effects, 1);
    assert_int_equal(mock->out.effect[0].kind, HVS_EFFECT_FLUSH_TLB);
    assert_int_equal(mock->out.effect[0].target, HVS_TARGET_SET);
    assert_memory_equal(&mock->out.set, &set, sizeof(set));
    hvs_emit_inject_set(&ctx, &set, 0x40);
    assert_int_equal(mock->out.nr_effects, 2);
    assert_int_equal(mock->out.effect[1].kind, HVS_EFFECT_INJECT);
    assert_int_equal(mock->out.effect[1].vector, 0x40);
}

/* What is aimed at one VP is no reason to think that the outcome's set is in use. */
static void test_a_set_behind_a_single_target(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_vpset set;

    hvs_vpset_clear(&set);
    hvs_vpset_add(&set, 2);
    hvs_vpset_fill(&mock->out.set, 64);         /* left by an earlier exit */
    hvs_emit_inject(&ctx, 1, 0x40);
    hvs_emit_inject_set(&ctx, &set, 0x40);
    assert_int_equal(mock->out.nr_effects, 2);
    assert_memory_equal(&mock->out.set, &set, sizeof(set));
    hvs_emit_inject_set(&ctx, &set, 0x41);
    assert_int_equal(mock->out.nr_effects, 3);
    hvs_emit_flush_set(&ctx, &set);
    assert_int_equal(mock->out.nr_effects, 4);
}

/* A rep handler that is called again within one exit flushes again: no target may be forgotten. */
static void test_a_second_set_adds_to_the_first(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    struct hvs_vpset first, second;

    hvs_vpset_clear(&first);
    hvs_vpset_add(&first, 1);
    hvs_vpset_clear(&second);
    hvs_vpset_add(&second, 2);
    for (uint32_t i = 0; i < HVS_MAX_EFFECTS + 1; i++)
        hvs_emit_flush_set(&ctx, i % 2 ? &second : &first);
    assert_int_equal(mock->out.nr_effects, 1);
    assert_true(hvs_vpset_has(&mock->out.set, 1));
    assert_true(hvs_vpset_has(&mock->out.set, 2));
}

/* --- faults and crashes ------------------------------------------------------------------------------------------- */

static void test_faults(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);

    mock->out.fault_code = 9;
    assert_int_equal(hvs_fault_gp(&ctx), HVS_FAULT);
    assert_int_equal(mock->out.fault_vector, HVS_VECTOR_GP);
    assert_true(mock->out.fault_has_code);
    assert_int_equal(mock->out.fault_code, 0);
    assert_int_equal(hvs_fault_ud(&ctx), HVS_FAULT);
    assert_int_equal(mock->out.fault_vector, HVS_VECTOR_UD);
    assert_false(mock->out.fault_has_code);
}

static void test_own_msrs_follow_the_guests_rules(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 1);
    uint64_t value = 1;

    assert_int_equal(hvs_ctx_msr_read(&ctx, TOY_MSR_RO, &value), HVS_HANDLED);
    assert_int_equal(value, TOY_RO_VALUE);
    assert_int_equal(hvs_ctx_msr_write(&ctx, TOY_MSR_RO, 0), HVS_FAULT);
    assert_int_equal(hvs_ctx_msr_read(&ctx, TOY_MSR_WO, &value), HVS_FAULT);
    assert_int_equal(hvs_ctx_msr_write(&ctx, TOY_MSR_RW, 7), HVS_HANDLED);
    assert_int_equal(hvs_ctx_msr_write(&ctx, TOY_MSR_RW, TOY_RW_RESERVED), HVS_FAULT);
    assert_int_equal(hvs_ctx_msr_read(&ctx, TOY_MSR_RW, &value), HVS_HANDLED);
    assert_int_equal(value, 7);
    assert_int_equal(hvs_ctx_msr_write(&ctx, TOY_MSR_SHARED, 9), HVS_HANDLED);
    assert_true(toy_vcpu_state(mock, 1)->was_locked);
    assert_int_equal(hvs_ctx_msr_read(&ctx, TOY_MSR_RARE, &value), HVS_UNHANDLED);  /* its feature is off */
    assert_int_equal(value, 0);
    assert_int_equal(hvs_ctx_msr_write(&ctx, 0x4ff, 0), HVS_UNHANDLED);
}

static void test_interrupts_past_the_apic_are_their_own(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 1);

    hvs_emit_inject(&ctx, 1, 0x40);
    hvs_emit_inject_past_apic(&ctx, 1, 0x40);
    hvs_emit_inject_past_apic(&ctx, 1, 0x40);
    assert_int_equal(mock->out.nr_effects, 2);
    assert_false(mock->out.effect[0].past_apic);
    assert_true(mock->out.effect[1].past_apic);
}

static void test_a_vcpu_starts_with_its_context(void **state)
{
    static const struct hvs_vcpu_context context = {.rip = 0x1000, .gpr = {[6] = 0xabc}, .cs = {.selector = 8}};
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);

    assert_true(hvs_emit_vcpu_start(&ctx, 2, &context));
    assert_int_equal(mock->out.nr_effects, 1);
    assert_int_equal(mock->out.effect[0].kind, HVS_EFFECT_VCPU_START);
    assert_int_equal(mock->out.effect[0].vp, 2);
    assert_memory_equal(&mock->out.start, &context, sizeof(context));
    ctx.from_host = true;
    assert_false(hvs_emit_vcpu_start(&ctx, 1, &context));
    assert_int_equal(mock->out.nr_effects, 1);
}

/* Outside of an exit, in a fresh outcome. */
static bool can_start(struct mock *mock, uint32_t vp)
{
    static const struct hvs_vcpu_context context = {.rip = 0x1000};
    struct hvs_ctx ctx = toy_ctx(mock, 0);
    bool has_started;

    mock->out.nr_effects = 0;
    has_started = hvs_emit_vcpu_start(&ctx, vp, &context);
    assert_int_equal(mock->out.nr_effects, has_started);
    return has_started;
}

static void test_a_vcpu_that_runs_is_not_started(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 0);

    assert_false(can_start(mock, 0));           /* the boot processor */
    mock_timer(mock, 1);                        /* this is the host's doing */
    assert_true(can_start(mock, 1));
    assert_false(can_start(mock, 1));
    mock_rdmsr(mock, 2, TOY_MSR_RO, NULL);
    assert_false(can_start(mock, 2));
    mock_reset(mock, 2);
    assert_true(can_start(mock, 2));
    hvs_emit(&ctx, (struct hvs_effect){.kind = HVS_EFFECT_VCPU_STOP, .target = HVS_TARGET_VP, .vp = 2});
    assert_true(hvs_vcpu_is_to_stop(ctx.vm->vcpu + 2) && !hvs_vcpu_is_to_stop(ctx.vm->vcpu));
    hvs_emit(&ctx, (struct hvs_effect){.kind = HVS_EFFECT_VCPU_GO_ON, .target = HVS_TARGET_VP, .vp = 2});
    assert_false(hvs_vcpu_is_to_stop(ctx.vm->vcpu + 2));
    hvs_emit(&ctx, (struct hvs_effect){.kind = HVS_EFFECT_VCPU_STOP, .target = HVS_TARGET_VP, .vp = 2});
    assert_true(can_start(mock, 2));
    mock_reset(mock, 2);
    assert_false(hvs_vcpu_is_to_stop(ctx.vm->vcpu + 2));
    mock_reset(mock, 0);
    assert_false(can_start(mock, 0));
}

static void test_ports_that_the_backend_may_lack(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 1);
    uint64_t value = 0;

    mock->vcpu_time[2] = (struct hvs_vcpu_time){.ran_ns = 5, .stolen_ns = 6};
    assert_int_equal(hvs_ctx_vcpu_time(&ctx, 2).ran_ns, 5);
    assert_int_equal(hvs_ctx_vcpu_time(&ctx, 2).stolen_ns, 6);
    assert_int_equal(hvs_ctx_apic_write(&ctx, 0x80, 0x20), HVS_OK);
    assert_int_equal(mock->apic[1][8], 0x20);
    assert_int_equal(hvs_ctx_apic_read(&ctx, 0x80, &value), HVS_OK);
    assert_int_equal(value, 0x20);
    assert_int_equal(hvs_ctx_eoi_assist(&ctx, 0x3000), HVS_OK);
    assert_int_equal(mock->eoi_assist[1], 0x3000);
    assert_int_equal(hvs_ctx_eoi_assist(&ctx, MOCK_RAM_BYTES), HVS_EFAULT);

    toy_restart(mock, HVS_CAP_INJECT, 0, 0);
    ctx = toy_ctx(mock, 1);
    assert_int_equal(hvs_ctx_vcpu_time(&ctx, 2).ran_ns, 0);
    assert_int_equal(hvs_ctx_apic_write(&ctx, 0x80, 0), HVS_ENOTSUP);
    assert_int_equal(hvs_ctx_apic_read(&ctx, 0x80, &value), HVS_ENOTSUP);
    assert_int_equal(hvs_ctx_eoi_assist(&ctx, 0x3000), HVS_ENOTSUP);
}

static void test_a_crash_lasts_until_reset(void **state)
{
    struct mock *mock = *state;
    struct hvs_ctx ctx = toy_ctx(mock, 1);
    struct hvs_crash said = {.parameter = {1, 2, 3, 4, 5}, .message_bytes = 3, .message = "hey"}, got;

    assert_int_equal(hvs_vm_crash(mock->vm, &got), HVS_ENOENT);
    hvs_crash_report(&ctx, &said);
    assert_int_equal(hvs_vm_crash(mock->vm, &got), HVS_OK);
    assert_memory_equal(&got, &said, sizeof(got));
    mock_reset(mock, 1);
    assert_int_equal(hvs_vm_crash(mock->vm, &got), HVS_OK);
    mock_reset(mock, 0);
    assert_int_equal(hvs_vm_crash(mock->vm, &got), HVS_ENOENT);
}

static const struct CMUnitTest tests[] = {
    TOY_TEST(test_facts),
    TOY_TEST(test_options_reach_their_slot),
    TOY_TEST(test_time),
    TOY_TEST(test_injections_are_coalesced),
    TOY_TEST(test_earlier_effects_do_not_count),
    TOY_TEST(test_effects_keep_their_order_and_bound),
    TOY_TEST(test_a_restore_has_no_effects),
    TOY_TEST(test_effects_on_a_set),
    TOY_TEST(test_a_set_behind_a_single_target),
    TOY_TEST(test_a_second_set_adds_to_the_first),
    TOY_TEST(test_faults),
    TOY_TEST(test_own_msrs_follow_the_guests_rules),
    TOY_TEST(test_interrupts_past_the_apic_are_their_own),
    TOY_TEST(test_a_vcpu_starts_with_its_context),
    TOY_TEST(test_a_vcpu_that_runs_is_not_started),
    TOY_TEST(test_ports_that_the_backend_may_lack),
    TOY_TEST(test_a_crash_lasts_until_reset),
};
TOY_MAIN(tests)
