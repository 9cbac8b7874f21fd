/* What the tests of the Xen translator share: a guest that makes hypercalls, with paging off, so addresses are GPAs. */
#ifndef XEN_TEST_H
#define XEN_TEST_H

#include <hvshim/translators.h>
#include <hvshim/xen.h>

#include "mock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../xen_abi.h"

enum {
    ARG_GPA = 0x1000,           /* where structures are passed */
    INFO_GPA = 0x30040,         /* where vcpu_info is registered; one page a vCPU */
    SHARED_GPA = 0x20000,
    BAD_GPA = MOCK_RAM_BYTES + 0x1000,
    VECTOR = 0xf3,
};

static inline int64_t xen_call(struct mock *mock, uint32_t vp, uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    bool is_wide = mock->regs.code_bits == 64;

    mock->regs.rax = nr;
    if (is_wide) {
        mock->regs.rdi = a;
        mock->regs.rsi = b;
        mock->regs.rdx = c;
    } else {
        mock->regs.rbx = a;
        mock->regs.rcx = b;
        mock->regs.rdx = c;
    }
    assert_int_equal(mock_hypercall(mock, vp, 0), HVS_HANDLED);
    assert_true(mock->out.regs_changed);
    if (!is_wide)
        assert_int_equal(mock->regs.rax >> 32, 0);
    return is_wide ? (int64_t)mock->regs.rax : (int32_t)mock->regs.rax;
}

/* (cmd, structure) by vCPU `vp`; the structure comes back as the guest would find it. */
static inline int64_t xen_op(struct mock *mock, uint32_t vp, uint64_t nr, uint64_t cmd, void *arg, size_t bytes)
{
    int64_t result;

    memcpy(mock->ram + ARG_GPA, arg, bytes);
    result = xen_call(mock, vp, nr, cmd, ARG_GPA, 0);
    memcpy(arg, mock->ram + ARG_GPA, bytes);
    return result;
}

#define EVTCHN(mock, op, arg) xen_op(mock, 0, __HYPERVISOR_event_channel_op, EVTCHNOP_##op, arg, sizeof(*(arg)))
#define HVM(mock, op, arg) xen_op(mock, 0, __HYPERVISOR_hvm_op, HVMOP_##op, arg, sizeof(*(arg)))

/* vcpu_op by `vp` about `about`. */
static inline int64_t xen_vcpu_op(struct mock *mock, uint32_t vp, uint32_t cmd, uint32_t about, const void *arg,
                                  size_t bytes)
{
    if (bytes > 0)
        memcpy(mock->ram + ARG_GPA, arg, bytes);
    return xen_call(mock, vp, __HYPERVISOR_vcpu_op, cmd, about, ARG_GPA);
}

static inline void start(struct mock *mock, uint32_t nr_vps)
{
    mock_start_one(mock, &hvs_xen_personality, nr_vps);
}

static inline void start_with(struct mock *mock, uint32_t nr_vps, const struct hvs_xen_options *options)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};

    mock_config(mock, list, nr_vps);
    mock->config.slot[0].options = options;
    assert_int_equal(mock_start(mock), HVS_OK);
}

/* All but the named features and what needs them. */
static inline void start_without_both(struct mock *mock, const char *feature, const char *other)
{
    const struct hvs_personality *const list[] = {&hvs_xen_personality, NULL};
    int index[2] = {hvs_feature_find(&hvs_xen_personality, feature), hvs_feature_find(&hvs_xen_personality, other)};

    assert_true(index[0] >= 0 && index[1] >= 0);
    mock_config(mock, list, 2);
    mock->config.slot[0].features_off = 1ull << index[0] | 1ull << index[1];
    assert_int_equal(mock_start(mock), HVS_OK);
}

static inline void start_without(struct mock *mock, const char *feature)
{
    start_without_both(mock, feature, feature);
}

/* In the caller's width. */
static inline int64_t map_page(struct mock *mock, uint16_t domid, uint32_t space, uint64_t idx, uint64_t gfn)
{
    if (mock->regs.code_bits == 64) {
        struct xen_add_to_physmap add = {.domid = domid, .space = space, .idx = idx, .gpfn = gfn};

        return xen_op(mock, 0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add));
    }

    struct xen_add_to_physmap32 add = {.domid = domid, .space = space, .idx = (uint32_t)idx, .gpfn = (uint32_t)gfn};

    return xen_op(mock, 0, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add, sizeof(add));
}

static inline void map_shared(struct mock *mock)
{
    assert_int_equal(map_page(mock, DOMID_SELF, XENMAPSPACE_shared_info, 0, SHARED_GPA >> 12), 0);
}

static inline void set_vector(struct mock *mock, uint32_t vp)
{
    struct xen_hvm_evtchn_upcall_vector vector = {.vcpu = vp, .vector = VECTOR};

    assert_int_equal(HVM(mock, set_evtchn_upcall_vector, &vector), 0);
}

static inline uint32_t bind_ipi(struct mock *mock, uint32_t vp)
{
    struct evtchn_bind_ipi ipi = {.vcpu = vp};

    assert_int_equal(EVTCHN(mock, bind_ipi, &ipi), 0);
    return ipi.port;
}

static inline uint32_t bind_virq(struct mock *mock, uint32_t virq, uint32_t vp)
{
    struct evtchn_bind_virq bind = {.virq = virq, .vcpu = vp};

    assert_int_equal(EVTCHN(mock, bind_virq, &bind), 0);
    return bind.port;
}

static inline int64_t send(struct mock *mock, uint32_t port)
{
    struct evtchn_send args = {.port = port};

    return EVTCHN(mock, send, &args);
}

static inline struct evtchn_status status_of(struct mock *mock, uint32_t port)
{
    struct evtchn_status status = {.dom = DOMID_SELF, .port = port};

    assert_int_equal(EVTCHN(mock, status, &status), 0);
    return status;
}

static inline uint32_t ram32(const struct mock *mock, uint64_t gpa)
{
    uint32_t value;

    memcpy(&value, mock->ram + gpa, sizeof(value));
    return value;
}

static inline uint64_t ram64(const struct mock *mock, uint64_t gpa)
{
    return ram32(mock, gpa) | (uint64_t)ram32(mock, gpa + 4) << 32;
}

/* The time that a guest reads from a pvclock, at the mock's present TSC. */
static inline uint64_t pvclock_ns(const struct mock *mock, uint64_t gpa)
{
    struct hvs_pvclock clock;
    uint64_t delta;

    memcpy(&clock, mock->ram + gpa, sizeof(clock));
    assert_int_equal(clock.version % 2, 0);
    assert_int_not_equal(clock.version, 0);
    delta = mock_tsc(mock) - clock.tsc_timestamp;
    delta = clock.tsc_shift >= 0 ? delta << clock.tsc_shift : delta >> -clock.tsc_shift;
    return clock.system_time_ns + (uint64_t)((unsigned __int128)delta * clock.tsc_to_system_mul >> 32);
}

/* The vCPU that the last exit interrupted by VECTOR, or UINT32_MAX. */
static inline uint32_t interrupted(const struct mock *mock)
{
    const struct hvs_effect *effect = NULL;
    uint32_t nr = mock_effects(mock, HVS_EFFECT_INJECT, &effect);

    assert_in_range(nr, 0, 1);
    if (nr == 0)
        return UINT32_MAX;
    assert_int_equal(effect->vector, VECTOR);
    return effect->vp;
}
#define NOBODY UINT32_MAX

#endif
