/*
 * A personality that the project does not know: named in config.slot, it has all that the others have, alone and
 * beside them. That is the whole of "one folder plus one line".
 */
#include <hvshim/translators.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "mock.h"
#include "sample.h"

enum { BESIDE = 0x40000100 };

static void start_beside(struct mock *mock, const struct hvs_personality *first, uint32_t nr_vps)
{
    const struct hvs_personality *const list[] = {first, &sample_personality, NULL};

    mock_config(mock, list, nr_vps);
    assert_int_equal(mock_start(mock), HVS_OK);
}

static uint64_t call(struct mock *mock, uint32_t vp, uint8_t slot, uint64_t code)
{
    mock->regs.rax = code;
    assert_int_equal(mock_hypercall(mock, vp, slot), HVS_HANDLED);
    return mock->regs.rax;
}

static void assert_says(struct mock *mock, uint32_t leaf, const char *signature)
{
    struct hvs_cpuid_regs r = mock_cpuid(mock, 0, leaf, 0);

    assert_memory_equal(&r.reg[HVS_EBX], signature, 12);
}

static void test_alone(void **state)
{
    struct mock mock;
    uint64_t step;

    (void)state;
    mock_start_one(&mock, &sample_personality, 2);
    assert_says(&mock, 0x40000000, "SampleSample");
    assert_int_equal(mock_cpuid(&mock, 0, 0x40000000, 0).reg[HVS_EAX], 0x40000001);
    assert_int_equal(mock_cpuid(&mock, 0, 0x40000001, 0).reg[HVS_EAX], 1);
    assert_int_equal(mock_wrmsr(&mock, 1, SAMPLE_MSR_STEP, 10), HVS_HANDLED);
    assert_int_equal(mock_rdmsr(&mock, 1, SAMPLE_MSR_STEP, &step), HVS_HANDLED);
    assert_int_equal(step, 10);
    assert_int_equal(call(&mock, 0, 0, SAMPLE_CALL_ADD), 1);
    assert_int_equal(call(&mock, 1, 0, SAMPLE_CALL_ADD), 11);
    assert_int_equal(mock_in(&mock, 0, SAMPLE_PORT, 4), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, 11);
    mock_stop(&mock);
}

static void test_beside_xen(void **state)
{
    struct mock mock;

    (void)state;
    start_beside(&mock, &hvs_xen_personality, 1);
    assert_says(&mock, 0x40000000, "XenVMMXenVMM");
    assert_says(&mock, BESIDE, "SampleSample");
    assert_int_equal(mock_cpuid(&mock, 0, BESIDE, 0).reg[HVS_EAX], BESIDE + 1);
    assert_int_equal(hvs_vm_next_leaf(mock.vm), 0x40000200);
    assert_int_equal(call(&mock, 0, 1, SAMPLE_CALL_ADD), 1);
    assert_int_equal(mock_in(&mock, 0, SAMPLE_PORT, 4), HVS_HANDLED);
    assert_int_equal(mock.regs.rax, 1);
    mock_stop(&mock);
}

/* Who must be first is first, also when named second. */
static void test_behind_vmware(void **state)
{
    const struct hvs_personality *const list[] = {&sample_personality, &hvs_vmw_personality, NULL};
    struct mock mock;

    (void)state;
    mock_config(&mock, list, 1);
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_says(&mock, 0x40000000, "VMwareVMware");
    assert_says(&mock, BESIDE, "SampleSample");
    assert_int_equal(call(&mock, 0, 0, SAMPLE_CALL_ADD), 1);
    mock_stop(&mock);
}

static void test_bad_input(void **state)
{
    struct mock mock;

    (void)state;
    mock_start_one(&mock, &sample_personality, 1);
    assert_int_equal(mock_wrmsr(&mock, 0, SAMPLE_MSR_STEP, 0x100), HVS_FAULT);
    assert_int_equal(mock.out.fault_vector, HVS_VECTOR_GP);
    assert_int_equal(mock_rdmsr(&mock, 0, SAMPLE_MSR_STEP + 1, NULL), HVS_UNHANDLED);
    assert_int_equal(call(&mock, 0, 0, 2), UINT64_MAX);
    assert_int_equal(call(&mock, 0, 0, (1ull << 32) + SAMPLE_CALL_ADD), UINT64_MAX);
    assert_int_equal(mock_out(&mock, 0, SAMPLE_PORT, 4), HVS_UNHANDLED);
    assert_int_equal(mock_in(&mock, 0, SAMPLE_PORT, 1), HVS_UNHANDLED);
    mock.regs.cpl = 3;
    assert_int_equal(mock_hypercall(&mock, 0, 0), HVS_FAULT);
    assert_int_equal(mock.out.fault_vector, HVS_VECTOR_UD);
    mock.regs.cpl = 0;
    assert_int_equal(call(&mock, 0, 0, SAMPLE_CALL_ADD), 1);
    mock_stop(&mock);
}

static void test_feature_off(void **state)
{
    const struct hvs_personality *const list[] = {&sample_personality, NULL};
    struct mock mock;

    (void)state;
    mock_config(&mock, list, 1);
    assert_int_equal(hvs_feature_parse(&mock.config, "sample.counter=off"), HVS_OK);
    assert_int_equal(mock_start(&mock), HVS_OK);
    assert_int_equal(mock_cpuid(&mock, 0, 0x40000001, 0).reg[HVS_EAX], 0);
    assert_int_equal(mock_rdmsr(&mock, 0, SAMPLE_MSR_STEP, NULL), HVS_UNHANDLED);
    assert_int_equal(mock_in(&mock, 0, SAMPLE_PORT, 4), HVS_UNHANDLED);
    assert_int_equal(call(&mock, 0, 0, SAMPLE_CALL_ADD), UINT64_MAX);
    mock_stop(&mock);
}

static void test_save_and_reset(void **state)
{
    struct mock mock;
    uint64_t step;

    (void)state;
    start_beside(&mock, &hvs_xen_personality, 2);
    assert_int_equal(mock_wrmsr(&mock, 1, SAMPLE_MSR_STEP, 200), HVS_HANDLED);
    assert_int_equal(call(&mock, 1, 1, SAMPLE_CALL_ADD), 200);
    mock_save_load_save(&mock);
    assert_int_equal(call(&mock, 1, 1, SAMPLE_CALL_ADD), 400);
    assert_int_equal(mock_reset(&mock, 0), HVS_HANDLED);
    assert_int_equal(mock_reset(&mock, 1), HVS_HANDLED);
    assert_int_equal(mock_rdmsr(&mock, 1, SAMPLE_MSR_STEP, &step), HVS_HANDLED);
    assert_int_equal(step, 1);
    assert_int_equal(call(&mock, 1, 1, SAMPLE_CALL_ADD), 1);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_beside_xen),
        cmocka_unit_test(test_behind_vmware),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_feature_off),
        cmocka_unit_test(test_save_and_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
