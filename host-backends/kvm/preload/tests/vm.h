/*
 * A small VM that the test VMMs share: 64 KiB of RAM with the guest of guest.S, 16 KiB more, ROM with the reset vector;
 * and the guest's operations. What goes wrong ends the program with status 1.
 */
#ifndef TEST_VM_H
#define TEST_VM_H

#include "mail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAM_BYTES 0x10000u
#define MORE_GPA 0x100000u
#define MORE_BYTES 0x4000u
#define ROM_GPA 0xffff0000u
#define ROM_BYTES 0x10000u

#define GUEST_OS_ID 0x40000000u
#define HYPERCALL 0x40000001u

struct vm {
    int kvm_fd, fd, vcpu_fd[2];
    struct kvm_run *run[2];
    uint8_t *ram, *more;
    uint8_t *rom;
};

#define check(fact)                                                                    \
    do {                                                                               \
        if (!(fact)) {                                                                 \
            fprintf(stderr, "not ok: line %d: %s (errno %d)\n", __LINE__, #fact, errno); \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

int set_slot(struct vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, void *host, uint64_t bytes);
void *map(size_t bytes);
void reset(struct vm *vm, int cpu);
/* To the guest's loop in flat 32-bit mode. */
void enter_32(struct vm *vm, int cpu);
void add_vcpu(struct vm *vm, int cpu);
void make(struct vm *vm, bool has_irqchip);
void end(struct vm *vm);
uint32_t mail(const struct vm *vm, uint32_t at);
void put(struct vm *vm, uint32_t at, uint32_t value);
bool go_on(struct vm *vm, int cpu);
bool start_op(struct vm *vm, int cpu, uint32_t op, uint32_t c, uint64_t value);
uint64_t rdmsr(struct vm *vm, uint32_t msr);
void wrmsr(struct vm *vm, uint32_t msr, uint64_t value);
bool faults(struct vm *vm, uint32_t op, uint32_t msr, uint64_t value);

#endif
