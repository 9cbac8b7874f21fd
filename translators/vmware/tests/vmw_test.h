/* What the VMware tests share: registers with marked upper halves, and one backdoor call. */
#ifndef VMW_TEST_H
#define VMW_TEST_H

#include <hvshim/translators.h>
#include <hvshim/vmware.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "../vmw_abi.h"
#include "mock.h"

#define UPPER(digit) ((uint64_t)(digit) * 0x1111111100000000u)

/* Each register has an upper half of its own and a lower half that no command returns. */
static inline void set_marked_regs(struct mock *mock, uint32_t eax, uint32_t ecx)
{
    struct hvs_regs *r = &mock->regs;

    r->rax = UPPER(0xa) | eax;
    r->rbx = UPPER(0xb) | 0x0b0b0b0b;
    r->rcx = UPPER(0xc) | ecx;
    r->rdx = UPPER(0xd) | 0x0d0d0000 | BDOOR_PORT;
    r->rsi = UPPER(0x5) | 0x05050505;
    r->rdi = UPPER(0x7) | 0x07070707;
    r->rbp = UPPER(0x9) | 0x09090909;
}

static inline void assert_regs_equal(const struct hvs_regs *a, const struct hvs_regs *b)
{
    assert_memory_equal(a, b, sizeof(*a));
}

static inline void assert_upper_halves_kept(const struct hvs_regs *r)
{
    assert_int_equal(r->rbx >> 32, 0xbbbbbbbb);
    assert_int_equal(r->rcx >> 32, 0xcccccccc);
    assert_int_equal(r->rdx >> 32, 0xdddddddd);
    assert_int_equal(r->rsi >> 32, 0x55555555);
    assert_int_equal(r->rdi >> 32, 0x77777777);
    assert_int_equal(r->rbp >> 32, 0x99999999);
}

/* IN EAX at CPL 0 with the magic. Returns EAX; the other results are in mock->regs. */
static inline uint32_t backdoor(struct mock *mock, uint32_t command)
{
    set_marked_regs(mock, BDOOR_MAGIC, command);
    assert_int_equal(mock_in(mock, 0, BDOOR_PORT, 4), HVS_HANDLED);
    assert_true(mock->out.regs_changed);
    assert_upper_halves_kept(&mock->regs);
    return (uint32_t)mock->regs.rax;
}

/* The command answers as one that does not exist. */
static inline void assert_unsupported(struct mock *mock, uint32_t command)
{
    struct hvs_regs expected;

    set_marked_regs(mock, BDOOR_MAGIC, command);
    expected = mock->regs;
    expected.rax = BDOOR_UNSUPPORTED;
    assert_int_equal(mock_in(mock, 0, BDOOR_PORT, 4), HVS_HANDLED);
    assert_regs_equal(&mock->regs, &expected);
}

/* The exit goes to the VMM as it came. */
static inline void assert_left_to_vmm(struct mock *mock, uint32_t command)
{
    struct hvs_regs expected;

    set_marked_regs(mock, BDOOR_MAGIC, command);
    expected = mock->regs;
    assert_int_equal(mock_in(mock, 0, BDOOR_PORT, 4), HVS_UNHANDLED);
    assert_false(mock->out.regs_changed);
    assert_regs_equal(&mock->regs, &expected);
}

static inline void vmw_config(struct mock *mock, uint32_t nr_vps)
{
    const struct hvs_personality *const list[] = {&hvs_vmw_personality, NULL};

    mock_config(mock, list, nr_vps);
}

static inline uint64_t feature_bit(const char *name)
{
    int feature = hvs_feature_find(&hvs_vmw_personality, name);

    assert_true(feature >= 0);
    return 1ull << feature;
}

#endif
