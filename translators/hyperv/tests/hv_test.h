/*
 * For the tests of this folder: a mock VM with the Hyper-V personality, and a guest's first steps in it.
 */
#ifndef HV_TEST_H
#define HV_TEST_H

#include <mock.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hvshim/hyperv.h>
#include <hvshim/translators.h>

#include "../hv_abi.h"

/* A Linux 6.1 guest's identity, as it writes it. */
#define HV_TEST_OS_ID 0x8100060100000000ull

enum {
    HV_TEST_CALL_GFN = 0x10,            /* where hv_test_establish() puts the hypercall page */
    HV_TEST_IN_GPA = 0x20000,
    HV_TEST_OUT_GPA = 0x21000,
};
#define HV_TEST_PAGE_MSR(gfn) ((uint64_t)(gfn) << HV_PAGE_SHIFT | HV_X64_MSR_PAGE_ENABLE)

/* Default configuration of one Hyper-V slot; change it, then mock_start(). */
static inline void hv_test_config(struct mock *mock, uint32_t nr_vps)
{
    static const struct hvs_personality *const list[] = {&hvs_hv_personality, NULL};

    mock_config(mock, list, nr_vps);
}

static inline uint64_t hv_test_feature(const char *name)
{
    int feature = hvs_feature_find(&hvs_hv_personality, name);

    assert_true(feature >= 0);
    return 1ull << feature;
}

static inline uint64_t hv_test_read(struct mock *mock, uint32_t vp, uint32_t index)
{
    uint64_t value;

    assert_int_equal(mock_rdmsr(mock, vp, index, &value), HVS_HANDLED);
    return value;
}

static inline void hv_test_write(struct mock *mock, uint32_t vp, uint32_t index, uint64_t value)
{
    assert_int_equal(mock_wrmsr(mock, vp, index, value), HVS_HANDLED);
}

static inline void hv_test_expect_gp(const struct mock *mock, enum hvs_verdict verdict)
{
    assert_int_equal(verdict, HVS_FAULT);
    assert_int_equal(mock->out.fault_vector, HVS_VECTOR_GP);
    assert_true(mock->out.fault_has_code);
    assert_int_equal(mock->out.fault_code, 0);
    assert_int_equal(mock->out.nr_effects, 0);
}

static inline void hv_test_expect_ud(const struct mock *mock, enum hvs_verdict verdict)
{
    assert_int_equal(verdict, HVS_FAULT);
    assert_int_equal(mock->out.fault_vector, HVS_VECTOR_UD);
    assert_false(mock->out.fault_has_code);
    assert_false(mock->out.regs_changed);
    assert_int_equal(mock->out.nr_effects, 0);
}

