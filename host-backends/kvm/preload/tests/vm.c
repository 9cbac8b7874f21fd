/* A small VM for test VMMs. See vm.h. */
#include "vm.h"

extern const uint8_t guest_begin[], guest_32[], guest_end[], guest_fault[], guest_reset[], guest_reset_end[];

/* --- a VM ------------------------------------------------------------------------------------------------------- */

int set_slot(struct vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, void *host, uint64_t bytes)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot, .flags = flags, .guest_phys_addr = gpa, .memory_size = bytes, .userspace_addr = (uintptr_t)host};

    return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check(memory != MAP_FAILED);
    return memory;
}

/* To the reset vector, as firmware finds a CPU. */
void reset(struct vm *vm, int cpu)
{
    struct kvm_regs regs = {.rip = 0xfff0, .rflags = 2, .rsp = 0x5000};
    struct kvm_mp_state runs = {.mp_state = KVM_MP_STATE_RUNNABLE};
    struct kvm_sregs sregs;

    check(ioctl(vm->vcpu_fd[cpu], KVM_GET_SREGS, &sregs) == 0);
    sregs.cr0 &= ~1ull;
    sregs.cs = sregs.ds = sregs.es = sregs.ss = (struct kvm_segment){.limit = 0xffff, .type = 3, .present = 1, .s = 1};
    sregs.cs.base = 0xffff0000;
    sregs.cs.selector = 0xf000;
    sregs.cs.type = 11;
    check(ioctl(vm->vcpu_fd[cpu], KVM_SET_REGS, &regs) == 0);
    check(ioctl(vm->vcpu_fd[cpu], KVM_SET_SREGS, &sregs) == 0);
    check(ioctl(vm->vcpu_fd[cpu], KVM_SET_MP_STATE, &runs) == 0);
}

void enter_32(struct vm *vm, int cpu)
{
    const struct kvm_segment data = {
        .limit = UINT32_MAX, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
    struct kvm_regs regs = {.rip = MAIL_CODE + (uint64_t)(guest_32 - guest_begin), .rflags = 2, .rsp = 0x5000};
    struct kvm_sregs sregs;

    check(ioctl(vm->vcpu_fd[cpu], KVM_GET_SREGS, &sregs) == 0);
    sregs.cr0 |= 1;
    sregs.ds = sregs.es = sregs.ss = data;
    sregs.cs = data;
    sregs.cs.selector = 8;
    sregs.cs.type = 11;
    check(ioctl(vm->vcpu_fd[cpu], KVM_SET_SREGS, &sregs) == 0);
    check(ioctl(vm->vcpu_fd[cpu], KVM_SET_REGS, &regs) == 0);
}

void add_vcpu(struct vm *vm, int cpu)
{
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(cpuid->entries[0]));
    int bytes = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

    vm->vcpu_fd[cpu] = ioctl(vm->fd, KVM_CREATE_VCPU, cpu);
    if (vm->vcpu_fd[cpu] < 0)
        return;
    vm->run[cpu] = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu_fd[cpu], 0);
    check(vm->run[cpu] != MAP_FAILED);
    cpuid->nent = 256;
    check(ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0);
    check(ioctl(vm->vcpu_fd[cpu], KVM_SET_CPUID2, cpuid) == 0);
    free(cpuid);
    reset(vm, cpu);
}

void make(struct vm *vm, bool has_irqchip)
{
    const uint16_t fault[2] = {(uint16_t)(MAIL_CODE + (guest_fault - guest_begin)), 0};

    vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
    check(vm->fd >= 0);
    check(!has_irqchip || ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) == 0);
    vm->ram = map(RAM_BYTES);
    vm->more = map(MORE_BYTES);
    vm->rom = map(ROM_BYTES);
    memcpy(vm->ram + MAIL_CODE, guest_begin, (size_t)(guest_end - guest_begin));
    memcpy(vm->ram + 13 * 4, fault, sizeof(fault));
    memcpy(vm->rom + 0xfff0, guest_reset, (size_t)(guest_reset_end - guest_reset));
    check(set_slot(vm, 0, 0, 0, vm->ram, RAM_BYTES) == 0);
    check(set_slot(vm, 1, 0, MORE_GPA, vm->more, MORE_BYTES) == 0);
    check(set_slot(vm, 2, KVM_MEM_READONLY, ROM_GPA, vm->rom, ROM_BYTES) == 0);
    add_vcpu(vm, 0);
    check(vm->vcpu_fd[0] >= 0);
}

void end(struct vm *vm)
{
    check(close(vm->vcpu_fd[0]) == 0);
    check(close(vm->fd) == 0);
    check(close(vm->kvm_fd) == 0);
}

/* --- operations of the guest ------------------------------------------------------------------------------------ */

uint32_t mail(const struct vm *vm, uint32_t at)
{
    uint32_t value;

    memcpy(&value, vm->ram + at, sizeof(value));
    return value;
}

void put(struct vm *vm, uint32_t at, uint32_t value)
{
    memcpy(vm->ram + at, &value, sizeof(value));
}

/* Runs until the op is done, or another exit or error comes. Returns whether it is done. */
bool go_on(struct vm *vm, int cpu)
{
    return ioctl(vm->vcpu_fd[cpu], KVM_RUN, 0) == 0 && vm->run[cpu]->exit_reason == KVM_EXIT_IO &&
           vm->run[cpu]->io.port == MAIL_PORT;
}

bool start_op(struct vm *vm, int cpu, uint32_t op, uint32_t c, uint64_t value)
{
    put(vm, MAIL_OP, op);
    put(vm, MAIL_A, (uint32_t)value);
    put(vm, MAIL_C, c);
    put(vm, MAIL_D, (uint32_t)(value >> 32));
    return go_on(vm, cpu);
}

uint64_t rdmsr(struct vm *vm, uint32_t msr)
{
    check(start_op(vm, 0, OP_RDMSR, msr, 0));
    return mail(vm, MAIL_A) | (uint64_t)mail(vm, MAIL_D) << 32;
}

void wrmsr(struct vm *vm, uint32_t msr, uint64_t value)
{
    check(start_op(vm, 0, OP_WRMSR, msr, value));
}

bool faults(struct vm *vm, uint32_t op, uint32_t msr, uint64_t value)
{
    uint32_t before = mail(vm, MAIL_NR_FAULTS);

    check(start_op(vm, 0, op, msr, value));
    return mail(vm, MAIL_NR_FAULTS) == before + 1;
}
