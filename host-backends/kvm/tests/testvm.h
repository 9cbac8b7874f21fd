/* A VM for tests on /dev/kvm: memory, vCPUs in long mode, and the loop that a VMM would have. */
#ifndef TEST_TESTVM_H
#define TEST_TESTVM_H

#include "layout.h"
#include "personality.h"

#include <hvshim/kvm.h>

#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>

enum { T_MAX_VPS = 4 };

struct testvm {
    int kvm_fd, vm_fd;
    int kick_signal;                    /* 0: run by plain KVM_RUN */
    uint8_t *memory;
    struct hvs_kvm *kvm;
    uint32_t nr_vps;
    int vcpu_fd[T_MAX_VPS];
    struct kvm_run *run[T_MAX_VPS];
    struct hvs_kvm_vcpu *vcpu[T_MAX_VPS];
    struct test_vm_state seen;          /* what the personality notes */
    struct test_options options;
    enum hvs_stop_reason stopped;       /* what the callbacks note */
    uint32_t nr_stops, nr_logs;
    uint8_t logged;
    bool strings_are_foreign;           /* the guest may leave for us at T_PORT_STRINGS */
    uint32_t nr_foreign_pio;
    uint8_t foreign_value;
};

extern const uint8_t guest_begin[], guest_end[];

/* Fails the running test when the host refuses. */
void testvm_make(struct testvm *vm, uint32_t nr_vps);
void testvm_make_plain(struct testvm *vm, uint32_t nr_vps);     /* without a kick signal */
void testvm_make_with(struct testvm *vm, const struct hvs_slot_config *slot);   /* of one vCPU */
void testvm_start(struct testvm *vm);
void testvm_free(struct testvm *vm);
/* Sets a vCPU up to run `entry` of the blob; regs (rip and rsp are set here) may be NULL. */
void testvm_enter(struct testvm *vm, uint32_t vp, const uint8_t *entry, const struct kvm_regs *regs);
/* Runs it until it says that it is done. */
void testvm_run(struct testvm *vm, uint32_t vp);
/* Runs it in a thread of its own. */
struct testvm_thread {
    struct testvm *vm;
    uint32_t vp;
    pthread_t thread;
};
void testvm_run_in(struct testvm_thread *thread, struct testvm *vm, uint32_t vp);
/* Waits until a qword of the guest's memory is not 0. */
void testvm_await(const struct testvm *vm, uint64_t gpa);
/* Where the guest sees an address of the blob; what it left in a qword of its memory. */
uint64_t testvm_gpa(const uint8_t *in_blob);
uint64_t testvm_word(const struct testvm *vm, uint64_t gpa);
void testvm_set_word(struct testvm *vm, uint64_t gpa, uint64_t value);

#endif