/* TLFS hypercall-interface, steps 3 to 7. */
static inline void hv_test_establish(struct mock *mock)
{
    hv_test_write(mock, 0, HV_X64_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    hv_test_write(mock, 0, HV_X64_MSR_HYPERCALL, HV_TEST_PAGE_MSR(HV_TEST_CALL_GFN));
}

/* Registers of a caller: recognisable values everywhere, so that a test sees which ones changed. */
static inline struct hvs_regs hv_test_regs(uint8_t code_bits)
{
    struct hvs_regs regs = {
        .rax = 0xa0a0, .rbx = 0xb0b0, .rcx = 0xc0c0, .rdx = 0xd0d0, .rsi = 0x5151, .rdi = 0xd1d1, .rsp = 0x5550,
        .rbp = 0xb550, .r8 = 0x8080, .r9 = 0x9090, .r10 = 0x1010, .r11 = 0x1111, .r12 = 0x1212, .r13 = 0x1313,
        .r14 = 0x1414, .r15 = 0x1515, .rip = 0x10002, .rflags = 2, .cr0 = HVS_CR0_PE, .code_bits = code_bits,
    };

    if (code_bits == 64)
        regs.efer = HVS_EFER_LMA;
    return regs;
}

/* Makes the call as a guest of that width would; the result value, or a failed test where it was not handled. */
static inline uint64_t hv_test_call(struct mock *mock, uint8_t code_bits, uint64_t control, uint64_t in, uint64_t out)
{
    mock->regs = hv_test_regs(code_bits);
    if (code_bits == 64) {
        mock->regs.rcx = control;
        mock->regs.rdx = in;
        mock->regs.r8 = out;
    } else {
        mock->regs.rdx = control >> 32;
        mock->regs.rax = (uint32_t)control;
        mock->regs.rbx = in >> 32;
        mock->regs.rcx = (uint32_t)in;
        mock->regs.rdi = out >> 32;
        mock->regs.rsi = (uint32_t)out;
    }
    assert_int_equal(mock_hypercall(mock, 0, 0), HVS_HANDLED);
    assert_true(mock->out.regs_changed);
    return code_bits == 64 ? mock->regs.rax : mock->regs.rdx << 32 | (uint32_t)mock->regs.rax;
}

/* Who calls, and how the input goes along: every call is made in each form that it has. */
struct hv_test_form {
    uint8_t code_bits;
    bool is_fast;
};
static const struct hv_test_form hv_test_forms[] = {{64, false}, {64, true}, {32, false}, {32, true}};
#define HV_TEST_NR_FORMS HVS_ARRAY_SIZE(hv_test_forms)

enum { HV_TEST_MAX_BYTES = HV_PAGE_SIZE };

/* An input block and where its output goes. */
struct hv_test_block {
    uint64_t control;           /* without the fast bit */
    const void *in;
    uint32_t in_bytes;
    void *out;                  /* filled from where the caller finds it */
    uint32_t out_bytes;
};

static inline uint64_t hv_test_control(uint16_t code, uint64_t nr_var, uint64_t rep_count, uint64_t rep_first)
{
    return code | nr_var << HV_HYPERCALL_VARIABLE_HEADER_SHIFT | rep_count << HV_HYPERCALL_REP_COUNT_SHIFT |
           rep_first << HV_HYPERCALL_REP_START_SHIFT;
}

struct hv_test_fast_block {
    uint64_t reg[2];
    struct hvs_xmm xmm[HV_HYPERCALL_MAX_XMM_REGISTERS];
};

static inline void hv_test_load(struct mock *mock, struct hv_test_form form, const struct hv_test_block *block)
{
    struct hv_test_fast_block fast;
    uint64_t control = block->control | (form.is_fast ? HV_HYPERCALL_FAST : 0);

    memset(&fast, 0xee, sizeof(fast));
    if (form.is_fast) {
        assert_true(block->in_bytes <= sizeof(fast));
        if (block->in_bytes)
            memcpy(&fast, block->in, block->in_bytes);
        memcpy(mock->xmm, fast.xmm, sizeof(fast.xmm));
    } else {
        memset(mock->ram + HV_TEST_OUT_GPA, 0xee, HV_PAGE_SIZE);
        if (block->in_bytes)
            memcpy(mock->ram + HV_TEST_IN_GPA, block->in, block->in_bytes);
        fast.reg[0] = HV_TEST_IN_GPA;
        fast.reg[1] = HV_TEST_OUT_GPA;
    }
    mock->regs = hv_test_regs(form.code_bits);
    if (form.code_bits == 64) {
        mock->regs.rcx = control;
        mock->regs.rdx = fast.reg[0];
        mock->regs.r8 = fast.reg[1];
        return;
    }
    mock->regs.rdx = control >> 32;
    mock->regs.rax = (uint32_t)control;
    mock->regs.rbx = fast.reg[0] >> 32;
    mock->regs.rcx = (uint32_t)fast.reg[0];
    mock->regs.rdi = fast.reg[1] >> 32;
    mock->regs.rsi = (uint32_t)fast.reg[1];
}

/* Nothing but the result and, of a fast call, the output's registers changed; takes the output from there. */
static inline void hv_test_check_regs(struct mock *mock, struct hv_test_form form, const struct hv_test_block *block,
                                      const struct hvs_regs *before, const struct hvs_xmm *xmm_before)
{
    struct hv_test_fast_block was = {.reg = {before->rdx, before->r8}};
    struct hv_test_fast_block now = {.reg = {mock->regs.rdx, mock->regs.r8}};
    struct hvs_regs expected = *before;
    uint32_t at = (block->in_bytes + 15) & ~15u;

    memcpy(was.xmm, xmm_before, sizeof(was.xmm));
    memcpy(now.xmm, mock->xmm, sizeof(now.xmm));
    expected.rax = mock->regs.rax;
    if (form.code_bits == 32)
        expected.rdx = mock->regs.rdx;
    if (form.is_fast && block->out_bytes) {
        expected.rdx = mock->regs.rdx;
        expected.r8 = mock->regs.r8;
        memcpy(block->out, (uint8_t *)&now + at, block->out_bytes);
        memcpy((uint8_t *)&was + at, (uint8_t *)&now + at, block->out_bytes);
        assert_memory_equal(&now, &was, sizeof(now));
    } else {
        assert_memory_equal(now.xmm, was.xmm, sizeof(now.xmm));
        if (block->out_bytes)
            memcpy(block->out, mock->ram + HV_TEST_OUT_GPA, block->out_bytes);
    }
    assert_memory_equal(&mock->regs, &expected, sizeof(expected));
}

/* Makes the call on `vp`; returns the result value. */
static inline uint64_t hv_test_call_block(struct mock *mock, uint32_t vp, struct hv_test_form form,
                                          const struct hv_test_block *block)
{
    struct hvs_xmm xmm[HV_HYPERCALL_MAX_XMM_REGISTERS];
    struct hvs_regs before;

    hv_test_load(mock, form, block);
    before = mock->regs;
    memcpy(xmm, mock->xmm, sizeof(xmm));
    assert_int_equal(mock_hypercall(mock, vp, 0), HVS_HANDLED);
    assert_true(mock->out.regs_changed);
    hv_test_check_regs(mock, form, block, &before, xmm);
    return form.code_bits == 64 ? mock->regs.rax : mock->regs.rdx << 32 | (uint32_t)mock->regs.rax;
}

/* The result of a rep call: its status and how many elements are done. */
static inline uint64_t hv_test_result(uint16_t status, uint64_t reps_done)
{
    return status | reps_done << HV_HYPERCALL_REPS_COMPLETED_SHIFT;
}

/* The last exit's one effect, on exactly these VPs below 64; 0: there was none. */
static inline void hv_test_expect_set(const struct mock *mock, enum hvs_effect_kind kind, uint64_t vps)
{
    assert_int_equal(mock->out.nr_effects, vps != 0);
    if (!vps)
        return;
    assert_int_equal(mock->out.effect[0].kind, kind);
    assert_int_equal(mock->out.effect[0].target, HVS_TARGET_SET);
    assert_int_equal(mock->out.set.bank[0], vps);
    for (uint32_t b = 1; b < HVS_VPSET_BANKS; b++)
        assert_int_equal(mock->out.set.bank[b], 0);
}

/* The whole state as a byte string, to see that nothing changed; the caller frees it. */
static inline uint8_t *hv_test_snapshot(struct mock *mock, size_t *bytes)
{
    uint8_t *stream;

    assert_int_equal(hvs_vm_save(mock->vm, NULL, 0, bytes), HVS_ENOSPC);
    stream = malloc(*bytes);
    assert_non_null(stream);
    assert_int_equal(hvs_vm_save(mock->vm, stream, *bytes, bytes), HVS_OK);
    return stream;
}

/* Compares with, and frees, a snapshot taken before. */
static inline void hv_test_expect_unchanged(struct mock *mock, uint8_t *before, size_t before_bytes)
{
    size_t bytes;
    uint8_t *now = hv_test_snapshot(mock, &bytes);

    assert_int_equal(bytes, before_bytes);
    assert_memory_equal(now, before, bytes);
    free(now);
    free(before);
}

static inline uint32_t hv_test_cpuid(struct mock *mock, uint32_t leaf, enum hvs_cpuid_reg reg)
{
    return mock_cpuid(mock, 0, leaf, 0).reg[reg];
}

/* Setup and teardown for cmocka: a running VM of two VPs, with every feature, in *state. */
static inline int hv_test_setup(void **state)
{
    struct mock *mock = malloc(sizeof(*mock));

    assert_non_null(mock);
    hv_test_config(mock, 2);
    mock->config.slot[0].profile = hvs_profile_find(&hvs_hv_personality, "all");
    assert_int_equal(mock_start(mock), HVS_OK);
    *state = mock;
    return 0;
}

static inline int hv_test_teardown(void **state)
{
    mock_stop(*state);
    free(*state);
    return 0;
}

#define HV_TEST(test) cmocka_unit_test_setup_teardown(test, hv_test_setup, hv_test_teardown)

#endif
