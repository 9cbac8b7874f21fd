/* vcpu_op: vCPUs that begin, stop, go on, and get NMIs. */
#include "xen_test.h"

#include <stddef.h>

static int64_t about(struct mock *mock, uint32_t cmd, uint32_t vp)
{
    return xen_call(mock, 0, __HYPERVISOR_vcpu_op, cmd, vp, 0);
}

/* A vCPU in flat 32-bit mode, as PVH guests start them. */
static struct vcpu_hvm_context narrow_context(void)
{
    struct vcpu_hvm_context c = {.mode = VCPU_HVM_MODE_32B};
    struct vcpu_hvm_x86_32 *r = &c.cpu_regs.x86_32;

    *r = (struct vcpu_hvm_x86_32){
        .eax = 1, .ecx = 2, .edx = 3, .ebx = 4, .esp = 5, .ebp = 6, .esi = 7, .edi = 8, .eip = 0x9000,
        .cr0 = 1, .cr4 = 0x20,
        .cs_limit = UINT32_MAX, .ds_limit = UINT32_MAX, .ss_limit = UINT32_MAX, .es_limit = UINT32_MAX,
        .tr_limit = 0x67,
        .cs_ar = 0xc9a, .ds_ar = 0xc92, .ss_ar = 0xc92, .tr_ar = 0x8b,
    };
    return c;
}

static struct vcpu_hvm_context wide_context(void)
{
    struct vcpu_hvm_context c = {.mode = VCPU_HVM_MODE_64B};

    c.cpu_regs.x86_64 = (struct vcpu_hvm_x86_64){
        .rax = 1, .rdi = 8, .rip = 0xffffffff81000000, .rflags = 0x200,
        .cr0 = 0x80000001, .cr3 = 0x5000, .cr4 = 0x20, .efer = 0x100,
    };
    return c;
}

static int64_t initialise(struct mock *mock, uint32_t vp, const struct vcpu_hvm_context *context)
{
    return xen_vcpu_op(mock, 0, VCPUOP_initialise, vp, context, sizeof(*context));
}

static void test_narrow_start(void **state)
{
    const struct vcpu_hvm_context context = narrow_context();
    const struct hvs_vcpu_context *c;
    const struct hvs_effect *effect;

    (void)state;
    for (uint8_t bits = 32; bits <= 64; bits += 32) {
        struct mock mock;

        start(&mock, 2);
        mock.regs.code_bits = bits;
        assert_int_equal(about(&mock, VCPUOP_is_up, 0), 1);
        assert_int_equal(about(&mock, VCPUOP_is_up, 1), 0);
        assert_int_equal(about(&mock, VCPUOP_up, 1), -XEN_EINVAL);
        assert_int_equal(initialise(&mock, 1, &context), 0);
        assert_int_equal(mock.out.nr_effects, 0);
        assert_int_equal(initialise(&mock, 1, &context), -XEN_EEXIST);
        assert_int_equal(about(&mock, VCPUOP_is_up, 1), 0);
        mock_save_load_save(&mock);
        assert_int_equal(about(&mock, VCPUOP_up, 1), 0);
        assert_int_equal(mock_effects(&mock, HVS_EFFECT_VCPU_START, &effect), 1);
        assert_int_equal(effect->vp, 1);
        c = &mock.out.start;
        for (uint32_t i = 0; i < 8; i++)
            assert_int_equal(c->gpr[i], i + 1);
        assert_int_equal(c->rip, 0x9000);
        assert_int_equal(c->rflags, 2);
        assert_int_equal(c->cr0, 1);
        assert_int_equal(c->efer, 0);
        assert_int_equal(c->cs.attributes, 0xc09b);     /* accessed */
        assert_int_equal(c->ss.attributes, 0xc093);
        assert_int_equal(c->es.attributes, 0);
        assert_int_equal(c->tr.attributes, 0x8b);
        assert_int_equal(c->cs.limit, UINT32_MAX);
        assert_int_equal(about(&mock, VCPUOP_is_up, 1), 1);
        assert_int_equal(about(&mock, VCPUOP_up, 1), 0);
        assert_int_equal(mock.out.nr_effects, 0);
        mock_stop(&mock);
    }
}

static void test_wide_start(void **state)
{
    const struct vcpu_hvm_context context = wide_context();
    const struct hvs_vcpu_context *c;
    struct mock mock;

    (void)state;
    start(&mock, 2);
    assert_int_equal(initialise(&mock, 1, &context), 0);
    assert_int_equal(about(&mock, VCPUOP_up, 1), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_VCPU_START, NULL), 1);
    c = &mock.out.start;
    assert_int_equal(c->rip, 0xffffffff81000000);
    assert_int_equal(c->gpr[7], 8);
    assert_int_equal(c->rflags, 0x202);
    assert_int_equal(c->efer, 0x500);                   /* long mode is active with paging on */
    assert_int_equal(c->cs.attributes, 0xa09b);
    assert_int_equal(c->ds.attributes, 0xc093);
    assert_int_equal(c->tr.limit, 0x67);
    assert_int_equal(c->pat, 0x0007040600070406);
    mock_stop(&mock);
}

#define NARROW(field) offsetof(struct vcpu_hvm_context, cpu_regs.x86_32.field), \
    sizeof(((struct vcpu_hvm_x86_32 *)0)->field)
#define WIDE(field) offsetof(struct vcpu_hvm_context, cpu_regs.x86_64.field), 8

