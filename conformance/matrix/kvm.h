/*
 * KVM's own paravirtual interface in numbers [Linux Documentation/virt/kvm/x86/cpuid.rst, msr.rst, hypercalls.rst], and
 * what the files of its matrix share.
 */
#ifndef MATRIX_KVM_H
#define MATRIX_KVM_H

#include "matrix.h"

enum kvm_feature {
    KVM_FEATURE_CLOCKSOURCE = 0,
    KVM_FEATURE_NOP_IO_DELAY = 1,
    KVM_FEATURE_CLOCKSOURCE2 = 3,
    KVM_FEATURE_ASYNC_PF = 4,
    KVM_FEATURE_STEAL_TIME = 5,
    KVM_FEATURE_PV_EOI = 6,
    KVM_FEATURE_PV_UNHALT = 7,
    KVM_FEATURE_PV_TLB_FLUSH = 9,
    KVM_FEATURE_ASYNC_PF_VMEXIT = 10,
    KVM_FEATURE_PV_SEND_IPI = 11,
    KVM_FEATURE_POLL_CONTROL = 12,
    KVM_FEATURE_PV_SCHED_YIELD = 13,
    KVM_FEATURE_ASYNC_PF_INT = 14,
    KVM_FEATURE_MSI_EXT_DEST_ID = 15,
    KVM_FEATURE_HC_MAP_GPA_RANGE = 16,
    KVM_FEATURE_MIGRATION_CONTROL = 17,
    KVM_FEATURE_CLOCKSOURCE_STABLE = 24,
    KVM_ALWAYS = 32,                    /* in rows: not bound to a feature */
};

#define MSR_KVM_WALL_CLOCK 0x11u
#define MSR_KVM_SYSTEM_TIME 0x12u
#define MSR_KVM_WALL_CLOCK_NEW 0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u
#define MSR_KVM_ASYNC_PF_EN 0x4b564d02u
#define MSR_KVM_STEAL_TIME 0x4b564d03u
#define MSR_KVM_PV_EOI_EN 0x4b564d04u
#define MSR_KVM_POLL_CONTROL 0x4b564d05u
#define MSR_KVM_ASYNC_PF_INT 0x4b564d06u
#define MSR_KVM_ASYNC_PF_ACK 0x4b564d07u
#define MSR_KVM_MIGRATION_CONTROL 0x4b564d08u
#define KVM_MSR_ENABLED 1u
#define KVM_ASYNC_PF_DELIVERY_AS_PF_VMEXIT (1u << 2)
#define KVM_ASYNC_PF_DELIVERY_AS_INT (1u << 3)

enum kvm_hc {
    KVM_HC_VAPIC_POLL_IRQ = 1,
    KVM_HC_MMU_OP = 2,
    KVM_HC_FEATURES = 3,
    KVM_HC_KICK_CPU = 5,
    KVM_HC_CLOCK_PAIRING = 9,
    KVM_HC_SEND_IPI = 10,
    KVM_HC_SCHED_YIELD = 11,
    KVM_HC_MAP_GPA_RANGE = 12,
};
enum { KVM_EPERM = 1, KVM_EFAULT = 14, KVM_EINVAL = 22, KVM_EOPNOTSUPP = 95, KVM_ENOSYS = 1000 };

enum { KVM_PAGE_CLOCK, KVM_PAGE_AREA, KVM_PAGE_CODE };      /* of struct matrix_env */

struct kvm {
    struct matrix *matrix;
    const struct matrix_env *env;
    uint32_t base;              /* of the CPUID leaves */
    uint32_t features;
};

struct kvm_point {
    const char *subject, *check, *ref;
    enum kvm_feature need;
    enum matrix_verdict (*run)(struct kvm *k);
};
void kvm_run_points(struct kvm *k, const struct kvm_point *point, uint32_t nr);

static inline bool kvm_has(const struct kvm *k, enum kvm_feature feature)
{
    return feature == KVM_ALWAYS || (k->features >> feature & 1);
}

void kvm_ask_areas(struct kvm *k);
void kvm_ask_calls(struct kvm *k);

#endif