/* One field each that makes a good context bad. */
static void test_bad_contexts(void **state)
{
    static const struct {
        bool is_wide;
        size_t at, bytes;
        uint64_t value;
    } t[] = {
        {false, 0, 4, 2},               /* mode */
        {true, 4, 4, 1},                /* padding */
        {false, NARROW(pad1), 1},
        {false, NARROW(pad2[2]), 1},
        {false, NARROW(cs_ar), 0},
        {false, NARROW(cs_ar), 0x1c9a}, /* reserved */
        {false, NARROW(cs_ar), 0xc92},  /* data */
        {false, NARROW(cs_ar), 0xc1a},  /* not present */
        {false, NARROW(cs_ar), 0xcfa},  /* another level than the stack's */
        {false, NARROW(cs_ar), 0xc8a},  /* a system segment */
        {false, NARROW(ss_ar), 0},
        {false, NARROW(ss_ar), 0xc90},  /* read-only */
        {false, NARROW(ss_ar), 0xc9a},
        {false, NARROW(ds_ar), 0xc98},  /* code that cannot be read */
        {false, NARROW(ds_ar), 0xcf2},  /* a lower level than the code's */
        {false, NARROW(es_ar), 0xcf2},
        {false, NARROW(tr_ar), 0x9b},
        {false, NARROW(tr_ar), 0x81},   /* 16 bits */
        {false, NARROW(cs_limit), 8},   /* in pages; EIP is behind it */
        {false, NARROW(efer), 0x400},   /* LMA without LME */
        {false, NARROW(efer), 0x1000},
        {false, NARROW(cr4), 1u << 13}, /* VMXE */
        {false, NARROW(cr4), 1u << 31},
        {false, NARROW(cr0), 1u << 31}, /* PG without PE */
        {true, WIDE(rip), 0x800000000000},
        {true, WIDE(cr0), 1},
        {true, WIDE(cr0), 0x180000001},
        {true, WIDE(cr4), 0},
        {true, WIDE(efer), 0},
        {true, WIDE(efer), 1ull << 63 | 0x100},
    };
    struct mock mock;

    (void)state;
    start(&mock, 2);
    for (size_t i = 0; i < HVS_ARRAY_SIZE(t); i++) {
        struct vcpu_hvm_context context = t[i].is_wide ? wide_context() : narrow_context();

        memcpy((uint8_t *)&context + t[i].at, &t[i].value, t[i].bytes);
        assert_int_equal(initialise(&mock, 1, &context), -XEN_EINVAL);
        assert_int_equal(about(&mock, VCPUOP_up, 1), -XEN_EINVAL);
    }
    mock_stop(&mock);
}

static void test_down_and_on_again(void **state)
{
    const struct vcpu_hvm_context context = wide_context();
    const struct hvs_effect *effect;
    struct mock mock;

    (void)state;
    start(&mock, 2);
    assert_int_equal(initialise(&mock, 0, &context), -XEN_EEXIST);
    assert_int_equal(about(&mock, VCPUOP_down, 1), 0);          /* it is not up: nothing */
    assert_int_equal(mock.out.nr_effects, 0);
    /* started by its APIC */
    assert_int_equal(xen_call(&mock, 1, __HYPERVISOR_xen_version, 0, 0, 0), 4 << 16 | 17);
    assert_int_equal(about(&mock, VCPUOP_is_up, 1), 1);
    assert_int_equal(initialise(&mock, 1, &context), -XEN_EEXIST);
    assert_int_equal(about(&mock, VCPUOP_down, 1), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_VCPU_STOP, &effect), 1);
    assert_int_equal(effect->vp, 1);
    mock_save_load_save(&mock);
    assert_int_equal(about(&mock, VCPUOP_is_up, 1), 0);
    assert_int_equal(about(&mock, VCPUOP_up, 1), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_VCPU_GO_ON, &effect), 1);
    assert_int_equal(effect->vp, 1);
    assert_int_equal(about(&mock, VCPUOP_is_up, 1), 1);
    mock_stop(&mock);
}

static void test_last_one_powers_off(void **state)
{
    const struct hvs_effect *effect;
    struct mock mock;

    (void)state;
    start(&mock, 2);
    assert_int_equal(about(&mock, VCPUOP_down, 0), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_VM_STOP, &effect), 1);
    assert_int_equal(effect->reason, HVS_STOP_POWEROFF);
    assert_int_equal(about(&mock, VCPUOP_is_up, 0), 1);
    mock_stop(&mock);
}

static void test_nmi(void **state)
{
    const struct hvs_effect *effect;
    struct mock mock;

    (void)state;
    start(&mock, 2);
    assert_int_equal(about(&mock, VCPUOP_send_nmi, 1), 0);
    assert_int_equal(mock_effects(&mock, HVS_EFFECT_NMI, &effect), 1);
    assert_int_equal(effect->vp, 1);
    assert_int_equal(xen_call(&mock, 0, __HYPERVISOR_vcpu_op, VCPUOP_send_nmi, 1, ARG_GPA), -XEN_EINVAL);
    assert_int_equal(about(&mock, VCPUOP_send_nmi, 2), -XEN_ENOENT);
    assert_int_equal(about(&mock, VCPUOP_get_physid, 0), -XEN_EINVAL);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_narrow_start),
        cmocka_unit_test(test_wide_start),
        cmocka_unit_test(test_bad_contexts),
        cmocka_unit_test(test_down_and_on_again),
        cmocka_unit_test(test_last_one_powers_off),
        cmocka_unit_test(test_nmi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
